"""Dictionary keys of triple terms (RDF 1.2): `<<( subject predicate object )>>` over the keys of the parts.

The key of a literal has no escapes, so inside a triple term its backslashes and quotes get one; a part is then found
without ambiguity. Imports the standard library alone, because the workers use it.
"""

from __future__ import annotations

import re

__all__ = ["OPEN", "split_triple_key", "triple_key"]

OPEN, _CLOSE = "<<( ", " )>>"
_TOKEN = re.compile(r'<<\( | \)>>|<[^<>]*>|_:[^ ]+|"(?:[^"\\]|\\.)*"(?:@[^ ]+|\^\^<[^<>]*>)?', re.DOTALL)


def triple_key(subject: str, predicate: str, object: str) -> str:
    """The key of the triple term whose parts have these keys."""
    return f"{OPEN}{_inside(subject)} {_inside(predicate)} {_inside(object)}{_CLOSE}"


def split_triple_key(key: str) -> tuple[str, str, str]:
    """The keys of subject, predicate and object: `split_triple_key(triple_key(s, p, o)) == (s, p, o)`."""
    parts, depth, start = [], 0, 0
    for token in _TOKEN.finditer(key, len(OPEN), len(key) - len(_CLOSE)):
        text = token[0]
        if not depth:
            start = token.start()
        depth += (text == OPEN) - (text == _CLOSE)
        if not depth:
            parts.append(_outside(key[start : token.end()]))
    subject, predicate, object = parts
    return subject, predicate, object


def _inside(key: str) -> str:
    if key[0] != '"':
        return key
    end = key.rindex('"')
    text = key[1:end].replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}{key[end:]}'


def _outside(part: str) -> str:
    if part[0] != '"':
        return part
    end = part.rindex('"')
    text = re.sub(r"\\(.)", r"\1", part[1:end], flags=re.DOTALL)
    return f'"{text}{part[end:]}'
