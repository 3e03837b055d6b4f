"""`materialise` and `Closure`: OWL rules compiled and generic, what a closure tells, and what it refuses."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, BNode, Literal, URIRef
from rdflib.term import Node

from engine.symbolic import Closure, Rule, RuleSet, Status, builtin_rules, check, materialise, parse_rules, replay
from kg.columns import Columns
from kg.errors import ConfigError, NotEntailedError, UnsupportedRuleError
from kg.graph import KnowledgeGraph
from kg.terms import Triple
from tests.naive import naive_closure, naive_violations

EX = "https://example.org/"
PREFIXES = f"PREFIX : <{EX}>\n"
FEW = settings(max_examples=25, derandomize=True, deadline=None)
MANY = settings(max_examples=500, derandomize=True, deadline=None)


def term(name: str) -> URIRef:
    return URIRef(EX + name)


def triple(text: str) -> Triple:
    return Triple(*map(term, text.split()))


@pytest.fixture
def family() -> Closure:
    graph = KnowledgeGraph.from_triples([triple("ann parent bob"), triple("bob parent cyd")])
    rules = parse_rules(PREFIXES + "RULE :grandparent { ?x :grandparent ?z } WHERE { ?x :parent ?y . ?y :parent ?z }")
    return materialise(graph, rules, entailment="none")


# OWL 2 RL on random graphs ------------------------------------------------------------------------------------------

CLASSES = [term(name) for name in "ABC"]
PROPERTIES = [term(name) for name in "pq"]
INDIVIDUALS = [term(name) for name in "xyz"]


def choose(terms: list[URIRef]) -> st.SearchStrategy[Node]:
    return st.sampled_from(terms)


def triples_of(s: list[URIRef], p: list[URIRef], o: list[URIRef]) -> st.SearchStrategy[Triple]:
    return st.builds(Triple, choose(s), choose(p), choose(o))


PROPERTY_KINDS = [OWL.TransitiveProperty, OWL.SymmetricProperty, OWL.FunctionalProperty, OWL.InverseFunctionalProperty]
PROPERTY_KINDS += [OWL.IrreflexiveProperty, OWL.AsymmetricProperty]
schema_triples = st.one_of(
    triples_of(CLASSES, [RDFS.subClassOf, OWL.equivalentClass, OWL.disjointWith], CLASSES),
    triples_of(PROPERTIES, [RDFS.subPropertyOf, OWL.inverseOf, OWL.propertyDisjointWith], PROPERTIES),
    triples_of(PROPERTIES, [RDFS.domain, RDFS.range], CLASSES),
    triples_of(PROPERTIES, [RDF.type], PROPERTY_KINDS),
)
data_triples = st.one_of(
    triples_of(INDIVIDUALS, PROPERTIES, INDIVIDUALS),
    triples_of(INDIVIDUALS, PROPERTIES, INDIVIDUALS),
    triples_of(INDIVIDUALS, [RDF.type], CLASSES),
    triples_of(INDIVIDUALS, [OWL.sameAs, OWL.differentFrom], INDIVIDUALS),
    st.builds(Triple, choose(INDIVIDUALS), choose(PROPERTIES), st.sampled_from([Literal(1), Literal("1.0")])),
)
graphs = st.builds(
    lambda schema, data: [*schema, *data],
    st.lists(schema_triples, max_size=5, unique=True),
    st.lists(data_triples, max_size=5, unique=True),
)


def check_compiled_against_generic(triples: list[Triple]) -> None:
    closure = materialise(KnowledgeGraph.from_triples(triples))
    rules = builtin_rules("owl2rl")
    facts = naive_closure(triples, rules.rules)
    assert set(closure.graph.triples()) == facts
    found = {(v.constraint, frozenset(v.substitution.items())) for v in closure.violations}
    assert found == naive_violations(facts, triples, rules.constraints)
    for inferred in closure.graph.triples():
        replay(closure.proof(inferred), closure.graph, closure.rules)
    for violation in closure.violations:
        replay(violation.proof, closure.graph, closure.rules)


@given(graphs)
@FEW
def test_owl_rules_compiled_to_a_schema_equal_the_rules_as_written(triples: list[Triple]) -> None:
    check_compiled_against_generic(triples)


@pytest.mark.slow
@given(graphs)
@MANY
def test_owl_rules_compiled_to_many_schemas_equal_the_rules_as_written(triples: list[Triple]) -> None:
    check_compiled_against_generic(triples)


def check_owl_claims(triples: list[Triple], claims: list[Triple]) -> None:
    before = materialise(KnowledgeGraph.from_triples(triples))
    for claim, judgement in zip(claims, check(before, claims), strict=True):
        after = materialise(KnowledgeGraph.from_triples([*triples, claim]))
        new = set(after.violations) - set(before.violations)
        expected = Status.CONTRADICTED if new else Status.UNPROVEN
        if before.entails(claim):
            expected, new = Status.ENTAILED, set()
        if judgement.status is not Status.UNKNOWN:
            assert (judgement.status, set(judgement.violations)) == (expected, new)
        for violation in judgement.violations:
            assert claim in violation.proof.leaves()
            replay(violation.proof, after.graph, after.rules, assumed=[claim])


@given(graphs, st.lists(st.one_of(data_triples, data_triples, schema_triples), min_size=1, max_size=4, unique=True))
@FEW
def test_claims_about_schema_and_data_get_what_a_fresh_owl_closure_gives(
    triples: list[Triple], claims: list[Triple]
) -> None:
    check_owl_claims(triples, claims)


@pytest.mark.slow
@given(graphs, st.lists(st.one_of(data_triples, data_triples, schema_triples), min_size=1, max_size=4, unique=True))
@MANY
def test_many_claims_about_schema_and_data_get_what_a_fresh_owl_closure_gives(
    triples: list[Triple], claims: list[Triple]
) -> None:
    check_owl_claims(triples, claims)


# What a closure tells -----------------------------------------------------------------------------------------------


def test_statistics_say_what_each_rule_gave(family: Closure) -> None:
    found = family.statistics
    assert (found.asserted, found.inferred, found.rules, found.by_rule) == (2, 1, 1, {"grandparent": 1})
    assert found.to_dict()["by_rule"] == {"grandparent": 1}
    assert "2 asserted, 1 inferred" in repr(family)


def test_the_graph_that_was_given_is_not_changed(family: Closure) -> None:
    graph = KnowledgeGraph.from_triples([triple("ann parent bob"), triple("bob parent cyd")])
    materialise(graph, family.rules, entailment="none")
    assert (len(graph), len(graph.inferred)) == (2, 0)


def test_a_closed_graph_is_closed_again_from_its_asserted_triples(family: Closure) -> None:
    again = materialise(family.graph, family.rules, entailment="none")
    assert list(again.graph.triples()) == list(family.graph.triples())
    assert again.proof(triple("ann grandparent cyd")).rule is not None


@pytest.mark.parametrize("text", ["cyd grandparent ann", "eve parent ann"])
def test_what_is_not_entailed_has_no_proof(family: Closure, text: str) -> None:
    with pytest.raises(NotEntailedError, match="Expected a triple of the closure"):
        family.proof(triple(text))


def test_an_unknown_entailment_is_refused() -> None:
    with pytest.raises(ConfigError, match="owl2rl"):
        materialise(KnowledgeGraph.from_triples([]), entailment="owl2r")


def test_an_unknown_function_is_refused_by_name() -> None:
    rules = parse_rules(PREFIXES + "RULE :f { ?x :q ?x } WHERE { ?x :p ?y FILTER(STRLEN(?y) > 1) }")
    from engine.symbolic.rules import Call, Filter, VariableRef

    (rule,) = rules.rules
    *atoms, _ = rule.body
    broken = Rule(rule.iri, rule.head, (*atoms, Filter(Call("STRLENGTH", (VariableRef(atoms[0].variables[1]),)))))
    with pytest.raises(UnsupportedRuleError, match=r"STRLENGTH.*'f'"):
        materialise(KnowledgeGraph.from_triples([]), RuleSet((broken,)))


def test_data_of_the_rules_is_asserted_under_a_source_of_its_own() -> None:
    graph = KnowledgeGraph.from_triples([triple("ann parent bob")])
    s, p, o = graph.asserted.arrays()
    with_source = KnowledgeGraph(graph.dictionary, Columns.from_arrays(s, p, o, s * 0), sources=["family.ttl"])
    rules = parse_rules(PREFIXES + "DATA { :bob :parent :cyd } RULE { ?x :up ?y } WHERE { ?y :parent ?x }")
    for given_graph, source in ((with_source, "family.ttl"), (graph, None)):
        closure = materialise(given_graph, rules, entailment="none")
        assert closure.graph.source(triple("ann parent bob")) == source
        assert closure.proof(triple("cyd up bob")).premises[0].source == "DATA of the rules"
        assert len(closure.graph.asserted) == 2


def test_blank_nodes_of_data_are_not_those_of_the_graph() -> None:
    graph = KnowledgeGraph.from_triples([(BNode("b"), term("p"), term("a"))])
    rules = RuleSet(data=(Triple(BNode("b"), term("q"), term("a")),))
    for _ in range(2):
        closure = materialise(graph, rules, entailment="none")
        assert set(closure.graph.triples()) == {
            Triple(BNode("b"), term("p"), term("a")),
            Triple(BNode("bx"), term("q"), term("a")),
        }


def test_blank_nodes_that_rules_make_are_not_those_of_the_graph() -> None:
    graph = KnowledgeGraph.from_triples([(BNode("n-0-b-1-2"), term("p"), term("a"))])
    rules = parse_rules(PREFIXES + "RULE { [] :of ?x } WHERE { ?x :p ?y }")
    closure = materialise(graph, rules, entailment="none")
    ((made, _, of),) = closure.graph.triples(None, term("of"))
    assert of == BNode("n-0-b-1-2")
    assert isinstance(made, BNode)
    assert made != of


def test_a_predicate_that_gets_another_name_late_has_its_triples_under_both() -> None:
    rules = parse_rules(PREFIXES + f"RULE {{ :p <{OWL.sameAs}> :q }} WHERE {{ ?x :p ?y . ?y :p ?z }}")
    graph = KnowledgeGraph.from_triples([triple("a p b"), triple("b p c")])
    closure = materialise(graph, rules)
    assert set(closure.graph.triples(None, term("q"))) == {triple("a q b"), triple("b q c")}
    replay(closure.proof(triple("a q b")), closure.graph, closure.rules)


def test_a_claim_that_renames_a_predicate_is_closed_afresh() -> None:
    rules = parse_rules(PREFIXES + "RULE :no { } WHERE { ?x :q ?y }")
    closure = materialise(KnowledgeGraph.from_triples([triple("a p b"), triple("q r q")]), rules)
    (judgement,) = check(closure, Triple(term("p"), OWL.sameAs, term("q")))
    assert judgement.status is Status.CONTRADICTED


def test_importing_loads_neither_torch_nor_numba() -> None:
    code = "import sys, engine.symbolic; sys.exit(bool({'torch', 'numba'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
