"""docs/rules.md: its table of W3C ids is that of the built-in rules, and what it says is left out is left out."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from engine.symbolic import builtin_rules
from engine.symbolic.rulesets import owl
from kg.terms import local_name
from tests.docs_examples import ROOT

PAGE = ROOT / "docs" / "rules.md"
ID = re.compile(r"(?:eq|prp|cls|cax|dt|scm)-[a-z]+[a-z0-9-]*|rdfs\d+[a-z]?")
TABLES = {"Table 4": "eq", "Table 5": "prp", "Table 6": "cls", "Table 7": "cax", "Table 8": "dt", "Table 9": "scm"}
RDFS = {*(f"rdfs{number}" for number in range(1, 14) if number != 4), "rdfs4a", "rdfs4b"}


def rows() -> Iterator[tuple[str, list[str], list[str]]]:
    """The rows of the table: which rules, the ids that are there, the ids that are left out."""
    table = PAGE.read_text(encoding="utf-8").split("| rules | there | left out |\n|---|---|---|\n")[1]
    for line in table.split("\n\n")[0].splitlines():
        rules, there, left_out = line.strip("|").split("|")
        yield rules.strip(), re.findall(r"`([^`]+)`", there), re.findall(r"`([^`]+)`", left_out)


def ids(column: int) -> list[str]:
    """The ids in a column of the table, sorted, with repeats."""
    return sorted(id for row in rows() for id in row[column])


def built_in(entailment: str) -> set[str]:
    """The ids of the rules that are written in a rule file."""
    return {local_name(rule.iri) for rule in builtin_rules(entailment) if rule.iri is not None}


def made_from_axioms() -> set[str]:
    """The ids that owl.py names in its code."""
    strings = (node.value for node in ast.walk(ast.parse(inspect.getsource(owl))) if isinstance(node, ast.Constant))
    return {value for value in strings if isinstance(value, str) and ID.fullmatch(value)}


def test_the_table_has_the_ids_of_the_built_in_rules() -> None:
    assert ids(1) == sorted(built_in("owl2rl") | built_in("rdfs") | made_from_axioms())


def test_what_is_left_out_is_what_the_rule_files_say_and_not_there() -> None:
    folder = Path(inspect.getfile(owl)).parent
    texts = [(folder / f"{name}.srl").read_text(encoding="utf-8") for name in ("owl2rl", "rdfs")]
    comments = "\n".join(line for text in texts for line in text.splitlines() if line.startswith("#"))
    named = set(re.findall(ID, comments))
    assert ids(2) == sorted(named - set(ids(1)))


def test_an_id_stands_in_the_row_of_its_table() -> None:
    wrong = []
    for rules, there, left_out in rows():
        start = next((prefix for table, prefix in TABLES.items() if table in rules), "rdfs")
        wrong += [(rules, id) for id in (*there, *left_out) if re.split(r"-|\d", id)[0] != start]
    assert wrong == []


def test_the_rdfs_row_accounts_for_every_pattern_of_the_specification() -> None:
    assert {id for id in (*ids(1), *ids(2)) if id.startswith("rdfs")} == RDFS
