"""What linking takes and gives: settings, candidates, mentions."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

from rdflib.term import Node

from kg.errors import ConfigError

__all__ = ["Candidate", "LinkSettings", "Mention", "Method"]

Method = Literal["exact", "normalised", "fuzzy", "encoder"]


@dataclass(frozen=True)
class LinkSettings:
    """How near a mention must come; the `[linking]` table of a domain has the same keys.

    Attributes:
        min_fuzzy_length: letters a word needs before it may be taken for a misspelling; shorter ones must be right.
        fuzzy_threshold: score in [0, 1] from which a correction is accepted.
        encoder_threshold: cosine from which a similar meaning is accepted.
        margin: two candidates whose scores differ by less leave the mention ambiguous.
        distinct: words that name something outside the graph and so are never a misspelling of what is in it.
        name_endings: endings that mark an unknown word as a name, besides those the graph's own names share.

    Raises:
        ConfigError: a value is out of its range.
    """

    min_fuzzy_length: int = 6
    fuzzy_threshold: float = 0.87
    encoder_threshold: float = 0.75
    margin: float = 0.05
    distinct: tuple[str, ...] = ()
    name_endings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("fuzzy_threshold", "encoder_threshold", "margin"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
                raise ConfigError(f"Expected a number from 0 to 1 for linking.{name} (got {value!r})")
        length = self.min_fuzzy_length
        if isinstance(length, bool) or not isinstance(length, int) or length < 4:
            raise ConfigError(f"Expected a whole number from 4 for linking.min_fuzzy_length (got {length!r})")
        for name in ("distinct", "name_endings"):
            value = getattr(self, name)
            if isinstance(value, str) or not all(isinstance(word, str) and word for word in value):
                raise ConfigError(f"Expected a list of words for linking.{name} (got {value!r})")

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> LinkSettings:
        """Settings from a table of a domain file.

        Raises:
            ConfigError: a key is unknown (the message names the nearest) or a value is out of its range.
        """
        known = [f.name for f in fields(cls)]
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ConfigError(f"Expected one of {', '.join(known)} in [linking] (got {key}){hint}")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
        return cls(**values)


class Candidate(NamedTuple):
    """A term a mention may name: the label that fitted, the score in [0, 1], the method, and the term's id."""

    term: Node
    label: str
    score: float
    method: Method
    id: int


@dataclass(frozen=True)
class Mention:
    """A span of a text that names a term: `text` is the text from character `start` up to `end`.

    Attributes:
        candidates: the terms it may name, best first, at least one.
        margin: the difference of scores below which two candidates are as good as each other.
    """

    start: int
    end: int
    text: str
    candidates: tuple[Candidate, ...]
    margin: float = field(default=0.05, repr=False, compare=False)

    @property
    def ambiguous(self) -> bool:
        """Whether two terms fit about equally well, so that none may be chosen without asking."""
        return len(self.candidates) > 1 and self.candidates[0].score - self.candidates[1].score < self.margin

    @property
    def term(self) -> Node | None:
        """The term the mention names, or None where it is ambiguous."""
        return None if self.ambiguous else self.candidates[0].term

    def __str__(self) -> str:
        names = " or ".join(f"{c.label} ({c.method}, {c.score:.2f})" for c in self.candidates)
        return f"“{self.text}” → {names}"
