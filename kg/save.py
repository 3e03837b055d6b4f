"""A `KnowledgeGraph` to a file: whole or not at all.

The text is written beside the target, forced to disk and renamed over it, so a crash leaves the old file or the new.
"""

from __future__ import annotations

import gzip
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np
import pyoxigraph as ox

from kg.errors import InputError, MissingFileError
from kg.formats import format_of, is_gzip
from kg.graph import KnowledgeGraph
from kg.parse_worker import FORMATS
from kg.query_worker import term_of

__all__ = ["save_graph"]


def save_graph(
    graph: KnowledgeGraph, path: str | os.PathLike[str], *, format: str | None = None, inferred: bool = True
) -> None:
    """Writes the triples of a graph, sorted by subject, in the syntax of the file's suffix; `.gz` packs it.

    The same graph gives the same bytes. Blank node labels are kept, but a reader gives its own.

    Args:
        graph: what to write.
        path: the file to make or replace; its folder exists.
        format: the syntax (`turtle`, `ntriples`, `nquads`, `trig`, `rdfxml`, `jsonld`) where the suffix says nothing.
        inferred: whether inferred triples are written too; a reader cannot tell them from the asserted ones.

    Raises:
        MissingFileError: the folder is not there.
        InputError: an unknown format, or a term that this syntax cannot write (named in the message).
    """
    target = Path(path)
    try:
        syntax = FORMATS[format_of(target, format)]
    except ValueError as error:
        raise InputError(str(error), file=str(target)) from None
    if not target.parent.is_dir():
        raise MissingFileError(f"Expected an existing folder (got {target.parent}); make it first", file=str(target))
    if target.is_dir():
        raise InputError("Expected a file (got a folder); name a file in it", file=str(target))
    part = target.parent / f".{target.name[:100]}.{secrets.token_hex(6)}.part"
    try:
        with open(part, "xb") as raw:
            _write(graph, raw, syntax, packed=is_gzip(target), inferred=inferred, target=target)
            raw.flush()
            os.fsync(raw.fileno())
        if target.exists():
            part.chmod(target.stat().st_mode & 0o777)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _write(
    graph: KnowledgeGraph, raw: IO[bytes], syntax: ox.RdfFormat, *, packed: bool, inferred: bool, target: Path
) -> None:
    prefixes = {prefix: namespace for prefix, namespace in graph.prefixes.items() if _writable(prefix)}
    if not packed:
        _serialize(graph, raw, syntax, prefixes, inferred, target)
        return
    # No name and no time in the header: the same graph gives the same bytes.
    with gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as stream:
        _serialize(graph, cast("IO[bytes]", stream), syntax, prefixes, inferred, target)


def _serialize(
    graph: KnowledgeGraph,
    stream: IO[bytes],
    syntax: ox.RdfFormat,
    prefixes: dict[str, str],
    inferred: bool,
    target: Path,
) -> None:
    try:
        ox.serialize(_triples(graph, inferred), stream, format=syntax, prefixes=prefixes)
    except (ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(
            f"Expected terms that {syntax.name} can write ({error}); correct them or save as N-Triples",
            file=str(target),
        ) from None


def _triples(graph: KnowledgeGraph, inferred: bool) -> Iterator[ox.Triple]:
    parts = [columns.arrays() for columns in ((graph.asserted, graph.inferred) if inferred else (graph.asserted,))]
    s, p, o = (np.concatenate(column) for column in zip(*parts, strict=True))
    terms: dict[int, object] = {}
    for row in np.lexsort((o, p, s)).tolist():
        three = []
        for id in (int(s[row]), int(p[row]), int(o[row])):
            if id not in terms:
                try:
                    terms[id] = term_of(graph.dictionary.key(id))
                except ValueError as error:
                    raise ValueError(f"{graph.dictionary.key(id)}: {error}") from None
            three.append(terms[id])
        yield ox.Triple(*three)  # type: ignore[arg-type]  # a term of each kind where RDF wants it


def _writable(prefix: str) -> bool:
    """Whether every syntax can declare the prefix; a name with other characters is left out, IRIs are then in full."""
    return prefix.replace("-", "_").isidentifier() and prefix.isascii() and not prefix.startswith("_")


def _sync_folder(folder: Path) -> None:
    """Makes the rename last through a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
