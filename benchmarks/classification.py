"""How well are true triples told from false ones, before and after calibration?

    python benchmarks/classification.py --data DATA [--models TransE,RotatE] [--epochs 60] [--dim 128]
        [--folds 5] [--seeds 2] [--json OUT]

DATA holds codex/triples/codex-s. Embeddings are trained on the training triples. The examples are the validation
triples and the verified negatives beside them; thresholds, calibrations and the model that weighs several embeddings
and the graph are cross-fitted: every example is judged by what was fitted to the other folds. Nothing but the folds'
thresholds, curves and trees sees a label. The score of a triple is as the embedding gives it. "squashed" is σ(score +
margin), or σ of the score where the model has no margin. "threshold" is accuracy alone, as by Socher et al. (2013).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings import Embedding, EmbeddingConfig, evaluate, fit_calibration, train_embedding
from embeddings.calibrate import METHODS
from embeddings.classification import ClassificationMetrics, classification_metrics, cross_fitted, fit_thresholds
from embeddings.evidence import embedding_evidence, graph_evidence
from embeddings.plausibility import fit_trees
from kg.benchmark import Benchmark, load_benchmark

Floats = NDArray[np.float64]


class Examples:
    """Validation triples and verified negatives, and plausibilities cross-fitted on them."""

    def __init__(self, benchmark: Benchmark, folds: int, seed: int) -> None:
        self.triples = np.concatenate([benchmark.valid, benchmark.valid_negatives])
        self.labels = np.repeat([True, False], [len(benchmark.valid), len(benchmark.valid_negatives)])
        self.relations, self.known = self.triples[:, 1], benchmark.train
        self.folds, self.seed = folds, seed

    def fitted(self, fit: Callable[[NDArray[np.int64]], Callable[[NDArray[np.int64]], Any]]) -> NDArray[Any]:
        """What `fit` of the other folds tells of each example."""
        return cross_fitted(fit, len(self.labels), folds=self.folds, seed=self.seed)

    def told(self, scores: Floats) -> NDArray[np.bool_]:
        """True or false by thresholds."""

        def fit(rows: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], Any]:
            fitted = fit_thresholds(scores[rows], self.labels[rows], self.relations[rows])
            return lambda held: fitted.above(scores[held], self.relations[held])

        return self.fitted(fit)

    def calibrated(self, scores: Floats, method: str, offset: float) -> Floats:
        """Plausibilities by a calibration method."""

        def fit(rows: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], Any]:
            fitted = fit_calibration(
                scores[rows], self.labels[rows], self.relations[rows], method=method, offset=offset, min_count=10
            )
            return lambda held: fitted.plausibility(scores[held], self.relations[held])

        return self.fitted(fit)

    def weighed(self, columns: Floats) -> Floats:
        """Plausibilities by the trees of `PlausibilityModel` over columns of evidence."""

        def fit(rows: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], Any]:
            forest = fit_trees(columns[rows], self.labels[rows])
            return lambda held: forest.predict_proba(columns[held])[:, 1]

        return self.fitted(fit)


def trained(benchmark: Benchmark, model: str, dim: int, epochs: int) -> Embedding:
    """An embedding of the training triples."""
    began = time.process_time()
    config = EmbeddingConfig(model=model, dim=dim, epochs=epochs)
    if not config.isometric:  # its scores are no distances, and it trains on negatives per triple
        config = EmbeddingConfig(model=model, dim=dim // 2, epochs=epochs, loss="softplus", learning_rate=0.01)
    embedding = train_embedding(benchmark.train, len(benchmark.graph.dictionary), config)
    seconds = time.process_time() - began
    print(f"{model}: {seconds:.0f} CPU s, {evaluate(embedding, benchmark.valid, benchmark.known)}", flush=True)
    return embedding


def figures(embedding: Embedding, examples: Examples) -> dict[str, ClassificationMetrics | float]:
    """Figures of one embedding: by thresholds, squashed, and by each calibration method."""
    scores = embedding.score(examples.triples).astype(np.float64)
    offset = embedding.config.margin if embedding.config.isometric else 0.0
    found: dict[str, ClassificationMetrics | float] = {
        "threshold": float((examples.told(scores) == examples.labels).mean()),
        "squashed": classification_metrics(1 / (1 + np.exp(-(scores + offset))), examples.labels),
    }
    for method in METHODS:
        found[method] = classification_metrics(examples.calibrated(scores, method, offset), examples.labels)
    return found


def evidence_sets(benchmark: Benchmark, embeddings: Sequence[Embedding]) -> dict[str, Floats]:
    """Columns of evidence, those of `PlausibilityModel`: of the graph, with each embedding, and with all of them."""
    examples = Examples(benchmark, 2, 0)
    graph = graph_evidence(examples.triples, examples.known)
    which = examples.relations[:, None] == np.unique(examples.relations)
    told = {one.config.model: embedding_evidence(one, examples.triples, examples.known) for one in embeddings}
    sets: dict[str, Floats] = {"relation alone": which.astype(np.float64), "graph": np.c_[graph, which]}
    sets |= {f"graph+{name}": np.c_[columns, graph, which] for name, columns in told.items()}
    return sets | ({"graph+all": np.c_[(*told.values(), graph, which)]} if len(told) > 1 else {})


def table(runs: Sequence[dict[str, dict[str, Any]]]) -> None:
    """Print mean figures over the seeds of the folds."""
    print(f"\n{'':24}{'accuracy':>10}{'at half':>9}{'Brier':>8}{'ECE':>8}{'area':>9}")
    for name, rows in runs[0].items():
        for method, value in rows.items():
            every = [run[name][method] for run in runs]
            if isinstance(value, float):
                print(f"{name + ' ' + method:24}{statistics.fmean(every):10.3f}")
                continue
            mean = {key: statistics.fmean(getattr(one, key) for one in every) for key in value.to_dict()}
            print(
                f"{name + ' ' + method:24}{mean['accuracy']:10.3f}{mean['accuracy_at_half']:9.3f}"
                f"{mean['brier']:8.3f}{mean['ece']:8.3f}{mean['area']:9.4f}"
            )


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", default="TransE,RotatE")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=2, help="shuffles of the folds")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    benchmark = load_benchmark(given.data / "codex" / "triples" / "codex-s")
    embeddings = [trained(benchmark, model, given.dim, given.epochs) for model in given.models.split(",") if model]
    runs = []
    sets = evidence_sets(benchmark, embeddings)
    for seed in range(given.seeds):
        examples = Examples(benchmark, given.folds, seed)
        run: dict[str, dict[str, Any]] = {one.config.model: figures(one, examples) for one in embeddings}
        run["weighed:"] = {
            name: classification_metrics(examples.weighed(columns), examples.labels) for name, columns in sets.items()
        }
        runs.append(run)
    table(runs)
    print(f"\n{len(examples.labels)} examples, {given.folds}-fold cross-fitted, mean of {given.seeds} shuffles")
    if given.json:
        rows = [
            {n: {m: v if isinstance(v, float) else v.to_dict() for m, v in r.items()} for n, r in run.items()}
            for run in runs
        ]
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
