"""Hand-written claims of a domain: `claims.tsv`, one claim a line with the triple it means and the expected verdict.

Columns, tab-separated under a header line: id, split, text, subject, predicate, object, polarity, verdict, note. The
verdict is about the claim as stated: for polarity `-` (the text denies the triple), `entailed` means that the triple is
contradicted.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rdflib import XSD, Literal, URIRef
from rdflib.term import Node

from kg.errors import InputError, LimitError, SyntaxInputError
from kg.load import missing_file
from kg.terms import Triple

__all__ = ["ClaimRecord", "load_claims", "parse_term", "table_lines"]

COLUMNS = ("id", "split", "text", "subject", "predicate", "object", "polarity", "verdict", "note")
SPLITS = ("train", "dev", "test")
VERDICTS = ("entailed", "contradicted", "unproven", "unknown")
_BYTES = 64 << 20
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(?:@([A-Za-z]+(?:-[A-Za-z0-9]+)*)|\^\^(\S+))?')
_NUMBERS = (
    (re.compile(r"[+-]?\d+"), XSD.integer),
    (re.compile(r"[+-]?\d*\.\d+"), XSD.decimal),
    (re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)[eE][+-]?\d+"), XSD.double),
    (re.compile(r"true|false"), XSD.boolean),
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}


@dataclass(frozen=True)
class ClaimRecord:
    """One line of `claims.tsv`."""

    id: str
    split: str
    """train, dev or test."""
    text: str
    triple: Triple | None
    """The triple the text is about, or None where none can be formed."""
    positive: bool
    """Whether the text asserts the triple (polarity `+`) or denies it (`-`)."""
    verdict: str
    """entailed, contradicted, unproven or unknown; of the claim as stated."""
    note: str
    line: int
    """1-based line in the file."""


def load_claims(path: str | os.PathLike[str], prefixes: Mapping[str, str]) -> tuple[ClaimRecord, ...]:
    """The claims of a file, in its order.

    Args:
        path: a TSV file in UTF-8 with the header line.
        prefixes: prefix to namespace, for the compact names in it.

    Raises:
        MissingFileError: the file is not there.
        SyntaxInputError: a wrong header, number of fields, word or term, or an id used twice.
        LimitError: more than 64 MiB.
    """
    path = Path(path)
    records: dict[str, ClaimRecord] = {}
    for number, text in table_lines(path, COLUMNS):
        record = _record(text, number, str(path), prefixes)
        if record.id in records:
            raise SyntaxInputError(
                f"Expected each id once (got {record.id!r} again, first in line {records[record.id].line})",
                file=str(path),
                line=number,
                column=1,
            )
        records[record.id] = record
    return tuple(records.values())


def table_lines(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """The lines of a tab-separated UTF-8 file under its header, each with its number; blank lines are left out.

    Raises:
        MissingFileError: the file is not there.
        SyntaxInputError: no UTF-8, or another header.
        LimitError: more than 64 MiB.
    """
    if not path.is_file():
        raise missing_file(path)
    if path.stat().st_size > _BYTES:
        raise LimitError(f"Expected at most {_BYTES} bytes; split the file", file=str(path))
    data = path.read_bytes()
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        bad = data.count(b"\n", 0, error.start) + 1
        raise SyntaxInputError(
            f"Expected UTF-8 ({error.reason}); save the file as UTF-8", file=str(path), line=bad
        ) from None
    if tuple(lines[0].rstrip("\r").split("\t")) != columns:
        raise SyntaxInputError(
            f"Expected the header line {' '.join(columns)}, tab-separated (got {lines[0][:80]!r})",
            file=str(path),
            line=1,
        )
    for number, line in enumerate(lines[1:], 2):
        if line.strip():
            yield number, line.rstrip("\r")


def _record(text: str, line: int, file: str, prefixes: Mapping[str, str]) -> ClaimRecord:
    fields = text.split("\t")
    if len(fields) == len(COLUMNS) - 1:  # an empty note whose tab an editor took away
        fields.append("")
    if len(fields) != len(COLUMNS):
        raise SyntaxInputError(
            f"Expected {len(COLUMNS)} fields with tabs between (got {len(fields)})", file=file, line=line
        )
    columns = [1]
    for field in fields:
        columns.append(columns[-1] + len(field) + 1)

    def wrong(name: str, message: str) -> SyntaxInputError:
        at = columns[COLUMNS.index(name)]
        return SyntaxInputError(f"{name}: {message}", file=file, line=line, column=at)

    given = {name: field.strip() for name, field in zip(COLUMNS, fields, strict=True)}
    for name, allowed in (("split", SPLITS), ("verdict", VERDICTS), ("polarity", ("+", "-"))):
        if given[name] not in allowed:
            near = difflib.get_close_matches(given[name], allowed, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise wrong(name, f"Expected one of {', '.join(allowed)} (got {given[name]!r}){hint}")
    for name in ("id", "text"):
        if not given[name]:
            raise wrong(name, "Expected a text (got an empty field)")
    terms: list[Node] = []
    positions = ("subject", "predicate", "object")
    absent = [given[name] == "-" for name in positions]
    if any(absent) and not all(absent):
        raise wrong(
            positions[absent.index(True)], "Expected a term, or - in all three where no triple can be formed (got -)"
        )
    for name in positions if not any(absent) else ():
        try:
            term = parse_term(given[name], prefixes)
        except InputError as error:
            raise wrong(name, str(error)) from None
        if name != "object" and isinstance(term, Literal):
            raise wrong(name, f"Expected an IRI (got the literal {given[name]}); literals stand in the object only")
        terms.append(term)
    return ClaimRecord(
        id=given["id"],
        split=given["split"],
        text=given["text"],
        triple=Triple(*terms) if terms else None,
        positive=given["polarity"] == "+",
        verdict=given["verdict"],
        note=given["note"],
        line=line,
    )


def parse_term(text: str, prefixes: Mapping[str, str]) -> Node:
    """The term written as in Turtle: `med:warfarin`, `<iri>`, `"text"`, `"text"@en`, `"1"^^xsd:integer`, `40`, `true`.

    Raises:
        SyntaxInputError: none of these, or a prefix that is not declared.
    """
    if text.startswith('"'):
        found = _QUOTED.fullmatch(text)
        if not found:
            raise SyntaxInputError(f'Expected a literal such as "4000"^^xsd:decimal (got {text})')
        value = _ESCAPE.sub(lambda match: _unescaped(match[1], text), found[1])
        datatype = parse_term(found[3], prefixes) if found[3] else None
        if datatype is not None and not isinstance(datatype, URIRef):
            raise SyntaxInputError(f"Expected an IRI as the datatype (got {found[3]})")
        if found[2]:
            return Literal(value, lang=found[2].lower())
        plain = datatype is None or datatype == XSD.string
        return Literal(value) if plain else Literal(value, datatype=datatype, normalize=False)
    for pattern, number_type in _NUMBERS:
        if pattern.fullmatch(text):
            return Literal(text, datatype=number_type, normalize=False)
    if re.fullmatch(r"<[^<>\"{}|^`\\\s]+>", text):
        return URIRef(text[1:-1])
    prefix, colon, local = text.partition(":")
    if not colon or re.search(r"[\s<>\"{}|^`\\]", text):
        raise SyntaxInputError(f"Expected a term such as ex:name, <iri> or a literal (got {text!r})")
    if prefix not in prefixes:
        near = difflib.get_close_matches(prefix, prefixes, n=3, cutoff=0.4)
        known = f"the nearest known: {', '.join(near)}" if near else f"known are {', '.join(sorted(prefixes))}"
        raise SyntaxInputError(f"Expected a declared prefix (got {prefix}: in {text}); {known}")
    return URIRef(prefixes[prefix] + local)


def _unescaped(code: str, text: str) -> str:
    if code[0] in "uU" and len(code) > 1:
        point = int(code[1:], 16)
        if point < 0x110000 and not 0xD800 <= point < 0xE000:
            return chr(point)
    elif code in _ESCAPES:
        return _ESCAPES[code]
    raise SyntaxInputError(f"Expected a valid escape (got \\{code} in {text})")
