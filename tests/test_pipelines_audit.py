"""Audits from files to files: what is loaded, what fails, what is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.symbolic import Severity
from kg.errors import MissingFileError, NoesisError
from pipelines.audit import AuditConfig, fails, load_subject, run_audit
from pipelines.cli import app
from pipelines.report.write import FORMATS

PREFIXES = """@prefix e: <http://e/> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
"""
SCHEMA = PREFIXES + "e:Cat rdfs:subClassOf e:Animal ; owl:disjointWith e:Dog . e:Animal owl:disjointWith e:Stone ."
DATA = PREFIXES + 'e:tom a e:Cat ; rdfs:label "Tom" . e:rex a e:Dog .'
FAULT = PREFIXES + 'e:tom a e:Cat, e:Dog ; rdfs:label "Tom" . e:rex a e:Dog .'


def folder(path: Path, data: str = DATA, **files: str) -> Path:
    """A folder with a schema and data, and further files by name (`_` for a dot)."""
    path.mkdir(parents=True, exist_ok=True)
    for name, text in {"schema_ttl": SCHEMA, "data_ttl": data, **files}.items():
        (path / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return path


def noesis(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


def test_a_folder_files_and_folders_of_folders_are_the_same_graph(tmp_path: Path) -> None:
    one = folder(tmp_path / "a" / "b", FAULT)
    every = [[one], [one / "schema.ttl", one / "data.ttl"], [tmp_path / "a"]]
    found = [run_audit(paths) for paths in every]
    assert [report.by_rule for report in found] == [{"cax-dw": 1}] * 3
    assert {key for report in found for key in report.keys} == set(found[0].keys)


def test_what_is_not_there_or_has_no_graph_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere"):
        load_subject([tmp_path / "nowhere"])
    (tmp_path / "notes.txt").write_text("no graph", encoding="utf-8")
    with pytest.raises(NoesisError, match="RDF files"):
        load_subject([tmp_path / "notes.txt"])


def test_rule_files_among_the_files_are_applied(tmp_path: Path) -> None:
    rules = "PREFIX e: <http://e/> RULE e:no-dogs { } WHERE { ?x a e:Dog }"
    one = folder(tmp_path / "a", rules_srl=rules)
    assert run_audit([one / "data.ttl", one / "rules.srl"]).by_rule == {"no-dogs": 1}


def test_only_what_is_new_fails_where_that_is_asked(tmp_path: Path) -> None:
    old, new = folder(tmp_path / "old", FAULT), folder(tmp_path / "new", FAULT)
    assert noesis(new, "--against", old).exit_code == 1
    assert noesis(new, "--against", old, "--only-new").exit_code == 0
    folder(tmp_path / "new", FAULT + " e:tom a e:Stone .")
    result = noesis(new, "--against", old, "--only-new", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["against"]["new"], report["against"]["unchanged"], report["against"]["mended"]) == (1, 1, 0)
    assert [finding["status"] for finding in report["findings"]] == ["new", "unchanged"]
    assert noesis(new, "--only-new").exit_code == 2


def test_a_contradicted_claim_fails_and_is_told(tmp_path: Path) -> None:
    one = folder(tmp_path / "a")
    (tmp_path / "claims.tsv").write_text("e:tom\ta\te:Dog\ne:tom\ta\te:Animal\n", encoding="utf-8")
    result = noesis(one, "--claims", tmp_path / "claims.tsv")
    assert result.exit_code == 1
    assert "Tom" in result.stdout
    assert noesis(one, "--claims", tmp_path / "claims.tsv", "--fail-on", "never").exit_code == 0
    (tmp_path / "claims.tsv").write_text("e:tom\ta\te:Animal\n", encoding="utf-8")
    assert noesis(one, "--claims", tmp_path / "claims.tsv").exit_code == 0


def test_shapes_rules_schema_and_closed_world_are_looked_at_on_request(tmp_path: Path) -> None:
    shapes = (
        PREFIXES
        + """@prefix sh: <http://www.w3.org/ns/shacl#> .
e:S a sh:NodeShape ; sh:targetClass e:Animal ; sh:property [ sh:path e:name ; sh:minCount 1 ] ."""
    )
    required = """ e:Cat rdfs:subClassOf [ a owl:Restriction ; owl:onProperty e:owner ; owl:someValuesFrom e:Person ] .
e:Animal rdfs:subClassOf e:Creature . e:Creature rdfs:subClassOf e:Animal ."""
    rules = "PREFIX e: <http://e/> RULE e:idle { ?x e:q ?y } WHERE { ?x e:never ?y }"
    one = folder(tmp_path / "a", DATA + required, shapes_ttl=shapes, rules_srl=rules)
    assert set(run_audit([one]).by_rule) == {"S/name/MinCount"}
    every = AuditConfig(rules=True, schema=True, closed_world=True)
    found = run_audit([one], every)
    assert {str(finding.rule.kind) for finding in found.findings} >= {"shape", "rule", "schema", "completeness"}
    assert fails(found, "violation")
    assert not fails(found, None)
    assert found.at_least(Severity.INFO) == len(found.findings)


@pytest.mark.parametrize("suffix", [suffix for suffixes, _ in FORMATS.values() for suffix in suffixes])
def test_a_report_is_written_in_every_format(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    assert noesis(folder(tmp_path / "a", FAULT), "--report", target).exit_code == 1
    assert "cax-dw" in target.read_text(encoding="utf-8")


def test_an_unknown_format_costs_no_audit(tmp_path: Path) -> None:
    result = noesis(tmp_path / "nowhere", "--report", tmp_path / "out.pdf")
    assert "out.pdf" in str(result.exception)
    assert not (tmp_path / "out.pdf").exists()


def test_supports_and_repairs_are_told_on_request(tmp_path: Path) -> None:
    one = folder(tmp_path / "a", FAULT)
    report = json.loads(noesis(one, "--supports", 3, "--repairs", 3, "--json").stdout)
    (finding,) = report["findings"]
    (support,) = finding["supports"]["sets"]
    assert len(support["triples"]) == 3
    assert finding["repairs"][0]["mends"] == 1
    assert len(finding["repairs"][0]["remove"]) == 1
