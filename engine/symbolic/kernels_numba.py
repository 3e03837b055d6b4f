"""The inner loops over id columns, compiled by numba and cached on disk beside this file.

A relation's rows are two parallel columns in insertion order. Two kinds of index point into them:

- a *row table*: open addressing from the pair (s, o) to its row, for membership and deduplication. A slot holds the
  upper half of the pair's hash beside the row, so that a miss is told without looking at the columns, and that half
  picks the slot, so that a table grows in one ordered pass;
- a *chain index* on one column: open addressing from a key to its latest row, and for every row the row before it
  that has the same key. Chains run from new to old, so a search limited to rows `lo <= row < hi` skips the newer rows
  and stops at the first older one; this is what lets one index serve every round of a semi-naive evaluation.

Columns are int32 ids, or int64 world-tagged ids (see `check`); numba compiles each kernel once per type.
An empty slot is -1; tables have a power of two slots and are at most half full. `kernels_numpy` has the same functions
without a compiler.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
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
_HALF = np.uint64(32)
_LOW = np.int64(0xFFFFFFFF)
Column = NDArray[np.integer[Any]]


@njit(cache=True, inline="always")
def _hash(s, o):  # type: ignore[no-untyped-def]  # numba infers the types; inlined into the kernels
    h = np.uint64(s) * _A + np.uint64(o) * _B
    h ^= h >> _SHIFT
    h *= _A
    return h ^ (h >> _SHIFT)


@njit(cache=True, inline="always")
def _mark(s, o):  # type: ignore[no-untyped-def]
    """The upper half of the hash of a pair: what a slot of a row table holds beside the row."""
    return np.int64(_hash(s, o) >> _HALF)


@njit(cache=True, inline="always")
def _shift(slots):  # type: ignore[no-untyped-def]
    """How far a mark is shifted to give a slot of a table of 2^k slots: 32 - k."""
    shift = np.int64(32)
    while slots > 1:
        slots >>= 1
        shift -= 1
    return shift


@njit(cache=True)
def table_fill(table: NDArray[np.int64], s: Column, o: Column, start: int, end: int) -> None:
    """Enter rows start … end - 1, which are distinct and not there, into a row table."""
    mask, shift = len(table) - 1, _shift(len(table))
    for row in range(start, end):
        mark = _mark(s[row], o[row])
        slot = mark >> shift
        while table[slot] != -1:
            slot = (slot + 1) & mask
        table[slot] = (mark << 32) | row


@njit(cache=True)
def table_grow(table: NDArray[np.int64], old: NDArray[np.int64]) -> None:
    """Enter the rows of an old row table into an empty one; slots are visited in order on both sides."""
    mask, shift = len(table) - 1, _shift(len(table))
    for entry in old:
        if entry != -1:
            slot = ((entry >> 32) & _LOW) >> shift
            while table[slot] != -1:
                slot = (slot + 1) & mask
            table[slot] = entry


@njit(cache=True)
def insert_rows(table: NDArray[np.int64], s: Column, o: Column, n: int, new_s: Column, new_o: Column) -> int:
    """Append the new pairs that are not there yet to s and o, which have room for all; the new number of rows."""
    mask, shift = len(table) - 1, _shift(len(table))
    for i in range(len(new_s)):
        a, b = new_s[i], new_o[i]
        mark = _mark(a, b)
        slot = mark >> shift
        while True:
            entry = table[slot]
            if entry == -1:
                table[slot] = (mark << 32) | n
                s[n], o[n] = a, b
                n += 1
                break
            if ((entry >> 32) & _LOW) == mark:
                row = entry & _LOW
                if s[row] == a and o[row] == b:
                    break
            slot = (slot + 1) & mask
    return n


@njit(cache=True)
def find_rows(table: NDArray[np.int64], s: Column, o: Column, key_s: Column, key_o: Column) -> NDArray[np.int32]:
    """The row of each key pair, or -1; shape (num_keys,)."""
    mask, shift = len(table) - 1, _shift(len(table))
    rows = np.full(len(key_s), -1, np.int32)
    for i in range(len(key_s)):
        a, b = key_s[i], key_o[i]
        mark = _mark(a, b)
        slot = mark >> shift
        while table[slot] != -1:
            entry = table[slot]
            if ((entry >> 32) & _LOW) == mark:
                row = entry & _LOW
                if s[row] == a and o[row] == b:
                    rows[i] = row
                    break
            slot = (slot + 1) & mask
    return rows


@njit(cache=True)
def chain_extend(heads: NDArray[np.int32], previous: NDArray[np.int32], column: Column, start: int, end: int) -> int:
    """Add rows start … end - 1 to a chain index on `column`; how many keys are new."""
    mask = np.uint64(len(heads) - 1)
    keys = 0
    for row in range(start, end):
        slot = _hash(column[row], 0) & mask
        while heads[slot] >= 0 and column[heads[slot]] != column[row]:
            slot = (slot + np.uint64(1)) & mask
        keys += heads[slot] < 0
        previous[row] = heads[slot]
        heads[slot] = row
    return keys


@njit(cache=True)
def chain_count(
    heads: NDArray[np.int32], previous: NDArray[np.int32], column: Column, keys: Column, lo: int, hi: int
) -> NDArray[np.int64]:
    """How many rows lo <= row < hi have each key; shape (num_keys,)."""
    mask = np.uint64(len(heads) - 1)
    counts = np.zeros(len(keys), np.int64)
    for i in range(len(keys)):
        slot = _hash(keys[i], 0) & mask
        while heads[slot] >= 0 and column[heads[slot]] != keys[i]:
            slot = (slot + np.uint64(1)) & mask
        row = heads[slot]
        while row >= hi:
            row = previous[row]
        while row >= lo:
            counts[i] += 1
            row = previous[row]
    return counts


@njit(cache=True)
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
    mask = np.uint64(len(heads) - 1)
    positions, rows = np.empty(total, np.int64), np.empty(total, np.int64)
    at = 0
    for i in range(len(keys)):
        slot = _hash(keys[i], 0) & mask
        while heads[slot] >= 0 and column[heads[slot]] != keys[i]:
            slot = (slot + np.uint64(1)) & mask
        row = heads[slot]
        while row >= hi:
            row = previous[row]
        while row >= lo:
            positions[at], rows[at] = i, row
            at += 1
            row = previous[row]
    return positions, rows


@njit(cache=True)
def ascending(s: Column, o: Column, start: int) -> int:
    """Where the run of pairs in order of s, then o, that begins at `start` ends."""
    at = start + 1
    while at < len(s) and (s[at] > s[at - 1] or (s[at] == s[at - 1] and o[at] >= o[at - 1])):
        at += 1
    return min(at, len(s))


@njit(cache=True)
def merge(s: Column, o: Column, middle: int) -> tuple[Column, Column]:
    """Two runs of pairs in order, the second from `middle` on, as one."""
    out_s, out_o = np.empty_like(s), np.empty_like(o)
    left, right = 0, middle
    for at in range(len(s)):
        if right == len(s) or (left < middle and (s[left] < s[right] or (s[left] == s[right] and o[left] <= o[right]))):
            out_s[at], out_o[at] = s[left], o[left]
            left += 1
        else:
            out_s[at], out_o[at] = s[right], o[right]
            right += 1
    return out_s, out_o


@njit(cache=True)
def _emit(
    nodes: Column,
    source: int,
    seen: NDArray[np.uint64],
    queue: NDArray[np.int32],
    end: int,
    s: Column,
    o: Column,
    n: int,
) -> int:
    """Write what a search has reached to s and o, targets ascending, and clear the marks; the new number of rows."""
    words = len(seen)
    if end * 16 < words:
        found = np.sort(queue[:end])
        for target in found:
            seen[target >> 6] = np.uint64(0)
            s[n], o[n] = nodes[source], nodes[target]
            n += 1
        return n
    one, six = np.uint64(1), np.int64(6)
    for word in range(words):
        bits = seen[word]
        if bits:
            seen[word] = np.uint64(0)
            target = word << six
            while bits:
                if not bits & np.uint64(0xFF):
                    bits >>= np.uint64(8)
                    target += 8
                    continue
                if bits & one:
                    s[n], o[n] = nodes[source], nodes[target]
                    n += 1
                bits >>= one
                target += 1
    return n


@njit(cache=True)
def reach(
    nodes: Column, starts: Column, offsets: Column, targets: NDArray[np.int32], s: Column, o: Column, n: int, limit: int
) -> tuple[Column, Column, int, bool]:
    """Append to s and o all pairs joined by a path of two edges or more and by none of one.

    The edges of node v are `targets[offsets[v]:offsets[v + 1]]`; nodes are dense and `nodes` holds their ids. A search
    from each source marks what it has reached in a bitmap, so that each edge out of a reached node is looked at once
    per source. Pairs come in order of source, then target. Stops when `limit` pairs are exceeded.

    Returns: s and o (larger ones where there was no room), the number of rows, and whether the search was finished.
    """
    seen = np.zeros((len(nodes) + 63) >> 6, np.uint64)
    queue = np.empty(len(nodes), np.int32)
    one = np.uint64(1)
    before = n
    for source in starts:
        end = 0
        for e in range(offsets[source], offsets[source + 1]):
            target = targets[e]
            bit = one << np.uint64(target & 63)
            if not seen[target >> 6] & bit:
                seen[target >> 6] |= bit
                queue[end] = target
                end += 1
        direct, at = end, 0
        while at < end:
            current = queue[at]
            at += 1
            for e in range(offsets[current], offsets[current + 1]):
                target = targets[e]
                bit = one << np.uint64(target & 63)
                if not seen[target >> 6] & bit:
                    seen[target >> 6] |= bit
                    queue[end] = target
                    end += 1
        for e in range(direct):  # these pairs are rows already
            target = queue[e]
            seen[target >> 6] &= ~(one << np.uint64(target & 63))
        end -= direct
        if n + end > len(s):
            room = max(len(s), end)
            s, o = np.concatenate((s, np.empty(room, s.dtype))), np.concatenate((o, np.empty(room, o.dtype)))
        n = _emit(nodes, source, seen, queue[direct:], end, s, o, n)
        if n - before > limit:
            return s, o, n, False
    return s, o, n, True
