"""What notebooks show: small pieces of HTML without script, every text escaped, and pandas data frames.

Labels come from files that others wrote. Characters that do not show become U+FFFD, and the class names tell MathJax
to leave dollar signs alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from kg.errors import NotSupportedError

if TYPE_CHECKING:
    import pandas

    from kg.graph import KnowledgeGraph
    from kg.query import Table

__all__ = ["box", "data_frame", "graph_frame", "graph_html", "preformatted", "shown", "table", "table_frame"]

_ROWS = 10
_LINES, _CHARS = 60, 500


def graph_html(graph: KnowledgeGraph) -> str:
    """The counts of a graph and its first triples, inferred ones marked."""
    asserted = islice(graph.asserted.match(None, None, None), _ROWS)
    inferred = islice(graph.inferred.match(None, None, None), _ROWS // 2)
    rows = [
        [*map(graph.label, graph.decode(*ids)), mark]
        for found, mark in ((asserted, "asserted"), (inferred, "inferred"))
        for ids in found
    ]
    title = f"KnowledgeGraph: {len(graph.asserted):,} asserted, {len(graph.inferred):,} inferred triples"
    return box(title, table(["subject", "predicate", "object", ""], rows, total=len(graph)))


def box(title: str, *parts: str) -> str:
    """A title, which is escaped, over pieces of HTML."""
    return f'<div class="tex2jax_ignore mathjax_ignore"><p><b>{shown(title)}</b></p>{"".join(parts)}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, total: int) -> str:
    """Rows as a table, every cell escaped, and how many more there are."""
    body = ["".join(f'<td style="text-align:left">{shown(str(cell))}</td>' for cell in row) for row in rows]
    if not body:
        return ""
    more = f"<p>… and {total - len(body):,} more</p>" if total > len(body) else ""
    names = "".join(f'<th style="text-align:left">{shown(name)}</th>' for name in head)
    lines = "".join(f"<tr>{row}</tr>" for row in body)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{lines}</tbody></table>{more}"


def preformatted(text: str) -> str:
    """Lines of text as they are, at most sixty of them."""
    lines = text.split("\n")
    kept = "\n".join(shown(line) for line in lines[:_LINES])
    more = f"\n… and {len(lines) - _LINES:,} more lines" if len(lines) > _LINES else ""
    return f'<pre style="white-space:pre-wrap">{kept}{more}</pre>' if text else ""


def shown(text: str) -> str:
    """A text as HTML that shows it and does nothing; long ones are cut."""
    text = text if len(text) <= _CHARS else text[: _CHARS - 1] + "…"
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text), quote=True)


def graph_frame(graph: KnowledgeGraph, *, inferred: bool = True) -> pandas.DataFrame:
    """The triples of a graph in compact names, and whether each is inferred."""
    parts = [(graph.asserted.arrays(), False)]
    parts += [(graph.inferred.arrays(), True)] if inferred else []
    names: dict[int, str] = {}

    def name(id: int) -> str:
        if id not in names:
            names[id] = graph.curie(graph.dictionary.term(id))
        return names[id]

    columns: dict[str, Any] = {
        part: [name(id) for arrays, _ in parts for id in arrays[at].tolist()]
        for at, part in enumerate(("subject", "predicate", "object"))
    }
    columns["inferred"] = np.repeat([flag for _, flag in parts], [len(arrays[0]) for arrays, _ in parts])
    return data_frame(columns)


def table_frame(table: Table) -> pandas.DataFrame:
    """The rows of a query: IRIs as text, literals as Python values, None where a variable is unbound."""
    columns = {name: [_value(row[at]) for row in table.rows] for at, name in enumerate(table.variables)}
    return data_frame(columns)


def _value(term: object) -> object:
    from rdflib import BNode, Literal

    if isinstance(term, Literal):
        value = term.toPython()
        return str(term) if isinstance(value, Literal) else value
    return None if term is None else term.n3() if isinstance(term, BNode) else str(term)


def data_frame(columns: Mapping[str, Any]) -> pandas.DataFrame:
    """A pandas data frame of these columns.

    Raises:
        NotSupportedError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise NotSupportedError(
            "Expected pandas for a data frame (it is not installed); run: pip install 'noesis-kg[notebook]'"
        ) from None
    return pandas.DataFrame(dict(columns))
