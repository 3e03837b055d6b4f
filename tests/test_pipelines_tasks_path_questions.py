"""Questions answered by relation paths that are learnt from answers alone, on a small graph of films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from rdflib import RDFS

from engine.extraction.path_reader import PathReader
from engine.fusion import resolve_encoder
from kg.errors import ConfigError, InputError, NotSupportedError
from kg.graph import KnowledgeGraph
from kg.reading import Masked
from pipelines.tasks.declaration import load_task
from pipelines.tasks.evaluate import evaluate
from pipelines.tasks.example import Example
from pipelines.tasks.graphs import shuffled
from pipelines.tasks.method import Answer, Control, Method
from pipelines.tasks.methods.path_questions import fit
from pipelines.tasks.routes import verified
from tests.films import EX, films, questions

GRAPH = films()
SEEN, UNSEEN = questions(GRAPH, slice(0, 2)), questions(GRAPH, slice(2, 3))


def fitted(control: Control = "full") -> Method:
    return fit(SEEN[::2], SEEN[1::4], control=control, seed=0, settings={"graph": GRAPH, "hops": 2})


@pytest.fixture(scope="module")
def method() -> Method:
    return fitted()


def exact(answers: Sequence[Answer], examples: Sequence[Example]) -> float:
    return float(np.mean([set(a.choices) == set(e.answers) for a, e in zip(answers, examples, strict=True)]))


def test_unseen_topics_are_answered_exactly_and_proved(method: Method) -> None:
    asked = SEEN[3::4]
    answers = method.answer(asked)
    assert exact(answers, asked) == 1
    assert {answer.route for answer in answers} == {"proved"}
    assert [verified(e, a) for e, a in zip(asked, answers, strict=True)] == [True] * len(asked)


def test_unseen_wordings_are_mostly_answered(method: Method) -> None:
    assert exact(method.answer(UNSEEN), UNSEEN) > 0.7


def test_a_proof_ends_in_the_first_answer_and_rests_on_the_graph(method: Method) -> None:
    (answer,) = method.answer(SEEN[:1])
    assert answer.proof is not None
    assert answer.proof.conclusion is not None
    assert GRAPH.label(answer.proof.conclusion.object) == answer.choices[0]
    _, *walked = answer.proof.leaves()
    assert walked
    assert all(GRAPH.contains(triple, inferred=False) for triple in walked)


def test_answers_and_supervision_of_what_is_asked_are_not_read(method: Method) -> None:
    bare = [replace(example, answers=(), supervision={}, group="") for example in UNSEEN]
    told = [(a.choices, a.probability, a.route) for a in method.answer(UNSEEN)]
    assert [(a.choices, a.probability, a.route) for a in method.answer(bare)] == told


def test_every_control_does_worse_than_the_whole_method(method: Method) -> None:
    asked = SEEN[3::4]
    controls: tuple[Control, ...] = ("text only", "graph only", "shuffled graph")
    assert max(exact(fitted(control).answer(asked), asked) for control in controls) < 0.6


@pytest.mark.parametrize("control", ["no rules", "edge counter"])
def test_a_control_it_does_not_have_is_refused_with_those_it_has(control: Control) -> None:
    assert control in get_args(Control)
    with pytest.raises(NotSupportedError, match="full, text only, graph only, shuffled graph"):
        fitted(control)


def test_an_unknown_topic_is_abstained_from_and_one_without_brackets_is_found(method: Method) -> None:
    bare, unknown, two = method.answer(
        [
            Example("1", "", "who directed Film3", (), ()),
            Example("2", "", "who directed [Nosferatu]", (), ()),
            Example("3", "", "who directed Film3 and Film4", (), ()),
        ]
    )
    assert set(bare.choices) == {GRAPH.label(t.object) for t in GRAPH.triples(EX.Film3, EX.directed_by)}
    assert [(a.choices, a.probability, a.route, a.proof) for a in (unknown, two)] == [((), 0.0, "abstained", None)] * 2


def test_where_the_path_leads_nowhere_the_next_is_a_prediction_without_proof() -> None:
    without = [t for t in GRAPH.triples() if not (t.subject == EX.Film3 and t.predicate == EX.directed_by)]
    graph = KnowledgeGraph.from_triples(without)
    method = fit(SEEN[::2], SEEN[1::4], control="full", seed=0, settings={"graph": graph, "hops": 2})
    one, other = method.answer([Example(str(n), "", f"who directed [Film{n}]", (), ()) for n in (3, 4)])
    assert (other.route, one.route in ("predicted", "abstained"), one.proof) == ("proved", True, None)
    assert one.probability < other.probability


def test_the_same_seed_gives_the_same_answers(method: Method) -> None:
    assert fitted().answer(UNSEEN) != []
    told, again = ([(a.choices, a.probability) for a in one.answer(UNSEEN)] for one in (method, fitted()))
    assert told == again


def test_probabilities_are_calibrated_on_whether_first_answers_are_right() -> None:
    half_wrong = [replace(e, answers=e.answers if at % 2 else ("nobody",)) for at, e in enumerate(SEEN[1::2])]
    method = fit(SEEN[::2], half_wrong, control="full", seed=0, settings={"graph": GRAPH, "hops": 2})
    assert np.mean([answer.probability for answer in method.answer(SEEN[1::2])]) == pytest.approx(0.5, abs=0.05)


def test_a_shuffled_graph_keeps_labels_and_how_often_terms_stand_where() -> None:
    other = shuffled(GRAPH, seed=1)
    (s, p, o), (s2, p2, o2) = GRAPH.asserted.arrays(), other.asserted.arrays()
    label = GRAPH.id(RDFS.label)
    assert other.asserted.pairs(label)[1].tolist() == GRAPH.asserted.pairs(label)[1].tolist()
    assert sorted(zip(s, p, o, strict=True)) != sorted(zip(s2, p2, o2, strict=True))
    assert set(o2.tolist()) == set(o.tolist())


@pytest.mark.parametrize("settings", [{}, {"graph": 3}, {"graph": GRAPH, "hop": 2}, {"graph": GRAPH, "hops": 0}])
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"graph|hops"):
        fit(SEEN, [], control="full", seed=0, settings=settings)


def test_nothing_can_be_learnt_where_no_path_leads_to_answers() -> None:
    with pytest.raises(InputError, match="two questions at least"):
        PathReader.fit(resolve_encoder(None), [Masked("who is X", (7,))], [[]])


def test_the_task_file_evaluates_questions_and_graph_written_as_metaqa_is(tmp_path: Path) -> None:
    folder = tmp_path / "metaqa"
    rows = [t for t in GRAPH.triples() if t.predicate != RDFS.label]
    kb = "".join(f"{GRAPH.label(s)}|{str(p).removeprefix(str(EX))}|{GRAPH.label(o)}\n" for s, p, o in rows)
    folder.mkdir()
    (folder / "kb.txt").write_text(kb, encoding="utf-8")
    for hops in ("1-hop", "2-hop"):
        (folder / hops).mkdir()
        told = (f"{e.question}\t{'|'.join(e.answers)}\n" for e in SEEN if e.group == hops)
        (folder / hops / "dev.txt").write_text("".join(told), encoding="utf-8")
    task = load_task(Path(__file__).parents[1] / "data" / "tasks" / "metaqa.toml")
    (row,) = evaluate(task, tmp_path, controls=["full"])["rows"]
    assert row["metric"]["mean"] > 0.9
    assert set(row["groups"]) == {"1-hop", "2-hop"}
    proved = row["routes"]["proved"]
    assert (proved["verified"] > 0, proved["failed"], proved["unchecked"]) == (True, 0, 0)
