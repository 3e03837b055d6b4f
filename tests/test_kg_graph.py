"""`KnowledgeGraph`: names, labels, triples, and the views of other libraries."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import rdflib
from rdflib import RDF, RDFS, SKOS, BNode, Literal, URIRef
from rdflib.compare import isomorphic

import kg
from kg.columns import Columns
from kg.errors import UnknownTermError
from kg.graph import KnowledgeGraph
from kg.terms import Triple

EX = rdflib.Namespace("https://example.org/")
FACTS = [
    (EX.warfarin, RDF.type, EX.Drug),
    (EX.warfarin, EX.inhibits, EX.CYP2C9),
    (EX.aspirin, EX.inhibits, EX.CYP2C9),
    (EX.warfarin, RDFS.label, Literal("warfarin")),
    (EX.warfarin, SKOS.altLabel, Literal("Coumadin")),
    (EX.warfarin, SKOS.prefLabel, Literal("Warfarin", lang="en")),
    (EX.warfarin, EX.dose, Literal("5.0", datatype=rdflib.XSD.decimal, normalize=False)),
    (BNode("b"), EX.inhibits, EX.CYP2C9),
]


@pytest.fixture
def drugs() -> KnowledgeGraph:
    graph = KnowledgeGraph.from_triples(FACTS, prefixes={"ex": str(EX)})
    ids = [graph.id(EX.CYP2C9), graph.id(EX.inhibits), graph.id(EX.aspirin)]
    return graph.with_inferred(Columns.from_arrays(*(np.array([id]) for id in ids)))


INFERRED = (EX.CYP2C9, EX.inhibits, EX.aspirin)


def test_every_exported_name_is_there() -> None:
    assert sorted(kg.__all__) == kg.__all__
    assert [name for name in kg.__all__ if not hasattr(kg, name)] == []


def test_importing_the_package_loads_neither_torch_nor_rdflib() -> None:
    code = "import kg, sys; print(sorted({'torch', 'rdflib', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_using_the_package_loads_no_torch() -> None:
    code = "import kg, sys; [getattr(kg, name) for name in kg.__all__]; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'load_grap'"):
        kg.load_grap  # noqa: B018 (the access is what is tested)


@pytest.mark.parametrize("name", ["ex:warfarin", "<https://example.org/warfarin>", str(EX.warfarin), EX.warfarin])
def test_a_term_has_many_names(drugs: KnowledgeGraph, name: str) -> None:
    assert drugs.term(name) == EX.warfarin
    assert drugs.curie(drugs.term(name)) == "ex:warfarin"


def test_an_undeclared_prefix_names_the_nearest(drugs: KnowledgeGraph) -> None:
    with pytest.raises(UnknownTermError) as caught:
        drugs.term("exx:warfarin")
    assert caught.value.nearest == ("ex",)


def test_labels_come_in_order_of_preference(drugs: KnowledgeGraph) -> None:
    assert drugs.labels(EX.warfarin) == ("Warfarin", "warfarin", "Coumadin")
    assert (drugs.label(EX.warfarin), drugs.label(EX.hasQtRisk)) == ("Warfarin", "has qt risk")


def test_a_pattern_gives_asserted_then_inferred(drugs: KnowledgeGraph) -> None:
    assert set(drugs.triples(predicate="ex:inhibits", inferred=False)) == {t for t in FACTS if t[1] == EX.inhibits}
    assert list(drugs.triples(predicate="ex:inhibits"))[-1] == INFERRED
    assert list(drugs.triples("ex:warfarin", object="ex:CYP2C9")) == [(EX.warfarin, EX.inhibits, EX.CYP2C9)]
    assert list(drugs.triples("ex:nothing")) == []


def test_contains_and_source(drugs: KnowledgeGraph) -> None:
    assert [drugs.contains(INFERRED), drugs.contains(INFERRED, inferred=False)] == [True, False]
    assert drugs.contains(Triple(EX.warfarin, EX.inhibits, EX.nothing)) is False
    assert drugs.source(INFERRED) is None


def test_relations_and_entities_leave_out_labels_types_and_literals(drugs: KnowledgeGraph) -> None:
    assert [drugs.dictionary.term(i) for i in drugs.relation_ids.tolist()] == [EX.inhibits]
    assert {drugs.dictionary.term(i) for i in drugs.entity_ids.tolist()} == {
        EX.warfarin,
        EX.aspirin,
        EX.CYP2C9,
        BNode("b"),
    }


def test_an_rdflib_graph_comes_back_the_same() -> None:
    graph = rdflib.Graph()
    graph.bind("ex", EX)
    for triple in FACTS:
        graph.add(triple)
    ours = KnowledgeGraph.from_rdflib(graph)
    assert ours.prefixes["ex"] == str(EX)
    assert isomorphic(ours.to_rdflib(), graph)


def test_to_rdflib_takes_inferred_triples_on_request(drugs: KnowledgeGraph) -> None:
    assert (INFERRED in drugs.to_rdflib(), INFERRED in drugs.to_rdflib(inferred=False)) == (True, False)
    assert len(drugs.to_rdflib()) == len(drugs)


def test_a_dataset_keeps_its_named_graphs() -> None:
    dataset = rdflib.Dataset()
    dataset.graph(EX.g1).add((EX.a, EX.p, EX.b))
    dataset.graph(EX.g2).add((EX.a, EX.p, EX.c))
    dataset.default_graph.add((EX.a, EX.p, EX.d))
    ours = KnowledgeGraph.from_rdflib(dataset)
    assert {str(t.object): ours.source(t) for t in ours.triples()} == {
        str(EX.b): str(EX.g1),
        str(EX.c): str(EX.g2),
        str(EX.d): None,
    }
    assert ours.sources == (str(EX.g1), str(EX.g2))
    assert set(ours.to_dataset().quads()) == set(dataset.quads())


def test_inferred_triples_and_files_are_named_graphs_of_a_dataset(drugs: KnowledgeGraph) -> None:
    dataset = drugs.to_dataset()
    assert list(dataset.graph(URIRef("urn:noesis:inferred"))) == [INFERRED]
    s, p, o = (np.array([drugs.id(term)]) for term in (EX.aspirin, EX.inhibits, EX.CYP2C9))
    named = KnowledgeGraph(drugs.dictionary, Columns.from_arrays(s, p, o, np.array([0])), sources=["my file.ttl"])
    assert [str(quad[3]) for quad in named.to_dataset().quads()] == ["urn:noesis:source:my%20file.ttl"]


def test_networkx_has_an_edge_for_each_triple(drugs: KnowledgeGraph) -> None:
    edges: set[tuple[object, ...]] = set(drugs.to_networkx().edges(keys=True, data="inferred"))
    assert edges == {(s, o, p, False) for s, p, o in FACTS} | {(EX.CYP2C9, EX.aspirin, EX.inhibits, True)}
    assert drugs.to_networkx(inferred=False).number_of_edges() == len(FACTS)


def test_pyg_has_the_relations_between_entities(drugs: KnowledgeGraph) -> None:
    data = drugs.to_pyg()
    nodes, relations = data.node_id.tolist(), data.relation_id.tolist()
    edges: set[tuple[object, ...]] = {
        (*(drugs.dictionary.term(i) for i in (nodes[h], relations[r], nodes[t])), derived)
        for (h, t), r, derived in zip(
            data.edge_index.T.tolist(), data.edge_type.tolist(), data.inferred.tolist(), strict=True
        )
    }
    assert edges == {(*t, False) for t in FACTS if t[1] == EX.inhibits} | {(*INFERRED, True)}
    assert data.num_nodes == len(drugs.entity_ids)
    assert drugs.to_pyg(inferred=False).num_edges == 3


def test_an_empty_graph_has_empty_views() -> None:
    empty = KnowledgeGraph.from_triples([])
    assert (len(empty), len(empty.to_rdflib()), empty.to_networkx().number_of_nodes()) == (0, 0, 0)
    assert tuple(empty.to_pyg().edge_index.shape) == (2, 0)
