"""Integer triples in columns, partitioned by predicate.

For each predicate the (subject, object) pairs are kept once, sorted by subject then object; the order by object is made
on first use. Columns are values: they are built once and never written to.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_SOURCE", "Columns", "Ids", "pack", "rows_among"]

Ids = NDArray[np.int32]


def pack(high: NDArray[np.integer], low: NDArray[np.integer]) -> NDArray[np.int64]:
    """Two non-negative 32-bit columns as one sortable 64-bit key; shape as given."""
    return (high.astype(np.int64) << 32) | low.astype(np.int64)


def rows_among(rows: NDArray[np.integer], table: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether each row of three ids is a row of the table; shape (num_rows,)."""
    both = np.concatenate([np.asarray(table).reshape(-1, 3), np.asarray(rows).reshape(-1, 3)]).astype(np.int64)
    _, number = np.unique(both, axis=0, return_inverse=True)
    return np.isin(number[len(table) :], number[: len(table)])


NO_SOURCE = 2**31 - 1
"""A source number past every list of sources."""


def _among(keys: NDArray[np.int64], ordered: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each key is one of an ascending column; shape (num_keys,)."""
    if not len(ordered):
        return np.zeros(len(keys), dtype=bool)
    at = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return np.asarray(ordered[at] == keys)


class Columns:
    """A set of integer triples, partitioned by predicate and sorted by (subject, object)."""

    def __init__(self, tables: dict[int, tuple[Ids, Ids]], sources: dict[int, Ids] | None = None) -> None:
        self._tables = tables
        self._sources = sources or {}
        self._by_object: dict[int, tuple[Ids, Ids]] = {}
        self._size = sum(len(s) for s, _ in tables.values())

    @classmethod
    def empty(cls) -> Columns:
        """No triples."""
        return cls({})

    @classmethod
    def from_arrays(
        cls,
        s: NDArray[np.integer],
        p: NDArray[np.integer],
        o: NDArray[np.integer],
        source: NDArray[np.integer] | None = None,
    ) -> Columns:
        """Columns from three arrays of ids, shape (num_triples,) each; duplicates are dropped, the first source stays.

        `source` is an optional fourth array: the number of the file (or graph) each triple came from.
        """
        s, p, o = (np.asarray(a, dtype=np.int32) for a in (s, p, o))
        if not len(p):
            return cls.empty()
        key = pack(s, o)
        order = np.lexsort((key, p))
        key, p = key[order], p[order]
        keep = np.ones(len(p), dtype=bool)
        keep[1:] = (p[1:] != p[:-1]) | (key[1:] != key[:-1])
        p, s, o = p[keep], s[order][keep], o[order][keep]
        origin = None if source is None else np.asarray(source, dtype=np.int32)[order][keep]
        starts = np.flatnonzero(np.r_[True, p[1:] != p[:-1]])
        ends = np.r_[starts[1:], len(p)]
        tables, sources = {}, {}
        for start, end in zip(starts, ends, strict=True):
            predicate = int(p[start])
            tables[predicate] = (s[start:end].copy(), o[start:end].copy())
            if origin is not None:
                sources[predicate] = origin[start:end].copy()
        return cls(tables, sources)

    def __len__(self) -> int:
        return self._size

    def predicates(self) -> tuple[int, ...]:
        """Ids of the predicates that have triples, ascending."""
        return tuple(sorted(self._tables))

    def pairs(self, predicate: int) -> tuple[Ids, Ids]:
        """Subjects and objects of one predicate, sorted by subject then object; empty where there is none."""
        empty = np.empty(0, dtype=np.int32)
        return self._tables.get(predicate, (empty, empty))

    def pairs_by_object(self, predicate: int) -> tuple[Ids, Ids]:
        """Subjects and objects of one predicate, sorted by object then subject."""
        if predicate not in self._by_object:
            s, o = self.pairs(predicate)
            order = np.argsort(pack(o, s), kind="stable")
            self._by_object[predicate] = (s[order], o[order])
        return self._by_object[predicate]

    def objects(self, subject: int, predicate: int) -> Ids:
        """Objects of the triples with this subject and predicate, ascending."""
        s, o = self.pairs(predicate)
        key = np.int32(subject)
        return o[np.searchsorted(s, key, "left") : np.searchsorted(s, key, "right")]

    def subjects(self, predicate: int, object: int) -> Ids:
        """Subjects of the triples with this predicate and object, ascending."""
        s, o = self.pairs_by_object(predicate)
        key = np.int32(object)
        return s[np.searchsorted(o, key, "left") : np.searchsorted(o, key, "right")]

    def row(self, s: int, p: int, o: int) -> int | None:
        """Position of a triple among its predicate's pairs, or None where it is absent."""
        subjects, objects = self.pairs(p)
        s32, o32 = np.int32(s), np.int32(o)  # of the columns' own type, or each search would first convert the column
        low, high = np.searchsorted(subjects, s32, "left"), np.searchsorted(subjects, s32, "right")
        at = int(low + np.searchsorted(objects[low:high], o32))
        return at if at < high and objects[at] == o else None

    def contains(self, s: int, p: int, o: int) -> bool:
        """Whether the triple is there."""
        return self.row(s, p, o) is not None

    def source(self, s: int, p: int, o: int) -> int | None:
        """Number of the file the triple came from, or None where it is absent or no source was kept."""
        at = self.row(s, p, o)
        return None if at is None or p not in self._sources else int(self._sources[p][at])

    def sources(self, predicate: int) -> Ids | None:
        """Source numbers of the pairs of one predicate, in the order of `pairs`, or None where none was kept."""
        return self._sources.get(predicate)

    def match(self, s: int | None, p: int | None, o: int | None) -> Iterator[tuple[int, int, int]]:
        """The triples that fit a pattern in which None fits anything, predicate by predicate."""
        for predicate in self.predicates() if p is None else (p,):
            if s is not None and o is not None:
                if self.contains(s, predicate, o):
                    yield s, predicate, o
            elif s is not None:
                yield from ((s, predicate, int(x)) for x in self.objects(s, predicate))
            elif o is not None:
                yield from ((int(x), predicate, o) for x in self.subjects(predicate, o))
            else:
                subjects, objects = self.pairs(predicate)
                yield from ((int(x), predicate, int(y)) for x, y in zip(subjects, objects, strict=True))

    def changed(self, *, remove: NDArray[np.integer], add: NDArray[np.integer], source: int | None = None) -> Columns:
        """These triples without some and with others; the tables of other predicates are shared.

        Args:
            remove, add: ids of triples, shape (num_triples, 3) each; a triple of both is there afterwards.
            source: the source number of the triples that are added, where sources are kept.
        """
        tables, sources = dict(self._tables), dict(self._sources)
        for predicate in sorted({*remove[:, 1].tolist(), *add[:, 1].tolist()}):
            s, o = self.pairs(predicate)
            away, new = (rows[rows[:, 1] == predicate] for rows in (remove, add))
            key, fresh = pack(s, o), np.sort(pack(new[:, 0], new[:, 2]))
            keep = ~_among(key, np.sort(pack(away[:, 0], away[:, 2])))
            fresh = fresh[np.r_[True, fresh[1:] != fresh[:-1]] & ~_among(fresh, key[keep])] if len(fresh) else fresh
            both = np.concatenate([key[keep], fresh])
            order = np.argsort(both, kind="stable")
            both = both[order]
            tables[predicate] = ((both >> 32).astype(np.int32), (both & 0xFFFFFFFF).astype(np.int32))
            if predicate in sources or source is not None:
                known = self._sources.get(predicate, np.full(len(s), NO_SOURCE, dtype=np.int32))
                own = np.full(len(fresh), NO_SOURCE if source is None else source, dtype=np.int32)
                sources[predicate] = np.concatenate([known[keep], own])[order]
            if not len(both):
                del tables[predicate]
                sources.pop(predicate, None)
        return Columns(tables, sources)

    def arrays(self) -> tuple[Ids, Ids, Ids]:
        """All triples as three arrays of shape (len,), sorted by predicate, subject, object."""
        if not self._tables:
            return tuple(np.empty(0, dtype=np.int32) for _ in range(3))  # type: ignore[return-value]  # three arrays
        order = self.predicates()
        s = np.concatenate([self._tables[p][0] for p in order])
        o = np.concatenate([self._tables[p][1] for p in order])
        p = np.repeat(np.array(order, dtype=np.int32), [len(self._tables[x][0]) for x in order])
        return s, p, o
