"""docs/audit.schema.json: it is a schema, closed, and real reports of every sort are valid under it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from tests.audit_reports import NAMES, ROOT, full, reports

SCHEMA = json.loads((ROOT / "docs" / "audit.schema.json").read_text(encoding="utf-8"))
PROOF = json.loads((ROOT / "docs" / "proof.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(
    SCHEMA, registry=Registry[Any]().with_resource(PROOF["$id"], Resource[Any].from_contents(PROOF))
)


def faults(report: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in VALIDATOR.iter_errors(report)]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", NAMES)
def test_reports_are_valid(name: str) -> None:
    assert faults(json.loads(json.dumps(reports()[name]))) == []


def test_every_report_has_a_name() -> None:
    assert sorted(reports()) == list(NAMES)


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


def test_every_object_is_closed_and_everything_in_it_is_described() -> None:
    found = [each for each in objects(SCHEMA["$defs"]) if "properties" in each and "type" in each]
    assert len(found) > 10
    assert [each for each in found if each["additionalProperties"] is not False] == []
    parts = {name: part for each in found for name, part in each["properties"].items()}
    assert [name for name, part in parts.items() if not {"description", "$ref"} & set(part)] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda report: report.update(more=1),
        lambda report: report.pop("groups"),
        lambda report: report["findings"][0].update(severity="bad"),
        lambda report: report["findings"][0].update(key="short"),
        lambda report: report["findings"][0].update(line=0),
        lambda report: report["findings"][0]["proof"].pop("conclusion"),
        lambda report: report["rules"][0].update(kind="other"),
        lambda report: report["claims"]["results"][0].update(verdict="true"),
        lambda report: report["totals"]["by_severity"].pop("info"),
    ],
)
def test_a_spoilt_report_is_not_valid(spoil: Callable[[dict[str, Any]], None]) -> None:
    report = copy.deepcopy(full())
    assert faults(report) == []
    spoil(report)
    assert len(faults(report)) == 1
