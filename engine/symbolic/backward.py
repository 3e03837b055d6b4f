"""Rules run from conclusions to bodies: every rule instance that concludes some triples, found in one join per rule.

The same joins as those of the fixpoint, begun from the values that a head has when it is one of the triples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdflib import BNode, Variable
from rdflib.term import Node

from engine.symbolic.aggregates import GROUP
from engine.symbolic.application import early_filters, finish_body, fresh_names, with_fresh
from engine.symbolic.chains import Chains, step_of, triple_of
from engine.symbolic.compile import CompiledRule
from engine.symbolic.constraints import Violation
from engine.symbolic.draft import BODY_MARK, Head, Term, head_key
from engine.symbolic.join import Bindings, Slice, evaluate
from engine.symbolic.justify import Ids
from engine.symbolic.relation import Key
from kg.terms import TripleTerm

if TYPE_CHECKING:
    from engine.symbolic.closure import Closure

__all__ = ["MOST", "Backward", "Groups", "Justification"]

Array = NDArray[np.int64]
MOST = 1_000_000
"""Rule instances in one join, by default."""

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


class Groups(NamedTuple):
    """The groups of a rule with aggregates: a substitution for each, and its premises."""

    table: Bindings
    premises: list[tuple[Ids, ...]]


class Backward:
    """The rules of a closure, to be run from conclusions to bodies."""

    def __init__(self, closure: Closure) -> None:
        state = closure.state
        self.program, self.store = state.program, state.store
        self._negated, self._asserted = state.negation_slices, closure.graph.asserted
        self.rules, self.constraints = state.program.every_way(state.store)
        self._by_key: dict[Key, list[tuple[CompiledRule, Head]]] = defaultdict(list)
        self._wild: list[tuple[CompiledRule, Head]] = []
        for rule in self.rules:
            for head in rule.head:
                key = head_key(head, self.program.type_id)
                (self._wild if key is None else self._by_key[key]).append((rule, head))
        self._templates: dict[int, tuple[tuple[Term, Term, Term], ...]] = {}
        self._chains = Chains(
            self._asserted,
            self.program,
            lambda key: dict.fromkeys(rule for rule, _ in self._heads(key)),
            lambda rule, table: self.groups(rule).table if rule.grouping else self.matches(rule, table),
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
            if rule.grouping is not None:
                yield from self._justify_groups(rule, head, nodes, limit)
                continue
            closes = chains and rule.closes is not None
            table = None if closes and nodes[0][1] < 0 else self._unify(rule, head, ids)
            if table is None:
                continue
            found = self.matches(rule, table, limit=limit, chains=closes)
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
            table = self.matches(rule, Bindings.unit({**rule.constants, **free}), limit=None)
            found += self._applications(rule, table, [node] * table.size)
        return found

    def _unify(self, rule: CompiledRule, head: Head, ids: Array) -> Bindings | None:
        """The substitutions under which a head atom is one of the triples, with the number of that triple."""
        keep = np.ones(len(ids), dtype=bool)
        columns: dict[Variable, Array] = {_ROW: np.arange(len(ids))}

        def put(variable: Variable, column: Array) -> None:
            keep[:] &= columns.setdefault(variable, column) == column

        made_terms = {made.term: made.parts for made in rule.made_terms}
        waiting = list(zip(head, ids.T, strict=True))
        while waiting:
            term, column = waiting.pop()
            if isinstance(term, Variable) and term in made_terms:
                parts = self.program.dictionary.parts(np.maximum(column, 0))
                keep &= (column >= 0) & (parts[:, 0] >= 0)
                waiting += zip(made_terms[term], parts.T, strict=True)
            elif not isinstance(term, Variable):
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

    def matches(
        self,
        rule: CompiledRule,
        table: Bindings,
        *,
        limit: int | None = MOST,
        chains: bool = False,
    ) -> Bindings:
        """The matches of a rule's body in the closure that agree with some values; with `chains` its first one a step.

        Raises:
            MemoryError: a join would give more than `limit` substitutions.
        """
        first = Chains.first(rule, self.template(rule))[0] if chains else None

        def rows(i: int) -> Sequence[Slice]:
            key = rule.body[i].key
            relation = None if key is None else self.store.get(key)
            if relation is None or key is None:
                return ()
            end = relation.size_before(1) if rule.rule.data else relation.size
            return (self._chains.steps(key) if i == first else Slice(relation, 0, end),)

        bindings = evaluate(
            rule.body, rows, table, filters=early_filters(rule), dictionary=self.program.dictionary, limit=limit
        )
        return finish_body(rule, bindings, self._negated, self.store.keys, self.program, grouped=False)

    def _applications(
        self, rule: CompiledRule, table: Bindings, nodes: Sequence[Ids], *, chains: bool = False
    ) -> Iterator[Justification]:
        """One justification for each substitution, but for those that are their own premise."""

        first = Chains.first(rule, self.template(rule))[1] if chains else None
        for row, (node, premises) in enumerate(zip(nodes, self.premises(rule, table), strict=True)):
            if triple_of(node) in premises:
                continue
            if first is not None:
                premises = tuple(step_of(p) if at == first else p for at, p in enumerate(premises))
            yield Justification(node, rule, premises, table, row)

    def premises(self, rule: CompiledRule, table: Bindings) -> Iterator[tuple[Ids, ...]]:
        """The premises of a rule under each substitution."""

        def column(term: Term) -> Iterable[int]:
            if not isinstance(term, Variable):
                return repeat(term, table.size)
            at = table.columns.get(term)
            return repeat(rule.values[term], table.size) if at is None else at.tolist()

        atoms = [zip(*map(column, atom), strict=True) for atom in self.template(rule)]
        return zip(*atoms, strict=True) if atoms else repeat((), table.size)

    def groups(self, rule: CompiledRule, *, limit: int | None = MOST) -> Groups:
        """The groups of a rule with aggregates, and the premises of each: those of all its substitutions, each once.

        Raises:
            MemoryError: a join would give more than `limit` substitutions.
        """
        assert rule.grouping is not None, "asked for rules with aggregates only"
        members = self.matches(rule, Bindings.unit(rule.constants), limit=limit)
        found, numbers = rule.grouping.apply(members, self.program.dictionary, self.program.memo)
        premises: dict[int, dict[Ids, None]] = defaultdict(dict)
        for number, row in zip(numbers.tolist(), self.premises(rule, members), strict=True):
            premises[number].update(dict.fromkeys(row))
        kept = found.columns[GROUP].tolist()
        columns = {v: column for v, column in found.columns.items() if v != GROUP}
        table = with_fresh(rule, replace(found, columns=columns), self.program)
        return Groups(table, [tuple(premises[number]) for number in kept])

    def _justify_groups(
        self, rule: CompiledRule, head: Head, nodes: Sequence[Ids], limit: int | None
    ) -> Iterator[Justification]:
        """The groups of a rule with aggregates that conclude some triples."""
        wanted, (table, premises) = {triple_of(node): node for node in nodes}, self.groups(rule, limit=limit)
        columns = []
        for term in head:
            column = table.columns.get(term) if isinstance(term, Variable) else None
            constant = rule.values.get(term, -1) if isinstance(term, Variable) else term
            columns.append([constant] * table.size if column is None else column.tolist())
        for row, triple in enumerate(zip(*columns, strict=True)):
            if triple in wanted and triple not in premises[row]:
                yield Justification(wanted[triple], rule, premises[row], table, row)

    def template(self, rule: CompiledRule) -> tuple[tuple[Term, Term, Term], ...]:
        """The premises of a rule, ids and variables."""
        found = self._templates.get(id(rule))
        if found is None:
            dictionary, written = self.program.dictionary, rule.rule

            def term(node: Node) -> Term:
                if isinstance(node, Variable):
                    return node
                open_ = isinstance(node, TripleTerm) and any(isinstance(term(part), Variable) for part in node.parts)
                blank = isinstance(node, BNode) and node not in written.own_terms
                return Variable(f"{BODY_MARK}{node}") if blank or open_ else dictionary.id(node)

            atoms = [tuple(map(term, atom.terms)) for atom in written.body_atoms]
            axioms = [tuple(map(dictionary.id, triple)) for triple in written.axioms]
            found = self._templates[id(rule)] = tuple((s, p, o) for s, p, o in (*atoms, *axioms))
        return found
