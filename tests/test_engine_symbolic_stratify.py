"""Strata of rules: order, run-once rules, wildcards, and cycles that are refused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from rdflib import BNode, Literal, URIRef, Variable

from engine.symbolic.rules import Assignment, Atom, Constant, Location, Negation, Rule
from engine.symbolic.stratify import Dependency, Pattern, Wildcard, stratify, stratify_rules
from kg.errors import StratificationError

P, Q, R, S = (1, -1), (2, -1), (3, -1), (4, -1)
X, Y = Variable("x"), Variable("y")


def iri(name: str) -> URIRef:
    return URIRef(f"http://example/{name}")


def needs(
    heads: Sequence[Pattern], positive: Sequence[Pattern] = (), negative: Sequence[Pattern] = (), *, once: bool = False
) -> Dependency:
    return Dependency(tuple(heads), tuple(positive), tuple(negative), once, "r")


def test_no_rules_have_no_strata() -> None:
    assert stratify([]) == []


def test_positive_rules_share_one_stratum_even_in_a_cycle() -> None:
    assert stratify([needs([P], [Q]), needs([Q], [P]), needs([R], [P])]) == [[0, 1, 2]]


def test_a_negated_relation_is_complete_in_an_earlier_stratum() -> None:
    assert stratify([needs([R], [P], [Q]), needs([Q], [P]), needs([S], [], [R])]) == [[1], [0], [2]]


def test_a_run_once_rule_stands_after_all_it_reads_and_its_readers_not_before_it() -> None:
    assert stratify([needs([R], [Q]), needs([Q], [P], once=True), needs([P], [S])]) == [[2], [0, 1]]


def test_a_class_is_a_relation_of_its_own() -> None:
    rdf_type = 9
    assert stratify([needs([(rdf_type, 1)], [P], [(rdf_type, 2)])]) == [[0]]
    with pytest.raises(StratificationError):
        stratify([needs([(rdf_type, 2)], [P], [(rdf_type, 2)])])


def test_a_head_with_any_predicate_meets_every_negation() -> None:
    with pytest.raises(StratificationError):
        stratify([needs([Wildcard.ANY], [P], [Q])])


def test_a_negation_of_any_predicate_meets_every_head() -> None:
    assert stratify([needs([], [], [Wildcard.ANY])]) == [[0]]
    with pytest.raises(StratificationError):
        stratify([needs([R], [], [Wildcard.ANY])])


def test_a_key_and_a_triple_pattern_meet() -> None:
    assert stratify([needs([R], [], [(None, 2, 7)]), needs([(5, 2, 7)], [P])]) == [[1], [0]]
    assert stratify([needs([R], [], [(None, 2, 7)]), needs([(5, 2, 8)], [P])]) == [[0, 1]]
    assert stratify([needs([R], [], [(6, 2, None)]), needs([(5, 2, 8)], [P])]) == [[0, 1]]
    assert stratify([needs([R], [], [Q]), needs([(5, 2, 8)], [P])]) == [[1], [0]]


def test_the_error_names_the_rules_of_the_cycle_in_order_and_where_they_stand() -> None:
    rules = [
        Dependency((P,), (), (Q,), False, "a", Location("r.srl", 3, 1)),
        Dependency((Q,), (R,), (), False, "b", Location("r.srl", 5, 1)),
        Dependency((R,), (P,), (), False, "c", Location("r.srl", 7, 1)),
        Dependency((S,), (P,), (), False, "d", Location("r.srl", 9, 1)),
    ]
    with pytest.raises(StratificationError) as error:
        stratify(rules)
    assert str(error.value) == (
        "r.srl:3:1: Expected no rule to depend on its own result through NOT (got the cycle: 'a' (r.srl:3) which needs "
        "'b' (r.srl:5) which needs 'c' (r.srl:7) which needs 'a'); break it with NOT DATA or WHERE DATA, or give the "
        "head another predicate"
    )
    assert (error.value.file, error.value.line) == ("r.srl", 3)


def test_a_run_once_rule_that_feeds_itself_is_refused() -> None:
    with pytest.raises(StratificationError, match="that makes new terms"):
        stratify([needs([P], [P], once=True)])


def test_a_chain_of_ten_thousand_rules_is_stratified() -> None:
    chain = [needs([(n, -1)], [(n + 1, -1)]) for n in range(10_000)]
    assert stratify(chain) == [list(range(10_000))]


def test_rules_as_written_are_compared_term_by_term() -> None:
    upper = Rule(iri("upper"), (Atom(X, iri("p"), Literal("ABC")),), (Atom(X, iri("q"), iri("z")),))
    absent = Negation((Atom(X, iri("p"), Literal("XYZ")),))
    lower = Rule(iri("lower"), (Atom(X, iri("p"), Literal("abc")),), (absent, Assignment(X, Constant(iri("s")))))
    assert stratify_rules([lower, upper]) == [[0, 1]]


def test_a_new_blank_node_meets_no_named_term() -> None:
    makes = Rule(None, (Atom(BNode("n"), iri("q"), Literal("v")),), (Atom(iri("s"), iri("q"), Y),))
    assert stratify_rules([makes]) == [[0]]
    feeds = Rule(None, (Atom(BNode("n"), iri("q"), Literal("v")),), (Atom(X, iri("q"), Y),))
    with pytest.raises(StratificationError):
        stratify_rules([feeds])


def test_what_looks_at_asserted_triples_alone_depends_on_nothing() -> None:
    atom = Atom(X, iri("p"), Y)
    data_not = Rule(None, (atom,), (Atom(X, iri("q"), Y), Negation((atom,), data=True)))
    data_where = Rule(None, (Atom(X, iri("p"), BNode()),), (atom, Negation((atom,))), data=True)
    assert stratify_rules([data_not, data_where]) == [[0, 1]]
