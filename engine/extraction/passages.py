"""Windows of a passage: a sentence or a few in a row, with the names in it replaced by markers.

A name is written in brackets, `[Ann]`. Markers are single letters in the order in which the names appear, so that a
model reads the language around a name and not the name, and so that equal texts about different people are one text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from kg.errors import LimitError

__all__ = ["MARKERS", "Window", "name_of", "names_in", "sentences_of", "windows_of"]

MARKERS = "xyzwvuqkjhgfdbnmlprc"
"""One letter for each name of a window; without those that are a word or an ending of one."""
_NAME = re.compile(r"\[([^\[\]]+)\]")
# After a full stop, and between two names with nothing between them: there a sentence has lost its full stop.
_SENTENCE_END = re.compile(r'(?<=[.!?])\s*(?=[\["A-Z])|(?<=\])\s+(?=\[)')


@dataclass(frozen=True)
class Window:
    """A piece of a passage in which names are markers.

    Args:
        text: what the encoder reads.
        names: the names, in the order of their markers.
        places: for each name the characters of `text` where its marker stands.
        sentences: numbers of the sentences of the passage.
    """

    text: str
    names: tuple[str, ...]
    places: tuple[tuple[int, ...], ...]
    sentences: tuple[int, ...] = (0,)

    @classmethod
    def of(cls, text: str, sentences: Sequence[int] = (0,)) -> Window:
        """A window from text with names in brackets.

        Raises:
            LimitError: more names than there are markers.
        """
        places: dict[str, list[int]] = {}
        parts, length, end = list[str](), 0, 0
        for match in _NAME.finditer(text):
            name = name_of(match[1])
            if name not in places and len(places) == len(MARKERS):
                raise LimitError(f"Expected at most {len(MARKERS)} names in a window (got more in {text[:60]!r}…)")
            found = places.setdefault(name, [])
            before = text[end : match.start()]
            length, end = length + len(before), match.end()
            found.append(length)
            parts += [before, MARKERS[list(places).index(name)]]
            length += 1
        return cls("".join([*parts, text[end:]]), tuple(places), tuple(map(tuple, places.values())), tuple(sentences))


def name_of(text: str) -> str:
    """A name as it is compared: without the space around it."""
    return " ".join(text.split())


def names_in(text: str) -> tuple[str, ...]:
    """The names in a text, each once, in the order in which they appear."""
    return tuple(dict.fromkeys(name_of(name) for name in _NAME.findall(text)))


def sentences_of(passage: str) -> tuple[str, ...]:
    """The sentences of a passage; one that names nobody belongs to the one before."""
    found: list[str] = []
    for part in filter(None, (part.strip() for part in _SENTENCE_END.split(passage))):
        if found and (not names_in(part) or not names_in(found[-1])):
            found[-1] += f" {part}"
        else:
            found.append(part)
    return tuple(found)


def windows_of(passage: str) -> list[Window]:
    """Each sentence of a passage, and each two in a row, as windows."""
    sentences = sentences_of(passage)
    single = [Window.of(text, (at,)) for at, text in enumerate(sentences)]
    return single + [Window.of(f"{a} {b}", (at, at + 1)) for at, (a, b) in enumerate(pairwise(sentences))]
