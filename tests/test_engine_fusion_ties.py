"""Claims tied by rules: what they come to, the loss and its gradient, and a model that learns from rules alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.fusion import ClaimExample, Encoder, SoftRules, Tie, predict_logits, tie_claims, train_fusion
from engine.fusion.examples import generate_examples
from engine.fusion.ties import rule_loss
from engine.symbolic import Closure, materialise
from kg.errors import ConfigError, InputError
from kg.graph import KnowledgeGraph
from tests.hamlet import EX, SMALL, hamlet, ids, small_encoder


@pytest.fixture(scope="module")
def closure() -> Closure:
    return hamlet()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return small_encoder()


@pytest.fixture(scope="module")
def tied(closure: Closure) -> tuple[list[ClaimExample], dict[str, Tie]]:
    return tie_claims(closure, generate_examples(closure, count=24, seed=0), count=300, seed=1)


def grandparent(closure: Closure) -> Tie:
    """Ann is a parent of Bob, he of Dan: so Ann is a grandparent of Dan."""
    premises = [(EX.ann, EX.parentOf, EX.bob), (EX.bob, EX.parentOf, EX.dan)]
    weigh = SoftRules(closure, [(EX.ann, EX.grandparentOf, EX.dan)], {p: at for at, p in enumerate(premises)})
    return Tie(True, weigh)


def both_ways(closure: Closure) -> Tie:
    """Nobody is a parent of a parent of theirs."""
    pair = [(EX.ann, EX.parentOf, EX.bob), (EX.bob, EX.parentOf, EX.ann)]
    world = closure.add(pair[1:])
    return Tie(False, SoftRules(world, world.violations_not_in(closure)[:1], {p: at for at, p in enumerate(pair)}))


def example(label: float, group: str, *, negated: bool = False) -> ClaimExample:
    return ClaimExample("Ann knows Bob", None, label, "text", negated, group=group)


def test_loss_is_minus_the_log_of_the_chance_that_the_rule_is_met(closure: Closure) -> None:
    ties = {"g": grandparent(closure), "c": both_ways(closure)}
    rows = [example(1, "c"), example(1, "g"), example(1, ""), example(0, "g", negated=True)]
    rows += [example(float("nan"), "c"), example(float("nan"), "g")]
    logits = torch.tensor([0.3, -0.4, 9.0, 1.1, -0.7, 0.2], requires_grad=True)
    p = 1 / (1 + np.exp(-logits.detach().numpy().astype(float)))
    expected = [-np.log(1 - p[0] * p[4]), -np.log(1 - p[1] * (1 - p[3]) * (1 - p[5]))]
    loss = rule_loss(ties, rows, logits)
    assert float(loss.detach()) == pytest.approx(np.mean(expected), abs=1e-6)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert logits.grad is not None
    # Down with both that a constraint forbids and with the premises (a denial of one goes up), up with the conclusion.
    assert np.sign(logits.grad.tolist()).tolist() == [1, 1, 0, -1, 1, -1]
    assert float(rule_loss(ties, rows[2:3], logits[2:3])) == 0


@pytest.mark.parametrize("believed", [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])
def test_a_rule_is_broken_as_its_truth_table_says(closure: Closure, believed: tuple[int, int, int]) -> None:
    first, second, third = map(bool, believed)
    assert grandparent(closure).is_broken([first, second, third]) == (first and second and not third)
    assert both_ways(closure).is_broken([first, second]) == (first and second)


def test_tied_claims_are_what_the_rules_say(closure: Closure, tied: tuple[list[ClaimExample], dict[str, Tie]]) -> None:
    examples, ties = tied
    assert {tie.concluded for tie in ties.values()} == {True, False}
    groups: dict[str, list[ClaimExample]] = {}
    for one in examples:
        if one.group:
            groups.setdefault(one.group, []).append(one)
    assert set(groups) == set(ties)
    for name, tie in ties.items():
        *given, last = groups[name]
        assert [np.isnan(one.label) for one in groups[name]] == [False] * len(given) + [True]
        triples = [one.triple for one in given if one.triple is not None]
        assert all(closure.graph.asserted.contains(*ids) for ids in triples)
        assert [one.label for one in given] == [float(not one.negated) for one in given]
        assert last.triple is not None
        assert closure.graph.contains(closure.graph.decode(*last.triple)) == tie.concluded
        # Without the given triples the claim does not follow, and with all of them it breaks nothing or something.
        without = closure.retract([closure.graph.decode(*ids) for ids in triples])
        last_terms = closure.graph.decode(*last.triple)
        if tie.concluded:
            assert not without.graph.contains(last_terms)
        assert tie.is_broken([True] * len(given) + [not tie.concluded])
        assert not tie.is_broken([False] * len(given) + [not tie.concluded])


def test_the_examples_themselves_are_kept(closure: Closure, tied: tuple[list[ClaimExample], dict[str, Tie]]) -> None:
    examples, _ = tied
    given = generate_examples(closure, count=24, seed=0)
    assert sorted(map(repr, given)) == sorted(
        repr(replace(one, group="")) for one in examples if replace(one, group="") in given
    )


def test_nothing_rests_on_what_is_hidden(closure: Closure) -> None:
    hidden = {ids(closure, "ann", "parentOf", "bob"), ids(closure, "bob", "parentOf", "dan")}
    examples, _ = tie_claims(closure, generate_examples(closure, count=8, seed=0), count=60, seed=1, hidden=hidden)
    new = [one for one in examples if one.group]
    lost = {*hidden, ids(closure, "ann", "grandparentOf", "dan"), ids(closure, "bob", "childOf", "ann")}
    assert new
    assert {one.triple for one in new} & lost == set()


def test_rules_alone_teach_what_has_no_label(closure: Closure, encoder: Encoder) -> None:
    text, premise = "Ann is a grandparent of Dan", "Bob is a parent of Dan"
    ties = {
        "g": Tie(True, SoftRules(closure, [(EX.ann, EX.grandparentOf, EX.dan)], {(EX.bob, EX.parentOf, EX.dan): 0}))
    }
    rows = [
        ClaimExample(premise, ids(closure, "bob", "parentOf", "dan"), 1.0, "text", group="g"),
        ClaimExample(text, ids(closure, "ann", "grandparentOf", "dan"), float("nan"), "text", group="g"),
        ClaimExample("Ann lives in Bonn", ids(closure, "ann", "livesIn", "bonn"), 0.0, "text"),
        ClaimExample("Eve is married to Hal", ids(closure, "eve", "marriedTo", "hal"), 0.0, "text"),
    ]
    config = replace(SMALL, epochs=40, learning_rate=1e-2, encoder_learning_rate=1e-3, batch_size=4)
    off, on = (
        predict_logits(
            train_fusion(rows, closure, None, encoder, replace(config, rule_loss=weight), ties=ties), rows[1:2]
        )
        for weight in (0.0, 2.0)
    )
    assert on > 1
    assert on > off + 1


def test_what_cannot_be_tied_is_refused(closure: Closure, encoder: Encoder) -> None:
    examples = generate_examples(closure, count=8, seed=0)
    with pytest.raises(ConfigError, match="Expected ties of the examples for 'rule_loss' above 0"):
        train_fusion(examples, closure, None, encoder, replace(SMALL, rule_loss=0.5))
    with pytest.raises(ConfigError, match="Expected 'rule_loss' to be 0 where the target is 'choice'"):
        replace(SMALL, rule_loss=0.5, target="choice")
    rows = [(EX[f"a{at}"], EX.near, EX[f"a{at + 1}"]) for at in range(6)]
    bare = materialise(KnowledgeGraph.from_triples(rows), entailment="none")
    with pytest.raises(InputError, match="got none by these rules"):
        tie_claims(bare, generate_examples(bare, count=4, seed=0), count=8, seed=0)
