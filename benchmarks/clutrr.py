"""How are two people of a story related? CLUTRR, from raw text and the names of the query alone.

    python -P benchmarks/clutrr.py --data DATA [--folder FOLDER] [--test FILE...] [--quick] [--json OUT]

DATA is a folder with `train-2-3/train.csv.gz` and `train-2-3-4/train.csv.gz`. Of train-2-3, 1.5 % of the sentences are
held out, chosen by a hash of their words, with every story that shares six words in a row with one of them (names count
as one word); the other stories are trained on. The pieces of text held out, those sentences that tell one path, are
dealt out in turn to development and measuring.

Fitted (calibration, threshold) on: 400 of the held out stories, and 30 stories each of 2 to 10 steps made from the
development pieces.

Measured on:

- k = 4 of train-2-3-4, no row of which is trained on, though most of its sentences occur in train-2-3 with other names;
- own stories of k = 5 to 10, made from the measuring pieces (`pipelines.tasks.longer_stories` says how), 50 of each k;
- the same made from the sentences that only train-2-3-4 has: none shares six words with any sentence of train-2-3. Many
  are parts of longer texts and tell less by themselves;
- each `--test` file, which nothing was fitted to.

Beside the method stand its controls: the same encoder as a classifier of the whole story, trained on the same stories
("text only"), and the extractor asked about the query pair alone ("no rules"). Accuracy is of the answer given whether
or not it would be abstained from, with the 95 % interval of a bootstrap over stories. Trained extractors are kept in
FOLDER and taken from there. `--quick` trains on a tenth of the stories and measures some 100 of each
set, to see that it runs. (`-P` keeps this folder from hiding the package `embeddings`.)
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embeddings.calibrate import ece
from engine.extraction.chaining import Chained
from engine.extraction.held_out import runs_of, split_by_text
from engine.symbolic import ReplayError, replay
from pipelines.tasks.adapters.clutrr import read
from pipelines.tasks.example import Example
from pipelines.tasks.longer_stories import pieces_of, stories
from pipelines.tasks.method import Control, Method
from pipelines.tasks.methods.chained_relations import ChainedRelations, fit

CONTROLS: tuple[Control, ...] = ("full", "text only", "no rules")
SHARE = 0.015  # of the sentences held out; their stories are about a seventh


def main() -> None:
    """Train, measure, print one table a set."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    train, dev, sets = _data(options)
    report: dict[str, Any] = {"training stories": len(train), "development stories": len(dev)}
    settings: dict[str, Any] = {"folder": options.folder, "risk": options.risk}
    given = {"epochs": options.epochs or (2 if options.quick else None), "trained_layers": options.layers}
    settings["pairs"] = {name: value for name, value in given.items() if value is not None}
    report["controls"] = {}
    for control in [control for control in CONTROLS if control in options.control]:
        began = time.process_time()
        method = fit(train, dev, control=control, seed=options.seed, settings=settings)
        figures = {"fit, CPU s": round(time.process_time() - began)}
        told = {name: _measured(method, evenly(examples, options.most)) for name, examples in sets.items()}
        report["controls"][control] = {**figures, **told}
        _show(control, told)
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Accuracy on CLUTRR by the number of steps, beside controls.")
    parser.add_argument("--data", type=Path, required=True, help="folder of CLUTRR's train-2-3 and train-2-3-4")
    parser.add_argument("--folder", help="where trained extractors are kept")
    parser.add_argument("--test", type=Path, nargs="*", default=[], help="files to measure instead")
    parser.add_argument("--control", nargs="*", choices=CONTROLS, default=CONTROLS)
    parser.add_argument("--most", type=int, default=10**6, help="stories of a set to measure, evenly chosen")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="of training, in place of PairConfig's")
    parser.add_argument("--layers", type=int, help="trained, in place of PairConfig's")
    parser.add_argument("--risk", type=float, default=0.05, help="most wrong among the answers given, on development")
    parser.add_argument("--quick", action="store_true", help="a tenth of the training")
    parser.add_argument("--json", help="where the figures go")
    return parser.parse_args()


def _data(options: argparse.Namespace) -> tuple[list[Example], list[Example], dict[str, list[Example]]]:
    """What to train on, to fit to, and to measure."""
    short, long = (read(options.data / name / "train.csv.gz") for name in ("train-2-3", "train-2-3-4"))
    few = 100 if options.quick else None
    chosen, held = split_by_text([example.passage for example in short], share=SHARE)
    train, kept = ([short[at] for at in rows] for rows in (chosen, held))
    pieces = pieces_of(kept, seen=_runs(train))
    fitting = {path: found[::2] for path, found in pieces.items()}
    measuring = {path: found[1::2] for path, found in pieces.items()}
    dev = [
        *evenly(kept, few or 400),
        *stories(train, fitting, hops=range(2, 11), count=5 if few else 30, seed=options.seed),
    ]
    if options.test:
        return train[:: 10 if few else 1], dev, {path.name: read(path)[:few] for path in options.test}
    only = pieces_of(long, seen=_runs(short))
    sets = {"k = 4 of train-2-3-4": [example for example in long if example.group == "4"][:: 1 if few is None else 50]}
    for name, found in (("own stories", measuring), ("own stories, rest", only)):
        sets[name] = stories(train, found, hops=range(5, 11), count=10 if few else 50, seed=options.seed + 1)
    return train[:: 10 if few else 1], dev, sets


def evenly(examples: Sequence[Example], most: int) -> Sequence[Example]:
    """At most so many of the examples, evenly chosen."""
    return examples[:: -(-len(examples) // most)]


def _runs(examples: Sequence[Example]) -> set[tuple[str, ...]]:
    return {run for example in examples for run in runs_of(example.passage)}


def _measured(method: Method, examples: Sequence[Example]) -> dict[str, Any]:
    """The figures of one set."""
    began = time.process_time()
    chained = method.chained(examples) if isinstance(method, ChainedRelations) else []
    answers = method.sure(method.told(chained)) if isinstance(method, ChainedRelations) else method.answer(examples)
    seconds = time.process_time() - began
    right = np.array([answer.choices[0] in e.answers for answer, e in zip(answers, examples, strict=True)])
    given = np.array([answer.route != "abstained" for answer in answers])
    groups = np.array([int(example.group) for example in examples])
    figures: dict[str, Any] = {
        "stories": len(examples),
        "accuracy": _interval(right),
        "by steps": {str(k): _interval(right[groups == k]) for k in sorted(set(groups.tolist()))},
        "ece": ece([answer.probability for answer in answers], right),
        "coverage": float(given.mean()),
        "accuracy of those given": float(right[given].mean()) if given.any() else None,
        "CPU ms a story": 1000 * seconds / len(examples),
    }
    if chained:
        figures["proofs that replay"] = sum(map(_replays, chained)) / len(examples)
    return figures


def _interval(right: np.ndarray[Any, Any]) -> list[float]:
    """Accuracy, and the 95 % interval of a bootstrap over the examples."""
    draws = np.random.default_rng(0).choice(right, size=(2000, len(right))).mean(axis=1)
    return [round(float(value), 4) for value in (right.mean(), *np.quantile(draws, (0.025, 0.975)))]


def _replays(chained: Chained) -> bool:
    """Whether there is a proof that the independent checker accepts."""
    if chained.proof is None:
        return False
    try:
        return replay(chained.proof, chained.closure.graph, chained.closure.rules) > 0
    except ReplayError as error:
        print(f"a proof does not replay: {error}", file=sys.stderr)
        return False


def _show(control: str, told: Mapping[str, Mapping[str, Any]]) -> None:
    for name, figures in told.items():
        line = "  ".join(f"k={k} {value[0]:.3f}" for k, value in figures["by steps"].items())
        low, high = figures["accuracy"][1:]
        rest = {
            key: figures[key]
            for key in ("ece", "coverage", "accuracy of those given", "proofs that replay")
            if figures.get(key) is not None
        }
        print(f"{control}, {name} ({figures['stories']}): {figures['accuracy'][0]:.3f} [{low:.3f}, {high:.3f}]")
        print(f"    {line}")
        print("    " + ", ".join(f"{key} {value:.3f}" for key, value in rest.items()), flush=True)


if __name__ == "__main__":
    main()
