"""From claims to tensors: padded tokens, and the claims' subgraphs as one disjoint graph.

Names of the graph's tensors are those of torch-geometric: `edge_index` of shape (2, edge) with sources in row 0, and a
vector that says which graph of the batch each node belongs to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from engine.fusion.config import FusionConfig
from engine.fusion.encoder import Encoder, pad
from engine.fusion.examples import ClaimExample
from engine.fusion.grounding import ASKED, ClosureView, Grounder, IdTriple
from kg.graph import KnowledgeGraph
from kg.subgraph import Subgraph

__all__ = ["ASSERTED", "CLAIMED", "INFERRED", "INTERACTION", "Batch", "Collator", "EntityVectors", "LabelVectors"]

ASSERTED, INFERRED, CLAIMED = 0, 1, 2  # how an edge is known; the claim's own edge says what is asked, not what holds
LINKED = 3  # an edge of the interaction node
INTERACTION = -1  # in place of a term id: the interaction node

_LEAST_CHANCE = 0.01  # bounds the log-odds, which the embedding overstates for triples it was trained on


class EntityVectors(Protocol):
    """The part of a trained embedding the fusion model needs: entity vectors, and what it says of a triple."""

    @property
    def entities(self) -> NDArray[np.int32]:
        """Shape (entity,)."""
        ...

    @property
    def entity_vectors(self) -> NDArray[np.float32]:
        """Shape (entity, dim)."""
        ...

    @property
    def calibration(self) -> Any:
        """What makes scores plausibilities; None where there is nothing."""
        ...

    @property
    def fingerprint(self) -> str:
        """What it was trained on."""
        ...

    def knows(self, triples: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether all terms of each triple were trained; shape (num_triples,)."""
        ...

    def plausibility(self, triples: NDArray[np.integer]) -> NDArray[np.float64]:
        """Calibrated plausibility of each triple, in [0, 1]; shape (num_triples,)."""
        ...


@dataclass(frozen=True, eq=False)
class Batch:
    """Claims as tensors. Node numbers count over the whole batch; -1 where a claim has no such node.

    `embedding_logit` is the log-odds of the embedding's plausibility for the triple, 0 where it has none.
    `role` of a node is 0, 1 (head of its claim), 2 (tail), 3 (both) or 4 (the interaction node); `slot` is its number
    inside its own graph. `group` numbers the groups, a claim by itself being one. `answer` says which nodes are right
    ones, `relation_answer` is the row of the right relation; -1 where it is not asked for.
    """

    token_ids: Int[Tensor, "batch token"]
    token_mask: Bool[Tensor, "batch token"]
    token_states: Float[Tensor, "batch token token_dim"] | None
    entity_vector: Float[Tensor, "node entity_dim"]
    label_vector: Float[Tensor, "node token_dim"]
    entity: Int[Tensor, " node"]
    role: Int[Tensor, " node"]
    graph: Int[Tensor, " node"]
    slot: Int[Tensor, " node"]
    edge_index: Int[Tensor, "2 edge"]
    edge_relation: Int[Tensor, " edge"]
    edge_reverse: Int[Tensor, " edge"]
    edge_kind: Int[Tensor, " edge"]
    head: Int[Tensor, " batch"]
    tail: Int[Tensor, " batch"]
    embedding_logit: Float[Tensor, " batch"]
    label: Float[Tensor, " batch"]
    group: Int[Tensor, " batch"]
    answer: Bool[Tensor, " node"]
    relation_answer: Int[Tensor, " batch"]

    def __len__(self) -> int:
        return len(self.label)

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        tensors = ((f.name, getattr(self, f.name)) for f in fields(self))
        moved: dict[str, Any] = {name: None if tensor is None else tensor.to(device) for name, tensor in tensors}
        return Batch(**moved)


class LabelVectors:
    """The text embedding of each term's label; the encoder keeps them, so that several models make them once."""

    def __init__(self, graph: KnowledgeGraph, encoder: Encoder) -> None:
        self._graph, self._encoder = graph, encoder

    def rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """One unit vector per term id; shape (len(ids), token_dim)."""
        texts = [self._graph.label(self._graph.dictionary.term(id)) for id in ids]
        known = self._encoder.labels
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, self._encoder.embed(new), strict=True))
        return np.array([known[text] for text in texts], dtype=np.float32).reshape(len(ids), self._encoder.dim)


class Collator:
    """Makes batches of claims about one closure.

    Args:
        closure: the graph the claims are about.
        embedding: vectors of its entities; None leaves the node states to the labels alone.
        encoder: reads the texts and the labels.
        config: what may be seen, and how long a text may be.
        relations: term ids of the relations that get a state of their own, None for all predicates of the graph. Any
            other relation shares one more row.
    """

    def __init__(
        self,
        closure: ClosureView,
        embedding: EntityVectors | None,
        encoder: Encoder,
        config: FusionConfig,
        *,
        relations: Sequence[int] | None = None,
    ) -> None:
        self.graph, self.embedding, self.encoder, self.config = closure.graph, embedding, encoder, config
        self.grounder = Grounder(closure, evidence=config.evidence, hops=config.hops, max_nodes=config.max_nodes)
        self.labels = LabelVectors(self.graph, encoder)
        self.relations = tuple(self.graph.predicates() if relations is None else relations)
        self._relation_row = {id: row for row, id in enumerate(self.relations) if id >= 0}
        self._extra = [INTERACTION] if config.exchange == "pair" else []  # first in each subgraph
        self._tokens: dict[str, list[int]] = {}
        self._shown: dict[tuple[IdTriple, tuple[IdTriple, ...], frozenset[IdTriple]], Subgraph] = {}

    @property
    def entity_dim(self) -> int:
        """Width of the entity vectors; 0 without an embedding."""
        return 0 if self.embedding is None else self.embedding.entity_vectors.shape[1]

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, kept once made.

        Raises:
            LimitError: a text is longer than the encoder or the configuration allows.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._tokens]
        self._tokens.update(zip(new, self.encoder.tokenize(new, limit=self.config.max_tokens), strict=True))
        return [self._tokens[text] for text in texts]

    def __call__(
        self,
        examples: Sequence[ClaimExample],
        *,
        hidden: Collection[IdTriple] = frozenset(),
        states: Mapping[str, Tensor] | None = None,
    ) -> Batch:
        """The batch of these claims.

        Args:
            examples: the claims; one without a triple has no nodes.
            hidden: triples no evidence may show, beside those each example hides itself.
            states: states of each text's tokens after the layers whose weights are frozen, each (token, token_dim).

        Raises:
            LimitError: a text is longer than the encoder or the configuration allows.
        """
        rows = self.tokens([example.text for example in examples])
        token_ids, token_mask = pad(rows, self.encoder.tokenizer.pad_token_id or 0)
        token_states = None
        if states is not None:
            token_states = torch.nn.utils.rnn.pad_sequence([states[e.text] for e in examples], batch_first=True)
        disjoint = self._disjoint(
            [example.triple for example in examples], [self._evidence(example, hidden) for example in examples]
        )
        return Batch(
            token_ids=token_ids,
            token_mask=token_mask,
            token_states=token_states,
            label=torch.tensor([example.label for example in examples], dtype=torch.float32),
            embedding_logit=torch.from_numpy(self._embedding_logits([example.triple for example in examples])),
            **disjoint,
            **self._answers(examples, disjoint["entity"].tolist(), disjoint["graph"].tolist()),
        )

    def _answers(self, examples: Sequence[ClaimExample], nodes: list[int], graph: list[int]) -> dict[str, Tensor]:
        """What is right, and which claims belong together."""
        numbers: dict[str, int] = {}
        keys = [example.group or f"\0{at}" for at, example in enumerate(examples)]  # no group has a name like this
        wanted = [e.answers[0] if self.config.target == "relation" and e.answers else ASKED for e in examples]
        right = [node in examples[at].answers for node, at in zip(nodes, graph, strict=True)]
        return {
            "group": torch.tensor([numbers.setdefault(key, len(numbers)) for key in keys], dtype=torch.int64),
            "answer": torch.tensor(right, dtype=torch.bool),
            "relation_answer": torch.tensor([self._relation_row.get(id, -1) for id in wanted], dtype=torch.int64),
        }

    def _evidence(self, example: ClaimExample, hidden: Collection[IdTriple]) -> Subgraph | None:
        if example.triple is None:
            return None
        key = (example.triple, example.hidden, frozenset(hidden))  # the same object where it is frozen already
        if key not in self._shown:
            self._shown[key] = self.grounder.evidence_for(example.triple, key[2] | frozenset(example.hidden))
        return self._shown[key]

    def _disjoint(self, triples: Sequence[IdTriple | None], subgraphs: Sequence[Subgraph | None]) -> dict[str, Tensor]:
        """The subgraphs as one graph with every edge in both directions, and the claims' own edges."""
        nodes: list[int] = []
        graph: list[int] = []
        slot: list[int] = []
        edges: list[NDArray[np.int64]] = []
        ends: list[tuple[int, int]] = []
        start = 0
        for at, (triple, subgraph) in enumerate(zip(triples, subgraphs, strict=True)):
            if triple is None or subgraph is None:
                ends.append((-1, -1))
                continue
            here = [*self._extra, *subgraph.nodes.tolist()]
            first = start + len(self._extra)
            place = {id: start + number for number, id in enumerate(here)}
            head, tail = place[triple[0]], -1 if triple[2] == ASKED else place[triple[2]]
            ends.append((head, tail))
            kind = np.where(subgraph.inferred, INFERRED, ASSERTED)
            edges.append(np.stack([subgraph.head + first, subgraph.tail + first, subgraph.relation, kind]))
            edges.append(np.array([[head], [head if tail < 0 else tail], [triple[1]], [CLAIMED]]))
            for node in self._extra:  # linked to what the text speaks of
                known = [end for end in dict.fromkeys((head, tail)) if end >= 0]
                edges.append(np.array([[place[node], end, ASKED, LINKED] for end in known]).T)
            nodes.extend(here)
            graph.extend([at] * len(here))
            slot.extend(range(len(here)))
            start += len(here)
        columns = np.concatenate(edges, axis=1).astype(np.int64) if edges else np.empty((4, 0), dtype=np.int64)
        source, target, relation, kinds = torch.from_numpy(columns)
        row = torch.tensor([self._relation_row.get(id, len(self.relations)) for id in relation.tolist()]).long()
        claim = torch.tensor(ends, dtype=torch.int64).reshape(-1, 2)
        role = torch.zeros(len(nodes), dtype=torch.int64)
        for bit, column in ((1, 0), (2, 1)):
            role[claim[claim[:, column] >= 0, column]] += bit
        entity = torch.tensor(nodes, dtype=torch.int64)
        role[entity == INTERACTION] = 4
        return {
            "entity": entity,
            "entity_vector": torch.from_numpy(self._entity_rows(nodes)),
            "label_vector": torch.from_numpy(self._label_rows(nodes)),
            "role": role,
            "graph": torch.tensor(graph, dtype=torch.int64),
            "slot": torch.tensor(slot, dtype=torch.int64),
            "edge_index": torch.stack([torch.cat([source, target]), torch.cat([target, source])]),
            "edge_relation": row.repeat(2),
            "edge_reverse": torch.arange(2).repeat_interleave(len(row)),
            "edge_kind": kinds.repeat(2),
            "head": claim[:, 0].clone(),
            "tail": claim[:, 1].clone(),
        }

    def _embedding_logits(self, triples: Sequence[IdTriple | None]) -> NDArray[np.float32]:
        """Log-odds of the embedding's plausibility of each triple, 0 where it has none; shape (len(triples),)."""
        result = np.zeros(len(triples), dtype=np.float32)
        if self.embedding is None or self.embedding.calibration is None:
            return result
        linked = [at for at, triple in enumerate(triples) if triple is not None and ASKED not in triple]
        rows = np.array([triples[at] for at in linked], dtype=np.int32).reshape(-1, 3)
        known = self.embedding.knows(rows)
        chance = np.clip(self.embedding.plausibility(rows[known]), _LEAST_CHANCE, 1 - _LEAST_CHANCE)
        result[np.array(linked, dtype=np.int64)[known]] = np.log(chance / (1 - chance))
        return result

    def _label_rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The text embedding of each node's label, zeros for an interaction node; shape (len(ids), token_dim)."""
        result = np.zeros((len(ids), self.encoder.dim), dtype=np.float32)
        terms = [at for at, id in enumerate(ids) if id != INTERACTION]
        result[terms] = self.labels.rows([ids[at] for at in terms])
        return result

    def _entity_rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The embedding's vector of each term, zeros for one it does not know; shape (len(ids), entity_dim)."""
        result = np.zeros((len(ids), self.entity_dim), dtype=np.float32)
        if self.embedding is not None and len(self.embedding.entities):
            known = np.asarray(self.embedding.entities)
            at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
            found = known[at] == np.asarray(ids, dtype=known.dtype)
            result[found] = self.embedding.entity_vectors[at[found]]
        return result
