"""Violations, and the audit that lists them."""

from __future__ import annotations

import json

import pytest
from rdflib import RDF, Literal, URIRef, Variable

from engine.audit import audit
from engine.symbolic import Budget, Closure, Severity, materialise, parse_rules
from kg.graph import KnowledgeGraph
from kg.terms import Triple

EX = "https://example.org/"
PREFIXES = f"PREFIX : <{EX}> PREFIX sh: <http://www.w3.org/ns/shacl#> PREFIX dct: <http://purl.org/dc/terms/>\n"
RULES = """
RULE :late { [] a sh:ValidationResult ; sh:resultSeverity sh:Warning ; sh:resultMessage "{?x} is late" }
WHERE { ?x :late ?y }
RULE :clash { [] a sh:ValidationResult ; sh:resultSeverity sh:Violation ; sh:resultMessage "{?a} hurts {?b}" }
WHERE { ?a :treats ?b . ?a :causes ?b }
DATA { :clash dct:source "Handbook, page 7" }
RULE :bare { } WHERE { ?x :bad _:any }
"""


def term(name: str) -> URIRef:
    return URIRef(EX + name)


def triple(text: str) -> Triple:
    return Triple(*map(term, text.split()))


def closure_of(*triples: str, rules: str = RULES, budget: Budget | None = None) -> Closure:
    graph = KnowledgeGraph.from_triples(map(triple, triples))
    return materialise(graph, parse_rules(PREFIXES + rules), entailment="none", budget=budget)


@pytest.fixture(scope="module")
def broken() -> Closure:
    texts = ("d2 treats gout", "d2 causes gout", "d1 treats gout", "d1 causes gout", "d1 causes ache", "x late y")
    return closure_of(*texts, "w bad u", "w bad v")


def test_violations_are_in_the_order_of_constraints_then_of_terms(broken: Closure) -> None:
    assert [(v.constraint.name, v.message) for v in broken.violations] == [
        ("late", "x is late"),
        ("clash", "d2 hurts gout"),
        ("clash", "d1 hurts gout"),
        ("bare", "?x = w"),
    ]


def test_a_violation_is_told_once_per_constraint_and_substitution(broken: Closure) -> None:
    (bare,) = [violation for violation in broken.violations if violation.constraint.name == "bare"]
    assert bare.substitution == {Variable("x"): term("w")}
    assert [t for t in bare.proof.leaves() if t.predicate == term("bad")] == [triple("w bad u")]


def test_violations_are_equal_where_constraint_and_substitution_are(broken: Closure) -> None:
    again = materialise(broken.graph, broken.rules, entailment="none")
    assert again is not broken
    assert set(again.violations) == set(broken.violations)
    assert len(set(broken.violations)) == 4
    assert str(broken.violations[1]) == "violation: d2 hurts gout (clash)"


def test_the_audit_counts_by_constraint_and_severity(broken: Closure) -> None:
    result = audit(broken)
    assert result.by_rule == {"late": 1, "clash": 2, "bare": 1}
    assert result.by_severity == {Severity.VIOLATION: 3, Severity.WARNING: 1, Severity.INFO: 0}
    assert not result.conforms
    assert str(result) == "4 findings (3 violation, 1 warning, 0 info)"


def test_the_audit_is_json_ready_with_proofs(broken: Closure) -> None:
    found = json.loads(json.dumps(audit(broken).to_dict()))
    assert found["totals"]["by_severity"] == {"violation": 3, "warning": 1, "info": 0}
    clash = next(finding for finding in found["findings"] if finding["rule"] == "clash")
    rule = next(rule for rule in found["rules"] if rule["id"] == "clash")
    assert (clash["severity"], rule["source"]) == ("violation", "Handbook, page 7")
    assert [premise["text"] for premise in clash["proof"]["premises"]] == ["d2 treats gout", "d2 causes gout"]


def test_a_closure_without_violations_conforms() -> None:
    result = audit(closure_of("d1 treats gout"))
    assert (result.conforms, result.violations, result.by_rule) == (True, (), {})


def test_an_incomplete_closure_never_conforms_and_trusts_no_not() -> None:
    rules = """RULE { ?x :p ?z } WHERE { ?x :p ?y . ?y :q ?z }
               RULE :seen { } WHERE { ?x :p ?y }
               RULE :missing { } WHERE { ?x :q ?y NOT { ?z :p ?y } }
               RULE :unstated { } WHERE { ?x :q ?y NOT DATA { ?z :p ?y } }"""
    result = audit(closure_of("a p b", "b q c", "c q d", rules=rules, budget=Budget(rounds=1)))
    assert result.incomplete == "1 rounds were not enough"
    assert not result.conforms
    assert set(result.by_rule) == {"seen", "unstated"}


def test_a_constraint_over_its_budget_marks_the_closure_incomplete() -> None:
    rules = "RULE :pairs { } WHERE { ?x :p ?y . ?z :p ?w }"
    closure = closure_of(*(f"a p b{i}" for i in range(10)), rules=rules, budget=Budget(substitutions=50))
    assert closure.violations == ()
    assert closure.incomplete == "constraint 'pairs': a join gives more than 50 substitutions"


def test_a_constraint_reads_what_rules_infer_and_compares_values() -> None:
    rules = """RULE { ?x a :Old } WHERE { ?x :age ?n FILTER(?n >= 65) }
               RULE :dose { } WHERE { ?x a :Old . ?x :dose ?d FILTER(?d > 10) }"""
    data = [("ann", "age", 70), ("ann", "dose", 20), ("bob", "age", 30), ("bob", "dose", 20), ("cyd", "age", 66)]
    triples = [Triple(term(s), term(p), Literal(n)) for s, p, n in data]
    closure = materialise(KnowledgeGraph.from_triples(triples), parse_rules(PREFIXES + rules), entailment="none")
    (violation,) = closure.violations
    assert violation.substitution == {Variable("x"): term("ann"), Variable("d"): Literal(20)}
    assert [step.conclusion for step in violation.proof.steps()][1] == Triple(term("ann"), RDF.type, term("Old"))
