"""What a SPARQL query may ask: SELECT and ASK over one graph, nothing that writes, fetches or nests without end.

The query is only cut into tokens here, so that the refusal can name the keyword and its place; pyoxigraph parses it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping

from kg.errors import InputError, LimitError, NotSupportedError, SyntaxInputError, place

__all__ = ["check_query", "line_and_column", "syntax_error"]

_TOKEN = re.compile(
    r"""
    (?P<skip>\s+|\#[^\n]*)
    |(?P<string>\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<iri><[^<>"{}|^`\s]*>)
    |(?P<name>[?$@][\w-]++|:(?:[\w:.%-]|\\.)*+)
    |(?P<word>\w[\w.-]*+)(?P<local>:(?:[\w:.%-]|\\.)*+)?
    |(?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_DEPTH = 64  # pyoxigraph overflows its stack somewhere past a thousand; people write fewer than ten
_CHARACTERS = 1 << 20
_FORMS = {"SELECT", "ASK"}
_PROLOGUE = {"PREFIX", "BASE", "VERSION"}
_REMEDIES = {
    "CONSTRUCT": "use SELECT and build the triples from its rows",
    "DESCRIBE": "use `neighbours`",
    "SERVICE": "load the other graph's files together with this one",
    "FROM": "load the files to query; all their triples are one graph",
}
_UPDATES = {"INSERT", "DELETE", "LOAD", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD", "WITH"}


def check_query(query: str) -> str:
    """The query's form, SELECT or ASK.

    Raises:
        NotSupportedError: another form, an update, SERVICE or FROM; the message names it and its place.
        LimitError: more than 64 nested brackets, or a text of more than 2²⁰ characters.
        SyntaxInputError: no query form in it.
    """
    if len(query) > _CHARACTERS:
        raise LimitError(f"Expected a query of at most {_CHARACTERS} characters (got {len(query)}); shorten it")
    form, depth = "", 0
    for kind, text, at in _tokens(query):
        word = text.upper()
        if kind == "mark":
            depth += (text in "{([") - (text in "})]")
            if depth > _DEPTH:
                line, column = line_and_column(query, at)
                raise LimitError(
                    f"Expected at most {_DEPTH} nested brackets; flatten the query",
                    file="<query>",
                    line=line,
                    column=column,
                )
        elif kind == "word" and not form and word not in _PROLOGUE:
            form = word
            if word in _FORMS:
                continue
            if word in _UPDATES or word in _REMEDIES:
                raise _refusal(query, word, at)
            line, column = line_and_column(query, at)
            near = difflib.get_close_matches(word, _FORMS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SyntaxInputError(
                f"Expected SELECT or ASK (got {text[:40]!r}){hint}", file="<query>", line=line, column=column
            )
        elif kind == "word":
            # `1.SERVICE` is a number, a dot and a keyword.
            for part in re.finditer(r"\b(?:SERVICE|FROM)\b", word):
                raise _refusal(query, part[0], at + part.start())
    if not form:
        raise SyntaxInputError("Expected SELECT or ASK (got no query)", file="<query>", line=1, column=1)
    return form


def _tokens(query: str) -> Iterator[tuple[str, str, int]]:
    for found in _TOKEN.finditer(query):
        if found.lastgroup != "skip":
            kind = "name" if found["local"] else str(found.lastgroup)
            yield kind, found[0], found.start()


def _refusal(query: str, word: str, at: int) -> NotSupportedError:
    where = place("<query>", *line_and_column(query, at))
    remedy = _REMEDIES.get(word, "a graph is read only; change its files and load again")
    return NotSupportedError(f"{where}: Expected SELECT or ASK over this graph (got {word}); {remedy}")


def line_and_column(text: str, at: int) -> tuple[int, int]:
    """1-based line and column of a position in a text."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def syntax_error(query: str, message: str, prefixes: Mapping[str, str]) -> InputError:
    """The typed error for a message of the SPARQL parser, `error at LINE:COLUMN: expected …`."""
    found = re.match(r"error at (\d+):(\d+): (.*)", message, re.DOTALL)
    if not found:
        return SyntaxInputError(f"{message}; correct the query", file="<query>")
    line, column, reason = int(found[1]), int(found[2]), " ".join(found[3].split())
    lines = query.split("\n")
    rest = lines[line - 1][column - 1 :].strip() if line <= len(lines) else ""
    got = f"(got {rest[:40]!r})" if rest else "(got the end of the line)"
    if "Prefix not found" in reason:
        before = re.search(r"([\w.-]*):[^\s:]*$", lines[line - 1][: column - 1])
        name = before[1] if before else rest.partition(":")[0]
        near = ", ".join(difflib.get_close_matches(name, prefixes, n=3)) or ", ".join(sorted(prefixes))
        reason = f"Expected a declared prefix (got {name}:); declare it with PREFIX, or use one of: {near}"
    elif "IRI parsing failed" in reason:
        reason = f"Expected a valid IRI just before {rest[:40]!r}; percent-encode what is not allowed in it"
    elif "unbound" in reason or "not authorized" in reason:
        sentence = re.search(r"The SELECT[^,]*|SELECT \*[^,]*", reason)
        reason = f"{sentence[0] if sentence else reason} {got}; correct the query"
    else:
        reason = (
            f"Expected one of {_few(reason.removeprefix('expected ').removeprefix('one of '))} {got}; correct the query"
        )
    return SyntaxInputError(reason, file="<query>", line=line, column=column)


def _few(choices: str) -> str:
    """The parser's list of what may follow without its character ranges, at most eight."""
    words = [word for word in re.split(r",\s+(?![^\[]*\])", choices) if "[" not in word]
    return ", ".join(words[:8]) + (", …" if len(words) > 8 else "") if words else "something else"
