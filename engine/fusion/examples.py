"""True and false claims made from a closure: what the fusion model learns from, at no cost in labelling.

A triple of the closure is a true claim. A false one is made from a true one by changing head, relation or tail
so that the result is not in the closure, and is told apart by the rules: *contradicted* where they refute it, else
*corrupted*, which is no more than unproven and counts as false in training only. True and false claims come in pairs
about the same relation, with ends drawn as often as the graph has them, so neither the relation nor a popular entity
gives the label away; and some sentences of each kind are negated, which turns the label round.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.fusion.grounding import IdTriple
from engine.symbolic import Closure, Status, check
from kg.errors import ConfigError, InputError
from kg.graph import KnowledgeGraph
from kg.verbalise import negate, relation_phrases, sentence

__all__ = ["ClaimExample", "Phrases", "generate_examples", "shuffle_triples"]

Triples: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True)
class ClaimExample:
    """A claim with its label.

    Attributes:
        text: the claim as a sentence.
        triple: head, relation and tail as term ids; None where the text could not be linked. `ASKED` in place of the
            tail (target "entity") or of the relation (target "relation") is what is asked for.
        label: 1 where the sentence is true or the choice is right, 0 where it is not; 0.5 where neither is known
            (target "three-way"), and NaN where the rules alone say it (see `engine.fusion.ties`).
        kind: what the triple is: "entailed", "contradicted", "corrupted", or any other word for claims from elsewhere.
        negated: whether the sentence denies the triple.
        hidden: triples the evidence must not show for this claim, beside its own (see `engine.fusion.grounding`).
        group: claims of one group come in one batch: the choices of a question, or claims that rules tie together.
            Empty for a claim by itself.
        answers: term ids of the right entities (target "entity"), or of the one right relation (target "relation").
    """

    text: str
    triple: IdTriple | None
    label: float
    kind: str
    negated: bool = False
    hidden: tuple[IdTriple, ...] = ()
    group: str = ""
    answers: tuple[int, ...] = ()


def generate_examples(
    closure: Closure,
    *,
    count: int,
    seed: int,
    held_out: Collection[IdTriple] = (),
    about: Sequence[IdTriple] | None = None,
    negated: float = 0.25,
) -> list[ClaimExample]:
    """Labelled claims about a closure, half of them from true triples, in random order.

    Args:
        closure: the closure of the graph; also what decides which changed triples the rules refute.
        count: how many claims; fewer come back where the graph is too small to corrupt its triples.
        seed: of every choice.
        held_out: triples of the closure about which no claim is made, neither itself nor its change.
        about: the true triples to start from, such as those of one split; None takes all of the closure's.
        negated: share of sentences that deny their triple, in [0, 1].

    Raises:
        ConfigError: a count below 2 or a share out of range.
        InputError: there is no triple to make a claim of.
    """
    if count < 2 or not 0 <= negated <= 1:
        raise ConfigError(f"Expected a count of at least 2 and a share in [0, 1] (got {count} and {negated})")
    graph, random = closure.graph, np.random.default_rng(seed)
    every = graph.entity_triples(inferred=True)
    out = {(int(s), int(p), int(o)) for s, p, o in held_out}
    start = every if about is None else np.array(about, dtype=np.int32).reshape(-1, 3)
    start = start[[tuple(row) not in out for row in start.tolist()]] if len(start) else start
    if not len(start):
        raise InputError(
            "Expected a triple between entities to make claims of (the closure has none that is not held out)"
        )
    true = _draw(start, -(-count // 2), random)
    pairs = _changed(closure, every, true, random)
    phrases = Phrases(graph, random)
    examples = []
    for triple, (false, kind) in pairs:
        examples.append(phrases.example(triple, "entailed", negated))
        if false is not None:
            examples.append(replace(phrases.example(false, kind, negated), hidden=(triple,)))
    order = random.permutation(len(examples))
    return [examples[at] for at in order[:count]]


def shuffle_triples(examples: Sequence[ClaimExample], *, seed: int) -> list[ClaimExample]:
    """The same texts and labels, each with the triple (and what it hides) of another example.

    The control that asks whether the right graph helps, or any graph. Examples without a triple stay without; one that
    has no other to change with loses its own.
    """
    linked = [at for at, example in enumerate(examples) if example.triple is not None]
    result = list(examples)
    order = np.random.default_rng(seed).permutation(linked).tolist()
    for at, other in zip(order, order[1:] + order[:1], strict=True):
        given = None if at == other else examples[other].triple
        result[at] = replace(examples[at], triple=given, hidden=examples[other].hidden)
    return result


def _draw(triples: Triples, count: int, random: np.random.Generator) -> list[IdTriple]:
    """Triples at random, rare relations more often than their share (by the root of their number)."""
    _, relation, size = np.unique(triples[:, 1], return_inverse=True, return_counts=True)
    weight = 1 / np.sqrt(size[relation])
    rows = random.choice(len(triples), size=count, replace=count > len(triples), p=weight / weight.sum())
    return [(int(s), int(p), int(o)) for s, p, o in triples[rows]]


_Change: TypeAlias = tuple[IdTriple | None, str]
_COMPATIBLE, _ANY = 4, 2  # changes tried per true triple: with ends its relation has elsewhere, and with any entity


def _changed(
    closure: Closure, every: Triples, true: Sequence[IdTriple], random: np.random.Generator
) -> list[tuple[IdTriple, _Change]]:
    """Each true triple with a false one made from it; contradicted and corrupted ones by turns if there are both."""
    known = {tuple(row) for row in every.tolist()}
    graph, corrupter = closure.graph, _Corrupter(every, random)
    tried = [[t for t in dict.fromkeys(corrupter.changes(triple)) if t not in known] for triple in true]
    flat = list(dict.fromkeys(t for row in tried for t in row if not graph.contains(graph.decode(*t))))
    judged = check(closure, [graph.decode(*t) for t in flat])
    status = {t: judgement.status for t, judgement in zip(flat, judged, strict=True)}
    pairs: list[tuple[IdTriple, _Change]] = []
    for number, (triple, row) in enumerate(zip(true, tried, strict=True)):
        refuted = [t for t in row if status.get(t) is Status.CONTRADICTED]
        open_ones = [t for t in row if status.get(t) is Status.UNPROVEN and corrupter.compatible(t)]
        choices: list[_Change] = [(t, "contradicted") for t in refuted[:1]]
        choices += [(t, "corrupted") for t in open_ones[:1]]
        pairs.append((triple, (choices if number % 2 else choices[::-1] or choices)[0] if choices else (None, "")))
    return pairs


class _Corrupter:
    """Changes of one end or of the relation of a triple."""

    def __init__(self, every: Triples, random: np.random.Generator) -> None:
        self._random = random
        self._rows = {int(p): every[every[:, 1] == p] for p in np.unique(every[:, 1])}
        self._ends = {p: (set(rows[:, 0].tolist()), set(rows[:, 2].tolist())) for p, rows in self._rows.items()}
        self._entities = np.unique(every[:, [0, 2]])

    def compatible(self, triple: IdTriple) -> bool:
        """Whether the relation has this head and this tail somewhere in the closure."""
        heads, tails = self._ends[triple[1]]
        return triple[0] in heads and triple[2] in tails

    def changes(self, triple: IdTriple) -> list[IdTriple]:
        """Changed triples, in random order."""
        head, relation, tail = triple
        rows = self._rows.get(relation)
        found: list[IdTriple] = []
        if rows is not None:
            # Rows, not distinct ends: an entity is drawn as often as the relation has it.
            for other in rows[self._random.integers(len(rows), size=_COMPATIBLE)]:
                found.append((head, relation, int(other[2])))
                found.append((int(other[0]), relation, tail))
        for other in self._entities[self._random.integers(len(self._entities), size=_ANY)]:
            found.append((head, relation, int(other)) if self._random.random() < 0.5 else (int(other), relation, tail))
        fitting = [p for p, (heads, tails) in self._ends.items() if p != relation and head in heads and tail in tails]
        found.extend((head, p, tail) for p in fitting)
        return [found[at] for at in self._random.permutation(len(found))]


class Phrases:
    """Sentences for triples, each phrasing of a relation as likely as the next."""

    def __init__(self, graph: KnowledgeGraph, random: np.random.Generator) -> None:
        self._graph, self._random = graph, random

    def example(self, triple: IdTriple, kind: str, negated: float) -> ClaimExample:
        """A claim about a triple, true where it is entailed; a denial with the chance `negated`."""
        ground = self._graph.decode(*triple)
        phrases = relation_phrases(self._graph, ground.predicate)
        text = sentence(self._graph, ground, phrases[self._random.integers(len(phrases))])
        deny = bool(self._random.random() < negated)
        true = (kind == "entailed") != deny
        return ClaimExample(negate(text) if deny else text, triple, float(true), kind, deny)
