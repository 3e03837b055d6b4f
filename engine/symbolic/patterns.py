"""Regular expressions of REGEX and REPLACE: XPath patterns run on Python's engine, with a bound on backtracking.

Python's engine can take exponential time. A pattern in which a repetition repeats an ambiguous group is refused; for
the others the number of ways to split the text among the repetitions bounds the work, and must stay under a limit.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import lru_cache

from engine.symbolic.values import ExpressionError

__all__ = ["compile_pattern", "replace_all", "search"]

MAX_PATTERN = 1000
MAX_TEXT = 1_000_000
MAX_STEPS = 10**8
"""About two seconds of Python's engine."""

_QUANTIFIER = re.compile(r"[*+?]|\{(\d{1,4})(,(\d{0,4}))?\}")
_ESCAPE = re.compile(r"\\[nrtdDsSwW\\|.?*+(){}\[\]^$-]")
_CLASS = re.compile(r"\[\^?(?:\\[nrtdDsSwW\\|.?*+(){}\[\]^$-]|[^\\\[\]])+\]")


@dataclass(frozen=True)
class Pattern:
    """A checked pattern.

    Args:
        repeats: unbounded repetitions. choices: the product of what `?`, `{n,m}` and `|` let the engine choose.
    """

    compiled: re.Pattern[str]
    repeats: int
    choices: int

    def check(self, text: str) -> None:
        """Raises ExpressionError if matching the text may take longer than the limit."""
        size = len(text)
        splits = math.comb(size + self.repeats + 1, self.repeats + 1) if self.repeats else size + 1
        if size > MAX_TEXT or splits * self.choices > MAX_STEPS:
            raise ExpressionError(f"Expected a text short enough for the pattern's repetitions (got {size} characters)")


@lru_cache(maxsize=256)
def compile_pattern(pattern: str, flags: str = "") -> Pattern:
    """The pattern with XPath's flags `i`, `s`, `m`, `x`, `q`.

    Raises:
        ExpressionError: a syntax error, a construct XPath lacks or this engine cannot bound, or an unknown flag.
    """
    options = 0
    for flag in flags:
        if flag not in "ismxq":
            raise ExpressionError(f"Expected the regular expression flags i, s, m, x or q (got '{flag}')")
        options |= {"i": re.IGNORECASE, "s": re.DOTALL, "m": re.MULTILINE}.get(flag, 0)
    if len(pattern) > MAX_PATTERN:
        raise ExpressionError(f"Expected a pattern of at most {MAX_PATTERN} characters (got {len(pattern)})")
    if "q" in flags:
        return Pattern(re.compile(re.escape(pattern), options), 0, 1)
    if "x" in flags:
        pattern = re.sub(r"[ \t\r\n]", "", pattern)
    scan = _Scan(pattern, multiline="m" in flags)
    scan.run()
    try:
        return Pattern(re.compile(scan.text, options), scan.repeats, scan.choices)
    except (re.error, OverflowError, RecursionError) as error:
        raise ExpressionError(f"Expected a regular expression (got '{pattern[:60]}': {error})") from error


def search(text: str, pattern: str, flags: str = "") -> bool:
    """Whether the pattern matches somewhere in the text."""
    found = compile_pattern(pattern, flags)
    found.check(text)
    return found.compiled.search(text) is not None


def replace_all(text: str, pattern: str, replacement: str, flags: str = "") -> str:
    """The text with each match replaced; `$1` … `$9` in the replacement stand for groups, `\\$` for a dollar.

    Raises:
        ExpressionError: the pattern matches the empty string, or the replacement is malformed.
    """
    found = compile_pattern(pattern, flags)
    found.check(text)
    if found.compiled.search("") is not None:
        raise ExpressionError(f"Expected a pattern that does not match the empty string (got '{pattern[:60]}')")
    if "q" in flags:
        return found.compiled.sub(lambda _match: replacement, text)
    if not re.fullmatch(r"(?:[^\\$]|\\[\\$]|\$\d)*", replacement, re.DOTALL):
        raise ExpressionError(f"Expected $0 to $9, \\$ or \\\\ in a replacement (got '{replacement[:60]}')")

    def fill(match: re.Match[str]) -> str:
        def part(token: re.Match[str]) -> str:
            mark = token[0][1]
            return mark if token[0][0] == "\\" else _group(match, int(mark))

        return re.sub(r"\\[\\$]|\$\d", part, replacement)

    return found.compiled.sub(fill, text)


def _group(match: re.Match[str], number: int) -> str:
    return (match[number] or "") if number <= (match.re.groups or 0) else ""


@dataclass
class _Group:
    """What is known of an open group: whether it can match one text in two ways, and how its branches begin."""

    ambiguous: bool = False
    branches: list[str | None] = field(default_factory=lambda: [None])

    def begin(self, text: str) -> None:
        """Note the first atom of the present branch."""
        if self.branches[-1] is None:
            self.branches[-1] = text

    @property
    def uncertain(self) -> bool:
        """Whether repeating the group can backtrack without a bound."""
        if self.ambiguous or len(self.branches) == 1:
            return self.ambiguous
        plain = all(branch is not None and re.fullmatch(r"\w", branch) for branch in self.branches)
        return not plain or len({(branch or "").lower() for branch in self.branches}) < len(self.branches)


class _Scan:
    """One pass over a pattern: refuses what is not XPath or cannot be bounded, counts repetitions and choices."""

    def __init__(self, pattern: str, *, multiline: bool) -> None:
        self.pattern, self.multiline = pattern, multiline
        self.parts: list[str] = []
        self.repeats, self.choices = 0, 1
        self.groups = [_Group()]

    @property
    def text(self) -> str:
        """The pattern for Python's engine."""
        return "".join(self.parts)

    def run(self) -> None:
        at = 0
        while at < len(self.pattern):
            at = self._atom(at)
        if len(self.groups) != 1:
            raise self._refuse("every group to be closed")

    def _atom(self, at: int) -> int:
        char, pattern, group = self.pattern[at], self.pattern, self.groups[-1]
        if char == "(":
            skip = 3 if pattern.startswith("(?:", at) else 1
            if skip == 1 and pattern.startswith("(?", at):
                raise self._refuse("no (?…) group but (?:…)")
            group.begin("(")
            self.groups.append(_Group())
            self.parts.append(pattern[at : at + skip])
            return at + skip
        if char == "|":
            group.branches.append(None)
            self.choices *= 2
            self.parts.append("|")
            return at + 1
        if char in "^$":
            self.parts.append(r"\Z" if char == "$" and not self.multiline else char)
            return at + 1
        if char == ")":
            if len(self.groups) == 1:
                raise self._refuse("every group to be opened")
            inner = self.groups.pop()
            self.parts.append(")")
            return self._quantifier(at + 1, inner)
        if char in "*+?{":
            raise self._refuse("a quantifier after what it repeats, and one only")
        match = _ESCAPE.match(pattern, at) if char == "\\" else _CLASS.match(pattern, at) if char == "[" else None
        if char in "\\[]}" and match is None:
            raise self._refuse("plain escapes and character classes")
        text = match[0] if match else char
        group.begin(text)
        self.parts.append(text)
        return self._quantifier(at + len(text), None)

    def _quantifier(self, at: int, inner: _Group | None) -> int:
        group = self.groups[-1]
        match = _QUANTIFIER.match(self.pattern, at)
        uncertain = inner is not None and inner.uncertain
        if match is None:
            group.ambiguous |= inner is not None and inner.ambiguous
            return at
        low, high = _bounds(match)
        if uncertain and (high is None or high > 1):
            raise self._refuse("no repetition of a group that repeats or chooses inside, such as (a+)+ or (a|ab)*")
        if high is None:
            self.repeats += 1
        else:
            self.choices *= high - low + 1
        group.ambiguous |= low != high or uncertain
        self.parts.append(match[0])
        end = match.end()
        if self.pattern[end : end + 1] == "?":  # a reluctant quantifier tries the same splits in another order
            self.parts.append("?")
            end += 1
        return end

    def _refuse(self, wanted: str) -> ExpressionError:
        return ExpressionError(f"Expected a regular expression with {wanted} (got '{self.pattern[:60]}')")


def _bounds(match: re.Match[str]) -> tuple[int, int | None]:
    if match[1] is None:
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[match[0]]
    low = int(match[1])
    if not match[2]:
        return low, low
    return low, int(match[3]) if match[3] else None
