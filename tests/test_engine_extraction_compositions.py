"""Rules learnt from lessons: compositions, attributes, inverses, each with what speaks for it."""

from __future__ import annotations

from engine.extraction.candidates import CandidateRule, Pattern
from engine.extraction.compositions import ATTRIBUTE, learn_rules
from engine.extraction.lessons import Lesson, pair_examples
from tests.kinship import kin_lessons


def test_a_composition_is_learnt_from_steps() -> None:
    learnt = learn_rules(kin_lessons(12))
    assert learnt.compositions == {("mother", "brother"): ("uncle", 12 / 13)}
    assert learnt.attributes["uncle"] == ("male", 12 / 13)
    rule = CandidateRule(
        (Pattern("?x", "mother", "?y"), Pattern("?y", "brother", "?z")), Pattern("?x", "uncle", "?z"), 12 / 13
    )
    assert learnt.rules()[0] == rule
    assert (
        CandidateRule((Pattern("?x", "mother", "?y"),), Pattern("?y", ATTRIBUTE, "female"), 12 / 13) in learnt.rules()
    )


def test_less_support_than_asked_for_is_no_rule() -> None:
    assert learn_rules(kin_lessons(2)).rules() == []
    assert learn_rules(kin_lessons(2), support=2).compositions.keys() == {("mother", "brother")}


def test_a_rule_that_another_way_contradicts_is_trusted_less() -> None:
    """Wife, son, grandmother: by the son she is a mother, by the wife a mother-in-law, and that is what is said."""
    son = (("a", "son", "b"), ("b", "grandmother", "c"))
    plain = Lesson("", son, ((("a", "mother", "c"), son),))
    wife = (("w", "wife", "a"), *son)
    clash = Lesson(
        "", wife, ((("w", "mother-in-law", "c"), (wife[0], ("a", "mother", "c"))), (("a", "mother", "c"), son))
    )
    way = Lesson("", wife[:2], ((("w", "son", "b"), wife[:2]),))
    learnt = learn_rules([plain] * 6 + [way] * 3 + [clash] * 3).compositions
    assert learnt["son", "grandmother"] == ("mother", 9 / 13)
    assert learnt["wife", "mother"] == ("mother-in-law", 3 / 4)


def test_an_inverse_depends_on_the_attribute_and_joins_only_one_group() -> None:
    there = [
        Lesson("", (("kid", "father", "dad"),), attributes={"kid": value, "dad": "male"}, group="1")
        for value in ("male", "female")
    ]
    back = [
        Lesson("", (("dad", relation, "kid"),), attributes={"kid": value, "dad": "male"}, group="1")
        for value, relation in (("male", "son"), ("female", "daughter"))
    ]
    learnt = learn_rules((there + back) * 3)
    assert learnt.backwards["father", "male"] == "son"
    assert learnt.backwards["father", "female"] == "daughter"
    apart = [Lesson(b.passage, b.facts, b.steps, b.attributes, "2") for b in back]
    assert learn_rules((there + apart) * 3).inverses == {}


def test_pair_examples_tell_each_direction_that_is_known_and_none_elsewhere() -> None:
    facts = (("Ann", "mother", "Bea"), ("Bea", "brother", "Cyd"))
    lesson = Lesson(
        "[Ann] and her mother [Bea] met [Dan]. [Cyd] is [Bea]'s brother.", facts, attributes={"Ann": "female"}
    )
    (first, second, both) = pair_examples([lesson], {("mother", "female"): "daughter"}, idle=0.5)
    assert first.relations == {
        ("Ann", "Bea"): "mother",
        ("Bea", "Ann"): "daughter",
        **{pair: None for a in ("Ann", "Bea") for pair in ((a, "Dan"), ("Dan", a))},
    }
    assert second.relations == {("Bea", "Cyd"): "brother"}  # what Bea is to Cyd is not known: she has no attribute
    assert both.relations["Ann", "Cyd"] is None


def test_equal_texts_are_one_example_and_the_majority_decides() -> None:
    lessons = [Lesson(f"[{a}] has a son [{b}].", ((a, "son", b),)) for a, b in (("Ann", "Bob"), ("Cyd", "Dan"))]
    lessons.append(Lesson("[Eve] has a son [Fay].", (("Eve", "daughter", "Fay"),)))
    (example,) = pair_examples(lessons, {})
    assert example.window.text == "x has a son y."
    assert example.relations == {("Ann", "Bob"): "son"}
