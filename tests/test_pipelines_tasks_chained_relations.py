"""The method that chains what it reads: trained, calibrated, proved; and its controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from engine.symbolic import replay
from kg.errors import ConfigError, InputError, NotSupportedError
from pipelines.tasks.example import Example
from pipelines.tasks.longer_stories import Piece, pieces_of, stories
from pipelines.tasks.method import CONTROLS, Method
from pipelines.tasks.methods.chained_relations import ChainedRelations, fit
from tests.kinship import kin_encoder, kin_examples

PAIRS = {"trained_layers": 2, "epochs": 60, "batch_size": 3, "learning_rate": 5e-3, "dropout": 0.0, "smoothing": 0.0}
TRAIN, DEV, ASKED = kin_examples(24), kin_examples(30, seed=1), kin_examples(12, seed=2)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("kin")
    return {"encoder": str(kin_encoder(folder / "bert")), "folder": str(folder / "kept"), "pairs": PAIRS, "idle": 5}


@pytest.fixture(scope="module")
def method(settings: dict[str, Any]) -> ChainedRelations:
    found = fit(TRAIN, DEV, settings=settings)
    assert isinstance(found, ChainedRelations)
    return found


def accuracy(method: Method, examples: Sequence[Example]) -> float:
    answers = method.answer(examples)
    return sum(a.choices[0] in e.answers for a, e in zip(answers, examples, strict=True)) / len(examples)


def test_it_answers_with_a_proof_that_replays_and_the_sentences_it_rests_on(method: ChainedRelations) -> None:
    assert accuracy(method, ASKED) > 0.9
    for answer in method.answer(ASKED):
        if answer.choices == ("uncle",):
            assert answer.route == "proved"
            assert answer.proof is not None
            theory = answer.theory
            assert theory is not None
            assert replay(answer.proof, theory.graph, theory.rules, assumed=theory.assumed) > 0
            assert set(answer.sentences) == {0, 1}
            assert 0 <= answer.probability <= 1


def test_answers_and_supervision_are_never_read(method: ChainedRelations) -> None:
    blind = [replace(example, answers=(), supervision={}, group="") for example in ASKED]
    for one, other in zip(method.answer(ASKED), method.answer(blind), strict=True):
        assert (one.choices, one.probability, one.scores) == (other.choices, other.probability, other.scores)


def test_without_rules_only_what_is_told_outright_is_answered(
    settings: dict[str, Any], method: ChainedRelations
) -> None:
    alone = fit(TRAIN, DEV, control="no rules", settings=settings)
    told = [example for example in ASKED if example.answers == ("mother",)]
    assert accuracy(alone, told) == accuracy(method, told) == 1.0
    assert {answer.proof for answer in alone.answer(ASKED)} == {None}


def test_text_only_reads_the_whole_story(settings: dict[str, Any]) -> None:
    answers = fit(TRAIN, DEV, control="text only", settings=settings).answer(ASKED)
    assert {answer.proof for answer in answers} == {None}
    assert all(set(answer.scores) == {"mother", "uncle"} for answer in answers)
    assert sum(a.choices[0] in e.answers for a, e in zip(answers, ASKED, strict=True)) > len(ASKED) / 2


def test_what_was_trained_is_taken_from_its_folder(settings: dict[str, Any], method: ChainedRelations) -> None:
    again = fit(TRAIN, DEV, settings=settings | {"pairs": {"epochs": 999}})
    for one, other in zip(method.answer(ASKED), again.answer(ASKED), strict=True):
        assert (one.choices, one.probability, one.route) == (other.choices, other.probability, other.route)


def test_a_story_from_which_nothing_follows_is_abstained_from(method: ChainedRelations) -> None:
    (answer,) = method.answer([Example("1", "[Ann] met the brother.", "Ann, Bob", (), ())])
    assert (answer.route, answer.probability, answer.proof) == ("abstained", 0.0, None)


def test_other_controls_settings_and_examples_are_refused(settings: dict[str, Any], method: ChainedRelations) -> None:
    for control in set(CONTROLS) - {"full", "text only", "no rules"}:
        with pytest.raises(NotSupportedError, match="full, text only, no rules"):
            fit(TRAIN, DEV, control=control, settings=settings)
    with pytest.raises(ConfigError, match="Expected settings of encoder"):
        fit(TRAIN, DEV, settings={"layers": 3})
    with pytest.raises(ConfigError, match="risk in"):
        fit(TRAIN, DEV, settings={"risk": 2})
    with pytest.raises(InputError, match="supervision 'triples'"):
        fit([replace(TRAIN[0], supervision={})], DEV, settings=settings)
    with pytest.raises(InputError, match="Expected two names"):
        method.answer([replace(ASKED[0], question="Ann?")])


def test_longer_stories_are_told_by_pieces_and_answered_by_the_family() -> None:
    pieces = pieces_of(TRAIN, seen=set())
    assert pieces["female", "brother"] == [Piece(("", " has the brother ", "."), (0, 1))]
    assert pieces["male", "mother"] == [
        Piece(("", " has the mother ", "."), (0, 1)),
        Piece(("", " is mother of ", "."), (1, 0)),
    ]
    one_family = [replace(TRAIN[0], id=str(at)) for at in range(3)]
    (story,) = stories(one_family, pieces, hops=[2], count=1, seed=0)
    (head, _, tail), _ = TRAIN[0].supervision["steps"][0]  # type: ignore[index]  # any object, by its type
    assert (story.question, story.answers, story.group) == (f"{head}, {tail}", ("uncle",), "2")
    assert story.supervision == {}
    assert stories(one_family, pieces, hops=[2], count=1, seed=0) == [story]
    assert stories(one_family, pieces, hops=[3], count=1, seed=0) == []
