"""A small family graph with rules and constraints, on which all four verdicts occur."""

from __future__ import annotations

from rdflib import OWL, RDF, RDFS, SKOS, Literal, Namespace
from rdflib.term import Node

from engine.symbolic import Closure, materialise, parse_rules
from kg.graph import KnowledgeGraph

EX = Namespace("https://example.org/family#")

RULES = """
PREFIX : <https://example.org/family#>
PREFIX sh: <http://www.w3.org/ns/shacl#>
RULE :grandparent { ?x :grandparentOf ?z } WHERE { ?x :parentOf ?y . ?y :parentOf ?z }
RULE :noCycle { [] a sh:ValidationResult ; sh:resultMessage "{?x} and {?y} are parents of each other" }
WHERE { ?x :parentOf ?y . ?y :parentOf ?x }
"""


def family() -> Closure:
    """Ann is parent of Bob, Bob of Cyd; Dan stands alone; nobody is both person and town."""
    named = {EX.Person: "person", EX.Town: "town", EX.ulm: "Ulm"}
    named |= {EX.ann: "Ann", EX.bob: "Bob", EX.cyd: "Cyd", EX.dan: "Dan"}
    named |= {EX.parentOf: "is a parent of", EX.grandparentOf: "is a grandparent of", EX.livesIn: "lives in"}
    triples: list[tuple[Node, Node, Node]] = [(term, RDFS.label, Literal(label)) for term, label in named.items()]
    triples += [(person, RDF.type, EX.Person) for person in (EX.ann, EX.bob, EX.cyd, EX.dan)]
    triples += [(EX.ulm, RDF.type, EX.Town), (EX.Person, OWL.disjointWith, EX.Town)]
    for relation, tail in ((EX.parentOf, EX.Person), (EX.grandparentOf, EX.Person), (EX.livesIn, EX.Town)):
        triples += [(relation, RDF.type, OWL.ObjectProperty), (relation, RDFS.domain, EX.Person)]
        triples += [(relation, RDFS.range, tail)]
    triples += [
        (EX.parentOf, SKOS.altLabel, Literal("{o} is a child of {s}")),
        (EX.parentOf, SKOS.altLabel, Literal("{s} brought up {o}")),
        (EX.livesIn, SKOS.altLabel, Literal("{s} has a home in {o}")),
        (EX.ann, EX.parentOf, EX.bob),
        (EX.bob, EX.parentOf, EX.cyd),
        (EX.ann, EX.livesIn, EX.ulm),
    ]
    graph = KnowledgeGraph.from_triples(triples, prefixes={"": str(EX), "ex": str(EX)})
    return materialise(graph, parse_rules(RULES))
