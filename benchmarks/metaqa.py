"""How many questions about films does a learnt relation path answer, against what the graph can answer at all?

    python -m benchmarks.metaqa --data DATA [--controls] [--test FILE ...] [--part 1.0] [--seed 0] [--json OUT]

DATA holds metaqa: the graph, and development questions by hops. There are no training questions: a method is fitted to
one half of the development questions and asked the other, then swapped. In "halves" the halves are drawn at random, so
that a wording stands in both; in "new wordings" every wording (the question without its topic) stands in one only. With
test files the method is fitted to all development questions and asked those. A tenth of what is fitted to calibrates.

"reach.": some answer is within as many steps of the topic as the question has hops, whatever the steps; "all r.": all
are. "told": there is an answer at all. "some": a right one is among those told, "of r." the share of the reachable for
which it is. "hits@1": the first one told is right. "exact": all right answers are told and no others. "ECE" is of the
probability that the first is right.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.calibrate import ece
from engine.symbolic import replay
from kg.adjacency import Adjacency
from kg.graph import KnowledgeGraph
from pipelines.tasks.adapters import metaqa
from pipelines.tasks.example import Example
from pipelines.tasks.method import Answer, Control
from pipelines.tasks.methods.path_questions import Topics, fit

Rows = NDArray[np.int64]
_CONTROLS: tuple[Control, ...] = ("text only", "graph only", "shuffled graph")


class Reach:
    """What can be answered: which answers are how near to the topic."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        triples = graph.entity_triples()
        self.adjacency = Adjacency(triples[:, 0], triples[:, 2], len(graph.dictionary))
        self.topics = Topics(graph)

    def of(self, example: Example) -> tuple[bool, bool]:
        """Whether some answer is reachable, and whether all are."""
        topic, answers = self.topics.asked(example.question).topic, self.topics.terms(example.answers)
        near = np.array([] if topic is None else [topic], dtype=np.int64)
        found = []
        for _ in range(int(re.sub(r"\D", "", example.group) or 2)):
            near = np.unique(self.adjacency.beside(near, len(self.topics.graph))[1])
            found.append(near)
        here = np.isin(answers, np.concatenate(found))
        return bool(here.any()), bool(here.all()) and len(answers) == len(example.answers)


def halves(examples: Sequence[Example], *, new_wordings: bool, seed: int) -> Rows:
    """The half of each example, 0 or 1."""
    random = np.random.default_rng(seed)
    if not new_wordings:
        return random.permutation(len(examples)) % 2
    wordings = [re.sub(r"\[.*?\]", "", example.question) for example in examples]
    half = dict(zip(dict.fromkeys(wordings), random.permutation(len(set(wordings))) % 2, strict=True))
    return np.array([half[wording] for wording in wordings])


def answered(
    known: Sequence[Example], asked: Sequence[Example], graph: KnowledgeGraph, control: Control, seed: int
) -> tuple[list[Answer], dict[str, float]]:
    """The answers of a method fitted to what is known, and what it took."""
    order = np.random.default_rng(seed).permutation(len(known)).tolist()
    dev, train = ([known[row] for row in rows] for rows in (order[: len(order) // 10], order[len(order) // 10 :]))
    start = time.process_time()
    method = fit(train, dev, control=control, seed=seed, settings={"graph": graph})
    fitted = time.process_time()
    answers = method.answer(asked)
    told = time.process_time()
    proved = [(answer.proof, answer.theory) for answer in answers if answer.proof is not None]
    proofs = [proof for proof, _ in proved]
    theory = proved[0][1] if proved else None
    if theory is not None:  # all answers rest on one closure
        replay(proofs, theory.graph, theory.rules)
    return answers, {"fit": fitted - start, "answer": told - fitted, "proofs": len(proofs)}


def crossed(
    examples: Sequence[Example], half: Rows, graph: KnowledgeGraph, control: Control, seed: int
) -> tuple[list[Answer], dict[str, float]]:
    """Each half answered by the other."""
    found: dict[int, Answer] = {}
    took = {"fit": 0.0, "answer": 0.0, "proofs": 0.0}
    for side in (0, 1):
        asked = np.flatnonzero(half == side).tolist()
        known = [examples[row] for row in np.flatnonzero(half != side).tolist()]
        answers, spent = answered(known, [examples[row] for row in asked], graph, control, seed)
        found |= dict(zip(asked, answers, strict=True))
        took = {key: took[key] + spent[key] for key in took}
    return [found[row] for row in range(len(examples))], took


def figures(
    examples: Sequence[Example], answers: Sequence[Answer], reachable: NDArray[np.bool_]
) -> dict[str, dict[str, float]]:
    """Figures by group."""
    pairs = list(zip(answers, examples, strict=True))
    first = np.array([bool(a.choices) and a.choices[0] in e.answers for a, e in pairs])
    among = np.array([not set(a.choices).isdisjoint(e.answers) for a, e in pairs])
    exact = np.array([set(a.choices) == set(e.answers) for a, e in pairs])
    chance = np.array([a.probability for a in answers])
    groups = np.array([e.group for e in examples])
    found = {}
    for group in sorted(set(groups.tolist())):
        here = groups == group
        some, every = reachable[here].T
        found[group] = {
            "questions": int(here.sum()),
            "reach.": float(some.mean()),
            "all r.": float(every.mean()),
            "told": float(np.mean([bool(a.choices) for a, e in pairs if e.group == group])),
            "some": float(among[here].mean()),
            "of r.": float(among[here][some].mean()) if some.any() else 0.0,
            "hits@1": float(first[here].mean()),
            "exact": float(exact[here].mean()),
            "ECE": ece(chance[here], first[here]),
        }
    return found


def table(name: str, rows: dict[str, dict[str, float]], took: dict[str, float]) -> None:
    """Print the figures of one run."""
    for group, row in rows.items():
        shown = "".join(f"{value:9.4f}" for key, value in row.items() if key != "questions")
        print(f"{name:30}{group:8}{row['questions']:7.0f}{shown}", flush=True)
    spent = f"fit {took['fit']:.1f}, answer {took['answer']:.1f} CPU seconds"
    print(f"{'':30}{spent}; {took['proofs']:.0f} proofs, every one replayed", flush=True)


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--controls", action="store_true", help="run the controls as well")
    parser.add_argument("--test", type=Path, nargs="+", default=[], help="files of test questions")
    parser.add_argument("--part", type=float, default=1.0, help="share of the development questions to take")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    home = given.data / "metaqa"
    graph, reach = (loaded := metaqa.load_graph(home)), Reach(loaded)
    files = sorted(path for name in ("dev.txt", "qa_dev.txt") for path in home.glob(f"*-hop/**/{name}"))
    every = [replace(one, id=f"{path.parent.name}/{one.id}") for path in files for one in metaqa.read(path)]
    chosen = np.random.default_rng(given.seed).permutation(len(every))[: round(given.part * len(every))]
    known = [every[row] for row in np.sort(chosen)]
    asked = [one for path in given.test for one in metaqa.read(path)] or known
    reachable = np.array([reach.of(example) for example in asked])
    columns = ("reach.", "all r.", "told", "some", "of r.", "hits@1", "exact", "ECE")
    print(f"{'':38}{'asked':>7}" + "".join(f"{column:>9}" for column in columns))
    results: dict[str, Any] = {}
    for control in ("full", *(_CONTROLS if given.controls else ())):
        for split in ("test",) if given.test else ("halves", "new wordings"):
            if split == "test":
                answers, took = answered(known, asked, graph, control, given.seed)
            else:
                half = halves(known, new_wordings=split == "new wordings", seed=given.seed)
                answers, took = crossed(known, half, graph, control, given.seed)
            rows = figures(asked, answers, reachable)
            table(f"{control}, {split}", rows, took)
            results[f"{control}, {split}"] = {"groups": rows, "took": took}
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
