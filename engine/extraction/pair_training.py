"""`train_pairs`: a pair extractor from examples; equal seeds give equal weights."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.extraction.pairs import PairConfig, PairExample, PairExtractor
from engine.fusion.encoder import Encoder
from kg.errors import InputError

__all__ = ["train_pairs"]

log = logging.getLogger(__name__)
_WARM_UP = 0.1  # share of the steps


def train_pairs(encoder: Encoder, examples: Sequence[PairExample], config: PairConfig | None = None) -> PairExtractor:
    """An extractor of the relations in the examples, in evaluation mode.

    Args:
        encoder: what it starts from.
        examples: windows with what they tell; each is read once an epoch, so equal ones are better given once.

    Raises:
        InputError: no example tells a relation.
        ConfigError: more trained layers than the encoder has.
    """
    config = config or PairConfig()
    relations = sorted({name for example in examples for name in example.relations.values() if name is not None})
    if not relations:
        raise InputError("Expected a window that tells a relation to train on (got none)")
    model = PairExtractor(encoder, relations, config)
    known = [example for example in examples if example.relations]
    number: dict[str | None, int] = {None: 0, **{name: at for at, name in enumerate(relations, 1)}}
    labels = [torch.tensor([number[name] for name in example.relations.values()]) for example in known]
    began, clock = time.perf_counter(), time.process_time()
    states = model.lower_states([example.window.text for example in known])
    log.info("lower states of %d windows in %.0f s", len(known), time.perf_counter() - began)
    generator = torch.Generator().manual_seed(config.seed)
    steps = config.epochs * -(-len(known) // config.batch_size)
    optimizer = torch.optim.AdamW(
        [p for _, p in model.trained_parameters()], lr=config.learning_rate, weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    loss_of = nn.CrossEntropyLoss(label_smoothing=config.smoothing)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        for epoch in range(config.epochs):
            model.train()
            total, done = 0.0, 0
            for chosen in _batches([len(own) for own in states], config.batch_size, generator):
                batch = model.batch(
                    [known[at].window for at in chosen],
                    [states[at] for at in chosen],
                    [list(known[at].relations) for at in chosen],
                )
                loss = loss_of(model(batch), torch.cat([labels[at] for at in chosen]))
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                total, done = total + loss.item() * len(chosen), done + len(chosen)
            log.info("epoch %d: loss %.4f, %.0f CPU s", epoch + 1, total / done, time.process_time() - clock)
    return model.eval()


def _rate(step: int, steps: int) -> float:
    warm = max(1, round(_WARM_UP * steps))
    return min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))


def _batches(lengths: Sequence[int], size: int, generator: torch.Generator) -> list[list[int]]:
    """Random batches of texts of about equal length, so that little is padding."""
    noise: Tensor = torch.rand(len(lengths), generator=generator) * 6
    order = torch.argsort(torch.tensor(lengths) + noise).tolist()
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return [batches[at] for at in torch.randperm(len(batches), generator=generator).tolist()]
