"""Audits compared: what is new, mended, still broken; names of blank nodes and the order of files mean nothing."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audit import AuditReport, Limits, audit
from engine.audit.compare import compared
from engine.audit.naming import stable_names
from engine.symbolic import Severity, materialise, parse_rules
from kg import load_graph
from kg.graph import KnowledgeGraph

RULES = parse_rules("""PREFIX : <http://e/>
RULE :no-loop { } WHERE { ?x :p ?x }
RULE :no-pair { } WHERE { ?x :p ?y . ?y :p ?x FILTER(?x != ?y) }""")
NODES = ["<http://e/a>", "<http://e/b>", "_:x", "_:y", "_:z"]
EDGES = st.sets(st.tuples(st.sampled_from(NODES), st.sampled_from(["p", "q", "r"]), st.sampled_from(NODES)), max_size=9)


def report_on(folder: Path, lines: list[str]) -> AuditReport:
    path = folder / "graph.nt"
    path.write_text("\n".join([*lines, "<http://e/s> <http://e/t> <http://e/u> .", ""]), encoding="utf-8")
    return audit(materialise(load_graph(path), RULES, entailment="none"), name=path.name)


def lines_of(edges: set[tuple[str, str, str]], names: dict[str, str] | None = None) -> list[str]:
    names = names or {}
    return [f"{names.get(s, s)} <http://e/{p}> {names.get(o, o)} ." for s, p, o in sorted(edges)]


@settings(max_examples=60, deadline=None)
@given(EDGES, st.randoms(use_true_random=False))
def test_other_names_and_another_order_change_nothing(
    tmp_path_factory: object, edges: set[tuple[str, str, str]], shuffle: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("compare")  # type: ignore[attr-defined]  # pytest's own, not exported by name
    before = report_on(folder, lines_of(edges))
    lines = lines_of(edges, {"_:x": "_:n3", "_:y": "_:n1", "_:z": "_:n2"})
    shuffle.shuffle(lines)
    found = compared(report_on(folder, lines), before)
    assert found.against is not None
    assert (found.against.new, found.against.mended) == (frozenset(), ())
    assert len(found.against.unchanged) == len(set(before.keys)) == len(before.findings)


def test_a_planted_fault_is_new_and_a_removed_one_is_mended(tmp_path: Path) -> None:
    lines = ["<http://e/a> <http://e/p> <http://e/a> .", "_:x <http://e/p> _:x .", "_:x <http://e/q> <http://e/b> ."]
    planted = [*lines[1:], "_:y <http://e/p> <http://e/b> .", "<http://e/b> <http://e/p> _:y ."]
    before, after = report_on(tmp_path, lines), report_on(tmp_path, planted)
    found = compared(after, before)
    assert found.against is not None
    assert (len(found.against.new), len(found.against.unchanged)) == (2, 1)
    assert [finding.rule.id for _, finding in found.against.mended] == ["no-loop"]
    described = found.to_dict(Limits(findings=2))
    assert [one["status"] for one in described["findings"]] == ["new", "new"]
    assert described["against"]["mended"] == 1
    assert found.at_least(Severity.VIOLATION) == 3
    assert found.at_least(Severity.VIOLATION, only_new=True) == 2
    back = compared(before, after)
    assert back.against is not None
    assert (len(back.against.new), len(back.against.mended)) == (1, 2)


def test_blank_nodes_that_differ_far_away_have_names_of_their_own(tmp_path: Path) -> None:
    def graph(label: str) -> KnowledgeGraph:
        path = tmp_path / "chain.nt"
        chains = [
            f"_:{label}{n}x{step} <http://e/next> " + (f"_:{label}{n}x{step + 1} ." if step < 6 else f'"{n}" .')
            for n in range(3)
            for step in range(7)
        ]
        path.write_text("\n".join(chains) + "\n", encoding="utf-8")
        return load_graph(path)

    names, again = stable_names(graph("a")), stable_names(graph("b"))
    assert len(set(names.values())) == 21
    assert sorted(names.values()) == sorted(again.values())
