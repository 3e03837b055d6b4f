"""`RulePredictor`: scores of all entities as answers to (head, relation, ?) and (?, relation, tail), by mined rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.mining.incidence import Incidence
from engine.mining.mined import MinedRules
from kg.errors import ConfigError, InputError, UnknownTermError

__all__ = ["WAYS", "RulePredictor"]

Array = NDArray[Any]
WAYS = ("noisy-or", "in order")


@dataclass(frozen=True)
class _Index:
    """Rules as the kernel looks them up (see `kernels_predict.score_queries`)."""

    path_offset: Array
    path_body: Array
    path_confidence: Array
    told_offset: Array
    told_step: Array
    told_entity: Array
    told_confidence: Array
    telling_offset: Array
    telling_body: Array
    telling_confidence: Array


class RulePredictor:
    """What mined rules say about the answers to queries.

    Args:
        rules: mined from `rows`.
        rows: (head, relation, tail) term ids of the triples that the bodies are matched with; shape (num_triples, 3).
        way: how an answer's rules count together. `noisy-or`: 1 - Π (1 - decay^k · confidence), where rules are taken
            apart as paths, features of what is given, features of the answer, and features without a constant, and k
            counts in each of these groups from its best rule on. `in order`: the best rule decides, among equals the
            next best, and so on (AnyBURL); four rules and 13 bits of each confidence are compared.
        decay: how much the next best rule still says, in [0, 1]. Rules for one answer mostly say the same again: with
            1, many weak rules win over a strong one. 0.7 was best on validation triples of FB15k-237 and WN18RR.
        unspecific: what features without a constant count for, beside the others; they hold of very many.
        depth: rules of each group that count; at 0.7 the ninth would count for 6 %.
        work: rows to look at for one rule and query, about; a hub has answers for everything, and few of them true.

    Raises:
        ConfigError: an unknown way, or a value out of its range.
        InputError: the rules were mined from triples of other entities or relations.
    """

    def __init__(
        self,
        rules: MinedRules,
        rows: NDArray[np.integer],
        *,
        way: str = "noisy-or",
        decay: float = 0.7,
        unspecific: float = 0.1,
        depth: int = 8,
        work: int = 20_000,
    ) -> None:
        if way not in WAYS:
            raise ConfigError(f"Expected a way of {', '.join(WAYS)} (got {way!r})")
        if not 0 <= decay <= 1 or depth < 1 or work < 1:
            raise ConfigError(f"Expected decay in [0, 1], depth and work of at least 1 (got {decay}, {depth}, {work})")
        self.rules, self.incidence, self.way, self.work = rules, Incidence.of(rows), way, work
        same = np.array_equal(rules.entities, self.incidence.entities)
        if not same or not np.array_equal(rules.relations, self.incidence.relations):
            raise InputError("Expected the triples that the rules were mined from (got some with other terms)")
        self._weights = decay ** np.arange(depth) * np.array([1, 1, 1, unspecific])[:, None]
        self._index = _index(rules, self.incidence)
        self._usual = _frequencies(self.incidence)

    @property
    def entities(self) -> NDArray[np.int32]:
        """Term ids of the entities, ascending; the columns of scores."""
        return self.incidence.entities

    def knows(self, triples: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether all three terms of each triple occurred in the rows; shape (num_triples,)."""
        head, relation, tail = np.asarray(triples).T
        known = np.isin(relation, self.incidence.relations)
        return np.asarray(np.isin(head, self.entities) & known & np.isin(tail, self.entities))

    def of(self, triples: NDArray[np.integer], *, tails: bool) -> NDArray[np.float64]:
        """Scores with each of `entities` as tail (head) of each triple; shape (num_triples, entity).

        A noisy-or p is given as -ln(1 - p), so that scores of independent evidence add up. Where no rule applies, and
        among equals, the entity comes first that more often is tail (head) of the relation: a part of at most 10⁻⁶.

        Raises:
            UnknownTermError: a head or relation (relation or tail) did not occur in the rows.
        """
        from engine.mining.kernels_predict import score_queries

        inc, index = self.incidence, self._index
        rows = np.asarray(triples)
        xs = self._positions(inc.entities, rows[:, 0 if tails else 2])
        steps = self._positions(inc.relations, rows[:, 1]) + (0 if tails else inc.num_relations)
        queries, place = np.unique(np.stack([xs, steps], axis=1), axis=0, return_inverse=True)
        xs, steps = np.ascontiguousarray(queries.T)
        scores = np.zeros((len(queries), len(inc.entities)))
        score_queries(
            *(inc.offset, inc.step, inc.end, inc.feature, inc.start_offset, inc.start_entity, inc.first, inc.reached),
            *(index.path_offset, index.path_body, index.path_confidence),
            *(index.told_offset, index.told_step, index.told_entity, index.told_confidence),
            *(index.telling_offset, index.telling_body, index.telling_confidence),
            *(xs, steps, inc.find_start(steps, xs), self._weights, self.way == "noisy-or", self.work, scores),
        )
        scores += self._usual[steps].toarray()
        return scores[place.ravel()]

    @staticmethod
    def _positions(table: NDArray[np.int32], ids: NDArray[np.integer]) -> NDArray[np.int64]:
        at = np.minimum(np.searchsorted(table, ids), len(table) - 1)
        missing = ids[table[at] != ids]
        if len(missing):
            raise UnknownTermError(f"term id {int(missing[0])}, which is in no triple that the rules are applied to")
        return np.asarray(at, dtype=np.int64)


def _index(rules: MinedRules, inc: Incidence) -> _Index:
    """The rules by what a query looks for; path rules twice, once for either end."""
    steps, starts = 2 * inc.num_relations, len(inc.start_entity)
    confidence = rules.confidence.astype(np.float32)
    path = rules.is_path
    head, body = rules.head[path], rules.body[path]
    head, body = np.r_[head, inc.back(head)], np.concatenate([body, _turned(body, inc)])
    told_by = np.r_[confidence[path], confidence[path]]
    order = np.lexsort((-told_by, head))
    paths = (np.searchsorted(head[order], np.arange(steps + 1)), body[order], told_by[order])

    head, answer, sure = rules.head[~path], rules.head_constant[~path], confidence[~path]
    body_step, constant = rules.body[~path, 0], rules.body_constant[~path]
    known = np.where(constant >= 0, inc.find_start(inc.back(body_step), constant), starts + body_step)
    order = np.lexsort((head, known))
    told = np.searchsorted(known[order], np.arange(starts + steps + 1)), head[order], answer[order], sure[order]
    asked = inc.find_start(inc.back(head), answer)
    order = np.lexsort((-sure, asked))
    telling = np.searchsorted(asked[order], np.arange(starts + 1)), known[order], sure[order]
    return _Index(*paths, *told, *telling)


def _turned(body: NDArray[np.int32], inc: Incidence) -> NDArray[np.int32]:
    """Bodies as seen from y: the steps back, last first; shape (rule, 3)."""
    turned, back, length = np.full_like(body, -1), inc.back(body), (body >= 0).sum(axis=1)
    for size in (1, 2, 3):
        turned[length == size, :size] = back[length == size, :size][:, ::-1]
    return turned


def _frequencies(inc: Incidence) -> Any:
    """How often each step ends at each entity, the most frequent one as 10⁻⁶; scipy.sparse, shape (step, entity)."""
    shape = (2 * inc.num_relations, len(inc.entities))
    counts = csr_array((np.ones(len(inc.end)), (inc.step, inc.end)), shape=shape)
    counts.sum_duplicates()
    return counts * (1e-6 / max(counts.max(), 1))
