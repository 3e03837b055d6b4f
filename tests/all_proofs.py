"""Every well-founded proof of a triple, by plain enumeration: the second implementation for proofs and weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

from rdflib import BNode, Literal, URIRef
from rdflib.term import Node

from engine.symbolic.proof import Proof
from engine.symbolic.rules import Constraint, Rule
from kg.terms import Triple
from tests.naive import Facts, solutions


class Written(NamedTuple):
    """A proof as nested values: the conclusion, the rule's IRI (None if asserted), proofs of the premises."""

    conclusion: Triple | None
    rule: URIRef | None
    premises: tuple[Written, ...]

    @property
    def applications(self) -> int:
        """Rule applications, a part used twice counted twice."""
        return (self.rule is not None) + sum(premise.applications for premise in self.premises)

    @property
    def depth(self) -> int:
        """Rule applications on the longest path down."""
        return 0 if self.rule is None else 1 + max((premise.depth for premise in self.premises), default=0)


class TooManyError(Exception):
    """The enumeration was given up."""


class Enumeration:
    """The proofs of the triples of a closure. Raises `TooManyError` beyond `limit` parts."""

    def __init__(self, asserted: Iterable[Triple], rules: Iterable[Rule], facts: Facts, *, limit: int = 20_000) -> None:
        self.asserted, self.limit = frozenset(asserted), limit
        self.instances: dict[Triple | None, set[tuple[Rule, tuple[Triple, ...]]]] = {}
        self.matches: dict[tuple[Rule, frozenset[tuple[Node, Node]]], set[tuple[Triple, ...]]] = {}
        for rule in rules:
            for values in solutions(rule, facts, self.asserted):
                premises = tuple(Triple(*(values.get(t, t) for t in atom.terms)) for atom in rule.body_atoms)
                named = frozenset((v, term) for v, term in values.items() if not isinstance(v, BNode))
                self.matches.setdefault((rule, named), set()).add(premises)
                for atom in rule.head:
                    triple = Triple(*(values.get(t, t) for t in atom.terms))
                    if not isinstance(triple.subject, Literal) and isinstance(triple.predicate, URIRef):
                        self.instances.setdefault(triple, set()).add((rule, premises))

    def proofs(self, triple: Triple, path: frozenset[Triple] = frozenset()) -> Iterator[Written]:
        """The proofs of a triple in which no triple of the path occurs."""
        if triple in path:
            return
        if triple in self.asserted:
            yield Written(triple, None, ())
        for rule, premises in self.instances.get(triple, ()):
            yield from self._applied(triple, rule, premises, path | {triple})

    def refutations(self, constraint: Constraint, values: Iterable[tuple[Node, Node]]) -> Iterator[Written]:
        """The proofs of FALSE from a constraint under a substitution."""
        for premises in self.matches[constraint, frozenset(values)]:
            yield from self._applied(None, constraint, premises, frozenset())

    def _applied(
        self, conclusion: Triple | None, rule: Rule, premises: tuple[Triple, ...], path: frozenset[Triple]
    ) -> Iterator[Written]:
        parts = []
        for premise in premises:
            if rule.data:
                parts.append([] if premise in path else [Written(premise, None, ())])
            else:
                parts.append(list(self.proofs(premise, path)))
            if not parts[-1]:
                return
        for chosen in product(*parts):
            self.limit -= 1
            if self.limit < 0:
                raise TooManyError
            yield Written(conclusion, rule.iri, chosen)


def as_written(proof: Proof) -> Written:
    """A proof of the engine as nested values."""
    done: dict[int, Written] = {}
    for step in proof.steps():
        iri = step.rule.iri if step.rule else None
        done[id(step)] = Written(step.conclusion, iri, tuple(done[id(premise)] for premise in step.premises))
    return done[id(proof)]
