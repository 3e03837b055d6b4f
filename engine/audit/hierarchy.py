"""Cycles in the hierarchies of classes and of properties: terms that are each below the others."""

from __future__ import annotations

from collections.abc import Iterator

import networkx
from rdflib import OWL, RDFS, URIRef
from rdflib.term import Node

from engine.audit.axioms import located, named, told
from engine.audit.finding import AuditRule, Finding, Kind
from engine.symbolic import Closure, Severity
from kg.graph import KnowledgeGraph
from kg.terms import Triple, is_list_cell

__all__ = ["CLASS_CYCLE", "PROPERTY_CYCLE", "cycles"]

CLASS_CYCLE = AuditRule(
    "class-cycle",
    Kind.SCHEMA,
    Severity.WARNING,
    "No class is below itself by way of others, unless they are stated to be equivalent.",
)
PROPERTY_CYCLE = AuditRule(
    "property-cycle",
    Kind.SCHEMA,
    Severity.WARNING,
    "No property is below itself by way of others, unless they are stated to be equivalent.",
)
_PAIRS = 1_000_000
_HIERARCHIES = (
    (CLASS_CYCLE, RDFS.subClassOf, OWL.equivalentClass, "class"),
    (PROPERTY_CYCLE, RDFS.subPropertyOf, OWL.equivalentProperty, "property"),
)


def cycles(closure: Closure) -> Iterator[Finding | str]:
    """A finding for each set of terms that are below one another, with all of them; in words what was not looked at.

    Asserted and inferred triples count, so a cycle by way of a class expression is found too. Terms that are linked by
    statements of equivalence are no cycle.
    """
    graph = closure.graph
    for rule, below, equivalent, word in _HIERARCHIES:
        hierarchy = _edges(graph, below)
        if hierarchy.number_of_edges() > _PAIRS:
            yield f"more than {_PAIRS} {word} pairs were too many to look for cycles in"
            continue
        stated = networkx.Graph(
            (t.subject, t.object)
            for predicate in (equivalent, OWL.sameAs)
            for t in graph.triples(None, predicate, None, inferred=False)
        )
        for component in networkx.strongly_connected_components(hierarchy):
            if len(component) > 1 and not _linked(component, stated):
                yield _finding(closure, rule, hierarchy.subgraph(component), below, word)


def _edges(graph: KnowledgeGraph, below: URIRef) -> networkx.DiGraph[Node]:
    id = graph.dictionary.find(below)
    pairs = () if id is None else zip(*(column.tolist() for column in graph.pairs(id)), strict=True)
    term = graph.dictionary.term
    return networkx.DiGraph(
        (s, o) for s, o in ((term(a), term(b)) for a, b in pairs if a != b) if named(s) and named(o)
    )


def _linked(component: set[Node], stated: networkx.Graph[Node]) -> bool:
    """Whether statements of equivalence link all terms of a component."""
    return component <= set(stated) and networkx.is_connected(stated.subgraph(component))


def _finding(closure: Closure, rule: AuditRule, hierarchy: networkx.DiGraph[Node], below: URIRef, word: str) -> Finding:
    graph, terms = closure.graph, sorted(hierarchy, key=str)
    trip = _asserted_cycle(graph, below, terms)
    inferred = not trip
    if inferred:
        trip = [Triple(s, below, o) for s, o in networkx.find_cycle(hierarchy, terms[0])]
    leaves = (leaf for triple in trip for leaf in closure.proof(triple).leaves()) if inferred else trip
    stated = [leaf for leaf in dict.fromkeys(leaves) if not is_list_cell(leaf)]
    path = " → ".join(graph.label(term) for term in (*(t.subject for t in trip), trip[0].subject))
    plural = "classes" if word == "class" else "properties"
    how = f", which follows from: {told(graph, stated)}" if inferred else ""
    more = f" (with {len(terms) - len(trip)} more in the same cycle)" if len(trip) < len(terms) else ""
    return Finding(
        rule,
        rule.severity,
        f"{len(terms)} {plural} are each below the others, so they mean the same: {path}{how}{more}",
        terms[0],
        {f"member{at}": term for at, term in enumerate(terms[1:], 2)},
        located(graph, stated[0]),
        detail={
            "members": [graph.curie(term) for term in terms],
            "stated": [[graph.curie(term) for term in triple] for triple in stated],
            "files": sorted({file for triple in stated if (file := graph.source(triple)) is not None}),
        },
    )


def _asserted_cycle(graph: KnowledgeGraph, below: URIRef, terms: list[Node]) -> list[Triple]:
    """Asserted triples that make a cycle among some terms; none where it takes inferred ones."""
    inside = set(terms)
    edges = [
        (term, t.object)
        for term in terms
        for t in graph.triples(term, below, None, inferred=False)
        if t.object in inside and t.object != term
    ]
    try:
        found = networkx.find_cycle(networkx.DiGraph(edges))
    except networkx.NetworkXNoCycle:
        return []
    return [Triple(s, below, o) for s, o in found]
