"""A pair extractor on disk: the weights that training changed and its settings; the encoder is named by its SHA-256."""

from __future__ import annotations

from pathlib import Path

import torch

from embeddings.store import read_store, write_store
from engine.extraction.pairs import PairConfig, PairExtractor
from engine.fusion.encoder import Encoder
from kg.errors import ConfigError, InputError, StoreError

__all__ = ["load_pairs", "save_pairs"]

_KIND = "pair extractor"


def save_pairs(extractor: PairExtractor, folder: str | Path) -> None:
    """Write an extractor to a folder, all or nothing; one that is there is replaced.

    Raises:
        StoreError: something else is in the folder, or it cannot be written.
    """
    document = {
        "config": extractor.config.to_dict(),
        "relations": list(extractor.relations),
        "encoder": extractor.encoder.identity,
    }
    tensors = {name: parameter.detach().cpu().numpy() for name, parameter in extractor.trained_parameters()}
    write_store(folder, kind=_KIND, tensors=tensors, document=document)


def load_pairs(folder: str | Path, *, encoder: Encoder) -> PairExtractor:
    """Read an extractor back, in evaluation mode.

    Raises:
        StoreError: a file is missing or was altered, or it was trained from another encoder.
    """
    tensors, document = read_store(folder, kind=_KIND)
    try:
        encoder.expect(document["encoder"], folder)
        extractor = PairExtractor(encoder, document["relations"], PairConfig.from_dict(document["config"]))
        expected = {name: tuple(parameter.shape) for name, parameter in extractor.trained_parameters()}
        if expected != {name: value.shape for name, value in tensors.items()}:
            raise StoreError(f"Expected the weights of this version's pair extractor in {folder}; train it again")
    except (KeyError, TypeError, ConfigError, InputError) as error:
        raise StoreError(
            f"Expected the document of a pair extractor in {folder} ({error!r}); train it again"
        ) from error
    extractor.load_state_dict({name: torch.tensor(value) for name, value in tensors.items()}, strict=False)
    return extractor.eval()
