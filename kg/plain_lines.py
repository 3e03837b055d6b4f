"""N-Triples in the form that nearly all files have, one triple a line with single spaces, read without a parser.

A line is cut at its first two spaces. A part that was met before has an id already, so most lines cost three look-ups
in a dictionary. A part met for the first time is matched here against the part of RDF's grammar that can be told by a
regular expression. A block of lines with anything else, right or wrong, is for the parser (`kg.parse_worker`): in
N-Triples no term goes over the end of a line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from itertools import chain, repeat
from sys import getsizeof

import numpy as np
from numpy.typing import NDArray

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
# Bytes of plain lines from which on they are scanned by compiled code: where the compiler is there already, and where
# importing it (half a second) has to be won back.
_SCANNED, _SCANNED_COLD = 4 << 20, 96 << 20


class PlainLines:
    """Reads plain lines into ids of a dictionary, which gets the new terms."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._terms = _Terms(dictionary)
        self._scanned: _Scanned | None = None
        self._read = 0

    @property
    def memory(self) -> int:
        """About the bytes that the terms met here take, in the dictionary too."""
        terms = self._terms.text_bytes + _TERM_BYTES * len(self._terms)
        return terms if self._scanned is None else terms + self._scanned.memory

    def begin(self, file: int) -> None:
        """The lines that come are of this file: blank nodes end with the one before."""
        self._terms.begin(file)
        if self._scanned is not None:
            self._scanned.forget_nodes()

    def read(self, block: bytes) -> Ids | None:
        """The ids of a block of whole lines, shape (num_triples, 3); None where a line is not of the plain form."""
        self._read += len(block)
        if self._scanned is None and self._read > (_SCANNED if "numba" in sys.modules else _SCANNED_COLD):
            self._scanned = _Scanned(self._terms) if _has_compiler() else None
        if self._scanned is not None and (ids := self._scanned.read(block)) is not None:
            return ids
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
        return _ids(np.fromiter(map(self._terms.__getitem__, parts), np.int64, 3 * len(lines)).reshape(-1, 3))

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
        self.intern, self.intern_keys = dictionary.intern_key, dictionary.intern_keys
        self._blank: dict[str, str] = {}
        self._file = 0

    def __missing__(self, text: str) -> int:
        """What is known of a text from now on; raises as `value` does."""
        self.text_bytes += getsizeof(text)
        value = self[text] = self.value(text)
        return value

    def value(self, text: str) -> int:
        """Id and kind of a text.

        Raises:
            ValueError: it is no term in plain form.
        """
        if _is_iri(text):
            key, kind = text, IRI
        elif _NODE.fullmatch(text):
            key, kind = self.blank_key(text), BLANK
        else:
            key, kind = _literal_key(text), LITERAL
        return self.intern(key) << _KIND_BITS | kind

    def begin(self, file: int) -> None:
        """Forgets the blank nodes of the file before."""
        for text in self._blank:
            self.pop(text, None)
        self._blank.clear()
        self._file = file

    def blank_key(self, text: str) -> str:
        """The key of a blank node by its name in the file."""
        return self._blank.setdefault(text, f"_:f{self._file}b{len(self._blank)}")


class _Scanned:
    """Texts found by compiled code (`kg.scan`), with id and kind of each once it was needed."""

    def __init__(self, terms: _Terms) -> None:
        from kg.scan import SIMPLE_IRI, SIMPLE_LITERAL, Texts

        self._terms, self._texts = terms, Texts()
        self._kinds = np.full(3, -1, dtype=np.int64)  # of the forms that say that a text is its own key
        self._kinds[[SIMPLE_IRI, SIMPLE_LITERAL]] = IRI, LITERAL
        self._values = np.full(1 << 14, _UNKNOWN, dtype=np.int64)
        self._nodes: list[int] = []

    @property
    def memory(self) -> int:
        """About the bytes that the texts and their terms take."""
        return 2 * self._texts.nbytes + _TERM_BYTES * len(self._texts)

    def forget_nodes(self) -> None:
        """Forgets the blank nodes of the file before."""
        self._values[self._nodes] = _UNKNOWN
        self._nodes.clear()

    def read(self, block: bytes) -> Ids | None:
        """The ids of a block of whole lines, shape (num_triples, 3); None where a line is not of the plain form."""
        first = len(self._texts)
        numbers = self._texts.numbers(block if block.endswith(b"\n") else block + b"\n")
        if len(self._texts) > len(self._values):
            more = np.full(2 * len(self._texts) - len(self._values), _UNKNOWN, dtype=np.int64)
            self._values = np.concatenate([self._values, more])
        if numbers is None:
            return None
        try:
            self._learn(first)
            values = self._values[numbers]
            if (values == _UNKNOWN).any():  # of a file before, or of lines that were given up
                for number in np.unique(numbers[values == _UNKNOWN]).tolist():
                    self._keep(number, self._texts.text(number))
                values = self._values[numbers]
            return _ids(values)
        except ValueError:
            return None

    def _learn(self, first: int) -> None:
        """Give the texts from a number on their values."""
        forms, texts = self._texts.new(first)
        kinds = self._kinds[forms]
        if (kinds >= 0).all():
            self._values[first : first + len(texts)] = self._terms.intern_keys(texts) << _KIND_BITS | kinds
            return
        for number, (kind, text) in enumerate(zip(kinds.tolist(), texts, strict=True), start=first):
            if kind < 0:
                self._keep(number, text)
            else:
                self._values[number] = self._terms.intern(text) << _KIND_BITS | kind

    def _keep(self, number: int, text: str) -> None:
        """Give one text its value. Raises as `_Terms.value` does."""
        self._values[number] = self._terms.value(text)
        if text.startswith("_"):
            self._nodes.append(number)


_UNKNOWN = -1


@cache
def _has_compiler() -> bool:
    return find_spec("numba") is not None


def _ids(values: NDArray[np.int64]) -> Ids:
    """The ids of triples, from id and kind of each term, shape (num_triples, 3).

    Raises:
        ValueError: a term is where none of its kind may be.
    """
    subjects, predicates, _ = np.bitwise_or.reduce(values, axis=0).tolist()
    if subjects & LITERAL or predicates & (LITERAL | BLANK):
        raise ValueError("a subject or predicate of the wrong kind")
    return (values >> _KIND_BITS).astype(np.int32)


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
