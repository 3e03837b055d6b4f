"""Rules and an embedding together, weighed by relation and by what is sought.

Rules are sure where they apply and silent elsewhere; an embedding has a score for everything. Its score becomes the
chance that an entity is the answer, by a softmax over all entities at a temperature. Then there are two ways to put the
chances p of the rules and q of the embedding together, and a weight w for each:

- a noisy-or, -ln(1 - p) - w · ln(1 - q): either is reason enough, and what one says, the other need not say;
- a product, ln q + w · ln(p + floor): the embedding decides among what the rules hold to be possible.

Temperature, way and weight are fitted on held-out triples for each relation and side, drawn to those of the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from embeddings import Embedding, RankMetrics
from embeddings.all_scores import AllScores, chunks, realistic_ranks
from embeddings.completions import Completions
from engine.mining import RulePredictor
from kg.errors import InputError

__all__ = ["Combination", "EmbeddingScores", "Scores", "fit_combination", "metrics", "ranks"]

Floats = NDArray[np.float64]
SHARPNESS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
"""What an embedding's score may be multiplied by before the softmax (1 / temperature)."""


class Way(NamedTuple):
    """How a rule's and an embedding's chance are put together.

    Args:
        weight: of the embedding in a noisy-or, of the rules in a product.
        floor: the chance that rules leave to what they do not speak of, in a product; None for a noisy-or.
        blunt: what the fitted sharpness is multiplied by.
    """

    weight: float
    floor: float | None = None
    blunt: float = 1.0


WAYS = (
    *(Way(weight, None, blunt) for blunt in (1.0, 0.5) for weight in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)),
    *(Way(weight, floor) for floor in (0.1, 0.01, 0.001) for weight in (0.5, 1.0, 2.0)),
    Way(0.0),  # the rules alone
    Way(0.0, 1.0),  # the embedding alone
)
"""What is tried; a noisy-or needs weights far above 1 where an embedding spreads its chances over many answers."""
PRIOR = 20.0
"""Queries that the fit on all relations counts for, in the fit of one."""


class Scores(Protocol):
    """Scores of all entities as answers to queries."""

    @property
    def entities(self) -> NDArray[np.int32]:
        """Term ids of the entities, ascending; the columns."""

    def knows(self, triples: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether each triple can be scored; shape (num_triples,)."""

    def of(self, triples: NDArray[np.integer], *, tails: bool) -> Floats:
        """Scores with each entity as tail (head) of each triple; shape (num_triples, entity)."""


class EmbeddingScores:
    """The scores of an embedding as they are."""

    def __init__(self, embedding: Embedding) -> None:
        self._embedding, self._all = embedding, AllScores(embedding)

    @property
    def entities(self) -> NDArray[np.int32]:
        """See `Scores`."""
        return self._embedding.entities

    def knows(self, triples: NDArray[np.integer]) -> NDArray[np.bool_]:
        """See `Scores`."""
        return self._embedding.knows(triples)

    def of(self, triples: NDArray[np.integer], *, tails: bool) -> Floats:
        """See `Scores`."""
        return self._all.of(triples, tails=tails)


@dataclass(frozen=True, eq=False)
class Combination:
    """Rules and an embedding of the same triples, and how they count together.

    Args:
        relations: term ids that have values of their own, ascending.
        sharpness: by side (head, tail) and relation; the last column is for other relations; shape (2, relation + 1).
        way: position in `WAYS`, likewise.
    """

    rules: RulePredictor
    embedding: EmbeddingScores
    relations: NDArray[np.int32]
    sharpness: Floats
    way: NDArray[np.int64]

    @property
    def entities(self) -> NDArray[np.int32]:
        """See `Scores`."""
        return self.rules.entities

    def knows(self, triples: NDArray[np.integer]) -> NDArray[np.bool_]:
        """See `Scores`."""
        return self.rules.knows(triples) & self.embedding.knows(triples)

    def of(self, triples: NDArray[np.integer], *, tails: bool) -> Floats:
        """Scores with each entity as tail (head) of each triple; shape (num_triples, entity).

        They have no unit; those of one row can be compared.

        Raises:
            UnknownTermError: a head or relation (relation or tail) is not known.
        """
        way = self.way[int(tails), _positions(self.relations, np.asarray(triples)[:, 1])]
        said, scores = self.parts(triples, tails=tails)
        for choice in np.unique(way):
            rows = way == choice
            said[rows] = _together(said[rows], scores[rows], WAYS[choice])
        return said

    def parts(self, triples: NDArray[np.integer], *, tails: bool) -> tuple[Floats, Floats]:
        """-ln(1 - p) by the rules, and ln q by the embedding; shape (num_triples, entity) each."""
        scores = self.embedding.of(triples, tails=tails)
        scores *= self.sharpness[int(tails), _positions(self.relations, np.asarray(triples)[:, 1])][:, None]
        return self.rules.of(triples, tails=tails), _log_softmax(scores)


def fit_combination(
    rules: RulePredictor, embedding: Embedding, triples: NDArray[np.integer], known: NDArray[np.integer]
) -> Combination:
    """How much the embedding should count beside the rules, by the mean reciprocal rank of held-out triples.

    Args:
        rules, embedding: both made from the same training triples.
        triples: (head, relation, tail) term ids that were not trained on, shape (num_triples, 3).
        known: every triple held to be true, shape (num_known, 3).

    Raises:
        InputError: rules and embedding have other entities, or no triple has only known terms.
    """
    scores = EmbeddingScores(embedding)
    if not np.array_equal(rules.entities, scores.entities):
        raise InputError("Expected rules and an embedding of the same triples (their entities differ)")
    rows = np.asarray(triples)
    rows = rows[rules.knows(rows) & scores.knows(rows)]
    if not len(rows):
        raise InputError(f"Expected a triple whose terms are all known (got {len(triples)}, none such)")
    relations, place = np.unique(rows[:, 1], return_inverse=True)
    shape = (2, len(relations) + 1)
    found = Combination(rules, scores, relations.astype(np.int32), np.ones(shape), np.zeros(shape, np.int64))
    for measure in (_likelihoods, _reciprocals):  # the sharpness first, by which the ways are then tried
        for tails in (False, True):
            gains = _by_query(rows, known, tails, found.entities, partial(measure, found, tails))
            best = _best(gains, place, len(relations))
            if measure is _likelihoods:
                found.sharpness[int(tails)] = np.array(SHARPNESS)[best]
            else:
                found.way[int(tails)] = best
    return found


@dataclass(frozen=True, eq=False)
class Part:
    """Some queries, the column of each answer, and (row, column) of the other known answers, which do not count."""

    rows: NDArray[np.integer]
    answer: NDArray[np.int64]
    other: tuple[NDArray[np.int64], NDArray[np.int64]]

    def ranks(self, scores: Floats) -> Floats:
        """Filtered, realistic ranks of the answers; shape (num_rows,). `scores` is written to."""
        own = np.take_along_axis(scores, self.answer[:, None], axis=1)
        scores[self.other] = -np.inf
        np.put_along_axis(scores, self.answer[:, None], own, axis=1)
        return realistic_ranks(scores, self.answer)


def ranks(scores: Scores, triples: NDArray[np.integer], known: NDArray[np.integer]) -> Floats:
    """Filtered, realistic ranks of each triple's tail and head among all entities, from 1; shape (num_triples, 2).

    The protocol is that of `embeddings.evaluate`. Each triple must be one that `scores` knows.
    """
    rows = np.asarray(triples)

    def of_part(tails: bool, part: Part) -> Floats:
        return part.ranks(scores.of(part.rows, tails=tails))

    sides = [_by_query(rows, known, tails, scores.entities, partial(of_part, tails)) for tails in (True, False)]
    return np.stack(sides, axis=1)


def metrics(scores: Scores, triples: NDArray[np.integer], known: NDArray[np.integer]) -> RankMetrics:
    """Link prediction figures over both sides; triples with unseen terms are left out and counted.

    Raises:
        InputError: no triple has only known terms.
    """
    seen = scores.knows(triples)
    if not seen.any():
        raise InputError(f"Expected a triple whose terms are all known (got {len(triples)}, none such)")
    return RankMetrics.of(ranks(scores, np.asarray(triples)[seen], known), int((~seen).sum()))


def _by_query(
    rows: NDArray[np.integer],
    known: NDArray[np.integer],
    tails: bool,
    entities: NDArray[np.int32],
    measure: Callable[[Part], Floats],
) -> Floats:
    """What `measure` gives for each row, equal queries next to each other; shape (num_rows, …)."""
    facts = np.asarray(known)
    facts = facts[np.isin(facts[:, 0], entities) & np.isin(facts[:, 2], entities)]
    others = Completions(np.unique(np.concatenate([facts, rows]).astype(np.int64), axis=0), tails=tails)
    answer = np.searchsorted(entities, rows[:, 2 if tails else 0])
    order = np.lexsort((rows[:, 0 if tails else 2], rows[:, 1]))
    found: list[Floats] = []
    for part in chunks(len(rows), 4 * len(entities)):
        at = order[part]
        row, entity = others.of(rows[at].astype(np.int64))
        found.append(measure(Part(rows[at], answer[at], (row, np.searchsorted(entities, entity)))))
    result = np.concatenate(found)
    result[order] = result.copy()
    return result


def _log_softmax(scores: Floats) -> Floats:
    """ln q with q the softmax of each row; shape as given. `scores` is written to."""
    scores -= scores.max(axis=1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return scores


def _together(said: Floats, log_chance: Floats, way: Way) -> Floats:
    """-ln(1 - p) by the rules and ln q by the embedding, put together; shape as given."""
    if way.floor is not None:
        return np.asarray(log_chance + way.weight * np.log(way.floor - np.expm1(-said)))
    if not way.weight:
        return said
    blunted = log_chance if way.blunt == 1 else _log_softmax(log_chance * way.blunt)
    return np.asarray(said - way.weight * np.log1p(-np.minimum(np.exp(blunted), 1 - 1e-9)))


def _likelihoods(found: Combination, tails: bool, part: Part) -> Floats:
    """Log likelihood of each answer among the entities not known to be one, by sharpness; shape (num_rows, choice)."""
    values = found.embedding.of(part.rows, tails=tails)
    own = np.take_along_axis(values, part.answer[:, None], axis=1)
    values[part.other] = -np.inf
    np.put_along_axis(values, part.answer[:, None], own, axis=1)
    own -= values.max(axis=1, keepdims=True)
    values -= values.max(axis=1, keepdims=True)
    return np.stack([own[:, 0] * s - np.log(np.exp(values * s).sum(axis=1)) for s in SHARPNESS], axis=1)


def _reciprocals(found: Combination, tails: bool, part: Part) -> Floats:
    """Reciprocal rank of each answer, by way; shape (num_rows, choice)."""
    said, scores = found.parts(part.rows, tails=tails)
    return np.stack([1 / part.ranks(_together(said, scores, way).copy()) for way in WAYS], axis=1)


def _best(gains: Floats, relation: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The column of greatest gain for each relation and, last, for all; shape (count + 1,)."""
    mean = gains.mean(axis=0)
    totals = np.zeros((count + 1, gains.shape[1]))
    np.add.at(totals, relation, gains)
    totals += PRIOR * mean
    return np.asarray(totals.argmax(axis=1))


def _positions(relations: NDArray[np.integer], ids: NDArray[np.integer]) -> NDArray[np.int64]:
    """Where each id is among the relations, past the last where it is not."""
    at = np.searchsorted(relations, ids)
    return np.asarray(np.where(np.append(relations, -1)[at] == ids, at, len(relations)), dtype=np.int64)
