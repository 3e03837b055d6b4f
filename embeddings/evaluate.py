"""Link prediction figures: how high an embedding ranks the true triple among all ways to complete it.

Ranks are filtered (other known triples do not count against it) and realistic (the mean of the optimistic and the
pessimistic rank, so ties neither help nor hurt), for the tail and the head of every triple, over all trained entities.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embeddings.completions import Completions
from embeddings.device import resolve_device
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

    @classmethod
    def of(cls, ranks: NDArray[np.float64], unseen: int = 0) -> RankMetrics:
        """The figures of ranks, shape (num_triples, 2)."""
        both = ranks.ravel()
        return cls(
            mrr=float((1 / both).mean()),
            hits_at_1=float((both <= 1).mean()),
            hits_at_3=float((both <= 3).mean()),
            hits_at_10=float((both <= 10).mean()),
            count=len(ranks),
            unseen=unseen,
        )

    @property
    def mrr_of_all(self) -> float:
        """MRR where triples with a term that was not trained count as never found: a lower bound on what protocols
        give that rank such terms by their untrained vectors."""
        return self.mrr * self.count / (self.count + self.unseen)

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
    return RankMetrics.of(ranks(embedding, test[seen], known, device=device), int((~seen).sum()))


def ranks(
    embedding: Embedding, triples: NDArray[np.integer], known: NDArray[np.integer], *, device: str = "auto"
) -> NDArray[np.float64]:
    """Filtered, realistic ranks of each triple's tail and head among all entities, from 1; shape (num_triples, 2).

    Raises:
        UnknownTermError: a term of a triple was not trained.
        ConfigError: the device is not there.
    """
    dense = embedding.dense(triples)
    facts = np.unique(embedding.dense(known[embedding.knows(known)]), axis=0)
    scorer = _Products(embedding, resolve_device(device)) if embedding.config.isometric else _Plain(embedding)
    chunk = max(1, _CHUNK_BYTES // (8 * len(embedding.entities) * scorer.width))
    result = np.empty((len(dense), 2))
    for side, tails in enumerate((True, False)):
        others = Completions(facts, tails=tails)
        for start in range(0, len(dense), chunk):
            rows = dense[start : start + chunk]
            result[start : start + chunk, side] = _chunk_ranks(scorer, rows, others, tails=tails)
    return result


def _chunk_ranks(scorer: _Products | _Plain, rows: NDArray[np.int64], others: Completions, *, tails: bool) -> Any:
    import torch

    scores = scorer.scores(rows, tails=tails)
    sought = torch.from_numpy(rows[:, 2 if tails else 0]).to(scores.device).unsqueeze(1)
    own = scores.gather(1, sought)
    at_row, at_entity = (torch.from_numpy(x).to(scores.device) for x in others.of(rows))
    scores[at_row, at_entity] = -torch.inf
    scores.scatter_(1, sought, -torch.inf)  # the triple itself, whether or not it is among the known
    better, equal = (scores > own).sum(dim=1), (scores == own).sum(dim=1)
    return (1 + better + equal / 2).cpu().numpy()


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
