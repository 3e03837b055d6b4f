"""Checkpoints of a training: everything that decides how it goes on, so that it goes on as if it had not stopped.

A checkpoint is a store (see `embeddings.store`): tensors, JSON and a manifest, written whole or not at all; nothing of
it is unpickled, as PyKEEN's own checkpoints would be.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from embeddings.store import read_store, write_store
from kg.errors import StoreError

__all__ = ["Checkpoint", "Progress", "array_of", "optimizer_parts", "optimizer_state", "tensors_under"]

_KIND = "noesis training checkpoint"


@dataclass
class Progress:
    """What early stopping knows."""

    best: dict[str, Tensor] | None = None
    """State dict of the epoch with the best validation, None before the first one."""
    best_mrr: float = -math.inf
    waited: int = 0
    """Validations since then."""
    stopped: bool = False


@dataclass
class Checkpoint:
    """A folder in which a training leaves its state after an epoch.

    Args:
        folder: replaced each time. key: what the training is of: another one's checkpoint is refused.
        seconds: between two of them at least; it is written after an epoch, and is as large as the model some times.
    """

    folder: Path
    key: str
    seconds: float
    _written: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Whether it is time for one."""
        return time.monotonic() - self._written >= self.seconds

    def write(self, loop: Any, progress: Progress) -> None:
        """Leave the state of a PyKEEN training loop, all or nothing.

        Raises:
            StoreError: something else is in the folder, or it cannot be written.
        """
        tensors = {f"model.{name}": array_of(value) for name, value in loop.model.state_dict().items()}
        tensors |= {f"best.{name}": array_of(value) for name, value in (progress.best or {}).items()}
        tensors["random"] = array_of(torch.get_rng_state())
        if torch.cuda.is_available():
            tensors |= {f"cuda.{at}": array_of(state) for at, state in enumerate(torch.cuda.get_rng_state_all())}
        parts, optimizer = optimizer_parts(loop.optimizer)
        tensors |= parts
        document = {
            "key": self.key,
            "epoch": loop._epoch,
            "losses": loop.losses_per_epochs,
            "optimizer": optimizer,
            "scheduler": loop.lr_scheduler.state_dict(),
            "best_mrr": None if progress.best is None else progress.best_mrr,
            "waited": progress.waited,
            "stopped": progress.stopped,
        }
        write_store(self.folder, kind=_KIND, tensors=tensors, document=document)
        self._written = time.monotonic()

    def resume(self, loop: Any) -> Progress | None:
        """Put a loop where the checkpoint left one; None where there is no checkpoint yet.

        Raises:
            StoreError: a file is missing or was altered, or the checkpoint is of another training.
        """
        if not self.folder.exists() or (self.folder.is_dir() and not any(self.folder.iterdir())):
            return None
        arrays, document = read_store(self.folder, kind=_KIND)
        if document.get("key") != self.key:
            raise StoreError(
                f"Expected a checkpoint of this training in {self.folder} (got one of another configuration, other "
                "triples or literals); name another folder, or remove it"
            )
        tensors = {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}
        try:
            loop.model.load_state_dict(tensors_under(tensors, "model."))
            loop.optimizer.load_state_dict(optimizer_state(tensors, document["optimizer"]))
            loop.lr_scheduler.load_state_dict(document["scheduler"])
            loop._epoch, loop.losses_per_epochs = document["epoch"], document["losses"]
            if loop.lr_scheduler.last_epoch < loop._epoch:  # callbacks run before PyKEEN's step of it
                loop.lr_scheduler.step()
            torch.set_rng_state(tensors["random"])
            cuda = tensors_under(tensors, "cuda.")
            if torch.cuda.is_available() and len(cuda) == torch.cuda.device_count():
                torch.cuda.set_rng_state_all([cuda[str(at)] for at in range(len(cuda))])
            best = tensors_under(tensors, "best.")
            mrr = document["best_mrr"]
            return Progress(best or None, -math.inf if mrr is None else mrr, document["waited"], document["stopped"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise StoreError(f"Expected the parts of a checkpoint in {self.folder} ({error}); remove it") from error


def array_of(value: Tensor) -> np.ndarray[Any, Any]:
    """A tensor as an array in main memory."""
    return np.asarray(value.detach().cpu().numpy())


def tensors_under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start so, by the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def optimizer_parts(optimizer: Any) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """The state of a torch optimiser as arrays by name, and what is no tensor, for JSON."""
    state = optimizer.state_dict()
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    numbers: dict[str, dict[str, Any]] = {}
    for at, entry in state["state"].items():
        tensors |= {f"optimizer.{at}.{name}": array_of(v) for name, v in entry.items() if isinstance(v, Tensor)}
        numbers[str(at)] = {name: v for name, v in entry.items() if not isinstance(v, Tensor)}
    return tensors, {"groups": state["param_groups"], "numbers": numbers}


def optimizer_state(tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> dict[str, Any]:
    """What `optimizer_parts` was made of, for `load_state_dict`."""
    state = {int(at): dict(numbers) for at, numbers in document["numbers"].items()}
    for name, value in tensors_under(tensors, "optimizer.").items():
        at, _, key = name.partition(".")
        state[int(at)][key] = value
    return {"state": state, "param_groups": document["groups"]}
