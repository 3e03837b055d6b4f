"""The SPARQL-RL draft's test suite: syntax, well-formedness, stratification and evaluation, by its manifests.

A folder holds one folder per manifest. Every manifest there is run, so that cases which join the suite are found. A
case is given when each file it names is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import rdflib
from rdflib import RDF, BNode, Namespace, URIRef
from rdflib.collection import Collection
from rdflib.compare import graph_diff, isomorphic
from rdflib.term import Node

from engine.symbolic import materialise
from engine.symbolic.builtins import check_functions
from engine.symbolic.srl import parse_rules
from engine.symbolic.stratify import stratify_rules
from kg import KnowledgeGraph, load_graph
from kg.errors import EmptyGraphError, NoesisError, RuleError, StratificationError, SyntaxInputError
from kg.terms import TripleTerm
from pipelines.conformance.case import CaseResult, Outcome

__all__ = ["run_sparql_rl"]

SUITE = "sparql-rl"
MF = Namespace("http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#")
TESTS = Namespace("http://www.w3.org/ns/sparql-rl-tests#")


@dataclass(frozen=True)
class _Case:
    """A case of a manifest: the local name of its type, and its files as the manifest names them."""

    name: str
    type: str
    rules: Path
    data: Path | None
    result: Path | None

    @property
    def missing(self) -> list[str]:
        """The names of the files that are not there."""
        return [path.name for path in (self.rules, self.data, self.result) if path is not None and not path.exists()]


def run_sparql_rl(folder: Path) -> list[CaseResult]:
    """The result of each case of each manifest in the folder's subfolders, in the order of the manifests.

    Raises:
        NoesisError: a manifest cannot be read.
    """
    return [_run(case, path.parent.name) for path in sorted(folder.glob("*/manifest.ttl")) for case in _cases(path)]


def _cases(path: Path) -> Iterator[_Case]:
    manifest = load_graph(path, base=path.as_uri()).to_rdflib()
    for entries in manifest.objects(None, MF.entries):
        for case in Collection(manifest, entries):
            action, types = manifest.value(case, MF.action), list(manifest.objects(case, RDF.type))
            if action is None or not types:
                continue  # named among the entries and described nowhere
            nested = isinstance(action, BNode)
            rules = manifest.value(action, TESTS.ruleset) if nested else action
            data = manifest.value(action, TESTS.data) if nested else None
            files = [_path(term) for term in (rules, data, manifest.value(case, MF.result))]
            assert files[0] is not None, "an action names a rule set"
            name = str(case).rpartition("#")[2].rpartition("/")[2]
            if not nested:
                name = files[0].name  # entries of these manifests are numbered, so the file says more
            yield _Case(name, _local(types[0]), files[0], files[1], files[2])


def _path(term: Node | None) -> Path | None:
    return Path(url2pathname(unquote(urlsplit(str(term)).path))) if isinstance(term, URIRef) else None


def _local(term: Node) -> str:
    return str(term).rpartition("#")[2].rpartition("/")[2]


def _run(case: _Case, kind: str) -> CaseResult:
    sign = " negative" if "Negative" in case.type else " positive" if "Positive" in case.type else ""
    kind += sign
    if case.missing:
        missing = f"not there: {', '.join(case.missing)}"
        return CaseResult(SUITE, case.name, kind, Outcome.NOT_GIVEN, missing)
    test = next((test for word, test in _TESTS.items() if word in case.type), None)
    if test is None:
        return CaseResult(SUITE, case.name, kind, Outcome.OUTSIDE, f"no test of ours is of type {case.type}")
    try:
        reason = test(case, bool(sign == " negative"))
    except NoesisError as error:
        reason = f"{type(error).__name__}: {error}"
    return CaseResult(SUITE, case.name, kind, Outcome.FAILED if reason else Outcome.PASSED, reason)


def _text(case: _Case) -> tuple[str, str, str]:
    return case.rules.read_text("utf-8"), case.rules.name, case.rules.as_uri()


def _syntax(case: _Case, negative: bool) -> str:
    """A positive case follows the grammar; a negative one is refused when it is read.

    Whether variables have values is no question of the grammar, so a positive case is read without that check.
    """
    text, file, base = _text(case)
    if not negative:
        parse_rules(text, file=file, base=base, check=False)
        return ""
    try:
        parse_rules(text, file=file, base=base)
    except (SyntaxInputError, RuleError):
        return ""
    return "was read, and should have been refused"


def _stratification(case: _Case, negative: bool) -> str:
    text, file, base = _text(case)
    rules = parse_rules(text, file=file, base=base)
    try:
        stratify_rules(rules)
    except StratificationError as error:
        return "" if negative else str(error)
    return "was put into strata, and should have been refused" if negative else ""


def _well_formed(case: _Case, negative: bool) -> str:
    text, file, base = _text(case)
    try:
        rules = parse_rules(text, file=file, base=base)
        for rule in rules:
            check_functions(rule)
        stratify_rules(rules)
    except RuleError as error:
        return "" if negative else str(error)
    return "was accepted, and should have been refused" if negative else ""


def _evaluation(case: _Case, _negative: bool) -> str:
    """What the rules add to the data is, up to blank nodes, the result."""
    text, file, base = _text(case)
    data = _graph(case.data)
    given = set(data.triples())
    closure = materialise(data, parse_rules(text, file=file, base=base), entailment="none")
    inferred = _plain(triple for triple in closure.graph.triples() if triple not in given)
    wanted = _plain(_graph(case.result).triples())
    if isomorphic(inferred, wanted):
        return ""
    _, more, less = graph_diff(inferred, wanted)
    return f"inferred {_show(more)} instead of {_show(less)}"


_TESTS: dict[str, Callable[[_Case, bool], str]] = {
    "Syntax": _syntax,
    "Stratification": _stratification,
    "WellFormed": _well_formed,
    "Wellformed": _well_formed,
    "Eval": _evaluation,
}


def _graph(path: Path | None) -> KnowledgeGraph:
    try:
        return KnowledgeGraph.from_triples([]) if path is None else load_graph(path, base=path.as_uri())
    except EmptyGraphError:
        return KnowledgeGraph.from_triples([])


def _plain(triples: Iterator[tuple[Node, Node, Node]]) -> rdflib.Graph:
    """The triples as an rdflib graph, in which a triple term is a blank node with three triples of its own."""
    graph = rdflib.Graph()
    nodes: dict[TripleTerm, BNode] = {}

    def plain(term: Node) -> Node:
        if not isinstance(term, TripleTerm):
            return term
        if term not in nodes:
            nodes[term] = BNode()
            for part, name in zip(term.parts, ("subject", "predicate", "object"), strict=True):
                graph.add((nodes[term], URIRef(f"urn:triple-term:{name}"), plain(part)))
        return nodes[term]

    for s, p, o in triples:
        graph.add((plain(s), p, plain(o)))
    return graph


def _show(graph: rdflib.Graph) -> str:
    lines = sorted(" ".join(term.n3() for term in triple) for triple in graph)
    return "; ".join(lines[:5]) + (f"; {len(lines) - 5} more" if len(lines) > 5 else "") or "nothing"
