"""Resuming: a training that was killed goes on to the same vectors; what cannot be resumed is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from embeddings import EmbeddingConfig, train_embedding
from kg.errors import ConfigError, StoreError

ROOT = Path(__file__).parents[1]
ROWS = np.array([[i, 90 + k, (i * (k + 3) + 1) % 40] for i in range(40) for k in range(3)], dtype=np.int32)
SCRIPT = """
import json, sys, time
import numpy as np
import torch
from embeddings import EmbeddingConfig, train_embedding
torch.set_num_threads(1)
rows, config = np.array(json.loads(sys.argv[1]), dtype=np.int32), EmbeddingConfig(**json.loads(sys.argv[2]))
def slowly(done, most):
    print(done, flush=True)
    time.sleep(0.2)
train_embedding(rows, 100, config, validation=rows[:20], checkpoint=sys.argv[3], checkpoint_seconds=0, progress=slowly)
"""


def config(model: str, **others: object) -> EmbeddingConfig:
    small: dict[str, object] = {"dim": 4, "epochs": 12, "batch_size": 32, "num_negatives": 8, "validate_every": 2}
    return EmbeddingConfig.from_dict({"model": model, "patience": 50, **small, **others})


@pytest.mark.parametrize("model", ["RotatE", "DistMult"])
def test_a_killed_training_goes_on_to_the_same_vectors(model: str, tmp_path: Path) -> None:
    settings, folder = config(model), tmp_path / "checkpoint"
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, json.dumps(ROWS.tolist()), json.dumps(settings.to_dict()), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) == 5:
            break
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    state = json.loads((folder / "document.json").read_text(encoding="utf-8"))
    assert 4 <= state["epoch"] < 12
    seen: list[int] = []
    resumed = train_embedding(
        ROWS,
        100,
        settings,
        validation=ROWS[:20],
        checkpoint=folder,
        progress=lambda done, most: seen.append(done),
    )
    whole = train_embedding(ROWS, 100, settings, validation=ROWS[:20])
    assert seen == list(range(state["epoch"] + 1, 13))
    assert resumed.losses == whole.losses
    np.testing.assert_array_equal(resumed.entity_vectors, whole.entity_vectors)
    np.testing.assert_array_equal(resumed.relation_vectors, whole.relation_vectors)
    assert set(resumed.state) == set(whole.state)


def test_a_checkpoint_of_a_finished_training_gives_its_vectors_at_once(tmp_path: Path) -> None:
    settings = config("TransE", patience=1, validate_every=1, epochs=40)
    first = train_embedding(ROWS, 100, settings, validation=ROWS[:20], checkpoint=tmp_path / "c")
    assert len(first.losses) < 40  # it stopped early
    seen: list[int] = []
    again = train_embedding(
        ROWS,
        100,
        settings,
        validation=ROWS[:20],
        checkpoint=tmp_path / "c",
        progress=lambda done, most: seen.append(done),
    )
    assert seen == []
    np.testing.assert_array_equal(first.entity_vectors, again.entity_vectors)


def test_a_checkpoint_of_another_training_or_with_a_changed_byte_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    train_embedding(ROWS, 100, config("TransE", patience=0), checkpoint=folder)
    with pytest.raises(StoreError, match="Expected a checkpoint of this training"):
        train_embedding(ROWS, 100, config("TransE", patience=0, seed=1), checkpoint=folder)
    with pytest.raises(StoreError, match="Expected a checkpoint of this training"):
        train_embedding(ROWS[:-1], 100, config("TransE", patience=0), checkpoint=folder)
    data = bytearray((folder / "tensors.safetensors").read_bytes())
    data[-5] ^= 1
    (folder / "tensors.safetensors").write_bytes(bytes(data))
    with pytest.raises(StoreError, match="SHA-256"):
        train_embedding(ROWS, 100, config("TransE", patience=0), checkpoint=folder)


def test_trackers_get_losses_and_validation(tmp_path: Path) -> None:
    settings = config("RotatE", epochs=4)
    train_embedding(ROWS, 100, settings, validation=ROWS[:20], trackers={"csv": tmp_path / "track.csv"})
    text = (tmp_path / "track.csv").read_text(encoding="utf-8")
    assert text.count("loss") >= 4
    assert text.count("validation.mrr") == 2
    with pytest.raises(ConfigError, match="the nearest: tensorboard"):
        train_embedding(ROWS, 100, settings, validation=ROWS[:20], trackers={"tensorbord": tmp_path})


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_other_trackers_write_where_they_are_told_to(name: str, tmp_path: Path) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed (extra track)")
    code = (
        "import sys, numpy as np; from embeddings import EmbeddingConfig, train_embedding\n"
        "rows = np.array([[i, 20, (i + 1) % 9] for i in range(9)])\n"
        "config = EmbeddingConfig(dim=2, epochs=2, num_negatives=2)\n"
        "train_embedding(rows, 30, config, trackers={sys.argv[1]: sys.argv[2]})"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    began = time.time()
    subprocess.run(
        [sys.executable, "-c", code, name, str(tmp_path / "logs")], check=True, env=environment, cwd=tmp_path
    )
    made = [path for path in (tmp_path / "logs").rglob("*") if path.is_file()]
    assert made
    assert all(path.stat().st_mtime >= began - 1 for path in made)
