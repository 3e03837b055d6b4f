"""θ-subsumption: is a rule a special case of another one?

A rule G subsumes a rule S if some substitution θ puts each body element of G among those of S and each head atom of S
among those of G (Plotkin 1970, for rules with NOT). Then each application of S is one of G, so S adds nothing. Equal up
to names of variables is the same in both directions.

A FILTER counts as its conjuncts, compared as they are written but for the order of `=` and of `<`. A NOT of G has to
follow from a NOT of S: it has the atoms of that one, or more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rdflib import BNode, Variable
from rdflib.term import Node

from engine.symbolic.builtins import holds
from engine.symbolic.rules import (
    Assignment,
    Atom,
    BodyElement,
    Call,
    Constant,
    Constraint,
    Expression,
    Filter,
    Negation,
    Rule,
    TripleTerm,
    VariableRef,
    expression_variables,
)

__all__ = ["always_matches", "conjuncts", "is_tautology", "subsumes"]

STEPS = 20_000
"""Pairs of elements tried for one pair of rules; θ-subsumption is NP-complete. Rules of a domain need some hundred."""

Theta = Mapping[Node, Node]
_Match = Callable[[Theta], Iterator[Theta]]


def subsumes(general: Rule, special: Rule) -> bool:
    """Whether every application of `special` is one of `general`; False also where the search was cut short.

    A constraint subsumes constraints that are not worse only.
    """
    if general.kind != special.kind or not _reads_as_much(general, special):
        return False
    if isinstance(general, Constraint) and isinstance(special, Constraint):
        if general.severity.rank > special.severity.rank:
            return False
    elif not {_predicate(atom) for atom in special.head} <= {_predicate(atom) for atom in general.head} | {None}:
        return False
    if len(general.aggregates) != len(special.aggregates):
        return False
    search, body = _Search(_variables(general)), special.body
    goals = [search.any_of([_pair(atom, each) for atom in general.head]) for each in special.head]
    goals += [search.into(atom, special.body_atoms) for atom in general.body_atoms]
    goals += [search.into(each, special.assignments) for each in general.assignments]
    if general.aggregates:  # a group is made of all matches, so it must be the same body
        goals += [search.any_of([_pair(a, b) for a in general.body_atoms]) for b in special.body_atoms]
        if len(general.body) != len(special.body):
            return False
    known = _conditions(body)
    goals += [search.condition(each, known) for each in _conditions(general.body)]
    goals += [search.negation(each, special) for each in _placed_negations(general)]
    return search.solve(goals)


def always_matches(negation: Negation, rule: Rule, before: Sequence[BodyElement]) -> bool:
    """Whether a NOT of a rule is met by every match of the rest of the body, so that the rule can have none.

    Args:
        before: the elements in front of it; its other variables are its own.
    """
    if negation.data and not rule.data:
        return False  # a triple that is matched need not be asserted
    bound = {v for element in before if not isinstance(element, Negation) for v in element.variables}
    search = _Search(frozenset(v for v in negation.variables if v not in bound))
    goals = [search.into(atom, rule.body_atoms) for atom in negation.atoms]
    known = _conditions(rule.body)
    inside = [e for e in negation.elements if isinstance(e, Filter)]
    goals += [search.condition(each, known) for f in inside for each in conjuncts(f.expression)]
    return search.solve(goals)


def is_tautology(rule: Rule) -> bool:
    """Whether every head atom is in the body, a blank node of the head standing for something."""
    search = _Search(frozenset(t for atom in rule.head for t in atom.terms if isinstance(t, BNode)))
    return bool(rule.head) and search.solve([search.into(atom, rule.body_atoms) for atom in rule.head])


def conjuncts(expression: Expression) -> Iterator[Expression]:
    """The parts that all have to be true for an expression to be true."""
    if isinstance(expression, Call) and expression.function == "&&":
        for argument in expression.arguments:
            yield from conjuncts(argument)
    else:
        yield expression


class _StepsError(Exception):
    """The search was too long."""


@dataclass
class _Search:
    """Goals are met one after the other, each in several ways, with one substitution for all of them."""

    bindable: frozenset[Node]
    steps: int = 0

    def solve(self, goals: Sequence[_Match]) -> bool:
        """Whether one substitution meets all goals."""
        try:
            return next(self._all(goals, {}), None) is not None
        except _StepsError:
            return False

    def _all(self, goals: Sequence[_Match], theta: Theta) -> Iterator[Theta]:
        if not goals:
            yield theta
            return
        for more in goals[0](theta):
            yield from self._all(goals[1:], more)

    def any_of(self, pairs: Sequence[tuple[object, object]]) -> _Match:
        """The goal that the first element of one of the pairs becomes the second."""

        def ways(theta: Theta) -> Iterator[Theta]:
            for pattern, target in pairs:
                self.steps += 1
                if self.steps > STEPS:
                    raise _StepsError
                yield from self.match(pattern, target, theta)

        return ways

    def into(self, pattern: object, targets: Sequence[object]) -> _Match:
        """The goal that an element becomes one of some elements."""
        return self.any_of([(pattern, target) for target in targets])

    def condition(self, pattern: Expression, known: Sequence[Expression]) -> _Match:
        """The goal that a conjunct becomes one of those that are known, or true without a variable."""
        among = self.into(pattern, known)

        def ways(theta: Theta) -> Iterator[Theta]:
            yield from among(theta)
            put = _put_values(pattern, theta)
            if not any(expression_variables(put)) and holds(put, {}):
                yield theta

        return ways

    def negation(self, placed: tuple[Negation, frozenset[Variable]], special: Rule) -> _Match:
        """The goal that a NOT follows from one of another rule, once all other variables have their values."""
        wanted, locals_ = placed
        others = list(_placed_negations(special))

        def ways(theta: Theta) -> Iterator[Theta]:
            # No variable of a rule has such a name, so these are constants.
            kept: dict[Node, Node] = {v: Variable(f"!{v}") for v in locals_}
            put = [_put(each, {**theta, **kept}) for each in _conjunctive(wanted)]
            for other, own in others:
                if other.data and not wanted.data and not special.data:
                    continue
                inner = _Search(frozenset(own), self.steps)
                if inner.solve([inner.into(e, put) for e in _conjunctive(other)]):
                    yield theta
                    return

        return ways

    def match(self, pattern: object, target: object, theta: Theta) -> Iterator[Theta]:
        """The ways to extend a substitution so that a pattern becomes a target."""
        if isinstance(pattern, Variable) or (isinstance(pattern, BNode) and pattern in self.bindable):
            if pattern not in self.bindable:
                yield from [theta] if pattern == target else []
            elif pattern in theta:
                yield from [theta] if theta[pattern] == target else []
            elif isinstance(target, Node):
                yield {**theta, pattern: target}
            return
        if isinstance(pattern, (Atom, Call, Filter, Assignment, Constant, VariableRef, TripleTerm)):
            if isinstance(pattern, VariableRef) and isinstance(target, Constant):
                target = VariableRef(target.term)  # type: ignore[arg-type]  # a variable may become a constant
            if type(pattern) is type(target):
                for left, right in _parts(pattern, target):
                    yield from self._all([self.any_of([pair]) for pair in zip(left, right, strict=True)], theta)
            return
        if pattern == target:
            yield theta


_MIRRORED = {"=": "=", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


def _parts(pattern: object, target: object) -> Iterator[tuple[Sequence[object], Sequence[object]]]:
    """The parts of two elements of one class that have to match, once for each order that means the same."""
    if isinstance(pattern, Call) and isinstance(target, Call):
        if len(pattern.arguments) == len(target.arguments):
            if pattern.function == target.function:
                yield pattern.arguments, target.arguments
            if _MIRRORED.get(pattern.function) == target.function or (
                pattern.function == target.function == "sameTerm" and len(pattern.arguments) == 2
            ):
                yield pattern.arguments, target.arguments[::-1]
        return
    yield _fields(pattern), _fields(target)


def _fields(element: object) -> Sequence[object]:
    if isinstance(element, Atom):
        return element.terms
    if isinstance(element, TripleTerm):
        return element.parts
    if isinstance(element, Filter):
        return (element.expression,)
    if isinstance(element, Assignment):
        return (element.variable, element.expression)
    if isinstance(element, VariableRef):
        return (element.variable,)
    assert isinstance(element, Constant), "no other element has parts"
    return (element.term,)


def _pair(pattern: object, target: object) -> tuple[object, object]:
    return pattern, target


def _predicate(atom: Atom) -> Node | None:
    return None if isinstance(atom.predicate, Variable) else atom.predicate


def _variables(rule: Rule) -> frozenset[Node]:
    return frozenset((*rule.variables, *(t for atom in rule.head for t in atom.terms if isinstance(t, BNode))))


def _reads_as_much(general: Rule, special: Rule) -> bool:
    """Whether what the special rule may read the general one may too."""
    return general.data == special.data or (special.data and not general.negations)


def _conditions(body: Sequence[BodyElement]) -> list[Expression]:
    return [each for e in body if isinstance(e, Filter) for each in conjuncts(e.expression)]


def _conjunctive(negation: Negation) -> Iterator[Atom | Filter]:
    for element in negation.elements:
        if isinstance(element, Filter):
            yield from map(Filter, conjuncts(element.expression))
        else:
            yield element


def _placed_negations(rule: Rule) -> Iterator[tuple[Negation, frozenset[Variable]]]:
    """The NOTs, each with the variables that are its own because they do not occur before it."""
    before: set[Variable] = set()
    for element in rule.body:
        if isinstance(element, Negation):
            yield element, frozenset(v for v in element.variables if v not in before)
        else:
            before.update(element.variables)


def _put(element: Atom | Filter, theta: Theta) -> Atom | Filter:
    """An element of a NOT with the values of a substitution."""
    if isinstance(element, Filter):
        return Filter(_put_values(element.expression, theta))
    return Atom(*(_put_term(term, theta) for term in element.terms))


def _put_values(expression: Expression, theta: Theta) -> Expression:
    if isinstance(expression, Call):
        return Call(expression.function, tuple(_put_values(each, theta) for each in expression.arguments))
    if isinstance(expression, VariableRef):
        value = theta.get(expression.variable, expression.variable)
        return VariableRef(value) if isinstance(value, Variable) else Constant(value)
    return Constant(_put_term(expression.term, theta))


def _put_term(term: Node, theta: Theta) -> Node:
    if isinstance(term, TripleTerm):
        return TripleTerm(*(_put_term(part, theta) for part in term.parts))
    return theta.get(term, term)
