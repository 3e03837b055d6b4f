"""A report as a SHACL validation report (W3C recommendation of July 2017, section 3.6), with what it rests on.

Each finding told is a `sh:ValidationResult`. What SHACL has no word for is in terms of ours (`AUDIT`): the proof in
words, whether a premise is inferred, key, status. `prov:wasDerivedFrom` names the asserted triples of the proof.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pyoxigraph as ox
from rdflib import DCTERMS, PROV, RDF, RDFS, SH, BNode, Graph, Literal, Namespace, URIRef
from rdflib.term import Node

from kg.terms import TripleTerm, term_from_key
from pipelines.report.inert_text import block, escape_unprintable, line
from pipelines.report.plain_text import rules_by_id

__all__ = ["AUDIT", "render_jsonld", "render_turtle", "shacl_graph"]

Report = Mapping[str, Any]

AUDIT = Namespace("urn:noesis:audit#")
"""Our own terms: inferred, proof, key, status, rule, incomplete, total, binding, variable, value, and a constraint
component for each kind of finding that is none of SHACL's."""

_SEVERITIES = {"violation": SH.Violation, "warning": SH.Warning, "info": SH.Info}
_COMPONENTS = {
    "constraint": "Domain",
    "inconsistency": "Inconsistency",
    "shape": "Shape",
    "completeness": "Completeness",
    "rule": "Rule",
    "schema": "Schema",
}
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_PLAIN_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_PREFIXES = {"sh": str(SH), "prov": str(PROV), "dct": str(DCTERMS), "rdfs": str(RDFS), "audit": str(AUDIT)}


def render_turtle(report: Report) -> str:
    r"""The validation report as Turtle; characters that are not printable are written `\u…`."""
    return escape_unprintable(shacl_graph(report).serialize(format="turtle"), astral=True)


def render_jsonld(report: Report) -> str:
    """The validation report as expanded JSON-LD, which needs no context to be fetched."""
    found = _sorted(json.loads(shacl_graph(report).serialize(format="json-ld")))
    return escape_unprintable(json.dumps(found, indent=2, ensure_ascii=False)) + "\n"


def _sorted(value: Any) -> Any:
    """The same JSON-LD in an order of its own: without `@list`, arrays are sets."""
    if isinstance(value, list):
        return sorted(map(_sorted, value), key=lambda item: json.dumps(item, sort_keys=True))
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, dict) else value


def shacl_graph(report: Report) -> Graph:
    """The validation report as an rdflib graph.

    `sh:conforms` is false too where the audit is incomplete, as nothing is known then; `audit:incomplete` says why.
    Names of blank nodes and IRIs that RDF does not allow are written in a form that it does.
    """
    found = Graph(bind_namespaces="none")
    for prefix, namespace in _PREFIXES.items():
        found.bind(prefix, namespace)
    root = BNode("audit-report")  # no name that `_term` gives holds a hyphen
    found.add((root, RDF.type, SH.ValidationReport))
    found.add((root, SH.conforms, Literal(report["conforms"])))
    found.add((root, AUDIT.total, Literal(report["totals"]["findings"])))
    if report["incomplete"] is not None:
        found.add((root, AUDIT.incomplete, Literal(line(report["incomplete"]))))
    rules = rules_by_id(report)
    for number, finding in enumerate(report["findings"], start=1):
        result = BNode(f"audit-result-{number}")
        found.add((root, SH.result, result))
        for predicate, term in _result(finding, rules[finding["rule"]]):
            found.add((result, predicate, term))
        _add_bindings(found, result, finding["terms"])
        _add_premises(found, result, finding["proof"])
    return found


def _result(finding: Mapping[str, Any], rule: Mapping[str, Any]) -> Iterator[tuple[URIRef, Node]]:
    terms = finding["terms"]
    yield RDF.type, SH.ValidationResult
    yield SH.resultSeverity, _SEVERITIES[finding["severity"]]
    yield SH.resultMessage, Literal(line(finding["message"]))
    yield SH.focusNode, _term(finding["focus"]["value"]) if finding["focus"] else _shape(rule)
    if "path" in terms and terms["path"]["kind"] == "iri":
        yield SH.resultPath, _term(terms["path"]["value"])
    if "value" in terms:
        yield SH.value, _term(terms["value"]["value"])
    yield SH.sourceConstraintComponent, _component(finding)
    yield SH.sourceShape, _shape(rule, finding)
    yield AUDIT.rule, Literal(line(rule["id"]))
    yield AUDIT.key, Literal(finding["key"])
    yield AUDIT.inferred, Literal(finding["inferred"] or bool(finding["detail"].get("inferred")))
    if finding["status"] is not None:
        yield AUDIT.status, Literal(finding["status"])
    if finding["text"]:
        yield AUDIT.proof, Literal(block(finding["text"]))


def _component(finding: Mapping[str, Any]) -> URIRef:
    """SHACL's own where a shape was broken and the finding says which, else one of ours by the kind of finding."""
    named = _told(finding, "component")
    if finding["kind"] == "shape" and named is not None and named.strip("<>").startswith(str(SH)):
        return _iri(named.strip("<>"))
    return AUDIT[f"{_COMPONENTS[finding['kind']]}ConstraintComponent"]


def _told(finding: Mapping[str, Any], name: str) -> str | None:
    """A term or detail of this name, as the key of a term or an IRI."""
    value = finding["terms"][name]["value"] if name in finding["terms"] else finding["detail"].get(name)
    return value if isinstance(value, str) else None


def _shape(rule: Mapping[str, Any], finding: Mapping[str, Any] | None = None) -> Node:
    """The shape that was broken where it has a name; else the rule, by its IRI or its id."""
    named = None if finding is None or finding["kind"] != "shape" else _told(finding, "shape")
    if named is not None and named.startswith("<") and named.endswith(">"):
        return _iri(named[1:-1])
    iri = rule["iri"]
    return _iri(iri) if iri is not None else URIRef(f"urn:noesis:rule:{quote(line(rule['id']), safe='')}")


def _add_bindings(found: Graph, result: BNode, terms: Mapping[str, Any]) -> None:
    """The constraint's variables, which SHACL has no place for."""
    for name, term in terms.items():
        if name not in ("path", "value", "shape", "component"):
            binding = BNode(f"{result}-{_digest(name)}")
            found.add((result, AUDIT.binding, binding))
            found.add((binding, AUDIT.variable, Literal(line(name))))
            found.add((binding, AUDIT.value, _term(term["value"])))


def _add_premises(found: Graph, result: BNode, proof: Mapping[str, Any] | None) -> None:
    """The asserted triples a proof rests on, in words, with the file each is from."""
    stack = [] if proof is None else [proof]
    while stack:
        part = stack.pop()
        stack.extend(reversed(part.get("premises", ())))
        if part["rule"] is not None:
            continue
        premise = BNode(f"audit-premise-{_digest(repr((part['conclusion'], part['source'])))}")
        found.add((result, PROV.wasDerivedFrom, premise))
        found.add((premise, RDF.type, PROV.Entity))
        found.add((premise, RDFS.label, Literal(line(part["text"]))))
        if part["source"] is not None:
            found.add((premise, DCTERMS.source, Literal(line(part["source"]))))


def _term(key: str) -> Node:
    """The term of a key, in a form that every RDF syntax can write."""
    term = term_from_key(key)
    match term:
        case URIRef():
            return _iri(str(term))
        case BNode():
            return term if _PLAIN_LABEL.fullmatch(term) else BNode(f"b{_digest(str(term))}")
        case TripleTerm():
            return Literal(_SURROGATES.sub("\N{REPLACEMENT CHARACTER}", str(term)))
    assert isinstance(term, Literal)
    text = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", str(term))
    datatype = None if term.datatype is None else _iri(str(term.datatype))
    return Literal(text, lang=term.language, datatype=datatype, normalize=False)


def _iri(text: str) -> URIRef:
    """An IRI; of what is none, `urn:noesis:iri:` and its quoted text."""
    try:
        return URIRef(ox.NamedNode(text).value)
    except ValueError:
        return URIRef(f"urn:noesis:iri:{quote(text.encode('utf-8', 'replace'), safe='')}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
