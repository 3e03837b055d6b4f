"""Random graphs and rule programs with strata, for property tests.

Predicates and classes have a level. A rule adds to its own level, reads levels up to it, and negates lower ones, or
asserted triples of any level.
"""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st
from rdflib import RDF, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.rules import (
    Assignment,
    Atom,
    Call,
    Constant,
    Constraint,
    Expression,
    Filter,
    Negation,
    Rule,
    RuleSet,
    VariableRef,
)
from kg.terms import Triple

EX = "https://example.org/"
INDIVIDUALS = [URIRef(EX + name) for name in "abc"]
LITERALS = [Literal(1), Literal(2), Literal("x")]
LEVELS = 3
PREDICATES = [[URIRef(f"{EX}p{level}")] for level in range(LEVELS)]
CLASSES = [[URIRef(f"{EX}C{level}")] for level in range(LEVELS)]
X, Y, Z = (Variable(name) for name in "xyz")


class Case(NamedTuple):
    """A graph, rules with constraints, and triples to claim."""

    triples: list[Triple]
    rules: RuleSet
    claims: list[Triple]


def triples_over(levels: range) -> st.SearchStrategy[Triple]:
    """A triple of a predicate or class of these levels; some objects are literals."""
    individuals = st.sampled_from(INDIVIDUALS)
    predicates = st.sampled_from([p for level in levels for p in PREDICATES[level]])
    classes = st.sampled_from([c for level in levels for c in CLASSES[level]])
    objects = st.one_of(individuals, individuals, individuals, st.sampled_from(LITERALS))
    member = st.builds(lambda s, o: Triple(s, RDF.type, o), individuals, classes)
    return st.one_of(st.builds(Triple, individuals, predicates, objects), member)


def _atoms(levels: range, variables: list[Variable], *, head: bool = False) -> st.SearchStrategy[Atom]:
    names: list[Node] = [*variables]
    subjects: st.SearchStrategy[Node] = st.sampled_from([*names * 4, INDIVIDUALS[0]])
    extra: list[Node] = [] if head else [BNode("b")]
    objects: st.SearchStrategy[Node] = st.sampled_from([*names * 4, *extra, INDIVIDUALS[1], LITERALS[0]])
    predicates: st.SearchStrategy[Node] = st.sampled_from([p for level in levels for p in PREDICATES[level]])
    classes: st.SearchStrategy[Node] = st.sampled_from([c for level in levels for c in CLASSES[level]])
    return st.one_of(
        st.builds(Atom, subjects, predicates, objects),
        st.builds(lambda s, c: Atom(s, RDF.type, c), subjects, classes),
    )


def _filters(variables: list[Variable]) -> st.SearchStrategy[Filter]:
    operands: list[Expression] = [*map(VariableRef, variables), Constant(LITERALS[0]), Constant(INDIVIDUALS[0])]
    functions = st.sampled_from(["=", "!=", "<"])
    choose = st.sampled_from(operands)
    return st.builds(lambda f, a, b: Filter(Call(f, (a, b))), functions, choose, choose)


def _bound(atoms: list[Atom]) -> list[Variable]:
    return list(dict.fromkeys(v for atom in atoms for v in atom.variables))


@st.composite
def bodies(draw: st.DrawFn, level: int, most: int = 3) -> tuple[list[Atom], list[Filter | Negation]]:
    """Positive atoms, then filters and NOTs over their variables and local ones."""
    atoms = draw(st.lists(_atoms(range(level + 1), [X, Y, Z]), min_size=1, max_size=most))
    bound = _bound(atoms)
    rest: list[Filter | Negation] = []
    if bound and draw(st.integers(0, 3)) == 0:
        rest.append(draw(_filters(bound)))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        data = draw(st.integers(0, 3)) == 0 if level else True
        inside = [*bound, Variable("w")]
        negated = draw(
            st.lists(
                _atoms(range(LEVELS if data else level), inside), min_size=1, max_size=draw(st.sampled_from([1, 1, 2]))
            )
        )
        elements: list[Atom | Filter] = [*negated]
        if draw(st.integers(0, 3)) == 0:
            elements.append(draw(_filters(_bound([*atoms, *negated]))) if _bound([*atoms, *negated]) else negated[0])
        rest.append(Negation(tuple(elements), data=data))
    return atoms, rest


@st.composite
def rules(draw: st.DrawFn, number: int) -> Rule:
    """A safe rule that keeps to the levels; some have a SET."""
    level = draw(st.integers(0, LEVELS - 1))
    sets = level > 0 and draw(st.integers(0, 5)) == 0
    atoms, rest = draw(bodies(level - 1 if sets else level))
    bound = _bound(atoms)
    assignments = []
    if sets and bound:
        value = Variable("v")
        assignments = [Assignment(value, Call("STR", (VariableRef(draw(st.sampled_from(bound))),)))]
        bound = [*bound, value]
    heads = st.lists(_atoms(range(level, level + 1), bound, head=True), min_size=1, max_size=2)
    data = not sets and draw(st.integers(0, 9)) == 0
    return Rule(URIRef(f"{EX}rule{number}"), tuple(draw(heads)), (*atoms, *rest, *assignments), data=data)


@st.composite
def constraints(draw: st.DrawFn, number: int) -> Constraint:
    """A constraint over all levels."""
    atoms, rest = draw(bodies(LEVELS - 1, most=2))
    return Constraint(URIRef(f"{EX}constraint{number}"), (), (*atoms, *rest))


def _about(rule: Rule, absent: bool) -> Constraint:
    """A constraint that is met exactly when what a NOT rule once gave is given no more, or is and should not be."""
    name = URIRef(f"{rule.iri}{'absent' if absent else 'present'}")
    if absent:
        return Constraint(name, (), (*rule.body_atoms, Negation(rule.head)))
    return Constraint(name, (), (*rule.body_atoms, *rule.head, *rule.negations[0].elements))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A graph of up to 12 triples, rules and constraints, and claims, some of them of what a rule negates."""
    triples = draw(st.lists(triples_over(range(LEVELS)), max_size=4, unique=True))
    triples += draw(st.lists(triples_over(range(2)), min_size=2, max_size=8, unique=True))
    made = tuple(draw(rules(n)) for n in range(draw(st.integers(1, 6))))
    checked = tuple(draw(constraints(n)) for n in range(draw(st.integers(0, 3))))
    for rule in [rule for rule in made if rule.negations and not rule.runs_once][:2]:
        checked += (_about(rule, draw(st.booleans())),)
    claims = draw(st.lists(triples_over(range(LEVELS)), min_size=2, max_size=4, unique=True))
    negated = [atom for rule in made for negation in rule.negations for atom in negation.atoms]
    for atom in negated[:3]:
        value = draw(st.sampled_from(INDIVIDUALS))
        claims.append(Triple(*(value if isinstance(t, (Variable, BNode)) else t for t in atom.terms)))
    return Case(triples, RuleSet(made, checked), claims)
