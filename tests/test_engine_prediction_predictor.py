"""The predictor: the score orders, axioms and rules accept."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS

from embeddings import Embedding, EmbeddingConfig, fit_calibration
from embeddings.all_scores import AllScores
from engine.prediction import Kind, Prediction, Predictor, Strictness, missing
from engine.symbolic import Closure, Status, check, materialise, parse_rules
from kg.errors import InputError, StoreError, UnknownTermError
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.random_schemas import CLASSES, ENTITIES, EX, PROPERTIES

a, b, c, d = ENTITIES
C, D, E, F = CLASSES
p, q, r = PROPERTIES
TRIPLES = [
    (a, p, b),
    (c, q, d),
    (d, r, a),
    (a, RDF.type, C),
    (b, RDF.type, D),
    (c, RDF.type, D),
    (p, RDFS.range, D),
    (C, OWL.disjointWith, D),
]
RULES = parse_rules(f"RULE {{ }} WHERE {{ ?x <{EX}p> ?y . ?y <{EX}q> ?z }}")


@cache
def closure() -> Closure:
    return materialise(KnowledgeGraph.from_triples([Triple(*t) for t in TRIPLES]), RULES)


def embedding_of(closure: Closure, *, model: str = "TransE", seed: int = 0, dim: int = 4) -> Embedding:
    """Random vectors for the entities and relations of a graph."""
    random = np.random.default_rng(seed)
    entities, relations = closure.graph.entity_ids, closure.graph.relation_ids
    width = dim if model == "TransE" else 2 * dim
    return Embedding(
        EmbeddingConfig(model=model, dim=dim),
        entities,
        relations,
        random.normal(size=(len(entities), width)).astype(np.float32),
        random.normal(size=(len(relations), width)).astype(np.float32),
        fingerprint="",
    )


def predictor(**options: object) -> Predictor:
    return Predictor(closure(), embedding_of(closure()), **options)  # type: ignore[arg-type]  # as the test gives them


@given(st.integers(0, 10_000), st.sampled_from(["TransE", "RotatE"]), st.sampled_from(list(Strictness)))
@settings(max_examples=10, derandomize=True, deadline=None)
def test_no_score_changes_what_is_accepted(seed: int, model: str, strictness: Strictness) -> None:
    made = Predictor(closure(), embedding_of(closure(), model=model, seed=seed), strictness=strictness)
    base = Predictor(closure(), embedding_of(closure(), seed=10_006), strictness=strictness)
    for relation in (p, q, r):
        for head, tail in ((a, None), (None, b), (c, None)):
            first, second = (each.rank(head, relation, tail, k=100, rejected=True) for each in (base, made))
            assert {x.triple for x in first} == {x.triple for x in second}
            assert {x.triple: x.rejection and x.rejection.kind for x in first.rejected} == {
                x.triple: x.rejection and x.rejection.kind for x in second.rejected
            }
            assert [x.score for x in second] == sorted((x.score for x in second), reverse=True)


def test_every_entity_is_accepted_rejected_or_known_and_the_checker_agrees() -> None:
    made = predictor()
    for head, relation, tail in ((a, p, None), (d, p, None), (None, q, d), (None, r, c)):
        ranking = made.rank(head, relation, tail, k=100, rejected=True)
        accepted, out = {x.triple for x in ranking}, {x.triple for x in ranking.rejected}
        assert len(accepted | out) == len(accepted) + len(out)
        judged = {j.claim: j.status for j in check(closure(), [*accepted, *out])}
        assert {t for t, status in judged.items() if status is Status.CONTRADICTED} == out
        assert ranking.num_rejected == len(out)
        side = "object" if tail is None else "subject"
        known = set(closure().graph.triples(head, relation, tail))
        assert {getattr(t, side) for t in accepted | out | known} == set(ENTITIES)
        with_known = made.rank(head, relation, tail, k=100, known=True)
        assert {x.triple for x in with_known} == accepted | known
        assert {x.triple for x in with_known if x.known} == known


def test_a_rejected_candidate_comes_with_axiom_and_proof() -> None:
    made = predictor()
    rejected = {x.triple: x for x in made.rank(d, p, k=100, rejected=True).rejected}
    by_axiom = rejected[Triple(d, p, a)].rejection
    assert by_axiom is not None
    assert (by_axiom.kind, by_axiom.axiom) == (Kind.DISJOINT_RANGE, Triple(p, RDFS.range, D))
    assert set(by_axiom.because) == {Triple(C, OWL.disjointWith, D), Triple(a, RDF.type, C)}
    assert by_axiom.proof is not None
    assert Triple(d, p, a) in set(by_axiom.proof.leaves())
    by_rule = rejected[Triple(d, p, c)].rejection
    assert by_rule is not None
    assert (by_rule.kind, by_rule.because) == (Kind.CONTRADICTED, (Triple(c, q, d),))
    assert by_rule.proof is not None
    assert made.why((d, p, a)) == by_axiom
    assert made.why((d, p, c)) == by_rule
    assert made.why((d, p, b)) is None
    assert made.why((a, p, b)) is None
    assert made.accepts([(d, p, a), (d, p, c), (d, p, b), (a, p, b)]).tolist() == [False, False, True, True]


def test_the_first_k_are_the_best_of_all() -> None:
    made = predictor()
    every = made.rank(d, r, k=100)
    for k in (1, 2, 3):
        assert made.rank(d, r, k=k).predictions == every.predictions[:k]
    tails = made.embedding.score_tails(made.graph.id(d), made.graph.id(r))
    scores = dict(zip(made.embedding.entities.tolist(), tails, strict=True))
    assert [x.score for x in every] == pytest.approx([scores[made.graph.id(x.triple.object)] for x in every])


def test_names_iris_and_ids_ask_the_same() -> None:
    made = predictor()
    ids = made.graph.id(d), made.graph.id(r)
    assert made.rank(*ids).predictions == made.rank(f"<{EX}d>", str(r)).predictions == made.rank(d, r).predictions
    assert made.score(np.array([[ids[0], ids[1], ids[0]]])) == made.score([(d, r, d)])


def test_scores_are_the_embeddings_and_calibrated_where_it_is() -> None:
    plain = predictor().score([(a, p, c), (a, p, b)])
    ids = np.array([closure().graph.encode((a, p, x)) for x in (c, b)])
    assert [x.score for x in plain] == embedding_of(closure()).score(ids).tolist()
    assert [(x.plausibility, x.known) for x in plain] == [(None, False), (None, True)]
    curve = fit_calibration([-2.0, -1.0, 0.0, 1.0], [0, 1, 0, 1], [0, 0, 0, 0])
    calibrated = Predictor(closure(), replace(embedding_of(closure()), calibration=curve))
    chances = [x.plausibility for x in calibrated.score([(a, p, c), (a, p, b)])]
    assert chances == curve.plausibility([x.score for x in plain], ids[:, 1]).tolist()


def test_nearest_goes_by_distance() -> None:
    made = predictor()
    vectors = dict(zip(made.embedding.entities.tolist(), made.embedding.entity_vectors.astype(float), strict=True))
    own = vectors.pop(made.graph.id(a))
    wanted = sorted((float(np.linalg.norm(vector - own)), id) for id, vector in vectors.items())
    found = made.nearest(a, 2)
    assert [made.graph.id(x.entity) for x in found] == [id for _, id in wanted[:2]]
    assert [x.distance for x in found] == pytest.approx([distance for distance, _ in wanted[:2]])


@pytest.mark.parametrize("room_bytes", [1, 64 << 20], ids=["row by row", "at once"])
@pytest.mark.parametrize("strictness", Strictness, ids=str)
def test_missing_triples_are_the_best_of_all_accepted(
    strictness: Strictness, room_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embeddings.all_scores.CHUNK_BYTES", room_bytes)
    made = predictor(strictness=strictness)
    every = [(h, x, t) for x in (p, q, r) for h in ENTITIES for t in ENTITIES if h != t]
    accepted = made.accepts(every)
    plain = [x for x, fine in zip(made.score(every), accepted, strict=True) if fine and not x.known]
    wanted = sorted(plain, key=lambda x: -x.score)
    assert [x.triple for x in made.missing_triples(1000)] == [x.triple for x in wanted]
    assert [x.triple for x in made.missing_triples(3)] == [x.triple for x in wanted[:3]]
    only = [x.triple for x in wanted if x.triple.predicate == p]
    assert [x.triple for x in made.missing_triples(1000, relation=p)] == only
    assert [x.triple for x in made.missing_triples(1000, relation=[p])] == only


def test_known_values_stay_and_others_go_where_there_may_be_one() -> None:
    links = [(a, p, b), (a, p, c), (d, q, a), (p, RDF.type, OWL.FunctionalProperty)]
    two = materialise(KnowledgeGraph.from_triples([Triple(*t) for t in links]), entailment="rdfs")
    made = Predictor(two, embedding_of(two), unique_names=True)
    assert {x.triple.object for x in made.rank(a, p, k=9, known=True)} == {b, c}
    assert made.accepts([(a, p, b), (a, p, d), (b, p, d)]).tolist() == [True, False, True]
    rows, _ = missing.best_missing(
        made.embedding, made.filter, [two.graph.id(p)], 100, lambda rows: np.ones(len(rows), dtype=bool)
    )
    assert {two.graph.dictionary.term(h) for h in rows[:, 0].tolist()} == {b, c, d}


def test_no_class_is_proposed_where_none_is_known() -> None:
    entities = np.sort([closure().graph.id(x) for x in (*ENTITIES, C, D)]).astype(np.int32)
    random = np.random.default_rng(0)
    relations = np.sort([closure().graph.id(x) for x in (q, RDF.type)]).astype(np.int32)
    first, second = (random.normal(size=(len(ids), 4)).astype(np.float32) for ids in (entities, relations))
    config = EmbeddingConfig(model="TransE", dim=4)
    made = Predictor(closure(), Embedding(config, entities, relations, first, second, ""))
    found = [x.triple for x in made.missing_triples(1000)]
    assert {t.object for t in found if t.predicate == q} == {a, b, c, d}
    assert {t.object for t in found if t.predicate == RDF.type} == {C, D}
    assert {t.subject for t in found} <= set(ENTITIES)
    assert not {(a, D), (b, C), (c, C)} & {(t.subject, t.object) for t in found}  # the classes are disjoint
    assert C in {x.triple.object for x in made.rank(c, q, k=100)}


def test_missing_triples_look_on_where_the_checker_takes_the_best() -> None:
    asked: list[int] = []

    def none_of_the_first(
        rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        asked.append(len(rows))
        return np.arange(len(rows)) >= 70

    random = np.random.default_rng(0)
    triples = [(f"{EX}n{i}", f"{EX}p", f"{EX}n{j}") for i, j in random.integers(0, 30, (40, 2)).tolist()]
    large = materialise(KnowledgeGraph.from_triples([Triple(*map(type(a), t)) for t in triples]), entailment="none")
    made = Predictor(large, embedding_of(large))
    rows, scores = missing.best_missing(made.embedding, made.filter, [made.graph.id(p)], 1, none_of_the_first)
    assert asked == [68, 272]
    assert len(rows) == len(scores) == 1


@pytest.mark.parametrize("model", ["TransE", "RotatE"])
def test_scores_of_all_are_those_of_each(model: str) -> None:
    embedding = embedding_of(closure(), model=model)
    row = np.array([[embedding.entities[1], embedding.relations[0], embedding.entities[2]]])
    every = AllScores(embedding)
    assert every.of(row, tails=True)[0] == pytest.approx(embedding.score_tails(*row[0, :2].tolist()), abs=1e-5)
    assert every.of(row, tails=False)[0] == pytest.approx(embedding.score_heads(*row[0, 1:].tolist()), abs=1e-5)


def test_questions_that_make_no_sense_are_refused() -> None:
    made = predictor()
    for head, relation, tail in ((a, None, None), (None, p, None), (a, p, b), (None, None, None)):
        with pytest.raises(InputError, match="relation with either"):
            made.rank(head, relation, tail)
    with pytest.raises(InputError, match="at least 1"):
        made.rank(a, p, k=0)
    with pytest.raises(InputError, match="got 2 terms"):
        made.score([(a, p)])
    with pytest.raises(UnknownTermError):
        made.rank(f"<{EX}nobody>", p)
    with pytest.raises(UnknownTermError):
        made.rank(C, p)  # in the graph, not trained
    with pytest.raises(UnknownTermError):
        made.nearest(10_000)
    foreign = replace(embedding_of(closure()), entities=np.array([0, 1, 2, 9999], dtype=np.int32))
    with pytest.raises(StoreError, match="9999"):
        Predictor(closure(), foreign)


def test_results_show_themselves() -> None:
    ranking = predictor().rank(d, p, k=1, rejected=True)
    assert ranking.question == f"<{EX}d> <{EX}p> ?"
    best: Prediction = ranking[0]
    assert str(ranking).splitlines()[1] == f"  1. {best}"
    assert ranking.to_dict()["predictions"] == [best.to_dict()]
    assert best.to_dict()["triple"] == [f"<{term}>" for term in best.triple]
    assert ranking.to_dict()["num_rejected"] == len(ranking.rejected) == str(ranking).count("rejected: ")
    assert "<table>" in ranking._repr_html_()
    near = predictor().nearest(a, 1)[0]
    assert near.to_dict()["label"] == str(near).split()[0]
