"""What reads the claims of a domain: its labels, its wordings, and a reader learnt from them and kept in the run."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from engine.formation import ClaimFormer, FormationSettings
from engine.symbolic import Closure
from kg.domain import Domain
from kg.errors import ConfigError
from kg.linking import LabelIndex

if TYPE_CHECKING:
    from engine.fusion import Encoder, ProbeReader
    from pipelines.run import Run

__all__ = ["Progress", "closure_key", "read_former"]

log = logging.getLogger(__name__)
_C = TypeVar("_C")
Progress: TypeAlias = Callable[[str, int, int], None]

ENOUGH_WORDINGS = 300
"""Fewer wordings than this teach a probe too little; their nearest neighbour reads better."""


def read_former(
    domain: Domain,
    closure: Closure,
    encoder: Encoder | None,
    *,
    run: Run | None = None,
    splits: tuple[str, ...] = ("train",),
    progress: Progress | None = None,
) -> ClaimFormer:
    """What reads triples from text for a domain: its labels, phrases and wordings, and its claims of the given splits.

    With an encoder and enough wordings the reader is learnt, and taken up again where the run holds it.
    """
    encode = None if encoder is None else encoder.embed
    linking = dict(domain.settings.get("linking", {}))
    forming = _settings_of(FormationSettings, linking.pop("formation", {}))
    ordinary = None if encoder is None else encoder.is_word
    labels = LabelIndex(closure.graph, encode=encode, ordinary=ordinary, settings=linking or None)
    learnt = [(c.text, c.triple, c.positive) for c in domain.claims if c.split in splits and c.triple is not None]
    fits = None if encoder is None else lambda text: encoder.tokenize([text])
    former = ClaimFormer(
        closure.graph,
        labels,
        encode=encode,
        fits=fits,
        sentences=learnt,
        wordings=domain.wordings,
        settings=forming,
    )
    if encoder is not None and len(domain.wordings) + len(learnt) >= ENOUGH_WORDINGS:
        former.read_by(_learnt_reader(domain, closure, encoder, former, learnt, run, progress))
    return former


def _learnt_reader(
    domain: Domain,
    closure: Closure,
    encoder: Encoder,
    former: ClaimFormer,
    sentences: list[Any],
    run: Run | None,
    progress: Progress | None,
) -> ProbeReader:
    from engine.fusion import ProbeReader
    from pipelines.run import key_of

    tick = None if progress is None else partial(progress, "reader of claims")
    if run is None:
        return ProbeReader.fit(encoder, former.exemplars, progress=tick)

    def make(folder: Path) -> None:
        ProbeReader.fit(encoder, former.exemplars, progress=tick).save(folder)

    wordings = [dataclasses.astuple(wording)[:-1] for wording in domain.wordings]
    key = key_of("reader", closure_key(closure), encoder.fingerprint, wordings, sentences)
    try:
        return run.stage("reader", key, make, partial(ProbeReader.load, encoder=encoder))
    except OSError as error:
        log.warning("the reader of claims is learnt anew each time: %s; name a folder that can be written", error)
        return ProbeReader.fit(encoder, former.exemplars, progress=tick)


def closure_key(closure: Closure) -> str:
    """A fingerprint of the closure's terms and triples: ids mean the same only where it is equal."""
    digest = hashlib.sha256("\n".join(closure.graph.dictionary).encode("utf-8", "surrogatepass"))
    for columns in (closure.graph.asserted, closure.graph.inferred):
        for array in columns.arrays():
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _settings_of(cls: type[_C], values: Mapping[str, Any], **fixed: Any) -> _C:
    """A configuration dataclass from a table of a domain file.

    Raises:
        ConfigError: a key it does not have; the message lists those it has.
    """
    known = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]  # only called with dataclasses
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(f"Expected settings of {cls.__name__} ({', '.join(sorted(known))}); got {', '.join(unknown)}")
    return cls(**{**fixed, **values})
