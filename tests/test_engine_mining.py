"""Mined rules: their counts against two other ways to count, their text, and that mining is bounded and seeded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.mining import MinedRule, MinedRules, MiningConfig, Step, mine_rules
from engine.symbolic import materialise, parse_rules
from kg import KnowledgeGraph
from kg.benchmark import load_benchmark
from kg.errors import ConfigError, InputError
from kg.terms import Triple

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
EX = "https://example.org/"
ALL = MiningConfig(support=1, confidence=0, feature_support=1, feature_confidence=0, paths_per_head=10**6)
Rows = NDArray[np.int32]
Links = dict[Step, set[tuple[int, int]]]


@st.composite
def triples(draw: st.DrawFn) -> Rows:
    """A few triples of three relations, without loops. Entities are 0 to 5, relations 10 to 12."""
    entity = st.integers(0, 5)
    row = st.tuples(entity, st.integers(10, 12), entity).filter(lambda t: t[0] != t[2])
    return np.array(draw(st.lists(row, min_size=1, max_size=16, unique=True)), dtype=np.int32)


def links(rows: Rows) -> Links:
    found: Links = {}
    for h, r, t in rows.tolist():
        found.setdefault(Step(r, True), set()).add((h, t))
        found.setdefault(Step(r, False), set()).add((t, h))
    return found


def counted_paths(rows: Rows) -> Iterator[tuple[Step, tuple[Step, ...], tuple[int, int, int]]]:
    """Head, body and counts of every path rule that holds somewhere, by trying all walks."""
    steps = links(rows)
    for length in (1, 2, 3):
        for body in product(steps, repeat=length):
            walks = [(pair[0], pair[1]) for pair in steps[body[0]]]
            grown: list[tuple[int, ...]] = list(walks)
            for step in body[1:]:
                grown = [(*w, b) for w in grown for a, b in steps[step] if a == w[-1] and b not in w]
            pairs = {(w[0], w[-1]) for w in grown}
            for head in steps:
                if head.forward and (head,) != body and pairs & steps[head]:
                    known = {x for x, _ in steps[head]}
                    yield head, body, (len(pairs & steps[head]), len(pairs), sum(x in known for x, _ in pairs))


def counted_features(rows: Rows) -> Iterator[tuple[Step, int, Step, int | None, tuple[int, int, int]]]:
    """Head, its constant, body, its constant and counts of every feature rule that holds somewhere."""
    steps = links(rows)
    ends = {step: sorted({b for _, b in pairs}) for step, pairs in steps.items()}
    for head, body in product(steps, steps):
        for c in ends[head]:
            for d in (*ends[body], None):
                if (head, c) == (body, d):
                    continue
                other = {b for _, b in steps[body]} - ({c} if head == body else set())
                xs = {a for a, b in steps[body] if (b in other if d is None else b == d)}
                holds = {x for x in xs if (x, c) in steps[head]}
                if holds:
                    yield head, c, body, d, (len(holds), len(xs), len(xs & {a for a, _ in steps[head]}))


def counts(rule: MinedRule) -> tuple[int, int, int]:
    return rule.support, rule.body_size, rule.pca_body_size


@given(triples())
@settings(max_examples=25, deadline=None)
def test_counts_of_all_rules_equal_those_of_trying_every_substitution(rows: Rows) -> None:
    rules = mine_rules(rows, ALL)
    paths = {(r.head, r.body): counts(r) for r in rules if r.head_constant is None}
    features = {
        (r.head, r.head_constant, r.body[0], r.body_constant): counts(r) for r in rules if r.head_constant is not None
    }
    assert paths == {(head, body): numbers for head, body, numbers in counted_paths(rows)}
    assert features == {tuple(rest): numbers for *rest, numbers in counted_features(rows)}
    assert all(rule.share == 1 for rule in rules)


def graph_of(rows: Rows) -> tuple[KnowledgeGraph, Rows]:
    """The rows as a graph, and as rows of its term ids."""
    from rdflib import URIRef

    terms = [Triple(*(URIRef(f"{EX}t{x}") for x in row)) for row in rows.tolist()]
    graph = KnowledgeGraph.from_triples(terms)
    return graph, np.array([[graph.dictionary.id(t) for t in triple] for triple in terms], dtype=np.int32)


@given(triples(), st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_engine_finds_as_many_heads_as_the_body_is_large(rows: Rows, at: int) -> None:
    graph, ids = graph_of(rows)
    rules = mine_rules(ids, ALL)
    if not len(rules):
        return
    rule = rules[at % len(rules)]
    head = rule.head.relation
    # the head gets a name of its own, so that what it infers is not mixed with what is asserted
    text = rules.take(np.array([at % len(rules)])).text(graph)
    body = text[text.index("WHERE") :]
    name = graph.dictionary.term(head).n3()
    renamed = text[: text.index("WHERE")].replace(name, f"<{EX}new>") + body
    closure = materialise(graph, parse_rules(renamed), entailment="none")
    found = {(t.subject, t.object) for t in closure.graph.triples(None, f"{EX}new", None)}
    asserted = {(t.subject, t.object) for t in graph.triples(None, graph.dictionary.term(head), None)}
    assert (len(found & asserted), len(found)) == (rule.support, rule.body_size)


@given(triples())
@settings(max_examples=15, deadline=None)
def test_the_text_of_rules_reads_back_as_the_same_rules(rows: Rows) -> None:
    graph, ids = graph_of(rows)
    rules = mine_rules(ids, ALL)
    assert parse_rules(rules.text(graph)) == rules.ruleset(graph)


def test_a_rule_prints_with_its_counts_and_its_confidence_as_weight() -> None:
    rows = np.array([[0, 10, 1], [1, 10, 2], [0, 11, 2], [3, 10, 4], [4, 10, 5], [3, 11, 5], [6, 10, 7], [7, 10, 8]])
    graph, ids = graph_of(rows.astype(np.int32))
    rules = mine_rules(ids, MiningConfig(features=False, smoothing=1))
    about = (rules.head == rules.relations.tolist().index(ids[2, 1])) & (rules.body[:, 1] >= 0)
    best = rules.take(about)[0]
    assert (best.standard_confidence, best.pca_confidence, best.confidence) == (2 / 3, 1.0, 2 / 4)
    assert (
        rules.take(about)
        .text(graph, limit=1)
        .endswith(
            f"RULE mined:1 {{ ?x <{EX}t11> ?y }}\n"
            f"WHERE {{\n    ?x <{EX}t10> ?a .\n    ?a <{EX}t10> ?y .\n    FILTER((?x != ?y))\n}}\n\n"
            'DATA { mined:1 rdfs:comment "holds for 2 of 3" ; noesis:weight 0.5 }\n'
        )
    )


def test_rules_of_a_graph_are_those_of_its_triples_between_entities() -> None:
    text = f"<{EX}a> <{EX}r> <{EX}b> . <{EX}b> <{EX}s> <{EX}a> . <{EX}a> <{EX}name> 'A' ."
    graph = KnowledgeGraph.from_triples(list(parse_rules(f"DATA {{ {text} }}").data))
    of_graph, of_rows = mine_rules(graph, ALL), mine_rules(graph.entity_triples(), ALL)
    assert list(of_graph) == list(of_rows) != []


def test_sampled_counts_are_seeded_and_near_those_of_the_whole() -> None:
    random = np.random.default_rng(3)
    rows = np.stack([random.integers(0, 300, 6000), random.integers(300, 304, 6000), random.integers(0, 300, 6000)], 1)
    whole_config = MiningConfig(features=False, paths_per_head=10**6)
    config = replace(whole_config, search=200_000, count=400_000)
    some, again, whole = mine_rules(rows, config), mine_rules(rows, config), mine_rules(rows, whole_config)
    assert [str(rule) for rule in some] == [str(rule) for rule in again]
    sure = {(rule.head, rule.body): rule for rule in whole}
    sampled = [rule for rule in some if rule.share < 1]
    assert len(sampled) > 100
    assert all(sure[rule.head, rule.body].share == 1 for rule in sampled)
    difference = [rule.standard_confidence - sure[rule.head, rule.body].standard_confidence for rule in sampled]
    assert abs(float(np.mean(difference))) < 0.002
    assert {rule.share for rule in some if len(rule.body) < 3} == {1.0}


def test_only_the_best_rules_of_a_relation_stay() -> None:
    random = np.random.default_rng(0)
    rows = np.stack([random.integers(0, 30, 300), random.integers(30, 33, 300), random.integers(0, 30, 300)], 1)
    whole = mine_rules(rows, MiningConfig(features=False))
    few = mine_rules(rows, MiningConfig(features=False, paths_per_head=5))
    for relation in (30, 31, 32):
        expected = [rule for rule in whole if rule.head.relation == relation][:5]
        assert [rule.confidence for rule in few if rule.head.relation == relation] == [r.confidence for r in expected]
    assert few.confidence.tolist() == sorted(few.confidence.tolist(), reverse=True)


@pytest.mark.parametrize(
    "values", [{"longest": 4}, {"support": 0}, {"confidence": 1.5}, {"smoothing": -1.0}, {"paths_per_head": 0}]
)
def test_a_setting_out_of_its_range_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        MiningConfig(**values)  # type: ignore[arg-type]  # each of its own type


@pytest.mark.parametrize("rows", [np.empty((0, 3), np.int32), np.array([[1, 2, 1]]), np.zeros((2, 2), np.int32)])
def test_nothing_to_mine_is_refused(rows: Rows) -> None:
    with pytest.raises(InputError, match="Expected"):
        mine_rules(rows)


@pytest.mark.slow
def test_wn18rr_gives_its_known_rules() -> None:
    folder = DATA / "wn18rr"
    if not folder.is_dir():
        pytest.skip(f"needs the benchmark WN18RR in {folder}")
    benchmark = load_benchmark(folder)
    rules: MinedRules = mine_rules(benchmark.train)
    best = rules[0]
    assert benchmark.name_of(best.head.relation) == "_derivationally_related_form"
    assert (best.body, best.support, best.body_size) == ((Step(best.head.relation, False),), 27694, 29708)
