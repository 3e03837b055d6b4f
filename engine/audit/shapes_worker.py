"""The process that validates a graph against SHACL shapes with pySHACL: a pattern may hang, and a query may run on.

Started by `engine.audit.shapes` through `kg.worker`. Frames in: `J` job; then twice (data, then shapes) `K` keys, `T`
int32 triples, `S` all sent. Frames out: `R` with the results as JSON, or `E` error. No file and no socket can be opened
once it runs.
"""

from __future__ import annotations

import logging
import sys
from array import array
from typing import IO, Any

import pyshacl
from rdflib import RDF, SH, BNode, Graph, Literal
from rdflib.collection import Collection
from rdflib.term import Node

from kg.frames import read_frame, unpack_keys, write_json
from kg.parse_worker import limit_process
from kg.terms import term_from_key, term_key

__all__ = ["main", "results_of", "validate"]

_WARM_UP = """
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix e: <http://example.org/> .
e:s a sh:NodeShape ; sh:targetNode e:a ; sh:property [ sh:path ( e:p [ sh:inversePath e:q ] ) ; sh:minCount 1 ;
  sh:pattern "a" ] ; sh:sparql [ sh:select "SELECT $this WHERE { $this ?p ?o . FILTER(?o = 1) }" ] .
e:a e:p 1, "<b>x</b>"^^rdf:HTML, "<b>x</b>"^^rdf:XMLLiteral, "2020-01-01T00:00:00Z"^^xsd:dateTime ."""
"""Has what needs a module that pySHACL or rdflib imports on first use."""


def validate(data: Graph, shapes: Graph) -> Graph:
    """pySHACL's report on a graph: nothing is inferred, imported or run as script."""
    found = pyshacl.validate(data, shacl_graph=shapes, inference="none", advanced=False, js=False, meta_shacl=False)
    report = found[1]
    if not isinstance(report, Graph):
        raise report if isinstance(report, Exception) else ValueError(found[2])
    return report


def results_of(report: Graph, shapes: Graph) -> list[dict[str, Any]]:
    """The results of a validation report, each a dictionary of term keys; `path` and `messages` are text."""
    (root,) = report.subjects(RDF.type, SH.ValidationReport)
    found = []
    for result in report.objects(root, SH.result):
        one = {
            name: None if (term := report.value(result, SH[name])) is None else term_key(term)
            for name in ("focusNode", "value", "sourceShape", "sourceConstraintComponent", "resultSeverity")
        }
        path = report.value(result, SH.resultPath)
        messages = sorted(str(message) for message in report.objects(result, SH.resultMessage))
        shape = report.value(result, SH.sourceShape)
        stated = [] if shape is None else sorted(str(text) for text in shapes.objects(shape, SH.message))
        found.append(
            {
                **one,
                "path": None if path is None else path_text(path, report, shapes),
                "predicate": term_key(path) if path is not None and not _is_compound(path, report, shapes) else None,
                "messages": messages,
                "stated": stated,
            }
        )
    return found


def _is_compound(path: Node, *graphs: Graph) -> bool:
    return any((path, None, None) in graph for graph in graphs) and term_key(path).startswith("_:")


def path_text(path: Node, *graphs: Graph) -> str:
    """A property path as SPARQL writes it, IRIs in full."""
    for graph in graphs:
        if (path, RDF.first, None) in graph:
            return "/".join(path_text(part, *graphs) for part in Collection(graph, path))
        for predicate, before, after in (
            (SH.inversePath, "^", ""),
            (SH.zeroOrMorePath, "", "*"),
            (SH.oneOrMorePath, "", "+"),
            (SH.zeroOrOnePath, "", "?"),
        ):
            inner = graph.value(path, predicate)
            if inner is not None:
                return f"{before}{path_text(inner, *graphs)}{after}"
        inner = graph.value(path, SH.alternativePath)
        if inner is not None:
            return f"({'|'.join(path_text(part, *graphs) for part in Collection(graph, inner))})"
    return term_key(path)


OF_SHAPES = "shapes-"
"""How the names of blank nodes of shapes begin here, which are none of the data's."""


def _graph(pipe: IO[bytes], names: str = "") -> Graph:
    """The graph that comes in frames, the names of its blank nodes with a beginning of their own."""
    graph, terms = Graph(), list[Node]()
    while (frame := read_frame(pipe)) is not None and frame[0] != b"S":
        kind, payload = frame
        if kind == b"K":
            found = map(term_from_key, unpack_keys(payload))
            terms.extend(BNode(names + term) if isinstance(term, BNode) else term for term in found)
        elif kind == b"T":
            ids = array("i")
            ids.frombytes(payload)
            column = iter(ids)
            for s, p, o in zip(column, column, column, strict=True):
                if not isinstance(terms[s], Literal):
                    graph.add((terms[s], terms[p], terms[o]))
    return graph


def main() -> None:
    """Takes data and shapes, sends the results."""
    logging.disable(logging.CRITICAL)
    warm = Graph().parse(data=_WARM_UP, format="turtle")
    results_of(validate(warm, warm), warm)  # so that everything is imported before no file can be opened
    limit_process(int(sys.argv[1]), files=3)
    pipe, out = sys.stdin.buffer, sys.stdout.buffer
    try:
        read_frame(pipe)
        data, shapes = _graph(pipe), _graph(pipe, OF_SHAPES)
        write_json(out, b"R", results_of(validate(data, shapes), shapes))
    except MemoryError:
        write_json(out, b"E", ["limit", "Expected a graph that fits in memory; raise `memory_bytes` in the limits"])
    except Exception as error:  # pySHACL has no common root of its errors
        write_json(out, b"E", ["input", f"{type(error).__name__}: {error}"])


if __name__ == "__main__":
    main()
