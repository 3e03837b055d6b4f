"""The claims of a domain folder that graph and rules decide, as sentences that are true or false."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kg.domain import load_domain
from pipelines.tasks.example import Example
from pipelines.tasks.graph_claims import CHOICES

__all__ = ["read"]

_TRUE = {"entailed": True, "contradicted": False}


def read(path: Path) -> Iterator[Example]:
    """The claims of `claims.tsv` with a verdict that makes them true or false; their group is their split.

    The terms of a claim's triple are written as in N-Triples.

    Raises:
        MissingFileError: no such domain. What loading one raises.
    """
    for claim in load_domain(path.parent).claims:
        if claim.triple is not None and claim.verdict in _TRUE:
            head, relation, tail = (term.n3() for term in claim.triple)
            answer = CHOICES[0 if _TRUE[claim.verdict] else 1]
            yield Example(claim.id, "", claim.text, CHOICES, (answer,), (head, relation, tail), claim.split)
