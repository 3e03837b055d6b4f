"""The engine, naive evaluation and clingo agree on random stratified programs with negation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from engine.symbolic import RuleSet, materialise
from kg.graph import KnowledgeGraph
from tests.asp import Translation, constraint_variables, is_translatable
from tests.naive import naive_closure, naive_violations
from tests.rule_programs import Case, cases

pytest.importorskip("clingo", reason="clingo, the third implementation, is not installed (pip install clingo)")


def check_three_ways(case: Case) -> None:
    rules = [rule for rule in case.rules.rules if is_translatable(rule)]
    constraints = [constraint for constraint in case.rules.constraints if is_translatable(constraint)]
    graph = KnowledgeGraph.from_triples(case.triples)
    closure = materialise(graph, RuleSet(tuple(rules), tuple(constraints)), entailment="none")
    facts, broken = Translation(case.triples, rules, constraints).solve()
    assert set(closure.graph.triples()) == facts
    assert facts == naive_closure(case.triples, rules)
    expected = {
        (constraint, frozenset(zip(constraint_variables(constraint), values, strict=True)))
        for constraint, values in ((constraints[number], values) for number, values in broken)
    }
    assert {(v.constraint, frozenset(v.substitution.items())) for v in closure.violations} == expected
    assert naive_violations(facts, case.triples, constraints) == expected


@given(cases())
@settings(max_examples=100, derandomize=True, deadline=None)
def test_three_implementations_agree_on_random_programs(case: Case) -> None:
    check_three_ways(case)


@pytest.mark.slow
@given(cases())
@settings(max_examples=1000, derandomize=True, deadline=None)
def test_three_implementations_agree_on_many_random_programs(case: Case) -> None:
    check_three_ways(case)
