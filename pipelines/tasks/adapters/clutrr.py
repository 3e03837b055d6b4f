"""CLUTRR: stories about a family, and how two of its members are related (Sinha et al., EMNLP 2019).

One CSV file, plain or gzipped, with a row for each story. The passage is the raw story, the question its two names, the
choices all relations of the file. What else a row has (who is related to whom, and how that proves the answer) is
supervision, which no method may read when it is asked.
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from kg.errors import EmptyGraphError, InputError, MissingFileError
from pipelines.tasks.example import Example

__all__ = ["read"]

_ASKED = ("id", "story", "query", "target", "task_name")
_TOLD = ("story_edges", "edge_types", "genders", "proof_state")


def read(path: Path) -> list[Example]:
    """The examples of a file.

    Returns: examples whose question is the query pair, `Ann, Bob` (what Bob is to Ann), and whose group is the number
        of hops. Where the file has them, their supervision is, by names, `triples` (told by the story, each head,
        relation, tail), `steps` (what follows: a triple and the two it follows from) and `attributes` (name to value).

    Raises:
        MissingFileError: no such file.
        EmptyGraphError: no row.
        InputError: no such table, a column is missing, or a row is not as CLUTRR writes it; it says where.
    """
    examples = [_example(row, str(path), line) for line, row in _rows(path)]
    if not examples:
        raise EmptyGraphError("Expected a row for each story (got none)", file=str(path))
    told = {relation for example in examples for _, relation, _ in _triples(example.supervision)}
    choices = tuple(sorted(told.union(*(example.answers for example in examples))))
    return [replace(example, choices=choices) for example in examples]


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """Each row with the line it ends on."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode("utf-8")
    except FileNotFoundError as error:
        raise MissingFileError("Expected a CLUTRR file (no such file)", file=str(path)) from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"Expected UTF-8 text, plain or gzipped (got: {error})", file=str(path)) from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in _ASKED if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"Expected the columns {', '.join(_ASKED)} (got no {', '.join(missing)})", file=str(path))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"Expected CSV (got: {error})", file=str(path), line=reader.line_num) from error


def _example(row: Mapping[str, str | None], file: str, line: int) -> Example:
    try:
        head, tail = _names(ast.literal_eval(row["query"] or ""))
        hops = int((row["task_name"] or "").rpartition(".")[2])
        if not row["story"] or not row["target"]:
            raise ValueError("got an empty story or target")
        told = _supervision(row) if all(row.get(name) for name in _TOLD) else {}
    except (ValueError, TypeError, SyntaxError, KeyError, IndexError, AttributeError) as error:
        raise InputError(
            f"Expected a row as CLUTRR writes it, with a query such as ('Ann', 'Bob') and a task such as task_1.3 "
            f"(got: {error!r})",
            file=file,
            line=line,
        ) from error
    return Example(
        id=row["id"] or f"{line}",
        passage=row["story"],
        question=f"{head}, {tail}",
        choices=(),
        answers=(row["target"],),
        group=str(hops),
        supervision=told,
    )


def _names(pair: object) -> tuple[str, str]:
    match pair:
        case (str(head), str(tail)):
            return head, tail
    raise ValueError(f"got the pair {pair!r}")


def _supervision(row: Mapping[str, str | None]) -> dict[str, object]:
    """What the other columns say, by names; the people of a story are numbered in the order of `genders`."""
    attributes = dict(entry.split(":") for entry in (row["genders"] or "").split(","))
    names = list(attributes)
    edges = zip(ast.literal_eval(row["story_edges"] or ""), ast.literal_eval(row["edge_types"] or ""), strict=True)
    steps = [
        (conclusion, tuple(premises))
        for step in ast.literal_eval(row["proof_state"] or "")
        for conclusion, premises in step.items()
    ]
    if not all(len(triple) == 3 for conclusion, premises in steps for triple in (conclusion, *premises)):
        raise ValueError("got a proof step that is not of triples")
    triples = tuple((names[a], str(relation), names[b]) for (a, b), relation in edges)
    return {"triples": triples, "steps": tuple(steps), "attributes": attributes}


def _triples(supervision: Mapping[str, object]) -> tuple[tuple[str, str, str], ...]:
    found = supervision.get("triples", ())
    assert isinstance(found, tuple)
    return found
