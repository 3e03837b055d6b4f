"""What texts alone say for a triple: how like its ends are to the ends of known triples, and to which of them together.

No graph is looked at: known triples are pairs of texts, and only how near texts are counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["TEXT_EVIDENCE", "text_evidence"]

Floats = NDArray[np.float64]

_SHARPNESS = (6.0, 15.0, 40.0)  # of the kernels: a cosine of .9 counts for .55, .22 and .02 of the same text
_KERNEL = ("log of the joint over the chance likeness", "log likeness of head", "log likeness of tail")
TEXT_EVIDENCE = (
    "likeness of head and tail",
    "best joint likeness",
    *(f"{name}, sharpness {sharp:g}" for sharp in _SHARPNESS for name in _KERNEL),
)
"""Columns of `text_evidence`."""
_LEAST = 1e-6  # of a mean likeness, where its logarithm is taken


def text_evidence(triples: NDArray[np.integer], known: NDArray[np.integer], vectors: NDArray[np.floating]) -> Floats:
    """Kernel densities (Parzen 1962) of the relation's known pairs of texts at the triple's own pair.

    The joint density over the product of those of heads and of tails is how much more often such a head goes with such
    a tail than chance has it. A triple that is known tells of itself.

    Args:
        triples: term ids, shape (num_triples, 3). known: triples held to be true, shape (num_known, 3).
        vectors: of each term's text, of length 1, by term id; shape (num_terms, dim).

    Returns: shape (num_triples, 11), columns `TEXT_EVIDENCE`.
    """
    rows, facts = np.asarray(triples), np.unique(np.asarray(known), axis=0)
    result = np.zeros((len(rows), len(TEXT_EVIDENCE)))
    result[:, 0] = (vectors[rows[:, 0]] * vectors[rows[:, 2]]).sum(axis=1)
    for relation in np.unique(rows[:, 1]):
        here, pairs = np.flatnonzero(rows[:, 1] == relation), facts[facts[:, 1] == relation]
        if not len(pairs):
            result[here, 1:] = np.log(_LEAST)
            continue
        head, tail = (_likeness(vectors, rows[here, side], pairs[:, side]) for side in (0, 2))
        result[here, 1] = (head + tail).max(axis=1) / 2
        for number, sharp in enumerate(_SHARPNESS):
            heads, tails = (np.exp(sharp * (like - 1)) for like in (head, tail))
            alone = [np.log(kernel.mean(axis=1) + _LEAST) for kernel in (heads, tails)]
            joint = np.log((heads * tails).mean(axis=1) + _LEAST**2)
            first = 2 + len(_KERNEL) * number
            result[here, first : first + len(_KERNEL)] = np.stack([joint - sum(alone), *alone], axis=1)
    return result


def _likeness(vectors: NDArray[np.floating], terms: NDArray[np.integer], others: NDArray[np.integer]) -> Floats:
    """Cosine of each term's text with each other's; shape (num_terms, num_others)."""
    return np.asarray(vectors[terms] @ vectors[others].T, dtype=np.float64)
