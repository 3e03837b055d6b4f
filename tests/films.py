"""A small made-up graph of films, and questions about it in several wordings, for the reading of questions."""

from __future__ import annotations

import random
from collections.abc import Sequence

from rdflib import RDFS, Literal, Namespace
from rdflib.term import Node

from kg.graph import KnowledgeGraph
from pipelines.tasks.example import Example

__all__ = ["EX", "WORDINGS", "films", "questions"]

EX = Namespace("https://example.org/film/")
WORDINGS = {
    (("directed_by", True),): ("who directed [{}]", "who was the director of [{}]", "[{}] was directed by whom"),
    (("written_by", True),): ("who wrote [{}]", "who was the writer of [{}]", "[{}] was written by whom"),
    (("directed_by", False),): (
        "which films did [{}] direct",
        "what films has [{}] directed",
        "which films had [{}] as director",
    ),
    (("written_by", False),): (
        "which films did [{}] write",
        "what films has [{}] written",
        "which films had [{}] as writer",
    ),
    (("directed_by", False), ("written_by", True)): (
        "who wrote films directed by [{}]",
        "who were the writers of films that [{}] directed",
        "films directed by [{}] were written by whom",
    ),
    (("written_by", True), ("written_by", False)): (
        "which films have the same writer as [{}]",
        "what other films did the writer of [{}] write",
        "which films share a writer with [{}]",
    ),
}
"""Wordings of each path, its steps by relation and direction."""

Steps = Sequence[tuple[str, bool]]


def films(count: int = 40, *, seed: int = 0) -> KnowledgeGraph:
    """Films, each with one or two directors and writers of ten people each."""
    draw = random.Random(seed)
    triples: list[tuple[Node, Node, Node]] = []
    for film in range(count):
        for relation, people in (("directed_by", "Dana"), ("written_by", "Wim")):
            for person in draw.sample(range(10), draw.choice((1, 1, 2))):
                triples.append((EX[f"Film{film}"], EX[relation], EX[f"{people}{person}"]))
    named = {term for s, _, o in triples for term in (s, o)}
    labels: list[tuple[Node, Node, Node]] = [
        (term, RDFS.label, Literal(str(term).removeprefix(str(EX)))) for term in sorted(named, key=str)
    ]
    return KnowledgeGraph.from_triples(triples + labels)


def followed(graph: KnowledgeGraph, topic: Node, steps: Steps) -> set[Node]:
    """What steps lead to, without the topic, by looking at every triple."""
    ends = {topic}
    for relation, forward in steps:
        pairs = [(s, o) if forward else (o, s) for s, p, o in graph.triples() if p == EX[relation]]
        ends = {there for here, there in pairs if here in ends}
    return ends - {topic}


def questions(graph: KnowledgeGraph, wordings: slice = slice(None), *, limit: int = 8) -> list[Example]:
    """Questions in some of the wordings of each path, about the first topics that it leads anywhere from."""
    topics = sorted({term for s, p, o in graph.triples() if p != RDFS.label for term in (s, o)}, key=str)
    found: list[Example] = []
    for steps, texts in WORDINGS.items():
        ends = {graph.label(topic): followed(graph, topic, steps) for topic in topics}
        asked = [(topic, answers) for topic, answers in ends.items() if answers][:limit]
        for text in texts[wordings]:
            for topic, answers in asked:
                names = tuple(sorted(map(graph.label, answers)))
                found.append(Example(f"{len(found)}", "", text.format(topic), (), names, group=f"{len(steps)}-hop"))
    return found
