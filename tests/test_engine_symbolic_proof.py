"""Proofs: every inferred triple has one, it replays, and it reads well."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, BNode, Literal, URIRef, Variable
from rdflib.collection import Collection
from rdflib.graph import Graph

from engine.symbolic import Closure, Proof, check, materialise, parse_rules, replay
from kg.columns import Columns
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.rule_programs import Case, cases

EX = "https://example.org/"
PREFIXES = f"PREFIX : <{EX}> PREFIX sh: <http://www.w3.org/ns/shacl#>\n"
QUICK = settings(max_examples=50, derandomize=True, deadline=None)


def term(name: str) -> URIRef:
    return URIRef(EX + name)


def triple(text: str) -> Triple:
    return Triple(*map(term, text.split()))


def graph_of(*triples: str) -> KnowledgeGraph:
    return KnowledgeGraph.from_triples(map(triple, triples))


def from_file(graph: KnowledgeGraph, name: str) -> KnowledgeGraph:
    """The graph with every triple said to come from a file."""
    s, p, o = graph.asserted.arrays()
    return KnowledgeGraph(graph.dictionary, Columns.from_arrays(s, p, o, s * 0), sources=[name])


@given(cases())
@QUICK
def test_the_proof_of_every_triple_and_violation_replays(case: Case) -> None:
    closure = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    asserted = set(case.triples)
    for inferred in closure.graph.triples():
        proof = closure.proof(inferred)
        replay(proof, closure.graph, closure.rules)
        assert proof.conclusion == inferred
        assert set(proof.leaves()) <= asserted
        assert (proof.rule is None) == (inferred in asserted)
    for violation in closure.violations:
        replay(violation.proof, closure.graph, closure.rules)
        assert violation.proof.conclusion is None


edges = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=20, unique=True)


@given(edges)
@QUICK
def test_recognised_transitive_triples_have_proofs_that_replay(pairs: list[tuple[int, int]]) -> None:
    graph = KnowledgeGraph.from_triples([Triple(term(f"n{a}"), term("p"), term(f"n{b}")) for a, b in pairs])
    rules = parse_rules(PREFIXES + "RULE { ?x :p ?z } WHERE { ?x :p ?y . ?y :p ?z }")
    closure = materialise(graph, rules, entailment="none")
    for inferred in closure.graph.triples():
        replay(closure.proof(inferred), closure.graph, closure.rules)


def test_a_long_chain_is_proved_without_recursion() -> None:
    chain = [f"n{i} p n{i + 1}" for i in range(1500)]
    rules = parse_rules(PREFIXES + "RULE { ?y a :Reached } WHERE { ?x a :Reached . ?x :p ?y }")
    triples = [*map(triple, chain), Triple(term("n0"), RDF.type, term("Reached"))]
    closure = materialise(KnowledgeGraph.from_triples(triples), rules, entailment="none")
    proof = closure.proof((term("n1500"), RDF.type, term("Reached")))
    assert len(proof.leaves()) == 1501
    assert replay(proof, closure.graph, closure.rules) == 3001
    assert proof.text(closure.graph).count("\n") == 3000
    assert proof.to_dict(closure.graph)["rule"] is not None


def test_the_proof_of_a_transitive_triple_halves_the_path() -> None:
    graph = KnowledgeGraph.from_triples(
        [
            *(triple(f"n{i} p n{i + 1}") for i in range(256)),
            Triple(term("p"), RDF.type, OWL.TransitiveProperty),
        ]
    )
    closure = materialise(graph)
    proof = closure.proof(triple("n0 p n256"))
    depth, level = 0, [proof]
    while level:
        depth, level = depth + 1, [premise for part in level for premise in part.premises]
    assert depth == 9
    assert len(proof.leaves()) == 257


@pytest.fixture
def safety() -> Closure:
    """A drug that is given though it is stopped, unless a doctor approved it."""
    labels = [(term("giving"), RDFS.label, Literal("is given")), (term("ann"), RDFS.label, Literal("Mrs Adler"))]
    graph = KnowledgeGraph.from_triples(
        [*labels, triple("ann giving aspirin"), (term("ann"), term("dose"), Literal(5000))]
    )
    rules = parse_rules(
        PREFIXES
        + """RULE :high { ?x :overdoses ?y } WHERE { ?x :giving ?y . ?x :dose ?d FILTER(?d > 4000) }
             RULE :alarm { [] a sh:ValidationResult ; sh:resultMessage "{?x} gets too much {?y}" }
             WHERE { ?x :overdoses ?y NOT { ?x :approvedBy ?doctor } }"""
    )
    return materialise(from_file(graph, "ward.ttl"), rules, entailment="none")


def test_a_proof_reads_in_words_with_labels_conditions_and_files(safety: Closure) -> None:
    (violation,) = safety.violations
    assert violation.proof.text(safety.graph).splitlines() == [
        "Mrs Adler gets too much aspirin, by constraint alarm",
        "  and it is not known that Mrs Adler approved by something",
        "  Mrs Adler overdoses aspirin, by rule high",
        "    where (5000 > 4000)",
        "    Mrs Adler is given aspirin, asserted in ward.ttl",
        "    Mrs Adler has dose 5000, asserted in ward.ttl",
    ]


def test_a_proof_is_json_ready(safety: Closure) -> None:
    (violation,) = safety.violations
    found = json.loads(json.dumps(violation.proof.to_dict(safety.graph)))
    assert found["conclusion"] is None
    assert found["rule"] == {"name": "alarm", "iri": f"{EX}alarm"}
    assert found["substitution"] == {"x": f"<{EX}ann>", "y": f"<{EX}aspirin>"}
    (premise,) = found["premises"]
    assert premise["conclusion"] == [f"<{EX}ann>", f"<{EX}overdoses>", f"<{EX}aspirin>"]
    assert [leaf["source"] for leaf in premise["premises"]] == ["ward.ttl", "ward.ttl"]


def test_a_part_used_twice_is_shared_and_told_once() -> None:
    rules = parse_rules(
        PREFIXES + "RULE { ?x :q ?y } WHERE { ?x :p ?y } RULE { ?x :r ?y } WHERE { ?x :q ?y . ?z :q ?y }"
    )
    closure = materialise(graph_of("a p b"), rules, entailment="none")
    proof = closure.proof(triple("a r b"))
    first, second = proof.premises
    assert first is second
    assert [line.strip().partition(",")[0] for line in proof.text(closure.graph).splitlines()] == [
        "a has r b",
        "a has q b",
        "a has p b",
    ]
    repeated = proof.to_dict(closure.graph)["premises"][1]
    assert (repeated["repeated"], "premises" in repeated) == (True, False)


def test_schema_triples_consumed_by_compilation_are_premises() -> None:
    schema = [(term("A"), RDFS.subClassOf, term("B")), (term("B"), RDFS.subClassOf, term("C"))]
    closure = materialise(KnowledgeGraph.from_triples([*schema, (term("x"), RDF.type, term("A"))]))
    leaves = closure.proof((term("x"), RDF.type, term("C"))).leaves()
    assert set(leaves) == {*schema, (term("x"), RDF.type, term("A"))}


def test_a_property_chain_is_proved_from_its_list() -> None:
    source = Graph()
    chain = BNode()
    Collection(source, chain, [term("hasPrescription"), term("drug")])
    source.add((term("takes"), OWL.propertyChainAxiom, chain))
    for text in ("ann hasPrescription p1", "p1 drug aspirin"):
        source.add(triple(text))
    closure = materialise(KnowledgeGraph.from_rdflib(source))
    proof = closure.proof(triple("ann takes aspirin"))
    assert proof.rule is not None
    assert proof.rule.name == "prp-spo2"
    assert set(proof.leaves()) == {Triple(*found) for found in source}
    assert replay(proof, closure.graph, closure.rules) == 8


def test_a_blank_node_made_by_a_rule_is_proved_from_what_it_was_made_for() -> None:
    rules = parse_rules(PREFIXES + "RULE :new { [] :of ?x ; :to ?y } WHERE { ?x :p ?y }")
    closure = materialise(graph_of("a p b", "a p c"), rules, entailment="none")
    for made, _, to in closure.graph.triples(None, term("to")):
        proof = closure.proof((made, term("of"), term("a")))
        assert proof.substitution == {Variable("x"): term("a"), Variable("y"): to}
        replay(proof, closure.graph, closure.rules)


def test_a_value_that_changes_from_call_to_call_is_proved() -> None:
    rules = parse_rules(PREFIXES + "RULE { ?x :id ?u } WHERE { ?x :p ?y SET(?u := STRUUID()) }")
    closure = materialise(graph_of("a p b"), rules, entailment="none")
    (made,) = closure.graph.triples(None, term("id"))
    replay(closure.proof(made), closure.graph, closure.rules)


def test_a_refutation_shows_the_claim(safety: Closure) -> None:
    (judgement,) = check(safety, triple("aspirin overdoses ann"))
    assert isinstance(judgement.refutation, Proof)
    assert judgement.refutation.text(safety.graph).splitlines()[-1] == "  aspirin overdoses Mrs Adler, the claim"
