"""Jena rules -> rules: what is taken, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from rdflib import BNode, Literal, URIRef

from engine.symbolic import load_rules, materialise, parse_rules, replay, ruleset_text
from engine.symbolic.imports import parse_jena
from kg.errors import PlacedError, SyntaxInputError, UnsafeRuleError, UnsupportedRuleError
from kg.graph import KnowledgeGraph

EX = "http://e/#"
PREFIX = "@prefix ex: <http://e/#>.\n"
PROGRAM = (
    PREFIX
    + """# a comment
// another
[big: (?a ex:p ?b), greaterThan(?b, 5) -> (?a ex:q 'x'^^xsd:string) (?a rdf:type ex:C)]
[back: (?a ex:r ?c) <- (?a ex:p ?b) sum(?b, 1, ?c) noValue(?a ex:z) noValue(?a, ex:y, ?b)]
[ (?a ex:p ?_) (?_ ex:p ?a) makeTemp(?t) -> (?a ex:has ?t) (?t ex:of ?a) ]
bare: (?a ex:p ?b) -> (?b ex:ip ?a) .
"""
)


def inferred(rules: str, *numbers: int) -> set[tuple[str, str]]:
    """Inferred predicate and object of `ex:a`, where `ex:a ex:p` the numbers; every proof is replayed."""
    facts = [(URIRef(EX + "a"), URIRef(EX + "p"), Literal(number)) for number in numbers]
    graph = KnowledgeGraph.from_triples(facts)
    closure = materialise(graph, parse_jena(PREFIX + rules), entailment="none")
    new = [t for t in closure.graph.triples(URIRef(EX + "a")) if not closure.graph.contains(t, inferred=False)]
    for triple in new:
        replay(closure.proof(triple), closure.graph, closure.rules)
    return {(str(t.predicate).removeprefix(EX), str(t.object)) for t in new}


def test_rules_are_those_that_sparql_rl_says() -> None:
    name = "urn:noesis:rules:a.rules#"
    expected = f"""PREFIX ex: <http://e/#>
    RULE <{name}big> {{ ?a ex:q "x" . ?a a ex:C }} WHERE {{ ?a ex:p ?b FILTER(?b > 5) }}
    RULE <{name}back> {{ ?a ex:r ?c }}
    WHERE {{ ?a ex:p ?b SET(?c := ?b + 1) NOT {{ ?a ex:z ?_any0 }} NOT {{ ?a ex:y ?b }} }}
    RULE {{ ?a ex:has _:temp_t . _:temp_t ex:of ?a }} WHERE {{ ?a ex:p ?_any1 . ?_any2 ex:p ?a }}
    RULE <{name}bare> {{ ?b ex:ip ?a }} WHERE {{ ?a ex:p ?b }}"""
    assert parse_jena(PROGRAM, file="a.rules").rules == parse_rules(expected).rules


def test_an_imported_program_prints_as_sparql_rl_and_parses_back_equal() -> None:
    rules = parse_jena(PROGRAM, file="my file.rules")
    assert len(rules) == 4
    assert parse_rules(ruleset_text(rules)) == rules


def test_a_rule_knows_its_name_file_and_line() -> None:
    rules = parse_jena(PROGRAM, file="a.rules")
    assert [(rule.name, str(rule.location)) for rule in rules] == [
        ("big", "a.rules:4"),
        ("back", "a.rules:5"),
        ("rule at a.rules:6", "a.rules:6"),
        ("bare", "a.rules:7"),
    ]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("equal(?x, 2)", {"2"}),
        ("notEqual(?x, 2)", {"1", "3"}),
        ("lessThan(?x, 2)", {"1"}),
        ("greaterThan(?x, 2)", {"3"}),
        ("le(?x, 2)", {"1", "2"}),
        ("ge(?x, 2)", {"2", "3"}),
        ("sum(?x, 1, 3)", {"2"}),
        ("difference(?x, 1, 2)", {"3"}),
        ("product(?x, ?x, 9)", {"3"}),
        ("addOne(?x, 2)", {"1"}),
        ("min(?x, 2, ?m) equal(?m, 2)", {"2", "3"}),
        ("max(?x, 2, ?m) equal(?m, 2)", {"1", "2"}),
        ("strConcat(?x, '!', ?s) equal(?s, '3!')", {"3"}),
        ("isLiteral(?x)", {"1", "2", "3"}),
        ("notLiteral(?x)", set()),
        ("isBNode(?x)", set()),
        ("notBNode(?x)", {"1", "2", "3"}),
        ("noValue(ex:a, ex:p, 4)", {"1", "2", "3"}),
        ("noValue(ex:a, ex:p)", set()),
        ("equal(?y, 3) sum(?x, 1, ?y)", {"2"}),
    ],
)
def test_a_built_in_keeps_what_it_should(condition: str, found: set[str]) -> None:
    assert inferred(f"[(ex:a ex:p ?x) {condition} -> (ex:a ex:q ?x)]", 1, 2, 3) == {("q", x) for x in found}


def test_make_temp_makes_one_node_for_each_match() -> None:
    graph = KnowledgeGraph.from_triples([(URIRef(EX + s), URIRef(EX + "p"), Literal(1)) for s in "ab"])
    rules = parse_jena(PREFIX + "[(?a ex:p ?b) makeTemp(?t) -> (?a ex:has ?t)]")
    made = [t.object for t in materialise(graph, rules, entailment="none").graph.triples(None, URIRef(EX + "has"))]
    assert len(set(made)) == 2
    assert {type(term) for term in made} == {BNode}


@pytest.mark.parametrize(
    ("text", "error", "said", "line"),
    [
        ("[(?x ex:p ?y)\n -> print(?x)]", UnsupportedRuleError, "got the action print", 3),
        ("[(?x ex:p ?y) lesThan(?x, 1) -> (?x ex:q ?y)]", UnsupportedRuleError, "did you mean lessThan?", 2),
        ("[(?x ex:p ?y) equal(?x) -> (?x ex:q ?y)]", UnsupportedRuleError, "Expected 2 arguments of equal (got 1)", 2),
        ("[(?x ex:p ?y) -> [ (?a ex:q ?b) <- (?x ex:p ?b) ] ]", UnsupportedRuleError, "a rule inside a rule", 2),
        ("@include <RDFS>.", UnsupportedRuleError, "@include", 2),
        ("[(?x ex:p f(?x)) -> (?x ex:q ?x)]", UnsupportedRuleError, "a functor as a term", 2),
        ("[(?x ex:p ?y) -> ]", UnsupportedRuleError, "Expected a triple in the head", 2),
        ("[(?x ex:p ?y) -> (?x ex:q ?z)]", UnsafeRuleError, "got ?z in the head only", 2),
        ("[(?x ex:p ?y) lessThan(?z, 1) -> (?x ex:q ?y)]", UnsafeRuleError, "got ?z", 2),
        ("[(?x nope:p ?y) -> (?x ex:q ?y)]", SyntaxInputError, "Expected a declared prefix", 2),
        ("[(?x ex:p) -> (?x ex:q ?y)]", SyntaxInputError, "Expected a Jena rule", 2),
        ("[(?x ex:p ?y) -> (?x ex:q ?y)", SyntaxInputError, "got the end of the text", 2),
    ],
)
def test_what_cannot_be_imported_is_refused_by_name_and_place(
    text: str, error: type[PlacedError], said: str, line: int
) -> None:
    with pytest.raises(error) as caught:
        parse_jena(PREFIX + text, file="a.rules")
    assert said in str(caught.value)
    assert (caught.value.file, caught.value.line) == ("a.rules", line)


@pytest.mark.parametrize("suffix", ["rules", "jena"])
def test_files_are_read_by_their_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_text(PROGRAM, encoding="utf-8")
    assert [rule.location and rule.location.line for rule in load_rules(path)] == [4, 5, 6, 7]
