"""Which terms of a graph a text can name, and by which words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rdflib import OWL, RDF, RDFS, SKOS
from rdflib.term import Node

from kg.dictionary import IRI, LITERAL
from kg.graph import LABEL_PREDICATES, KnowledgeGraph
from kg.normalise import fold, words
from kg.terms import local_name, split_camel

__all__ = ["nameable_labels", "predicate_words"]

_VOCABULARIES = tuple(
    f"<{namespace}"
    for namespace in (
        str(RDF),
        str(RDFS),
        str(OWL),
        str(SKOS),
        "http://www.w3.org/2001/XMLSchema#",
        "http://www.w3.org/ns/shacl#",
    )
)
# Instances of these are no entities: predicates, and the description of the file itself.
_UNNAMED_TYPES = (
    RDF.Property,
    OWL.ObjectProperty,
    OWL.DatatypeProperty,
    OWL.AnnotationProperty,
    OWL.FunctionalProperty,
    OWL.InverseFunctionalProperty,
    OWL.SymmetricProperty,
    OWL.TransitiveProperty,
    OWL.Ontology,
)


def nameable_labels(graph: KnowledgeGraph) -> Iterator[tuple[int, str]]:
    """Term id and label, for each label of each entity and class; a term without one gives its local name's words.

    Predicates, vocabulary terms (`owl:Class`), ontologies and blank nodes without a label are left out.
    """
    labels = _labels(graph)
    kinds = graph.dictionary.kinds
    for term in _nameable(graph, labels):
        if term in labels:
            yield from ((term, label) for label in labels[term])
        elif kinds[term] == IRI:
            yield term, split_camel(local_name(graph.dictionary.key(term)[1:-1]))


def predicate_words(graph: KnowledgeGraph) -> frozenset[str]:
    """The folded words of all predicates' labels and phrase templates: words of relations, not of names."""
    labels = _labels(graph)
    found: set[str] = set()
    for p in _predicates(graph):
        for label in labels.get(p, ()):
            found.update(fold(word.text) for word in words(label.replace("{s}", " ").replace("{o}", " ")))
    return frozenset(found)


def _predicates(graph: KnowledgeGraph) -> set[int]:
    return set(graph.predicates()) | _instances(graph, _UNNAMED_TYPES)


def _instances(graph: KnowledgeGraph, classes: tuple[Node, ...]) -> set[int]:
    type_id = graph.dictionary.find(RDF.type)
    if type_id is None:
        return set()
    subjects, types = graph.pairs(type_id)
    wanted = [id for id in (graph.dictionary.find(c) for c in classes) if id is not None]
    return set(subjects[np.isin(types, wanted)].tolist())


def _nameable(graph: KnowledgeGraph, labels: dict[int, list[str]]) -> list[int]:
    """Subjects of any asserted triple, and the ends of relations, types and the class hierarchy; ascending."""
    subjects, _, _ = graph.asserted.arrays()
    sub_class = graph.dictionary.find(RDFS.subClassOf)
    ends = [subjects, graph.entity_triples(inferred=True)[:, [0, 2]].ravel()]
    if sub_class is not None:
        ends += graph.pairs(sub_class)
    kinds, skip = graph.dictionary.kinds, _predicates(graph)
    return [
        term
        for term in np.unique(np.concatenate(ends)).tolist()
        if term not in skip
        and kinds[term] != LITERAL
        and (kinds[term] == IRI or term in labels)
        and not graph.dictionary.key(term).startswith(_VOCABULARIES)
    ]


def _labels(graph: KnowledgeGraph) -> dict[int, list[str]]:
    """All labels by term id, `skos:hiddenLabel` (for search only: misspellings, codes) last."""
    kinds = graph.dictionary.kinds
    found: dict[int, dict[str, None]] = {}
    for predicate in (*LABEL_PREDICATES, SKOS.hiddenLabel):
        p = graph.dictionary.find(predicate)
        if p is None:
            continue
        subjects, objects = graph.pairs(p)
        for s, o in zip(subjects.tolist(), objects.tolist(), strict=True):
            if kinds[o] == LITERAL:
                key = graph.dictionary.key(o)
                found.setdefault(s, {})[key[1 : key.rindex('"')]] = None
    return {term: list(names) for term, names in found.items()}
