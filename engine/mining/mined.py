"""`MinedRule`, one rule with its counts, and `MinedRules`, many of them in columns, best first.

Of two kinds: a *path* rule r(x, y) <- b1(x, a), b2(a, b), b3(b, y), where each relation may be read backwards, and a
*feature* rule r(x, c) <- b(x, d) or r(x, c) <- b(x, ?a) with constants c and d (AnyBURL's cyclic and acyclic rules).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdflib import RDFS, BNode, URIRef, Variable
from rdflib.term import Node

from engine.symbolic import Rule, RuleSet, ruleset_text
from engine.symbolic.rules import Atom, Call, Constant, Expression, Filter, VariableRef
from kg.graph import KnowledgeGraph

__all__ = ["MINED", "MinedRule", "MinedRules", "Step"]

MINED = "urn:noesis:mined:"
"""Namespace of the names of mined rules, which are numbers."""
_PREFIXES = {"rdfs": str(RDFS), "noesis": "urn:noesis:", "mined": MINED}
_VARIABLES = {1: "xy", 2: "xay", 3: "xaby"}
_APART = ((0, 2), (0, 3), (1, 3))
"""Variables that no atom holds apart; those of one atom differ where no triple leads from an entity to itself."""
COLUMNS = ("head", "body", "head_constant", "body_constant", "counts", "share")
"""The fields of `MinedRules` with a row for each rule."""


class Step(NamedTuple):
    """A relation (term id) that is read from its head to its tail, or else backwards."""

    relation: int
    forward: bool

    def atom(self, graph: KnowledgeGraph, here: Node, there: Node) -> Atom:
        """The atom that says that this step leads from here to there."""
        ends = (here, there) if self.forward else (there, here)
        return Atom(ends[0], graph.dictionary.term(self.relation), ends[1])


@dataclass(frozen=True)
class MinedRule:
    """A rule and how often it held where it was mined. The entities of its variables differ from each other.

    Args:
        head: what follows, as a step from x. body: one to three steps from x on; one in a feature rule.
        head_constant, body_constant: term ids of c and d in a feature rule; no body constant where d is any entity.
        support: pairs (x, y) for which body and head hold; entities x in a feature rule.
        body_size: pairs for which the body holds.
        pca_body_size: those of them whose x has the head's relation, to whatever entity (AMIE, Galárraga et al. 2013).
        share: of the x that were looked at; counts are of these alone.
        smoothing: pairs without the head that `confidence` adds to the body.
    """

    head: Step
    body: tuple[Step, ...]
    support: int
    body_size: int
    pca_body_size: int
    head_constant: int | None = None
    body_constant: int | None = None
    share: float = 1.0
    smoothing: float = 5.0

    @property
    def standard_confidence(self) -> float:
        """Share of the body's pairs for which the head holds, in (0, 1]."""
        return self.support / self.body_size

    @property
    def pca_confidence(self) -> float:
        """The same among the pairs whose x has the head's relation: of another x nothing is held to be false."""
        return self.support / self.pca_body_size

    @property
    def confidence(self) -> float:
        """Standard confidence, lower where there is little to count: support / (body + smoothing) (AnyBURL, 2019)."""
        return self.support / (self.body_size + self.smoothing)

    def rule(self, graph: KnowledgeGraph, iri: URIRef | None = None) -> Rule:
        """The rule for the engine, with its confidence as weight and its counts as comment."""
        term = graph.dictionary.term
        names = "xy" if self.head_constant is not None else _VARIABLES[len(self.body)]
        variables: list[Node] = [Variable(name) for name in names]
        target: Node = variables[-1]
        if self.head_constant is not None:
            variables, target = [variables[0], Variable("a")], term(self.head_constant)
            if self.body_constant is not None:
                variables[1] = term(self.body_constant)
        atoms = [s.atom(graph, *ends) for s, ends in zip(self.body, pairwise(variables), strict=True)]
        if self.head_constant is None:
            different = [(variables[i], other) for i, j in _APART if j < len(variables) for other in [variables[j]]]
        else:  # a constant may be the value of ?a, unless that would be the head itself
            different = [(variables[1], target)] if self.body == (self.head,) and self.body_constant is None else []
        whole = "" if self.share == 1 else f", counted on {self.share:.1%} of the graph"
        return Rule(
            iri=iri,
            head=(self.head.atom(graph, variables[0], target),),
            body=(*atoms, Filter(_all_different(different))) if different else tuple(atoms),
            comment=f"holds for {self.support} of {self.body_size}{whole}",
            weight=round(self.confidence, 4),
        )

    def has_blank(self, graph: KnowledgeGraph) -> bool:
        """Whether a constant is a blank node, for which no rule can be written."""
        constants = (x for x in (self.head_constant, self.body_constant) if x is not None)
        return any(isinstance(graph.dictionary.term(x), BNode) for x in constants)


def _all_different(pairs: list[tuple[Node, Node]]) -> Expression:
    def part(term: Node) -> Expression:
        return VariableRef(term) if isinstance(term, Variable) else Constant(term)

    parts: list[Expression] = [Call("!=", (part(one), part(other))) for one, other in pairs]
    return reduce(lambda left, right: Call("&&", (left, right)), parts)


@dataclass(frozen=True, eq=False)
class MinedRules:
    """Rules in columns, by falling confidence. Entities and steps are positions as in `Incidence`.

    Args:
        entities, relations: term ids by position.
        head: step of each head; shape (rule,). body: steps, filled up with -1; shape (rule, 3).
        head_constant, body_constant: entities, -1 where there is none; shape (rule,) each.
        counts: support, body size, PCA body size; shape (rule, 3).
        share: of the x looked at; shape (rule,). smoothing: see `MinedRule`.
    """

    entities: NDArray[np.int32]
    relations: NDArray[np.int32]
    head: NDArray[np.int32]
    body: NDArray[np.int32]
    head_constant: NDArray[np.int32]
    body_constant: NDArray[np.int32]
    counts: NDArray[np.int32]
    share: NDArray[np.float32]
    smoothing: float

    def __len__(self) -> int:
        return len(self.head)

    def __getitem__(self, at: int) -> MinedRule:
        """One of the rules. Raises IndexError past the last."""
        head_constant, body_constant = int(self.head_constant[at]), int(self.body_constant[at])
        support, body_size, pca_body_size = self.counts[at].tolist()
        return MinedRule(
            head=self._step(int(self.head[at])),
            body=tuple(self._step(step) for step in self.body[at].tolist() if step >= 0),
            support=support,
            body_size=body_size,
            pca_body_size=pca_body_size,
            head_constant=int(self.entities[head_constant]) if head_constant >= 0 else None,
            body_constant=int(self.entities[body_constant]) if body_constant >= 0 else None,
            share=float(self.share[at]),
            smoothing=self.smoothing,
        )

    def __iter__(self) -> Iterator[MinedRule]:
        return map(self.__getitem__, range(len(self)))

    def __str__(self) -> str:
        paths = int(self.is_path.sum())
        return f"{len(self):,} mined rules, {paths:,} of paths and {len(self) - paths:,} of features"

    @property
    def is_path(self) -> NDArray[np.bool_]:
        """Whether each is a path rule; shape (rule,)."""
        return self.head_constant < 0

    @property
    def confidence(self) -> NDArray[np.float64]:
        """`MinedRule.confidence` of each; shape (rule,)."""
        return np.asarray(self.counts[:, 0] / (self.counts[:, 1] + self.smoothing))

    @property
    def pca_confidence(self) -> NDArray[np.float64]:
        """`MinedRule.pca_confidence` of each; shape (rule,)."""
        return np.asarray(self.counts[:, 0] / self.counts[:, 2])

    def take(self, which: NDArray[np.integer] | NDArray[np.bool_] | list[int]) -> MinedRules:
        """Some of the rules, by position or by a mask, in that order."""
        columns: dict[str, Any] = {name: getattr(self, name)[which] for name in COLUMNS}
        return replace(self, **columns)

    def ruleset(self, graph: KnowledgeGraph, limit: int | None = None) -> RuleSet:
        """The best rules for the engine, named `mined:1`, `mined:2` …, with confidence as weight.

        Rules about a constant blank node are left out. `graph` is the one whose term ids were mined.
        """
        rules: list[Rule] = []
        for rule in self:
            if limit is not None and len(rules) == limit:
                break
            if not rule.has_blank(graph):
                rules.append(rule.rule(graph, URIRef(f"{MINED}{len(rules) + 1}")))
        terms = {str(term) for rule in rules for atom in (*rule.body_atoms, *rule.head) for term in atom.terms}
        used = {p: space for p, space in graph.prefixes.items() if any(term.startswith(space) for term in terms)}
        return RuleSet(rules=tuple(rules), prefixes={**used, **_PREFIXES})

    def text(self, graph: KnowledgeGraph, limit: int | None = None) -> str:
        """The best rules as SPARQL-RL with weights; `parse_rules` reads it back."""
        return ruleset_text(self.ruleset(graph, limit))

    def _step(self, step: int) -> Step:
        count = len(self.relations)
        return Step(int(self.relations[step % count]), step < count)
