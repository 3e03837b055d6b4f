"""Patterns: what a sentence may say, for literal sentences; files that declare nothing usable."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from engine.extraction import CandidateRule, CandidateTriple
from engine.extraction.candidates import Pattern
from engine.extraction.inflection import base_forms
from engine.extraction.parse import Parse, Role, sentences_of, statements, words_of
from engine.extraction.patterns import Patterns, load_patterns
from kg.errors import InputError, MissingFileError

FILE = Path(__file__).parents[1] / "data" / "vocabulary" / "statements.toml"
Statement = CandidateTriple | CandidateRule


@pytest.fixture(scope="module")
def patterns() -> Patterns:
    return load_patterns(FILE)


def readings(patterns: Patterns, sentence: str) -> list[tuple[Statement, ...]]:
    words = words_of(sentence)
    return [statements(words, way.parse) for way in patterns.ways(words)]


def rule(head: Pattern, *body: Pattern) -> tuple[CandidateRule]:
    return (CandidateRule(body, head, sentence=0),)


@pytest.mark.parametrize(
    ("sentence", "meant"),
    [
        ("Anne is quiet.", (CandidateTriple("anne", "is", "quiet"),)),
        ("Anne isn't quiet.", (CandidateTriple("anne", "is", "quiet", positive=False),)),
        ("The bald eagle sees the cat.", (CandidateTriple("bald eagle", "sees", "cat"),)),
        ("The cat does not chase the bald eagle.", (CandidateTriple("cat", "chase", "bald eagle", positive=False),)),
        ("Bob is afraid of the cat.", (CandidateTriple("bob", "afraid of", "cat"),)),
        ("Bob is kind and not rough.", (Pattern("bob", "is", "kind"), Pattern("bob", "is", "rough", positive=False))),
        (
            "Red, cold things are round.",
            rule(Pattern("?0", "is", "round"), Pattern("?0", "is", "red"), Pattern("?0", "is", "cold")),
        ),
        ("All dogs are animals.", rule(Pattern("?0", "is", "animals"), Pattern("?0", "is", "dogs"))),
        (
            "If someone likes the cow and they are not kind then the cow sees them.",
            rule(
                Pattern("cow", "sees", "?0"),
                Pattern("?0", "likes", "cow"),
                Pattern("?0", "is", "kind", positive=False),
            ),
        ),
        ("If Anne is quiet then she is kind.", rule(Pattern("anne", "is", "kind"), Pattern("anne", "is", "quiet"))),
        ("If something is young, it is kind.", rule(Pattern("?0", "is", "kind"), Pattern("?0", "is", "young"))),
        ("Everything is round.", rule(Pattern("?0", "is", "round"))),
    ],
)
def test_what_is_meant_is_among_the_ways(patterns: Patterns, sentence: str, meant: tuple[Statement, ...]) -> None:
    assert meant in readings(patterns, sentence)


def test_a_pronoun_may_stand_for_the_first_the_nearest_or_a_thing_of_its_own(patterns: Patterns) -> None:
    found = readings(patterns, "If something sees the cow then it is red.")
    heads = [each.head.head for (each,) in found if isinstance(each, CandidateRule)]
    assert heads == ["?0", "cow", "?1"]


@pytest.mark.parametrize("sentence", ["No songs are visual.", "Bob is kind or rough.", "Why?", "", "Anne can sing."])
def test_what_the_forms_cannot_say_is_not_read(patterns: Patterns, sentence: str) -> None:
    assert readings(patterns, sentence) == []


def test_a_sentence_with_millions_of_ways_is_given_up_soon(patterns: Patterns) -> None:
    words = words_of("if " + " and ".join(["b c d e f"] * 9) + " then it is red")
    start = time.process_time()
    patterns.ways(words)
    assert time.process_time() - start < 10  # a tenth of a second on an idle machine


def test_a_parse_whose_parts_do_not_fit_states_nothing() -> None:
    parse = Parse((Role.NAME, Role.PREDICATE), (False, False), (True, True), (-1, -1), (-1, -1), (-1, -1))
    assert statements(["anne", "sings"], parse) == ()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[words]\n[slots]\n", "tables"),
        ("[words\n", "TOML"),
        ('[words]\n[slots]\n[forms]\nsentence = ["thing is"]', "'thing'"),
        ('[words]\n[slots]\nname = {most = 1}\n[forms]\nsentence = ["maybe:name"]', "'maybe'"),
        ('[words]\n[slots]\nname = {most = 1}\n[forms]\nsentence = ["sentence name", "name"]', "begin with themselves"),
    ],
)
def test_a_file_that_declares_no_patterns_is_refused(tmp_path: Path, text: str, wrong: str) -> None:
    (tmp_path / "p.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=wrong):
        load_patterns(tmp_path / "p.toml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"none\.toml"):
        load_patterns(tmp_path / "none.toml")


def test_forms_of_a_word_have_one_base() -> None:
    words = ["chases", "chase", "sees", "see", "carries", "carry", "watches", "watch", "kiss", "likes", "bus"]
    assert base_forms(words) == {
        "chases": "chase", "chase": "chase", "sees": "see", "see": "see", "carries": "carry", "carry": "carry",
        "watches": "watch", "watch": "watch", "kiss": "kiss", "likes": "likes", "bus": "bus",
    }  # fmt: skip


def test_sentences_end_at_their_marks() -> None:
    assert sentences_of(" Anne is 3.5 m tall. Is she? Yes!  ") == ["Anne is 3.5 m tall.", "Is she?", "Yes!"]
