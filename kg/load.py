"""Files to a `KnowledgeGraph`: every W3C syntax, all or nothing.

The files are read by `kg.intake`; here they are looked at before, and become a graph once all are read.
"""

from __future__ import annotations

import difflib
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kg.errors import ConfigError, EmptyGraphError, InputError, MissingFileError
from kg.formats import format_of, is_gzip
from kg.graph import KnowledgeGraph
from kg.intake import Intake

__all__ = ["LoadLimits", "load_graph", "missing_file"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadLimits:
    """What loading may cost before it is given up; the defaults fit a laptop and graphs up to some 10⁷ triples."""

    seconds: float = 600.0
    """Wall clock for all files, in seconds."""
    memory_bytes: int = 4 << 30
    """Address space of the worker process, and about what the terms and triples of N-Triples take here, in bytes."""
    unpacked_bytes: int = 16 << 30
    """Text of one file after unpacking, in bytes."""
    gzip_ratio: float = 200.0
    """Unpacked over packed size of one file; real RDF stays below 60."""
    triples: int = 200_000_000
    """Triples of all files, duplicates counted."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ConfigError(f"Expected {name} in LoadLimits above 0 (got {value!r})")


def load_graph(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    format: str | None = None,
    prefixes: Mapping[str, str] | None = None,
    base: str | None = None,
    limits: LoadLimits | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> KnowledgeGraph:
    """The graph of all triples in the files, asserted; triples of named graphs are merged.

    Syntaxes by suffix, each also with `.gz`: Turtle `.ttl`, N-Triples `.nt`, N-Quads `.nq`, TriG `.trig`, RDF/XML
    `.rdf` `.owl` `.xml`, JSON-LD `.jsonld` `.json`. Nothing is fetched and no other file is read. Blank nodes are
    local to a file.

    Args:
        files: one path or several; `KnowledgeGraph.sources` keeps them as given.
        format: the syntax of all files (`turtle`, `ntriples`, …) where suffixes mislead.
        prefixes: prefixes to add to those the files declare; they win.
        base: the IRI against which relative IRIs are resolved; without it they are an error.
        limits: time, memory and size allowed.
        progress: called with (bytes read, bytes in all) of the files on disk.

    Raises:
        MissingFileError: a file is not there; the message has the nearest name that is.
        SyntaxInputError: the text breaks its grammar; file, line, column, text and remedy are in the message.
        NotSupportedError: RDF 1.2 base directions, remote JSON-LD contexts, external XML entities.
        LimitError: a limit was passed, or the parser crashed on the input.
        EmptyGraphError: no triple in any file.
        InputError: no file, a folder, or an unknown format.
    """
    limits = limits or LoadLimits()
    names = [os.fspath(files)] if isinstance(files, (str, os.PathLike)) else [os.fspath(file) for file in files]
    jobs = [_file_job(name, format, base) for name in names]
    if not jobs:
        raise InputError("Expected at least one file (got none)")
    started = time.perf_counter()
    intake = Intake(names, limits, progress)
    try:
        for number, job in enumerate(jobs):
            intake.read(number, job)
    finally:
        intake.close()
    columns = intake.columns()
    if not len(columns):
        raise EmptyGraphError(f"Expected at least one triple (got none in {', '.join(names)}); check what was saved")
    _LOG.info("loaded %d triples from %d files in %.2f s", len(columns), len(names), time.perf_counter() - started)
    return KnowledgeGraph(intake.dictionary, columns, prefixes={**intake.prefixes, **(prefixes or {})}, sources=names)


def _file_job(name: str, format: str | None, base: str | None) -> dict[str, object]:
    path = Path(name)
    try:
        found = format_of(path, format)
    except ValueError as error:
        raise InputError(str(error), file=name) from None
    if not path.exists():
        raise missing_file(path)
    if not path.is_file():
        raise InputError(
            f"Expected a file (got {'a folder' if path.is_dir() else 'something else'}); name its files", file=name
        )
    if not os.access(path, os.R_OK):
        raise InputError("Expected a file that may be read (got no permission)", file=name)
    return {"source": str(path.absolute()), "format": found, "packed": is_gzip(path), "base": base}


def missing_file(path: Path) -> MissingFileError:
    """The error for a path that is not there, with the nearest name beside it."""
    parent = path.parent
    if not parent.is_dir():
        return MissingFileError(f"Expected a file in an existing folder (got no folder {parent})", file=str(path))
    near = difflib.get_close_matches(path.name, sorted(entry.name for entry in parent.iterdir()), n=1, cutoff=0.5)
    hint = f"; the nearest there: {parent / near[0]}" if near else ""
    return MissingFileError(f"Expected an existing file (got none of this name){hint}", file=str(path))
