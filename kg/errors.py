"""Every error of the project, as one tree.

    NoesisError
    ├── PlacedError (ValueError)            something written that cannot be taken; knows file, line, column
    │   ├── InputError                      a file or text given by the user
    │   │   ├── MissingFileError (FileNotFoundError)
    │   │   ├── SyntaxInputError
    │   │   ├── EmptyGraphError
    │   │   └── LimitError                  larger, longer or deeper than the loader accepts
    │   └── RuleError                       a rule that cannot be used
    │       ├── UnsafeRuleError
    │       ├── StratificationError
    │       └── UnsupportedRuleError        valid in the language, not (yet) evaluated here
    ├── DomainError (ValueError)            a domain folder whose parts do not fit together
    │   └── TooSmallError                   too little to train a model on
    ├── ConfigError (ValueError)            an unknown key, a value out of range
    ├── UnknownTermError (KeyError)         a term that is not in the graph; knows the nearest ones
    ├── NotEntailedError (KeyError)         a proof was asked for of what does not follow
    ├── BudgetError                         a budget ran out where no marked result can be given
    ├── StoreError                          saved state that is corrupt or does not fit
    └── NotSupportedError                   asked for something this version cannot do

A message says what was expected, what came, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "BudgetError",
    "ConfigError",
    "DomainError",
    "EmptyGraphError",
    "InputError",
    "LimitError",
    "MissingFileError",
    "NoesisError",
    "NotEntailedError",
    "NotSupportedError",
    "PlacedError",
    "RuleError",
    "StoreError",
    "StratificationError",
    "SyntaxInputError",
    "TooSmallError",
    "UnknownTermError",
    "UnsafeRuleError",
    "UnsupportedRuleError",
    "place",
]


def place(file: str | None, line: int | None = None, column: int | None = None) -> str:
    """The position in the form editors understand: `file:line:column`, as far as it is known."""
    return ":".join(str(part) for part in (file, line, column) if part is not None)


class NoesisError(Exception):
    """The root of every error raised on purpose by this project."""


class PlacedError(NoesisError, ValueError):
    """Something that was written cannot be taken; `file`, `line`, `column` say where (1-based)."""

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        self.file, self.line, self.column = file, line, column
        where = place(file, line, column)
        super().__init__(f"{where}: {message}" if where else message)


class InputError(PlacedError):
    """A file or text given by the user cannot be taken."""


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder that was named is not there."""


class SyntaxInputError(InputError):
    """The text does not follow the grammar of its format."""


class EmptyGraphError(InputError):
    """The files were read and hold no triple."""


class LimitError(InputError):
    """The input is larger, longer or deeper than the loader accepts."""


class DomainError(NoesisError, ValueError):
    """A domain folder is incomplete or its parts contradict each other."""


class TooSmallError(DomainError):
    """A domain has too little to train a model on; it can be closed, queried and asked all the same."""


class ConfigError(NoesisError, ValueError):
    """A configuration has an unknown key or a value out of its range."""


class UnknownTermError(NoesisError, KeyError):
    """A term is not in the graph; `nearest` lists known ones that look alike."""

    def __init__(self, term: str, nearest: Sequence[str] = ()) -> None:
        self.term, self.nearest = term, tuple(nearest)
        hint = f"; the nearest known: {', '.join(self.nearest)}" if self.nearest else ""
        self.message = f"Expected a term of the graph (got {term}){hint}"
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class RuleError(PlacedError):
    """A rule cannot be used; the message names the rule and its place."""


class UnsafeRuleError(RuleError):
    """A variable of the rule is not bound where its value is needed."""


class StratificationError(RuleError):
    """A rule depends on its own result through negation, or a run-once rule on itself."""


class UnsupportedRuleError(RuleError):
    """The rule is valid in its language but uses a feature this engine does not evaluate."""


class NotEntailedError(NoesisError, KeyError):
    """A proof was asked for of a triple that does not follow from graph and rules."""

    def __str__(self) -> str:
        return str(self.args[0])


class BudgetError(NoesisError):
    """A budget of time, triples or memory ran out where no marked result can be given."""


class StoreError(NoesisError):
    """Saved state is incomplete, altered, or belongs to another graph."""


class NotSupportedError(NoesisError):
    """The request is understood but this version cannot do it."""
