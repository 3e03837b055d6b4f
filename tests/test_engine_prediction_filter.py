"""The schema's filter: what it rejects is a clash by a second opinion, and what is accepted is none."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from rdflib import OWL, RDF, RDFS, URIRef

from engine.prediction import Kind, SchemaFilter, Strictness
from engine.prediction.checked import contradicted, refutation
from engine.symbolic import Closure, materialise
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.random_schemas import CLASSES, ENTITIES, EX, PROPERTIES, clashes, disjoint_classes, fits_types, schemas

QUICK = settings(max_examples=25, derandomize=True, deadline=None)
CANDIDATES = [Triple(h, p, t) for h, p, t in product(ENTITIES, PROPERTIES, ENTITIES)]
a, b, c, d = ENTITIES
C, D, E, F = CLASSES
p, q, r = PROPERTIES


def closed(*triples: tuple[URIRef, URIRef, URIRef], entailment: str = "owl2rl") -> Closure:
    return materialise(KnowledgeGraph.from_triples([Triple(*t) for t in triples]), entailment=entailment)


def ids_of(closure: Closure, triple: Triple) -> tuple[int, int, int]:
    found = closure.graph.encode(triple)
    assert found is not None
    return found


def open_candidates(closure: Closure) -> list[Triple]:
    known = [t for t in CANDIDATES if closure.graph.encode(t) is not None]
    return [t for t in known if not closure.entails(t)]


@given(schemas())
@QUICK
def test_what_axioms_reject_is_a_clash_and_what_is_accepted_is_none(triples: list[Triple]) -> None:
    before = clashes(triples, unique_names=False)
    assume(not before)
    closure = materialise(KnowledgeGraph.from_triples(triples), entailment="owl2rl")
    assume(not closure.violations)
    schema = SchemaFilter(closure)
    for candidate in open_candidates(closure):
        ids = ids_of(closure, candidate)
        clash = bool(clashes([*triples, candidate], unique_names=False))
        by_axiom = schema.why(ids) is not None
        by_rules = bool(contradicted(closure, np.array([ids]))[0][0])
        assert not by_axiom or clash
        assert not by_axiom or by_rules, "an open rejection is a contradiction"
        assert not clash or by_rules


@given(schemas())
@QUICK
def test_typing_and_unique_names_reject_what_a_second_opinion_does(triples: list[Triple]) -> None:
    assume(not clashes(triples, unique_names=True))
    closure = materialise(KnowledgeGraph.from_triples(triples), entailment="owl2rl")
    assume(not closure.violations)
    typed = SchemaFilter(closure, strictness=Strictness.TYPED, unique_names=True)
    for candidate in open_candidates(closure):
        ids = ids_of(closure, candidate)
        clash = bool(clashes([*triples, candidate], unique_names=True))
        fits = fits_types(triples, candidate)
        rejected = typed.why(ids) is not None or refutation(closure, ids) is not None
        assert rejected == (clash or not fits)


@given(schemas())
@QUICK
def test_codes_of_many_candidates_are_those_of_each(triples: list[Triple]) -> None:
    closure = materialise(KnowledgeGraph.from_triples(triples), entailment="owl2rl")
    find = closure.graph.dictionary.find
    for strictness, unique in product(Strictness, (False, True)):
        schema = SchemaFilter(closure, strictness=strictness, unique_names=unique)
        ids = np.sort([id for e in ENTITIES if (id := find(e)) is not None])
        for relation in [id for each in PROPERTIES if (id := find(each)) is not None]:
            for tails in (True, False):
                codes = schema.codes(ids, relation, ids, tails=tails)
                rows = [(x, relation, y) if tails else (y, relation, x) for x, y in product(ids.tolist(), ids.tolist())]
                assert ((codes.ravel() == 0) == schema.accepts(np.array(rows))).all()


CASES = {
    Kind.DISJOINT_DOMAIN: ([(p, RDFS.domain, C), (C, OWL.disjointWith, D), (a, RDF.type, D)], (a, p, b)),
    Kind.DISJOINT_RANGE: (
        [(p, RDFS.range, C), (C, RDFS.subClassOf, E), *disjoint_classes([D, E]), (b, RDF.type, D)],
        (a, p, b),
    ),
    Kind.FUNCTIONAL: ([(p, RDF.type, OWL.FunctionalProperty), (a, p, c), (b, OWL.differentFrom, c)], (a, p, b)),
    Kind.INVERSE_FUNCTIONAL: (
        [(p, RDF.type, OWL.InverseFunctionalProperty), (c, p, b), (a, OWL.differentFrom, c)],
        (a, p, b),
    ),
    Kind.ASYMMETRIC: ([(q, RDF.type, OWL.AsymmetricProperty), (p, RDFS.subPropertyOf, q), (b, p, a)], (a, p, b)),
    Kind.IRREFLEXIVE: ([(p, RDF.type, OWL.IrreflexiveProperty), (a, p, b)], (a, p, a)),
    Kind.DISJOINT_PROPERTY: ([(p, OWL.propertyDisjointWith, q), (a, q, b)], (a, p, b)),
}


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.name)
def test_a_rejection_names_its_axiom_and_what_the_candidate_clashes_with(kind: Kind) -> None:
    triples, candidate = CASES[kind]
    closure = closed(*triples, (a, RDFS.seeAlso, b), (p, RDFS.seeAlso, q), (c, p, d))
    found = SchemaFilter(closure).why(ids_of(closure, Triple(*candidate)))
    assert found is not None
    assert found.kind is kind
    assert found.axiom in {Triple(*t) for t in triples}
    assert all(closure.entails(t) for t in found.because)
    assert refutation(closure, ids_of(closure, Triple(*candidate))) is not None


def test_without_the_axiom_nothing_is_rejected() -> None:
    for kind, (triples, candidate) in CASES.items():
        closure = closed(*triples, (a, RDFS.seeAlso, b), (p, RDFS.seeAlso, q), (c, p, d))
        axiom = SchemaFilter(closure).why(ids_of(closure, Triple(*candidate)))
        assert axiom is not None
        rest = [t for t in triples if Triple(*t) != axiom.axiom]
        less = closed(*rest, (a, RDFS.seeAlso, b), (p, RDFS.seeAlso, q), (c, p, d))
        assert SchemaFilter(less).why(ids_of(less, Triple(*candidate))) is None, kind


def test_a_second_value_is_rejected_only_where_it_is_known_or_assumed_to_differ() -> None:
    closure = closed((p, RDF.type, OWL.FunctionalProperty), (a, p, c), (d, p, b), entailment="rdfs")
    candidate = ids_of(closure, Triple(a, p, b))
    assert SchemaFilter(closure).why(candidate) is None
    found = SchemaFilter(closure, unique_names=True).why(candidate)
    assert found is not None
    assert (found.kind, found.because) == (Kind.FUNCTIONAL, (Triple(a, p, c),))
    same = closed((p, RDF.type, OWL.FunctionalProperty), (a, p, c), (d, p, b), (b, OWL.sameAs, c), entailment="rdfs")
    assert SchemaFilter(same, unique_names=True).why(ids_of(same, Triple(a, p, b))) is None


def test_a_candidate_gives_nobody_a_type_but_known_triples_do() -> None:
    triples = [(p, RDFS.domain, C), (a, RDF.type, D), (b, RDF.type, D), (b, p, c)]
    schema = SchemaFilter(closed(*triples), strictness=Strictness.TYPED)
    closure = schema.closure
    found = schema.why(ids_of(closure, Triple(a, p, c)))
    assert found is not None
    assert (found.kind, found.because) == (Kind.DOMAIN, (Triple(a, RDF.type, D),))
    assert schema.why(ids_of(closure, Triple(b, p, b))) is None  # a known subject is in the domain


def test_an_untyped_entity_is_accepted_and_a_class_is_not() -> None:
    triples = [(p, RDFS.range, C), (a, RDF.type, D), (b, RDF.type, OWL.Thing), (c, q, d)]
    closure = closed(*triples, entailment="none")
    schema = SchemaFilter(closure, strictness=Strictness.TYPED)
    names = {x: schema.why(ids_of(closure, Triple(c, p, x))) is None for x in (a, b, c, D)}
    assert names == {a: False, b: True, c: True, D: False}


def test_words_tell_the_axiom() -> None:
    closure = closed((p, RDFS.range, C), (a, RDF.type, D), (b, q, c))
    found = SchemaFilter(closure, strictness=Strictness.TYPED).why(ids_of(closure, Triple(b, p, a)))
    assert str(found) == "typed, but not in the range: whatever something “p” is a c; a is a d"
    assert found is not None
    assert found.to_dict() == {
        "kind": "range",
        "sentence": str(found),
        "axiom": [f"<{EX}p>", "rdfs:range", f"<{EX}C>"],
        "because": [[f"<{EX}a>", "rdf:type", f"<{EX}D>"]],
        "proof": None,
    }
