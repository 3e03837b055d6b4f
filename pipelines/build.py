"""From a domain folder to a reasoner: load, close, embed, fuse. Each stage is kept in the run and taken up again."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.formation import ClaimFormer, FormationSettings
from engine.hybrid import Reasoner
from engine.symbolic import Budget, Closure, builtin_rules, load_rules, materialise
from kg.domain import Domain, load_domain
from kg.errors import ConfigError
from kg.linking import LabelIndex
from kg.split import Split, split_triples

if TYPE_CHECKING:
    from embeddings import Embedding, EmbeddingConfig
    from engine.fusion import ClaimExample, Encoder, FusionConfig, FusionModel
    from pipelines.run import Run

__all__ = ["BuildConfig", "Embedded", "Fused", "close", "closure_key", "embed", "fuse", "read_former", "reasoner_for"]

log = logging.getLogger(__name__)
_C = TypeVar("_C")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class BuildConfig:
    """What a build may be told; a domain's own settings are taken where nothing is given here.

    Args:
        seed: of every random choice.
        encoder: a path, a Hugging Face name, or None for the embedded default.
        examples: number of generated claims to train the fusion model on.
        embedding, fusion: settings that differ from the defaults, by name.
    """

    seed: int = 0
    encoder: str | None = None
    examples: int = 2000
    embedding: Mapping[str, Any] = field(default_factory=dict)
    fusion: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.examples < 20:
            raise ConfigError(f"Expected at least 20 examples to train on (got {self.examples})")

    @classmethod
    def of(cls, domain: Domain, **given: Any) -> BuildConfig:
        """The configuration of a domain, with what is given on top; None means not given."""
        fusion = dict(domain.settings.get("fusion", {}))
        base = {name: fusion.pop(name) for name in ("encoder", "examples") if name in fusion}
        base |= {name: value for name, value in given.items() if value is not None}
        return cls(embedding=dict(domain.settings.get("embedding", {})), fusion=fusion, **base)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the run's record and for keys."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Embedded:
    """A trained embedding with its figures and the triples it was kept from."""

    embedding: Embedding
    split: Split


@dataclass(frozen=True)
class Fused:
    """A trained fusion model, the text-only model it is measured against, and the claims kept back for that."""

    models: Mapping[str, FusionModel]
    held_out: tuple[ClaimExample, ...]


def close(domain: Domain | str | Path, *, budget: Budget | None = None) -> tuple[Domain, Closure]:
    """A domain, loaded if it is a folder, and its closure under its own and the built-in rules."""
    if not isinstance(domain, Domain):
        domain = load_domain(domain)
    rules = load_rules(domain.rule_files, root=domain.folder)
    return domain, materialise(domain.graph, rules, entailment=domain.entailment, budget=budget)


def closure_key(closure: Closure) -> str:
    """A fingerprint of the closure's terms and triples: ids mean the same only where it is equal."""
    digest = hashlib.sha256("\n".join(closure.graph.dictionary).encode("utf-8", "surrogatepass"))
    for columns in (closure.graph.asserted, closure.graph.inferred):
        for array in columns.arrays():
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def settings_of(cls: type[_C], values: Mapping[str, Any], **fixed: Any) -> _C:
    """A configuration dataclass from a table of a domain file.

    Raises:
        ConfigError: a key it does not have; the message lists those it has.
    """
    known = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]  # only called with dataclasses
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(f"Expected settings of {cls.__name__} ({', '.join(sorted(known))}); got {', '.join(unknown)}")
    return cls(**{**fixed, **values})


def read_former(
    domain: Domain, closure: Closure, encoder: Encoder | None, *, splits: tuple[str, ...] = ("train",)
) -> ClaimFormer:
    """What reads triples from text for a domain: its labels and phrases, and its claims of the given splits."""
    encode = None if encoder is None else encoder.embed
    linking = dict(domain.settings.get("linking", {}))
    forming = settings_of(FormationSettings, linking.pop("formation", {}))
    labels = LabelIndex(closure.graph, encode=encode, settings=linking or None)
    learnt = [(c.text, c.triple, c.positive) for c in domain.claims if c.split in splits and c.triple is not None]
    return ClaimFormer(closure.graph, labels, encode=encode, sentences=learnt, settings=forming)


def embed(domain: Domain, closure: Closure, run: Run, config: BuildConfig, progress: Progress | None = None) -> Embedded:
    """Train, measure and calibrate the domain's embedding, or take up the one the run holds.

    Triples of held-out claims are not trained on, nor are the validation and test triples of the split.
    """
    from embeddings import EmbeddingConfig, load_embedding
    from pipelines.run import key_of

    settings = settings_of(EmbeddingConfig, config.embedding, seed=config.seed)
    triples = closure.graph.entity_triples()
    if len(triples) < 10:
        raise ConfigError(
            f"Expected at least 10 triples between entities to train an embedding on (got {len(triples)}); "
            "check, query and audit need none"
        )
    split = split_triples(triples, seed=config.seed, inverse=inverse_relations(closure))
    fingerprint = closure_key(closure)

    def make(folder: Path) -> None:
        _train_embedding(closure, split, settings, folder, fingerprint, run, progress)

    key = key_of("embedding", fingerprint, dataclasses.asdict(settings), config.seed)
    made = run.stage("embedding", key, make, lambda folder: load_embedding(folder, fingerprint=fingerprint))
    return Embedded(made, split)


def _train_embedding(
    closure: Closure,
    split: Split,
    settings: EmbeddingConfig,
    folder: Path,
    fingerprint: str,
    run: Run,
    progress: Progress | None,
) -> None:
    from embeddings import calibrate, evaluate, train_embedding

    tick = None if progress is None else lambda done, total: progress("embedding", done, total)
    terms = len(closure.graph.dictionary)
    embedding = train_embedding(split.train, terms, settings, validation=split.validation, progress=tick)
    known = np.concatenate([split.train, split.validation, split.test])
    embedding = calibrate(embedding, split.validation, known, seed=settings.seed)
    metrics = evaluate(embedding, split.test, known)
    run.note(embedding={"model": settings.model, "test": dataclasses.asdict(metrics)})
    embedding.save(folder, fingerprint=fingerprint)


def inverse_relations(closure: Closure) -> dict[int, int]:
    """Predicates that are inverse to each other, and symmetric ones to themselves, by the schema of the closure."""
    from rdflib import OWL, RDF

    graph, found = closure.graph, {}
    for triple in graph.triples(None, OWL.inverseOf, None):
        ids = graph.encode((triple.subject, OWL.inverseOf, triple.object))
        if ids is not None:
            found[ids[0]], found[ids[2]] = ids[2], ids[0]
    for triple in graph.triples(None, RDF.type, OWL.SymmetricProperty):
        at = graph.dictionary.find(triple.subject)
        if at is not None:
            found[at] = at
    return found
