"""Files of claims: triples that somebody, or a model, concluded, read as a stream with the line of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from rdflib import RDF, BNode, Literal
from rdflib.term import Node

from kg.claims import parse_term
from kg.errors import InputError, LimitError, SyntaxInputError
from kg.load import load_graph, missing_file
from kg.terms import Triple

__all__ = ["read_claims"]

_PARTS = ("subject", "predicate", "object")
_SHORT = {"s": "subject", "p": "predicate", "o": "object"}
_LINE_BYTES = 1 << 20
_TERMS = 200_000
"""Texts of terms that are remembered while a file is read."""


def read_claims(path: Path, prefixes: Mapping[str, str]) -> Iterator[tuple[int | None, Triple]]:
    """The claims of a file, each with its line (None in RDF files).

    `.tsv`: subject, predicate and object, tab-separated, terms as in Turtle (`a` too); a header line may name columns,
    of which these three are read. `.ndjson`, `.jsonl`: an object a line with `subject`, `predicate`, `object` (or `s`,
    `p`, `o`). Any RDF file: its triples.

    Args:
        prefixes: prefix to namespace, for compact names.

    Raises:
        SyntaxInputError: a line that is no claim; file, line and what to do are in the message.
        InputError: what `load_graph` raises for an RDF file; a file that is not there.
    """
    if not path.is_file():
        raise missing_file(path)
    suffix = path.suffix.lower()
    if suffix == ".tsv":
        yield from _tables(path, prefixes)
    elif suffix in (".ndjson", ".jsonl"):
        yield from _objects(path, prefixes)
    else:
        for triple in load_graph(path).triples():
            yield None, Triple(*map(_foreign, triple))


def _foreign(term: Node) -> Node:
    """A term of another file: its blank nodes are none of the graph's, whatever they are called."""
    return BNode(f"claim-{term}") if isinstance(term, BNode) else term


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file that are not blank, each with its number."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_LINE_BYTES + 1):
            number += 1
            if len(line) > _LINE_BYTES:
                raise LimitError(
                    f"Expected lines of at most {_LINE_BYTES} bytes; split it", file=str(path), line=number
                )
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise SyntaxInputError(
                    f"Expected UTF-8 ({error.reason}); save the file as UTF-8", file=str(path), line=number
                ) from None
            if text.strip():
                yield number, text


def _tables(path: Path, prefixes: Mapping[str, str]) -> Iterator[tuple[int, Triple]]:
    terms, places, width = _Terms(prefixes), (0, 1, 2), 3
    for at, (number, text) in enumerate(_lines(path)):
        fields = text.split("\t")
        if not at and set(_PARTS) <= {field.strip().lower() for field in fields}:
            names = [field.strip().lower() for field in fields]
            places, width = tuple(map(names.index, _PARTS)), len(fields)  # type: ignore[assignment]  # three of them
            continue
        if len(fields) != width:
            raise SyntaxInputError(
                f"Expected {width} fields with tabs between: subject, predicate and object (got {len(fields)})",
                file=str(path),
                line=number,
            )
        yield number, terms.claim([fields[place] for place in places], str(path), number)


def _objects(path: Path, prefixes: Mapping[str, str]) -> Iterator[tuple[int, Triple]]:
    terms = _Terms(prefixes)
    for number, text in _lines(path):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SyntaxInputError(
                f"Expected a JSON object in one line ({error}); correct it there", file=str(path), line=number
            ) from None
        named = {_SHORT.get(name, name): part for name, part in value.items()} if isinstance(value, dict) else {}
        if not all(isinstance(named.get(part), str) for part in _PARTS):
            raise SyntaxInputError(
                'Expected an object with the texts "subject", "predicate" and "object" (or s, p and o)',
                file=str(path),
                line=number,
            )
        yield number, terms.claim([named[part] for part in _PARTS], str(path), number)


class _Terms:
    """Texts read as terms, each once."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self.prefixes = prefixes
        self._known: dict[str, Node] = {}

    def claim(self, texts: list[str], file: str, line: int) -> Triple:
        terms = []
        for part, text in zip(_PARTS, texts, strict=True):
            try:
                term = RDF.type if part == "predicate" and text == "a" else self._known.get(text)
                term = self._read(text) if term is None else term
            except InputError as error:
                raise SyntaxInputError(f"{part}: {error}", file=file, line=line) from None
            if part != "object" and isinstance(term, Literal):
                raise SyntaxInputError(
                    f"{part}: Expected an IRI (got the literal {text}); literals stand in the object only",
                    file=file,
                    line=line,
                )
            terms.append(term)
        return Triple(*terms)

    def _read(self, text: str) -> Node:
        if len(self._known) >= _TERMS:
            self._known.clear()
        term = self._known[text] = parse_term(text.strip(), self.prefixes)
        return term
