"""SWRL rules of a graph -> rules: atoms, built-ins, refusals, and the closure of a domain that has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from rdflib import Literal, URIRef

from engine.symbolic import materialise, parse_rules, rules_of, ruleset_text
from kg import KnowledgeGraph, load_graph
from kg.errors import UnsafeRuleError, UnsupportedRuleError
from pipelines.build import close

TURTLE = """@prefix : <http://e/#> . @prefix swrl: <http://www.w3.org/2003/11/swrl#> .
@prefix swrlb: <http://www.w3.org/2003/11/swrlb#> . @prefix var: <urn:swrl:var#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix dct: <http://purl.org/dc/terms/> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
var:x a swrl:Variable . var:y a swrl:Variable . var:z a swrl:Variable .
"""
XML = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:swrl="http://www.w3.org/2003/11/swrl#">
  <swrl:Variable rdf:about="http://e/#p"/> <swrl:Variable rdf:about="http://e/#b"/> <swrl:Variable rdf:about="http://e/#u"/>
  <swrl:Imp rdf:about="http://e/#uncle">
    <swrl:body><swrl:AtomList>
      <rdf:first><swrl:IndividualPropertyAtom>
        <swrl:propertyPredicate rdf:resource="http://e/#hasParent"/>
        <swrl:argument1 rdf:resource="http://e/#p"/><swrl:argument2 rdf:resource="http://e/#b"/>
      </swrl:IndividualPropertyAtom></rdf:first>
      <rdf:rest><swrl:AtomList>
        <rdf:first><swrl:IndividualPropertyAtom>
          <swrl:propertyPredicate rdf:resource="http://e/#hasBrother"/>
          <swrl:argument1 rdf:resource="http://e/#b"/><swrl:argument2 rdf:resource="http://e/#u"/>
        </swrl:IndividualPropertyAtom></rdf:first>
        <rdf:rest rdf:resource="http://www.w3.org/1999/02/22-rdf-syntax-ns#nil"/>
      </swrl:AtomList></rdf:rest>
    </swrl:AtomList></swrl:body>
    <swrl:head><swrl:AtomList>
      <rdf:first><swrl:IndividualPropertyAtom>
        <swrl:propertyPredicate rdf:resource="http://e/#hasUncle"/>
        <swrl:argument1 rdf:resource="http://e/#p"/><swrl:argument2 rdf:resource="http://e/#u"/>
      </swrl:IndividualPropertyAtom></rdf:first>
      <rdf:rest rdf:resource="http://www.w3.org/1999/02/22-rdf-syntax-ns#nil"/>
    </swrl:AtomList></swrl:head>
  </swrl:Imp>
</rdf:RDF>
"""


def graph_of(tmp_path: Path, text: str) -> KnowledgeGraph:
    path = tmp_path / "rules.ttl"
    path.write_text(TURTLE + text, encoding="utf-8")
    return load_graph(path)


def imp(body: str, head: str, name: str = ":r") -> str:
    return f"{name} a swrl:Imp ; swrl:body ( {body} ) ; swrl:head ( {head} ) .\n"


def cls(name: str, argument: str) -> str:
    return f"[ a swrl:ClassAtom ; swrl:classPredicate {name} ; swrl:argument1 {argument} ]"


def prop(name: str, first: str, second: str, kind: str = "IndividualPropertyAtom") -> str:
    return f"[ a swrl:{kind} ; swrl:propertyPredicate {name} ; swrl:argument1 {first} ; swrl:argument2 {second} ]"


def builtin(name: str, *arguments: str) -> str:
    return f"[ a swrl:BuiltinAtom ; swrl:builtin {name} ; swrl:arguments ( {' '.join(arguments)} ) ]"


def test_a_rule_of_an_owl_file_in_rdf_xml(tmp_path: Path) -> None:
    path = tmp_path / "family.owl"
    path.write_text(XML, encoding="utf-8")
    expected = """PREFIX : <http://e/#>
    RULE :uncle { ?p :hasUncle ?u } WHERE { ?p :hasParent ?b . ?b :hasBrother ?u }"""
    assert rules_of(load_graph(path)).rules == parse_rules(expected).rules


def test_every_kind_of_atom(tmp_path: Path) -> None:
    same = "[ a swrl:SameIndividualAtom ; swrl:argument1 var:x ; swrl:argument2 :bob ]"
    other = "[ a swrl:DifferentIndividualsAtom ; swrl:argument1 var:x ; swrl:argument2 var:y ]"
    aged = prop(":age", "var:x", "var:z", "DatavaluedPropertyAtom")
    body = " ".join((cls(":Person", "var:x"), prop(":knows", "var:x", "var:y"), aged, same, other))
    text = imp(body, prop(":likes", "var:y", ":bob") + prop(":size", "var:y", "3", "DatavaluedPropertyAtom"))
    text += ':r rdfs:comment "Why." ; dct:source "A book." .'
    expected = """PREFIX : <http://e/#> PREFIX owl: <http://www.w3.org/2002/07/owl#>
    PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> PREFIX dct: <http://purl.org/dc/terms/>
    RULE :r { ?y :likes :bob . ?y :size 3 }
    WHERE { ?x a :Person . ?x :knows ?y . ?x :age ?z . ?x owl:sameAs :bob . ?x owl:differentFrom ?y }
    DATA { :r rdfs:comment "Why." ; dct:source "A book." }"""
    assert rules_of(graph_of(tmp_path, text)).rules == parse_rules(expected).rules


def test_imported_rules_print_as_sparql_rl_and_parse_back_equal(tmp_path: Path) -> None:
    text = imp(
        f"{builtin('swrlb:greaterThan', 'var:z', '5')} {prop(':age', 'var:x', 'var:y')} "
        f"{builtin('swrlb:add', 'var:z', 'var:y', '1', '2')}",
        prop(":old", "var:x", "var:z"),
    )
    text += imp(prop(":p", "var:x", "var:x"), "", "_:anonymous") + ':r rdfs:comment "Why." .'
    rules = rules_of(graph_of(tmp_path, text))
    assert (len(rules.rules), len(rules.constraints)) == (1, 1)
    assert parse_rules(ruleset_text(rules)) == rules
    assert [str(element) for element in rules.rules[0].body[1:]] == [
        'SET(?z := ((?y + "1"^^<http://www.w3.org/2001/XMLSchema#integer>) '
        '+ "2"^^<http://www.w3.org/2001/XMLSchema#integer>))',
        'FILTER((?z > "5"^^<http://www.w3.org/2001/XMLSchema#integer>))',
    ]


@pytest.mark.parametrize(
    ("name", "arguments", "found"),
    [
        ("equal", "var:y 2", "2"),
        ("notEqual", "var:y 2", "13"),
        ("lessThan", "var:y 2", "1"),
        ("lessThanOrEqual", "var:y 2", "12"),
        ("greaterThan", "var:y 2", "3"),
        ("greaterThanOrEqual", "var:y 2", "23"),
        ("add", "3 var:y 1", "2"),
        ("subtract", "1 3 var:y", "2"),
        ("multiply", "6 var:y 2", "3"),
        ("divide", "1.5 var:y 2", "3"),
        ("abs", "2 var:y", "2"),
        ("unaryMinus", "-2 var:y", "2"),
    ],
)
def test_a_built_in_keeps_what_it_should(tmp_path: Path, name: str, arguments: str, found: str) -> None:
    body = prop(":p", "var:x", "var:y") + builtin(f"swrlb:{name}", *arguments.split())
    graph = graph_of(tmp_path, ":a :p 1, 2, 3 .\n" + imp(body, prop(":q", "var:x", "var:y")))
    closed = materialise(graph, rules_of(graph), entailment="none").graph
    assert "".join(sorted(str(t.object) for t in closed.triples(None, URIRef("http://e/#q")))) == found


def test_texts_are_compared_and_made(tmp_path: Path) -> None:
    body = prop(":p", "var:x", "var:y") + builtin("swrlb:startsWith", "var:y", '"an"')
    body += builtin("swrlb:stringConcat", "var:z", "var:y", '"!"')
    graph = graph_of(tmp_path, ':a :p "ann", "bob" .\n' + imp(body, prop(":q", "var:x", "var:z")))
    closed = materialise(graph, rules_of(graph), entailment="none").graph
    assert [t.object for t in closed.triples(None, URIRef("http://e/#q"))] == [Literal("ann!")]


def test_variables_with_one_local_name_stay_apart(tmp_path: Path) -> None:
    text = "<http://other/x> a swrl:Variable .\n" + imp(
        prop(":p", "var:x", "<http://other/x>"), prop(":q", "<http://other/x>", "var:x")
    )
    (rule,) = rules_of(graph_of(tmp_path, text)).rules
    assert [str(v) for v in rule.body_atoms[0].variables] == ["x", "x_2"]
    assert [str(v) for v in rule.head[0].variables] == ["x_2", "x"]


def test_a_rule_that_is_switched_off_is_left_out(tmp_path: Path) -> None:
    off = ":r <http://swrl.stanford.edu/ontologies/3.3/swrla.owl#isRuleEnabled> false ."
    assert not rules_of(graph_of(tmp_path, imp(cls(":A", "var:x"), cls(":B", "var:x")) + off))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (imp(cls("[ a owl:Class ]", "var:x"), cls(":B", "var:x")), "Expected a named class"),
        (imp("[ a swrl:DataRangeAtom ; swrl:argument1 var:x ]", cls(":B", "var:x")), "no swrl:DataRangeAtom"),
        (imp(builtin("swrlb:sin", "var:x", "1"), cls(":B", "var:x")), "swrlb#sin"),
        (imp(builtin(":mine", "var:x", "1"), cls(":B", "var:x")), "http://e/#mine"),
        (imp(builtin("swrlb:equal", "var:x"), cls(":B", "var:x")), "Expected 2 arguments"),
        (imp(cls(":A", "var:x"), builtin("swrlb:equal", "var:x", "1")), "no built-in in a head"),
        (imp("[ a swrl:NewAtom ]", cls(":B", "var:x")), "got a blank node of type swrl:NewAtom"),
        (imp("[ a swrl:ClassAtom ; swrl:argument1 var:x ]", cls(":B", "var:x")), "swrl:classPredicate (got none)"),
        (":r a swrl:Imp ; swrl:body _:l . _:l <http://www.w3.org/1999/02/22-rdf-syntax-ns#first> :a .", "rest"),
    ],
)
def test_what_cannot_be_imported_is_refused_by_name_and_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UnsupportedRuleError) as caught:
        rules_of(graph_of(tmp_path, text))
    assert said in str(caught.value)
    assert caught.value.file == str(tmp_path / "rules.ttl")


def test_a_list_that_runs_in_a_circle_is_refused(tmp_path: Path) -> None:
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    text = f":r a swrl:Imp ; swrl:body _:l . _:l <{rdf}first> {cls(':A', 'var:x')} ; <{rdf}rest> _:l ."
    with pytest.raises(UnsupportedRuleError, match="runs in a circle"):
        rules_of(graph_of(tmp_path, text))


def test_a_variable_of_the_head_alone_is_unsafe(tmp_path: Path) -> None:
    with pytest.raises(UnsafeRuleError, match=r"got \?y in the head only"):
        rules_of(graph_of(tmp_path, imp(cls(":A", "var:x"), cls(":B", "var:y"))))


def test_a_domain_is_closed_under_the_rules_in_its_graph_and_in_files_of_every_language(tmp_path: Path) -> None:
    graph_of(tmp_path, ":a a :A .\n" + imp(cls(":A", "var:x"), cls(":B", "var:x")))
    (tmp_path / "more.n3").write_text("{ ?x a <http://e/#B> } => { ?x a <http://e/#C> } .", encoding="utf-8")
    (tmp_path / "most.rules").write_text(
        "[r: (?x rdf:type <http://e/#C>) -> (?x rdf:type <http://e/#D>)]", encoding="utf-8"
    )
    _, closure = close(tmp_path)
    kinds = closure.graph.triples(URIRef("http://e/#a"), "rdf:type", None)
    assert {closure.graph.curie(t.object) for t in kinds} == {":A", ":B", ":C", ":D"}
    (tmp_path / "domain.toml").write_text('rules = ["more.n3"]\n', encoding="utf-8")
    _, closure = close(tmp_path)
    kinds = closure.graph.triples(URIRef("http://e/#a"), "rdf:type", None)
    assert {closure.graph.curie(t.object) for t in kinds} == {":A", ":B", ":C"}
