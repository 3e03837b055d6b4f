"""Training: both models learn, by PyKEEN, quietly, reproducibly, on the graph's own ids."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings import (
    EmbeddingConfig,
    RankMetrics,
    evaluate,
    load_embedding,
    train_embedding,
    triples_fingerprint,
)
from embeddings.quiet import quiet, seeded
from kg.errors import ConfigError, InputError, NotSupportedError

NUM_TERMS = 200


def cube() -> NDArray[np.int32]:
    """Entities 100 … 163 are the corners of a cube in six dimensions; relation k leads along edge k: 192 triples."""
    corners = range(64)
    return np.array([[100 + i, k, 100 + i + 2**k] for k in range(6) for i in corners if not i & 2**k], dtype=np.int32)


def split() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Training triples, which name every entity, and 20 held out."""
    rows = cube()[np.random.default_rng(0).permutation(192)]
    return rows[20:], rows[:20]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads only wait for each other on matrices this small."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


SMALL = EmbeddingConfig(dim=8, epochs=3, batch_size=64, num_negatives=16)


@pytest.mark.parametrize("model", ["TransE", "RotatE"])
def test_held_out_triples_of_a_regular_graph_rank_high(model: str) -> None:
    train, held_out = split()
    config = EmbeddingConfig(model=model, dim=16, epochs=40, batch_size=32, num_negatives=32, margin=3.0)
    embedding = train_embedding(train, NUM_TERMS, config)
    figures = evaluate(embedding, held_out, cube())
    assert figures.count == 20
    assert figures.mrr > 0.5  # chance gives about 0.07
    assert embedding.losses[-1] < embedding.losses[0]


@pytest.mark.parametrize("loss", ["nssa", "bcewithlogits"])
def test_mixed_precision_trains_as_full_precision_but_for_rounding(loss: str) -> None:
    train, _ = split()
    full = {**SMALL.to_dict(), "loss": loss}
    losses = [
        train_embedding(train, NUM_TERMS, EmbeddingConfig(**{**full, "mixed_precision": mixed})).losses
        for mixed in (False, True)
    ]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_rows_are_the_graphs_own_ids() -> None:
    train, _ = split()
    seen: list[tuple[int, int]] = []
    embedding = train_embedding(train, NUM_TERMS, SMALL, progress=lambda done, most: seen.append((done, most)))
    assert embedding.entities.tolist() == sorted(set(train[:, [0, 2]].ravel().tolist()))
    assert embedding.relations.tolist() == [0, 1, 2, 3, 4, 5]
    assert embedding.entity_vectors.shape == (len(embedding.entities), 16)
    assert embedding.relation_vectors.shape == (6, 16)
    assert len(embedding.losses) == 3
    assert seen == [(1, 3), (2, 3), (3, 3)]
    np.testing.assert_allclose(
        embedding.relation_vectors[:, :8] ** 2 + embedding.relation_vectors[:, 8:] ** 2, 1.0, rtol=1e-5
    )


def test_equal_seeds_give_equal_vectors_and_leave_the_generators_alone() -> None:
    import torch

    train, _ = split()
    random.seed(7), np.random.seed(7), torch.manual_seed(7)
    expected = random.random(), float(np.random.rand()), float(torch.rand(1))
    random.seed(7), np.random.seed(7), torch.manual_seed(7)
    first = train_embedding(train, NUM_TERMS, SMALL)
    assert (random.random(), float(np.random.rand()), float(torch.rand(1))) == expected
    second = train_embedding(train[::-1], NUM_TERMS, SMALL)
    other = train_embedding(train, NUM_TERMS, EmbeddingConfig(**{**SMALL.to_dict(), "seed": 1}))
    np.testing.assert_array_equal(first.entity_vectors, second.entity_vectors)
    np.testing.assert_array_equal(first.relation_vectors, second.relation_vectors)
    assert not np.array_equal(first.entity_vectors, other.entity_vectors)


def test_training_says_nothing_and_writes_nothing(tmp_path: Path) -> None:
    for name in ("home", "temp", "here"):
        (tmp_path / name).mkdir()
    code = """
import logging, os
logging.basicConfig(level=logging.WARNING)
before = dict(os.environ)
import numpy as np
from embeddings import EmbeddingConfig, evaluate, train_embedding
rows = np.array([[i, 20, (i + 1) % 9] for i in range(9)])
for model in ("RotatE", "DistMult"):
    embedding = train_embedding(rows, 30, EmbeddingConfig(model=model, dim=4, epochs=2, num_negatives=2))
    evaluate(embedding, rows, rows)
assert dict(os.environ) == before
assert logging.getLogger("pykeen").level == logging.NOTSET
"""
    root = Path(__file__).parents[1]
    places = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "temp"), "PYTHONPATH": str(root)}
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("PYKEEN", "PYSTOW", "XDG"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**keep, **places, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path / "here",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.parent != tmp_path] == []


def test_shared_negatives_give_the_loss_of_the_same_triples_scored_one_by_one() -> None:
    train, _ = split()
    for model in ("TransE", "RotatE"):
        config = EmbeddingConfig(model=model, dim=8, margin=3.0, num_negatives=16)
        with quiet(), seeded(3):
            import torch
            from pykeen.triples import CoreTriplesFactory

            from embeddings.network import make_model
            from embeddings.shared import SharedNegativeLoop, SharedNegatives

            dense = (train - [100, 0, 100]).astype(np.int64)
            factory = CoreTriplesFactory(torch.from_numpy(dense), num_entities=64, num_relations=6)
            net = make_model(config, 64, 6)
            loop = SharedNegativeLoop(
                model=net,
                triples_factory=factory,
                negative_sampler=SharedNegatives,
                negative_sampler_kwargs={"num_negs_per_pos": 16},
            )
            positives, negatives = factory.mapped_triples[:20], torch.randperm(64)[:16]
            batch = {"positives": positives, "negatives": negatives}
            ours = loop._process_batch(batch, 0, 20)
            known = {tuple(row) for row in dense.tolist()}
            rows, masks = [], []
            for side in (2, 0):
                for h, r, t in positives.tolist():
                    triples = [(h, r, int(e)) if side == 2 else (int(e), r, t) for e in negatives]
                    masks.append([triple not in known for triple in triples])
                    rows.append(net.score_hrt(torch.tensor(triples)).squeeze(1))
            mask = torch.tensor(masks)
            assert not mask.all()  # some negatives are known triples, or the test would not try the mask
            theirs = net.loss.process_slcwa_scores(
                net.score_hrt(positives).repeat(2, 1), torch.stack(rows)[mask], batch_filter=mask
            )
        assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)


def test_training_stops_early_with_the_vectors_of_the_best_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    train, held_out = split()
    config = EmbeddingConfig(
        dim=8, epochs=200, batch_size=32, num_negatives=16, margin=3.0, patience=2, validate_every=5
    )
    seen: list[float] = []

    def recorded(*arguments: Any, **options: Any) -> RankMetrics:
        seen.append(evaluate(*arguments, **options).mrr)
        return evaluate(*arguments, **options)

    with quiet():
        import embeddings.fit as fitting
    monkeypatch.setattr(fitting, "evaluate", recorded)
    embedding = train_embedding(train, NUM_TERMS, config, validation=held_out)
    epochs = len(embedding.losses)
    assert epochs < 200
    assert epochs % 5 == 0
    known = np.concatenate([train, held_out])
    found = evaluate(embedding, held_out, known).mrr
    assert found == max(seen)
    assert len(seen) - 1 - seen.index(found) == 2  # validations after the best


@pytest.mark.parametrize("model", ["DistMult", "ComplEx", "TransH"])
def test_any_pykeen_model_trains_scores_and_survives_its_folder(tmp_path: Path, model: str) -> None:
    train, held_out = split()
    config = EmbeddingConfig(model=model, dim=8, epochs=2, batch_size=64, num_negatives=2)
    embedding = train_embedding(train, NUM_TERMS, config)
    embedding.save(tmp_path / "e")
    again = load_embedding(tmp_path / "e", fingerprint=triples_fingerprint(train))
    np.testing.assert_array_equal(again.score(held_out), embedding.score(held_out))
    head, relation, tail = held_out[0].tolist()
    at = int(np.searchsorted(embedding.entities, tail))
    assert embedding.score_tails(head, relation)[at] == pytest.approx(float(again.score(held_out[:1])[0]), rel=1e-4)
    assert evaluate(again, held_out, cube()) == evaluate(embedding, held_out, cube())


@pytest.mark.parametrize(
    ("triples", "words"),
    [
        (np.empty((0, 3), dtype=np.int32), "at least one triple"),
        (np.zeros((3, 2), dtype=np.int32), r"shape \(num_triples, 3\)"),
        (np.zeros((3, 3)), "Expected integer triples"),
        (np.array([[0, 1, 200]]), r"from 0 to 199 \(got 0 to 200\)"),
        (np.array([[-1, 1, 2]]), r"got -1 to 2"),
        (np.array([[5, 1, 5]]), "at least two entities"),
    ],
)
def test_triples_that_cannot_be_trained_on_are_refused(triples: NDArray[np.int32], words: str) -> None:
    with pytest.raises(InputError, match=words):
        train_embedding(triples, NUM_TERMS, SMALL)


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"model": "RotateE2"}, ConfigError, "Expected a model of PyKEEN.*RotatE"),
        ({"loss": "nsssa"}, ConfigError, "Expected a loss of PyKEEN.*NSSALoss"),
        ({"model": "DistMult", "model_options": {"wings": 2}}, ConfigError, "wings"),
        ({"model": "RGCN"}, NotSupportedError, "integer triples alone"),
        ({"device": "quantum"}, ConfigError, "got 'quantum'"),
        ({"learning_rate": 1e30}, ConfigError, "diverged"),
        ({"patience": 3}, ConfigError, "validation triples"),
    ],
)
def test_configuration_that_cannot_be_trained_says_why(values: dict[str, Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        train_embedding(split()[0], NUM_TERMS, EmbeddingConfig(**{"dim": 4, "epochs": 2, **values}))


def test_fingerprint_is_of_the_set_and_with_keys_of_the_terms() -> None:
    train, _ = split()
    plain = triples_fingerprint(train)
    assert triples_fingerprint(np.concatenate([train[::-1], train[:3]])) == plain
    assert triples_fingerprint(train[1:]) != plain
    named = triples_fingerprint(train, lambda i: f"<http://example.org/{i}>")
    assert len({plain, named, triples_fingerprint(train, lambda i: f"<http://example.org/{i + 1}>")}) == 3
    assert train_embedding(train, NUM_TERMS, SMALL, fingerprint=named).fingerprint == named


@pytest.mark.gpu
def test_training_on_a_gpu_learns_too() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    train, held_out = split()
    config = EmbeddingConfig(dim=16, epochs=40, batch_size=32, num_negatives=32, margin=3.0, device="cuda")
    embedding = train_embedding(train, NUM_TERMS, config)
    on_gpu, on_cpu = (evaluate(embedding, held_out, cube(), device=device) for device in ("cuda", "cpu"))
    assert on_gpu.mrr > 0.5
    assert on_gpu.mrr == pytest.approx(on_cpu.mrr, abs=1e-6)
