"""Parse tree of a SPARQL-RL text -> rules: prefixes, escapes, and the abbreviations written out as plain triples.

Blank nodes of a body become variables (`_:x` is `?_x`), paths become chains, collections become `rdf:first` and
`rdf:rest`, a reified triple becomes a reifier with `rdf:reifies`. A rule with an empty head, or with a head that
describes one `sh:ValidationResult`, is a constraint (our extension of the draft).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, NamedTuple
from urllib.parse import urljoin

from lark import Token
from lark.visitors import Transformer_NonRecursive
from rdflib import DCTERMS, RDF, RDFS, XSD, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.functions import FUNCTIONS, directed_literal
from engine.symbolic.rules import (
    SHACL,
    Assignment,
    Atom,
    Call,
    Constant,
    Constraint,
    Expression,
    Filter,
    Location,
    Negation,
    Rule,
    RuleSet,
    Severity,
    TripleTerm,
    VariableRef,
    check_safety,
)
from kg.errors import SyntaxInputError
from kg.terms import Triple

__all__ = ["RuleReader"]

REIFIES = URIRef(str(RDF) + "reifies")
MAX_NESTING = 100
"""Depth of an expression or triple term: what is deeper was not written by hand."""
_FORMS = {"IF": (3, 3), "BNODE": (0, 1)}
_NAMES = {name.upper(): name for name in [*FUNCTIONS, *_FORMS] if name[0].isalpha()}
_ESCAPES = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_Items = list[Any]


class _Node(NamedTuple):
    """A term and the triples its abbreviation stands for."""

    term: Node
    atoms: tuple[Atom, ...] = ()


class _Reifier(NamedTuple):
    term: Node


class _Block(NamedTuple):
    """`{| … |}`: what is said of a reifier."""

    properties: _Items


class _Object(NamedTuple):
    """An object, and for each reifier of its triple the reifier and what is said of it."""

    node: _Node
    reifiers: tuple[tuple[Node, tuple[Atom, ...]], ...]


class _Step(NamedTuple):
    """A property of a path; `inverse` is from object to subject."""

    predicate: Node
    inverse: bool


class RuleReader(Transformer_NonRecursive):  # type: ignore[type-arg]  # generic only in lark's stubs
    """Turns one parse tree into a `RuleSet`; holds what the text has declared so far.

    Args:
        file: for locations. base: resolves relative IRIs, None where there is none. text: the text itself.
    """

    def __init__(self, text: str, *, file: str, base: str | None) -> None:
        super().__init__(visit_tokens=False)
        self._file, self._base = file, base
        self._prefixes: dict[str, str] = {}
        self._imports: list[str] = []
        self._rules: list[Rule] = []
        self._data: list[Triple] = []
        self._labels = set(re.findall(r"_:([\w.\-]+)", text))
        self._names = set(re.findall(r"[?$](\w+)", text))
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

    def start(self, items: _Items) -> RuleSet:
        rules, data = _attach(self._rules, self._data)
        return RuleSet(
            rules=tuple(r for r in rules if not isinstance(r, Constraint)),
            constraints=tuple(r for r in rules if isinstance(r, Constraint)),
            data=tuple(dict.fromkeys(data)),
            prefixes=self._prefixes,
            imports=tuple(self._imports),
        )

    def base_decl(self, items: _Items) -> None:
        self._base = str(self._resolve(items[1]))

    def prefix_decl(self, items: _Items) -> None:
        self._prefixes[items[1][:-1]] = str(self._resolve(items[2]))

    def version_decl(self, items: _Items) -> None:
        pass

    def imports_decl(self, items: _Items) -> None:
        self._imports.append(str(items[1]))

    def _resolve(self, token: Token) -> URIRef:
        text = self._unescape(token[1:-1], token)
        if re.search(r'[\x00-\x20<>"{}|^`\\]', text):
            raise self._error(f"Expected an IRI without spaces or quotes (got {token})", token)
        if not re.match(r"[A-Za-z][A-Za-z0-9+.\-]*:", text):
            if self._base is None:
                raise self._error(f"Expected an absolute IRI, or a BASE declaration before it (got {token})", token)
            text = urljoin(self._base, text) if text else self._base.partition("#")[0]
        return URIRef(text)

    # Terms ------------------------------------------------------------------------------------------------------

    def iri(self, items: _Items) -> URIRef:
        token = self._last = items[0]
        if token.type == "IRIREF":
            return self._resolve(token)
        prefix, _, local = token.partition(":")
        if prefix not in self._prefixes:
            nearest = get_close_matches(prefix, self._prefixes, 1)
            hint = f"; did you mean '{nearest[0]}:'?" if nearest else ""
            raise self._error(f"Expected a declared prefix (got '{prefix}:'){hint}", token)
        return URIRef(self._prefixes[prefix] + re.sub(r"\\(.)", r"\1", local))

    def var(self, items: _Items) -> Variable:
        self._last = items[0]
        self._variables.append(items[0])
        return Variable(items[0][1:])

    def blank_label(self, items: _Items) -> BNode:
        self._last = items[0]
        return BNode(items[0][2:])

    def anon(self, items: _Items) -> BNode:
        self._last = items[0]
        return self._blank()

    def nil(self, items: _Items) -> URIRef:
        self._last = items[0]
        return RDF.nil

    def verb(self, items: _Items) -> Node:
        return RDF.type if isinstance(items[0], Token) else items[0]

    def number(self, items: _Items) -> Literal:
        token = self._last = items[0]
        name = token.type.partition("_")[0].lower()
        return Literal(str(token), datatype=XSD[name], normalize=False)

    signed_number = number

    def boolean(self, items: _Items) -> Literal:
        self._last = items[0]
        return Literal(items[0].lower(), datatype=XSD.boolean, normalize=False)

    def string_literal(self, items: _Items) -> Literal:
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

    def triple_term(self, items: _Items) -> TripleTerm:
        term = TripleTerm(*items)
        if term.count("<<(") > MAX_NESTING:
            raise self._error(f"Expected a triple term nested at most {MAX_NESTING} deep")
        return term

    # Triples ----------------------------------------------------------------------------------------------------

    def path(self, items: _Items) -> Node | tuple[_Step, ...]:
        steps: tuple[_Step, ...] = tuple(step for part in items for step in part)
        if len(steps) == 1 and not steps[0].inverse and len(items) == 1 and not isinstance(items[0], list):
            return steps[0].predicate  # a plain property
        self._paths.append(self._last)
        return steps

    def path_step(self, items: _Items) -> Sequence[_Step]:
        inverse = isinstance(items[0], Token) and items[0].type == "INVERSE"
        inner = items[-1]
        if isinstance(inner, Token):
            self._last, inner = inner, RDF.type
        if isinstance(inner, URIRef):
            return (_Step(inner, inverse),)
        steps = inner if isinstance(inner, tuple) else (_Step(inner, False),)
        return [_Step(p, not i) for p, i in reversed(steps)] if inverse else list(steps)

    def collection(self, items: _Items) -> _Node:
        cells: list[Node] = [self._blank() for _ in items]
        atoms: list[Atom] = []
        for cell, rest, item in zip(cells, [*cells[1:], RDF.nil], map(_node, items), strict=True):
            atoms += [Atom(cell, RDF.first, item.term), *item.atoms, Atom(cell, RDF.rest, rest)]
        return _Node(cells[0], tuple(atoms))

    def blank_properties(self, items: _Items) -> _Node:
        subject = self._blank()
        return _Node(subject, tuple(self._statements(subject, items[0])))

    def reified_triple(self, items: _Items) -> _Node:
        subject, predicate, obj = _node(items[0]), items[1], _node(items[2])
        reifier = items[3].term if len(items) > 3 else self._blank()
        stated = Atom(reifier, REIFIES, TripleTerm(subject.term, predicate, obj.term))
        return _Node(reifier, (*subject.atoms, *obj.atoms, stated))

    def reifier(self, items: _Items) -> _Reifier:
        return _Reifier(items[0] if items else self._blank())

    def annotation_block(self, items: _Items) -> _Block:
        return _Block(items[0])

    def object(self, items: _Items) -> _Object:
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

    def verb_objects(self, items: _Items) -> _Items:
        if isinstance(items[0], tuple) and any(item.reifiers for item in items[1:]):
            raise self._error("Expected a single property before an annotation (got a path)")
        return items

    def property_list(self, items: _Items) -> _Items:
        return items

    def same_subject(self, items: _Items) -> list[Atom]:
        subject = _node(items[0])
        return [*subject.atoms, *(self._statements(subject.term, items[1]) if len(items) > 1 else ())]

    def triples_block(self, items: _Items) -> list[Atom]:
        return [atom for block in items for atom in block]

    def _statements(self, subject: Node, properties: _Items) -> Iterator[Atom]:
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

    # Expressions ------------------------------------------------------------------------------------------------

    def any_of(self, items: _Items) -> Expression:
        return Call("||", tuple(map(_expression, items)))

    def all_of(self, items: _Items) -> Expression:
        return _expression(items[0]) if len(items) == 1 else Call("&&", tuple(map(_expression, items)))

    def comparison(self, items: _Items) -> Expression:
        left, operator, right = items
        return Call(str(operator), (_expression(left), _expression(right)))

    multiplication = addition = signed_product = comparison

    def signed_addition(self, items: _Items) -> Expression:
        """`?x -1` is a sum of two terms, the second with its sign."""
        return Call("+", (_expression(items[0]), _expression(items[1])))

    def membership(self, items: _Items) -> Expression:
        negated = len(items) == 4
        return Call("NOT IN" if negated else "IN", (_expression(items[0]), *items[-1]))

    def unary(self, items: _Items) -> Expression:
        return Call(str(items[0]), (_expression(items[1]),))

    def arguments(self, items: _Items) -> tuple[Expression, ...]:
        return tuple(_expression(item) for item in items if not isinstance(item, Token))

    def function_word(self, items: _Items) -> Expression:
        token, arguments = items
        name = _NAMES.get(token.upper())
        if name is None:
            nearest = get_close_matches(token.upper(), _NAMES, 1)
            hint = f"; did you mean {_NAMES[nearest[0]]}?" if nearest else ""
            raise self._error(f"Expected a function of SPARQL-RL (got {token}){hint}", token)
        least, most = _FORMS[name] if name in _FORMS else FUNCTIONS[name][:2]
        if not least <= len(arguments) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            raise self._error(f"Expected {wanted} arguments of {name} (got {len(arguments)})", token)
        return Call(name, arguments)

    def function_call(self, items: _Items) -> Expression:
        return Call(str(items[0]), items[1])

    def expression_triple(self, items: _Items) -> Expression:
        term = self.triple_term(items)
        if isinstance(items[0], TripleTerm) or any(_blanks(term)):
            raise self._error("Expected IRIs, literals and variables in a triple term of an expression")
        return Constant(term)

    # Rules ------------------------------------------------------------------------------------------------------

    def filter(self, items: _Items) -> Filter:
        return Filter(self._shallow(_expression(items[1])))

    def assignment(self, items: _Items) -> Assignment:
        return Assignment(items[1], self._shallow(_expression(items[2])))

    def _shallow(self, expression: Expression) -> Expression:
        level = [expression]
        for _ in range(MAX_NESTING):
            level = [argument for e in level if isinstance(e, Call) for argument in e.arguments]
            if not level:
                return expression
        raise self._error(f"Expected an expression nested at most {MAX_NESTING} deep")

    def negation(self, items: _Items) -> Negation:
        elements = [part for item in items for part in (item if isinstance(item, list) else [item])]
        data = any(isinstance(e, Token) and e.type == "DATA" for e in elements)
        return Negation(tuple(e for e in elements if not isinstance(e, Token)), data)

    def head(self, items: _Items) -> list[Atom]:
        if self._paths:
            raise self._error("Expected a property, not a path, in the head of a rule", self._paths[0])
        return items[0] if items else []

    def body(self, items: _Items) -> _Items:
        """The elements in order, each blank node replaced by a variable."""
        elements = [part for item in items for part in (item if isinstance(item, list) else [item])]
        atoms = [a for e in elements for a in (e.elements if isinstance(e, Negation) else [e]) if isinstance(a, Atom)]
        blanks = dict.fromkeys(blank for atom in atoms for term in atom.terms for blank in _blanks(term))
        names = {blank: self._name(blank) for blank in blanks}
        return [_rename(element, names) for element in elements]

    def _name(self, blank: BNode) -> Variable:
        name = "_" + re.sub(r"\W", "_", blank)
        while name in self._names:
            name += "_"
        return Variable(name)

    def rule(self, items: _Items) -> None:
        begin, body = items[0], tuple(items[-1])
        iri = items[1] if isinstance(items[1], URIRef) else None
        head = tuple(next(item for item in items if isinstance(item, list)))
        data = any(isinstance(item, Token) and item.type == "DATA" for item in items)
        rule = Rule(iri, head, body, data, location=Location(self._file, begin.line, begin.column))
        if not head or any(atom.predicate == RDF.type and atom.object == _RESULT for atom in head):
            rule = self._constraint(rule, begin)
        check_safety(rule)
        self._rules.append(rule)
        self._variables, self._paths = [], []

    def _constraint(self, rule: Rule, begin: Token) -> Constraint:
        """The constraint of a head that is empty or describes one violation."""
        subjects = {atom.subject for atom in rule.head}
        said = {atom.predicate: atom.object for atom in rule.head if atom.object != _RESULT}
        severity, message = said.pop(_SEVERITY, Severity.VIOLATION.value), said.pop(_MESSAGE, Literal(""))
        known: dict[Node, Severity] = {level.value: level for level in Severity}
        if len(subjects) > 1 or said or not all(isinstance(subject, BNode) for subject in subjects):
            wanted = "one blank node with sh:resultSeverity and sh:resultMessage, and nothing else"
            raise self._error(f"Expected in a head with sh:ValidationResult {wanted}", begin)
        if severity not in known or not isinstance(message, Literal):
            wanted = "sh:Violation, sh:Warning or sh:Info as severity and a string as message"
            raise self._error(f"Expected {wanted} (got {severity.n3()} and {message.n3()})", begin)
        return Constraint(
            rule.iri, (), rule.body, rule.data, location=rule.location, severity=known[severity], message=str(message)
        )

    def data(self, items: _Items) -> None:
        if self._variables:
            raise self._error(f"Expected no variable in DATA (got {self._variables[0]})", self._variables[0])
        if self._paths:
            raise self._error("Expected a property, not a path, in DATA", self._paths[0])
        self._data += [Triple(*atom.terms) for atom in (items[1] if len(items) > 1 else ())]


_RESULT = URIRef(SHACL + "ValidationResult")
_SEVERITY, _MESSAGE = URIRef(SHACL + "resultSeverity"), URIRef(SHACL + "resultMessage")


def _node(item: Node | _Node) -> _Node:
    return item if isinstance(item, _Node) else _Node(item)


def _expression(item: Node | Expression) -> Expression:
    if isinstance(item, (Constant, VariableRef, Call)):
        return item
    return VariableRef(item) if isinstance(item, Variable) else Constant(item)


def _blanks(term: Node) -> Iterator[BNode]:
    if isinstance(term, BNode):
        yield term
    elif isinstance(term, TripleTerm):
        for part in term.parts:
            yield from _blanks(part)


def _rename(element: Any, names: Mapping[BNode, Variable]) -> Any:
    """The body element with blank nodes replaced by variables."""

    def term(node: Node) -> Node:
        if isinstance(node, TripleTerm):
            return TripleTerm(*map(term, node.parts))
        return names.get(node, node) if isinstance(node, BNode) else node

    if isinstance(element, Atom):
        return Atom(*map(term, element.terms))
    if isinstance(element, Negation):
        return replace(element, elements=tuple(_rename(e, names) for e in element.elements))
    return element


def _attach(rules: Sequence[Rule], data: Iterable[Triple]) -> tuple[list[Rule], list[Triple]]:
    """The rules with their `rdfs:comment` and `dct:source`, and the triples that say something else."""
    names = {rule.iri for rule in rules if rule.iri is not None}
    said: dict[tuple[Node, Node], list[str]] = {}
    rest = []
    for triple in data:
        if triple.subject in names and triple.predicate in (RDFS.comment, DCTERMS.source):
            said.setdefault((triple.subject, triple.predicate), []).append(str(triple.object))
        else:
            rest.append(triple)

    def text(rule: Rule, predicate: URIRef) -> str:
        return "\n".join(said.get((rule.iri, predicate), ())) if rule.iri is not None else ""

    return [replace(r, comment=text(r, RDFS.comment), source=text(r, DCTERMS.source)) for r in rules], rest
