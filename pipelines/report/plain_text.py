"""A report as text for the terminal: nothing in it acts on one, or on a build server, whatever labels hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.report.inert_text import block, cut, line, quantity
from pipelines.report.rdf_lists import told_triples

__all__ = ["claim_text", "findings_by_rule", "headline", "place_of", "render_text", "rules_by_id"]

Report = Mapping[str, Any]
_DETAIL = 300  # characters told of a detail; the other formats have all

# What build servers take for a command in a log: GitHub (`::error::` at the start of a line, `##[error]`), Azure
# (`##vso[`), TeamCity (`##teamcity[`).
_COMMANDS = re.compile(r"^(\s*:)(?=:)|(#)(?=#(?:\[|vso\[|teamcity\[))", re.MULTILINE | re.IGNORECASE)


def render_text(report: Report) -> str:
    """The report in words: totals, each finding with proof, supports and repairs, causes, claims, the comparison."""
    parts = [headline(report), *_notes(report)]
    for finding in report["findings"]:
        parts += ["", *_finding(finding)]
    parts += [*_groups(report), *_claims(report), *_against(report)]
    return _COMMANDS.sub("\\g<0>\N{WORD JOINER}", "\n".join(parts)) + "\n"


def headline(report: Report) -> str:
    """The true totals in one line."""
    totals = report["totals"]
    if not totals["findings"]:
        return "no findings" if report["incomplete"] is None else "no findings so far"
    some = [(name, count) for name, count in totals["by_severity"].items() if count]
    told = ", ".join(f"{count:,} info" if name == "info" else quantity(count, name) for name, count in some)
    hidden = "" if totals["shown"] == totals["findings"] else f"; {totals['shown']:,} of {totals['findings']:,} shown"
    explained = totals["explained"]
    some_told = f"; supports or repairs told of {explained:,}" if 0 < explained < totals["shown"] else ""
    return told + hidden + some_told


def place_of(item: Mapping[str, Any]) -> str:
    """Where a finding or rule is written, as `file:line` as far as it is known; empty where it is not."""
    if item["file"] is None:
        return ""
    return line(item["file"]) + (f":{item['line']}" if item["line"] is not None else "")


def rules_by_id(report: Report) -> dict[str, Mapping[str, Any]]:
    """The rules of a report, each id once: rules that share one are counted together."""
    found: dict[str, Mapping[str, Any]] = {}
    for rule in report["rules"]:
        found.setdefault(rule["id"], rule)
    return found


def findings_by_rule(report: Report) -> dict[str, list[Mapping[str, Any]]]:
    """The findings told in full, by the id of their rule, in the order of the report."""
    found: dict[str, list[Mapping[str, Any]]] = {id: [] for id in rules_by_id(report)}
    for finding in report["findings"]:
        found[finding["rule"]].append(finding)
    return found


def _notes(report: Report) -> Iterator[str]:
    if report["incomplete"] is not None:
        yield f"incomplete: {line(report['incomplete'])}"
    rules = rules_by_id(report).values()
    for rule in rules:
        if 0 < rule["shown"] < rule["total"]:
            yield f"  {line(rule['id'])}: {rule['shown']:,} of {rule['total']:,} shown"
    hidden = sum(not rule["shown"] for rule in rules)
    if hidden:
        yield f"  of {quantity(hidden, 'other rule')} none is shown"


def _finding(finding: Mapping[str, Any]) -> Iterator[str]:
    new = " (new)" if finding["status"] == "new" else ""
    yield f"{finding['severity']}: {line(finding['message'])} [{line(finding['rule'])}]{new}"
    if where := place_of(finding):
        yield f"  in {where}"
    if finding["text"]:
        yield from (f"  {text}" for text in block(finding["text"]).split("\n"))
    yield from _detail(finding["detail"])
    yield from _supports(finding["supports"])
    for repair in finding["repairs"] or ():
        scored = "" if repair["plausibility"] is None else f", plausibility {repair['plausibility']:.2f}"
        yield f"  repair: {line(repair['text'])} (mends {repair['mends']:,}{scored})"


def _detail(detail: Mapping[str, Any]) -> Iterator[str]:
    for name, value in detail.items():
        told = cut(block(_shown(value)), _DETAIL)
        if "\n" in told:
            yield f"  {line(name).replace('_', ' ')}:"
            yield from (f"    {text}" for text in told.split("\n"))
        elif value not in (None, "", [], {}):
            yield f"  {line(name).replace('_', ' ')}: {told}"


def _shown(value: object) -> str:
    """A detail in words: lists with commas, lists in lists (triples) with spaces, what has a text by it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return str(value["text"]) if "text" in value else ", ".join(f"{k} {_shown(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(" ".join(map(_shown, each)) if isinstance(each, list) else _shown(each) for each in value)
    return str(value)


def _supports(supports: Mapping[str, Any] | None) -> Iterator[str]:
    if supports is None:
        return
    for number, each in enumerate(supports["sets"], start=1):
        yield f"  support {number}:"
        for text, file in told_triples(each["triples"]):
            yield f"    {line(text)}" + (f", in {line(file)}" if file else "")
    if not supports["complete"]:
        yield "  there may be more supports"


def _groups(report: Report) -> Iterator[str]:
    shared = [group for group in report["groups"] if group["findings"] > 1]
    if shared:
        yield ""
        yield "causes that findings share:"
    for group in shared:
        yield f"  {group['number']}. {line(group['text'])} ({quantity(group['findings'], 'finding')})"


def _claims(report: Report) -> Iterator[str]:
    claims = report["claims"]
    if claims is None:
        return
    totals = ", ".join(f"{count:,} {verdict}" for verdict, count in claims["totals"].items())
    yield ""
    yield f"claims of {line(claims['file'])}: {claims['total']:,} ({totals}); {claims['shown']:,} shown"
    for result in claims["results"]:
        at = "" if result["line"] is None else f"line {result['line']}: "
        first, *rest = claim_text(result).split("\n")
        yield f"  {at}{first}"
        yield from (f"    {text}" for text in rest)


def claim_text(result: Mapping[str, Any]) -> str:
    """Verdict and claim, why, and the proof or refutation, which begins in a line of its own."""
    why = f": {line(result['reason'])}" if result["reason"] else ""
    proof = f"\n{block(result['text'])}" if result["text"] else ""
    return f"{result['verdict']}: {line(result['claim']['text'])}{why}{proof}"


def _against(report: Report) -> Iterator[str]:
    against = report["against"]
    if against is None:
        return
    yield ""
    figures = f"{against['new']:,} new, {against['unchanged']:,} unchanged, {against['mended']:,} mended"
    yield f"against {line(against['name'])}: {figures}"
    for finding in against["mended_findings"]:
        yield f"  mended: {line(finding['message'])} [{line(finding['rule'])}]"
