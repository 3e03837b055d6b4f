"""Aggregates, an extension of the draft: `SET(?n := COUNT(?x))` over the substitutions of a body, group by group.

A rule with an aggregate runs once, when all it reads is complete, like every rule with a SET. Its substitutions are
grouped by the variables of the head that are bound before the first aggregate; what stands behind that aggregate sees
those variables and the aggregates alone. A group has one substitution at least, so there is no count of zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdflib import RDF, BNode, Literal, Variable
from rdflib.term import Node

from engine.symbolic.arithmetic import arithmetic, literal_of, number_of
from engine.symbolic.builtins import evaluate
from engine.symbolic.join import Bindings, Memo, assign, distinct_rows, keep_if
from engine.symbolic.rules import Assignment, Atom, Call, Expression, Filter, Rule, VariableRef, expression_variables
from engine.symbolic.values import ExpressionError, order
from kg.dictionary import Dictionary
from kg.errors import UnsupportedRuleError
from kg.terms import term_key

__all__ = ["GROUP", "Grouping", "check_grouping"]

Array = NDArray[np.int64]
GROUP = Variable("-group")  # no variable of a rule can have this name
_VALUE = Variable("-value")
_ERROR = -1


@dataclass(frozen=True)
class Grouping:
    """What a rule does with the substitutions of its body, once they are complete.

    Args:
        key: the variables a group has in common. values: those of them that compilation has put values for.
        elements: aggregates, then or in between SETs and FILTERs that see the group.
    """

    key: tuple[Variable, ...]
    values: Mapping[Variable, int]
    elements: tuple[Assignment | Filter, ...]

    @classmethod
    def of(cls, rule: Rule, values: Mapping[Variable, int]) -> Grouping | None:
        """The grouping of a rule, None for a rule without aggregates."""
        if not rule.aggregates:
            return None
        start = rule.body.index(rule.aggregates[0])
        before = {v for e in rule.body[:start] if isinstance(e, (Atom, Assignment)) for v in e.variables}
        key = tuple(v for v in dict.fromkeys(v for atom in rule.head for v in atom.variables) if v in before)
        after = tuple(e for e in rule.body[start:] if isinstance(e, (Assignment, Filter)))
        return cls(key, {v: values[v] for v in key if v in values}, after)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables that have a value for a group."""
        return (*self.key, *(e.variable for e in self.elements if isinstance(e, Assignment)))

    def apply(self, bindings: Bindings, dictionary: Dictionary, memo: Memo) -> tuple[Bindings, Array]:
        """One substitution for each group that passes, and the number of each given substitution's group.

        The column `GROUP` has the number of each group that is left.
        """
        columns = dict(bindings.columns)
        columns.update((v, np.full(bindings.size, id, dtype=np.int64)) for v, id in self.values.items())
        whole = Bindings(columns, bindings.size)
        rows, numbers = distinct_rows(whole, self.key)
        keys = np.array(rows, dtype=np.int64).reshape(len(rows), len(self.key))
        found = {GROUP: np.arange(len(rows)), **{v: keys[:, at] for at, v in enumerate(self.key)}}
        groups = Bindings(found, len(rows))
        for element in self.elements:
            if isinstance(element, Filter):
                groups = keep_if(groups, element, dictionary)
            elif element.aggregate is None:
                groups = assign(groups, element, dictionary, memo)
            else:
                values = _aggregate(element.aggregate, whole, numbers, len(rows), dictionary)[groups.columns[GROUP]]
                with_value = Bindings({**groups.columns, element.variable: values}, groups.size)
                groups = with_value.take(np.flatnonzero(values != _ERROR))
        return groups, numbers


def check_grouping(rule: Rule) -> None:
    """Checks that compilation to one relation per atom keeps every group of a rule with aggregates in one piece.

    Raises:
        UnsupportedRuleError: the predicate or class of a body atom is a variable that is not in the head.
    """
    if not rule.aggregates:
        return
    key = {v for atom in rule.head for v in atom.variables}
    for atom in rule.body_atoms:
        chosen = [atom.predicate]
        if atom.predicate == RDF.type or isinstance(atom.predicate, Variable):
            chosen.append(atom.object)
        for term in chosen:
            if isinstance(term, (Variable, BNode)) and term not in key:
                at = rule.location
                wanted = "Expected a variable predicate or class in a rule with an aggregate to be in the head too"
                raise UnsupportedRuleError(
                    f"{wanted} (got {atom}, in rule '{rule.name}'); name it, or count it apart in the head",
                    file=at.file if at else None,
                    line=at.line if at else None,
                )


def _aggregate(call: Call, bindings: Bindings, numbers: Array, num_groups: int, dictionary: Dictionary) -> Array:
    """The id of the aggregate of each group, -1 for an error; shape (num_groups,)."""
    name, _, distinct = call.function.partition(" ")
    none = np.zeros(bindings.size, dtype=np.int64)  # COUNT(*) counts substitutions
    ids = _values(call.arguments[0], bindings, dictionary) if call.arguments else none
    failed = np.zeros(num_groups, dtype=bool)
    failed[numbers[ids == _ERROR]] = True
    numbers, ids = numbers[ids != _ERROR], ids[ids != _ERROR]
    if distinct:
        both = Bindings({GROUP: numbers, _VALUE: ids}, len(ids))
        pairs, _ = distinct_rows(both, (GROUP, _VALUE))
        numbers, ids = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    if name == "COUNT":
        counts = np.bincount(numbers, minlength=num_groups)
        return np.array([dictionary.intern(Literal(count)) for count in counts.tolist()], dtype=np.int64)
    at = np.argsort(numbers, kind="stable")
    ends = np.searchsorted(numbers[at], np.arange(num_groups + 1))
    result = np.full(num_groups, _ERROR, dtype=np.int64)
    for group in np.flatnonzero(~failed).tolist():
        terms = [dictionary.term(id) for id in ids[at[ends[group] : ends[group + 1]]].tolist()]
        try:
            result[group] = dictionary.intern(_fold(name, sorted(terms, key=term_key)))
        except ExpressionError:
            continue
    return result


def _values(expression: Expression, bindings: Bindings, dictionary: Dictionary) -> Array:
    """The id of an expression's value for each substitution, -1 for an error."""
    if isinstance(expression, VariableRef):
        return bindings.columns[expression.variable]
    variables = tuple(dict.fromkeys(expression_variables(expression)))
    rows, numbers = distinct_rows(bindings, variables)
    found = np.full(len(rows), _ERROR, dtype=np.int64)
    for at, ids in enumerate(rows):
        try:
            values = {v: dictionary.term(id) for v, id in zip(variables, ids, strict=True)}
            found[at] = dictionary.intern(evaluate(expression, values))
        except ExpressionError:
            continue
    return found[numbers]


def _fold(name: str, terms: Sequence[Node]) -> Node:
    """SUM, MIN or MAX of terms in a fixed order, so that a sum of doubles is always the same.

    Raises:
        ExpressionError: the terms have no sum or no common order.
    """
    if name == "SUM":
        total = number_of(Literal(0))
        for term in terms:
            total = arithmetic("+", total, number_of(term))
        return literal_of(total)
    best, wanted = terms[0], -1 if name == "MIN" else 1
    order(best, best)  # a term without an order is an error even when it is alone
    for term in terms[1:]:
        if order(term, best) == wanted:
            best = term
    return best
