"""ProofWriter (Tafjord et al. 2021) as multiple choice: theories in English, a statement, and True, False or Unknown.

One JSON array of records with `id`, `context`, `question`, `options` (`A) True`, …) and `answer` (`A`, …).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kg.errors import EmptyGraphError, InputError, MissingFileError, SyntaxInputError
from pipelines.tasks.example import Example

__all__ = ["read"]

_FIELDS = {"id": str, "context": str, "question": str, "options": list, "answer": str}


def read(path: Path) -> list[Example]:
    """The examples of a file; the question is the bare statement, what stands before it (`… unknown?`) is left out.

    Raises:
        MissingFileError: no such file.
        EmptyGraphError: no record.
        SyntaxInputError: it is no JSON array in UTF-8.
        InputError: a record lacks a field, or its answer is not among its options; the message says where.
    """
    examples = [_example(record, str(path), line) for line, record in list(_records(path))]
    if not examples:
        raise EmptyGraphError("Expected records (got none)", file=str(path))
    return examples


def _records(path: Path) -> Iterator[tuple[int, Any]]:
    """Each record of a JSON array with the line it begins in."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise MissingFileError("Expected a file of examples (no such file)", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise SyntaxInputError(f"Expected UTF-8 (got: {error})", file=str(path)) from error
    decoder, at, line, counted = json.JSONDecoder(), _skip(text, 0), 1, 0
    if text[at : at + 1] != "[":
        raise SyntaxInputError("Expected a JSON array of records", file=str(path), line=1)
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            record, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise SyntaxInputError(f"Expected JSON ({error.msg})", file=str(path), line=error.lineno) from error
        yield line, record
        at = _skip(text, at)
        if text[at : at + 1] not in (",", "]"):
            raise SyntaxInputError("Expected ',' or ']' after a record", file=str(path), line=line)
        at = _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _example(record: Any, file: str, line: int) -> Example:
    wrong = [n for n, kind in _FIELDS.items() if not isinstance(record, dict) or not isinstance(record.get(n), kind)]
    if wrong:
        raise InputError(f"Expected a record with {', '.join(_FIELDS)} (got no {wrong[0]})", file=file, line=line)
    options = dict(str(option).split(") ", 1) for option in record["options"] if ") " in str(option))
    if record["answer"] not in options:
        told = ", ".join(options) or "no options"
        raise InputError(f"Expected an answer among {told} (got {record['answer']!r})", file=file, line=line)
    return Example(
        id=record["id"],
        passage=record["context"],
        question=record["question"].rpartition("unknown?")[2].strip(),
        choices=tuple(options.values()),
        answers=(options[record["answer"]],),
    )
