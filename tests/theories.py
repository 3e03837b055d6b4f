"""Small theories in English with their logic, and a second way to close them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

NAMES = ("anne", "bob", "fiona")
QUALITIES = ("red", "kind", "rough", "young")
Literal = tuple[str, str, bool]
"""Who (a name, or "?" for anyone), what they are, and whether they are."""


@dataclass(frozen=True)
class Puzzle:
    """A theory, its sentences, and a statement.

    Args:
        facts: what holds. rules: body and head. asked: the statement.
    """

    facts: tuple[Literal, ...]
    rules: tuple[tuple[tuple[Literal, ...], Literal], ...]
    asked: Literal

    @property
    def sentences(self) -> tuple[str, ...]:
        """The theory in English."""
        return (*map(fact_text, self.facts), *(rule_text(body, head) for body, head in self.rules))

    @property
    def open_answer(self) -> bool | None:
        """True where it follows, False where its denial does, None otherwise; found by looping over everything."""
        known = set(self.facts)
        while new := {head for body, head in self.instances() if set(body) <= known} - known:
            known |= new
        who, what, holds = self.asked
        return True if self.asked in known else False if (who, what, not holds) in known else None

    def instances(self) -> list[tuple[list[Literal], Literal]]:
        """The rules with each name in place of anyone."""
        return [
            ([(name if who == "?" else who, what, holds) for who, what, holds in body], (name, head[1], head[2]))
            for (body, head), name in product(self.rules, NAMES)
            if head[0] in ("?", name)
        ]

    @property
    def is_consistent(self) -> bool:
        """Whether nothing follows together with its denial."""
        answers = set[Literal](self.facts)
        while new := {head for body, head in self.instances() if set(body) <= answers} - answers:
            answers |= new
        return not any((who, what, not holds) in answers for who, what, holds in answers)


def fact_text(fact: Literal) -> str:
    who, what, holds = fact
    return f"{who.capitalize()} is {'' if holds else 'not '}{what}."


def rule_text(body: Sequence[Literal], head: Literal) -> str:
    said = " and ".join(("" if holds else "not ") + what for _, what, holds in body)
    if all(holds for _, _, holds in body) and head[2]:
        return f"{', '.join(what for _, what, _ in body).capitalize()} people are {head[1]}."
    return f"If someone is {said} then they are {'' if head[2] else 'not '}{head[1]}."


def puzzles(count: int, *, seed: int = 0, denials: bool = True) -> list[Puzzle]:
    """Random consistent theories."""
    random, found = Random(seed), list[Puzzle]()

    def literal(who: str) -> Literal:
        return who, random.choice(QUALITIES), not denials or random.random() < 0.7

    while len(found) < count:
        drawn = (literal(random.choice(NAMES)) for _ in range(4))
        facts = tuple({(who, what): (who, what, holds) for who, what, holds in drawn}.values())
        rules = tuple(
            (tuple(dict.fromkeys(literal("?") for _ in range(random.randint(1, 2)))), literal("?")) for _ in range(3)
        )
        puzzle = Puzzle(facts, rules, literal(random.choice(NAMES)))
        if puzzle.is_consistent:
            found.append(puzzle)
    return found
