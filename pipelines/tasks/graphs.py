"""The graph that a task names as a resource, in whichever of the known forms it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kg.benchmark import load_benchmark
from kg.columns import Columns
from kg.errors import ConfigError
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from pipelines.tasks.adapters import metaqa

__all__ = ["graph_of", "shuffled"]


def graph_of(place: object) -> KnowledgeGraph:
    """A graph as it is, or that of a path: MetaQA's folder, the folder of a link prediction benchmark, or an RDF file.

    Raises:
        ConfigError: it is neither a graph nor a path. What loading raises.
    """
    if isinstance(place, KnowledgeGraph):
        return place
    if not isinstance(place, (str, Path)):
        raise ConfigError(f"Expected a graph, or the path of one, as the resource 'graph' (got {place!r})")
    path = Path(place)
    if path.is_dir():
        return metaqa.load_graph(path) if any(path.glob("kb*")) else load_benchmark(path).graph
    return load_graph(path)


def shuffled(graph: KnowledgeGraph, *, seed: int) -> KnowledgeGraph:
    """The graph with the tails of each relation dealt out anew, a control; each term keeps its counts."""
    random = np.random.default_rng(seed)
    s, p, o = graph.asserted.arrays()
    o = o.copy()
    for relation in graph.relation_ids:
        here = np.flatnonzero(p == relation)
        o[here] = o[random.permutation(here)]
    return KnowledgeGraph(graph.dictionary, Columns.from_arrays(s, p, o), prefixes=graph.prefixes)
