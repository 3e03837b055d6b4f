"""What `check` says of a claim: a status, why it is unknown if it is, and the evidence, made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from engine.symbolic.closure import Closure
from engine.symbolic.constraints import Violation
from engine.symbolic.proof import Proof
from kg.graph import KnowledgeGraph
from kg.terms import Triple

__all__ = ["Judgement", "Reason", "Status"]


class Status(Enum):
    """What the rules say of a claim. `code` is its number in the arrays of `check_ids`."""

    ENTAILED = "entailed"
    CONTRADICTED = "contradicted"
    UNPROVEN = "unproven"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value

    @property
    def code(self) -> int:
        """0 entailed, 1 contradicted, 2 unproven, 3 unknown; `tuple(Status)[code]` is the status again."""
        return _CODES[self]


_CODES = {status: code for code, status in enumerate(Status)}


class Reason(Enum):
    """Why a claim's status is unknown."""

    TERM_NOT_IN_GRAPH = "a term is neither in the graph nor in the rules"
    INVALID_TRIPLE = "the claim is no RDF triple"
    BUDGET = "the budget ran out while the claim was checked"
    INCOMPLETE_CLOSURE = "the closure is incomplete"
    MALFORMED_AXIOM = "with the claim, a list-valued axiom of the schema cannot be read"
    NOT_STRATIFIABLE = "with the claim, a rule depends on its own result through NOT"

    def __str__(self) -> str:
        return self.value


def _none() -> tuple[Violation, ...]:
    return ()


@dataclass(frozen=True, eq=False)
class Judgement:
    """The status of a claim and its evidence. Violations and proofs are made when they are first asked for.

    Args:
        claim: the triple that was checked.
        status: entailed, contradicted, unproven or unknown.
        closure: what it was checked against.
        reason: why it is unknown; None otherwise. detail: the same in words, with names.
        find_violations: gives `violations`.
    """

    claim: Triple
    status: Status
    closure: Closure = field(repr=False)
    reason: Reason | None = None
    detail: str = ""
    find_violations: Callable[[], tuple[Violation, ...]] = field(default=_none, repr=False)

    @cached_property
    def violations(self) -> tuple[Violation, ...]:
        """What the claim would break that is not broken already, worst first.

        Not empty where the claim is contradicted, and warnings at most where it is unproven.
        """
        return self.find_violations()

    @cached_property
    def proof(self) -> Proof | None:
        """The proof of an entailed claim, None for any other."""
        return self.closure.proof(self.claim) if self.status is Status.ENTAILED else None

    @property
    def refutation(self) -> Proof | None:
        """The proof of FALSE from a contradicted claim, which is among its leaves; None for any other.

        Only where the claim takes away what a NOT rests on can the proof do without the claim as a leaf.
        """
        return self.violations[0].proof if self.status is Status.CONTRADICTED else None

    @cached_property
    def disputed_by(self) -> tuple[Violation, ...]:
        """Of an entailed claim, the violations that share a premise with its proof (see `Closure.disputes`)."""
        return self.closure.disputes(self.proof) if self.proof is not None and self.closure.violations else ()

    def __repr__(self) -> str:
        return f"Judgement({self})"

    def __str__(self) -> str:
        because = self.detail or (str(self.violations[0]) if self.violations else "")
        return f"{self.claim}: {self.status}" + (f" ({because})" if because else "")

    def to_dict(self, graph: KnowledgeGraph) -> dict[str, Any]:
        """The judgement with its evidence as JSON-ready values."""
        return {
            "claim": [graph.curie(term) for term in self.claim],
            "status": str(self.status),
            "reason": self.reason and self.reason.name,
            "detail": self.detail,
            "proof": self.proof and self.proof.to_dict(graph),
            "violations": [violation.to_dict(graph) for violation in self.violations],
            "disputed_by": [violation.to_dict(graph) for violation in self.disputed_by],
        }
