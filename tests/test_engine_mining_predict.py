"""Scores by rules: equal to looking every rule up in the triples, for either end of a triple."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from engine.mining import MinedRule, MiningConfig, RulePredictor, Step, mine_rules
from kg.errors import ConfigError, InputError, UnknownTermError
from tests.test_engine_mining import ALL, Links, Rows, links, triples


def walks(steps: Links, body: tuple[Step, ...], x: int) -> set[int]:
    """The ends of a body from x on, through entities that differ."""
    found: list[tuple[int, ...]] = [(x,)]
    for step in body:
        found = [(*walk, b) for walk in found for a, b in steps.get(step, ()) if a == walk[-1] and b not in walk]
    return {walk[-1] for walk in found}


def turned(body: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(Step(step.relation, not step.forward) for step in reversed(body))


def firing(rule: MinedRule, steps: Links, x: int, asked: Step, y: int) -> Iterator[int]:
    """The group (paths, features of x, of y, or of no constant) of each way in which a rule leads from x to y."""
    if rule.head_constant is None:
        if rule.head == asked and y in walks(steps, rule.body, x):
            yield 0
        if rule.head == turned((asked,))[0] and y in walks(steps, turned(rule.body), x):
            yield 0
        return

    def has(entity: int) -> bool:
        return any(a == entity and rule.body_constant in (None, b) for a, b in steps.get(rule.body[0], ()))

    if rule.head == asked and rule.head_constant == y and has(x):
        yield 3 if rule.body_constant is None else 1
    if rule.head == turned((asked,))[0] and rule.head_constant == x and has(y):
        yield 3 if rule.body_constant is None else 2


@given(triples())
@settings(max_examples=20, deadline=None)
def test_scores_equal_those_of_every_rule_looked_up(rows: Rows) -> None:
    rules, steps = mine_rules(rows, ALL), links(rows)
    every = list(rules)
    noisy = RulePredictor(rules, rows, decay=0.5, depth=3, unspecific=0.25)
    in_order = RulePredictor(rules, rows, way="in order")
    queries = np.unique(rows[:, [0, 1]], axis=0)[:3]
    asked = np.stack([queries[:, 0], queries[:, 1], queries[:, 0]], axis=1)
    for tails in (True, False):
        scores, ordered = noisy.of(asked, tails=tails), in_order.of(asked, tails=tails)
        for at, (x, relation, _) in enumerate(asked.tolist()):
            keys = {}
            for column, y in enumerate(noisy.entities.tolist()):
                groups: list[list[float]] = [[], [], [], []]
                for rule in every if x != y else ():
                    for group in firing(rule, steps, x, Step(relation, tails), y):
                        groups[group].append(rule.confidence)
                best = [sorted(group, reverse=True)[:3] for group in groups]
                counts_for = zip((1, 1, 1, 0.25), best, strict=True)
                expected = -sum(np.log(1 - w * 0.5**k * c) for w, group in counts_for for k, c in enumerate(group))
                assert scores[at, column] == pytest.approx(expected, abs=2e-6)
                best = [sorted(group, reverse=True)[:4] for group in groups]
                keys[column] = [round(c * 8191) for c in sorted(chain.from_iterable(best), reverse=True)[:4]]
            for one in keys:
                for other in keys:
                    if keys[one] > keys[other]:
                        assert ordered[at, one] > ordered[at, other] - 1e-6


def predictor() -> tuple[RulePredictor, Rows]:
    rows = np.array([[0, 9, 1], [1, 9, 2], [0, 8, 2], [2, 8, 0], [2, 9, 1]], dtype=np.int32)
    return RulePredictor(mine_rules(rows, ALL), rows), rows


def test_equal_queries_get_equal_scores_in_the_order_they_were_asked() -> None:
    rules, rows = predictor()
    together = rules.of(rows[[2, 0, 2, 1]], tails=True)
    apart = np.concatenate([rules.of(rows[[at]], tails=True) for at in (2, 0, 2, 1)])
    np.testing.assert_array_equal(together, apart)


def test_without_a_rule_the_more_frequent_entity_comes_first() -> None:
    rows: NDArray[np.int32] = np.array([[0, 9, 1], [2, 9, 1], [3, 9, 4], [5, 8, 6]], dtype=np.int32)
    config = MiningConfig(features=False)
    (scores,) = RulePredictor(mine_rules(rows, config), rows).of(np.array([[5, 9, 1]]), tails=True)
    assert np.argsort(-scores, kind="stable")[:2].tolist() == [1, 4]
    assert 0 < scores.max() <= 1e-6


def test_an_unknown_term_and_other_triples_are_refused() -> None:
    rules, rows = predictor()
    assert rules.knows(np.array([[0, 9, 2], [0, 9, 5], [0, 7, 2]])).tolist() == [True, False, False]
    with pytest.raises(UnknownTermError, match="term id 5"):
        rules.of(np.array([[5, 9, 1]]), tails=True)
    with pytest.raises(InputError, match="mined from"):
        RulePredictor(rules.rules, rows[:2])
    with pytest.raises(ConfigError, match="way"):
        RulePredictor(rules.rules, rows, way="best")
    with pytest.raises(ConfigError, match="decay"):
        RulePredictor(rules.rules, rows, decay=2)
