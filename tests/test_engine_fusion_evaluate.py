"""Metrics and paired differences against values worked out by hand and slower definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.fusion import BinaryMetrics, compare
from engine.fusion.evaluate import area_under_curve, binary_metrics
from kg.errors import InputError


def test_metrics_of_four_claims_worked_out_by_hand() -> None:
    found = binary_metrics([1, 0, 1, 1], [0.95, 0.15, 0.85, 0.35])
    assert (found.accuracy, found.auc, found.count) == (0.75, 1.0, 4)
    assert found.brier == pytest.approx((0.05**2 + 0.15**2 + 0.15**2 + 0.65**2) / 4)
    assert found.ece == pytest.approx((0.05 + 0.15 + 0.15 + 0.65) / 4)
    assert str(found) == "accuracy 0.750, AUC 1.000, Brier 0.118, ECE 0.250 over 4 claims"
    assert found.to_dict() == {
        "accuracy": 0.75,
        "auc": 1.0,
        "brier": found.brier,
        "ece": found.ece,
        "count": 4,
    }


def test_calibration_error_weighs_the_gap_of_each_bin_by_its_claims() -> None:
    # [0.2, 0.3): mean 0.25, one of two true; [0.9, 1]: mean 0.95, two of two true.
    assert binary_metrics([1, 0, 1, 1], [0.22, 0.28, 0.9, 1.0]).ece == pytest.approx((2 * 0.25 + 2 * 0.05) / 4)


def test_ties_count_half() -> None:
    truth = np.array([True, False, True, False])
    assert area_under_curve(truth, np.array([0.5, 0.5, 0.9, 0.1])) == 3.5 / 4
    assert area_under_curve(truth, np.full(4, 0.5)) == 0.5


@pytest.mark.parametrize("seed", range(20))
def test_area_is_the_share_of_pairs_in_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = np.r_[True, False, random.random(30) < 0.4]
    scores = random.integers(0, 8, size=32) / 7
    pairs = [float(a > b) + 0.5 * float(a == b) for a in scores[truth] for b in scores[~truth]]
    assert area_under_curve(truth, scores) == pytest.approx(sum(pairs) / len(pairs))


def test_one_kind_of_claim_has_no_area() -> None:
    found = binary_metrics([1, 1], [0.5, 0.4])
    assert math.isnan(found.auc)
    assert (found.accuracy, found.count) == (0.5, 2)


def test_a_perfect_and_a_hopeless_model() -> None:
    assert binary_metrics([1, 0], [1.0, 0.0]) == BinaryMetrics(1.0, 1.0, 0.0, 0.0, 2)
    assert binary_metrics([0, 1], [1.0, 0.0]) == BinaryMetrics(0.0, 0.0, 1.0, 1.0, 2)


@pytest.mark.parametrize(("labels", "probabilities"), [([], []), ([1, 0], [0.5]), ([1], [0.5, 0.5])])
def test_no_claims_and_other_lengths_are_refused(labels: list[int], probabilities: list[float]) -> None:
    with pytest.raises(InputError, match="Expected as many probabilities as labels"):
        binary_metrics(labels, probabilities)
    with pytest.raises(InputError, match="Expected three rows of the same length"):
        compare(labels, probabilities, probabilities)


def test_difference_counts_who_alone_is_right() -> None:
    found = compare([1, 1, 0, 0, 1], [0.9, 0.9, 0.1, 0.9, 0.1], [0.9, 0.1, 0.9, 0.1, 0.1])
    assert found.difference == pytest.approx(0.2)
    assert (found.only_first, found.only_second, found.count) == (2, 1, 5)
    assert str(found).startswith("+0.200 accuracy [")
    assert set(found.to_dict()) == {"difference", "low", "high", "only_first", "only_second", "count"}


@pytest.mark.parametrize("seed", range(10))
def test_interval_contains_the_difference_and_turns_round_with_the_models(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels, first, second = random.random((3, 60))
    found, turned = compare(labels, first, second, seed=seed), compare(labels, second, first, seed=seed)
    assert -1 <= found.low < found.difference < found.high <= 1
    assert (turned.difference, turned.only_first) == (-found.difference, found.only_second)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    gain = ((first >= 0.5) == (labels >= 0.5)).astype(float) - ((second >= 0.5) == (labels >= 0.5))
    half_width = 1.96 * gain.std() / math.sqrt(60)  # the interval of the normal approximation
    assert found.high - found.low == pytest.approx(2 * half_width, rel=0.2)


def test_a_model_does_not_differ_from_itself() -> None:
    found = compare([1, 0, 1], [0.9, 0.8, 0.7], [0.6, 0.9, 0.8])
    assert (found.difference, found.low, found.high, found.only_first, found.only_second) == (0, 0, 0, 0, 0)
