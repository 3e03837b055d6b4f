"""The value of a SPARQL expression by other people's engines: rdflib's, and pyoxigraph's where RDF 1.2 is needed.

The checker of proofs evaluates FILTER and SET with it, so that it shares nothing with the engine it checks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import pyoxigraph as ox
from rdflib import BNode, Graph, Literal, Variable
from rdflib.query import ResultRow
from rdflib.term import Identifier, Node

from kg.literal_functions import register
from kg.parse_worker import key_of
from kg.query_worker import term_of
from kg.terms import TripleTerm, term_from_key, term_key

__all__ = ["holds", "value_of"]

_NOTHING = Graph()
_RDF12 = re.compile(r"<<\(|\b(?:isTRIPLE|TRIPLE|SUBJECT|PREDICATE|OBJECT|LANGDIR|hasLANG|hasLANGDIR|STRLANGDIR)\(")


def value_of(expression: str, values: Mapping[Node, Node]) -> Node | None:
    """The value of an expression under a substitution (keys that are no variables are passed over), None for none."""
    named = {str(v): cast(Identifier, term) for v, term in values.items() if isinstance(v, Variable)}
    if _RDF12.search(expression) or any(isinstance(term, TripleTerm) for term in named.values()):
        return _by_pyoxigraph(expression, named)
    row = next(iter(_NOTHING.query(_query(expression), initBindings=named)), None)
    return None if row is None else cast(Node | None, cast(ResultRow, row)[0])


def holds(expression: str, values: Mapping[Node, Node]) -> bool:
    """Whether the expression has the effective boolean value true; an error counts as false."""
    return value_of(f"IF({expression}, true, false)", values) == Literal(True)


@lru_cache(maxsize=512)
def _query(expression: str) -> Any:
    from rdflib.plugins.sparql import prepareQuery  # slow to import, and needed by few proofs

    register()
    return prepareQuery(f"SELECT ({expression} AS ?result) {{}}")


def _by_pyoxigraph(expression: str, named: Mapping[str, Node]) -> Node | None:
    given = {ox.Variable(name): term_of(term_key(term)) for name, term in named.items()}
    query = f"SELECT {' '.join(map(str, given))} ({expression} AS ?result) {{}}"
    found = next(iter(cast(Any, ox.Store().query(query, substitutions=given))))["result"]
    return None if found is None else _term(found)


def _term(term: Any) -> Node:
    if isinstance(term, ox.Triple):
        return TripleTerm(*map(_term, (term.subject, term.predicate, term.object)))
    return BNode(term.value) if isinstance(term, ox.BlankNode) else term_from_key(key_of(term))
