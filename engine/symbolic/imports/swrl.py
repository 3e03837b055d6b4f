"""SWRL rules of a graph -> rules (W3C member submission of May 2004; `swrl:Imp` in any RDF syntax).

Atoms about a named class, a property, sameAs and differentFrom become triples; built-ins become FILTER and SET. A head
without atoms is false, so the rule is a constraint. Rules switched off by `swrla:isRuleEnabled false` are left out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence

from rdflib import DCTERMS, OWL, RDF, RDFS, BNode, Namespace, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.imports.body import Computed, body_of, chained, operand
from engine.symbolic.imports.statements import Statements
from engine.symbolic.rules import Atom, Call, Constraint, Filter, Rule, RuleSet, check_safety
from kg.errors import UnsupportedRuleError
from kg.graph import KnowledgeGraph

__all__ = ["swrl_rules"]

log = logging.getLogger(__name__)
SWRL = Namespace("http://www.w3.org/2003/11/swrl#")
SWRLB = "http://www.w3.org/2003/11/swrlb#"
_ENABLED = URIRef("http://swrl.stanford.edu/ontologies/3.3/swrla.owl#isRuleEnabled")


def swrl_rules(graph: KnowledgeGraph) -> RuleSet:
    """The SWRL rules among the asserted triples of a graph.

    Raises:
        UnsupportedRuleError: an atom or built-in that cannot be said here; the message names it, the rule and its file.
        UnsafeRuleError: a variable of a head is not in the body.
    """
    statements = Statements(graph)
    rules = []
    for node in statements.subjects(RDF.type, SWRL.Imp):
        if any(str(value) in ("false", "0") for value in statements.values(node, _ENABLED)):
            log.info("SWRL rule %s is switched off", statements.name(node))
        else:
            rules.append(_Imp(statements, node).rule())
    return RuleSet(
        rules=tuple(r for r in rules if not isinstance(r, Constraint)),
        constraints=tuple(r for r in rules if isinstance(r, Constraint)),
        prefixes=graph.prefixes,
    )


class _Imp:
    """One `swrl:Imp`."""

    def __init__(self, statements: Statements, node: Node) -> None:
        self.statements, self.node = statements, node
        self.variables: dict[Node, Variable] = {}

    def rule(self) -> Rule:
        body = [self.atom(item) for item in self.side(SWRL.body)]
        head = [self.atom(item) for item in self.side(SWRL.head)]
        for item in head:
            if not isinstance(item, Atom):
                raise self.refusal("Expected no built-in in a head (got one)", self.node)
        iri = self.node if isinstance(self.node, URIRef) else None
        elements = body_of([a for a in body if isinstance(a, Atom)], [b for b in body if not isinstance(b, Atom)])
        comment, source = (self.statements.text(self.node, p) if iri else "" for p in (RDFS.comment, DCTERMS.source))
        rule: Rule
        if head:
            rule = Rule(iri, tuple(a for a in head if isinstance(a, Atom)), elements, comment=comment, source=source)
        else:
            rule = Constraint(iri, (), elements, comment=comment, source=source)
        check_safety(rule)
        return rule

    def side(self, predicate: URIRef) -> list[Node]:
        """The atoms of body or head: an RDF list, or none."""
        found = self.statements.value(self.node, predicate)
        return [] if found is None else self.statements.members(found)

    def atom(self, node: Node) -> Atom | Filter | Computed:
        kinds = [kind for kind in self.statements.values(node, RDF.type) if kind in _ATOMS]
        if len(kinds) != 1:
            known = ", ".join(f"swrl:{str(kind).rpartition('#')[2]}" for kind in _ATOMS)
            raise self.refusal(f"Expected an atom among {known} (got {self.statements.name(node)})", node)
        return _ATOMS[kinds[0]](self, node)

    def term(self, node: Node, predicate: URIRef) -> Node:
        """An argument: a variable, or an individual or value."""
        return self.argument(self.statements.need(node, predicate))

    def argument(self, term: Node) -> Node:
        if SWRL.Variable in self.statements.values(term, RDF.type):
            if term not in self.variables:
                self.variables[term] = self.variable(term)
            return self.variables[term]
        if isinstance(term, BNode):
            raise self.refusal("Expected a named individual (got a blank node)", term)
        return term

    def variable(self, term: Node) -> Variable:
        """A name that no other variable of the rule has: the last part of the IRI where that will do."""
        name = re.sub(r"\W", "_", re.split(r"[#/:]", str(term))[-1], flags=re.ASCII) or "v"
        name = f"v{name}" if name.startswith("_") else name
        taken = set(map(str, self.variables.values()))
        names = (name, *(f"{name}_{n}" for n in range(2, len(taken) + 3)))
        return Variable(next(n for n in names if n not in taken))

    def class_atom(self, node: Node) -> Atom:
        cls = self.statements.need(node, SWRL.classPredicate)
        if not isinstance(cls, URIRef):
            raise self.refusal("Expected a named class (got a class expression); name it by owl:equivalentClass", node)
        return Atom(self.term(node, SWRL.argument1), RDF.type, cls)

    def property_atom(self, node: Node) -> Atom:
        predicate = self.statements.need(node, SWRL.propertyPredicate)
        if not isinstance(predicate, URIRef):
            raise self.refusal("Expected a named property (got a property expression)", node)
        return Atom(self.term(node, SWRL.argument1), predicate, self.term(node, SWRL.argument2))

    def same(self, node: Node) -> Atom:
        return Atom(self.term(node, SWRL.argument1), OWL.sameAs, self.term(node, SWRL.argument2))

    def different(self, node: Node) -> Atom:
        return Atom(self.term(node, SWRL.argument1), OWL.differentFrom, self.term(node, SWRL.argument2))

    def data_range(self, node: Node) -> Atom:
        raise self.refusal("Expected no swrl:DataRangeAtom (got one)", node)

    def builtin(self, node: Node) -> Filter | Computed:
        name = str(self.statements.need(node, SWRL.builtin))
        found = _BUILTINS.get(name.removeprefix(SWRLB)) if name.startswith(SWRLB) else None
        if found is None:
            known = ", ".join(sorted(_BUILTINS))
            raise self.refusal(f"Expected a built-in among swrlb: {known} (got <{name}>)", node)
        least, most, make = found
        terms = [self.argument(term) for term in self.statements.members(self.statements.need(node, SWRL.arguments))]
        if not least <= len(terms) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            raise self.refusal(f"Expected {wanted} arguments of <{name}> (got {len(terms)})", node)
        return make(terms)

    def refusal(self, message: str, node: Node) -> UnsupportedRuleError:
        return self.statements.refusal(message, node, self.node)


_ATOMS: dict[Node, Callable[[_Imp, Node], Atom | Filter | Computed]] = {
    SWRL.ClassAtom: _Imp.class_atom,
    SWRL.IndividualPropertyAtom: _Imp.property_atom,
    SWRL.DatavaluedPropertyAtom: _Imp.property_atom,
    SWRL.SameIndividualAtom: _Imp.same,
    SWRL.DifferentIndividualsAtom: _Imp.different,
    SWRL.DataRangeAtom: _Imp.data_range,
    SWRL.BuiltinAtom: _Imp.builtin,
}
_Maker = Callable[[Sequence[Node]], Filter | Computed]
_MANY = 100


def _test(function: str) -> _Maker:
    return lambda terms: Filter(Call(function, tuple(map(operand, terms))))


def _ignoring_case(function: str) -> _Maker:
    return lambda terms: Filter(Call(function, tuple(Call("LCASE", (operand(term),)) for term in terms)))


def _chain(operator: str) -> _Maker:
    """The first argument is the result."""
    return lambda terms: Computed(terms[0], chained(operator, terms[1:]))


def _apply(function: str) -> _Maker:
    """The first argument is the result."""
    return lambda terms: Computed(terms[0], Call(function, tuple(map(operand, terms[1:]))))


def _matches(terms: Sequence[Node]) -> Filter:
    """`fn:matches` finds the pattern anywhere, as REGEX does."""
    return Filter(Call("REGEX", tuple(map(operand, terms))))


_BUILTINS: dict[str, tuple[int, int, _Maker]] = {
    "equal": (2, 2, _test("=")),
    "notEqual": (2, 2, _test("!=")),
    "lessThan": (2, 2, _test("<")),
    "lessThanOrEqual": (2, 2, _test("<=")),
    "greaterThan": (2, 2, _test(">")),
    "greaterThanOrEqual": (2, 2, _test(">=")),
    "add": (3, _MANY, _chain("+")),
    "subtract": (3, 3, _chain("-")),
    "multiply": (3, _MANY, _chain("*")),
    "divide": (3, 3, _chain("/")),
    "unaryMinus": (2, 2, _apply("-")),
    "unaryPlus": (2, 2, _apply("+")),
    "abs": (2, 2, _apply("ABS")),
    "ceiling": (2, 2, _apply("CEIL")),
    "floor": (2, 2, _apply("FLOOR")),
    "round": (2, 2, _apply("ROUND")),
    "booleanNot": (2, 2, _apply("!")),
    "stringConcat": (2, _MANY, _apply("CONCAT")),
    "stringLength": (2, 2, _apply("STRLEN")),
    "substring": (3, 4, _apply("SUBSTR")),
    "upperCase": (2, 2, _apply("UCASE")),
    "lowerCase": (2, 2, _apply("LCASE")),
    "replace": (4, 4, _apply("REPLACE")),
    "substringBefore": (3, 3, _apply("STRBEFORE")),
    "substringAfter": (3, 3, _apply("STRAFTER")),
    "contains": (2, 2, _test("CONTAINS")),
    "startsWith": (2, 2, _test("STRSTARTS")),
    "endsWith": (2, 2, _test("STRENDS")),
    "matches": (2, 2, _matches),
    "stringEqualIgnoreCase": (2, 2, _ignoring_case("=")),
    "containsIgnoreCase": (2, 2, _ignoring_case("CONTAINS")),
}
