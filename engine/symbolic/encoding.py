"""Claims as rows of ids, column by column, and what keeps a claim from being a triple."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from rdflib import BNode, Literal, URIRef
from rdflib.term import Node

from engine.symbolic.overlay import Overlay
from kg.terms import Triple, TripleTerm, fault, term_key

__all__ = ["Terms", "distinct_rows", "encode", "faults_of"]

Array = NDArray[np.int64]
Terms = Sequence[Sequence[Node]]
"""The subjects, predicates and objects of claims."""


def encode(columns: Terms, dictionary: Overlay) -> Array:
    """The ids of terms, shape (num_claims, 3); a literal that is new as an object gets one, other new terms -1."""
    ids = np.stack([dictionary.find_keys(_keys(column)) for column in columns], axis=1)
    for at in np.flatnonzero(ids[:, 2] < 0).tolist():
        if isinstance(columns[2][at], Literal):
            ids[at, 2] = dictionary.intern(columns[2][at])
    return ids


def distinct_rows(rows: Array) -> tuple[Array, Array]:
    """The distinct rows in order, and for each row the number of its equal."""
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    number = np.empty(len(rows), dtype=np.int64)
    number[order] = np.cumsum(new) - 1
    return ordered[new], number


def _keys(terms: Sequence[Node]) -> list[str]:
    """The key of each term; empty for what is no RDF term."""
    if set(map(type, terms)) == {URIRef}:
        return ["".join(("<", term, ">")) for term in cast(Sequence[URIRef], terms)]
    return [term_key(term) if isinstance(term, (URIRef, BNode, Literal, TripleTerm)) else "" for term in terms]


_USUAL: tuple[set[type], ...] = ({URIRef, BNode}, {URIRef}, {URIRef, BNode, Literal})
"""The types of the terms of triples that need no further look."""


def faults_of(claims: Sequence[Triple], columns: Terms) -> dict[int, str]:
    """What keeps claims from being RDF triples, in words, by position."""
    if all(set(map(type, column)) <= usual for column, usual in zip(columns, _USUAL, strict=True)):
        return {}
    return {at: wrong for at, claim in enumerate(claims) if (wrong := fault(claim))}
