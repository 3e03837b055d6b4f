"""How an embedding is trained: every choice in one frozen value, with its unit and the reason of its default."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from kg.errors import ConfigError

__all__ = ["EmbeddingConfig"]

_ISOMETRIC = {"transe": "TransE", "rotate": "RotatE"}
_LOOPS = ("auto", "shared", "slcwa", "lcwa")
_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "int | None": (int, type(None)),
}


@dataclass(frozen=True)
class EmbeddingConfig:
    """Model, loss, optimiser and sampling of one training; the defaults suit some 10⁴ triples on two CPU cores.

    Raises:
        ConfigError: a value of the wrong type or out of its range.
    """

    model: str = "RotatE"
    """Name of a PyKEEN model. TransE and RotatE train on shared negatives and rank by matrix products."""
    dim: int = 64
    """Components per entity; RotatE's are complex, so its vectors have `2 * dim` numbers."""
    epochs: int = 100
    """Passes over the training triples."""
    batch_size: int = 256
    """Triples per step; on a CPU larger batches lose more to memory traffic than they win."""
    learning_rate: float = 0.05
    """Adam's step at the start; it falls linearly to `final_rate` of it in the last epoch."""
    num_negatives: int | None = None
    """Negative samples: entities shared by a batch for TransE and RotatE (None: 256), else per triple (None: 16)."""
    final_rate: float = 0.05
    """The last epoch's step over the first one's; with a constant step the vectors keep circling the optimum."""
    subsampling: bool = False
    """Whether a triple weighs less the more often its (head, relation) and (relation, tail) occur (RotatE's code). In
    the shared loop for NSSA, elsewhere for the losses that take weights in PyKEEN; others are refused."""
    invalid_weight: float = 1.0
    """Weight of negatives that the schema forbids, where those it allows have 1; only for the shared loop, for NSSA
    and the losses that take weights in PyKEEN, and where `train_embedding` is given `NegativeKnowledge`."""
    hard_weight: float = 0.0
    """Weight of the loss of triples that the rules contradict, as for `invalid_weight`."""
    mixed_precision: bool = False
    """Whether the shared loop's products run in bfloat16 (the rest stays in float32); it pays on a GPU alone."""
    margin: float = 6.0
    """γ of the loss (RotatE paper, equation 5), if it has one; entities start about this far apart."""
    adversarial_temperature: float = 1.0
    """α, weight of hard negatives (RotatE paper, equation 4); 0 weighs all alike. Only for the NSSA loss."""
    loop: str = "auto"
    """`shared` (negatives shared by a batch; TransE L2 and RotatE alone), or PyKEEN's `slcwa` (negatives of each
    triple) or `lcwa` (all entities); `auto` is `shared` where it can be, else `slcwa`."""
    loss: str = "nssa"
    """Name of a PyKEEN loss; `nssa` is negative sampling with self-adversarial weights."""
    norm: int = 2
    """p of TransE's distance, 1 or 2; only 2 has the fast paths. RotatE's is always 2."""
    model_options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the PyKEEN model, as JSON values; with any the fast paths are off."""
    patience: int = 0
    """Validations without a better MRR before training stops; 0 trains all epochs. Needs validation triples."""
    validate_every: int = 10
    """Epochs between validations."""
    seed: int = 0
    """Seed of initial vectors, order and negative samples; on a CPU equal seeds give equal vectors."""
    device: str = "auto"
    """A torch device, or `auto`: CUDA where there is one, else the CPU."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", _ISOMETRIC.get(str(self.model).lower(), self.model))
        for item in fields(self):
            value = getattr(self, item.name)
            kinds = _KINDS.get(str(item.type), (Mapping,))
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                raise ConfigError(f"Expected {item.name} of type {item.type} (got {value!r})")
        at_least = {"dim": 1, "epochs": 1, "batch_size": 1, "patience": 0, "validate_every": 1, "seed": 0}
        for name, low in at_least.items():
            if getattr(self, name) < low:
                raise ConfigError(f"Expected {name} of at least {low} (got {getattr(self, name)})")
        if self.num_negatives is not None and self.num_negatives < 1:
            raise ConfigError(f"Expected num_negatives of at least 1 (got {self.num_negatives})")
        for name in ("learning_rate", "margin"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"Expected {name} above 0 (got {getattr(self, name)})")
        for name in ("adversarial_temperature", "invalid_weight", "hard_weight"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"Expected {name} of at least 0 (got {getattr(self, name)})")
        if not 0 < self.final_rate <= 1:
            raise ConfigError(f"Expected final_rate above 0 and at most 1 (got {self.final_rate})")
        self._check_loop()
        if self.norm not in (1, 2):
            raise ConfigError(f"Expected norm 1 or 2 (got {self.norm})")
        try:
            json.dumps(dict(self.model_options), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"Expected model_options of JSON values ({error})") from error

    def _check_loop(self) -> None:
        if self.loop not in _LOOPS:
            raise ConfigError(f"Expected loop to be {', '.join(_LOOPS[:-1])} or {_LOOPS[-1]} (got {self.loop!r})")
        if self.loop == "shared" and not self.isometric:
            raise ConfigError(
                f"Expected TransE (L2) or RotatE for the loop 'shared' (got {self.model}); leave loop out"
            )
        if self.loop == "lcwa" and self.subsampling:
            raise ConfigError("Expected no subsampling with the loop 'lcwa' (its rows are no triples); leave it out")

    @property
    def shared(self) -> bool:
        """Whether it trains on negatives shared by a batch."""
        return self.loop == "shared" or (self.loop == "auto" and self.isometric)

    @property
    def isometric(self) -> bool:
        """Whether the score is minus the L2 distance of a moved query to an entity, so one matrix product ranks all."""
        return not self.model_options and (self.model == "RotatE" or (self.model == "TransE" and self.norm == 2))

    @property
    def numbers(self) -> int:
        """Numbers per entity vector: two for each component of a model of complex ones (RotatE, ComplEx)."""
        return self.dim * (2 if self.model in ("RotatE", "ComplEx") else 1)

    @property
    def initial_bound(self) -> float:
        """TransE's and RotatE's entities start uniformly in ± this.

        Two uniform vectors in ±b are about b √numbers apart, so that entities start near the loss's margin.
        """
        return self.margin / math.sqrt(self.numbers)

    @property
    def negatives(self) -> int:
        """`num_negatives` with its default filled in."""
        return self.num_negatives if self.num_negatives is not None else (256 if self.shared else 16)

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EmbeddingConfig:
        """A configuration of the given values, the rest default.

        Raises:
            ConfigError: an unknown key (the message names the nearest known one) or a value out of range.
        """
        known = [item.name for item in fields(cls)]
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=2) or known
                raise ConfigError(f"Expected a setting of the embedding (got {key!r}; the nearest: {', '.join(near)})")
        return cls(**values)
