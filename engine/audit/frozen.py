"""What can be told of a rule from its body frozen.

A body is *frozen*: each of its variables becomes a new term, and its atoms become triples (the canonical database of
the body). All bodies are added to a closure at once, each with terms of its own. Then

- where a constraint is broken by the triples of one body alone, every match of that body breaks it;
- where the frozen head is derived without the rule, the rule is needless in this graph (uniform containment, Sagiv
  1988). Derivations that use a FILTER, NOT or aggregate are left out, as those see terms, not variables.

Bodies with a variable as predicate or class, and those about the schema, are not frozen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from rdflib import RDF, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.audit.derived import derived
from engine.audit.finding import AuditRule, Kind
from engine.symbolic import Budget, Closure, Constraint, Proof, Rule, Severity, Violation, derivations_of
from engine.symbolic.compile import SCHEMA_PREDICATES
from engine.symbolic.derivations import Justification
from engine.symbolic.rules import Atom, TripleTerm
from kg.errors import NoesisError
from kg.terms import Triple

__all__ = ["FrozenBodies", "without_not"]

TRIPLES = 5_000_000
"""Triples of a closure up to which it is gone on from."""
_FROZEN = "urn:noesis:frozen:"
_VOCABULARY = ("http://www.w3.org/2002/07/owl#", "http://www.w3.org/2000/01/rdf-schema#")


class FrozenBodies:
    """A closure with the frozen bodies of some rules.

    Args:
        closure: complete; it is not changed, but for new terms in its dictionary.
    """

    def __init__(self, closure: Closure, rules: Sequence[Rule]) -> None:
        self._closure, self._rules = closure, rules
        self._bodies = {number: body for number, rule in enumerate(rules) if (body := _freeze(rule, number))}
        self._owner = {triple: number for number, body in self._bodies.items() for triple in body}
        self.cut_short: str | None = None
        """Why nothing is told; None where something is."""
        self._wide = self._added()

    def _added(self) -> Closure | None:
        closure = self._closure
        if len(closure.graph) > TRIPLES:
            self.cut_short = f"the bodies were not frozen, as there are more than {TRIPLES} triples"
            return None
        try:
            return closure.add(self._owner) if self._bodies else None
        except NoesisError as error:
            self.cut_short = f"the bodies were not frozen: {error}"
            return None

    def inconsistent(self) -> Iterator[tuple[Rule, Violation]]:
        """The rules whose body breaks a constraint by itself, with the violation by the frozen body.

        A constraint is looked at only for what the built-in rules find wrong with it: that two constraints agree is no
        fault.
        """
        found: dict[int, Violation] = {}
        for violation in () if self._wide is None else self._wide.violations_not_in(self._closure):
            if violation.severity is not Severity.VIOLATION or not without_not(violation.proof):
                continue
            owners = {self._owner[leaf] for leaf in violation.proof.leaves() if leaf in self._owner}
            if len(owners) != 1:
                continue
            number = owners.pop()
            is_given = AuditRule.of(violation.constraint).kind is Kind.CONSTRAINT
            if not (is_given and isinstance(self._rules[number], Constraint)):
                found.setdefault(number, violation)
        yield from ((self._rules[number], violation) for number, violation in sorted(found.items()))

    def entailed(self, needless: set[Rule]) -> Iterator[tuple[Rule, tuple[Rule, ...], tuple[Triple, ...]]]:
        """The rules whose head follows from their body without them: by which rules, and which asserted triples.

        Args:
            needless: rules that are not used for it; those found are added. So all of them can go together, and of two
                that follow from each other one stays, the first.
        """
        if self._wide is None:
            return
        heads = dict(self._heads)
        targets = list(dict.fromkeys(triple for head in heads.values() for triple in head))
        ways = derivations_of(self._wide, *targets, budget=Budget(triples=100_000, substitutions=300_000, seconds=10.0))
        if ways.incomplete:
            self.cut_short = f"not all rules were tried without themselves: {ways.incomplete}"
        node = dict(zip(targets, ways.targets, strict=True))
        found_last: list[tuple[Rule, tuple[Rule, ...], tuple[Triple, ...]]] = []
        for number, head in reversed(heads.items()):
            rule = self._rules[number]
            if rule in needless:
                continue
            needless.add(rule)
            rules: dict[Rule, None] = {}
            leaves: dict[Triple, None] = {}
            for triple in head:
                ids = node[triple]
                found = None if ids is None else derived(ids, ways, lambda each: _is_plain(each, needless))
                triples = () if found is None else tuple(self._wide.graph.decode(*leaf) for leaf in found.leaves)
                if found is None or any(self._owner.get(leaf, number) != number for leaf in triples):
                    needless.remove(rule)
                    break
                rules.update(dict.fromkeys(found.rules))
                leaves.update(dict.fromkeys(triples))
            else:
                axioms = tuple(leaf for leaf in leaves if leaf not in self._owner)
                found_last.append((rule, tuple(rules), axioms))
        yield from reversed(found_last)

    @cached_property
    def _heads(self) -> list[tuple[int, list[Triple]]]:
        """The frozen heads, what is in the body left out, of the rules that make no new terms."""
        found = []
        for number, body in self._bodies.items():
            rule = self._rules[number]
            if rule.head and not rule.runs_once:
                head = [Triple(*(_frozen(term, number) for term in atom.terms)) for atom in rule.head]
                found.append((number, [triple for triple in head if triple not in body]))
        return found


def _is_plain(justification: Justification, without: set[Rule]) -> bool:
    """Whether a rule instance is one of another rule, and would be one whatever the variables stand for."""
    rule = justification.rule.rule
    return rule not in without and not (rule.filters or rule.negations or rule.assignments or rule.data)


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
    return URIRef(f"{_FROZEN}{number}:{term}") if isinstance(term, (Variable, BNode)) else term
