"""`Claim`: a triple put to the reasoner, asserted or denied, with the text it was read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kg.terms import Triple

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph

__all__ = ["Candidate", "Claim"]


@dataclass(frozen=True)
class Candidate:
    """A triple that a text may state.

    Args:
        triple: head, relation and tail as terms.
        positive: False where the text denies the triple.
        score: how well the text fits it, in [0, 1]; it orders candidates and decides nothing about truth.
    """

    triple: Triple
    positive: bool
    score: float


@dataclass(frozen=True)
class Claim:
    """What is asked: a triple, asserted or denied.

    Args:
        triple: None where no triple could be formed from the text.
        positive: False for a claim that denies the triple.
        text: the text as given, empty for a claim given as a triple.
        candidates: every triple the text may state, best first; `triple` is the first one's.
    """

    triple: Triple | None
    positive: bool = True
    text: str = ""
    candidates: tuple[Candidate, ...] = field(default=(), repr=False, compare=False)
    graph: KnowledgeGraph | None = field(default=None, repr=False, compare=False)

    def sentence(self) -> str:
        """The claim in words: the text as given, else the triple read out with its labels."""
        if self.text:
            return self.text.strip()
        if self.triple is None:
            return "(no claim)"
        return self.reading()

    def reading(self) -> str:
        """The triple in words, as it was understood; empty where there is none."""
        if self.triple is None:
            return ""
        if self.graph is None:
            return str(self.triple) if self.positive else f"not: {self.triple}"
        from kg.verbalise import negate, verbalise

        said = verbalise(self.graph, self.triple)
        return said if self.positive else negate(said)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; terms in N-Triples form."""
        triple = None if self.triple is None else [term.n3() for term in self.triple]
        return {"text": self.text, "triple": triple, "positive": self.positive, "reading": self.reading()}
