"""A knowledge graph as an rdflib `Graph`: a read-only rdflib store over the columns, nothing copied."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, NoReturn

import rdflib
from rdflib.store import Store
from rdflib.term import Node

from kg.errors import NotSupportedError
from kg.graph import KnowledgeGraph

__all__ = ["ColumnStore", "open_graph"]

_Pattern = tuple[Node | None, Node | None, Node | None]


def open_graph(graph: KnowledgeGraph, *, inferred: bool = True) -> rdflib.Graph:
    """An rdflib `Graph` that reads from the columns of `graph`; `to_rdflib` gives a copy that can be written to.

    Its `query` is rdflib's own, run in this process: for SPARQL from elsewhere use `kg.query.select`.

    Args:
        graph: the graph to show.
        inferred: whether inferred triples are seen.
    """
    return rdflib.Graph(store=ColumnStore(graph, inferred=inferred), bind_namespaces="none")


class ColumnStore(Store):
    """The rdflib store protocol over a `KnowledgeGraph`; every write raises `NotSupportedError`.

    Prefixes may be bound: they belong to the view, the graph keeps its own.
    """

    context_aware = False
    formula_aware = False
    transaction_aware = False
    graph_aware = False

    def __init__(self, graph: KnowledgeGraph, *, inferred: bool = True) -> None:
        super().__init__()
        self._graph, self._inferred = graph, inferred
        self._namespaces = {prefix: rdflib.URIRef(namespace) for prefix, namespace in graph.prefixes.items()}

    def triples(
        self, triple_pattern: _Pattern, context: rdflib.Graph | None = None
    ) -> Iterator[tuple[tuple[Node, Node, Node], Iterator[rdflib.Graph | None]]]:
        """The triples that fit, each with an iterator over the one graph it is in."""
        s, p, o = (
            term if isinstance(term, (rdflib.URIRef, rdflib.BNode, rdflib.Literal)) else None for term in triple_pattern
        )
        for triple in self._graph.triples(s, p, o, inferred=self._inferred):
            yield tuple(triple), iter([context])  # type: ignore[misc]  # a Triple has three parts

    def __len__(self, context: rdflib.Graph | None = None) -> int:
        return len(self._graph) if self._inferred else len(self._graph.asserted)

    def add(self, triple: Any, context: Any, quoted: bool = False) -> NoReturn:
        """Refused: the columns are never changed."""
        raise _read_only()

    def addN(self, quads: Any) -> NoReturn:  # noqa: N802 (rdflib's name)
        """Refused: the columns are never changed."""
        raise _read_only()

    def remove(self, triple: Any, context: Any = None) -> NoReturn:
        """Refused: the columns are never changed."""
        raise _read_only()

    def update(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: the columns are never changed."""
        raise _read_only()

    def bind(self, prefix: str, namespace: rdflib.URIRef, override: bool = True) -> None:
        """Binds a prefix in this view."""
        if override or prefix not in self._namespaces:
            self._namespaces[prefix] = namespace

    def namespace(self, prefix: str) -> rdflib.URIRef | None:
        """The namespace of a prefix."""
        return self._namespaces.get(prefix)

    def prefix(self, namespace: rdflib.URIRef) -> str | None:
        """The prefix of a namespace."""
        return next((prefix for prefix, bound in self._namespaces.items() if bound == namespace), None)

    def namespaces(self) -> Generator[tuple[str, rdflib.URIRef], None, None]:
        """All prefixes with their namespaces."""
        yield from list(self._namespaces.items())


def _read_only() -> NotSupportedError:
    return NotSupportedError(
        "Expected no change to a knowledge graph (its columns are read only); change a copy made by `to_rdflib()` and "
        "take it back with `KnowledgeGraph.from_rdflib`"
    )
