"""The suites of a folder, each by its own module, and what came out of them as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kg.errors import MissingFileError
from pipelines.conformance.case import CaseResult, Outcome

__all__ = ["describe", "run_suites", "table_lines", "tables"]

RUNNERS = {
    "sparql-rl": ("pipelines.conformance.sparql_rl", "run_sparql_rl"),
    "owl2-rl": ("pipelines.conformance.owl2_rl", "run_owl2_rl"),
    "rdf-mt": ("pipelines.conformance.rdf_mt", "run_rdf_mt"),
}
"""Subfolder to the module and function that runs the suite in it."""


def run_suites(folder: Path) -> list[CaseResult]:
    """The result of every case of the suites in the folder, suite by suite.

    Raises:
        MissingFileError: the folder has none of the suites.
    """
    found = [name for name in RUNNERS if (folder / name).is_dir()]
    if not found:
        wanted = f"Expected a folder with {', '.join(RUNNERS)} or some of them"
        raise MissingFileError(f"{wanted} (got {folder}, which has none)", file=str(folder))
    return [result for name in found for result in _run(name, folder / name)]


def _run(name: str, folder: Path) -> list[CaseResult]:
    module, function = RUNNERS[name]
    if find_spec(module) is None:
        return [CaseResult(name, "the whole suite", "all", Outcome.OUTSIDE, f"there is no {module} to run it")]
    runner: Callable[[Path], list[CaseResult]] = getattr(import_module(module), function)
    return runner(folder)


def tables(results: Sequence[CaseResult]) -> dict[str, dict[str, dict[Outcome, int]]]:
    """How many cases of each kind had each outcome, by suite and kind; the kind "all" has the suite's sums."""
    found: dict[str, dict[str, dict[Outcome, int]]] = {}
    for suite in dict.fromkeys(result.suite for result in results):
        mine = [result for result in results if result.suite == suite]
        kinds = {kind: [r for r in mine if r.kind == kind] for kind in dict.fromkeys(r.kind for r in mine)}
        found[suite] = {kind: dict(Counter(r.outcome for r in of)) for kind, of in {**kinds, "all": mine}.items()}
    return found


def describe(results: Sequence[CaseResult]) -> dict[str, Any]:
    """The tables and all cases that did not pass, as JSON-ready values."""
    return {
        "suites": {
            suite: {
                kind: {str(outcome): counts.get(outcome, 0) for outcome in Outcome} for kind, counts in table.items()
            }
            for suite, table in tables(results).items()
        },
        "cases": [
            {"suite": r.suite, "kind": r.kind, "name": r.name, "outcome": str(r.outcome), "reason": r.reason}
            for r in results
            if r.outcome is not Outcome.PASSED
        ],
    }


def table_lines(results: Sequence[CaseResult]) -> Iterator[str]:
    """A table for each suite, then its failures, and what is outside it, with their reasons."""
    for suite, table in tables(results).items():
        width = max(map(len, table))
        yield f"{suite:<{width}}  {'  '.join(map(str, Outcome))}"
        for kind, counts in table.items():
            figures = "  ".join(f"{counts.get(outcome, 0):>{len(str(outcome))}}" for outcome in Outcome)
            yield f"{kind:<{width}}  {figures}"
        for outcome in (Outcome.FAILED, Outcome.OUTSIDE):
            for result in results:
                if result.suite == suite and result.outcome is outcome:
                    yield f"{outcome}: {result.kind}, {result.name}: {result.reason}"
        yield ""
