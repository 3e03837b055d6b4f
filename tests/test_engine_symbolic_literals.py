"""Literals under OWL 2 RL: compared by value, ill-typed ones named, claims and edits as a fresh closure has them."""

from __future__ import annotations

import pytest
import rdflib
from rdflib import OWL, XSD, Literal, URIRef, Variable

from engine.symbolic import Status, check, materialise, parse_rules, replay
from engine.symbolic.closure import Closure
from kg.graph import KnowledgeGraph
from kg.terms import Triple

PREFIXES = """
@prefix : <http://example/> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""


def read(turtle: str) -> rdflib.Graph:
    return rdflib.Graph().parse(data=PREFIXES + turtle, format="turtle")


def closed(turtle: str) -> Closure:
    return materialise(KnowledgeGraph.from_rdflib(read(turtle)))


def iri(name: str) -> URIRef:
    return URIRef(f"http://example/{name}")


def violated(turtle: str) -> set[str]:
    return {violation.constraint.name for violation in closed(turtle).violations}


@pytest.mark.parametrize(
    ("given", "same"),
    [
        (':a :p "1"^^xsd:int . :b :p 1.00 .', True),
        (":a :p 1 . :b :p 1.0e0 .", False),
        (':a :p "0.0"^^xsd:double . :b :p "-0.0"^^xsd:double .', False),
        (":a :p 'x'@EN . :b :p 'x'@en .", True),
        (":a :p 'x'@en . :b :p 'x' .", False),
        (":a :p 'x' . :b :p 'x'^^xsd:token .", True),
        (":a :p true . :b :p '1'^^xsd:boolean .", True),
        (":a :p 'ff'^^xsd:hexBinary . :b :p 'FF'^^xsd:hexBinary .", True),
        (":a :p '2020-01-01T00:00:00Z'^^xsd:dateTime . :b :p '2019-12-31T24:00:00Z'^^xsd:dateTime .", True),
        (":a :p '2020-01-01T00:00:00Z'^^xsd:dateTime . :b :p '2020-01-01T01:00:00+01:00'^^xsd:dateTime .", False),
        (":a :p '1'^^:mine . :b :p '01'^^:mine .", False),
    ],
)
def test_a_key_is_compared_by_value(given: str, same: bool) -> None:
    closure = closed(f":C owl:hasKey ( :p ) . :p a owl:DatatypeProperty . :a a :C . :b a :C . {given}")
    triple = Triple(iri("a"), OWL.sameAs, iri("b"))
    assert closure.entails(triple) == same
    if same:
        assert replay(closure.proof(triple), closure.graph, closure.rules) > 1
    assert not [t for t in closure.graph.triples() if isinstance(t.subject, rdflib.Literal)]


def test_two_literals_of_one_value_are_one_value_of_a_functional_property() -> None:
    assert violated(":p a owl:FunctionalProperty . :a :p 1, 1.0 .") == set()
    assert violated(":p a owl:FunctionalProperty . :a :p 1, 1.0e0 .") == {"dt-diff"}
    assert violated(":p a owl:FunctionalProperty . :a :p '1'^^:mine, '2'^^:mine .") == set()


def test_an_ill_typed_literal_is_named() -> None:
    (violation,) = closed(':a :p "nine"^^xsd:byte, 9 ; :q "nine"^^:mine .').violations
    assert violation.message == "a has the value nine of p, which is not valid for its datatype"


def test_a_literal_too_long_to_be_parsed_is_not_said_to_be_ill_typed() -> None:
    assert violated(f':a :p "{"1" * 3000}"^^xsd:integer, "12345678901-01-01"^^xsd:date .') == set()


def test_a_range_may_be_a_defined_datatype() -> None:
    schema = (
        ":p rdfs:range :Small . :Small owl:equivalentClass [ owl:intersectionOf ( xsd:byte xsd:nonNegativeInteger ) ] ."
    )
    assert violated(f"{schema} :a :p 5 .") == set()
    assert violated(f"{schema} :a :p -5 .") == {"dt-not-type"}


@pytest.mark.parametrize(
    "claim",
    [
        Triple(iri("a"), iri("p"), rdflib.Literal("one", datatype=rdflib.XSD.integer)),
        Triple(iri("a"), iri("p"), rdflib.Literal("1.0", datatype=rdflib.XSD.decimal)),
        Triple(iri("a"), iri("p"), rdflib.Literal("2")),
        Triple(iri("a"), iri("f"), rdflib.Literal(7)),
        Triple(iri("a"), iri("f"), rdflib.Literal("3.0", datatype=rdflib.XSD.decimal)),
        Triple(iri("b"), iri("k"), rdflib.Literal("05", datatype=rdflib.XSD.integer)),
        Triple(iri("b"), iri("k"), rdflib.Literal(6)),
    ],
    ids=str,
)
def test_a_claim_with_a_literal_has_the_verdict_of_a_fresh_closure(claim: Triple) -> None:
    text = (
        ":p rdfs:range xsd:integer . :f a owl:FunctionalProperty . :C owl:hasKey ( :k ) . "
        ":a a :C ; :p 4 ; :f 3 ; :k 5 . :b a :C . :a owl:differentFrom :b ."
    )
    before = closed(text)
    graph = read(text).add(claim)
    fresh = materialise(KnowledgeGraph.from_rdflib(graph))
    wanted = Status.CONTRADICTED if fresh.violations else Status.UNPROVEN
    assert check(before, [claim])[0].status is wanted


EDITED = (
    ":p rdfs:range xsd:integer . :f a owl:FunctionalProperty . :C owl:hasKey :l . :l rdf:first :k ; rdf:rest rdf:nil . "
    ":a a :C ; :p 4 ; :f 3 ; :k 5 . :b a :C . :c :q 4.0 ."
)


def outcome(closure: Closure) -> tuple[set[str], set[str]]:
    return {str(triple) for triple in closure.graph.triples()}, {str(violation) for violation in closure.violations}


@pytest.mark.parametrize(
    ("added", "removed"),
    [
        (':b :k "05"^^xsd:integer .', ""),
        (':b :p "one"^^xsd:integer .', ""),
        (":a :f 3.0 .", ""),
        (":a :f 3.5 .", ""),
        ("", ":c :q 4.0 ."),
        (":c :q 5.0 .", ":c :q 4.0 ."),
        ("", ":a :p 4 ."),
    ],
)
def test_an_edit_with_a_literal_gives_the_closure_from_scratch(added: str, removed: str) -> None:
    more, less = ([Triple(*triple) for triple in read(text)] for text in (added, removed))
    edited = closed(EDITED)
    edited = edited.add(more) if more else edited
    edited = edited.retract(less) if less else edited
    graph = read(EDITED)
    for triple in more:
        graph.add(triple)
    for triple in less:
        graph.remove(triple)
    assert outcome(edited) == outcome(materialise(KnowledgeGraph.from_rdflib(graph)))


def test_a_violation_is_told_once_however_an_equal_literal_is_written() -> None:
    """Values that are written in two ways are the same, so dt-eq gives both; what they break is one violation."""
    text = """PREFIX : <https://example.org/> PREFIX sh: <http://www.w3.org/ns/shacl#>
    RULE :low { [] a sh:ValidationResult } WHERE { ?x :age ?a FILTER(?a < 5) }"""
    ex = "https://example.org/"
    age = URIRef(f"{ex}age")
    one, two = Literal("3", datatype=XSD.integer), Literal("3.0", datatype=XSD.decimal)
    graph = KnowledgeGraph.from_triples(
        [Triple(URIRef(f"{ex}a"), age, one), Triple(URIRef(f"{ex}b"), URIRef(f"{ex}size"), two)]
    )
    closure = materialise(graph, parse_rules(text))
    assert closure.entails((URIRef(f"{ex}a"), age, two))
    assert [violation.substitution[Variable("a")] for violation in closure.violations] == [one]
