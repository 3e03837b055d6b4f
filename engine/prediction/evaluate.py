"""What the schema's filter does to link prediction: ranks and Sem@K before and after.

Ranks are filtered and realistic, as in `embeddings.evaluate`. After the filter, rejected candidates no longer count
against the true one; a true triple that the filter rejects gets the worst rank, the number of entities, so that
rejecting more cannot buy a better figure. The filter here is that of the axioms; the bulk checker, which looks at the
top candidates of a ranking, is not run on every candidate of every query.

Sem@K (Hubert et al., "Sem@K: Is my knowledge graph embedding model semantic-aware?", 2023) is the share of the top K
candidates that are known members of the range (for tails; of the domain for heads), known triples other than the true
one left out. An entity without types is no known member and counts as unfit. Queries that no domain or range speaks
about are left out, as are those that the filter leaves nothing of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings import Embedding
from embeddings.all_scores import AllScores, chunks, realistic_ranks
from embeddings.completions import Completions
from engine.prediction.schema_filter import SchemaFilter
from kg.errors import InputError

__all__ = ["FilterFigures", "FilterReport", "evaluate_filter", "sem_at_k"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FilterFigures:
    """Link prediction figures over both sides.

    Args:
        mrr: mean reciprocal rank, in (0, 1]. hits_at_10: share of ranks of at most 10. mean_rank: from 1.
        sem_at_k: in [0, 1]; NaN where no query has a domain or range.
        queries: how many `sem_at_k` is the mean of.
    """

    mrr: float
    hits_at_10: float
    mean_rank: float
    sem_at_k: float
    queries: int

    def __str__(self) -> str:
        return (
            f"MRR {self.mrr:.3f}, H@10 {self.hits_at_10:.3f}, mean rank {self.mean_rank:.1f}, "
            f"Sem@K {self.sem_at_k:.3f} ({self.queries} queries)"
        )


@dataclass(frozen=True)
class FilterReport:
    """The figures before and after a filter.

    Args:
        k: of Sem@K.
        count: triples ranked, each on both sides. unseen: those left out, as a term of them was not trained.
        rejected_true: triples ranked that the filter rejects; they have the worst rank on both sides.
        rejected: share of all candidates that the filter rejects, in [0, 1].
        untyped: share of the trained entities without types, in [0, 1].
    """

    before: FilterFigures
    after: FilterFigures
    k: int
    count: int
    unseen: int
    rejected_true: int
    rejected: float
    untyped: float

    def __str__(self) -> str:
        return (
            f"without the filter: {self.before}\nwith the filter:    {self.after}\n{self.count} triples; "
            f"{self.rejected:.1%} of the candidates rejected, {self.rejected_true} true triples among them"
        )

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return asdict(self)


def evaluate_filter(
    embedding: Embedding,
    filter: SchemaFilter,
    triples: NDArray[np.integer],
    known: NDArray[np.integer],
    *,
    k: int = 10,
) -> FilterReport:
    """Rank triples among all completions that are not known, without the filter and with it.

    Args:
        triples: to rank, as term ids, shape (num_triples, 3); none of them may be in the filter's closure.
        known: every triple held to be true, shape (num_known, 3).

    Raises:
        InputError: no triple has all its terms in the embedding, or k is below 1.
    """
    if k < 1:
        raise InputError(f"Expected k of at least 1 (got {k})")
    seen = embedding.knows(triples)
    if not seen.any():
        raise InputError(f"Expected a triple whose terms were all trained (got {len(triples)}, none such)")
    rows = np.asarray(triples)[seen].astype(np.int64)
    before, after = _Tally(), _Tally()
    rejected, out, candidates = np.zeros(len(rows), dtype=bool), 0, 0
    for chunk, tails, scores, codes, truth in _ranked(embedding, filter, rows, known):
        relation = int(rows[chunk[0], 1])
        fits = filter.fits(relation, tails=tails)
        fitting = None if fits is None else fits[embedding.entities]
        before.add(scores, truth, fitting, k)
        lost = codes[np.arange(len(chunk)), truth] != 0
        rejected[chunk] |= lost
        out, candidates = out + int((codes != 0).sum()), candidates + codes.size
        scores[codes != 0] = -np.inf
        after.add(scores, truth, fitting, k)
    untyped = ~filter.memberships.typed[embedding.entities]
    return FilterReport(
        before.figures(),
        after.figures(),
        k,
        len(rows),
        int((~seen).sum()),
        int(rejected.sum()),
        out / candidates,
        float(untyped.mean()),
    )


def sem_at_k(scores: Floats, fits: NDArray[np.bool_], k: int = 10) -> Floats:
    """The share of fitting candidates among the k of highest score; shape (num_queries,), NaN without a candidate.

    Args:
        scores: minus infinity for what is no candidate; shape (num_queries, num_candidates).
        fits: whether each candidate is in the domain or range; shape (num_candidates,).
    """
    best = np.argpartition(-scores, min(k, scores.shape[1]) - 1, axis=1)[:, :k]
    there = np.take_along_axis(scores, best, axis=1) > -np.inf
    count = there.sum(axis=1)
    share = (fits[best] & there).sum(axis=1) / np.maximum(count, 1)
    return np.where(count > 0, share, np.nan)


class _Tally:
    """Ranks and Sem@K of many queries."""

    def __init__(self) -> None:
        self._ranks: list[Floats] = []
        self._shares: list[Floats] = []

    def add(self, scores: Floats, truth: NDArray[np.integer], fits: NDArray[np.bool_] | None, k: int) -> None:
        """Count queries: scores (num_queries, num_entities), and the row number of each true answer."""
        there = scores[np.arange(len(truth)), truth] > -np.inf
        self._ranks.append(np.where(there, realistic_ranks(scores, truth), scores.shape[1]))
        if fits is not None:
            self._shares.append(sem_at_k(scores, fits, k))

    def figures(self) -> FilterFigures:
        """The means."""
        ranks = np.concatenate(self._ranks)
        shares = np.concatenate(self._shares) if self._shares else np.empty(0)
        shares = shares[~np.isnan(shares)]
        return FilterFigures(
            float((1 / ranks).mean()),
            float((ranks <= 10).mean()),
            float(ranks.mean()),
            float(shares.mean()) if len(shares) else float("nan"),
            len(shares),
        )


def _ranked(
    embedding: Embedding, filter: SchemaFilter, rows: NDArray[np.int64], known: NDArray[np.integer]
) -> Iterator[tuple[NDArray[np.int64], bool, Floats, NDArray[np.int32], NDArray[np.int64]]]:
    """Chunks of queries of one relation and side: positions, side, scores, codes of the filter, rows of the truth.

    Other known triples have the score minus infinity and no code.
    """
    every, entities = AllScores(embedding), embedding.entities
    facts = np.unique(embedding.dense(known[embedding.knows(known)]), axis=0)
    for tails in (True, False):
        others, free = Completions(facts, tails=tails), 2 if tails else 0
        for relation in np.unique(rows[:, 1]).tolist():
            at = np.flatnonzero(rows[:, 1] == relation)
            for part in chunks(len(at), len(entities)):
                chunk = at[part]
                dense = embedding.dense(rows[chunk])
                truth = dense[:, free]
                scores = every.of(rows[chunk], tails=tails)
                codes = filter.codes(rows[chunk, 2 - free], relation, entities, tails=tails)
                position, other = others.of(dense)
                apart = other != truth[position]
                scores[position[apart], other[apart]] = -np.inf
                codes[position[apart], other[apart]] = 0
                yield chunk, tails, scores, codes, truth
