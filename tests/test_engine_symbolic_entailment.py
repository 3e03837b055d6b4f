"""Simple entailment against trying every substitution, and entailment with literals by value."""

from __future__ import annotations

from itertools import product

import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import RDF, RDFS, XSD, BNode, Literal, URIRef
from rdflib.term import Node

from engine.symbolic.entailment import simply_entails
from engine.symbolic.rulesets import builtin_rules
from engine.symbolic.surrogates import Interpreted, entails
from kg.graph import KnowledgeGraph
from kg.terms import Triple

PREFIXES = """
@prefix : <http://example/> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
NAMES = [URIRef(f"http://example/{name}") for name in "abc"]
BLANKS = [BNode(name) for name in "xyz"]
PREDICATES = [URIRef(f"http://example/{name}") for name in "pq"]
terms = st.sampled_from([*NAMES, *BLANKS])
triples = st.builds(Triple, terms, st.sampled_from(PREDICATES), terms)


def graph(turtle: str) -> KnowledgeGraph:
    return KnowledgeGraph.from_rdflib(rdflib.Graph().parse(data=PREFIXES + turtle, format="turtle"))


def by_trying(premise: set[Triple], conclusion: set[Triple]) -> bool:
    blanks = sorted({t for triple in conclusion for t in triple if isinstance(t, BNode)})
    nodes = {t for triple in premise for t in (triple.subject, triple.object)}
    for values in product(nodes, repeat=len(blanks)):
        put: dict[Node, Node] = dict(zip(blanks, values, strict=True))
        if {Triple(*(put.get(t, t) for t in triple)) for triple in conclusion} <= premise:
            return True
    return False


@settings(max_examples=300, deadline=None)
@given(st.sets(triples, max_size=8), st.sets(triples, max_size=5))
def test_simple_entailment_is_that_some_substitution_gives_a_subgraph(
    premise: set[Triple], conclusion: set[Triple]
) -> None:
    found = simply_entails(KnowledgeGraph.from_triples(premise), KnowledgeGraph.from_triples(conclusion))
    assert found == by_trying(premise, conclusion)


def test_a_long_chain_of_blank_nodes_is_found_without_recursion() -> None:
    p = PREDICATES[0]
    premise = [Triple(URIRef(f"urn:n{i}"), p, URIRef(f"urn:n{i + 1}")) for i in range(3000)]
    conclusion = [Triple(BNode(f"b{i}"), p, BNode(f"b{i + 1}")) for i in range(2000)]
    assert simply_entails(KnowledgeGraph.from_triples(premise), KnowledgeGraph.from_triples(conclusion))


def test_literals_are_compared_by_value_where_their_datatype_is_recognised() -> None:
    premise, conclusion = graph(":a :p 1 ."), graph(':a :p "01"^^xsd:byte .')
    assert simply_entails(premise, conclusion)
    assert not simply_entails(premise, conclusion, recognised=[XSD.integer])
    assert not simply_entails(premise, graph(":a :p 1.0e0 ."))


RDFS_ENTAILMENTS = {
    "rdfD1": (":a :p 5 .", ":a :p _:x . _:x a xsd:integer ."),
    "rdfD2": (":a :p 5 .", ":p a rdf:Property ."),
    "rdfs1": (":a :p 5 .", "xsd:integer a rdfs:Datatype ."),
    "rdfs3 on a literal": (":p rdfs:range :C . :a :p 5 .", ":a :p _:x . _:x a :C ."),
    "rdfs4a": (":a :p :b .", ":a a rdfs:Resource ."),
    "rdfs4b": (":a :p :b .", ":b a rdfs:Resource ."),
    "rdfs6": (":a :p :b .", ":p rdfs:subPropertyOf :p ."),
    "rdfs8": (":C a rdfs:Class .", ":C rdfs:subClassOf rdfs:Resource ."),
    "rdfs10": (":C a rdfs:Class .", ":C rdfs:subClassOf :C ."),
    "rdfs12": (":a rdf:_7 :b .", ":a rdfs:member :b ."),
    "rdfs13": (":a :p 5 .", "xsd:integer rdfs:subClassOf rdfs:Literal ."),
    "rdfs-axioms": (":a :p :b .", "rdfs:subClassOf rdfs:domain rdfs:Class . rdf:Bag rdfs:subClassOf rdfs:Container ."),
    "rdf-axioms": (":a :p :b .", "rdf:nil a rdf:List . rdf:_3 a rdf:Property ."),
}


@pytest.mark.parametrize("rule", RDFS_ENTAILMENTS)
def test_rdfs_entailment(rule: str) -> None:
    premise, conclusion = map(graph, RDFS_ENTAILMENTS[rule])
    assert entails(premise, conclusion)
    assert not entails(premise, conclusion, entailment="none")


def test_every_rule_of_rdfs_has_a_case_or_one_in_the_rule_sets_tests() -> None:
    shown = {"rdfs2", "rdfs3", "rdfs5", "rdfs7", "rdfs9", "rdfs11"}
    assert {rule.name for rule in builtin_rules("rdfs-full")} <= {*RDFS_ENTAILMENTS, *shown}


INCONSISTENT = {
    "an ill-typed literal": ':a :p "one"^^xsd:integer .',
    "a range without the value": ":p rdfs:range xsd:string . :a :p 5 .",
    "two ranges without a common value": ":p rdfs:range xsd:string, xsd:integer . :a :p _:x .",
    "a datatype below one without its values": "xsd:decimal rdfs:subClassOf xsd:integer .",
}


@pytest.mark.parametrize("why", INCONSISTENT)
def test_a_graph_that_no_interpretation_satisfies_is_inconsistent(why: str) -> None:
    closed = Interpreted(graph(INCONSISTENT[why]), entailment="rdfs-full", recognised=[XSD.integer, XSD.decimal])
    assert closed.inconsistency
    assert closed.entails(graph(":no :thing :holds ."))
    simple = Interpreted(graph(INCONSISTENT[why]), entailment="none", recognised=[XSD.integer])
    assert simple.inconsistency == ""


def test_what_is_not_recognised_is_not_known() -> None:
    closed = Interpreted(graph(INCONSISTENT["an ill-typed literal"]), entailment="rdfs-full", recognised=[])
    assert closed.inconsistency == ""
    assert not closed.entails(graph(":a :p _:x . _:x a rdfs:Literal ."))


@pytest.mark.parametrize(
    ("premise", "conclusion"),
    [
        (":p rdfs:range xsd:byte .", ":p rdfs:range xsd:short ."),
        (":p a owl:InverseFunctionalProperty . :a :p 1.0 . :b :p 1 .", ":a owl:sameAs :b ."),
        (":C owl:onProperty :p ; owl:hasValue 1 . :a a :C .", ":a :p 1.0 ."),
        (":a :p :b .", ":a owl:sameAs :a . rdfs:label a owl:AnnotationProperty . xsd:string a rdfs:Datatype ."),
    ],
)
def test_owl_entailment_reads_literals_by_value(premise: str, conclusion: str) -> None:
    assert entails(graph(premise), graph(conclusion), entailment="owl2rl-full")


@pytest.mark.parametrize(
    "premise",
    [
        ":p a owl:FunctionalProperty . :a :p 1, 2 .",
        ":p rdfs:range xsd:byte . :a :p 300 .",
        ":C owl:disjointWith xsd:integer . :p rdfs:range :C . :a :p 5 .",
        ":D owl:complementOf xsd:string . :p rdfs:range :D . :a :p 'x' .",
    ],
)
def test_owl_reads_what_is_wrong_with_a_literal(premise: str) -> None:
    assert Interpreted(graph(premise), entailment="owl2rl-full", recognised=[XSD.integer, XSD.byte]).inconsistency


def test_no_literal_is_a_subject_of_a_closure() -> None:
    closed = Interpreted(graph(":a :p 5 ."), entailment="rdfs-full", recognised=[XSD.integer])
    assert not [t for t in closed.closure.graph.triples() if isinstance(t.subject, Literal)]
    assert list(closed.closure.graph.triples(predicate=RDF.type, object=RDFS.Literal))
