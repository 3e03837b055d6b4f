"""FactKG (Kim et al. 2023) and files like it: claims about entities of a graph, supported by it or not.

One JSON object `{claim: {"Label": [true], "Entity_set": […], "Evidence": {…}, "types": […]}, …}`; in a file `.jsonl`
one a line, with the claim under "claim". The authors' files are pickles, which run code when they are read: refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kg.errors import EmptyGraphError, MissingFileError, NotSupportedError
from pipelines.tasks.adapters.lines import json_lines, json_text, misfit, text_lines, value
from pipelines.tasks.example import Example

__all__ = ["CHOICES", "read"]

CHOICES = ("true", "false")
_REASONING = ("negation", "existence", "multi hop", "multi claim", "num1")
"""Kinds of reasoning among `types`; a claim of several is counted under the first here."""
_OUT = "import json, pickle; json.dump(pickle.load(open('claims.pickle', 'rb')), open('claims.json', 'w'))"


def read(path: Path) -> list[Example]:
    """The claims of a file; an example's group is the kind of reasoning its claim needs.

    Returns: examples whose supervision is `entities`, those of the claim, and, where the file has them, `evidence`
        (paths of relations by entity, `~` before a relation taken from object to subject) and `types`.

    Raises:
        MissingFileError: no such file. EmptyGraphError: no claim.
        NotSupportedError: a pickle; the message says what to do.
        SyntaxInputError: it is not JSON, or a claim of another form.
    """
    examples = [_example(path, line, claim, told) for line, claim, told in _claims(path)]
    if not examples:
        raise EmptyGraphError("Expected claims (got none)", file=str(path))
    return examples


def _claims(path: Path) -> Iterator[tuple[int | None, str, dict[str, Any]]]:
    """Line, where each has one, claim, and what is told of it."""
    if not path.is_file():
        raise MissingFileError(f"Expected a file of claims (got {path}, which is no file)")
    with path.open("rb") as file:
        if file.read(1) == b"\x80" or path.suffix in (".pickle", ".pkl"):
            raise NotSupportedError(
                f"Expected claims as JSON (got the pickle {path}, which could run any code when it is read); if you "
                f"trust where it is from, write it as JSON once: {_OUT}"
            )
    if path.suffix == ".jsonl":
        for line, record in json_lines(path):
            yield line, value(path, line, record, "claim", str), record
        return
    whole = json_text(path, "\n".join(text for _, text in text_lines(path)))
    for claim, told in whole.items() if isinstance(whole, dict) else [("", whole)]:
        if not isinstance(told, dict):
            raise misfit(path, None, "an object of claims, each with 'Label' and 'Entity_set'", type(told).__name__)
        yield None, claim, told


def _example(path: Path, line: int | None, claim: str, told: dict[str, Any]) -> Example:
    label = told.get("Label")
    label = label[0] if isinstance(label, list) and len(label) == 1 else label
    if not isinstance(label, bool):
        raise misfit(path, line, "the key 'Label' with true or false", f"{told.get('Label')!r} for {claim[:60]!r}")
    types = tuple(map(str, value(path, line, told, "types", list))) if "types" in told else ()
    supervision: dict[str, object] = {"entities": tuple(map(str, value(path, line, told, "Entity_set", list)))}
    if "Evidence" in told:
        supervision["evidence"] = value(path, line, told, "Evidence", dict)
    if types:
        supervision["types"] = types
    return Example(
        id=claim,
        passage="",
        question=claim,
        choices=CHOICES,
        answers=(CHOICES[0 if label else 1],),
        group=next((kind for kind in _REASONING if kind in types), ""),
        supervision=supervision,
    )
