"""Settings: written and read back, and refused by name where they are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from engine.fusion import FusionConfig
from kg.errors import ConfigError


def test_settings_survive_their_table() -> None:
    config = FusionConfig(exchange="pair", attention="sparse", target="choice", accumulate=4, compile=True)
    assert FusionConfig.from_dict(config.to_dict()) == config
    assert FusionConfig.from_dict({}) == FusionConfig()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("exchange", "all", "one of cross, pair"),
        ("attention", "full", "one of auto, dense, sparse"),
        ("target", "class", "one of truth, three-way, choice, entity, relation"),
        ("precision", "float16", "one of auto, float32, bfloat16"),
        ("accumulate", 0, "at least 1"),
        ("rule_loss", -0.1, "at least 0"),
        ("compile", 1, "of type bool"),
        ("accumulate", True, "of type int"),
        ("rule_los", 0.5, "known: rule_loss"),
    ],
)
def test_wrong_settings_are_refused_by_name(name: str, value: Any, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        FusionConfig.from_dict({name: value})
