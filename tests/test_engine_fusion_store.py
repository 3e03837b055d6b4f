"""The store and the scorer: equal plausibilities back, every byte checked, no other encoder, embedding or graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embeddings import Embedding
from embeddings.store import read_store, write_store
from engine.fusion import (
    ClaimExample,
    Encoder,
    FusionModel,
    Scorer,
    generate_examples,
    load_fusion,
    plausibilities,
    predict_logits,
    save_fusion,
    train_fusion,
)
from engine.fusion.scorer import calibrate
from engine.symbolic import Closure
from kg.errors import LimitError, StoreError
from tests.hamlet import SMALL, claims, hamlet, ids, small_embedding, small_encoder, small_model

FILES = ("document.json", "manifest.json", "tensors.safetensors")


@pytest.fixture(scope="module")
def closure() -> Closure:
    return hamlet()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return small_encoder()


@pytest.fixture(scope="module")
def embedding(closure: Closure) -> Embedding:
    return small_embedding(closure)


@pytest.fixture(scope="module")
def validation(closure: Closure) -> list[ClaimExample]:
    return generate_examples(closure, count=40, seed=1)


@pytest.fixture(scope="module")
def trained(closure: Closure, encoder: Encoder, embedding: Embedding, validation: list[ClaimExample]) -> FusionModel:
    examples = generate_examples(closure, count=32, seed=0)
    return train_fusion(examples, closure, embedding, encoder, SMALL, validation=validation)


@pytest.fixture(scope="module")
def folder(trained: FusionModel, validation: list[ClaimExample], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "deep" / "model"
    save_fusion(trained, path, validation=validation)
    return path


def test_model_survives_its_folder(
    closure: Closure, encoder: Encoder, embedding: Embedding, trained: FusionModel, folder: Path
) -> None:
    again = load_fusion(folder, closure=closure, embedding=embedding, encoder=encoder)
    assert sorted(path.name for path in folder.iterdir()) == list(FILES)
    assert (again.config, again.history) == (trained.config, trained.history)
    assert len(again.history) == 2
    assert again.calibration == trained.calibration is not None
    assert not again.training
    before, after = (predict_logits(model, claims(closure)) for model in (trained, again))
    np.testing.assert_array_equal(after, before)
    texts, triples = ["Dan knows Gil", "Gil is known to Hal"], [ids(closure, "dan", "knows", "gil")] * 2
    np.testing.assert_array_equal(
        Scorer(again).plausibility(texts, triples), Scorer(trained).plausibility(texts, triples)
    )


def test_frozen_weights_are_not_stored(trained: FusionModel, folder: Path) -> None:
    tensors, document = read_store(folder, kind="fusion model")
    assert set(tensors) == {name for name, _ in trained.trained_parameters()}
    assert {name.split(".")[2] for name in tensors if name.startswith("text.layers.")} == {"1", "2"}
    assert document["encoder"]["sha256"] == trained.collator.encoder.fingerprint


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_or_a_missing_file_is_refused_by_name(
    closure: Closure, encoder: Encoder, embedding: Embedding, folder: Path, name: str
) -> None:
    path = folder / name
    data = path.read_bytes()
    try:
        for at in range(0, len(data), len(data) // 20):
            path.write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
            with pytest.raises(StoreError, match=str(folder)):
                load_fusion(folder, closure=closure, embedding=embedding, encoder=encoder)
        path.unlink()
        with pytest.raises(StoreError, match=f"Expected the file .*{name}"):
            load_fusion(folder, closure=closure, embedding=embedding, encoder=encoder)
    finally:
        path.write_bytes(data)
    assert load_fusion(folder, closure=closure, embedding=embedding, encoder=encoder).config == SMALL


def test_another_encoder_is_refused(closure: Closure, embedding: Embedding, folder: Path) -> None:
    with pytest.raises(StoreError, match=r"Expected the encoder 'small bert' \(SHA-256 .* name the right encoder"):
        load_fusion(folder, closure=closure, embedding=embedding, encoder=small_encoder(seed=1))


def test_another_embedding_or_none_is_refused(closure: Closure, encoder: Encoder, folder: Path) -> None:
    for other in (small_embedding(closure, fingerprint="cd" * 32), None):
        with pytest.raises(StoreError, match=r"Expected the embedding that the model in .* was trained with"):
            load_fusion(folder, closure=closure, embedding=other, encoder=encoder)


@pytest.mark.parametrize("part", ["config", "relations", "encoder", "embedding", "calibration", "history"])
def test_document_without_a_part_is_refused(
    closure: Closure, encoder: Encoder, embedding: Embedding, folder: Path, tmp_path: Path, part: str
) -> None:
    tensors, document = read_store(folder, kind="fusion model")
    rest = {name: value for name, value in document.items() if name != part}
    write_store(tmp_path / "m", kind="fusion model", tensors=tensors, document=rest)
    with pytest.raises(StoreError, match=r"Expected the document of a fusion model in .*train the model again"):
        load_fusion(tmp_path / "m", closure=closure, embedding=embedding, encoder=encoder)


def test_settings_of_another_version_are_refused(
    closure: Closure, encoder: Encoder, embedding: Embedding, folder: Path, tmp_path: Path
) -> None:
    tensors, document = read_store(folder, kind="fusion model")
    document["config"] = {**document["config"], "magic": 3}
    write_store(tmp_path / "m", kind="fusion model", tensors=tensors, document=document)
    with pytest.raises(StoreError, match=r"Expected the document of a fusion model in .*train the model again"):
        load_fusion(tmp_path / "m", closure=closure, embedding=embedding, encoder=encoder)


def test_weights_of_another_shape_are_refused(
    closure: Closure, encoder: Encoder, embedding: Embedding, folder: Path, tmp_path: Path
) -> None:
    tensors, document = read_store(folder, kind="fusion model")
    wide = {**tensors, "token": np.zeros(3, dtype=np.float32)}
    cut = {**tensors, "role.weight": tensors["role.weight"][:3]}
    for wrong in (wide, cut):
        write_store(tmp_path / "m", kind="fusion model", tensors=wrong, document=document)
        with pytest.raises(StoreError, match="Expected the weights of this version's fusion model"):
            load_fusion(tmp_path / "m", closure=closure, embedding=embedding, encoder=encoder)


def test_a_model_stored_before_there_were_several_heads_is_read(
    closure: Closure, encoder: Encoder, embedding: Embedding, trained: FusionModel, folder: Path, tmp_path: Path
) -> None:
    tensors, document = read_store(folder, kind="fusion model")
    new = ("exchange", "attention", "target", "accumulate", "rule_loss", "precision", "compile")
    settings = {name: value for name, value in document["config"].items() if name not in new}
    former = {name.removeprefix("head."): value for name, value in tensors.items()}
    assert set(former) != set(tensors)
    write_store(tmp_path / "m", kind="fusion model", tensors=former, document={**document, "config": settings})
    again = load_fusion(tmp_path / "m", closure=closure, embedding=embedding, encoder=encoder)
    np.testing.assert_array_equal(predict_logits(again, claims(closure)), predict_logits(trained, claims(closure)))


def test_something_else_in_the_folder_is_left_alone(trained: FusionModel, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "letter.txt").write_text("dear reader", encoding="utf-8")
    with pytest.raises(StoreError, match="absent, empty or a 'fusion model' to replace"):
        save_fusion(trained, tmp_path / "m")
    assert (tmp_path / "m" / "letter.txt").read_text(encoding="utf-8") == "dear reader"


@pytest.mark.parametrize("fitted", [False, True])
def test_plausibility_is_in_range_and_rises_with_the_logit(
    closure: Closure, encoder: Encoder, validation: list[ClaimExample], fitted: bool
) -> None:
    model = small_model(closure, encoder, None)
    model.calibration = calibrate(model, validation) if fitted else None
    assert (model.calibration is not None) == fitted
    logits = np.array([-1000, -30, -5, -1, -0.01, 0, 0.01, 1, 5, 30, 1000], dtype=np.float32)
    found = plausibilities(model, logits)
    assert found.min() >= 0
    assert found.max() <= 1
    assert (np.diff(found[1:-1]) > 0).all()
    assert (np.diff(found) >= 0).all()
    if not fitted:
        np.testing.assert_allclose(found[[5, 7]], [0.5, 1 / (1 + np.exp(-1))])


def test_scorer_gives_the_plausibility_of_the_models_logit(closure: Closure, trained: FusionModel) -> None:
    linked = [claim for claim in claims(closure) if claim.triple is not None and not claim.hidden]
    found = Scorer(trained).plausibility([e.text for e in linked], [e.triple for e in linked if e.triple])
    np.testing.assert_allclose(found, plausibilities(trained, predict_logits(trained, linked)))
    assert found.min() >= 0
    assert found.max() <= 1
    assert Scorer(trained).plausibility([], []).shape == (0,)


def test_scorer_of_a_control_sees_what_the_control_sees(closure: Closure, encoder: Encoder) -> None:
    model = small_model(closure, encoder, None, replace(SMALL, mode="text only"))
    one, other = ids(closure, "dan", "knows", "gil"), ids(closure, "hal", "livesIn", "bonn")
    found = Scorer(model).plausibility(["Dan knows Gil"] * 2, [one, other])
    assert found[0] == found[1]


def test_scorer_refuses_a_text_that_is_too_long(closure: Closure, trained: FusionModel) -> None:
    with pytest.raises(LimitError, match="at most 48 tokens"):
        Scorer(trained).plausibility(["Ann " * 60], [ids(closure, "dan", "knows", "gil")])


def test_one_kind_of_claim_gives_no_calibration(trained: FusionModel, validation: list[ClaimExample]) -> None:
    assert calibrate(trained, [example for example in validation if example.label == 1]) is None
    assert calibrate(trained, []) is None
