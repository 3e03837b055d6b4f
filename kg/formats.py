"""RDF syntaxes by file suffix and by name. Only the standard library is imported; a worker uses it too."""

from __future__ import annotations

import difflib
from pathlib import PurePath

__all__ = ["SUFFIXES", "format_of", "is_gzip", "is_rdf"]

SUFFIXES = {
    ".ttl": "turtle",
    ".nt": "ntriples",
    ".nq": "nquads",
    ".trig": "trig",
    ".rdf": "rdfxml",
    ".owl": "rdfxml",
    ".xml": "rdfxml",
    ".jsonld": "jsonld",
    ".json": "jsonld",
}
_NAMES = {
    **{suffix[1:]: name for suffix, name in SUFFIXES.items()},
    **{name: name for name in SUFFIXES.values()},
    "n-triples": "ntriples",
    "n-quads": "nquads",
    "rdf/xml": "rdfxml",
    "json-ld": "jsonld",
}


def is_gzip(path: PurePath) -> bool:
    """Whether the name says that the file is packed with gzip."""
    return path.suffix.lower() == ".gz"


def format_of(path: PurePath, format: str | None = None) -> str:
    """The syntax of a file: turtle, ntriples, nquads, trig, rdfxml or jsonld; by name where given, else by suffix.

    Raises:
        ValueError: neither the name nor the suffix is known; the message says what is.
    """
    if format is not None:
        found = _NAMES.get(format.lower())
        if found is None:
            known = ", ".join(sorted(set(SUFFIXES.values())))
            near = difflib.get_close_matches(format.lower(), _NAMES, n=1, cutoff=0.5)
            hint = f"; the nearest known: {near[0]}" if near else ""
            raise ValueError(f"Expected a format among {known} (got {format!r}){hint}")
        return found
    suffix = _suffix(path)
    if suffix not in SUFFIXES:
        raise ValueError(
            f"Expected a suffix among {', '.join(SUFFIXES)}, each optionally with .gz (got {suffix or 'none'!r}); "
            "rename the file or name its format"
        )
    return SUFFIXES[suffix]


def is_rdf(path: PurePath) -> bool:
    """Whether the suffix is that of an RDF syntax."""
    return _suffix(path) in SUFFIXES


def _suffix(path: PurePath) -> str:
    """The suffix in small letters, without that of gzip."""
    return PurePath(path.stem if is_gzip(path) else path.name).suffix.lower()
