"""Declared sentence patterns: closed word classes, slots and forms in a TOML file give the parses a sentence may have.

The forms are a small grammar without left recursion. A parse remembers which forms and choices made it, so that a
weight can be learnt for each of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from engine.extraction.parse import NO_WORD, Parse, Role
from kg.errors import InputError, MissingFileError

__all__ = ["Patterns", "Way", "load_patterns"]

_TABLES = {"words", "slots", "forms"}
_MARKS = {"given", "denied", "before", "object"}
_ROLES = {
    "name": Role.NAME,
    "something": Role.VARIABLE,
    "pronoun": Role.VARIABLE,
    "thing": Role.VARIABLE,
    "noun": Role.KIND,
    "property": Role.PREDICATE,
    "relation": Role.PREDICATE,
    "tie": Role.PREDICATE,
}
_ANTECEDENTS = ("first", "nearest", "own")
_MOST = 48
"""Ways that are looked at; a sentence of the controlled kind has fewer than twenty."""
_BEGUN = 64
"""Ways that one symbol may begin at one word; it bounds the work on a long sentence, which could have millions."""
_LONGEST = 60
"""Words of a sentence that is looked at."""


@dataclass(frozen=True)
class Way:
    """One way to read a sentence.

    Args:
        parse: what it says then.
        choices: the forms, the lengths of slots and what pronouns stand for, by name; what a weight is learnt for.
    """

    parse: Parse
    choices: tuple[str, ...]


class _Item(NamedTuple):
    slot: str
    start: int
    stop: int
    marks: frozenset[str]


class _Match(NamedTuple):
    stop: int
    items: tuple[_Item, ...]
    choices: tuple[str, ...]


_Memory: TypeAlias = dict[tuple[str, int], list[_Match]]


@dataclass(frozen=True)
class Patterns:
    """What a TOML file of patterns declares; see `load_patterns`.

    Args:
        words: the words of each closed class.
        slots: how many words fill it at most, and the class of the last one or "".
        forms: ways to put a symbol together, each a row of (marks, symbol).
    """

    words: Mapping[str, frozenset[str]]
    slots: Mapping[str, tuple[int, str]]
    forms: Mapping[str, tuple[tuple[tuple[frozenset[str], str], ...], ...]]
    closed: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "closed", frozenset(word for row in self.words.values() for word in row))

    def ways(self, words: Sequence[str]) -> list[Way]:
        """Every way to read the words of a sentence, one for each parse, in the order of the forms; none if none fits.

        At most 48 are looked at, and none of a sentence of more than 60 words.
        """
        given = list(words) if len(words) <= _LONGEST else []
        while given and given[-1] in ".!":
            given.pop()
        memory: _Memory = {}
        whole = (match for match in self._match("sentence", given, 0, memory) if match.stop == len(given))
        found: dict[Parse, Way] = {}
        function = sorted({word for word in given if word in self.closed})
        for match in islice(whole, _MOST):
            for antecedent in _ANTECEDENTS:
                parse, asked = _assemble(match.items, len(words), antecedent)
                choices = (*match.choices, *(f"{match.choices[0]}, with {word}" for word in function))
                choices += (f"antecedent: {antecedent}",) if asked else ()
                found.setdefault(parse, Way(parse, choices))
        return list(found.values())

    def _match(self, symbol: str, words: list[str], at: int, memory: _Memory) -> list[_Match]:
        """The ways a symbol can begin at a word."""
        if (symbol, at) not in memory:
            if symbol in self.forms:
                memory[symbol, at] = self._match_forms(symbol, words, at, memory)
            elif symbol in self.slots:
                memory[symbol, at] = self._fill(symbol, words, at)
            elif at < len(words) and words[at] in self.words[symbol]:
                items = (_Item(symbol, at, at + 1, frozenset()),) if symbol in _ROLES else ()
                memory[symbol, at] = [_Match(at + 1, items, ())]
            else:
                memory[symbol, at] = []
        return memory[symbol, at]

    def _match_forms(self, symbol: str, words: list[str], at: int, memory: _Memory) -> list[_Match]:
        found = []
        for form in self.forms[symbol]:
            partial = [_Match(at, (), ())]
            for marks, part in form:
                joined = (
                    _Match(
                        after.stop,
                        (*before.items, *(item._replace(marks=item.marks | marks) for item in after.items)),
                        before.choices + after.choices,
                    )
                    for before in partial
                    for after in self._match(part, words, before.stop, memory)
                )
                partial = list(islice(joined, _BEGUN))
            name = f"{symbol}: {' '.join(part for _, part in form)}"
            found += [match._replace(choices=(name, *match.choices)) for match in partial]
        return found[:_BEGUN]

    def _fill(self, slot: str, words: list[str], at: int) -> list[_Match]:
        most, ends = self.slots[slot]
        found = []
        for stop in range(at + 1, min(at + most, len(words)) + 1):
            inner, last = words[at : stop - 1], words[stop - 1]
            if any(word in self.closed or not word[0].isalnum() for word in inner):
                break
            if last in self.words[ends] if ends else last not in self.closed and last[0].isalnum():
                lexical = (f"{slot}: {last}",) if slot in ("noun", "thing") else ()
                found.append(_Match(stop, (_Item(slot, at, stop, frozenset()),), (f"{slot} of {stop - at}", *lexical)))
        return found


def _assemble(items: Sequence[_Item], num_words: int, antecedent: str) -> tuple[Parse, bool]:
    """The parse of a row of slots, and whether what a pronoun stands for was asked.

    A predicate is said of the term or kind before it, or, marked `before`, after it; its object is the next `object`.
    """
    roles, denied, concluded = [Role.NONE] * num_words, [False] * num_words, [False] * num_words
    subject, object, stands = ([NO_WORD] * num_words for _ in range(3))
    current, predicate, mentions, waiting, asked = NO_WORD, NO_WORD, list[int](), list[int](), False
    for item in items:
        at, role = item.start, _ROLES[item.slot]
        roles[at] = role
        roles[at + 1 : item.stop] = [Role.REST] * (item.stop - at - 1)
        if role is Role.PREDICATE:
            predicate, denied[at], concluded[at] = at, "denied" in item.marks, "given" not in item.marks
            subject[at] = NO_WORD if "before" in item.marks else current
            waiting += [at] if "before" in item.marks else []
            continue
        if item.slot == "pronoun" and mentions:
            asked = True
            stands[at] = {"first": mentions[0], "nearest": mentions[-1], "own": NO_WORD}[antecedent]
        mentions.append(at)
        if "object" in item.marks:
            object[predicate] = at
        else:
            current = at
            for earlier in waiting:
                subject[earlier] = at
            waiting = []
    columns = (tuple(roles), tuple(denied), tuple(concluded), tuple(subject), tuple(object), tuple(stands))
    return Parse(*columns), asked


def load_patterns(path: str | Path) -> Patterns:
    """Read a file of patterns: tables `words`, `slots` and `forms` (see `data/vocabulary/statements.toml`).

    Raises:
        MissingFileError: no such file.
        InputError: it is no TOML, a table is missing, a form uses an unknown symbol or mark, or begins with itself.
    """
    place = Path(path)
    try:
        values = tomllib.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingFileError("Expected a file of sentence patterns (no such file)", file=str(place)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"Expected TOML (got: {error})", file=str(place)) from error
    if set(values) != _TABLES:
        raise InputError(
            f"Expected the tables {', '.join(sorted(_TABLES))} (got {', '.join(sorted(values))})", file=str(place)
        )
    words = {name: frozenset(row.split()) for name, row in values["words"].items()}
    slots = {name: (int(slot["most"]), str(slot.get("ends", ""))) for name, slot in values["slots"].items()}
    forms = {name: tuple(tuple(map(_element, form.split())) for form in rows) for name, rows in values["forms"].items()}
    _check(words, slots, forms, place)
    return Patterns(words, slots, forms)


def _element(text: str) -> tuple[frozenset[str], str]:
    *marks, symbol = text.split(":")
    return frozenset(marks), symbol


def _check(words: Mapping[str, Any], slots: Mapping[str, Any], forms: Mapping[str, Any], place: Path) -> None:
    symbols = {*words, *slots, *forms}
    unknown = [symbol for rows in forms.values() for form in rows for _, symbol in form if symbol not in symbols]
    marks = {mark for rows in forms.values() for form in rows for found, _ in form for mark in found} - _MARKS
    ends = {end for _, end in slots.values() if end} - set(words)
    strange = [*unknown, *sorted(marks), *sorted(ends), *sorted(set(slots) - set(_ROLES))]
    if strange or "sentence" not in forms:
        wrong = strange[0] if strange else "no form 'sentence'"
        raise InputError(
            f"Expected forms of the symbols {', '.join(sorted(symbols))} with marks among {', '.join(sorted(_MARKS))}, "
            f"slots among {', '.join(sorted(_ROLES))}, and forms of 'sentence' (got {wrong!r})",
            file=str(place),
        )
    for name in forms:
        if name in _reached({first for form in forms[name] for _, first in form[:1]}, forms):
            raise InputError(f"Expected forms that do not begin with themselves (got {name!r})", file=str(place))


def _reached(first: Iterable[str], forms: Mapping[str, Any]) -> set[str]:
    """The symbols with which forms can begin, from some on."""
    found, stack = set[str](), list(first)
    while stack:
        symbol = stack.pop()
        if symbol not in found:
            found.add(symbol)
            stack += [form[0][1] for form in forms.get(symbol, ())]
    return found
