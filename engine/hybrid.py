"""The reasoner: link, form, check, and score only what stays unproven.

The order is the promise. A claim's triple is checked against the closure first; the answer decides which verdict it
is. Only an `Unproven` verdict is then given a plausibility by a scorer, and no scorer can turn it into another.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from rdflib.term import Node

from engine.audit import AuditReport, audit
from engine.claim import Claim
from engine.symbolic import Closure, Judgement, Proof, Status, check
from engine.verdict import Contradicted, Entailed, Reason, Unknown, Unproven, Verdict
from kg.errors import InputError, LimitError, UnknownTermError
from kg.query import Table, select
from kg.subgraph import Subgraph, ground
from kg.terms import Triple
from kg.verbalise import verbalise

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.formation import ClaimFormer, Formation

__all__ = ["PlausibilityScorer", "Reasoner"]


class PlausibilityScorer(Protocol):
    """What a model has to offer to the reasoner."""

    def plausibility(
        self, texts: Sequence[str], triples: Sequence[tuple[int, int, int]]
    ) -> Sequence[float] | NDArray[np.float64]:
        """Calibrated plausibility in [0, 1] of each triple (term ids), read with a text that asserts it.

        Raises:
            InputError: a text is longer than the model takes.
        """
        ...


class Reasoner:
    """Answers claims about one closure with verdicts.

    Args:
        closure: the graph closed under its rules.
        former: reads triples from text; None answers triples only.
        scorer: gives the plausibility of unproven claims; None leaves it out.
    """

    def __init__(
        self, closure: Closure, *, former: ClaimFormer | None = None, scorer: PlausibilityScorer | None = None
    ) -> None:
        self.closure, self.former, self.scorer = closure, former, scorer
        self.graph = closure.graph

    def ask(self, text: str) -> Verdict:
        """The verdict on a claim in words."""
        return self.ask_many([text])[0]

    def ask_many(self, texts: Sequence[str]) -> list[Verdict]:
        """The verdict on each of several claims in words; their triples are checked together."""
        read = [self._read(text) for text in texts]
        claims = [claim for claim in read if isinstance(claim, Claim)]
        decided = iter(self._decide(claims))
        return [next(decided) if isinstance(found, Claim) else found for found in read]

    def check(self, triple: Sequence[str | Node], *, positive: bool = True) -> Verdict:
        """The verdict on a triple of terms or compact names (`"med:warfarin"`); `positive=False` denies it."""
        return self.check_many([triple], positive=positive)[0]

    def check_many(self, triples: Iterable[Sequence[str | Node]], *, positive: bool = True) -> list[Verdict]:
        """The verdict on each of many triples, decided together.

        Raises:
            ValueError: an entry is no triple of three terms.
        """
        verdicts: list[Verdict | None] = []
        claims: list[Claim] = []
        for triple in triples:
            if len(triple) != 3:
                raise ValueError(f"Expected a triple of subject, predicate and object (got {len(triple)} parts)")
            try:
                s, p, o = (self.graph.term(part) for part in triple)
            except UnknownTermError as error:
                shown = Claim(None, positive, text=" ".join(map(str, triple)))
                verdicts.append(Unknown(shown, Reason.TERM_NOT_IN_GRAPH, str(error)))
                continue
            claims.append(Claim(Triple(s, p, o), positive, graph=self.graph))
            verdicts.append(None)
        decided = iter(self._decide(claims))
        return [next(decided) if verdict is None else verdict for verdict in verdicts]

    def select(self, query: str) -> Table:
        """The answer of a SPARQL SELECT over asserted and inferred triples."""
        return select(self.graph, query)

    def audit(self) -> AuditReport:
        """All violations of the graph, with proofs."""
        return audit(self.closure)

    def proof(self, triple: Sequence[str | Node]) -> Proof:
        """A proof of a triple of the closure.

        Raises:
            UnknownTermError: the triple is not in the closure.
        """
        s, p, o = (self.graph.term(part) for part in triple)
        return self.closure.proof(Triple(s, p, o))

    # Text -> claim ----------------------------------------------------------------------------------------------

    def _read(self, text: str) -> Claim | Unknown:
        """The claim a text makes, or why there is none."""
        blank = Claim(None, text=text)
        if not text.strip():
            return Unknown(blank, Reason.EMPTY_TEXT)
        if self.former is None:
            return Unknown(blank, Reason.RELATION_NOT_RECOGNISED, "this reasoner was made without a claim former")
        try:
            formation = self.former.form(text)
        except LimitError as error:
            return Unknown(blank, Reason.TEXT_TOO_LONG, str(error))
        problem = self._problem(formation)
        if problem is not None:
            return Unknown(replace(blank, candidates=formation.candidates), *problem)
        best = formation.candidates[0]
        return Claim(best.triple, best.positive, text, formation.candidates, self.graph)

    def _problem(self, formation: Formation) -> tuple[Reason, str] | None:
        """Why no claim can be read from what was formed, or None."""
        candidates, mentions = formation.candidates, formation.mentions
        if formation.unlinked:
            return Reason.MENTION_NOT_LINKED, ", ".join(formation.unlinked)
        if not candidates:
            if len(mentions) < 2:
                return Reason.TOO_FEW_MENTIONS, ", ".join(m.text for m in mentions)
            return Reason.RELATION_NOT_RECOGNISED, ", ".join(m.text for m in mentions)
        best = candidates[0]
        assert self.former is not None
        for other in candidates[1:]:
            near = best.score - other.score < self.former.settings.ambiguity_margin / 4
            differ = {best.triple.subject, best.triple.object} ^ {other.triple.subject, other.triple.object}
            if near and len(differ) == 2 and len({self.graph.label(term) for term in differ}) == 1:
                return Reason.MENTION_AMBIGUOUS, ", ".join(sorted(self.graph.curie(term) for term in differ))
        return None

    # Claim -> verdict -------------------------------------------------------------------------------------------

    def _decide(self, claims: Sequence[Claim]) -> list[Verdict]:
        triples = [claim.triple for claim in claims if claim.triple is not None]
        judged = check(self.closure, triples)
        verdicts = [self._verdict(claim, found) for claim, found in zip(claims, judged, strict=True)]
        open_claims = [i for i, verdict in enumerate(verdicts) if isinstance(verdict, Unproven)]
        for i, scored in zip(open_claims, self._scored([claims[i] for i in open_claims]), strict=True):
            verdicts[i] = scored
        return verdicts

    def _verdict(self, claim: Claim, found: Judgement) -> Verdict:
        """The verdict on a claim from the judgement of its triple; a denial turns entailed and contradicted round."""
        if found.status is Status.ENTAILED:
            assert found.proof is not None
            if claim.positive:
                return Entailed(claim, found.proof, found.disputed_by, self.graph)
            return Contradicted(claim, found.proof, self.graph)
        if found.status is Status.CONTRADICTED:
            assert found.refutation is not None
            if claim.positive:
                return Contradicted(claim, found.refutation, self.graph)
            return Entailed(claim, found.refutation, (), self.graph)
        if found.status is Status.UNPROVEN:
            return Unproven(claim)
        assert found.reason is not None
        return Unknown(claim, Reason[found.reason.name], found.detail)

    def _scored(self, claims: Sequence[Claim]) -> list[Unproven]:
        """Unproven verdicts with what the scorer says of them; a score that is no number in [0, 1] is left out."""
        grounded = [self._ground(claim) for claim in claims]
        if self.scorer is None or not claims:
            return [Unproven(claim, subgraph=seen) for claim, seen in zip(claims, grounded, strict=True)]
        made = []
        for claim, seen in zip(claims, grounded, strict=True):
            ids = None if claim.triple is None else self.graph.encode(claim.triple)
            if ids is None or claim.triple is None:
                made.append(Unproven(claim, subgraph=seen, note="A term of the claim was never seen by the model."))
                continue
            text = claim.text if claim.positive and claim.text else verbalise(self.graph, claim.triple)
            try:
                score = float(self.scorer.plausibility([text], [ids])[0])
            except InputError as error:
                made.append(Unproven(claim, subgraph=seen, note=str(error)))
                continue
            valid = math.isfinite(score) and 0.0 <= score <= 1.0
            value = (score if claim.positive else 1.0 - score) if valid else None
            made.append(Unproven(claim, value, seen, "" if valid else "The model gave no valid plausibility."))
        return made

    def _ground(self, claim: Claim) -> Subgraph | None:
        ids = None if claim.triple is None else self.graph.encode(claim.triple)
        if ids is None:
            return None
        s, p, o = ids
        return ground(self.graph, [s, o], without=(s, p, o))
