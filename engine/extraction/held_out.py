"""Which passages share no text with others: for development and test passages that are new as language.

Passages are often put together from few pieces of text with other names; then a random split holds nothing out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from engine.extraction.passages import sentences_of

__all__ = ["runs_of", "share_text", "split_by_text"]

_LENGTH = 6
"""Words in a row that make two texts share a text; names are all one word."""
_WORD = re.compile(r"\[[^\[\]]*\]|\w+")


def runs_of(text: str) -> set[tuple[str, ...]]:
    """The runs of six words in a text, any name one and the same word; a shorter text is one run."""
    words = ["[]" if word.startswith("[") else word.lower() for word in _WORD.findall(text)]
    return {tuple(words[at : at + _LENGTH]) for at in range(max(1, len(words) - _LENGTH + 1))}


def share_text(text: str, runs: set[tuple[str, ...]]) -> bool:
    """Whether a text has one of these runs of words."""
    return not runs.isdisjoint(runs_of(text))


def split_by_text(passages: Sequence[str], *, share: float = 0.07) -> tuple[list[int], list[int]]:
    """Positions of passages to train on and of passages to hold out, with no run of six words in a held out sentence
    that a training passage has.

    Args:
        passages: texts with names in brackets.
        share: of the sentences, chosen by their words, whose passages are held out.
    """
    found = [sentences_of(passage) for passage in passages]
    chosen: set[tuple[str, ...]] = set()
    for sentence in dict.fromkeys(sentence for sentences in found for sentence in sentences):
        if _chosen(sentence, share):
            chosen |= runs_of(sentence)
    train, held = list[int](), list[int]()
    for at, sentences in enumerate(found):
        (held if any(share_text(sentence, chosen) for sentence in sentences) else train).append(at)
    return train, held


def _chosen(sentence: str, share: float) -> bool:
    words: Iterable[str] = ("[]" if word.startswith("[") else word.lower() for word in _WORD.findall(sentence))
    return int.from_bytes(hashlib.sha256(" ".join(words).encode()).digest()[:4]) < share * 2**32
