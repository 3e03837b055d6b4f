"""Longer stories, put together from pieces of text about families that many stories tell of.

A story of k steps starts with two people of a family and their relation, which is the answer. As CLUTRR's own generator
does, a step of the path between them is replaced by two, through somebody who is not on the path yet, in a way that
occurs in the proofs of the given examples, until there are k. Then the path is cut at random into parts of one, two or
three steps, as often as CLUTRR's sentences tell so many, and each part is told by a random one of the pieces for its
relations and the attribute of its first person, with the names replaced. The pieces are shuffled. What cannot be told
with the pieces at hand is left out, and another is tried.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.extraction.held_out import share_text
from engine.extraction.lessons import Fact
from engine.extraction.passages import Window, sentences_of
from pipelines.tasks.example import Example
from pipelines.tasks.methods.chained_relations import lesson_of

__all__ = ["Family", "Piece", "pieces_of", "stories"]

_CLEAR = 0.9  # share of what is said of two people that must agree, for the family to have it
_LENGTHS = {1: 84, 2: 14, 3: 2}  # per cent of the sentences of CLUTRR's train-2-3 that tell so many steps


@dataclass(frozen=True)
class Piece:
    """A text that tells the steps of a path, each name at its place in it.

    Args:
        parts: the text between the names. names: the place of each on the path, one less than there are parts.
    """

    parts: tuple[str, ...]
    names: tuple[int, ...]

    def text(self, people: Sequence[str]) -> str:
        """The text about these people, in the order of the path."""
        told = [f"{part}[{people[name]}]" for part, name in zip(self.parts[:-1], self.names, strict=True)]
        return "".join((*told, self.parts[-1]))


Path = tuple[str, ...]
"""The attribute of the first of a path, then the relations along it."""


def pieces_of(examples: Sequence[Example], *, seen: set[tuple[str, ...]]) -> dict[Path, list[Piece]]:
    """The sentences that tell one path and name nobody else, by the path, leaving out those with a run in `seen`."""
    found: dict[Path, dict[Piece, None]] = defaultdict(dict)
    for example in examples:
        lesson = lesson_of(example)
        for sentence in sentences_of(lesson.passage):
            window = Window.of(sentence)
            facts = [fact for fact in lesson.facts if {fact[0], fact[2]} <= set(window.names)]
            people = [facts[0][0], *(fact[2] for fact in facts)] if facts else []
            if any(one[2] != other[0] for one, other in pairwise(facts)) or sorted(people) != sorted(window.names):
                continue
            if share_text(sentence, seen):
                continue
            path = (lesson.attributes[people[0]], *(fact[1] for fact in facts))
            ends = sorted(
                (place, people.index(name))
                for name, at in zip(window.names, window.places, strict=True)
                for place in at
            )
            cuts = [0, *(end for place, _ in ends for end in (place, place + 1)), len(window.text)]
            parts = tuple(window.text[a:b] for a, b in zip(cuts[::2], cuts[1::2], strict=True))
            found[path][Piece(parts, tuple(name for _, name in ends))] = None
    return {path: list(pieces) for path, pieces in found.items()}


class Family:
    """Who is related to whom, as the stories of one group say together."""

    def __init__(self, examples: Sequence[Example]) -> None:
        said: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        told, steps = set[str](), Counter[tuple[str, tuple[str, str]]]()
        self.attributes: dict[str, str] = {}
        for example in examples:
            lesson = lesson_of(example)
            self.attributes |= lesson.attributes
            told |= {relation for _, relation, _ in lesson.facts}
            for head, relation, tail in lesson.facts:
                said[head, tail][relation] += 1
            for (head, relation, tail), premises in lesson.steps:
                said[head, tail][relation] += 1
                if len(premises) == 2:
                    steps[relation, (premises[0][1], premises[1][1])] += 1
        self.related = {
            pair: relation
            for pair, counts in said.items()
            for relation, count in counts.most_common(1)
            if count >= _CLEAR * counts.total()
        }
        self.told = told
        self.ways: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for relation, pair in sorted(steps):
            if set(pair) <= told:
                self.ways[relation].append(pair)
        self.people = sorted(self.attributes)

    def expanded(self, path: Sequence[Fact], chance: random.Random) -> list[Fact] | None:
        """The path with one of its steps replaced by two, through somebody who is not on it; None where none fits."""
        at = chance.randrange(len(path))
        head, relation, tail = path[at]
        taken = {name for step in path for name in (step[0], step[2])}
        ways = [
            (first, name, second)
            for first, second in self.ways[relation]
            for name in self.people
            if name not in taken
            and self.related.get((head, name)) == first
            and self.related.get((name, tail)) == second
        ]
        if not ways:
            return None
        first, name, second = chance.choice(ways)
        return [*path[:at], (head, first, name), (name, second, tail), *path[at + 1 :]]


def stories(
    examples: Sequence[Example], pieces: dict[Path, list[Piece]], *, hops: Sequence[int], count: int, seed: int
) -> list[Example]:
    """New examples of so many hops, `count` of each, or fewer where the pieces do not serve.

    Args:
        examples: whose people of one group are one family.
        pieces: what to tell with (`pieces_of`).
        hops: steps between the two people. seed: of everything random.
    """
    chance = random.Random(seed)
    groups = sorted({example.group for example in examples})
    families = [Family([example for example in examples if example.group == group]) for group in groups]
    return [story for k in hops for story in _stories(families, pieces, k, count, chance, tuple(examples[0].choices))]


def _stories(
    families: Sequence[Family],
    pieces: dict[Path, list[Piece]],
    hops: int,
    count: int,
    chance: random.Random,
    choices: tuple[str, ...],
) -> Iterator[Example]:
    made, tries = 0, 0
    while made < count and tries < 2000 * count:
        tries += 1
        family = chance.choice(families)
        (head, tail), relation = chance.choice(sorted(family.related.items()))
        path: list[Fact] | None = [(head, relation, tail)]
        for _ in range(4 * hops):
            if path is None or len(path) == hops:
                break
            path = family.expanded(path, chance) or path
        if path is None or len(path) != hops or not all(step[1] in family.told for step in path):
            continue
        texts = _told(path, family, pieces, chance)
        if texts is None:
            continue
        chance.shuffle(texts)
        made += 1
        yield Example(f"{hops}-{made}", " ".join(texts), f"{head}, {tail}", choices, (relation,), group=str(hops))


def _told(
    path: Sequence[Fact], family: Family, pieces: dict[Path, list[Piece]], chance: random.Random
) -> list[str] | None:
    texts, at = list[str](), 0
    while at < len(path):
        length = min(chance.choices(list(_LENGTHS), list(_LENGTHS.values()))[0], len(path) - at)
        part = path[at : at + length]
        known = pieces.get((family.attributes[part[0][0]], *(step[1] for step in part)))
        if not known:
            if length == 1:
                return None
            continue
        texts.append(chance.choice(known).text([part[0][0], *(step[2] for step in part)]))
        at += length
    return texts
