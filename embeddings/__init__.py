"""Knowledge graph embeddings: trained with PyKEEN on a graph's own ids, evaluated, calibrated, stored.

Importing this package loads neither torch nor PyKEEN: what needs them imports them when it is called, and a stored
TransE or RotatE embedding is scored without them.
"""

from embeddings.calibrate import Calibration, brier, calibration_examples, ece, fit_calibration
from embeddings.config import EmbeddingConfig
from embeddings.embedding import Embedding
from embeddings.evaluate import RankMetrics, evaluate, ranks
from embeddings.store import load_embedding
from embeddings.train import train_embedding, triples_fingerprint

__all__ = [
    "Calibration",
    "Embedding",
    "EmbeddingConfig",
    "RankMetrics",
    "brier",
    "calibration_examples",
    "ece",
    "evaluate",
    "fit_calibration",
    "load_embedding",
    "ranks",
    "train_embedding",
    "triples_fingerprint",
]
