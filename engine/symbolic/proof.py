"""`Proof`: how a conclusion follows, step by step, from asserted triples.

A proof is a value: it can be read, printed in words, turned into JSON, and checked by `replay`, which shares no code
with the engine that found it. Equal parts are shared, so a proof is a tree to read and a graph in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rdflib import RDF, BNode, Graph, Literal, Variable
from rdflib.term import Node

from engine.symbolic.rules import Atom, Call, Constant, Constraint, Expression, Filter, Negation, Rule
from kg.graph import KnowledgeGraph
from kg.terms import Triple, is_list_cell
from kg.verbalise import verbalise

if TYPE_CHECKING:
    import networkx

__all__ = ["Proof"]


@dataclass(frozen=True, eq=False)
class Proof:
    """One justification and the proofs of its premises.

    Args:
        conclusion: the triple that is proved; None stands for FALSE, the head of a violated constraint.
        rule: the rule or constraint applied; None for an asserted triple or a claim, which need no proof.
        substitution: a term for each variable of the rule that is bound outside a NOT.
        premises: proofs of the rule's body atoms in the order written, then of the schema triples it was made from.
        source: the file an asserted triple came from, None where that is not known.
        claimed: whether the triple is the claim whose consequences are looked at.
    """

    conclusion: Triple | None
    rule: Rule | None = None
    substitution: Mapping[Variable, Node] = field(default_factory=dict)
    premises: tuple[Proof, ...] = ()
    source: str | None = None
    claimed: bool = False

    def __repr__(self) -> str:
        by = f"rule '{self.rule.name}'" if self.rule else "claimed" if self.claimed else "asserted"
        return f"Proof({self.conclusion or 'FALSE'}, {by}, {len(self.premises)} premises)"

    def _repr_html_(self) -> str:
        from engine.symbolic.notebook import proof_html

        return proof_html(self)

    def steps(self) -> Iterator[Proof]:
        """Each distinct part once, premises before what they prove; the last is this proof."""
        done: set[int] = set()
        stack: list[tuple[Proof, bool]] = [(self, False)]
        while stack:
            proof, ready = stack.pop()
            if id(proof) in done:
                continue
            if ready or not proof.premises:
                done.add(id(proof))
                yield proof
            else:
                stack.append((proof, True))
                stack.extend((premise, False) for premise in reversed(proof.premises))

    def leaves(self) -> tuple[Triple, ...]:
        """The asserted triples (and the claim) it rests on, each once, in reading order."""
        found = (step.conclusion for step in self.steps() if step.rule is None)
        return tuple(dict.fromkeys(triple for triple in found if triple is not None))

    def text(self, graph: KnowledgeGraph) -> str:
        """The proof in words, one line a step, premises indented under what they prove.

        The cells of an RDF list are not told one by one: the list stands as a whole where it is the object of a triple.
        """
        lines: list[str] = []
        seen: set[int] = set()
        stack = [(self, 0)]
        lists = _lists(self.leaves(), graph)
        while stack:
            proof, depth = stack.pop()
            if proof.conclusion is not None and is_list_cell(proof.conclusion):
                continue
            again = id(proof) in seen and bool(proof.premises)
            seen.add(id(proof))
            lines.append("  " * depth + proof._line(graph, lists) + (", as above" if again else ""))
            if not again:
                lines.extend("  " * (depth + 1) + line for line in proof.conditions(graph))
                once = dict.fromkeys(proof.premises)  # two body atoms may match one triple
                stack.extend((premise, depth + 1) for premise in reversed(once))
        return "\n".join(lines)

    def to_dict(self, graph: KnowledgeGraph) -> dict[str, Any]:
        """The proof as JSON-ready values, terms as compact names; a part met again has `repeated` and no premises."""
        root: dict[str, Any] = {}
        seen: set[int] = set()
        stack: list[tuple[Proof, dict[str, Any]]] = [(self, root)]
        while stack:
            proof, node = stack.pop()
            node.update(proof._fields(graph))
            if id(proof) in seen and proof.premises:
                node["repeated"] = True
                continue
            seen.add(id(proof))
            children: list[dict[str, Any]] = [{} for _ in proof.premises]
            node["premises"] = children
            stack.extend(reversed(list(zip(proof.premises, children, strict=True))))
        return root

    def to_markdown(self, graph: KnowledgeGraph) -> str:
        """The proof as Markdown: a numbered list, premises first."""
        from engine.symbolic.proof_formats import markdown

        return markdown(self, graph)

    def to_networkx(self) -> networkx.DiGraph[int]:
        """The proof as a networkx `DiGraph` of step numbers (see `proof_formats.networkx_graph`)."""
        from engine.symbolic.proof_formats import networkx_graph

        return networkx_graph(self)

    def to_rdf(self, graph: KnowledgeGraph) -> Graph:
        """The proof as an rdflib graph in the terms of PROV-O (see `proof_rdf`)."""
        from engine.symbolic.proof_rdf import rdf_graph

        return rdf_graph(self, graph)

    def to_svg(self, graph: KnowledgeGraph) -> str:
        """The proof as a picture, one SVG file.

        Raises:
            BudgetError: it has too many steps to be drawn.
        """
        from engine.symbolic.proof_svg import svg

        return svg(self, graph)

    def _fields(self, graph: KnowledgeGraph) -> dict[str, Any]:
        rule = self.rule
        return {
            "conclusion": None if self.conclusion is None else [graph.curie(term) for term in self.conclusion],
            "text": self.sentence(graph),
            "rule": None if rule is None else {"name": rule.name, "iri": rule.iri and str(rule.iri)},
            "substitution": {str(v): graph.curie(term) for v, term in self.substitution.items()},
            "source": self.source,
            "claimed": self.claimed,
        }

    def sentence(self, graph: KnowledgeGraph) -> str:
        """The conclusion in words; for FALSE, the message of the constraint."""
        if self.conclusion is not None:
            return verbalise(graph, self.conclusion)
        assert self.rule is not None, "FALSE follows from a constraint only"
        text = self.rule.render(_labels(self.substitution, graph)) if isinstance(self.rule, Constraint) else ""
        return text or "this cannot be"

    def _line(self, graph: KnowledgeGraph, lists: Mapping[Node, str]) -> str:
        if self.rule is not None:
            why = f"by {self.rule.kind} {self.rule.name}"
        elif self.claimed:
            why = "the claim"
        else:
            why = f"asserted in {self.source}" if self.source else "asserted"
        told = self.conclusion and lists.get(self.conclusion.object)
        if self.conclusion and told:
            return f"{graph.label(self.conclusion.subject)} {graph.label(self.conclusion.predicate)} {told}, {why}"
        return f"{self.sentence(graph)}, {why}"

    def conditions(self, graph: KnowledgeGraph) -> Iterator[str]:
        """The filters and NOTs of the rule, in words: they have no premises."""
        for element in self.rule.body if self.rule else ():
            if isinstance(element, Filter):
                yield f"where {_expression(element.expression, self.substitution, graph)}"
            elif isinstance(element, Negation):
                parts = [_element(part, self.substitution, graph) for part in element.elements]
                yield f"and it is not {'asserted' if element.data else 'known'} that {' and '.join(parts)}"


def _lists(triples: Iterable[Triple], graph: KnowledgeGraph) -> dict[Node, str]:
    """What each RDF list among the triples reads as: its members' labels in parentheses."""
    first = {t.subject: t.object for t in triples if t.predicate == RDF.first}
    rest = {t.subject: t.object for t in triples if t.predicate == RDF.rest}
    found = {}
    for start in first:
        members: list[str] = []
        cell = start
        while cell in first and len(members) <= len(first):
            members.append(graph.label(first[cell]))
            cell = rest.get(cell, RDF.nil)
        found[start] = f"({', '.join(members)})"
    return found


def _labels(substitution: Mapping[Variable, Node], graph: KnowledgeGraph) -> dict[Variable, str]:
    return {variable: graph.label(term) for variable, term in substitution.items()}


def _words(term: Node, graph: KnowledgeGraph) -> str:
    return "is a" if term == RDF.type else graph.label(term)


def _element(element: Atom | Filter, substitution: Mapping[Variable, Node], graph: KnowledgeGraph) -> str:
    if isinstance(element, Filter):
        return _expression(element.expression, substitution, graph)
    words = []
    for term in element.terms:
        value = substitution.get(term, term) if isinstance(term, Variable) else term
        words.append("something" if isinstance(value, (Variable, BNode)) else _words(value, graph))
    return " ".join(words)


def _expression(expression: Expression, substitution: Mapping[Variable, Node], graph: KnowledgeGraph) -> str:
    if isinstance(expression, Constant):
        return str(expression.term) if isinstance(expression.term, Literal) else graph.label(expression.term)
    if not isinstance(expression, Call):
        value = substitution.get(expression.variable)
        return str(expression) if value is None else graph.label(value)
    parts = [_expression(argument, substitution, graph) for argument in expression.arguments]
    if expression.function in ("IN", "NOT IN"):
        return f"{parts[0]} {expression.function.lower()} ({', '.join(parts[1:])})"
    if not expression.function[0].isalpha():
        return f"({f' {expression.function} '.join(parts)})" if len(parts) > 1 else f"{expression.function}{parts[0]}"
    return f"{expression.function}({', '.join(parts)})"
