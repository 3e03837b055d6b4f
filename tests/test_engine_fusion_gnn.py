"""Message passing and exchange against dense implementations written from their formulas."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.fusion.exchange import InteractionLayer
from engine.fusion.gnn import RelationalAttention


def layer(dim: int = 8, heads: int = 2) -> RelationalAttention:
    torch.manual_seed(1)
    made: RelationalAttention = RelationalAttention(dim, heads=heads, dropout=0.3).eval()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made


def graph(dim: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    """Six nodes, of which node 5 gets no message; two edges share their ends, one is a loop."""
    torch.manual_seed(2)
    edge_index = torch.tensor([[0, 1, 2, 0, 0, 3, 4, 5], [1, 0, 1, 2, 2, 3, 1, 4]])
    return torch.randn(6, dim), edge_index, torch.randn(8, dim)


def dense_attention(at: RelationalAttention, x: Tensor, edge_index: Tensor, edge_state: Tensor) -> Tensor:
    """The layer's formula node by node and head by head."""
    normal, width = at.norm(x), at.head_dim
    query, key, value = at.query(normal), at.key(normal), at.value(normal)
    edge_key, edge_value = at.edge_key(edge_state), at.edge_value(edge_state)
    messages = torch.zeros_like(x)
    for node in range(len(x)):
        incoming = [edge for edge in range(edge_index.shape[1]) if edge_index[1, edge] == node]
        if not incoming:
            continue
        for head in range(at.heads):
            part = slice(head * width, (head + 1) * width)
            sources = edge_index[0, incoming]
            keys = (key[sources] + edge_key[incoming])[:, part]
            weight = ((keys @ query[node, part]) / math.sqrt(width)).exp()
            values = (value[sources] + edge_value[incoming])[:, part]
            messages[node, part] = (weight / weight.sum()) @ values
    x = x + at.out(messages)
    return torch.as_tensor(x + at.feed(at.feed_norm(x)))


@pytest.mark.parametrize(("dim", "heads"), [(8, 2), (12, 1), (12, 4)])
def test_layer_equals_the_dense_formula(dim: int, heads: int) -> None:
    at, (x, edge_index, edge_state) = layer(dim, heads), graph(dim)
    torch.testing.assert_close(at(x, edge_index, edge_state), dense_attention(at, x, edge_index, edge_state))


def test_attention_weights_of_a_node_sum_to_one() -> None:
    """With every message all ones, what arrives at a node is the sum of its weights."""
    at, (x, edge_index, edge_state) = layer(), graph()
    with torch.no_grad():
        at.value.weight.zero_()
        at.value.bias.fill_(1)
        at.edge_value.weight.zero_()
    arrived: list[Tensor] = []
    at.out.register_forward_hook(lambda module, given, made: arrived.append(given[0]))
    at(x, edge_index, edge_state)
    torch.testing.assert_close(arrived[0][:5], torch.ones(5, 8))
    assert torch.equal(arrived[0][5], torch.zeros(8))


def test_direction_and_edge_state_change_the_output() -> None:
    at, (x, edge_index, edge_state) = layer(), graph()
    before = at(x, edge_index, edge_state)
    turned = at(x, edge_index.flip(0), edge_state)
    other = at(x, edge_index, edge_state + (torch.arange(8) == 5).unsqueeze(1))  # the loop at node 3
    assert not torch.allclose(before, turned, atol=1e-2)
    assert (before - other).abs().amax(1).gt(1e-2).tolist() == [False, False, False, True, False, False]


def test_order_of_the_edges_does_not_matter() -> None:
    at, (x, edge_index, edge_state) = layer(), graph()
    order = torch.randperm(8)
    torch.testing.assert_close(at(x, edge_index[:, order], edge_state[order]), at(x, edge_index, edge_state))


def test_dropout_acts_in_training_only() -> None:
    at, parts = layer(), graph()
    assert torch.equal(at(*parts), at(*parts))
    at.train()
    assert not torch.equal(at(*parts), at(*parts))


def exchange() -> InteractionLayer:
    torch.manual_seed(3)
    made = InteractionLayer(12, 8, heads=2, dropout=0.3).eval()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made


def states() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two claims: five tokens and three nodes; two tokens and no node."""
    torch.manual_seed(4)
    token_mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    node_mask = torch.tensor([[True] * 3, [False] * 3])
    return torch.randn(2, 5, 12), token_mask, torch.randn(2, 3, 8), node_mask


def dense_exchange(part: nn.Module, gate: Tensor, x: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """One direction of the exchange, row by row and head by head, with the slot of zeros in every sum."""
    at: dict[str, nn.Module] = dict(part.named_children())
    heads = 2
    query, seen = at["query"](at["norm"](x)), at["other_norm"](other)
    key, value = at["key"](seen), at["value"](seen)
    width = query.shape[-1] // heads
    found = torch.zeros_like(query)
    for claim in range(x.shape[0]):
        for row in range(x.shape[1]):
            for head in range(heads):
                cut = slice(head * width, (head + 1) * width)
                there = mask[claim].nonzero().flatten()
                weight = (key[claim, there, cut] @ query[claim, row, cut] / math.sqrt(width)).exp()
                found[claim, row, cut] = (weight / (weight.sum() + 1)) @ value[claim, there, cut]
    return torch.as_tensor(x + gate.tanh() * at["out"](found))


def test_exchange_equals_the_dense_formula() -> None:
    at, (tokens, token_mask, nodes, node_mask) = exchange(), states()
    new_tokens, new_nodes = at(tokens, token_mask, nodes, node_mask)
    torch.testing.assert_close(new_tokens, dense_exchange(at.to_tokens, at.token_gate, tokens, nodes, node_mask))
    torch.testing.assert_close(new_nodes, dense_exchange(at.to_nodes, at.node_gate, nodes, tokens, token_mask))


def test_exchange_with_closed_gates_changes_nothing() -> None:
    tokens, token_mask, nodes, node_mask = states()
    new_tokens, new_nodes = InteractionLayer(12, 8, heads=2, dropout=0.0)(tokens, token_mask, nodes, node_mask)
    assert torch.equal(new_tokens, tokens)
    assert torch.equal(new_nodes, nodes)


def test_padding_is_never_read() -> None:
    at, (tokens, token_mask, nodes, node_mask) = exchange(), states()
    new_tokens, new_nodes = at(tokens, token_mask, nodes, node_mask)
    other_tokens = torch.where(token_mask.unsqueeze(-1), tokens, 100.0)
    other_nodes = torch.where(node_mask.unsqueeze(-1), nodes, -100.0)
    seen_tokens, seen_nodes = at(other_tokens, token_mask, other_nodes, node_mask)
    torch.testing.assert_close(seen_tokens[token_mask], new_tokens[token_mask])
    torch.testing.assert_close(seen_nodes[node_mask], new_nodes[node_mask])


@pytest.mark.parametrize("opened", [False, True])
def test_gates_get_a_gradient_from_where_they_start(opened: bool) -> None:
    tokens, token_mask, nodes, node_mask = states()
    at = exchange() if opened else InteractionLayer(12, 8, heads=2, dropout=0.0)
    new_tokens, new_nodes = at(tokens, token_mask, nodes, node_mask)
    (new_tokens.sum() + new_nodes.sum()).backward()
    assert at.token_gate.grad is not None
    assert at.node_gate.grad is not None
    assert at.token_gate.grad.abs().min() > 0
    assert at.node_gate.grad.abs().min() > 0


def test_no_generated_module_is_left_behind(tmp_path: Path) -> None:
    code = "from engine.fusion.gnn import RelationalAttention; RelationalAttention(8, heads=2, dropout=0.0)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=Path(__file__).parents[1])
    assert list(tmp_path.rglob("*.py")) == []
