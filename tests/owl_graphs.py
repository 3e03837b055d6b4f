"""Small random OWL graphs that are often inconsistent, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, Literal, URIRef
from rdflib.term import Node

from engine.symbolic.rules import RuleSet
from engine.symbolic.rulesets import builtin_rules
from kg.terms import Triple
from tests.rule_programs import EX

NAMES = frozenset(
    (
        *("cax-sco", "cax-dw", "cax-eqc1", "cls-svf1", "dt-diff", "scm-sco", "scm-eqc2"),
        *("prp-dom", "prp-rng", "prp-fp", "prp-trp", "prp-symp", "prp-spo1", "prp-inv1", "prp-irp", "prp-asyp"),
        *("eq-sym", "eq-trans", "eq-rep-s", "eq-rep-o", "eq-diff1"),
    )
)
"""Of the rules that `owl_rules` takes."""

CLASSES = [URIRef(EX + name) for name in ("A", "B", "C")]
PROPERTIES = [URIRef(EX + name) for name in ("p", "q")]
THINGS = [URIRef(EX + name) for name in ("x", "y", "z")]
KINDS = (OWL.FunctionalProperty, OWL.TransitiveProperty, OWL.SymmetricProperty, OWL.IrreflexiveProperty)


def owl_rules() -> RuleSet:
    """The rules of OWL 2 RL without lists that the graphs call for."""
    every = builtin_rules("owl2rl")
    rules = tuple(rule for rule in every.rules if rule.name in NAMES)
    return RuleSet(rules, tuple(rule for rule in every.constraints if rule.name in NAMES))


def _triple(subjects: list[URIRef], predicates: list[URIRef], objects: list[URIRef]) -> st.SearchStrategy[Triple]:
    nodes: st.SearchStrategy[Node] = st.sampled_from(objects)
    return st.builds(Triple, st.sampled_from(subjects), st.sampled_from(predicates), nodes)


def _data() -> st.SearchStrategy[Triple]:
    member = _triple(THINGS, [RDF.type], CLASSES)
    link = _triple(THINGS, PROPERTIES, THINGS)
    value = st.builds(Triple, st.just(THINGS[0]), st.just(PROPERTIES[1]), st.sampled_from([Literal(1), Literal(2)]))
    return st.one_of(member, member, link, link, value, _triple(THINGS, [OWL.sameAs, OWL.differentFrom], THINGS))


def _schema() -> st.SearchStrategy[Triple]:
    below = _triple(CLASSES, [RDFS.subClassOf], CLASSES)
    apart = _triple(CLASSES, [OWL.disjointWith, OWL.equivalentClass], CLASSES)
    ends = _triple(PROPERTIES, [RDFS.domain, RDFS.range], CLASSES)
    kinds = _triple(PROPERTIES, [RDF.type], list(KINDS))
    between = _triple(PROPERTIES, [RDFS.subPropertyOf, OWL.inverseOf], PROPERTIES)
    return st.one_of(below, below, apart, ends, kinds, between)


def _clashes() -> list[list[Triple]]:
    """Ways to be inconsistent, direct and by way of a chain."""
    (a, b, c), (p, q), (x, y, z) = CLASSES, PROPERTIES, THINGS
    apart = Triple(a, OWL.disjointWith, b)
    return [
        [apart, Triple(x, RDF.type, a), Triple(x, RDF.type, b)],
        [apart, Triple(p, RDFS.domain, a), Triple(q, RDFS.range, b), Triple(x, p, y), Triple(z, q, x)],
        [apart, Triple(c, RDFS.subClassOf, a), Triple(c, RDFS.subClassOf, b), Triple(x, RDF.type, c)],
        [Triple(p, RDF.type, k) for k in KINDS[1:4:2]] + [Triple(x, p, y), Triple(y, p, x)],
        [Triple(p, RDF.type, KINDS[0]), Triple(z, p, x), Triple(z, p, y), Triple(x, OWL.differentFrom, y)],
        [Triple(q, RDF.type, KINDS[0]), Triple(x, q, Literal(1)), Triple(x, q, Literal(2))],
        [Triple(x, OWL.sameAs, y), Triple(y, OWL.sameAs, z), Triple(x, OWL.differentFrom, z)],
    ]


@st.composite
def owl_graphs(draw: st.DrawFn, most: int) -> list[Triple]:
    """Up to `most` triples, some of the schema and some data, most of them inconsistent."""
    clash = draw(st.sampled_from(_clashes()))
    left = most - len(clash)
    schema = draw(st.lists(_schema(), max_size=(left + 1) // 2, unique=True))
    data = draw(st.lists(_data(), max_size=left - len(schema), unique=True))
    triples = list(dict.fromkeys([*clash, *schema, *data]))
    lost = draw(st.integers(0, 6 * len(clash)))
    return [triple for at, triple in enumerate(triples) if at != lost]
