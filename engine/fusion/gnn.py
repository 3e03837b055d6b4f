"""One relational graph-attention layer: a node attends to its neighbours, and each edge says what kind it is."""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

with warnings.catch_warnings():
    # torch-geometric still uses torch.jit while it is imported, which torch has deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from torch_geometric.nn import MessagePassing
    from torch_geometric.utils import softmax

__all__ = ["RelationalAttention"]


class RelationalAttention(MessagePassing):  # type: ignore[misc]  # torch-geometric is untyped
    r"""Message passing with attention over edges that carry a relation, a direction and how they are known.

    With :math:`e` the state of the edge from :math:`j` to :math:`i`,

    .. math::
        \alpha_{ij} = \mathrm{softmax}_j \left( (W_q x_i)^\top (W_k x_j + W_e e) / \sqrt{d} \right), \qquad
        x_i' = x_i + W_o \sum_j \alpha_{ij} (W_v x_j + W_f e)

    per head, then a feed-forward block, each on a normalised input. It is the attention of "Attention Is All You Need"
    (https://arxiv.org/abs/1706.03762, equation 1) on the edges of a graph, with relation-aware keys and values as in
    "Self-Attention with Relative Position Representations" (https://arxiv.org/abs/1803.02155, equations 3 and 4).

    Args:
        dim: width of node and edge states, a multiple of `heads`.
        heads: number of attention heads.
        dropout: chance of dropping an attention weight or a state while training.

    Shapes:
        x (node, dim); edge_index (2, edge), row 0 the source; edge_state (edge, dim); result (node, dim). A node
        without incoming edges gets no message.
    """

    def __init__(self, dim: int, *, heads: int, dropout: float) -> None:
        super().__init__(aggr="add", node_dim=0)
        self.heads, self.head_dim, self.dropout = heads, dim // heads, dropout
        self.norm, self.feed_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.query, self.key, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.edge_key, self.edge_value = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.feed = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * dim, dim))
        self.drop = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "node dim"], edge_index: Int[Tensor, "2 edge"], edge_state: Float[Tensor, "edge dim"]
    ) -> Float[Tensor, "node dim"]:
        """The node states after one step."""
        normal = self.norm(x)
        split = (-1, self.heads, self.head_dim)
        messages = self.propagate(
            edge_index,
            query=self.query(normal).view(split),
            key=self.key(normal).view(split),
            value=self.value(normal).view(split),
            edge_key=self.edge_key(edge_state).view(split),
            edge_value=self.edge_value(edge_state).view(split),
            size=(len(x), len(x)),
        )
        x = x + self.drop(self.out(messages.flatten(1)))
        after: Tensor = x + self.drop(self.feed(self.feed_norm(x)))
        return after

    def propagate(self, edge_index: Tensor, size: tuple[int, int] | None = None, **states: Tensor) -> Tensor:
        """One round of messages; a method of our own keeps torch-geometric from leaving a generated module in /tmp."""
        result: Tensor = super().propagate(edge_index, size=size, **states)
        return result

    def message(
        self,
        query_i: Tensor,
        key_j: Tensor,
        value_j: Tensor,
        edge_key: Tensor,
        edge_value: Tensor,
        index: Tensor,
        ptr: Tensor | None,
        size_i: int | None,
    ) -> Tensor:
        """What each edge carries to its target, weighted by attention; shape (edge, heads, head_dim)."""
        score = (query_i * (key_j + edge_key)).sum(-1) / self.head_dim**0.5
        weight = softmax(score, index, ptr, size_i)
        weight = torch.dropout(weight, self.dropout, self.training)
        return (value_j + edge_value) * weight.unsqueeze(-1)
