"""N-Triples in the form that nearly all files have, one triple a line with single spaces, read without a parser.

A line is cut at its first two spaces. A part that was met before has an id already, so most lines cost three look-ups
in a dictionary. A part met for the first time is matched here against the part of RDF's grammar that can be told by a
regular expression. A block of lines with anything else, right or wrong, is for the parser (`kg.parse_worker`): in
N-Triples no term goes over the end of a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from sys import getsizeof

import numpy as np

from kg.columns import Ids
from kg.dictionary import BLANK, IRI, LITERAL, Dictionary
from kg.feed import Refusal
from kg.triple_keys import OPEN, split_triple_key, triple_key

__all__ = ["PlainLines", "whole_lines"]

# RFC 3987 without what needs a closer look: most that an authority may have, and the higher characters (`_is_iri`).
_CHARACTERS = r"""(?:[^\x00-\x20\x7f-\x9f<>"{}|^`\\%?#\[\]]++|%[0-9A-Fa-f]{2})*+"""
_IRI = re.compile(
    r"<[A-Za-z][A-Za-z0-9+.\-]*:(?://[A-Za-z0-9.\-_~]*+(?::[0-9]*+)?(?=[/?#>])|(?!//))"
    rf"{_CHARACTERS}(?:\?(?:{_CHARACTERS}\?*+)*+)?(?:#(?:{_CHARACTERS}\?*+)*+)?>"
)
_NODE = re.compile(r"_:[A-Za-z0-9]+")
_ESCAPE = re.compile(r"""\\([tbnrf"'\\]|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})""")
_LITERAL = re.compile(
    r'''"((?:[^"\\\x00-\x08\x0a-\x1f]++|\\(?:[tbnrf"'\\]|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}))*+)"'''
    r"(?:\^\^(<[^>]*+>)|@([A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?))?"
)
_ESCAPED = dict(zip("tbnrf\"'\\", "\t\b\n\r\f\"'\\", strict=True))
_XSD_STRING = "<http://www.w3.org/2001/XMLSchema#string>"
# Literals with a language have these from their syntax; written out they are for the parser to judge.
_RDF = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_MADE_BY_SYNTAX = (f"{_RDF}langString>", f"{_RDF}dirLangString>")
_KIND_BITS = 2
_NO_TRIPLES = re.compile(r"\n(?:(?:#[^\r\n]*)?\n)+")

_TERM_BYTES = 300  # of a term, above its text: measured with the two look-ups of a million IRIs


class PlainLines:
    """Reads plain lines into ids of a dictionary, which gets the new terms."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._terms = _Terms(dictionary)

    @property
    def memory(self) -> int:
        """About the bytes that the terms met here take, in the dictionary too."""
        return self._terms.text_bytes + _TERM_BYTES * len(self._terms)

    def begin(self, file: int) -> None:
        """The lines that come are of this file: blank nodes end with the one before."""
        self._terms.begin(file)

    def read(self, block: bytes) -> Ids | None:
        """The ids of a block of whole lines, shape (num_triples, 3); None where a line is not of the plain form."""
        try:
            text = block.decode()
            text = text if text.endswith("\n") else text + "\n"
            try:
                return self._triples(text)
            except ValueError:
                rest = _NO_TRIPLES.sub("\n", "\n" + text.replace("\r\n", "\n"))[1:]
                return None if rest == text else self._triples(rest)
        except ValueError:
            return None

    def _triples(self, text: str) -> Ids:
        """The ids of lines.

        Raises:
            ValueError: a line is not of the plain form.
        """
        lines = text.split(" .\n")
        if lines.pop():
            raise ValueError("a last line without its dot")
        parts = chain.from_iterable(map(str.split, lines, repeat(" "), repeat(2)))
        # A line with fewer parts is a ValueError too: no line has more than three to make up for it.
        values = np.fromiter(map(self._terms.__getitem__, parts), np.int64, 3 * len(lines)).reshape(-1, 3)
        subjects, predicates, _ = np.bitwise_or.reduce(values, axis=0).tolist()
        if subjects & LITERAL or predicates & (LITERAL | BLANK):
            raise ValueError("a subject or predicate of the wrong kind")
        return (values >> _KIND_BITS).astype(np.int32)

    def own_key(self, key: str) -> str:
        """The key of a term of this file that was read elsewhere, where blank nodes keep their names in the file."""
        if key.startswith("_:"):
            return self._terms.blank_key(key)
        if key.startswith(OPEN) and "_:" in key:
            return triple_key(*map(self.own_key, split_triple_key(key)))
        return key


class _Terms(dict[str, int]):
    """Texts that are terms: the id of each and, in the last two bits, its kind. What is looked up is made.

    Blank nodes are those of one file; the second one of file 0 has the key `_:f0b1`.
    """

    def __init__(self, dictionary: Dictionary) -> None:
        super().__init__()
        self.text_bytes = 0
        self._intern = dictionary.intern_key
        self._blank: dict[str, str] = {}
        self._file = 0

    def __missing__(self, text: str) -> int:
        """What is known of a text from now on.

        Raises:
            ValueError: it is no term in plain form.
        """
        if _is_iri(text):
            key, kind = text, IRI
        elif _NODE.fullmatch(text):
            key, kind = self.blank_key(text), BLANK
        else:
            key, kind = _literal_key(text), LITERAL
        self.text_bytes += getsizeof(text)
        value = self[text] = self._intern(key) << _KIND_BITS | kind
        return value

    def begin(self, file: int) -> None:
        """Forgets the blank nodes of the file before."""
        for text in self._blank:
            self.pop(text, None)
        self._blank.clear()
        self._file = file

    def blank_key(self, text: str) -> str:
        """The key of a blank node by its name in the file."""
        return self._blank.setdefault(text, f"_:f{self._file}b{len(self._blank)}")


def _is_iri(text: str) -> bool:
    """Whether a text is an IRI of the plain form."""
    return _IRI.fullmatch(text) is not None and (text.isascii() or max(text) < "\ud800")


def _literal_key(text: str) -> str:
    """The key of a literal.

    Raises:
        ValueError: it is none in plain form.
    """
    found = _LITERAL.fullmatch(text)
    if found is None:
        raise ValueError("no term in plain form")
    value, datatype, language = found.groups()
    if datatype is not None and (datatype in _MADE_BY_SYNTAX or not _is_iri(datatype)):
        raise ValueError("no datatype in plain form")
    if "\\" in value:
        value = _ESCAPE.sub(_character, value)
    if language is not None:
        key = f'"{value}"@{language.lower()}'
    else:
        key = f'"{value}"' if datatype in (None, _XSD_STRING) else f'"{value}"^^{datatype}'
    return text if key == text else key  # one string for both dictionaries


def _character(escape: re.Match[str]) -> str:
    """The character an escape stands for.

    Raises:
        ValueError: it stands for none.
    """
    if escape[1] in _ESCAPED:
        return _ESCAPED[escape[1]]
    character = chr(int(escape[1][1:], 16))
    if "\ud800" <= character <= "\udfff":
        raise ValueError("half a character")
    return character


def whole_lines(pieces: Iterable[bytes], *, most: int) -> Iterator[bytes]:
    """Pieces of a text as blocks of whole lines; the last may lack its line's end.

    Raises:
        Refusal: a line is longer than `most` bytes.
    """
    rest: list[bytes] = []  # a line may be many pieces long
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        if end:
            yield b"".join((*rest, piece[:end]))
            rest.clear()
        rest.append(piece[end:])
        if sum(map(len, rest)) > most:
            raise Refusal(
                "limit", f"Expected terms and comments of at most {most >> 20} MiB each; shorten or split the text"
            )
    if any(rest):
        yield b"".join(rest)
