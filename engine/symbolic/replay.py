"""An independent checker of proofs. It shares no code with the engine: no ids, no joins, no indexes, no expressions.

A step is accepted if its rule is among those given, its premises are what the body says under the substitution, its
conclusion is what the head says, FILTERs and SETs hold by others' SPARQL (`kg.expressions`), no NOT has a match.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

from rdflib import BNode, Literal, Variable
from rdflib.term import Node

from engine.symbolic.proof import Proof
from engine.symbolic.recount import recounts
from engine.symbolic.rules import DATA_SOURCE, Assignment, Atom, Filter, Negation, Rule, RuleSet
from kg.errors import NoesisError
from kg.expressions import holds, value_of
from kg.graph import KnowledgeGraph
from kg.terms import Triple, TripleTerm

__all__ = ["ReplayError", "replay"]

Values = Mapping[Node, Node]
Made = dict[Node, object]
Proofs = Proof | Collection[Proof]

_VOLATILE = re.compile(r"\b(NOW|UUID|STRUUID|BNODE)\(")  # gives another value each time it is evaluated


class ReplayError(NoesisError):
    """A proof has a step that does not follow; the message names it."""


def replay(proof: Proofs, graph: KnowledgeGraph, rules: RuleSet, *, assumed: Collection[Triple] = ()) -> int:
    """Check every step of a proof, or of many at once, a shared part once; the number of distinct steps.

    Args:
        graph: the closure's graph: asserted triples are leaves, and a NOT must have no match in it.
        rules: the rules that may be used (`Closure.rules`). assumed: claims that may be leaves.
    Raises:
        ReplayError: a step does not follow, or a leaf is not asserted.
    """
    allowed, facts = set(rules), {tuple(triple) for triple in assumed}
    stack = [(each, False) for each in ((proof,) if isinstance(proof, Proof) else proof)]
    on_path, done, made = set[int](), set[int](), dict[Node, object]()
    while stack:
        step, leaving = stack.pop()
        if leaving:
            on_path.remove(id(step))
            done.add(id(step))
        elif id(step) in on_path:
            raise ReplayError(f"Expected a well-founded proof (got {step.conclusion} among its own premises)")
        elif id(step) not in done:
            on_path.add(id(step))
            if step.rule is not None:
                _expect(step.rule in allowed, step, f"rule '{step.rule.name}' is among the rules given")
                _check_step(step, step.rule, graph, made)
            else:
                leaf = tuple(step.conclusion or ())
                known = leaf in facts if step.claimed else leaf and graph.contains(leaf, inferred=False)
                _expect(bool(known) and not step.premises, step, "a leaf is asserted, or a claim that is allowed")
            stack.append((step, True))
            stack.extend((premise, False) for premise in step.premises)
    return len(done)


def _check_step(step: Proof, rule: Rule, graph: KnowledgeGraph, made: Made) -> None:
    atoms = [element for element in rule.body if isinstance(element, Atom)]
    given = [tuple(premise.conclusion or (None, None, None)) for premise in step.premises]
    own: Values = {term: term for axiom in rule.axioms for term in axiom}  # its blank nodes are the graph's own
    bound, values = dict(own), {**own, **cast(Values, step.substitution)}
    named = all(variable in values for atom in atoms for variable in atom.variables)
    fits = named and all(_fits(atom.terms, triple, values) for atom, triple in zip(atoms, given, strict=False))
    fits = fits and len(given) >= len(atoms) and given[len(atoms) :] == [tuple(axiom) for axiom in rule.axioms]
    fits = recounts(step, rule, graph, _extend, _matches) if rule.aggregates else fits
    _expect(fits, step, "the premises are the body atoms, then the axioms")
    for element in () if rule.aggregates else rule.body:
        if isinstance(element, Atom):
            bound.update((variable, values[variable]) for variable in element.variables)
        elif isinstance(element, Filter):
            _expect(holds(str(element.expression), bound), step, f"{element} holds")
        elif isinstance(element, Assignment):
            value, text = values.get(element.variable), str(element.expression)
            again = value is not None and (_VOLATILE.search(text) is not None or value_of(text, bound) == value)
            _expect(again, step, f"{element} gives its value")
            bound[element.variable] = values[element.variable]
        else:
            inferred = not (element.data or rule.data)
            _expect(next(_matches(element, bound, graph, inferred), None) is None, step, f"{element} has no match")
    seen = [p for p in step.premises if p.rule or graph.source(p.conclusion or ()) == DATA_SOURCE]
    _expect(not (rule.data and seen), step, "WHERE DATA reads the triples of the graph, not those of rules or DATA")
    if step.conclusion is None:
        _expect(not rule.head, step, "FALSE is the head of a constraint")
    else:
        _expect(not isinstance(step.conclusion.subject, Literal), step, "no literal is a subject")
        _expect(any(_gives(atom, step, values, own, graph, made) for atom in rule.head), step, "the head says so")


def _gives(atom: Atom, step: Proof, values: Values, own: Values, graph: KnowledgeGraph, made: Made) -> bool:
    """Whether a head atom is the conclusion. A blank node of a head is new, and made by one rule and substitution."""
    stack = list(zip(atom.terms, step.conclusion or (), strict=True))
    while stack:
        term, value = stack.pop()
        if isinstance(term, TripleTerm) and isinstance(value, TripleTerm):
            stack.extend(zip(term.parts, value.parts, strict=True))
        elif isinstance(term, BNode) and term not in own:
            origin = (term, step.rule, frozenset(step.substitution.items()))
            asserted = [*graph.triples(value, inferred=False), *graph.triples(object=value, inferred=False)]
            if not isinstance(value, BNode) or asserted or made.setdefault(value, origin) != origin:
                return False
        elif values.get(term, term) != value:
            return False
    return True


def _matches(negation: Negation, bound: Values, graph: KnowledgeGraph, inferred: bool) -> Iterator[Values]:
    """The ways to match a negated pattern, atom by atom, FILTERs last."""
    found: list[dict[Node, Node]] = [dict(bound)]
    for atom in negation.atoms:
        found = [more for values in found for more in _extend(atom, values, graph, inferred)]
    conditions = [str(element.expression) for element in negation.elements if isinstance(element, Filter)]
    return (values for values in found if all(holds(condition, values) for condition in conditions))


def _extend(atom: Atom, values: Values, graph: KnowledgeGraph, inferred: bool) -> Iterator[dict[Node, Node]]:
    open_ = (Variable, BNode, TripleTerm)
    pattern = [None if isinstance(t, open_) and t not in values else values.get(t, t) for t in atom.terms]
    for triple in graph.triples(*pattern, inferred=inferred):
        stated = not inferred and graph.source(triple) == DATA_SOURCE
        if not stated and _fits(atom.terms, triple, more := dict(values)):
            yield more


def _fits(terms: Collection[Node], values: Collection[Node | None], bound: dict[Node, Any]) -> bool:
    """Whether terms of a pattern are the given ones; variables and blank nodes (of a body) without a value get one."""
    for term, value in zip(terms, values, strict=False):
        if isinstance(term, TripleTerm):
            if not isinstance(value, TripleTerm) or not _fits(term.parts, value.parts, bound):
                return False
        elif (bound.setdefault(term, value) if isinstance(term, (Variable, BNode)) else term) != value:
            return False
    return True


def _expect(condition: bool, step: Proof, wanted: str) -> None:
    if not condition:
        raise ReplayError(f"Expected that {wanted} (got {step!r} with {step.substitution})")
