"""A run: one folder that holds everything one execution made, written so that it is never half there.

    runs/medicine/
        run.json         configuration, seed, versions, the key of each stage and its figures
        embedding/ …     one folder for each stage
        report.html …    what was found

A stage's folder appears by a rename when it is complete, and is used again by a later run whose inputs and
configuration have the same key.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

from kg.errors import StoreError

__all__ = ["Run", "default_folder", "key_of", "write_atomically"]

log = logging.getLogger(__name__)
_T = TypeVar("_T")
_PACKAGES = (
    "noesis-kg",
    "torch",
    "transformers",
    "pykeen",
    "torch-geometric",
    "rdflib",
    "pyoxigraph",
    "numpy",
    "numba",
)


def key_of(*parts: object) -> str:
    """A SHA-256 of the JSON form of the parts: equal inputs and configuration give an equal key."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def write_atomically(path: Path, content: str) -> None:
    """Write a text file whole or not at all: a temporary sibling, flushed to disk, renamed. Line ends stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def default_folder(name: str) -> Path:
    """The run folder of a domain for which none is named: `runs/NAME`, whatever the name, inside `runs`."""
    return Path("runs") / (re.sub(r"[^\w.-]+", "-", name).strip(".-") or "domain")


class Run:
    """A run folder, made with its first stage.

    Args:
        folder: where the run lives; an existing run is taken up again.
        config: the resolved configuration, kept in `run.json`.

    Raises:
        StoreError: the folder exists and is no run folder, or its `run.json` is not readable.
    """

    def __init__(self, folder: str | Path, config: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.reused: list[str] = []
        record = self.folder / "run.json"
        self.record: dict[str, Any] = {"stages": {}, "metrics": {}}
        if record.exists():
            self.record = _read_record(record)
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise StoreError(
                f"Expected {self.folder} to be a run folder, a new or an empty one (it has files but no run.json); "
                "give another folder"
            )
        self.record.update(config=dict(config), versions=_versions())

    def stage(self, name: str, key: str, make: Callable[[Path], object], load: Callable[[Path], _T]) -> _T:
        """The result of a stage: loaded where a run with the same key left it, else made, kept and loaded.

        Args:
            make: writes the stage's files into the folder it is given; if it raises, nothing is left behind.
            load: reads them.
        """
        target = self.folder / name
        if self.record["stages"].get(name, {}).get("key") == key and target.is_dir():
            try:
                found = load(target)
            except StoreError as error:
                log.warning("stage %s is made again: %s", name, error)
            else:
                self.reused.append(name)
                return found
        self.folder.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        temporary = Path(mkdtemp(prefix=f".{name}-", dir=self.folder))
        try:
            make(temporary)
            temporary.chmod(0o755)
            if target.exists():
                shutil.rmtree(target)
            temporary.replace(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        seconds = round(time.perf_counter() - began, 2)
        made = datetime.now(UTC).isoformat(timespec="seconds")
        self.record["stages"][name] = {"key": key, "seconds": seconds, "made": made}
        self.save()
        return load(target)

    def note(self, **metrics: Any) -> None:
        """Keep figures of this run; a name noted again is replaced."""
        self.record["metrics"].update(metrics)

    def metric(self, name: str) -> Any:
        """A figure noted by this or an earlier run of the folder, or None."""
        return self.record["metrics"].get(name)

    def save(self) -> None:
        """Write `run.json`."""
        write_atomically(self.folder / "run.json", json.dumps(self.record, indent=2, default=str) + "\n")


def _read_record(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"Expected {path} to be the JSON record of a run ({error}); delete the folder or mend it"
        ) from error
    if not isinstance(found, dict) or not {"stages", "metrics"} <= found.keys():
        raise StoreError(f"Expected {path} to have 'stages' and 'metrics'; it is not the record of a run")
    return found


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
