"""From a domain folder to a reasoner: load, close, embed, fuse. Each stage is kept in the run and taken up again."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.hybrid import Reasoner
from engine.symbolic import Budget, Closure, load_rules, materialise, rules_of
from kg.columns import Columns, rows_among
from kg.domain import Domain, load_domain
from kg.errors import ConfigError, StoreError, TooSmallError
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from kg.property_axioms import PropertyAxioms
from kg.split import Split, split_triples
from pipelines.reader import Progress, closure_key, read_former

if TYPE_CHECKING:
    from embeddings import Embedding, EmbeddingConfig
    from engine.fusion import ClaimExample, Encoder, FusionConfig, FusionModel
    from engine.fusion.config import Mode
    from pipelines.run import Run

__all__ = [
    "BuildConfig",
    "Embedded",
    "Fused",
    "close",
    "closure_key",
    "embed",
    "fuse",
    "reasoner_for",
    "reasoner_with",
]

log = logging.getLogger(__name__)
_C = TypeVar("_C")
Triples: TypeAlias = NDArray[np.int32]

MIN_TRIPLES = 10
"""Fewer triples between entities than this say nothing about held-out ones."""


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
    examples: int = 1600
    embedding: Mapping[str, Any] = field(default_factory=dict)
    fusion: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.examples < 20:
            raise ConfigError(f"Expected at least 20 examples to train on (got {self.examples})")

    @classmethod
    def of(cls, domain: Domain, **given: Any) -> BuildConfig:
        """The configuration of a domain, with what is given on top; None means not given."""
        fusion = dict(domain.settings.get("fusion", {}))
        base: dict[str, Any] = {name: fusion.pop(name) for name in ("encoder", "examples") if name in fusion}
        base |= {name: value for name, value in given.items() if value is not None}
        return cls(embedding=dict(domain.settings.get("embedding", {})), fusion=fusion, **base)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the run's record and for keys."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Embedded:
    """A trained embedding, the split it was trained and measured on, and the triples of claims that are held out."""

    embedding: Embedding
    split: Split
    hidden: Triples


@dataclass(frozen=True)
class Fused:
    """The trained fusion model and its controls by mode, and the encoder they were made from."""

    models: Mapping[Mode, FusionModel]
    encoder: Encoder


def close(
    domain: Domain | str | Path, *, entailment: str | None = None, budget: Budget | None = None
) -> tuple[Domain, Closure]:
    """A domain, loaded if it is a folder, and its closure under its own and the built-in rules.

    Its own rules are those of its rule files, then the SWRL and SHACL-AF rules among its triples and its shapes.
    """
    if not isinstance(domain, Domain):
        domain = load_domain(domain)
    rules = load_rules(domain.rule_files, root=domain.folder).merge(rules_of(domain.graph))
    if domain.shape_files:
        rules = rules.merge(rules_of(load_graph(domain.shape_files)))
    return domain, materialise(domain.graph, rules, entailment=entailment or domain.entailment, budget=budget)


def embed(
    domain: Domain, closure: Closure, run: Run, config: BuildConfig, progress: Progress | None = None
) -> Embedded:
    """Train, measure and calibrate the domain's embedding, or take up the one the run holds.

    It learns from asserted triples between entities. The validation and test triples of the split are not trained on,
    nor are the triples of development and test claims.

    Raises:
        TooSmallError: the domain has too few triples between entities.
    """
    from embeddings import EmbeddingConfig, load_embedding
    from pipelines.run import key_of

    settings = EmbeddingConfig.from_dict({"seed": config.seed, **config.embedding})
    every = closure.graph.entity_triples()
    hidden = np.array(sorted(held_out_triples(domain, closure)), dtype=np.int32).reshape(-1, 3)
    triples = every[~rows_among(every, hidden)]
    if len(triples) < MIN_TRIPLES:
        raise TooSmallError(
            f"Expected at least {MIN_TRIPLES} triples between entities to train on (got {len(triples)}); "
            "ask, check, query and audit need no trained model"
        )
    axioms = PropertyAxioms.of(closure.graph)
    families = [{child, *parents} for child, parents in axioms.parents.items()]
    split = split_triples(triples, seed=config.seed, inverse=axioms.inverse, leak_groups=families)
    fingerprint = closure_key(closure)

    def make(folder: Path) -> None:
        _train_embedding(every, split, settings, folder, fingerprint, closure.graph, run, progress)

    key = key_of("embedding", fingerprint, settings.to_dict(), hidden.tolist())
    made = run.stage("embedding", key, make, lambda folder: load_embedding(folder, fingerprint=fingerprint))
    return Embedded(made, split, hidden)


def _train_embedding(
    every: Triples,
    split: Split,
    settings: EmbeddingConfig,
    folder: Path,
    fingerprint: str,
    graph: KnowledgeGraph,
    run: Run,
    progress: Progress | None,
) -> None:
    from embeddings import brier, calibration_examples, ece, evaluate, fit_calibration, train_embedding
    from embeddings.literals import literals_for

    tick = None if progress is None else partial(progress, "embedding")
    embedding = train_embedding(
        split.train,
        len(graph.dictionary),
        settings,
        validation=split.validation,
        fingerprint=fingerprint,
        literals=literals_for(settings.model, graph),
        progress=tick,
    )
    figures: dict[str, Any] = {"model": settings.model, "train": len(split.train)}
    if len(split.validation) and len(split.test):
        triples, labels = calibration_examples(embedding, split.validation, every, seed=settings.seed)
        calibration = fit_calibration(embedding.score(triples), labels, triples[:, 1])
        embedding = dataclasses.replace(embedding, calibration=calibration)
        figures["test"] = evaluate(embedding, split.test, every, device=settings.device).to_dict()
        triples, labels = calibration_examples(embedding, split.test, every, seed=settings.seed + 1)
        plausible = embedding.plausibility(triples)
        figures["test"] |= {"brier": brier(plausible, labels), "ece": ece(plausible, labels)}
    run.note(embedding=figures)
    embedding.save(folder)


def held_out_triples(domain: Domain, closure: Closure) -> set[tuple[int, int, int]]:
    """The triples of development and test claims, as term ids: no model is trained on them."""
    claims = [c.triple for c in domain.claims if c.split != "train" and c.triple is not None]
    return {ids for triple in claims if (ids := closure.graph.encode(triple)) is not None}


# Fusion ---------------------------------------------------------------------------------------------------------


def fuse(
    domain: Domain,
    closure: Closure,
    embedded: Embedded,
    run: Run,
    config: BuildConfig,
    progress: Progress | None = None,
    *,
    modes: tuple[Mode, ...] = ("fusion", "text only", "graph only", "shuffled graph"),
) -> Fused:
    """Train and measure the fusion model and its controls, or take up those the run holds.

    The models learn from claims made from the closure of the training triples, in the phrasings of the schema, and from
    the domain's train claims. Nothing held out is shown to them, as a claim or as evidence.

    Raises:
        TooSmallError: there is no claim to learn from.
    """
    from engine.fusion import load_fusion, resolve_encoder
    from pipelines.run import key_of

    encoder = resolve_encoder(config.encoder)
    settings = fusion_settings(config)
    data = _fusion_data(domain, closure, embedded, config)
    if not data.train:
        raise TooSmallError(
            "Expected a triple to make claims of, one that the embedding was not trained on or that follows by rules "
            "(got none); give the domain more triples, rules or train claims"
        )
    load = partial(load_fusion, closure=closure, embedding=embedded.embedding, encoder=encoder)
    models: dict[Mode, FusionModel] = {}
    for mode in modes:
        chosen = dataclasses.replace(settings, mode=mode)
        name = f"fusion-{mode.replace(' ', '-')}"
        key = key_of(name, closure_key(closure), chosen.to_dict(), config.to_dict(), encoder.fingerprint, data.key)
        make = partial(_train_fusion, closure, embedded, encoder, chosen, data, progress)
        models[mode] = run.stage(name, key, make, load)
    if not {f"fusion-{mode.replace(' ', '-')}" for mode in modes} <= set(run.reused) or run.metric("fusion") is None:
        tables = [_table(title, models, examples, data) for title, examples in data.tests.items()]
        run.note(fusion={"tables": tables})
    return Fused(models, encoder)


def fusion_settings(config: BuildConfig) -> FusionConfig:
    """The fusion model's configuration in a build."""
    from engine.fusion import FusionConfig

    return FusionConfig.from_dict({"seed": config.seed, **config.fusion})


@dataclass(frozen=True)
class _FusionData:
    """Claims to train, to stop and calibrate by, and to measure on; and the triples no evidence may show."""

    train: list[ClaimExample]
    validation: list[ClaimExample]
    tests: dict[str, list[ClaimExample]]
    hidden: frozenset[tuple[int, int, int]]

    @property
    def key(self) -> str:
        """A fingerprint of all of it."""
        from pipelines.run import key_of

        sets = [self.train, self.validation, *self.tests.values()]
        return key_of([[(e.text, e.triple, e.label) for e in examples] for examples in sets], sorted(self.hidden))


def _fusion_data(domain: Domain, closure: Closure, embedded: Embedded, config: BuildConfig) -> _FusionData:
    from engine.fusion import generate_examples

    split, graph = embedded.split, closure.graph
    parts = [embedded.hidden, split.validation, split.test]
    hidden = frozenset((int(s), int(p), int(o)) for part in parts for s, p, o in part)
    random = np.random.default_rng(config.seed)
    # Triples the embedding was not trained on: most to learn from, as it overrates those it knows; the rest to stop by.
    unseen = random.permutation(split.validation)
    unseen, unseen_kept = np.split(unseen, [3 * len(unseen) // 4])
    # What follows without any hidden triple: the evidence for it is all there to see.
    follows = random.permutation(_rows(_closure_without(closure, hidden).inferred, graph.entity_triples(inferred=True)))
    follows, follows_kept, follows_test = np.split(follows, [8 * len(follows) // 10, 9 * len(follows) // 10])
    held_out = {tuple(row) for part in (embedded.hidden, follows_kept, follows_test) for row in part.tolist()}

    def claims(count: int, seed: int, *about: Triples) -> list[ClaimExample]:
        """The claims of each group of triples, an equal number from each that has any."""
        groups = [group for group in about if len(group)]
        each = max(count // max(len(groups), 1), 2)
        made = [
            generate_examples(
                closure, count=each, seed=seed + at, about=group.tolist(), held_out=held_out - _set(group)
            )
            for at, group in enumerate(groups)
        ]
        return [example for examples in made for example in examples]

    few = max(config.examples // 8, 20)
    written = {s: _written(domain, closure, s) for s in ("train", "dev", "test")}
    tests = {
        "Held-out claims: given triples no model saw": claims(2 * few, config.seed + 200, split.test),
        "Held-out claims: triples that follow by rules": claims(2 * few, config.seed + 300, follows_test),
        "Hand-written test claims": written["test"],
    }
    return _FusionData(
        [*claims(config.examples, config.seed, unseen, follows), *written["train"]],
        [*claims(few, config.seed + 100, unseen_kept, follows_kept), *written["dev"]],
        {title: examples for title, examples in tests.items() if examples},
        hidden,
    )


def _set(triples: Triples) -> set[tuple[int, ...]]:
    return {tuple(row) for row in triples.tolist()}


def _rows(columns: Columns, among: Triples) -> Triples:
    """The triples that the columns hold, of those given."""
    return among[[columns.contains(int(s), int(p), int(o)) for s, p, o in among]]


def _closure_without(closure: Closure, hidden: Collection[tuple[int, int, int]]) -> KnowledgeGraph:
    """The closure of the asserted triples that are not hidden: what follows only from hidden ones is left out."""
    graph = closure.graph
    s, p, o = graph.asserted.arrays()
    keep = ~rows_among(np.stack([s, p, o], axis=1), np.array(sorted(hidden), dtype=np.int32).reshape(-1, 3))
    rest = type(graph)(graph.dictionary, Columns.from_arrays(s[keep], p[keep], o[keep]), prefixes=graph.prefixes)
    return materialise(rest, closure.ruleset, entailment="none").graph


def _written(domain: Domain, closure: Closure, split: str) -> list[ClaimExample]:
    """Hand-written claims whose verdict makes them true or false, as examples."""
    from engine.fusion import ClaimExample

    made = []
    for claim in domain.claims:
        ids = None if claim.triple is None else closure.graph.encode(claim.triple)
        if claim.split == split and ids is not None and claim.verdict in ("entailed", "contradicted"):
            label = float(claim.verdict == "entailed")
            made.append(ClaimExample(claim.text, ids, label, "hand-written", not claim.positive))
    return made


def _train_fusion(
    closure: Closure,
    embedded: Embedded,
    encoder: Encoder,
    settings: FusionConfig,
    data: _FusionData,
    progress: Progress | None,
    folder: Path,
) -> None:
    from engine.fusion import save_fusion, tie_claims, train_fusion

    tick = None if progress is None else partial(progress, settings.mode)
    examples, ties = list(data.train), None
    if settings.rule_loss:
        examples, ties = tie_claims(closure, examples, count=len(examples), seed=settings.seed, hidden=data.hidden)
    model = train_fusion(
        examples,
        closure,
        embedded.embedding,
        encoder,
        settings,
        validation=data.validation,
        hidden=data.hidden,
        ties=ties,
        progress=tick,
    )
    save_fusion(model, folder, validation=data.validation, hidden=data.hidden)


def _table(
    title: str, models: Mapping[Mode, FusionModel], examples: Sequence[ClaimExample], data: _FusionData
) -> dict[str, Any]:
    """Each trained model on the same held-out claims."""
    from engine.fusion import binary_metrics, compare, plausibilities, predict_logits

    def chances(model: FusionModel, mode: Mode) -> NDArray[np.float64]:
        return plausibilities(model, predict_logits(model, examples, mode=mode, hidden=data.hidden))

    labels = [example.label for example in examples]
    found = {mode: chances(model, mode) for mode, model in models.items()}
    rows: list[dict[str, Any]] = [{"mode": mode, **binary_metrics(labels, p).to_dict()} for mode, p in found.items()]
    note = "Trained on neither these claims nor their triples."
    for mode in [mode for mode in found if mode != "fusion"]:
        note += f" Fusion against {mode}: {compare(labels, found['fusion'], found[mode])}."
    for row in rows:  # JSON has no NaN, which the area under the curve is where all claims have one label
        row["auc"] = None if math.isnan(row["auc"]) else row["auc"]
    return {"title": title, "rows": rows, "note": note}


# Reasoner -------------------------------------------------------------------------------------------------------


def reasoner_with(
    domain: Domain,
    closure: Closure,
    fused: Fused | None,
    encoder: Encoder | None = None,
    *,
    run: Run | None = None,
    progress: Progress | None = None,
) -> Reasoner:
    """The reasoner of a domain, with the fusion model's calibrated plausibility where there is one.

    Args:
        run: keeps the learnt reader of claims, or has it already; None learns it anew.
    """
    scorer = None
    if fused is not None:
        from engine.fusion import Scorer

        scorer = Scorer(fused.models["fusion"])
        encoder = fused.encoder
    return Reasoner(closure, former=read_former(domain, closure, encoder, run=run, progress=progress), scorer=scorer)


def reasoner_for(
    domain: Domain,
    closure: Closure,
    run_folder: Path,
    *,
    encoder: str | None = None,
    required: bool = False,
    progress: Progress | None = None,
) -> Reasoner:
    """The reasoner of a domain with the models of a run folder, or without plausibilities where the run has none.

    What reads claims is learnt and kept in the run folder where it is not there yet.

    Raises:
        StoreError: `required`, and the folder holds no fusion model of this closure.
    """
    from embeddings import load_embedding
    from engine.fusion import load_fusion, resolve_encoder
    from pipelines.run import Run

    config = BuildConfig.of(domain, encoder=encoder)
    found = resolve_encoder(config.encoder)
    folders = run_folder / "embedding", run_folder / "fusion-fusion"
    fused = None
    try:
        if not all(folder.is_dir() for folder in folders):
            raise StoreError(f"Expected a trained model in {run_folder}; make one with `noesis train`")
        embedding = load_embedding(folders[0], fingerprint=closure_key(closure))
        model = load_fusion(folders[1], closure=closure, embedding=embedding, encoder=found)
        fused = Fused({"fusion": model}, found)
    except StoreError as error:
        if required:
            raise
        log.log(logging.WARNING if folders[1].is_dir() else logging.INFO, "no plausibility: %s", error)
    run = Run(run_folder, config.to_dict())
    return reasoner_with(domain, closure, fused, found, run=run, progress=progress)
