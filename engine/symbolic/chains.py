"""Proofs by a transitive relation, told as chains: a *step* that another rule gives or that is asserted, then the rest.

The proofs of x p z by transitivity are all ways to put parentheses around all chains from x to z: more than can be
counted, and between all pairs of nodes. Moving parentheses changes neither which rules nor which triples a proof uses,
so it changes neither its size nor its weight, and to find the best one the chains that start with a step are enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from rdflib import Variable

from engine.symbolic.application import head_rows
from engine.symbolic.compile import CompiledRule, Program
from engine.symbolic.draft import Term
from engine.symbolic.join import Bindings, Slice
from engine.symbolic.justify import Ids
from engine.symbolic.relation import ASSERTED, Key, Relation
from kg.columns import Columns

__all__ = ["Chains", "step_of", "triple_of"]

Matches = Callable[[CompiledRule, Bindings], Bindings]


def step_of(triple: Ids) -> Ids:
    """The node that stands for a triple of a transitive relation without its proofs by transitivity."""
    return (triple[0], ~triple[1], triple[2])


def triple_of(node: Ids) -> Ids:
    """The triple a node stands for; the node itself for a violation."""
    return node if node[1] >= 0 else (node[0], ~node[1], node[2])


class Chains:
    """The steps of the transitive relations of a closure.

    Args:
        rules: gives the rules that may conclude a triple of a relation. matches: all matches of a rule's body.
    """

    def __init__(
        self,
        asserted: Columns,
        program: Program,
        rules: Callable[[Key], Iterable[CompiledRule]],
        matches: Matches,
    ) -> None:
        self._asserted, self._program, self._rules, self._matches = asserted, program, rules, matches
        self._steps: dict[Key, Relation] = {}

    def steps(self, key: Key) -> Slice:
        """The rows of a relation that are asserted or that follow without transitivity.

        Raises:
            MemoryError: a join would be too large.
        """
        found = self._steps.get(key)
        if found is None:
            found = Relation(np.int32)
            s, o = self._asserted.pairs(key[0])
            found.add(s, o, rule=ASSERTED, step=0)
            for rule in self._rules(key):
                if rule.closes is None:
                    table = self._matches(rule, Bindings.unit(rule.constants))
                    for rows in head_rows(rule, table, self._program):
                        if rows.predicate == key[0]:
                            found.add(rows.s, rows.o, rule=rule.number, step=1)
            self._steps[key] = found
        return Slice(found, 0, found.size)

    @staticmethod
    def first(rule: CompiledRule, template: Sequence[tuple[Term, Term, Term]]) -> tuple[int, int]:
        """Where the atom of the step is in the body of a transitive rule, and among its premises."""
        at = 0 if rule.body[0].s == rule.head[0][0] else 1
        atom = (rule.body[at].s, rule.body[at].p, rule.body[at].o)

        def put(term: Term) -> Term:
            return rule.values.get(term, term) if isinstance(term, Variable) else term

        return at, next(i for i, terms in enumerate(template) if tuple(map(put, terms)) == atom)
