"""The evaluation cases of the SPARQL-RL draft's test suite: what each rule set infers, up to blank nodes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
import rdflib
from rdflib import BNode, Namespace, URIRef
from rdflib.compare import isomorphic, to_isomorphic

from engine.symbolic import materialise
from engine.symbolic.srl import parse_rules
from kg.errors import UnsupportedRuleError
from kg.graph import KnowledgeGraph

SUITE = Path(__file__).parents[2] / "shared" / "suites" / "sparql-rl"
MF = Namespace("http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#")

UNSUPPORTED = {
    "link-1-path.srl": "reads the triple terms of RDF 1.2 annotations",
    "link-2-path.srl": "reads the triple terms of RDF 1.2 annotations",
}
"""Rule sets of given cases that are refused by name, with the reason."""


class Case(NamedTuple):
    """A case whose files are all there."""

    name: str
    rules: Path
    data: Path | None
    result: Path


def cases() -> list[Case]:
    found = []
    for folder in ("eval", "eval2", "examples"):
        manifest = SUITE / folder / "manifest.ttl"
        graph = rdflib.Graph().parse(manifest, format="turtle") if manifest.exists() else rdflib.Graph()
        for case, action in sorted(graph.subject_objects(MF.action), key=str):
            named = [graph.value(case, MF.result)]
            named += list(graph.objects(action)) if isinstance(action, BNode) else [action]
            paths = [manifest.parent / Path(str(term)).name for term in named if isinstance(term, URIRef)]
            if len(paths) >= 2 and all(path.exists() for path in paths):
                rules = next(path for path in paths if path.suffix == ".srl")
                data = next((path for path in paths[1:] if path.suffix == ".ttl"), None)
                found.append(Case(str(case).rpartition("/")[2].rpartition("#")[2], rules, data, paths[0]))
    return found


CASES = cases()
pytestmark = pytest.mark.skipif(not SUITE.exists(), reason="the draft's test suite is not beside this checkout")


def test_the_given_cases_are_found() -> None:
    assert len(CASES) >= 26


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    rules = parse_rules(case.rules.read_text("utf-8"), file=case.rules.name, base=case.rules.as_uri())
    if case.rules.name in UNSUPPORTED:
        with pytest.raises(UnsupportedRuleError, match="triple term"):
            materialise(KnowledgeGraph.from_rdflib(rdflib.Graph()), rules, entailment="none")
        return
    data = rdflib.Graph()
    if case.data is not None:
        data.parse(case.data, format="turtle")
    closure = materialise(KnowledgeGraph.from_rdflib(data), rules, entailment="none")
    inferred = rdflib.Graph()
    for triple in closure.graph.to_rdflib():
        if triple not in data:
            inferred.add(triple)
    wanted = rdflib.Graph().parse(case.result, format="turtle")
    assert isomorphic(inferred, wanted), (set(to_isomorphic(inferred)), set(to_isomorphic(wanted)))
