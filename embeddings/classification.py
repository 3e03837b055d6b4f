"""Triple classification: told true or false, with what confidence, and how often that is right.

Figures are honest only on examples that nothing was fitted to; where there are few, `cross_fitted` lets every example
be judged by what was fitted to the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embeddings.calibrate import brier, ece
from kg.errors import InputError

__all__ = [
    "ClassificationMetrics",
    "RiskCoverage",
    "Thresholds",
    "classification_metrics",
    "cross_fitted",
    "fit_thresholds",
    "risk_coverage",
]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Share of errors among the examples one answers, as one answers fewer (El-Yaniv and Wiener 2010)."""

    coverage: Floats
    """Share of examples answered, the surest first, ascending to 1; shape (num_examples,)."""
    risk: Floats
    """Share of wrong answers among them; shape (num_examples,)."""

    @property
    def area(self) -> float:
        """Area under the curve, in [0, 1]: mean risk over all coverages; 0 is best."""
        return float(self.risk.mean())

    def accuracy_at(self, coverage: float) -> float:
        """Share of right answers among the surest examples, at the least coverage not below this one.

        Raises:
            InputError: a coverage outside (0, 1].
        """
        if not 0 < coverage <= 1:
            raise InputError(f"Expected a coverage above 0 and at most 1 (got {coverage})")
        return float(1 - self.risk[max(0, math.ceil(coverage * len(self.risk) - 1e-9) - 1)])

    def to_dict(self) -> dict[str, Any]:
        """The curve and its area as JSON values."""
        return {"coverage": self.coverage.tolist(), "risk": self.risk.tolist(), "area": self.area}


@dataclass(frozen=True)
class ClassificationMetrics:
    """Figures of plausibilities against truth; a plausibility above one half tells true."""

    accuracy: float
    """Share of right answers, in [0, 1]."""
    accuracy_at_half: float
    """Share of right answers among the surer half of the examples."""
    brier: float
    """Mean squared difference of plausibility and truth, in [0, 1]; 0 is best."""
    ece: float
    """Expected calibration error over ten bins, in [0, 1]; 0 is best."""
    area: float
    """Area under the risk-coverage curve, in [0, 1]; 0 is best."""
    count: int
    """Examples."""

    def __str__(self) -> str:
        return (
            f"accuracy {self.accuracy:.3f}, at half coverage {self.accuracy_at_half:.3f}, Brier {self.brier:.3f}, "
            f"ECE {self.ece:.3f}, risk-coverage area {self.area:.4f} ({self.count} examples)"
        )

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Thresholds:
    """A score from which on a triple is held to be true, for all relations and for those with enough examples."""

    general: float
    """For relations without a threshold of their own."""
    by_relation: Mapping[int, float]
    """Thresholds by term id of the relation."""

    def above(self, scores: ArrayLike, relations: ArrayLike) -> NDArray[np.bool_]:
        """Whether each score reaches the threshold of its relation (term id); shape (num_scores,)."""
        values, ids = np.asarray(scores, dtype=np.float64), np.asarray(relations)
        least = np.array([self.by_relation.get(int(relation), self.general) for relation in ids.ravel()])
        return np.asarray(values >= least.reshape(ids.shape))


def fit_thresholds(scores: ArrayLike, labels: ArrayLike, relations: ArrayLike, *, min_count: int = 10) -> Thresholds:
    """The thresholds of most right answers (Socher et al. 2013), each half way between two scores.

    Args:
        scores: shape (num_examples,).
        labels: whether each example is true; shape (num_examples,).
        relations: term id of each example's relation; shape (num_examples,).
        min_count: a relation needs so many examples for a threshold of its own. They may all be true, or all false.

    Raises:
        InputError: no example, arrays of different length, or a score that is not finite.
    """
    values, truth, ids = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool), np.asarray(relations)
    if values.ndim != 1 or not len(values) or values.shape != truth.shape or values.shape != ids.shape:
        raise InputError(
            "Expected scores, labels and relations of one length, at least one "
            f"(got {values.shape}, {truth.shape}, {ids.shape})"
        )
    if not np.isfinite(values).all():
        raise InputError("Expected finite scores to fit thresholds to (got NaN or infinity)")
    own = {}
    for relation in np.unique(ids):
        here = ids == relation
        if here.sum() >= min_count:
            own[int(relation)] = _best_threshold(values[here], truth[here])
    return Thresholds(_best_threshold(values, truth), own)


def risk_coverage(plausibilities: ArrayLike, labels: ArrayLike) -> RiskCoverage:
    """The curve of plausibilities against truth; how sure an answer is, is the plausibility's distance from one half.

    Examples of equal confidence come in no order: the risk among them is what a random order gives in the mean.

    Raises:
        InputError: no example, arrays of different length, or a plausibility outside [0, 1].
    """
    chance, truth = _examples(plausibilities, labels)
    confidence = np.abs(chance - 0.5)
    order = np.argsort(-confidence, kind="stable")
    wrong = ((chance > 0.5) != truth)[order]
    ends = np.r_[np.flatnonzero(np.diff(confidence[order])) + 1, len(chance)]
    answered = np.arange(1, len(chance) + 1)
    errors = np.interp(answered, np.r_[0, ends], np.r_[0, np.cumsum(wrong)[ends - 1]])
    return RiskCoverage(answered / len(chance), errors / answered)


def classification_metrics(plausibilities: ArrayLike, labels: ArrayLike) -> ClassificationMetrics:
    """The figures of plausibilities of examples (that nothing was fitted to) against whether each is true.

    Raises:
        InputError: no example, arrays of different length, or a plausibility outside [0, 1].
    """
    chance, truth = _examples(plausibilities, labels)
    curve = risk_coverage(chance, truth)
    return ClassificationMetrics(
        accuracy=float(((chance > 0.5) == truth).mean()),
        accuracy_at_half=curve.accuracy_at(0.5),
        brier=brier(chance, truth),
        ece=ece(chance, truth),
        area=curve.area,
        count=len(chance),
    )


def cross_fitted(
    fit: Callable[[Rows], Callable[[Rows], ArrayLike]], count: int, *, folds: int = 5, seed: int = 0
) -> NDArray[Any]:
    """What is told of each of `count` examples by something fitted to examples of the other folds only.

    Args:
        fit: takes the numbers of the examples to fit to, gives a function from numbers of examples to their values.
        count: examples.
        folds: parts of nearly equal size that the examples are shuffled into.
        seed: of the shuffle.

    Raises:
        InputError: fewer than two folds, or fewer examples than folds.
    """
    if not 2 <= folds <= count:
        raise InputError(f"Expected from 2 to {count} folds for {count} examples (got {folds})")
    part = np.random.default_rng(seed).permutation(count) % folds
    told: list[tuple[Rows, NDArray[Any]]] = []
    for fold in range(folds):
        held = np.flatnonzero(part == fold)
        told.append((held, np.asarray(fit(np.flatnonzero(part != fold))(held))))
    result = np.concatenate([values for _, values in told])
    return result[np.argsort(np.concatenate([held for held, _ in told]))]


def _best_threshold(scores: Floats, truth: NDArray[np.bool_]) -> float:
    """Half way between the two scores where a cut has most examples on their right side; the lowest such cut."""
    values, group = np.unique(scores, return_inverse=True)
    true = np.bincount(group, weights=truth)
    false = np.bincount(group, weights=~truth)
    right = np.r_[0.0, np.cumsum(false)] + true.sum() - np.r_[0.0, np.cumsum(true)]  # with the first k values below
    cut = int(right.argmax())
    if cut == 0:
        return -math.inf
    if cut == len(values):
        return math.inf
    middle = float(values[cut - 1] + (values[cut] - values[cut - 1]) / 2)
    return middle if middle > values[cut - 1] else float(values[cut])  # there may be no number between them


def _examples(plausibilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    chance, truth = np.asarray(plausibilities, dtype=np.float64), np.asarray(labels, dtype=bool)
    if chance.ndim != 1 or chance.shape != truth.shape or not len(chance):
        raise InputError(f"Expected as many labels as plausibilities, at least one (got {chance.shape}, {truth.shape})")
    if not ((chance >= 0) & (chance <= 1)).all():
        raise InputError("Expected plausibilities in [0, 1]")
    return chance, truth
