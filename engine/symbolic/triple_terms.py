"""Triple terms with variables inside: matched against the triple terms of the graph, or made by a head.

A triple term is a term of the dictionary like any other. In a compiled rule each one that has variables is replaced by
a variable of its own, and a `TripleMatch` says that this variable's value is the triple term of the given parts. A
match works in both directions: it binds parts from a term, and a term from its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdflib import Variable
from rdflib.term import Node

from engine.symbolic.rules import Call, Constant, Filter, VariableRef
from kg.dictionary import BLANK, IRI, Dictionary
from kg.terms import TripleTerm
from kg.triple_keys import triple_key

__all__ = ["TripleMatch", "put_in_term"]

Array = NDArray[np.int64]
Columns = dict[Variable, Array]
Part = int | Variable


def put_in_term(term: Node, put: Callable[[Node], Node]) -> Node:
    """A term with `put` applied to it or, for a triple term, to each part at any depth."""
    if isinstance(term, TripleTerm):
        return TripleTerm(*(put_in_term(part, put) for part in term.parts))
    return put(term)


@dataclass(frozen=True, slots=True)
class TripleMatch(Filter):
    """The condition that `term` is the triple term of `parts` (ids or variables); it binds what is not bound yet."""

    term: Variable
    parts: tuple[Part, Part, Part]

    @classmethod
    def of(cls, term: Variable, parts: tuple[Part, Part, Part], named: tuple[Node, Node, Node]) -> TripleMatch:
        """The match with its expression, for which `named` are the parts as terms."""
        return cls(Call("sameTerm", (VariableRef(term), Constant(TripleTerm(*named)))), term, parts)

    def ready(self, columns: Mapping[Variable, Array]) -> bool:
        """Whether the term has a value, or all its parts have."""
        unbound = (part for part in self.parts if isinstance(part, Variable) and part not in columns)
        return self.term in columns or next(unbound, None) is None

    def apply(self, columns: Mapping[Variable, Array], size: int, dictionary: Dictionary) -> tuple[Columns, Array]:
        """The columns with this term and its parts bound, and the rows that match; both of shape (num_rows,)."""
        found = dict(columns)
        if self.term not in columns:
            # interned even where it is new: an inner term may have no id yet, though an outer one that holds it has
            found[self.term] = self.make(found, size, dictionary)
            return found, np.flatnonzero(found[self.term] >= 0)
        values = dictionary.parts(found[self.term])
        keep = values[:, 0] >= 0
        for at, part in enumerate(self.parts):
            if isinstance(part, Variable) and part not in found:
                found[part] = values[:, at]
            else:
                keep &= values[:, at] == (found[part] if isinstance(part, Variable) else part)
        return found, np.flatnonzero(keep)

    def make(self, columns: Mapping[Variable, Array], size: int, dictionary: Dictionary) -> Array:
        """The triple term of each row, new ones interned; -1 where RDF has none (its subject is a literal, say)."""
        parts = [columns[p] if isinstance(p, Variable) else np.full(size, p, dtype=np.int64) for p in self.parts]
        known: dict[tuple[int, ...], int] = {}
        for row in set(zip(*(part.tolist() for part in parts), strict=True)):
            known[row] = _term_of(row, dictionary)
        rows = zip(*(part.tolist() for part in parts), strict=True)
        return np.array([known[row] for row in rows], dtype=np.int64)


def _term_of(parts: tuple[int, ...], dictionary: Dictionary) -> int:
    """The id of the triple term of these parts, -1 where there is none."""
    if min(parts) < 0:
        return -1
    subject, predicate, object = parts
    if dictionary.kind(subject) not in (IRI, BLANK) or dictionary.kind(predicate) != IRI:
        return -1
    return dictionary.intern_key(triple_key(dictionary.key(subject), dictionary.key(predicate), dictionary.key(object)))
