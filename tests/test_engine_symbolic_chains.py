"""Chains: leaving out parentheses of transitivity changes neither the size nor the weight of the best proof."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, URIRef

from engine.symbolic import Boolean, Closure, materialise, parse_rules, replay, weigh
from engine.symbolic.derivations import derivations_of
from engine.symbolic.ranked import Size, best_trees, proof_of, shortest_proof
from engine.symbolic.semiring import MAX_PRODUCT
from engine.symbolic.weights import ByWeight, Weights
from kg.graph import KnowledgeGraph
from kg.terms import Triple

EX = "https://example.org/"
PREFIXES = f"PREFIX : <{EX}> PREFIX noesis: <urn:noesis:>\n"
RULES = """RULE :far { ?x :p ?z } WHERE { ?x :p ?y . ?y :p ?z }
           RULE :far2 { ?x :p ?z } WHERE { ?y :p ?z . ?x :p ?y }
           RULE :from { ?y :p ?x } WHERE { ?x :q ?y }
           RULE :round { ?x :q ?y } WHERE { ?x :p ?y . ?y :r ?z }
           DATA { :far noesis:weight 0.9 . :far2 noesis:weight 0.8 . :from noesis:weight 0.7 }"""
edges = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from("ppqr"), st.integers(0, 4), st.sampled_from([0.3, 0.6, 1.0])),
    min_size=2,
    max_size=9,
    unique_by=lambda edge: edge[:3],
)


def term(name: str) -> URIRef:
    return URIRef(EX + name)


def chain(length: int) -> Closure:
    triples = [Triple(term(f"n{i}"), term("p"), term(f"n{i + 1}")) for i in range(length)]
    transitive = Triple(term("p"), RDF.type, OWL.TransitiveProperty)
    return materialise(KnowledgeGraph.from_triples([*triples, transitive]))


@given(edges)
@settings(max_examples=50, derandomize=True, deadline=None)
def test_the_best_chain_is_as_good_as_the_best_proof(given: list[tuple[int, str, int, float]]) -> None:
    weights = {Triple(term(f"n{a}"), term(p), term(f"n{b}")): weight for a, p, b, weight in given}
    closure = materialise(KnowledgeGraph.from_triples(weights), parse_rules(PREFIXES + RULES), entailment="none")
    triples = list(closure.graph.triples())
    every, chains = (derivations_of(closure, *triples, chains=chains) for chains in (False, True))
    scale = ByWeight(Weights(closure, MAX_PRODUCT, weights, {}, 1))
    whole, least = best_trees(every, scale), best_trees(every, Size())
    for node, triple, found in zip(every.targets, triples, weigh(closure, triples, weights=weights), strict=True):
        assert node is not None
        assert found.value == pytest.approx(-whole[node].cost[0])
        proof = proof_of(best_trees(chains, Size())[node], closure)
        assert best_trees(chains, Size())[node].cost[0] == least[node].cost[0]
        for each in (proof, found.proof):
            assert each is not None
            replay(each, closure.graph, closure.rules)
            assert each.conclusion == triple
    assert {item.value for item in weigh(closure, triples, semiring=Boolean())} == {True}


def test_a_chain_of_any_length_has_a_weight_and_a_shortest_proof() -> None:
    closure = chain(400)
    last = Triple(term("n0"), term("p"), term("n400"))
    (found,) = weigh(closure, [last], default=0.999)
    assert found.incomplete is None
    assert found.value == pytest.approx(0.999 ** (400 + 399))  # each application rests on the axiom too
    proof = shortest_proof(closure, last)
    assert len(proof.leaves()) == 401
    assert replay(proof, closure.graph, closure.rules) == 400 + 399 + 1


def test_the_shortest_proof_of_a_short_chain_is_not_deep() -> None:
    closure = chain(16)
    proof = closure.proof(Triple(term("n0"), term("p"), term("n16")), shortest=True)
    depth, level = 0, [proof]
    while level := [premise for part in level for premise in part.premises]:
        depth += 1
    assert depth == 4
