"""`Scorer`: the fusion model as the reasoner uses it, giving calibrated plausibilities to claims that stay unproven."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from embeddings.calibrate import Calibration, fit_calibration
from engine.fusion.evaluate import plausibilities, predict_logits
from engine.fusion.examples import ClaimExample
from engine.fusion.grounding import IdTriple
from engine.fusion.model import FusionModel

__all__ = ["Scorer", "calibrate"]

_ALL_RELATIONS = 2**31 - 1  # a count no relation reaches: one curve for all claims


class Scorer:
    """Scores claims with a trained fusion model.

    Args:
        model: the model; with its calibration where it has one.
    """

    def __init__(self, model: FusionModel) -> None:
        self.model = model

    def plausibility(self, texts: Sequence[str], triples: Sequence[tuple[int, int, int]]) -> NDArray[np.float64]:
        """Plausibility in [0, 1] of each triple (term ids), read with a text that asserts it; shape (num_texts,).

        Raises:
            LimitError: a text is longer than the encoder takes.
        """
        claims = [ClaimExample(text, triple, 0.0, "asked") for text, triple in zip(texts, triples, strict=True)]
        return plausibilities(self.model, predict_logits(self.model, claims, mode=self.model.config.mode))


def calibrate(
    model: FusionModel, validation: Sequence[ClaimExample], *, hidden: Collection[IdTriple] = frozenset()
) -> Calibration | None:
    """Platt scaling of a model's logits on claims it was not trained on; None where all of them have one label."""
    labels = np.array([example.label >= 0.5 for example in validation])
    if not len(labels) or labels.all() or not labels.any():
        return None
    logits = predict_logits(model, validation, mode=model.config.mode, hidden=hidden)
    return fit_calibration(logits, labels, np.zeros(len(labels), dtype=np.int32), min_count=_ALL_RELATIONS)
