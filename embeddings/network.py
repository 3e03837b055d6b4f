"""The PyKEEN model behind an embedding: made from a configuration, and rebuilt from a saved state.

Import this module inside `embeddings.quiet.quiet`: it imports PyKEEN.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pykeen.losses import loss_resolver
from pykeen.models import ERModel, Model, model_resolver
from pykeen.triples import KGInfo

from embeddings.config import EmbeddingConfig
from embeddings.embedding import Embedding, Floats
from embeddings.literal_models import hold_literals, literal_factory, num_attributes, takes_literals
from embeddings.quiet import quiet
from kg.errors import ConfigError, InputError, NotSupportedError

__all__ = ["Network", "filled", "make_model", "model_class"]


def make_model(
    config: EmbeddingConfig,
    num_entities: int,
    num_relations: int,
    *,
    initial: tuple[Floats, Floats | None] | None = None,
    literals: Floats | None = None,
) -> Model:
    """The PyKEEN model of a configuration, freshly initialised.

    Args:
        literals: numbers of the entities, for PyKEEN's literal models alone; shape (entity, attribute).
        initial: vectors of entities and relations to start from, in the layout of `Embedding`; None for the relations
            leaves them to PyKEEN. Only TransE and RotatE.
    """
    cls = model_class(config.model)
    if takes_literals(cls) != (literals is not None):
        raise ConfigError(
            f"Expected {'' if literals is None else 'no '}literals for {config.model} (`literals=` of train_embedding)"
        )
    info = KGInfo(num_entities=num_entities, num_relations=num_relations, create_inverse_triples=False)
    if literals is not None:
        info = literal_factory(num_entities, num_relations, literals)
    options: dict[str, Any] = {
        "loss": _lookup(loss_resolver, config.loss, "loss")(**_loss_options(config)),
        "random_seed": config.seed,
        **_vector_options(config, cls),
        **_initial_options(config, (num_entities, num_relations), initial),
        **config.model_options,
    }
    try:
        model: Model = cls(triples_factory=info, **options)
    except AttributeError as error:
        raise NotSupportedError(
            f"Expected a PyKEEN model that is made from integer triples alone (got {config.model}: {error})"
        ) from error
    except (TypeError, ValueError, KeyError) as error:
        if literals is not None and not config.model_options:
            raise NotSupportedError(
                f"Expected a literal model that PyKEEN can make, such as ComplExLiteral (got {config.model}: {error})"
            ) from error
        raise ConfigError(f"Expected model_options that PyKEEN's {config.model} takes ({error})") from error
    if literals is not None:
        hold_literals(model)
    return model


def model_class(name: str) -> type:
    """PyKEEN's model of this name.

    Raises:
        ConfigError: there is none; the message names the nearest ones.
    """
    return _lookup(model_resolver, name, "model")


def _vector_options(config: EmbeddingConfig, cls: type) -> dict[str, Any]:
    if config.model not in ("TransE", "RotatE"):
        return {"embedding_dim": config.dim} if "embedding_dim" in inspect.signature(cls).parameters else {}
    start = {"a": -config.initial_bound, "b": config.initial_bound}
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


def _initial_options(
    config: EmbeddingConfig, rows: tuple[int, int], initial: tuple[Floats, Floats | None] | None
) -> dict[str, Any]:
    if initial is None:
        return {}
    if config.model not in ("TransE", "RotatE"):
        raise NotSupportedError(f"Expected TransE or RotatE where vectors to start from are given (got {config.model})")
    numbers, found = config.numbers, {}
    for kind, count, vectors in zip(("entity", "relation"), rows, initial, strict=True):
        if vectors is None:
            continue
        if vectors.shape != (count, numbers):
            raise InputError(f"Expected {kind} vectors of shape {(count, numbers)} to start from (got {vectors.shape})")
        found[f"{kind}_initializer"] = _Given(torch.from_numpy(np.array(vectors, dtype=np.float32)))
    return found


class _Given:
    """An initialiser that sets a tensor to given rows: real numbers, or all real parts and then all imaginary ones."""

    def __init__(self, rows: torch.Tensor) -> None:
        self.rows = rows

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        rows = self.rows.to(tensor.device)
        if tensor.shape != rows.shape:  # PyKEEN keeps complex components as pairs
            rows = torch.stack(rows.chunk(2, dim=1), dim=-1)
        return tensor.copy_(rows.reshape(tensor.shape))


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
        rows = len(embedding.entities)
        with quiet():
            count = num_attributes(embedding.state)  # the numbers themselves are in the state
            literals = np.zeros((rows, count), dtype=np.float32) if count else None
            self.model = make_model(embedding.config, rows, len(embedding.relations), literals=literals)
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
