"""SHACL-AF rules of a graph -> rules: targets, node expressions, conditions, queries, refusals; pySHACL beside it."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest
from rdflib import Graph, URIRef
from rdflib.term import Node

from engine.symbolic import materialise, parse_rules, replay, rules_of, ruleset_text
from kg import KnowledgeGraph, load_graph
from kg.errors import NoesisError, SyntaxInputError, UnsafeRuleError, UnsupportedRuleError

PREFIXES = """@prefix : <http://e/#> . @prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix dct: <http://purl.org/dc/terms/> . @prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
"""
DATA = """:a a :A ; :p :b , :c ; :age 17 ; :in :u . :b a :B ; :p :d ; :age 30 ; :in :u . :c a :A ; :q :a ; :age "x" .
:d :q :b , :c ; :size 2 , 5 . :e a :A , :Z ; :q "text" .
"""
SPARQL = """:o sh:declare [ sh:prefix "ex" ; sh:namespace "http://e/#"^^xsd:anyURI ] .
:S a sh:NodeShape ; sh:targetClass :A ; sh:rule [ a sh:SPARQLRule ; sh:prefixes :o ; sh:construct '''%s''' ] ."""


def graph_of(tmp_path: Path, text: str) -> KnowledgeGraph:
    path = tmp_path / "shapes.ttl"
    path.write_text(PREFIXES + DATA + text, encoding="utf-8")
    return load_graph(path)


def triple_rule(subject: str, predicate: str, object: str, target: str = "sh:targetClass :A", more: str = "") -> str:
    parts = f"sh:subject {subject} ; sh:predicate {predicate} ; sh:object {object}"
    return f":S a sh:NodeShape ; {target} ; sh:rule :r . :r a sh:TripleRule ; {parts} {more} ."


def inferred(tmp_path: Path, text: str) -> set[str]:
    graph = graph_of(tmp_path, text)
    closure = materialise(graph, rules_of(graph), entailment="none")
    new = [triple for triple in closure.graph.triples() if not graph.contains(triple)]
    for triple in new:
        replay(closure.proof(triple), closure.graph, closure.rules)
    return {" ".join(map(closure.graph.curie, triple)) for triple in new}


def test_a_triple_rule_is_the_one_that_sparql_rl_says(tmp_path: Path) -> None:
    rules = rules_of(graph_of(tmp_path, triple_rule("sh:this", "rdf:type", ":Adult", more='; rdfs:comment "Why."')))
    expected = """PREFIX : <http://e/#> PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
    RULE :r { ?this a :Adult } WHERE { ?this a :A } DATA { :r rdfs:comment "Why." }"""
    assert rules.rules == parse_rules(expected).rules


CASES = {
    "constants": triple_rule(":x", ":says", '"hello"@en'),
    "path": triple_rule("sh:this", ":far", "[ sh:path ( :p [ sh:inversePath :q ] ) ]"),
    "alternative": triple_rule("sh:this", ":near", "[ sh:path [ sh:alternativePath ( :p :q ) ] ]"),
    "union": triple_rule("sh:this", ":either", "[ sh:union ( [ sh:path :p ] [ sh:path :q ] :u ) ]"),
    "target node": triple_rule("sh:this", ":seen", "[ sh:path :p ]", "sh:targetNode :b"),
    "subjects": triple_rule("sh:this", ":seen", ":x", "sh:targetSubjectsOf :q"),
    "objects": triple_rule("sh:this", ":seen", ":x", "sh:targetObjectsOf :in"),
    "several targets": triple_rule("sh:this", ":seen", ":x", "sh:targetClass :B ; sh:targetNode :d"),
    "implicit class": triple_rule("sh:this", ":seen", ":x", "a rdfs:Class") + " :e a :S .",
    "condition on class": triple_rule("sh:this", ":z", ":x", more="; sh:condition [ a sh:NodeShape ; sh:class :Z ]"),
    "condition on a property": triple_rule(
        "sh:this", ":z", ":x", more="; sh:condition [ a sh:NodeShape ; sh:property [ sh:path :p ; sh:minCount 1 ] ]"
    ),
    "condition that nothing is there": triple_rule(
        "sh:this", ":z", ":x", more="; sh:condition [ a sh:NodeShape ; sh:property [ sh:path :p ; sh:maxCount 0 ] ]"
    ),
    "condition on all values": triple_rule(
        "sh:this",
        ":z",
        ":x",
        more="; sh:condition [ a sh:NodeShape ; "
        "sh:property [ sh:path :age ; sh:datatype xsd:integer ; sh:maxInclusive 18 ] ]",
    ),
    "condition on one value": triple_rule(
        "sh:this", ":z", ":x", more="; sh:condition [ a sh:NodeShape ; sh:property [ sh:path :p ; sh:hasValue :c ] ]"
    ),
    "two conditions": triple_rule(
        "sh:this",
        ":z",
        ":x",
        more="; sh:condition [ a sh:NodeShape ; sh:nodeKind sh:IRI ] , [ a sh:NodeShape ; sh:in ( :a :b ) ; "
        "sh:and ( [ a sh:NodeShape ; sh:class :A ] [ a sh:NodeShape ; sh:node :N ] ) ]",
    )
    + " :N a sh:NodeShape ; sh:property [ sh:path :in ; sh:nodeKind sh:BlankNodeOrIRI ; sh:in ( :u :v ) ] .",
    "query": SPARQL % "CONSTRUCT { $this ex:older ?y . ?y ex:younger $this } WHERE { $this ex:p ?y . ?y ex:age ?n "
    "FILTER(isNUMERIC(?n) && ?n > 20) }",
    "query with a filter before its variable": SPARQL
    % "CONSTRUCT { ?this ex:old ?n } WHERE { FILTER(?n < 20) ?this ex:age ?n . BIND(?n + 1 AS ?m) }",
    "query with not exists": SPARQL
    % "PREFIX k: <http://e/#> CONSTRUCT { $this k:lonely true } { $this a k:A FILTER NOT EXISTS { ?o k:q $this } }",
    "query with bind": SPARQL % "CONSTRUCT { $this ex:next ?m } WHERE { $this ex:age ?n BIND(?n + 1 AS ?m) }",
    "query for a node": ":S a sh:NodeShape ; sh:targetNode :b ; sh:rule [ a sh:SPARQLRule ; sh:construct "
    "'CONSTRUCT { $this <http://e/#is> ?x } WHERE { $this <http://e/#age> ?x FILTER(?x > 20 && isIRI($this)) }' ] .",
    "chain of rules": triple_rule("sh:this", "rdf:type", ":B")
    + " :T a sh:NodeShape ; sh:targetClass :B ; sh:rule [ a sh:TripleRule ; sh:subject sh:this ; sh:order 2 ;"
    " sh:predicate rdf:type ; sh:object :C ] .",
    "deactivated": triple_rule("sh:this", "rdf:type", ":B", more="; sh:deactivated true"),
}


APART: dict[str, tuple[str, set[str]]] = {
    "inverse of a sequence": (
        triple_rule("sh:this", ":back", "[ sh:path [ sh:inversePath ( :p :q ) ] ]"),
        {":a :back :a", ":c :back :b"},
    ),  # pySHACL does not turn the order of the steps round
    "nodes": (
        triple_rule("[ sh:path :p ]", ":knows", "[ sh:nodes [ sh:path :p ] ; sh:path :p ]"),
        {":b :knows :d", ":c :knows :d"},
    ),  # pySHACL starts at the focus node
    "filter": (
        triple_rule("sh:this", ":b", "[ sh:filterShape [ a sh:NodeShape ; sh:class :B ] ; sh:nodes [ sh:path :p ] ]"),
        {":a :b :b"},
    ),  # pySHACL 0.40 raises on it
    "shape deactivated": (
        triple_rule("sh:this", "rdf:type", ":B", "sh:targetClass :A ; sh:deactivated true"),
        set(),
    ),  # pySHACL applies the rules of deactivated shapes
}


@pytest.mark.parametrize("name", CASES)
def test_rules_infer_what_pyshacl_infers(tmp_path: Path, name: str) -> None:
    pyshacl = pytest.importorskip("pyshacl")
    mine = inferred(tmp_path, CASES[name])
    graph = Graph().parse(data=PREFIXES + DATA + CASES[name], format="turtle")
    told, asserted = Graph().parse(data=PREFIXES + DATA + CASES[name], format="turtle"), set(graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = Graph().parse(data=PREFIXES + DATA + CASES[name], format="turtle")
        pyshacl.validate(told, shacl_graph=shapes, advanced=True, inplace=True, iterate_rules=True)
    labels = KnowledgeGraph.from_triples(told, prefixes={"": "http://e/#"})
    theirs = {" ".join(map(labels.curie, t)) for t in told if not _stated(t, asserted)}
    assert mine == theirs
    assert bool(mine) == ("deactivated" not in name)


@pytest.mark.parametrize("name", APART)
def test_rules_infer_what_the_note_says_where_pyshacl_differs(tmp_path: Path, name: str) -> None:
    text, expected = APART[name]
    assert inferred(tmp_path, text) == expected


def _stated(triple: tuple[Node, Node, Node], asserted: set[tuple[Node, Node, Node]]) -> bool:
    """Whether a triple was there before; blank nodes of shapes are told by their predicate."""
    return (
        triple in asserted
        or not str(triple[1]).startswith(("http://e/#", "http://www.w3.org/1999/02/22-rdf-syn"))
        or (not isinstance(triple[0], URIRef))
    )


def test_order_orders_the_rules(tmp_path: Path) -> None:
    text = ":S a sh:NodeShape ; sh:targetClass :A ; sh:rule :r1 , :r2 , :r3 .\n"
    for name, order in (("r1", "; sh:order 2"), ("r2", ""), ("r3", "; sh:order 0.5")):
        text += f":{name} a sh:TripleRule ; sh:subject sh:this ; sh:predicate :p ; sh:object :{name} {order} .\n"
    assert [rule.name for rule in rules_of(graph_of(tmp_path, text))] == ["r2", "r3", "r1"]


@pytest.mark.parametrize("name", [*CASES, *APART])
def test_imported_rules_print_as_sparql_rl_and_parse_back_equal(tmp_path: Path, name: str) -> None:
    rules = rules_of(graph_of(tmp_path, CASES[name] if name in CASES else APART[name][0]))
    assert bool(rules) == ("deactivated" not in name)
    assert parse_rules(ruleset_text(rules)) == rules


def test_alternatives_of_one_rule_share_its_name_and_comment(tmp_path: Path) -> None:
    text = triple_rule("sh:this", ":k", "[ sh:union ( :x :y ) ]", more='; rdfs:comment "Why." ; dct:source "A book."')
    rules = rules_of(graph_of(tmp_path, text))
    assert [(rule.name, rule.comment, rule.source) for rule in rules] == [("r", "Why.", "A book.")] * 2
    assert parse_rules(ruleset_text(rules)) == rules


def test_a_shape_without_target_is_said_to_apply_to_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert not rules_of(graph_of(tmp_path, triple_rule("sh:this", ":p", ":x", "a sh:NodeShape")))
    assert "has no target" in caplog.text


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (triple_rule("sh:this", ":p", "[ sh:path [ sh:zeroOrMorePath :p ] ]"), UnsupportedRuleError, "zeroOrMorePath"),
        (triple_rule("sh:this", ":p", "[ sh:minus :x ; sh:nodes :y ]"), UnsupportedRuleError, "sh:minus"),
        (triple_rule("sh:this", ":p", "[ :function ( sh:this ) ]"), UnsupportedRuleError, ":function"),
        (triple_rule("sh:this", ":p", ":x", "sh:target [ ]"), UnsupportedRuleError, "sh:target"),
        (
            triple_rule("sh:this", ":p", ":x", more="; sh:condition [ a sh:NodeShape ; sh:pattern 'a' ]"),
            UnsupportedRuleError,
            "sh:pattern",
        ),
        (
            triple_rule("sh:this", ":p", ":x", more="; sh:condition [ a sh:NodeShape ; sh:or () ]"),
            UnsupportedRuleError,
            "sh:or",
        ),
        (
            triple_rule("sh:this", ":p", ":x", more="; sh:condition [ a sh:NodeShape ; sh:closed true ]"),
            UnsupportedRuleError,
            "sh:closed",
        ),
        (
            triple_rule(
                "sh:this",
                ":p",
                ":x",
                more="; sh:condition [ a sh:NodeShape ; sh:property [ sh:path :p ; sh:minCount 2 ] ]",
            ),
            UnsupportedRuleError,
            "sh:minCount 1",
        ),
        (triple_rule("sh:this", ":p", ":x", more="; sh:order 'first'"), UnsupportedRuleError, "a number as sh:order"),
        (":S a sh:NodeShape ; sh:targetClass :A ; sh:rule [ a sh:JSRule ] .", UnsupportedRuleError, "sh:JSRule"),
        (":S sh:targetClass :A ; sh:rule [ a sh:TripleRule ; sh:subject :a ] .", UnsupportedRuleError, "sh:predicate"),
        (SPARQL % "CONSTRUCT { $this ex:p ?y } WHERE { OPTIONAL { $this ex:q ?y } }", UnsupportedRuleError, "OPTIONAL"),
        (
            SPARQL % "CONSTRUCT { $this ex:p 1 } WHERE { { $this ex:q 1 } UNION { $this ex:q 2 } }",
            UnsupportedRuleError,
            "a group inside a group",
        ),
        (SPARQL % "CONSTRUCT { $this ex:p ?y } WHERE { $this ex:q* ?y }", UnsupportedRuleError, "a path with '*'"),
        (SPARQL % "CONSTRUCT { $this ex:p ?y } WHERE { $this ex:q|ex:p ?y }", UnsupportedRuleError, "a path with '|'"),
        (SPARQL % "CONSTRUCT { $this ex:p ?y } WHERE { $this ex:q ?y MINUS { } }", UnsupportedRuleError, "MINUS"),
        (SPARQL % "CONSTRUCT { $this ex:p ?y } WHERE { $this ex:q ?y } LIMIT 1", UnsupportedRuleError, "LIMIT"),
        (SPARQL % "SELECT ?x { ?x ?y ?z }", UnsupportedRuleError, "SELECT"),
        (SPARQL % "CONSTRUCT { $this ex:p ?y } WHERE { $this ex:q ?y ", SyntaxInputError, "the end of the text"),
        (SPARQL % "CONSTRUCT { $this no:p 1 } WHERE { }", SyntaxInputError, "a declared prefix"),
        (SPARQL % "CONSTRUCT { $this ex:p ?y } WHERE { $this ex:q ?z }", UnsafeRuleError, "got ?y in the head only"),
    ],
)
def test_what_cannot_be_imported_is_refused_by_name(
    tmp_path: Path, text: str, error: type[NoesisError], said: str
) -> None:
    graph = graph_of(tmp_path, text)
    with pytest.raises(error) as caught:
        rules_of(graph)
    assert said in str(caught.value)
    if error is UnsupportedRuleError:
        assert "shapes.ttl" in str(caught.value)


def test_alternatives_are_bounded(tmp_path: Path) -> None:
    path = "[ sh:path ( " + "[ sh:alternativePath ( :p :q ) ] " * 30 + ") ]"
    with pytest.raises(UnsupportedRuleError, match="at most 100 alternatives"):
        rules_of(graph_of(tmp_path, triple_rule("sh:this", ":p", path)))


@pytest.mark.parametrize(
    "text",
    [
        triple_rule("sh:this", ":p", ":x", more="; sh:condition :N") + " :N sh:node :N .",
        triple_rule("sh:this", ":p", "_:e") + " _:e sh:union ( _:e ) .",
        triple_rule("sh:this", ":p", "[ sh:path _:e ]") + " _:e sh:inversePath _:e .",
        triple_rule("sh:this", ":p", "_:e0")
        + "".join(f" _:e{n} sh:union ( _:e{n + 1} _:e{n + 1} ) ." for n in range(40))
        + " _:e40 sh:union () .",
    ],
)
def test_a_description_that_does_not_end_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnsupportedRuleError, match="a description that ends"):
        rules_of(graph_of(tmp_path, text))
