"""From pairs to rows: every kind of index does what a dictionary does, whatever the pairs are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.symbolic import materialise, parse_rules
from engine.symbolic.kernels import compiled
from engine.symbolic.relation import Relation
from engine.symbolic.row_index import BY_ID, GroupedRows, HashRows, MemberRows, RowIndex
from kg.columns import Columns
from kg.dictionary import Dictionary
from kg.graph import KnowledgeGraph

pytestmark = pytest.mark.skipif(not compiled(), reason="indexes by id need numba, which is not installed")

CLASS = 7
ID = st.one_of(st.integers(0, 9), st.integers(0, 3000))
PAIRS = st.lists(st.tuples(ID, ID), max_size=300)


def columns(pairs: list[tuple[int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return both[:, 0].copy(), both[:, 1].copy()


class Model:
    """An index beside the dictionary it has to equal."""

    def __init__(self, index: RowIndex) -> None:
        self.index = index
        self.s, self.o = np.zeros((2, 20_000), dtype=np.int32)
        self.known: dict[tuple[int, int], int] = {}

    def insert(self, pairs: list[tuple[int, int]]) -> None:
        before = len(self.known)
        self.index.reserve(before + len(pairs), 0)
        for pair in pairs:
            self.known.setdefault(pair, len(self.known))
        assert self.index.insert(self.s, self.o, before, *columns(pairs)) == len(self.known)
        assert list(zip(self.s[: len(self.known)].tolist(), self.o.tolist(), strict=False)) == list(self.known)

    def check(self, index: RowIndex, keys: list[tuple[int, int]]) -> None:
        found = index.find(self.s, self.o, *columns(keys)).tolist()
        assert found == [self.known.get(key, -1) for key in keys]


@settings(max_examples=60, deadline=None)
@given(st.lists(PAIRS, min_size=1, max_size=4), PAIRS, st.sampled_from(["hash", "groups", "members"]))
def test_an_index_is_a_dictionary_from_pairs_to_rows(
    batches: list[list[tuple[int, int]]], keys: list[tuple[int, int]], kind: str
) -> None:
    made: dict[str, RowIndex] = {"hash": HashRows(), "groups": GroupedRows(1), "members": MemberRows(1)}
    if kind == "members":
        batches = [[(s, CLASS) for s, _ in batch] for batch in batches]
    model = Model(made[kind])
    for batch in batches:
        model.insert(batch)
        model.check(model.index, [*batch, *keys])
    copied = model.index.copy()
    model.insert(keys if kind != "members" else [(s, CLASS) for s, _ in keys])
    model.check(model.index, [*keys, *batches[0]])
    again: dict[str, RowIndex] = {"hash": HashRows(), "groups": GroupedRows(1), "members": MemberRows(1)}
    filled = again[kind]
    filled.reserve(len(model.known))
    filled.fill(model.s, model.o, 0, len(model.known))
    model.check(filled, [*keys, *batches[0]])
    model.known = {pair: row for pair, row in model.known.items() if pair in {p for batch in batches for p in batch}}
    model.check(copied, [*keys, *batches[0]])


def test_a_full_group_has_a_number_for_each_id_and_goes_on_when_there_are_more_ids() -> None:
    model = Model(GroupedRows(1))
    every = [(s, o) for s in (3, 1, 2) for o in range(0, 1000, 2)]
    model.insert(every)
    model.insert([(s, o) for s in (2, 1) for o in range(999, -1, -1)])
    model.insert([(2, 4000), (4000, 2), (1, 3999), (2, 4000)])
    index = model.index
    assert isinstance(index, GroupedRows)
    assert ((index.heads & 63) == 63).sum() == 3
    keys = [(s, o) for s in (0, 1, 2, 3, 4000) for o in (*range(1000), 3999, 4000, 4001)]
    model.check(index, keys)
    model.check(index.copy(), keys)


def test_the_index_is_chosen_by_the_share_of_ids_that_have_a_row() -> None:
    def index(s: NDArray[Any], o: NDArray[Any], *, unary: bool = False) -> RowIndex:
        relation = Relation(unary=unary)
        relation.add(s, o, rule=-1, step=0)
        return relation.index(1)

    dense = np.arange(4 * BY_ID)
    assert isinstance(index(dense, dense), GroupedRows)
    assert isinstance(index(dense, np.full(len(dense), CLASS), unary=True), MemberRows)
    assert isinstance(index(dense * 10, dense), HashRows)
    assert isinstance(index(dense * 10, np.full(len(dense), CLASS), unary=True), HashRows)
    assert isinstance(index(dense[:100], dense[:100]), HashRows)


@pytest.mark.parametrize("head", ["?x :q ?y", "?y :q ?x", "?x a :C", "?x :q :C", ":C :q ?y"])
@pytest.mark.parametrize("body", ["?x :p ?y", "?x :p ?y . ?y :p ?x", "?x :p ?m . ?m :p ?y . ?x :p ?y"])
def test_the_compiled_loop_infers_the_same_into_every_index(head: str, body: str) -> None:
    def closed(ids: int, spread: int) -> list[tuple[int, ...]]:
        dictionary = Dictionary()
        p = dictionary.intern_key("<http://e/p>")
        first = len(dictionary)
        for number in range(ids * spread):
            dictionary.intern_key(f"<http://e/n/{number}>")
        pairs = first + np.random.default_rng(5).integers(0, ids, (20_000, 2)) * spread
        graph = KnowledgeGraph(dictionary, Columns.from_arrays(pairs[:, 0], np.full(20_000, p), pairs[:, 1]))
        text = f"PREFIX : <http://e/> RULE {{ {head} }} WHERE {{ {body} }}"
        s, _, o = materialise(graph, parse_rules(text), entailment="none").graph.inferred.arrays()
        return sorted(
            tuple(-1 if id < first or id >= first + ids * spread else (id - first) // spread for id in pair)
            for pair in zip(s.tolist(), o.tolist(), strict=True)
        )

    near, far = closed(400, 1), closed(400, 300)  # far apart, so few of the ids have a row that pairs are hashed
    assert near == far
    assert near
