"""CLUTRR's files: what is read of a row, and what is said of one that cannot be."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from kg.errors import EmptyGraphError, InputError, MissingFileError
from pipelines.tasks.adapters.clutrr import read
from pipelines.tasks.example import Example

HEAD = "id,story,query,target,proof_state,task_name,story_edges,edge_types,genders\n"
ROW = (
    "7,\"[Ann] has a mother, [Bea].\n[Bea]'s brother is [Cyd].\",\"('Ann', 'Cyd')\",uncle,"
    "\"[{('Ann', 'uncle', 'Cyd'): [('Ann', 'mother', 'Bea'), ('Bea', 'brother', 'Cyd')]}]\",task_1.2,"
    '"[(0, 1), (1, 2)]","[\'mother\', \'brother\']","Ann:female,Bea:female,Cyd:male"\n'
)


def test_a_row_is_read_whole(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_text(HEAD + ROW, encoding="utf-8")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    expected = Example(
        id="7",
        passage="[Ann] has a mother, [Bea].\n[Bea]'s brother is [Cyd].",
        question="Ann, Cyd",
        choices=("brother", "mother", "uncle"),
        answers=("uncle",),
        group="2",
    )
    assert read(plain) == [expected] == read(packed)
    facts = (("Ann", "mother", "Bea"), ("Bea", "brother", "Cyd"))
    assert read(plain)[0].supervision == {
        "triples": facts,
        "steps": ((("Ann", "uncle", "Cyd"), facts),),
        "attributes": {"Ann": "female", "Bea": "female", "Cyd": "male"},
    }


def test_a_file_without_supervision_is_read_without_it(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id,story,query,target,task_name\n1,[A] met [B].,\"('A', 'B')\",son,task_1.10\n", encoding="utf-8")
    (example,) = read(file)
    assert (example.group, example.supervision, example.choices) == ("10", {}, ("son",))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("('Ann', 'Cyd')", "Ann and Cyd"),
        ("('Ann', 'Cyd')", "('Ann', 3)"),
        ("task_1.2", "task"),
        (",uncle,", ",,"),
        ("(1, 2)]", "(1, 9)]"),
        ("['mother', 'brother']", "['mother']"),
        ("Ann:female", "Ann"),
        ("('Bea', 'brother', 'Cyd')]}", "('Bea', 'brother')]}"),
        ("[{('Ann'", "__import__('os') [{('Ann'"),
    ],
)
def test_a_wrong_row_is_refused_with_its_place(tmp_path: Path, was: str, becomes: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(HEAD + ROW + ROW.replace(was, becomes), encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.csv:5: Expected a row as CLUTRR writes it"):
        read(file)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    with pytest.raises(MissingFileError):
        read(file)
    for data, error, message in (
        (b"id,story\n", InputError, "got no query, target, task_name"),
        (HEAD.encode(), EmptyGraphError, "a row for each story"),
        (b"\x1f\x8bnothing", InputError, "plain or gzipped"),
        (b"\xff\xfe\xfa", InputError, "UTF-8"),
    ):
        file.write_bytes(data)
        with pytest.raises(error, match=message):
            read(file)


@pytest.mark.parametrize(
    ("name", "hops"), [("train-2-3", {"2": 5096, "3": 4998}), ("train-2-3-4", {"2": 5063, "3": 4996, "4": 5024})]
)
def test_the_public_files_are_read(shared: Path, name: str, hops: dict[str, int]) -> None:
    file = shared / "data" / "clutrr" / name / "train.csv.gz"
    if not file.is_file():
        pytest.skip(f"no file {file} here")
    examples = read(file)
    assert Counter(example.group for example in examples) == hops
    assert len(examples[0].choices) == 20
    asked = {name for example in examples for name in example.question.split(", ")}
    assert asked <= {name for example in examples for name in dict(example.supervision["attributes"])}  # type: ignore[call-overload]  # any object, by the type of supervision
