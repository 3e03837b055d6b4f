"""Prediction from a domain and its run: the run's embedding proposes, the domain's schema and rules decide."""

from __future__ import annotations

from pathlib import Path

from engine.prediction import Predictor, Ranking, Strictness
from engine.symbolic import Budget, Closure
from kg.errors import StoreError
from pipelines.reader import closure_key

__all__ = ["load_predictor", "predict"]


def predict(
    closure: Closure,
    run_folder: str | Path,
    head: str | None,
    relation: str,
    tail: str | None = None,
    *,
    k: int = 10,
    rejected: bool = False,
    strictness: Strictness | str = Strictness.OPEN,
    unique_names: bool = False,
    budget: Budget | None = None,
) -> Ranking:
    """The best tails of a head and a relation, or (with a tail and no head) the best heads.

    Args:
        closure: of the domain (see `pipelines.build.close`).
        run_folder: where `noesis embed` or `noesis train` left its embedding.
        head, relation, tail: compact names or IRIs.
        k: how many. rejected: whether what is rejected above the last of them is listed, each with its axiom.
        strictness, unique_names, budget: see `Predictor`.

    Raises:
        StoreError: the folder holds no embedding of this closure.
        UnknownTermError: a term is not in the graph, or was not trained.
        InputError: both or neither of head and tail, or k is below 1.
        ValueError: the strictness is neither open nor typed.
    """
    predictor = load_predictor(
        closure, run_folder, strictness=Strictness(strictness), unique_names=unique_names, budget=budget
    )
    return predictor.rank(head, relation, tail, k=k, rejected=rejected)


def load_predictor(
    closure: Closure,
    run_folder: str | Path,
    *,
    strictness: Strictness = Strictness.OPEN,
    unique_names: bool = False,
    budget: Budget | None = None,
) -> Predictor:
    """The predictor of a closure with the embedding of a run folder.

    Raises:
        StoreError: the folder holds no embedding of this closure.
    """
    from embeddings import load_embedding

    folder = Path(run_folder) / "embedding"
    if not folder.is_dir():
        raise StoreError(f"Expected an embedding in {run_folder} (there is none); make one with `noesis embed`")
    embedding = load_embedding(folder, fingerprint=closure_key(closure))
    return Predictor(closure, embedding, strictness=strictness, unique_names=unique_names, budget=budget)
