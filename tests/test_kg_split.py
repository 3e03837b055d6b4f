"""Splits: a partition in the asked shares, the same every time, from which nothing held out can be read."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kg.errors import ConfigError
from kg.split import Split, related_relations, split_triples

Row = tuple[int, int, int]
ENTITY = st.integers(0, 14)
ROWS = st.lists(st.tuples(ENTITY, st.integers(100, 104), ENTITY), max_size=120)


def array(rows: list[Row]) -> NDArray[np.int32]:
    return np.array(rows, dtype=np.int32).reshape(-1, 3)


def sides(split: Split) -> list[set[Row]]:
    return [{(h, r, t) for h, r, t in part.tolist()} for part in split]


def overlap(one: set[tuple[int, int]], other: set[tuple[int, int]]) -> float:
    return len(one & other) / min(len(one), len(other))


def pairs(rows: set[Row], relation: int) -> set[tuple[int, int]]:
    return {(h, t) for h, r, t in rows if r == relation}


def turned(found: set[tuple[int, int]]) -> set[tuple[int, int]]:
    return {(t, h) for h, t in found}


@given(ROWS, st.integers(0, 3))
def test_every_triple_is_on_exactly_one_side_and_no_share_is_exceeded(rows: list[Row], seed: int) -> None:
    train, validation, test = sides(split_triples(array(rows), ratios=(0.6, 0.2, 0.2), seed=seed))
    assert train | validation | test == set(rows)
    assert len(train) + len(validation) + len(test) == len(set(rows))
    assert max(len(validation), len(test)) <= 0.2 * len(set(rows))


@given(ROWS, st.integers(0, 3))
def test_every_entity_and_relation_held_out_occurs_in_training(rows: list[Row], seed: int) -> None:
    train, validation, test = sides(split_triples(array(rows), ratios=(0.5, 0.25, 0.25), seed=seed))
    held_out = validation | test
    assert {end for h, _, t in held_out for end in (h, t)} <= {end for h, _, t in train for end in (h, t)}
    assert {r for _, r, _ in held_out} <= {r for _, r, _ in train}


@given(ROWS, st.integers(0, 3))
def test_no_held_out_triple_can_be_read_from_another_side(rows: list[Row], seed: int) -> None:
    every = set(rows)
    inverse = {100: 101}
    parts = sides(split_triples(array(rows), ratios=(0.5, 0.25, 0.25), seed=seed, inverse=inverse))
    side = {row: at for at, part in enumerate(parts) for row in part}
    relations = sorted({r for _, r, _ in every})

    def tells(one: int, other: int) -> bool:
        """A second reading of the definition: declared, the same, or nearly the same pairs."""
        if one == other or {one, other} == {100, 101}:
            return True
        a, b = pairs(every, one), pairs(every, other)
        return max(overlap(a, b), overlap(a, turned(b))) > 0.8

    leaks = [
        (row, leak)
        for row in every
        for other in relations
        if tells(row[1], other)
        for leak in ((row[0], other, row[2]), (row[2], other, row[0]))
        if leak in every and side[leak] != side[row]
    ]
    assert leaks == []


@given(ROWS)
def test_order_and_repetition_of_the_triples_do_not_matter(rows: list[Row]) -> None:
    mixed = [*rows, *rows[:5]][::-1]
    assert [p.tolist() for p in split_triples(array(rows), seed=7)] == [
        p.tolist() for p in split_triples(array(mixed), seed=7)
    ]


def dense(seed: int = 0) -> NDArray[np.int32]:
    random = np.random.default_rng(seed)
    return np.column_stack(
        [random.integers(0, 200, 4000), random.integers(1000, 1008, 4000), random.integers(0, 200, 4000)]
    ).astype(np.int32)


def test_a_dense_graph_meets_the_shares() -> None:
    triples = dense()
    count = len(np.unique(triples, axis=0))
    split = split_triples(triples, seed=1)
    assert [len(part) for part in split] == [count - 2 * (count // 10), count // 10, count // 10]


def test_seeds_give_different_splits() -> None:
    assert sides(split_triples(dense(), seed=1)) != sides(split_triples(dense(), seed=2))


def test_inverse_and_duplicate_relations_are_found_in_the_triples() -> None:
    rows = [(h, 1, h + 50) for h in range(20)]
    rows += [(h + 50, 2, h) for h in range(18)]  # inverse of 1
    rows += [(h, 3, h + 50) for h in range(2, 20)]  # nearly the same as 1
    rows += [(h, 4, h + 50) for h in range(10)] + [(h, 4, h + 70) for h in range(10)]  # half the pairs of 1
    assert related_relations(array(rows)) == {1: 1, 2: 1, 3: 1, 4: 4}


def test_a_symmetric_relation_keeps_both_directions_together() -> None:
    rows = [(a, 9, b) for a in range(12) for b in range(12) if a != b]
    for part in sides(split_triples(array(rows), seed=3)):
        assert part == {(t, r, h) for h, r, t in part}


def test_declared_inverses_and_groups_join_families_though_their_pairs_differ() -> None:
    rows = [(0, 1, 1), (2, 2, 3), (4, 3, 5), (6, 4, 7)]
    assert related_relations(array(rows), inverse={1: [2, 77]}, leak_groups=[{3, 77}]) == {
        1: 1,
        2: 1,
        3: 1,
        4: 4,
        77: 1,
    }


def test_a_chain_has_nothing_to_hold_out() -> None:
    rows = [(n, 5, n + 1) for n in range(0, 40, 2)]
    assert Counter(len(part) for part in split_triples(array(rows), seed=0)) == Counter([20, 0, 0])


def test_no_triples_give_three_empty_parts() -> None:
    assert [part.shape for part in split_triples(array([]), seed=0)] == [(0, 3)] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ratios": (0.5, 0.2, 0.2)}, "add up to 1"),
        ({"ratios": (0.0, 0.5, 0.5)}, "first above 0"),
        ({"ratios": (1.2, -0.1, -0.1)}, "first above 0"),
        ({"overlap": 0.0}, "overlap above 0"),
    ],
)
def test_shares_out_of_range_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        split_triples(dense(), **arguments)  # type: ignore[arg-type]  # wrong on purpose


def test_an_array_of_another_shape_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"shape \(num_triples, 3\) \(got \(4, 2\)\)"):
        split_triples(np.zeros((4, 2), dtype=np.int32))
