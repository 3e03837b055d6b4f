"""Causes and repairs: what violations share, and the smallest changes that mend them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import pytest
from hypothesis import given, settings
from rdflib import OWL, RDF, RDFS, BNode, Literal, URIRef

from engine.audit import Limits, audit, explain
from engine.audit.causes import causes_of
from engine.audit.repairs import repairs_of
from engine.symbolic import Closure, counterfactual, materialise, parse_rules
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from pipelines.report.plain_text import headline
from tests.owl_graphs import owl_graphs, owl_rules
from tests.rule_programs import EX

PREFIXES = f"PREFIX : <{EX}> PREFIX rdfs: <{RDFS}> PREFIX owl: <{OWL}> PREFIX sh: <http://www.w3.org/ns/shacl#>\n"


def term(name: str) -> URIRef:
    known = {"a": RDF.type, "below": RDFS.subClassOf, "apart": OWL.disjointWith, "range": RDFS.range}
    return known.get(name, URIRef(EX + name))


def triple(text: str) -> Triple:
    return Triple(*map(term, text.split()))


def closed(*texts: str, rules: str = "") -> Closure:
    return materialise(KnowledgeGraph.from_triples(map(triple, texts)), parse_rules(PREFIXES + rules))


def broken_by(triples: Iterable[Triple], closure: Closure) -> set[object]:
    graph = KnowledgeGraph.from_triples(triples)
    again = materialise(graph, closure.ruleset, entailment="none") if len(graph) else None
    return set(again.violations) if again else set()


@given(owl_graphs(7))
@settings(max_examples=40, deadline=None, report_multiple_bugs=False)
def test_the_removals_are_the_smallest_ones_that_mend_a_violation_and_break_nothing(triples: list[Triple]) -> None:
    closure = materialise(KnowledgeGraph.from_triples(triples), owl_rules(), entailment="none")
    for violation in closure.violations[:3]:
        expected: list[frozenset[Triple]] = []
        for size in range(1, len(triples) + 1):
            for removed in map(frozenset, combinations(triples, size)):
                if not any(each <= removed for each in expected):
                    left = [each for each in triples if each not in removed]
                    if violation not in broken_by(left, closure):
                        expected.append(removed)
        found = repairs_of(closure, violation, limit=1000, tries=1000)
        assert {frozenset(repair.remove) for repair in found} == set(expected)
        ranks = [
            (len(repair.remove), sum(map(closure.is_schema, repair.remove)), repair.lost)  #
            for repair in found
        ]
        assert ranks == sorted(ranks)
        for repair in found:
            difference = counterfactual(closure, remove=repair.remove)
            assert violation in difference.mended
            assert not difference.broken
            assert (repair.mends, repair.lost) == (len(difference.mended), len(difference.lost))


def test_data_go_before_schema_and_what_loses_less_before_what_loses_more() -> None:
    closure = closed("A apart B", "A below C", "C below D", "x a A", "x a B")
    (violation, *_) = closure.violations
    found = [repair.remove for repair in repairs_of(closure, violation, limit=9)]
    assert found == [(triple("x a B"),), (triple("x a A"),), (triple("A apart B"),)]


def test_the_least_plausible_triple_is_removed_first_where_nothing_else_tells() -> None:
    closure = closed("A apart B", "x a A", "x a B")

    def plausibility(triples: Sequence[Triple]) -> list[float]:
        return [0.125 if each == triple("x a A") else 0.75 for each in triples]

    found = repairs_of(closure, closure.violations[0], limit=2, plausibility=plausibility)
    assert [(repair.remove, repair.plausibility) for repair in found] == [
        ((triple("x a A"),), 0.875),
        ((triple("x a B"),), 0.25),
    ]


MISSING = """RULE :no-boss { [] a sh:ValidationResult ; sh:resultMessage "{?x} has no boss" }
             WHERE { ?x a :Worker NOT { ?x :boss ?y } }"""


def test_a_missing_value_is_a_member_of_the_range_used_most_often_first() -> None:
    data = ("boss range Boss", "w a Worker", "v a Worker", "v boss big", "big a Boss", "small a Boss")
    closure = closed(*data, rules=MISSING)
    (violation,) = closure.violations
    found = repairs_of(closure, violation, limit=9)
    assert [(repair.add, repair.remove) for repair in found] == [
        ((triple("w boss big"),), ()),
        ((triple("w boss small"),), ()),
        ((), (triple("w a Worker"),)),
    ]


def test_a_missing_value_without_candidates_is_a_placeholder() -> None:
    closure = closed("w a Worker", rules=MISSING)
    first = repairs_of(closure, closure.violations[0])[0]
    ((subject, predicate, value),) = first.add
    assert (subject, predicate) == (term("w"), term("boss"))
    assert isinstance(value, BNode)
    assert first.placeholders == (value,)
    assert first.text(closure.graph) == "add: w: boss (a value to be filled in)"


def test_what_would_break_something_else_is_no_repair() -> None:
    rules = MISSING + "RULE :own { [] a sh:ValidationResult } WHERE { ?x :boss ?y . ?y :deputy ?x }"
    closure = closed("boss range Boss", "w a Worker", "b a Boss", "b deputy w", rules=rules)
    (violation,) = closure.violations
    assert [(repair.add, repair.remove) for repair in repairs_of(closure, violation)] == [((), (triple("w a Worker"),))]


def test_violations_of_one_wrong_axiom_have_it_as_their_cause() -> None:
    members = [f"x{i} a {cls}" for i in range(20) for cls in ("A", "B")]
    closure = closed("C apart B", "A below C", "y a E", "y a F", "E apart F", *members)
    first, second = causes_of(closure)
    assert (first.triples, len(first.violations)) == ((triple("C apart B"), triple("A below C")), 20)
    assert (set(second.triples), len(second.violations)) == ({triple("y a E"), triple("y a F")}, 1)
    repair = repairs_of(closure, first)[0]
    assert repair.remove in [(each,) for each in first.triples]
    assert set(counterfactual(closure, remove=repair.remove).mended) == set(first.violations)


def test_violations_of_one_wrong_datum_have_it_as_their_cause() -> None:
    schema = [f"A apart B{i}" for i in range(4)]
    closure = closed(*schema, "x a A", *(f"x a B{i}" for i in range(4)), "z a A", "z a B0")
    causes = causes_of(closure)
    assert [(cause.triples, len(cause.violations)) for cause in causes] == [
        ((triple("x a A"),), 4),
        ((triple("z a A"), triple("z a B0")), 1),
    ]


def test_a_report_tells_supports_repairs_and_groups_where_they_are_asked_for() -> None:
    closure = closed("A apart B", "x a A", "x a B", "y a A", "y a B")
    report = audit(closure)
    plain = report.to_dict()
    assert plain["groups"] == []
    assert {(f["group"], f["supports"], f["repairs"]) for f in plain["findings"]} == {(None, None, None)}
    told = report.to_dict(Limits(supports=5, repairs=2, findings=1))
    assert [(g["number"], g["findings"], len(g["keys"])) for g in told["groups"]] == [(1, 1, 1), (2, 1, 0)]
    assert [t["text"] for t in told["groups"][1]["cause"]] == ["y is an a", "y is a b"]
    assert told["groups"][1]["text"] == "y is an a; y is a b"
    first = told["findings"][0]
    assert first["group"] == 1
    assert first["supports"]["complete"] is True
    assert [len(each["triples"]) for each in first["supports"]["sets"]] == [3]
    assert first["supports"]["sets"][0]["rules"] == ["cax-dw"]
    assert [len(each["remove"]) for each in first["repairs"]] == [1, 1]
    assert set(first["repairs"][0]) == {"remove", "add", "mends", "plausibility", "text"}
    assert [each["totals"]["explained"] for each in (plain, told)] == [0, 1]


def test_nothing_more_is_explained_once_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, explain.SECONDS - 1, explain.SECONDS])
    monkeypatch.setattr("engine.audit.explain.time.monotonic", lambda: next(clock))
    closure = closed("A apart B", *(f"{x} a {cls}" for x in "xyz" for cls in "AB"))
    told = audit(closure).to_dict(Limits(supports=1))
    assert [f["supports"] is not None for f in told["findings"]] == [True, True, False]
    assert told["totals"]["explained"] == 2
    assert headline(told) == "3 violations; supports or repairs told of 2"


def test_a_cell_of_a_list_is_never_removed() -> None:
    cells = [BNode(f"cell{i}") for i in range(2)]
    a, b = term("A"), term("B")
    triples = [
        Triple(BNode("axiom"), RDF.type, OWL.AllDisjointClasses),
        Triple(BNode("axiom"), OWL.members, cells[0]),
        *(Triple(cell, RDF.first, cls) for cell, cls in zip(cells, (a, b), strict=True)),
        *(Triple(cell, RDF.rest, rest) for cell, rest in zip(cells, (cells[1], RDF.nil), strict=True)),
        *(triple(text) for text in ("x a A", "x a B")),
        Triple(term("x"), RDFS.label, Literal("x")),
    ]
    closure = materialise(KnowledgeGraph.from_triples(triples))
    found = repairs_of(closure, closure.violations[0], limit=9)
    assert [repair.remove for repair in found][:2] == [(triple("x a A"),), (triple("x a B"),)]
    assert not any(t.predicate in (RDF.first, RDF.rest) for repair in found for t in repair.remove)
