"""Proofs as Markdown, RDF, networkx, SVG and JSON: each says the same steps, and hostile labels stay text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import DCTERMS, PROV, RDF, RDFS, Graph, Literal, URIRef
from rdflib.collection import Collection
from rdflib.term import Node

from engine.symbolic import Closure, Proof, check, materialise, parse_rules
from engine.symbolic.proof_formats import inert, numbered
from engine.symbolic.proof_rdf import PROOF
from engine.symbolic.proof_svg import MAX_STEPS
from kg import KnowledgeGraph, load_graph
from kg.errors import BudgetError
from kg.terms import Triple
from tests.json_schema import faults
from tests.rule_programs import Case, cases

Told = tuple[Triple | None, str, str | None, tuple[int, ...], dict[str, Node]]
"""Conclusion, kind, rule or source, premises and substitution of a step."""
ROOT = Path(__file__).parents[1]
FAMILY = ROOT / "docs" / "examples" / "family.ttl"
EX = "https://example.org/family#"
SVG = "{http://www.w3.org/2000/svg}"
SCHEMA = json.loads((ROOT / "docs" / "proof.schema.json").read_text("utf-8"))
QUICK = settings(max_examples=25, derandomize=True, deadline=None)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "]]></text><script/>",
    "& &amp; &#60;script&#62;",
    "[click](javascript:alert(1)) ![x](http://e/x.png) http://evil.example www.evil.example",
    "`code` **bold** | # ~~x~~ \\",
    "a\u202egnp.exe\u2066 b\u200f",
    "nul\x00 bell\x07 esc\x1b[31m \x9b line\nbreak\r\n# heading",
    "\ufffe\uffff\ud800",
)


def family(rules: str = "", *triples: tuple[Node, Node, Node]) -> Closure:
    graph = load_graph(FAMILY)
    every = [*graph.triples(), *triples]
    prefixes = f"PREFIX ex: <{EX}> PREFIX sh: <http://www.w3.org/ns/shacl#>\n"
    return materialise(KnowledgeGraph.from_triples(every, prefixes=graph.prefixes), parse_rules(prefixes + rules))


def proof_of(closure: Closure, s: str, p: str, o: str) -> Proof:
    return closure.proof([URIRef(EX + name) for name in (s, p, o)])


@pytest.fixture(scope="module")
def closure() -> Closure:
    return materialise(load_graph(FAMILY))


def proofs_of(case: Case) -> list[tuple[Proof, KnowledgeGraph]]:
    closed = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    proofs = [
        closed.proof(triple) for triple in closed.graph.triples() if not closed.graph.contains(triple, inferred=False)
    ]
    return [(proof, closed.graph) for proof in [*proofs, *(violation.proof for violation in closed.violations)]]


# ---------------------------------------------------------------- Markdown


def test_markdown_of_a_proof(closure: Closure) -> None:
    graph = load_graph(FAMILY)
    closed = materialise(
        graph,
        parse_rules(f"""PREFIX ex: <{EX}>
    RULE ex:top {{ ?x a ex:Top }} WHERE {{ ?x ex:parentOf ?y FILTER(?x != ?y) NOT {{ ?z ex:parentOf ?x }} }}"""),
    )
    kind = URIRef("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
    proof = closed.proof((URIRef(EX + "ann"), kind, URIRef(EX + "Top")))
    assert (
        proof.to_markdown(closed.graph).replace(str(FAMILY), "family.ttl")
        == """**Ann is a top**

1. Ann is a parent of Bob: *asserted in family.ttl*
2. Ann is a top: *by rule top from 1*
   - where (Ann != Bob)
   - and it is not known that something is a parent of Ann
"""
    )


# ---------------------------------------------------------------- networkx


@given(cases())
@QUICK
def test_the_networkx_graph_has_the_steps_and_their_premises(case: Case) -> None:
    for proof, _ in proofs_of(case):
        found, steps = proof.to_networkx(), numbered(proof)
        assert nx.is_directed_acyclic_graph(found)
        assert [found.nodes[step.number]["conclusion"] for step in steps] == [step.proof.conclusion for step in steps]
        assert [n for n in found if found.out_degree(n) == 0] == [len(steps)]
        for step in steps:
            told = {at: n for n, _, data in found.in_edges(step.number, data=True) for at in data["positions"]}
            assert tuple(told[at] for at in range(len(told))) == step.premises
            leaf = found.nodes[step.number]["kind"] in ("asserted", "claimed")
            assert leaf == (step.proof.rule is None)


# ---------------------------------------------------------------- RDF


def steps_of(graph: Graph) -> list[Told]:
    """What an RDF proof says, by its vocabulary alone: conclusion, kind, rule or source, premises, substitution."""
    entities = sorted(graph.subjects(RDF.type, PROV.Entity), key=lambda e: int(str(e).rpartition("statement")[2]))
    number = {entity: at for at, entity in enumerate(entities, start=1)}
    found: list[Told] = []
    for entity in entities:
        parts = [graph.value(entity, p) for p in (RDF.subject, RDF.predicate, RDF.object)]
        conclusion = None if None in parts else Triple(*(part for part in parts if part is not None))
        activity = graph.value(entity, PROV.wasGeneratedBy)
        if activity is None:
            kind = "claimed" if (entity, RDF.type, PROOF.Claimed) in graph else "asserted"
            source = graph.value(entity, DCTERMS.source)
            found.append((conclusion, kind, None if source is None else str(source), (), dict[str, Node]()))
            continue
        premises = tuple(number[p] for p in Collection(graph, graph.value(activity, PROOF.premises) or RDF.nil))
        assert set(graph.objects(activity, PROV.used)) == {entities[n - 1] for n in premises}
        association = graph.value(activity, PROV.qualifiedAssociation)
        plan = graph.value(association, PROV.hadPlan)
        values = {
            str(graph.value(b, PROOF.variable)): graph.value(b, PROOF.value)
            for b in graph.objects(activity, PROOF.binding)
        }
        substitution = {name: value for name, value in values.items() if value is not None}
        found.append((conclusion, "rule", str(graph.value(plan, RDFS.label)), premises, substitution))
    return found


def told_by(proof: Proof) -> list[Told]:
    found = []
    for step in numbered(proof):
        part = step.proof
        kind = "rule" if part.rule else "claimed" if part.claimed else "asserted"
        values = {str(variable): term for variable, term in part.substitution.items()}
        found.append((part.conclusion, kind, part.rule.name if part.rule else part.source, step.premises, values))
    return found


@given(cases())
@QUICK
def test_the_rdf_of_a_proof_is_read_back_by_rdflib_and_pyoxigraph(case: Case) -> None:
    for proof, graph in proofs_of(case):
        text = proof.to_rdf(graph).serialize(format="nt")
        assert steps_of(Graph().parse(data=text, format="nt")) == told_by(proof)
        store = ox.Store()
        store.load(input=text.encode(), format=ox.RdfFormat.N_TRIPLES)
        assert len(store) == len(proof.to_rdf(graph))
        turtle = proof.to_rdf(graph).serialize(format="turtle")
        assert len(list(ox.parse(input=turtle.encode(), format=ox.RdfFormat.TURTLE))) == len(store)


def test_what_is_proved_is_not_asserted_in_the_rdf(closure: Closure) -> None:
    proof = proof_of(closure, "ann", "ancestorOf", "cyd")
    found = proof.to_rdf(closure.graph)
    assert set(found) & set(closure.graph.triples()) == set()
    assert len(list(found.subjects(RDF.type, RDF.Statement))) == len(numbered(proof))


def test_the_same_proof_has_the_same_iris(closure: Closure) -> None:
    first, second = (
        proof_of(c, "ann", "ancestorOf", "cyd").to_rdf(c.graph) for c in (closure, materialise(load_graph(FAMILY)))
    )
    assert set(first.subjects(RDF.type, PROV.Activity)) == set(second.subjects(RDF.type, PROV.Activity))


def test_the_rdf_of_a_refutation_has_the_claim_and_the_violation(closure: Closure) -> None:
    (judged,) = check(closure, (URIRef(EX + "ulm"), URIRef(EX + "parentOf"), URIRef(EX + "ann")))
    proof = judged.refutation
    assert proof is not None
    found = proof.to_rdf(closure.graph)
    assert len(list(found.subjects(RDF.type, PROOF.Claimed))) == 1
    assert len(list(found.subjects(RDF.type, URIRef("http://www.w3.org/ns/shacl#ValidationResult")))) == 1
    assert steps_of(found) == told_by(proof)


# ---------------------------------------------------------------- SVG


def texts(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@given(cases())
@QUICK
def test_the_picture_has_a_box_for_each_step_and_an_edge_for_each_premise(case: Case) -> None:
    for proof, graph in proofs_of(case):
        root = ElementTree.fromstring(proof.to_svg(graph))
        steps = numbered(proof)
        boxes = [e.find(f"{SVG}rect") for e in root.findall(f"{SVG}g")]
        assert len(boxes) == len(steps)
        assert len(root.findall(f"{SVG}path")) == sum(len(set(step.premises)) for step in steps)
        spans = [[float(box.attrib[k]) for k in ("x", "y", "width", "height")] for box in boxes if box is not None]
        width, height = (float(root.attrib[k]) for k in ("width", "height"))
        for at, (x, y, w, h) in enumerate(spans):
            assert x >= 0
            assert y >= 0
            assert x + w <= width
            assert y + h <= height
            for x2, y2, w2, h2 in spans[:at]:
                assert x >= x2 + w2 or x2 >= x + w or y >= y2 + h2 or y2 >= y + h, "no box covers another"
        for step in steps:  # premises stand above what they prove
            for premise in step.premises:
                assert spans[premise - 1][1] + spans[premise - 1][3] < spans[step.number - 1][1]


def test_the_picture_needs_nothing_from_outside(closure: Closure) -> None:
    svg = proof_of(closure, "ann", "ancestorOf", "cyd").to_svg(closure.graph)
    assert {e.tag for e in ElementTree.fromstring(svg).iter()} == {
        SVG + n for n in ("svg", "title", "rect", "g", "text", "path")
    }
    assert "href" not in svg
    assert "7. Ann is an ancestor of Cyd" in texts(svg)


def test_a_proof_with_too_many_steps_is_not_drawn() -> None:
    chain = [(URIRef(f"{EX}n{i}"), URIRef(f"{EX}next"), URIRef(f"{EX}n{i + 1}")) for i in range(MAX_STEPS)]
    rules = f"PREFIX ex: <{EX}> RULE {{ ?y a ex:R }} WHERE {{ ?x a ex:R . ?x ex:next ?y }} DATA {{ ex:n0 a ex:R }}"
    closed = materialise(KnowledgeGraph.from_triples(chain), parse_rules(rules), entailment="none")
    proof = closed.proof((URIRef(f"{EX}n{MAX_STEPS}"), RDF.type, URIRef(f"{EX}R")))
    with pytest.raises(BudgetError, match=f"at most {MAX_STEPS} steps"):
        proof.to_svg(closed.graph)
    assert proof.to_markdown(closed.graph).count("\n") == 2 * MAX_STEPS + 3
    assert proof.to_networkx().number_of_nodes() == 2 * MAX_STEPS + 1


# ---------------------------------------------------------------- hostile labels


@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_label_stays_text_in_every_format(label: str) -> None:
    closed = family("", (URIRef(EX + "ann"), URIRef("http://www.w3.org/2004/02/skos/core#prefLabel"), Literal(label)))
    proof = proof_of(closed, "ann", "ancestorOf", "cyd")
    svg, text = proof.to_svg(closed.graph), proof.to_markdown(closed.graph)
    for shown in (svg, text):
        assert [c for c in shown if not c.isprintable() and c != "\n"] == []
    assert {e.tag for e in ElementTree.fromstring(svg).iter()} == {
        SVG + n for n in ("svg", "title", "rect", "g", "text", "path")
    }
    assert all(key in _ATTRIBUTES for e in ElementTree.fromstring(svg).iter() for key in e.attrib)
    assert "<" not in text
    assert re.search(r"(?<!\\)[\[\]`~|#]|(?<!\\)://|(?<![\\a-z])www\.", text) is None, "no link, image, code or heading"
    assert len(text.splitlines()) == len(proof.to_markdown(materialise(load_graph(FAMILY)).graph).splitlines())
    if "\ud800" not in label:  # RDF has no surrogates: no serialisation can hold them
        read = Graph().parse(data=proof.to_rdf(closed.graph).serialize(format="nt"), format="nt")
        assert steps_of(read) == told_by(proof)


_ATTRIBUTES = {"role", "width", "height", "viewBox", "font-family", "font-size", "fill", "stroke", "x", "y", "rx", "d"}


@given(st.text(max_size=60))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_inert_text_is_one_printable_line(text: str) -> None:
    found = inert(text)
    assert found.isprintable()
    assert inert(found) == found
    assert "".join(c for c in text if c.isprintable()) == found.replace("\N{REPLACEMENT CHARACTER}", "") or any(
        c in text for c in "\t\r\n\N{REPLACEMENT CHARACTER}"
    )


# ---------------------------------------------------------------- JSON


@given(cases())
@QUICK
def test_the_json_of_a_proof_follows_the_published_schema(case: Case) -> None:
    for proof, graph in proofs_of(case):
        value: Any = json.loads(json.dumps(proof.to_dict(graph)))
        assert list(faults(value, SCHEMA)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"conclusion": ["a", "b"]}, "$.conclusion: 2 items"),
        ({"conclusion": "a b c"}, "$.conclusion: expected array or null"),
        ({"rule": {"name": "r"}}, "$.rule: no iri"),
        ({"extra": 1}, "$: unknown extra"),
        ({"claimed": 0}, "$.claimed: expected boolean"),
        ({"premises": [{}]}, "$.premises[0]: no conclusion"),
        ({"substitution": {"x": 1}}, "$.substitution.x: expected string"),
        ({"repeated": False}, "$.repeated: expected True"),
    ],
)
def test_the_schema_refuses_what_is_no_proof(closure: Closure, change: dict[str, Any], fault: str) -> None:
    value = {**proof_of(closure, "ann", "ancestorOf", "cyd").to_dict(closure.graph), **change}
    assert fault in list(faults(value, SCHEMA))
