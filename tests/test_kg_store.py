"""The rdflib view over the columns: reads all, writes nothing."""

from __future__ import annotations

import pytest
import rdflib
from hypothesis import given
from hypothesis import strategies as st
from rdflib import RDF, Literal

from kg.errors import NotSupportedError
from kg.graph import KnowledgeGraph
from kg.store import open_graph

EX = rdflib.Namespace("https://example.org/")
TERM = st.sampled_from([EX.a, EX.b, EX.c])
TRIPLES = st.lists(st.tuples(TERM, TERM, TERM | st.just(Literal("x", lang="en"))), min_size=1, max_size=12)


@given(TRIPLES, st.none() | TERM, st.none() | TERM, st.none() | TERM)
def test_the_view_answers_as_an_rdflib_graph(
    triples: list[tuple[rdflib.URIRef, rdflib.URIRef, rdflib.URIRef]],
    s: rdflib.URIRef | None,
    p: rdflib.URIRef | None,
    o: rdflib.URIRef | None,
) -> None:
    plain = rdflib.Graph()
    for triple in triples:
        plain.add(triple)
    view = open_graph(KnowledgeGraph.from_triples(triples))
    assert sorted(view.triples((s, p, o))) == sorted(plain.triples((s, p, o)))
    assert len(view) == len(plain)


@pytest.fixture
def view() -> rdflib.Graph:
    return open_graph(KnowledgeGraph.from_triples([(EX.a, RDF.type, EX.C)], prefixes={"ex": str(EX)}))


def test_rdflib_functions_work_on_the_view(view: rdflib.Graph) -> None:
    assert list(view.subjects(RDF.type, EX.C)) == [EX.a]
    assert view.query("SELECT ?x { ?x a ex:C }").bindings == [{rdflib.Variable("x"): EX.a}]
    assert "ex:a a ex:C" in view.serialize(format="turtle")


def test_a_prefix_bound_in_the_view_stays_in_the_view() -> None:
    graph = KnowledgeGraph.from_triples([(EX.a, RDF.type, EX.C)])
    view = open_graph(graph)
    view.bind("mine", EX)
    assert dict(view.namespaces())["mine"] == rdflib.URIRef(str(EX))
    assert "mine" not in graph.prefixes


@pytest.mark.parametrize(
    "write",
    [
        lambda view: view.add((EX.a, EX.p, EX.b)),
        lambda view: view.addN([(EX.a, EX.p, EX.b, view)]),
        lambda view: view.remove((None, None, None)),
        lambda view: view.update("INSERT DATA { ex:a ex:p ex:b }"),
        lambda view: view.parse(data="<urn:a> <urn:b> 1 .", format="turtle"),
    ],
    ids=["add", "addN", "remove", "update", "parse"],
)
def test_a_write_is_refused_with_a_remedy(view: rdflib.Graph, write: object) -> None:
    assert callable(write)
    with pytest.raises(NotSupportedError, match="to_rdflib"):
        write(view)
    assert list(view) == [(EX.a, RDF.type, EX.C)]
