"""The store: all or nothing in, every byte checked out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embeddings import Embedding, EmbeddingConfig, fit_calibration, load_embedding
from embeddings.store import read_store, write_store
from kg.errors import StoreError

FILES = ("document.json", "manifest.json", "tensors.safetensors")
EMBEDDING = Embedding(
    config=EmbeddingConfig(model="RotatE", dim=1, epochs=2),
    entities=np.array([3, 5, 8], dtype=np.int32),
    relations=np.array([1], dtype=np.int32),
    entity_vectors=np.array([[1, 0], [0, 1], [-1, 0]], dtype=np.float32),
    relation_vectors=np.array([[0, 1]], dtype=np.float32),
    fingerprint="ab" * 32,
    losses=(0.5, 0.25),
    calibration=fit_calibration([-1.0, -2.0, -5.0, -6.0], [True, True, False, False], [1, 1, 1, 1]),
)


def test_embedding_survives_its_folder(tmp_path: Path) -> None:
    EMBEDDING.save(tmp_path / "deep" / "embedding")
    again = load_embedding(tmp_path / "deep" / "embedding", fingerprint=EMBEDDING.fingerprint)
    assert [path.name for path in sorted((tmp_path / "deep").iterdir())] == ["embedding"]
    assert sorted(path.name for path in (tmp_path / "deep" / "embedding").iterdir()) == list(FILES)
    for item in dataclasses.fields(Embedding):
        before, after = getattr(EMBEDDING, item.name), getattr(again, item.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(after, before)
            assert after.dtype == before.dtype
        else:
            assert after == before
    triples = np.array([[3, 1, 5], [8, 1, 5]])
    np.testing.assert_array_equal(again.plausibility(triples), EMBEDDING.plausibility(triples))


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_byte_is_refused_by_file_name(tmp_path: Path, name: str) -> None:
    EMBEDDING.save(tmp_path / "e")
    path = tmp_path / "e" / name
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
        with pytest.raises(StoreError, match=str(tmp_path)):
            load_embedding(tmp_path / "e")
    path.write_bytes(data)
    assert load_embedding(tmp_path / "e").fingerprint == EMBEDDING.fingerprint


@pytest.mark.parametrize("name", FILES)
def test_missing_and_cut_files_are_refused_by_name(tmp_path: Path, name: str) -> None:
    EMBEDDING.save(tmp_path / "e")
    path = tmp_path / "e" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match="e/"):
        load_embedding(tmp_path / "e")
    path.unlink()
    with pytest.raises(StoreError, match=f"Expected the file .*{name}"):
        load_embedding(tmp_path / "e")


def test_missing_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere/manifest\.json"):
        load_embedding(tmp_path / "nowhere")


def test_embedding_of_another_graph_is_refused(tmp_path: Path) -> None:
    EMBEDDING.save(tmp_path / "e")
    with pytest.raises(
        StoreError, match=r"Expected an embedding of this graph, cdcdcdcdcdcd… \(got one of abababababab…"
    ):
        load_embedding(tmp_path / "e", fingerprint="cd" * 32)


def test_store_of_another_kind_is_refused(tmp_path: Path) -> None:
    write_store(tmp_path / "e", kind="other", tensors={}, document={})
    with pytest.raises(StoreError, match="got 'other' of format 1"):
        load_embedding(tmp_path / "e")
    with pytest.raises(StoreError, match="absent, empty"):
        EMBEDDING.save(tmp_path / "e")
    assert read_store(tmp_path / "e", kind="other") == ({}, {})


@pytest.mark.parametrize(
    "change",
    [
        {"entities": np.array([5, 3, 8], dtype=np.int32)},
        {"entities": np.array([3, 5], dtype=np.int32)},
        {"entity_vectors": np.full((3, 2), np.nan, dtype=np.float32)},
        {"entity_vectors": np.zeros((3, 3), dtype=np.float32)},
        {"relation_vectors": np.zeros((1, 2))},
    ],
)
def test_parts_that_do_not_fit_are_refused_though_their_sums_are_right(tmp_path: Path, change: dict[str, Any]) -> None:
    dataclasses.replace(EMBEDDING, **change).save(tmp_path / "e")
    with pytest.raises(StoreError, match="Expected fitting parts of an embedding"):
        load_embedding(tmp_path / "e")


@pytest.mark.parametrize("document", [{}, {"config": {"dmi": 3}, "fingerprint": "", "losses": [], "calibration": None}])
def test_document_without_its_parts_is_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    write_store(tmp_path / "e", kind="noesis embedding", tensors={}, document=document)
    with pytest.raises(StoreError, match="Expected the parts of an embedding"):
        load_embedding(tmp_path / "e")


def test_saving_again_replaces_the_embedding_and_leaves_nothing_else(tmp_path: Path) -> None:
    EMBEDDING.save(tmp_path / "e")
    dataclasses.replace(EMBEDDING, fingerprint="new").save(tmp_path / "e")
    assert load_embedding(tmp_path / "e").fingerprint == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["e"]


def test_saving_never_removes_what_is_not_an_embedding(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "e")
    for name in ("e", "file", "link"):
        with pytest.raises(StoreError, match="something else"):
            EMBEDDING.save(tmp_path / name)
    assert (tmp_path / "e" / "thesis.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e", "file", "link"]


@pytest.mark.parametrize("failing", [1, 2])
def test_failure_while_saving_keeps_the_old_embedding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    EMBEDDING.save(tmp_path / "e")
    rename, calls = Path.rename, []

    def flaky(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == failing:
            raise OSError("disk gone")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", flaky)
    with pytest.raises(StoreError, match="disk gone"):
        dataclasses.replace(EMBEDDING, fingerprint="new").save(tmp_path / "e")
    assert load_embedding(tmp_path / "e").fingerprint == EMBEDDING.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["e"]


def test_manifest_lists_the_sha256_of_each_file(tmp_path: Path) -> None:
    import hashlib

    EMBEDDING.save(tmp_path / "e")
    manifest = json.loads((tmp_path / "e" / "manifest.json").read_text())
    sums = {name: hashlib.sha256((tmp_path / "e" / name).read_bytes()).hexdigest() for name in (FILES[0], FILES[2])}
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == sums
