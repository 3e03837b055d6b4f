"""Link prediction figures: how high an embedding ranks the true triple among all ways to complete it.

Ranks are filtered (other known triples do not count against it) and realistic (the mean of the optimistic and the
pessimistic rank, so ties neither help nor hurt), for the tail and the head of every triple, over all trained entities.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embeddings.embedding import Embedding
from kg.errors import InputError

if TYPE_CHECKING:
    import torch

__all__ = ["RankMetrics", "evaluate", "ranks"]

_CHUNK_BYTES = 256 << 20  # of scores at a time; more does not make the products faster


@dataclass(frozen=True)
class RankMetrics:
    """Filtered, realistic link prediction figures over both sides."""

    mrr: float
    """Mean reciprocal rank, in (0, 1]."""
    hits_at_1: float
    """Share of ranks of at most 1, in [0, 1]."""
    hits_at_3: float
    """Share of ranks of at most 3."""
    hits_at_10: float
    """Share of ranks of at most 10."""
    count: int
    """Triples ranked, each on both sides."""
    unseen: int = 0
    """Test triples left out because a term of them was not trained; the figures say nothing about these."""

    def __str__(self) -> str:
        apart = f", {self.unseen} more with terms not seen in training" if self.unseen else ""
        return (
            f"MRR {self.mrr:.3f}, H@1 {self.hits_at_1:.3f}, H@3 {self.hits_at_3:.3f}, H@10 {self.hits_at_10:.3f} "
            f"({self.count} triples{apart})"
        )

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return asdict(self)


def evaluate(
    embedding: Embedding, test: NDArray[np.integer], known: NDArray[np.integer], *, device: str = "auto"
) -> RankMetrics:
    """Rank the test triples against all completions that are not known.

    Args:
        embedding: what gives the scores.
        test: (head, relation, tail) term ids, shape (num_test, 3).
        known: every triple held to be true: training, validation and test, shape (num_known, 3).
        device: where the products run; a torch device or `auto`.

    Raises:
        InputError: no test triple has all its terms in the embedding.
        ConfigError: the device is not there.
    """
    seen = embedding.knows(test)
    if not seen.any():
        raise InputError(f"Expected a test triple whose terms were all trained (got {len(test)}, none such)")
    both = ranks(embedding, test[seen], known, device=device).ravel()
    hits = [float((both <= k).mean()) for k in (1, 3, 10)]
    return RankMetrics(float((1 / both).mean()), *hits, count=int(seen.sum()), unseen=int((~seen).sum()))


def ranks(
    embedding: Embedding, triples: NDArray[np.integer], known: NDArray[np.integer], *, device: str = "auto"
) -> NDArray[np.float64]:
    """Filtered, realistic ranks of each triple's tail and head among all entities, from 1; shape (num_triples, 2).

    Raises:
        UnknownTermError: a term of a triple was not trained.
        ConfigError: the device is not there.
    """
    from embeddings.train import resolve_device

    dense = embedding.dense(triples)
    facts = np.unique(embedding.dense(known[embedding.knows(known)]), axis=0)
    scorer = _Products(embedding, resolve_device(device)) if embedding.config.isometric else _Plain(embedding)
    chunk = max(1, _CHUNK_BYTES // (8 * len(embedding.entities) * scorer.width))
    result = np.empty((len(dense), 2))
    for side, tails in enumerate((True, False)):
        others = _Completions(facts, len(embedding.relations), tails=tails)
        for start in range(0, len(dense), chunk):
            rows = dense[start : start + chunk]
            result[start : start + chunk, side] = _chunk_ranks(scorer, rows, others, tails=tails)
    return result


def _chunk_ranks(scorer: _Products | _Plain, rows: NDArray[np.int64], others: _Completions, *, tails: bool) -> Any:
    import torch

    scores = scorer.scores(rows, tails=tails)
    sought = torch.from_numpy(rows[:, 2 if tails else 0]).to(scores.device).unsqueeze(1)
    own = scores.gather(1, sought)
    at_row, at_entity = (torch.from_numpy(x).to(scores.device) for x in others.of(rows))
    scores[at_row, at_entity] = -torch.inf
    scores.scatter_(1, sought, -torch.inf)  # the triple itself, whether or not it is among the known
    better, equal = (scores > own).sum(dim=1), (scores == own).sum(dim=1)
    return (1 + better + equal / 2).cpu().numpy()


class _Completions:
    """The known completions of (head, relation) by tails, or of (relation, tail) by heads, to look up by many at once."""

    def __init__(self, facts: NDArray[np.int64], num_relations: int, *, tails: bool) -> None:
        self.num_relations, self.fixed, self.free = num_relations, 0 if tails else 2, 2 if tails else 0
        key = self._key(facts)
        order = np.argsort(key, kind="stable")
        self.keys, self.entities = key[order], facts[order, self.free]

    def _key(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.asarray(rows[:, self.fixed] * self.num_relations + rows[:, 1])

    def of(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(position in `rows`, entity) of each known completion; shape (num_completions,) each."""
        key = self._key(rows)
        low, high = np.searchsorted(self.keys, key, "left"), np.searchsorted(self.keys, key, "right")
        count = high - low
        position = np.repeat(np.arange(len(rows)), count)
        within = np.arange(len(position)) - np.repeat(np.cumsum(count) - count, count)
        return position, self.entities[low[position] + within]


class _Products:
    """All-entity scores of TransE (L2) and RotatE, one matrix product per chunk."""

    width = 1

    def __init__(self, embedding: Embedding, device: torch.device) -> None:
        import torch

        self.embedding = embedding
        # float64: |q|² + |e|² - 2 q·e cancels, and in float32 near neighbours would change places
        self.vectors = torch.from_numpy(embedding.entity_vectors.astype(np.float64)).to(device)
        self.squares = self.vectors.square().sum(dim=1)

    def scores(self, rows: NDArray[np.int64], *, tails: bool) -> torch.Tensor:
        """Scores that rank as the embedding's do (half its squared distance, but for what a row has in common)."""
        import torch

        queries = torch.from_numpy(self.embedding.queries(rows, tails=tails).astype(np.float64)).to(self.vectors.device)
        return torch.addmm(self.squares, queries, self.vectors.T, beta=-0.5)


class _Plain:
    """All-entity scores of any PyKEEN model, by its own `score_t` and `score_h`."""

    def __init__(self, embedding: Embedding) -> None:
        self.network = embedding._network
        self.width = max(1, embedding.entity_vectors.shape[1])  # PyKEEN makes (query, entity, dim) temporaries

    def scores(self, rows: NDArray[np.int64], *, tails: bool) -> torch.Tensor:
        """Scores as PyKEEN gives them."""
        import torch

        return torch.from_numpy(self.network.score_all(rows, tails=tails))
