"""Run folders: whole or not there, and taken up again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kg.errors import StoreError
from pipelines.run import Run, key_of, write_atomically


def write_answer(folder: Path) -> None:
    (folder / "answer.txt").write_text("42")


def read_answer(folder: Path) -> str:
    return (folder / "answer.txt").read_text()


def fail(folder: Path) -> None:
    (folder / "half.txt").write_text("half")
    raise RuntimeError("interrupted")


def test_a_stage_with_the_same_key_is_taken_up_by_the_next_run(tmp_path: Path) -> None:
    assert Run(tmp_path / "run", {}).stage("thinking", "k1", write_answer, read_answer) == "42"
    second = Run(tmp_path / "run", {})
    assert second.stage("thinking", "k1", fail, read_answer) == "42"
    assert second.reused == ["thinking"]


def test_a_stage_with_another_key_is_made_again(tmp_path: Path) -> None:
    Run(tmp_path / "run", {}).stage("thinking", "k1", write_answer, read_answer)
    with pytest.raises(RuntimeError, match="interrupted"):
        Run(tmp_path / "run", {}).stage("thinking", "k2", fail, read_answer)


def test_a_failing_stage_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", {})
    run.stage("thinking", "k1", write_answer, read_answer)
    with pytest.raises(RuntimeError, match="interrupted"):
        run.stage("thinking", "k2", fail, read_answer)
    assert sorted(p.name for p in (tmp_path / "run").rglob("*")) == ["answer.txt", "run.json", "thinking"]


def test_a_stage_that_cannot_be_read_back_is_made_again(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", {})
    run.stage("thinking", "k1", write_answer, read_answer)

    def refuse_once(folder: Path) -> str:
        if (folder / "answer.txt").read_text() != "42":
            raise StoreError("a byte is flipped")
        return "42"

    (tmp_path / "run" / "thinking" / "answer.txt").write_text("43")
    again = Run(tmp_path / "run", {})
    assert again.stage("thinking", "k1", write_answer, refuse_once) == "42"
    assert again.reused == []


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"no run\.json"):
        Run(tmp_path, {})


@pytest.mark.parametrize("content", ["{", "[]", '{"stages": {}}'])
def test_a_damaged_record_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(StoreError, match=r"run\.json"):
        Run(tmp_path, {})


def test_the_record_keeps_configuration_versions_and_figures(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", {"seed": 3})
    run.note(mrr=0.5)
    run.save()
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["config"], record["metrics"]) == ({"seed": 3}, {"mrr": 0.5})
    assert "torch" in record["versions"]


def test_keys_differ_where_any_part_differs() -> None:
    assert key_of("a", {"x": 1}) == key_of("a", {"x": 1})
    assert len({key_of("a", 1), key_of("a", 2), key_of("b", 1), key_of("a", {"x": 1})}) == 4


def test_an_atomic_write_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    write_atomically(target, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(target, "\ud800")
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]
    assert target.read_text() == "old"
