"""Audits: what breaks the rules of a graph, why, how bad it is, and the smallest change that would mend it.

`audit` is the one function; what it returns is plain data (`AuditReport.to_dict`, docs/audit.schema.json) from which
every report is rendered. Importing this loads no torch.
"""

from engine.audit.causes import Cause, causes_of
from engine.audit.completeness import completeness_findings
from engine.audit.finding import AuditRule, Finding, Kind
from engine.audit.repairs import Repair, repairs_of
from engine.audit.report import AuditReport, Limits, audit
from engine.audit.rules import rule_file_findings, rule_findings
from engine.audit.schema import schema_findings

__all__ = [
    "AuditReport",
    "AuditRule",
    "Cause",
    "Finding",
    "Kind",
    "Limits",
    "Repair",
    "audit",
    "causes_of",
    "completeness_findings",
    "repairs_of",
    "rule_file_findings",
    "rule_findings",
    "schema_findings",
]
