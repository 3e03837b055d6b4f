"""A second implementation of rule semantics, as plain as can be: sets of triples, nested loops, no ids, no indexes.

Rules are grouped by a numbering of predicates (of classes, for `rdf:type`) and run to a fixpoint group by group.
FILTER and SET are evaluated by the engine's built-ins, which have tests of their own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rdflib import RDF, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.builtins import ExpressionError, evaluate, holds
from engine.symbolic.rules import Assignment, Atom, Call, Constant, Constraint, Filter, Negation, Rule
from kg.terms import Triple, TripleTerm

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
    for at, element in enumerate(rule.body):
        if isinstance(element, Assignment) and element.aggregate:
            found = list(_grouped(rule, at, found))
            break
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
            triple = Triple(*(_put(term, values) for term in atom.terms))
            if _is_rdf(triple):
                yield triple


def _put(term: Node, values: Mapping[Node, Node]) -> Node:
    if isinstance(term, TripleTerm):
        return TripleTerm(*(_put(part, values) for part in term.parts))
    return values.get(term, term)


def _is_rdf(parts: Sequence[Node]) -> bool:
    subject, predicate, object = parts
    inner = not isinstance(object, TripleTerm) or _is_rdf(object.parts)
    return isinstance(subject, (URIRef, BNode)) and isinstance(predicate, URIRef) and inner


def _grouped(rule: Rule, at: int, found: list[Values]) -> Iterator[Values]:
    """One substitution for each group; what stands from the first aggregate on sees head variables and aggregates."""
    key = [v for v in dict.fromkeys(v for atom in rule.head for v in atom.variables) if found and v in found[0]]
    groups: dict[tuple[Node, ...], list[Values]] = {}
    for values in {frozenset(values.items()): values for values in found}.values():
        groups.setdefault(tuple(values[v] for v in key), []).append(values)
    for group, members in groups.items():
        values = dict(zip(key, group, strict=True))
        for element in rule.body[at:]:
            if isinstance(element, Filter):
                if not holds(element.expression, _named(values)):
                    break
            elif isinstance(element, Assignment):
                if element.aggregate is None:
                    more = next(_assigned(element, values), None)
                else:
                    result = _aggregate(element.aggregate, members)
                    more = None if result is None else {**values, element.variable: result}
                if more is None:
                    break
                values = more
        else:
            yield values


def _aggregate(call: Call, members: list[Values]) -> Node | None:
    """COUNT by Python's len; SUM by its sum; MIN and MAX by comparing each with each. None for an error."""
    name, _, distinct = call.function.partition(" ")
    if not call.arguments:
        return Literal(len(members))
    terms = []
    for values in members:
        with contextlib.suppress(ExpressionError):
            terms.append(evaluate(call.arguments[0], _named(values)))
    terms = list(set(terms)) if distinct else terms
    if name == "COUNT":
        return Literal(len(terms))
    if name == "SUM":
        numbers = [term.value for term in terms if isinstance(term, Literal) and isinstance(term.value, int)]
        return Literal(sum(numbers)) if len(numbers) == len(terms) else None
    operator = "<=" if name == "MIN" else ">="
    best = (a for a in terms if all(holds(Call(operator, (Constant(a), Constant(b))), {}) for b in terms))
    return next(best, None)


def _match(atom: Atom, values: Mapping[Node, Node], facts: Iterable[Triple]) -> Iterator[Values]:
    for triple in facts:
        more = dict(values)
        if all(_fits(term, value, more) for term, value in zip(atom.terms, triple, strict=True)):
            yield more


def _fits(term: Node, value: Node, values: Values) -> bool:
    if isinstance(term, TripleTerm):
        pairs = zip(term.parts, value.parts, strict=True) if isinstance(value, TripleTerm) else None
        return pairs is not None and all(_fits(t, v, values) for t, v in pairs)
    return values.setdefault(term, value) == value if isinstance(term, (Variable, BNode)) else term == value


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
