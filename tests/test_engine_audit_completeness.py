"""Closed-world checks: what a schema requires and a graph has not, held to a plain count of values."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, XSD, BNode, Graph, Literal, Namespace, URIRef
from rdflib.collection import Collection
from rdflib.term import Node

from engine.audit import Finding, Kind, audit
from engine.audit.completeness import completeness_findings
from engine.symbolic import Budget, Closure, Constraint, RuleSet, Severity, materialise, replay
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from kg.terms import Triple

EX = Namespace("http://e/")
PREFIXES = """
PREFIX : <http://e/>
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
"""


def closed(data: str, entailment: str = "owl2rl") -> Closure:
    graph = Graph()
    graph.parse(data=PREFIXES + data, format="turtle")
    return materialise(KnowledgeGraph.from_triples(graph, prefixes={"": str(EX)}), entailment=entailment)


def found(data: str, entailment: str = "owl2rl") -> list[tuple[str, Node | None]]:
    """Rule id and focus of each finding, in order of text."""
    findings = completeness_findings(closed(data, entailment))
    return sorted(((f.rule.id, f.focus) for f in findings), key=str)


def replays(finding: Finding, closure: Closure) -> bool:
    """Whether the independent checker accepts the proof of a finding, given the constraint it was made by."""
    assert finding.proof is not None
    constraint = finding.proof.rule
    assert isinstance(constraint, Constraint)
    rules = closure.rules.merge(RuleSet(constraints=(constraint,)))
    return replay(finding.proof, closure.graph, rules) == len(list(finding.proof.steps()))


SOME = ":Person rdfs:subClassOf [ owl:onProperty :parent ; owl:someValuesFrom :Person ] . "


def test_a_missing_value_is_told_with_the_axioms_and_a_proof_that_replays() -> None:
    closure = closed(SOME + ":Teacher rdfs:subClassOf :Person . :ann a :Teacher . :bob a :Person ; :parent :ann .")
    (finding,) = completeness_findings(closure)
    assert (finding.rule.id, finding.rule.kind, finding.severity) == (
        "value-missing",
        Kind.COMPLETENESS,
        Severity.VIOLATION,
    )
    assert finding.message == "ann is in person and has no value of parent that is in person"
    assert finding.focus == EX.ann
    assert finding.terms == {"path": EX.parent, "class": EX.Person, "of": EX.Person}
    assert finding.detail == {"needs": "have at least 1 value of parent that is in person"}
    proof = finding.proof
    assert proof is not None
    leaves = {(leaf.subject, leaf.predicate) for leaf in proof.leaves()}
    assert {(EX.ann, RDF.type), (EX.Teacher, RDFS.subClassOf), (EX.Person, RDFS.subClassOf)} <= leaves
    assert replays(finding, closure)


def test_a_value_counts_if_its_class_is_inferred() -> None:
    data = SOME + ":ann a :Person ; :parent :bob . "
    assert found(data) == [("value-missing", EX.ann)]
    asked = data + ":bob :worksFor :acme . :worksFor rdfs:domain :Person . :bob :parent :ann ."
    assert found(asked) == []


def test_a_requirement_of_a_superclass_is_told_once() -> None:
    data = """
        :C rdfs:subClassOf [ owl:onProperty :p ; owl:minCardinality 1 ] .
        :B rdfs:subClassOf :C . :A rdfs:subClassOf :B . :x a :A .
    """
    findings = list(completeness_findings(closed(data)))
    assert [(f.focus, f.terms["class"]) for f in findings] == [(EX.x, EX.C)]


@pytest.mark.parametrize(
    ("axiom", "values", "ids"),
    [
        ("owl:minCardinality 2", ":a", ["values-too-few"]),
        ("owl:minCardinality 2", ":a, :b", []),
        ("owl:minCardinality 2", "1, 1.0", ["values-too-few"]),
        ("owl:minCardinality 0", ":a", []),
        ("owl:cardinality 2", ":a, :b, :c", ["values-too-many"]),
        ("owl:cardinality 2", ":a", ["values-too-few"]),
        ("owl:cardinality 2", ":a, :b", []),
        ("owl:maxCardinality 2", ":a, :b, :c, :d", ["values-too-many"]),
        ("owl:onClass :D ; owl:minQualifiedCardinality 1", ":a", ["value-missing"]),
        ("owl:onClass :D ; owl:minQualifiedCardinality 1", ":a, :d", []),
        ("owl:onClass :D ; owl:qualifiedCardinality 1", ":a, :b, :d", []),
        ("owl:onClass :D ; owl:maxQualifiedCardinality 1", ":d, :e, :b", ["values-too-many"]),
        ("owl:onDataRange xsd:string ; owl:minQualifiedCardinality 1", "1", ["value-missing"]),
        ("owl:onDataRange xsd:string ; owl:minQualifiedCardinality 1", '"one"', []),
        ("owl:someValuesFrom xsd:integer", '"one"', ["value-missing"]),
        ("owl:someValuesFrom xsd:integer", "1", []),
        ("owl:someValuesFrom xsd:decimal", "1", []),
        ("owl:someValuesFrom [ owl:complementOf :D ]", ":a", []),
        ("owl:someValuesFrom [ owl:oneOf ( :a :b ) ]", ":c", ["value-missing"]),
        ("owl:someValuesFrom [ owl:oneOf ( :a :b ) ]", ":b", []),
        ("owl:allValuesFrom [ owl:oneOf ( :a :b ) ]", ":a, :c", ["value-not-in-set"]),
        ("owl:allValuesFrom [ owl:oneOf ( :a :b ) ]", ":a, :b", []),
        ("owl:allValuesFrom xsd:integer", ":a", ["value-not-of-datatype"]),
    ],
)
def test_each_kind_of_restriction(axiom: str, values: str, ids: list[str]) -> None:
    data = f":C rdfs:subClassOf [ owl:onProperty :p ; {axiom} ] . :x a :C ; :p {values} . :d a :D . :e a :D ."
    closure = closed(data, "rdfs")
    findings = list(completeness_findings(closure))
    assert [(f.rule.id, f.focus) for f in findings] == [(id, EX.x) for id in ids]
    for finding in findings:
        assert replays(finding, closure)


def test_a_value_that_is_required_by_name_is_told_where_nothing_infers_it() -> None:
    data = ":C rdfs:subClassOf [ owl:onProperty :p ; owl:hasValue :v ] . :x a :C . :y a :C ; :p :v ."
    assert found(data, "none") == [("value-missing", EX.x)]
    assert found(data) == []


def test_names_that_are_the_same_count_once_for_at_most() -> None:
    data = ":C rdfs:subClassOf [ owl:onProperty :p ; owl:maxCardinality 2 ] . :x a :C ; :p :a, :b, :c . "
    assert found(data) == [("values-too-many", EX.x)]
    assert found(data + ":a owl:sameAs :b .") == []


def test_a_restriction_on_an_inverse_property_is_read_backwards() -> None:
    data = """
        :C rdfs:subClassOf [ owl:onProperty [ owl:inverseOf :p ] ; owl:minCardinality 1 ] .
        :x a :C . :y a :C . :z :p :y .
    """
    assert found(data) == [("value-missing", EX.x)]


def test_members_that_are_required_by_a_definition_are_checked() -> None:
    data = """
        :Parent owl:equivalentClass
            [ owl:intersectionOf ( :Person [ owl:onProperty :child ; owl:someValuesFrom :Person ] ) ] .
        :ann a :Parent . :bob a :Person ; :child :ann .
    """
    findings = list(completeness_findings(closed(data)))
    assert [(f.rule.id, f.focus, f.terms["class"]) for f in findings] == [("value-missing", EX.ann, EX.Parent)]


def test_ranges_are_read_as_datatypes_and_value_sets() -> None:
    data = """
        :age rdfs:range xsd:integer . :x :age 4 . :y :age "four" . :z :age :four .
        :colour rdfs:range :Colour . :Colour owl:equivalentClass [ owl:oneOf ( :red :green ) ] .
        :x :colour :red . :y :colour :grey .
        :size rdfs:range [ a rdfs:Datatype ; owl:oneOf ( "S" "L" ) ] . :x :size "S" . :y :size "XL" .
    """
    told = [("value-not-in-set", EX.y), ("value-not-in-set", EX.y), ("value-not-of-datatype", EX.z)]
    assert found(data, "none") == sorted([*told, ("value-not-of-datatype", EX.y)], key=str)
    closure = closed(data)
    assert [f for f in completeness_findings(closure) if f.rule.id == "value-not-of-datatype" and f.focus == EX.y] == []
    assert closure.violations  # as OWL 2 RL says that "four" is no integer
    values = {f.terms["value"] for f in completeness_findings(closure) if f.focus == EX.y}
    assert values == {EX.grey, Literal("XL")}


def test_what_is_stated_to_be_in_an_enumerated_class_is_one_of_its_members() -> None:
    data = ":Colour a owl:Class ; owl:oneOf ( :red :green ) . :red a :Colour . :grey a :Colour . :rouge a :Colour . "
    assert found(data) == [("member-not-in-set", EX.grey), ("member-not-in-set", EX.rouge)]
    assert found(data + ":rouge owl:sameAs :red .") == [("member-not-in-set", EX.grey)]


def test_what_cannot_be_read_is_said() -> None:
    data = """
        :C rdfs:subClassOf [ owl:onProperty :p ; owl:minCardinality 100 ] . :x a :C .
        :q rdfs:range
            [ a rdfs:Datatype ; owl:onDatatype xsd:integer ; owl:withRestrictions ( [ xsd:minInclusive 1 ] ) ] .
    """
    many = f":E a owl:Class ; owl:oneOf ( {' '.join(f':e{at}' for at in range(1001))} ) . :e1000 a :E ."
    findings = list(completeness_findings(closed(data + many)))
    assert {f.rule.id for f in findings} == {"completeness-audit-cut-short"}
    assert {f.severity for f in findings} == {Severity.INFO}
    assert len(findings) == 3


def test_time_that_runs_out_and_an_incomplete_closure_are_said() -> None:
    data = SOME + ":ann a :Person ."
    assert "completeness-audit-cut-short" in {f.rule.id for f in completeness_findings(closed(data), seconds=0.0)}
    graph = closed(data).graph.with_inferred(KnowledgeGraph.from_triples([]).asserted)
    closure = materialise(graph, budget=Budget(rounds=0))
    assert closure.incomplete
    assert [f.rule.id for f in completeness_findings(closure)] == ["completeness-audit-cut-short"]


def test_the_findings_are_part_of_a_report() -> None:
    report = audit(closed(SOME + ":ann a :Person . :bob a :Person ."), checks=[completeness_findings])
    shown = report.to_dict()
    assert shown["totals"]["by_kind"] == {"completeness": 2}
    assert len({finding["key"] for finding in shown["findings"]}) == 2
    assert all("ann" in str(f["proof"]) or "bob" in str(f["proof"]) for f in shown["findings"])
    assert not closed(SOME + ":ann a :Person .").violations  # open world, nothing is wrong


VALUES = [EX.a, EX.b, EX.c, Literal(1), Literal("one")]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([OWL.minCardinality, OWL.cardinality, OWL.maxCardinality]),
    st.integers(0, 3),
    st.dictionaries(st.sampled_from([EX.x, EX.y]), st.sets(st.sampled_from(VALUES)), min_size=1),
)
def test_cardinalities_are_what_counting_says(kind: URIRef, count: int, values: dict[URIRef, set[Node]]) -> None:
    restriction = BNode()
    triples: list[tuple[Node, Node, Node]] = [
        (EX.C, RDFS.subClassOf, restriction),
        (restriction, OWL.onProperty, EX.p),
        (restriction, kind, Literal(count, datatype=XSD.nonNegativeInteger)),
    ]
    triples += [(x, RDF.type, EX.C) for x in values] + [(x, EX.p, y) for x, ys in values.items() for y in ys]
    findings = list(completeness_findings(materialise(KnowledgeGraph.from_triples(triples), entailment="rdfs")))
    few = {x for x, ys in values.items() if kind != OWL.maxCardinality and len(ys) < count}
    many = {x for x, ys in values.items() if kind != OWL.minCardinality and len(ys) > count}
    assert {f.focus for f in findings if f.rule.id in ("value-missing", "values-too-few")} == few
    assert {f.focus for f in findings if f.rule.id == "values-too-many"} == many
    assert len(findings) == len(few) + len(many)


def test_wine_without_a_maker_is_found(shared: Path, tmp_path: Path) -> None:
    file = shared / "data" / "real-rdf" / "wine_food.nt.gz"
    if not file.is_file():
        pytest.skip(f"no file {file} here")
    wine = Namespace("http://www.w3.org/TR/2003/PR-owl-guide-20031209/wine#")
    (tmp_path / "planted.ttl").write_text(f"<http://e/water> a <{wine.Wine}> .", "utf-8")
    findings: list[Finding] = list(completeness_findings(materialise(load_graph([file, tmp_path / "planted.ttl"]))))
    missing = {f.terms["path"] for f in findings if f.focus == EX.water and f.rule.id == "value-missing"}
    assert wine.hasMaker in missing
    assert {f.location.file for f in findings if f.focus == EX.water and f.location} == {str(tmp_path / "planted.ttl")}
    assert not [f for f in findings if f.rule.id == "completeness-audit-cut-short"]


def test_lists_of_rdflib_read_as_enumerations() -> None:
    graph = Graph()
    cls, cells = EX.Set, BNode()
    Collection(graph, cells, [EX.a, EX.b])
    graph.add((cls, RDF.type, OWL.Class))
    graph.add((cls, OWL.oneOf, cells))
    graph.add((EX.z, RDF.type, cls))
    findings = completeness_findings(materialise(KnowledgeGraph.from_triples(Triple(*t) for t in graph)))
    assert [f.focus for f in findings] == [EX.z]
