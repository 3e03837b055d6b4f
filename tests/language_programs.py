"""Random programs with triple terms and aggregates, in levels like those of `rule_programs`."""

from __future__ import annotations

from hypothesis import strategies as st
from rdflib import RDF, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.rules import (
    AGGREGATES,
    Assignment,
    Atom,
    Call,
    Constant,
    Constraint,
    Filter,
    Negation,
    Rule,
    RuleSet,
    VariableRef,
)
from kg.terms import Triple, TripleTerm
from tests.rule_programs import CLASSES, EX, INDIVIDUALS, LEVELS, LITERALS, PREDICATES, Case, X, Y, Z, triples_over

SAYS = [URIRef(f"{EX}says{level}") for level in range(LEVELS)]
N, W = Variable("n"), Variable("w")


def stated(levels: range) -> st.SearchStrategy[Triple]:
    """A triple whose object is a triple term, one in three of them nested."""
    individuals, predicates = st.sampled_from(INDIVIDUALS), st.sampled_from([PREDICATES[0][0], RDF.type])
    plain = st.builds(TripleTerm, individuals, predicates, st.sampled_from([*INDIVIDUALS, *LITERALS]))
    terms = st.one_of(plain, plain, st.builds(TripleTerm, individuals, predicates, plain))
    return st.builds(Triple, individuals, st.sampled_from([SAYS[level] for level in levels]), terms)


def atoms(levels: range, variables: list[Variable]) -> st.SearchStrategy[Atom]:
    """An atom of these levels; in half of them the object is a triple term with variables."""
    names: list[Node] = [*variables]
    subjects: st.SearchStrategy[Node] = st.sampled_from([*names * 4, INDIVIDUALS[0]])
    objects: st.SearchStrategy[Node] = st.sampled_from([*names * 4, INDIVIDUALS[1], LITERALS[0]])
    inner: st.SearchStrategy[Node] = st.sampled_from([PREDICATES[0][0], PREDICATES[0][0], RDF.type, variables[-1]])
    terms = st.builds(TripleTerm, subjects, inner, objects)
    nested = st.builds(TripleTerm, subjects, inner, terms)
    predicates = st.sampled_from([p for level in levels for p in PREDICATES[level]])
    classes = st.sampled_from([c for level in levels for c in CLASSES[level]])
    says = st.sampled_from([SAYS[level] for level in levels])
    return st.one_of(
        st.builds(Atom, subjects, predicates, objects),
        st.builds(Atom, subjects, st.just(RDF.type), classes),
        st.builds(Atom, subjects, says, st.one_of(terms, terms, nested, objects)),
        st.builds(Atom, subjects, says, terms),
    )


def _lifted(triple: Triple, names: dict[Node, Variable]) -> Atom:
    """The triple with variables for terms, the same one for the same term; so the atom has a match."""

    def lift(term: Node) -> Node:
        if isinstance(term, TripleTerm):
            return TripleTerm(lift(term.subject), term.predicate, lift(term.object))
        return names.get(term, term)

    s, p, o = triple
    return Atom(lift(s), p, o if p == RDF.type else lift(o))


@st.composite
def rules(draw: st.DrawFn, number: int, triples: list[Triple]) -> Rule:
    """A safe rule that reads lower levels: it reads triple terms, makes some, or counts."""
    level = draw(st.integers(1, LEVELS - 1))
    names: dict[Node, Variable] = {
        term: draw(st.sampled_from([X, Y, Z])) for term in [*INDIVIDUALS, *LITERALS] if draw(st.integers(0, 4))
    }
    lifted = [_lifted(t, names) for t in triples if _level(t) < level]
    body = [draw(st.sampled_from(lifted))] if lifted else []
    body += draw(st.lists(atoms(range(level), [X, Y, Z]), min_size=not body, max_size=1))
    bound = list(dict.fromkeys(v for atom in body for v in atom.variables)) or [X]
    elements: list[Atom | Filter | Negation | Assignment] = [*body]
    if not any(atom.variables for atom in body):
        elements.append(Atom(X, SAYS[0], Y))
        bound = [X, Y]
    if draw(st.booleans()):
        inside = draw(st.lists(atoms(range(level), [*bound, W]), min_size=1, max_size=2))
        elements.append(Negation(tuple(inside), draw(st.booleans())))
    name, head_levels, data = URIRef(f"{EX}rule{number}"), range(level, level + 1), draw(st.integers(0, 5)) == 0
    if draw(st.booleans()):
        functions = sorted(AGGREGATES - {"SUM DISTINCT"})
        count = Call(draw(st.sampled_from(functions)), (VariableRef(draw(st.sampled_from(bound))),))
        elements.append(Assignment(N, draw(st.sampled_from([count, count, Call("COUNT", ())]))))
        if draw(st.booleans()):
            elements.append(Filter(Call(">", (VariableRef(N), Constant(Literal(1))))))
        subject: Node = draw(st.sampled_from([*bound, INDIVIDUALS[0]]))
        return Rule(name, (Atom(subject, PREDICATES[level][0], N),), tuple(elements), data)
    heads = draw(st.lists(atoms(head_levels, bound), min_size=1, max_size=2))
    return Rule(name, tuple(heads), tuple(elements), data)


def _level(triple: Triple) -> int:
    return int(str(triple.object if triple.predicate == RDF.type else triple.predicate)[-1])


@st.composite
def language_cases(draw: st.DrawFn) -> Case:
    """A graph of up to 12 triples, up to four rules, constraints, and claims, some with triple terms."""
    triples = draw(st.lists(st.one_of(triples_over(range(2)), stated(range(2))), min_size=3, max_size=12, unique=True))
    made = tuple(draw(rules(number, triples)) for number in range(draw(st.integers(1, 4))))
    met = draw(st.lists(atoms(range(LEVELS), [X, Y]), min_size=1, max_size=2))
    about = [Triple(*triple.object.parts) for triple in triples if isinstance(triple.object, TripleTerm)]
    claims = draw(st.lists(st.one_of(triples_over(range(LEVELS)), stated(range(LEVELS))), min_size=2, max_size=4))
    constraint = Constraint(URIRef(f"{EX}constraint"), (), tuple(met))
    return Case(triples, RuleSet(made, (constraint,)), [*dict.fromkeys([*claims, *about[:2]])])
