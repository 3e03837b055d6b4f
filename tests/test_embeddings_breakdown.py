"""Figures by relation and category: of literal relations, and put together again the figures of all."""

from __future__ import annotations

import numpy as np
import pytest

from embeddings import EmbeddingConfig, evaluate, train_embedding
from embeddings.breakdown import break_down, relation_categories
from embeddings.evaluate import RankMetrics


def test_categories_are_those_of_the_average_number_of_heads_and_tails() -> None:
    one = [(head, 50, head + 10) for head in range(4)]
    many_tails = [(0, 51, tail) for tail in range(1, 4)]
    many_heads = [(head, 52, 9) for head in range(3)]
    all_pairs = [(head, 53, tail) for head in range(3) for tail in range(5, 8)]
    rows = np.array(one + many_tails + many_heads + all_pairs + all_pairs)
    assert relation_categories(rows) == {50: "1-1", 51: "1-N", 52: "N-1", 53: "N-N"}


def test_parts_make_up_the_whole() -> None:
    rows = np.array([[i, 90 + k, (i * (k + 3) + 1) % 30] for i in range(30) for k in range(3)], dtype=np.int32)
    embedding = train_embedding(rows[:80], 100, EmbeddingConfig(dim=4, epochs=2, num_negatives=8))
    found = break_down(embedding, rows[40:], rows)
    assert found.overall == evaluate(embedding, rows[40:], rows)
    for parts in (found.by_relation, found.by_category):
        assert sum(part.count for part in parts.values()) == found.overall.count
        assert sum(part.mrr * part.count for part in parts.values()) == pytest.approx(
            found.overall.mrr * found.overall.count
        )
    for name, part in found.by_category.items():
        sides = (found.heads[name].mrr + found.tails[name].mrr) / 2
        assert sides == pytest.approx(part.mrr)
    assert set(found.to_dict()) == {"overall", "by_relation", "by_category", "heads", "tails"}


def test_unseen_triples_count_as_never_found_in_the_figure_of_all() -> None:
    assert RankMetrics.of(np.array([[1.0, 2.0]]), unseen=2).mrr_of_all == 0.25
