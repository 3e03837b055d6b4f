"""`Relation`: the rows of one predicate (or one class) in insertion order; `Store`: all relations of a graph.

Rows are only ever appended, in *blocks*: one per rule application, which remembers the rule and the step (the number
of the application). So insertion order is the semi-naive queue (a rule that has seen a relation's first n rows looks
at the others next), a size is a snapshot, and the blocks are the justification columns of all inferred triples.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["ASSERTED", "DATA_STEP", "Block", "Key", "Relation", "Store"]

Array = NDArray[np.int64]
Column = NDArray[np.integer[Any]]
Key = tuple[int, int]
"""(predicate id, class id) of a class's members, or (predicate id, -1) of any other predicate."""

_PIECE = 1 << 16
"""Rows inserted at a time into a small relation."""

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

    A class has one relation of its members, with the class itself in every o (`unary` is true).
    """

    def __init__(self, dtype: type = np.int32, *, unary: bool = False) -> None:
        self.unary = unary
        self.size = 0
        self.blocks: list[Block] = []
        self._s: NDArray[Any] = np.empty(16, dtype=dtype)
        self._o: NDArray[Any] = np.empty(16, dtype=dtype)
        self._table: NDArray[np.int32] = np.full(32, -1, dtype=np.int32)
        self._chains: dict[int, _Chain] = {}

    @property
    def s(self) -> Array:
        """First column; shape (size,)."""
        return self._s[: self.size]

    @property
    def o(self) -> Array:
        """Second column; shape (size,)."""
        return self._o[: self.size]

    def add(self, s: Column, o: Column, *, rule: int, step: int) -> int:
        """Append the pairs that are not there yet; how many were new."""
        from engine.symbolic.kernels_numba import insert_rows

        before, at = self.size, 0
        s, o = _wide(s), _wide(o)
        while at < len(s):  # in pieces, so that room is made for rows that turn out to be there in small amounts only
            end = at + max(_PIECE, self.size)
            self._reserve(self.size + len(s[at:end]))
            self.size = int(insert_rows(self._table, self._s, self._o, self.size, s[at:end], o[at:end]))
            at = end
        if self.size > before and (not self.blocks or self.blocks[-1][1:] != (rule, step)):
            self.blocks.append(Block(before, rule, step))
        return self.size - before

    def rows(self, s: Array, o: Array) -> NDArray[np.int32]:
        """Row of each pair, -1 where it is absent; shape (num_pairs,)."""
        from engine.symbolic.kernels_numba import find_rows

        return np.asarray(find_rows(self._table, self._s, self._o, _wide(s), _wide(o)))

    def row(self, s: int, o: int) -> int | None:
        """Row of one pair, or None."""
        found = int(self.rows(np.array([s]), np.array([o]))[0])
        return None if found < 0 else found

    def join(self, column: int, keys: Array, lo: int, hi: int) -> tuple[Array, Array]:
        """For each key, the rows lo <= row < hi with that value in column 0 (s) or 1 (o): (key positions, rows)."""
        from engine.symbolic.kernels_numba import chain_count, chain_fill

        values = self._s if column == 0 else self._o
        chain = self._chains.setdefault(column, _Chain())
        chain.extend(values, self.size)
        keys = _wide(keys)
        counts = chain_count(chain.heads, chain.previous, values, keys, lo, hi)
        positions, rows = chain_fill(chain.heads, chain.previous, values, keys, lo, hi, int(counts.sum()))
        return positions, rows

    def block_of(self, row: int) -> Block:
        """The block a row belongs to."""
        return self.blocks[bisect_right(self.blocks, row, key=lambda block: block.start) - 1]

    def size_before(self, step: int) -> int:
        """How many rows were there before a step; rows are in order of steps, so they are the first ones."""
        at = bisect_left(self.blocks, step, key=lambda block: block.step)
        return self.blocks[at].start if at < len(self.blocks) else self.size

    def _reserve(self, rows: int) -> None:
        from engine.symbolic.kernels_numba import table_fill

        if rows > len(self._s):
            capacity = max(rows, 2 * len(self._s))
            self._s = np.concatenate([self.s, np.empty(capacity - self.size, dtype=self._s.dtype)])
            self._o = np.concatenate([self.o, np.empty(capacity - self.size, dtype=self._o.dtype)])
        if 2 * rows > len(self._table):
            self._table = np.full(_slots(rows), -1, dtype=np.int32)
            table_fill(self._table, self._s, self._o, self.size)


class _Chain:
    """A chain index on one column, extended to new rows when it is used."""

    def __init__(self) -> None:
        self.heads = np.full(32, -1, dtype=np.int32)
        self.previous = np.empty(16, dtype=np.int32)
        self.size = 0

    def extend(self, column: Array, size: int) -> None:
        from engine.symbolic.kernels_numba import chain_extend

        if size == self.size:
            return
        if 2 * size > len(self.heads):
            self.heads, self.size = np.full(_slots(size), -1, dtype=np.int32), 0
        if size > len(self.previous):
            room = np.empty(max(size, 2 * len(self.previous)) - len(self.previous), dtype=np.int32)
            self.previous = np.concatenate([self.previous, room])
        chain_extend(self.heads, self.previous, column, self.size, size)
        self.size = size


def _wide(ids: NDArray[Any]) -> Array:
    """The ids as the one type the kernels take keys in, so that each kernel is compiled once per relation type."""
    return np.ascontiguousarray(ids, dtype=np.int64)


def _slots(rows: int) -> int:
    """A power of two at least four times the rows, so that a table is rebuilt only when it has doubled."""
    return 1 << max(5, (4 * rows - 1).bit_length())


class Store:
    """The relations of one graph, or (with int64 ids) of all worlds of a chunk of claims."""

    def __init__(self, type_id: int, dtype: type = np.int32) -> None:
        self.type_id = type_id
        self.dtype = dtype
        self.relations: dict[Key, Relation] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[tuple[Key, Relation]]:
        yield from self.relations.items()

    def keys(self) -> list[Key]:
        """The keys of the relations, in the order they were made."""
        return list(self.relations)

    def get(self, key: Key) -> Relation | None:
        """The relation of a key, or None where it has no row."""
        return self.relations.get(key)

    def relation(self, key: Key) -> Relation:
        """The relation of a key, made empty where it is new."""
        found = self.relations.get(key)
        if found is None:
            found = self.relations[key] = Relation(self.dtype, unary=key[1] >= 0)
        return found

    def key(self, predicate: int, object: int) -> Key:
        """The key of the relation a triple belongs to."""
        return (predicate, object) if predicate == self.type_id else (predicate, -1)

    def add(self, predicate: int, s: Column, o: Column, *, rule: int, step: int) -> list[Key]:
        """Add triples of one predicate, class members to the relation of their class; the keys that gained rows."""
        if not len(s):
            return []
        if predicate != self.type_id:
            key = (predicate, -1)
            new = self.relation(key).add(s, o, rule=rule, step=step)
            self._size += new
            return [key] if new else []
        if not len(o):
            return []
        classes = _wide(o) & 0xFFFFFFFF
        order = np.argsort(classes, kind="stable")
        s, o, classes = s[order], o[order], classes[order]
        starts = np.flatnonzero(np.r_[True, classes[1:] != classes[:-1]])
        grown = []
        for start, end in zip(starts, [*starts[1:], len(o)], strict=True):
            key = (predicate, int(classes[start]))
            new = self.relation(key).add(s[start:end], o[start:end], rule=rule, step=step)
            self._size += new
            if new:
                grown.append(key)
        return grown

    def sizes(self) -> dict[Key, int]:
        """Rows of each relation now; with insertion order, a snapshot."""
        return {key: relation.size for key, relation in self.relations.items()}
