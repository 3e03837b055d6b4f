"""`repairs_of`: the smallest changes of asserted triples that mend a violation, or all violations of a cause.

What to remove is read off the rule instances: the minimal sets that leave no support, which are the minimal hitting
sets of the supports (Reiter, A Theory of Diagnosis from First Principles, 1987). Where a constraint asks for something
that is not there (`NOT { … }`), adding it is a repair too (`additions`). Each is tried out by `counterfactual`; one
after which a violation is left, or another one is there, is none.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice

from rdflib import BNode

from engine.audit.additions import Addition, additions_for
from engine.audit.causes import Cause
from engine.symbolic import Budget, Closure, Violation, counterfactual, derivations_of
from engine.symbolic.horn import Cost, Horn, OutOfWorkError, bits
from engine.symbolic.supports import INSTANCES, WORK
from kg.errors import NoesisError
from kg.graph import KnowledgeGraph
from kg.terms import Triple, is_list_cell
from kg.verbalise import verbalise

__all__ = ["Plausibility", "Repair", "Trials", "repairs_of"]

Plausibility = Callable[[Sequence[Triple]], Sequence[float]]
"""How plausible triples are, each in [0, 1], such as an embedding says."""

TRIES = 20
"""Changes that are tried out by default; where a schema triple is changed, each is a closure made afresh."""
_SAMPLE = 50
"""Violations of a cause whose rule instances are searched for what to remove; it is tried out on all of them."""


@dataclass(frozen=True, eq=False)
class Repair:
    """A change of asserted triples after which what was to be mended is mended and nothing else is broken.

    Args:
        remove, add: asserted triples to take away, and triples to assert.
        mends: how many violations are no more. lost: how many triples are entailed no longer.
        plausibility: of the change, in [0, 1]: the mean of what is added, and of the reverse of what is removed; None
            where nothing tells.
        placeholders: blank nodes of `add` that stand for a value someone has to fill in.
    """

    remove: tuple[Triple, ...]
    add: tuple[Triple, ...] = ()
    mends: int = 0
    lost: int = 0
    plausibility: float | None = None
    placeholders: tuple[BNode, ...] = field(default=())

    def text(self, graph: KnowledgeGraph) -> str:
        """What to do, in words."""
        parts = [f"remove: {verbalise(graph, triple)}" for triple in self.remove]
        for triple in self.add:
            open_ = any(term in self.placeholders for term in triple)
            told = f"{graph.label(triple.subject)}: {graph.label(triple.predicate)} (a value to be filled in)"
            parts.append(f"add: {told if open_ else verbalise(graph, triple)}")
        return "; ".join(parts)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a change does: the violations it mends, whether it breaks something, how many entailed triples it loses."""

    mended: frozenset[Violation]
    breaks: bool
    lost: int


class Trials:
    """Changes of a closure that were tried out, each once.

    Args:
        schema: changes of schema triples that are tried at most, None for any number: each is a closure made afresh.
    """

    def __init__(self, closure: Closure, *, schema: int | None = None) -> None:
        self._closure, self._left = closure, schema
        self._known: dict[tuple[frozenset[Triple], frozenset[Triple]], Outcome | None] = {}

    def outcome(self, remove: Sequence[Triple], add: Sequence[Triple], *, schema: bool) -> Outcome | None:
        """What a change does; None where it is not tried, or leaves rules or lists that cannot be read."""
        key = (frozenset(remove), frozenset(add))
        if key in self._known:
            return self._known[key]
        if schema and self._left is not None:
            if self._left <= 0:
                return None
            self._left -= 1
        try:
            found = counterfactual(self._closure, remove=remove, add=add)
            breaks = bool(found.broken) or found.closure.incomplete is not None
            self._known[key] = Outcome(frozenset(found.mended), breaks, len(found.lost))
        except NoesisError:  # such as a list that is cut short
            self._known[key] = None
        return self._known[key]


def repairs_of(
    closure: Closure,
    target: Violation | Cause,
    *,
    limit: int = 3,
    plausibility: Plausibility | None = None,
    budget: Budget | None = None,
    work: int = WORK,
    tries: int = TRIES,
    trials: Trials | None = None,
) -> list[Repair]:
    """The repairs of a violation or of a cause, the best first.

    Ranked by the number of changes, then of schema triples changed, then of entailments lost, then by plausibility: of
    triples to remove the least plausible one first. Cells of an RDF list are never removed.

    Args:
        limit: how many at most. plausibility: of triples.
        budget, work: of the searches for rule instances and for sets, see `supports_of`. tries: changes tried out.
        trials: of this closure, to share what was tried out for other violations.

    Raises:
        NotEntailedError: a violation is not one of this closure.
    """
    violations = target.violations if isinstance(target, Cause) else (target,)

    def cost(change: Addition) -> Cost:
        return _cost(closure, change)

    additions, removals = (
        sorted(additions_for(closure, violations), key=cost),
        _removals(closure, violations, budget, work),
    )
    left, found, trials = tries, list[Repair](), trials or Trials(closure)
    for _, tier in groupby(heapq.merge(additions, removals, key=cost), key=cost):
        chosen = list(islice(tier, left))
        left -= len(chosen)
        tried = [repair for change in chosen if (repair := _tried(trials, violations, change, cost(change)))]
        found += _ranked(tried, plausibility)
        if len(found) >= limit or left <= 0:
            break
    return found[:limit]


@dataclass(frozen=True)
class _Removal(Addition):
    """Triples to take away."""

    remove: tuple[Triple, ...] = ()


def _cost(closure: Closure, change: Addition) -> Cost:
    remove = change.remove if isinstance(change, _Removal) else ()
    schema = sum(map(closure.is_schema, remove)) + sum(_is_schema(closure, triple) for triple in change.add)
    return (len(remove) + len(change.add), schema)


def _is_schema(closure: Closure, triple: Triple) -> bool:
    """Whether a triple that may have terms the graph has not is one that rules are made from."""
    program, find = closure.state.program, closure.graph.dictionary.find
    predicate, object = find(triple.predicate), find(triple.object)
    if predicate is None or (predicate == program.type_id and object is None):
        return False
    return program.is_schema(closure.state.store.key(predicate, -1 if object is None else object))


def _removals(
    closure: Closure, violations: Sequence[Violation], budget: Budget | None, work: int
) -> Iterator[_Removal]:
    """Minimal sets of triples without which none of the violations has a support, fewest first, data before schema."""
    some = violations[:_SAMPLE]
    derivations = derivations_of(closure, *some, budget=budget or INSTANCES, chains=True)
    horn = Horn(derivations, [node for node in derivations.targets if node is not None], work=work)
    if not all(number in horn.how for number in horn.targets):
        leaves = dict.fromkeys(triple for violation in some for triple in violation.proof.leaves())
        yield from (_Removal((), remove=(triple,)) for triple in sorted(leaves, key=closure.is_schema))
        return
    triples = [closure.graph.decode(*ids) for ids in horn.leaves]
    schema = sum(1 << at for at, triple in enumerate(triples) if closure.is_schema(triple))
    cells = sum(1 << at for at, triple in enumerate(triples) if is_list_cell(triple))

    def cost(mask: int) -> Cost:
        return (mask.bit_count(), (mask & schema).bit_count())

    try:
        for mask, suffices in horn.tree(cost, keep=cells):
            if mask and not suffices:
                yield _Removal((), remove=tuple(triples[at] for at in bits(mask)))
    except OutOfWorkError:
        return


def _tried(trials: Trials, violations: Sequence[Violation], change: Addition, cost: Cost) -> Repair | None:
    """The repair a change is; None where it leaves one of the violations, or breaks something else."""
    remove = change.remove if isinstance(change, _Removal) else ()
    outcome = trials.outcome(remove, change.add, schema=cost[1] > 0)
    if outcome is None or outcome.breaks or not outcome.mended.issuperset(violations):
        return None
    return Repair(remove, change.add, len(outcome.mended), outcome.lost, None, change.placeholders)


def _ranked(repairs: Sequence[Repair], plausibility: Plausibility | None) -> list[Repair]:
    """Repairs with the same number of changes: what loses least first, then the most plausible change."""
    if plausibility is not None:
        triples = list(dict.fromkeys(triple for repair in repairs for triple in (*repair.remove, *repair.add)))
        known = dict(zip(triples, map(float, plausibility(triples)), strict=True)) if triples else {}
        repairs = [_weighed(repair, known) for repair in repairs]
    return sorted(repairs, key=lambda repair: (repair.lost, -(repair.plausibility or 0.0)))


def _weighed(repair: Repair, known: dict[Triple, float]) -> Repair:
    parts = [*(1 - known[triple] for triple in repair.remove), *(known[triple] for triple in repair.add)]
    mean = sum(parts) / len(parts)
    return Repair(repair.remove, repair.add, repair.mends, repair.lost, mean, repair.placeholders)
