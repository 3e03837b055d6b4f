"""An audit as one HTML page: it works offline, fetches nothing, and runs no script but its own few lines.

The page is complete without its script, which only filters, searches, and opens what is linked to. Text of others is
escaped and stripped of what acts (`inert_text`); the policy in the page's head lets nothing else run.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from engine.symbolic.proof_svg import DrawnStep, picture
from pipelines.report.inert_text import block, cut, line
from pipelines.report.rdf_lists import list_members, told_triples

__all__ = ["render_audit_html"]

Report = Mapping[str, Any]
SEVERITIES = ("violation", "warning", "info")

MOST_DRAWN = 300
"""Proofs drawn as graphs in one page (some 5 kB each); the others are told in words."""
MOST_STEPS = 60
"""Steps of a proof that is drawn: more do not fit on a screen."""
_BARS, _ROWS, _COLUMNS = 25, 20, 12
_SHADES = 6


def render_audit_html(report: Report) -> str:
    """The page of a report (`AuditReport.to_dict`)."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("pipelines.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.globals["told"] = told_triples
    environment.filters.update(line=line, block=block, cut=cut, link=_link)
    style, script = (environment.get_template(f"audit.{kind}").render() for kind in ("css", "js"))
    drawn = _pictures([finding["proof"] for finding in report["findings"]])
    results = () if report["claims"] is None else report["claims"]["results"]
    refuted = _pictures([result["proof"] for result in results])
    return environment.get_template("audit.html").render(
        report=report,
        style=Markup(style),  # noqa: S704  # our own files
        script=Markup(script),  # noqa: S704  # the same
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'",
        rules={rule["id"]: rule for rule in report["rules"]},
        findings=list(zip(report["findings"], map(_markup, drawn), strict=True)),
        results=list(zip(results, map(_markup, refuted), strict=True)),
        severities=SEVERITIES,
        bars=_bars(report),
        heat=_heat(report["heat"]),
        choices=_choices(report),
        details=_details,
    )


def _markup(svg: str | None) -> Any:
    from markupsafe import Markup

    return None if svg is None else Markup(svg)  # noqa: S704  # `picture` escapes its text


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _link(text: str | None) -> str:
    """The text where it is an address that a page may link to; empty for any other."""
    found = text or ""
    return found if found.startswith(("https://", "http://")) and line(found) == found and " " not in found else ""


def _details(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else a finding says, as names and texts."""
    shown = {name: value for name, value in detail.items() if value not in (None, "", [], {})}
    return [
        (line(name), line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
        for name, value in shown.items()
    ]


def _pictures(proofs: Sequence[Mapping[str, Any] | None]) -> list[str | None]:
    """The proofs as SVG, None for those that are not drawn."""
    found: list[str | None] = []
    for proof in proofs:
        steps = [] if proof is None or len(found) >= MOST_DRAWN else _steps(proof)
        found.append(picture(steps) if 0 < len(steps) <= MOST_STEPS else None)
    return found


def _steps(proof: Mapping[str, Any]) -> list[DrawnStep]:
    """The steps of a proof, each once, premises before what they prove; RDF lists are told where they are used."""
    numbers: dict[str, int] = {}
    lists = _lists(proof)
    steps: list[DrawnStep] = []
    stack: list[tuple[Mapping[str, Any], bool]] = [(proof, False)]
    while stack:
        node, ready = stack.pop()
        key = _identity(node)
        if key in numbers or node.get("repeated"):
            continue
        premises = [premise for premise in node.get("premises", []) if not _is_cell(premise)]
        if not ready:
            stack += [(node, True), *((premise, False) for premise in reversed(premises))]
            continue
        before = tuple(dict.fromkeys(numbers[each] for each in map(_identity, premises) if each in numbers))
        numbers[key] = len(steps) + 1
        text = node["text"]
        if node["conclusion"] is not None and (told := lists.get(node["conclusion"][2])):
            text = text.replace(node["conclusion"][2].removeprefix("_:"), told)
        steps.append(DrawnStep(numbers[key], before, text, *_reason(node)))
    return steps


def _identity(node: Mapping[str, Any]) -> str:
    """What two steps have in common that are the same."""
    return json.dumps([node["conclusion"], node["rule"], node["substitution"], node["text"]])


def _is_cell(node: Mapping[str, Any]) -> bool:
    return node["conclusion"] is not None and node["conclusion"][1] in ("rdf:first", "rdf:rest")


def _lists(proof: Mapping[str, Any]) -> dict[str, str]:
    """The members of each RDF list whose cells are premises, by the name of its first cell."""
    first, rest, stack = dict[str, str](), dict[str, str](), [proof]
    while stack:
        node = stack.pop()
        stack += node.get("premises", [])
        if _is_cell(node):
            cell, predicate, value = node["conclusion"]
            (first if predicate == "rdf:first" else rest)[cell] = value
    return {start: f"({', '.join(list_members(start, first, rest))})" for start in first}


def _reason(node: Mapping[str, Any]) -> tuple[str, str]:
    """Why a step holds, and its kind."""
    rule = node["rule"]
    if rule is not None:
        kind = "constraint" if node["conclusion"] is None else "rule"
        return f"by {kind} {rule['name']}", kind
    if node["claimed"]:
        return "the claim", "claimed"
    return (f"asserted in {node['source']}" if node["source"] else "asserted"), "asserted"


def _bars(report: Report) -> dict[str, Any]:
    """The chart of findings by rule: rules with most findings first, each with its share of the longest bar."""
    severity = {rule["id"]: rule["severity"] for rule in report["rules"]}
    for finding in report["findings"]:
        severity[finding["rule"]] = finding["severity"]
    counts = Counter(report["totals"]["by_rule"]).most_common()
    most = max((count for _, count in counts), default=1)
    bars = [
        {
            "rule": rule,
            "count": count,
            "severity": severity.get(rule, "violation"),
            "width": round(320 * count / most, 1),
        }
        for rule, count in counts[:_BARS]
    ]
    return {"bars": bars, "left_out": len(counts) - len(bars)}


def _heat(cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The table of findings by rule and class: those with most findings, with a shade for each number."""
    by_rule, by_class = Counter[str](), Counter[str]()
    labels: dict[str, str] = {}
    counts = Counter[tuple[str, str]]()
    for cell in cells:
        name = "" if cell["class"] is None else cell["class"]["text"]
        labels[name] = "no class" if cell["class"] is None else cell["class"]["label"]
        by_rule[cell["rule"]] += cell["count"]
        by_class[name] += cell["count"]
        counts[cell["rule"], name] += cell["count"]
    rules = [rule for rule, _ in by_rule.most_common(_ROWS)]
    classes = [name for name, _ in by_class.most_common(_COLUMNS)]
    most = max((counts[rule, name] for rule in rules for name in classes), default=1)
    rows = [(rule, [(counts[rule, name], _shade(counts[rule, name], most)) for name in classes]) for rule in rules]
    return {
        "rows": rows,
        "classes": [labels[name] for name in classes],
        "left_out": len(by_rule) - len(rules) + len(by_class) - len(classes),
    }


def _shade(count: int, most: int) -> int:
    return 0 if not count else 1 + (_SHADES - 1) * count // most


def _choices(report: Report) -> dict[str, list[str]]:
    """What the findings can be filtered by."""
    found = report["findings"]
    severities = [severity for severity in SEVERITIES if any(f["severity"] == severity for f in found)]
    by = {"severity": severities, "rule": list(dict.fromkeys(f["rule"] for f in found))}
    by["kind"] = list(dict.fromkeys(f["kind"] for f in found))
    by["status"] = sorted({f["status"] for f in found if f["status"]})
    by["group"] = [str(number) for number in sorted({f["group"] for f in found if f["group"] is not None})]
    return {name: values for name, values in by.items() if len(values) > 1}
