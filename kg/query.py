"""Questions to a graph: SPARQL SELECT and ASK, and the triples around a term.

SPARQL is answered by pyoxigraph in a worker process with limits (`kg.query_worker`), kept warm for the next query.
Simple patterns need none of it: see `KnowledgeGraph.triples`.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from rdflib.term import Node

from kg.errors import ConfigError, InputError, LimitError, NoesisError, NotSupportedError
from kg.frames import json_bytes, pack_keys, read_json, unpack_keys
from kg.graph import KnowledgeGraph
from kg.query_text import check_query, syntax_error
from kg.terms import Triple, term_from_key
from kg.worker import Worker

if TYPE_CHECKING:
    import pandas

__all__ = ["QueryLimits", "Table", "ask", "neighbours", "select"]

_WARM = 2  # stores kept for further queries; each holds its graph again, about 400 bytes a triple
_KEYS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class QueryLimits:
    """What a query may cost before it is given up."""

    seconds: float = 30.0
    """Wall clock of one query, in seconds; filling the store for the first one is allowed ten times as long."""
    memory_bytes: int = 4 << 30
    """Address space of the worker process, the graph included, in bytes."""
    rows: int = 1_000_000
    """Rows of one result."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ConfigError(f"Expected {name} in QueryLimits above 0 (got {value!r})")


@dataclass(frozen=True)
class Table:
    """The result of a query: a row for each solution, a term (or None where unbound) for each variable.

    The result of ASK has no variables, and one empty row for yes; so `bool(table)` answers it.
    """

    variables: tuple[str, ...]
    rows: tuple[tuple[Node | None, ...], ...]
    form: str = field(default="SELECT", compare=False)

    def __iter__(self) -> Iterator[tuple[Node | None, ...]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        if self.form == "ASK":
            return "yes" if self.rows else "no"
        cells = [[f"?{name}" for name in self.variables]]
        cells += [["" if term is None else term.n3() for term in row] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in cells)
        return "\n".join(line.rstrip() for line in lines)

    def to_pandas(self) -> pandas.DataFrame:
        """A pandas `DataFrame` with a column for each variable: IRIs as text, literals as Python values.

        Raises:
            NotSupportedError: pandas is not installed.
        """
        from kg.notebook import table_frame

        return table_frame(self)

    def to_dicts(self) -> list[dict[str, Node]]:
        """A dictionary for each row, without the unbound variables."""
        return [
            {name: term for name, term in zip(self.variables, row, strict=True) if term is not None}
            for row in self.rows
        ]


def select(graph: KnowledgeGraph, query: str, *, inferred: bool = True, limits: QueryLimits | None = None) -> Table:
    """The solutions of a SPARQL 1.1 SELECT (or ASK) query; the graph's prefixes are declared already.

    Literals come back in the form the graph has them; where it has one value in two forms (`1`, `01`), the store keeps
    one.

    Args:
        graph: what to ask; all its triples are in the default graph.
        query: the query text.
        inferred: whether inferred triples count.
        limits: time, memory and rows allowed.

    Raises:
        SyntaxInputError: the query breaks the grammar; line and column are in the message.
        NotSupportedError: another query form, an update, SERVICE, or FROM.
        LimitError: a limit was passed, or the query crashed the worker.
    """
    limits = limits or QueryLimits()
    form = check_query(query)
    while True:
        store = _stores.get(graph, inferred, limits)
        with store.lock:
            if store.worker.alive:  # another thread may have retired it since
                return Table(*store.ask(query, graph, limits), form)


def ask(graph: KnowledgeGraph, query: str, *, inferred: bool = True, limits: QueryLimits | None = None) -> bool:
    """Whether a SPARQL query (ASK, or SELECT) has a solution; otherwise as `select`."""
    return bool(select(graph, query, inferred=inferred, limits=limits).rows)


def neighbours(graph: KnowledgeGraph, term: str | Node, hops: int = 1, *, inferred: bool = True) -> tuple[Triple, ...]:
    """The triples within `hops` steps of a term, in both directions, nearest first; literals are ends, never passed.

    Raises:
        UnknownTermError: the term is not in the graph.
    """
    reached = np.array([graph.id(term)], dtype=np.int32)
    frontier, seen, found = reached, set[tuple[int, int, int]](), list[Triple]()
    for _ in range(hops):
        ends = [reached]
        for predicate in graph.predicates() if inferred else graph.asserted.predicates():
            s, o = graph.pairs(predicate) if inferred else graph.asserted.pairs(predicate)
            here = np.isin(s, frontier) | np.isin(o, frontier)
            for head, tail in zip(s[here].tolist(), o[here].tolist(), strict=True):
                if (head, predicate, tail) not in seen:
                    seen.add((head, predicate, tail))
                    found.append(graph.decode(head, predicate, tail))
            ends += [s[here], o[here]]
        every = np.unique(np.concatenate(ends))
        frontier = np.setdiff1d(every[~graph.dictionary.is_literal(every)], reached)
        reached = np.union1d(reached, frontier)
    return tuple(found)


class _Store:
    """A worker that holds one graph."""

    def __init__(self, graph: KnowledgeGraph, inferred: bool, limits: QueryLimits) -> None:
        self.lock = threading.RLock()
        self.memory_bytes = limits.memory_bytes
        self.worker = Worker("kg.query_worker", {}, memory_bytes=limits.memory_bytes)
        try:
            self.worker.allow(10 * limits.seconds)
            self._fill(graph, inferred)
        except BaseException:
            self.worker.close()
            raise

    def _fill(self, graph: KnowledgeGraph, inferred: bool) -> None:
        keys = list(graph.dictionary)
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            self.worker.send(b"K", pack_keys(keys[start : start + _KEYS_AT_ONCE]))
        for columns in (graph.asserted, graph.inferred) if inferred else (graph.asserted,):
            triples = np.stack(columns.arrays(), axis=1)
            self.worker.send(b"T", np.ascontiguousarray(triples, dtype=np.int32).tobytes())
        self.worker.send(b"S")
        kind, payload = self.worker.receive(file="<graph>")
        if kind == b"E":
            raise _error(*read_json(payload))
        self.worker.rest()

    def ask(
        self, query: str, graph: KnowledgeGraph, limits: QueryLimits
    ) -> tuple[tuple[str, ...], tuple[tuple[Node | None, ...], ...]]:
        self.worker.allow(limits.seconds)
        job = {"query": query, "prefixes": graph.prefixes, "rows": limits.rows}
        self.worker.send(b"Q", json_bytes(job))
        variables: list[str] = []
        terms: list[Node | None] = []
        numbers = np.empty(0, dtype=np.int32)
        while True:
            kind, payload = self.worker.receive(file="<query>")
            if kind == b"V":
                variables = read_json(payload)
            elif kind == b"K":
                terms = [_term(graph, key) for key in unpack_keys(payload)]
            elif kind == b"I":
                numbers = np.frombuffer(payload, dtype=np.int32)
            elif kind == b"E":
                self.worker.rest()
                name, reason = read_json(payload)
                raise syntax_error(query, reason, graph.prefixes) if name == "syntax" else _error(name, reason)
            else:
                self.worker.rest()
                break
        count = read_json(payload)
        terms.append(None)  # what row number -1 means
        if not variables:
            return (), ((),) * count
        table = numbers.reshape(count, len(variables)).tolist()
        return tuple(variables), tuple(tuple(terms[number] for number in row) for row in table)


def _term(graph: KnowledgeGraph, key: str) -> Node:
    at = graph.dictionary.find_key(key)
    return term_from_key(key) if at is None else graph.dictionary.term(at)


def _error(kind: str, reason: str) -> NoesisError:
    if kind == "unsupported":
        return NotSupportedError(f"<query>: {reason}")
    return {"limit": LimitError}.get(kind, InputError)(reason, file="<query>")


class _Stores:
    """The stores kept warm, least lately used first; a graph that is gone takes its store along."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a graph can be collected, and `forget` called, inside `get`
        self._warm: OrderedDict[tuple[int, bool], _Store] = OrderedDict()

    def get(self, graph: KnowledgeGraph, inferred: bool, limits: QueryLimits) -> _Store:
        """The store for a graph, made where there is none with these limits."""
        key = (id(graph), inferred and len(graph.inferred) > 0)
        retired: list[_Store] = []
        with self._lock:
            store = self._warm.pop(key, None)
            if store is not None and (not store.worker.alive or store.memory_bytes != limits.memory_bytes):
                retired.append(store)
                store = None
            if store is None:
                store = _Store(graph, key[1], limits)
                weakref.finalize(graph, self.forget, id(graph))
            self._warm[key] = store
            while len(self._warm) > _WARM:
                retired.append(self._warm.popitem(last=False)[1])
        for old in retired:
            with old.lock:  # after the query that may be running
                old.worker.close()
        return store

    def forget(self, graph: int) -> None:
        """Ends the stores of a graph; called when the graph is gone, and for all of them when the program ends."""
        with self._lock:
            stores = [self._warm.pop(key) for key in list(self._warm) if key[0] == graph]
        for store in stores:
            store.worker.close()


_stores = _Stores()
