"""Heads: each answers what it is asked, from the text alone at first; each learns, and says what its examples lack."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from engine.fusion import ASKED, ClaimExample, Encoder, answer_accuracy, predict_answers, predict_logits, train_fusion
from engine.fusion.config import Exchange, Mode, Target
from engine.fusion.examples import generate_examples
from engine.fusion.heads import check_examples
from engine.fusion.losses import group_log_probabilities, loss_count, target_loss
from engine.fusion.order import batches, units
from engine.symbolic import Closure
from kg.errors import InputError
from tests.hamlet import SMALL, hamlet, ids, small_embedding, small_encoder, small_model

LONGER = replace(SMALL, epochs=10, learning_rate=1e-2, encoder_learning_rate=2e-3)


@pytest.fixture(scope="module")
def closure() -> Closure:
    return hamlet()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return small_encoder()


def examples_for(closure: Closure, target: Target) -> list[ClaimExample]:
    """Questions of each kind whose answers can be read from the text."""
    made = generate_examples(closure, count=24, seed=0, negated=0)
    if target == "truth":
        return made
    if target == "three-way":
        labels = {"entailed": 1.0, "corrupted": 0.5, "contradicted": 0.0}
        return [replace(example, label=labels[example.kind]) for example in made]
    if target == "choice":
        return [
            ClaimExample(f"{name.capitalize()} knows Eve", ids(closure, name, "knows", "eve"), label, "choice", group=q)
            for q in ("one", "two", "three")
            for name, label in (("ann", 0.0), ("dan", 1.0), ("hal", 0.0))
        ]
    if target == "entity":
        parents = {"bob": "dan", "cyd": "eve", "fay": "gil"}
        return [
            ClaimExample(
                f"{name.capitalize()} is a parent of",
                (*ids(closure, name, "parentOf", child)[:2], ASKED),
                1.0,
                "entity",
                answers=(ids(closure, name, "parentOf", child)[2],),
            )
            for name, child in parents.items()
        ]
    pairs = [
        ("ann", "parentOf", "bob"),
        ("bob", "marriedTo", "fay"),
        ("dan", "knows", "eve"),
        ("ann", "livesIn", "ulm"),
    ]
    return [
        ClaimExample(f"{head} {relation} {tail}", (head_id, ASKED, tail_id), 1.0, "relation", answers=(relation_id,))
        for head, relation, tail in pairs
        for head_id, relation_id, tail_id in [ids(closure, head, relation, tail)]
    ]


def shape(closure: Closure, target: Target, count: int) -> tuple[int, ...]:
    classes = {"three-way": (3,), "relation": (len(closure.graph.predicates()) + 1,)}
    return (count, *classes.get(target, ()))


@pytest.mark.parametrize("exchange", get_args(Exchange))
@pytest.mark.parametrize("target", get_args(Target))
def test_untrained_model_answers_as_its_text_only_control(
    closure: Closure, encoder: Encoder, target: Target, exchange: Exchange
) -> None:
    config = replace(SMALL, target=target, exchange=exchange)
    model = small_model(closure, encoder, small_embedding(closure), config, opened=False)
    batch = model.collator(examples_for(closure, target))
    with torch.inference_mode():
        fused, text_only = model(batch), model(batch, mode="text only")
        assert torch.equal(fused, text_only)
        assert not model(batch, mode="graph only").any()
    number = len(batch.entity) if target == "entity" else len(batch)
    assert tuple(fused.shape) == shape(closure, target, number)


@pytest.mark.parametrize("mode", ["fusion", "text only"])
@pytest.mark.parametrize("target", get_args(Target))
def test_every_head_learns_its_questions(closure: Closure, encoder: Encoder, target: Target, mode: Mode) -> None:
    asked = examples_for(closure, target)
    config = replace(LONGER, target=target, mode=mode)
    model = train_fusion(asked, closure, small_embedding(closure), encoder, config)
    assert model.history[-1].loss < model.history[0].loss
    if mode == "fusion":
        assert answer_accuracy(model, asked) > 0.7


@pytest.mark.parametrize("target", get_args(Target))
def test_batches_do_not_change_the_answers(closure: Closure, encoder: Encoder, target: Target) -> None:
    asked = examples_for(closure, target)
    model = small_model(closure, encoder, small_embedding(closure), replace(SMALL, target=target))
    singles = [predict_answers(model, [one]) for one in asked]
    if target == "choice":  # a choice alone is the best of its question
        logits = predict_logits(model, asked).reshape(3, 3)
        expected = (logits == logits.max(1, keepdims=True)).astype(float).ravel().tolist()
        assert predict_answers(model, asked) == expected
    else:
        assert predict_answers(model, asked) == [answer for row in singles for answer in row]


def test_what_is_asked_is_not_shown(closure: Closure, encoder: Encoder) -> None:
    """The relation that is asked for makes no difference to the logits; neither does the right entity."""
    for target, place in (("relation", 1), ("entity", 2)):
        model = small_model(closure, encoder, small_embedding(closure), replace(SMALL, target=target))  # type: ignore[arg-type]  # mypy takes the loop's names for any string
        asked = examples_for(closure, target)  # type: ignore[arg-type]  # as above
        assert {example.triple[place] for example in asked if example.triple} == {ASKED}
        other = [replace(example, answers=()) for example in asked]
        with torch.inference_mode():
            assert torch.equal(model(model.collator(asked)), model(model.collator(other)))


def test_losses_are_those_of_the_formulas(closure: Closure, encoder: Encoder) -> None:
    torch.manual_seed(0)
    for target in get_args(Target):
        asked = examples_for(closure, target)
        batch = small_model(closure, encoder, None, replace(SMALL, target=target)).collator(asked)
        logits = torch.randn(shape(closure, target, len(batch.entity) if target == "entity" else len(batch)))
        found = float(target_loss(target, logits, batch))
        numbers, terms = logits.double().numpy(), []
        if target == "truth":
            terms = [np.logaddexp(0, x) - e.label * x for x, e in zip(numbers, asked, strict=True)]
        elif target == "choice":
            for at in range(0, 9, 3):
                terms.append(np.log(np.exp(numbers[at : at + 3]).sum()) - numbers[at + 1])
        elif target == "entity":
            for at in range(len(batch)):
                own = (batch.graph == at).numpy()
                right = own & batch.answer.numpy()
                terms.append(np.log(np.exp(numbers[own]).sum()) - numbers[right].mean())
        else:
            classes = [2 * e.label for e in asked] if target == "three-way" else batch.relation_answer.tolist()
            terms = [np.log(np.exp(row).sum()) - row[int(at)] for row, at in zip(numbers, classes, strict=True)]
        assert found == pytest.approx(np.mean(terms), abs=1e-5)
        assert loss_count(target, batch) == (3 if target == "choice" else len(batch))


def test_claims_without_a_label_have_no_part_in_the_loss(closure: Closure, encoder: Encoder) -> None:
    asked = examples_for(closure, "truth")[:4]
    collator = small_model(closure, encoder, None).collator
    logits = torch.tensor([1.0, -2.0, 3.0, 0.5])
    unknown = [replace(example, label=float("nan")) if at == 1 else example for at, example in enumerate(asked)]
    expected = target_loss("truth", logits[[0, 2, 3]], collator([asked[0], asked[2], asked[3]]))
    assert torch.equal(target_loss("truth", logits, collator(unknown)), expected)
    assert float(target_loss("truth", logits[:1], collator([unknown[1]]))) == 0


def test_a_question_without_a_right_node_teaches_nothing(closure: Closure, encoder: Encoder) -> None:
    (one, *_) = examples_for(closure, "entity")
    nobody = replace(one, answers=(10**6,))
    batch = small_model(closure, encoder, None, replace(SMALL, target="entity")).collator([nobody])
    assert float(target_loss("entity", torch.randn(len(batch.entity)), batch)) == 0


def test_group_log_probabilities_are_a_softmax_per_group() -> None:
    logits, group = torch.tensor([1.0, 900.0, 2.0, 901.0, 3.0]), torch.tensor([0, 1, 0, 1, 0])
    found = group_log_probabilities(logits, group, 2)
    for at in (0, 1):
        torch.testing.assert_close(found[group == at], torch.log_softmax(logits[group == at], 0))


@pytest.mark.parametrize(
    ("target", "change", "expected"),
    [
        ("truth", {"label": 2.0}, "a label in"),
        ("three-way", {"label": 0.3}, "a label of 0, 0.5 or 1"),
        ("choice", {"group": ""}, "a group with one right choice"),
        ("choice", {"label": 1.0}, "a group with one right choice"),
        ("entity", {"answers": ()}, "and answers"),
        ("entity", {"triple": None}, "ASKED for its tail"),
        ("relation", {"answers": (1, 2)}, "and one answer"),
        ("relation", {"triple": (1, 2, 3)}, "ASKED for its relation"),
        ("truth", {"triple": (1, 2, ASKED)}, "no ASKED"),
    ],
)
def test_examples_that_lack_something_are_refused(
    closure: Closure, target: Target, change: dict[str, object], expected: str
) -> None:
    good = examples_for(closure, target)
    check_examples(good, target)
    bad = replace(good[0], **change)  # type: ignore[arg-type]  # fields of several types
    with pytest.raises(InputError, match=expected):
        check_examples([bad, *good[1:]], target)


def test_groups_stay_together_in_batches_of_the_wanted_size() -> None:
    names = ["a", "", "b", "a", "", "b", "b", "", ""]
    rows = [ClaimExample(str(at), None, 0.0, "text", group=name) for at, name in enumerate(names)]
    found = units(rows)
    assert found == [[0, 3], [1], [2, 5, 6], [4], [7], [8]]
    assert batches(found, 3) == [[0, 3, 1], [2, 5, 6], [4, 7, 8]]
    assert batches(found, 4) == [[0, 3, 1, 2, 5, 6], [4, 7], [8]]
    alone = units([replace(row, group="") for row in rows])
    assert batches(alone, 4) == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
