"""SPARQL `CONSTRUCT { … } WHERE { … }` -> head and body, as far as it is a rule.

A SPARQL filter applies to its whole group wherever it stands, so filters and NOT EXISTS are put behind the triples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from engine.symbolic.imports.grammar import read
from engine.symbolic.rules import Assignment, Atom, BodyElement, Filter, Negation
from engine.symbolic.srl_terms import Items
from engine.symbolic.srl_tree import RuleReader

__all__ = ["Construct", "parse_construct"]

_WORDS = "OPTIONAL MINUS GRAPH SERVICE VALUES SELECT GROUP HAVING FROM UNION LIMIT ORDER OFFSET EXISTS ASK DESCRIBE"
_BEYOND = {
    **{rf"{word}\b": word for word in _WORDS.split()},
    r"\{": "a group inside a group",
    r"\*": "a path with '*'",
    r"\+": "a path with '+'",
    r"\?(?!\w)": "a path with '?'",
    r"\|": "a path with '|'",
    "!": "a negated path",
}


class Construct(NamedTuple):
    """The triples to make and what they are made from."""

    head: tuple[Atom, ...]
    body: tuple[BodyElement, ...]


def parse_construct(text: str, *, prefixes: Mapping[str, str], file: str) -> Construct:
    """Head and body of a CONSTRUCT query. `$x` and `?x` are one variable.

    Args:
        prefixes: declared outside the text. file: name for errors.

    Raises:
        SyntaxInputError: the text is no CONSTRUCT query.
        UnsupportedRuleError: it uses a part of SPARQL that rules have not.
    """
    reader = _Reader(text, file=file, base=None)
    reader.declare(prefixes)
    result = read(text, "construct", reader, file=file, beyond=_BEYOND)
    assert isinstance(result, Construct)
    return result


class _Reader(RuleReader):
    def declare(self, prefixes: Mapping[str, str]) -> None:
        self._prefixes.update(prefixes)

    def construct(self, items: Items) -> Construct:
        head, body = (item for item in items if isinstance(item, list))
        return Construct(tuple(head), tuple(body))

    def where(self, items: Items) -> Items:
        elements = self.body(items)
        return sorted(elements, key=lambda element: _RANK.get(type(element), 0))

    def not_exists(self, items: Items) -> Negation:
        return self.negation([item for item in items if not isinstance(item, str)])

    def binding(self, items: Items) -> Assignment:
        return self.assignment([items[0], items[3], items[1]])


_RANK = {Filter: 1, Negation: 2}
