"""What the schema says about its properties: inverses, symmetry, hierarchy; and what a triple thereby says again.

Splits and subgraphs read it so that a triple left out does not come back under another name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rdflib import OWL, RDF, RDFS
from rdflib.term import URIRef

from kg.graph import KnowledgeGraph

__all__ = ["PropertyAxioms"]


@dataclass(frozen=True)
class PropertyAxioms:
    """Axioms about properties, by predicate id.

    Attributes:
        inverse: each property's declared inverse, both ways round; a symmetric property is its own inverse.
        symmetric: properties declared symmetric.
        parents: the properties that a property is declared a subproperty of, or equivalent to.
    """

    inverse: Mapping[int, frozenset[int]] = field(default_factory=dict)
    symmetric: frozenset[int] = frozenset()
    parents: Mapping[int, frozenset[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: KnowledgeGraph) -> PropertyAxioms:
        """The axioms in a graph, asserted and inferred."""
        inverse: dict[int, set[int]] = {}
        parents: dict[int, set[int]] = {}
        for one, other in _pairs(graph, OWL.inverseOf):
            inverse.setdefault(one, set()).add(other)
            inverse.setdefault(other, set()).add(one)
        type_id, symmetric_id = graph.dictionary.find(RDF.type), graph.dictionary.find(OWL.SymmetricProperty)
        symmetric: set[int] = set()
        if type_id is not None and symmetric_id is not None:
            subjects, types = graph.pairs(type_id)
            symmetric = set(subjects[types == symmetric_id].tolist())
        for p in symmetric:
            inverse.setdefault(p, set()).add(p)
        for child, parent in _pairs(graph, RDFS.subPropertyOf):
            parents.setdefault(child, set()).add(parent)
        for one, other in _pairs(graph, OWL.equivalentProperty):
            parents.setdefault(one, set()).add(other)
            parents.setdefault(other, set()).add(one)
        return cls(_frozen(inverse), frozenset(symmetric), _frozen(parents))

    def restatements(self, head: int, relation: int, tail: int) -> frozenset[tuple[int, int, int]]:
        """The triples on the same two terms that follow from a triple by these axioms, itself included."""
        found: set[tuple[int, bool]] = set()
        todo = [(relation, False)]
        while todo:
            p, turned = todo.pop()
            if (p, turned) in found:
                continue
            found.add((p, turned))
            todo += [(parent, turned) for parent in self.parents.get(p, ())]
            todo += [(other, not turned) for other in self.inverse.get(p, ())]
        return frozenset((tail, p, head) if turned else (head, p, tail) for p, turned in found)


def _pairs(graph: KnowledgeGraph, predicate: URIRef) -> list[tuple[int, int]]:
    p = graph.dictionary.find(predicate)
    if p is None:
        return []
    subjects, objects = graph.pairs(p)
    return list(zip(subjects.tolist(), objects.tolist(), strict=True))


def _frozen(sets: dict[int, set[int]]) -> dict[int, frozenset[int]]:
    return {key: frozenset(values) for key, values in sets.items()}
