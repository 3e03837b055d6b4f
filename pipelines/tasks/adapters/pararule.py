"""PARARULE-Plus (Bao et al. 2022): theories in English under a closed world, and statements that are true or false.

One JSON record a line: `id`, `context`, and `questions`, each with `id`, `text`, `label` and its depth, `meta.QDep`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kg.errors import EmptyGraphError, InputError, MissingFileError, SyntaxInputError
from pipelines.tasks.example import Example

__all__ = ["read"]

_CHOICES = {"true": "True", "false": "False"}


def read(path: Path) -> list[Example]:
    """The questions of a file, in its order; `group` is the depth.

    Raises:
        MissingFileError: no such file.
        EmptyGraphError: no question.
        SyntaxInputError: a line is no JSON in UTF-8.
        InputError: a record or question lacks a field, or a label is neither true nor false; it says where.
    """
    if not path.is_file():
        raise MissingFileError("Expected a file of examples (no such file)", file=str(path))
    examples: list[Example] = []
    for line, raw in enumerate(path.read_bytes().splitlines(), start=1):
        if raw.strip():
            examples += _examples(raw, str(path), line)
    if not examples:
        raise EmptyGraphError("Expected questions (got none)", file=str(path))
    return examples


def _examples(raw: bytes, file: str, line: int) -> Iterator[Example]:
    try:
        record = json.loads(raw)
    except ValueError as error:
        raise SyntaxInputError(f"Expected JSON (got: {error})", file=file, line=line) from error
    context, questions = _field(record, "context", str, file, line), _field(record, "questions", list, file, line)
    for question in questions:
        label = _field(question, "label", str, file, line)
        if label not in _CHOICES:
            raise InputError(f"Expected the label true or false (got {label!r})", file=file, line=line)
        yield Example(
            id=_field(question, "id", str, file, line),
            passage=context,
            question=_field(question, "text", str, file, line),
            choices=tuple(_CHOICES.values()),
            answers=(_CHOICES[label],),
            group=str(_field(question, "meta", dict, file, line).get("QDep", "")),
        )


def _field(record: Any, name: str, kind: type, file: str, line: int) -> Any:
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, kind):
        raise InputError(f"Expected a record with {name} (got {str(record)[:60]!r})", file=file, line=line)
    return value
