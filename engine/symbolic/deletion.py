"""What a closed store loses when asserted triples are taken away, and what of that follows all the same.

Delete and rederive (DRed), with the justification columns as the guide. A row names the rule and the step that added
it, so it stands as long as *that* rule has a match among rows of *smaller* steps that stand; only rows without one are
deleted, and a support that runs in a circle is none, because steps fall. Afterwards every deleted row is matched
against the heads of all rules once; what has a match is added back under a new step, and the ordinary semi-naive
evaluation goes on from there.

The rows of a recognised transitive closure share one step and are proved by paths of older rows. Of those with a
deleted row between their ends, the ones that still have a path of two older rows stand, as that is the path a proof
takes; of the others, no row that a path could be halved at is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rdflib import Variable

from engine.symbolic.application import early_filters, finish_body, head_rows
from engine.symbolic.compile import CompiledRule
from engine.symbolic.draft import Head
from engine.symbolic.fixpoint import Fixpoint
from engine.symbolic.join import Bindings, Slice, evaluate
from engine.symbolic.relation import ASSERTED, Key, Store

__all__ = ["Deletion", "derivable"]

Array = NDArray[np.int64]
_CANDIDATE = Variable("-candidate")  # no variable of a rule can have this name


class Deletion:
    """The rows of a closed store that lose their justification.

    Args:
        state: the closed store, which is only read.
        limit: rows of one join; beyond it, closing afresh is the better way.
    """

    def __init__(self, state: Fixpoint, *, limit: int) -> None:
        self.state, self.store, self.program, self.limit = state, state.store, state.program, limit
        self.gone = Store(self.store.type_id)
        self._seen: dict[int, list[int]] = {}

    def run(self, removed: Array) -> Iterator[Key]:
        """Take away asserted triples, shape (num_triples, 3), and what rests on them; the relations that lose rows.

        A key is yielded as soon as rows of it are gone, so that the caller can stop.

        Raises:
            MemoryError: a join is over the limit.
        """
        readers: dict[Key, list[CompiledRule]] = {}
        for rule in self.program.rules:
            for key in dict.fromkeys(rule.keys) if not rule.rule.data else ():  # WHERE DATA reads no inferred triple
                readers.setdefault(key, []).append(rule)
        waiting: dict[int, CompiledRule] = {}
        for predicate in sorted(set(removed[:, 1].tolist())):
            rows = removed[removed[:, 1] == predicate]
            for key in self.gone.add(predicate, rows[:, 0], rows[:, 2], rule=ASSERTED, step=0):
                waiting.update((rule.number, rule) for rule in readers.get(key, ()))
                yield key
        while waiting:
            rule = waiting.pop(next(iter(waiting)))
            for key in self._apply(rule):
                waiting.update((each.number, each) for each in readers.get(key, ()))
                yield key

    def _apply(self, rule: CompiledRule) -> list[Key]:
        """Delete what a rule gave from rows that are gone; the relations that lose rows."""
        relations = [self.store.get(key) for key in rule.keys]
        lost = [self.gone.get(key) for key in rule.keys]
        ends = [relation.size if relation else 0 for relation in lost]
        seen = self._seen.setdefault(rule.number, [0] * len(ends))
        grown: dict[Key, None] = {}
        for changed, mine in enumerate(lost):
            if mine is None or seen[changed] == ends[changed]:
                continue
            new = Slice(mine, seen[changed], ends[changed])
            slices = [[Slice(relation, 0, relation.size)] if relation else [] for relation in relations]
            slices[changed] = [new]
            bindings = self._matches(rule, slices, Bindings.unit(rule.constants), first=changed)
            for rows in head_rows(rule, bindings, self.program):
                for key, s, o in self.store.split(rows.predicate, rows.s, rows.o):
                    grown.update(dict.fromkeys(self._delete(rule, key, s, o)))
        self._seen[rule.number] = ends
        return list(grown)

    def _delete(self, rule: CompiledRule, key: Key, s: Array, o: Array) -> list[Key]:
        """Delete those pairs that were added by a rule and have no match of it left."""
        relation = self.store.get(key)
        if relation is None:
            return []
        rows = np.sort(relation.rows(s, o))
        rows = rows[np.r_[True, rows[1:] != rows[:-1]] & (rows >= 0)] if len(rows) else rows
        if not len(rows):
            return []
        rules, steps = relation.origins(rows)
        mine = rules == rule.number
        rows, steps = rows[mine], steps[mine]
        left = np.flatnonzero(~self._is_gone(key, relation.s[rows], relation.o[rows]))
        rows, steps = rows[left], steps[left]
        if not rule.rule.runs_once:
            rows = rows[~self._stands(rule, key, rows, steps)]
        return self.gone.add(key[0], relation.s[rows], relation.o[rows], rule=ASSERTED, step=0) if len(rows) else []

    def _stands(self, rule: CompiledRule, key: Key, rows: Array, steps: Array) -> NDArray[np.bool_]:
        """Which rows of a relation the rule still gives from rows of smaller steps."""
        relation, stands = self.store.get(key), np.zeros(len(rows), dtype=bool)
        assert relation is not None
        slices = [[Slice(r, 0, r.size)] if (r := self.store.get(atom)) else [] for atom in rule.keys]
        for head in rule.head:
            start = _unify(rule, head, key[0], relation.s[rows], relation.o[rows])
            if start is None:
                continue
            found = self._matches(rule, slices, start, steps=steps)
            stands[found.columns[_CANDIDATE]] = True
        return stands

    def _matches(
        self,
        rule: CompiledRule,
        slices: Sequence[Sequence[Slice]],
        start: Bindings,
        *,
        first: int | None = None,
        steps: Array | None = None,
    ) -> Bindings:
        """The matches of a rule; with `steps`, only those whose premises are left and older than their candidate."""
        found = evaluate(
            rule.body,
            slices.__getitem__,
            start,
            filters=early_filters(rule),
            dictionary=self.program.dictionary,
            first=first,
            limit=self.limit,
        )
        if steps is not None and found.size:
            good = np.ones(found.size, dtype=bool)
            for atom in rule.body:
                s, o = found.value(atom.s), found.value(atom.o)
                assert atom.key is not None
                assert s is not None
                assert o is not None
                relation = self.store.get(atom.key)
                assert relation is not None, "an atom that matched has a relation"
                _, added = relation.origins(relation.rows(s, o))
                good &= (added < steps[found.columns[_CANDIDATE]]) & ~self._is_gone(atom.key, s, o)
            found = found.take(np.flatnonzero(good))
        return finish_body(rule, found, self.state.negation_slices, self.store.keys, self.program)

    def _is_gone(self, key: Key, s: Array, o: Array) -> NDArray[np.bool_]:
        relation = self.gone.get(key)
        return np.zeros(len(s), dtype=bool) if relation is None else relation.rows(s, o) >= 0


def derivable(
    state: Fixpoint, rule: CompiledRule, predicate: int, s: Array, o: Array, *, limit: int
) -> NDArray[np.bool_]:
    """Which pairs of a predicate a rule gives by one application to the store; shape as the pairs.

    A rule that makes new terms is not tried: which values it made them for is not in the pairs.

    Raises:
        MemoryError: a join is over the limit.
    """
    found = np.zeros(len(s), dtype=bool)
    if rule.rule.runs_once:
        return found

    for head in rule.head:
        start = _unify(rule, head, predicate, s, o)
        if start is None:
            continue
        matches = evaluate(
            rule.body,
            lambda i: state.negation_slices(rule.body[i], rule.rule.data),
            start,
            filters=early_filters(rule),
            dictionary=state.program.dictionary,
            limit=limit,
        )
        matches = finish_body(rule, matches, state.negation_slices, state.store.keys, state.program)
        found[matches.columns[_CANDIDATE]] = True
    return found


def _unify(rule: CompiledRule, head: Head, predicate: int, s: Array, o: Array) -> Bindings | None:
    """The substitutions under which a head atom is one of the pairs, with the pair's number; None where it is none."""
    start = Bindings.unit(rule.constants)
    rows, fits = np.arange(len(s)), np.ones(len(s), dtype=bool)
    columns: dict[Variable, Array] = {}
    for term, ids in zip(head, (s, np.full(len(s), predicate), o), strict=True):
        ids = ids.astype(np.int64)
        if isinstance(term, Variable) and term not in columns:
            columns[term] = ids
        else:
            fits &= ids == (columns[term] if isinstance(term, Variable) else term)
    rows = rows[fits]
    if not len(rows):
        return None
    constants = {v: np.full(len(rows), column[0]) for v, column in start.columns.items()}
    return Bindings({**constants, **{v: c[fits] for v, c in columns.items()}, _CANDIDATE: rows}, len(rows))
