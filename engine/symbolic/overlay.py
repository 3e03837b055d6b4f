"""A dictionary on top of another: terms of hypothetical worlds get ids without the graph's own dictionary growing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from rdflib.term import Node

from kg.dictionary import Dictionary
from kg.terms import term_key

__all__ = ["Overlay"]


class Overlay(Dictionary):
    """The terms of `base` at the time this was made, under their ids, then terms of its own."""

    def __init__(self, base: Dictionary) -> None:
        super().__init__()
        self._base, self._shared = base, len(base)
        self._all_kinds: NDArray[np.uint8] = base.kinds[: self._shared]

    def __len__(self) -> int:
        return self._shared + super().__len__()

    def __iter__(self) -> Iterator[str]:
        yield from islice(self._base, self._shared)
        yield from super().__iter__()

    def intern_key(self, key: str) -> int:
        """The id of the term with this key, given now if it is new; the base is not written to."""
        found = self.find_key(key)
        return self._shared + super().intern_key(key) if found is None else found

    def find_key(self, key: str) -> int | None:
        """The id of the term with this key, or None."""
        found = self._base.find_key(key)
        if found is not None and found < self._shared:
            return found
        own = super().find_key(key)
        return None if own is None else self._shared + own

    def find_keys(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """The ids of the terms with these keys, -1 where there is none; shape (num_keys,)."""
        found = self._base.find_keys(keys)
        missing = np.flatnonzero((found < 0) | (found >= self._shared))
        own = super().find_keys([keys[at] for at in missing.tolist()])
        found[missing] = np.where(own < 0, -1, self._shared + own)
        return found

    def find(self, term: Node) -> int | None:
        """The id of a term, or None where neither dictionary has it."""
        return self.find_key(term_key(term))

    def term(self, id: int) -> Node:
        """The rdflib term with this id."""
        return self._base.term(id) if id < self._shared else super().term(id - self._shared)

    def key(self, id: int) -> str:
        """The key of the term with this id."""
        return self._base.key(id) if id < self._shared else super().key(id - self._shared)

    @property
    def kinds(self) -> NDArray[np.uint8]:
        """Kind of each term; shape (len,)."""
        if len(self._all_kinds) != len(self):
            self._all_kinds = np.concatenate([self._base.kinds[: self._shared], super().kinds])
        return self._all_kinds
