"""Training of the fusion model: binary cross-entropy on true and false claims.

States of the frozen lower text layers are computed once per text and kept, so that an epoch costs only the fused
layers. Everything drawn at random comes from the configuration's seed; torch's own generator is left as it was.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from engine.fusion.batch import Collator, EntityVectors
from engine.fusion.config import FusionConfig
from engine.fusion.encoder import Encoder
from engine.fusion.evaluate import predict_logits
from engine.fusion.examples import ClaimExample, shuffle_triples
from engine.fusion.grounding import ClosureView, IdTriple
from engine.fusion.model import Epoch, FusionModel
from kg.errors import ConfigError, InputError

__all__ = ["train_fusion"]

_LOG = logging.getLogger(__name__)


def train_fusion(
    examples: Sequence[ClaimExample],
    closure: ClosureView,
    embedding: EntityVectors | None,
    encoder: Encoder,
    config: FusionConfig | None = None,
    *,
    validation: Sequence[ClaimExample] = (),
    hidden: Collection[IdTriple] = frozenset(),
    progress: Callable[[int, int], None] | None = None,
) -> FusionModel:
    """A fusion model trained on claims about one closure; its `history` has one `Epoch` per pass.

    Training stops early when the validation loss has not fallen for `config.patience` epochs; the weights of the best
    epoch are kept. Without validation claims the last weights are.

    Args:
        examples: the claims to learn from.
        closure: the graph they are about.
        embedding: vectors of its entities, or None.
        encoder: the text encoder; a copy of it is trained.
        config: the configuration; its `mode` says what the model may see.
        validation: claims to stop by.
        hidden: triples the evidence may not show, such as all held-out ones.
        progress: called with steps done and steps at most.

    Raises:
        InputError: no examples; a text longer than the encoder takes.
        ConfigError: a configuration that does not fit the encoder or the machine.
    """
    config = FusionConfig() if config is None else config
    if not examples:
        raise InputError("Expected at least one example to learn from (got none)")
    device = _device(config.device)
    collator = Collator(closure, embedding, encoder, config)
    collator.tokens([example.text for example in (*examples, *validation)])  # a text too long fails before any work
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(config.seed)
        model = FusionModel(collator, config).to(device)
        _Training(model, examples, validation, hidden, progress).run()
    return model.eval()


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"Expected a CUDA device for 'device' = {name!r} (none is available); use 'auto' or 'cpu'")
    return torch.device(name)


class _Training:
    """The state of one training: order, optimiser, schedule, cached text states, best weights."""

    def __init__(
        self,
        model: FusionModel,
        examples: Sequence[ClaimExample],
        validation: Sequence[ClaimExample],
        hidden: Collection[IdTriple],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.model, self.config, self.hidden = model, model.config, frozenset(hidden)
        self.examples, self.validation = list(examples), list(validation)
        self.progress = progress or (lambda done, total: None)
        self.order = np.random.default_rng(self.config.seed)
        self.total = self.config.epochs * -(-len(self.examples) // self.config.batch_size)
        self.optimiser = torch.optim.AdamW(_parameter_groups(model, self.config), fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self._rate)
        self.states = _frozen_states(model, [e.text for e in (*self.examples, *self.validation)])
        self.step = 0

    def run(self) -> None:
        """Trains until the epochs or the patience run out; leaves the best weights and the history in the model."""
        best, best_weights, since, history = float("inf"), None, 0, []
        for number in range(self.config.epochs):
            start = time.perf_counter()
            epoch = Epoch(self._pass(), self._validation_loss(), time.perf_counter() - start)
            history.append(epoch)
            _LOG.info("epoch %d: loss %.4f, validation %.4f", number + 1, epoch.loss, epoch.validation_loss)
            if not self.validation:
                continue
            if epoch.validation_loss < best:
                best, since = epoch.validation_loss, 0
                best_weights = {name: p.detach().clone() for name, p in self.model.trained_parameters()}
            else:
                since += 1
            if since >= self.config.patience:
                break
        if best_weights is not None:
            self.model.load_state_dict(best_weights, strict=False)
        self.model.history = tuple(history)

    def _rate(self, step: int) -> float:
        """Linear rise over the warm-up, then linear fall to zero (BERT's own schedule)."""
        warm = self.config.warmup * self.total
        if step < warm:
            return (step + 1) / (warm + 1)
        return max(0.0, (self.total - step) / max(1.0, self.total - warm))

    def _pass(self) -> float:
        self.model.train()
        losses = []
        for examples in self._batches():
            batch = self.model.collator(examples, hidden=self.hidden, states=self.states).to(self.model.device)
            loss = binary_cross_entropy_with_logits(self.model(batch, mode=self.config.mode), batch.label)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            nn.utils.clip_grad_norm_([p for _, p in self.model.trained_parameters()], self.config.clip)
            self.optimiser.step()
            self.schedule.step()
            self.step += 1
            self.progress(self.step, self.total)
            losses.append(float(loss.detach()) * len(examples))
        return sum(losses) / len(self.examples)

    def _batches(self) -> Iterator[list[ClaimExample]]:
        """The examples in a new order; not by length: denials are longer, and a batch of them turns learning round."""
        examples = self.examples
        if self.config.mode == "text only":
            examples = [replace(example, triple=None) for example in examples]
        if self.config.mode == "shuffled graph":
            examples = shuffle_triples(examples, seed=int(self.order.integers(2**31)))
        order = self.order.permutation(len(examples))
        for start in range(0, len(order), self.config.batch_size):
            yield [examples[at] for at in order[start : start + self.config.batch_size]]

    def _validation_loss(self) -> float:
        if not self.validation:
            return float("nan")
        logits = predict_logits(
            self.model, self.validation, mode=self.config.mode, hidden=self.hidden, states=self.states
        )
        labels = torch.tensor([example.label for example in self.validation])
        return float(binary_cross_entropy_with_logits(torch.from_numpy(logits), labels))


def _parameter_groups(model: FusionModel, config: FusionConfig) -> list[dict[str, object]]:
    """Text layers at their own rate; no decay on vectors (biases, norms, gates)."""
    groups = []
    for in_text, rate in ((True, config.encoder_learning_rate), (False, config.learning_rate)):
        for flat, decay in ((True, 0.0), (False, config.weight_decay)):
            chosen = [
                p
                for name, p in model.trained_parameters()
                if name.startswith("text.") == in_text and (p.ndim < 2) == flat
            ]
            if chosen:
                groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
    return groups


def _frozen_states(model: FusionModel, texts: Sequence[str], batch_size: int = 64) -> dict[str, Tensor] | None:
    """The token states of each text before the first fused layer; None where a layer below it is trained."""
    if model.text.frozen < max(1, model.lower_layers):
        return None
    model.eval()
    states: dict[str, Tensor] = {}
    lengths = {text: len(row) for text, row in zip(texts, model.collator.tokens(texts), strict=True)}
    order = sorted(lengths, key=lambda text: lengths[text])
    for start in range(0, len(order), batch_size):
        part = order[start : start + batch_size]
        bare = [ClaimExample(text=text, triple=None, label=0.0, kind="text") for text in part]
        with torch.no_grad():
            found = model.lower_states(model.collator(bare).to(model.device)).cpu()
        states.update({text: found[at, : lengths[text]].clone() for at, text in enumerate(part)})
    return states
