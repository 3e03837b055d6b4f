"""Trackers of a training by name: CSV, TensorBoard, Weights & Biases (offline); all of them PyKEEN's.

Import this module inside `embeddings.quiet.quiet`: it imports PyKEEN.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path

from pykeen.trackers import (
    CSVResultTracker,
    MultiResultTracker,
    ResultTracker,
    TensorBoardResultTracker,
    WANDBResultTracker,
)

from kg.errors import ConfigError

__all__ = ["open_trackers"]


def open_trackers(places: Mapping[str, str | Path]) -> ResultTracker:
    """One tracker that writes to all of these.

    Args:
        places: `csv` with a file, `tensorboard` or `wandb` with a folder. Nothing is sent anywhere.

    Raises:
        ConfigError: an unknown name, or a package that is not installed.
    """
    makers: dict[str, Callable[[Path], ResultTracker]] = {
        "csv": lambda place: CSVResultTracker(path=place),
        "tensorboard": lambda place: TensorBoardResultTracker(experiment_path=place),
        "wandb": _wandb,
    }
    found = []
    for name, place in places.items():
        if name not in makers:
            near = difflib.get_close_matches(name, makers, n=1, cutoff=0.3) or list(makers)
            raise ConfigError(f"Expected a tracker of {', '.join(makers)} (got {name!r}; the nearest: {near[0]})")
        try:
            found.append(makers[name](Path(place)))
        except ImportError as error:
            raise ConfigError(
                f"Expected the package of the tracker {name!r} (it cannot be imported: {error}); "
                "install noesis-kg[track]"
            ) from error
    return MultiResultTracker(trackers=found)


def _wandb(place: Path) -> ResultTracker:
    import wandb

    place.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(console="off", silent=True)
    return WANDBResultTracker(project="noesis", mode="offline", dir=str(place), settings=settings)
