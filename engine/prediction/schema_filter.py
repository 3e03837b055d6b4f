"""`SchemaFilter`: which triples the axioms of a schema reject, for all candidates of a query at once.

What one end has to be is a bitmap over all terms, made once for a relation and a side; what both ends are to each other
is looked up in the known triples of the property, by column. A score has no part in it. Every rejection under
`Strictness.OPEN` is a contradiction in OWL 2 RL (domain, range, disjointness, functionality between terms known to
differ, asymmetry, irreflexivity, disjoint properties); the bulk checker finds those that take more steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from rdflib import RDF

from engine.prediction.memberships import Memberships
from engine.prediction.property_ends import Asked, Axiom, PropertyEnds, Values
from engine.prediction.rejection import Kind, Rejection, Strictness
from engine.symbolic import Closure

__all__ = ["SchemaFilter"]

Codes = NDArray[np.int32]
Ids = NDArray[np.integer]
_KEPT = 64  # bitmaps of relations that are kept, four bytes a term


class SchemaFilter:
    """Rejects triples by the axioms of a closure's schema. Candidates are term ids of its graph.

    Args:
        closure: what is known; the candidates themselves are not part of it and give nobody a type.
        strictness: whether an entity with other types than the domain or range is rejected.
        unique_names: whether terms not known to be the same differ, as to functional properties.
    """

    def __init__(
        self, closure: Closure, *, strictness: Strictness = Strictness.OPEN, unique_names: bool = False
    ) -> None:
        self.closure, self.strictness, self.unique_names = closure, strictness, unique_names
        self.memberships, self.ends = Memberships(closure.graph), PropertyEnds(closure.graph)
        self._grounds: list[tuple[Asked, Axiom | None]] = []
        self._numbers: dict[tuple[Asked, Axiom | None], int] = {}
        self._by_end: dict[tuple[int, bool], Codes] = {}

    def codes(self, fixed: Ids, relation: int, candidates: Ids, *, tails: bool) -> Codes:
        """0 where a candidate is accepted, else the number of what rejects it; shape (num_fixed, num_candidates).

        Args:
            fixed: heads, or tails where heads are sought, each of one query; shape (num_fixed,).
            candidates: term ids, ascending; shape (num_candidates,).
            tails: whether the candidates are tails.
        """
        found = np.repeat(self._end(relation, tails)[candidates][None, :], len(fixed), axis=0)
        _fill(found, np.broadcast_to(self._end(relation, not tails)[fixed][:, None], found.shape))
        for asked in self.ends.asked(relation):
            if asked.kind not in (Kind.DOMAIN, Kind.RANGE):
                self._both_ends(found, asked, fixed, candidates, tails != asked.turned)
        return found

    def accepts(self, triples: Ids) -> NDArray[np.bool_]:
        """Whether the axioms accept each triple of term ids; shape (num_triples, 3) in, (num_triples,) out."""
        accepted = np.empty(len(triples), dtype=bool)
        for at, (head, relation, tail) in enumerate(np.asarray(triples).tolist()):
            accepted[at] = self._code(head, relation, tail) == 0
        return accepted

    def fits(self, relation: int, *, tails: bool) -> NDArray[np.bool_] | None:
        """Terms known to be in every range (domain) asked of a relation, shape (num_terms,); None where none is."""
        classes = {each.other for each in self.ends.classes(relation, tails=tails)}
        wanted = [self.memberships.members(c) for c in sorted(classes) if not self.memberships.says_nothing(c)]
        return np.asarray(np.logical_and.reduce(wanted)) if wanted else None

    def end_accepted(self, relation: int, terms: Ids, *, tails: bool) -> NDArray[np.bool_]:
        """Whether each term may be a tail (head) of a relation at all; shape (num_terms,)."""
        return self._end(relation, tails)[terms] == 0

    def known(self, fixed: Ids, relation: int, *, tails: bool) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """(position in `fixed`, candidate) of the triples of the closure; shape (num_known,) each."""
        return self.ends.values(relation, by_subject=tails).of(fixed)

    def why(self, triple: tuple[int, int, int]) -> Rejection | None:
        """What rejects a triple of term ids, with the axiom and what it clashes with; None where nothing does."""
        code = self._code(*triple)
        return None if code == 0 else self.rejection(triple, code)

    def rejection(self, triple: tuple[int, int, int], code: int) -> Rejection:
        """What `codes` says of a triple, with the axiom and the triples it clashes with."""
        asked, second = self._grounds[code - 1]
        head, _, tail = triple
        subject, object = (tail, head) if asked.turned else (head, tail)
        grounds = [] if second is None else [second]
        grounds += self._clashes(asked, second, subject, object)
        kind = asked.kind
        if second is not None:
            kind = Kind.DISJOINT_DOMAIN if kind is Kind.DOMAIN else Kind.DISJOINT_RANGE
        graph = self.closure.graph
        because = tuple(graph.decode(*ids) for ids in grounds)
        return Rejection(graph.decode(*triple), kind, graph.decode(*asked.axiom), because, graph)

    def _code(self, head: int, relation: int, tail: int) -> int:
        return int(self.codes(np.array([head]), relation, np.array([tail]), tails=True)[0, 0])

    # One end --------------------------------------------------------------------------------------------------------

    def _end(self, relation: int, tails: bool) -> Codes:
        """The codes of all terms as tails (heads) of a relation; shape (num_terms,)."""
        at = relation, tails
        if at not in self._by_end:
            self._by_end[at] = self._end_codes(relation, tails)
            for old in list(islice(self._by_end, max(0, len(self._by_end) - _KEPT))):
                del self._by_end[old]
        return self._by_end[at]

    def _end_codes(self, relation: int, tails: bool) -> Codes:
        members = self.memberships
        found = np.zeros(members.size, dtype=np.int32)
        for asked in self.ends.classes(relation, tails=tails):
            for rival in members.rivals(asked.other):
                found[(found == 0) & members.members(rival.other)] = self._number(asked, rival.axiom)
            if self.strictness is Strictness.TYPED and not members.says_nothing(asked.other):
                outside = members.typed & ~members.members(asked.other)
                found[(found == 0) & outside] = self._number(asked)
        return found

    def _number(self, asked: Asked, second: Axiom | None = None) -> int:
        """The code of what is asked, and of the axiom of disjointness by which it is not met."""
        ground = asked, second
        if ground not in self._numbers:
            self._grounds.append(ground)
            self._numbers[ground] = len(self._grounds)
        return self._numbers[ground]

    # Both ends ------------------------------------------------------------------------------------------------------

    def _both_ends(self, found: Codes, asked: Asked, fixed: Ids, candidates: Ids, fixed_is_subject: bool) -> None:
        """Reject candidates for what they are to the fixed ends, written into `found`."""
        code = self._number(asked)
        if asked.kind in (Kind.FUNCTIONAL, Kind.INVERSE_FUNCTIONAL):
            by_subject = asked.kind is Kind.FUNCTIONAL
            values = self.ends.values(asked.property, by_subject=by_subject)
            one = self._second_value if by_subject == fixed_is_subject else self._other_key
            one(found, code, fixed, candidates, values)
            return
        if asked.kind in (Kind.ASYMMETRIC, Kind.IRREFLEXIVE):
            _scatter(found, code, np.arange(len(fixed)), fixed, candidates)
        if asked.kind is not Kind.IRREFLEXIVE:
            reverse = asked.kind is Kind.ASYMMETRIC
            property = asked.property if reverse else asked.other
            values = self.ends.values(property, by_subject=fixed_is_subject != reverse)
            _scatter(found, code, *values.of(fixed), candidates)

    def _second_value(self, found: Codes, code: int, fixed: Ids, candidates: Ids, values: Values) -> None:
        """The fixed ends have values: reject the candidates that differ from one of them."""
        if self.unique_names or self.memberships.tells_apart:
            for position, value in zip(*values.of(fixed), strict=True):
                differs = self._differs(int(value))[candidates]
                found[position, (found[position] == 0) & differs] = code

    def _other_key(self, found: Codes, code: int, fixed: Ids, candidates: Ids, values: Values) -> None:
        """The candidates have values: reject those with one that differs from the fixed end."""
        if self.unique_names or self.memberships.tells_apart:
            for position, end in enumerate(fixed.tolist()):
                keys = values.keys[self._differs(end)[values.values]]
                _scatter(found, code, np.full(len(keys), position), keys, candidates)

    def _differs(self, term: int) -> NDArray[np.bool_]:
        """The terms that are not the same as a term, as far as is known or assumed."""
        if self.unique_names:
            return ~self.memberships.same(term)
        return self.memberships.different(term)

    def _clashes(self, asked: Asked, second: Axiom | None, subject: int, object: int) -> Iterable[Axiom]:
        """The known triples that a rejected one clashes with; subject and object are those of the axiom's property."""
        if asked.kind in (Kind.DOMAIN, Kind.RANGE):
            end = subject if asked.kind is Kind.DOMAIN else object
            rivals = [r.other for r in self.memberships.rivals(asked.other) if r.axiom == second]
            return self._types_in(end, rivals) if second is not None else self._narrowest_type(end)
        p = asked.property
        if asked.kind is Kind.FUNCTIONAL:
            known = self.ends.values(p, by_subject=True).of(np.array([subject]))[1]
            return [(subject, p, int(value)) for value in known if self._differs(object)[value]][:1]
        if asked.kind is Kind.INVERSE_FUNCTIONAL:
            known = self.ends.values(p, by_subject=False).of(np.array([object]))[1]
            return [(int(key), p, object) for key in known if self._differs(subject)[key]][:1]
        if asked.kind is Kind.ASYMMETRIC:
            return [] if subject == object else [(object, p, subject)]
        return [(subject, asked.other, object)] if asked.kind is Kind.DISJOINT_PROPERTY else []

    def _types_in(self, term: int, classes: Iterable[int]) -> list[Axiom]:
        """One type of a term by which it is in one of some classes."""
        type_id = self.closure.graph.dictionary.id(RDF.type)
        below = [self.memberships.below(cls) for cls in classes]
        types = self.memberships.types(term).tolist()
        return [(term, type_id, cls) for cls in types if any(cls in each for each in below)][:1]

    def _narrowest_type(self, term: int) -> list[Axiom]:
        """The type of a term that has the fewest subclasses."""
        type_id = self.closure.graph.dictionary.id(RDF.type)
        types = [c for c in self.memberships.types(term).tolist() if not self.memberships.says_nothing(c)]
        types.sort(key=lambda cls: len(self.memberships.below(cls)))
        return [(term, type_id, cls) for cls in types[:1]]


def _fill(found: Codes, others: Codes) -> None:
    """Write codes where there is none."""
    np.copyto(found, others, where=(found == 0) & (others != 0))


def _scatter(found: Codes, code: int, positions: Ids, terms: Ids, candidates: Ids) -> None:
    """Write a code at (position, candidate) where the candidate is a term and has no code."""
    if not len(candidates) or not len(terms):
        return
    column = np.minimum(np.searchsorted(candidates, terms), len(candidates) - 1)
    there = candidates[column] == terms
    rows, columns = positions[there], column[there]
    free = found[rows, columns] == 0
    found[rows[free], columns[free]] = code
