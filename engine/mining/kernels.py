"""The loops of rule mining over the arrays of an `Incidence`, compiled by numba and cached beside this file.

The entities of a rule's variables differ from each other. So the edge that a rule predicts is never part of the path
that predicts it. A body is up to three steps, filled up with -1.
"""

# mypy: disable-error-code="untyped-decorator, no-any-return, assignment"
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["bodies_between", "count_bodies", "count_features"]

Array = NDArray[Any]
_MIX = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, inline="always")
def _slot(keys, key):  # type: ignore[no-untyped-def]  # numba infers the types; inlined into the kernels
    """Where a key is in a table of a power of two slots, or the empty slot (-1) where it belongs."""
    mask = len(keys) - 1
    h = np.uint64(key) * _MIX
    slot = np.int64((h ^ (h >> np.uint64(29))) & np.uint64(mask))
    while keys[slot] != -1 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, inline="always")
def span(step, low, high, wanted):  # type: ignore[no-untyped-def]
    """The rows low … high of an ascending column that have a value: (begin, end)."""
    a, b = low, high
    while a < b:
        middle = (a + b) >> 1
        if step[middle] < wanted:
            a = middle + 1
        else:
            b = middle
    begin, b = a, high
    while a < b:
        middle = (a + b) >> 1
        if step[middle] <= wanted:
            a = middle + 1
        else:
            b = middle
    return begin, a


@njit(cache=True)
def bodies_between(
    offset: Array,
    near: Array,
    near_step: Array,
    num_steps: int,
    xs: Array,
    ys: Array,
    longest: int,
    tries: int,
    seed: int,
) -> tuple[Array, Array]:
    """Bodies of 2 steps (and of 3, if `longest` is) that lead from x to y, and for how many of the pairs they do.

    Where an x has more than `tries` edges, a body of 3 steps sets out along that many random ones. The key of a body
    (d1, d2, d3) is its digits to the base `num_steps + 1`, with `num_steps` for no third step.
    """
    np.random.seed(seed)
    base, half = num_steps + 1, num_steps // 2
    keys, count, last = np.full(1024, -1, np.int64), np.zeros(1024, np.int64), np.zeros(1024, np.int64)
    found = np.empty(1024, np.int64)
    used = 0
    for pair in range(len(xs)):
        x, y = xs[pair], ys[pair]
        n = 0
        for middle in range(longest - 1):  # the number of entities between the first step and the last two
            sets_out = offset[x + 1] - offset[x]
            draws = sets_out if middle == 0 or sets_out <= tries else tries
            if middle == 0:
                draws = 1
            for draw in range(draws):
                edge = offset[x] + (draw if draws == sets_out else np.random.randint(sets_out))
                a = x if middle == 0 else near[edge]
                if a == y:
                    continue
                # entities that are next to both a and y: look up those of the one in those of the other
                one, other = (a, y) if offset[a + 1] - offset[a] <= offset[y + 1] - offset[y] else (y, a)
                i, top = offset[one], offset[one + 1]
                low, high = offset[other], offset[other + 1]
                while i < top:
                    b, begin = near[i], i
                    while i < top and near[i] == b:
                        i += 1
                    if b in (x, y, a):
                        continue
                    left, right = span(near, low, high, b)
                    low = right
                    for p in range(begin, i):
                        for q in range(left, right):
                            from_a = near_step[p] if one == a else near_step[q]
                            from_y = near_step[q] if one == a else near_step[p]
                            to_y = (from_y + half) % num_steps
                            if middle == 0:
                                key = (np.int64(from_a) * base + to_y) * base + num_steps
                            else:
                                key = (np.int64(near_step[edge]) * base + from_a) * base + to_y
                            if n == len(found):
                                wider = np.empty(2 * n, np.int64)
                                wider[:n] = found
                                found = wider
                            found[n] = key
                            n += 1
        for k in range(n):
            slot = _slot(keys, found[k])
            if keys[slot] == -1:
                keys[slot] = found[k]
                used += 1
            if last[slot] != pair + 1:
                last[slot] = pair + 1
                count[slot] += 1
            if 2 * used > len(keys):
                old_keys, old_count, old_last = keys, count, last
                keys = np.full(2 * len(old_keys), -1, np.int64)
                count, last = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int64)
                for at in range(len(old_keys)):
                    if old_keys[at] != -1:
                        slot = _slot(keys, old_keys[at])
                        keys[slot], count[slot], last[slot] = old_keys[at], old_count[at], old_last[at]
    full = keys != -1
    return keys[full], count[full]


@njit(cache=True, inline="always")
def follow(offset, step, end, x, body, a, stamp, mark, ys, n):  # type: ignore[no-untyped-def]
    """The entities that a body leads to from x by way of its first end a, each once: (how many, rows looked at).

    They are written into `ys` from place n on; `stamp` of each becomes `mark`.
    """
    rows = 1
    if body[1] < 0:
        if stamp[a] != mark:
            stamp[a] = mark
            ys[n] = a
            n += 1
        return n, rows
    begin, stop = span(step, offset[a], offset[a + 1], body[1])
    for i in range(begin, stop):
        b = end[i]
        if b == x:
            continue
        if body[2] < 0:
            rows += 1
            if stamp[b] != mark:
                stamp[b] = mark
                ys[n] = b
                n += 1
            continue
        low, high = span(step, offset[b], offset[b + 1], body[2])
        rows += high - low + 4
        for j in range(low, high):
            y = end[j]
            if y != x and y != a and stamp[y] != mark:
                stamp[y] = mark
                ys[n] = y
                n += 1
    return n, rows


@njit(cache=True)
def count_bodies(
    offset: Array,
    step: Array,
    end: Array,
    start_offset: Array,
    start_entity: Array,
    first: Array,
    reached: Array,
    shuffled: Array,
    bodies: Array,
    head_offset: Array,
    heads: Array,
    work: int,
) -> tuple[Array, Array, Array, Array]:
    """Pairs (x, y) of each body, those that a head holds of, those whose x has the head's relation, and share of x.

    The starts of the first step are taken in their random order until `work` rows were looked at.

    Args:
        bodies: steps, shape (body, 3). head_offset: where each body's heads begin, shape (body + 1,). heads: steps.
    """
    num = len(offset) - 1
    stamp, ys = np.full(num, -1, np.int64), np.empty(num, np.int64)
    pairs, share = np.zeros(len(bodies), np.int64), np.ones(len(bodies))
    support, partial = np.zeros(len(heads), np.int64), np.zeros(len(heads), np.int64)
    mark = 0
    for m in range(len(bodies)):
        body = bodies[m]
        begin, stop = start_offset[body[0]], start_offset[body[0] + 1]
        spent = 0
        for at in range(begin, stop):
            if spent > work:
                share[m] = (at - begin) / (stop - begin)
                break
            start = shuffled[at]
            x = start_entity[start]
            mark += 1
            n = 0
            for i in range(first[start], first[start + 1]):
                n, rows = follow(offset, step, end, x, body, reached[i], stamp, mark, ys, n)
                spent += rows
            pairs[m] += n
            for h in range(head_offset[m], head_offset[m + 1]):
                low, high = span(step, offset[x], offset[x + 1], heads[h])
                if high > low:
                    partial[h] += n
                for i in range(low, high):
                    if stamp[end[i]] == mark:
                        support[h] += 1
    return pairs, support, partial, share


@njit(cache=True)
def count_features(
    offset: Array,
    step: Array,
    feature: Array,
    start_offset: Array,
    start_entity: Array,
    start_step: Array,
    first: Array,
    reached: Array,
    least_support: int,
    least_confidence: float,
    smoothing: float,
    most: int,
) -> tuple[Array, Array, Array, bool]:
    """Rules from one feature of an entity x to another: bodies, heads, (support, body size, PCA body size), all or not.

    A feature is a start whose edges lead to x, that is a step from x to a constant, or, from `len(start_step)` on, a
    step from x to anything; where the head has the same step, to something else. At most `most` rules come out.
    """
    starts, num_steps = len(start_step), len(start_offset) - 1
    half = num_steps // 2
    count, seen = np.zeros(starts, np.int64), np.empty(starts, np.int64)
    with_step, steps_seen = np.zeros(num_steps, np.int64), np.empty(num_steps, np.int64)
    bodies, heads, numbers = np.empty(1 << 16, np.int32), np.empty(1 << 16, np.int32), np.empty((1 << 16, 3), np.int32)
    made = 0
    for body in range(starts + num_steps):
        own = body - starts  # the step itself, where the body is a step to anything
        low, high = (first[body], first[body + 1]) if own < 0 else (start_offset[own], start_offset[own + 1])
        if high - low < least_support:
            continue
        n, m = 0, 0
        for row in range(low, high):
            x = reached[row] if own < 0 else start_entity[row]
            begin, stop = offset[x], offset[x + 1]
            for i in range(begin, stop):
                if i == begin or step[i] != step[i - 1]:
                    if with_step[step[i]] == 0:
                        steps_seen[m] = step[i]
                        m += 1
                    with_step[step[i]] += 1
                only = step[i] == own and (i == begin or step[i - 1] != own) and (i + 1 == stop or step[i + 1] != own)
                if not only:
                    if count[feature[i]] == 0:
                        seen[n] = feature[i]
                        n += 1
                    count[feature[i]] += 1
        for k in range(n):
            head = seen[k]
            support, leads = count[head], (start_step[head] + half) % num_steps
            count[head] = 0
            lone = first[head + 1] - first[head] - support if leads == own else 0
            pairs = high - low - lone
            if head == body or support < least_support or support < least_confidence * (pairs + smoothing):
                continue
            if made == len(bodies):
                if made >= most:
                    return bodies[:made], heads[:made], numbers[:made], False
                bodies = np.concatenate((bodies, np.empty_like(bodies)))
                heads = np.concatenate((heads, np.empty_like(heads)))
                numbers = np.concatenate((numbers, np.empty_like(numbers)))
            bodies[made], heads[made] = body, head
            numbers[made, 0], numbers[made, 1], numbers[made, 2] = support, pairs, with_step[leads] - lone
            made += 1
        for k in range(m):
            with_step[steps_seen[k]] = 0
    return bodies[:made], heads[:made], numbers[:made], True
