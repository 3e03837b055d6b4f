"""`audit`: everything that is wrong with a closure, and the report made of it.

The report as plain data (`AuditReport.to_dict`, schema in docs/audit.schema.json) is what every format is rendered
from. Totals are always those of all findings; a limit bounds what is told in full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING, Any

from rdflib import BNode
from rdflib.term import Node

from engine.audit.finding import AuditRule, Finding, Kind, place, term_dict
from engine.audit.naming import digest, stable_names
from engine.symbolic import Closure, Severity, Violation
from kg.graph import KnowledgeGraph

if TYPE_CHECKING:
    import pandas

    from engine.audit.claims import JudgedClaims
    from engine.audit.compare import Comparison
    from engine.audit.repairs import Plausibility

__all__ = ["VERSION", "AuditReport", "Limits", "audit"]

VERSION = 1
"""Of the schema of `AuditReport.to_dict`."""


@dataclass(frozen=True)
class Limits:
    """How many findings a report tells in full; None is no limit.

    Args:
        findings: in all. per_rule: of each rule. proofs: whether each is told with its proof.
        supports: minimal sets of asserted triples told for each. repairs: changes told for each.
    """

    findings: int | None = None
    per_rule: int | None = None
    proofs: bool = True
    supports: int = 0
    repairs: int = 0


@dataclass(frozen=True, eq=False)
class AuditReport:
    """What an audit found.

    Args:
        closure: what was audited. name: of the domain or file. files: what was loaded.
        findings: all of them, the worst first, those of one rule together.
        incomplete: why there may be more; None where the audit is complete.
        against: what is new since an earlier audit, None where there is none to compare with.
        claims: conclusions that were judged, None where there are none.
    """

    closure: Closure
    findings: tuple[Finding, ...]
    name: str = ""
    files: tuple[str, ...] = ()
    incomplete: str | None = None
    against: Comparison | None = None
    claims: JudgedClaims | None = None

    @property
    def graph(self) -> KnowledgeGraph:
        """The graph that was audited."""
        return self.closure.graph

    @property
    def violations(self) -> tuple[Violation, ...]:
        """The violations of the closure among the findings; other checks have proofs of their own."""
        own = (Kind.CONSTRAINT, Kind.INCONSISTENCY)
        return tuple(f.violation for f in self.findings if f.violation is not None and f.rule.kind in own)

    @property
    def conforms(self) -> bool:
        """Whether the audit is complete and found nothing, warnings included."""
        return not self.findings and self.incomplete is None

    def _repr_html_(self) -> str:
        from engine.audit.notebook import report_html

        return report_html(self)

    def to_pandas(self) -> pandas.DataFrame:
        """A pandas `DataFrame` with a row for each finding, all of them.

        Raises:
            NotSupportedError: pandas is not installed.
        """
        from engine.audit.notebook import report_frame

        return report_frame(self)

    @cached_property
    def by_rule(self) -> dict[str, int]:
        """Findings per rule id, those that have some."""
        return dict(Counter(finding.rule.id for finding in self.findings))

    @cached_property
    def by_severity(self) -> dict[Severity, int]:
        """Findings per severity, all severities."""
        counts = Counter(finding.severity for finding in self.findings)
        return {severity: counts[severity] for severity in Severity}

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """What tells each finding from others, the same whenever the same graph is audited."""
        terms = [term for finding in self.findings for term in (finding.focus, *finding.terms.values())]
        names = stable_names(self.graph) if any(isinstance(term, BNode) for term in terms) else {}
        keys = [finding.named(names).key if names else finding.key for finding in self.findings]
        often = Counter(keys)  # one rule of OWL may be made into several constraints: their messages differ
        return tuple(
            digest(f"{key}{finding.message}") if often[key] > 1 else key
            for key, finding in zip(keys, self.findings, strict=True)
        )

    def status(self, key: str) -> str | None:
        """`new` or `unchanged` since the audit it is compared with; None where there is none."""
        if self.against is None:
            return None
        return "new" if key in self.against.new else "unchanged"

    def at_least(self, severity: Severity, *, only_new: bool = False) -> int:
        """Findings of this severity or a worse one."""
        wanted = self.findings
        if only_new:
            pairs = zip(self.keys, self.findings, strict=True)
            wanted = tuple(finding for key, finding in pairs if self.status(key) != "unchanged")
        return sum(finding.severity.rank <= severity.rank for finding in wanted)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {severity}" for severity, count in self.by_severity.items())
        return f"{len(self.findings)} findings ({counts})" + (f"; {self.incomplete}" if self.incomplete else "")

    def shown(self, limits: Limits) -> list[tuple[str, Finding]]:
        """The findings that are told in full, each with its key; new ones first."""
        told: Counter[str] = Counter()
        found: list[tuple[str, Finding]] = []
        pairs = sorted(zip(self.keys, self.findings, strict=True), key=lambda pair: self.status(pair[0]) == "unchanged")
        for key, finding in pairs:
            if limits.findings is not None and len(found) >= limits.findings:
                break
            if limits.per_rule is None or told[finding.rule.id] < limits.per_rule:
                told[finding.rule.id] += 1
                found.append((key, finding))
        return found

    def to_dict(self, limits: Limits | None = None, *, plausibility: Plausibility | None = None) -> dict[str, Any]:
        """The report as JSON-ready values (docs/audit.schema.json).

        Args:
            plausibility: of triples, to rank repairs that are alike otherwise.
        """
        limits = limits or Limits()
        shown = self.shown(limits)
        graph = self.graph
        statistics = self.closure.statistics
        told = Counter(finding.rule.id for _, finding in shown)
        more = self._explained(shown, limits, plausibility)
        return {
            "version": VERSION,
            "tool": {"name": "noesis", "version": metadata.version("noesis-kg")},
            "subject": {
                "name": self.name,
                "files": list(self.files or graph.sources),
                "asserted": statistics.asserted,
                "inferred": statistics.inferred,
                "rules": len(self.closure.ruleset.rules),
                "constraints": len(self.closure.ruleset.constraints),
                "entailment": self.closure.entailment,
            },
            "conforms": self.conforms,
            "incomplete": self.incomplete,
            "totals": {
                "findings": len(self.findings),
                "shown": len(shown),
                "explained": more["explained"],
                "by_severity": {str(severity): count for severity, count in self.by_severity.items()},
                "by_kind": dict(Counter(str(finding.rule.kind) for finding in self.findings)),
                "by_rule": self.by_rule,
            },
            "rules": [self._rule_dict(rule, told) for rule in dict.fromkeys(f.rule for f in self.findings)],
            "heat": self._heat(),
            "findings": [
                {**self._finding_dict(key, finding, limits), **added}
                for (key, finding), added in zip(shown, more["findings"] or [{}] * len(shown), strict=True)
            ],
            "groups": more["groups"],
            "claims": None if self.claims is None else self.claims.to_dict(),
            "against": None if self.against is None else self.against.to_dict(),
        }

    def _explained(
        self, shown: Sequence[tuple[str, Finding]], limits: Limits, plausibility: Plausibility | None
    ) -> dict[str, Any]:
        """Supports, repairs and groups (see `explain`), where they are asked for."""
        if limits.supports <= 0 and limits.repairs <= 0:
            return {"findings": [], "groups": [], "explained": 0}
        from engine.audit.explain import explained

        return explained(self, shown, limits, plausibility)

    def _rule_dict(self, rule: AuditRule, told: Mapping[str, int]) -> dict[str, Any]:
        return {
            "id": rule.id,
            "kind": str(rule.kind),
            "severity": str(rule.severity),
            "text": rule.text,
            "iri": rule.iri,
            "source": rule.source,
            **place(rule.location),
            "total": self.by_rule[rule.id],
            "shown": told[rule.id],
        }

    def _heat(self) -> list[dict[str, Any]]:
        """How many findings each rule has in each class of their focus nodes, most first."""
        graph = self.graph
        counts: Counter[tuple[str, Node | None]] = Counter()
        for finding in self.findings:
            counts.update((finding.rule.id, cls) for cls in finding.classes(graph) or (None,))
        return [
            {"rule": rule, "class": None if cls is None else term_dict(graph, cls), "count": count}
            for (rule, cls), count in counts.most_common()
        ]

    def _finding_dict(self, key: str, finding: Finding, limits: Limits) -> dict[str, Any]:
        graph, proof = self.graph, finding.proof if limits.proofs else None
        return {
            "key": key,
            "rule": finding.rule.id,
            "kind": str(finding.rule.kind),
            "severity": str(finding.severity),
            "message": finding.message,
            "focus": None if finding.focus is None else term_dict(graph, finding.focus),
            "classes": [term_dict(graph, cls) for cls in finding.classes(graph)],
            "terms": {name: term_dict(graph, term) for name, term in finding.terms.items()},
            **place(finding.location),
            "status": self.status(key),
            "inferred": proof is not None and any(p.rule is not None for p in proof.premises),
            "group": None,
            "proof": None if proof is None else proof.to_dict(graph),
            "text": None if proof is None else proof.text(graph),
            "supports": None,
            "repairs": None,
            "detail": dict(finding.detail),
        }


def audit(
    closure: Closure,
    *,
    name: str = "",
    checks: Iterable[Callable[[Closure], Iterable[Finding]]] = (),
) -> AuditReport:
    """What breaks the constraints of a closure, and what further checks find.

    Args:
        name: of what is audited, for the report.
        checks: each gives findings about the closure, such as those of `engine.audit.shapes` or `.rules`.
    """
    found = [Finding.of(violation) for violation in closure.violations]
    for each in checks:
        found += each(closure)
    order = {id: at for at, id in enumerate(dict.fromkeys(finding.rule.id for finding in found))}
    found.sort(key=lambda finding: (finding.severity.rank, order[finding.rule.id]))
    return AuditReport(closure, tuple(found), name, closure.graph.sources, closure.incomplete)
