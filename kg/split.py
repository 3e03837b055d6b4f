"""Train, validation and test triples without leaks.

A held-out triple must not be readable from the training triples: not from its inverse or mirror image, not from another
relation that holds of nearly the same pairs. So all triples on one pair of terms whose relations say the same stay on
one side; and every entity and relation of a held-out triple occurs in training, so that it has an embedding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kg.adjacency import Indices, ranges
from kg.columns import pack
from kg.errors import ConfigError

__all__ = ["Split", "related_relations", "split_triples"]

Triples = NDArray[np.int32]


class Split(NamedTuple):
    """Triples of head, relation and tail ids, three ways; shape (num_triples, 3) each, rows ascending."""

    train: Triples
    validation: Triples
    test: Triples

    def __str__(self) -> str:
        return f"{len(self.train)} train, {len(self.validation)} validation, {len(self.test)} test triples"


def split_triples(
    triples: NDArray[np.integer],
    *,
    ratios: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    inverse: Mapping[int, int | Iterable[int]] | None = None,
    leak_groups: Sequence[Collection[int]] = (),
    overlap: float = 0.8,
) -> Split:
    """A random leak-free split; the same for the same set of triples and seed, in whatever order they come.

    The shares are met as nearly as the conditions allow: held-out parts may be smaller, never larger.

    Args:
        triples: head, relation, tail ids, shape (num_triples, 3); repeated rows count once.
        ratios: shares of train, validation and test; they add up to 1.
        seed: of the random order in which triples are tried.
        inverse: relations declared inverse to a relation (`kg.property_axioms` reads them from a schema).
        leak_groups: further sets of relations of which one tells another, such as a property and its subproperties.
        overlap: two relations leak where more than this share of the smaller one's pairs, in the same or the reverse
            direction, are pairs of the other. 0.8 finds the near-duplicates of FB15k and WN18 (Toutanova and Chen
            2015; Dettmers et al. 2018) and leaves plain subproperties with a few shared pairs apart.

    Raises:
        ConfigError: the array has another shape, or `ratios` or `overlap` are out of range.
    """
    triples = np.asarray(triples)
    if triples.ndim != 2 or triples.shape[1] != 3:
        raise ConfigError(f"Expected triples of shape (num_triples, 3) (got {triples.shape})")
    if len(ratios) != 3 or min(ratios) < 0 or ratios[0] == 0 or abs(sum(ratios) - 1) > 1e-6:
        raise ConfigError(f"Expected three shares that add up to 1, the first above 0 (got {ratios})")
    if not 0 < overlap <= 1:
        raise ConfigError(f"Expected an overlap above 0 and up to 1 (got {overlap})")
    unique = np.unique(triples, axis=0).astype(np.int32).reshape(-1, 3)
    family = related_relations(unique, inverse=inverse or {}, leak_groups=leak_groups, overlap=overlap)
    groups = _groups(unique, family)
    side = _sides(unique, groups, ratios, seed)
    return Split(*(unique[side == part] for part in range(3)))


def related_relations(
    triples: Triples,
    *,
    inverse: Mapping[int, int | Iterable[int]] | None = None,
    leak_groups: Sequence[Collection[int]] = (),
    overlap: float = 0.8,
) -> dict[int, int]:
    """Each relation's family, named by its least relation: relations of which one tells another.

    Families come from declared inverses, given groups, and from the triples themselves: relations whose pairs
    overlap. Arguments as in `split_triples`.
    """
    parent = {int(r): int(r) for r in np.unique(triples[:, 1])}

    def root(relation: int) -> int:
        while parent[relation] != relation:
            relation = parent[relation]
        return relation

    def join(one: int, other: int) -> None:
        # A relation without triples may still link two that have some.
        low, high = sorted((root(parent.setdefault(one, one)), root(parent.setdefault(other, other))))
        parent[high] = low

    for relation, others in (inverse or {}).items():
        for other in [others] if isinstance(others, int) else others:
            join(relation, other)
    for group in leak_groups:
        members = list(group)
        for member in members[1:]:
            join(members[0], member)
    for one, other in _overlapping(triples, overlap):
        join(one, other)
    return {relation: root(relation) for relation in parent}


def _overlapping(triples: Triples, overlap: float) -> list[tuple[int, int]]:
    """Pairs of relations that share more than `overlap` of the smaller one's pairs of terms, either way round."""
    relations, relation = np.unique(triples[:, 1], return_inverse=True)
    sizes = np.bincount(relation, minlength=len(relations))
    ends = pack(triples[:, 0], triples[:, 2])
    order = np.argsort(ends, kind="stable")
    found: set[tuple[int, int]] = set()
    for turned in (ends, pack(triples[:, 2], triples[:, 0])):
        low, high = (np.searchsorted(ends[order], turned, side) for side in ("left", "right"))
        rows, counts = ranges(low, high)
        one, other = np.repeat(relation, counts), relation[order[rows]]
        met, shared = np.unique(pack(one[one < other], other[one < other]), return_counts=True)
        one, other = met >> 32, met & 0xFFFFFFFF
        over = shared > overlap * np.minimum(sizes[one], sizes[other])
        found.update(zip(relations[one[over]].tolist(), relations[other[over]].tolist(), strict=True))
    return sorted(found)


def _groups(triples: Triples, family: Mapping[int, int]) -> Indices:
    """The group of each triple: same pair of terms, either way round, and same family; shape (num_triples,)."""
    families = np.array([family[int(relation)] for relation in triples[:, 1]], dtype=np.int64)
    low, high = np.minimum(triples[:, 0], triples[:, 2]), np.maximum(triples[:, 0], triples[:, 2])
    _, group = np.unique(np.column_stack([low, high, families]), axis=0, return_inverse=True)
    return group.reshape(-1)


def _sides(triples: Triples, group: Indices, ratios: tuple[float, float, float], seed: int) -> Indices:
    """0, 1 or 2 for each triple: train, validation, test; a group goes where it leaves training what it needs."""
    side = np.zeros(len(triples), dtype=np.int64)
    room = [0, int(ratios[1] * len(triples)), int(ratios[2] * len(triples))]
    quota = list(room)
    in_train = _Occurrences(triples)
    members = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[members], np.arange(len(triples) + 1))
    for at in np.random.default_rng(seed).permutation(int(group.max()) + 1 if len(group) else 0).tolist():
        if not any(room):
            break
        rows = members[starts[at] : starts[at + 1]]
        # The part that has most of its share still to get, so that scarce triples are divided fairly.
        part = max((1, 2), key=lambda part: room[part] / max(quota[part], 1))
        if len(rows) > room[part] or not in_train.give_up(rows):
            continue
        side[rows] = part
        room[part] -= len(rows)
    return side


class _Occurrences:
    """How often each entity and relation still occurs in training."""

    def __init__(self, triples: Triples) -> None:
        entities, ends = np.unique(triples[:, [0, 2]], return_inverse=True)
        _, relation = np.unique(triples[:, 1], return_inverse=True)
        names = np.column_stack([ends.reshape(-1, 2), relation + len(entities)])
        self._names: list[list[int]] = [list(dict.fromkeys(row)) for row in names.tolist()]
        self._left = np.bincount([name for row in self._names for name in row]).tolist() if len(triples) else []

    def give_up(self, rows: Indices) -> bool:
        """Take triples out of training, unless one of their entities or relations would be gone from it."""
        needed = Counter(name for row in rows.tolist() for name in self._names[row])
        if any(self._left[name] <= count for name, count in needed.items()):
            return False
        for name, count in needed.items():
            self._left[name] -= count
        return True
