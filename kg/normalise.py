"""Words of a text and their forms for comparing names: `fold` (same spelling) and `stem` (same word).

`fold` removes what typing varies: case, compatibility forms, accents, invisible characters, Greek letters. `stem` also
removes plurals and the difference between British and American spelling. Both map text and labels alike, so a rule
that is linguistically wrong for a word does no harm unless it makes two names equal.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Word", "fold", "is_acronym", "name_key", "stem", "words"]

# Combining marks and invisible format characters (soft hyphen, zero-width space and joiners, BOM) belong to the word.
_WITHIN = "\u0300-\u036f\u00ad\u200b-\u200d\u2060\ufeff"
_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{_WITHIN}])*")
# A possessive is no part of a name: "Crohn's disease" and "Crohn disease" have the same words.
_POSSESSIVE = re.compile(r"(?<=[^\W_])['’ʼ＇][sS](?![^\W_])")
_INVISIBLE = dict.fromkeys([0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF])
_GREEK_LETTERS = "αβγδεζηθικλμνξοπρστυφχψως"
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi "
    "psi omega sigma"
)
_GREEK = dict(zip(_GREEK_LETTERS, _GREEK_NAMES.split(), strict=True))
_ONE_GREEK = re.compile(r"(?<![α-ω])[α-ω](?![α-ω])")
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6"}
_NUMBERED = frozenset({"type", "class", "stage", "grade", "phase"})
# British to American, on lower-case words of five letters and more; the order matters (analyses -> analyse -> analyze).
_SPELLINGS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        ("ae|oe", "e"),
        ("ph", "f"),
        ("aluminium", "aluminum"),
        ("our(?=$|ed|ing|al)", "or"),
        ("ogue$", "og"),
        ("(?<=[tb])re$", "er"),
        ("gramme$", "gram"),
        ("is(?=e$|ed$|er$|ing$|ation$)", "iz"),
        ("ys(?=e$|ed$|er$|ing$)", "yz"),
    )
)


class Word(NamedTuple):
    """A word of a text and where it stands: `text[start:end]`, positions in characters."""

    start: int
    end: int
    text: str


def words(text: str) -> tuple[Word, ...]:
    """The words of a text in order; hyphens and apostrophes part words, a possessive 's is left out."""
    blanked = _POSSESSIVE.sub("  ", text)
    return tuple(Word(*match.span(), text[match.start() : match.end()]) for match in _WORD.finditer(blanked))


@lru_cache(maxsize=262_144)
def fold(word: str) -> str:
    """A word without case, compatibility forms, accents and invisible characters; one Greek letter gives its name."""
    if word.isascii():
        return word.lower()
    text = unicodedata.normalize("NFKD", word.translate(_INVISIBLE)).casefold()
    text = "".join(c for c in text if not unicodedata.combining(c))
    return _ONE_GREEK.sub(lambda match: _GREEK[match[0]], text)


def is_acronym(word: str) -> bool:
    """Whether a word is written as an acronym: two to five characters, capitals among them and no small letters."""
    return 2 <= len(word) <= 5 and word.isupper()


@lru_cache(maxsize=262_144)
def stem(word: str) -> str:
    """A word as it stands in the text, folded, singular, in American spelling.

    An acronym loses only a small plural s (`SSRIs`), so that `AIDS` is not the plural of `aid`.
    """
    folded = fold(word)
    if is_acronym(word):
        return folded
    if word[-1:] == "s" and is_acronym(word[:-1]):
        return folded[:-1]
    return _american(_singular(folded))


def _singular(word: str) -> str:
    if len(word) < 4 or not word.isalpha():
        return word
    if len(word) >= 6 and word.endswith(("sis", "xis")):
        return word[:-2] + "e"  # diagnosis and diagnoses meet in "diagnose"
    if not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if len(word) >= 5 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "ches", "shes", "zes")):
        return word[:-2]
    return word[:-1]


def _american(word: str) -> str:
    if len(word) < 5 or not word.isalpha():
        return word
    for pattern, replacement in _SPELLINGS:
        word = pattern.sub(replacement, word)
    return word


def name_key(stems: tuple[str, ...]) -> tuple[str, ...]:
    """The stems of a name, Roman numerals after `type`, `stage` and the like as digits: `type II` is `type 2`."""
    return tuple(_ROMAN.get(word, word) if at and stems[at - 1] in _NUMBERED else word for at, word in enumerate(stems))
