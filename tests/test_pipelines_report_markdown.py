"""Markdown for pull requests: totals, bounded size, and text of others that shows as it is and never acts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipelines.report.inert_text import line
from pipelines.report.markdown import GITHUB_LIMIT, escaped, render_markdown
from tests.audit_reports import HOSTILE, NAMES, clash, full, many, reports

TAGS = {"details", "summary", "pre", "span", "h2", "p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
# What GitHub looks for in rendered text: mentions and addresses, issues, links, emoji.
ACTS = r"@\w|#\d|GH-\d|://|www\.|mailto:|xmpp:|:[\w+-]+:|\b[0-9a-f]{7,40}\b"


class Page(HTMLParser):
    """Tags, attributes and text of rendered Markdown; `shown` is the text outside `pre`."""

    def __init__(self, markdown: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.open = list[str](), list[tuple[str, Any]](), list[str]()
        self.text, self.shown, self.closed, self.comments = "", "", True, list[str]()
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, each) for each in attrs if each[0] != "style"]  # of table cells, by the parser
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.closed &= bool(self.open) and self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        self.shown += "" if "pre" in self.open else data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


@pytest.mark.parametrize("name", NAMES)
def test_only_our_own_markup_is_in_a_page(name: str) -> None:
    page = Page(render_markdown(reports()[name]))
    assert set(page.tags) <= TAGS
    assert page.tags.count("h2") == 1
    assert (page.attributes, page.comments, page.open, page.closed) == ([], [], [], True)
    assert re.findall(ACTS, page.shown, re.IGNORECASE) == []


@given(
    st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20), st.text("[]()<>!`*_~|#@:&;\\/.-+= \n\t$aw1", max_size=20))
)
def test_any_text_shows_as_it_is_and_does_nothing(text: str) -> None:
    page = Page(f"before {escaped(text)} after")
    assert (set(page.tags) - {"p", "span"}, page.attributes, page.comments) == (set(), [], [])
    assert page.text.replace("\N{WORD JOINER}", "").split() == f"before {line(text)} after".split()
    assert re.findall(ACTS, page.text, re.IGNORECASE) == []
    assert re.findall(r"\$", re.sub(r"<span>\$</span>", "", escaped(text))) == []


@given(
    st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20), st.text("[]()<>!`*_~|#@:&;\\/.-+= \n\t$aw1", max_size=20))
)
def test_no_text_adds_to_the_structure_of_a_page(text: str) -> None:
    found = Page(render_markdown(full(text)))
    expected = Page(render_markdown(full("plain")))
    mathless = [tag for tag in found.tags if tag != "span"]
    assert mathless == expected.tags
    assert (found.attributes, found.comments, found.open, found.closed) == ([], [], [], True)


def test_page_of_the_clash() -> None:
    text = render_markdown(clash().to_dict())
    page = Page(text)
    assert page.tags.count("tr") == 2
    assert page.tags.count("details") == 1
    assert page.tags.count("pre") == 2
    assert text.startswith("## Audit of clash\n\n**2 violations.**\n5 asserted and 0 inferred triples.\n\n| rule |")


def test_a_page_tells_every_part_of_a_report() -> None:
    shown = Page(render_markdown(full("odd"))).text
    for expected in (
        "Audit of odd",
        "Incomplete: odd",
        "Against odd (1 new, 3 unchanged, 1 mended).",
        "Mended: odd",
        "Claims of odd (2): 0 entailed, 1 contradicted, 0 unproven, 1 unknown.",
        "contradicted: odd: odd\nodd",
        "Cause of 4 findings: odd",
        "violation: odd, in odd:3",
        "warning (new): odd, in odd:3",
        "Repair: odd",
    ):
        assert expected in shown


@pytest.mark.parametrize("limit", [GITHUB_LIMIT, 5000, 1000])
@pytest.mark.parametrize("count", [10, 400, 5000])
def test_size_is_bounded_and_the_total_is_always_told(count: int, limit: int) -> None:
    text = render_markdown(many(count), limit=limit)
    told = text.count("**violation**")
    assert len(text) <= limit
    assert f"**{count:,} violations.**" in text or limit < 5000
    assert (f"{count - told:,} of {count:,} findings are not told here." in text) == (told < count)
    page = Page(text)
    assert (page.open, page.closed) == ([], True)


def test_long_labels_do_not_push_the_totals_out() -> None:
    text = render_markdown(full("<&" * 50_000))
    assert len(text) <= GITHUB_LIMIT
    assert "violation" in text.splitlines()[2]
