"""Files to a `KnowledgeGraph`: every W3C syntax, all or nothing.

The text is parsed by pyoxigraph in a worker process with limits (`kg.parse_worker`); here the worker's keys and integer
triples become the dictionary and the columns.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kg.columns import Columns
from kg.dictionary import Dictionary
from kg.errors import (
    ConfigError,
    EmptyGraphError,
    InputError,
    LimitError,
    MissingFileError,
    NoesisError,
    NotSupportedError,
    SyntaxInputError,
    place,
)
from kg.formats import format_of, is_gzip
from kg.frames import read_json, unpack_keys
from kg.graph import KnowledgeGraph
from kg.worker import Worker

__all__ = ["LoadLimits", "load_graph", "missing_file"]

_LOG = logging.getLogger(__name__)

# What to do about a message of the parser, by the first pattern found in it.
_REMEDIES = (
    (r"has not been declared|Unknown prefix", "declare the prefix at the top of the file"),
    (
        r"No scheme found",
        "write the IRI in full, or declare a base (`@base`, `xml:base` or the argument `base`)",
    ),
    (r"Invalid IRI", "percent-encode the character in the IRI"),
    (r"Max stack size", "flatten the nesting"),
    (r"UTF-8", "save the file as UTF-8"),
    (r"dot is expected|must be followed by a dot|single triple", "end the statement before with a dot"),
    (r"Unexpected end|not closed|EOF", "the file is cut off, or a quote or bracket is not closed; complete it"),
    (r"escape|code point|unicode", "write the character itself or a valid escape"),
    (r"language|subtag", "use a language tag such as en or en-gb"),
    (r"XML namespaces are required", "this is no RDF/XML; check what was saved, or name the right format"),
)
_REMEDY = "correct it there, or name the right format if the suffix misleads"


@dataclass(frozen=True)
class LoadLimits:
    """What loading may cost before it is given up; the defaults fit a laptop and graphs up to some 10⁷ triples."""

    seconds: float = 600.0
    """Wall clock for all files, in seconds."""
    memory_bytes: int = 4 << 30
    """Address space of the worker process, in bytes."""
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
    job = {
        "files": jobs,
        "unpacked_bytes": limits.unpacked_bytes,
        "gzip_ratio": limits.gzip_ratio,
        "triples": limits.triples,
    }
    worker = Worker("kg.parse_worker", job, memory_bytes=limits.memory_bytes)
    try:
        worker.allow(limits.seconds)
        dictionary, columns, found = _receive(worker, names, progress)
    finally:
        worker.close()
    if not len(columns):
        raise EmptyGraphError(f"Expected at least one triple (got none in {', '.join(names)}); check what was saved")
    _LOG.info("loaded %d triples from %d files in %.2f s", len(columns), len(names), time.perf_counter() - started)
    return KnowledgeGraph(dictionary, columns, prefixes={**found, **(prefixes or {})}, sources=names)


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
    return {"path": str(path.absolute()), "format": found, "packed": is_gzip(path), "base": base}


def missing_file(path: Path) -> MissingFileError:
    """The error for a path that is not there, with the nearest name beside it."""
    parent = path.parent
    if not parent.is_dir():
        return MissingFileError(f"Expected a file in an existing folder (got no folder {parent})", file=str(path))
    near = difflib.get_close_matches(path.name, sorted(entry.name for entry in parent.iterdir()), n=1, cutoff=0.5)
    hint = f"; the nearest there: {parent / near[0]}" if near else ""
    return MissingFileError(f"Expected an existing file (got none of this name){hint}", file=str(path))


def _receive(
    worker: Worker, names: Sequence[str], progress: Callable[[int, int], None] | None
) -> tuple[Dictionary, Columns, dict[str, str]]:
    """Everything the worker sends, up to its last frame."""
    dictionary = Dictionary()
    ids, sources = array("i"), array("i")  # sources: file number and number of triples, in turn
    prefixes: dict[str, str] = {}
    sizes = [os.path.getsize(name) for name in names]
    current, kind = 0, b""
    while kind != b"D":
        kind, payload = worker.receive(file=names[current])
        if kind == b"K":
            for key in unpack_keys(payload):
                dictionary.intern_key(key)
        elif kind == b"T":
            ids.frombytes(payload)
            sources.extend((current, len(payload) // (3 * ids.itemsize)))
        elif kind == b"F":
            current = read_json(payload)
        elif kind == b"P" and progress is not None:
            progress(min(sum(sizes[:current]) + read_json(payload), sum(sizes)), sum(sizes))
        elif kind == b"N":
            for prefix, namespace in read_json(payload).items():
                prefixes.setdefault(prefix, namespace)
        elif kind == b"E":
            raise _error(*read_json(payload), file=names[current])
    if progress is not None:
        progress(sum(sizes), sum(sizes))
    triples = np.frombuffer(ids, dtype=np.int32).reshape(-1, 3)
    numbers, counts = np.frombuffer(sources, dtype=np.int32).reshape(-1, 2).T
    s, p, o = triples.T
    return dictionary, Columns.from_arrays(s, p, o, np.repeat(numbers, counts)), prefixes


def _error(kind: str, reason: str, line: int | None, column: int | None, *, file: str) -> NoesisError:
    """The typed error for a refusal of the worker."""
    if kind == "unsupported":
        return NotSupportedError(f"{place(file, line, column)}: {reason}")
    if kind == "syntax" and not reason.startswith("Expected"):
        remedy = next((text for pattern, text in _REMEDIES if re.search(pattern, reason)), _REMEDY)
        return SyntaxInputError(f"{reason}; {remedy}", file=file, line=line, column=column)
    error = {"syntax": SyntaxInputError, "limit": LimitError}.get(kind, InputError)
    return error(reason, file=file, line=line, column=column)
