"""Reading `wordings.tsv`."""

from __future__ import annotations

from pathlib import Path

import pytest
from rdflib import OWL, XSD, URIRef

from kg.errors import MissingFileError, SyntaxInputError
from kg.wordings import Wording, load_wordings

PREFIXES = {"ex": "https://example.org/"}
HEADER = "relation\tvalue\tpolarity\tsentence\n"


def write(folder: Path, *lines: str) -> Path:
    path = folder / "wordings.tsv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def ex(name: str) -> URIRef:
    return URIRef(PREFIXES["ex"] + name)


def test_the_three_sorts_of_line(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "ex:likes\t-\t+\tIt is {o} that {s} likes.",
        "",
        "ex:mood\tex:Glad\t-\t{s} is anything but glad.",
        "-\towl:Class xsd:decimal\t+\tOf {s} there are {o}.",
    )
    assert load_wordings(path, PREFIXES) == (
        Wording(ex("likes"), None, None, True, "It is {o} that {s} likes.", 2),
        Wording(ex("mood"), ex("Glad"), None, False, "{s} is anything but glad.", 4),
        Wording(None, None, (OWL.Class, XSD.decimal), True, "Of {s} there are {o}.", 5),
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ex:likes\t-\t+", r"wordings.tsv:3.*Expected 4 fields .*got 3"),
        ("ex:likes\t-\tyes\t{s} {o}", r":3.*Expected the polarity \+ or - \(got 'yes'\)"),
        ("ex:likes\t-\t+\t{s} likes", r":3.*Expected \{s\} and \{o\} once each"),
        ("ex:mood\tex:Glad\t+\t{s} is {o}", r":3.*Expected \{s\} once and no \{o\}"),
        ("-\tex:A\t+\t{s} and {o}", r":3.*Expected two classes"),
        ("no:likes\t-\t+\t{s} {o}", r":3.*Expected a declared prefix"),
        ("4\t-\t+\t{s} {o}", r":3.*Expected an IRI \(got 4\)"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, "ex:likes\t-\t+\t{s} likes {o}.", line)
    with pytest.raises(SyntaxInputError, match=message):
        load_wordings(path, PREFIXES)


def test_another_header_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "wordings.tsv"
    with pytest.raises(MissingFileError):
        load_wordings(path, PREFIXES)
    path.write_text("relation\tsentence\n", encoding="utf-8")
    with pytest.raises(SyntaxInputError, match="Expected the header line relation value polarity sentence"):
        load_wordings(path, PREFIXES)
