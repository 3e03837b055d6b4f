"""owl:imports inside a folder: what is read, what is missing, and that nothing is fetched."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from rdflib import OWL, RDF, URIRef

from kg.domain import load_domain
from kg.graph import KnowledgeGraph
from kg.imports import declared_ontologies, missing_imports
from kg.terms import Triple

A, B, C = (URIRef(f"http://example/{name}") for name in "abc")
HEADER = "@prefix owl: <http://www.w3.org/2002/07/owl#> .\n"


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(HEADER + text, encoding="utf-8")


def test_an_import_is_read_from_the_file_that_declares_it_and_so_are_its_own(tmp_path: Path) -> None:
    write(tmp_path, "graph.ttl", "<http://example/a> a owl:Ontology ; owl:imports <http://example/b> .")
    write(tmp_path, "second.ttl", "<http://example/b> a owl:Ontology ; owl:imports <http://example/c#1> .")
    write(tmp_path, "third.ttl", "<http://example/c> a owl:Ontology ; owl:versionIRI <http://example/c#1> .")
    write(tmp_path, "other.ttl", "<http://example/unrelated> a owl:Ontology .")
    (tmp_path / "domain.toml").write_text('graph = "graph.ttl"\n', encoding="utf-8")
    domain = load_domain(tmp_path)
    assert {t.subject for t in domain.graph.triples(predicate=RDF.type, object=OWL.Ontology)} == {A, B, C}
    assert domain.missing_imports == ()


def test_a_missing_import_is_named_and_not_fetched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "graph.ttl", "<http://example/a> a owl:Ontology ; owl:imports <http://example/b> .")
    with caplog.at_level(logging.WARNING, "kg.domain"):
        domain = load_domain(tmp_path)
    assert domain.missing_imports == (str(B),)
    assert [record.getMessage().split(" is no ontology")[0] for record in caplog.records] == [
        f"{tmp_path.name}: the import http://example/b"
    ]


def test_an_ontology_that_imports_itself_misses_nothing() -> None:
    graph = KnowledgeGraph.from_triples([Triple(A, RDF.type, OWL.Ontology), Triple(A, OWL.imports, A)])
    assert declared_ontologies(graph) == {A}
    assert missing_imports(graph) == ()


def test_two_ontologies_may_import_each_other(tmp_path: Path) -> None:
    write(tmp_path, "graph.ttl", "<http://example/a> a owl:Ontology ; owl:imports <http://example/b> .")
    write(tmp_path, "second.ttl", "<http://example/b> a owl:Ontology ; owl:imports <http://example/a> .")
    assert load_domain(tmp_path).missing_imports == ()
