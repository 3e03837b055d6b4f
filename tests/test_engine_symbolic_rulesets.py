"""The built-in rule sets: each rule by its W3C id, lists read from a graph, and lists that cannot be read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import rdflib
from rdflib import OWL, RDF, BNode, URIRef

from engine.symbolic import RuleSet, builtin_rules, materialise, parse_rules, replay, ruleset_text
from engine.symbolic.closure import Closure
from kg.errors import ConfigError, RuleError
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from kg.terms import Triple, local_name

RL = "https://www.w3.org/TR/owl2-profiles/#"
MT = "https://www.w3.org/TR/rdf11-mt/#"
PREFIXES = """
@prefix : <http://example/> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""

RDFS_CASES = {
    "rdfs2": (":p rdfs:domain :C . :a :p :b .", ":a a :C ."),
    "rdfs3": (":p rdfs:range :C . :a :p :b .", ":b a :C ."),
    "rdfs5": (":p rdfs:subPropertyOf :q . :q rdfs:subPropertyOf :r .", ":p rdfs:subPropertyOf :r ."),
    "rdfs7": (":p rdfs:subPropertyOf :q . :a :p :b .", ":a :q :b ."),
    "rdfs9": (":C rdfs:subClassOf :D . :a a :C .", ":a a :D ."),
    "rdfs11": (":C rdfs:subClassOf :D . :D rdfs:subClassOf :E .", ":C rdfs:subClassOf :E ."),
    "rdfs12": ("rdf:_1 a rdfs:ContainerMembershipProperty .", "rdf:_1 rdfs:subPropertyOf rdfs:member ."),
    "rdfs13": (":d a rdfs:Datatype .", ":d rdfs:subClassOf rdfs:Literal ."),
}

OWL_CASES = {
    "eq-sym": (":a owl:sameAs :b .", ":b owl:sameAs :a ."),
    "eq-trans": (":a owl:sameAs :b . :b owl:sameAs :c .", ":a owl:sameAs :c ."),
    "eq-rep-s": (":a owl:sameAs :b . :a :p :c .", ":b :p :c ."),
    "eq-rep-p": (":p owl:sameAs :q . :a :p :b .", ":a :q :b ."),
    "eq-rep-o": (":a owl:sameAs :b . :c :p :a .", ":c :p :b ."),
    "prp-dom": (":p rdfs:domain :C . :a :p :b .", ":a a :C ."),
    "prp-rng": (":p rdfs:range :C . :a :p :b .", ":b a :C ."),
    "prp-fp": (":p a owl:FunctionalProperty . :a :p :b, :c .", ":b owl:sameAs :c ."),
    "prp-ifp": (":p a owl:InverseFunctionalProperty . :a :p 1 . :b :p 1 .", ":a owl:sameAs :b ."),
    "prp-symp": (":p a owl:SymmetricProperty . :a :p :b .", ":b :p :a ."),
    "prp-trp": (":p a owl:TransitiveProperty . :a :p :b . :b :p :c .", ":a :p :c ."),
    "prp-spo1": (":p rdfs:subPropertyOf :q . :a :p :b .", ":a :q :b ."),
    "prp-spo2": (
        ":r owl:propertyChainAxiom ( :p :q :p ) . :a :p :b . :b :q :c . :c :p :d .",
        ":a :r :d .",
    ),
    "prp-eqp1": (":p owl:equivalentProperty :q . :a :p :b .", ":a :q :b ."),
    "prp-eqp2": (":p owl:equivalentProperty :q . :a :q :b .", ":a :p :b ."),
    "prp-inv1": (":p owl:inverseOf :q . :a :p :b .", ":b :q :a ."),
    "prp-inv2": (":p owl:inverseOf :q . :a :q :b .", ":b :p :a ."),
    "prp-key": (
        ":C owl:hasKey ( :p :q ) . :a a :C ; :p 1 ; :q 2 . :b a :C ; :p 1 ; :q 2 .",
        ":a owl:sameAs :b .",
    ),
    "cls-int1": (":C owl:intersectionOf ( :D :E ) . :a a :D, :E .", ":a a :C ."),
    "cls-int2": (":C owl:intersectionOf ( :D :E ) . :a a :C .", ":a a :E ."),
    "cls-uni": (":C owl:unionOf ( :D :E ) . :a a :E .", ":a a :C ."),
    "cls-svf1": (":C owl:someValuesFrom :D ; owl:onProperty :p . :a :p :b . :b a :D .", ":a a :C ."),
    "cls-svf2": (":C owl:someValuesFrom owl:Thing ; owl:onProperty :p . :a :p 1 .", ":a a :C ."),
    "cls-avf": (":C owl:allValuesFrom :D ; owl:onProperty :p . :a a :C ; :p :b .", ":b a :D ."),
    "cls-hv1": (':C owl:hasValue "v" ; owl:onProperty :p . :a a :C .', ':a :p "v" .'),
    "cls-hv2": (':C owl:hasValue "v" ; owl:onProperty :p . :a :p "v" .', ":a a :C ."),
    "cls-maxc2": (
        ":C owl:maxCardinality 1 ; owl:onProperty :p . :a a :C ; :p :b, :c .",
        ":b owl:sameAs :c .",
    ),
    "cls-maxqc3": (
        ":C owl:maxQualifiedCardinality 1 ; owl:onProperty :p ; owl:onClass :D . "
        ":a a :C ; :p :b, :c . :b a :D . :c a :D .",
        ":b owl:sameAs :c .",
    ),
    "cls-maxqc4": (
        ":C owl:maxQualifiedCardinality 1 ; owl:onProperty :p ; owl:onClass owl:Thing . :a a :C ; :p :b, :c .",
        ":b owl:sameAs :c .",
    ),
    "cls-oo": (":C owl:oneOf ( :a :b ) .", ":b a :C ."),
    "cax-sco": (":C rdfs:subClassOf :D . :a a :C .", ":a a :D ."),
    "cax-eqc1": (":C owl:equivalentClass :D . :a a :C .", ":a a :D ."),
    "cax-eqc2": (":C owl:equivalentClass :D . :a a :D .", ":a a :C ."),
    "scm-sco": (":C rdfs:subClassOf :D . :D rdfs:subClassOf :E .", ":C rdfs:subClassOf :E ."),
    "scm-eqc1": (":C owl:equivalentClass :D .", ":D rdfs:subClassOf :C ."),
    "scm-eqc2": (":C rdfs:subClassOf :D . :D rdfs:subClassOf :C .", ":C owl:equivalentClass :D ."),
    "scm-spo": (":p rdfs:subPropertyOf :q . :q rdfs:subPropertyOf :r .", ":p rdfs:subPropertyOf :r ."),
    "scm-eqp1": (":p owl:equivalentProperty :q .", ":q rdfs:subPropertyOf :p ."),
    "scm-eqp2": (":p rdfs:subPropertyOf :q . :q rdfs:subPropertyOf :p .", ":p owl:equivalentProperty :q ."),
    "scm-dom1": (":p rdfs:domain :C . :C rdfs:subClassOf :D .", ":p rdfs:domain :D ."),
    "scm-dom2": (":q rdfs:domain :C . :p rdfs:subPropertyOf :q .", ":p rdfs:domain :C ."),
    "scm-rng1": (":p rdfs:range :C . :C rdfs:subClassOf :D .", ":p rdfs:range :D ."),
    "scm-rng2": (":q rdfs:range :C . :p rdfs:subPropertyOf :q .", ":p rdfs:range :C ."),
    "scm-hv": (
        ":C owl:hasValue :a ; owl:onProperty :p . :D owl:hasValue :a ; owl:onProperty :q . :p rdfs:subPropertyOf :q .",
        ":C rdfs:subClassOf :D .",
    ),
    "scm-svf1": (
        ":C owl:someValuesFrom :Y ; owl:onProperty :p . :D owl:someValuesFrom :Z ; owl:onProperty :p . "
        ":Y rdfs:subClassOf :Z .",
        ":C rdfs:subClassOf :D .",
    ),
    "scm-svf2": (
        ":C owl:someValuesFrom :Y ; owl:onProperty :p . :D owl:someValuesFrom :Y ; owl:onProperty :q . "
        ":p rdfs:subPropertyOf :q .",
        ":C rdfs:subClassOf :D .",
    ),
    "scm-avf1": (
        ":C owl:allValuesFrom :Y ; owl:onProperty :p . :D owl:allValuesFrom :Z ; owl:onProperty :p . "
        ":Y rdfs:subClassOf :Z .",
        ":C rdfs:subClassOf :D .",
    ),
    "scm-avf2": (
        ":C owl:allValuesFrom :Y ; owl:onProperty :p . :D owl:allValuesFrom :Y ; owl:onProperty :q . "
        ":p rdfs:subPropertyOf :q .",
        ":D rdfs:subClassOf :C .",
    ),
    "dt-eq": (':a :p 1 . :b :q "01"^^xsd:byte .', ':a :p "01"^^xsd:byte .'),
    "dt-type2": (":C owl:someValuesFrom xsd:integer ; owl:onProperty :p . :a :p 1.0 . :b :p 1.5, 'x' .", ":a a :C ."),
    "scm-int": (":C owl:intersectionOf ( :D :E ) .", ":C rdfs:subClassOf :E ."),
    "scm-uni": (":C owl:unionOf ( :D :E ) .", ":E rdfs:subClassOf :C ."),
}
# Rules that say something of every term: in the complete rule set only.
TRIVIAL_CASES = {
    "eq-ref": (":a :p :b .", ":b owl:sameAs :b ."),
    "prp-ap": (":a :p :b .", "owl:incompatibleWith a owl:AnnotationProperty ."),
    "cls-thing": (":a :p :b .", "owl:Thing a owl:Class ."),
    "cls-nothing1": (":a :p :b .", "owl:Nothing a owl:Class ."),
    "dt-type1": (":a :p :b .", "xsd:dateTimeStamp a rdfs:Datatype ."),
    "scm-cls": (":C a owl:Class .", ":C rdfs:subClassOf owl:Thing ."),
    "scm-op": (":p a owl:ObjectProperty .", ":p owl:equivalentProperty :p ."),
    "scm-dp": (":p a owl:DatatypeProperty .", ":p rdfs:subPropertyOf :p ."),
}

# Sound, and in no table.
MORE_CASES = {
    "different-symmetric": (":a owl:differentFrom :b .", ":b owl:differentFrom :a ."),
    "different-values": (
        ":p a owl:FunctionalProperty . :a :p :x . :b :p :y . :x owl:differentFrom :y .",
        ":a owl:differentFrom :b .",
    ),
    "different-subjects": (
        ":p a owl:InverseFunctionalProperty . :a :p :x . :b :p :y . :a owl:differentFrom :b .",
        ":x owl:differentFrom :y .",
    ),
    "different-classes": (":C owl:disjointWith :D . :a a :C . :b a :D .", ":a owl:differentFrom :b ."),
    "different-complements": (":C owl:complementOf :D . :a a :C . :b a :D .", ":a owl:differentFrom :b ."),
    "different-objects": (":p owl:propertyDisjointWith :q . :a :p :b ; :q :c .", ":b owl:differentFrom :c ."),
    "different-sources": (":p owl:propertyDisjointWith :q . :a :p :b . :c :q :b .", ":a owl:differentFrom :c ."),
    "different-irreflexive": (":p a owl:IrreflexiveProperty . :a :p :b .", ":a owl:differentFrom :b ."),
    "different-asymmetric": (":p a owl:AsymmetricProperty . :a :p :b .", ":a owl:differentFrom :b ."),
    "reflexive": (":p a owl:ReflexiveProperty . :a :q :b .", ":b :p :b ."),
    "disjoint-symmetric": (":C owl:disjointWith :D .", ":D owl:disjointWith :C ."),
    "disjoint-complement": (":C owl:complementOf :D .", ":C owl:disjointWith :D ."),
    "complement-symmetric": (":C owl:complementOf :D .", ":D owl:complementOf :C ."),
    "disjoint-properties-symmetric": (":p owl:propertyDisjointWith :q .", ":q owl:propertyDisjointWith :p ."),
    "disjoint-subclasses": (":C owl:disjointWith :D . :E rdfs:subClassOf :C .", ":E owl:disjointWith :D ."),
    "inverse-symmetric": (":p owl:inverseOf :q .", ":q owl:inverseOf :p ."),
    "inverse-functional": (
        ":p owl:inverseOf :q . :p a owl:FunctionalProperty .",
        ":q a owl:InverseFunctionalProperty .",
    ),
    "inverse-inverse-functional": (
        ":p owl:inverseOf :q . :p a owl:InverseFunctionalProperty .",
        ":q a owl:FunctionalProperty .",
    ),
    "inverse-transitive": (":p owl:inverseOf :q ; a owl:TransitiveProperty .", ":q a owl:TransitiveProperty ."),
    "inverse-domain": (":p owl:inverseOf :q ; rdfs:domain :C .", ":q rdfs:range :C ."),
    "inverse-range": (":p owl:inverseOf :q ; rdfs:range :C .", ":q rdfs:domain :C ."),
    "symmetric-inverse": (":p a owl:SymmetricProperty .", ":p owl:inverseOf :p ."),
    "inverse-itself": (":p owl:inverseOf :p .", ":p a owl:SymmetricProperty ."),
    "functional-subproperty": (
        ":p rdfs:subPropertyOf :q . :q a owl:FunctionalProperty .",
        ":p a owl:FunctionalProperty .",
    ),
    "inverse-functional-subproperty": (
        ":p rdfs:subPropertyOf :q . :q a owl:InverseFunctionalProperty .",
        ":p a owl:InverseFunctionalProperty .",
    ),
    "same-properties": (":p a rdf:Property . :p owl:sameAs :q .", ":p owl:equivalentProperty :q ."),
    "chain-transitive": (":p owl:propertyChainAxiom ( :p :p ) .", ":p a owl:TransitiveProperty ."),
    "complement-superclass": (":C owl:disjointWith :D . :E owl:complementOf :D .", ":C rdfs:subClassOf :E ."),
    "restriction": (":C owl:onProperty :p .", ":C a owl:Restriction ."),
    "vocabulary": (":a :p :b .", "owl:Class rdfs:subClassOf rdfs:Class ."),
}

FALSE_CASES = {
    "eq-diff1": ":a owl:sameAs :b ; owl:differentFrom :b .",
    "eq-diff2": "[] a owl:AllDifferent ; owl:members ( :a :b :c ) . :a owl:sameAs :c .",
    "eq-diff3": "[] a owl:AllDifferent ; owl:distinctMembers ( :a :b :c ) . :c owl:sameAs :a .",
    "prp-irp": ":p a owl:IrreflexiveProperty . :a :p :a .",
    "prp-asyp": ":p a owl:AsymmetricProperty . :a :p :b . :b :p :a .",
    "prp-pdw": ":p owl:propertyDisjointWith :q . :a :p :b ; :q :b .",
    "prp-adp": "[] a owl:AllDisjointProperties ; owl:members ( :p :q :r ) . :a :p :b ; :r :b .",
    "prp-npa1": "[] owl:sourceIndividual :a ; owl:assertionProperty :p ; owl:targetIndividual :b . :a :p :b .",
    "prp-npa2": "[] owl:sourceIndividual :a ; owl:assertionProperty :p ; owl:targetValue 1 . :a :p 1 .",
    "cls-nothing2": ":a a owl:Nothing .",
    "cls-com": ":C owl:complementOf :D . :a a :C, :D .",
    "cls-maxc1": ':C owl:maxCardinality "0"^^xsd:nonNegativeInteger ; owl:onProperty :p . :a a :C ; :p :b .',
    "cls-maxqc1": (
        ":C owl:maxQualifiedCardinality 0 ; owl:onProperty :p ; owl:onClass :D . :a a :C ; :p :b . :b a :D ."
    ),
    "cls-maxqc2": ":C owl:maxQualifiedCardinality 0 ; owl:onProperty :p ; owl:onClass owl:Thing . :a a :C ; :p 1 .",
    "cax-dw": ":C owl:disjointWith :D . :a a :C, :D .",
    "cax-adc": "[] a owl:AllDisjointClasses ; owl:members ( :C :D :E ) . :a a :C, :E .",
    "dt-diff-maxc": ":C owl:maxCardinality 1 ; owl:onProperty :p . :a a :C ; :p 1, 2 .",
    "dt-diff-maxqc": (
        ":C owl:maxQualifiedCardinality 1 ; owl:onProperty :p ; owl:onDataRange xsd:integer . "
        ":a a :C ; :p 1, 2.0, 'x' ."
    ),
    "dt-not-type": ":p rdfs:range xsd:byte . :a :p 1, 128 .",
    "dt-not-type-avf": ":C owl:allValuesFrom xsd:byte ; owl:onProperty :p . :a a :C ; :p 1, 'x' .",
    "dt-not-type-lexical": ':a :p "one"^^xsd:integer, " 1"^^xsd:integer, 1 .',
    "dt-diff": ':p a owl:FunctionalProperty . :a :p 1, "01"^^xsd:integer, 2.5 .',
}


def iri(name: str) -> URIRef:
    return URIRef(f"http://example/{name}")


def read(turtle: str) -> rdflib.Graph:
    return rdflib.Graph().parse(data=PREFIXES + turtle, format="turtle")


def closed(turtle: str, *, entailment: str = "owl2rl") -> Closure:
    return materialise(KnowledgeGraph.from_rdflib(read(turtle)), entailment=entailment)


@pytest.mark.parametrize("rule", RDFS_CASES)
def test_rdfs_rule(rule: str) -> None:
    given, conclusion = RDFS_CASES[rule]
    closure = closed(given, entailment="rdfs")
    (triple,) = read(conclusion)
    proof = closure.proof(triple)
    assert proof.rule is not None
    assert proof.rule.iri == URIRef(MT + rule)
    assert replay(proof, closure.graph, closure.rules) > 1


@pytest.mark.parametrize("rule", OWL_CASES)
def test_owl_rule(rule: str) -> None:
    given, conclusion = OWL_CASES[rule]
    closure = closed(given)
    (triple,) = read(conclusion)
    proof = closure.proof(triple)
    assert proof.rule is not None
    assert proof.rule.iri == URIRef(RL + rule)
    assert replay(proof, closure.graph, closure.rules) > 1
    assert closure.violations == ()


@pytest.mark.parametrize("rule", TRIVIAL_CASES)
def test_owl_rule_of_the_complete_rule_set(rule: str) -> None:
    given, conclusion = TRIVIAL_CASES[rule]
    (triple,) = read(conclusion)
    closure = closed(given, entailment="owl2rl-full")
    proof = closure.proof(triple)
    assert proof.rule is not None
    assert proof.rule.iri == URIRef(RL + rule)
    assert replay(proof, closure.graph, closure.rules) >= 1
    assert not closed(given).entails(triple)


@pytest.mark.parametrize("rule", MORE_CASES)
def test_rule_beyond_the_tables(rule: str) -> None:
    given, conclusion = MORE_CASES[rule]
    (triple,) = read(conclusion)
    closure = closed(given, entailment="owl2rl-more")
    assert closure.entails(triple)
    assert replay(closure.proof(triple), closure.graph, closure.rules) >= 1
    assert not closed(given, entailment="owl2rl-full").entails(triple)


@pytest.mark.parametrize("rule", FALSE_CASES)
def test_owl_constraint(rule: str) -> None:
    closure = closed(FALSE_CASES[rule])
    found = [violation for violation in closure.violations if violation.constraint.iri == URIRef(RL + rule)]
    assert found
    assert all("{" not in violation.message for violation in found)
    assert all(replay(violation.proof, closure.graph, closure.rules) > 1 for violation in found)


def test_every_built_in_rule_has_a_case_of_its_name() -> None:
    of_lists = {"eq-rep-p", "eq-diff2", "eq-diff3", "prp-spo2", "prp-adp", "prp-key", "cls-int1", "cls-int2", "cls-uni"}
    of_lists |= {"cls-oo", "cax-adc", "scm-int", "scm-uni", "dt-eq", "dt-not-type-lexical"}
    assert {rule.name for rule in builtin_rules("rdfs")} == set(RDFS_CASES)
    assert {rule.name for rule in builtin_rules("owl2rl")} == {*OWL_CASES, *FALSE_CASES} - of_lists


def test_every_rule_of_the_complete_rule_sets_has_a_case_of_its_name() -> None:
    tables = {rule.name for rule in builtin_rules("owl2rl")}
    full = {rule.name for rule in builtin_rules("owl2rl-full")}
    assert full - tables == set(TRIVIAL_CASES)
    assert {rule.name for rule in builtin_rules("owl2rl-more")} - full == set(MORE_CASES)


@pytest.mark.parametrize("name", ["rdfs", "owl2rl", "rdf", "rdfs-full", "owl2rl-full", "owl2rl-more"])
def test_every_built_in_rule_says_what_it_does_and_where_it_is_from(name: str) -> None:
    rules = builtin_rules(name)
    assert [rule.name for rule in rules if not rule.comment or not rule.source] == []
    assert [c.name for c in rules.constraints if "{?" not in c.message] == []
    assert parse_rules(ruleset_text(rules)) == rules


def test_an_unknown_rule_set_is_refused_with_the_nearest_name() -> None:
    assert len(builtin_rules("none")) == 0
    with pytest.raises(ConfigError, match="did you mean 'owl2rl'"):
        builtin_rules("owl-rl")


def test_a_constraint_speaks_of_the_terms_it_met() -> None:
    (violation,) = closed(":C owl:disjointWith :D . :a a :C, :D . :a rdfs:label 'Mrs Adler' .").violations
    assert violation.message.startswith("Mrs Adler is in ")
    assert violation.message.endswith("which are disjoint")


def test_rdfs_reads_no_owl_axiom() -> None:
    assert len(closed(OWL_CASES["prp-symp"][0], entailment="rdfs").graph.inferred) == 0


LUBM = Path(__file__).parents[2] / "shared" / "data" / "lubm"


@pytest.mark.skipif(not LUBM.is_dir(), reason="the LUBM data are not beside the repository")
def test_the_schema_is_closed_before_the_data_lubm_1_has_547_employees_by_scm_svf1() -> None:
    graph = load_graph([LUBM / "lubm1.nt.gz", LUBM / "univ-bench.nt"])
    employee = URIRef("http://swat.cse.lehigh.edu/onto/univ-bench.owl#Employee")

    def employees(rules: RuleSet) -> int:
        return len(
            list(materialise(graph, rules, entailment="none").graph.triples(predicate=RDF.type, object=employee))
        )

    whole = materialise(graph)
    of_employee = len(list(whole.graph.triples(predicate=RDF.type, object=employee)))
    without = RuleSet(tuple(rule for rule in whole.rules.rules if rule.name != "scm-svf1"))
    assert of_employee - employees(without) == 547


# Lists ----------------------------------------------------------------------------------------------------------------


def test_a_proof_from_a_list_shows_the_axiom_and_its_cells() -> None:
    closure = closed(OWL_CASES["prp-spo2"][0])
    leaves = closure.proof(Triple(iri("a"), iri("r"), iri("d"))).leaves()
    predicates = Counter(local_name(str(leaf.predicate)) for leaf in leaves)
    assert predicates == {"propertyChainAxiom": 1, "first": 3, "rest": 3, "p": 2, "q": 1}


def test_an_anonymous_class_of_a_list_is_the_one_of_the_graph() -> None:
    closure = closed(
        """
        :Risky owl:equivalentClass [ owl:intersectionOf ( :Drug [ owl:onProperty :has ; owl:hasValue :risk ] ) ] .
        :a a :Drug ; :has :risk . :b a :Drug . :c a :Risky .
        """
    )
    assert closure.entails((iri("a"), RDF.type, iri("Risky")))
    assert not closure.entails((iri("b"), RDF.type, iri("Risky")))
    assert closure.entails((iri("c"), iri("has"), iri("risk")))
    proof = closure.proof((iri("a"), RDF.type, iri("Risky")))
    assert replay(proof, closure.graph, closure.rules) > 1
    assert not [triple for triple in closure.graph.triples(iri("b"), RDF.type) if isinstance(triple.object, BNode)]


def test_an_anonymous_inverse_in_a_chain_is_its_property_read_the_other_way() -> None:
    closure = closed(":r owl:propertyChainAxiom ( [ owl:inverseOf :p ] :q ) . :a :p :b . :a :q :c .")
    assert closure.entails((iri("b"), iri("r"), iri("c")))
    assert replay(closure.proof((iri("b"), iri("r"), iri("c"))), closure.graph, closure.rules) > 1
    assert [triple for triple in closure.graph.triples() if isinstance(triple.predicate, BNode)] == []


def test_a_class_with_another_name_keeps_its_members() -> None:
    closure = closed(":C owl:sameAs :D . :a a :C .")
    assert closure.entails((iri("a"), RDF.type, iri("D")))


def test_all_different_members_may_be_blank_nodes() -> None:
    closure = closed("_:x owl:sameAs :b . [] a owl:AllDifferent ; owl:members ( :a _:x :b ) .")
    assert {v.constraint.name for v in closure.violations} == {"eq-diff2"}


def test_different_literals_of_a_functional_property_are_one_violation_for_each_pair_of_values() -> None:
    closure = closed(':p a owl:FunctionalProperty . :a :p 1, "01"^^xsd:integer . :b :p 1, 2 .')
    assert [(v.constraint.name, v.message) for v in closure.violations] == [
        ("dt-diff", "b has two values of p, 1 and 2, and p is functional")
    ]


def test_no_rule_says_that_a_thing_is_itself() -> None:
    closure = closed(":p a owl:FunctionalProperty . :a :p :b . :C rdfs:subClassOf :D .")
    assert [t for t in closure.graph.triples() if t.subject == t.object] == []
    assert not list(closure.graph.triples(predicate=OWL.sameAs))


def test_an_empty_union_has_no_members_and_no_error() -> None:
    assert len(closed(":C owl:unionOf () . :D owl:intersectionOf () . :a a :D .").graph.inferred) == 0


CELL = "_:c rdf:first :p ; "


@pytest.mark.parametrize(
    ("axiom", "problem"),
    [
        (f":r owl:propertyChainAxiom _:c . {CELL} rdf:rest _:c .", "comes back to its cell"),
        (f":r owl:propertyChainAxiom _:c . {CELL} rdf:rest rdf:nil, _:d .", "has 2 rdf:rest at its cell"),
        (f":C owl:unionOf _:c . {CELL} rdf:seeAlso _:d .", "has 0 rdf:rest at its cell"),
        (":C owl:intersectionOf :D .", "has 0 rdf:first at its cell <http://example/D>"),
        (":C owl:oneOf _:c . _:c rdf:first :a, :b ; rdf:rest rdf:nil .", "has 2 rdf:first"),
        (":r owl:propertyChainAxiom () .", "at least 1 member"),
        (":C owl:hasKey () .", "at least 1 member"),
        (":C owl:unionOf ( 1 ) .", "got the literal"),
        (':r owl:propertyChainAxiom ( :p "q" ) .', "got the literal"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(axiom: str, problem: str) -> None:
    with pytest.raises(RuleError, match=problem):
        closed(axiom)


def test_a_data_range_of_literals_is_no_class_with_members() -> None:
    closure = closed(':C owl:oneOf ( "a" :b ) .')
    assert [t.subject for t in closure.graph.triples(predicate=RDF.type, object=iri("C"))] == [iri("b")]


def test_a_list_of_two_thousand_members_is_read_in_a_moment() -> None:
    members = " ".join(f":m{n}" for n in range(2000))
    closure = closed(f":C owl:oneOf ( {members} ) . [] a owl:AllDifferent ; owl:members ( {members} ) .")
    assert len(closure.graph.inferred) == 2000
    assert closure.violations == ()
