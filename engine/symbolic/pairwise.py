"""What the n-ary axioms of a graph say of each pair (OWL 2 RDF-Based Semantics, Table 5.10).

The closure checks them with one constraint each, because the pairs of a long list are many; an entailment check may be
asked for a pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from rdflib import OWL, RDF
from rdflib.term import Node

from kg.graph import KnowledgeGraph
from kg.terms import Triple

__all__ = ["pairwise"]

_AXIOMS = (
    (OWL.AllDifferent, OWL.members, OWL.differentFrom),
    (OWL.AllDifferent, OWL.distinctMembers, OWL.differentFrom),
    (OWL.AllDisjointClasses, OWL.members, OWL.disjointWith),
    (OWL.AllDisjointProperties, OWL.members, OWL.propertyDisjointWith),
)


def pairwise(graph: KnowledgeGraph) -> Iterator[Triple]:
    """The triples about pairs that follow from the n-ary axioms among the asserted triples of a graph."""
    for kind, lists, says in _AXIOMS:
        for axiom in list(graph.triples(predicate=RDF.type, object=kind, inferred=False)):
            for triple in list(graph.triples(axiom.subject, lists, inferred=False)):
                members = _members(graph, triple.object)
                yield from (Triple(x, says, y) for x, y in permutations(members, 2))


def _members(graph: KnowledgeGraph, cell: Node) -> list[Node]:
    """The members of a list; of one that comes back to itself or breaks off, those up to there."""
    seen: dict[Node, Node] = {}
    while cell != RDF.nil and cell not in seen:
        first = next(graph.triples(cell, RDF.first), None)
        rest = next(graph.triples(cell, RDF.rest), None)
        if first is None or rest is None:
            break
        seen[cell] = first.object
        cell = rest.object
    return list(seen.values())
