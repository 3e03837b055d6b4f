"""A BERT encoder fused with a graph-attention network over the claim's grounded subgraph; torch lives here."""

from engine.fusion.answers import answer_accuracy, predict_answers
from engine.fusion.config import FusionConfig
from engine.fusion.encoder import Encoder, resolve_encoder
from engine.fusion.evaluate import (
    BinaryMetrics,
    PairedDifference,
    binary_metrics,
    compare,
    evaluate_fusion,
    plausibilities,
    predict_logits,
)
from engine.fusion.examples import ClaimExample, generate_examples
from engine.fusion.grounding import ASKED
from engine.fusion.model import FusionModel
from engine.fusion.probe import ProbeReader
from engine.fusion.scorer import Scorer
from engine.fusion.soft_rules import SoftRules, weigh_tensor
from engine.fusion.store import load_fusion, save_fusion
from engine.fusion.ties import Tie, tie_claims
from engine.fusion.train import train_fusion

__all__ = [
    "ASKED",
    "BinaryMetrics",
    "ClaimExample",
    "Encoder",
    "FusionConfig",
    "FusionModel",
    "PairedDifference",
    "ProbeReader",
    "Scorer",
    "SoftRules",
    "Tie",
    "answer_accuracy",
    "binary_metrics",
    "compare",
    "evaluate_fusion",
    "generate_examples",
    "load_fusion",
    "plausibilities",
    "predict_answers",
    "predict_logits",
    "resolve_encoder",
    "save_fusion",
    "tie_claims",
    "train_fusion",
    "weigh_tensor",
]
