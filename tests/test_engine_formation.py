"""Reading candidate triples from sentences."""

from __future__ import annotations

import pytest
from rdflib import RDF, XSD, Literal

from engine import ClaimFormer, FormationSettings
from kg.graph import KnowledgeGraph
from kg.linking import LabelIndex
from kg.terms import Triple
from tests.family import EX, family

GRAPH = family().graph


def former(threshold: float = 0.45) -> ClaimFormer:
    return ClaimFormer(GRAPH, LabelIndex(GRAPH), settings=FormationSettings(threshold=threshold))


@pytest.mark.parametrize(
    ("text", "triple", "positive"),
    [
        ("Ann is a parent of Bob.", (EX.ann, EX.parentOf, EX.bob), True),
        ("Bob is a child of Ann.", (EX.ann, EX.parentOf, EX.bob), True),
        ("Ann isn't a parent of Bob.", (EX.ann, EX.parentOf, EX.bob), False),
        ("It is not true that Ann never lives in Ulm.", (EX.ann, EX.livesIn, EX.ulm), True),
        ("Ann is a person.", (EX.ann, RDF.type, EX.Person), True),
    ],
)
def test_the_best_candidate_is_what_the_text_states(text: str, triple: tuple[object, ...], positive: bool) -> None:
    best = former().form(text).candidates[0]
    assert (best.triple, best.positive) == (triple, positive)


def test_candidates_are_ordered_and_distinct() -> None:
    found = former(threshold=0.0).form("Ann is a parent of Bob.").candidates
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    assert len({(c.triple, c.positive) for c in found}) == len(found) > 1


def test_a_wording_far_from_every_phrase_forms_nothing() -> None:
    assert former().form("Ann outran Bob yesterday near the river bank.").candidates == ()


def test_a_sentence_with_its_triple_teaches_a_wording() -> None:
    taught = [("Dan fathered Cyd.", Triple(EX.dan, EX.parentOf, EX.cyd), True)]
    learnt = ClaimFormer(GRAPH, LabelIndex(GRAPH), sentences=taught)
    assert learnt.form("Ann fathered Bob.").candidates[0].triple == (EX.ann, EX.parentOf, EX.bob)
    assert former().form("Ann fathered Bob.").candidates == ()


def test_a_number_is_read_in_the_relation_s_datatype() -> None:
    height = Literal("165", datatype=XSD.integer)
    triples = [*GRAPH.triples(inferred=False), (EX.ann, EX.heightInCentimetres, height)]
    graph = KnowledgeGraph.from_triples(triples)
    found = ClaimFormer(graph, LabelIndex(graph)).form("Ann height in centimetres 165").candidates
    assert found[0].triple == (EX.ann, EX.heightInCentimetres, height)
