"""A second implementation of rule semantics, as plain as can be: sets of triples, nested loops, no ids, no indexes.

Rules are grouped by a numbering of predicates (of classes, for `rdf:type`) and run to a fixpoint group by group.
FILTER and SET are evaluated by the engine's built-ins, which have tests of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rdflib import RDF, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.builtins import ExpressionError, evaluate, holds
from engine.symbolic.rules import Assignment, Atom, Constraint, Filter, Negation, Rule
from kg.terms import Triple

Facts = set[Triple]
Values = dict[Node, Node]


def naive_closure(asserted: Iterable[Triple], rules: Iterable[Rule]) -> Facts:
    """All triples that follow, the asserted ones included. Blank nodes in heads are not supported."""
    given = frozenset(asserted)
    facts = set(given)
    for group in _groups(list(rules)):
        once = [rule for rule in group if rule.runs_once]
        facts |= {triple for rule in once for triple in _conclusions(rule, facts, given)}
        while True:
            new = {t for rule in group if not rule.runs_once for t in _conclusions(rule, facts, given)} - facts
            if not new:
                break
            facts |= new
    return facts


def naive_violations(
    facts: Facts, asserted: Iterable[Triple], constraints: Iterable[Constraint]
) -> set[tuple[Constraint, frozenset[tuple[Variable, Node]]]]:
    """Each constraint and substitution that matches."""
    given = frozenset(asserted)
    return {
        (constraint, frozenset((v, term) for v, term in values.items() if isinstance(v, Variable)))
        for constraint in constraints
        for values in solutions(constraint, facts, given)
    }


def solutions(rule: Rule, facts: Facts, asserted: frozenset[Triple]) -> Iterator[Values]:
    """The substitutions that match a body, element by element in the order written."""
    source = asserted if rule.data else facts
    found: list[Values] = [{}]
    for element in rule.body:
        if isinstance(element, Atom):
            found = [more for values in found for more in _match(element, values, source)]
        elif isinstance(element, Filter):
            found = [values for values in found if holds(element.expression, _named(values))]
        elif isinstance(element, Assignment):
            found = [more for values in found for more in _assigned(element, values)]
        else:
            inside = asserted if element.data else source
            found = [values for values in found if not _is_matched(element, values, inside)]
    yield from found


def _conclusions(rule: Rule, facts: Facts, asserted: frozenset[Triple]) -> Iterator[Triple]:
    for values in solutions(rule, facts, asserted):
        for atom in rule.head:
            triple = Triple(*(values.get(term, term) for term in atom.terms))
            if isinstance(triple.subject, (URIRef, BNode)) and isinstance(triple.predicate, URIRef):
                yield triple


def _match(atom: Atom, values: Mapping[Node, Node], facts: Iterable[Triple]) -> Iterator[Values]:
    for triple in facts:
        more = dict(values)
        if all(
            more.setdefault(term, value) == value if isinstance(term, (Variable, BNode)) else term == value
            for term, value in zip(atom.terms, triple, strict=True)
        ):
            yield more


def _is_matched(negation: Negation, values: Values, facts: Iterable[Triple]) -> bool:
    # a blank node in a NOT is not one of the body
    found = [{v: term for v, term in values.items() if not isinstance(v, BNode)}]
    for element in negation.elements:
        if isinstance(element, Atom):
            found = [more for each in found for more in _match(element, each, facts)]
        else:
            found = [each for each in found if holds(element.expression, _named(each))]
    return bool(found)


def _assigned(element: Assignment, values: Values) -> Iterator[Values]:
    try:
        value = evaluate(element.expression, _named(values))
    except ExpressionError:
        return
    yield {**values, element.variable: value}


def _named(values: Values) -> dict[Variable, Node]:
    return {v: term for v, term in values.items() if isinstance(v, Variable)}


def _groups(rules: list[Rule]) -> list[list[Rule]]:
    """Rules by the least number that is at least that of what they read, and greater than what they negate."""
    number = [0] * len(rules)
    changed = True
    while changed:
        changed = False
        for i, rule in enumerate(rules):
            for j, other in enumerate(rules):
                if rule.data:
                    continue
                strict = any(_feeds(other, a) for n in rule.negations if not n.data for a in n.atoms)
                plain = any(_feeds(other, atom) for atom in rule.body_atoms)
                least = number[j] + (strict or rule.runs_once) if strict or plain else 0
                if least > number[i]:
                    number[i], changed = least, True
        assert max(number, default=0) <= len(rules), "the rules have no strata"
    return [[r for r, n in zip(rules, number, strict=True) if n == at] for at in range(max(number, default=-1) + 1)]


def _feeds(rule: Rule, atom: Atom) -> bool:
    return any(_overlap(head, atom) for head in rule.head)


def _overlap(head: Atom, atom: Atom) -> bool:
    pairs = [(head.predicate, atom.predicate)]
    if head.predicate == RDF.type:
        pairs.append((head.object, atom.object))
    return all(isinstance(a, (Variable, BNode)) or isinstance(b, (Variable, BNode)) or a == b for a, b in pairs)


def is_literal_subject(triple: Triple) -> bool:
    """Whether a triple has a literal where RDF allows none."""
    return isinstance(triple.subject, Literal)
