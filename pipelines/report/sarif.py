"""A report as SARIF 2.1.0 (OASIS standard, errata 01), as code scanning on GitHub and editors read it.

Section numbers are those of the standard. Findings that a comparison says are mended are counted, and no results: a
viewer that knows no `baselineState` would show them as open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from pipelines.report.inert_text import block, escape_unprintable, line
from pipelines.report.plain_text import claim_text, rules_by_id

__all__ = ["CLAIM_RULE", "SCHEMA", "render_sarif", "sarif_log"]

Report = Mapping[str, Any]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
CLAIM_RULE = "noesis/contradicted-claim"
"""The id of the rule whose results are the claims that graph and rules contradict."""
_LEVELS = {"violation": "error", "warning": "warning", "info": "note"}
_WEB = re.compile(r"https?://[\w.-]+(?::\d+)?(?:[/?#][\w./?#:@!$&'()*+,;=%~-]*)?", re.ASCII)
_ROOT = "%SRCROOT%"


def render_sarif(report: Report) -> str:
    """The log as JSON, characters that are not printable escaped."""
    return escape_unprintable(json.dumps(sarif_log(report), indent=2, ensure_ascii=False)) + "\n"


def sarif_log(report: Report) -> dict[str, Any]:
    """The log as plain values: one run, its rules, a result for each finding told and each claim contradicted."""
    every = rules_by_id(report)
    rules = [_rule(rule) for rule in every.values()]
    numbers = {id: number for number, id in enumerate(every)}
    results = [_result(each, numbers[each["rule"]], every[each["rule"]]) for each in report["findings"]]
    contradicted = _contradicted(report)
    if contradicted:
        results += [_claim(result, report["claims"]["file"], len(rules)) for result in contradicted]
        told = "A claim that graph and rules contradict."
        rules.append(_descriptor(CLAIM_RULE, "error", told, told))
    run = {
        "tool": {"driver": _driver(report["tool"], rules)},
        "invocations": [_invocation(report["incomplete"])],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The folder the audit was run in."}}},
        "results": results,
        "properties": {"totals": report["totals"], "mended": (report["against"] or {}).get("mended")},
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _driver(tool: Mapping[str, Any], rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": tool["name"], "version": tool["version"], "rules": rules}


def _invocation(incomplete: str | None) -> dict[str, Any]:
    if incomplete is None:
        return {"executionSuccessful": True}
    note = {"level": "error", "message": {"text": _message(f"The audit is incomplete: {incomplete}")}}
    return {"executionSuccessful": False, "toolExecutionNotifications": [note]}


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    source = f"Source: {line(rule['source'])}" if rule["source"] else ""
    text = line(rule["text"]) or f"A finding of {line(rule['id'])}."
    about = f"This is a rule of kind {rule['kind']}; {rule['total']:,} findings, {rule['shown']:,} told."
    found = _descriptor(rule["id"], _LEVELS[rule["severity"]], text, "\n".join(filter(None, [text, about, source])))
    page = next((text for text in (rule["source"], rule["iri"]) if text and _WEB.fullmatch(text)), None)
    if page is not None:
        found["helpUri"] = page
    found["properties"] = {"kind": rule["kind"], "iri": rule["iri"], "total": rule["total"], "shown": rule["shown"]}
    return found


def _descriptor(id: str, level: str, short: str, help: str) -> dict[str, Any]:
    return {
        "id": line(id),
        "shortDescription": {"text": _message(short)},
        "help": {"text": _message(help)},
        "defaultConfiguration": {"level": level},
    }


def _message(text: str) -> str:
    """A plain text message (3.11): braces doubled, since `{0}` is a placeholder, and no embedded `[link](target)`."""
    return block(text).replace("{", "{{").replace("}", "}}").replace("](", "\\](")


def _result(finding: Mapping[str, Any], number: int, rule: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": line(finding["rule"]),
        "ruleIndex": number,
        "kind": "fail",
        "level": _LEVELS[finding["severity"]],
        "message": {"text": _message(_told(finding))},
        "locations": [_location(finding)],
        "partialFingerprints": {"noesisKey/v1": finding["key"]},
        "properties": {"inferred": finding["inferred"], "group": finding["group"], "detail": finding["detail"]},
    }
    if finding["status"] is not None:
        found["baselineState"] = finding["status"]
    others = _related(finding, rule)
    return {**found, "relatedLocations": others} if others else found


def _told(finding: Mapping[str, Any]) -> str:
    """Message and proof; viewers with little room show the first sentence."""
    message = line(finding["message"])
    return message if not finding["text"] else f"{message}.\n{block(finding['text'])}"


def _location(finding: Mapping[str, Any]) -> dict[str, Any]:
    """Where it is: file and line, else the file of the first asserted premise, and the focus node by name (3.28)."""
    file = finding["file"] or next(_premise_files(finding["proof"]), None)
    found = {} if file is None else _physical(file, finding["line"] if finding["file"] else None)
    focus = finding["focus"]
    name = focus or {"label": finding["rule"], "text": finding["rule"]}
    logical = {"name": line(name["label"]), "fullyQualifiedName": line(name["text"])}
    return {**found, "logicalLocations": [{**logical, "kind": "resource" if focus else "declaration"}]}


def _related(finding: Mapping[str, Any], rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rule's own place, and the other files of its premises, each once."""
    places = [(rule["file"], rule["line"], "the rule")] if rule["file"] else []
    files = dict.fromkeys(_premise_files(finding["proof"]))
    places += [(file, None, "a premise") for file in files if file != finding["file"]]
    return [
        {"id": number, **_physical(file, at), "message": {"text": what}}
        for number, (file, at, what) in enumerate(places, start=1)
    ]


def _premise_files(proof: Mapping[str, Any] | None) -> Iterator[str]:
    """The files of the asserted triples of a proof, in reading order."""
    stack = [] if proof is None else [proof]
    while stack:
        part = stack.pop()
        if part["source"] is not None:
            yield part["source"]
        stack.extend(reversed(part.get("premises", ())))


def _physical(file: str, at: int | None) -> dict[str, Any]:
    region = {} if at is None else {"region": {"startLine": at}}
    return {"physicalLocation": {"artifactLocation": _artifact(file), **region}}


def _artifact(file: str) -> dict[str, str]:
    """A web address as it is, a path from the root as `file:`, any other path under the folder the audit was run in."""
    if _WEB.fullmatch(file):
        return {"uri": file}
    path = quote(file.replace("\\", "/").encode("utf-8", "replace"), safe="/")
    return {"uri": f"file://{path}"} if path.startswith("/") else {"uri": path, "uriBaseId": _ROOT}


def _contradicted(report: Report) -> list[Mapping[str, Any]]:
    claims = report["claims"]
    return [] if claims is None else [each for each in claims["results"] if each["verdict"] == "contradicted"]


def _claim(result: Mapping[str, Any], file: str, number: int) -> dict[str, Any]:
    return {
        "ruleId": CLAIM_RULE,
        "ruleIndex": number,
        "kind": "fail",
        "level": "error",
        "message": {"text": _message(claim_text(result))},
        "locations": [_physical(file, result["line"])],
    }
