"""Many claims at once: the same verdicts in every chunk size and order as one by one and as fresh closures give."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, XSD, Literal, URIRef

from engine.symbolic import (
    Budget,
    Judgement,
    Reason,
    Status,
    check,
    check_ids,
    check_stream,
    materialise,
    parse_rules,
    replay,
)
from engine.symbolic.closure import Closure
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.rule_programs import EX, Case, cases
from tests.test_engine_symbolic_check import PREFIXES, by_definition, graph_of, triple

QUICK = settings(max_examples=40, derandomize=True, deadline=None)
THOROUGH = settings(max_examples=1000, derandomize=True, deadline=None)
STRANGERS = [
    Triple(URIRef(EX + "nobody"), URIRef(EX + "p0"), URIRef(EX + "a")),
    Triple(URIRef(EX + "a"), URIRef(EX + "unheard"), URIRef(EX + "b")),
    Triple(URIRef(EX + "a"), URIRef(EX + "p0"), Literal("never written")),
    Triple(URIRef(EX + "a"), URIRef(EX + "p0"), URIRef(EX + "nothing")),
    Triple(Literal(1), URIRef(EX + "p0"), URIRef(EX + "a")),
]


def said(judgement: Judgement) -> object:
    """All that tells judgements apart, proofs aside."""
    return judgement.claim, judgement.status, judgement.reason, judgement.detail, judgement.violations


def ids_of(closure: Closure, claims: list[Triple]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    found = [[closure.graph.dictionary.find(term) for term in claim] for claim in claims]
    return np.array([[-1 if id is None else id for id in row] for row in found], dtype=np.int64).reshape(-1, 3)


@given(cases(), st.integers(1, 5), st.randoms(use_true_random=False))
@QUICK
def test_chunks_duplicates_and_order_change_no_judgement(case: Case, chunk: int, random: object) -> None:
    closure = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    alone = {claim: said(check(closure, claim)[0]) for claim in [*case.claims, *STRANGERS]}
    claims = [*alone, *alone]
    random.shuffle(claims)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    wanted = [alone[claim] for claim in claims]
    assert [said(judgement) for judgement in check_stream(closure, claims, chunk=chunk)] == wanted
    assert [said(judgement) for judgement in check(closure, claims)] == wanted


@given(cases(), st.integers(1, 5))
@QUICK
def test_codes_are_the_statuses_of_the_judgements(case: Case, chunk: int) -> None:
    closure = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    claims = [
        claim
        for claim in [*case.claims, *STRANGERS]
        if not isinstance(claim.object, Literal) or closure.graph.dictionary.find(claim.object) is not None
    ]
    codes = check_ids(closure, ids_of(closure, claims), chunk=chunk)
    assert codes.dtype == np.uint8
    assert [tuple(Status)[code] for code in codes] == [judgement.status for judgement in check(closure, claims)]


CLASSES, INDIVIDUALS, PROPERTIES = ([URIRef(EX + name) for name in names] for names in ("ABCD", "xyz", "pq"))


def owl_triples() -> st.SearchStrategy[Triple]:
    """A triple of a small world: classes, properties, individuals, and axioms about them."""
    cls, individual, prop = map(st.sampled_from, (CLASSES, INDIVIDUALS, PROPERTIES))

    def about(
        subjects: st.SearchStrategy[URIRef], predicate: URIRef, objects: st.SearchStrategy[URIRef]
    ) -> st.SearchStrategy[Triple]:
        return st.builds(lambda s, o: Triple(s, predicate, o), subjects, objects)

    kinds = st.sampled_from([OWL.FunctionalProperty, OWL.TransitiveProperty, OWL.AsymmetricProperty])
    every = [
        about(individual, RDF.type, cls),
        about(individual, RDF.type, cls),
        st.builds(Triple, individual, prop, individual),
        about(cls, RDFS.subClassOf, cls),
        about(cls, OWL.disjointWith, cls),
        about(prop, RDFS.domain, cls),
        about(prop, RDFS.subPropertyOf, prop),
        about(prop, RDF.type, kinds),
        about(individual, OWL.sameAs, individual),
        about(individual, OWL.differentFrom, individual),
    ]
    return st.one_of(every)


def check_owl(triples: list[Triple], claims: list[Triple]) -> None:
    closure = materialise(KnowledgeGraph.from_triples(triples))
    for claim, judgement in zip(claims, check(closure, claims), strict=True):
        if closure.entails(claim):
            assert judgement.status is Status.ENTAILED
            continue
        if judgement.status is Status.UNKNOWN:
            assert not all(map(closure.known_term, claim))
            continue
        after = materialise(KnowledgeGraph.from_triples([*triples, claim]))
        new = set(after.violations) - set(closure.violations)
        wanted = Status.CONTRADICTED if new else Status.UNPROVEN
        assert (claim, judgement.status, set(judgement.violations)) == (claim, wanted, new)


@given(st.lists(owl_triples(), min_size=1, max_size=10, unique=True), st.lists(owl_triples(), min_size=1, max_size=6))
@QUICK
def test_schema_and_identity_claims_equal_fresh_closures(triples: list[Triple], claims: list[Triple]) -> None:
    check_owl(triples, claims)


@pytest.mark.slow
@given(st.lists(owl_triples(), min_size=1, max_size=10, unique=True), st.lists(owl_triples(), min_size=1, max_size=6))
@THOROUGH
def test_many_schema_and_identity_claims_equal_fresh_closures(triples: list[Triple], claims: list[Triple]) -> None:
    check_owl(triples, claims)


BIRDS = parse_rules(
    PREFIXES
    + """RULE :free { ?x a :Free } WHERE { ?x a :Bird NOT { ?x :cage ?y } }
         RULE :flies { ?x :flies :sky } WHERE { ?x a :Free }
         RULE :sings { ?x :sings :song } WHERE { ?x :flies ?y NOT { ?x :ill ?z } }
         RULE :silent { } WHERE { ?x a :Bird NOT { ?x :sings ?y } }
         RULE :low { } WHERE { ?x :flies ?y . ?x :below ?z }"""
)
FLOCK = ["tweety a Bird", "polly a Bird", "robin a Bird", "robin ill flu", "coco a Bird", "coco cage c", "coco below c"]


def no_fresh_closure(*_args: object, **_options: object) -> None:
    raise AssertionError("a claim was closed afresh")


def test_a_claim_that_takes_back_a_conclusion_needs_no_fresh_closure(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(list(graph_of(*FLOCK).triples()), BIRDS, [])
    closure = materialise(graph_of(*FLOCK), BIRDS, entailment="none")
    claims = [triple(f"{x} {p}") for x in ("tweety", "polly", "robin") for p in ("cage c", "ill flu", "below c")]
    wanted = [by_definition(case, claim) for claim in claims]
    monkeypatch.setattr(sys.modules["engine.symbolic.check"], "close", no_fresh_closure)
    found = check(closure, claims)
    assert [(judgement.status, set(judgement.violations)) for judgement in found] == wanted
    statuses = {str(judgement.claim).replace(EX, ""): str(judgement.status) for judgement in found}
    assert statuses == {
        "<tweety> <cage> <c>": "contradicted",
        "<tweety> <ill> <flu>": "contradicted",
        "<tweety> <below> <c>": "contradicted",
        "<polly> <cage> <c>": "contradicted",
        "<polly> <ill> <flu>": "contradicted",
        "<polly> <below> <c>": "contradicted",
        "<robin> <cage> <c>": "unproven",  # it is silent already, as it is ill
        "<robin> <ill> <flu>": "entailed",
        "<robin> <below> <c>": "contradicted",
    }


def test_a_refutation_never_rests_on_what_the_claim_takes_back() -> None:
    rules = parse_rules(
        PREFIXES
        + """RULE :free { ?x a :Free } WHERE { ?x a :Bird NOT { ?x :cage ?y } }
             RULE :tame { ?x a :Free } WHERE { ?x a :Tame }
             RULE :rare { } WHERE { ?x a :Free . ?x :cage ?y }"""
    )
    closure = materialise(graph_of("tweety a Bird", "tweety a Tame", "polly a Bird", "c a Cage"), rules)
    found = check(closure, [triple("tweety cage c"), triple("polly cage c")])
    assert [judgement.status for judgement in found] == [Status.CONTRADICTED, Status.UNPROVEN]
    refutation = found[0].refutation
    assert refutation is not None
    assert set(refutation.leaves()) == {triple("tweety a Tame"), triple("tweety cage c")}
    replay(refutation, closure.graph, closure.rules, assumed=[triple("tweety cage c")])


def test_what_a_rule_with_a_variable_predicate_gave_is_not_taken_back() -> None:
    rules = parse_rules(
        PREFIXES
        + """RULE :free { ?x :flies :sky } WHERE { ?x a :Bird NOT { ?x :cage ?y } }
             RULE :copy { ?x ?p ?y } WHERE { ?p :copied :yes . ?x :like ?y }
             RULE :grounded { } WHERE { ?x a :Bird NOT { ?x :flies ?y } }"""
    )
    flock = ["tweety a Bird", "polly a Bird", "polly like sky", "flies copied yes", "c a Cage", "coco cage c"]
    closure = materialise(graph_of(*flock), rules, entailment="none")
    claims = [triple("tweety cage c"), triple("polly cage c")]
    wanted = [by_definition(Case(list(graph_of(*flock).triples()), rules, []), claim) for claim in claims]
    found = check(closure, claims)
    assert [(judgement.status, set(judgement.violations)) for judgement in found] == wanted
    assert [judgement.status for judgement in found] == [Status.CONTRADICTED, Status.UNPROVEN]


def test_what_was_asserted_later_or_by_data_blocks_is_not_taken_back() -> None:
    rules = parse_rules(
        PREFIXES
        + """DATA { :polly :flies :sky }
             RULE :free { ?x :flies :sky } WHERE { ?x a :Bird NOT { ?x :cage ?y } }
             RULE :grounded { } WHERE { ?x a :Bird NOT { ?x :flies ?y } }"""
    )
    flock = ["tweety a Bird", "polly a Bird", "robin a Bird", "c a Cage", "coco cage c"]
    closure = materialise(graph_of(*flock), rules, entailment="none").add([triple("robin flies sky")])
    claims = [triple("tweety cage c"), triple("polly cage c"), triple("robin cage c")]
    statuses = [judgement.status for judgement in check(closure, claims)]
    assert statuses == [Status.CONTRADICTED, Status.UNPROVEN, Status.UNPROVEN]


def test_what_was_counted_is_not_taken_back() -> None:
    rules = parse_rules(
        PREFIXES
        + """RULE :free { ?x :flies ?y } WHERE { ?x a ?y . ?x :is :up NOT { ?x :cage ?z } }
             RULE :count { ?x :flies ?n } WHERE { ?x :egg ?e SET(?n := COUNT(?e)) }
             RULE :grounded { } WHERE { ?x a :Bird NOT { ?x :flies ?y } }"""
    )
    flock = ["tweety a Bird", "tweety is up", "polly a Bird", "polly is up", "polly egg e", "coco cage c"]
    closure = materialise(graph_of(*flock), rules, entailment="none")
    claims = [triple("tweety cage c"), triple("polly cage c")]
    wanted = [by_definition(Case(list(graph_of(*flock).triples()), rules, []), claim) for claim in claims]
    assert [(judgement.status, set(judgement.violations)) for judgement in check(closure, claims)] == wanted
    assert [status for status, _ in wanted] == [Status.CONTRADICTED, Status.UNPROVEN]


def test_a_not_that_the_schema_rests_on_is_closed_afresh() -> None:
    rules = parse_rules(PREFIXES + "RULE :sub { :A rdfs:subClassOf :B } WHERE { :x a :A NOT { :x :p :y } }")
    triples = ["x a A", "B disjointWith C", "z a A", "z q y"]
    closure = materialise(graph_of(*triples), rules)
    claims = [triple("x p y"), triple("z a C")]
    after = materialise(graph_of(*triples, "x p y"), rules)
    assert closure.entails(triple("z a B"))
    assert not after.entails(triple("z a B"))
    assert [judgement.status for judgement in check(closure, claims)] == [Status.UNPROVEN, Status.CONTRADICTED]


def test_a_stream_is_read_chunk_by_chunk() -> None:
    closure = materialise(graph_of("a p b", "b p c"), entailment="none")
    read: list[int] = []

    def claims() -> Iterator[Triple]:
        for number in range(100):
            read.append(number)
            yield triple("a p b" if number % 2 else "a p c")

    stream = check_stream(closure, claims(), chunk=10)
    assert read == []
    first = [next(stream).status for _ in range(11)]
    assert len(read) == 20
    assert [*first, *(judgement.status for judgement in stream)] == [Status.UNPROVEN, Status.ENTAILED] * 50


def test_check_takes_an_iterator() -> None:
    closure = materialise(graph_of("a p b", "b p c"), entailment="none")
    assert [j.status for j in check(closure, map(triple, ["a p b", "a p c"]))] == [Status.ENTAILED, Status.UNPROVEN]


def test_new_literals_of_a_long_stream_are_let_go() -> None:
    dose, ann = URIRef(EX + "dose"), URIRef(EX + "ann")
    graph = KnowledgeGraph.from_triples(
        [(dose, RDF.type, OWL.FunctionalProperty), (ann, dose, Literal("4", datatype=XSD.integer))]
    )
    closure = materialise(graph)
    claims = (Triple(ann, dose, Literal(number)) for number in range(20))
    found = list(check_stream(closure, claims, chunk=3))
    contradicted = [str(j.claim.object) for j in found if j.status is Status.CONTRADICTED]
    assert contradicted == [str(number) for number in range(20) if number != 4]
    assert [v.message for v in found[-1].violations] == [
        v.message for v in check(closure, found[-1].claim)[0].violations
    ]
    assert graph.dictionary.find(Literal(5)) is None


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100])
def test_a_budget_that_runs_out_makes_only_its_claims_unknown(chunk: int) -> None:
    chain = [f"n{i} p n{i + 1}" for i in range(30)]
    rules = parse_rules(PREFIXES + "RULE { ?x :p ?z } WHERE { ?x :p ?y . ?y :p ?z }")
    closure = materialise(graph_of(*chain, "far p away"), rules, entailment="none")
    claims = [triple(f"n{i} p far") for i in range(31)]
    budget = Budget(triples=20)
    alone = [check(closure, claim, budget=budget)[0] for claim in claims]
    found = list(check_stream(closure, claims, budget=budget, chunk=chunk))
    assert [(j.status, j.reason) for j in found] == [(j.status, j.reason) for j in alone]
    assert {j.reason for j in found} == {Reason.BUDGET, None}
    assert [j.status for j in found[:3]] == [Status.UNPROVEN] * 3


def test_ids_and_chunks_out_of_range_are_errors() -> None:
    closure = materialise(graph_of("a p b"), entailment="none")
    terms = len(closure.graph.dictionary)
    with pytest.raises(ValueError, match=r"shape \(num_claims, 3\)"):
        check_ids(closure, np.zeros((2, 2), dtype=np.int64))
    with pytest.raises(ValueError, match=f"from -1 to {terms - 1}"):
        check_ids(closure, np.array([[0, 1, terms]]))
    with pytest.raises(ValueError, match="at least one claim"):
        check_stream(closure, [], chunk=0)
    assert check_ids(closure, np.empty((0, 3), dtype=np.int64)).tolist() == []
