"""Why a candidate is rejected: the axiom and its kind, what the candidate clashes with, a proof where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from engine.symbolic import Proof
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from kg.verbalise import verbalise

__all__ = ["Kind", "Rejection", "Strictness"]


class Strictness(Enum):
    """How much a candidate has to fit the schema."""

    OPEN = "open"
    """Only what contradicts the closure is rejected: nothing is false for want of a triple."""
    TYPED = "typed"
    """Also rejected is an entity that has types, none of which is the domain (range) asked for or a subclass of it."""

    def __str__(self) -> str:
        return self.value


class Kind(Enum):
    """What rejects a candidate; the value says it in words."""

    DOMAIN = "typed, but not in the domain"
    RANGE = "typed, but not in the range"
    DISJOINT_DOMAIN = "in a class that excludes the domain"
    DISJOINT_RANGE = "in a class that excludes the range"
    FUNCTIONAL = "has another value already"
    INVERSE_FUNCTIONAL = "is the value of another already"
    ASYMMETRIC = "linked the other way round"
    IRREFLEXIVE = "linked to itself"
    DISJOINT_PROPERTY = "linked by a property that excludes this one"
    CONTRADICTED = "contradicted by the rules"

    def __str__(self) -> str:
        return self.value


def _none() -> Proof | None:
    return None


@dataclass(frozen=True)
class Rejection:
    """Why a triple is rejected as a prediction.

    Args:
        triple: the candidate.
        kind: what rejects it.
        axiom: the triple of the schema that does; None where a constraint of the rules does without one.
        because: triples of the closure that the candidate clashes with by the axiom, further axioms among them; for
            `DOMAIN` and `RANGE`, a type that the entity does have.
        message: for `CONTRADICTED`, what the broken constraint says.
        prove: gives the proof; called on first use of `proof`.
    """

    triple: Triple
    kind: Kind
    axiom: Triple | None
    because: tuple[Triple, ...]
    graph: KnowledgeGraph = field(repr=False, compare=False)
    message: str = ""
    prove: Callable[[], Proof | None] = field(default=_none, repr=False, compare=False)

    @cached_property
    def proof(self) -> Proof | None:
        """The proof of FALSE from the candidate, as the checker gives it; None where it is not contradicted."""
        return self.prove()

    def __str__(self) -> str:
        grounds = [] if self.axiom is None else [self.axiom]
        words = "; ".join(verbalise(self.graph, triple) for triple in (*grounds, *self.because))
        told = f"{self.kind} ({self.message})" if self.message else str(self.kind)
        return f"{told}: {words}" if words else told

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, terms as compact names."""
        return {
            "kind": self.kind.name.lower(),
            "sentence": str(self),
            "axiom": None if self.axiom is None else [self.graph.curie(term) for term in self.axiom],
            "because": [[self.graph.curie(term) for term in triple] for triple in self.because],
            "proof": None if self.proof is None else self.proof.to_dict(self.graph),
        }
