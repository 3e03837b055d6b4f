"""What answers the examples of a task: the contract of every method and of its controls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from kg.errors import ConfigError
from pipelines.tasks.example import Example

if TYPE_CHECKING:
    from engine.symbolic import Proof, RuleSet
    from kg.graph import KnowledgeGraph
    from kg.terms import Triple

__all__ = ["CONTROLS", "Answer", "Control", "Fit", "Method", "Route", "Theory", "check_settings"]

Control: TypeAlias = Literal["full", "text only", "graph only", "shuffled graph", "no rules", "edge counter"]
CONTROLS: tuple[Control, ...] = ("full", "text only", "graph only", "shuffled graph", "no rules", "edge counter")
"""The method as it is, and what it is held against: each leaves out one source of its answers."""
Route: TypeAlias = Literal["proved", "refuted", "predicted", "abstained"]


class Theory(NamedTuple):
    """What a proof about one example may rest on."""

    graph: KnowledgeGraph
    """Its asserted triples are the leaves of proofs."""
    rules: RuleSet
    """Each step applies one of these."""
    assumed: tuple[Triple, ...] = ()
    """Claims that a refutation may take for granted."""


@dataclass(frozen=True)
class Answer:
    """The answer to one example.

    Args:
        choices: the answers given, best first where there may be several; one for all but entity answers.
        probability: that it is right, in [0, 1], calibrated on development examples where the method was fitted.
        route: how it was come by; a score never makes a prediction a proof.
        proof: of the answer or against it, where the route is proved or refuted.
        sentences: numbers of the sentences of the passage it rests on.
        scores: of each choice, where the method has them.
        theory: what the proof may rest on, for those who check it; None where the method does not tell.
    """

    choices: tuple[str, ...]
    probability: float
    route: Route = "predicted"
    proof: Proof | None = None
    sentences: tuple[int, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    theory: Theory | None = field(default=None, repr=False, compare=False)


class Method(Protocol):
    """Answers examples."""

    def answer(self, examples: Sequence[Example]) -> list[Answer]:
        """One answer an example, in their order; `answers` and `supervision` of an example are never read."""


class Fit(Protocol):
    """Learns a method; each method's module has one under the name `fit`."""

    def __call__(
        self,
        train: Sequence[Example],
        dev: Sequence[Example],
        *,
        control: Control,
        seed: int,
        settings: Mapping[str, Any],
    ) -> Method:
        """The method, trained on `train`, calibrated on `dev`.

        Raises:
            NotSupportedError: the method has no such control; the message lists those it has.
        """


def check_settings(settings: Mapping[str, Any], known: Iterable[str], *, needed: Sequence[str] = ()) -> None:
    """Refuse settings of a method that it does not have, or the lack of those that it needs.

    Raises:
        ConfigError: the message lists those it has.
    """
    names = list(known)
    if set(settings) - set(names) or set(needed) - set(settings):
        least = f", {', '.join(map(repr, needed))} at least" if needed else ""
        raise ConfigError(
            f"Expected settings of {', '.join(names)}{least} (got {', '.join(sorted(settings)) or 'none'})"
        )
