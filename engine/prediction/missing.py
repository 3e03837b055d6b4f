"""The best triples that are not known, over all pairs of entities, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from embeddings import Embedding
from embeddings.all_scores import AllScores, chunks
from engine.prediction.schema_filter import SchemaFilter

__all__ = ["best_missing"]

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


def best_missing(
    embedding: Embedding,
    filter: SchemaFilter,
    relations: Sequence[int],
    k: int,
    unchecked: Callable[[Rows], NDArray[np.bool_]],
) -> tuple[Rows, Floats]:
    """The k best triples that are not known and that nothing rejects, with their scores; shape (k, 3) and (k,).

    Args:
        relations: term ids.
        unchecked: tells of triples which the rules neither contradict nor entail.
    """
    room = 4 * k + 64  # so that few searches have to be made again for what the checker takes away
    while True:
        rows, scores = _best(embedding, filter, relations, room)
        fine = np.flatnonzero(unchecked(rows))[:k] if len(rows) else np.empty(0, dtype=np.int64)
        if len(fine) == k or len(rows) < room:
            return rows[fine], scores[fine]
        room *= 4


def _best(embedding: Embedding, filter: SchemaFilter, relations: Sequence[int], room: int) -> tuple[Rows, Floats]:
    """The best triples, best first, that are not known and that no axiom rejects; at most `room`."""
    every = AllScores(embedding)
    rows, scores, values = np.empty((0, 3), dtype=np.int64), np.empty(0), np.empty(0)
    for relation in relations:
        for found, score in _chunk_bests(every, filter, relation, room):
            value = score
            if embedding.calibration is not None:
                value = embedding.calibration.plausibility(score, found[:, 1])
            rows, scores = np.concatenate([rows, found]), np.concatenate([scores, score])
            values = np.concatenate([values, value])
            best = np.argsort(-values, kind="stable")[:room]
            rows, scores, values = rows[best], scores[best], values[best]
    return rows, scores


def _chunk_bests(every: AllScores, filter: SchemaFilter, relation: int, room: int) -> Iterator[tuple[Rows, Floats]]:
    """The best triples of one relation in each chunk of heads."""
    entities = every.embedding.entities
    heads = entities[_proposed(filter, relation, entities, tails=False)].astype(np.int64)
    barred = ~_proposed(filter, relation, entities, tails=True)
    to_itself = _links_to_itself(filter, relation)
    for part in chunks(len(heads), len(entities)):
        fixed = heads[part]
        query = np.stack([fixed, np.full_like(fixed, relation), fixed], axis=1)
        scores = every.of(query, tails=True)
        scores[:, barred] = -np.inf
        scores[filter.codes(fixed, relation, entities, tails=True) != 0] = -np.inf
        position, known = filter.known(fixed, relation, tails=True)
        column = np.searchsorted(entities, known)
        there = column < len(entities)
        there[there] = entities[column[there]] == known[there]
        scores[position[there], column[there]] = -np.inf
        if not to_itself:
            scores[np.arange(len(fixed)), np.searchsorted(entities, fixed)] = -np.inf
        flat = scores.ravel()
        best = np.argpartition(-flat, room)[:room] if len(flat) > room else np.arange(len(flat))
        best = np.sort(best[flat[best] > -np.inf])
        head, tail = fixed[best // len(entities)], entities[best % len(entities)].astype(np.int64)
        yield np.stack([head, np.full_like(head, relation), tail], axis=1), flat[best]


def _proposed(filter: SchemaFilter, relation: int, terms: NDArray[np.int32], *, tails: bool) -> NDArray[np.bool_]:
    """Terms that may be a tail (head) at all: classes only where one is known to be, others only where another is."""
    accepted = filter.end_accepted(relation, terms, tails=tails)
    classes = filter.memberships.classes
    known = classes[filter.ends.values(relation, by_subject=not tails).keys]
    if not known.any():
        accepted &= ~classes[terms]
    elif known.all():
        accepted &= classes[terms]
    return accepted


def _links_to_itself(filter: SchemaFilter, relation: int) -> bool:
    values = filter.ends.values(relation, by_subject=True)
    return bool((values.keys == values.values).any())
