"""The page of an audit: complete and inert as text, and usable in a browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipelines.report.audit_html import MOST_DRAWN, render_audit_html
from tests.audit_reports import HOSTILE, full, many, reports

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync"
ACTING = ("on", "style", "srcset", "formaction", "action", "background")


class Page(HTMLParser):
    """The elements of a page and its text; an attribute that acts is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.hrefs: list[str] = []
        self.acting: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.acting += [name for name, _ in attrs if name.startswith(ACTING) or name == "src"]
        self.hrefs += [value or "" for name, value in attrs if name in ("href", "xlink:href")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("name", sorted(reports()))
def test_nothing_in_a_report_acts_in_its_page(name: str) -> None:
    text = render_audit_html(reports()[name])
    page = Page(text)
    assert page.acting == []
    assert page.tags.count("style") == 1
    assert page.tags.count("script") == (1 if reports()[name]["findings"] else 0)
    assert not {"img", "iframe", "object", "embed", "link", "base"} & set(page.tags)
    assert all(href.startswith(("#", "https://", "http://")) for href in page.hrefs)
    assert [c for c in text if not c.isprintable() and c != "\n"] == []


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_wherever_it_stands(text: str) -> None:
    page = Page(render_audit_html(full(text)))
    assert page.acting == []
    assert (page.tags.count("script"), page.tags.count("style"), page.tags.count("img")) == (1, 1, 0)
    assert all(href.startswith(("#", "https://", "http://")) for href in page.hrefs)


def test_totals_are_true_where_findings_are_left_out() -> None:
    text = " ".join(Page(render_audit_html(reports()["capped"])).text)
    totals = reports()["capped"]["totals"]
    assert totals["shown"] < totals["findings"]
    assert f"{totals['findings']:,} findings" in text
    assert f"{totals['shown']} of them are told here" in re.sub(r"\s+", " ", text)


def test_every_part_of_a_report_is_told() -> None:
    text = re.sub(r"\s+", " ", " ".join(Page(render_audit_html(full("PART"))).text))
    for heading in ("By rule", "By rule and class", "What findings have in common", "Findings", "What would mend it"):
        assert heading in text
    assert "Minimal sets of asserted triples that suffice (there may be more)" in text
    assert "Claims of PART" in text
    assert "Since PART" in text
    assert "The audit is incomplete: PART" in text


def test_proofs_past_the_bound_are_told_in_words() -> None:
    page = Page(render_audit_html(many(MOST_DRAWN + 50)))
    assert page.tags.count("pre") == MOST_DRAWN + 50
    assert sum(tag == "svg" for tag in page.tags) >= MOST_DRAWN
    drawn = render_audit_html(many(MOST_DRAWN + 50)).count('class="drawn"')
    assert drawn == MOST_DRAWN


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on the path")
    with sync.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield started
        started.close()


class Opened:
    """A page in the browser, and everything it should not do."""

    def __init__(self, browser: Any, path: Path) -> None:
        self.page = browser.new_page(viewport={"width": 1200, "height": 900})
        self.trouble: list[str] = []
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("dialog", self.dismiss)
        self.page.on("request", lambda request: self.trouble.append(request.url))
        self.page.goto(path.as_uri())
        self.trouble = [each for each in self.trouble if each != path.as_uri()]

    def dismiss(self, dialog: Any) -> None:
        self.trouble.append(dialog.message)
        dialog.dismiss()


def test_the_page_filters_searches_and_shows_proofs(browser: Any, tmp_path: Path) -> None:
    report = reports()["inconsistent"]
    path = tmp_path / "audit.html"
    path.write_text(render_audit_html(report), encoding="utf-8")
    opened = Opened(browser, path)
    page = opened.page

    def visible() -> int:
        return int(page.locator("details.finding:visible").count())

    assert visible() == len(report["findings"])
    worst = [finding for finding in report["findings"] if finding["severity"] == "violation"]
    page.select_option("[data-by=severity]", "violation")
    assert visible() == len(worst) > 0
    assert page.locator("#shown").inner_text() == f"{len(worst)} of {len(report['findings'])} shown"
    page.click("#clear")
    page.fill("#search", "disjoint tom")
    assert visible() == 1
    finding = page.locator("details.finding:visible")
    finding.locator("summary").first.click()
    finding.locator("details.drawn > summary").click()
    assert finding.locator(".proof svg").is_visible()
    assert "tom is an animal" in finding.locator(".proof svg").text_content()
    finding.locator("details.words > summary").click()
    assert finding.locator("pre").is_visible()
    page.screenshot(path=str(tmp_path / "audit.png"))
    page.click("#clear")
    page.locator("[data-choose=rule]").first.click()
    assert 0 < visible() < len(report["findings"])
    page.goto(f"{path.as_uri()}#f-{worst[0]['key']}")
    page.reload()
    assert page.locator(f"#f-{worst[0]['key']}").get_attribute("open") is not None
    assert [each for each in opened.trouble if not each.startswith(path.as_uri())] == []


@pytest.mark.parametrize("name", ["hostile", "full", "many"])
def test_a_browser_runs_nothing_of_a_report(browser: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / "audit.html"
    path.write_text(render_audit_html(reports()[name]), encoding="utf-8")
    opened = Opened(browser, path)
    for finding in opened.page.locator("details.finding > summary").all()[:40]:
        finding.click()
    opened.page.fill("#search", "script")
    opened.page.wait_for_timeout(100)
    assert opened.trouble == []
