"""Link prediction figures taken apart: by relation, and by how many heads and tails a relation has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.embedding import Embedding
from embeddings.evaluate import RankMetrics, ranks
from kg.errors import InputError

__all__ = ["CATEGORIES", "Breakdown", "break_down", "relation_categories"]

CATEGORIES = ("1-1", "1-N", "N-1", "N-N")
_MANY = 1.5
"""Tails per head (or heads per tail) from which a side counts as many: Bordes et al., TransE, 2013, section 4.3."""


@dataclass(frozen=True, eq=False)
class Breakdown:
    """Figures of all triples, and of parts of them.

    Args:
        overall: of all. by_relation: by term id of the relation. by_category: by `CATEGORIES`, of those with triples.
        heads, tails: by category, of the one side alone: predicting a head among many is the harder task.
    """

    overall: RankMetrics
    by_relation: Mapping[int, RankMetrics]
    by_category: Mapping[str, RankMetrics]
    heads: Mapping[str, RankMetrics]
    tails: Mapping[str, RankMetrics]

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        parts = {"by_category": self.by_category, "heads": self.heads, "tails": self.tails}
        return {
            "overall": self.overall.to_dict(),
            "by_relation": {str(relation): figures.to_dict() for relation, figures in self.by_relation.items()},
            **{name: {key: figures.to_dict() for key, figures in part.items()} for name, part in parts.items()},
        }


def break_down(
    embedding: Embedding, test: NDArray[np.integer], known: NDArray[np.integer], *, device: str = "auto"
) -> Breakdown:
    """Rank the test triples as `evaluate` does, and take the figures apart.

    Categories are those of the known triples. Triples with a term that was not trained are counted in `overall`.

    Raises:
        InputError: no test triple has all its terms in the embedding.
    """
    seen = embedding.knows(test)
    if not seen.any():
        raise InputError(f"Expected a test triple whose terms were all trained (got {len(test)}, none such)")
    rows = test[seen]
    both = ranks(embedding, rows, known, device=device)
    relation = rows[:, 1]
    named = relation_categories(known)
    category = np.array([named.get(int(each), CATEGORIES[0]) for each in relation])
    parts = {name: both[category == name] for name in CATEGORIES if (category == name).any()}
    return Breakdown(
        overall=RankMetrics.of(both, int((~seen).sum())),
        by_relation={int(each): RankMetrics.of(both[relation == each]) for each in np.unique(relation)},
        by_category={name: RankMetrics.of(part) for name, part in parts.items()},
        heads={name: RankMetrics.of(part[:, 1:]) for name, part in parts.items()},
        tails={name: RankMetrics.of(part[:, :1]) for name, part in parts.items()},
    )


def relation_categories(triples: NDArray[np.integer]) -> dict[int, str]:
    """The category of each relation: `1-N` has more than 1.5 tails per head, at most 1.5 heads per tail, on average."""
    rows = np.unique(triples, axis=0)
    found = {}
    for relation in np.unique(rows[:, 1]).tolist():
        heads, tails = rows[rows[:, 1] == relation][:, [0, 2]].T
        per_head, per_tail = (len(heads) / len(np.unique(side)) for side in (heads, tails))
        found[relation] = ("N" if per_tail > _MANY else "1") + "-" + ("N" if per_head > _MANY else "1")
    return found
