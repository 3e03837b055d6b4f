"""Rules whose application can be one compiled loop (`kernels_numba`): which those are, and the numbers the loop takes.

That is every rule without FILTER, SET and NOT whose heads are triples of known relations over body variables and
constants: all of OWL 2 RL's and Datalog's. The order of the atoms is chosen anew for each application, by the rows an
atom is expected to give for one substitution: none or one where both of its terms are bound, the mean length of a chain
where one is, and all its rows where none is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdflib import Variable

from engine.symbolic.compile import CompiledRule
from engine.symbolic.draft import Head, head_key
from engine.symbolic.join import CompiledAtom, Slice
from engine.symbolic.kernels import compiled, kernels
from engine.symbolic.relation import Key, Relation, Store
from engine.symbolic.row_index import GroupedRows, HashRows, MemberRows, RowIndex, address
from kg.dictionary import IRI, LITERAL, Dictionary

__all__ = ["FusedRule", "Target", "fuse"]

SCAN, BY_S, BY_O, TEST, TEST_GROUP, TEST_MEMBER = 0, 1, 2, 3, 4, 5
_KIND, _INDEX, _SLOTS, _NARROW, _BACK = 0, 9, 11, 12, 13
FREE, SAME, KNOWN = 0, 1, 2
_MANY = 2.0
"""Rows for one substitution from which on it pays to look a head up before an atom is joined."""
PAUSE = 1 << 26
"""Rows of the last atom between two looks at the budget: a second or two."""


@dataclass(frozen=True)
class FusedRule:
    """The numbers of a rule that do not change from one application to the next.

    Args:
        atoms: registers of s and o of each body atom. unary: whether it is a class.
        registers: the value of each register, 0 for variables; the constants come first.
        constants: how many they are.
        heads: for each relation that the heads add to, registers and literal check of its heads.
    """

    atoms: tuple[tuple[int, int], ...]
    unary: tuple[bool, ...]
    registers: NDArray[np.int64]
    constants: int
    heads: tuple[tuple[Key, NDArray[np.int64]], ...]
    _plans: dict[tuple[int, ...], tuple[NDArray[np.int64], tuple[int, ...]]] = field(default_factory=dict)

    def run(self, slices: Sequence[Slice], first: int | None, target: Target) -> list[Key]:
        """Join the slices, beginning with an atom, and insert what follows; the relations that grew.

        Raises:
            MemoryError: an atom has more rows than the target's limit. What was inserted until then stays; a join of
                two atoms is counted before.
        """
        if target.limit is not None and self._pairs(slices, target.limit) > target.limit:
            raise MemoryError(f"a join gives more than {target.limit} substitutions")
        order, wide = self._order(slices, first)
        template, early = self._plan(order, wide)
        grown = []
        for number, (key, heads) in enumerate(self.heads):
            atoms = template.copy()
            held = [self._locate(atoms[at], slices[i]) for at, i in enumerate(order)]
            _mark_narrow(atoms)
            tests = [(atoms[at], slices[i].relation) for at, i in enumerate(order) if atoms[at, _KIND] == TEST]
            if target.insert(key, atoms, self.registers.copy(), heads, early[number], tests):
                grown.append(key)
            del held
        return grown

    def _pairs(self, slices: Sequence[Slice], limit: int) -> int:
        """The rows of a join of two atoms on one variable; 0 where they cannot be more than a limit, or for others."""
        if len(slices) != 2 or (slices[0].hi - slices[0].lo) * (slices[1].hi - slices[1].lo) <= limit:
            return 0
        (left, right), (one, other) = self.atoms, slices
        shared = set(left) & set(right)
        if len(shared) != 1 or min(*left, *right) < self.constants or len({*left, *right}) != 3:
            return 0
        (variable,) = shared
        column = right.index(variable)
        chain = other.relation.chain(column)
        if (one.hi - one.lo) * chain.longest <= limit:
            return 0
        keys = one.relation.columns[left.index(variable)][one.lo : one.hi].astype(np.int64)
        values = other.relation.columns[column]
        return int(kernels().chain_count(chain.heads, chain.previous, values, keys, other.lo, other.hi).sum())

    def _order(self, slices: Sequence[Slice], first: int | None) -> tuple[tuple[int, ...], int]:
        """The atoms in the order of the join, and the last place in it where an atom gives many rows."""
        waiting = list(range(len(self.atoms)))
        bound = set(range(self.constants))
        order: list[int] = []
        wide = 0
        while waiting:
            if first is not None:
                chosen, first = first, None
            elif len(waiting) == 1:
                chosen = waiting[0]
            else:
                chosen = min(waiting, key=lambda i: self._fan_out(i, slices[i], bound))
                if self._fan_out(chosen, slices[chosen], bound)[0] >= _MANY:
                    wide = len(order)
            waiting.remove(chosen)
            bound.update(self.atoms[chosen])
            order.append(chosen)
        return tuple(order), wide

    def _fan_out(self, atom: int, piece: Slice, bound: set[int]) -> tuple[float, int]:
        """Rows of an atom expected for one substitution, then the rows of its slice."""
        s, o = self.atoms[atom]
        rows = piece.hi - piece.lo
        if s in bound and o in bound:
            distinct = piece.relation.distinct
            return (1.0 if self.unary[atom] else rows / max(distinct(0) * distinct(1), 1), rows)
        if self.unary[atom] or (s not in bound and o not in bound):
            return (float(rows), rows)
        column = 0 if s in bound else 1
        return (round(rows / max(piece.relation.distinct(column), 1), 1), rows)

    def _plan(self, order: tuple[int, ...], wide: int) -> tuple[NDArray[np.int64], tuple[int, ...]]:
        """The atoms' numbers in this order but for slices and addresses, and for each head relation the early atom.

        A head that is known early is looked up only where an atom with many rows is still to come.
        """
        found = self._plans.get((wide, *order))
        if found is None:
            bound = set(range(self.constants))
            atoms = np.zeros((len(order), 14), dtype=np.int64)
            known = []
            for at, i in enumerate(order):
                atoms[at, :5] = self._access(i, bound)
                bound.update(self.atoms[i])
                known.append(frozenset(bound))
            early = []
            for _, heads in self.heads:
                wanted = set(heads[:, :2].ravel().tolist())
                at = next(at for at, registers in enumerate(known) if wanted <= registers)
                early.append(at if at < wide else len(order))
            found = self._plans[wide, *order] = (atoms, tuple(early))
        return found

    def _access(self, atom: int, bound: set[int]) -> tuple[int, int, int, int, int]:
        s, o = self.atoms[atom]
        if s in bound and o in bound:
            return TEST, s, o, KNOWN, KNOWN
        if self.unary[atom]:
            return SCAN, s, o, FREE, KNOWN
        if s in bound:
            return BY_S, s, o, KNOWN, FREE
        if o in bound:
            return BY_O, s, o, FREE, KNOWN
        return SCAN, s, o, FREE, SAME if s == o else FREE

    def _locate(self, atom: NDArray[np.int64], piece: Slice) -> list[NDArray[Any]]:
        """Put slice and addresses into an atom's numbers; the arrays that have to live as long.

        Where the row index of an atom with both terms known is, is for `_point_to_rows` to say.
        """
        relation, kind = piece.relation, int(atom[0])
        held: list[NDArray[Any]] = []
        index = previous = slots = 0
        if kind in (BY_S, BY_O):
            chain = relation.chain(0 if kind == BY_S else 1)
            index, slots, previous = address(chain.heads), len(chain.heads), address(chain.previous)
            atom[_NARROW] = chain.keys == chain.size
            held += [chain.heads, chain.previous]
        s, o = relation.columns
        atom[5:12] = piece.lo, piece.hi, address(s), address(o), index, previous, slots
        return [*held, s, o]


_NO_LITERAL = np.zeros(0, dtype=bool)


def _mark_narrow(atoms: NDArray[np.int64]) -> None:
    """Note for each atom which one before it to go back to: those with one row at most have no other."""
    back = 0
    for at, atom in enumerate(atoms):
        if atom[_KIND] == TEST:
            atom[_NARROW] = 1
        atom[_BACK] = back
        if at and not atom[_NARROW]:
            back = at


def _point_to_rows(atom: NDArray[np.int64], index: RowIndex) -> list[NDArray[Any]]:
    """Put the addresses of a row index into an atom's numbers; the arrays that have to live as long."""
    if isinstance(index, GroupedRows):
        atom[_KIND], atom[_INDEX] = TEST_GROUP, address(index.heads)
        return [index.heads, *index.chunks]
    if isinstance(index, MemberRows):
        atom[_KIND], atom[_INDEX] = TEST_MEMBER, address(index.numbers)
        return [index.numbers]
    assert isinstance(index, HashRows)
    atom[_KIND], atom[_INDEX], atom[_SLOTS] = TEST, address(index.slots), len(index.slots)
    return [index.slots]


@dataclass(frozen=True)
class Target:
    """Where the rows of one application go, and what limits it.

    Args:
        rule, step: of the rows. ids: how many terms there are.
        literal: whether each id is a literal, asked for where a head needs it.
        limit: rows of one atom. pause: called from time to time; raises to stop.
    """

    store: Store
    rule: int
    step: int
    ids: int
    literal: Callable[[], NDArray[np.bool_]]
    limit: int | None
    pause: Callable[[], None]

    def insert(
        self,
        key: Key,
        atoms: NDArray[np.int64],
        registers: NDArray[np.int64],
        heads: NDArray[np.int64],
        early: int,
        tests: Sequence[tuple[NDArray[np.int64], Relation]],
    ) -> int:
        """Run the compiled loop for the heads of one relation until it is finished; how many rows are new.

        Args:
            tests: the atoms with both terms known, with their relations. One may be the relation that grows, so where
                its row index is is found again each time.
        """
        from engine.symbolic.kernels_numba import join_insert

        relation = self.store.writable(key)
        before = relation.size
        literal = self.literal() if heads[:, 2].any() else _NO_LITERAL
        limit = np.iinfo(np.int64).max if self.limit is None else self.limit
        state = np.array([0, 1, before, 0], dtype=np.int64)
        cursor, counts = np.zeros((2, len(atoms)), dtype=np.int64)
        finished = False
        while not finished:
            index = relation.index(len(heads), self.ids, len(heads))
            held = [_point_to_rows(atom, tested.index(0, self.ids)) for atom, tested in tests]
            s, o = relation.columns
            numbers = _numbers(index, s, o)
            finished = join_insert(
                atoms, registers, heads, literal, early, numbers, state, cursor, counts, limit, PAUSE
            )
            del held
            new = relation.grow(s, o, int(state[2]), rule=self.rule, step=self.step, entered=True)
            self.store.grew(key, relation, new)
            self.pause()
        if state[3]:
            raise MemoryError(f"a join gives more than {limit} substitutions")
        return relation.size - before


def _numbers(index: RowIndex, s: NDArray[Any], o: NDArray[Any]) -> NDArray[np.int64]:
    """The numbers of the relation that grows, as the compiled loop takes them (`kernels_numba.TABLE` and on)."""
    table = slots = heads = counts = state = numbers = 0
    room = len(s)
    if isinstance(index, GroupedRows):
        heads, counts, state = address(index.heads), address(index.counts), address(index.state)
    elif isinstance(index, MemberRows):
        numbers = address(index.numbers)
    else:
        assert isinstance(index, HashRows)
        table, slots = address(index.slots), len(index.slots)
        room = min(room, slots // 2)
    return np.array([table, slots, heads, counts, state, numbers, address(s), address(o), room], dtype=np.int64)


def _connected(rule: CompiledRule) -> bool:
    """Whether the body's atoms hang together by their variables; those of constants alone do not matter."""
    groups = [set(atom.variables) for atom in rule.body if atom.variables]
    while len(groups) > 1:
        first, *others = groups
        met = [group for group in others if group & first]
        if not met:
            return False
        groups = [first.union(*met), *(group for group in others if not group & first)]
    return True


def fuse(rule: CompiledRule, type_id: int, dictionary: Dictionary) -> FusedRule | None:
    """The numbers of a rule for the compiled loop; None where it has to be evaluated atom by atom."""
    if rule.filters or rule.assignments or rule.negations or rule.fresh or not rule.body or not compiled():
        return None
    if rule.grouping is not None or rule.made_terms or not _connected(rule):  # a product is counted before it is made
        return None
    if any(atom.key is None for atom in rule.body):
        return None
    numbers: dict[int | Variable, int] = {}
    terms = [term for atom in rule.body for term in (atom.s, atom.o)]
    terms += [term for head in rule.head for term in (head[0], head[2])]
    for term in terms:
        if not isinstance(term, Variable):
            numbers.setdefault(term, len(numbers))
    constants = len(numbers)
    for term in terms:
        numbers.setdefault(term, len(numbers))
    heads = _heads(rule.head, rule.body, numbers, type_id, dictionary)
    if heads is None:
        return None
    registers = np.zeros(len(numbers), dtype=np.int64)
    registers[:constants] = [term for term in numbers if not isinstance(term, Variable)]
    return FusedRule(
        atoms=tuple((numbers[atom.s], numbers[atom.o]) for atom in rule.body),
        unary=tuple(atom.key is not None and atom.key[1] >= 0 for atom in rule.body),
        registers=registers,
        constants=constants,
        heads=heads,
    )


def _heads(
    heads: Sequence[Head],
    body: Sequence[CompiledAtom],
    numbers: dict[int | Variable, int],
    type_id: int,
    dictionary: Dictionary,
) -> tuple[tuple[Key, NDArray[np.int64]], ...] | None:
    subjects = {atom.s for atom in body}
    by_key: dict[Key, list[tuple[int, int, int]]] = {}
    for head in heads:
        key = head_key(head, type_id)
        if key is None:
            return None
        s, p, o = head
        assert isinstance(p, int)
        if dictionary.kinds[p] != IRI or (isinstance(s, int) and dictionary.kinds[s] == LITERAL):
            continue  # RDF has no place for such a triple
        check = isinstance(s, Variable) and s not in subjects  # the subjects of rows are no literals
        by_key.setdefault(key, []).append((numbers[s], numbers[o], int(check)))
    return tuple((key, np.array(found, dtype=np.int64)) for key, found in by_key.items())
