"""What speaks for a triple: how an embedding ranks it among its rivals, and what the graph about it looks like.

Each function gives one row of numbers per triple, for a model that weighs them (see `embeddings.plausibility`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from embeddings.all_scores import AllScores, chunks
from embeddings.completions import Completions
from embeddings.embedding import Embedding

__all__ = ["EMBEDDING_EVIDENCE", "GRAPH_EVIDENCE", "embedding_evidence", "graph_evidence"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

_SIDE = ("score", "standard score", "log rank", "log share", "share of known below", "any known")
EMBEDDING_EVIDENCE = tuple(f"{name} among {side}" for side in ("tails", "heads") for name in _SIDE)
"""Columns of `embedding_evidence`."""
_NEIGHBOUR = ("similarity share", "best similarity", "share of the nearest 5", "share of the nearest 20")
GRAPH_EVIDENCE = (
    *(f"{name} of {side}" for side in ("heads", "tails") for name in _NEIGHBOUR),
    *("similarity of head and tail", "log paths of two", "paths of two by rarity"),
    *("log tails of head", "log heads of tail", "log triples of head", "log triples of tail"),
    *("inverse holds", "linked", "linked back"),
)
"""Columns of `graph_evidence`."""


def embedding_evidence(embedding: Embedding, triples: NDArray[np.integer], known: NDArray[np.integer]) -> Floats:
    """How a triple's score stands among the scores of all tails, and of all heads, in its place.

    Args:
        embedding: what gives the scores.
        triples: term ids, all trained; shape (num_triples, 3).
        known: triples held to be true; what they have in the place sought is no rival. Shape (num_known, 3).

    Returns: shape (num_triples, 12), columns `EMBEDDING_EVIDENCE`. Rank and share are among the rivals.

    Raises:
        UnknownTermError: a term of a triple was not trained.
    """
    dense = embedding.dense(triples)
    facts = np.unique(embedding.dense(np.asarray(known)[embedding.knows(known)]), axis=0)
    every, sides = AllScores(embedding), []
    for tails in (True, False):
        others = Completions(facts, tails=tails)
        parts = [np.empty((0, len(_SIDE)))]
        for part in chunks(len(dense), len(embedding.entities)):
            rows = dense[part]
            parts.append(_standing(every.of_dense(rows, tails=tails), rows, others))
        sides.append(np.concatenate(parts))
    return np.concatenate(sides, axis=1)


def _standing(scores: Floats, rows: Rows, others: Completions) -> Floats:
    sought = rows[:, others.free]
    own = scores[np.arange(len(rows)), sought]
    at, entity = others.of(rows)
    at, entity = at[entity != sought[at]], entity[entity != sought[at]]
    count = np.bincount(at, minlength=len(rows))
    below = np.bincount(at, weights=scores[at, entity] < own[at], minlength=len(rows))
    scores[at, entity] = np.nan
    mean, spread, best = np.nanmean(scores, axis=1), np.nanstd(scores, axis=1), np.nanmax(scores, axis=1)
    total = best + np.log(np.nansum(np.exp(scores - best[:, None]), axis=1))
    columns = (
        own,
        (own - mean) / (spread + 1e-9),
        np.log1p((scores > own[:, None]).sum(axis=1)),
        own - total,
        np.where(count > 0, below / np.maximum(count, 1), 0.5),
        count > 0,
    )
    return np.stack(columns, axis=1).astype(np.float64)


def graph_evidence(triples: NDArray[np.integer], known: NDArray[np.integer]) -> Floats:
    """What the known triples about a triple's head and tail look like; a triple that is known tells of itself.

    Two entities are similar as the cosine of what is said of them, rare things weighing more. Evidence of the heads is
    how many of those similar to the head have this relation to this tail, and the same the other way round.

    Args:
        triples: term ids, shape (num_triples, 3). known: triples held to be true, shape (num_known, 3).

    Returns: shape (num_triples, 18), columns `GRAPH_EVIDENCE`.
    """
    sought, facts = np.array(triples, dtype=np.int64), np.unique(np.asarray(known, dtype=np.int64), axis=0)
    terms = np.unique(np.concatenate([facts[:, [0, 2]].ravel(), sought[:, [0, 2]].ravel()]))
    for rows in (sought, facts):
        rows[:, [0, 2]] = np.searchsorted(terms, rows[:, [0, 2]])
    neighbours = _Neighbours(facts, len(terms))
    return np.concatenate([neighbours.evidence(sought), _links(sought, facts, len(terms))], axis=1)


class _Neighbours:
    """Entities by what is said of them: for each relation and side, with whom."""

    def __init__(self, facts: Rows, count: int) -> None:
        head, relation, tail = facts.T
        said = np.concatenate([(relation * 2) * count + tail, (relation * 2 + 1) * count + head])
        columns = np.unique(said, return_inverse=True)[1]
        who = np.concatenate([head, tail])
        profiles = sparse.coo_matrix((np.ones(len(who)), (who, columns)), shape=(count, columns.max(initial=0) + 1))
        rarity = np.log(count / np.asarray(profiles.sum(axis=0)).ravel())
        weighed = profiles.tocsr() @ sparse.diags(rarity)
        length = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
        self.profiles = sparse.diags(1 / np.maximum(length, 1e-9)) @ weighed
        self.heads, self.tails = Completions(facts, tails=False), Completions(facts, tails=True)
        self.seen = {int(r): [np.unique(facts[relation == r, side]) for side in (0, 2)] for r in np.unique(relation)}

    def evidence(self, triples: Rows) -> Floats:
        """The columns `_NEIGHBOUR` for heads and for tails, then how similar head and tail are."""
        result = np.zeros((len(triples), 2 * len(_NEIGHBOUR) + 1))
        for side, (column, known) in enumerate(((0, self.heads), (2, self.tails))):
            for entity in np.unique(triples[:, column]):
                similar = (self.profiles[[entity]] @ self.profiles.T).toarray()[0]
                here = np.flatnonzero(triples[:, column] == entity)
                at, also = known.of(triples[here])
                for number, row in enumerate(here):
                    pool = self.seen.get(int(triples[row, 1]), [np.empty(0, dtype=np.int64)] * 2)[side]
                    result[row, 4 * side : 4 * side + 4] = _votes(similar, entity, pool, also[at == number])
                    result[row, 8] = similar[triples[row, 2 - column]]
        return result


def _votes(similar: Floats, entity: int, pool: Rows, having: Rows) -> tuple[float, float, float, float]:
    """How much of the similarity to those with the relation (`pool`) goes to those with the same other end."""
    pool, having = pool[pool != entity], having[having != entity]
    if not len(having):
        return 0.0, 0.0, 0.0, 0.0
    order = np.argsort(-similar[pool], kind="stable")[:20]
    own, every = np.sort(similar[having])[::-1], similar[pool]
    return (
        float(own.sum() / max(every.sum(), 1e-9)),
        float(own[0]),
        float(own[:5].sum() / max(every[order[:5]].sum(), 1e-9)),
        float(np.isin(pool[order], having).mean()),
    )


def _links(triples: Rows, facts: Rows, count: int) -> Floats:
    """Paths, degrees and other links between head and tail."""
    ones = np.ones(len(facts))
    links = sparse.coo_matrix((ones, (facts[:, 0], facts[:, 2])), shape=(count, count)).tocsr()
    both = ((links + links.T) > 0).astype(np.float64).tocsr()
    rarity = sparse.diags(1 / np.log1p(np.maximum(np.asarray(both.sum(axis=1)).ravel(), 1.5)))  # Adamic and Adar 2003
    heads, relations, tails = triples.T
    own, others = both[heads], both[tails]
    key = (facts[:, 1] * count + facts[:, 0]) * count + facts[:, 2]
    degree = np.bincount(facts[:, [0, 2]].ravel(), minlength=count)
    columns: tuple[Any, ...] = (
        np.log1p(own.multiply(others).sum(axis=1)),
        (own @ rarity).multiply(others).sum(axis=1),
        np.log1p(_counted(triples, facts, (0, 1), count)),
        np.log1p(_counted(triples, facts, (2, 1), count)),
        np.log1p(degree[heads]),
        np.log1p(degree[tails]),
        np.isin((relations * count + tails) * count + heads, key),
        np.asarray(links[heads, tails]) > 0,
        np.asarray(links[tails, heads]) > 0,
    )
    return np.stack([np.asarray(column, dtype=np.float64).ravel() for column in columns], axis=1)


def _counted(triples: Rows, facts: Rows, places: tuple[int, int], count: int) -> NDArray[np.int64]:
    """How many facts have the same terms in these two places; shape (num_triples,)."""
    one, other = places
    keys = np.sort(facts[:, other] * count + facts[:, one])
    sought = triples[:, other] * count + triples[:, one]
    return np.asarray(np.searchsorted(keys, sought, "right") - np.searchsorted(keys, sought, "left"))
