"""Settings of the fusion model, its evidence and its training: one frozen value, checked when it is made."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from kg.errors import ConfigError

__all__ = ["Evidence", "FusionConfig", "Mode", "Pooling"]

Mode: TypeAlias = Literal["fusion", "text only", "graph only", "shuffled graph"]
Evidence: TypeAlias = Literal["asserted", "closure"]
Pooling: TypeAlias = Literal["mean", "cls"]


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """What is built, what it may see, and how it is trained.

    Model:
        fused_layers: how many of the upper text layers are paired with a message-passing layer and an exchange.
        frozen_layers: how many text layers, from the bottom and with the token embeddings, keep their weights; their
            states are computed once per text. None freezes every layer below the fused ones, which is what makes
            training on a CPU affordable.
        node_dim: width of the node states; a multiple of `heads`.
        heads: attention heads of the message-passing layers and of the exchanges.
        dropout: chance in [0, 1) of dropping a state in the new parts while training.
        pooling: how token states become one text state: their mean, or the first token.
        mode: what the model sees in training; the modes other than "fusion" are its controls.

    Evidence:
        evidence: "asserted" shows given triples only; "closure" also shows inferred ones whose stored proof does not
            pass through the claim.
        hops: how far from the claim's entities the subgraph reaches.
        max_nodes: nodes of one subgraph at most.
        max_tokens: longest text, in tokens with the special ones; None takes what the encoder takes.

    Training:
        epochs, batch_size, patience: passes over the examples, examples per step, and epochs without a better
            validation loss before training stops.
        learning_rate: of the new parts, at the end of the warm-up.
        encoder_learning_rate: of the text layers that are not frozen.
        weight_decay, warmup, clip: AdamW's decay; share of steps over which the rates rise; bound on the gradient norm.
        seed: of initial weights, order and dropout.
        device: "auto" (a CUDA device where there is one), "cpu" or "cuda".

    Raises:
        ConfigError: a value is out of its range; the message names it.
    """

    fused_layers: int = 3
    frozen_layers: int | None = None
    node_dim: int = 128
    heads: int = 4
    dropout: float = 0.1
    pooling: Pooling = "mean"
    mode: Mode = "fusion"
    evidence: Evidence = "asserted"
    hops: int = 2
    max_nodes: int = 32
    max_tokens: int | None = None
    epochs: int = 3
    batch_size: int = 32
    patience: int = 1
    learning_rate: float = 1e-3
    encoder_learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("fused_layers", "node_dim", "heads", "hops", "max_nodes", "epochs", "batch_size", "patience"):
            self._expect(name, getattr(self, name) >= 1, "at least 1")
        for name in ("learning_rate", "encoder_learning_rate", "clip"):
            self._expect(name, getattr(self, name) > 0, "a number above 0")
        for name, choices in (("mode", Mode), ("evidence", Evidence), ("pooling", Pooling)):
            self._expect(name, getattr(self, name) in get_args(choices), f"one of {', '.join(get_args(choices))}")
        self._expect("frozen_layers", self.frozen_layers is None or self.frozen_layers >= 0, "None or at least 0")
        self._expect("max_tokens", self.max_tokens is None or self.max_tokens >= 3, "None or at least 3")
        self._expect("max_nodes", self.max_nodes >= 2, "at least 2, the claim's own entities")
        self._expect("dropout", 0 <= self.dropout < 1, "in [0, 1)")
        self._expect("warmup", 0 <= self.warmup < 1, "in [0, 1)")
        self._expect("weight_decay", self.weight_decay >= 0, "at least 0")
        self._expect("node_dim", self.node_dim % self.heads == 0, f"a multiple of heads = {self.heads}")
        self._expect("device", self.device in ("auto", "cpu") or self.device.startswith("cuda"), "auto, cpu or cuda")

    def _expect(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ConfigError(f"Expected {name!r} to be {expected} (got {getattr(self, name)!r})")

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> FusionConfig:
        """The configuration of a table such as `[fusion]` of a domain file; names left out keep their default.

        Raises:
            ConfigError: an unknown name (the nearest known ones are listed), a value of the wrong type or range.
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        for name, value in settings.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=3) or sorted(known)
                raise ConfigError(f"Expected a setting of the fusion model (got {name!r}); known: {', '.join(near)}")
            kinds = {"int": (int,), "float": (int, float), "int | None": (int, type(None))}
            wanted = kinds.get(str(known[name].type), (str,))
            if isinstance(value, bool) or not isinstance(value, wanted):
                raise ConfigError(f"Expected {name!r} to be of type {known[name].type} (got {value!r})")
        return cls(**settings)

    def to_dict(self) -> dict[str, Any]:
        """The settings by name, for a JSON file; `from_dict` reads it back."""
        return dataclasses.asdict(self)
