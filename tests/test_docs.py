"""README and docs: every Python and shell block runs, and prints what the block after it says."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETUP = ("make ", "pip ", "git ")


@dataclass(frozen=True)
class Example:
    page: str
    number: int
    language: str
    source: str
    expected: str | None

    def __str__(self) -> str:
        return f"{self.page}-{self.number}-{self.language}"


def examples() -> list[Example]:
    found = []
    for page in PAGES:
        blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
        for at, (language, source) in enumerate(blocks):
            if language in ("python", "shell"):
                after = blocks[at + 1] if at + 1 < len(blocks) else None
                expected = after[1] if after is not None and after[0] == "" else None
                found.append(Example(page.name, at, language, source, expected))
    return found


def test_the_pages_have_examples() -> None:
    assert {"python", "shell"} <= {e.language for e in examples() if e.page == "README.md"}


@pytest.mark.parametrize("example", [e for e in examples() if e.language == "python"], ids=str)
def test_a_python_block_prints_what_the_page_says(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(example.source, str(example), "exec"), {"__name__": "example"})
    if example.expected is not None:
        assert out.getvalue().strip() == example.expected.strip()


@pytest.mark.parametrize("example", [e for e in examples() if e.language == "shell"], ids=str)
def test_a_shell_block_prints_what_the_page_says(example: Example) -> None:
    lines = [line.removeprefix("$ ") for line in example.source.splitlines() if line.strip()]
    if all(line.startswith(SETUP) for line in lines):
        pytest.skip("sets the project up; run by whoever runs this test")
    scripts = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": f"{scripts}:/usr/bin:/bin", "HOME": str(Path.home()), "COLUMNS": "120"},
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.stdout.strip(), done.stderr
    if example.expected is not None:
        assert done.stdout.strip() == example.expected.strip()
