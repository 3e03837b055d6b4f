"""Closures made on a torch device against those of the CPU, which other tests compare with plain Python."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, URIRef, Variable

from engine.symbolic import Budget, kernels_torch, materialise, parse_rules
from engine.symbolic.closure import Closure
from engine.symbolic.replay import replay
from engine.symbolic.rules import Atom, Constraint, Rule, RuleSet
from kg.errors import ConfigError
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.plain_programs import EX, plain_programs, predicates

CASES = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WITHOUT_GPU = not torch.cuda.is_available()
devices = pytest.mark.parametrize(
    "device",
    ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(WITHOUT_GPU, reason="no CUDA device")])],
)
pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30)


def name(local: str) -> URIRef:
    return URIRef(EX + local)


@st.composite
def programs(draw: st.DrawFn) -> tuple[RuleSet, list[Triple]]:
    """Plain rules, perhaps a transitive one, and a constraint, with a small graph."""
    plain, triples = draw(plain_programs())
    rules = list(plain.rules)
    x, y, z = map(Variable, "xyz")
    if draw(st.booleans()):
        p = draw(predicates)
        rules.append(Rule(name("transitive"), (Atom(x, p, z),), (Atom(x, p, y), Atom(y, p, z))))
    clash = Constraint(name("clash"), (), (Atom(x, RDF.type, name("C")), Atom(x, RDF.type, name("D"))))
    return RuleSet(tuple(rules), (clash,)), triples


def same(first: Closure, second: Closure) -> None:
    """Both have the same triples and violations, and the second has a proof of each inferred triple and violation."""
    assert set(first.graph.triples()) == set(second.graph.triples())
    assert first.matches == second.matches
    for ids in zip(*second.graph.inferred.arrays(), strict=True):
        triple = second.graph.decode(*map(int, ids))
        proof = second.proof(triple)
        assert proof.conclusion == triple
        replay(proof, second.graph, second.rules)
    for violation in second.violations:
        replay(violation.proof, second.graph, second.rules)


@devices
@given(case=programs(), piece=st.sampled_from([1, 3, 1 << 24]))
@CASES
def test_plain_programs_have_the_closure_of_the_cpu(
    monkeypatch: pytest.MonkeyPatch, device: str, case: tuple[RuleSet, list[Triple]], piece: int
) -> None:
    monkeypatch.setattr(kernels_torch, "PIECE", piece)
    graph = KnowledgeGraph.from_triples(case[1])
    same(materialise(graph, case[0], entailment="none"), materialise(graph, case[0], entailment="none", device=device))


@given(edges=pairs, piece=st.integers(1, 40))
@CASES
def test_reach_gives_the_paths_of_two_edges_or_more(
    monkeypatch: pytest.MonkeyPatch, edges: list[tuple[int, int]], piece: int
) -> None:
    monkeypatch.setattr(kernels_torch, "PIECE", piece)
    known = set(edges)
    while more := {(a, d) for (a, b), (c, d) in product(known, known) if b == c} - known:
        known |= more
    rows = torch.tensor(sorted(set(edges)), dtype=torch.int64).reshape(-1, 2)
    keys = kernels_torch.packed(rows[:, 0], rows[:, 1])
    expected = sorted(known - set(edges))
    found = kernels_torch.reach(keys, len(expected), lambda: None)
    assert found is not None
    assert [(key >> 32, key & 0xFFFFFFFF) for key in found.tolist()] == expected
    if expected:
        assert kernels_torch.reach(keys, len(expected) - 1, lambda: None) is None


@devices
def test_a_schema_and_rules_that_are_not_plain_give_the_same(device: str) -> None:
    people = [name(f"n{number}") for number in range(8)]
    triples = [Triple(a, name("parent"), b) for a, b in pairwise(people)]
    triples += [
        Triple(name("parent"), RDFS.subPropertyOf, name("above")),
        Triple(name("above"), RDF.type, OWL.TransitiveProperty),
        Triple(name("parent"), RDFS.domain, name("Person")),
        Triple(name("Person"), RDFS.subClassOf, name("Animal")),
    ]
    rules = parse_rules(
        f"PREFIX : <{EX}> RULE {{ ?x :childless true }} WHERE {{ ?y :parent ?x NOT {{ ?x :parent ?z }} }}"
        f"RULE {{ ?x :related ?y }} WHERE {{ ?z :above ?x . ?z :above ?y FILTER(?x != ?y) }}"
    )
    graph = KnowledgeGraph.from_triples(triples)
    same(materialise(graph, rules), materialise(graph, rules, device=device))


@devices
def test_a_budget_that_runs_out_marks_the_closure(device: str) -> None:
    p, q, x, y, z = name("p"), name("q"), *map(Variable, "xyz")
    hub = KnowledgeGraph.from_triples([Triple(name(f"n{number}"), p, name("hub")) for number in range(20)])
    pairs_of = RuleSet((Rule(name("pairs"), (Atom(x, q, y),), (Atom(x, p, z), Atom(y, p, z))),))
    few = materialise(hub, pairs_of, entailment="none", device=device, budget=Budget(substitutions=50))
    assert few.incomplete == "rule 'pairs': a join gives more than 50 substitutions"
    some = materialise(hub, pairs_of, entailment="none", device=device, budget=Budget(triples=10))
    assert some.incomplete == "more than 10 triples were inferred"
    late = materialise(hub, pairs_of, entailment="none", device=device, budget=Budget(seconds=0))
    assert late.incomplete == "0 seconds were not enough"
    large = materialise(hub, pairs_of, entailment="none", device=device, budget=Budget(bytes=1))
    assert large.incomplete is not None
    chain = KnowledgeGraph.from_triples([Triple(name(f"n{n}"), p, name(f"n{n + 1}")) for n in range(9)])
    path = RuleSet((Rule(name("path"), (Atom(x, p, z),), (Atom(x, p, y), Atom(y, p, z))),))
    part = materialise(chain, path, entailment="none", device=device, budget=Budget(triples=35))
    assert part.incomplete == "more than 35 triples were inferred"
    whole = materialise(chain, path, entailment="none", device=device, budget=Budget(triples=36))
    assert (whole.incomplete, len(whole.graph.inferred)) == (None, 36)
    left = RuleSet(
        (
            Rule(name("q"), (Atom(x, q, z),), (Atom(x, p, z),)),
            Rule(name("step"), (Atom(x, q, z),), (Atom(x, q, y), Atom(y, p, z))),
        )
    )
    rounds = materialise(chain, left, entailment="none", device=device, budget=Budget(rounds=2))
    assert rounds.incomplete == "2 rounds were not enough"


def test_a_device_that_is_not_there_is_named_with_those_that_are() -> None:
    graph = KnowledgeGraph.from_triples([Triple(name("a"), name("p"), name("b"))])
    with pytest.raises(ConfigError, match=r"one of cpu.*got 'cuda:99'"):
        materialise(graph, device="cuda:99")
    with pytest.raises(ConfigError, match=r"one of cpu.*got 'abacus'"):
        materialise(graph, device="abacus")
