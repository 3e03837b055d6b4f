"""FOLIO (Han et al. 2022): premises and a conclusion in natural English, which is True, False or Unknown.

JSON lines `{"premises", "conclusion", "label"}`, with `premises-FOL`, `conclusion-FOL`, `source`, `story_id` and
`example_id` where there are any. Premises are a list, or lines of one text; "Uncertain" is another word for "Unknown".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kg.errors import EmptyGraphError
from pipelines.tasks.adapters.lines import json_lines, misfit, value
from pipelines.tasks.example import Example

__all__ = ["CHOICES", "read"]

CHOICES = ("True", "False", "Unknown")


def read(path: Path) -> list[Example]:
    """The conclusions of a file; each passage is its premises, each example's group where its story comes from.

    Returns: examples; where the file has them, their supervision is `premises`, the formulas of the premises, and
        `conclusion`, that of the conclusion.

    Raises:
        MissingFileError: no such file. EmptyGraphError: no conclusion.
        SyntaxInputError: a line of another form, or with another label.
    """
    examples = [_example(path, line, record) for line, record in json_lines(path)]
    if not examples:
        raise EmptyGraphError("Expected a conclusion a line (got none)", file=str(path))
    return examples


def _example(path: Path, line: int, record: dict[str, Any]) -> Example:
    label = value(path, line, record, "label", str).strip()
    label = "Unknown" if label == "Uncertain" else label
    if label not in CHOICES:
        raise misfit(path, line, f"a label of {', '.join(CHOICES)}", repr(label))
    supervision: dict[str, object] = {}
    if "premises-FOL" in record:
        supervision["premises"] = _several(path, line, record, "premises-FOL")
    if "conclusion-FOL" in record:
        supervision["conclusion"] = value(path, line, record, "conclusion-FOL", str)
    number = ":".join(str(record[key]) for key in ("story_id", "example_id") if key in record)
    return Example(
        id=number or f"{path.stem}:{line}",
        passage=" ".join(_several(path, line, record, "premises")),
        question=value(path, line, record, "conclusion", str).strip(),
        choices=CHOICES,
        answers=(label,),
        group=str(record.get("source") or ""),
        supervision=supervision,
    )


def _several(path: Path, line: int, record: dict[str, Any], key: str) -> tuple[str, ...]:
    """The texts of a list, or the lines of a text."""
    found = record.get(key)
    several = found.splitlines() if isinstance(found, str) else found
    if not isinstance(several, list) or not several or not all(isinstance(one, str) for one in several):
        raise misfit(path, line, f"the key {key!r} with a list of texts", type(found).__name__)
    return tuple(one.strip() for one in several if one.strip())
