"""The inner loops over id columns, compiled by numba and cached on disk.

A relation's rows are two parallel columns in insertion order. Two kinds of index point into them:

- a *row table*: open addressing from the pair (s, o) to its row, for membership and deduplication;
- a *chain index* on one column: open addressing from a key to its latest row, and for every row the row before it
  that has the same key. Chains run from new to old, so a search limited to rows `lo <= row < hi` skips the newer rows
  and stops at the first older one; this is what lets one index serve every round of a semi-naive evaluation.

Columns are int32 ids, or int64 world-tagged ids (see `check`); numba compiles each kernel once per type.
An empty slot is -1; tables have a power of two slots and are at most half full.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["chain_count", "chain_extend", "chain_fill", "find_rows", "insert_rows", "reach", "table_fill"]

_A = np.uint64(0x9E3779B97F4A7C15)
_B = np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT = np.uint64(29)


@njit(cache=True, inline="always")
def _hash(s, o):  # type: ignore[no-untyped-def]  # numba infers the types; inlined into the kernels
    h = np.uint64(s) * _A + np.uint64(o) * _B
    h ^= h >> _SHIFT
    h *= _A
    return h ^ (h >> _SHIFT)


@njit(cache=True)
def table_fill(table: NDArray[np.int32], s: NDArray[np.int64], o: NDArray[np.int64], n: int) -> None:
    """Enter rows 0 … n - 1, which are distinct, into an empty row table."""
    mask = np.uint64(len(table) - 1)
    for row in range(n):
        slot = _hash(s[row], o[row]) & mask
        while table[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = row


@njit(cache=True)
def insert_rows(
    table: NDArray[np.int32],
    s: NDArray[np.int64],
    o: NDArray[np.int64],
    n: int,
    new_s: NDArray[np.int64],
    new_o: NDArray[np.int64],
) -> int:
    """Append the new pairs that are not there yet to s and o, which have room for all; the new number of rows."""
    mask = np.uint64(len(table) - 1)
    for i in range(len(new_s)):
        a, b = new_s[i], new_o[i]
        slot = _hash(a, b) & mask
        while table[slot] >= 0 and (s[table[slot]] != a or o[table[slot]] != b):
            slot = (slot + np.uint64(1)) & mask
        if table[slot] < 0:
            table[slot] = n
            s[n], o[n] = a, b
            n += 1
    return n


@njit(cache=True)
def find_rows(
    table: NDArray[np.int32],
    s: NDArray[np.int64],
    o: NDArray[np.int64],
    key_s: NDArray[np.int64],
    key_o: NDArray[np.int64],
) -> NDArray[np.int32]:
    """The row of each key pair, or -1; shape (num_keys,)."""
    mask = np.uint64(len(table) - 1)
    rows = np.empty(len(key_s), np.int32)
    for i in range(len(key_s)):
        a, b = key_s[i], key_o[i]
        slot = _hash(a, b) & mask
        while table[slot] >= 0 and (s[table[slot]] != a or o[table[slot]] != b):
            slot = (slot + np.uint64(1)) & mask
        rows[i] = table[slot]
    return rows


@njit(cache=True)
def chain_extend(
    heads: NDArray[np.int32], previous: NDArray[np.int32], column: NDArray[np.int64], start: int, end: int
) -> None:
    """Add rows start … end - 1 to a chain index on `column`."""
    mask = np.uint64(len(heads) - 1)
    for row in range(start, end):
        slot = _hash(column[row], 0) & mask
        while heads[slot] >= 0 and column[heads[slot]] != column[row]:
            slot = (slot + np.uint64(1)) & mask
        previous[row] = heads[slot]
        heads[slot] = row


@njit(cache=True)
def chain_count(
    heads: NDArray[np.int32],
    previous: NDArray[np.int32],
    column: NDArray[np.int64],
    keys: NDArray[np.int64],
    lo: int,
    hi: int,
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
    column: NDArray[np.int64],
    keys: NDArray[np.int64],
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
def reach(
    starts: NDArray[np.int64], offsets: NDArray[np.int64], targets: NDArray[np.int64], limit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], bool]:
    """All (source, target) pairs joined by a path of one edge or more, source by source in breadth-first order.

    The edges of node v are `targets[offsets[v]:offsets[v + 1]]`; nodes are dense. A stamp array marks what a source
    has reached, so that each edge out of a reached node is looked at once per source. Stops when `limit` pairs are
    exceeded.

    Returns: sources, targets, shape (num_pairs,) each, and whether the search was finished.
    """
    nodes = len(offsets) - 1
    stamp = np.full(nodes, -1, np.int64)
    capacity = max(len(targets) * 2, 1024)
    out_s, out_t = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    n = 0
    for source in starts:
        begin = n
        current = source
        at = n
        while True:
            for e in range(offsets[current], offsets[current + 1]):
                target = targets[e]
                if stamp[target] != source:
                    stamp[target] = source
                    if n == len(out_s):
                        if n > limit:
                            return out_s[:begin], out_t[:begin], False
                        out_s = np.concatenate((out_s, np.empty_like(out_s)))
                        out_t = np.concatenate((out_t, np.empty_like(out_t)))
                    out_s[n], out_t[n] = source, target
                    n += 1
            if at == n:
                break
            current = out_t[at]
            at += 1
    return out_s[:n], out_t[:n], True
