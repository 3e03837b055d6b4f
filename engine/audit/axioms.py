"""The axioms of a schema: what a graph states about its classes and properties."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rdflib import OWL, RDF, RDFS, XSD, BNode, URIRef
from rdflib.term import Node

from engine.symbolic.rules import Location
from kg.graph import KnowledgeGraph
from kg.terms import Triple, is_list_cell
from kg.verbalise import verbalise

__all__ = [
    "CHARACTERISTICS",
    "CLASS_KINDS",
    "PROPERTY_KINDS",
    "RELATIONS",
    "axioms",
    "expression",
    "list_of",
    "located",
    "members",
    "named",
    "told",
]

RELATIONS = (
    *(RDFS.subClassOf, RDFS.subPropertyOf, OWL.equivalentClass, OWL.equivalentProperty, RDFS.domain, RDFS.range),
    *(OWL.disjointWith, OWL.propertyDisjointWith, OWL.complementOf, OWL.inverseOf),
)
"""Predicates of the axioms that are one triple."""
CHARACTERISTICS = (
    *(OWL.FunctionalProperty, OWL.InverseFunctionalProperty, OWL.TransitiveProperty, OWL.SymmetricProperty),
    *(OWL.AsymmetricProperty, OWL.ReflexiveProperty, OWL.IrreflexiveProperty),
)
"""Classes of properties that are axioms when a property is said to be in them."""
CLASS_KINDS = (OWL.Class, RDFS.Class, RDFS.Datatype, OWL.DeprecatedClass, OWL.DataRange)
"""Classes whose members are classes and datatypes."""
PROPERTY_KINDS = (
    *(RDF.Property, OWL.ObjectProperty, OWL.DatatypeProperty, OWL.AnnotationProperty, OWL.OntologyProperty),
    *(OWL.DeprecatedProperty, RDFS.ContainerMembershipProperty, *CHARACTERISTICS),
)
"""Classes whose members are properties."""
_VOCABULARY = (str(OWL), str(RDFS), str(RDF), str(XSD))


def named(term: Node) -> bool:
    """Whether a term is an IRI outside the vocabularies RDF, RDFS, OWL and XSD."""
    return isinstance(term, URIRef) and not str(term).startswith(_VOCABULARY)


def axioms(graph: KnowledgeGraph) -> Iterator[Triple]:
    """The asserted axioms about terms that have a name, those of one predicate together.

    The triples that class expressions and lists are made of are no axioms of their own.
    """
    for relation in RELATIONS:
        yield from (t for t in graph.triples(None, relation, None, inferred=False) if named(t.subject))
    for kind in CHARACTERISTICS:
        yield from (t for t in graph.triples(None, RDF.type, kind, inferred=False) if named(t.subject))


def members(graph: KnowledgeGraph, kinds: Sequence[URIRef]) -> dict[URIRef, None]:
    """The named members of some classes, stated or inferred."""
    found = (t.subject for kind in kinds for t in graph.triples(None, RDF.type, kind))
    return {term: None for term in found if isinstance(term, URIRef) and named(term)}


def located(graph: KnowledgeGraph, triple: Sequence[Node]) -> Location | None:
    """The file that states a triple; its first line stands for the file, as no line is known of a triple."""
    file = graph.source(triple)
    return None if file is None else Location(file, 0)


def told(graph: KnowledgeGraph, triples: Sequence[Triple], most: int = 5) -> str:
    """Axioms in words, joined. A class expression is told as a whole, so its own triples and lists are left out."""
    texts = []
    for triple in triples:
        if not is_list_cell(triple) and not isinstance(triple.subject, BNode):
            text = verbalise(graph, triple)
            if isinstance(triple.object, BNode):
                text = text.replace(graph.label(triple.object), expression(graph, triple.object))
            texts.append(text)
    more = len(texts) - most
    return "; ".join(texts[:most]) + (f"; and {more} more" if more > 0 else "")


_DEPTH, _MEMBERS = 3, 20
_JOINED = {OWL.intersectionOf: " and ", OWL.unionOf: " or ", OWL.oneOf: ", "}
_FILLED = {
    OWL.someValuesFrom: "some",
    OWL.allValuesFrom: "only",
    OWL.hasValue: "value",
    OWL.cardinality: "exactly",
    OWL.minCardinality: "min",
    OWL.maxCardinality: "max",
    OWL.qualifiedCardinality: "exactly",
    OWL.minQualifiedCardinality: "min",
    OWL.maxQualifiedCardinality: "max",
}
"""The words of OWL 2's Manchester syntax."""


def expression(graph: KnowledgeGraph, term: Node, depth: int = _DEPTH) -> str:
    """A class expression in the words of the Manchester syntax, with labels; three levels deep."""
    if not isinstance(term, BNode):
        return graph.label(term)
    if not depth:
        return "…"
    said = {t.predicate: t.object for t in graph.triples(term, None, None, inferred=False)}
    for predicate, word in _JOINED.items():
        if predicate in said:
            found = list_of(graph, said[predicate], _MEMBERS)
            parts = ["…"] if found is None else [expression(graph, each, depth - 1) for each in found[0]]
            return f"{{{word.join(parts)}}}" if predicate == OWL.oneOf else f"({word.join(parts)})"
    if OWL.complementOf in said:
        return f"not {expression(graph, said[OWL.complementOf], depth - 1)}"
    for predicate, word in _FILLED.items():
        if OWL.onProperty in said and predicate in said:
            parts = [expression(graph, said[OWL.onProperty], depth - 1), word]
            fillers = (said[each] for each in (predicate, OWL.onClass, OWL.onDataRange) if each in said)
            return " ".join([*parts, *(expression(graph, each, depth - 1) for each in fillers)])
    return "a class without a name"


def list_of(graph: KnowledgeGraph, cell: Node, most: int) -> tuple[tuple[Node, ...], tuple[Triple, ...]] | None:
    """The members of an asserted list and the triples of its cells; None where it is malformed, or longer than most."""
    members: list[Node] = []
    cells: list[Triple] = []
    while cell != RDF.nil:
        first = list(graph.triples(cell, RDF.first, None, inferred=False))
        rest = list(graph.triples(cell, RDF.rest, None, inferred=False))
        if len(first) != 1 or len(rest) != 1 or len(members) == most:
            return None
        members.append(first[0].object)
        cells += [*first, *rest]
        cell = rest[0].object
    return tuple(members), tuple(cells)
