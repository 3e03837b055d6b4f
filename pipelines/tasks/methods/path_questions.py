"""Questions about a topic, answered by the entities that a relation path leads to.

A question is read as a path (`engine.extraction.path_reader`), the engine follows the path in the graph, and the proof
of an answer is the triples it went by, beside the reading, which alone is uncertain. Where the most probable path leads
nowhere, the next one is followed: that is a prediction, and no proof. The probability is calibrated on whether the
first answer is right.

Settings: `graph`, the graph (see `pipelines.tasks.graphs`); `encoder`, by name or folder; `hops`, steps of the longest
path. The topic of a question stands in brackets, or is the one name of the graph that occurs in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdflib import URIRef

from embeddings.calibrate import Calibration, fit_calibration
from engine.extraction.path_reader import TOPIC, PathReader
from engine.extraction.relation_paths import PathSearch, follow
from engine.symbolic import Closure
from kg.errors import ConfigError, NotSupportedError
from kg.graph import KnowledgeGraph
from kg.linking import LabelIndex
from kg.reading import Masked
from pipelines.tasks.example import Example
from pipelines.tasks.graphs import graph_of, shuffled
from pipelines.tasks.method import Answer, Control, Method, Theory, check_settings

if TYPE_CHECKING:
    from engine.fusion.encoder import Encoder

__all__ = ["Asked", "PathQuestions", "Topics", "WordingAnswers", "fit"]

_CONTROLS: tuple[Control, ...] = ("full", "text only", "graph only", "shuffled graph")
_SETTINGS = ("graph", "encoder", "hops")
_BRACKETS = re.compile(r"\[([^\[\]]+)\]")
_LEAST = 0.01
"""Probability of a path that is still followed where more probable ones lead nowhere."""


class Asked(NamedTuple):
    """A question without its topic, and the id of the topic's term; None where it is not in the graph."""

    wording: Masked
    topic: int | None


class Topics:
    """Finds the topic of a question by the names of a graph."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        names = ((term, graph.labels(graph.dictionary.term(term))) for term in graph.entity_ids.tolist())
        self.ids: dict[str, int] = {}
        for term, labels in names:
            for label in labels:
                self.ids.setdefault(label, term)

    @cached_property
    def _index(self) -> LabelIndex:
        return LabelIndex(self.graph)

    def asked(self, question: str) -> Asked:
        """The question with its topic masked."""
        found = _BRACKETS.search(question)
        if found is not None:
            return Asked(_masked(question, *found.span()), self.ids.get(found[1]))
        mentions = self._index.mentions(question)
        if len(mentions) != 1:
            return Asked(Masked(question, (0,)), None)
        return Asked(_masked(question, mentions[0].start, mentions[0].end), mentions[0].candidates[0].id)

    def terms(self, names: Sequence[str]) -> NDArray[np.int64]:
        """The ids of the names that the graph has, ascending."""
        return np.unique(np.array([self.ids[name] for name in names if name in self.ids], dtype=np.int64))


def _masked(question: str, start: int, end: int) -> Masked:
    return Masked(question[:start] + TOPIC + question[end:], (start,))


class Found(NamedTuple):
    """What a question was answered by: a path by its number, the path's probability, whether none is more probable."""

    path: int
    chance: float
    first: bool
    choices: tuple[int, ...]


class PathQuestions:
    """Reads, follows and proves.

    Args:
        reader: from questions to paths. topics: of the graph.
        blind: whether the words of questions are kept from the reader, as a control.
    """

    def __init__(self, reader: PathReader, topics: Topics, *, blind: bool = False) -> None:
        self.reader, self.topics, self.blind = reader, topics, blind
        self.calibration: Calibration | None = None

    def calibrate(self, examples: Sequence[Example]) -> None:
        """Fit probabilities to whether the first answers to examples are right, for each path that has enough."""
        answers = zip(self._found(examples)[0], examples, strict=True)
        told = [(one, self._label(one.choices[0]) in example.answers) for one, example in answers if one is not None]
        right = np.array([each for _, each in told], dtype=bool)
        if right.any() and not right.all():
            scores, paths = np.array([_log_odds(one.chance) for one, _ in told]), [one.path for one, _ in told]
            self.calibration = fit_calibration(scores, right, paths)

    def answer(self, examples: Sequence[Example]) -> list[Answer]:
        """One answer an example: what the most probable path leads to, those first that other paths lead to as well."""
        found, closure = self._found(examples)
        return [self._answer(one, asked, closure) for one, asked in zip(found, self._asked(examples), strict=True)]

    def _asked(self, examples: Sequence[Example]) -> list[Asked]:
        return [self.topics.asked(example.question) for example in examples]

    def _found(self, examples: Sequence[Example]) -> tuple[list[Found | None], Closure]:
        """What each question is read as, None where no path leads anywhere, and the closure that says where."""
        asked = self._asked(examples)
        wordings = [Masked(TOPIC, (0,)) if self.blind else one.wording for one in asked]
        chances = self.reader.read(wordings)
        chosen = [np.flatnonzero(row >= _LEAST).tolist() for row in chances]
        graph, paths = self.topics.graph, self.reader.paths
        closure = follow(
            graph,
            [
                (URIRef(str(graph.dictionary.term(one.topic))), paths[path])
                for one, row in zip(asked, chosen, strict=True)
                if one.topic is not None
                for path in row
            ],
        )
        ids = [graph.dictionary.find(path.iri) for path in paths]
        found: list[Found | None] = []
        for one, row, chance in zip(asked, chosen, chances, strict=True):
            ends: dict[int, list[int]] = {}
            for path in row:
                predicate = ids[path]
                if one.topic is not None and predicate is not None:
                    ends[path] = closure.graph.inferred.objects(one.topic, predicate).tolist()
            found.append(_best({path: terms for path, terms in ends.items() if terms}, chance))
        return found, closure

    def _answer(self, found: Found | None, asked: Asked, closure: Closure) -> Answer:
        if found is None or asked.topic is None:
            return Answer((), 0.0, "abstained")
        chance = found.chance
        if self.calibration is not None:
            chance = float(self.calibration.plausibility([_log_odds(chance)], [found.path])[0])
        choices = tuple(map(self._label, found.choices))
        if not found.first:
            return Answer(choices, chance)
        predicate = self.reader.paths[found.path].iri
        dictionary = closure.graph.dictionary
        proof = closure.proof((dictionary.term(asked.topic), predicate, dictionary.term(found.choices[0])))
        return Answer(choices, chance, "proved", proof, theory=Theory(closure.graph, closure.rules))

    def _label(self, term: int) -> str:
        return self.topics.graph.label(self.topics.graph.dictionary.term(term))


def _best(ends: Mapping[int, Sequence[int]], chance: NDArray[np.float64]) -> Found | None:
    """The most probable path that leads anywhere, and its terms by the probability of all paths to them."""
    if not ends:
        return None
    best = max(ends, key=lambda path: (chance[path], -path))
    weight: dict[int, float] = {}
    for path, terms in ends.items():
        for term in terms:
            weight[term] = weight.get(term, 0.0) + float(chance[path])
    choices = tuple(sorted(ends[best], key=lambda term: (-weight[term], term)))
    return Found(best, float(chance[best]), bool(chance[best] >= chance.max()), choices)


def _log_odds(chance: float) -> float:
    inside = min(max(chance, 1e-6), 1 - 1e-6)
    return float(np.log(inside / (1 - inside)))


class WordingAnswers:
    """The control without a graph: the most frequent answers to the training questions of the nearest wording.

    Args:
        answers: how often each was right, by wording.
    """

    def __init__(self, encoder: Encoder, answers: Mapping[str, Counter[str]]) -> None:
        self.encoder, self.answers, self._known = encoder, list(answers.values()), encoder.embed(list(answers))

    def answer(self, examples: Sequence[Example]) -> list[Answer]:
        """One answer an example; its probability is the share of the wording's answers that are the same."""
        wordings = [_BRACKETS.sub(TOPIC, example.question) for example in examples]
        number = {wording: at for at, wording in enumerate(dict.fromkeys(wordings))}
        nearest = (self.encoder.embed(list(number)) @ self._known.T).argmax(axis=1)
        best = [self.answers[row].most_common(1)[0] for row in nearest]
        total = [self.answers[row].total() for row in nearest]
        return [Answer((best[at][0],), best[at][1] / total[at]) for at in (number[wording] for wording in wordings)]


def fit(
    train: Sequence[Example], dev: Sequence[Example], *, control: Control, seed: int, settings: Mapping[str, Any]
) -> Method:
    """The method learnt from questions and their answers; no path is given.

    Raises:
        NotSupportedError: a control it does not have. ConfigError: an unknown setting, or no graph.
        InputError: no path leads from topics to answers.
    """
    from engine.fusion.encoder import resolve_encoder

    if control not in _CONTROLS:
        raise NotSupportedError(f"Expected a control of {', '.join(_CONTROLS)} (got {control!r}; paths are rules)")
    check_settings(settings, _SETTINGS, needed=("graph",))
    hops = settings.get("hops", 3)
    if not isinstance(hops, int) or isinstance(hops, bool) or hops < 1:
        raise ConfigError(f"Expected a whole number from 1 for the setting 'hops' (got {hops!r})")
    encoder = resolve_encoder(settings.get("encoder"))
    if control == "text only":
        answers: dict[str, Counter[str]] = {}
        for example in train:
            answers.setdefault(_BRACKETS.sub(TOPIC, example.question), Counter()).update(example.answers)
        return WordingAnswers(encoder, answers)
    graph = graph_of(settings["graph"])
    topics = Topics(shuffled(graph, seed=seed) if control == "shuffled graph" else graph)
    search = PathSearch(topics.graph, hops=hops)
    asked = [topics.asked(example.question) for example in train]
    leads = [
        [] if one.topic is None else search.leads(one.topic, topics.terms(example.answers))
        for one, example in zip(asked, train, strict=True)
    ]
    blind = control == "graph only"
    reader = PathReader.fit(encoder, [Masked(TOPIC, (0,)) if blind else one.wording for one in asked], leads)
    method = PathQuestions(reader, topics, blind=blind)
    method.calibrate(dev)
    return method
