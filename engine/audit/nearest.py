"""The known term that is most like an unknown one: what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable

from rapidfuzz import fuzz, process
from rdflib import URIRef

from kg.terms import local_name

__all__ = ["nearest"]

ALIKE = 75.0
"""Least likeness (rapidfuzz ratio of local names, 0 to 100) of a term worth naming: `Persn` and `Person` have 91."""


def nearest(term: URIRef, known: Iterable[URIRef]) -> URIRef | None:
    """The known term whose local name is most like that of a term; None where none is alike.

    Between equals, one of the term's own namespace is taken, then the first in order of IRIs.
    """
    name = local_name(term)
    space = term[: len(term) - len(name)]
    names = {other: local_name(other).lower() for other in sorted(known) if other != term}
    found = process.extract(name.lower(), names, scorer=fuzz.ratio, score_cutoff=ALIKE, limit=10)
    best = sorted(found, key=lambda item: (-item[1], not item[2].startswith(space), item[2]))
    return best[0][2] if best else None
