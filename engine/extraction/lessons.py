"""Lessons: passages with what they tell, and the windows that a pair extractor learns from.

What is told of a passage is who is related to whom, not by which sentence. A pair belongs to the narrowest windows that
name both; wider windows with no such pair show what it looks like when nothing is told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.extraction.pairs import PairExample, pairs_of
from engine.extraction.passages import Window, windows_of

__all__ = ["Fact", "Lesson", "Step", "pair_examples"]

Fact: TypeAlias = tuple[str, str, str]
"""Head, relation and tail by name."""
Step: TypeAlias = tuple[Fact, tuple[Fact, ...]]
"""What follows, and what it follows from."""
Backwards: TypeAlias = Mapping[tuple[str, str], str]
"""For a relation and the attribute of its head, what the head is to the tail."""


@dataclass(frozen=True)
class Lesson:
    """A passage with what it tells.

    Args:
        passage: the text, with names in brackets.
        facts: the triples it tells.
        steps: what follows from them.
        attributes: a value for each name, such as a gender.
        group: lessons of one group are about the same people where the names are the same.
    """

    passage: str
    facts: tuple[Fact, ...]
    steps: tuple[Step, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    group: str = ""


def pair_examples(lessons: Sequence[Lesson], backwards: Backwards, *, idle: float = 0.25) -> list[PairExample]:
    """The windows of the lessons, equal texts once, each with what most of the lessons say of its pairs.

    Args:
        lessons: what to learn from.
        backwards: the relation from tail to head, where it is known; else that direction of a told pair is left out.
        idle: windows of two sentences that tell nothing new are many and long; so many are kept for each other window.
    """
    said: dict[str, dict[tuple[str, str], Counter[str | None]]] = defaultdict(lambda: defaultdict(Counter))
    windows: dict[str, Window] = {}
    wide: dict[str, bool] = {}
    for lesson in lessons:
        told = _told(lesson, backwards)
        together = set[tuple[str, str]]()
        for window in windows_of(lesson.passage):
            pairs = pairs_of(window)
            if not pairs:
                continue
            names = dict(zip(window.names, range(len(window.names)), strict=True))
            known = windows.setdefault(window.text, window)
            new = any(told.get(pair) for pair in pairs if pair not in together)
            wide[window.text] = wide.get(window.text, True) and len(window.sentences) > 1 and not new
            if len(window.sentences) == 1:
                together.update(pairs)
            for pair in pairs:
                relation = told.get(pair)
                if relation != "":
                    own = (known.names[names[pair[0]]], known.names[names[pair[1]]])
                    said[window.text][own][relation] += 1
    empty = sorted((text for text, nothing in wide.items() if nothing), key=_mixed)
    dropped = set(empty[round(idle * (len(wide) - len(empty))) :])
    return [
        PairExample(windows[text], {pair: counts.most_common(1)[0][0] for pair, counts in pairs.items()})
        for text, pairs in said.items()
        if text not in dropped
    ]


def _mixed(text: str) -> tuple[int, str]:
    """An order that has nothing to do with what a text says, and is the same in each run."""
    return (sum(ord(letter) * at for at, letter in enumerate(text, 1)) % 1009, text)


def _told(lesson: Lesson, backwards: Backwards) -> dict[tuple[str, str], str]:
    """The relation of each told pair; empty where the direction is not known."""
    told = dict(_backwards(lesson, backwards))
    told.update(((head, tail), relation) for head, relation, tail in lesson.facts)
    return told


def _backwards(lesson: Lesson, backwards: Backwards) -> Iterator[tuple[tuple[str, str], str]]:
    for head, relation, tail in lesson.facts:
        yield (tail, head), backwards.get((relation, lesson.attributes.get(head, "")), "")
