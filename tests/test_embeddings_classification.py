"""Triple classification: thresholds, risk-coverage curves and cross-fitting against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings.calibrate import METHODS, fit_calibration
from embeddings.classification import classification_metrics, cross_fitted, fit_thresholds, risk_coverage
from kg.errors import InputError

EXAMPLES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]), st.booleans()), min_size=1, max_size=12
)


@settings(max_examples=100, deadline=None)
@given(examples=EXAMPLES)
def test_curve_is_the_mean_over_orders_of_equal_confidence(examples: list[tuple[float, bool]]) -> None:
    chance, truth = (np.array(column) for column in zip(*examples, strict=True))
    curve = risk_coverage(chance, truth)
    confidence, wrong = np.abs(chance - 0.5), (chance > 0.5) != truth
    expected = []
    for answered in range(1, len(chance) + 1):
        least = np.sort(confidence)[::-1][answered - 1]
        above, tied = confidence > least, confidence == least
        share = (answered - above.sum()) / tied.sum()  # each of the tied is answered with this chance
        expected.append((wrong[above].sum() + share * wrong[tied].sum()) / answered)
    np.testing.assert_allclose(curve.risk, expected, atol=1e-12)
    np.testing.assert_allclose(curve.coverage, np.arange(1, len(chance) + 1) / len(chance))
    assert curve.accuracy_at(1.0) == pytest.approx(1 - wrong.mean())
    assert curve.area == pytest.approx(np.mean(expected))


def test_figures_of_a_small_case() -> None:
    figures = classification_metrics([0.9, 0.8, 0.4, 0.3], [True, False, True, False])
    assert figures.accuracy == 0.5
    assert figures.accuracy_at_half == 0.5  # 0.9 is right, 0.8 is wrong
    assert figures.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    assert figures.brier == pytest.approx((0.01 + 0.64 + 0.36 + 0.09) / 4)
    assert figures.count == 4


@settings(max_examples=100, deadline=None)
@given(
    examples=st.lists(st.tuples(st.integers(-4, 4), st.booleans(), st.integers(0, 2)), min_size=1, max_size=30),
    min_count=st.integers(1, 8),
)
def test_no_threshold_answers_better_than_the_fitted_one(examples: list[tuple[int, bool, int]], min_count: int) -> None:
    scores, truth, relations = (np.array(column) for column in zip(*examples, strict=True))
    fitted = fit_thresholds(scores, truth, relations, min_count=min_count)
    cuts = [-math.inf, *(np.arange(-4, 5) - 0.5), math.inf]

    def best(here: np.ndarray) -> int:
        return max(int(((scores[here] >= cut) == truth[here]).sum()) for cut in cuts)

    for relation in range(3):
        here = relations == relation
        own = here.sum() >= min_count
        assert (relation in fitted.by_relation) == own
        if own:
            assert (fitted.above(scores[here], relations[here]) == truth[here]).sum() == best(here)
    every = np.ones(len(scores), dtype=bool)
    assert (fitted.above(scores, np.full(len(scores), 9)) == truth).sum() == best(every)


@pytest.mark.parametrize("method", METHODS)
def test_calibration_changes_no_order_within_a_relation(method: str) -> None:
    random = np.random.default_rng(0)
    relations, scores = random.integers(0, 3, 600), random.normal(0, 3, 600)
    labels = random.random(600) < 1 / (1 + np.exp(-scores - relations))
    calibration = fit_calibration(scores[:400], labels[:400], relations[:400], method=method)
    told = calibration.plausibility(scores[400:], relations[400:])
    for relation in range(3):
        here = relations[400:] == relation
        np.testing.assert_array_equal(np.argsort(told[here]), np.argsort(scores[400:][here]))


def test_each_example_is_judged_by_what_was_fitted_to_other_folds() -> None:
    seen: list[set[int]] = []

    def fit(rows: np.ndarray) -> object:
        seen.append(set(rows.tolist()))
        return lambda held: [(set(held.tolist()) & seen[-1] == set()) * 100 + row for row in held.tolist()]

    values = cross_fitted(fit, 11, folds=3, seed=1)  # type: ignore[arg-type]  # a lambda in the place of a callable
    assert values.tolist() == [100 + row for row in range(11)]
    assert sorted(map(len, seen)) == [7, 7, 8]
    assert set.intersection(*seen) == set()


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        risk_coverage([], [])
    with pytest.raises(InputError, match=r"in \[0, 1\]"):
        classification_metrics([1.5], [True])
    with pytest.raises(InputError, match="of one length"):
        fit_thresholds([1.0], [True, False], [0])
    with pytest.raises(InputError, match="finite"):
        fit_thresholds([math.nan], [True], [0])
    with pytest.raises(InputError, match="coverage above 0"):
        risk_coverage([0.5], [True]).accuracy_at(0.0)
    with pytest.raises(InputError, match="from 2 to 3 folds"):
        cross_fitted(lambda rows: lambda held: held, 3, folds=4)
