"""All proofs and shortest proofs: what plain enumeration finds, in order, each accepted by the checker."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import assume, given, settings
from rdflib import OWL, RDF, RDFS, URIRef

from engine.symbolic import Budget, Closure, Proof, materialise, parse_rules, replay, weigh, weigh_all
from engine.symbolic.derivations import Target, derivations_of
from engine.symbolic.ranked import proofs_of, shortest_proof
from kg.errors import BudgetError, NotEntailedError
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.all_proofs import Enumeration, TooManyError, as_written
from tests.naive import naive_closure
from tests.rule_programs import Case, cases

EX = "https://example.org/"
PREFIXES = f"PREFIX : <{EX}> PREFIX noesis: <urn:noesis:> PREFIX sh: <http://www.w3.org/ns/shacl#>\n"
QUICK = settings(max_examples=50, derandomize=True, deadline=None)


def triple(text: str) -> Triple:
    return Triple(*(URIRef(EX + name) for name in text.split()))


def closed(text: str, *triples: str) -> Closure:
    graph = KnowledgeGraph.from_triples(map(triple, triples))
    return materialise(graph, parse_rules(PREFIXES + text), entailment="none")


@given(cases())
@QUICK
def test_the_proofs_are_those_of_a_plain_enumeration_smallest_first(case: Case) -> None:
    closure = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    facts = naive_closure(case.triples, case.rules.rules)
    enumeration = Enumeration(case.triples, case.rules, facts)
    try:
        wanted = {t: list(enumeration.proofs(t)) for t in facts}
        refuted = [list(enumeration.refutations(v.constraint, v.substitution.items())) for v in closure.violations]
    except TooManyError:
        assume(False)
    targets: list[Target] = [*wanted, *closure.violations]
    for target, expected in zip(targets, [*wanted.values(), *refuted], strict=True):
        proofs = list(closure.proofs(target))
        found = [as_written(proof) for proof in proofs]
        assert Counter(found) == Counter(expected)
        sizes = [(proof.applications, proof.depth) for proof in found]
        assert sizes == sorted(sizes)
        shortest = as_written(shortest_proof(closure, target))
        assert (shortest.applications, shortest.depth) == sizes[0]
        for proof in proofs[:20]:
            replay(proof, closure.graph, closure.rules)


TWO_WAYS = """RULE :direct { ?x :above ?y } WHERE { ?x :boss ?y }
              RULE :far { ?x :above ?z } WHERE { ?x :above ?y . ?y :above ?z }"""


def test_the_shortest_proof_may_not_be_the_first_one_found() -> None:
    rules = """RULE :q { ?x :q ?y } WHERE { ?x :p ?y }
               RULE :next { ?z :at ?y } WHERE { ?x :at ?y . ?x :to ?z }
               RULE :wide { ?x :at ?a } WHERE { ?x :q ?a . ?x :q ?b . ?x :q ?c NOT { ?a :q ?a } }"""
    closure = closed(rules, "c p d", "a at d", "a to b", "b to c")
    assert as_written(closure.proof(triple("c at d"))).applications == 4
    assert as_written(closure.proof(triple("c at d"), shortest=True)).applications == 2
    assert [as_written(proof).applications for proof in closure.proofs(triple("c at d"))] == [2, 4]


def test_every_way_up_a_hierarchy_is_told_once() -> None:
    closure = closed(TWO_WAYS, "a boss b", "b boss c", "c boss d")
    found = [as_written(proof) for proof in closure.proofs(triple("a above d"))]
    assert [proof.applications for proof in found] == [5, 5]
    assert len(set(found)) == 2
    assert [proof.depth for proof in found] == [3, 3]


def test_a_triple_that_is_asserted_and_inferred_has_both_proofs() -> None:
    closure = closed(TWO_WAYS, "a boss b", "a above b")
    assert [as_written(p).rule for p in closure.proofs(triple("a above b"))] == [None, URIRef(EX + "direct")]


def test_rules_that_say_the_same_give_proofs_of_their_own() -> None:
    closure = closed("RULE :one { ?x :q ?y } WHERE { ?x :p ?y } RULE :two { ?a :q ?b } WHERE { ?a :p ?b }", "a p b")
    named = {as_written(proof).rule for proof in closure.proofs(triple("a q b"))}
    assert named == {URIRef(EX + "one"), URIRef(EX + "two")}


def test_schema_triples_that_say_the_same_give_proofs_of_their_own() -> None:
    a, b, x = (URIRef(EX + name) for name in "ABx")
    schema = [Triple(a, RDFS.subClassOf, b), Triple(a, OWL.equivalentClass, b)]
    closure = materialise(KnowledgeGraph.from_triples([*schema, Triple(x, RDF.type, a)]))
    proofs = list(closure.proofs(Triple(x, RDF.type, b), 50))
    assert {proof.rule.name for proof in proofs if proof.rule} >= {"cax-sco", "cax-eqc1"}
    for proof in proofs:
        replay(proof, closure.graph, closure.rules)


def test_a_new_blank_node_is_proved_by_the_rule_that_made_it() -> None:
    closure = closed("RULE :new { [] :of ?x } WHERE { ?x :p ?y } RULE :other { [] :of ?x } WHERE { ?x :p ?y }", "a p b")
    made = list(closure.graph.triples(None, URIRef(EX + "of")))
    assert len(made) == 2
    found = [[as_written(proof).rule for proof in closure.proofs(each)] for each in made]
    assert sorted(found) == [[URIRef(EX + "new")], [URIRef(EX + "other")]]


def test_a_limit_ends_the_proofs_and_says_so() -> None:
    closure = closed(TWO_WAYS, *(f"n{i} boss n{i + 1}" for i in range(12)))
    proofs = closure.proofs(triple("n0 above n12"), 100)
    found = [as_written(proof) for proof in proofs]
    assert len(set(found)) == 100
    assert {proof.applications for proof in found} == {23}
    assert proofs.incomplete is not None
    assert min(proof.depth for proof in found) == found[0].depth == 5
    one = closure.proofs(triple("n0 above n1"))
    assert (len(list(one)), one.incomplete) == (1, None)


def test_the_first_proofs_of_many_come_at_once() -> None:
    """Catalan(39), about 10²¹, ways to put 40 edges together."""
    closure = closed(TWO_WAYS, *(f"n{i} boss n{i + 1}" for i in range(40)))
    first = list(itertools.islice(closure.proofs(triple("n0 above n40")), 3))
    assert [as_written(proof).applications for proof in first] == [79, 79, 79]


def test_a_long_chain_has_its_proof_without_recursion() -> None:
    rules = "RULE :next { ?y a :Reached } WHERE { ?x a :Reached . ?x :p ?y }"
    graph = [
        *(triple(f"n{i} p n{i + 1}") for i in range(1500)),
        Triple(URIRef(EX + "n0"), RDF.type, URIRef(EX + "Reached")),
    ]
    closure = materialise(KnowledgeGraph.from_triples(graph), parse_rules(PREFIXES + rules), entailment="none")
    last = Triple(URIRef(EX + "n1500"), RDF.type, URIRef(EX + "Reached"))
    (proof,) = closure.proofs(last)
    assert replay(proof, closure.graph, closure.rules) == 3001
    assert replay(closure.proof(last, shortest=True), closure.graph, closure.rules) == 3001


def test_a_budget_that_runs_out_is_told() -> None:
    closure = closed(TWO_WAYS, *(f"n{i} boss n{i + 1}" for i in range(12)))
    far = triple("n0 above n12")
    for budget in (Budget(substitutions=20), Budget(triples=20), Budget(rounds=1), Budget(seconds=0.0)):
        assert derivations_of(closure, far, budget=budget).incomplete is not None
        with pytest.raises(BudgetError, match="raise the budget"):
            shortest_proof(closure, far, budget=budget)
        proofs = proofs_of(closure, far, 5, budget=budget)
        for proof in proofs:
            replay(proof, closure.graph, closure.rules)
        assert proofs.incomplete is not None


def test_what_does_not_follow_has_no_proofs() -> None:
    closure = closed(TWO_WAYS, "a boss b")
    with pytest.raises(NotEntailedError):
        closure.proofs(triple("b above a"))
    with pytest.raises(NotEntailedError):
        closure.proof(triple("b above unheard"), shortest=True)


def test_a_violation_has_a_proof_for_each_way_to_break_the_constraint() -> None:
    rules = TWO_WAYS + "RULE :loop { [] a sh:ValidationResult } WHERE { ?x :above ?x . ?x :above [] }"
    closure = closed(rules, "a boss b", "b boss a")
    violation = closure.violations[0]
    proofs: list[Proof] = list(closure.proofs(violation))
    assert {proof.conclusion for proof in proofs} == {None}
    assert len({as_written(proof) for proof in proofs}) == len(proofs) > 1
    for proof in proofs:
        replay(proof, closure.graph, closure.rules)
    with pytest.raises(NotEntailedError):
        closed(TWO_WAYS, "a boss b").proofs(violation)


def test_an_aggregate_is_proved_by_the_whole_of_its_group() -> None:
    rules = """RULE :n { ?x :friends ?n } WHERE { ?x :knows ?y SET(?n := COUNT(?y)) }
               RULE :k { ?x :knows ?y } WHERE { ?x :met ?y } RULE :k2 { ?x :knows ?y } WHERE { ?x :saw ?y }
               DATA { :n noesis:weight 0.5 }"""
    closure = closed(rules, "a met b", "a saw b", "a met c", "b met c")
    (counted,) = closure.graph.triples(URIRef(EX + "a"), URIRef(EX + "friends"))
    proofs = list(closure.proofs(counted))
    assert [len(proof.premises) for proof in proofs] == [2, 2]
    for proof in proofs:
        replay(proof, closure.graph, closure.rules)
    weights = {triple("a met b"): 0.25, triple("a saw b"): 0.75, triple("a met c"): 0.5}
    assert weigh(closure, [counted], weights=weights)[0].value == pytest.approx(0.5 * 0.75 * 0.5)
    assert weigh_all(closure, weights=weights)[counted] == pytest.approx(0.5 * 0.75 * 0.5)


def test_triple_terms_in_heads_and_bodies_are_proved() -> None:
    rules = """RULE :say { ?x :says <<( ?y :likes ?z )>> } WHERE { ?x :knows ?y . ?y :likes ?z }
               RULE :believe { ?y :likedBy ?x } WHERE { ?x :says <<( ?y :likes ?z )>> }"""
    closure = closed(rules, "a knows b", "b likes c", "b likes d")
    proofs = list(closure.proofs(triple("b likedBy a")))
    assert [as_written(proof).applications for proof in proofs] == [2, 2]
    assert {leaf for proof in proofs for leaf in proof.leaves()} == set(
        map(triple, ("a knows b", "b likes c", "b likes d"))
    )
    for proof in proofs:
        replay(proof, closure.graph, closure.rules)
    assert (
        weigh_all(closure, weights={triple("b likes c"): 0.5, triple("b likes d"): 0.25})[triple("b likedBy a")] == 0.5
    )


def test_where_data_is_proved_from_the_graph_alone() -> None:
    rules = """RULE :seen { ?x :seen ?y } WHERE DATA { ?x :p ?y } RULE :q { ?x :p ?y } WHERE { ?x :q ?y }
               DATA { :c :p :d }"""
    closure = closed(rules, "a p b", "a q b", "e q f")
    (proof,) = closure.proofs(triple("a seen b"))
    assert as_written(proof).applications == 1
    assert len(list(closure.proofs(triple("a p b")))) == 2
    assert weigh_all(closure, weights={triple("a p b"): 0.5})[triple("a seen b")] == 0.5
