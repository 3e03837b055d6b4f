"""Terms that are the same: kept under one name by union-find while rules run, written out under all names at the end.

The rules eq-sym, eq-trans, eq-rep-s and eq-rep-o say together that what holds of a thing holds under each of its
names. For n names of the subject and m of the object a triple stands n · m times, which joins would find one by one,
many times over. The sameAs triples that joined two sets of names form a forest; a path in it proves that two terms are
the same.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.symbolic.rules import Rule, RuleSet

__all__ = ["Names", "equality_rules"]

Array = NDArray[Any]
_RULES = ("eq-sym", "eq-trans", "eq-rep-s", "eq-rep-o")


def equality_rules(ruleset: RuleSet) -> dict[Rule, str]:
    """The rules of a rule set that names stand for, by their W3C id; empty unless all four are there."""
    from engine.symbolic.rulesets import builtin_rules

    builtin = {rule.name: rule for rule in builtin_rules("owl2rl").rules}
    wanted = {builtin[name]: name for name in _RULES}
    return wanted if set(wanted) <= set(ruleset.rules) else {}


class Names:
    """The name each term goes by.

    Args:
        num_ids: of terms. same: the predicate owl:sameAs. kinds: of each term.

    Attributes:
        name: the name of each term; shape (num_ids,). Always a term of the same set.
        edges: (subject, object) of the sameAs rows that joined two sets, in order.
        with_literal: whether a literal is in a set of more than one.
    """

    RULES: ClassVar[tuple[str, str, str]] = ("eq-trans", "eq-rep-s", "eq-rep-o")

    def __init__(self, num_ids: int, same: int, kinds: Array) -> None:
        self.same, self.kinds = same, kinds
        self.name = np.arange(num_ids, dtype=np.int32)
        self.edges: list[tuple[int, int]] = []
        self.with_literal = False
        self._seen = 0

    def join(self, arena: Any, n: int) -> bool:
        """Read the sameAs rows that were not read yet; whether a term has another name now."""
        from engine.symbolic.kernels_saturate import join_names

        rows = self._seen + np.flatnonzero(arena.p[self._seen : n] == self.same)
        self._seen = n
        if not len(rows):
            return False
        s, o = arena.s[rows], arena.o[rows]
        joined = join_names(self.name, self.kinds, s, o)
        if not joined.any():
            return False
        self.edges += zip(s[joined].tolist(), o[joined].tolist(), strict=True)
        self.with_literal |= bool((self.kinds[o[joined]] == 2).any() or (self.kinds[s[joined]] == 2).any())
        return True

    def members(self, term: int) -> list[int]:
        """All names of a term."""
        return np.flatnonzero(self.name == self.name[term]).tolist()

    @property
    def merged(self) -> Array:
        """The terms that have another name, ascending."""
        moved = np.flatnonzero(self.name != np.arange(len(self.name)))
        both = np.sort(np.concatenate([moved, self.name[moved].astype(np.int64)]))
        return both[np.r_[True, both[1:] != both[:-1]]] if len(both) else both

    def expand(self, arena: Any, n: int, made_up: int, given: int) -> tuple[Array, Array]:
        """The inferred triples under all names, shape (3, num_inferred), and what gave each.

        The rows before `made_up` are left out, and those before `given` were asserted. What gave a triple is a rule
        number, or -1 - i for the i-th of `RULES`.
        """
        from engine.symbolic.kernels_saturate import count_names, write_names

        if not self.edges:
            return np.stack([c[given:n] for c in arena[:3]]), arena.rule[given:n]
        order = np.argsort(self.name, kind="stable").astype(np.int32)
        counts = np.bincount(self.name, minlength=len(self.name))
        starts = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=starts[1:])
        total = count_names(arena, n, starts, made_up)
        found: tuple[Array, Array] = write_names(arena, n, starts, order, made_up, given, self.same, total)
        return found
