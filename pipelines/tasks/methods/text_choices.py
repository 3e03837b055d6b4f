"""Choices told apart by their texts alone: the least that any other method has to beat, and one that any file can have.

A frozen encoder reads what is asked and each choice; a logistic regression weighs how the two go together. There is no
graph and there are no rules, so this is its own text-only control and has no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from kg.errors import ConfigError, InputError, NotSupportedError
from pipelines.tasks.example import Example
from pipelines.tasks.method import Answer, Control

if TYPE_CHECKING:
    from engine.fusion import Encoder

__all__ = ["TextChoices", "fit"]

Floats = NDArray[np.float64]
_HAS: tuple[Control, ...] = ("full", "text only")
_SETTINGS = ("encoder", "strength")
_STRENGTH = 1.0  # scikit-learn's C, its own default


@dataclass(frozen=True)
class TextChoices:
    """An encoder, and how the vectors of question and choice are weighed.

    Args:
        weigher: the fitted scikit-learn classifier. temperature: what its log-odds are divided by.
    """

    encoder: Encoder
    weigher: Any
    temperature: float = 1.0

    def answer(self, examples: Sequence[Example]) -> list[Answer]:
        """The likeliest choice of each example."""
        answers = []
        for example, logits in zip(examples, self.logits(examples), strict=True):
            chance = softmax(logits / self.temperature)
            best = int(chance.argmax())
            scores = dict(zip(example.choices, chance.tolist(), strict=True))
            answers.append(Answer((example.choices[best],), float(chance[best]), scores=scores))
        return answers

    def logits(self, examples: Sequence[Example]) -> list[Floats]:
        """Log-odds of each choice of each example."""
        if not examples:
            return []
        every = np.asarray(self.weigher.decision_function(_columns(self.encoder, examples)), dtype=np.float64)
        return np.split(every, np.cumsum([len(example.choices) for example in examples])[:-1])


def fit(
    train: Sequence[Example], dev: Sequence[Example], *, control: Control, seed: int, settings: Mapping[str, Any]
) -> TextChoices:
    """The method learnt from `train`, its temperature from `dev` (1 where there is none).

    Raises:
        NotSupportedError: a control other than full and text only. ConfigError: an unknown setting.
        InputError: an example without choices, or no wrong choice to learn from.
    """
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # it has no types

    from engine.fusion import resolve_encoder

    if control not in _HAS:
        raise NotSupportedError(f"Expected a control of {', '.join(_HAS)} (got {control!r}; there is no graph here)")
    for name in settings:
        if name not in _SETTINGS:
            raise ConfigError(f"Expected a setting of text_choices, {', '.join(_SETTINGS)} (got {name!r})")
    truth = np.array([choice in example.answers for example in train for choice in example.choices], dtype=bool)
    if not truth.any() or truth.all():
        raise InputError(f"Expected right and wrong choices to learn from (got {len(truth)}, {truth.sum()} right)")
    encoder = resolve_encoder(settings.get("encoder"))
    weigher = LogisticRegression(C=settings.get("strength", _STRENGTH), max_iter=1000, random_state=seed)
    found = TextChoices(encoder, weigher.fit(_columns(encoder, train), truth))
    return TextChoices(encoder, found.weigher, _temperature(found.logits(dev), dev)) if dev else found


def _columns(encoder: Encoder, examples: Sequence[Example]) -> Floats:
    """For each choice of each example: its vector, and its products with that of what is asked."""
    for example in examples:
        if not example.choices:
            raise InputError(f"Expected choices to tell apart (got none in example {example.id!r})")
    asked = [f"{example.question} {example.passage}".strip() for example in examples]
    texts = list(dict.fromkeys([*asked, *(choice for example in examples for choice in example.choices)]))
    vector = dict(zip(texts, encoder.embed(texts).astype(np.float64), strict=True))
    pairs = [(vector[ask], vector[c]) for ask, e in zip(asked, examples, strict=True) for c in e.choices]
    size = encoder.dim  # vectors have length 1; scaled so that each number is about 1, as the regression's penalty asks
    return np.array([np.concatenate([size**0.5 * choice, size * ask * choice]) for ask, choice in pairs])


def _temperature(logits: Sequence[Floats], dev: Sequence[Example]) -> float:
    """Of least log loss on the development examples (Guo et al. 2017)."""
    right = [[choice in example.answers for choice in example.choices] for example in dev]

    def loss(log_temperature: float) -> float:
        told = [log_softmax(row / np.exp(log_temperature)) for row in logits]
        return -sum(float(row[mask].max()) for row, mask in zip(told, right, strict=True) if any(mask))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
