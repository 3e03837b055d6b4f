"""Arithmetic, rounding and casts on literal values, and the literals of the results.

Integers and decimals are exact; a result longer than the cap on digits is an error, so no chain of SETs can make
numbers that no memory holds.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Context, Decimal

import numpy as np
from rdflib import XSD, Literal, URIRef
from rdflib.term import Node

from engine.symbolic.values import (
    EXACT,
    INTEGER_TYPES,
    MAX_DIGITS,
    Duration,
    ExpressionError,
    Kind,
    Moment,
    Number,
    TaggedText,
    at_kind,
    known_type,
    parse_value,
    promote,
    show,
    single,
    value_of,
)

__all__ = ["arithmetic", "cast", "castable", "literal_of", "number_of", "rounded"]

_QUOTIENT = Context(prec=40)  # XPath asks for at least 18 digits
_XSD = str(XSD)


def number_of(term: Node) -> Number:
    """The numeric value of a term.

    Raises:
        ExpressionError: it is not a numeric literal.
    """
    value = value_of(term) if isinstance(term, Literal) else None
    if not isinstance(value, Number):
        raise ExpressionError(f"Expected a number (got {show(term)})")
    return value


def arithmetic(operator: str, left: Number, right: Number) -> Number:
    """`left operator right` for + - * /, in the greater of the two kinds; integers divide to a decimal.

    Raises:
        ExpressionError: an integer or decimal is divided by zero, or the result is longer than the cap.
    """
    a, b = promote(left, right)
    if a.kind >= Kind.FLOAT:
        value = _floats(operator, float(a.value), float(b.value))
        return Number(a.kind, single(value) if a.kind is Kind.FLOAT else value)
    if operator == "/":
        if not b.value:
            raise ExpressionError("Expected a divisor other than zero")
        return _capped(Number(Kind.DECIMAL, _QUOTIENT.divide(Decimal(a.value), Decimal(b.value))))
    if isinstance(a.value, int) and isinstance(b.value, int):
        whole = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}[operator](a.value, b.value)
        return _capped(Number(Kind.INTEGER, whole))
    function = {"+": EXACT.add, "-": EXACT.subtract, "*": EXACT.multiply}[operator]
    return _capped(Number(Kind.DECIMAL, function(Decimal(a.value), Decimal(b.value))))


def _floats(operator: str, a: float, b: float) -> float:
    with np.errstate(all="ignore"):
        x, y = np.float64(a), np.float64(b)
        return float({"+": x + y, "-": x - y, "*": x * y, "/": x / y}[operator])


def _capped(number: Number) -> Number:
    value = number.value
    if isinstance(value, int):
        too_long = value.bit_length() > MAX_DIGITS * 3.33
    else:
        assert isinstance(value, Decimal)
        digits, exponent = len(value.as_tuple().digits), value.as_tuple().exponent
        assert isinstance(exponent, int)
        too_long = max(digits + max(exponent, 0), -exponent) > MAX_DIGITS
    if too_long:
        raise ExpressionError(f"Expected a result of at most {MAX_DIGITS} digits")
    return number


# ---------------------------------------------------------------- value -> literal, casts


def literal_of(value: Number | bool | str) -> Literal:
    """The literal of a computed value, in canonical form."""
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, str):
        return Literal(value)
    if value.kind is Kind.INTEGER:
        return _typed(str(value.value), "integer")
    if isinstance(value.value, Decimal):
        return _typed(_plain(value.value), "decimal")
    return _typed(_scientific(value), value.kind.name.lower())


def _typed(text: str, name: str) -> Literal:
    return Literal(text, datatype=XSD[name], normalize=False)


_TRUE, _FALSE = _typed("true", "boolean"), _typed("false", "boolean")


def _plain(value: Decimal) -> str:
    """Without exponent and trailing zeros; the caps on digits bound its length."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _scientific(number: Number) -> str:
    value = float(number.value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "INF" if value > 0 else "-INF"
    shortest = repr(value) if number.kind is Kind.DOUBLE else str(np.float32(value))
    sign, digits, exponent = Decimal(shortest).as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    if not text:
        return "-0.0E0" if sign else "0.0E0"
    power = len(text) + exponent - 1
    return f"{'-' if sign else ''}{text[0]}.{text[1:].rstrip('0') or '0'}E{power}"


def castable(datatype: str) -> bool:
    """Whether `cast` knows a datatype."""
    name = datatype.removeprefix(_XSD)
    return datatype.startswith(_XSD) and known_type(name)


def cast(term: Node, datatype: URIRef) -> Literal:
    """`xsd:type(term)` (SPARQL, "XPath Constructor Functions").

    Raises:
        ExpressionError: the term has no such value.
    """
    name = str(datatype).removeprefix(_XSD)
    if name == "string" and isinstance(term, (Literal, URIRef)):
        return Literal(str(term))
    if not isinstance(term, Literal) or term.language:
        raise ExpressionError(f"Expected a literal to cast to xsd:{name} (got {show(term)})")
    value = value_of(term)
    if isinstance(value, str):
        return _cast_text(value, name)
    if isinstance(value, bool):
        value = value if name == "boolean" else Number(Kind.INTEGER, int(value))
    if isinstance(value, bool):
        return literal_of(value)
    if isinstance(value, Number):
        return _cast_number(value, name)
    return _cast_time(term, value, name)


def _cast_text(text: str, name: str) -> Literal:
    value = parse_value(name, text)
    if isinstance(value, bool) or (isinstance(value, Number) and name not in INTEGER_TYPES):
        return literal_of(value)
    if isinstance(value, Number):
        return _typed(str(value.value), name)
    return _typed(text.strip(" \t\r\n"), name)


def _cast_number(number: Number, name: str) -> Literal:
    value = number.value
    if name == "boolean":
        return literal_of(bool(value) and value == value)  # a NaN is false
    if name in ("float", "double"):
        return literal_of(at_kind(number, Kind[name.upper()]))
    if name != "decimal" and name not in INTEGER_TYPES:
        raise ExpressionError(f"Expected a type that a number can be cast to (got xsd:{name})")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ExpressionError(f"Expected a finite number to cast to xsd:{name} (got {value})")
        value = Decimal(repr(value))
    if name == "decimal":
        return literal_of(Number(Kind.DECIMAL, Decimal(value)))
    whole = value if isinstance(value, int) else int(value.to_integral_value(ROUND_DOWN))
    return _cast_text(str(whole), name)


def _cast_time(term: Literal, value: Moment | Duration | TaggedText, name: str) -> Literal:
    text = str(term).strip(" \t\r\n")
    if isinstance(value, Moment):
        zone = re.search(r"(Z|[+-]\d\d:\d\d)$", text)
        suffix = zone[0] if zone and value.zone is not None else ""
        if (value.type, name) == ("date", "dateTime"):
            bare = text.removesuffix(suffix) if suffix else text
            return _typed(f"{bare}T00:00:00{suffix}", name)
        if value.type == "dateTime" and name in ("date", "time"):
            day, clock = text.split("T")
            return _typed(day + suffix if name == "date" else clock, name)
    if isinstance(value, (Moment, Duration)) and str(term.datatype) == _XSD + name:
        return term
    raise ExpressionError(f"Expected a value that can be cast to xsd:{name} (got {show(term)})")


def rounded(number: Number, function: str) -> Number:
    """CEIL, FLOOR or ROUND (halves upwards) of a number, in its own kind."""
    value = number.value
    if isinstance(value, int) or (isinstance(value, float) and not math.isfinite(value)):
        return number
    exact = value if isinstance(value, Decimal) else Decimal(value)
    if function == "CEIL":
        whole = exact.to_integral_value(ROUND_CEILING, EXACT)
    elif function == "FLOOR":
        whole = exact.to_integral_value(ROUND_FLOOR, EXACT)
    else:
        whole = EXACT.add(exact, Decimal("0.5")).to_integral_value(ROUND_FLOOR, EXACT)
    return Number(number.kind, whole if isinstance(value, Decimal) else math.copysign(float(whole), value))
