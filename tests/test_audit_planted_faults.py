"""Faults planted in copies of real graphs: each is found, with minimal supports, and its first repair mends it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from rdflib import OWL, RDF, RDFS, Literal, Namespace, URIRef
from rdflib.term import Node

from engine.audit.causes import causes_of
from engine.audit.repairs import repairs_of
from engine.symbolic import Closure, Violation, materialise, replay
from engine.symbolic.supports import supports_of
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from kg.terms import Triple

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NEW = Namespace("https://example.org/planted/")
FILES = {
    "wine": ("real-rdf/wine.owl", "real-rdf/food.owl"),
    "brick": ("real-rdf/brick_soda.nt.gz",),
    "lubm": ("lubm/lubm1.nt.gz", "lubm/univ-bench.nt"),
    "fibo": ("fibo",),
}
GRAPHS = ["fibo", "lubm", "wine", pytest.param("brick", marks=pytest.mark.slow)]


@cache
def original(name: str) -> Closure:
    """The closure of a graph as it is published."""
    paths = [path for given in FILES[name] for path in _files(DATA / given)]
    if not paths or not all(path.is_file() for path in paths):
        pytest.skip(f"no {', '.join(FILES[name])} under {DATA}")
    return materialise(load_graph(paths))


def _files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.rdf")) if path.is_dir() else [path]


def _named(terms: Sequence[Node]) -> list[URIRef]:
    return sorted({term for term in terms if isinstance(term, URIRef)})


def disjoint_pairs(closure: Closure) -> list[tuple[URIRef, URIRef]]:
    """The pairs of named classes that are stated to be disjoint, in the order of their names."""
    found = closure.graph.triples(None, OWL.disjointWith, None, inferred=False)
    pairs = [(t.subject, t.object) for t in found]
    return sorted((a, b) for a, b in pairs if isinstance(a, URIRef) and isinstance(b, URIRef))


def below(closure: Closure, cls: Node) -> URIRef | None:
    """A named class further down."""
    found = _named([t.subject for t in closure.graph.triples(None, RDFS.subClassOf, cls)])
    return next((each for each in found if each != cls), None)


def disjointness(closure: Closure) -> list[Triple]:
    """A thing in two disjoint classes, by way of a subclass where there is one."""
    thing, pairs = NEW["clash"], disjoint_pairs(closure)
    if pairs:
        one, other = pairs[0]
        return [Triple(thing, RDF.type, below(closure, one) or one), Triple(thing, RDF.type, other)]
    classes = _named([t.object for t in closure.graph.triples(None, RDFS.subClassOf, None, inferred=False)])
    one, other = classes[0], NEW["Other"]
    axiom = Triple(one, OWL.disjointWith, other)
    return [axiom, Triple(thing, RDF.type, below(closure, one) or one), Triple(thing, RDF.type, other)]


def functional_values(closure: Closure) -> list[Triple]:
    """Two literals that are the value of a functional property."""
    prop, thing = NEW["code"], NEW["coded"]
    values = [Triple(thing, prop, Literal(value)) for value in ("one", "two")]
    return [Triple(prop, RDF.type, OWL.FunctionalProperty), *values]


def functional_things(closure: Closure) -> list[Triple]:
    """Two things, stated to differ, that are the value of a functional property."""
    found = closure.graph.triples(None, RDF.type, OWL.FunctionalProperty, inferred=False)
    objects = [t.subject for t in closure.graph.triples(None, RDF.type, OWL.ObjectProperty, inferred=False)]
    both = set(_named([t.subject for t in found])) & set(_named(objects))
    prop = min(both, default=NEW["head"])
    axiom = [] if both else [Triple(prop, RDF.type, OWL.FunctionalProperty)]
    values = [Triple(NEW["team"], prop, NEW[name]) for name in ("ann", "bob")]
    return [*axiom, *values, Triple(NEW["ann"], OWL.differentFrom, NEW["bob"])]


def broken_range(closure: Closure) -> list[Triple]:
    """A value that is in a class disjoint with the range of the property."""
    graph = closure.graph
    ranges = [t for t in graph.triples(None, RDFS.range, None, inferred=False) if isinstance(t.object, URIRef)]
    classes = set(_named([t.subject for t in graph.triples(None, RDF.type, OWL.Class, inferred=False)]))
    ranges = sorted(t for t in ranges if t.object in classes and isinstance(t.subject, URIRef))
    value, thing = NEW["value"], NEW["thing"]
    for one, other in disjoint_pairs(closure):
        for each in ranges:
            for near, far in ((one, other), (other, one)):
                if each.object == near or closure.entails(Triple(each.object, RDFS.subClassOf, near)):
                    return [Triple(thing, each.subject, value), Triple(value, RDF.type, far)]
    axiom = Triple(NEW["Other"], OWL.disjointWith, ranges[0].object)
    return [axiom, Triple(thing, ranges[0].subject, value), Triple(value, RDF.type, NEW["Other"])]


FAULTS = [disjointness, functional_values, functional_things, broken_range]


def closed(closure: Closure, *, without: Sequence[Triple] = (), only: Sequence[Triple] | None = None) -> Closure:
    """A closure made from scratch of the asserted triples without some, or of some triples only."""
    kept = [t for t in closure.graph.triples(inferred=False) if t not in without] if only is None else only
    return materialise(KnowledgeGraph.from_triples(kept))


def check_supports(closure: Closure, violation: Violation) -> None:
    supports = supports_of(closure, violation)
    assert len(supports)
    for support in supports:
        assert violation in closed(closure, only=support.triples).violations
        for left_out in support.triples:
            rest = [triple for triple in support.triples if triple != left_out]
            assert violation not in closed(closure, only=rest).violations, f"{left_out} can be spared"
        assert set(support.proof.leaves()) == set(support.triples)
        replay(support.proof, closure.graph, closure.rules)
    for left_out in supports[0].triples if len(supports) == 1 else ():
        if not closure.is_schema(left_out):  # without one of those, all is closed afresh
            assert violation not in closure.retract([left_out]).violations


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("name", GRAPHS)
def test_a_planted_fault_is_found_explained_and_mended(name: str, fault: object) -> None:
    before = original(name)
    assert before.violations == ()
    assert callable(fault)
    planted: list[Triple] = fault(before)
    closure = before.add(planted)
    assert closure.violations, "the fault is found"
    for violation in closure.violations:
        assert set(planted) & set(violation.proof.leaves())
    violation = closure.violations[0]
    check_supports(closure, violation)
    first = repairs_of(closure, violation)[0]
    assert (len(first.remove), first.add) == (1, ())
    assert set(first.remove) <= set(planted), "the first repair takes back what was planted"
    again = closed(closure, without=first.remove)
    assert violation not in again.violations
    assert set(again.violations) <= set(closure.violations)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_faults_planted_together_are_told_apart_by_their_causes(name: str) -> None:
    before = original(name)
    faults = [fault(before) for fault in FAULTS]
    closure = before.add([triple for fault in faults for triple in fault])
    causes = causes_of(closure)
    assert sum(len(cause.violations) for cause in causes) == len(closure.violations)
    for planted in faults:
        assert any(set(cause.triples) & set(planted) for cause in causes)
    assert [cause.triples for cause in causes] == [cause.triples for cause in causes_of(closure)]
