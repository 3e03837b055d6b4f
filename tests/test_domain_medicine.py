"""The medicine domain: its size, its vocabulary, its rules, and the faults planted among its patients.

The planted faults are read from the table in the domain's README, so that the text people read is what is tested. A
second way to the same answer is SPARQL over the closure: each rule body becomes one query (`sparql`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyoxigraph as ox
import pytest
from rdflib import OWL, RDF, RDFS, SKOS, XSD, Literal, URIRef, Variable
from rdflib.term import Node

from engine.audit import audit
from engine.symbolic import Closure, Status, check, load_rules, materialise
from engine.symbolic.rules import Atom, Filter, Negation, Rule, RuleSet, term_text
from kg.domain import Domain, load_domain
from kg.load import load_graph
from kg.terms import Triple

FOLDER = Path(__file__).parents[1] / "data" / "domains" / "medicine"
MED = "https://example.org/noesis/medicine#"
RULE = "https://example.org/noesis/medicine/rules#"
ASSERTED = "https://example.org/noesis/asserted"

Finding = tuple[str, str, frozenset[str]]
"""A violation about a patient: constraint name, patient label, labels of the drugs in it."""


@pytest.fixture(scope="module")
def domain() -> Domain:
    return load_domain(FOLDER)


@pytest.fixture(scope="module")
def rules(domain: Domain) -> RuleSet:
    return load_rules(domain.rule_files)


@pytest.fixture(scope="module")
def closure(domain: Domain, rules: RuleSet) -> Closure:
    return materialise(domain.graph, rules, entailment=domain.entailment)


@pytest.fixture(scope="module")
def dataset(closure: Closure) -> ox.Store:
    """The closure as default graph, its asserted triples as a named graph."""
    store = ox.Store()
    for inferred, graph in ((True, None), (False, ASSERTED)):
        lines = "\n".join(
            " ".join(map(term_text, t)) + " ."
            for t in closure.graph.triples(inferred=inferred)
            if isinstance(t.predicate, URIRef)
        )
        store.load(lines, format=ox.RdfFormat.N_TRIPLES, to_graph=ox.NamedNode(graph) if graph else None)
    return store


def med(name: str) -> URIRef:
    return URIRef(MED + name)


# ------------------------------------------------------------------- the files


def test_domain_has_150_drugs_36_patients_and_3000_asserted_triples(domain: Domain, closure: Closure) -> None:
    drugs = {t.subject for t in closure.graph.triples(None, RDF.type, med("Drug"))}
    patients = {t.subject for t in closure.graph.triples(None, RDF.type, med("Patient"))}
    assert len(drugs) >= 150
    assert len(patients) == 36
    assert len(domain.graph.asserted) >= 3000


def test_every_term_of_the_vocabulary_is_declared_and_labelled(domain: Domain, rules: RuleSet) -> None:
    in_graph = {term for triple in domain.graph.triples(inferred=False) for term in triple}
    in_rules = {term for rule in rules for atom in _atoms(rule) for term in atom.terms}
    used = {term for term in in_graph | in_rules if isinstance(term, URIRef) and term.startswith(MED)}
    declared = {t.subject for t in domain.graph.triples(None, RDF.type, None)}
    labelled = {t.subject for t in domain.graph.triples(None, RDFS.label, None)}
    assert len(used) > 500
    assert used - declared == set()
    assert used - labelled == set()


def test_no_label_names_two_things(domain: Domain) -> None:
    names: dict[str, set[Node]] = {}
    for predicate in (RDFS.label, SKOS.altLabel):
        for subject, _, name in domain.graph.triples(None, predicate, None):
            if "{" not in str(name):
                names.setdefault(str(name).casefold(), set()).add(subject)
    assert {name: terms for name, terms in names.items() if len(terms) > 1} == {}


def test_every_property_is_said_in_at_least_four_ways(domain: Domain) -> None:
    graph = domain.graph
    properties = {
        t.subject for kind in (OWL.ObjectProperty, OWL.DatatypeProperty) for t in graph.triples(None, RDF.type, kind)
    }
    phrases = {p: [str(t.object) for t in graph.triples(p, SKOS.altLabel, None)] for p in {*properties, RDF.type}}
    assert len(properties) > 40
    assert {p: said for p, said in phrases.items() if len(said) < 4} == {}
    assert [s for said in phrases.values() for s in said if "{s}" not in s or "{o}" not in s] == []


def test_every_property_has_domain_and_range(domain: Domain) -> None:
    graph = domain.graph
    for kind in (OWL.ObjectProperty, OWL.DatatypeProperty):
        for triple in graph.triples(None, RDF.type, kind):
            for axiom in (RDFS.domain, RDFS.range):
                assert len(list(graph.triples(triple.subject, axiom, None))) == 1, (triple.subject, axiom)


# ------------------------------------------------------------------- the rules


def test_there_are_at_least_25_rules_and_as_many_constraints(rules: RuleSet) -> None:
    assert len(rules.rules) >= 25
    assert len(rules.constraints) >= 25


def test_every_rule_has_iri_comment_and_source_and_no_drug_in_it(
    domain: Domain, closure: Closure, rules: RuleSet
) -> None:
    drugs = {t.subject for t in closure.graph.triples(None, RDF.type, med("Drug"))}
    assert {rule.name for rule in rules if not (rule.iri or "").startswith(RULE)} == set()
    assert {rule.name for rule in rules if not rule.comment.endswith(".")} == set()
    assert {rule.name for rule in rules if not rule.source} == set()
    assert {rule.name for rule in rules for atom in _atoms(rule) if drugs & set(atom.terms)} == set()
    assert {rule.name for rule in rules.constraints if not rule.message} == set()


def test_every_rule_fires_on_the_domain(rules: RuleSet, dataset: ox.Store) -> None:
    assert {rule.name for rule in rules.rules if not any(True for _ in _solutions(rule, dataset))} == set()


def test_every_constraint_fires_on_the_patients_or_guards_the_facts(rules: RuleSet, dataset: ox.Store) -> None:
    silent = {rule.name for rule in rules.constraints if not any(True for _ in _solutions(rule, dataset))}
    assert silent == {
        "indicated-and-contraindicated",
        "prescription-of-two-drugs",
        "prescription-of-two-patients",
        "subtype-of-itself",
        "two-maximum-doses",
        "two-minimum-egfr",
        "two-pregnancy-advices",
        "two-qt-categories",
    }


# ---------------------------------------------------------------- the patients


def test_violations_are_exactly_the_planted_faults(closure: Closure) -> None:
    found = {finding(v.constraint, v.substitution, closure) for v in audit(closure).violations}
    assert found == planted()


def test_sparql_over_the_closure_finds_the_same_violations(closure: Closure, rules: RuleSet, dataset: ox.Store) -> None:
    found = {(rule.name, _values(values)) for rule in rules.constraints for values in _solutions(rule, dataset)}
    ours = {
        (v.constraint.name, _values({str(k): term_text(t) for k, t in v.substitution.items()}))
        for v in closure.violations
    }
    assert ours == found


def test_readme_lists_every_rule_and_constraint(rules: RuleSet) -> None:
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    assert {f"| `{rule.name}` | {rule.comment} |" for rule in rules.rules} <= set(lines)
    assert {f"| `{c.name}` | {c.severity.name.capitalize()} | {c.comment} |" for c in rules.constraints} <= set(lines)


def test_about_a_third_of_the_patients_is_unsafe() -> None:
    assert 11 <= len({patient for _, patient, _ in planted()}) <= 15


def test_facts_without_patients_have_no_violation(domain: Domain, rules: RuleSet) -> None:
    files = sorted(path for path in FOLDER.glob("*.ttl") if path.name != "patients.ttl")
    facts = materialise(load_graph(files), rules, entailment=domain.entailment)
    assert [str(v.message) for v in facts.violations] == []


# ------------------------------------------------------ false claims are caught

FALSE_CLAIMS = {
    ("rifampicin", "inhibits", "CYP3A4"): "prp-pdw",
    ("rifampicin", "raisesLevelOf", "warfarin"): "prp-pdw",
    ("fluconazole", "weaklyInhibits", "CYP2C9"): "prp-adp",
    ("propranolol", "treats", "Asthma"): "prp-pdw",
    ("enalapril", "treats", "Pregnancy"): "prp-pdw",
    ("warfarin", "interactsWith", "warfarin"): "prp-irp",
    ("warfarin", "metabolisedBy", "Hypertension"): "cax-adc",
    ("CYP3A4", "treats", "Hypertension"): "cax-adc",
    ("amiodarone", "qtRisk", "ConditionalQtRisk"): "two-qt-categories",
    ("warfarin", "pregnancyAdvice", "ConsideredSafeInPregnancy"): "two-pregnancy-advices",
    ("Hypertension", "type", "Penicillin"): "cax-adc",
    ("warfarin", "type", "Statin"): "cax-dw",
    ("HeartFailure", "subtypeOf", "HeartFailureReducedEF"): "subtype-of-itself",
    ("propranolol", "treats", "AcuteAsthma"): "indicated-and-contraindicated",
    ("paracetamol", "maximumDailyDose", "8000"): "two-maximum-doses",
    ("metformin", "minimumEGFR", "15"): "two-minimum-egfr",
    ("prescription02a", "prescribedDrug", "warfarin"): "prescription-of-two-drugs",
    ("patient02", "hasPrescription", "prescription01a"): "prescription-of-two-patients",
}


def test_false_claims_are_contradicted_each_by_an_axiom_or_a_constraint(closure: Closure) -> None:
    claims = [Triple(med(s), RDF.type if p == "type" else med(p), _object(o)) for s, p, o in FALSE_CLAIMS]
    judgements = check(closure, claims)
    assert [j.status for j in judgements] == [Status.CONTRADICTED] * len(claims)
    names = {
        claim: {v.constraint.name for v in j.violations} for claim, j in zip(FALSE_CLAIMS, judgements, strict=True)
    }
    assert {claim: name for claim, name in FALSE_CLAIMS.items() if name not in names[claim]} == {}


TRUE_CLAIMS = [
    ("clarithromycin", "raisesLevelOf", "simvastatin"),
    ("rifampicin", "lowersLevelOf", "warfarin"),
    ("omeprazole", "lowersEffectOf", "clopidogrel"),
    ("sildenafil", "contraindicatedWith", "isosorbideMononitrate"),
    ("warfarin", "contraindicatedIn", "HaemorrhagicStroke"),
    ("naloxone", "interactsWith", "morphine"),
    ("ibuprofen", "addsBleedingRiskTo", "warfarin"),
]


def test_true_claims_follow_though_nobody_wrote_them_down(domain: Domain, closure: Closure) -> None:
    claims = [Triple(med(s), med(p), med(o)) for s, p, o in TRUE_CLAIMS]
    assert [claim for claim in claims if domain.graph.contains(claim)] == []
    assert [judgement.status for judgement in check(closure, claims)] == [Status.ENTAILED] * len(claims)


def _object(name: str) -> Node:
    return Literal(name, datatype=XSD.integer) if name.isdecimal() else med(name)


# -------------------------------------------------------------------- in words


def sparql(rule: Rule) -> str:
    """The body of a rule as a SPARQL query for its substitutions."""
    return "SELECT * WHERE { " + " ".join(_element(e) for e in rule.body) + " }"


def _element(element: object) -> str:
    if isinstance(element, Atom):
        return f"{element} ."
    if isinstance(element, Negation):
        inside = " ".join(_element(e) for e in element.elements)
        inside = f"GRAPH <{ASSERTED}> {{ {inside} }}" if element.data else inside
        return f"FILTER NOT EXISTS {{ {inside} }}"
    assert isinstance(element, Filter)
    return str(element)


def _values(terms: Mapping[str, str]) -> frozenset[tuple[str, str | float]]:
    """Terms by variable, literals as numbers: the two stores spell one decimal differently."""
    return frozenset((k, float(t.split('"')[1]) if t.startswith('"') else t) for k, t in terms.items())


def _solutions(rule: Rule, dataset: ox.Store) -> Iterator[dict[str, str]]:
    found = dataset.query(sparql(rule))
    assert isinstance(found, ox.QuerySolutions)
    names = [variable.value for variable in found.variables]
    for solution in found:
        yield {name: str(solution[name]) for name in names if solution[name] is not None}


def _atoms(rule: Rule) -> list[Atom]:
    return [*rule.head, *rule.body_atoms, *(atom for negation in rule.negations for atom in negation.atoms)]


def planted() -> set[Finding]:
    """The faults in the table "Planted faults" of the README."""
    table = (FOLDER / "README.md").read_text(encoding="utf-8").split("## Planted faults", 1)[1]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| M")
    ]
    return {(name.strip("`"), patient, frozenset(filter(None, drugs.split(", ")))) for patient, drugs, name, _ in rows}


def finding(constraint: Rule, values: Mapping[Variable, Node], closure: Closure) -> Finding:
    """A violation reduced to constraint, patient and medicines."""
    graph = closure.graph
    owner = values.get(Variable("patient")) or next(
        t.subject for t in graph.triples(None, med("hasPrescription"), values[Variable("prescription")])
    )
    medicines = {t for t in values.values() if graph.contains((t, RDF.type, med("Medicine")))}
    return constraint.name, graph.label(owner), frozenset(map(graph.label, medicines))
