"""Audits of conclusions: a file of triples, such as what a model has concluded, judged by a closure.

The file is read as a stream and judged in chunks, so memory does not grow with it; what is told of single claims is
bounded by a limit, the totals are those of all.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from engine.audit.finding import triple_dict
from engine.audit.report import AuditReport
from engine.symbolic import Closure, Judgement, Status, check_stream
from kg.claim_file import read_claims
from kg.terms import Triple

__all__ = ["JudgedClaims", "judge_claims", "with_claims"]


@dataclass(frozen=True, eq=False)
class JudgedClaims:
    """What became of the claims of a file.

    Args:
        totals: claims by status, all statuses.
        results: contradicted claims with their refutations, then unknown ones with the reason, each in the order of the
            file, as JSON-ready values; as many of either as was asked for.
    """

    file: str
    totals: Mapping[Status, int]
    results: tuple[dict[str, Any], ...]

    @property
    def contradicted(self) -> int:
        """How many claims the rules refute."""
        return self.totals[Status.CONTRADICTED]

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {
            "file": self.file,
            "total": sum(self.totals.values()),
            "totals": {str(status): count for status, count in self.totals.items()},
            "shown": len(self.results),
            "results": list(self.results),
        }


def with_claims(report: AuditReport, path: Path, *, limit: int | None = None, proofs: bool = True) -> AuditReport:
    """The report with the claims of a file judged by its closure; see `judge_claims`."""
    return replace(report, claims=judge_claims(report.closure, path, limit=limit, proofs=proofs))


def judge_claims(closure: Closure, path: Path, *, limit: int | None = None, proofs: bool = True) -> JudgedClaims:
    """Judge every claim of a file.

    Args:
        limit: contradicted claims told in full, and unknown ones; None for all. proofs: whether with refutations.

    Raises:
        NoesisError: what `kg.claim_file.read_claims` raises.
    """
    totals: Counter[Status] = Counter()
    kept: dict[Status, list[dict[str, Any]]] = {Status.CONTRADICTED: [], Status.UNKNOWN: []}
    lines: deque[int | None] = deque()  # of the claims that are being judged

    def claims() -> Iterator[Triple]:
        for line, claim in read_claims(path, closure.graph.prefixes):
            lines.append(line)
            yield claim

    for judgement in check_stream(closure, claims()):
        line = lines.popleft()
        totals[judgement.status] += 1
        told = kept.get(judgement.status)
        if told is not None and (limit is None or len(told) < limit):
            told.append(_result(closure, line, judgement, proofs=proofs))
    return JudgedClaims(str(path), {status: totals[status] for status in Status}, tuple(chain(*kept.values())))


def _result(closure: Closure, line: int | None, judgement: Judgement, *, proofs: bool) -> dict[str, Any]:
    graph = closure.graph
    refutation = judgement.refutation if proofs else None
    because = judgement.violations[0].message if judgement.status is Status.CONTRADICTED else judgement.detail
    return {
        "line": line,
        "claim": triple_dict(graph, judgement.claim),
        "verdict": str(judgement.status),
        "reason": because or (None if judgement.reason is None else str(judgement.reason)),
        "text": None if refutation is None else refutation.text(graph),
        "proof": None if refutation is None else refutation.to_dict(graph),
    }
