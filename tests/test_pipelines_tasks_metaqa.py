"""MetaQA's questions and graph, in both forms its graph comes in."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from rdflib import RDFS

from kg.errors import MissingFileError, SyntaxInputError
from kg.graph import KnowledgeGraph
from pipelines.tasks.adapters import metaqa
from pipelines.tasks.example import Example

NUMBERED = {
    "kb_train.tsv": "0\t0\t1\n0\t1\t2\n",
    "kb_dev.tsv": "3\t0\t1\n",
    "kb_entity2text.txt": "0\tKismet\n1\tWilliam Dieterle\n2\tKnoblock, Edward\n3\tThe Hunger\n",
    "kb_relation2text.txt": "0\tdirected by\n1\twritten by\n",
}
WHOLE = {
    "kb.txt": "Kismet|directed_by|William Dieterle\nKismet|written_by|Knoblock, Edward\n"
    "The Hunger|directed_by|William Dieterle\n"
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def labelled(graph: KnowledgeGraph) -> set[tuple[str, str, str]]:
    named = (triple for triple in graph.triples() if triple.predicate != RDFS.label)
    return {(graph.label(s), graph.label(p), graph.label(o)) for s, p, o in named}


@pytest.mark.parametrize("files", [NUMBERED, WHOLE], ids=["numbered", "whole"])
def test_both_forms_of_the_graph_give_the_same_triples(tmp_path: Path, files: dict[str, str]) -> None:
    assert labelled(metaqa.load_graph(write(tmp_path, files))) == {
        ("Kismet", "directed by", "William Dieterle"),
        ("Kismet", "written by", "Knoblock, Edward"),
        ("The Hunger", "directed by", "William Dieterle"),
    }


def test_questions_keep_their_topic_in_brackets_and_take_their_group_from_the_folder(tmp_path: Path) -> None:
    write(tmp_path, {"2-hop/vanilla/qa_dev.txt": "who wrote films by [Ann Lee]\tBo|Cy|Bo\n\nwhat is [X]\tY\n"})
    assert metaqa.read(tmp_path / "2-hop" / "vanilla" / "qa_dev.txt") == [
        Example("qa_dev:1", "", "who wrote films by [Ann Lee]", (), ("Bo", "Cy"), group="2-hop"),
        Example("qa_dev:3", "", "what is [X]", (), ("Y",), group="2-hop"),
    ]


def test_a_number_told_twice_keeps_its_first_text_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    texts = NUMBERED["kb_entity2text.txt"].replace("3\tThe Hunger", "1\tThe Hunger")
    write(tmp_path, NUMBERED | {"kb_entity2text.txt": texts})
    with caplog.at_level(logging.WARNING):
        graph = metaqa.load_graph(tmp_path)
    assert ("3", "directed by", "William Dieterle") in labelled(graph)
    assert [(record.levelname, "kb_entity2text.txt:4" in record.getMessage()) for record in caplog.records] == [
        ("WARNING", True)
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("who wrote [X] Y", "2 columns"),
        ("who wrote X\tY", "one topic in brackets"),
        ("who wrote [X] and [Z]\tY", "one topic in brackets"),
        ("who wrote [X]\t|", "answers"),
    ],
)
def test_a_line_that_is_no_question_is_refused_with_its_place(tmp_path: Path, line: str, expected: str) -> None:
    write(tmp_path, {"dev.txt": f"who is [A]\tB\n{line}\n"})
    with pytest.raises(SyntaxInputError, match=rf"dev\.txt:2: .*{expected}"):
        metaqa.read(tmp_path / "dev.txt")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"kb\.txt"):
        metaqa.load_graph(tmp_path)
    with pytest.raises(MissingFileError, match=r"none\.txt"):
        metaqa.read(tmp_path / "none.txt")
    write(tmp_path, NUMBERED | {"kb_dev.tsv": "3\t9\t1\n"})
    with pytest.raises(SyntaxInputError, match=r"kb_dev\.tsv:1: .*relation"):
        metaqa.load_graph(tmp_path)
