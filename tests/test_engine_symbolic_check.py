"""Claims in worlds against fresh closures, and each status with its evidence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from rdflib import OWL, RDF, RDFS, XSD, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic import Budget, Judgement, Reason, Status, Violation, check, materialise, parse_rules, replay
from engine.symbolic.closure import Closure
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.rule_programs import EX, Case, cases

PREFIXES = f"PREFIX : <{EX}> PREFIX rdfs: <{RDFS}> PREFIX owl: <{OWL}> PREFIX sh: <http://www.w3.org/ns/shacl#>\n"
QUICK = settings(max_examples=50, derandomize=True, deadline=None)
THOROUGH = settings(max_examples=1000, derandomize=True, deadline=None)
NAMES = {"a": RDF.type, "subClassOf": RDFS.subClassOf, "disjointWith": OWL.disjointWith, "sameAs": OWL.sameAs}


def term(name: str) -> Node:
    return NAMES.get(name, URIRef(EX + name))


def triple(text: str) -> Triple:
    """A triple written `s p o`; `a`, `subClassOf`, `disjointWith` and `sameAs` are the vocabulary's."""
    s, p, o = text.split()
    return Triple(URIRef(EX + s), term(p), term(o))


def graph_of(*triples: str) -> KnowledgeGraph:
    return KnowledgeGraph.from_triples(map(triple, triples))


def judged(closure: Closure, claim: str) -> Judgement:
    return check(closure, triple(claim))[0]


def by_definition(case: Case, claim: Triple) -> tuple[Status, set[Violation]]:
    """The status, and what the claim would break, from two closures."""
    before = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    after = materialise(KnowledgeGraph.from_triples([*case.triples, claim]), case.rules, entailment="none")
    if before.entails(claim):
        return Status.ENTAILED, set()
    new = set(after.violations) - set(before.violations)
    return Status.CONTRADICTED if new else Status.UNPROVEN, new


def check_against_fresh_closures(case: Case) -> None:
    closure = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    before = len(closure.graph.dictionary), len(closure.state.program.rules)
    for claim, judgement in zip(case.claims, check(closure, case.claims), strict=True):
        if judgement.status is Status.UNKNOWN:
            assert judgement.reason is Reason.TERM_NOT_IN_GRAPH
            assert any(not closure.known_term(term) for term in claim)
        else:
            assert (judgement.status, set(judgement.violations)) == by_definition(case, claim)
        if judgement.status is Status.ENTAILED:
            assert judgement.proof is not None
            replay(judgement.proof, closure.graph, closure.rules)
        assert (judgement.refutation is not None) == (judgement.status is Status.CONTRADICTED)
        if judgement.refutation and not any(rule.negations for rule in case.rules):
            assert claim in judgement.refutation.leaves()
            replay(judgement.refutation, closure.graph, closure.rules, assumed=[claim])
    assert (len(closure.graph.dictionary), len(closure.state.program.rules)) == before, "checking changes nothing"


@given(cases())
@QUICK
def test_check_equals_a_fresh_closure_on_random_programs(case: Case) -> None:
    check_against_fresh_closures(case)


@pytest.mark.slow
@given(cases())
@THOROUGH
def test_check_equals_a_fresh_closure_on_many_random_programs(case: Case) -> None:
    check_against_fresh_closures(case)


@given(cases())
@QUICK
def test_worlds_never_mix(case: Case) -> None:
    closure = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    together = check(closure, case.claims)
    alone = [check(closure, claim)[0] for claim in case.claims]
    assert [(j.status, j.violations) for j in together] == [(j.status, j.violations) for j in alone]


def test_a_chunk_over_its_budget_is_split_so_that_claims_do_not_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [f"n{i} p n{i + 1}" for i in range(9)]
    rules = parse_rules(PREFIXES + "RULE { ?x :p ?z } WHERE { ?x :p ?y . ?y :p ?z }")
    closure = materialise(graph_of(*chain, "far p away"), rules, entailment="none")
    claims = [triple("away p n0"), triple("away p n9"), triple("n9 p far"), triple("n5 p away")]
    found = check(closure, claims, budget=Budget(triples=15))
    statuses = [Status.UNKNOWN, Status.UNPROVEN, Status.UNKNOWN, Status.UNPROVEN]
    assert [judgement.status for judgement in found] == statuses
    assert {judgement.reason for judgement in found} == {Reason.BUDGET, None}


FAMILY = """
RULE :grandparent { ?x :grandparent ?z } WHERE { ?x :parent ?y . ?y :parent ?z }
RULE :self { [] a sh:ValidationResult ; sh:resultSeverity sh:Violation ; sh:resultMessage "{?x} is its own parent" }
WHERE { ?x :parent ?x }
RULE :two { [] a sh:ValidationResult ; sh:resultSeverity sh:Warning ; sh:resultMessage "{?x} has a double role" }
WHERE { ?x :parent ?y . ?x :grandparent ?y }
"""


@pytest.fixture(scope="module")
def family() -> Closure:
    return materialise(graph_of("ann parent bob", "bob parent cyd", "dan knows ann"), parse_rules(PREFIXES + FAMILY))


def test_an_entailed_claim_has_a_proof_to_asserted_triples(family: Closure) -> None:
    judgement = judged(family, "ann grandparent cyd")
    assert judgement.status is Status.ENTAILED
    assert judgement.proof is not None
    assert judgement.proof.leaves() == (triple("ann parent bob"), triple("bob parent cyd"))
    assert judgement.disputed_by == ()


def test_a_contradicted_claim_has_a_refutation_with_the_claim_as_leaf(family: Closure) -> None:
    judgement = judged(family, "bob parent bob")
    assert judgement.status is Status.CONTRADICTED
    assert [violation.message for violation in judgement.violations] == [
        "bob is its own parent",  # the violation first, then the warnings, by substitution
        "ann has a double role",
        "bob has a double role",
        "bob has a double role",
    ]
    assert judgement.refutation is not None
    assert judgement.refutation.conclusion is None
    assert judgement.refutation.leaves() == (triple("bob parent bob"),)


def test_a_warning_does_not_refute(family: Closure) -> None:
    judgement = judged(family, "ann parent cyd")
    assert (judgement.status, judgement.refutation) == (Status.UNPROVEN, None)
    assert [violation.message for violation in judgement.violations] == ["ann has a double role"]


def test_what_is_consistent_and_absent_is_unproven(family: Closure) -> None:
    assert judged(family, "cyd parent dan").status is Status.UNPROVEN


@pytest.mark.parametrize("claim", ["ann parent eve", "eve parent ann", "ann loves bob"])
def test_a_term_that_is_not_in_the_graph_makes_a_claim_unknown(family: Closure, claim: str) -> None:
    judgement = judged(family, claim)
    assert (judgement.status, judgement.reason) == (Status.UNKNOWN, Reason.TERM_NOT_IN_GRAPH)
    assert next(name for name in ("eve", "loves") if name in claim) in judgement.detail


@pytest.mark.parametrize(
    "claim",
    [
        (Literal("ann"), URIRef(EX + "parent"), URIRef(EX + "bob")),
        (URIRef(EX + "ann"), Literal("parent"), URIRef(EX + "bob")),
        (URIRef(EX + "ann"), URIRef(EX + "parent"), Variable("x")),
    ],
)
def test_what_is_no_triple_is_unknown_and_no_crash(family: Closure, claim: tuple[Node, Node, Node]) -> None:
    (judgement,) = check(family, claim)
    assert (judgement.status, judgement.reason) == (Status.UNKNOWN, Reason.INVALID_TRIPLE)


def test_a_claim_of_two_terms_is_an_error(family: Closure) -> None:
    with pytest.raises(ValueError, match="three terms"):
        check(family, [(URIRef(EX + "ann"), URIRef(EX + "parent"))])


def test_a_new_literal_is_checked_by_its_value() -> None:
    graph = KnowledgeGraph.from_triples(
        [
            (term("dose"), RDF.type, OWL.FunctionalProperty),
            (term("ann"), term("dose"), Literal("4000", datatype=XSD.integer)),
        ]
    )
    closure = materialise(graph)
    found = check(closure, [(term("ann"), term("dose"), Literal(n)) for n in (4000, 5000)])
    assert [judgement.status for judgement in found] == [Status.ENTAILED, Status.CONTRADICTED]
    assert graph.dictionary.find(Literal(5000)) is None


@pytest.mark.parametrize(
    ("claim", "status"),
    [
        ("B disjointWith C", Status.CONTRADICTED),
        ("D subClassOf C", Status.CONTRADICTED),
        ("C subClassOf A", Status.UNPROVEN),
        ("A subClassOf C", Status.ENTAILED),
        ("x sameAs y", Status.CONTRADICTED),
    ],
)
def test_schema_claims_get_the_verdict_of_a_fresh_closure(claim: str, status: Status) -> None:
    closure = materialise(graph_of("A subClassOf B", "B subClassOf C", "C disjointWith D", "x a A", "y a D"))
    judgement = judged(closure, claim)
    assert judgement.status is status
    if judgement.refutation is not None:
        assert triple(claim) in judgement.refutation.leaves()


def test_a_claim_that_takes_away_what_a_not_rests_on_is_closed_afresh() -> None:
    rules = parse_rules(
        PREFIXES
        + """RULE :free { ?x a :Free } WHERE { ?x a :Bird NOT { ?x :cage ?y } }
             RULE :sad { } WHERE { ?x a :Bird NOT { ?x a :Free } }"""
    )
    closure = materialise(graph_of("tweety a Bird", "polly a Bird", "c a Thing"), rules, entailment="none")
    judgement = judged(closure, "tweety cage c")
    assert judgement.status is Status.CONTRADICTED
    assert [violation.constraint.name for violation in judgement.violations] == ["sad"]


def test_a_claim_that_would_make_rules_unstratifiable_is_unknown() -> None:
    closure = materialise(
        graph_of("q subPropertyOf q", "a p b"),
        parse_rules(PREFIXES + "RULE { ?x :q ?y } WHERE { ?x :p ?y NOT { ?x :r ?y } }"),
    )
    claim = Triple(URIRef(EX + "q"), RDFS.subPropertyOf, URIRef(EX + "r"))
    (judgement,) = check(closure, claim)
    assert (judgement.status, judgement.reason) == (Status.UNKNOWN, Reason.NOT_STRATIFIABLE)


def test_an_entailed_claim_is_disputed_by_violations_that_share_a_premise() -> None:
    closure = materialise(graph_of("A subClassOf B", "B disjointWith C", "x a A", "x a C", "y a A"))
    assert judged(closure, "x a B").disputed_by == closure.violations
    assert len(closure.violations) == 1
    assert judged(closure, "y a B").disputed_by == ()


def test_an_inconsistent_graph_still_answers() -> None:
    closure = materialise(graph_of("A subClassOf B", "B disjointWith C", "x a A", "x a C", "y a A"))
    found = {claim: judged(closure, claim).status for claim in ("x a B", "y a C", "y a B", "A p C")}
    assert found == {
        "x a B": Status.ENTAILED,
        "y a C": Status.CONTRADICTED,
        "y a B": Status.ENTAILED,
        "A p C": Status.UNKNOWN,
    }


def test_an_incomplete_closure_proves_but_never_says_unproven() -> None:
    rules = parse_rules(PREFIXES + "RULE { ?x :p ?z } WHERE { ?x :p ?y . ?y :q ?z }")
    closure = materialise(graph_of("a p b", "b q c", "c q d"), rules, entailment="none", budget=Budget(rounds=1))
    assert closure.incomplete
    found = [(judged(closure, claim).status, judged(closure, claim).reason) for claim in ("a p b", "a p c", "a p d")]
    unknown = (Status.UNKNOWN, Reason.INCOMPLETE_CLOSURE)
    assert found == [(Status.ENTAILED, None), (Status.ENTAILED, None), unknown]


def test_no_claims_no_judgements(family: Closure) -> None:
    assert check(family, []) == []


def test_a_judgement_is_json_ready(family: Closure) -> None:
    found = judged(family, "bob parent bob").to_dict(family.graph)
    assert (found["status"], found["reason"], found["proof"]) == ("contradicted", None, None)
    assert found["violations"][0]["message"] == "bob is its own parent"
