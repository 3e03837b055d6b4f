"""Which known words a misspelt word may stand for.

A typo is cheap where hands and ears err (a vowel for a vowel, a doubled letter, a neighbouring key, two letters
swapped) and dear elsewhere, because names of different things often differ by a syllable: `quinine` and `quinidine`,
`prednisone` and `prednisolone`. So the cost of the edits decides, not their number, and the first letter must agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

__all__ = ["Correction", "Spelling", "edit_cost", "opposed"]

_VOWELS = frozenset("aeiouy")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SOUND_ALIKE = frozenset(
    frozenset(pair) for pair in ("ck", "cs", "sz", "kq", "gj", "mn", "dt", "fv", "bp", "xz", "ks", "vw")
)

# Costs of one edit. Chosen so that the common misspellings of drug names cost at most 1 and one unexplained
# consonant (dysphagia, dysphasia) costs more than a word of nine letters may.
_VOWEL_FOR_VOWEL = 0.6
_SOUND_ALIKE_COST = 0.75
_NEIGHBOUR_KEY = 0.9
_OTHER_LETTER = 1.25
_SWAP = 0.75
_DOUBLED = 0.5
_SILENT = 0.5  # a final e, an h
_VOWEL_GAINED = 0.75
_CONSONANT_GAINED = 1.0

# Word parts that make the opposite, or another substance, out of the same letters; no typo leads from one to another.
_PREFIXES = (
    ("hyper", "hypo"),
    ("macro", "micro"),
    ("inter", "intra"),
    ("ante", "anti"),
    ("para", "peri"),
    ("tachy", "brady"),
    ("pre", "pro"),
    ("pre", "per"),
    ("endo", "ecto"),
    ("mono", "mini"),
)
_SUFFIXES = (
    ("ate", "ite"),
    ("ase", "ose"),
    ("ol", "al"),
    ("ane", "ene"),
    ("ene", "yne"),
    ("ine", "one"),
    ("ine", "ane"),
    ("ol", "yl"),
)


class Correction(NamedTuple):
    """A known word near a misspelt one, and how near: 1 is equal, 0 has nothing in common."""

    word: str
    score: float


class Spelling:
    """The known words, arranged for finding those a misspelt word may stand for.

    Args:
        words: the known words, lower case; those with other characters than letters or below `min_length` are never
            offered as corrections.
        min_length: the shortest word that may be corrected; short words have too many neighbours.
        threshold: the score from which a correction is accepted.
        margin: a word within this much of the best is listed too, accepted or not, so that the choice shows as open.
    """

    def __init__(
        self, words: Iterable[str], *, min_length: int = 6, threshold: float = 0.87, margin: float = 0.05
    ) -> None:
        self.min_length, self.threshold, self.margin = min_length, threshold, margin
        self._by_first: dict[tuple[str, int], list[str]] = {}
        for word in sorted(set(words)):
            if len(word) >= min_length and word.isalpha():
                self._by_first.setdefault((word[0], len(word)), []).append(word)

    def corrections(self, word: str) -> tuple[Correction, ...]:
        """The known words that `word` may be a misspelling of, best first; empty where none is near enough."""
        if len(word) < self.min_length or not word.isalpha():
            return ()
        near = [c for c in self._near(word) if not opposed(word, c.word)]
        near.sort(key=lambda c: (-c.score, c.word))
        best = next((c.score for c in near if self._accepts(word, c)), None)
        return () if best is None else tuple(c for c in near if c.score >= best - self.margin)

    def _near(self, word: str) -> list[Correction]:
        found = []
        most_edits = 2 if len(word) < 10 else 3
        for length in range(len(word) - 2, len(word) + 3):
            bucket = self._by_first.get((word[0], length))
            if not bucket:
                continue
            for other, _, _ in process.extract(
                word, bucket, scorer=OSA.distance, score_cutoff=most_edits, limit=None, processor=None
            ):
                found.append(Correction(other, 1 - edit_cost(word, other) / max(len(word), len(other))))
        return found

    def _accepts(self, word: str, correction: Correction) -> bool:
        longer = max(len(word), len(correction.word))
        cost = (1 - correction.score) * longer
        return correction.score >= self.threshold and cost <= _most_cost(longer) + 1e-9


def _most_cost(length: int) -> float:
    """What all edits of a word may cost together: one light typo in a short word, two in a long one."""
    return 0.75 if length <= 7 else 1.25 if length <= 11 else 1.5


def opposed(first: str, second: str) -> bool:
    """Whether two words differ by a part that turns one meaning into another: `hyperkalemia` and `hypokalemia`."""
    for one, other in _PREFIXES:
        if (first.startswith(one) and second.startswith(other)) or (first.startswith(other) and second.startswith(one)):
            return True
    return any(
        (first.endswith(one) and second.endswith(other)) or (first.endswith(other) and second.endswith(one))
        for one, other in _SUFFIXES
    )


def edit_cost(first: str, second: str) -> float:
    """The least cost of turning one word into the other, symmetric; edits of single letters and swaps of neighbours."""
    last: list[float] = []
    row = [0.0]
    for at in range(len(second)):
        row.append(row[-1] + _gap(second, at))
    for i, letter in enumerate(first):
        before, last, row = last, row, [row[0] + _gap(first, i)]
        for j, other in enumerate(second):
            cost = min(
                last[j] + _change(letter, other),
                last[j + 1] + _gap(first, i),
                row[j] + _gap(second, j),
            )
            if i and j and letter == second[j - 1] and first[i - 1] == other:
                cost = min(cost, before[j - 1] + _SWAP)
            row.append(cost)
    return row[-1]


def _gap(word: str, at: int) -> float:
    letter = word[at]
    if at and word[at - 1] == letter:
        return _DOUBLED
    if letter == "h" or (letter == "e" and at == len(word) - 1):
        return _SILENT
    return _VOWEL_GAINED if letter in _VOWELS else _CONSONANT_GAINED


def _change(letter: str, other: str) -> float:
    if letter == other:
        return 0.0
    if letter in _VOWELS and other in _VOWELS:
        return _VOWEL_FOR_VOWEL
    if frozenset((letter, other)) in _SOUND_ALIKE:
        return _SOUND_ALIKE_COST
    return _NEIGHBOUR_KEY if other in _NEIGHBOURS.get(letter, "") else _OTHER_LETTER


def _neighbours() -> dict[str, str]:
    """The keys that touch each key of a QWERTY keyboard, in its row and the rows beside it."""
    place = {key: (r, c + 0.3 * r) for r, row in enumerate(_ROWS) for c, key in enumerate(row)}
    return {
        key: "".join(k for k, (r2, c2) in place.items() if k != key and abs(r - r2) <= 1 and abs(c - c2) <= 1)
        for key, (r, c) in place.items()
    }


_NEIGHBOURS = _neighbours()
