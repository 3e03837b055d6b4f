"""The sum over the well-founded proofs of a triple, in semirings where a proof through a cycle would add something.

The proofs of a premise depend on what stands above it, but only on triples of its own cycle. So there is one sum for
each triple and each set of triples of its cycle that stand above it; without cycles, one for each triple.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from engine.symbolic.derivations import Derivations, Justification, Path
from engine.symbolic.justify import Ids
from engine.symbolic.ranked import OutOfWork, Task, drive

__all__ = ["WORK", "AcyclicSum", "Sum"]

V = TypeVar("V")
WORK = 200_000
"""Rule instances an exact sum may look at, over and over under different paths: a second or so."""


class Sum(Protocol[V]):
    """What a sum over proofs is made of: the weights of asserted triples and of rule applications."""

    @property
    def zero(self) -> V:
        """The sum of no proofs."""

    def plus(self, a: V, b: V) -> V:
        """The sum of two sums."""

    def leaf(self, node: Ids) -> V:
        """The weight of an asserted triple."""

    def product(self, step: Justification, premises: Iterable[V]) -> V:
        """The weight of a rule application on premises of some weights."""


class AcyclicSum(Generic[V]):
    """The sum over well-founded proofs, triple by triple, in any semiring."""

    def __init__(self, derivations: Derivations, weights: Sum[V]) -> None:
        self.derivations, self.weights = derivations, weights
        self._work = 0
        self._known: dict[tuple[Ids, Path], V] = {}

    def value(self, node: Ids, *, work: int = WORK) -> V:
        """The sum for one ancestor.

        Args:
            work: rule instances that may be looked at, under all paths together.

        Raises:
            OutOfWork: the limit was reached.
        """
        self._work = work
        return drive(self._sum(node, frozenset()))

    def _sum(self, node: Ids, path: Path) -> Task[V]:
        """The sum over the proofs in which no triple of a path occurs."""
        weights, derivations = self.weights, self.derivations
        total = weights.leaf(node) if node in derivations.asserted else weights.zero
        for step in derivations.justifications[node]:
            if not path.isdisjoint(step.premises):
                continue
            self._work -= 1
            if self._work < 0:
                raise OutOfWork
            parts: list[V] = []
            for premise in step.premises:
                if step.reads_asserted:
                    parts.append(weights.leaf(premise))
                    continue
                key = (premise, derivations.below(path, node, premise))
                if key not in self._known:
                    yield self._sum(*key)
                parts.append(self._known[key])
            total = weights.plus(total, weights.product(step, parts))
        self._known[node, path] = total
        return total
