"""The entailment tests of RDF 1.1 (w3c/rdf-tests, rdf11/rdf-mt): simple, RDF and RDFS entailment with datatypes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rdflib import RDF, BNode, Literal, Namespace, URIRef
from rdflib.term import Node

from engine.symbolic.surrogates import Interpreted
from kg.errors import EmptyGraphError, MissingFileError, NoesisError
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from pipelines.conformance.case import CaseResult, Outcome

__all__ = ["run_rdf_mt"]

SUITE = "rdf-mt"
MF = Namespace("http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#")
REGIMES = {"simple": "none", "rdf": "rdf", "rdfs": "rdfs-full"}
"""The rule set for each entailment regime of the manifest, in lower case."""
_BASE = "https://w3c.github.io/rdf-tests/rdf/rdf11/rdf-mt/"


def run_rdf_mt(folder: Path) -> list[CaseResult]:
    """The results of the cases that the manifest of a folder lists, in its order.

    Raises:
        InputError: the manifest cannot be read.
    """
    manifest = load_graph(folder / "manifest.ttl", base=_BASE)
    entries = next(manifest.triples(predicate=MF.entries)).object
    return [_Case(folder, manifest, case).result() for case in _members(manifest, entries)]


def _members(graph: KnowledgeGraph, cell: Node) -> Iterator[Node]:
    while cell != RDF.nil:
        yield _value(graph, cell, RDF.first)
        cell = _value(graph, cell, RDF.rest)


def _value(graph: KnowledgeGraph, subject: Node, predicate: URIRef) -> Node:
    return next(graph.triples(subject, predicate)).object


class _Case:
    """One entry of the manifest."""

    def __init__(self, folder: Path, manifest: KnowledgeGraph, case: Node) -> None:
        self.folder, self.manifest, self.case = folder, manifest, case
        self.name = str(_value(manifest, case, MF.name))
        self.kind = str(_value(manifest, case, RDF.type)).removeprefix(str(MF))
        self.regime = str(_value(manifest, case, MF.entailmentRegime))

    def result(self) -> CaseResult:
        """What the case came to."""
        wanted = {"PositiveEntailmentTest": True, "NegativeEntailmentTest": False}.get(self.kind)
        if wanted is None or self.regime.lower() not in REGIMES:
            return self._ended(Outcome.OUTSIDE, f"the regime {self.regime} or the kind {self.kind} is not supported")
        try:
            found = self._entailed()
        except MissingFileError as error:
            return self._ended(Outcome.NOT_GIVEN, str(error))
        except NoesisError as error:
            return self._ended(Outcome.FAILED, str(error))
        if found == wanted:
            return self._ended(Outcome.PASSED)
        claim = "inconsistent" if self._conclusion() is None else "entailed"
        return self._ended(Outcome.FAILED, f"expected {'' if wanted else 'not '}{claim}, which was not what came out")

    def _entailed(self) -> bool:
        recognised = [d for d in _members(self.manifest, self._field(MF.recognizedDatatypes)) if isinstance(d, URIRef)]
        conclusion = self._conclusion()
        closed = Interpreted(
            self._read(self._field(MF.action)),
            entailment=REGIMES[self.regime.lower()],
            recognised=recognised,
            vocabulary=[] if conclusion is None else [conclusion],
        )
        return bool(closed.inconsistency) if conclusion is None else closed.entails(conclusion)

    def _conclusion(self) -> KnowledgeGraph | None:
        """The graph that is to follow, None where the result is `false`: the premise is to be inconsistent."""
        result = self._field(MF.result)
        return None if isinstance(result, Literal) else self._read(result)

    def _field(self, predicate: URIRef) -> Node:
        return _value(self.manifest, self.case, predicate)

    def _read(self, file: Node) -> KnowledgeGraph:
        name = str(file).removeprefix(_BASE)
        path = (self.folder / name).resolve()
        if isinstance(file, BNode) or not path.is_relative_to(self.folder.resolve()):
            raise MissingFileError(f"Expected a file of the suite (got {name})")
        try:
            return load_graph(path, base=_BASE + name)
        except EmptyGraphError:
            return KnowledgeGraph.from_triples([])

    def _ended(self, outcome: Outcome, reason: str = "") -> CaseResult:
        return CaseResult(SUITE, self.name, self.kind, outcome, reason)
