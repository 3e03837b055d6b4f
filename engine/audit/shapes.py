"""SHACL shapes over a closure: pySHACL validates, and its results become findings like all others.

pySHACL runs in a process of its own with a limit on time and memory (`shapes_worker`), because shapes hold regular
expressions and SPARQL. It sees asserted and inferred triples; it infers, fetches and runs nothing itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rdflib import URIRef
from rdflib.term import Node

from engine.audit.finding import AuditRule, Finding, Kind
from engine.symbolic import Closure, Severity
from kg.errors import ConfigError, DomainError, LimitError
from kg.frames import pack_keys, read_json
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from kg.terms import Triple, local_name, term_from_key
from kg.worker import Worker

__all__ = ["ShapeLimits", "shape_findings"]

_KEYS_AT_ONCE = 50_000
_SHACL = "http://www.w3.org/ns/shacl#"
_SEVERITIES = {f"<{_SHACL}{severity.name.title()}>": severity for severity in Severity}


@dataclass(frozen=True)
class ShapeLimits:
    """What a validation may cost.

    Raises:
        ConfigError: a limit is not positive.
    """

    seconds: float = 120.0
    """Wall clock, in seconds."""
    memory_bytes: int = 4 << 30
    """Address space of the process, in bytes."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ConfigError(f"Expected {name} in ShapeLimits above 0 (got {value!r})")


def shape_findings(
    shapes: KnowledgeGraph | Sequence[str | os.PathLike[str]], *, limits: ShapeLimits | None = None
) -> Callable[[Closure], Iterator[Finding]]:
    """A check of closures against SHACL shapes.

    Args:
        shapes: a graph of shapes, or files of them.

    Raises:
        NoesisError: what `load_graph` raises for the files. The check raises `LimitError` where it takes too long, and
            `DomainError` where pySHACL cannot read the shapes.
    """
    graph = shapes if isinstance(shapes, KnowledgeGraph) else load_graph(shapes)
    return lambda closure: _findings(closure, graph, limits or ShapeLimits())


def _findings(closure: Closure, shapes: KnowledgeGraph, limits: ShapeLimits) -> Iterator[Finding]:
    found = [_finding(result, closure, shapes) for result in _results(closure.graph, shapes, limits)]
    yield from sorted(found, key=lambda finding: (finding.rule.id, finding.message, finding.key))


def _results(data: KnowledgeGraph, shapes: KnowledgeGraph, limits: ShapeLimits) -> list[dict[str, Any]]:
    """What pySHACL finds, as the worker tells it."""
    file = ", ".join(shapes.sources) or "<shapes>"
    worker = Worker("engine.audit.shapes_worker", {}, memory_bytes=limits.memory_bytes)
    try:
        worker.allow(limits.seconds)
        for graph in (data, shapes):
            _send(worker, graph)
        kind, payload = worker.receive(file=file)
    finally:
        worker.close()
    found = read_json(payload)
    if kind == b"E":
        category, reason = found
        if category == "limit":
            raise LimitError(reason, file=file)
        raise DomainError(f"{file}: Expected shapes that pySHACL can validate with (got {reason}); correct them")
    return list(found)


def _send(worker: Worker, graph: KnowledgeGraph) -> None:
    keys = list(graph.dictionary)
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        worker.send(b"K", pack_keys(keys[start : start + _KEYS_AT_ONCE]))
    for columns in (graph.asserted, graph.inferred):
        triples = np.stack(columns.arrays(), axis=1)
        worker.send(b"T", np.ascontiguousarray(triples, dtype=np.int32).tobytes())
    worker.send(b"S")


def _finding(result: dict[str, Any], closure: Closure, shapes: KnowledgeGraph) -> Finding:
    graph = closure.graph
    focus, value = (_term(result[name]) for name in ("focusNode", "value"))
    shape = _term((result["sourceShape"] or "").replace("_:shapes-", "_:", 1) or None)
    component = result["sourceConstraintComponent"][1:-1]
    short = local_name(URIRef(component)).removesuffix("ConstraintComponent")
    predicate = None if result["predicate"] is None else _term(result["predicate"])
    name = "" if predicate is None else local_name(str(predicate))
    owner = _owner(shape, shapes)
    id = "/".join(part for part in (_short(owner), name, short) if part)
    severity = _SEVERITIES.get(result["resultSeverity"], Severity.VIOLATION)
    message = "; ".join(result["stated"] or [_sentence(graph, focus, predicate, value, short, result)])
    rule = AuditRule(id, Kind.SHAPE, severity, "", str(owner) if isinstance(owner, URIRef) else None, component)
    terms = {
        key: term
        for key, term in (("path", predicate), ("value", value), ("shape", owner), ("component", URIRef(component)))
        if term is not None
    }
    inferred = _inferred(graph, focus, predicate, value)
    detail = {"path": result["path"], "pyshacl": result["messages"], "inferred": inferred}
    return Finding(rule, severity, message, focus, terms, detail=detail)


def _sentence(
    graph: KnowledgeGraph, focus: Node | None, predicate: Node | None, value: Node | None, short: str, result: Any
) -> str:
    """What a result says where its shape has no message of its own."""
    thing = "a node" if focus is None else graph.label(focus)
    where = graph.label(predicate) if predicate is not None else result["path"]
    of = f" for {where}" if where else ""
    got = f" (got {graph.label(value)})" if value is not None and value != focus else ""
    return f"{thing} does not conform to {short}{of}{got}"


def _term(key: str | None) -> Node | None:
    return None if key is None else term_from_key(key)


def _owner(shape: Node | None, shapes: KnowledgeGraph) -> Node | None:
    """The shape with a name that a blank property shape belongs to."""
    seen: set[Node] = set()
    while shape is not None and not isinstance(shape, URIRef) and shape not in seen:
        seen.add(shape)
        shape = next((triple.subject for triple in shapes.triples(None, None, shape)), None)
    return shape


def _short(term: Node | None) -> str:
    return "shape" if term is None else local_name(str(term))


def _inferred(graph: KnowledgeGraph, focus: Node | None, predicate: Node | None, value: Node | None) -> bool:
    """Whether the triple a result is about is inferred."""
    if focus is None or predicate is None or value is None:
        return False
    triple = Triple(focus, predicate, value)
    return graph.contains(triple) and not graph.contains(triple, inferred=False)
