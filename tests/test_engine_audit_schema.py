"""Audits of a schema: each kind of finding, what it must not say, and faults planted in public ontologies."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, BNode, Graph, Literal, Namespace, URIRef
from rdflib.term import Node

from engine.audit import Finding, Kind, audit
from engine.audit.axioms import axioms
from engine.audit.schema import schema_findings
from engine.symbolic import Closure, Severity, materialise, parse_rules, replay
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from kg.terms import Triple

EX = Namespace("http://e/")
PREFIXES = """
PREFIX : <http://e/>
PREFIX o: <http://other/>
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
"""


def closed(data: str, rules: str = "") -> Closure:
    graph = Graph()
    graph.parse(data=PREFIXES + data, format="turtle")
    known = KnowledgeGraph.from_triples(graph, prefixes={"": str(EX), "o": "http://other/"})
    return materialise(known, parse_rules(PREFIXES + rules))


def findings(data: str, rule: str, rules: str = "") -> list[Finding]:
    return [finding for finding in schema_findings(closed(data, rules)) if finding.rule.id == rule]


def messages(data: str, rule: str) -> list[str]:
    return sorted(finding.message for finding in findings(data, rule))


def test_a_sound_schema_has_no_findings() -> None:
    assert (
        list(
            schema_findings(
                closed("""
        :Person a owl:Class . :Parent a owl:Class ; rdfs:subClassOf :Person .
        :parentOf a owl:ObjectProperty ; rdfs:domain :Parent ; rdfs:range :Person .
        :ann a :Parent ; :parentOf :bob .
    """)
            )
        )
        == []
    )


# ---------------------------------------------------------------- unsatisfiable

CLASH = """
    :Cat rdfs:subClassOf :Animal . :Plant owl:disjointWith :Animal .
    :Odd rdfs:subClassOf :Cat , :Plant . :Odder rdfs:subClassOf :Odd . :oddly rdfs:domain :Odd .
"""


def test_an_unsatisfiable_class_is_told_with_a_proof_that_replays() -> None:
    closure = closed(CLASH)
    found = {f.focus: f for f in schema_findings(closure) if f.rule.id == "class-unsatisfiable"}
    assert set(found) == {EX.Odd, EX.Odder}
    assert found[EX.Odd].severity is Severity.VIOLATION
    assert found[EX.Odd].rule.kind is Kind.SCHEMA
    assert found[EX.Odd].message.startswith("Nothing can be in odd: ")
    assert found[EX.Odd].detail == {"breaks": "cax-dw", "under": []}
    assert found[EX.Odder].detail["under"] == [":Odd"]
    proof = found[EX.Odd].proof
    assert proof is not None
    claim = Triple(URIRef("urn:noesis:a-new-individual"), RDF.type, EX.Odd)
    assert replay(proof, closure.graph, closure.rules, assumed=[claim]) > len(proof.leaves())
    assert set(proof.leaves()) == {
        claim,
        Triple(EX.Odd, RDFS.subClassOf, EX.Cat),
        Triple(EX.Odd, RDFS.subClassOf, EX.Plant),
        Triple(EX.Cat, RDFS.subClassOf, EX.Animal),
        Triple(EX.Plant, OWL.disjointWith, EX.Animal),
    }


def test_a_property_that_can_have_no_value_is_told() -> None:
    (finding,) = findings(CLASH, "property-unsatisfiable")
    assert finding.focus == EX.oddly
    assert finding.message.startswith("Nothing can have a value of oddly: ")


def test_a_class_that_lacks_only_what_a_not_asks_for_is_satisfiable() -> None:
    rule = "RULE :named { } WHERE { ?x a :Person NOT { ?x :name ?n } }"
    assert findings(":Person a owl:Class . :name a owl:DatatypeProperty .", "class-unsatisfiable", rule) == []
    rule = "RULE :noPerson { } WHERE { ?x a :Person }"
    assert [f.focus for f in findings(":Person a owl:Class .", "class-unsatisfiable", rule)] == [EX.Person]


def test_an_inconsistent_graph_still_tells_satisfiable_classes_apart() -> None:
    data = CLASH + ":tom a :Cat , :Plant ."
    assert {f.focus for f in findings(data, "class-unsatisfiable")} == {EX.Odd, EX.Odder}


# ---------------------------------------------------------------- redundant axioms


def test_a_redundant_axiom_is_told_with_what_entails_it() -> None:
    data = ":A rdfs:subClassOf :B , :C . :B rdfs:subClassOf :C ."
    (finding,) = findings(data, "axiom-redundant")
    assert finding.message == "“every a is a c” is entailed by: every a is a b; every b is a c"
    assert finding.focus == EX.A
    assert finding.terms == {"predicate": RDFS.subClassOf, "object": EX.C}
    assert finding.detail == {
        "axiom": [":A", "rdfs:subClassOf", ":C"],
        "entailed_by": [[":A", "rdfs:subClassOf", ":B"], [":B", "rdfs:subClassOf", ":C"]],
        "either": [],
    }


def test_of_two_axioms_that_entail_each_other_both_are_told_and_that_only_one_can_go() -> None:
    data = ":A owl:equivalentClass :B . :B owl:equivalentClass :A ."
    told = messages(data, "axiom-redundant")
    assert told == [
        "“a is the same class as b” is entailed by: b is the same class as a "
        "(only one can go: this, or “b is the same class as a”)",
        "“b is the same class as a” is entailed by: a is the same class as b "
        "(only one can go: this, or “a is the same class as b”)",
    ]


def test_a_class_expression_that_entails_an_axiom_is_told_as_a_whole() -> None:
    data = """
        :A rdfs:subClassOf :B ; owl:equivalentClass
            [ owl:intersectionOf ( :B [ owl:onProperty :p ; owl:someValuesFrom :C ] ) ] .
    """
    assert messages(data, "axiom-redundant") == [
        "“every a is a b” is entailed by: a is the same class as (b and p some c)"
    ]


def test_an_axiom_that_rests_on_itself_alone_is_not_redundant() -> None:
    assert findings(":A rdfs:subClassOf :B . :B rdfs:subClassOf :A .", "axiom-redundant") == []
    assert findings(":p a owl:TransitiveProperty ; rdfs:domain :A .", "axiom-redundant") == []


NAMES = [EX[name] for name in "ABCD"]
PROPERTIES = [EX[name] for name in "pqr"]


def _axioms() -> st.SearchStrategy[Triple]:
    classes, properties = st.sampled_from(NAMES), st.sampled_from(PROPERTIES)
    relations = st.sampled_from([RDFS.subClassOf, RDFS.subClassOf, OWL.equivalentClass, OWL.disjointWith])
    return st.one_of(
        st.builds(Triple, classes, relations, classes),
        st.builds(Triple, properties, st.sampled_from([RDFS.subPropertyOf, OWL.equivalentProperty]), properties),
        st.builds(Triple, properties, st.sampled_from([RDFS.domain, RDFS.range]), classes),
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(_axioms(), min_size=1, max_size=9, unique=True))
def test_an_axiom_is_redundant_just_where_the_closure_is_the_same_without_it(triples: list[Triple]) -> None:
    graph = KnowledgeGraph.from_triples(triples, prefixes={"": str(EX)})
    closure = materialise(graph)
    told = {(f.focus, *f.terms.values()) for f in schema_findings(closure) if f.rule.id == "axiom-redundant"}
    needless = set()
    for axiom in axioms(graph):
        rest = KnowledgeGraph.from_triples(triple for triple in triples if triple != axiom)
        if len(triples) > 1 and set(materialise(rest).graph.triples()) == set(closure.graph.triples()):
            needless.add(tuple(axiom))
    assert told == needless


# ---------------------------------------------------------------- cycles


def test_a_cycle_is_told_once_with_its_members() -> None:
    data = ":A rdfs:subClassOf :B . :B rdfs:subClassOf :C . :C rdfs:subClassOf :A . :D rdfs:subClassOf :A ."
    (finding,) = findings(data, "class-cycle")
    assert finding.severity is Severity.WARNING
    assert finding.detail["members"] == [":A", ":B", ":C"]
    assert sorted(finding.detail["stated"]) == [
        [":A", "rdfs:subClassOf", ":B"],
        [":B", "rdfs:subClassOf", ":C"],
        [":C", "rdfs:subClassOf", ":A"],
    ]
    assert finding.message.startswith("3 classes are each below the others, so they mean the same: ")
    assert {finding.focus, *finding.terms.values()} == {EX.A, EX.B, EX.C}


def test_a_cycle_by_way_of_a_class_expression_is_told_as_inferred() -> None:
    data = ":A owl:equivalentClass [ owl:unionOf ( :B :C ) ] ; rdfs:subClassOf :B ."
    (finding,) = findings(data, "class-cycle")
    assert finding.detail["members"] == [":A", ":B"]
    assert finding.message.endswith("a → b → a, which follows from: every a is a b; a is the same class as (b or c)")


def test_a_cycle_of_properties_is_told() -> None:
    data = ":p rdfs:subPropertyOf :q . :q rdfs:subPropertyOf :p ."
    assert [f.detail["members"] for f in findings(data, "property-cycle")] == [[":p", ":q"]]


def test_classes_that_are_stated_to_be_equivalent_are_no_cycle() -> None:
    assert (
        findings(":A owl:equivalentClass :B . :B owl:equivalentClass :C . :A rdfs:subClassOf :C .", "class-cycle") == []
    )
    half = ":A owl:equivalentClass :B . :B rdfs:subClassOf :C . :C rdfs:subClassOf :A ."
    assert [f.detail["members"] for f in findings(half, "class-cycle")] == [[":A", ":B", ":C"]]


# ---------------------------------------------------------------- declarations and labels

DECLARED = ":Person a owl:Class . :Town a owl:Class . :livesIn a owl:ObjectProperty . "


def test_undeclared_terms_are_told_with_the_nearest_declared_one() -> None:
    data = DECLARED + ":ann a :Persom ; :liveIn :ulm ; o:knows :bob . :bob a o:Thing , :Person ."
    (cls,) = findings(data, "class-undeclared")
    (prop,) = findings(data, "property-undeclared")
    assert (cls.focus, prop.focus) == (EX.Persom, EX.liveIn)
    assert cls.message == (
        ":Persom is used as a class and not declared; "
        "the nearest class that is declared is :Person (one triple uses it)"
    )
    assert cls.detail == {"nearest": ":Person", "uses": 1, "example": [":ann", "rdf:type", ":Persom"]}
    assert prop.detail["nearest"] == ":livesIn"


def test_a_class_used_as_property_is_told_to_be_declared_as_the_other() -> None:
    (finding,) = findings(DECLARED + ":ann :Person :bob .", "property-undeclared")
    assert "as one, but as a class" in finding.message


def test_where_nothing_is_declared_nothing_is_undeclared() -> None:
    data = ":ann a :Person ; :livesIn :ulm . :livesIn rdfs:domain :Person ."
    assert findings(data, "class-undeclared") == findings(data, "property-undeclared") == []


def test_terms_of_an_imported_ontology_that_is_not_there_are_left_alone() -> None:
    data = ":o a owl:Ontology ; owl:imports <http://other/> . o:A a owl:Class . :x a o:B ."
    assert findings(data, "class-undeclared") == []
    there = data + "<http://other/> a owl:Ontology ."
    assert [f.focus for f in findings(there, "class-undeclared")] == [URIRef("http://other/B")]


def test_a_missing_label_is_told_where_most_have_one() -> None:
    labelled = " ".join(f':{name} rdfs:label "{name}" .' for name in ("Person", "Town", "Tree"))
    data = DECLARED + ":Tree a owl:Class . :Stone a owl:Class . :ann a :Person . "
    assert messages(data, "label-missing") == []
    assert messages(data + labelled, "label-missing") == ["The class :Stone has no label, as 3 of 4 have"]
    assert messages(data + labelled + ":Stone owl:deprecated true .", "label-missing") == []
    assert messages(data + ':Person rdfs:label "person" .', "label-missing") == []


# ---------------------------------------------------------------- budgets, reports, public ontologies


def test_what_was_not_looked_at_is_a_finding() -> None:
    cut = [f for f in schema_findings(closed(CLASH), seconds=0.0) if f.rule.id == "schema-audit-cut-short"]
    assert cut
    assert all(f.severity is Severity.INFO for f in cut)


def test_the_findings_are_part_of_a_report_with_distinct_keys() -> None:
    report = audit(
        closed(CLASH + ":A rdfs:subClassOf :B , :C . :B rdfs:subClassOf :C , :A ."), checks=[schema_findings]
    )
    shown = report.to_dict()
    assert {each["id"] for each in shown["rules"]} == {
        *("class-unsatisfiable", "property-unsatisfiable", "axiom-redundant", "class-cycle"),
    }
    keys = [finding["key"] for finding in shown["findings"]]
    assert len(set(keys)) == len(keys)
    assert all(each["proof"] is not None for each in shown["findings"] if each["rule"] == "class-unsatisfiable")


def planted(shared: Path, files: list[str], more: list[tuple[Node, Node, Node]], folder: Path) -> Closure:
    paths = [path for name in files for path in sorted((shared / "data").glob(name))]
    if not paths:
        pytest.skip(f"none of {', '.join(files)} in {shared / 'data'}")
    fault = Graph()
    for triple in more:
        fault.add(triple)
    (folder / "planted.nt").write_text(fault.serialize(format="nt"), "utf-8")
    return materialise(load_graph([*paths, folder / "planted.nt"]))


WINE = Namespace("http://www.w3.org/TR/2003/PR-owl-guide-20031209/wine#")
LUBM = Namespace("http://swat.cse.lehigh.edu/onto/univ-bench.owl#")
CORPORATE = Namespace("https://spec.edmcouncil.org/fibo/ontology/BE/OwnershipAndControl/CorporateControl/")
PLANTED = {
    "wine": (["real-rdf/wine_food.nt.gz"], WINE.WhiteWine, WINE.Wine, WINE.RedWine),
    "lubm": (["lubm/univ-bench.nt"], LUBM.Chair, LUBM.Person, LUBM.Publication),
    "fibo": (["fibo/BE/**/*.rdf"], CORPORATE.ControllingAffiliate, CORPORATE.Affiliate, EX.Other),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_cycle_and_an_unsatisfiable_class_are_found(name: str, shared: Path, tmp_path: Path) -> None:
    files, low, high, other = PLANTED[name]
    more: list[tuple[Node, Node, Node]] = [
        (high, RDFS.subClassOf, low),
        (EX.Impossible, RDFS.subClassOf, low),
        (EX.Impossible, RDFS.subClassOf, EX.Apart),
        (EX.Apart, OWL.disjointWith, high),
        (EX.Fine, RDFS.subClassOf, other),
    ]
    found = list(schema_findings(planted(shared, files, more, tmp_path)))
    assert [f.focus for f in found if f.rule.id == "class-unsatisfiable"] == [EX.Impossible]
    (cycle,) = [f for f in found if f.rule.id == "class-cycle"]
    assert {low, high} <= {cycle.focus, *cycle.terms.values()}
    assert cycle.location is not None
    assert str(tmp_path / "planted.nt") in cycle.detail["files"]
    assert not [f for f in found if f.rule.id == "schema-audit-cut-short"]


def test_blank_nodes_and_literals_are_no_terms_of_a_schema() -> None:
    odd = KnowledgeGraph.from_triples([(EX.a, RDF.type, BNode("c")), (EX.a, RDFS.label, Literal("a"))])
    assert list(schema_findings(materialise(odd))) == []
