"""Clashes: the matches of constraints in many worlds at once, as tables, and as violations where they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from engine.symbolic.compile import CompiledRule, Program
from engine.symbolic.constraints import UNNAMED, Broken, Match, Violation, broken, in_order, violation_of
from engine.symbolic.join import Bindings
from engine.symbolic.justify import Prover
from engine.symbolic.rules import Constraint, Severity
from kg.graph import KnowledgeGraph

__all__ = ["Clashes", "violations_in_order"]

Array = NDArray[np.int64]


class Clashes:
    """The substitutions that break a constraint in a world and not in the closure.

    Args:
        program: of the worlds.
        known: the matches of the closure.
        revised: whether rows of a world may be rows of the closure too.
    """

    def __init__(self, program: Program, known: frozenset[Match], *, revised: bool = False) -> None:
        self._program, self._known, self._revised = program, known, revised
        self._known_numbers = {number for number, _ in known}
        self._tables: list[tuple[CompiledRule, Bindings]] = []

    def add(self, constraint: CompiledRule, found: Bindings) -> None:
        """Take the matches of a constraint, each of which uses a row of its world."""
        if found.size and self._may_be_known(constraint):
            new = [item.match not in self._known for item in broken(constraint, found, self._program)]
            found = found.take(np.flatnonzero(np.array(new)))
        if found.size:
            self._tables.append((constraint, found))

    def worlds(self, severity: Severity | None = None) -> Array:
        """The worlds with a clash (of a severity), once for each clash; shape (num_clashes,)."""
        wanted = [
            bindings.world
            for constraint, bindings in self._tables
            if bindings.world is not None and severity in (None, _severity(constraint))
        ]
        return np.concatenate(wanted) if wanted else np.empty(0, dtype=np.int64)

    def of(self, world: int) -> list[Broken]:
        """The clashes of one world, one of each match, in the order of the constraints."""
        found: list[Broken] = []
        for (constraint, bindings), order, worlds in zip(self._tables, *self._by_world, strict=True):
            rows = order[np.searchsorted(worlds, world, "left") : np.searchsorted(worlds, world, "right")]
            if len(rows):
                found += broken(constraint, bindings.take(rows), self._program)
        return in_order(found)

    def _may_be_known(self, constraint: CompiledRule) -> bool:
        """Whether a match may equal one of the closure: not where it tells every row that was used."""
        if self._program.number_of(constraint.rule) not in self._known_numbers:
            return False
        if self._revised:
            return True
        variables = {*constraint.values, *(variable for atom in constraint.body for variable in atom.variables)}
        return bool(constraint.assignments) or any(str(variable).startswith(UNNAMED) for variable in variables)

    @cached_property
    def _by_world(self) -> tuple[list[Array], list[Array]]:
        """For each table its rows in the order of their worlds, and the worlds in this order."""
        every = [bindings.world for _, bindings in self._tables if bindings.world is not None]
        orders = [np.argsort(worlds, kind="stable") for worlds in every]
        return orders, [worlds[order] for worlds, order in zip(every, orders, strict=True)]


def violations_in_order(found: Iterable[Broken], graph: KnowledgeGraph, prover: Prover) -> tuple[Violation, ...]:
    """Matches as violations that prove themselves by this prover, worst first."""
    violations = [
        violation_of(item, prover.program, graph, partial(prover.prove_violation, item.constraint, item.values))
        for item in found
    ]
    return tuple(sorted(violations, key=lambda violation: violation.severity.rank))


def _severity(constraint: CompiledRule) -> Severity:
    assert isinstance(constraint.rule, Constraint)
    return constraint.rule.severity
