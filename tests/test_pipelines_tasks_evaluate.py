"""The table of a task: its method beside its controls, what it abstains from, and proofs that others check."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdflib import RDF, RDFS, URIRef
from typer.testing import CliRunner

from engine.fusion.evaluate import paired_difference
from engine.symbolic import RuleSet, materialise
from kg.errors import InputError, StoreError
from kg.load import load_graph
from kg.terms import Triple
from pipelines.cli import app
from pipelines.tasks.declaration import load_task
from pipelines.tasks.evaluate import evaluate, is_right
from pipelines.tasks.example import Example
from pipelines.tasks.method import Answer, Route, Theory
from pipelines.tasks.routes import Abstention, verified
from pipelines.tasks.table import table_lines
from tests.toy_task import TASK, make_task

EXAMPLE = Example("1", "", "is it?", ("true", "false"), ("true",))
ROUTES: tuple[Route, ...] = ("proved", "refuted", "predicted", "abstained")


def test_the_method_and_its_controls_in_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, out = make_task(tmp_path, monkeypatch), tmp_path / "out"
    report = evaluate(load_task(place), tmp_path, out=out)
    rows = {row["control"]: row for row in report["rows"]}
    assert list(rows) == ["full", "text only", "graph only", "shuffled graph", "no rules", "edge counter"]
    small = rows["full"]["groups"]["small"]["count"]
    assert (report["examples"], report["seeds"], rows["full"]["metric"]) == (
        50,
        [0, 1],
        {"mean": small / 50, "sd": 0.0},
    )
    assert rows["no rules"]["not supported"].endswith("(toy_parity has none)")
    gap = rows["text only"]["full less this"]
    assert gap["difference"] == pytest.approx(small / 50)
    assert gap["low"] <= gap["difference"] <= gap["high"]
    assert (gap["only_first"], gap["only_second"], gap["count"]) == (small, 0, 50)
    assert rows["full"]["brier"]["mean"] == pytest.approx((small * 0.01 + (50 - small) * 0.36) / 50)
    assert rows["full"]["given"] == {"coverage": small / 50, "right": 1.0}
    assert [rows["full"]["routes"][route]["share"] for route in ROUTES] == [0, 0, small / 50, 1 - small / 50]
    assert rows["text only"]["given"] == {"coverage": 0.0, "right": None}
    assert rows["full"]["curve"]["coverage"][-1] == 1
    assert rows["full"]["curve"]["risk"][-1] == pytest.approx(1 - small / 50)
    assert json.loads((out / "evaluation.json").read_text(encoding="utf-8")) == report
    assert Abstention.load(out / "seed-1").threshold == 0.9
    lines = list(table_lines(report))
    assert lines[0].startswith("Even numbers: 50 examples (dev), seeds 0, 1")
    assert [line.split()[0] for line in lines[2:8]] == ["full", "text", "graph", "shuffled", "no", "edge"]


def test_where_nothing_is_kept_to_choose_by_nothing_is_abstained_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_task(tmp_path, monkeypatch, TASK.replace("calibration = 0.5", "calibration = 0"))
    report = evaluate(load_task(place), tmp_path, controls=[], seeds=[0], out=tmp_path / "out")
    assert report["rows"][0]["given"] == {"coverage": 1.0, "right": 0.5}
    assert Abstention.load(tmp_path / "out" / "seed-0") == Abstention(0.0, 0.05, 1.0, 0)


def test_folds_ask_every_example_of_what_was_fitted_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = """
from pipelines.tasks.method import Answer

class Known:
    def __init__(self, known):
        self.known = known

    def answer(self, examples):
        return [Answer(("true" if e.id in self.known else "false",), 0.5) for e in examples]

def fit(train, dev, *, control, seed, settings, folder=None):
    assert len(train) == 40 and len(dev) == 40
    return Known({e.id for e in (*train, *dev)})
"""
    text = TASK.replace('train = "train.txt"\n', "").replace("seeds = 2", "folds = 5")
    place = make_task(tmp_path, monkeypatch, text, method=learnt)
    report = evaluate(load_task(place), tmp_path, controls=[], seeds=[3])
    assert (report["measured on"], report["examples"]) == ("dev, cross-fitted", 100)
    assert report["rows"][0]["metric"]["mean"] == 0.5  # "false" of all: none was known
    assert report["rows"][0]["given"] == {"coverage": 0.0, "right": None}  # in no part were the others sure enough


def test_over_seeds_each_example_counts_by_its_mean() -> None:
    found = paired_difference([0.5, 1, 1], [0, 1, 1])
    assert (found.difference, found.only_first, found.only_second, found.count) == (0.5 / 3, 1, 0, 3)
    assert found.low == 0
    with pytest.raises(InputError, match="two rows of the same length"):
        paired_difference([1.0], [1.0, 0.0])


def test_the_command_prints_the_table_and_measures_on_a_given_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_task(tmp_path, monkeypatch)
    (tmp_path / "given.txt").write_text("1 2 3", encoding="utf-8")
    command = ["evaluate", str(place), "--data", str(tmp_path), "--test", str(tmp_path / "given.txt"), "--seeds", "1"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == "Even numbers: 3 examples (test), seeds 0"
    report = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert [row["control"] for row in report["rows"]] == ["full"]
    assert report["rows"][0]["metric"]["mean"] == 1.0


@given(
    st.lists(st.tuples(st.sampled_from(ROUTES), st.floats(0, 1), st.booleans()), max_size=30),
    st.floats(0.01, 0.99),
)
def test_a_threshold_keeps_its_risk_and_changes_predictions_alone(
    told: list[tuple[Route, float, bool]], risk: float
) -> None:
    answers = [Answer(("true",), chance, route) for route, chance, _ in told]
    right = np.array([right for *_, right in told], dtype=bool)
    chosen = Abstention.choose(answers, right, risk=risk)
    shown = chosen.apply(answers)
    predicted = [at for at, answer in enumerate(answers) if answer.route == "predicted"]
    kept = [at for at in predicted if shown[at].route == "predicted"]
    assert sum(not right[at] for at in kept) <= risk * len(kept) + 1e-9
    assert chosen.coverage * len(predicted) == pytest.approx(len(kept))
    assert {shown[at].route for at in predicted if at not in kept} <= {"abstained"}
    assert [shown[at] for at in range(len(told)) if at not in predicted] == [
        answers[at] for at in range(len(told)) if at not in predicted
    ]
    lower = {answer.probability for answer in answers if answer.probability < chosen.threshold}
    for least in lower:  # a lower threshold would break the promise
        more = [at for at in predicted if answers[at].probability >= least]
        assert len(more) == len(kept) or sum(not right[at] for at in more) > risk * len(more) - 1e-9


def test_a_threshold_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    chosen = Abstention(0.1 + 0.2, 0.05, 1 / 3, 7)
    chosen.save(tmp_path / "model")
    assert Abstention.load(tmp_path / "model") == chosen
    (tmp_path / "model" / "abstention.json").write_text('{"threshold": 1}', encoding="utf-8")
    for folder in (tmp_path / "model", tmp_path / "none"):
        with pytest.raises(StoreError, match="evaluate again"):
            Abstention.load(folder)


def test_exact_asks_for_every_answer_and_the_others_for_the_first() -> None:
    example = Example("1", "", "who?", (), ("a", "b"))
    answers = [Answer(("b", "a"), 0.5), Answer(("a", "c"), 0.5), Answer((), 0.5)]
    assert [is_right(answer, example, "exact") for answer in answers] == [True, False, False]
    assert [is_right(answer, example, "hits@1") for answer in answers] == [True, True, False]


def test_a_proof_is_checked_by_what_did_not_make_it(tmp_path: Path) -> None:
    (tmp_path / "graph.ttl").write_text(f"<urn:a> a <urn:C> . <urn:C> <{RDFS.subClassOf}> <urn:D> .", encoding="utf-8")
    closure = materialise(load_graph(tmp_path / "graph.ttl"))
    proof = closure.proof(Triple(URIRef("urn:a"), RDF.type, URIRef("urn:D")))

    theory, without_rules = Theory(closure.graph, closure.rules), Theory(closure.graph, RuleSet())
    answer = Answer(("true",), 1.0, "proved", proof)
    assert verified(EXAMPLE, replace(answer, theory=theory)) is True
    assert verified(EXAMPLE, replace(answer, theory=without_rules)) is False
    assert verified(EXAMPLE, answer) is None
    with pytest.raises(InputError, match="Expected a proof with the answer to '1', which is said to be refuted"):
        verified(EXAMPLE, Answer(("false",), 1.0, "refuted", theory=theory))
