"""Examples: labels that the closure and the rules agree to, in balance, reproducible, and nothing held out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from engine.fusion import ClaimExample, generate_examples
from engine.fusion.examples import shuffle_triples
from engine.fusion.grounding import IdTriple
from engine.symbolic import Closure, Status, check
from kg.errors import ConfigError, InputError
from kg.graph import KnowledgeGraph
from kg.verbalise import negate, relation_phrases, sentence
from tests.hamlet import claims, hamlet, ids

COUNT = 200


@pytest.fixture(scope="module")
def closure() -> Closure:
    return hamlet()


@pytest.fixture(scope="module")
def examples(closure: Closure) -> list[ClaimExample]:
    return generate_examples(closure, count=COUNT, seed=3)


def entity_triples(closure: Closure) -> set[IdTriple]:
    return {(int(s), int(p), int(o)) for s, p, o in closure.graph.entity_triples(inferred=True)}


def judged(closure: Closure, triples: list[IdTriple]) -> list[Status]:
    return [j.status for j in check(closure, [closure.graph.decode(*triple) for triple in triples])]


def test_half_of_the_claims_are_about_true_triples(examples: list[ClaimExample]) -> None:
    kinds = Counter(example.kind for example in examples)
    assert set(kinds) == {"entailed", "contradicted", "corrupted"}
    assert kinds["entailed"] == COUNT // 2
    assert 0.95 * COUNT <= len(examples) <= COUNT  # a few triples have no change that is false
    assert min(kinds.values()) >= COUNT // 10
    assert 0.15 < sum(example.negated for example in examples) / COUNT < 0.35


def test_without_denials_half_of_the_labels_are_true(closure: Closure) -> None:
    plain = generate_examples(closure, count=COUNT, seed=3, negated=0)
    assert [sum(e.label for e in plain), len(plain)] == pytest.approx([COUNT / 2, COUNT], rel=0.05)
    denied = generate_examples(closure, count=COUNT, seed=3, negated=1)
    assert {(e.kind == "entailed", e.negated, e.label) for e in denied} == {(True, True, 0.0), (False, True, 1.0)}


def test_label_says_whether_the_sentence_is_true(closure: Closure, examples: list[ClaimExample]) -> None:
    expected = {"entailed": Status.ENTAILED, "contradicted": Status.CONTRADICTED, "corrupted": Status.UNPROVEN}
    triples = [example.triple for example in examples if example.triple is not None]
    assert len(triples) == len(examples)
    assert judged(closure, triples) == [expected[example.kind] for example in examples]
    assert [example.label for example in examples] == [
        float((example.kind == "entailed") != example.negated) for example in examples
    ]


def test_true_triples_are_in_the_closure_and_false_ones_hide_theirs(
    closure: Closure, examples: list[ClaimExample]
) -> None:
    every = entity_triples(closure)
    false = [example for example in examples if example.kind != "entailed"]
    assert {e.triple for e in examples if e.kind == "entailed"} <= every
    assert {e.triple for e in false} & every == set()
    assert Counter(e.hidden for e in examples if e.kind == "entailed") == {(): COUNT // 2}
    for example in false:
        assert example.triple is not None
        assert len(example.hidden) == 1
        assert example.hidden[0] in every
        assert sum(a == b for a, b in zip(example.triple, example.hidden[0], strict=True)) == 2  # one term changed


def phrasings(graph: KnowledgeGraph, example: ClaimExample) -> set[str]:
    assert example.triple is not None
    triple = graph.decode(*example.triple)
    texts = {sentence(graph, triple, phrase) for phrase in relation_phrases(graph, triple.predicate)}
    return {negate(text) for text in texts} if example.negated else texts


def test_text_is_one_of_the_phrasings_of_its_triple(closure: Closure, examples: list[ClaimExample]) -> None:
    assert [e.text for e in examples if e.text not in phrasings(closure.graph, e)] == []
    homes = {" ".join(e.text.split()[1:-1]) for e in examples if "Ulm" in e.text and not e.negated}
    assert {"lives in", "has a home in"} <= homes


def test_seed_decides(closure: Closure, examples: list[ClaimExample]) -> None:
    assert generate_examples(closure, count=COUNT, seed=3) == examples
    assert generate_examples(closure, count=COUNT, seed=4) != examples


def test_held_out_triples_are_neither_claimed_nor_changed(closure: Closure) -> None:
    held_out = set(sorted(entity_triples(closure))[::2])
    found = generate_examples(closure, count=COUNT, seed=0, held_out=held_out)
    assert {e.triple for e in found} & held_out == set()
    assert {hidden for e in found for hidden in e.hidden} & held_out == set()
    assert {e.triple for e in found if e.kind == "entailed"} == entity_triples(closure) - held_out


def test_about_names_the_true_triples(closure: Closure) -> None:
    about = [ids(closure, "ann", "parentOf", "bob"), ids(closure, "cyd", "livesIn", "bonn")]
    found = generate_examples(closure, count=40, seed=0, about=about)
    assert {e.triple for e in found if e.kind == "entailed"} == set(about)
    assert {hidden for e in found for hidden in e.hidden} == set(about)
    with_one = generate_examples(closure, count=40, seed=0, about=about, held_out=about[:1])
    assert {e.triple for e in with_one if e.kind == "entailed"} == {about[1]}


@pytest.mark.parametrize("count", [2, 3, 7])
def test_count_is_kept_when_odd(closure: Closure, count: int) -> None:
    assert len(generate_examples(closure, count=count, seed=0)) == count


@pytest.mark.parametrize(("count", "negated"), [(1, 0.5), (0, 0.5), (10, -0.1), (10, 1.1)])
def test_count_and_share_out_of_range_are_refused(closure: Closure, count: int, negated: float) -> None:
    with pytest.raises(ConfigError, match="Expected a count of at least 2 and a share in"):
        generate_examples(closure, count=count, seed=0, negated=negated)


def test_nothing_to_make_claims_of_is_refused(closure: Closure) -> None:
    every = list(entity_triples(closure))
    message = "Expected a triple between entities to make claims of"
    with pytest.raises(InputError, match=message):
        generate_examples(closure, count=10, seed=0, held_out=every)
    with pytest.raises(InputError, match=message):
        generate_examples(closure, count=10, seed=0, about=[])


def test_shuffle_keeps_texts_and_labels_and_gives_every_triple_to_another(closure: Closure) -> None:
    before = claims(closure)
    after = shuffle_triples(before, seed=1)
    assert [replace(e, triple=None, hidden=()) for e in after] == [replace(e, triple=None, hidden=()) for e in before]
    assert Counter((e.triple, e.hidden) for e in after) == Counter((e.triple, e.hidden) for e in before)
    assert [a.triple is None for a in after] == [b.triple is None for b in before]
    assert not any(a.triple == b.triple for a, b in zip(after, before, strict=True) if b.triple is not None)
    assert shuffle_triples(before, seed=1) == after
    assert len({tuple(e.triple for e in shuffle_triples(before, seed=seed)) for seed in range(5)}) > 1


def test_shuffle_of_a_single_triple_takes_it_away(closure: Closure) -> None:
    one, none = claims(closure)[0], claims(closure)[5]
    assert [e.triple for e in shuffle_triples([one, none], seed=0)] == [None, None]
    assert shuffle_triples([none], seed=0) == [none]
    assert shuffle_triples([], seed=0) == []
