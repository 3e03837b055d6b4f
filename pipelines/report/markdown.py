"""A report as Markdown for a pull request (GitHub's dialect), of bounded size, with the true totals on top.

Text that others wrote is shown and never acts: no markup, no HTML, no link, no mention, no reference to an issue.
Escapes alone do not do that, since GitHub looks for mentions and links in what is rendered, after escapes are gone; so
a word joiner, which has no width, parts the characters that would make one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from pipelines.report.inert_text import block, cut, line, quantity
from pipelines.report.plain_text import claim_text, findings_by_rule, headline, place_of, rules_by_id

__all__ = ["GITHUB_LIMIT", "escaped", "render_markdown"]

Report = Mapping[str, Any]

GITHUB_LIMIT = 65_536
"""Characters of a comment on GitHub."""
# Our own words never put a colon right after text of others, which could make an emoji of its end.
_ROOM = 200  # kept free for the line that says what was left out
_LONGEST_NAME, _LONGEST_TEXT, _LONGEST_PROOF = 200, 600, 4000  # characters, so that one finding fills no page
_MOST_RULES, _MOST_OTHERS = 60, 20  # rows of the table, entries of a list; the table's other rules are counted

_JOINER = "\N{WORD JOINER}"
# What GitHub makes links of: addresses and mentions, hosts, issue numbers, commits, `GH-1`, emoji.
_LINKS = re.compile(
    r"(@|://|\bwww(?=\.)|#(?=\d)|\bGH(?=-\d)|\b[0-9a-f]{7,40}\b|\b(?:mailto|xmpp)(?=:)"
    r"|:(?=[\w+-]+:))",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!~^=-])")
_ENTITIES: Mapping[int, str] = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("|"): "&#124;"}


def render_markdown(report: Report, *, limit: int = GITHUB_LIMIT) -> str:
    """The report: totals, a table of rules, and for each rule a fold with its findings and their proofs.

    Args:
        limit: most characters; findings that have no room are counted in the last line.
    """
    page = _Page(limit - _ROOM)
    page.add("\n".join(_head(report)))
    for part in (*_against(report), *_claims(report), *_groups(report)):
        page.add(part)
    findings = findings_by_rule(report)
    told = sum(page.fold(_opening(rule), map(_entry, findings[rule["id"]])) for rule in rules_by_id(report).values())
    left = report["totals"]["findings"] - told
    if left:
        page.parts.append(f"{left:,} of {quantity(report['totals']['findings'], 'finding')} are not told here.\n")
    return "\n".join(page.parts)


class _Page:
    """Parts of a document, as long as there is room."""

    def __init__(self, room: int) -> None:
        self.room, self.parts = room, list[str]()

    def add(self, part: str) -> bool:
        """Add a part whole, or nothing of it."""
        if len(part) + 1 > self.room:
            return False
        self.room -= len(part) + 1
        self.parts.append(part)
        return True

    def fold(self, opening: str, entries: Iterator[str]) -> int:
        """Add as many entries as there is room for in a fold of their own; gives their number."""
        end = "</details>\n"
        told, size = list[str](), len(opening) + len(end) + 2
        for entry in entries:
            if size + len(entry) + 1 > self.room:
                break
            told.append(entry)
            size += len(entry) + 1
        if told:
            self.add("\n".join([opening, *told, end]))
        return len(told)


def escaped(text: str) -> str:
    """Text in one line that Markdown shows as it is."""
    return _MARKUP.sub(r"\\\1", _parted(line(text))).translate(_ENTITIES).replace("$", "<span>$</span>")


def _parted(text: str) -> str:
    return _LINKS.sub(lambda found: _part(found[0]), text)


def _part(found: str) -> str:
    if found == "://":
        return f":{_JOINER}//"
    return _JOINER.join(found[at : at + 6] for at in range(0, len(found), 6)) if len(found) > 6 else found + _JOINER


def _html(text: str) -> str:
    """Text inside our own HTML, where Markdown is not read."""
    return _preformatted(_parted(text))


def _preformatted(text: str) -> str:
    """Text inside `pre`, where GitHub looks for no links and no mentions."""
    return escape(text, quote=True).replace("$", "<span>$</span>")


def _head(report: Report) -> Iterator[str]:
    name = escaped(cut(report["subject"]["name"], _LONGEST_NAME))
    yield f"## Audit{' of ' if name else ''}{name}\n"
    yield f"**{headline(report).capitalize()}.**"
    subject = report["subject"]
    yield f"{subject['asserted']:,} asserted and {subject['inferred']:,} inferred triples."
    if report["incomplete"] is not None:
        yield f"\n**Incomplete**: {escaped(cut(report['incomplete'], _LONGEST_TEXT))}"
    rules = list(rules_by_id(report).values())
    if rules:
        yield "\n| rule | about | severity | findings | shown |"
        yield "| --- | --- | --- | ---: | ---: |"
    for rule in rules[:_MOST_RULES]:
        cells = [_name(rule["id"]), rule["kind"], rule["severity"], f"{rule['total']:,}", f"{rule['shown']:,}"]
        yield f"| {' | '.join(cells)} |"
    rest = rules[_MOST_RULES:]
    if rest:
        found = sum(rule["total"] for rule in rest)
        yield f"| and {quantity(len(rest), 'more rule')} | | | {found:,} | {sum(rule['shown'] for rule in rest):,} |"
    yield ""


def _name(text: str) -> str:
    return escaped(cut(text, _LONGEST_NAME))


def _opening(rule: Mapping[str, Any]) -> str:
    lines = [
        "<details>",
        f"<summary>{_html(line(cut(rule['id'], _LONGEST_NAME)))} ({quantity(rule['total'], 'finding')})</summary>\n",
    ]
    about = [cut(rule["text"], _LONGEST_TEXT), place_of(rule)]
    lines += [f"Rule: {escaped(' · '.join(filter(None, about)))}\n"] if any(about) else []
    return "\n".join(lines)


def _entry(finding: Mapping[str, Any]) -> str:
    new = " (new)" if finding["status"] == "new" else ""
    where = place_of(finding)
    told = f"**{finding['severity']}**{new}: {escaped(cut(finding['message'], _LONGEST_TEXT))}"
    lines = [told + (f", in {escaped(cut(where, _LONGEST_NAME))}" if where else ""), ""]
    if finding["text"]:
        lines += [f"<pre>{_preformatted(cut(block(finding['text']), _LONGEST_PROOF))}</pre>", ""]
    lines += [f"Repair: {escaped(cut(each['text'], _LONGEST_TEXT))}\n" for each in (finding["repairs"] or ())[:3]]
    return "\n".join(lines)


def _against(report: Report) -> Iterator[str]:
    against = report["against"]
    if against is None:
        return
    figures = f"{against['new']:,} new, {against['unchanged']:,} unchanged, {against['mended']:,} mended"
    yield f"Against {_name(against['name'])} ({figures}).\n"
    for finding in against["mended_findings"][:_MOST_OTHERS]:
        yield f"Mended: {escaped(cut(finding['message'], _LONGEST_TEXT))}\n"


def _claims(report: Report) -> Iterator[str]:
    claims = report["claims"]
    if claims is None:
        return
    totals = ", ".join(f"{count:,} {verdict}" for verdict, count in claims["totals"].items())
    yield f"Claims of {_name(claims['file'])} ({claims['total']:,}): {totals}.\n"
    contradicted = [result for result in claims["results"] if result["verdict"] == "contradicted"]
    for result in contradicted[:_MOST_OTHERS]:
        yield f"<pre>{_preformatted(cut(claim_text(result), _LONGEST_PROOF))}</pre>\n"


def _groups(report: Report) -> Iterator[str]:
    for group in report["groups"][:_MOST_OTHERS]:
        yield f"Cause of {quantity(group['findings'], 'finding')}: {escaped(cut(group['text'], _LONGEST_TEXT))}\n"
