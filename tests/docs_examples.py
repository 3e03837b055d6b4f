"""The runnable blocks of README and docs. `python -m tests.docs_examples` writes what they print into the pages."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETUP = ("make ", "pip ", "git ")


@dataclass(frozen=True)
class Example:
    """A block, and the block without a language after it, which says what it prints."""

    page: str
    number: int
    language: str
    source: str
    expected: str | None
    span: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.page}-{self.number}-{self.language}"

    @property
    def sets_up(self) -> bool:
        """Whether it only makes the environment, which whoever runs this already has."""
        return self.language == "shell" and all(line.startswith(SETUP) for line in self.source.splitlines() if line)


def examples() -> list[Example]:
    """Every Python and shell block, page by page."""
    found = []
    for page in PAGES:
        blocks = list(BLOCK.finditer(page.read_text(encoding="utf-8")))
        for at, block in enumerate(blocks):
            if block[1] in ("python", "shell"):
                after = blocks[at + 1] if at + 1 < len(blocks) else None
                told = after if after is not None and after[1] == "" else None
                span = told.span(2) if told else (0, 0)
                found.append(Example(str(page.relative_to(ROOT)), at, block[1], block[2], told and told[2], span))
    return found


def run(example: Example) -> str:
    """What a block prints; a failing one raises."""
    if example.language == "python":
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.chdir(ROOT):
            exec(compile(example.source, str(example), "exec"), {"__name__": "example"})
        return out.getvalue()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        ["bash", "-ec", example.source],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PATH": path, "COLUMNS": "120"},
        check=False,
    )
    if done.returncode or "Traceback" in done.stderr:
        raise RuntimeError(f"{example} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def update() -> None:
    """Write what each block prints into the page, after it."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for example in reversed([e for e in examples() if ROOT / e.page == page and e.expected is not None]):
            start, end = example.span
            text = text[:start] + run(example).strip() + "\n" + text[end:]
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    update()
