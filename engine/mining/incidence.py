"""`Incidence`: the triples seen from their entities, each edge in both directions, numbered for the kernels.

A *step* is a relation with a direction: step `r` goes from head to tail of relation `r`, step `r + num_relations` back.
A *start* is a step with the entity it sets out from; the ends of its edges are the entities that it reaches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kg.errors import InputError

__all__ = ["Incidence"]

Ids = NDArray[np.int32]
Offsets = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Incidence:
    """Edges in two orders. Loops (a triple from an entity to itself) are left out: rules are about different entities.

    Args:
        entities, relations: term ids, ascending; what follows has their positions.
        offset: where the edges of each entity begin; shape (entity + 1,).
        step, end: edges by entity, step, end; shape (edge,).
        feature: the start that leads back along each of these edges; shape (edge,).
        near, near_step: ends and steps of the same edges by entity, end, step; shape (edge,).
        start_offset: where the starts of each step begin; shape (step + 1,).
        start_entity: the entity each start sets out from; shape (start,).
        first: where the edges of each start begin in `reached`; shape (start + 1,).
        reached: ends of the edges by step, entity, end; shape (edge,).
        shuffled: the starts of each step in a random order; shape (start,).
    """

    entities: Ids
    relations: Ids
    offset: Offsets
    step: Ids
    end: Ids
    feature: Ids
    near: Ids
    near_step: Ids
    start_offset: Offsets
    start_entity: Ids
    first: Offsets
    reached: Ids
    shuffled: Ids

    @property
    def num_relations(self) -> int:
        """Number of relations; half the number of steps."""
        return len(self.relations)

    @property
    def start_step(self) -> Ids:
        """The step of each start; shape (start,)."""
        return np.repeat(np.arange(2 * self.num_relations, dtype=np.int32), np.diff(self.start_offset))

    def back(self, steps: NDArray[np.integer]) -> NDArray[np.int32]:
        """The steps that go the other way; shape as given."""
        return np.asarray((steps + self.num_relations) % (2 * self.num_relations), dtype=np.int32)

    def find_start(self, steps: NDArray[np.integer], entities: NDArray[np.integer]) -> NDArray[np.int64]:
        """Numbers of the starts with these steps and entities, -1 where there is no such edge; shape as given."""
        keys = self.start_step.astype(np.int64) * len(self.entities) + self.start_entity
        sought = steps.astype(np.int64) * len(self.entities) + entities
        at = np.minimum(np.searchsorted(keys, sought), len(keys) - 1)
        return np.where(keys[at] == sought, at, -1) if len(keys) else np.full(len(sought), -1)

    @classmethod
    def of(cls, rows: NDArray[np.integer], *, seed: int = 0) -> Incidence:
        """The incidence of (head, relation, tail) term ids, shape (num_triples, 3).

        Raises:
            InputError: a wrong shape, or an id below 0.
        """
        rows = np.asarray(rows)
        if rows.ndim != 2 or rows.shape[1] != 3 or not np.issubdtype(rows.dtype, np.integer):
            raise InputError(f"Expected integer triples of shape (num_triples, 3) (got {rows.dtype} {rows.shape})")
        if len(rows) and rows.min() < 0:
            raise InputError(f"Expected term ids of at least 0 (got {rows.min()})")
        rows = np.unique(rows.astype(np.int32), axis=0)
        entities, relations = np.unique(rows[:, [0, 2]]), np.unique(rows[:, 1])
        rows = rows[rows[:, 0] != rows[:, 2]]
        head, tail = (np.searchsorted(entities, rows[:, column]) for column in (0, 2))
        relation, count = np.searchsorted(relations, rows[:, 1]), len(relations)
        here, step, end = np.r_[head, tail], np.r_[relation, relation + count], np.r_[tail, head]
        by_step = np.lexsort((end, here, step))
        keys = step[by_step].astype(np.int64) * len(entities) + here[by_step]
        starts, first = np.unique(keys, return_index=True)
        start_step, start_entity = np.divmod(starts, max(len(entities), 1))
        start_offset = np.searchsorted(start_step, np.arange(2 * count + 1))
        by_entity, by_end = np.lexsort((end, step, here)), np.lexsort((step, end, here))
        back = ((step[by_entity] + count) % max(2 * count, 1)).astype(np.int64) * len(entities) + end[by_entity]
        random = np.random.default_rng(seed).random(len(starts))
        return cls(
            entities=entities.astype(np.int32),
            relations=relations.astype(np.int32),
            offset=np.searchsorted(here[by_entity], np.arange(len(entities) + 1)).astype(np.int64),
            step=step[by_entity].astype(np.int32),
            end=end[by_entity].astype(np.int32),
            feature=np.searchsorted(starts, back).astype(np.int32),
            near=end[by_end].astype(np.int32),
            near_step=step[by_end].astype(np.int32),
            start_offset=start_offset.astype(np.int64),
            start_entity=start_entity.astype(np.int32),
            first=np.r_[first, len(keys)].astype(np.int64),
            reached=end[by_step].astype(np.int32),
            shuffled=np.lexsort((random, start_step)).astype(np.int32),
        )
