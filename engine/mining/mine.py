"""`mine_rules`: the rules that hold often in a graph, with their counts.

Path rules: for each relation, all bodies are gathered that lead from head to tail of its triples (2 steps) or of as
many of them as the budget allows (3 steps), and each body is then counted from its first step on: completely where it
is short, on a random part of its first entities where it has 3 steps and is large. Feature rules are counted in full.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.mining.incidence import Incidence
from engine.mining.mined import COLUMNS, MinedRules
from kg.columns import pack
from kg.errors import ConfigError, InputError
from kg.graph import KnowledgeGraph

__all__ = ["MiningConfig", "mine_rules"]

_LOG = logging.getLogger(__name__)
_TRIES, _LEAST_PAIRS = 50, 20
"""Where bodies of 3 steps are sought by sample: first steps from each x, and pairs of each relation at the least."""


@dataclass(frozen=True)
class MiningConfig:
    """What is mined, and how long for; the defaults suit 10⁵ to 10⁶ triples on one core.

    Raises:
        ConfigError: a value out of its range.
    """

    longest: int = 3
    """Most steps in a body, 1 to 3."""
    support: int = 2
    """Least support of a path rule."""
    confidence: float = 0.0001
    """Least confidence of a path rule, in [0, 1]; weak rules still put answers in order that no other rule knows."""
    features: bool = True
    """Whether feature rules are mined."""
    feature_support: int = 3
    """Least support of a feature rule; there are far more of them, and chance makes many that hold of few."""
    feature_confidence: float = 0.01
    """Least confidence of a feature rule, in [0, 1]."""
    smoothing: float = 5.0
    """Pairs without the head that are added to each body (AnyBURL's Laplace smoothing, its default)."""
    paths_per_head: int = 300
    """Most path rules for one relation, the best ones; with 1,000, ranks were as good and took half as long again."""
    features_per_head: int = 2000
    """Most feature rules for one relation and constant, the best ones."""
    search: int = 100_000_000
    """Rows to look at, about, when bodies of 3 steps are sought; with fewer triples than that needs, all are found."""
    count: int = 1_000_000_000
    """Rows to look at, about, when the bodies of 3 steps are counted, all together."""
    most: int = 20_000_000
    """Most feature rules, for the sake of memory: some 30 bytes each."""
    seed: int = 0
    """Of what is sampled; equal seeds give equal rules."""

    def __post_init__(self) -> None:
        if self.longest not in (1, 2, 3):
            raise ConfigError(f"Expected longest of 1, 2 or 3 (got {self.longest})")
        for name in ("support", "feature_support", "paths_per_head", "features_per_head", "search", "count", "most"):
            if getattr(self, name) < 1:
                raise ConfigError(f"Expected {name} of at least 1 (got {getattr(self, name)})")
        for name in ("confidence", "feature_confidence"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"Expected {name} in [0, 1] (got {getattr(self, name)})")
        if not 0 <= self.smoothing < float("inf"):
            raise ConfigError(f"Expected smoothing of at least 0 (got {self.smoothing})")


def mine_rules(source: KnowledgeGraph | NDArray[np.integer], config: MiningConfig | None = None) -> MinedRules:
    """The rules that hold in a graph, best first.

    Args:
        source: a graph, of whose triples between entities it mines (`KnowledgeGraph.entity_triples`), or such triples
            as rows of (head, relation, tail) term ids, shape (num_triples, 3). Repeats and loops count for nothing.
        config: what to mine; None takes the defaults.

    Raises:
        InputError: no triples, or a wrong shape.
    """
    config = config or MiningConfig()
    rows = source.entity_triples() if isinstance(source, KnowledgeGraph) else np.asarray(source)
    incidence = Incidence.of(rows, seed=config.seed)
    if not len(incidence.end):
        raise InputError("Expected a triple between two entities to mine rules of (got none)")
    began = time.perf_counter()
    parts = [_path_rules(incidence, config)]
    if config.features:
        parts.append(_feature_rules(incidence, config))
    found = _joined(parts)
    _LOG.info("%s in %.1f s", found, time.perf_counter() - began)
    return found


def _path_rules(incidence: Incidence, config: MiningConfig) -> MinedRules:
    """Path rules of all relations, each body counted once for all its heads."""
    from engine.mining.kernels import count_bodies

    steps, base = 2 * incidence.num_relations, 2 * incidence.num_relations + 1
    found = [np.stack([keys, np.full(len(keys), head)]) for head, keys in _candidates(incidence, config)]
    keys, heads = np.concatenate(found, axis=1)
    order = np.lexsort((heads, keys))
    keys, heads = keys[order], heads[order]
    bodies, begin = np.unique(keys, return_index=True)
    digits = np.stack([bodies // base**2, bodies // base % base, bodies % base], axis=1)
    digits = np.where(digits == steps, -1, digits).astype(np.int32)
    offset = np.r_[begin, len(keys)].astype(np.int64)
    body_size, share = np.zeros(len(bodies), np.int64), np.ones(len(bodies))
    support, partial = np.zeros(len(heads), np.int64), np.zeros(len(heads), np.int64)
    long = digits[:, 2] >= 0
    for which, work in ((~long, np.iinfo(np.int64).max), (long, config.count // max(int(long.sum()), 1))):
        rows = np.flatnonzero(which)
        at = np.flatnonzero(np.repeat(which, np.diff(offset)))
        counts = count_bodies(
            incidence.offset,
            incidence.step,
            incidence.end,
            incidence.start_offset,
            incidence.start_entity,
            incidence.first,
            incidence.reached,
            incidence.shuffled,
            digits[rows],
            np.r_[0, np.cumsum(np.diff(offset)[rows])].astype(np.int64),
            heads[at],
            work,
        )
        body_size[rows], support[at], partial[at], share[rows] = counts
    of = np.repeat(np.arange(len(bodies)), np.diff(offset))
    none = np.full(len(heads), -1, np.int32)
    counts = np.stack([support, body_size[of], partial], axis=1).astype(np.int32)
    rules = _rules(incidence, config, heads.astype(np.int32), digits[of], none, none, counts, share[of])
    good = (support >= config.support) & (rules.confidence >= config.confidence)
    return _best_of_each(rules.take(good), rules.head[good].astype(np.int64), config.paths_per_head)


def _candidates(incidence: Incidence, config: MiningConfig) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """(relation, keys of bodies that may have enough support with it as head); see `kernels.bodies_between`."""
    from engine.mining.kernels import bodies_between

    steps, base = 2 * incidence.num_relations, 2 * incidence.num_relations + 1
    degree = np.diff(incidence.offset)
    sums = np.r_[0, np.cumsum(degree[incidence.near])]
    reach = sums[incidence.offset[1:]] - sums[incidence.offset[:-1]]  # edges of the neighbours of each entity
    source = np.repeat(incidence.start_entity, np.diff(incidence.first))
    whole = reach[source[: incidence.first[incidence.start_offset[steps // 2]]]].sum() <= config.search
    beside, random = _steps_beside(incidence), np.random.default_rng(config.seed)
    for relation in range(incidence.num_relations):
        rows = slice(*incidence.first[incidence.start_offset[[relation, relation + 1]]])
        xs, ys = source[rows], incidence.reached[rows]
        single = np.flatnonzero(beside[[relation]].toarray().ravel() >= config.support)
        keys = [(single[single != relation] * base + steps) * base + steps]
        for length in range(2, config.longest + 1):
            if length == 3 and not whole:
                order = random.permutation(len(xs))
                cost = (reach[xs] * np.minimum(1, _TRIES / np.maximum(degree[xs], 1)))[order]
                fits = np.cumsum(cost) <= config.search / incidence.num_relations
                xs, ys = (column[order[: max(_LEAST_PAIRS, int(fits.sum()))]] for column in (xs, ys))
            arrays = incidence.offset, incidence.near, incidence.near_step
            tries = int(degree.max()) if whole else _TRIES
            bodies, count = bodies_between(*arrays, steps, xs, ys, length, tries, config.seed)
            keys.append(bodies[(count >= config.support) & ((bodies % base == steps) == (length == 2))])
        yield relation, np.concatenate(keys)


def _steps_beside(incidence: Incidence) -> Any:
    """For how many pairs of entities both of two steps hold; scipy.sparse, shape (step, step)."""
    here = np.repeat(np.arange(len(incidence.entities)), np.diff(incidence.offset))
    pair = np.unique(pack(here, incidence.end), return_inverse=True)[1]
    shape = (int(pair.max()) + 1, 2 * incidence.num_relations)
    holds = csr_array((np.ones(len(pair), np.int64), (pair, incidence.step)), shape=shape)
    return (holds.T @ holds).tocsr()


def _feature_rules(incidence: Incidence, config: MiningConfig) -> MinedRules:
    """Feature rules; of those with one head the best, of those about one body and head relation all."""
    from engine.mining.kernels import count_features

    start_step = incidence.start_step
    bodies, heads, counts, whole = count_features(
        incidence.offset,
        incidence.step,
        incidence.feature,
        incidence.start_offset,
        incidence.start_entity,
        start_step,
        incidence.first,
        incidence.reached,
        config.feature_support,
        config.feature_confidence,
        config.smoothing,
        config.most,
    )
    if not whole:
        _LOG.warning("stopped at %d feature rules; raise feature_support or feature_confidence to see all", len(bodies))
    constant = bodies < len(start_step)
    at = np.where(constant, bodies, 0)
    steps = np.where(constant, incidence.back(start_step[at]), bodies - len(start_step))
    body = np.full((len(bodies), 3), -1, np.int32)
    body[:, 0] = steps
    rules = _rules(
        incidence,
        config,
        incidence.back(start_step[heads]),
        body,
        incidence.start_entity[heads],
        np.where(constant, incidence.start_entity[at], -1).astype(np.int32),
        counts,
        np.ones(len(bodies)),
    )
    return _best_of_each(rules, heads.astype(np.int64), config.features_per_head)


def _rules(
    incidence: Incidence,
    config: MiningConfig,
    head: NDArray[np.int32],
    body: NDArray[np.int32],
    head_constant: NDArray[np.int32],
    body_constant: NDArray[np.int32],
    counts: NDArray[np.int32],
    share: NDArray[np.float64],
) -> MinedRules:
    return MinedRules(
        incidence.entities,
        incidence.relations,
        head,
        body,
        head_constant,
        body_constant,
        counts,
        share.astype(np.float32),
        config.smoothing,
    )


def _best_of_each(rules: MinedRules, group: NDArray[np.int64], most: int) -> MinedRules:
    """The best rules of each group, in the old order."""
    order = np.lexsort((-rules.confidence, group))
    began = np.r_[True, np.diff(group[order]) != 0][: len(order)]
    place = np.arange(len(order)) - np.maximum.accumulate(np.where(began, np.arange(len(order)), 0))
    return rules.take(np.sort(order[place < most]))


def _joined(parts: Sequence[MinedRules]) -> MinedRules:
    """All rules by falling confidence, then support, then shortest and least."""
    columns: dict[str, Any] = {n: np.concatenate([getattr(part, n) for part in parts]) for n in COLUMNS}
    rules = replace(parts[0], **columns)
    keys = (rules.body_constant, rules.head_constant, *rules.body[:, ::-1].T, rules.head, -rules.counts[:, 0])
    return rules.take(np.lexsort((*keys, -rules.confidence)))
