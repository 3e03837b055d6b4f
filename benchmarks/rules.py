"""How well do mined rules predict, alone and with an embedding?

    python benchmarks/rules.py --data DATA --benchmark wn18rr [--embedding FOLDER] [--test FILE] [--json OUT]

DATA/BENCHMARK is a folder with train and validation triples. Rules are mined from the training triples; the 20 best
path rules and the 5 best feature rules are printed with support and confidence. Figures are filtered, realistic, over
both sides, and leave out triples with entities that are not in training, which are counted.

With an embedding of the same training triples, it is also ranked alone, and combined with the rules. The combination
is fitted on one half of the validation triples and ranks the other, and the other way round; so no triple is ranked by
what was fitted on it. With --test it is fitted on all validation triples and ranks the test triples. Seconds are CPU
seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings import RankMetrics, load_embedding, triples_fingerprint
from engine.mining import MinedRules, RulePredictor, mine_rules
from engine.prediction.combine import EmbeddingScores, Scores, fit_combination, metrics, ranks
from kg.benchmark import Benchmark, load_benchmark


def timed(label: str, work: Callable[[], Any]) -> Any:
    """The result; seconds go to stderr."""
    began = time.process_time()
    found = work()
    print(f"{label}: {time.process_time() - began:.1f} s", file=sys.stderr)
    return found


def rule_line(rules: MinedRules, at: int, benchmark: Benchmark) -> str:
    """A rule as `0.932  27694/29708  r(x, y) <- s(y, x)`, names as in the files."""
    rule, name = rules[at], benchmark.name_of

    def atom(relation: int, forward: bool, ends: tuple[str, str]) -> str:
        return f"{name(relation)}({', '.join(ends if forward else ends[::-1])})"

    if rule.head_constant is None:
        variables = {1: "xy", 2: "xay", 3: "xaby"}[len(rule.body)]
        target, body_ends = "y", list(pairwise(variables))
    else:
        target = name(rule.head_constant)
        body_ends = [("x", "a" if rule.body_constant is None else name(rule.body_constant))]
    body = ", ".join(atom(*step, ends) for step, ends in zip(rule.body, body_ends, strict=True))
    some = "" if rule.share == 1 else f"  (counted on {rule.share:.0%})"
    counts = f"{rule.confidence:.3f}  {rule.support}/{rule.body_size}"
    return f"{counts:20s}  {atom(*rule.head, ('x', target))} <- {body}{some}"


def fingerprints(benchmark: Benchmark) -> set[str]:
    """What an embedding of the training triples may be marked with."""
    return {triples_fingerprint(benchmark.train, key) for key in (None, benchmark.graph.dictionary.key)}


def combined(rules: RulePredictor, embedding: Any, benchmark: Benchmark, test: NDArray[np.integer]) -> RankMetrics:
    """Figures of rules and embedding together (see the module's text)."""
    known = np.concatenate([benchmark.known, test])
    if len(test):
        return metrics(fit_combination(rules, embedding, benchmark.valid, known), test, known)
    rows = benchmark.valid[np.random.default_rng(0).permutation(len(benchmark.valid))]
    found, unseen = [], 0
    for fit, other in ((rows[::2], rows[1::2]), (rows[1::2], rows[::2])):
        scores = fit_combination(rules, embedding, fit, known)
        seen = scores.knows(other)
        found.append(ranks(scores, other[seen], known))
        unseen += int((~seen).sum())
    return RankMetrics.of(np.concatenate(found), unseen)


def measure(options: argparse.Namespace) -> dict[str, RankMetrics]:
    """Figures by what ranks."""
    benchmark = load_benchmark(options.data / options.benchmark, test=options.test)
    ranked = benchmark.test if options.test else benchmark.valid
    print(f"{benchmark}; figures are of {'test' if options.test else 'validation'} triples\n")
    mined = timed("mined", lambda: mine_rules(benchmark.train))
    print(mined)
    for which, count in ((mined.is_path, 20), (~mined.is_path, 5)):
        best = mined.take(np.flatnonzero(which)[:count])
        print("\n".join(rule_line(best, at, benchmark) for at in range(len(best))), end="\n\n")
    rules = RulePredictor(mined, benchmark.train)
    ways: dict[str, Callable[[], RankMetrics]] = {}

    def alone(scores: Scores) -> Callable[[], RankMetrics]:
        return lambda: metrics(scores, ranked, benchmark.known)

    ways["rules"] = alone(rules)
    ways["rules, in order of confidence"] = alone(RulePredictor(mined, benchmark.train, way="in order"))
    if options.embedding:
        embedding = load_embedding(options.embedding)
        if embedding.fingerprint not in fingerprints(benchmark):
            raise SystemExit(f"Expected an embedding of {benchmark.name}'s training triples (got {options.embedding})")
        ways["embedding"] = alone(EmbeddingScores(embedding))
        test = benchmark.test if options.test else benchmark.test[:0]
        ways["rules and embedding"] = lambda: combined(rules, embedding, benchmark, test)
    found = {}
    for name, way in ways.items():
        found[name] = timed(name, way)
        print(f"{name:32s}{found[name]}", flush=True)
    return found


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of benchmark folders")
    parser.add_argument("--benchmark", required=True, help="such as wn18rr or codex/triples/codex-s")
    parser.add_argument("--embedding", type=Path, help="folder of an embedding of the training triples")
    parser.add_argument("--test", type=Path, help="file of test triples")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    found = measure(options)
    if options.json:
        options.json.write_text(json.dumps({name: each.to_dict() for name, each in found.items()}, indent=1))


if __name__ == "__main__":
    main()
