"""The arrays that `plans` makes of rules and `kernels_saturate` interprets, and the numbers both use."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

__all__ = [
    *("CHECK", "DIFFERENT", "DONE", "EVERY", "FILTER", "FOUND", "GROW", "MERGE", "SAME", "SCAN", "TESTED", "UNKNOWN"),
    *("Arena", "Memory", "O", "P", "PO", "Plans", "S", "SP"),
]

Array = NDArray[Any]

SP, PO, P, S, O = range(5)  # noqa: E741  # the positions an index is on
CHECK, SCAN = 5, 6
"""How an atom is matched where all of its positions, or none, have a value."""
DONE, GROW, FILTER, MERGE, FOUND = range(5)
"""Why `saturate` came back: nothing is left; no room; a test has to be evaluated; terms became the same; a match."""
DIFFERENT, SAME, TESTED, EVERY = range(4)
"""Filters: two terms are different, or the same; a test of one term; a thing is in every class of a list."""
UNKNOWN = 2


class Arena(NamedTuple):
    """The triples. `s`, `p`, `o`: shape (capacity,); `rule`: what gave a row; `table`: the rows by their three ids.

    `heads` and `previous`, shape (5, slots) and (5, capacity): latest row of each key, and the row before each.
    `used` tells which of the five indexes are kept; `dead` rows were replaced by rows with other names.
    """

    s: Array
    p: Array
    o: Array
    rule: Array
    dead: Array
    table: Array
    heads: Array
    previous: Array
    used: Array


class Memory(NamedTuple):
    """What is remembered of terms and rules.

    `live`, `fresh`, shape (2, num_ids): which pivots can match a row with this predicate (0) or class (1), as bits, and
    the version of the schema for which that is known. `several`: whether a term has further names; `blurred`: rules
    with a filter for difference that met two such names, which are one here. `scratch`, `reached`: room for guards.
    """

    live: Array
    fresh: Array
    several: Array
    blurred: Array
    scratch: Array
    reached: Array
    type_id: int


class Plans(NamedTuple):
    """Rules as tables.

    A *pivot* is an atom of a rule that a new row is matched with first: its pattern (num_pivots, 3), its rule, and the
    run of *steps* that match the other atoms. A step has a pattern, the positions that bind a variable, and the index
    to use. Filters are attached to pivots and steps. `by_p`, `by_o`: the pivots with a constant predicate, or class, as
    offsets and numbers; the others are the pivots from `wild` on. `pivot_guards` are runs of
    `guard` steps over the schema that depend on the pivot's variable predicate (or class) alone, in slot 0: without a
    match of them there is none of the pivot. `guards` tells for each predicate where they read that variable from it,
    as subject (1) or object (2), or read others (4).
    """

    pivot: Array
    pivot_binds: Array
    pivot_rule: Array
    pivot_steps: Array
    pivot_filters: Array
    step: Array
    step_binds: Array
    step_mode: Array
    step_filters: Array
    filter: Array
    tests: Array
    head_of: Array
    head: Array
    detects: Array
    by_p: Array
    by_p_pivot: Array
    by_o: Array
    by_o_pivot: Array
    wild: Array
    pivot_guards: Array
    guard: Array
    guard_binds: Array
    guard_mode: Array
    guards: Array
