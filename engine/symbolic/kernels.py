"""Which kernels serve: those compiled by numba, or the same functions in numpy where there is no compiler."""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from typing import Any

__all__ = ["compiled", "kernels"]

log = logging.getLogger(__name__)


@cache
def kernels() -> Any:
    """The module of kernels; imported on first use, because the compiler takes half a second to import."""
    try:
        return import_module("engine.symbolic.kernels_numba")
    except ImportError:
        log.info("numba is not installed: joins run in numpy, several times slower")
        return import_module("engine.symbolic.kernels_numpy")


def compiled() -> bool:
    """Whether the compiled kernels serve, and with them the fused joins (`fused`)."""
    return str(kernels().__name__).endswith("kernels_numba")
