"""Choices learnt from answers: two ways to read every sentence, told apart by which one answers right."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.extraction.denotation import Asked, PatternReader, fit_patterns, supervise
from engine.extraction.patterns import Patterns, load_patterns
from engine.extraction.theory import Theory, conclude
from tests.theories import Puzzle, fact_text, puzzles

FILE = Path(__file__).parents[1] / "data" / "vocabulary" / "statements.toml"


@pytest.fixture(scope="module")
def patterns() -> Patterns:
    return load_patterns(FILE)


def asked(puzzle: Puzzle) -> Asked:
    return Asked(puzzle.sentences, (fact_text(puzzle.asked),), (puzzle.open_answer,))


def accuracy(reader: PatternReader, given: list[Puzzle]) -> float:
    rows = [Theory(tuple(reader.read(p.sentences)), tuple(reader.read([fact_text(p.asked)]))) for p in given]
    right = [row[0].value is p.open_answer for row, p in zip(conclude(rows), given, strict=True)]
    return sum(right) / len(right)


def test_answers_teach_which_way_to_read(patterns: Patterns) -> None:
    given, held_out = puzzles(150, denials=False), puzzles(100, seed=1, denials=False)
    told = []
    reader = fit_patterns(patterns, list(map(asked, given)), passes=8, progress=lambda _, right: told.append(right))
    assert accuracy(PatternReader(patterns), held_out) < 0.9  # *young people* is a name as likely as a rule
    assert accuracy(reader, held_out) > 0.97
    assert told[-1] > told[0]
    assert reader.weights["thing: people"] > reader.weights["noun: people"]


def test_sentences_whose_answers_are_wrong_teach_nothing(patterns: Patterns) -> None:
    good = Asked(("Anne is red.",), ("Anne is red.",), (True,))
    bad = Asked(("Bob is red.",), ("Bob is red.",), (False,))
    kept = supervise(PatternReader(patterns), [good, bad])
    assert [(each.text, each.weight) for each in kept] == [("Anne is red.", 1.0)]


def test_the_same_seed_learns_the_same(patterns: Patterns) -> None:
    given = list(map(asked, puzzles(20)))
    one, other = (fit_patterns(patterns, given, passes=2, seed=3) for _ in range(2))
    assert one.weights == other.weights
    assert one.weights != fit_patterns(patterns, given, passes=2, seed=4).weights
