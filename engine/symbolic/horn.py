"""Rule instances as Horn clauses over asserted triples, and the sets of triples from which a target follows.

The asserted ancestors of some targets are numbered, so a set of them is an integer with one bit each. Two searches:

- `smallest`: minimal sets from which a target follows, fewest triples first. Sets are combined upwards, from asserted
  triples to the target, always the least one next, as in Knuth's generalisation of Dijkstra's algorithm; each set that
  comes up at a triple and holds no earlier one of it is minimal. Supersets of a set found for the target are dropped.
- `tree`: Reiter's hitting-set tree (A Theory of Diagnosis from First Principles, 1987), with Horn propagation as the
  oracle. It gives minimal sets to remove so that no target follows, least cost first, and on the way minimal sets from
  which one does, found by deletion.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, product

from engine.symbolic.chains import triple_of
from engine.symbolic.derivations import Derivations, Justification
from engine.symbolic.justify import Ids

__all__ = ["Cost", "Horn", "OutOfWorkError", "bits"]

Cost = tuple[float, ...]
"""What removing a set of asserted triples costs; less is better."""


class OutOfWorkError(Exception):
    """A search tried more clauses than it was allowed to; it never leaves the modules that search."""


@dataclass(frozen=True, eq=False, slots=True)
class Clause:
    """A rule instance.

    Args:
        head: the number of its conclusion. body: of its premises that rules conclude.
        facts: its premises that are only asserted, or count only as such (`WHERE DATA`).
    """

    head: int
    body: tuple[int, ...]
    facts: int
    step: Justification


How = dict[int, Clause | None]
"""For each number that follows, the clause by which it does; None where it is asserted."""


def bits(mask: int) -> Iterator[int]:
    """The numbers in a set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Horn:
    """The clauses below some targets.

    Args:
        targets: nodes of the derivations.
        work: clauses that all searches together may try.
    """

    def __init__(self, derivations: Derivations, targets: Sequence[Ids], *, work: int) -> None:
        self.work = work
        self.leaves: list[Ids] = sorted({triple_of(node) for node in derivations.asserted})
        self.nodes: list[Ids] = []
        self._bit = {leaf: 1 << at for at, leaf in enumerate(self.leaves)}
        self._own: list[int] = []  # the bit of each node that is asserted, 0 for the others
        self._clauses: list[Clause] = []
        self._readers: dict[int, list[Clause]] = defaultdict(list)
        self._starts: dict[int, list[Clause]] = defaultdict(list)  # clauses without a body, by their first fact
        self._asserted: dict[int, list[int]] = defaultdict(list)  # the nodes a bit stands for
        self.targets = self._number(derivations, targets)
        self.every = (1 << len(self.leaves)) - 1
        self._index()
        self.how = self.follow(self.every)
        self._clauses = [clause for clause in self._clauses if all(node in self.how for node in clause.body)]
        self._index()

    def _number(self, derivations: Derivations, targets: Sequence[Ids]) -> list[int]:
        """Give numbers to the nodes below the targets, and make the clauses."""
        found, number = derivations.justifications, dict[Ids, int]()

        def of(node: Ids) -> int:
            if node not in number:
                number[node] = len(self.nodes)
                self.nodes.append(node)
                self._own.append(self._bit[triple_of(node)] if node in derivations.asserted else 0)
            return number[node]

        numbers = [of(node) for node in targets]
        at = 0
        while at < len(self.nodes):
            for step in found.get(self.nodes[at], ()):
                facts, body = 0, list[int]()
                for premise in step.premises:
                    if step.reads_asserted or (premise in derivations.asserted and not found.get(premise)):
                        facts |= self._bit[triple_of(premise)]
                    else:
                        body.append(of(premise))
                self._clauses.append(Clause(at, tuple(dict.fromkeys(body)), facts, step))
            at += 1
        return numbers

    def _index(self) -> None:
        for index in (self._readers, self._starts, self._asserted):
            index.clear()
        for clause in self._clauses:
            for node in clause.body:
                self._readers[node].append(clause)
            if not clause.body:
                self._starts[clause.facts & -clause.facts].append(clause)
        for node, bit in enumerate(self._own):
            if bit:
                self._asserted[bit].append(node)

    def _spend(self, clauses: int) -> None:
        self.work -= clauses
        if self.work < 0:
            raise OutOfWorkError

    # ------------------------------------------------------------------------------------------- propagation

    def follow(self, leaves: int, target: int | None = None) -> How:
        """What follows from some asserted triples, breadth first; with a target, only until that does."""
        how: How = {}
        missing: dict[int, int] = {}
        queue: list[int] = []

        def conclude(node: int, clause: Clause | None) -> None:
            if node not in how:
                how[node] = clause
                queue.append(node)

        first = [1 << at for at in bits(leaves)]
        for bit in first:
            for node in self._asserted.get(bit, ()):
                conclude(node, None)
        for bit in (0, *first):
            for clause in self._starts.get(bit, ()):
                if clause.facts & ~leaves == 0:
                    conclude(clause.head, clause)
        self._spend(len(first))
        for node in queue:
            if node == target:
                break
            readers = self._readers.get(node, ())
            self._spend(len(readers))
            for clause in readers:
                left = missing[id(clause)] = missing.get(id(clause), len(clause.body)) - 1
                if not left and clause.facts & ~leaves == 0:
                    conclude(clause.head, clause)
        return how

    def used(self, how: How, target: int) -> int:
        """The asserted triples that a target follows from in one way."""
        found, stack, seen = 0, [target], {target}
        while stack:
            node = stack.pop()
            clause = how[node]
            if clause is None:
                found |= self._own[node]
                continue
            found |= clause.facts
            stack.extend(premise for premise in clause.body if premise not in seen)
            seen.update(clause.body)
        return found

    def shrunk(self, leaves: int, target: int) -> int:
        """A minimal part of some asserted triples from which a target follows, as it does from all of them."""
        for at in bits(leaves):
            bit = 1 << at
            if leaves & bit:
                how = self.follow(leaves & ~bit, target)
                if target in how:
                    leaves = self.used(how, target)
        return leaves

    def first(self, target: int) -> int | None:
        """One minimal set from which a target follows; None where it does not."""
        return self.shrunk(self.used(self.how, target), target) if target in self.how else None

    # --------------------------------------------------------------------------------------- all minimal sets

    def smallest(self) -> Iterator[int]:
        """The minimal sets from which the only target follows, fewest triples first.

        Raises:
            OutOfWorkError: there are too many sets to combine.
        """
        (target,) = self.targets
        sets: dict[int, list[int]] = defaultdict(list)
        heap: list[tuple[int, int, int, int]] = []
        ticket, done = count(), sets[target]

        def offer(node: int, mask: int) -> None:
            if not _holds_one(mask, done) and not _holds_one(mask, sets[node]):
                heapq.heappush(heap, (mask.bit_count(), next(ticket), node, mask))

        for node, bit in enumerate(self._own):
            if bit:
                offer(node, bit)
        for clause in self._clauses:
            if not clause.body:
                offer(clause.head, clause.facts)
        while heap:
            _, _, node, mask = heapq.heappop(heap)
            if _holds_one(mask, done) or _holds_one(mask, sets[node]):
                continue
            sets[node].append(mask)
            if node == target:
                yield mask
            for clause in self._readers.get(node, ()):
                self._combine(clause, node, mask, sets, offer)

    def _combine(
        self, clause: Clause, node: int, mask: int, sets: dict[int, list[int]], offer: Callable[[int, int], None]
    ) -> None:
        """Offer the conclusion of a clause every union of one new set of a premise with the sets of the others."""
        others = [sets[other] for other in clause.body if other != node]
        if not all(others):
            self._spend(1)
            return
        for chosen in product(*others):
            self._spend(1 + len(chosen))
            union = mask | clause.facts
            for each in chosen:
                union |= each
            offer(clause.head, union)

    def tree(
        self, cost: Callable[[int], Cost], known: Sequence[int] = (), *, keep: int = 0
    ) -> Iterator[tuple[int, bool]]:
        """Minimal sets from which a target follows (True), and minimal sets to remove so that none does (False).

        Sets to remove come least cost first; the others come as they are met.

        Args:
            cost: of removing a set; more for a set than for its parts.
            known: minimal sets from which a target follows, not given again.
            keep: asserted triples that are not to be removed.

        Raises:
            OutOfWorkError: the tree is too large.
        """
        supports, removals, seen = list(known), list[int](), {0}
        heap: list[tuple[Cost, int, int]] = [(cost(0), 0, 0)]
        ticket = count(1)
        while heap:
            *_, removed = heapq.heappop(heap)
            if _holds_one(removed, removals):
                continue
            support = next((mask for mask in supports if not mask & removed), None)
            if support is None:
                support = self._without(removed)
                if support is None:
                    removals.append(removed)
                    yield removed, False
                    continue
                supports.append(support)
                yield support, True
            for at in bits(support & ~keep):
                more = removed | 1 << at
                if more not in seen:
                    seen.add(more)
                    heapq.heappush(heap, (cost(more), next(ticket), more))

    def _without(self, removed: int) -> int | None:
        """A minimal set from which a target follows without some asserted triples; None where none does."""
        how = self.follow(self.every & ~removed)
        target = next((target for target in self.targets if target in how), None)
        return None if target is None else self.shrunk(self.used(how, target), target)


def _holds_one(mask: int, sets: Sequence[int]) -> bool:
    return any(each & mask == each for each in sets)
