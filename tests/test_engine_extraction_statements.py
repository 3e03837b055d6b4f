"""The learnt reader: sentences with words it never saw, what it abstains from, and its folder."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

from engine.extraction.denotation import PatternReader, Supervised
from engine.extraction.parse import Role, words_of
from engine.extraction.patterns import load_patterns
from engine.extraction.statements import StatementConfig, StatementReader, renamed
from engine.fusion.encoder import Encoder, resolve_encoder
from kg.errors import ConfigError, StoreError
from tests.hamlet import small_encoder

FILE = Path(__file__).parents[1] / "data" / "vocabulary" / "statements.toml"
PATTERNS = load_patterns(FILE)
CONFIG = StatementConfig(
    layers=1, width=48, arc_width=32, epochs=8, batch=16, rate=5e-3, dropout=0.0, renamed=500, threshold=0.0
)
FORMS = (
    "{N} is {q}.", "{N} is not {q}.", "The {n} {v}s the {m}.", "The {n} does not {v} the {m}.",
    "If someone is {q} and not {p} then they are {r}.", "If something {v}s the {m} then it is {q}.",
    "If the {n} {v}s the {m} then the {m} is {q}.", "If someone is {q} and they {v} the {m} then the {m} {w}s them.",
)  # fmt: skip
SEEN = {"n": ("anne", "bear", "bob", "cat"), "q": ("red", "kind", "rough", "young"), "v": ("chase", "like", "need")}
UNSEEN = {
    "n": ("walrus", "ivan", "teacher", "moth"),
    "q": ("jealous", "famous", "wet", "tidy"),
    "v": ("paint", "trust", "follow"),
}
OTHERS = [a + b + c for a in "bdgkmpt" for b in ("a", "e", "oo", "ai") for c in ("lk", "sh", "n", "rs", "ft")]


class HashTokenizer:
    """One token a word, any word."""

    pad_token_id: int | None = 1

    def __call__(self, text: list[str], **options: Any) -> dict[str, list[list[int]]]:
        rows = [[4 + crc32(word.encode()) % 500 for word in re.findall(r"\S+", line)] for line in text]
        return {"input_ids": [[2, *row, 3] for row in rows]}


@pytest.fixture(scope="module")
def tiny() -> Encoder:
    sizes = {"vocab_size": 504, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        auto: Any = AutoModel
        config = AutoConfig.for_model("bert", intermediate_size=64, max_position_embeddings=40, **sizes)
        model = auto.from_config(config).eval().requires_grad_(False)
    return Encoder(name="tiny", model=model, tokenizer=HashTokenizer(), max_tokens=40)


def sentences(count: int, words: dict[str, tuple[str, ...]], seed: int = 0) -> list[str]:
    """Sentences of the forms; in all of them a pronoun stands for the first that is named."""
    random, found = Random(seed), []
    for _ in range(count):
        (n, m), (q, p, r), (v, w) = (random.sample(words[slot], k) for slot, k in (("n", 2), ("q", 3), ("v", 2)))
        found.append(random.choice(FORMS).format(N=n.capitalize(), n=n, m=m, q=q, p=p, r=r, v=v, w=w))
    return found


MEANT = PatternReader(PATTERNS, {"antecedent: first": 2.0, "sentence: clauses": 1.0, "name of 1": 1.0})


def taught(texts: list[str]) -> list[Supervised]:
    """The sentences with the parse that is meant."""
    best = {text: MEANT.best(text) for text in texts}
    return [Supervised(text, way.parse, 1.0) for text, way in best.items() if way is not None]


def share_read(reader: StatementReader, texts: list[str]) -> float:
    """The share of sentences read as they are meant."""
    pairs = zip(reader.read(texts), MEANT.read(texts), strict=True)
    return sum(found.statements == meant.statements for found, meant in pairs) / len(texts)


@pytest.fixture(scope="module")
def reader(tiny: Encoder) -> StatementReader:
    return StatementReader.fit(tiny, taught(sentences(200, SEEN)), CONFIG, words=OTHERS, fixed=PATTERNS.closed)


def test_sentences_are_read_with_words_that_were_never_seen(reader: StatementReader) -> None:
    assert share_read(reader, sentences(60, SEEN, seed=1)) > 0.95
    assert share_read(reader, sentences(60, UNSEEN, seed=2)) > 0.9


@pytest.mark.slow  # three layers of the embedded encoder over some hundred sentences
def test_the_embedded_encoder_reads_unseen_words_without_renamed_sentences() -> None:
    config = replace(CONFIG, layers=3, width=96)
    reader = StatementReader.fit(resolve_encoder(None), taught(sentences(400, SEEN)), config)
    assert share_read(reader, sentences(200, UNSEEN, seed=3)) > 0.9


def test_the_reader_comes_back_from_its_folder(tmp_path: Path, tiny: Encoder, reader: StatementReader) -> None:
    reader.save(tmp_path / "reader")
    texts = sentences(10, UNSEEN)
    assert StatementReader.load(tmp_path / "reader", tiny).read(texts) == reader.read(texts)


def test_a_reader_of_another_encoder_is_refused(tmp_path: Path, reader: StatementReader) -> None:
    reader.save(tmp_path / "reader")
    with pytest.raises(StoreError, match="learnt with the encoder"):
        StatementReader.load(tmp_path / "reader", small_encoder())


def test_what_is_read_with_little_confidence_is_not_read(reader: StatementReader) -> None:
    texts = sentences(5, UNSEEN)
    strict = StatementReader(reader.states, reader.network, replace(CONFIG, threshold=1.0))
    assert [read.statements for read in strict.read(texts)] == [()] * 5
    assert all(re.search(r"confidence|fit", read.fault) for read in strict.read(texts))


def test_a_function_word_that_was_not_learnt_is_not_passed_over(reader: StatementReader) -> None:
    (found,) = reader.read(["No bear is red."])
    assert (found.statements, found.fault) == ((), "the function word 'no' was not learnt")


def test_a_sentence_that_the_encoder_does_not_take_is_not_read(reader: StatementReader) -> None:
    found = reader.read([" ".join(["bear"] * 60), "Bob is red.", ""])
    assert [read.fault for read in found] == ["too long, or no words", "", "too long, or no words"]


def test_other_words_keep_the_parse_and_make_an_unknown_noun_a_kind() -> None:
    words = words_of("All red things like the bear.")
    parse = next(w.parse for w in PATTERNS.ways(words) if w.parse.roles[2] is Role.VARIABLE)
    nouns = set()
    for seed in range(9):
        other, new, _ = renamed((words, parse, 1.0), ("ax", "ox"), PATTERNS.closed, np.random.default_rng(seed))
        nouns.add(other[2])
        assert (other[0], other[4]) == ("all", "the")
        assert new.roles[2] is (Role.VARIABLE if other[2] == "things" else Role.KIND)
        assert (new.subject, new.object) == (parse.subject, parse.object)
    assert nouns == {"things", "ax", "ox"}


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"dropout": 1.0}, {"threshold": 2.0}, {"rate": 0.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="Expected"):
        StatementConfig(**wrong)


def test_more_layers_than_the_encoder_has_are_refused(tiny: Encoder) -> None:
    with pytest.raises(ConfigError, match="at most the encoder's 2"):
        StatementReader.fit(tiny, taught(["Bob is red."]), replace(CONFIG, layers=3))
