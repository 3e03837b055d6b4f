"""Claims about triples: how they are read, what is counted around them, and the method that weighs it all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import BertConfig, BertModel

from engine.fusion import resolve_encoder
from kg.errors import ConfigError, InputError, MissingFileError
from pipelines.tasks.adapters import codex, corrupted
from pipelines.tasks.example import Example
from pipelines.tasks.method import CONTROLS
from pipelines.tasks.methods import fused_triples
from pipelines.tasks.triple_evidence import edge_counts

TRAIN = [(f"e{i}", f"r{k}", f"e{(i + k) % 12}") for i in range(12) for k in (1, 2, 3) if (i, k) != (0, 1)]
TEXTS = [("e0", "ant, an insect that lives in the ground"), ("e1", "bee"), ("r1", "is near to"), ("r2", "sees")]


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A benchmark of a few triples, with a validation triple and one that is known to be false."""
    home = tmp_path / "graph"
    home.mkdir()
    files = {"train": TRAIN, "valid": [("e0", "r1", "e1")], "valid_negatives": [("e0", "r1", "e5")]}
    for name, rows in files.items():
        (home / f"{name}.txt").write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    texts = {"entity2text.txt": TEXTS[:2], "relation2text.txt": TEXTS[2:]}
    for name, pairs in texts.items():
        (home / name).write_text("".join("\t".join(row) + "\n" for row in pairs), encoding="utf-8")
    return home


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one small layer with the embedded tokenizer."""
    folder, embedded = tmp_path_factory.mktemp("encoder"), resolve_encoder()
    shape: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=embedded.config.vocab_size, **shape)).save_pretrained(folder)
    embedded.tokenizer.save_pretrained(folder)  # type: ignore[attr-defined]  # a tokenizer of transformers
    return folder


def test_codex_reads_true_triples_and_the_checked_false_ones(graph: Path) -> None:
    true, false = codex.read(graph / "valid.txt")
    assert (true.id, true.triple, true.answers, true.choices) == (
        "valid:1",
        ("e0", "r1", "e1"),
        ("true",),
        ("true", "false"),
    )
    assert true.question == "Ant is near to bee."
    assert true.passage == "ant: an insect that lives in the ground."
    assert (false.id, false.triple, false.answers) == ("valid_negatives:1", ("e0", "r1", "e5"), ("false",))
    with pytest.raises(MissingFileError, match=r"got no train_negatives\.txt there"):
        list(codex.read(graph / "train.txt"))


def test_corruptions_are_not_known_and_keep_one_end(graph: Path, tmp_path: Path) -> None:
    given = tmp_path / "given.txt"
    given.write_text("".join("\t".join(row) + "\n" for row in TRAIN[:6]), encoding="utf-8")
    examples = list(corrupted.read(given, graph=graph, seed=1))
    assert examples == list(corrupted.read(given, graph=graph, seed=1))
    false = [example.triple for example in examples if example.answers == ("false",)]
    assert [example.triple for example in examples if example.answers == ("true",)] == TRAIN[:6]
    assert len(false) == 6
    known = {*TRAIN, ("e0", "r1", "e1")}
    ends = {r: ({s for s, p, _ in TRAIN if p == r}, {o for _, p, o in TRAIN if p == r}) for r in ("r1", "r2", "r3")}
    for true, other in zip(TRAIN[:6], false, strict=True):
        assert other is not None
        assert other not in known
        assert sum(a != b for a, b in zip(true, other, strict=True)) == 1
        assert other[0] in ends[other[1]][0]
        assert other[2] in ends[other[1]][1]


def test_edges_are_counted_by_relation_and_direction() -> None:
    known = np.array([[1, 7, 2], [1, 7, 3], [3, 8, 1], [2, 8, 1], [1, 7, 2]])
    found = edge_counts(np.array([[1, 8, 2], [3, 7, 3]]), known)
    once, twice = np.log(2), np.log(3)
    assert found.tolist() == [
        # out by 7, 8; in by 7, 8, of head and then of tail; from head to tail by 7, 8; back by 7, 8
        [twice, 0, 0, twice, 0, once, once, 0, 1, 0, 0, 1],
        [0, once, once, 0, 0, once, once, 0, 0, 0, 0, 0],
    ]


def settings(graph: Path, tiny: Path, **more: object) -> dict[str, object]:
    return {"graph": graph, "models": ["TransE"], "dim": 4, "epochs": 2, "encoder": str(tiny), "trees": 9, **more}


def labelled(graph: Path) -> list[Example]:
    return [*codex.read(graph / "valid.txt"), *corrupted.read(graph / "train.txt", seed=0)]


def test_every_control_answers_and_no_answer_depends_on_its_label(graph: Path, tiny: Path, tmp_path: Path) -> None:
    examples = labelled(graph)
    given = settings(graph, tiny, claims=8, fusion={"fused_layers": 1, "node_dim": 8, "epochs": 1})
    turned = [
        Example(e.id, e.passage, e.question, e.choices, tuple(set(e.choices) - set(e.answers)), triple=e.triple)
        for e in examples
    ]
    told = {}
    for control in CONTROLS:
        method = fused_triples.fit(examples, (), control=control, seed=0, settings=given, folder=tmp_path / "kept")
        answers = method.answer(examples)
        assert {answer.route for answer in answers} == {"predicted"}
        assert all(0.5 <= answer.probability == answer.scores[answer.choices[0]] for answer in answers)
        assert answers == method.answer(turned)
        told[control] = tuple(answer.probability for answer in answers)
    assert len(set(told.values())) == len(CONTROLS)
    assert (tmp_path / "kept" / "embedding-TransE").is_dir()


def test_what_cannot_be_fitted_is_named(graph: Path, tiny: Path) -> None:
    given = settings(graph, tiny)
    with pytest.raises(ConfigError, match=r"got 'epoch'.*nearest known: epochs"):
        fused_triples.fit(labelled(graph), (), control="full", seed=0, settings={**given, "epoch": 1})
    with pytest.raises(ConfigError, match="resource 'graph'"):
        fused_triples.fit(labelled(graph), (), control="full", seed=0, settings={})
    bare = [Example("7", "", "?", ("true", "false"), ("true",))]
    with pytest.raises(InputError, match="got '7' without one"):
        fused_triples.fit(bare, (), control="edge counter", seed=0, settings=given)
