"""Names for blank nodes that stay the same when a file is read again, so that findings can be told apart over time."""

from __future__ import annotations

import hashlib
from collections import defaultdict

from rdflib import BNode

from kg.dictionary import BLANK
from kg.graph import KnowledgeGraph

__all__ = ["digest", "stable_names"]

_ROUNDS = 12
"""Steps that what is said may be away from a node: enough for the expressions and lists of real ontologies."""


def stable_names(graph: KnowledgeGraph) -> dict[BNode, str]:
    """A name for each blank node, made of what is asserted about it: by colour refinement (Weisfeiler, Leman 1968).

    Nodes that look alike up to twelve steps away are counted in the order of the graph.
    """
    about: dict[int, list[tuple[str, int, int]]] = defaultdict(list)
    blank = graph.dictionary.kinds == BLANK
    for s, p, o in zip(*(column.tolist() for column in graph.asserted.arrays()), strict=True):
        if blank[s]:
            about[s].append((">", p, o))
        if blank[o]:
            about[o].append(("<", p, s))
    key = graph.dictionary.key
    colours = dict.fromkeys(about, "")
    classes = 0
    for _ in range(_ROUNDS):
        colours = {
            node: digest(
                colours[node],
                *sorted(f"{way}{key(p)} {colours[other] if blank[other] else key(other)}" for way, p, other in said),
            )
            for node, said in about.items()
        }
        before, classes = classes, len(set(colours.values()))
        if classes in (before, len(colours)):
            break
    seen: dict[str, int] = defaultdict(int)
    names = {}
    for node, colour in sorted(colours.items()):
        seen[colour] += 1
        term = graph.dictionary.term(node)
        assert isinstance(term, BNode)
        names[term] = f"{colour}-{seen[colour]}" if seen[colour] > 1 else colour
    return names


def digest(*parts: str) -> str:
    """Sixteen hexadecimal digits that stand for some texts."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:16]
