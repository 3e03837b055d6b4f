"""Settings of the fusion model, its evidence and its training: one frozen value, checked when it is made."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from kg.errors import ConfigError

__all__ = ["Attention", "Evidence", "Exchange", "FusionConfig", "Mode", "Pooling", "Precision", "Target"]

Mode: TypeAlias = Literal["fusion", "text only", "graph only", "shuffled graph"]
Evidence: TypeAlias = Literal["asserted", "closure"]
Pooling: TypeAlias = Literal["mean", "cls"]
Exchange: TypeAlias = Literal["cross", "pair"]
Attention: TypeAlias = Literal["auto", "dense", "sparse"]
Target: TypeAlias = Literal["truth", "three-way", "choice", "entity", "relation"]
Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]

_CHOICES = {
    "mode": Mode,
    "evidence": Evidence,
    "pooling": Pooling,
    "exchange": Exchange,
    "attention": Attention,
    "target": Target,
    "precision": Precision,
}


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
        exchange: "cross" lets all tokens and all nodes attend to each other; "pair" passes everything through the first
            token and one interaction node, as GreaseLM does.
        attention: how message passing is computed, with the same result: "dense" over all pairs of nodes of a claim,
            "sparse" edge by edge; "auto" is dense where no subgraph of the batch has more than 50 nodes.
        target: what is asked, see `engine.fusion.heads`.
        mode: what the model sees in training; the modes other than "fusion" are its controls.

    Evidence:
        evidence: "asserted" shows given triples only; "closure" also shows inferred ones whose stored proof does not
            pass through the claim.
        hops: how far from the claim's entities the subgraph reaches.
        max_nodes: nodes of one subgraph at most.
        max_tokens: longest text, in tokens with the special ones; None takes what the encoder takes.

    Training:
        epochs, batch_size, patience: passes over the examples, examples per batch, and epochs without a better
            validation loss before training stops.
        accumulate: batches whose gradients are added up for one step.
        rule_loss: weight of the loss through rules, see `engine.fusion.ties`; 0 leaves it out.
        precision: of the products; "auto" is bfloat16 on a CUDA device that has it, else float32.
        compile: whether text layers and exchanges are compiled, which takes a C++ compiler and some minutes.
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
    exchange: Exchange = "cross"
    attention: Attention = "auto"
    target: Target = "truth"
    mode: Mode = "fusion"
    evidence: Evidence = "asserted"
    hops: int = 2
    max_nodes: int = 32
    max_tokens: int | None = None
    epochs: int = 3
    batch_size: int = 32
    patience: int = 1
    accumulate: int = 1
    rule_loss: float = 0.0
    learning_rate: float = 1e-3
    encoder_learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    compile: bool = False

    def __post_init__(self) -> None:
        counts = ("fused_layers", "node_dim", "heads", "hops", "max_nodes", "epochs", "batch_size", "patience")
        for name in (*counts, "accumulate"):
            self._expect(name, getattr(self, name) >= 1, "at least 1")
        for name in ("learning_rate", "encoder_learning_rate", "clip"):
            self._expect(name, getattr(self, name) > 0, "a number above 0")
        for name, choices in _CHOICES.items():
            self._expect(name, getattr(self, name) in get_args(choices), f"one of {', '.join(get_args(choices))}")
        self._expect("frozen_layers", self.frozen_layers is None or self.frozen_layers >= 0, "None or at least 0")
        self._expect("max_tokens", self.max_tokens is None or self.max_tokens >= 3, "None or at least 3")
        self._expect("max_nodes", self.max_nodes >= 2, "at least 2, the claim's own entities")
        self._expect("dropout", 0 <= self.dropout < 1, "in [0, 1)")
        self._expect("warmup", 0 <= self.warmup < 1, "in [0, 1)")
        for name in ("weight_decay", "rule_loss"):
            self._expect(name, getattr(self, name) >= 0, "at least 0")
        tied = self.rule_loss == 0 or self.target == "truth"
        self._expect("rule_loss", tied, f"0 where the target is {self.target!r}, as rules speak of true and false")
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
            kinds = {"bool": (bool,), "int": (int,), "float": (int, float), "int | None": (int, type(None))}
            wanted = kinds.get(str(known[name].type), (str,))
            if isinstance(value, bool) != (wanted == (bool,)) or not isinstance(value, wanted):
                raise ConfigError(f"Expected {name!r} to be of type {known[name].type} (got {value!r})")
        return cls(**settings)

    def to_dict(self) -> dict[str, Any]:
        """The settings by name, for a JSON file; `from_dict` reads it back."""
        return dataclasses.asdict(self)
