"""The inner loops over id columns, compiled by numba and cached on disk beside this file.

A relation's rows are two parallel columns in insertion order. Two kinds of index point into them:

- a *row table*: open addressing from the pair (s, o) to its row, for membership and deduplication. A slot holds the
  upper half of the pair's hash beside the row, so that a miss is told without looking at the columns, and that half
  picks the slot, so that a table grows in one ordered pass;
- a *chain index* on one column: open addressing from a key to its latest row, and for every row the row before it
  that has the same key. Chains run from new to old, so a search limited to rows `lo <= row < hi` skips the newer rows
  and stops at the first older one; this is what lets one index serve every round of a semi-naive evaluation.

Columns are int32 ids, or int64 world-tagged ids (see `check`); numba compiles each kernel once per type.

`join_insert` is a whole rule application as one loop: join the body's atoms row by row and insert what the head gives.
The rule comes as data, one line of numbers for each atom in the order of the join (`fused` makes them). So there is one
kernel for all rules, compiled once; no rule ever waits for the compiler. Nothing between the atoms is stored: the loop
keeps one row per atom, like a nest of loops written by hand, and goes back to the last atom that may have another row.
Columns and indexes of body atoms are passed as addresses, because a rule may have any number of them; the caller keeps
the arrays alive.

All kernels are in one file, because the cache looks at the age of the file of a kernel, not at those it imports.
An empty slot is -1; tables have a power of two slots and are at most half full. `kernels_numpy` has the same functions
without a compiler.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = [
    "ascending",
    "chain_count",
    "chain_extend",
    "chain_fill",
    "components",
    "distinct",
    "find_rows",
    "insert_rows",
    "join_insert",
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
def components(offsets: Column, targets: NDArray[np.int32]) -> NDArray[np.int32]:
    """The number of the strongly connected component of each node (Tarjan 1972), -1 for one that is alone in its own.

    The edges of node v are `targets[offsets[v]:offsets[v + 1]]`.
    """
    count = len(offsets) - 1
    number, low = np.full(count, -1, np.int32), np.zeros(count, np.int32)
    found, edge = np.full(count, -1, np.int32), np.zeros(count, np.int64)
    held, path = np.empty(count, np.int32), np.empty(count, np.int32)
    waiting = np.zeros(count, np.bool_)
    reached, on_hold, parts = 0, 0, 0
    for root in range(count):
        if number[root] >= 0:
            continue
        depth, path[0] = 0, root
        while depth >= 0:
            node = path[depth]
            if number[node] < 0:
                number[node] = low[node] = reached
                reached += 1
                held[on_hold], waiting[node] = node, True
                on_hold += 1
                edge[node] = offsets[node]
            if edge[node] < offsets[node + 1]:
                target = targets[edge[node]]
                edge[node] += 1
                if number[target] < 0:
                    depth += 1
                    path[depth] = target
                elif waiting[target]:
                    low[node] = min(low[node], number[target])
                continue
            depth -= 1
            if depth >= 0:
                low[path[depth]] = min(low[path[depth]], low[node])
            if low[node] == number[node]:
                alone = held[on_hold - 1] == node
                member = -1
                while member != node:
                    on_hold -= 1
                    member = held[on_hold]
                    waiting[member] = False
                    found[member] = -1 if alone else parts
                parts += not alone
    return found


@njit(cache=True)
def reach(
    nodes: Column, starts: Column, offsets: Column, targets: NDArray[np.int32], s: Column, o: Column, n: int, limit: int
) -> tuple[Column, Column, int, bool]:
    """Append to s and o all pairs joined by a path of two edges or more and by none of one.

    The edges of node v are `targets[offsets[v]:offsets[v + 1]]`; nodes are dense and `nodes` holds their ids. A search
    from each source marks what it has reached in a bitmap, so that each edge out of a reached node is looked at once
    per source. Nodes of one strongly connected component reach the same, which is looked for once. Pairs come in order
    of source, then target. Stops when `limit` pairs are exceeded.

    Returns: s and o (larger ones where there was no room), the number of rows, and whether the search was finished.
    """
    seen = np.zeros((len(nodes) + 63) >> 6, np.uint64)
    queue = np.empty(len(nodes), np.int32)
    one = np.uint64(1)
    before = n
    component = components(offsets, targets)
    parts = component.max() + 1 if len(component) else 0
    begins, ends = np.full(parts, -1, np.int64), np.zeros(parts, np.int64)
    pool, filled = np.empty(1024, np.int32), 0
    for source in starts:
        part = component[source]
        end = 0
        for e in range(offsets[source], offsets[source + 1]):
            target = targets[e]
            bit = one << np.uint64(target & 63)
            if not seen[target >> 6] & bit:
                seen[target >> 6] |= bit
                queue[end] = target
                end += 1
        direct = end
        if part >= 0 and begins[part] >= 0:
            first, last = begins[part], ends[part]
            while n + last - first > len(s):
                s, o = np.concatenate((s, np.empty_like(s))), np.concatenate((o, np.empty_like(o)))
            for at in range(first, last):
                target = pool[at]
                if not seen[target >> 6] & (one << np.uint64(target & 63)):
                    s[n], o[n] = nodes[source], nodes[target]
                    n += 1
            for e in range(direct):
                target = queue[e]
                seen[target >> 6] &= ~(one << np.uint64(target & 63))
            if n - before > limit:
                return s, o, n, False
            continue
        at = 0
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
        if part >= 0:
            while filled + end > len(pool):
                pool = np.concatenate((pool, np.empty_like(pool)))
            pool[filled : filled + end] = np.sort(queue[:end])
            begins[part], ends[part] = filled, filled + end
            filled += end
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


def _load(width: int) -> Any:
    @intrinsic
    def load(typing_context, address, index):  # type: ignore[no-untyped-def]
        """The element of an array of signed integers at an address."""

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            element = ir.IntType(width)
            base = builder.inttoptr(arguments[0], element.as_pointer())
            value = builder.load(builder.gep(base, [arguments[1]], source_etype=element), typ=element)
            return value if width == 64 else builder.sext(value, ir.IntType(64))

        return types.int64(types.int64, types.int64), generate

    return load


_load32 = _load(32)
_load64 = _load(64)

SCAN, BY_S, BY_O, TEST = 0, 1, 2, 3
"""How an atom finds its rows: all of its slice, those with a given s, those with a given o, the one with both."""
FREE, SAME, KNOWN = 0, 1, 2
"""What becomes of a row's value: it gives a variable its value, is compared with it, or is known to be equal."""

KIND, S_TERM, O_TERM, S_USE, O_USE, LO, HI, S_AT, O_AT, INDEX, PREVIOUS, SLOTS = range(12)
"""The numbers of an atom: kind, registers of s and o, what becomes of s and o, slice, addresses of the columns, address
and slots of the row table or of the chain's heads, address of the chain's previous rows."""

LEVEL, ENTERING, ROWS, EXCESS = 0, 1, 2, 3
"""The state between calls: the atom at work, whether it is to be entered, rows of the head's relation, 1 if an atom had
more rows than the limit."""


@njit(cache=True)
def _first(atom: Any, registers: Any) -> Any:
    """The first row of an atom to look at, -1 for none."""
    kind, lo, hi = atom[KIND], atom[LO], atom[HI]
    if kind == SCAN:
        return lo
    slots = atom[SLOTS]
    mask = slots - 1
    if kind == TEST:
        a, b = registers[atom[S_TERM]], registers[atom[O_TERM]]
        mark = _mark(a, b)
        slot = mark >> _shift(slots)
        while True:
            entry = _load64(atom[INDEX], slot)
            if entry == -1:
                return -1
            row = entry & _LOW
            fits = ((entry >> 32) & _LOW) == mark and row < hi
            if fits and _load32(atom[S_AT], row) == a and _load32(atom[O_AT], row) == b:
                return row if row >= lo else -1
            slot = (slot + 1) & mask
    key = registers[atom[S_TERM]] if kind == BY_S else registers[atom[O_TERM]]
    column = atom[S_AT] if kind == BY_S else atom[O_AT]
    slot = np.int64(_hash(key, 0) & np.uint64(mask))
    row = _load32(atom[INDEX], slot)
    while row >= 0 and _load32(column, row) != key:
        slot = (slot + 1) & mask
        row = _load32(atom[INDEX], slot)
    while row >= hi:
        row = _load32(atom[PREVIOUS], row)
    return row


@njit(cache=True)
def _known(table: NDArray[np.int64], s: NDArray[np.int32], o: NDArray[np.int32], a: int, b: int) -> bool:
    mask = len(table) - 1
    mark = _mark(a, b)
    slot = mark >> _shift(len(table))
    while table[slot] != -1:
        entry = table[slot]
        if ((entry >> 32) & _LOW) == mark:
            row = entry & _LOW
            if s[row] == a and o[row] == b:
                return True
        slot = (slot + 1) & mask
    return False


@njit(cache=True)
def join_insert(
    atoms: NDArray[np.int64],
    registers: NDArray[np.int64],
    heads: NDArray[np.int64],
    literal: NDArray[np.bool_],
    early: int,
    table: NDArray[np.int64],
    s: NDArray[np.int32],
    o: NDArray[np.int32],
    state: NDArray[np.int64],
    cursor: NDArray[np.int64],
    counts: NDArray[np.int64],
    limit: int,
    pause: int,
) -> bool:
    """Go on with an application; true when it is finished, else it is to be called again with more room.

    Args:
        atoms: the body in join order, shape (num_atoms, 12).
        registers: values of constants and variables; written to.
        heads: registers of s and o of each head atom, and 1 where s may turn out a literal; shape (num_heads, 3).
        literal: whether each id is a literal, for those heads.
        early: the atom after which every head is known, so that what is there already need not be joined further.
        table, s, o: of the relation of the heads; written to.
        state, cursor, counts: where the loop stands (see `LEVEL`), each atom's row, and rows of each atom so far.
        limit: rows of one atom. pause: rows of the last atom after which to return, so that a budget can be looked at.
    """
    last = len(atoms) - 1
    mask, shift = len(table) - 1, _shift(len(table))
    d, entering, n = state[LEVEL], state[ENTERING] == 1, state[ROWS]
    room = min(len(s), len(table) // 2) - len(heads)
    done = False
    stop = counts[last] + pause
    while n <= room and counts[last] < stop:
        atom = atoms[d]
        kind = atom[KIND]
        if entering:
            row = _first(atom, registers)
        elif kind == SCAN:
            row = cursor[d] + 1
        elif kind == TEST:
            row = np.int64(-1)
        else:
            row = _load32(atom[PREVIOUS], cursor[d])
        entering = False
        if row < atom[LO] or (kind == SCAN and row >= atom[HI]):
            if d == 0:
                done = True
                break
            d -= 1
            continue
        cursor[d] = row
        if kind != TEST:
            use = atom[S_USE]
            if use != KNOWN:
                value = _load32(atom[S_AT], row)
                if use == FREE:
                    registers[atom[S_TERM]] = value
                elif value != registers[atom[S_TERM]]:
                    continue
            use = atom[O_USE]
            if use != KNOWN:
                value = _load32(atom[O_AT], row)
                if use == FREE:
                    registers[atom[O_TERM]] = value
                elif value != registers[atom[O_TERM]]:
                    continue
        counts[d] += 1
        if counts[d] > limit:
            state[EXCESS] = 1
            done = True
            break
        if d == early and d < last:
            new = False
            for head in heads:
                if not _known(table, s, o, registers[head[0]], registers[head[1]]):
                    new = True
            if not new:
                continue
        if d < last:
            d += 1
            entering = True
            continue
        for head in heads:
            a, b = registers[head[0]], registers[head[1]]
            if head[2] == 1 and literal[a]:
                continue
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
                    there = entry & _LOW
                    if s[there] == a and o[there] == b:
                        break
                slot = (slot + 1) & mask
    state[LEVEL], state[ENTERING], state[ROWS] = d, entering, n
    return done


@njit(cache=True)
def distinct(column: NDArray[np.int32]) -> Any:
    """About how many different values a column has, by linear counting (Whang et al., 1990) in n bits or more."""
    words = 16
    while words * 64 < len(column):
        words *= 2
    bits = np.zeros(words, np.uint64)
    mask = np.uint64(words * 64 - 1)
    used = 0
    for value in column:
        at = _hash(value, 0) & mask
        bit = np.uint64(1) << (at & np.uint64(63))
        word = at >> np.uint64(6)
        used += (bits[word] & bit) == 0
        bits[word] |= bit
    total = words * 64
    return round(-total * np.log(max(total - used, 1) / total))
