"""Audits of conclusions: the verdicts are those of `check`, whatever the syntax; bad lines are told with their place."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
from rdflib import RDF, Literal, Namespace
from rdflib.term import Node

from engine.audit.claims import audit_claims, judge_claims
from engine.symbolic import Closure, check, materialise
from kg.claim_lines import read_claim_lines
from kg.errors import InputError, MissingFileError, SyntaxInputError
from kg.load import load_graph
from kg.terms import Triple, term_text

EX = Namespace("http://ex/")
GRAPH = """@prefix ex: <http://ex/> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
ex:Student rdfs:subClassOf ex:Person . ex:Person owl:disjointWith ex:City .
ex:livesIn rdfs:range ex:City ; rdfs:domain ex:Person .
ex:Ann a ex:Student ; ex:livesIn ex:Rome . ex:Bob a ex:Person . ex:Oslo a ex:City . [] ex:age 3 .
"""
TSV = "ex:Ann\ta\tex:Person\nex:Bob\tex:livesIn\tex:Ann\nex:Bob\tex:livesIn\tex:Oslo\nex:Bob\tex:livesIn\tex:Mars\n"
VERDICTS = ["entailed", "contradicted", "unproven", "unknown"]


@pytest.fixture(scope="module")
def closure(tmp_path_factory: pytest.TempPathFactory) -> Closure:
    """Disjoint persons and cities."""
    file = tmp_path_factory.mktemp("graph") / "graph.ttl"
    file.write_text(GRAPH)
    return materialise(load_graph(file))


def test_a_claim_gets_its_verdict_line_and_evidence(closure: Closure, tmp_path: Path) -> None:
    (tmp_path / "c.tsv").write_text(TSV)
    found = audit_claims(closure, tmp_path / "c.tsv")
    assert found.totals == dict.fromkeys(VERDICTS, 1)
    assert [(r["line"], r["verdict"], r["reason"]) for r in found.results] == [
        (2, "contradicted", None),
        (4, "unknown", "TERM_NOT_IN_GRAPH"),
    ]
    contradicted, unknown = found.results
    assert contradicted["proof"] and "Ann" in contradicted["text"]
    assert (unknown["text"], found.conforms) == ("not in the graph: ex:Mars", False)
    json.dumps(found.to_dict())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("header.tsv", "id\tsubject\tpredicate\tobject\n1\tex:Ann\tex:age\t3\n2\thttp://ex/Ann\t<http://ex/age>\t3\n"),
        ("plain.tsv", "# claims\r\nex:Ann\tex:age\t3\r\n\r\nex:Ann\tex:age\t3"),
        (
            "c.ndjson",
            '{"subject": "ex:Ann", "predicate": "ex:age", "object": 3}\n{"s":"ex:Ann","p":"ex:age","o":"3"}\n',
        ),
        ("c.nt", '<http://ex/Ann> <http://ex/age> "3"^^<http://www.w3.org/2001/XMLSchema#integer> .\n' * 2),
        ("c.ttl", "<http://ex/Ann> <http://ex/age> 3 ."),
    ],
)
def test_every_syntax_gives_the_same_claim(closure: Closure, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, newline="")
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    expected = {Triple(EX.Ann, EX.age, Literal(3))}
    for file in (name, f"{name}.gz"):
        assert {claim for _, claim in read_claim_lines(tmp_path / file, closure.graph.prefixes)} == expected


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("c.tsv", "ex:Ann\tex:knows", "Expected 3 fields with tabs between"),
        ("c.tsv", "ex:Ann\tno:knows\tex:Bob", "predicate: Expected a declared prefix"),
        ("c.tsv", '"Ann"\tex:knows\tex:Bob', "the subject is a literal"),
        ("c.ndjson", '{"s": "ex:Ann", "p": "ex:knows"}', "Expected a JSON object with subject"),
        ("c.ndjson", '{"s": "ex:Ann", "p": "ex:knows", "o": null}', "Expected a term as text"),
        ("c.ndjson", "[" * 100_000, "Expected a JSON object"),
        ("c.nt", "<http://ex/Ann> <http://ex/knows> <http://ex/Bob>", "Expected a triple of N-Triples"),
    ],
)
def test_a_bad_line_names_file_and_line(closure: Closure, tmp_path: Path, name: str, line: str, message: str) -> None:
    good = {
        "c.tsv": "ex:Ann\tex:age\t3",
        "c.ndjson": '{"s": "ex:Ann", "p": "ex:age", "o": 3}',
        "c.nt": '<http://ex/Ann> <http://ex/age> "x" .',
    }[name]
    (tmp_path / name).write_text(f"{good}\n{line}\n{good}\n")
    with pytest.raises(SyntaxInputError, match=rf"{name}:2: .*{message}"):
        audit_claims(closure, tmp_path / name)
    found = audit_claims(closure, tmp_path / name, collect=True)
    assert (sum(found.totals.values()), found.bad_lines, len(found.bad), found.conforms) == (2, 1, 1, False)
    assert f"{name}:2: " in found.bad[0]


def test_a_missing_or_unknown_file_is_an_error(closure: Closure, tmp_path: Path) -> None:
    (tmp_path / "c.xlsx").write_text("")
    with pytest.raises(InputError, match=r"Expected claims in a file .*\.tsv"):
        audit_claims(closure, tmp_path / "c.xlsx")
    with pytest.raises(MissingFileError):
        audit_claims(closure, tmp_path / "none.tsv")


@pytest.mark.parametrize("name", ["c.nt", "c.ttl", "c.tsv"])
def test_a_blank_node_of_the_claims_is_none_of_the_graph(closure: Closure, tmp_path: Path, name: str) -> None:
    (node,) = (triple.subject for triple in closure.graph.triples(None, EX.age))
    text = "_:{} <http://ex/age> {} .\n" if name != "c.tsv" else "_:{}\t<http://ex/age>\t{}\n"
    (tmp_path / name).write_text(text.format(node, '"3"^^<http://www.w3.org/2001/XMLSchema#integer>'))
    assert audit_claims(closure, tmp_path / name).totals["unknown"] == 1


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_the_verdicts_are_those_of_check(closure: Closure, tmp_path: Path, chunk: int) -> None:
    rng = random.Random(chunk)
    things: list[Node] = [EX[name] for name in ("Ann", "Bob", "Rome", "Oslo", "Mars", "Person", "City", "Student")]
    claims = [
        Triple(rng.choice(things), rng.choice([EX.livesIn, RDF.type, EX.age]), rng.choice([*things, Literal(3)]))
        for _ in range(300)
    ]
    (tmp_path / "c.nt").write_text("".join(f"{' '.join(map(term_text, claim))} .\n" for claim in claims))
    expected = [judgement.status for judgement in check(closure, claims)]
    found = list(judge_claims(closure, tmp_path / "c.nt", chunk=chunk))
    assert [judgement.status for _, judgement in found] == expected
    assert [line for line, _ in found] == list(range(1, 301))
    limited = audit_claims(closure, tmp_path / "c.nt", limit=3, chunk=chunk)
    assert limited.totals == {verdict: sum(str(s) == verdict for s in expected) for verdict in VERDICTS}
    assert [r["verdict"] for r in limited.results] == ["contradicted"] * 3 + ["unknown"] * 3
