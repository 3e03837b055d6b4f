"""What keeps rule files from loading, as findings: one for each bad rule, where the language lets a reader go on.

A file that does not parse as a whole is read piece by piece (`rule_pieces`): each rule with the prefixes declared
before it, on the lines where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from engine.audit.finding import AuditRule, Finding, Kind
from engine.audit.rule_pieces import pieces
from engine.symbolic.builtins import check_functions
from engine.symbolic.imports import parser_of
from engine.symbolic.rules import Location, Rule, RuleSet, Severity, check_safety
from engine.symbolic.srl import load_rules, parse_rules, read_rule_file
from engine.symbolic.stratify import stratify_rules
from kg.errors import (
    MissingFileError,
    NoesisError,
    PlacedError,
    StratificationError,
    SyntaxInputError,
    UnsafeRuleError,
    UnsupportedRuleError,
    place,
)

__all__ = ["rule_file_findings"]

_PIECES = 4_000
"""Pieces of one file that are read one by one, some milliseconds each."""
_CYCLES = 50
"""Cycles through NOT that are told."""


def _rule(id: str, text: str) -> AuditRule:
    return AuditRule(id, Kind.RULE, Severity.VIOLATION, text)


SYNTAX = _rule("rule-syntax", "A rule file follows the grammar of its language.")
UNSAFE = _rule("rule-unsafe", "Every variable of a rule has a value where it is needed.")
UNSUPPORTED = _rule("rule-unsupported", "Everything that a rule asks for can be evaluated.")
NO_STRATA = _rule("rule-not-stratified", "No rule depends on its own result through NOT, SET or a new term.")
UNREADABLE = _rule("rule-file-unreadable", "A rule file and what it imports can be read.")
OTHER = _rule("rule-file-fault", "A rule file loads.")


def rule_file_findings(paths: Iterable[str | Path]) -> Iterator[Finding]:
    """What is wrong with rule files, file by file in the order of lines, then rules that have no strata together."""
    good: list[Rule] = []
    for path in paths:
        found = list(_of_file(Path(path), str(path), good))
        yield from sorted(found, key=lambda finding: finding.location.line if finding.location else 0)
    yield from _without_strata(good)


def _of_file(path: Path, name: str, good: list[Rule]) -> Iterator[Finding]:
    faults = 0
    try:
        text = read_rule_file(path, name)
        rulesets = _parsed(path, text, name)
    except NoesisError as error:
        yield _finding(error, name)
        return
    imports = False
    for item in rulesets:
        if isinstance(item, NoesisError):
            faults += 1
            yield _finding(item, name)
            continue
        imports = imports or bool(item.imports)
        for rule in item:
            try:
                check_safety(rule)
                check_functions(rule)
            except NoesisError as error:
                faults += 1
                yield _finding(error, name)
            else:
                good.append(rule)
    if imports and not faults:
        try:
            good += [rule for rule in load_rules(path) if rule not in good]
        except NoesisError as error:
            yield _finding(error, name)


def _parsed(path: Path, text: str, name: str) -> list[RuleSet | NoesisError]:
    """The rules of a text, with errors for the pieces of it that cannot be read."""
    parse = parser_of(path) or partial(parse_rules, check=False)
    read = partial(parse, file=name, base=path.resolve().as_uri())
    try:
        return [read(text)]
    except NoesisError as error:
        rulesets: list[RuleSet | NoesisError] = []
        faults: dict[str, NoesisError] = {}
        for piece in pieces(text, path.suffix)[:_PIECES]:
            try:
                rulesets.append(read(piece))
            except NoesisError as fault:
                faults.setdefault(str(fault), fault)
        return [*rulesets, *(faults.values() or [error])]


def _without_strata(rules: list[Rule]) -> Iterator[Finding]:
    """The cycles through NOT, each found without the rule at which the one before it was told."""
    rest = [rule for rule in rules if rule.head]
    for _ in range(_CYCLES):
        try:
            stratify_rules(rest)
        except StratificationError as error:
            yield _finding(error, None)
            less = [rule for rule in rest if not _is_at(rule, error)]
            if len(less) == len(rest):
                return
            rest = less
        else:
            return


def _is_at(rule: Rule, error: PlacedError) -> bool:
    at = rule.location
    return at is not None and (at.file, at.line, at.column) == (error.file, error.line, error.column)


def _finding(error: NoesisError, name: str | None) -> Finding:
    kinds: tuple[tuple[type[NoesisError], AuditRule], ...] = (
        (MissingFileError, UNREADABLE),
        (SyntaxInputError, SYNTAX),
        (UnsafeRuleError, UNSAFE),
        (UnsupportedRuleError, UNSUPPORTED),
        (StratificationError, NO_STRATA),
    )
    rule = next((rule for kind, rule in kinds if isinstance(error, kind)), OTHER)
    file, line, column = name, None, None
    message = str(error)
    if isinstance(error, PlacedError):
        file, line, column = error.file or name, error.line, error.column
        message = message.removeprefix(f"{place(error.file, error.line, error.column)}: ")
    location = None if file is None else Location(file, line or 1, column or 1)
    return Finding(rule, rule.severity, message, location=location, detail={"line": line, "column": column})
