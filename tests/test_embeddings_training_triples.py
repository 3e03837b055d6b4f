"""Training on asserted triples or on the closure, and held-out triples that the rules entail from training."""

from __future__ import annotations

import numpy as np
import pytest
from rdflib import OWL, RDF, URIRef

from embeddings.training_triples import training_triples, without
from engine.symbolic import materialise
from kg.errors import ConfigError, InputError
from kg.graph import KnowledgeGraph

E = "http://example.org/"


def family() -> KnowledgeGraph:
    """Ann, Bob and Cid; "part of" is transitive, "knows" symmetric."""
    rows = ["a partOf b", "b partOf c", "a partOf c", "a knows b", "b knows a", "c knows a"]
    triples = [tuple(URIRef(E + word) for word in row.split()) for row in rows]
    axioms = [
        (URIRef(E + "partOf"), RDF.type, OWL.TransitiveProperty),
        (URIRef(E + "knows"), RDF.type, OWL.SymmetricProperty),
    ]
    return KnowledgeGraph.from_triples([*triples, *axioms])  # type: ignore[list-item]  # each is of three terms


def ids(graph: KnowledgeGraph, *rows: str) -> np.ndarray:
    return np.array([[graph.id(URIRef(E + word)) for word in row.split()] for row in rows], dtype=np.int32)


def test_closure_is_that_of_training_alone_and_what_it_entails_is_told_apart() -> None:
    graph = family()
    held_out = ids(graph, "a partOf c", "b knows a", "b partOf c")
    train = without(graph, held_out)
    assert len(train.asserted) == len(graph.asserted) - 3
    closed = materialise(train).graph
    asserted = training_triples(closed, held_out)
    assert set(map(tuple, asserted.rows.tolist())) == set(
        map(tuple, ids(graph, "a partOf b", "a knows b", "c knows a").tolist())
    )
    # without "b partOf c" nothing says "a partOf c" any more
    assert asserted.entailed.tolist() == [False, True, False]
    assert asserted.inferred == 0
    closure = training_triples(closed, held_out, source="closure")
    expected = ids(graph, "a partOf b", "a knows b", "c knows a", "b knows a", "a knows c")
    assert set(map(tuple, closure.rows.tolist())) == set(map(tuple, expected.tolist()))
    assert closure.inferred == 2
    assert closure.entailed.tolist() == asserted.entailed.tolist()
    assert "1 of 3 held-out ones are entailed" in str(closure)


def test_a_graph_that_still_asserts_what_is_held_out_is_refused() -> None:
    graph = family()
    with pytest.raises(InputError, match="got 1 of 1 asserted"):
        training_triples(materialise(graph).graph, ids(graph, "a partOf c"))
    with pytest.raises(ConfigError, match="asserted, closure"):
        training_triples(graph, ids(graph, "a partOf a"), source="inferred")


def test_no_held_out_triples_are_none_entailed() -> None:
    found = training_triples(family(), np.empty((0, 3), dtype=np.int32))
    assert len(found.rows) == 6
    assert found.entailed.shape == (0,)
