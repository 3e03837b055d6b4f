"""Evidence of texts against plain sums over known pairs."""

from __future__ import annotations

import math

import numpy as np

from embeddings.text_evidence import TEXT_EVIDENCE, text_evidence


def test_evidence_is_that_of_plain_sums() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(8, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    known = np.array([[2, 0, 3], [4, 0, 5], [2, 0, 3], [6, 0, 5], [2, 1, 7]])  # one of them twice
    triples = np.array([[3, 0, 4], [2, 1, 6]])
    found = text_evidence(triples, known, vectors)
    for (head, relation, tail), told in zip(triples.tolist(), found, strict=True):
        pairs = sorted({(s, o) for s, p, o in known.tolist() if p == relation})
        likes = [(vectors[head] @ vectors[s], vectors[tail] @ vectors[o]) for s, o in pairs]
        expected = [vectors[head] @ vectors[tail], max(a + b for a, b in likes) / 2]
        for sharp in (6, 15, 40):
            kernels = [(math.exp(sharp * (a - 1)), math.exp(sharp * (b - 1))) for a, b in likes]
            mean = len(kernels)
            joint = math.log(sum(a * b for a, b in kernels) / mean + 1e-12)
            alone = [math.log(sum(pair[side] for pair in kernels) / mean + 1e-6) for side in (0, 1)]
            expected += [joint - sum(alone), *alone]
        np.testing.assert_allclose(told, expected, rtol=1e-6)
    assert found.shape == (2, len(TEXT_EVIDENCE))


def test_a_pair_like_a_known_one_has_more_evidence_than_the_same_ends_crosswise() -> None:
    vectors = np.eye(4)
    known = np.array([[0, 9, 1], [2, 9, 3]])
    right, crossed = text_evidence(np.array([[0, 9, 1], [0, 9, 3]]), known, vectors)
    column = TEXT_EVIDENCE.index("log of the joint over the chance likeness, sharpness 15")
    assert right[column] > crossed[column] + 1


def test_a_relation_without_known_triples_tells_of_the_texts_alone() -> None:
    told = text_evidence(np.array([[0, 9, 0], [0, 9, 1]]), np.zeros((0, 3), dtype=int), np.eye(2))
    assert told[:, 0].tolist() == [1, 0]
    assert len(set(told[:, 1:].ravel())) == 1
