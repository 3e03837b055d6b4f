"""The comprehension principles: the class expressions a conclusion speaks of exist (OWL 2 RDF-Based Semantics, 8).

A conclusion may say that something is in an unnamed class, such as the complement of a named one. That the class exists
is no consequence of any triple; these principles grant it. So the definitions in a conclusion, each blank node that
stands for one class expression, may be added to a premise. What is said of such a class beyond its definition is still
to be derived.
"""

from __future__ import annotations

from collections.abc import Iterator

from rdflib import OWL, RDF, RDFS, BNode
from rdflib.term import Node

from kg.graph import KnowledgeGraph
from kg.terms import Triple

__all__ = ["class_expressions"]

_BOOLEAN = frozenset((OWL.complementOf, OWL.intersectionOf, OWL.unionOf, OWL.oneOf))
_QUALIFIED = frozenset((OWL.minQualifiedCardinality, OWL.maxQualifiedCardinality, OWL.qualifiedCardinality))
_RESTRICTION = _QUALIFIED | {
    *(OWL.someValuesFrom, OWL.allValuesFrom, OWL.hasValue, OWL.hasSelf),
    *(OWL.minCardinality, OWL.maxCardinality, OWL.cardinality),
}
_FILLERS = frozenset((OWL.onClass, OWL.onDataRange))
_CLASSES = frozenset((OWL.Class, OWL.Restriction, RDFS.Class, RDFS.Datatype))


def class_expressions(conclusion: KnowledgeGraph) -> list[Triple]:
    """The definitions of the class expressions in a graph, their blank nodes under new labels.

    Left out are blank nodes with none or two definitions, and those that are part of their own.
    """
    reader = _Reader(conclusion)
    found = dict.fromkeys(triple for blank in reader.subjects for triple in reader.definition(blank) or ())
    return [Triple(_renamed(t.subject), t.predicate, _renamed(t.object)) for t in found]


def _renamed(term: Node) -> Node:
    return BNode(f"comprehension-{term}") if isinstance(term, BNode) else term


class _Reader:
    """The triples of a graph by the blank node that is their subject."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.subjects: dict[Node, list[Triple]] = {}
        for triple in graph.triples():
            if isinstance(triple.subject, BNode):
                self.subjects.setdefault(triple.subject, []).append(triple)

    def definition(self, blank: Node, inside: frozenset[Node] = frozenset()) -> list[Triple] | None:
        """The triples that define a class expression, those of its parts included; None where it has no definition."""
        if blank in inside or len(inside) > 100:
            return None
        own = list(self._own(blank))
        if not own or not (self._is_cell(own) if any(t.predicate == RDF.first for t in own) else self._is_class(own)):
            return None
        found = own
        for part in [t.object for t in own if isinstance(t.object, BNode)]:
            of_part = self.definition(part, inside | {blank})
            if of_part is None:
                return None
            found = [*found, *of_part]
        return found

    def _own(self, blank: Node) -> Iterator[Triple]:
        cell = {RDF.first, RDF.rest}
        for triple in self.subjects.get(blank, ()):
            defines = triple.predicate in _BOOLEAN | _RESTRICTION | _FILLERS | {OWL.onProperty} | cell
            if defines or (triple.predicate == RDF.type and triple.object in _CLASSES | {RDF.List}):
                yield triple

    def _is_cell(self, own: list[Triple]) -> bool:
        predicates = [t.predicate for t in own if t.predicate != RDF.type]
        return len(predicates) == 2 and set(predicates) == {RDF.first, RDF.rest}

    def _is_class(self, own: list[Triple]) -> bool:
        predicates = [t.predicate for t in own if t.predicate != RDF.type]
        boolean = [p for p in predicates if p in _BOOLEAN]
        if boolean:
            return len(predicates) == 1
        restriction = [p for p in predicates if p in _RESTRICTION]
        fillers = [p for p in predicates if p in _FILLERS]
        wanted = 1 if restriction and restriction[0] in _QUALIFIED else 0
        return len(restriction) == 1 and len(fillers) == wanted and predicates.count(OWL.onProperty) == 1
