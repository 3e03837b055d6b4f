"""Initial vectors from text: their shape, spread and determinism, and that distances of texts remain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embeddings.config import EmbeddingConfig
from embeddings.text_initial import METHODS, initial_spread, initial_vectors
from kg.errors import ConfigError, InputError

RANDOM = np.random.default_rng(0)
TEXTS, RELATIONS = RANDOM.normal(size=(300, 20)) * np.geomspace(5, 0.1, 20) + 3, RANDOM.normal(size=(7, 20))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("model", "dim", "numbers"), [("TransE", 8, 8), ("RotatE", 8, 16), ("RotatE", 32, 64), ("DistMult", 8, 8)]
)
def test_shape_spread_and_determinism(model: str, dim: int, numbers: int, method: str) -> None:
    config = EmbeddingConfig(model=model, dim=dim, seed=3)
    entities, relations = initial_vectors(config, TEXTS, RELATIONS, method=method)
    assert entities.shape == (300, numbers)
    assert entities.dtype == np.float32
    assert np.sqrt(np.square(entities).mean()) == pytest.approx(initial_spread(config), rel=0.05)
    if model == "RotatE":
        assert relations is None
    else:
        assert relations is not None
        assert relations.shape == (7, numbers)
    again, _ = initial_vectors(config, TEXTS, RELATIONS, method=method)
    np.testing.assert_array_equal(again, entities)
    other, _ = initial_vectors(config, TEXTS, RELATIONS, method=method, seed=4)
    assert np.abs(other - entities).max() > 0.1 * initial_spread(config)


def test_spread_is_that_of_the_vectors_training_starts_from() -> None:
    from embeddings.quiet import quiet, seeded

    for model in ("TransE", "RotatE"):
        config = EmbeddingConfig(model=model, dim=16, margin=4.0)
        with quiet(), seeded(0):
            import torch

            from embeddings.network import make_model

            values = make_model(config, 500, 2).entity_representations[0]().detach()
            numbers = torch.view_as_real(values) if values.is_complex() else values
            assert float(numbers.std()) == pytest.approx(initial_spread(config), rel=0.03)


def test_with_room_for_all_components_distances_are_those_of_the_texts() -> None:
    entities, _ = initial_vectors(EmbeddingConfig(model="RotatE", dim=20), TEXTS, share=1.0)

    def distances(rows: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.norm(rows[:50, None] - rows[None, :50], axis=-1)).ravel()

    old, new = distances(TEXTS), distances(entities.astype(np.float64))
    ratio = new[old > 0] / old[old > 0]
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)


def test_first_components_are_kept_where_there_is_no_room_for_all() -> None:
    kept, _ = initial_vectors(EmbeddingConfig(model="TransE", dim=5), TEXTS, share=1.0)
    centred = TEXTS - TEXTS.mean(axis=0)
    best = centred @ np.linalg.svd(centred, full_matrices=False)[2][:5].T
    # equal up to rotation and scale: the same inner products
    ratio = np.square(best).sum() / np.square(kept, dtype=np.float64).sum()
    np.testing.assert_allclose(ratio * (kept.astype(np.float64) @ kept.T), best @ best.T, atol=1e-3)


def test_entities_without_text_and_equal_texts_start_apart() -> None:
    texts = TEXTS.copy()
    texts[:10] = np.nan
    entities, _ = initial_vectors(EmbeddingConfig(model="TransE", dim=8), texts)
    assert np.isfinite(entities).all()
    assert np.linalg.norm(entities[:10, None] - entities[None, :10], axis=-1)[np.triu_indices(10, 1)].min() > 0.5
    same, _ = initial_vectors(EmbeddingConfig(model="TransE", dim=8), np.ones((50, 3)))
    assert same.std() == pytest.approx(initial_spread(EmbeddingConfig(model="TransE", dim=8)), rel=0.1)
    assert len(np.unique(same, axis=0)) == 50


@pytest.mark.parametrize(
    ("texts", "options", "error", "words"),
    [
        (np.ones(3), {}, InputError, r"shape \(entity, text_dim\)"),
        (np.array([[1.0, np.nan]]), {}, InputError, "NaN as a whole"),
        (np.array([[1.0, np.inf]]), {}, InputError, "finite"),
        (TEXTS, {"method": "svd"}, ConfigError, "pca, projection"),
        (TEXTS, {"share": 1.5}, ConfigError, "from 0 to 1"),
        (TEXTS, {"spread": 0.0}, ConfigError, "above 0"),
    ],
)
def test_texts_and_options_that_cannot_be_used_are_refused(
    texts: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        initial_vectors(EmbeddingConfig(), texts, **options)
