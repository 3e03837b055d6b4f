"""Literals by value: parsing them with size caps, and comparing them.

The value space is the one of XML Schema as SPARQL uses it: `1`, `1.0` and `"01"^^xsd:integer` are equal, an ill-typed
literal has no value. A value never costs more than its cap: no lexical form is handed to a number type before its
length is known. A time without a zone is taken as UTC.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from rdflib import XSD, Literal
from rdflib.term import Node

from kg.errors import NoesisError
from kg.terms import TripleTerm

__all__ = [
    "EXACT",
    "INTEGER_TYPES",
    "MAX_DIGITS",
    "Duration",
    "ExpressionError",
    "Kind",
    "Moment",
    "Number",
    "TaggedText",
    "Value",
    "at_kind",
    "equal",
    "known_type",
    "order",
    "parse_value",
    "promote",
    "show",
    "single",
    "value_of",
]

MAX_DIGITS = 1000
"""Digits of an integer or decimal, given or computed: enough for any measured quantity, cheap enough for any filter."""
_MAX_LEXICAL = MAX_DIGITS + 100
EXACT = Context(prec=3 * MAX_DIGITS)


class ExpressionError(NoesisError, ValueError):
    """An expression has no value (SPARQL's "error"): a FILTER with it does not hold, a SET with it drops out."""


class Kind(IntEnum):
    """Numeric types in the order of promotion."""

    INTEGER = 0
    DECIMAL = 1
    FLOAT = 2
    DOUBLE = 3


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric value: int, Decimal, or float for the last two kinds."""

    kind: Kind
    value: int | Decimal | float


@dataclass(frozen=True, slots=True)
class TaggedText:
    """The value of a language-tagged string; the tag is in lower case."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time or of the day. `type` is the XML Schema type's local name; comparable within one type only.

    Args:
        seconds: from 0001-01-01 (or midnight for a time), local to the zone.
        zone: minutes east of UTC, None where the literal has none.
        fields: year, month, day, hours, minutes as written. second: seconds as written.
    """

    type: str
    seconds: Decimal
    zone: int | None
    fields: tuple[int, int, int, int, int]
    second: Decimal

    @property
    def instant(self) -> Decimal:
        """Seconds in UTC."""
        return EXACT.subtract(self.seconds, Decimal(60 * (self.zone or 0)))


@dataclass(frozen=True, slots=True)
class Duration:
    """A span of months and seconds; two are ordered only where one of the parts is absent from both."""

    months: int
    seconds: Decimal


Value: TypeAlias = Number | bool | str | TaggedText | Moment | Duration

INTEGER_TYPES: dict[str, tuple[int | None, int | None]] = {
    "integer": (None, None),
    "nonPositiveInteger": (None, 0),
    "negativeInteger": (None, -1),
    "nonNegativeInteger": (0, None),
    "positiveInteger": (1, None),
    **{name: (-(2**bits), 2**bits - 1) for name, bits in (("long", 63), ("int", 31), ("short", 15), ("byte", 7))},
    **{f"unsigned{name}": (0, 2**bits - 1) for name, bits in (("Long", 64), ("Int", 32), ("Short", 16), ("Byte", 8))},
}
_TEXTS = ("string", "normalizedString", "token", "language", "Name", "NCName", "NMTOKEN")
_ZONE = r"(Z|[+-](?:0\d|1[0-4]):[0-5]\d)?"
_DAY = r"(-?\d{4,9})-(\d\d)-(\d\d)"
_CLOCK = r"(\d\d):([0-5]\d):([0-5]\d(?:\.\d{1,30})?)"
_MOMENTS = {
    "dateTime": re.compile(f"{_DAY}T{_CLOCK}{_ZONE}", re.ASCII),
    "dateTimeStamp": re.compile(f"{_DAY}T{_CLOCK}{_ZONE[:-1]}", re.ASCII),
    "date": re.compile(f"{_DAY}()()(){_ZONE}", re.ASCII),
    "time": re.compile(f"()()(){_CLOCK}{_ZONE}", re.ASCII),
    "gYearMonth": re.compile(f"(-?\\d{{4,9}})-(\\d\\d)()()()(){_ZONE}", re.ASCII),
    "gYear": re.compile(f"(-?\\d{{4,9}})()()()()(){_ZONE}", re.ASCII),
}
_YEARS, _DAYS = r"(?:(\d{1,9})Y)?(?:(\d{1,9})M)?", r"(?:(\d{1,9})D)?"
_HOURS = r"(?:(T)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,30})?)S)?)?"
_DURATIONS = {
    "duration": re.compile(f"(-?)P{_YEARS}{_DAYS}{_HOURS}", re.ASCII),
    "yearMonthDuration": re.compile(f"(-?)P{_YEARS}()()()()()", re.ASCII),
    "dayTimeDuration": re.compile(f"(-?)P()(){_DAYS}{_HOURS}", re.ASCII),
}
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_DOUBLE = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SPECIAL = {"INF": math.inf, "+INF": math.inf, "-INF": -math.inf, "NaN": math.nan}
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_XSD = str(XSD)


# ---------------------------------------------------------------- literal -> value


def value_of(literal: Literal) -> Value:
    """The value of a literal.

    Raises:
        ExpressionError: the datatype is unknown, the lexical form is not one of its, or it is longer than the cap.
    """
    if literal.language:
        return TaggedText(str(literal), literal.language.lower())
    if literal.datatype is None:
        return str(literal)
    datatype = str(literal.datatype)
    if not datatype.startswith(_XSD):
        raise ExpressionError(f"Expected a datatype with known values (got {literal.n3()})")
    return parse_value(datatype[len(_XSD) :], str(literal))


def parse_value(name: str, text: str) -> Value:
    """The value of a lexical form in the XML Schema type of a local name; errors as `value_of`."""
    if name in _TEXTS:
        return text
    parse = _PARSERS.get(name)
    if parse is None:
        raise ExpressionError(f"Expected a datatype with known values (got xsd:{name})")
    text = text.strip(" \t\r\n")
    if len(text) > _MAX_LEXICAL:
        raise ExpressionError(f"Expected a value of at most {MAX_DIGITS} digits (got {len(text)} characters)")
    value = parse(name, text)
    if value is None:
        raise ExpressionError(f'Expected a valid xsd:{name} (got "{text[:60]}")')
    return value


def _integer(name: str, text: str) -> Value | None:
    if not _INTEGER.fullmatch(text):
        return None
    value, (low, high) = int(text), INTEGER_TYPES[name]
    if (low is not None and value < low) or (high is not None and value > high):
        return None
    return Number(Kind.INTEGER, value)


def _decimal(_name: str, text: str) -> Value | None:
    return Number(Kind.DECIMAL, Decimal(text)) if _DECIMAL.fullmatch(text) else None


def _floating(name: str, text: str) -> Value | None:
    if text in _SPECIAL:
        value = _SPECIAL[text]
    elif _DOUBLE.fullmatch(text):
        value = float(text)
    else:
        return None
    return Number(Kind.DOUBLE, value) if name == "double" else Number(Kind.FLOAT, single(value))


def _boolean(_name: str, text: str) -> Value | None:
    return _BOOLEANS.get(text)


def _moment(name: str, text: str) -> Value | None:
    match = _MOMENTS[name].fullmatch(text)
    if not match:
        return None
    given = zip(match.groups()[:5], (1, 1, 1, 0, 0), strict=True)
    year, month, day, hours, minutes = (int(part) if part else default for part, default in given)
    second, zone = Decimal(match[6] or 0), _zone(match[7])
    if not 1 <= month <= 12 or not 1 <= day <= _month_days(year, month) or hours > 24:
        return None
    if (hours == 24 and (minutes or second)) or (zone is not None and abs(zone) > 840):
        return None
    days = 0 if name == "time" else _days(year, month, day)
    clock = (hours % 24 if name == "time" else hours) * 3600 + minutes * 60
    seconds = EXACT.add(Decimal(days * 86400 + clock), second)
    shared = "dateTime" if name == "dateTimeStamp" else name
    return Moment(shared, seconds, zone, (year, month, day, hours, minutes), second)


def _zone(text: str | None) -> int | None:
    if not text:
        return None
    return 0 if text == "Z" else int(text[0] + "1") * (60 * int(text[1:3]) + int(text[4:6]))


def _month_days(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]


def _days(year: int, month: int, day: int) -> int:
    """Days from 0001-01-01 in the proleptic Gregorian calendar, for years beyond Python's too."""
    before = year - 1
    return (
        365 * before
        + before // 4
        - before // 100
        + before // 400
        + day
        - 1
        + sum(_month_days(year, m) for m in range(1, month))
    )


def _duration(name: str, text: str) -> Value | None:
    match = _DURATIONS[name].fullmatch(text)
    if not match or text[-1] in "PT":
        return None
    sign = -1 if match[1] else 1
    years, months, days, hours, minutes = (int(match[n] or 0) for n in (2, 3, 4, 6, 7))
    seconds = EXACT.add(Decimal(days * 86400 + hours * 3600 + minutes * 60), Decimal(match[8] or 0))
    return Duration(sign * (12 * years + months), EXACT.multiply(sign, seconds))


def known_type(name: str) -> bool:
    """Whether the XML Schema type of a local name has values here."""
    return name in _PARSERS or name in _TEXTS


_PARSERS: dict[str, Callable[[str, str], Value | None]] = {
    **dict.fromkeys(INTEGER_TYPES, _integer),
    "decimal": _decimal,
    **dict.fromkeys(("float", "double"), _floating),
    "boolean": _boolean,
    **dict.fromkeys(_MOMENTS, _moment),
    **dict.fromkeys(_DURATIONS, _duration),
}


# ---------------------------------------------------------------- comparison


def equal(left: Node, right: Node) -> bool:
    """`left = right`: by value for literals, by identity for other terms.

    Raises:
        ExpressionError: two different literals of which one has no known value.
    """
    if isinstance(left, TripleTerm) and isinstance(right, TripleTerm):
        return all(equal(a, b) for a, b in zip(left.parts, right.parts, strict=True))
    if not (isinstance(left, Literal) and isinstance(right, Literal)):
        return left == right
    if left.language or right.language:
        return _tagged_equal(left, right)
    try:
        a, b = value_of(left), value_of(right)
    except ExpressionError:
        if left == right:
            return True
        raise
    if isinstance(a, Number) and isinstance(b, Number):
        x, y = promote(a, b)
        return x.value == y.value
    if isinstance(a, Moment) and isinstance(b, Moment):
        return a.type == b.type and a.instant == b.instant
    return type(a) is type(b) and a == b


def _tagged_equal(left: Literal, right: Literal) -> bool:
    tags = ((left.language or "").lower(), (right.language or "").lower())
    return tags[0] == tags[1] and str(left) == str(right)


def order(left: Node, right: Node) -> int | None:
    """-1, 0 or 1 as left is less than, equal to or greater than right; None where a NaN is compared.

    Raises:
        ExpressionError: the terms have no common order.
    """
    if isinstance(left, Literal) and isinstance(right, Literal):
        a, b = value_of(left), value_of(right)
        if isinstance(a, Number) and isinstance(b, Number):
            x, y = promote(a, b)
            return _sign(x.value, y.value)
        if isinstance(a, Moment) and isinstance(b, Moment) and a.type == b.type:
            return _sign(a.instant, b.instant)
        if isinstance(a, Duration) and isinstance(b, Duration):
            if not a.months and not b.months:
                return _sign(a.seconds, b.seconds)
            if not a.seconds and not b.seconds:
                return _sign(a.months, b.months)
        elif isinstance(a, str) and isinstance(b, str):
            return (a > b) - (a < b)
        elif isinstance(a, bool) and isinstance(b, bool):
            return a - b
    raise ExpressionError(f"Expected two values of one ordered type (got {show(left)} and {show(right)})")


def _sign(a: float | Decimal, b: float | Decimal) -> int | None:
    if a != a or b != b:  # only a NaN differs from itself
        return None
    return (a > b) - (a < b)


def show(term: Node) -> str:
    """A term in a message, cut short."""
    return term.n3()[:80]


# ---------------------------------------------------------------- promotion


def promote(a: Number, b: Number) -> tuple[Number, Number]:
    """Both at the greater kind; a decimal becomes a float or double where the other is one (XPath, B.1)."""
    kind = max(a.kind, b.kind)
    return at_kind(a, kind), at_kind(b, kind)


def at_kind(number: Number, kind: Kind) -> Number:
    """The number at a kind, rounded where that is coarser."""
    if number.kind == kind:
        return number
    if kind is Kind.DECIMAL:
        return Number(kind, Decimal(number.value))
    value = _float(number.value)
    return Number(kind, single(value) if kind is Kind.FLOAT else value)


def _float(value: float | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def single(value: float) -> float:
    """A double rounded to single precision."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))
