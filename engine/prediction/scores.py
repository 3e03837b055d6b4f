"""Scores of many queries against all entities, in numpy: a matrix product where the embedding allows it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from embeddings import Embedding

__all__ = ["CHUNK_BYTES", "AllScores", "chunks"]

CHUNK_BYTES = 64 << 20
"""Of scores at a time: enough for the products to run at full speed, little beside the vectors."""


class AllScores:
    """Scores of an embedding for every entity in place of a tail or a head."""

    def __init__(self, embedding: Embedding) -> None:
        self.embedding = embedding
        # float64: |q|² + |e|² - 2 q·e cancels, and in float32 near neighbours would change places
        self._vectors = embedding.entity_vectors.astype(np.float64) if embedding.config.isometric else None
        self._squares = None if self._vectors is None else np.square(self._vectors).sum(axis=1)

    def of(self, triples: NDArray[np.integer], *, tails: bool) -> NDArray[np.float64]:
        """Scores with each of `embedding.entities` as tail (head) of each triple; shape (num_triples, num_entities).

        Raises:
            UnknownTermError: a head or relation (relation or tail) was not trained.
        """
        if self._vectors is None or self._squares is None:
            score = self.embedding.score_tails if tails else self.embedding.score_heads
            return np.stack([score(*(row[:2] if tails else row[1:])) for row in triples.tolist()]).astype(np.float64)
        known = np.array(triples)
        known[:, 2 if tails else 0] = known[:, 0 if tails else 2]  # what is sought need not have been trained
        queries = self.embedding.queries(self.embedding.dense(known), tails=tails).astype(np.float64)
        squares = queries @ self._vectors.T
        squares *= -2
        squares += self._squares
        squares += np.square(queries).sum(axis=1)[:, None]
        np.maximum(squares, 0, out=squares)
        np.sqrt(squares, out=squares)
        np.negative(squares, out=squares)
        return squares


def chunks(num_rows: int, num_columns: int) -> Iterator[slice]:
    """Slices of rows such that a table of numbers of eight bytes stays within `CHUNK_BYTES`."""
    size = max(1, CHUNK_BYTES // (8 * max(num_columns, 1)))
    return (slice(start, min(start + size, num_rows)) for start in range(0, num_rows, size))
