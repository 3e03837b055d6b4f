"""EmbeddingConfig: what it takes, refuses and says."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import embeddings
from embeddings import EmbeddingConfig
from kg.errors import ConfigError


def test_config_survives_its_dict() -> None:
    config = EmbeddingConfig(model="transe", dim=7, num_negatives=3, model_options={"power_norm": True})
    assert EmbeddingConfig.from_dict(config.to_dict()) == config
    assert config.model == "TransE"


def test_unknown_key_is_refused_with_the_nearest_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'learning_rat'; the nearest: learning_rate"):
        EmbeddingConfig.from_dict({"learning_rat": 0.1})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dim", 0),
        ("dim", 2.5),
        ("dim", True),
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", "fast"),
        ("num_negatives", 0),
        ("margin", -1.0),
        ("adversarial_temperature", -0.1),
        ("norm", 3),
        ("patience", -1),
        ("validate_every", 0),
        ("seed", -1),
        ("model", 3),
        ("model_options", [1]),
        ("model_options", {"x": object()}),
    ],
)
def test_value_out_of_range_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"Expected {key}"):
        EmbeddingConfig(**{key: value})


def test_only_plain_l2_transe_and_rotate_are_isometric() -> None:
    values: list[dict[str, Any]] = [
        {"model": "RotatE"},
        {"model": "RotatE", "norm": 1},
        {"model": "TransE"},
        {"model": "TransE", "norm": 1},
        {"model": "TransE", "model_options": {"power_norm": True}},
        {"model": "DistMult"},
    ]
    assert [EmbeddingConfig(**v).isometric for v in values] == [True, True, True, False, False, False]


def test_public_names_are_sorted_and_importing_them_loads_no_torch() -> None:
    assert list(embeddings.__all__) == sorted(embeddings.__all__)
    assert callable(embeddings.evaluate)
    code = "import sys, embeddings; print(sorted({'torch', 'pykeen', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
