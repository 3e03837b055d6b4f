"""Triples of a report in words, RDF lists as a whole instead of cell by cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["list_members", "told_triples"]

_CELLS = ("rdf:first", "rdf:rest")


def told_triples(triples: Sequence[Mapping[str, Any]]) -> list[tuple[str, str | None]]:
    """Sentence and file of each triple that is no cell of a list; a list that is an object is told by its members."""
    first = {t["subject"]["text"]: t["object"]["label"] for t in triples if t["predicate"]["text"] == _CELLS[0]}
    rest = {t["subject"]["text"]: t["object"]["text"] for t in triples if t["predicate"]["text"] == _CELLS[1]}
    found = []
    for triple in triples:
        if triple["predicate"]["text"] in _CELLS:
            continue
        text, members = triple["text"], list_members(triple["object"]["text"], first, rest)
        if members:
            text = text.replace(triple["object"]["label"], f"({', '.join(members)})")
        found.append((text, triple["file"]))
    return found or [(triple["text"], triple["file"]) for triple in triples]


def list_members(cell: str, first: Mapping[str, str], rest: Mapping[str, str]) -> list[str]:
    """The members of the list that begins at a cell; none where that is no cell. A list in a circle ends."""
    found: list[str] = []
    while cell in first and len(found) < len(first):
        found.append(first[cell])
        cell = rest.get(cell, "")
    return found
