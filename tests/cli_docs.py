"""The page on the command `noesis`, made from its help. `python -m tests.cli_docs` writes docs/cli.md."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

from typer.models import ArgumentInfo

from pipelines.cli import app

_VALUES = {"Path": "PATH", "str": "TEXT", "float": "NUMBER", "int": "INTEGER"}
PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
HEAD = """\
# The command `noesis`

This page is made from the command's own help by `python -m tests.cli_docs`.

Results go to stdout, everything else to stderr. An error is one line that begins with `noesis:` and says what was
expected, what came, and where.

| exit code | means |
|---|---|
| 0 | done; nothing is violated and no claim contradicted |
| 1 | a violation of the severity asked for (`audit`), or a contradicted claim (`ask`, `check`) |
| 2 | bad input or usage |
| 3 | not supported |
| 4 | a budget ran out: the result is right as far as it goes, and incomplete |
"""


def page() -> str:
    """The page in Markdown."""
    callbacks = [command.callback for command in app.registered_commands]
    return "\n".join([HEAD, *(line for callback in callbacks for line in _command(callback))])


def _command(callback: Any) -> Iterator[str]:
    name, hints = callback.__name__, get_type_hints(callback, include_extras=True)
    parameters = [_Parameter(p, *get_args(hints[p.name])[:2]) for p in inspect.signature(callback).parameters.values()]
    usage = " ".join([f"noesis {name}", *(p.place for p in parameters if p.is_argument), "[OPTIONS]"])
    yield from (f"## noesis {name}", "", inspect.getdoc(callback) or "", "", "```text", usage, "```", "")
    yield from ("| argument or option | meaning |", "|---|---|")
    for parameter in sorted(parameters, key=lambda p: not p.is_argument):
        yield f"| `{parameter.place}` | {parameter.meaning} |"
    yield ""


class _Parameter(NamedTuple):
    """A parameter of a command's function: its signature, its type, and what typer was told of it."""

    signature: inspect.Parameter
    kind: Any
    told: Any

    @property
    def is_argument(self) -> bool:
        return isinstance(self.told, ArgumentInfo)

    @property
    def place(self) -> str:
        """As it stands in the usage line or the table."""
        if self.is_argument:
            name = self.signature.name.upper() + ("..." if "list" in str(self.kind) else "")
            return name if self.signature.default is inspect.Parameter.empty else f"[{name}]"
        # In an annotation, typer keeps the first name where the default would stand.
        names, value = " or ".join([self.told.default, *self.told.param_decls]), ""
        choices = [
            kind for kind in (self.kind, *get_args(self.kind)) if isinstance(kind, type) and issubclass(kind, Enum)
        ]
        if choices:
            value = " " + "\\|".join(str(member.value) for member in choices[0])
        elif self.kind is not bool:
            value = " " + next(word for kind, word in _VALUES.items() if kind in str(self.kind))
        return names + value

    @property
    def meaning(self) -> str:
        """The help, with the default where it says something."""
        default = getattr(self.signature.default, "value", self.signature.default)
        shown = default is not None and not isinstance(default, bool) and default is not inspect.Parameter.empty
        return str(self.told.help).replace("|", "\\|") + (f" Default: `{default}`." if shown else "")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
