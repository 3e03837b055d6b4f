"""PyKEEN's literal models, made from a matrix of numbers on a graph's own ids.

A training loop of PyKEEN resets a model's parameters when it starts, and there (1.11) draws the literals of these
models at random, so that they would train on noise: `hold_literals` keeps the numbers. The gated model of that version
(DistMultLiteralGated) cannot be made at all: it names an argument that its own combination has not.

Import this module inside `embeddings.quiet.quiet`: it imports PyKEEN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from pykeen.models import LiteralModel, Model
from pykeen.triples import KGInfo
from torch import Tensor

from kg.errors import ConfigError, InputError

__all__ = ["LiteralInfo", "hold_literals", "literal_factory", "num_attributes", "takes_literals"]

_LITERALS = "entity_representations.0.base.1._embeddings.weight"  # where LiteralModel keeps them in its state


class LiteralInfo(KGInfo):  # type: ignore[misc]  # PyKEEN is untyped here
    """What PyKEEN's literal models ask a `TriplesNumericLiteralsFactory` for, without its labels and triples."""

    def __init__(self, num_entities: int, num_relations: int, values: Float[Tensor, "entity attribute"]) -> None:
        super().__init__(num_entities=num_entities, num_relations=num_relations, create_inverse_triples=False)
        self.numeric_literals = values  # the name some of the models ask for

    @property
    def literal_shape(self) -> tuple[int, ...]:
        """(attribute,)"""
        return tuple(self.numeric_literals.shape[1:])

    def get_numeric_literals_tensor(self) -> Float[Tensor, "entity attribute"]:
        """Scaled numbers of the entities."""
        return self.numeric_literals


def literal_factory(num_entities: int, num_relations: int, values: NDArray[np.floating]) -> LiteralInfo:
    """What to make a literal model of, in place of a triples factory.

    Args:
        num_entities, num_relations: of the embedding.
        values: `NumericLiterals.values` in the order of the embedding's entities; shape (entity, attribute).

    Raises:
        InputError: no attribute, a shape that does not fit, or numbers that are not finite.
    """
    numbers = np.asarray(values)
    if numbers.ndim != 2 or len(numbers) != num_entities or not numbers.shape[1] or not np.isfinite(numbers).all():
        raise InputError(
            f"Expected finite numbers of {num_entities} entities for at least one attribute (got {numbers.shape}); "
            "a graph without numeric literals has no use for a literal model"
        )
    return LiteralInfo(num_entities, num_relations, torch.from_numpy(np.array(numbers, dtype=np.float32)))


def hold_literals(model: Model) -> None:
    """Make a fresh literal model keep its numbers when its parameters are reset.

    Raises:
        ConfigError: another kind of model.
    """
    if not isinstance(model, LiteralModel):
        raise ConfigError(f"Expected a literal model (got {type(model).__name__})")
    kept = model.entity_representations[0].base[1]
    # PyKEEN's module sets the numbers, then the torch module within it would draw its weights again
    kept._embeddings.reset_parameters = kept.reset_parameters


def takes_literals(model: type) -> bool:
    """Whether a class of PyKEEN's models is made from numeric literals."""
    return issubclass(model, LiteralModel)


def num_attributes(state: Mapping[str, Any]) -> int:
    """How many attributes the state dict of a literal model is for; 0 for that of another model."""
    return int(state[_LITERALS].shape[1]) if _LITERALS in state else 0
