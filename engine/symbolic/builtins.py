"""FILTER and SET expressions: SPARQL's operators and built-in functions over one substitution.

`evaluate` gives the value of an expression as a term, `holds` its effective boolean value. An error is an
`ExpressionError`, which `&&`, `||`, `IN`, `IF` and `COALESCE` treat as SPARQL 1.2 says.

What changes from call to call (`NOW`, `UUID`, `STRUUID`, `BNODE`) is evaluated once for each distinct substitution of
the expression's variables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

from rdflib import XSD, BNode, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.arithmetic import cast, castable, literal_of
from engine.symbolic.functions import FUNCTIONS as SPARQL_FUNCTIONS
from engine.symbolic.functions import effective_boolean, text_of, triple_of
from engine.symbolic.literal_filters import LITERAL_FUNCTIONS
from engine.symbolic.patterns import compile_pattern
from engine.symbolic.rules import Call, Constant, Expression, Filter, Rule, TripleTerm, VariableRef
from engine.symbolic.values import ExpressionError, equal
from kg.errors import UnsupportedRuleError

__all__ = ["FUNCTIONS", "ExpressionError", "check_functions", "effective_boolean", "evaluate", "holds"]

Values = Mapping[Variable, Node]

FUNCTIONS = {**SPARQL_FUNCTIONS, **LITERAL_FUNCTIONS}
"""SPARQL's functions by name, and those on literals of the built-in rules by IRI."""


def holds(expression: Expression, values: Values) -> bool:
    """Whether the expression is true under the substitution; an error counts as false."""
    try:
        return effective_boolean(evaluate(expression, values))
    except ExpressionError:
        return False


def evaluate(expression: Expression, values: Values) -> Node:
    """The value of an expression under a substitution.

    Raises:
        ExpressionError: it has none: an unbound variable, a wrong type, an unknown function.
    """
    if isinstance(expression, VariableRef):
        found = values.get(expression.variable)
        if found is None:
            raise ExpressionError(f"Expected a value of ?{expression.variable}")
        return found
    if isinstance(expression, Constant):
        if isinstance(expression.term, TripleTerm):
            return _put_values(expression.term, values)
        return expression.term
    form = _FORMS.get(expression.function)
    if form is not None:
        return form(expression.arguments, values)
    arguments = [evaluate(argument, values) for argument in expression.arguments]
    function = FUNCTIONS.get(expression.function)
    if function is not None:
        least, most, apply = function
        if not least <= len(arguments) <= most:
            got = f"{len(arguments)} arguments of {expression.function}"
            raise ExpressionError(f"Expected {least} to {most} arguments (got {got})")
        return apply(*arguments)
    if castable(expression.function) and len(arguments) == 1:
        return cast(arguments[0], URIRef(expression.function))
    raise ExpressionError(f"Expected a known function (got {expression.function})")


def _put_values(term: Node, values: Values) -> Node:
    """A term with the values of the variables in it; what comes out for a triple term is one that RDF has."""
    if isinstance(term, TripleTerm):
        return triple_of(*(_put_values(part, values) for part in term.parts))
    return evaluate(VariableRef(term), values) if isinstance(term, Variable) else term


def check_functions(rule: Rule) -> None:
    """Checks that every function of a rule's expressions can be evaluated, so that no filter is silently false.

    Raises:
        UnsupportedRuleError: an unknown function, or a constant pattern of REGEX or REPLACE that is refused.
    """
    inside = [element for negation in rule.negations for element in negation.elements]
    filters = [*rule.filters, *(element for element in inside if isinstance(element, Filter))]
    given = [e for a in rule.assignments for e in (a.aggregate.arguments if a.aggregate else (a.expression,))]
    for expression in [*(f.expression for f in filters), *given]:
        for call in _calls(expression):
            problem = _problem(call)
            if problem:
                at = rule.location
                raise UnsupportedRuleError(
                    f"{problem}, in {rule.kind} '{rule.name}'",
                    file=at.file if at else None,
                    line=at.line if at else None,
                    column=at.column if at else None,
                )


def _calls(expression: Expression) -> list[Call]:
    if not isinstance(expression, Call):
        return []
    return [expression, *(call for argument in expression.arguments for call in _calls(argument))]


def _problem(call: Call) -> str | None:
    name = call.function
    if name not in FUNCTIONS and name not in _FORMS and not castable(name):
        nearest = get_close_matches(name, [*FUNCTIONS, *_FORMS, *(str(XSD[t]) for t in ("integer", "decimal"))], 1)
        return f"Expected a known function (got {name})" + (f"; did you mean {nearest[0]}?" if nearest else "")
    if name in ("REGEX", "REPLACE") and len(call.arguments) > 1 and isinstance(call.arguments[1], Constant):
        try:
            compile_pattern(str(call.arguments[1].term))
        except ExpressionError as error:
            return str(error)
    return None


# ---------------------------------------------------------------- forms: they see their arguments unevaluated


def _or(arguments: Sequence[Expression], values: Values) -> Node:
    return _logical(arguments, values, decisive=True)


def _and(arguments: Sequence[Expression], values: Values) -> Node:
    return _logical(arguments, values, decisive=False)


def _logical(arguments: Sequence[Expression], values: Values, *, decisive: bool) -> Node:
    """`||` and `&&`: one decisive argument settles it, whatever errors the others have."""
    error: ExpressionError | None = None
    for argument in arguments:
        try:
            if effective_boolean(evaluate(argument, values)) == decisive:
                return literal_of(decisive)
        except ExpressionError as raised:
            error = raised
    if error is not None:
        raise error
    return literal_of(not decisive)


def _in(arguments: Sequence[Expression], values: Values) -> Node:
    wanted, error = evaluate(arguments[0], values), None
    for argument in arguments[1:]:
        try:
            if equal(wanted, evaluate(argument, values)):
                return literal_of(True)
        except ExpressionError as raised:
            error = raised
    if error is not None:
        raise error
    return literal_of(False)


def _not_in(arguments: Sequence[Expression], values: Values) -> Node:
    return literal_of(not effective_boolean(_in(arguments, values)))


def _if(arguments: Sequence[Expression], values: Values) -> Node:
    condition, then, otherwise = arguments
    return evaluate(then if effective_boolean(evaluate(condition, values)) else otherwise, values)


def _coalesce(arguments: Sequence[Expression], values: Values) -> Node:
    for argument in arguments:
        try:
            return evaluate(argument, values)
        except ExpressionError:
            continue
    raise ExpressionError("Expected an argument of COALESCE with a value")


def _bound(arguments: Sequence[Expression], values: Values) -> Node:
    (argument,) = arguments
    return literal_of(isinstance(argument, VariableRef) and argument.variable in values)


def _bnode(arguments: Sequence[Expression], values: Values) -> Node:
    """A new blank node; with a string, the same one for the same string and substitution."""
    if not arguments:
        return BNode()
    text = text_of(evaluate(arguments[0], values))
    known = "".join(f"{variable} {term.n3()}\n" for variable, term in sorted(values.items()))
    return BNode("b" + hashlib.sha256(f"{text}\n{known}".encode()).hexdigest()[:24])


_FORMS: dict[str, Callable[[Sequence[Expression], Values], Node]] = {
    "||": _or,
    "&&": _and,
    "IN": _in,
    "NOT IN": _not_in,
    "IF": _if,
    "COALESCE": _coalesce,
    "BOUND": _bound,
    "BNODE": _bnode,
}
