"""`FusionModel`: a BERT-family encoder whose upper layers each run beside a message-passing layer, with an exchange.

A claim's life in it:

1. the lower text layers read the text alone;
2. the nodes of its subgraph start from their entity's KG embedding, the text embedding of their label, and their role;
3. each upper text layer is followed by one step of relational attention on the graph and by the exchange, in which all
   tokens and all nodes attend to each other;
4. the logit is what the pooled text says, plus what text and the states of the claim's head and tail say together, plus
   the log-odds that the KG embedding gives the triple, weighted by the text; other questions have other heads, see
   `engine.fusion.heads`.

The exchange and the joint part of the head are zero at first, so an untrained fusion model is its text-only control.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from embeddings.calibrate import Calibration
from engine.fusion.batch import Batch, Collator
from engine.fusion.config import FusionConfig, Mode
from engine.fusion.encoder import Encoder, mean_pool
from engine.fusion.exchange import InteractionLayer, PairInteractionLayer
from engine.fusion.gnn import Edges, RelationalAttention
from engine.fusion.heads import ClaimHead, NodeHead, width_of
from kg.errors import ConfigError

__all__ = ["Epoch", "FusionModel", "TextLayers"]

_DENSE_NODES = 50
"""Largest subgraph for which attention over all pairs is chosen; `benchmarks/fusion.py attention` measures both."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the examples: mean losses in nats per claim (NaN where there was no validation), seconds."""

    loss: float
    validation_loss: float
    seconds: float


class TextLayers(nn.Module):
    """The layers of a BERT-family encoder, run one by one; a copy, so that the encoder itself is never trained.

    Args:
        encoder: the encoder to copy.
        frozen: how many layers, from the bottom and with the token embeddings, are neither trained nor dropped out.
    """

    def __init__(self, encoder: Encoder, *, frozen: int) -> None:
        super().__init__()
        model: Any = copy.deepcopy(encoder.model)
        self.frozen = frozen
        self.embeddings: nn.Module = model.embeddings
        self.project: nn.Module = getattr(model, "embeddings_project", nn.Identity())  # where ELECTRA's is narrower
        self.layers: nn.ModuleList = (model.transformer if hasattr(model, "transformer") else model.encoder).layer
        self.requires_grad_(True)
        for module in self._frozen_modules():
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> TextLayers:
        """Training mode for all but the frozen layers, whose states must stay the same for the same text."""
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        return self

    def _frozen_modules(self) -> list[nn.Module]:
        return [self.embeddings, self.project, *self.layers[: self.frozen]] if self.frozen else []

    def embed(self, token_ids: Tensor) -> Float[Tensor, "batch token token_dim"]:
        """The states before the first layer."""
        states: Tensor = self.project(self.embeddings(input_ids=token_ids))
        return states

    def run(self, at: int, states: Tensor, mask: Tensor) -> Float[Tensor, "batch token token_dim"]:
        """The states after layer `at`; `mask` (batch, token) is True where there is a token."""
        # An additive mask of this shape is what every layer of the supported families takes, eager or fused.
        allowed = torch.zeros(mask.shape, dtype=states.dtype, device=states.device)
        allowed = allowed.masked_fill(~mask, torch.finfo(states.dtype).min)[:, None, None, :]
        result = self.layers[at](states, attention_mask=allowed)
        after: Tensor = result[0] if isinstance(result, tuple) else result  # a tuple before transformers 5
        return after


class FusionModel(nn.Module):
    """Scores claims from their text and their grounded subgraph; one logit per claim, higher is more likely true.

    Args:
        collator: makes the batches and knows the widths; kept, so that the model can be asked about examples.
        config: the configuration; its `seed` is not used here, set torch's before.

    Raises:
        ConfigError: more fused or frozen layers than the encoder has.
    """

    relation_labels: Tensor

    def __init__(self, collator: Collator, config: FusionConfig) -> None:
        super().__init__()
        encoder, dim = collator.encoder, config.node_dim
        self.collator, self.config = collator, config
        self.history: tuple[Epoch, ...] = ()
        self.calibration: Calibration | None = None
        if config.fused_layers > encoder.num_layers:
            raise ConfigError(
                f"Expected 'fused_layers' to be at most the encoder's {encoder.num_layers} (got {config.fused_layers})"
            )
        self.lower_layers = encoder.num_layers - config.fused_layers
        frozen = self.lower_layers if config.frozen_layers is None else config.frozen_layers
        if frozen > encoder.num_layers:
            raise ConfigError(f"Expected 'frozen_layers' to be at most {encoder.num_layers} (got {frozen})")
        self.text = TextLayers(encoder, frozen=frozen)

        self.from_entity = nn.Linear(collator.entity_dim, dim, bias=False) if collator.entity_dim else None
        self.from_label = nn.Linear(encoder.dim, dim)
        pair = config.exchange == "pair"  # has an interaction node, with a role, and edges of a kind, of its own
        self.role = nn.Embedding(5 if pair else 4, dim)
        self.start_norm = nn.LayerNorm(dim)
        self.relation = nn.Embedding(len(collator.relations) + 1, dim)
        self.from_relation_label = nn.Linear(encoder.dim, dim, bias=False)
        self.edge_reverse = nn.Embedding(2, dim)
        self.edge_kind = nn.Embedding(4 if pair else 3, dim)
        for table in (self.role, self.relation, self.edge_reverse, self.edge_kind):
            nn.init.normal_(table.weight, std=0.1)
        self.graph_layers = nn.ModuleList(
            RelationalAttention(dim, heads=config.heads, dropout=config.dropout) for _ in range(config.fused_layers)
        )
        self.exchanges = nn.ModuleList(_exchange(encoder.dim, config) for _ in range(config.fused_layers))
        head = NodeHead if config.target == "entity" else ClaimHead
        width = width_of(config.target, len(collator.relations))
        self.head: ClaimHead | NodeHead = head(encoder.dim, dim, width, dropout=config.dropout)
        self.register_buffer("relation_labels", self._relation_labels(), persistent=False)

    def _relation_labels(self) -> Tensor:
        known = [id for id in self.collator.relations if id >= 0]
        rows = torch.zeros(len(self.collator.relations) + 1, self.collator.encoder.dim)
        vectors = iter(torch.from_numpy(self.collator.labels.rows(known)))
        for row, id in enumerate(self.collator.relations):
            if id >= 0:
                rows[row] = next(vectors)
        return rows

    def trained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Name and value of every parameter that training changes, in a fixed order."""
        return ((name, p) for name, p in self.named_parameters() if p.requires_grad)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.relation.weight.device

    def autocast(self) -> torch.autocast:
        """The context in which products are made in the configuration's precision."""
        kind, wanted = self.device.type, self.config.precision
        fast = wanted == "bfloat16" or (wanted == "auto" and kind == "cuda" and torch.cuda.is_bf16_supported())
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=fast)

    def compile_layers(self) -> None:
        """Compile text layers and exchanges, for batches of any size; weights and their names stay."""
        for module in (*self.text.layers, *self.exchanges):
            module.compile(dynamic=True)

    def lower_states(self, batch: Batch) -> Float[Tensor, "batch token token_dim"]:
        """The token states before the first fused layer."""
        if batch.token_states is not None:
            return batch.token_states
        states = self.text.embed(batch.token_ids)
        for at in range(self.lower_layers):
            states = self.text.run(at, states, batch.token_mask)
        return states

    def forward(self, batch: Batch, *, mode: Mode = "fusion") -> Tensor:
        """The logits: (batch,) for "truth" and "choice", (batch, class), or (node,) for "entity".

        Args:
            batch: the claims.
            mode: "text only" leaves out the graph, "graph only" the text; a "shuffled graph" is made by giving the
                claims each other's triples before batching, and runs as "fusion" does.
        """
        logits = self._logits(batch, mode)
        return logits.squeeze(-1) if self.config.target in ("truth", "choice", "entity") else logits

    def _logits(self, batch: Batch, mode: Mode) -> Tensor:
        if mode == "text only":
            return self.head.text(self._read(batch), batch)
        graph = _Graph(self, batch)
        if mode == "graph only":
            for layer in self.graph_layers:
                graph.step(layer)
            return self.head.joint(None, graph.nodes, batch)
        tokens = self.lower_states(batch)
        for at, (layer, exchange) in enumerate(zip(self.graph_layers, self.exchanges, strict=True)):
            tokens = self.text.run(self.lower_layers + at, tokens, batch.token_mask)
            graph.step(layer)
            tokens, graph.dense = exchange(tokens, batch.token_mask, graph.dense, graph.mask)
        pooled = self._pool(tokens, batch.token_mask)
        return self.head.text(pooled, batch) + self.head.joint(pooled, graph.nodes, batch)

    def _read(self, batch: Batch) -> Tensor:
        tokens = self.lower_states(batch)
        for at in range(self.lower_layers, len(self.text.layers)):
            tokens = self.text.run(at, tokens, batch.token_mask)
        return self._pool(tokens, batch.token_mask)

    def _pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return tokens[:, 0] if self.config.pooling == "cls" else mean_pool(tokens, mask)

    def start(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Node states (node, dim), states of the kinds of edges (kind, dim), and each edge's kind (edge,)."""
        nodes = self.from_label(batch.label_vector) + self.role(batch.role)
        if self.from_entity is not None:
            nodes = nodes + self.from_entity(batch.entity_vector)
        # Few edges differ in relation, direction and kind all at once, so states are made once for each that does.
        known = self.edge_kind.num_embeddings
        code = (batch.edge_relation * 2 + batch.edge_reverse) * known + batch.edge_kind
        codes, kind = torch.unique(code, return_inverse=True)
        relation = codes // (2 * known)
        states = self.relation(relation) + self.from_relation_label(self.relation_labels[relation])
        states = states + self.edge_reverse(codes // known % 2) + self.edge_kind(codes % known)
        return self.start_norm(nodes), states, kind


def _exchange(token_dim: int, config: FusionConfig) -> nn.Module:
    if config.exchange == "pair":
        return PairInteractionLayer(token_dim, config.node_dim, dropout=config.dropout)
    return InteractionLayer(token_dim, config.node_dim, heads=config.heads, dropout=config.dropout)


class _Graph:
    """The node states of a batch on their way through the layers, as one padded row per claim.

    Attributes:
        dense: shape (batch, largest subgraph, dim).
        mask: which of them are nodes.
    """

    def __init__(self, model: FusionModel, batch: Batch) -> None:
        self._batch = batch
        nodes, self._kind_state, self._kind = model.start(batch)
        self._largest = int(batch.slot.max()) + 1 if len(batch.slot) else 0
        self.dense = self._padded(nodes)
        self.mask = self._padded(torch.ones(len(nodes), 1, device=nodes.device)).squeeze(-1) > 0
        attention = model.config.attention
        self._is_dense = self._largest <= _DENSE_NODES if attention == "auto" else attention == "dense"
        source, target = batch.edge_index
        self._edges = Edges(batch.graph[target], batch.slot[source], batch.slot[target], self._kind)

    @property
    def nodes(self) -> Tensor:
        """The states one after the other; shape (node, dim)."""
        return self.dense[self._batch.graph, self._batch.slot]

    def step(self, layer: nn.Module) -> None:
        """One step of message passing."""
        assert isinstance(layer, RelationalAttention)
        if self._is_dense:
            self.dense = layer.dense(self.dense, self._edges, self._kind_state)
        else:
            self.dense = self._padded(layer(self.nodes, self._batch.edge_index, self._kind_state, self._kind))

    def _padded(self, nodes: Tensor) -> Tensor:
        dense = nodes.new_zeros(len(self._batch), self._largest, nodes.shape[-1])
        return dense.index_put((self._batch.graph, self._batch.slot), nodes)
