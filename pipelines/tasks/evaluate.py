"""`evaluate`: a task's method beside its controls, over several seeds, on examples that nothing was fitted to.

A figure here is of the answer that is first, whether or not the method would abstain; what abstaining does is told by
the risk-coverage curve and by the share of routes. Each control is compared with the full method example by example.
"""

from __future__ import annotations

import inspect
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from embeddings.calibrate import brier, ece
from embeddings.classification import RiskCoverage, risk_coverage
from engine.fusion.evaluate import paired_difference
from kg.errors import InputError, NotSupportedError
from pipelines.benchmark import spread
from pipelines.run import write_atomically
from pipelines.tasks.declaration import Metric, Task
from pipelines.tasks.example import Example
from pipelines.tasks.method import CONTROLS, Answer, Control, Method, Route
from pipelines.tasks.routes import Abstention, verified

__all__ = ["evaluate", "is_right"]

log = logging.getLogger(__name__)
Tick = Callable[[str, int, int], None]
Bools = NDArray[np.bool_]
_CURVE = 50  # points of the risk-coverage curve that are kept
_SPLIT_SEED = 0  # of folds and of what is kept to calibrate by: the same for every seed, so that figures pair


def is_right(answer: Answer, example: Example, metric: Metric) -> bool:
    """Whether an answer counts: its first choice is a right one, or for `exact` its choices are the right ones."""
    if metric == "exact":
        return set(answer.choices) == set(example.answers)
    return bool(answer.choices) and answer.choices[0] in example.answers


def evaluate(
    task: Task,
    data: Path,
    *,
    controls: Sequence[Control] = CONTROLS,
    seeds: Sequence[int] | None = None,
    test: Sequence[Path] = (),
    out: Path | None = None,
    tick: Tick | None = None,
) -> dict[str, Any]:
    """The figures of a task's method and of its controls, as JSON values (see `pipelines.tasks.table`).

    Args:
        data: the folder that the task's paths are in.
        controls: which to run; the full method is run in any case.
        seeds: the seeds to run; None takes as many as the task says, from 0 on.
        test: test files, measured on in place of development examples.
        out: where the figures and the model folders go, each with its threshold; a method that has an argument
            `folder` keeps there what it learns. Nothing is kept by default.

    Raises:
        InputError: there is nothing to measure on. What reading and fitting raise.
    """
    plan = _Plan.of(task, data, test)
    given = tuple(range(task.seeds)) if seeds is None else tuple(seeds)
    chosen = [control for control in CONTROLS if control == "full" or control in controls]
    told: dict[Control, list[_Told]] = {control: [] for control in chosen}
    lacking: dict[Control, str] = {}
    for seed in given:  # all controls of a seed together: a method may share what it learns for them
        for control in chosen:
            if control not in lacking:
                try:
                    told[control].append(_told(task, plan, data, control, seed, out, tick))
                except NotSupportedError as error:
                    if control == "full":
                        raise
                    lacking[control] = str(error)
    rows = [
        {"control": control, "not supported": lacking[control]}
        if control in lacking
        else _row(control, told, plan.measured, task)
        for control in chosen
    ]
    report = {
        **{key: getattr(task, key) for key in ("name", "title", "method", "head", "metric", "risk", "folds")},
        "measured on": plan.named,
        "examples": len(plan.measured),
        "seeds": list(given),
        "rows": rows,
    }
    if out is not None:
        write_atomically(out / "evaluation.json", json.dumps(report, indent=1) + "\n")
    return report


class _Round(NamedTuple):
    """One fitting: what to learn from, what to calibrate by, and which of the measured examples to answer."""

    train: Sequence[Example]
    dev: Sequence[Example]
    asked: NDArray[np.int64]


@dataclass(frozen=True)
class _Plan:
    """What is fitted to what and measured on what.

    Args:
        measured: the examples that figures are of. named: what they are called.
        rounds: together they ask every measured example once.
        held: what an abstention is chosen by; with several rounds, that is the measured examples of the other rounds.
        choosing: rounds that ask all of `held`; none where the one round's method does.
    """

    measured: Sequence[Example]
    named: str
    rounds: Sequence[_Round]
    held: Sequence[Example] = ()
    choosing: Sequence[_Round] = ()

    @classmethod
    def of(cls, task: Task, data: Path, test: Sequence[Path]) -> _Plan:
        """The plan of a task.

        Raises:
            InputError: too few examples.
        """
        dev = task.examples("dev", data)
        final = task.examples("test", data, given=test) if test or "test" in task.files else []
        if task.folds:
            return cls._folded(task, dev, final)
        train = task.examples("train", data)
        if final:
            return cls(final, "test", [_Round(train, dev, np.arange(len(final)))], dev)
        kept, asked = _parted(len(dev), task.calibration)
        measured = [dev[at] for at in asked]
        if not measured:
            raise InputError(f"Expected development examples to measure on (got {len(dev)})", file=task.file)
        held = [dev[at] for at in kept]
        return cls(measured, "dev", [_Round(train, held, np.arange(len(measured)))], held)

    @classmethod
    def _folded(cls, task: Task, dev: Sequence[Example], final: Sequence[Example]) -> _Plan:
        if len(dev) < task.folds:
            raise InputError(
                f"Expected at least {task.folds} examples for {task.folds} folds (got {len(dev)})", file=task.file
            )
        part = np.random.default_rng(_SPLIT_SEED).permutation(len(dev)) % task.folds

        def fitted_to(rows: NDArray[np.int64], asked: NDArray[np.int64]) -> _Round:
            kept, train = _parted(len(rows), task.calibration)
            return _Round([dev[at] for at in rows[train]], [dev[at] for at in rows[kept]], asked)

        rounds = [fitted_to(np.flatnonzero(part != fold), np.flatnonzero(part == fold)) for fold in range(task.folds)]
        if not final:
            return cls(dev, "dev, cross-fitted", rounds)
        return cls(final, "test", [fitted_to(np.arange(len(dev)), np.arange(len(final)))], dev, rounds)


class _Told(NamedTuple):
    """What was told with one seed."""

    answers: Sequence[Answer]
    right: Bools
    abstention: Abstention
    verified: Sequence[bool | None]
    seconds: float
    """Of processor time."""


def _told(
    task: Task, plan: _Plan, data: Path, control: Control, seed: int, out: Path | None, tick: Tick | None
) -> _Told:
    """Fit and answer, choose what to abstain from, and check every proof."""
    began = time.process_time()
    folder = None if out is None else out / f"seed-{seed}"
    asking = _Asking(task, data, control, seed, folder, tick)
    methods, answers = asking.answers(plan.rounds, plan.measured)
    right = _right(answers, plan.measured, task)
    if len(plan.rounds) > 1:
        abstention = Abstention.choose(answers, right, risk=task.risk)
        shown = _abstained(plan.rounds, answers, right, task)
    else:
        held: Sequence[Answer] = []
        if plan.held:
            held = asking.answers(plan.choosing, plan.held)[1] if plan.choosing else methods[0].answer(plan.held)
        abstention = Abstention.choose(held, _right(held, plan.held, task), risk=task.risk)
        shown = abstention.apply(answers)
    if folder is not None and control == "full":
        abstention.save(folder)
    log.info("%s, %s, seed %d: %s %.3f", task.name, control, seed, task.metric, right.mean())
    checks = [
        verified(example, answer) if answer.route in ("proved", "refuted") else None
        for example, answer in zip(plan.measured, shown, strict=True)
    ]
    return _Told(shown, right, abstention, checks, time.process_time() - began)


def _right(answers: Sequence[Answer], examples: Sequence[Example], task: Task) -> Bools:
    return np.array([is_right(a, e, task.metric) for a, e in zip(answers, examples, strict=True)], dtype=bool)


def _abstained(rounds: Sequence[_Round], answers: Sequence[Answer], right: Bools, task: Task) -> list[Answer]:
    """Each round's answers with the threshold that the answers of the others give, as they are of other examples."""
    shown = list(answers)
    for one in rounds:
        others = np.setdiff1d(np.arange(len(answers)), one.asked)
        chosen = Abstention.choose([answers[at] for at in others], right[others], risk=task.risk)
        for at, answer in zip(one.asked, chosen.apply([answers[at] for at in one.asked]), strict=True):
            shown[at] = answer
    return shown


class _Asking:
    """Fits one method of a task with one seed, and asks it."""

    def __init__(
        self, task: Task, data: Path, control: Control, seed: int, folder: Path | None, tick: Tick | None
    ) -> None:
        self.fit, self.control, self.seed, self.tick = task.fitter(), control, seed, tick
        self.settings = task.settings_in(data)
        named = "folder" in inspect.signature(self.fit).parameters
        self.more: dict[str, Any] = {"folder": folder} if named else {}

    def answers(self, rounds: Sequence[_Round], examples: Sequence[Example]) -> tuple[list[Method], list[Answer]]:
        """The method of each round, and one answer an example.

        Raises:
            InputError: a method gives more or fewer answers than it was asked for.
        """
        methods, found = [], dict[int, Answer]()
        for number, one in enumerate(rounds):
            if self.tick is not None:
                self.tick(f"{self.control}, seed {self.seed}", number, len(rounds))
            method = self.fit(
                one.train, one.dev, control=self.control, seed=self.seed, settings=self.settings, **self.more
            )
            told = method.answer([examples[at] for at in one.asked])
            if len(told) != len(one.asked):
                raise InputError(f"Expected {len(one.asked)} answers of the method (got {len(told)})")
            methods.append(method)
            found.update(zip(one.asked.tolist(), told, strict=True))
        return methods, [found[at] for at in range(len(examples))]


def _row(
    control: Control, told: Mapping[Control, Sequence[_Told]], examples: Sequence[Example], task: Task
) -> dict[str, Any]:
    """Figures of a control, and how much less often it is right than the full method."""
    row = {"control": control, **_figures(told[control], examples, task)}
    if control != "full":
        full, this = (np.mean([one.right for one in told[key]], axis=0) for key in ("full", control))
        row["full less this"] = paired_difference(full, this).to_dict()
    return row


def _figures(told: Sequence[_Told], examples: Sequence[Example], task: Task) -> dict[str, Any]:
    """Figures over the seeds; those of probabilities are of the chance that the first answer is right."""
    chance = [np.array([answer.probability for answer in one.answers], dtype=np.float64) for one in told]
    curves = [_curve(p, one.right) for p, one in zip(chance, told, strict=True)]
    groups = sorted({example.group for example in examples} - {""})
    found: dict[str, Any] = {
        "metric": spread([float(one.right.mean()) for one in told]),
        "brier": spread([brier(p, one.right) for p, one in zip(chance, told, strict=True)]),
        "ece": spread([ece(p, one.right) for p, one in zip(chance, told, strict=True)]),
        "at half coverage": spread([curve.accuracy_at(0.5) for curve in curves]),
        "risk-coverage area": spread([curve.area for curve in curves]),
        "threshold": spread([one.abstention.threshold for one in told]),
        "given": _given(told),
        "groups": {},
        "routes": {route: _route(told, route) for route in get_args(Route)},
        "curve": _mean_curve(curves),
        "cpu seconds": spread([one.seconds for one in told]),
    }
    for group in groups:
        here = np.array([example.group == group for example in examples])
        right = spread([float(one.right[here].mean()) for one in told])
        found["groups"][group] = {"count": int(here.sum()), **right}
    return found


def _given(told: Sequence[_Told]) -> dict[str, float | None]:
    """Share of the examples that are answered and not abstained from, and how many of those are right."""
    held = [np.array([answer.route != "abstained" for answer in one.answers]) for one in told]
    right = [float(one.right[here].mean()) for one, here in zip(told, held, strict=True) if here.any()]
    return {"coverage": float(np.mean([h.mean() for h in held])), "right": float(np.mean(right)) if right else None}


def _route(told: Sequence[_Told], route: Route) -> dict[str, float | int | None]:
    """Share of a route, how many of its answers are right, and how its proofs stood up, over all seeds."""
    here = [np.array([answer.route == route for answer in one.answers]) for one in told]
    right = np.concatenate([one.right[rows] for one, rows in zip(told, here, strict=True)])
    checks = [
        check
        for one, rows in zip(told, here, strict=True)
        for check, row in zip(one.verified, rows, strict=True)
        if row
    ]
    found: dict[str, float | int | None] = {
        "share": float(np.mean([rows.mean() for rows in here])),
        "right": float(right.mean()) if len(right) else None,
    }
    if route in ("proved", "refuted"):
        kinds: Mapping[str, bool | None] = {"verified": True, "failed": False, "unchecked": None}
        found |= {name: sum(check is kind for check in checks) for name, kind in kinds.items()}
    return found


def _curve(chance: NDArray[np.float64], right: Bools) -> RiskCoverage:
    """The curve of answers by the chance that they are right.

    `risk_coverage` takes plausibilities that tell true above one half, and their distance from it as how sure they are:
    the chances are put above one half, in their order.
    """
    return risk_coverage((2 + chance) / 3, right)


def _mean_curve(curves: Sequence[RiskCoverage]) -> dict[str, list[float]]:
    points = np.linspace(1 / _CURVE, 1, _CURVE)
    risk = np.mean([[1 - curve.accuracy_at(float(at)) for at in points] for curve in curves], axis=0)
    return {"coverage": points.round(4).tolist(), "risk": risk.round(5).tolist()}


def _parted(count: int, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers below `count`: a share of them at random, and the others; both ascending."""
    order = np.random.default_rng(_SPLIT_SEED).permutation(count)
    kept = round(share * count)
    return np.sort(order[:kept]), np.sort(order[kept:])
