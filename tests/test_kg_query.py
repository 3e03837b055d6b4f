"""SPARQL in a worker, and the triples around a term."""

from __future__ import annotations

import contextlib
import gc
import json
import socket
import time

import numpy as np
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import XSD, BNode, Literal

from kg import query as query_module
from kg.columns import Columns
from kg.errors import (
    ConfigError,
    InputError,
    LimitError,
    NoesisError,
    NotSupportedError,
    SyntaxInputError,
    UnknownTermError,
)
from kg.graph import KnowledgeGraph
from kg.query import QueryLimits, Table, ask, neighbours, select
from kg.query_text import check_query
from kg.worker import Worker

EX = rdflib.Namespace("https://example.org/")
TRIPLES = [
    (EX.warfarin, EX.inhibits, EX.CYP2C9),
    (EX.aspirin, EX.inhibits, EX.CYP2C9),
    (EX.aspirin, EX.dose, Literal("01.50", datatype=XSD.decimal, normalize=False)),
    (EX.aspirin, EX.name, Literal("aspirine", lang="fr")),
    (BNode("f0b0"), EX.inhibits, EX.CYP3A4),
]


@pytest.fixture(scope="module")
def drugs() -> KnowledgeGraph:
    graph = KnowledgeGraph.from_triples(TRIPLES, prefixes={"ex": str(EX)})
    s, p, o = (np.array([graph.id(term)]) for term in (EX.CYP3A4, EX.inhibits, EX.warfarin))
    return graph.with_inferred(Columns.from_arrays(s, p, o))


def failure(graph: KnowledgeGraph, query: str, **limits: float) -> str:
    with pytest.raises(NoesisError) as caught:
        select(graph, query, limits=QueryLimits(**limits))  # type: ignore[arg-type]  # seconds and rows are numbers
    return f"{type(caught.value).__name__} {caught.value}"


# Answers --------------------------------------------------------------------------------------------------------------


def test_select_gives_the_graphs_own_terms(drugs: KnowledgeGraph) -> None:
    table = select(drugs, "SELECT ?s ?p ?o { ?s ?p ?o }", inferred=False)
    assert table.variables == ("s", "p", "o")
    assert sorted(table.rows) == sorted(TRIPLES)
    assert Literal("01.50", datatype=XSD.decimal, normalize=False).n3() in [row[2].n3() for row in table if row[2]]


def test_inferred_triples_count_unless_left_out(drugs: KnowledgeGraph) -> None:
    text = "SELECT ?o { ex:CYP3A4 ex:inhibits ?o }"
    assert select(drugs, text).rows == ((EX.warfarin,),)
    assert select(drugs, text, inferred=False).rows == ()


def test_an_unbound_variable_is_none(drugs: KnowledgeGraph) -> None:
    table = select(drugs, "SELECT ?s ?d { ?s ex:inhibits ex:CYP2C9 OPTIONAL { ?s ex:dose ?d } } ORDER BY ?d")
    assert [row[0] for row in table] == [EX.warfarin, EX.aspirin]
    assert table.to_dicts()[0] == {"s": EX.warfarin}


def test_ask(drugs: KnowledgeGraph) -> None:
    assert ask(drugs, "ASK { ex:aspirin ex:inhibits ?x }") is True
    assert ask(drugs, "ask { ex:aspirin ex:treats ?x }") is False
    assert [str(select(drugs, f"ASK {{ ?x ex:{p} ?y }}")) for p in ("dose", "treats")] == ["yes", "no"]


def test_a_table_prints_in_columns(drugs: KnowledgeGraph) -> None:
    table = select(drugs, "SELECT ?s ?n { ?s ex:name ?n }")
    assert str(table).splitlines() == [
        "?s                             ?n",
        '<https://example.org/aspirin>  "aspirine"@fr',
    ]
    assert Table(("x",), ()).to_dicts() == []


def test_computed_values_are_terms(drugs: KnowledgeGraph) -> None:
    table = select(drugs, "SELECT (COUNT(*) AS ?n) (SUM(?d) AS ?sum) { ?s ex:dose ?d ; ?p ?o }", inferred=False)
    assert [str(term) for term in table.rows[0]] == ["3", "4.5"]


NODE = st.sampled_from([EX.a, EX.b, EX.c])


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(NODE, NODE, NODE | st.sampled_from(["x", "y"]).map(Literal)), min_size=1, max_size=10),
    st.sampled_from(
        ["?s ?p ?o", "?s ?p ?s", "?s ex:a ?o . ?o ?p ?x", "?s (ex:a|ex:b)+ ?o", "?s ?p ?o FILTER(isLiteral(?o))"]
    ),
)
def test_rdflib_gives_the_same_answers(
    triples: list[tuple[rdflib.URIRef, rdflib.URIRef, rdflib.URIRef]], body: str
) -> None:
    graph = KnowledgeGraph.from_triples(triples, prefixes={"ex": str(EX)})
    text = f"SELECT * {{ {body} }}"
    theirs = graph.to_rdflib().query(text).bindings
    ours = select(graph, text).to_dicts()
    assert sorted(map(str, ({str(k): v for k, v in sorted(row.items())} for row in theirs))) == sorted(
        str(dict(sorted(row.items()))) for row in ours
    )


# The worker -----------------------------------------------------------------------------------------------------------


def test_the_store_is_kept_warm_and_ends_with_its_graph() -> None:
    graph = KnowledgeGraph.from_triples(TRIPLES, prefixes={"ex": str(EX)})
    select(graph, "ASK {}")
    first = query_module._stores.get(graph, False, QueryLimits()).worker
    select(graph, "SELECT * { ?s ?p ?o }")
    assert query_module._stores.get(graph, True, QueryLimits()).worker is first  # nothing inferred: one store for both
    del graph
    gc.collect()
    assert not first.alive


def test_a_query_that_was_killed_does_not_harm_the_next(drugs: KnowledgeGraph) -> None:
    pairs = " ".join(f"?a{i} ?b{i} ?c{i} ." for i in range(12))
    began = time.perf_counter()
    assert "an end within 0.5 s" in failure(drugs, f"SELECT (COUNT(*) AS ?n) {{ {pairs} }}", seconds=0.5)
    assert time.perf_counter() - began < 5
    assert ask(drugs, "ASK { ?s ex:dose ?o }")


def test_a_query_that_crashes_the_store_is_an_error(drugs: KnowledgeGraph) -> None:
    found = failure(drugs, f"SELECT ?s {{ ?s ?p ?o FILTER({'!' * 200_000}true) }}")
    assert found.startswith("LimitError <query>: Expected an input that fits")
    assert ask(drugs, "ASK { ?s ex:dose ?o }")


def test_too_many_rows_are_refused_not_cut(drugs: KnowledgeGraph) -> None:
    assert "add LIMIT" in failure(drugs, "SELECT * { ?s ?p ?o }", rows=3)
    assert len(select(drugs, "SELECT * { ?s ?p ?o } LIMIT 3", limits=QueryLimits(rows=3))) == 3


def test_the_worker_cannot_open_a_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        worker = Worker("kg.query_worker", {}, memory_bytes=1 << 30)
        worker.allow(20)
        worker.send(b"S")
        assert worker.receive() == (b"R", b"null")
        text = f"SELECT * {{ SERVICE <http://127.0.0.1:{server.getsockname()[1]}/> {{ ?s ?p ?o }} }}"
        worker.send(b"Q", json.dumps({"query": text, "prefixes": {}, "rows": 9}).encode())
        answers = [worker.receive()]
        while answers[-1][0] not in b"DE":
            answers.append(worker.receive())
        worker.close()
        assert answers[-1][0] == b"E"
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_graph_with_a_term_rdf_forbids_is_an_error() -> None:
    graph = KnowledgeGraph.from_triples([(EX["a b"], EX.p, EX.o)])
    with pytest.raises(InputError, match="Expected terms that RDF allows"):
        ask(graph, "ASK {}")


def test_limits_are_positive() -> None:
    with pytest.raises(ConfigError, match="rows in QueryLimits above 0"):
        QueryLimits(rows=0)


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT * { ?s foo:x ?o }", "SyntaxInputError <query>:1:20: Expected a declared prefix (got foo:)"),
        ("SELECT * {\n ?s ?p }", "SyntaxInputError <query>:2:9: Expected one of"),
        ("SELECT (?m AS ?k) (COUNT(*) AS ?n) { ?s ?p ?m }", "SyntaxInputError <query>:1:48: The SELECT contains"),
        ("SELECT * { ?s ?p <http://a b> }", "SyntaxInputError <query>:1:30: Expected a valid IRI"),
        ("SELEC * {}", "SyntaxInputError <query>:1:1: Expected SELECT or ASK (got 'SELEC'); did you mean SELECT?"),
        ("# nothing", "SyntaxInputError <query>:1:1: Expected SELECT or ASK (got no query)"),
        ("PREFIX a: <urn:a>\nconstruct {} where {}", "NotSupportedError <query>:2:1: … (got CONSTRUCT)"),
        ("DESCRIBE ex:a", "NotSupportedError <query>:1:1: … (got DESCRIBE); use `neigh"),
        ("LOAD <file:///etc/passwd>", "NotSupportedError <query>:1:1: … (got LOAD)"),
        ("DROP ALL", "NotSupportedError <query>:1:1: … (got DROP)"),
        ("SELECT *\nFROM <http://x> {}", "NotSupportedError <query>:2:1: … (got FROM)"),
        ("ASK { ?s ?p 1.SERVICE <http://x> {} }", "NotSupportedError <query>:1:15: … (got SERVICE)"),
        ("ASK { service <http://x> {} }", "NotSupportedError <query>:1:7: … (got SERVICE)"),
        ("ASK " + "{" * 99 + "}" * 99, "LimitError <query>:1:69: Expected at most 64 nested brackets"),
        ("SELECT * {}" + " " * (1 << 20), "LimitError Expected a query of at most 1048576 characters"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_word_and_its_place(drugs: KnowledgeGraph, text: str, message: str) -> None:
    assert failure(drugs, text).startswith(message.replace("…", "Expected SELECT or ASK over this graph"))


@pytest.mark.parametrize(
    "text",
    [
        'ASK { ?from ex:service "SERVICE <x> { LOAD" } # FROM <http://x>',
        "ASK { from:x <http://x/SERVICE> 'FROM' , '''it's from''' , \"a\"@from }",
        "BASE <http://x/> PREFIX load: <urn:l> ASK { load:load ?service ?load }",
    ],
)
def test_a_forbidden_word_inside_a_name_or_a_text_is_no_keyword(text: str) -> None:
    assert check_query(text) == "ASK"


@given(st.text(max_size=60))
def test_any_text_is_a_form_or_a_typed_error(text: str) -> None:
    with contextlib.suppress(SyntaxInputError, NotSupportedError, LimitError):
        assert check_query(text) in ("SELECT", "ASK")


# Neighbours -----------------------------------------------------------------------------------------------------------


def test_neighbours_come_nearest_first(drugs: KnowledgeGraph) -> None:
    one = neighbours(drugs, "ex:warfarin")
    assert set(one) == {TRIPLES[0], (EX.CYP3A4, EX.inhibits, EX.warfarin)}
    two = neighbours(drugs, "ex:warfarin", hops=2)
    assert set(two[: len(one)]) == set(one)
    assert set(two) == {*one, TRIPLES[1], TRIPLES[4]}
    assert set(neighbours(drugs, "ex:warfarin", 3, inferred=False)) == set(TRIPLES[:4])


def test_a_literal_is_an_end_and_never_a_way() -> None:
    graph = KnowledgeGraph.from_triples([(EX.a, EX.size, Literal(1)), (EX.b, EX.size, Literal(1))])
    assert neighbours(graph, EX.a, hops=5) == ((EX.a, EX.size, Literal(1)),)


def test_neighbours_of_an_unknown_term(drugs: KnowledgeGraph) -> None:
    with pytest.raises(UnknownTermError, match="warfarin"):
        neighbours(drugs, "ex:warfarine")
