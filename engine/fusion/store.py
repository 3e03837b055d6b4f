"""A fusion model on disk: the weights that training changed, its settings and calibration; no pickle, no encoder copy.

What was not trained comes from the encoder, which is named by the SHA-256 of its weights, and from the embedding, whose
fingerprint is that of the graph. Either being another one is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from embeddings.calibrate import Calibration
from embeddings.store import read_store, write_store
from engine.fusion.batch import Collator
from engine.fusion.config import FusionConfig
from engine.fusion.grounding import ClosureView, IdTriple
from engine.fusion.model import Epoch, FusionModel
from engine.fusion.scorer import calibrate
from kg.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from embeddings import Embedding
    from engine.fusion.encoder import Encoder
    from engine.fusion.examples import ClaimExample

__all__ = ["load_fusion", "save_fusion"]

_KIND = "fusion model"
_HEAD = (
    "text_head",
    "node_norm",
    "text_norm",
    "claim_state",
    "text_factor",
    "joint_head",
    "embedding_weight",
)


def save_fusion(
    model: FusionModel,
    folder: str | Path,
    *,
    validation: Sequence[ClaimExample] = (),
    hidden: Collection[IdTriple] = frozenset(),
) -> None:
    """Write a model to a folder, all or nothing.

    Args:
        model: the trained model.
        folder: where it goes; a fusion model there is replaced.
        validation: claims it was not trained on, to calibrate its plausibility by; without any, the bare sigmoid is
            kept.
        hidden: triples the evidence for these claims may not show.

    Raises:
        StoreError: something else is in the folder, or it cannot be written.
    """
    if validation:
        model.calibration = calibrate(model, validation, hidden=hidden)
    embedding = model.collator.embedding
    document = {
        "config": model.config.to_dict(),
        "relations": list(model.collator.relations),
        "encoder": model.collator.encoder.identity,
        "embedding": None if embedding is None else embedding.fingerprint,
        "calibration": None if model.calibration is None else model.calibration.to_dict(),
        "history": [
            dataclasses.asdict(epoch) for epoch in model.history if epoch.validation_loss == epoch.validation_loss
        ],
    }
    tensors = {name: parameter.detach().cpu().numpy() for name, parameter in model.trained_parameters()}
    write_store(folder, kind=_KIND, tensors=tensors, document=document)


def load_fusion(
    folder: str | Path, *, closure: ClosureView, embedding: Embedding | None, encoder: Encoder
) -> FusionModel:
    """Read a model back, in evaluation mode.

    Args:
        folder: what `save_fusion` wrote.
        closure: the graph its claims are about.
        embedding: the embedding it was trained with, or None.
        encoder: the encoder it was trained from.

    Raises:
        StoreError: a file is missing or was altered, or encoder or embedding are not those it was trained with.
    """
    tensors, document = read_store(folder, kind=_KIND)
    try:
        config = FusionConfig.from_dict(document["config"])
        encoder.expect(document["encoder"], folder)
        if document["embedding"] != (None if embedding is None else embedding.fingerprint):
            raise StoreError(
                f"Expected the embedding that the model in {folder} was trained with; train the model again"
            )
        collator = Collator(closure, embedding, encoder, config, relations=document["relations"])
        model = FusionModel(collator, config)
        # Before there were several heads, the parts of the one were the model's own.
        tensors = {f"head.{n}" if n.startswith(_HEAD) else n: value for n, value in tensors.items()}
        expected = {name: tuple(parameter.shape) for name, parameter in model.trained_parameters()}
        if expected != {name: value.shape for name, value in tensors.items()}:
            raise StoreError(f"Expected the weights of this version's fusion model in {folder}; train the model again")
        model.load_state_dict({name: torch.tensor(value) for name, value in tensors.items()}, strict=False)
        if document["calibration"] is not None:
            model.calibration = Calibration.from_dict(document["calibration"])
        model.history = tuple(Epoch(**epoch) for epoch in document["history"])
    except (KeyError, TypeError, AttributeError, ConfigError) as error:
        raise StoreError(
            f"Expected the document of a fusion model in {folder} ({error!r}); train the model again"
        ) from error
    return model.eval()
