"""Loading: every syntax, every limit, every way to fail."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdflib import Literal, URIRef

from kg import parse_worker
from kg.errors import (
    ConfigError,
    EmptyGraphError,
    InputError,
    NoesisError,
    SyntaxInputError,
)
from kg.feed import Feed, Refusal
from kg.frames import pack_keys, unpack_keys
from kg.load import LoadLimits, load_graph
from kg.worker import Worker

S, P = "https://example.org/s", "https://example.org/p"
RDFXML = f'''<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:ex="https://example.org/">
<rdf:Description rdf:about="{S}"><ex:p xml:lang="EN">é</ex:p></rdf:Description>
</rdf:RDF>
'''
TEXTS = {
    ".ttl": "@prefix ex: <https://example.org/> .\nex:s ex:p 'é'@EN .\n",
    ".nt": f'<{S}> <{P}> "é"@EN .\n',
    ".nq": f'<{S}> <{P}> "é"@EN <https://example.org/g> .\n',
    ".trig": "@prefix ex: <https://example.org/> .\nex:g { ex:s ex:p 'é'@EN }\n",
    ".rdf": RDFXML,
    ".owl": RDFXML,
    ".xml": RDFXML,
    ".jsonld": json.dumps({"@id": S, P: {"@value": "é", "@language": "EN"}}, ensure_ascii=False),
}
TEXTS[".json"] = TEXTS[".jsonld"]
TRIPLE = (URIRef(S), URIRef(P), Literal("é", lang="en"))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def failure(path: Path, **options: object) -> str:
    """The message of the error that loading a file ends with."""
    with pytest.raises(NoesisError) as caught:
        load_graph(path, **options)  # type: ignore[arg-type]  # each test names options that exist
    return f"{type(caught.value).__name__} {caught.value}".replace(str(path.parent) + "/", "")


# What is read ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", TEXTS)
def test_every_syntax_gives_the_triple(tmp_path: Path, suffix: str) -> None:
    assert list(load_graph(write(tmp_path / f"g{suffix}", TEXTS[suffix])).triples()) == [TRIPLE]


@pytest.mark.parametrize("suffix", [".nt", ".rdf", ".jsonld"])
def test_gzip_and_byte_order_marks_are_taken(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"g{suffix}.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + TEXTS[suffix].encode()))
    assert list(load_graph(tmp_path / f"g{suffix}.gz").triples()) == [TRIPLE]


def test_a_format_by_name_wins_over_the_suffix(tmp_path: Path) -> None:
    assert len(load_graph(write(tmp_path / "g.txt", TEXTS[".ttl"]), format="Turtle")) == 1
    assert "the nearest known: turtle" in failure(write(tmp_path / "h.txt", ""), format="tutle")


def test_files_are_merged_and_remembered(tmp_path: Path) -> None:
    names = [str(write(tmp_path / "a.ttl", TEXTS[".ttl"])), str(write(tmp_path / "b.nt", f"<{S}> <{P}> <{S}> .\n"))]
    graph = load_graph(names)
    assert graph.sources == tuple(names)
    assert {str(t.object): graph.source(t) for t in graph.triples()} == {"é": names[0], S: names[1]}


def test_a_triple_in_two_files_is_there_once(tmp_path: Path) -> None:
    names = [str(write(tmp_path / f"{name}.nt", TEXTS[".nt"])) for name in "ab"]
    graph = load_graph(names)
    assert (len(graph), graph.source(TRIPLE)) == (1, names[0])


def test_blank_nodes_are_local_to_a_file_and_the_same_each_time(tmp_path: Path) -> None:
    text = f"_:x <{P}> _:y . _:x <{P}> [] . <{S}> <{P}> _:x ."
    files = [write(tmp_path / "a.ttl", text), write(tmp_path / "b.ttl", text)]
    keys = list(load_graph(files).dictionary)
    assert [key for key in keys if key[0] == "_"] == ["_:f0b0", "_:f0b1", "_:f0b2", "_:f1b0", "_:f1b1", "_:f1b2"]
    assert list(load_graph(files).dictionary) == keys


def test_prefixes_come_from_files_and_arguments(tmp_path: Path) -> None:
    one = write(tmp_path / "a.ttl", "@prefix a: <urn:a:> . @prefix b: <urn:b:> . a:s b:p a:o .")
    two = write(tmp_path / "b.ttl", "@prefix a: <urn:x:> . @prefix c: <urn:c:> . c:s a:p c:o .")
    prefixes = load_graph([one, two], prefixes={"b": "urn:mine:"}).prefixes
    assert {name: prefixes[name] for name in "abc"} == {"a": "urn:a:", "b": "urn:mine:", "c": "urn:c:"}


def test_a_base_resolves_relative_iris(tmp_path: Path) -> None:
    path = write(tmp_path / "g.ttl", "<> <p> <#o> .")
    assert "base" in failure(path)
    (triple,) = load_graph(path, base="https://example.org/doc").triples()
    assert [str(term) for term in triple] == [f"https://example.org/{part}" for part in ("doc", "p", "doc#o")]


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1"])
def test_xml_in_its_declared_encoding(tmp_path: Path, encoding: str) -> None:
    declared = RDFXML.replace('version="1.0"', f'version="1.0" encoding="{encoding}"')
    (tmp_path / "g.rdf").write_bytes(declared.encode(encoding))
    assert list(load_graph(tmp_path / "g.rdf").triples()) == [TRIPLE]


def test_literals_keep_their_lexical_form(tmp_path: Path) -> None:
    xsd = "http://www.w3.org/2001/XMLSchema#"
    forms = [f'"01"^^<{xsd}integer>', f'"1.50"^^<{xsd}decimal>', f'"abc"^^<{xsd}integer>', '"a"', '"a"@en-gb']
    path = write(tmp_path / "g.nt", "".join(f"<{S}> <{P}> {form} .\n" for form in forms))
    assert [key for key in load_graph(path).dictionary if key[0] == '"'] == forms


def test_progress_counts_bytes_up_to_the_end(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.nt", TEXTS[".nt"] * 9), write(tmp_path / "b.ttl", TEXTS[".ttl"])]
    total = sum(file.stat().st_size for file in files)
    calls: list[tuple[int, int]] = []
    load_graph(files, progress=lambda done, all: calls.append((done, all)))
    assert {all for _, all in calls} == {total}
    assert sorted(calls) == calls
    assert calls[-1] == (total, total)


def test_an_error_in_the_progress_callback_comes_through(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_graph(write(tmp_path / "a.nt", TEXTS[".nt"]), progress=stop)


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "g.ttl",
            "<urn:a> <urn:b> 1 .\n zz:c <urn:b> 1 .",
            "g.ttl:2:2: The prefix zz: has not been declared (got zz:c)",
        ),
        ("g.ttl", "<urn:a> <urn:b> 1\n<urn:c> <urn:b> 1 .", "g.ttl:2:1: A dot is expected"),
        ("g.ttl", '<urn:a> <urn:b> "cut', 'g.ttl:1:17: Unexpected end of file (got "cut); the file is cut off'),
        ("g.nt", "<urn:a b> <urn:b> <urn:c> .", "g.nt:1:1: Invalid IRI code point ' ' (got <urn:a b>); percent-encode"),
        ("g.rdf", RDFXML.replace("ex:p", "q:p"), "g.rdf:3:52: Unknown prefix q: (got <q:p xml:lang="),
        ("g.rdf", RDFXML[:-30], "g.rdf:3: Expected </rdf:RDF> at the end"),
        (
            "g.rdf",
            "<html>404</html>",
            "g.rdf:1:1: XML namespaces are required in RDF/XML (got <html>); this is no RDF/XML",
        ),
        (
            "g.rdf",
            RDFXML.replace("é", "\x01"),
            "g.rdf:3:72: Expected no control character in XML (got U+0001); remove it",
        ),
        ("g.jsonld", '{"@id": "urn:a",\n "urn:b": NaN}', "g.jsonld:2:11: Unexpected char: 'N'"),
        ("g.jsonld", '{"@id": "urn:a",\n "@type": {}}', "g.jsonld:2: @type value must be a string"),
    ],
)
def test_a_syntax_error_names_place_text_and_remedy(tmp_path: Path, name: str, text: str, message: str) -> None:
    found = failure(write(tmp_path / name, text))
    assert found.startswith(f"SyntaxInputError {message}")


def test_a_syntax_error_knows_its_place_and_cannot_steer_a_terminal(tmp_path: Path) -> None:
    path = write(tmp_path / "g.ttl", "\n<urn:\x1b[2Ja> <urn:b> 1 .")
    with pytest.raises(SyntaxInputError) as caught:
        load_graph(path)
    assert (caught.value.file, caught.value.line, caught.value.column) == (str(path), 2, 1)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("data", "message"),
    [(b'<urn:a> <urn:b> "\xff" .', "save the file as UTF-8"), ("<urn:a>".encode("utf-16"), "got UTF-16")],
)
def test_text_that_is_no_utf_8(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "g.ttl").write_bytes(data)
    assert message in failure(tmp_path / "g.ttl")


def test_one_bad_file_leaves_nothing(tmp_path: Path) -> None:
    good, bad = write(tmp_path / "a.nt", TEXTS[".nt"]), write(tmp_path / "b.nt", TEXTS[".nt"] + "oops")
    with pytest.raises(SyntaxInputError, match=r"b\.nt:2:1"):
        load_graph([good, bad])


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "drugs.ttl", "")
    assert failure(tmp_path / "drug.ttl").endswith("the nearest there: drugs.ttl")
    assert "no folder" in failure(tmp_path / "no" / "drug.ttl")
    with pytest.raises(FileNotFoundError):
        load_graph(tmp_path / "drug.ttl")


def test_a_graph_without_triples_is_an_error_of_its_own(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.ttl", "# nothing\n")
    with pytest.raises(EmptyGraphError, match=r"empty\.ttl"):
        load_graph(empty)
    assert len(load_graph([empty, write(tmp_path / "g.nt", TEXTS[".nt"])])) == 1


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "f.ttl").mkdir()
    assert "a folder" in failure(tmp_path / "f.ttl")
    assert "Expected a suffix among" in failure(write(tmp_path / "g.csv", ""))
    with pytest.raises(InputError, match="at least one file"):
        load_graph([])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("g.ttl", '\n<urn:a> <urn:b> "x"@en--ltr .', "g.ttl:2:23: RDF 1.2 base directions"),
        (
            "g.jsonld",
            '{"@context":\n "http://127.0.0.1:1/c", "name": 1}',
            "g.jsonld: Remote JSON-LD contexts are never",
        ),
        (
            "g.jsonld",
            '\n{"@context": "c.json", "name": 1}',
            "g.jsonld:2:2: Remote JSON-LD contexts are never fetched (got c",
        ),
        ("g.rdf", f'<!DOCTYPE r [\n<!ENTITY x SYSTEM "file:///etc/passwd">]>{RDFXML}', "g.rdf:2: External"),
    ],
)
def test_what_is_not_supported_is_named_with_its_place(tmp_path: Path, name: str, text: str, message: str) -> None:
    assert failure(write(tmp_path / name, text)).startswith(f"NotSupportedError {message}")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (LoadLimits(triples=100), "at most 100 triples"),
        (LoadLimits(unpacked_bytes=1000), "at most 1000 bytes"),
        (LoadLimits(seconds=0.001), "an end within 0.001 s"),
    ],
)
@pytest.mark.parametrize("name", ["g.nt", "g.ttl"])
def test_a_limit_that_is_passed_is_named(tmp_path: Path, name: str, limits: LoadLimits, message: str) -> None:
    path = write(tmp_path / name, "".join(f"<urn:{i}> <urn:p> <urn:o> .\n" for i in range(40_000)))
    assert message in failure(path, limits=limits)


def test_memory_is_limited(tmp_path: Path) -> None:
    path = write(tmp_path / "g.ttl", "<urn:a> <urn:p> " + ", ".join(f"<urn:{i}>" for i in range(2_000_000)) + " .")
    assert failure(path, limits=LoadLimits(memory_bytes=100 << 20)).startswith("LimitError")


def test_a_gzip_bomb_is_given_up_early(tmp_path: Path) -> None:
    (tmp_path / "g.ttl.gz").write_bytes(gzip.compress(b"#\n" * (32 << 20) + b"\n<urn:a> <urn:b> 1 ."))
    assert "a gzip bomb?" in failure(tmp_path / "g.ttl.gz")
    assert len(load_graph(tmp_path / "g.ttl.gz", limits=LoadLimits(gzip_ratio=2000))) == 1


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:-8] + b"\0" * 8, lambda data: b"plain"])
def test_a_damaged_gzip_file(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    (tmp_path / "g.nt.gz").write_bytes(damage(gzip.compress(TEXTS[".nt"].encode() * 50)))
    assert "Expected a whole gzip file" in failure(tmp_path / "g.nt.gz")


@pytest.mark.parametrize(
    ("entities", "text", "message"),
    [
        ("".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "ha"}">' for i in range(9)), "&a8;", "stay small"),
        ('<!ENTITY a "&b;"><!ENTITY b "&a;">', "&a;", "that end"),
        (f'<!ENTITY a "{"h" * 100_000}">', "&a;" * 1000, "entity bomb"),
    ],
    ids=["billion laughs", "loop", "quadratic"],
)
def test_entities_cannot_grow(tmp_path: Path, entities: str, text: str, message: str) -> None:
    declared = RDFXML.replace("?>", f"?>\n<!DOCTYPE r [{entities}]>").replace("é", text)
    assert message in failure(write(tmp_path / "g.rdf", declared))


def test_a_prologue_of_any_shape_is_read_in_linear_time(tmp_path: Path) -> None:
    prologue = "<?xml version='1.0'?>" + "<!-- <a> -->" * 3000 + "<?go on?>" * 3000 + " " * 9000
    document = RDFXML.partition("?>")[2] + "<!-- the end --> <?done?>\n"
    path = write(tmp_path / "g.rdf", prologue + document)
    assert list(load_graph(path, limits=LoadLimits(seconds=5)).triples()) == [TRIPLE]


def test_a_term_past_the_parsers_buffer_is_a_limit(tmp_path: Path) -> None:
    path = write(tmp_path / "g.nt", f'<{S}> <{P}> "{"a" * (17 << 20)}" .')
    assert failure(path).startswith("LimitError g.nt: Expected terms and comments of at most 16 MiB")


def test_a_harmless_entity_is_taken(tmp_path: Path) -> None:
    declared = RDFXML.replace("?>", '?>\n<!DOCTYPE r [<!ENTITY e "é">]>').replace("é</", "&e;</")
    assert list(load_graph(write(tmp_path / "g.rdf", declared)).triples()) == [TRIPLE]


def test_limits_are_positive() -> None:
    with pytest.raises(ConfigError, match="seconds in LoadLimits above 0"):
        LoadLimits(seconds=0)


# The parts ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_packed_keys_come_back(keys: list[str]) -> None:
    assert list(unpack_keys(pack_keys(keys))) == keys


@given(st.binary(min_size=1, max_size=60), st.integers(1, 7))
def test_a_feed_hands_out_every_byte(tmp_path_factory: pytest.TempPathFactory, data: bytes, size: int) -> None:
    path = tmp_path_factory.mktemp("feed") / "x"
    path.write_bytes(b"ab" + data)
    feed = Feed(str(path), xml=False, packed=False, unpacked_bytes=100, gzip_ratio=1, piece=b">")
    parts = list(iter(lambda: feed.read(size), b""))
    feed.close()
    assert b"".join(parts) == b"ab" + data
    assert max(map(len, parts)) <= size


def test_a_worker_that_cannot_start_says_so() -> None:
    worker = Worker("kg.no_such_worker", {}, memory_bytes=1 << 30)
    with pytest.raises(NoesisError, match="Expected the worker process to run"):
        worker.receive()


def test_the_parse_worker_imports_only_what_it_needs() -> None:
    code = f"import {parse_worker.__name__}, sys; print(sorted({{'numpy', 'rdflib', 'torch'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_refusal_is_no_error_of_the_public_tree() -> None:
    assert not issubclass(Refusal, NoesisError)


# Public data ----------------------------------------------------------------------------------------------------------


def test_public_ontologies_load(shared: Path) -> None:
    folder = shared / "data" / "real-rdf"
    assert len(load_graph([folder / "wine.owl", folder / "food.owl"])) == 7201
    assert len(load_graph(folder / "wine_food.nt.gz")) > 0
