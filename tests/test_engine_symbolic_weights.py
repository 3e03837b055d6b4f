"""Weights: equal to a plain sum over all well-founded proofs, in every semiring, with rule weights from the text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rdflib import URIRef

from engine.symbolic import Budget, Closure, RuleSet, materialise, parse_rules, replay, ruleset_text
from engine.symbolic.semiring import ADD_PRODUCT, BOOLEAN, MAX_PRODUCT, TopProofs
from engine.symbolic.weights import weigh
from kg.errors import ConfigError, RuleError
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.all_proofs import Enumeration, TooManyError, Written, as_written
from tests.naive import naive_closure
from tests.rule_programs import Case, cases

EX = "https://example.org/"
PREFIXES = f"PREFIX : <{EX}> PREFIX noesis: <urn:noesis:> PREFIX sh: <http://www.w3.org/ns/shacl#>\n"
QUICK = settings(max_examples=50, derandomize=True, deadline=None)
NUMBERS = [0.0, 0.1, 0.25, 0.5, 0.7, 0.9, 1.0]


def triple(text: str) -> Triple:
    return Triple(*(URIRef(EX + name) for name in text.split()))


def closed(text: str, *triples: str) -> Closure:
    graph = KnowledgeGraph.from_triples(map(triple, triples))
    return materialise(graph, parse_rules(PREFIXES + text), entailment="none")


@st.composite
def weighted(draw: st.DrawFn) -> tuple[Case, dict[Triple, float]]:
    """A random program whose rules have weights, and weights of some of its triples."""
    case = draw(cases())
    numbers = st.sampled_from(NUMBERS[1:])
    rules = tuple(replace(rule, weight=draw(numbers)) for rule in case.rules.rules)
    weights = {t: draw(st.sampled_from(NUMBERS)) for t in case.triples if draw(st.booleans())}
    return case._replace(rules=RuleSet(rules, case.rules.constraints)), weights


@dataclass(frozen=True)
class Fuzzy:
    """The weakest part of the strongest proof: a semiring of a caller's own."""

    zero: float = 0.0
    one: float = 1.0
    absorptive: bool = True

    def plus(self, a: float, b: float) -> float:
        return max(a, b)

    def times(self, a: float, b: float) -> float:
        return min(a, b)

    def lift(self, weight: Any) -> float:
        return float(weight)


@dataclass(frozen=True)
class Counting:
    """How many proofs there are, as an exact integer; weights other than 0 count as 1."""

    zero: int = 0
    one: int = 1
    absorptive: bool = False

    def plus(self, a: int, b: int) -> int:
        return a + b

    def times(self, a: int, b: int) -> int:
        return a * b

    def lift(self, weight: Any) -> int:
        return int(weight > 0)


def parts(proof: Written) -> Iterable[Written]:
    """The asserted triples and the rule applications of a proof, one for each use."""
    yield proof
    for premise in proof.premises:
        yield from parts(premise)


@given(weighted())
@QUICK
def test_weights_are_a_plain_sum_over_all_proofs(program: tuple[Case, dict[Triple, float]]) -> None:
    case, weights = program
    closure = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    facts = sorted(naive_closure(case.triples, case.rules.rules))
    enumeration = Enumeration(case.triples, case.rules, set(facts))
    try:
        proofs = [list(enumeration.proofs(t)) for t in facts]
    except TooManyError:
        assume(False)
    of_rule = {rule.iri: rule.weight for rule in case.rules.rules}

    def weight(part: Written) -> float:
        leaf = part.conclusion is not None and part.rule is None
        return weights.get(part.conclusion, 1.0) if leaf and part.conclusion else of_rule[part.rule]

    products = [[math.prod(map(weight, parts(proof))) for proof in found] for found in proofs]
    once = [[math.prod(map(weight, set(parts(proof)))) for proof in found] for found in proofs]
    weakest = [max(min(map(weight, parts(proof))) for proof in found) for found in proofs]

    def values(semiring: Any) -> list[Any]:
        found = weigh(closure, facts, weights=weights, semiring=semiring)
        assert {item.incomplete for item in found} <= {None}
        return [item.value for item in found]

    assert values(BOOLEAN) == [max(found) > 0 for found in products]
    assert values(MAX_PRODUCT) == pytest.approx([max(found) for found in products])
    assert values(ADD_PRODUCT) == pytest.approx([sum(found) for found in products])
    assert values(Fuzzy()) == weakest
    assert values(Counting()) == [sum(product > 0 for product in found) for found in products]
    for k, expected, best in ((3, products, TopProofs(3)), (2, once, TopProofs(2, count_once=True))):
        for value, every in zip(values(best), expected, strict=True):
            assert value == pytest.approx(sorted(every, reverse=True)[:k])


@given(weighted())
@QUICK
def test_the_best_proofs_have_the_weights_that_are_given(program: tuple[Case, dict[Triple, float]]) -> None:
    case, weights = program
    closure = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    facts = list(closure.graph.triples())
    of_rule = {rule.iri: rule.weight for rule in case.rules.rules}

    def product(proof: Written) -> float:
        own = weights.get(proof.conclusion, 1.0) if proof.rule is None and proof.conclusion else of_rule[proof.rule]
        return own * math.prod(map(product, proof.premises))

    for item in weigh(closure, facts, weights=weights):
        assert item.proof is not None
        assert product(as_written(item.proof)) == pytest.approx(item.value)
        assert item.proof.conclusion == item.target
        replay(item.proof, closure.graph, closure.rules)
    for several in weigh(closure, facts, weights=weights, semiring=TopProofs(3)):
        found = list(map(as_written, several.proofs))
        assert list(map(product, found)) == pytest.approx(list(several.value))
        assert len(set(found)) == len(found)
    for counted in weigh(closure, facts, weights=weights, semiring=ADD_PRODUCT):
        assert counted.proof is not None


FAMILY = """RULE :direct { ?x :above ?y } WHERE { ?x :boss ?y }
            RULE :far { ?x :above ?z } WHERE { ?x :above ?y . ?y :above ?z }
            DATA { :far noesis:weight 0.5 }"""


def test_a_rule_has_the_weight_of_its_text_unless_another_is_given() -> None:
    closure = closed(FAMILY, "a boss b", "b boss c")
    asked = [triple("a above b"), triple("a above c"), triple("c above a")]
    weights = {triple("a boss b"): 0.8}
    assert [item.value for item in weigh(closure, asked, weights=weights)] == pytest.approx([0.8, 0.4, 0.0])
    given = weigh(closure, asked, weights=weights, rule_weights={URIRef(EX + "far"): 0.25})
    assert [item.value for item in given] == pytest.approx([0.8, 0.2, 0.0])
    far = next(rule for rule in closure.rules if rule.name == "far")
    assert weigh(closure, asked[1:2], rule_weights={far: 1.0}, default=0.5)[0].value == pytest.approx(0.25)
    assert weigh(closure, asked)[2].proofs == ()


def test_the_weights_of_rules_are_printed_and_read_again() -> None:
    text = PREFIXES + FAMILY + " RULE :c { } WHERE { ?x :above ?x } DATA { :c noesis:weight 1.0e-7 ; :note 'kept' }"
    rules = parse_rules(text)
    assert {rule.name: rule.weight for rule in rules} == {"direct": 1.0, "far": 0.5, "c": 1e-7}
    assert rules.data == (Triple(URIRef(EX + "c"), URIRef(EX + "note"), rules.data[0].object),)
    assert parse_rules(ruleset_text(rules)) == rules


@pytest.mark.parametrize("weight", ["1.5", "-0.1", "'much'", ":one", "0.1 , 0.2", "'nan'"])
def test_a_rule_weight_outside_its_range_is_refused_with_its_place(weight: str) -> None:
    text = f"PREFIX : <{EX}> PREFIX noesis: <urn:noesis:>\n\nRULE :r {{ ?x :q ?y }} WHERE {{ ?x :p ?y }}\n"
    with pytest.raises(RuleError, match=r"rules\.srl:3: .*one weight in \[0, 1\] for rule 'r'"):
        parse_rules(f"{text}DATA {{ :r noesis:weight {weight} }}", file="rules.srl")


def test_weights_that_would_be_ignored_are_refused() -> None:
    closure = closed(FAMILY, "a boss b")
    for weights in ({triple("a above b"): 0.5}, {triple("a boss unheard"): 0.5}):
        with pytest.raises(ConfigError, match="assert the triple first"):
            weigh(closure, [triple("a above b")], weights=weights)
    with pytest.raises(ConfigError, match=r"in \[0, 1\] \(got 1.2\)"):
        weigh(closure, [triple("a above b")], weights={triple("a boss b"): 1.2})
    with pytest.raises(ConfigError, match="rules of the closure"):
        weigh(closure, [triple("a above b")], rule_weights={URIRef(EX + "unheard"): 0.5})


def test_a_violation_weighs_as_much_as_what_it_rests_on() -> None:
    closure = closed(
        FAMILY + " RULE :loop { } WHERE { ?x :above ?x } DATA { :loop noesis:weight 0.5 }", "a boss b", "b boss a"
    )
    first = closure.violations[0]
    (found,) = weigh(closure, [first], weights={triple("a boss b"): 0.6})
    assert found.value == pytest.approx(0.5 * 0.5 * 0.6)
    assert found.proof is not None
    assert found.proof.conclusion is None


def test_an_asserted_triple_of_little_weight_takes_the_weight_of_a_better_proof() -> None:
    closure = closed(FAMILY, "a boss b", "a above b")
    asked = [triple("a above b")]
    weights = {triple("a above b"): 0.25, triple("a boss b"): 0.75}
    assert weigh(closure, asked, weights=weights)[0].value == 0.75
    assert weigh(closure, asked, weights=weights, semiring=ADD_PRODUCT)[0].value == 1.0
    assert weigh(closure, asked, weights=weights, semiring=TopProofs(5))[0].value == (0.75, 0.25)


def test_what_is_cut_short_is_marked_and_a_lower_bound() -> None:
    chain = [f"n{i} boss n{i + 1}" for i in range(8)]
    closure = closed(FAMILY, *chain)
    asked = [triple("n0 above n8")]
    exact = weigh(closure, asked, semiring=Counting())[0]
    assert (exact.value, exact.incomplete) == (429, None)  # Catalan(7) ways to bracket eight steps
    semirings: list[Any] = [BOOLEAN, MAX_PRODUCT, ADD_PRODUCT, TopProofs(3)]
    for semiring in semirings:
        cut = weigh(closure, asked, semiring=semiring, budget=Budget(substitutions=10))[0]
        assert cut.incomplete is not None
    compared = weigh(closure, asked, semiring=TopProofs(3, count_once=True, examine=10))[0]
    assert compared.incomplete is not None


def test_a_sum_through_many_cycles_is_cut_short_and_marked() -> None:
    names = "abcdefg"
    closure = closed(FAMILY, *(f"{x} boss {y}" for x in names for y in names if x != y))
    asked = [triple("a above b")]
    (found,) = weigh(closure, asked, default=0.5, semiring=ADD_PRODUCT)
    assert found.incomplete is not None
    (best,) = weigh(closure, asked, default=0.5)
    assert best.incomplete is None
    assert best.value == 0.5
    assert found.value > best.value
