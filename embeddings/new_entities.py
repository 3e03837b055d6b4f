"""Entities that came after training: their vectors without training again.

From known neighbours: for TransE and RotatE (L2) every triple says where the new entity should be, its neighbour moved
by the relation; the mean of those places has the least squared distance to all of them. From text: a ridge regression
from the texts of trained entities to their vectors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embeddings.embedding import Embedding
from kg.errors import InputError, NotSupportedError

__all__ = ["TextMap", "at_full_length", "fit_text_map", "relation_weights", "with_entities", "with_neighbours"]

Floats = NDArray[np.float64]
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Ridge penalties to choose from, per standardised text."""


def with_entities(embedding: Embedding, entities: ArrayLike, vectors: ArrayLike) -> Embedding:
    """The embedding with further entities; term ids stay ascending, what was trained stays as it is.

    Args:
        embedding: TransE (L2) or RotatE; a PyKEEN model's state has no room for more.
        entities: term ids not yet in it, each once; shape (num_new,).
        vectors: in the layout of `Embedding.entity_vectors`; shape (num_new, numbers).

    Raises:
        NotSupportedError: an embedding of another model.
        InputError: an entity that is there already or comes twice, or vectors of another shape or not finite.
    """
    _isometric(embedding)
    ids, rows = np.asarray(entities, dtype=np.int32), np.asarray(vectors, dtype=np.float32)
    width = embedding.entity_vectors.shape[1]
    if ids.ndim != 1 or rows.shape != (len(ids), width) or not np.isfinite(rows).all():
        raise InputError(
            f"Expected a finite vector of {width} numbers for each new entity (got {ids.shape}, {rows.shape})"
        )
    every = np.concatenate([embedding.entities, ids])
    if len(np.unique(every)) < len(every):
        there = np.intersect1d(embedding.entities, ids)
        raise InputError(f"Expected new entities, each once (got {there[:3].tolist() or ids.tolist()[:3]} again)")
    order = np.argsort(every)
    return dataclasses.replace(
        embedding,
        entities=every[order].astype(np.int32),
        entity_vectors=np.concatenate([embedding.entity_vectors, rows])[order],
    )


def with_neighbours(
    embedding: Embedding,
    triples: NDArray[np.integer],
    *,
    weights: ArrayLike | None = None,
    prior: ArrayLike | None = None,
    prior_weight: float = 0.0,
    full_length: bool = True,
) -> Embedding:
    """The embedding with every entity that these triples link to trained ones.

    The vector v of an entity minimises Σ w ‖v - x‖² over its triples, x being the neighbour's vector moved by the
    relation (back, where the new entity is the head): the weighted mean of all x. Triples that link two new entities,
    two trained ones, or have a relation that was not trained say nothing and are passed over.

    Args:
        embedding: TransE (L2) or RotatE.
        triples: (head, relation, tail) term ids, shape (num_triples, 3).
        weights: of the triples, at least 0; None weighs all alike (see `relation_weights`). Shape (num_triples,).
        prior: a place that all new entities are drawn to, as the mean of the trained ones or a text's vector; shape
            (numbers,).
        prior_weight: how many triples the prior counts as.
        full_length: keep to points as far out as the trained entities are (see `at_full_length`); of those it is the
            one of least squares still. A mean of many places lies further in, where it is near to everything.

    Raises:
        NotSupportedError: an embedding of another model.
        InputError: no triple links a new entity to a trained one, or weights of another shape or below 0.
    """
    _isometric(embedding)
    rows = np.asarray(triples)
    share = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != (len(rows),) or not (share >= 0).all() or prior_weight < 0:
        raise InputError(f"Expected a weight of at least 0 per triple (got {share.shape} for {len(rows)})")
    places = [_places(embedding, rows, share, new_tails=side) for side in (True, False)]
    ids, vectors, counts = (np.concatenate(parts) for parts in zip(*places, strict=True))
    entities, group = np.unique(ids, return_inverse=True)
    if not len(entities):
        raise InputError(f"Expected triples that link a new entity to a trained one (got {len(rows)}, none such)")
    total = np.bincount(group, weights=counts) + (0.0 if prior is None else prior_weight)
    if not (total > 0).all():
        raise InputError(
            f"Expected a triple with a weight above 0 for each new entity (none for {entities[total <= 0]})"
        )
    sums = np.zeros((len(entities), vectors.shape[1]))
    np.add.at(sums, group, vectors * counts[:, None])
    if prior is not None:
        sums += prior_weight * np.asarray(prior, dtype=np.float64)
    means = sums / total[:, None]
    return with_entities(embedding, entities, at_full_length(embedding, means) if full_length else means)


def at_full_length(embedding: Embedding, vectors: ArrayLike) -> Floats:
    """The vectors, each in its direction, as long as those of trained entities; shape (num_vectors, numbers).

    Lengths are from the centre: 0 for RotatE, whose relations turn about it, the mean vector for TransE. On that sphere
    the point nearest to a mean is also the one of least squared distance to what the mean is of.
    """
    _isometric(embedding)
    trained, rows = embedding.entity_vectors.astype(np.float64), np.asarray(vectors, dtype=np.float64)
    centre = np.zeros(trained.shape[1]) if embedding.config.model == "RotatE" else trained.mean(axis=0)
    radius = float(np.sqrt(np.square(trained - centre).sum(axis=1).mean()))
    length = np.linalg.norm(rows - centre, axis=1, keepdims=True)
    return np.asarray(centre + (rows - centre) * radius / np.maximum(length, 1e-9))


def relation_weights(embedding: Embedding, triples: NDArray[np.integer], trained: NDArray[np.integer]) -> Floats:
    """A weight per triple: how exact its relation is, as one over its mean squared distance in the trained triples.

    Args:
        triples: what to weigh, shape (num_triples, 3). trained: what the embedding was trained on.

    Returns: shape (num_triples,), mean 1 over the trained triples; 1 for a relation without trained triples.

    Raises:
        NotSupportedError: an embedding of another model.
        UnknownTermError: a term of a trained triple is not in the embedding.
    """
    _isometric(embedding)
    dense = embedding.dense(trained)
    apart = embedding.queries(dense, tails=True) - embedding.entity_vectors[dense[:, 2]]
    squares = np.square(apart, dtype=np.float64).sum(axis=1)
    relations, group = np.unique(np.asarray(trained)[:, 1], return_inverse=True)
    exact = np.bincount(group) / np.maximum(np.bincount(group, weights=squares), 1e-9)
    exact /= exact[group].mean()
    at = {int(relation): float(weight) for relation, weight in zip(relations, exact, strict=True)}
    return np.array([at.get(int(relation), 1.0) for relation in np.asarray(triples)[:, 1]])


@dataclass(frozen=True, eq=False)
class TextMap:
    """A linear map from text vectors to entity vectors."""

    encode: Callable[[Sequence[str]], NDArray[np.floating]]
    """Text vectors of texts; shape (num_texts, text_dim)."""
    mean: Floats
    """Mean text vector of the trained entities; shape (text_dim,)."""
    scale: float
    """Root mean square of their distance from it."""
    matrix: Floats
    """Shape (text_dim, numbers)."""
    shift: Floats
    """Mean entity vector; shape (numbers,)."""
    penalty: float
    """The ridge penalty that was chosen."""
    error: float
    """Mean squared error on texts held out, over that of the mean vector; below 1 the texts tell something."""

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Entity vectors of texts; shape (num_texts, numbers)."""
        features = (np.asarray(self.encode(texts), dtype=np.float64) - self.mean) / self.scale
        return (features @ self.matrix + self.shift).astype(np.float32)

    def extend(self, embedding: Embedding, texts: dict[int, str], *, full_length: bool = True) -> Embedding:
        """The embedding with new entities, given as text by term id; `full_length` as for `with_neighbours`.

        Raises:
            NotSupportedError, InputError: as `with_entities`.
        """
        vectors = self.vectors(list(texts.values()))
        return with_entities(embedding, list(texts), at_full_length(embedding, vectors) if full_length else vectors)


def fit_text_map(
    embedding: Embedding,
    texts: dict[int, str],
    encode: Callable[[Sequence[str]], NDArray[np.floating]],
    *,
    penalties: Sequence[float] = PENALTIES,
    seed: int = 0,
) -> TextMap:
    """Ridge regression from texts of trained entities to their vectors, in closed form.

    Args:
        embedding: what gives the entity vectors.
        texts: label or description by term id; those of entities that were not trained are passed over.
        encode: gives text vectors.
        penalties: to choose from, by the error on a tenth of the texts held out; one is taken as it is.
        seed: of the tenth.

    Raises:
        InputError: fewer than ten trained entities with a text, or text vectors of a wrong shape.
    """
    ids = np.array(sorted(set(texts) & set(embedding.entities.tolist())), dtype=np.int32)
    if len(ids) < 10:
        raise InputError(f"Expected texts of at least 10 trained entities (got {len(ids)})")
    features = np.asarray(encode([texts[int(id)] for id in ids]), dtype=np.float64)
    if features.ndim != 2 or len(features) != len(ids) or not np.isfinite(features).all():
        raise InputError(f"Expected a finite vector for each of {len(ids)} texts (got shape {features.shape})")
    target = embedding.entity_vectors[np.searchsorted(embedding.entities, ids)].astype(np.float64)
    mean, shift = features.mean(axis=0), target.mean(axis=0)
    scale = max(float(np.sqrt(np.square(features - mean).sum(axis=1).mean())), 1e-12)
    features, target = (features - mean) / scale, target - shift
    held = np.random.default_rng(seed).permutation(len(ids)) < max(1, len(ids) // 10)
    errors = []
    for penalty in penalties:
        guess = features[held] @ _ridge(features[~held], target[~held], penalty)
        errors.append(float(np.square(guess - target[held]).sum() / max(np.square(target[held]).sum(), 1e-12)))
    best = int(np.argmin(errors))
    return TextMap(encode, mean, scale, _ridge(features, target, penalties[best]), shift, penalties[best], errors[best])


def _ridge(features: Floats, target: Floats, penalty: float) -> Floats:
    """(XᵀX + λI)⁻¹ XᵀY (Hoerl and Kennard 1970)."""
    gram = features.T @ features
    return np.asarray(np.linalg.solve(gram + penalty * np.eye(len(gram)), features.T @ target))


def _places(
    embedding: Embedding, rows: NDArray[np.integer], weights: Floats, *, new_tails: bool
) -> tuple[NDArray[np.integer], Floats, Floats]:
    """(new entity, where a triple wants it, weight of the triple) for the triples whose tail (or head) is new."""
    new, old = (2, 0) if new_tails else (0, 2)
    mirrored = rows.copy()
    mirrored[:, new] = rows[:, old]  # known where the old end and the relation are
    fits = embedding.knows(mirrored) & ~np.isin(rows[:, new], embedding.entities)
    wanted = embedding.queries(embedding.dense(mirrored[fits]), tails=new_tails)
    return rows[fits, new], wanted.astype(np.float64), weights[fits]


def _isometric(embedding: Embedding) -> None:
    if not embedding.config.isometric:
        raise NotSupportedError(
            f"Expected an L2 embedding of TransE or RotatE to add entities to (got {embedding.config.model})"
        )
