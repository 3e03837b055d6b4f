"""Initial vectors from text: entities with like texts start near each other.

Text vectors are reduced to the size of the embedding's and scaled to the spread that random ones have, so that training
goes on as from random vectors. A random rotation spreads the principal components evenly over all numbers; it
changes no distance, and for RotatE it mixes the real and the imaginary parts alike.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from embeddings.config import EmbeddingConfig
from kg.errors import ConfigError, InputError

__all__ = ["initial_spread", "initial_vectors"]

Floats = NDArray[np.float64]
METHODS = ("pca", "projection")


def initial_vectors(
    config: EmbeddingConfig,
    entity_texts: NDArray[np.floating],
    relation_texts: NDArray[np.floating] | None = None,
    *,
    method: str = "pca",
    share: float = 0.9,
    spread: float | None = None,
    seed: int | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """(entity vectors, relation vectors) to start training from, in the layout of `Embedding`.

    Args:
        config: gives model, dim and seed.
        entity_texts: text vectors in the order of `Embedding.entities`; a row of NaN is an entity without text, which
            starts at random. Shape (entity, text_dim).
        relation_texts: the same of relations; shape (relation, text_dim). None where they start as without texts; so
            do RotatE's in any case, whose relations are angles.
        method: `pca` keeps the directions in which the texts differ most; `projection` takes random ones (Johnson and
            Lindenstrauss 1984), which needs no decomposition.
        share: of the variance that the text gives, in [0, 1]; the rest is random, so that equal texts start apart.
        spread: standard deviation of each number; None takes `initial_spread(config)`.
        seed: of projection, rotation and noise; None takes the configuration's.

    Returns: shapes (entity, numbers) and (relation, numbers), or None in place of the second; numbers is `2 * dim` for
        complex models (real parts, then imaginary ones), else `dim`.

    Raises:
        InputError: text vectors that are no matrix, have infinite numbers, or rows partly NaN.
        ConfigError: an unknown method, a share outside [0, 1], or a spread not above 0.
    """
    if method not in METHODS:
        raise ConfigError(f"Expected a method of {', '.join(METHODS)} (got {method!r})")
    if not 0 <= share <= 1:
        raise ConfigError(f"Expected a share of the text from 0 to 1 (got {share})")
    size = initial_spread(config) if spread is None else spread
    if not 0 < size < math.inf:
        raise ConfigError(f"Expected a spread above 0 (got {spread})")
    random = np.random.default_rng(config.seed if seed is None else seed)
    numbers = config.numbers
    entities = _started(_checked(entity_texts, "entity"), numbers, method, share, size, random)
    if relation_texts is None or config.model == "RotatE":
        return entities, None
    return entities, _started(_checked(relation_texts, "relation"), numbers, method, share, size, random)


def initial_spread(config: EmbeddingConfig) -> float:
    """Standard deviation of a number of an initial entity vector.

    TransE and RotatE start uniformly in ± `config.initial_bound`; for other models it is 1 / √dim, which gives vectors
    of about unit length.
    """
    if config.model not in ("TransE", "RotatE"):
        return 1 / math.sqrt(config.dim)
    return config.initial_bound / math.sqrt(3)


def _started(
    texts: Floats, numbers: int, method: str, share: float, spread: float, random: np.random.Generator
) -> NDArray[np.float32]:
    told = ~np.isnan(texts).any(axis=1)
    bound = math.sqrt(3)  # of a uniform number with standard deviation 1
    result = random.uniform(-bound, bound, (len(texts), numbers))
    if told.any():
        reduced = _reduced(texts[told], numbers, method, random)
        scale = float(np.sqrt(np.square(reduced).mean()))
        if scale > 1e-9:  # else all texts are the same and say nothing
            result[told] = math.sqrt(share) * reduced / scale + math.sqrt(1 - share) * result[told]
    return (spread * result).astype(np.float32)


def _reduced(texts: Floats, numbers: int, method: str, random: np.random.Generator) -> Floats:
    """Centred texts in `numbers` dimensions."""
    centred = texts - texts.mean(axis=0)
    if method == "projection":
        return np.asarray(centred @ random.normal(size=(texts.shape[1], numbers)))
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :numbers]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])  # a solver may give either sign
    rotation, _ = np.linalg.qr(random.normal(size=(numbers, numbers)))
    return np.asarray(centred @ axes @ rotation[: axes.shape[1]])


def _checked(texts: NDArray[np.floating], kind: str) -> Floats:
    array = np.asarray(texts, dtype=np.float64)
    if array.ndim != 2 or not len(array) or not array.shape[1]:
        raise InputError(f"Expected text vectors of shape ({kind}, text_dim) (got {array.shape})")
    missing = np.isnan(array)
    if np.isinf(array).any() or (missing.any(axis=1) != missing.all(axis=1)).any():
        raise InputError(f"Expected finite {kind} text vectors, or rows that are NaN as a whole where there is no text")
    return array
