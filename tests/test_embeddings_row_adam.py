"""RowAdam: Adam where a row has one number, lazy where a gradient is sparse; and the closed gradient of the loss."""

from __future__ import annotations

import pytest
import torch

from embeddings.row_adam import RowAdam
from embeddings.self_adversarial import adversarial_loss, squared_distances


def moved(table: torch.Tensor, gradients: list[torch.Tensor], kind: type[torch.optim.Optimizer]) -> torch.Tensor:
    weight = torch.nn.Parameter(table.clone())
    optimizer = kind([weight], lr=0.1)  # type: ignore[call-arg]  # every optimiser here takes lr
    for gradient in gradients:
        weight.grad = gradient
        optimizer.step()
    return weight.detach()


def sparse(gradient: torch.Tensor, rows: list[int]) -> torch.Tensor:
    return torch.sparse_coo_tensor(torch.tensor([rows]), gradient[rows], gradient.shape, check_invariants=True)


def test_rows_of_one_number_move_as_by_adam() -> None:
    torch.manual_seed(0)
    table, gradients = torch.randn(5, 1), [torch.randn(5, 1) for _ in range(6)]
    ours, theirs = moved(table, gradients, RowAdam), moved(table, gradients, torch.optim.Adam)
    torch.testing.assert_close(ours, theirs)


def test_a_sparse_gradient_of_all_rows_moves_as_a_dense_one_and_repeated_rows_add_up() -> None:
    torch.manual_seed(0)
    table, gradients = torch.randn(4, 3), [torch.randn(4, 3) for _ in range(5)]
    dense = moved(table, gradients, RowAdam)
    torch.testing.assert_close(moved(table, [sparse(g, [2, 0, 3, 1]) for g in gradients], RowAdam), dense)
    twice = [sparse(g / 2, [0, 1, 2, 3, 0, 1, 2, 3]) for g in gradients]
    torch.testing.assert_close(moved(table, twice, RowAdam), dense)


def test_rows_without_a_gradient_stay_as_they_are() -> None:
    torch.manual_seed(0)
    table, gradient = torch.randn(4, 3), torch.randn(4, 3)
    found = moved(table, [gradient, sparse(gradient, [1]), sparse(gradient, [1])], RowAdam)
    after_one = moved(table, [gradient], RowAdam)
    torch.testing.assert_close(found[[0, 2, 3]], after_one[[0, 2, 3]], rtol=0, atol=0)
    assert not torch.equal(found[1], after_one[1])


def test_a_closure_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected no closure"):
        RowAdam([torch.zeros(1, 1)]).step(lambda: 0.0)


def by_autograd(
    queries: torch.Tensor, vectors: torch.Tensor, weights: torch.Tensor, odds: torch.Tensor | None
) -> torch.Tensor:
    distances = torch.cdist(queries, vectors)
    logits = -0.7 * distances if odds is None else odds - 0.7 * distances
    share = logits.detach().softmax(dim=1)
    return -(weights * (share * torch.nn.functional.logsigmoid(distances - 2.0)).sum(dim=1)).sum()


@pytest.mark.parametrize("with_odds", [False, True])
def test_the_loss_and_its_gradient_are_those_of_autograd(with_odds: bool) -> None:
    torch.manual_seed(1)
    inputs = [torch.randn(rows, 4, dtype=torch.float64, requires_grad=True) for rows in (6, 9)]
    weights, odds = torch.rand(6, dtype=torch.float64), None
    if with_odds:
        odds = torch.randn(6, 9, dtype=torch.float64)
        odds[0, 3] = -torch.inf
    ours = adversarial_loss(*inputs, weights=weights, log_odds=odds, margin=2.0, temperature=0.7)
    theirs = by_autograd(inputs[0], inputs[1], weights, odds)
    torch.testing.assert_close(ours, theirs)
    for one, other in zip(torch.autograd.grad(ours, inputs), torch.autograd.grad(theirs, inputs), strict=True):
        torch.testing.assert_close(one, other)


def test_a_query_all_of_whose_negatives_are_left_out_has_no_loss_and_no_gradient() -> None:
    queries, vectors = torch.randn(2, 3, requires_grad=True), torch.randn(4, 3)
    odds = torch.zeros(2, 4)
    odds[0] = -torch.inf
    loss = adversarial_loss(queries, vectors, weights=torch.ones(2), log_odds=odds, margin=2.0, temperature=0.5)
    alone = adversarial_loss(queries[1:], vectors, weights=torch.ones(1), log_odds=None, margin=2.0, temperature=0.5)
    torch.testing.assert_close(loss, alone)
    (gradient,) = torch.autograd.grad(loss, queries)
    assert gradient[0].tolist() == [0.0, 0.0, 0.0]
    assert gradient[1].abs().sum() > 0


def test_mixed_precision_rounds_the_products_alone() -> None:
    torch.manual_seed(2)
    queries, vectors = (torch.randn(rows, 32, requires_grad=True) for rows in (20, 30))
    exact, mixed = (
        adversarial_loss(
            queries, vectors, weights=torch.ones(20), log_odds=None, margin=6.0, temperature=1.0, mixed=mixed
        )
        for mixed in (False, True)
    )
    assert mixed.dtype == torch.float32
    assert 0 < abs(mixed.item() - exact.item()) < 0.002 * exact.item()
    for one, other in zip(
        torch.autograd.grad(exact, [queries, vectors]), torch.autograd.grad(mixed, [queries, vectors]), strict=True
    ):
        assert other.dtype == torch.float32
        assert 0 < float((one - other).norm() / one.norm()) < 0.02
    near = squared_distances(vectors, vectors + 0.25, mixed=True).diagonal()
    sizes = vectors.norm(dim=1) * (vectors + 0.25).norm(dim=1)
    rounding = 2 * sizes * 3 / 256  # two factors and the product, each by a part in 256 at most
    assert ((near - 32 * 0.25**2).abs() < rounding).all()
