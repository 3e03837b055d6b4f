"""The reasoner: symbolic verdicts first, a score only for what stays unproven."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import ClaimFormer, Contradicted, Entailed, Reason, Reasoner, Unknown, Unproven, Verdict
from engine.symbolic import Closure
from kg.errors import InputError
from kg.linking import LabelIndex
from tests.family import EX, family

CLOSURE = family()
TRIPLES = [
    (EX.ann, EX.parentOf, EX.bob),
    (EX.ann, EX.grandparentOf, EX.cyd),
    (EX.bob, EX.parentOf, EX.ann),
    (EX.ann, EX.parentOf, EX.ulm),
    (EX.dan, EX.parentOf, EX.ann),
    (EX.dan, EX.livesIn, EX.ulm),
    (EX.eve, EX.parentOf, EX.ann),
]
WORDS = ["entailed", "entailed", "contradicted", "contradicted", "unproven", "unproven", "unknown"]


@dataclass
class FixedScorer:
    """Gives the same score to everything, or raises."""

    score: float | None

    def plausibility(self, texts: Sequence[str], triples: Sequence[tuple[int, int, int]]) -> list[float]:
        if self.score is None:
            raise InputError("the text is too long")
        return [self.score for _ in texts]


@pytest.fixture(scope="module")
def closure() -> Closure:
    return CLOSURE


@pytest.fixture(scope="module")
def reasoner(closure: Closure) -> Reasoner:
    return Reasoner(closure, former=ClaimFormer(closure.graph, LabelIndex(closure.graph)), scorer=FixedScorer(0.25))


def words(verdicts: list[Verdict]) -> list[str]:
    return [verdict.word for verdict in verdicts]


def test_triples_get_the_four_verdicts(closure: Closure) -> None:
    assert words(Reasoner(closure).check_many(TRIPLES)) == WORDS


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), st.booleans())
def test_scorer_never_changes_the_verdict(score: float | None, positive: bool) -> None:
    without = Reasoner(CLOSURE).check_many(TRIPLES, positive=positive)
    scored = Reasoner(CLOSURE, scorer=FixedScorer(score)).check_many(TRIPLES, positive=positive)
    assert [type(v) for v in scored] == [type(v) for v in without]
    for a, b in zip(without, scored, strict=True):
        if isinstance(b, Unproven):
            assert b.plausibility is None or 0.0 <= b.plausibility <= 1.0
        else:
            assert a.to_dict() == b.to_dict()


def test_a_score_outside_its_range_is_left_out_and_said(closure: Closure) -> None:
    verdict = Reasoner(closure, scorer=FixedScorer(float("nan"))).check((EX.dan, EX.livesIn, EX.ulm))
    assert isinstance(verdict, Unproven)
    assert (verdict.plausibility, verdict.note) == (None, "The model gave no valid plausibility.")


def test_a_denied_triple_turns_entailed_and_contradicted_round(closure: Closure) -> None:
    turned = {"entailed": "contradicted", "contradicted": "entailed"}
    assert words(Reasoner(closure).check_many(TRIPLES, positive=False)) == [turned.get(word, word) for word in WORDS]


def test_the_plausibility_of_a_denial_is_the_complement(closure: Closure) -> None:
    verdict = Reasoner(closure, scorer=FixedScorer(0.25)).check((EX.dan, EX.livesIn, EX.ulm), positive=False)
    assert isinstance(verdict, Unproven)
    assert verdict.plausibility == 0.75


@pytest.mark.parametrize(
    ("text", "word", "triple"),
    [
        ("Ann is a grandparent of Cyd.", "entailed", (EX.ann, EX.grandparentOf, EX.cyd)),
        ("Bob is a child of Ann.", "entailed", (EX.ann, EX.parentOf, EX.bob)),
        ("Bob is not a child of Ann.", "contradicted", (EX.ann, EX.parentOf, EX.bob)),
        ("Bob brought up Ann.", "contradicted", (EX.bob, EX.parentOf, EX.ann)),
        ("Dan has a home in Ulm.", "unproven", (EX.dan, EX.livesIn, EX.ulm)),
    ],
)
def test_a_sentence_is_read_and_decided(reasoner: Reasoner, text: str, word: str, triple: tuple[object, ...]) -> None:
    verdict = reasoner.ask(text)
    assert (verdict.word, verdict.claim.triple) == (word, triple)
    assert json.loads(json.dumps(verdict.to_dict()))["verdict"] == word
    assert str(verdict).startswith(f"{word.capitalize()}: {text}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.EMPTY_TEXT),
        ("   ", Reason.EMPTY_TEXT),
        ("Ann is a grandparent of Zorblaxine.", Reason.MENTION_NOT_LINKED),
        ("Ann sings.", Reason.TOO_FEW_MENTIONS),
        ("Ann is a grandparent of " + "my dear " * 300 + "Cyd.", Reason.TEXT_TOO_LONG),
        ("Ann, Bob and Cyd. " * 6, Reason.TEXT_TOO_LONG),
    ],
)
def test_what_cannot_be_read_is_unknown_with_the_reason(reasoner: Reasoner, text: str, reason: Reason) -> None:
    verdict = reasoner.ask(text)
    assert isinstance(verdict, Unknown)
    assert verdict.reason is reason


def test_match_takes_a_verdict_apart(closure: Closure) -> None:
    match Reasoner(closure).check(("ex:ann", "ex:grandparentOf", "ex:cyd")):
        case Entailed(proof=proof):
            assert set(proof.leaves()) == {
                (EX.ann, EX.parentOf, EX.bob),
                (EX.bob, EX.parentOf, EX.cyd),
            }
        case other:
            pytest.fail(f"expected Entailed, got {other}")


def test_a_refutation_rests_on_the_claim(closure: Closure) -> None:
    verdict = Reasoner(closure).check((EX.bob, EX.parentOf, EX.ann))
    assert isinstance(verdict, Contradicted)
    assert (EX.bob, EX.parentOf, EX.ann) in verdict.refutation.leaves()


def test_an_undeclared_prefix_is_unknown_not_an_error(closure: Closure) -> None:
    verdict = Reasoner(closure).check(("nope:ann", "ex:parentOf", "ex:bob"))
    assert isinstance(verdict, Unknown)
    assert verdict.reason is Reason.TERM_NOT_IN_GRAPH


def test_a_claim_of_two_parts_is_refused(closure: Closure) -> None:
    with pytest.raises(ValueError, match="Expected a triple"):
        Reasoner(closure).check(("ex:ann", "ex:bob"))
