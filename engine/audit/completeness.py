"""What is required and not there: a schema read closed world, on request.

OWL is open world, so a person without a known name is no contradiction to "every person has a name". Whoever fills a
graph wants to know of it all the same. Here each requirement of the schema becomes a constraint (`requirements`) that
the engine evaluates over the asserted and inferred triples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rdflib import RDF
from rdflib.term import Node

from engine.audit.axioms import located
from engine.audit.finding import AuditRule, Finding, Kind
from engine.audit.probe import Clock, Probe
from engine.audit.requirements import Requirement, Unread, requirements
from engine.symbolic import Closure, Severity, Violation
from engine.symbolic.rules import Location
from kg.graph import KnowledgeGraph
from kg.terms import Triple

__all__ = ["MOST", "SECONDS", "completeness_findings"]

SECONDS = 50.0
MOST = 100_000
"""Findings of one requirement, some 2 kB each; that there are more is said."""

_TEXTS = {
    "value-missing": "A member of a class has the value that the class requires (some, hasValue, at least 1).",
    "values-too-few": "A member of a class has as many different values as the class requires (at least n, exactly n).",
    "values-too-many": "A member of a class has no more different values than the class allows (at most n, exactly n).",
    "value-not-in-set": "A value is one of those that its property or the class of its subject allows (oneOf).",
    "value-not-of-datatype": "A value is of the datatype that its property or the class of its subject asks for.",
    "member-not-in-set": "What is stated to be in an enumerated class is one of its members (oneOf).",
}
_RULES = {id: AuditRule(id, Kind.COMPLETENESS, Severity.VIOLATION, text) for id, text in _TEXTS.items()}
CUT_SHORT = AuditRule(
    "completeness-audit-cut-short", Kind.COMPLETENESS, Severity.INFO, "The audit looked at every requirement."
)


def completeness_findings(closure: Closure, *, seconds: float | None = SECONDS) -> Iterator[Finding]:
    """What the schema of a closure requires, closed world, and the closure has not.

    The focus of a finding is the individual, `terms` has the `path` (property), the `class` that requires it, `of` what
    the values have to be, and a `value` that is not allowed. The proof shows the axioms, and why the individual is in
    the class.

    A value in a class expression that OWL 2 RL infers no members of (complements, "only", cardinalities) counts as long
    as it is there. Names that are inferred to be the same count once for "at most", and each for "at least".

    Args:
        seconds: what it may take; None is no limit.
    """
    if closure.incomplete:
        yield _cut_short(f"nothing was looked at: {closure.incomplete}")
        return
    clock = Clock(seconds)
    probe = Probe(closure, clock)
    told: set[tuple[object, ...]] = set()
    unread: dict[str, None] = {}
    for requirement in requirements(closure.graph, owl=closure.entailment.startswith("owl2rl")):
        if isinstance(requirement, Unread):
            unread.setdefault(requirement.why)
            continue
        for violation in probe.violations([requirement.constraint], most=MOST):
            if isinstance(violation, str):
                unread.setdefault(violation)
                continue
            finding = _finding(closure.graph, requirement, violation)
            if (identity := (finding.key, finding.message)) not in told:
                told.add(identity)
                yield finding
        if clock.over:
            unread.setdefault("time ran out, further requirements were not looked at")
            break
    yield from map(_cut_short, unread)


def _finding(graph: KnowledgeGraph, requirement: Requirement, violation: Violation) -> Finding:
    values = {str(variable): term for variable, term in violation.substitution.items()}
    focus = values["x"]
    terms = {**requirement.terms, **({"value": values["y"]} if "y" in values else {})}
    rule = _RULES[requirement.id]
    return Finding(
        rule,
        rule.severity,
        violation.message,
        focus,
        terms,
        _place(graph, focus, terms),
        violation,
        {"needs": requirement.needs},
    )


def _place(graph: KnowledgeGraph, focus: Node, terms: Mapping[str, Node]) -> Location | None:
    """The file to mend: that of the wrong value, else that says what the individual is."""
    triples = []
    if "value" in terms and "path" in terms:
        triples.append(Triple(focus, terms["path"], terms["value"]))
    if "class" in terms:
        triples.append(Triple(focus, RDF.type, terms["class"]))
    triples += graph.triples(focus, RDF.type, None, inferred=False)
    return next((place for triple in triples if (place := located(graph, triple)) is not None), None)


def _cut_short(why: str) -> Finding:
    return Finding(CUT_SHORT, CUT_SHORT.severity, f"The audit of completeness was cut short: {why}")
