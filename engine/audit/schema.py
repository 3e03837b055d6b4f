"""What is wrong with a schema: classes that nothing can be in, axioms that say nothing new, terms that nobody declared.

`schema_findings` runs the checks of the modules it imports, one after the other, within a minute. What could not be
looked at is a finding too, so a schema without findings was looked at as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.audit.declarations import undeclared, unlabelled
from engine.audit.finding import AuditRule, Finding, Kind
from engine.audit.hierarchy import cycles
from engine.audit.probe import Clock
from engine.audit.redundancy import redundant
from engine.audit.unsatisfiable import unsatisfiable
from engine.symbolic import Closure, Severity

__all__ = ["SECONDS", "schema_findings"]

SECONDS = 40.0
"""What all checks together may take. The schemas tried take a few seconds (FIBO, Brick, wine and food, LUBM)."""

CUT_SHORT = AuditRule(
    "schema-audit-cut-short", Kind.SCHEMA, Severity.INFO, "The audit of the schema looked at all of it."
)


def schema_findings(closure: Closure, *, seconds: float | None = SECONDS) -> Iterator[Finding]:
    """What is wrong with the schema of a closure, one kind after the other.

    The focus of a finding is the class or property it is about, its location the file that states the axiom.

    Args:
        seconds: what it may take; None is no limit. Half is for unsatisfiable classes, what is left of it for the rest.
    """
    whole, half = Clock(seconds), Clock(None if seconds is None else seconds / 2)
    for check in (
        unsatisfiable(closure, half),
        cycles(closure),
        undeclared(closure),
        redundant(closure, whole),
        unlabelled(closure),
    ):
        for found in check:
            if isinstance(found, Finding):
                yield found
            else:
                yield Finding(CUT_SHORT, CUT_SHORT.severity, f"The audit of the schema was cut short: {found}")
