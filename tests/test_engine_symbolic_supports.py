"""Supports against a search that closes every subset of the asserted triples afresh, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, BNode, Literal, URIRef, Variable
from rdflib.collection import Collection
from rdflib.graph import Graph

from engine.symbolic import Budget, Closure, Violation, materialise, parse_rules, replay
from engine.symbolic.derivations import Target
from engine.symbolic.rules import Negation, RuleSet
from engine.symbolic.supports import first_supports, supports_of
from kg.errors import NotEntailedError, RuleError
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.naive import naive_closure, naive_violations
from tests.owl_graphs import CLASSES, THINGS, owl_graphs, owl_rules
from tests.rule_programs import EX, cases

PREFIXES = f"PREFIX : <{EX}> PREFIX sh: <http://www.w3.org/ns/shacl#>\n"
QUICK = settings(max_examples=100, deadline=None, report_multiple_bugs=False)
THOROUGH = settings(max_examples=1000, deadline=None, report_multiple_bugs=False)

Key = object
"""A triple, or a constraint with a substitution."""
Sets = dict[Key, list[frozenset[Triple]]]


def key_of(violation: Violation) -> Key:
    return violation.constraint, frozenset(violation.substitution.items())


def minimal_sets(triples: list[Triple], follows: Callable[[Iterable[Triple]], Iterable[Key]]) -> Sets:
    """For all that follows from some triples, the minimal sets of them from which it does: every subset is closed."""
    found: Sets = {}
    for size in range(len(triples) + 1):
        for chosen in map(frozenset, combinations(triples, size)):
            for key in follows(chosen):
                known = found.setdefault(key, [])
                if not any(each <= chosen for each in known):
                    known.append(chosen)
    return found


def naively(rules: RuleSet) -> Callable[[Iterable[Triple]], set[Key]]:
    """What follows from triples by the plain implementation."""

    def follows(triples: Iterable[Triple]) -> set[Key]:
        given = list(triples)
        facts = naive_closure(given, rules.rules)
        return {*facts, *naive_violations(facts, given, rules.constraints)}

    return follows


def compare(closure: Closure, expected: Sets, *, most_triples: int = 6) -> None:
    """Compare the supports of all violations and of some inferred triples with those of a search."""
    inferred = [triple for triple in closure.graph.triples() if not closure.graph.contains(triple, inferred=False)]
    targets: list[tuple[Target, Key]] = [
        *((v, key_of(v)) for v in closure.violations),
        *((t, t) for t in inferred[:most_triples]),
    ]
    for target, key in targets:
        supports = supports_of(closure, target, limit=None)
        assert supports.complete
        sets = [frozenset(support.triples) for support in supports]
        assert len(sets) == len(set(sets))
        assert set(sets) == set(expected[key])
        assert [len(each) for each in sets] == sorted(map(len, sets))
        for support in supports:
            assert set(support.proof.leaves()) == set(support.triples)
            replay(support.proof, closure.graph, closure.rules)
    violations = list(closure.violations)
    for violation, support in zip(violations, first_supports(closure, violations), strict=True):
        assert frozenset(support.triples) in expected[key_of(violation)]


def check_owl(triples: list[Triple]) -> None:
    rules = owl_rules()
    closure = materialise(KnowledgeGraph.from_triples(triples), rules, entailment="none")
    compare(closure, minimal_sets(triples, naively(rules)))


@given(owl_graphs(7))
@QUICK
def test_the_supports_of_owl_graphs_are_those_of_closing_every_subset(triples: list[Triple]) -> None:
    check_owl(triples)


@pytest.mark.slow
@given(owl_graphs(8))
@THOROUGH
def test_the_supports_of_many_owl_graphs_are_those_of_closing_every_subset(triples: list[Triple]) -> None:
    check_owl(triples)


@st.composite
def positive_cases(draw: st.DrawFn, most: int) -> tuple[list[Triple], RuleSet]:
    """Rule programs without NOT, under which nothing is lost when triples are added."""
    case = draw(cases())

    def positive(rules: Iterable[object]) -> tuple[object, ...]:
        return tuple(
            replace(rule, body=tuple(e for e in rule.body if not isinstance(e, Negation)))  # type: ignore[attr-defined, type-var]  # of either kind
            for rule in rules
        )

    return case.triples[:most], RuleSet(positive(case.rules.rules), positive(case.rules.constraints))  # type: ignore[arg-type]  # of the kind given


def check_rules(case: tuple[list[Triple], RuleSet]) -> None:
    triples, rules = case
    closure = materialise(KnowledgeGraph.from_triples(triples), rules, entailment="none")
    compare(closure, minimal_sets(triples, naively(rules)))


@given(positive_cases(8))
@QUICK
def test_the_supports_of_rule_programs_are_those_of_closing_every_subset(case: tuple[list[Triple], RuleSet]) -> None:
    check_rules(case)


@pytest.mark.slow
@given(positive_cases(10))
@THOROUGH
def test_the_supports_of_many_rule_programs_are_those_of_closing_every_subset(
    case: tuple[list[Triple], RuleSet],
) -> None:
    check_rules(case)


def engine_follows(triples: Iterable[Triple]) -> list[Key]:
    """What follows under all of OWL 2 RL; nothing from a list that is cut short."""
    given = list(triples)
    if not given:
        return []
    try:
        closure = materialise(KnowledgeGraph.from_triples(given))
    except RuleError:
        return []
    return [*closure.graph.triples(), *map(key_of, closure.violations)]


def check_all_of_owl(triples: list[Triple]) -> None:
    compare(materialise(KnowledgeGraph.from_triples(triples)), minimal_sets(triples, engine_follows))


@given(owl_graphs(5))
@settings(max_examples=20, deadline=None)
def test_the_supports_under_all_of_owl_are_those_of_closing_every_subset(triples: list[Triple]) -> None:
    check_all_of_owl(triples)


@pytest.mark.slow
@given(owl_graphs(7))
@settings(max_examples=200, deadline=None)
def test_many_supports_under_all_of_owl_are_those_of_closing_every_subset(triples: list[Triple]) -> None:
    check_all_of_owl(triples)


def test_the_cells_of_a_list_are_part_of_a_support() -> None:
    graph, axiom, start = Graph(), BNode("axiom"), BNode("start")
    Collection(graph, start, list(CLASSES[:2]))
    member = [Triple(THINGS[0], RDF.type, cls) for cls in CLASSES[:2]]
    axioms = [Triple(axiom, RDF.type, OWL.AllDisjointClasses), Triple(axiom, OWL.members, start)]
    triples = [*axioms, *(Triple(*cell) for cell in graph), *member]
    closure = materialise(KnowledgeGraph.from_triples(triples))
    (violation,) = closure.violations
    (support,) = supports_of(closure, violation)
    assert set(support.triples) == set(triples)
    assert support.triples[:2] == tuple(sorted(member, key=lambda triple: closure.graph.encode(triple) or ()))
    assert engine_follows(triples[:-1]) != []


def triple(text: str) -> Triple:
    return Triple(*(URIRef(EX + name) for name in text.split()))


def closed(text: str, *triples: str) -> Closure:
    graph = KnowledgeGraph.from_triples(map(triple, triples))
    return materialise(graph, parse_rules(PREFIXES + text), entailment="none")


ABOVE = """RULE :direct { ?x :above ?y } WHERE { ?x :boss ?y }
           RULE :far { ?x :above ?z } WHERE { ?x :above ?y . ?y :above ?z }"""


def test_a_triple_that_is_asserted_and_follows_has_both_supports() -> None:
    closure = closed(ABOVE, "a above c", "a boss b", "b boss c")
    found = [set(support.triples) for support in supports_of(closure, triple("a above c"))]
    assert found == [{triple("a above c")}, {triple("a boss b"), triple("b boss c")}]


def test_the_rules_of_a_support_are_those_of_its_proof() -> None:
    closure = closed(ABOVE, "a boss b", "b boss c")
    (support,) = supports_of(closure, triple("a above c"))
    assert [rule.name for rule in support.rules] == ["direct", "far"]


def test_a_not_holds_in_a_support_where_it_holds_in_the_closure() -> None:
    rules = """RULE :named { ?x a :Named } WHERE { ?x :name ?n }
               RULE :anonymous {} WHERE { ?x :knows ?y NOT { ?x a :Named } }"""
    closure = closed(rules, "a knows b", "b name n")
    (violation,) = closure.violations
    (support,) = supports_of(closure, violation)
    assert support.triples == (triple("a knows b"),)


def test_where_data_needs_the_triple_itself() -> None:
    rules = "RULE :seen { ?x :seen ?y } WHERE DATA { ?x :p ?y } RULE :q { ?x :p ?y } WHERE { ?x :q ?y }"
    closure = closed(rules, "a p b", "a q b")
    (support,) = supports_of(closure, triple("a seen b"))
    assert support.triples == (triple("a p b"),)
    replay(support.proof, closure.graph, closure.rules)
    assert len(support.proof.premises[0].premises) == 0


def ladder(length: int) -> list[str]:
    """Two ways each step: 2 to the length ways from the first rung to the last."""
    ends = [(f"n{i}", f"n{i + 1}") for i in range(length)]
    return [t for a, b in ends for t in (f"{a} boss {b}", f"{a} boss {b}x", f"{b}x boss {b}")]


def test_a_limit_ends_the_supports_and_says_so() -> None:
    closure = closed(ABOVE, *ladder(6))
    every = supports_of(closure, triple("n0 above n6"), limit=None)
    assert (len(every), every.complete) == (2**6, True)
    assert [len(each) for each in every] == sorted(len(each) for each in every)
    few = supports_of(closure, triple("n0 above n6"), limit=7)
    assert [len(each) for each in few] == [len(each) for each in every][:7]
    assert few.incomplete == "7 supports were asked for"
    assert supports_of(closure, triple("n0 above n6"), limit=2**6).complete
    with pytest.raises(ValueError, match="at least one"):
        supports_of(closure, triple("n0 above n6"), limit=0)


def test_supports_come_from_a_hitting_set_tree_where_there_is_too_much_to_combine() -> None:
    closure = closed(ABOVE, *ladder(4))
    every = {support.triples for support in supports_of(closure, triple("n0 above n4"), limit=None)}
    for work in (600, 2000, 6000):
        some = supports_of(closure, triple("n0 above n4"), limit=None, work=work)
        assert {support.triples for support in some} <= every
        assert some.incomplete is not None or len(some) == len(every)
    assert some


def test_a_budget_that_runs_out_leaves_a_support_that_suffices() -> None:
    closure = closed(ABOVE, *ladder(5))
    for budget in (Budget(substitutions=10), Budget(triples=10), Budget(rounds=1)):
        found = supports_of(closure, triple("n0 above n5"), budget=budget)
        assert found.incomplete is not None
        for support in found:
            again = materialise(KnowledgeGraph.from_triples(support.triples), closure.ruleset, entailment="none")
            assert again.entails(triple("n0 above n5"))


def test_what_does_not_follow_has_no_supports() -> None:
    closure = closed(ABOVE, "a boss b")
    with pytest.raises(NotEntailedError):
        supports_of(closure, triple("b above a"))


def test_first_supports_of_many_violations_are_minimal() -> None:
    things = [URIRef(f"{EX}thing{i}") for i in range(50)]
    a, b, c = CLASSES
    schema = [Triple(a, RDFS.subClassOf, c), Triple(b, OWL.disjointWith, c)]
    triples = [*schema, *(Triple(t, RDF.type, cls) for t in things for cls in (a, b))]
    triples += [Triple(t, RDFS.label, Literal("thing")) for t in things]
    closure = materialise(KnowledgeGraph.from_triples(triples))
    violations = list(closure.violations)
    for violation, support in zip(violations, first_supports(closure, violations), strict=True):
        thing = violation.substitution[Variable("x")]
        assert set(support.triples) == {*schema, Triple(thing, RDF.type, a), Triple(thing, RDF.type, b)}
