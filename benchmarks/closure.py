"""How long does a closure take: of a folder of RDF files, or of Noesis and its peers on equal rules and data?

    python benchmarks/closure.py FOLDER_OR_FILE ... [--rules RULES.srl] [--entailment owl2rl] [--runs 5] [--json OUT]
    python benchmarks/closure.py --task lubm-L --task tc --data DATA [--runs 3] [--json OUT]

Files: they are loaded once (.nt, .ttl, .rdf and the rest, gzip too) and `materialise` is timed: a first run, which
compiles the kernels or reads them from the cache, then the median of the others. What is timed is all of it: storing
the asserted triples, compiling the rules, the fixpoint, and finding the violations. Memory is the process's peak.

Tasks (`closure_tasks.py`; `--task all` for all): Noesis and each installed peer in turn, each measurement in a process
of its own, `--runs` times round. The table has medians of CPU and wall seconds and of peak memory, the engine's CPU
seconds over Noesis's, and what was counted; counts that differ are marked. DATA holds the folders the tasks name.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from closure_tasks import MODULES, TASKS, Clock, core

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


def measure_here(task: str, engine: str, data: Path) -> None:
    """One measurement in this process; prints it as one line of JSON."""
    clock = Clock()
    counts = TASKS[task][1][engine](data, clock)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"cpu": clock.cpu, "wall": clock.wall, "peak": peak, "counts": counts}))


def measure_apart(task: str, engine: str, data: Path, limit: float) -> dict[str, Any]:
    """One measurement in a process of its own; with an `error` where it failed."""
    command = [sys.executable, __file__, "--one", task, engine, "--data", str(data)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"more than {limit:.0f} s"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def compare(task: str, data: Path, runs: int, limit: float) -> dict[str, Any]:
    """Every installed engine in turn, so many times round; medians by engine."""
    engines = [engine for engine in TASKS[task][1] if installed(engine)]
    skipped = [engine for engine in TASKS[task][1] if engine not in engines]
    results: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
    for _ in range(runs):
        for engine in engines:
            if not any("error" in found for found in results[engine]):
                results[engine].append(measure_apart(task, engine, data, limit))
    return {"task": task, "skipped": skipped, "engines": {engine: medians(found) for engine, found in results.items()}}


def installed(engine: str) -> bool:
    """Whether the module an engine needs is there."""
    module = MODULES.get(engine.split(",")[0])
    return module is None or importlib.util.find_spec(module) is not None


def medians(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The medians of an engine's measurements, or its error."""
    failed = [one for one in found if "error" in one]
    if failed:
        return failed[0]
    middle = {name: statistics.median(one[name] for one in found) for name in ("cpu", "wall", "peak")}
    return {**middle, "counts": found[0]["counts"]}


def show(compared: dict[str, Any]) -> None:
    """Print the table of one task."""
    title, _ = TASKS[compared["task"]]
    print(f"\n{compared['task']}: {title}")
    print(f"{'engine':<26}{'CPU s':>9}{'wall s':>9}{'peak MB':>9}{'ratio':>8}  counted")
    engines = compared["engines"]
    first = next(iter(engines.values()))
    for engine, found in engines.items():
        if "error" in found:
            print(f"{engine:<26}  {found['error']}")
            continue
        ratio = f"{found['cpu'] / first['cpu']:.2f}" if "cpu" in first else ""
        counts = ", ".join(f"{number:,} {name}" for name, number in found["counts"].items())
        same_kind = "counts" in first and found["counts"].keys() == first["counts"].keys()
        differs = "  (differs)" if same_kind and found["counts"] != first["counts"] else ""
        numbers = f"{found['cpu']:>9.3f}{found['wall']:>9.3f}{found['peak']:>9.0f}{ratio:>8}"
        print(f"{engine:<26}{numbers}  {counts}{differs}")
    for engine in compared["skipped"]:
        print(f"{engine:<26}  not installed, skipped")


def main() -> None:
    """Parse, measure, print a table and JSON."""
    parser = argparse.ArgumentParser(description="Time the closure of RDF files, or compare Noesis with its peers.")
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--rules", type=Path, action="append", default=[])
    parser.add_argument("--entailment", default="owl2rl")
    parser.add_argument("--task", action="append", choices=[*TASKS, "all"], default=[])
    parser.add_argument("--data", type=Path, help="folder with lubm, galen-el, datalog and real-rdf")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for one measurement of a task")
    parser.add_argument("--one", nargs=2, metavar=("TASK", "ENGINE"), help="one measurement, as JSON")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs has to be at least 1")
    if (options.task or options.one) and (options.data is None or not options.data.is_dir()):
        parser.error(f"expected --data to name the folder with the tasks' data (got {options.data})")
    if options.one:
        measure_here(options.one[0], options.one[1], options.data.resolve())
        return
    if options.task:
        core()
        tasks = list(TASKS) if "all" in options.task else options.task
        found: Any = []
        for task in tasks:
            found.append(compare(task, options.data.resolve(), options.runs, options.limit))
            show(found[-1])
    elif options.paths:
        found = time_files(options)
    else:
        parser.error("expected RDF files to time, or --task")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def time_files(options: argparse.Namespace) -> dict[str, Any]:
    """Time Noesis on RDF files and print what was found."""
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
    return found


if __name__ == "__main__":
    main()
