"""Random rules that one compiled loop can apply, with small graphs: what the kernels are compared on."""

from __future__ import annotations

from hypothesis import strategies as st
from rdflib import RDF, Literal, URIRef, Variable

from engine.symbolic.rules import Atom, Rule, RuleSet
from kg.terms import Triple

EX = "http://example.org/"
variables = st.sampled_from([Variable(name) for name in "xyzw"])
nodes = st.sampled_from([URIRef(EX + name) for name in "abc"])
predicates = st.sampled_from([URIRef(EX + name) for name in "pqr"])
classes = st.sampled_from([URIRef(EX + name) for name in "CD"])


@st.composite
def atoms(draw: st.DrawFn, terms: st.SearchStrategy[object]) -> Atom:
    if draw(st.integers(0, 3)) == 0:
        return Atom(draw(terms), RDF.type, draw(classes))  # type: ignore[arg-type]  # of any kind
    return Atom(draw(terms), draw(predicates), draw(terms))  # type: ignore[arg-type]  # of any kind


@st.composite
def plain_programs(draw: st.DrawFn) -> tuple[RuleSet, list[Triple]]:
    """Rules of one to four atoms without FILTER, SET and NOT, and a small graph with literals."""
    rules = []
    for number in range(draw(st.integers(1, 4))):
        body = draw(st.lists(atoms(st.one_of(variables, variables, nodes)), min_size=1, max_size=4))
        bound = sorted({v for atom in body for v in atom.variables})
        terms = st.one_of(st.sampled_from(bound), nodes) if bound else nodes
        head = draw(st.lists(atoms(terms), min_size=1, max_size=2))
        rules.append(Rule(URIRef(f"{EX}rule{number}"), tuple(head), tuple(body)))
    objects = st.one_of(nodes, st.just(Literal("x")))
    triples = draw(st.lists(st.builds(Triple, nodes, predicates, objects), min_size=1, max_size=12))
    triples += draw(st.lists(st.builds(Triple, nodes, st.just(RDF.type), classes), max_size=4))
    return RuleSet(tuple(rules)), triples
