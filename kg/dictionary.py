"""RDF term <-> dense integer id, one dictionary per knowledge graph and everything derived from it.

Ids are given in order of first appearance and never change, so the columns, the closure, the embeddings and the
fusion model can all index by them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from rdflib.term import Node

from kg.errors import UnknownTermError
from kg.terms import term_from_key, term_key
from kg.triple_keys import split_triple_key

__all__ = ["BLANK", "IRI", "LITERAL", "TRIPLE", "Dictionary"]

IRI, BLANK, LITERAL, TRIPLE = range(4)
"""Kinds of term; those below LITERAL may be subjects."""
_KIND_OF = {"<": IRI, "_": BLANK, '"': LITERAL}


class Dictionary:
    """An append-only bijection between RDF terms and the integers 0 … len - 1."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._keys: list[str] = []
        self._ids: dict[str, int] = {}
        self._kinds = bytearray()
        self._kind_array: NDArray[np.uint8] = np.empty(0, dtype=np.uint8)
        self._terms: dict[int, Node] = {}
        self._parts: dict[int, tuple[int, ...]] = {}
        for key in keys:
            self.intern_key(key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def intern_key(self, key: str) -> int:
        """The id of the term with this key (see `kg.terms.term_key`), given now if it is new."""
        new = len(self._keys)
        found = self._ids.setdefault(key, new)
        if found == new:
            self._keys.append(key)
            self._kinds.append(TRIPLE if key[:2] == "<<" else _KIND_OF[key[0]])
        return found

    def intern_keys(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """The ids of the terms with these keys, given in this order to those that are new; shape (num_keys,)."""
        first = len(self._keys)
        known, new, ids = self._ids.setdefault, self._keys.append, list[int]()
        size = first
        for key in keys:
            found = known(key, size)
            if found == size:
                new(key)
                size += 1
            ids.append(found)
        self._kinds.extend(TRIPLE if key[:2] == "<<" else _KIND_OF[key[0]] for key in self._keys[first:])
        return np.array(ids, dtype=np.int64)

    def intern(self, term: Node) -> int:
        """The id of a term, given now if it is new."""
        return self.intern_key(term_key(term))

    def find(self, term: Node) -> int | None:
        """The id of a term, or None where the term was never seen."""
        return self._ids.get(term_key(term))

    def find_key(self, key: str) -> int | None:
        """The id of the term with this key, or None."""
        return self._ids.get(key)

    def find_keys(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """The ids of the terms with these keys, -1 where there is none; shape (num_keys,)."""
        return np.fromiter(map(self._ids.get, keys, repeat(-1)), np.int64, len(keys))

    def id(self, term: Node) -> int:
        """The id of a term.

        Raises:
            UnknownTermError: the term was never seen; `nearest` has up to three that look alike.
        """
        found = self.find(term)
        if found is None:
            key = term_key(term)
            raise UnknownTermError(key, difflib.get_close_matches(key, self._keys[:200_000], n=3, cutoff=0.75))
        return found

    def term(self, id: int) -> Node:
        """The rdflib term with this id, made on first use and kept."""
        found = self._terms.get(id)
        if found is None:
            found = self._terms[id] = term_from_key(self._keys[id])
        return found

    def key(self, id: int) -> str:
        """The key (unescaped N-Triples form) of the term with this id."""
        return self._keys[id]

    def parts(self, ids: NDArray[np.integer]) -> NDArray[np.int64]:
        """Ids of subject, predicate and object of each triple term, -1 for any other term; shape (num_ids, 3)."""
        found = np.full((len(ids), 3), -1, dtype=np.int64)
        at = np.flatnonzero(self.kinds[ids] == TRIPLE)
        known = self._parts
        for row, id in zip(at.tolist(), ids[at].tolist(), strict=True):
            if id not in known:
                known[id] = tuple(self.intern_key(key) for key in split_triple_key(self.key(id)))
            found[row] = known[id]
        return found

    def kind(self, id: int) -> int:
        """Kind of one term: `IRI`, `BLANK`, `LITERAL` or `TRIPLE`."""
        key = self.key(id)
        return TRIPLE if key[:2] == "<<" else _KIND_OF[key[0]]

    @property
    def kinds(self) -> NDArray[np.uint8]:
        """Kind of each term: `IRI`, `BLANK`, `LITERAL` or `TRIPLE`; shape (len,)."""
        if len(self._kind_array) != len(self._kinds):
            # A copy: a view would forbid the bytearray to grow.
            self._kind_array = np.frombuffer(bytes(self._kinds), dtype=np.uint8)
        return self._kind_array

    def is_literal(self, ids: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether each id is a literal; same shape as `ids`."""
        return np.asarray(self.kinds[ids] == LITERAL)
