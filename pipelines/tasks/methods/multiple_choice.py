"""Multiple choice by a frozen encoder: each choice is scored with its question, and by the graph between the two.

What is known of a choice: the encoder's embeddings of question and choice, multiplied, and read as one text; and, where
there is a graph, how near the entities named in the choice are to those named in the question. One linear score
a choice is trained by cross entropy over the choices; a temperature fitted to development examples calibrates it.

Settings: `graph`, none by default (see `pipelines.tasks.graphs`); `encoder`, by name or folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from kg.adjacency import Adjacency
from kg.errors import InputError, NotSupportedError
from kg.graph import KnowledgeGraph
from kg.linking import LabelIndex
from pipelines.tasks.example import Example
from pipelines.tasks.graphs import graph_of, shuffled
from pipelines.tasks.method import Answer, Control, Method, check_settings

if TYPE_CHECKING:
    from engine.fusion.encoder import Encoder

__all__ = ["ChoiceFeatures", "GraphNearness", "MultipleChoice", "fit"]

Floats = NDArray[np.float32]

_SETTINGS = ("graph", "encoder")
_PENALTY = 0.001
"""Of the squared weights. Features are left at their scale, so that a text as a whole weighs about as much as one count
of the graph: the embeddings have length 1.
"""
_STEPS = 100  # of L-BFGS at most
_HOPS = 2  # steps between entities that still count as near
_FAN = 512  # neighbours of one term that are looked at


class GraphNearness:
    """How near two texts' entities are in a graph.

    Args:
        graph: its labels are linked; the direction of its triples and their relations are forgotten.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        triples = graph.entity_triples()
        self._index = LabelIndex(graph)
        self._adjacency = Adjacency(triples[:, 0], triples[:, 2], len(graph.dictionary))
        self._near: dict[str, list[NDArray[np.int64]]] = {}

    def of(self, question: str, choice: str) -> list[float]:
        """Logarithms of 1 + counts: entities of the choice, and those in the question, one and two steps from it."""
        if question not in self._near:
            self._near[question] = self._rings(question)
        named = self._entities(choice)
        counts = [len(named), *(int(np.isin(named, ring).sum()) for ring in self._near[question])]
        return [float(np.log1p(count)) for count in counts]

    def _rings(self, text: str) -> list[NDArray[np.int64]]:
        rings = [self._entities(text)]
        for _ in range(_HOPS):
            rings.append(np.unique(self._adjacency.beside(rings[-1], _FAN)[1]))
        return rings

    def _entities(self, text: str) -> NDArray[np.int64]:
        mentions = self._index.mentions(text)
        return np.unique(np.array([mention.candidates[0].id for mention in mentions], dtype=np.int64))


class ChoiceFeatures:
    """The features of each choice of each example.

    Args:
        encoder: reads the texts; None leaves them out. nearness: reads the graph; None leaves it out.
    """

    def __init__(self, encoder: Encoder | None, nearness: GraphNearness | None) -> None:
        self.encoder, self.nearness = encoder, nearness

    def of(self, examples: Sequence[Example]) -> Floats:
        """Shape (num_choices of all examples, num_features), in order."""
        pairs = [(_asked(example), choice) for example in examples for choice in example.choices]
        parts: list[Floats] = []
        if self.encoder is not None:
            texts = list(dict.fromkeys(text for q, c in pairs for text in (q, c, f"{q} {c}")))
            row = {text: at for at, text in enumerate(texts)}
            states = self.encoder.embed(texts)
            question, choice = (states[[row[pair[side]] for pair in pairs]] for side in (0, 1))
            whole = states[[row[f"{q} {c}"] for q, c in pairs]]
            likeness = (question * choice).sum(axis=1, keepdims=True)
            parts += [choice, whole, question * choice, likeness, (whole * question).sum(axis=1, keepdims=True)]
        if self.nearness is not None:
            parts.append(np.array([self.nearness.of(q, c) for q, c in pairs], dtype=np.float32))
        return np.concatenate(parts, axis=1)


class MultipleChoice:
    """Scores choices.

    Args:
        features: of choices. weights: of the features; shape (num_features,).
        temperature: that scores are divided by before they become probabilities.
    """

    def __init__(self, features: ChoiceFeatures, weights: Floats) -> None:
        self.features, self.weights, self.temperature = features, weights, 1.0

    def scores(self, examples: Sequence[Example]) -> list[NDArray[np.float64]]:
        """The score of each choice of each example."""
        if not examples:
            return []
        found = (self.features.of(examples) @ self.weights).astype(np.float64)
        return np.split(found, np.cumsum([len(example.choices) for example in examples])[:-1])

    def calibrate(self, examples: Sequence[Example]) -> None:
        """Fit the temperature to the right answers of examples; where there are none, scores stay as they are."""
        scores, right = self.scores(examples), _right(examples)
        if scores:

            def loss(log_temperature: float) -> float:
                chances = (_softmax(each / np.exp(log_temperature)) for each in scores)
                return float(-np.mean([np.log(chance[at] + 1e-12) for chance, at in zip(chances, right, strict=True)]))

            self.temperature = float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))

    def answer(self, examples: Sequence[Example]) -> list[Answer]:
        """One answer an example: the best choice."""
        return [
            _answer(example, _softmax(each / self.temperature))
            for example, each in zip(examples, self.scores(examples), strict=True)
        ]


def _asked(example: Example) -> str:
    return f"{example.passage} {example.question}".strip()


def _right(examples: Sequence[Example]) -> list[int]:
    """The number of the right choice of each example."""
    for example in examples:
        if len(example.choices) < 2 or not set(example.answers) & set(example.choices):
            raise InputError(f"Expected two choices at least and a right one (example {example.id!r} has none)")
    return [example.choices.index(next(a for a in example.answers if a in example.choices)) for example in examples]


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    exponents = np.exp(scores - scores.max())
    found: NDArray[np.float64] = exponents / exponents.sum()
    return found


def _answer(example: Example, chance: NDArray[np.float64]) -> Answer:
    best = int(chance.argmax())
    scores = dict(zip(example.choices, chance.tolist(), strict=True))
    return Answer((example.choices[best],), float(chance[best]), scores=scores)


def _fitted(features: Floats, examples: Sequence[Example]) -> Floats:
    """Weights by L-BFGS on the cross entropy over each example's choices, from zero."""
    most = max(len(example.choices) for example in examples)
    inside = torch.tensor([[at < len(example.choices) for at in range(most)] for example in examples])
    right, given = torch.tensor(_right(examples)), torch.from_numpy(features)
    weights = nn.Parameter(torch.zeros(features.shape[1]))
    optimiser = torch.optim.LBFGS([weights], max_iter=_STEPS, line_search_fn="strong_wolfe", tolerance_change=1e-6)

    def loss() -> Tensor:
        optimiser.zero_grad()
        scores = torch.full(inside.shape, -torch.inf).masked_scatter(inside, given @ weights)
        found = nn.functional.cross_entropy(scores, right) + _PENALTY * weights.square().sum()
        found.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return found

    optimiser.step(loss)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return weights.detach().numpy()


def fit(
    train: Sequence[Example], dev: Sequence[Example], *, control: Control, seed: int, settings: Mapping[str, Any]
) -> Method:
    """The method learnt from examples with choices.

    Raises:
        NotSupportedError: a control it does not have; those of the graph are there where a graph is.
        ConfigError: an unknown setting. InputError: no example, or one without choices or a right one among them.
    """
    from engine.fusion.encoder import resolve_encoder

    check_settings(settings, _SETTINGS)
    place = settings.get("graph")
    controls = ("full", "text only") if place is None else ("full", "text only", "graph only", "shuffled graph")
    if control not in controls:
        more = "" if place is not None else "; those of the graph need the setting 'graph'"
        raise NotSupportedError(f"Expected a control of {', '.join(controls)} (got {control!r}){more}")
    if not train:
        raise InputError("Expected examples to learn from (got none)")
    nearness = None
    if place is not None and control != "text only":
        graph = graph_of(place)
        nearness = GraphNearness(shuffled(graph, seed=seed) if control == "shuffled graph" else graph)
    features = ChoiceFeatures(None if control == "graph only" else resolve_encoder(settings.get("encoder")), nearness)
    method = MultipleChoice(features, _fitted(features.of(train), train))
    method.calibrate(dev)
    return method
