"""One relational graph-attention layer: a node attends to its neighbours, and each edge says what kind it is.

The same numbers come by two ways. The sparse one makes the states of every edge's ends, so its cost is that of the
edges; the dense one takes products of all pairs of nodes of a claim, and of all nodes and kinds of edges, and reads the
scores of the edges from them, which is less work where subgraphs are small.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

with warnings.catch_warnings():
    # torch-geometric still uses torch.jit while it is imported, which torch has deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from torch_geometric.nn import MessagePassing
    from torch_geometric.utils import softmax

__all__ = ["Edges", "RelationalAttention"]


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges of some subgraphs, by the subgraph and the positions of their ends in it, and by their kind."""

    graph: Int[Tensor, " edge"]
    source: Int[Tensor, " edge"]
    target: Int[Tensor, " edge"]
    kind: Int[Tensor, " edge"]


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
        x (node, dim); edge_index (2, edge), row 0 the source; edge_state (edge, dim), or (kind, dim) with the kind of
        each edge in `edge_kind` (edge); result (node, dim). A node without incoming edges gets no message.
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
        self,
        x: Float[Tensor, "node dim"],
        edge_index: Int[Tensor, "2 edge"],
        edge_state: Float[Tensor, "kind dim"],
        edge_kind: Int[Tensor, " edge"] | None = None,
    ) -> Float[Tensor, "node dim"]:
        """The node states after one step."""
        query, key, value = self._split(x)
        edge_key, edge_value = self._split_edges(edge_state)
        messages = self.propagate(
            edge_index,
            query=query,
            key=key,
            value=value,
            edge_key=edge_key if edge_kind is None else edge_key[edge_kind],
            edge_value=edge_value if edge_kind is None else edge_value[edge_kind],
            size=(len(x), len(x)),
        )
        return self._update(x, messages)

    def dense(
        self, x: Float[Tensor, "batch node dim"], edges: Edges, kind_state: Float[Tensor, "kind dim"]
    ) -> Float[Tensor, "batch node dim"]:
        """The same step on padded subgraphs of one size; padding gets no message and sends none."""
        batch, nodes, kinds = *x.shape[:2], len(kind_state)
        query, key, value = self._split(x)
        kind_key, kind_value = self._split_edges(kind_state)
        target = edges.graph * nodes + edges.target  # rows of what is flat over claims and nodes
        pair, kind = target * nodes + edges.source, target * kinds + edges.kind
        by_pair = torch.einsum("bihd,bjhd->bijh", query, key).reshape(-1, self.heads)
        by_kind = torch.einsum("bihd,rhd->birh", query, kind_key).reshape(-1, self.heads)
        score = (by_pair.index_select(0, pair) + by_kind.index_select(0, kind)) / self.head_dim**0.5
        weight = torch.dropout(softmax(score, target, num_nodes=batch * nodes), self.dropout, self.training)
        # Edges between the same two nodes, and edges of one kind from several, add up.
        to_pair = weight.new_zeros(batch * nodes * nodes, self.heads).index_add(0, pair, weight)
        to_kind = weight.new_zeros(batch * nodes * kinds, self.heads).index_add(0, kind, weight)
        messages = torch.einsum("bijh,bjhd->bihd", to_pair.view(batch, nodes, nodes, self.heads), value)
        messages = messages + torch.einsum("birh,rhd->bihd", to_kind.view(batch, nodes, kinds, self.heads), kind_value)
        return self._update(x, messages)

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values by head; shape (..., heads, head_dim) each."""
        normal = self.norm(x)
        query, key, value = (
            part(normal).view(*x.shape[:-1], self.heads, self.head_dim) for part in (self.query, self.key, self.value)
        )
        return query, key, value

    def _split_edges(self, states: Tensor) -> tuple[Tensor, Tensor]:
        key, value = (part(states).view(-1, self.heads, self.head_dim) for part in (self.edge_key, self.edge_value))
        return key, value

    def _update(self, x: Tensor, messages: Tensor) -> Tensor:
        x = x + self.drop(self.out(messages.flatten(-2)))
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
