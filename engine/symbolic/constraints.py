"""Violations: the matches of constraint bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from rdflib import Variable
from rdflib.term import Node

from engine.symbolic.compile import CompiledRule, Program
from engine.symbolic.draft import BODY_MARK
from engine.symbolic.join import Bindings
from engine.symbolic.justify import written
from engine.symbolic.proof import Proof
from engine.symbolic.rules import Constraint, Severity
from kg.graph import KnowledgeGraph
from kg.terms import term_key

__all__ = ["Violation"]


@dataclass(frozen=True, eq=False)
class Violation:
    """One constraint with a substitution under which all of its body holds. Equal where both are.

    Args:
        constraint: the constraint as written.
        substitution: a term for each of its variables that is bound outside a NOT. A variable whose name starts with
            `_` stands for a blank node of the text and is not among them, so its values do not multiply violations.
        message: the constraint's message with labels for its variables.
        prove: gives the proof; called on first use of `proof`.
    """

    constraint: Constraint
    substitution: Mapping[Variable, Node]
    message: str
    prove: Callable[[], Proof] = field(repr=False)

    @property
    def severity(self) -> Severity:
        """How bad it is, as the constraint says."""
        return self.constraint.severity

    @cached_property
    def proof(self) -> Proof:
        """The proof of FALSE: the constraint applied to proofs of its body atoms."""
        return self.prove()

    @cached_property
    def _identity(self) -> tuple[Constraint, tuple[tuple[str, str], ...]]:
        return self.constraint, tuple(sorted((str(v), term_key(t)) for v, t in self.substitution.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Violation) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        return f"Violation({self})"

    def __str__(self) -> str:
        return f"{self.severity}: {self.message} ({self.constraint.name})"

    def to_dict(self, graph: KnowledgeGraph) -> dict[str, Any]:
        """The violation and its proof as JSON-ready values, terms as compact names."""
        return {
            "constraint": {"name": self.constraint.name, "iri": self.constraint.iri and str(self.constraint.iri)},
            "severity": str(self.severity),
            "message": self.message,
            "source": self.constraint.source,
            "substitution": {str(v): graph.curie(term) for v, term in self.substitution.items()},
            "proof": self.proof.to_dict(graph),
        }


UNNAMED = (BODY_MARK, "_")
"""How the names of variables start that stand for blank nodes: ours, and those of the parser."""

Match = tuple[int, tuple[tuple[Variable, int], ...]]
"""What tells violations apart: the number of the constraint and the ids of the variables that are written."""


class Broken(NamedTuple):
    """A match of a compiled constraint: all its ids, those of blank nodes in the body included."""

    constraint: CompiledRule
    values: dict[Variable, int]
    match: Match
    world: int


def broken(constraint: CompiledRule, bindings: Bindings, program: Program) -> Iterator[Broken]:
    """The matches of a constraint as values, one for each substitution."""
    number = program.number_of(constraint.rule)
    worlds: Sequence[int] = [0] * bindings.size if bindings.world is None else bindings.world.tolist()
    for row, world in enumerate(worlds):
        values = {**constraint.values, **bindings.substitution(row)}
        named = sorted((v, id) for v, id in values.items() if not str(v).startswith(UNNAMED))
        yield Broken(constraint, values, (number, tuple(named)), world)


def in_order(found: Iterable[Broken]) -> list[Broken]:
    """One of each match, ordered by constraint, then by the ids of its variables."""
    first: dict[Match, Broken] = {}
    for item in found:
        first.setdefault(item.match, item)
    return [first[match] for match in sorted(first)]


def violation_of(item: Broken, program: Program, graph: KnowledgeGraph, prove: Callable[[], Proof]) -> Violation:
    """A match as a violation, with its message in words."""
    constraint = item.constraint.rule
    assert isinstance(constraint, Constraint)
    substitution = {
        v: term for v, term in written(item.constraint, item.values, program).items() if not str(v).startswith(UNNAMED)
    }
    labels = {variable: graph.label(term) for variable, term in substitution.items()}
    message = constraint.render(labels) or ", ".join(f"?{v} = {label}" for v, label in labels.items())
    return Violation(constraint, substitution, message, prove)
