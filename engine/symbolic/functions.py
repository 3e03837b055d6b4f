"""The operators and built-in functions of SPARQL that see their arguments as values, as functions on terms."""

from __future__ import annotations

import datetime
import re
import urllib.parse
import uuid
from collections.abc import Callable

from rdflib import XSD, BNode, Literal, URIRef
from rdflib.term import Node

from engine.symbolic.arithmetic import arithmetic, literal_of, number_of, rounded
from engine.symbolic.patterns import replace_all, search
from engine.symbolic.values import ExpressionError, Kind, Moment, Number, equal, order, value_of
from kg.terms import TripleTerm

__all__ = ["FUNCTIONS", "directed_literal", "effective_boolean", "text_of", "triple_of"]

MAX_TEXT = 1_000_000
"""Characters of a computed string."""


def effective_boolean(term: Node) -> bool:
    """The effective boolean value (SPARQL, "Effective Boolean Value").

    Raises:
        ExpressionError: the term is no boolean, number or string.
    """
    if isinstance(term, Literal) and not term.language:
        if term.datatype == XSD.boolean or _is_numeric_type(term):
            try:
                value = value_of(term)
            except ExpressionError:
                return False
            if isinstance(value, Number):
                return bool(value.value) and value.value == value.value  # a NaN is false
            return value is True
        if term.datatype is None or term.datatype == XSD.string:
            return bool(str(term))
    raise ExpressionError(f"Expected a boolean, a number or a string (got {term.n3()[:80]})")


# ---------------------------------------------------------------- operators


def _not(term: Node) -> Node:
    return literal_of(not effective_boolean(term))


def _compare(test: Callable[[int], bool]) -> Callable[[Node, Node], Node]:
    def apply(left: Node, right: Node) -> Node:
        result = order(left, right)
        return literal_of(result is not None and test(result))

    return apply


def _operate(operator: str) -> Callable[..., Node]:
    def apply(left: Node, right: Node | None = None) -> Node:
        if right is None:
            zero = Number(Kind.INTEGER, 0)
            number = number_of(left)
            if isinstance(number.value, float):
                return literal_of(Number(number.kind, -number.value if operator == "-" else number.value))
            return literal_of(arithmetic(operator, zero, number))
        return literal_of(arithmetic(operator, number_of(left), number_of(right)))

    return apply


# ---------------------------------------------------------------- terms


def _is_numeric_type(term: Literal) -> bool:
    name = str(term.datatype).removeprefix(str(XSD))
    return (
        name in ("decimal", "float", "double")
        or "nteger" in name
        or name.removeprefix("unsigned").lower()
        in (
            "long",
            "int",
            "short",
            "byte",
        )
    )


def _is_numeric(term: Node) -> Node:
    try:
        number_of(term)
    except ExpressionError:
        return literal_of(False)
    return literal_of(True)


def _literal(term: Node) -> Literal:
    if not isinstance(term, Literal):
        raise ExpressionError(f"Expected a literal (got {term.n3()[:80]})")
    return term


def _str(term: Node) -> Node:
    if not isinstance(term, (Literal, URIRef)):
        raise ExpressionError(f"Expected an IRI or a literal (got {term.n3()[:80]})")
    return Literal(str(term))


def _lang_parts(term: Node) -> tuple[str, str]:
    """Language tag and direction (RDF 1.2 `@en--ltr`) of a literal, each empty where there is none."""
    tag, _, direction = (_literal(term).language or "").partition("--")
    return tag, direction


def _lang_matches(tag: Node, wanted: Node) -> Node:
    language, pattern = text_of(tag).lower(), text_of(wanted).lower()
    if pattern == "*":
        return literal_of(bool(language))
    return literal_of(language == pattern or language.startswith(f"{pattern}-"))


def _datatype(term: Node) -> Node:
    literal = _literal(term)
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    if literal.language:
        return URIRef(rdf + ("dirLangString" if "--" in literal.language else "langString"))
    return literal.datatype or XSD.string


_BAD_IRI = re.compile(r'[\x00-\x20<>"{}|^`\\]')


def _iri(term: Node) -> Node:
    text = str(term) if isinstance(term, URIRef) else text_of(term)
    if _BAD_IRI.search(text) or ":" not in text:
        raise ExpressionError(f"Expected an absolute IRI (got '{text[:80]}')")
    return URIRef(text)


_TAG = re.compile(r"[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*")


def _str_lang(text: Node, tag: Node) -> Node:
    if not _TAG.fullmatch(text_of(tag)):
        raise ExpressionError(f"Expected a language tag (got '{text_of(tag)[:40]}')")
    return Literal(text_of(text), lang=text_of(tag))


def _str_lang_dir(text: Node, tag: Node, direction: Node) -> Node:
    if not _TAG.fullmatch(text_of(tag)) or text_of(direction) not in ("ltr", "rtl"):
        raise ExpressionError("Expected a language tag and the direction ltr or rtl")
    return directed_literal(text_of(text), f"{text_of(tag)}--{text_of(direction)}")


def directed_literal(text: str, tag: str) -> Literal:
    """A literal with language and direction, `"text"@en--ltr` (RDF 1.2), for which rdflib has no constructor."""
    literal = Literal(text, lang=tag.partition("--")[0])
    literal._language = tag
    return literal


def _str_dt(text: Node, datatype: Node) -> Node:
    if not isinstance(datatype, URIRef):
        raise ExpressionError(f"Expected a datatype IRI (got {datatype.n3()[:80]})")
    return Literal(text_of(text), datatype=datatype, normalize=False)


def _same_term(left: Node, right: Node) -> Node:
    return literal_of(left == right)


def triple_of(subject: Node, predicate: Node, object: Node) -> Node:
    """TRIPLE: the triple term of three parts."""
    if not isinstance(subject, (URIRef, BNode)) or not isinstance(predicate, URIRef):
        raise ExpressionError(f"Expected an IRI or blank node, then an IRI (got {subject.n3()} {predicate.n3()})")
    return TripleTerm(subject, predicate, object)


def _part_of_triple(term: Node, at: int) -> Node:
    if not isinstance(term, TripleTerm):
        raise ExpressionError(f"Expected a triple term (got {term.n3()[:80]})")
    return term.parts[at]


# ---------------------------------------------------------------- strings


def text_of(term: Node) -> str:
    """The text of a string without language tag."""
    if not isinstance(term, Literal) or term.language or term.datatype not in (None, XSD.string):
        raise ExpressionError(f"Expected a string (got {term.n3()[:80]})")
    return str(term)


def _string(term: Node) -> tuple[str, str | None]:
    """Text and language tag of a string."""
    if not isinstance(term, Literal) or (not term.language and term.datatype not in (None, XSD.string)):
        raise ExpressionError(f"Expected a string (got {term.n3()[:80]})")
    return str(term), term.language


def _like(text: str, language: str | None) -> Literal:
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"Expected a string of at most {MAX_TEXT} characters (got {len(text)})")
    if language and "--" in language:
        return directed_literal(text, language)
    return Literal(text, lang=language)


def _pair(left: Node, right: Node) -> tuple[str, str, str | None]:
    """The texts of two compatible strings and the first one's tag (SPARQL, "Argument Compatibility Rules")."""
    (text, language), (other, tag) = _string(left), _string(right)
    if tag and (language or "").lower() != tag.lower():
        raise ExpressionError(f"Expected strings of one language (got {left.n3()[:40]} and {right.n3()[:40]})")
    return text, other, language


def _strlen(term: Node) -> Node:
    return literal_of(Number(Kind.INTEGER, len(_string(term)[0])))


def _substr(term: Node, start: Node, length: Node | None = None) -> Node:
    text, language = _string(term)
    first = _position(start)
    end = len(text) + 1 if length is None else first + _position(length)
    return _like(text[max(first, 1) - 1 : max(end, 1) - 1], language)


def _position(term: Node) -> int:
    value = rounded(number_of(term), "ROUND").value
    if isinstance(value, float) and not abs(value) < MAX_TEXT * MAX_TEXT:
        raise ExpressionError(f"Expected a position in a string (got {value})")
    return int(value)


def _ontext_of(function: Callable[[str], str]) -> Callable[[Node], Node]:
    def apply(term: Node) -> Node:
        text, language = _string(term)
        return _like(function(text), language)

    return apply


def _test(function: Callable[[str, str], bool]) -> Callable[[Node, Node], Node]:
    def apply(left: Node, right: Node) -> Node:
        text, other, _ = _pair(left, right)
        return literal_of(function(text, other))

    return apply


def _before(left: Node, right: Node) -> Node:
    text, other, language = _pair(left, right)
    before, found, _ = text.partition(other) if other else ("", "", text)
    return _like(before, language) if found or not other else Literal("")


def _after(left: Node, right: Node) -> Node:
    text, other, language = _pair(left, right)
    _, found, after = text.partition(other) if other else ("", "", text)
    return _like(after, language) if found or not other else Literal("")


def _concat(*terms: Node) -> Node:
    strings = [_string(term) for term in terms]
    languages = {language for _, language in strings}
    return _like("".join(text for text, _ in strings), languages.pop() if len(languages) == 1 else None)


def _regex(term: Node, pattern: Node, flags: Node | None = None) -> Node:
    return literal_of(search(_string(term)[0], text_of(pattern), text_of(flags) if flags is not None else ""))


def _replace(term: Node, pattern: Node, replacement: Node, flags: Node | None = None) -> Node:
    text, language = _string(term)
    options = text_of(flags) if flags is not None else ""
    return _like(replace_all(text, text_of(pattern), text_of(replacement), options), language)


# ---------------------------------------------------------------- numbers and dates


def _abs(term: Node) -> Node:
    number = number_of(term)
    if isinstance(number.value, float):
        return literal_of(Number(number.kind, abs(number.value)))
    value = number.value
    return literal_of(Number(number.kind, abs(value) if isinstance(value, int) else value.copy_abs()))


def _round(function: str) -> Callable[[Node], Node]:
    return lambda term: literal_of(rounded(number_of(term), function))


def _moment(term: Node, *types: str) -> Moment:
    value = value_of(_literal(term))
    if not isinstance(value, Moment) or value.type not in types:
        raise ExpressionError(f"Expected a {' or '.join(types)} (got {term.n3()[:80]})")
    return value


def _field(at: int, *types: str) -> Callable[[Node], Node]:
    return lambda term: literal_of(Number(Kind.INTEGER, _moment(term, *types).fields[at]))


def _seconds(term: Node) -> Node:
    return literal_of(Number(Kind.DECIMAL, _moment(term, "dateTime", "time").second))


def _tz(term: Node) -> Node:
    if _moment(term, "dateTime", "date", "time").zone is None:
        return Literal("")
    found = re.search(r"(Z|[+-]\d\d:\d\d)$", str(term).strip())
    return Literal(found[0] if found else "")


def _timezone(term: Node) -> Node:
    zone = _moment(term, "dateTime", "date", "time").zone
    if zone is None:
        raise ExpressionError(f"Expected a time with a zone (got {term.n3()[:80]})")
    hours, minutes = divmod(abs(zone), 60)
    parts = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    text = f"{'-' if zone < 0 else ''}PT{parts or '0S'}"
    return Literal(text, datatype=XSD.dayTimeDuration, normalize=False)


def _now() -> Node:
    text = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Literal(text, datatype=XSD.dateTime, normalize=False)


FUNCTIONS: dict[str, tuple[int, int, Callable[..., Node]]] = {
    "!": (1, 1, _not),
    "=": (2, 2, lambda a, b: literal_of(equal(a, b))),
    "!=": (2, 2, lambda a, b: literal_of(not equal(a, b))),
    "<": (2, 2, _compare(lambda sign: sign < 0)),
    ">": (2, 2, _compare(lambda sign: sign > 0)),
    "<=": (2, 2, _compare(lambda sign: sign <= 0)),
    ">=": (2, 2, _compare(lambda sign: sign >= 0)),
    "+": (1, 2, _operate("+")),
    "-": (1, 2, _operate("-")),
    "*": (2, 2, _operate("*")),
    "/": (2, 2, _operate("/")),
    "STR": (1, 1, _str),
    "LANG": (1, 1, lambda term: Literal(_lang_parts(term)[0])),
    "LANGDIR": (1, 1, lambda term: Literal(_lang_parts(term)[1])),
    "LANGMATCHES": (2, 2, _lang_matches),
    "DATATYPE": (1, 1, _datatype),
    "IRI": (1, 1, _iri),
    "URI": (1, 1, _iri),
    "ABS": (1, 1, _abs),
    "CEIL": (1, 1, _round("CEIL")),
    "FLOOR": (1, 1, _round("FLOOR")),
    "ROUND": (1, 1, _round("ROUND")),
    "CONCAT": (0, 10_000, _concat),
    "SUBSTR": (2, 3, _substr),
    "STRLEN": (1, 1, _strlen),
    "REPLACE": (3, 4, _replace),
    "UCASE": (1, 1, _ontext_of(str.upper)),
    "LCASE": (1, 1, _ontext_of(str.lower)),
    "ENCODE_FOR_URI": (1, 1, lambda term: Literal(urllib.parse.quote(_string(term)[0], safe="~"))),
    "CONTAINS": (2, 2, _test(lambda text, other: other in text)),
    "STRSTARTS": (2, 2, _test(str.startswith)),
    "STRENDS": (2, 2, _test(str.endswith)),
    "STRBEFORE": (2, 2, _before),
    "STRAFTER": (2, 2, _after),
    "YEAR": (1, 1, _field(0, "dateTime", "date", "gYear", "gYearMonth")),
    "MONTH": (1, 1, _field(1, "dateTime", "date", "gYearMonth")),
    "DAY": (1, 1, _field(2, "dateTime", "date")),
    "HOURS": (1, 1, _field(3, "dateTime", "time")),
    "MINUTES": (1, 1, _field(4, "dateTime", "time")),
    "SECONDS": (1, 1, _seconds),
    "TIMEZONE": (1, 1, _timezone),
    "TZ": (1, 1, _tz),
    "NOW": (0, 0, _now),
    "UUID": (0, 0, lambda: URIRef(uuid.uuid4().urn)),
    "STRUUID": (0, 0, lambda: Literal(str(uuid.uuid4()))),
    "STRLANG": (2, 2, _str_lang),
    "STRLANGDIR": (3, 3, _str_lang_dir),
    "STRDT": (2, 2, _str_dt),
    "sameTerm": (2, 2, _same_term),
    "isIRI": (1, 1, lambda term: literal_of(isinstance(term, URIRef))),
    "isURI": (1, 1, lambda term: literal_of(isinstance(term, URIRef))),
    "isBLANK": (1, 1, lambda term: literal_of(isinstance(term, BNode))),
    "isLITERAL": (1, 1, lambda term: literal_of(isinstance(term, Literal))),
    "isNUMERIC": (1, 1, _is_numeric),
    "hasLANG": (1, 1, lambda term: literal_of(isinstance(term, Literal) and bool(term.language))),
    "hasLANGDIR": (1, 1, lambda term: literal_of(isinstance(term, Literal) and "--" in (term.language or ""))),
    "REGEX": (2, 3, _regex),
    "isTRIPLE": (1, 1, lambda term: literal_of(isinstance(term, TripleTerm))),
    "TRIPLE": (3, 3, triple_of),
    "SUBJECT": (1, 1, lambda term: _part_of_triple(term, 0)),
    "PREDICATE": (1, 1, lambda term: _part_of_triple(term, 1)),
    "OBJECT": (1, 1, lambda term: _part_of_triple(term, 2)),
}
"""Least and greatest number of arguments, and the function on terms, by the name the grammar spells."""
