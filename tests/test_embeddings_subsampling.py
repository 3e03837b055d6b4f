"""Subsampling: frequent triples weigh less, and so do the negatives made from them, in every loop and loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings import EmbeddingConfig, train_embedding
from embeddings.negatives import DenseNegatives, NegativeKnowledge
from embeddings.quiet import quiet, seeded
from kg.errors import ConfigError


def facts() -> NDArray[np.int64]:
    """Forty random triples of ten entities and two relations: some parts are frequent, some rare."""
    return np.unique(np.random.default_rng(0).integers([10, 2, 10], size=(40, 3)), axis=0)


def test_a_weight_is_the_inverse_root_of_how_often_the_parts_occur_with_mean_1() -> None:
    with quiet():
        import torch

        from embeddings.subsampling import Subsampling
    rows = facts().tolist()
    count = [sum(x[:2] == row[:2] for x in rows) + sum(x[1:] == row[1:] for x in rows) for row in rows]
    expected = 1 / np.sqrt(count)
    found = Subsampling(torch.tensor(rows)).of(torch.tensor(rows)).numpy()
    assert len(set(count)) > 2
    np.testing.assert_allclose(found, expected / expected.mean(), rtol=1e-6)


@pytest.mark.parametrize("loss", ["nssa", "bcewithlogits", "softplus"])
@pytest.mark.parametrize("forbidden", [1.0, 0.25])
def test_shared_loop_weighs_each_row_of_a_batch_as_rows_taken_one_by_one(loss: str, forbidden: float) -> None:
    config = EmbeddingConfig(model="TransE", dim=4, loss=loss, margin=2.0)
    with quiet(), seeded(1):
        import torch
        from pykeen.triples import CoreTriplesFactory

        from embeddings.network import make_model
        from embeddings.shared import SharedNegativeLoop, SharedNegatives
        from embeddings.subsampling import Subsampling

        factory = CoreTriplesFactory(torch.from_numpy(facts()), num_entities=10, num_relations=2)
        subsampling, net = Subsampling(factory.mapped_triples), make_model(config, 10, 2)
        none, some = np.zeros((2, 10), dtype=bool), np.arange(10) < np.array([[4], [0]])
        loop = SharedNegativeLoop(
            model=net,
            triples_factory=factory,
            negative_sampler=SharedNegatives,
            subsampling=subsampling,
            knowledge=DenseNegatives(some, none, float(np.log(forbidden)), None, 0.0),
        )
        positives, negatives = factory.mapped_triples[:12], torch.arange(6)
        with torch.no_grad():
            ours = loop._process_batch({"positives": positives, "negatives": negatives}, 0, 12)
            known, total, weighed = {tuple(row) for row in facts().tolist()}, 0.0, 0.0
            for (h, r, t), weight in zip(positives.tolist(), subsampling.of(positives).tolist(), strict=True):
                for side in (2, 0):
                    rivals = [(h, r, e) if side == 2 else (e, r, t) for e in range(6)]
                    rivals = [rival for rival in rivals if rival not in known]
                    each = torch.tensor([forbidden if side == 2 and some[r, e[2]] else 1.0 for e in rivals])
                    own, theirs = (net.score_hrt(torch.tensor(x)).flatten() for x in ([(h, r, t)], rivals))
                    total += weight * float(_loss_of_row(net.loss, own, theirs, each))
                    weighed += weight * (1 + float(each.sum()))
    # what PyKEEN's mean is of: rows, all numbers (those left out among them), or the weights of numbers
    count = {"nssa": 24, "bcewithlogits": 24 * 7, "softplus": weighed}[loss]
    assert ours.item() == pytest.approx(total / count, rel=1e-5)


def _loss_of_row(loss: Any, own: Any, theirs: Any, weights: Any) -> Any:
    """The loss of one positive and its negatives, written out."""
    from torch.nn.functional import logsigmoid, softplus

    name = type(loss).__name__
    if name == "NSSALoss":
        share = weights * theirs.exp()
        share = share / share.sum()
        return 0.5 * (-logsigmoid(loss.margin + own).sum() - (share * logsigmoid(-theirs - loss.margin)).sum())
    return softplus(-own).sum() + (weights * softplus(theirs)).sum()


def test_each_loop_takes_subsampling_or_says_that_the_loss_cannot() -> None:
    rows = facts() + np.array([0, 20, 0])
    small: dict[str, Any] = {"dim": 4, "epochs": 1, "num_negatives": 4}
    for model in ("RotatE", "DistMult"):
        told = [
            train_embedding(rows, 30, EmbeddingConfig(model=model, loss="bcewithlogits", subsampling=on, **small))
            for on in (False, True)
        ]
        assert not np.array_equal(told[0].entity_vectors, told[1].entity_vectors)
        with pytest.raises(ConfigError, match="takes weights"):
            train_embedding(rows, 30, EmbeddingConfig(model=model, loss="marginranking", subsampling=True, **small))
    known = NegativeKnowledge(tails={20: np.arange(5)})
    with pytest.raises(ConfigError, match="invalid_weight"):
        train_embedding(rows, 30, EmbeddingConfig(loss="marginranking", invalid_weight=0.5, **small), negatives=known)
