"""`noesis conformance`: cases by manifest, the table, the exit code, and what a case that fails says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kg.errors import MissingFileError
from pipelines.cli import app
from pipelines.conformance import CaseResult, Outcome, run_suites
from pipelines.conformance.sparql_rl import run_sparql_rl

MANIFEST = """
PREFIX : <manifest#> PREFIX mf: <http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#>
PREFIX t: <http://www.w3.org/ns/sparql-rl-tests#>
<> mf:entries ( :eval :wrong :gone :good :unsafe :bad :strata :cycle :odd ) .
:eval a t:RulesEvalTest ; mf:action [ t:ruleset <says.srl> ; t:data <data.ttl> ] ; mf:result <result.ttl> .
:wrong a t:RulesEvalTest ; mf:action [ t:ruleset <says.srl> ; t:data <data.ttl> ] ; mf:result <data.ttl> .
:gone a t:RulesEvalTest ; mf:action [ t:ruleset <says.srl> ; t:data <no.ttl> ] ; mf:result <result.ttl> .
:good a t:RulesPositiveSyntaxTest ; mf:action <says.srl> .
:unsafe a t:RulesPositiveSyntaxTest ; mf:action <unsafe.srl> .
:bad a t:RulesNegativeSyntaxTest ; mf:action <says.srl> .
:strata a t:RulesPositiveStratificationTest ; mf:action <cycle.srl> .
:cycle a t:RulesNegativeStratificationTest ; mf:action <cycle.srl> .
:odd a t:RulesFlightTest ; mf:action <says.srl> .
"""
FILES = {
    "manifest.ttl": MANIFEST,
    "data.ttl": "PREFIX : <http://e/> :a :p :b {| :by :c |} .",
    "says.srl": "PREFIX : <http://e/>\nRULE { ?by :says <<( ?s :q ?o )>> . _:x :of ?s }\n"
    "WHERE { ?s :p ?o {| :by ?by |} }",
    "result.ttl": "PREFIX : <http://e/> :c :says <<( :a :q :b )>> . [] :of :a .",
    "unsafe.srl": "RULE { ?x ?x ?y } WHERE { }",
    "cycle.srl": "PREFIX : <http://e/> RULE { ?x :p 1 } WHERE { ?x :q 1 NOT { ?x :p ?y } }",
}


@pytest.fixture
def suites(tmp_path: Path) -> Path:
    """A folder with one suite of nine cases: passing, failing, not given and of a type nobody knows."""
    folder = tmp_path / "sparql-rl" / "made up"
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
    return tmp_path


def test_each_case_of_a_manifest_has_its_outcome(suites: Path) -> None:
    found = run_sparql_rl(suites / "sparql-rl")
    assert {(result.name, result.kind): str(result.outcome) for result in found} == {
        ("eval", "made up"): "passed",
        ("wrong", "made up"): "failed",
        ("gone", "made up"): "not given",
        ("says.srl", "made up positive"): "passed",
        ("unsafe.srl", "made up positive"): "passed",
        ("says.srl", "made up negative"): "failed",
        ("cycle.srl", "made up positive"): "failed",
        ("cycle.srl", "made up negative"): "passed",
        ("says.srl", "made up"): "outside",
    }
    assert [result.reason for result in found if result.outcome is Outcome.NOT_GIVEN] == ["not there: no.ttl"]


def test_a_failure_says_what_was_inferred_instead(suites: Path) -> None:
    (wrong,) = (result for result in run_suites(suites) if result.name == "wrong")
    assert wrong.suite == "sparql-rl"
    assert "<http://e/of> <http://e/a>" in wrong.reason
    assert "instead of" in wrong.reason


def test_a_case_that_fails_makes_the_command_fail_with_its_name_and_reason(suites: Path) -> None:
    result = CliRunner().invoke(app, ["conformance", str(suites)])
    assert result.exit_code == 1
    assert re.search(r"^all +4 +3 +1 +1$", result.stdout, re.MULTILINE)
    assert "failed: made up negative, says.srl: was read, and should have been refused" in result.stdout


def test_the_results_are_printed_as_json_too(suites: Path) -> None:
    (suites / "sparql-rl" / "made up" / "manifest.ttl").write_text(
        MANIFEST.replace(":wrong :gone :good :unsafe :bad :strata", "")
    )
    result = CliRunner().invoke(app, ["conformance", "--json", str(suites)])
    shown = json.loads(result.stdout)
    assert (result.exit_code, shown["suites"]["sparql-rl"]["all"]) == (
        0,
        {"passed": 2, "failed": 0, "outside": 1, "not given": 0},
    )
    assert [case["name"] for case in shown["cases"]] == ["says.srl"]


def test_a_folder_without_suites_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="Expected a folder with sparql-rl"):
        run_suites(tmp_path)


def test_a_suite_without_a_runner_is_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.setattr("pipelines.conformance.run.RUNNERS", {"other": ("pipelines.conformance.no_such", "run")})
    assert run_suites(tmp_path) == [
        CaseResult(
            "other", "the whole suite", "all", Outcome.OUTSIDE, "there is no pipelines.conformance.no_such to run it"
        )
    ]
