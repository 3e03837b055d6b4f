"""An independent checker of proofs. It shares no code with the engine: no ids, no joins, no indexes, no expressions.

A step is accepted if its rule is one of the rules given, its premises are exactly what the rule's body says under the
substitution, its conclusion is what the head says, its FILTERs and SETs hold when rdflib's SPARQL engine evaluates
them, and no NOT has a match in the graph. Leaves must be asserted, or be claims that the caller allows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from rdflib import BNode, Graph, Literal, URIRef, Variable
from rdflib.query import ResultRow
from rdflib.term import Identifier, Node

from engine.symbolic.proof import Proof
from engine.symbolic.rules import Assignment, Atom, Filter, Negation, Rule, RuleSet
from kg.errors import NoesisError
from kg.graph import KnowledgeGraph
from kg.terms import Triple

__all__ = ["ReplayError", "replay"]

Values = Mapping[Node, Node]
_NOTHING = Graph()
_VOLATILE = re.compile(r"\b(NOW|UUID|STRUUID|BNODE)\(")  # gives another value each time it is evaluated


class ReplayError(NoesisError):
    """A proof has a step that does not follow; the message names it."""


def replay(proof: Proof, graph: KnowledgeGraph, rules: RuleSet, *, assumed: Collection[Triple] = ()) -> int:
    """Check every step of a proof; the number of distinct steps.

    Args:
        graph: the closure's graph: asserted triples are leaves, and a NOT has to fail on asserted and inferred ones.
        rules: the rules that may be used (`Closure.rules`).
        assumed: claims that may be leaves.

    Raises:
        ReplayError: a step does not follow, or a leaf is not asserted.
    """
    allowed, facts, on_path, done = set(rules), {tuple(t) for t in assumed}, set[int](), set[int]()
    stack = [(proof, False)]
    while stack:
        step, leaving = stack.pop()
        if leaving:
            on_path.remove(id(step))
            done.add(id(step))
        elif id(step) in on_path:
            raise ReplayError(f"Expected a well-founded proof (got {step.conclusion} among its own premises)")
        elif id(step) not in done:
            on_path.add(id(step))
            _check(step, graph, allowed, facts)
            stack.append((step, True))
            stack.extend((premise, False) for premise in step.premises)
    return len(done)


def _check(step: Proof, graph: KnowledgeGraph, allowed: set[Rule], assumed: set[tuple[Node, ...]]) -> None:
    conclusion, rule = step.conclusion, step.rule
    if rule is None:
        _expect(conclusion is not None and not step.premises, step, "a leaf is one triple")
        assert conclusion is not None
        known = tuple(conclusion) in assumed if step.claimed else graph.contains(conclusion, inferred=False)
        _expect(known, step, "a leaf is asserted, or a claim that is allowed")
        return
    _expect(rule in allowed, step, f"rule '{rule.name}' is among the rules given")
    given = [premise.conclusion for premise in step.premises]
    atoms = [element for element in rule.body if isinstance(element, Atom)]
    axioms = [axiom for axiom in rule.axioms if axiom not in given]
    _expect(not axioms, step, f"the axioms of rule '{rule.name}' are premises")
    values = _body_values(step, atoms, given)
    wanted = {_put(atom, values) for atom in atoms} | {tuple(axiom) for axiom in rule.axioms}
    _expect(wanted == {tuple(triple) for triple in given if triple is not None}, step, "premises are the body atoms")
    bound: dict[Node, Node] = {}
    for element in rule.body:
        if isinstance(element, Atom):
            bound.update((term, values[term]) for term in element.variables)
        elif isinstance(element, Filter):
            _expect(_true(str(element.expression), bound), step, f"{element} holds")
        elif isinstance(element, Assignment):
            given_value = step.substitution.get(element.variable)
            again = _VOLATILE.search(str(element.expression)) or _value(str(element.expression), bound) == given_value
            _expect(given_value is not None and bool(again), step, f"{element} gives its value")
            bound[element.variable] = values[element.variable] = step.substitution[element.variable]
        else:
            asserted_only = element.data or rule.data
            _expect(not any(_matches(element, bound, graph, not asserted_only)), step, f"{element} has no match")
    if rule.data:
        _expect(all(not premise.rule for premise in step.premises), step, "WHERE DATA reads asserted triples")
    if conclusion is None:
        _expect(not rule.head, step, "FALSE is the head of a constraint")
    else:
        _expect(
            any(_is_head(atom, rule, conclusion, values) for atom in rule.head), step, "the conclusion is a head atom"
        )
        _expect(isinstance(conclusion.subject, (URIRef, BNode)), step, "no literal is a subject")


def _body_values(step: Proof, atoms: list[Atom], given: list[Triple | None]) -> dict[Node, Node]:
    """The substitution, with blank nodes of the body, which act as variables, read off the premises."""
    values: dict[Node, Node] = {}
    values.update(step.substitution.items())
    values.update((term, term) for axiom in (step.rule.axioms if step.rule else ()) for term in axiom)
    for atom, triple in zip(atoms, given, strict=False):
        for term, value in zip(atom.terms, triple or (), strict=False):
            if isinstance(term, BNode):
                values.setdefault(term, value)
    for variable in (v for atom in atoms for v in atom.variables):
        _expect(variable in values, step, f"?{variable} has a value")
    return values


def _put(atom: Atom, values: Values) -> tuple[Node, ...]:
    return tuple(values.get(term, term) for term in atom.terms)


def _is_head(atom: Atom, rule: Rule, conclusion: Triple, values: Values) -> bool:
    """Whether a head atom gives the triple; a blank node of the head is a new one, so any blank node fits it."""
    own = {term for axiom in rule.axioms for term in axiom}  # of the graph, not new
    pairs = zip(atom.terms, conclusion, strict=True)
    return all(
        isinstance(v, BNode) if isinstance(t, BNode) and t not in own else values.get(t, t) == v for t, v in pairs
    )


def _matches(negation: Negation, bound: Values, graph: KnowledgeGraph, inferred: bool) -> Iterator[Values]:
    """The ways to match a negated pattern, atom by atom, FILTERs last."""
    found: list[dict[Node, Node]] = [dict(bound)]
    for atom in negation.atoms:
        found = [dict(more) for values in found for more in _extend(atom, values, graph, inferred)]
    conditions = [element for element in negation.elements if isinstance(element, Filter)]
    yield from (values for values in found if all(_true(str(c.expression), values) for c in conditions))


def _extend(atom: Atom, values: Values, graph: KnowledgeGraph, inferred: bool) -> Iterator[Values]:
    terms = [values.get(term, term) for term in atom.terms]
    open_ = [isinstance(t, (Variable, BNode)) and term not in values for t, term in zip(terms, atom.terms, strict=True)]
    pattern = [None if free else term for free, term in zip(open_, terms, strict=True)]
    if isinstance(pattern[0], Literal):
        return
    for triple in graph.triples(*pattern, inferred=inferred):
        more = dict(values)
        pairs = zip(terms, triple, open_, strict=True)
        if all(more.setdefault(term, value) == value for term, value, free in pairs if free):
            yield more


@lru_cache(maxsize=512)
def _query(expression: str) -> Any:
    from rdflib.plugins.sparql import prepareQuery  # slow to import, and needed by few proofs

    return prepareQuery(f"SELECT ({expression} AS ?result) {{}}")


def _value(expression: str, values: Values) -> Node | None:
    named = {str(v): cast(Identifier, term) for v, term in values.items() if isinstance(v, Variable)}
    rows = [cast(ResultRow, row) for row in _NOTHING.query(_query(expression), initBindings=named)]
    return cast(Node | None, rows[0][0]) if rows else None


def _true(expression: str, values: Values) -> bool:
    """The effective boolean value; an error is false."""
    result = _value(f"IF({expression}, true, false)", values)
    return isinstance(result, Literal) and result.value is True


def _expect(condition: bool, step: Proof, wanted: str) -> None:
    if not condition:
        raise ReplayError(f"Expected that {wanted} (got {step!r} with {step.substitution})")
