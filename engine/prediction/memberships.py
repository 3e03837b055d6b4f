"""`Memberships`: which terms are known members of a class, and which cannot be, as bitmaps over a graph's terms.

Read from the types and class axioms of a closure: asserted and inferred, so members of subclasses are members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdflib import OWL, RDF, RDFS, URIRef

from kg.graph import KnowledgeGraph

__all__ = ["Memberships", "Rival", "list_members", "pairs_of"]

Bitmap = NDArray[np.bool_]
_SAY_NOTHING = (OWL.Thing, RDFS.Resource, OWL.NamedIndividual)


class Rival(NamedTuple):
    """A class that excludes another one, and the axiom that says so, as ids."""

    other: int
    axiom: tuple[int, int, int]


class Memberships:
    """Known classes of the terms of a graph. Bitmaps have shape (num_terms,) and are not to be written to.

    Args:
        graph: of a closure, so that what follows of types and subclasses is there; the class hierarchy is closed here
            once more, for closures without those rules.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph, self.size = graph, len(graph.dictionary)
        self._terms, self._classes = pairs_of(graph, RDF.type)
        self._members: dict[int, Bitmap] = {}
        self._excluded: dict[int, Bitmap] = {}
        self._order = np.argsort(self._terms, kind="stable")
        self._sorted = self._terms[self._order]

    def says_nothing(self, cls: int) -> bool:
        """Whether everything is in a class by its definition."""
        return cls in self._empty_types

    def types(self, term: int) -> NDArray[np.int32]:
        """Classes that a term is said or inferred to be in; shape (num_types,)."""
        low, high = np.searchsorted(self._sorted, [term, term + 1])
        return self._classes[self._order[low:high]]

    @cached_property
    def typed(self) -> Bitmap:
        """Terms that have a type that says something; classes count as typed, as they are not what they hold."""
        found = np.zeros(self.size, dtype=bool)
        found[self._terms[~np.isin(self._classes, list(self._empty_types))]] = True
        found[self._classes] = True
        for ids in pairs_of(self.graph, RDFS.subClassOf):
            found[ids] = True
        return found

    def below(self, cls: int) -> set[int]:
        """A class and its subclasses."""
        return _reach(self._below, cls)

    def members(self, cls: int) -> Bitmap:
        """Terms known to be in a class or one of its subclasses."""
        if cls not in self._members:
            found = np.zeros(self.size, dtype=bool)
            found[self._terms[np.isin(self._classes, list(self.below(cls)))]] = True
            self._members[cls] = found
        return self._members[cls]

    def rivals(self, cls: int) -> list[Rival]:
        """The classes that exclude a class, or a superclass of it."""
        return [rival for above in sorted(_reach(self._above, cls)) for rival in self._disjoint.get(above, ())]

    def excluded(self, cls: int) -> Bitmap:
        """Terms known to be in a class that excludes this one."""
        if cls not in self._excluded:
            found = np.zeros(self.size, dtype=bool)
            for rival in self.rivals(cls):
                found |= self.members(rival.other)
            self._excluded[cls] = found
        return self._excluded[cls]

    def different(self, term: int) -> Bitmap:
        """Terms known to differ from a term: said to, or in classes that exclude each other."""
        found = np.zeros(self.size, dtype=bool)
        found[list(self._unlike.get(term, ()))] = True
        if self._disjoint:
            for cls in self.types(term).tolist():
                found |= self.excluded(cls)
        return found

    def same(self, term: int) -> Bitmap:
        """The term itself and those that are the same by `owl:sameAs`."""
        found = np.zeros(self.size, dtype=bool)
        found[list(_reach(self._alike, term))] = True
        return found

    @property
    def tells_apart(self) -> bool:
        """Whether anything of the graph can say that two terms differ."""
        return bool(self._disjoint or self._unlike)

    @cached_property
    def _empty_types(self) -> frozenset[int]:
        return frozenset(id for term in _SAY_NOTHING if (id := self.graph.dictionary.find(term)) is not None)

    @cached_property
    def _above(self) -> Mapping[int, set[int]]:
        above: dict[int, set[int]] = {}
        for child, parent in _each(self.graph, RDFS.subClassOf):
            above.setdefault(child, set()).add(parent)
        for one, other in _each(self.graph, OWL.equivalentClass):
            above.setdefault(one, set()).add(other)
            above.setdefault(other, set()).add(one)
        for cls, start in _each(self.graph, OWL.unionOf):
            for part in list_members(self.graph, start):
                above.setdefault(part, set()).add(cls)
        for cls, start in _each(self.graph, OWL.intersectionOf):
            above.setdefault(cls, set()).update(list_members(self.graph, start))
        return above

    @cached_property
    def _below(self) -> Mapping[int, set[int]]:
        below: dict[int, set[int]] = {}
        for child, parents in self._above.items():
            for parent in parents:
                below.setdefault(parent, set()).add(child)
        return below

    @cached_property
    def _disjoint(self) -> Mapping[int, list[Rival]]:
        found: dict[int, list[Rival]] = {}
        for predicate in (OWL.disjointWith, OWL.complementOf):
            p = self.graph.dictionary.find(predicate)
            for one, other in _each(self.graph, predicate):
                assert p is not None
                found.setdefault(one, []).append(Rival(other, (one, p, other)))
                found.setdefault(other, []).append(Rival(one, (one, p, other)))
        for axiom, members in _groups(self.graph, OWL.AllDisjointClasses, (OWL.members,)):
            for one, other in permutations(members, 2):
                found.setdefault(one, []).append(Rival(other, axiom))
        return found

    @cached_property
    def _unlike(self) -> Mapping[int, set[int]]:
        found = _both_ways(self.graph, OWL.differentFrom)
        for _, members in _groups(self.graph, OWL.AllDifferent, (OWL.members, OWL.distinctMembers)):
            for one, other in permutations(members, 2):
                found.setdefault(one, set()).add(other)
        return found

    @cached_property
    def _alike(self) -> Mapping[int, set[int]]:
        return _both_ways(self.graph, OWL.sameAs)


def pairs_of(graph: KnowledgeGraph, predicate: URIRef) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Subjects and objects of a predicate, asserted and inferred; shape (num_pairs,) each."""
    p = graph.dictionary.find(predicate)
    return graph.pairs(-1 if p is None else p)


def list_members(graph: KnowledgeGraph, start: int) -> list[int]:
    """What an RDF list has, as ids; a list that runs in a circle ends where it started."""
    first, rest = (graph.dictionary.find(term) for term in (RDF.first, RDF.rest))
    members: list[int] = []
    seen: set[int] = set()
    at: int | None = start
    while first is not None and rest is not None and at is not None and at not in seen:
        seen.add(at)
        members += graph.asserted.objects(at, first)[:1].tolist()
        at = next(iter(graph.asserted.objects(at, rest).tolist()), None)
    return members


def _groups(
    graph: KnowledgeGraph, kind: URIRef, predicates: tuple[URIRef, ...]
) -> Iterator[tuple[tuple[int, int, int], list[int]]]:
    """The axioms of a kind with a list of members: the triple that names the list, and the members."""
    subjects, kinds = pairs_of(graph, RDF.type)
    wanted = graph.dictionary.find(kind)
    declared = set(subjects[kinds == wanted].tolist()) if wanted is not None else set()
    for predicate in predicates:
        p = graph.dictionary.find(predicate)
        for subject, start in _each(graph, predicate):
            if subject in declared:
                assert p is not None
                yield (subject, p, start), list_members(graph, start)


def _each(graph: KnowledgeGraph, predicate: URIRef) -> Iterator[tuple[int, int]]:
    subjects, objects = pairs_of(graph, predicate)
    return zip(subjects.tolist(), objects.tolist(), strict=True)


def _both_ways(graph: KnowledgeGraph, predicate: URIRef) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for one, other in _each(graph, predicate):
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return found


def _reach(steps: Mapping[int, set[int]], start: int) -> set[int]:
    """Everything that can be reached from a start, which is reached itself."""
    found, todo = {start}, [start]
    while todo:
        for other in steps.get(todo.pop(), ()):
            if other not in found:
                found.add(other)
                todo.append(other)
    return found
