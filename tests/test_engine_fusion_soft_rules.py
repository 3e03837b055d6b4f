"""Weights as tensors: equal to `weigh`, with gradients that pass gradcheck, and a model that learns through rules."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import assume, given, settings
from rdflib import URIRef

from engine.fusion.soft_rules import Kind, SoftRules, weigh_tensor
from engine.symbolic import Budget, Closure, materialise, parse_rules
from engine.symbolic.semiring import ADD_PRODUCT, MAX_PRODUCT, Semiring
from engine.symbolic.weights import weigh
from kg.errors import BudgetError, ConfigError
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.rule_programs import Case
from tests.test_engine_symbolic_weights import weighted

EX = "https://example.org/"
PREFIXES = f"PREFIX : <{EX}> PREFIX noesis: <urn:noesis:>\n"
QUICK = settings(max_examples=25, derandomize=True, deadline=None)
KINDS: tuple[Kind, ...] = get_args(Kind)
SEMIRINGS: dict[Kind, Semiring[float]] = {"max-product": MAX_PRODUCT, "add-product": ADD_PRODUCT}
ABOVE = """RULE :direct { ?x :above ?y } WHERE { ?x :boss ?y }
           RULE :far { ?x :above ?z } WHERE { ?x :above ?y . ?y :above ?z }
           RULE :loop { } WHERE { ?x :above ?x }
           DATA { :far noesis:weight 0.9 }"""


def triple(text: str) -> Triple:
    return Triple(*(URIRef(EX + name) for name in text.split()))


def closed(*triples: str) -> Closure:
    graph = KnowledgeGraph.from_triples(map(triple, triples))
    return materialise(graph, parse_rules(PREFIXES + ABOVE), entailment="none")


@given(weighted())
@QUICK
@pytest.mark.parametrize("kind", KINDS)
def test_tensors_have_the_values_of_weigh_and_right_gradients(
    kind: Kind, program: tuple[Case, dict[Triple, float]]
) -> None:
    case, weights = program
    closure = materialise(KnowledgeGraph.from_triples(case.triples), case.rules, entailment="none")
    facts = list(closure.graph.triples())
    # distinct weights, so that no two proofs are equally good where the finite differences are taken
    values = torch.linspace(0.31, 0.83, len(weights), dtype=torch.float64) ** 0.7
    named = {rule.iri: at for at, rule in enumerate(case.rules.rules) if rule.iri}
    of_rules = torch.linspace(0.87, 0.53, len(named), dtype=torch.float64)
    index = {t: at for at, t in enumerate(weights)}
    try:
        soft = SoftRules(closure, facts, index, semiring=kind, rule_index=named)
    except BudgetError:
        assume(False)
    expected = weigh(
        closure,
        facts,
        semiring=SEMIRINGS[kind],
        weights=dict(zip(weights, values.tolist(), strict=True)),
        rule_weights=dict(zip(named, of_rules.tolist(), strict=True)),
    )
    assert soft(values, of_rules).tolist() == pytest.approx([item.value for item in expected])
    inputs = (values.requires_grad_(), of_rules.requires_grad_())
    assert torch.autograd.gradcheck(soft, inputs)


@pytest.mark.parametrize("kind", KINDS)
def test_rules_keep_the_weights_of_their_text(kind: Kind) -> None:
    closure = closed("a boss b", "b boss c")
    index = {triple("a boss b"): 0, triple("b boss c"): 2}
    weights = torch.tensor([0.5, 0.1, 0.25], dtype=torch.float64, requires_grad=True)
    asked = [triple("a above c"), triple("c above a"), triple("a above b")]
    found = weigh_tensor(closure, asked, weights, index, semiring=kind)
    assert found.tolist() == pytest.approx([0.9 * 0.5 * 0.25, 0.0, 0.5])
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert weights.grad is not None
    assert weights.grad.tolist() == pytest.approx([0.9 * 0.25 + 1, 0.0, 0.9 * 0.5])


def test_max_product_follows_the_best_proof_alone_and_add_product_all() -> None:
    closure = closed("a boss b", "b boss d", "a boss c", "c boss d")
    index = {triple(text): at for at, text in enumerate(("a boss b", "b boss d", "a boss c", "c boss d"))}
    weights = torch.tensor([0.5, 0.5, 0.7, 0.6], dtype=torch.float64, requires_grad=True)

    def gradient(kind: Kind) -> list[float]:
        (value,) = weigh_tensor(closure, [triple("a above d")], weights, index, semiring=kind)
        (found,) = torch.autograd.grad(value, weights)
        return [round(number, 6) for number in found.tolist()]

    assert gradient("max-product") == [0.0, 0.0, 0.54, 0.63]
    assert gradient("add-product") == [0.45, 0.45, 0.54, 0.63]


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_of_zero_has_a_gradient(kind: Kind) -> None:
    closure = closed("a boss b", "b boss c")
    index = {triple("a boss b"): 0, triple("b boss c"): 1}
    weights = torch.tensor([0.0, 0.5], dtype=torch.float64, requires_grad=True)
    weigh_tensor(closure, [triple("a above c")], weights, index, semiring=kind).sum().backward()  # type: ignore[no-untyped-call]
    assert weights.grad is not None
    assert weights.grad.tolist() == pytest.approx([0.45, 0.0])


def test_a_model_learns_which_triples_to_doubt_from_what_follows() -> None:
    """`a above c` is said to hold, the cycle through `c boss a` not to be: the one triple in no wanted proof goes."""
    closure = closed("a boss b", "b boss c", "c boss a")
    index = {triple(text): at for at, text in enumerate(("a boss b", "b boss c", "c boss a"))}
    logits = torch.zeros(3, requires_grad=True)
    wanted = SoftRules(closure, [triple("a above c")], index)
    broken = SoftRules(closure, closure.violations, index)
    optimiser = torch.optim.Adam([logits], lr=0.3)
    for _ in range(60):
        weights = torch.sigmoid(logits)
        loss = -wanted(weights).log().sum() - (1 - broken(weights)).log().sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    first, second, last = torch.sigmoid(logits).tolist()
    assert min(first, second) > 0.9
    assert last < 0.1


def test_a_long_chain_needs_no_recursion() -> None:
    rules = parse_rules(PREFIXES + "RULE { ?y :at :s } WHERE { ?x :at :s . ?x :p ?y }")
    chain = [triple(f"n{i} p n{i + 1}") for i in range(400)]
    closure = materialise(KnowledgeGraph.from_triples([triple("n0 at s"), *chain]), rules, entailment="none")
    weights = torch.full((400,), 0.999, dtype=torch.float64, requires_grad=True)
    for kind in KINDS:
        (value,) = weigh_tensor(
            closure, [triple("n400 at s")], weights, {t: at for at, t in enumerate(chain)}, semiring=kind
        )
        (found,) = torch.autograd.grad(value, weights)
        assert value.item() == pytest.approx(0.999**400)
        assert found.tolist() == pytest.approx([0.999**399] * 400)


def test_what_cannot_be_computed_is_refused() -> None:
    names = "abcdefg"
    closure = closed(*(f"{x} boss {y}" for x in names for y in names if x != y))
    asked, index = [triple("a above b")], {triple("a boss b"): 0}
    with pytest.raises(BudgetError, match="max-product"):
        SoftRules(closure, asked, index, semiring="add-product")
    with pytest.raises(BudgetError, match="fewer targets"):
        SoftRules(closure, asked, index, budget=Budget(substitutions=10))
    with pytest.raises(ConfigError, match="assert the triple first"):
        SoftRules(closure, asked, {triple("a above b"): 0})
    with pytest.raises(ConfigError, match="max-product or add-product"):
        SoftRules(closure, asked, index, semiring="min")  # type: ignore[arg-type]
    soft = SoftRules(closure, asked, index)
    with pytest.raises(ConfigError, match="at least 1 weights"):
        soft(torch.ones(0))
    with pytest.raises(ConfigError, match="one outside"):
        soft(torch.full((1,), 1.5))
