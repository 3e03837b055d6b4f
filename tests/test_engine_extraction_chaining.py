"""Chaining candidates by rules: the best proof of all ways to put a chain together, passages apart from each other."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from engine.extraction.candidates import CandidateRule, CandidateTriple, Pattern
from engine.extraction.chaining import PairQuestion, chain
from engine.symbolic import replay
from kg.errors import InputError, NotSupportedError


def composition(first: str, second: str, head: str, confidence: float = 1.0) -> CandidateRule:
    return CandidateRule(
        (Pattern("?x", first, "?y"), Pattern("?y", second, "?z")), Pattern("?x", head, "?z"), confidence
    )


RULES = [composition("mother", "brother", "uncle", 0.9), composition("brother", "mother", "mother", 0.8)]


def brute(triples: dict[tuple[int, str, int], float], rules: list[CandidateRule], length: int) -> dict[str, float]:
    """The best weight of each relation from the first to the last of a chain, over all ways to put it together."""
    best: dict[tuple[int, int], dict[str, float]] = {}
    for start, end in itertools.combinations(range(length + 1), 2):
        best[start, end] = {r: w for (a, r, b), w in triples.items() if (a, b) == (start, end)}
    for width in range(2, length + 1):
        for start in range(length - width + 1):
            end, cell = start + width, best[start, start + width]
            for middle in range(start + 1, end):
                for rule in rules:
                    first, second = best[start, middle], best[middle, end]
                    if rule.body[0].relation in first and rule.body[1].relation in second:
                        weight = rule.confidence * first[rule.body[0].relation] * second[rule.body[1].relation]
                        cell[rule.head.relation] = max(weight, cell.get(rule.head.relation, 0.0))
    return best[0, length]


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_the_best_way_to_put_a_chain_together(seed: int) -> None:
    chance = random.Random(seed)
    relations = "abcd"
    rules = [
        composition(first, second, chance.choice(relations), round(chance.uniform(0.5, 1), 3))
        for first, second in itertools.product(relations, repeat=2)
    ]
    chains = [
        {(at, r, at + 1): round(chance.uniform(0.1, 1), 3) for at in range(5) for r in chance.sample(relations, 2)}
        for _ in range(6)
    ]
    questions = [
        PairQuestion(
            str(at), "n0", "n5", [CandidateTriple(f"n{a}", r, f"n{b}", confidence=w) for (a, r, b), w in own.items()]
        )
        for at, own in enumerate(chains)
    ]
    for found, own in zip(chain(questions, rules), chains, strict=True):
        expected = brute(own, rules, 5)
        assert found.scores == pytest.approx(expected)
        assert found.relation == max(expected, key=lambda relation: expected[relation])
        assert found.proof is not None
        assert replay(found.proof, found.closure.graph, found.closure.rules) > 0
        leaves = math.prod(own[_ids(leaf)] for leaf in found.proof.leaves())
        assert found.scores[found.relation] <= leaves


def _ids(leaf: tuple[object, ...]) -> tuple[int, str, int]:
    head, relation, tail = (str(term).rpartition("/")[2].rpartition(":")[2] for term in leaf)
    return int(head[1:]), relation, int(tail[1:])


def test_an_answer_rests_on_the_sentences_of_its_proof() -> None:
    told = [
        CandidateTriple("Ann", "mother", "Bea", confidence=0.5, sentence=0),
        CandidateTriple("Ann", "mother", "Bea", confidence=0.9, sentence=2, through=3),
        CandidateTriple("Bea", "brother", "Cyd Lee", confidence=0.5, sentence=5),
        CandidateTriple("Ann", "brother", "Dan", sentence=7),
    ]
    (answer,) = chain([PairQuestion("1", "Ann", "Cyd Lee", told)], RULES)
    assert answer.relation == "uncle"
    assert answer.scores == {"uncle": pytest.approx(0.9 * 0.9 * 0.5)}
    assert answer.sentences == (2, 3, 5)


def test_passages_never_join() -> None:
    first, second = CandidateTriple("Ann", "mother", "Bea"), CandidateTriple("Bea", "brother", "Cyd")
    answers = chain([PairQuestion("1", "Ann", "Cyd", [first]), PairQuestion("2", "Ann", "Cyd", [second])], RULES)
    assert [(answer.relation, answer.proof, answer.sentences) for answer in answers] == [(None, None, ())] * 2


def test_attributes_choose_the_inverse() -> None:
    rules = [
        CandidateRule((Pattern("?x", "brother", "?y"),), Pattern("?y", "is", "male")),
        CandidateRule((Pattern("?x", "father", "?y"), Pattern("?x", "is", "male")), Pattern("?y", "son", "?x"), 0.9),
    ]
    told = [CandidateTriple("Ann", "brother", "Bob"), CandidateTriple("Bob", "father", "Dan")]
    (answer,) = chain([PairQuestion("1", "Dan", "Bob", told)], rules)
    assert answer.scores == {"son": 0.9}
    (unknown,) = chain([PairQuestion("1", "Dan", "Bob", told[1:])], rules)
    assert unknown.relation is None


def test_nobody_is_the_end_of_a_chain_from_himself() -> None:
    told = [CandidateTriple("Ann", "mother", "Bea"), CandidateTriple("Bea", "brother", "Ann")]
    (answer,) = chain([PairQuestion("1", "Ann", "Ann", told)], RULES)
    assert answer.relation is None


def test_denials_are_not_chained() -> None:
    (answer,) = chain(
        [PairQuestion("1", "Ann", "Bea", [CandidateTriple("Ann", "mother", "Bea", positive=False)])], RULES
    )
    assert answer.relation is None
    denial = CandidateRule((Pattern("?x", "mother", "?y", positive=False),), Pattern("?x", "uncle", "?y"))
    with pytest.raises(NotSupportedError, match="without denials"):
        chain([], [denial])


def test_a_confidence_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"in \[0, 1\]"):
        chain([PairQuestion("1", "Ann", "Bea", [CandidateTriple("Ann", "mother", "Bea", confidence=1.5)])], RULES)
