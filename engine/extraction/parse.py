"""What a sentence says, word by word: which words name something, what they say of it, and what that depends on.

A parse is five columns beside the words, so that it can be learnt as labels and arcs; `statements` reads triples and
rules off it. Nothing here knows a word of English.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from engine.extraction.candidates import CandidateRule, CandidateTriple, Pattern

__all__ = ["IS", "NO_WORD", "Parse", "Role", "sentences_of", "statements", "words_of"]

IS = "is"
"""The relation of a triple that says what something is like: its tail is the word said of it."""
NO_WORD = -1
_WORD = re.compile(r"n't\b|\w+(?=n't\b)|\w+(?:[-'’]\w+)*|[^\w\s]")
_END = re.compile(r"(?<=[.!?])\s+")


class Role(IntEnum):
    """What a word does in its sentence."""

    NONE = 0
    NAME = 1
    """First word of a name."""
    VARIABLE = 2
    """Stands for anything, or for what another word stands for: *someone*, *it*, *things*."""
    KIND = 3
    """A variable and its condition in one: *dogs* in *all dogs bark* are whatever is a dog."""
    PREDICATE = 4
    """First word of what is said."""
    REST = 5
    """A further word of the name or predicate before it."""


@dataclass(frozen=True)
class Parse:
    """The columns, each with one entry a word.

    Args:
        roles: what each word does.
        denied: of a predicate: whether it is said not to hold.
        concluded: of a predicate: whether the sentence states it, or states it of whatever meets the other predicates.
        subject, object: of a predicate: position of the name, variable or kind it is said of, `NO_WORD` for none.
        antecedent: of a variable: position of the earlier name or variable it stands for, `NO_WORD` for one of its own.
    """

    roles: tuple[Role, ...]
    denied: tuple[bool, ...]
    concluded: tuple[bool, ...]
    subject: tuple[int, ...]
    object: tuple[int, ...]
    antecedent: tuple[int, ...]


def sentences_of(passage: str) -> list[str]:
    """The sentences of a passage, split after full stops, question and exclamation marks."""
    return [sentence for sentence in _END.split(passage.strip()) if sentence]


def words_of(sentence: str) -> list[str]:
    """The words of a sentence in lower case; punctuation marks and *n't* are words too."""
    return _WORD.findall(sentence.lower())


def statements(
    words: Sequence[str], parse: Parse, *, confidence: float = 1.0, sentence: int = 0
) -> tuple[CandidateTriple | CandidateRule, ...]:
    """The triples and rules a parse states; none where its columns do not fit together.

    A name is its words in lower case; a predicate without an object is the tail of `IS`. A variable is `?0`, `?1`, ….
    """
    terms = _terms(words, parse)
    clauses = None if terms is None else _clauses(words, parse, terms)
    if not clauses:
        return ()
    body = tuple(pattern for pattern, concluded in clauses if not concluded)
    heads = [pattern for pattern, concluded in clauses if concluded]
    found: list[CandidateTriple | CandidateRule] = []
    for head in heads:
        if body or head.head.startswith("?") or head.tail.startswith("?"):
            found.append(CandidateRule(body, head, confidence=confidence, sentence=sentence))
        else:
            found.append(replace(head, confidence=confidence, sentence=sentence))
    return tuple(found)


def _terms(words: Sequence[str], parse: Parse) -> dict[int, str] | None:
    """What each name, variable and kind stands for, by the position of its first word."""
    terms: dict[int, str] = {}
    for at, role in enumerate(parse.roles):
        if role is Role.NAME:
            terms[at] = _span(words, parse, at)
        elif role is Role.KIND:
            terms[at] = f"?{at}"
        elif role is Role.VARIABLE:
            earlier = parse.antecedent[at]
            if earlier != NO_WORD and (earlier >= at or earlier not in terms):
                return None
            terms[at] = f"?{at}" if earlier == NO_WORD else terms[earlier]
    order = {term: f"?{number}" for number, term in enumerate(dict.fromkeys(t for t in terms.values() if t[0] == "?"))}
    return {at: order.get(term, term) for at, term in terms.items()}


def _clauses(words: Sequence[str], parse: Parse, terms: dict[int, str]) -> list[tuple[Pattern, bool]] | None:
    """Each predicate as a pattern, and whether it is concluded."""
    found = []
    for at, role in enumerate(parse.roles):
        if role is Role.KIND:
            found.append((Pattern(terms[at], IS, words[at]), False))
        elif role is Role.PREDICATE:
            subject, object = parse.subject[at], parse.object[at]
            if subject not in terms or (object != NO_WORD and object not in terms):
                return None
            said = _span(words, parse, at)
            relation, tail = (IS, said) if object == NO_WORD else (said, terms[object])
            found.append((Pattern(terms[subject], relation, tail, not parse.denied[at]), parse.concluded[at]))
        elif role is Role.REST and (at == 0 or parse.roles[at - 1] not in (Role.NAME, Role.PREDICATE, Role.REST)):
            return None
    return found


def _span(words: Sequence[str], parse: Parse, start: int) -> str:
    stop = start + 1
    while stop < len(words) and parse.roles[stop] is Role.REST:
        stop += 1
    return " ".join(words[start:stop])
