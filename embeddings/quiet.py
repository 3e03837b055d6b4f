"""Bringing PyKEEN in without its side effects, and running it without its noise.

On import PyKEEN makes folders under the user's home, sets its logger to INFO, and passes on warnings of the packages
under it. Every use of PyKEEN here goes through `quiet`.
"""

from __future__ import annotations

import importlib
import logging
import os
import random
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

__all__ = ["quiet", "seeded"]

_LOCK = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """Within the block PyKEEN is imported and says nothing below an error; after it all is set as before."""
    logger = logging.getLogger("pykeen")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _LOCK:
                _import_pykeen()
            logger.setLevel(logging.ERROR)
            yield
        finally:
            logger.setLevel(level)


def _import_pykeen() -> None:
    if "pykeen.models" in sys.modules:
        return
    with tempfile.TemporaryDirectory(prefix="noesis-pykeen-") as folder:
        # Only where importing would make new folders: who works with PyKEEN already keeps the folders they have.
        redirect = not {"PYKEEN_HOME", "PYSTOW_HOME"} & set(os.environ) and not (Path.home() / ".data/pykeen").is_dir()
        if redirect:
            os.environ["PYSTOW_HOME"] = folder
        try:
            for name in ("models", "training", "evaluation"):
                importlib.import_module(f"pykeen.{name}")
        finally:
            if redirect:
                del os.environ["PYSTOW_HOME"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within the block the generators of torch, numpy and `random` start at `seed`; after it they go on as before."""
    import torch

    python, numpy = random.getstate(), np.random.get_state()  # PyKEEN seeds all three
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
