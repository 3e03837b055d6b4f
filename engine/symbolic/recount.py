"""The part of `replay` that is about aggregates: the group of a conclusion, found and counted again.

Like `replay` it shares no code with the engine. It looks for every substitution of the group in the graph itself, so a
proof that leaves one out, or counts one that is not there, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rdflib import Literal, Variable
from rdflib.term import Node

from engine.symbolic.proof import Proof
from engine.symbolic.rules import Assignment, Atom, Call, Filter, Negation, Rule, VariableRef
from kg.expressions import holds, value_of
from kg.graph import KnowledgeGraph
from kg.terms import TripleTerm, term_key

__all__ = ["recounts"]

Values = Mapping[Node, Node]
Extend = Callable[[Atom, Values, KnowledgeGraph, bool], Iterator[dict[Node, Node]]]
Matches = Callable[[Negation, Values, KnowledgeGraph, bool], Iterator[Values]]


def recounts(step: Proof, rule: Rule, graph: KnowledgeGraph, extend: Extend, matches: Matches) -> bool:
    """Whether the premises are those of the whole group, and its aggregates are what the substitution says.

    Args:
        extend: the ways to match an atom. matches: the ways to match a NOT.
    """
    start = rule.body.index(rule.aggregates[0])
    before = {v for e in rule.body[:start] if isinstance(e, (Atom, Assignment)) for v in e.variables}
    key = [v for v in dict.fromkeys(v for atom in rule.head for v in atom.variables) if v in before]
    values: dict[Node, Node] = dict(step.substitution.items())
    if any(v not in values for v in key):
        return False
    # A variable of the head may be local to a NOT that stands before the atom with it, so it is bound early only
    # where there is no NOT.
    early: dict[Node, Node] = {} if rule.negations else {v: values[v] for v in key}
    found: list[dict[Node, Node]] = [early]
    for element in rule.body[:start]:
        found = [more for one in found for more in _extended(element, one, rule, graph, extend, matches)]
    found = [one for one in found if all(one[v] == values[v] for v in key)]
    atoms = [element for element in rule.body if isinstance(element, Atom)]
    wanted = {tuple(_put(term, one) for term in atom.terms) for one in found for atom in atoms}
    given = [tuple(premise.conclusion or ()) for premise in step.premises]
    if not found or set(given) != wanted or len(given) != len(wanted):
        return False
    return _same_results(rule.body[start:], found, {v: values[v] for v in key}, values)


def _extended(
    element: object, one: dict[Node, Node], rule: Rule, graph: KnowledgeGraph, extend: Extend, matches: Matches
) -> Iterator[dict[Node, Node]]:
    if isinstance(element, Atom):
        yield from extend(element, one, graph, not rule.data)
    elif isinstance(element, Filter):
        if holds(str(element.expression), one):
            yield one
    elif isinstance(element, Assignment):
        value = value_of(str(element.expression), one)
        if value is not None and one.get(element.variable, value) == value:
            yield {**one, element.variable: value}
    else:
        assert isinstance(element, Negation)
        if next(matches(element, one, graph, not (element.data or rule.data)), None) is None:
            yield one


def _same_results(elements: Sequence[object], found: Sequence[Values], bound: dict[Node, Node], values: Values) -> bool:
    for element in elements:
        if isinstance(element, Filter) and not holds(str(element.expression), bound):
            return False
        if isinstance(element, Assignment):
            call, value = element.aggregate, values.get(element.variable)
            again = _aggregate(call, found) if call else value_of(str(element.expression), bound)
            if value is None or again is None or not holds("?a = ?b", {Variable("a"): again, Variable("b"): value}):
                return False
            bound[element.variable] = value
    return True


def _aggregate(call: Call, found: Sequence[Values]) -> Node | None:
    name, _, distinct = call.function.partition(" ")
    if not call.arguments:
        return Literal(len(found))
    asked = call.arguments[0]
    terms = [one.get(asked.variable) if isinstance(asked, VariableRef) else value_of(str(asked), one) for one in found]
    known = [term for term in terms if term is not None]
    known = list(dict.fromkeys(known)) if distinct else known
    if name == "COUNT":
        return Literal(len(known))
    if None in terms or not known:
        return None
    known.sort(key=term_key)
    a, b = Variable("a"), Variable("b")
    best: Node | None = Literal(0) if name == "SUM" else known[0]
    for term in known:
        if name == "SUM":
            best = None if best is None else value_of("?a + ?b", {a: best, b: term})
        elif best is not None and holds("?a < ?b" if name == "MIN" else "?a > ?b", {a: term, b: best}):
            best = term
    return best


def _put(term: Node, values: Values) -> Node:
    if isinstance(term, TripleTerm):
        return TripleTerm(*(_put(part, values) for part in term.parts))
    return values.get(term, term)
