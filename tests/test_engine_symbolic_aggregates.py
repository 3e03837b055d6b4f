"""Aggregates as text: what is read and printed, and what is refused. What they give is in the random programs."""

from __future__ import annotations

import pytest

from engine.symbolic import parse_rules, ruleset_text
from kg.errors import SyntaxInputError, UnsafeRuleError

HEAD = "PREFIX : <http://e/> RULE { ?x :n ?n } WHERE { ?x :p ?y "


@pytest.mark.parametrize("text", ["COUNT(?y)", "count( * )", "COUNT(DISTINCT ?y)", "SUM(?y * 2)", "MIN(?y)", "MAX(?x)"])
def test_an_aggregate_prints_and_reads_back_the_same(text: str) -> None:
    rules = parse_rules(f"{HEAD} SET(?n := {text}) FILTER(?n > 1) }}")
    assert len(rules.rules[0].aggregates) == 1
    assert parse_rules(ruleset_text(rules)) == rules


@pytest.mark.parametrize("text", ["SUM(*)", "COUNT()", "COUNT(?y) + 1", "COUNT(DISTINCT *)"])
def test_what_is_no_aggregate_is_refused(text: str) -> None:
    with pytest.raises(SyntaxInputError, match="Expected"):
        parse_rules(f"{HEAD} SET(?n := {text}) }}")


@pytest.mark.parametrize("after", ["?x :q ?z", "NOT { ?x :q ?z }", "FILTER(?y > 1)", "SET(?m := MAX(?n))"])
def test_what_does_not_see_the_group_is_refused_behind_an_aggregate(after: str) -> None:
    with pytest.raises(UnsafeRuleError):
        parse_rules(f"{HEAD} SET(?n := COUNT(?y)) {after} }}")
