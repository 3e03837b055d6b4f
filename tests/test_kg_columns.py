"""Columns: a set of integer triples, checked against a Python set."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kg.columns import NO_SOURCE, Columns

TRIPLES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 5)), max_size=40)
SLOT = st.none() | st.integers(0, 6)


def columns_of(triples: list[tuple[int, int, int]], source: list[int] | None = None) -> Columns:
    s, p, o = np.array(triples, dtype=np.int32).reshape(-1, 3).T
    return Columns.from_arrays(s, p, o, None if source is None else np.array(source, dtype=np.int32))


@given(TRIPLES)
def test_columns_hold_exactly_the_given_set(triples: list[tuple[int, int, int]]) -> None:
    columns = columns_of(triples)
    s, p, o = columns.arrays()
    assert list(zip(p.tolist(), s.tolist(), o.tolist(), strict=True)) == sorted({(p, s, o) for s, p, o in triples})
    assert len(columns) == len(set(triples))
    assert columns.predicates() == tuple(sorted({p for _, p, _ in triples}))


@given(TRIPLES, SLOT, SLOT, SLOT)
def test_a_pattern_gives_what_a_filter_gives(
    triples: list[tuple[int, int, int]], s: int | None, p: int | None, o: int | None
) -> None:
    found = list(columns_of(triples).match(s, p, o))
    wanted = {t for t in triples if all(slot in (None, part) for slot, part in zip((s, p, o), t, strict=True))}
    assert len(found) == len(set(found))
    assert set(found) == wanted


@given(TRIPLES, st.integers(0, 4))
def test_both_orders_hold_the_same_pairs(triples: list[tuple[int, int, int]], predicate: int) -> None:
    columns = columns_of(triples)
    s, o = columns.pairs(predicate)
    s2, o2 = columns.pairs_by_object(predicate)
    assert sorted(zip(o.tolist(), s.tolist(), strict=True)) == list(zip(o2.tolist(), s2.tolist(), strict=True))


@given(TRIPLES)
def test_the_first_source_of_a_triple_stays(triples: list[tuple[int, int, int]]) -> None:
    columns = columns_of(triples, list(range(len(triples))))
    assert {t: columns.source(*t) for t in triples} == {t: triples.index(t) for t in triples}


def test_what_is_absent() -> None:
    columns = columns_of([(1, 2, 3)])
    assert (columns.contains(1, 2, 4), columns.row(3, 2, 1), columns.source(1, 2, 3)) == (False, None, None)
    assert [len(part) for part in columns.pairs(9)] == [0, 0]


def test_no_triples() -> None:
    for columns in (Columns.empty(), columns_of([])):
        assert (len(columns), columns.predicates(), list(columns.match(None, None, None))) == (0, (), [])
        assert [len(part) for part in columns.arrays()] == [0, 0, 0]


def test_the_callers_arrays_are_left_alone() -> None:
    s, p, o = np.array([3, 1]), np.array([0, 0]), np.array([1, 2])
    columns = Columns.from_arrays(s, p, o)
    s[:] = 9
    assert list(columns.match(None, None, None)) == [(1, 0, 2), (3, 0, 1)]
    assert (p.tolist(), o.tolist()) == ([0, 0], [1, 2])


rows = st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=12)


@given(rows, rows, rows)
def test_changed_columns_are_those_of_the_changed_set(
    given_rows: list[tuple[int, int, int]], remove: list[tuple[int, int, int]], add: list[tuple[int, int, int]]
) -> None:
    away, new = (np.array(part, dtype=np.int64).reshape(-1, 3) for part in (remove, add))
    before = columns_of(given_rows, list(range(len(given_rows))))
    after = before.changed(remove=away, add=new)
    assert list(after.match(None, None, None)) == sorted(
        (set(given_rows) - set(remove)) | set(add), key=lambda row: (row[1], row[0], row[2])
    )
    kept = set(given_rows) - set(remove)
    assert [after.source(*row) for row in kept] == [before.source(*row) for row in kept]
    assert {after.source(*row) for row in set(add) - kept} <= {NO_SOURCE, None}
