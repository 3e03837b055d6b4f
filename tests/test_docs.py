"""README and docs: every Python and shell block runs, and prints what the block after it says."""

from __future__ import annotations

import re

import pytest

from tests.docs_examples import PAGES, ROOT, Example, examples, run


def test_the_readme_has_blocks_with_output_of_both_kinds() -> None:
    told = [e.language for e in examples() if e.page == "README.md" and e.expected is not None]
    assert sorted(set(told)) == ["python", "shell"]


@pytest.mark.parametrize("example", [e for e in examples() if not e.sets_up], ids=str)
def test_a_block_prints_what_the_page_says(example: Example) -> None:
    printed = run(example).strip()
    assert printed == (printed if example.expected is None else example.expected.strip())


def test_links_between_pages_lead_somewhere() -> None:
    links = [
        (page.name, link)
        for page in PAGES
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert links == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    names = [page.name for page in PAGES if page.parent.name == "docs" and page.name != "README.md"]
    assert [name for name in names if f"({name})" not in index] == []
