"""Many hypothetical worlds continued from one closure together.

A world is the closure and one claim's triple. Its rows carry the number of the world in the upper 32 bits of both ids,
so rows of different worlds never join, while the rows of the closure hold in every world. One semi-naive evaluation
whose unseen rows are the claims' decides all worlds.

What the continuation cannot do is take back a conclusion, or learn a new schema. A world in which a NOT of the closure
no longer holds for a substitution that was used, or that gains a schema triple, is put on `set_aside`; for it the
graph has to be closed afresh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from engine.symbolic.application import HeadRows, early_filters, expand_atom, finish_body, head_rows, pieces
from engine.symbolic.compile import CompiledRule, Program
from engine.symbolic.constraints import Broken, broken
from engine.symbolic.fixpoint import Budget, Exhausted, Spending, next_round, readers_of
from engine.symbolic.join import Bindings, CompiledAtom, CompiledNegation, Slice, bind_wild, evaluate, without_match
from engine.symbolic.relation import ASSERTED, Key, Relation, Store

__all__ = ["Worlds"]

Array = NDArray[np.int64]


class Worlds:
    """The continuation of a closed store in worlds 0 … n - 1, one for each claim.

    Args:
        base: the closed store.
        program: its rules, extended for the relations the claims add to.
        strata: the rules in order.
        claims: ids of the claims' triples, none of them in the base; shape (num_worlds, 3).
        budget: limits for all these worlds together.
    """

    def __init__(
        self, base: Store, program: Program, strata: Sequence[Sequence[CompiledRule]], claims: Array, budget: Budget
    ) -> None:
        self.base, self.program, self.strata = base, program, strata
        self.store = Store(base.type_id, dtype=np.int64)
        self.set_aside: set[int] = set()
        self._spending = Spending(budget, program.dictionary)
        self._step = 0
        self._seen: dict[int, list[int]] = {}
        self._complete: dict[Key, int] = {}
        for predicate in sorted(set(claims[:, 1].tolist())):
            worlds = np.flatnonzero(claims[:, 1] == predicate)
            self._add(HeadRows(predicate, claims[worlds, 0], claims[worlds, 2], worlds), ASSERTED)
        self._asserted = len(self.store)

    def run(self) -> list[Broken]:
        """Close every world; the matches of constraints that use a row of a world.

        Raises:
            Exhausted: a limit of the budget was reached.
        """
        for rules in self.strata:
            for rule in rules:
                self._note_complete(rule)
                for negation in rule.negations:
                    self._set_aside_lost(rule, negation)
            self._close(rules)
        self._set_aside_late()
        return [
            found
            for constraint in self.program.constraints
            for bindings in self._substitutions(constraint, *self._ends(constraint), [0] * len(constraint.body))
            for found in self._spending.counted(broken(constraint, bindings, self.program))
        ]

    def _close(self, rules: Sequence[CompiledRule]) -> None:
        for rule in rules:
            if rule.rule.runs_once:
                self._apply(rule)
        readers = readers_of(rules)
        active = next_round(dict.fromkeys(self.store.relations), readers)
        while active:
            self._spending.rounds += 1
            grown: dict[Key, None] = {}
            for rule in active:
                grown.update(dict.fromkeys(self._apply(rule)))
            active = next_round(grown, readers)

    def _apply(self, rule: CompiledRule) -> list[Key]:
        """One application: add what follows in a world from an unseen row of it; the relations that grew."""
        relations, ends = self._ends(rule)
        seen = self._seen.setdefault(rule.number, [0] * len(rule.body))
        if seen == ends:
            return []
        self._step += 1
        self._spending.check(len(self.store) - self._asserted, self.store)
        self._spending.begin()
        grown: dict[Key, None] = {}
        for bindings in self._substitutions(rule, relations, ends, seen):
            for rows in head_rows(rule, bindings, self.program):
                grown.update(dict.fromkeys(self._add(rows, rule.number)))
        self._spending.end()
        seen[:] = ends
        return list(grown)

    def _add(self, rows: HeadRows, rule: int) -> list[Key]:
        """Add rows to their worlds, but for those that hold in every world already."""
        assert rows.world is not None
        new = self._is_new(rows)
        world = rows.world[new] << 32
        return self.store.add(rows.predicate, world | rows.s[new], world | rows.o[new], rule=rule, step=self._step)

    def _is_new(self, rows: HeadRows) -> NDArray[np.bool_]:
        if rows.predicate != self.base.type_id:
            relation = self.base.get((rows.predicate, -1))
            return np.ones(len(rows.s), dtype=bool) if relation is None else relation.rows(rows.s, rows.o) < 0
        new = np.ones(len(rows.s), dtype=bool)
        for cls in sorted(set(rows.o.tolist())):
            relation = self.base.get((rows.predicate, cls))
            if relation is not None:
                at = np.flatnonzero(rows.o == cls)
                new[at] = relation.rows(rows.s[at], rows.o[at]) < 0
        return new

    def _ends(self, rule: CompiledRule) -> tuple[list[Relation | None], list[int]]:
        relations = [self.store.get(key) for key in rule.keys]
        return relations, [_end(relation, rule.rule.data) for relation in relations]

    def _substitutions(
        self, rule: CompiledRule, relations: list[Relation | None], ends: list[int], seen: list[int]
    ) -> Iterator[Bindings]:
        """The substitutions that use an unseen row of a world, one table for each changed atom."""
        for changed in range(len(rule.body)):
            if seen[changed] == ends[changed]:
                continue

            def slices(i: int, changed: int = changed) -> Sequence[Slice]:
                mine = relations[i]
                lo, hi = (0, seen[i]) if i < changed else (seen[i], ends[i]) if i == changed else (0, ends[i])
                tagged = [] if mine is None or lo == hi else [Slice(mine, lo, hi, tagged=True)]
                return tagged if i == changed else [*self._always(rule.body[i], rule.rule.data), *tagged]

            yield from self._joined(rule, slices, changed)

    def _joined(self, rule: CompiledRule, slices: Callable[[int], Sequence[Slice]], first: int) -> Iterator[Bindings]:
        start, filters = Bindings.unit(rule.constants), early_filters(rule)
        limit, stop = self._spending.rows(rule), self._spending.stop
        try:
            bindings = evaluate(
                rule.body,
                slices,
                start,
                filters=filters,
                dictionary=self.program.dictionary,
                first=first,
                limit=limit,
                stop=stop,
            )
            for piece in pieces(rule, bindings):
                self._spending.tick()
                yield finish_body(rule, piece, self._any, self._keys, self.program, limit=limit, stop=stop)
        except MemoryError as error:
            raise Exhausted(f"{rule.rule.kind} '{rule.rule.name}': {error}") from error

    def _always(self, atom: CompiledAtom, data: bool) -> list[Slice]:
        """What an atom may match in every world."""
        relation = None if atom.key is None else self.base.get(atom.key)
        return [] if relation is None else [Slice(relation, 0, _end(relation, data))]

    def _own(self, atom: CompiledAtom, data: bool) -> list[Slice]:
        """What an atom may match in single worlds."""
        relation = None if atom.key is None else self.store.get(atom.key)
        return [] if relation is None else [Slice(relation, 0, _end(relation, data), tagged=True)]

    def _any(self, atom: CompiledAtom, data: bool) -> list[Slice]:
        return [*self._always(atom, data), *self._own(atom, data)]

    def _keys(self) -> list[Key]:
        return list(dict.fromkeys((*self.base.relations, *self.store.relations)))

    def _set_aside_late(self) -> None:
        """Set aside the worlds that gained schema triples, relations no rule was compiled for, or rows of a relation
        that was taken to be complete when a NOT or a run-once rule read it."""
        for key, relation in self.store:
            if self.program.is_schema(key) or key not in self.program.keys:
                self._set_aside_from(relation, 0)
            elif key in self._complete:
                self._set_aside_from(relation, self._complete[key])
        self._set_aside_renamed()

    def _set_aside_renamed(self) -> None:
        """Set aside the worlds in which a relation with rows has, or gets, another name: rules are made for that."""
        same, mine = self.base.get((self.program.same_as, -1)), self.store.get((self.program.same_as, -1))
        names = {*self.program.names(self.base), *self.program.names(self.store)}
        if mine is not None:
            renamed = np.isin(mine.s & 0xFFFFFFFF, sorted(names))
            self.set_aside.update((mine.s[renamed] >> 32).tolist())
        for key, relation in self.store if same is not None else ():
            always = self.base.get(key)
            name = key[1] if key[0] == self.base.type_id else key[0]
            if (always is None or not always.size) and same is not None and bool((same.s == name).any()):
                self._set_aside_from(relation, 0)

    def _set_aside_from(self, relation: Relation, row: int) -> None:
        self.set_aside.update((relation.s[row:] >> 32).tolist())

    def _note_complete(self, rule: CompiledRule) -> None:
        atoms = [atom for negation in rule.negations if not negation.data for atom in negation.atoms]
        keys = [k.key for a in atoms for k in ((a,) if a.key else expand_atom(a, self._keys(), self.program.type_id))]
        for key in [*keys, *(rule.keys if rule.rule.runs_once and not rule.rule.data else ())]:
            assert key is not None, "a negated atom was expanded"
            self._complete.setdefault(key, _end(self.store.get(key), data=False))

    def _set_aside_lost(self, rule: CompiledRule, negation: CompiledNegation) -> None:
        """Set aside the worlds in which a substitution that the closure used matches the pattern of a NOT.

        The pattern needs a row of the world for it; each of its atoms is tried as the one that matches such a row.
        """
        keys = self._keys()
        wild = [(a,) if a.key is not None else expand_atom(a, keys, self.program.type_id) for a in negation.atoms]
        for atoms in product(*wild):
            for changed, atom in enumerate(atoms):
                if self._own(atom, negation.data):
                    found = self._matches_of_not(rule, negation, atoms, changed)
                    if found.world is not None:
                        self.set_aside.update(found.world.tolist())

    def _matches_of_not(
        self, rule: CompiledRule, negation: CompiledNegation, atoms: Sequence[CompiledAtom], changed: int
    ) -> Bindings:
        pieces = [
            *(
                self._own(a, negation.data) if i == changed else self._any(a, negation.data)
                for i, a in enumerate(atoms)
            ),
            *(self._always(atom, rule.rule.data) for atom in rule.body),
        ]
        # a SET is not evaluated here, nor is a filter that may read it: that sets aside more worlds, never fewer
        filters = () if rule.assignments else (*negation.filters, *rule.filters)
        try:
            found = evaluate(
                [*atoms, *rule.body],
                pieces.__getitem__,
                bind_wild(Bindings.unit(rule.constants), negation.atoms, atoms),
                filters=filters,
                dictionary=self.program.dictionary,
                first=changed,
                limit=self._spending.rows(rule),
                stop=self._spending.stop,
            )
        except MemoryError as error:
            raise Exhausted(f"NOT of rule '{rule.rule.name}': {error}") from error
        return found if rule.assignments else self._used(rule, found)

    def _used(self, rule: CompiledRule, found: Bindings) -> Bindings:
        """The substitutions for which every NOT of the rule holds in the closure itself."""
        body = {variable for atom in rule.body for variable in atom.variables} | set(rule.constants)
        found = Bindings({v: c for v, c in found.columns.items() if v in body}, found.size, found.world)
        for negation in rule.negations:
            found = without_match(
                found,
                negation,
                lambda atom, data=negation.data: self._always(atom, data),  # type: ignore[misc]  # fixes the loop variable
                lambda atom, _table: expand_atom(atom, list(self.base.relations), self.program.type_id),
                self.program.dictionary,
            )
        return found


def _end(relation: Relation | None, data: bool) -> int:
    """How many rows count: those that were asserted (or claimed), or all."""
    if relation is None:
        return 0
    return relation.size_before(1) if data else relation.size
