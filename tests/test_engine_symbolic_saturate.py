"""Closing a graph without compiling: the same triples, violations and proofs as with compiled rules."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, XSD, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic import uncompiled
from engine.symbolic.builtins import holds
from engine.symbolic.check import check
from engine.symbolic.closure import Closure, materialise
from engine.symbolic.fixpoint import Budget
from engine.symbolic.replay import replay
from engine.symbolic.rules import Atom, Call, Constant, Filter, Rule, RuleSet, VariableRef
from engine.symbolic.srl import parse_rules
from kg.errors import StratificationError
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from kg.terms import Triple
from tests.naive import naive_closure

EX = "https://example.org/"
DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the shared data folder is not beside the checkout")


def ex(name: str) -> URIRef:
    return URIRef(EX + name)


CLASSES: list[Node] = [ex(f"C{n}") for n in range(4)]
PROPERTIES: list[Node] = [ex(f"p{n}") for n in range(3)]
THINGS: list[Node] = [*(ex(f"i{n}") for n in range(5)), BNode("b")]
VALUES: list[Node] = [*THINGS, *THINGS, Literal("1"), Literal(1)]
RESTRICTIONS: list[Node] = [BNode(f"r{n}") for n in range(3)]
KINDS: list[Node] = [
    *(OWL.TransitiveProperty, OWL.SymmetricProperty, OWL.FunctionalProperty, OWL.InverseFunctionalProperty),
    *(OWL.IrreflexiveProperty, OWL.AsymmetricProperty),
]


def _other_names() -> st.SearchStrategy[tuple[Node, Node]]:
    """Now and then a class, a property, a restriction or a literal has another name."""
    names = st.one_of(*(st.tuples(st.sampled_from(pool), st.sampled_from(pool)) for pool in (CLASSES, PROPERTIES)))
    return st.one_of(names, st.tuples(st.sampled_from([*THINGS, *RESTRICTIONS]), st.sampled_from(VALUES)))


def statements() -> st.SearchStrategy[Triple]:
    """One triple of data or schema."""
    cls, prop = st.sampled_from([*CLASSES, *RESTRICTIONS]), st.sampled_from(PROPERTIES)
    thing, value = st.sampled_from(THINGS), st.sampled_from(VALUES)
    same = st.sampled_from([OWL.sameAs, OWL.sameAs, OWL.differentFrom])
    class_axiom = st.sampled_from([RDFS.subClassOf, RDFS.subClassOf, OWL.equivalentClass, OWL.disjointWith])
    property_axiom = st.sampled_from([RDFS.subPropertyOf, OWL.equivalentProperty, OWL.inverseOf])
    restriction = st.sampled_from(RESTRICTIONS)
    return st.one_of(
        st.builds(Triple, thing, prop, value),
        st.builds(Triple, thing, prop, value),
        st.builds(lambda s, c: Triple(s, RDF.type, c), thing, cls),
        st.builds(Triple, thing, same, thing),
        st.builds(lambda pair: Triple(pair[0], OWL.sameAs, pair[1]), _other_names()),
        st.builds(Triple, cls, class_axiom, cls),
        st.builds(Triple, prop, property_axiom, prop),
        st.builds(lambda p, k: Triple(p, RDF.type, k), prop, st.sampled_from(KINDS)),
        st.builds(Triple, prop, st.sampled_from([RDFS.domain, RDFS.range]), cls),
        st.builds(lambda r, p: Triple(r, OWL.onProperty, p), restriction, prop),
        st.builds(Triple, restriction, st.sampled_from([OWL.someValuesFrom, OWL.allValuesFrom]), cls),
        st.builds(lambda r, v: Triple(r, OWL.hasValue, v), restriction, value),
        st.builds(
            lambda r, n: Triple(r, OWL.maxCardinality, Literal(n, datatype=XSD.nonNegativeInteger)),
            restriction,
            st.sampled_from([0, 1]),
        ),
    )


@st.composite
def graphs(draw: st.DrawFn) -> list[Triple]:
    """A graph with up to four lists, some of one class, of none, of a class twice, or of another list's class."""
    triples = draw(st.lists(statements(), min_size=4, max_size=22))
    for number in range(draw(st.integers(0, 4))):
        predicate = draw(st.sampled_from([OWL.intersectionOf, OWL.intersectionOf, OWL.unionOf, OWL.oneOf]))
        pool = THINGS if predicate == OWL.oneOf else [*CLASSES, *RESTRICTIONS]
        members = draw(st.lists(st.sampled_from(pool), max_size=3))
        cells: list[Node] = [*(BNode(f"l{number}c{at}") for at in range(len(members))), RDF.nil]
        for whole in draw(st.sampled_from([CLASSES[:1], CLASSES[:1], CLASSES[1:2], CLASSES[:2]])):
            triples.append(Triple(whole, predicate, cells[0]))
        for at, member in enumerate(members):
            triples += [Triple(cells[at], RDF.first, member), Triple(cells[at], RDF.rest, cells[at + 1])]
    return triples


def closures(triples: list[Triple], rules: RuleSet | None = None) -> tuple[Closure, Closure]:
    """The closure by compiled rules alone, and the one where rules are run as written first."""
    found = []
    for share in (2.0, -1.0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(uncompiled, "SHARE", share)
            found.append(materialise(KnowledgeGraph.from_triples(triples), rules))
    return found[0], found[1]


def broken(closure: Closure) -> set[object]:
    return {(v.constraint.name, frozenset(v.substitution.items())) for v in closure.violations}


def assert_equal(slow: Closure, fast: Closure) -> None:
    assert set(fast.graph.triples()) == set(slow.graph.triples())
    assert broken(fast) == broken(slow)
    for triple in fast.graph.triples():
        replay(fast.proof(triple), fast.graph, fast.rules)
    for violation in fast.violations:
        replay(violation.proof, fast.graph, fast.rules)


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_rules_run_as_written_infer_what_compiled_rules_infer(triples: list[Triple]) -> None:
    slow, fast = closures(triples)
    assert_equal(slow, fast)
    assert set(fast.rules) == set(slow.rules)


def assert_as_naive(triples: list[Triple]) -> None:
    """The closures of a graph are what naive evaluation gives; blank nodes get IRIs, for those are no variables."""
    named = [Triple(*(ex(f"n{t}") if isinstance(t, BNode) else t for t in triple)) for triple in triples]
    slow, fast = closures(named)
    assert set(fast.graph.triples()) == set(slow.graph.triples()) == naive_closure(named, slow.rules.rules)
    assert broken(fast) == broken(slow)


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_three_implementations_agree_on_random_ontologies(triples: list[Triple]) -> None:
    assert_as_naive(triples)


@pytest.mark.slow
@given(graphs())
@settings(max_examples=1000, deadline=None)
def test_three_implementations_agree_on_many_random_ontologies(triples: list[Triple]) -> None:
    assert_as_naive(triples)


def test_each_list_of_a_class_is_enough_to_be_in_their_intersection() -> None:
    whole, *parts = CLASSES
    triples = [Triple(THINGS[0], RDF.type, parts[0])]
    for part in parts[:2]:
        cell = BNode()
        triples += [Triple(whole, OWL.intersectionOf, cell), Triple(cell, RDF.first, part)]
        triples += [Triple(cell, RDF.rest, RDF.nil)]
    closure = materialise(KnowledgeGraph.from_triples(triples))
    assert closure.statistics.compiled == 0
    assert {o for _, _, o in closure.graph.triples(THINGS[0], RDF.type)} == {whole, *parts[:2]}


def test_a_rule_that_reads_every_predicate_sees_no_list_of_the_engine() -> None:
    rules = parse_rules("PREFIX : <https://example.org/> RULE :any { ?p :links ?y } WHERE { ?x ?p ?y }")
    cell = BNode()
    triples = [Triple(CLASSES[0], OWL.intersectionOf, cell), Triple(cell, RDF.first, CLASSES[1])]
    slow, fast = closures([*triples, Triple(cell, RDF.rest, RDF.nil)], rules)
    assert_equal(slow, fast)


@given(st.lists(st.sampled_from([*VALUES[:5], *VALUES[-2:], *CLASSES]), unique=True), st.booleans())
@settings(max_examples=40, deadline=None)
def test_one_of_some_names_is_told_by_ids_as_by_evaluation(among: list[Node], negated: bool) -> None:
    x, y, links = Variable("x"), Variable("y"), ex("links")
    test: Call = Call("IN", (VariableRef(y), *map(Constant, among)))
    condition = Filter(Call("!", (test,)) if negated else test)
    rule = Rule(None, (Atom(x, RDF.type, CLASSES[0]),), (Atom(x, links, y), condition))
    values = list(dict.fromkeys(VALUES))
    triples = [Triple(ex(f"s{n}"), links, value) for n, value in enumerate(values)]
    expected = {Triple(t.subject, RDF.type, CLASSES[0]) for t in triples if holds(condition.expression, {y: t.object})}
    for closure in closures(triples, RuleSet((rule,))):
        assert set(closure.graph.triples()) == {*triples, *expected}


FURTHER = parse_rules(
    "PREFIX : <https://example.org/> PREFIX sh: <http://www.w3.org/ns/shacl#> "
    "PREFIX owl: <http://www.w3.org/2002/07/owl#> "
    "RULE :two { ?x :p1 ?z } WHERE { ?x :p0 ?y . ?x :p0 ?z FILTER(!sameTerm(?y, ?z)) } "
    'RULE :named { ?x a :C0 } WHERE { ?x :p1 ?y FILTER(CONTAINS(STR(?y), "i1")) } '
    "RULE :none { ?x a :C3 } WHERE { ?x :p2 ?y NOT { ?x a :C1 } } "
    "RULE :bad { [] a sh:ValidationResult ; sh:resultSeverity sh:Warning } "
    "WHERE { ?x owl:sameAs ?y . ?x a :C2 FILTER(!sameTerm(?x, ?y)) }"
)


@given(graphs(), st.sets(st.integers(0, 2)))
@settings(max_examples=40, deadline=None)
def test_rules_that_cannot_be_run_as_written_follow_compiled(triples: list[Triple], chosen: set[int]) -> None:
    rules = RuleSet(tuple(FURTHER.rules[n] for n in sorted(chosen)), FURTHER.constraints)
    try:
        slow, fast = closures(triples, rules)
    except StratificationError:
        return
    assert_equal(slow, fast)


@given(graphs(), st.lists(statements(), min_size=1, max_size=3))
@settings(max_examples=30, deadline=None)
def test_claims_get_the_same_verdicts(triples: list[Triple], claims: list[Triple]) -> None:
    slow, fast = closures(triples)
    for one, other in zip(check(slow, claims), check(fast, claims), strict=True):
        assert (one.status, one.reason, len(one.violations)) == (other.status, other.reason, len(other.violations))
        if other.refutation is not None:
            replay(other.refutation, fast.graph, fast.rules, assumed=[other.claim])


def test_a_budget_of_triples_marks_the_result_incomplete() -> None:
    triples = [Triple(ex(f"i{n}"), OWL.sameAs, ex(f"i{n + 1}")) for n in range(30)]
    closure = materialise(KnowledgeGraph.from_triples(triples), budget=Budget(triples=100))
    assert closure.incomplete == "more than 100 triples were inferred"
    for triple in closure.graph.triples():
        replay(closure.proof(triple), closure.graph, closure.rules)


def test_a_chain_of_names_says_everything_under_every_name() -> None:
    names = [ex(f"i{n}") for n in range(40)]
    triples = [Triple(s, OWL.sameAs, o) for s, o in pairwise(names)]
    closure = materialise(KnowledgeGraph.from_triples([*triples, Triple(names[3], ex("p0"), names[20])]))
    expected = {Triple(s, p, o) for s in names for o in names for p in (OWL.sameAs, ex("p0"))}
    assert set(closure.graph.triples()) == expected
    assert closure.statistics.inferred == len(expected) - len(triples) - 1
    assert closure.statistics.by_rule == {"eq-trans": 1561, "eq-rep-o": 1559, "eq-rep-s": 40}
    for triple in (Triple(names[39], OWL.sameAs, names[0]), Triple(names[0], ex("p0"), names[39])):
        assert replay(closure.proof(triple), closure.graph, closure.rules) > 1


@needs_data
@pytest.mark.parametrize(("file", "inferred"), [("wine_food.nt.gz", 9847), ("brick_soda.nt.gz", 45112)])
def test_large_schemas_are_closed_as_before(file: str, inferred: int) -> None:
    closure = materialise(load_graph(DATA / "real-rdf" / file))
    assert len(closure.graph.inferred) == inferred
    assert closure.statistics.compiled == 0
    for at, triple in enumerate(closure.graph.triples(inferred=True)):
        if at % 997 == 0:
            replay(closure.proof(triple), closure.graph, closure.rules)
