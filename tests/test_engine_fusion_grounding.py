"""Evidence: a claim never sees itself, nor what follows from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from rdflib import Literal

from engine.fusion.config import Evidence
from engine.fusion.grounding import Grounder, IdTriple
from engine.symbolic import Closure
from kg.subgraph import Subgraph
from tests.hamlet import EX, facts, hamlet, ids

Ground = Callable[..., Subgraph]


@pytest.fixture(scope="module")
def closure() -> Closure:
    return hamlet()


def grounder(closure: Closure, evidence: Evidence) -> Grounder:
    return Grounder(closure, evidence=evidence, hops=2, max_nodes=32)


def edges(subgraph: Subgraph) -> set[IdTriple]:
    nodes = subgraph.nodes
    return {
        (int(nodes[h]), int(r), int(nodes[t]))
        for h, r, t in zip(subgraph.head, subgraph.relation, subgraph.tail, strict=True)
    }


def inferred_edges(subgraph: Subgraph) -> set[IdTriple]:
    rows = zip(subgraph.head, subgraph.relation, subgraph.tail, subgraph.inferred, strict=True)
    return {(int(subgraph.nodes[h]), int(r), int(subgraph.nodes[t])) for h, r, t, inferred in rows if inferred}


@pytest.mark.parametrize("evidence", ["asserted", "closure"])
def test_no_claim_has_an_edge_between_its_own_ends(closure: Closure, evidence: Evidence) -> None:
    make = grounder(closure, evidence)
    triples = [(int(s), int(p), int(o)) for s, p, o in closure.graph.entity_triples(inferred=True)]
    shown = {triple: edges(make.evidence_for(triple)) for triple in triples}
    assert {(t, e) for t, row in shown.items() for e in row if {e[0], e[2]} == {t[0], t[2]}} == set()
    assert set().union(*shown.values()) <= set(triples)
    assert all(shown.values())


def test_asserted_evidence_is_asserted_only(closure: Closure) -> None:
    asserted = {tuple(row) for row in closure.graph.entity_triples(inferred=False).tolist()}
    found = grounder(closure, "asserted").evidence_for(ids(closure, "ann", "grandparentOf", "dan"))
    assert not found.inferred.any()
    assert edges(found) <= asserted
    assert edges(found) >= {ids(closure, "ann", "parentOf", "bob"), ids(closure, "bob", "parentOf", "dan")}


@pytest.mark.parametrize("row", range(15))
def test_closure_evidence_still_follows_when_the_claim_is_taken_away(closure: Closure, row: int) -> None:
    """A second way to the answer: the closure of the triples that do not link the claim's two ends."""
    claim = facts()[row]
    without = hamlet([fact for fact in facts() if {fact[0], fact[2]} != {claim[0], claim[2]}])
    graph = closure.graph
    encoded = graph.encode(claim)
    assert encoded is not None
    shown = edges(grounder(closure, "closure").evidence_for(encoded))
    assert {e for e in shown if not without.graph.contains(graph.decode(*e))} == set()
    assert shown


def test_closure_evidence_shows_inferred_edges_and_marks_them(closure: Closure) -> None:
    found = grounder(closure, "closure").evidence_for(ids(closure, "dan", "knows", "eve"))
    expected = {e for e in edges(found) if e not in {tuple(r) for r in closure.graph.entity_triples().tolist()}}
    assert inferred_edges(found) == expected
    assert ids(closure, "ann", "grandparentOf", "eve") in expected


def test_what_was_inferred_through_the_claim_is_hidden(closure: Closure) -> None:
    make = grounder(closure, "closure")
    through = ids(closure, "ann", "grandparentOf", "dan")  # by way of Bob
    assert through in edges(make.evidence_for(ids(closure, "dan", "knows", "eve")))
    assert through not in edges(make.evidence_for(ids(closure, "ann", "parentOf", "bob")))
    assert through not in edges(make.evidence_for(ids(closure, "bob", "childOf", "ann")))


@pytest.mark.parametrize("evidence", ["asserted", "closure"])
def test_hidden_triples_and_their_consequences_never_show(closure: Closure, evidence: Evidence) -> None:
    claim, hidden = ids(closure, "dan", "knows", "eve"), ids(closure, "ann", "parentOf", "bob")
    make = grounder(closure, evidence)
    before, after = edges(make.evidence_for(claim)), edges(make.evidence_for(claim, {hidden}))
    between = {e for e in before if {e[0], e[2]} == {hidden[0], hidden[2]}}
    consequences = {ids(closure, "ann", "grandparentOf", "dan")} & before
    assert hidden in between
    assert len(between) == (1 if evidence == "asserted" else 3)  # child and acquaintance are inferred
    assert len(consequences) == (0 if evidence == "asserted" else 1)
    assert after == before - between - consequences
    assert edges(make.evidence_for(claim)) == before  # what one claim hides is kept from no other


def test_ends_come_first_and_no_node_is_loose(closure: Closure) -> None:
    make = grounder(closure, "asserted")
    for triple in closure.graph.entity_triples(inferred=True).tolist():
        hidden = {ids(closure, "ann", "parentOf", "bob"), ids(closure, "ann", "livesIn", "ulm")}
        found = make.evidence_for(tuple(triple), hidden)
        assert set(found.nodes[:2].tolist()) == {triple[0], triple[2]}
        assert set(range(2, len(found.nodes))) <= set(found.head.tolist()) | set(found.tail.tolist())
        assert len(np.unique(found.nodes)) == len(found.nodes)


def test_literal_tail_and_loop_are_nodes_of_their_claim(closure: Closure) -> None:
    make = grounder(closure, "asserted")
    age = ids(closure, "ann", "age", Literal(71))
    found = make.evidence_for(age)
    assert {age[0], age[2]} == set(found.nodes[:2].tolist())
    assert ids(closure, "ann", "parentOf", "bob") in edges(found)
    hal = closure.graph.id(EX.hal)
    assert make.evidence_for((hal, closure.graph.id(EX.knows), hal)).nodes[0] == hal
