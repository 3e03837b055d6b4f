"""Knowledge graph embeddings: trained with PyKEEN on a graph's own ids, evaluated, calibrated, stored.

Importing this package loads neither torch nor PyKEEN: what needs them imports them when it is called, and a stored
TransE or RotatE embedding is scored without them.
"""

from embeddings.breakdown import Breakdown, break_down
from embeddings.calibrate import Calibration, brier, calibration_examples, ece, fit_calibration
from embeddings.config import EmbeddingConfig
from embeddings.embedding import Embedding
from embeddings.evaluate import RankMetrics, evaluate, ranks
from embeddings.literals import NumericLiterals, literals_for, numeric_literals
from embeddings.negatives import NegativeKnowledge
from embeddings.new_entities import TextMap, fit_text_map, with_neighbours
from embeddings.search import SearchResult, SearchSpace, search_settings
from embeddings.store import load_embedding
from embeddings.text_initial import initial_vectors
from embeddings.train import train_embedding, triples_fingerprint

__all__ = [
    "Breakdown",
    "Calibration",
    "Embedding",
    "EmbeddingConfig",
    "NegativeKnowledge",
    "NumericLiterals",
    "RankMetrics",
    "SearchResult",
    "SearchSpace",
    "TextMap",
    "break_down",
    "brier",
    "calibration_examples",
    "ece",
    "evaluate",
    "fit_calibration",
    "fit_text_map",
    "initial_vectors",
    "literals_for",
    "load_embedding",
    "numeric_literals",
    "ranks",
    "search_settings",
    "train_embedding",
    "triples_fingerprint",
    "with_neighbours",
]
