"""The verdict: what the graph and its rules say of a claim, with the evidence for it.

    Verdict = Entailed | Contradicted | Unproven | Unknown

The four are frozen values, so `match` takes them apart:

    match reasoner.ask("Fluconazole interacts with warfarin."):
        case Entailed(proof=proof): …
        case Contradicted(refutation=refutation): …
        case Unproven(plausibility=p): …
        case Unknown(reason=reason): …

A claim that denies its triple ("aspirin does not treat asthma") turns the first two round: it is entailed when the
triple is contradicted. Which of the four it is comes from the symbolic side alone; a model's score only ever fills
`Unproven.plausibility`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from engine.claim import Claim

if TYPE_CHECKING:
    from engine.symbolic import Proof, Violation
    from kg.graph import KnowledgeGraph
    from kg.subgraph import Subgraph

__all__ = ["Contradicted", "Entailed", "Reason", "Unknown", "Unproven", "Verdict"]


class Reason(Enum):
    """Why a verdict is unknown; the value is the sentence shown."""

    TERM_NOT_IN_GRAPH = "a term of the claim is neither in the graph nor in the rules"
    INVALID_TRIPLE = "the claim is no RDF triple"
    MENTION_NOT_LINKED = "a name in the text is not the name of anything in the graph"
    MENTION_AMBIGUOUS = "a name in the text fits several things in the graph about equally well"
    TOO_FEW_MENTIONS = "fewer than two things of the graph are named in the text"
    RELATION_NOT_RECOGNISED = "the text does not state a relation that the graph knows"
    TEXT_TOO_LONG = "the text is longer than the encoder takes"
    EMPTY_TEXT = "there is no text"
    INCOMPLETE_CLOSURE = "the closure is incomplete because a budget ran out"
    BUDGET = "a budget ran out while the claim was checked"
    MALFORMED_AXIOM = "with the claim, a list-valued axiom of the schema cannot be read"
    NOT_STRATIFIABLE = "with the claim, a rule depends on its own result through NOT"


@dataclass(frozen=True)
class _Verdict:
    claim: Claim

    word: ClassVar[str]

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from kg.notebook import box, preformatted

        return box(self.headline(), preformatted("\n".join(self.text().split("\n")[1:])))

    def headline(self) -> str:
        """The verdict in one line, without its evidence."""
        return f"{self.word.capitalize()}: {self.claim.sentence()}"

    def text(self) -> str:
        """The verdict as a sentence, how the claim was read where it came as text, and the evidence in words."""
        reading = self.claim.reading() if self.claim.text else ""
        lines = [self.headline(), f"  read as: {reading}" if reading else "", self.evidence()]
        return "\n".join(line for line in lines if line)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: verdict, claim, sentence, and the evidence."""
        return {"verdict": self.word, "sentence": self.headline(), "claim": self.claim.to_dict(), **self._details()}

    def evidence(self) -> str:
        """What the verdict rests on, in words, indented; one line a step."""
        return ""

    def _details(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Entailed(_Verdict):
    """The claim follows from graph and rules.

    Args:
        proof: a proof of the triple down to asserted triples; of a claim that denies its triple, the refutation.
        disputed_by: violations of the graph itself whose proofs share a premise with this one.
    """

    proof: Proof
    disputed_by: tuple[Violation, ...] = ()
    graph: KnowledgeGraph | None = field(default=None, repr=False, compare=False)

    word: ClassVar[str] = "entailed"

    def evidence(self) -> str:
        assert self.graph is not None
        lines = [_indented(self.proof.text(self.graph))]
        lines += [f"  shares a premise with a violation: {violation.message}" for violation in self.disputed_by]
        return "\n".join(lines)

    def _details(self) -> dict[str, Any]:
        assert self.graph is not None
        return {
            "proof": self.proof.to_dict(self.graph),
            "disputed_by": [violation.message for violation in self.disputed_by],
        }


@dataclass(frozen=True)
class Contradicted(_Verdict):
    """The claim, added to the graph, breaks a constraint that the graph alone does not break.

    Args:
        refutation: a proof of the violation with the claim among its leaves; of a claim that denies its triple, the
            proof of that triple.
    """

    refutation: Proof
    graph: KnowledgeGraph | None = field(default=None, repr=False, compare=False)

    word: ClassVar[str] = "contradicted"

    def evidence(self) -> str:
        assert self.graph is not None
        return _indented(self.refutation.text(self.graph))

    def _details(self) -> dict[str, Any]:
        assert self.graph is not None
        return {"refutation": self.refutation.to_dict(self.graph)}


@dataclass(frozen=True)
class Unproven(_Verdict):
    """The claim is consistent with what is known, and does not follow from it.

    Args:
        plausibility: calibrated, in [0, 1]; None where no model was given or it cannot score this claim.
        subgraph: the grounded subgraph the model saw, None where none was asked for.
        note: why there is no plausibility, else empty.
    """

    plausibility: float | None = None
    subgraph: Subgraph | None = field(default=None, repr=False, compare=False)
    note: str = ""

    word: ClassVar[str] = "unproven"

    def headline(self) -> str:
        """The verdict in one line, with the plausibility if there is one."""
        scored = "" if self.plausibility is None else f" (plausibility {self.plausibility:.2f})"
        return super().headline() + scored

    def evidence(self) -> str:
        lines = "  Neither this nor its contrary follows from the graph and its rules."
        return f"{lines} {self.note}".rstrip()

    def _details(self) -> dict[str, Any]:
        seen = None if self.subgraph is None else {"nodes": len(self.subgraph.nodes), "edges": len(self.subgraph.head)}
        return {"plausibility": self.plausibility, "subgraph": seen, "note": self.note}


@dataclass(frozen=True)
class Unknown(_Verdict):
    """The symbolic side cannot say.

    Args:
        reason: which of the known causes. detail: the name, term or number it is about.
    """

    reason: Reason
    detail: str = ""

    word: ClassVar[str] = "unknown"

    def evidence(self) -> str:
        return f"  {self.reason.value}" + (f": {self.detail}" if self.detail else "")

    def _details(self) -> dict[str, Any]:
        return {"reason": self.reason.name, "detail": self.detail}


Verdict: TypeAlias = Entailed | Contradicted | Unproven | Unknown


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
