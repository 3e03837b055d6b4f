"""Conclusions in a file get the verdicts that `check` gives, whatever the file's form; a bad line is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.audit import audit
from engine.audit.claims import judge_claims, with_claims
from engine.symbolic import Closure, Status, check, materialise
from kg import load_graph
from kg.claim_file import read_claims
from kg.errors import NoesisError, SyntaxInputError

GRAPH = """@prefix e: <http://e/> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
e:Cat rdfs:subClassOf e:Animal . e:Cat owl:disjointWith e:Dog . e:tom a e:Cat ; rdfs:label "Tom" ; e:age 3 .
e:rex a e:Dog ; rdfs:label "Rex" ."""
CLAIMS = [
    ("e:tom", "a", "e:Animal", "entailed"),
    ("e:tom", "a", "e:Dog", "contradicted"),
    ("e:rex", "e:age", "3", "unproven"),
    ("e:tom", "a", "e:Cat", "entailed"),
    ("e:nobody", "a", "e:Cat", "unknown"),
    ("<http://e/rex>", "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>", "e:Cat", "contradicted"),
    ("e:rex", "rdfs:label", '"Rex"', "entailed"),
]


@pytest.fixture
def closure(tmp_path: Path) -> Closure:
    (tmp_path / "graph.ttl").write_text(GRAPH, encoding="utf-8")
    return materialise(load_graph(tmp_path / "graph.ttl"))


def written(folder: Path, form: str) -> Path:
    rows = [(s, p, o) for s, p, o, _ in CLAIMS]
    path = folder / f"claims.{form.removeprefix('headed ').removeprefix('short ')}"
    if form == "tsv":
        text = "\n".join("\t".join(row) for row in rows)
    elif form == "headed tsv":
        text = "\n".join(
            ["id\tobject\tsubject\tpredicate", *(f"{n}\t{o}\t{s}\t{p}" for n, (s, p, o) in enumerate(rows))]
        )
    elif form == "ndjson":
        names = ("subject", "predicate", "object")
        text = "\n".join(json.dumps(dict(zip(names, row, strict=True)) | {"score": 0.5}) for row in rows)
    elif form == "short jsonl":
        text = "\n\n".join(json.dumps(dict(zip("spo", row, strict=True))) for row in rows)
    else:
        prefixes = "\n".join(line for line in GRAPH.splitlines()[:2]).replace("e:Cat", "")
        text = prefixes + "\n".join(" ".join(row) + " ." for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["tsv", "headed tsv", "ndjson", "short jsonl", "ttl"])
def test_every_form_of_file_gives_the_same_verdicts(closure: Closure, tmp_path: Path, form: str) -> None:
    path = written(tmp_path, form)
    read = list(read_claims(path, closure.graph.prefixes))
    judged = dict(zip([claim for _, claim in read], check(closure, [claim for _, claim in read]), strict=True))
    totals = judge_claims(closure, path).totals
    assert totals == {Status.ENTAILED: 3, Status.CONTRADICTED: 2, Status.UNPROVEN: 1, Status.UNKNOWN: 1}
    assert sorted(str(j.status) for j in judged.values()) == sorted(verdict for *_, verdict in CLAIMS)
    if form != "ttl":
        assert [str(judged[claim].status) for _, claim in read] == [verdict for *_, verdict in CLAIMS]


def test_contradicted_claims_come_with_refutations_and_unknown_ones_with_reasons(
    closure: Closure, tmp_path: Path
) -> None:
    path = written(tmp_path, "tsv")
    report = with_claims(audit(closure), path).to_dict()
    results = report["claims"]["results"]
    assert [(one["line"], one["verdict"]) for one in results] == [
        (2, "contradicted"),
        (6, "contradicted"),
        (5, "unknown"),
    ]
    assert "Tom" in results[0]["reason"] or "Tom" in results[0]["text"]
    assert results[0]["proof"]["premises"]
    assert "nobody" in results[2]["reason"]
    few = judge_claims(closure, path, limit=1, proofs=False)
    assert ([one["line"] for one in few.results], few.contradicted) == ([2, 5], 2)
    assert few.results[0]["proof"] is None


def test_a_blank_node_of_a_claim_is_none_of_the_graph(tmp_path: Path) -> None:
    (tmp_path / "graph.nt").write_text("_:b <http://e/p> <http://e/o> .\n", encoding="utf-8")
    (tmp_path / "claims.nt").write_text("_:b <http://e/p> <http://e/o> .\n", encoding="utf-8")
    closure = materialise(load_graph(tmp_path / "graph.nt"), entailment="none")
    assert judge_claims(closure, tmp_path / "claims.nt").totals[Status.ENTAILED] == 0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.tsv", "e:tom\ta\n", r"a\.tsv:1.*3 fields"),
        ("b.tsv", "e:tom\te:age\t3\ne:tom\te:age\tzz:x\n", r"b\.tsv:2.*object"),
        ("c.tsv", '"Tom"\te:age\t3\n', r"c\.tsv:1.*subject"),
        ("d.ndjson", '{"s": "e:tom", "p": "e:age"}\n', r"d\.ndjson:1.*subject"),
        ("e.ndjson", '\n{"s": \n', r"e\.ndjson:2.*JSON"),
        ("f.ndjson", "[1]\n", r"f\.ndjson:1"),
        ("g.ttl", "<a> <b> .", r"g\.ttl:1"),
    ],
)
def test_a_bad_line_is_named(closure: Closure, tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SyntaxInputError, match=said):
        judge_claims(closure, path)


def test_a_file_that_is_not_there_or_not_text_is_named(closure: Closure, tmp_path: Path) -> None:
    (tmp_path / "claims.tsv").write_bytes(b"e:tom\ta\te:Cat\n\xff\xfe\n")
    with pytest.raises(SyntaxInputError, match=r"claims\.tsv:2.*UTF-8"):
        judge_claims(closure, tmp_path / "claims.tsv")
    with pytest.raises(NoesisError, match=r"claims\.tsv"):
        judge_claims(closure, tmp_path / "claim.tsv")
