"""Is a triple derived without some of what it is derived from?

The justifications of a triple and its ancestors are a set of Horn clauses. What follows from a part of them is found in
time linear in their size (Dowling and Gallier 1984, unit propagation).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.symbolic import Derivations, Rule
from engine.symbolic.derivations import Justification
from engine.symbolic.justify import Ids

__all__ = ["Derived", "derived"]


@dataclass(frozen=True)
class Derived:
    """A derivation of a triple.

    Args:
        leaves: the asserted triples it rests on, in reading order. rules: those it applies, each once.
    """

    leaves: tuple[Ids, ...]
    rules: tuple[Rule, ...]


def derived(target: Ids, ways: Derivations, usable: Callable[[Justification], bool]) -> Derived | None:
    """A derivation of a triple from asserted triples other than itself, None where there is none.

    Args:
        ways: all justifications of the triple and its ancestors. usable: those that may be used.
    """
    justified: dict[Ids, Justification] = {}
    waiting: dict[Ids, list[tuple[Justification, list[int]]]] = defaultdict(list)
    ready: deque[Justification] = deque()
    for justification in _above(target, ways):
        if target in justification.premises or not usable(justification):
            continue
        open_premises = {p for p in justification.premises if p not in ways.asserted}
        missing = [len(open_premises)]
        for premise in open_premises:
            waiting[premise].append((justification, missing))
        if not open_premises:
            ready.append(justification)
    while ready:
        justification = ready.popleft()
        if justification.conclusion in justified:
            continue
        justified[justification.conclusion] = justification
        if justification.conclusion == target:
            return _read(target, justified, ways)
        for other, missing in waiting.get(justification.conclusion, ()):
            missing[0] -= 1
            if not missing[0]:
                ready.append(other)
    return None


def _above(target: Ids, ways: Derivations) -> Iterator[Justification]:
    """The justifications of a triple and of all its ancestors that are not asserted."""
    seen, stack = {target}, [target]
    while stack:
        for justification in ways.justifications.get(stack.pop(), ()):
            yield justification
            new = [p for p in justification.premises if p not in ways.asserted and p not in seen]
            seen.update(new)
            stack += new


def _read(target: Ids, justified: dict[Ids, Justification], ways: Derivations) -> Derived:
    leaves: dict[Ids, None] = {}
    rules: dict[Rule, None] = {}
    seen, stack = {target}, [target]
    while stack:
        justification = justified[stack.pop()]
        rules.setdefault(justification.rule.rule)
        for premise in justification.premises:
            if premise in ways.asserted:
                leaves.setdefault(premise)
            elif premise not in seen:
                seen.add(premise)
                stack.append(premise)
    return Derived(tuple(leaves), tuple(rules))
