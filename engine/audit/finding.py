"""`Finding`: one thing an audit has to say, and the rule it is said by."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from rdflib import RDF, BNode, Literal
from rdflib.term import Node

from engine.audit.naming import digest
from engine.symbolic import Proof, Severity, Violation
from engine.symbolic.rules import Constraint, Location
from kg.graph import KnowledgeGraph
from kg.terms import Triple, term_key
from kg.verbalise import verbalise

__all__ = ["AuditRule", "Finding", "Kind", "place", "term_dict", "triple_dict"]

_IN_MESSAGE = re.compile(r"\{\?(\w+)\}")
_OWL_RULES = "https://www.w3.org/TR/owl2-profiles/#"


class Kind(enum.StrEnum):
    """What an audit looks at.

    `CONSTRAINT`: a constraint of the domain's rule files. `INCONSISTENCY`: a rule of OWL 2 RL that concludes *false*.
    `SHAPE`: a SHACL shape. `COMPLETENESS`: something required that is not there, closed world. `RULE`: the rules
    themselves. `SCHEMA`: the ontology itself.
    """

    CONSTRAINT = "constraint"
    INCONSISTENCY = "inconsistency"
    SHAPE = "shape"
    COMPLETENESS = "completeness"
    RULE = "rule"
    SCHEMA = "schema"


@dataclass(frozen=True)
class AuditRule:
    """What a finding is measured against: a constraint, an OWL rule, a shape, or a check of the rules themselves.

    Args:
        id: short and stable, such as `cax-dw`; findings of one rule are counted and capped together.
        severity: of its findings, unless one says otherwise.
        text: what it asks for, in a sentence; empty for none. source: where it is defined, None where that is unknown.
    """

    id: str
    kind: Kind
    severity: Severity = Severity.VIOLATION
    text: str = ""
    iri: str | None = None
    source: str | None = None
    location: Location | None = None

    @classmethod
    def of(cls, constraint: Constraint) -> AuditRule:
        """The rule of a violated constraint."""
        iri = None if constraint.iri is None else str(constraint.iri)
        kind = Kind.INCONSISTENCY if iri is not None and iri.startswith(_OWL_RULES) else Kind.CONSTRAINT
        return cls(
            constraint.name,
            kind,
            constraint.severity,
            constraint.comment or "",
            iri,
            constraint.source,
            constraint.location,
        )


@dataclass(frozen=True, eq=False)
class Finding:
    """One thing that is wrong.

    Args:
        focus: the node it is about; None where it is about a rule.
        terms: what else it is about: the constraint's variables, or `path` and `value` of a SHACL result, by name.
        location: file and line where they are known; line 0 where the file alone is.
        violation: the match of a constraint it stands for, with its proof; None for the other kinds.
        detail: more about it, as JSON-ready values, such as the nearest declared term; told in every report.
    """

    rule: AuditRule
    severity: Severity
    message: str
    focus: Node | None = None
    terms: Mapping[str, Node] = field(default_factory=dict)
    location: Location | None = None
    violation: Violation | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, violation: Violation) -> Finding:
        """The finding of a violation; its focus is the first thing in the message, or among the variables."""
        constraint = violation.constraint
        terms = {str(v): term for v, term in violation.substitution.items()}
        named = (*_IN_MESSAGE.findall(constraint.message), *map(str, constraint.variables))
        order = [name for name in dict.fromkeys(named) if name in terms]
        things = [terms[name] for name in order if not isinstance(terms[name], Literal)]
        rule = AuditRule.of(constraint)
        focus = things[0] if things else None
        return cls(rule, violation.severity, violation.message, focus, terms, violation=violation)

    def __str__(self) -> str:
        return f"{self.severity}: {self.message} ({self.rule.id})"

    @property
    def proof(self) -> Proof | None:
        """Why it is so, as a proof of FALSE; None for what is not shown by rules."""
        return None if self.violation is None else self.violation.proof

    @cached_property
    def key(self) -> str:
        """What tells it from others, the same in every run: 16 hexadecimal digits.

        Made of rule, focus and terms. Blank nodes have no name of their own, so `named` gives them one first.
        """
        parts = [
            self.rule.kind,
            self.rule.id,
            *(f"{name}={term_key(term)}" for name, term in sorted(self.terms.items())),
        ]
        parts.append("" if self.focus is None else term_key(self.focus))
        parts += [self.message] if not self.terms and self.focus is None else []
        return digest(*parts)

    def named(self, names: Mapping[BNode, str]) -> Finding:
        """The finding with blank nodes under names that stay the same from one run to the next."""

        def name(term: Node) -> Node:
            return BNode(names[term]) if isinstance(term, BNode) and term in names else term

        focus = None if self.focus is None else name(self.focus)
        return replace(self, focus=focus, terms={key: name(term) for key, term in self.terms.items()})

    def classes(self, graph: KnowledgeGraph) -> tuple[Node, ...]:
        """The named classes its focus is asserted to be in."""
        if self.focus is None or isinstance(self.focus, Literal):
            return ()
        found = (triple.object for triple in graph.triples(self.focus, RDF.type, None, inferred=False))
        return tuple(cls for cls in found if not isinstance(cls, (BNode, Literal)))


def term_dict(graph: KnowledgeGraph, term: Node) -> dict[str, Any]:
    """A term as reports have it: its text in full, its compact name, its label, and its kind."""
    kind = "literal" if isinstance(term, Literal) else "blank" if isinstance(term, BNode) else "iri"
    return {"value": term_key(term), "text": graph.curie(term), "label": graph.label(term), "kind": kind}


def triple_dict(graph: KnowledgeGraph, triple: Triple) -> dict[str, Any]:
    """A triple as reports have it."""
    parts = zip(("subject", "predicate", "object"), triple, strict=True)
    return {
        **{part: term_dict(graph, term) for part, term in parts},
        "text": verbalise(graph, triple),
        "file": graph.source(triple),
    }


def place(location: Location | None) -> dict[str, Any]:
    """File and line as reports have them, None for either that is not known."""
    return {"file": location and location.file, "line": (location.line or None) if location else None}
