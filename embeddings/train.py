"""Training an embedding with PyKEEN on a graph's own integer ids."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.config import EmbeddingConfig
from embeddings.device import resolve_device
from embeddings.embedding import Embedding, Floats
from embeddings.literals import NumericLiterals
from embeddings.negatives import NegativeKnowledge
from embeddings.quiet import quiet, seeded
from kg.errors import ConfigError, InputError

__all__ = ["train_embedding", "triples_fingerprint"]

_LOG = logging.getLogger(__name__)


def train_embedding(
    triples: NDArray[np.integer],
    num_terms: int,
    config: EmbeddingConfig | None = None,
    *,
    validation: NDArray[np.integer] | None = None,
    fingerprint: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    validated: Callable[[int, float], None] | None = None,
    initial: tuple[Floats, Floats | None] | None = None,
    literals: NumericLiterals | None = None,
    negatives: NegativeKnowledge | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 60.0,
    trackers: Mapping[str, str | Path] | None = None,
) -> Embedding:
    """Train an embedding of the entities and relations of these triples.

    Args:
        triples: (head, relation, tail) term ids, shape (num_triples, 3); repeated ones count once.
        num_terms: how many ids the dictionary has; every id must be below it.
        config: how to train; None takes the defaults.
        validation: triples for early stopping, shape (num_validation, 3), used only where `config.patience` is above 0;
            the epoch with the best filtered MRR on them wins. Those with terms not in `triples` are passed over.
        fingerprint: what `load_embedding` will ask for; None takes `triples_fingerprint(triples)`.
        progress: called after each epoch with epochs done and the most that will run.
        validated: called after each validation with epochs done and the MRR; what it raises ends the training.
        initial: vectors of entities and relations to start from, in the order of their term ids and the layout of
            `Embedding`; None for the relations leaves these to PyKEEN. Only TransE and RotatE.
        literals: numbers of entities, for PyKEEN's literal models (DistMultLiteral, ComplExLiteral); they are stored
            with the embedding.
        negatives: what graph and rules say of negatives; how much it counts is in the configuration.
        checkpoint: a folder for the state of the training after an epoch. Where it holds one, the training goes on from
            there, on a CPU to the same vectors as if it had never stopped. It stays: remove it when you have saved.
        checkpoint_seconds: between two checkpoints at least.
        trackers: `csv`, `tensorboard` or `wandb` (offline), and where each writes (see `embeddings.tracking`).

    Raises:
        StoreError: the checkpoint is of another training, or was altered.
        InputError: no triples, a wrong shape, or an id outside 0 … num_terms - 1.
        ConfigError: PyKEEN has no such model, loss or option; the device or a tracker is not there; a literal model
            without literals, or literals for another model.
        NotSupportedError: a PyKEEN model that needs more than integer triples, or that it cannot make (the gated
            literal model).
    """
    config = config or EmbeddingConfig()
    rows = np.unique(_checked(triples, num_terms), axis=0)
    entities, relations = np.unique(rows[:, [0, 2]]), np.unique(rows[:, 1])
    if len(entities) < 2:
        raise InputError(f"Expected triples about at least two entities (got {len(entities)})")
    if config.patience and (validation is None or not len(validation)):
        raise ConfigError(f"Expected validation triples for early stopping (patience is {config.patience})")
    frame = Embedding(
        config=config,
        entities=entities,
        relations=relations,
        entity_vectors=np.empty((len(entities), 0), dtype=np.float32),
        relation_vectors=np.empty((len(relations), 0), dtype=np.float32),
        fingerprint=fingerprint or triples_fingerprint(rows),
    )
    _LOG.info(
        "training %s on %d triples, %d entities, %d relations",
        config.model,
        len(triples),
        len(entities),
        len(relations),
    )
    began = time.perf_counter()
    with quiet(), seeded(config.seed):
        from embeddings.checkpoint import Checkpoint
        from embeddings.fit import Fitting, fit
        from embeddings.tracking import open_trackers

        seen = None if validation is None or not config.patience else _checked(validation, num_terms)
        numbers = None if literals is None else literals.of(entities)
        saving = None
        if checkpoint is not None:
            saving = Checkpoint(Path(checkpoint), _key(frame, seen, numbers), checkpoint_seconds)
        given = Fitting(
            validation=seen,
            device=resolve_device(config.device),
            progress=progress,
            validated=validated,
            initial=initial,
            literals=numbers,
            negatives=negatives,
            checkpoint=saving,
            tracker=open_trackers(trackers or {}),
        )
        result = fit(frame, rows, given)
    _LOG.info("trained %d epochs in %.1f s", len(result.losses), time.perf_counter() - began)
    return result


def triples_fingerprint(triples: NDArray[np.integer], key: Callable[[int], str] | None = None) -> str:
    """SHA-256 over the set of training triples, as hexadecimal digits.

    With `key` (a graph's `dictionary.key`) the terms count too, so that the same numbers in another graph differ.
    """
    rows = np.unique(np.asarray(triples, dtype="<i4").reshape(-1, 3), axis=0)
    digest = hashlib.sha256(np.ascontiguousarray(rows).tobytes())
    if key is not None:
        for term in np.unique(rows):
            name = key(int(term)).encode("utf-8", "surrogatepass")
            digest.update(len(name).to_bytes(4, "little") + name)
    return digest.hexdigest()


def _key(frame: Embedding, validation: NDArray[np.int32] | None, literals: Floats | None) -> str:
    """What decides a training, as one digest."""
    held_out = "" if validation is None else triples_fingerprint(validation)
    numbers = [] if literals is None else [hashlib.sha256(literals.tobytes()).hexdigest()]
    parts = json.dumps([frame.config.to_dict(), frame.fingerprint, held_out, *numbers], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()


def _checked(triples: Any, num_terms: int) -> NDArray[np.int32]:
    array = np.asarray(triples)
    if array.ndim != 2 or array.shape[1] != 3 or not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"Expected integer triples of shape (num_triples, 3) (got {array.dtype} {array.shape})")
    if not len(array):
        raise InputError("Expected at least one triple to train on (got none)")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= num_terms:
        raise InputError(f"Expected term ids from 0 to {num_terms - 1} (got {low} to {high})")
    return array.astype(np.int32)
