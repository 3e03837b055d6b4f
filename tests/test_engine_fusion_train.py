"""Training: it learns, the same way each time, and changes nothing but what it is told to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from engine.fusion import ClaimExample, Encoder, FusionModel, evaluate_fusion, predict_logits, train_fusion
from engine.fusion.config import Mode
from engine.fusion.examples import generate_examples, shuffle_triples
from engine.symbolic import Closure
from kg.errors import ConfigError, InputError, LimitError, StoreError
from tests.hamlet import SMALL, hamlet, small_embedding, small_encoder

LONGER = replace(SMALL, epochs=5, learning_rate=5e-3, encoder_learning_rate=1e-3, dropout=0.1)


@pytest.fixture(scope="module")
def closure() -> Closure:
    return hamlet()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return small_encoder()


@pytest.fixture(scope="module")
def examples(closure: Closure) -> list[ClaimExample]:
    return generate_examples(closure, count=64, seed=0, negated=0)


@pytest.fixture(scope="module")
def trained(closure: Closure, encoder: Encoder, examples: list[ClaimExample]) -> FusionModel:
    return train_fusion(examples, closure, small_embedding(closure), encoder, LONGER)


def weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_training_lowers_the_loss(trained: FusionModel, examples: list[ClaimExample]) -> None:
    losses = [epoch.loss for epoch in trained.history]
    assert len(losses) == 5
    assert losses[-1] < 0.8 * losses[0]
    assert evaluate_fusion(trained, examples).accuracy > 0.75
    assert not trained.training


def test_same_seed_trains_the_same_model(closure: Closure, encoder: Encoder, examples: list[ClaimExample]) -> None:
    few, config = examples[:24], replace(LONGER, epochs=2)
    models = []
    for own, seed in ((98, 0), (99, 0), (99, 1)):
        torch.manual_seed(own)  # torch's own generator has no part in it
        before = torch.get_rng_state()
        models.append(train_fusion(few, closure, small_embedding(closure), encoder, replace(config, seed=seed)))
        assert torch.equal(torch.get_rng_state(), before)
    first, again, other = models
    assert [epoch.loss for epoch in again.history] == [epoch.loss for epoch in first.history]
    np.testing.assert_array_equal(predict_logits(again, few), predict_logits(first, few))
    assert not np.allclose(predict_logits(other, few), predict_logits(first, few), atol=1e-2)


@pytest.mark.parametrize(("frozen", "fixed"), [(None, {0}), (0, set()), (2, {0, 1})])
def test_only_the_trained_part_changes(
    closure: Closure, examples: list[ClaimExample], frozen: int | None, fixed: set[int]
) -> None:
    encoder = small_encoder()
    before = weights(encoder.model)
    model = train_fusion(examples[:16], closure, None, encoder, replace(SMALL, frozen_layers=frozen, epochs=1))
    after = weights(encoder.model)
    assert {name for name, value in before.items() if not torch.equal(value, after[name])} == set()
    same = {
        at
        for at, layer in enumerate(model.text.layers)
        if all(torch.equal(value, before[f"encoder.layer.{at}.{name}"]) for name, value in weights(layer).items())
    }
    assert same == fixed
    words = weights(model.text.embeddings)["word_embeddings.weight"]
    assert torch.equal(words, before["embeddings.word_embeddings.weight"]) == (frozen != 0)


@pytest.mark.parametrize("mode", get_args(Mode))
def test_every_mode_trains_what_it_sees(
    closure: Closure, encoder: Encoder, examples: list[ClaimExample], mode: Mode
) -> None:
    model = train_fusion(examples, closure, small_embedding(closure), encoder, replace(LONGER, mode=mode, epochs=3))
    assert model.history[-1].loss < model.history[0].loss
    assert bool(model.head.joint_head.weight.any()) == (mode != "text only")
    assert bool(model.exchanges[0].get_parameter("token_gate").any()) == (mode in ("fusion", "shuffled graph"))


def test_the_weights_of_the_best_epoch_are_kept(
    closure: Closure, encoder: Encoder, examples: list[ClaimExample]
) -> None:
    wrong = [replace(example, label=1 - example.label) for example in examples]  # gets worse while training gets better
    config = replace(LONGER, epochs=8, patience=2)
    model = train_fusion(examples, closure, small_embedding(closure), encoder, config, validation=wrong)
    losses = [epoch.validation_loss for epoch in model.history]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 2
    assert len(losses) < 8
    logits = predict_logits(model, wrong).astype(np.float64)
    labels = np.array([example.label for example in wrong])
    assert np.mean(np.logaddexp(0, logits) - labels * logits) == pytest.approx(losses[best], abs=1e-5)


def test_without_validation_all_epochs_run(trained: FusionModel) -> None:
    assert [np.isnan(epoch.validation_loss) for epoch in trained.history] == [True] * 5
    assert min(epoch.seconds for epoch in trained.history) > 0


def test_progress_counts_the_steps(closure: Closure, encoder: Encoder, examples: list[ClaimExample]) -> None:
    seen: list[tuple[int, int]] = []
    train_fusion(examples[:20], closure, None, encoder, SMALL, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(step, 6) for step in range(1, 7)]


def test_shuffled_control_sees_the_triples_of_others(trained: FusionModel, examples: list[ClaimExample]) -> None:
    logits = predict_logits(trained, examples, mode="shuffled graph", seed=5)
    np.testing.assert_array_equal(logits, predict_logits(trained, shuffle_triples(examples, seed=5)))
    assert not np.allclose(logits, predict_logits(trained, examples), atol=1e-2)


def test_prediction_keeps_the_order_and_the_state(trained: FusionModel, examples: list[ClaimExample]) -> None:
    logits = predict_logits(trained, examples)
    np.testing.assert_allclose(predict_logits(trained, examples, batch_size=5), logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(predict_logits(trained, examples[::-1])[::-1], logits, rtol=1e-4, atol=1e-5)
    trained.train()
    np.testing.assert_array_equal(predict_logits(trained, examples), logits)  # no dropout
    assert trained.training
    trained.eval()
    assert predict_logits(trained, []).shape == (0,)


def test_no_examples_are_refused(closure: Closure, encoder: Encoder) -> None:
    with pytest.raises(InputError, match="Expected at least one example"):
        train_fusion([], closure, None, encoder, SMALL)


def test_a_text_too_long_fails_before_any_work(
    closure: Closure, encoder: Encoder, examples: list[ClaimExample]
) -> None:
    steps: list[int] = []
    long = ClaimExample("Ann " * 60, None, 1.0, "text")
    for train, validation in (([*examples, long], []), (examples, [long])):
        with pytest.raises(LimitError, match="at most 48 tokens"):
            train_fusion(
                train,
                closure,
                None,
                encoder,
                SMALL,
                validation=validation,
                progress=lambda done, total: steps.append(done),
            )
    assert steps == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_missing_device_is_refused(closure: Closure, encoder: Encoder, examples: list[ClaimExample]) -> None:
    with pytest.raises(ConfigError, match=r"Expected a CUDA device for 'device' = 'cuda'.*use 'auto' or 'cpu'"):
        train_fusion(examples, closure, None, encoder, replace(SMALL, device="cuda"))


def test_gradients_of_two_batches_make_the_step_of_one_twice_as_large(
    closure: Closure, encoder: Encoder, examples: list[ClaimExample]
) -> None:
    few, config = examples[:32], replace(LONGER, dropout=0.0, epochs=2)
    one = train_fusion(few, closure, None, encoder, replace(config, batch_size=16))
    two = train_fusion(few, closure, None, encoder, replace(config, batch_size=8, accumulate=2))
    np.testing.assert_allclose(predict_logits(two, few), predict_logits(one, few), atol=2e-3)
    seen: list[tuple[int, int]] = []
    odd = replace(config, batch_size=8, accumulate=3, epochs=1)
    train_fusion(few, closure, None, encoder, odd, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]  # three batches, then the one that is left


class StoppedError(Exception):
    """In place of a kill."""


@pytest.mark.parametrize("mode", ["fusion", "shuffled graph"])
def test_a_training_that_was_killed_ends_with_the_same_weights(
    closure: Closure, encoder: Encoder, examples: list[ClaimExample], tmp_path: Path, mode: Mode
) -> None:
    few, kept = examples[:24], examples[24:40]
    config = replace(LONGER, epochs=4, mode=mode, patience=4)

    def train(stop_at: int | None, folder: Path | None) -> FusionModel:
        def progress(done: int, total: int) -> None:
            if done == stop_at:
                raise StoppedError

        return train_fusion(
            few,
            closure,
            small_embedding(closure),
            encoder,
            config,
            validation=kept,
            checkpoint=folder,
            checkpoint_seconds=0,
            progress=progress,
        )

    whole = train(None, None)
    for stop_at in (5, 11):  # in the second and in the fourth epoch
        with pytest.raises(StoppedError):
            train(stop_at, tmp_path / "state")
    again = train(None, tmp_path / "state")
    for (name, value), (_, other) in zip(whole.trained_parameters(), again.trained_parameters(), strict=True):
        assert torch.equal(value, other), name
    assert [(e.loss, e.validation_loss) for e in again.history] == [(e.loss, e.validation_loss) for e in whole.history]
    done = train(1, tmp_path / "state")  # nothing is left to do
    np.testing.assert_array_equal(predict_logits(done, few), predict_logits(whole, few))


def test_the_checkpoint_of_another_training_is_refused(
    closure: Closure, encoder: Encoder, examples: list[ClaimExample], tmp_path: Path
) -> None:
    few, config = examples[:8], replace(SMALL, epochs=1)
    train_fusion(few, closure, None, encoder, config, checkpoint=tmp_path, checkpoint_seconds=0)
    for other, claims in ((replace(config, seed=1), few), (config, examples[:7])):
        with pytest.raises(StoreError, match="Expected a checkpoint of this training"):
            train_fusion(claims, closure, None, encoder, other, checkpoint=tmp_path)
    path = tmp_path / "tensors.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="it was altered"):
        train_fusion(few, closure, None, encoder, config, checkpoint=tmp_path)


def test_bfloat16_gives_nearly_the_same_logits(
    closure: Closure, encoder: Encoder, trained: FusionModel, examples: list[ClaimExample]
) -> None:
    exact = predict_logits(trained, examples)
    model = train_fusion(examples, closure, small_embedding(closure), encoder, replace(LONGER, precision="bfloat16"))
    assert model.history[-1].loss < 0.8 * model.history[0].loss
    trained.config = replace(trained.config, precision="bfloat16")
    try:
        rough = predict_logits(trained, examples)
    finally:
        trained.config = replace(trained.config, precision="auto")
    assert 0 < np.abs(rough - exact).max() < 0.3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own, while its compiler is imported
def test_compiled_layers_train_to_nearly_the_same_logits(
    closure: Closure, encoder: Encoder, examples: list[ClaimExample]
) -> None:
    few = examples[:16]
    plain, compiled = (
        train_fusion(few, closure, None, encoder, replace(SMALL, epochs=1, compile=wanted)) for wanted in (False, True)
    )
    assert {name for name, _ in plain.trained_parameters()} == {name for name, _ in compiled.trained_parameters()}
    np.testing.assert_allclose(predict_logits(compiled, few), predict_logits(plain, few), atol=1e-4)
