"""Reading descriptions out of a graph: the values of a property, lists, and where something was stated."""

from __future__ import annotations

from collections.abc import Iterator

from rdflib import RDF, Literal, URIRef
from rdflib.term import Node

from kg.errors import UnsupportedRuleError
from kg.graph import KnowledgeGraph
from kg.terms import Triple

__all__ = ["Statements"]


class Statements:
    """The asserted triples of a graph, as descriptions of their subjects. A value is given once, in a fixed order."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph

    def subjects(self, predicate: Node, object: Node) -> list[Node]:
        """What has this value, IRIs before blank nodes, each in order of its name."""
        found = {triple.subject for triple in self._match(None, predicate, object)}
        return sorted(found, key=lambda term: (not isinstance(term, URIRef), str(term)))

    def having(self, predicate: Node) -> list[Node]:
        """What has any value, in the same order."""
        found = {triple.subject for triple in self._match(None, predicate, None)}
        return sorted(found, key=lambda term: (not isinstance(term, URIRef), str(term)))

    def values(self, subject: Node, predicate: Node) -> list[Node]:
        """The values of a property, in order of their text."""
        found = {triple.object for triple in self._match(subject, predicate, None)}
        return sorted(found, key=lambda term: (not isinstance(term, URIRef), str(term)))

    def predicates(self, subject: Node) -> list[Node]:
        """The properties of a node, in order."""
        return sorted({triple.predicate for triple in self._match(subject, None, None)}, key=str)

    def value(self, subject: Node, predicate: URIRef) -> Node | None:
        """The only value, or None where there is none.

        Raises:
            UnsupportedRuleError: there are several.
        """
        found = self.values(subject, predicate)
        if len(found) > 1:
            raise self.refusal(f"Expected one value of {self.name(predicate)} (got {len(found)})", subject)
        return found[0] if found else None

    def need(self, subject: Node, predicate: URIRef) -> Node:
        """The only value.

        Raises:
            UnsupportedRuleError: there is not exactly one.
        """
        found = self.value(subject, predicate)
        if found is None:
            raise self.refusal(f"Expected a value of {self.name(predicate)} (got none)", subject)
        return found

    def text(self, subject: Node, predicate: URIRef) -> str:
        """The texts of a property, one a line; empty where there is none."""
        return "\n".join(str(value) for value in self.values(subject, predicate) if isinstance(value, Literal))

    def true(self, subject: Node, predicate: URIRef) -> bool:
        """Whether a boolean property is stated to be true."""
        return any(str(value) in ("true", "1") for value in self.values(subject, predicate))

    def members(self, head: Node) -> list[Node]:
        """The members of an RDF list.

        Raises:
            UnsupportedRuleError: it is cut off, branches, or runs in a circle.
        """
        found, seen = [], {head}
        while head != RDF.nil:
            found.append(self.need(head, RDF.first))
            head = self.need(head, RDF.rest)
            if head in seen:
                raise self.refusal("Expected a list that ends (got one that runs in a circle)", head)
            seen.add(head)
        return found

    def file(self, node: Node) -> str | None:
        """The file a node is described in, None where that is not known."""
        return next((s for t in self._match(node, None, None) if (s := self.graph.source(t)) is not None), None)

    def name(self, term: Node) -> str:
        """A node for messages; a blank node by what is said of it."""
        if isinstance(term, (URIRef, Literal)):
            return self.graph.curie(term)
        kinds = [self.graph.curie(kind) for kind in self.values(term, RDF.type)]
        return f"a blank node of type {', '.join(kinds)}" if kinds else "a blank node"

    def refusal(self, message: str, node: Node, rule: Node | None = None) -> UnsupportedRuleError:
        """The error for a rule that cannot be imported: the reason, the node, the rule and its file."""
        of = f" of {self.name(rule)}" if rule is not None and rule != node else ""
        file = self.file(node) or (None if rule is None else self.file(rule))
        return UnsupportedRuleError(f"{message}, in {self.name(node)}{of}; write the rule in SPARQL-RL", file=file)

    def _match(self, s: Node | None, p: Node | None, o: Node | None) -> Iterator[Triple]:
        return self.graph.triples(s, p, o, inferred=False)
