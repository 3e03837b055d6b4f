"""Counterfactuals against fresh closures of the changed triples."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, URIRef, Variable

from engine.symbolic import Closure, Status, check, counterfactual, materialise, parse_rules, replay
from kg.errors import InputError
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.rule_programs import EX, LEVELS, Case, cases, triples_over

PREFIXES = f"PREFIX : <{EX}> PREFIX rdfs: <{RDFS}> PREFIX owl: <{OWL}>\n"
QUICK = settings(max_examples=100, derandomize=True, deadline=None, report_multiple_bugs=False)
THOROUGH = settings(max_examples=1000, derandomize=True, deadline=None)


def term(name: str) -> URIRef:
    return RDF.type if name == "a" else URIRef(EX + name)


def triple(text: str) -> Triple:
    return Triple(*map(term, text.split()))


def check_against_fresh_closures(case: Case, remove: list[Triple], add: list[Triple]) -> None:
    closure = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    left = [*(each for each in case.triples if each not in remove), *add]
    fresh = materialise(KnowledgeGraph.from_triples(left), case.rules, entailment="none")
    size = len(closure.graph.dictionary)
    found = counterfactual(closure, remove=remove, add=add, claims=case.claims)
    for judgement, expected in zip(found, check(fresh, case.claims), strict=True):
        assert (judgement.status, judgement.reason) == (expected.status, expected.reason)
        assert set(judgement.violations) == set(expected.violations)
        if judgement.proof is not None:
            replay(judgement.proof, judgement.closure.graph, judgement.closure.rules)
    difference = counterfactual(closure, remove=remove, add=add)
    before, after = set(closure.graph.triples()), set(fresh.graph.triples())
    assert (set(difference.lost), set(difference.gained)) == (before - after, after - before)
    assert set(difference.mended) == set(closure.violations) - set(fresh.violations)
    assert set(difference.broken) == set(fresh.violations) - set(closure.violations)
    assert len(closure.graph.dictionary) == size, "asking changes nothing"


@st.composite
def changes(draw: st.DrawFn) -> tuple[Case, list[Triple], list[Triple]]:
    """A case, some of its triples, and some others."""
    case = draw(cases())
    remove = draw(st.lists(st.sampled_from(case.triples), max_size=3, unique=True))
    return case, remove, draw(st.lists(triples_over(range(LEVELS)), max_size=2))


@given(changes())
@QUICK
def test_a_counterfactual_equals_a_fresh_closure(change: tuple[Case, list[Triple], list[Triple]]) -> None:
    check_against_fresh_closures(*change)


@pytest.mark.slow
@given(changes())
@THOROUGH
def test_many_counterfactuals_equal_fresh_closures(change: tuple[Case, list[Triple], list[Triple]]) -> None:
    check_against_fresh_closures(*change)


RULES = """
RULE :above { ?x :above ?z } WHERE { ?x :boss ?y . ?y :above ?z }
RULE :boss { ?x :above ?y } WHERE { ?x :boss ?y }
RULE :loop { } WHERE { ?x :above ?x }
"""


OFFICE = ("ann", "bob", "cyd")


@pytest.fixture(scope="module")
def office() -> Closure:
    texts = ("ann boss bob", "bob boss cyd", "cyd boss ann", "bob boss dan")
    graph = KnowledgeGraph.from_triples(map(triple, texts))
    return materialise(graph, parse_rules(PREFIXES + RULES), entailment="none")


def test_the_difference_tells_what_a_retraction_costs_and_mends(office: Closure) -> None:
    difference = counterfactual(office, remove=[triple("cyd boss ann")])
    pairs = ("ann ann", "bob ann", "bob bob", "cyd ann", "cyd bob", "cyd cyd", "cyd dan")
    lost = {triple(" above ".join(pair.split())) for pair in pairs}
    assert set(difference.lost) == {triple("cyd boss ann"), *lost}
    assert difference.gained == ()
    assert {violation.substitution[Variable("x")] for violation in difference.mended} == set(map(term, OFFICE))
    assert difference.broken == ()
    assert str(difference) == "8 triples lost, 0 gained; 3 violations mended, 0 new"
    assert set(difference.to_dict(office.graph)) == {"lost", "gained", "mended", "broken", "incomplete"}


def test_an_added_triple_with_new_terms_is_judged_and_forgotten(office: Closure) -> None:
    claims = [triple("ann above eve"), triple("eve boss ann")]
    known = [judgement.status for judgement in check(office, claims)]
    assumed = counterfactual(office, add=[triple("dan boss eve")], claims=claims)
    assert known == [Status.UNKNOWN, Status.UNKNOWN]
    assert [judgement.status for judgement in assumed] == [Status.ENTAILED, Status.CONTRADICTED]
    assert assumed[0].proof is not None
    assert triple("dan boss eve") in assumed[0].proof.leaves()
    assert [judgement.status for judgement in check(office, claims)] == known


def test_a_triple_that_is_only_inferred_cannot_be_thought_away(office: Closure) -> None:
    with pytest.raises(InputError, match="retract what it follows from"):
        counterfactual(office, remove=[triple("ann above cyd")])
