"""The SPARQL-RL draft's test suite, each given case by the runner of `noesis conformance`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from pipelines.conformance import CaseResult, Outcome
from pipelines.conformance.sparql_rl import run_sparql_rl

SUITE = Path(__file__).parents[2] / "shared" / "suites" / "sparql-rl"
pytestmark = pytest.mark.skipif(not SUITE.exists(), reason="the draft's test suite is not beside this checkout")


@cache
def results() -> tuple[CaseResult, ...]:
    return tuple(run_sparql_rl(SUITE))


def test_the_given_cases_of_every_manifest_are_found() -> None:
    given = [result.kind for result in results() if result.outcome is not Outcome.NOT_GIVEN]
    least = {
        "eval": 19,
        "eval2": 2,
        "examples": 5,
        "stratification positive": 4,
        "stratification negative": 5,
        "syntax positive": 79,
        "syntax negative": 22,
    }
    assert {kind: given.count(kind) for kind in least} == least


def test_every_given_case_passes() -> None:
    assert [result for result in results() if result.outcome in (Outcome.FAILED, Outcome.OUTSIDE)] == []
