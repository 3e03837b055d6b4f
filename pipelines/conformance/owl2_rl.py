"""The W3C OWL 2 test cases of the RL profile under the RDF-based semantics, one folder a case.

What the rules need not derive is told by the recommendation, not by a list of cases: they are complete for an ontology
of the profile and for conclusions that are assertions of four forms (OWL 2 Profiles, section 4.3, Theorem PR1). A
conclusion of another form that does not follow is outside; one of these forms that does not follow is a failure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rdflib import OWL, RDF, RDFS, BNode, URIRef

from engine.symbolic.closure import materialise
from engine.symbolic.comprehension import class_expressions
from engine.symbolic.datatypes import OWL2RL_DATATYPES
from engine.symbolic.surrogates import Interpreted
from kg.errors import EmptyGraphError, MissingFileError, NoesisError
from kg.graph import KnowledgeGraph
from kg.load import load_graph
from kg.terms import Triple
from pipelines.conformance.case import CaseResult, Outcome

__all__ = ["run_owl2_rl"]

SUITE = "owl2-rl"
TABLES, MORE = "owl2rl-full", "owl2rl-more"
KINDS = ("ConsistencyTest", "InconsistencyTest", "PositiveEntailmentTest", "NegativeEntailmentTest")
BEYOND_TABLES = "by a rule that is sound and in no table of OWL 2 RL/RDF"
WITH_COMPREHENSION = "with the comprehension principles (RDF-Based Semantics, section 8)"
_BASE = "http://example.org/owl2-rl/"
_NOT_IN_PROFILE = (OWL.ReflexiveProperty, OWL.disjointUnionOf, OWL.hasSelf)
"""Vocabulary of axioms that OWL 2 RL has not (OWL 2 Profiles, sections 4.2.3 and 4.2.5)."""
_VOCABULARY = (str(OWL), str(RDF), str(RDFS))


def run_owl2_rl(folder: Path) -> list[CaseResult]:
    """The results of the cases in a folder, by name; one for each type a case has in its `test.json`."""
    cases = sorted(path.parent for path in folder.glob("*/test.json"))
    return [result for case in cases for result in _run(case)]


def _run(case: Path) -> Iterator[CaseResult]:
    about: dict[str, Any] = json.loads((case / "test.json").read_text("utf-8"))
    for kind in about["types"]:
        try:
            outcome, reason = _outcome(case, kind)
        except MissingFileError as error:
            outcome, reason = Outcome.NOT_GIVEN, str(error)
        except NoesisError as error:
            outcome, reason = Outcome.FAILED, str(error)
        if outcome is not Outcome.PASSED and about.get("imports"):
            outcome, reason = Outcome.NOT_GIVEN, f"imports {', '.join(about['imports'])}, which is not in the folder"
        yield CaseResult(SUITE, about["id"], kind, outcome, reason)


def _outcome(case: Path, kind: str) -> tuple[Outcome, str]:
    """How a case ends as a test of one kind, and why."""
    if kind not in KINDS:
        return Outcome.OUTSIDE, f"a {kind} is no test of a reasoner's conclusions"
    premise = _read(case / "premise.rdf")
    if kind == "ConsistencyTest":
        found = _violation(premise) or _interpreted(premise, MORE).inconsistency
        return (Outcome.FAILED, f"found inconsistent: {found}") if found else (Outcome.PASSED, "")
    if kind == "InconsistencyTest":
        if _violation(premise) or _interpreted(premise, TABLES).inconsistency:
            return Outcome.PASSED, ""
        return _missed(premise, [], "no rule finds the inconsistency")
    conclusion = _read(case / ("conclusion.rdf" if kind == "PositiveEntailmentTest" else "nonconclusion.rdf"))
    if kind == "NegativeEntailmentTest":
        entailed = _interpreted(premise, MORE, conclusion).entails(conclusion)
        return (Outcome.FAILED, "the conclusion was found to follow") if entailed else (Outcome.PASSED, "")
    if _interpreted(premise, TABLES, conclusion).entails(conclusion):
        return Outcome.PASSED, ""
    closed = _interpreted(premise, MORE, conclusion)
    if closed.entails(conclusion):
        return Outcome.PASSED, BEYOND_TABLES
    expressions = class_expressions(conclusion)
    if expressions:
        granted = KnowledgeGraph.from_triples([*premise.triples(), *expressions])
        if _interpreted(granted, MORE, conclusion).entails(conclusion):
            return Outcome.PASSED, WITH_COMPREHENSION
    alone = ((triple, KnowledgeGraph.from_triples([triple])) for triple in conclusion.triples())
    missing = [triple for triple, graph in alone if not closed.entails(graph)]
    return _missed(premise, missing or list(conclusion.triples()), "does not follow")


def _violation(premise: KnowledgeGraph) -> str:
    """The first violation in the closure that a user gets, in words."""
    return next((str(violation) for violation in materialise(premise).violations), "")


def _interpreted(premise: KnowledgeGraph, entailment: str, *vocabulary: KnowledgeGraph) -> Interpreted:
    return Interpreted(premise, entailment=entailment, recognised=OWL2RL_DATATYPES, vocabulary=vocabulary)


def _missed(premise: KnowledgeGraph, missing: list[Triple], problem: str) -> tuple[Outcome, str]:
    """Outside where Theorem PR1 does not promise a derivation, else failed."""
    for term in _NOT_IN_PROFILE:
        if any(term in triple for triple in premise.triples()):
            name = str(term).removeprefix(str(OWL))
            return Outcome.OUTSIDE, f"the premise uses owl:{name}, which OWL 2 RL has not (Profiles, 4.2.5)"
    for triple in missing:
        problem = f"{triple} does not follow"
        if not _is_promised(triple):
            return Outcome.OUTSIDE, (
                f"the conclusion '{triple}' is none of the assertions ClassAssertion, ObjectPropertyAssertion, "
                "DataPropertyAssertion and SameIndividual of named individuals, for which the rules are complete "
                "(Profiles, 4.3, Theorem PR1)"
            )
    return Outcome.FAILED, problem


def _is_promised(triple: Triple) -> bool:
    """Whether a triple is an assertion for which the rules are complete, about named individuals."""
    if any(isinstance(term, BNode) for term in triple):
        return False
    if triple.predicate == RDF.type:
        return isinstance(triple.object, URIRef) and not str(triple.object).startswith(_VOCABULARY)
    return triple.predicate == OWL.sameAs or not str(triple.predicate).startswith(_VOCABULARY)


def _read(path: Path) -> KnowledgeGraph:
    """The triples of a file without its owl:Ontology header."""
    try:
        graph = load_graph(path, base=_BASE)
    except EmptyGraphError:
        return KnowledgeGraph.from_triples([])
    headers = {triple.subject for triple in graph.triples(predicate=RDF.type, object=OWL.Ontology)}
    return KnowledgeGraph.from_triples(triple for triple in graph.triples() if triple.subject not in headers)
