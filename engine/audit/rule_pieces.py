"""The pieces of a rule text that can be read one by one when the whole cannot.

A piece is a rule, DATA block or statement with the declarations before it, on the lines where it stands: all else is
blank, so a parser tells of it at its place. A text is cut without a grammar, as the grammar is what it does not follow:
by the words that begin an item of SPARQL-RL, by the ends of statements in N3 and Jena's rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

__all__ = ["pieces"]

_QUOTED = r'''"""(?:[^"\\]|\\.|"(?!""))*"""|\'\'\'(?:[^'\\]|\\.|'(?!''))*\'\'\'
    |"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|<[^\x00-\x20<>"{}|^`\\]*>'''
_WORDS = re.compile(
    rf"""(?P<skip>\#[^\n]*|{_QUOTED})
    |(?P<brace>[{{}}])
    |(?P<word>(?<![\w:?$@-])(?:RULE|DATA|PREFIX|BASE|VERSION|IMPORTS)(?![\w:-]))""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_STATEMENTS = re.compile(
    rf"""(?P<skip>{_QUOTED}|\#[^\n]*|//[^\n]*)
    |(?P<declares>^[ \t]*(?:@\w+|PREFIX\b|BASE\b)[^\n]*)
    |(?P<open>[\[({{])|(?P<close>[\])}}])|(?P<stop>\.(?=\s|$))""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class _Item:
    """A declaration, or something else, of a text."""

    start: int
    end: int
    declares: bool


def pieces(text: str, suffix: str) -> list[str]:
    """The pieces of a text, the declarations alone first.

    Args:
        suffix: of the file, which tells the language: `.n3`, `.rules` and `.jena`, all else is SPARQL-RL.
    """
    split: Callable[[str], Iterable[_Item]] = _statements if suffix.lower() in (".n3", ".rules", ".jena") else _items
    shown: list[_Item] = []
    found = []
    for item in split(text):
        if item.declares:
            shown.append(item)
        else:
            found.append(_alone(text, [*shown, item]))
    declared = _alone(text, shown)
    return [declared, *found] if declared else found


def _alone(text: str, items: Iterable[_Item]) -> str:
    """Some items of a text where they stand."""
    parts, at = [], 0
    for item in items:
        gap = text[at : item.start]
        parts += ["\n" * gap.count("\n"), " " * (len(gap) - gap.rfind("\n") - 1), text[item.start : item.end]]
        at = item.end
    return "".join(parts).rstrip()


def _items(text: str) -> list[_Item]:
    """The items of SPARQL-RL. RULE begins one wherever it stands, so a missing brace spoils one rule only."""
    starts: list[tuple[int, bool]] = []
    depth = 0
    for token in _WORDS.finditer(text):
        word = (token["word"] or "").upper()
        if token["brace"]:
            depth = depth + 1 if token["brace"] == "{" else max(0, depth - 1)
        elif word and word != "DATA":
            starts.append((token.start(), word != "RULE"))
            depth = 0
        elif word and depth == 0 and not _after_where(text, token.start()):
            starts.append((token.start(), False))
    if not starts or text[: starts[0][0]].strip():
        starts.insert(0, (0, False))
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return [_Item(start, end, declares) for (start, declares), end in zip(starts, ends, strict=True)]


def _after_where(text: str, at: int) -> bool:
    return text[max(0, at - 200) : at].rstrip().upper().endswith(("WHERE", "NOT"))


def _statements(text: str) -> Iterator[_Item]:
    """The statements of N3 and of Jena's rules: up to a full stop, or a closing bracket, outside all brackets.

    A line that begins with a declaration is one.
    """
    start = depth = 0
    for token in _STATEMENTS.finditer(text):
        if token["declares"] and depth == 0:
            yield _Item(token.start(), token.end(), True)
            start = token.end()
        elif token["open"]:
            depth += 1
        elif token["close"]:
            depth = max(0, depth - 1)
        ends = token["stop"] or token["close"] == "]"
        if ends and depth == 0:
            yield _Item(start, token.end(), False)
            start = token.end()
    if text[start:].strip():
        yield _Item(start, len(text), False)
