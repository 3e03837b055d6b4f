"""`Relation`: the rows of one predicate (or one class) in insertion order; `Store`: all relations of a graph.

Rows are only ever appended, in *blocks*: one per rule application, which remembers the rule and the step (the number
of the application). So insertion order is the semi-naive queue (a rule that has seen a relation's first n rows looks
at the others next), a size is a snapshot, and the blocks are the justification columns of all inferred triples.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from copy import copy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.symbolic.kernels import kernels
from engine.symbolic.row_index import HashRows, RowIndex, slots_for, suited

__all__ = ["ASSERTED", "DATA_STEP", "Block", "Chain", "Key", "Relation", "Store"]

Array = NDArray[np.int64]
Column = NDArray[np.integer[Any]]
Key = tuple[int, int]
"""(predicate id, class id) of a class's members, or (predicate id, -1) of any other predicate."""

_PIECE = 1 << 16
"""Rows inserted at a time into a small relation."""

_LARGE = 1 << 20
"""Rows from which on room is made for four times as many: what is not used of it takes no memory, copying does."""

DATA_STEP = 1
"""The step of triples stated in DATA blocks: after those of the graph (0), before all applications of rules."""
ASSERTED = -1
"""The rule number of triples given in the input."""


class Block(NamedTuple):
    """A run of rows that one rule application added; it ends where the next block starts."""

    start: int
    rule: int
    step: int


class Relation:
    """A growing set of (s, o) rows with hash indexes. `dtype` is int32 for ids, int64 for world-tagged ids.

    A class has one relation of its members, with the class itself in every o (`unary` is true). Row index and chain
    indexes are made when they are first asked for and then extended to the rows that came since.
    """

    def __init__(self, dtype: type = np.int32, *, unary: bool = False) -> None:
        self.unary = unary
        self.size = 0
        self.blocks: list[Block] = []
        self._s: NDArray[Any] = np.empty(16, dtype=dtype)
        self._o: NDArray[Any] = np.empty(16, dtype=dtype)
        self._index: RowIndex = HashRows()
        self._entered = 0
        self._chains: dict[int, Chain] = {}
        self._distinct: dict[int, tuple[int, int]] = {}

    @property
    def s(self) -> Array:
        """First column; shape (size,)."""
        return self._s[: self.size]

    @property
    def o(self) -> Array:
        """Second column; shape (size,)."""
        return self._o[: self.size]

    @property
    def columns(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Both columns with the room behind their last row; shape (capacity,) each."""
        return self._s, self._o

    def add(self, s: Column, o: Column, *, rule: int, step: int) -> int:
        """Append the pairs that are not there yet; how many were new."""
        before, at = self.size, 0
        s, o = _wide(s), _wide(o)
        while at < len(s):  # in pieces, so that room is made for rows that turn out to be there in small amounts only
            end = at + max(_PIECE, self.size)
            index = self.index(len(s[at:end]))
            self.size = index.insert(self._s, self._o, self.size, s[at:end], o[at:end])
            self._entered = self.size
            at = end
        return self._note(before, rule, step)

    def append(self, s: Column, o: Column, *, rule: int, step: int) -> int:
        """Append pairs that are known to be distinct and not there yet; how many they are. Nothing is hashed.

        The first columns of the right type are kept as they are, not copied: nobody may write into them.
        """
        before = self.size
        if not before and s.dtype == self._s.dtype and s.flags.c_contiguous and o.flags.c_contiguous:
            self._s, self._o = s, o.astype(s.dtype, copy=False)
        else:
            self._reserve(before + len(s))
            self._s[before : before + len(s)], self._o[before : before + len(s)] = s, o
        self.size += len(s)
        return self._note(before, rule, step)

    def grow(self, s: NDArray[Any], o: NDArray[Any], size: int, *, rule: int, step: int, entered: bool) -> int:
        """Take over columns that a kernel has appended rows to; how many.

        Args:
            s, o: the columns of this relation, or longer copies of them.
            entered: whether the kernel has entered the new rows into the row index.
        """
        before = self.size
        self._s, self._o, self.size = s, o, size
        if entered:
            self._entered = size
        return self._note(before, rule, step)

    def _note(self, before: int, rule: int, step: int) -> int:
        if self.size > before and (not self.blocks or self.blocks[-1][1:] != (rule, step)):
            self.blocks.append(Block(before, rule, step))
        return self.size - before

    def rows(self, s: Array, o: Array) -> NDArray[np.int32]:
        """Row of each pair, -1 where it is absent; shape (num_pairs,)."""
        return self.index().find(self._s, self._o, _wide(s), _wide(o))

    def row(self, s: int, o: int) -> int | None:
        """Row of one pair, or None."""
        found = int(self.rows(np.array([s]), np.array([o]))[0])
        return None if found < 0 else found

    @property
    def nbytes(self) -> int:
        """Bytes of the columns and indexes."""
        chains = sum(chain.heads.nbytes + chain.previous.nbytes for chain in self._chains.values())
        return self.size * (self._s.itemsize + self._o.itemsize) + self._index.nbytes + chains

    def join(self, column: int, keys: Array, lo: int, hi: int, *, limit: int | None = None) -> tuple[Array, Array]:
        """For each key, the rows lo <= row < hi with that value in column 0 (s) or 1 (o): (key positions, rows).

        Raises:
            MemoryError: there are more than `limit`; they are counted before there is room for them.
        """
        values, chain, keys = self.columns[column], self.chain(column), _wide(keys)
        counts = kernels().chain_count(chain.heads, chain.previous, values, keys, lo, hi)
        total = int(counts.sum())
        if limit is not None and total > limit:
            raise MemoryError(f"a join gives more than {limit} substitutions")
        positions, rows = kernels().chain_fill(chain.heads, chain.previous, values, keys, lo, hi, total)
        return positions, rows

    def index(self, room: int = 0, ids: int = 0, more: int = 1) -> RowIndex:
        """The row index with all rows in it, and room in it and in the columns.

        Args:
            room: for how many rows. ids: for ids below this number. more: see `RowIndex.reserve`.
        """
        rows = self.size + room
        if rows > len(self._s) or self._entered < self.size:
            better = suited(self._index, self.s, self.o, rows, unary=self.unary)
            if better is not self._index:
                self._index, self._entered = better, 0
        self._reserve(rows)
        self._index.reserve(rows, ids, more)
        if self._entered < self.size:
            self._index.fill(self._s, self._o, self._entered, self.size)
            self._entered = self.size
        return self._index

    def chain(self, column: int) -> Chain:
        """The chain index on a column with all rows in it."""
        chain = self._chains.setdefault(column, Chain())
        chain.extend(self.columns[column], self.size)
        return chain

    def distinct(self, column: int) -> int:
        """About how many different values a column has; counted again when the relation has doubled."""
        from engine.symbolic.kernels_numba import distinct

        size, found = self._distinct.get(column, (0, 0))
        if self.size > 2 * size:
            found = int(distinct(self.columns[column][: self.size]))
            self._distinct[column] = (self.size, found)
        return found

    def block_of(self, row: int) -> Block:
        """The block a row belongs to."""
        return self.blocks[bisect_right(self.blocks, row, key=lambda block: block.start) - 1]

    def size_before(self, step: int) -> int:
        """How many rows were there before a step; rows are in order of steps, so they are the first ones."""
        at = bisect_left(self.blocks, step, key=lambda block: block.step)
        return self.blocks[at].start if at < len(self.blocks) else self.size

    def origins(self, rows: Column) -> tuple[Array, Array]:
        """The rule and the step that added each row; shape (num_rows,) each."""
        starts, rules, steps = (np.array(part, dtype=np.int64) for part in zip(*self.blocks, strict=True))
        at = np.searchsorted(starts, rows, side="right") - 1
        return rules[at], steps[at]

    @property
    def inferred(self) -> Array:
        """The rows that rules added, ascending; shape (num_inferred,)."""
        ends = [*(block.start for block in self.blocks[1:]), self.size]
        runs = [np.arange(b.start, end) for b, end in zip(self.blocks, ends, strict=False) if b.rule != ASSERTED]
        return np.concatenate(runs) if runs else np.empty(0, dtype=np.int64)

    @property
    def inferred_rows(self) -> slice | Array:
        """The same as a slice where they are the last rows, which they are unless rows were asserted later."""
        first = next((block.start for block in self.blocks if block.rule != ASSERTED), self.size)
        if any(block.rule == ASSERTED for block in self.blocks if block.start > first):
            return self.inferred
        return slice(first, self.size) if first < self.size else np.empty(0, dtype=np.int64)

    def copy(self) -> Relation:
        """The same rows in arrays of their own; the indexes by one column are made again when they are used."""
        other = copy(self)
        other.blocks, other._chains = list(self.blocks), {}
        other._s, other._o, other._index = self._s.copy(), self._o.copy(), self._index.copy()
        other._distinct = dict(self._distinct)
        return other

    def keep(self, kept: NDArray[np.bool_]) -> Relation:
        """A relation of some rows in the same order, each with its rule and step; `kept` has shape (size,)."""
        other = Relation(self._s.dtype.type, unary=self.unary)
        ends = [*(block.start for block in self.blocks[1:]), self.size]
        for block, end in zip(self.blocks, ends, strict=True):
            rows = np.flatnonzero(kept[block.start : end]) + block.start
            other.append(self.s[rows], self.o[rows], rule=block.rule, step=block.step)
        return other

    def assert_rows(self, rows: Column) -> None:
        """Mark rows that rules added as asserted; they stay where they are, with their step."""
        for row in np.sort(rows).tolist():
            at = bisect_right(self.blocks, row, key=lambda block: block.start) - 1
            block = self.blocks[at]
            end = self.blocks[at + 1].start if at + 1 < len(self.blocks) else self.size
            parts = [Block(block.start, block.rule, block.step)] if block.start < row else []
            parts.append(Block(row, ASSERTED, block.step))
            parts += [Block(row + 1, block.rule, block.step)] if row + 1 < end else []
            self.blocks[at : at + 1] = parts

    def _reserve(self, rows: int) -> None:
        if rows > len(self._s):
            capacity = max(rows, (4 if len(self._s) > _LARGE else 2) * len(self._s))
            self._s, self._o = (_with_room(column, self.size, capacity) for column in (self._s, self._o))


class Chain:
    """A chain index on one column, extended to new rows when it is used."""

    def __init__(self) -> None:
        self.heads = np.full(32, -1, dtype=np.int32)
        self.previous = np.empty(16, dtype=np.int32)
        self.size = 0
        self.keys = 0
        self._longest = (0, 0)

    @property
    def longest(self) -> int:
        """Rows of the key that has most; 1 or more."""
        from engine.symbolic.kernels_numba import chain_longest

        if self._longest[0] != self.size:
            self._longest = (self.size, int(chain_longest(self.previous, self.size)))
        return self._longest[1]

    def extend(self, column: NDArray[Any], size: int) -> None:
        """Bring the index up to the first `size` rows of its column."""
        if size == self.size:
            return
        if 2 * size > len(self.heads):
            self.heads, self.size, self.keys = np.full(slots_for(size), -1, dtype=np.int32), 0, 0
        if size > len(self.previous):
            self.previous = _with_room(self.previous, self.size, max(size, 2 * len(self.previous)))
        self.keys += int(kernels().chain_extend(self.heads, self.previous, column, self.size, size))
        self.size = size


def _with_room(column: NDArray[Any], size: int, capacity: int) -> NDArray[Any]:
    """The first `size` values with room behind them, whose memory nobody has touched."""
    wider = np.empty(capacity, dtype=column.dtype)
    wider[:size] = column[:size]
    return wider


def _wide(ids: NDArray[Any]) -> Array:
    """The ids as the one type the kernels take keys in, so that each kernel is compiled once per relation type."""
    return np.ascontiguousarray(ids, dtype=np.int64)


class Store:
    """The relations of one graph, or (with int64 ids) of all worlds of a chunk of claims."""

    def __init__(self, type_id: int, dtype: type = np.int32) -> None:
        self.type_id = type_id
        self.dtype = dtype
        self.relations: dict[Key, Relation] = {}
        self._size = 0
        self._borrowed: set[Key] = set()

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[tuple[Key, Relation]]:
        yield from self.relations.items()

    @property
    def nbytes(self) -> int:
        """Bytes of the columns and indexes of all relations."""
        return sum(relation.nbytes for relation in self.relations.values())

    def keys(self) -> list[Key]:
        """The keys of the relations, in the order they were made."""
        return list(self.relations)

    def get(self, key: Key) -> Relation | None:
        """The relation of a key, or None where it has no row."""
        return self.relations.get(key)

    def relation(self, key: Key) -> Relation:
        """The relation of a key, to be written to: made empty where it is new, copied where another store has it."""
        found = self.relations.get(key)
        if found is None:
            found = self.relations[key] = self.made(key)
        elif key in self._borrowed:
            found = self.relations[key] = found.copy()
            self._borrowed.remove(key)
        return found

    def writable(self, key: Key) -> Relation:
        """The relation of a key for a kernel to append to, copied where another store has it; see `grew`."""
        return self.relation(key) if key in self.relations else self.made(key)

    def fork(self) -> Store:
        """A store of the same relations; one is copied when it grows, so this store stays as it is."""
        other = Store(self.type_id, self.dtype)
        other.relations, other._size, other._borrowed = dict(self.relations), self._size, set(self.relations)
        return other

    def put(self, key: Key, relation: Relation) -> None:
        """Put a relation in the place of another; an empty one leaves none."""
        before = self.relations.pop(key, None)
        self._borrowed.discard(key)
        self._size += relation.size - (before.size if before else 0)
        if relation.size:
            self.relations[key] = relation

    def made(self, key: Key) -> Relation:
        """An empty relation for a key, not in the store, which has relations with rows alone."""
        return Relation(self.dtype, unary=key[1] >= 0)

    def key(self, predicate: int, object: int) -> Key:
        """The key of the relation a triple belongs to."""
        return (predicate, object) if predicate == self.type_id else (predicate, -1)

    def add(self, predicate: int, s: Column, o: Column, *, rule: int, step: int) -> list[Key]:
        """Add triples of one predicate, class members to the relation of their class; the keys that gained rows."""
        if not len(s):
            return []
        grown = []
        for key, own_s, own_o in self.split(predicate, s, o):
            if key in self._borrowed and bool((self.relations[key].rows(own_s, own_o) >= 0).all()):
                continue
            new = self.relation(key).add(own_s, own_o, rule=rule, step=step)
            self._size += new
            if new:
                grown.append(key)
        return grown

    def holds(self, predicate: int, s: Array, o: Array) -> NDArray[np.bool_]:
        """Which pairs of one predicate are there; shape (num_pairs,)."""
        found = np.zeros(len(s), dtype=bool)
        for key, at in self._parts(predicate, o):
            relation = self.get(key)
            if relation is not None:
                found[at] = relation.rows(s[at], o[at]) >= 0
        return found

    def split(self, predicate: int, s: Column, o: Column) -> Iterator[tuple[Key, Array, Array]]:
        """Pairs of one predicate by the key of the relation they belong to."""
        s, o = _wide(s), _wide(o)
        for key, at in self._parts(predicate, o):
            yield key, s[at], o[at]

    def changed_from(self, other: Store) -> set[Key]:
        """The keys of the relations that this store and another do not share."""
        keys = {**self.relations, **other.relations}
        return {key for key in keys if self.relations.get(key) is not other.relations.get(key)}

    def load(self, predicate: int, s: Column, o: Column, *, step: int = 0) -> None:
        """Add asserted triples of one predicate, which are distinct and not there yet; they are not hashed."""
        for key, at in self._parts(predicate, o):
            self._size += self.relation(key).append(s[at], o[at], rule=ASSERTED, step=step)

    def grew(self, key: Key, relation: Relation, rows: int) -> None:
        """Count rows that were appended to a relation directly, and take the relation in if they are its first."""
        if rows:
            self.relations.setdefault(key, relation)
            self._size += rows

    def _parts(self, predicate: int, o: Column) -> Iterator[tuple[Key, Any]]:
        """The key of each relation the triples belong to, and where its triples are."""
        if not len(o):
            return
        if predicate != self.type_id:
            yield (predicate, -1), slice(None)
            return
        classes = _wide(o) & 0xFFFFFFFF
        order = np.argsort(classes, kind="stable")
        ordered = classes[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        for start, end in zip(starts, [*starts[1:], len(o)], strict=True):
            yield (predicate, int(ordered[start])), order[start:end]

    def sizes(self) -> dict[Key, int]:
        """Rows of each relation now; with insertion order, a snapshot."""
        return {key: relation.size for key, relation in self.relations.items()}
