"""How an answer is come by: proved, refuted, predicted, or abstained from; no score turns a prediction into a proof."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.symbolic import ReplayError, replay
from kg.errors import InputError, StoreError
from pipelines.run import write_atomically
from pipelines.tasks.example import Example
from pipelines.tasks.method import Answer

__all__ = ["Abstention", "threshold_for", "verified"]

_FILE = "abstention.json"


@dataclass(frozen=True)
class Abstention:
    """How sure a prediction must be to be given.

    Args:
        threshold: least probability of a prediction that is given, in [0, 1]; above 1 where none is sure enough, 0
            where there was nothing to choose it by.
        risk: most wrong among the predictions given that was asked for.
        coverage: share of the predictions it was chosen by that it gives.
        examples: how many predictions it was chosen by.
    """

    threshold: float
    risk: float
    coverage: float
    examples: int

    @classmethod
    def choose(cls, answers: Sequence[Answer], right: ArrayLike, *, risk: float) -> Abstention:
        """The lowest threshold at which no more than `risk` of the predictions given are wrong.

        Args:
            answers: of examples that the method was not trained on; only predictions among them count.
            right: whether each is right; shape (len(answers),).
        """
        held = np.array([answer.route == "predicted" for answer in answers], dtype=bool)
        chance = np.array([answer.probability for answer in answers], dtype=np.float64)[held]
        wrong = ~np.asarray(right, dtype=bool)[held]
        if not len(chance):
            return cls(0.0, risk, 1.0, 0)
        threshold = threshold_for(chance, ~wrong, risk)
        return cls(threshold, risk, float((chance >= threshold).mean()), len(chance))

    def apply(self, answers: Sequence[Answer]) -> list[Answer]:
        """The answers, with predictions below the threshold abstained from; what is proved or refuted stays so."""
        return [
            replace(answer, route="abstained")
            if answer.route == "predicted" and answer.probability < self.threshold
            else answer
            for answer in answers
        ]

    def save(self, folder: Path) -> None:
        """Write it into the folder of a model."""
        write_atomically(folder / _FILE, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Abstention:
        """Read what `save` wrote.

        Raises:
            StoreError: there is none, or it is not what `save` writes.
        """
        try:
            values = json.loads((folder / _FILE).read_text(encoding="utf-8"))
            return cls(
                **{key: float(values[key]) for key in ("threshold", "risk", "coverage")}, examples=values["examples"]
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"Expected {folder / _FILE} as an evaluation writes it ({error!r}); evaluate again"
            ) from error


def threshold_for(chance: NDArray[np.float64], right: NDArray[np.bool_], risk: float) -> float:
    """The lowest probability from which on no more than `risk` of the answers are wrong; above 1 where there is none.

    Args:
        chance: probability of each answer; shape (answer,), at least one. right: whether it is right.
    """
    order = np.argsort(-chance, kind="stable")
    wrong: NDArray[np.float64] = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    last_of_its_kind = np.r_[np.diff(chance[order]) != 0, True]
    ends = np.flatnonzero((wrong <= risk) & last_of_its_kind)
    return float(chance[order[ends[-1]]]) if len(ends) else float(np.nextafter(1.0, 2.0))


def verified(example: Example, answer: Answer) -> bool | None:
    """Whether the independent checker accepts the proof of an answer; None where the answer does not tell its theory.

    Raises:
        InputError: the answer is said to be proved or refuted, and has no proof.
    """
    if answer.theory is None:
        return None
    if answer.proof is None:
        raise InputError(f"Expected a proof with the answer to {example.id!r}, which is said to be {answer.route}")
    graph, rules, assumed = answer.theory
    try:
        replay(answer.proof, graph, rules, assumed=assumed)
    except ReplayError:
        return False
    return True
