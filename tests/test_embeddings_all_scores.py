"""Scores of all entities in place of one, for every kind of model, and the ranks they give."""

from __future__ import annotations

import numpy as np
import pytest

from embeddings import EmbeddingConfig, train_embedding
from embeddings import all_scores as module
from embeddings.all_scores import AllScores, realistic_ranks


@pytest.mark.parametrize("model", ["TransE", "RotatE", "DistMult"])
@pytest.mark.parametrize("room_bytes", [1, 64 << 20], ids=["row by row", "at once"])
def test_scores_of_all_are_those_of_each_triple(model: str, room_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", room_bytes)
    rows = np.array([[10 + i, k, 10 + (i + k + 1) % 7] for i in range(7) for k in range(2)])
    embedding = train_embedding(rows, 30, EmbeddingConfig(model=model, dim=4, epochs=1, num_negatives=4))
    every = AllScores(embedding)
    for tails, column in ((True, 2), (False, 0)):
        unseen = rows.copy()
        unseen[:, column] = 29  # what is sought need not have been trained
        found = every.of(unseen, tails=tails)
        assert found.shape == (14, 7)
        for at, entity in enumerate(embedding.entities.tolist()):
            put = rows.copy()
            put[:, column] = entity
            np.testing.assert_allclose(found[:, at], embedding.score(put), atol=1e-5)
        np.testing.assert_array_equal(every.of_dense(embedding.dense(rows), tails=tails), found)


def test_a_rank_is_the_mean_over_all_orders_of_ties() -> None:
    random = np.random.default_rng(0)
    scores = random.integers(0, 4, (50, 8)).astype(float)
    scores[random.random((50, 8)) < 0.2] = -np.inf
    answers = random.integers(0, 8, 50)
    scores[np.arange(50), answers] = random.integers(0, 4, 50)
    shuffled = np.zeros(50)
    for _ in range(400):  # ties in random order
        order = np.argsort(-(scores + random.random((50, 8)) / 10), axis=1)
        shuffled += (order == answers[:, None]).argmax(axis=1) + 1
    np.testing.assert_allclose(realistic_ranks(scores, answers), shuffled / 400, atol=0.4)
    assert realistic_ranks(np.array([[1.0, 1.0, 1.0, 2.0, -np.inf]]), np.array([1])).tolist() == [3.0]
