"""The self-adversarial loss over distances to shared negatives, with its gradient in closed form.

The loss of a query q among negatives e_j at distance d_j is -Σ p_j log σ(d_j - γ), where p is the softmax of -α d,
taken as given (Sun et al., RotatE, arXiv:1902.10197, equations 4 to 6). Its gradient needs one matrix of coefficients
and two products with it; autograd would keep and cross a dozen matrices of that size.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

__all__ = ["LEAST", "adversarial_loss", "squared_distances"]

LEAST = 1e-9
"""The least squared distance: a root has no slope at 0, and rounding may go below."""


def squared_distances(
    queries: Float[Tensor, "query dim"], vectors: Float[Tensor, "entity dim"], *, mixed: bool = False
) -> Float[Tensor, "query entity"]:
    """|q - e|² of every pair, by one product; rounding may take it below 0.

    Args:
        mixed: whether the product runs in bfloat16. What it is added to stays in float32, so that only the product
            is rounded, by about a hundredth of |q| |e| at most.
    """
    squares = queries.square().sum(dim=1, keepdim=True) + vectors.square().sum(dim=1)
    return _with_product(squares, queries, vectors.T, alpha=-2, mixed=mixed)


def _with_product(start: Tensor, left: Tensor, right: Tensor, *, alpha: float, mixed: bool) -> Tensor:
    """start + alpha · left @ right."""
    if mixed:
        return torch.add(start, (left.bfloat16() @ right.bfloat16()).to(start.dtype), alpha=alpha)
    return torch.addmm(start, left, right, alpha=alpha)


def adversarial_loss(
    queries: Float[Tensor, "query dim"],
    vectors: Float[Tensor, "entity dim"],
    *,
    weights: Float[Tensor, " query"],
    log_odds: Float[Tensor, "query entity"] | None,
    margin: float,
    temperature: float,
    mixed: bool = False,
) -> Float[Tensor, ""]:
    """The sum over the queries of weight times the loss among the negatives.

    Args:
        weights: of each query's loss.
        log_odds: added to the logits of p: -inf leaves a negative out, log w counts it w times; None adds nothing.
        margin: γ. temperature: α. mixed: whether products run in bfloat16, here and in the gradient.
    """
    found: Tensor = _Adversarial.apply(queries, vectors, weights, log_odds, margin, temperature, mixed)  # type: ignore[no-untyped-call]  # torch's
    return found


class _Adversarial(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        vectors: Tensor,
        weights: Tensor,
        log_odds: Tensor | None,
        margin: float,
        temperature: float,
        mixed: bool,
    ) -> Tensor:
        distances = squared_distances(queries, vectors, mixed=mixed).clamp_min_(LEAST).sqrt_()
        logits = distances * -temperature
        if log_odds is not None:
            logits += log_odds
        share = logits.softmax(dim=1).nan_to_num_(0.0)  # a row all of whose negatives are left out has no loss
        logs = logsigmoid(distances - margin)
        loss = -(weights * torch.einsum("qe,qe->q", share, logs)).sum()
        # dL/dd = -p σ(γ - d) = -p (1 - exp(log σ(d - γ))), and dd/dq = (q - e) / d
        slopes = logs.exp_().sub_(1).mul_(share).div_(distances).mul_(weights.unsqueeze(1))
        ctx.save_for_backward(queries, vectors, slopes)
        ctx.mixed = mixed
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        queries, vectors, slopes = ctx.saved_tensors
        (gradient,) = gradients
        own, mixed = (slopes.sum(dim=1, keepdim=True) * queries, slopes.sum(dim=0).unsqueeze(1) * vectors), ctx.mixed
        to_queries = _with_product(own[0], slopes, vectors, alpha=-1, mixed=mixed)
        to_vectors = _with_product(own[1], slopes.T, queries, alpha=-1, mixed=mixed)
        return to_queries * gradient, to_vectors * gradient, None, None, None, None, None
