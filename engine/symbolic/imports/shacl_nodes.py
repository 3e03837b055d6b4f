"""SHACL-AF node expressions and paths as body atoms; conditions on a node as filters, atoms and NOTs.

A node expression has alternatives (a union, an alternative path), each with the term it gives and what must hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from rdflib import RDF, BNode, Literal, Namespace, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.functions import FUNCTIONS, effective_boolean
from engine.symbolic.imports.body import operand
from engine.symbolic.imports.statements import Statements
from engine.symbolic.rules import Atom, BodyElement, Call, Constant, Expression, Filter, Negation
from kg.errors import UnsupportedRuleError

__all__ = ["MAX_ALTERNATIVES", "SH", "Given", "Nodes"]

SH = Namespace("http://www.w3.org/ns/shacl#")
MAX_ALTERNATIVES = 100
"""Rules that one sh:rule may stand for."""
_MAX_DEPTH = 50
_MAX_PARTS = 10_000
_ANNOTATIONS = {SH.name, SH.description, SH.message, SH.severity, SH.order, SH.group, SH.deactivated, SH.path}
_ANNOTATIONS |= {SH.targetClass, SH.targetNode, SH.targetSubjectsOf, SH.targetObjectsOf, SH.rule}
_KINDS = {
    SH.IRI: ("isIRI",),
    SH.BlankNode: ("isBLANK",),
    SH.Literal: ("isLITERAL",),
    SH.BlankNodeOrIRI: ("isBLANK", "isIRI"),
    SH.BlankNodeOrLiteral: ("isBLANK", "isLITERAL"),
    SH.IRIOrLiteral: ("isIRI", "isLITERAL"),
}
_BOUNDS = {SH.minInclusive: ">=", SH.maxInclusive: "<=", SH.minExclusive: ">", SH.maxExclusive: "<"}


class Given(NamedTuple):
    """One alternative of a node expression: the term it gives, where these elements hold."""

    term: Node
    elements: tuple[BodyElement, ...] = ()


class Nodes:
    """Reads the node expressions and conditions of one rule; makes variables that the rule has not."""

    def __init__(self, statements: Statements, rule: Node) -> None:
        self.statements, self.rule = statements, rule
        self._made = self._seen = 0

    def new(self) -> Variable:
        """A variable that stands nowhere else in the rule."""
        self._made += 1
        return Variable(f"n{self._made}")

    def refusal(self, message: str, node: Node) -> UnsupportedRuleError:
        """The error that names the rule too."""
        return self.statements.refusal(message, node, self.rule)

    # Node expressions -------------------------------------------------------------------------------------------

    def expression(self, node: Node, this: Node, depth: int = 0) -> list[Given]:
        """The alternatives of a node expression for the focus node `this`."""
        self.visit(node, depth)
        if node == SH.this:
            return [Given(this)]
        if not isinstance(node, BNode):
            return [Given(node)]
        parts = set(self.statements.predicates(node)) - {RDF.type}
        if SH.path in parts and parts <= {SH.path, SH.nodes}:
            starts = [Given(this)]
            if SH.nodes in parts:
                starts = self.expression(self.statements.need(node, SH.nodes), this, depth + 1)
            path = self.statements.need(node, SH.path)
            found = [
                Given(end.term, (*start.elements, *end.elements))
                for start in starts
                for end in self.path(path, start.term, depth + 1)
            ]
            return self.bounded(found, node)
        if parts == {SH.union}:
            members = self.statements.members(self.statements.need(node, SH.union))
            return self.bounded([g for member in members for g in self.expression(member, this, depth + 1)], node)
        if parts == {SH.filterShape, SH.nodes}:
            shape = self.statements.need(node, SH.filterShape)
            found = self.expression(self.statements.need(node, SH.nodes), this, depth + 1)
            return [Given(g.term, (*g.elements, *self.condition(shape, g.term, depth + 1))) for g in found]
        names = ", ".join(self.statements.name(part) for part in sorted(parts, key=str)) or "nothing"
        wanted = "Expected a node expression out of sh:this, a term, sh:path, sh:nodes, sh:filterShape, sh:union"
        raise self.refusal(f"{wanted} (got {names})", node)

    def path(self, path: Node, start: Node, depth: int = 0, *, inverse: bool = False) -> list[Given]:
        """The ends of a path from a term, as new variables."""
        self.visit(path, depth)
        if isinstance(path, URIRef):
            end = self.new()
            return [Given(end, (Atom(end, path, start) if inverse else Atom(start, path, end),))]
        parts = set(self.statements.predicates(path)) - {RDF.type}
        if RDF.first in parts:
            steps = self.statements.members(path)
            found = [Given(start)]
            for step in reversed(steps) if inverse else steps:
                found = [
                    Given(end.term, (*given.elements, *end.elements))
                    for given in found
                    for end in self.path(step, given.term, depth + 1, inverse=inverse)
                ]
                self.bounded(found, path)
            return found
        if parts == {SH.inversePath}:
            return self.path(self.statements.need(path, SH.inversePath), start, depth + 1, inverse=not inverse)
        if parts == {SH.alternativePath}:
            members = self.statements.members(self.statements.need(path, SH.alternativePath))
            ends = [g for member in members for g in self.path(member, start, depth + 1, inverse=inverse)]
            return self.bounded(ends, path)
        names = ", ".join(self.statements.name(part) for part in sorted(parts, key=str)) or "nothing"
        raise self.refusal(f"Expected a path of properties, sh:inversePath, sh:alternativePath (got {names})", path)

    def visit(self, node: Node, depth: int) -> None:
        """Checks that a description ends: it is not too deep, and does not come to the same parts again and again."""
        self._seen += 1
        if depth > _MAX_DEPTH or self._seen > _MAX_PARTS:
            raise self.refusal("Expected a description that ends (got one that is too deep or runs in a circle)", node)

    def bounded(self, found: list[Given], node: Node) -> list[Given]:
        """The alternatives, where they are not too many."""
        if len(found) > MAX_ALTERNATIVES:
            raise self.refusal(f"Expected at most {MAX_ALTERNATIVES} alternatives (got {len(found)})", node)
        return found

    # Conditions -------------------------------------------------------------------------------------------------

    def condition(self, shape: Node, node: Node, depth: int = 0) -> list[BodyElement]:
        """What must hold for a node to conform to a shape, where rules can say it."""
        self.visit(shape, depth)
        if self.statements.true(shape, SH.deactivated):
            return []
        found: list[BodyElement] = []
        for predicate in self.parameters(shape):
            for value in self.statements.values(shape, predicate):
                if predicate == SH.property:
                    found += self.property(value, node)
                else:
                    found += self.constraint(predicate, value, node, shape, depth)
        return found

    def parameters(self, shape: Node) -> list[Node]:
        """The properties of a shape that constrain; those of other vocabularies do not."""
        own = [p for p in self.statements.predicates(shape) if str(p).startswith(str(SH)) and p not in _ANNOTATIONS]
        for predicate in (SH.ignoredProperties, SH.closed, SH.sparql, SH.target):
            if predicate in own:
                raise self.refusal(f"Expected a condition without {self.statements.name(predicate)} (got one)", shape)
        return own

    def constraint(self, predicate: Node, value: Node, node: Node, shape: Node, depth: int) -> list[BodyElement]:
        """One constraint on the node itself."""
        if predicate == SH["class"]:
            return [Atom(node, RDF.type, value)]
        if predicate == SH.node:
            return self.condition(value, node, depth + 1)
        if predicate == SH["and"]:
            return [e for member in self.statements.members(value) for e in self.condition(member, node, depth + 1)]
        test = self.test(predicate, value, node, shape)
        return [Filter(test)]

    def test(self, predicate: Node, value: Node, node: Node, shape: Node) -> Expression:
        """A constraint that looks at the term alone, as an expression that is never an error."""
        me = operand(node)
        if predicate == SH.hasValue:
            return Call("sameTerm", (me, Constant(value)))
        if predicate == SH["in"]:
            same = tuple(Call("sameTerm", (me, Constant(member))) for member in self.statements.members(value))
            return Call("||", same) if len(same) > 1 else same[0] if same else _FALSE
        if predicate == SH.nodeKind and isinstance(value, URIRef) and value in _KINDS:
            kinds = tuple(Call(name, (me,)) for name in _KINDS[value])
            return Call("||", kinds) if len(kinds) > 1 else kinds[0]
        if predicate == SH.datatype:
            return Call("&&", (Call("isLITERAL", (me,)), Call("sameTerm", (Call("DATATYPE", (me,)), Constant(value)))))
        if predicate in _BOUNDS:
            if not effective_boolean(FUNCTIONS["isNUMERIC"][2](value)):
                raise self.refusal(f"Expected a number as bound of a value (got {self.statements.name(value)})", shape)
            compared = Call(_BOUNDS[URIRef(str(predicate))], (me, Constant(value)))
            return Call("&&", (Call("isNUMERIC", (me,)), compared))
        known = "sh:class, sh:node, sh:and, sh:property, sh:hasValue, sh:in, sh:nodeKind, sh:datatype, the value bounds"
        raise self.refusal(f"Expected a condition out of {known} (got {self.statements.name(predicate)})", shape)

    def property(self, shape: Node, node: Node) -> list[BodyElement]:
        """A property shape: some values must be there, others must not."""
        if self.statements.true(shape, SH.deactivated):
            return []
        path = self.statements.need(shape, SH.path)
        found: list[BodyElement] = []
        for predicate in self.parameters(shape):
            for value in self.statements.values(shape, predicate):
                if predicate == SH.hasValue:
                    found += _put(self.one(path, node), value)
                elif predicate == SH.minCount and str(value) in ("0", "1"):
                    found += self.one(path, node).elements if str(value) == "1" else ()
                elif predicate == SH.maxCount and str(value) == "0":
                    found.append(self.without(path, node, None))
                elif predicate in (SH.minCount, SH.maxCount):
                    wanted = "sh:minCount 1 or sh:maxCount 0"
                    raise self.refusal(f"Expected {wanted} (got {self.statements.name(predicate)} {value})", shape)
                else:
                    found.append(self.without(path, node, partial(self.test, predicate, value, shape=shape)))
        return found

    def one(self, path: Node, node: Node) -> Given:
        """The end of a path that has no alternatives."""
        found = self.path(path, node)
        if len(found) != 1:
            raise self.refusal("Expected a path without alternatives in a condition (got some)", path)
        return found[0]

    def without(self, path: Node, node: Node, test: Callable[[Node], Expression] | None) -> Negation:
        """No value of the path, or none that fails the test."""
        end = self.one(path, node)
        fails = [] if test is None else [Filter(Call("!", (test(end.term),)))]
        return Negation((*(e for e in end.elements if isinstance(e, Atom)), *fails))


_FALSE = Constant(Literal("false", datatype=URIRef("http://www.w3.org/2001/XMLSchema#boolean")))


def _put(given: Given, value: Node) -> Iterator[BodyElement]:
    """The elements with a value in place of the end."""
    for element in given.elements:
        assert isinstance(element, Atom), "paths are atoms"
        yield Atom(*(value if term == given.term else term for term in element.terms))
