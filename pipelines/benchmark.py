"""A link prediction benchmark from its folder to figures: trained with several seeds, measured, kept in a folder."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
import statistics
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kg.benchmark import Benchmark, load_benchmark
from kg.errors import ConfigError, InputError, MissingFileError
from pipelines.run import write_atomically

if TYPE_CHECKING:
    from embeddings import Embedding, EmbeddingConfig

__all__ = ["FIGURES", "Tick", "load_config", "read_table", "run_benchmark", "spread"]

log = logging.getLogger(__name__)

FIGURES = ("mrr", "mrr_of_all", "hits_at_1", "hits_at_3", "hits_at_10")
"""What is told of each part, with mean and standard deviation over the seeds."""
Tick = Callable[[str, int, int], None]


def load_config(path: str | Path) -> EmbeddingConfig:
    """The configuration in a TOML file: the table `embedding`, keys as in `EmbeddingConfig`.

    Raises:
        MissingFileError: no such file. InputError: no TOML, or no such table.
        ConfigError: an unknown key, or a wrong value.
    """
    from embeddings import EmbeddingConfig

    values = read_table(path, "embedding")
    try:
        return EmbeddingConfig.from_dict(values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_table(path: str | Path, name: str) -> dict[str, Any]:
    """The one table of this name that a TOML file has.

    Raises:
        MissingFileError: no such file. InputError: no TOML, or other tables.
    """
    place = Path(path)
    if not place.is_file():
        raise MissingFileError(f"Expected a configuration as TOML (got {place}, which is not there)")
    try:
        values = tomllib.loads(place.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"Expected TOML ({error})", file=str(place)) from error
    if set(values) != {name} or not isinstance(values[name], dict):
        raise InputError(f"Expected one table, [{name}] (got {', '.join(values) or 'none'})", file=str(place))
    table: dict[str, Any] = values[name]
    return table


def run_benchmark(
    folder: str | Path,
    config: EmbeddingConfig,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    test: str | Path | None = None,
    out: str | Path | None = None,
    tick: Tick | None = None,
) -> dict[str, Any]:
    """Train on the benchmark's training triples with each seed, and rank what it holds out.

    The best epoch is chosen by the validation triples where the configuration has patience, so figures on these are
    slightly too good; those on test triples are not.

    Args:
        test: a file of test triples; the folder's own, where it has one, by default.
        out: where `benchmark.json`, one embedding a seed, and checkpoints are kept; nothing is kept by default.
            A run that was killed goes on from there.

    Raises:
        InputError: the benchmark cannot be read, or holds nothing out. ConfigError: what `train_embedding` raises.
    """
    benchmark = load_benchmark(folder, test=test)
    parts = {name: rows for name in ("valid", "test") if len(rows := getattr(benchmark, name))}
    if not parts:
        raise InputError(f"Expected validation or test triples (none in {folder})")
    runs = []
    for seed in seeds:
        place = None if out is None else Path(out) / f"seed-{seed}"
        runs.append(_seed(benchmark, dataclasses.replace(config, seed=seed), parts, place, tick))
        report = _report(benchmark, config, runs, list(parts))
        if out is not None:
            write_atomically(Path(out) / "benchmark.json", json.dumps(report, indent=2) + "\n")
    return report


def _seed(
    benchmark: Benchmark,
    config: EmbeddingConfig,
    parts: Mapping[str, Any],
    place: Path | None,
    tick: Tick | None,
) -> dict[str, Any]:
    """Train with one seed, or take up what is there, and measure."""
    from embeddings.breakdown import break_down

    began, cpu = time.perf_counter(), time.process_time()
    embedding = _trained(benchmark, config, place, tick)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    found: dict[str, Any] = {"seed": config.seed, "epochs": len(embedding.losses), "seconds": seconds, "cpu": cpu}
    names = {int(relation): benchmark.name_of(int(relation)) for relation in embedding.relations}
    for name, rows in parts.items():
        figures = break_down(embedding, rows, benchmark.known, device=config.device)
        told = figures.to_dict()
        told["overall"]["mrr_of_all"] = figures.overall.mrr_of_all
        told["by_relation"] = {names[int(relation)]: each for relation, each in told["by_relation"].items()}
        found[name] = told
        log.info("seed %d, %s: %s", config.seed, name, figures.overall)
    return found


def _trained(benchmark: Benchmark, config: EmbeddingConfig, place: Path | None, tick: Tick | None) -> Embedding:
    from embeddings import load_embedding, train_embedding, triples_fingerprint
    from embeddings.literals import literals_for

    fingerprint = triples_fingerprint(benchmark.train, benchmark.graph.dictionary.key)
    if place is not None and (place / "embedding").is_dir():
        kept = load_embedding(place / "embedding", fingerprint=fingerprint)
        if kept.config == config:
            return kept
        raise ConfigError(
            f"Expected the embedding in {place} to be of this configuration (got one of another); name another folder"
        )
    stage = f"seed {config.seed}"
    embedding = train_embedding(
        benchmark.train,
        len(benchmark.graph.dictionary),
        config,
        validation=benchmark.valid if len(benchmark.valid) else None,
        fingerprint=fingerprint,
        literals=literals_for(config.model, benchmark.graph),
        progress=None if tick is None else lambda done, most: tick(stage, done, most),
        checkpoint=None if place is None else place / "checkpoint",
        trackers=None if place is None else {"csv": place / "track.csv"},
    )
    if place is not None:
        embedding.save(place / "embedding")
        shutil.rmtree(place / "checkpoint", ignore_errors=True)
    return embedding


def _report(
    benchmark: Benchmark, config: EmbeddingConfig, runs: Sequence[Mapping[str, Any]], parts: Sequence[str]
) -> dict[str, Any]:
    return {
        "benchmark": benchmark.name,
        "train": len(benchmark.train),
        "config": config.to_dict(),
        "parts": {
            part: {
                "triples": len(getattr(benchmark, part)),
                "unseen": runs[0][part]["overall"]["unseen"],
                **{name: spread([run[part]["overall"][name] for run in runs]) for name in FIGURES},
            }
            for part in parts
        },
        "seconds": spread([run["seconds"] for run in runs]),
        "cpu": spread([run["cpu"] for run in runs]),
        "runs": list(runs),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean and sample standard deviation (0 of one value)."""
    return {"mean": float(np.mean(values)), "sd": statistics.stdev(values) if len(values) > 1 else 0.0}
