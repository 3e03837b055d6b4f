"""What a conformance case came to: the one value that every suite's runner gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["CaseResult", "Outcome"]


class Outcome(Enum):
    """How a case ended.

    OUTSIDE is a case that the supported regimes do not cover, or that contradicts its own suite; NOT_GIVEN one of
    whose files are not in the folder. Both carry a reason.
    """

    PASSED = "passed"
    FAILED = "failed"
    OUTSIDE = "outside"
    NOT_GIVEN = "not given"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class CaseResult:
    """One case of a suite.

    Args:
        suite: the suite's folder name, "sparql-rl". name: the case's name, unique in its suite and kind.
        kind: what is tested, in the suite's own words ("eval", "syntax negative", "PositiveEntailmentTest").
        outcome: how it ended. reason: why, for anything but a pass.
    """

    suite: str
    name: str
    kind: str
    outcome: Outcome
    reason: str = ""
