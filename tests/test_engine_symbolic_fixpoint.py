"""Semi-naive evaluation against the naive reference, and its errors and limits."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import RDF, RDFS, Literal, URIRef, Variable

from engine.symbolic import Budget, Rule, RuleSet, materialise, parse_rules
from engine.symbolic.rules import Atom
from kg.errors import ConfigError, StratificationError, UnsafeRuleError
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.naive import naive_closure, naive_violations
from tests.rule_programs import EX, Case, cases

PREFIXES = f"PREFIX : <{EX}> PREFIX rdfs: <{RDFS}>\n"
QUICK = settings(max_examples=50, derandomize=True, deadline=None)
THOROUGH = settings(max_examples=1000, derandomize=True, deadline=None)


def term(name: str) -> URIRef:
    return URIRef(EX + name)


def graph_of(*triples: str) -> KnowledgeGraph:
    """A graph of triples written `a p b`."""
    return KnowledgeGraph.from_triples([tuple(map(term, triple.split())) for triple in triples])  # type: ignore[misc]  # tuples of 3


def check_against_naive(case: Case) -> None:
    closure = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    facts = naive_closure(case.triples, case.rules.rules)
    assert set(closure.graph.triples()) == facts
    found = [(v.constraint, frozenset(v.substitution.items())) for v in closure.violations]
    assert len(found) == len(set(found)), "each violation once per constraint and substitution"
    assert set(found) == naive_violations(facts, case.triples, case.rules.constraints)
    assert [t for t in closure.graph.triples() if isinstance(t.subject, Literal)] == []


@given(cases())
@QUICK
def test_semi_naive_equals_naive_on_random_programs(case: Case) -> None:
    check_against_naive(case)


@pytest.mark.slow
@given(cases())
@THOROUGH
def test_semi_naive_equals_naive_on_many_random_programs(case: Case) -> None:
    check_against_naive(case)


edges = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30, unique=True)


@given(edges)
@QUICK
def test_recognised_transitivity_equals_generic(pairs: list[tuple[int, int]]) -> None:
    graph = KnowledgeGraph.from_triples([(term(f"n{a}"), term("p"), term(f"n{b}")) for a, b in pairs])
    recognised = parse_rules(PREFIXES + "RULE { ?x :p ?z } WHERE { ?x :p ?y . ?y :p ?z }")
    generic = parse_rules(PREFIXES + "RULE { ?x :p ?z } WHERE { ?x :p ?y . ?y :p ?z FILTER(true) }")
    expected = set(nx.transitive_closure(nx.DiGraph(pairs), reflexive=False).edges)
    for rules in (recognised, generic):
        closure = materialise(graph, rules, entailment="none")
        found = {
            tuple(int(str(t)[len(EX) + 1 :]) for t in (s, o)) for s, _, o in closure.graph.triples(None, term("p"))
        }
        assert found == expected


def test_a_rule_for_every_predicate_reaches_predicates_that_are_inferred() -> None:
    rules = parse_rules(
        PREFIXES
        + """RULE { ?y :seen ?p } WHERE { ?x ?p ?y }
             RULE { ?x ?q ?y } WHERE { ?x :p ?y . ?x :names ?q }"""
    )
    closure = materialise(graph_of("a p b", "a names q"), rules, entailment="none")
    assert set(closure.graph.triples(inferred=True)) == {
        Triple(*map(term, text.split()))
        for text in (
            "a p b",
            "a names q",
            "a q b",
            "b seen p",
            "q seen names",
            "b seen q",
            "p seen seen",
            "names seen seen",
            "q seen seen",
            "seen seen seen",
        )
    }


def test_run_once_rule_makes_one_blank_node_per_substitution() -> None:
    rules = parse_rules(PREFIXES + "RULE { [] :of ?x ; :about ?y } WHERE { ?x :p ?y }")
    closure = materialise(graph_of("a p b", "a p c"), rules, entailment="none")
    made = {s: o for s, _, o in closure.graph.triples(None, term("about"))}
    assert (len(made), set(made.values())) == (2, {term("b"), term("c")})
    assert set(closure.graph.triples(None, term("of"))) == {Triple(s, term("of"), term("a")) for s in made}


def test_a_blank_node_of_a_head_is_not_that_of_the_body() -> None:
    rules = parse_rules(PREFIXES + "RULE { _:b :copyOf ?x } WHERE { ?x :p _:b }")
    closure = materialise(graph_of("a p b"), rules, entailment="none")
    ((subject, _, _),) = closure.graph.triples(None, term("copyOf"))
    assert subject != term("b")


def test_no_literal_becomes_a_subject() -> None:
    rules = parse_rules(PREFIXES + "RULE { ?y :q ?x } WHERE { ?x :p ?y } RULE { ?x ?y ?x } WHERE { ?x :p ?y }")
    graph = KnowledgeGraph.from_triples([(term("a"), term("p"), Literal(1)), (term("a"), term("p"), term("b"))])
    closure = materialise(graph, rules, entailment="none")
    assert set(closure.graph.inferred.match(None, None, None)) == {
        closure.graph.encode((term("b"), term("q"), term("a"))),
        closure.graph.encode((term("a"), term("b"), term("a"))),
    }


def test_a_value_set_before_an_atom_is_joined_with_it() -> None:
    rules = parse_rules(PREFIXES + "RULE { ?x :same ?y } WHERE { ?x :age ?a SET(?b := ?a + 1) ?y :age ?b }")
    triples = [(term("a"), term("age"), Literal(1)), (term("b"), term("age"), Literal(2))]
    closure = materialise(KnowledgeGraph.from_triples(triples), rules, entailment="none")
    assert list(closure.graph.triples(None, term("same"))) == [Triple(term("a"), term("same"), term("b"))]


def test_not_reads_what_the_schema_adds_late() -> None:
    """The class hierarchy is closed before a NOT looks at it, however deep it is."""
    rules = parse_rules(PREFIXES + "RULE { ?x a :Odd } WHERE { ?x :p ?y NOT { ?x a :C } }")
    chain = [(term(a), RDFS.subClassOf, term(b)) for a, b in ("AB", "BC")]
    triples = [
        *chain,
        (term("x"), RDF.type, term("A")),
        (term("x"), term("p"), term("y")),
        (term("z"), term("p"), term("y")),
    ]
    closure = materialise(KnowledgeGraph.from_triples(triples), rules)
    assert [s for s, _, _ in closure.graph.triples(None, RDF.type, term("Odd"))] == [term("z")]


def test_unsafe_rule_is_refused_by_name() -> None:
    rule = Rule(
        term("loose"),
        (Atom(Variable("x"), term("q"), Variable("z")),),
        (Atom(Variable("x"), term("p"), Variable("y")),),
    )
    with pytest.raises(UnsafeRuleError, match=r"\?z in the head only.*'loose'"):
        materialise(graph_of("a p b"), RuleSet((rule,)), entailment="none")


def test_unstratifiable_rules_are_refused_even_where_nothing_matches() -> None:
    rules = parse_rules(
        PREFIXES
        + "RULE :one { ?x :q ?y } WHERE { ?x :p ?y NOT { ?x :r ?y } } RULE :two { ?x :r ?y } WHERE { ?x :q ?y }"
    )
    with pytest.raises(StratificationError, match=r"'one'.*'two'"):
        materialise(graph_of("a s b"), rules, entailment="none")


@pytest.mark.parametrize("limit", [Budget(triples=5), Budget(rounds=1), Budget(substitutions=5), Budget(seconds=0)])
def test_a_budget_that_runs_out_marks_the_closure_incomplete(limit: Budget, caplog: pytest.LogCaptureFixture) -> None:
    rules = parse_rules(
        PREFIXES + "RULE :two { ?x :q ?z } WHERE { ?x :p ?y . ?y :p ?z } RULE { ?x :p ?y } WHERE { ?x :q ?y }"
    )
    graph = graph_of(*(f"n{i} p n{i + 1}" for i in range(20)))
    closure = materialise(graph, rules, entailment="none", budget=limit)
    assert closure.incomplete
    assert set(closure.graph.triples()) < set(materialise(graph, rules, entailment="none").graph.triples())
    assert "incomplete" in caplog.text


def test_a_negative_budget_is_refused() -> None:
    with pytest.raises(ConfigError, match="rounds"):
        Budget(rounds=-1)


def test_an_empty_graph_has_an_empty_closure() -> None:
    closure = materialise(
        KnowledgeGraph.from_triples([]),
        parse_rules(PREFIXES + "RULE { ?x :q ?y } WHERE { ?x :p ?y }"),
        entailment="none",
    )
    assert (len(closure.graph), closure.violations, closure.incomplete) == (0, (), None)
