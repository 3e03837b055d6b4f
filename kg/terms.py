"""RDF terms as they appear at the public surface: rdflib's own classes, and the triple made of them.

Inside the project a term is a dense integer (see `kg.dictionary`); its *key* is the string form defined here, which is
N-Triples without escapes, so that it can be made from any parser's terms quickly and read back without ambiguity.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rdflib import BNode, Literal, URIRef, Variable
from rdflib.term import Node

__all__ = ["Triple", "Variable", "fault", "local_name", "split_camel", "term_from_key", "term_key"]

_XSD_STRING = "http://www.w3.org/2001/XMLSchema#string"


class Triple(NamedTuple):
    """A ground triple of rdflib terms."""

    subject: Node
    predicate: Node
    object: Node

    def __str__(self) -> str:
        return " ".join(term_key(term) for term in self)


def fault(triple: Sequence[Node]) -> str:
    """What keeps terms from being an RDF triple, in words; empty for a triple."""
    if len(triple) != 3:
        return f"{len(triple)} terms"
    for name, term in Triple(*triple)._asdict().items():
        if not isinstance(term, (URIRef, BNode, Literal)):
            return f"the {name} is no RDF term: {term!r}"
    if isinstance(triple[0], Literal):
        return f"the subject is a literal: {triple[0].n3()}"
    if not isinstance(triple[1], URIRef):
        return f"the predicate is not an IRI: {triple[1]!r}"
    return ""


def term_key(term: Node) -> str:
    """The dictionary key of a term: `<iri>`, `_:label`, or `"text"` with `@lang` or `^^<datatype>`.

    Raises:
        TypeError: the term is none of IRI, blank node, literal.
    """
    if isinstance(term, URIRef):
        return f"<{term}>"
    if isinstance(term, BNode):
        return f"_:{term}"
    if isinstance(term, Literal):
        if term.language:
            return f'"{term!s}"@{term.language.lower()}'
        if term.datatype is None or str(term.datatype) == _XSD_STRING:
            return f'"{term!s}"'
        return f'"{term!s}"^^<{term.datatype}>'
    raise TypeError(f"Expected an IRI, a blank node or a literal (got {type(term).__name__} {term!r})")


def term_from_key(key: str) -> Node:
    """The rdflib term for a dictionary key; a literal keeps its lexical form exactly."""
    if key[0] == "<":
        return URIRef(key[1:-1])
    if key[0] == "_":
        return BNode(key[2:])
    end = key.rindex('"')
    text, suffix = key[1:end], key[end + 1 :]
    if suffix.startswith("@"):
        language, mark, _ = suffix[1:].partition("--")
        literal = Literal(text, lang=language)
        if mark:
            literal._language = suffix[1:]  # RDF 1.2 `@en--ltr`: rdflib has no constructor for a direction
        return literal
    if suffix.startswith("^^<"):
        return Literal(text, datatype=URIRef(suffix[3:-1]), normalize=False)
    return Literal(text)


def local_name(iri: str) -> str:
    """The part of an IRI after its last `#`, `/` or `:`."""
    return re.split(r"[#/:]", iri.rstrip("#/"))[-1] or iri


def split_camel(name: str) -> str:
    """A local name as lower-case words: `hasQtRisk` gives `has qt risk`, `late_stage` gives `late stage`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return re.sub(r"[_\-\s]+", " ", spaced).strip().lower()
