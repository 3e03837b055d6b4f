"""Triples as true claims, and corruptions of them as false ones, where there are none that people checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kg.benchmark import load_benchmark
from kg.benchmark_files import read_triples
from pipelines.tasks.example import Example
from pipelines.tasks.graph_claims import claim

__all__ = ["read"]

_TRIES = 20  # by then a relation that holds nearly everywhere has no negative to give


def read(path: Path, *, graph: Path | None = None, seed: int = 0) -> Iterator[Example]:
    """Each triple of a file as a true claim, with a false one: head or tail is another that the relation has there.

    Ends are drawn as often as the relation has them, so that a frequent entity gives nothing away. No triple that is
    known in training, validation or this file comes out as false.

    Args:
        graph: the benchmark's folder, which has names and training triples; that of the file by default.
        seed: of the choice.

    Raises:
        MissingFileError: no graph. SyntaxInputError: a line that is no triple.
        UnknownTermError: a name that the graph does not have.
    """
    benchmark = load_benchmark(graph or path.parent)
    rows = [benchmark.ids_of(names) for names in read_triples(path, None, None)]
    known = {(int(s), int(p), int(o)) for s, p, o in benchmark.known} | set(rows)
    random = np.random.default_rng(seed)
    for number, (head, relation, tail) in enumerate(rows, 1):
        yield claim(benchmark, (head, relation, tail), true=True, id=f"{path.stem}:{number}")
        pool = benchmark.train[benchmark.train[:, 1] == relation]
        for _ in range(_TRIES if len(pool) else 0):
            other = pool[random.integers(len(pool))]
            false = (int(other[0]), relation, tail) if random.random() < 0.5 else (head, relation, int(other[2]))
            if false not in known:
                yield claim(benchmark, false, true=False, id=f"{path.stem}:{number}, corrupted")
                break
