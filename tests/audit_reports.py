"""Reports of audits to render: of real closures, and one that has every part and hostile text in each."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from rdflib import OWL, RDF, RDFS, BNode, Literal, Namespace, URIRef
from rdflib.term import Node

from engine.audit import AuditReport, AuditRule, Finding, Kind, Limits, audit
from engine.audit.compare import compared
from engine.symbolic import Budget, Closure, Severity, load_rules, materialise, parse_rules
from kg.domain import load_domain
from kg.graph import KnowledgeGraph

ROOT = Path(__file__).parents[1]
EX = Namespace("https://example.org/audit#")

HOSTILE = (
    "<script>alert(1)</script>",
    "</pre></details><img src=x onerror=alert(1)>",
    "]]><!-- -->",
    "&lt;b&gt; & &#64;everyone",
    "javascript:alert(1)",
    "[click](javascript:alert(1)) [x]: y",
    "![image](https://evil.example/pixel.png)",
    "https://evil.example/a?b=c www.evil.example mail@evil.example",
    "@everyone org/repo#1 #2 GH-3 deadbeefcafe1234 :smile:",
    "a|b||c \\| d",
    "`code` ``` fence",
    "*bold* __strong__ ~~gone~~ $x^2$",
    "\x00\x07\x1b[31mred\x1b]0;title\x07\x7f\x9b",
    "\u202egnp.exe\u202c \u2066iso\u2069 \u200b\ufeff",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1:A9)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    "\uff1d1+1",
    "first\nsecond\r\n# third\n\n- fourth\n1. fifth",
    "::error file=x::boom",
    "##[error]boom ##vso[task.complete]",
    "{0} {x} }} {{",
    "\ufffe\uffff\U000e0001",
    "\"quoted\" 'single' %s %n",
    "    indented",
    "> quote",
    "x" * 700,
)
"""Labels that would act in some format, in a terminal, or on a build server, were they not made inert."""

RULES = """
PREFIX : <https://example.org/audit#>
PREFIX sh: <http://www.w3.org/ns/shacl#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
RULE :sub { ?x :above ?z } WHERE { ?x :over ?y . ?y :over ?z }
RULE :pair { [] a sh:ValidationResult ; sh:resultSeverity sh:Warning ; sh:resultMessage "{?x} over {?y}" }
WHERE { ?x :over ?y }
RULE :far { [] a sh:ValidationResult ; sh:resultSeverity sh:Info ; sh:resultMessage "{?x} far over {?y}" }
WHERE { ?x :above ?y }
"""


def conforming() -> AuditReport:
    """A report without findings."""
    graph = KnowledgeGraph.from_triples([(EX.a, RDF.type, EX.Thing)])
    return audit(materialise(graph), name="calm")


def clash() -> AuditReport:
    """The report of the domain in docs/examples/clash, in which two are parents of each other."""
    domain = load_domain(ROOT / "docs" / "examples" / "clash")
    return audit(materialise(domain.graph, load_rules(domain.rule_files, root=domain.folder)), name="clash")


def inconsistent() -> AuditReport:
    """A report with an OWL inconsistency whose proof has an inferred premise, warnings and notes."""
    triples: list[tuple[Node, Node, Node]] = [
        (EX.Cat, RDFS.subClassOf, EX.Animal),
        (EX.Animal, OWL.disjointWith, EX.Stone),
        (EX.tom, RDF.type, EX.Cat),
        (EX.tom, RDF.type, EX.Stone),
        (EX.tom, EX.over, EX.b),
        (EX.b, EX.over, EX.c),
    ]
    return audit(_closed(triples), name="inconsistent")


def incomplete() -> AuditReport:
    """A report of a closure whose budget ran out."""
    chain = [(EX[f"n{number}"], EX.over, EX[f"n{number + 1}"]) for number in range(50)]
    graph = KnowledgeGraph.from_triples(chain)
    return audit(materialise(graph, parse_rules(RULES), budget=Budget(triples=5)), name="short")


def hostile() -> AuditReport:
    """A report in which every label is hostile, and each term is one of the odd ones too."""
    triples: list[tuple[Node, Node, Node]] = []
    for number, text in enumerate(HOSTILE):
        node: Node = EX[f"n{number}"] if number % 2 else BNode(f"n{number}")
        triples += [(node, RDFS.label, Literal(text)), (node, EX.over, Literal(text)), (node, RDF.type, EX.Odd)]
        triples += [(node, EX.over, URIRef(f"javascript:alert({number})"))]
    triples += [(EX.Odd, RDFS.label, Literal(HOSTILE[0])), (EX.over, RDFS.label, Literal(HOSTILE[4]))]
    return audit(_closed(triples), name=HOSTILE[0], checks=[_odd_findings])


def _odd_findings(closure: Closure) -> list[Finding]:
    """A finding without focus for each hostile text, as its own rule's id and text, file and detail."""
    found = []
    for number, text in enumerate(HOSTILE):
        rule = AuditRule(f"{number} {text}", Kind.RULE, Severity.INFO, text, text, text)
        found.append(Finding(rule, Severity.WARNING, text, detail={text: text, "list": [text]}))
    focus = Literal("x", lang="en")
    shape = AuditRule("shape", Kind.SHAPE, iri="https://example.org/a b<c>")
    terms = {"path": EX.over, "value": Literal(HOSTILE[13])}
    detail = {"component": "http://www.w3.org/ns/shacl#MinCountConstraintComponent"}
    return [*found, Finding(shape, Severity.VIOLATION, "shape", focus, terms, detail=detail)]


@cache
def _inconsistent() -> str:
    return json.dumps(inconsistent().to_dict())


def full(text: str = HOSTILE[0]) -> dict[str, Any]:
    """A report that has every part, with a text in every place that text of others can reach."""
    report: dict[str, Any] = json.loads(_inconsistent())
    report["subject"].update(name=text, files=[text])
    report["incomplete"], report["conforms"] = text, False
    term = {"value": f'"{text}"', "text": text, "label": text, "kind": "literal"}
    triple = {"subject": term, "predicate": term, "object": term, "text": text, "file": text}
    for rule in report["rules"]:
        rule.update(text=text, iri=text, source=text, file=text, line=7)
    for number, finding in enumerate(report["findings"]):
        odd = {"iri": dict(term, value=f"<x:{text}>", kind="iri"), "blank": dict(term, value=f"_:{text}", kind="blank")}
        terms = {text: term, "value": term, "path": odd["iri"], **odd}
        finding.update(message=text, focus=odd["blank"], classes=[term], terms=terms, file=text, line=3)
        finding.update(status="new" if number % 2 else "unchanged", text=f"{text}\n  {text}", group=1)
        finding["supports"] = {"complete": False, "sets": [{"triples": [triple], "rules": [text]}]}
        repair = {"remove": [triple], "add": [], "mends": 2, "plausibility": 0.25, "text": text}
        finding.update(repairs=[repair], detail={text: [text, text]})
    keys = [finding["key"] for finding in report["findings"]]
    report["groups"] = [{"number": 1, "cause": [triple], "text": text, "findings": len(keys), "keys": keys}]
    refuted = {"line": 4, "claim": triple, "verdict": "contradicted", "reason": text, "text": text, "proof": None}
    unclear = {"line": None, "claim": triple, "verdict": "unknown", "reason": text, "text": None, "proof": None}
    totals = {"entailed": 0, "contradicted": 1, "unproven": 0, "unknown": 1}
    report["claims"] = {"file": text, "total": 2, "totals": totals, "shown": 2, "results": [refuted, unclear]}
    mended = {"key": keys[0], "rule": text, "severity": "violation", "message": text}
    report["against"] = {"name": text, "new": 1, "unchanged": 3, "mended": 1, "mended_findings": [mended]}
    return report


def many(count: int) -> dict[str, Any]:
    """A report of as many findings, all told, in a rule for each ten of them."""
    one = clash().to_dict()
    rule, finding = one["rules"][0], one["findings"][0]
    one["rules"] = [dict(rule, id=f"rule{n}", total=10, shown=10) for n in range(count // 10)]
    one["findings"] = [dict(copy.deepcopy(finding), rule=f"rule{n // 10}", key=f"{n:016x}") for n in range(count)]
    by_rule = {each["id"]: 10 for each in one["rules"]}
    one["totals"].update(findings=count, shown=count, by_rule=by_rule, by_kind={"constraint": count})
    one["totals"]["by_severity"]["violation"] = count
    return one


NAMES = (
    "calm",
    "capped",
    "clash",
    "compared",
    "full",
    "hostile",
    "inconsistent",
    "many",
    "nothing told",
    "shared id",
    "short",
    "without proofs",
)
"""Of `reports`, so that tests can be named for them without making any."""


@cache
def reports() -> Mapping[str, dict[str, Any]]:
    """All of them as plain data, by name; made once, to be read only."""
    real = {"calm": conforming(), "clash": clash(), "inconsistent": inconsistent(), "short": incomplete()}
    found = {name: report.to_dict() for name, report in real.items()}
    found["hostile"] = hostile().to_dict()
    found["capped"] = hostile().to_dict(Limits(findings=3, per_rule=1))
    found["without proofs"] = clash().to_dict(Limits(proofs=False))
    found["nothing told"] = clash().to_dict(Limits(findings=0))
    found["compared"] = compared(clash(), inconsistent()).to_dict()
    found["shared id"] = copy.deepcopy(found["clash"])
    found["shared id"]["rules"] *= 2  # as of two shapes that are named alike
    return {**found, "full": full(), "many": many(600)}


def _closed(triples: list[tuple[Node, Node, Node]]) -> Closure:
    graph = KnowledgeGraph.from_triples(triples, prefixes={"ex": str(EX)})
    return materialise(graph, parse_rules(RULES), entailment="owl2rl")
