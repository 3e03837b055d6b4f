"""Parse tree of a SPARQL-RL text -> terms and plain triples: prefixes, escapes, and abbreviations written out.

Paths become chains, collections become `rdf:first` and `rdf:rest`, a reified triple becomes a reifier with
`rdf:reifies`. What stands in between has a blank node here; `srl_tree.py` knows whether that is a variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple
from urllib.parse import urljoin

from lark import Token
from lark.visitors import Transformer_NonRecursive
from rdflib import RDF, XSD, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.functions import directed_literal
from engine.symbolic.rules import Atom, TripleTerm
from kg.errors import SyntaxInputError

__all__ = ["MAX_NESTING", "Items", "TermReader"]

REIFIES = URIRef(str(RDF) + "reifies")
MAX_NESTING = 100
"""Depth of an expression or triple term: what is deeper was not written by hand."""
_ESCAPES = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
Items = list[Any]
"""The children of a node of the parse tree, already turned into values."""


class _Node(NamedTuple):
    """A term and the triples its abbreviation stands for."""

    term: Node
    atoms: tuple[Atom, ...] = ()


class _Reifier(NamedTuple):
    term: Node


class _Block(NamedTuple):
    """`{| … |}`: what is said of a reifier."""

    properties: Items


class _Object(NamedTuple):
    """An object, and for each reifier of its triple the reifier and what is said of it."""

    node: _Node
    reifiers: tuple[tuple[Node, tuple[Atom, ...]], ...]


class _Step(NamedTuple):
    """A property of a path; `inverse` is from object to subject."""

    predicate: Node
    inverse: bool


class TermReader(Transformer_NonRecursive):  # type: ignore[type-arg]  # generic only in lark's stubs
    """Turns the parts of a parse tree up to blocks of triples into values; holds what the text has declared so far.

    Args:
        text: the text itself, for the names it uses. file: for locations. base: resolves relative IRIs, None where
            there is none.
    """

    def __init__(self, text: str, *, file: str, base: str | None) -> None:
        super().__init__(visit_tokens=False)
        self._file, self._base = file, base
        self._prefixes: dict[str, str] = {}
        self._imports: list[str] = []
        self._labels = set(re.findall(r"_:([\w.\-]+)", text))
        self._new = 0
        self._variables: list[Token] = []
        self._paths: list[Token] = []
        self._last = Token("START", "", line=1, column=1)

    # Errors and new names ---------------------------------------------------------------------------------------

    def _error(self, message: str, token: Token | None = None) -> SyntaxInputError:
        at = token or self._last
        return SyntaxInputError(message, file=self._file, line=at.line, column=at.column)

    def _blank(self) -> BNode:
        while True:
            self._new += 1
            label = f"b{self._new}"
            if label not in self._labels:
                return BNode(label)

    # Prologue ---------------------------------------------------------------------------------------------------

    def base_decl(self, items: Items) -> None:
        self._base = str(self._resolve(items[1]))

    def prefix_decl(self, items: Items) -> None:
        self._prefixes[items[1][:-1]] = str(self._resolve(items[2]))

    def version_decl(self, items: Items) -> None:
        pass

    def imports_decl(self, items: Items) -> None:
        self._imports.append(str(items[1]))

    def _resolve(self, token: Token) -> URIRef:
        text = self._unescape(token[1:-1], token)
        if re.search(r'[\x00-\x20<>"{}|^`\\]', text):
            raise self._error(f"Expected an IRI without spaces or quotes (got {token})", token)
        if not re.match(r"[A-Za-z][A-Za-z0-9+.\-]*:", text):
            if self._base is None:
                raise self._error(f"Expected an absolute IRI, or a BASE declaration before it (got {token})", token)
            path, mark, fragment = text.partition("#")  # urljoin drops an empty fragment
            text = (urljoin(self._base, path) if path else self._base.partition("#")[0]) + mark + fragment
        return URIRef(text)

    # Terms ------------------------------------------------------------------------------------------------------

    def iri(self, items: Items) -> URIRef:
        token = self._last = items[0]
        if token.type == "IRIREF":
            return self._resolve(token)
        prefix, _, local = token.partition(":")
        if prefix not in self._prefixes:
            nearest = get_close_matches(prefix, self._prefixes, 1)
            hint = f"; did you mean '{nearest[0]}:'?" if nearest else ""
            raise self._error(f"Expected a declared prefix (got '{prefix}:'){hint}", token)
        return URIRef(self._prefixes[prefix] + re.sub(r"\\(.)", r"\1", local))

    def var(self, items: Items) -> Variable:
        self._last = items[0]
        self._variables.append(items[0])
        return Variable(items[0][1:])

    def blank_label(self, items: Items) -> BNode:
        self._last = items[0]
        return BNode(items[0][2:])

    def anon(self, items: Items) -> BNode:
        self._last = items[0]
        return self._blank()

    def nil(self, items: Items) -> URIRef:
        self._last = items[0]
        return RDF.nil

    def verb(self, items: Items) -> Node:
        return RDF.type if isinstance(items[0], Token) else items[0]

    def number(self, items: Items) -> Literal:
        token = self._last = items[0]
        name = token.type.partition("_")[0].lower()
        return Literal(str(token), datatype=XSD[name], normalize=False)

    signed_number = number

    def boolean(self, items: Items) -> Literal:
        self._last = items[0]
        return Literal(items[0].lower(), datatype=XSD.boolean, normalize=False)

    def string_literal(self, items: Items) -> Literal:
        token = self._last = items[0]
        quotes = 3 if token.type.startswith("STRING_LONG") else 1
        text = self._unescape(token[quotes:-quotes], token)
        if len(items) == 1:
            return Literal(text)
        if not isinstance(items[1], Token):
            plain = items[1] == XSD.string
            return Literal(text) if plain else Literal(text, datatype=items[1], normalize=False)
        language, _, direction = items[1][1:].partition("--")
        if not direction:
            return Literal(text, lang=language)
        if direction not in ("ltr", "rtl"):
            raise self._error(f"Expected the direction ltr or rtl (got '{direction}')", items[1])
        return directed_literal(text, f"{language}--{direction}")

    def _unescape(self, text: str, token: Token) -> str:
        if "\\" not in text:
            return text

        def character(match: re.Match[str]) -> str:
            if match[3]:
                return _ESCAPES[match[3]]
            code = int(match[1] or match[2], 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise self._error(f"Expected the code of a character (got {match[0]})", token)
            return chr(code)

        return _ESCAPE.sub(character, text)

    def triple_term(self, items: Items) -> TripleTerm:
        term = TripleTerm(*items)
        if term.count("<<(") > MAX_NESTING:
            raise self._error(f"Expected a triple term nested at most {MAX_NESTING} deep")
        return term

    # Triples ----------------------------------------------------------------------------------------------------

    def path(self, items: Items) -> Node | tuple[_Step, ...]:
        steps: tuple[_Step, ...] = tuple(step for part in items for step in part)
        if len(steps) == 1 and not steps[0].inverse and len(items) == 1 and not isinstance(items[0], list):
            return steps[0].predicate  # a plain property
        self._paths.append(self._last)
        return steps

    def nested_path(self, items: Items) -> Node | tuple[_Step, ...]:
        """A path in parentheses is a path and no plain property, even around a single IRI: a head has none."""
        self._paths.append(self._last)
        return items[0]  # type: ignore[no-any-return]  # what `path` gave

    def path_step(self, items: Items) -> Sequence[_Step]:
        inverse = isinstance(items[0], Token) and items[0].type == "INVERSE"
        inner = items[-1]
        if isinstance(inner, Token):
            self._last, inner = inner, RDF.type
        if isinstance(inner, URIRef):
            return (_Step(inner, inverse),)
        steps = inner if isinstance(inner, tuple) else (_Step(inner, False),)
        return [_Step(p, not i) for p, i in reversed(steps)] if inverse else list(steps)

    def collection(self, items: Items) -> _Node:
        cells: list[Node] = [self._blank() for _ in items]
        atoms: list[Atom] = []
        for cell, rest, item in zip(cells, [*cells[1:], RDF.nil], map(_node, items), strict=True):
            atoms += [Atom(cell, RDF.first, item.term), *item.atoms, Atom(cell, RDF.rest, rest)]
        return _Node(cells[0], tuple(atoms))

    def blank_properties(self, items: Items) -> _Node:
        subject = self._blank()
        return _Node(subject, tuple(self._statements(subject, items[0])))

    def reified_triple(self, items: Items) -> _Node:
        subject, predicate, obj = _node(items[0]), items[1], _node(items[2])
        reifier = items[3].term if len(items) > 3 else self._blank()
        stated = Atom(reifier, REIFIES, TripleTerm(subject.term, predicate, obj.term))
        return _Node(reifier, (*subject.atoms, *obj.atoms, stated))

    def reifier(self, items: Items) -> _Reifier:
        return _Reifier(items[0] if items else self._blank())

    def annotation_block(self, items: Items) -> _Block:
        return _Block(items[0])

    def object(self, items: Items) -> _Object:
        """An annotation block speaks of the reifier before it, or of a new one."""
        reifiers: list[tuple[Node, tuple[Atom, ...]]] = []
        named = False
        for item in items[1:]:
            if isinstance(item, _Reifier):
                reifiers.append((item.term, ()))
            else:
                term = reifiers.pop()[0] if named else self._blank()
                reifiers.append((term, tuple(self._statements(term, item.properties))))
            named = isinstance(item, _Reifier)
        return _Object(_node(items[0]), tuple(reifiers))

    def verb_objects(self, items: Items) -> Items:
        if isinstance(items[0], tuple) and any(item.reifiers for item in items[1:]):
            raise self._error("Expected a single property before an annotation (got a path)")
        return items

    def property_list(self, items: Items) -> Items:
        return items

    def same_subject(self, items: Items) -> list[Atom]:
        subject = _node(items[0])
        return [*subject.atoms, *(self._statements(subject.term, items[1]) if len(items) > 1 else ())]

    def triples_block(self, items: Items) -> list[Atom]:
        return [atom for block in items for atom in block]

    def _statements(self, subject: Node, properties: Items) -> Iterator[Atom]:
        for predicate, *objects in properties:
            for node, reifiers in objects:
                if isinstance(predicate, tuple):
                    yield from self._chain(subject, predicate, node.term)
                else:
                    yield Atom(subject, predicate, node.term)
                yield from node.atoms
                for reifier, atoms in reifiers:
                    yield Atom(reifier, REIFIES, TripleTerm(subject, predicate, node.term))
                    yield from atoms

    def _chain(self, start: Node, steps: Sequence[_Step], end: Node) -> Iterator[Atom]:
        for number, (predicate, inverse) in enumerate(steps, start=1):
            target = end if number == len(steps) else self._blank()
            yield Atom(target, predicate, start) if inverse else Atom(start, predicate, target)
            start = target


def _node(item: Node | _Node) -> _Node:
    return item if isinstance(item, _Node) else _Node(item)
