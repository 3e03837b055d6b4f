"""The lines of task files: records of JSON and cells of tables, each with its number; errors name file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from kg.errors import MissingFileError, SyntaxInputError

__all__ = ["json_lines", "json_text", "misfit", "tables", "text_lines", "value"]

_T = TypeVar("_T")


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not blank.

    Raises:
        MissingFileError: no such file.
        SyntaxInputError: a line that is not UTF-8.
    """
    if not path.is_file():
        raise MissingFileError(f"Expected a file of examples (got {path}, which is no file)")
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise misfit(path, number, "UTF-8", f"{error.reason} in the line; save the file as UTF-8") from error
            if text.strip():
                yield number, text


def tables(path: Path, columns: int | None = None, *, separator: str = "\t") -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line of a table; `columns` is how many there must be, None for any number.

    Raises:
        MissingFileError: no such file.
        SyntaxInputError: a line that is not UTF-8, or with another number of cells.
    """
    for number, text in text_lines(path):
        cells = text.split(separator)
        if columns is not None and len(cells) != columns:
            raise misfit(path, number, f"{columns} columns separated by {separator!r}", f"{len(cells)} columns")
        yield number, cells


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and record of each line of a file of JSON objects, one a line.

    Raises:
        MissingFileError: no such file.
        SyntaxInputError: a line that is no JSON object in UTF-8.
    """
    for number, text in text_lines(path):
        record = json_text(path, text, number)
        if not isinstance(record, dict):
            raise misfit(path, number, "one JSON object a line", type(record).__name__)
        yield number, record


def json_text(path: Path, text: str, line: int = 1) -> Any:
    """The value of a text of JSON that starts at a line of a file; blank lines before it are not counted.

    Raises:
        SyntaxInputError: it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise misfit(path, line + error.lineno - 1, "JSON", f"{error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise misfit(path, line, "JSON", "values nested too deeply") from error


def value(path: Path, line: int | None, record: Mapping[str, Any], key: str, kind: type[_T]) -> _T:
    """The value of a key of a record, of the type it must have.

    Raises:
        SyntaxInputError: there is no such key, or its value is of another type.
    """
    found = record.get(key)
    if key not in record or not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        got = type(found).__name__ if key in record else f"only {', '.join(map(str, record))[:80]}"
        raise misfit(path, line, f"the key {key!r} with a value of type {kind.__name__}", got)
    return found


def misfit(path: Path, line: int | None, expected: str, got: str) -> SyntaxInputError:
    """The error that a line is not what it should be."""
    return SyntaxInputError(f"Expected {expected} (got {got})", file=str(path), line=line)
