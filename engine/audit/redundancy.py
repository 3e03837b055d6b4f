"""Axioms that the rest of the graph entails.

All justifications of the asserted axioms are found once, as a hypergraph. An axiom is redundant if it can be derived
in there from asserted triples other than itself, which is then Horn satisfiability (Dowling and Gallier 1984), linear
in its ancestors. Each axiom is judged with all the others in place: of two that entail each other both are redundant,
and `either` in the detail says that only one of them can go.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping

from rdflib import RDF

from engine.audit.axioms import axioms, located, told
from engine.audit.finding import AuditRule, Finding, Kind
from engine.audit.probe import Clock
from engine.symbolic import Budget, Closure, Derivations, Severity, derivations_of
from engine.symbolic.derivations import Justification
from engine.symbolic.justify import Ids
from kg.terms import Triple

__all__ = ["REDUNDANT", "redundant"]

REDUNDANT = AuditRule(
    "axiom-redundant", Kind.SCHEMA, Severity.INFO, "An axiom says something that the other triples do not entail."
)
_ANCESTORS = 500_000
_INSTANCES = 1_000_000
"""Ancestors of the axioms and rule instances that conclude them, in memory together (about a gigabyte)."""


def redundant(closure: Closure, clock: Clock) -> Iterator[Finding | str]:
    """A finding for each redundant axiom, with triples that entail it; and in words what was not looked at."""
    graph = closure.graph
    targets = list(axioms(graph))
    budget = Budget(triples=_ANCESTORS, substitutions=_INSTANCES, seconds=clock.left)
    ways = derivations_of(closure, *targets, budget=budget)
    found: dict[Triple, tuple[Triple, ...]] = {}
    for judged, (target, node) in enumerate(zip(targets, ways.targets, strict=True)):
        if clock.over:
            yield f"of {len(targets)} axioms, {len(targets) - judged} were not tried for redundancy in time"
            break
        others = None if node is None else _entailing(node, ways)
        if others is not None:
            found[target] = tuple(graph.decode(*ids) for ids in others)
    for axiom, leaves in found.items():
        either = [leaf for leaf in leaves if leaf in found and axiom in found[leaf]]
        message = f"“{told(graph, [axiom])}” is entailed by: {told(graph, leaves)}"
        if either:
            message += f" (only one can go: this, or “{told(graph, either[:1])}”)"
        yield Finding(
            REDUNDANT,
            REDUNDANT.severity,
            message,
            axiom.subject,
            {"predicate": axiom.predicate, "object": axiom.object},
            located(graph, axiom),
            detail={
                "axiom": [graph.curie(term) for term in axiom],
                "entailed_by": [[graph.curie(t) for t in leaf] for leaf in leaves if not _is_cell(leaf)],
                "either": [[graph.curie(t) for t in leaf] for leaf in either],
            },
        )
    if ways.incomplete:
        yield f"there may be more redundant axioms: {ways.incomplete}"


def _is_cell(triple: Triple) -> bool:
    return triple.predicate in (RDF.first, RDF.rest)


def _entailing(target: Ids, ways: Derivations) -> tuple[Ids, ...] | None:
    """Asserted triples that entail a triple without itself, None where there are none."""
    justified: dict[Ids, Justification | None] = {}
    waiting: dict[Ids, list[tuple[Justification, list[int]]]] = defaultdict(list)
    ready: deque[Justification] = deque()
    for justification in _above(target, ways):
        if target in justification.premises or justification.rule.rule.aggregates:
            continue
        open_premises = {p for p in justification.premises if p not in ways.asserted}
        missing = [len(open_premises)]
        for premise in open_premises:
            waiting[premise].append((justification, missing))
        if not open_premises:
            ready.append(justification)
    while ready:
        justification = ready.popleft()
        if justification.conclusion in justified:
            continue
        justified[justification.conclusion] = justification
        if justification.conclusion == target:
            return _leaves(target, justified, ways)
        for other, missing in waiting.get(justification.conclusion, ()):
            missing[0] -= 1
            if not missing[0]:
                ready.append(other)
    return None


def _above(target: Ids, ways: Derivations) -> Iterator[Justification]:
    """The justifications of a triple and of all its ancestors that are not asserted."""
    seen, stack = {target}, [target]
    while stack:
        for justification in ways.justifications.get(stack.pop(), ()):
            yield justification
            new = [p for p in justification.premises if p not in ways.asserted and p not in seen]
            seen.update(new)
            stack += new


def _leaves(target: Ids, justified: Mapping[Ids, Justification | None], ways: Derivations) -> tuple[Ids, ...]:
    """The asserted triples that a derivation rests on, in reading order."""
    found: dict[Ids, None] = {}
    seen, stack = {target}, [target]
    while stack:
        justification = justified[stack.pop()]
        assert justification is not None, "what is derived has a justification"
        for premise in justification.premises:
            if premise in ways.asserted:
                found.setdefault(premise)
            elif premise not in seen:
                seen.add(premise)
                stack.append(premise)
    return tuple(found)
