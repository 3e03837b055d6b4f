"""How well are theories in English read, closed and answered, and does every answer have a proof that replays?

    python -P benchmarks/statements.py --data DATA [--parts proofwriter,pararule,folio] [--controls] [--seed 0]
        [--test FILE]... [--json OUT]

proofwriter: learnt from `train.json` (open world), measured on `dev.json`. pararule: learnt from the first half of
`D2_dev.jsonl` (closed world), measured on its other half, which has other passages, and on `D3_dev.jsonl`. folio: how
many sentences of `folio-train.jsonl` the readers of proofwriter read, and for how many of these what was read has the
quantifier, connectives and number of denials of the logic beside them. `--test` measures a further file: `*.json` as
ProofWriter, `*.jsonl` as PARARULE-Plus.

"patterns" reads by the declared patterns with learnt choices alone, "learnt" by the trained network alone. "proof" is
the share of questions with the answer True or False that get it with a proof the independent checker accepts; "absent"
that of those where False rests on an absence from the closure. "silent" is the share without an answer. ECE is that of
the probabilities of the answers given. `--controls` adds "no rules" (the facts alone) and "text only" (a small
transformer over sentence embeddings, learnt from the same answers). Times are CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from embeddings.calibrate import ece
from engine.extraction.candidates import CandidateRule, CandidateTriple
from engine.extraction.denotation import PatternReader, fit_patterns
from engine.extraction.patterns import load_patterns
from engine.extraction.theory import Conclusion, World
from engine.symbolic import replay
from pipelines.tasks.adapters import pararule, proofwriter
from pipelines.tasks.example import Example
from pipelines.tasks.methods.theory import PATTERNS, SentenceReader, TheoryMethod, answer_of, asked, fit, learnt_reader

Figures = dict[str, float]
PASSAGES, PASSES = 800, 10
NETWORK: dict[World, dict[str, int]] = {
    "open": {},
    "closed": {"sentences": 1100, "renamed": 900, "batch": 16, "epochs": 7},
}
"""Settings of the network. PARARULE-Plus has few different sentences: with steps of 64 of them it learnt too little."""
_HARD = "∨⊕∃↔"
"""Connectives of FOLIO's logic that rules do not have."""


def replayed(conclusions: Sequence[Conclusion]) -> list[bool]:
    """Whether each has a proof; the independent checker takes all of a closure at once and raises if one fails."""
    closures = {id(c.closure): c.closure for c in conclusions if c.closure is not None}
    for closure in closures.values():
        proofs = [c.proof for c in conclusions if c.closure is closure and c.proof is not None]
        replay(proofs, closure.graph, closure.rules)
    return [conclusion.proof is not None for conclusion in conclusions]


def measure(method: TheoryMethod, examples: Sequence[Example]) -> dict[str, Figures]:
    """Figures of all examples and of each group."""
    start = time.process_time()
    conclusions = method.conclude(examples)
    seconds = time.process_time() - start
    answers = [answer_of(c, example.choices) for c, example in zip(conclusions, examples, strict=True)]
    right = np.array([a.choices[:1] == e.answers for a, e in zip(answers, examples, strict=True)])
    silent = np.array([answer.route == "abstained" for answer in answers])
    decided = np.array([example.answers[0] != "Unknown" for example in examples])
    proved = np.array(replayed(conclusions))
    chance = np.array([answer.probability for answer in answers])
    groups = {"all": np.ones(len(examples), dtype=bool)}
    groups |= {
        f"depth {g}": np.array([e.group == g for e in examples]) for g in sorted({e.group for e in examples} - {""})
    }
    found = {}
    for name, at in groups.items():
        told, ask = at & decided, at & ~silent
        found[name] = {
            "questions": int(at.sum()),
            "accuracy": float((right & ~silent)[at].mean()),
            "proof": float((right & proved & ~silent)[told].mean()),
            "absent": float((right & ~proved & ~silent)[told].mean()),
            "silent": float(silent[at].mean()),
            "ece": ece(chance[ask], right[ask]) if ask.any() else 0.0,
            "seconds": seconds,
        }
    return found


def show(name: str, found: Mapping[str, Figures]) -> None:
    """One line a group."""
    for group, figures in found.items():
        row = "  ".join(f"{key} {value:.4f}" for key, value in figures.items() if key not in ("questions", "seconds"))
        print(
            f"  {name:22} {group:8} {row}  ({figures['questions']} questions, {figures['seconds']:.0f} s)", flush=True
        )


def readers(train: Sequence[Example], world: World, seed: int) -> dict[str, SentenceReader]:
    """Both readers, learnt from the answers of examples."""
    start, passages = time.process_time(), asked(train)
    declared = fit_patterns(load_patterns(PATTERNS), passages[:PASSAGES], world=world, passes=PASSES, seed=seed)
    middle = time.process_time()
    print(f"  choices learnt from {len(passages[:PASSAGES])} passages in {middle - start:.0f} s")
    learnt = learnt_reader(declared, passages, {"world": world, "statements": NETWORK[world]}, seed=seed)
    print(f"  reader learnt from {len(passages)} passages in {time.process_time() - middle:.0f} s", flush=True)
    return {"patterns": declared, "learnt": learnt}


def task(
    train: Sequence[Example], parts: Mapping[str, Sequence[Example]], world: World, seed: int, controls: bool
) -> tuple[dict[str, dict[str, Figures]], dict[str, SentenceReader]]:
    """The figures of each reader and control on each part, and the readers."""
    made, told = readers(train, world, seed), dict[str, dict[str, Figures]]()
    methods = {name: TheoryMethod(reader, world) for name, reader in made.items()}
    if controls:
        methods["no rules"] = replace(methods["learnt"], rules=False)
    for part, examples in parts.items():
        print(f" {part}")
        for name, method in methods.items():
            told[f"{part}, {name}"] = measure(method, examples)
            show(name, told[f"{part}, {name}"])
    if controls:
        start = time.process_time()
        text = fit(train, (), control="text only", seed=seed, settings={"world": world})
        print(f"  text only learnt in {time.process_time() - start:.0f} s")
        for part, examples in parts.items():
            answers = text.answer(examples)
            right = np.array([a.choices == e.answers for a, e in zip(answers, examples, strict=True)])
            calibration = ece([a.probability for a in answers], right)
            told[f"{part}, text only"] = {"all": {"accuracy": float(right.mean()), "ece": calibration}}
            print(f"  text only, {part}: accuracy {right.mean():.4f}  ece {calibration:.4f}", flush=True)
    return told, made


def folio(path: Path, made: Mapping[str, SentenceReader]) -> dict[str, Figures]:
    """Share of the premises that are read, and of these the share whose reading agrees with the logic beside them."""
    pairs: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if len(record["premises"]) == len(record["premises-FOL"]):
            pairs |= zip(record["premises"], record["premises-FOL"], strict=True)
    told = {}
    for name, reader in made.items():
        found = [(read, pairs[read.text]) for read in reader.read(list(pairs)) if not read.fault]
        agree = [agrees(read.statements, logic) for read, logic in found]
        told[name] = {"read": len(found) / len(pairs), "agree": float(np.mean(agree)) if agree else 0.0}
        row = f"read {told[name]['read']:.3f}  of these agree {told[name]['agree']:.3f}"
        print(f"  {name:22} {row}  ({len(pairs)} sentences)")
    return told


def agrees(said: Sequence[CandidateTriple | CandidateRule], logic: str) -> bool:
    """Whether what was read has the quantifier, the arrow and the denials of a formula, and that has nothing else."""
    patterns = [p for s in said for p in ((*s.body, s.head) if isinstance(s, CandidateRule) else (s,))]
    rule = any(isinstance(statement, CandidateRule) for statement in said)
    general = any(term.startswith("?") for pattern in patterns for term in (pattern.head, pattern.tail))
    denials = sum(not pattern.positive for pattern in patterns)
    shape = (general, rule, denials) == ("∀" in logic, "→" in logic, logic.count("¬"))
    return shape and not any(sign in logic for sign in _HARD)


def halves(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Examples in two halves without a common passage."""
    passages = list(dict.fromkeys(example.passage for example in examples))
    first = set(passages[::2])
    return [e for e in examples if e.passage in first], [e for e in examples if e.passage not in first]


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--parts", default="proofwriter,pararule,folio")
    parser.add_argument("--controls", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test", type=Path, action="append", default=[])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    parts, told = options.parts.split(","), dict[str, dict[str, Figures]]()
    read: dict[str, Callable[[Path], list[Example]]] = {".json": proofwriter.read, ".jsonl": pararule.read}

    def tests(suffix: str) -> dict[str, list[Example]]:
        return {path.name: read[suffix](path) for path in options.test if path.suffix == suffix}

    made: dict[str, SentenceReader] = {"patterns": PatternReader(load_patterns(PATTERNS))}
    if "proofwriter" in parts:
        print("ProofWriter, open world")
        folder = options.data / "proofwriter"
        asked_for = {"dev": proofwriter.read(folder / "dev.json"), **tests(".json")}
        train = proofwriter.read(folder / "train.json")
        found, made = task(train, asked_for, "open", options.seed, options.controls)
        told |= {f"ProofWriter {name}": value for name, value in found.items()}
    if "pararule" in parts:
        print("PARARULE-Plus, closed world")
        folder = options.data / "pararule-plus"
        train, held = halves(pararule.read(folder / "D2_dev.jsonl"))
        asked_for = {"D2, held out": held, "D3": pararule.read(folder / "D3_dev.jsonl"), **tests(".jsonl")}
        found, _ = task(train, asked_for, "closed", options.seed, options.controls)
        told |= {f"PARARULE {name}": value for name, value in found.items()}
    if "folio" in parts:
        print("FOLIO, sentences")
        told["FOLIO"] = folio(options.data / "folio" / "folio-train.jsonl", made)
    if options.json:
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
