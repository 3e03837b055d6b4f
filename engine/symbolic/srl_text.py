"""Rules -> SPARQL-RL text: `parse_rules(ruleset_text(x)) == x` for every rule set that was parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from rdflib import DCTERMS, RDF, RDFS, XSD, BNode, Literal, URIRef
from rdflib.term import Node

from engine.symbolic.rules import (
    AGGREGATES,
    OPERATORS,
    SHACL,
    WEIGHT,
    Assignment,
    Atom,
    BodyElement,
    Call,
    Constraint,
    Expression,
    Filter,
    Negation,
    Rule,
    RuleSet,
    Severity,
    TripleTerm,
    VariableRef,
    aggregate_text,
    term_text,
)

__all__ = ["ruleset_text"]

_PLAIN = {
    XSD.integer: re.compile(r"[+-]?\d+", re.ASCII),
    XSD.decimal: re.compile(r"[+-]?\d*\.\d+", re.ASCII),
    XSD.double: re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)[eE][+-]?\d+", re.ASCII),
    XSD.boolean: re.compile("true|false"),
}
_LOCAL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_\-]*[A-Za-z0-9_])?")
_LITERAL_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def ruleset_text(ruleset: RuleSet) -> str:
    """The rule set in SPARQL-RL, with its prefixes; comments and sources of rules stand in a DATA block after each."""
    writer = _Writer(ruleset.prefixes)
    parts = [*writer.prologue(ruleset.imports)]
    for rule in ruleset:
        parts.append(writer.rule(rule))
        if rule.iri is not None and (rule.comment or rule.source or rule.weight != 1):
            said = writer.annotations(rule)  # once, where rules share an IRI
            parts += [said] if said not in parts else []
    if ruleset.data:
        triples = "".join(f"    {writer.atom(Atom(*triple))} .\n" for triple in ruleset.data)
        parts.append(f"DATA {{\n{triples}}}\n")
    return "\n".join(parts)


class _Writer:
    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self.prefixes = prefixes

    def prologue(self, imports: Iterable[str]) -> Iterator[str]:
        lines = [f"PREFIX {prefix}: <{namespace}>\n" for prefix, namespace in self.prefixes.items()]
        lines += [f"IMPORTS <{iri}>\n" for iri in imports]
        if lines:
            yield "".join(lines)

    def rule(self, rule: Rule) -> str:
        name = f"{self.term(rule.iri)} " if rule.iri is not None else ""
        head = self.violation(rule) if isinstance(rule, Constraint) else " . ".join(map(self.atom, rule.head))
        lines = "".join(f"    {line}\n" for line in self.body(rule.body))
        return f"RULE {name}{{ {head} }}\nWHERE {'DATA ' if rule.data else ''}{{\n{lines}}}\n"

    def violation(self, constraint: Constraint) -> str:
        if constraint.severity is Severity.VIOLATION and not constraint.message:
            return ""
        parts = [f"[] a {self.term(URIRef(SHACL + 'ValidationResult'))}"]
        parts.append(f"{self.term(URIRef(SHACL + 'resultSeverity'))} {self.term(constraint.severity.value)}")
        if constraint.message:
            message = Literal(constraint.message)
            parts.append(f"{self.term(URIRef(SHACL + 'resultMessage'))} {self.term(message)}")
        return " ; ".join(parts)

    def body(self, elements: Iterable[BodyElement | Filter]) -> Iterator[str]:
        for element in elements:
            if isinstance(element, Atom):
                yield f"{self.atom(element)} ."
            elif isinstance(element, Filter):
                yield f"FILTER({self.expression(element.expression)})"
            elif isinstance(element, Assignment):
                yield f"SET(?{element.variable} := {self.expression(element.expression)})"
            else:
                yield self.negation(element)

    def negation(self, negation: Negation) -> str:
        return f"NOT {'DATA ' if negation.data else ''}{{ {' '.join(self.body(negation.elements))} }}"

    def annotations(self, rule: Rule) -> str:
        assert rule.iri is not None
        said = ((RDFS.comment, rule.comment), (DCTERMS.source, rule.source))
        lines = [f"{self.term(predicate)} {self.term(Literal(text))}" for predicate, text in said if text]
        if rule.weight != 1:
            number = repr(rule.weight)
            datatype = XSD.double if "e" in number else XSD.decimal
            lines.append(f"{self.term(WEIGHT)} {self.term(Literal(number, datatype=datatype))}")
        return f"DATA {{ {self.term(rule.iri)} {' ; '.join(lines)} }}\n"

    def atom(self, atom: Atom) -> str:
        predicate = "a" if atom.predicate == RDF.type else self.term(atom.predicate)
        return f"{self.term(atom.subject)} {predicate} {self.term(atom.object)}"

    def term(self, term: Node) -> str:
        if isinstance(term, URIRef):
            return self.iri(term)
        if isinstance(term, Literal):
            return self.literal(term)
        if isinstance(term, TripleTerm):
            return f"<<( {' '.join(map(self.term, term.parts))} )>>"
        return f"_:{term}" if isinstance(term, BNode) else term_text(term)

    def iri(self, iri: str) -> str:
        fits = [(len(ns), prefix) for prefix, ns in self.prefixes.items() if iri.startswith(ns)]
        for length, prefix in sorted(fits, reverse=True):
            if _LOCAL.fullmatch(iri[length:]):
                return f"{prefix}:{iri[length:]}"
        return f"<{iri}>"

    def literal(self, literal: Literal) -> str:
        datatype = literal.datatype
        if datatype in _PLAIN and not literal.language and _PLAIN[datatype].fullmatch(literal):
            return str(literal)
        quoted = '"' + "".join(_LITERAL_ESCAPES.get(char, char) for char in literal) + '"'
        if literal.language:
            return f"{quoted}@{literal.language}"
        return f"{quoted}^^{self.iri(datatype)}" if datatype else quoted

    def expression(self, expression: Expression) -> str:
        """Every operation stands in parentheses, so no precedence is needed to read it back."""
        if isinstance(expression, VariableRef):
            return f"?{expression.variable}"
        if not isinstance(expression, Call):
            return self.term(expression.term)
        name, arguments = expression.function, [self.expression(a) for a in expression.arguments]
        if name in ("IN", "NOT IN"):
            return f"({arguments[0]} {name} ({', '.join(arguments[1:])}))"
        if name in OPERATORS:
            return f"({name}({arguments[0]}))" if len(arguments) == 1 else f"({f' {name} '.join(arguments)})"
        if name in AGGREGATES:
            return aggregate_text(name, arguments)
        return f"{self.iri(name) if ':' in name else name}({', '.join(arguments)})"
