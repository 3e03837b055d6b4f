"""Parse tree of a SPARQL-RL text -> rules, over the triples that `srl_terms.py` has written out.

Blank nodes of a body become variables (`_:x` is `?_x`). A rule with an empty head, or with a head that describes one
`sh:ValidationResult`, is a constraint (our extension of the draft).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from lark import Token
from rdflib import DCTERMS, RDF, RDFS, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.functions import FUNCTIONS
from engine.symbolic.rules import (
    SHACL,
    WEIGHT,
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
from engine.symbolic.srl_terms import MAX_NESTING, Items, TermReader
from kg.errors import RuleError
from kg.terms import Triple

__all__ = ["RuleReader"]

_FORMS = {"IF": (3, 3), "BNODE": (0, 1)}
_NAMES = {name.upper(): name for name in [*FUNCTIONS, *_FORMS] if name[0].isalpha()}


class RuleReader(TermReader):
    """Turns one parse tree into a `RuleSet`; arguments as for `TermReader`, and whether unsafe rules are refused."""

    def __init__(self, text: str, *, file: str, base: str | None, check: bool = True) -> None:
        super().__init__(text, file=file, base=base)
        self._check = check
        self._rules: list[Rule] = []
        self._data: list[Triple] = []
        self._names = set(re.findall(r"[?$](\w+)", text))

    def start(self, items: Items) -> RuleSet:
        rules, data = _attach(self._rules, self._data)
        return RuleSet(
            rules=tuple(r for r in rules if not isinstance(r, Constraint)),
            constraints=tuple(r for r in rules if isinstance(r, Constraint)),
            data=tuple(dict.fromkeys(data)),
            prefixes=self._prefixes,
            imports=tuple(self._imports),
        )

    # Expressions ------------------------------------------------------------------------------------------------

    def any_of(self, items: Items) -> Expression:
        return Call("||", tuple(map(_expression, items)))

    def all_of(self, items: Items) -> Expression:
        return _expression(items[0]) if len(items) == 1 else Call("&&", tuple(map(_expression, items)))

    def comparison(self, items: Items) -> Expression:
        left, operator, right = items
        return Call(str(operator), (_expression(left), _expression(right)))

    multiplication = addition = comparison

    def signed_product(self, items: Items) -> Expression:
        return self.comparison(items) if len(items) == 3 else _expression(items[0])

    def signed_addition(self, items: Items) -> Expression:
        """`?x -1` is a sum of two terms, the second with its sign."""
        return Call("+", (_expression(items[0]), _expression(items[1])))

    def membership(self, items: Items) -> Expression:
        negated = len(items) == 4
        return Call("NOT IN" if negated else "IN", (_expression(items[0]), *items[-1]))

    def unary(self, items: Items) -> Expression:
        return Call(str(items[0]), (_expression(items[1]),))

    def arguments(self, items: Items) -> tuple[Expression, ...]:
        return tuple(_expression(item) for item in items if not isinstance(item, Token))

    def function_word(self, items: Items) -> Expression:
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

    def function_call(self, items: Items) -> Expression:
        return Call(str(items[0]), items[1])

    def aggregate(self, items: Items) -> Expression:
        """Our extension; `*` stands for the whole substitution, which can only be counted."""
        token, value = items[0], items[-1]
        name = token.upper() + (" DISTINCT" if len(items) == 3 else "")
        if not isinstance(value, Token):
            return Call(name, (_expression(value),))
        if name != "COUNT":
            raise self._error(f"Expected * in a plain COUNT alone (got it in {name})", token)
        return Call(name, ())

    def expression_triple(self, items: Items) -> Expression:
        term = self.triple_term(items)
        if isinstance(items[0], TripleTerm) or any(_blanks(term)):
            raise self._error("Expected IRIs, literals and variables in a triple term of an expression")
        return Constant(term)

    # Rules ------------------------------------------------------------------------------------------------------

    def filter(self, items: Items) -> Filter:
        return Filter(self._shallow(_expression(items[1])))

    def assignment(self, items: Items) -> Assignment:
        return Assignment(items[1], self._shallow(_expression(items[2])))

    def _shallow(self, expression: Expression) -> Expression:
        level = [expression]
        for _ in range(MAX_NESTING):
            level = [argument for e in level if isinstance(e, Call) for argument in e.arguments]
            if not level:
                return expression
        raise self._error(f"Expected an expression nested at most {MAX_NESTING} deep")

    def negation(self, items: Items) -> Negation:
        elements = [part for item in items for part in (item if isinstance(item, list) else [item])]
        data = any(isinstance(e, Token) and e.type == "DATA" for e in elements)
        return Negation(tuple(e for e in elements if not isinstance(e, Token)), data)

    def head(self, items: Items) -> list[Atom]:
        if self._paths:
            raise self._error("Expected a property, not a path, in the head of a rule", self._paths[0])
        return items[0] if items else []

    def body(self, items: Items) -> Items:
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

    def rule(self, items: Items) -> None:
        begin, body = items[0], tuple(items[-1])
        iri = items[1] if isinstance(items[1], URIRef) else None
        head = tuple(next(item for item in items if isinstance(item, list)))
        data = any(isinstance(item, Token) and item.type == "DATA" for item in items)
        rule = Rule(iri, head, body, data, location=Location(self._file, begin.line, begin.column))
        if not head or any(atom.predicate == RDF.type and atom.object == _RESULT for atom in head):
            rule = self._constraint(rule, begin)
        if self._check:
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

    def data(self, items: Items) -> None:
        if self._variables:
            raise self._error(f"Expected no variable in DATA (got {self._variables[0]})", self._variables[0])
        if self._paths:
            raise self._error("Expected a property, not a path, in DATA", self._paths[0])
        self._data += [Triple(*atom.terms) for atom in (items[1] if len(items) > 1 else ())]


_RESULT = URIRef(SHACL + "ValidationResult")
_SEVERITY, _MESSAGE = URIRef(SHACL + "resultSeverity"), URIRef(SHACL + "resultMessage")


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
    """The rules with their `rdfs:comment`, `dct:source` and weight, and the triples that say something else."""
    names = {rule.iri for rule in rules if rule.iri is not None}
    said: dict[tuple[Node, Node], list[str]] = {}
    rest = []
    for triple in data:
        if triple.subject in names and triple.predicate in (RDFS.comment, DCTERMS.source, WEIGHT):
            said.setdefault((triple.subject, triple.predicate), []).append(str(triple.object))
        else:
            rest.append(triple)

    def text(rule: Rule, predicate: URIRef) -> str:
        return "\n".join(said.get((rule.iri, predicate), ())) if rule.iri is not None else ""

    def weighted(rule: Rule) -> Rule:
        weight = _weight(rule, text(rule, WEIGHT))
        return replace(rule, comment=text(rule, RDFS.comment), source=text(rule, DCTERMS.source), weight=weight)

    return list(map(weighted, rules)), rest


def _weight(rule: Rule, text: str) -> float:
    """The weight a DATA block gives a rule, 1 where it gives none."""
    try:
        weight = float(text or 1)
    except ValueError:
        weight = -1.0
    if not 0 <= weight <= 1:
        at = rule.location
        raise RuleError(
            f"Expected one weight in [0, 1] for {rule.kind} '{rule.name}' (got {text!r})",
            file=at.file if at else None,
            line=at.line if at else None,
        )
    return weight
