"""Weights that flow through rules as tensors, so that a model can be trained through what its triples entail.

The ways in which triples follow do not depend on the weights. They are looked for once; then the weights of the
targets are a function of the weights of asserted triples and rules that torch can differentiate. The product of the
best proof has the gradient of that proof, a subgradient where two are equally good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from rdflib import URIRef
from torch import Tensor

from engine.symbolic.acyclic import AcyclicSum
from engine.symbolic.chains import triple_of
from engine.symbolic.closure import Closure
from engine.symbolic.derivations import Derivations, Justification, Target, derivations_of
from engine.symbolic.fixpoint import Budget
from engine.symbolic.justify import Ids
from engine.symbolic.ranked import Cost, OutOfWork, Size, Tree, best_trees
from engine.symbolic.rules import Rule
from engine.symbolic.weights import asserted_ids
from kg.errors import BudgetError, ConfigError

__all__ = ["SoftRules", "weigh_tensor"]

Kind = Literal["max-product", "add-product"]
RuleIndex = Mapping[Rule, int] | Mapping[URIRef, int]


def weigh_tensor(
    closure: Closure,
    targets: Iterable[Target],
    weights: Float[Tensor, " triple"],
    index: Mapping[Any, int],
    *,
    semiring: Kind = "max-product",
    rule_weights: Float[Tensor, " rule"] | None = None,
    rule_index: RuleIndex | None = None,
    budget: Budget | None = None,
) -> Float[Tensor, " target"]:
    """The weights of triples and violations; gradients reach `weights` and `rule_weights`. See `SoftRules`."""
    rules = SoftRules(closure, targets, index, semiring=semiring, rule_index=rule_index, budget=budget)
    return rules(weights, rule_weights)


class SoftRules:
    """The weights of some triples and violations as a function of the weights of asserted triples and of rules.

    Args:
        targets: a triple that does not follow has the weight 0 and no gradient.
        index: asserted triple -> its place in the weights; the other ones have the weight 1.
        semiring: the product of the best proof, or the sum of the products of all well-founded proofs.
        rule_index: rule (or its IRI) -> its place in the rule weights; the other ones have the weight of their text.
        budget: limits of the search for all justifications, see `derivations_of`.

    Raises:
        ConfigError: a triple of the index is not asserted, or the semiring is not one of the two.
        BudgetError: there are too many justifications, or too many proofs through cycles to add up.
    """

    def __init__(
        self,
        closure: Closure,
        targets: Iterable[Target],
        index: Mapping[Any, int],
        *,
        semiring: Kind = "max-product",
        rule_index: RuleIndex | None = None,
        budget: Budget | None = None,
    ) -> None:
        if semiring not in ("max-product", "add-product"):
            raise ConfigError(f"Expected the semiring max-product or add-product (got {semiring!r})")
        derivations = derivations_of(closure, *targets, budget=budget, chains=semiring == "max-product")
        if derivations.incomplete:
            wanted = "Expected few enough justifications to follow all of them"
            raise BudgetError(f"{wanted} (got {derivations.incomplete}); ask for fewer targets, or raise the budget")
        places = {asserted_ids(closure, triple): at for triple, at in index.items()}
        self._inputs = _Inputs(places, rule_index or {})
        self._evaluate = (_BestProofs if semiring == "max-product" else _Sums)(derivations, self._inputs)

    def __call__(
        self, weights: Float[Tensor, " triple"], rule_weights: Float[Tensor, " rule"] | None = None
    ) -> Float[Tensor, " target"]:
        """The weights of the targets, in order.

        Raises:
            ConfigError: there are fewer weights than the indexes name, or (max-product) one is not in [0, 1].
        """
        return self._evaluate(self._inputs.vector(weights, rule_weights))


class _Inputs:
    """The numbers weights are computed from, in one vector: 0, 1, weights of triples, of rules, and constants."""

    ZERO, ONE = 0, 1

    def __init__(self, places: Mapping[Ids, int], rules: Mapping[Any, int]) -> None:
        self._places, self._given = places, rules
        self._size = 1 + max(places.values(), default=-1)
        self._rule_size = 1 + max(rules.values(), default=-1)
        self._constants: dict[float, int] = {}
        self._rules: dict[int, int] = {}

    @property
    def size(self) -> int:
        """The length of the vector, once every constant has a place."""
        return 2 + self._size + self._rule_size + len(self._constants)

    def leaf(self, node: Ids) -> int:
        """Where in the vector the weight of an asserted triple is."""
        at = self._places.get(triple_of(node))
        return self.ONE if at is None else 2 + at

    def rule(self, rule: Rule) -> int:
        """Where in the vector the weight of a rule is."""
        found = self._rules.get(id(rule))
        if found is None:
            at = self._given.get(rule, self._given.get(rule.iri))
            if at is not None:
                found = 2 + self._size + at
            elif rule.weight == 1:
                found = self.ONE
            else:
                place = self._constants.setdefault(rule.weight, len(self._constants))
                found = 2 + self._size + self._rule_size + place
            self._rules[id(rule)] = found
        return found

    def vector(self, weights: Tensor, rule_weights: Tensor | None) -> Tensor:
        """The vector for some weights."""
        rules = weights.new_empty(0) if rule_weights is None else rule_weights
        for name, given, size in (("weights", weights, self._size), ("rule weights", rules, self._rule_size)):
            if given.ndim != 1 or len(given) < size:
                raise ConfigError(f"Expected a vector of at least {size} {name} (got the shape {tuple(given.shape)})")
        fixed = weights.new_tensor([0.0, 1.0])
        constants = weights.new_tensor(list(self._constants))
        return torch.cat([fixed, weights[: self._size], rules[: self._rule_size].to(weights), constants])


class _BestProofs:
    """The product of the best proof of each target, which is looked for anew whenever weights change."""

    def __init__(self, derivations: Derivations, inputs: _Inputs) -> None:
        self._derivations, self._inputs = derivations, inputs
        for found in derivations.justifications.values():  # so that every constant has a place
            for step in found:
                inputs.rule(step.rule.rule)

    def __call__(self, vector: Float[Tensor, " input"]) -> Float[Tensor, " target"]:
        numbers = vector.detach().tolist()
        if not all(0 <= number <= 1 for number in numbers):
            raise ConfigError("Expected weights in [0, 1] (got one outside); a sigmoid, for example, keeps them there")
        best = best_trees(self._derivations, _Product(numbers, self._inputs))
        uses = [self._uses(best[node]) if node in best else {_Inputs.ZERO: 1} for node in self._derivations.targets]
        width = max(map(len, uses), default=0)
        places = torch.tensor([_padded(list(used), _Inputs.ONE, width) for used in uses], device=vector.device)
        powers = vector.new_tensor([_padded(list(used.values()), 1, width) for used in uses])
        return (vector[places.long()] ** powers).prod(dim=-1) if uses else vector[:0]

    def _uses(self, tree: Tree) -> dict[int, int]:
        """How often a proof uses each input; a part that is used twice counts twice."""
        times: dict[int, int] = {id(tree): 1}
        found: dict[int, int] = {}
        for part in reversed(list(tree.parts())):
            step, count = part.justification, times[id(part)]
            at = self._inputs.leaf(part.node) if step is None else self._inputs.rule(step.rule.rule)
            found[at] = found.get(at, 0) + count
            for premise in part.premises:
                times[id(premise)] = times.get(id(premise), 0) + count
        return found


class _Product:
    """The cost of a proof: its product, greatest first, then its size."""

    def __init__(self, numbers: Sequence[float], inputs: _Inputs) -> None:
        self._numbers, self._inputs, self._size = numbers, inputs, Size()

    def leaf(self, node: Ids) -> Cost:
        """The weight of an asserted triple."""
        return (-self._numbers[self._inputs.leaf(node)], *self._size.leaf(node))

    def step(self, justification: Justification, premises: Sequence[Cost]) -> Cost:
        """The product of the weights of the rule and the premises."""
        value = self._numbers[self._inputs.rule(justification.rule.rule)]
        for premise in premises:
            value *= -premise[0]
        return (-value, *self._size.step(justification, [premise[1:] for premise in premises]))


Terms = tuple[int, ...]


class _Sums:
    """The sum over all well-founded proofs, written out once as a circuit of sums and products over the inputs.

    The circuit is evaluated level by level, all sums or products of a level in one operation.
    """

    zero: Terms = ()

    def __init__(self, derivations: Derivations, inputs: _Inputs) -> None:
        self._inputs = inputs
        self._nodes: dict[tuple[str, Terms], int] = {}  # numbered from -1 downwards; inputs are numbered from 0
        self._level: dict[int, int] = {}
        exact = AcyclicSum[Terms](derivations, self)
        try:
            found = [() if node is None else exact.value(node) for node in derivations.targets]
        except OutOfWork:
            wanted = "Expected few enough proofs through cycles to add them up"
            raise BudgetError(f"{wanted} (got too many); take the semiring max-product") from None
        outputs = [self._sum(terms) for terms in found]
        self._operations, place = self._compile()
        self._outputs = torch.tensor([place.get(node, node) for node in outputs], dtype=torch.long)

    def plus(self, a: Terms, b: Terms) -> Terms:
        """The terms of both sums."""
        return a + b

    def leaf(self, node: Ids) -> Terms:
        """The input of an asserted triple."""
        return (self._inputs.leaf(node),)

    def product(self, step: Justification, premises: Iterable[Terms]) -> Terms:
        """The product of a rule's input and some sums."""
        factors = [self._inputs.rule(step.rule.rule), *map(self._sum, premises)]
        if _Inputs.ZERO in factors:
            return ()
        return (self._node("product", tuple(f for f in factors if f != _Inputs.ONE), _Inputs.ONE),)

    def _sum(self, terms: Terms) -> int:
        return self._node("sum", terms, _Inputs.ZERO)

    def _node(self, kind: str, parts: Terms, empty: int) -> int:
        """The number of a sum or product, the same for the same parts."""
        if len(parts) < 2:
            return parts[0] if parts else empty
        key = (kind, tuple(sorted(parts)))
        found = self._nodes.get(key)
        if found is None:
            found = self._nodes[key] = -1 - len(self._nodes)
            self._level[found] = 1 + max(self._level.get(part, 0) for part in parts)
        return found

    def _compile(self) -> tuple[list[tuple[str, Tensor]], dict[int, int]]:
        """For each level its sums and its products, as rows of places of their parts; and the place of each node."""
        groups: dict[tuple[int, str], list[tuple[Terms, int]]] = {}
        for (kind, parts), node in self._nodes.items():
            groups.setdefault((self._level[node], kind), []).append((parts, node))
        place, operations, size = dict[int, int](), [], self._inputs.size
        for (_, kind), nodes in sorted(groups.items()):
            neutral, width = _Inputs.ZERO if kind == "sum" else _Inputs.ONE, max(len(parts) for parts, _ in nodes)
            rows = [_padded([place.get(part, part) for part in parts], neutral, width) for parts, _ in nodes]
            operations.append((kind, torch.tensor(rows)))
            place.update((node, size + at) for at, (_, node) in enumerate(nodes))
            size += len(nodes)
        return operations, place

    def __call__(self, vector: Float[Tensor, " input"]) -> Float[Tensor, " target"]:
        values = vector
        for kind, places in self._operations:
            parts = values[places.to(vector.device)]
            values = torch.cat([values, parts.sum(dim=-1) if kind == "sum" else parts.prod(dim=-1)])
        return values[self._outputs.to(vector.device)]


def _padded(items: list[int], filler: int, width: int) -> list[int]:
    return items + [filler] * (width - len(items))
