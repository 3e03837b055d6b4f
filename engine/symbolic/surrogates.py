"""Entailment between two graphs under a regime: literals stand as nodes, so that the rules can speak of them.

RDF has no literal subjects, and the closure of a graph keeps to that; but that `5` is an xsd:integer, or what a range
says about it, has consequences. So every literal of the two graphs is replaced by a node that stands for its *value*
(RDF 1.1 Semantics, section 8.1.1, calls for the same): literals of one value become one node, with the recognised
datatypes that have the value as its types (rdfD1, dt-type2, dt-eq). The closure of that graph is then searched for the
conclusion.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from itertools import combinations, product

from rdflib import OWL, RDF, RDFS, XSD, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.closure import Closure, materialise
from engine.symbolic.datatypes import DATATYPES, Identity, disjoint, has_value, included, meet_included
from engine.symbolic.entailment import simply_entails, value_key
from engine.symbolic.pairwise import pairwise
from engine.symbolic.rules import Atom, Rule, RuleSet
from kg.graph import KnowledgeGraph
from kg.terms import Triple, local_name, term_key

__all__ = ["ALWAYS_RECOGNISED", "Interpreted", "entails"]

ALWAYS_RECOGNISED = frozenset((XSD.string, RDF.langString))
"""What every regime above simple entailment recognises (RDF 1.1 Semantics, section 8)."""

_MEET = URIRef("https://www.w3.org/TR/owl2-rdf-based-semantics/#datatypes-meet")
_NUMBERED = re.compile(re.escape(str(RDF)) + r"_[1-9]\d*")
_KEPT = frozenset((OWL.maxCardinality, OWL.maxQualifiedCardinality, OWL.minCardinality, OWL.cardinality))
"""Properties whose literals rules read as numbers; their objects stay literals."""


def entails(
    premise: KnowledgeGraph,
    conclusion: KnowledgeGraph,
    *,
    entailment: str = "rdfs-full",
    recognised: Collection[URIRef] = DATATYPES,
) -> bool:
    """Whether a graph entails another: the closure has it, its blank nodes read as variables, or is inconsistent.

    Args:
        entailment: the rule set, "none" for simple entailment.
        recognised: the datatypes whose literals have values.
    """
    return Interpreted(premise, entailment=entailment, recognised=recognised, vocabulary=[conclusion]).entails(
        conclusion
    )


class Interpreted:
    """A graph closed under a regime with nodes in place of literals.

    Args:
        premise: the graph. vocabulary: graphs whose numbered properties and datatypes are spoken of too.
        entailment: "none", "rdf", "rdfs-full", "owl2rl-full", "owl2rl-more" or any other built-in rule set.
        recognised: the datatypes whose literals have values.
    """

    def __init__(
        self,
        premise: KnowledgeGraph,
        *,
        entailment: str,
        recognised: Collection[URIRef],
        vocabulary: Iterable[KnowledgeGraph] = (),
    ) -> None:
        self.simple = entailment == "none"
        self.recognised = frozenset(recognised) if self.simple else frozenset((*recognised, *ALWAYS_RECOGNISED))
        self.premise, self.owl = premise, entailment.startswith("owl2rl")
        self._nodes: dict[Identity, URIRef] = {}
        self._literals: dict[URIRef, tuple[Literal, Identity | None]] = {}
        triples = [self._generalise(triple) for triple in premise.triples()]
        terms = {term for graph in (premise, *vocabulary) for triple in graph.triples() for term in triple}
        if not self.simple:
            triples += [*self._types(), *self._axioms(terms, rdfs=entailment != "rdf")]
        more = entailment == "owl2rl-more"
        triples += [self._generalise(triple) for triple in pairwise(premise)] if more else []
        rules = self._meets(terms) if more else RuleSet()
        self.closure: Closure = materialise(KnowledgeGraph.from_triples(triples), rules, entailment=entailment)

    def entails(self, conclusion: KnowledgeGraph) -> bool:
        """Whether the graph entails the triples of another; everything follows from an inconsistent graph."""
        if self.inconsistency:
            return True
        general = KnowledgeGraph.from_triples([self._generalise(triple) for triple in conclusion.triples()])
        return simply_entails(self.closure.graph, general, recognised=self.recognised)

    @cached_property
    def inconsistency(self) -> str:
        """Why the graph has no model, in words; empty for a graph in which no contradiction was found."""
        return next(self._contradictions(), "")

    # ------------------------------------------------------------ literals as nodes

    def _generalise(self, triple: Triple) -> Triple:
        if not isinstance(triple.object, Literal) or triple.predicate in _KEPT:
            return triple
        return Triple(triple.subject, triple.predicate, self._node(triple.object))

    def _node(self, literal: Literal) -> URIRef:
        value = value_key(literal, self.recognised)
        key = value if value is not None else ("term", term_key(literal))
        if key not in self._nodes:
            self._nodes[key] = URIRef(f"urn:x-literal:{len(self._nodes)}")
            self._literals[self._nodes[key]] = (literal, value)
        return self._nodes[key]

    def _types(self) -> Iterator[Triple]:
        """The recognised datatypes that have each value (rdfD1; dt-type2)."""
        known = sorted((self.recognised & DATATYPES) | {RDFS.Literal})
        for node, (_, value) in self._literals.items():
            if value is not None:
                yield from (Triple(node, RDF.type, d) for d in known if has_value(d, value))

    def _axioms(self, terms: Collection[Node], *, rdfs: bool) -> Iterator[Triple]:
        """The axiomatic triples of the vocabulary in use that depend on it or on the recognised datatypes."""
        for term in sorted(t for t in terms if isinstance(t, URIRef) and _NUMBERED.fullmatch(t)):
            yield Triple(term, RDF.type, RDF.Property)
            if rdfs and not self.owl:
                yield Triple(term, RDF.type, RDFS.ContainerMembershipProperty)
                yield Triple(term, RDFS.domain, RDFS.Resource)
                yield Triple(term, RDFS.range, RDFS.Resource)
        used = sorted({d for d in self.recognised if d in terms})
        for datatype in used if rdfs else ():
            yield Triple(datatype, RDF.type, RDFS.Datatype)  # rdfs1
        for part in used if self.owl else ():  # in OWL a class below another by its members is a subclass
            yield from (Triple(part, RDFS.subClassOf, d) for d in used if part != d and included(part, d))

    def _meets(self, terms: Collection[Node]) -> RuleSet:
        """Rules that what is in two datatypes is in each that has their common values, and the same for a range."""
        used, rules = sorted(d for d in self.recognised & DATATYPES if d in terms), list[Rule]()
        x = Variable("x")
        for (left, right), whole in product(combinations(used, 2), used):
            if meet_included(left, right, whole) and not included(left, whole) and not included(right, whole):
                for says in (RDF.type, RDFS.range):
                    body = (Atom(x, says, left), Atom(x, says, right))
                    comment = f"A value of {local_name(left)} and {local_name(right)} is one of {local_name(whole)}."
                    rules.append(Rule(_MEET, (Atom(x, says, whole),), body, comment=comment))
        return RuleSet(tuple(rules))

    # ------------------------------------------------------------ contradictions

    def _contradictions(self) -> Iterator[str]:
        if self.simple:
            return
        for literal, value in self._literals.values():
            datatype = literal.datatype
            if value is None and datatype in self.recognised and datatype in DATATYPES:
                yield f"the literal {literal.n3()} is ill typed"
        yield from (str(violation) for violation in self.closure.violations)
        yield from self._clashes()
        yield from self._wrong_subclasses()
        if self.owl:
            yield from self._same_values()

    def _clashes(self) -> Iterator[str]:
        """Members of datatypes that have no such value (dt-not-type)."""
        members: dict[Node, set[URIRef]] = {}
        for datatype in self.recognised & DATATYPES:
            for triple in self.closure.graph.triples(predicate=RDF.type, object=datatype):
                members.setdefault(triple.subject, set()).add(datatype)
        for node, datatypes in members.items():
            literal, value = self._literal(node) or (None, None)
            wrong = [d for d in sorted(datatypes) if value is not None and not has_value(d, value)]
            if wrong and literal is not None:
                yield f"the literal {literal.n3()} is no {wrong[0]}"
            elif value is None and disjoint(datatypes):
                yield f"{node} is in disjoint datatypes: {', '.join(sorted(datatypes))}"

    def _wrong_subclasses(self) -> Iterator[str]:
        """Datatypes said to be below one that has not all their values."""
        known = self.recognised & DATATYPES
        for triple in self.closure.graph.triples(predicate=RDFS.subClassOf):
            part, whole = triple.subject, triple.object
            if isinstance(part, URIRef) and isinstance(whole, URIRef) and {part, whole} <= known:
                yield from () if included(part, whole) else (f"{part} is no subclass of {whole}",)

    def _same_values(self) -> Iterator[str]:
        """Different values that are the same (dt-diff with eq-diff1)."""
        for triple in self.closure.graph.triples(predicate=OWL.sameAs):
            left, right = self._literal(triple.subject), self._literal(triple.object)
            if left and right and left[1] is not None and right[1] is not None and left[1] != right[1]:
                yield f"{left[0].n3()} and {right[0].n3()} would be the same"

    def _literal(self, node: Node) -> tuple[Literal, Identity | None] | None:
        return self._literals.get(node) if isinstance(node, URIRef) else None
