"""Classes that can have no member and properties that can have no value.

Each class gets a new individual, each property a pair of them, in a hypothetical world of its own; all are checked
together. What is contradicted there can have no member, and the refutation says why. OWL 2 RL refutes less than a full
reasoner of OWL DL would: what it says is right, what it is silent about may still be unsatisfiable.
"""

from __future__ import annotations

from collections.abc import Iterator

from rdflib import OWL, RDF, RDFS, URIRef

from engine.audit.axioms import CLASS_KINDS, PROPERTY_KINDS, RELATIONS, axioms, located, members, named
from engine.audit.finding import AuditRule, Finding, Kind
from engine.audit.frozen import without_not
from engine.audit.probe import Clock
from engine.symbolic import Budget, Closure, Judgement, Severity, Status, Violation, check_stream
from kg.errors import NoesisError
from kg.terms import Triple

__all__ = ["EMPTY_CLASS", "EMPTY_PROPERTY", "unsatisfiable"]

EMPTY_CLASS = AuditRule(
    "class-unsatisfiable", Kind.SCHEMA, Severity.VIOLATION, "A class can have a member without a contradiction."
)
EMPTY_PROPERTY = AuditRule(
    "property-unsatisfiable", Kind.SCHEMA, Severity.VIOLATION, "A property can have a value without a contradiction."
)
_NEW, _OTHER = URIRef("urn:noesis:a-new-individual"), URIRef("urn:noesis:another-new-individual")
_KNOWN = URIRef("urn:noesis:is-known")
_OF_PROPERTIES = (RDFS.subPropertyOf, OWL.equivalentProperty, OWL.inverseOf, RDFS.domain, RDFS.range)
_CHUNK = 256
"""Classes checked together: after each of these the clock is looked at."""


def unsatisfiable(closure: Closure, clock: Clock) -> Iterator[Finding | str]:
    """A finding for each class and property that nothing can be in; and in words what was not looked at.

    A class below one that is told has `under` in its detail: mending that one may mend it.
    """
    if closure.incomplete:
        yield f"unsatisfiable classes were not looked for: {closure.incomplete}"
        return
    try:
        wide = closure.add([Triple(_NEW, _KNOWN, _OTHER)])
    except NoesisError as error:
        yield f"unsatisfiable classes were not looked for: {error}"
        return
    classes, properties = _classes(closure), _properties(closure)
    claims = [Triple(_NEW, RDF.type, cls) for cls in classes] + [Triple(_NEW, p, _OTHER) for p in properties]
    empty: dict[URIRef, Violation] = {}
    judged = unknown = 0
    for judgement in check_stream(wide, claims, budget=Budget(seconds=clock.left), chunk=_CHUNK):
        judged += 1
        unknown += judgement.status is Status.UNKNOWN
        violation = _refuted(judgement)
        if violation is not None:
            claim = judgement.claim
            name = claim.object if claim.predicate == RDF.type else claim.predicate
            assert isinstance(name, URIRef), "claims are about names"
            empty[name] = violation
        if clock.over:
            break
    for name, violation in empty.items():
        yield _finding(closure, name, violation, empty, is_class=name in classes)
    if unknown or judged < len(claims):
        yield f"of {len(claims)} classes and properties, {unknown + len(claims) - judged} were not decided in time"


def _refuted(judgement: Judgement) -> Violation | None:
    """The first violation that rests on no NOT: a new individual lacks all that a NOT asks for."""
    if judgement.status is not Status.CONTRADICTED:
        return None
    serious = (v for v in judgement.violations if v.severity is Severity.VIOLATION)
    return next((v for v in serious if without_not(v.proof)), None)


def _classes(closure: Closure) -> dict[URIRef, None]:
    graph = closure.graph
    datatypes = members(graph, (RDFS.Datatype,))
    found = members(graph, CLASS_KINDS)
    for axiom in axioms(graph):
        if axiom.predicate in (RDFS.subClassOf, OWL.equivalentClass, OWL.disjointWith):
            ends = (axiom.subject, axiom.object)
            found |= {term: None for term in ends if isinstance(term, URIRef) and named(term)}
    return {cls: None for cls in found if cls not in datatypes}


def _properties(closure: Closure) -> dict[URIRef, None]:
    graph = closure.graph
    found = members(graph, PROPERTY_KINDS)
    used = [graph.dictionary.term(p) for p in graph.predicates()]
    used += [axiom.subject for axiom in axioms(graph) if axiom.predicate in _OF_PROPERTIES]
    return found | {term: None for term in used if isinstance(term, URIRef) and named(term)}


def _finding(
    closure: Closure, name: URIRef, violation: Violation, empty: dict[URIRef, Violation], *, is_class: bool
) -> Finding:
    graph = closure.graph
    relation = RDFS.subClassOf if is_class else RDFS.subPropertyOf
    above = [t.object for t in graph.triples(name, relation, None) if t.object in empty and t.object != name]
    under = [graph.curie(term) for term in above if not graph.contains((term, relation, name))]
    what = f"Nothing can be in {graph.label(name)}" if is_class else f"Nothing can have a value of {graph.label(name)}"
    leaves = [leaf for leaf in violation.proof.leaves() if leaf.subject not in (_NEW, _OTHER)]
    stated = next((leaf for leaf in leaves if leaf.subject == name and leaf.predicate in RELATIONS), None)
    stated = stated or next(iter(leaves), None)
    return Finding(
        EMPTY_CLASS if is_class else EMPTY_PROPERTY,
        Severity.VIOLATION,
        f"{what}: {violation.message}",
        name,
        location=None if stated is None else located(graph, stated),
        violation=violation,
        detail={"breaks": violation.constraint.name, "under": sorted(set(under))},
    )
