"""`weigh_all`: the max-product weight of every triple of a closure at once, in columns.

Every rule is joined once over the closed store. Each instance then is a few numbers: the places of its conclusion and
of its premises in one long column of weights. A round multiplies the premises of all instances and takes the maximum
for each conclusion; rounds go on until no weight grows, at most as many as the deepest of the best proofs is deep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdflib import Variable
from rdflib.term import Node

from engine.symbolic.application import with_fresh
from engine.symbolic.closure import Closure
from engine.symbolic.compile import CompiledRule
from engine.symbolic.draft import Term
from engine.symbolic.join import Bindings
from engine.symbolic.justify import Ids
from engine.symbolic.relation import Key, Store
from engine.symbolic.semiring import MAX_PRODUCT
from engine.symbolic.weights import RuleWeights, Weights
from kg.errors import BudgetError

__all__ = ["ClosureWeights", "weigh_all"]

Array = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClosureWeights:
    """The weight of every triple of a closure.

    Args:
        s, p, o: ids, shape (num_triples,) each. weight: in [0, 1], shape (num_triples,).
        rounds: how many it took.
    """

    s: Array
    p: Array
    o: Array
    weight: Values
    rounds: int
    places: _Places
    closure: Closure

    def __len__(self) -> int:
        return len(self.weight)

    def __getitem__(self, triple: Sequence[Node]) -> float:
        """The weight of a triple, 0 where it is not in the closure."""
        ids = self.closure.graph.encode(triple)
        if ids is None:
            return 0.0
        at = int(self.places.of_triples(ids[1], np.array([ids[0]]), np.array([ids[2]]))[0])
        return float(self.weight[at]) if at >= 0 else 0.0


def weigh_all(
    closure: Closure,
    *,
    weights: Mapping[Any, Any] | None = None,
    rule_weights: RuleWeights | None = None,
    default: float = 1.0,
) -> ClosureWeights:
    """The weight of the best proof of every triple; arguments and values as for `weigh` with `MaxProduct`.

    Raises:
        ConfigError: as for `weigh`.
        BudgetError: a rule has too many instances; ask `weigh` for the triples that matter.
    """
    scale = Weights(closure, MAX_PRODUCT, weights or {}, rule_weights or {}, default)
    places = _Places(closure.state.store)
    s, p, o = places.arrays()
    asserted = np.zeros(len(s), dtype=bool)
    for predicate in closure.graph.asserted.predicates():
        asserted[places.of_triples(predicate, *closure.graph.asserted.pairs(predicate))] = True
    leaf = np.where(asserted, scale.default, 0.0)
    for (subject, predicate, object_), weight in scale.given():
        leaf[places.of_triples(predicate, np.array([subject]), np.array([object_]))] = weight
    try:
        batches = [batch for rule in closure.backward.rules for batch in _batches(closure, rule, places, scale)]
    except MemoryError as stop:
        raise BudgetError(f"Expected rules with fewer instances (got {stop}); use weigh for some triples") from stop
    leaf = np.append(leaf, 1.0)
    value, rounds, grew = leaf.copy(), 0, True
    for batch in batches:
        if batch.data:
            batch.improve(value, leaf)
    while grew:
        rounds, grew = rounds + 1, False
        for batch in batches:
            grew |= not batch.data and batch.improve(value, value)
    return ClosureWeights(s, p, o, value[:-1], rounds, places, closure)


class _Places:
    """Numbers for the rows of all relations of a store, one relation after the other."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._starts: dict[Key, int] = {}
        self._size = 0
        for key, relation in store:
            self._starts[key] = self._size
            self._size += relation.size

    def arrays(self) -> tuple[Array, Array, Array]:
        """Subject, predicate and object of every row."""
        parts = [(relation.s, np.full(relation.size, key[0]), relation.o) for key, relation in self.store]
        none = np.empty(0, dtype=np.int64)
        s, p, o = (np.concatenate([none, *(part[i] for part in parts)]).astype(np.int64) for i in range(3))
        return s, p, o

    def of(self, key: Key, s: Array, o: Array) -> Array:
        """The numbers of rows of one relation, -1 for one that is not there."""
        relation = self.store.get(key)
        if relation is None:
            return np.full(len(s), -1, dtype=np.int64)
        rows = relation.rows(s, o).astype(np.int64)
        return np.where(rows < 0, -1, rows + self._starts[key])

    def of_triples(self, predicate: int, s: NDArray[Any], o: NDArray[Any]) -> Array:
        """The numbers of triples of one predicate."""
        s, o = s.astype(np.int64), o.astype(np.int64)
        if predicate != self.store.type_id:
            return self.of((predicate, -1), s, o)
        found = np.full(len(s), -1, dtype=np.int64)
        for cls in dict.fromkeys(o.tolist()):
            at = o == cls
            found[at] = self.of((predicate, cls), s[at], o[at])
        return found


@dataclass(frozen=True, eq=False)
class _Batch:
    """Instances of one rule, in the order of their conclusions.

    Args:
        conclusions: distinct, ascending. starts: where the instances of each begin.
        premises: shape (num_premises, num_instances).
    """

    conclusions: Array
    starts: Array
    premises: Array
    weight: float
    data: bool

    def improve(self, value: Values, premise_value: Values) -> bool:
        """Raise the weights of the conclusions to the best product; whether any grew."""
        product = self.weight * np.prod(premise_value[self.premises], axis=0)
        best = np.maximum.reduceat(product, self.starts)
        grew = best > value[self.conclusions]
        value[self.conclusions[grew]] = best[grew]
        return bool(grew.any())


def _batches(closure: Closure, rule: CompiledRule, places: _Places, scale: Weights[float]) -> Iterator[_Batch]:
    """The instances of a rule, for each of its head atoms."""
    backward = closure.backward
    if rule.grouping is None:
        table = backward.matches(rule, Bindings.unit(rule.constants), chains=rule.closes is not None)
        table = with_fresh(rule, table, closure.state.program) if table.size else table
    else:
        table, groups = backward.groups(rule)
    if not table.size:
        return

    def column(term: Term) -> Array:
        if isinstance(term, Variable) and term in table.columns:
            return table.columns[term]
        return np.full(table.size, rule.values[term] if isinstance(term, Variable) else term, dtype=np.int64)

    if rule.grouping is None:
        premises = [_rows(places, *map(column, atom)) for atom in backward.template(rule)]
        matrix = np.array(premises, dtype=np.int64).reshape(len(premises), table.size)
    else:
        matrix = _ragged(places, groups)
    for head in rule.head:
        conclusions = _rows(places, *map(column, head))
        kept = np.flatnonzero(conclusions >= 0)
        order = kept[np.argsort(conclusions[kept], kind="stable")]
        ordered = conclusions[order]
        if len(ordered):
            starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
            weight = scale.rule(rule.rule)
            yield _Batch(ordered[starts], starts, matrix[:, order], weight, rule.rule.data)


def _ragged(places: _Places, groups: Sequence[tuple[Ids, ...]]) -> Array:
    """The places of the premises of each group; -1, the place of the weight 1, where a group has fewer."""
    matrix = np.full((max(map(len, groups)), len(groups)), -1, dtype=np.int64)
    for at, premises in enumerate(groups):
        if premises:
            s, p, o = np.array(premises, dtype=np.int64).T
            matrix[: len(premises), at] = _rows(places, s, p, o)
    return matrix


def _rows(places: _Places, s: Array, p: Array, o: Array) -> Array:
    found = np.full(len(s), -1, dtype=np.int64)
    for predicate in dict.fromkeys(p.tolist()):
        at = p == predicate
        found[at] = places.of_triples(predicate, s[at], o[at])
    return found
