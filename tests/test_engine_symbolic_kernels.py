"""The kernels against plain Python, and the numpy ones against the compiled ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rdflib import Literal, URIRef, Variable

from engine.symbolic import Budget, fused, kernels, kernels_numba, kernels_numpy, materialise
from engine.symbolic.relation import Relation
from engine.symbolic.rules import Atom, Rule, RuleSet
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.plain_programs import plain_programs

QUICK = settings(max_examples=40, derandomize=True, deadline=None)
EX = "http://example.org/"
pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30)


def columns(rows: Sequence[tuple[int, int]], dtype: type) -> tuple[NDArray[Any], NDArray[Any]]:
    table: NDArray[Any] = np.array(rows, dtype=dtype).reshape(-1, 2)
    return np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])


@pytest.fixture
def numpy_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No compiler: relations use the numpy kernels, and no rule is fused."""
    kernels.kernels.cache_clear()
    monkeypatch.setattr(kernels, "import_module", lambda name: _without_numba(name))
    yield
    monkeypatch.undo()
    kernels.kernels.cache_clear()


def _without_numba(name: str) -> object:
    if name.endswith("kernels_numba"):
        raise ImportError(name)
    return kernels_numpy


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@given(batches=st.lists(pairs, min_size=1, max_size=4), keys=pairs, column=st.integers(0, 1), data=st.data())
@QUICK
def test_numpy_kernels_give_what_the_compiled_ones_give(
    dtype: type, batches: list[list[tuple[int, int]]], keys: list[tuple[int, int]], column: int, data: st.DataObject
) -> None:
    found = []
    lo = data.draw(st.integers(0, 20))
    hi = data.draw(st.integers(0, 20))
    for module in (kernels_numba, kernels_numpy):
        s: Any = np.zeros(256, dtype=dtype)
        o: Any = np.zeros(256, dtype=dtype)
        table, heads, previous = (
            np.full(64, -1, dtype=np.int64),
            np.full(64, -1, dtype=np.int32),
            np.zeros(256, np.int32),
        )
        n, new_keys = 0, 0
        for batch in batches:
            before = n
            n = module.insert_rows(table, s, o, n, *columns(batch, np.int64))
            new_keys += module.chain_extend(heads, previous, (s, o)[column], before, n)
        rows = module.find_rows(table, s, o, *columns(keys, np.int64))
        grown, filled = np.full(128, -1, dtype=np.int64), np.full(128, -1, dtype=np.int64)
        module.table_grow(grown, table)
        module.table_fill(filled, s, o, 0, n)
        wanted = columns(keys, np.int64)[0]
        end = min(hi, n)
        counts = module.chain_count(heads, previous, (s, o)[column], wanted, lo, end)
        joined = module.chain_fill(heads, previous, (s, o)[column], wanted, lo, end, int(counts.sum()))
        again = [module.find_rows(t, s, o, *columns(keys, np.int64)).tolist() for t in (grown, filled)]
        lists = [part.tolist() for part in (s[:n], o[:n], rows, counts, *joined)]
        found.append((new_keys, *lists, *again))
    assert found[0] == found[1]
    assert found[0][3] == found[0][-1] == found[0][-2]


@given(edges=pairs)
@QUICK
def test_reach_gives_the_paths_of_two_edges_or_more_in_order(edges: list[tuple[int, int]]) -> None:
    edges = sorted(set(edges))
    expected = set(edges)
    while more := {(a, d) for (a, b), (c, d) in product(expected, expected) if b == c} - expected:
        expected |= more
    s, o = columns(edges, np.int32)
    offsets = np.searchsorted(s, np.arange(7))
    for module in (kernels_numba, kernels_numpy):
        given_s, given_o = s.copy(), o.copy()
        out_s, out_o, n, finished = module.reach(
            np.arange(6, dtype=np.int32), np.unique(s).astype(np.int64), offsets, o, given_s, given_o, len(s), 10**9
        )
        rows = list(zip(out_s[:n].tolist(), out_o[:n].tolist(), strict=True))
        assert finished
        assert rows[: len(edges)] == edges
        assert rows[len(edges) :] == sorted(expected - set(edges))


@given(first=pairs, second=pairs)
@QUICK
def test_two_runs_are_found_and_merged(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    s, o = columns([*sorted(first), *sorted(second)], np.int32)
    for module in (kernels_numba, kernels_numpy):
        middle = module.ascending(s, o, 0)
        assert all(a <= b for a, b in zip(_rows(s, o)[:middle], _rows(s, o)[1:middle], strict=False))
        assert middle == len(s) or _rows(s, o)[middle] < _rows(s, o)[middle - 1]
        assert _rows(*module.merge(s, o, len(first))) == sorted([*first, *second])


def _rows(s: NDArray[Any], o: NDArray[Any]) -> list[tuple[int, int]]:
    return list(zip(s.tolist(), o.tolist(), strict=True))


def test_appended_rows_are_found_without_having_been_hashed() -> None:
    relation = Relation()
    s, o = columns([(4, 1), (2, 2), (4, 3)], np.int32)
    assert relation.append(s, o, rule=-1, step=0) == 3
    assert relation.append(*columns([(9, 9)], np.int32), rule=0, step=1) == 1
    assert relation.rows(*columns([(2, 2), (9, 9), (1, 4)], np.int64)).tolist() == [1, 3, -1]
    assert relation.add(*columns([(9, 9), (0, 0)], np.int64), rule=1, step=2) == 1
    assert relation.join(0, np.array([4]), 0, 5)[1].tolist() == [2, 0]
    assert s.tolist() == [4, 2, 4], "columns that were adopted are not written to"


def plain_closure(rules: RuleSet, triples: Sequence[Triple]) -> set[Triple]:
    """The closure by nested loops over sets."""
    known = set(triples)
    while True:
        new = {found for rule in rules.rules for found in _plain(rule, known)} - known
        if not new:
            return known
        known |= new


def _plain(rule: Rule, known: set[Triple]) -> Iterator[Triple]:
    def extend(at: int, values: dict[object, object]) -> Iterator[dict[object, object]]:
        if at == len(rule.body_atoms):
            yield values
            return
        for triple in known:
            more = dict(values)
            if all(
                more.setdefault(term, value) == value if isinstance(term, Variable) else term == value
                for term, value in zip(rule.body_atoms[at].terms, triple, strict=True)
            ):
                yield from extend(at + 1, more)

    for values in extend(0, {}):
        for atom in rule.head:
            terms = [values.get(term, term) for term in atom.terms]
            if not isinstance(terms[0], Literal):
                yield Triple(*terms)  # type: ignore[arg-type]


def closed(case: tuple[RuleSet, list[Triple]]) -> set[Triple]:
    closure = materialise(KnowledgeGraph.from_triples(case[1]), case[0], entailment="none")
    return {Triple(*t) for t in closure.graph.triples()}


@given(case=plain_programs())
@QUICK
def test_fused_rules_give_what_nested_loops_give(case: tuple[RuleSet, list[Triple]]) -> None:
    assert closed(case) == plain_closure(*case)


@given(case=plain_programs())
@settings(QUICK, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_path_without_a_compiler_gives_the_same(numpy_alone: None, case: tuple[RuleSet, list[Triple]]) -> None:
    assert not kernels.compiled()
    assert closed(case) == plain_closure(*case)


def test_a_fused_join_over_its_budget_stops_and_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "PAUSE", 3)
    a = [URIRef(f"{EX}{n}") for n in range(20)]
    triples = [Triple(x, URIRef(EX + "p"), a[0]) for x in a]
    x, y, hub = Variable("x"), Variable("y"), Variable("hub")
    body = tuple(Atom(each, URIRef(EX + "p"), hub) for each in (x, y, x))
    rules = RuleSet((Rule(URIRef(EX + "pairs"), (Atom(x, URIRef(EX + "q"), y),), body),))
    graph = KnowledgeGraph.from_triples(triples)
    whole = materialise(graph, rules, entailment="none")
    assert (len(whole.graph.inferred), whole.incomplete) == (400, None)
    few = materialise(graph, rules, entailment="none", budget=Budget(substitutions=50))
    assert few.incomplete == "rule 'pairs': a join gives more than 50 substitutions"
    assert 0 < len(few.graph.inferred) <= 51
    stopped = materialise(graph, rules, entailment="none", budget=Budget(triples=10))
    assert stopped.incomplete == "more than 10 triples were inferred"
    assert 10 < len(stopped.graph.inferred) < 400
