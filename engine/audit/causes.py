"""`causes_of`: violations grouped by what they share.

Each violation has a support, a smallest set of asserted triples that suffices for it. Violations whose supports share a
triple would all go with it, so it is a likely cause of them all. Causes are chosen greedily, the one of most violations
first, as in the covering of a set (Chvátal, A Greedy Heuristic for the Set-Covering Problem, 1979).
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engine.symbolic import Budget, Closure, Violation
from engine.symbolic.rules import Constraint
from engine.symbolic.supports import Support, first_supports
from kg.graph import KnowledgeGraph
from kg.terms import Triple, is_list_cell
from kg.verbalise import verbalise

__all__ = ["Cause", "causes_of"]

_SCHEMA_PER_DATA = 2
"""A data triple is taken for the cause unless a schema triple accounts for more than this many times as many
violations: one wrong axiom breaks things all over the data, and a wrong datum breaks a few rules at one thing. An axiom
that violations of different constraints rest on is more likely one that much is inferred by, and comes last."""


@dataclass(frozen=True, eq=False)
class Cause:
    """What some violations share.

    Args:
        triples: asserted triples in the support of each of the violations: data where they share data, else schema.
            Without any one of them, none of these supports is left.
        violations: in the order given. supports: one of each, in the same order.
    """

    triples: tuple[Triple, ...]
    violations: tuple[Violation, ...]
    supports: tuple[Support, ...] = field(repr=False)

    def text(self, graph: KnowledgeGraph) -> str:
        """What they share, in words."""
        told = [triple for triple in self.triples if not is_list_cell(triple)] or self.triples
        return "; ".join(verbalise(graph, triple) for triple in told) or "no asserted triple"


def causes_of(
    closure: Closure, violations: Iterable[Violation] | None = None, *, budget: Budget | None = None
) -> list[Cause]:
    """The causes of violations, the one of most violations first; each violation is with one cause.

    Only one support of each violation is looked at, and where there is too much to search that of the closure's own
    proof (see `first_supports`), so that thousands of violations take seconds. Another support may be left when a cause
    is mended; `repairs_of` a cause looks at all of them.

    Args:
        violations: of this closure; all of them by default.
        budget: of the search for supports, see `first_supports`.
    """
    every = tuple(closure.violations if violations is None else violations)
    supports = first_supports(closure, every, budget=budget)
    groups = _Cover(closure, supports, [violation.constraint for violation in every]).groups()
    causes = [_cause(closure, [every[at] for at in group], [supports[at] for at in group]) for group in groups]
    return sorted(causes, key=lambda cause: -len(cause.violations))


def _cause(closure: Closure, violations: Sequence[Violation], supports: Sequence[Support]) -> Cause:
    sets = [frozenset(support.triples) for support in supports]
    shared = [triple for triple in supports[0].triples if all(triple in each for each in sets)]
    data = [triple for triple in shared if not closure.is_schema(triple)]
    return Cause(tuple(data or shared), tuple(violations), tuple(supports))


class _Cover:
    """The greedy choice of triples until each support has one."""

    def __init__(self, closure: Closure, supports: Sequence[Support], constraints: Sequence[Constraint]) -> None:
        self._supports = supports
        self._readers: dict[Triple, set[int]] = defaultdict(set)
        for number, support in enumerate(supports):
            for triple in support.triples:
                self._readers[triple].add(number)
        self._heaps: tuple[list[tuple[int, int, Triple]], ...] = (
            [],
            [],
            [],
        )  # data, schema, schema of many constraints
        for order, (triple, readers) in enumerate(self._readers.items()):
            place = 0 if not closure.is_schema(triple) else 1 + (len({constraints[at] for at in readers}) > 1)
            self._heaps[place].append((-len(readers), order, triple))
        for heap in self._heaps:
            heapq.heapify(heap)

    def groups(self) -> list[list[int]]:
        """The numbers of the supports, those with one cause together, in the order of their first."""
        found: list[list[int]] = []
        while True:
            data, schema, common = map(self._most, self._heaps)
            if data is None and schema is None:
                schema = common
            if data is None and schema is None:
                break
            most = [0 if each is None else len(self._readers[each]) for each in (data, schema)]
            triple = schema if data is None or most[1] > _SCHEMA_PER_DATA * most[0] else data
            assert triple is not None
            found.append(sorted(self._readers[triple]))
            self._take(found[-1])
        found += [[at] for at, support in enumerate(self._supports) if not support.triples]
        return sorted(found)

    def _most(self, heap: list[tuple[int, int, Triple]]) -> Triple | None:
        """The triple in most of the supports that are left; counts only fall, so an old one is put back."""
        while heap:
            count, order, triple = heap[0]
            now = len(self._readers[triple])
            if now == -count:
                return triple
            heapq.heappop(heap)
            if now:
                heapq.heappush(heap, (-now, order, triple))
        return None

    def _take(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            for triple in self._supports[number].triples:
                self._readers[triple].discard(number)
