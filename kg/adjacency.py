"""Which terms stand beside which, and how relevance spreads from one of them to those around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kg.columns import pack

__all__ = ["Adjacency", "Spread", "ranges"]

Indices = NDArray[np.int64]

# Neighbours looked at when relevance spreads through a term, those of least degree first; the term it starts from is
# looked at more closely. They bound the time where a term has a hundred thousand neighbours.
_FAN = 128
_SEED_FAN = 4096
# Terms that relevance spreads from in one hop, the most relevant first.
_FRONTIER = 256


class Adjacency:
    """Neighbours of each term, direction and relation forgotten; a term is no neighbour of itself.

    Args:
        heads: term ids, shape (num_edges,).
        tails: term ids, shape (num_edges,).
        num_terms: ids are below this.
    """

    def __init__(self, heads: NDArray[np.integer], tails: NDArray[np.integer], num_terms: int) -> None:
        keys = np.unique(np.r_[pack(heads, tails), pack(tails, heads)])
        here, there = keys >> 32, keys & 0xFFFFFFFF
        here, there = here[here != there], there[here != there]
        self.degree: Indices = np.bincount(here, minlength=num_terms)
        self._starts: Indices = np.r_[0, np.cumsum(self.degree)]
        # By degree inside each row, so that a bounded look sees the most specific neighbours.
        self._neighbours: Indices = there[np.lexsort((there, self.degree[there], here))]

    def beside(self, terms: Indices, fan: int) -> tuple[Indices, Indices]:
        """Up to `fan` neighbours of each term: positions in `terms`, and neighbours; shape (num_found,) each."""
        starts = self._starts[terms]
        rows, counts = ranges(starts, np.minimum(self._starts[terms + 1], starts + fan))
        return np.repeat(np.arange(len(terms)), counts), self._neighbours[rows]


@dataclass(frozen=True, eq=False)
class Spread:
    """The terms near one term, ascending.

    Attributes:
        nodes: term ids, shape (num_nodes,).
        distance: edges from the first term, shape (num_nodes,).
        relevance: what arrives of the 1 that starts, halved and more by the degrees on the way; shape (num_nodes,).
        previous: the neighbour most of it came through, shape (num_nodes,).
    """

    nodes: Indices
    distance: Indices
    relevance: NDArray[np.float64]
    previous: Indices

    @classmethod
    def of(cls, adjacency: Adjacency, seed: int, *, hops: int, cut: tuple[int, int] | None = None) -> Spread:
        """What is within `hops` edges of a term; the edge between the two terms of `cut` is not taken."""
        edge = np.array([seed], dtype=np.int64)
        mass = np.ones(1)
        spread = cls(edge, np.zeros(1, dtype=np.int64), mass, edge)
        for hop in range(1, hops + 1):
            source, target = adjacency.beside(edge, _SEED_FAN if hop == 1 else _FAN)
            if cut is not None:
                straight = np.isin(edge[source], cut) & np.isin(target, cut)
                source, target = source[~straight], target[~straight]
            if not len(target):
                break
            gained = mass[source] / np.sqrt(adjacency.degree[edge[source]] * adjacency.degree[target])
            # The strongest source of each target first; equal ones by id, so that every run chooses alike.
            order = np.lexsort((edge[source], -gained, target))
            source, target, gained = source[order], target[order], gained[order]
            first = np.flatnonzero(np.r_[True, target[1:] != target[:-1]])
            spread, is_new = spread._joined(target[first], hop, np.add.reduceat(gained, first), edge[source[first]])
            edge, mass = target[first][is_new], np.add.reduceat(gained, first)[is_new]
            if len(edge) > _FRONTIER:
                best = np.lexsort((edge, -mass))[:_FRONTIER]
                edge, mass = edge[best], mass[best]
        return spread

    def _joined(
        self, reached: Indices, hop: int, gained: NDArray[np.float64], previous: Indices
    ) -> tuple[Spread, NDArray[np.bool_]]:
        """With what one more hop reached, and which of that is new."""
        at, known = self.find(reached)
        relevance = self.relevance.copy()
        relevance[at[known]] += gained[known]
        new = ~known
        nodes = np.r_[self.nodes, reached[new]]
        order = np.argsort(nodes)
        distance = np.r_[self.distance, np.full(int(new.sum()), hop)]
        joined = Spread(
            nodes[order],
            distance[order],
            np.r_[relevance, gained[new]][order],
            np.r_[self.previous, previous[new]][order],
        )
        return joined, new

    def find(self, terms: Indices) -> tuple[Indices, NDArray[np.bool_]]:
        """Positions of terms among the nodes, and whether each is there (its position means nothing if not)."""
        at = np.minimum(np.searchsorted(self.nodes, terms), len(self.nodes) - 1)
        return at, self.nodes[at] == terms

    def path(self, node: int) -> list[int]:
        """The terms from the first term to a node, both included."""
        path = [node]
        while True:
            at = int(np.searchsorted(self.nodes, path[-1]))
            if self.distance[at] == 0:
                return path[::-1]
            path.append(int(self.previous[at]))


def ranges(starts: Indices, ends: Indices) -> tuple[Indices, Indices]:
    """All integers from each start up to its end, one range after another, and the length of each range."""
    counts = ends - starts
    before = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) + np.repeat(starts - before, counts), counts
