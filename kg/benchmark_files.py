"""The files of link prediction benchmarks: triples by name or by number, names, texts and types, each in its forms.

Every reader names file and line where a row is not what it should be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kg.errors import SyntaxInputError

__all__ = ["Text", "first_of", "read_json", "read_names", "read_pairs", "read_texts", "read_triples"]

Named = tuple[str, str, str]


class Text(NamedTuple):
    """The label of a thing, and its description, empty where there is none."""

    label: str
    description: str = ""


def first_of(folders: Sequence[Path], names: Sequence[str]) -> Path | None:
    """The first of the files that is there, folder by folder."""
    return next((path for folder in folders for name in names if (path := folder / name).is_file()), None)


def read_triples(path: Path, entities: Mapping[int, str] | None, relations: Mapping[int, str] | None) -> list[Named]:
    """(head, relation, tail) names of a file, in its order.

    Three tab-separated columns. With names given the columns are numbers into them; a first line that is one number is
    OpenKE's count of lines, after which columns are separated by spaces and the relation stands last.

    Raises:
        SyntaxInputError: a line of another form, or a number without a name.
    """
    rows = _rows(path)
    if entities is None or relations is None:
        return [_named(path, line, cells) for line, cells in rows]
    found: list[Named] = []
    order = (0, 1, 2)
    for line, cells in rows:
        if line == 1 and len(cells) == 1 and " " not in cells[0]:
            order = (0, 2, 1)
            continue
        cells = cells[0].split() if len(cells) == 1 else cells
        triple = _named(path, line, cells)
        tables = ((entities, "entity"), (relations, "relation"), (entities, "entity"))
        numbers = (triple[at] for at in order)
        head, relation, tail = (
            _name(path, line, number, *table) for number, table in zip(numbers, tables, strict=True)
        )
        found.append((head, relation, tail))
    return found


def _named(path: Path, line: int, cells: Sequence[str]) -> Named:
    if len(cells) != 3 or not all(cells):
        raise SyntaxInputError(
            f"Expected head, relation and tail, tab-separated (got {len(cells)} columns)", file=str(path), line=line
        )
    return (cells[0], cells[1], cells[2])


def _name(path: Path, line: int, number: str, names: Mapping[int, str], kind: str) -> str:
    found = names.get(_number(number))
    if found is None:
        raise SyntaxInputError(
            f"Expected the number of a known {kind} (got {number[:40]!r})", file=str(path), line=line
        )
    return found


def _number(text: str) -> int:
    """A number of at most nine digits; -1 where it is none."""
    return int(text) if len(text) < 10 and text.isascii() and text.isdecimal() else -1


def read_names(path: Path) -> dict[int, str]:
    """Names by number, from lines of name and number in any order; a first line that is one number is passed over.

    Raises:
        SyntaxInputError: a line of another form, or a number that comes twice.
    """
    found: dict[int, str] = {}
    for line, cells in _rows(path):
        if line == 1 and len(cells) == 1:
            continue
        number = _number(cells[1]) if len(cells) == 2 else -1
        if number < 0 or number in found or not cells[0]:
            text = "Expected a name and a number of its own, tab-separated"
            raise SyntaxInputError(f"{text} (got {cells!r})"[:200], file=str(path), line=line)
        found[number] = cells[0]
    return found


def read_pairs(path: Path, first: Mapping[int, str], second: Mapping[int, str]) -> list[tuple[str, str]]:
    """Pairs of names from lines of two numbers.

    Raises:
        SyntaxInputError: a line of another form, or a number without a name.
    """
    found = []
    for line, cells in _rows(path):
        if len(cells) != 2:
            raise SyntaxInputError(
                f"Expected two numbers, tab-separated (got {cells!r})"[:200], file=str(path), line=line
            )
        one, other = (_name(path, line, c, names, "name") for c, names in zip(cells, (first, second), strict=True))
        found.append((one, other))
    return found


def read_texts(path: Path) -> dict[str, Text]:
    """Labels and descriptions by name.

    Two columns: name and text, of which what stands before the first comma is the label, if something stands after it.
    Four columns: number, name, label and description.

    Raises:
        SyntaxInputError: a line of another form.
    """
    found: dict[str, Text] = {}
    for line, cells in _rows(path):
        if len(cells) == 2:
            label, comma, rest = cells[1].partition(", ")
            found[cells[0]] = Text(label.strip(), rest.strip()) if comma else Text(cells[1].strip())
        elif len(cells) == 4:
            found[cells[1]] = Text(cells[2].strip(), cells[3].strip())
        else:
            text = f"Expected name and text, or number, name, label and description (got {len(cells)} columns)"
            raise SyntaxInputError(text, file=str(path), line=line)
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        SyntaxInputError: it is none.
    """
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise SyntaxInputError(f"Expected JSON ({error})", file=str(path), line=line) from error
    if not isinstance(value, dict):
        raise SyntaxInputError(f"Expected a JSON object (got {type(value).__name__})", file=str(path))
    return value


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The tab-separated cells of each line that is not blank, with its number."""
    with path.open("rb") as file:
        for line, raw in enumerate(file, 1):
            try:
                text = raw.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise SyntaxInputError(f"Expected UTF-8 text ({error})", file=str(path), line=line) from error
            if text.strip():
                yield line, [cell.strip() for cell in text.split("\t")]
