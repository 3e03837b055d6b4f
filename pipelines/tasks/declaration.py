"""A task is a small TOML file: where its examples are, what reads and what answers them, how answers are counted.

Adapters and methods are modules of `pipelines.tasks.adapters` and `pipelines.tasks.methods`, found by their name.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeAlias, get_args

from kg.errors import ConfigError, MissingFileError, SyntaxInputError
from pipelines.tasks.example import Example
from pipelines.tasks.method import Fit

__all__ = ["HEADS", "METRICS", "SPLITS", "Head", "Metric", "Task", "load_task"]

Head: TypeAlias = Literal["true/false", "three-way", "multiple choice", "entity answer", "relation class"]
Metric: TypeAlias = Literal["accuracy", "hits@1", "exact"]
HEADS: tuple[Head, ...] = get_args(Head)
METRICS: tuple[Metric, ...] = get_args(Metric)
SPLITS = ("train", "dev", "test")
_CHOICES: Mapping[Head, tuple[int, int]] = {
    "true/false": (2, 2),
    "three-way": (3, 3),
    "multiple choice": (2, 1000),
    "entity answer": (0, 0),
    "relation class": (0, 1000),
}
"""The fewest and the most choices that an example may have."""
_KINDS = {"str": "a text", "int": "a whole number", "float": "a number"}


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a task file says.

    Args:
        name: of the file. title, source: for people.
        adapter, method: names of modules. head: what kind of answer is asked for. metric: how answers are counted:
            `accuracy` and `hits@1` ask whether the first answer is among the right ones, `exact` whether all are told.
        files: of each split, relative to the data folder; test files are mostly given on the command line.
        groups: of a split, the groups of examples that are kept; all by default.
        resources: other files or folders by name, such as a graph; the method gets each as a setting of that name, the
            adapter those that its `read` has an argument for.
        columns, reading: arguments of the adapter's `read`. settings: of the method.
        seeds: how many seeds are run where the command does not say.
        folds: of the development examples, where there is nothing else to learn from: each part is answered by what
            was fitted to the others. 0 where there are training files.
        calibration: share of what would be measured (with folds: of what would be trained on) that is kept to
            calibrate by, in [0, 1); at 0 the method gets none. With a test file, all development examples are.
        risk: most wrong among the predictions given, in (0, 1): what is less sure is abstained from.
        file: what was read.
    """

    name: str
    title: str
    source: str
    adapter: str
    method: str
    head: Head
    files: Mapping[str, tuple[str, ...]]
    metric: Metric = "accuracy"
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 3
    folds: int = 0
    calibration: float = 0.2
    risk: float = 0.05
    file: str = ""

    def __post_init__(self) -> None:
        self._expect("head", self.head in HEADS, f"one of {', '.join(HEADS)}")
        self._expect("metric", self.metric in METRICS, f"one of {', '.join(METRICS)}")
        self._expect("seeds", self.seeds >= 1, "at least 1")
        self._expect("folds", self.folds == 0 or self.folds >= 2, "0 or at least 2")
        self._expect("calibration", 0 <= self.calibration < 1, "in [0, 1)")
        self._expect("risk", 0 < self.risk < 1, "in (0, 1)")
        if "dev" not in self.files:
            raise ConfigError(f"{self.file}: Expected a file for 'dev' in [files] (got {', '.join(self.files)})")
        if (self.folds == 0) != ("train" in self.files):
            raise ConfigError(f"{self.file}: Expected either a file for 'train' in [files], or 'folds' of 'dev'")

    def _expect(self, key: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ConfigError(f"{self.file}: Expected {key!r} to be {expected} (got {getattr(self, key)!r})")

    def examples(self, split: str, data: Path, *, given: Sequence[Path] = ()) -> list[Example]:
        """The examples of a split, in the order of its files.

        Args:
            data: the folder that the declaration's paths are in.
            given: files to read in place of the declaration's own.

        Raises:
            MissingFileError: a file is not there.
            SyntaxInputError: an example is not of the task's head. What the adapter raises.
            ConfigError: an unknown adapter, or an argument it does not have.
        """
        paths = given or [_there(data / path, self.file) for path in self.files.get(split, ())]
        read = _reader(self)
        arguments = {**self.columns, **self.reading, **_named(read, self._resources(data))}
        found = [example for path in paths for example in self._fitting(read(path, **arguments), path)]
        kept = self.groups.get(split)
        return [example for example in found if kept is None or example.group in kept]

    def fitter(self) -> Fit:
        """The `fit` of the task's method.

        Raises:
            ConfigError: there is no such method.
        """
        module = _module("methods", self.method, self.file)
        fit: Fit | None = getattr(module, "fit", None)
        if fit is None:
            raise ConfigError(f"{self.file}: Expected a function 'fit' in the method {self.method!r}")
        return fit

    def settings_in(self, data: Path) -> dict[str, Any]:
        """The settings of the method, with the resources as paths."""
        return {**self.settings, **self._resources(data)}

    def _resources(self, data: Path) -> dict[str, Path]:
        return {name: _there(data / path, self.file) for name, path in self.resources.items()}

    def _fitting(self, examples: Iterable[Example], path: Path) -> list[Example]:
        low, high = _CHOICES[self.head]
        found = list(examples)
        for example in found:
            if not low <= len(example.choices) <= high or not example.answers:
                raise SyntaxInputError(
                    f"Expected an answer and {_count(low, high)} for the head {self.head!r} "
                    f"(got {len(example.answers)} and {len(example.choices)} in example {example.id!r})",
                    file=str(path),
                )
        return found


def load_task(path: str | Path) -> Task:
    """The task of a TOML file.

    Raises:
        MissingFileError: it is not there. SyntaxInputError: it is no TOML.
        ConfigError: an unknown key (the nearest known ones are listed), one that is missing, or a value out of range.
    """
    place = Path(path)
    if not place.is_file():
        raise MissingFileError(
            f"Expected a task as TOML (got {place}, which is not there); there are some in data/tasks"
        )
    try:
        values = tomllib.loads(place.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SyntaxInputError(f"Expected TOML ({error})", file=str(place)) from error
    known = {one.name: one for one in fields(Task) if one.name not in ("name", "file")}
    for key in values:
        if key not in known:
            raise ConfigError(f"{place}: Expected a key of a task (got {key!r}); {_nearest(key, known)}")
    missing = {"title", "source", "adapter", "method", "head", "files"} - set(values)
    if missing:
        raise ConfigError(f"{place}: Expected {', '.join(sorted(missing))} in a task (not there)")
    checked = {key: _value(place, key, value, str(known[key].type)) for key, value in values.items()}
    return Task(name=place.stem, file=str(place), **checked)


def _value(place: Path, key: str, value: Any, kind: str) -> Any:
    """A value of its field's type; those told by split as tuples of texts."""
    if kind.startswith("Mapping"):
        if not isinstance(value, dict):
            raise ConfigError(f"{place}: Expected a table [{key}] (got {value!r})")
        by_split = key in ("files", "groups")
        for name, each in value.items():
            if by_split and name not in SPLITS:
                raise ConfigError(f"{place}: Expected a split in [{key}] (got {name!r}); {_nearest(name, SPLITS)}")
            texts = each if by_split and isinstance(each, list) and each else [each]
            if (by_split or key in ("resources", "columns")) and not all(isinstance(one, str) for one in texts):
                raise ConfigError(f"{place}: Expected a text for {name!r} in [{key}] (got {each!r})")
        return {n: tuple(e) if isinstance(e, list) else (e,) for n, e in value.items()} if by_split else value
    wanted = {"int": (int,), "float": (int, float)}.get(kind, (str,))
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise ConfigError(f"{place}: Expected {_KINDS.get(kind, 'a text')} for {key!r} (got {value!r})")
    return value


def _reader(task: Task) -> Callable[..., Iterable[Example]]:
    """The adapter's `read`, which has an argument for every column and every setting of the task."""
    read: Callable[..., Iterable[Example]] | None = getattr(_module("adapters", task.adapter, task.file), "read", None)
    if read is None:
        raise ConfigError(f"{task.file}: Expected a function 'read' in the adapter {task.adapter!r}")
    known = list(inspect.signature(read).parameters.values())[1:]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known):
        return read
    names = [parameter.name for parameter in known]
    for table in ("columns", "reading"):
        for key in getattr(task, table):
            if key not in names:
                raise ConfigError(
                    f"{task.file}: Expected a setting of the adapter {task.adapter!r} in [{table}] (got {key!r}); "
                    + _nearest(key, names)
                )
    return read


def _named(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a function has an argument for."""
    names = inspect.signature(function).parameters
    return {name: value for name, value in values.items() if name in names}


def _module(package: str, name: str, file: str) -> ModuleType:
    home = importlib.import_module(f"pipelines.tasks.{package}")
    known = [module.name for module in pkgutil.iter_modules(home.__path__)]
    if name not in known:
        raise ConfigError(f"{file}: Expected a module of {home.__name__} (got {name!r}); {_nearest(name, known)}")
    return importlib.import_module(f"{home.__name__}.{name}")


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    return f"the nearest known: {', '.join(difflib.get_close_matches(name, names, n=3) or names) or 'none'}"


def _there(path: Path, file: str) -> Path:
    if not path.exists():
        raise MissingFileError(f"Expected {path}, which {file} names (it is not there); is --data the right folder?")
    return path


def _count(low: int, high: int) -> str:
    if low == high:
        return f"{low} choices" if low else "no choices"
    return f"at least {low} choices"
