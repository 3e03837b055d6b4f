"""PyKEEN's training loop with one set of negative entities per batch, scored by a matrix product.

PyKEEN draws negatives for each triple and scores them one by one. For the L2 forms of TransE and RotatE the score is
minus the distance from a moved query to an entity, so a set shared by the batch costs one product:
|q - e|² = |q|² + |e|² - 2 q·e. On a CPU this gives more negatives in less time than any sparse update.

Import this module inside `embeddings.quiet.quiet`: it imports PyKEEN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from pykeen.losses import NSSALoss
from pykeen.sampling import NegativeSampler
from pykeen.training import SLCWATrainingLoop
from pykeen.triples import CoreTriplesFactory
from torch import Tensor
from torch.nn.functional import logsigmoid

from embeddings.completions import Completions
from embeddings.negatives import DenseNegatives
from embeddings.self_adversarial import LEAST, adversarial_loss, squared_distances
from embeddings.subsampling import Subsampling

__all__ = ["SharedNegativeLoop", "SharedNegatives"]

_FAR = -1e4  # a score no loss has a gradient at; -inf would make NaN in some


class SharedNegatives(NegativeSampler):  # type: ignore[misc]  # PyKEEN is untyped here
    """Draws `num_negs_per_pos` different entities for the whole batch, uniformly."""

    def corrupt_batch(self, positive_batch: Int[Tensor, "batch 3"]) -> Int[Tensor, " negative"]:
        """Ids of the entities that replace head and tail of every triple of the batch."""
        wanted, there = self.num_negs_per_pos, self.num_entities
        if wanted * 20 > there:
            return torch.randperm(there)[:wanted]
        some: Tensor = torch.unique(torch.randint(there, (wanted,)))
        return some  # few come twice, and a permutation takes longer


class SharedNegativeLoop(SLCWATrainingLoop):  # type: ignore[misc]  # PyKEEN is untyped here
    """PyKEEN's loop for TransE (L2) and RotatE, negatives shared by the batch and used on both sides.

    A negative that makes a known triple is left out of that row: on small or dense graphs there are many.

    Args:
        knowledge: what is known of negatives, None where nothing is.
        subsampling: weights of the triples, for them and the negatives in their place; None weighs all alike.
        mixed_precision: whether products run in bfloat16.
    """

    def __init__(
        self,
        *,
        triples_factory: CoreTriplesFactory,
        knowledge: DenseNegatives | None = None,
        subsampling: Subsampling | None = None,
        mixed_precision: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(triples_factory=triples_factory, **kwargs)
        self.model.entity_representations[0]._embeddings.sparse = True  # its gradient: rows of the batch alone
        facts = triples_factory.mapped_triples.numpy()
        self._known = [Completions(facts, tails=tails) for tails in (True, False)]
        self._knowledge, self._subsampling, self._mixed = knowledge, subsampling, mixed_precision

    def _process_batch(
        self, batch: Any, start: int, stop: int, label_smoothing: float = 0.0, slice_size: int | None = None
    ) -> Float[Tensor, ""]:
        positives, negatives = batch["positives"][start:stop], batch["negatives"]
        weights = torch.ones(len(positives)) if self._subsampling is None else self._subsampling.of(positives)
        weights = weights.to(self.device).repeat(2)
        queries, targets, vectors = self._vectors(positives.to(self.device), negatives.to(self.device))
        log_odds = self._log_odds(positives, negatives)
        if isinstance(self.loss, NSSALoss):
            loss = self._adversarial(queries, targets, vectors, weights / len(weights), log_odds)
        else:
            loss = self._any(queries, targets, vectors, weights, log_odds)
        if self._knowledge is not None and self._knowledge.hard is not None:
            loss = loss + self._knowledge.hard_weight * self._contradicted(self._knowledge.hard)
        total: Tensor = loss + self.model.collect_regularization_term()
        return total

    def _vectors(
        self, positives: Int[Tensor, "batch 3"], negatives: Int[Tensor, " negative"]
    ) -> tuple[Float[Tensor, "query dim"], Float[Tensor, "query dim"], Float[Tensor, "negative dim"]]:
        """Heads moved by their relation, then tails moved back; what they should be near; and the negatives."""
        size = len(positives)
        head, relation, tail = positives.T
        # one look-up for all, so that the backward pass makes one gradient
        vectors = self.model.entity_representations[0](torch.cat([head, tail, negatives]))
        moves = self.model.relation_representations[0](relation)
        if vectors.is_complex():
            moved = torch.cat([vectors[:size] * moves, vectors[size : 2 * size] * moves.conj()])
            vectors, queries = (torch.view_as_real(x).flatten(1) for x in (vectors, moved))
        else:
            queries = torch.cat([vectors[:size] + moves, vectors[size : 2 * size] - moves])
        targets = torch.cat([vectors[size : 2 * size], vectors[:size]])
        return queries, targets, vectors[2 * size :]

    def _adversarial(
        self, queries: Tensor, targets: Tensor, vectors: Tensor, weights: Tensor, log_odds: Tensor
    ) -> Float[Tensor, ""]:
        """The NSSA loss of PyKEEN: half of it on positives, half on negatives."""
        loss = self.loss
        near = _root((queries - targets).square().sum(dim=1))
        positive = -(weights * logsigmoid(loss.margin - near)).sum()
        negative = adversarial_loss(
            queries,
            vectors,
            weights=weights,
            log_odds=log_odds,
            margin=loss.margin,
            temperature=loss.inverse_softmax_temperature,
            mixed=self._mixed,
        )
        total: Tensor = loss.factor * (positive + negative)
        return total

    def _any(
        self, queries: Tensor, targets: Tensor, vectors: Tensor, weights: Tensor, log_odds: Tensor
    ) -> Float[Tensor, ""]:
        """Any other loss of PyKEEN, by its own code; one that takes no weights raises an error where there are some."""
        negative = -_root(squared_distances(queries, vectors, mixed=self._mixed))
        positive = -_root((queries - targets).square().sum(dim=1))
        weighed = {}
        if self._subsampling is not None or (self._knowledge is not None and self._knowledge.log_weight != 0):
            weighed = {"pos_weights": weights, "neg_weights": weights.unsqueeze(1) * log_odds.exp()}
        found: Tensor = self.loss.process_slcwa_scores(
            positive_scores=positive.unsqueeze(1),
            negative_scores=negative.masked_fill(log_odds.isneginf(), _FAR),
            **weighed,
        )
        return found

    def _contradicted(self, hard: Int[Tensor, "hard 3"]) -> Float[Tensor, ""]:
        """The loss of some triples that the rules contradict, as negatives."""
        some = hard[torch.randint(len(hard), (min(len(hard), 256),))].to(self.device)
        queries, targets, _ = self._vectors(some, some[:0, 0])
        distances = _root((queries[: len(some)] - targets[: len(some)]).square().sum(dim=1))
        margin = getattr(self.loss, "margin", 1.0)
        return -logsigmoid(distances - margin).mean()

    def _log_odds(
        self, positives: Int[Tensor, "batch 3"], negatives: Int[Tensor, " negative"]
    ) -> Float[Tensor, "query negative"]:
        """-inf where a negative completes a row to a known triple, tails of all rows, then heads of all rows."""
        odds = np.zeros((2 * len(positives), len(negatives)), dtype=np.float32)
        if self._knowledge is not None:
            self._knowledge.weigh(odds, positives.numpy(), negatives.numpy())
        column = np.full(self.model.num_entities, -1)
        column[negatives.numpy()] = np.arange(len(negatives))
        for first, side in zip((0, len(positives)), self._known, strict=True):
            row, entity = side.of(positives.numpy())
            at = column[entity]
            odds[first + row[at >= 0], at[at >= 0]] = -np.inf
        return torch.from_numpy(odds).to(self.device)


def _root(squares: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    return squares.clamp_min(LEAST).sqrt()
