"""What a predictor gives: predictions in order of score, with those rejected on request; neighbours of an entity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from rdflib.term import Node

from engine.prediction.rejection import Rejection
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from kg.verbalise import verbalise

__all__ = ["Neighbour", "Prediction", "Ranking"]


@dataclass(frozen=True)
class Prediction:
    """A triple and what the embedding makes of it.

    Args:
        triple: head, relation, tail as terms.
        score: of the embedding; no unit, higher is more plausible, comparable within a relation.
        plausibility: the calibrated score, in (0, 1); None where the embedding is not calibrated.
        known: whether the triple is asserted or entailed.
        rejection: what rejects it; None for one that is accepted, or was not looked at.
    """

    triple: Triple
    score: float
    plausibility: float | None
    known: bool
    rejection: Rejection | None
    graph: KnowledgeGraph = field(repr=False, compare=False)

    def sentence(self) -> str:
        """The triple in words."""
        return verbalise(self.graph, self.triple)

    def __str__(self) -> str:
        figure = f"score {self.score:.3f}" if self.plausibility is None else f"plausibility {self.plausibility:.3f}"
        mark = ", known" if self.known else ""
        return f"{self.sentence()} ({figure}{mark})" + (f": {self.rejection}" if self.rejection else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, terms as compact names."""
        return {
            "triple": [self.graph.curie(term) for term in self.triple],
            "sentence": self.sentence(),
            "score": self.score,
            "plausibility": self.plausibility,
            "known": self.known,
            "rejection": None if self.rejection is None else self.rejection.to_dict(),
        }


@dataclass(frozen=True)
class Ranking(Sequence[Prediction]):
    """Accepted predictions, best first; a sequence of them.

    Args:
        question: what was asked, with `?` for what is sought.
        predictions: those accepted.
        rejected: those rejected with a score above the last accepted one, best first; empty where not asked for.
        num_rejected: how many there are of those, whether asked for or not.
    """

    question: str
    predictions: tuple[Prediction, ...]
    rejected: tuple[Prediction, ...] = ()
    num_rejected: int = 0

    @overload
    def __getitem__(self, at: int) -> Prediction: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Prediction, ...]: ...
    def __getitem__(self, at: int | slice) -> Prediction | tuple[Prediction, ...]:
        return self.predictions[at]

    def __len__(self) -> int:
        return len(self.predictions)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.predictions)

    def __str__(self) -> str:
        lines = [f"{self.question} ({self.num_rejected:,} rejected above the last)"]
        lines += [f"  {at}. {each}" for at, each in enumerate(self.predictions, start=1)]
        lines += [f"  rejected: {each}" for each in self.rejected]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "question": self.question,
            "predictions": [each.to_dict() for each in self.predictions],
            "rejected": [each.to_dict() for each in self.rejected],
            "num_rejected": self.num_rejected,
        }

    def _repr_html_(self) -> str:
        from kg.notebook import box, table

        head = ["triple", "score", "plausibility", "rejected for"]
        every = [*self.predictions, *self.rejected]
        rows = [
            [
                each.sentence(),
                f"{each.score:.3f}",
                "" if each.plausibility is None else f"{each.plausibility:.3f}",
                str(each.rejection or ""),
            ]
            for each in every
        ]
        return box(self.question, table(head, rows, total=len(every)))


@dataclass(frozen=True)
class Neighbour:
    """An entity near another one in the space of the embedding.

    Args:
        entity: the term. distance: between the vectors (L2); no unit.
    """

    entity: Node
    distance: float
    graph: KnowledgeGraph = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.graph.label(self.entity)} (distance {self.distance:.3f})"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the term as its compact name."""
        return {
            "entity": self.graph.curie(self.entity),
            "label": self.graph.label(self.entity),
            "distance": self.distance,
        }
