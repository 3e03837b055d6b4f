"""`Probe`: bodies of rules matched against a closure that is there, by the engine itself.

A body becomes a constraint, is compiled over the closed store and joined, as the constraints of the rule set were. The
closure is not written to: new terms and rules are in an overlay.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from engine.symbolic import Budget, Closure, Constraint, Rule, Violation
from engine.symbolic.closure import violations_of
from engine.symbolic.compile import CompiledRule
from engine.symbolic.constraints import violation_of
from engine.symbolic.fixpoint import Fixpoint
from engine.symbolic.justify import Prover
from engine.symbolic.overlay import Overlay
from engine.symbolic.rules import BodyElement

__all__ = ["Clock", "Probe"]

_ROWS = 5_000_000
"""Rows of one join: some 200 MB for a body of five variables."""


class Clock:
    """What is left of the seconds that a check may take.

    Args:
        seconds: of wall-clock time, from now on; None is no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.perf_counter() + seconds

    @property
    def left(self) -> float | None:
        """Seconds that are left, 0 at least; None where there is no limit."""
        return None if self._end is None else max(0.0, self._end - time.perf_counter())

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self.left == 0


class Probe:
    """Matches bodies against a closure.

    Args:
        closure: complete, or what is told of bodies with a NOT would be wrong.
        clock: when to stop.
    """

    def __init__(self, closure: Closure, clock: Clock | None = None) -> None:
        self.closure, self._clock = closure, clock or Clock(None)
        self._store = closure.state.store
        self._program = closure.state.program.fork(Overlay(closure.graph.dictionary))
        self._known: dict[tuple[tuple[BodyElement, ...], bool], bool | None] = {}

    def matches(self, elements: Sequence[BodyElement], *, data: bool = False) -> bool | None:
        """Whether a body has a match; None where a budget ran out before that was known.

        Args:
            elements: none of them an aggregate. data: matched against asserted triples alone.
        """
        key = (tuple(elements), data)
        if key not in self._known:
            self._known[key] = True if not elements else self._has_match(Constraint(None, (), key[0], data))
        return self._known[key]

    def _has_match(self, body: Constraint) -> bool | None:
        compiled = self._compile([body])
        budget = Budget(substitutions=_ROWS, violations=1, seconds=self._clock.left)
        found, stopped = violations_of(Fixpoint(self._store, self._program, budget=budget), compiled)
        return True if found else None if stopped else False

    def gives(self, rule: Rule) -> bool:
        """Whether the closure has a triple that a rule gave first."""
        return self.closure.statistics.by_rule.get(rule.name, 0) > 0

    def violations(self, constraints: Iterable[Constraint], *, most: int) -> Iterator[Violation | str]:
        """The violations of further constraints, in their order; and in words what was cut short, where it was.

        Args:
            most: violations of each constraint.
        """
        prover = Prover(self.closure.graph, self._store, self._program)
        for constraint in constraints:
            budget = Budget(substitutions=_ROWS, violations=most, seconds=self._clock.left)
            state = Fixpoint(self._store, self._program, budget=budget)
            found, stopped = violations_of(state, self._compile([constraint]))
            for item in found:
                prove = partial(prover.prove_violation, item.constraint, item.values)
                yield violation_of(item, self._program, self.closure.graph, prove)
            if stopped:
                yield stopped

    def _compile(self, constraints: Sequence[Constraint]) -> list[CompiledRule]:
        drafts = [self._program.prepare(constraint) for constraint in constraints]
        return self._program.extend(self._store, only=drafts)
