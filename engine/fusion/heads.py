"""What the model is asked for, and the parts that answer: logits from what the text says, and from text and graph.

| target | logits | an example carries |
|---|---|---|
| "truth" | one per claim | `label` 0 or 1 |
| "three-way" | false, neither, true | `label` 0, 0.5 or 1 |
| "choice" | one per choice | `label` 1 for the right choice, and the `group` of its question |
| "entity" | one per node of the subgraph | a triple with `ASKED` for its tail, and `answers` |
| "relation" | one per relation, and one for any other | a triple with `ASKED` for its relation, and one of `answers` |

Each has a part that reads the text (for entities: and the labels) alone. The part that joins it with the graph is zero
at first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.fusion.batch import Batch
from engine.fusion.config import Target
from engine.fusion.examples import ClaimExample
from engine.fusion.grounding import ASKED
from kg.errors import InputError

__all__ = ["ClaimHead", "NodeHead", "check_examples", "width_of"]


def width_of(target: Target, relations: int) -> int:
    """How many logits a claim has, with so many known relations; for entities, a node."""
    return {"three-way": 3, "relation": relations + 1}.get(target, 1)


class _Head(nn.Module):
    """The parts both heads have: states of nodes and pairs, turned by the text.

    Args:
        token_dim, node_dim: widths of the pooled text and of the node states.
        width: logits of each claim or node.
        dropout: chance of dropping a state while training.
    """

    def __init__(self, token_dim: int, node_dim: int, width: int, *, dropout: float) -> None:
        super().__init__()
        self.text_head = nn.Linear(token_dim, width)
        self.node_norm, self.text_norm = nn.LayerNorm(node_dim), nn.LayerNorm(token_dim)
        self.claim_state = nn.Sequential(nn.Linear(3 * node_dim, 2 * node_dim), nn.GELU(), nn.Dropout(dropout))
        self.text_factor = nn.Linear(token_dim, 2 * node_dim)
        self.joint_head = nn.Linear(2 * node_dim, width)
        self.embedding_weight = nn.Linear(token_dim, width)
        for parameter in (*self.joint_head.parameters(), *self.embedding_weight.parameters()):
            nn.init.zeros_(parameter)

    def text(self, pooled: Tensor, batch: Batch) -> Tensor:
        """What the text alone says; shape (batch, width), or (node, 1)."""
        logits: Tensor = self.text_head(pooled)
        return logits

    def _pairs(self, first: Tensor, second: Tensor, pooled: Tensor | None) -> Tensor:
        """What text and pairs of node states say together; shape (pair, width), `pooled` being of each pair."""
        state = self.claim_state(torch.cat([first, second, first * second], dim=-1))
        if pooled is not None:
            # Products, not sums: a denial turns round whatever the graph says.
            state = state * (1 + self.text_factor(self.text_norm(pooled)))
        logits: Tensor = self.joint_head(state)
        return logits


class ClaimHead(_Head):
    """Logits of each claim, from the pooled text, the states of its head and tail, and the embedding's log-odds."""

    def joint(self, pooled: Tensor | None, nodes: Tensor, batch: Batch) -> Tensor:
        """What text and graph say together; zero for a claim without a triple; shape (batch, width)."""
        width = self.joint_head.out_features
        if not len(nodes):
            return torch.zeros(len(batch), width, device=nodes.device)
        known = [(at >= 0).unsqueeze(-1) for at in (batch.head, batch.tail)]
        ends = (batch.head, batch.tail)
        head, tail = (self.node_norm(nodes[at.clamp(min=0)]) * there for at, there in zip(ends, known, strict=True))
        weight = self.embedding_weight.bias.expand(len(batch), width)
        if pooled is not None:
            weight = self.embedding_weight(self.text_norm(pooled))
        return self._pairs(head, tail, pooled) * known[0] + weight * batch.embedding_logit.unsqueeze(-1)


class NodeHead(_Head):
    """A logit of each node of a claim's subgraph, as the claim's tail."""

    def __init__(self, token_dim: int, node_dim: int, width: int, *, dropout: float) -> None:
        super().__init__(token_dim, node_dim, width, dropout=dropout)
        self.text_head = nn.Linear(token_dim, token_dim)
        del self.embedding_weight  # the embedding says something of whole triples

    def text(self, pooled: Tensor, batch: Batch) -> Tensor:
        """How well the label of each node fits the text; shape (node, 1)."""
        wanted = self.text_head(pooled)[batch.graph]
        fit: Tensor = (wanted * batch.label_vector).sum(-1, keepdim=True)
        return fit

    def joint(self, pooled: Tensor | None, nodes: Tensor, batch: Batch) -> Tensor:
        """What text and graph say together of each node, beside its claim's head; shape (node, 1)."""
        states = self.node_norm(nodes)
        heads = states[batch.head.clamp(min=0)][batch.graph] if len(nodes) else states
        return self._pairs(heads, states, None if pooled is None else pooled[batch.graph])


def check_examples(examples: Sequence[ClaimExample], target: Target) -> None:
    """Whether examples carry what their head needs, see the table of the module.

    Raises:
        InputError: one does not; the message has its text.
    """
    rights = Counter(example.group for example in examples if example.label >= 0.5)
    for example in examples:
        asked = [] if example.triple is None else [place for place, id in enumerate(example.triple) if id == ASKED]
        wanted = {
            "truth": ("no ASKED in its triple, and a label in [0, 1]", not asked and not _is_outside(example.label)),
            "three-way": ("no ASKED in its triple, and a label of 0, 0.5 or 1", not asked and _is_way(example.label)),
            "choice": ("a group with one right choice", bool(example.group) and rights[example.group] == 1),
            "entity": ("a triple with ASKED for its tail, and answers", asked == [2] and bool(example.answers)),
            "relation": (
                "a triple with ASKED for its relation, and one answer",
                asked == [1] == [len(example.answers)],
            ),
        }
        expected, holds = wanted[target]
        if not holds:
            raise InputError(f"Expected {expected} for the target {target!r} (got {example!r})")


def _is_outside(label: float) -> bool:
    return label < 0 or label > 1  # neither, where it is NaN


def _is_way(label: float) -> bool:
    return label in (0, 0.5, 1)
