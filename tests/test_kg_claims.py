"""`claims.tsv`: hand-written claims with the triple they mean."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdflib import XSD, Literal, URIRef
from rdflib.term import Node

from kg.claims import ClaimRecord, load_claims, parse_term
from kg.errors import LimitError, MissingFileError, SyntaxInputError
from kg.terms import Triple

PREFIXES = {"ex": "https://example.org/", "xsd": str(XSD)}
HEADER = "id\tsplit\ttext\tsubject\tpredicate\tobject\tpolarity\tverdict\tnote"
GOOD = "c1\ttrain\tWarfarin inhibits CYP2C9.\tex:warfarin\tex:inhibits\tex:CYP2C9\t+\tentailed\tlabel"


def load(tmp_path: Path, *lines: str) -> tuple[ClaimRecord, ...]:
    path = tmp_path / "claims.tsv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return load_claims(path, PREFIXES)


def test_a_claim_is_read_whole(tmp_path: Path) -> None:
    triple = Triple(*(URIRef(f"https://example.org/{name}") for name in ("warfarin", "inhibits", "CYP2C9")))
    record = ClaimRecord("c1", "train", "Warfarin inhibits CYP2C9.", triple, True, "entailed", "label", 2)
    assert load(tmp_path, HEADER, GOOD) == (record,)


def test_a_claim_without_a_triple_denial_and_an_absent_note(tmp_path: Path) -> None:
    lines = ["c2\tdev\tIt is not so.\t-\t-\t-\t-\tunknown", "", "c3\ttest\tDose\tex:a\tex:b\t4000\t-\tunproven\t"]
    first, second = load(tmp_path, "\ufeff" + HEADER + "\r", *lines)
    assert (first.triple, first.positive, first.note, first.line) == (None, False, "", 2)
    assert second.triple is not None
    assert (second.triple.object, second.line) == (Literal("4000", datatype=XSD.integer), 4)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            GOOD.replace("train", "trian"),
            "claims.tsv:2:4: split: Expected one of train, dev, test (got 'trian'); did you",
        ),
        (GOOD.replace("entailed", "true"), "claims.tsv:2:72: verdict: Expected one of entailed,"),
        (GOOD.replace("\t+\t", "\tyes\t"), "claims.tsv:2:70: polarity: Expected one of +, - (got 'yes')"),
        (GOOD.replace("ex:warfarin", "exx:warfarin"), "claims.tsv:2:36: subject: Expected a declared prefix (got exx:"),
        (GOOD.replace("ex:warfarin", '"warfarin"'), "claims.tsv:2:36: subject: Expected an IRI (got the literal"),
        (GOOD.replace("ex:CYP2C9", "-"), "claims.tsv:2:60: object: Expected a term, or - in all three"),
        (GOOD.replace("\tlabel", "\tlabel\tmore"), "claims.tsv:2: Expected 9 fields with tabs between (got 10)"),
        (GOOD.replace("Warfarin inhibits CYP2C9.", " "), "claims.tsv:2:10: text: Expected a text"),
        (f"{GOOD}\n{GOOD}", "claims.tsv:3:1: Expected each id once (got 'c1' again, first in line 2)"),
    ],
)
def test_a_wrong_line_names_its_place(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(SyntaxInputError) as caught:
        load(tmp_path, HEADER, line)
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(message)


def test_what_is_no_claims_file(tmp_path: Path) -> None:
    with pytest.raises(SyntaxInputError, match="Expected the header line id split text"):
        load(tmp_path, GOOD)
    with pytest.raises(MissingFileError, match="the nearest there"):
        load_claims(tmp_path / "claim.tsv", PREFIXES)
    (tmp_path / "claims.tsv").write_bytes(HEADER.encode() + b"\nc1\t\xff")
    with pytest.raises(SyntaxInputError, match=r"claims\.tsv:2: Expected UTF-8"):
        load_claims(tmp_path / "claims.tsv", PREFIXES)


def test_a_file_past_its_limit_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "claims.tsv", "wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(LimitError, match="bytes"):
        load_claims(tmp_path / "claims.tsv", PREFIXES)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("ex:a", URIRef("https://example.org/a")),
        ("<urn:a>", URIRef("urn:a")),
        ('"4000"^^xsd:decimal', Literal("4000", datatype=XSD.decimal, normalize=False)),
        ('"a"^^<urn:t>', Literal("a", datatype=URIRef("urn:t"))),
        ('"a"^^xsd:string', Literal("a")),
        ('"Hallo"@DE', Literal("Hallo", lang="de")),
        (r'"a \"b\"\u00e9"', Literal('a "b"é')),
        ("-4", Literal("-4", datatype=XSD.integer)),
        ("4.50", Literal("4.50", datatype=XSD.decimal, normalize=False)),
        ("1e3", Literal("1e3", datatype=XSD.double, normalize=False)),
        ("true", Literal("true", datatype=XSD.boolean)),
    ],
)
def test_a_term_is_written_as_in_turtle(text: str, term: Node) -> None:
    assert parse_term(text, PREFIXES).n3() == term.n3()


@pytest.mark.parametrize(
    "text", ["", "plain", '"open', '"a"@', '"a"^^"b"', r'"\q"', r'"\uD800"', "<a b>", "no:a", "ex:a b"]
)
def test_what_is_no_term(text: str) -> None:
    with pytest.raises(SyntaxInputError, match="Expected"):
        parse_term(text, PREFIXES)


@given(st.text(max_size=30))
def test_any_text_is_a_term_or_a_typed_error(text: str) -> None:
    with contextlib.suppress(SyntaxInputError):
        assert isinstance(parse_term(text, PREFIXES), (URIRef, Literal))
