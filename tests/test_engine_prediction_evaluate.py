"""Figures with the schema's filter: equal to a plain second computation, and no cheaper for rejecting more."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rdflib import OWL, RDF, RDFS, URIRef

from embeddings import Embedding, EmbeddingConfig, evaluate, ranks
from engine.prediction import SchemaFilter, Strictness, evaluate_filter, sem_at_k
from engine.symbolic import Closure, materialise
from kg.benchmark import load_benchmark
from kg.errors import InputError
from kg.graph import KnowledgeGraph
from kg.terms import Triple

EX = "https://example.org/"
RELATIONS = [URIRef(EX + name) for name in "pqr"]
SCHEMA = [
    (RELATIONS[0], RDFS.domain, URIRef(EX + "C")),
    (RELATIONS[0], RDFS.range, URIRef(EX + "D")),
    (RELATIONS[1], RDFS.range, URIRef(EX + "C")),
    (RELATIONS[1], RDF.type, OWL.AsymmetricProperty),
    (URIRef(EX + "E"), RDFS.subClassOf, URIRef(EX + "D")),
]


def world(seed: int, schema: bool = True) -> tuple[Closure, NDArray[np.int64], NDArray[np.int64]]:
    """A closure of random links between twelve typed and untyped entities; its links, and others that are held out."""
    random = np.random.default_rng(seed)
    entities = [URIRef(f"{EX}n{i}") for i in range(12)]
    drawn = np.unique(random.integers(0, [12, 3, 12], (90, 3)), axis=0)
    drawn = random.permutation(drawn)
    links = [Triple(entities[h], RELATIONS[r], entities[t]) for h, r, t in drawn.tolist()]
    held, known = links[:20], links[20:]
    types = [Triple(e, RDF.type, URIRef(EX + "CDE"[i % 3])) for i, e in enumerate(entities[:9])] if schema else []
    axioms = [Triple(*each) for each in SCHEMA] if schema else []
    closure = materialise(KnowledgeGraph.from_triples([*known, *types, *axioms]), entailment="none")
    encode = closure.graph.encode
    first, second = (np.array([encode(t) for t in part if encode(t) is not None]) for part in (known, held))
    return closure, first, second


def embedding_of(closure: Closure, model: str = "TransE") -> Embedding:
    random = np.random.default_rng(7)
    entities, relations = closure.graph.entity_ids, closure.graph.relation_ids
    sizes = (len(entities), 8), (len(relations), 8)
    first, second = (random.normal(size=size).astype(np.float32) for size in sizes)
    config = EmbeddingConfig(model=model, dim=8 if model == "TransE" else 4)
    return Embedding(config, entities, relations, first, second, "")


@pytest.mark.parametrize("model", ["TransE", "RotatE"])
def test_without_axioms_the_figures_are_those_of_the_embedding(model: str) -> None:
    closure, known, held = world(1, schema=False)
    embedding = embedding_of(closure, model)
    every = np.concatenate([known, held])
    report = evaluate_filter(embedding, SchemaFilter(closure, strictness=Strictness.TYPED), held, every)
    plain = evaluate(embedding, held, every, device="cpu")
    assert report.before.mrr == report.after.mrr == pytest.approx(plain.mrr, abs=1e-9)
    assert report.before.hits_at_10 == pytest.approx(plain.hits_at_10)
    assert report.before.mean_rank == pytest.approx(ranks(embedding, held, every, device="cpu").mean())
    assert (report.rejected, report.rejected_true, report.after.queries) == (0, 0, 0)
    assert math.isnan(report.after.sem_at_k)


@pytest.mark.parametrize("seed", range(4))
def test_figures_equal_a_plain_computation(seed: int) -> None:
    closure, known, held = world(seed)
    embedding = embedding_of(closure)
    schema = SchemaFilter(closure, strictness=Strictness.TYPED)
    every = np.concatenate([known, held])
    report = evaluate_filter(embedding, schema, held, every, k=3)
    true = {tuple(row) for row in every.tolist()}
    found, shares, lost = [], [], set[int]()
    for row, (h, r, t) in enumerate(held.tolist()):
        for own, side in ((t, 2), (h, 0)):
            candidates = [[h, r, e] if side == 2 else [e, r, t] for e in embedding.entities.tolist()]
            others = [c for c in candidates if c[side] == own or tuple(c) not in true]
            fine = [c for c, accepted in zip(others, schema.accepts(np.array(others)), strict=True) if accepted]
            fits = schema.fits(r, tails=side == 2)
            best = sorted(fine, key=lambda c: -float(embedding.score(np.array([c]))[0]))
            if [h, r, t] in fine:
                found.append(1 + best.index([h, r, t]))
            else:
                found.append(len(embedding.entities))
                lost.add(row)
            if fits is not None and best:
                shares.append(np.mean([fits[c[side]] for c in best[:3]]))
    assert report.after.mrr == pytest.approx(np.mean([1 / rank for rank in found]))
    assert report.after.mean_rank == pytest.approx(np.mean(found))
    assert report.rejected_true == len(lost) > 0
    assert report.after.sem_at_k == pytest.approx(np.mean(shares))
    assert report.after.queries == len(shares)
    assert report.before.sem_at_k < report.after.sem_at_k
    assert report.untyped == 3 / 12


def test_rejecting_everything_is_the_worst_there_is() -> None:
    closure, known, held = world(0)

    class Wall(SchemaFilter):
        def codes(self, *args: object, **options: object) -> NDArray[np.int32]:
            return np.ones_like(super().codes(*args, **options))  # type: ignore[arg-type]  # handed on

    embedding = embedding_of(closure)
    report = evaluate_filter(embedding, Wall(closure), held, np.concatenate([known, held]))
    assert report.after.mean_rank == len(embedding.entities)
    assert report.rejected_true == len(held)
    assert (report.after.queries, math.isnan(report.after.sem_at_k)) == (0, True)


def test_sem_at_k_counts_what_there_is() -> None:
    scores = np.array([[3.0, 2.0, 1.0, 0.0], [-np.inf, 1.0, -np.inf, 2.0], [-np.inf] * 4])
    fits = np.array([True, False, True, True])
    assert sem_at_k(scores, fits, 2)[:2].tolist() == [0.5, 0.5]
    assert sem_at_k(scores, fits, 3)[:2].tolist() == [pytest.approx(2 / 3), 0.5]
    assert np.isnan(sem_at_k(scores, fits, 9)).tolist() == [False, False, True]


def test_a_call_that_makes_no_sense_is_refused() -> None:
    closure, known, held = world(0)
    embedding = embedding_of(closure)
    with pytest.raises(InputError, match="at least 1"):
        evaluate_filter(embedding, SchemaFilter(closure), held, known, k=0)
    with pytest.raises(InputError, match="all trained"):
        evaluate_filter(embedding, SchemaFilter(closure), held[:, [1, 1, 1]], known)


def test_on_yago_the_filter_makes_every_prediction_fit_and_rejects_no_true_triple(shared: Path) -> None:
    folder = shared / "data" / "yago4-18k-schema"
    if not folder.is_dir():
        pytest.skip(f"no benchmark {folder} here")
    benchmark = load_benchmark(folder)
    closure = materialise(benchmark.graph, entailment="none")  # its types are closed under subclasses
    random = np.random.default_rng(0)
    entities, relations = np.unique(benchmark.train[:, [0, 2]]), np.unique(benchmark.train[:, 1])
    first, second = (random.normal(size=(len(ids), 8)).astype(np.float32) for ids in (entities, relations))
    embedding = Embedding(EmbeddingConfig(model="TransE", dim=8), entities, relations, first, second, "")
    schema = SchemaFilter(closure, strictness=Strictness.TYPED)
    report = evaluate_filter(embedding, schema, benchmark.valid[:100], benchmark.known)
    assert (report.after.sem_at_k, report.after.queries, report.rejected_true) == (1.0, 200, 0)
    assert report.before.sem_at_k < 0.5
    assert report.after.mrr > report.before.mrr
