"""A report as JUnit XML, in the dialect that Ant, Jenkins and GitLab read: a suite for each kind, a case for each rule.

A report knows the rules that have findings, so the others have no case; a case of its own says whether the audit is
complete, and another whether the claims hold. Controls, which XML 1.0 cannot hold, become U+FFFD.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET  # writes only

from pipelines.report.inert_text import block, cut, line, quantity
from pipelines.report.plain_text import claim_text, findings_by_rule, place_of, rules_by_id

__all__ = ["render_junit"]

Report = Mapping[str, Any]
_ORDER = ("info", "warning", "violation")
_LONGEST = 1000  # characters of a `message`, which viewers show in one line


def render_junit(report: Report, *, fail_on: str = "violation") -> str:
    """The report as an XML document.

    Args:
        fail_on: findings of this severity and worse are failures; `never` for none. Others are told as output.
    """
    told = findings_by_rule(report)
    every = rules_by_id(report).values()
    kinds = dict.fromkeys(rule["kind"] for rule in every)
    suites = [_suite("audit", [_completeness(report)])]
    for kind in kinds:
        rules = [rule for rule in every if rule["kind"] == kind]
        suites.append(_suite(kind, [_rule_case(rule, told[rule["id"]], fail_on) for rule in rules]))
    if report["claims"] is not None:
        suites.append(_suite("claims", [_claims_case(report["claims"])]))
    root = ET.Element("testsuites", name=line(f"noesis audit {report['subject']['name']}"))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.extend(suites)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(name: str, cases: Iterable[ET.Element]) -> ET.Element:
    suite = ET.Element("testsuite", name=name)
    suite.extend(cases)
    suite.set("tests", str(len(suite)))
    for counted, tag in (("failures", "failure"), ("errors", "error")):
        suite.set(counted, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("skipped", "0")
    suite.set("time", "0")
    return suite


def _case(name: str, kind: str) -> ET.Element:
    return ET.Element("testcase", name=name, classname=f"noesis.{kind}", time="0")


def _completeness(report: Report) -> ET.Element:
    case = _case("the audit is complete", "audit")
    if report["incomplete"] is not None:
        error = ET.SubElement(case, "error", message=cut(line(report["incomplete"]), _LONGEST), type="incomplete")
        error.text = "There may be more findings than are told here."
    return case


def _rule_case(rule: Mapping[str, Any], told: Sequence[Mapping[str, Any]], fail_on: str) -> ET.Element:
    case = _case(line(rule["id"]), rule["kind"])
    worst = max([rule["severity"], *(finding["severity"] for finding in told)], key=_ORDER.index)
    summary = f"{quantity(rule['total'], 'finding')}, {rule['shown']:,} told"
    text = "\n\n".join([_about(rule), *map(_finding, told)])
    if fail_on == "never" or _ORDER.index(worst) < _ORDER.index(fail_on):
        ET.SubElement(case, "system-out").text = f"{worst}: {summary}\n{text}"
        return case
    first = f": {line(told[0]['message'])}" if told else ""
    failure = ET.SubElement(case, "failure", message=cut(summary + first, _LONGEST), type=worst)
    failure.text = text
    return case


def _about(rule: Mapping[str, Any]) -> str:
    where = place_of(rule)
    return "\n".join(filter(None, [line(rule["text"]), where and f"rule in {where}"])) or line(rule["id"])


def _finding(finding: Mapping[str, Any]) -> str:
    where = place_of(finding)
    lines = [f"{finding['severity']}: {line(finding['message'])}", where and f"in {where}", finding["text"] or ""]
    return "\n".join(block(text) for text in lines if text)


def _claims_case(claims: Mapping[str, Any]) -> ET.Element:
    case = _case(cut(line(f"no claim of {claims['file']} is contradicted"), _LONGEST), "claims")
    count = claims["totals"]["contradicted"]
    if count:
        told = [result for result in claims["results"] if result["verdict"] == "contradicted"]
        message = f"{quantity(count, 'claim')} of {claims['total']:,} contradicted, {len(told):,} told"
        failure = ET.SubElement(case, "failure", message=message, type="contradicted")
        failure.text = "\n\n".join(map(claim_text, told)) or message
    return case
