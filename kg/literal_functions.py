"""The functions on literals in the built-in rules' filters, a second time: nothing here is shared with the engine.

The checker of proofs evaluates filters with them (`kg.expressions`); the engine's own are in its `literal_filters`.
These go from the text of the recommendations (XML Schema 1.1 part 2, OWL 2 Structural Specification, section 4), with
exact fractions for numbers.
"""

from __future__ import annotations

import calendar
import re
import struct
from fractions import Fraction
from typing import Any
from xml.dom.minidom import parseString

from rdflib import RDF, RDFS, XSD, Literal
from rdflib.term import Node, URIRef

__all__ = ["register"]

NAMESPACE = "urn:noesis:datatype:"
_RANGES: dict[str, tuple[float, float]] = {
    "integer": (-float("inf"), float("inf")),
    "nonNegativeInteger": (0, float("inf")),
    "positiveInteger": (1, float("inf")),
    "nonPositiveInteger": (-float("inf"), 0),
    "negativeInteger": (-float("inf"), -1),
    **{n: (-(2 ** (b - 1)), 2 ** (b - 1) - 1) for n, b in (("long", 64), ("int", 32), ("short", 16), ("byte", 8))},
    **{f"unsigned{n}": (0, 2**b - 1) for n, b in (("Long", 64), ("Int", 32), ("Short", 16), ("Byte", 8))},
}
_STRINGS = {
    "string": r"(?s).*",
    "normalizedString": r"[^\r\n\t]*",
    "token": r"(\S+( \S+)*)?",
    "language": r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*",
    "NMTOKEN": r"[\w:.·-]+",
    "Name": r"(?!\d)[\w:][\w:.·-]*",
    "NCName": r"(?!\d)\w[\w.·-]*",
}
_ZONE = r"(?P<z>Z|[+-](0\d|1[0-3]):[0-5]\d|[+-]14:00)?"
_DATE = r"(?P<y>-?\d{4,9})-(?P<m>0[1-9]|1[0-2])-(?P<d>0[1-9]|[12]\d|3[01])"
_TIME = r"(?P<h>[01]\d|2[0-3]):(?P<i>[0-5]\d):(?P<s>[0-5]\d(\.\d{1,30})?)|24:00:00(\.0{1,30})?"
_SPAN = r"-?P(?=.)(?P<Y>\d+Y)?(?P<M>\d+M)?(?P<D>\d+D)?(T(?=.)(?P<h>\d+H)?(?P<i>\d+M)?(?P<s>\d+(\.\d+)?S)?)?"
_TIMES = {
    "dateTime": rf"{_DATE}T({_TIME}){_ZONE}",
    "date": _DATE + _ZONE,
    "time": rf"({_TIME}){_ZONE}",
    "gYear": rf"(?P<y>-?\d{{4,9}}){_ZONE}",
    "gYearMonth": rf"(?P<y>-?\d{{4,9}})-(?P<m>0[1-9]|1[0-2]){_ZONE}",
    "gMonthDay": rf"--(?P<m>0[1-9]|1[0-2])-(?P<d>0[1-9]|[12]\d|3[01]){_ZONE}",
    "gMonth": rf"--(?P<m>0[1-9]|1[0-2]){_ZONE}",
    "gDay": rf"---(?P<d>0[1-9]|[12]\d|3[01]){_ZONE}",
}
_OTHERS = {"float", "double", "decimal", "boolean", "anyURI", "hexBinary", "base64Binary", "dateTimeStamp"}
_SPANS = {"duration", "yearMonthDuration", "dayTimeDuration"}
_KNOWN = {XSD[n] for n in (*_RANGES, *_STRINGS, *_TIMES, *_OTHERS, *_SPANS)}
_KNOWN |= {RDFS.Literal, RDF.langString, RDF.PlainLiteral, RDF.XMLLiteral, RDF.HTML}
_UNSUPPORTED = {*(XSD[n] for n in (*_TIMES, *_SPANS) if n != "dateTime"), RDF.HTML}

Value = tuple[str, object]


def register() -> None:
    """Make the functions known to rdflib's SPARQL."""
    from rdflib.plugins.sparql.operators import register_custom_function  # slow to import, and needed by few proofs

    tests: dict[str, Any] = {"supported": _supported, "has": _has, "has-not": _has_not, "differ": _differ}
    for name, test in {**tests, "ill-typed": _ill_typed}.items():
        register_custom_function(URIRef(NAMESPACE + name), test, override=True)


def _supported(term: Node) -> Literal:
    return Literal(term in _KNOWN and term not in _UNSUPPORTED)


def _has(term: Node, datatype: Node) -> Literal:
    value = _value(term)
    return Literal(value is not None and datatype in _KNOWN and _within(value, URIRef(str(datatype))))


def _has_not(term: Node, datatype: Node) -> Literal:
    value = _value(term)
    return Literal(value is not None and datatype in _KNOWN and not _within(value, URIRef(str(datatype))))


def _differ(left: Node, right: Node) -> Literal:
    a, b = _value(left), _value(right)
    return Literal(a is not None and b is not None and a != b)


def _ill_typed(term: Node) -> Literal:
    return Literal(isinstance(term, Literal) and term.datatype in _KNOWN and _value(term) is None)


def _value(term: Node) -> Value | None:
    if not isinstance(term, Literal):
        return None
    text = str(term)
    if term.language:
        return "tagged", (text, term.language.lower())
    if term.datatype == RDF.PlainLiteral and "@" in text:
        body, _, tag = text.rpartition("@")
        return ("tagged", (body, tag.lower())) if tag else ("string", body)
    if term.datatype in (RDF.XMLLiteral, RDF.HTML):
        return _markup(text, xml=term.datatype == RDF.XMLLiteral)
    datatype = str(term.datatype or XSD.string)
    return _typed(datatype.removeprefix(str(XSD)), text) if datatype.startswith(str(XSD)) else None


def _markup(text: str, *, xml: bool) -> Value | None:
    try:
        # inside an element there is no document type, so no entity to expand
        return ("xml", parseString(f"<x>{text}</x>").toxml()) if xml else ("html", text)  # noqa: S318
    except Exception:  # whatever expat says of it
        return None


def _typed(name: str, text: str) -> Value | None:
    if name in _STRINGS:
        return ("string", text) if re.fullmatch(_STRINGS[name], text) else None
    if name in _RANGES or name == "decimal":
        pattern = r"[+-]?(\d+(\.\d*)?|\.\d+)" if name == "decimal" else r"[+-]?\d+"
        value = Fraction(text + "0" if text[-1:] == "." else text) if re.fullmatch(pattern, text, re.A) else None
        low, high = _RANGES.get(name, _RANGES["integer"])
        return ("real", value) if value is not None and low <= value <= high else None
    if name in ("float", "double"):
        return _binary_number(name, text)
    if name == "boolean":
        return {"true": (name, 1), "1": (name, 1), "false": (name, 0), "0": (name, 0)}.get(text)
    if name == "hexBinary":
        return (name, text.upper()) if re.fullmatch(r"([0-9A-Fa-f]{2})*", text) else None
    if name == "base64Binary":
        packed = text.replace(" ", "")
        good = re.fullmatch(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", packed)
        return (name, packed) if good else None
    if name in _SPANS:
        return _span(name, text)
    return ("anyURI", text) if name == "anyURI" else _moment(name, text)


def _binary_number(name: str, text: str) -> Value | None:
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?INF|NaN", text, re.A):
        return None
    number = float(text.replace("INF", "inf"))
    if name == "float" and abs(number) != float("inf"):
        try:
            number = struct.unpack("f", struct.pack("f", number))[0]
        except OverflowError:
            number = float("inf") if number > 0 else -float("inf")
    return name, str(number)


def _span(name: str, text: str) -> Value | None:
    found = re.fullmatch(_SPAN, text, re.A)
    part = {k: Fraction(v[:-1]) if v else Fraction(0) for k, v in found.groupdict().items()} if found else {}
    parts = {"yearMonthDuration": "YM", "dayTimeDuration": "Dhis"}.get(name, "YMDhis")
    if not found or any(v for k, v in found.groupdict().items() if k not in parts):
        return None
    sign = -1 if text[0] == "-" else 1
    seconds = 86400 * part["D"] + 3600 * part["h"] + 60 * part["i"] + part["s"]
    return "duration", (sign * (12 * part["Y"] + part["M"]), sign * seconds)


def _moment(name: str, text: str) -> Value | None:
    kind = "dateTime" if name == "dateTimeStamp" else name
    found = re.fullmatch(_TIMES[kind], text, re.A) if kind in _TIMES else None
    if not found or (name == "dateTimeStamp" and not found["z"]):
        return None
    part = found.groupdict()
    year, month, day = (int(part.get(k) or default) for k, default in (("y", 2000), ("m", 1), ("d", 1)))
    if day > (29 if month == 2 and calendar.isleap(year) else calendar.monthrange(2001, month)[1]):
        return None
    end = kind in ("dateTime", "time") and part["h"] is None
    clock = (24 if end else int(part.get("h") or 0), int(part.get("i") or 0), Fraction(part.get("s") or 0))
    if end and kind == "dateTime":
        last = calendar.monthrange(2000 if calendar.isleap(year) else 2001, month)[1]
        year, month, day = (year, month, day + 1) if day < last else (year + month // 12, month % 12 + 1, 1)
    zone = {"Z": "+00:00", "-00:00": "+00:00"}.get(part["z"] or "", part["z"])
    return kind, (year, month, day, clock[0] % 24, clock[1], clock[2], zone)


def _within(value: Value, datatype: URIRef) -> bool:
    space, inside = value
    if datatype == RDFS.Literal:
        return True
    if datatype in (RDF.PlainLiteral, RDF.langString):
        return space == "tagged" or (space == "string" and datatype == RDF.PlainLiteral)
    if datatype in (RDF.XMLLiteral, RDF.HTML):
        return space == ("xml" if datatype == RDF.XMLLiteral else "html")
    name = str(datatype).removeprefix(str(XSD))
    if name in _STRINGS:
        return space == "string" and re.fullmatch(_STRINGS[name], str(inside)) is not None
    if name in _RANGES:
        low, high = _RANGES[name]
        return isinstance(inside, Fraction) and space == "real" and inside.denominator == 1 and low <= inside <= high
    if name in ("yearMonthDuration", "dayTimeDuration"):
        return space == "duration" and isinstance(inside, tuple) and not inside[name == "yearMonthDuration"]
    if name == "dateTimeStamp":
        return space == "dateTime" and isinstance(inside, tuple) and inside[-1] is not None
    return space == ("real" if name == "decimal" else name)
