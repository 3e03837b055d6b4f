"""Domain folders, with and without `domain.toml`."""

from __future__ import annotations

from pathlib import Path

import pytest
from rdflib import URIRef

from kg.domain import load_domain
from kg.errors import ConfigError, DomainError, InputError, LimitError, MissingFileError, SyntaxInputError

GRAPH = "@prefix med: <https://example.org/med#> .\nmed:warfarin med:inhibits med:CYP2C9 .\n"
SCHEMA = (
    "<https://example.org/med#inhibits> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
    "<http://www.w3.org/2002/07/owl#ObjectProperty> .\n"
)
CLAIMS = (
    "id\tsplit\ttext\tsubject\tpredicate\tobject\tpolarity\tverdict\tnote\n"
    "c1\ttest\tWarfarin inhibits CYP2C9.\tmed:warfarin\tmed:inhibits\tmed:CYP2C9\t+\tentailed\t\n"
)
TOML = """
name = "medicine"
title = "Clinical safety"
graph = ["graph.ttl"]
schema = ["schema.nt"]
rules = ["rules.srl"]
claims = "claims.tsv"
entailment = "rdfs"

[prefixes]
drug = "https://example.org/med#"

[linking]
threshold = 0.9
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole domain, still without `domain.toml`."""
    folder = tmp_path / "medicine-folder"
    folder.mkdir()
    for name, text in {
        "graph.ttl": GRAPH,
        "schema.nt": SCHEMA,
        "rules.srl": "",
        "claims.tsv": CLAIMS,
        "README.md": "# Medicine",
        ".hidden.ttl": "broken",
    }.items():
        (folder / name).write_text(text)
    return folder


def test_a_folder_needs_no_settings(folder: Path) -> None:
    domain = load_domain(folder)
    assert (domain.name, domain.title, domain.entailment, dict(domain.settings)) == (
        "medicine-folder",
        "medicine-folder",
        "owl2rl",
        {},
    )
    assert domain.rule_files == (folder / "rules.srl",)
    assert domain.graph.sources == (str(folder / "graph.ttl"), str(folder / "schema.nt"))
    assert [claim.id for claim in domain.claims] == ["c1"]
    assert str(domain) == "medicine-folder: 2 triples, 1 rule files, 1 claims"


def test_a_graph_and_a_rule_file_are_a_domain(tmp_path: Path) -> None:
    (tmp_path / "any.nt").write_text(SCHEMA)
    (tmp_path / "own.srl").write_text("")
    domain = load_domain(tmp_path)
    assert (len(domain.graph), domain.rule_files, domain.claims) == (1, (tmp_path / "own.srl",), ())


def test_settings_are_followed(folder: Path) -> None:
    (folder / "domain.toml").write_text(TOML)
    (folder / "other.ttl").write_text("not read")
    domain = load_domain(folder)
    assert (domain.name, domain.title, domain.entailment) == ("medicine", "Clinical safety", "rdfs")
    assert {key: dict(table) for key, table in domain.settings.items()} == {"linking": {"threshold": 0.9}}
    assert domain.graph.term("drug:warfarin") == URIRef("https://example.org/med#warfarin")
    assert domain.graph.sources == (str(folder / "graph.ttl"), str(folder / "schema.nt"))
    assert domain.claims[0].triple is not None
    assert domain.graph.contains(domain.claims[0].triple)


def test_progress_reaches_the_end(folder: Path) -> None:
    calls: list[tuple[int, int]] = []
    load_domain(folder, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (len(GRAPH) + len(SCHEMA),) * 2


@pytest.mark.parametrize(
    ("toml", "error", "message"),
    [
        ('nam = "x"', ConfigError, "(got 'nam'); did you mean 'name'?"),
        ("name = 3", ConfigError, "Expected a text for 'name' (got 3)"),
        ('entailment = "owl"', ConfigError, "Expected owl2rl or rdfs or none for 'entailment' (got 'owl')"),
        ("graph = [1]", ConfigError, "Expected a file name or a list of them for 'graph'"),
        ('linking = "x"', ConfigError, "Expected a table [linking]"),
        ('[prefixes]\nmed = "x"', ConfigError, "Expected a namespace IRI for 'prefixes.med' (got 'x')"),
        ('graph = "grap.ttl"', MissingFileError, "graph.ttl"),
        ('graph = "../secret.ttl"', DomainError, "Expected files inside the folder (got '../secret.ttl'"),
        ('claims = "/etc/passwd"', DomainError, "Expected files inside the folder (got '/etc/passwd'"),
        ("name = ", SyntaxInputError, "domain.toml: Expected TOML (Invalid value"),
        ("name = x\n", SyntaxInputError, "domain.toml:1:8: Expected TOML (Invalid value)"),
        ("name = " + "[" * 5000, LimitError, "Expected TOML without deep nesting"),
        ("#" * (1 << 20) + "#", LimitError, "Expected at most 1048576 bytes"),
        ("graph = []", DomainError, "Expected an RDF file"),
    ],
)
def test_wrong_settings_name_the_key_and_the_remedy(
    folder: Path, toml: str, error: type[Exception], message: str
) -> None:
    (folder.parent / "secret.ttl").write_text(GRAPH)
    (folder / "domain.toml").write_text(toml)
    with pytest.raises(error) as caught:
        load_domain(folder)
    assert message in str(caught.value)


def test_a_link_out_of_the_folder_is_not_followed_when_named(folder: Path) -> None:
    (folder.parent / "secret.ttl").write_text(GRAPH)
    (folder / "link.ttl").symlink_to(folder.parent / "secret.ttl")
    (folder / "domain.toml").write_text('graph = "link.ttl"')
    with pytest.raises(DomainError, match="inside the folder"):
        load_domain(folder)


def test_what_is_no_domain(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"Expected an existing folder.*medicine-folder"):
        load_domain(tmp_path / "medicine-foldr")
    with pytest.raises(InputError, match="use `load_graph`"):
        load_domain(folder / "graph.ttl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DomainError, match="Expected an RDF file"):
        load_domain(tmp_path / "empty")


def test_an_error_in_one_file_leaves_nothing(folder: Path) -> None:
    (folder / "claims.tsv").write_text(CLAIMS.replace("med:", "mad:"))
    with pytest.raises(
        SyntaxInputError, match=r"claims\.tsv:2:\d+: subject: Expected a declared prefix.*nearest known: med"
    ):
        load_domain(folder)
