"""Checkpoints of the fusion model's training: after a kill it goes on as if it had not been stopped.

A checkpoint is a store (see `embeddings.store`), written whole or not at all, after an epoch; on a CPU the weights at
the end are the same bit for bit.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from embeddings.checkpoint import array_of, optimizer_parts, optimizer_state, tensors_under
from embeddings.store import read_store, write_store
from engine.fusion.examples import ClaimExample
from engine.fusion.grounding import IdTriple
from engine.fusion.model import Epoch, FusionModel
from kg.errors import StoreError

if TYPE_CHECKING:
    from engine.fusion.train import Training

__all__ = ["Checkpoint", "training_key"]

_KIND = "noesis fusion training checkpoint"


def training_key(model: FusionModel, examples: Iterable[ClaimExample], hidden: Collection[IdTriple]) -> str:
    """A fingerprint of all that decides a training: settings, encoder, embedding, examples, what is hidden."""
    embedding = model.collator.embedding
    parts = [
        model.config.to_dict(),
        model.collator.encoder.fingerprint,
        None if embedding is None else embedding.fingerprint,
        list(model.collator.relations),
        [dataclasses.astuple(example) for example in examples],
        sorted(hidden),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass
class Checkpoint:
    """A folder in which a training leaves its state after an epoch.

    Args:
        folder: replaced each time.
        key: what the training is of: another one's checkpoint is refused.
        seconds: between two of them at least.
    """

    folder: Path
    key: str
    seconds: float = 0.0
    _written: float = field(default_factory=time.monotonic)

    def write(self, training: Training) -> None:
        """Leave the state of a training, all or nothing, if it is time for it.

        Raises:
            StoreError: something else is in the folder, or it cannot be written.
        """
        if time.monotonic() - self._written < self.seconds:
            return
        state, model = training.state, training.model
        optimizer, numbers = optimizer_parts(training.optimiser)
        tensors = {f"model.{name}": array_of(value) for name, value in model.trained_parameters()}
        tensors |= {f"best.{name}": array_of(value) for name, value in state.best_weights.items()} | optimizer
        tensors["random"] = array_of(torch.get_rng_state())
        if model.device.type == "cuda":
            tensors["cuda"] = array_of(torch.cuda.get_rng_state(model.device))
        document = {
            "key": self.key,
            "history": [[e.loss, e.validation_loss, e.seconds] for e in state.history],
            "best": state.best,
            "since": state.since,
            "step": training.step,
            "order": training.order.bit_generator.state,
            "optimizer": numbers,
            "schedule": training.schedule.state_dict() | {"lr_lambdas": None},  # functions of the configuration
        }
        write_store(self.folder, kind=_KIND, tensors=tensors, document=document)
        self._written = time.monotonic()

    def resume(self, training: Training) -> None:
        """Put a training where the checkpoint left one; where there is none yet, leave it as it is.

        Raises:
            StoreError: a file is missing or was altered, or the checkpoint is of another training.
        """
        if not self.folder.exists() or (self.folder.is_dir() and not any(self.folder.iterdir())):
            return
        arrays, document = read_store(self.folder, kind=_KIND)
        if document.get("key") != self.key:
            raise StoreError(
                f"Expected a checkpoint of this training in {self.folder} (got one of another configuration, encoder "
                "or other claims); name another folder, or remove it"
            )
        tensors = {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}
        state, model = training.state, training.model
        try:
            model.load_state_dict(tensors_under(tensors, "model."), strict=False)
            training.optimiser.load_state_dict(optimizer_state(tensors, document["optimizer"]))
            schedule = training.schedule.state_dict()
            training.schedule.load_state_dict(document["schedule"] | {"lr_lambdas": schedule["lr_lambdas"]})
            training.order.bit_generator.state = document["order"]
            training.step = document["step"]
            state.best_weights = {n: v.to(model.device) for n, v in tensors_under(tensors, "best.").items()}
            state.best, state.since = document["best"], document["since"]
            state.history = [Epoch(*numbers) for numbers in document["history"]]
            torch.set_rng_state(tensors["random"])
            if model.device.type == "cuda" and "cuda" in tensors:
                torch.cuda.set_rng_state(tensors["cuda"], model.device)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise StoreError(f"Expected the parts of a checkpoint in {self.folder} ({error}); remove it") from error
