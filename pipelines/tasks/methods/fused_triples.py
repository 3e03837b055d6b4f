"""Triples told true or false by trees that weigh what texts, graph, embeddings and mined rules say for them.

The trees are fitted to labelled claims; what they weigh is learnt from the graph's own triples alone (see
`pipelines.tasks.triple_evidence`), and each control goes without one part of it. Nothing here proves or refutes: mined
rules hold often, not always.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.plausibility import fit_trees
from kg.errors import ConfigError, InputError
from pipelines.tasks.example import Example
from pipelines.tasks.graph_claims import CHOICES, answer_of
from pipelines.tasks.method import Answer, Control
from pipelines.tasks.triple_evidence import EvidenceSettings, Source, TripleEvidence

__all__ = ["FusedTriples", "fit"]

Floats = NDArray[np.float64]
Ids = tuple[int, int, int]

_GRAPH: tuple[Source, ...] = ("graph", "embedding", "rules", "fusion")
_TEXT: tuple[Source, ...] = ("relation", "text", "read text")
_SOURCES: Mapping[Control, tuple[Source, ...]] = {
    "full": (*_TEXT, *_GRAPH),
    "text only": _TEXT,
    "graph only": ("relation", "graph", "embedding", "rules"),
    "shuffled graph": (*_TEXT, *_GRAPH),
    "no rules": (*_TEXT, "graph", "embedding", "fusion"),
    "edge counter": ("relation", "edges"),
}
"""What each control is told; of a shuffled graph, what it tells of another claim."""


class FusedTriples:
    """Trees over evidence, and what it is gathered from."""

    def __init__(self, evidence: TripleEvidence, control: Control, seed: int, examples: Sequence[Example]) -> None:
        self.evidence, self.control, self.seed = evidence, control, seed
        columns, truth = self._columns(examples), np.array([_true(example) for example in examples], dtype=bool)
        self.trees = fit_trees(columns, truth, trees=evidence.settings.trees, seed=seed)

    def answer(self, examples: Sequence[Example]) -> list[Answer]:
        """True or false for each claim, with how likely that is right."""
        return [answer_of(chance) for chance in self.trees.predict_proba(self._columns(examples))[:, 1].tolist()]

    def _columns(self, examples: Sequence[Example]) -> Floats:
        rows = [self._ids(example) for example in examples]
        other = rows
        if self.control == "shuffled graph":
            order = np.random.default_rng(self.seed).permutation(len(rows))
            other = [rows[at] for at in order]
        return np.concatenate(
            [self.evidence.columns(s, other if s in _GRAPH else rows) for s in _SOURCES[self.control]], axis=1
        )

    def _ids(self, example: Example) -> Ids:
        if example.triple is None:
            raise InputError(f"Expected a claim about a triple (got {example.id!r} without one)")
        return self.evidence.benchmark.ids_of(example.triple)


def fit(
    train: Sequence[Example],
    dev: Sequence[Example],
    *,
    control: Control,
    seed: int,
    settings: Mapping[str, Any],
    folder: Path | None = None,
) -> FusedTriples:
    """Trees fitted to all labelled claims at hand; forests of this kind are calibrated as they are.

    Raises:
        ConfigError: an unknown setting (see `EvidenceSettings`). InputError: claims of one label, or without a triple.
    """
    known = [field.name for field in dataclasses.fields(EvidenceSettings)]
    for name in settings:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3) or known
            raise ConfigError(
                f"Expected a setting of fused_triples (got {name!r}); the nearest known: {', '.join(near)}"
            )
    if "graph" not in settings:
        raise ConfigError("Expected the folder of a benchmark as the resource 'graph' (got none)")
    return FusedTriples(_gathered(_frozen(settings), seed, folder), control, seed, [*train, *dev])


@lru_cache(maxsize=1)  # the folds and controls of one seed share what was learnt from the graph
def _gathered(settings: tuple[tuple[str, Any], ...], seed: int, folder: Path | None) -> TripleEvidence:
    return TripleEvidence(EvidenceSettings(**dict(settings)), seed, folder)


def _frozen(value: Any) -> Any:
    """Tables and lists as tuples, which can be looked up."""
    if isinstance(value, Mapping):
        return tuple(sorted((name, _frozen(each)) for name, each in value.items()))
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _true(example: Example) -> bool:
    return example.answers[0] == CHOICES[0]
