"""The OWL 2 RL and RDF entailment suites: what passes, what is outside and why, and how a case of each outcome ends."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from pipelines.conformance.case import Outcome
from pipelines.conformance.owl2_rl import run_owl2_rl
from pipelines.conformance.rdf_mt import run_rdf_mt

SUITES = Path(__file__).parents[2] / "shared" / "suites"
needs_suites = pytest.mark.skipif(not SUITES.is_dir(), reason="the conformance suites are not beside the repository")

RDF_XML = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://example.org/"
    xmlns:owl="http://www.w3.org/2002/07/owl#" xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#">{}</rdf:RDF>"""


@needs_suites
def test_owl2_rl_suite_passes() -> None:
    results = run_owl2_rl(SUITES / "owl2-rl")
    assert len(results) > 30
    assert [result for result in results if result.outcome is Outcome.FAILED] == []
    assert {result.outcome for result in results} == {Outcome.PASSED}
    beyond = {result.name for result in results if result.reason}
    by_tables = {result.name for result in results if result.kind == "PositiveEntailmentTest"} - beyond
    assert by_tables >= {"New-Feature-ObjectPropertyChain-001", "WebOnt-I5.8-006", "WebOnt-equivalentClass-002"}


@needs_suites
def test_rdf_mt_suite_passes() -> None:
    results = run_rdf_mt(SUITES / "rdf-mt")
    assert len(results) == len({result.name for result in results})
    assert [result for result in results if result.outcome is not Outcome.PASSED] == []
    assert set(Counter(result.kind for result in results)) == {"PositiveEntailmentTest", "NegativeEntailmentTest"}


def make_case(
    folder: Path, types: list[str], premise: str, conclusion: str = "", *, imports: list[str] | None = None
) -> None:
    case = folder / "case"
    case.mkdir()
    about = {"id": "case", "types": types, "description": "", "imports": imports or []}
    (case / "test.json").write_text(json.dumps(about), encoding="utf-8")
    (case / "premise.rdf").write_text(RDF_XML.format(premise), encoding="utf-8")
    for name in ("conclusion.rdf", "nonconclusion.rdf") if conclusion else ():
        (case / name).write_text(RDF_XML.format(conclusion), encoding="utf-8")


A_P_B = '<rdf:Description rdf:about="http://example.org/a"><p rdf:resource="http://example.org/b"/></rdf:Description>'
A_Q_B = A_P_B.replace("<p ", "<q ")
P_BELOW_Q = (
    '<rdf:Description rdf:about="http://example.org/p"><rdfs:subPropertyOf rdf:resource="http://example.org/q"/>'
    "</rdf:Description>"
)
A_IN_C = '<C rdf:about="http://example.org/a"/>'
DISJOINT = (
    '<owl:AllDisjointClasses><owl:members rdf:parseType="Collection"><rdf:Description rdf:about="http://example.org/C"/>'
    '<rdf:Description rdf:about="http://example.org/D"/></owl:members></owl:AllDisjointClasses>'
)
A_NOT_D = (
    '<rdf:Description rdf:about="http://example.org/a"><rdf:type><owl:Class>'
    '<owl:complementOf rdf:resource="http://example.org/D"/></owl:Class></rdf:type></rdf:Description>'
)
REFLEXIVE = '<owl:ReflexiveProperty rdf:about="http://example.org/p"/>'


@pytest.mark.parametrize(
    ("kind", "premise", "conclusion", "outcome"),
    [
        ("PositiveEntailmentTest", A_P_B + P_BELOW_Q, A_Q_B, Outcome.PASSED),
        ("PositiveEntailmentTest", A_P_B, A_Q_B, Outcome.FAILED),
        ("PositiveEntailmentTest", A_P_B + REFLEXIVE, A_Q_B, Outcome.OUTSIDE),
        ("PositiveEntailmentTest", A_P_B, P_BELOW_Q, Outcome.OUTSIDE),
        ("PositiveEntailmentTest", A_IN_C + DISJOINT, A_NOT_D, Outcome.PASSED),
        ("PositiveEntailmentTest", A_IN_C, A_NOT_D, Outcome.OUTSIDE),
        ("NegativeEntailmentTest", A_P_B + P_BELOW_Q, A_Q_B, Outcome.FAILED),
        ("NegativeEntailmentTest", A_P_B, A_Q_B, Outcome.PASSED),
        ("ConsistencyTest", A_P_B, "", Outcome.PASSED),
        ("InconsistencyTest", A_P_B, "", Outcome.FAILED),
        ("ProfileIdentificationTest", A_P_B, "", Outcome.OUTSIDE),
        ("PositiveEntailmentTest", A_P_B, "", Outcome.NOT_GIVEN),
    ],
)
def test_the_runner_tells_a_wrong_answer_from_one_it_need_not_give(
    tmp_path: Path, kind: str, premise: str, conclusion: str, outcome: Outcome
) -> None:
    make_case(tmp_path, [kind], premise, conclusion)
    (result,) = run_owl2_rl(tmp_path)
    assert (result.kind, result.outcome) == (kind, outcome)
    assert (outcome is Outcome.PASSED) or result.reason


def test_a_case_whose_import_is_not_there_is_not_given(tmp_path: Path) -> None:
    make_case(tmp_path, ["PositiveEntailmentTest"], A_P_B, A_Q_B, imports=["http://example.org/other"])
    (result,) = run_owl2_rl(tmp_path)
    assert result.outcome is Outcome.NOT_GIVEN
    assert "http://example.org/other" in result.reason


def test_an_owl_ontology_header_is_no_part_of_a_conclusion(tmp_path: Path) -> None:
    make_case(tmp_path, ["PositiveEntailmentTest"], A_P_B, A_P_B + '<owl:Ontology rdf:about="http://example.org/new"/>')
    (result,) = run_owl2_rl(tmp_path)
    assert result.outcome is Outcome.PASSED


MANIFEST = """
@prefix mf: <http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#> .
<> mf:entries ( <#one> ) .
<#one> a mf:{kind}EntailmentTest ; mf:name "one" ; mf:entailmentRegime "{regime}" ; mf:recognizedDatatypes () ;
    mf:unrecognizedDatatypes () ; mf:action <{action}> ; mf:result <b.ttl> .
"""


@pytest.mark.parametrize(
    ("kind", "regime", "action", "outcome"),
    [
        ("Positive", "RDF", "a.ttl", Outcome.PASSED),
        ("Negative", "RDF", "a.ttl", Outcome.FAILED),
        ("Positive", "simple", "a.ttl", Outcome.FAILED),
        ("Negative", "simple", "a.ttl", Outcome.PASSED),
        ("Positive", "OWL", "a.ttl", Outcome.OUTSIDE),
        ("Positive", "RDF", "absent.ttl", Outcome.NOT_GIVEN),
        ("Positive", "RDF", "../../outside.ttl", Outcome.NOT_GIVEN),
    ],
)
def test_a_manifest_case_ends_as_its_regime_has_it(
    tmp_path: Path, kind: str, regime: str, action: str, outcome: Outcome
) -> None:
    (tmp_path / "a.ttl").write_text("<http://x/a> <http://x/p> <http://x/b> .", encoding="utf-8")
    (tmp_path / "b.ttl").write_text(
        "<http://x/p> a <http://www.w3.org/1999/02/22-rdf-syntax-ns#Property> .", encoding="utf-8"
    )
    manifest = MANIFEST.format(kind=kind, regime=regime, action=action)
    (tmp_path / "manifest.ttl").write_text(manifest, encoding="utf-8")
    (result,) = run_rdf_mt(tmp_path)
    assert result.outcome is outcome
    assert (outcome is Outcome.PASSED) or result.reason
