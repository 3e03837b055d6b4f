"""N-Triples in the form that nearly all files have, one triple a line with single spaces, read without the parser.

A line is cut at its first two spaces. A part that was met before has an id already, so most lines cost three look-ups
in a dictionary (a quarter less time for a file of a million lines). A part met for the first time is taken apart here
only if it has no escape; whether it is a term of RDF is then for pyoxigraph to say. Whatever has another form is given
to the parser, a block of lines at a time: in N-Triples no term goes over the end of a line.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyoxigraph as ox

__all__ = ["PlainLines", "whole_lines"]

_IRI = rb'<([^\x00-\x20<>"{}|^`\\]*)>'
_NAME = re.compile(rb"(?:" + _IRI + rb"|_:([A-Za-z0-9]+))")
_OBJECT = re.compile(
    rb"(?:" + _IRI + rb"|_:([A-Za-z0-9]+)|"
    rb'"([^"\\\x00-\x08\x0a-\x1f]*)"(?:\^\^' + _IRI + rb"|@([A-Za-z]+(?:-[A-Za-z0-9]+)*))?) \."
)
_MADE_BY_SYNTAX = b"http://www.w3.org/1999/02/22-rdf-syntax-ns#"
"""Language-tagged strings have their datatypes from their syntax; written out they are for the parser to judge."""


class _OtherForm(Exception):  # noqa: N818  # a signal inside this module
    """A line is not of the plain form."""


class PlainLines:
    """Reads plain lines into ids.

    Args:
        intern: the id of a term, given now if it is new.
    """

    def __init__(self, intern: Callable[[Any], int]) -> None:
        self._intern = intern
        self._subjects: dict[bytes, int] = {}
        self._predicates: dict[bytes, int] = {}
        self._objects: dict[bytes, int] = {}

    def read(self, block: bytes) -> array[int] | None:
        """The ids of a block of whole lines, three a triple; None where a line is not of the plain form."""
        ids = array("i")
        append = ids.append
        subjects, predicates, objects = self._subjects.get, self._predicates.get, self._objects.get
        try:
            for line in block.split(b"\n"):
                if not line:
                    continue
                s, p, o = line.split(b" ", 2)
                id = subjects(s)
                append(self._new(s, self._subjects, _NAME) if id is None else id)
                id = predicates(p)
                append(self._new(p, self._predicates, _NAME) if id is None else id)
                id = objects(o)
                append(self._new(o, self._objects, _OBJECT) if id is None else id)
        except (_OtherForm, ValueError):  # a line with fewer parts, or no term of RDF
            return None
        return ids

    def _new(self, text: bytes, known: dict[bytes, int], form: re.Pattern[bytes]) -> int:
        found = form.fullmatch(text)
        if found is None or (known is self._predicates and found[2] is not None):
            raise _OtherForm
        id = known[text] = self._intern(_term(found))
        return id

    def forget(self, ids: Iterable[int]) -> None:
        """Drop the terms with these ids: blank nodes end with their file."""
        gone = set(ids)
        for known in (self._subjects, self._objects):
            for text in [text for text, id in known.items() if id in gone]:
                del known[text]


def _term(found: re.Match[bytes]) -> ox.NamedNode | ox.BlankNode | ox.Literal:
    """The term of a match.

    Raises:
        ValueError: the IRI or language tag is none, or the text is not UTF-8.
    """
    iri, blank = found[1], found[2]
    if iri is not None:
        return ox.NamedNode(iri.decode())
    if blank is not None:
        return ox.BlankNode(blank.decode())
    value, datatype, language = found[3].decode(), found[4], found[5]
    if datatype is None:
        return ox.Literal(value) if language is None else ox.Literal(value, language=language.decode())
    if datatype.startswith(_MADE_BY_SYNTAX):
        raise _OtherForm
    return ox.Literal(value, datatype=ox.NamedNode(datatype.decode()))


def whole_lines(pieces: Iterable[bytes], *, most: int) -> Iterator[bytes]:
    """Pieces of a text as blocks of whole lines; the last may lack its line's end.

    Raises:
        MemoryError: a line is longer than `most` bytes.
    """
    rest = b""
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        if end:
            yield rest + piece[:end]
            rest = piece[end:]
        else:
            rest += piece
        if len(rest) > most:
            raise MemoryError("buffer maximal size")
    if rest:
        yield rest
