"""Which triples an embedding is trained on: those asserted, or their closure too.

A closure tells an embedding what rules already know, and costs training time. It must be the closure of the training
triples alone: a held-out triple that took part in it would be trained on by what follows from it. Held-out triples that
the rules entail from training need no embedding, so figures are told apart for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kg.columns import Columns, rows_among
from kg.errors import ConfigError, InputError
from kg.graph import KnowledgeGraph

__all__ = ["SOURCES", "TrainingTriples", "training_triples", "without"]

SOURCES = ("asserted", "closure")
Rows = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class TrainingTriples:
    """Rows of (head, relation, tail) term ids, and what the rules added to them."""

    rows: Rows
    """What to train on, each once; shape (num_triples, 3)."""
    inferred: int
    """How many of the rows are inferred."""
    entailed: NDArray[np.bool_]
    """Which held-out triples the closure of training has; shape (num_held_out,)."""

    def __str__(self) -> str:
        return (
            f"{len(self.rows)} triples to train on, {self.inferred} of them inferred; "
            f"{int(self.entailed.sum())} of {len(self.entailed)} held-out ones are entailed"
        )


def training_triples(
    graph: KnowledgeGraph, held_out: NDArray[np.integer], *, source: str = "asserted"
) -> TrainingTriples:
    """What to train on, of a graph whose asserted triples are those of training.

    Args:
        graph: closed (`closure.graph`) after the held-out triples were taken out (see `without`); one that was not
            closed has nothing inferred.
        held_out: validation and test triples, shape (num_held_out, 3).
        source: `asserted`, or `closure` for the inferred triples between entities too. An entailed held-out triple is
            then trained on, as anyone with the rules could; figures are told with and without them.

    Raises:
        ConfigError: an unknown source.
        InputError: a held-out triple is asserted in the graph: it was not taken out before closing.
    """
    if source not in SOURCES:
        raise ConfigError(f"Expected a source of training triples of {', '.join(SOURCES)} (got {source!r})")
    asserted = np.unique(graph.entity_triples(), axis=0)
    leaked = rows_among(held_out, asserted)
    if leaked.any():
        raise InputError(
            f"Expected a graph without its held-out triples (got {int(leaked.sum())} of {len(leaked)} asserted); take "
            "them out with embeddings.training_triples.without before materialising"
        )
    every = np.unique(graph.entity_triples(inferred=True), axis=0)
    rows = asserted if source == "asserted" else every
    return TrainingTriples(rows, len(rows) - len(asserted), rows_among(held_out, every))


def without(graph: KnowledgeGraph, held_out: NDArray[np.integer]) -> KnowledgeGraph:
    """The graph with these triples no longer asserted and nothing inferred, on the same dictionary."""
    rows = np.stack(graph.asserted.arrays(), axis=1)
    kept = rows[~rows_among(rows, np.asarray(held_out))]
    columns = Columns.from_arrays(*kept.T)
    return KnowledgeGraph(graph.dictionary, columns, prefixes=graph.prefixes, sources=graph.sources)
