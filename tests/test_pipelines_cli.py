"""The command `noesis` on a user's own folder: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertModel
from typer.testing import CliRunner

from engine.fusion import resolve_encoder
from pipelines.cli import app, main
from tests import cli_docs

PREFIXES = """\
@prefix : <https://example.org/firm#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
"""
SCHEMA = """\
:Person a owl:Class ; rdfs:label "person" . :Team a owl:Class ; rdfs:label "team" ; owl:disjointWith :Person .
:manages a owl:ObjectProperty ; rdfs:label "manages" ; rdfs:domain :Person ; rdfs:range :Person ;
    skos:altLabel "{o} reports to {s}" .
:above a owl:ObjectProperty ; rdfs:label "is above" ; rdfs:domain :Person ; rdfs:range :Person .
:worksIn a owl:ObjectProperty ; rdfs:label "works in" ; rdfs:domain :Person ; rdfs:range :Team .
:mentors a owl:ObjectProperty ; rdfs:label "mentors" ; rdfs:domain :Person ; rdfs:range :Person .
:red a :Team ; rdfs:label "Red Team" . :blue a :Team ; rdfs:label "Blue Team" .
"""
NAMES = ("Adams", "Brook", "Crane", "Drake", "Ellis", "Frost", "Grant", "Hayes", "Irwin", "Jones", "Knight", "Lewis")
RULES = """\
PREFIX : <https://example.org/firm#>
PREFIX sh: <http://www.w3.org/ns/shacl#>
RULE :above { ?x :above ?z } WHERE { ?x :manages ?y . ?y :manages ?z }
RULE :ownBoss { [] a sh:ValidationResult ; sh:resultMessage "{?x} manages {?x}" } WHERE { ?x :manages ?x }
RULE :mutual { [] a sh:ValidationResult ; sh:resultMessage "{?x} and {?y} manage each other" }
WHERE { ?x :manages ?y . ?y :manages ?x FILTER (?x != ?y) }
RULE :twoTeams { [] a sh:ValidationResult ; sh:resultSeverity sh:Warning ; sh:resultMessage "{?x} works in two teams" }
WHERE { ?x :worksIn :red . ?x :worksIn :blue }
"""
FAST = """\
title = "A firm"
notice = "Invented."
[embedding]
epochs = 2
dim = 8
[fusion]
examples = 40
epochs = 1
fused_layers = 1
node_dim = 16
"""
TWO_BOSSES = ":adams :manages :brook . :brook :manages :adams .\n"


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


Noesis = Callable[..., Result]


@pytest.fixture
def noesis(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Noesis:
    """The command, in an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["noesis", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Result(int(ended.value.code or 0), printed.out, printed.err)

    return run


def people() -> str:
    """Twelve people: each manages two others, all work in a team, some mentor."""
    lines = []
    for at, name in enumerate(NAMES):
        below = [NAMES[i].lower() for i in (2 * at + 1, 2 * at + 2) if i < len(NAMES)]
        lines.append(f':{name.lower()} a :Person ; rdfs:label "{name}" ; :worksIn :{"red" if at % 2 else "blue"} .')
        lines += [f":{name.lower()} :manages :{other} ." for other in below]
        lines += [f":{name.lower()} :mentors :{NAMES[at + 3].lower()} ."] if at + 3 < len(NAMES) else []
    return "\n".join(lines) + "\n"


def write(folder: Path, graph: str = "", *, rules: str = RULES, settings: str = "") -> Path:
    """A domain folder with the firm and what is added to it."""
    folder.mkdir(exist_ok=True)
    (folder / "firm.ttl").write_text(PREFIXES + SCHEMA + people() + graph)
    (folder / "rules.srl").write_text(rules)
    if settings:
        (folder / "domain.toml").write_text(settings)
    return folder


@pytest.fixture
def firm(tmp_path: Path) -> Path:
    return write(tmp_path / "firm")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with nothing but one short graph, too small to train on."""
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "g.ttl").write_text(PREFIXES + ':a :likes :b . :a rdfs:label "Ann" . :b rdfs:label "Bob" .')
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an untrained encoder, small enough to train from in a moment."""
    torch.manual_seed(0)
    embedded = resolve_encoder()
    folder = tmp_path_factory.mktemp("encoder")
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    BertModel(BertConfig(vocab_size=embedded.config.vocab_size, **shape)).save_pretrained(folder)
    embedded.tokenizer.save_pretrained(folder)  # type: ignore[attr-defined]  # a tokenizer of transformers
    return folder


# Claims ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "word", "code"),
    [
        ((":adams", ":above", ":drake"), "entailed", 0),
        ((":brook", ":manages", ":adams"), "contradicted", 1),
        ((":adams", ":mentors", ":lewis"), "unproven", 0),
        ((":nobody", ":mentors", ":lewis"), "unknown", 0),
        (("nope:adams", ":mentors", ":lewis"), "unknown", 0),
        (("<https://example.org/firm#adams>", ":above", ":drake"), "entailed", 0),
        ((":adams", "rdfs:label", '"Adams"'), "entailed", 0),
    ],
)
def test_check_gives_each_verdict_and_its_exit_code(
    noesis: Noesis, firm: Path, terms: tuple[str, ...], word: str, code: int
) -> None:
    result = noesis("check", firm, *terms, "--json")
    assert (result.code, [verdict["verdict"] for verdict in result.json]) == (code, [word])


def test_check_deny_turns_the_verdict_round(noesis: Noesis, firm: Path) -> None:
    result = noesis("check", firm, "--deny", ":adams", ":above", ":drake")
    assert result.code == 1
    assert result.out.startswith("Contradicted: ")


def test_check_takes_the_claims_of_a_file_in_order(noesis: Noesis, firm: Path, tmp_path: Path) -> None:
    claims = tmp_path / "claims.ttl"
    claims.write_text(PREFIXES + ":adams :above :drake . :brook :manages :adams . :adams :mentors :lewis .")
    result = noesis("check", firm, "--file", claims, "--json")
    assert result.code == 1
    assert sorted(v["verdict"] for v in result.json) == ["contradicted", "entailed", "unproven"]


@pytest.mark.parametrize("arguments", [(), (":adams", ":above"), (":a", ":b", ":c", "--file", "x.ttl")])
def test_check_wants_a_triple_or_a_file(noesis: Noesis, firm: Path, arguments: tuple[str, ...]) -> None:
    assert noesis("check", firm, *arguments).code == 2


def test_ask_reads_sentences_and_answers_with_evidence(noesis: Noesis, firm: Path) -> None:
    result = noesis("ask", firm, "Drake reports to Brook.", "Adams reports to Brook.", "Adams mentors Zorblax.")
    headlines = [block.splitlines()[0] for block in result.out.split("\n\n")]
    assert headlines == [
        "Entailed: Drake reports to Brook.",
        "Contradicted: Adams reports to Brook.",
        "Unknown: Adams mentors Zorblax.",
    ]
    assert result.code == 1


def test_a_text_too_long_for_one_claim_is_unknown(noesis: Noesis, firm: Path) -> None:
    texts = {
        "tokens for the encoder": "Adams mentors " + "! " * 600 + "Lewis.",
        "characters": "x" * 100_000,
        "things named": "Adams mentors Lewis. " * 12,
    }
    verdicts = noesis("ask", firm, *texts.values(), "--json").json
    assert [(v["verdict"], v["reason"]) for v in verdicts] == [("unknown", "TEXT_TOO_LONG")] * 3
    assert [what in v["detail"] for what, v in zip(texts, verdicts, strict=True)] == [True] * 3


def test_terminal_controls_in_labels_are_not_printed(noesis: Noesis, tmp_path: Path) -> None:
    folder = write(tmp_path / "firm", ':mallory a :Person ; rdfs:label "\\u001B[2JMal\\u202Elory" ; :mentors :adams .')
    result = noesis("check", folder, ":mallory", ":mentors", ":adams")
    assert ("Mal" in result.out, "\x1b" in result.out, "\u202e" in result.out) == (True, False, False)


# Query, materialise, audit --------------------------------------------------------------------------------------


def test_query_sees_inferred_triples_unless_told_not_to(noesis: Noesis, firm: Path) -> None:
    sparql = "SELECT ?who WHERE { :adams :above ?who } ORDER BY ?who"
    assert noesis("query", firm, sparql).out.splitlines() == ["who", ":drake", ":ellis", ":frost", ":grant"]
    assert noesis("query", firm, sparql, "--asserted", "--json").json == []


def test_query_leaves_an_unbound_variable_empty(noesis: Noesis, firm: Path) -> None:
    sparql = "SELECT ?a ?b WHERE { VALUES ?a { :adams } OPTIONAL { ?a :nothing ?b } }"
    assert noesis("query", firm, sparql, "--json").json == [{"a": ":adams", "b": None}]
    assert noesis("query", firm, sparql).out == "a\tb\n:adams\t\n"


def test_query_answers_ask_with_yes_or_no(noesis: Noesis, firm: Path) -> None:
    assert noesis("query", firm, "ASK { :adams :above :drake }").out == "yes\n"
    assert noesis("query", firm, "ASK { :drake :above :adams }", "--json").json is False


def test_materialise_writes_the_closure_or_its_inferred_part(noesis: Noesis, firm: Path, tmp_path: Path) -> None:
    figures = noesis("materialise", firm, "--out", tmp_path / "all.nt", "--json").json
    noesis("materialise", firm, "--out", tmp_path / "new.nt", "--inferred-only")
    every, new = ((tmp_path / name).read_text().splitlines() for name in ("all.nt", "new.nt"))
    assert (len(every), len(new)) == (
        figures["asserted triples"] + figures["inferred triples"],
        figures["inferred triples"],
    )
    assert set(new) < set(every)
    assert figures["by rule"]["above"] == 9


def test_materialise_prints_its_figures_as_lines(noesis: Noesis, firm: Path) -> None:
    lines = noesis("materialise", firm).out.splitlines()
    assert {"files: 1", "built-in rule set: owl2rl", "violations: 0", "complete: yes", "         9  above"} <= set(
        lines
    )


@pytest.mark.parametrize(
    ("graph", "fail_on", "code"),
    [
        ("", "info", 0),
        (TWO_BOSSES, "violation", 1),
        (TWO_BOSSES, "never", 0),
        (":adams :worksIn :red .", "violation", 0),
        (":adams :worksIn :red .", "warning", 1),
    ],
)
def test_audit_fails_from_the_named_severity_on(
    noesis: Noesis, tmp_path: Path, graph: str, fail_on: str, code: int
) -> None:
    assert noesis("audit", write(tmp_path / "firm", graph), "--fail-on", fail_on).code == code


def test_audit_shows_as_many_as_asked_and_the_total(noesis: Noesis, tmp_path: Path) -> None:
    folder = write(tmp_path / "firm", ":adams :manages :adams . :brook :manages :brook . :crane :manages :crane .")
    result = noesis("audit", folder, "--limit", 1, "--json")
    totals = result.json["totals"]
    assert (totals["findings"], totals["shown"], len(result.json["findings"])) == (3, 1, 1)
    assert result.json["findings"][0]["message"] == "Adams manages Adams"
    text = noesis("audit", folder, "--limit", 2, "--no-proofs").out.splitlines()
    assert text[0] == "3 violations; 2 of 3 shown"
    assert [line for line in text[2:] if line] == [
        "violation: Adams manages Adams [ownBoss]",
        "violation: Brook manages Brook [ownBoss]",
    ]


# Exit codes and errors ------------------------------------------------------------------------------------------


def test_a_budget_that_runs_out_ends_with_4(noesis: Noesis, firm: Path) -> None:
    for arguments in (("materialise", firm), ("check", firm, ":adams", ":mentors", ":lewis")):
        result = noesis(*arguments, "--seconds", "0.001")
        assert (result.code, "incomplete" in result.err) == (4, True)


@pytest.mark.parametrize(
    ("sparql", "code", "said"),
    [
        ("CONSTRUCT WHERE { ?s ?p ?o }", 3, "SELECT"),
        ("SELECT WHERE {", 2, "noesis: "),
        ("SELECT * { ?s nope:p ?o }", 2, "nope"),
    ],
)
def test_a_query_that_cannot_be_answered_says_why(
    noesis: Noesis, firm: Path, sparql: str, code: int, said: str
) -> None:
    result = noesis("query", firm, sparql)
    assert (result.code, said in result.err, result.err.count("\n"), result.out) == (code, True, 1, "")


def test_a_missing_folder_is_named(noesis: Noesis, tmp_path: Path) -> None:
    result = noesis("audit", tmp_path / "nowhere")
    assert (result.code, str(tmp_path / "nowhere") in result.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("firm.ttl", PREFIXES + ":a :b\n:c :d .\n", "firm.ttl:6"),
        ("firm.ttl", "# nothing\n", "firm.ttl"),
        ("rules.srl", "PREFIX : <https://example.org/firm#>\nRULE :r { ?x :p ?y } WHERE {\n", "rules.srl:3"),
        ("rules.srl", "PREFIX : <https://example.org/firm#>\nRULE :r { ?x :p ?z } WHERE { ?x :p ?y }", "rules.srl:2"),
        (
            "rules.srl",
            "PREFIX : <https://example.org/firm#>\nRULE :r { ?x :p ?x } WHERE { ?x :q ?y NOT { ?x :p ?x } }",
            "rules.srl:2",
        ),
        ("rules.srl", "RULE { ?x nope:p ?x } WHERE { ?x nope:q ?x }", "rules.srl:1"),
        ("domain.toml", "titel = 'A firm'", "did you mean 'title'"),
        ("domain.toml", "[fusion]\nepoch = 3", "epoch"),
    ],
    ids=["syntax", "empty", "rule-syntax", "unsafe", "unstratifiable", "prefix", "key", "setting"],
)
def test_bad_input_is_one_line_with_its_place(noesis: Noesis, firm: Path, name: str, content: str, place: str) -> None:
    (firm / name).write_text(content)
    result = noesis("train", firm)
    assert (result.code, place in result.err, result.err.count("\n")) == (2, True, 1), result.err


def test_a_run_folder_that_is_none_is_refused(noesis: Noesis, firm: Path, tmp_path: Path) -> None:
    other = tmp_path / "letters"
    other.mkdir()
    (other / "letter.txt").write_text("mine")
    for arguments in (("embed", firm), ("ask", firm, "Adams mentors Lewis.")):
        result = noesis(*arguments, "--run", other)
        assert (result.code, str(other) in result.err) == (2, True)
    assert [path.name for path in other.iterdir()] == ["letter.txt"]


def test_an_encoder_that_is_not_there_is_named(noesis: Noesis, firm: Path) -> None:
    result = noesis("ask", firm, "Adams mentors Lewis.", "--encoder", "./nowhere")
    assert (result.code, "./nowhere" in result.err) == (2, True)


def test_a_domain_name_does_not_lead_out_of_the_runs_folder(noesis: Noesis, tmp_path: Path) -> None:
    folder = write(tmp_path / "firm", settings='name = "../../evil"\n' + FAST)
    assert noesis("embed", folder).code == 0
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["evil"]


def test_an_interrupt_ends_with_130(noesis: Noesis, firm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.build.close", interrupt)
    assert noesis("materialise", firm).code == 130


# Training -------------------------------------------------------------------------------------------------------


def test_a_graph_too_small_is_not_trained_on(noesis: Noesis, bare: Path) -> None:
    result = noesis("embed", bare)
    assert (result.code, "at least 10 triples between entities" in result.err) == (2, True)


def test_demo_of_a_graph_too_small_answers_without_plausibilities(noesis: Noesis, bare: Path, tmp_path: Path) -> None:
    result = noesis("demo", bare)
    assert (result.code, "No model was trained" in result.out) == (0, True)
    report = json.loads((tmp_path / "runs" / "bare" / "report.json").read_text())
    assert (report["fusion"], report["embedding"], report["untrained"] != "") == ([], {}, True)
    assert ["Ann likes Bob", "entailed"] in [[claim["text"], claim["verdict"]] for claim in report["claims"]]
    assert "No model was trained" in (tmp_path / "runs" / "bare" / "report.html").read_text()


def test_embed_train_ask_and_demo_share_one_run_folder(noesis: Noesis, tmp_path: Path, tiny: Path) -> None:
    hostile = ':mallory a :Person ; rdfs:label "<script>alert(1)</script>" ; :manages :mallory .'
    folder = write(tmp_path / "firm", hostile + TWO_BOSSES, settings=f"{FAST}encoder = '{tiny}'\n")
    run = tmp_path / "runs" / "firm"

    assert set(noesis("embed", folder, "--json").json) == {"model", "train", "test"}
    audited = noesis("audit", folder, "--run", run, "--repairs", 4, "--json")
    pair = next(finding for finding in audited.json["findings"] if finding["rule"] == "mutual")
    likely = [repair["plausibility"] for repair in pair["repairs"] if len(repair["remove"]) == 1]
    assert len(likely) == 2
    assert likely == sorted(likely)
    assert all(0 < each < 1 for each in likely)
    trained = noesis("train", folder, "--json")
    assert trained.code == 0
    modes = [row["mode"] for row in trained.json["tables"][0]["rows"]]
    assert modes == ["fusion", "text only", "graph only", "shuffled graph"]

    (verdict,) = noesis("ask", folder, "Adams mentors Lewis.", "--json").json
    assert verdict["verdict"] == "unproven"
    assert 0 <= verdict["plausibility"] <= 1

    shown = noesis("demo", folder)
    assert shown.code == 0
    assert (
        "embedding, fusion-fusion, fusion-text-only, fusion-graph-only, fusion-shuffled-graph"
        in shown.out.splitlines()[-1]
    )
    page, report = (run / "report.html").read_text(), json.loads((run / "report.json").read_text())
    assert ("<script" in page, "&lt;script&gt;alert(1)&lt;/script&gt;" in page, "Invented." in page) == (
        False,
        True,
        True,
    )
    fields = "title notice loaded inferred_by_rule violations embedding fusion untrained claims claim_figures footer"
    assert " ".join(report) == fields
    assert {path.name for path in run.iterdir()} == {
        "run.json", "embedding", "fusion-fusion", "fusion-text-only", "fusion-graph-only", "fusion-shuffled-graph",
        "report.json", "report.html",
    }  # fmt: skip


def test_a_second_demo_takes_up_what_the_first_left(noesis: Noesis, tmp_path: Path, tiny: Path) -> None:
    folder = write(tmp_path / "firm", settings=FAST)
    taken_up = []
    for _ in range(2):
        assert noesis("demo", folder, "--run", "out", "--encoder", tiny).code == 0
        taken_up.append(json.loads(Path("out/report.json").read_text())["footer"].partition("again: ")[2])
    assert taken_up == [
        "none.",
        "embedding, fusion-fusion, fusion-text-only, fusion-graph-only, fusion-shuffled-graph.",
    ]


def test_a_model_of_another_graph_is_left_out_and_said(
    noesis: Noesis, tmp_path: Path, tiny: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write(tmp_path / "firm", settings=f"{FAST}encoder = '{tiny}'\n")
    assert noesis("train", folder).code == 0
    write(folder, ":new a :Person .")
    (verdict,) = noesis("ask", folder, "Adams mentors Lewis.", "--json").json
    assert (verdict["verdict"], verdict["plausibility"]) == ("unproven", None)
    assert [r.message[:15] for r in caplog.records if r.levelname == "WARNING"] == ["no plausibility"]
    assert noesis("ask", folder, "Adams mentors Lewis.", "--run", "runs/firm").code == 2


# Prediction -----------------------------------------------------------------------------------------------------


def test_predict_asks_the_runs_embedding_and_says_why_it_rejects(noesis: Noesis, tmp_path: Path) -> None:
    folder = write(tmp_path / "firm", settings=FAST)
    assert noesis("embed", folder).code == 0

    found = noesis("predict", folder, ":adams", ":mentors", "-k", 100, "--rejected", "--json")
    assert found.code == 0
    accepted = {tuple(each["triple"]) for each in found.json["predictions"]}
    people = {f":{name.lower()}" for name in NAMES} - {":drake"}  # that one is known
    # the classes are entities of the embedding too, and nothing says that a class is no person
    assert accepted == {(":adams", ":mentors", each) for each in people | {":Team", ":Person"}}
    reasons = {each["triple"][2]: each["rejection"] for each in found.json["rejected"]}
    assert {":red", ":blue"} <= set(reasons)
    assert reasons[":red"]["axiom"] == [":mentors", "rdfs:range", ":Person"]
    assert reasons[":red"]["proof"] is not None

    text = noesis("predict", folder, ":adams", ":mentors", "-k", 100, "--rejected").out.splitlines()
    at = next(number for number, line in enumerate(text) if line.startswith("  rejected: Adams mentors Red Team"))
    assert [line[:4] for line in text[at + 1 : at + 3]] == ["    "] * 2
    assert "which are disjoint, by constraint" in text[at + 1]
    assert sum(line.startswith(f"  {at}. Adams mentors") for at, line in enumerate(text)) == len(accepted)

    heads = noesis("predict", folder, ":mentors", "--tail", ":lewis", "-k", 2, "--strictness", "typed", "--json").json
    assert [each["triple"][1:] for each in heads["predictions"]] == [[":mentors", ":lewis"]] * 2


@pytest.mark.parametrize("terms", [(":adams",), (":adams", ":mentors", ":lewis"), (":a", ":b", "--tail", ":c")])
def test_predict_wants_a_relation_and_one_end(noesis: Noesis, firm: Path, terms: tuple[str, ...]) -> None:
    assert noesis("predict", firm, *terms).code == 2


# Help -----------------------------------------------------------------------------------------------------------


def test_every_command_has_help(noesis: Noesis) -> None:
    for name in ("ask", "check", "query", "materialise", "audit", "embed", "predict", "train", "demo"):
        result = CliRunner().invoke(app, [name, "--help"])
        assert (result.exit_code, "Usage:" in result.output) == (0, True)


def test_the_page_on_the_command_is_current() -> None:
    assert cli_docs.PAGE.read_text(encoding="utf-8") == cli_docs.page(), "run python -m tests.cli_docs"
