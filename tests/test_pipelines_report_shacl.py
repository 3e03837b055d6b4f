"""The SHACL validation report: valid under shapes for it, the same in both syntaxes, true to the findings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyoxigraph
import pyshacl
import pytest
from rdflib import PROV, RDF, RDFS, SH, Graph, Literal, URIRef

from kg.terms import term_key
from pipelines.report.shacl import AUDIT, render_jsonld, render_turtle, shacl_graph
from tests.audit_reports import EX, NAMES, full, reports

SHAPES = Graph().parse(Path(__file__).with_name("validation_report_shapes.ttl"))


def told(graph: Graph) -> str:
    conforms, _, text = pyshacl.validate(graph, shacl_graph=SHAPES, advanced=False)
    return "" if conforms else str(text)


@pytest.mark.parametrize("name", NAMES)
def test_reports_are_valid_under_the_shapes(name: str) -> None:
    assert told(Graph().parse(data=render_turtle(reports()[name]), format="turtle")) == ""


def test_the_shapes_find_spoilt_reports() -> None:
    graph = shacl_graph(reports()["clash"])
    assert told(graph) == ""
    for predicate in (SH.focusNode, SH.resultSeverity, SH.sourceConstraintComponent, AUDIT.key, RDFS.label):
        spoilt = Graph()
        spoilt += graph
        spoilt.remove(next(spoilt.triples((None, predicate, None))))
        assert told(spoilt) != ""
    spoilt = Graph()
    spoilt += graph
    spoilt.set((next(graph.subjects(RDF.type, SH.ValidationReport)), SH.conforms, Literal(True)))
    assert told(spoilt) != ""


@pytest.mark.parametrize("name", NAMES)
def test_both_syntaxes_say_the_same_to_another_parser(name: str) -> None:
    report = reports()[name]
    turtle = read(render_turtle(report), pyoxigraph.RdfFormat.TURTLE)
    assert turtle == read(render_jsonld(report), pyoxigraph.RdfFormat.JSON_LD)
    assert len(turtle) == len(shacl_graph(report))


def read(text: str, syntax: pyoxigraph.RdfFormat) -> pyoxigraph.Dataset:
    """The triples, with names for blank nodes that depend on the triples alone."""
    found = pyoxigraph.Dataset(pyoxigraph.parse(text.encode(), format=syntax))
    found.canonicalize(pyoxigraph.CanonicalizationAlgorithm.UNSTABLE)
    return found


def test_results_are_the_findings() -> None:
    report = reports()["hostile"]
    graph = Graph().parse(data=render_turtle(report), format="turtle")
    found = {
        str(graph.value(result, AUDIT.key)): (graph.value(result, SH.resultSeverity), graph.value(result, SH.value))
        for result in graph.objects(None, SH.result)
    }
    severities = {"violation": SH.Violation, "warning": SH.Warning, "info": SH.Info}
    assert {key: severity for key, (severity, _) in found.items()} == {
        finding["key"]: severities[finding["severity"]] for finding in report["findings"]
    }
    valued = {
        finding["key"]: finding["terms"]["value"] for finding in report["findings"] if "value" in finding["terms"]
    }
    assert {key: value and term_key(value) for key, (_, value) in found.items() if value is not None} == {
        key: value["value"] for key, value in valued.items()
    }


def test_a_broken_shape_names_path_component_and_shape() -> None:
    graph = shacl_graph(reports()["hostile"])
    (result,) = graph.subjects(SH.sourceConstraintComponent, SH.MinCountConstraintComponent)
    assert graph.value(result, SH.resultPath) == EX.over
    assert graph.value(result, SH.focusNode) == Literal("x", lang="en")
    assert graph.value(result, SH.sourceShape) == URIRef("urn:noesis:iri:https%3A%2F%2Fexample.org%2Fa%20b%3Cc%3E")


def test_inferred_premises_are_flagged_and_asserted_ones_named() -> None:
    graph = shacl_graph(reports()["inconsistent"])
    (result,) = graph.subjects(SH.sourceConstraintComponent, AUDIT.InconsistencyConstraintComponent)
    assert graph.value(result, AUDIT.inferred) == Literal(True)
    premises = {str(graph.value(premise, RDFS.label)) for premise in graph.objects(result, PROV.wasDerivedFrom)}
    assert premises == {
        "tom is a cat",
        "every cat is an animal",
        "tom is a stone",
        "nothing is both an animal and a stone",
    }
    (clash, _) = shacl_graph(reports()["clash"]).objects(None, AUDIT.inferred)
    assert clash == Literal(False)


def test_an_incomplete_audit_does_not_conform() -> None:
    (conforms,) = shacl_graph(reports()["calm"]).objects(None, SH.conforms)
    assert conforms == Literal(True)
    graph = shacl_graph(reports()["short"])
    assert list(graph.objects(None, SH.conforms)) == [Literal(False)]
    assert len(list(graph.objects(None, AUDIT.incomplete))) == 1


def test_the_same_report_gives_the_same_bytes_in_every_process() -> None:
    code = (
        "import hashlib; from tests.audit_reports import full; from pipelines.report.shacl import *\n"
        "print(hashlib.sha256((render_turtle(full()) + render_jsonld(full())).encode()).hexdigest())"
    )
    digests = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout)
    assert len(digests) == 1


def test_json_ld_needs_no_context() -> None:
    assert all("@context" not in node for node in json.loads(render_jsonld(full())))
