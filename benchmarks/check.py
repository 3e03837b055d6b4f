"""How many claims does `check` decide in a second?

    python benchmarks/check.py DATA.nt[.gz] SCHEMA.nt ... [--claims 100000] [--runs 3] [--fresh 50] [--peer 5]
        [--json OUT]

Meant for LUBM(10) and its schema univ-bench. The axioms of `DISJOINT` are added, the graph is closed under OWL 2 RL,
and claims about it are made, by a seed and in the proportions of `MIX`. They are decided, interleaved:

- in bulk: `check`, from rdflib terms to judgements, and `check_ids`, from ids to codes; all claims;
- one claim at a time: `check`, a call for each claim, on a sample;
- with a fresh closure for each claim: `materialise` on the graph and the claim, on a smaller sample;
- the same with the peer sparq, where it is installed: insert, reason, list inconsistencies, look the claim up first.

Equality: a random 1,000 claims in bulk and one by one, and smaller samples against both fresh closures; those have no
unknown terms, which a closure cannot tell. Seconds are CPU seconds of the process (wall too, in the JSON). Memory by
chunk size is how much the resident memory of a child process grows while it reads `check_stream` to its end (Linux).
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdflib import OWL, RDF, URIRef

from engine.symbolic import Closure, Severity, Status, check, check_ids, check_stream, materialise
from kg.columns import Columns
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from kg.terms import Triple

UB = "http://swat.cse.lehigh.edu/onto/univ-bench.owl#"
DISJOINT = (
    ("Person", "Organization", "Publication", "Work"),
    ("University", "Department", "ResearchGroup"),
    ("UndergraduateStudent", "GraduateStudent"),
    ("AssistantProfessor", "AssociateProfessor", "FullProfessor", "Lecturer"),
)
"""Groups of classes that are pairwise disjoint. They are not part of LUBM, whose data satisfies them."""

MIX = {
    "asserted": 0.15,
    "inferred": 0.10,
    "tail of the right kind": 0.20,
    "tail of any kind": 0.10,
    "head of the right kind": 0.10,
    "head of any kind": 0.10,
    "type": 0.15,
    "unknown term": 0.10,
}
"""Shares of the claims: triples of the closure; an asserted triple with its object (its subject) replaced by another
object (subject) of the same predicate, or by any individual; an individual with any class of the domain; an asserted
triple with a term the graph has not."""


def axioms() -> str:
    """The axioms of `DISJOINT` as N-Triples."""
    pairs = [(one, other) for group in DISJOINT for i, one in enumerate(group) for other in group[i + 1 :]]
    return "".join(f"<{UB}{one}> <{OWL.disjointWith}> <{UB}{other}> .\n" for one, other in pairs)


class Pools:
    """What claims are made of: the data triples of a closure, by predicate, and its individuals and classes."""

    def __init__(self, closure: Closure) -> None:
        graph, dictionary = closure.graph, closure.graph.dictionary
        type_id = dictionary.id(RDF.type)
        domain = [id for id in range(len(dictionary)) if dictionary.key(id).startswith(f"<{UB}")]
        self.type_id, self.properties = type_id, [p for p in graph.asserted.predicates() if p in set(domain)]
        self.classes = np.intersect1d(graph.asserted.subjects(type_id, dictionary.id(OWL.Class)), domain)
        s, o = graph.asserted.pairs(type_id)
        self.individuals = s[np.isin(o, self.classes)]
        self.asserted = self._rows(graph.asserted)
        self.inferred = self._rows(graph.inferred)

    def _rows(self, columns: Columns) -> NDArray[np.int64]:
        """The triples about individuals; shape (num_triples, 3)."""
        s, p, o = (column.astype(np.int64) for column in columns.arrays())
        data = np.isin(p, self.properties) | ((p == self.type_id) & np.isin(o, self.classes))
        return np.stack([s[data], p[data], o[data]], axis=1)


def claims_about(closure: Closure, count: int, seed: int) -> list[Triple]:
    """Claims in the proportions of `MIX`, shuffled."""
    rng, pools, graph = np.random.default_rng(seed), Pools(closure), closure.graph
    made: list[Triple] = []
    for kind, share in MIX.items():
        n = round(share * count)
        source = pools.inferred if kind == "inferred" else pools.asserted
        rows = source[rng.integers(len(source), size=n)]
        if kind == "type":
            columns = rng.choice(pools.individuals, n), np.full(n, pools.type_id), rng.choice(pools.classes, n)
            rows = np.stack(columns, axis=1)
        elif " of " in kind:
            column = 2 if kind.startswith("tail") else 0
            same = kind.endswith("right kind")
            rows[:, column] = _others(rows[:, 1], column, pools, rng) if same else rng.choice(pools.individuals, n)
        triples = [graph.decode(*row) for row in rows.tolist()]
        if kind == "unknown term":
            triples = [_with_unknown(triple, at) for at, triple in enumerate(triples)]
        made += triples
    order = rng.permutation(len(made))
    return [made[at] for at in order]


def _others(predicates: NDArray[np.int64], column: int, pools: Pools, rng: np.random.Generator) -> NDArray[np.int64]:
    """For each predicate, the subject or object of another asserted triple of it."""
    found = np.empty_like(predicates)
    for predicate in sorted(set(predicates.tolist())):
        at = np.flatnonzero(predicates == predicate)
        values = pools.asserted[pools.asserted[:, 1] == predicate, column]
        found[at] = rng.choice(values, len(at))
    return found


def _with_unknown(triple: Triple, at: int) -> Triple:
    """The triple with a subject or object that the graph has not."""
    unknown = URIRef(f"http://www.Department0.University99999.edu/Nobody{at}")
    return triple._replace(subject=unknown) if at % 2 else triple._replace(object=unknown)


class Sparq:
    """The peer: one graph that is copied for each claim."""

    def __init__(self, files: Sequence[Path]) -> None:
        import sparq

        text = "".join(_text(file) for file in files)
        self.version: str = sparq.__version__
        self._graph = sparq.Graph.load(text, format="ntriples")
        self._closed = self._graph.copy()
        self._closed.reason("owl")
        self._before = Counter(self._closed.inconsistencies())

    def status(self, claim: Triple) -> Status:
        """Entailed, contradicted or unproven; it does not tell unknown terms."""
        text = " ".join(term.n3() for term in claim)
        if self._closed.ask(f"ASK {{ {text} }}"):
            return Status.ENTAILED
        graph = self._graph.copy()
        graph.update(f"INSERT DATA {{ {text} }}")
        graph.reason("owl")
        return Status.CONTRADICTED if Counter(graph.inconsistencies()) - self._before else Status.UNPROVEN


def fresh_status(closure: Closure, claim: Triple) -> Status:
    """The status by its definition, from a closure of the graph and the claim."""
    graph = closure.graph
    if graph.contains(claim):
        return Status.ENTAILED
    after = materialise(with_triple(graph, claim))
    new = set(after.violations) - set(closure.violations)
    refuted = any(violation.severity is Severity.VIOLATION for violation in new)
    return Status.CONTRADICTED if refuted else Status.UNPROVEN


def with_triple(graph: KnowledgeGraph, claim: Triple) -> KnowledgeGraph:
    """The asserted triples and a claim; the dictionary is shared, as closing anew would not write it either."""
    s, p, o = (graph.dictionary.intern(term) for term in claim)
    tables = {x: graph.asserted.pairs(x) for x in graph.asserted.predicates()}
    old = tables.get(p, (np.empty(0, np.int32), np.empty(0, np.int32)))
    both = Columns.from_arrays(np.append(old[0], s), np.full(len(old[0]) + 1, p), np.append(old[1], o))
    return KnowledgeGraph(graph.dictionary, Columns({**tables, p: both.pairs(p)}), prefixes=graph.prefixes)


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """The result, CPU seconds and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    return found, time.process_time() - cpu, time.perf_counter() - wall


def encoded(closure: Closure, claims: Sequence[Triple]) -> NDArray[np.int64]:
    """The claims as ids, -1 for unknown terms; shape (num_claims, 3)."""
    find = closure.graph.dictionary.find
    ids = [[-1 if (id := find(term)) is None else id for term in claim] for claim in claims]
    return np.array(ids, dtype=np.int64).reshape(-1, 3)


def measure(closure: Closure, files: Sequence[Path], options: argparse.Namespace) -> dict[str, Any]:
    """Claims per second in each way, and whether the verdicts agree."""
    claims = claims_about(closure, options.claims, options.seed)
    ids, rng = encoded(closure, claims), np.random.default_rng(options.seed + 1)
    sample = [claims[at] for at in rng.choice(len(claims), min(1000, len(claims)), replace=False)]
    known = [claim for claim in sample if all(map(closure.known_term, claim))]
    few, fewest = known[: options.fresh], known[: options.peer]
    peer = _peer(files) if fewest else None
    ways = {
        "check, all at once": Way(claims, lambda: [j.status for j in check(closure, claims)]),
        "check_ids, all at once": Way(claims, lambda: [tuple(Status)[code] for code in check_ids(closure, ids)]),
        "check, one at a time": Way(sample, lambda: [check(closure, claim)[0].status for claim in sample]),
        "fresh closure, Noesis": Way(few, lambda: [fresh_status(closure, claim) for claim in few]),
    }
    if peer is not None:
        ways[f"fresh closure, sparq {peer.version}"] = Way(fewest, lambda: [peer.status(claim) for claim in fewest])
    check(closure, sample)  # the kernels are compiled, or read from the cache
    found: dict[str, list[Status]] = {}
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for run in range(options.runs):
        for name, way in ways.items():
            if "fresh" not in name or not run:  # once is enough for what takes minutes
                found[name], cpu, wall = timed(way.decide)
                spent[name].append((cpu, wall))
    bulk = dict(zip(claims, found["check, all at once"], strict=True))
    return {
        "claims": len(claims),
        "statuses": {str(status): count for status, count in Counter(found["check, all at once"]).items()},
        "ways": {name: _rates(len(way.claims), spent[name]) for name, way in ways.items()},
        "equal": {name: _equal([bulk[claim] for claim in way.claims], found[name]) for name, way in ways.items()},
    }


class Way(NamedTuple):
    """A way to decide claims."""

    claims: Sequence[Triple]
    decide: Callable[[], list[Status]]


def _peer(files: Sequence[Path]) -> Sparq | None:
    try:
        return Sparq(files)
    except ImportError:
        print("sparq is not installed, so it is left out (pip install sparq-rdf)", file=sys.stderr)
        return None


def _rates(count: int, spent: Sequence[tuple[float, float]]) -> dict[str, Any]:
    cpu, wall = (statistics.median(column) for column in zip(*spent, strict=True))
    best = min(seconds for seconds, _ in spent)
    rates = {"claims per CPU second, median": count / cpu, "claims per CPU second, best": count / best}
    return {"claims": count, **{k: round(v, 2) for k, v in rates.items()}, "CPU, s": cpu, "wall, s": wall}


def _equal(one: Sequence[Status], other: Sequence[Status]) -> str:
    return f"{sum(a is b for a, b in zip(one, other, strict=True))} of {len(one)}"


def memory(options: argparse.Namespace) -> dict[str, Any]:
    """Peak memory of `check_stream` by chunk size, over that of the closure, each in a child process."""
    found = {}
    for chunk in options.chunks:
        command = [sys.executable, __file__, *map(str, options.paths), "--claims", str(options.claims)]
        done = subprocess.run([*command, "--child", str(chunk)], capture_output=True, text=True, check=True)
        found[str(chunk)] = json.loads(done.stdout)
    return found


def child(closure: Closure, options: argparse.Namespace) -> dict[str, Any]:
    """Growth of the resident memory to its peak in MB, and the rate, while claims stream through chunks of one size."""
    claims = claims_about(closure, options.claims, options.seed)
    check(closure, claims[:2])
    before = _resident("VmRSS", restart=True)
    count, cpu, _ = timed(lambda: sum(1 for _ in check_stream(closure, iter(claims), chunk=options.child)))
    growth = _resident("VmHWM") - before
    return {"peak growth, MB": round(growth / 1024, 1), "claims per CPU second": round(count / cpu)}


def _resident(name: str, *, restart: bool = False) -> int:
    """Resident memory now (VmRSS) or at its peak (VmHWM) in kB, as Linux tells it; `restart` forgets the last peak."""
    if restart:
        ctypes.CDLL(None).malloc_trim(0)  # or freed memory of loading would count as used, and growth stay hidden
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"{name}:\s+(\d+)", status)[1])  # type: ignore[index]  # Linux lists both


def _text(file: Path) -> str:
    import gzip

    data = file.read_bytes()
    return (gzip.decompress(data) if file.suffix == ".gz" else data).decode()


def main() -> None:
    """Parse, measure, print a table and JSON."""
    parser = argparse.ArgumentParser(description="Time the checking of claims.")
    parser.add_argument("paths", nargs="+", type=Path, help="N-Triples of LUBM and of univ-bench")
    parser.add_argument("--claims", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--fresh", type=int, default=50, help="claims that are closed afresh")
    parser.add_argument("--peer", type=int, default=5, help="claims that sparq closes afresh, 0 for none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chunks", type=int, nargs="*", default=[2048, 8192, 32768, 131072])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    absent = [str(path) for path in options.paths if not path.is_file()]
    if absent:
        parser.error(f"no such file: {', '.join(absent)}; LUBM(10) and univ-bench are made by LUBM's generator (UBA)")
    with tempfile.TemporaryDirectory() as folder:
        extra = Path(folder) / "disjoint.nt"
        extra.write_text(axioms(), encoding="utf-8")
        files = [*options.paths, extra]
        closure = materialise(load_graph(files))
        if options.child:
            print(json.dumps(child(closure, options)))
            return
        found = {"graph": repr(closure), **measure(closure, files, options), "memory by chunk": memory(options)}
    found |= {"cores": os.cpu_count(), "python": platform.python_version()}
    for way, figures in found["ways"].items():
        rate = figures["claims per CPU second, median"]
        print(f"{way:<28} {rate:>12,.1f} claims/s   {figures['claims']:>7,} claims, {figures['CPU, s']:.2f} CPU s")
    for name, text in found["equal"].items():
        print(f"{name:<28} {text} verdicts as in bulk")
    for chunk, figures in found["memory by chunk"].items():
        print(f"chunk of {int(chunk):>7,}: {', '.join(f'{name} {value:,}' for name, value in figures.items())}")
    print(json.dumps(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
