"""What does the graph cost beside the text, and what do the fusion model's options cost and bring?

    python -m benchmarks.fusion trainer   [--claims 192] [--epochs 3] [--repeats 2]
    python -m benchmarks.fusion options   [--claims 192] [--compiled]
    python -m benchmarks.fusion attention
    python -m benchmarks.fusion ask       [--claims 300] [--run FOLDER]
    python -m benchmarks.fusion rules     [--claims 400] [--epochs 3] [--seeds 2] [--weight 0.5]

Each takes --domain FOLDER (data/domains/medicine), --encoder NAME, --layers 3 (fused and trained) and --json OUT.
Seconds are CPU seconds of the process, with as many threads as torch is given (OMP_NUM_THREADS=1 for one); on a shared
machine they are noisy.

trainer    Trains and predicts with the fusion model, and with the same encoder, text only, in a plain Hugging Face
           `Trainer`: same claims, same trained layers, same batch size, in turns. Memory is what each adds to the
           process at its peak. Needs the extra `bench` (accelerate).
options    One epoch of training and a prediction under each option of the model.
attention  One step of message passing forward and back, dense and sparse, for subgraphs of several sizes.
ask        How long `Reasoner.ask` takes with a model in memory, by verdict.
rules      Held-out accuracy and broken rules with and without the loss through rules, on the same batches.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from embeddings import Embedding, EmbeddingConfig, train_embedding
from engine import Reasoner
from engine.fusion import (
    ClaimExample,
    Encoder,
    FusionConfig,
    FusionModel,
    Scorer,
    Tie,
    evaluate_fusion,
    generate_examples,
    predict_logits,
    resolve_encoder,
    tie_claims,
    train_fusion,
)
from engine.fusion.batch import LabelVectors
from engine.fusion.encoder import mean_pool
from engine.fusion.gnn import Edges, RelationalAttention
from kg.domain import Domain
from pipelines.build import close, closure_key, reasoner_with
from pipelines.run import Run

BATCH = 32
T = TypeVar("T")


class Setting:
    """A domain with its closure, an embedding of it, and the encoder, which has encoded all labels."""

    def __init__(self, folder: str, encoder: str | None) -> None:
        self.domain: Domain
        self.domain, self.closure = close(folder)
        self.encoder: Encoder = resolve_encoder(encoder)
        triples = self.closure.graph.entity_triples()
        config = EmbeddingConfig(dim=32, epochs=10, device="cpu")
        self.embedding: Embedding = train_embedding(
            triples, len(self.closure.graph.dictionary), config, fingerprint=closure_key(self.closure)
        )
        entities = np.unique(triples[:, [0, 2]]).tolist()
        taken, _ = timed(lambda: LabelVectors(self.closure.graph, self.encoder).rows(entities))
        print(f"{len(entities)} labels encoded, which is done once, in {taken:.1f} s", flush=True)

    def claims(self, count: int, seed: int) -> list[ClaimExample]:
        """Generated claims, half of them true."""
        return generate_examples(self.closure, count=count, seed=seed)

    def train(self, claims: Sequence[ClaimExample], config: FusionConfig, **more: Any) -> FusionModel:
        """A fusion model of these claims."""
        return train_fusion(claims, self.closure, self.embedding, self.encoder, config, **more)


# Against a plain Trainer ------------------------------------------------------------------------------------------


class TextOnly(nn.Module):
    """The encoder with a logit on its pooled tokens; its upper layers are trained, as the fusion model's are."""

    def __init__(self, encoder: Encoder, trained_layers: int) -> None:
        super().__init__()
        model: Any = copy.deepcopy(encoder.model)
        self.encoder: nn.Module = model
        layers = list(model.encoder.layer)
        self.encoder.requires_grad_(False)
        for layer in layers[len(layers) - trained_layers :]:
            layer.requires_grad_(True)
        self.logit = nn.Linear(encoder.dim, 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Loss and logits, as a Trainer wants them."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        logits = self.logit(mean_pool(states, attention_mask.bool())).squeeze(-1)
        return {"loss": nn.functional.binary_cross_entropy_with_logits(logits, labels), "logits": logits}


def text_rows(encoder: Encoder, claims: Sequence[ClaimExample]) -> list[dict[str, Any]]:
    """The claims as a Trainer's data set."""
    ids = encoder.tokenize([claim.text for claim in claims])
    return [{"input_ids": row, "labels": claim.label} for row, claim in zip(ids, claims, strict=True)]


def trainer_of(encoder: Encoder, config: FusionConfig, train: Sequence[ClaimExample], folder: Path) -> Any:
    """A plain Hugging Face Trainer of the text-only model."""
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    tokenizer: Any = encoder.tokenizer
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=64,
        learning_rate=config.encoder_learning_rate,
        warmup_steps=1,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
        seed=config.seed,
    )
    return Trainer(
        model=TextOnly(encoder, config.fused_layers),
        args=arguments,
        train_dataset=text_rows(encoder, train),
        data_collator=DataCollatorWithPadding(tokenizer),
    )


def run_trainer(setting: Setting, args: argparse.Namespace) -> dict[str, Any]:
    """Both sides in turns, and the ratio of their costs."""
    train, test = setting.claims(args.claims, 1), setting.claims(args.claims, 2)
    config = FusionConfig(epochs=args.epochs, batch_size=BATCH, fused_layers=args.layers, device="cpu")
    rates: dict[str, list[float]] = {
        f"{side} {part}": [] for side in ("trainer", "fusion") for part in ("train", "infer")
    }

    def text_only() -> None:
        trainer = trainer_of(setting.encoder, config, train, args.folder)
        rates["trainer train"].append(len(train) * args.epochs / timed(trainer.train)[0])
        rows = text_rows(setting.encoder, test)
        rates["trainer infer"].append(len(test) / timed(lambda: trainer.predict(rows))[0])

    def fusion() -> None:
        taken, model = timed(lambda: setting.train(train, config))
        rates["fusion train"].append(len(train) * args.epochs / taken)
        rates["fusion infer"].append(len(test) / timed(lambda: predict_logits(model, test))[0])

    for _ in range(args.repeats):
        text_only()
        fusion()
    figures: dict[str, Any] = {name: statistics.median(found) for name, found in rates.items()}
    for part in ("train", "infer"):
        figures[f"cost of fusion, {part}"] = figures[f"trainer {part}"] / figures[f"fusion {part}"]
    figures["trainer MiB"], figures["fusion MiB"] = (peak_memory(side) for side in (text_only, fusion))
    print(f"{len(train)} claims, {args.epochs} epochs, median of {args.repeats}")
    print(f"{'':22}{'train claims/s':>16}{'infer claims/s':>16}{'peak MiB':>10}")
    for side, name in (("trainer", "Trainer, text only"), ("fusion", "fusion")):
        print(
            f"{name:22}{figures[f'{side} train']:16.1f}{figures[f'{side} infer']:16.1f}{figures[f'{side} MiB']:10.0f}"
        )
    print(f"{'cost of fusion':22}{figures['cost of fusion, train']:15.2f}×{figures['cost of fusion, infer']:15.2f}×")
    return figures


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of some work, and what it gave."""
    gc.collect()
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def peak_memory(work: Callable[[], Any]) -> float:
    """MiB that some work adds to this process at its peak; it is done in a copy of the process."""
    process = multiprocessing.get_context("fork")
    queue = process.SimpleQueue()

    def child() -> None:
        before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
        work()
        queue.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)

    one = process.Process(target=child)
    one.start()
    one.join()
    return float(queue.get()) / 2**20


# Options ------------------------------------------------------------------------------------------------------------


def run_options(setting: Setting, args: argparse.Namespace) -> dict[str, Any]:
    """Training and prediction under each option."""
    train, test = setting.claims(args.claims, 1), setting.claims(args.claims, 2)
    base = FusionConfig(epochs=1, batch_size=BATCH, fused_layers=args.layers, device="cpu")
    settings: dict[str, FusionConfig] = {
        "cross, dense": base,
        "cross, sparse": replace(base, attention="sparse"),
        "pair, dense": replace(base, exchange="pair"),
        "pair, sparse": replace(base, exchange="pair", attention="sparse"),
        "text only": replace(base, mode="text only"),
        "bfloat16": replace(base, precision="bfloat16"),
    }
    if args.compiled:
        settings["compiled"] = replace(base, compile=True)
    setting.train(train, base)  # labels and texts are encoded once
    figures = {}
    print(f"{'':16}{'train claims/s':>16}{'infer claims/s':>16}")
    for name, config in settings.items():
        trained, made = timed(partial(setting.train, train, config))
        inferred = len(test) / timed(partial(predict_logits, made, test, mode=config.mode))[0]
        figures[name] = {"train": len(train) / trained, "infer": inferred}
        print(f"{name:16}{len(train) / trained:16.1f}{inferred:16.1f}", flush=True)
    return figures


def run_attention(setting: Setting, args: argparse.Namespace) -> dict[str, Any]:
    """One layer on random subgraphs of a size, four edges a node, twenty kinds of edges."""
    torch.manual_seed(0)
    layer, dim, kinds, figures = RelationalAttention(128, heads=4, dropout=0.0), 128, 20, dict[str, Any]()
    print(f"{'nodes':>6}{'dense ms':>10}{'sparse ms':>10}")
    for size in (8, 16, 32, 50, 100, 200):
        graph = torch.arange(BATCH).repeat_interleave(4 * size)
        source, target = torch.randint(size, (2, len(graph)))
        edges = Edges(graph, source, target, torch.randint(kinds, (len(graph),)))
        index = torch.stack([source, target]) + graph * size
        x, states = torch.randn(BATCH, size, dim, requires_grad=True), torch.randn(kinds, dim)

        def dense(x: Tensor = x, edges: Edges = edges, states: Tensor = states) -> None:
            layer.dense(x, edges, states).sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped

        def sparse(x: Tensor = x, edges: Edges = edges, states: Tensor = states, index: Tensor = index) -> None:
            layer(x.flatten(0, 1), index, states, edges.kind).sum().backward()

        for work in (dense, sparse):
            work()
        found: dict[str, list[float]] = {"dense": [], "sparse": []}
        for _ in range(10):
            found["dense"].append(1000 * timed(dense)[0])
            found["sparse"].append(1000 * timed(sparse)[0])
        figures[str(size)] = {name: statistics.median(times) for name, times in found.items()}
        print(f"{size:6}{figures[str(size)]['dense']:10.1f}{figures[str(size)]['sparse']:10.1f}")
    return figures


# Asking -------------------------------------------------------------------------------------------------------------


def run_ask(setting: Setting, args: argparse.Namespace) -> dict[str, Any]:
    """Wall-clock and CPU milliseconds of each question, after a first one."""
    model = setting.train(setting.claims(64, 1), FusionConfig(epochs=1, device="cpu"))
    run = None if args.run is None else Run(args.run, {})
    plain = reasoner_with(setting.domain, setting.closure, None, setting.encoder, run=run)
    reasoner = Reasoner(setting.closure, former=plain.former, scorer=Scorer(model))
    texts = [claim.text for claim in setting.domain.claims]
    texts += [claim.text for claim in setting.claims(max(args.claims - len(texts), 2), 5)]
    for text in texts[:3]:
        reasoner.ask(text)
    found: dict[str, list[float]] = {}
    for text in texts:
        began = time.perf_counter()
        verdict = reasoner.ask(text)
        taken = 1000 * (time.perf_counter() - began)
        for name in ("all", type(verdict).__name__):
            found.setdefault(name, []).append(taken)
    figures = {
        name: {"count": len(times), "p50 ms": float(np.median(times)), "p95 ms": float(np.quantile(times, 0.95))}
        for name, times in found.items()
    }
    print(f"{'verdict':14}{'claims':>8}{'p50 ms':>10}{'p95 ms':>10}")
    for name, row in figures.items():
        print(f"{name:14}{row['count']:8}{row['p50 ms']:10.0f}{row['p95 ms']:10.0f}")
    return figures


# The loss through rules ---------------------------------------------------------------------------------------------


def run_rules(setting: Setting, args: argparse.Namespace) -> dict[str, Any]:
    """Accuracy and broken rules on held-out claims, with and without the loss, trained on the same batches."""
    figures: dict[str, list[dict[str, float]]] = {}
    for seed in range(args.seeds):
        held_out = setting.claims(args.claims, 1000 + seed)
        test, test_ties = tie_claims(setting.closure, held_out, count=args.claims, seed=2000 + seed)
        asked = {example.triple for example in test if example.triple is not None}
        given = [c for c in setting.claims(args.claims, seed) if c.triple not in asked]
        tied, ties = tie_claims(setting.closure, given, count=args.claims, seed=3000 + seed, hidden=asked)
        tied, ties = without(tied, ties, asked)
        for weight in (0.0, args.weight):
            config = FusionConfig(
                epochs=args.epochs, seed=seed, rule_loss=weight, fused_layers=args.layers, device="cpu"
            )
            model = setting.train(tied, config, ties=ties, hidden=asked)
            row = measured(model, test, test_ties, asked)
            figures.setdefault(f"rule_loss = {weight:g}", []).append(row)
            print(f"seed {seed}, rule_loss = {weight:g}, {len(tied)} claims, {len(ties)} ties: {row}", flush=True)
    names = list(next(iter(figures.values()))[0])
    print(f"{'':18}" + "".join(f"{name:>24}" for name in names))
    for name, rows in figures.items():
        print(f"{name:18}" + "".join(f"{statistics.mean(row[part] for row in rows):24.3f}" for part in names))
    return figures


def without(
    examples: Sequence[ClaimExample], ties: Mapping[str, Tie], asked: set[Any]
) -> tuple[list[ClaimExample], dict[str, Tie]]:
    """The examples less the groups with a claim that is asked, and the ties of the others."""
    gone = {example.group for example in examples if example.triple in asked and example.group}
    rest = [e for e in examples if e.group not in gone and e.triple not in asked]
    return rest, {name: tie for name, tie in ties.items() if name not in gone}


def measured(
    model: FusionModel, test: Sequence[ClaimExample], ties: Mapping[str, Tie], hidden: set[Any]
) -> dict[str, float]:
    """Accuracy on labelled claims, on those that only the rules label, and the share of ties that are broken.

    The share of conclusions among the ties is the accuracy of believing all of the tied claims.
    """
    labelled = [example for example in test if example.label == example.label]
    logits = predict_logits(model, test, hidden=hidden)
    believed: dict[str, list[bool]] = {}
    concluded = []
    for example, logit in zip(test, logits, strict=True):
        if example.group in ties:
            believed.setdefault(example.group, []).append(bool((logit > 0) != example.negated))
    for group, tie in ties.items():
        concluded.append(believed[group][-1] == tie.concluded)
    broken = [tie.is_broken(believed[group]) for group, tie in ties.items()]
    return {
        "labelled accuracy": evaluate_fusion(model, labelled, hidden=hidden).accuracy,
        "tied accuracy": float(np.mean(concluded)),
        "rules broken": float(np.mean(broken)),
        "share concluded": float(np.mean([tie.concluded for tie in ties.values()])),
    }


COMMANDS: dict[str, Callable[[Setting, argparse.Namespace], dict[str, Any]]] = {
    "trainer": run_trainer,
    "options": run_options,
    "attention": run_attention,
    "ask": run_ask,
    "rules": run_rules,
}


def main() -> None:
    """Measure one thing, print its table."""
    parser = argparse.ArgumentParser(description="What does the graph cost beside the text, and what does it bring?")
    parser.add_argument("command", choices=list(COMMANDS))
    parser.add_argument("--domain", default="data/domains/medicine")
    parser.add_argument("--encoder", default=None)
    parser.add_argument("--claims", type=int, default=None)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--weight", type=float, default=0.5)
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmark-trainer"))
    parser.add_argument("--compiled", action="store_true", help="also with compiled layers, which takes minutes")
    parser.add_argument("--run", type=Path, default=None, help="a run folder that keeps the learnt reader of claims")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    args.claims = args.claims or {"rules": 400, "ask": 300}.get(args.command, 192)
    figures = COMMANDS[args.command](Setting(args.domain, args.encoder), args)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
