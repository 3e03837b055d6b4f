"""Evidence of embeddings and of the graph against plain counting, and the model that weighs it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings import Embedding, EmbeddingConfig
from embeddings.evidence import EMBEDDING_EVIDENCE, GRAPH_EVIDENCE, embedding_evidence, graph_evidence
from embeddings.plausibility import PlausibilityModel, evidence
from kg.errors import InputError, UnknownTermError


def made(model: str, *, entities: int = 12, dim: int = 4) -> Embedding:
    """Random vectors for terms 10, 12, 14, … and relations 1 and 2."""
    random = np.random.default_rng(3)
    numbers = dim * (2 if model == "RotatE" else 1)
    angles = random.uniform(0, 6, (2, dim))
    moves = np.concatenate([np.cos(angles), np.sin(angles)], axis=1) if model == "RotatE" else angles
    return Embedding(
        config=EmbeddingConfig(model=model, dim=dim),
        entities=np.arange(10, 10 + 2 * entities, 2, dtype=np.int32),
        relations=np.array([1, 2], dtype=np.int32),
        entity_vectors=random.normal(size=(entities, numbers)).astype(np.float32),
        relation_vectors=moves.astype(np.float32),
        fingerprint="",
    )


def rows(count: int, seed: int, entities: int = 12) -> NDArray[np.int32]:
    random = np.random.default_rng(seed)
    ends = 10 + 2 * random.integers(0, entities, (count, 2))
    return np.stack([ends[:, 0], random.integers(1, 3, count), ends[:, 1]], axis=1).astype(np.int32)


@pytest.mark.parametrize("model", ["TransE", "RotatE"])
def test_standing_among_rivals_is_that_of_plain_counting(model: str) -> None:
    embedding, known, triples = made(model), rows(40, 0), rows(9, 1)
    found = embedding_evidence(embedding, triples, known)
    facts = set(map(tuple, known.tolist()))
    for (head, relation, tail), told in zip(triples.tolist(), found, strict=True):
        for side, everyone in enumerate((embedding.score_tails(head, relation), embedding.score_heads(relation, tail))):
            own = everyone[embedding.entities.tolist().index((tail, head)[side])]
            triple = [(head, relation, e) if side == 0 else (e, relation, tail) for e in embedding.entities.tolist()]
            also = np.array([t in facts and t != (head, relation, tail) for t in triple])
            rivals = everyone[~also].astype(np.float64)
            expected = [
                own,
                (own - rivals.mean()) / rivals.std(),
                np.log1p((rivals > own + 1e-6).sum()),
                own - np.log(np.exp(rivals).sum()),
                (everyone[also] < own).mean() if also.any() else 0.5,
                also.any(),
            ]
            np.testing.assert_allclose(told[6 * side : 6 * side + 6], expected, atol=1e-4)
    assert found.shape == (9, len(EMBEDDING_EVIDENCE))


def test_graph_evidence_of_a_small_graph() -> None:
    # 1 and 2 are alike: both know 5 and like 6; of the likers of 7 only 2 is left
    known = np.array([[1, 90, 5], [2, 90, 5], [1, 91, 6], [2, 91, 6], [2, 91, 7], [3, 90, 8], [7, 91, 1]])
    told = dict(zip(GRAPH_EVIDENCE, graph_evidence(np.array([[1, 91, 7]]), known)[0], strict=True))
    assert told["similarity share of heads"] == 1.0  # of 2 and 7, which like something, 7 is nothing like 1
    two, one = np.log(7 / 2), np.log(7)  # weights of what two and what one of the seven entities have
    assert told["best similarity of heads"] == pytest.approx(2 * two**2 / (2 * two**2 + one**2))
    assert told["share of the nearest 20 of heads"] == 0.5
    assert told["log paths of two"] == 0.0
    assert told["log tails of head"] == pytest.approx(np.log1p(1))
    assert told["log heads of tail"] == pytest.approx(np.log1p(1))
    assert told["log triples of head"] == pytest.approx(np.log1p(3))
    assert told["log triples of tail"] == pytest.approx(np.log1p(2))
    assert (told["inverse holds"], told["linked"], told["linked back"]) == (1.0, 0.0, 1.0)
    known_before = known.copy()
    graph_evidence(known, known)
    np.testing.assert_array_equal(known, known_before)


def test_model_tells_a_regular_relation_from_chance_and_is_the_same_again() -> None:
    # relation 1 leads from each entity to the next but one; what is false leads elsewhere
    random = np.random.default_rng(0)
    ring = np.array([[i, 1, (i + k) % 60] for i in range(60) for k in (1, 2, 3)], dtype=np.int32)
    shuffled = ring[random.permutation(len(ring))]
    known, true = shuffled[60:], shuffled[:60]
    false = true.copy()
    false[:, 2] = (false[:, 2] + random.integers(10, 50, 60)) % 60
    triples, labels = np.concatenate([true, false]), np.repeat([True, False], 60)
    fit, held = np.arange(0, 120, 2), np.arange(1, 120, 2)
    model = PlausibilityModel.fit([], known, triples[fit], labels[fit], trees=50)
    told = model.plausibility(triples[held])
    assert ((told > 0.5) == labels[held]).mean() > 0.85
    again = PlausibilityModel.fit([], known, triples[fit], labels[fit], trees=50)
    np.testing.assert_array_equal(again.plausibility(triples[held]), told)


def test_examples_the_model_cannot_be_fitted_to_are_refused() -> None:
    embedding, known = made("TransE"), rows(10, 0)
    with pytest.raises(InputError, match="got 10 that are"):
        PlausibilityModel.fit([embedding], known, known, np.arange(10) % 2)
    with pytest.raises(InputError, match="2 true"):
        PlausibilityModel.fit([embedding], known, rows(2, 1), [True, True])
    with pytest.raises(UnknownTermError, match="term id 11"):
        evidence([embedding], np.array([[11, 1, 10]]), known)
