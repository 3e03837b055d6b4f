"""Class expressions that a conclusion speaks of, and what n-ary axioms say of pairs."""

from __future__ import annotations

import pytest
import rdflib
from rdflib import OWL, RDF, BNode, URIRef

from engine.symbolic.comprehension import class_expressions
from engine.symbolic.pairwise import pairwise
from kg.graph import KnowledgeGraph
from kg.terms import Triple

PREFIXES = """
@prefix : <http://example/> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
"""


def graph(turtle: str) -> KnowledgeGraph:
    return KnowledgeGraph.from_rdflib(rdflib.Graph().parse(data=PREFIXES + turtle, format="turtle"))


def iri(name: str) -> URIRef:
    return URIRef(f"http://example/{name}")


@pytest.mark.parametrize(
    ("conclusion", "count"),
    [
        (":a a [ a owl:Class ; owl:complementOf :C ] .", 2),
        (":a a [ owl:onProperty :p ; owl:someValuesFrom [ owl:complementOf :C ] ] .", 3),
        (":a a [ owl:unionOf ( :C [ owl:complementOf :D ] ) ] .", 6),
        (":a a [ owl:onProperty :p ; owl:maxQualifiedCardinality 1 ; owl:onClass :C ] .", 3),
    ],
)
def test_a_class_expression_is_granted_with_its_parts(conclusion: str, count: int) -> None:
    found = class_expressions(graph(conclusion))
    assert len(found) == count
    assert not {t.subject for t in found} & {t.subject for t in graph(conclusion).triples()}
    assert all(isinstance(t.subject, BNode) for t in found)


@pytest.mark.parametrize(
    "conclusion",
    [
        ":a :p _:x .",
        ":E owl:complementOf :C .",
        "_:x owl:complementOf _:x .",
        "_:x owl:complementOf _:y . _:y owl:complementOf _:x .",
        "_:x owl:complementOf :C ; owl:unionOf ( :D ) .",
        "_:x owl:onProperty :p .",
        "_:x owl:onProperty :p ; owl:someValuesFrom :C ; owl:allValuesFrom :D .",
        "_:x owl:onProperty :p ; owl:maxQualifiedCardinality 1 .",
        "_:x owl:complementOf _:undefined .",
        "_:x owl:unionOf _:l . _:l rdf:first :C .",
    ],
)
def test_what_is_no_definition_of_one_class_is_not_granted(conclusion: str) -> None:
    lists = (RDF.first, RDF.rest)  # a list that is part of no class may be there: lists exist
    assert [t for t in class_expressions(graph(conclusion)) if t.predicate not in lists] == []


def test_what_is_said_beyond_a_definition_is_not_granted() -> None:
    found = class_expressions(graph(":a a _:x . _:x owl:complementOf :C ; rdfs:subClassOf :D ."))
    assert [(t.predicate, t.object) for t in found] == [(OWL.complementOf, iri("C"))]


def test_an_n_ary_axiom_speaks_of_each_pair() -> None:
    text = """
    [] a owl:AllDifferent ; owl:distinctMembers ( :a :b ) . [] a owl:AllDisjointClasses ; owl:members ( :C :D :E ) .
    [] a owl:AllDisjointProperties ; owl:members ( :p ) . [] owl:members ( :x :y ) .
    """
    found = set(pairwise(graph(text)))
    assert {t for t in found if t.predicate == OWL.differentFrom} == {
        Triple(iri("a"), OWL.differentFrom, iri("b")),
        Triple(iri("b"), OWL.differentFrom, iri("a")),
    }
    assert len({t for t in found if t.predicate == OWL.disjointWith}) == 6
    assert len(found) == 8


def test_a_list_that_comes_back_to_itself_ends() -> None:
    found = set(pairwise(graph("[] a owl:AllDifferent ; owl:members _:c . _:c rdf:first :a ; rdf:rest _:c .")))
    assert found == set()
