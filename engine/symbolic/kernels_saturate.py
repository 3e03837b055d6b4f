"""The inner loops of `saturate`: one interpreter of rule tables over one table of triples, compiled by numba.

A triple is a row of three ids. Rows are appended and processed in order: a row is entered into the indexes when it is
taken from the queue, so a rule application joins rows up to the one being processed, and each is found when its last
row is. Index chains run from new to old. An empty slot of a table is -1; tables have a power of two slots.

Terms of a pattern: an id, or -1 - v for the variable in slot v of `values`.
"""

# mypy: disable-error-code="untyped-decorator, no-any-return, assignment"
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.symbolic.tables import (
    CHECK,
    DIFFERENT,
    DONE,
    FILTER,
    FOUND,
    GROW,
    MERGE,
    SAME,
    SCAN,
    SP,
    TESTED,
    UNKNOWN,
    Arena,
    Memory,
    Plans,
)

__all__ = [
    *("append", "append_all", "count_names", "fill_table", "find_triple", "index_rows", "join_names"),
    *("rewrite", "saturate", "write_names"),
]

Array = NDArray[Any]

_A = np.uint64(0x9E3779B97F4A7C15)
_B = np.uint64(0xC2B2AE3D27D4EB4F)
_C = np.uint64(0x165667B19E3779F9)
_SHIFT = np.uint64(29)


@njit(cache=True, inline="always")
def _hash(a, b, c):  # type: ignore[no-untyped-def]  # numba infers the types; inlined into the kernels
    h = np.uint64(a) * _A + np.uint64(b) * _B + np.uint64(c) * _C
    h ^= h >> _SHIFT
    h *= _A
    return h ^ (h >> _SHIFT)


@njit(cache=True, inline="always")
def _key(k, s, p, o):  # type: ignore[no-untyped-def]
    if k == 0:
        return s, p
    if k == 1:
        return o, p
    if k == 2:
        return p, 0
    if k == 3:
        return s, 0
    return o, 0


@njit(cache=True)
def find_triple(arena: Arena, s: int, p: int, o: int) -> int:
    """The row of a triple, or -1."""
    table = arena.table
    mask = np.uint64(len(table) - 1)
    slot = _hash(s, p, o) & mask
    row = table[slot]
    while row >= 0 and (arena.s[row] != s or arena.p[row] != p or arena.o[row] != o):
        slot = (slot + np.uint64(1)) & mask
        row = table[slot]
    return row


@njit(cache=True)
def append(arena: Arena, n: int, s: int, p: int, o: int, rule: int) -> int:
    """Add a triple at row n unless it is there; the number of rows after it."""
    table = arena.table
    mask = np.uint64(len(table) - 1)
    slot = _hash(s, p, o) & mask
    row = table[slot]
    while row >= 0 and (arena.s[row] != s or arena.p[row] != p or arena.o[row] != o):
        slot = (slot + np.uint64(1)) & mask
        row = table[slot]
    if row >= 0:
        return n
    table[slot] = n
    arena.s[n], arena.p[n], arena.o[n], arena.rule[n], arena.dead[n] = s, p, o, rule, False
    return n + 1


@njit(cache=True)
def fill_table(arena: Arena, n: int) -> None:
    """Enter rows 0 … n - 1, which are distinct, into an empty table."""
    mask = np.uint64(len(arena.table) - 1)
    for row in range(n):
        slot = _hash(arena.s[row], arena.p[row], arena.o[row]) & mask
        while arena.table[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        arena.table[slot] = row


@njit(cache=True)
def index_row(arena: Arena, row: int) -> None:
    """Enter a row into the indexes that are kept."""
    mask = np.uint64(arena.heads.shape[1] - 1)
    for k in range(5):
        if arena.used[k]:
            a, b = _key(k, arena.s[row], arena.p[row], arena.o[row])
            slot = _hash(a, b, 0) & mask
            head = arena.heads[k, slot]
            while head >= 0:
                x, y = _key(k, arena.s[head], arena.p[head], arena.o[head])
                if x == a and y == b:
                    break
                slot = (slot + np.uint64(1)) & mask
                head = arena.heads[k, slot]
            arena.previous[k, row] = head
            arena.heads[k, slot] = row


@njit(cache=True)
def index_rows(arena: Arena, n: int) -> None:
    """Enter the rows before n into empty indexes, but for the dead."""
    for row in range(n):
        if not arena.dead[row]:
            index_row(arena, row)


@njit(cache=True, inline="always")
def _exists(  # type: ignore[no-untyped-def]
    rs, rp, ro, table, heads, previous, guard, guard_binds, guard_mode, first, last, values, cursor, limit
):
    """1 where the steps first … last - 1 have a match among the rows up to `limit`, else 0."""
    mask, index_mask = np.uint64(len(table) - 1), np.uint64(heads.shape[1] - 1)
    at, entering = np.int64(first), True
    while first <= at < last:
        mode = guard_mode[at]
        found = -1
        if entering:
            ta, tb, tc = guard[at, 0], guard[at, 1], guard[at, 2]
            a = np.int64(ta) if ta >= 0 else values[-ta - 1]
            b = np.int64(tb) if tb >= 0 else values[-tb - 1]
            c = np.int64(tc) if tc >= 0 else values[-tc - 1]
            if mode == CHECK:
                slot = _hash(a, b, c) & mask
                found = np.int64(table[slot])
                while found >= 0 and (rs[found] != a or rp[found] != b or ro[found] != c):
                    slot = (slot + np.uint64(1)) & mask
                    found = np.int64(table[slot])
                if found > limit:
                    found = -1
            else:
                a, b = _key(mode, a, b, c)
                slot = _hash(a, b, 0) & index_mask
                found = np.int64(heads[mode, slot])
                while found >= 0:
                    x, y = _key(mode, rs[found], rp[found], ro[found])
                    if x == a and y == b:
                        break
                    slot = (slot + np.uint64(1)) & index_mask
                    found = np.int64(heads[mode, slot])
        elif mode != CHECK:
            found = np.int64(previous[mode, cursor[at - first]])
        if found >= 0 and mode != CHECK:  # the index has compared all but what is bound here
            if guard_binds[at, 0]:
                values[-guard[at, 0] - 1] = rs[found]
            if guard_binds[at, 2]:
                values[-guard[at, 2] - 1] = ro[found]
        entering = found >= 0
        if entering:
            cursor[at - first] = found
            at += 1
        else:
            at -= 1
    return 1 if at >= last else 0


@njit(cache=True)
def saturate(
    arena: Arena,
    plans: Plans,
    kinds: Array,
    name: Array,
    same: int,
    state: Array,
    values: Array,
    cursor: Array,
    fired: Array,
    memory: Memory,
    asked: Array,
    work: int,
    goal: int,
    goal_s: int,
    goal_p: int,
    goal_o: int,
) -> int:
    """Process rows from the queue until it is empty or something is needed; see `DONE` and its like.

    All in one function, because each call with this many arrays would cost more than what it does.

    Args:
        name: the term each term goes by. same: a predicate whose rows join two terms into one, -1 for none.
        state: rows, next row to process, rows indexed, version of the guards; changed here.
        fired: matches of each rule. memory: see there. asked: (test, term) where a test is needed.
        work: rows to process at most before coming back with `DONE`.
        goal: -1; or a pivot that is the triple (goal_s, goal_p, goal_o), for which a match among the rows up to
            state[1] is looked for and left in `values`: `FOUND` or `DONE`. Nothing is added then.
    """
    rs, rp, ro, rrule, dead, table = arena.s, arena.p, arena.o, arena.rule, arena.dead, arena.table
    heads, previous, used = arena.heads, arena.previous, arena.used
    pivot, pivot_binds, pivot_rule = plans.pivot, plans.pivot_binds, plans.pivot_rule
    pivot_steps, pivot_filters = plans.pivot_steps, plans.pivot_filters
    step, step_binds, step_mode, step_filters = plans.step, plans.step_binds, plans.step_mode, plans.step_filters
    conditions, tests, head_of, head, detects = plans.filter, plans.tests, plans.head_of, plans.head, plans.detects
    by_p, by_p_pivot, by_o, by_o_pivot, wild = plans.by_p, plans.by_p_pivot, plans.by_o, plans.by_o_pivot, plans.wild
    mask, index_mask = np.uint64(len(table) - 1), np.uint64(heads.shape[1] - 1)
    guard, guard_binds, guard_mode, guards = plans.guard, plans.guard_binds, plans.guard_mode, plans.guards
    pivot_guards, scratch, reached = plans.pivot_guards, memory.scratch, memory.reached
    live, fresh, several, blurred, type_id = memory.live, memory.fresh, memory.several, memory.blurred, memory.type_id
    one = np.uint64(1)
    n, row = state[0], state[1]
    end = min(n, row + work) if goal < 0 else row + 1
    while row < end:
        s, p, o = np.int64(rs[row]), np.int64(rp[row]), np.int64(ro[row])
        parts = 3
        if goal >= 0:
            s, p, o, parts = goal_s, goal_p, goal_o, 1
        elif dead[row]:
            row += 1
            continue
        elif p == same and s != o:
            state[0], state[1] = n, row
            return MERGE
        elif row >= state[2]:
            for k in range(5):
                if used[k]:
                    a, b = _key(k, s, p, o)
                    slot = _hash(a, b, 0) & index_mask
                    found = heads[k, slot]
                    while found >= 0:
                        x, y = _key(k, rs[found], rp[found], ro[found])
                        if x == a and y == b:
                            break
                        slot = (slot + one) & index_mask
                        found = heads[k, slot]
                    previous[k, row] = found
                    heads[k, slot] = row
            state[2] = row + 1
            if guards[p] & 1:
                fresh[0, s] = fresh[1, s] = 0
            if guards[p] & 2:
                fresh[0, o] = fresh[1, o] = 0
            if guards[p] & 4:
                state[3] += 1
        for part in range(parts):
            if goal >= 0:
                lo, hi = goal, goal + 1
            elif part == 0:
                lo, hi = by_p[p], by_p[p + 1]
            elif part == 1:
                lo, hi = by_o[o], by_o[o + 1]
            else:
                lo, hi = wild[0], wild[1]
            alive = ~np.uint64(0)
            if goal < 0 and (part == 2 or (part == 0 and p == type_id)):
                role, key = (0, p) if part == 2 else (1, o)
                if fresh[role, key] != state[3]:  # which pivots of this predicate or class can match at all
                    alive = live[role, key]
                    for bit in range(min(64, hi - lo)):
                        if not (alive >> np.uint64(bit)) & one:
                            pv = np.int64(lo + bit) if part == 2 else np.int64(by_p_pivot[lo + bit])
                            first, last = pivot_guards[pv, 0], pivot_guards[pv, 1]
                            scratch[0] = key
                            found = 1
                            if first < last:
                                found = _exists(rs, rp, ro, table, heads, previous, guard, guard_binds, guard_mode, first, last, scratch, reached, row)  # noqa: E501  # fmt: skip
                            if found:
                                alive |= one << np.uint64(bit)
                    live[role, key] = alive
                    fresh[role, key] = state[3]
                alive = live[role, key]
            for entry in range(lo, hi):
                if entry - lo < 64 and not (alive >> np.uint64(entry - lo)) & one:
                    continue
                pv = entry if goal >= 0 or part == 2 else (by_p_pivot[entry] if part == 0 else by_o_pivot[entry])
                rule = pivot_rule[pv]
                if detects[rule] and fired[rule] > 0:
                    continue
                fits = True
                for i in range(3):
                    id = s if i == 0 else (p if i == 1 else o)
                    term = pivot[pv, i]
                    if term >= 0:
                        fits = term == id
                    elif pivot_binds[pv, i]:
                        values[-term - 1] = id
                    else:
                        fits = values[-term - 1] == id
                    if not fits:
                        break
                if not fits:
                    continue
                first, last = pivot_steps[pv, 0], pivot_steps[pv, 1]
                at, entering = first, True
                while at >= first:
                    if entering:  # 1. the filters that what was bound last decides
                        f, f_end = (
                            (pivot_filters[pv, 0], pivot_filters[pv, 1])
                            if at == first
                            else (step_filters[at - 1, 0], step_filters[at - 1, 1])
                        )
                        passes = True
                        while f < f_end and passes:
                            kind, ta, tb = conditions[f, 0], conditions[f, 1], conditions[f, 2]
                            a = np.int64(ta) if ta >= 0 else values[-ta - 1]
                            if kind == TESTED:
                                outcome = tests[tb, a]
                                if outcome == UNKNOWN:
                                    asked[0], asked[1] = tb, a
                                    state[0], state[1] = n, row
                                    return FILTER
                                passes = outcome == 1
                            else:
                                b = np.int64(tb) if tb >= 0 else values[-tb - 1]
                                if kind == DIFFERENT:
                                    passes = a != b
                                    if not passes and several[a] and conditions[f, 3] == 0:
                                        blurred[rule] = True
                                elif kind == SAME:
                                    passes = a == b
                                else:  # the thing is in every class that the list has
                                    members, a_type = conditions[f, 3], conditions[f, 4]
                                    slot = _hash(b, members, 0) & index_mask
                                    cell = heads[SP, slot]
                                    while cell >= 0 and (rs[cell] != b or rp[cell] != members):
                                        slot = (slot + one) & index_mask
                                        cell = heads[SP, slot]
                                    while cell >= 0 and passes:
                                        c = ro[cell]
                                        slot = _hash(a, a_type, c) & mask
                                        found = table[slot]
                                        while found >= 0 and (rs[found] != a or rp[found] != a_type or ro[found] != c):
                                            slot = (slot + one) & mask
                                            found = table[slot]
                                        passes = 0 <= found <= row
                                        cell = previous[SP, cell]
                            f += 1
                        if not passes:
                            at -= 1
                            entering = False
                            continue
                        if at == last:  # 2. a match
                            if goal >= 0:
                                return FOUND
                            fired[rule] += 1
                            if detects[rule]:
                                break
                            if n + head_of[rule + 1] - head_of[rule] > len(rs):
                                state[0], state[1] = n, row
                                return GROW
                            for h in range(head_of[rule], head_of[rule + 1]):
                                ta, tb, tc = head[h, 0], head[h, 1], head[h, 2]
                                a = np.int64(name[ta if ta >= 0 else values[-ta - 1]])
                                b = np.int64(tb) if tb >= 0 else values[-tb - 1]
                                c = np.int64(name[tc if tc >= 0 else values[-tc - 1]])
                                if kinds[a] == 2 or kinds[b] != 0:  # no literal is a subject, only an IRI a predicate
                                    continue
                                slot = _hash(a, b, c) & mask
                                found = table[slot]
                                while found >= 0 and (rs[found] != a or rp[found] != b or ro[found] != c):
                                    slot = (slot + one) & mask
                                    found = table[slot]
                                if found < 0:
                                    table[slot] = n
                                    rs[n], rp[n], ro[n], rrule[n], dead[n] = a, b, c, rule, False
                                    n += 1
                            at -= 1
                            entering = False
                            continue
                    mode = step_mode[at]  # 3. the next row for the step
                    found = -1
                    if mode == SCAN:
                        found = row if entering else cursor[at - first] - 1
                    elif entering:
                        ta, tb, tc = step[at, 0], step[at, 1], step[at, 2]
                        a = np.int64(ta) if ta >= 0 else values[-ta - 1]
                        b = np.int64(tb) if tb >= 0 else values[-tb - 1]
                        c = np.int64(tc) if tc >= 0 else values[-tc - 1]
                        if mode == CHECK:
                            slot = _hash(a, b, c) & mask
                            found = np.int64(table[slot])
                            while found >= 0 and (rs[found] != a or rp[found] != b or ro[found] != c):
                                slot = (slot + one) & mask
                                found = np.int64(table[slot])
                            if found > row:
                                found = -1
                        else:
                            a, b = _key(mode, a, b, c)
                            slot = _hash(a, b, 0) & index_mask
                            found = np.int64(heads[mode, slot])
                            while found >= 0:
                                x, y = _key(mode, rs[found], rp[found], ro[found])
                                if x == a and y == b:
                                    break
                                slot = (slot + one) & index_mask
                                found = np.int64(heads[mode, slot])
                    elif mode != CHECK:
                        found = np.int64(previous[mode, cursor[at - first]])
                    while found >= 0:
                        fits = found <= row and not dead[found]
                        if fits:
                            for i in range(3):
                                id = np.int64(rs[found] if i == 0 else (rp[found] if i == 1 else ro[found]))
                                term = step[at, i]
                                if term >= 0:
                                    fits = term == id
                                elif step_binds[at, i]:
                                    values[-term - 1] = id
                                else:
                                    fits = values[-term - 1] == id
                                if not fits:
                                    break
                            if fits:
                                break
                        older = found - 1 if mode == SCAN else np.int64(previous[min(mode, 4), found])
                        found = -1 if mode == CHECK else older
                    if found < 0:
                        at -= 1
                        entering = False
                    else:
                        cursor[at - first] = found
                        at += 1
                        entering = True
        row += 1
        if goal < 0:
            end = max(end, min(n, state[1] + work))
    state[0], state[1] = n, row
    return DONE


@njit(cache=True)
def append_all(arena: Arena, n: int, s: Array, p: Array, o: Array, rule: int) -> int:
    """Add triples from row n on, for which there is room; the number of rows after it."""
    for i in range(len(s)):
        n = append(arena, n, s[i], p[i], o[i], rule)
    return n


@njit(cache=True)
def _root(name: Array, term: int) -> int:
    while name[term] != term:
        name[term] = name[name[term]]
        term = name[term]
    return term


@njit(cache=True)
def join_names(name: Array, kinds: Array, s: Array, o: Array) -> NDArray[np.bool_]:
    """Join the sets of s[i] and o[i] (union-find); whether each pair joined two sets. `name` is flat afterwards.

    A set goes by its least IRI, or where it has none by its least blank node.
    """
    joined = np.zeros(len(s), np.bool_)
    for i in range(len(s)):
        a, b = _root(name, s[i]), _root(name, o[i])
        if a != b:
            joined[i] = True
            if (kinds[b], b) < (kinds[a], a):
                a, b = b, a
            name[b] = a
    for term in range(len(name)):
        name[term] = _root(name, term)
    return joined


@njit(cache=True)
def rewrite(arena: Arena, n: int, name: Array, rewritten: int) -> int:
    """Put every row that has a term with another name under the new names; the number of rows after it."""
    end = n
    for row in range(end):
        if not arena.dead[row]:
            s, o = name[arena.s[row]], name[arena.o[row]]
            if s != arena.s[row] or o != arena.o[row]:
                arena.dead[row] = True
                n = append(arena, n, s, arena.p[row], o, rewritten - row)
    return n


@njit(cache=True)
def count_names(arena: Arena, n: int, starts: Array, made_up: int) -> int:
    """How many triples the rows stand for under all names; the first rows, which are made up, left out."""
    total = 0
    for row in range(made_up, n):
        if not arena.dead[row]:
            s, o = arena.s[row], arena.o[row]
            total += (starts[s + 1] - starts[s]) * (starts[o + 1] - starts[o])
    return total


@njit(cache=True)
def write_names(
    arena: Arena, n: int, starts: Array, members: Array, made_up: int, given: int, same: int, total: int
) -> tuple[Array, Array]:
    """The triples under all names that were not asserted, shape (3, num_triples), and what gave each.

    The names of a term t are `members[starts[t]:starts[t + 1]]`, none for a term that goes by another.
    """
    out, gave = np.empty((3, total), np.int32), np.empty(total, np.int32)
    at = 0
    for row in range(made_up, n):
        if arena.dead[row]:
            continue
        s, p, o, rule = arena.s[row], arena.p[row], arena.o[row], arena.rule[row]
        alone = starts[s + 1] - starts[s] == 1 and starts[o + 1] - starts[o] == 1
        if alone:
            if row >= given:
                out[0, at], out[1, at], out[2, at], gave[at] = s, p, o, rule
                at += 1
            continue
        for i in range(starts[s], starts[s + 1]):
            for j in range(starts[o], starts[o + 1]):
                a, b = members[i], members[j]
                found = find_triple(arena, a, p, b)
                if 0 <= found < given:
                    continue
                if found >= 0 and arena.rule[found] >= 0:
                    rule = arena.rule[found]
                elif p == same:
                    rule = -1
                else:
                    rule = -3 if b != o else -2
                out[0, at], out[1, at], out[2, at], gave[at] = a, p, b, rule
                at += 1
    return out[:, :at], gave[:at]
