"""Examples of your own: a tab-separated table with a header line, whose columns are named in the settings."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from kg.errors import ConfigError, EmptyGraphError
from pipelines.tasks.adapters.lines import misfit, tables
from pipelines.tasks.example import Example

__all__ = ["read"]


def read(
    path: Path,
    *,
    answer: str = "answer",
    text: str = "",
    question: str = "",
    choices: str = "",
    labels: Sequence[str] = (),
    head: str = "",
    relation: str = "",
    tail: str = "",
    group: str = "",
    id: str = "",
    separator: str = "|",
) -> list[Example]:
    """The rows of a table as examples.

    Args:
        answer: column of the right answer; several stand with `separator` between them.
        text, question: columns of the passage and of what is asked; one of them, or the triple, must be named.
        choices: column of the choices, with `separator` between them.
        labels: the choices of every row, where no column has them.
        head, relation, tail: columns of a triple the question is about, by the names of the graph; all or none.
        group: column of what figures are broken down by. id: column of names; line numbers where there is none.

    Raises:
        ConfigError: no such column (the nearest are listed), or settings that do not fit together.
        MissingFileError: no such file. EmptyGraphError: no row.
        SyntaxInputError: a row with more or fewer cells than the header, an answer that is no choice, an empty answer.
    """
    rows = tables(path)
    header = next(rows, (0, []))[1]
    used = {"text": text, "question": question, "choices": choices, "answer": answer, "group": group, "id": id}
    used |= {"head": head, "relation": relation, "tail": tail}
    _check(path, header, used, labels)
    examples = []
    for line, cells in rows:
        if len(cells) != len(header):
            raise misfit(path, line, f"{len(header)} columns as in the header", f"{len(cells)} columns")
        row = {name: cells[header.index(column)] for name, column in used.items() if column}
        examples.append(_example(path, line, row, tuple(labels), separator))
    if not examples:
        raise EmptyGraphError("Expected a header line and rows (got no row)", file=str(path))
    return examples


def _check(path: Path, header: Sequence[str], used: Mapping[str, str], labels: Sequence[str]) -> None:
    for setting, column in used.items():
        if column and column not in header:
            nearest = difflib.get_close_matches(column, header, n=3) or header
            raise ConfigError(
                f"Expected the column {column!r} (for {setting!r}) in the header of {path} (not there); "
                f"the nearest: {', '.join(nearest)}"
            )
    triple = [bool(used[name]) for name in ("head", "relation", "tail")]
    if any(triple) != all(triple):
        raise ConfigError(f"Expected columns for all of head, relation and tail, or for none (reading {path})")
    if not (used["answer"] and (used["text"] or used["question"] or all(triple))):
        raise ConfigError(f"Expected a column for the answer, and for text, question or a triple (reading {path})")
    if used["choices"] and labels:
        raise ConfigError(f"Expected either a column of choices or labels for all rows (got both; reading {path})")


def _example(path: Path, line: int, row: Mapping[str, str], labels: tuple[str, ...], separator: str) -> Example:
    choices = _several(row.get("choices", ""), separator) or labels
    answers = _several(row["answer"], separator)
    wrong = [one for one in answers if choices and one not in choices]
    if wrong or not answers:
        expected = f"an answer among {', '.join(choices)}"[:120] if choices else "an answer"
        raise misfit(path, line, expected, repr(wrong[0] if wrong else row["answer"]))
    triple = (row["head"], row["relation"], row["tail"]) if "head" in row else None
    return Example(
        id=row.get("id") or f"{path.stem}:{line}",
        passage=row.get("text", ""),
        question=row.get("question", ""),
        choices=choices,
        answers=answers,
        triple=triple,
        group=row.get("group", ""),
    )


def _several(cell: str, separator: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in cell.split(separator) if part.strip()))
