"""The answers of a model whose target is not a plausibility, and how many are right."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from engine.fusion.batch import INTERACTION
from engine.fusion.config import Mode
from engine.fusion.evaluate import outputs, predict_logits
from engine.fusion.examples import ClaimExample
from engine.fusion.grounding import IdTriple
from engine.fusion.model import FusionModel
from engine.fusion.order import units
from kg.errors import InputError

__all__ = ["answer_accuracy", "predict_answers"]


def predict_answers(
    model: FusionModel,
    examples: Sequence[ClaimExample],
    *,
    mode: Mode = "fusion",
    hidden: Collection[IdTriple] = frozenset(),
    seed: int = 0,
) -> list[float]:
    """What the model answers to each example, in the order given.

    Returns: for "truth" 1 or 0; for "three-way" 1, 0.5 or 0; for "choice" 1 for the best choice of each group, else 0;
        for "entity" the term id of the best node (-1 where there is none); for "relation" that of the best relation
        (-1 for any other one).

    Raises:
        LimitError: a text is longer than the encoder takes.
    """
    target = model.config.target
    if target == "entity":
        return _best_nodes(model, examples, mode, hidden, seed)
    logits = predict_logits(model, examples, mode=mode, hidden=hidden, seed=seed)
    if target == "truth":
        return [float(logit >= 0) for logit in logits]
    if target == "three-way":
        return [float(at) / 2 for at in logits.argmax(-1)]
    if target == "relation":
        names = np.array([*model.collator.relations, -1])
        return [float(names[at]) for at in logits.argmax(-1)]
    result = [0.0] * len(examples)
    for unit in units(examples):
        result[unit[int(logits[unit].argmax())]] = 1.0
    return result


def answer_accuracy(
    model: FusionModel,
    examples: Sequence[ClaimExample],
    *,
    mode: Mode = "fusion",
    hidden: Collection[IdTriple] = frozenset(),
    seed: int = 0,
) -> float:
    """The share of claims or questions that are answered rightly, in [0, 1].

    Raises:
        InputError: no examples.
    """
    if not examples:
        raise InputError("Expected at least one example to measure on (got none)")
    found = predict_answers(model, examples, mode=mode, hidden=hidden, seed=seed)
    target = model.config.target
    if target in ("entity", "relation"):
        return float(np.mean([answer in example.answers for answer, example in zip(found, examples, strict=True)]))
    right = np.array([answer == example.label for answer, example in zip(found, examples, strict=True)])
    if target == "choice":
        return float(np.mean([right[unit].all() for unit in units(examples)]))
    return float(right.mean())


def _best_nodes(
    model: FusionModel, examples: Sequence[ClaimExample], mode: Mode, hidden: Collection[IdTriple], seed: int
) -> list[float]:
    result = [-1.0] * len(examples)
    for rows, batch, logits in outputs(model, examples, mode=mode, hidden=hidden, seed=seed):
        scores = logits.masked_fill(batch.entity == INTERACTION, -float("inf"))
        for at, row in enumerate(rows):
            own = batch.graph == at
            if own.any():
                result[row] = float(batch.entity[own][scores[own].argmax()])
    return result
