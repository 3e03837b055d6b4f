"""What is known of negatives: which terms the schema allows where, and triples that the rules contradict.

Negatives drawn at random are mostly nonsense, and a model that tells nonsense from sense has learnt little of what is
true. `NegativeKnowledge` says which replacements make sense, so that the two kinds weigh differently in the loss, and
gives triples known to be false, which are better than any guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kg.errors import InputError

if TYPE_CHECKING:
    import torch

    from embeddings.embedding import Embedding

__all__ = ["DenseNegatives", "NegativeKnowledge"]

Ids = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class NegativeKnowledge:
    """What graph and rules say of negatives, by term id.

    Args:
        heads, tails: for a relation, the entities that the schema allows as its head or tail; relations that are not
            among the keys allow all.
        contradicted: triples that the rules contradict, such as the bulk checker finds; shape (num_triples, 3).
    """

    heads: Mapping[int, Ids] = field(default_factory=dict)
    tails: Mapping[int, Ids] = field(default_factory=dict)
    contradicted: Ids = field(default_factory=lambda: np.empty((0, 3), dtype=np.int32))

    def dense(self, frame: Embedding, *, invalid_weight: float, hard_weight: float) -> DenseNegatives:
        """The same by row numbers of an embedding's entities and relations; what it does not know is passed over.

        Args:
            invalid_weight: weight of a negative that the schema forbids, where one it allows has 1; at least 0.
            hard_weight: of the loss of contradicted triples, where that of a batch has 1.

        Raises:
            InputError: `contradicted` is not of shape (num_triples, 3).
        """
        import torch

        if self.contradicted.ndim != 2 or self.contradicted.shape[1] != 3:
            raise InputError(f"Expected contradicted triples of shape (num_triples, 3) (got {self.contradicted.shape})")
        masks = [_mask(frame, side) for side in (self.tails, self.heads)]
        rows = self.contradicted[frame.knows(self.contradicted)]
        hard = torch.from_numpy(frame.dense(rows)) if len(rows) and hard_weight else None
        with np.errstate(divide="ignore"):
            log_weight = float(np.log(np.float64(invalid_weight)))
        return DenseNegatives(masks[0], masks[1], log_weight, hard, hard_weight)


def _mask(frame: Embedding, side: Mapping[int, Ids]) -> NDArray[np.bool_]:
    """Whether each entity is forbidden under each relation; shape (relation, entity)."""
    found = np.zeros((len(frame.relations), len(frame.entities)), dtype=bool)
    for at, relation in enumerate(frame.relations.tolist()):
        if relation in side:
            found[at] = ~np.isin(frame.entities, side[relation])
    return found


@dataclass(frozen=True, eq=False)
class DenseNegatives:
    """`NegativeKnowledge` by row numbers.

    Args:
        no_tail, no_head: whether the schema forbids an entity; shape (relation, entity).
        log_weight: of forbidden ones.
        hard: contradicted triples; None where there are none. hard_weight: of their loss.
    """

    no_tail: NDArray[np.bool_]
    no_head: NDArray[np.bool_]
    log_weight: float
    hard: torch.Tensor | None
    hard_weight: float

    def weigh(self, odds: NDArray[np.float32], positives: Ids, negatives: Ids) -> None:
        """Set the log weight of forbidden negatives, for the tails of all rows, then for their heads.

        A row whose negatives would all weigh nothing keeps them.
        """
        if self.log_weight == 0:
            return
        relations = positives[:, 1]
        forbidden = np.concatenate([side[np.ix_(relations, negatives)] for side in (self.no_tail, self.no_head)])
        forbidden[forbidden.all(axis=1)] = False
        odds[forbidden] = self.log_weight
