"""How well a reasoner does on a domain's hand-written claims: the triple it forms, then the verdict it gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rdflib import Literal
from rdflib.term import Node

from engine.hybrid import Reasoner
from engine.verdict import Verdict
from kg.claims import ClaimRecord
from kg.property_axioms import PropertyAxioms
from kg.terms import Triple

__all__ = ["ClaimReport", "ClaimResult", "evaluate_claims"]


@dataclass(frozen=True)
class ClaimResult:
    """One claim, what was expected of it, and what came."""

    record: ClaimRecord
    verdict: Verdict
    turned: tuple[Triple, ...] = ()
    """The expected triple said the other way round: with its inverse, or turned where its property is symmetric."""

    @property
    def formed(self) -> bool:
        """Whether triple and polarity are the expected ones; where none is expected, whether none was formed.

        A triple said the other way round, with a symmetric property or the inverse one, is the same claim.
        """
        claim = self.verdict.claim
        if self.record.triple is None or claim.triple is None:
            return self.record.triple is None and claim.triple is None
        same = any(_same(claim.triple, triple) for triple in (self.record.triple, *self.turned))
        return same and claim.positive == self.record.positive

    @property
    def decided(self) -> bool:
        """Whether the verdict is the expected one."""
        return self.verdict.word == self.record.verdict


@dataclass(frozen=True)
class ClaimReport:
    """The results on a set of claims, and the figures made of them."""

    results: tuple[ClaimResult, ...]

    @property
    def with_triple(self) -> tuple[ClaimResult, ...]:
        """The results of claims from which a triple is expected."""
        return tuple(r for r in self.results if r.record.triple is not None)

    @property
    def formed(self) -> tuple[ClaimResult, ...]:
        """The results whose expected triple was formed."""
        return tuple(r for r in self.with_triple if r.formed)

    @property
    def wrong(self) -> tuple[ClaimResult, ...]:
        """The results whose triple was formed and whose verdict is not the expected one."""
        return tuple(r for r in self.formed if not r.decided)

    def figures(self) -> dict[str, Any]:
        """The figures: shares in [0, 1], and verdicts expected and given."""
        formed, expected = self.formed, self.with_triple
        firm = [r for r in formed if r.record.verdict in ("entailed", "contradicted")]
        return {
            "claims": len(self.results),
            "claims with a triple": len(expected),
            "right triple": _share(len(formed), len(expected)),
            "right triple or rightly none": _share(sum(r.formed for r in self.results), len(self.results)),
            "right verdict where the triple is right": _share(sum(r.decided for r in formed), len(formed)),
            "right verdict on entailed and contradicted": _share(sum(r.decided for r in firm), len(firm)),
            "right verdict": _share(sum(r.decided for r in self.results), len(self.results)),
            "verdicts expected": dict(Counter(r.record.verdict for r in self.results)),
            "verdicts given": dict(Counter(r.verdict.word for r in self.results)),
        }


def evaluate_claims(reasoner: Reasoner, claims: Sequence[ClaimRecord]) -> ClaimReport:
    """Ask every claim and compare."""
    verdicts = reasoner.ask_many([claim.text for claim in claims])
    inverse = PropertyAxioms.of(reasoner.graph).inverse
    results = (ClaimResult(c, v, _turned(reasoner, inverse, c.triple)) for c, v in zip(claims, verdicts, strict=True))
    return ClaimReport(tuple(results))


def _turned(reasoner: Reasoner, inverse: Mapping[int, frozenset[int]], triple: Triple | None) -> tuple[Triple, ...]:
    graph = reasoner.graph
    found = None if triple is None else graph.dictionary.find(triple.predicate)
    if triple is None or found is None:
        return ()
    terms = (graph.dictionary.term(other) for other in sorted(inverse.get(found, ())))
    return tuple(Triple(triple.object, term, triple.subject) for term in terms)


def _same(a: Triple, b: Triple) -> bool:
    return a[:2] == b[:2] and (a.object == b.object or _value(a.object) == _value(b.object) is not None)


def _value(term: Node) -> object:
    return term.toPython() if isinstance(term, Literal) else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
