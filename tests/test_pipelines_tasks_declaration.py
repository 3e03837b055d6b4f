"""What a task file may say, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from kg.errors import ConfigError, MissingFileError, SyntaxInputError
from pipelines.tasks.declaration import load_task
from tests.toy_task import TASK, make_task

TASKS = sorted((Path(__file__).parents[1] / "data" / "tasks").glob("*.toml"))


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_the_tasks_that_come_along_can_be_read(path: Path) -> None:
    task = load_task(path)
    assert (task.name, task.file) == (path.stem, str(path))
    assert task.files["dev"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds = 2", "seds = 2", r"task\.toml: .*got 'seds'.*nearest known: seeds"),
        ("seeds = 2", "seeds = 0", r"task\.toml: Expected 'seeds' to be at least 1 \(got 0\)"),
        ("seeds = 2", 'seeds = "2"', r"task\.toml: Expected a whole number for 'seeds'"),
        ("seeds = 2", "folds = 3", r"task\.toml: Expected either a file for 'train'"),
        ("seeds = 2", "risk = 1", r"task\.toml: Expected 'risk' to be in \(0, 1\)"),
        ('head = "true/false"', 'head = "yes"', r"task\.toml: Expected 'head' to be one of true/false"),
        ('head = "true/false"', "", r"task\.toml: Expected head in a task"),
        ('dev = "dev.txt"', 'dve = "dev.txt"', r"task\.toml: .*split in \[files\] \(got 'dve'\).*nearest known: dev"),
        ('dev = "dev.txt"', "", r"task\.toml: Expected a file for 'dev'"),
        ('dev = "dev.txt"', "dev = 3", r"task\.toml: Expected a text for 'dev'"),
    ],
)
def test_a_wrong_declaration_is_named_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str
) -> None:
    place = make_task(tmp_path, monkeypatch, TASK.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load_task(place)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("toy_numbers", "toy_nombers", r"task\.toml: .*adapters \(got 'toy_nombers'\).*nearest known: toy_numbers"),
        ("seeds = 2", "[reading]\nshft = 1", r"\[reading\] \(got 'shft'\).*nearest known: shift"),
        ("seeds = 2", '[columns]\nshift = 1"', "Expected TOML"),
        ('"true/false"', '"three-way"', r"dev\.txt: Expected an answer and 3 choices .*\(got 1 and 2 in example '0'\)"),
        ("dev.txt", "gone.txt", r"gone\.txt, which .*task\.toml names"),
    ],
)
def test_what_does_not_fit_the_examples_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str
) -> None:
    text = TASK.replace(old, "") + new + "\n" if new.startswith("[") else TASK.replace(old, new)
    place = make_task(tmp_path, monkeypatch, text)
    with pytest.raises((ConfigError, SyntaxInputError, MissingFileError), match=message):
        load_task(place).examples("dev", tmp_path)


def test_settings_reach_the_adapter_and_resources_the_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = TASK + '[resources]\ngraph = "graph"\n[reading]\nshift = 2\n[settings]\ndim = 3\n'
    task = load_task(make_task(tmp_path, monkeypatch, text))
    (tmp_path / "graph").mkdir()
    assert task.settings_in(tmp_path) == {"dim": 3, "graph": tmp_path / "graph"}
    assert [example.id for example in task.examples("train", tmp_path)] == ["2", "3", "4", "5"]
    assert [example.id for example in task.examples("dev", tmp_path, given=[tmp_path / "train.txt"])] == list("2345")
