"""The walls of the house: which package may import which, what importing costs, what is exported."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "kg": {"kg"},
    "embeddings": {"kg", "embeddings"},
    "engine.symbolic": {"kg", "engine.symbolic"},
    "engine.audit": {"kg", "engine.symbolic", "engine.audit"},
    "engine.mining": {"kg", "engine.symbolic", "engine.mining"},
    "engine.fusion": {"kg", "embeddings", "engine.symbolic", "engine.fusion"},
    "engine.extraction": {"kg", "embeddings", "engine.symbolic", "engine.fusion", "engine.extraction"},
    "engine.prediction": {"kg", "embeddings", "engine.symbolic", "engine.mining", "engine.prediction"},
    "engine": {"kg", "engine", "engine.symbolic", "engine.audit"},
    "pipelines": {
        "kg",
        "embeddings",
        "engine",
        "engine.symbolic",
        "engine.fusion",
        "engine.audit",
        "engine.extraction",
        "engine.mining",
        "engine.prediction",
        "pipelines",
    },
}
ONLY_IN = {"pykeen": {"embeddings"}, "transformers": {"engine.fusion"}, "torch_geometric": {"engine.fusion", "kg"}}


def package_of(module: str) -> str:
    two = ".".join(module.split(".")[:2])
    return two if two in MAY_IMPORT else module.split(".")[0]


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules() -> list[Path]:
    return sorted(p for top in ("kg", "embeddings", "engine", "pipelines") for p in (ROOT / top).rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_layers(path: Path) -> None:
    package = package_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    tops = {"kg", "embeddings", "engine", "pipelines"}
    used = {package_of(name) for name in imports_of(path) if name.split(".")[0] in tops}
    assert used <= MAY_IMPORT[package]


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_a_library_appears_only_in_its_package(library: str) -> None:
    users = {
        package_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for path in modules()
        if any(name.split(".")[0] == library for name in imports_of(path))
    }
    assert users <= ONLY_IN[library]


def test_the_symbolic_side_imports_no_torch_and_no_transformers() -> None:
    modules = "kg, engine, engine.symbolic, engine.hybrid, engine.mining, engine.prediction"
    code = f"import sys, {modules}; print(sorted({{'torch', 'transformers', 'pykeen'}} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "name",
    [
        "kg",
        "embeddings",
        "engine",
        "engine.audit",
        "engine.mining",
        "engine.symbolic",
        "engine.fusion",
        "engine.prediction",
        "pipelines",
    ],
)
def test_all_is_sorted_and_every_name_is_there(name: str) -> None:
    module = importlib.import_module(name)
    assert list(module.__all__) == sorted(module.__all__)
    assert {n for n in module.__all__ if not hasattr(module, n)} == set()
