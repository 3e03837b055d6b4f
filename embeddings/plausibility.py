"""`PlausibilityModel`: several embeddings and the graph weighed together to tell whether a triple is true.

A calibration maps one score and leaves the ranking; this model may rank otherwise. It is worth its cost where there are
some thousand labelled triples, with false ones that were checked to be false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embeddings.embedding import Embedding
from embeddings.evidence import embedding_evidence, graph_evidence
from kg.errors import InputError

__all__ = ["PlausibilityModel", "evidence", "fit_trees"]

_LEAST_IN_LEAF = 3  # examples; one lets the trees learn single triples by heart
_SHARE_OF_COLUMNS = 0.3  # tried at each split


@dataclass(frozen=True, eq=False)
class PlausibilityModel:
    """Extremely randomised trees (Geurts, Ernst and Wehenkel 2006) over the evidence of embeddings and of the graph.

    It is not stored: with the same examples and seed it is the same model again, in some seconds.
    """

    embeddings: tuple[Embedding, ...]
    """What gives the scores; they share the known triples' term ids."""
    known: NDArray[np.integer]
    """Triples held to be true, shape (num_known, 3)."""
    relations: NDArray[np.integer]
    """Term ids of the relations of the examples, ascending; each has a column of its own."""
    trees: Any
    """The fitted scikit-learn classifier."""

    @classmethod
    def fit(
        cls,
        embeddings: Sequence[Embedding],
        known: NDArray[np.integer],
        examples: NDArray[np.integer],
        labels: ArrayLike,
        *,
        trees: int = 400,
        seed: int = 0,
    ) -> PlausibilityModel:
        """Fit to examples not trained on and not among the known triples.

        Args:
            embeddings: at least one where graph evidence alone is not wanted; may be empty.
            known: triples held to be true, those of the training; shape (num_known, 3).
            examples: term ids, shape (num_examples, 3).
            labels: whether each example is true; shape (num_examples,).
            trees: more give smoother plausibilities. seed: of the trees.

        Raises:
            InputError: no true or no false example, labels of another length, or an example that is known.
            UnknownTermError: a term of an example was not trained.
        """
        facts = {row.tobytes() for row in np.asarray(known, dtype=np.int64)}
        same = sum(row.tobytes() in facts for row in np.asarray(examples, dtype=np.int64))
        if same:
            raise InputError(f"Expected examples that are not among the known triples (got {same} that are)")
        relations = np.unique(np.asarray(examples)[:, 1])
        columns = _columns(embeddings, known, relations, examples)
        return cls(tuple(embeddings), known, relations, fit_trees(columns, labels, trees=trees, seed=seed))

    def plausibility(self, triples: NDArray[np.integer]) -> NDArray[np.float64]:
        """Plausibilities in [0, 1]; shape (num_triples,).

        Raises:
            UnknownTermError: a term was not trained.
        """
        columns = _columns(self.embeddings, self.known, self.relations, triples)
        return np.asarray(self.trees.predict_proba(columns)[:, 1], dtype=np.float64)


def evidence(
    embeddings: Sequence[Embedding], triples: NDArray[np.integer], known: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Evidence of every embedding, then of the graph; shape (num_triples, 12 * num_embeddings + 18).

    Raises:
        UnknownTermError: a term of a triple was not trained.
    """
    told = [embedding_evidence(embedding, triples, known) for embedding in embeddings]
    return np.concatenate([*told, graph_evidence(triples, known)], axis=1)


def fit_trees(columns: NDArray[np.float64], labels: ArrayLike, *, trees: int = 400, seed: int = 0) -> Any:
    """The scikit-learn classifier of a model, fitted to columns of evidence, shape (num_examples, num_columns).

    Raises:
        InputError: no true or no false example, or labels of another length.
    """
    from sklearn.ensemble import ExtraTreesClassifier  # type: ignore[import-untyped]  # it has no types

    truth = np.asarray(labels, dtype=bool)
    if truth.shape != (len(columns),) or not truth.any() or truth.all():
        raise InputError(
            f"Expected true and false examples with a label each (got {len(columns)} examples, "
            f"labels of shape {truth.shape}, {int(truth.sum())} true)"
        )
    forest = ExtraTreesClassifier(
        trees, min_samples_leaf=_LEAST_IN_LEAF, max_features=_SHARE_OF_COLUMNS, random_state=seed
    )
    return forest.fit(columns, truth)


def _columns(
    embeddings: Sequence[Embedding],
    known: NDArray[np.integer],
    relations: NDArray[np.integer],
    triples: NDArray[np.integer],
) -> NDArray[np.float64]:
    which = np.asarray(triples)[:, 1, None] == relations
    return np.concatenate([evidence(embeddings, triples, known), which], axis=1)
