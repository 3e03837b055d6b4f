"""Evaluating a rule body: substitutions as a table of id columns, extended by one atom at a time.

A *slice* is a run of rows of a relation that an atom may match. Semi-naive evaluation, negation over a snapshot, proofs
that may only use earlier triples, and worlds are all the same join over different slices.

In a tagged slice the ids carry the number of a world in their upper 32 bits; rows of such a slice join only with
substitutions of the same world, while untagged rows hold in every world.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdflib import URIRef, Variable
from rdflib.term import Node

from engine.symbolic.relation import Key, Relation
from engine.symbolic.rules import Assignment, Call, Constant, Expression, Filter, VariableRef, expression_variables
from engine.symbolic.triple_terms import TripleMatch
from kg.dictionary import LITERAL, Dictionary

__all__ = [
    "Bindings",
    "CompiledAtom",
    "CompiledNegation",
    "Slice",
    "Slices",
    "distinct_rows",
    "evaluate",
    "keep_if",
    "without_match",
]

Array = NDArray[np.int64]
_VOLATILE = re.compile(r"\b(NOW|UUID|STRUUID|BNODE)\(")
_ID = np.int64(0xFFFFFFFF)
PIECE = 1 << 20
"""Substitutions whose distinct values are looked for together: some 100 MB, and few repeats across pieces."""
SMALL_PIECE = 1 << 14
"""Substitutions for which new blank nodes are made between two looks at the budget: well under a second."""
_OFTEN = 1 << 10  # expressions evaluated between two looks at the budget


class CompiledAtom(NamedTuple):
    """A triple pattern over ids. `key` is None while predicate or class is still a variable."""

    key: Key | None
    s: int | Variable
    p: int | Variable
    o: int | Variable

    @property
    def variables(self) -> set[Variable]:
        """The variables of the pattern."""
        return {term for term in (self.s, self.p, self.o) if isinstance(term, Variable)}


class CompiledNegation(NamedTuple):
    """`NOT { … }` over ids; with `data` only asserted triples are looked at."""

    atoms: tuple[CompiledAtom, ...]
    filters: tuple[Filter, ...]
    data: bool


class Slice(NamedTuple):
    """The rows lo <= row < hi of a relation."""

    relation: Relation
    lo: int
    hi: int
    tagged: bool = False


Slices = Callable[[CompiledAtom], Sequence[Slice]]
"""What an atom with a key may match."""


@dataclass(frozen=True)
class Bindings:
    """A table of substitutions: one column of ids per variable, each of shape (size,), and their worlds if any."""

    columns: Mapping[Variable, Array]
    size: int
    world: Array | None = None

    @classmethod
    def unit(cls, values: Mapping[Variable, int] | None = None, *, worlds: Array | None = None) -> Bindings:
        """One substitution (one for each world) with the given values."""
        size = 1 if worlds is None else len(worlds)
        columns = {v: np.full(size, id, dtype=np.int64) for v, id in (values or {}).items()}
        return cls(columns, size, worlds)

    def take(self, rows: Array) -> Bindings:
        """The substitutions at the given positions."""
        columns = {variable: column[rows] for variable, column in self.columns.items()}
        return Bindings(columns, len(rows), None if self.world is None else self.world[rows])

    def value(self, term: int | Variable) -> Array | None:
        """The column of a variable, a constant column, or None for an unbound variable."""
        if isinstance(term, Variable):
            return self.columns.get(term)
        return np.full(self.size, term, dtype=np.int64)

    def tagged(self, ids: Array) -> Array:
        """The ids with each substitution's world in the upper half."""
        assert self.world is not None, "tagged ids are asked for only where worlds are"
        return (self.world << 32) | ids

    def substitution(self, row: int) -> dict[Variable, int]:
        """One substitution as a map from variables to ids."""
        return {variable: int(column[row]) for variable, column in self.columns.items()}


def _concatenate(parts: Sequence[Bindings]) -> Bindings:
    if len(parts) == 1:
        return parts[0]
    worlds = [part.world for part in parts if part.world is not None]
    columns = {v: np.concatenate([part.columns[v] for part in parts]) for v in parts[0].columns}
    return Bindings(columns, sum(part.size for part in parts), np.concatenate(worlds) if worlds else None)


def extend(
    bindings: Bindings,
    atom: CompiledAtom,
    slices: Sequence[Slice],
    *,
    limit: int | None = None,
    stop: Callable[[], None] | None = None,
) -> Bindings:
    """The substitutions extended by every matching row of the slices (rule: bindings ⋈ atom).

    With `stop` it is done in small pieces, and `stop` called in between.

    Raises:
        MemoryError: there would be more than `limit` substitutions; they are counted before there is room for them.
    """
    parts = []
    for piece in slices:
        if piece.lo < piece.hi:
            room = limit
            for part in (bindings,) if stop is None else _in_steps(bindings, atom, piece, stop):
                parts.append(_extend(part, atom, piece, room))
                room = None if room is None else room - parts[-1].size
    parts = [part for part in parts if part.size] or [_nothing(bindings, atom)]
    return _concatenate(parts)


def _in_steps(bindings: Bindings, atom: CompiledAtom, piece: Slice, stop: Callable[[], None]) -> Iterator[Bindings]:
    """The substitutions in pieces that are soon extended: few where each meets every row."""
    joined = any(isinstance(t, Variable) and t in bindings.columns for t in (atom.s, atom.o))
    for part in in_pieces(bindings, 1 << 12 if joined else max(1, (1 << 22) // (piece.hi - piece.lo))):
        stop()
        yield part


def _nothing(bindings: Bindings, atom: CompiledAtom) -> Bindings:
    none = np.empty(0, dtype=np.int64)
    columns = dict.fromkeys([*bindings.columns, *atom.variables], none)
    return Bindings(columns, 0, None if bindings.world is None else none)


def _extend(bindings: Bindings, atom: CompiledAtom, piece: Slice, limit: int | None) -> Bindings:
    if piece.tagged and bindings.world is None:
        return _scan(bindings, atom, piece, limit)
    s, o = bindings.value(atom.s), bindings.value(atom.o)
    if piece.tagged:
        s = None if s is None else bindings.tagged(s)
        o = None if o is None else bindings.tagged(o)
    relation = piece.relation
    if s is not None and o is not None:
        rows = relation.rows(s, o)
        return bindings.take(np.flatnonzero((rows >= piece.lo) & (rows < piece.hi)))
    if s is None and (o is None or (relation.unary and not piece.tagged)):
        return _scan(bindings, atom, piece, limit)
    column, keys = (0, s) if s is not None else (1, o)
    assert keys is not None
    positions, rows64 = relation.join(column, keys, piece.lo, piece.hi, limit=limit)
    return _bind(bindings.take(positions), atom, relation.s[rows64], relation.o[rows64])


def _scan(bindings: Bindings, atom: CompiledAtom, piece: Slice, limit: int | None) -> Bindings:
    """Every substitution with every row; a constant object of a binary relation is found by its chain."""
    relation = piece.relation
    if not relation.unary and bindings.size == 1 and not piece.tagged and isinstance(atom.o, int):
        _, rows = relation.join(1, np.array([atom.o]), piece.lo, piece.hi)
    else:
        rows = np.arange(piece.lo, piece.hi)
    if limit is not None and bindings.size * len(rows) > limit and (not piece.tagged or bindings.world is None):
        raise MemoryError("a join gives too many substitutions")
    s, o = relation.s[rows], relation.o[rows]
    if piece.tagged and bindings.world is None:
        many = Bindings(
            {v: np.tile(c, len(rows)) for v, c in bindings.columns.items()},
            bindings.size * len(rows),
            np.repeat(s.astype(np.int64) >> 32, bindings.size),
        )
        return _bind(many, atom, np.repeat(s, bindings.size), np.repeat(o, bindings.size))
    if piece.tagged:
        return _same_world(bindings, atom, s, o)
    positions = np.repeat(np.arange(bindings.size), len(rows))
    return _bind(bindings.take(positions), atom, np.tile(s, bindings.size), np.tile(o, bindings.size))


def _same_world(bindings: Bindings, atom: CompiledAtom, s: Array, o: Array) -> Bindings:
    """Every substitution with every row of its own world."""
    assert bindings.world is not None
    order = np.argsort(s, kind="stable")  # the world is in the upper bits
    worlds = s[order] >> 32
    begin, end = np.searchsorted(worlds, bindings.world, "left"), np.searchsorted(worlds, bindings.world, "right")
    counts = end - begin
    positions = np.repeat(np.arange(bindings.size), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = order[np.repeat(begin, counts) + within]
    return _bind(bindings.take(positions), atom, s[rows], o[rows])


def _bind(bindings: Bindings, atom: CompiledAtom, s: Array, o: Array) -> Bindings:
    """The substitutions with the atom's terms set to (checked against) the untagged values of s and o."""
    columns, keep = dict(bindings.columns), np.ones(len(s), dtype=bool)
    for term, ids in ((atom.s, s), (atom.o, o)):
        ids = ids.astype(np.int64) & _ID
        if isinstance(term, int):
            keep &= ids == term
        elif term in columns:
            keep &= columns[term] == ids
        else:
            columns[term] = ids
    found = replace(bindings, columns=columns, size=len(s))
    return found if keep.all() else found.take(np.flatnonzero(keep))


def evaluate(
    atoms: Sequence[CompiledAtom],
    slices: Callable[[int], Sequence[Slice]],
    bindings: Bindings,
    *,
    filters: Iterable[Filter] = (),
    dictionary: Dictionary,
    first: int | None = None,
    limit: int | None = None,
    stop: Callable[[], None] | None = None,
) -> Bindings:
    """All substitutions that match every atom, each within its own slices, and pass the filters.

    Atoms are joined greedily: the one with most bound positions next, among those the smallest. A filter is applied as
    soon as its variables are bound. `first` names the atom to begin with (the changed one). `stop` is called again and
    again; it raises where a budget has run out.

    Raises:
        MemoryError: a join would give more than `limit` substitutions.
    """
    waiting, unused = list(range(len(atoms))), list(filters)
    matches = [f for f in unused if isinstance(f, TripleMatch)]
    bindings = _match_terms(bindings, matches, dictionary) if matches else bindings
    while waiting:
        if stop is not None:
            stop()
        if first is not None:
            chosen, first = first, None
        else:
            chosen = min(waiting, key=lambda i: _cost(atoms[i], bindings, slices(i)))
        waiting.remove(chosen)
        try:
            bindings = extend(bindings, atoms[chosen], slices(chosen), limit=limit, stop=stop)
        except MemoryError:
            raise _too_many(limit) from None
        if limit is not None and bindings.size > limit:
            raise _too_many(limit)
        bindings = _match_terms(bindings, matches, dictionary) if matches else bindings
        ready = [f for f in unused if all(v in bindings.columns for v in f.variables)]
        for condition in ready:
            unused.remove(condition)
            if not isinstance(condition, TripleMatch):
                bindings = keep_if(bindings, condition, dictionary, stop)
        if not bindings.size:
            return _close(bindings, [*atoms, *(f for f in unused if isinstance(f, TripleMatch))])
    for condition in unused:  # a variable without a value makes the expression an error, which counts as false
        bindings = keep_if(bindings, condition, dictionary, stop)
    return bindings


def _too_many(limit: int | None) -> MemoryError:
    most = "memory has room for" if limit is None else str(limit)
    return MemoryError(f"a join gives more than {most} substitutions")


def _match_terms(bindings: Bindings, waiting: list[TripleMatch], dictionary: Dictionary) -> Bindings:
    """The substitutions with every triple term that can be matched now; those matches are taken off the list."""
    while ready := [match for match in waiting if match.ready(bindings.columns)]:
        found = next((match for match in ready if match.term in bindings.columns), ready[0])
        waiting.remove(found)
        columns, rows = found.apply(bindings.columns, bindings.size, dictionary)
        bindings = replace(bindings, columns=columns).take(rows)
    return bindings


def _close(bindings: Bindings, atoms: Sequence[CompiledAtom | TripleMatch]) -> Bindings:
    none = np.empty(0, dtype=np.int64)
    every = {**bindings.columns, **{v: none for atom in atoms for v in atom.variables}}
    return replace(bindings, columns=every)


def _cost(atom: CompiledAtom, bindings: Bindings, slices: Sequence[Slice]) -> tuple[int, int]:
    bound = sum(not isinstance(term, Variable) or term in bindings.columns for term in (atom.s, atom.o))
    shares = any(isinstance(t, Variable) and t in bindings.columns for t in (atom.s, atom.o))
    size = sum(piece.hi - piece.lo for piece in slices)
    if bound == 2:
        return 0, size
    return (1 if shares or not bindings.columns else 2), (size if bound else 2 * size)


def distinct_rows(bindings: Bindings, variables: Sequence[Variable]) -> tuple[list[tuple[int, ...]], Array]:
    """The distinct value tuples of some variables, and for each substitution the number of its tuple."""
    if not variables or not bindings.size:
        return ([()] if bindings.size else []), np.zeros(bindings.size, dtype=np.int64)
    columns = [bindings.columns[v] for v in variables]
    order = np.lexsort(columns)
    new = np.ones(bindings.size, dtype=bool)
    new[1:] = np.any([c[order][1:] != c[order][:-1] for c in columns], axis=0)
    numbers = np.empty(bindings.size, dtype=np.int64)
    numbers[order] = np.cumsum(new) - 1
    firsts = order[new]
    return list(zip(*(c[firsts].tolist() for c in columns), strict=True)), numbers


def in_pieces(bindings: Bindings, size: int = PIECE) -> Iterator[Bindings]:
    """The substitutions so many at a time."""
    if bindings.size <= size:
        yield bindings
        return
    for start in range(0, bindings.size, size):
        yield bindings.take(np.arange(start, min(start + size, bindings.size)))


def keep_if(
    bindings: Bindings, condition: Filter, dictionary: Dictionary, stop: Callable[[], None] | None = None
) -> Bindings:
    """The substitutions for which the filter's expression is true; it is evaluated once per distinct value tuple."""
    from engine.symbolic.literal_filters import on_column

    quick = _compare(bindings, condition, dictionary)
    if quick is None:
        quick = _among(bindings, condition.expression, dictionary)
    if quick is None:
        quick = on_column(condition.expression, bindings.columns, dictionary)
    if quick is not None:
        return bindings.take(np.flatnonzero(quick))
    kept = []
    for piece in in_pieces(bindings):
        if stop is not None:
            stop()
        kept.append(_keep_if(piece, condition, dictionary, stop))
    return _concatenate(kept)


def _watched(tuples: Sequence[tuple[int, ...]], stop: Callable[[], None] | None) -> Iterator[tuple[int, ...]]:
    """The value tuples one by one, with `stop` called now and then."""
    for at, ids in enumerate(tuples):
        if stop is not None and not at % _OFTEN:
            stop()
        yield ids


def _keep_if(
    bindings: Bindings, condition: Filter, dictionary: Dictionary, stop: Callable[[], None] | None
) -> Bindings:
    from engine.symbolic.builtins import holds

    variables = [v for v in condition.variables if v in bindings.columns]
    tuples, numbers = distinct_rows(bindings, variables)
    held = [holds(condition.expression, _terms(variables, ids, dictionary)) for ids in _watched(tuples, stop)]
    true = np.array(held, dtype=bool)
    return bindings.take(np.flatnonzero(true[numbers])) if len(tuples) else bindings


def _compare(bindings: Bindings, condition: Filter, dictionary: Dictionary) -> NDArray[np.bool_] | None:
    """Which substitutions pass an (in)equality that ids decide; None for other filters.

    Terms that are not both literals are equal when they are the same term.
    """
    expression, wanted = condition.expression, True
    if isinstance(expression, Call) and expression.function == "!":
        expression, wanted = expression.arguments[0], False
    if not isinstance(expression, Call) or expression.function not in ("=", "!=", "sameTerm"):
        return None
    left, right = (_operand(bindings, argument, dictionary) for argument in expression.arguments)
    if left is None or right is None:
        return None
    kinds = dictionary.kinds  # triple terms may hold literals, which are compared by value
    if expression.function != "sameTerm" and bool(np.any((kinds[left] >= LITERAL) & (kinds[right] >= LITERAL))):
        return None
    return np.asarray((left == right) == ((expression.function != "!=") == wanted))


def _among(bindings: Bindings, expression: Expression, dictionary: Dictionary) -> NDArray[np.bool_] | None:
    """Which substitutions pass a test whether a variable is one of some IRIs; None for other filters."""
    if not isinstance(expression, Call) or expression.function != "IN":
        return None
    variable, *others = expression.arguments
    column = bindings.columns.get(variable.variable) if isinstance(variable, VariableRef) else None
    terms = [other.term for other in others if isinstance(other, Constant) and isinstance(other.term, URIRef)]
    if column is None or len(terms) < len(others):
        return None
    ids = (dictionary.find(term) for term in terms)
    return np.isin(column, [id for id in ids if id is not None])


def _operand(bindings: Bindings, expression: Expression, dictionary: Dictionary) -> Array | None:
    """The ids of a variable, or of a constant that has one."""
    if isinstance(expression, VariableRef):
        return bindings.columns.get(expression.variable)
    ground = isinstance(expression, Constant) and not any(expression_variables(expression))
    id = dictionary.find(expression.term) if ground and isinstance(expression, Constant) else None
    return None if id is None else np.full(bindings.size, id, dtype=np.int64)


Memo = dict[tuple[Assignment, tuple[int, ...]], int]


def assign(
    bindings: Bindings,
    assignment: Assignment,
    dictionary: Dictionary,
    memo: Memo,
    stop: Callable[[], None] | None = None,
) -> Bindings:
    """The substitutions with `SET(?v := expression)` applied; where the expression is an error, none.

    A value that changes from call to call is kept in `memo`, so that a proof finds the same one again.
    Where an atom after the SET has bound the variable already, the value must be the same term.
    """
    from engine.symbolic.builtins import ExpressionError
    from engine.symbolic.builtins import evaluate as value_of

    variables = [v for v in expression_variables(assignment.expression) if v in bindings.columns]
    variables = list(dict.fromkeys(variables))
    tuples, numbers = distinct_rows(bindings, variables)
    values = np.full(len(tuples), -1, dtype=np.int64)
    volatile = _VOLATILE.search(str(assignment.expression)) is not None
    for at, ids in enumerate(_watched(tuples, stop)):
        try:
            value = memo.get((assignment, ids)) if volatile else None
            if value is None:
                value = dictionary.intern(value_of(assignment.expression, _terms(variables, ids, dictionary)))
            if volatile:
                memo[assignment, ids] = value
            values[at] = value
        except ExpressionError:
            continue
    column = values[numbers] if len(tuples) else np.empty(0, dtype=np.int64)
    bound = bindings.columns.get(assignment.variable)
    keep = column >= 0 if bound is None else (column >= 0) & (column == bound)
    with_value = replace(bindings, columns={**bindings.columns, assignment.variable: column})
    return with_value.take(np.flatnonzero(keep))


def _terms(variables: Sequence[Variable], ids: tuple[int, ...], dictionary: Dictionary) -> dict[Variable, Node]:
    return {variable: dictionary.term(id) for variable, id in zip(variables, ids, strict=True)}


_ROW = Variable("-row")  # no variable of a rule can have this name


def without_match(
    bindings: Bindings,
    negation: CompiledNegation,
    slices: Slices,
    keys: Callable[[CompiledAtom, Bindings], Sequence[CompiledAtom]],
    dictionary: Dictionary,
    *,
    limit: int | None = None,
    stop: Callable[[], None] | None = None,
) -> Bindings:
    """The substitutions for which the negated pattern has no match; `limit` and `stop` as for `evaluate`.

    `keys` lists, for an atom whose predicate or class is a variable, the atoms with a key it stands for.
    """
    if not bindings.size:
        return bindings
    used = {v for a in negation.atoms for v in a.variables} | {v for f in negation.filters for v in f.variables}
    outer = {v: c for v, c in bindings.columns.items() if v in used}
    rows = np.arange(bindings.size)
    table = Bindings({**outer, _ROW: rows}, bindings.size, bindings.world)
    matched = np.zeros(bindings.size, dtype=bool)
    for atoms in product(*(keys(atom, table) if atom.key is None else (atom,) for atom in negation.atoms)):
        start = bind_wild(table, negation.atoms, atoms)
        pieces = [slices(atom) for atom in atoms]
        found = evaluate(
            atoms,
            pieces.__getitem__,
            start,
            filters=negation.filters,
            dictionary=dictionary,
            limit=limit,
            stop=stop,
        )
        matched[found.columns[_ROW]] = True
    return bindings.take(np.flatnonzero(~matched))


def bind_wild(table: Bindings, before: Sequence[CompiledAtom], after: Sequence[CompiledAtom]) -> Bindings:
    """Set the variables that a wildcard predicate or class took; substitutions with another value drop out."""
    for old, new in zip(before, after, strict=True):
        for term, value in ((old.p, new.p), (old.o, new.o)):
            if not isinstance(term, Variable) or isinstance(value, Variable):
                continue
            column = table.columns.get(term)
            if column is None:
                filled = np.full(table.size, value, dtype=np.int64)
                table = replace(table, columns={**table.columns, term: filled})
            else:
                table = table.take(np.flatnonzero(column == value))
    return table
