"""`FusionModel`: a BERT-family encoder whose upper layers each run beside a message-passing layer, with an exchange.

A claim's life in it:

1. the lower text layers read the text alone;
2. the nodes of its subgraph start from their entity's KG embedding, the text embedding of their label, and their role;
3. each upper text layer is followed by one step of relational attention on the graph and by the exchange, in which all
   tokens and all nodes attend to each other;
4. the logit is what the pooled text says, plus what text and the states of the claim's head and tail say together, plus
   the log-odds that the KG embedding gives the triple, weighted by the text.

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
from engine.fusion.exchange import InteractionLayer
from engine.fusion.gnn import RelationalAttention
from kg.errors import ConfigError

__all__ = ["Epoch", "FusionModel", "TextLayers"]


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

        parts: dict[str, Any] = {"heads": config.heads, "dropout": config.dropout}
        self.from_entity = nn.Linear(collator.entity_dim, dim, bias=False) if collator.entity_dim else None
        self.from_label = nn.Linear(encoder.dim, dim)
        self.role = nn.Embedding(4, dim)
        self.start_norm = nn.LayerNorm(dim)
        self.relation = nn.Embedding(len(collator.relations) + 1, dim)
        self.from_relation_label = nn.Linear(encoder.dim, dim, bias=False)
        self.edge_reverse = nn.Embedding(2, dim)
        self.edge_kind = nn.Embedding(3, dim)
        for table in (self.role, self.relation, self.edge_reverse, self.edge_kind):
            nn.init.normal_(table.weight, std=0.1)
        self.graph_layers = nn.ModuleList(RelationalAttention(dim, **parts) for _ in range(config.fused_layers))
        self.exchanges = nn.ModuleList(InteractionLayer(encoder.dim, dim, **parts) for _ in range(config.fused_layers))

        self.text_head = nn.Linear(encoder.dim, 1)
        self.node_norm, self.text_norm = nn.LayerNorm(dim), nn.LayerNorm(encoder.dim)
        self.claim_state = nn.Sequential(nn.Linear(3 * dim, 2 * dim), nn.GELU(), nn.Dropout(config.dropout))
        self.text_factor = nn.Linear(encoder.dim, 2 * dim)
        self.joint_head = nn.Linear(2 * dim, 1)
        self.embedding_weight = nn.Linear(encoder.dim, 1)
        for parameter in (*self.joint_head.parameters(), *self.embedding_weight.parameters()):
            nn.init.zeros_(parameter)
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
        return self.text_head.weight.device

    def lower_states(self, batch: Batch) -> Float[Tensor, "batch token token_dim"]:
        """The token states before the first fused layer."""
        if batch.token_states is not None:
            return batch.token_states
        states = self.text.embed(batch.token_ids)
        for at in range(self.lower_layers):
            states = self.text.run(at, states, batch.token_mask)
        return states

    def forward(self, batch: Batch, *, mode: Mode = "fusion") -> Float[Tensor, " batch"]:
        """The logit of each claim.

        Args:
            batch: the claims.
            mode: "text only" leaves out the graph, "graph only" the text; a "shuffled graph" is made by giving the
                claims each other's triples before batching, and runs as "fusion" does.
        """
        if mode == "text only":
            return self._text_logit(self._read(batch))
        nodes, edges = self._start(batch)
        if mode == "graph only":
            for layer in self.graph_layers:
                nodes = layer(nodes, batch.edge_index, edges)
            return self._joint_logit(None, nodes, batch)
        tokens = self.lower_states(batch)
        dense_mask = self._dense(torch.ones(len(nodes), 1, device=nodes.device), batch).squeeze(-1) > 0
        for at, (layer, exchange) in enumerate(zip(self.graph_layers, self.exchanges, strict=True)):
            tokens = self.text.run(self.lower_layers + at, tokens, batch.token_mask)
            nodes = layer(nodes, batch.edge_index, edges)
            tokens, dense = exchange(tokens, batch.token_mask, self._dense(nodes, batch), dense_mask)
            nodes = dense[batch.graph, batch.slot]
        pooled = self._pool(tokens, batch.token_mask)
        return self._text_logit(pooled) + self._joint_logit(pooled, nodes, batch)

    def _read(self, batch: Batch) -> Tensor:
        tokens = self.lower_states(batch)
        for at in range(self.lower_layers, len(self.text.layers)):
            tokens = self.text.run(at, tokens, batch.token_mask)
        return self._pool(tokens, batch.token_mask)

    def _pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return tokens[:, 0] if self.config.pooling == "cls" else mean_pool(tokens, mask)

    def _start(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The node states and the edge states before the first message-passing layer."""
        nodes = self.from_label(batch.label_vector) + self.role(batch.role)
        if self.from_entity is not None:
            nodes = nodes + self.from_entity(batch.entity_vector)
        relations = self.relation.weight + self.from_relation_label(self.relation_labels)
        edges = relations[batch.edge_relation] + self.edge_reverse(batch.edge_reverse) + self.edge_kind(batch.edge_kind)
        return self.start_norm(nodes), edges

    def _dense(self, nodes: Tensor, batch: Batch) -> Tensor:
        """Node states as one padded row per claim; shape (batch, largest graph, dim)."""
        largest = int(batch.slot.max()) + 1 if len(batch.slot) else 0
        dense = nodes.new_zeros(len(batch), largest, nodes.shape[-1])
        return dense.index_put((batch.graph, batch.slot), nodes)

    def _text_logit(self, pooled: Tensor) -> Tensor:
        logit: Tensor = self.text_head(pooled)
        return logit.squeeze(-1)

    def _joint_logit(self, pooled: Tensor | None, nodes: Tensor, batch: Batch) -> Tensor:
        """The logit of the claim's entities, given the text; zero for a claim that has none."""
        there = (batch.head >= 0).unsqueeze(-1)
        if not len(nodes):
            return torch.zeros(len(batch), device=self.device)
        head, tail = (self.node_norm(nodes[at.clamp(min=0)]) * there for at in (batch.head, batch.tail))
        state = self.claim_state(torch.cat([head, tail, head * tail], dim=-1))
        weight = self.embedding_weight.bias
        if pooled is not None:
            # Products, not sums: a denial turns round whatever the graph says.
            state = state * (1 + self.text_factor(self.text_norm(pooled)))
            weight = self.embedding_weight(self.text_norm(pooled)).squeeze(-1)
        logit: Tensor = self.joint_head(state) * there
        return logit.squeeze(-1) + weight * batch.embedding_logit
