"""Which entities complete a (head, relation) or (relation, tail) to a known triple, looked up for many rows at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Completions"]


class Completions:
    """The known completions of (head, relation) by tails, or of (relation, tail) by heads.

    Args:
        facts: the known triples as row numbers (see `Embedding.dense`), shape (num_facts, 3), without repeats.
        tails: whether tails are sought, else heads.
    """

    def __init__(self, facts: NDArray[np.int64], *, tails: bool) -> None:
        self.fixed, self.free = (0, 2) if tails else (2, 0)
        key = self.key(facts)
        order = np.argsort(key, kind="stable")
        self.keys, self.entities = key[order], facts[order, self.free]

    def key(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """One number per row for what stays fixed; shape (num_rows,)."""
        return np.asarray((rows[:, self.fixed] << 32) | rows[:, 1])

    def counts(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many known completions each key has; shape (num_keys,)."""
        low, high = np.searchsorted(self.keys, keys, "left"), np.searchsorted(self.keys, keys, "right")
        return np.asarray(high - low)

    def of(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(position in `rows`, entity) of each known completion; shape (num_completions,) each."""
        return self.of_keys(self.key(rows))

    def of_keys(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(position in `keys`, entity) of each known completion; shape (num_completions,) each."""
        low, high = np.searchsorted(self.keys, keys, "left"), np.searchsorted(self.keys, keys, "right")
        count = high - low
        position = np.repeat(np.arange(len(keys)), count)
        within = np.arange(len(position)) - np.repeat(np.cumsum(count) - count, count)
        return position, self.entities[low[position] + within]
