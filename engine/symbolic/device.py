"""The joins of plain rules on a torch device: the same applications as on the CPU, rule by rule and step by step.

A device holds a copy of each relation that a plain rule reads or adds to, and is sent only the rows it has not got.
What one application gives comes back as rows of one rule and one step, so proofs are made as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.symbolic.fused import FusedRule, Target
from engine.symbolic.join import Slice
from engine.symbolic.kernels_torch import device_named, expansions, is_in, missing, packed, reach
from engine.symbolic.relation import Key, Relation

__all__ = ["Device"]

Table = dict[int, Tensor]
"""Substitutions: the values of each register that is a variable."""


class _Copy:
    """The rows of a relation on the device; its rows are only ever appended."""

    def __init__(self, device: torch.device) -> None:
        self.s = self.o = self.keys = torch.empty(0, dtype=torch.int64, device=device)
        self._keyed = 0

    def extend(self, relation: Relation) -> None:
        start = len(self.s)
        if start < relation.size:
            s, o = (torch.from_numpy(column[start:].astype(np.int64)) for column in (relation.s, relation.o))
            self.s = torch.cat([self.s, s.to(self.s.device)])
            self.o = torch.cat([self.o, o.to(self.o.device)])

    def pairs(self) -> Tensor:
        """All rows as packed pairs, ascending."""
        if self._keyed < len(self.s):
            new = packed(self.s[self._keyed :], self.o[self._keyed :])
            self.keys = torch.sort(torch.cat([self.keys, new])).values
            self._keyed = len(self.s)
        return self.keys


class Device:
    """A torch device by name, and what it holds.

    Raises:
        ConfigError: it is not there.
    """

    def __init__(self, name: str) -> None:
        self.device = device_named(name)
        self._copies: WeakKeyDictionary[Relation, _Copy] = WeakKeyDictionary()
        self._literals = torch.empty(0, dtype=torch.bool, device=self.device)

    def copy_of(self, relation: Relation) -> _Copy:
        """The relation's rows on the device, brought up to date."""
        found = self._copies.setdefault(relation, _Copy(self.device))
        found.extend(relation)
        return found

    def run(self, rule: FusedRule, slices: Sequence[Slice], first: int | None, target: Target) -> list[Key]:
        """Join the slices, beginning with an atom, and insert what follows; the relations that grew.

        Raises:
            MemoryError: an atom has more rows than the target's limit. What was inserted until then stays.
        """
        tables = [self._table(rule, atom, piece) for atom, piece in enumerate(slices)]
        if any(table is None for table in tables):
            return []
        body = _Body([table for table in tables if table], target.limit)
        order = body.order(
            next((i for i, t in enumerate(body.tables) if first is not None and t is tables[first]), None)
        )
        grown: dict[Key, None] = {}
        for table in body.matches(order):
            for key, heads in rule.heads:
                if self._insert(rule, table, key, heads, target):
                    grown[key] = None
            target.pause()
        return list(grown)

    def reach(
        self, relation: Relation, limit: int, target: Target
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """The rows that make a relation transitive, in order; None where they are more than `limit`."""
        found = reach(self.copy_of(relation).pairs(), limit, target.pause)
        return None if found is None else _columns(found)

    def _table(self, rule: FusedRule, atom: int, piece: Slice) -> Table | None:
        """The variables' values in an atom's slice, constants and repeated variables met; None where there is no row.

        An atom without variables that has a row is an empty table.
        """
        own = self.copy_of(piece.relation)
        s, o = own.s[piece.lo : piece.hi], own.o[piece.lo : piece.hi]
        one, other = rule.atoms[atom]
        kept = torch.ones(len(s), dtype=torch.bool, device=self.device)
        if one < rule.constants:
            kept &= s == int(rule.registers[one])
        if other < rule.constants:
            kept &= o == int(rule.registers[other])
        if one == other:
            kept &= s == o
        if not bool(kept.any()):
            return None
        values = {one: s, other: o}
        return {register: column[kept] for register, column in values.items() if register >= rule.constants}

    def _insert(self, rule: FusedRule, table: Table, key: Key, heads: NDArray[np.int64], target: Target) -> int:
        size = len(next(iter(table.values()))) if table else 1
        parts = []
        for one, other, check in heads.tolist():
            s, o = (self._value(rule, table, register, size) for register in (one, other))
            pairs = packed(s, o)
            if check:
                pairs = pairs[~self._literal(target.literal())[s]]
            parts.append(pairs)
        relation = target.store.writable(key)
        new = missing(torch.cat(parts), self.copy_of(relation).pairs())
        if not len(new):
            return 0
        added = relation.append(*_columns(new), rule=target.rule, step=target.step)
        target.store.grew(key, relation, added)
        return added

    def _literal(self, literal: NDArray[np.bool_]) -> Tensor:
        """Whether each term is a literal; terms are only ever added, and a term stays what it is."""
        if len(self._literals) != len(literal):
            self._literals = torch.from_numpy(literal).to(self.device)
        return self._literals

    def _value(self, rule: FusedRule, table: Table, register: int, size: int) -> Tensor:
        if register in table:
            return table[register]
        return torch.full((size,), int(rule.registers[register]), dtype=torch.int64, device=self.device)


@dataclass
class _Body:
    """The atoms of a body that have variables, and how many rows each has given; `limit` bounds those of each."""

    tables: list[Table]
    limit: int | None
    _sorted: dict[tuple[int, int], tuple[Tensor, Tensor]] = field(default_factory=dict)
    _given: dict[int, int] = field(default_factory=dict)

    def order(self, first: int | None) -> list[int]:
        """The atoms in the order of the join: those that bind nothing new first, then the smallest that meet it."""
        waiting, order, bound = list(range(len(self.tables))), list[int](), set[int]()
        while waiting:
            met = [i for i in waiting if bound & set(self.tables[i])] or waiting
            chosen = min(met, key=lambda i: (not set(self.tables[i]) <= bound, self._size(i)))
            if first is not None and not order:
                chosen = first
            waiting.remove(chosen)
            order.append(chosen)
            bound.update(self.tables[chosen])
        return order

    def matches(self, order: list[int]) -> Iterator[Table]:
        """The substitutions, piece by piece; one of no variables where no atom has any."""
        if not order:
            yield {}
            return
        self._count(order[0], self._size(order[0]))
        yield from self._extend(self.tables[order[0]], order[1:])

    def _extend(self, table: Table, order: list[int]) -> Iterator[Table]:
        if not order or not len(next(iter(table.values()))):
            yield table
            return
        atom, *rest = order
        own = self.tables[atom]
        shared = [register for register in own if register in table]
        if len(shared) == len(own):
            keys, known = (_key([part[register] for register in shared]) for part in (table, own))
            kept = is_in(keys, torch.sort(known).values)
            self._count(atom, int(kept.sum()))
            yield from self._extend({register: column[kept] for register, column in table.items()}, rest)
            return
        (register,) = shared
        ordered, places = self._by(atom, register)
        (new,) = set(own) - set(shared)
        for positions, at in expansions(table[register], ordered, lambda total: self._count(atom, total)):
            wider = {each: column[positions] for each, column in table.items()}
            yield from self._extend({**wider, new: own[new][places[at]]}, rest)

    def _by(self, atom: int, register: int) -> tuple[Tensor, Tensor]:
        """The values of an atom's column ascending, and where each is."""
        if (atom, register) not in self._sorted:
            ordered = torch.sort(self.tables[atom][register], stable=True)
            self._sorted[atom, register] = (ordered.values, ordered.indices)
        return self._sorted[atom, register]

    def _size(self, atom: int) -> int:
        return len(next(iter(self.tables[atom].values())))

    def _count(self, atom: int, rows: int) -> None:
        self._given[atom] = self._given.get(atom, 0) + rows
        if self.limit is not None and self._given[atom] > self.limit:
            raise MemoryError(f"a join gives more than {self.limit} substitutions")


def _key(columns: list[Tensor]) -> Tensor:
    return columns[0] if len(columns) == 1 else packed(*columns)


def _columns(keys: Tensor) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    host = keys.cpu().numpy()
    return host >> 32, host & 0xFFFFFFFF
