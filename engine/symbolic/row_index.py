"""From a pair (s, o) to its row in a relation: three kinds of index with one interface.

`HashRows` is one table for all pairs, and serves any relation. The other two are for relations in which a large part of
all ids have a row, and are made of arrays that ids point into directly: `GroupedRows` keeps the objects of each subject
in a small table of their own, so that looking at many objects of one subject, which is what joins do, stays in the
nearest cache; `MemberRows` is for the members of a class and has one number for each id.
"""

from __future__ import annotations

from copy import copy
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.symbolic.kernels import compiled, kernels

__all__ = ["GroupedRows", "HashRows", "MemberRows", "RowIndex", "address", "slots_for", "suited"]

Array = NDArray[np.int64]
Column = NDArray[Any]

BY_ID = 1 << 12
"""Rows from which on an index by id is thought of; below, any index stays in the cache."""
_IDS_FOR_PAIR = 4
_IDS_FOR_MEMBER = 8
"""Ids for each row up to which an index by id takes no more memory than a hash table."""
AT, LEFT, WIDEST, SPAN, FREE = 0, 1, 2, 3, 4
"""The state of a `GroupedRows`: the address of the next free slot, slots left behind it, bits of the widest group, ids
that a direct group has numbers for, and from there on the address of the first freed group of each width, -1 for none.
"""
_DIRECT_WIDTH = 63
_CHUNK = 1 << 16
"""Slots of the first chunk of groups; each further one is half of those before it together."""


class RowIndex(Protocol):
    """What the indexes have in common; `s` and `o` are the columns of the relation, with room for what is inserted."""

    def reserve(self, rows: int, ids: int = 0, more: int = 1) -> None:
        """Make room for so many rows in all, as far as it can be told before, and for ids below a number.

        Whatever the rows are, there is room for so many `more` at least.
        """

    def fill(self, s: Column, o: Column, start: int, end: int) -> None:
        """Enter rows start … end - 1, which are distinct and not there."""

    def insert(self, s: Column, o: Column, n: int, new_s: Array, new_o: Array) -> int:
        """Append pairs to the columns from row n on where they are not there yet; the new number of rows."""

    def find(self, s: Column, o: Column, key_s: Array, key_o: Array) -> NDArray[np.int32]:
        """The row of each pair, -1 where it is absent; shape (num_pairs,)."""

    def copy(self) -> RowIndex:
        """The same in arrays of its own."""

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""


def suited(index: RowIndex, s: Column, o: Column, rows: int, *, unary: bool) -> RowIndex:
    """The index for a relation that will have so many rows: this one, or an empty one by id where that is better.

    Args:
        s, o: the columns so far.
    """
    if rows < BY_ID or not isinstance(index, HashRows) or s.dtype != np.int32 or not len(s) or not compiled():
        return index
    ids = int(s.max()) + 1 if unary else _ids(s, o)
    if ids > rows * (_IDS_FOR_MEMBER if unary else _IDS_FOR_PAIR):
        return index
    return MemberRows(ids) if unary else GroupedRows(ids)


class HashRows:
    """Open addressing from pairs to rows; see `kernels_numba`."""

    def __init__(self) -> None:
        self.slots: Array = np.full(32, -1, dtype=np.int64)

    def reserve(self, rows: int, ids: int = 0, more: int = 1) -> None:  # ids are hashed
        """See `RowIndex`."""
        if 2 * rows > len(self.slots):
            old, self.slots = self.slots, np.full(slots_for(rows), -1, dtype=np.int64)
            kernels().table_grow(self.slots, old)

    def fill(self, s: Column, o: Column, start: int, end: int) -> None:
        """See `RowIndex`."""
        kernels().table_fill(self.slots, s, o, start, end)

    def insert(self, s: Column, o: Column, n: int, new_s: Array, new_o: Array) -> int:
        """See `RowIndex`."""
        return int(kernels().insert_rows(self.slots, s, o, n, new_s, new_o))

    def find(self, s: Column, o: Column, key_s: Array, key_o: Array) -> NDArray[np.int32]:
        """See `RowIndex`."""
        return np.asarray(kernels().find_rows(self.slots, s, o, key_s, key_o))

    def copy(self) -> HashRows:
        """See `RowIndex`."""
        other = copy(self)
        other.slots = self.slots.copy()
        return other

    @property
    def nbytes(self) -> int:
        """See `RowIndex`."""
        return self.slots.nbytes


class GroupedRows:
    """For each subject a table of its objects with their rows, in chunks of slots that stay where they are.

    Args:
        ids: how many ids there may be for now.

    `heads[s]` is the address of the group of s, times 64, and its bits of width; 0 for none. A slot is an object and
    its row in 32 bits each, or -1. A group is at most two thirds full; one that is to be wider moves to free slots, or
    to where a group of that width has been. Where slots would take as much room as a number for each id, a group has
    those instead (`direct`): the row of each object, plus one, in 32 bits.
    """

    def __init__(self, ids: int) -> None:
        self.heads: Array = np.zeros(0, dtype=np.int64)
        self.counts: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self.chunks: list[Array] = []
        self.state: Array = np.full(FREE + 40, -1, dtype=np.int64)
        self.state[[AT, LEFT, WIDEST, SPAN]] = 0, 0, 2, 0
        self._widen(ids)

    def reserve(self, rows: int, ids: int = 0, more: int = 1) -> None:  # what a row takes depends on its subject
        """See `RowIndex`; one more row may need a group of twice the width of the widest."""
        if ids > len(self.heads):
            self._widen(max(ids, len(self.heads) + len(self.heads) // 8))
        self._make_room(2 * more << int(self.state[WIDEST]))

    def _make_room(self, slots: int) -> None:
        if slots > self.state[LEFT]:
            chunk = np.empty(max(_CHUNK, 4 * slots, sum(map(len, self.chunks)) // 2), dtype=np.int64)
            self.chunks.append(chunk)
            self.state[[AT, LEFT]] = address(chunk), len(chunk)

    def _widen(self, ids: int) -> None:
        """Make room for ids below a number, as subjects and as objects."""
        more = ids - len(self.heads)
        direct = int(((self.heads & _DIRECT_WIDTH) == _DIRECT_WIDTH).sum())
        if direct:
            self._make_room(direct * (ids // 2 + 1))
            kernels().group_widen(self.heads, self.state, ids)
        self.state[SPAN] = ids
        self.heads = np.concatenate([self.heads, np.zeros(more, dtype=np.int64)])
        self.counts = np.concatenate([self.counts, np.zeros(more, dtype=np.int32)])

    def fill(self, s: Column, o: Column, start: int, end: int) -> None:
        """See `RowIndex`."""
        ids = _ids(s[start:end], o[start:end])
        while start < end:
            self.reserve(end, ids)
            start = int(kernels().group_fill(self.heads, self.counts, self.state, s, o, start, end))

    def insert(self, s: Column, o: Column, n: int, new_s: Array, new_o: Array) -> int:
        """See `RowIndex`."""
        ids, at = _ids(new_s, new_o), 0
        while at < len(new_s):
            self.reserve(n, ids)
            at, n = kernels().group_insert(self.heads, self.counts, self.state, s, o, n, new_s, new_o, at)
        return int(n)

    def find(self, s: Column, o: Column, key_s: Array, key_o: Array) -> NDArray[np.int32]:  # no column is looked at
        """See `RowIndex`."""
        return np.asarray(kernels().group_find(self.heads, key_s, key_o))

    def copy(self) -> GroupedRows:
        """See `RowIndex`."""
        other = GroupedRows(len(self.heads))
        other.counts, other.chunks = self.counts.copy(), [chunk.copy() for chunk in self.chunks]
        other.state[[WIDEST, SPAN]] = self.state[[WIDEST, SPAN]]
        used = np.flatnonzero(self.heads)
        addresses = self.heads[used] >> 6
        old = np.array([address(chunk) for chunk in self.chunks], dtype=np.int64)
        new = np.array([address(chunk) for chunk in other.chunks], dtype=np.int64)
        order = np.argsort(old)
        chunk = order[np.searchsorted(old[order], addresses, side="right") - 1]
        other.heads[used] = (addresses - old[chunk] + new[chunk] << 6) | (self.heads[used] & 63)
        return other

    @property
    def nbytes(self) -> int:
        """See `RowIndex`; slots that were never used take no memory."""
        slots = sum(map(len, self.chunks)) - int(self.state[LEFT])
        return self.heads.nbytes + self.counts.nbytes + 8 * slots


class MemberRows:
    """The row of each id, plus one, in the relation of a class; 0 for none.

    Args:
        ids: how many ids there may be for now.
    """

    def __init__(self, ids: int) -> None:
        self.numbers: NDArray[np.int32] = np.zeros(ids, dtype=np.int32)

    def reserve(self, rows: int, ids: int = 0, more: int = 1) -> None:  # ids alone take room
        """See `RowIndex`."""
        if ids > len(self.numbers):
            room = max(ids, len(self.numbers) + len(self.numbers) // 8) - len(self.numbers)
            self.numbers = np.concatenate([self.numbers, np.zeros(room, dtype=np.int32)])

    def fill(self, s: Column, o: Column, start: int, end: int) -> None:  # every object is the class
        """See `RowIndex`."""
        if start < end:
            self.reserve(end, int(s[start:end].max()) + 1)
            self.numbers[s[start:end]] = np.arange(start + 1, end + 1, dtype=np.int32)

    def insert(self, s: Column, o: Column, n: int, new_s: Array, new_o: Array) -> int:
        """See `RowIndex`."""
        if len(new_s):
            self.reserve(n, int(new_s.max()) + 1)
        return int(kernels().member_insert(self.numbers, s, o, n, new_s, new_o))

    def find(self, s: Column, o: Column, key_s: Array, key_o: Array) -> NDArray[np.int32]:
        """See `RowIndex`."""
        return np.asarray(kernels().member_find(self.numbers, o, key_s, key_o))

    def copy(self) -> MemberRows:
        """See `RowIndex`."""
        other = copy(self)
        other.numbers = self.numbers.copy()
        return other

    @property
    def nbytes(self) -> int:
        """See `RowIndex`."""
        return self.numbers.nbytes


def _ids(s: Column, o: Column) -> int:
    """One more than the largest id."""
    return max(int(s.max(initial=-1)), int(o.max(initial=-1))) + 1


def slots_for(rows: int) -> int:
    """A power of two three times the rows or more, so that a table is rebuilt only when it has doubled."""
    return 1 << max(5, (3 * rows).bit_length())


def address(array: NDArray[Any]) -> int:
    """Where an array's elements are; they have to live as long as it is used."""
    return int(array.__array_interface__["data"][0])
