"""N3 rules `{ … } => { … }` -> rules, by an own grammar: rdflib's N3 parser is never given a text from elsewhere.

Taken: prefixes, triples with their abbreviations, lists, `=>` and `<=`, `=> false` (a constraint), facts outside
formulas (the rule set's data), and the built-ins of `math:` and `log:` that compare and compute. Blank nodes of a body
are variables, those of a head are new ones.
"""

from __future__ import annotations

import re
from typing import Any

from lark import Token
from rdflib import BNode, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.imports.body import Computed, body_of, cells_of, chained, members, operand
from engine.symbolic.imports.grammar import read
from engine.symbolic.rules import (
    Atom,
    Call,
    Constraint,
    Expression,
    Filter,
    Location,
    Rule,
    RuleSet,
    check_safety,
)
from engine.symbolic.srl_terms import Items, TermReader
from kg.errors import UnsupportedRuleError
from kg.terms import Triple

__all__ = ["parse_n3"]

_MATH = "http://www.w3.org/2000/10/swap/math#"
_LOG = "http://www.w3.org/2000/10/swap/log#"
_BUILT_IN = re.compile(r"http://www\.w3\.org/2000/10/swap/(?:math|log|list|string|time|crypto|graph)#")
_COMPARE = {
    _MATH + "equalTo": "=",
    _MATH + "notEqualTo": "!=",
    _MATH + "lessThan": "<",
    _MATH + "notLessThan": ">=",
    _MATH + "greaterThan": ">",
    _MATH + "notGreaterThan": "<=",
}
_COMPUTE = {_MATH + "sum": "+", _MATH + "difference": "-", _MATH + "product": "*", _MATH + "quotient": "/"}
_UNARY = {_MATH + "negation": "-", _MATH + "absoluteValue": "ABS", _MATH + "rounded": "ROUND"}
_BEYOND = {
    r"\{": "a formula as a term",
    "@for(All|Some)": "quantifiers",
    "@keywords": "@keywords",
    "!": "a path with '!'",
    r"(is|has)\b": "'is … of' and 'has'",
    "=": "'=' (write owl:sameAs)",
    "<-": "'<-'",
}


def parse_n3(text: str, *, file: str = "<text>", base: str | None = None) -> RuleSet:
    """The rules of an N3 text; its facts are the data.

    Args:
        file: name for locations and errors. base: what relative IRIs are resolved against.

    Raises:
        SyntaxInputError: the text is no N3.
        UnsupportedRuleError: it uses a part of N3 that rules here have not, named with its line.
        UnsafeRuleError: a variable of a rule has no value where it is needed.
        LimitError: the text is longer than the cap.
    """
    result = read(text, "n3", _Reader(text, file=file, base=base), file=file, beyond=_BEYOND)
    assert isinstance(result, RuleSet)
    return result


class _Reader(TermReader):
    def __init__(self, text: str, *, file: str, base: str | None) -> None:
        super().__init__(text, file=file, base=base)
        self._rules: list[Rule] = []
        self._data: list[Triple] = []
        self._names = set(re.findall(r"[?$](\w+)", text))

    def n3(self, items: Items) -> RuleSet:
        return RuleSet(
            rules=tuple(r for r in self._rules if not isinstance(r, Constraint)),
            constraints=tuple(r for r in self._rules if isinstance(r, Constraint)),
            data=tuple(dict.fromkeys(self._data)),
            prefixes=self._prefixes,
        )

    def n3_prefix(self, items: Items) -> None:
        self._prefixes[items[0][:-1]] = str(self._resolve(items[1]))

    def n3_base(self, items: Items) -> None:
        self._base = str(self._resolve(items[0]))

    def n3_facts(self, items: Items) -> None:
        self._no_paths()
        atoms: list[Atom] = items[0]
        for term in (term for atom in atoms for term in atom.terms):
            if isinstance(term, Variable):
                message = f"Expected a variable inside a formula only (got {term.n3()} in a triple outside)"
                raise self._unsupported(message, self._last)
        self._data += [Triple(*atom.terms) for atom in atoms]

    def formula(self, items: Items) -> tuple[Token, list[Atom]]:
        self._no_paths()
        return items[0], items[1] if len(items) > 1 else []

    def n3_rule(self, items: Items) -> None:
        left, sign, right = items
        body, head = (right, left) if sign.type == "IMPLIED_BY" else (left, right)
        begin = left[0] if isinstance(left, tuple) else sign
        location = Location(self._file, begin.line, begin.column)
        if not isinstance(body, tuple) and str(body) == "false":
            raise self._unsupported("Expected a body that can hold (got false)", begin)
        elements = body_of(*self._split(body[1], begin)) if isinstance(body, tuple) else ()
        rule = self._rule(head, elements, location, begin)
        check_safety(rule)
        self._rules.append(rule)

    def _rule(self, head: Any, body: tuple[Any, ...], location: Location, begin: Token) -> Rule:
        if not isinstance(head, tuple):
            if str(head) == "false":
                return Constraint(None, (), body, location=location)
            raise self._unsupported("Expected a head that says something (got true)", begin)
        atoms = tuple(head[1])
        if not atoms:
            message = "Expected a head that says something (got {}); a constraint has the head false"
            raise self._unsupported(message, begin)
        for atom in atoms:
            if self._builtin(atom):
                raise self._unsupported(f"Expected no built-in in a head (got {atom.predicate})", begin)
        return Rule(None, atoms, body, location=location)

    # Built-ins --------------------------------------------------------------------------------------------------

    def _builtin(self, atom: Atom) -> bool:
        return isinstance(atom.predicate, URIRef) and _BUILT_IN.match(atom.predicate) is not None

    def _split(self, atoms: list[Atom], begin: Token) -> tuple[list[Atom], list[Filter | Computed]]:
        """Plain atoms with variables for blank nodes, and built-ins; the cells of their argument lists are left out."""
        cells = cells_of(atoms)
        used: set[Node] = set()
        builtins: list[tuple[Atom, list[Node]]] = []
        for atom in filter(self._builtin, atoms):
            listed = list(members(atom.subject, cells))
            used.update(cell for cell, _ in listed)
            builtins.append((atom, [member for _, member in listed]))
        plain = [atom for atom in atoms if not self._builtin(atom) and atom.subject not in used]
        blanks = (t for atom in atoms for t in atom.terms if isinstance(t, BNode) and t not in used)
        names: dict[Node, Node] = {blank: self._name(blank) for blank in dict.fromkeys(blanks)}

        def known(term: Node) -> Node:
            return names.get(term, term)

        found = [
            self._expression(Atom(known(a.subject), a.predicate, known(a.object)), list(map(known, listed)), begin)
            for a, listed in builtins
        ]
        return [Atom(*map(known, atom.terms)) for atom in plain], found

    def _expression(self, atom: Atom, listed: list[Node], begin: Token) -> Filter | Computed:
        name = str(atom.predicate)
        if name == _LOG + "equalTo":
            return Computed(atom.object, operand(atom.subject), "sameTerm")
        if name == _LOG + "notEqualTo":
            same: Expression = Call("sameTerm", (operand(atom.subject), operand(atom.object)))
            return Filter(Call("!", (same,)))
        if name in _COMPARE:
            return Filter(Call(_COMPARE[name], (operand(atom.subject), operand(atom.object))))
        if name in _UNARY:
            return Computed(atom.object, Call(_UNARY[name], (operand(atom.subject),)))
        if name in _COMPUTE:
            exact = name in (_MATH + "difference", _MATH + "quotient")
            if len(listed) < 2 or (exact and len(listed) > 2):
                wanted = "two terms" if exact else "two terms or more"
                raise self._unsupported(f"Expected a list of {wanted} before <{name}> (got {len(listed)})", begin)
            return Computed(atom.object, chained(_COMPUTE[name], listed))
        known = ", ".join(sorted(n.rpartition("/")[2].replace("#", ":") for n in (*_COMPARE, *_COMPUTE, *_UNARY)))
        raise self._unsupported(f"Expected a built-in among log:equalTo, log:notEqualTo, {known} (got <{name}>)", begin)

    def _name(self, blank: BNode) -> Variable:
        name = "_" + re.sub(r"\W", "_", blank)
        while name in self._names:
            name += "_"
        return Variable(name)

    def _no_paths(self) -> None:
        if self._paths:
            raise self._error("Expected a property (got a SPARQL path, which N3 has not)", self._paths[0])

    def _unsupported(self, message: str, at: Token) -> UnsupportedRuleError:
        return UnsupportedRuleError(message, file=self._file, line=at.line, column=at.column)
