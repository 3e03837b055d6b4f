"""The exchange between text and graph, in one of two forms.

`InteractionLayer` lets every token attend to every node of its subgraph, and the other way. `PairInteractionLayer`
passes everything through one token and one node, as GreaseLM does; it is there to compare.

Both directions are gated, and the gates start at zero: at the start of training the text runs as if there were no
graph, and the model opens the gates only as far as the graph lowers its loss (the gate of Flamingo,
https://arxiv.org/abs/2204.14198, section 2.2).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention

__all__ = ["InteractionLayer", "PairInteractionLayer"]


class _CrossAttention(nn.Module):
    """Attention from one set of states to another, each of its own width, with an empty slot to attend to."""

    def __init__(self, dim: int, other_dim: int, *, inner: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.other_norm = nn.LayerNorm(dim), nn.LayerNorm(other_dim)
        self.query, self.key, self.value = (nn.Linear(width, inner) for width in (dim, other_dim, other_dim))
        self.out = nn.Linear(inner, dim)
        self.drop = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch n dim"], other: Float[Tensor, "batch m other"], mask: Bool[Tensor, "batch m"]
    ) -> Float[Tensor, "batch n dim"]:
        other = self.other_norm(other)
        query, key, value = (self._split(s) for s in (self.query(self.norm(x)), self.key(other), self.value(other)))
        # A slot of zeros that is never masked: a text without a subgraph attends to nothing instead of to NaN.
        key, value = pad(key, (0, 0, 0, 1)), pad(value, (0, 0, 0, 1))
        allowed = pad(mask, (0, 1), value=True)[:, None, None, :]
        found = scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        result: Tensor = self.drop(self.out(found.transpose(1, 2).flatten(2)))
        return result

    def _split(self, states: Tensor) -> Tensor:
        return states.view(*states.shape[:-1], self.heads, states.shape[-1] // self.heads).transpose(1, 2)


class InteractionLayer(nn.Module):
    """Exchange in both directions between all tokens and all nodes, each direction behind its own gate.

    Args:
        token_dim: width of the token states.
        node_dim: width of the node states, and of the attention; a multiple of `heads`.
        heads: number of attention heads.
        dropout: chance of dropping a state while training.
    """

    def __init__(self, token_dim: int, node_dim: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.to_tokens = _CrossAttention(token_dim, node_dim, inner=node_dim, heads=heads, dropout=dropout)
        self.to_nodes = _CrossAttention(node_dim, token_dim, inner=node_dim, heads=heads, dropout=dropout)
        self.token_gate = nn.Parameter(torch.zeros(token_dim))
        self.node_gate = nn.Parameter(torch.zeros(node_dim))

    def forward(
        self,
        tokens: Float[Tensor, "batch token token_dim"],
        token_mask: Bool[Tensor, "batch token"],
        nodes: Float[Tensor, "batch node node_dim"],
        node_mask: Bool[Tensor, "batch node"],
    ) -> tuple[Float[Tensor, "batch token token_dim"], Float[Tensor, "batch node node_dim"]]:
        """The token and node states after the exchange; both are computed from the states as they came."""
        new_tokens = tokens + torch.tanh(self.token_gate) * self.to_tokens(tokens, nodes, node_mask)
        new_nodes = nodes + torch.tanh(self.node_gate) * self.to_nodes(nodes, tokens, token_mask)
        return new_tokens, new_nodes


class PairInteractionLayer(nn.Module):
    """Exchange between the first token and the interaction node, which is the first node of each subgraph.

    One feed-forward network reads both states and gives a change of each (GreaseLM, https://arxiv.org/abs/2201.08860,
    section 3.3.3, which replaces the states; here the gates add to them).

    Args:
        token_dim: width of the token states.
        node_dim: width of the node states, and half that of the hidden layer.
        dropout: chance of dropping a state while training.
    """

    def __init__(self, token_dim: int, node_dim: int, *, dropout: float) -> None:
        super().__init__()
        self.token_norm, self.node_norm = nn.LayerNorm(token_dim), nn.LayerNorm(node_dim)
        self.mix = nn.Sequential(
            nn.Linear(token_dim + node_dim, 2 * node_dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * node_dim, token_dim + node_dim),
        )
        self.token_gate = nn.Parameter(torch.zeros(token_dim))
        self.node_gate = nn.Parameter(torch.zeros(node_dim))

    def forward(
        self,
        tokens: Float[Tensor, "batch token token_dim"],
        token_mask: Bool[Tensor, "batch token"],
        nodes: Float[Tensor, "batch node node_dim"],
        node_mask: Bool[Tensor, "batch node"],
    ) -> tuple[Float[Tensor, "batch token token_dim"], Float[Tensor, "batch node node_dim"]]:
        """The token and node states after the exchange; a claim without nodes keeps its own."""
        if not nodes.shape[1]:
            return tokens, nodes
        pair = torch.cat([self.token_norm(tokens[:, 0]), self.node_norm(nodes[:, 0])], dim=-1)
        change = self.mix(pair) * node_mask[:, :1]
        to_token, to_node = change.split([tokens.shape[-1], nodes.shape[-1]], dim=-1)
        token = tokens[:, :1] + (torch.tanh(self.token_gate) * to_token).unsqueeze(1)
        node = nodes[:, :1] + (torch.tanh(self.node_gate) * to_node).unsqueeze(1)
        return torch.cat([token, tokens[:, 1:]], dim=1), torch.cat([node, nodes[:, 1:]], dim=1)
