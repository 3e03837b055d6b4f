"""`PropertyEnds`: what a schema asks of the two ends of a relation, with everything a triple of it says besides.

A triple restates itself by superproperties, inverses and symmetry; what is asked of any of these is asked of it. Such
a restatement is a property and whether head and tail change places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from rdflib import OWL, RDF, RDFS, URIRef

from engine.prediction.memberships import list_members, pairs_of
from engine.prediction.rejection import Kind
from kg.graph import KnowledgeGraph
from kg.property_axioms import PropertyAxioms

__all__ = ["Asked", "Axiom", "PropertyEnds", "Values"]

Axiom = tuple[int, int, int]
_HEAD, _TAIL = -1, -2
_CHARACTERS = {
    OWL.FunctionalProperty: Kind.FUNCTIONAL,
    OWL.InverseFunctionalProperty: Kind.INVERSE_FUNCTIONAL,
    OWL.AsymmetricProperty: Kind.ASYMMETRIC,
    OWL.IrreflexiveProperty: Kind.IRREFLEXIVE,
}


@dataclass(frozen=True)
class Asked:
    """One thing that the schema asks of the triples of a relation.

    Args:
        kind: `DOMAIN`, `RANGE` or what it asks of both ends.
        axiom: the triple that does, as ids.
        property: that the axiom is about. turned: whether the relation's head is that property's object.
        other: the class of a domain or range, the property of `DISJOINT_PROPERTY`; else -1.
    """

    kind: Kind
    axiom: Axiom
    property: int
    turned: bool
    other: int = -1


class PropertyEnds:
    """What the schema of a graph asks of the triples of each relation."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        self._axioms = PropertyAxioms.of(graph)
        self._by_property = _asked_by_property(graph)
        self._known: dict[int, tuple[Asked, ...]] = {}
        self._values: dict[tuple[int, bool], Values] = {}

    def asked(self, relation: int) -> tuple[Asked, ...]:
        """Everything asked of a relation's triples, what is asserted of the relation itself first."""
        if relation not in self._known:
            restated = self._axioms.restatements(_HEAD, relation, _TAIL)
            ways = sorted(((p, head == _TAIL) for head, p, _ in restated), key=lambda way: (way[0] != relation, way))
            found = [
                Asked(kind, axiom, p, turned, other)
                for p, turned in ways
                for kind, axiom, other in self._by_property.get(p, ())
            ]
            self._known[relation] = tuple(found)
        return self._known[relation]

    def classes(self, relation: int, *, tails: bool) -> list[Asked]:
        """The domains and ranges that tails (or heads) of a relation have to be in."""
        return [
            each
            for each in self.asked(relation)
            if each.kind in (Kind.DOMAIN, Kind.RANGE) and (each.kind is Kind.RANGE) == (tails != each.turned)
        ]

    def values(self, property: int, *, by_subject: bool) -> Values:
        """The known triples of a property, by subject or by object."""
        at = property, by_subject
        if at not in self._values:
            subjects, objects = self.graph.pairs(property)
            self._values[at] = Values(*((subjects, objects) if by_subject else (objects, subjects)))
        return self._values[at]


class Values:
    """The values of many keys at once, as columns sorted by key."""

    def __init__(self, keys: NDArray[np.int32], values: NDArray[np.int32]) -> None:
        order = np.argsort(keys, kind="stable")
        self.keys, self.values = keys[order], values[order]

    def of(self, wanted: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """(position in `wanted`, value) of every value of every key; shape (num_values,) each."""
        low, high = (np.searchsorted(self.keys, wanted.astype(np.int32), side) for side in ("left", "right"))
        count = high - low
        position = np.repeat(np.arange(len(wanted)), count)
        within = np.arange(len(position)) - np.repeat(np.cumsum(count) - count, count)
        return position, self.values[low[position] + within]


def _asked_by_property(graph: KnowledgeGraph) -> Mapping[int, list[tuple[Kind, Axiom, int]]]:
    found: dict[int, list[tuple[Kind, Axiom, int]]] = {}
    for kind, axiom, property, other in _axioms_of(graph):
        found.setdefault(property, []).append((kind, axiom, other))
    return found


def _axioms_of(graph: KnowledgeGraph) -> Iterator[tuple[Kind, Axiom, int, int]]:
    """(kind, axiom, property, other) of each axiom."""
    find = graph.dictionary.find
    for predicate, kind in ((RDFS.domain, Kind.DOMAIN), (RDFS.range, Kind.RANGE)):
        for property, p, cls in _triples(graph, predicate):
            yield kind, (property, p, cls), property, cls
    characters = {find(term): kind for term, kind in _CHARACTERS.items()}
    lists = set()
    for subject, p, cls in _triples(graph, RDF.type):
        if cls in characters:
            yield characters[cls], (subject, p, cls), subject, -1
        elif cls == find(OWL.AllDisjointProperties):
            lists.add(subject)
    for one, p, other in _triples(graph, OWL.propertyDisjointWith):
        yield Kind.DISJOINT_PROPERTY, (one, p, other), one, other
        yield Kind.DISJOINT_PROPERTY, (one, p, other), other, one
    for subject, p, start in _triples(graph, OWL.members):
        if subject in lists:
            for one, other in permutations(list_members(graph, start), 2):
                yield Kind.DISJOINT_PROPERTY, (subject, p, start), one, other


def _triples(graph: KnowledgeGraph, predicate: URIRef) -> Iterator[tuple[int, int, int]]:
    p = graph.dictionary.find(predicate)
    if p is not None:
        for s, o in zip(*pairs_of(graph, predicate), strict=True):
            yield int(s), p, int(o)
