"""Saving: what is written is read back, and a failure leaves the old file."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import rdflib
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdflib import XSD, BNode, Literal, URIRef
from rdflib.compare import isomorphic

from kg.columns import Columns
from kg.errors import InputError, MissingFileError
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from kg.save import save_graph

EX = rdflib.Namespace("https://example.org/")
SUFFIXES = [".ttl", ".nt", ".nq", ".trig", ".rdf", ".jsonld", ".ttl.gz"]
# XML 1.0 cannot hold these characters at all, whatever the escape.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=10)
IRI = st.sampled_from("abc").map(lambda name: EX[name])
NODE = IRI | st.sampled_from("xy").map(BNode)
LITERAL = st.one_of(
    TEXT.map(Literal),
    TEXT.map(lambda text: Literal(text, lang="en")),
    st.sampled_from(["1", "01", "one"]).map(lambda text: Literal(text, datatype=XSD.integer, normalize=False)),
)
GRAPHS = st.lists(st.tuples(NODE, IRI, NODE | LITERAL), min_size=1, max_size=8).map(
    lambda triples: KnowledgeGraph.from_triples(triples, prefixes={"ex": str(EX)})
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=GRAPHS)
def test_a_saved_graph_loads_the_same(tmp_path: Path, suffix: str, graph: KnowledgeGraph) -> None:
    path = tmp_path / f"graph{suffix}"
    save_graph(graph, path)
    assert isomorphic(load_graph(path).to_rdflib(), graph.to_rdflib())


def test_lexical_forms_and_prefixes_survive(tmp_path: Path) -> None:
    literal = Literal("01", datatype=XSD.integer, normalize=False)
    graph = KnowledgeGraph.from_triples([(EX.a, EX.p, literal)], prefixes={"ex": str(EX), "not ascii": "urn:x:"})
    save_graph(graph, tmp_path / "g.ttl")
    loaded = load_graph(tmp_path / "g.ttl")
    assert [t.object.n3() for t in loaded.triples()] == [f'"01"^^<{XSD.integer}>']
    assert loaded.prefixes == {name: ns for name, ns in graph.prefixes.items() if name != "not ascii"}


@pytest.mark.parametrize("suffix", [".ttl", ".nt.gz"])
def test_the_same_graph_gives_the_same_bytes_in_any_order(tmp_path: Path, suffix: str) -> None:
    triples = [(URIRef(f"urn:{s}"), URIRef(f"urn:{p}"), URIRef(f"urn:{o}")) for s in "ab" for p in "cd" for o in "ab"]
    first = KnowledgeGraph.from_triples(triples)
    save_graph(first, tmp_path / f"one{suffix}")
    save_graph(
        KnowledgeGraph(first.dictionary, Columns.from_arrays(*(a[::-1] for a in first.asserted.arrays()))),
        tmp_path / f"two{suffix}",
    )
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_inferred_triples_are_saved_unless_left_out(tmp_path: Path) -> None:
    graph = KnowledgeGraph.from_triples([(EX.a, EX.p, EX.b)])
    a, p, b = (np.array([graph.id(term)]) for term in (EX.a, EX.p, EX.b))
    closed = graph.with_inferred(Columns.from_arrays(b, p, a))
    save_graph(closed, tmp_path / "all.nt")
    save_graph(closed, tmp_path / "asserted.nt", inferred=False)
    assert [len((tmp_path / f"{name}.nt").read_text().splitlines()) for name in ("all", "asserted")] == [2, 1]


def test_a_format_by_name_needs_no_suffix(tmp_path: Path) -> None:
    save_graph(KnowledgeGraph.from_triples([(EX.a, EX.p, EX.b)]), tmp_path / "graph", format="ntriples")
    assert (tmp_path / "graph").read_text() == f"<{EX.a}> <{EX.p}> <{EX.b}> .\n"


def test_a_failed_save_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "g.rdf"
    path.write_text("old")
    unwritable = KnowledgeGraph.from_triples([(EX.a, URIRef("https://example.org/not a name"), EX.b)])
    with pytest.raises(InputError, match="not a name"):
        save_graph(unwritable, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["g.rdf"]
    assert path.read_text() == "old"


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "g.nt"
    path.write_text("old")
    path.chmod(0o640)
    save_graph(KnowledgeGraph.from_triples([(EX.a, EX.p, EX.b)]), path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_packed_file_has_no_date_and_no_name(tmp_path: Path) -> None:
    save_graph(KnowledgeGraph.from_triples([(EX.a, EX.p, EX.b)]), tmp_path / "g.nt.gz")
    data = (tmp_path / "g.nt.gz").read_bytes()
    assert (data[3], data[4:8]) == (0, b"\0\0\0\0")
    assert gzip.decompress(data).decode() == f"<{EX.a}> <{EX.p}> <{EX.b}> .\n"


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    graph = KnowledgeGraph.from_triples([(EX.a, EX.p, EX.b)])
    with pytest.raises(MissingFileError, match="make it first"):
        save_graph(graph, tmp_path / "no" / "g.ttl")
    with pytest.raises(InputError, match="Expected a suffix among"):
        save_graph(graph, tmp_path / "g.csv")
    (tmp_path / "folder.ttl").mkdir()
    with pytest.raises(InputError, match="a folder"):
        save_graph(graph, tmp_path / "folder.ttl")
