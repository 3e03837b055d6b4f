"""Adam for tables of vectors of which a step touches few rows.

A step of Adam over a whole table reads and writes it several times, though a batch has a gradient for one row in fifty.
Here a step works on the rows with a gradient alone, with one second moment per row: the mean of the squares of its
gradient, as in row-wise AdaGrad (Naumov et al., arXiv:1906.00091). Rows that are not touched keep their moments.

Import this module inside `embeddings.quiet.quiet`: PyKEEN resolves optimisers from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["RowAdam"]


class RowAdam(torch.optim.Optimizer):
    """Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1) with second moments by row, lazy where a gradient is sparse.

    Args:
        params: tables of shape (row, …), with sparse or dense gradients.
        lr: of a step. betas: decay of the first and second moment. eps: added to the root of the second moment.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # no closures here
        """Move the rows that have a gradient."""
        if closure is not None:
            raise ValueError("Expected no closure (RowAdam takes one step for one gradient)")
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    self._move(table, group)

    def _move(self, table: Tensor, group: dict[str, Any]) -> None:
        state = self.state[table]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.int64)
            state["first"] = torch.zeros_like(table)
            state["second"] = torch.zeros(len(table), dtype=table.dtype, device=table.device)
        state["step"] += 1
        gradient, rows = table.grad, None
        assert gradient is not None, "the caller looks"
        if gradient.is_sparse:
            gradient = gradient.coalesce()
            rows, gradient = gradient.indices()[0], gradient.values()
        first, second = (m if rows is None else m[rows] for m in (state["first"], state["second"]))
        (beta1, beta2), step = group["betas"], int(state["step"])
        first = first.lerp(gradient, 1 - beta1)
        second = second.lerp(gradient.square().flatten(1).mean(dim=1), 1 - beta2)
        root = (second / (1 - beta2**step)).sqrt_().add_(group["eps"])
        root = root.reshape(-1, *(1,) * (table.dim() - 1))
        change = (first / root).mul_(-group["lr"] / (1 - beta1**step))
        if rows is None:
            state["first"].copy_(first)
            state["second"].copy_(second)
            table.add_(change)
        else:
            state["first"].index_copy_(0, rows, first)
            state["second"].index_copy_(0, rows, second)
            table.index_add_(0, rows, change)
