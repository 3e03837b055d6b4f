"""Multiple choice files, FOLIO, FactKG and tables of one's own, each on lines as its authors write them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from kg.errors import ConfigError, EmptyGraphError, InputError, NotSupportedError, SyntaxInputError
from pipelines.tasks.adapters import factkg, folio, statement_files, tsv
from pipelines.tasks.example import Example

STEM = "If a lantern is not for sale, where is it likely to be?"
CHOICES = [{"label": "A", "text": "antique shop"}, {"label": "B", "text": "house"}]
COMMONSENSE: dict[str, Any] = {"answerKey": "B", "id": "d3b4", "question": {"stem": STEM, "choices": CHOICES}}
STATEMENTS = [
    {"label": False, "statement": "If a lantern is not for sale, it is likely to be antique shop."},
    {"label": True, "statement": "If a lantern is not for sale, it is likely to be house."},
]
HUB = {"id": "d3b4", "question": STEM, "choices": {"label": ["A", "B"], "text": ["antique shop", "house"]}}
MEDICINE = {
    "question": "Which is the best next step?",
    "answer": "Rest",
    "options": {"A": "Surgery", "B": "Rest", "C": "Nothing"},
    "meta_info": "step1",
    "answer_idx": "B",
}
CONCLUSION = {
    "story_id": 8,
    "example_id": 21,
    "conclusion": "A Czech person wrote a book in 1946.",
    "premises": ["Miroslav Venhoda was Czech. ", "He published a book in 1946."],
    "premises-FOL": ["Czech(miroslav)", "Book(b) ∧ Publish(b, year1946)"],
    "label": "True",
    "source": "wiki",
}
CLAIM = "Adam McQuaid weighed 94.8024 kilograms and is from Pleasant Springs, Wisconsin."
TOLD = {
    "Label": [False],
    "Entity_set": ["Adam_McQuaid", '"94802.4"', "Pleasant_Springs,_Wisconsin"],
    "Evidence": {"Adam_McQuaid": [["weight"], ["placeOfBirth"]], '"94802.4"': [["~weight"]]},
    "types": ["coll:model", "num2", "substitution", "multi claim"],
}


def lines(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


# Statement files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [COMMONSENSE, COMMONSENSE | {"statements": STATEMENTS}, HUB | {"answerKey": "B"}],
    ids=["plain", "with statements", "hub"],
)
def test_every_form_of_a_question_gives_the_same_example(tmp_path: Path, record: dict[str, Any]) -> None:
    found = statement_files.read(lines(tmp_path / "dev.jsonl", record))
    assert found == [Example("d3b4", "", STEM, ("antique shop", "house"), ("house",))]


def test_statements_facts_and_concepts_are_supervision(tmp_path: Path) -> None:
    told = COMMONSENSE | {"statements": STATEMENTS, "fact1": "lanterns give light", "question_concept": "lantern"}
    (found,) = statement_files.read(lines(tmp_path / "dev.jsonl", told))
    assert found.supervision == {
        "statements": tuple(one["statement"] for one in STATEMENTS),
        "fact": "lanterns give light",
        "concept": "lantern",
    }


def test_medical_questions_are_read_by_their_options(tmp_path: Path) -> None:
    assert statement_files.read(lines(tmp_path / "train.jsonl", MEDICINE)) == [
        Example("train:1", "", "Which is the best next step?", ("Surgery", "Rest", "Nothing"), ("Rest",))
    ]


def test_a_test_question_has_no_answer(tmp_path: Path) -> None:
    unknown = {key: value for key, value in COMMONSENSE.items() if key != "answerKey"}
    found = statement_files.read(lines(tmp_path / "test.jsonl", unknown, HUB | {"answerKey": ""}))
    assert [example.answers for example in found] == [(), ()]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (COMMONSENSE | {"answerKey": "E"}, "'answerKey' among A, B"),
        (COMMONSENSE | {"question": {"stem": STEM, "choices": CHOICES[:1]}}, "two choices at least"),
        (COMMONSENSE | {"question": {"stem": STEM, "choices": [CHOICES[0]] * 2}}, "a label of its own"),
        (COMMONSENSE | {"question": {"choices": CHOICES}}, "the key 'stem'"),
        (COMMONSENSE | {"statements": STATEMENTS[:1]}, "a statement for each choice"),
        (COMMONSENSE | {"statements": STATEMENTS[::-1]}, "true for the answer alone"),
        (HUB | {"choices": ["house"]}, "the key 'choices' with a value of type dict"),
        ([COMMONSENSE], "one JSON object a line"),
    ],
)
def test_a_question_of_another_form_is_refused_with_its_place(tmp_path: Path, record: Any, expected: str) -> None:
    with pytest.raises(SyntaxInputError, match=rf"dev\.jsonl:2: .*{expected}"):
        statement_files.read(lines(tmp_path / "dev.jsonl", COMMONSENSE, record))


def test_what_is_no_json_and_what_is_empty_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "dev.jsonl"
    path.write_text('{"id": \n', encoding="utf-8")
    with pytest.raises(SyntaxInputError, match=r"dev\.jsonl:1: Expected JSON"):
        statement_files.read(path)
    path.write_bytes(b'{"id": "\xff"}\n')
    with pytest.raises(SyntaxInputError, match=r"dev\.jsonl:1: Expected UTF-8"):
        statement_files.read(path)
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(SyntaxInputError, match=r"nested too deeply"):
        statement_files.read(path)
    with pytest.raises(EmptyGraphError, match="got none"):
        statement_files.read(lines(path))


# FOLIO --------------------------------------------------------------------------------------------------------------


def test_a_conclusion_has_its_premises_as_passage_and_their_formulas_as_supervision(tmp_path: Path) -> None:
    (found,) = folio.read(lines(tmp_path / "folio.jsonl", CONCLUSION))
    assert found == Example(
        id="8:21",
        passage="Miroslav Venhoda was Czech. He published a book in 1946.",
        question="A Czech person wrote a book in 1946.",
        choices=("True", "False", "Unknown"),
        answers=("True",),
        group="wiki",
    )
    assert found.supervision == {"premises": ("Czech(miroslav)", "Book(b) ∧ Publish(b, year1946)")}


def test_the_later_release_with_lines_for_lists_reads_alike(tmp_path: Path) -> None:
    later = CONCLUSION | {
        "premises": "Miroslav Venhoda was Czech.\nHe published a book in 1946.",
        "premises-FOL": "Czech(miroslav)\nBook(b) ∧ Publish(b, year1946)",
        "conclusion-FOL": "∃x Czech(x)",
        "label": "Uncertain",
    }
    one, other = folio.read(lines(tmp_path / "folio.jsonl", CONCLUSION, later))
    assert (other.passage, other.answers) == (one.passage, ("Unknown",))
    assert other.supervision == {**one.supervision, "conclusion": "∃x Czech(x)"}


def test_a_label_that_is_none_of_three_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SyntaxInputError, match=r"folio\.jsonl:1: .*True, False, Unknown \(got 'Maybe'\)"):
        folio.read(lines(tmp_path / "folio.jsonl", CONCLUSION | {"label": "Maybe"}))
    with pytest.raises(SyntaxInputError, match=r"'premises' with a list of texts"):
        folio.read(lines(tmp_path / "folio.jsonl", CONCLUSION | {"premises": []}))


def test_the_public_file_is_read_whole(shared: Path) -> None:
    found = folio.read(shared / "data" / "folio" / "folio-train.jsonl")
    counts = {label: sum(example.answers == (label,) for example in found) for label in folio.CHOICES}
    assert counts == {"True": 388, "False": 286, "Unknown": 330}
    assert {example.group for example in found} == {"hyb", "wiki"}


# FactKG -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["object", "indented", "lines"])
def test_claims_read_alike_from_one_object_and_from_lines(tmp_path: Path, form: str) -> None:
    path = tmp_path / ("dev.jsonl" if form == "lines" else "dev.json")
    if form == "lines":
        lines(path, {"claim": CLAIM, **TOLD})
    else:
        path.write_text(json.dumps({CLAIM: TOLD}, indent=2 if form == "indented" else None), encoding="utf-8")
    (found,) = factkg.read(path)
    assert found == Example(CLAIM, "", CLAIM, ("true", "false"), ("false",), group="multi claim")
    assert found.supervision == {
        "entities": ("Adam_McQuaid", '"94802.4"', "Pleasant_Springs,_Wisconsin"),
        "evidence": TOLD["Evidence"],
        "types": ("coll:model", "num2", "substitution", "multi claim"),
    }


def test_claims_of_a_test_file_have_no_evidence(tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    path.write_text(json.dumps({CLAIM: {"Label": [True], "Entity_set": [], "types": ["negation", "num1"]}}))
    (found,) = factkg.read(path)
    assert (found.answers, found.group, "evidence" in found.supervision) == (("true",), "negation", False)


@pytest.mark.parametrize("name", ["factkg_dev.pickle", "renamed.json"])
def test_a_pickle_is_refused_unread_with_the_way_out(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(pickle.dumps({CLAIM: TOLD}))
    with pytest.raises(NotSupportedError, match=r"got the pickle .* json\.dump\(pickle\.load"):
        factkg.read(path)


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        ([CLAIM], "an object of claims"),
        ({CLAIM: [True]}, "an object of claims"),
        ({CLAIM: TOLD | {"Label": "yes"}}, "'Label' with true or false"),
        ({CLAIM: {"Label": [True]}}, "'Entity_set'"),
    ],
)
def test_claims_of_another_form_are_refused(tmp_path: Path, whole: Any, expected: str) -> None:
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(SyntaxInputError, match=expected):
        factkg.read(path)


# Tables -------------------------------------------------------------------------------------------------------------


def table(path: Path, *rows: str) -> Path:
    path.write_text("".join(row.replace(",", "\t") + "\n" for row in rows), encoding="utf-8")
    return path


def test_every_column_goes_where_the_settings_say(tmp_path: Path) -> None:
    path = table(tmp_path / "own.tsv", "n,story,asks,may be,is,h,r,t,hops", "7,It rained.,Wet?,yes|no,yes,a,r,b,2")
    settings = {"text": "story", "question": "asks", "choices": "may be", "answer": "is", "group": "hops", "id": "n"}
    settings |= {"head": "h", "relation": "r", "tail": "t"}
    assert tsv.read(path, **settings) == [
        Example("7", "It rained.", "Wet?", ("yes", "no"), ("yes",), triple=("a", "r", "b"), group="2")
    ]


def test_labels_are_the_choices_of_every_row_and_entity_answers_may_be_several(tmp_path: Path) -> None:
    path = table(tmp_path / "own.tsv", "claim,answer", "It rains,true", "It snows,false")
    assert [(e.id, e.choices, e.answers) for e in tsv.read(path, question="claim", labels=["true", "false"])] == [
        ("own:2", ("true", "false"), ("true",)),
        ("own:3", ("true", "false"), ("false",)),
    ]
    path = table(path, "claim,answer", "Who?,Ann; Bo")
    assert tsv.read(path, question="claim", separator=";")[0].answers == ("Ann", "Bo")


@pytest.mark.parametrize(
    ("rows", "settings", "expected"),
    [
        (["q,answer", "a"], {"question": "q"}, r"own\.tsv:2: .*2 columns as in the header \(got 1"),
        (["q,answer", "a,"], {"question": "q"}, r"own\.tsv:2: .*an answer"),
        (["q,answer", "a,maybe"], {"question": "q", "labels": ("yes", "no")}, r"own\.tsv:2: .*yes, no"),
        (["quest,answer", "a,b"], {"question": "question"}, r"the nearest: quest"),
        (["q,answer", "a,b"], {}, "text, question or a triple"),
        (["q,answer", "a,b"], {"question": "q", "head": "q"}, "all of head, relation and tail"),
        (["q,c,answer", "a,b,b"], {"question": "q", "choices": "c", "labels": ("b",)}, "either a column of choices"),
        (["q,answer"], {"question": "q"}, "no row"),
    ],
)
def test_tables_and_settings_that_do_not_fit_are_refused(
    tmp_path: Path, rows: list[str], settings: dict[str, Any], expected: str
) -> None:
    with pytest.raises((InputError, ConfigError), match=expected):
        tsv.read(table(tmp_path / "own.tsv", *rows), **settings)
