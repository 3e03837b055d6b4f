"""`PairExtractor`: which relation a window of a passage tells of each ordered pair of the names in it.

A window's life in it:

1. the frozen lower layers of a copy of the encoder read the window, in which names are markers; their states are kept;
2. the upper layers, which are trained, read on;
3. a name's state is the mean over its markers, a pair's the two, their product, and the mean over the window;
4. two linear layers give a probability to each relation and to none.

Nothing is known of the relations but their names, which come with the examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.extraction.passages import Window
from engine.fusion.encoder import Encoder, mean_pool, pad
from engine.fusion.model import TextLayers
from kg.errors import ConfigError, InputError

__all__ = ["PairBatch", "PairConfig", "PairExample", "PairExtractor"]


@dataclass(frozen=True)
class PairConfig:
    """How a pair extractor is made and trained.

    Raises:
        ConfigError: a value out of its range.
    """

    trained_layers: int = 5
    """Upper layers of the encoder that are trained; the states below them are computed once a text."""
    epochs: int = 8
    """Passes over the windows."""
    batch_size: int = 32
    """Windows a step."""
    learning_rate: float = 3e-4
    """At its greatest, after a tenth of the steps; it falls to 0 in a straight line."""
    dropout: float = 0.1
    """Of the pair's state, in [0, 1)."""
    smoothing: float = 0.05
    """Share of the label that is spread over all relations, in [0, 1)."""
    seed: int = 0
    """Of the new weights, dropout and the order of the windows."""

    def __post_init__(self) -> None:
        for name in ("trained_layers", "epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"Expected {name} of at least 1 (got {getattr(self, name)})")
        if not 0 < self.learning_rate < 1:
            raise ConfigError(f"Expected learning_rate in (0, 1) (got {self.learning_rate})")
        for name in ("dropout", "smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"Expected {name} in [0, 1) (got {getattr(self, name)})")

    def to_dict(self) -> dict[str, Any]:
        """The values by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PairConfig:
        """The configuration of such values.

        Raises:
            ConfigError: an unknown key, or a value out of its range.
        """
        unknown = sorted(set(values) - set(cls.__dataclass_fields__))
        if unknown:
            raise ConfigError(f"Expected the keys {', '.join(cls.__dataclass_fields__)} (got {', '.join(unknown)})")
        return cls(**values)


@dataclass(frozen=True)
class PairExample:
    """What a window tells.

    Args:
        window: the window.
        relations: of ordered pairs of its names; None where none is told. A pair that is left out is not trained on.
    """

    window: Window
    relations: Mapping[tuple[str, str], str | None]


@dataclass(frozen=True)
class PairBatch:
    """Windows of one batch; their pairs are listed one after the other.

    Args:
        states: below the first trained layer, (batch, token, dim). mask: (batch, token).
        mentions: weight of each token in each name's state, (batch, name, token).
        pairs: window, head and tail of each pair, (pair, 3).
    """

    states: Tensor
    mask: Tensor
    mentions: Tensor
    pairs: Tensor


class PairExtractor(nn.Module):
    """Gives relations of pairs their probability.

    Args:
        encoder: the encoder to copy.
        relations: their names, in the order of the logits; "none" comes before them.
        config: the configuration.

    Raises:
        ConfigError: more trained layers than the encoder has.
        InputError: no relations.
    """

    def __init__(self, encoder: Encoder, relations: Sequence[str], config: PairConfig) -> None:
        super().__init__()
        if config.trained_layers > encoder.num_layers:
            raise ConfigError(
                f"Expected trained_layers to be at most the encoder's {encoder.num_layers} "
                f"(got {config.trained_layers})"
            )
        if not relations:
            raise InputError("Expected the names of relations to extract (got none)")
        self.encoder, self.relations, self.config = encoder, tuple(relations), config
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            self.text = TextLayers(encoder, frozen=encoder.num_layers - config.trained_layers)
            for below in (self.text.embeddings, self.text.project):  # their states are kept, so they cannot learn
                below.requires_grad_(False)
            self.head = nn.Sequential(
                nn.Linear(4 * encoder.dim, encoder.dim),
                nn.GELU(),
                nn.Dropout(config.dropout),
                nn.Linear(encoder.dim, len(relations) + 1),
            )

    def trained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Name and value of every parameter that training changes, in a fixed order."""
        return ((name, p) for name, p in self.named_parameters() if p.requires_grad)

    def lower_states(self, texts: Sequence[str], *, batch_size: int = 64) -> list[Tensor]:
        """The states of each text below the first trained layer, (token, dim) each.

        Raises:
            LimitError: a text is longer than the encoder reads.
        """
        rows = self.encoder.tokenize(texts)
        order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
        found: list[Tensor] = [torch.empty(0)] * len(rows)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            token_ids, mask = pad([rows[at] for at in chosen], self.encoder.tokenizer.pad_token_id or 0)
            with torch.no_grad():
                states = self.text.embed(token_ids)
                for at in range(self.text.frozen):
                    states = self.text.run(at, states, mask)
            for row, at in enumerate(chosen):
                found[at] = states[row, : len(rows[at])].clone()
        return found

    def batch(self, windows: Sequence[Window], states: Sequence[Tensor], pairs: Sequence[Sequence[Any]]) -> PairBatch:
        """One batch of windows with their lower states; `pairs` has the pairs of names of each."""
        longest = max(map(len, states))
        padded = torch.zeros(len(windows), longest, self.encoder.dim)
        mask = torch.zeros(len(windows), longest, dtype=torch.bool)
        mentions = torch.zeros(len(windows), max(len(window.names) for window in windows), longest)
        listed = []
        texts = [window.text for window in windows]
        offsets = self.encoder.tokenizer(texts, return_offsets_mapping=True, verbose=False)["offset_mapping"]
        for at, (window, own) in enumerate(zip(windows, states, strict=True)):
            padded[at, : len(own)], mask[at, : len(own)] = own, True
            starts = {start: token for token, (start, end) in enumerate(offsets[at]) if end > start}
            for number, places in enumerate(window.places):
                for place in places:
                    mentions[at, number, starts[place]] = 1 / len(places)
            listed += [(at, window.names.index(head), window.names.index(tail)) for head, tail in pairs[at]]
        return PairBatch(padded, mask, mentions, torch.tensor(listed, dtype=torch.int64).reshape(-1, 3))

    def forward(self, batch: PairBatch) -> Float[Tensor, "pair relation"]:
        """The logits of "none" and of each relation, for each pair."""
        states = batch.states
        for at in range(self.text.frozen, len(self.text.layers)):
            states = self.text.run(at, states, batch.mask)
        names = batch.mentions @ states
        window, head, tail = batch.pairs.T
        first, second, whole = names[window, head], names[window, tail], mean_pool(states, batch.mask)[window]
        logits: Tensor = self.head(torch.cat([first, second, first * second, whole], dim=-1))
        return logits

    def probabilities(
        self, windows: Sequence[Window], *, batch_size: int = 64
    ) -> list[dict[tuple[str, str], NDArray[np.float32]]]:
        """For each window and ordered pair of its names the probability of "none" and of each relation.

        Windows with the same text are read once. A window with one name has no pairs.
        """
        texts = list(dict.fromkeys(window.text for window in windows if len(window.names) > 1))
        first = {window.text: window for window in reversed(windows)}
        order = sorted(texts, key=len)
        found: dict[str, NDArray[np.float32]] = {}
        self.eval()
        for start in range(0, len(order), batch_size):
            chosen = [first[text] for text in order[start : start + batch_size]]
            pairs = [pairs_of(window) for window in chosen]
            with torch.inference_mode():
                batch = self.batch(chosen, self.lower_states([window.text for window in chosen]), pairs)
                rows = torch.softmax(self(batch), dim=-1).numpy()
            ends = np.cumsum([len(own) for own in pairs])
            for window, part in zip(chosen, np.split(rows, ends[:-1]), strict=True):
                found[window.text] = part
        return [
            dict(zip(pairs_of(window), found[window.text], strict=True)) if window.text in found else {}
            for window in windows
        ]


def pairs_of(window: Window) -> list[tuple[str, str]]:
    """The ordered pairs of different names of a window."""
    return [(head, tail) for head in window.names for tail in window.names if head != tail]
