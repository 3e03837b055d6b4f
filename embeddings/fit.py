"""Fitting the PyKEEN model of an embedding: the loop, early stopping, checkpoints, trackers.

Import this module inside `embeddings.quiet.quiet`: it imports PyKEEN.
"""

from __future__ import annotations

import gc
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pykeen.losses import NoSampleWeightSupportError
from pykeen.training import LCWATrainingLoop, SLCWATrainingLoop, TrainingLoop
from pykeen.training.callbacks import TrainingCallback
from pykeen.training.training_loop import NonFiniteLossError
from pykeen.triples import CoreTriplesFactory

from embeddings.checkpoint import Checkpoint, Progress
from embeddings.config import EmbeddingConfig
from embeddings.embedding import Embedding, Floats
from embeddings.evaluate import evaluate
from embeddings.negatives import NegativeKnowledge
from embeddings.network import filled, make_model
from embeddings.row_adam import RowAdam
from embeddings.shared import SharedNegativeLoop, SharedNegatives
from embeddings.subsampling import SubsampledLoop, Subsampling
from kg.errors import ConfigError

__all__ = ["Fitting", "fit"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitting:
    """What a training is given beside its triples; see `train_embedding`."""

    validation: NDArray[np.int32] | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: Callable[[int, int], None] | None = None
    validated: Callable[[int, float], None] | None = None
    initial: tuple[Floats, Floats | None] | None = None
    literals: Floats | None = None
    negatives: NegativeKnowledge | None = None
    checkpoint: Checkpoint | None = None
    tracker: Any = None


def fit(frame: Embedding, triples: NDArray[np.int32], given: Fitting) -> Embedding:
    """The embedding `frame` (ids, no vectors yet) with the vectors PyKEEN learns from the triples."""
    config = frame.config
    factory = CoreTriplesFactory(
        torch.from_numpy(frame.dense(triples)), num_entities=len(frame.entities), num_relations=len(frame.relations)
    )
    made = make_model(config, len(frame.entities), len(frame.relations), initial=given.initial, literals=given.literals)
    model = made.to(given.device)
    loop = _loop(frame, model, factory, given)
    watch = _Watch(frame, triples, given)
    resumed = None if given.checkpoint is None else given.checkpoint.resume(loop)
    if resumed is not None:
        log.info("taking up the training after epoch %d", loop._epoch)
        watch.state = resumed
    over = resumed is not None and resumed.stopped
    # PyKEEN makes a checkpoint folder even where no checkpoint is asked for
    with (
        tempfile.TemporaryDirectory(prefix="noesis-pykeen-") as folder,
        _living_objects_frozen(),
        _tracked(loop, config),
    ):
        try:
            losses = loop.train(
                factory,
                num_epochs=loop._epoch if over else config.epochs,
                batch_size=min(config.batch_size, len(triples)),  # without it PyKEEN takes its own, by device
                use_tqdm=False,
                callbacks=[watch],
                continue_training=resumed is not None,
                checkpoint_directory=folder,
                pin_memory=given.device.type == "cuda",  # PyKEEN's default warns each epoch where there is no GPU
            )
        except NonFiniteLossError as error:
            raise _diverged(config) from error
        except NoSampleWeightSupportError as error:
            raise ConfigError(
                f"Expected a loss that takes weights, such as bcewithlogits, with subsampling or invalid_weight "
                f"(got {config.loss}; nssa takes them in the loop 'shared' alone)"
            ) from error
    if watch.state.best is not None:
        model.load_state_dict(watch.state.best)
    trained = filled(frame, model, tuple(float(loss) for loss in losses))
    learned = (trained.entity_vectors, trained.relation_vectors, *trained.state.values())
    if not all(np.isfinite(values).all() for values in learned):
        raise _diverged(config)
    return trained


def _loop(frame: Embedding, model: Any, factory: CoreTriplesFactory, given: Fitting) -> TrainingLoop[Any]:
    config = frame.config
    options: dict[str, Any] = {
        "model": model,
        "triples_factory": factory,
        "optimizer": RowAdam if config.shared else "adam",
        "optimizer_kwargs": {"lr": config.learning_rate},
        "lr_scheduler": "LinearLR",
        "lr_scheduler_kwargs": {
            "start_factor": 1.0,
            "end_factor": config.final_rate,
            "total_iters": config.epochs,
        },
        "automatic_memory_optimization": False,  # it would train an epoch only to probe memory
        "result_tracker": given.tracker,
    }
    if config.loop == "lcwa":
        return LCWATrainingLoop(**options)
    options |= {
        "negative_sampler": SharedNegatives if config.shared else "basic",
        "negative_sampler_kwargs": {"num_negs_per_pos": config.negatives},
    }
    subsampling = Subsampling(factory.mapped_triples) if config.subsampling else None
    if not config.shared:
        return SLCWATrainingLoop(**options) if subsampling is None else SubsampledLoop(subsampling, **options)
    knowledge = None
    if given.negatives is not None:
        knowledge = given.negatives.dense(frame, invalid_weight=config.invalid_weight, hard_weight=config.hard_weight)
    return SharedNegativeLoop(
        **options, knowledge=knowledge, subsampling=subsampling, mixed_precision=config.mixed_precision
    )


def _diverged(config: EmbeddingConfig) -> ConfigError:
    return ConfigError(f"Expected training to stay finite (learning_rate {config.learning_rate} diverged); lower it")


@contextmanager
def _tracked(loop: Any, config: EmbeddingConfig) -> Iterator[None]:
    """A run of the loop's tracker, ended whatever happens."""
    tracker = loop.result_tracker
    tracker.start_run()
    done = False
    try:
        tracker.log_params(config.to_dict())
        yield
        done = True
    finally:
        tracker.end_run(success=done)


@contextmanager
def _living_objects_frozen() -> Iterator[None]:
    """PyKEEN collects garbage after each epoch; not searching what is alive now saves 0.4 s of each."""
    ours = gc.get_freeze_count() == 0
    if ours:
        gc.freeze()
    try:
        yield
    finally:
        if ours:
            gc.unfreeze()


class _Watch(TrainingCallback):  # type: ignore[misc]  # PyKEEN is untyped here
    """Reports progress, stops early and leaves checkpoints; PyKEEN's own would write and read pickles."""

    def __init__(self, frame: Embedding, triples: NDArray[np.int32], given: Fitting) -> None:
        super().__init__()
        self.frame, self.progress, self.checkpoint = frame, given.progress, given.checkpoint
        self.validated = given.validated
        seen = given.validation
        self.validation = None if seen is None else seen[frame.knows(seen)]
        self.known = triples if seen is None else np.concatenate([triples, seen])
        self.state = Progress()

    def post_epoch(self, epoch: int, epoch_loss: float, **kwargs: Any) -> None:
        """After each epoch: PyKEEN has stepped the learning rate by now."""
        config = self.frame.config
        if self.progress is not None:
            self.progress(epoch, config.epochs)
        if self.validation is not None and len(self.validation) and epoch % config.validate_every == 0:
            self._validate(epoch, self.validation)
        self.training_loop._should_stop = self.state.stopped
        if self.checkpoint is not None and (self.checkpoint.due() or epoch == config.epochs or self.state.stopped):
            self.checkpoint.write(self.training_loop, self.state)

    def _validate(self, epoch: int, held_out: NDArray[np.int32]) -> None:
        state = self.state
        current = filled(self.frame, self.model, ())
        figures = evaluate(current, held_out, self.known, device=str(self.model.device))
        log.info("epoch %d: validation %s", epoch, figures)
        self.result_tracker.log_metrics(
            {"mrr": figures.mrr, "hits_at_1": figures.hits_at_1, "hits_at_10": figures.hits_at_10},
            step=epoch,
            prefix="validation",
        )
        if self.validated is not None:
            self.validated(epoch, figures.mrr)
        if figures.mrr > state.best_mrr:
            state.best_mrr, state.waited = figures.mrr, 0
            state.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
            return
        state.waited += 1
        state.stopped = state.waited >= self.frame.config.patience > 0
