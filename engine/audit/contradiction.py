"""Conditions that no values meet, found from the text of a rule alone.

Only what is decided simply: a condition without variables, a condition and its opposite, comparisons of the same two
sides, bounds and values of one expression, kinds of terms, and a NOT that the rest of the body always meets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from rdflib import Variable
from rdflib.term import Node

from engine.audit.subsumption import always_matches, conjuncts
from engine.symbolic.builtins import ExpressionError, holds
from engine.symbolic.rules import (
    Call,
    Constant,
    Expression,
    Filter,
    Negation,
    Rule,
    VariableRef,
    expression_variables,
)
from engine.symbolic.values import order

__all__ = ["never_holds"]

_ORDERS = {"<": {-1}, ">": {1}, "<=": {-1, 0}, ">=": {0, 1}, "=": {0}, "!=": {-1, 1}}
"""The outcomes of `order` that each comparison allows."""
_MIRRORED = {"=": "=", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_KINDS = {"isIRI": "iri", "isURI": "iri", "isBLANK": "blank", "isLITERAL": "literal", "isNUMERIC": "literal"}
_CHANGING = frozenset(("NOW", "UUID", "STRUUID", "BNODE"))
"""Functions whose value is another one in another place of the rule."""


def never_holds(rule: Rule) -> str | None:
    """Why the body of a rule can have no match in any graph, in words; None where no reason is found."""
    conditions = [each for f in rule.filters for each in conjuncts(f.expression) if not _is_changing(each)]
    for test in (_false, _opposite, _compared, _bounded, _kinds):
        reason = test(conditions)
        if reason:
            return reason
    return _placed(rule, conditions) or _negated(rule)


def _false(conditions: Sequence[Expression]) -> str | None:
    for each in conditions:
        if not any(expression_variables(each)) and not holds(each, {}):
            return f"{Filter(each)} is false"
    return None


def _opposite(conditions: Sequence[Expression]) -> str | None:
    for each in conditions:
        if isinstance(each, Call) and each.function == "!" and each.arguments[0] in conditions:
            return f"{Filter(each.arguments[0])} and {Filter(each)} are opposites"
    return None


def _compared(conditions: Sequence[Expression]) -> str | None:
    """Comparisons of the same two sides that allow no outcome together, or of one side with itself."""
    allowed: dict[tuple[str, str], set[int]] = {}
    said: dict[tuple[str, str], list[Expression]] = defaultdict(list)
    for each in conditions:
        if not isinstance(each, Call) or each.function not in _ORDERS:
            continue
        left, right = map(str, each.arguments)
        outcomes = _ORDERS[each.function]
        if left == right and 0 not in outcomes and each.function != "!=":  # a NaN is not equal to itself
            return f"{Filter(each)} compares a value with itself"
        if right < left:
            left, right, outcomes = right, left, _ORDERS[_MIRRORED[each.function]]
        said[left, right].append(each)
        allowed[left, right] = allowed.get((left, right), {-1, 0, 1}) & outcomes
        if not allowed[left, right]:
            return f"{_all(said[left, right])} cannot hold together"
    return None


def _bounded(conditions: Sequence[Expression]) -> str | None:
    """Comparisons of one expression with constants that no value meets."""
    found: dict[Expression, list[tuple[str, Sequence[Constant], Expression]]] = defaultdict(list)
    for each in conditions:
        for operand, operator, constants in _with_constants(each):
            found[operand].append((operator, constants, each))
    for tests in found.values():
        for operator, constants, each in tests:
            if operator not in ("=", "IN"):
                continue
            others = [test for test in tests if test[2] is not each]
            if others and not any(all(_meets(c, test) for test in others) for c in constants):
                return f"{_all([each, *(test[2] for test in others)])} cannot hold together"
        for first, second in combinations(tests, 2):
            if _apart(first, second) or _apart(second, first):
                return f"{_all([first[2], second[2]])} cannot hold together"
    return None


def _with_constants(condition: Expression) -> Iterator[tuple[Expression, str, Sequence[Constant]]]:
    """An expression, its comparison and the constants it is compared with."""
    if not isinstance(condition, Call) or condition.function not in (*_ORDERS, "IN", "NOT IN"):
        return
    first, *rest = condition.arguments
    constants = [argument for argument in rest if isinstance(argument, Constant)]
    if not isinstance(first, Constant) and len(constants) == len(rest):
        yield first, condition.function, constants
    elif isinstance(first, Constant) and condition.function in _ORDERS and not constants:
        yield rest[0], _MIRRORED[condition.function], [first]


def _meets(value: Constant, test: tuple[str, Sequence[Constant], Expression]) -> bool:
    operator, constants, _ = test
    return holds(Call(operator, (value, *constants)), {})


def _apart(low: tuple[str, Sequence[Constant], Expression], high: tuple[str, Sequence[Constant], Expression]) -> bool:
    """Whether a lower bound is above an upper one."""
    if low[0] not in (">", ">=") or high[0] not in ("<", "<="):
        return False
    try:
        found = order(low[1][0].term, high[1][0].term)
    except ExpressionError:
        return False
    return found == 1 or (found == 0 and (low[0] == ">" or high[0] == "<"))


def _kinds(conditions: Sequence[Expression]) -> str | None:
    """Tests for two kinds of terms on one variable."""
    kinds: dict[Variable, dict[str, Expression]] = defaultdict(dict)
    for variable, kind, each in _kind_tests(conditions):
        kinds[variable].setdefault(kind, each)
        if len(kinds[variable]) > 1:
            return f"{_all(list(kinds[variable].values()))} cannot hold together"
    return None


def _kind_tests(conditions: Sequence[Expression]) -> Iterator[tuple[Variable, str, Expression]]:
    known = {name.upper(): kind for name, kind in _KINDS.items()}
    for each in conditions:
        if isinstance(each, Call) and each.function.upper() in known and isinstance(each.arguments[0], VariableRef):
            yield each.arguments[0].variable, known[each.function.upper()], each


def _placed(rule: Rule, conditions: Sequence[Expression]) -> str | None:
    """A test for a kind of term that the place of the variable in an atom rules out."""
    subjects: set[Node] = {atom.subject for atom in rule.body_atoms}
    predicates: set[Node] = {atom.predicate for atom in rule.body_atoms}
    for variable, kind, each in _kind_tests(conditions):
        if variable in predicates and kind != "iri":
            return f"{Filter(each)} cannot hold for a predicate"
        if variable in subjects and kind == "literal":
            return f"{Filter(each)} cannot hold for a subject"
    return None


def _negated(rule: Rule) -> str | None:
    for at, element in enumerate(rule.body):
        if isinstance(element, Negation) and always_matches(element, rule, rule.body[:at]):
            return f"whatever meets the rest of the body meets what is in {element}"
    return None


def _is_changing(expression: Expression) -> bool:
    if not isinstance(expression, Call):
        return False
    return expression.function in _CHANGING or any(map(_is_changing, expression.arguments))


def _all(conditions: Sequence[Expression]) -> str:
    parts = [str(Filter(each)) for each in conditions]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
