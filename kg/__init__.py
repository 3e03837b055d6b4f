"""Knowledge graphs: RDF in, patterns, labels, links and subgraphs out.

Names are loaded on first use, so that importing the package, as its worker processes do, costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kg.claims import ClaimRecord, load_claims
    from kg.columns import Columns
    from kg.dictionary import Dictionary
    from kg.domain import Domain, load_domain
    from kg.graph import KnowledgeGraph
    from kg.load import LoadLimits, load_graph
    from kg.query import QueryLimits, Table, ask, neighbours, select
    from kg.save import save_graph
    from kg.store import open_graph
    from kg.terms import Triple

__all__ = [
    "ClaimRecord",
    "Columns",
    "Dictionary",
    "Domain",
    "KnowledgeGraph",
    "LoadLimits",
    "QueryLimits",
    "Table",
    "Triple",
    "ask",
    "load_claims",
    "load_domain",
    "load_graph",
    "neighbours",
    "open_graph",
    "save_graph",
    "select",
]

_HOME = {
    "ClaimRecord": "claims",
    "Columns": "columns",
    "Dictionary": "dictionary",
    "Domain": "domain",
    "KnowledgeGraph": "graph",
    "LoadLimits": "load",
    "QueryLimits": "query",
    "Table": "query",
    "Triple": "terms",
    "ask": "query",
    "load_claims": "claims",
    "load_domain": "domain",
    "load_graph": "load",
    "neighbours": "query",
    "open_graph": "store",
    "save_graph": "save",
    "select": "query",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
