"""Prediction from a run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.prediction import Predictor, Strictness
from kg.errors import StoreError
from pipelines.predict import load_predictor, predict
from pipelines.reader import closure_key
from tests.test_engine_prediction_predictor import closure, embedding_of, p, r


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    embedding = replace(embedding_of(closure()), fingerprint=closure_key(closure()))
    embedding.save(tmp_path / "embedding")
    return tmp_path


def test_a_run_predicts_as_its_embedding_does(run_folder: Path) -> None:
    made = Predictor(closure(), embedding_of(closure()), strictness=Strictness.TYPED)
    found = predict(closure(), run_folder, "<https://example.org/d>", str(p), k=2, rejected=True, strictness="typed")
    assert found == made.rank("<https://example.org/d>", p, k=2, rejected=True)
    heads = predict(closure(), run_folder, None, str(r), "<https://example.org/a>")
    assert heads == Predictor(closure(), made.embedding).rank(relation=r, tail="<https://example.org/a>")


def test_a_folder_without_an_embedding_of_this_closure_is_refused(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="noesis embed"):
        load_predictor(closure(), tmp_path / "elsewhere")
    embedding_of(closure()).save(tmp_path / "other" / "embedding")
    with pytest.raises(StoreError):
        load_predictor(closure(), tmp_path / "other")
