"""Jena rules `[name: (?a p ?b), greaterThan(?b, 5) -> (?a q ?b)]` -> rules.

Forward and backward rules say the same and become the same. `noValue` becomes NOT, `makeTemp` a blank node of the head.
The prefixes rdf, rdfs, owl and xsd need no declaration, as in Jena. A rule's name becomes the IRI
`urn:noesis:rules:FILE#NAME`. Numbers are xsd:integer and xsd:decimal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import NamedTuple
from urllib.parse import quote

from lark import Token
from rdflib import OWL, RDF, RDFS, XSD, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.imports.body import Computed, body_of, chained, operand
from engine.symbolic.imports.grammar import read
from engine.symbolic.rules import Atom, Call, Expression, Filter, Location, Negation, Rule, RuleSet, check_safety
from engine.symbolic.srl_terms import Items, TermReader
from kg.errors import UnsupportedRuleError

__all__ = ["parse_jena"]

_PREFIXES = {"rdf": str(RDF), "rdfs": str(RDFS), "owl": str(OWL), "xsd": str(XSD)}
_BEYOND = {
    "@include": "@include (list the file itself)",
    r"\[": "a rule inside a rule",
    r"\w+\(": "a functor as a term",
}


def parse_jena(text: str, *, file: str = "<text>", base: str | None = None) -> RuleSet:
    """The rules of a text in Jena's rule syntax.

    Args:
        file: name for the rules' IRIs, locations and errors. base: what relative IRIs are resolved against.

    Raises:
        SyntaxInputError: the text does not follow the grammar.
        UnsupportedRuleError: it uses a built-in or a form that rules here have not, named with its line.
        UnsafeRuleError: a variable of a rule has no value where it is needed.
        LimitError: the text is longer than the cap.
    """
    result = read(text, "jena", _Reader(text, file=file, base=base), file=file, beyond=_BEYOND)
    assert isinstance(result, RuleSet)
    return result


class _Call(NamedTuple):
    """A built-in as written."""

    name: Token
    arguments: tuple[Node, ...]


class _Reader(TermReader):
    def __init__(self, text: str, *, file: str, base: str | None) -> None:
        super().__init__(text, file=file, base=base)
        self._prefixes.update(_PREFIXES)
        self._rules: list[Rule] = []
        self._names = set(re.findall(r"\?(\w+)", text))
        self._wild = 0

    def jena(self, items: Items) -> RuleSet:
        return RuleSet(rules=tuple(self._rules), prefixes=self._prefixes)

    def jena_prefix(self, items: Items) -> None:
        self._prefixes[items[0][:-1]] = str(self._resolve(items[1]))

    def var(self, items: Items) -> Variable:
        """A variable; each `?_` is one of its own."""
        variable = super().var(items)
        if str(variable) != "_":
            return variable
        while f"_any{self._wild}" in self._names:
            self._wild += 1
        self._names.add(f"_any{self._wild}")
        return Variable(f"_any{self._wild}")

    def jena_triple(self, items: Items) -> Atom:
        return Atom(*items)

    def jena_call(self, items: Items) -> _Call:
        return _Call(items[0], tuple(item for item in items[1:] if not isinstance(item, Token)))

    def jena_side(self, items: Items) -> Items:
        return items

    def jena_rule(self, items: Items) -> None:
        begin = items[0]
        name = next((t[:-1] for t in items if isinstance(t, Token) and t.type == "PNAME_NS"), None)
        sign = next(t.type for t in items if isinstance(t, Token) and t.type in ("FORWARD", "BACKWARD"))
        body, head = [item for item in items if isinstance(item, list)][:: -1 if sign == "BACKWARD" else 1]
        temporary = {
            argument: BNode(f"temp_{argument}")
            for call in (*body, *head)
            if isinstance(call, _Call) and call.name == "makeTemp"
            for argument in call.arguments
        }
        atoms = [item for item in body if isinstance(item, Atom)]
        conditions = [self._builtin(c) for c in body if isinstance(c, _Call) and c.name != "makeTemp"]
        rule = Rule(
            URIRef(f"urn:noesis:rules:{quote(self._file)}#{quote(name)}") if name else None,
            tuple(self._head(item, temporary) for item in head if not _makes(item)),
            body_of(atoms, conditions),
            location=Location(self._file, begin.line, begin.column),
        )
        if not rule.head:
            raise self._unsupported("Expected a triple in the head (got none)", begin)
        check_safety(rule)
        self._rules.append(rule)

    def _head(self, item: Atom | _Call, temporary: dict[Node, BNode]) -> Atom:
        if isinstance(item, _Call):
            raise self._unsupported(f"Expected triples in the head (got the action {item.name})", item.name)
        return Atom(*(temporary.get(term, term) for term in item.terms))

    def _builtin(self, call: _Call) -> Filter | Computed | Negation:
        found = _BUILTINS.get(str(call.name))
        if found is None:
            near = get_close_matches(call.name, _BUILTINS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            known = ", ".join(sorted(_BUILTINS))
            raise self._unsupported(f"Expected a built-in among {known}, makeTemp (got {call.name}){hint}", call.name)
        least, most, make = found
        if not least <= len(call.arguments) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            message = f"Expected {wanted} arguments of {call.name} (got {len(call.arguments)})"
            raise self._unsupported(message, call.name)
        return make(self, call.arguments)

    def no_value(self, terms: Sequence[Node]) -> Negation:
        """`noValue(s, p)` and `noValue(s, p, o)`."""
        subject, predicate, *rest = terms
        return Negation((Atom(subject, predicate, rest[0] if rest else self.var([Token("VAR", "?_")])),))

    def _unsupported(self, message: str, at: Token) -> UnsupportedRuleError:
        return UnsupportedRuleError(message, file=self._file, line=at.line, column=at.column)


def _makes(item: Atom | _Call) -> bool:
    return isinstance(item, _Call) and item.name == "makeTemp"


_Maker = Callable[[_Reader, Sequence[Node]], Filter | Computed | Negation]


def _test(function: str, *, negated: bool = False) -> _Maker:
    def make(_: _Reader, terms: Sequence[Node]) -> Filter:
        call: Expression = Call(function, tuple(map(operand, terms)))
        return Filter(Call("!", (call,)) if negated else call)

    return make


def _compute(operator: str) -> _Maker:
    return lambda _, terms: Computed(terms[-1], chained(operator, terms[:-1]))


def _one_more(operator: str) -> _Maker:
    one = Literal("1", datatype=XSD.integer)
    return lambda _, terms: Computed(terms[1], chained(operator, (terms[0], one)))


def _choose(operator: str) -> _Maker:
    def make(_: _Reader, terms: Sequence[Node]) -> Computed:
        a, b = map(operand, terms[:2])
        return Computed(terms[2], Call("IF", (Call(operator, (a, b)), a, b)))

    return make


def _concat(_: _Reader, terms: Sequence[Node]) -> Computed:
    return Computed(terms[-1], Call("CONCAT", tuple(Call("STR", (operand(term),)) for term in terms[:-1])))


_BUILTINS: dict[str, tuple[int, int, _Maker]] = {
    "equal": (2, 2, _test("=")),
    "notEqual": (2, 2, _test("!=")),
    "lessThan": (2, 2, _test("<")),
    "greaterThan": (2, 2, _test(">")),
    "le": (2, 2, _test("<=")),
    "ge": (2, 2, _test(">=")),
    "sum": (3, 3, _compute("+")),
    "difference": (3, 3, _compute("-")),
    "product": (3, 3, _compute("*")),
    "addOne": (2, 2, _one_more("+")),
    "min": (3, 3, _choose("<")),
    "max": (3, 3, _choose(">")),
    "strConcat": (2, 100, _concat),
    "isLiteral": (1, 1, _test("isLITERAL")),
    "notLiteral": (1, 1, _test("isLITERAL", negated=True)),
    "isBNode": (1, 1, _test("isBLANK")),
    "notBNode": (1, 1, _test("isBLANK", negated=True)),
    "noValue": (2, 3, _Reader.no_value),
}
