"""One example of a task, whatever its files look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Example"]


@dataclass(frozen=True)
class Example:
    """A question with its passage, its choices and the right ones.

    Args:
        id: names the example in its file.
        passage: the text to read; empty where the graph is all there is.
        question: a statement, a question, or the names of a query.
        choices: the answers among which is chosen; empty where any entity may be one.
        answers: the right ones; one but for questions with several entities.
        triple: head, relation and tail by the names of the graph, where the question is about one.
        group: what figures are broken down by, such as the number of hops; empty for none.
        supervision: what training may use besides the answer, by name; never read when a model is asked.
    """

    id: str
    passage: str
    question: str
    choices: tuple[str, ...]
    answers: tuple[str, ...]
    triple: tuple[str, str, str] | None = None
    group: str = ""
    supervision: Mapping[str, object] = field(default_factory=dict, compare=False)
