"""Relation paths: the way from a topic to what is asked for, as a rule of the engine and as a search in the graph.

"Who directed films by the writer of T" is the path `written_by/^written_by/directed_by` from T. A path is a value; its
rule infers what it leads to from the topics asked about, so that every answer has a proof: the triples of the path, and
that this path was asked for. The topic itself is never an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from rdflib import RDFS, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic import Closure, Rule, RuleSet, materialise
from engine.symbolic.rules import Atom, Call, Filter, VariableRef
from kg.adjacency import ranges
from kg.graph import KnowledgeGraph
from kg.terms import local_name

__all__ = ["ASKED", "Lead", "PathSearch", "RelationPath", "follow"]

Ids = NDArray[np.int64]

ASKED = URIRef("urn:noesis:asked")
"""From a topic to the path that was asked for: the reading of a question."""
_PATH = "urn:noesis:path:"


@dataclass(frozen=True, order=True)
class RelationPath:
    """Steps from a topic to what is asked for.

    Args:
        steps: each a relation and whether it is taken from subject to object.
    """

    steps: tuple[tuple[URIRef, bool], ...]

    def __str__(self) -> str:
        """As SPARQL writes it, with local names: `^written_by/directed_by`."""
        return "/".join(("" if forward else "^") + local_name(relation) for relation, forward in self.steps)

    @cached_property
    def iri(self) -> URIRef:
        """Its name: the predicate from a topic to what it leads to, and the object of `ASKED`."""
        steps = "/".join(("" if forward else "^") + str(relation) for relation, forward in self.steps)
        short = ".".join(("" if forward else "inverse-") + local_name(relation) for relation, forward in self.steps)
        return URIRef(f"{_PATH}{quote(steps, safe='')}#{quote(short, safe='')}")

    @cached_property
    def rule(self) -> Rule:
        """What the path leads to, from each topic it is asked for."""
        ends = [Variable(f"x{at}") for at in range(len(self.steps) + 1)]
        body = [
            Atom(*((start, relation, end) if forward else (end, relation, start)))
            for (relation, forward), start, end in zip(self.steps, ends[:-1], ends[1:], strict=True)
        ]
        others = Filter(Call("!=", (VariableRef(ends[0]), VariableRef(ends[-1]))))
        head = Atom(ends[0], self.iri, ends[-1])
        return Rule(self.iri, (head,), (Atom(ends[0], ASKED, self.iri), *body, others), comment=f"follows {self}")


def follow(graph: KnowledgeGraph, asked: Sequence[tuple[URIRef, RelationPath]]) -> Closure:
    """The closure in which each topic has its path's answers, as objects of the path's IRI.

    Args:
        graph: its asserted triples are followed.
        asked: topics and the paths to follow from them.
    """
    paths = sorted({path for _, path in asked})
    told: list[tuple[Node, Node, Node]] = [(topic, ASKED, path.iri) for topic, path in asked]
    told += [(path.iri, RDFS.label, Literal(str(path))) for path in paths]
    added = np.array([[*map(graph.dictionary.intern, triple)] for triple in told], dtype=np.int64).reshape(-1, 3)
    with_asked = KnowledgeGraph(
        graph.dictionary,
        graph.asserted.changed(remove=np.empty((0, 3), dtype=np.int64), add=added),
        prefixes=graph.prefixes,
        sources=graph.sources,
    )
    return materialise(with_asked, RuleSet(tuple(path.rule for path in paths)), entailment="none")


@dataclass(frozen=True)
class Lead:
    """A path that leads from a topic to some of the answers.

    Args:
        path: the path. fit: F1 of what it leads to against the answers, above 0 and at most 1.
    """

    path: RelationPath
    fit: float


class PathSearch:
    """Which paths lead from a topic to its answers: the weak supervision of a reader of questions.

    Args:
        graph: its relations (`relation_ids`) are the steps.
        hops: steps of the longest path.
        fan: paths that lead to more terms on their way are given up.
    """

    def __init__(self, graph: KnowledgeGraph, *, hops: int = 3, fan: int = 1000) -> None:
        self.graph, self.hops, self.fan = graph, hops, fan
        self._steps: list[tuple[tuple[URIRef, bool], Ids, Ids]] = []
        for relation in graph.relation_ids.tolist():
            heads, tails = graph.asserted.pairs(relation)
            name = URIRef(str(graph.dictionary.term(relation)))
            for forward, here, there in ((True, heads, tails), (False, tails, heads)):
                order = np.argsort(here, kind="stable")
                starts = np.searchsorted(here[order], np.arange(len(graph.dictionary) + 1))
                self._steps.append(((name, forward), starts, there[order].astype(np.int64)))

    def leads(self, topic: int, answers: Ids) -> list[Lead]:
        """The paths that lead from a topic to any of the answers; longer ones only where no shorter one fits half.

        Args:
            topic: term id. answers: term ids, ascending.
        """
        found: list[Lead] = []
        edge: list[tuple[RelationPath, Ids]] = [(RelationPath(()), np.array([topic]))]
        for _ in range(self.hops):
            edge = [longer for path, ends in edge for longer in self._longer(path, ends)]
            for path, ends in edge:
                right = int(np.isin(answers, ends, assume_unique=True).sum())
                if right:
                    size = len(ends) - int(topic in ends)
                    found.append(Lead(path, 2 * right / (size + len(answers))))
            if any(lead.fit > 0.5 for lead in found):
                break
        return found

    def _longer(self, path: RelationPath, ends: Ids) -> Iterator[tuple[RelationPath, Ids]]:
        """The paths with one more step, and where each leads."""
        for step, starts, there in self._steps:
            rows, _ = ranges(starts[ends], starts[ends + 1])
            if 0 < len(rows) <= self.fan:
                yield RelationPath((*path.steps, step)), np.unique(there[rows])
