"""`explained`: the supports and repairs of a report's findings, and the causes they share, as the report tells them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.audit.causes import Cause, causes_of
from engine.audit.finding import Finding, triple_dict
from engine.audit.repairs import Plausibility, Repair, Trials, repairs_of
from engine.symbolic import Budget, Violation
from engine.symbolic.supports import Supports, supports_of
from kg.graph import KnowledgeGraph

if TYPE_CHECKING:
    from engine.audit.report import AuditReport, Limits

__all__ = ["MOST", "SECONDS", "explained"]

MOST = 25
"""Findings whose supports and repairs are told, the first ones shown of each cause before further ones: each can take
a second or two. The others have their cause alone."""
SECONDS = 20.0
"""After so many, no further finding is taken up, so that an axiom gone wrong in a large graph keeps nobody waiting."""
MOST_SCHEMA = 12
"""Changes of schema triples that are tried out for one report: each closes everything afresh, a second or so."""
BUDGET = Budget(triples=20_000, substitutions=20_000)
"""Of the search for the rule instances of one finding: a fraction of a second, and far more than most need."""
WORK = 40_000
"""Of the searches for its supports and repairs."""
TRIES = 8
"""Changes that are tried out for one finding: each a fraction of a second where no schema triple is changed."""


def explained(
    report: AuditReport,
    shown: Sequence[tuple[str, Finding]],
    limits: Limits,
    plausibility: Plausibility | None = None,
) -> dict[str, Any]:
    """What explains in a report's dictionary: `groups`, `findings` (what each shown one has more) and their number.

    Groups are of all violations, numbered from 1, and made of first supports (`causes_of`). Supports and repairs are
    told of up to `MOST` findings, and of none that is not begun within `SECONDS`; `explained` says of how many.

    Args:
        shown: what is told in full (`AuditReport.shown`).
        limits: how many supports and repairs are told of each finding.
        plausibility: of triples, for the ranking of repairs.
    """
    keys = [key for key, _ in shown]
    ours = set(report.closure.violations)
    causes = causes_of(report.closure, [violation for violation in report.violations if violation in ours])
    number = {violation: at for at, cause in enumerate(causes, 1) for violation in cause.violations}
    groups = [number.get(f.violation) if f.violation is not None else None for _, f in shown]
    findings = [{"group": group, "supports": None, "repairs": None} for group in groups]
    trials = Trials(report.closure, schema=MOST_SCHEMA)
    told, end = 0, time.monotonic() + SECONDS
    for at in _first_of_each(groups)[:MOST]:
        if time.monotonic() >= end:
            break
        findings[at] |= _told(report, shown[at][1], limits, plausibility, trials)
        told += 1
    return {
        "groups": [_group_dict(report, at, cause, keys, groups) for at, cause in enumerate(causes, 1)],
        "findings": findings,
        "explained": told,
    }


def _first_of_each(groups: list[int | None]) -> list[int]:
    """The places with a group: the first of each group, then the second ones, and so on."""
    told: dict[int, int] = {}
    turns: list[tuple[int, int]] = []
    for at, group in enumerate(groups):
        if group is not None:
            told[group] = told.get(group, 0) + 1
            turns.append((told[group], at))
    return [at for _, at in sorted(turns)]


def _told(
    report: AuditReport, finding: Finding, limits: Limits, plausibility: Plausibility | None, trials: Trials
) -> dict[str, Any]:
    violation, more = finding.violation, dict[str, Any]()
    assert isinstance(violation, Violation), "only violations have a group"
    if limits.supports > 0:
        supports = supports_of(report.closure, violation, limit=limits.supports, budget=BUDGET, work=WORK)
        more["supports"] = _supports_dict(report.graph, supports)
    if limits.repairs > 0:
        found = repairs_of(
            report.closure,
            violation,
            limit=limits.repairs,
            plausibility=plausibility,
            budget=BUDGET,
            work=WORK,
            tries=TRIES,
            trials=trials,
        )
        more["repairs"] = [_repair_dict(report.graph, repair) for repair in found]
    return more


def _supports_dict(graph: KnowledgeGraph, supports: Supports) -> dict[str, Any]:
    sets = [
        {"triples": [triple_dict(graph, t) for t in support.triples], "rules": [rule.name for rule in support.rules]}
        for support in supports
    ]
    return {"complete": supports.complete, "sets": sets}


def _repair_dict(graph: KnowledgeGraph, repair: Repair) -> dict[str, Any]:
    return {
        "remove": [triple_dict(graph, triple) for triple in repair.remove],
        "add": [triple_dict(graph, triple) for triple in repair.add],
        "mends": repair.mends,
        "plausibility": repair.plausibility,
        "text": repair.text(graph),
    }


def _group_dict(
    report: AuditReport, number: int, cause: Cause, keys: list[str], groups: list[int | None]
) -> dict[str, Any]:
    return {
        "number": number,
        "cause": [triple_dict(report.graph, triple) for triple in cause.triples],
        "text": cause.text(report.graph),
        "findings": len(cause.violations),
        "keys": [key for key, group in zip(keys, groups, strict=True) if group == number],
    }
