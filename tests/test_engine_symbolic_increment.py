"""Adding to a closure and retracting from it against closing from scratch: triples, violations, proofs, checks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, BNode, Literal, URIRef, Variable
from rdflib.compare import isomorphic
from rdflib.term import Node

from engine.symbolic import Budget, Closure, RuleSet, Status, check, materialise, parse_rules, replay
from kg import load_graph
from kg.errors import InputError
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.rule_programs import EX, LEVELS, Case, cases, triples_over

PREFIXES = f"PREFIX : <{EX}> PREFIX rdfs: <{RDFS}> PREFIX owl: <{OWL}>\n"
QUICK = settings(max_examples=100, derandomize=True, deadline=None)
THOROUGH = settings(max_examples=1000, derandomize=True, deadline=None)
NAMES = {
    "a": RDF.type,
    "subClassOf": RDFS.subClassOf,
    "subPropertyOf": RDFS.subPropertyOf,
    "domain": RDFS.domain,
    "disjointWith": OWL.disjointWith,
    "inverseOf": OWL.inverseOf,
    "sameAs": OWL.sameAs,
    "Transitive": OWL.TransitiveProperty,
    "Symmetric": OWL.SymmetricProperty,
    "Functional": OWL.FunctionalProperty,
}


def term(name: str) -> URIRef:
    return NAMES.get(name, URIRef(EX + name))


def triple(text: str) -> Triple:
    """A triple written `s p o`; names of the RDFS and OWL vocabulary stand for its terms."""
    s, p, o = map(term, text.split())
    return Triple(s, p, o)


def triples(*texts: str) -> list[Triple]:
    return [triple(text) for text in texts]


def closed(given_triples: Sequence[Triple], rules: RuleSet, *, entailment: str = "none") -> Closure:
    return materialise(KnowledgeGraph.from_triples(given_triples), rules, entailment=entailment)


class Edits(NamedTuple):
    """Triples, rules, and edits: (True, triples to add) or (False, triples to retract), each fit for what is left."""

    triples: list[Triple]
    rules: RuleSet
    edits: list[tuple[bool, list[Triple]]]
    claims: list[Triple]


def edits_of(
    draw: st.DrawFn, given_triples: list[Triple], more: st.SearchStrategy[Triple]
) -> list[tuple[bool, list[Triple]]]:
    left, edits = list(dict.fromkeys(given_triples)), list[tuple[bool, list[Triple]]]()
    for _ in range(draw(st.integers(1, 4))):
        retracts: bool = draw(st.booleans())
        if left and retracts:
            chosen = draw(st.lists(st.sampled_from(left), min_size=1, max_size=3, unique=True))
            left = [each for each in left if each not in chosen]
            edits.append((False, chosen))
        else:
            new = draw(st.lists(more, min_size=1, max_size=3))
            left = list(dict.fromkeys([*left, *new]))
            edits.append((True, new))
    return edits


@st.composite
def any_edits(draw: st.DrawFn) -> Edits:
    """Edits of a random program with NOT, WHERE DATA, SET, filters and constraints."""
    case: Case = draw(cases())
    return Edits(case.triples, case.rules, edits_of(draw, case.triples, triples_over(range(LEVELS))), case.claims[:2])


POOL = """
RULE { ?x :p ?z } WHERE { ?x :p ?y . ?y :p ?z }
RULE { ?x :q ?z } WHERE { ?x :q ?y . ?y :q ?z }
RULE { ?x :q ?y } WHERE { ?x :p ?y }
RULE { ?x :p ?y } WHERE { ?x :q ?y . ?y a :C }
RULE { ?y :p ?x } WHERE { ?x :p ?y }
RULE { ?x :r ?z } WHERE { ?x :p ?y . ?y :q ?z FILTER(?x != ?z) }
RULE { ?x :r ?z } WHERE { ?x :r ?y . ?y :p ?z }
RULE { ?x a :C } WHERE { ?x :r ?y . ?y a :C }
RULE { ?y a :D . ?x :q ?x } WHERE { ?x :p ?y . ?x a :C }
RULE { ?x a :C } WHERE { ?x a :D }
RULE { ?y ?r ?x } WHERE { ?x ?r ?y . ?x a :D }
RULE { ?x :named ?n } WHERE { ?x a :D . ?x :r ?y SET(?n := STR(?y)) }
RULE { [] :of ?x ; :in ?y } WHERE { ?x :r ?y . ?x a :C }
"""
"""Rules that support each other in circles, one over every predicate, and two that make new terms."""
BROKEN = "RULE { } WHERE { ?x a :C . ?x a :D } RULE { } WHERE { ?x :r ?x } RULE { } WHERE { ?x :p ?y NOT { ?y :q ?x } }"
POSITIVE, CONSTRAINTS = parse_rules(PREFIXES + POOL).rules, parse_rules(PREFIXES + BROKEN).constraints


@st.composite
def positive_edits(draw: st.DrawFn) -> Edits:
    """Edits of a small graph under rules without NOT and WHERE DATA, most of them recursive."""
    name = st.sampled_from("bcdefg")
    link = st.builds(lambda s, p, o: triple(f"{s} {p} {o}"), name, st.sampled_from("ppqr"), name)
    member = st.builds(lambda s, c: triple(f"{s} a {c}"), name, st.sampled_from("CD"))
    some = st.one_of(link, link, link, member)
    given_triples = draw(st.lists(some, min_size=8, max_size=16, unique=True))
    chosen = draw(st.lists(st.sampled_from(POSITIVE), min_size=4, max_size=8, unique=True))
    if any(isinstance(atom.predicate, Variable) for rule in chosen for atom in rule.head):
        chosen = [rule for rule in chosen if not rule.runs_once]  # it would feed itself
    claims = draw(st.lists(some, max_size=2))
    return Edits(given_triples, RuleSet(tuple(chosen), CONSTRAINTS), edits_of(draw, given_triples, some), claims)


CLASS_NAMES, PROPERTY_NAMES, THINGS = ("A", "B", "C"), ("p", "q", "r"), ("a1", "a2", "a3", "a4", "a5")
AXIOMS = [
    *(f"{a} subClassOf {b}" for a, b in ("AB", "BC", "CA")),
    *(f"{a} subPropertyOf {b}" for a, b in ("pq", "qr")),
    *(f"{name} a {kind}" for name in PROPERTY_NAMES for kind in ("Transitive", "Symmetric", "Functional")),
    *("p domain A", "q inverseOf r", "A disjointWith C", "p inverseOf p", "p sameAs q", "A sameAs B"),
]


@st.composite
def owl_edits(draw: st.DrawFn) -> Edits:
    """Edits of a small OWL graph, now and then of an axiom."""
    name = st.sampled_from(THINGS)
    link = st.builds(lambda s, p, o: triple(f"{s} {p} {o}"), name, st.sampled_from(PROPERTY_NAMES), name)
    member = st.builds(lambda s, c: triple(f"{s} a {c}"), name, st.sampled_from(CLASS_NAMES))
    same = st.builds(lambda s, o: triple(f"{s} sameAs {o}"), name, name)
    axiom = st.sampled_from(AXIOMS).map(triple)
    axioms = draw(st.lists(axiom, max_size=5, unique=True))
    data = draw(st.lists(st.one_of(link, link, link, member, same), min_size=2, max_size=12, unique=True))
    some = st.one_of(link, link, link, member, member, same, axiom)
    return Edits([*axioms, *data], RuleSet(), edits_of(draw, [*axioms, *data], some), draw(st.lists(link, max_size=2)))


def check_edits(case: Edits, *, entailment: str = "none") -> list[bool]:
    """Run the edits one after the other; whether each was gone on from the closure before."""
    closure, left, continued = closed(case.triples, case.rules, entailment=entailment), set(case.triples), []
    for adds, edit in case.edits:
        before = closure
        told = set(before.graph.triples()), set(before.violations)
        closure = before.add(edit) if adds else before.retract(edit)
        left = left | set(edit) if adds else left - set(edit)
        expected = closed(sorted(left), case.rules, entailment=entailment)
        assert set(closure.graph.triples(inferred=False)) == left
        assert same_triples(closure, expected)
        assert len(closure.graph) == len(expected.graph), "no triple is both asserted and inferred"
        assert set(closure.violations) == set(expected.violations)
        assert closure.statistics.inferred == sum(closure.statistics.by_rule.values())
        check_proofs(closure)
        assert (set(before.graph.triples()), set(before.violations)) == told, "the closure before stays as it was"
        verdicts = [(j.status, set(j.violations)) for j in check(closure, case.claims)]
        assert verdicts == [(j.status, set(j.violations)) for j in check(expected, case.claims)]
        assert closure.change is not None
        continued.append(closure.change.afresh is None)
    return continued


def same_triples(one: Closure, other: Closure) -> bool:
    """Whether two closures have the same triples, up to the names of blank nodes."""
    found, expected = set(one.graph.triples()), set(other.graph.triples())
    if not any(isinstance(part, BNode) for each in found | expected for part in each):
        return found == expected
    return len(found) == len(expected) and isomorphic(one.graph.to_rdflib(), other.graph.to_rdflib())


def check_proofs(closure: Closure) -> None:
    """Every inferred triple and every violation has a proof that replays."""
    graph = closure.graph
    proofs = [closure.proof(graph.decode(*ids)) for ids in graph.inferred.match(None, None, None)]
    proofs += [violation.proof for violation in closure.violations]
    assert all(proof.rule is not None for proof in proofs), "what is inferred rests on a rule"
    replay(proofs, graph, closure.rules)


def check_owl_edits(case: Edits) -> None:
    check_edits(case, entailment="owl2rl")


@given(any_edits())
@QUICK
def test_edits_equal_closing_from_scratch_on_random_programs(case: Edits) -> None:
    check_edits(case)


@given(positive_edits())
@QUICK
def test_edits_equal_closing_from_scratch_without_not(case: Edits) -> None:
    check_edits(case)


@given(owl_edits())
@settings(QUICK, max_examples=25)
def test_edits_equal_closing_from_scratch_under_owl(case: Edits) -> None:
    check_owl_edits(case)


@pytest.mark.slow
@given(any_edits())
@THOROUGH
def test_many_edits_equal_closing_from_scratch_on_random_programs(case: Edits) -> None:
    check_edits(case)


@pytest.mark.slow
@given(positive_edits())
@THOROUGH
def test_many_edits_equal_closing_from_scratch_without_not(case: Edits) -> None:
    check_edits(case)


@pytest.mark.slow
@given(owl_edits())
@THOROUGH
def test_many_edits_equal_closing_from_scratch_under_owl(case: Edits) -> None:
    check_owl_edits(case)


def test_a_retracted_triple_that_still_follows_is_inferred_with_a_fresh_justification() -> None:
    rules = parse_rules(PREFIXES + "RULE { ?x :q ?y } WHERE { ?x :p ?y } RULE { ?x :r ?y } WHERE { ?x :q ?y }")
    before = closed(triples("a1 p b", "a1 q b"), rules)
    after = before.retract(triples("a1 q b"))
    assert before.proof(triple("a1 q b")).rule is None
    assert after.proof(triple("a1 q b")).leaves() == (triple("a1 p b"),)
    assert after.proof(triple("a1 r b")).leaves() == (triple("a1 p b"),)
    assert set(after.graph.triples(inferred=False)) == {triple("a1 p b")}


def test_an_added_triple_that_was_inferred_is_asserted_and_outlives_what_it_followed_from() -> None:
    rules = parse_rules(PREFIXES + "RULE { ?x :q ?y } WHERE { ?x :p ?y } RULE { ?x :r ?y } WHERE { ?x :q ?y }")
    after = closed(triples("a1 p b"), rules).add(triples("a1 q b"))
    assert after.proof(triple("a1 q b")).rule is None
    left = after.retract(triples("a1 p b"))
    assert set(left.graph.triples()) == set(triples("a1 q b", "a1 r b"))
    assert left.change is not None
    assert left.change.afresh is None


def test_rows_that_only_support_each_other_go_with_what_they_came_from() -> None:
    rules = parse_rules(PREFIXES + "RULE { ?x :q ?y } WHERE { ?x :p ?y } RULE { ?y :q ?x } WHERE { ?x :q ?y }")
    after = closed(triples("a1 p b", "c p d"), rules).retract(triples("a1 p b"))
    assert set(after.graph.triples()) == set(triples("c p d", "c q d", "d q c"))
    assert after.change is not None
    assert after.change.afresh is None


def test_a_cycle_of_a_transitive_relation_falls_apart_where_an_edge_is_retracted() -> None:
    rules = parse_rules(PREFIXES + "RULE { ?x :p ?z } WHERE { ?x :p ?y . ?y :p ?z }")
    ring = [f"n{i} p n{(i + 1) % 12}" for i in range(12)]
    after = closed(triples(*ring), rules).retract(triples("n11 p n0"))
    assert len(after.graph) == 12 * 11 // 2
    check_proofs(after)
    again = after.add(triples("n5 p n0"))
    assert len(again.graph) == len(closed(triples(*ring[:-1], "n5 p n0"), rules).graph)
    check_proofs(again)


def test_blank_nodes_of_a_head_come_and_go_with_their_substitution() -> None:
    rules = parse_rules(PREFIXES + "RULE { [] :of ?x ; :about ?y } WHERE { ?x :p ?y }")
    before = closed(triples("a1 p b", "a1 p c"), rules)
    after = before.retract(triples("a1 p c")).add(triples("a1 p d"))
    made = {o: s for s, _, o in after.graph.triples(None, term("about"))}
    assert set(made) == {term("b"), term("d")}
    assert made[term("b")] in {s for s, _, _ in before.graph.triples(None, term("about"))}
    check_proofs(after)
    with pytest.raises(InputError, match="blank node that the rules made"):
        before.add([(made[term("b")], term("p"), term("c"))])


@pytest.mark.parametrize(
    ("rules", "entailment", "adds", "edit", "reason"),
    [
        ("", "owl2rl", True, "A subClassOf B", "schema"),
        ("RULE { ?x :q ?y } WHERE { ?x :p ?y NOT { ?x :r ?y } }", "none", True, "a1 r b", "a NOT reads"),
        ("RULE { ?x :q ?y } WHERE DATA { ?x :p ?y }", "none", False, "a1 p b", "WHERE DATA"),
    ],
)
def test_what_cannot_be_continued_is_closed_afresh_and_says_why(
    rules: str, entailment: str, adds: bool, edit: str, reason: str
) -> None:
    before = closed(triples("a1 p b", "x a A"), parse_rules(PREFIXES + rules), entailment=entailment)
    after = before.add([triple(edit)]) if adds else before.retract([triple(edit)])
    assert reason in repr(after)


def test_a_relation_that_had_no_row_wakes_the_rules_that_read_it() -> None:
    rules = parse_rules(PREFIXES + "RULE { ?x a :C } WHERE { ?x a :D . ?x :p ?y } RULE { ?y ?r ?x } WHERE { ?x ?r ?y }")
    after = closed(triples("a1 p b"), rules).add(triples("a1 a D", "b s c"))
    assert {triple("a1 a C"), triple("c s b")} <= set(after.graph.triples())
    assert after.change is not None
    assert after.change.afresh is None


BAD: list[tuple[Sequence[Node], str]] = [
    ((Literal("x"), term("p"), term("b")), "literal"),
    ((term("a1"), BNode("p"), term("b")), "predicate"),
    ((term("a1"), term("p")), "2 terms"),
    ((term("a1"), term("p"), Variable("x")), "no RDF term"),
]


@pytest.mark.parametrize(("wrong", "message"), BAD)
def test_what_is_no_triple_is_refused_and_leaves_no_terms_behind(wrong: Sequence[Node], message: str) -> None:
    closure = closed(triples("a1 p b"), RuleSet())
    size = len(closure.graph.dictionary)
    for change in (closure.add, closure.retract):
        with pytest.raises(InputError, match=message):
            change([triple("new p b") if change == closure.add else triple("a1 p b"), wrong])
    assert len(closure.graph.dictionary) == size


@pytest.mark.parametrize(("absent", "message"), [("a1 q b", "which is inferred"), ("a1 p c", "which is not there")])
def test_what_is_not_asserted_cannot_be_retracted(absent: str, message: str) -> None:
    closure = closed(triples("a1 p b"), parse_rules(PREFIXES + "RULE { ?x :q ?y } WHERE { ?x :p ?y }"))
    with pytest.raises(InputError, match=message):
        closure.retract([triple(absent)])


def test_an_incomplete_closure_is_closed_afresh_within_its_budget() -> None:
    rules = parse_rules(PREFIXES + "RULE :t { ?x :p ?z } WHERE { ?x :p ?y . ?y :p ?z }")
    graph = KnowledgeGraph.from_triples(triples(*(f"n{i} p n{i + 1}" for i in range(20))))
    closure = materialise(graph, rules, entailment="none", budget=Budget(triples=5))
    after = closure.retract(triples(*(f"n{i} p n{i + 1}" for i in range(3, 20))))
    assert (after.incomplete, len(after.graph)) == (None, 6)


def test_sources_stay_with_their_triples() -> None:
    rules = parse_rules(PREFIXES + "DATA { :c :p :d }")
    after = closed(triples("a1 p b"), rules).add(triples("e p f"))
    assert [after.graph.source(triple(text)) for text in ("c p d", "e p f")] == ["DATA of the rules", None]
    assert [step.source for step in after.retract(triples("a1 p b")).proof(triple("c p d")).steps()] == [
        "DATA of the rules"
    ]


@pytest.mark.slow
def test_edits_of_lubm_equal_closing_from_scratch(shared: Path) -> None:
    folder = shared / "data" / "lubm"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder} with the university benchmark here")
    graph = load_graph([folder / "lubm1.nt.gz", folder / "univ-bench.nt"])
    schema = {each.subject for each in load_graph(folder / "univ-bench.nt").triples()}
    data = [each for each in graph.triples() if each.subject not in schema]
    closure, chance = materialise(graph), Random(0)
    for count in (1, 10, 100, 1000):
        edit = chance.sample(data, count)
        less = closure.retract(edit)
        again = less.add(edit)
        fresh = materialise(KnowledgeGraph(graph.dictionary, less.graph.asserted))
        for found, expected in ((less, fresh), (again, closure)):
            assert found.change is not None
            assert found.change.afresh is None
            for one, other in zip(found.graph.inferred.arrays(), expected.graph.inferred.arrays(), strict=True):
                assert one.tolist() == other.tolist()


def test_a_rule_whose_relations_were_filled_one_at_a_time_wakes_up() -> None:
    """Each relation had rows before, but never both: what was compiled for one of them alone must not be the last."""
    rules = parse_rules("PREFIX : <https://example.org/> RULE :r { ?x :r ?x } WHERE { ?x :p ?x . ?x :q ?x }")
    a, p, q, r, other = (URIRef(EX + name) for name in ("a", "p", "q", "r", "other"))
    first, second = Triple(a, p, a), Triple(a, q, a)
    closure = materialise(KnowledgeGraph.from_triples([Triple(a, other, a)]), rules, entailment="none")
    closure = closure.add([first]).retract([first]).add([second])
    assert [judgement.status for judgement in check(closure, [first])] == [Status.UNPROVEN]
    assert closure.add([first]).entails((a, r, a))
