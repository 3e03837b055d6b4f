"""What has become of a graph since an earlier audit: newly broken, mended, still broken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from engine.audit.finding import Finding
from engine.audit.report import AuditReport

__all__ = ["Comparison", "compared"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """The findings of a report beside those of an earlier one.

    Args:
        name: of what was audited before.
        new: keys of the findings that the earlier report has not. unchanged: of those it has.
        mended: the earlier findings that are no more, each with its key.
    """

    name: str
    new: frozenset[str]
    unchanged: frozenset[str]
    mended: tuple[tuple[str, Finding], ...]

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON-ready values."""
        return {
            "name": self.name,
            "new": len(self.new),
            "unchanged": len(self.unchanged),
            "mended": len(self.mended),
            "mended_findings": [
                {"key": key, "rule": finding.rule.id, "severity": str(finding.severity), "message": finding.message}
                for key, finding in self.mended
            ],
        }


def compared(report: AuditReport, earlier: AuditReport) -> AuditReport:
    """The report with what is new in it since an earlier one.

    Findings are the same where rule, focus and terms are; blank nodes by what is said about them (`naming`).
    """
    now, before = set(report.keys), set(earlier.keys)
    mended = [(key, finding) for key, finding in zip(earlier.keys, earlier.findings, strict=True) if key not in now]
    found = Comparison(earlier.name, frozenset(now - before), frozenset(now & before), tuple(dict(mended).items()))
    return replace(report, against=found)
