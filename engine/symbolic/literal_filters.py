"""The functions on literals that the built-in rules filter with, and their evaluation for whole columns.

    supported(?d)        ?d is a datatype of the OWL 2 RL datatype map (dt-type1)
    has(?y, ?d)          ?y is a literal whose value is in the value space of ?d (dt-type2)
    has-not(?y, ?d)      ?y is a well-typed literal whose value is not in it (dt-not-type)
    differ(?y, ?z)       ?y and ?z are well-typed literals of different values (dt-diff)
    ill-typed(?y)        ?y is a literal whose lexical form is none of its datatype's

Their IRIs start with `datatypes.FUNCTION`. Of a literal of a datatype that is not known none of them is true. On a
column, `has-not` looks at the datatype first: a million strings under `rdfs:range xsd:string` are made into no terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from rdflib import XSD, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.arithmetic import literal_of
from engine.symbolic.datatypes import DATATYPES, FUNCTION, OWL2RL_DATATYPES, has_value, identity, included, is_ill_typed
from engine.symbolic.rules import Call, Constant, Expression, VariableRef
from kg.dictionary import LITERAL, Dictionary

__all__ = ["LITERAL_FUNCTIONS", "on_column"]

Array = NDArray[np.int64]


def _has(literal: Node, datatype: Node) -> bool:
    value = identity(literal) if isinstance(literal, Literal) else None
    return value is not None and datatype in DATATYPES and has_value(URIRef(str(datatype)), value)


def _has_not(literal: Node, datatype: Node) -> bool:
    value = identity(literal) if isinstance(literal, Literal) else None
    return value is not None and datatype in DATATYPES and not has_value(URIRef(str(datatype)), value)


def _differ(left: Node, right: Node) -> bool:
    if not (isinstance(left, Literal) and isinstance(right, Literal)):
        return False
    a, b = identity(left), identity(right)
    return a is not None and b is not None and a != b


def _function(test: Callable[..., bool], arguments: int) -> tuple[int, int, Callable[..., Node]]:
    return arguments, arguments, lambda *terms: literal_of(test(*terms))


LITERAL_FUNCTIONS: dict[str, tuple[int, int, Callable[..., Node]]] = {
    f"{FUNCTION}supported": _function(lambda term: term in OWL2RL_DATATYPES, 1),
    f"{FUNCTION}has": _function(_has, 2),
    f"{FUNCTION}has-not": _function(_has_not, 2),
    f"{FUNCTION}differ": _function(_differ, 2),
    f"{FUNCTION}ill-typed": _function(lambda term: isinstance(term, Literal) and is_ill_typed(term), 1),
}
"""Least and greatest number of arguments, and the function on terms, by IRI."""


def on_column(
    expression: Expression, columns: Mapping[Variable, Array], dictionary: Dictionary
) -> NDArray[np.bool_] | None:
    """Whether `has-not(?y, d)` holds for each row; None for any other expression."""
    if not isinstance(expression, Call) or expression.function != f"{FUNCTION}has-not":
        return None
    tested, datatype = expression.arguments
    ids = columns.get(tested.variable) if isinstance(tested, VariableRef) else None
    wanted = _one_term(datatype, columns, dictionary)
    if ids is None or wanted not in DATATYPES:
        return None
    found = np.zeros(len(ids), dtype=bool)
    settled: dict[str, bool] = {}  # by the datatype of a literal: whether all its values are in the wanted one
    decided: dict[int, bool] = {}
    for row in np.flatnonzero(dictionary.kinds[ids] == LITERAL).tolist():
        id = int(ids[row])
        if id not in decided:
            key = dictionary.key(id)
            suffix = key[key.rindex('"') + 1 :]
            if suffix not in settled:
                own = URIRef(suffix[3:-1]) if suffix.startswith("^^") else XSD.string
                settled[suffix] = suffix[:1] != "@" and (own not in DATATYPES or included(own, URIRef(str(wanted))))
            decided[id] = not settled[suffix] and _has_not(dictionary.term(id), URIRef(str(wanted)))
        found[row] = decided[id]
    return found


def _one_term(expression: Expression, columns: Mapping[Variable, Array], dictionary: Dictionary) -> Node | None:
    """The term of an argument that is the same for all rows."""
    if isinstance(expression, Constant):
        return expression.term
    ids = columns.get(expression.variable) if isinstance(expression, VariableRef) else None
    if ids is None or not len(ids) or bool((ids != ids[0]).any()):
        return None
    return dictionary.term(int(ids[0]))
