"""PARARULE-Plus (Bao et al. 2022): theories in English under a closed world, and statements that are true or false.

One JSON record a line: `id`, `context`, and `questions`, each with `id`, `text`, `label` and its depth, `meta.QDep`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kg.errors import EmptyGraphError
from pipelines.tasks.adapters.lines import json_lines, misfit, value
from pipelines.tasks.example import Example

__all__ = ["read"]

_CHOICES = {"true": "True", "false": "False"}


def read(path: Path) -> list[Example]:
    """The questions of a file, in its order; `group` is the depth.

    Raises:
        MissingFileError: no such file.
        EmptyGraphError: no question.
        SyntaxInputError: a line is no JSON object in UTF-8, a record or question lacks a field, or a label is neither
            true nor false; it says where.
    """
    examples = [each for line, record in json_lines(path) for each in _examples(path, line, record)]
    if not examples:
        raise EmptyGraphError("Expected questions (got none)", file=str(path))
    return examples


def _examples(path: Path, line: int, record: dict[str, Any]) -> Iterator[Example]:
    context = value(path, line, record, "context", str)
    for question in value(path, line, record, "questions", list):
        if not isinstance(question, dict):
            raise misfit(path, line, "questions with id, text, label and meta", repr(question))
        label = value(path, line, question, "label", str)
        if label not in _CHOICES:
            raise misfit(path, line, "the label true or false", repr(label))
        yield Example(
            id=value(path, line, question, "id", str),
            passage=context,
            question=value(path, line, question, "text", str),
            choices=tuple(_CHOICES.values()),
            answers=(_CHOICES[label],),
            group=str(value(path, line, question, "meta", dict).get("QDep", "")),
        )
