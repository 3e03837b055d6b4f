"""Text that others wrote, made safe for a report: one line, no invisible characters, of bounded length."""

from __future__ import annotations

import re

from pipelines.describe import inert

__all__ = ["block", "cut", "escape_unprintable", "line", "quantity"]

_UNPRINTABLE = re.compile(r"[^\n\x20-\x7e]")


def line(text: str) -> str:
    """The text in one line, U+FFFD for controls, bidirectional overrides and other invisible characters."""
    return " ".join(inert(text.replace("\r", " ")).split())


def block(text: str) -> str:
    """The same, with line breaks and indentation kept."""
    return inert(text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "  "))


def cut(text: str, most: int) -> str:
    """The text, or its beginning and an ellipsis where it has more than so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def quantity(count: int, noun: str) -> str:
    """`1 warning`, `2 warnings`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def escape_unprintable(text: str, *, astral: bool = False) -> str:
    r"""JSON or Turtle with `\u` in place of each character that is not printable; line breaks stay.

    Such characters stand inside strings and IRIs only, where both syntaxes read the escape as the character.

    Args:
        astral: whether the syntax has `\U` with eight digits; else two surrogates are written, as JSON has it.
    """

    def escape(found: re.Match[str]) -> str:
        char = found[0]
        if char.isprintable():
            return char
        code = ord(char)
        if code < 0x10000:
            return f"\\u{code:04x}"
        return f"\\U{code:08x}" if astral else "".join(f"\\u{unit:04x}" for unit in _surrogates(code))

    return _UNPRINTABLE.sub(escape, text)


def _surrogates(code: int) -> tuple[int, int]:
    return 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF)
