"""The datatype map: which literals are well typed, what value each denotes, and which values a datatype has.

Two literals denote the same thing when their values are *identical*, which is stricter than SPARQL's `=`: a decimal is
never a double, 0.0 and -0.0 are two doubles, and two points in time with different offsets are two values (XML Schema
1.1 part 2, section 2.2.1; OWL 2 Structural Specification, section 4). The lexical form is taken as it is: white space
around a number makes it ill typed (RDF 1.1 Semantics, section 7).
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Collection
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias
from xml.etree.ElementTree import ParseError, canonicalize

from rdflib import RDF, RDFS, XSD, Literal, URIRef

from engine.symbolic.values import (
    INTEGER_TYPES,
    MAX_DIGITS,
    Duration,
    ExpressionError,
    Moment,
    Number,
    known_type,
    parse_value,
)

__all__ = [
    "DATATYPES",
    "FUNCTION",
    "OWL2RL_DATATYPES",
    "Identity",
    "disjoint",
    "has_no_value",
    "has_value",
    "identity",
    "included",
    "is_ill_typed",
    "meet_included",
    "typed_identity",
]

Identity: TypeAlias = tuple[str, object]
"""A value: the space it is from (`real`, `string`, `double`, …) and what tells it apart there."""

_XSD, _RDF = str(XSD), str(RDF)
_TEXTS: dict[str, re.Pattern[str] | None] = {
    "string": None,
    "normalizedString": re.compile(r"[^\t\n\r]*"),
    "token": re.compile(r"(?:[^\s]+(?: [^\s]+)*)?"),
    "NMTOKEN": re.compile(r"[-.:\w·]+"),
    "Name": re.compile(r"[^\W\d][-.:\w·]*|:[-.:\w·]*"),
    "NCName": re.compile(r"[^\W\d][-.\w·]*"),
    "language": re.compile(r"[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*"),
}
_TEXT_PARENTS = {
    "normalizedString": "string",
    "token": "normalizedString",
    "NMTOKEN": "token",
    "Name": "NMTOKEN",
    "NCName": "Name",
    "language": "NMTOKEN",
}
_ZONE = r"(Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00)?"
_PARTS = {
    "gMonthDay": re.compile(rf"--(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]){_ZONE}", re.ASCII),
    "gMonth": re.compile(rf"--(0[1-9]|1[0-2]){_ZONE}", re.ASCII),
    "gDay": re.compile(rf"---(0[1-9]|[12]\d|3[01]){_ZONE}", re.ASCII),
}
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_LONG = re.compile(r"\d{10}.*[-:DHMSY]|[PY]\d{10}", re.ASCII)
"""Years and durations with more digits than `values` parses."""
_MAX_TEXT = 1 << 16
"""Characters of an XML literal that are looked at; a longer one is taken to be well formed."""

FUNCTION = "urn:noesis:datatype:"
"""Starts the IRIs of the functions on literals that the built-in rules use."""

OWL2RL_DATATYPES = frozenset(
    (
        *(RDF.PlainLiteral, RDF.XMLLiteral, RDF.langString, RDFS.Literal),
        *(XSD.decimal, XSD.float, XSD.double, XSD.boolean, *(XSD[name] for name in INTEGER_TYPES)),
        *(XSD[name] for name in _TEXTS),
        *(XSD.hexBinary, XSD.base64Binary, XSD.anyURI, XSD.dateTime, XSD.dateTimeStamp),
    )
)
"""The datatypes of OWL 2 RL (OWL 2 Profiles, section 4.2.2), and rdf:langString of RDF 1.1."""

DATATYPES = OWL2RL_DATATYPES | {
    *(XSD[n] for n in ("date", "time", "gYear", "gYearMonth", *_PARTS, "duration")),
    *(XSD.yearMonthDuration, XSD.dayTimeDuration, RDF.HTML),
}
"""Every datatype whose values are known here."""


# ---------------------------------------------------------------- literal -> value


def is_ill_typed(literal: Literal) -> bool:
    """Whether the datatype of a literal is known and its lexical form is not one of the datatype's."""
    return literal.datatype in DATATYPES and has_no_value(str(literal.datatype), str(literal))


def has_no_value(datatype: str, text: str) -> bool:
    """Whether a lexical form is none of a known datatype's. One that is too long to be parsed is not said to be."""
    return typed_identity(datatype, text) is None and len(text) <= MAX_DIGITS and not _LONG.search(text)


def identity(literal: Literal) -> Identity | None:
    """The value of a literal, equal for literals that denote the same; None where it is ill typed or not known.

    rdflib's own comparison of literals is not used: it takes some literals of one value for two.
    """
    if literal.language:
        return "langString", (str(literal), literal.language.lower())
    return typed_identity(str(literal.datatype or XSD.string), str(literal))


@lru_cache(maxsize=1 << 16)
def typed_identity(datatype: str, text: str) -> Identity | None:
    """The value of a lexical form in the datatype of an IRI; None as for `identity`."""
    if datatype.startswith(_XSD):
        return _of_schema(datatype[len(_XSD) :], text)
    if datatype == str(RDF.PlainLiteral):
        body, at, language = text.rpartition("@")
        if not at:
            return None
        return ("langString", (body, language.lower())) if language else ("string", body)
    if datatype == str(RDF.XMLLiteral):
        return _xml(text)
    return ("html", text) if datatype == str(RDF.HTML) else None


def _of_schema(name: str, text: str) -> Identity | None:
    if name in _TEXTS:
        return ("string", text) if _is_text(name, text) else None
    if name == "anyURI":
        return "anyURI", text
    if name in ("hexBinary", "base64Binary"):
        return _binary(name, text)
    if name in _PARTS:
        return _recurring(name, text)
    if not known_type(name) or text != text.strip():
        return None
    try:
        value = parse_value(name, text)
    except ExpressionError:
        return None
    if isinstance(value, Number):
        return _number(name, value.value)
    if isinstance(value, Moment):
        return value.type, (value.seconds, value.zone)
    if isinstance(value, Duration):
        return "duration", (value.months, value.seconds)
    return name, value


def _is_text(name: str, text: str) -> bool:
    pattern = _TEXTS[name]
    return pattern is None or pattern.fullmatch(text) is not None


def _number(name: str, value: int | float | Decimal) -> Identity:
    """The integers and decimals are one space; zero has two signs and NaN is one value in the binary ones."""
    if not isinstance(value, float):
        return "real", value
    return name, "NaN" if math.isnan(value) else (value, math.copysign(1.0, value))


def _recurring(name: str, text: str) -> Identity | None:
    """A day or month of every year; an offset of zero has three forms."""
    found = _PARTS[name].fullmatch(text)
    if not found or (name == "gMonthDay" and int(found[2]) > _LONGEST[int(found[1]) - 1]):
        return None
    *parts, zone = found.groups()
    return name, (*parts, "Z" if zone in ("+00:00", "-00:00") else zone)


def _binary(name: str, text: str) -> Identity | None:
    try:
        if name == "hexBinary":
            return name, binascii.unhexlify(text)
        packed = text.replace(" ", "")
        return (name, base64.b64decode(packed, validate=True)) if _BASE64.fullmatch(packed) else None
    except (ValueError, binascii.Error):
        return None


def _xml(text: str) -> Identity | None:
    """The canonical form of an XML fragment. No document type can occur in it, so no entity is expanded."""
    if len(text) > _MAX_TEXT:
        return "xml", text
    try:
        return "xml", canonicalize(f"<x>{text}</x>")
    except (ParseError, ValueError):
        return None


# ---------------------------------------------------------------- value spaces


def has_value(datatype: URIRef, value: Identity) -> bool:
    """Whether a value is in the value space of a datatype of the map."""
    space, inside = value
    if datatype == RDFS.Literal:
        return True
    if datatype == RDF.PlainLiteral:
        return space in ("string", "langString")
    if not str(datatype).startswith(_XSD):
        return space == {RDF.langString: "langString", RDF.XMLLiteral: "xml", RDF.HTML: "html"}.get(datatype)
    name = str(datatype)[len(_XSD) :]
    if name in _TEXTS:
        return space == "string" and _is_text(name, str(inside))
    if name in INTEGER_TYPES:
        return space == "real" and _in_bounds(name, inside)
    if name == "dateTimeStamp":
        return space == "dateTime" and isinstance(inside, tuple) and inside[1] is not None
    if name in ("yearMonthDuration", "dayTimeDuration"):
        return space == "duration" and isinstance(inside, tuple) and not inside[name == "yearMonthDuration"]
    return space == ("real" if name == "decimal" else name)


def _in_bounds(name: str, value: object) -> bool:
    assert isinstance(value, (int, Decimal)), "a real is exact"
    low, high = INTEGER_TYPES[name]
    return value == int(value) and (low is None or value >= low) and (high is None or value <= high)


def included(part: URIRef, whole: URIRef) -> bool:
    """Whether every value of a datatype of the map is one of another."""
    if part == whole or whole == RDFS.Literal:
        return True
    if whole == RDF.PlainLiteral:
        return part == RDF.langString or included(part, XSD.string)
    a, b = str(part).removeprefix(_XSD), str(whole).removeprefix(_XSD)
    if a in INTEGER_TYPES and b in (*INTEGER_TYPES, "decimal"):
        (low, high), (least, most) = INTEGER_TYPES[a], INTEGER_TYPES.get(b, (None, None))
        return (least is None or (low is not None and low >= least)) and (
            most is None or (high is not None and high <= most)
        )
    if a in _TEXTS and b in _TEXTS:
        parent = _TEXT_PARENTS.get(a)
        return parent is not None and included(XSD[parent], whole)
    return (a, b) in {
        ("dateTimeStamp", "dateTime"),
        ("yearMonthDuration", "duration"),
        ("dayTimeDuration", "duration"),
    }


def meet_included(left: URIRef, right: URIRef, whole: URIRef) -> bool:
    """Whether every value that two datatypes of the map share is one of a third; said only where one has bounds."""
    if included(left, whole) or included(right, whole):
        return True
    names = [str(datatype).removeprefix(_XSD) for datatype in (left, right, whole)]
    if any(name not in INTEGER_TYPES for name in names):
        return False
    (low, high), (least, most), (bottom, top) = (INTEGER_TYPES[name] for name in names)
    lows, highs = [n for n in (low, least) if n is not None], [n for n in (high, most) if n is not None]
    above = bottom is None or (bool(lows) and max(lows) >= bottom)
    return above and (top is None or (bool(highs) and min(highs) <= top))


def disjoint(datatypes: Collection[URIRef]) -> bool:
    """Whether no value is in all of some datatypes of the map."""
    every = [d for d in datatypes if d not in (RDFS.Literal, RDF.PlainLiteral)]
    spaces = {_space(datatype) for datatype in every}
    if len(spaces) > 1 or (RDF.PlainLiteral in datatypes and not spaces <= {"string", "langString"}):
        return True
    bounds = [INTEGER_TYPES[n] for d in every if (n := str(d).removeprefix(_XSD)) in INTEGER_TYPES]
    lows = [low for low, _ in bounds if low is not None]
    highs = [high for _, high in bounds if high is not None]
    return bool(lows and highs) and max(lows) > min(highs)


def _space(datatype: URIRef) -> str:
    name = str(datatype).removeprefix(_XSD)
    if name in INTEGER_TYPES:
        return "real"
    spaces = {"decimal": "real", "dateTimeStamp": "dateTime", str(RDF.langString): "langString"}
    spaces |= {"yearMonthDuration": "duration", "dayTimeDuration": "duration"}
    return "string" if name in _TEXTS else spaces.get(name, name)
