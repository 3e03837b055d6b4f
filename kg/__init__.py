"""Knowledge graphs: RDF in, patterns, labels, links and subgraphs out.

Names are loaded on first use, so that importing the package, as its worker processes do, costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kg.columns import Columns
    from kg.dictionary import Dictionary
    from kg.graph import KnowledgeGraph
    from kg.load import LoadLimits, load_graph
    from kg.terms import Triple

__all__ = [
    "Columns",
    "Dictionary",
    "KnowledgeGraph",
    "LoadLimits",
    "Triple",
    "load_graph",
]

_HOME = {
    "Columns": "columns",
    "Dictionary": "dictionary",
    "KnowledgeGraph": "graph",
    "LoadLimits": "load",
    "Triple": "terms",
    "load_graph": "load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
