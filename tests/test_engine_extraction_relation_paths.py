"""Relation paths: what the engine follows, and what the search finds, against looking at every triple."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from rdflib import URIRef

from engine.extraction.relation_paths import ASKED, Lead, PathSearch, RelationPath, follow
from engine.symbolic import ReplayError, RuleSet, replay
from tests.films import EX, WORDINGS, films, followed

RELATIONS = ("directed_by", "written_by")
STEPS = [
    steps
    for length in (1, 2, 3)
    for steps in itertools.product(itertools.product(RELATIONS, (True, False)), repeat=length)
]


def path(steps: tuple[tuple[str, bool], ...]) -> RelationPath:
    return RelationPath(tuple((EX[relation], forward) for relation, forward in steps))


@pytest.mark.parametrize("seed", range(3))
def test_the_engine_follows_every_path_as_a_walk_over_all_triples_does(seed: int) -> None:
    graph = films(12, seed=seed)
    topics = [EX.Film0, EX.Film3, EX.Dana1, EX.Wim2]
    asked = [(topic, path(steps)) for topic in topics for steps in STEPS]
    closure = follow(graph, asked)
    for topic, steps in itertools.product(topics, STEPS):
        found = {triple.object for triple in closure.graph.triples(topic, path(steps).iri)}
        assert found == followed(graph, topic, steps), (topic, steps)
    assert {t.subject for steps in STEPS for t in closure.graph.triples(None, path(steps).iri)} <= set(topics)
    assert set(graph.triples()) <= set(closure.graph.triples())


def test_an_answer_is_proved_by_the_triples_of_the_path_and_the_reading() -> None:
    graph = films(12)
    steps = next(steps for steps in WORDINGS if len(steps) == 2)
    (topic,) = [t for t in (EX.Dana0, EX.Dana1, EX.Dana2) if followed(graph, t, steps)][:1]
    closure = follow(graph, [(topic, path(steps))])
    answer = min(followed(graph, topic, steps), key=str)
    proof = closure.proof((topic, path(steps).iri, answer))
    asked, *walked = proof.leaves()
    assert asked == (topic, ASKED, path(steps).iri)
    assert len(walked) == 2
    assert all(graph.contains(triple, inferred=False) for triple in walked)
    assert {topic, answer} <= {term for triple in walked for term in triple}
    assert replay(proof, closure.graph, closure.rules) == 4
    with pytest.raises(ReplayError):
        replay(proof, closure.graph, RuleSet())
    with pytest.raises(ReplayError):
        replay(proof, graph, closure.rules)


@pytest.mark.parametrize("seed", range(3))
def test_leads_are_the_paths_to_answers_with_their_f1(seed: int) -> None:
    graph = films(12, seed=seed)
    search = PathSearch(graph, hops=2)
    random = np.random.default_rng(seed)
    for topic_id, *rest in (random.permutation(graph.entity_ids)[:4].tolist() for _ in range(20)):
        topic, ids = graph.dictionary.term(topic_id), np.sort(rest)
        answers = {graph.dictionary.term(answer) for answer in rest}
        expected = {}
        for steps in (steps for steps in STEPS if len(steps) <= 2):
            ends = followed(graph, topic, steps)
            if ends & answers:
                expected[path(steps)] = 2 * len(ends & answers) / (len(ends) + len(answers))
        short = {one: fit for one, fit in expected.items() if len(one.steps) == 1}
        wanted = short if any(fit > 0.5 for fit in short.values()) else expected
        assert {lead.path: pytest.approx(lead.fit) for lead in search.leads(topic_id, ids)} == wanted


def test_longer_paths_are_sought_only_where_no_shorter_one_fits() -> None:
    graph = films(12)
    search = PathSearch(graph, hops=3)
    director = next(triple.object for triple in graph.triples(EX.Film0, EX.directed_by))
    every = sorted(graph.id(t.object) for t in graph.triples(EX.Film0, EX.directed_by))
    assert search.leads(graph.id(EX.Film0), np.array(every)) == [Lead(path((("directed_by", True),)), 1.0)]
    assert {len(lead.path.steps) for lead in search.leads(graph.id(director), np.array(every))} <= {2, 3}


def test_a_path_that_spreads_too_far_is_given_up() -> None:
    graph = films(40)
    topic, answers = graph.id(EX.Dana0), np.array([graph.id(EX.Film0)])
    assert PathSearch(graph, hops=3, fan=1).leads(topic, answers) == []


def test_a_path_is_written_as_in_sparql_and_named_apart_from_every_other() -> None:
    every = [path(steps) for steps in STEPS]
    assert str(path((("directed_by", False), ("written_by", True)))) == "^directed_by/written_by"
    assert len({one.iri for one in every}) == len(every)
    assert {one.rule.iri for one in every} == {one.iri for one in every}
    elsewhere = RelationPath(((URIRef("https://other.org/directed_by"), True),))
    assert (str(elsewhere), elsewhere.iri == every[0].iri) == (str(every[0]), False)
