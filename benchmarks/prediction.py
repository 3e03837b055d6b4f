"""What does the schema's filter do to link prediction?

    python benchmarks/prediction.py --data FOLDER [--model RotatE] [--dim 64] [--epochs 50] [--seeds 3] [--k 10]
        [--json OUT]

Meant for a benchmark folder with types, classes, domains and ranges (YAGO4-18K). An embedding is trained on the
training triples; the validation triples are ranked among all entities that do not make a known triple (filtered,
realistic, both sides), without the filter, with it as the open world has it, and with closed-world typing. A true
triple that the filter rejects gets the worst rank. Sem@K is the share of the K best that are known members of the
domain or range; an entity without types counts as unfit.

The graph is closed under subclasses only (RDFS rules 9 and 11), so nothing gets a type from the triples it is in, let
alone from a candidate. Seconds are CPU seconds of the process; on a shared machine they are noisy.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from embeddings import EmbeddingConfig, train_embedding
from engine.prediction import FilterReport, Predictor, SchemaFilter, Strictness, evaluate_filter
from engine.symbolic import Closure, materialise, parse_rules
from kg.benchmark import Benchmark, load_benchmark

SUBCLASSES = """
PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
RULE { ?x rdf:type ?d } WHERE { ?x rdf:type ?c . ?c rdfs:subClassOf ?d }
RULE { ?c rdfs:subClassOf ?e } WHERE { ?c rdfs:subClassOf ?d . ?d rdfs:subClassOf ?e }
"""
"""Rules rdfs9 and rdfs11."""


def main() -> None:
    """Train, rank, print the table."""
    args = _arguments()
    benchmark = load_benchmark(args.data)
    print(benchmark)
    began = time.process_time()
    closure = materialise(benchmark.graph, parse_rules(SUBCLASSES), entailment="none")
    print(f"closed in {time.process_time() - began:.1f} s: {closure}")
    found = [_seed(benchmark, closure, args, seed) for seed in range(args.seeds)]
    _table(found, args.k)
    if args.json:
        figures = [{name: report.to_dict() for name, report in reports.items()} for reports in found]
        args.json.write_text(json.dumps({"arguments": vars(args), "seeds": figures}, indent=2, default=str))


def _seed(benchmark: Benchmark, closure: Closure, args: argparse.Namespace, seed: int) -> dict[str, FilterReport]:
    config = EmbeddingConfig(model=args.model, dim=args.dim, epochs=args.epochs, seed=seed, device="cpu")
    began = time.process_time()
    embedding = train_embedding(benchmark.train, len(benchmark.graph.dictionary), config)
    print(f"seed {seed}: trained {embedding!r} in {time.process_time() - began:.0f} s")
    reports = {}
    for strictness in Strictness:
        began = time.process_time()
        schema = SchemaFilter(closure, strictness=strictness)
        reports[strictness.value] = evaluate_filter(embedding, schema, benchmark.valid, benchmark.known, k=args.k)
        print(f"{strictness} ranked in {time.process_time() - began:.1f} s: {reports[strictness.value]}")
    if seed == 0:
        _show_rejections(Predictor(closure, embedding, strictness=Strictness.TYPED), benchmark)
    return reports


def _show_rejections(predictor: Predictor, benchmark: Benchmark) -> None:
    """The first validation query with a rejected candidate, and its axiom in words."""
    for head, relation, _ in benchmark.valid.tolist():
        began = time.process_time()
        ranking = predictor.rank(head, relation, k=3, rejected=True)
        if ranking.rejected:
            print(f"{ranking.question}, in {time.process_time() - began:.2f} s")
            for each in (*ranking.predictions, *ranking.rejected[:3]):
                print(f"  {each}")
            return


def _table(found: list[dict[str, FilterReport]], k: int) -> None:
    print(f"\n{'':24}{'MRR':>16}{'H@10':>16}{'mean rank':>16}{f'Sem@{k}':>16}{'true rejected':>16}")
    rows: dict[str, list[tuple[Any, int]]] = {"no filter": [(r["open"].before, 0) for r in found]}
    for strictness in Strictness:
        reports = [r[strictness.value] for r in found]
        rows[f"{strictness} filter"] = [(report.after, report.rejected_true) for report in reports]
    for name, figures in rows.items():
        columns = [[getattr(f, field) for f, _ in figures] for field in ("mrr", "hits_at_10", "mean_rank", "sem_at_k")]
        print(f"{name:24}" + "".join(f"{_spread(c):>16}" for c in [*columns, [lost for _, lost in figures]]))
    report = found[0]["typed"]
    print(f"{report.count} triples, {report.unseen} unseen; {report.untyped:.1%} of the entities have no type")
    print(f"{report.after.queries} of {2 * report.count} queries have a domain or range")


def _spread(values: list[float]) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{np.mean(values):.4g} ± {spread:.2g}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What does the schema's filter do to link prediction?")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="RotatE")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--json", type=Path, default=None)
    return parser.parse_args()


if __name__ == "__main__":
    main()
