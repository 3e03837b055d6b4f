"""Many hypothetical worlds continued from one closure together.

A world is the closure and one claim's triple. Its rows carry the number of the world in the upper 32 bits of both ids,
so rows of different worlds never join, while the rows of the closure hold in every world. One semi-naive evaluation
whose unseen rows are the claims' decides all worlds.

What the continuation cannot do is take back a conclusion, or learn a new schema. A world in which a NOT of the closure
no longer holds for a substitution that was used is `lost`: it has to be continued from a `Revision`, a closure without
what may rest on that NOT. A world that gains a schema triple is put on `set_aside`; for it the graph has to be closed
afresh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from engine.symbolic.application import HeadRows, early_filters, expand_atom, finish_body, head_rows, pieces
from engine.symbolic.clashes import Clashes
from engine.symbolic.compile import CompiledRule, Program
from engine.symbolic.constraints import Match
from engine.symbolic.fixpoint import Budget, Exhausted, Spending, next_round, readers_of
from engine.symbolic.join import Bindings, CompiledAtom, CompiledNegation, Slice, bind_wild, evaluate, without_match
from engine.symbolic.relation import ASSERTED, Key, Relation, Store
from engine.symbolic.revision import Revision
from engine.symbolic.triple_terms import TripleMatch

__all__ = ["Overrun", "Worlds"]

Array = NDArray[np.int64]


class Overrun(Exhausted):
    """Some worlds have more triples than the budget of one; `worlds` has their numbers."""

    def __init__(self, message: str, worlds: Array) -> None:
        super().__init__(message)
        self.worlds = worlds


class Worlds:
    """The continuation of a closed store in worlds 0 … n - 1, one for each claim.

    Args:
        base: the closed store.
        program: its rules, extended for the relations the claims add to.
        strata: the rules in order.
        claims: ids of the claims' triples, none of them in the base; shape (num_worlds, 3).
        budget: limits for all these worlds together.
        revision: takes the place of the base; what it leaves out is inferred in each world.

    After `run`, `set_aside` has the worlds that have to be closed afresh, and `lost` those in which a NOT that the base
    rests on fails, for each rule that has such a NOT.
    """

    def __init__(
        self,
        base: Store,
        program: Program,
        strata: Sequence[Sequence[CompiledRule]],
        claims: Array,
        budget: Budget,
        *,
        revision: Revision | None = None,
    ) -> None:
        self.base, self.program, self.strata = revision.store if revision else base, program, strata
        self._starts_over = revision.starts_over if revision else _never
        self._takes_back = revision.takes_back if revision else _never
        self.store = Store(base.type_id, dtype=np.int64)
        self.set_aside: set[int] = set()
        self.lost: dict[CompiledRule, set[int]] = {}
        self._spending = Spending(budget, program.dictionary)
        self._step = 0
        self._seen: dict[int, list[int]] = {}
        self._complete: dict[Key, int] = {}
        for predicate in sorted(set(claims[:, 1].tolist())):
            worlds = np.flatnonzero(claims[:, 1] == predicate)
            self._add(HeadRows(predicate, claims[worlds, 0], claims[worlds, 2], worlds), ASSERTED)
        self._asserted, self._num_worlds = len(self.store), len(claims)

    def run(self, known: frozenset[Match] = frozenset()) -> Clashes:
        """Close every world; the matches of constraints that use a row of a world and are not known.

        Raises:
            Overrun: single worlds are over the budget of triples.
            Exhausted: another limit of the budget was reached by all worlds together.
        """
        for rules in self.strata:
            for rule in rules:
                self._note_complete(rule)
                if rule.grouping is not None:
                    self._set_aside_readers(rule)
                for negation in rule.negations if not self._takes_back(rule) else ():
                    self._note_lost(rule, negation)
            self._close(rules)
        self._set_aside_late()
        clashes = Clashes(self.program, known, revised=self._starts_over is not _never)
        for constraint in self.program.constraints:
            over, unseen = self._starts_over(constraint), [0] * len(constraint.body)
            for bindings in self._found(constraint, *self._ends(constraint), None if over else unseen):
                self._spending.matched(bindings.size)
                clashes.add(constraint, bindings)
        return clashes

    def _close(self, rules: Sequence[CompiledRule]) -> None:
        for rule in rules:
            if rule.rule.runs_once and rule.grouping is None:
                self._apply(rule)
        readers = readers_of(rules)
        active = next_round(dict.fromkeys(self.store.relations), readers)
        over = [rule for rule in rules if self._starts_over(rule) and not rule.rule.runs_once]
        if over:
            numbers = {rule.number: rule for rule in (*active, *over)}
            active = [numbers[number] for number in sorted(numbers)]
        while active:
            self._spending.rounds += 1
            grown: dict[Key, None] = {}
            for rule in active:
                grown.update(dict.fromkeys(self._apply(rule)))
            active = next_round(grown, readers)

    def _apply(self, rule: CompiledRule) -> list[Key]:
        """One application: add what follows in a world from an unseen row of it; the relations that grew."""
        relations, ends = self._ends(rule)
        whole = rule.number not in self._seen and self._starts_over(rule)
        seen = self._seen.setdefault(rule.number, [0] * len(rule.body))
        if seen == ends and not whole:
            return []
        self._step += 1
        self._check_budget()
        self._spending.begin()
        grown: dict[Key, None] = {}
        for bindings in self._found(rule, relations, ends, None if whole else seen):
            for rows in head_rows(rule, bindings, self.program):
                grown.update(dict.fromkeys(self._add(rows, rule.number)))
        self._spending.end()
        seen[:] = ends
        return list(grown)

    def _check_budget(self) -> None:
        """Raises `Exhausted` where a limit is reached; the limit of triples is one for each world."""
        limit, inferred = self._spending.budget.triples, len(self.store) - self._asserted
        if limit is not None and inferred > limit:
            counts = np.zeros(self._num_worlds, dtype=np.int64)
            for _, relation in self.store:
                worlds = relation.s[relation.size_before(1) :] >> 32
                counts += np.bincount(worlds, minlength=self._num_worlds)
            if counts.max() > limit:
                raise Overrun(f"more than {limit} triples were inferred", np.flatnonzero(counts > limit))
            inferred = int(counts.max())
        self._spending.check(inferred, self.store)

    def _add(self, rows: HeadRows, rule: int) -> list[Key]:
        """Add rows to their worlds, but for those that hold in every world already."""
        assert rows.world is not None
        new = ~self.base.holds(rows.predicate, rows.s, rows.o)
        world = rows.world[new] << 32
        return self.store.add(rows.predicate, world | rows.s[new], world | rows.o[new], rule=rule, step=self._step)

    def _ends(self, rule: CompiledRule) -> tuple[list[Relation | None], list[int]]:
        relations = [self.store.get(key) for key in rule.keys]
        return relations, [_end(relation, rule.rule.data) for relation in relations]

    def _found(
        self, rule: CompiledRule, relations: list[Relation | None], ends: list[int], seen: list[int] | None
    ) -> Iterator[Bindings]:
        """The substitutions that use an unseen row of a world, one table for each changed atom; without `seen` all."""
        if seen is None:
            yield from self._all(rule, relations, ends)
            return
        for changed in range(len(rule.body)):
            if seen[changed] == ends[changed]:
                continue

            def slices(i: int, changed: int = changed) -> Sequence[Slice]:
                mine = relations[i]
                lo, hi = (0, seen[i]) if i < changed else (seen[i], ends[i]) if i == changed else (0, ends[i])
                tagged = [] if mine is None or lo == hi else [Slice(mine, lo, hi, tagged=True)]
                return tagged if i == changed else [*self._always(rule.body[i], rule.rule.data), *tagged]

            yield from self._joined(rule, slices, changed, Bindings.unit(rule.constants))

    def _all(self, rule: CompiledRule, relations: list[Relation | None], ends: list[int]) -> Iterator[Bindings]:
        """Every substitution in every world."""

        def slices(i: int) -> Sequence[Slice]:
            mine = relations[i]
            tagged = [] if mine is None or not ends[i] else [Slice(mine, 0, ends[i], tagged=True)]
            return [*self._always(rule.body[i], rule.rule.data), *tagged]

        start = Bindings.unit(rule.constants, worlds=np.arange(self._num_worlds, dtype=np.int64))
        return self._joined(rule, slices, None, start)

    def _joined(
        self,
        rule: CompiledRule,
        slices: Callable[[int], Sequence[Slice]],
        first: int | None,
        start: Bindings,
    ) -> Iterator[Bindings]:
        filters, limit, stop = early_filters(rule), self._spending.rows(rule), self._spending.stop
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

    def _set_aside_readers(self, rule: CompiledRule) -> None:
        """Set aside the worlds with rows that a rule with aggregates reads: a number of the closure may be another."""
        for relation in {id(r): r for key in rule.keys if (r := self.store.get(key)) is not None}.values():
            self._set_aside_from(relation, 0)

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
        if not rule.negations and not rule.rule.runs_once:
            return
        atoms = [atom for negation in rule.negations if not negation.data for atom in negation.atoms]
        keys = [k.key for a in atoms for k in ((a,) if a.key else expand_atom(a, self._keys(), self.program.type_id))]
        for key in [*keys, *(rule.keys if rule.rule.runs_once and not rule.rule.data else ())]:
            assert key is not None, "a negated atom was expanded"
            self._complete.setdefault(key, _end(self.store.get(key), data=False))

    def _note_lost(self, rule: CompiledRule, negation: CompiledNegation) -> None:
        """Note the worlds in which a substitution that the closure used matches the pattern of a NOT.

        The pattern needs a row of the world for it; each of its atoms is tried as the one that matches such a row.
        """
        keys = self._keys()
        wild = [(a,) if a.key is not None else expand_atom(a, keys, self.program.type_id) for a in negation.atoms]
        for atoms in product(*wild):
            for changed, atom in enumerate(atoms):
                if self._own(atom, negation.data):
                    found = self._matches_of_not(rule, negation, atoms, changed)
                    if found.world is not None and found.size:
                        self.lost.setdefault(rule, set()).update(found.world.tolist())

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
        body |= {v for match in rule.filters if isinstance(match, TripleMatch) for v in match.variables}
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


def _never(_rule: CompiledRule) -> bool:
    return False


def _end(relation: Relation | None, data: bool) -> int:
    """How many rows count: those that were asserted (or claimed), or all."""
    if relation is None:
        return 0
    return relation.size_before(1) if data else relation.size
