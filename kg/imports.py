"""owl:imports among files: which ontologies a graph declares, and which it imports that no file declares.

An import is a name, never an address: nothing is fetched. It is met by a file that declares an ontology of that IRI, or
of that version IRI.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from rdflib import OWL, RDF, URIRef

from kg.errors import NoesisError
from kg.graph import KnowledgeGraph
from kg.load import LoadLimits, load_graph

__all__ = ["declared_ontologies", "imported_files", "missing_imports"]

_LOG = logging.getLogger(__name__)


def declared_ontologies(graph: KnowledgeGraph) -> set[URIRef]:
    """The IRIs and version IRIs of the ontologies that a graph has."""
    named = {triple.subject for triple in graph.triples(predicate=RDF.type, object=OWL.Ontology)}
    versions = {triple.object for triple in graph.triples(predicate=OWL.versionIRI)}
    return {term for term in named | versions if isinstance(term, URIRef)}


def missing_imports(graph: KnowledgeGraph) -> tuple[URIRef, ...]:
    """The imported ontologies that a graph does not have, in alphabetical order."""
    imported = {triple.object for triple in graph.triples(predicate=OWL.imports)}
    return tuple(sorted({term for term in imported if isinstance(term, URIRef)} - declared_ontologies(graph)))


def imported_files(
    graph: KnowledgeGraph, others: Sequence[Path], *, limits: LoadLimits | None = None
) -> tuple[list[Path], tuple[URIRef, ...]]:
    """The files among others that a graph imports, directly or through one another, and the imports that stay unmet.

    Args:
        others: RDF files that are not in the graph; they are read only where an import is unmet.
        limits: as for `load_graph`; a file that cannot be read is passed over.
    """
    wanted, declared = set(missing_imports(graph)), declared_ontologies(graph)
    waiting = _read(others, limits) if wanted else {}
    found: list[Path] = []
    while True:
        met = [path for path, graph in waiting.items() if declared_ontologies(graph) & wanted]
        if not met:
            return found, tuple(sorted(wanted))
        for path in met:
            declared |= declared_ontologies(waiting[path])
            wanted |= set(missing_imports(waiting.pop(path)))
            found.append(path)
        wanted -= declared


def _read(paths: Sequence[Path], limits: LoadLimits | None) -> dict[Path, KnowledgeGraph]:
    graphs: dict[Path, KnowledgeGraph] = {}
    for path in paths:
        try:
            graphs[path] = load_graph(path, limits=limits)
        except NoesisError as error:
            _LOG.debug("%s is not looked into for imports: %s", path, error)
    return graphs
