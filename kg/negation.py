"""The denial of an English sentence, as people write it: `does not treat`, `is not`, `cannot`.

The finite verb is the leftmost auxiliary or known verb outside a relative clause. Where none is known, the denial is
`It is not the case that …`, which is clumsy but never wrong.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

__all__ = ["negate"]

_VERB_TEXT = """
absorb accelerate account act activate add affect aggravate allow alleviate alter antagonise antagonize apply
augment avoid become begin belong bind block boost break bring build carry cause change clear combine compete
conflict consist contain contradict contribute convert correct count counteract cover create cross cross-react cure
decrease deplete depress depend deserve determine develop diminish disrupt do double elevate eliminate employ
enhance exacerbate exceed excrete exert exist extend facilitate fall fight fit follow form give go grow harm have
help hinder hold improve impair include increase induce influence inhibit intensify interact interfere involve keep
kill lack lead lengthen lessen lie limit list live lose lower make manage mask mean meet metabolise metabolize mimic
mix modulate need neutralise neutralize occur oppose own oxidise oxidize point possess potentiate precede
precipitate predict predispose prescribe present prevent produce prohibit prolong promote protect provide provoke
push put raise react receive reduce regulate relieve remain remove require resemble restore result reverse rise risk
rule run say serve share shorten show slow soothe speed spread start stimulate stop strengthen suffer support
suppress sustain take target tolerate transform transport treat trigger turn undergo use weaken weigh work worsen
write yield
"""
_VERBS = frozenset(_VERB_TEXT.split())
_BE = frozenset({"is", "are", "was", "were", "am"})
# What denies a modal, and what is left where a modal is denied already.
_MODALS = {
    "can": "cannot",
    "could": "could not",
    "may": "cannot",
    "might": "cannot",
    "must": "need not",
    "should": "should not",
    "will": "will not",
    "would": "would not",
}
_FREED = {
    "can": "can",
    "could": "could",
    "may": "may",
    "might": "might",
    "must": "may",
    "should": "may",
    "will": "will",
    "would": "would",
}
_NOT = frozenset({"not", "never"})
_RELATIVE = frozenset({"that", "which", "who", "whose"})
_SUBORDINATE = frozenset({"when", "if", "because", "while", "unless", "although", "whenever", "where"})
# After these, or before "of", a word that could be a verb is a noun: "the use", "levels of".
_BEFORE_NOUN = frozenset({"a", "an", "the", "of", "this", "that", "no", "each", "with", "to", "for", "in"})
_PLURALS = frozenset({"and", "people", "children", "women", "men"})
_CASE = "It is not the case that "
_TOKEN = re.compile(r"[^\s]+")


def negate(text: str) -> str:
    """The denial of a sentence or phrase template; of a denial, what it denies.

    `Warfarin treats gout.` gives `Warfarin does not treat gout.`, and back.
    """
    if text.startswith(_CASE):
        rest = text[len(_CASE) :]
        return rest[:1].upper() + rest[1:]
    first, _, rest = text.partition(" ")
    if first.lower() in ("every", "all") and rest:
        return _like(first, "not") + f" {first.lower()} {rest}"
    second = rest.partition(" ")[0]
    if first.lower() == "not" and second in ("every", "all"):
        return _like(first, second) + rest[len(second) :]
    return _at_verb(text) or _CASE + _lowered(text)


def _at_verb(text: str) -> str | None:
    tokens = [(match.start(), match.end(), match[0].lower().rstrip(",:.")) for match in _TOKEN.finditer(text)]
    words = [word for _, _, word in tokens]
    if words and words[0] in ("no", "neither", "nobody", "nothing", "none"):
        return None
    change = _chosen(_finite_verbs(words))
    if change is None:
        return None
    start, end = tokens[change.first][0], tokens[change.last][1]
    # Punctuation after the last word stays: "is:" gives "is not:".
    return text[:start] + change.instead + text[start:end][len(text[start:end].rstrip(",:.")) :] + text[end:]


def _finite_verbs(words: list[str]) -> list[_Change]:
    """What denies each word of the main clause that may be its verb, in order; verbs of relative clauses left out."""
    found = []
    in_relative = False
    for at, word in enumerate(words):
        if word in _SUBORDINATE and at:
            break
        if word in _RELATIVE:
            in_relative = True
            continue
        change = _change(words, at)
        if change is not None and not in_relative:
            found.append(change)
        in_relative = in_relative and change is None
    return found


def _chosen(found: list[_Change]) -> _Change | None:
    """The leftmost, but a plain form (`block`, `risk`) may be a noun: where an auxiliary follows, it is."""
    if any(change.kind == "auxiliary" for change in found):
        found = [change for change in found if change.kind != "plain"]
    return found[0] if found else None


class _Change(NamedTuple):
    """Words from `first` to `last` (positions) give way to `instead`; `kind` is what sort of verb is among them."""

    first: int
    last: int
    instead: str
    kind: Literal["auxiliary", "third person", "plain"] = "auxiliary"


def _change(words: list[str], at: int) -> _Change | None:
    """What denies the finite verb at a word, or frees it from its denial; None where there is none."""
    word, after = words[at], words[at + 1 : at + 4] + [""] * 3
    is_denied = after[0] in _NOT
    if word in _BE:
        if at and words[at - 1] == "there":
            return (
                _Change(at, at + 1, word)
                if after[0] == "no"
                else _Change(at, at + (after[0] in ("a", "an")), f"{word} no")
            )
        return _Change(at, at + 1, word) if is_denied else _Change(at, at, f"{word} not")
    if word == "cannot":
        return _Change(at, at, "can")
    if word in _MODALS:
        return _Change(at, at + 1, _FREED[word]) if is_denied else _Change(at, at, _MODALS[word])
    if word in ("does", "do") and is_denied and after[1]:
        adverb = after[1] + " " if after[1].endswith("ly") and after[2] else ""
        verb = after[2] if adverb else after[1]
        return _Change(at, at + (3 if adverb else 2), adverb + (_third_person(verb) if word == "does" else verb))
    if word in ("has", "have") and (is_denied or after[0] in ("been", "had") or after[0].endswith("ed")):
        return _Change(at, at + 1, word) if is_denied else _Change(at, at, f"{word} not")
    return _main_verb_change(words, at, after[0])


def _main_verb_change(words: list[str], at: int, following: str) -> _Change | None:
    word = words[at]
    if at == 0 or following in ("of", "for") or words[at - 1] in _BEFORE_NOUN:
        return None
    adverb = words[at - 1] + " " if at > 1 and words[at - 1].endswith("ly") else ""
    first = at - 1 if adverb else at
    if word in _VERBS and _is_plural(words[:at]):
        return _Change(first, at, f"do not {adverb}{word}", "plain")
    base = "have" if word == "has" else _base(word)
    return None if base is None else _Change(first, at, f"does not {adverb}{base}", "third person")


def _is_plural(subject: list[str]) -> bool:
    """Whether words before a verb's plain form look plural; else it is part of a name (reverse transcriptase)."""
    return any(
        word in _PLURALS or (word.endswith("s") and not word.endswith(("ss", "us", "is", "'s", "’s")))
        for word in subject
    )


def _base(word: str) -> str | None:
    """The known verb of which a word is the third person, or None."""
    if not word.endswith("s"):
        return None
    options = [word[:-1]]
    if word.endswith("es"):
        options.append(word[:-2])
    if word.endswith("ies"):
        options.append(word[:-3] + "y")
    return next((option for option in options if option in _VERBS and _third_person(option) == word), None)


def _third_person(verb: str) -> str:
    if verb == "have":
        return "has"
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2:-1] not in ("a", "e", "i", "o", "u"):
        return verb[:-1] + "ies"
    return verb + "s"


def _like(model: str, word: str) -> str:
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def _lowered(text: str) -> str:
    """A sentence as a clause: its first word small where that word is an ordinary one."""
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if first[1:].islower() or len(first) == 1 else text
