"""Theories: triples and rules read from a passage, closed by the engine; statements answered with their proofs.

Open world: what is denied is a triple with a complementary class or predicate, which rules conclude like any other. A
statement is true where it is proved, false where its complement is, and unknown otherwise. Closed world: a denied
pattern of a rule is met by absence (`NOT`, under stratification), and a statement that is not entailed is false.

Many theories share one closure: their terms are IRIs under the theory's own number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from rdflib import RDF, URIRef, Variable
from rdflib.term import Node

from engine.extraction.candidates import CandidateRule, CandidateTriple, Pattern
from engine.extraction.inflection import base_forms
from engine.extraction.parse import IS
from engine.symbolic import Closure, Proof, Rule, RuleSet, materialise, weigh
from engine.symbolic.derivations import Target
from engine.symbolic.rules import Atom, BodyElement, Negation
from engine.symbolic.stratify import stratify_rules
from kg import KnowledgeGraph
from kg.errors import StratificationError
from kg.terms import Triple

__all__ = ["Conclusion", "Read", "Theory", "World", "conclude"]

World = Literal["open", "closed"]
_ROOT = "urn:noesis:theory:"
_NOT = "not "


@dataclass(frozen=True)
class Read:
    """What a reader found in a sentence.

    Args:
        text: the sentence.
        statements: the triples and rules it states; none where it was not read, or says nothing of use.
        confidence: the reader's probability that this is what it says.
        fault: why it was not read, empty where it was.
    """

    text: str
    statements: tuple[CandidateTriple | CandidateRule, ...] = ()
    confidence: float = 1.0
    fault: str = ""


@dataclass(frozen=True)
class Theory:
    """A passage as it was read, and the statements that are asked about.

    Args:
        sentences: of the passage, in its order.
        questions: statements to answer.
    """

    sentences: tuple[Read, ...]
    questions: tuple[Read, ...]


@dataclass(frozen=True)
class Conclusion:
    """The answer to one statement.

    Args:
        value: True, False, or None where neither was shown.
        probability: that this follows from the passage: the weight of the best proof; where there is none, or it rests
            on an absence, that every sentence was read right.
        proof: of the statement, or of its complement where it is false; None where it rests on an absence or nothing.
        sentences: numbers of the sentences the proof rests on.
        fault: why no answer can be given although one may follow: a sentence that was not read, no strata, a
            contradiction; empty otherwise.
        closure: the closure the proof is of, shared with other theories.
        rules: of this theory alone, the only ones that its proofs may use.
    """

    value: bool | None
    probability: float
    proof: Proof | None = None
    sentences: tuple[int, ...] = ()
    fault: str = ""
    closure: Closure | None = field(default=None, repr=False, compare=False)
    rules: tuple[Rule, ...] = field(default=(), repr=False, compare=False)


def conclude(theories: Sequence[Theory], *, world: World = "open", share: int = 500) -> list[list[Conclusion]]:
    """The answers to the questions of each theory.

    Args:
        theories: what was read.
        world: whether what is absent is unknown (open) or false (closed).
        share: how many theories are closed together.
    """
    found: list[list[Conclusion]] = []
    for start in range(0, len(theories), share):
        parts = [_Terms(start + at, theory, world) for at, theory in enumerate(theories[start : start + share])]
        closure = _close(parts)
        weights = {triple: weight for part in parts for triple, weight in part.weights.items()}
        asked = dict.fromkeys(
            triple for part in parts for pair in part.asked if pair for triple in pair if closure.entails(triple)
        )
        proofs = {w.target: (w.value, w.proof) for w in weigh(closure, asked, weights=weights)}
        found += [[part.answer(at, proofs, closure) for at in range(len(part.asked))] for part in parts]
    return found


def _close(parts: Iterable[_Terms]) -> Closure:
    rules, triples = list[Rule](), list[Triple]()
    for part in parts:
        rules += part.rules
        triples += part.weights
    return materialise(KnowledgeGraph.from_triples(triples), RuleSet(tuple(rules)), entailment="none")


class _Terms:
    """One theory in the terms of the engine: its triples with weights, its rules, and what is asked.

    Args:
        number: of the theory, which its IRIs carry.
    """

    def __init__(self, number: int, theory: Theory, world: World) -> None:
        self.theory, self.world, self.root = theory, world, f"{_ROOT}{number}:"
        self.weights: dict[Triple, float] = {}
        self.rules: list[Rule] = []
        self.sources: dict[Triple | URIRef, int] = {}
        self.named = URIRef(self.root + "/named")
        reads = (*theory.sentences, *theory.questions)
        self.base = base_forms(word for read in reads for pattern in _patterns(read) for word in _said(pattern))
        for at, read in enumerate(theory.sentences):
            for number, statement in enumerate(read.statements):
                if isinstance(statement, CandidateRule):
                    self._add_rule(at, f"{at}-{number}" if number else f"{at}", read, statement)
                else:
                    triple = self.triple(statement)
                    self.weights[triple] = max(read.confidence, self.weights.get(triple, 0.0))
                    self.sources.setdefault(triple, at)
        self.fault = self._unusable()
        if any(atom.object == self.named for rule in self.rules for atom in rule.body_atoms):
            self._add_named()
        self.sure = math.prod(read.confidence for read in theory.sentences)
        self.asked = [self._question(read) for read in theory.questions]

    def term(self, name: str) -> Node:
        """The IRI of a name, or a variable."""
        return Variable(name[1:]) if name.startswith("?") else URIRef(self.root + quote(name.replace(" ", "_")))

    def triple(self, pattern: Pattern, *, positive: bool | None = None) -> Triple:
        """A pattern as a triple: a class for what something is like, else a predicate; denied, its complement."""
        holds = pattern.positive if positive is None else positive
        mark = "" if holds else _NOT
        subject = self.term(pattern.head)
        if pattern.relation == IS:
            return Triple(subject, RDF.type, self.term(mark + self.base[pattern.tail]))
        return Triple(subject, self.term(mark + self.base[pattern.relation]), self.term(pattern.tail))

    def answer(self, at: int, proofs: Mapping[Target, tuple[float, Proof | None]], closure: Closure) -> Conclusion:
        """The answer to a question, given the best proofs of what is entailed."""
        read, pair = self.theory.questions[at], self.asked[at]
        if pair is None:
            return Conclusion(None, 0.0, fault=read.fault or "the question is not one triple")
        found = [proofs.get(triple) for triple in pair]
        if found[0] and found[1]:
            return Conclusion(None, 0.0, fault="both the statement and its denial are proved", closure=closure)
        for value, best in zip((True, False), found, strict=True):
            if best is not None and best[1] is not None:
                return self._proved(value, read, best[0], best[1], closure)
        sure = self.sure * read.confidence
        if self.fault or self.world == "open":
            return Conclusion(None, sure, fault=self.fault, closure=closure)
        positive = next(iter(_patterns(read))).positive
        return Conclusion(not positive, sure, closure=closure)

    def _proved(self, value: bool, read: Read, weight: float, proof: Proof, closure: Closure) -> Conclusion:
        rests_on_absence = any(step.rule is not None and step.rule.negations for step in proof.steps())
        if rests_on_absence and self.fault:
            return Conclusion(None, 0.0, fault=self.fault, closure=closure)
        probability = read.confidence * (min(weight, self.sure) if rests_on_absence else weight)
        used = {self.sources.get(step.conclusion) for step in proof.steps() if step.rule is None and step.conclusion}
        used |= {self.sources.get(step.rule.iri) for step in proof.steps() if step.rule is not None and step.rule.iri}
        sentences = tuple(sorted(number for number in used if number is not None))
        return Conclusion(value, probability, proof, sentences, closure=closure, rules=tuple(self.rules))

    def _question(self, read: Read) -> tuple[Triple, Triple] | None:
        """The triple that is asked about and its complement."""
        if len(read.statements) != 1 or not isinstance(read.statements[0], CandidateTriple):
            return None
        pattern = read.statements[0]
        return self.triple(pattern), self.triple(pattern, positive=not pattern.positive)

    def _add_rule(self, at: int, name: str, read: Read, rule: CandidateRule) -> None:
        body: list[BodyElement] = []
        absent: list[BodyElement] = []
        for pattern in rule.body:
            if self.world == "closed" and not pattern.positive:
                absent.append(Negation((Atom(*self.triple(pattern, positive=True)),)))
            else:
                body.append(Atom(*self.triple(pattern)))
        head = Atom(*self.triple(rule.head))
        bound = {variable for element in body for variable in element.variables}
        free = [v for element in (*absent, head) for v in element.variables if v not in bound]
        body += [Atom(v, RDF.type, self.named) for v in dict.fromkeys(free)]
        iri = URIRef(f"{self.root}/sentence-{name}")
        self.rules.append(Rule(iri, (head,), (*body, *absent), comment=read.text, weight=read.confidence))
        self.sources[iri] = at

    def _add_named(self) -> None:
        """That each name of the passage names something, for variables that nothing else binds."""
        for triple in list(self.weights):
            names = (triple.subject,) if triple.predicate == RDF.type else (triple.subject, triple.object)
            for name in names:
                named = Triple(name, RDF.type, self.named)
                self.weights[named] = 1.0
                self.sources.setdefault(named, self.sources.get(triple, 0))

    def _unusable(self) -> str:
        """Why an absence says nothing; rules without strata are left out."""
        fault = next((f"not read: {read.text!r} ({read.fault})" for read in self.theory.sentences if read.fault), "")
        try:
            stratify_rules(self.rules)
        except StratificationError as error:
            self.rules = [rule for rule in self.rules if not rule.negations]
            fault = str(error)
        return fault


def _patterns(read: Read) -> Iterable[Pattern]:
    for statement in read.statements:
        yield from (*statement.body, statement.head) if isinstance(statement, CandidateRule) else (statement,)


def _said(pattern: Pattern) -> tuple[str, ...]:
    return (pattern.tail,) if pattern.relation == IS else (pattern.relation,)
