"""Relations against Python sets and lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.symbolic.relation import ASSERTED, Block, Relation, Store

QUICK = settings(max_examples=50, derandomize=True, deadline=None)
pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40)


def columns(rows: list[tuple[int, int]]) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], ...]:
    s, o = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    return s, o


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@given(batches=st.lists(pairs, max_size=5))
@QUICK
def test_rows_are_distinct_and_keep_the_order_they_came_in(dtype: type, batches: list[list[tuple[int, int]]]) -> None:
    relation, expected = Relation(dtype), dict[tuple[int, int], int]()
    for step, batch in enumerate(batches):
        before = len(expected)
        for pair in batch:
            expected.setdefault(pair, len(expected))
        assert relation.add(*columns(batch), rule=step, step=step) == len(expected) - before
    assert list(zip(relation.s.tolist(), relation.o.tolist(), strict=True)) == list(expected)
    every = [(a, b) for a in range(8) for b in range(8)]
    assert relation.rows(*columns(every)).tolist() == [expected.get(pair, -1) for pair in every]


@given(first=pairs, second=pairs, keys=st.lists(st.integers(0, 7), max_size=8), column=st.integers(0, 1))
@QUICK
def test_a_join_finds_the_rows_of_a_slice(
    first: list[tuple[int, int]], second: list[tuple[int, int]], keys: list[int], column: int
) -> None:
    relation = Relation()
    relation.add(*columns(first), rule=ASSERTED, step=0)
    middle = relation.size
    relation.join(column, np.array(keys, dtype=np.int64), 0, middle)  # so that the index has to grow afterwards
    relation.add(*columns(second), rule=0, step=1)
    values = (relation.s, relation.o)[column].tolist()
    for lo, hi in ((0, relation.size), (0, middle), (middle, relation.size)):
        positions, rows = relation.join(column, np.array(keys, dtype=np.int64), lo, hi)
        found = sorted(zip(positions.tolist(), rows.tolist(), strict=True))
        assert found == [(i, row) for i, key in enumerate(keys) for row in range(lo, hi) if values[row] == key]


def test_blocks_say_which_rule_added_a_row_at_which_step() -> None:
    relation = Relation()
    relation.add(*columns([(1, 1), (2, 2)]), rule=ASSERTED, step=0)
    relation.add(*columns([(2, 2)]), rule=4, step=3)
    relation.add(*columns([(3, 3)]), rule=5, step=7)
    assert relation.blocks == [Block(0, ASSERTED, 0), Block(2, 5, 7)]
    assert [relation.block_of(row).rule for row in range(3)] == [ASSERTED, ASSERTED, 5]
    assert [relation.size_before(step) for step in (0, 1, 7, 8)] == [0, 2, 2, 3]


def test_a_store_keeps_a_relation_for_each_class() -> None:
    store = Store(type_id=9)
    assert sorted(store.add(9, *columns([(1, 5), (2, 6), (3, 5)]), rule=ASSERTED, step=0)) == [(9, 5), (9, 6)]
    assert store.add(7, *columns([(1, 5)]), rule=ASSERTED, step=0) == [(7, -1)]
    assert store.add(9, *columns([(1, 5)]), rule=0, step=1) == []
    assert store.add(9, *columns([]), rule=0, step=1) == []
    assert store.sizes() == {(9, 5): 2, (9, 6): 1, (7, -1): 1}
    assert len(store) == 4


def test_many_candidates_that_are_there_already_take_no_room() -> None:
    relation = Relation()
    row = columns([(1, 2)])
    relation.add(*row, rule=ASSERTED, step=0)
    relation.add(np.repeat(row[0], 1_000_000), np.repeat(row[1], 1_000_000), rule=0, step=1)
    assert relation.size == 1
    assert len(relation._s) < 200_000
