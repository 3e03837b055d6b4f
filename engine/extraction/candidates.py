"""What an extractor reads from a passage: triples and rules in the words of the text, each with its confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["CandidateRule", "CandidateTriple", "Pattern"]


@dataclass(frozen=True)
class CandidateTriple:
    """A triple that a sentence may state.

    Args:
        head, relation, tail: names, as the text or the task has them.
        positive: False where the sentence denies it.
        confidence: the extractor's probability, in [0, 1].
        sentence: number of the sentence in the passage, from 0.
        through: number of the last sentence, where more than one in a row state it together.
    """

    head: str
    relation: str
    tail: str
    positive: bool = True
    confidence: float = 1.0
    sentence: int = 0
    through: int | None = None

    @property
    def sentences(self) -> range:
        """Numbers of the sentences that state it."""
        return range(self.sentence, (self.sentence if self.through is None else self.through) + 1)


Pattern: TypeAlias = CandidateTriple
"""A triple of a rule, in which a name that starts with `?` is a variable; its confidence and sentence say nothing."""


@dataclass(frozen=True)
class CandidateRule:
    """A rule that a sentence may state, or that was learnt.

    Args:
        body: patterns that must all hold; one that is not positive is denied, or absent, as the reader's world has it.
        head: what then holds.
        confidence: probability in [0, 1].
        sentence: number of the sentence it was read from; None for a rule that was learnt.
    """

    body: tuple[Pattern, ...]
    head: Pattern
    confidence: float = 1.0
    sentence: int | None = None
