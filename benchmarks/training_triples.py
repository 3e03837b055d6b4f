"""Is an embedding better trained on asserted triples or on their closure?

    python benchmarks/training_triples.py DOMAIN [--model RotatE] [--dim 32] [--epochs 30] [--seeds 3] [--json OUT]

A tenth of the domain's triples between entities is held out at random, the graph without them is closed under the
domain's rules, and an embedding is trained on the asserted triples of that graph, or on its closure (its asserted
entities only, so that both rank among the same ones). MRR is filtered and realistic over both sides; what the closure
and the held-out triples hold true is filtered for both. Held-out triples that the rules entail from training are told
apart: a reasoner answers those, an embedding is for the others. "steps" trains on the asserted triples for as many
steps as the closure takes, so that a gain is not one of longer training.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embeddings import EmbeddingConfig, ranks, train_embedding
from embeddings.training_triples import TrainingTriples, training_triples, without
from engine.symbolic import load_rules, materialise, rules_of
from kg.domain import Domain, load_domain

Rows = NDArray[np.int32]


def split(domain: Domain, seed: int) -> Rows:
    """A tenth of the triples between entities, whose terms all occur in the rest."""
    rows = np.random.default_rng(seed).permutation(np.unique(domain.graph.entity_triples(), axis=0))
    held_out, rest = rows[: len(rows) // 10], rows[len(rows) // 10 :]
    seen = np.isin(held_out[:, [0, 2]], rest[:, [0, 2]]).all(axis=1) & np.isin(held_out[:, 1], rest[:, 1])
    return np.asarray(held_out[seen])


def prepared(domain: Domain, held_out: Rows) -> dict[str, TrainingTriples]:
    """Training triples of both sources, about the entities and relations of the asserted ones."""
    rules = load_rules(domain.rule_files, root=domain.folder).merge(rules_of(domain.graph))
    closed = materialise(without(domain.graph, held_out), rules, entailment=domain.entailment).graph
    found = {source: training_triples(closed, held_out, source=source) for source in ("asserted", "closure")}
    given, every = found["asserted"].rows, found["closure"].rows
    told = np.isin(every[:, [0, 2]], given[:, [0, 2]]).all(axis=1) & np.isin(every[:, 1], given[:, 1])
    kept = every[told]
    return found | {"closure": TrainingTriples(kept, len(kept) - len(given), found["closure"].entailed)}


def measured(
    rows: Rows, prepared: dict[str, TrainingTriples], held_out: Rows, size: int, config: EmbeddingConfig
) -> dict[str, float]:
    """MRR of an embedding trained on these rows, of all held-out triples, and of those entailed and not."""
    began = time.process_time()
    embedding = train_embedding(rows, size, config)
    seconds = time.process_time() - began
    known = np.concatenate([prepared["closure"].rows, held_out])
    both = (1 / ranks(embedding, held_out, known)).mean(axis=1)
    entailed = prepared["asserted"].entailed
    parts = {"all": both, "entailed": both[entailed], "not entailed": both[~entailed]}
    return {name: float(values.mean()) if len(values) else float("nan") for name, values in parts.items()} | {
        "CPU s": seconds
    }


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domain", type=Path)
    parser.add_argument("--model", default="RotatE")
    parser.add_argument("--dim", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    domain = load_domain(given.domain)
    size = len(domain.graph.dictionary)
    runs: list[dict[str, dict[str, float]]] = []
    for seed in range(given.seeds):
        held_out = split(domain, seed)
        triples = prepared(domain, held_out)
        print(f"seed {seed}: {triples['closure']}", flush=True)
        config = EmbeddingConfig(model=given.model, dim=given.dim, epochs=given.epochs, seed=seed)
        more = round(given.epochs * len(triples["closure"].rows) / len(triples["asserted"].rows))
        longer = EmbeddingConfig(model=given.model, dim=given.dim, epochs=more, seed=seed)
        runs.append(
            {
                "asserted": measured(triples["asserted"].rows, triples, held_out, size, config),
                "asserted, steps": measured(triples["asserted"].rows, triples, held_out, size, longer),
                "closure": measured(triples["closure"].rows, triples, held_out, size, config),
            }
        )
        for source, figures in runs[-1].items():
            print(f"  {source:16}" + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()), flush=True)
    print(f"\nMRR, mean ± standard deviation of {given.seeds} seeds (each with its own split)")
    for source in runs[0]:
        told = []
        for name in runs[0][source]:
            values = [run[source][name] for run in runs]
            told.append(f"{name} {statistics.fmean(values):.3f} ± {statistics.pstdev(values):.3f}")
        print(f"{source:16}" + "  ".join(told))
    if given.json:
        given.json.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
