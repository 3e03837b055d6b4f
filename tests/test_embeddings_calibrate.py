"""Calibration: strictly increasing whatever the data, honest figures, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings import (
    Calibration,
    Embedding,
    EmbeddingConfig,
    brier,
    calibration_examples,
    ece,
    fit_calibration,
)
from embeddings.calibrate import METHODS
from kg.errors import ConfigError, InputError, StoreError


@settings(max_examples=150, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    examples=st.lists(
        st.tuples(st.floats(-60, 60, width=32), st.booleans(), st.integers(0, 2)), min_size=2, max_size=80
    ).filter(lambda rows: len({label for _, label, _ in rows}) == 2),
    scores=st.lists(st.floats(-60, 60, width=32), min_size=2, max_size=20),
    min_count=st.integers(1, 10),
)
def test_plausibility_rises_strictly_with_the_score(
    method: str, examples: list[tuple[float, bool, int]], scores: list[float], min_count: int
) -> None:
    values, labels, relations = (np.array(column) for column in zip(*examples, strict=True))
    calibration = fit_calibration(values, labels, relations, method=method, offset=9.0, min_count=min_count)
    # a hundredth of the fitted spread still counts, sixty thousand spreads away from it
    grid = max(float(values.std()), 1e-2) * 1e-2
    distinct = np.unique(np.round(np.array(scores) / grid) * grid)
    for relation in range(4):
        result = calibration.plausibility(distinct, np.full(len(distinct), relation))
        assert (np.diff(result) > 0).all()
        assert ((result > 0) & (result < 1)).all()


@pytest.mark.parametrize("method", METHODS)
def test_calibration_survives_its_dict(method: str) -> None:
    random = np.random.default_rng(0)
    labels = random.random(400) < 0.5
    scores = random.normal(size=400) + labels
    relations = random.integers(0, 3, 400)
    calibration = fit_calibration(scores, labels, relations, method=method)
    again = Calibration.from_dict(calibration.to_dict())
    assert again == calibration
    assert set(again.by_relation) == {0, 1, 2}


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_fitted_plausibilities_match_frequencies_on_new_examples(method: str) -> None:
    random = np.random.default_rng(1)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        relations = random.integers(0, 2, count)
        odds = random.normal(0, 2, count)
        labels = random.random(count) < 1 / (1 + np.exp(-odds))
        return odds * np.where(relations == 0, 0.1, 3.0) - 7 * relations, labels, relations  # two scales and zeros

    calibration = fit_calibration(*draw(4000), method=method)
    scores, labels, relations = draw(4000)
    result = calibration.plausibility(scores, relations)
    assert ece(result, labels) < 0.03
    assert brier(result, labels) < 0.165  # the true odds give 0.155, always 0.5 gives 0.25


def test_temperature_finds_the_scale_of_a_score_with_a_known_zero() -> None:
    random = np.random.default_rng(2)
    odds = random.normal(0, 2, 20_000)
    labels = random.random(20_000) < 1 / (1 + np.exp(-odds))
    calibration = fit_calibration(odds * 5 - 9, labels, np.zeros(20_000), method="temperature", offset=9.0)
    assert calibration.general.slope == pytest.approx(1 / 5, rel=0.05)
    assert calibration.general.shift == pytest.approx(9 / 5, rel=0.05)


def test_relation_with_few_examples_takes_the_general_curve() -> None:
    scores, labels = np.tile([-1.0, -3.0, -2.0, -2.5], 30), np.tile([True, False, True, False], 30)
    relations = np.where(np.arange(120) < 100, 7, 8)
    calibration = fit_calibration(scores, labels, relations, min_count=25)
    assert set(calibration.by_relation) == {7}
    general = calibration.general(np.array([-2.0]))
    np.testing.assert_array_equal(calibration.plausibility([-2.0, -2.0], [8, 99]), np.repeat(general, 2))


def test_a_score_that_says_the_opposite_gives_a_nearly_flat_curve() -> None:
    calibration = fit_calibration([-1.0, -2.0, -3.0, -4.0] * 10, [False, False, True, True] * 10, [0] * 40)
    low, high = calibration.plausibility([-4.0, -1.0], [0, 0])
    assert 0.45 < low < high < 0.55


def test_brier_and_ece_are_those_of_the_definition() -> None:
    assert brier([0.0, 1.0, 0.5, 0.5], [0, 1, 1, 0]) == 0.125
    # bins [0.2, 0.3): mean 0.25, one of two true; [0.9, 1]: mean 0.95, two of two true
    assert ece([0.2, 0.3 - 1e-9, 0.9, 1.0], [0, 1, 1, 1]) == pytest.approx(0.5 * 0.25 + 0.5 * 0.05)


@pytest.mark.parametrize(
    ("scores", "labels", "relations", "words"),
    [
        ([1.0, 2.0], [True, True], [0, 0], "got 2 of 2 true"),
        ([], [], [], "got 0 of 0 true"),
        ([1.0, float("nan")], [True, False], [0, 0], "finite"),
        ([1.0], [True, False], [0, 0], "of one length"),
    ],
)
def test_examples_that_cannot_be_fitted_are_refused(scores: Any, labels: Any, relations: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fit_calibration(scores, labels, relations)


def test_unknown_method_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="platt, temperature, isotonic"):
        fit_calibration([1.0, 2.0], [True, False], [0, 0], method="magic")


@pytest.mark.parametrize("measure", [brier, ece])
def test_figures_refuse_what_is_no_probability(measure: Any) -> None:
    for values, labels in (([], []), ([0.5], [0, 1]), ([1.5], [1]), ([float("nan")], [1])):
        with pytest.raises(InputError):
            measure(values, labels)


CURVE = {"slope": 1.0, "shift": 0.0}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"method": "magic", "general": CURVE, "by_relation": {}},
        {"method": "platt", "general": {"slope": -1.0, "shift": 0.0}, "by_relation": {}},
        {"method": "platt", "general": {"slope": float("inf"), "shift": 0.0}, "by_relation": {}},
        {"method": "platt", "general": CURVE, "by_relation": {"x": CURVE}},
        {"method": "platt", "general": CURVE, "by_relation": {}, "extra": 1},
        {"method": "isotonic", "general": {**CURVE, "knots": [1, 0], "heights": [0.1, 0.2]}, "by_relation": {}},
        {"method": "isotonic", "general": {**CURVE, "knots": [0, 1], "heights": [0.2, 0.1]}, "by_relation": {}},
        {"method": "isotonic", "general": {**CURVE, "knots": [0, 1], "heights": [0.2]}, "by_relation": {}},
        {"method": "platt", "general": [], "by_relation": {}},
    ],
)
def test_saved_calibration_that_does_not_rise_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="Expected a calibration"):
        Calibration.from_dict(values)


def test_examples_are_unknown_corruptions_on_one_side_of_the_same_kind() -> None:
    random = np.random.default_rng(0)
    people, towns = np.arange(20), np.arange(20, 30)
    known = np.unique(np.stack([random.choice(people, 60), np.full(60, 90), random.choice(towns, 60)], axis=1), axis=0)
    embedding = Embedding(
        EmbeddingConfig(model="TransE", dim=1),
        np.arange(40, dtype=np.int32),
        np.array([90], dtype=np.int32),
        np.zeros((40, 1), dtype=np.float32),
        np.zeros((1, 1), dtype=np.float32),
        "",
    )
    held_out = np.concatenate([known[:15], [[77, 90, 20]]])  # the last has an unseen term
    triples, labels = calibration_examples(embedding, held_out, known, negatives=3, seed=5)
    assert triples[labels].tolist() == known[:15].tolist()
    false = triples[~labels]
    assert len(false) == 45
    true = {tuple(row) for row in known.tolist()}
    assert {tuple(row) in true for row in false.tolist()} == {False}
    assert set(false[:, 0]) <= set(known[:, 0])
    assert set(false[:, 2]) <= set(known[:, 2])
    assert {
        int((row != source).sum()) for row, source in zip(false, np.repeat(known[:15], 3, axis=0), strict=True)
    } == {1}
    with pytest.raises(InputError, match="all trained"):
        calibration_examples(embedding, held_out[-1:], known)
