"""Why a rule never fires: the part of its body that has no match in a closure.

The smallest part is told: an atom that matches nothing, else two atoms without a join, else the fewest atoms that have
no match together, else the FILTER or NOT that always fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdflib import RDF, URIRef, Variable
from rdflib.term import Node

from engine.audit.nearest import nearest
from engine.audit.probe import Probe
from engine.symbolic.rules import Assignment, Atom, BodyElement, Negation, Rule, TripleTerm, term_text
from kg.graph import KnowledgeGraph

__all__ = ["Idle", "Vocabulary", "atom_text", "why_idle"]


@dataclass(frozen=True)
class Idle:
    """Why a body has no match, in words, and as JSON-ready values."""

    text: str
    detail: Mapping[str, Any] = field(default_factory=dict)


class Vocabulary:
    """The predicates and classes of a closure that have triples, and the terms that its rules speak of."""

    def __init__(self, graph: KnowledgeGraph, rules: Sequence[Rule]) -> None:
        self._graph, self._rules = graph, rules

    @cached_property
    def predicates(self) -> frozenset[URIRef]:
        """Predicates with a triple."""
        terms = (self._graph.dictionary.term(p) for p in self._graph.predicates())
        return frozenset(term for term in terms if isinstance(term, URIRef))

    @cached_property
    def classes(self) -> frozenset[URIRef]:
        """Classes with a member."""
        type_id = self._graph.dictionary.find(RDF.type)
        ids = [] if type_id is None else np.unique(self._graph.pairs(type_id)[1]).tolist()
        return frozenset(term for id in ids if isinstance(term := self._graph.dictionary.term(id), URIRef))

    @cached_property
    def _present(self) -> NDArray[np.bool_]:
        """Whether each term of the dictionary is in a triple; shape (num_terms,)."""
        found = np.zeros(len(self._graph.dictionary), dtype=bool)
        for columns in (self._graph.asserted, self._graph.inferred):
            for ids in columns.arrays():
                found[ids] = True
        return found

    @cached_property
    def given(self) -> frozenset[Node]:
        """Predicates and classes that a rule can give triples of."""
        return frozenset(name for rule in self._rules for atom in rule.head for name in _names(atom))

    def has(self, term: Node) -> bool:
        """Whether a term is in a triple of the closure."""
        at = self._graph.dictionary.find(term)
        return at is not None and at < len(self._present) and bool(self._present[at])

    def unknown(self, atoms: Sequence[Atom]) -> Iterator[tuple[URIRef, URIRef | None]]:
        """The predicates and classes of atoms that no triple has and no rule gives; for each the nearest used one."""
        told = set()
        for atom in atoms:
            for name in _names(atom):
                if isinstance(name, URIRef) and name not in told and name not in self.given and not self.has(name):
                    told.add(name)
                    yield name, self.nearest(name, atom)

    def nearest(self, name: URIRef, atom: Atom) -> URIRef | None:
        """The used predicate, or class, that is most like the one of an atom."""
        return nearest(name, self.classes if atom.predicate == RDF.type else self.predicates)


def why_idle(rule: Rule, probe: Probe, words: Vocabulary) -> Idle | None:
    """Why no match of a rule's body is in the closure; None where there is one, or where there is an aggregate.

    Raises:
        TimeoutError: the budget of the probe ran out before it was known.
    """
    first = next((i for i, e in enumerate(rule.body) if isinstance(e, Assignment) and e.aggregate), len(rule.body))
    search = _Search(rule, rule.body[:first], probe)
    if search.matches(search.body):
        return None
    return search.atom(words) or search.pair() or search.atoms() or search.condition()


@dataclass(frozen=True)
class _Search:
    """The search for the part of one body that has no match."""

    rule: Rule
    body: Sequence[BodyElement]
    probe: Probe

    @cached_property
    def _atoms(self) -> list[Atom]:
        return [e for e in self.body if isinstance(e, Atom)]

    @property
    def _graph(self) -> KnowledgeGraph:
        return self.probe.closure.graph

    def matches(self, elements: Sequence[BodyElement]) -> bool:
        """Whether some elements have a match together."""
        found = self.probe.matches(elements, data=self.rule.data)
        if found is None:
            raise TimeoutError(f"rule '{self.rule.name}'")
        return found

    def atom(self, words: Vocabulary) -> Idle | None:
        """The atoms that match nothing, each with what may have been meant."""
        idle = [atom for atom in self._atoms if not self.matches([atom])]
        if not idle:
            return None
        parts, near = [], {}
        for atom in dict.fromkeys(idle):
            text = f"no {'asserted ' if self.rule.data else ''}triple matches {atom_text(atom, self._graph)}"
            for name, other in words.unknown([atom]):
                text += f"; {self._graph.curie(name)} is not in the graph"
                if other is not None:
                    near[self._graph.curie(name)] = self._graph.curie(other)
                    text += f", the nearest that is used is {self._graph.curie(other)}"
            parts.append(text)
        found = [atom_text(atom, self._graph) for atom in dict.fromkeys(idle)]
        return Idle("; ".join(parts), {"atoms": found, **({"nearest": near} if near else {})})

    def pair(self) -> Idle | None:
        """The first two atoms that share a variable and have no match together."""
        for first, second in combinations(dict.fromkeys(self._atoms), 2):
            shared = [v for v in first.variables if v in second.variables]
            if shared and not self.matches([first, second]):
                texts = [atom_text(atom, self._graph) for atom in (first, second)]
                names = " and ".join(f"?{v}" for v in shared)
                return Idle(f"no {names} is in matches of both {texts[0]} and {texts[1]}", {"atoms": texts})
        return None

    def atoms(self) -> Idle | None:
        """A set of atoms that has no match, though each part of it has."""
        if self.matches(self._atoms):
            return None
        kept = list(self._atoms)
        for atom in self._atoms:
            less = [other for other in kept if other is not atom]
            if not self.matches(less):
                kept = less
        texts = [atom_text(atom, self._graph) for atom in kept]
        return Idle(f"no substitution matches {', '.join(texts[:-1])} and {texts[-1]} together", {"atoms": texts})

    def condition(self) -> Idle | None:
        """The FILTERs and NOTs that each leave none of the matches of the atoms."""
        always = (Atom, Assignment)
        failing = []
        for element in self.body:
            if not isinstance(element, Atom):
                tried = [e for e in self.body if isinstance(e, always) or e is element]
                if not self.matches(tried):
                    failing.append(element)
        if not failing:
            return Idle("every match of its atoms fails one of its FILTERs, SETs and NOTs, though none fails always")
        computed = next((e for e in failing if isinstance(e, Assignment)), None)
        failing = failing if computed is None else [computed]
        texts = list(map(str, failing))
        why = "; ".join(
            f"{text} {'always has a match' if isinstance(e, Negation) else 'always fails'}"
            for e, text in zip(failing, texts, strict=True)
        )
        return Idle(f"of the matches of its atoms, {why}", {"conditions": texts})


def atom_text(atom: Atom, graph: KnowledgeGraph) -> str:
    """An atom with compact names."""
    if atom.predicate == RDF.type:
        return f"{_text(atom.subject, graph)} a {_text(atom.object, graph)}"
    return " ".join(_text(term, graph) for term in atom.terms)


def _text(term: Node, graph: KnowledgeGraph) -> str:
    return term_text(term) if isinstance(term, (Variable, TripleTerm)) else graph.curie(term)


def _names(atom: Atom) -> Iterator[Node]:
    """The predicate of an atom, or its class where it says what something is."""
    if atom.predicate != RDF.type:
        if not isinstance(atom.predicate, Variable):
            yield atom.predicate
    elif isinstance(atom.object, URIRef):
        yield atom.object
