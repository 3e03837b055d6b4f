"""Multiple choice of CommonsenseQA, OpenBookQA and MedQA: the plain files, and those with a statement for each choice.

JSON lines of one of these forms; a file of test questions may have no answers.

- `{"id", "question": {"stem", "choices": [{"label", "text"}, …]}, "answerKey"}` (CommonsenseQA, OpenBookQA); beside it
  `"statements": [{"label", "statement"}, …]`, one a choice, in the files made for QA-GNN and GreaseLM
- `{"id", "question" or "question_stem", "choices": {"label": […], "text": […]}, "answerKey"}` (the data sets hub)
- `{"question", "options": {"A": …, …}, "answer_idx"}` (MedQA)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from kg.errors import EmptyGraphError
from pipelines.tasks.adapters.lines import json_lines, misfit, value
from pipelines.tasks.example import Example

__all__ = ["read"]


class _Record(NamedTuple):
    path: Path
    line: int
    fields: dict[str, Any]

    def value(self, key: str, kind: type[Any]) -> Any:
        return value(self.path, self.line, self.fields, key, kind)

    def within(self, fields: dict[str, Any]) -> _Record:
        return self._replace(fields=fields)


def read(path: Path) -> list[Example]:
    """The questions of a file.

    Returns: examples with the texts of the choices. Where the file has them, their supervision is `statements`, one a
        choice, `fact`, the OpenBookQA fact it was made from, and `concept`, what a CommonsenseQA question is about.

    Raises:
        MissingFileError: no such file. EmptyGraphError: no question.
        SyntaxInputError: a line of none of these forms, or an answer that is no choice.
    """
    examples = [_example(_Record(path, line, record)) for line, record in json_lines(path)]
    if not examples:
        raise EmptyGraphError("Expected a question a line (got none)", file=str(path))
    return examples


def _example(record: _Record) -> Example:
    stem, texts, key = _question(record)
    told = record.fields.get(key) or None
    if told is not None and told not in texts:
        raise misfit(record.path, record.line, f"{key!r} among {', '.join(texts)}", repr(told))
    answers = () if told is None else (texts[told],)
    supervision: dict[str, object] = {}
    if "statements" in record.fields:
        supervision["statements"] = _statements(record, texts, told)
    for name, field in (("fact", "fact1"), ("concept", "question_concept")):
        if field in record.fields:
            supervision[name] = record.value(field, str)
    number = str(record.fields.get("id") or f"{record.path.stem}:{record.line}")
    return Example(number, "", stem, tuple(texts.values()), answers, supervision=supervision)


def _question(record: _Record) -> tuple[str, dict[str, str], str]:
    """The question, the text of each choice by its label, and the key that says which is right."""
    fields = record.fields
    if "options" in fields:
        options = record.value("options", dict)
        return record.value("question", str), _texts(record, list(options), list(options.values())), "answer_idx"
    if isinstance(fields.get("question"), dict):
        asked = record.within(fields["question"])
        choices = [record.within(one if isinstance(one, dict) else {}) for one in asked.value("choices", list)]
        labels, texts = ([choice.value(key, str) for choice in choices] for key in ("label", "text"))
        return asked.value("stem", str), _texts(record, labels, texts), "answerKey"
    stem = record.value("question_stem" if "question_stem" in fields else "question", str)
    parts = record.within(record.value("choices", dict))
    return stem, _texts(record, parts.value("label", list), parts.value("text", list)), "answerKey"


def _texts(record: _Record, labels: list[Any], texts: list[Any]) -> dict[str, str]:
    strings = all(isinstance(one, str) for one in (*labels, *texts))
    if not strings or len(labels) != len(texts) or len(set(labels)) != len(labels) or len(labels) < 2:
        raise misfit(record.path, record.line, "two choices at least, each a label of its own and a text", f"{labels}")
    return dict(zip(labels, texts, strict=True))


def _statements(record: _Record, texts: dict[str, str], told: str | None) -> tuple[str, ...]:
    """The statement of each choice, checked against the answer."""
    parts = [record.within(one if isinstance(one, dict) else {}) for one in record.value("statements", list)]
    right = [part.value("label", bool) for part in parts]
    if len(parts) != len(texts) or (told is not None and right != [label == told for label in texts]):
        raise misfit(record.path, record.line, "a statement for each choice, true for the answer alone", f"{right}")
    return tuple(part.value("statement", str) for part in parts)
