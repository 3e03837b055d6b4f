"""N3 rules -> rules: what is taken, what is refused, and the same program as rdflib and two other files say."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from rdflib import RDF, Graph, URIRef, Variable
from rdflib.graph import QuotedGraph

from engine.symbolic import Constraint, load_rules, materialise, parse_rules, replay, ruleset_text
from engine.symbolic.imports import parse_jena, parse_n3
from engine.symbolic.rules import Atom, Rule
from kg.errors import LimitError, PlacedError, SyntaxInputError, UnsafeRuleError, UnsupportedRuleError
from kg.graph import KnowledgeGraph

LUBM = Path(__file__).parents[2] / "shared" / "data" / "lubm"
PREFIXES = """@prefix : <http://e/#> .
PREFIX math: <http://www.w3.org/2000/10/swap/math#>
@prefix log: <http://www.w3.org/2000/10/swap/log#> .
"""
PROGRAM = (
    PREFIXES
    + """
:a :p 5, 6 ; :r (1 2) . # facts
{ ?x :p ?y . (?y 1 ?y) math:sum ?z . ?z math:greaterThan 11 } => { ?x :q ?z ; :s [ :t ?y ] } .
{ ?x :q ?x . ?x log:notEqualTo :b } => false .
{ ?x :n ?y } <= { ?y :m ?x . _:b :r (?x 2) } .
{ } => { :a :b :c } .
"""
)


def closure_of(text: str) -> set[str]:
    """What follows from the facts and rules of a text, short; every proof is replayed."""
    rules = parse_n3(text)
    facts = KnowledgeGraph.from_triples(rules.data, prefixes=rules.prefixes)
    closure = materialise(facts, rules, entailment="none")
    new = [triple for triple in closure.graph.triples() if not closure.graph.contains(triple, inferred=False)]
    for triple in new:
        replay(closure.proof(triple), closure.graph, closure.rules)
    return {" ".join(map(closure.graph.curie, triple)) for triple in new}


def test_a_rule_is_the_one_that_sparql_rl_says() -> None:
    text = PREFIXES + "{ ?x :p ?y . _:b :q ?y . (?y 1) math:sum ?z } => { ?x :r ?z , _:b } ."
    expected = """PREFIX : <http://e/#>
    RULE { ?x :r ?z . ?x :r _:b } WHERE { ?x :p ?y . _:b :q ?y SET(?z := ?y + 1) }"""
    assert parse_n3(text).rules == parse_rules(expected).rules


def test_an_imported_program_prints_as_sparql_rl_and_parses_back_equal() -> None:
    rules = parse_n3(PROGRAM)
    assert (len(rules.rules), len(rules.constraints), len(rules.data)) == (3, 1, 7)
    assert parse_rules(ruleset_text(rules)) == rules


def test_a_rule_knows_its_file_and_line() -> None:
    rules = parse_n3(PROGRAM, file="a.n3")
    assert [str(rule.location) for rule in rules] == ["a.n3:6", "a.n3:8", "a.n3:9", "a.n3:7"]


def test_the_closure_computes() -> None:
    text = (
        PREFIXES
        + """:a :p 5 , 6 .
    { ?x :p ?y . (?y 1 ?y) math:sum ?z . ?z math:greaterThan 11 } => { ?x :q ?z } ."""
    )
    assert closure_of(text) == {':a :q "13"^^<http://www.w3.org/2001/XMLSchema#integer>'}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("?x math:equalTo 2 .", {2}),
        ("?x math:notEqualTo 2 .", {1, 3}),
        ("?x math:lessThan 2 .", {1}),
        ("?x math:notLessThan 2 .", {2, 3}),
        ("?x math:greaterThan 2 .", {3}),
        ("?x math:notGreaterThan 2 .", {1, 2}),
        ("?x log:equalTo 2 .", {2}),
        ("?x log:notEqualTo 2 .", {1, 3}),
        ("(?x 1) math:sum 3 .", {2}),
        ("(?x 1) math:difference 2 .", {3}),
        ("(?x ?x) math:product 9 .", {3}),
        ("(?x 2) math:quotient 1 .", {2}),
        ("?x math:negation ?y . ?y math:lessThan -2 .", {3}),
    ],
)
def test_a_built_in_keeps_what_it_should(body: str, found: set[int]) -> None:
    text = PREFIXES + f":a :p 1, 2, 3 . {{ :a :p ?x . {body} }} => {{ :a :q ?x }} ."
    number = '"{}"^^<http://www.w3.org/2001/XMLSchema#integer>'
    assert closure_of(text) == {f":a :q {number.format(n)}" for n in found}


def test_a_head_that_is_false_makes_a_constraint() -> None:
    (rule,) = parse_n3("{ ?x a ?y . } => false .").constraints
    assert isinstance(rule, Constraint)
    assert rule.body == (Atom(Variable("x"), RDF.type, Variable("y")),)


@pytest.mark.parametrize(
    ("text", "error", "said", "line"),
    [
        ("{ ?x :p\n {?a :q ?b} } => { ?x :q ?x } .", UnsupportedRuleError, "a formula as a term", 5),
        ("@forAll :x .", UnsupportedRuleError, "quantifiers", 4),
        ("{ ?x = ?y } => { ?x :p ?y } .", UnsupportedRuleError, "owl:sameAs", 4),
        ("{ ?x!:p :q ?y } => { ?x :p ?y } .", UnsupportedRuleError, "a path with '!'", 4),
        ("?x :p ?y .", UnsupportedRuleError, "a variable inside a formula only", 4),
        ("{ ?x :p ?y } => { } .", UnsupportedRuleError, "a head that says something", 4),
        ("{ ?x :p ?y } => true .", UnsupportedRuleError, "a head that says something", 4),
        ("{ ?x :p ?y . } => { (?x 1) math:sum ?y } .", UnsupportedRuleError, "no built-in in a head", 4),
        ("{ ?x math:sin ?y } => { ?x :p ?y } .", UnsupportedRuleError, "math#sin", 4),
        ("\n{ ?x log:includes ?y } => { ?x :p ?y } .", UnsupportedRuleError, "log#includes", 5),
        ("{ ?x :p ?y . (?x) math:sum ?z } => { ?x :p ?z } .", UnsupportedRuleError, "two terms or more", 4),
        ("{ ?x :p/:q ?y } => { ?x :p ?y } .", SyntaxInputError, "a SPARQL path, which N3 has not", 4),
        ("{ ?x :p ?y } => { ?x :q ?z } .", UnsafeRuleError, "got ?z in the head only", 4),
        ("{ ?x :p ?y . ?z math:lessThan 3 } => { ?x :q ?y } .", UnsafeRuleError, "got ?z", 4),
        ("{ ?x :p ?y } => { ?x :q", SyntaxInputError, "got the end of the text", 4),
        ("{ ?x nope:p ?y } => { ?x :q ?y } .", SyntaxInputError, "Expected a declared prefix", 4),
    ],
)
def test_what_cannot_be_imported_is_refused_by_name_and_place(
    text: str, error: type[PlacedError], said: str, line: int
) -> None:
    with pytest.raises(error) as caught:
        parse_n3(PREFIXES + text, file="a.n3")
    assert said in str(caught.value)
    assert (caught.value.file, caught.value.line) == ("a.n3", line)


def test_a_text_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.symbolic.imports.grammar.MAX_BYTES", 10)
    with pytest.raises(LimitError, match="at most 10 characters"):
        parse_n3("{ ?x a ?y } => { ?y a ?x } .")


def test_deep_nesting_is_refused_before_it_takes_long() -> None:
    deep = "[ :p " * 900 + ":o" + " ]" * 900
    assert len(parse_n3(f"{PREFIXES}:s :p {deep} .").data) == 901
    deep = "[ :p " * 1_000_000 + ":o" + " ]" * 1_000_000
    with pytest.raises(LimitError, match="nested at most 1000 deep"):
        parse_n3(f"{PREFIXES}:s :p {deep} .")


def test_files_are_read_by_their_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.n3").write_text("{ ?x a ?y } => { ?y a ?x } .", encoding="utf-8")
    (tmp_path / "b.srl").write_text("IMPORTS <a.n3> RULE { ?x a ?x } WHERE { ?y a ?x }", encoding="utf-8")
    rules = load_rules(tmp_path / "b.srl")
    assert [str(rule.location) for rule in rules] == [f"{tmp_path / 'b.srl'}:1", "a.n3:1"]
    (tmp_path / "c.n3").write_text("@prefix : <#> . { ?x a :C } => { ?x a :D } .", encoding="utf-8")
    (rule,) = load_rules(tmp_path / "c.n3")
    assert rule.head[0].object == URIRef((tmp_path / "c.n3").as_uri() + "#D")


def rdflib_rules(path: Path) -> list[tuple[frozenset[Atom], frozenset[Atom]]]:
    """Bodies and heads as rdflib reads them: a second implementation, given a file of our own."""
    with warnings.catch_warnings():  # rdflib's own parser uses what rdflib deprecates
        warnings.simplefilter("ignore", DeprecationWarning)
        graph = Graph().parse(path, format="n3")
    implies = URIRef("http://www.w3.org/2000/10/swap/log#implies")
    found = []
    for body, head in graph.subject_objects(implies):
        assert isinstance(body, QuotedGraph)
        assert isinstance(head, QuotedGraph)
        found.append((frozenset(Atom(*t) for t in body), frozenset(Atom(*t) for t in head)))
    return found


@pytest.mark.skipif(not LUBM.is_dir(), reason="the shared LUBM data are not beside this checkout")
def test_the_98_rules_of_lubm_are_the_same_in_n3_jena_and_json() -> None:
    n3 = parse_n3((LUBM / "rulesL.n3").read_text("utf-8"))
    jena = parse_jena((LUBM / "rulesL.jena").read_text("utf-8"))
    assert n3.rules == jena.rules
    namespace = "http://swat.cse.lehigh.edu/onto/univ-bench.owl#"

    def atom(name: str, *arguments: str) -> Atom:
        s, *rest = map(Variable, arguments)
        return Atom(s, URIRef(namespace + name), rest[0]) if rest else Atom(s, RDF.type, URIRef(namespace + name))

    told = json.loads((LUBM / "rulesL.json").read_text("utf-8"))
    assert n3.rules == tuple(Rule(None, (atom(*head),), tuple(atom(*a) for a in body)) for head, body, _ in told)
    assert len(n3.rules) == 98
    read = rdflib_rules(LUBM / "rulesL.n3")
    assert {(frozenset(r.body_atoms), frozenset(r.head)) for r in n3.rules} == set(read)
