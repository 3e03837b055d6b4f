"""`counterfactual`: what would be the case without some asserted triples and with others.

The closure of the changed triples is gone on from the one there is (`increment`), over a dictionary of its own, so
nothing of the given closure or its graph changes, not even its terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from rdflib.term import Node

from engine.symbolic.check import Judgement, check
from engine.symbolic.closure import Closure
from engine.symbolic.constraints import Violation
from engine.symbolic.fixpoint import Budget
from engine.symbolic.increment import change
from engine.symbolic.overlay import Overlay
from kg.columns import Columns, pack
from kg.graph import KnowledgeGraph
from kg.terms import Triple

__all__ = ["Difference", "counterfactual"]


@dataclass(frozen=True, eq=False)
class Difference:
    """What changed triples make of a closure.

    Args:
        closure: the closure of the changed triples, for proofs, checks and further changes.
        lost: entailed before and no longer, retracted triples that do not follow from the others included.
        gained: entailed only now, added triples included.
        mended: violations that are no more. broken: those that are new.
    """

    closure: Closure = field(repr=False)
    lost: tuple[Triple, ...]
    gained: tuple[Triple, ...]
    mended: tuple[Violation, ...]
    broken: tuple[Violation, ...]

    def __str__(self) -> str:
        triples = f"{len(self.lost)} triples lost, {len(self.gained)} gained"
        text = f"{triples}; {len(self.mended)} violations mended, {len(self.broken)} new"
        return f"{text}; incomplete: {self.closure.incomplete}" if self.closure.incomplete else text

    def to_dict(self, graph: KnowledgeGraph) -> dict[str, Any]:
        """The difference as JSON-ready values, terms as compact names."""
        return {
            "lost": [[graph.curie(term) for term in triple] for triple in self.lost],
            "gained": [[graph.curie(term) for term in triple] for triple in self.gained],
            "mended": [violation.to_dict(graph) for violation in self.mended],
            "broken": [violation.to_dict(graph) for violation in self.broken],
            "incomplete": self.closure.incomplete,
        }


@overload
def counterfactual(
    closure: Closure,
    *,
    remove: Iterable[Sequence[Node]] = (),
    add: Iterable[Sequence[Node]] = (),
    claims: Sequence[Node] | Sequence[Sequence[Node]],
    budget: Budget | None = None,
) -> list[Judgement]: ...


@overload
def counterfactual(
    closure: Closure,
    *,
    remove: Iterable[Sequence[Node]] = (),
    add: Iterable[Sequence[Node]] = (),
    claims: None = None,
    budget: Budget | None = None,
) -> Difference: ...


def counterfactual(
    closure: Closure,
    *,
    remove: Iterable[Sequence[Node]] = (),
    add: Iterable[Sequence[Node]] = (),
    claims: Sequence[Node] | Sequence[Sequence[Node]] | None = None,
    budget: Budget | None = None,
) -> list[Judgement] | Difference:
    """The judgements of claims as a fresh closure without some asserted triples and with others gives them.

    Args:
        remove, add: as for `Closure.retract` and `Closure.add`; first the ones are taken away, then the others added.
        claims: as for `check`, one triple or many. Without claims, the whole difference is told.
        budget: limits for each claim alone (see `check`).

    Raises:
        InputError: a triple is no RDF triple, or one to be removed is not asserted.
        ValueError: a claim has not three terms.
        StratificationError, RuleError: the rules cannot be applied to the changed triples (see `increment.change`).
    """
    changed = change(closure, add=add, remove=remove, dictionary=Overlay(closure.graph.dictionary))
    if claims is not None:
        return check(changed, claims, budget=budget)
    return Difference(
        changed,
        lost=tuple(_entailed_only_by(closure, changed)),
        gained=tuple(_entailed_only_by(changed, closure)),
        mended=closure.violations_not_in(changed),
        broken=changed.violations_not_in(closure),
    )


def _entailed_only_by(closure: Closure, other: Closure) -> Iterator[Triple]:
    """The triples of one closure that another does not have, in the order of their ids."""
    ours, theirs = closure.graph, other.graph
    for predicate in ours.predicates():
        shared = (_is_shared(a, b, predicate) for a, b in zip(_parts(ours), _parts(theirs), strict=True))
        if all(shared):
            continue
        missing = np.setdiff1d(_keys(ours, predicate), _keys(theirs, predicate))
        for key in missing.tolist():
            yield ours.decode(key >> 32, predicate, key & 0xFFFFFFFF)


def _parts(graph: KnowledgeGraph) -> tuple[Columns, Columns]:
    return graph.asserted, graph.inferred


def _is_shared(ours: Columns, theirs: Columns, predicate: int) -> bool:
    """Whether the pairs of a predicate are the very same columns, as they are where nothing changed."""
    return ours.pairs(predicate)[0] is theirs.pairs(predicate)[0] or not (
        len(ours.pairs(predicate)[0]) or len(theirs.pairs(predicate)[0])
    )


def _keys(graph: KnowledgeGraph, predicate: int) -> NDArray[np.int64]:
    s, o = graph.pairs(predicate)
    return pack(s, o)
