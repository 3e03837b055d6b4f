"""Which way to read a sentence, learnt from answers: files have no logic, but answers.

Each choice of a way of reading (a form, what a pronoun stands for, how long a name is) has a weight. Every passage is
read with weights that are disturbed a little, and closed; weights move towards the disturbances with which questions
come out right (evolution strategies, Salimans et al. 2017, arXiv:1703.03864, equation 1).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engine.extraction.parse import Parse, statements, words_of
from engine.extraction.patterns import Patterns, Way
from engine.extraction.theory import Read, Theory, World, conclude

__all__ = ["Asked", "PatternReader", "Supervised", "fit_patterns", "supervise"]

_RATE = 10.0
"""Step of a weight for each unit of reward by one unit of disturbance; with 4 it takes more passes."""


@dataclass(frozen=True)
class Asked:
    """A passage with questions and their answers.

    Args:
        sentences: of the passage.
        questions: statements.
        answers: True, False, or None for unknown, one a question.
    """

    sentences: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[bool | None, ...]


@dataclass(frozen=True)
class Supervised:
    """A sentence with the parse it is taken to have.

    Args:
        text: the sentence. parse: of its words.
        weight: share of the passages with this sentence in which every question comes out right, in (0, 1].
    """

    text: str
    parse: Parse
    weight: float


@dataclass(frozen=True)
class PatternReader:
    """Reads by the declared patterns alone; among several ways the one of greatest weight, the first among equals.

    Args:
        patterns: what is declared.
        weights: of choices, by name; 0 for those that are not there.
        trust: of choices, in [0, 1]: the share of passages read with it whose questions all come out right; 0.5 for
            those that are not there.
    """

    patterns: Patterns
    weights: Mapping[str, float] = field(default_factory=dict)
    trust: Mapping[str, float] = field(default_factory=dict)

    def best(self, text: str) -> Way | None:
        """The way to read a sentence; None where no pattern fits."""
        return _best(self.patterns.ways(words_of(text)), self.weights)

    def read(self, texts: Sequence[str]) -> list[Read]:
        """What each sentence states; its confidence is the least trust in a choice of its way."""
        known = {text: self._read(text, self.best(text)) for text in dict.fromkeys(texts)}
        return [known[text] for text in texts]

    def _read(self, text: str, way: Way | None) -> Read:
        found = _read(text, way)
        least = min((self.trust.get(choice, 0.5) for choice in way.choices), default=0.5) if way else 0.0
        return replace(found, confidence=0.0 if found.fault else least)


def _best(ways: Sequence[Way], weights: Mapping[str, float]) -> Way | None:
    """The way of greatest weight, the first among equals."""
    return max(ways, key=lambda way: sum(weights.get(choice, 0.0) for choice in way.choices), default=None)


def _read(text: str, way: Way | None) -> Read:
    if way is None:
        return Read(text, fault="no pattern fits")
    said = statements(words_of(text), way.parse)
    return Read(text, said, fault="" if said else "the pattern gives no statement")


def fit_patterns(
    patterns: Patterns,
    passages: Sequence[Asked],
    *,
    world: World = "open",
    passes: int = 10,
    seed: int = 0,
    progress: Callable[[int, float], None] | None = None,
) -> PatternReader:
    """The weights of choices with which questions come out right.

    Args:
        passages: with answers.
        passes: over all passages, each read once in each.
        progress: called with the pass and its share of right answers.
    """
    random = np.random.default_rng(seed)
    ways = _ways(patterns, passages)
    weights: dict[str, float] = {}
    for number in range(passes):
        noises = [_disturbance(passage, ways, random) for passage in passages]
        theories = [
            _theory(passage, ways, {c: weights.get(c, 0.0) + noise[c] for c in noise})
            for passage, noise in zip(passages, noises, strict=True)
        ]
        right = _right(passages, theories, world)
        usual = _usual(passages, right)
        moved, counts = defaultdict[str, float](float), defaultdict[str, int](int)
        for passage, noise, row in zip(passages, noises, right, strict=True):
            gained = sum(r - usual[answer] for r, answer in zip(row, passage.answers, strict=True)) / len(row)
            for choice, value in noise.items():
                moved[choice] += gained * value
                counts[choice] += 1
        for choice, total in moved.items():
            weights[choice] = weights.get(choice, 0.0) + _RATE * total / (counts[choice] + len(passages) ** 0.5)
        if progress is not None:
            progress(number, float(np.mean([value for row in right for value in row])))
    return PatternReader(patterns, weights, _trust(passages, ways, weights, world))


def _trust(
    passages: Sequence[Asked], ways: Mapping[str, list[Way]], weights: Mapping[str, float], world: World
) -> dict[str, float]:
    """The trust in each choice that is made: right passages and one, of all and two (Laplace's rule of succession)."""
    counts, good = defaultdict[str, int](int), defaultdict[str, int](int)
    for passage, row in zip(
        passages, _right(passages, [_theory(p, ways, weights) for p in passages], world), strict=True
    ):
        made = (_best(ways[text], weights) for text in (*passage.sentences, *passage.questions))
        for choice in {choice for way in made if way for choice in way.choices}:
            counts[choice] += 1
            good[choice] += all(row)
    return {choice: (good[choice] + 1) / (count + 2) for choice, count in counts.items()}


def supervise(reader: PatternReader, passages: Sequence[Asked], *, world: World = "open") -> list[Supervised]:
    """The sentences of passages and questions with the reader's parse, weighed by the answers that come out right.

    A sentence that occurs only where some answer is wrong is left out.
    """
    ways = _ways(reader.patterns, passages)
    right = _right(passages, [_theory(passage, ways, reader.weights) for passage in passages], world)
    counts, good = defaultdict[str, int](int), defaultdict[str, int](int)
    for passage, row in zip(passages, right, strict=True):
        for text in {*passage.sentences, *passage.questions}:
            counts[text] += 1
            good[text] += all(row)
    kept = ((text, _best(ways[text], reader.weights)) for text in counts if good[text])
    return [Supervised(text, way.parse, good[text] / counts[text]) for text, way in kept if way is not None]


def _ways(patterns: Patterns, passages: Sequence[Asked]) -> dict[str, list[Way]]:
    texts = dict.fromkeys(text for p in passages for text in (*p.sentences, *p.questions))
    return {text: patterns.ways(words_of(text)) for text in texts}


def _disturbance(passage: Asked, ways: Mapping[str, list[Way]], random: np.random.Generator) -> dict[str, float]:
    """Normal noise for each choice by which ways to read a sentence of the passage differ."""
    open_: dict[str, None] = {}
    for text in (*passage.sentences, *passage.questions):
        found = [set(way.choices) for way in ways[text]]
        if len(found) > 1:
            open_ |= dict.fromkeys(sorted(set[str]().union(*found) - found[0].intersection(*found[1:])))
    return dict(zip(open_, random.standard_normal(len(open_)).tolist(), strict=True))


def _theory(passage: Asked, ways: Mapping[str, list[Way]], weights: Mapping[str, float]) -> Theory:
    def read(texts: Sequence[str]) -> tuple[Read, ...]:
        return tuple(_read(text, _best(ways[text], weights)) for text in texts)

    return Theory(read(passage.sentences), read(passage.questions))


def _right(passages: Sequence[Asked], theories: Sequence[Theory], world: World) -> list[list[bool]]:
    """Whether each question of each passage comes out right; one that cannot be answered does not."""
    return [
        [found.value is answer and not found.fault for found, answer in zip(row, passage.answers, strict=True)]
        for passage, row in zip(passages, conclude(theories, world=world), strict=True)
    ]


def _usual(passages: Sequence[Asked], right: Sequence[Sequence[bool]]) -> dict[bool | None, float]:
    """The share that comes out right among the questions with each answer."""
    rows: dict[bool | None, list[bool]] = defaultdict(list)
    for passage, row in zip(passages, right, strict=True):
        for answer, value in zip(passage.answers, row, strict=True):
            rows[answer].append(value)
    return {answer: float(np.mean(values)) for answer, values in rows.items()}
