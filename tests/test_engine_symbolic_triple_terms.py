"""Triple terms in rules: against the naive reference, proofs that replay, checks that equal a fresh closure."""

from __future__ import annotations

import pytest
from hypothesis import given
from rdflib import BNode, Literal, URIRef

from engine.symbolic import Closure, materialise, parse_rules, replay
from engine.symbolic.replay import ReplayError
from kg.graph import KnowledgeGraph
from kg.terms import Triple, TripleTerm
from tests.language_programs import language_cases
from tests.rule_programs import Case
from tests.test_engine_symbolic_check import check_against_fresh_closures
from tests.test_engine_symbolic_fixpoint import QUICK, THOROUGH, check_against_naive

E = "http://e/"
PREFIX = f"PREFIX : <{E}> PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>\n"


def close(text: str) -> Closure:
    return materialise(KnowledgeGraph.from_triples([]), parse_rules(PREFIX + text), entailment="none")


def inferred(text: str) -> set[str]:
    """What follows, each triple as text with the namespace left out and blank nodes as `_`."""
    graph = close(text).graph
    graph.prefixes[""] = E
    triples = (t for t in graph.triples() if not graph.contains(t, inferred=False))
    return {" ".join("_" if isinstance(x, BNode) else graph.curie(x) for x in t) for t in triples}


def check_language(case: Case) -> None:
    check_against_naive(case)
    check_against_fresh_closures(case)
    closure = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    for triple in closure.graph.triples():
        replay(closure.proof(triple), closure.graph, closure.rules)
    for violation in closure.violations:
        replay(violation.proof, closure.graph, closure.rules)


@given(language_cases())
@QUICK
def test_random_programs_with_triple_terms_and_aggregates(case: Case) -> None:
    check_language(case)


@pytest.mark.slow
@given(language_cases())
@THOROUGH
def test_many_random_programs_with_triple_terms_and_aggregates(case: Case) -> None:
    check_language(case)


def test_a_pattern_binds_the_parts_of_a_nested_triple_term() -> None:
    text = "DATA { :a :says <<( :b :thinks <<( :c :is 1 )>> )>> , <<( :b :is 1 )>> }"
    assert inferred(text + "RULE { ?x :about ?y ; :value ?v } WHERE { :a :says <<( ?x ?p <<( ?y :is ?v )>> )>> }") == {
        ":b :about :c",
        f':b :value "1"^^<{Literal(1).datatype}>',
    }


def test_a_part_that_occurs_twice_has_one_value() -> None:
    text = "DATA { :a :says <<( :b :knows :b )>> , <<( :b :knows :a )>> , <<( :a :knows :c )>> }"
    assert inferred(text + "RULE { ?x :vain true } WHERE { ?a :says <<( ?x :knows ?x )>> }") == {
        ':b :vain "true"^^<http://www.w3.org/2001/XMLSchema#boolean>'
    }
    assert inferred(text + "RULE { ?a :self ?x } WHERE { ?a :says <<( ?a :knows ?x )>> }") == {":a :self :c"}


def test_a_part_bound_elsewhere_meets_an_inner_triple_term_that_was_never_seen_alone() -> None:
    text = "DATA { :b :says <<( :a :p <<( :a :p :b )>> )>> }"
    assert inferred(text + "RULE { ?z :vain :a } WHERE { ?z :says <<( :a :p <<( :a :p ?z )>> )>> }") == {":b :vain :a"}


def test_an_annotation_in_a_head_makes_one_reifier_for_each_match() -> None:
    text = "DATA { :a :p :b , :c } RULE { ?x :q ?y {| :by :me |} } WHERE { ?x :p ?y }"
    found = inferred(text)
    assert found == {
        ":a :q :b",
        ":a :q :c",
        "_ rdf:reifies <<( :a :q :b )>>",
        "_ rdf:reifies <<( :a :q :c )>>",
        "_ :by :me",
    }
    by_me = close(text).graph.triples(None, URIRef(E + "by"), None)
    assert len({triple.subject for triple in by_me}) == 2


def test_no_triple_term_gets_a_literal_as_subject_or_becomes_a_subject() -> None:
    assert inferred("DATA { :a :p 1 } RULE { ?y :q 1 . :x :says <<( ?y :q 1 )>> . :x :ok 1 } WHERE { ?x :p ?y }") == {
        f':x :ok "1"^^<{Literal(1).datatype}>'
    }
    assert inferred("DATA { :a :p <<( :b :q :c )>> } RULE { ?y :r :a } WHERE { ?x :p ?y }") == set()


def test_not_looks_into_triple_terms() -> None:
    text = "DATA { :a :p :b . :c :p :d . :r rdf:reifies <<( :a :p :b )>> }"
    assert inferred(text + "RULE { ?x :bare ?y } WHERE { ?x :p ?y NOT { ?r rdf:reifies <<( ?x :p ?z )>> } }") == {
        ":c :bare :d"
    }


def test_functions_make_triple_terms_and_take_them_apart() -> None:
    text = "DATA { :a :p :b } RULE { ?x :told ?t ; :again ?s } WHERE { ?x :p ?y SET(?t := TRIPLE(?x, :p, ?y)) "
    assert inferred(text + "SET(?s := OBJECT(?t)) FILTER(isTRIPLE(?t) && ?t = <<( ?x :p ?y )>>) }") == {
        ":a :told <<( :a :p :b )>>",
        ":a :again :b",
    }


def test_a_proof_with_another_triple_term_is_refused() -> None:
    closure = close("DATA { :a :p :b } RULE :r { ?x :told <<( ?x :p ?y )>> } WHERE { ?x :p ?y }")
    (told,) = closure.graph.triples(None, URIRef(E + "told"), None)
    proof = closure.proof(told)
    assert replay(proof, closure.graph, closure.rules) == 2
    a, b, p = (URIRef(E + name) for name in "abp")
    wrong = type(proof)(Triple(a, told.predicate, TripleTerm(b, p, a)), proof.rule, proof.substitution, proof.premises)
    with pytest.raises(ReplayError, match="the head says so"):
        replay(wrong, closure.graph, closure.rules)


def test_where_data_and_not_data_see_the_graph_alone() -> None:
    graph = KnowledgeGraph.from_triples([(URIRef(E + "g"), URIRef(E + "p"), URIRef(E + "h"))])
    rules = parse_rules(
        PREFIX
        + """DATA { :d :p :e . :g :p :h }
        RULE { ?x :where ?y } WHERE DATA { ?x :p ?y }
        RULE { ?x :not ?y } WHERE { ?x :p ?y NOT DATA { ?x :p ?y } }"""
    )
    closure = materialise(graph, rules, entailment="none")
    found = {tuple(str(term).removeprefix(E) for term in t) for t in closure.graph.triples()}
    assert found == {("g", "p", "h"), ("d", "p", "e"), ("g", "where", "h"), ("d", "not", "e")}
    for triple in closure.graph.triples():
        replay(closure.proof(triple), closure.graph, closure.rules)


def test_a_proof_that_reads_data_of_the_rules_through_where_data_is_refused() -> None:
    closure = close(
        "DATA { :d :p :e } RULE :r { ?x :q ?y } WHERE DATA { ?x :p ?y } RULE :s { ?x :q ?y } WHERE { ?x :p ?y }"
    )
    (triple,) = closure.graph.triples(None, URIRef(E + "q"), None)
    proof = closure.proof(triple)
    with pytest.raises(ReplayError, match="WHERE DATA reads the triples of the graph"):
        replay(
            type(proof)(triple, closure.rules[E + "r"], proof.substitution, proof.premises),
            closure.graph,
            closure.rules,
        )
