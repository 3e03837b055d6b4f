"""Searching settings of a training: optuna proposes them, the training loop here tries them on validation triples.

optuna's study is used rather than `pykeen.hpo`, whose objective builds PyKEEN's pipeline and evaluator by itself: it
passes no options of negatives to a loop that is not PyKEEN's own `SLCWATrainingLoop`, and ranks by its own evaluator.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embeddings.config import EmbeddingConfig
from embeddings.literals import NumericLiterals
from embeddings.quiet import quiet
from embeddings.train import train_embedding, triples_fingerprint
from kg.errors import ConfigError, InputError, StoreError

if TYPE_CHECKING:
    from optuna import Study, Trial

__all__ = ["SearchResult", "SearchSpace", "TrialFigures", "search_settings"]

log = logging.getLogger(__name__)

_FIXED = ("device", "model_options", "seed")
_KINDS = {"int": int, "int | None": int, "float": float}


@dataclass(frozen=True)
class SearchSpace:
    """What is tried of each setting.

    Args:
        ranges: by name of a field of `EmbeddingConfig`: `{"low": …, "high": …}` with bounds that are tried too, and
            `"log": True` for one in which orders of magnitude count alike; or `{"choices": […]}`.

    Raises:
        ConfigError: a field that is not there or cannot be searched, a range that is none, or a value out of bounds.
    """

    ranges: Mapping[str, Mapping[str, Any]]

    def __post_init__(self) -> None:
        if not self.ranges:
            raise ConfigError("Expected at least one setting to search")
        for name, given in self.ranges.items():
            for value in self._bounds(name, given):
                EmbeddingConfig.from_dict({name: value})  # says what is wrong with it

    def _bounds(self, name: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
        if name in _FIXED:
            raise ConfigError(f"Expected a setting that can be searched (got {name})")
        if isinstance(given, Mapping) and set(given) == {"choices"} and isinstance(given["choices"], list):
            if given["choices"]:
                return tuple(given["choices"])
        elif isinstance(given, Mapping) and {"low", "high"} <= set(given) <= {"low", "high", "log"}:
            low, high, kind = given["low"], given["high"], self._kind(name)
            numbers = all(isinstance(x, (int, kind or int)) and not isinstance(x, bool) for x in (low, high))
            log = given.get("log", False)
            if kind is not None and numbers and isinstance(log, bool) and low < high and (low > 0 or not log):
                return low, high
        raise ConfigError(
            f"Expected for {name} a table with low < high (numbers of its kind; above 0 with log = true), or with a "
            f"list of choices (got {given!r})"
        )

    @staticmethod
    def _kind(name: str) -> type | None:
        kinds = {item.name: _KINDS.get(str(item.type)) for item in dataclasses.fields(EmbeddingConfig)}
        return kinds.get(name, int)  # a name that is not there is refused by the configuration

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """The settings of one trial of optuna."""
        found: dict[str, Any] = {}
        for name, given in self.ranges.items():
            if "choices" in given:
                found[name] = trial.suggest_categorical(name, given["choices"])
            else:
                suggest = trial.suggest_int if self._kind(name) is int else trial.suggest_float
                found[name] = suggest(name, given["low"], given["high"], log=given.get("log", False))
        return found


@dataclass(frozen=True)
class TrialFigures:
    """One trial of a search."""

    number: int
    settings: Mapping[str, Any]
    """What was searched, by name."""
    state: str
    """`complete`, `pruned` (it was behind the others half-way) or `failed`."""
    mrr: float | None
    """The best validation MRR it reached; None where there was no validation."""
    epochs: int
    """Epochs until its last validation."""
    cpu: float
    """Seconds of processor time."""
    reason: str = ""
    """Why it failed."""


@dataclass(frozen=True)
class SearchResult:
    """What a search found: the best configuration, its validation MRR, and every trial in order."""

    best: EmbeddingConfig
    mrr: float
    trials: tuple[TrialFigures, ...]

    def __str__(self) -> str:
        states = [each.state for each in self.trials]
        told = ", ".join(f"{states.count(state)} {state}" for state in ("complete", "pruned", "failed"))
        return f"validation MRR {self.mrr:.3f} is the best of {len(states)} trials ({told})"

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values."""
        return dataclasses.asdict(self)


def search_settings(
    triples: NDArray[np.integer],
    num_terms: int,
    space: SearchSpace,
    *,
    validation: NDArray[np.integer],
    base: EmbeddingConfig | None = None,
    trials: int = 20,
    seconds: float | None = None,
    seed: int = 0,
    storage: str | Path | None = None,
    literals: NumericLiterals | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SearchResult:
    """Train with settings out of a space, and find those of the highest filtered MRR on validation triples.

    Each trial has the seed of `base` and keeps its best epoch. One that is behind the median of the earlier ones at a
    validation is pruned, from the sixth trial on.

    Args:
        triples, num_terms, literals: see `train_embedding`.
        validation: triples that decide, shape (num_validation, 3).
        base: the settings that are not searched.
        trials: how many, those in `storage` among them. seconds: after which no new one begins.
        seed: of what is proposed; without `storage`, equal seeds on a CPU propose the same.
        storage: a file in which the trials are kept; a search that was stopped goes on from there.
        progress: called before each trial with how many have ended, and `trials`.

    Raises:
        ConfigError: no trial could be completed; trials below 1.
        InputError: no validation triple has only terms that are trained, or what `train_embedding` raises.
        StoreError: the storage is that of another search.
    """
    given = base or EmbeddingConfig()
    given = dataclasses.replace(
        given, patience=given.patience or given.epochs, validate_every=min(given.validate_every, given.epochs)
    )
    if trials < 1:
        raise ConfigError(f"Expected at least one trial (got {trials})")
    seen = np.isin(validation[:, [0, 2]], triples[:, [0, 2]]).all(axis=1) & np.isin(validation[:, 1], triples[:, 1])
    if not seen.any():
        raise InputError(f"Expected a validation triple whose terms are trained (got {len(validation)}, none such)")
    parts = [space.ranges, given.to_dict(), triples_fingerprint(triples), triples_fingerprint(validation)]
    key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=dict).encode()).hexdigest()

    def train(config: EmbeddingConfig, validated: Callable[[int, float], None]) -> None:
        train_embedding(triples, num_terms, config, validation=validation, literals=literals, validated=validated)

    began = time.monotonic()
    with _study(storage, key, seed) as study:
        while len(study.trials) < trials and (seconds is None or time.monotonic() - began < seconds):
            if progress is not None:
                progress(len(study.trials), trials)
            _try(study, space, given, train)
        return _result(study, given)


@contextmanager
def _study(storage: str | Path | None, key: str, seed: int) -> Iterator[Study]:
    """The study of this search, new or as the storage has it."""
    with quiet():
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
        from optuna.trial import TrialState

        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            if storage is not None:
                Path(storage).parent.mkdir(parents=True, exist_ok=True)
            kept = None if storage is None else JournalStorage(JournalFileBackend(str(storage)))
            study = optuna.create_study(storage=kept, study_name="noesis", direction="maximize", load_if_exists=True)
            if study.user_attrs.setdefault("key", key) != key:
                raise StoreError(
                    f"Expected in {storage} a search of these triples, settings and ranges (got another one); "
                    "name another file"
                )
            study.set_user_attr("key", key)
            for trial in study.get_trials(states=(TrialState.RUNNING,)):  # a search that was killed left it
                study.tell(trial.number, state=TrialState.FAIL)
            # a sampler draws the same again from the same seed, so one that goes on takes another
            study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
            yield study
        finally:
            optuna.logging.set_verbosity(verbosity)


def _try(
    study: Study,
    space: SearchSpace,
    base: EmbeddingConfig,
    train: Callable[[EmbeddingConfig, Callable[[int, float], None]], None],
) -> None:
    """One trial: propose, train, tell."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    trial = study.ask()
    began, best = time.process_time(), -1.0

    def validated(epoch: int, mrr: float) -> None:
        nonlocal best
        best = max(best, mrr)
        trial.report(mrr, epoch)
        trial.set_user_attr("cpu", time.process_time() - began)
        if trial.should_prune():
            raise TrialPruned

    try:
        train(EmbeddingConfig.from_dict({**base.to_dict(), **space.suggest(trial)}), validated)
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except ConfigError as error:  # these settings do not go together, or diverge; others may do
        trial.set_user_attr("reason", str(error))
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, best)
    log.info("trial %d: %s, validation MRR %.3f", trial.number, trial.params, best)


def _result(study: Study, base: EmbeddingConfig) -> SearchResult:
    found = []
    words = {"COMPLETE": "complete", "PRUNED": "pruned"}
    for each in study.trials:
        attributes = each.user_attrs
        found.append(
            TrialFigures(
                number=each.number,
                settings=each.params,
                state=words.get(each.state.name, "failed"),
                mrr=max(each.intermediate_values.values(), default=None),
                epochs=max(each.intermediate_values, default=0),
                cpu=attributes.get("cpu", 0.0),
                reason=attributes.get("reason", ""),
            )
        )
    done = [each for each in found if each.state == "complete" and each.mrr is not None]
    if not done:
        raise ConfigError(
            f"Expected a trial that could be completed (got {len(found)}, none such; "
            f"the last: {found[-1].reason if found else 'no time was given'})"
        )
    best = max(done, key=lambda each: each.mrr or 0.0)
    assert best.mrr is not None, "chosen so"
    return SearchResult(EmbeddingConfig.from_dict({**base.to_dict(), **best.settings}), best.mrr, tuple(found))
