"""Theories: the engine's answers against a loop over everything; proofs replayed; what is not read is not guessed."""

from __future__ import annotations

import pytest

from engine.extraction import CandidateRule, CandidateTriple
from engine.extraction.candidates import Pattern
from engine.extraction.theory import Conclusion, Read, Theory, World, conclude
from engine.symbolic import replay
from tests.theories import Literal, Puzzle, puzzles


def pattern(literal: Literal) -> Pattern:
    who, what, holds = literal
    return Pattern("?0" if who == "?" else who, "is", what, holds)


def theory(puzzle: Puzzle, confidence: float = 1.0) -> Theory:
    facts = [Read("fact", (pattern(fact),), confidence) for fact in puzzle.facts]
    rules = [
        Read("rule", (CandidateRule(tuple(map(pattern, body)), pattern(head)),), confidence)
        for body, head in puzzle.rules
    ]
    return Theory((*facts, *rules), (Read("question", (pattern(puzzle.asked),)),))


def said(*statements: CandidateTriple | CandidateRule) -> Read:
    return Read(" ".join(map(str, statements)), statements)


def one(sentences: list[Read], question: CandidateTriple, world: World = "open") -> Conclusion:
    ((found,),) = conclude([Theory(tuple(sentences), (said(question),))], world=world)
    return found


def test_open_answers_are_those_of_a_loop_over_everything_and_every_proof_replays() -> None:
    given = puzzles(300)
    found = [row[0] for row in conclude([theory(puzzle) for puzzle in given], share=120)]
    assert [c.value for c in found] == [puzzle.open_answer for puzzle in given]
    assert {c.value for c in found} == {True, False, None}
    assert [c.proof is None for c in found] == [c.value is None for c in found]
    assert all(replay(c.proof, c.closure.graph, c.closure.rules) for c in found if c.proof and c.closure)


def test_closed_answers_without_denials_are_open_ones_with_false_for_unknown() -> None:
    given = puzzles(100, denials=False)
    found = [row[0] for row in conclude([theory(puzzle) for puzzle in given], world="closed")]
    assert [c.value for c in found] == [puzzle.open_answer is True for puzzle in given]
    assert [c.proof is None for c in found] == [not c.value for c in found]


def test_the_probability_is_that_of_the_best_proof() -> None:
    given = puzzles(60, seed=1)
    for row in conclude([theory(puzzle, confidence=0.9) for puzzle in given]):
        if row[0].proof is not None:
            steps = 0
            stack = [row[0].proof]
            while stack:  # a part used twice counts twice
                step = stack.pop()
                steps += 1
                stack.extend(step.premises)
            assert row[0].probability == pytest.approx(0.9**steps)


def test_a_proof_names_its_sentences() -> None:
    rule = CandidateRule((Pattern("?0", "is", "red"),), Pattern("?0", "is", "kind"))
    found = one(
        [said(CandidateTriple("bob", "is", "young")), said(rule), said(CandidateTriple("bob", "is", "red"))],
        CandidateTriple("bob", "is", "kind", positive=False),
    )
    assert (found.value, found.sentences) == (False, (1, 2))


def test_a_verb_is_the_same_in_all_its_forms() -> None:
    rule = CandidateRule((Pattern("?0", "chase", "cat"),), Pattern("?0", "see", "cat"))
    facts = [said(CandidateTriple("dog", "chases", "cat")), said(rule)]
    assert one(facts, CandidateTriple("dog", "sees", "cat")).value is True


def test_in_a_closed_world_absence_meets_a_denial_and_the_answer_is_said_to_rest_on_it() -> None:
    rule = CandidateRule((Pattern("?0", "is", "strong", positive=False),), Pattern("?0", "is", "sad"))
    facts = [said(CandidateTriple("bob", "is", "red")), said(rule)]
    sad = one(facts, CandidateTriple("bob", "is", "sad"), "closed")
    assert sad.value is True
    assert sad.proof is not None
    assert sad.closure is not None
    assert replay(sad.proof, sad.closure.graph, sad.closure.rules) == 2
    strong = one(facts, CandidateTriple("bob", "is", "strong"), "closed")
    assert (strong.value, strong.proof, strong.fault) == (False, None, "")
    assert one(facts, CandidateTriple("bob", "is", "sad")).value is None


def test_a_sentence_that_was_not_read_forbids_answers_by_absence_alone() -> None:
    facts = [said(CandidateTriple("bob", "is", "red")), Read("Bob may be kind.", fault="no pattern fits")]
    found = one(facts, CandidateTriple("bob", "is", "kind"), "closed")
    assert found.value is None
    assert "Bob may be kind" in found.fault
    assert one(facts, CandidateTriple("bob", "is", "red"), "closed").value is True


def test_rules_that_deny_each_other_in_a_circle_give_no_answer_by_absence() -> None:
    rules = [
        CandidateRule((Pattern("?0", "is", a, positive=False),), Pattern("?0", "is", b))
        for a, b in (("red", "blue"), ("blue", "red"))
    ]
    found = one([said(CandidateTriple("bob", "is", "kind")), *map(said, rules)], Pattern("bob", "is", "red"), "closed")
    assert found.value is None
    assert "NOT" in found.fault


def test_a_contradiction_is_no_answer() -> None:
    facts = [said(CandidateTriple("bob", "is", "red")), said(CandidateTriple("bob", "is", "red", positive=False))]
    found = one(facts, CandidateTriple("bob", "is", "red"))
    assert (found.value, found.fault) == (None, "both the statement and its denial are proved")


def test_a_question_that_is_no_triple_is_not_answered() -> None:
    rule = CandidateRule((), Pattern("?0", "is", "red"))
    ((found,),) = conclude([Theory((said(CandidateTriple("bob", "is", "kind")),), (said(rule),))])
    assert (found.value, found.probability) == (None, 0.0)
    assert found.fault
