"""Axioms that the rest of the graph entails.

All justifications of the asserted axioms are found once, as a hypergraph. An axiom is redundant if it can be derived
in there from asserted triples other than itself (`derived`). Each axiom is judged with all the others in place: of two
that entail each other both are redundant, and `either` in the detail says that only one of them can go.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.audit.axioms import axioms, located, told
from engine.audit.derived import derived
from engine.audit.finding import AuditRule, Finding, Kind
from engine.audit.probe import Clock
from engine.symbolic import Budget, Closure, Severity, derivations_of
from kg.terms import Triple, is_list_cell

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
        way = None if node is None else derived(node, ways, lambda each: not each.rule.rule.aggregates)
        if way is not None:
            found[target] = tuple(graph.decode(*ids) for ids in way.leaves)
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
                "entailed_by": [[graph.curie(t) for t in leaf] for leaf in leaves if not is_list_cell(leaf)],
                "either": [[graph.curie(t) for t in leaf] for leaf in either],
            },
        )
    if ways.incomplete:
        yield f"there may be more redundant axioms: {ways.incomplete}"
