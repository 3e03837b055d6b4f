"""`weigh`: how much triples and violations weigh, given weights of asserted triples and of rules, in a semiring.

Only the ancestors of what is asked for are looked at. Where a proof through a cycle can add nothing (boolean,
max-product), a fixpoint over the ancestors gives the weight. Elsewhere the sum runs over well-founded proofs (see
`acyclic`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from itertools import islice
from typing import Any, Generic, TypeVar, cast, overload

from rdflib import URIRef
from rdflib.term import Node

from engine.symbolic.acyclic import AcyclicSum
from engine.symbolic.chains import triple_of
from engine.symbolic.closure import Closure
from engine.symbolic.derivations import Derivations, Justification, Target, derivations_of
from engine.symbolic.fixpoint import Budget
from engine.symbolic.justify import Ids
from engine.symbolic.proof import Proof
from engine.symbolic.ranked import Cost, Measure, OutOfWork, Ranking, Size, Tree, best_trees, proof_of
from engine.symbolic.rules import Rule
from engine.symbolic.semiring import MAX_PRODUCT, AddProduct, MaxProduct, Semiring, TopProofs
from kg.errors import ConfigError

__all__ = ["ByWeight", "RuleWeights", "Weighed", "Weights", "asserted_ids", "weigh"]

V = TypeVar("V")
RuleWeights = Mapping[Rule, Any] | Mapping[URIRef, Any]
"""Weights of rules, by the rule or by its IRI; they take the place of those in the rules' text."""

FALLBACK, FALLBACK_WORK = 1000, 100_000
"""Proofs that are added up where the exact sum takes too long, and rule instances that may be tried for them."""


@dataclass(frozen=True)
class Weighed(Generic[V]):
    """The weight of one triple or violation.

    Args:
        target: what was asked for. value: its weight, the semiring's zero where it does not follow.
        incomplete: why the weight may be more than that, None where it is exact.
        find: gives the proofs; called on first use of `proofs`.
    """

    target: Target
    value: V
    incomplete: str | None
    find: Callable[[], tuple[Proof, ...]] = field(repr=False, compare=False)

    @cached_property
    def proofs(self) -> tuple[Proof, ...]:
        """The proof of greatest weight, the k best ones in `TopProofs`; none where it does not follow.

        In a semiring of the caller's, whose weights have no order, the shortest proof.
        """
        return self.find()

    @property
    def proof(self) -> Proof | None:
        """The first of the proofs."""
        return self.proofs[0] if self.proofs else None


@overload
def weigh(
    closure: Closure,
    targets: Iterable[Target],
    *,
    weights: Mapping[Any, Any] | None = None,
    rule_weights: RuleWeights | None = None,
    default: Any = 1,
    budget: Budget | None = None,
) -> list[Weighed[float]]: ...


@overload
def weigh(
    closure: Closure,
    targets: Iterable[Target],
    *,
    weights: Mapping[Any, Any] | None = None,
    semiring: Semiring[V],
    rule_weights: RuleWeights | None = None,
    default: Any = 1,
    budget: Budget | None = None,
) -> list[Weighed[V]]: ...


def weigh(
    closure: Closure,
    targets: Iterable[Target],
    *,
    weights: Mapping[Any, Any] | None = None,
    semiring: Semiring[Any] = MAX_PRODUCT,
    rule_weights: RuleWeights | None = None,
    default: Any = 1,
    budget: Budget | None = None,
) -> list[Weighed[Any]]:
    """The weights of triples and violations of a closure, in order.

    Args:
        weights: of asserted triples (triple -> weight). Inferred triples have none of their own.
        semiring: by default the weight is that of the best proof.
        rule_weights: of rules; a rule that is not among them has the weight of its text, by default 1.
        default: the weight of the other asserted triples.
        budget: see `derivations_of`; what is cut short is marked `incomplete`, and the value is a lower bound.

    Raises:
        ConfigError: a weight is not one of the semiring, or is given for a triple that is not asserted, or for a rule
            that is not one of the closure's.
    """
    asked = list(targets)
    scale = Weights(closure, semiring, weights or {}, rule_weights or {}, default)
    derivations = derivations_of(closure, *asked, budget=budget, chains=semiring.absorptive)
    kind: object = semiring  # the type checker cannot see that a class below is a semiring of its own elements
    if isinstance(kind, TopProofs):
        found: _Found[Any] = _top_proofs(derivations, scale, kind)
    elif isinstance(kind, MaxProduct):
        best = best_trees(derivations, ByWeight(scale))
        found = _Found({node: -tree.cost[0] for node, tree in best.items()}, partial(_one, lambda: best))
    else:
        measure: Measure = ByWeight(scale) if isinstance(kind, AddProduct) else Size()
        values, marks = (_fixpoint if semiring.absorptive else _sums)(derivations, scale)
        found = _Found(values, partial(_one, cache(partial(best_trees, derivations, measure))), marks)
    return [
        found.weighed(closure, target, node, semiring.zero, derivations.incomplete)
        for target, node in zip(asked, derivations.targets, strict=True)
    ]


@dataclass(frozen=True)
class _Found(Generic[V]):
    """What was found for ancestors: weights, a way to the best trees, and why a weight may be more."""

    values: Mapping[Ids, V]
    trees: Callable[[Ids], Iterable[Tree]]
    marks: Mapping[Ids, str] = field(default_factory=dict)

    def weighed(
        self, closure: Closure, target: Target, node: Ids | None, zero: V, incomplete: str | None
    ) -> Weighed[V]:
        """The result for one target."""
        if node is None:
            return Weighed(target, zero, None, tuple)
        mark = incomplete or self.marks.get(node)
        proofs = partial(_proofs, closure, self.trees, node)
        return Weighed(target, self.values.get(node, zero), mark, proofs)


def _proofs(closure: Closure, trees: Callable[[Ids], Iterable[Tree]], node: Ids) -> tuple[Proof, ...]:
    return tuple(proof_of(tree, closure) for tree in trees(node))


def _one(best: Callable[[], Mapping[Ids, Tree]], node: Ids) -> tuple[Tree, ...]:
    tree = best().get(node)
    return () if tree is None else (tree,)


class Weights(Generic[V]):
    """The weights of asserted triples and of rules as elements of a semiring."""

    def __init__(
        self,
        closure: Closure,
        semiring: Semiring[V],
        weights: Mapping[Any, Any],
        rule_weights: RuleWeights,
        default: Any,
    ) -> None:
        self.semiring = semiring
        self._default = semiring.lift(default)
        self._leaves: dict[Ids, V] = {}
        for triple, weight in weights.items():
            self._leaves[asserted_ids(closure, triple)] = semiring.lift(weight)
        self._given: Mapping[Any, Any] = rule_weights
        known = {name for rule in closure.rules for name in (rule, rule.iri)}
        for name in self._given:
            if name not in known:
                raise ConfigError(f"Expected weights of rules of the closure, or of their IRIs (got {name})")
        self._rules: dict[int, V] = {}

    @property
    def zero(self) -> V:
        """The weight of what does not follow."""
        return self.semiring.zero

    def plus(self, a: V, b: V) -> V:
        """The weight of two proofs of one triple."""
        return self.semiring.plus(a, b)

    def leaf(self, node: Ids) -> V:
        """The weight of an asserted triple."""
        return self._leaves.get(triple_of(node), self._default)

    def rule(self, rule: Rule) -> V:
        """The weight of one application of a rule."""
        found = self._rules.get(id(rule))
        if found is None:
            given = self._given.get(rule, self._given.get(rule.iri, rule.weight))
            found = self._rules[id(rule)] = self.semiring.lift(given)
        return found

    def product(self, step: Justification, premises: Iterable[V]) -> V:
        """The weight of a rule application on premises of some weights."""
        value = self.rule(step.rule.rule)
        for premise in premises:
            value = self.semiring.times(value, premise)
        return value


def asserted_ids(closure: Closure, triple: Sequence[Node]) -> Ids:
    """The ids of an asserted triple. Raises ConfigError where it is not asserted."""
    ids = closure.graph.encode(triple)
    if ids is None or not closure.graph.asserted.contains(*ids):
        wanted = "Expected weights of asserted triples; assert the triple first"
        raise ConfigError(f"{wanted} (got {' '.join(map(str, triple))})")
    return ids


class ByWeight:
    """The cost of a proof: its weight as a number, greatest first, then its size."""

    def __init__(self, weights: Weights[Any]) -> None:
        self._weights, self._size = weights, Size()

    def leaf(self, node: Ids) -> Cost:
        """The weight of an asserted triple."""
        return (-_number(self._weights.leaf(node)), *self._size.leaf(node))

    def step(self, justification: Justification, premises: Sequence[Cost]) -> Cost:
        """The product of the weights of the rule and the premises."""
        value = _number(self._weights.rule(justification.rule.rule))
        for premise in premises:
            value *= -premise[0]
        return (-value, *self._size.step(justification, [premise[1:] for premise in premises]))


def _number(weight: Any) -> float:
    return float(weight[0] if isinstance(weight, tuple) else weight)


# ------------------------------------------------------------------------------------------------- fixpoints


def _fixpoint(derivations: Derivations, weights: Weights[V]) -> tuple[dict[Ids, V], dict[Ids, str]]:
    """The least weights of all ancestors that satisfy their justifications, cycle by cycle, premises first."""
    semiring, values = weights.semiring, dict[Ids, V]()
    cycles: dict[int, list[Ids]] = {}
    for node, number in derivations.components.items():
        cycles.setdefault(number, []).append(node)

    def value(node: Ids) -> V:
        total = weights.leaf(node) if node in derivations.asserted else semiring.zero
        for step in derivations.justifications[node]:
            read = weights.leaf if step.reads_asserted else values.__getitem__
            total = semiring.plus(total, weights.product(step, map(read, step.premises)))
        return total

    for number in sorted(cycles):
        nodes = cycles[number]
        values.update((node, semiring.zero) for node in nodes)
        changed = True
        while changed:
            before = [values[node] for node in nodes]
            for node in nodes:
                values[node] = value(node)
            changed = len(nodes) > 1 and before != [values[node] for node in nodes]
    return values, {}


def _sums(derivations: Derivations, weights: Weights[V]) -> tuple[dict[Ids, V], dict[Ids, str]]:
    """The sums for the targets, and why those are less that took too long."""
    values, marks = dict[Ids, V](), dict[Ids, str]()
    exact = AcyclicSum(derivations, weights)
    for node in dict.fromkeys(node for node in derivations.targets if node is not None):
        try:
            values[node] = exact.value(node)
        except OutOfWork:
            values[node] = _partial_sum(derivations, weights, node)
            marks[node] = f"too many proofs through cycles: the sum is over the first {FALLBACK} at most"
    return values, marks


def _partial_sum(derivations: Derivations, weights: Weights[V], node: Ids) -> V:
    """The sum over the best proofs, those of greatest weight where weights are numbers, else the smallest."""
    semiring, kind = weights.semiring, cast(object, weights.semiring)
    measure: Measure = ByWeight(weights) if isinstance(kind, AddProduct) else Size()
    total = semiring.zero
    try:
        for tree in islice(Ranking(derivations, measure, work=FALLBACK_WORK).trees(node), FALLBACK):
            total = semiring.plus(total, _product(tree, weights))
    except OutOfWork:
        pass
    return total


def _product(tree: Tree, weights: Weights[V]) -> V:
    """The weight of one proof, a part that is used twice counted twice."""
    found: dict[int, V] = {}
    for part in tree.parts():
        step = part.justification
        premises = (found[id(premise)] for premise in part.premises)
        found[id(part)] = weights.leaf(part.node) if step is None else weights.product(step, premises)
    return found[id(tree)]


# ----------------------------------------------------------------------------------------------- best proofs

Value = tuple[float, ...]


def _top_proofs(derivations: Derivations, weights: Weights[Any], semiring: TopProofs) -> _Found[Value]:
    """The products of the k best proofs of each target, and these proofs."""
    ranking = Ranking(derivations, ByWeight(weights))
    values, marks, trees = dict[Ids, Value](), dict[Ids, str](), dict[Ids, list[Tree]]()
    for node in dict.fromkeys(node for node in derivations.targets if node is not None):
        found: list[tuple[float, Tree]] = []
        try:
            for tree in islice(ranking.trees(node), semiring.examine if semiring.count_once else semiring.k):
                found.append((_once(tree, weights) if semiring.count_once else -tree.cost[0], tree))
            if semiring.count_once and len(found) == semiring.examine:
                marks[node] = f"only {semiring.examine} proofs were compared"
        except OutOfWork:
            marks[node] = "too many rule instances were tried"
        found = sorted(found, key=lambda item: -item[0])[: semiring.k]
        values[node], trees[node] = tuple(value for value, _ in found), [tree for _, tree in found]
    return _Found(values, trees.__getitem__, marks)


def _once(tree: Tree, weights: Weights[Any]) -> float:
    """The weight of one proof in which each asserted triple and each rule application counts once."""
    parts = {(part.node, part.justification): part for part in tree.parts()}
    value = 1.0
    for node, step in parts:
        value *= _number(weights.leaf(node) if step is None else weights.rule(step.rule.rule))
    return value
