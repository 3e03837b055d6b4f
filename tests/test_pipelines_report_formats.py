"""Text, CSV, JUnit XML, JSON and files: what each format holds, and that text of others acts in none."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyoxigraph as ox
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.errors import InputError
from pipelines.report.csv_table import COLUMNS, render_csv
from pipelines.report.inert_text import line
from pipelines.report.junit import render_junit
from pipelines.report.plain_text import render_text
from pipelines.report.write import FORMATS, render, write_report
from tests.audit_reports import HOSTILE, NAMES, clash, full, reports


def report(name: str) -> dict[str, Any]:
    return reports()[name]


READERS: dict[str, Callable[[bytes], object]] = {
    "sarif": json.loads,
    "json": json.loads,
    "junit": ET.fromstring,
    "csv": lambda data: rows(data.decode()),
    "turtle": lambda data: list(ox.parse(data, format=ox.RdfFormat.TURTLE)),
    "jsonld": lambda data: list(ox.parse(data, format=ox.RdfFormat.JSON_LD)),
}


def without_html() -> list[str]:
    return [name for name in FORMATS if name != "html"]


@pytest.mark.parametrize("format", without_html())
@pytest.mark.parametrize("name", NAMES)
def test_no_format_holds_a_character_that_does_not_show(name: str, format: str) -> None:
    joiner = "\N{WORD JOINER}"  # written by us
    odd = {char for char in render(report(name), format) if not char.isprintable()} - {"\n", "\r", joiner}
    assert odd == set()


@pytest.mark.parametrize("format", without_html())
def test_any_text_can_be_written_in_every_format(format: str) -> None:
    @given(st.text(alphabet=st.characters(), max_size=30))
    def holds(text: str) -> None:
        READERS.get(format, str)(render(full(text), format).encode("utf-8"))

    holds()


# Text ---------------------------------------------------------------------------------------------------------------


def test_text_of_the_clash() -> None:
    assert render_text(clash().to_dict()) == (
        "2 violations\n\n"
        "violation: Ann and Bob are parents of each other [no-mutual-parents]\n"
        "  Ann and Bob are parents of each other, by constraint no-mutual-parents\n"
        f"    Ann is a parent of Bob, asserted in {source('graph.ttl')}\n"
        f"    Bob is a parent of Ann, asserted in {source('graph.ttl')}\n\n"
        "violation: Bob and Ann are parents of each other [no-mutual-parents]\n"
        "  Bob and Ann are parents of each other, by constraint no-mutual-parents\n"
        f"    Bob is a parent of Ann, asserted in {source('graph.ttl')}\n"
        f"    Ann is a parent of Bob, asserted in {source('graph.ttl')}\n"
    )


def source(name: str) -> str:
    return next(file for file in clash().files if file.endswith(name))


def test_text_tells_every_part_of_a_report() -> None:
    found = render_text(full("odd"))
    for expected in (
        "incomplete: odd\n",
        "violation: odd [cax-dw]\n  in odd:3\n  odd\n    odd\n  odd: odd, odd\n  support 1:\n    odd, in odd\n",
        "  there may be more supports\n  repair: odd (mends 2, plausibility 0.25)\n",
        "causes that findings share:\n  1. odd (4 findings)\n",
        "claims of odd: 2 (0 entailed, 1 contradicted, 0 unproven, 1 unknown); 2 shown\n",
        "  line 4: contradicted: odd: odd\n    odd\n  unknown: odd: odd\n",
        "against odd: 1 new, 3 unchanged, 1 mended\n  mended: odd [odd]\n",
    ):
        assert expected in found


def test_text_says_the_true_total_where_a_limit_hides_findings() -> None:
    assert render_text(report("nothing told")).splitlines() == [
        "2 violations; 0 of 2 shown",
        "  of 1 other rule none is shown",
    ]
    assert render_text(report("calm")) == "no findings\n"
    assert render_text(report("short")).splitlines()[1].startswith("incomplete: ")


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_no_command_to_a_build_server(text: str) -> None:
    found = render_text(full(text))
    assert re.findall(r"(?m)^\s*::|##\[|##vso\[|##teamcity\[", found) == []


# CSV ----------------------------------------------------------------------------------------------------------------


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_csv_has_a_head_and_a_row_for_each_finding_told(name: str) -> None:
    head, *found = rows(render_csv(report(name)))
    assert head == list(COLUMNS)
    assert [row[0] for row in found] == [finding["key"] for finding in report(name)["findings"]]
    assert {len(row) for row in found} <= {len(COLUMNS)}


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_of_csv_is_a_formula(name: str) -> None:
    cells = [cell for row in rows(render_csv(report(name))) for cell in row]
    assert [cell for cell in cells if re.match(r"\s*[=+\-@＝＋－＠]|[\t\r\n]", cell)] == []


@given(st.text(alphabet=st.sampled_from("=+-@\t\r\n '\",;a＝"), max_size=8))
def test_csv_gives_back_what_it_was_given_but_for_an_apostrophe(text: str) -> None:
    one = json.loads(BASE)
    one["findings"][0]["message"] = text
    cell = rows(render_csv(one))[1][COLUMNS.index("message")]
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "  ")
    assert cell in (plain, f"'{plain}")
    assert (cell == f"'{plain}" != plain) == bool(re.match(r" *[=+\-@＝\n]", plain))


BASE = json.dumps(clash().to_dict())


def test_csv_lines_end_in_cr_lf() -> None:
    text = render_csv(report("calm"))
    assert text.endswith('"repair"\r\n')


# JUnit --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_junit_is_valid_under_the_schema_of_the_dialect(name: str) -> None:
    xmlschema = pytest.importorskip("xmlschema", reason="xmlschema checks JUnit XML; it is in the extra dev")
    schema = xmlschema.XMLSchema(str(Path(__file__).with_name("junit.xsd")))
    assert [str(error) for error in schema.iter_errors(render_junit(report(name)))] == []


@pytest.mark.parametrize("name", NAMES)
def test_junit_has_a_suite_for_each_kind_and_a_case_for_each_rule(name: str) -> None:
    one = report(name)
    root = ET.fromstring(render_junit(one))
    cases = {suite.get("name"): [case.get("name") for case in suite] for suite in root}
    expected: dict[str | None, list[str | None]] = {"audit": ["the audit is complete"]}
    for rule in {rule["id"]: rule for rule in one["rules"]}.values():
        expected.setdefault(rule["kind"], []).append(line(rule["id"]))
    if one["claims"]:
        expected["claims"] = [line(f"no claim of {one['claims']['file']} is contradicted")]
    assert cases == expected
    for element in (root, *root):
        for counted, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
            assert element.get(counted) == str(len(element.findall(f".//{tag}")))


@pytest.mark.parametrize(
    ("fail_on", "failing"),
    [
        ("never", set()),
        ("violation", {"cax-dw"}),
        ("warning", {"cax-dw", "pair"}),
        ("info", {"cax-dw", "pair", "far"}),
    ],
)
def test_junit_fails_from_a_severity_on(fail_on: str, failing: set[str]) -> None:
    root = ET.fromstring(render_junit(report("inconsistent"), fail_on=fail_on))
    assert {case.get("name") for case in root.iter("testcase") if case.find("failure") is not None} == failing


def test_junit_tells_message_and_proof_and_total() -> None:
    failure = ET.fromstring(render_junit(report("clash"))).find(".//failure")
    assert failure is not None
    assert failure.get("message") == "2 findings, 2 told: Ann and Bob are parents of each other"
    assert report("clash")["findings"][0]["text"] in (failure.text or "")
    hidden = ET.fromstring(render_junit(report("nothing told"))).find(".//failure")
    assert hidden is not None
    assert hidden.get("message") == "2 findings, 0 told"


def test_an_incomplete_audit_is_an_error_in_junit() -> None:
    root = ET.fromstring(render_junit(report("short")))
    assert root.get("errors") == "1"


# Files --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "format"),
    [
        ("md", "markdown"),
        ("sarif", "sarif"),
        ("sarif.json", "sarif"),
        ("xml", "junit"),
        ("csv", "csv"),
        ("ttl", "turtle"),
        ("jsonld", "jsonld"),
        ("json", "json"),
        ("TXT", "text"),
    ],
)
def test_the_suffix_says_the_format(suffix: str, format: str, tmp_path: Path) -> None:
    target = tmp_path / "made" / f"report.{suffix}"
    write_report(report("full"), target)
    assert target.read_bytes().decode("utf-8") == render(report("full"), format)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_html_is_written_too(tmp_path: Path) -> None:
    pytest.importorskip("pipelines.report.audit_html")
    write_report(report("full"), tmp_path / "report.html")
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_json_gives_the_report_back() -> None:
    assert json.loads(render(report("full"), "json")) == report("full")


def test_a_format_can_be_named_where_the_suffix_says_nothing(tmp_path: Path) -> None:
    write_report(report("calm"), tmp_path / "report", format="text")
    assert (tmp_path / "report").read_text(encoding="utf-8") == "no findings\n"


def test_an_unknown_suffix_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.html, .*\.md, \.sarif, .*\.xml, .*got \.pdf"):
        write_report(report("calm"), tmp_path / "report.pdf")
    with pytest.raises(InputError, match=r"html, markdown, .*got 'pdf'"):
        write_report(report("calm"), tmp_path / "report.txt", format="pdf")
    with pytest.raises(InputError, match="a folder"):
        write_report(report("calm"), tmp_path, format="text")


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.txt"
    target.write_text("old", encoding="utf-8")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_report(report("calm"), target)
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [("report.txt", "old")]
