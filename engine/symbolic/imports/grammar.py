"""Parsers of the imported texts: each is the grammar of SPARQL-RL with a few productions and a start symbol of its own.

So terms, prefixes, strings and abbreviated triples mean the same in every text, and are read by the same code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from engine.symbolic.srl_terms import TermReader
from kg.errors import LimitError, NoesisError, PlacedError, SyntaxInputError, UnsupportedRuleError

__all__ = ["MAX_BYTES", "read"]

MAX_BYTES = 20_000_000
"""Size of one text: about 200 000 rules."""
MAX_DEPTH = 1000
"""Brackets inside brackets: what is deeper was not written by hand, and would take long."""
_FOLDER = Path(__file__).parent


def read(text: str, language: str, reader: TermReader, *, file: str, beyond: Mapping[str, str]) -> Any:
    """What a reader makes of a text.

    Args:
        language: `n3`, `jena` or `construct`, the name of the grammar.
        beyond: patterns of how that begins which the language has and rules here have not, and what it is.

    Raises:
        SyntaxInputError: the text does not follow the grammar.
        UnsupportedRuleError: it uses something of `beyond`.
        LimitError: it is longer than the cap, or nested deeper.
    """
    if len(text) > MAX_BYTES:
        raise LimitError(f"Expected rules of at most {MAX_BYTES} characters (got {len(text)})", file=file)
    _check_depth(text, file)
    text = text.removeprefix("\ufeff")
    try:
        return reader.transform(_parser(language).parse(text))
    except VisitError as error:
        if isinstance(error.orig_exc, NoesisError):
            raise error.orig_exc from None
        raise
    except UnexpectedInput as error:
        raise _refusal(error, text, language, file, beyond) from None


def _check_depth(text: str, file: str) -> None:
    """Brackets in strings are counted too, which no text that people write notices."""
    depth = 0
    for bracket in re.finditer(r"[][(){}]", text):
        depth += 1 if bracket[0] in "[({" else -1
        if depth > MAX_DEPTH:
            line = text.count("\n", 0, bracket.start()) + 1
            raise LimitError(f"Expected brackets nested at most {MAX_DEPTH} deep; flatten them", file=file, line=line)


@cache
def _parser(language: str) -> Lark:
    grammar = (_FOLDER.parent / "srl.lark").read_text("utf-8") + (_FOLDER / f"{language}.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", start=language)


def _refusal(error: UnexpectedInput, text: str, language: str, file: str, beyond: Mapping[str, str]) -> PlacedError:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        line, column = text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1
        message = f"Expected {_NAMES[language]} to go on (got the end of the text)"
        return SyntaxInputError(message, file=file, line=line, column=column)
    got = _got(error, text)
    known = next((said for sign, said in beyond.items() if re.match(sign, got, re.IGNORECASE)), None)
    if known is not None:
        message = f"Expected a rule without {known} (got '{got}'), which cannot be imported; write it in SPARQL-RL"
        return UnsupportedRuleError(message, file=file, line=error.line, column=error.column)
    wanted = _expected(error)
    hint = f", such as {wanted}" if wanted else ""
    message = f"Expected {_NAMES[language]}{hint} (got '{got}')"
    return SyntaxInputError(message, file=file, line=error.line, column=error.column)


_NAMES = {"n3": "N3", "jena": "a Jena rule", "construct": "CONSTRUCT { … } WHERE { … }"}


def _got(error: UnexpectedInput, text: str) -> str:
    """The unexpected text, up to the next space, and never shorter than the token."""
    if isinstance(error, (UnexpectedToken, UnexpectedCharacters)):
        start = error.pos_in_stream if not isinstance(error, UnexpectedToken) else error.token.start_pos
        rest = text[start or 0 :].split(None, 1)
        if rest:
            return rest[0] if len(rest[0]) <= 40 else rest[0][:37] + "..."
    return "a space"


def _expected(error: UnexpectedInput) -> str:
    """The signs that could stand there, where they are few."""
    if isinstance(error, UnexpectedToken):
        names = set(error.accepts or error.expected)
    else:
        names = set(error.allowed or ()) if isinstance(error, UnexpectedCharacters) else set()
    signs = {name: _SIGNS[name] for name in names if name in _SIGNS}
    return " or ".join(sorted(f"'{sign}'" for sign in signs.values())) if len(signs) == len(names) else ""


_SIGNS = {
    "RBRACE": "}",
    "LBRACE": "{",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "DOT": ".",
    "COMMA": ",",
    "IMPLIES": "=>",
    "IMPLIED_BY": "<=",
    "FORWARD": "->",
    "BACKWARD": "<-",
    "WHERE": "WHERE",
    "CONSTRUCT": "CONSTRUCT",
    "PREFIX": "PREFIX",
    "BASE": "BASE",
    "AS": "AS",
}
