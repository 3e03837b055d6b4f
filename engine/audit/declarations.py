"""Terms that are used as class or property and not declared, and terms without a label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from rdflib import OWL, RDF, RDFS, URIRef
from rdflib.term import Node

from engine.audit.axioms import CLASS_KINDS, PROPERTY_KINDS, located, members, named
from engine.audit.finding import AuditRule, Finding, Kind
from engine.audit.nearest import nearest
from engine.symbolic import Closure, Severity
from engine.symbolic.rules import Location
from kg.graph import KnowledgeGraph
from kg.terms import Triple, local_name

__all__ = ["MISSING_LABEL", "UNDECLARED_CLASS", "UNDECLARED_PROPERTY", "undeclared", "unlabelled"]

UNDECLARED_CLASS = AuditRule(
    "class-undeclared",
    Kind.SCHEMA,
    Severity.WARNING,
    "What is used as a class is declared as one, where other terms of its namespace are declared.",
)
UNDECLARED_PROPERTY = AuditRule(
    "property-undeclared",
    Kind.SCHEMA,
    Severity.WARNING,
    "What is used as a property is declared as one, where other terms of its namespace are declared.",
)
MISSING_LABEL = AuditRule(
    "label-missing", Kind.SCHEMA, Severity.INFO, "A term has a label, where most terms of its kind have one."
)
_MOST = 0.5
"""Share of labelled terms of a kind above which a missing label is told."""
_LEAST = 3
"""Terms of a kind below which there is no "most"."""
_INDIVIDUALS = 500_000
"""Individuals up to which labels are looked for, some microseconds each."""

# In which positions of which triples a class and a property stand.
_CLASS_SUBJECTS = (RDFS.subClassOf, OWL.equivalentClass, OWL.disjointWith)
_CLASS_OBJECTS = (
    *(*_CLASS_SUBJECTS, RDFS.domain, RDFS.range, OWL.someValuesFrom, OWL.allValuesFrom),
    *(OWL.onClass, OWL.complementOf),
)
_PROPERTY_SUBJECTS = (
    *(RDFS.subPropertyOf, OWL.equivalentProperty, OWL.propertyDisjointWith, OWL.inverseOf),
    *(RDFS.domain, RDFS.range),
)
_PROPERTY_OBJECTS = (
    *(RDFS.subPropertyOf, OWL.equivalentProperty, OWL.propertyDisjointWith, OWL.inverseOf),
    OWL.onProperty,
)


@dataclass
class _Use:
    """How a term is used: how often, and one triple that uses it."""

    example: Triple
    count: int


class _Uses:
    """The classes and properties that the asserted triples of a graph use."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph

    @cached_property
    def classes(self) -> Mapping[URIRef, _Use]:
        """By class; membership counts, and every axiom that names it."""
        return self._positions(_CLASS_SUBJECTS, (RDF.type, *_CLASS_OBJECTS))

    @cached_property
    def properties(self) -> Mapping[URIRef, _Use]:
        """By property; each triple that has it as predicate counts, and every axiom that names it."""
        found = dict(self._positions(_PROPERTY_SUBJECTS, _PROPERTY_OBJECTS))
        for id in self.graph.asserted.predicates():
            term = self.graph.dictionary.term(id)
            if isinstance(term, URIRef) and named(term):
                s, o = self.graph.asserted.pairs(id)
                use = found.setdefault(term, _Use(self.graph.decode(int(s[0]), id, int(o[0])), 0))
                use.count += len(s)
        return found

    def _positions(self, subjects: tuple[URIRef, ...], objects: tuple[URIRef, ...]) -> Mapping[URIRef, _Use]:
        found: dict[URIRef, _Use] = {}
        for place, predicates in ((0, subjects), (1, objects)):
            for predicate in predicates:
                id = self.graph.dictionary.find(predicate)
                if id is None:
                    continue
                pairs = self.graph.asserted.pairs(id)
                ids, first, counts = np.unique(pairs[place], return_index=True, return_counts=True)
                for at, row, count in zip(ids.tolist(), first.tolist(), counts.tolist(), strict=True):
                    term = self.graph.dictionary.term(at)
                    if isinstance(term, URIRef) and named(term):
                        example = self.graph.decode(int(pairs[0][row]), id, int(pairs[1][row]))
                        found.setdefault(term, _Use(example, 0)).count += count
        return found


def undeclared(closure: Closure) -> Iterator[Finding]:
    """A finding for each class and property that is used and not declared, with the nearest declared one.

    A term of a namespace of which nothing is declared is left alone, and so is one of an ontology that is imported
    (owl:imports) and not there: its vocabulary was not loaded.
    """
    graph, uses = closure.graph, _Uses(closure.graph)
    declared = {"class": members(graph, CLASS_KINDS), "property": members(graph, PROPERTY_KINDS)}
    ontologies = members(graph, (OWL.Ontology,))
    imported = (t.object for t in graph.triples(None, OWL.imports, None, inferred=False))
    missing = {str(iri).rstrip("/#") for iri in imported if iri not in ontologies}
    spaces = {_namespace(term) for terms in declared.values() for term in terms}
    spaces = {space for space in spaces if space.rstrip("/#") not in missing}
    for rule, word, used in (
        (UNDECLARED_CLASS, "class", uses.classes),
        (UNDECLARED_PROPERTY, "property", uses.properties),
    ):
        for term, use in used.items():
            if term in declared[word] or term in ontologies or _namespace(term) not in spaces:
                continue
            near = nearest(term, declared[word])
            other = "property" if word == "class" else "class"
            text = f"{graph.curie(term)} is used as a {word} and not declared"
            text += f" as one, but as a {other}" if term in declared[other] else ""
            text += "" if near is None else f"; the nearest {word} that is declared is {graph.curie(near)}"
            times = f"{use.count} triples use it" if use.count > 1 else "one triple uses it"
            yield Finding(
                rule,
                rule.severity,
                f"{text} ({times})",
                term,
                location=located(graph, use.example),
                detail={
                    "nearest": None if near is None else graph.curie(near),
                    "uses": use.count,
                    "example": [graph.curie(part) for part in use.example],
                },
            )


def unlabelled(closure: Closure) -> Iterator[Finding | str]:
    """A finding for each class, property and individual without a label where most of its kind have one.

    Terms that are deprecated (owl:deprecated) are left alone.
    """
    graph = closure.graph
    classes, properties = members(graph, CLASS_KINDS), members(graph, PROPERTY_KINDS)
    individuals = _individuals(graph)
    deprecated = {t.subject for t in graph.triples(None, OWL.deprecated, None, inferred=False)}
    if len(individuals) > _INDIVIDUALS:
        yield f"of {len(individuals)} individuals, the first {_INDIVIDUALS} were looked at for labels"
    kinds: dict[str, list[Node]] = {"class": list(classes), "property": list(properties)}
    terms = [graph.dictionary.term(id) for id in individuals[:_INDIVIDUALS].tolist()]
    kinds["individual"] = [t for t in terms if named(t) and t not in classes and t not in properties]
    for word, of_kind in kinds.items():
        of_kind = [term for term in of_kind if term not in deprecated]
        without = [term for term in of_kind if not graph.labels(term)]
        if len(of_kind) < _LEAST or len(without) >= len(of_kind) * (1 - _MOST):
            continue
        labelled = len(of_kind) - len(without)
        for term in without:
            yield Finding(
                MISSING_LABEL,
                MISSING_LABEL.severity,
                f"The {word} {graph.curie(term)} has no label, as {labelled} of {len(of_kind)} have",
                term,
                location=_stated(graph, term),
                detail={"kind": word},
            )


def _individuals(graph: KnowledgeGraph) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """The ids of what is in a class that is not of the vocabularies, ascending."""
    type_id = graph.dictionary.find(RDF.type)
    if type_id is None:
        return np.empty(0, dtype=np.int32)
    s, classes = graph.asserted.pairs(type_id)
    domain = [id for id in np.unique(classes).tolist() if named(graph.dictionary.term(id))]
    return np.unique(s[np.isin(classes, domain)])


def _stated(graph: KnowledgeGraph, term: Node) -> Location | None:
    first = next(graph.triples(term, RDF.type, None, inferred=False), None)
    return None if first is None else located(graph, first)


def _namespace(term: URIRef) -> str:
    return term[: len(term) - len(local_name(term))]
