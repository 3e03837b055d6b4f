"""SHACL-AF rules of a graph -> rules (SHACL Advanced Features, W3C note of June 2017, section 8).

A rule of a shape becomes one rule for each target of the shape and each alternative of its node expressions. A target
class stands for `rdf:type` in the closure. `sh:order` orders the rules; all run until nothing new follows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from itertools import product

from rdflib import DCTERMS, OWL, RDF, RDFS, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.imports.construct import Construct, parse_construct
from engine.symbolic.imports.shacl_nodes import MAX_ALTERNATIVES, SH, Given, Nodes
from engine.symbolic.imports.statements import Statements
from engine.symbolic.rules import (
    Assignment,
    Atom,
    BodyElement,
    Call,
    Constant,
    Expression,
    Filter,
    Negation,
    Rule,
    RuleSet,
    VariableRef,
    check_safety,
)
from kg.graph import KnowledgeGraph

__all__ = ["shacl_rules"]

log = logging.getLogger(__name__)
THIS = Variable("this")


def shacl_rules(graph: KnowledgeGraph) -> RuleSet:
    """The rules of the SHACL shapes among the asserted triples of a graph, in the order of `sh:order`.

    Raises:
        UnsupportedRuleError: a target, node expression, condition or query that cannot be said here; the message
            names it, the rule and its file.
        SyntaxInputError: an sh:construct that is no CONSTRUCT query.
        UnsafeRuleError: a variable of a head is not in the body.
    """
    statements = Statements(graph)
    found: list[tuple[Decimal, Rule]] = []
    for shape in statements.having(SH.rule):
        if statements.true(shape, SH.deactivated):
            log.info("shape %s is deactivated", statements.name(shape))
            continue
        targets = list(_targets(statements, shape))
        if not targets:
            log.warning("shape %s has no target, so its rules apply to nothing; give it one", statements.name(shape))
        for node in statements.values(shape, SH.rule):
            if statements.true(node, SH.deactivated):
                log.info("rule %s is deactivated", statements.name(node))
            else:
                found += [(_order(statements, node), rule) for rule in _rules(statements, node, targets)]
    ordered = [rule for _, rule in sorted(found, key=lambda item: item[0])]
    return RuleSet(rules=tuple(dict.fromkeys(ordered)), prefixes=graph.prefixes)


def _order(statements: Statements, node: Node) -> Decimal:
    value = statements.value(node, SH.order)
    try:
        order = Decimal(str(value or 0))
    except InvalidOperation:
        order = Decimal("NaN")
    if order.is_nan():
        raise statements.refusal(f"Expected a number as sh:order (got {value})", node)
    return order


def _targets(statements: Statements, shape: Node) -> Iterator[Given]:
    """The focus node of each target: a variable with the atom that binds it, or a constant."""
    if SH.target in statements.predicates(shape):
        raise statements.refusal("Expected a target class, node or property (got sh:target)", shape)
    classes = statements.values(shape, SH.targetClass)
    if {RDFS.Class, OWL.Class} & set(statements.values(shape, RDF.type)):
        classes.append(shape)
    for cls in classes:
        yield Given(THIS, (Atom(THIS, RDF.type, cls),))
    for predicate in statements.values(shape, SH.targetSubjectsOf):
        yield Given(THIS, (Atom(THIS, predicate, Variable("target")),))
    for predicate in statements.values(shape, SH.targetObjectsOf):
        yield Given(THIS, (Atom(Variable("target"), predicate, THIS),))
    for node in statements.values(shape, SH.targetNode):
        yield Given(node)


def _rules(statements: Statements, node: Node, targets: list[Given]) -> Iterator[Rule]:
    kinds = set(statements.values(node, RDF.type))
    made: Iterator[Construct]
    if SH.TripleRule in kinds or SH.subject in statements.predicates(node):
        made = _triple_rule(statements, node, targets)
    elif SH.SPARQLRule in kinds or SH.construct in statements.predicates(node):
        made = _query_rule(statements, node, targets)
    else:
        names = ", ".join(map(statements.name, sorted(kinds, key=str))) or "no type"
        raise statements.refusal(f"Expected a sh:TripleRule or sh:SPARQLRule (got {names})", node)
    iri = node if isinstance(node, URIRef) else None
    comment = statements.text(node, RDFS.comment) if iri else ""
    source = statements.text(node, DCTERMS.source) if iri else ""
    for head, body in made:
        rule = Rule(iri, head, _tidy(body), comment=comment, source=source)
        check_safety(rule)
        yield rule


def _triple_rule(statements: Statements, node: Node, targets: list[Given]) -> Iterator[Construct]:
    for target in targets:
        nodes = Nodes(statements, node)
        conditions = _conditions(statements, node, nodes, target.term)
        parts = [
            nodes.expression(statements.need(node, predicate), target.term)
            for predicate in (SH.subject, SH.predicate, SH.object)
        ]
        count = len(parts[0]) * len(parts[1]) * len(parts[2])
        if count > MAX_ALTERNATIVES:
            raise nodes.refusal(f"Expected at most {MAX_ALTERNATIVES} alternatives (got {count})", node)
        for s, p, o in product(*parts):
            body = (*target.elements, *s.elements, *p.elements, *o.elements, *conditions)
            yield Construct((Atom(s.term, p.term, o.term),), body)


def _query_rule(statements: Statements, node: Node, targets: list[Given]) -> Iterator[Construct]:
    text = statements.need(node, SH.construct)
    where = statements.file(node) or statements.name(node)
    query = parse_construct(str(text), prefixes=_prefixes(statements, node), file=f"sh:construct in {where}")
    for target in targets:
        conditions = _conditions(statements, node, Nodes(statements, node), target.term)
        if target.term == THIS:
            taken = {str(v) for e in query.body for v in e.variables} - {"this"}
            elements = tuple(_renamed(atom, taken) for atom in target.elements if isinstance(atom, Atom))
            yield Construct(query.head, (*elements, *query.body, *conditions))
        else:
            head = tuple(a for a in (_with(atom, target.term) for atom in query.head) if isinstance(a, Atom))
            yield Construct(head, (*(_with(e, target.term) for e in query.body), *conditions))


def _conditions(statements: Statements, node: Node, nodes: Nodes, this: Node) -> list[BodyElement]:
    return [e for shape in statements.values(node, SH.condition) for e in nodes.condition(shape, this)]


def _prefixes(statements: Statements, node: Node) -> Mapping[str, str]:
    """What sh:prefixes declares, for the query alone."""
    found: dict[str, str] = {}
    waiting, seen = statements.values(node, SH.prefixes), set[Node]()
    while waiting:
        ontology = waiting.pop(0)
        if ontology in seen:
            continue
        seen.add(ontology)
        waiting += statements.values(ontology, OWL.imports)
        for declared in statements.values(ontology, SH.declare):
            prefix = str(statements.need(declared, SH.prefix))
            found.setdefault(prefix, str(statements.need(declared, SH.namespace)))
    return found


def _tidy(body: tuple[BodyElement, ...]) -> tuple[BodyElement, ...]:
    """Each element once, filters and NOTs behind what binds their variables."""
    rank = {Atom: 0, Assignment: 0, Filter: 1, Negation: 2}
    return tuple(sorted(dict.fromkeys(body), key=lambda element: rank[type(element)]))


def _renamed(atom: Atom, taken: set[str]) -> Atom:
    """The atom of a target with a variable that the query does not use."""
    name = "target"
    while name in taken:
        name += "_"
    return Atom(*(Variable(name) if term == Variable("target") else term for term in atom.terms))


def _with(element: BodyElement, this: Node) -> BodyElement:
    """The element with a constant in place of `$this`."""
    if isinstance(element, Atom):
        return Atom(*(this if term == THIS else term for term in element.terms))
    if isinstance(element, Filter):
        return Filter(_valued(element.expression, this))
    if isinstance(element, Assignment):
        return Assignment(element.variable, _valued(element.expression, this))
    inside = (_with(part, this) for part in element.elements)
    return Negation(tuple(part for part in inside if isinstance(part, (Atom, Filter))), element.data)


def _valued(expression: Expression, this: Node) -> Expression:
    if isinstance(expression, VariableRef):
        return Constant(this) if expression.variable == THIS else expression
    if isinstance(expression, Call):
        return Call(expression.function, tuple(_valued(a, this) for a in expression.arguments))
    return expression
