"""A proof as RDF, in the terms of PROV-O (W3C recommendation of April 2013).

Each statement is an `rdf:Statement` and a `prov:Entity`, each application of a rule a `prov:Activity` that used its
premises and generated its conclusion, and each rule a `prov:Plan`. Reification of RDF 1.0, as every RDF 1.1 tool reads
it: rdflib has no triple terms, and what is derived must not be asserted where the proof is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from rdflib import DCTERMS, PROV, RDF, RDFS, BNode, Graph, Literal, Namespace, URIRef
from rdflib.collection import Collection

from engine.symbolic.proof import Proof
from engine.symbolic.proof_formats import Step, kind_of, numbered
from engine.symbolic.rules import SHACL, Constraint, Rule
from kg.graph import KnowledgeGraph
from kg.terms import Triple

__all__ = ["PROOF", "rdf_graph"]

PROOF = Namespace("urn:noesis:proof#")
"""Our own terms: Asserted, Claimed, premises (a list), binding, variable, value."""


def rdf_graph(proof: Proof, graph: KnowledgeGraph) -> Graph:
    """The proof as an rdflib graph; the IRIs of its steps are made from its content, so a proof has them always."""
    steps = numbered(proof)
    base = f"urn:noesis:proof:{_digest(steps)}#"
    found = Graph()
    for prefix, namespace in {**graph.prefixes, "prov": str(PROV), "dct": str(DCTERMS), "proof": str(PROOF)}.items():
        found.bind(prefix, namespace)
    for step in steps:
        for triple in _entity(step, base, graph):
            found.add(triple)
        if step.proof.rule is not None:
            _add_activity(found, step, step.proof.rule, base)
    return found


def _digest(steps: list[Step]) -> str:
    parts = [f"{s.number} {s.proof.conclusion} {s.proof.rule or s.proof.source} {s.premises}" for s in steps]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _entity(step: Step, base: str, graph: KnowledgeGraph) -> Iterator[Triple]:
    """What is said of a step's statement."""
    proof, entity = step.proof, URIRef(f"{base}statement{step.number}")
    yield Triple(entity, RDF.type, PROV.Entity)
    yield Triple(entity, RDFS.label, Literal(proof.sentence(graph)))
    if proof.conclusion is not None:
        yield Triple(entity, RDF.type, RDF.Statement)
        for predicate, term in zip((RDF.subject, RDF.predicate, RDF.object), proof.conclusion, strict=True):
            yield Triple(entity, predicate, term)
    elif isinstance(proof.rule, Constraint):
        yield Triple(entity, RDF.type, URIRef(SHACL + "ValidationResult"))
        yield Triple(entity, URIRef(SHACL + "resultSeverity"), proof.rule.severity.value)
    if proof.rule is not None:
        yield Triple(entity, PROV.wasGeneratedBy, URIRef(f"{base}step{step.number}"))
    else:
        yield Triple(entity, RDF.type, PROOF.Claimed if kind_of(proof) == "claimed" else PROOF.Asserted)
    if proof.source is not None:
        yield Triple(entity, DCTERMS.source, Literal(proof.source))


def _add_activity(found: Graph, step: Step, rule: Rule, base: str) -> None:
    """Add what is said of an application: rule, premises in order, substitution."""
    activity, plan = URIRef(f"{base}step{step.number}"), rule.iri or URIRef(f"{base}rule{step.number}")
    found.add((activity, RDF.type, PROV.Activity))
    association = URIRef(f"{base}association{step.number}")
    found.add((activity, PROV.qualifiedAssociation, association))
    found.add((association, RDF.type, PROV.Association))
    found.add((association, PROV.agent, PROOF.engine))
    found.add((association, PROV.hadPlan, plan))
    found.add((plan, RDF.type, PROV.Plan))
    found.add((plan, RDFS.label, Literal(rule.name)))
    premises = [URIRef(f"{base}statement{number}") for number in step.premises]
    for premise in premises:
        found.add((activity, PROV.used, premise))
    head = BNode() if premises else RDF.nil
    found.add((activity, PROOF.premises, head))
    if premises:
        Collection(found, head, list(premises))
    for variable, term in step.proof.substitution.items():
        binding = URIRef(f"{base}binding{step.number}-{variable}")
        found.add((activity, PROOF.binding, binding))
        found.add((binding, PROOF.variable, Literal(str(variable))))
        found.add((binding, PROOF.value, term))
