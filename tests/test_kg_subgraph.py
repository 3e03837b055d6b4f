"""Grounding: what is kept, what is left out, what leaks never; and the axioms behind it."""

from __future__ import annotations

import gc
import weakref

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, Literal, Namespace
from rdflib.term import Node

from kg.columns import Columns
from kg.errors import ConfigError
from kg.graph import KnowledgeGraph
from kg.property_axioms import PropertyAxioms
from kg.subgraph import Subgraph, SubgraphIndex, ground

EX = Namespace("https://example.org/")


def graph_of(text: str) -> KnowledgeGraph:
    """A graph from lines of three local names: `warfarin treats af`; `a` is rdf:type, a number a literal."""
    triples = []
    for line in text.strip().splitlines():
        s, p, o = line.split()
        triples.append((term(s), term(p), Literal(int(o)) if o.isdigit() else term(o)))
    return KnowledgeGraph.from_triples(triples)


def term(name: str) -> Node:
    known: dict[str, Node] = {
        "a": RDF.type,
        "subClassOf": RDFS.subClassOf,
        "subPropertyOf": RDFS.subPropertyOf,
        "inverseOf": OWL.inverseOf,
        "label": RDFS.label,
        "SymmetricProperty": OWL.SymmetricProperty,
        "Class": OWL.Class,
    }
    return known.get(name, EX[name])


def ids(graph: KnowledgeGraph, *names: str) -> list[int]:
    return [graph.id(term(name)) for name in names]


def names(graph: KnowledgeGraph, found: Subgraph) -> list[str]:
    return [str(graph.dictionary.term(int(node))).removeprefix(str(EX)) for node in found.nodes]


def edges(graph: KnowledgeGraph, found: Subgraph) -> set[tuple[str, str, str]]:
    short = [tuple(str(t).removeprefix(str(EX)) for t in triple) for triple in found.triples(graph)]
    assert len(short) == len(set(short))
    return {(s, p, o) for s, p, o in short}


DRUGS = """
warfarin metabolisedBy CYP2C9
fluconazole inhibits CYP2C9
fluconazole treats candidiasis
warfarin treats af
af subtypeOf arrhythmia
apixaban treats af
warfarin maximumDose 10
CYP2C9 a Enzyme
Enzyme a Class
warfarin interactsWith fluconazole
fluconazole interactsWith warfarin
interactsWith a SymmetricProperty
raisesLevelOf subPropertyOf interactsWith
raisesLevelOf inverseOf levelRaisedBy
"""


def test_the_seeds_come_first_then_the_path_between_them() -> None:
    graph = graph_of(DRUGS)
    claim = ids(graph, "warfarin", "interactsWith", "fluconazole")
    found = ground(graph, ids(graph, "fluconazole", "warfarin"), without=(claim[0], claim[1], claim[2]))
    assert names(graph, found)[:3] == ["fluconazole", "warfarin", "CYP2C9"]
    assert set(names(graph, found)) == {
        "fluconazole", "warfarin", "CYP2C9", "Enzyme", "candidiasis", "af", "arrhythmia", "apixaban",
    }  # fmt: skip


def test_all_edges_among_the_nodes_are_there_and_literals_and_schema_are_not() -> None:
    graph = graph_of(DRUGS)
    found = ground(graph, ids(graph, "warfarin", "CYP2C9"), hops=1)
    assert edges(graph, found) == {
        ("warfarin", "metabolisedBy", "CYP2C9"),
        ("fluconazole", "inhibits", "CYP2C9"),
        ("warfarin", "treats", "af"),
        ("CYP2C9", str(RDF.type), "Enzyme"),
        ("warfarin", "interactsWith", "fluconazole"),
        ("fluconazole", "interactsWith", "warfarin"),
    }


def test_arrays_have_the_promised_types_and_shapes() -> None:
    graph = graph_of(DRUGS)
    found = ground(graph, ids(graph, "warfarin"))
    n = len(found.head)
    arrays = (found.nodes, found.head, found.tail, found.relation, found.inferred)
    assert [str(array.dtype) for array in arrays] == ["int32", "int64", "int64", "int64", "bool"]
    assert [array.shape for array in arrays[1:]] == [(n,)] * 4
    assert n > 0


def test_an_inferred_edge_is_marked() -> None:
    graph = graph_of("x p y\ny p z")
    x, p, y, z = ids(graph, "x", "p", "y", "z")
    closed = graph.with_inferred(Columns.from_arrays(np.array([x]), np.array([p]), np.array([z])))
    found = ground(closed, [x, y, z])
    heads, tails = found.nodes[found.head].tolist(), found.nodes[found.tail].tolist()
    assert set(zip(heads, tails, found.inferred.tolist(), strict=True)) == {(x, y, False), (y, z, False), (x, z, True)}


@pytest.mark.parametrize(
    ("claim", "gone"),
    [
        # A symmetric claim takes its mirror image with it.
        (("warfarin", "interactsWith", "fluconazole"), {"interactsWith"}),
        # A claim takes what follows from it (superproperty, inverse), not what it may follow from.
        (("fluconazole", "raisesLevelOf", "warfarin"), {"raisesLevelOf", "levelRaisedBy", "interactsWith"}),
        (("warfarin", "levelRaisedBy", "fluconazole"), {"raisesLevelOf", "levelRaisedBy", "interactsWith"}),
    ],
)
def test_the_claim_and_its_restatements_are_left_out(claim: tuple[str, str, str], gone: set[str]) -> None:
    graph = graph_of(DRUGS + "fluconazole raisesLevelOf warfarin\nwarfarin levelRaisedBy fluconazole")
    s, p, o = ids(graph, *claim)
    seeds = ids(graph, "warfarin", "fluconazole")
    between = {("warfarin", "fluconazole"), ("fluconazole", "warfarin")}

    def said(found: Subgraph) -> set[str]:
        return {p for s, p, o in edges(graph, found) if (s, o) in between}

    every = {"interactsWith", "raisesLevelOf", "levelRaisedBy"}
    assert said(ground(graph, seeds)) == every
    assert said(ground(graph, seeds, without=(s, p, o))) == every - gone


def test_a_path_between_seeds_is_kept_where_the_budget_holds_nothing_else() -> None:
    crowd = "\n".join(f"x{i} memberOf hub\nm1 knows x{i}" for i in range(300))
    graph = graph_of(f"{crowd}\nm1 r m2\nm2 r m3\nm3 r end")
    assert set(names(graph, ground(graph, ids(graph, "end", "m1"), max_nodes=4))) == {"end", "m1", "m2", "m3"}


def test_a_hub_does_not_flood_the_budget() -> None:
    crowd = "\n".join(f"x{i} memberOf hub" for i in range(1000))
    own = "\n".join(f"seed knows friend{i}" for i in range(10))
    graph = graph_of(f"{crowd}\n{own}\nseed memberOf hub")
    kept = names(graph, ground(graph, ids(graph, "seed"), max_nodes=12))
    assert set(kept) == {"seed", "hub"} | {f"friend{i}" for i in range(10)}


def test_of_two_paths_the_one_through_the_less_linked_term_comes_first() -> None:
    crowd = "\n".join(f"x{i} memberOf hub" for i in range(50))
    graph = graph_of(f"{crowd}\none memberOf hub\ntwo memberOf hub\none r rare\ntwo r rare")
    assert names(graph, ground(graph, ids(graph, "one", "two"), max_nodes=3)) == ["one", "two", "rare"]


def test_hops_bound_the_distance() -> None:
    graph = graph_of("n0 r n1\nn1 r n2\nn2 r n3\nn3 r n4")
    seeds = ids(graph, "n0")
    found = {hops: set(names(graph, ground(graph, seeds, hops=hops))) for hops in range(4)}
    assert found == {hops: {f"n{i}" for i in range(hops + 1)} for hops in range(4)}


def test_seeds_without_edges_or_unknown_stand_alone() -> None:
    graph = graph_of("a1 r b1\nlonely label 5")
    lonely = graph.id(EX.lonely)
    found = ground(graph, [lonely, 10_000, lonely])
    assert (found.nodes.tolist(), found.head.tolist()) == ([lonely, 10_000], [])


def test_a_graph_without_edges_gives_the_seeds() -> None:
    found = ground(graph_of("x label 1"), [0], without=(0, 1, 2))
    assert (found.nodes.tolist(), found.relation.tolist()) == ([0], [])


@pytest.mark.parametrize("arguments", [{"seeds": []}, {"seeds": [0, 1], "max_nodes": 1}, {"seeds": [0], "hops": -1}])
def test_a_budget_that_cannot_hold_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"Expected 1 to \d+ seeds"):
        SubgraphIndex(graph_of("a1 r b1")).ground(**arguments)  # type: ignore[arg-type]  # wrong on purpose


def test_the_kept_index_goes_with_its_graph() -> None:
    graph = graph_of("a1 r b1")
    ground(graph, [0])
    gone = weakref.ref(graph)
    del graph
    gc.collect()
    assert gone() is None


def test_to_dict_names_terms_and_relations() -> None:
    graph = graph_of("a1 r b1")
    graph.prefixes["ex"] = str(EX)
    assert ground(graph, [0]).to_dict(graph) == {
        "nodes": [{"term": "ex:a1", "label": "a1"}, {"term": "ex:b1", "label": "b1"}],
        "edges": [{"head": 0, "relation": "ex:r", "tail": 1, "inferred": False}],
    }


# Properties against networkx -------------------------------------------------------------------------------------

random_triples = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 2), st.integers(0, 11)), min_size=1, max_size=40, unique=True
)


def random_graph(rows: list[tuple[int, int, int]]) -> KnowledgeGraph:
    return KnowledgeGraph.from_triples([(EX[f"n{h}"], EX[f"r{r}"], EX[f"n{t}"]) for h, r, t in rows])


@given(random_triples, st.integers(0, 3), st.integers(2, 14), st.data())
def test_grounding_agrees_with_networkx(
    rows: list[tuple[int, int, int]], hops: int, max_nodes: int, data: st.DataObject
) -> None:
    graph = random_graph(rows)
    triples = [tuple(row) for row in graph.entity_triples().tolist()]
    nodes = sorted({end for h, _, t in triples for end in (h, t)})
    seeds = data.draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=2, unique=True))
    without = data.draw(st.none() | st.sampled_from(triples))
    found = ground(graph, seeds, hops=hops, max_nodes=max_nodes, without=without)

    plain = networkx.Graph([(h, t) for h, r, t in triples if (h, r, t) != without])
    plain.add_nodes_from(nodes)
    near = {n for seed in seeds for n in networkx.single_source_shortest_path_length(plain, seed, cutoff=hops)}
    chosen = found.nodes.tolist()
    assert chosen[: len(seeds)] == seeds
    assert len(chosen) == len(set(chosen)) == min(max_nodes, len(near | set(seeds)))
    assert set(chosen) <= near
    kept = zip(found.nodes[found.head].tolist(), found.relation.tolist(), found.nodes[found.tail].tolist(), strict=True)
    assert sorted(kept) == sorted(t for t in triples if {t[0], t[2]} <= set(chosen) and t != without)
    if len(seeds) == 2 and networkx.has_path(plain, *seeds):
        path = networkx.shortest_path(plain, *seeds)
        if len(path) - 1 <= 2 * hops and len(path) <= max_nodes:
            inside = plain.subgraph(chosen)
            assert networkx.shortest_path_length(inside, *seeds) == len(path) - 1


@given(random_triples, st.integers(0, 11))
def test_grounding_is_the_same_for_every_order_of_the_triples(rows: list[tuple[int, int, int]], node: int) -> None:
    def seen(graph: KnowledgeGraph) -> set[tuple[str, str, str]]:
        at = graph.dictionary.find(EX[f"n{node}"])
        return set() if at is None else edges(graph, ground(graph, [at]))

    assert seen(random_graph(rows)) == seen(random_graph(rows[::-1]))


# Axioms ----------------------------------------------------------------------------------------------------------


def test_restatements_follow_inverse_symmetric_and_superproperty_and_end_on_cycles() -> None:
    graph = graph_of(
        "p subPropertyOf q\nq subPropertyOf p\nq inverseOf r\n"
        "s a SymmetricProperty\np subPropertyOf s\nt subPropertyOf p"
    )
    p, q, r, s = ids(graph, "p", "q", "r", "s")
    axioms = PropertyAxioms.of(graph)
    assert axioms.restatements(100, p, 200) == {
        (100, p, 200),
        (100, q, 200),
        (200, r, 100),
        (100, s, 200),
        (200, s, 100),
    }
    assert axioms.restatements(1, 999, 2) == {(1, 999, 2)}
