"""`Embedding`: learned vectors of entities and relations, and the scores they give to triples.

TransE (L2) and RotatE are scored here with numpy, so a saved embedding is used without importing torch or PyKEEN. Any
other PyKEEN model keeps its state dict and is rebuilt from it on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.calibrate import Calibration
from embeddings.config import EmbeddingConfig
from kg.errors import NotSupportedError, UnknownTermError

__all__ = ["Embedding"]

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Embedding:
    """A trained embedding. Triples are (head, relation, tail) rows of term ids, shape (num_triples, 3).

    A score has no unit; higher is more plausible. Scores of different relations are not comparable before calibration.
    """

    config: EmbeddingConfig
    """How it was trained."""
    entities: Ids
    """Term ids of the entities, ascending; shape (entity,)."""
    relations: Ids
    """Term ids of the relations, ascending; shape (relation,)."""
    entity_vectors: Floats
    """One row per entity, in the order of `entities`; complex components as all real parts, then all imaginary ones."""
    relation_vectors: Floats
    """One row per relation, in the order of `relations`."""
    fingerprint: str
    """SHA-256 of what it was trained on (see `triples_fingerprint`)."""
    losses: tuple[float, ...] = ()
    """Mean loss of each epoch."""
    calibration: Calibration | None = None
    """How scores become plausibilities, once fitted."""
    state: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)
    """State dict of the PyKEEN model; empty for TransE (L2) and RotatE, whose vectors say all."""

    def __repr__(self) -> str:
        size = f"{len(self.entities)} entities, {len(self.relations)} relations"
        return f"Embedding({self.config.model}, {size}, dim {self.entity_vectors.shape[1]})"

    def knows(self, triples: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether all three terms of each triple were trained; shape (num_triples,)."""
        head, relation, tail = _columns(triples)
        return _member(self.entities, head) & _member(self.relations, relation) & _member(self.entities, tail)

    def dense(self, triples: NDArray[np.integer]) -> NDArray[np.int64]:
        """The triples with row numbers of `entities` and `relations` in place of term ids; shape (num_triples, 3).

        Raises:
            UnknownTermError: a term was not trained.
        """
        columns = _columns(triples)
        tables = ((self.entities, "an entity"), (self.relations, "a relation"), (self.entities, "an entity"))
        return np.stack([_find(ids, table, kind) for ids, (table, kind) in zip(columns, tables, strict=True)], axis=1)

    def score(self, triples: NDArray[np.integer]) -> Floats:
        """Scores of triples; shape (num_triples,).

        Raises:
            UnknownTermError: a term was not trained; ask `knows` first.
        """
        dense = self.dense(triples)
        if not self.config.isometric:
            return np.asarray(self._network.score(dense))
        moved = self.queries(dense, tails=True) - self.entity_vectors[dense[:, 2]]
        return _minus_length(moved)

    def score_tails(self, head: int, relation: int) -> Floats:
        """Scores of (head, relation, e) for every e of `entities`; shape (entity,).

        Raises:
            UnknownTermError: head or relation was not trained.
        """
        return self._score_all(np.array([[head, relation, head]]), tails=True)

    def score_heads(self, relation: int, tail: int) -> Floats:
        """Scores of (e, relation, tail) for every e of `entities`; shape (entity,).

        Raises:
            UnknownTermError: relation or tail was not trained.
        """
        return self._score_all(np.array([[tail, relation, tail]]), tails=False)

    def plausibility(self, triples: NDArray[np.integer]) -> NDArray[np.float64]:
        """Calibrated scores in (0, 1); shape (num_triples,).

        Raises:
            NotSupportedError: the embedding has no calibration yet.
            UnknownTermError: a term was not trained.
        """
        if self.calibration is None:
            raise NotSupportedError("Expected a calibrated embedding (fit one with embeddings.calibrate first)")
        return self.calibration.plausibility(self.score(triples), _columns(triples)[1])

    def save(self, folder: str | Path) -> None:
        """Write the embedding to a folder, all or nothing (see `embeddings.store`).

        Raises:
            StoreError: the folder exists and holds something else.
        """
        from embeddings.store import save_embedding

        save_embedding(self, folder)

    def queries(self, dense: NDArray[np.int64], *, tails: bool) -> Floats:
        """Heads moved by their relation (`tails`), or tails moved back; shape (num_triples, dim).

        Only TransE (L2) and RotatE; `dense` has row numbers (see `dense`).
        """
        start = self.entity_vectors[dense[:, 0 if tails else 2]]
        move = self.relation_vectors[dense[:, 1]]
        if self.config.model == "TransE":
            return start + move if tails else start - move
        half = start.shape[1] // 2
        re, im = start[:, :half], start[:, half:]
        cos, sin = move[:, :half], move[:, half:] if tails else -move[:, half:]
        return np.concatenate([re * cos - im * sin, re * sin + im * cos], axis=1)

    def _score_all(self, triple: NDArray[np.integer], *, tails: bool) -> Floats:
        dense = self.dense(triple)
        if not self.config.isometric:
            return np.asarray(self._network.score_all(dense, tails=tails)[0])
        moved = self.queries(dense, tails=tails) - self.entity_vectors
        return _minus_length(moved)

    @cached_property
    def _network(self) -> Any:
        from embeddings.network import Network

        return Network(self)


def _columns(triples: NDArray[np.integer]) -> NDArray[np.integer]:
    array = np.asarray(triples)
    if array.ndim != 2 or array.shape[1] != 3:
        raise ValueError(f"Expected triples of shape (num_triples, 3) (got {array.shape})")
    return array.T


def _minus_length(vectors: Floats) -> Floats:
    return np.asarray(-np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1)), dtype=np.float32)


def _member(table: Ids, ids: NDArray[np.integer]) -> NDArray[np.bool_]:
    at = np.minimum(np.searchsorted(table, ids), len(table) - 1)
    return np.asarray(table[at] == ids)


def _find(ids: NDArray[np.integer], table: Ids, kind: str) -> NDArray[np.int64]:
    missing = ids[~_member(table, ids)]
    if len(missing):
        raise UnknownTermError(f"term id {int(missing[0])}, which was not trained as {kind}")
    return np.searchsorted(table, ids).astype(np.int64)
