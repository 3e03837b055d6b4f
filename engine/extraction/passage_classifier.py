"""Answers a question about a passage by text alone: what a proof is held against.

The sentences of the passage and the question are embedded by a frozen encoder; a small transformer attends over them,
and the state at the question is classified. It is trained on the same answers as a reader of statements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from engine.fusion.encoder import Encoder

__all__ = ["PassageClassifier"]

Texts = Sequence[str]


class PassageClassifier(nn.Module):
    """Sentence embeddings to one logit a choice; see `fit`.

    Args:
        encoder: embeds the sentences, frozen.
        choices: what is told apart. width: of the transformer.
    """

    def __init__(self, encoder: Encoder, choices: Sequence[str], width: int = 128) -> None:
        super().__init__()
        self.encoder, self.choices, self.known = [encoder], tuple(choices), dict[str, Tensor]()
        self.project = nn.Linear(encoder.dim, width)
        self.asked = nn.Parameter(torch.zeros(width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.1, batch_first=True, norm_first=True)
        self.attend = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.classify = nn.Linear(width, len(self.choices))

    def forward(
        self, states: Float[Tensor, "batch sentence dim"], mask: Bool[Tensor, "batch sentence"]
    ) -> Float[Tensor, "batch choice"]:
        """The logits; the question is the first sentence, `mask` is True where there is a sentence."""
        projected = self.project(states)
        projected = torch.cat([projected[:, :1] + self.asked, projected[:, 1:]], dim=1)
        logits: Tensor = self.classify(self.attend(projected, src_key_padding_mask=~mask)[:, 0])
        return logits

    @classmethod
    def fit(
        cls,
        encoder: Encoder,
        passages: Sequence[Texts],
        questions: Texts,
        answers: Sequence[str],
        *,
        epochs: int = 15,
        batch: int = 64,
        rate: float = 5e-4,
        seed: int = 0,
    ) -> PassageClassifier:
        """A classifier learnt from answers.

        Args:
            encoder: embeds the sentences.
            passages: the sentences of each question's passage. questions: one a passage. answers: the right choices.
            epochs: passes. batch: questions in a step. rate: of AdamW. seed: of all that is drawn.
        """
        random = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = cls(encoder, sorted(set(answers)))
            labels = torch.tensor([model.choices.index(answer) for answer in answers])
            optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
            for _ in range(epochs):
                order = random.permutation(len(questions))
                for chosen in (order[start : start + batch] for start in range(0, len(order), batch)):
                    states, mask = model._batch([passages[at] for at in chosen], [questions[at] for at in chosen])
                    loss = cross_entropy(model(states, mask), labels[chosen])
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                    optimizer.step()
            return model.eval()

    def probabilities(self, passages: Sequence[Texts], questions: Texts, *, batch: int = 256) -> NDArray[np.float64]:
        """The probability of each choice; shape (question, choice)."""
        return np.concatenate([np.zeros((0, len(self.choices))), *self._parts(passages, questions, batch)])

    def _parts(self, passages: Sequence[Texts], questions: Texts, batch: int) -> Iterator[NDArray[np.float64]]:
        for start in range(0, len(questions), batch):
            states, mask = self._batch(passages[start : start + batch], questions[start : start + batch])
            with torch.inference_mode():
                yield self(states, mask).softmax(-1).double().numpy()

    def _batch(self, passages: Sequence[Texts], questions: Texts) -> tuple[Tensor, Tensor]:
        rows = [[question, *passage] for question, passage in zip(questions, passages, strict=True)]
        new = sorted({text for row in rows for text in row} - set(self.known))
        self.known |= dict(zip(new, torch.from_numpy(self.encoder[0].embed(new)), strict=True))
        states = nn.utils.rnn.pad_sequence([torch.stack([self.known[text] for text in row]) for row in rows], True)
        lengths = torch.tensor([len(row) for row in rows])
        return states, torch.arange(states.shape[1])[None, :] < lengths[:, None]
