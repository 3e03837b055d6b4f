"""`supports_of`: the smallest sets of asserted triples that suffice for a violation or an entailed triple.

A *support* is what the literature calls a minimal justification: without any one of its triples, the rest of it no
longer suffices. What a NOT, a FILTER or an aggregate needs besides is taken as it is in the closure: a NOT holds in a
support where it holds in the closure, though the triples of the support alone might leave it, or another one, open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from engine.symbolic.constraints import Violation
from engine.symbolic.derivations import Derivations, Target, derivations_of
from engine.symbolic.fixpoint import Budget
from engine.symbolic.horn import Horn, OutOfWorkError, bits
from engine.symbolic.justify import Ids
from engine.symbolic.proof import Proof
from engine.symbolic.ranked import Tree, proof_of
from engine.symbolic.rules import Rule
from kg.errors import NotEntailedError
from kg.terms import Triple

if TYPE_CHECKING:
    from engine.symbolic.closure import Closure

__all__ = ["INSTANCES", "LIMIT", "MOST", "WORK", "Support", "Supports", "first_supports", "supports_of"]

LIMIT = 10
"""Supports that are given by default: more than anyone reads."""
INSTANCES = Budget(triples=100_000, substitutions=200_000)
"""The default limits of the search for rule instances: a second or two."""
WORK = 300_000
"""Clauses that the search for sets may try, by default: a second or two."""
MOST = 1_000_000
"""Rule instances for the first supports of many violations, by default: some ten seconds."""
_TOGETHER = 50
"""Violations whose rule instances are searched together: more share more joins, but each search crosses all of them."""


@dataclass(frozen=True, eq=False)
class Support:
    """A minimal set of asserted triples that suffices.

    Args:
        triples: data before schema, then in the order of the graph's ids.
        minimal: whether it is known that none of them can be spared.
        make: gives the proof; called on first use of `proof`.
    """

    triples: tuple[Triple, ...]
    minimal: bool
    make: _Proving | Proof = field(repr=False)

    @cached_property
    def proof(self) -> Proof:
        """A proof that rests on exactly these triples."""
        return self.make if isinstance(self.make, Proof) else self.make()

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that the proof uses, each once, premises first."""
        return tuple(dict.fromkeys(step.rule for step in self.proof.steps() if step.rule is not None))

    def __len__(self) -> int:
        return len(self.triples)


@dataclass(frozen=True, eq=False)
class Supports:
    """The supports of one violation or triple.

    Args:
        sets: fewest triples first.
        incomplete: why there may be others, or smaller ones; None where these are all.
    """

    sets: tuple[Support, ...]
    incomplete: str | None = None

    @property
    def complete(self) -> bool:
        """Whether these are all."""
        return self.incomplete is None

    def __len__(self) -> int:
        return len(self.sets)

    def __iter__(self) -> Iterator[Support]:
        return iter(self.sets)

    def __getitem__(self, at: int) -> Support:
        return self.sets[at]


def supports_of(
    closure: Closure, target: Target, *, limit: int | None = LIMIT, budget: Budget | None = None, work: int = WORK
) -> Supports:
    """The supports of a violation or of a triple of the closure, smallest first.

    They come in the order of their size as long as there is work left for that; after that, in the order in which a
    hitting-set tree meets them.

    Args:
        limit: how many at most; there can be exponentially many.
        budget: of the search for rule instances, see `derivations_of`. work: clauses that may be tried.

    Raises:
        NotEntailedError: the triple is not in the closure, or the violation not one of it.
        ValueError: the limit is not positive.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"Expected a limit of at least one support (got {limit})")
    derivations = derivations_of(closure, target, budget=budget or INSTANCES, chains=True)
    (node,) = derivations.targets
    if node is None:
        text = f"Expected a triple of the closure, which has supports (got {target})"
        raise NotEntailedError(text)
    horn = Horn(derivations, [node], work=work)
    if horn.targets[0] not in horn.how:
        return Supports((_whole(closure, target),), _stopped(derivations))
    found, stopped = _sets(horn, limit, work)
    found.sort(key=int.bit_count)
    return Supports(tuple(_support(closure, horn, mask) for mask in found), stopped or _stopped(derivations))


def first_supports(
    closure: Closure, violations: Sequence[Violation], *, budget: Budget | None = None, most: int = MOST
) -> list[Support]:
    """One support of each of many violations; not always the smallest one.

    Where a limit is reached, it is what the closure's own proof rests on, which is seldom more (see `Support.minimal`).

    Args:
        budget: of the search for the rule instances of some violations, which are looked at together.
        most: rule instances in all.
    """
    found: list[Support] = []
    for start in range(0, len(violations), _TOGETHER):
        part = violations[start : start + _TOGETHER]
        if most <= 0:
            found += [_whole(closure, target) for target in part]
            continue
        derivations = derivations_of(closure, *part, budget=budget or INSTANCES, chains=True)
        most -= len(derivations)
        found += _firsts(closure, derivations, part)
    return found


def _firsts(closure: Closure, derivations: Derivations, violations: Sequence[Violation]) -> list[Support]:
    nodes = [node for node in derivations.targets if node is not None]
    found: list[Support] = []
    try:
        horn = Horn(derivations, nodes, work=WORK)
        for number, target in zip(horn.targets, violations, strict=True):
            mask = horn.first(number)
            found.append(_whole(closure, target) if mask is None else _support(closure, horn, mask, number))
    except OutOfWorkError:
        pass
    return found + [_whole(closure, target) for target in violations[len(found) :]]


def _sets(horn: Horn, limit: int | None, work: int) -> tuple[list[int], str | None]:
    """Minimal sets of the only target, and why there may be more."""
    found: list[int] = []
    enough = f"{limit} supports were asked for"
    try:
        horn.work = work // 2
        for mask in horn.smallest():
            if len(found) == limit:
                return found, enough
            found.append(mask)
        return found, None
    except OutOfWorkError:
        horn.work = work
    try:
        for mask, suffices in horn.tree(lambda removed: (removed.bit_count(),), list(found)):
            if suffices and len(found) == limit:
                return found, enough
            if suffices:
                found.append(mask)
    except OutOfWorkError:
        return found, f"{work} clauses were not enough"
    return found, None


def _stopped(derivations: Derivations) -> str | None:
    if derivations.incomplete is None:
        return None
    return f"{derivations.incomplete}: a support is minimal among the rule instances that were found"


def _whole(closure: Closure, target: Target) -> Support:
    """What the proof of the closure rests on."""
    proof = target.proof if isinstance(target, Violation) else closure.proof(target)
    return Support(_in_order(closure, proof.leaves()), False, proof)


def _support(closure: Closure, horn: Horn, mask: int, target: int | None = None) -> Support:
    triples = [closure.graph.decode(*horn.leaves[at]) for at in bits(mask)]
    proving = _Proving(closure, horn, mask, horn.targets[0] if target is None else target)
    return Support(_in_order(closure, triples), True, proving)


def _in_order(closure: Closure, triples: tuple[Triple, ...] | list[Triple]) -> tuple[Triple, ...]:
    return tuple(sorted(triples, key=closure.is_schema))


@dataclass(frozen=True)
class _Proving:
    """Makes the proof of a target from a set of asserted triples."""

    closure: Closure
    horn: Horn
    mask: int
    target: int

    def __call__(self) -> Proof:
        horn = self.horn
        horn.work = WORK
        how = horn.follow(self.mask, self.target)
        trees: dict[Ids, Tree] = {}
        for number, clause in how.items():
            node = horn.nodes[number]
            if clause is None:
                trees[node] = Tree(node, ())
                continue
            leaves = clause.step.reads_asserted
            premises = tuple(Tree(p, ()) if leaves or p not in trees else trees[p] for p in clause.step.premises)
            trees[node] = Tree(node, (), clause.step, premises)
        return proof_of(trees[horn.nodes[self.target]], self.closure)
