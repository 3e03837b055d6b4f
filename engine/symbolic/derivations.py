"""All the ways a triple follows: the rules run backwards from a conclusion, until its ancestors are all known.

A closure keeps one justification of each inferred triple. Here every rule instance is found that concludes a triple,
then those that conclude its premises, and so on: a hypergraph whose nodes are the *ancestors* of the triple and whose
hyperedges are justifications. It is found breadth first, all triples of one relation in one join. Shortest proofs, all
proofs and weights are read off it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rdflib import BNode, Variable
from rdflib.term import Node

from engine.symbolic.application import early_filters, finish_body, fresh_names
from engine.symbolic.chains import Chains, step_of, triple_of
from engine.symbolic.compile import CompiledRule
from engine.symbolic.constraints import Violation
from engine.symbolic.draft import BODY_MARK, Head, Term, head_key
from engine.symbolic.fixpoint import Budget
from engine.symbolic.join import Bindings, Slice, evaluate
from engine.symbolic.justify import Ids
from engine.symbolic.relation import Key
from engine.symbolic.stratify import components
from kg.errors import NotEntailedError

if TYPE_CHECKING:
    from engine.symbolic.closure import Closure

__all__ = ["ANCESTORS", "Backward", "Derivations", "Justification", "Path", "Target", "derivations_of"]

Array = NDArray[np.int64]
Target = Sequence[Node] | Violation
"""What can be proved: a triple of the closure, or a violation."""

Path = frozenset[Ids]
"""Nodes above a node on the way from a conclusion down to it."""

ANCESTORS = Budget(triples=200_000, substitutions=1_000_000)
"""The default limits: ancestors, and rule instances that conclude them (about a gigabyte)."""

_ROW = Variable("-at")  # no variable of a rule can have this name


@dataclass(frozen=True, eq=False, slots=True)
class Justification:
    """One rule application: a rule, a substitution, and the triples of its body.

    Args:
        conclusion: ids of the triple; those of a violation start with -1. A step of a chain has the complement of the
            predicate (`chains.triple_of` gives its triple).
        premises: the body atoms in the order written, then the schema triples the rule was made from.
        table: substitutions of the rule. row: the one of this application.
    """

    conclusion: Ids
    rule: CompiledRule
    premises: tuple[Ids, ...]
    table: Bindings
    row: int

    @property
    def values(self) -> dict[Variable, int]:
        """The substitution over ids, without what compilation put for variables (`rule.values`)."""
        return self.table.substitution(self.row)

    @property
    def reads_asserted(self) -> bool:
        """Whether its premises count as asserted triples alone (`WHERE DATA`)."""
        return self.rule.rule.data


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


class Backward:
    """The rules of a closure, to be run from conclusions to bodies."""

    def __init__(self, closure: Closure) -> None:
        state = closure.state
        self.program, self.store = state.program, state.store
        self._negated, self._asserted = state.negation_slices, closure.graph.asserted
        rules, self.constraints = state.program.every_way(state.store)
        self._by_key: dict[Key, list[tuple[CompiledRule, Head]]] = defaultdict(list)
        self._wild: list[tuple[CompiledRule, Head]] = []
        for rule in rules:
            for head in rule.head:
                key = head_key(head, self.program.type_id)
                (self._wild if key is None else self._by_key[key]).append((rule, head))
        self._templates: dict[int, tuple[tuple[Term, Term, Term], ...]] = {}
        self._chains = Chains(
            self._asserted,
            self.program,
            lambda key: dict.fromkeys(rule for rule, _ in self._heads(key)),
            lambda rule, table: self._matches(rule, table, ANCESTORS.substitutions),
        )

    def _heads(self, key: Key) -> list[tuple[CompiledRule, Head]]:
        """The rules, each with the head atom, that may conclude a triple of a relation."""
        return [*self._by_key.get(key, ()), *self._wild]

    def justify(
        self, key: Key, nodes: Sequence[Ids], *, limit: int | None, chains: bool = False
    ) -> Iterator[Justification]:
        """Every justification of some triples of one relation.

        Args:
            nodes: the triples, or all of them as steps. chains: see `derivations_of`.

        Raises:
            MemoryError: a join would give more than `limit` substitutions.
        """
        ids = np.array([triple_of(node) for node in nodes], dtype=np.int64)
        seen: set[tuple[Ids, int, tuple[Ids, ...]]] = set()  # two head atoms of one rule may be the same triple
        for rule, head in self._heads(key):
            closes = chains and rule.closes is not None
            table = None if closes and nodes[0][1] < 0 else self._unify(rule, head, ids)
            if table is None:
                continue
            found = self._matches(rule, table, limit, chains=closes)
            rows = [nodes[row] for row in found.columns[_ROW].tolist()]
            for each in self._applications(rule, found, rows, chains=closes):
                mark = (each.conclusion, rule.number, each.premises)
                if len(rule.head) == 1 or mark not in seen:
                    seen.add(mark)
                    yield each

    def violation(self, violation: Violation, node: Ids) -> list[Justification]:
        """Every way a constraint's body matches under the substitution of a violation."""
        found: list[Justification] = []
        dictionary = self.program.dictionary
        wanted = {v: id for v, term in violation.substitution.items() if (id := dictionary.find(term)) is not None}
        for rule in self.constraints:
            if rule.rule != violation.constraint or any(rule.values.get(v, id) != id for v, id in wanted.items()):
                continue
            free = {v: id for v, id in wanted.items() if v not in rule.values}
            table = self._matches(rule, Bindings.unit({**rule.constants, **free}), None)
            found += self._applications(rule, table, [node] * table.size)
        return found

    def _unify(self, rule: CompiledRule, head: Head, ids: Array) -> Bindings | None:
        """The substitutions under which a head atom is one of the triples, with the number of that triple."""
        keep = np.ones(len(ids), dtype=bool)
        columns: dict[Variable, Array] = {_ROW: np.arange(len(ids))}

        def put(variable: Variable, column: Array) -> None:
            keep[:] &= columns.setdefault(variable, column) == column

        for term, column in zip(head, ids.T, strict=True):
            if not isinstance(term, Variable):
                keep &= column == term
            elif term in rule.fresh:
                made, *values = self._made_for(rule, term, column)
                keep &= made == 1
                for variable, value in zip(fresh_names(rule), values, strict=True):
                    put(variable, value)
            else:
                put(term, column)
        for variable, id in rule.values.items():
            if variable in columns:
                keep &= columns[variable] == id
        rows = np.flatnonzero(keep)
        if not len(rows):
            return None
        columns.update({v: np.full(len(ids), id, dtype=np.int64) for v, id in rule.constants.items()})
        return Bindings(columns, len(ids)).take(rows)

    def _made_for(self, rule: CompiledRule, blank: Variable, ids: Array) -> Array:
        """First row: 1 where the rule made the blank node, else 0; then the values it was made for."""
        names, program = fresh_names(rule), self.program
        found = np.zeros((1 + len(names), len(ids)), dtype=np.int64)
        for at, id in enumerate(ids.tolist()):
            row = program.made.get(id, ())
            same = len(row) == len(names) and program.blank_key(rule, blank, row) == program.dictionary.key(id)
            if same:
                found[:, at] = (1, *row)
        return found

    def _matches(self, rule: CompiledRule, table: Bindings, limit: int | None, *, chains: bool = False) -> Bindings:
        first = Chains.first(rule, self._template(rule))[0] if chains else None

        def rows(i: int) -> Sequence[Slice]:
            key = rule.body[i].key
            relation = None if key is None else self.store.get(key)
            if relation is None or key is None:
                return ()
            return (self._chains.steps(key) if i == first else Slice(relation, 0, relation.size),)

        bindings = evaluate(
            rule.body, rows, table, filters=early_filters(rule), dictionary=self.program.dictionary, limit=limit
        )
        return finish_body(rule, bindings, self._negated, self.store.keys, self.program)

    def _applications(
        self, rule: CompiledRule, table: Bindings, nodes: Sequence[Ids], *, chains: bool = False
    ) -> Iterator[Justification]:
        """One justification for each substitution, but for those that are their own premise."""

        def column(term: Term) -> Iterable[int]:
            if not isinstance(term, Variable):
                return repeat(term, table.size)
            at = table.columns.get(term)
            return repeat(rule.values[term], table.size) if at is None else at.tolist()

        template = self._template(rule)
        first = Chains.first(rule, template)[1] if chains else None
        atoms = [zip(*map(column, atom), strict=True) for atom in template]
        rows = zip(*atoms, strict=True) if atoms else repeat((), table.size)
        for row, (node, premises) in enumerate(zip(nodes, rows, strict=True)):
            if triple_of(node) in premises:
                continue
            if rule.rule.data and not all(self._asserted.contains(*premise) for premise in premises):
                continue
            if first is not None:
                premises = tuple(step_of(p) if at == first else p for at, p in enumerate(premises))
            yield Justification(node, rule, premises, table, row)

    def _template(self, rule: CompiledRule) -> tuple[tuple[Term, Term, Term], ...]:
        """The premises of a rule, ids and variables."""
        found = self._templates.get(id(rule))
        if found is None:
            dictionary, written = self.program.dictionary, rule.rule

            def term(node: Node) -> Term:
                if isinstance(node, Variable):
                    return node
                blank = isinstance(node, BNode) and node not in written.own_terms
                return Variable(f"{BODY_MARK}{node}") if blank else dictionary.id(node)

            atoms = [tuple(map(term, atom.terms)) for atom in written.body_atoms]
            axioms = [tuple(map(dictionary.id, triple)) for triple in written.axioms]
            found = self._templates[id(rule)] = tuple((s, p, o) for s, p, o in (*atoms, *axioms))
        return found


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
