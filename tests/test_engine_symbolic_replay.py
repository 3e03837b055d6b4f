"""The proof checker refuses what does not follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rdflib import BNode, Literal, URIRef, Variable

from engine.symbolic import Closure, Proof, ReplayError, RuleSet, check, materialise, parse_rules, replay
from kg import load_graph
from kg.graph import KnowledgeGraph
from kg.terms import Triple

EX = "https://example.org/"
RULES = f"""PREFIX : <{EX}>
RULE :up {{ ?x :up ?z }} WHERE {{ ?x :p ?y . ?y :p ?z FILTER(?x != ?z) NOT {{ ?x :stop ?y }} }}
RULE :new {{ [] :of ?x }} WHERE {{ ?x :p ?y SET(?n := STR(?y)) }}
RULE :given {{ ?x :given ?y }} WHERE DATA {{ ?x :p ?y }}
RULE :no {{ }} WHERE {{ ?x :up ?y . ?y :bad ?y }}
"""


def term(name: str) -> URIRef:
    return URIRef(EX + name)


def triple(text: str) -> Triple:
    return Triple(*map(term, text.split()))


@pytest.fixture(scope="module")
def closure() -> Closure:
    texts = ("a p b", "b p c", "c p d", "b p a", "c stop d", "c bad c")
    return materialise(KnowledgeGraph.from_triples(map(triple, texts)), parse_rules(RULES), entailment="none")


@pytest.fixture(scope="module")
def good(closure: Closure) -> Proof:
    return closure.proof(triple("a up c"))


def test_a_good_proof_is_accepted_and_counted(closure: Closure, good: Proof) -> None:
    assert replay(good, closure.graph, closure.rules) == 3
    (violation,) = closure.violations
    assert replay(violation.proof, closure.graph, closure.rules) == 5


Change = Callable[[Proof, Closure], Proof]
X, Y, Z = (Variable(name) for name in "xyz")


def leaf(text: str) -> Proof:
    return Proof(triple(text))


def by(name: str, closure: Closure, conclusion: str, premises: list[Proof], **values: str) -> Proof:
    """A step of the rule of that name."""
    substitution = {Variable(variable): term(value) for variable, value in values.items()}
    return Proof(triple(conclusion), closure.rules[EX + name], substitution, tuple(premises))


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda p, c: replace(p, conclusion=triple("a up d")), "the head says so"),
        (lambda p, c: replace(p, conclusion=None), "FALSE is the head of a constraint"),
        (lambda p, c: replace(p, premises=p.premises[:1]), "premises are the body atoms"),
        (lambda p, c: replace(p, premises=p.premises[::-1]), "premises are the body atoms"),
        (lambda p, c: replace(p, premises=(*p.premises, leaf("c p d"))), "premises are the body atoms"),
        (lambda p, c: replace(p, substitution={**p.substitution, Z: term("d")}), "premises are the body atoms"),
        (lambda p, c: replace(p, premises=(p.premises[0], leaf("b p d"))), "premises are the body atoms"),
        (lambda p, c: replace(p, rule=replace(p.rule, comment="another")), "among the rules given"),
        (lambda p, c: leaf("a up c"), "a leaf is asserted"),
        (lambda p, c: replace(leaf("a p b"), premises=(p,)), "a leaf is asserted"),
        (lambda p, c: replace(leaf("a p b"), claimed=True), "a claim that is allowed"),
        (lambda p, c: by("up", c, "b up d", [leaf("b p c"), leaf("c p d")], x="b", y="c", z="d"), None),
        (lambda p, c: by("up", c, "a up a", [leaf("a p b"), leaf("b p a")], x="a", y="b", z="a"), "FILTER"),
        (lambda p, c: by("given", c, "a given c", [p], x="a", y="c"), "premises are the body atoms"),
    ],
)
def test_a_changed_proof_is_refused(change: Change, wanted: str | None, closure: Closure, good: Proof) -> None:
    if wanted is None:
        assert replay(change(good, closure), closure.graph, closure.rules) == 3
        return
    with pytest.raises(ReplayError, match=wanted):
        replay(change(good, closure), closure.graph, closure.rules)


def test_a_not_that_has_a_match_is_refused() -> None:
    rules = parse_rules(f"PREFIX : <{EX}> RULE :free {{ ?x :free ?y }} WHERE {{ ?x :p ?y NOT {{ ?x :stop ?w }} }}")
    closure = materialise(KnowledgeGraph.from_triples([triple("a p b"), triple("c p b"), triple("c stop d")]), rules)
    replay(closure.proof(triple("a free b")), closure.graph, closure.rules)
    with pytest.raises(ReplayError, match=r"NOT .* has no match"):
        replay(by("free", closure, "c free b", [leaf("c p b")], x="c", y="b"), closure.graph, closure.rules)


def test_where_data_takes_no_inferred_premise() -> None:
    text = (
        f"PREFIX : <{EX}> RULE :q {{ ?x :q ?y }} WHERE {{ ?x :p ?y }} RULE :r {{ ?x :r ?y }} WHERE DATA {{ ?x :q ?y }}"
    )
    closure = materialise(KnowledgeGraph.from_triples([triple("a p b")]), parse_rules(text), entailment="none")
    step = by("r", closure, "a r b", [closure.proof(triple("a q b"))], x="a", y="b")
    with pytest.raises(ReplayError, match="WHERE DATA reads the triples of the graph"):
        replay(step, closure.graph, closure.rules)


def test_a_blank_node_of_a_head_is_new_and_made_once(closure: Closure) -> None:
    rule = closure.rules[EX + "new"]
    substitution = {X: term("a"), Y: term("b"), Variable("n"): Literal(EX + "b")}
    good = Proof(Triple(BNode("new"), term("of"), term("a")), rule, substitution, (leaf("a p b"),))
    assert replay(good, closure.graph, closure.rules) == 2
    wrong = replace(good, substitution={**substitution, Variable("n"): Literal("c")})
    with pytest.raises(ReplayError, match=r"SET.* gives its value"):
        replay(wrong, closure.graph, closure.rules)
    with pytest.raises(ReplayError, match="the head says so"):
        replay(replace(good, conclusion=triple("d of a")), closure.graph, closure.rules)


def test_a_step_among_its_own_premises_is_refused(closure: Closure, good: Proof) -> None:
    circle = replace(good)
    object.__setattr__(circle, "premises", (circle, *good.premises[1:]))
    object.__setattr__(circle, "conclusion", good.premises[0].conclusion)
    with pytest.raises(ReplayError):
        replay(circle, closure.graph, closure.rules)


def test_a_claim_may_be_a_leaf_where_it_is_allowed(closure: Closure) -> None:
    (judgement,) = check(closure, triple("d bad d"))
    assert judgement.refutation is not None
    assert replay(judgement.refutation, closure.graph, closure.rules, assumed=[triple("d bad d")]) == 5
    with pytest.raises(ReplayError, match="a claim that is allowed"):
        replay(judgement.refutation, closure.graph, closure.rules)


def test_a_rule_of_another_rule_set_is_refused(closure: Closure, good: Proof) -> None:
    with pytest.raises(ReplayError, match="'up' is among the rules given"):
        replay(good, closure.graph, RuleSet())


@pytest.mark.slow
def test_every_proof_of_every_inferred_triple_of_lubm_replays(shared: Path) -> None:
    folder = shared / "data" / "lubm"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder} with the university benchmark here")
    closure = materialise(load_graph([folder / "lubm1.nt.gz", folder / "univ-bench.nt"]))
    graph = closure.graph
    proofs = [closure.proof(graph.decode(*ids)) for ids in graph.inferred.match(None, None, None)]
    assert len(proofs) == closure.statistics.inferred > 37_388, "more than the schema rules alone give"
    assert {proof.rule is not None for proof in proofs} == {True}
    assert replay(proofs, graph, closure.rules) >= len(proofs)
