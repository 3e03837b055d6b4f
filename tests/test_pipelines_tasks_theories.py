"""ProofWriter and PARARULE-Plus files as examples; theories in English answered from files to proofs, with controls."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.extraction.passage_classifier import PassageClassifier
from engine.symbolic import replay
from kg.errors import ConfigError, EmptyGraphError, InputError, MissingFileError, NotSupportedError, SyntaxInputError
from pipelines.tasks import Example
from pipelines.tasks.adapters import pararule, proofwriter
from pipelines.tasks.methods.theory import TheoryMethod, fit
from tests.hamlet import small_encoder
from tests.theories import fact_text, puzzles

Read = Callable[[Path], list[Example]]
OPTIONS = ["A) True", "B) False", "C) Unknown"]
RECORD = {"id": "x", "context": "Bob is red.", "question": "Is this true, or unknown? Bob is red.", "answer": "A"}
QUESTION = {"id": "q", "text": "Bob is red.", "label": "true", "meta": {"QDep": "2"}}
QUICK = {"reader": "patterns", "passages": 40, "passes": 2}


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def examples(count: int, *, denials: bool, seed: int = 0) -> list[Example]:
    """Random theories in English with their answers."""
    choices = ("True", "False", "Unknown")
    names = {True: "True", False: "False", None: "Unknown"}
    return [
        Example(str(at), " ".join(p.sentences), fact_text(p.asked), choices, (names[p.open_answer],))
        for at, p in enumerate(puzzles(count, seed=seed, denials=denials))
    ]


def test_a_record_of_proofwriter_becomes_an_example(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", json.dumps([{**RECORD, "options": OPTIONS}]))
    assert proofwriter.read(path) == [
        Example("x", "Bob is red.", "Bob is red.", ("True", "False", "Unknown"), ("True",))
    ]


def test_the_questions_of_a_line_of_pararule_become_examples(tmp_path: Path) -> None:
    record = {"id": "p", "context": "Bob is red.", "questions": [QUESTION, {**QUESTION, "id": "r", "label": "false"}]}
    found = pararule.read(written(tmp_path / "a.jsonl", json.dumps(record) + "\n\n"))
    assert [(e.id, e.question, e.answers, e.group) for e in found] == [
        ("q", "Bob is red.", ("True",), "2"),
        ("r", "Bob is red.", ("False",), "2"),
    ]
    assert {e.choices for e in found} == {("True", "False")}


@pytest.mark.parametrize(
    ("read", "text", "error", "place"),
    [
        (proofwriter.read, "{}", SyntaxInputError, ":1: Expected a JSON array"),
        (proofwriter.read, "[\n{} {}]", SyntaxInputError, ":2: Expected ','"),
        (proofwriter.read, "[\n{} ,\n{", SyntaxInputError, ":3: Expected JSON"),
        (proofwriter.read, "[]", EmptyGraphError, "Expected records"),
        (proofwriter.read, "[\n\n{}]", InputError, ":3: .*no id"),
        (proofwriter.read, json.dumps([{**RECORD, "options": ["B) False"]}]), InputError, ":1: .*among B"),
        (pararule.read, "\n{", SyntaxInputError, ":2: Expected JSON"),
        (pararule.read, "", EmptyGraphError, "Expected questions"),
        (pararule.read, '{"context": "a"}', InputError, ":1: .*questions"),
        (pararule.read, '{"context": "a", "questions": [3]}', InputError, ":1: .*label"),
        (pararule.read, '{"context": "a", "questions": [{"label": "so"}]}', InputError, ":1: .*'so'"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_line(
    tmp_path: Path, read: Read, text: str, error: type[Exception], place: str
) -> None:
    with pytest.raises(error, match=place):
        read(written(tmp_path / "a.txt", text))


@pytest.mark.parametrize("read", [proofwriter.read, pararule.read])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, read: Read) -> None:
    with pytest.raises(MissingFileError, match="none"):
        read(tmp_path / "none")


def test_the_public_files_are_read(shared: Path) -> None:
    found = proofwriter.read(shared / "data" / "proofwriter" / "dev.json")
    assert len(found) == 600
    assert {e.answers[0] for e in found} == {"True", "False", "Unknown"}
    assert not any("unknown" in e.question for e in found)
    found = pararule.read(shared / "data" / "pararule-plus" / "D2_dev.jsonl")
    assert (len(found), {e.group for e in found}) == (16204, {"2"})


def test_theories_are_answered_with_proofs_that_replay() -> None:
    given = examples(150, denials=False, seed=2)
    method = fit(
        examples(120, denials=False), (), control="full", seed=0, settings={**QUICK, "passages": 120, "passes": 10}
    )
    assert isinstance(method, TheoryMethod)
    answers = method.answer(given)
    right = [answer.choices == example.answers for answer, example in zip(answers, given, strict=True)]
    assert np.mean(right) > 0.95
    closures = [conclusion.closure for conclusion in method.conclude(given)]
    routes = {"proved": "True", "refuted": "False", "predicted": "Unknown"}
    for answer, closure in zip(answers, closures, strict=True):
        assert answer.choices == (routes[answer.route],)
        assert (answer.proof is None) == (answer.route == "predicted")
        if answer.proof is not None and closure is not None:
            assert replay(answer.proof, closure.graph, closure.rules)


def test_without_rules_only_what_is_stated_is_answered() -> None:
    given = [
        Example("1", "Bob is red. If someone is red then they are kind.", text, ("True", "False", "Unknown"), (answer,))
        for text, answer in (("Bob is red.", "True"), ("Bob is kind.", "True"))
    ]
    told = {c: fit(given, (), control=c, seed=0, settings=QUICK).answer(given) for c in ("full", "no rules")}
    assert [a.choices for a in told["full"]] == [("True",), ("True",)]
    assert [a.choices for a in told["no rules"]] == [("True",), ("Unknown",)]


def test_what_cannot_be_read_is_abstained_from() -> None:
    given = [Example("1", "Bob is red. Bob may be kind.", "Bob is kind.", ("True", "False"), ("True",))]
    (answer,) = fit(given, (), control="full", seed=0, settings={**QUICK, "world": "closed"}).answer(given)
    assert (answer.choices, answer.route, answer.probability) == ((), "abstained", 0.5)


def test_a_control_it_does_not_have_is_refused() -> None:
    with pytest.raises(NotSupportedError, match="full, text only, no rules"):
        fit([], (), control="graph only", seed=0, settings={})


@pytest.mark.parametrize("wrong", [{"wrold": "open"}, {"world": "round"}, {"reader": "guess"}])
def test_settings_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="Expected"):
        fit([], (), control="full", seed=0, settings=wrong)


def test_answers_of_another_kind_are_refused() -> None:
    with pytest.raises(ConfigError, match="among True, False, Unknown"):
        fit([Example("1", "", "", ("yes",), ("yes",))], (), control="full", seed=0, settings=QUICK)


def test_the_classifier_of_texts_learns_what_the_question_says() -> None:
    encoder = small_encoder()
    passages = [["ann knows bob .", "bob knows ann ."]] * 40
    questions = ["ann knows bob .", "ann does not know bob ."] * 20
    answers = ["True", "False"] * 20
    model = PassageClassifier.fit(encoder, passages, questions, answers, epochs=12, batch=8, rate=3e-3)
    found = model.probabilities(passages, questions)
    assert [model.choices[at] for at in found.argmax(1)] == answers
    assert found.sum(1) == pytest.approx(np.ones(40))
    assert model.probabilities([], []).shape == (0, 2)
