"""The loops that apply mined rules to queries, compiled by numba and cached beside this file.

A query is an entity x and a step; sought is where the step leads. For each answer the highest confidences of each group
of rules are kept, and put together to one score in the end.
"""

# mypy: disable-error-code="untyped-decorator, no-any-return, assignment"
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.mining.kernels import follow, span

__all__ = ["GROUPS", "LEVELS", "score_queries"]

Array = NDArray[Any]
GROUPS = 4
"""Paths from x; features of x with a constant, which tell the answer; such features of the answer; features without."""
LEVELS = 8191
"""Confidences that the order by one after the other tells apart; four of that many fit a float's 53 bits."""


@njit(cache=True, inline="always")
def _keep(best, touched, n, y, group, confidence):  # type: ignore[no-untyped-def]  # numba infers the types
    """Enter a confidence among the highest of an answer; the new number of answers."""
    if best[y, 0, 0] == 0 and best[y, 1, 0] == 0 and best[y, 2, 0] == 0 and best[y, 3, 0] == 0:
        touched[n] = y
        n += 1
    depth = best.shape[2]
    if confidence > best[y, group, depth - 1]:
        k = depth - 1
        while k > 0 and best[y, group, k - 1] < confidence:
            best[y, group, k] = best[y, group, k - 1]
            k -= 1
        best[y, group, k] = confidence
    return n


@njit(cache=True, inline="always")
def _noisy_or(best, weights):  # type: ignore[no-untyped-def]
    """-ln(1 - p) of p = 1 - Π (1 - weight · confidence)."""
    total = 0.0
    for group in range(best.shape[0]):
        for k in range(best.shape[1]):
            if best[group, k] == 0:
                break
            total -= np.log1p(-weights[group, k] * best[group, k])
    return total


@njit(cache=True, inline="always")
def _in_order(best):  # type: ignore[no-untyped-def]
    """The four highest confidences of all groups as the digits of one number in [0, 1), highest first."""
    at = np.zeros(best.shape[0], np.int64)
    total, digit = 0.0, 1.0
    for _ in range(4):
        first, high = -1, 0.0
        for group in range(best.shape[0]):
            if at[group] < best.shape[1] and best[group, at[group]] > high:
                first, high = group, best[group, at[group]]
        digit /= LEVELS + 1
        if first < 0:
            break
        at[first] += 1
        total += np.rint(high * LEVELS) * digit
    return total


@njit(cache=True)
def score_queries(
    offset: Array,
    step: Array,
    end: Array,
    feature: Array,
    start_offset: Array,
    start_entity: Array,
    first: Array,
    reached: Array,
    path_offset: Array,
    path_body: Array,
    path_confidence: Array,
    told_offset: Array,
    told_step: Array,
    told_entity: Array,
    told_confidence: Array,
    telling_offset: Array,
    telling_body: Array,
    telling_confidence: Array,
    xs: Array,
    steps: Array,
    asked: Array,
    weights: Array,
    noisy: bool,
    work: int,
    scores: Array,
) -> None:
    """Write the scores of all entities as answers to each query into `scores`, shape (query, entity).

    Args:
        path_offset, path_body, path_confidence: rules by the step of the query, best first.
        told_*: rules by the feature of x, then the step of the query, and the answer. telling_*: rules by the start
            that is the query, with the feature of the answer. xs, steps: the queries; asked: their start or -1.
        weights: of the confidences of each group, highest first, shape (GROUPS, depth). noisy: noisy-or, or in order.
        work: rows to look at for one rule and query, about.
    """
    num, starts = len(offset) - 1, len(start_entity)
    best = np.zeros((num, weights.shape[0], weights.shape[1]), np.float32)
    touched, stamp, ys = np.empty(num, np.int64), np.full(num, -1, np.int64), np.empty(num, np.int64)
    mark = 0
    for q in range(len(xs)):
        x, wanted, n = xs[q], steps[q], 0
        for rule in range(path_offset[wanted], path_offset[wanted + 1]):
            body = path_body[rule]
            mark += 1
            m, spent = 0, 0
            begin, stop = span(step, offset[x], offset[x + 1], body[0])
            for i in range(begin, stop):
                m, rows = follow(offset, step, end, x, body, end[i], stamp, mark, ys, m)
                spent += rows
                if spent > work:
                    break
            for k in range(m):
                n = _keep(best, touched, n, ys[k], 0, path_confidence[rule])
        for i in range(offset[x], offset[x + 1]):
            for which in range(
                2
            ):  # what is known of x: a step to a constant, and once for each step, a step to anything
                if which == 1 and i > offset[x] and step[i] == step[i - 1]:
                    continue
                known = feature[i] if which == 0 else starts + step[i]
                low, high = span(told_step, told_offset[known], told_offset[known + 1], wanted)
                for rule in range(low, high):
                    n = _keep(best, touched, n, told_entity[rule], 1 + 2 * which, told_confidence[rule])
        if asked[q] >= 0:
            for rule in range(telling_offset[asked[q]], telling_offset[asked[q] + 1]):
                known = telling_body[rule]
                if known < starts:
                    for i in range(first[known], first[known + 1]):
                        n = _keep(best, touched, n, reached[i], 2, telling_confidence[rule])
                else:
                    for i in range(start_offset[known - starts], start_offset[known - starts + 1]):
                        n = _keep(best, touched, n, start_entity[i], 3, telling_confidence[rule])
        for k in range(n):
            y = touched[k]
            if y != x:
                scores[q, y] = _noisy_or(best[y], weights) if noisy else _in_order(best[y])
            best[y] = 0
