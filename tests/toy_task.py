"""A task small enough to be judged by eye: claims about numbers, with an adapter and methods that are no part of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

__all__ = ["TASK", "make_task"]

TASK = """\
title = "Even numbers"
source = "made here"
adapter = "toy_numbers"
method = "toy_parity"
head = "true/false"
calibration = 0.5
seeds = 2

[files]
train = "train.txt"
dev = "dev.txt"
"""
_ADAPTER = """
from pipelines.tasks.example import Example

def read(path, *, shift=0):
    return [
        Example(str(n), "", str(n), ("true", "false"), (str(n % 2 == 0).lower(),), group="small" if n < 50 else "large")
        for n in (int(line) + shift for line in path.read_text().split())
    ]
"""
_METHOD = '''
from kg.errors import NotSupportedError
from pipelines.tasks.method import Answer

class Parity:
    """Sure and right below 50, unsure and mostly wrong from there on; a control is wrong everywhere."""

    def __init__(self, control):
        self.control = control

    def answer(self, examples):
        return [self._answer(int(e.question)) for e in examples]

    def _answer(self, n):
        told = (n % 2 == 0) == (n < 50 and self.control == "full")
        return Answer(("true" if told else "false",), 0.9 if n < 50 else 0.6)

def fit(train, dev, *, control, seed, settings):
    if control == "no rules":
        raise NotSupportedError("Expected a control with rules to leave out (toy_parity has none)")
    return Parity(control)
'''


def make_task(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str = TASK, *, method: str = _METHOD) -> Path:
    """The path of the task, with its files beside it and its modules where adapters and methods are looked for."""
    for package, name, code in (("adapters", "toy_numbers", _ADAPTER), ("methods", "toy_parity", method)):
        home = folder / package
        home.mkdir(exist_ok=True)
        (home / f"{name}.py").write_text(code, encoding="utf-8")
        found = __import__(f"pipelines.tasks.{package}", fromlist=["__path__"])
        monkeypatch.setattr(found, "__path__", [*found.__path__, str(home)])
        monkeypatch.delitem(sys.modules, f"pipelines.tasks.{package}.{name}", raising=False)
    for split, numbers in (("train", range(4)), ("dev", range(100))):
        (folder / f"{split}.txt").write_text("\n".join(map(str, numbers)), encoding="utf-8")
    (folder / "task.toml").write_text(text, encoding="utf-8")
    return folder / "task.toml"
