"""The PyKEEN model behind an embedding: made from a configuration, fitted, and rebuilt from a saved state.

Import this module inside `embeddings.quiet.quiet`: it imports PyKEEN.
"""

from __future__ import annotations

import dataclasses
import difflib
import gc
import inspect
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pykeen.losses import loss_resolver
from pykeen.models import ERModel, Model, model_resolver
from pykeen.training import SLCWATrainingLoop
from pykeen.training.callbacks import TrainingCallback
from pykeen.training.training_loop import NonFiniteLossError
from pykeen.triples import CoreTriplesFactory, KGInfo

from embeddings.config import EmbeddingConfig
from embeddings.embedding import Embedding, Floats
from embeddings.evaluate import evaluate
from embeddings.quiet import quiet
from embeddings.shared import SharedNegativeLoop, SharedNegatives
from kg.errors import ConfigError, NotSupportedError

__all__ = ["Network", "filled", "fit", "make_model"]

_FINAL_RATE = 0.05  # last step over first step; with a constant rate the vectors keep circling the optimum


def fit(
    frame: Embedding,
    triples: NDArray[np.int32],
    *,
    validation: NDArray[np.int32] | None,
    device: torch.device,
    progress: Callable[[int, int], None] | None,
) -> Embedding:
    """The embedding `frame` (ids, no vectors yet) with the vectors PyKEEN learns from the triples."""
    config = frame.config
    model = make_model(config, len(frame.entities), len(frame.relations)).to(device)
    factory = CoreTriplesFactory(
        torch.from_numpy(frame.dense(triples)), num_entities=len(frame.entities), num_relations=len(frame.relations)
    )
    kind = SharedNegativeLoop if config.isometric else SLCWATrainingLoop
    loop = kind(
        model=model,
        triples_factory=factory,
        optimizer="adam",
        optimizer_kwargs={"lr": config.learning_rate},
        lr_scheduler="LinearLR",
        lr_scheduler_kwargs={"start_factor": 1.0, "end_factor": _FINAL_RATE, "total_iters": config.epochs},
        negative_sampler=SharedNegatives if config.isometric else "basic",
        negative_sampler_kwargs={"num_negs_per_pos": config.negatives},
        automatic_memory_optimization=False,  # it would train an epoch only to probe memory
    )
    watch = _Watch(frame, triples, validation, progress)
    # PyKEEN makes a checkpoint folder even where no checkpoint is asked for
    with tempfile.TemporaryDirectory(prefix="noesis-pykeen-") as folder, _living_objects_frozen():
        try:
            losses = loop.train(
                factory,
                num_epochs=config.epochs,
                batch_size=min(config.batch_size, len(triples)),  # without it PyKEEN takes its own, by device
                use_tqdm=False,
                callbacks=[watch],
                checkpoint_directory=folder,
                pin_memory=device.type == "cuda",  # PyKEEN's default warns each epoch where there is no GPU
            )
        except NonFiniteLossError as error:
            raise _diverged(config) from error
    if watch.best is not None:
        model.load_state_dict(watch.best)
    trained = filled(frame, model, tuple(float(loss) for loss in losses))
    learned = (trained.entity_vectors, trained.relation_vectors, *trained.state.values())
    if not all(np.isfinite(values).all() for values in learned):
        raise _diverged(config)
    return trained


def _diverged(config: EmbeddingConfig) -> ConfigError:
    return ConfigError(f"Expected training to stay finite (learning_rate {config.learning_rate} diverged); lower it")


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
    """Reports progress and stops early; PyKEEN's own stopper would write and read pickles."""

    def __init__(
        self,
        frame: Embedding,
        triples: NDArray[np.int32],
        validation: NDArray[np.int32] | None,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        super().__init__()
        self.frame, self.progress = frame, progress
        self.validation = None if validation is None else validation[frame.knows(validation)]
        self.known = triples if validation is None else np.concatenate([triples, validation])
        self.best: dict[str, torch.Tensor] | None = None
        self.best_mrr, self.waited = -math.inf, 0

    def post_epoch(self, epoch: int, epoch_loss: float, **kwargs: Any) -> None:
        config = self.frame.config
        if self.progress is not None:
            self.progress(epoch, config.epochs)
        if self.validation is None or not len(self.validation) or epoch % config.validate_every:
            return
        current = filled(self.frame, self.model, ())
        mrr = evaluate(current, self.validation, self.known, device=str(self.model.device)).mrr
        if mrr > self.best_mrr:
            self.best_mrr, self.waited = mrr, 0
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
            return
        self.waited += 1
        self.training_loop._should_stop = self.waited >= config.patience


def make_model(config: EmbeddingConfig, num_entities: int, num_relations: int) -> Model:
    """The PyKEEN model of a configuration, freshly initialised."""
    info = KGInfo(num_entities=num_entities, num_relations=num_relations, create_inverse_triples=False)
    cls = _lookup(model_resolver, config.model, "model")
    options: dict[str, Any] = {
        "loss": _lookup(loss_resolver, config.loss, "loss")(**_loss_options(config)),
        "random_seed": config.seed,
        **_vector_options(config, cls),
        **config.model_options,
    }
    try:
        return cls(triples_factory=info, **options)
    except AttributeError as error:
        raise NotSupportedError(
            f"Expected a PyKEEN model that is made from integer triples alone (got {config.model}: {error})"
        ) from error
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"Expected model_options that PyKEEN's {config.model} takes ({error})") from error


def _vector_options(config: EmbeddingConfig, cls: type) -> dict[str, Any]:
    if config.model not in ("TransE", "RotatE"):
        return {"embedding_dim": config.dim} if "embedding_dim" in inspect.signature(cls).parameters else {}
    numbers = 2 * config.dim if config.model == "RotatE" else config.dim
    # Two uniform vectors in ±b are about b * sqrt(numbers) apart, so entities start near the loss's margin.
    bound = config.margin / math.sqrt(numbers)
    start = {"a": -bound, "b": bound}
    if config.model == "RotatE":
        return {"embedding_dim": config.dim, "entity_initializer": _Uniform(**start)}
    # PyKEEN's TransE keeps entities on the unit sphere, where no distance can reach the margin.
    return {
        "embedding_dim": config.dim,
        "scoring_fct_norm": config.norm,
        "entity_constrainer": None,
        "entity_initializer": _Uniform(**start),
        "relation_initializer": _Uniform(**start),
    }


class _Uniform:
    """An initialiser that fills a tensor with numbers between a and b."""

    def __init__(self, a: float, b: float) -> None:
        self.a, self.b = a, b

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        return torch.nn.init.uniform_(tensor, self.a, self.b)


def _loss_options(config: EmbeddingConfig) -> dict[str, Any]:
    wanted = {"margin": config.margin, "adversarial_temperature": config.adversarial_temperature}
    taken = inspect.signature(_lookup(loss_resolver, config.loss, "loss")).parameters
    return {name: value for name, value in wanted.items() if name in taken}


def _lookup(resolver: Any, name: str, kind: str) -> type:
    try:
        found: type = resolver.lookup(name)
    except (KeyError, ValueError) as error:
        known = sorted(cls.__name__ for cls in resolver)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known
        raise ConfigError(f"Expected a {kind} of PyKEEN (got {name!r}; the nearest: {', '.join(near)})") from error
    return found


def filled(frame: Embedding, model: Model, losses: tuple[float, ...]) -> Embedding:
    """The embedding `frame` with the vectors a PyKEEN model has now."""
    state = {}
    if not frame.config.isometric:
        state = {name: value.detach().cpu().numpy().copy() for name, value in model.state_dict().items()}
    pairs = (model.entity_representations, model.relation_representations) if isinstance(model, ERModel) else ((), ())
    entities, relations = (_vectors(representations) for representations in pairs)
    return dataclasses.replace(frame, entity_vectors=entities, relation_vectors=relations, losses=losses, state=state)


@torch.no_grad()
def _vectors(representations: Any) -> Floats:
    """All representations of a kind side by side as real numbers; shape (row, dim)."""
    parts = []
    for representation in representations:
        values = representation()
        values = values.reshape(len(values), -1)
        parts += [values.real, values.imag] if values.is_complex() else [values]
    return torch.cat(parts, dim=1).float().cpu().numpy().copy()


class Network:
    """The PyKEEN model of a trained embedding, on the CPU, for models whose scores have no short form."""

    def __init__(self, embedding: Embedding) -> None:
        with quiet():
            self.model = make_model(embedding.config, len(embedding.entities), len(embedding.relations))
            self.model.load_state_dict({k: torch.from_numpy(v) for k, v in embedding.state.items()})
            self.model.eval()

    @torch.no_grad()
    def score(self, dense: NDArray[np.int64]) -> Floats:
        """Scores of triples of row numbers; shape (num_triples,)."""
        with quiet():
            parts = [self.model.score_hrt(part).squeeze(1) for part in torch.from_numpy(dense).split(4096)]  # type: ignore[no-untyped-call]  # torch's split
            return torch.cat(parts).float().numpy() if parts else np.empty(0, dtype=np.float32)

    @torch.no_grad()
    def score_all(self, dense: NDArray[np.int64], *, tails: bool) -> Floats:
        """Scores with every entity as tail (or head) of each triple; shape (num_triples, entity)."""
        batch = torch.from_numpy(dense)
        with quiet():
            scores = self.model.score_t(batch[:, :2]) if tails else self.model.score_h(batch[:, 1:])
        return np.asarray(scores.float().numpy())
