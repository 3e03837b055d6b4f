"""What is wrong with the rules themselves: those that never fire, say nothing new, or can never hold.

`rule_findings` looks at the rules that were given with a graph, not at the built-in ones, and tells of each why. What
keeps a rule file from loading is told by `rule_file_findings`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rdflib.term import Node

from engine.audit.axioms import told
from engine.audit.contradiction import never_holds
from engine.audit.finding import AuditRule, Finding, Kind
from engine.audit.frozen import FrozenBodies
from engine.audit.idle import Vocabulary, why_idle
from engine.audit.probe import Clock, Probe
from engine.audit.rule_files import rule_file_findings
from engine.audit.subsumption import is_tautology, subsumes
from engine.symbolic import Closure, Constraint, Rule, Severity, builtin_rules
from kg.graph import KnowledgeGraph

__all__ = ["rule_file_findings", "rule_findings"]

log = logging.getLogger(__name__)

SECONDS = 60.0
"""What the search for rules that never fire may take."""
_PAIRS = 2_000_000
"""Pairs of rules that are compared: some 10 µs each where their heads differ."""


def _rule(id: str, severity: Severity, text: str) -> AuditRule:
    return AuditRule(id, Kind.RULE, severity, text)


NEVER_FIRES = _rule("rule-never-fires", Severity.INFO, "The body of a rule has a match in the closure.")
UNKNOWN_TERM = _rule(
    "rule-unknown-term", Severity.WARNING, "A predicate or class in a body or NOT is in the graph, or given by a rule."
)
SUBSUMED = _rule(
    "rule-subsumed", Severity.INFO, "A rule or constraint says something that no other one says as it stands."
)
ENTAILED = _rule(
    "rule-entailed",
    Severity.INFO,
    "A rule infers something that the axioms and the other rules do not infer without it.",
)
TAUTOLOGY = _rule("rule-tautology", Severity.WARNING, "The head of a rule is not in its own body.")
NEVER_HOLDS = _rule("rule-never-holds", Severity.WARNING, "The body of a rule or constraint can have a match.")
INCONSISTENT = _rule(
    "rule-body-inconsistent",
    Severity.WARNING,
    "The body of a rule or constraint can have a match in a graph that nothing else is wrong with.",
)
CUT_SHORT = _rule("rule-audit-cut-short", Severity.INFO, "The audit of the rules looked at all of them.")


def rule_findings(closure: Closure) -> Iterator[Finding]:
    """What is wrong with the rules that were given with a graph, one kind after the other.

    A finding is about one rule: its location is that of the rule, `terms` has the IRI of the rule and that of the one
    it is compared with.
    """
    builtin = set(builtin_rules(closure.entailment))
    rules = [rule for rule in closure.ruleset if rule not in builtin]
    if not rules:
        return
    graph = closure.graph
    vain: set[int] = set()
    for rule in rules:
        reason = never_holds(rule)
        if reason:
            vain.add(id(rule))
            yield _finding(NEVER_HOLDS, rule, f"{_name(rule)} can never hold: {reason}", detail={"reason": reason})
        elif is_tautology(rule):
            vain.add(id(rule))
            yield _finding(TAUTOLOGY, rule, f"{_name(rule)} infers only what is in its body")
    rest = [rule for rule in rules if id(rule) not in vain]
    needless: set[Rule] = set()
    yield from _subsumed(rest, needless)
    if closure.incomplete:
        yield _cut_short(f"only what the text of the rules says was looked at: {closure.incomplete}")
        return
    frozen = FrozenBodies(closure, rest)
    yield from _inconsistent(frozen, graph)
    yield from _entailed(frozen, needless, graph)
    if frozen.cut_short:
        yield _cut_short(frozen.cut_short)
    yield from _idle(closure, rest, rules)


def _subsumed(rules: Sequence[Rule], needless: set[Rule]) -> Iterator[Finding]:
    """Each rule that another one makes needless, noted there; of two that say the same, the one that comes later."""
    pairs = 0
    for at, special in enumerate(rules):
        for other, general in enumerate(rules):
            if other == at:
                continue
            pairs += 1
            if pairs > _PAIRS:
                yield _cut_short(f"{len(rules)} rules were too many to compare each with each")
                return
            if not subsumes(general, special):
                continue
            same = subsumes(special, general)
            if same and other > at:
                continue  # that one is told
            needless.add(special)
            what = "says the same as" if same else "is a special case of"
            yield _finding(
                SUBSUMED,
                special,
                f"{_name(special)} {what} {general.kind} '{general.name}'",
                {} if general.iri is None else {"by": general.iri},
                {"by": general.name, "same": same},
            )
            break


def _entailed(frozen: FrozenBodies, needless: set[Rule], graph: KnowledgeGraph) -> Iterator[Finding]:
    """Each rule that the axioms and all the others together make needless, unless one of them does alone."""
    for rule, others, axioms in frozen.entailed(needless):
        names = ", ".join(dict.fromkeys(other.name for other in others))
        stated = told(graph, axioms)
        yield _finding(
            ENTAILED,
            rule,
            f"{_name(rule)} infers only what follows without it, by {names}" + (f" from: {stated}" if stated else ""),
            detail={"by": [other.name for other in others], "axioms": [[graph.curie(t) for t in a] for a in axioms]},
        )


def _inconsistent(frozen: FrozenBodies, graph: KnowledgeGraph) -> Iterator[Finding]:
    for rule, violation in frozen.inconsistent():
        why = violation.constraint
        what = "tells only of what breaks" if isinstance(rule, Constraint) else "matches only what breaks"
        yield _finding(
            INCONSISTENT,
            rule,
            f"{_name(rule)} {what} {why.name} anyway: {why.comment or violation.message}",
            detail={"breaks": why.name, "text": violation.proof.text(graph)},
        )


def _idle(closure: Closure, rules: Sequence[Rule], every: Sequence[Rule]) -> Iterator[Finding]:
    """The rules without a match, and the terms that are in no triple, where that is not the reason told."""
    graph, probe = closure.graph, Probe(closure, Clock(SECONDS))
    words = Vocabulary(graph, [*closure.rules.rules, *every])
    names = [rule.name for rule in closure.rules]
    open_rules: list[str] = []
    for rule in rules:
        body, idle = not isinstance(rule, Constraint), None
        if body and not (names.count(rule.name) == 1 and probe.gives(rule)):
            try:
                idle = why_idle(rule, probe, words)
            except TimeoutError:
                open_rules.append(rule.name)
        if idle is not None:
            yield _finding(NEVER_FIRES, rule, f"{_name(rule)} never fires: {idle.text}", detail=idle.detail)
        negated = [atom for negation in rule.negations for atom in negation.atoms]
        for term, near in words.unknown([*(() if idle else rule.body_atoms), *negated]):
            hint = "" if near is None else f"; the nearest that is used is {graph.curie(near)}"
            yield _finding(
                UNKNOWN_TERM,
                rule,
                f"{_name(rule)} asks for {graph.curie(term)}, which is not in the graph{hint}",
                {"term": term, **({} if near is None else {"nearest": near})},
                {"nearest": None if near is None else graph.curie(near)},
            )
    if open_rules:
        yield _cut_short(f"time ran out before it was known whether these fire: {', '.join(open_rules)}")


def _finding(
    audit: AuditRule,
    rule: Rule,
    message: str,
    terms: dict[str, Node] | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Finding:
    about = {} if rule.iri is None else {"rule": rule.iri}
    more = {"rule": rule.name, "kind": rule.kind, **(detail or {})}
    severity = Severity.INFO if audit is INCONSISTENT and isinstance(rule, Constraint) else audit.severity
    return Finding(audit, severity, message, None, {**about, **(terms or {})}, rule.location, detail=more)


def _name(rule: Rule) -> str:
    return f"{rule.kind.capitalize()} '{rule.name}'"


def _cut_short(why: str) -> Finding:
    return Finding(CUT_SHORT, CUT_SHORT.severity, f"The audit of the rules was cut short: {why}")
