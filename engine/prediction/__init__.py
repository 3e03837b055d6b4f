"""Prediction: an embedding proposes triples, the schema and the rules decide which of them may be proposed.

Importing it loads no torch.
"""

from engine.prediction.evaluate import FilterFigures, FilterReport, evaluate_filter, sem_at_k
from engine.prediction.predictor import Predictor
from engine.prediction.ranking import Neighbour, Prediction, Ranking
from engine.prediction.rejection import Kind, Rejection, Strictness
from engine.prediction.schema_filter import SchemaFilter

__all__ = [
    "FilterFigures",
    "FilterReport",
    "Kind",
    "Neighbour",
    "Prediction",
    "Predictor",
    "Ranking",
    "Rejection",
    "SchemaFilter",
    "Strictness",
    "evaluate_filter",
    "sem_at_k",
]
