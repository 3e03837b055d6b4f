"""Plain N-Triples lines are read as the parser reads them, and everything else is left to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.errors import SyntaxInputError
from kg.load import load_graph
from kg.plain_lines import PlainLines, whole_lines

IRIS = ("<http://e.org/a>", "<http://e.org/b#c>", "<urn:x:y>", "<http://e.org/é>")
LITERALS = (
    '"one two"',
    '"with \\"quotes\\" and \\u00e9"',
    '"4"^^<http://www.w3.org/2001/XMLSchema#integer>',
    '"x"^^<http://www.w3.org/2001/XMLSchema#string>',
    '"chat"@fr',
    '"colour"@en-GB',
    '"é . <a> "',
)
NODES = ("_:b1", "_:b2")
SPACES = st.sampled_from((" ", " ", " ", "  ", "\t"))


@st.composite
def lines(draw: st.DrawFn) -> str:
    s = draw(st.sampled_from((*IRIS, *NODES)))
    p, o = draw(st.sampled_from(IRIS)), draw(st.sampled_from((*IRIS, *NODES, *LITERALS)))
    end = draw(st.sampled_from((" .", " .", " .", ".", " . # said so")))
    return draw(st.sampled_from((f"{s}{draw(SPACES)}{p}{draw(SPACES)}{o}{end}", "", "# a comment")))


def read(text: str) -> set[tuple[Any, ...]]:
    """The triples of a text by the plain reader, with the parser for the blocks it leaves."""
    terms: list[Any] = []
    ids: dict[Any, int] = {}

    def intern(term: Any) -> int:
        if term not in ids:
            ids[term] = len(terms)
            terms.append(term)
        return ids[term]

    reader, found = PlainLines(intern), set()
    for block in whole_lines([text.encode()[at : at + 40] for at in range(0, len(text.encode()), 40)], most=1 << 20):
        triples = reader.read(block)
        if triples is None:
            found |= {(q.subject, q.predicate, q.object) for q in ox.parse(input=block, format=ox.RdfFormat.N_TRIPLES)}
        else:
            found |= {tuple(terms[id] for id in triples[at : at + 3]) for at in range(0, len(triples), 3)}
    return found


@settings(max_examples=200, deadline=None)
@given(st.lists(lines(), max_size=8))
def test_the_triples_are_those_of_the_parser(made: list[str]) -> None:
    text = "\n".join(made)
    parsed = ox.parse(input=text.encode(), format=ox.RdfFormat.N_TRIPLES)
    assert read(text) == {(quad.subject, quad.predicate, quad.object) for quad in parsed}


@pytest.mark.parametrize(
    "line",
    [
        "<a> <http://e.org/p> <http://e.org/o> .",
        "<http://e.org/s> _:p <http://e.org/o> .",
        '"s" <http://e.org/p> <http://e.org/o> .',
        "<http://e.org/s> <http://e.org/p> .",
        "<http://e.org/s> <http://e.org/p> <http://e.org/o>",
        '<http://e.org/s> <http://e.org/p> "o"@toolonglanguagetag .',
        '<http://e.org/s> <http://e.org/p> "o"^^<http://www.w3.org/1999/02/22-rdf-syntax-ns#langString> .',
        "<http://e.org/s> <http://e.org/p> <http://[bad/> .",
        "<http://e.org/s>\n<http://e.org/p> <http://e.org/o> .",
    ],
)
def test_what_is_wrong_is_left_to_the_parser_and_its_line_told(tmp_path: Path, line: str) -> None:
    assert PlainLines(lambda term: 0).read(line.encode()) is None
    path = tmp_path / "graph.nt"
    fine = "<http://e.org/s> <http://e.org/p> <http://e.org/o> .\n"
    path.write_text(fine * 3000 + line + "\n" + fine, encoding="utf-8")
    with pytest.raises(SyntaxInputError, match=r"graph.nt:300[12]"):
        load_graph(path)


def test_blank_nodes_end_with_their_file(tmp_path: Path) -> None:
    for name in ("a.nt", "b.nt"):
        (tmp_path / name).write_text("_:x <http://e.org/p> _:x .\n_:x <http://e.org/q>  _:y .\n", encoding="utf-8")
    graph = load_graph([tmp_path / "a.nt", tmp_path / "b.nt"])
    assert (len(graph.asserted), len({t.subject for t in graph.triples()})) == (4, 2)
