"""New entities without training: least squares from neighbours, ridge regression from text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embeddings import Embedding, EmbeddingConfig
from embeddings.new_entities import at_full_length, fit_text_map, relation_weights, with_entities, with_neighbours
from kg.errors import InputError, NotSupportedError

DIM = 3


def made(model: str, entities: int = 20) -> Embedding:
    """Random vectors for the even terms from 10 on and relations 0, 1 and 2."""
    random = np.random.default_rng(5)
    angles = random.uniform(0, 6, (3, DIM))
    rotate = model == "RotatE"
    return Embedding(
        config=EmbeddingConfig(model=model, dim=DIM),
        entities=np.arange(10, 10 + 2 * entities, 2, dtype=np.int32),
        relations=np.array([0, 1, 2], dtype=np.int32),
        entity_vectors=random.normal(size=(entities, DIM * (1 + rotate))).astype(np.float32),
        relation_vectors=(np.c_[np.cos(angles), np.sin(angles)] if rotate else angles).astype(np.float32),
        fingerprint="f",
    )


def vector(embedding: Embedding, entity: int) -> NDArray[np.float32]:
    return np.asarray(embedding.entity_vectors[embedding.entities.tolist().index(entity)])


@settings(max_examples=60, deadline=None)
@given(
    model=st.sampled_from(["TransE", "RotatE"]),
    links=st.lists(
        st.tuples(st.integers(0, 19), st.integers(0, 2), st.booleans(), st.floats(0.1, 5.0)), min_size=1, max_size=6
    ),
    seed=st.integers(0, 99),
    full_length=st.booleans(),
)
def test_no_other_vector_is_nearer_in_least_squares(
    model: str, links: list[tuple[int, int, bool, float]], seed: int, full_length: bool
) -> None:
    embedding = made(model)
    triples = np.array([[15, r, 10 + 2 * e] if head else [10 + 2 * e, r, 15] for e, r, head, _ in links])
    weights = np.array([weight for *_, weight in links])
    found = with_neighbours(embedding, triples, weights=weights, full_length=full_length)

    def loss(extended: Embedding) -> float:
        return float((weights * np.square(extended.score(triples), dtype=np.float64)).sum())

    step = np.random.default_rng(seed).normal(size=found.entity_vectors.shape[1]) * 0.05
    moved = (vector(found, 15) + step)[None]
    other = with_entities(embedding, [15], at_full_length(embedding, moved) if full_length else moved)
    assert loss(found) <= loss(other) + 1e-5


@pytest.mark.parametrize("model", ["TransE", "RotatE"])
def test_many_at_once_are_what_each_gives_alone_and_ids_ascend(model: str) -> None:
    embedding = made(model)
    # 99 and 9 are new and linked to each other, which says nothing; so do trained ends and the unknown relation 7
    triples = np.array([[99, 0, 12], [14, 1, 99], [9, 2, 10], [9, 0, 99], [10, 0, 12], [99, 7, 12], [16, 1, 31]])
    found = with_neighbours(embedding, triples, full_length=False)
    assert found.entities.tolist() == [9, *range(10, 31, 2), 31, *range(32, 50, 2), 99]
    for entity in embedding.entities.tolist():
        np.testing.assert_array_equal(vector(found, entity), vector(embedding, entity))
    for entity, rows in ((99, triples[:2]), (9, triples[2:3]), (31, triples[6:])):
        alone = with_neighbours(embedding, rows, full_length=False)
        np.testing.assert_allclose(vector(alone, entity), vector(found, entity), rtol=1e-6)
    np.testing.assert_allclose(found.score(triples[[2, 6]]), 0, atol=1e-5)  # one triple is met exactly


def test_a_prior_counts_as_that_many_triples() -> None:
    embedding, prior = made("TransE"), np.array([1.0, 2.0, 3.0])
    alone = vector(with_neighbours(embedding, np.array([[11, 0, 12]]), full_length=False), 11)
    drawn = vector(
        with_neighbours(embedding, np.array([[11, 0, 12]]), prior=prior, prior_weight=3.0, full_length=False), 11
    )
    np.testing.assert_allclose(drawn, (alone + 3 * prior) / 4, rtol=1e-5)


@pytest.mark.parametrize("model", ["TransE", "RotatE"])
def test_full_length_is_that_of_trained_entities(model: str) -> None:
    embedding = made(model)
    rows = np.random.default_rng(0).normal(size=(4, embedding.entity_vectors.shape[1])) * 0.01
    centre = 0 if model == "RotatE" else embedding.entity_vectors.mean(axis=0)
    lengths = np.linalg.norm(at_full_length(embedding, rows) - centre, axis=1)
    usual = np.sqrt(np.square(np.linalg.norm(embedding.entity_vectors - centre, axis=1)).mean())
    np.testing.assert_allclose(lengths, usual, rtol=1e-5)


def test_relations_weigh_by_how_exact_they_are() -> None:
    embedding = made("TransE", entities=3)
    embedding.relation_vectors[0] = embedding.entity_vectors[1] - embedding.entity_vectors[0] + np.float32(0.1)
    embedding.relation_vectors[1] = embedding.entity_vectors[2] - embedding.entity_vectors[0] + np.float32(0.2)
    trained = np.array([[10, 0, 12], [10, 1, 14]])
    weights = relation_weights(embedding, np.array([[5, 0, 10], [10, 1, 5], [5, 2, 10]]), trained)
    np.testing.assert_allclose(weights, [1.6, 0.4, 1.0], rtol=1e-4)


def test_text_map_finds_a_linear_map_and_places_new_entities_by_it() -> None:
    random = np.random.default_rng(0)
    table = {str(n): random.normal(size=4) for n in range(300)}
    embedding = made("RotatE", entities=200)
    matrix = random.normal(size=(4, 2 * DIM))
    for row, entity in enumerate(embedding.entities.tolist()):
        embedding.entity_vectors[row] = table[str(row)] @ matrix + 1
        assert entity == 10 + 2 * row
    texts = {10 + 2 * row: str(row) for row in range(200)} | {5: "ignored, as it was never trained"}
    found = fit_text_map(embedding, texts, lambda words: np.array([table[word] for word in words]))
    assert found.error < 1e-4
    assert found.penalty == 0.01
    extended = found.extend(embedding, {501: "201", 11: "202"}, full_length=False)
    np.testing.assert_allclose(vector(extended, 501), table["201"] @ matrix + 1, atol=0.01)
    np.testing.assert_allclose(vector(extended, 11), table["202"] @ matrix + 1, atol=0.01)


def test_texts_that_say_nothing_give_about_the_mean_vector() -> None:
    embedding, random = made("TransE", entities=400), np.random.default_rng(1)
    texts = {int(id): "" for id in embedding.entities}
    found = fit_text_map(embedding, texts, lambda words: random.normal(size=(len(words), 5)))
    assert 0.9 < found.error < 1.1
    assert np.abs(found.vectors(["", ""]) - embedding.entity_vectors.mean(axis=0)).max() < 0.3


def test_what_cannot_be_added_is_refused() -> None:
    embedding = made("TransE")
    with pytest.raises(InputError, match=r"got \[12\] again"):
        with_entities(embedding, [12], np.zeros((1, DIM)))
    with pytest.raises(InputError, match="finite vector of 3 numbers"):
        with_entities(embedding, [11], np.zeros((1, DIM + 1)))
    with pytest.raises(InputError, match="none such"):
        with_neighbours(embedding, np.array([[10, 0, 12]]))
    with pytest.raises(InputError, match="weight above 0"):
        with_neighbours(embedding, np.array([[11, 0, 12]]), weights=[0.0])
    with pytest.raises(InputError, match="at least 10 trained"):
        fit_text_map(embedding, {10: "x"}, lambda words: np.zeros((len(words), 2)))
    other = made("TransE")
    object.__setattr__(other, "config", EmbeddingConfig(model="ComplEx"))
    with pytest.raises(NotSupportedError, match="got ComplEx"):
        with_entities(other, [11], np.zeros((1, DIM)))
