"""A benchmark folder from the command line: several seeds, a given test file, kept and taken up again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from embeddings import EmbeddingConfig
from kg.errors import ConfigError, InputError, MissingFileError
from pipelines.benchmark import load_config, run_benchmark
from pipelines.cli import app
from pipelines.search import toml_of

ROOT = Path(__file__).parents[1]
TRAIN = [(f"e{i}", f"r{k}", f"e{(i + 2**k) % 16}") for i in range(16) for k in range(3)]
SMALL = '[embedding]\nmodel = "TransE"\ndim = 4\nepochs = 3\nbatch_size = 16\nnum_negatives = 8\n'


def benchmark(path: Path) -> Path:
    path.mkdir()
    held_out = [("e0", "r0", "e2"), ("e1", "r1", "unseen")]
    for name, rows in (("train", TRAIN), ("valid", held_out), ("other", TRAIN[:4])):
        (path / f"{name}.txt").write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    (path / "config.toml").write_text(SMALL, encoding="utf-8")
    return path


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["embed", *arguments])


def test_figures_of_several_seeds_with_their_spread(tmp_path: Path) -> None:
    home = benchmark(tmp_path / "b")
    out = tmp_path / "out"
    options = ("--benchmark", str(home), "--config", str(home / "config.toml"), "--run", str(out))
    done = run(*options, "--test", str(home / "other.txt"), "--seeds", "2", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert [r["seed"] for r in report["runs"]] == [0, 1]
    valid, test = report["parts"]["valid"], report["parts"]["test"]
    assert (valid["triples"], valid["unseen"], test["triples"], test["unseen"]) == (2, 1, 4, 0)
    of_seeds = [r["test"]["overall"]["mrr"] for r in report["runs"]]
    assert test["mrr"]["mean"] == pytest.approx(sum(of_seeds) / 2)
    assert test["mrr"]["sd"] == pytest.approx(abs(of_seeds[0] - of_seeds[1]) / 2**0.5)
    assert valid["mrr_of_all"]["mean"] == pytest.approx(valid["mrr"]["mean"] / 2)
    assert json.loads((out / "benchmark.json").read_text(encoding="utf-8")) == report
    assert sorted(path.name for path in (out / "seed-0").iterdir()) == ["embedding", "track.csv"]
    written = (out / "seed-0" / "embedding" / "manifest.json").stat().st_mtime_ns
    again = run(*options, "--seeds", "2")
    assert again.exit_code == 0
    assert "valid (2 triples, 1 of them with untrained terms)" in again.stdout
    assert (out / "seed-0" / "embedding" / "manifest.json").stat().st_mtime_ns == written  # taken up, not trained


def test_an_embedding_of_another_configuration_is_not_taken_up(tmp_path: Path) -> None:
    home = benchmark(tmp_path / "b")
    config = load_config(home / "config.toml")
    run_benchmark(home, config, seeds=[0], out=tmp_path / "out")
    with pytest.raises(ConfigError, match="name another folder"):
        run_benchmark(home, EmbeddingConfig(dim=5, epochs=1), seeds=[0], out=tmp_path / "out")


def test_a_search_leaves_settings_that_a_training_takes(tmp_path: Path) -> None:
    home, out = benchmark(tmp_path / "b"), tmp_path / "out"
    (tmp_path / "ranges.toml").write_text("[search]\nlearning_rate = { low = 0.001, high = 0.5, log = true }\n")
    options = [
        "--benchmark",
        str(home),
        "--config",
        str(home / "config.toml"),
        "--search",
        str(tmp_path / "ranges.toml"),
    ]
    assert run(*options).exit_code == 2  # no --run
    done = run(*options, "--run", str(out), "--trials", "2", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert json.loads((out / "search.json").read_text(encoding="utf-8")) == report
    best = load_config(out / "best.toml")
    assert best.to_dict() == report["best"]
    assert best.learning_rate in {trial["settings"]["learning_rate"] for trial in report["trials"]}
    again = run(*options, "--run", str(out), "--trials", "2")
    assert again.stdout.startswith(f"validation MRR {report['mrr']:.3f} is the best of 2 trials (2 complete")


def test_a_configuration_is_the_same_after_its_toml(tmp_path: Path) -> None:
    config = EmbeddingConfig(
        model="DistMult",
        learning_rate=1e-05,
        num_negatives=3,
        subsampling=True,
        loss="bcewithlogits",
        model_options={"a key": [1, 2.5, {"b": 'c"\n'}]},
    )
    (tmp_path / "c.toml").write_text(toml_of(config, "two\nlines"), encoding="utf-8")
    assert load_config(tmp_path / "c.toml") == config


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    home = benchmark(tmp_path / "b")
    (home / "valid.txt").unlink()
    with pytest.raises(InputError, match="Expected validation or test triples"):
        run_benchmark(home, EmbeddingConfig(epochs=1, dim=2), seeds=[0])
    (home / "valid.txt").write_text("e0\tr0\te2\n", encoding="utf-8")
    with pytest.raises(InputError, match="graph without numeric literals has no use for a literal model"):
        run_benchmark(home, EmbeddingConfig(model="DistMultLiteral", epochs=1, dim=2), seeds=[0])
    with pytest.raises(MissingFileError, match="Expected a configuration as TOML"):
        load_config(tmp_path / "none.toml")
    for text, kind, message in (
        ("dim = 3\n", InputError, r"bad\.toml: Expected one table"),
        ("[embedding\n", InputError, r"bad\.toml: Expected TOML"),
        ("[embedding]\ndmi = 3\n", ConfigError, r"bad\.toml: .*the nearest: dim"),
    ):
        (tmp_path / "bad.toml").write_text(text, encoding="utf-8")
        with pytest.raises(kind, match=message):
            load_config(tmp_path / "bad.toml")
    assert run("--benchmark", str(home), str(home)).exit_code == 2
    assert run(str(home), "--test", "x").exit_code == 2


@pytest.mark.parametrize("path", sorted((ROOT / "data" / "configs").glob("*.toml")), ids=lambda p: p.name)
def test_each_configuration_is_read_and_gives_a_reason_for_each_line(path: Path) -> None:
    load_config(path)
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "=" in line and not line.startswith("#")]
    assert lines
    assert [line for line in lines if "#" not in line] == []
