"""Plain N-Triples lines are read as the parser reads them, and everything else is left to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.dictionary import Dictionary
from kg.errors import LimitError, SyntaxInputError
from kg.load import LoadLimits, load_graph
from kg.parse_worker import key_of
from kg.plain_lines import PlainLines, whole_lines

IRIS = ("<http://e.org/a>", "<http://e.org/b#c>", "<urn:x:y>", "<http://e.org/é>", "<http://e.org/\\u00e9>")
LITERALS = (
    '"one two"',
    '"with \\"quotes\\" and \\u00e9"',
    '"\\\\u00e9 \\t\\n\\U0001F600"',
    '"4"^^<http://www.w3.org/2001/XMLSchema#integer>',
    '"x"^^<http://www.w3.org/2001/XMLSchema#string>',
    '"chat"@fr',
    '"colour"@en-GB',
    '"Zeichen"@de-1996',
    '"é . <a> "',
)
NODES = ("_:b1", "_:b2", "_:b.3")
SPACES = st.sampled_from((" ", " ", " ", "  ", "\t"))


@st.composite
def lines(draw: st.DrawFn) -> str:
    s = draw(st.sampled_from((*IRIS, *NODES)))
    p, o = draw(st.sampled_from(IRIS)), draw(st.sampled_from((*IRIS, *NODES, *LITERALS)))
    end = draw(st.sampled_from((" .", " .", " .", " .\r", ".", " . # said so")))
    return draw(st.sampled_from((f"{s}{draw(SPACES)}{p}{draw(SPACES)}{o}{end}", "", "# a comment")))


def parsed(block: bytes) -> set[tuple[str, ...]]:
    """The triples by the parser, blank nodes by their names in the text."""
    return {tuple(map(key, quad.triple)) for quad in ox.parse(input=block, format=ox.RdfFormat.N_TRIPLES)}


def key(term: Any) -> str:
    return str(term) if isinstance(term, ox.BlankNode) else key_of(term)


def read(text: str, reader: PlainLines, dictionary: Dictionary) -> set[tuple[str, ...]]:
    """The triples of a text by the plain reader, with the parser for the blocks it leaves."""
    found, data = set(), text.encode()
    for block in whole_lines([data[at : at + 40] for at in range(0, len(data), 40)], most=1 << 20):
        ids = reader.read(block)
        if ids is None:
            found |= {tuple(map(reader.own_key, triple)) for triple in parsed(block)}
        else:
            found |= {tuple(map(dictionary.key, triple)) for triple in ids.tolist()}
    return found


@settings(max_examples=200, deadline=None)
@given(st.lists(lines(), max_size=8))
def test_the_triples_are_those_of_the_parser(made: list[str]) -> None:
    text = "\n".join(made)
    dictionary = Dictionary()
    reader = PlainLines(dictionary)
    found = read(text, reader, dictionary)
    assert found == {tuple(map(reader.own_key, triple)) for triple in parsed(text.encode())}


ALPHABET = st.sampled_from("ahz09:/?#[]@!$%&'()*+,;=.-_~ <>\"{}|^`\\\x00\x7f\x85\xa0é\u2028\ue000\ufdd0\uffff😀")


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(("", "h:", "http://h", "urn:a", "h:a?b", "h:a#b")), st.text(ALPHABET, max_size=8))
def test_an_iri_that_is_taken_is_one_for_the_parser(start: str, rest: str) -> None:
    line = f"<{start}{rest}> <urn:p> <urn:o> .\n".encode()
    found = PlainLines(Dictionary()).read(line)
    if found is not None:
        assert len(found) == len(parsed(line)) == 1


@settings(max_examples=500, deadline=None)
@given(st.text(st.one_of(ALPHABET, st.sampled_from('"\\ntu0dDfF8@^ é\n\r')), max_size=12))
def test_a_literal_that_is_taken_is_that_of_the_parser(text: str) -> None:
    line = f'<urn:s> <urn:p> "{text}" .\n'.encode()
    dictionary = Dictionary()
    found = PlainLines(dictionary).read(line)
    if found is not None:
        assert {tuple(map(dictionary.key, triple)) for triple in found.tolist()} == parsed(line)


@given(st.text(st.sampled_from("enlatgbEN-1901"), max_size=9))
def test_a_language_that_is_taken_is_that_of_the_parser(tag: str) -> None:
    line = f'<urn:s> <urn:p> "x"@{tag} .\n'.encode()
    dictionary = Dictionary()
    found = PlainLines(dictionary).read(line)
    if found is not None:
        assert {tuple(map(dictionary.key, triple)) for triple in found.tolist()} == parsed(line)


@pytest.mark.parametrize(
    "line",
    [
        "<a> <http://e.org/p> <http://e.org/o> .",
        "<http://e.org/s> _:p <http://e.org/o> .",
        '<http://e.org/s> "p" <http://e.org/o> .',
        '"s" <http://e.org/p> <http://e.org/o> .',
        "<http://e.org/s> <http://e.org/p> .",
        "<http://e.org/s> <http://e.org/p> <http://e.org/o>",
        '<http://e.org/s> <http://e.org/p> "o"@toolonglanguagetag .',
        '<http://e.org/s> <http://e.org/p> "o"^^<http://www.w3.org/1999/02/22-rdf-syntax-ns#langString> .',
        '<http://e.org/s> <http://e.org/p> "\\ud800" .',
        '<http://e.org/s> <http://e.org/p> "\\U00110000" .',
        "<http://e.org/s> <http://e.org/p> <http://[bad/> .",
        "<http://e.org/s>\n<http://e.org/p> <http://e.org/o> .",
    ],
)
def test_what_is_wrong_is_left_to_the_parser_and_its_line_told(tmp_path: Path, line: str) -> None:
    seen = b'_:p <urn:p> "s" .\n_:p <urn:p> "p" .\n'
    reader = PlainLines(Dictionary())
    assert reader.read(seen) is not None
    assert reader.read(line.encode()) is None
    path = tmp_path / "graph.nt"
    fine = "<http://e.org/s> <http://e.org/p> <http://e.org/o> .\n"
    path.write_text(seen.decode() + "# fine\n\n" + fine * 3000 + line + "\n" + fine, encoding="utf-8")
    with pytest.raises(SyntaxInputError, match=r"graph.nt:300[56]"):
        load_graph(path)


def test_blank_nodes_end_with_their_file_whoever_reads_their_lines(tmp_path: Path) -> None:
    plain, other = "_:x <http://e.org/p> _:x .\n" * 4000, "_:x <http://e.org/q>  _:y .\n" * 4000
    for name in ("a.nt", "b.nt"):
        (tmp_path / name).write_text(plain + other + "<urn:a> <urn:p> <<( _:x <urn:p> _:y )>> .\n", encoding="utf-8")
    graph = load_graph([tmp_path / "a.nt", tmp_path / "b.nt"])
    dictionary = graph.dictionary
    found = {tuple(map(dictionary.key, ids)) for ids in graph.asserted.match(None, None, None)}
    assert found == {
        triple
        for x, y in (("_:f0b0", "_:f0b1"), ("_:f1b0", "_:f1b1"))
        for triple in (
            (x, "<http://e.org/p>", x),
            (x, "<http://e.org/q>", y),
            ("<urn:a>", "<urn:p>", f"<<( {x} <urn:p> {y} )>>"),
        )
    }


@pytest.mark.parametrize("every", [1, 40, 300, 2000, 4999])
def test_other_lines_anywhere_change_nothing(tmp_path: Path, every: int) -> None:
    texts = [f"<urn:{i}> <urn:p> _:n{i % 7} .\n" for i in range(5000)]
    texts[::every] = [text.replace(" ", "\t") for text in texts[::every]]
    files = [tmp_path / "a.nt", tmp_path / "a.ttl"]
    for file in files:
        file.write_text("".join(texts), encoding="utf-8")
    plain, whole = ({tuple(map(str, triple)) for triple in load_graph(file).triples()} for file in files)
    assert {(s, p) for s, p, _ in plain} == {(s, p) for s, p, _ in whole}
    assert len({o for _, _, o in plain}) == 7
    assert len(plain) == 5000
    (tmp_path / "a.nt").write_text("".join(texts[:-1]) + "<urn:s> <urn:p> oops .\n", encoding="utf-8")
    with pytest.raises(SyntaxInputError, match=r"a\.nt:5000:"):
        load_graph(files[0])


def test_terms_are_the_same_in_plain_lines_and_in_other_syntaxes(tmp_path: Path) -> None:
    text = '<urn:a> <urn:p> "x"@en .\n<urn:a> <urn:p> <urn:b> .\n'
    names = ["a.nt", "b.ttl", "c.nt", "d.ttl"]
    for name in names:
        (tmp_path / name).write_text(text, encoding="utf-8")
    graph = load_graph([tmp_path / name for name in names])
    assert (len(graph), list(graph.dictionary)) == (2, ["<urn:a>", "<urn:p>", '"x"@en', "<urn:b>"])


def test_the_memory_of_plain_lines_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "g.nt"
    path.write_text("".join(f"<urn:{i}> <urn:p> <urn:o> .\n" for i in range(9000)), encoding="utf-8")
    assert len(load_graph(path, limits=LoadLimits(memory_bytes=8 << 20))) == 9000
    with pytest.raises(LimitError, match=r"g\.nt: .*raise `memory_bytes`"):
        load_graph(path, limits=LoadLimits(memory_bytes=2 << 20))


def test_plain_lines_start_no_process_and_load_no_parser(tmp_path: Path) -> None:
    path = tmp_path / "g.nt"
    path.write_text('# plain\n\n<urn:a> <urn:p> "\\u00e9" .\r\n', encoding="utf-8")
    code = (
        "import subprocess, sys; subprocess.Popen = None; from kg.load import load_graph; "
        f"print(len(load_graph({str(path)!r})), sorted({{'pyoxigraph', 'numba', 'torch'}} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1 []\n"
