"""Small random graphs with a schema, and a plain second opinion on which triples their axioms reject."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, BNode, URIRef
from rdflib.collection import Collection
from rdflib.graph import Graph
from rdflib.term import Node

from engine.symbolic import parse_rules
from kg.terms import Triple
from tests.naive import naive_closure

EX = "https://example.org/"
ENTITIES = [URIRef(EX + name) for name in "abcd"]
CLASSES = [URIRef(EX + name) for name in ("C", "D", "E", "F")]
PROPERTIES = [URIRef(EX + name) for name in ("p", "q", "r")]
CHARACTERS = (
    OWL.FunctionalProperty,
    OWL.InverseFunctionalProperty,
    OWL.AsymmetricProperty,
    OWL.IrreflexiveProperty,
    OWL.SymmetricProperty,
)

RULES = parse_rules(
    """
    PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
    PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
    PREFIX owl: <http://www.w3.org/2002/07/owl#>
    RULE { ?x rdf:type ?d } WHERE { ?x rdf:type ?c . ?c rdfs:subClassOf ?d }
    RULE { ?x rdf:type ?d } WHERE { ?x ?p ?y . ?p rdfs:domain ?d }
    RULE { ?y rdf:type ?d } WHERE { ?x ?p ?y . ?p rdfs:range ?d }
    RULE { ?x ?q ?y } WHERE { ?x ?p ?y . ?p rdfs:subPropertyOf ?q }
    RULE { ?y ?q ?x } WHERE { ?x ?p ?y . ?p owl:inverseOf ?q }
    RULE { ?y ?p ?x } WHERE { ?x ?q ?y . ?p owl:inverseOf ?q }
    RULE { ?y ?p ?x } WHERE { ?x ?p ?y . ?p rdf:type owl:SymmetricProperty }
    """
)


@st.composite
def schemas(draw: st.DrawFn) -> list[Triple]:
    """Some triples between entities, types, and axioms."""
    pick = lambda values: st.sampled_from(values)  # noqa: E731  # a name for what is drawn below
    pairs = (
        st.tuples(pick(ENTITIES), pick(PROPERTIES), pick(ENTITIES)),
        st.tuples(pick(ENTITIES), st.just(RDF.type), pick(CLASSES)),
    )
    axioms = (
        st.tuples(pick(PROPERTIES), pick([RDFS.domain, RDFS.range]), pick(CLASSES)),
        st.tuples(pick(PROPERTIES), st.just(RDF.type), pick(CHARACTERS)),
        st.tuples(pick(CLASSES), pick([OWL.disjointWith, OWL.complementOf]), pick(CLASSES)),
        st.tuples(pick(CLASSES), st.just(RDFS.subClassOf), pick(CLASSES)),
        st.tuples(
            pick(PROPERTIES),
            pick([RDFS.subPropertyOf, OWL.inverseOf, OWL.propertyDisjointWith]),
            pick(PROPERTIES),
        ),
        st.tuples(pick(ENTITIES), st.just(OWL.differentFrom), pick(ENTITIES)),
    )
    found = draw(st.lists(st.one_of(*pairs), min_size=1, max_size=5))
    found += draw(st.lists(st.one_of(*axioms), min_size=1, max_size=6))
    triples = [Triple(*parts) for parts in found]
    if draw(st.booleans()):
        triples += disjoint_classes(CLASSES[:3])
    every = (Triple(a, RDFS.seeAlso, b) for a, b in product(ENTITIES, ENTITIES))  # so that all terms are known
    return [*triples, *every]


def disjoint_classes(classes: list[URIRef]) -> list[Triple]:
    """An `owl:AllDisjointClasses` of some classes."""
    graph, axiom, start = Graph(), BNode("disjoint"), BNode("list")
    Collection(graph, start, list(classes))  # type: ignore[arg-type]  # rdflib asks for a list of Node
    graph.add((axiom, RDF.type, OWL.AllDisjointClasses))
    graph.add((axiom, OWL.members, start))
    return sorted(Triple(*parts) for parts in graph)


def clashes(triples: Iterable[Triple], *, unique_names: bool) -> set[object]:
    """What is broken in a graph closed under `RULES`, by trying all pairs."""
    closed = naive_closure(triples, RULES)
    disjoint = set(_exclusive(closed, (OWL.disjointWith, OWL.complementOf)))
    members = [(s, o) for s, p, o in closed if p == RDF.type]
    apart = {(x, y) for (x, c), (y, d) in product(members, members) if (c, d) in disjoint}
    unlike = apart | set(_exclusive(closed, (OWL.differentFrom,)))
    found: set[object] = {x for x, y in unlike if x == y}
    links = [(s, p, o) for s, p, o in closed if p in PROPERTIES]
    declared = {kind: {s for s, p, o in closed if p == RDF.type and o == kind} for kind in CHARACTERS}
    exclusive = set(_exclusive(closed, (OWL.propertyDisjointWith,)))
    found |= {(s, p) for s, p, o in links if p in declared[OWL.IrreflexiveProperty] and s == o}
    for (s, p, o), (s2, p2, o2) in product(links, links):
        differ = (o != o2) if unique_names else (o, o2) in unlike
        if p == p2 and p in declared[OWL.FunctionalProperty] and s == s2 and differ:
            found.add((s, p, o, o2))
        differ = (s != s2) if unique_names else (s, s2) in unlike
        if p == p2 and p in declared[OWL.InverseFunctionalProperty] and o == o2 and differ:
            found.add((s, s2, p, o))
        if p == p2 and p in declared[OWL.AsymmetricProperty] and (s, o) == (o2, s2):
            found.add((s, p, o))
        if (p, p2) in exclusive and (s, o) == (s2, o2):
            found.add((s, p, p2, o))
    return found


def fits_types(triples: Iterable[Triple], candidate: Triple) -> bool:
    """Whether both ends of a candidate are untyped, or in every domain and range that its restatements ask for."""
    known = naive_closure(triples, RULES)
    types = {x: {o for s, p, o in known if p == RDF.type and s == x} for x in ENTITIES}
    schema = [t for t in known if t.predicate not in PROPERTIES and t.predicate != RDF.type]
    schema += [t for t in known if t.predicate == RDF.type and t.object in CHARACTERS]
    for s, p, o in naive_closure([*schema, candidate], [rule for rule in RULES if rule.head[0].predicate != RDF.type]):
        for q, predicate, cls in known:
            if q == p and predicate in (RDFS.domain, RDFS.range):
                held = types.get(s if predicate == RDFS.domain else o, set())
                if held and cls not in held:
                    return False
    return True


def _exclusive(closed: Iterable[Triple], predicates: tuple[URIRef, ...]) -> Iterator[tuple[Node, Node]]:
    """Pairs that exclude each other, both ways, those of the one list of `disjoint_classes` among them."""
    for s, p, o in closed:
        if p in predicates:
            yield s, o
            yield o, s
        if p == OWL.members and OWL.disjointWith in predicates:
            yield from ((a, b) for a, b in product(CLASSES[:3], CLASSES[:3]) if a != b)
