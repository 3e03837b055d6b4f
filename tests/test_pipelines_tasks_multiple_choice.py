"""Multiple choice on questions that their text alone, or a graph alone, can answer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rdflib import RDFS, Literal, Namespace
from rdflib.term import Node

from kg.errors import ConfigError, InputError, NotSupportedError
from kg.graph import KnowledgeGraph
from pipelines.tasks.example import Example
from pipelines.tasks.method import Answer, Control, Method
from pipelines.tasks.methods.multiple_choice import GraphNearness, fit

EX = Namespace("https://example.org/")
KINDS = {
    "animal": "dog cat horse cow lion tiger sheep goat wolf bear rabbit mouse",
    "fruit": "apple pear plum cherry grape lemon orange banana peach melon mango fig",
    "tool": "hammer saw drill wrench chisel pliers screwdriver axe shovel rake file spanner",
}
NAMES = (
    "Ondra",
    "Quillo",
    "Bresk",
    "Tumiri",
    "Valdo",
    "Zephan",
    "Korrit",
    "Mibel",
    "Jaspo",
    "Lurrin",
    "Fendor",
    "Hask",
)


def by_text(words: slice, count: int, *, seed: int) -> list[Example]:
    """Which word is of a kind: its name says it."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        drawn = [(draw.choice(KINDS[kind].split()[words]), kind) for kind in draw.sample(sorted(KINDS), 3)]
        word, kind = draw.choice(drawn)
        found.append(
            Example(f"{number}", "", f"Which of these is a kind of {kind}?", tuple(w for w, _ in drawn), (word,))
        )
    return found


def by_graph(count: int, *, seed: int) -> tuple[KnowledgeGraph, list[Example]]:
    """Who of three knows someone: names say nothing, the graph says all."""
    draw = random.Random(seed)
    triples: list[tuple[Node, Node, Node]] = [(EX[name], RDFS.label, Literal(name)) for name in NAMES]
    friends = {name: NAMES[at - 1] for at, name in enumerate(NAMES)}
    triples += [(EX[name], EX.knows, EX[friend]) for name, friend in friends.items()]
    found = []
    for number in range(count):
        name = draw.choice(NAMES)
        strangers = [n for n in NAMES if n != name and name not in (friends[n],) and friends[name] != n]
        choices = [friends[name], *draw.sample(strangers, 2)]
        draw.shuffle(choices)
        found.append(Example(f"{number}", "", f"Whom does {name} know?", tuple(choices), (friends[name],)))
    return KnowledgeGraph.from_triples(triples), found


def right(method: Method, examples: Sequence[Example]) -> float:
    answers: list[Answer] = method.answer(examples)
    return float(np.mean([a.choices[0] in e.answers for a, e in zip(answers, examples, strict=True)]))


def fitted(train: Sequence[Example], control: Control = "full", dev: Sequence[Example] = (), **settings: Any) -> Method:
    return fit(train, dev, control=control, seed=0, settings=settings)


def test_words_that_were_never_seen_are_chosen_well_above_chance() -> None:
    method = fitted(by_text(slice(0, 9), 60, seed=1))
    assert right(method, by_text(slice(9, 12), 60, seed=2)) > 0.7


def test_the_graph_alone_and_with_the_text_answer_what_the_text_cannot() -> None:
    graph, examples = by_graph(80, seed=0)
    train, asked = examples[:20], examples[20:]
    assert right(fitted(train, graph=graph), asked) > 0.9
    assert right(fitted(train, "graph only", graph=graph), asked) == 1
    assert right(fitted(train, "shuffled graph", graph=graph), asked) < 0.8
    assert right(fitted(train, "text only", graph=graph), asked) < 0.8


def test_probabilities_of_choices_sum_to_one_and_the_answer_has_the_highest() -> None:
    method = fitted(by_text(slice(0, 9), 30, seed=1), dev=by_text(slice(0, 9), 30, seed=3))
    for answer in method.answer(by_text(slice(9, 12), 10, seed=2)):
        assert sum(answer.scores.values()) == pytest.approx(1)
        assert answer.scores[answer.choices[0]] == max(answer.scores.values()) == answer.probability


def test_development_examples_that_are_half_wrong_make_it_less_sure() -> None:
    train, dev = by_text(slice(0, 9), 40, seed=1), by_text(slice(0, 9), 40, seed=3)
    wrong = [replace(e, answers=(next(c for c in e.choices if c not in e.answers),)) for e in dev[::2]] + dev[1::2]
    sure, unsure = (np.mean([a.probability for a in fitted(train, dev=given).answer(dev)]) for given in (dev, wrong))
    assert unsure < sure - 0.2


def test_the_right_answer_is_not_read_when_it_is_asked() -> None:
    asked = by_text(slice(9, 12), 20, seed=2)
    method = fitted(by_text(slice(0, 9), 30, seed=1))
    assert method.answer([replace(e, answers=()) for e in asked]) == method.answer(asked)


def test_choices_may_differ_in_number() -> None:
    examples = by_text(slice(0, 9), 30, seed=1)
    fewer = [replace(e, choices=tuple(c for c in e.choices if c in e.answers or c == e.choices[0])) for e in examples]
    both = [e for e in (*examples, *fewer) if len(e.choices) > 1]
    assert {len(e.choices) for e in both} == {2, 3}
    assert right(fitted(both), both) > 0.9


def test_nearness_counts_the_entities_of_the_choice_and_their_distance() -> None:
    nearness = GraphNearness(by_graph(0, seed=0)[0])
    named = {
        steps: nearness.of("Whom does Quillo know?", name) for steps, name in enumerate(("Quillo", "Ondra", "Hask"))
    }
    one = float(np.log(2))
    assert named == {0: [one, one, 0.0, one], 1: [one, 0.0, one, 0.0], 2: [one, 0.0, 0.0, one]}
    assert nearness.of("Whom does Quillo know?", "nobody") == [0.0] * 4


def test_what_it_cannot_do_is_refused() -> None:
    examples = by_text(slice(0, 9), 4, seed=1)
    with pytest.raises(NotSupportedError, match=r"full, text only .*need the setting 'graph'"):
        fitted(examples, "graph only")
    with pytest.raises(NotSupportedError, match="shuffled graph"):
        fitted(examples, "no rules", graph=by_graph(0, seed=0)[0])
    with pytest.raises(ConfigError, match="graf"):
        fitted(examples, graf=1)
    with pytest.raises(InputError, match="got none"):
        fitted([])
    with pytest.raises(InputError, match="example 'odd'"):
        fitted([*examples, Example("odd", "", "?", ("a", "b"), ("c",))])
