"""How long does an embedding take to train and to evaluate, beside PyKEEN's own loops and evaluator?

    python benchmarks/embeddings.py --data DATA [--only evaluation umls wn18rr] [--runs 3] [--json OUT]

DATA holds the folder wn18rr; UMLS is the one that PyKEEN brings, so that its test triples, too, are filtered. Each
measurement is a process of its own, with one thread unless --threads says otherwise; the sides take turns. What is told
are medians of CPU seconds, and ratios.

- evaluation: filtered ranks of a slice of WN18RR's validation triples among all entities, RotatE of dimension 200, by
  PyKEEN's `RankBasedEvaluator` and by `embeddings.evaluate`, of one untrained model; figures must be equal to 1e-6.
- umls: RotatE until the validation MRR is .75, and the MRR after all epochs. Three sides: Noesis (shared negatives);
  PyKEEN as it comes (`SLCWATrainingLoop` with the model's defaults, batch 256); PyKEEN tuned (NSSA loss, batch 256,
  32 negatives, Adam's step chosen among .003, .01, .03 for the shortest time). Validation is not in the time; all sides
  are validated by one evaluator, every second epoch.
- wn18rr: Noesis's RotatE until the validation MRR is .45, with the threads of this machine: wall and CPU seconds.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kg.benchmark import Benchmark, load_benchmark

SLICE = 128
UMLS = {"goal": 0.75, "dim": 128, "epochs": 100}
NOESIS_UMLS = {"batch_size": 256, "num_negatives": 64, "learning_rate": 0.05, "margin": 6.0}
STEPS = (0.003, 0.01, 0.03)
CONFIGS = Path(__file__).resolve().parents[1] / "data" / "configs"


class Clock:
    """CPU and wall seconds between `start` and `stop`, summed."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    def start(self) -> None:
        """Go on."""
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def stop(self) -> None:
        """Hold."""
        self.cpu += time.process_time() - self._cpu
        self.wall += time.perf_counter() - self._wall


def evaluation(data: Path, side: str) -> dict[str, Any]:
    """MRR of an untrained RotatE on a slice, and what ranking it took."""
    from embeddings import Embedding, EmbeddingConfig, evaluate
    from embeddings.quiet import quiet, seeded

    benchmark = load_benchmark(data / "wn18rr")
    entities = np.unique(benchmark.train[:, [0, 2]])
    frame = Embedding(
        EmbeddingConfig(dim=200),
        entities,
        np.unique(benchmark.train[:, 1]),
        np.empty((len(entities), 0), dtype=np.float32),
        np.empty((11, 0), dtype=np.float32),
        "",
    )
    some = benchmark.valid[frame.knows(benchmark.valid)][:SLICE]
    known = np.concatenate([benchmark.train, some])
    clock = Clock()
    with quiet(), seeded(0):
        import torch
        from pykeen.evaluation import RankBasedEvaluator

        from embeddings.network import filled, make_model

        model = make_model(frame.config, len(frame.entities), len(frame.relations))
        embedding = filled(frame, model, ())
        if side == "noesis":
            evaluate(embedding, some[:2], known)  # its imports
            clock.start()
            mrr = evaluate(embedding, some, known).mrr
            clock.stop()
        else:
            rows, filters = (torch.from_numpy(frame.dense(part)) for part in (some, known))
            evaluator = RankBasedEvaluator(filtered=True)
            clock.start()
            found = evaluator.evaluate(model, rows, batch_size=32, additional_filter_triples=[filters], use_tqdm=False)
            clock.stop()
            mrr = found.get_metric("both.realistic.inverse_harmonic_mean_rank")
    return {"cpu": clock.cpu, "mrr": mrr}


def umls(data: Path, side: str) -> dict[str, Any]:
    """CPU seconds of training until the goal, None where it is not reached, and the last MRR."""
    from embeddings.quiet import quiet

    with quiet():
        from pykeen.datasets import umls as bundled

    benchmark = load_benchmark(Path(bundled.__file__).parent)
    if side == "noesis":
        return _noesis(benchmark, {"dim": UMLS["dim"], "epochs": UMLS["epochs"], **NOESIS_UMLS}, UMLS["goal"], 2)
    return _pykeen(benchmark, side)


def wn18rr(data: Path, side: str) -> dict[str, Any]:
    """Seconds of training of the configuration of this benchmark until the goal."""
    from pipelines.benchmark import load_config

    config = load_config(CONFIGS / "wn18rr-rotate.toml").to_dict()
    return _noesis(load_benchmark(data / "wn18rr"), config | {"patience": 0}, 0.45, 2, stop=True)


class _EnoughError(Exception):
    """The goal is reached."""


def _noesis(
    benchmark: Benchmark, settings: dict[str, Any], goal: float, every: int, *, stop: bool = False
) -> dict[str, Any]:
    """Train with `train_embedding`; the validation between epochs is ours, and not in the time."""
    import embeddings.fit as fitting
    from embeddings import EmbeddingConfig, train_embedding
    from embeddings.evaluate import evaluate

    clock, found = Clock(), dict[str, Any]()
    settings = settings | {"patience": 10_000, "validate_every": every}

    def watched(embedding: Any, held_out: Any, known: Any, **options: Any) -> Any:
        clock.stop()
        figures = evaluate(embedding, held_out, np.concatenate([known, benchmark.known]), **options)
        found["mrr"] = figures.mrr_of_all if stop else figures.mrr
        if found["mrr"] >= goal and "cpu" not in found:
            found.update(cpu=clock.cpu, wall=clock.wall)
            if stop:
                raise _EnoughError
        clock.start()
        return figures

    fitting.evaluate = watched
    warm = EmbeddingConfig(model="RotatE", dim=2, epochs=1, num_negatives=2)
    train_embedding(benchmark.train[:10], len(benchmark.graph.dictionary), warm)  # imports of PyKEEN
    clock.start()
    try:
        config = EmbeddingConfig.from_dict(settings)
        train_embedding(benchmark.train, len(benchmark.graph.dictionary), config, validation=benchmark.valid)
    except _EnoughError:
        pass
    return {"cpu": None, "wall": None, **found}


def _pykeen(benchmark: Benchmark, side: str) -> dict[str, Any]:
    """The same with PyKEEN's own model, loss, sampler and loop."""
    import tempfile

    from embeddings import Embedding, EmbeddingConfig
    from embeddings.evaluate import evaluate
    from embeddings.quiet import quiet, seeded

    entities, relations = np.unique(benchmark.train[:, [0, 2]]), np.unique(benchmark.train[:, 1])
    empty = np.empty((0, 0), dtype=np.float32)
    frame = Embedding(EmbeddingConfig(dim=UMLS["dim"]), entities, relations, empty, empty, "")
    known = benchmark.known
    clock, found = Clock(), dict[str, Any]()
    with quiet(), seeded(0), tempfile.TemporaryDirectory() as folder:
        import torch
        from pykeen.models import RotatE
        from pykeen.training import SLCWATrainingLoop
        from pykeen.training.callbacks import TrainingCallback
        from pykeen.triples import CoreTriplesFactory

        from embeddings.network import filled

        class Watch(TrainingCallback):  # type: ignore[misc]  # PyKEEN is untyped here
            """Validates every second epoch."""

            def post_epoch(self, epoch: int, epoch_loss: float, **kwargs: Any) -> None:
                """After each epoch."""
                if epoch % 2:
                    return
                clock.stop()
                figures = evaluate(filled(frame, self.model, ()), benchmark.valid, known)
                found["mrr"] = figures.mrr
                if figures.mrr >= UMLS["goal"] and "cpu" not in found:
                    found.update(cpu=clock.cpu, wall=clock.wall)
                clock.start()

        factory = CoreTriplesFactory(
            torch.from_numpy(frame.dense(benchmark.train)), num_entities=len(entities), num_relations=len(relations)
        )
        tuned = side != "pykeen"
        options: dict[str, Any] = {"loss": "nssa", "loss_kwargs": {"margin": 9.0}} if tuned else {}
        model = RotatE(triples_factory=factory, embedding_dim=UMLS["dim"], random_seed=0, **options)
        sampling = {"negative_sampler_kwargs": {"num_negs_per_pos": 32}} if tuned else {}
        step = {"lr": float(side.partition(" ")[2])} if tuned else {}
        loop = SLCWATrainingLoop(
            model=model, triples_factory=factory, optimizer="adam", optimizer_kwargs=step, **sampling
        )
        clock.start()
        loop.train(
            factory,
            num_epochs=UMLS["epochs"],
            batch_size=256,
            use_tqdm=False,
            callbacks=[Watch()],
            checkpoint_directory=folder,
            pin_memory=False,
        )
    return {"cpu": None, "wall": None, **found}


TASKS: dict[str, tuple[Callable[[Path, str], dict[str, Any]], list[str]]] = {
    "evaluation": (evaluation, ["noesis", "pykeen"]),
    "umls": (umls, ["noesis", "pykeen", *(f"tuned {step}" for step in STEPS)]),
    "wn18rr": (wn18rr, ["noesis"]),
}


def child(data: Path, task: str, side: str, threads: int) -> dict[str, Any]:
    """One measurement, in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    command = [sys.executable, __file__, "--data", str(data), "--child", task, side]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{task}, {side} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def measured(data: Path, task: str, runs: int, threads: int) -> dict[str, Any]:
    """Medians of each side; the sides take turns."""
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in TASKS[task][1]}
    for _ in range(runs):
        for side, results in found.items():
            results.append(child(data, task, side, threads))
    middle = {}
    for side, results in found.items():
        times = [one["cpu"] for one in results]
        reached = None if None in times else statistics.median(times)
        walls = [one["wall"] for one in results if one.get("wall") is not None]
        wall = statistics.median(walls) if walls else None
        middle[side] = {"cpu": reached, "wall": wall, "mrr": statistics.median(one["mrr"] for one in results)}
        told = "not reached" if reached is None else f"{reached:8.2f} CPU s"
        walled = "" if wall is None else f", {wall:.1f} s"
        print(f"{task:<12}{side:<14}{told}{walled}, MRR {middle[side]['mrr']:.4f}", flush=True)
    return middle


def ratios(task: str, found: dict[str, Any]) -> None:
    """What the sides are to each other, as lines."""
    if task == "evaluation":
        same = abs(found["noesis"]["mrr"] - found["pykeen"]["mrr"]) <= 1e-6
        print(
            f"evaluation: {found['pykeen']['cpu'] / found['noesis']['cpu']:.0f} times PyKEEN's speed; equal MRR: {same}"
        )
    if task == "umls":
        tuned = {s: v for s, v in found.items() if s.startswith("tuned") and v["cpu"] is not None}
        if tuned and found["noesis"]["cpu"] is not None:
            side = min(tuned, key=lambda s: tuned[s]["cpu"])
            share = found["noesis"]["cpu"] / tuned[side]["cpu"]
            ours, best = found["noesis"]["mrr"], max(v["mrr"] for s, v in found.items() if s != "noesis")
            print(f"umls: {share:.2f} of the CPU time of PyKEEN {side}; MRR {ours:.4f}, its best {best:.4f}")


def main() -> None:
    """Parse, measure, print a table and JSON."""
    parser = argparse.ArgumentParser(description="Time training and evaluation of embeddings beside PyKEEN.")
    parser.add_argument("--data", type=Path, required=True, help="folder with wn18rr")
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.data.is_dir():
        parser.error(f"expected --data to name the folder with the benchmarks (got {options.data})")
    if options.child:
        task, side = options.child
        print(json.dumps(TASKS[task][0](options.data, side)))
        return
    results = {}
    for task in options.only:
        threads = os.cpu_count() or 1 if task == "wn18rr" else options.threads
        results[task] = measured(options.data, task, options.runs, threads)
        ratios(task, results[task])
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


HERE = str(Path(__file__).resolve().parent)
sys.path[:] = [place for place in sys.path if place != HERE]  # where this file would hide the package of its name
if __name__ == "embeddings":  # a script beside this one wanted the package, and gets it
    del sys.modules["embeddings"]
    sys.modules["embeddings"] = importlib.import_module("embeddings")
if __name__ == "__main__":
    main()
