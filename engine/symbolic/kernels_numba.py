"""The inner loops over id columns, compiled by numba and cached on disk beside this file.

A relation's rows are two parallel columns in insertion order. Three kinds of index point into them:

- a *row table*: open addressing from the pair (s, o) to its row, for membership and deduplication. A slot holds the
  upper half of the pair's hash beside the row, so that a miss is told without looking at the columns, and that half
  picks the slot, so that a table grows in one ordered pass;
- *groups*, a small table for each subject (`row_index.GroupedRows`), where a large part of all ids are subjects: the
  pairs of one subject, which a join looks at one after the other, are near each other in memory;
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
    "chain_longest",
    "components",
    "distinct",
    "find_rows",
    "group_fill",
    "group_find",
    "group_insert",
    "group_widen",
    "insert_rows",
    "join_insert",
    "member_find",
    "member_insert",
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


_load8 = _load(8)
_load32 = _load(32)
_load64 = _load(64)


def _store(width: int) -> Any:
    @intrinsic
    def store(typing_context, address, index, value):  # type: ignore[no-untyped-def]
        """Write an element of an array of signed integers at an address."""

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            element = ir.IntType(width)
            base = builder.inttoptr(arguments[0], element.as_pointer())
            value = arguments[2] if width == 64 else builder.trunc(arguments[2], element)
            builder.store(value, builder.gep(base, [arguments[1]], source_etype=element))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), generate

    return store


_store32 = _store(32)
_store64 = _store(64)


AT, LEFT, WIDEST, SPAN, FREED = 0, 1, 2, 3, 4
"""The state of the groups of a relation (see `row_index.GroupedRows`)."""
DIRECT = 63
"""The width of a group that has a number for each id instead of slots."""
_ONE, _TWO, _SIX, _BITS = np.int64(1), np.int64(2), np.int64(6), np.int64(63)


@njit(cache=True, inline="always")
def _place(o, width):  # type: ignore[no-untyped-def]
    """The slot of an object in a group of 2^width slots, counted from its beginning (Fibonacci hashing)."""
    return np.int64((np.uint64(o) * _A) >> np.uint64(64 - width))


@njit(cache=True)
def _group_row(head: int, b: int) -> Any:
    """The row of an object in a group, -1 for none."""
    if head == 0:
        return -1
    width, begin = head & _BITS, head >> _SIX
    if width == DIRECT:
        return _load32(begin, b) - 1
    mask = (_ONE << width) - 1
    slot = _place(b, width)
    while True:
        entry = _load64(begin, slot)
        if entry == -1:
            return -1
        if (entry >> 32) == b:
            return entry & _LOW
        slot = (slot + 1) & mask


@njit(cache=True)
def _group_room(state: int, width: int) -> Any:
    """The address of an empty group of 2^width slots, for which there is room."""
    begin, slots = _load64(state, FREED + width), _ONE << width
    if begin >= 0:
        _store64(state, FREED + width, _load64(begin, 0))
    else:
        begin = _load64(state, AT)
        _store64(state, AT, begin + 8 * slots)
        _store64(state, LEFT, _load64(state, LEFT) - slots)
        _store64(state, WIDEST, max(_load64(state, WIDEST), width))
    for slot in range(slots):
        _store64(begin, slot, -1)
    return begin


@njit(cache=True)
def _direct_room(state: int) -> Any:
    """The address of a group with a number for each id, all 0, for which there is room."""
    begin, slots = _load64(state, AT), (_load64(state, SPAN) + 1) >> 1
    _store64(state, AT, begin + 8 * slots)
    _store64(state, LEFT, _load64(state, LEFT) - slots)
    for slot in range(slots):
        _store64(begin, slot, 0)
    return begin


@njit(cache=True)
def group_widen(heads: NDArray[np.int64], state: NDArray[np.int64], span: int) -> None:
    """Give the groups with a number for each id numbers for more ids; there is room for them."""
    before = state[SPAN]
    state[SPAN] = span
    for a in range(len(heads)):
        if heads[a] & _BITS == DIRECT:
            begin = _direct_room(state.ctypes.data)
            for id in range(before):
                _store32(begin, id, _load32(heads[a] >> _SIX, id))
            heads[a] = (begin << _SIX) | DIRECT


@njit(cache=True)
def _group_put(begin: int, width: int, entry: int) -> None:
    if width == DIRECT:
        _store32(begin, entry >> 32, (entry & _LOW) + 1)
        return
    mask = (_ONE << width) - 1
    slot = _place(entry >> 32, width)
    while _load64(begin, slot) != -1:
        slot = (slot + 1) & mask
    _store64(begin, slot, entry)


@njit(cache=True)
def _group_enter(heads: int, counts: int, state: int, a: int, b: int, row: int) -> None:
    """Enter a pair that is not there; there is room for a group of twice the width of the widest.

    Args:
        heads, counts, state: addresses of the arrays of a `GroupedRows`.
    """
    head, count = _load64(heads, a), _load32(counts, a)
    if head == 0:
        width = _TWO
        begin = _group_room(state, width)
        _store64(heads, a, (begin << _SIX) | width)
    else:
        width, begin = head & _BITS, head >> _SIX
        if width < DIRECT and 3 * (count + 1) > _TWO << width:
            old, slots = begin, _ONE << width
            if _load64(state, SPAN) <= slots << 2:
                width, begin = np.int64(DIRECT), _direct_room(state)
            else:
                width, begin = width + 1, _group_room(state, width + 1)
            for slot in range(slots):
                entry = _load64(old, slot)
                if entry != -1:
                    _group_put(begin, width, entry)
            free = FREED + (head & _BITS)
            _store64(old, 0, _load64(state, free))
            _store64(state, free, old)
            _store64(heads, a, (begin << _SIX) | width)
    _group_put(begin, width, (b << 32) | row)
    _store32(counts, a, count + 1)


@njit(cache=True)
def group_fill(
    heads: NDArray[np.int64],
    counts: NDArray[np.int32],
    state: NDArray[np.int64],
    s: Column,
    o: Column,
    start: int,
    end: int,
) -> int:
    """Enter rows from `start` on, which are distinct and not there, until `end` or until there is no room; where."""
    heads_at, counts_at, state_at = heads.ctypes.data, counts.ctypes.data, state.ctypes.data
    for row in range(start, end):
        if _TWO << state[WIDEST] > state[LEFT]:
            return row
        _group_enter(heads_at, counts_at, state_at, np.int64(s[row]), np.int64(o[row]), row)
    return end


@njit(cache=True)
def group_insert(
    heads: NDArray[np.int64],
    counts: NDArray[np.int32],
    state: NDArray[np.int64],
    s: Column,
    o: Column,
    n: int,
    new_s: Column,
    new_o: Column,
    at: int,
) -> tuple[int, int]:
    """Append the pairs from `at` on that are not there yet, until there is no room; the next one, and rows."""
    heads_at, counts_at, state_at = heads.ctypes.data, counts.ctypes.data, state.ctypes.data
    for i in range(at, len(new_s)):
        if _TWO << state[WIDEST] > state[LEFT]:
            return i, n
        a, b = new_s[i], new_o[i]
        if _group_row(heads[a], b) < 0:
            _group_enter(heads_at, counts_at, state_at, a, b, n)
            s[n], o[n] = a, b
            n += 1
    return len(new_s), n


@njit(cache=True)
def group_find(heads: NDArray[np.int64], key_s: Column, key_o: Column) -> NDArray[np.int32]:
    """The row of each pair, or -1; shape (num_keys,)."""
    rows = np.full(len(key_s), -1, np.int32)
    for i in range(len(key_s)):
        if 0 <= key_s[i] < len(heads) and 0 <= key_o[i] < len(heads):
            rows[i] = _group_row(heads[key_s[i]], key_o[i])
    return rows


@njit(cache=True)
def member_insert(numbers: NDArray[np.int32], s: Column, o: Column, n: int, new_s: Column, new_o: Column) -> int:
    """Append the members that are not there yet to the columns of a class; the new number of rows."""
    for i in range(len(new_s)):
        if numbers[new_s[i]] == 0:
            s[n], o[n] = new_s[i], new_o[i]
            n += 1
            numbers[new_s[i]] = n
    return n


@njit(cache=True)
def member_find(numbers: NDArray[np.int32], o: Column, key_s: Column, key_o: Column) -> NDArray[np.int32]:
    """The row of each member, or -1; shape (num_keys,)."""
    rows = np.full(len(key_s), -1, np.int32)
    for i in range(len(key_s)):
        if 0 <= key_s[i] < len(numbers):
            number = numbers[key_s[i]]
            if number and o[number - 1] == key_o[i]:
                rows[i] = number - 1
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
def chain_longest(previous: NDArray[np.int32], size: int) -> int:
    """Rows of the key that has most."""
    length, longest = np.ones(size, np.int32), 1
    for row in range(size):
        if previous[row] >= 0:
            length[row] += length[previous[row]]
            longest = max(longest, length[row])
    return longest


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


SCAN, BY_S, BY_O, TEST, TEST_GROUP, TEST_MEMBER = 0, 1, 2, 3, 4, 5
"""How an atom finds its rows: all of its slice, those with a given s, those with a given o, or the one with both, by
the hash table, the groups or the members of `row_index`."""
FREE, SAME, KNOWN = 0, 1, 2
"""What becomes of a row's value: it gives a variable its value, is compared with it, or is known to be equal."""

KIND, S_TERM, O_TERM, S_USE, O_USE, LO, HI, S_AT, O_AT, INDEX, PREVIOUS, SLOTS, NARROW, BACK = range(14)
"""The numbers of an atom: kind, registers of s and o, what becomes of s and o, slice, addresses of the columns, address
and slots of the row index (of the groups' heads) or of the chain's heads, address of the chain's previous rows,
1 if there is at most one row, and the last atom before it that may have more than one."""

LEVEL, ENTERING, ROWS, EXCESS = 0, 1, 2, 3
"""The state between calls: the atom at work, how to go on with it, rows of the head's relation, 1 if an atom had more
rows than the limit."""
GO_ON, ENTER, AGAIN = 0, 1, 2
"""How to go on with an atom: with the row after its last one, with its first one, or with the one it stopped at."""


TABLE, TABLE_SLOTS, GROUPS, COUNTS, GROUP_STATE, NUMBERS, S_COLUMN, O_COLUMN, ROOM = range(9)
"""The numbers of the relation that the heads add to: address and slots of its hash table; addresses of heads, counts
and state of its groups; address of its members' numbers (0 for the kinds of index it does not have); addresses of its
columns, and rows there is room for."""


@njit(cache=True)
def _first(atom: int, registers: int) -> Any:
    """The first row of an atom to look at, -1 for none; the arguments are addresses."""
    kind, lo, hi = _load64(atom, KIND), _load64(atom, LO), _load64(atom, HI)
    if kind == SCAN:
        return lo
    a, b = _load64(registers, _load64(atom, S_TERM)), _load64(registers, _load64(atom, O_TERM))
    index = _load64(atom, INDEX)
    if kind == TEST_GROUP:
        row = _group_row(_load64(index, a), b)
        return row if lo <= row < hi else -1
    if kind == TEST_MEMBER:
        row = _load32(index, a) - 1
        return row if lo <= row < hi else -1
    slots = _load64(atom, SLOTS)
    if kind == TEST:
        row = _table_row(index, slots, _load64(atom, S_AT), _load64(atom, O_AT), a, b)
        return row if lo <= row < hi else -1
    key, column = (a, _load64(atom, S_AT)) if kind == BY_S else (b, _load64(atom, O_AT))
    mask = slots - 1
    slot = np.int64(_hash(key, 0) & np.uint64(mask))
    row = _load32(index, slot)
    while row >= 0 and _load32(column, row) != key:
        slot = (slot + 1) & mask
        row = _load32(index, slot)
    previous = _load64(atom, PREVIOUS)
    while row >= hi:
        row = _load32(previous, row)
    return row


@njit(cache=True)
def _next(kind: int, previous: int, row: int) -> Any:
    """The row of an atom after another, -1 for none."""
    if kind == SCAN:
        return row + 1
    return np.int64(-1) if kind >= TEST else _load32(previous, row)


@njit(cache=True)
def _table_row(table: int, slots: int, s: int, o: int, a: int, b: int) -> Any:
    """The row of a pair in a hash table, -1 for none."""
    mark, mask = _mark(a, b), slots - 1
    slot = mark >> _shift(slots)
    entry = _load64(table, slot)
    while entry != -1:
        row = entry & _LOW
        if ((entry >> 32) & _LOW) == mark and _load32(s, row) == a and _load32(o, row) == b:
            return row
        slot = (slot + 1) & mask
        entry = _load64(table, slot)
    return -1


@njit(cache=True)
def _bind(atom: int, registers: int, row: int) -> Any:
    """Give the variables of an atom the values of a row; false where a value does not fit."""
    use = _load64(atom, S_USE)
    if use != KNOWN:
        value, register = _load32(_load64(atom, S_AT), row), _load64(atom, S_TERM)
        if use == FREE:
            _store64(registers, register, value)
        elif value != _load64(registers, register):
            return False
    use = _load64(atom, O_USE)
    if use != KNOWN:
        value, register = _load32(_load64(atom, O_AT), row), _load64(atom, O_TERM)
        if use == FREE:
            _store64(registers, register, value)
        elif value != _load64(registers, register):
            return False
    return True


@njit(cache=True)
def _meets(atom: int, registers: int) -> Any:
    """Whether an atom with one row at most has it; its variables get their values."""
    row = _first(atom, registers)
    return row >= _load64(atom, LO) and _bind(atom, registers, row)


@njit(cache=True)
def _any_new(heads: int, num_heads: int, registers: int, target: int) -> Any:
    """Whether a head is not there yet."""
    for h in range(num_heads):
        a, b = _load64(registers, _load64(heads, 3 * h)), _load64(registers, _load64(heads, 3 * h + 1))
        if _load64(target, NUMBERS):
            known = _load32(_load64(target, NUMBERS), a) > 0
        elif _load64(target, GROUPS):
            known = _group_row(_load64(_load64(target, GROUPS), a), b) >= 0
        else:
            s, o = _load64(target, S_COLUMN), _load64(target, O_COLUMN)
            known = _table_row(_load64(target, TABLE), _load64(target, TABLE_SLOTS), s, o, a, b) >= 0
        if not known:
            return True
    return False


@njit(cache=True)
def _insert(target: int, n: int, a: int, b: int) -> Any:
    """Append a pair that is not there yet, for which there is room; the new number of rows."""
    s, o = _load64(target, S_COLUMN), _load64(target, O_COLUMN)
    numbers, groups = _load64(target, NUMBERS), _load64(target, GROUPS)
    if numbers:
        if _load32(numbers, a):
            return n
        _store32(numbers, a, n + 1)
    elif groups:
        head = _load64(groups, a)
        if head & _BITS == DIRECT:
            if _load32(head >> _SIX, b):
                return n
            _store32(head >> _SIX, b, n + 1)
        else:
            if _group_row(head, b) >= 0:
                return n
            _group_enter(groups, _load64(target, COUNTS), _load64(target, GROUP_STATE), a, b, n)
    else:
        table, slots = _load64(target, TABLE), _load64(target, TABLE_SLOTS)
        mark, mask = _mark(a, b), slots - 1
        slot = mark >> _shift(slots)
        entry = _load64(table, slot)
        while entry != -1:
            row = entry & _LOW
            if ((entry >> 32) & _LOW) == mark and _load32(s, row) == a and _load32(o, row) == b:
                return n
            slot = (slot + 1) & mask
            entry = _load64(table, slot)
        _store64(table, slot, (mark << 32) | n)
    _store32(s, n, a)
    _store32(o, n, b)
    return n + 1


@njit(cache=True)
def _full(target: int, n: int, num_heads: int) -> Any:
    """Whether there is no room for another row from each head."""
    state = _load64(target, GROUP_STATE)
    return n + num_heads > _load64(target, ROOM) or (
        state != 0 and (2 * num_heads) << _load64(state, WIDEST) > _load64(state, LEFT)
    )


@njit(cache=True)
def join_insert(
    atoms: NDArray[np.int64],
    registers: NDArray[np.int64],
    heads: NDArray[np.int64],
    literal: NDArray[np.bool_],
    early: int,
    target: NDArray[np.int64],
    state: NDArray[np.int64],
    cursor: NDArray[np.int64],
    counts: NDArray[np.int64],
    limit: int,
    pause: int,
) -> bool:
    """Go on with an application; true when it is finished, else it is to be called again with more room.

    Inside, arrays go by their addresses: passing one to a function costs more than most of them do.

    Args:
        atoms: the body in join order, shape (num_atoms, 14).
        registers: values of constants and variables; written to.
        heads: registers of s and o of each head atom, and 1 where s may turn out a literal; shape (num_heads, 3).
        literal: whether each id is a literal, for those heads.
        early: the atom after which every head is known, so that what is there already need not be joined further.
        target: the relation of the heads (see `TABLE`); its arrays are written to.
        state, cursor, counts: where the loop stands (see `LEVEL`), each atom's row, and rows of each atom so far.
        limit: rows of one atom. pause: rows of the last wide atom after which to return, to look at a budget.
    """
    last, num_heads = len(atoms) - 1, len(heads)
    inner = atoms[last, BACK] if atoms[last, NARROW] else last
    at, values, new, literals = atoms.ctypes.data, registers.ctypes.data, heads.ctypes.data, literal.ctypes.data
    line = 8 * atoms.shape[1]
    to, here = target.ctypes.data, at + inner * line
    d, entering, n = state[LEVEL], state[ENTERING], state[ROWS]
    kind, lo, hi, previous = atoms[inner, KIND], atoms[inner, LO], atoms[inner, HI], atoms[inner, PREVIOUS]
    rows = counts[inner]
    stop = rows + pause
    while True:
        while d < inner:  # the atoms before the last one with many rows
            atom = at + d * line
            row = _first(atom, values) if entering == ENTER else _next(atoms[d, KIND], atoms[d, PREVIOUS], cursor[d])
            if row < atoms[d, LO] or (atoms[d, KIND] == SCAN and row >= atoms[d, HI]):
                if d == 0:
                    state[ROWS] = n
                    return True
                d, entering = atoms[d, BACK], GO_ON
                continue
            cursor[d], entering = row, GO_ON
            if not _bind(atom, values, row):
                continue
            counts[d] += 1
            if counts[d] > limit:
                state[EXCESS], state[ROWS] = 1, n
                return True
            if d == early and not _any_new(new, num_heads, values, to):
                continue
            end = d + 1
            while atoms[end, NARROW] and _meets(at + end * line, values):
                if end == early and not _any_new(new, num_heads, values, to):
                    break
                end += 1
            if not atoms[end, NARROW]:
                d, entering = end, ENTER
        if entering == ENTER:
            row = _first(here, values)
        elif entering == AGAIN:
            row = cursor[inner]
        else:
            row = _next(kind, previous, cursor[inner])
        while row >= lo and (kind != SCAN or row < hi):
            if rows >= stop or _full(to, n, num_heads):
                cursor[inner], counts[inner] = row, rows
                state[LEVEL], state[ENTERING], state[ROWS] = inner, AGAIN, n
                return False
            fits = _bind(here, values, row)
            row = _next(kind, previous, row)
            if not fits:
                continue
            rows += 1
            if rows > limit:
                state[EXCESS], state[ROWS] = 1, n
                return True
            if inner == early and not _any_new(new, num_heads, values, to):
                continue
            end = inner + 1
            while end <= last and _meets(at + end * line, values):
                if end == early and not _any_new(new, num_heads, values, to):
                    break
                end += 1
            if end > last:
                for h in range(num_heads):
                    a, b = _load64(values, heads[h, 0]), _load64(values, heads[h, 1])
                    if heads[h, 2] == 0 or not _load8(literals, a):
                        n = _insert(to, n, a, b)
        if inner == 0:
            state[ROWS] = n
            return True
        d, entering = atoms[inner, BACK], GO_ON


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
