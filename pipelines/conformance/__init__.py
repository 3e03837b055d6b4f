"""Running the public conformance suites: `run_suites` reads a folder of them and gives a result for each case."""

from __future__ import annotations

from pipelines.conformance.case import CaseResult, Outcome
from pipelines.conformance.run import run_suites

__all__ = ["CaseResult", "Outcome", "run_suites"]
