"""Which relation path a question asks for: a classifier on the states of a frozen encoder, learnt from answers alone.

No question of the training set says its path. What is known is how well each path's answers fit the right ones (F1, by
`PathSearch`), and the probability of the paths is fitted to it: the loss of a question is -log Σ P(path) · fit(path),
which is zero where all probability is on paths that give exactly the answers. The score of a path is the sum of the
scores of its steps, each by its place, and of its length, so that a path shares what is learnt with those like it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.extraction.relation_paths import Lead, RelationPath
from kg.errors import InputError
from kg.reading import Masked

if TYPE_CHECKING:
    from engine.fusion.encoder import Encoder

__all__ = ["TOPIC", "PathReader"]

TOPIC = "X"
"""What stands for the topic of a question; "X" and "it" did alike on held-out wordings, "[MASK]" worse."""
_PENALTY = 0.01
"""Of the squared weights; 0.01 to 0.03 did alike on held-out wordings."""
_STEPS = 100  # of L-BFGS at most
_LEAST = 2  # questions that a path fits best, before it is thought of


class PathReader:
    """Reads questions in which `TOPIC` stands for the topic, at their place.

    Args:
        encoder: gives the states. paths: what is told apart.
        weights: of the parts of paths; shape (num_parts, num_features + 1), the bias last.
        mean, scale: of the features; shape (num_features,) each.
    """

    def __init__(
        self,
        encoder: Encoder,
        paths: Sequence[RelationPath],
        weights: NDArray[np.float32],
        mean: NDArray[np.float32],
        scale: NDArray[np.float32],
    ) -> None:
        self.encoder, self.paths, self.weights, self.mean, self.scale = encoder, tuple(paths), weights, mean, scale

    @classmethod
    def fit(cls, encoder: Encoder, questions: Sequence[Masked], leads: Sequence[Sequence[Lead]]) -> PathReader:
        """The reader learnt from questions and the paths that lead to their answers.

        Args:
            questions: to learn from. leads: of each question; one without teaches nothing.

        Raises:
            InputError: no path fits two questions.
        """
        paths = _worthwhile(leads)
        number = {path: at for at, path in enumerate(paths)}
        fits = np.zeros((len(questions), len(paths)), dtype=np.float32)
        for row, found in enumerate(leads):
            for lead in found:
                if lead.path in number:
                    fits[row, number[lead.path]] = lead.fit
        taught = np.flatnonzero(fits.any(axis=1)).tolist()
        if not taught:
            raise InputError("Expected a path that leads from topics to answers in two questions at least (got none)")
        states, wording = _states(encoder, [questions[row] for row in taught])
        mean, scale = states.mean(axis=0), states.std(axis=0) + np.float32(1e-6)
        features = torch.from_numpy((states - mean) / scale)
        weights = _fitted(features, torch.from_numpy(wording), torch.from_numpy(fits[taught]), _parts(paths))
        return cls(encoder, paths, weights, mean, scale)

    def read(self, questions: Sequence[Masked]) -> NDArray[np.float64]:
        """The probability of each path; shape (num_questions, num_paths)."""
        states, wording = _states(self.encoder, questions)
        features = (states - self.mean) / self.scale
        scores = (features @ self.weights[:, :-1].T + self.weights[:, -1]) @ _parts(self.paths)
        exponents = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True, initial=-np.inf))
        found: NDArray[np.float64] = (exponents / exponents.sum(axis=1, keepdims=True))[wording]
        return found


def _worthwhile(leads: Sequence[Sequence[Lead]]) -> list[RelationPath]:
    """The paths that fit enough questions best, in their order."""
    count: dict[RelationPath, int] = {}
    for found in leads:
        best = max((lead.fit for lead in found), default=0.0)
        for lead in found:
            if lead.fit == best:
                count[lead.path] = count.get(lead.path, 0) + 1
    return sorted(path for path, times in count.items() if times >= _LEAST)


def _parts(paths: Sequence[RelationPath]) -> NDArray[np.float32]:
    """Which parts each path has: every step at its place, and its length; shape (num_parts, num_paths)."""
    having = [{*enumerate(path.steps), (-1, len(path.steps))} for path in paths]
    every = sorted(set().union(*having), key=str)
    return np.array([[part in parts for parts in having] for part in every], dtype=np.float32)


def _states(encoder: Encoder, questions: Sequence[Masked]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The encoder's states of each wording, at its topic and over all of it, and the wording of each question.

    Shapes: (num_wordings, num_features) and (num_questions,).
    """
    number = {question: at for at, question in enumerate(dict.fromkeys(questions))}
    states = encoder.states_at([wording.text for wording in number], [wording.places for wording in number])
    return states, np.array([number[question] for question in questions], dtype=np.int64)


def _fitted(features: Tensor, wording: Tensor, fits: Tensor, parts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights of the parts by L-BFGS, from zero, so that they are the same each time."""
    scorer = nn.Linear(features.shape[1], len(parts))
    nn.init.zeros_(scorer.weight)
    nn.init.zeros_(scorer.bias)
    having = torch.from_numpy(parts)
    optimiser = torch.optim.LBFGS(
        scorer.parameters(), max_iter=_STEPS, history_size=10, line_search_fn="strong_wolfe", tolerance_change=1e-6
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        chance = (scorer(features) @ having).softmax(dim=1)[wording]
        found: Tensor = -((chance * fits).sum(dim=1) + 1e-9).log().mean() + _PENALTY * scorer.weight.square().sum()
        found.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return found

    optimiser.step(loss)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return torch.cat([scorer.weight, scorer.bias[:, None]], dim=1).detach().numpy()
