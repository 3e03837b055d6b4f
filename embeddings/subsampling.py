"""Triples that weigh less the more often their parts occur.

Import this module inside `embeddings.quiet.quiet`: it imports PyKEEN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from pykeen.training import SLCWATrainingLoop
from torch import Tensor

from embeddings.completions import Completions

__all__ = ["SubsampledLoop", "Subsampling"]


class Subsampling:
    """Weighs a triple by the inverse root of how often its (head, relation) and (relation, tail) occur, mean 1.

    Source: the code of RotatE (Sun et al., arXiv:1902.10197), after word2vec.
    """

    def __init__(self, facts: Int[Tensor, "triple 3"]) -> None:
        self._sides = [Completions(facts.numpy(), tails=tails) for tails in (True, False)]
        self._mean = 1.0
        self._mean = float(self.of(facts).mean())

    def of(self, triples: Int[Tensor, "batch 3"]) -> Float[Tensor, " batch"]:
        """Weights of triples that are among the facts; they count for the negatives in their place too."""
        rows = triples.numpy()
        counts = sum(side.counts(side.key(rows)) for side in self._sides)
        return torch.from_numpy((1 / np.sqrt(counts) / self._mean).astype(np.float32))


class SubsampledLoop(SLCWATrainingLoop):  # type: ignore[misc]  # PyKEEN is untyped here
    """PyKEEN's loop with negatives that weigh as the triple they are made from.

    PyKEEN's own weights are looked up for the negatives themselves, of which one part never occurs.
    """

    def __init__(self, subsampling: Subsampling, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._subsampling = subsampling

    def _process_batch(self, batch: Any, start: int, stop: int, **kwargs: Any) -> Float[Tensor, ""]:
        weights = self._subsampling.of(batch["positives"])
        of_negatives = weights.unsqueeze(1).expand(batch["negatives"].shape[:2])
        weighed = {**batch, "pos_weights": weights, "neg_weights": of_negatives.contiguous()}
        loss: Tensor = super()._process_batch(weighed, start, stop, **kwargs)
        return loss
