"""Rules and an embedding together: the same ranks as the embedding's own, and what a fit finds where one side knows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings import Embedding, EmbeddingConfig
from embeddings import ranks as embedding_ranks
from engine.mining import MiningConfig, RulePredictor, mine_rules
from engine.prediction.combine import WAYS, Combination, EmbeddingScores, Way, fit_combination, metrics, ranks
from kg.errors import InputError

Rows = NDArray[np.int64]
R, S = 50, 51


def cycle() -> tuple[Rows, Rows]:
    """Training and held-out triples about entities 0 to 39: s(x, y) where r(y, x), and t(x, x + 1) without a rule."""
    r = np.array([[x, R, (7 * x + 3) % 40] for x in range(40) if (7 * x + 3) % 40 != x])
    s = np.stack([r[:, 2], np.full(len(r), S), r[:, 0]], axis=1)
    t = np.array([[x, 52, x + 1] for x in range(39)])
    return np.concatenate([r, s[::2], t[::2]]), np.concatenate([s[1::2], t[1::2]])


def placed_on_a_line(rows: Rows, *, noise: float = 0.0) -> Embedding:
    """TransE where entity x lies at x, so that relation 52 moves by one; of r and s it knows nothing."""
    entities, relations = np.unique(rows[:, [0, 2]]), np.unique(rows[:, 1])
    random = np.random.default_rng(0)
    vectors = np.zeros((len(entities), 2), np.float32)
    vectors[:, 0] = entities + noise * random.normal(size=len(entities))
    moves = np.where(relations[:, None] == 52, [[1.0, 0.0]], [[0.3, 40.0]]).astype(np.float32)
    return Embedding(
        config=EmbeddingConfig(model="TransE", dim=2),
        entities=entities.astype(np.int32),
        relations=relations.astype(np.int32),
        entity_vectors=vectors,
        relation_vectors=moves,
        fingerprint="0",
    )


def predictor(rows: Rows) -> RulePredictor:
    return RulePredictor(mine_rules(rows, MiningConfig(longest=1, features=False)), rows)


def test_ranks_of_an_embedding_are_those_of_its_own_evaluation() -> None:
    train, held = cycle()
    embedding = placed_on_a_line(train, noise=0.7)
    known = np.concatenate([train, held])
    expected = embedding_ranks(embedding, held, known, device="cpu")
    np.testing.assert_array_equal(ranks(EmbeddingScores(embedding), held, known), expected)


def test_the_combination_is_above_either_alone_where_each_knows_a_relation() -> None:
    train, held = cycle()
    known = np.concatenate([train, held])
    rules, embedding = predictor(train), placed_on_a_line(train, noise=0.1)
    both = metrics(fit_combination(rules, embedding, held[::2], known), held[1::2], known)
    alone = metrics(rules, held[1::2], known), metrics(EmbeddingScores(embedding), held[1::2], known)
    assert both.mrr > 0.95
    assert max(one.mrr for one in alone) < 0.8


@pytest.mark.parametrize(("way", "same"), [(Way(0.0), "rules"), (Way(0.0, 1.0), "embedding")])
def test_with_no_weight_one_of_them_is_left_out(way: Way, same: str) -> None:
    train, held = cycle()
    known = np.concatenate([train, held])
    rules, scores = predictor(train), EmbeddingScores(placed_on_a_line(train, noise=0.1))
    even = np.ones((2, 1))
    both = Combination(rules, scores, np.array([0], np.int32)[:0], even, np.full((2, 1), WAYS.index(way)))
    expected = ranks(rules if same == "rules" else scores, held, known)
    np.testing.assert_array_equal(ranks(both, held, known), expected)


@pytest.mark.parametrize("way", [Way(1.0), Way(3.0, None, 0.5), Way(2.0, 0.01)])
def test_scores_are_those_of_the_formula(way: Way) -> None:
    train, held = cycle()
    rules, scores = predictor(train), EmbeddingScores(placed_on_a_line(train, noise=0.1))
    even = np.full((2, 1), 0.7)
    both = Combination(rules, scores, np.empty(0, np.int32), even, np.full((2, 1), WAYS.index(way)))
    sharp = np.exp(0.7 * way.blunt * scores.of(held, tails=False))
    q = sharp / sharp.sum(axis=1, keepdims=True)
    said = rules.of(held, tails=False)
    if way.floor is None:
        expected = said - way.weight * np.log(1 - q)
    else:
        expected = np.log(q) + way.weight * np.log(way.floor + 1 - np.exp(-said))
    np.testing.assert_allclose(both.of(held, tails=False), expected, atol=1e-9)


def test_triples_with_unseen_terms_are_counted_apart() -> None:
    train, held = cycle()
    more = np.concatenate([held, [[0, 52, 99]]])
    figures = metrics(predictor(train), more, train)
    assert (figures.count, figures.unseen) == (len(held), 1)
    with pytest.raises(InputError, match="none such"):
        metrics(predictor(train), more[-1:], train)


def test_an_embedding_of_other_triples_is_refused() -> None:
    train, held = cycle()
    other = dataclasses.replace(placed_on_a_line(train), entities=np.arange(100, 140, dtype=np.int32))
    with pytest.raises(InputError, match="entities differ"):
        fit_combination(predictor(train), other, held, train)
