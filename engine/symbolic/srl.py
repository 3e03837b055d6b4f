"""SPARQL-RL text <-> rules, after the W3C editor's draft of August 2026 (files `*.srl`, `application/sparql-rl`).

The draft still moves: what depends on its grammar is in `srl.lark`, `srl_tree.py` and `srl_text.py`, and the rest of
the project knows rules only as values. Our extensions are constraints (an empty head, or a head that describes a
`sh:ValidationResult`) and the annotations `rdfs:comment` and `dct:source` of a rule's IRI in a DATA block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from engine.symbolic.builtins import check_functions
from engine.symbolic.rules import RuleSet
from engine.symbolic.srl_text import ruleset_text
from engine.symbolic.srl_tree import RuleReader
from kg.errors import LimitError, MissingFileError, NoesisError, RuleError, SyntaxInputError

__all__ = ["DRAFT", "load_rules", "parse_rules", "read_rule_file", "ruleset_text"]

DRAFT = "SPARQL 1.2 RL, W3C editor's draft, August 2026"
MAX_BYTES = 20_000_000
"""Size of one rule file: about 200 000 rules."""


def parse_rules(text: str, *, file: str = "<text>", base: str | None = None, check: bool = True) -> RuleSet:
    """The rules, constraints and data of a SPARQL-RL text; IMPORTS are noted, not followed.

    Args:
        file: name for locations and errors. base: what relative IRIs are resolved against until a BASE declaration.
        check: whether unsafe rules are refused; without it, only the grammar counts (`materialise` checks anyway).

    Raises:
        SyntaxInputError: the text does not follow the grammar, with line, column and what was expected.
        UnsafeRuleError: a variable of a rule has no value where it is needed.
        LimitError: the text is longer than the cap.
    """
    if len(text) > MAX_BYTES:
        raise LimitError(f"Expected rules of at most {MAX_BYTES} characters (got {len(text)})", file=file)
    try:
        tree = _parser().parse(text.removeprefix("\ufeff"))
        result = RuleReader(text, file=file, base=base, check=check).transform(tree)
    except VisitError as error:
        if isinstance(error.orig_exc, NoesisError):
            raise error.orig_exc from None
        raise
    except UnexpectedInput as error:
        raise _syntax_error(error, text, file) from None
    assert isinstance(result, RuleSet)
    return result


def load_rules(files: str | Path | Sequence[str | Path], *, root: str | Path | None = None) -> RuleSet:
    """The rules of some files and of what they import, as one rule set.

    The language goes by the suffix: `.n3` is N3, `.rules` and `.jena` are Jena's, all else is SPARQL-RL.

    Args:
        files: read in order; a file is read once. root: folder that imported files must lie in, by default the folder
            of the file that imports.

    Raises:
        MissingFileError, SyntaxInputError, UnsafeRuleError, LimitError: see `parse_rules`.
        UnsupportedRuleError: a rule calls a function that cannot be evaluated.
        RuleError: an import is not a file inside the root; nothing is ever fetched.
    """
    paths = [files] if isinstance(files, (str, Path)) else list(files)
    merged, done = RuleSet(), set[Path]()
    for path in paths:
        merged = _load(Path(path), str(path), root, merged, done)
    return RuleSet(merged.rules, merged.constraints, merged.data, merged.prefixes)


def _load(path: Path, name: str, root: str | Path | None, merged: RuleSet, done: set[Path]) -> RuleSet:
    from engine.symbolic.imports import parser_of

    queue = [(path, name)]
    while queue:
        path, name = queue.pop(0)
        path = path.resolve()
        if path in done:
            continue
        done.add(path)
        parse = parser_of(path) or parse_rules
        rules = parse(read_rule_file(path, name), file=name, base=path.as_uri())
        for rule in rules:
            check_functions(rule)
        folder = Path(root).resolve() if root is not None else path.parent
        queue += [_imported(iri, folder, name) for iri in rules.imports]
        merged = merged.merge(rules)
    return merged


def read_rule_file(path: Path, name: str) -> str:
    """The text of a rule file.

    Raises:
        MissingFileError: it is not there or cannot be read. LimitError: more than `MAX_BYTES`.
        SyntaxInputError: no UTF-8.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LimitError(f"Expected a rule file of at most {MAX_BYTES} bytes", file=name)
        raw = path.read_bytes()
    except FileNotFoundError:
        raise MissingFileError("Expected a rule file (there is none of this name)", file=name) from None
    except OSError as error:
        raise MissingFileError(f"Expected a readable rule file ({error.strerror})", file=name) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SyntaxInputError("Expected UTF-8 text; save the file as UTF-8", file=name, line=line) from None


def _imported(iri: str, folder: Path, file: str) -> tuple[Path, str]:
    parts = urlsplit(iri)
    if parts.scheme != "file" or parts.netloc:
        raise RuleError(f"Expected IMPORTS of a file beside this one (got <{iri}>); nothing is fetched", file=file)
    path = Path(url2pathname(unquote(parts.path) if "%" in parts.path else parts.path)).resolve()
    if not path.is_relative_to(folder):
        raise RuleError(f"Expected IMPORTS of a file inside {folder.name}/ (got <{iri}>)", file=file)
    return path, str(path.relative_to(folder))


@cache
def _parser() -> Lark:
    return Lark(Path(__file__).with_name("srl.lark").read_text("utf-8"), parser="lalr", lexer="contextual")


# ---------------------------------------------------------------- errors in words

_WORDS = {
    "IRIREF": "an IRI",
    "PNAME_LN": "a prefixed name",
    "PNAME_NS": "a prefix",
    "VAR": "a variable",
    "BLANK_NODE_LABEL": "a blank node",
    "ANON": "a blank node",
    "NIL": "()",
    "A": "'a'",
    "LANG_DIR": "a language tag",
    "WORD": "a function",
    "BOOLEAN": "true or false",
    "AGGREGATE": "an aggregate",
    "COMPARE": "a comparison",
    "PLUS": "an operator",
    "MINUS": "an operator",
    "TIMES": "an operator",
    "DIVIDE": "an operator",
    "BANG": "'!'",
    "INVERSE": "'^'",
    "_ASSIGN": "':='",
    "_OPEN_TERM": "a triple term",
    "_OPEN_REIFIED": "a reified triple",
    "_CLOSE_TERM": "')>>'",
    "_CLOSE_REIFIED": "'>>'",
    "$END": "the end of the text",
    **dict.fromkeys(("STRING1", "STRING2", "STRING_LONG1", "STRING_LONG2"), "a string"),
    **dict.fromkeys((f"{n}{s}" for n in ("INTEGER", "DECIMAL", "DOUBLE") for s in ("", "_SIGNED")), "a number"),
}
_GROUPS = (
    ({"an IRI", "a prefixed name", "a prefix"}, "an IRI"),
    ({"an IRI", "a variable", "a string", "a number", "true or false", "a blank node"}, "a term"),
    ({"an IRI", "a variable", "a string", "a number", "true or false", "a function"}, "an expression"),
)


def _syntax_error(error: UnexpectedInput, text: str, file: str) -> SyntaxInputError:
    expected = _in_words(_expected(error))
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        line, column = text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1
        return SyntaxInputError(f"Expected {expected} (got the end of the text)", file=file, line=line, column=column)
    if isinstance(error, UnexpectedToken):
        got = f"'{_short(str(error.token))}'"
    else:
        rest = text[error.pos_in_stream or 0 :].split(None, 1)
        got = f"'{_short(rest[0])}'" if rest else "a space"
    return SyntaxInputError(f"Expected {expected} (got {got})", file=file, line=error.line, column=error.column)


def _expected(error: UnexpectedInput) -> Iterable[str]:
    if isinstance(error, UnexpectedToken):
        return error.accepts or error.expected
    return error.allowed if isinstance(error, UnexpectedCharacters) else ()


def _in_words(terminals: Iterable[str]) -> str:
    words = {_word(terminal) for terminal in terminals}
    for members, name in _GROUPS:
        if members <= words:
            words = {*(words - members), name}
    ordered = sorted(words, key=lambda word: (word.startswith("'"), word))
    if not ordered:
        return "something else"
    return ordered[0] if len(ordered) == 1 else f"{', '.join(ordered[:-1])} or {ordered[-1]}"


def _word(terminal: str) -> str:
    """The word for a terminal; punctuation stands for itself."""
    found = _WORDS.get(terminal)
    if found is None:
        found = next((f"'{t.pattern.value}'" for t in _parser().terminals if t.name == terminal), terminal)
        found = found.split("(?!")[0] + ("'" if "(?!" in found else "")
    return found


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
