"""Ranks: equal to a plain second implementation and to PyKEEN's evaluator."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embeddings import Embedding, EmbeddingConfig, RankMetrics, evaluate, ranks
from embeddings.quiet import quiet, seeded
from kg.benchmark import load_benchmark
from kg.errors import ConfigError, InputError, UnknownTermError

NUM_ENTITIES, NUM_RELATIONS = 14, 5


def random_graph(seed: int, count: int = 160) -> NDArray[np.int32]:
    """Different random triples over entities 10 … 23 and relations 0 … 4, as dense as the Nations graph."""
    random = np.random.default_rng(seed)
    heads, tails = random.integers(10, 10 + NUM_ENTITIES, (2, count))
    relations = random.integers(0, NUM_RELATIONS, count)
    return np.unique(np.stack([heads, relations, tails], axis=1).astype(np.int32), axis=0)


def frame(config: EmbeddingConfig, triples: NDArray[np.int32]) -> Embedding:
    entities, relations = np.unique(triples[:, [0, 2]]), np.unique(triples[:, 1])
    return Embedding(
        config=config,
        entities=entities,
        relations=relations,
        entity_vectors=np.empty((len(entities), 0), dtype=np.float32),
        relation_vectors=np.empty((len(relations), 0), dtype=np.float32),
        fingerprint="",
    )


def ours_and_pykeens(
    config: EmbeddingConfig, test: NDArray[np.int32], known: NDArray[np.int32]
) -> tuple[RankMetrics, list[float]]:
    """Figures of an untrained model, and PyKEEN's MRR and hits at 1, 3, 10 of it."""
    empty = frame(config, known)
    with quiet(), seeded(0):
        import torch
        from pykeen.evaluation import RankBasedEvaluator

        from embeddings.network import filled, make_model

        model = make_model(config, len(empty.entities), len(empty.relations))
        theirs = RankBasedEvaluator(filtered=True, clear_on_finalize=False).evaluate(
            model,
            torch.from_numpy(empty.dense(test)),
            batch_size=16,
            additional_filter_triples=[torch.from_numpy(empty.dense(known))],
            use_tqdm=False,
        )
    names = ["inverse_harmonic_mean_rank", "hits_at_1", "hits_at_3", "hits_at_10"]
    expected = [theirs.get_metric(f"both.realistic.{name}") for name in names]
    return evaluate(filled(empty, model, ()), test, known), expected


@pytest.mark.parametrize(
    "config",
    [
        EmbeddingConfig(model="TransE", dim=8),
        EmbeddingConfig(model="RotatE", dim=8),
        EmbeddingConfig(model="TransE", dim=8, norm=1),
        EmbeddingConfig(model="DistMult", dim=8),
    ],
    ids=["TransE", "RotatE", "TransE L1", "DistMult"],
)
def test_figures_equal_pykeens_evaluator(config: EmbeddingConfig) -> None:
    known = random_graph(1)
    test = known[::4]
    ours, expected = ours_and_pykeens(config, test, known)
    np.testing.assert_allclose([ours.mrr, ours.hits_at_1, ours.hits_at_3, ours.hits_at_10], expected, atol=1e-6)
    assert (ours.count, ours.unseen) == (len(test), 0)


def bundled(name: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Test and all triples of a data set that PyKEEN brings, or a slice of WN18RR's validation where it is at hand."""
    if name == "wn18rr":
        folder = Path(__file__).resolve().parents[2] / "shared" / "data" / name
        if not folder.is_dir():
            pytest.skip(f"no {folder}")
        benchmark = load_benchmark(folder)
        trained = np.unique(benchmark.train[:, [0, 2]])
        seen = np.isin(benchmark.valid[:, [0, 2]], trained).all(axis=1)
        return benchmark.valid[seen][:128], np.concatenate([benchmark.train, benchmark.valid[seen][:128]])
    with quiet():
        origin = importlib.import_module(f"pykeen.datasets.{name}").__file__
    benchmark = load_benchmark(Path(str(origin)).parent)
    return benchmark.test, benchmark.known


@pytest.mark.parametrize("model", ["TransE", "RotatE"])
@pytest.mark.parametrize("name", ["nations", "umls", "kinships", "wn18rr"])
def test_figures_equal_pykeens_evaluator_on_public_benchmarks(name: str, model: str) -> None:
    test, known = bundled(name)
    ours, expected = ours_and_pykeens(EmbeddingConfig(model=model, dim=4), test, known)
    np.testing.assert_allclose([ours.mrr, ours.hits_at_1, ours.hits_at_3, ours.hits_at_10], expected, atol=1e-6)
    assert ours.count == len(test) > 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_ranks_equal_a_plain_count_also_with_ties(seed: int, dim: int) -> None:
    random = np.random.default_rng(seed)
    known = random_graph(seed, 60)
    empty = frame(EmbeddingConfig(model="TransE", dim=dim), known)
    # small whole numbers make many exact ties
    vectors = random.integers(-2, 3, (len(empty.entities), dim)).astype(np.float32)
    moves = random.integers(-1, 2, (len(empty.relations), dim)).astype(np.float32)
    embedding = Embedding(empty.config, empty.entities, empty.relations, vectors, moves, "")
    test = known[random.permutation(len(known))[:10]]
    true = {tuple(row) for row in known.tolist()}

    def rank(row: list[int], side: int) -> float:
        def distance(entity: int) -> float:
            h, r, t = (entity if i == side else value for i, value in enumerate(row))
            at = np.searchsorted(empty.entities, [h, t])
            gap = vectors[at[0]] + moves[np.searchsorted(empty.relations, r)] - vectors[at[1]]
            return float(gap @ gap)

        def other(entity: int) -> tuple[int, ...]:
            return tuple(entity if i == side else value for i, value in enumerate(row))

        rivals = [int(e) for e in empty.entities if e != row[side] and other(int(e)) not in true]
        own = distance(row[side])
        better = sum(distance(e) < own for e in rivals)
        return 1 + better + sum(distance(e) == own for e in rivals) / 2

    expected = [[rank(row, 2), rank(row, 0)] for row in test.tolist()]
    assert ranks(embedding, test, known, device="cpu").tolist() == expected


def embedding_of(triples: NDArray[np.int32], dim: int = 4) -> Embedding:
    empty = frame(EmbeddingConfig(model="TransE", dim=dim), triples)
    random = np.random.default_rng(0)
    shape = len(empty.entities), len(empty.relations)
    vectors, moves = (random.normal(size=(n, dim)).astype(np.float32) for n in shape)
    return Embedding(empty.config, empty.entities, empty.relations, vectors, moves, "")


def test_ranks_do_not_depend_on_the_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    known = random_graph(3)
    embedding = embedding_of(known)
    whole = ranks(embedding, known, known)
    monkeypatch.setitem(ranks.__globals__, "_CHUNK_BYTES", 1)
    np.testing.assert_array_equal(ranks(embedding, known, known), whole)


def test_unseen_triples_are_counted_apart() -> None:
    known = random_graph(3)
    embedding = embedding_of(known)
    seen = known[:20]
    unseen = np.array([[99, 0, 10], [10, 77, 11]], dtype=np.int32)
    with_unseen = evaluate(embedding, np.concatenate([unseen, seen]), np.concatenate([known, unseen]))
    alone = evaluate(embedding, seen, known)
    assert with_unseen == RankMetrics(**{**alone.to_dict(), "unseen": 2})
    assert str(with_unseen).endswith("(20 triples, 2 more with terms not seen in training)")
    assert str(alone).endswith("(20 triples)")


def test_nothing_to_rank_is_an_error() -> None:
    embedding = embedding_of(random_graph(3))
    for test in (np.array([[99, 0, 10]]), np.empty((0, 3), dtype=np.int32)):
        with pytest.raises(InputError, match="Expected a test triple whose terms were all trained"):
            evaluate(embedding, test, test)
    with pytest.raises(UnknownTermError):
        ranks(embedding, np.array([[99, 0, 10]]), random_graph(3))


def test_a_device_that_is_not_there_is_named() -> None:
    known = random_graph(3)
    for device in ("quantum", "cuda:77"):
        with pytest.raises(ConfigError, match=f"got '{device}'"):
            evaluate(embedding_of(known), known, known, device=device)
