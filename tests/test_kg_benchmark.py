"""Link prediction benchmarks: folders by name and by number, with texts and schema, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from rdflib import OWL, RDF, RDFS, Literal, URIRef

from kg.benchmark import BASE, load_benchmark
from kg.errors import InputError, MissingFileError, SyntaxInputError

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def folder(path: Path, **files: str) -> Path:
    for name, text in files.items():
        target = path / name.replace("__", "/").replace("_dot_", ".")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return path


def names(benchmark: object, rows: object) -> list[tuple[str, ...]]:
    return [tuple(benchmark.name_of(int(id)) for id in row) for row in rows]  # type: ignore[attr-defined]  # both kinds


def test_triples_by_name_with_a_split_negatives_and_texts(tmp_path: Path) -> None:
    home = folder(
        tmp_path,
        train_dot_txt="a b\tr/s\tb\nb\tr/s\tc\nb\tr/s\tc\n",
        dev_dot_tsv="c\tr/s\tnew\n",
        valid_negatives_dot_txt="c\tr/s\ta b\n",
        text__entity2text_dot_txt="a b\tAnn, a person, tall\nb\tBob\nnobody\tNobody\n",
    )
    found = load_benchmark(home)
    assert names(found, found.train) == [("a b", "r/s", "b"), ("b", "r/s", "c")]
    assert names(found, found.valid) == [("c", "r/s", "new")]
    assert names(found, found.valid_negatives) == [("c", "r/s", "a b")]
    assert len(found.test) == 0
    a = URIRef(BASE + "a%20b")
    assert {(t.predicate, t.object) for t in found.graph.triples(a, None, None)} == {
        (URIRef(BASE + "r/s"), URIRef(BASE + "b")),
        (RDFS.label, Literal("Ann")),
        (RDFS.comment, Literal("a person, tall")),
    }
    assert len(found.graph.asserted) == 2 + 3
    assert found.graph.entity_triples().tolist() == found.train.tolist()


def test_triples_by_number_in_both_orders_with_a_schema(tmp_path: Path) -> None:
    files = {
        "ent2id_dot_tsv": "http://e/a\t0\nhttp://e/b\t1\n",
        "rel2id_dot_tsv": "http://e/r\t0\n",
        "class2id_dot_tsv": "http://e/C\t7\nhttp://e/D\t8\n",
        "ent2classes_dot_tsv": "0\t7\n",
        "subclassof2id_dot_tsv": "7\t8\n",
        "rel2dom_dot_tsv": "0\t7\n",
        "rel2range_dot_tsv": "0\t8\n",
    }
    found = load_benchmark(folder(tmp_path / "one", train2id_dot_txt="0\t0\t1\n", **files))
    assert names(found, found.train) == [("http://e/a", "http://e/r", "http://e/b")]
    a, r, c, d = (URIRef(f"http://e/{name}") for name in "arCD")
    told = {(t.subject, t.predicate, t.object) for t in found.graph.triples()}
    assert told - {(a, r, URIRef("http://e/b"))} == {
        (a, RDF.type, c),
        (c, RDFS.subClassOf, d),
        (r, RDFS.domain, c),
        (r, RDFS.range, d),
        (c, RDF.type, OWL.Class),
        (d, RDF.type, OWL.Class),
    }
    openke = folder(tmp_path / "two", train2id_dot_txt="1\n0 1 0\n", **files)  # count, then head, tail, relation
    assert names(load_benchmark(openke), load_benchmark(openke).train) == names(found, found.train)


def test_a_test_file_may_be_given(tmp_path: Path) -> None:
    home = folder(tmp_path, train_dot_txt="a\tr\tb\n", test_dot_txt="b\tr\ta\n", other_dot_txt="a\tr\ta\n")
    found = load_benchmark(home, test=tmp_path / "other.txt")
    assert names(found, found.test) == [("a", "r", "a")]
    with pytest.raises(MissingFileError, match=r"Expected a file of test triples"):
        load_benchmark(home, test=tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"train_dot_txt": "a\tr\tb\na\tr\n"}, r"train\.txt:2: Expected head, relation and tail"),
        ({"train_dot_txt": "a\tr\tb\na\t\tb\n"}, r"train\.txt:2: Expected head"),
        ({"train_dot_txt": ""}, r"train\.txt: Expected triples to train on"),
        (
            {"train2id_dot_txt": "0\t9\t0\n", "ent2id_dot_tsv": "a\t0\n", "rel2id_dot_tsv": "r\t0\n"},
            r"train2id\.txt:1: Expected the number of a known relation \(got '9'\)",
        ),
        (
            {"train2id_dot_txt": "0\t0\t0\n", "ent2id_dot_tsv": "a\t0\nb\t0\n", "rel2id_dot_tsv": "r\t0\n"},
            r"ent2id\.tsv:2: Expected a name and a number of its own",
        ),
        ({"train_dot_txt": "a\tr\tb\n", "types_en_dot_json": "{"}, r"types_en\.json:1: Expected JSON"),
    ],
)
def test_what_cannot_be_read_names_file_and_line(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_benchmark(folder(tmp_path, **files))


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes(b"a\tr\tb\n\xff\tr\tb\n")
    with pytest.raises(SyntaxInputError, match=r"train\.txt:2: Expected UTF-8"):
        load_benchmark(tmp_path)


@pytest.mark.parametrize(
    ("name", "train", "valid"),
    [("wn18rr", 86_835, 3_034), ("codex/triples/codex-s", 32_888, 1_827), ("yago4-18k-schema", 27_447, 485)],
)
def test_public_benchmarks_load(name: str, train: int, valid: int) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"no {name} under {DATA}")
    found = load_benchmark(DATA / name)
    assert (len(found.train), len(found.valid)) == (train, valid)
    assert len(distinct(found.train)) == train
    assert sum(found.graph.label(found.graph.dictionary.term(int(h))) != "" for h, _, _ in found.train[:50]) == 50


def distinct(rows: object) -> set[tuple[int, ...]]:
    return {tuple(row) for row in rows.tolist()}  # type: ignore[attr-defined]  # an array
