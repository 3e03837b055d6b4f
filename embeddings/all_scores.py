"""Scores of many queries against all entities, and the ranks they give, in numpy.

`embeddings.evaluate` has its own on torch: there the products run on a GPU too, and the distance itself is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from embeddings.embedding import Embedding

__all__ = ["CHUNK_BYTES", "AllScores", "chunks", "realistic_ranks"]

Floats = NDArray[np.float64]

CHUNK_BYTES = 64 << 20
"""Of scores at a time: enough for the products to run at full speed, little beside the vectors."""


class AllScores:
    """Scores of an embedding for every entity in place of a tail or a head: one product where the model allows it."""

    def __init__(self, embedding: Embedding) -> None:
        self.embedding = embedding
        # float64: |q|² + |e|² - 2 q·e cancels, and in float32 near neighbours would change places
        self._vectors = embedding.entity_vectors.astype(np.float64) if embedding.config.isometric else None
        self._squares = None if self._vectors is None else np.square(self._vectors).sum(axis=1)

    def of(self, triples: NDArray[np.integer], *, tails: bool) -> Floats:
        """Scores with each of `embedding.entities` as tail (head) of each triple; shape (num_triples, num_entities).

        Raises:
            UnknownTermError: a head or relation (relation or tail) was not trained.
        """
        known = np.array(triples)
        known[:, 2 if tails else 0] = known[:, 0 if tails else 2]  # what is sought need not have been trained
        return self.of_dense(self.embedding.dense(known), tails=tails)

    def of_dense(self, dense: NDArray[np.int64], *, tails: bool) -> Floats:
        """The same for triples of row numbers (see `Embedding.dense`); the column sought is not looked at."""
        if self._vectors is None or self._squares is None:
            network = self.embedding._network
            # PyKEEN makes (query, entity, dim) temporaries
            width = len(self.embedding.entities) * max(1, self.embedding.entity_vectors.shape[1])
            parts = [network.score_all(dense[part], tails=tails) for part in chunks(len(dense), width)]
            return np.concatenate(parts).astype(np.float64)
        queries = self.embedding.queries(dense, tails=tails).astype(np.float64)
        squares = queries @ self._vectors.T
        squares *= -2
        squares += self._squares
        squares += np.square(queries).sum(axis=1)[:, None]
        np.maximum(squares, 0, out=squares)
        np.sqrt(squares, out=squares)
        np.negative(squares, out=squares)
        return squares


def realistic_ranks(scores: Floats, answers: NDArray[np.integer]) -> Floats:
    """The mean of the best and the worst rank of each row's answer among its ties, from 1; shape (num_rows,).

    Args:
        scores: minus infinity for what is no rival; shape (num_rows, num_entities).
        answers: the column of each row's answer; shape (num_rows,).
    """
    own = np.take_along_axis(scores, answers[:, None], axis=1)
    return np.asarray(1 + (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2)


def chunks(num_rows: int, num_columns: int) -> Iterator[slice]:
    """Slices of rows such that a table of numbers of eight bytes stays within `CHUNK_BYTES`."""
    size = max(1, CHUNK_BYTES // (8 * max(num_columns, 1)))
    return (slice(start, min(start + size, num_rows)) for start in range(0, num_rows, size))
