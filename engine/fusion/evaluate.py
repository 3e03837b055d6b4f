"""How well a model tells true claims from false ones, alone and against another model on the same claims."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from embeddings.calibrate import brier, ece
from engine.fusion.batch import Batch
from engine.fusion.config import FusionConfig, Mode
from engine.fusion.examples import ClaimExample, shuffle_triples
from engine.fusion.grounding import IdTriple
from engine.fusion.model import FusionModel
from kg.errors import InputError

__all__ = [
    "BinaryMetrics",
    "PairedDifference",
    "area_under_curve",
    "as_seen",
    "binary_metrics",
    "compare",
    "evaluate_fusion",
    "outputs",
    "paired_difference",
    "plausibilities",
    "predict_logits",
]


@dataclass(frozen=True)
class BinaryMetrics:
    """Quality of probabilities for true/false claims.

    Attributes:
        accuracy: share of claims on the right side of 0.5, in [0, 1].
        auc: chance that a true claim scores above a false one, ties counting half; NaN where there is only one kind.
        brier: mean squared distance of probability and truth, in [0, 1], lower is better.
        ece: expected calibration error over ten bins of equal width, in [0, 1], lower is better.
        count: number of claims.
    """

    accuracy: float
    auc: float
    brier: float
    ece: float
    count: int

    def __str__(self) -> str:
        return (
            f"accuracy {self.accuracy:.3f}, AUC {self.auc:.3f}, Brier {self.brier:.3f}, ECE {self.ece:.3f} "
            f"over {self.count} claims"
        )

    def to_dict(self) -> dict[str, float | int]:
        """The numbers by name."""
        return asdict(self)


@dataclass(frozen=True)
class PairedDifference:
    """Accuracy of a first model less that of a second on the same claims.

    Attributes:
        difference: of the accuracies, in [-1, 1].
        low, high: bounds of the 95 % bootstrap interval over claims.
        only_first, only_second: claims that only the first, only the second model has right (over seeds: more often).
        count: number of claims.
    """

    difference: float
    low: float
    high: float
    only_first: int
    only_second: int
    count: int

    def __str__(self) -> str:
        return (
            f"{self.difference:+.3f} accuracy [{self.low:+.3f}, {self.high:+.3f}] over {self.count} claims "
            f"({self.only_first} only the first has right, {self.only_second} only the second)"
        )

    def to_dict(self) -> dict[str, float | int]:
        """The numbers by name."""
        return asdict(self)


def evaluate_fusion(
    model: FusionModel,
    examples: Sequence[ClaimExample],
    mode: Mode = "fusion",
    *,
    hidden: Collection[IdTriple] = frozenset(),
    seed: int = 0,
) -> BinaryMetrics:
    """Metrics of a model on claims with known labels.

    Args:
        model: the model.
        examples: the claims; a label of 0.5 or more counts as true.
        mode: what the model sees; "shuffled graph" gives each claim the triple, and so the subgraph, of another.
        hidden: triples the evidence may not show, such as all held-out ones.
        seed: of the shuffle.

    Raises:
        InputError: no examples; a text longer than the encoder takes.
    """
    logits = predict_logits(model, examples, mode=mode, hidden=hidden, seed=seed)
    return binary_metrics([example.label for example in examples], plausibilities(model, logits))


def plausibilities(model: FusionModel, logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """A model's logits as plausibilities in [0, 1], by its calibration where it has one; shape as given."""
    scores = np.asarray(logits, dtype=np.float64)
    if model.calibration is None:
        return np.asarray(np.exp(-np.logaddexp(0, -scores)))
    return model.calibration.plausibility(scores, np.zeros(len(scores), dtype=np.int32))


def predict_logits(
    model: FusionModel,
    examples: Sequence[ClaimExample],
    *,
    mode: Mode = "fusion",
    hidden: Collection[IdTriple] = frozenset(),
    seed: int = 0,
    states: Mapping[str, Tensor] | None = None,
    batch_size: int = 64,
) -> NDArray[np.float32]:
    """The logit of each claim, in the order given; nothing is drawn or learned on the way.

    Returns: shape (len(examples),), or (len(examples), class) where classes are asked for. Entities have no logit of a
        fixed place; see `predict_answers`.

    Raises:
        LimitError: a text is longer than the encoder takes.
    """
    result: NDArray[np.float32] | None = None
    for rows, _, logits in outputs(
        model, examples, mode=mode, hidden=hidden, seed=seed, states=states, batch_size=batch_size
    ):
        if result is None:
            result = np.zeros((len(examples), *logits.shape[1:]), dtype=np.float32)
        result[rows] = logits.cpu().numpy()
    return np.zeros(0, dtype=np.float32) if result is None else result


def as_seen(examples: Sequence[ClaimExample], config: FusionConfig, mode: Mode, seed: int) -> Sequence[ClaimExample]:
    """The examples as a mode lets the model see them: without their triples, or with those of others."""
    if mode == "text only" and config.target != "entity":  # whose nodes are what is chosen from
        return [replace(example, triple=None) for example in examples]  # saves making graphs nobody looks at
    return shuffle_triples(examples, seed=seed) if mode == "shuffled graph" else examples


def outputs(
    model: FusionModel,
    examples: Sequence[ClaimExample],
    *,
    mode: Mode = "fusion",
    hidden: Collection[IdTriple] = frozenset(),
    seed: int = 0,
    states: Mapping[str, Tensor] | None = None,
    batch_size: int = 64,
) -> Iterator[tuple[list[int], Batch, Tensor]]:
    """Batches of the examples, shortest texts first: their places, what was made of them, and what the model says."""
    examples = as_seen(examples, model.config, mode, seed)
    lengths = [len(row) for row in model.collator.tokens([example.text for example in examples])]
    order = sorted(range(len(examples)), key=lambda at: lengths[at])  # less padding
    training = model.training
    model.eval()
    with torch.inference_mode(), model.autocast():
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = model.collator([examples[at] for at in rows], hidden=hidden, states=states).to(model.device)
            yield rows, batch, model(batch, mode=mode).float()
    model.train(training)


def binary_metrics(labels: ArrayLike, probabilities: ArrayLike) -> BinaryMetrics:
    """Metrics of probabilities in [0, 1] for labels, of which 0.5 or more counts as true; shape (claim,) each.

    Raises:
        InputError: no claims, shapes that differ, or a probability outside [0, 1].
    """
    truth, p = np.asarray(labels, dtype=np.float64) >= 0.5, np.asarray(probabilities, dtype=np.float64)
    if truth.shape != p.shape or not truth.size:
        raise InputError(f"Expected as many probabilities as labels, at least one (got {p.shape} and {truth.shape})")
    return BinaryMetrics(
        accuracy=float(((p >= 0.5) == truth).mean()),
        auc=area_under_curve(truth, p),
        brier=brier(p, truth),
        ece=ece(p, truth),
        count=int(truth.size),
    )


def area_under_curve(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney), ties counting half; NaN where there is only one kind."""
    true, false = int(truth.sum()), int((~truth).sum())
    if not true or not false:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[truth].sum() - true * (true + 1) / 2) / (true * false))


def compare(
    labels: ArrayLike, first: ArrayLike, second: ArrayLike, *, seed: int = 0, draws: int = 2000
) -> PairedDifference:
    """The difference of two models' accuracies on the same claims, with a paired bootstrap interval.

    Args:
        labels: 0.5 or more counts as true; shape (claim,).
        first, second: the models' probabilities; shape (claim,) each.
        seed: of the bootstrap.
        draws: bootstrap samples.

    Raises:
        InputError: no claims, or shapes that differ.
    """
    truth = np.asarray(labels, dtype=np.float64) >= 0.5
    a, b = (np.asarray(p, dtype=np.float64) for p in (first, second))
    if not truth.size or a.shape != truth.shape or b.shape != truth.shape:
        raise InputError(f"Expected three rows of the same length (got {truth.shape}, {a.shape}, {b.shape})")
    return paired_difference((a >= 0.5) == truth, (b >= 0.5) == truth, seed=seed, draws=draws)


def paired_difference(first: ArrayLike, second: ArrayLike, *, seed: int = 0, draws: int = 2000) -> PairedDifference:
    """The difference of how often two models are right on the same claims, with a paired bootstrap interval.

    Args:
        first, second: whether each claim is right, or how often over several seeds, in [0, 1]; shape (claim,) each.
        seed: of the bootstrap.
        draws: bootstrap samples.

    Raises:
        InputError: no claims, or shapes that differ.
    """
    right_a, right_b = (np.asarray(right, dtype=np.float64) for right in (first, second))
    if not right_a.size or right_a.shape != right_b.shape:
        raise InputError(
            f"Expected two rows of the same length, at least one claim (got {right_a.shape}, {right_b.shape})"
        )
    gain = right_a - right_b
    drawn = np.random.default_rng(seed).integers(0, len(gain), size=(draws, len(gain)))
    low, high = np.quantile(gain[drawn].mean(axis=1), (0.025, 0.975))
    return PairedDifference(
        difference=float(gain.mean()),
        low=float(low),
        high=float(high),
        only_first=int((gain > 0).sum()),
        only_second=int((gain < 0).sum()),
        count=len(gain),
    )
