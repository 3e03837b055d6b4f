"""CoDEx triple classification: true triples, and false ones that people checked (Safavi and Koutra, EMNLP 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kg.benchmark import load_benchmark
from kg.benchmark_files import read_triples
from kg.errors import MissingFileError
from pipelines.tasks.example import Example
from pipelines.tasks.graph_claims import claim

__all__ = ["read"]


def read(path: Path, *, graph: Path | None = None) -> Iterator[Example]:
    """The triples of a file as true claims, those of `NAME_negatives.txt` beside it as false ones.

    Args:
        graph: the benchmark's folder, which has the names; that of the file by default.

    Raises:
        MissingFileError: there is no file of negatives, or no graph. SyntaxInputError: a line that is no triple.
        UnknownTermError: a name that the graph does not have.
    """
    false = path.with_name(f"{path.stem}_negatives{path.suffix}")
    if not false.is_file():
        raise MissingFileError(f"Expected the false triples beside {path} (got no {false.name} there)")
    benchmark = load_benchmark(graph or path.parent)
    for file, true in ((path, True), (false, False)):
        for number, names in enumerate(read_triples(file, None, None), 1):
            yield claim(benchmark, benchmark.ids_of(names), true=true, id=f"{file.stem}:{number}")
