"""One rule application after its body atoms are joined: SET, FILTER and NOT, then the rows its head adds.

The same for a rule of a closure, a rule of many worlds, a constraint, and a justification that is being rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdflib import Variable

from engine.symbolic.compile import CompiledRule, Program
from engine.symbolic.draft import wild_values
from engine.symbolic.join import (
    PIECE,
    SMALL_PIECE,
    Bindings,
    CompiledAtom,
    Slice,
    assign,
    in_pieces,
    keep_if,
    without_match,
)
from engine.symbolic.relation import Key
from engine.symbolic.rules import Filter
from engine.symbolic.triple_terms import TripleMatch
from kg.dictionary import IRI, LITERAL

__all__ = ["HeadRows", "early_filters", "expand_atom", "finish_body", "head_rows", "pieces"]

Array = NDArray[np.int64]


class HeadRows(NamedTuple):
    """Triples of one predicate that an application gives, and their worlds if any; shape (num_rows,) each."""

    predicate: int
    s: Array
    o: Array
    world: Array | None


def early_filters(rule: CompiledRule) -> tuple[Filter, ...]:
    """The filters that can run while atoms are joined: all, unless a SET may bind what they read.

    The matches of triple terms always can, because they bind variables.
    """
    return tuple(f for f in rule.filters if isinstance(f, TripleMatch)) if rule.assignments else rule.filters


def pieces(rule: CompiledRule, bindings: Bindings) -> Iterator[Bindings]:
    """The substitutions of a body: all together, or in pieces where a budget must be able to stop new terms."""
    if rule.rule.runs_once:
        yield from in_pieces(bindings, SMALL_PIECE if rule.fresh else PIECE)
    else:
        yield bindings


def finish_body(
    rule: CompiledRule,
    bindings: Bindings,
    negation_slices: Callable[[CompiledAtom, bool], Sequence[Slice]],
    keys: Callable[[], Sequence[Key]],
    program: Program,
    *,
    limit: int | None = None,
    stop: Callable[[], None] | None = None,
    grouped: bool = True,
) -> Bindings:
    """What is left of a body after its positive atoms: SET in order, the filters that wait for it, then NOT.

    Args:
        negation_slices: what a negated atom may match, given whether asserted triples alone count.
        keys: the relations a negated atom with a variable predicate or class may stand for.
        limit, stop: as for `join.evaluate`.
        grouped: whether the substitutions of a rule with aggregates are put together in the end.
    """
    for assignment in rule.assignments:
        bindings = assign(bindings, assignment, program.dictionary, program.memo, stop)
    for condition in rule.filters if rule.assignments else ():
        if isinstance(condition, TripleMatch):
            continue
        bindings = keep_if(bindings, condition, program.dictionary, stop)
    for negation in rule.negations:
        bindings = without_match(
            bindings,
            negation,
            lambda atom, data=negation.data: negation_slices(atom, data),  # type: ignore[misc]  # fixes the loop variable
            lambda atom, _table: expand_atom(atom, keys(), program.type_id),
            program.dictionary,
            limit=limit,
            stop=stop,
        )
    if rule.grouping is not None and grouped:
        return rule.grouping.apply(bindings, program.dictionary, program.memo)[0]
    return bindings


def head_rows(rule: CompiledRule, bindings: Bindings, program: Program) -> Iterator[HeadRows]:
    """The head triples of every substitution, one predicate at a time.

    No literal or triple term becomes a subject, and only an IRI a predicate: such a triple is left out, as RDF has no
    place for it.
    """
    if not bindings.size:
        return
    bindings = with_fresh(rule, bindings, program)
    kinds = program.dictionary.kinds
    for triple in rule.head:
        s, p, o = (_column(bindings, term) for term in triple)
        valid = (kinds[s] < LITERAL) & (kinds[p] == IRI)
        if rule.made_terms:
            valid &= np.minimum(s, o) >= 0  # a triple term that RDF has not
        s, p, o = s[valid], p[valid], o[valid]
        world = None if bindings.world is None else bindings.world[valid]
        if not len(p):
            continue
        for predicate in [int(p[0])] if isinstance(triple[1], int) else sorted(set(p.tolist())):
            at = p == predicate
            yield HeadRows(predicate, s[at], o[at], None if world is None else world[at])


def _column(bindings: Bindings, term: int | Variable) -> Array:
    column = bindings.value(term)
    assert column is not None, "safety was checked"
    return column


def with_fresh(rule: CompiledRule, bindings: Bindings, program: Program) -> Bindings:
    """The substitutions with a blank node for each blank node of the head, named by the rule and the substitution,
    and with the triple terms of the head.

    So the same rule with the same substitution gives the same blank node in a closure and in every world.
    """
    if not rule.fresh and not rule.made_terms:
        return bindings
    names = fresh_names(rule) if rule.fresh else []
    columns = dict(bindings.columns)
    values = [columns[v] if v in columns else np.full(bindings.size, rule.values[v]) for v in names]
    rows = list(zip(*(column.tolist() for column in values), strict=True)) if names else [()] * bindings.size
    for blank in rule.fresh:
        columns[blank] = np.array([program.blank(rule, blank, row) for row in rows], dtype=np.int64)
    for made in rule.made_terms:
        columns[made.term] = made.make(columns, bindings.size, program.dictionary)
    return Bindings(columns, bindings.size, bindings.world)


def fresh_names(rule: CompiledRule) -> list[Variable]:
    """The variables whose values tell the blank nodes of a rule's head apart, in the order they are recorded."""
    if rule.grouping is not None:
        return sorted({*rule.values, *rule.grouping.variables})
    atoms = {variable for atom in rule.body for variable in atom.variables}
    return sorted({*rule.values, *atoms, *(assignment.variable for assignment in rule.assignments)})


def expand_atom(atom: CompiledAtom, keys: Sequence[Key], type_id: int) -> list[CompiledAtom]:
    """The atoms with a key that a wildcard atom stands for."""

    def put(term: int | Variable, values: dict[Variable, int]) -> int | Variable:
        return values.get(term, term) if isinstance(term, Variable) else term

    found = []
    for values in wild_values(atom, keys, type_id):
        s, p, o = put(atom.s, values), put(atom.p, values), put(atom.o, values)
        assert isinstance(p, int)
        key = (p, o) if p == type_id and isinstance(o, int) else (p, -1)
        found.append(CompiledAtom(key, s, p, o))
    return found
