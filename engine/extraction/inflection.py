"""Forms of one word, told by their endings: *chases* and *chase*, *watches* and *watch*, *carries* and *carry*."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["base_forms"]

_ENDINGS = (("ies", "y"), ("es", ""), ("s", ""))
"""Endings of the third person and the plural, and what the base form has instead."""


def base_forms(phrases: Iterable[str]) -> dict[str, str]:
    """For each phrase the shortest of those that may be forms of the same word, judged by the first word of each.

    Two phrases are forms of one word where both occur and one is the other without an ending; nothing is looked up.
    """
    given = sorted(set(phrases), key=lambda phrase: (len(phrase), phrase))
    found: dict[str, str] = {}
    for phrase in given:
        first, space, rest = phrase.partition(" ")
        bases = [first[: -len(end)] + base for end, base in _ENDINGS if first.endswith(end) and len(first) > len(end)]
        known = (found[form] for base in bases if (form := base + space + rest) in found)
        found[phrase] = next(known, phrase)
    return found
