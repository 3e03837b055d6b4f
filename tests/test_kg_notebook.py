"""What notebooks show: HTML in which labels do nothing, and pandas data frames that say what the objects hold."""

from __future__ import annotations

import datetime
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from rdflib import OWL, RDF, RDFS, XSD, BNode, Literal, Namespace
from rdflib.term import Node

from engine.audit import audit
from engine.claim import Claim
from engine.symbolic import Closure, materialise, parse_rules
from engine.verdict import Contradicted, Entailed, Reason, Unknown, Unproven
from kg.errors import NotSupportedError
from kg.graph import KnowledgeGraph
from kg.notebook import table
from kg.query import Table, select
from kg.terms import Triple
from tests.audit_reports import HOSTILE, clash, conforming, hostile

EX = Namespace("https://example.org/notebook#")
TAGS = {"div", "p", "b", "table", "thead", "tbody", "tr", "th", "td", "pre"}
ATTRIBUTES = {
    ("class", "tex2jax_ignore mathjax_ignore"),
    ("style", "text-align:left"),
    ("style", "white-space:pre-wrap"),
}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text, self.open = set[str](), set[tuple[str, str | None]](), "", list[str]()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= set(attrs)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data}\n"


def page(shown: Any) -> Page:
    found = Page(shown._repr_html_())
    assert found.tags <= TAGS
    assert found.attributes <= ATTRIBUTES
    assert found.open == []
    assert {char for char in found.text if not char.isprintable()} <= {"\n"}
    return found


def small() -> Closure:
    """Tom is a cat, so an animal, and a stone, which no animal is."""
    triples: list[tuple[Node, Node, Node]] = [
        (EX.Cat, RDFS.subClassOf, EX.Animal),
        (EX.Animal, OWL.disjointWith, EX.Stone),
        (EX.tom, RDF.type, EX.Cat),
        (EX.tom, RDF.type, EX.Stone),
    ]
    return materialise(KnowledgeGraph.from_triples(triples, prefixes={"ex": str(EX)}))


def proof_of(closure: Closure, subject: Node, cls: Node) -> Any:
    found = closure.proof(Triple(subject, RDF.type, cls))
    assert found is not None
    return found


def verdicts() -> list[Any]:
    closure = small()
    proof = proof_of(closure, EX.tom, EX.Animal)
    odd = [Claim(None, text=text) for text in HOSTILE[:4]]
    return [
        Entailed(odd[0], proof, closure.violations, closure.graph),
        Contradicted(odd[1], closure.violations[0].proof, closure.graph),
        Unproven(odd[2], 0.5, note=HOSTILE[0]),
        Unknown(odd[3], Reason.EMPTY_TEXT, HOSTILE[1]),
    ]


def test_a_graph_shows_counts_and_triples() -> None:
    text = page(small().graph).text
    assert text.startswith("KnowledgeGraph: 4 asserted, ")
    assert "tom\ntype\ncat\nasserted\n" in text
    assert "tom\ntype\nanimal\ninferred\n" in text
    assert "more" not in text
    assert "\n… and " in page(hostile().graph).text


def test_a_closure_shows_violations_rules_and_graph() -> None:
    text = page(small()).text
    assert "owl2rl" in text
    assert "cax-dw" in text
    assert "cax-sco" in text
    assert "KnowledgeGraph: 4 asserted" in text


def test_a_proof_shows_its_steps() -> None:
    text = page(proof_of(small(), EX.tom, EX.Animal)).text
    assert text.splitlines() == [
        "tom is an animal, by rule cax-sco",
        "  every cat is an animal, asserted",
        "  tom is a cat, asserted",
    ]


def test_verdicts_show_headline_and_evidence() -> None:
    for verdict in verdicts():
        found = page(verdict).text
        lines = [line.strip() for line in verdict.text().splitlines()]
        assert [line for line in lines[1:] if line not in found] == []


def test_an_audit_shows_totals_and_findings() -> None:
    assert page(conforming()).text.splitlines()[0].startswith("Audit of calm: 0 findings")
    text = page(clash()).text
    assert "no-mutual-parents\nconstraint\nviolation\n2\n" in text
    assert "violation\nBob and Ann are parents of each other\n" in text


def test_hostile_labels_are_text() -> None:
    report = hostile()
    for shown in (report, report.closure, report.graph, *(each.proof for each in report.violations)):
        found = page(shown)
        assert "script" not in found.tags
    assert HOSTILE[0] in page(report).text


def test_what_is_left_out_is_counted() -> None:
    assert table(["a"], [["x"]], total=1_001).endswith("<p>… and 1,000 more</p>")
    assert table(["a"], [], total=0) == ""
    chain = [(EX[f"n{number}"], EX.above, EX[f"n{number + 1}"]) for number in range(30)]
    closure = materialise(
        KnowledgeGraph.from_triples(chain),
        parse_rules(
            "PREFIX : <https://example.org/notebook#> RULE { ?x :above ?z } WHERE { ?x :above ?y . ?y :above ?z }"
        ),
        entailment="none",
    )
    proof = closure.proof(Triple(EX.n0, EX.above, EX.n30))
    assert proof is not None
    lines = page(proof).text.splitlines()
    assert len(lines) <= 61


def test_a_graph_as_a_frame_has_each_triple_once() -> None:
    closure = small()
    frame = closure.graph.to_pandas()
    assert list(frame.columns) == ["subject", "predicate", "object", "inferred"]
    rows = {(row.subject, row.predicate, row.object): bool(row.inferred) for row in frame.itertuples()}
    curie = closure.graph.curie
    expected = {tuple(map(curie, t)): not closure.graph.contains(t, inferred=False) for t in closure.graph.triples()}
    assert rows == expected
    assert len(closure.graph.to_pandas(inferred=False)) == 4
    assert len(KnowledgeGraph.from_triples([]).to_pandas()) == 0


def test_a_query_as_a_frame_has_python_values() -> None:
    values = [Literal(1), Literal("x"), Literal("2026-01-02", datatype=XSD.date), Literal("no", datatype=XSD.integer)]
    rows = tuple((term,) for term in (*values, EX.a, BNode("b"), None))
    frame = Table(("x",), rows).to_pandas()
    assert frame["x"].tolist() == [1, "x", datetime.date(2026, 1, 2), "no", str(EX.a), "_:b", None]
    found = select(small().graph, "SELECT ?c ?d WHERE { ex:tom a ?c OPTIONAL { ?c ex:none ?d } }", inferred=False)
    frame = found.to_pandas()
    assert list(frame.columns) == ["c", "d"]
    assert sorted(frame["c"]) == [str(EX.Cat), str(EX.Stone)]
    assert frame["d"].isna().all()


def test_an_audit_as_a_frame_has_a_row_for_each_finding() -> None:
    report = hostile()
    frame = report.to_pandas()
    assert frame["key"].tolist() == list(report.keys)
    assert frame["message"].tolist() == [finding.message for finding in report.findings]
    one, graph = audit(small()), small().graph
    (row,) = one.to_pandas().to_dict("records")
    focus = one.findings[0].focus
    assert focus is not None
    assert (row["rule"], row["focus"], row["label"]) == ("cax-dw", graph.curie(focus), graph.label(focus))
    assert conforming().to_pandas().empty


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    for shown in (small().graph, Table((), ()), clash()):
        with pytest.raises(NotSupportedError, match=r"pip install 'noesis-kg\[notebook\]'"):
            shown.to_pandas()


def test_nothing_loads_pandas_before_it_is_asked_for() -> None:
    code = "import sys, kg, engine, engine.audit, engine.symbolic, kg.notebook; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
