"""The pair extractor: what it learns, that names do not matter, that seeds do, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.extraction.compositions import learn_rules
from engine.extraction.lessons import pair_examples
from engine.extraction.pair_store import load_pairs, save_pairs
from engine.extraction.pair_training import train_pairs
from engine.extraction.pairs import PairConfig, PairExample, PairExtractor
from engine.extraction.passages import Window
from engine.extraction.reading import read_triples
from engine.fusion.encoder import Encoder, resolve_encoder
from kg.errors import ConfigError, InputError, LimitError, StoreError
from tests.kinship import kin_encoder, kin_lessons

CONFIG = PairConfig(trained_layers=2, epochs=60, batch_size=3, learning_rate=5e-3, dropout=0.0, smoothing=0.0)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return resolve_encoder(kin_encoder(tmp_path_factory.mktemp("kin") / "bert"))


@pytest.fixture(scope="module")
def examples() -> list[PairExample]:
    lessons = kin_lessons(24, backwards=True)
    return pair_examples(lessons, learn_rules(lessons).backwards, idle=5)


@pytest.fixture(scope="module")
def trained(encoder: Encoder, examples: list[PairExample]) -> PairExtractor:
    return train_pairs(encoder, examples, CONFIG)


def test_it_reads_stories_about_people_it_has_never_met(trained: PairExtractor) -> None:
    (told,) = read_triples(trained, ["[Zoe] is mother of [Abe Lee]. [Zoe] has the brother [Kit]."], least=0.5)
    surest = {(c.head, c.tail): c for c in sorted(told, key=lambda c: c.confidence)}
    assert surest["Abe Lee", "Zoe"].relation == "mother"
    assert surest["Zoe", "Kit"].relation == "brother"
    assert set(surest["Zoe", "Kit"].sentences) >= {1}
    (alone,) = read_triples(trained, ["[Zoe] has the brother [Kit]."], least=0.5)
    assert {(c.relation, c.sentence, c.through) for c in alone if (c.head, c.tail) == ("Zoe", "Kit")} == {
        ("brother", 0, None)
    }


def test_probabilities_are_of_none_and_all_relations_for_each_ordered_pair(trained: PairExtractor) -> None:
    one, other, alone = (Window.of(t) for t in ("[Ann] met [Bob].", "[Bob] met [Cyd].", "[Ann] met the brother."))
    first, second, third = trained.probabilities([one, other, alone])
    assert trained.relations == ("brother", "child", "mother", "sibling")
    assert third == {}
    assert first.keys() == {("Ann", "Bob"), ("Bob", "Ann")}
    for row in first.values():
        assert row.shape == (5,)
        assert row.sum() == pytest.approx(1)
    np.testing.assert_array_equal(first["Ann", "Bob"], second["Bob", "Cyd"])


def test_a_window_reads_alike_alone_and_among_others(trained: PairExtractor, examples: list[PairExample]) -> None:
    windows = [example.window for example in examples]
    for alone, among in zip(
        (trained.probabilities([w])[0] for w in windows), trained.probabilities(windows), strict=True
    ):
        for pair, row in alone.items():
            np.testing.assert_allclose(row, among[pair], atol=1e-5)


def test_equal_seeds_give_equal_weights_and_the_encoder_stays(encoder: Encoder, examples: list[PairExample]) -> None:
    before, few = encoder.fingerprint, replace(CONFIG, epochs=1, dropout=0.2)
    state = torch.get_rng_state()
    one, same, other = (train_pairs(encoder, examples, replace(few, seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    pairs = list(zip(one.trained_parameters(), same.trained_parameters(), other.trained_parameters(), strict=True))
    assert all(torch.equal(a, b) for (_, a), (_, b), _ in pairs)
    assert not all(torch.equal(a, c) for (_, a), _, (_, c) in pairs)
    del encoder.__dict__["fingerprint"]  # computed once and kept; computed again here
    assert encoder.fingerprint == before


def test_what_is_saved_reads_alike(trained: PairExtractor, encoder: Encoder, tmp_path: Path) -> None:
    save_pairs(trained, tmp_path / "kept")
    again = load_pairs(tmp_path / "kept", encoder=encoder)
    window = Window.of("[Ann] has the mother [Bob].")
    assert (again.relations, again.config) == (trained.relations, trained.config)
    np.testing.assert_array_equal(
        again.probabilities([window])[0]["Ann", "Bob"], trained.probabilities([window])[0]["Ann", "Bob"]
    )


def test_another_encoder_or_an_altered_file_is_refused(
    trained: PairExtractor, encoder: Encoder, tmp_path: Path
) -> None:
    save_pairs(trained, tmp_path / "kept")
    with torch.no_grad():
        model = PairExtractor(encoder, ["brother"], CONFIG)
    other = replace(encoder, model=model.text.layers)
    with pytest.raises(StoreError, match="name the right encoder"):
        load_pairs(tmp_path / "kept", encoder=other)
    document = tmp_path / "kept" / "document.json"
    document.write_text(document.read_text(encoding="utf-8").replace("mother", "father"), encoding="utf-8")
    with pytest.raises(StoreError, match="was altered"):
        load_pairs(tmp_path / "kept", encoder=encoder)


def test_what_cannot_be_trained_or_read_is_refused(encoder: Encoder, trained: PairExtractor) -> None:
    window = Window.of("[Ann] met [Bob].")
    with pytest.raises(InputError, match="tells a relation"):
        train_pairs(encoder, [PairExample(window, {("Ann", "Bob"): None})], CONFIG)
    with pytest.raises(ConfigError, match="at most the encoder's 2"):
        train_pairs(encoder, [PairExample(window, {("Ann", "Bob"): "son"})], replace(CONFIG, trained_layers=3))
    with pytest.raises(LimitError, match="at most 64 tokens"):
        read_triples(trained, ["[Ann] met [Bob]" + " met" * 80 + "."])


@pytest.mark.parametrize(
    "values", [{"epochs": 0}, {"dropout": 1.0}, {"learning_rate": 0.0}, {"smoothing": -0.1}, {"layers": 3}]
)
def test_a_wrong_configuration_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="Expected"):
        PairConfig.from_dict(values)
    assert PairConfig.from_dict(CONFIG.to_dict()) == CONFIG
