"""Claims about the triples of a benchmark graph: the triple in words, with what is told of its ends."""

from __future__ import annotations

from rdflib import RDFS

from kg.benchmark import Benchmark
from kg.graph import KnowledgeGraph
from kg.verbalise import relation_phrases, sentence
from pipelines.tasks.example import Example
from pipelines.tasks.method import Answer

__all__ = ["CHOICES", "answer_of", "claim", "description", "passage", "statement"]

CHOICES = ("true", "false")
_WORDS = 16  # of a description; what a thing is stands first, and a claim has two of them


def claim(benchmark: Benchmark, triple: tuple[int, int, int], *, true: bool, id: str) -> Example:
    """The claim that a triple (term ids) holds."""
    head, relation, tail = (benchmark.name_of(term) for term in triple)
    return Example(
        id=id,
        passage=passage(benchmark.graph, triple),
        question=statement(benchmark.graph, triple),
        choices=CHOICES,
        answers=(CHOICES[0 if true else 1],),
        triple=(head, relation, tail),
    )


def answer_of(chance: float) -> Answer:
    """The answer to a claim that is true with this chance; false where both are as likely."""
    scores = dict(zip(CHOICES, (chance, 1 - chance), strict=True))
    return Answer((CHOICES[0 if chance > 0.5 else 1],), max(chance, 1 - chance), scores=scores)


def statement(graph: KnowledgeGraph, triple: tuple[int, int, int]) -> str:
    """The triple (term ids) as a sentence, by the labels of the graph."""
    ground = graph.decode(*triple)
    return sentence(graph, ground, relation_phrases(graph, ground.predicate)[0])


def passage(graph: KnowledgeGraph, triple: tuple[int, int, int]) -> str:
    """What the graph's descriptions tell of head and tail; empty where there are none."""
    told = [(graph.label(graph.dictionary.term(end)), description(graph, end)) for end in dict.fromkeys(triple[::2])]
    return " ".join(f"{label}: {text}." for label, text in told if text)


def description(graph: KnowledgeGraph, term: int) -> str:
    """The first words of an entity's description, without a full stop; empty where it has none."""
    comments = [str(triple.object) for triple in graph.triples(graph.dictionary.term(term), RDFS.comment)]
    return " ".join(comments[0].split()[:_WORDS]).rstrip(".") if comments else ""
