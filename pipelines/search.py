"""A search for the settings of a benchmark's embedding: from a file of ranges to a file that trains with the best."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kg.benchmark import load_benchmark
from kg.errors import ConfigError, InputError
from pipelines.benchmark import Tick, read_table
from pipelines.run import write_atomically

if TYPE_CHECKING:
    from embeddings import EmbeddingConfig
    from embeddings.search import SearchResult, SearchSpace

__all__ = ["load_space", "result_lines", "run_search", "toml_of"]


def load_space(path: str | Path) -> SearchSpace:
    """The ranges in a TOML file: the table `search`, keys as in `EmbeddingConfig`.

    Raises:
        MissingFileError: no such file. InputError: no TOML, or no such table.
        ConfigError: an unknown key, or a range that is none.
    """
    from embeddings.search import SearchSpace

    values = read_table(path, "search")
    try:
        return SearchSpace(values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def run_search(
    folder: str | Path,
    base: EmbeddingConfig,
    space: SearchSpace,
    out: str | Path,
    *,
    trials: int,
    seconds: float | None = None,
    seed: int = 0,
    tick: Tick | None = None,
) -> SearchResult:
    """Search settings by the benchmark's validation triples; a search that was stopped goes on from `out`.

    Args:
        base: settings that are not searched.
        out: a folder for `best.toml` (what `load_config` reads), `search.json` (each trial) and `search.journal` (what
            goes on).
        seed: of the trainings, and of what is proposed.

    Raises:
        InputError: the benchmark has no validation triples. Else what `search_settings` raises.
    """
    from embeddings.literals import literals_for
    from embeddings.search import search_settings

    benchmark = load_benchmark(folder)
    if not len(benchmark.valid):
        raise InputError(f"Expected validation triples to search by (none in {folder})")
    place = Path(out)
    found = search_settings(
        benchmark.train,
        len(benchmark.graph.dictionary),
        space,
        validation=benchmark.valid,
        base=dataclasses.replace(base, seed=seed),
        trials=trials,
        seconds=seconds,
        seed=seed,
        storage=place / "search.journal",
        literals=literals_for(base.model, benchmark.graph),
        progress=None if tick is None else lambda done, most: tick("trials", done, most),
    )
    write_atomically(place / "search.json", json.dumps(found.to_dict(), indent=2) + "\n")
    write_atomically(place / "best.toml", toml_of(found.best, f"On {benchmark.name}, {found}."))
    return found


def toml_of(config: EmbeddingConfig, comment: str) -> str:
    """A configuration as TOML, settings at their default left out, after a comment of one line."""
    default = type(config)().to_dict()
    changed = {name: value for name, value in config.to_dict().items() if value != default[name]}
    lines = [f"# {' '.join(comment.split())}", "[embedding]", *(f"{k} = {_toml(v)}" for k, v in changed.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)  # a string, a number or a truth value of JSON is one of TOML


def result_lines(found: SearchResult) -> Iterator[str]:
    """What a search found, and every trial, best first."""
    yield str(found)
    for each in sorted(found.trials, key=lambda trial: -(trial.mrr or 0.0)):
        settings = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in each.settings.items())
        figure = "–" if each.mrr is None else f"{each.mrr:.4f}"
        yield f"  {figure}  {settings} ({each.state}, {each.epochs} epochs, {each.cpu:.0f} CPU s)"
