"""The functions of `kernels_numba` in numpy, for where there is no compiler: same arguments, same results.

The indexes are the same too (see there); a loop over rows becomes a loop over probes, each made for all rows at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ascending",
    "chain_count",
    "chain_extend",
    "chain_fill",
    "find_rows",
    "insert_rows",
    "merge",
    "reach",
    "table_fill",
    "table_grow",
]

_A = np.uint64(0x9E3779B97F4A7C15)
_B = np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT = np.uint64(29)
_LOW = np.int64(0xFFFFFFFF)
Column = NDArray[np.integer[Any]]


def _hash(s: Column, o: Column | int) -> NDArray[np.uint64]:
    h = s.astype(np.uint64) * _A + np.asarray(o).astype(np.uint64) * _B
    h ^= h >> _SHIFT
    h *= _A
    return np.asarray(h ^ (h >> _SHIFT), dtype=np.uint64)


def _marks(s: Column, o: Column) -> NDArray[np.int64]:
    return (_hash(s, o) >> np.uint64(32)).astype(np.int64)


def _shift(slots: int) -> int:
    return 33 - slots.bit_length()


def _enter(table: NDArray[np.int64], marks: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
    """Put distinct rows into free slots: all try their slot at once, those that lose it try the next one."""
    entries = (marks << 32) | rows
    slots = marks >> _shift(len(table))
    while len(entries):
        free = table[slots] == -1
        table[slots[free]] = entries[free]
        lost = table[slots] != entries
        slots, entries = (slots[lost] + 1) & (len(table) - 1), entries[lost]


def table_fill(table: NDArray[np.int64], s: Column, o: Column, start: int, end: int) -> None:
    """Enter rows start … end - 1, which are distinct and not there, into a row table."""
    _enter(table, _marks(s[start:end], o[start:end]), np.arange(start, end))


def table_grow(table: NDArray[np.int64], old: NDArray[np.int64]) -> None:
    """Enter the rows of an old row table into an empty one."""
    entries = old[old != -1]
    _enter(table, (entries >> 32) & _LOW, entries & _LOW)


def insert_rows(table: NDArray[np.int64], s: Column, o: Column, n: int, new_s: Column, new_o: Column) -> int:
    """Append the new pairs that are not there yet to s and o, which have room for all; the new number of rows."""
    absent = np.flatnonzero(find_rows(table, s, o, new_s, new_o) < 0)
    a, b = new_s[absent], new_o[absent]
    order = np.lexsort((b, a))  # stable, so the first of equal pairs comes first
    first = np.ones(len(order), dtype=bool)
    first[1:] = (a[order][1:] != a[order][:-1]) | (b[order][1:] != b[order][:-1])
    kept = absent[np.sort(order[first])]
    end = n + len(kept)
    s[n:end], o[n:end] = new_s[kept], new_o[kept]
    table_fill(table, s, o, n, end)
    return end


def find_rows(table: NDArray[np.int64], s: Column, o: Column, key_s: Column, key_o: Column) -> NDArray[np.int32]:
    """The row of each key pair, or -1; shape (num_keys,)."""
    rows = np.full(len(key_s), -1, dtype=np.int32)
    waiting = np.arange(len(key_s))
    marks = _marks(key_s, key_o)
    slots = marks >> _shift(len(table))
    while len(waiting):
        entries = table[slots]
        used = entries != -1
        waiting, marks, slots, entries = waiting[used], marks[used], slots[used], entries[used]
        at = entries & _LOW
        found = ((entries >> 32) & _LOW == marks) & (s[at] == key_s[waiting]) & (o[at] == key_o[waiting])
        rows[waiting[found]] = at[found]
        waiting, marks, slots = waiting[~found], marks[~found], (slots[~found] + 1) & (len(table) - 1)
    return rows


def chain_extend(heads: NDArray[np.int32], previous: NDArray[np.int32], column: Column, start: int, end: int) -> int:
    """Add rows start … end - 1 to a chain index on `column`; how many keys are new."""
    values = column[start:end]
    order = np.argsort(values, kind="stable")
    last = np.ones(len(order), dtype=bool)
    last[:-1] = values[order][1:] != values[order][:-1]
    rows = (order + start).astype(np.int32)
    firsts = np.flatnonzero(np.r_[True, last[:-1]]) if len(order) else np.empty(0, dtype=np.int64)
    previous[rows[1:]] = rows[:-1]
    keys = values[order][last].astype(np.int64)
    slots = _slots(heads, column, keys)
    previous[rows[firsts]] = heads[slots]
    new = np.flatnonzero(heads[slots] < 0)
    old = np.flatnonzero(heads[slots] >= 0)
    heads[slots[old]] = rows[last][old]
    latest, free = rows[last][new], slots[new]
    while len(latest):
        empty = heads[free] < 0
        heads[free[empty]] = latest[empty]
        lost = heads[free] != latest
        free, latest = (free[lost] + 1) & (len(heads) - 1), latest[lost]
    return len(new)


def _slots(heads: NDArray[np.int32], column: Column, keys: Column) -> NDArray[np.int64]:
    """The slot of each key: the one that has it, or the first free one on its way."""
    slots = (_hash(keys, 0) & np.uint64(len(heads) - 1)).astype(np.int64)
    waiting = np.arange(len(keys))
    while len(waiting):
        head = heads[slots[waiting]]
        waiting = waiting[(head >= 0) & (column[head] != keys[waiting])]
        slots[waiting] = (slots[waiting] + 1) & (len(heads) - 1)
    return slots


def chain_count(
    heads: NDArray[np.int32], previous: NDArray[np.int32], column: Column, keys: Column, lo: int, hi: int
) -> NDArray[np.int64]:
    """How many rows lo <= row < hi have each key; shape (num_keys,)."""
    positions, _ = _chain(heads, previous, column, keys, lo, hi)
    return np.bincount(positions, minlength=len(keys)).astype(np.int64)


def chain_fill(
    heads: NDArray[np.int32],
    previous: NDArray[np.int32],
    column: Column,
    keys: Column,
    lo: int,
    hi: int,
    total: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each key and each of its rows lo <= row < hi, the key's position and the row; shape (total,) each."""
    positions, rows = _chain(heads, previous, column, keys, lo, hi)
    order = np.lexsort((-rows, positions))
    return positions[order], rows[order]


def _chain(
    heads: NDArray[np.int32], previous: NDArray[np.int32], column: Column, keys: Column, lo: int, hi: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows = heads[_slots(heads, column, keys)].astype(np.int64)
    positions = np.arange(len(keys))
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    while len(rows):
        there = rows >= lo
        positions, rows = positions[there], rows[there]
        inside = rows < hi
        found.append((positions[inside], rows[inside]))
        rows = previous[rows].astype(np.int64)
    none = np.empty(0, dtype=np.int64)
    return np.concatenate([none, *(p for p, _ in found)]), np.concatenate([none, *(r for _, r in found)])


def ascending(s: Column, o: Column, start: int) -> int:
    """Where the run of pairs in order of s, then o, that begins at `start` ends."""
    s, o = s[start:], o[start:]
    falls = np.flatnonzero((s[1:] < s[:-1]) | ((s[1:] == s[:-1]) & (o[1:] < o[:-1])))
    return start + (int(falls[0]) + 1 if len(falls) else len(s))


def merge(s: Column, o: Column, middle: int) -> tuple[Column, Column]:
    """Two runs of pairs in order, the second from `middle` on, as one."""
    order = np.argsort((s.astype(np.int64) << 32) | o, kind="stable")  # which finds the runs, and merges them
    assert middle <= len(s)
    return s[order], o[order]


def reach(
    nodes: Column, starts: Column, offsets: Column, targets: NDArray[np.int32], s: Column, o: Column, n: int, limit: int
) -> tuple[Column, Column, int, bool]:
    """Append to s and o all pairs joined by a path of two edges or more and by none of one (see `kernels_numba`)."""
    found_s, found_o, total = [s[:n]], [o[:n]], 0
    for source in starts.tolist():
        direct = targets[offsets[source] : offsets[source + 1]]
        seen = np.zeros(len(nodes), dtype=bool)
        seen[direct] = True
        frontier = np.flatnonzero(seen)
        while len(frontier):
            begin, counts = offsets[frontier], offsets[frontier + 1] - offsets[frontier]
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            near = targets[np.repeat(begin, counts) + within]
            fresh = np.zeros(len(nodes), dtype=bool)
            fresh[near] = True
            frontier = np.flatnonzero(fresh & ~seen)
            seen[frontier] = True
        seen[direct] = False
        reached = np.flatnonzero(seen)
        found_s.append(np.full(len(reached), nodes[source], dtype=s.dtype))
        found_o.append(nodes[reached].astype(o.dtype))
        total += len(reached)
        if total > limit:
            break
    return np.concatenate(found_s), np.concatenate(found_o), n + total, total <= limit
