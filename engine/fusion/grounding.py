"""The evidence of a claim: its grounded subgraph, from which everything that would give the answer away is taken out.

A model that scores a claim must not see the claim. Left out of every subgraph, in training and in use alike, are

1. every edge between the claim's head and tail, whatever its relation and direction: the claim itself, its inverse, its
   super- and subproperties;
2. every edge between the ends of a triple that is hidden: for a corrupted example the true triple it was made from, so
   that a true and a false claim about one entity lose the same edges and no degree tells them apart; for training, the
   held-out triples;
3. inferred edges. With `evidence="asserted"` all of them, which is safe without looking at a proof. With
   `evidence="closure"` those whose stored proof passes through a triple of 1 or 2.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.fusion.config import Evidence
from kg.columns import Columns
from kg.graph import KnowledgeGraph
from kg.subgraph import Subgraph, ground
from kg.terms import Triple

__all__ = ["ASKED", "ClosureView", "Grounder", "IdTriple"]

IdTriple: TypeAlias = tuple[int, int, int]
ASKED = -1
"""In place of a claim's relation or tail: what is asked for."""


class ClosureView(Protocol):
    """The part of a closure the fusion model needs."""

    @property
    def graph(self) -> KnowledgeGraph:
        """Asserted and inferred triples."""
        ...

    def proof(self, triple: Triple) -> Any:
        """A proof of a triple of the graph: `conclusion` and `premises`."""
        ...


class Grounder:
    """Grounded subgraphs of one closure, kept once made.

    Args:
        closure: where the edges come from.
        evidence: "asserted" or "closure", see the module.
        hops: how far the subgraph reaches.
        max_nodes: nodes of one subgraph at most.
    """

    def __init__(self, closure: ClosureView, *, evidence: Evidence, hops: int, max_nodes: int) -> None:
        self.closure, self.evidence, self.hops, self.max_nodes = closure, evidence, hops, max_nodes
        graph = closure.graph
        self._shown = graph if evidence == "closure" else graph.with_inferred(Columns.empty())
        self._grounded: dict[IdTriple, Subgraph] = {}
        self._conclusions: dict[IdTriple, frozenset[IdTriple]] = {}

    def evidence_for(self, claim: IdTriple, hidden: Collection[IdTriple] = frozenset()) -> Subgraph:
        """The subgraph about a claim without what gives it away; the claim's head and tail are its first nodes.

        Args:
            claim: head, relation and tail as term ids.
            hidden: triples between whose ends nothing may be shown either, nor what is inferred through that.
        """
        whole = self._grounded.get(claim)
        if whole is None:
            whole = self._grounded[claim] = self._ground(claim)
        pairs = {pair for s, _, o in (claim, *hidden) for pair in ((s, o), (o, s))}
        keep = np.array([not self._tells(edge, inferred, pairs) for edge, inferred in _edges(whole)], dtype=bool)
        return _without_loose_nodes(
            replace(whole, **{name: getattr(whole, name)[keep] for name in _EDGE_COLUMNS}), claim
        )

    def _ground(self, claim: IdTriple) -> Subgraph:
        head, _, tail = claim
        ends = np.array([end for end in dict.fromkeys((head, tail)) if end != ASKED], dtype=np.int32)
        seeds = ends[~self._shown.dictionary.is_literal(ends)]
        without = None if ASKED in claim else claim
        found = ground(self._shown, seeds.tolist(), hops=self.hops, max_nodes=self.max_nodes, without=without)
        missing = [end for end in ends if end not in found.nodes]  # a literal is no node of the graph, but of the claim
        return replace(found, nodes=np.concatenate([found.nodes, np.array(missing, dtype=np.int32)]))

    def _tells(self, edge: IdTriple, inferred: bool, pairs: set[tuple[int, int]]) -> bool:
        if (edge[0], edge[2]) in pairs:
            return True
        return inferred and any((s, o) in pairs for s, _, o in self._steps(edge))

    def _steps(self, triple: IdTriple) -> frozenset[IdTriple]:
        """Every triple that the stored proof of an inferred triple passes through."""
        if triple not in self._conclusions:
            graph, found, waiting = self.closure.graph, set(), [self.closure.proof(self.closure.graph.decode(*triple))]
            while waiting:
                proof = waiting.pop()
                ids = graph.encode(proof.conclusion) if isinstance(proof.conclusion, tuple) else None
                if ids is not None:
                    found.add(ids)
                waiting.extend(proof.premises)
            self._conclusions[triple] = frozenset(found)
        return self._conclusions[triple]


_EDGE_COLUMNS = ("head", "tail", "relation", "inferred")


def _edges(subgraph: Subgraph) -> list[tuple[IdTriple, bool]]:
    """The edges as term ids of head, relation and tail, and whether each is inferred."""
    head, tail = subgraph.nodes[subgraph.head].tolist(), subgraph.nodes[subgraph.tail].tolist()
    triples = zip(head, subgraph.relation.tolist(), tail, strict=True)
    return list(zip(triples, subgraph.inferred.tolist(), strict=True))


def _without_loose_nodes(subgraph: Subgraph, claim: IdTriple) -> Subgraph:
    """The subgraph without nodes that no edge reaches any more, the claim's own entities first."""
    nodes = subgraph.nodes
    used = np.isin(nodes, (claim[0], claim[2]))
    first = np.flatnonzero(used)
    used[subgraph.head] = used[subgraph.tail] = True
    order: NDArray[np.int64] = np.concatenate([first, np.flatnonzero(used & ~np.isin(np.arange(len(nodes)), first))])
    place = np.full(len(nodes), -1, dtype=np.int64)
    place[order] = np.arange(len(order))
    return replace(subgraph, nodes=nodes[order], head=place[subgraph.head], tail=place[subgraph.tail])
