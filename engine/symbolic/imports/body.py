"""Bodies out of atoms and built-ins in any order: each built-in is put where all that it reads has a value.

SWRL and N3 bodies are sets, and Jena's built-ins wait for their arguments; a rule body here is read in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rdflib import RDF, BNode, Variable
from rdflib.term import Node

from engine.symbolic.rules import (
    Assignment,
    Atom,
    BodyElement,
    Call,
    Constant,
    Expression,
    Filter,
    Negation,
    VariableRef,
    expression_variables,
)

__all__ = ["Computed", "body_of", "cells_of", "chained", "members", "operand"]


@dataclass(frozen=True)
class Computed:
    """`target` is the value of an expression: a SET where it is a variable without a value, else a comparison."""

    target: Node
    expression: Expression
    equality: str = "="
    """How to compare: `=` by value, `sameTerm` by term."""


def body_of(atoms: Sequence[Atom], builtins: Iterable[Filter | Computed | Negation]) -> tuple[BodyElement, ...]:
    """Atoms in order, then filters, assignments and NOTs, each as soon as its variables have values.

    What never gets its values stands last: the safety check of the rule names the variable.
    """
    body: list[BodyElement] = list(atoms)
    bound = {variable for atom in atoms for variable in atom.variables}
    every = list(builtins)
    waiting = [item for item in every if not isinstance(item, Negation)]
    while waiting:
        ready = next((item for item in waiting if _reads(item) <= bound), waiting[0])
        waiting.remove(ready)
        element = _placed(ready, bound) if isinstance(ready, Computed) else ready
        if isinstance(element, Assignment):
            bound.add(element.variable)
        body.append(element)
    return (*body, *(item for item in every if isinstance(item, Negation)))


def _reads(item: Filter | Computed) -> set[Variable]:
    return set(expression_variables(item.expression))


def _placed(item: Computed, bound: set[Variable]) -> Filter | Assignment:
    if isinstance(item.target, Variable) and item.target not in bound:
        return Assignment(item.target, item.expression)
    return Filter(Call(item.equality, (operand(item.target), item.expression)))


def operand(term: Node) -> Expression:
    """A term or variable as an expression."""
    return VariableRef(term) if isinstance(term, Variable) else Constant(term)


def chained(operator: str, terms: Sequence[Node]) -> Expression:
    """`a + b + c` as the calls of a binary operator, from the left."""
    first, *rest = map(operand, terms)
    for term in rest:
        first = Call(operator, (first, term))
    return first


def cells_of(atoms: Iterable[Atom]) -> dict[Node, tuple[Node, Node]]:
    """First and rest of each list cell that the atoms describe completely."""
    atoms = list(atoms)
    first = {a.subject: a.object for a in atoms if a.predicate == RDF.first and isinstance(a.subject, BNode)}
    rest = {a.subject: a.object for a in atoms if a.predicate == RDF.rest and isinstance(a.subject, BNode)}
    return {cell: (first[cell], rest[cell]) for cell in first if cell in rest}


def members(head: Node, cells: dict[Node, tuple[Node, Node]]) -> Iterator[tuple[Node, Node]]:
    """(cell, member) of the list that starts at `head`."""
    seen: set[Node] = set()
    while head in cells and head not in seen:
        seen.add(head)
        yield head, cells[head][0]
        head = cells[head][1]
