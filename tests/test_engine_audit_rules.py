"""Audits of the rules themselves: each kind of finding, what it must not say, and what a second way says."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rdflib import Graph, URIRef, Variable
from rdflib.term import Node

from engine.audit import Finding, Kind, audit
from engine.audit.contradiction import never_holds
from engine.audit.rules import rule_file_findings, rule_findings
from engine.audit.subsumption import subsumes
from engine.symbolic import Closure, RuleSet, Severity, materialise, parse_rules
from engine.symbolic.builtins import holds
from engine.symbolic.rules import Atom, Call, Constant, Constraint, Rule, check_safety
from kg.errors import StratificationError, UnsafeRuleError
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from kg.terms import Triple
from tests.naive import naive_closure, solutions
from tests.rule_programs import Case, cases

EX = "http://e/"
PREFIXES = """
PREFIX : <http://e/>
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
"""
DATA = """
:ann a :Person ; :parentOf :bob ; :age 40 .
:bob a :Person ; :parentOf :cyd .
:rex a :Dog ; :barksAt :tom .
:Person owl:disjointWith :Dog .
:Ghost rdfs:subClassOf owl:Nothing .
"""


def closed(rules: str, data: str = DATA, entailment: str = "owl2rl") -> Closure:
    graph = Graph()
    graph.parse(data=PREFIXES + data, format="turtle")
    known = KnowledgeGraph.from_triples(graph, prefixes={"": "http://e/"})
    return materialise(known, parse_rules(PREFIXES + rules), entailment=entailment)


def found(rules: str, data: str = DATA) -> dict[str, list[str]]:
    """The messages of the findings by rule id."""
    told: dict[str, list[str]] = {}
    for finding in rule_findings(closed(rules, data)):
        told.setdefault(finding.rule.id, []).append(finding.message)
    return told


# ---------------------------------------------------------------- rules that never fire


def test_a_graph_without_rules_of_its_own_has_no_findings() -> None:
    assert list(rule_findings(closed(""))) == []


def test_a_rule_that_fires_is_no_finding_even_if_all_it_gives_is_asserted() -> None:
    assert found("RULE :r { ?x a :Person } WHERE { ?x :parentOf ?y }") == {}


def test_an_atom_without_a_match_is_told_with_the_nearest_used_predicate() -> None:
    closure = closed("RULE :r { ?x :grandparentOf ?z } WHERE { ?x :parentOf ?y . ?y :parntOf ?z }")
    (finding,) = rule_findings(closure)
    assert finding.rule.id == "rule-never-fires"
    assert finding.rule.kind is Kind.RULE
    assert finding.severity is Severity.INFO
    assert finding.message == (
        "Rule 'r' never fires: no triple matches ?y :parntOf ?z; :parntOf is not in the graph, "
        "the nearest that is used is :parentOf"
    )
    assert finding.terms == {"rule": URIRef("http://e/r")}
    assert finding.location is not None
    assert finding.location.line == 6
    assert finding.detail["nearest"] == {":parntOf": ":parentOf"}


def test_a_class_without_members_is_told() -> None:
    assert found("RULE :r { ?x :haunts :town } WHERE { ?x a :Persona }") == {
        "rule-never-fires": [
            "Rule 'r' never fires: no triple matches ?x a :Persona; :Persona is not in the graph, "
            "the nearest that is used is :Person"
        ]
    }


def test_a_term_that_only_a_rule_gives_is_not_called_unknown() -> None:
    told = found("""
        RULE :a { ?x :q ?y } WHERE { ?x :p ?y }
        RULE :b { ?x :r ?y } WHERE { ?x :q ?y }
    """)["rule-never-fires"]
    assert told[1] == "Rule 'b' never fires: no triple matches ?x :q ?y"


def test_two_atoms_without_a_join_are_told() -> None:
    assert found("RULE :r { ?x :q ?z } WHERE { ?x :parentOf ?y . ?y :barksAt ?z }") == {
        "rule-never-fires": ["Rule 'r' never fires: no ?y is in matches of both ?x :parentOf ?y and ?y :barksAt ?z"]
    }


def test_the_fewest_atoms_that_have_no_match_together_are_told() -> None:
    rules = "RULE :r { ?x :q ?z } WHERE { ?w a :Dog . ?x :parentOf ?y . ?y :parentOf ?z . ?z :parentOf ?x }"
    (text,) = found(rules)["rule-never-fires"]
    assert "?x :parentOf ?y, ?y :parentOf ?z and ?z :parentOf ?x together" in text
    assert ":Dog" not in text


def test_the_filter_that_always_fails_is_told_and_not_the_one_that_does_not() -> None:
    rules = "RULE :r { ?x a :Old } WHERE { ?x :age ?a FILTER(?a > 10) FILTER(?a > 90) }"
    (text,) = found(rules)["rule-never-fires"]
    assert text.endswith('FILTER((?a > "90"^^<http://www.w3.org/2001/XMLSchema#integer>)) always fails')
    assert '"10"' not in text


def test_a_not_that_always_has_a_match_is_told() -> None:
    (text,) = found("RULE :r { ?x a :Root } WHERE { ?x a :Dog NOT { ?y a :Person } }")["rule-never-fires"]
    assert text.endswith("always has a match")


def test_a_rule_over_asserted_triples_is_measured_on_those() -> None:
    rules = """
        RULE :a { ?x a :Parent } WHERE { ?x :parentOf ?y }
        RULE :b { ?x a :Carer } WHERE DATA { ?x a :Parent }
    """
    assert found(rules) == {"rule-never-fires": ["Rule 'b' never fires: no asserted triple matches ?x a :Parent"]}


def test_a_constraint_without_violations_is_no_finding() -> None:
    assert found("RULE :c { } WHERE { ?x :barksAt ?y . ?y :barksAt ?x }") == {}


def test_an_unknown_term_of_a_constraint_or_a_not_is_told() -> None:
    told = found("""
        RULE :c { } WHERE { ?x :barkAt ?y }
        RULE :r { ?x a :Leaf } WHERE { ?x a :Person NOT { ?x :parentof ?y } }
    """)
    assert told == {
        "rule-unknown-term": [
            "Rule 'r' asks for :parentof, which is not in the graph; the nearest that is used is :parentOf",
            "Constraint 'c' asks for :barkAt, which is not in the graph; the nearest that is used is :barksAt",
        ]
    }


# ---------------------------------------------------------------- rules that say what others say


@pytest.mark.parametrize(
    ("special", "general"),
    [
        ("{ ?x :q ?y } WHERE { ?x :p ?y . ?y a :C }", "{ ?a :q ?b } WHERE { ?a :p ?b }"),
        ("{ ?x :q ?x } WHERE { ?x :p ?x }", "{ ?a :q ?b } WHERE { ?a :p ?b }"),
        ("{ ?x :q :c } WHERE { ?x :p :c }", "{ ?a :q ?b } WHERE { ?a :p ?b }"),
        ("{ ?x :q ?y } WHERE { ?x :p ?y }", "{ ?a :q ?b . ?b :q ?a } WHERE { ?a :p ?b }"),
        (
            "{ ?x :q ?y } WHERE { ?x :p ?y FILTER(?y > 1 && ?x != ?y) }",
            "{ ?x :q ?y } WHERE { ?x :p ?y FILTER(1 < ?y) }",
        ),
        (
            "{ ?x :q ?y } WHERE { ?x :p ?y NOT { ?x :r ?z } }",
            "{ ?x :q ?y } WHERE { ?x :p ?y NOT { ?x :r ?z . ?z a :C } }",
        ),
        ("{ ?x :q ?y } WHERE { ?x :p ?y NOT { ?x :r ?z } }", "{ ?x :q ?y } WHERE { ?x :p ?y NOT DATA { ?x :r ?z } }"),
        ("{ ?x :q ?y } WHERE { ?x :p ?y NOT { ?x :r ?z } }", "{ ?x :q ?y } WHERE { ?x :p ?y }"),
        ("{ ?x :q ?y } WHERE DATA { ?x :p ?y }", "{ ?x :q ?y } WHERE { ?x :p ?y }"),
        ("{ } WHERE { ?x :p ?y . ?y a :C }", "{ } WHERE { ?x :p ?y }"),
    ],
)
def test_a_special_case_is_told_in_one_direction(special: str, general: str) -> None:
    one, other = parse_rules(f"{PREFIXES} RULE {special} RULE {general}")
    assert subsumes(other, one)
    assert not subsumes(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{ ?x :q ?y } WHERE { ?x :p ?y }", "{ ?x :q ?y } WHERE { ?y :p ?x }"),
        ("{ ?x :q ?y } WHERE { ?x :p ?y FILTER(?y > 1) }", "{ ?x :q ?y } WHERE { ?x :p ?y FILTER(?y > 2) }"),
        ("{ ?x :q ?y } WHERE { ?x :p ?y NOT { ?x :r ?z } }", "{ ?x :q ?y } WHERE { ?x :p ?y NOT { ?y :r ?z } }"),
        ("{ ?x :q ?y } WHERE { ?x :p ?y }", "{ } WHERE { ?x :p ?y }"),
        ("{ ?x :q ?n } WHERE { ?x :p ?y SET(?n := ?y + 1) }", "{ ?x :q ?n } WHERE { ?x :p ?y SET(?n := ?y + 2) }"),
        (
            "{ ?x :q ?n } WHERE { ?x :p ?y . ?y a :C SET(?n := COUNT(?y)) }",
            "{ ?x :q ?n } WHERE { ?x :p ?y SET(?n := COUNT(?y)) }",
        ),
    ],
)
def test_rules_that_differ_subsume_in_no_direction(one: str, other: str) -> None:
    first, second = parse_rules(f"{PREFIXES} RULE {one} RULE {other}")
    assert not subsumes(first, second)
    assert not subsumes(second, first)


def test_of_two_rules_that_say_the_same_the_later_is_told_once() -> None:
    closure = closed("""
        RULE :a { ?x :ancestorOf ?y } WHERE { ?x :parentOf ?y }
        RULE :b { ?u :ancestorOf ?v } WHERE { ?u :parentOf ?v }
    """)
    (finding,) = rule_findings(closure)
    assert finding.message == "Rule 'b' says the same as rule 'a'"
    assert finding.terms == {"rule": URIRef("http://e/b"), "by": URIRef("http://e/a")}


def test_a_constraint_is_not_subsumed_by_a_milder_one() -> None:
    head = "{ [] a sh:ValidationResult ; sh:resultSeverity sh:Warning }"
    rules = f"PREFIX sh: <http://www.w3.org/ns/shacl#> RULE :mild {head} WHERE {{ ?x :parentOf ?y }}"
    strict = "RULE :strict { } WHERE { ?x :parentOf ?y . ?y :parentOf ?z }"
    assert "rule-subsumed" not in found(f"{rules} {strict}")
    mild = strict.replace("{ }", head, 1)
    assert found(f"{rules} {mild}")["rule-subsumed"] == ["Constraint 'strict' is a special case of constraint 'mild'"]


def test_a_rule_that_the_schema_says_already_is_told_with_the_axioms() -> None:
    told = found(
        """
        RULE :a { ?x a :Animal } WHERE { ?x a :Dog FILTER(?x != :tom) }
        RULE :b { ?x :kinOf ?z } WHERE { ?x :parentOf ?y . ?y :parentOf ?z }
        RULE :c { ?x a :Pet } WHERE { ?x a :Dog }
        """,
        DATA + ":Dog rdfs:subClassOf :Animal . :parentOf rdfs:subPropertyOf :kinOf . :kinOf a owl:TransitiveProperty .",
    )
    assert told == {
        "rule-entailed": [
            "Rule 'a' infers only what follows without it, by cax-sco from: every dog is an animal",
            "Rule 'b' infers only what follows without it, by prp-trp, prp-spo1 from: kin of is a transitive property; "
            "“parent of” implies “kin of”",
        ]
    }


def test_a_rule_is_not_entailed_by_what_holds_for_some_values_only() -> None:
    rules = """
        RULE :a { ?x :near ?y } WHERE { ?x :parentOf ?y }
        RULE :b { ?x :near ?y } WHERE { ?x :parentOf ?y . ?x a :Person FILTER(?x != ?y) }
        RULE :c { ?x :far ?y } WHERE { ?x :parentOf ?y FILTER(?x != ?y) }
        RULE :d { ?x :far ?y } WHERE { ?x :parentOf ?y . ?y a :Person }
    """
    assert found(rules) == {"rule-subsumed": ["Rule 'b' is a special case of rule 'a'"]}


VARIABLES = [Variable(name) for name in "xyz"]
TERMS = st.sampled_from([*VARIABLES, URIRef("http://e/a"), URIRef("http://e/b")])
ATOMS = st.builds(Atom, TERMS, st.sampled_from([URIRef("http://e/p"), URIRef("http://e/q")]), TERMS)


@st.composite
def plain_rules(draw: st.DrawFn) -> Rule:
    body = draw(st.lists(ATOMS, min_size=1, max_size=3))
    terms = [t for atom in body for t in atom.terms[::2]]
    s, o = draw(st.sampled_from(terms)), draw(st.sampled_from(terms))
    return Rule(None, (Atom(s, URIRef("http://e/h"), o),), tuple(body))


@settings(max_examples=60, deadline=None)
@given(plain_rules(), plain_rules())
def test_subsumption_is_what_the_engine_infers_from_the_frozen_body(general: Rule, special: Rule) -> None:
    """Without NOT and FILTER, G subsumes S just where G infers the head of S from its body with variables as names."""

    def frozen(atom: Atom) -> tuple[URIRef, URIRef, URIRef]:
        s, p, o = (URIRef(f"urn:{t}") if isinstance(t, Variable) else URIRef(str(t)) for t in atom.terms)
        return s, p, o

    graph = KnowledgeGraph.from_triples([frozen(atom) for atom in special.body_atoms])
    closure = materialise(graph, RuleSet((general,)), entailment="none")
    assert subsumes(general, special) == closure.entails(frozen(special.head[0]))


# ---------------------------------------------------------------- rules that can never hold


@pytest.mark.parametrize(
    "body",
    [
        "?x :age ?a FILTER(?a < 1 && ?a > 2)",
        "?x :age ?a FILTER(?a < 1) FILTER(1 <= ?a)",
        "?x :age ?a FILTER(?a = 1) FILTER(?a = 2)",
        "?x :age ?a FILTER(?a IN (1, 2) && ?a > 2)",
        "?x :age ?a FILTER(?a = 1 && ?a NOT IN (1.0, 3))",
        "?x :age ?a FILTER(STRLEN(STR(?a)) > 5 && STRLEN(STR(?a)) < 5)",
        '?x :age ?a FILTER(?a >= "2020-01-02"^^xsd:date && ?a <= "2020-01-01"^^xsd:date)',
        "?x :age ?a . ?y :age ?b FILTER(?a < ?b && ?b < ?a)",
        "?x :age ?a FILTER(?a < ?a)",
        "?x :age ?a FILTER(1 > 2)",
        "?x :age ?a FILTER(isIRI(?a) && !isIRI(?a))",
        "?x :age ?a FILTER(isIRI(?a) && isLITERAL(?a))",
        "?x :age ?a FILTER(isLITERAL(?x))",
        "?x :parentOf ?y NOT { ?x :parentOf ?y }",
        "?x :parentOf ?y NOT { ?x :parentOf ?z }",
        "?x :parentOf ?y . ?y a :Person NOT { ?x :parentOf ?z . ?z a :Person }",
        "?x :age ?a FILTER(?a > 3) NOT { ?x :age ?b FILTER(?b > 3) }",
    ],
)
def test_a_body_that_can_never_hold_is_told(body: str) -> None:
    assert list(found(f"RULE :c {{ }} WHERE {{ {body} }}")) == ["rule-never-holds"]


@pytest.mark.parametrize(
    "body",
    [
        "?x :age ?a FILTER(?a < 2 && ?a > 1)",
        "?x :age ?a FILTER(?a <= 1) FILTER(1 <= ?a)",
        "?x :age ?a FILTER(?a < 1 || ?a > 2)",
        "?x :age ?a FILTER(?a IN (1, 2) && ?a > 1)",
        "?x :age ?a FILTER(?a = 1 && ?a = 1.0)",
        "?x :age ?a . ?y :age ?b FILTER(?a < 1 && ?b > 2)",
        "?x :age ?a . ?y :age ?b FILTER(?a <= ?b && ?b <= ?a)",
        "?x :age ?a FILTER(?a != ?a)",  # a NaN
        '?x :age ?a FILTER(STRUUID() < "8" && STRUUID() > "8")',
        "?x :parentOf ?y NOT { ?y :parentOf ?z }",
        "?x :parentOf ?y NOT DATA { ?x :parentOf ?y }",
        "?x :parentOf ?y NOT { ?x :parentOf ?z FILTER(?z != ?y) }",
    ],
)
def test_a_body_that_can_hold_is_not_told(body: str) -> None:
    assert "rule-never-holds" not in found(f"RULE :c {{ }} WHERE {{ {body} }}")


OPERATORS = st.sampled_from(["<", ">", "<=", ">=", "=", "!="])
SIDES = st.sampled_from(["?a", "?b", "1", "2", "3"])
COMPARISONS = st.one_of(
    st.tuples(SIDES, OPERATORS, SIDES).map(" ".join),
    st.tuples(st.sampled_from(["?a IN", "?a NOT IN"]), st.sampled_from(["(1)", "(1, 2)", "(2, 3)"])).map(" ".join),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(COMPARISONS, min_size=1, max_size=3))
def test_what_is_said_to_never_hold_holds_for_no_values(comparisons: list[str]) -> None:
    (rule,) = parse_rules(f"{PREFIXES} RULE {{ }} WHERE {{ ?x :p ?a ; :q ?b FILTER({' && '.join(comparisons)}) }}")
    if never_holds(rule):
        values = [Constant(rule_term) for rule_term in _numbers()]
        condition = rule.filters[0].expression
        for a, b in product(values, values):
            assert not holds(condition, {Variable("a"): a.term, Variable("b"): b.term})


def _numbers() -> list[Node]:
    text = " , ".join(str(n / 2) for n in range(10))
    (rule,) = parse_rules(f"{PREFIXES} RULE {{ }} WHERE {{ ?x :p ?a FILTER(?a IN ({text})) }}")
    condition = rule.filters[0].expression
    assert isinstance(condition, Call)
    return [argument.term for argument in condition.arguments if isinstance(argument, Constant)]


def test_a_tautology_is_told() -> None:
    assert found("""
        RULE :a { ?x :parentOf ?y } WHERE { ?x :parentOf ?y . ?x a :Person }
        RULE :b { ?x :parentOf [] } WHERE DATA { ?x :parentOf ?y }
    """) == {
        "rule-tautology": [
            "Rule 'a' infers only what is in its body",
            "Rule 'b' infers only what is in its body",
        ]
    }


def test_a_body_about_disjoint_or_unsatisfiable_classes_is_told_with_what_it_breaks() -> None:
    told = found(
        """
        RULE :a { ?x a :Odd } WHERE { ?x a :Person . ?x a :Dog }
        RULE :b { } WHERE { ?x a :Ghost . ?x :parentOf ?y }
        RULE :c { ?x a :Fine } WHERE { ?x a :Person . ?y a :Dog }
        RULE :d { ?x a :Fine } WHERE { ?x a :Self }
    """,
        DATA + ":Self owl:disjointWith :Self .",
    )
    first, third, second = told["rule-body-inconsistent"]
    assert third.startswith("Rule 'd' matches only what breaks cax-dw anyway: ")
    assert first.startswith("Rule 'a' matches only what breaks cax-dw anyway: ")
    assert second.startswith("Constraint 'b' tells only of what breaks cls-nothing2 anyway: ")


def test_a_constraint_is_not_told_to_break_itself_or_what_something_lacks() -> None:
    assert (
        found("""
        RULE :c { } WHERE { ?x :barksAt ?y . ?y :parentOf ?x }
        RULE :d { } WHERE { ?x a :Person NOT { ?x :parentOf ?y } }
        RULE :r { ?x a :Known } WHERE { ?x a :Person }
    """)
        == {}
    )


def test_the_findings_are_part_of_a_report_with_stable_keys() -> None:
    rules = "RULE :r { ?x :q ?z } WHERE { ?x :nope ?z } RULE :s { ?x :q ?z } WHERE { ?x :nope ?z . ?z a :Person }"
    report = audit(closed(rules), checks=[rule_findings])
    shown = report.to_dict()
    assert {each["id"] for each in shown["rules"]} == {"rule-never-fires", "rule-subsumed"}
    assert [each["line"] for each in shown["findings"]] == [6, 6, 6]
    keys = [finding.key for finding in report.findings]
    again = audit(closed(f"\n\n{rules}"), checks=[rule_findings])
    assert keys == [finding.key for finding in again.findings]
    assert len(set(keys)) == 3


def test_of_an_incomplete_closure_nothing_is_said_to_never_fire() -> None:
    from engine.symbolic import Budget

    graph = Graph()
    graph.parse(data=PREFIXES + DATA, format="turtle")
    rules = parse_rules(PREFIXES + "RULE :r { ?x :q ?z } WHERE { ?x :nope ?z }")
    closure = materialise(KnowledgeGraph.from_rdflib(graph), rules, budget=Budget(rounds=0))
    assert closure.incomplete
    assert [finding.rule.id for finding in rule_findings(closure)] == ["rule-audit-cut-short"]


# ---------------------------------------------------------------- a second way: sets of triples and nested loops


@settings(max_examples=80, deadline=None)
@given(cases())
def test_the_rules_that_never_fire_are_those_without_a_match(case: Case) -> None:
    graph = KnowledgeGraph.from_triples(case.triples)
    try:
        closure = materialise(graph, case.rules, entailment="none")
    except StratificationError:
        assume(False)
    facts, asserted = naive_closure(case.triples, case.rules.rules), frozenset(case.triples)
    told: dict[str, set[URIRef | None]] = {
        "rule-never-fires": set(),
        "rule-never-holds": set(),
        "rule-tautology": set(),
    }
    for finding in rule_findings(closure):
        if finding.rule.id in told:
            told[finding.rule.id].add(URIRef(str(finding.terms["rule"])))
    idle = {rule.iri for rule in case.rules.rules if next(solutions(rule, facts, asserted), None) is None}
    never = {rule.iri for rule in case.rules if next(solutions(rule, facts, asserted), None) is None}
    assert told["rule-never-holds"] <= never
    assert told["rule-never-fires"] == idle - told["rule-never-holds"] - told["rule-tautology"]


@settings(max_examples=150, deadline=None)
@given(cases(), st.data())
def test_what_a_subsumed_rule_infers_the_other_infers(case: Case, data: st.DataObject) -> None:
    """A rule with less in its body is more general; of any two rules that is said of, it is so on a graph."""
    facts, asserted = frozenset(case.triples), frozenset(case.triples)
    pairs = [(general, special) for general in case.rules.rules for special in case.rules.rules]
    special = data.draw(st.sampled_from(case.rules.rules))
    kept = data.draw(st.lists(st.booleans(), min_size=len(special.body), max_size=len(special.body)))
    less = tuple(element for element, keep in zip(special.body, kept, strict=True) if keep)
    general = replace(special, body=less)
    try:
        check_safety(general)
    except UnsafeRuleError:
        pass
    else:
        bound = {v for atom in special.body_atoms for v in atom.variables}
        still = {v for atom in general.body_atoms for v in atom.variables}
        if bound == still:  # else a variable of a NOT would become its own
            assert subsumes(general, special)
        pairs.append((general, special))
    for more, fewer in pairs:
        if subsumes(more, fewer):
            assert conclusions(fewer, facts, asserted) <= conclusions(more, facts, asserted)


@settings(max_examples=60, deadline=None)
@given(st.lists(plain_rules(), min_size=2, max_size=4), st.sets(st.tuples(*[st.integers(0, 2)] * 3), min_size=1))
def test_without_the_needless_rules_the_closure_is_the_same(
    rules: list[Rule], facts: set[tuple[int, int, int]]
) -> None:
    """All rules that are told to be needless can go together, whatever the graph."""
    names, predicates = [EX + each for each in "abc"], [EX + each for each in "pqh"]
    numbered = [replace(rule, iri=URIRef(f"{EX}rule{at}")) for at, rule in enumerate(rules)]
    triples = [Triple(URIRef(names[s]), URIRef(predicates[p]), URIRef(names[o])) for s, p, o in facts]
    graph = KnowledgeGraph.from_triples(triples)
    closure = materialise(graph, RuleSet(tuple(numbered)), entailment="none")
    needless = ("rule-entailed", "rule-subsumed", "rule-tautology")
    gone = {finding.terms["rule"] for finding in rule_findings(closure) if finding.rule.id in needless}
    less = tuple(rule for rule in numbered if rule.iri not in gone)
    without = materialise(KnowledgeGraph.from_triples(triples), RuleSet(less), entailment="none")
    assert set(without.graph.triples()) == set(closure.graph.triples())


def conclusions(rule: Rule, facts: frozenset[Triple], asserted: frozenset[Triple]) -> set[tuple[Node, ...]]:
    found = solutions(rule, set(facts), asserted)
    return {tuple(values.get(term, term) for term in atom.terms) for values in found for atom in rule.head}


# ---------------------------------------------------------------- rule files that do not load

BAD = dedent("""\
    PREFIX : <http://e/>
    # RULE in a comment { begins nothing
    RULE :good { ?x :q ?y } WHERE { ?x :p ?y }
    RULE :unsafe { ?x :q ?z } WHERE { ?x :p ?y }
    RULE :syntax { ?x :q ?y } WHERE { ?x :p ?y FILTER(?y >) }
    RULE :open { ?x :q ?y } WHERE { ?x :p "RULE {" . ?x :p ?y
    RULE :after { ?x :r ?y } WHERE { ?x :p ?y NOT DATA { ?x :q ?y } }
    RULE :unknown { ?x :q ?y } WHERE { ?x :p ?y FILTER(:nofunction(?y)) }
    DATA { :a :p ?variable }
    RULE :prefix { ?x x:q ?y } WHERE { ?x :p ?y }
    RULE :loop { ?x a :C } WHERE { ?x :p ?y NOT { ?x a :D } }
    RULE :pool { ?x a :D } WHERE { ?x :p ?y NOT { ?x a :C } }
""")


def places(findings: list[Finding]) -> list[tuple[str, int]]:
    return [(f.rule.id, f.location.line) for f in findings if f.location is not None]


def test_every_bad_rule_of_a_file_is_told_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.srl"
    file.write_text(BAD, "utf-8")
    findings = list(rule_file_findings([file]))
    assert places(findings) == [
        ("rule-unsafe", 4),
        ("rule-syntax", 5),
        ("rule-syntax", 6),
        ("rule-unsupported", 8),
        ("rule-syntax", 9),
        ("rule-syntax", 10),
        ("rule-not-stratified", 11),
    ]
    assert {f.location.file for f in findings if f.location} == {str(file)}
    assert not any(str(file) + ":" in f.message and f.rule.id != "rule-not-stratified" for f in findings)


def test_good_files_have_no_findings_and_need_no_rule(tmp_path: Path) -> None:
    for name, text in {"a.srl": BAD.splitlines()[0] + "\n" + BAD.splitlines()[2], "b.srl": ""}.items():
        (tmp_path / name).write_text(text, "utf-8")
    assert list(rule_file_findings([tmp_path / "a.srl", tmp_path / "b.srl"])) == []


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "latin.srl").write_bytes(b"# a\n# \xe9\n")
    (tmp_path / "imports.srl").write_text("IMPORTS <gone.srl>", "utf-8")
    (tmp_path / "far.srl").write_text("IMPORTS <http://e/rules>", "utf-8")
    (tmp_path / "bad.n3").write_text("{ ?x <http://e/p> ?y } => ", "utf-8")
    names = ["none.srl", "latin.srl", "imports.srl", "far.srl", "bad.n3"]
    findings = [list(rule_file_findings([tmp_path / name])) for name in names]
    assert [[f.rule.id for f in each] for each in findings] == [
        ["rule-file-unreadable"],
        ["rule-syntax"],
        ["rule-file-unreadable"],
        ["rule-file-fault"],
        ["rule-syntax"],
    ]
    assert places(findings[1]) == [("rule-syntax", 2)]


def test_every_bad_rule_of_an_n3_or_jena_file_is_told_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad.n3").write_text(
        dedent("""\
            @prefix : <http://e/> .
            { ?x :p ?y } => { ?x :q ?y } . # good. really
            { ?x :p ?y } => { ?x :q ?z } .
            { ?x :p "a . b" , } => { ?x :q ?y } .
            { ?x :p ?y . ?y :p ?z } => { ?x :q ?z } .
            { ?x x:p ?y } => { ?x :q ?y } .
        """),
        "utf-8",
    )
    (tmp_path / "bad.rules").write_text(
        dedent("""\
            @prefix e: <http://e/>.
            // a comment [ that opens nothing
            [good: (?x e:p ?y) -> (?x e:q ?y)]
            [unsafe: (?x e:p ?y) -> (?x e:q ?z)]
            [syntax: (?x e:p) -> (?x e:q ?y)]
            [good2: (?x e:p ?y) (?y e:p ?z) -> (?x e:q ?z)]
            [unknown: (?x e:p ?y) noSuchThing(?x) -> (?x e:q ?y)]
        """),
        "utf-8",
    )
    findings = list(rule_file_findings([tmp_path / "bad.n3", tmp_path / "bad.rules"]))
    assert [(f.location and (Path(f.location.file).name, f.location.line)) for f in findings] == [
        ("bad.n3", 3),
        ("bad.n3", 4),
        ("bad.n3", 6),
        ("bad.rules", 4),
        ("bad.rules", 5),
        ("bad.rules", 7),
    ]
    assert [f.rule.id for f in findings if f.location and f.location.file.endswith("rules")] == [
        "rule-unsafe",
        "rule-syntax",
        "rule-unsupported",
    ]


def test_rules_of_two_files_that_have_no_strata_together_are_told(tmp_path: Path) -> None:
    lines = BAD.splitlines()
    for name, line in {"a.srl": lines[10], "b.srl": lines[11]}.items():
        (tmp_path / name).write_text(f"{lines[0]}\n{line}", "utf-8")
    assert list(rule_file_findings([tmp_path / "a.srl"])) == []
    findings = list(rule_file_findings([tmp_path / "a.srl", tmp_path / "b.srl"]))
    assert places(findings) == [("rule-not-stratified", 2)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(BAD.splitlines()[2:10]), max_size=5))
def test_a_file_has_findings_just_where_it_does_not_load(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    from engine.symbolic import load_rules
    from kg.errors import NoesisError

    file = tmp_path_factory.mktemp("rules") / "some.srl"
    file.write_text("\n".join([BAD.splitlines()[0], *lines]), "utf-8")
    try:
        load_rules(file)
    except NoesisError:
        assert list(rule_file_findings([file]))
    else:
        assert list(rule_file_findings([file])) == []


def test_the_rules_of_lubm_are_audited(shared: Path) -> None:
    folder = shared / "data" / "lubm"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder} here")
    from engine.symbolic import load_rules

    graph = load_graph([folder / "univ-bench.nt"])
    closure = materialise(graph, load_rules(folder / "rulesL.n3"), entailment="none")
    idle = [finding for finding in rule_findings(closure) if finding.rule.id == "rule-never-fires"]
    assert idle  # of the 98 rules for a university, those about its people have none to speak of here
    assert all(isinstance(rule, Rule) and not isinstance(rule, Constraint) for rule in closure.ruleset.rules)
