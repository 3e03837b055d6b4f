"""`additions_for`: what to assert so that the NOT of a constraint has a match.

A variable of the NOT alone is a missing value. Where its class is known, from the NOT itself or as the range of the
property, members of that class are proposed, those that are values of the property most often first; where there are
none, a blank node that is marked as a placeholder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count, islice, product

from rdflib import RDF, RDFS, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic import Closure, Violation
from engine.symbolic.rules import Atom, Negation
from kg.terms import Triple, fault, term_key

__all__ = ["Addition", "additions_for"]

_VALUES = 5
"""Individuals proposed for one missing value."""


@dataclass(frozen=True)
class Addition:
    """Triples to assert, and the blank nodes among their terms that stand for a value to be filled in."""

    add: tuple[Triple, ...]
    placeholders: tuple[BNode, ...] = ()


def additions_for(closure: Closure, violations: Sequence[Violation]) -> list[Addition]:
    """Ways to add what constraints miss; for several violations, one way that is for all of them."""
    if any(not violation.constraint.negations for violation in violations):
        return []
    every = [_additions(closure, violation, f"{at}x" if at else "") for at, violation in enumerate(violations)]
    if not all(every):
        return []
    if len(every) == 1:
        return every[0]
    first = [found[0] for found in every]
    add = tuple(dict.fromkeys(triple for each in first for triple in each.add))
    return [Addition(add, tuple(dict.fromkeys(blank for each in first for blank in each.placeholders)))]


def _additions(closure: Closure, violation: Violation, mark: str) -> list[Addition]:
    """For each NOT of the constraint, ways to let it have a match."""
    found: list[Addition] = []
    for number, negation in enumerate(violation.constraint.negations):
        missing = list(dict.fromkeys(term for atom in negation.atoms for term in _local(atom, violation)))
        choices = [_values(closure, negation, name, violation) for name in missing]
        free = [_placeholder(closure, f"{mark}{number}x{at}") for at in range(len(missing))]
        full = [values or [blank] for values, blank in zip(choices, free, strict=True)]
        for chosen in islice(product(*full), _VALUES):
            values: dict[Node, Node] = {v: term for v, term in violation.substitution.items()}  # noqa: C416  # keys of a wider type
            values.update(zip(missing, chosen, strict=True))
            triples = [Triple(*(values.get(term, term) for term in atom.terms)) for atom in negation.atoms]
            new = tuple(dict.fromkeys(triple for triple in triples if negation.data or not closure.entails(triple)))
            if new and not any(map(fault, new)):
                found.append(Addition(new, tuple(blank for blank in free if blank in chosen)))
    return found


def _local(atom: Atom, violation: Violation) -> Iterable[Node]:
    """The variables and blank nodes of an atom that have no value outside the NOT."""
    return (t for t in atom.terms if isinstance(t, (Variable, BNode)) and t not in violation.substitution)


def _values(closure: Closure, negation: Negation, name: Node, violation: Violation) -> list[Node]:
    """The individuals that a missing value may be."""
    graph = closure.graph
    known: dict[Node, Node] = {v: term for v, term in violation.substitution.items()}  # noqa: C416  # keys of a wider type
    reading = [atom for atom in negation.atoms if atom.object == name and isinstance(atom.predicate, URIRef)]
    classes = [known.get(a.object, a.object) for a in negation.atoms if a.subject == name and a.predicate == RDF.type]
    classes += [t.object for atom in reading for t in graph.triples(atom.predicate, RDFS.range, None)]
    members = [{t.subject for t in graph.triples(None, RDF.type, cls)} for cls in dict.fromkeys(classes)]
    fit = set.intersection(*members) if members else set()
    about = set(violation.substitution.values())

    def rank(term: Node) -> tuple[bool, int, str]:
        uses = sum(sum(1 for _ in graph.triples(None, atom.predicate, term)) for atom in reading)
        return term in about, -uses, term_key(term)

    individuals = [term for term in fit if not isinstance(term, (BNode, Literal))]
    return sorted(individuals, key=rank)[:_VALUES]


def _placeholder(closure: Closure, name: str) -> BNode:
    """A blank node that the graph does not have."""
    labels = (BNode(f"placeholder{name}{'x' * n}") for n in count())
    return next(label for label in labels if closure.graph.dictionary.find(label) is None)
