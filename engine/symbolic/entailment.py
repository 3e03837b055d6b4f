"""Simple entailment: is one graph, its blank nodes read as "there is something", contained in another?

A blank node of the conclusion is a variable, so this is a search for a substitution (RDF 1.1 Semantics, 5.2), which is
NP-complete; it goes over the columns, the pattern with most bound positions next. Literals are compared by value where
their datatype is among the recognised ones, by term else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from rdflib import RDF, XSD, BNode, Literal, URIRef
from rdflib.term import Node

from engine.symbolic.datatypes import DATATYPES, Identity, identity
from kg.dictionary import LITERAL
from kg.graph import KnowledgeGraph
from kg.terms import Triple

__all__ = ["simply_entails", "value_key"]

_Ids = frozenset[int]


class _Pattern(NamedTuple):
    """A triple pattern: the ids a position may have, or the blank node that stands in it."""

    s: _Ids | BNode
    p: int
    o: _Ids | BNode

    def bound(self, taken: Collection[Node]) -> int:
        return sum(not isinstance(term, BNode) or term in taken for term in (self.s, self.o))


def simply_entails(
    graph: KnowledgeGraph, conclusion: KnowledgeGraph, *, recognised: Collection[URIRef] = DATATYPES
) -> bool:
    """Whether a graph, asserted and inferred triples, simply entails the triples of another.

    Args:
        recognised: the datatypes whose literals are compared by value.
    """
    search = _Search(graph, recognised)
    patterns = [search.pattern(triple) for triple in conclusion.triples()]
    known = [pattern for pattern in patterns if pattern is not None]
    return len(known) == len(patterns) and search.matches(_ordered(known))


def value_key(literal: Literal, recognised: Collection[URIRef]) -> Identity | None:
    """The value of a literal whose datatype is recognised; None for others and for ill-typed ones."""
    datatype = RDF.langString if literal.language else literal.datatype or XSD.string
    return identity(literal) if datatype in recognised else None


def _ordered(patterns: Sequence[_Pattern]) -> list[_Pattern]:
    """The patterns in the order to match them: always one with most positions bound by then."""
    order, taken, waiting = list[_Pattern](), set[Node](), list(patterns)
    while waiting:
        best = max(range(len(waiting)), key=lambda i: waiting[i].bound(taken))
        pattern = waiting.pop(best)
        order.append(pattern)
        taken.update(term for term in (pattern.s, pattern.o) if isinstance(term, BNode))
    return order


class _Search:
    """The triples of a graph by predicate, indexed on first use."""

    def __init__(self, graph: KnowledgeGraph, recognised: Collection[URIRef]) -> None:
        self.graph, self.recognised = graph, recognised
        self._index: dict[int, tuple[dict[int, list[int]], dict[int, list[int]]]] = {}
        self._equal: dict[Identity, list[int]] | None = None

    def pattern(self, triple: Triple) -> _Pattern | None:
        """The pattern of a triple; None where a term of it is not in the graph."""
        p = self.graph.dictionary.find(triple.predicate)
        s, o = self._ids(triple.subject), self._ids(triple.object)
        return None if p is None or s is None or o is None else _Pattern(s, p, o)

    def _ids(self, term: Node) -> _Ids | BNode | None:
        if isinstance(term, BNode):
            return term
        found = self.graph.dictionary.find(term)
        same = [] if found is None else [found]
        if isinstance(term, Literal):
            value = value_key(term, self.recognised)
            same += [] if value is None else self._literals().get(value, [])
        return frozenset(same) or None

    def _literals(self) -> dict[Identity, list[int]]:
        """The literals of the graph by value."""
        if self._equal is None:
            self._equal = {}
            dictionary = self.graph.dictionary
            for id in (dictionary.kinds == LITERAL).nonzero()[0].tolist():
                term = dictionary.term(id)
                value = value_key(term, self.recognised) if isinstance(term, Literal) else None
                if value is not None:
                    self._equal.setdefault(value, []).append(id)
        return self._equal

    def matches(self, patterns: Sequence[_Pattern]) -> bool:
        """Whether some substitution puts every pattern into the graph; backtracks without recursion."""
        if not patterns:
            return True
        values: dict[Node, int] = {}
        stack = [self._candidates(patterns[0], values)]
        undo: list[list[Node]] = []
        while stack:
            pair = next(stack[-1], None)
            if len(undo) == len(stack):
                for blank in undo.pop():
                    del values[blank]
            if pair is None:
                stack.pop()
                continue
            pattern = patterns[len(stack) - 1]
            new = list[Node]()
            fits = True
            for term, id in zip((pattern.s, pattern.o), pair, strict=True):
                if isinstance(term, BNode):
                    if term not in values:
                        values[term] = id
                        new.append(term)
                    fits = fits and values[term] == id
            undo.append(new)
            if fits and len(stack) == len(patterns):
                return True
            if fits:
                stack.append(self._candidates(patterns[len(stack)], values))
        return False

    def _candidates(self, pattern: _Pattern, values: dict[Node, int]) -> Iterator[tuple[int, int]]:
        """The pairs of a pattern's predicate that fit what is bound."""
        s = self._allowed(pattern.s, values)
        o = self._allowed(pattern.o, values)
        forward, backward = self._pairs(pattern.p)
        if s is not None:
            return ((x, y) for x in s for y in forward.get(x, ()) if o is None or y in o)
        if o is not None:
            return ((x, y) for y in o for x in backward.get(y, ()))
        return ((x, y) for x, ys in forward.items() for y in ys)

    def _allowed(self, term: _Ids | BNode, values: dict[Node, int]) -> Collection[int] | None:
        if not isinstance(term, BNode):
            return term
        return (values[term],) if term in values else None

    def _pairs(self, predicate: int) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
        found = self._index.get(predicate)
        if found is None:
            found = self._index[predicate] = ({}, {})
            columns = (self.graph.asserted.pairs(predicate), self.graph.inferred.pairs(predicate))
            for x, y in chain.from_iterable(zip(s.tolist(), o.tolist(), strict=True) for s, o in columns):
                found[0].setdefault(x, []).append(y)
                found[1].setdefault(y, []).append(x)
        return found
