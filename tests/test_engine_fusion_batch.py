"""Batches: disjoint graphs with kinds, directions and roles, and texts that fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.fusion import ClaimExample, Encoder, FusionConfig
from engine.fusion.batch import ASSERTED, CLAIMED, INFERRED, Batch, Collator
from engine.symbolic import Closure
from kg.errors import LimitError
from tests.hamlet import EX, SMALL, claims, hamlet, ids, small_embedding, small_encoder


@dataclass
class FixedVectors:
    """Two entities with vectors, and the chance of each triple by its head."""

    entities: NDArray[np.int32]
    entity_vectors: NDArray[np.float32]
    chance: dict[int, float]
    calibration: Any = "fitted"
    fingerprint: str = "fixed"

    def knows(self, triples: NDArray[np.integer]) -> NDArray[np.bool_]:
        return np.array([int(head) in self.chance for head in triples[:, 0]], dtype=bool)

    def plausibility(self, triples: NDArray[np.integer]) -> NDArray[np.float64]:
        return np.array([self.chance[int(head)] for head in triples[:, 0]])


@pytest.fixture(scope="module")
def closure() -> Closure:
    return hamlet()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return small_encoder()


def collator(closure: Closure, encoder: Encoder, config: FusionConfig = SMALL) -> Collator:
    return Collator(closure, small_embedding(closure), encoder, config)


def test_edges_run_both_ways_and_the_claim_is_asked_not_shown(closure: Closure, encoder: Encoder) -> None:
    claim = ids(closure, "ann", "parentOf", "bob")
    make = collator(closure, encoder, replace(SMALL, evidence="closure"))
    batch = make([ClaimExample("Ann is a parent of Bob", claim, 1.0, "entailed")])
    evidence = make.grounder.evidence_for(claim)
    rows = list(zip(evidence.head.tolist(), evidence.tail.tolist(), evidence.relation.tolist(), strict=True))
    kinds = [INFERRED if inferred else ASSERTED for inferred in evidence.inferred]
    ends = (evidence.nodes.tolist().index(claim[0]), evidence.nodes.tolist().index(claim[2]))
    forward = [(*row, kind, 0) for row, kind in zip(rows, kinds, strict=True)] + [(*ends, claim[1], CLAIMED, 0)]
    backward = [(tail, head, relation, kind, 1) for head, tail, relation, kind, _ in forward]
    found = zip(
        *batch.edge_index.tolist(),
        [make.relations[row] for row in batch.edge_relation.tolist()],
        batch.edge_kind.tolist(),
        batch.edge_reverse.tolist(),
        strict=True,
    )
    assert list(found) == forward + backward
    assert {ASSERTED, INFERRED, CLAIMED} == set(batch.edge_kind.tolist())
    assert (batch.head.tolist(), batch.tail.tolist()) == ([ends[0]], [ends[1]])


def test_a_batch_is_its_claims_one_after_the_other(closure: Closure, encoder: Encoder) -> None:
    make, every = collator(closure, encoder), claims(closure)
    whole, singles = make(every), [make([claim]) for claim in every]
    sizes = [len(single.role) for single in singles]
    assert whole.graph.tolist() == [at for at, size in enumerate(sizes) for _ in range(size)]
    assert whole.slot.tolist() == [slot for size in sizes for slot in range(size)]
    starts = np.cumsum([0, *sizes[:-1]]).tolist()
    for ends, column in ((whole.head, "head"), (whole.tail, "tail")):
        own = [int(getattr(single, column)[0]) for single in singles]
        assert ends.tolist() == [-1 if at < 0 else start + at for start, at in zip(starts, own, strict=True)]
    for name in ("entity_vector", "label_vector", "role", "embedding_logit", "label"):
        torch.testing.assert_close(getattr(whole, name), torch.cat([getattr(single, name) for single in singles]))
    assert int(whole.edge_index.max()) < len(whole.role)
    assert torch.equal(whole.graph[whole.edge_index[0]], whole.graph[whole.edge_index[1]])
    assert len(whole) == len(every)


def test_roles_say_head_tail_and_both(closure: Closure, encoder: Encoder) -> None:
    loop, plain = claims(closure)[4], claims(closure)[0]
    batch = collator(closure, encoder)([plain, loop])
    expected = torch.zeros(len(batch.role), dtype=torch.int64)
    expected[batch.head[0]], expected[batch.tail[0]], expected[batch.head[1]] = 1, 2, 3
    assert torch.equal(batch.role, expected)


def test_hidden_triples_of_example_and_call_are_both_left_out(closure: Closure, encoder: Encoder) -> None:
    make, claim = collator(closure, encoder), claims(closure)[2]
    own, called = claim.hidden[0], ids(closure, "hal", "livesIn", "bonn")
    assert claim.triple is not None
    expected = len(make.grounder.evidence_for(claim.triple, {own, called}).head)
    assert make([claim], hidden=[called]).edge_index.shape == (2, 2 * (expected + 1))
    assert expected < len(make.grounder.evidence_for(claim.triple, {own}).head)
    assert len(make.grounder.evidence_for(claim.triple, {own}).head) < len(
        make.grounder.evidence_for(claim.triple).head
    )


def test_unknown_entities_are_zeros_and_labels_are_unit_rows(closure: Closure, encoder: Encoder) -> None:
    graph = closure.graph
    make = collator(closure, encoder)
    claim = (graph.id(EX.ulm), graph.id("rdf:type"), graph.id(EX.Town))
    batch = make([ClaimExample("Ulm is a town", claim, 1.0, "entailed")])
    head, tail = int(batch.head[0]), int(batch.tail[0])
    assert make.embedding is not None
    known = make.embedding.entities.tolist().index(claim[0])
    assert batch.entity_vector[head].tolist() == make.embedding.entity_vectors[known].tolist()
    assert not batch.entity_vector[tail].any()  # the towns' class has no vector
    torch.testing.assert_close(batch.label_vector.norm(dim=1), torch.ones(len(batch.role)))
    np.testing.assert_allclose(batch.label_vector[[head, tail]].numpy(), encoder.embed(["Ulm", "town"]), atol=1e-6)


def test_embedding_logit_is_the_bounded_log_odds_of_known_triples(closure: Closure, encoder: Encoder) -> None:
    heads = [closure.graph.id(EX[name]) for name in ("ann", "bob", "cyd", "dan")]
    vectors = FixedVectors(
        np.array(sorted(heads[:2]), dtype=np.int32),
        np.ones((2, 5), dtype=np.float32),
        dict(zip(heads[:3], (0.75, 1.0, 0.0), strict=True)),
    )
    knows, eve = closure.graph.id(EX.knows), closure.graph.id(EX.eve)
    asked = [ClaimExample("Ann knows Eve", (head, knows, eve), 0.0, "corrupted") for head in heads]
    asked.append(ClaimExample("Ann knows", None, 0.0, "text"))
    expected = [math.log(3), math.log(99), -math.log(99), 0.0, 0.0]
    make = Collator(closure, vectors, encoder, SMALL)
    assert make.entity_dim == 5
    np.testing.assert_allclose(make(asked).embedding_logit.numpy(), expected, rtol=1e-5)
    for nothing in (None, replace(vectors, calibration=None)):
        assert Collator(closure, nothing, encoder, SMALL)(asked).embedding_logit.tolist() == [0.0] * 5


def test_a_relation_without_a_row_shares_the_last_one(closure: Closure, encoder: Encoder) -> None:
    parent, knows = closure.graph.id(EX.parentOf), closure.graph.id(EX.knows)
    make = Collator(closure, None, encoder, SMALL, relations=[knows, parent])
    batch = make(claims(closure)[:2])
    relations = np.concatenate(
        [
            [*make.grounder.evidence_for(c.triple).relation, c.triple[1]]
            for c in claims(closure)[:2]
            if c.triple is not None
        ]
    )
    expected = [{knows: 0, parent: 1}.get(int(relation), 2) for relation in relations]
    assert batch.edge_relation.tolist() == expected * 2
    assert set(expected) == {0, 1, 2}


def test_claims_without_triples_make_an_empty_graph(closure: Closure, encoder: Encoder) -> None:
    batch = collator(closure, encoder)([ClaimExample("Ann knows Eve", None, 1.0, "text")] * 2)
    shapes = {f.name: tuple(getattr(batch, f.name).shape) for f in fields(Batch) if f.name != "token_states"}
    assert shapes == {
        "token_ids": (2, 5),
        "token_mask": (2, 5),
        "entity_vector": (0, 6),
        "label_vector": (0, 32),
        "entity": (0,),
        "role": (0,),
        "graph": (0,),
        "slot": (0,),
        "edge_index": (2, 0),
        "edge_relation": (0,),
        "edge_reverse": (0,),
        "edge_kind": (0,),
        "head": (2,),
        "tail": (2,),
        "embedding_logit": (2,),
        "label": (2,),
        "group": (2,),
        "answer": (0,),
        "relation_answer": (2,),
    }
    assert batch.head.tolist() == batch.tail.tolist() == [-1, -1]


def test_texts_are_padded_and_masked(closure: Closure, encoder: Encoder) -> None:
    batch = collator(closure, encoder)([claims(closure)[0], claims(closure)[5]])
    long, short = encoder.tokenize([claims(closure)[0].text, claims(closure)[5].text])
    assert batch.token_ids.tolist() == [long, short + [1] * (len(long) - len(short))]
    assert batch.token_mask.tolist() == [[True] * len(long), [at < len(short) for at in range(len(long))]]


def test_a_text_longer_than_encoder_or_configuration_takes_is_refused(closure: Closure, encoder: Encoder) -> None:
    text = "Ann knows " + "Bob " * 44  # 48 tokens with start and end
    fitting = ClaimExample(text, None, 1.0, "text")
    assert collator(closure, encoder)([fitting]).token_ids.shape == (1, 48)
    with pytest.raises(LimitError, match=r"at most 48 tokens .* \(got 49 in 'Ann knows Bob.*one sentence"):
        collator(closure, encoder)([replace(fitting, text=text + "Bob")])
    with pytest.raises(LimitError, match="at most 47 tokens"):
        collator(closure, encoder, replace(SMALL, max_tokens=47))([fitting])
