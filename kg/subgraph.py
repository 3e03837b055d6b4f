"""Grounding: the subgraph about a few terms, within a node budget.

The terms themselves come first, then what lies on the shortest paths between them, then their surroundings by how much
they are about these terms: relevance spreads from the terms along edges, divided by the degrees at both ends, so that
a term linked to everything neither floods the subgraph nor passes much on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from kg.adjacency import Adjacency, Indices, Spread, ranges
from kg.columns import Ids, pack
from kg.errors import ConfigError
from kg.graph import KnowledgeGraph
from kg.property_axioms import PropertyAxioms
from kg.terms import Triple

__all__ = ["Subgraph", "SubgraphIndex", "ground"]

_Triples = frozenset[tuple[int, int, int]]

# Shortest paths kept for each pair of terms.
_PATHS = 8


@dataclass(frozen=True, eq=False)
class Subgraph:
    """A few terms and all edges among them.

    Attributes:
        nodes: term ids, the terms asked about first; shape (num_nodes,).
        head: where each edge begins, as a position in `nodes`; shape (num_edges,).
        tail: where it ends, likewise; shape (num_edges,).
        relation: its predicate's term id; shape (num_edges,).
        inferred: whether it is inferred rather than asserted; shape (num_edges,).
    """

    nodes: Ids
    head: Indices
    tail: Indices
    relation: Indices
    inferred: NDArray[np.bool_]

    def __str__(self) -> str:
        return f"Subgraph({len(self.nodes)} nodes, {len(self.head)} edges)"

    def triples(self, graph: KnowledgeGraph) -> tuple[Triple, ...]:
        """The edges as triples of the graph they were taken from."""
        heads, tails = self.nodes[self.head].tolist(), self.nodes[self.tail].tolist()
        return tuple(graph.decode(*ids) for ids in zip(heads, self.relation.tolist(), tails, strict=True))

    def to_dict(self, graph: KnowledgeGraph) -> dict[str, Any]:
        """Nodes by compact name and label, edges by position and compact relation name; for JSON."""
        terms = [graph.dictionary.term(node) for node in self.nodes.tolist()]
        relations = [graph.curie(graph.dictionary.term(relation)) for relation in self.relation.tolist()]
        edges = zip(self.head.tolist(), relations, self.tail.tolist(), self.inferred.tolist(), strict=True)
        return {
            "nodes": [{"term": graph.curie(term), "label": graph.label(term)} for term in terms],
            "edges": [{"head": h, "relation": r, "tail": t, "inferred": i} for h, r, t, i in edges],
        }


class SubgraphIndex:
    """The adjacency of a graph, built once, from which subgraphs are cut.

    Edges are the graph's `entity_triples`, asserted and inferred: relations between entities, and types. Literals,
    labels, annotations and schema predicates have no part in it.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        triples = graph.entity_triples(inferred=True)
        num_asserted = len(graph.entity_triples(inferred=False))
        order = np.lexsort((triples[:, 1], triples[:, 2], triples[:, 0]))
        self._triples = triples[order]
        self._inferred = (np.arange(len(triples)) >= num_asserted)[order]
        self._ends = pack(self._triples[:, 0], self._triples[:, 2])
        self._adjacency = Adjacency(triples[:, 0], triples[:, 2], len(graph.dictionary))
        self._axioms = PropertyAxioms.of(graph)

    def __repr__(self) -> str:
        return f"SubgraphIndex({len(self._triples)} edges)"

    def ground(
        self,
        seeds: Sequence[int],
        *,
        hops: int = 2,
        max_nodes: int = 48,
        without: tuple[int, int, int] | None = None,
    ) -> Subgraph:
        """The subgraph about the seeds: terms within `hops` edges of one of them, and all edges among these.

        Args:
            seeds: term ids; repeated ones count once, ids without an edge stand alone.
            hops: edges between a seed and the farthest term taken; a path between two seeds may be twice as long.
            max_nodes: most terms in the subgraph, seeds included.
            without: a triple of ids left out, and with it the triples on the same two terms that the schema makes
                follow from it (inverse, symmetric, superproperty), so that a claim does not see its own answer.

        Raises:
            ConfigError: no seed, more seeds than `max_nodes`, or negative `hops`.
        """
        first = list(dict.fromkeys(int(seed) for seed in seeds))
        if not 1 <= len(first) <= max_nodes or hops < 0:
            raise ConfigError(
                f"Expected 1 to {max_nodes} seeds (max_nodes) and hops of at least 0 (got {len(first)} and {hops})"
            )
        hidden: _Triples = frozenset() if without is None else self._axioms.restatements(*without)
        cut = None if without is None or self._still_linked(without, hidden) else (without[0], without[2])
        degree = self._adjacency.degree
        linked = [seed for seed in first if 0 <= seed < len(degree) and degree[seed]]
        spreads = [Spread.of(self._adjacency, seed, hops=hops, cut=cut) for seed in linked]
        nodes = dict.fromkeys(first)
        for node in _between(linked, spreads) + _around(spreads, max_nodes):
            if len(nodes) == max_nodes:
                break
            nodes.setdefault(node)
        return self._induced(np.array(list(nodes), dtype=np.int32), hidden)

    def _still_linked(self, without: tuple[int, int, int], hidden: _Triples) -> bool:
        """Whether the two terms of a triple have an edge left once the hidden triples are gone."""
        return any(
            (h, relation, t) not in hidden
            for h, t in ((without[0], without[2]), (without[2], without[0]))
            for relation in self._triples[slice(*np.searchsorted(self._ends, [(h << 32) | t, ((h << 32) | t) + 1])), 1]
        )

    def _induced(self, nodes: Ids, hidden: _Triples) -> Subgraph:
        """All edges among the nodes but the hidden ones; each pair is looked up, so a hub costs no more than others."""
        wanted = pack(np.repeat(nodes, len(nodes)), np.tile(nodes, len(nodes)))
        low, high = np.searchsorted(self._ends, wanted, "left"), np.searchsorted(self._ends, wanted, "right")
        rows, counts = ranges(low, high)
        pair = np.repeat(np.arange(len(wanted)), counts)
        if hidden:
            seen = [tuple(row) not in hidden for row in self._triples[rows].tolist()]
            rows, pair = rows[seen], pair[seen]
        return Subgraph(
            nodes,
            pair // len(nodes),
            pair % len(nodes),
            self._triples[rows, 1].astype(np.int64),
            self._inferred[rows],
        )


def ground(
    graph: KnowledgeGraph,
    seeds: Sequence[int],
    *,
    hops: int = 2,
    max_nodes: int = 48,
    without: tuple[int, int, int] | None = None,
) -> Subgraph:
    """`SubgraphIndex(graph).ground(…)`, with the index kept for as long as the graph lives.

    Raises:
        ConfigError: no seed, more seeds than `max_nodes`, or negative `hops`.
    """
    index = _INDEXES.get(graph)
    if index is None:
        index = _INDEXES[graph] = SubgraphIndex(graph)
    return index.ground(seeds, hops=hops, max_nodes=max_nodes, without=without)


# Graphs are never changed, so an index stays right; it goes when its graph goes.
_INDEXES: WeakKeyDictionary[KnowledgeGraph, SubgraphIndex] = WeakKeyDictionary()


def _between(seeds: Sequence[int], spreads: Sequence[Spread]) -> list[int]:
    """Inner terms of the shortest paths between seeds; short paths first, then those through the least linked terms."""
    paths: list[tuple[int, float, list[int]]] = []
    for (one, spread), (other, spread_other) in combinations(zip(seeds, spreads, strict=True), 2):
        at_other, known = spread_other.find(spread.nodes)
        meeting, at_other = spread.nodes[known], at_other[known]
        lengths = spread.distance[known] + spread_other.distance[at_other]
        if not len(meeting) or lengths.min() < 2:
            continue
        weights = spread.relevance[known] * spread_other.relevance[at_other]
        shortest = np.flatnonzero(lengths == lengths.min())
        for at in shortest[np.lexsort((meeting[shortest], -weights[shortest]))][:_PATHS].tolist():
            node = int(meeting[at])
            inner = [n for n in spread.path(node) + spread_other.path(node) if n not in (one, other)]
            paths.append((int(lengths[at]), -float(weights[at]), inner))
    return [node for _, _, inner in sorted(paths) for node in inner]


def _around(spreads: Sequence[Spread], count: int) -> list[int]:
    """The terms of all spreads by relevance, summed over the seeds; equal ones by id, at most `count`."""
    if not spreads:
        return []
    nodes, at = np.unique(np.concatenate([spread.nodes for spread in spreads]), return_inverse=True)
    relevance = np.bincount(at, np.concatenate([spread.relevance for spread in spreads]))
    return [int(node) for node in nodes[np.lexsort((nodes, -relevance))][:count]]
