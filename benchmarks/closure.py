"""How long does the closure of a folder of RDF files take?

    python benchmarks/closure.py FOLDER_OR_FILE ... [--rules RULES.srl] [--entailment owl2rl] [--runs 5] [--json OUT]

Loads the files once (.nt, .ttl, .rdf and the rest, gzip too) and times `materialise` on them: a first run, which
compiles the kernels or reads them from the cache, then the median of the others. What is timed is all of it: storing
the asserted triples, compiling the rules, the fixpoint, and finding the violations. Memory is the process's peak.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import time
from pathlib import Path
from typing import Any

from engine.symbolic import Closure, RuleSet, load_rules, materialise
from kg.graph import KnowledgeGraph
from kg.load import load_graph

SUFFIXES = (".nt", ".ttl", ".nq", ".trig", ".rdf", ".owl", ".xml", ".jsonld", ".n3")


def files_of(paths: list[Path]) -> list[Path]:
    """The RDF files among the paths and in the folders, in order of name."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
        found += [p for p in inside if p.name.removesuffix(".gz").endswith(SUFFIXES)]
    return found


def measure(graph: KnowledgeGraph, rules: RuleSet | None, entailment: str, runs: int) -> tuple[Closure, list[float]]:
    """The closure, and the seconds of each run, the first included."""
    seconds: list[float] = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        closure = materialise(graph, rules, entailment=entailment)
        seconds.append(time.perf_counter() - began)
    return closure, seconds


def record(closure: Closure, loading: float, seconds: list[float]) -> dict[str, Any]:
    """What was measured, and where."""
    found = closure.statistics
    return {
        "asserted": found.asserted,
        "inferred": found.inferred,
        "violations": len(closure.violations),
        "compiled rules": found.compiled,
        "load, s": round(loading, 3),
        "first run, s": round(seconds[0], 3),
        "median of the rest, s": round(statistics.median(seconds[1:]), 4),
        "fastest, s": round(min(seconds[1:]), 4),
        "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "runs": len(seconds) - 1,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def main() -> None:
    """Parse, measure, print a table and JSON."""
    parser = argparse.ArgumentParser(description="Time the closure of RDF files.")
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--rules", type=Path, action="append", default=[])
    parser.add_argument("--entailment", default="owl2rl")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs has to be at least 1")
    rules = load_rules(options.rules) if options.rules else None
    began = time.perf_counter()
    graph = load_graph(files_of(options.paths))
    loading = time.perf_counter() - began
    closure, seconds = measure(graph, rules, options.entailment, options.runs)
    found = record(closure, loading, seconds)
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:<{width}}  {value:>12,}" if isinstance(value, (int, float)) else f"{name:<{width}}  {value:>12}")
    print(json.dumps(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
