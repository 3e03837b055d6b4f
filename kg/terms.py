"""RDF terms as they appear at the public surface: rdflib's own classes, and the triple made of them.

Inside the project a term is a dense integer (see `kg.dictionary`); its *key* is the string form defined here, which is
N-Triples without escapes, so that it can be made from any parser's terms quickly and read back without ambiguity.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Self, cast

from rdflib import RDF, BNode, Literal, URIRef, Variable
from rdflib.term import Identifier, Node

from kg.triple_keys import OPEN, split_triple_key, triple_key

__all__ = [
    "Triple",
    "TripleTerm",
    "Variable",
    "fault",
    "is_list_cell",
    "local_name",
    "split_camel",
    "term_from_key",
    "term_key",
    "term_text",
]

_XSD_STRING = "http://www.w3.org/2001/XMLSchema#string"


class Triple(NamedTuple):
    """A ground triple of rdflib terms."""

    subject: Node
    predicate: Node
    object: Node

    def __str__(self) -> str:
        return " ".join(term_key(term) for term in self)


def is_list_cell(triple: Sequence[Node]) -> bool:
    """Whether a triple is part of an RDF list: its cells are told by the list as a whole."""
    return triple[1] in (RDF.first, RDF.rest)


def fault(triple: Sequence[Node]) -> str:
    """What keeps terms from being an RDF triple, in words; empty for a triple."""
    if len(triple) != 3:
        return f"{len(triple)} terms"
    for name, term in Triple(*triple)._asdict().items():
        if not isinstance(term, (URIRef, BNode, Literal, TripleTerm)):
            return f"the {name} is no RDF term: {term!r}"
    if isinstance(triple[0], (Literal, TripleTerm)):
        kind = "literal" if isinstance(triple[0], Literal) else "triple term"
        return f"the subject is a {kind}: {triple[0].n3()}"
    if not isinstance(triple[1], URIRef):
        return f"the predicate is not an IRI: {triple[1]!r}"
    return ""


class TripleTerm(Identifier):
    """A triple used as a term (RDF 1.2 `<<( s p o )>>`), which rdflib has no class for; parts may be variables.

    It is a string, like every rdflib term: its own N-Triples form. Two triple terms are equal when their parts are.
    """

    __slots__ = ("object", "predicate", "subject")
    subject: Node
    predicate: Node
    object: Node

    def __new__(cls, subject: Node, predicate: Node, object: Node) -> Self:
        text = f"<<( {term_text(subject)} {term_text(predicate)} {term_text(object)} )>>"
        self = cast(Self, Identifier.__new__(cls, text))
        for name, part in (("subject", subject), ("predicate", predicate), ("object", object)):
            super().__setattr__(self, name, part)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Expected no change to an immutable triple term (got {name!r}); make a new one instead.")

    def __reduce__(self) -> tuple[type[TripleTerm], tuple[Node, Node, Node]]:
        return (TripleTerm, self.parts)

    @property
    def parts(self) -> tuple[Node, Node, Node]:
        """Subject, predicate and object."""
        return (self.subject, self.predicate, self.object)

    def n3(self, namespace_manager: Any = None) -> str:
        """N-Triples 1.2 form."""
        return str(self)


def term_text(term: Node) -> str:
    """N-Triples form of a term, or `?name` for a variable: how terms are shown in rules and messages."""
    if isinstance(term, Literal):
        return _literal_text(term)
    if isinstance(term, URIRef):
        return f"<{term}>"
    if isinstance(term, BNode):
        return f"_:{term}"
    if isinstance(term, Variable):
        return f"?{term}"
    return str(term)


def _literal_text(literal: Literal) -> str:
    text = str(literal).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    if literal.language:
        return f'"{text}"@{literal.language}'
    return f'"{text}"^^<{literal.datatype}>' if literal.datatype else f'"{text}"'


def term_key(term: Node) -> str:
    """The dictionary key of a term: `<iri>`, `_:label`, `"text"` with `@lang` or `^^<datatype>`, `<<( s p o )>>`.

    Raises:
        TypeError: the term is none of IRI, blank node, literal, triple term.
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
    if isinstance(term, TripleTerm):
        return triple_key(*map(term_key, term.parts))
    raise TypeError(f"Expected an IRI, a blank node or a literal (got {type(term).__name__} {term!r})")


def term_from_key(key: str) -> Node:
    """The rdflib term for a dictionary key; a literal keeps its lexical form exactly."""
    if key.startswith(OPEN):
        return TripleTerm(*map(term_from_key, split_triple_key(key)))
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
