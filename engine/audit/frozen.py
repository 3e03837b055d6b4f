"""Bodies that only an inconsistent graph can match.

A body is *frozen*: each of its variables becomes a new term, and its atoms become triples (the canonical database of
the body). All bodies are added to a closure at once, each with terms of its own. Where a constraint is broken by the
triples of one body alone, every match of that body breaks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rdflib import RDF, Literal, URIRef, Variable
from rdflib.term import Node

from engine.audit.finding import AuditRule, Kind
from engine.symbolic import Closure, Constraint, Proof, Rule, Severity, Violation
from engine.symbolic.compile import SCHEMA_PREDICATES
from engine.symbolic.rules import Atom, TripleTerm
from kg.errors import NoesisError
from kg.terms import Triple

__all__ = ["inconsistent_bodies", "without_not"]

TRIPLES = 5_000_000
"""Triples of a closure up to which it is gone on from."""
_FROZEN = "urn:noesis:frozen:"
_VOCABULARY = ("http://www.w3.org/2002/07/owl#", "http://www.w3.org/2000/01/rdf-schema#")


def inconsistent_bodies(closure: Closure, rules: Sequence[Rule]) -> Iterator[tuple[Rule, Violation]]:
    """The rules whose body breaks a constraint by itself, with the violation by the frozen body.

    Left out are bodies with a variable as predicate or class and those about the schema. A constraint is looked at only
    for what the built-in rules find wrong with it: that two constraints agree is no fault.
    """
    frozen = {number: triples for number, rule in enumerate(rules) if (triples := _freeze(rule, number))}
    if not frozen or closure.incomplete or len(closure.graph) > TRIPLES:
        return
    owner = {triple: number for number, triples in frozen.items() for triple in triples}
    try:
        violations = closure.add(owner).violations_not_in(closure)
    except NoesisError:  # with the frozen bodies the rules have no strata, so nothing can be told
        return
    found: dict[int, Violation] = {}
    for violation in violations:
        if violation.severity is not Severity.VIOLATION or not without_not(violation.proof):
            continue
        owners = {owner[leaf] for leaf in violation.proof.leaves() if leaf in owner}
        if len(owners) != 1:
            continue
        number = owners.pop()
        is_given = AuditRule.of(violation.constraint).kind is Kind.CONSTRAINT
        if not (is_given and isinstance(rules[number], Constraint)):
            found.setdefault(number, violation)
    yield from ((rules[number], violation) for number, violation in sorted(found.items()))


def without_not(proof: Proof) -> bool:
    """Whether a proof rests on triples alone, on no NOT."""
    return not any(step.rule is not None and step.rule.negations for step in proof.steps())


def _freeze(rule: Rule, number: int) -> list[Triple]:
    """The triples of a body whose variables are new terms; none where it cannot be frozen."""
    atoms = rule.body_atoms
    if not atoms or any(not _can_freeze(atom) for atom in atoms):
        return []
    return [Triple(*(_frozen(term, number) for term in atom.terms)) for atom in atoms]


def _can_freeze(atom: Atom) -> bool:
    s, p, o = atom.terms
    if any(isinstance(term, TripleTerm) for term in (s, p, o)) or isinstance(s, Literal):
        return False
    if isinstance(p, Variable) or p in SCHEMA_PREDICATES:
        return False
    name = o if p == RDF.type else p
    return not isinstance(name, Variable) and not str(name).startswith(_VOCABULARY)


def _frozen(term: Node, number: int) -> Node:
    return URIRef(f"{_FROZEN}{number}:{term}") if isinstance(term, Variable) else term
