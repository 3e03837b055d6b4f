"""action.yml and .pre-commit-hooks.yaml: they parse, and name commands and options that there are."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml  # type: ignore[import-untyped]  # its types are a package of their own

from pipelines.cli import app

ROOT = Path(__file__).parents[1]
NEEDED = {"--report", "--against", "--only-new"}


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def options() -> set[str]:
    """The options of `noesis audit`."""
    command = typer.main.get_command(app).commands["audit"]  # type: ignore[attr-defined]  # a group has them
    return {option for parameter in command.params for option in parameter.opts if option.startswith("--")}


def steps() -> dict[str, Any]:
    found = read("action.yml")["runs"]
    assert found["using"] == "composite"
    return {step.get("name", step.get("uses")): step for step in found["steps"]}


def test_the_hook_runs_an_audit_with_options_that_there_are() -> None:
    (hook,) = read(".pre-commit-hooks.yaml")
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert hook["entry"].split() == ["noesis", "audit"]
    assert {arg for arg in hook["args"] if arg.startswith("--")} <= options()
    assert hook["pass_filenames"] is False
    pattern = re.compile(hook["files"])
    assert [name for name in ("a.ttl", "b/c.srl", "d.py", "e.md") if pattern.search(name)] == ["a.ttl", "b/c.srl"]


def test_the_action_runs_an_audit_with_options_that_there_are() -> None:
    used = set(re.findall(r"(?<=[\s(])--[a-z][a-z-]*", steps()["Audit"]["run"]))
    assert used == {"--fail-on", "--limit", *NEEDED}
    assert used <= options()


def test_inputs_of_the_action_never_become_text_of_a_script() -> None:
    action = read("action.yml")
    assert set(action["inputs"]) == {"folder", "fail-on", "against", "version", "upload"}
    assert all(each["description"] for each in action["inputs"].values())
    scripts = [step["run"] for step in steps().values() if "run" in step]
    assert [script for script in scripts if "${{" in script] == []
    assert all(step["shell"] == "bash" for step in steps().values() if "run" in step)


def test_the_upload_follows_a_failing_audit_where_a_report_was_written() -> None:
    upload = steps()["Upload"]
    assert upload["uses"].startswith("github/codeql-action/upload-sarif@")
    assert "always()" in upload["if"]
    assert "steps.audit.outputs.written == 'true'" in upload["if"]
    assert upload["with"]["sarif_file"] == steps()["Audit"]["env"]["SARIF"]


@pytest.mark.parametrize("code", [0, 1])
def test_the_script_passes_inputs_whole_and_keeps_the_exit_code(code: int, tmp_path: Path) -> None:
    """The script under bash, with a `noesis` that notes its arguments, writes the reports and exits as told."""
    command = tmp_path / "bin" / "noesis"
    command.parent.mkdir()
    command.write_text(
        f'#!/bin/bash\nprintf "%s\\n" "$@" > {shlex.quote(str(tmp_path / "arguments"))}\n'
        f'touch "$SARIF"; echo "# told" > "$SUMMARY"; exit {code}\n'
    )
    command.chmod(0o755)
    names = {
        name: str(tmp_path / name.lower()) for name in ("SARIF", "SUMMARY", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
    }
    inputs = {"FOLDER": "my data\n\n$(touch x);y\n", "FAIL_ON": "warning; exit 7", "AGAINST": "old one"}
    environment = {"PATH": f"{command.parent}:{os.environ['PATH']}", **names, **inputs}
    script = steps()["Audit"]["run"]
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script], env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == code
    assert (tmp_path / "arguments").read_text().splitlines() == [
        *("audit", "--fail-on", "warning; exit 7", "--against", "old one", "--only-new", "--limit", "5000"),
        *("--report", names["SARIF"], "--report", names["SUMMARY"], "--", "my data", "$(touch x);y"),
    ]
    assert (tmp_path / "github_step_summary").read_text() == "# told\n"
    assert (tmp_path / "github_output").read_text() == f"sarif={names['SARIF']}\nwritten=true\n"
    assert not (tmp_path / "x").exists()
