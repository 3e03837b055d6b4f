"""From scores to plausibilities: monotone maps fitted on held-out triples and sampled negatives.

Each relation has its own map where it has the examples. Within a relation a plausibility rises strictly with the score,
so calibration never changes a ranking. It is relative to the share of positives among the examples it was fitted on
(one half, with the default of `calibration_examples`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kg.errors import ConfigError, InputError, StoreError

if TYPE_CHECKING:
    from embeddings.embedding import Embedding

__all__ = ["METHODS", "Calibration", "Curve", "brier", "calibration_examples", "ece", "fit_calibration"]

METHODS = ("platt", "temperature", "isotonic")
_BEND = 8.0  # log-odds from which a curve grows by logarithm: sigmoids soon round to 0 or 1, where ranks would tie
_LEAST_SLOPE = 0.05  # log-odds per standard deviation of the scores: keeps a useless score's curve rising
_STEP_WEIGHT = 0.98  # of an isotonic curve's steps, which alone are flat between their jumps
_PRIOR = 1.0  # weight of the pull of Platt's slope towards 1 per standard deviation, in examples


@dataclass(frozen=True)
class Curve:
    """One strictly increasing map from score to plausibility.

    The plausibility is σ(bend(slope · score + shift)); where there are steps it is mixed with their interpolation.
    """

    slope: float
    """Log-odds per unit of score; above 0."""
    shift: float
    """Log-odds at score 0."""
    knots: tuple[float, ...] = ()
    """Scores of the steps, strictly ascending (isotonic only)."""
    heights: tuple[float, ...] = ()
    """Plausibility at each knot, ascending."""

    def __call__(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Plausibilities in (0, 1); same shape as `scores`."""
        smooth = _sigmoid(_bent(self.slope * scores + self.shift))
        if not self.knots:
            return smooth
        return _STEP_WEIGHT * np.interp(scores, self.knots, self.heights) + (1 - _STEP_WEIGHT) * smooth


@dataclass(frozen=True)
class Calibration:
    """A curve for all relations, and curves of their own for relations with enough examples."""

    method: str
    """`platt`, `temperature` or `isotonic`."""
    general: Curve
    """For relations without a curve of their own."""
    by_relation: Mapping[int, Curve]
    """Curves by term id of the relation."""

    def plausibility(self, scores: ArrayLike, relations: ArrayLike) -> NDArray[np.float64]:
        """Plausibilities in (0, 1) of scores under relations (term ids); shape (num_scores,) each."""
        values, ids = np.asarray(scores, dtype=np.float64), np.asarray(relations)
        if values.shape != ids.shape or values.ndim != 1:
            raise ValueError(f"Expected scores and relations of one shape (got {values.shape} and {ids.shape})")
        result = self.general(values)
        for relation in np.unique(ids):
            curve = self.by_relation.get(int(relation))
            if curve is not None:
                here = ids == relation
                result[here] = curve(values[here])
        return result

    def to_dict(self) -> dict[str, Any]:
        """The curves as JSON values."""
        return {
            "method": self.method,
            "general": _curve_values(self.general),
            "by_relation": {
                str(relation): _curve_values(curve) for relation, curve in sorted(self.by_relation.items())
            },
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """The calibration that `to_dict` wrote.

        Raises:
            StoreError: a key is missing or unknown, or a curve would not rise.
        """
        try:
            method, general, others = values["method"], values["general"], values["by_relation"]
            if set(values) != {"method", "general", "by_relation"} or method not in METHODS:
                raise ValueError(f"got keys {sorted(values)} and method {method!r}")
            return cls(method, _curve(general), {int(key): _curve(curve) for key, curve in others.items()})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(f"Expected a calibration as Calibration.to_dict writes it ({error})") from error


def fit_calibration(
    scores: ArrayLike,
    labels: ArrayLike,
    relations: ArrayLike,
    *,
    method: str = "platt",
    offset: float = 0.0,
    min_count: int = 25,
) -> Calibration:
    """Fit curves to examples not trained on.

    Args:
        scores: shape (num_examples,).
        labels: whether each example is true; shape (num_examples,).
        relations: term id of each example's relation; shape (num_examples,).
        method: `platt` fits slope and shift (Platt 1999, with the targets of Lin, Lin and Weng 2007); `temperature`
            fits only T in σ((score + offset) / T) (Guo et al. 2017); `isotonic` fits steps (pool adjacent violators),
            mixed with a little Platt so that it rises everywhere.
        offset: for `temperature`, the score's own zero of log-odds; with the NSSA loss that is the margin.
        min_count: a relation needs so many true and so many false examples for a curve of its own.

    Raises:
        InputError: no true or no false example, or a score that is not finite.
        ConfigError: an unknown method.
    """
    if method not in METHODS:
        raise ConfigError(f"Expected a calibration method of {', '.join(METHODS)} (got {method!r})")
    values, truth, ids = np.asarray(scores, dtype=np.float64), np.asarray(labels), np.asarray(relations)
    if values.ndim != 1 or values.shape != truth.shape or values.shape != ids.shape:
        raise InputError(
            f"Expected scores, labels and relations of one length (got {values.shape}, {truth.shape}, {ids.shape})"
        )
    truth = truth.astype(bool)
    if not np.isfinite(values).all():
        raise InputError("Expected finite scores to calibrate (got NaN or infinity)")
    if not truth.any() or truth.all():
        raise InputError(f"Expected true and false examples to calibrate (got {int(truth.sum())} of {len(truth)} true)")
    curves = {}
    for relation in np.unique(ids):
        here = ids == relation
        if min(int(truth[here].sum()), int((~truth[here]).sum())) >= max(min_count, 1):
            curves[int(relation)] = _fit(values[here], truth[here], method, offset)
    return Calibration(method, _fit(values, truth, method, offset), curves)


def calibration_examples(
    embedding: Embedding,
    positives: NDArray[np.integer],
    known: NDArray[np.integer],
    *,
    negatives: int = 1,
    seed: int = 0,
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Held-out triples with corruptions of them: (triples (num_examples, 3), labels (num_examples,)).

    Head or tail is replaced by an entity seen at that side of the relation, so that kind alone does not give the
    answer; known triples never come out as negatives. Triples with unseen terms are left out.

    Args:
        embedding: what gives the entities.
        positives: term ids, shape (num_positives, 3), not trained on.
        known: every triple held to be true, shape (num_known, 3).
        negatives: corruptions per positive; fewer come out where nearly every candidate is known to be true.
        seed: of the choice.

    Raises:
        InputError: no positive has all its terms in the embedding.
    """
    kept = np.asarray(positives)[embedding.knows(positives)].astype(np.int32)
    if not len(kept):
        raise InputError(f"Expected a triple whose terms were all trained (got {len(positives)}, none such)")
    facts = np.asarray(known)[embedding.knows(known)].astype(np.int32)
    random = np.random.default_rng(seed)
    true = {row.tobytes() for row in facts} | {row.tobytes() for row in kept}
    seen_at = {
        (int(relation), side): np.unique(facts[facts[:, 1] == relation][:, side])
        for relation in np.unique(kept[:, 1])
        for side in (0, 2)
    }
    found = []
    for row in np.repeat(kept, negatives, axis=0):
        for _ in range(20):  # tries; by then a relation that holds nearly everywhere has no negatives to give
            side = int(random.choice((0, 2)))
            pool = seen_at[int(row[1]), side]
            other = row.copy()
            other[side] = random.choice(pool if len(pool) > 1 else embedding.entities)
            if other.tobytes() not in true:
                found.append(other)
                break
    false = np.array(found, dtype=np.int32).reshape(-1, 3)
    return np.concatenate([kept, false]), np.repeat([True, False], [len(kept), len(false)])


def brier(plausibilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean squared difference of plausibility and truth (Brier 1950), in [0, 1]; 0 is best, always 0.5 gives 0.25."""
    chance, truth = _pair(plausibilities, labels)
    return float(np.square(chance - truth).mean())


def ece(plausibilities: ArrayLike, labels: ArrayLike, *, bins: int = 10) -> float:
    """Expected calibration error (Naeini et al. 2015) over equally wide bins, in [0, 1]; 0 is best."""
    chance, truth = _pair(plausibilities, labels)
    at = np.minimum((chance * bins).astype(int), bins - 1)
    gap = np.bincount(at, weights=chance - truth, minlength=bins)
    return float(np.abs(gap).sum() / len(chance))


def _pair(plausibilities: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    chance, truth = np.asarray(plausibilities, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if chance.ndim != 1 or chance.shape != truth.shape or not len(chance):
        raise InputError(f"Expected as many labels as plausibilities, at least one (got {chance.shape}, {truth.shape})")
    if not ((chance >= 0) & (chance <= 1)).all():
        raise InputError("Expected plausibilities in [0, 1]")
    return chance, truth


def _fit(scores: NDArray[np.float64], truth: NDArray[np.bool_], method: str, offset: float) -> Curve:
    if method == "temperature":
        return _temperature(scores, truth, offset)
    smooth = _platt(scores, truth)
    if method == "platt":
        return smooth
    knots, heights = _steps(scores, truth)
    return Curve(smooth.slope, smooth.shift, knots, heights)


def _platt(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> Curve:
    """Newton's method on the two parameters, over standardised scores; the slope never falls below `_LEAST_SLOPE`."""
    mean = float(scores.mean())
    spread = max(float(scores.std()), 1e-3 * (1 + abs(mean)))  # less is rounding, not information
    features = np.stack([(scores - mean) / spread, np.ones_like(scores)], axis=1)
    true, false = int(truth.sum()), int((~truth).sum())
    target = np.where(truth, (true + 1) / (true + 2), 1 / (false + 2))
    weights, pull = np.array([1.0, 0.0]), np.array([_PRIOR, 1e-6])
    for _ in range(100):
        chance = _sigmoid(features @ weights)
        gradient = features.T @ (chance - target) + pull * (weights - [1.0, 0.0])
        curvature = (features * (chance * (1 - chance))[:, None]).T @ features + np.diag(pull)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step * min(1.0, 4.0 / float(np.abs(step).max() + 1e-12))
        if float(np.abs(step).max()) < 1e-9:
            break
    if weights[0] < _LEAST_SLOPE:  # the score says nothing, or the opposite
        weights = np.array([_LEAST_SLOPE, math.log((true + 1) / (false + 1))])
    slope = float(weights[0]) / spread
    return Curve(slope, float(weights[1]) - slope * mean)


def _temperature(scores: NDArray[np.float64], truth: NDArray[np.bool_], offset: float) -> Curve:
    """The temperature of least log loss, by golden section over its logarithm, where the loss has one minimum."""
    odds = scores + offset
    spread = max(float(np.abs(odds).mean()), 1e-3 * (1 + abs(offset)))

    def loss(log_slope: float) -> float:
        return float(np.logaddexp(0.0, np.where(truth, -1.0, 1.0) * math.exp(log_slope) * odds).sum())

    low, high, ratio = math.log(_LEAST_SLOPE / spread), math.log(50.0 / spread), (math.sqrt(5) - 1) / 2
    for _ in range(80):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    slope = math.exp((low + high) / 2)
    return Curve(slope, slope * offset)


def _steps(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Pool adjacent violators (Ayer et al. 1955), then the mean score and share of positives of each block."""
    order = np.argsort(scores, kind="stable")
    blocks: list[tuple[float, float, int]] = []  # sum of scores, positives, examples
    for score, true in zip(scores[order], truth[order], strict=True):
        total, positives, count = float(score), float(true), 1
        while blocks and (
            blocks[-1][1] * count >= positives * blocks[-1][2] or blocks[-1][0] / blocks[-1][2] >= total / count
        ):
            last = blocks.pop()
            total, positives, count = total + last[0], positives + last[1], count + last[2]
        blocks.append((total, positives, count))
    # (positives + 1/2) / (count + 1) would break the order of the blocks; the clip is enough to stay off 0 and 1
    heights = np.clip([positives / count for _, positives, count in blocks], 0.5 / len(scores), 1 - 0.5 / len(scores))
    return tuple(total / count for total, _, count in blocks), tuple(float(h) for h in heights)


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-np.logaddexp(0.0, -x))


def _bent(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds as they are up to ±8, from there their logarithm; smooth and strictly increasing."""
    beyond = np.maximum(np.abs(odds) - _BEND, 0.0)
    return np.asarray(np.where(beyond > 0, np.sign(odds) * (_BEND + np.log1p(4 * beyond) / 4), odds))


def _curve_values(curve: Curve) -> dict[str, Any]:
    values: dict[str, Any] = {"slope": curve.slope, "shift": curve.shift}
    return {**values, "knots": list(curve.knots), "heights": list(curve.heights)} if curve.knots else values


def _curve(values: Mapping[str, Any]) -> Curve:
    extra = set(values) - {"slope", "shift", "knots", "heights"}
    knots, heights = (tuple(float(x) for x in values.get(name, ())) for name in ("knots", "heights"))
    slope, shift = float(values["slope"]), float(values["shift"])
    rising = all(np.diff(knots) > 0) and all(np.diff(heights) >= 0) and all(0 < h < 1 for h in heights)
    finite = all(math.isfinite(x) for x in (slope, shift, *knots))
    if extra or len(knots) != len(heights) or not rising or not finite or slope <= 0:
        raise ValueError(f"got a curve {dict(values)!r} that does not rise")
    return Curve(slope, shift, knots, heights)
