"""`chain`: from candidate triples and candidate rules to how two names of a passage are related, with a proof.

All passages are closed in one graph, in which a name stands for another entity in each passage, so that they never
join. A candidate is an asserted triple with its confidence as weight; of each relation that follows between the two
names, the weight is that of its best proof, by the engine's max-product semiring.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from rdflib import URIRef, Variable
from rdflib.term import Node

from engine.extraction.candidates import CandidateRule, CandidateTriple, Pattern
from engine.symbolic import Closure, ClosureWeights, Proof, Rule, RuleSet, materialise, weigh, weigh_all
from engine.symbolic.rules import Atom, Call, Filter, VariableRef
from kg.errors import InputError, NotSupportedError
from kg.graph import KnowledgeGraph
from kg.terms import Triple

__all__ = ["Chained", "PairQuestion", "chain", "rule_of"]

NAMES, RELATIONS, RULES = "urn:noesis:text:", "urn:noesis:relation:", "urn:noesis:learnt:"
"""Namespaces of the names of passages, of relations, and of rules, which are numbers."""
_AT_ONCE = 100  # passages in one graph: keeps the joins of all of them in memory


@dataclass(frozen=True)
class PairQuestion:
    """How is `tail` related to `head`, given what a passage may tell?

    Args:
        passage: names the passage; questions with the same one are about the same people.
    """

    passage: str
    head: str
    tail: str
    candidates: Sequence[CandidateTriple]


@dataclass(frozen=True)
class Chained:
    """What follows between two names.

    Args:
        scores: weight of the best proof of each relation that follows, best first; none where nothing follows.
        proof: the best proof of the best relation.
        sentences: numbers of the sentences that the proof rests on.
        closure: where it was proved, for `replay`.
    """

    scores: Mapping[str, float]
    proof: Proof | None
    sentences: tuple[int, ...]
    closure: Closure = field(repr=False, compare=False)

    @property
    def relation(self) -> str | None:
        """The relation with the best proof."""
        return next(iter(self.scores), None)


def chain(questions: Sequence[PairQuestion], rules: Sequence[CandidateRule]) -> list[Chained]:
    """The answers to questions, in their order.

    Args:
        questions: each with the candidates of its passage. Of equal candidates the most confident counts; one that
            denies a relation is left out, since rules with a denial are not weighed.
        rules: learnt rules or rules that were read, with their confidence. Variables at the two ends of what follows
            are different names.

    Raises:
        InputError: a rule is not safe, or a confidence is out of [0, 1].
        NotSupportedError: a rule with a denial.
    """
    ruleset = RuleSet(tuple(rule_of(rule, number) for number, rule in enumerate(rules)))
    constants = {name for rule in rules for atom in (*rule.body, rule.head) for name in (atom.head, atom.tail)}
    relations = sorted(
        {rule.head.relation for rule in rules} | {c.relation for question in questions for c in question.candidates}
    )
    found: list[Chained] = []
    for start in range(0, len(questions), _AT_ONCE):
        found += _chained(questions[start : start + _AT_ONCE], ruleset, constants, relations)
    return found


def rule_of(rule: CandidateRule, number: int) -> Rule:
    """A candidate rule for the engine, with its confidence as weight.

    Raises:
        NotSupportedError: an atom is denied.
    """
    if not all(atom.positive for atom in (*rule.body, rule.head)):
        raise NotSupportedError(f"Expected a rule without denials to chain (got {rule})")
    ends = [Variable(name[1:]) for name in (rule.head.head, rule.head.tail) if name.startswith("?")]
    apart = (Filter(Call("!=", (VariableRef(ends[0]), VariableRef(ends[1])))),) if len(ends) == 2 else ()
    return Rule(
        iri=URIRef(f"{RULES}{number}"),
        head=(_atom(rule.head),),
        body=(*map(_atom, rule.body), *apart),
        comment="learnt" if rule.sentence is None else f"read from sentence {rule.sentence}",
        weight=rule.confidence,
    )


def _atom(pattern: Pattern) -> Atom:
    def term(name: str) -> Node:
        return Variable(name[1:]) if name.startswith("?") else _name("", name)

    return Atom(term(pattern.head), _relation(pattern.relation), term(pattern.tail))


def _relation(name: str) -> URIRef:
    return URIRef(RELATIONS + quote(name, safe=""))


def _name(passage: str, name: str) -> URIRef:
    return URIRef(f"{NAMES}{quote(passage, safe='')}/{quote(name, safe='')}")


def _chained(
    questions: Sequence[PairQuestion], rules: RuleSet, constants: set[str], relations: Sequence[str]
) -> Iterator[Chained]:
    weights: dict[Triple, float] = {}
    sentences: dict[Triple, range] = {}
    for question in questions:
        for candidate in question.candidates:
            if not 0 <= candidate.confidence <= 1:
                raise InputError(f"Expected a confidence in [0, 1] (got {candidate})")
            triple = _triple(question.passage, candidate, constants)
            if candidate.positive and candidate.confidence > weights.get(triple, 0.0):
                weights[triple] = candidate.confidence
                sentences[triple] = candidate.sentences
    closure = materialise(KnowledgeGraph.from_triples(weights), rules, entailment="none")
    known = weigh_all(closure, weights=weights)
    scores = [_scores(question, known, relations) for question in questions]
    asked = [
        Triple(_name(q.passage, q.head), _relation(next(iter(own))), _name(q.passage, q.tail))
        for q, own in zip(questions, scores, strict=True)
        if own
    ]
    proofs = iter(weigh(closure, asked, weights=weights))
    for own in scores:
        proof = next(proofs).proof if own else None
        leaves = proof.leaves() if proof else ()
        used = sorted({number for leaf in leaves for number in sentences.get(leaf, ())})
        yield Chained(own, proof, tuple(used), closure)


def _triple(passage: str, candidate: CandidateTriple, constants: set[str]) -> Triple:
    """The triple of a candidate; what the rules name is the same in all passages."""
    head, tail = (_name("" if name in constants else passage, name) for name in (candidate.head, candidate.tail))
    return Triple(head, _relation(candidate.relation), tail)


def _scores(question: PairQuestion, known: ClosureWeights, relations: Sequence[str]) -> dict[str, float]:
    """The weight of each relation that follows, best first."""
    head, tail = _name(question.passage, question.head), _name(question.passage, question.tail)
    found = {relation: known[head, _relation(relation), tail] for relation in relations}
    return dict(sorted(((r, w) for r, w in found.items() if w > 0), key=lambda item: (-item[1], item[0])))
