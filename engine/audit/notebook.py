"""What notebooks show of an audit (see `kg.notebook`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.audit.finding import place
from kg.notebook import box, data_frame, table

if TYPE_CHECKING:
    import pandas

    from engine.audit.report import AuditReport

__all__ = ["report_frame", "report_html"]

_ROWS = 20


def report_html(report: AuditReport) -> str:
    """The totals by rule and the worst findings."""
    first = {finding.rule.id: finding for finding in reversed(report.findings)}
    counts = [[id, first[id].rule.kind, first[id].severity, count] for id, count in report.by_rule.items()]
    rules = table(["rule", "about", "severity", "findings"], counts[:_ROWS], total=len(counts))
    rows = [[each.severity, each.message, each.rule.id] for each in report.findings[:_ROWS]]
    findings = table(["severity", "message", "rule"], rows, total=len(report.findings))
    return box(f"Audit{' of ' if report.name else ''}{report.name}: {report}", rules, findings)


def report_frame(report: AuditReport) -> pandas.DataFrame:
    """The findings, all of them, one a row."""
    graph = report.graph
    columns: dict[str, list[Any]] = {
        "key": list(report.keys),
        "severity": [str(finding.severity) for finding in report.findings],
        "rule": [finding.rule.id for finding in report.findings],
        "kind": [str(finding.rule.kind) for finding in report.findings],
        "message": [finding.message for finding in report.findings],
        "focus": [None if each.focus is None else graph.curie(each.focus) for each in report.findings],
        "label": [None if each.focus is None else graph.label(each.focus) for each in report.findings],
        "file": [place(each.location)["file"] for each in report.findings],
        "line": [place(each.location)["line"] for each in report.findings],
    }
    return data_frame(columns)
