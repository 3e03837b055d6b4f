"""All the ways a triple follows: the rules run backwards from a conclusion, until its ancestors are all known.

A closure keeps one justification of each inferred triple. Here every rule instance is found that concludes a triple,
then those that conclude its premises, and so on: a hypergraph whose nodes are the *ancestors* of the triple and whose
hyperedges are justifications. It is found breadth first, all triples of one relation in one join. Shortest proofs, all
proofs and weights are read off it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rdflib.term import Node

from engine.symbolic.backward import MOST, Backward, Justification
from engine.symbolic.chains import triple_of
from engine.symbolic.constraints import Violation
from engine.symbolic.fixpoint import Budget
from engine.symbolic.justify import Ids
from engine.symbolic.relation import Key
from engine.symbolic.stratify import components
from kg.errors import NotEntailedError

if TYPE_CHECKING:
    from engine.symbolic.closure import Closure

__all__ = ["ANCESTORS", "Derivations", "Justification", "Path", "Target", "derivations_of"]

Target = Sequence[Node] | Violation
"""What can be proved: a triple of the closure, or a violation."""

Path = frozenset[Ids]
"""Nodes above a node on the way from a conclusion down to it."""

ANCESTORS = Budget(triples=200_000, substitutions=MOST)
"""The default limits: ancestors, and rule instances that conclude them (about a gigabyte)."""


@dataclass(frozen=True, eq=False)
class Derivations:
    """The ancestors of some triples and every justification of each.

    Args:
        targets: the nodes that were asked for, in that order; None for a triple that is not in the closure.
        justifications: those of each ancestor; none for one that is only asserted. An application whose conclusion is
            among its own premises is left out, because no well-founded proof has it.
        asserted: the ancestors that need no proof.
        incomplete: which budget ran out, so that ancestors or justifications are missing; None where none did.
    """

    targets: tuple[Ids | None, ...]
    justifications: Mapping[Ids, Sequence[Justification]]
    asserted: frozenset[Ids]
    incomplete: str | None = None

    def __len__(self) -> int:
        """How many justifications there are."""
        return sum(map(len, self.justifications.values()))

    @cached_property
    def components(self) -> dict[Ids, int]:
        """For each ancestor the number of its cycle: triples that can follow from one another share one.

        Premises never have a greater number than what they justify.
        """
        number = {node: at for at, node in enumerate(self.justifications)}
        edges = [
            list(dict.fromkeys(number[p] for each in found for p in each.premises if p in number))
            for found in self.justifications.values()
        ]
        return dict(zip(number, components(edges), strict=True))

    def below(self, path: Path, node: Ids, premise: Ids) -> Path:
        """What of a path and its last node a premise of that node can follow from: what is in the premise's cycle."""
        part = self.components
        return path | {node} if part[node] == part[premise] else frozenset()


def derivations_of(
    closure: Closure, *targets: Target, budget: Budget | None = None, chains: bool = False
) -> Derivations:
    """Every justification of some triples or violations, of the premises, and so on down to asserted triples.

    Args:
        chains: of the proofs by a recognised transitive rule, leave out those that differ in parentheses from one that
            is there (see `chains`). Enough for the best proof, and far less where relations are long.
        budget: limits: `rounds` of going from conclusions to premises, ancestors (`triples`), rule instances
            (`substitutions`), `seconds`; by default `ANCESTORS`.

    Raises:
        NotEntailedError: a violation is not one of this closure. (A triple that is not in it has a target None.)
    """
    search = _Search(closure.backward, budget or ANCESTORS, chains=chains)
    nodes: list[Ids | None] = []
    for number, target in enumerate(targets):
        if isinstance(target, Violation):
            node = (-1, number, -1)
            if not search.add(closure.backward.violation(target, node)):
                raise NotEntailedError(f"Expected a violation of the closure, which has a proof (got {target})")
            nodes.append(node)
        else:
            ids = closure.graph.encode(target)
            nodes.append(ids if ids is not None and closure.prover.holds(ids) else None)
    return search.run(nodes, closure)


class _Search:
    """One breadth-first search from conclusions to premises."""

    def __init__(self, backward: Backward, budget: Budget, *, chains: bool) -> None:
        self.backward, self.budget, self.chains = backward, budget, chains
        self.found: dict[Ids, list[Justification]] = {}
        self.waiting: dict[Ids, None] = {}
        self.size = 0
        self._began = time.perf_counter()

    def add(self, justifications: Iterable[Justification]) -> bool:
        """Take justifications in, and note which of their premises have yet to be justified; whether there are any."""
        any_new = False
        for each in justifications:
            any_new = True
            self.size += 1
            self.found.setdefault(each.conclusion, []).append(each)
            if not each.reads_asserted:
                self.waiting.update((p, None) for p in each.premises if p not in self.found)
            if self.budget.substitutions is not None and self.size > self.budget.substitutions:
                raise MemoryError(f"more than {self.budget.substitutions} rule instances")
        return any_new

    def run(self, targets: Sequence[Ids | None], closure: Closure) -> Derivations:
        """Search until every ancestor is justified, or a budget runs out."""
        self.waiting.update((node, None) for node in targets if node is not None and node not in self.found)
        incomplete, rounds = None, 0
        try:
            while self.waiting:
                rounds += 1
                self._check(rounds)
                self._round()
        except MemoryError as stop:
            incomplete = str(stop)
            for node in self.waiting:
                self.found.setdefault(node, [])
        asserted = closure.graph.asserted
        leaves = {p for found in self.found.values() for j in found if j.reads_asserted for p in j.premises}
        nodes = (node for node in {*self.found, *leaves} if node[0] >= 0)
        known = frozenset(node for node in nodes if asserted.contains(*triple_of(node)))
        return Derivations(tuple(targets), self.found, known, incomplete)

    def _round(self) -> None:
        groups: dict[tuple[Key, bool], list[Ids]] = defaultdict(list)
        for node in self.waiting:
            self.found[node] = []
            groups[self.backward.store.key(*triple_of(node)[1:]), node[1] < 0].append(node)
        self.waiting = {}
        for (key, _), nodes in groups.items():
            self.add(self.backward.justify(key, nodes, limit=self.budget.substitutions, chains=self.chains))
            self._check(0)

    def _check(self, rounds: int) -> None:
        budget = self.budget
        if budget.rounds is not None and rounds > budget.rounds:
            raise MemoryError(f"{budget.rounds} rounds from conclusions to premises were not enough")
        if budget.triples is not None and len(self.found) + len(self.waiting) > budget.triples:
            raise MemoryError(f"more than {budget.triples} ancestors")
        if budget.seconds is not None and time.perf_counter() - self._began > budget.seconds:
            raise MemoryError(f"{budget.seconds} seconds were not enough")
