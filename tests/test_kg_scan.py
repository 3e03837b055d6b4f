"""Lines scanned by compiled code give what lines cut by Python give: the same ids, terms and refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kg import load_graph, plain_lines
from kg.dictionary import Dictionary
from kg.errors import NoesisError
from kg.plain_lines import PlainLines

pytest.importorskip("numba", reason="lines are scanned by code that numba compiles, which is not installed")

TERMS = [
    *(
        "<http://e/a>",
        "<https://e.org:80/a#b>",
        "<http://e/a#b#c>",
        "<http://e>",
        "<http://>",
        "<urn:x>",
        "<http://e/ä>",
    ),
    *("<http://e/%41>", "<http://e/%4>", "<http://e/a?b>", "<>", "<", "_:b1", "_:b2", "_:", "_", "a", ""),
    *(
        '"x"',
        '""',
        '"',
        '"a b"',
        '"a\\nb"',
        '"a"b"',
        '"ä"@de',
        '"1"^^<http://e/t>',
        '"x"^^<t>',
        '"tab\there"',
        '"\u202e"',
    ),
    *("<http://e/" + "long/" * 30 + ">", '"' + "wide " * 40 + '"', "<http://e/a> .", "<http://e/12345678>"),
]
TERM = st.one_of(st.sampled_from(TERMS), st.integers(0, 60).map(lambda n: f"<http://example.org/thing/{n}>"))
LINE = st.one_of(
    st.tuples(TERM, TERM, TERM).map(lambda parts: " ".join(parts) + " ."),
    st.tuples(st.sampled_from(TERMS[:2]), st.sampled_from(TERMS[:2]), TERM).map(lambda parts: " ".join(parts) + " ."),
    st.sampled_from(
        ["", "# no triple", "<http://e/a> <http://e/a> .", "<http://e/a>  <http://e/a> <http://e/a> .", "."]
    ),
)
BLOCKS = st.lists(st.tuples(st.booleans(), st.lists(LINE, min_size=1, max_size=12)), min_size=1, max_size=5)


def outcome(blocks: list[tuple[bool, list[str]]], monkeypatch: pytest.MonkeyPatch, *, scanned: bool) -> list[object]:
    """What comes of each block; where the flag is set, another file begins.

    Blank nodes are numbered in the order in which they come: their names are ours, and no promise.
    """
    for name in ("_SCANNED", "_SCANNED_COLD"):
        monkeypatch.setattr(plain_lines, name, -1 if scanned else 1 << 40)
    dictionary, blanks = Dictionary(), dict[str, int]()
    reader, found, file = PlainLines(dictionary), list[object](), 0
    reader.begin(0)
    for begins, lines in blocks:
        if begins:
            file += 1
            reader.begin(file)
        ids = reader.read("\n".join(lines).encode())
        rows = None if ids is None else ids.tolist()
        found.append(rows and [[_numbered(dictionary.key(id), blanks) for id in triple] for triple in rows])
    return found


def _numbered(key: str, blanks: dict[str, int]) -> str:
    return f"_:{blanks.setdefault(key, len(blanks))}" if key.startswith("_:") else key


@settings(max_examples=150, deadline=None)
@given(BLOCKS)
@example(
    [
        (False, ["<http://e/a> <http://e/a> _:b1 ."]),
        (True, ["<http://e/a> <http://e/a> _:b1 .", "<http://e/a> <http://e/a> _:b2 ."]),
    ]
)
@example([(False, ["<http://e/a> <http://e/a> _:b1 ."]), (True, ["_:b1 <http://e/a> _:b1 ."])])
@example([(False, ["<http://e/a> <http://e/a> <> ."]), (False, ["<http://e/a> <http://e/a> <> ."])])
@example(
    [(False, ['<http://e/a> <http://e/a> "a b" .', "<http://e/a>"]), (False, ['<http://e/a> <http://e/a> "a b" .'])]
)
def test_scanned_lines_are_those_cut_by_python(blocks: list[tuple[bool, list[str]]]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        expected = outcome(blocks, monkeypatch, scanned=False)
        assert outcome(blocks, monkeypatch, scanned=True) == expected


def test_many_texts_keep_their_numbers_while_the_tables_grow() -> None:
    from kg.scan import Texts

    texts, known = Texts(), dict[str, int]()
    for start in range(0, 40_000, 1000):
        rows = [(f"<http://e/{n}>", f"<p{n % 7}>", f'"{n % 900} and more"') for n in range(start, start + 1000)]
        found = texts.numbers("".join(f"{' '.join(row)} .\n" for row in rows).encode())
        assert found is not None
        expected = [[known.setdefault(text, len(known)) for text in row] for row in rows]
        assert found.tolist() == expected
    assert [texts.text(number) for number in range(len(texts))] == list(known)


def test_a_large_file_is_the_same_scanned_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.nt"
    rng = np.random.default_rng(3)
    lines = [
        f"<http://e/n/{a}> <http://e/p/{b}> " + (f'"value {c}" .' if c % 3 else f"_:n{c} .")
        for a, b, c in rng.integers(0, 3000, (30_000, 3)).tolist()
    ]
    lines[12_345] = '<http://e/n/1> <http://e/p/1> "1"^^<http://www.w3.org/2001/XMLSchema#integer> .'
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    graphs = []
    for bound in (1 << 40, -1):
        for name in ("_SCANNED", "_SCANNED_COLD"):
            monkeypatch.setattr(plain_lines, name, bound)
        graphs.append(load_graph(path))
    one, other = graphs
    assert list(one.dictionary) == list(other.dictionary)
    for mine, theirs in zip(one.asserted.arrays(), other.asserted.arrays(), strict=True):
        assert np.array_equal(mine, theirs)


def test_an_error_in_a_scanned_file_names_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_lines, "_SCANNED", -1)
    monkeypatch.setattr(plain_lines, "_SCANNED_COLD", -1)
    path = tmp_path / "broken.nt"
    good = "".join(f"<http://e/{n}> <http://e/p> <http://e/{n + 1}> .\n" for n in range(5000))
    path.write_text(good + "<http://e/a> <http://e/p> <no scheme> .\n" + good, encoding="utf-8")
    with pytest.raises(NoesisError, match=r":5001"):
        load_graph(path)
