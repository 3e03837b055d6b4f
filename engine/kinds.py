"""Kinds: the words for what a thing is and for what a relation joins, as the relations of a graph speak of it."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from rdflib import OWL, RDF, RDFS, XSD, Literal, URIRef
from rdflib.term import Node

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph

__all__ = ["NUMBER", "Ends", "Kinds"]

NUMBER = "number"
"""The kind of a literal."""
_VOCABULARIES = (str(OWL), str(RDFS), str(RDF), str(XSD))
_ANNOTATIONS = (
    "http://www.w3.org/2004/02/skos/core#",
    "http://purl.org/dc/",
    "http://www.w3.org/ns/shacl#",
    "http://xmlns.com/foaf/",
)


class Ends(NamedTuple):
    """What a relation joins: the classes of head and tail where they are known, and the kinds of what stands there."""

    classes: tuple[URIRef | None, URIRef | None]
    kinds: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def has_numbers(self) -> bool:
        """Whether the relation's values are numbers."""
        return self.kinds[1] == (NUMBER,)


class Kinds:
    """The kinds of things and relations of one graph."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        self._kinds: dict[Node, str] = {}
        self._ends: dict[URIRef, Ends] = {}

    @cached_property
    def relations(self) -> tuple[URIRef, ...]:
        """The predicates a text may state: those declared or used, annotations and vocabulary left out; `rdf:type`."""
        graph = self.graph
        found: dict[Node, None] = {}
        for cls in (OWL.ObjectProperty, OWL.DatatypeProperty, RDF.Property):
            found.update(dict.fromkeys(t.subject for t in graph.triples(None, RDF.type, cls)))
        for p in (*graph.relation_ids, *(p for p in graph.predicates() if self._is_value(p))):
            found[graph.dictionary.term(int(p))] = None
        chosen = [p for p in found if isinstance(p, URIRef) and not str(p).startswith((*_VOCABULARIES, *_ANNOTATIONS))]
        has_types = next(graph.triples(None, RDF.type, None), None) is not None
        return (*sorted(chosen), *((RDF.type,) if has_types else ()))

    def of(self, term: Node) -> str:
        """The word for the kind of thing a term is, as the relations speak of it; "class", NUMBER or "thing"."""
        if isinstance(term, Literal):
            return NUMBER
        if term not in self._kinds:
            self._kinds[term] = self._find_kind(term)
        return self._kinds[term]

    def _find_kind(self, term: Node) -> str:
        if self.is_class(term):
            return "class"
        classes = self.types(term)
        spoken = [c for c in classes if self.spoken_of[c]]
        if spoken:
            return self.graph.label(min(spoken, key=lambda c: (-self.spoken_of[c], c)))
        return self.graph.label(min(classes)) if classes else "thing"

    @cached_property
    def spoken_of(self) -> Counter[URIRef]:
        """How many relations name a class as their domain or range."""
        ends = (end for relation in self.relations for end in self.classes(relation))
        return Counter(end for end in ends if end is not None)

    def types(self, term: Node) -> list[URIRef]:
        """The classes of a thing, vocabulary left out."""
        found = (t.object for t in self.graph.triples(term, RDF.type, None))
        return [c for c in found if isinstance(c, URIRef) and not str(c).startswith(_VOCABULARIES)]

    def is_class(self, term: Node) -> bool:
        """Whether a term is declared a class, has a class above it, or has members."""
        graph = self.graph
        return (
            next(graph.triples(term, RDF.type, OWL.Class), None) is not None
            or next(graph.triples(term, RDFS.subClassOf, None), None) is not None
            or next(graph.triples(None, RDF.type, term), None) is not None
        )

    def _is_value(self, p: int) -> bool:
        _, objects = self.graph.pairs(int(p))
        return bool(len(objects)) and isinstance(self.graph.dictionary.term(int(objects[0])), Literal)

    def ends(self, relation: URIRef) -> Ends:
        """What a relation joins, from its domain and range, else from its triples."""
        if relation not in self._ends:
            heads = tuple(sorted({self.graph.label(cls) for cls in self.spoken_of})) or ("thing",)
            kinds = (heads, ("class",)) if relation == RDF.type else (self._end(relation, 0), self._end(relation, 2))
            self._ends[relation] = Ends(self.classes(relation), kinds)
        return self._ends[relation]

    def classes(self, relation: URIRef) -> tuple[URIRef | None, URIRef | None]:
        """The classes of a relation's head and tail; None for numbers, and where nothing tells."""
        return (None, None) if relation == RDF.type else (self._class(relation, 0), self._class(relation, 2))

    def _class(self, relation: URIRef, column: int) -> URIRef | None:
        named = self._declared(relation, RDFS.range if column else RDFS.domain)
        if named is not None:
            return None if str(named).startswith(str(XSD)) else named
        sample = next(self.graph.triples(None, relation, None), None)
        return min(self.types(sample[column]), default=None) if sample else None

    def _end(self, relation: URIRef, column: int) -> tuple[str, ...]:
        """The kinds of what stands at one end: those in a fifth of its triples; where there are none, its class."""
        sample = list(islice(self.graph.triples(None, relation, None), 200))
        declared = str(self._declared(relation, RDFS.range if column else RDFS.domain))
        if declared.startswith(str(XSD)) or (sample and isinstance(sample[0][column], Literal)):
            return (NUMBER,)
        kinds = Counter(self.of(triple[column]) for triple in sample)
        named = self._class(relation, column)
        common = tuple(kind for kind, count in sorted(kinds.items()) if 5 * count >= len(sample))
        return common or ("thing" if named is None else self.graph.label(named),)

    def _declared(self, relation: URIRef, axiom: URIRef) -> URIRef | None:
        """The class a domain or range axiom gives a relation."""
        declared = (t.object for t in self.graph.triples(relation, axiom, None, inferred=False))
        return min((c for c in declared if isinstance(c, URIRef)), default=None)

    def spoken_classes(self, term: Node) -> set[Node]:
        """The classes that relations speak of, among those of a thing, or among a class and those above it."""
        above = (t.object for t in self.graph.triples(term, RDFS.subClassOf, None))
        classes = {term, *above} if self.is_class(term) else set(self.types(term))
        return {cls for cls in classes if cls in self.spoken_of}
