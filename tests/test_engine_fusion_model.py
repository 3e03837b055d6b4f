"""The model: text alone at the start, the same logit however nodes are numbered and claims are batched, any width."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from engine.fusion import ClaimExample, Encoder, FusionConfig, FusionModel
from engine.fusion.batch import INTERACTION, LINKED, Batch
from engine.fusion.config import Attention, Exchange, Mode, Pooling
from engine.fusion.exchange import PairInteractionLayer
from engine.fusion.gnn import RelationalAttention
from engine.symbolic import Closure
from kg.errors import ConfigError
from tests.hamlet import SMALL, claims, hamlet, ids, small_embedding, small_encoder, small_model


@pytest.fixture(scope="module")
def closure() -> Closure:
    return hamlet()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return small_encoder()


@pytest.fixture(scope="module")
def model(closure: Closure, encoder: Encoder) -> FusionModel:
    return small_model(closure, encoder, small_embedding(closure))


def logits(model: FusionModel, examples: list[ClaimExample], mode: Mode = "fusion") -> Tensor:
    with torch.inference_mode():
        return torch.as_tensor(model(model.collator(examples), mode=mode))


@pytest.mark.parametrize("pooling", get_args(Pooling))
@pytest.mark.parametrize("width", [32, 48])
@pytest.mark.parametrize("dim", [None, 3, 10])
def test_untrained_fusion_is_its_text_only_control(
    closure: Closure, width: int, dim: int | None, pooling: Pooling
) -> None:
    embedding = None if dim is None else small_embedding(closure, dim=dim)
    config = replace(SMALL, node_dim=24, heads=4, pooling=pooling)
    model = small_model(closure, small_encoder(width=width), embedding, config, opened=False)
    assert torch.equal(logits(model, claims(closure)), logits(model, claims(closure), "text only"))
    assert logits(model, claims(closure), "graph only").tolist() == [0.0] * len(claims(closure))
    assert len(set(logits(model, claims(closure)).tolist())) == len(claims(closure))


@pytest.mark.parametrize("seed", range(5))
def test_numbering_of_nodes_and_order_of_edges_do_not_matter(closure: Closure, model: FusionModel, seed: int) -> None:
    batch = model.collator(claims(closure))
    torch.manual_seed(seed)
    order, edges = torch.randperm(len(batch.role)), torch.randperm(batch.edge_index.shape[1])
    place = torch.argsort(order)  # new number of each old node
    slot = torch.zeros_like(batch.slot)
    for graph in range(len(batch)):
        inside = batch.graph[order] == graph
        slot[inside] = torch.randperm(int(inside.sum()))
    renumbered = replace(
        batch,
        **{name: getattr(batch, name)[order] for name in ("entity_vector", "label_vector", "role", "graph")},
        slot=slot,
        edge_index=place[batch.edge_index[:, edges]],
        **{name: getattr(batch, name)[edges] for name in ("edge_relation", "edge_reverse", "edge_kind")},
        **{name: torch.where(ends < 0, -1, place[ends]) for name, ends in (("head", batch.head), ("tail", batch.tail))},
    )
    with torch.inference_mode():
        for mode in ("fusion", "graph only"):
            torch.testing.assert_close(model(renumbered, mode=mode), model(batch, mode=mode), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", get_args(Mode))
def test_batch_gives_the_logits_of_its_claims(closure: Closure, model: FusionModel, mode: Mode) -> None:
    every = claims(closure)
    singles = torch.cat([logits(model, [claim], mode) for claim in every])
    torch.testing.assert_close(logits(model, every, mode), singles, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits(model, every[::-1], mode), singles.flip(0), rtol=1e-4, atol=1e-5)


def with_triples_of_others(examples: list[ClaimExample]) -> list[ClaimExample]:
    triples = [example.triple for example in examples]
    return [replace(e, triple=t, hidden=()) for e, t in zip(examples, [*triples[1:], triples[0]], strict=True)]


def test_text_only_ignores_the_graph_and_graph_only_the_text(closure: Closure, model: FusionModel) -> None:
    linked = [claim for claim in claims(closure) if claim.triple is not None]
    other_graph = with_triples_of_others(linked)
    other_text = [replace(claim, text="Fay is married to Bob.") for claim in linked]
    assert torch.equal(logits(model, linked, "text only"), logits(model, other_graph, "text only"))
    assert torch.equal(logits(model, linked, "graph only"), logits(model, other_text, "graph only"))
    seen: list[tuple[Mode, list[ClaimExample]]] = [("fusion", other_graph), ("fusion", other_text)]
    for mode, changed in [*seen, ("graph only", other_graph)]:
        assert (logits(model, linked, mode) - logits(model, changed, mode)).abs().min() > 1e-3


def test_claim_without_triple_is_read_alone_as_well(closure: Closure, model: FusionModel) -> None:
    unlinked = [ClaimExample("Ann knows Eve", None, 1.0, "text"), ClaimExample("No", None, 0.0, "text")]
    assert torch.isfinite(logits(model, unlinked)).all()
    assert logits(model, unlinked, "graph only").tolist() == [0.0, 0.0]
    torch.testing.assert_close(logits(model, [*unlinked, *claims(closure)])[:2], logits(model, unlinked))


def changed(batch: Batch, name: str) -> Batch:
    value = getattr(batch, name)
    turned = {"edge_reverse": 1 - value, "edge_kind": (value + 1) % 3, "edge_relation": value.flip(0)}
    return replace(batch, **{name: turned.get(name, value.flip(0))})


@pytest.mark.parametrize(
    "name", ["edge_reverse", "edge_kind", "edge_relation", "entity_vector", "label_vector", "role", "embedding_logit"]
)
def test_direction_kind_relation_and_node_states_all_count(closure: Closure, model: FusionModel, name: str) -> None:
    batch = model.collator(claims(closure)[:2])
    with torch.inference_mode():
        for mode in ("fusion", "graph only"):
            difference = model(changed(batch, name), mode=mode) - model(batch, mode=mode)
            assert difference.abs().min() > 1e-5


@pytest.mark.parametrize("exchange", get_args(Exchange))
def test_dense_and_sparse_attention_give_the_same_logits_and_gradients(
    closure: Closure, encoder: Encoder, exchange: Exchange
) -> None:
    found = []
    for attention in get_args(Attention):
        config = replace(SMALL, attention=attention, exchange=exchange, evidence="closure")
        model = small_model(closure, encoder, small_embedding(closure), config)
        made = model(model.collator(claims(closure)))
        made.sum().backward()
        found.append((made.detach(), {name: p.grad for name, p in model.trained_parameters() if p.grad is not None}))
    (first, gradients), *others = found
    assert gradients["graph_layers.0.edge_key.weight"].abs().sum() > 0
    for made, other in others:
        torch.testing.assert_close(made, first, rtol=1e-5, atol=1e-5)
        assert set(other) == set(gradients)
        for name, gradient in gradients.items():
            torch.testing.assert_close(other[name], gradient, rtol=1e-4, atol=1e-5)


def test_auto_attention_is_sparse_for_a_large_subgraph(
    closure: Closure, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_model(closure, encoder, None)
    used: list[str] = []

    def told(name: str) -> Callable[..., Any]:
        real = getattr(RelationalAttention, name)

        def step(*parts: Any) -> Any:
            used.append(name)
            return real(*parts)

        return step

    for name in ("dense", "forward"):
        monkeypatch.setattr(RelationalAttention, name, told(name))
    logits(model, claims(closure)[:1])
    monkeypatch.setattr("engine.fusion.model._DENSE_NODES", 1)
    logits(model, claims(closure)[:1])
    assert used == ["dense", "dense", "forward", "forward"]


def test_pair_exchange_goes_through_the_first_token_and_the_interaction_node(closure: Closure) -> None:
    torch.manual_seed(0)
    layer = PairInteractionLayer(12, 8, dropout=0.0)
    tokens, nodes = torch.randn(2, 5, 12), torch.randn(2, 3, 8)
    token_mask, node_mask = torch.ones(2, 5, dtype=torch.bool), torch.tensor([[True] * 3, [False] * 3])
    same_tokens, same_nodes = layer(tokens, token_mask, nodes, node_mask)
    assert torch.equal(same_tokens, tokens)
    assert torch.equal(same_nodes, nodes)
    for gate in (layer.token_gate, layer.node_gate):
        torch.nn.init.ones_(gate)
    new_tokens, new_nodes = layer(tokens, token_mask, nodes, node_mask)
    pair = torch.cat([layer.token_norm(tokens[0, 0]), layer.node_norm(nodes[0, 0])])
    change = torch.tanh(torch.tensor(1.0)) * layer.mix(pair)
    torch.testing.assert_close(new_tokens[0, 0], tokens[0, 0] + change[:12])
    torch.testing.assert_close(new_nodes[0, 0], nodes[0, 0] + change[12:])
    assert torch.equal(new_tokens[:, 1:], tokens[:, 1:])
    assert torch.equal(new_nodes[:, 1:], nodes[:, 1:])
    assert torch.equal(new_tokens[1], tokens[1])  # a claim without nodes


def test_pair_exchange_links_the_interaction_node_to_the_claims_own(closure: Closure, encoder: Encoder) -> None:
    pair = small_model(closure, encoder, small_embedding(closure), replace(SMALL, exchange="pair"))
    cross = small_model(closure, encoder, small_embedding(closure))
    claim = claims(closure)[0]
    batch, plain = pair.collator([claim]), cross.collator([claim])
    assert batch.entity.tolist() == [INTERACTION, *plain.entity.tolist()]
    assert batch.role.tolist() == [4, *plain.role.tolist()]
    assert not batch.label_vector[0].any()
    ends = batch.edge_index[:, (batch.edge_kind == LINKED) & (batch.edge_reverse == 0)]
    assert ends.tolist() == [[0, 0], [int(batch.head), int(batch.tail)]]
    assert batch.edge_index.shape[1] == plain.edge_index.shape[1] + 4
    assert abs(float(logits(pair, [claim]) - logits(pair, [claim], "text only"))) > 1e-3


def test_turning_an_edge_of_the_evidence_round_changes_the_logit(closure: Closure, model: FusionModel) -> None:
    batch = model.collator(claims(closure)[1:2])
    turned = replace(batch, edge_index=batch.edge_index.flip(0))
    with torch.inference_mode():
        assert abs(float(model(turned) - model(batch))) > 1e-4


def test_cached_states_give_the_logits_of_the_text(closure: Closure, model: FusionModel) -> None:
    every = claims(closure)
    batch = model.collator(every)
    with torch.inference_mode():
        lower = model.lower_states(batch)
        states = {e.text: lower[at, : int(batch.token_mask[at].sum())] for at, e in enumerate(every)}
        cached = model.collator(every, states=states)
        assert cached.token_states is not None
        torch.testing.assert_close(model(cached), model(batch), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta"])
def test_layers_run_one_by_one_give_the_states_of_the_encoder(closure: Closure, family: str) -> None:
    encoder = small_encoder(family=family)
    model = small_model(closure, encoder, None)
    batch = model.collator(claims(closure))
    with torch.inference_mode():
        states = model.text.embed(batch.token_ids)
        for at in range(encoder.num_layers):
            states = model.text.run(at, states, batch.token_mask)
        expected = encoder.model(input_ids=batch.token_ids, attention_mask=batch.token_mask.long()).last_hidden_state
    torch.testing.assert_close(states[batch.token_mask], expected[batch.token_mask], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("fused", "frozen", "trained"),
    [(1, None, {2}), (2, None, {1, 2}), (1, 0, {0, 1, 2}), (3, 1, {1, 2}), (1, 3, set())],
)
def test_only_the_layers_above_the_frozen_ones_are_trained(
    closure: Closure, encoder: Encoder, fused: int, frozen: int | None, trained: set[int]
) -> None:
    model = small_model(closure, encoder, None, replace(SMALL, fused_layers=fused, frozen_layers=frozen))
    names = [name for name, _ in model.trained_parameters()]
    assert {int(name.split(".")[2]) for name in names if name.startswith("text.layers.")} == trained
    assert any(name.startswith("text.embeddings.") for name in names) == (frozen == 0)
    model.train()
    off = {at for at, layer in enumerate(model.text.layers) if not layer.training}
    assert off == (set() if frozen == 0 else set(range(3)) - trained)


@pytest.mark.parametrize("settings", [{"fused_layers": 4}, {"fused_layers": 1, "frozen_layers": 4}])
def test_more_layers_than_the_encoder_has_are_refused(
    closure: Closure, encoder: Encoder, settings: dict[str, int]
) -> None:
    name = list(settings)[-1]
    with pytest.raises(ConfigError, match=rf"Expected '{name}' to be at most .*3 \(got 4\)"):
        small_model(closure, encoder, None, FusionConfig(**{**SMALL.to_dict(), **settings}))


def test_head_and_tail_are_told_apart(closure: Closure, model: FusionModel) -> None:
    head, relation, tail = ids(closure, "dan", "knows", "gil")
    there, back = (ClaimExample("Dan knows Gil", t, 0.0, "x") for t in ((head, relation, tail), (tail, relation, head)))
    assert (logits(model, [there], "graph only") - logits(model, [back], "graph only")).abs() > 1e-3
