"""Training of the fusion model: cross-entropy of the right answers, and what rules say of the model's own.

States of the frozen lower text layers are computed once per text and kept, so that an epoch costs only the fused
layers. Everything drawn at random comes from the configuration's seed; torch's own generator is left as it was.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.fusion.batch import Collator, EntityVectors
from engine.fusion.checkpoint import Checkpoint, training_key
from engine.fusion.config import FusionConfig
from engine.fusion.encoder import Encoder
from engine.fusion.evaluate import as_seen
from engine.fusion.examples import ClaimExample
from engine.fusion.grounding import ClosureView, IdTriple
from engine.fusion.heads import check_examples
from engine.fusion.losses import loss_count, target_loss
from engine.fusion.model import Epoch, FusionModel
from engine.fusion.order import batches, units
from engine.fusion.ties import Tie, rule_loss
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
    ties: Mapping[str, Tie] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 60.0,
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
        ties: what rules say of the groups of the examples (see `tie_claims`), for `config.rule_loss`.
        checkpoint: a folder that keeps the state after an epoch; a training of the same that is found there goes on.
        checkpoint_seconds: between two of them at least.
        progress: called with steps done and steps at most.

    Raises:
        InputError: no examples, ones that do not carry what the target needs, a text longer than the encoder takes.
        ConfigError: a configuration that does not fit the encoder or the machine; a loss through rules without ties.
        StoreError: the checkpoint is of another training, was altered or cannot be written.
    """
    config = FusionConfig() if config is None else config
    if not examples:
        raise InputError("Expected at least one example to learn from (got none)")
    if config.rule_loss and not ties:
        raise ConfigError("Expected ties of the examples for 'rule_loss' above 0 (got none); make them by tie_claims")
    check_examples(examples, config.target)
    check_examples(validation, config.target)
    device = _device(config.device)
    collator = Collator(closure, embedding, encoder, config)
    collator.tokens([example.text for example in (*examples, *validation)])  # a text too long fails before any work
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(config.seed)
        model = FusionModel(collator, config).to(device)
        if config.compile:
            model.compile_layers()
        training = Training(model, examples, validation, hidden, ties or {}, progress)
        kept = None
        if checkpoint is not None:
            key = training_key(model, (*examples, *validation), hidden)
            kept = Checkpoint(Path(checkpoint), key, checkpoint_seconds)
            kept.resume(training)
        training.run(kept)
    return model.eval()


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"Expected a CUDA device for 'device' = {name!r} (none is available); use 'auto' or 'cpu'")
    return torch.device(name)


@dataclass
class Stopping:
    """What early stopping knows: the epochs so far, the least validation loss, its weights, and epochs since."""

    history: list[Epoch] = field(default_factory=list)
    best: float | None = None
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    since: int = 0


class Training:
    """One training: order, optimiser, schedule, cached text states, and how far it has come."""

    def __init__(
        self,
        model: FusionModel,
        examples: Sequence[ClaimExample],
        validation: Sequence[ClaimExample],
        hidden: Collection[IdTriple],
        ties: Mapping[str, Tie],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.model, self.config, self.hidden, self.ties = model, model.config, frozenset(hidden), ties
        self.examples, self.validation = list(examples), list(validation)
        self.progress = progress or (lambda done, total: None)
        self.order = np.random.default_rng(self.config.seed)
        self.total = self.config.epochs * -(-len(self.examples) // (self.config.batch_size * self.config.accumulate))
        self.optimiser = torch.optim.AdamW(_parameter_groups(model, self.config), fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self._rate)
        self.states = _frozen_states(model, [e.text for e in (*self.examples, *self.validation)])
        self.state, self.step = Stopping(), 0

    def run(self, checkpoint: Checkpoint | None = None) -> None:
        """Trains until the epochs or the patience run out; leaves the best weights and the history in the model."""
        state = self.state
        while len(state.history) < self.config.epochs and (not self.validation or state.since < self.config.patience):
            start = time.perf_counter()
            epoch = Epoch(self._pass(), self._validation_loss(), time.perf_counter() - start)
            state.history.append(epoch)
            number = len(state.history)
            _LOG.info("epoch %d: loss %.4f, validation %.4f", number, epoch.loss, epoch.validation_loss)
            if self.validation and (state.best is None or epoch.validation_loss < state.best):
                state.best, state.since = epoch.validation_loss, 0
                state.best_weights = {name: p.detach().clone() for name, p in self.model.trained_parameters()}
            else:
                state.since += 1
            if checkpoint is not None:
                checkpoint.write(self)
        self.model.load_state_dict(state.best_weights, strict=False)
        self.model.history = tuple(state.history)

    def _rate(self, step: int) -> float:
        """Linear rise over the warm-up, then linear fall to zero (BERT's own schedule)."""
        warm = self.config.warmup * self.total
        if step < warm:
            return (step + 1) / (warm + 1)
        return max(0.0, (self.total - step) / max(1.0, self.total - warm))

    def _pass(self) -> float:
        """One pass over the examples; the mean loss."""
        self.model.train()
        losses = []
        waiting = list(self._batches())
        together = self.config.accumulate
        for start in range(0, len(waiting), together):
            step = waiting[start : start + together]
            self.optimiser.zero_grad(set_to_none=True)
            for examples in step:
                logits, label_loss, count = self._told(examples)
                loss = label_loss
                if self.config.rule_loss:
                    loss = loss + self.config.rule_loss * rule_loss(self.ties, examples, logits)
                (loss / len(step)).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                losses.append((float(label_loss.detach()), count))
            nn.utils.clip_grad_norm_([p for _, p in self.model.trained_parameters()], self.config.clip)
            self.optimiser.step()
            self.schedule.step()
            self.step += 1
            self.progress(self.step, self.total)
        return sum(loss * count for loss, count in losses) / sum(count for _, count in losses)

    def _told(self, examples: Sequence[ClaimExample]) -> tuple[Tensor, Tensor, int]:
        """The logits of a batch, the loss of its labels, and how many these are."""
        batch = self.model.collator(examples, hidden=self.hidden, states=self.states).to(self.model.device)
        with self.model.autocast():
            logits = self.model(batch, mode=self.config.mode)
        return logits, target_loss(self.config.target, logits, batch), loss_count(self.config.target, batch)

    def _batches(self) -> Iterator[list[ClaimExample]]:
        """The examples in a new order; not by length: denials are longer, and a batch of them turns learning round."""
        examples: Sequence[ClaimExample] = self.examples
        if self.config.mode in ("text only", "shuffled graph"):
            seed = int(self.order.integers(2**31)) if self.config.mode == "shuffled graph" else 0
            examples = as_seen(examples, self.config, self.config.mode, seed)
        groups = units(examples)
        drawn = [groups[at] for at in self.order.permutation(len(groups))]
        for rows in batches(drawn, self.config.batch_size):
            yield [examples[at] for at in rows]

    def _validation_loss(self) -> float:
        if not self.validation:
            return float("nan")
        examples = as_seen(self.validation, self.config, self.config.mode, 0)
        lengths = [len(row) for row in self.model.collator.tokens([example.text for example in examples])]
        groups = sorted(units(examples), key=lambda unit: max(lengths[at] for at in unit))  # less padding
        self.model.eval()
        total, number = 0.0, 0
        with torch.no_grad():
            for rows in batches(groups, 64):
                _, loss, count = self._told([examples[at] for at in rows])
                total, number = total + float(loss) * count, number + count
        return total / number


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
