"""Everything that closures, proofs, checks and changes call is compiled beforehand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.symbolic.kernels import compiled

INNER = {"components", "fill_table", "find_triple"}
"""Called by other kernels, or once a table of ten thousands of rows is full."""
LEFT = """
import engine.symbolic.precompile as precompile
from engine.symbolic import kernels_numba, kernels_saturate
precompile.precompile()
for module in (kernels_numba, kernels_saturate):
    for name in module.__all__:
        if not getattr(module, name).signatures:
            print(name)
"""


@pytest.mark.skipif(not compiled(), reason="there are no kernels to compile without numba")
def test_every_kernel_is_compiled() -> None:
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", LEFT], cwd=root, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= INNER
