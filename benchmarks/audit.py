"""How long does an audit take: of real graphs, and of 100,000 conclusions?

    python benchmarks/audit.py --data DATA [--claims 100000] [--runs 3] [--json OUT]

DATA holds the folders lubm, fibo and real-rdf. Each audit is the command `noesis audit` in a process of its own with at
most 4 GB of address space; what is told are medians of CPU and wall seconds and the peak of its resident memory.

- Graphs: FIBO, wine and food, Brick with Soda Hall, LUBM(1) with its schema; alone, and with everything that can be
  asked for (the rules, the ontology, the closed world).
- Explanations: Brick with an axiom gone wrong, that Sensor and Point are disjoint though every Sensor is a Point, with
  supports and repairs.
- Claims: LUBM(10) with the disjointness axioms of `check.py`, and claims made as there, from a TSV file. Its totals are
  compared with those of `check`.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from check import axioms, claims_about

from engine.audit.claims import judge_claims
from engine.symbolic import Status, check_stream, materialise
from kg.claim_file import read_claims
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from kg.terms import term_key

GRAPHS = {
    "FIBO": ["fibo"],
    "wine and food": ["real-rdf/wine.owl", "real-rdf/food.owl"],
    "Brick, Soda Hall": ["real-rdf/brick_soda.nt.gz"],
    "LUBM(1)": ["lubm/lubm1.nt.gz", "lubm/univ-bench.nt"],
}
CLAIMED = ["lubm/lubm10.nt.gz", "lubm/univ-bench.nt"]
EVERYTHING = ["--rules", "--schema", "--closed-world"]
BRICK = "https://brickschema.org/schema/1.1/Brick#"
WRONG = f"<{BRICK}Sensor> <http://www.w3.org/2002/07/owl#disjointWith> <{BRICK}Point> .\n"
_BYTES = 4 << 30


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))


def run(arguments: list[str]) -> dict[str, Any]:
    """One `noesis audit` in a process of its own: CPU and wall seconds, peak MB, and its report."""
    script = (
        "import resource, sys; from pipelines.cli import app\n"
        "try: app(sys.argv[1:], standalone_mode=False)\n"
        "finally:\n"
        " own, other = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))\n"
        " sys.stderr.write(f'\\n{own.ru_utime + own.ru_stime + other.ru_utime + other.ru_stime} {own.ru_maxrss}')\n"
    )
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script, "audit", *arguments, "--json", "--no-proofs", "--fail-on", "never"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_limited,
    )
    wall = time.perf_counter() - began
    if not done.stdout.strip():
        raise SystemExit(f"the audit failed: {done.stderr[-2000:]}")
    cpu, peak = done.stderr.strip().splitlines()[-1].split()
    return {"cpu": float(cpu), "wall": wall, "peak": int(peak) // 1024, "report": json.loads(done.stdout)}


def measure(name: str, arguments: list[str], runs: int) -> dict[str, Any]:
    """Medians of an audit, and what it found; printed as one line."""
    found = [run(arguments) for _ in range(runs)]
    middle = {key: statistics.median(one[key] for one in found) for key in ("cpu", "wall", "peak")}
    report = found[0]["report"]
    what = ", ".join(f"{count:,} {kind}" for kind, count in report["totals"]["by_kind"].items()) or "no findings"
    if report["claims"]:
        what = ", ".join(f"{count:,} {verdict}" for verdict, count in report["claims"]["totals"].items())
    print(f"{name:<34}{middle['cpu']:>8.2f}{middle['wall']:>8.2f}{middle['peak']:>8.0f}  {what}", flush=True)
    return {"name": name, **middle, "found": what, "incomplete": report["incomplete"]}


def claims_file(folder: Path, data: Path, count: int) -> tuple[list[str], Path, KnowledgeGraph]:
    """LUBM(10) with disjointness axioms as files, and a TSV file of claims about it."""
    extra = folder / "disjoint.nt"
    extra.write_text(axioms(), encoding="utf-8")
    files = [*(str(data / name) for name in CLAIMED), str(extra)]
    graph = load_graph(files)
    target = folder / "claims.tsv"
    with target.open("w", encoding="utf-8") as out:
        for claim in claims_about(materialise(graph), count, seed=0):
            out.write("\t".join(map(term_key, claim)) + "\n")
    return files, target, graph


def main() -> None:
    """Parse, measure, print a table and JSON."""
    parser = argparse.ArgumentParser(description="Time audits of real graphs and of a file of conclusions.")
    parser.add_argument("--data", type=Path, required=True, help="folder with lubm, fibo and real-rdf")
    parser.add_argument("--claims", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.data.is_dir():
        parser.error(f"expected --data to name the folder with the graphs (got {options.data})")
    print(f"{'audit':<34}{'CPU s':>8}{'wall s':>8}{'peak MB':>8}  found")
    results = []
    for name, files in GRAPHS.items():
        paths = [str(options.data / file) for file in files]
        results.append(measure(name, paths, options.runs))
        results.append(measure(f"{name}, everything", [*paths, *EVERYTHING], options.runs))
    with tempfile.TemporaryDirectory() as folder:
        wrong = Path(folder) / "wrong.nt"
        wrong.write_text(WRONG, encoding="utf-8")
        paths = [*(str(options.data / file) for file in GRAPHS["Brick, Soda Hall"]), str(wrong)]
        explained = [*paths, "--supports", "5", "--repairs", "3"]
        results.append(measure("Brick, a wrong axiom, explained", explained, options.runs))
        files, claims, graph = claims_file(Path(folder), options.data, options.claims)
        results.append(measure(f"{options.claims:,} claims, LUBM(10)", [*files, "--claims", str(claims)], options.runs))
        results.append(same_verdicts(graph, claims))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def same_verdicts(graph: KnowledgeGraph, path: Path) -> dict[str, Any]:
    """Whether the totals of an audit are those of `check` on the same claims."""
    closure = materialise(graph)
    judged = judge_claims(closure, path, limit=0)
    alone = [judgement.status for judgement in check_stream(closure, (c for _, c in read_claims(path, graph.prefixes)))]
    same = {status: alone.count(status) for status in Status} == dict(judged.totals)
    print(f"verdicts are those of check: {'yes' if same else 'NO'}, {len(alone):,} claims")
    return {"name": "verdicts are those of check", "same": same, "claims": len(alone)}


if __name__ == "__main__":
    main()
