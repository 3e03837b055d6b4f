"""What training lowers: cross-entropies of the right answers, for each kind of head."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from engine.fusion.batch import INTERACTION, Batch
from engine.fusion.config import Target

__all__ = ["group_log_probabilities", "loss_count", "target_loss"]


def target_loss(target: Target, logits: Tensor, batch: Batch) -> Float[Tensor, ""]:
    """The mean loss of a batch, in nats per claim or question.

    A question whose right entities are not among its nodes, or whose right relation has no class, counts as zero: there
    is nothing to learn from it.

    Args:
        target: what was asked.
        logits: what the model gave, see `engine.fusion.heads`.
        batch: the claims.
    """
    logits = logits.float()
    if target == "truth":
        known = ~batch.label.isnan()
        total = binary_cross_entropy_with_logits(logits[known], batch.label[known], reduction="sum")
        return total / max(loss_count(target, batch), 1)
    if target == "three-way":
        return cross_entropy(logits, (2 * batch.label).long())
    if target == "relation":
        rows = batch.relation_answer
        return cross_entropy(logits, rows.where(rows >= 0, -100), reduction="sum") / len(batch)
    if target == "choice":
        return _group_loss(logits, batch.label >= 0.5, batch.group, loss_count(target, batch))
    nodes = batch.entity != INTERACTION
    return _group_loss(logits[nodes], batch.answer[nodes], batch.graph[nodes], len(batch))


def loss_count(target: Target, batch: Batch) -> int:
    """How many claims or questions the mean loss of a batch is over."""
    if target == "truth":
        return int((~batch.label.isnan()).sum())
    return int(batch.group.max()) + 1 if target == "choice" else len(batch)


def group_log_probabilities(
    logits: Float[Tensor, " member"], group: Int[Tensor, " member"], count: int
) -> Float[Tensor, " member"]:
    """The log-probability of each member among those of its group (a softmax per group)."""
    peak = torch.full((count,), -torch.inf, device=logits.device).scatter_reduce(0, group, logits.detach(), "amax")
    shifted = logits - peak[group]
    total = torch.zeros(count, device=logits.device).index_add(0, group, shifted.exp())
    return shifted - total.log()[group]


def _group_loss(
    logits: Float[Tensor, " member"], right: Bool[Tensor, " member"], group: Int[Tensor, " member"], count: int
) -> Float[Tensor, ""]:
    """Cross-entropy of each group's right members, equally likely where there are several; the mean over groups."""
    chance = group_log_probabilities(logits, group, count)
    size = torch.zeros(count, device=logits.device).index_add(0, group, right.float())
    return -(chance[right] / size[group[right]]).sum() / count
