"""Searching settings: the best of what was tried, resumed from a file, without what cannot be trained."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embeddings import EmbeddingConfig, evaluate, train_embedding
from embeddings.search import SearchSpace, search_settings
from kg.errors import ConfigError, InputError, StoreError
from tests.test_embeddings_train import NUM_TERMS, split

BASE = EmbeddingConfig(model="TransE", dim=4, epochs=4, batch_size=64, num_negatives=8, validate_every=2)
SPACE = SearchSpace({"learning_rate": {"low": 1e-4, "high": 0.1, "log": True}, "dim": {"choices": [2, 8]}})


def search(space: SearchSpace = SPACE, **options: Any) -> Any:
    train, held_out = split()
    return search_settings(train, NUM_TERMS, space, **{"validation": held_out, "base": BASE, "trials": 3, **options})


def test_best_is_the_highest_validation_and_training_with_it_gives_that_figure(
    capfd: pytest.CaptureFixture[str],
) -> None:
    found = search(trials=4)
    assert (*capfd.readouterr(), logging.getLogger("optuna").level) == ("", "", logging.INFO)  # as optuna sets it
    assert [each.number for each in found.trials] == [0, 1, 2, 3]
    assert {each.state for each in found.trials} == {"complete"}
    assert all(1e-4 <= each.settings["learning_rate"] <= 0.1 for each in found.trials)
    assert len({each.mrr for each in found.trials}) == 4
    assert found.mrr == max(each.mrr for each in found.trials)
    assert json.loads(json.dumps(found.to_dict()))["mrr"] == found.mrr
    train, held_out = split()
    again = train_embedding(train, NUM_TERMS, found.best, validation=held_out)
    assert evaluate(again, held_out, np.concatenate([train, held_out])).mrr == found.mrr
    assert search(trials=4).best == found.best  # equal seeds


def test_a_search_goes_on_from_its_file_and_refuses_another_ones(tmp_path: Path) -> None:
    place = tmp_path / "new" / "search.journal"
    first = search(trials=2, storage=place)
    second = search(trials=4, storage=place)
    assert second.trials[:2] == first.trials
    assert len({each.settings["learning_rate"] for each in second.trials}) == 4
    assert search(trials=4, storage=place) == second
    with pytest.raises(StoreError, match="another one"):
        search(SearchSpace({"dim": {"choices": [2, 4]}}), storage=place)


def test_a_trial_that_was_killed_counts_as_failed(tmp_path: Path) -> None:
    def kill(done: int, most: int) -> None:
        if done == 1:
            monkey.setattr("embeddings.search.train_embedding", interrupt)

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    place = tmp_path / "search.journal"
    with pytest.MonkeyPatch.context() as monkey, pytest.raises(KeyboardInterrupt):
        search(storage=place, progress=kill)
    assert [each.state for each in search(storage=place).trials] == ["complete", "failed", "complete"]


def test_a_trial_far_behind_is_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = iter([0.5] * 5 + [0.1])

    def trained(*_: Any, validated: Any, **__: Any) -> None:
        mrr = next(reached)
        for epoch in (2, 4):
            validated(epoch, mrr)

    monkeypatch.setattr("embeddings.search.train_embedding", trained)
    last = search(trials=6).trials[-1]
    assert (last.state, last.epochs, last.mrr) == ("pruned", 2, 0.1)


def test_settings_that_cannot_be_trained_fail_alone() -> None:
    space = SearchSpace({"loss": {"choices": ["marginranking", "nssa"]}})
    found = search(space, base=EmbeddingConfig(**{**BASE.to_dict(), "subsampling": True}), trials=5)
    assert {(each.settings["loss"], each.state) for each in found.trials} == {
        ("marginranking", "failed"),
        ("nssa", "complete"),
    }
    assert {"takes weights" in each.reason for each in found.trials if each.state == "failed"} == {True}
    with pytest.raises(ConfigError, match=r"could be completed.*nearest"):
        search(SearchSpace({"loss": {"choices": ["nosuchloss"]}}), trials=1)


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({}, "at least one setting"),
        ({"dmi": {"low": 1, "high": 2}}, "nearest: dim"),
        ({"seed": {"low": 1, "high": 2}}, "can be searched"),
        ({"dim": {"low": 4, "high": 2}}, "low < high"),
        ({"dim": {"low": 0.5, "high": 2}}, "low < high"),
        ({"dim": {"low": 0, "high": 2}}, "dim of at least 1"),
        ({"adversarial_temperature": {"low": 0.0, "high": 2.0, "log": True}}, "above 0 with log"),
        ({"loss": {"low": 1, "high": 2}}, "list of choices"),
        ({"dim": {"choices": []}}, "list of choices"),
        ({"dim": {"choices": [2, "three"]}}, "of type int"),
        ({"dim": 3}, "list of choices"),
    ],
)
def test_a_space_that_is_none_is_refused(ranges: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        SearchSpace(ranges)


def test_validation_triples_without_trained_terms_are_refused() -> None:
    with pytest.raises(InputError, match="none such"):
        search(validation=np.array([[1, 190, 2]]))
