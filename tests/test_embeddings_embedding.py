"""The Embedding value: scores by the formula, terms it knows, terms it does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from embeddings import Embedding, EmbeddingConfig, fit_calibration
from kg.errors import NotSupportedError, UnknownTermError

TRANSE = Embedding(
    config=EmbeddingConfig(model="TransE", dim=2),
    entities=np.array([3, 5, 8], dtype=np.int32),
    relations=np.array([1], dtype=np.int32),
    entity_vectors=np.array([[0, 0], [3, 4], [1, 0]], dtype=np.float32),
    relation_vectors=np.array([[1, 0]], dtype=np.float32),
    fingerprint="",
)
ROTATE = dataclasses.replace(
    TRANSE,
    config=EmbeddingConfig(model="RotatE", dim=1),
    entity_vectors=np.array([[1, 0], [0, 1], [-1, 0]], dtype=np.float32),  # 1, i, -1
    relation_vectors=np.array([[0, 1]], dtype=np.float32),  # a quarter turn
)


def test_transe_scores_are_minus_the_distance_from_head_plus_relation_to_tail() -> None:
    triples = np.array([[3, 1, 8], [3, 1, 5], [5, 1, 3]])
    np.testing.assert_allclose(TRANSE.score(triples), [0, -np.sqrt(20), -np.sqrt(32)], rtol=1e-6)


def test_rotate_scores_are_minus_the_distance_from_turned_head_to_tail() -> None:
    triples = np.array([[3, 1, 5], [5, 1, 8], [8, 1, 5], [3, 1, 3]])
    np.testing.assert_allclose(ROTATE.score(triples), [0, 0, -2, -np.sqrt(2)], rtol=1e-6)


@pytest.mark.parametrize("embedding", [TRANSE, ROTATE], ids=["TransE", "RotatE"])
def test_all_tails_and_all_heads_score_as_the_triples_do(embedding: Embedding) -> None:
    for entity in embedding.entities:
        tails = np.array([[entity, 1, e] for e in embedding.entities])
        np.testing.assert_allclose(embedding.score_tails(int(entity), 1), embedding.score(tails), atol=1e-6)
        np.testing.assert_allclose(
            embedding.score_heads(1, int(entity)), embedding.score(tails[:, ::-1][:, [0, 1, 2]]), atol=1e-6
        )


def test_knows_asks_for_all_three_terms() -> None:
    triples = np.array([[3, 1, 8], [4, 1, 8], [3, 2, 8], [3, 1, 9], [99, 99, 99]])
    assert TRANSE.knows(triples).tolist() == [True, False, False, False, False]
    assert TRANSE.knows(np.empty((0, 3), dtype=np.int32)).tolist() == []


@pytest.mark.parametrize(
    ("triple", "words"),
    [([4, 1, 8], "term id 4.*an entity"), ([3, 2, 8], "term id 2.*a relation"), ([3, 1, 99], "term id 99.*an entity")],
)
def test_scoring_an_unknown_term_names_it(triple: list[int], words: str) -> None:
    with pytest.raises(UnknownTermError, match=words):
        TRANSE.score(np.array([triple]))


def test_triples_of_a_wrong_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(num_triples, 3\) \(got \(3,\)\)"):
        TRANSE.score(np.array([3, 1, 8]))


def test_plausibility_needs_a_calibration_and_then_follows_it() -> None:
    triples = np.array([[3, 1, 8], [3, 1, 5]])
    with pytest.raises(NotSupportedError, match="calibrated"):
        TRANSE.plausibility(triples)
    calibration = fit_calibration([-1.0, -2.0, -5.0, -6.0], [True, True, False, False], [1, 1, 1, 1])
    calibrated = dataclasses.replace(TRANSE, calibration=calibration)
    expected = calibration.plausibility(TRANSE.score(triples), [1, 1])
    np.testing.assert_array_equal(calibrated.plausibility(triples), expected)
