"""`check`: is a claim entailed, contradicted, unproven or unknown? One claim or a hundred thousand.

With M the closure and c the claim: *entailed* if c is in M; *contradicted* if M and c, closed again, have a violation
of severity `sh:Violation` that M has not; *unproven* if neither; *unknown* where that cannot be told, with a reason.

Each claim is a world of its own, and all worlds of a chunk are closed together, continued from M (`worlds`). Claims are
additions, so without NOT nothing of M is taken back. Where a claim does more than add, by making a NOT fail that M
rests on or by changing the schema, its world is closed afresh from the asserted triples and the claim; the
verdict is always the one a fresh closure gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, partial
from typing import Any, cast

import numpy as np
from rdflib import BNode, Literal, URIRef
from rdflib.term import Node

from engine.symbolic.closure import Closure, close, violations_of
from engine.symbolic.compile import CompiledRule
from engine.symbolic.constraints import Broken, Violation, in_order, violation_of
from engine.symbolic.fixpoint import Budget, Exhausted, strata_of
from engine.symbolic.justify import Ids, Prover, WorldProver
from engine.symbolic.overlay import Overlay
from engine.symbolic.proof import Proof
from engine.symbolic.rules import Severity
from engine.symbolic.worlds import Worlds
from kg.errors import LimitError, RuleError, StratificationError
from kg.graph import KnowledgeGraph
from kg.terms import Triple

__all__ = ["Judgement", "Reason", "Status", "check"]

CHUNK = 2048
"""Claims closed together: enough to spread the cost of a rule application, few enough to fit in cache."""


class Status(Enum):
    """What the rules say of a claim."""

    ENTAILED = "entailed"
    CONTRADICTED = "contradicted"
    UNPROVEN = "unproven"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


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


@dataclass(frozen=True, eq=False)
class Judgement:
    """The status of a claim and its evidence. Proofs are made when they are first asked for.

    Args:
        claim: the triple that was checked.
        status: entailed, contradicted, unproven or unknown.
        reason: why it is unknown; None otherwise. detail: the same in words, with names.
        violations: what the claim would break that is not broken already, worst first; not empty where it is
            contradicted, and warnings at most where it is unproven.
        closure: what it was checked against.
    """

    claim: Triple
    status: Status
    closure: Closure = field(repr=False)
    reason: Reason | None = None
    detail: str = ""
    violations: tuple[Violation, ...] = ()

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


def check(
    closure: Closure, claims: Sequence[Node] | Sequence[Sequence[Node]], *, budget: Budget | None = None
) -> list[Judgement]:
    """The judgement of each claim, in order; a single triple may be given as it is.

    Args:
        budget: limits for each claim alone; where one runs out, the claim is unknown.

    Raises:
        ValueError: a claim has not three terms.
    """
    single = isinstance(claims, Triple) or (len(claims) == 3 and all(isinstance(part, Node) for part in claims))
    every = cast(Sequence[Sequence[Node]], [claims] if single else claims)
    for claim in every:
        if len(claim) != 3:
            raise ValueError(f"Expected a claim of three terms (got {len(claim)}: {claim!r})")
    return _Checker(closure, budget or Budget()).judge([Triple(*claim) for claim in every])


class _Checker:
    """One call of `check`: an overlay for terms only the claims have, and the program extended for their relations."""

    def __init__(self, closure: Closure, budget: Budget) -> None:
        self.closure, self.budget = closure, budget
        self.base = closure.state.store
        self.dictionary = Overlay(closure.graph.dictionary)
        self.program = closure.state.program.fork(self.dictionary)
        self.strata: Sequence[Sequence[CompiledRule]] = closure.state.strata

    def judge(self, claims: Sequence[Triple]) -> list[Judgement]:
        """The judgements, in the order of the claims."""
        judged = {at: found for at, claim in enumerate(claims) if (found := self._at_once(claim)) is not None}
        rest = {at: self._encode(claim) for at, claim in enumerate(claims) if at not in judged}
        together = [at for at in rest if not self._brings_rules(claims[at], rest[at])]
        if self._extend([rest[at] for at in together]):
            for start in range(0, len(together), CHUNK):
                chunk = together[start : start + CHUNK]
                judged.update(self._together([(at, claims[at], rest[at]) for at in chunk]))
        for at, ids in rest.items():
            if at not in judged:
                judged[at] = self._alone(claims[at], ids)
        return [judged[at] for at in range(len(claims))]

    def _at_once(self, claim: Triple) -> Judgement | None:
        """The judgement of a claim that needs no world."""
        wrong = _fault(claim)
        if wrong:
            return self._unknown(claim, Reason.INVALID_TRIPLE, wrong)
        if self.closure.entails(claim):
            return Judgement(claim, Status.ENTAILED, self.closure)
        missing = [self.closure.graph.curie(term) for term in claim if not self.closure.known_term(term)]
        if missing:
            return self._unknown(claim, Reason.TERM_NOT_IN_GRAPH, f"not in the graph: {', '.join(missing)}")
        if self.closure.incomplete:
            return self._unknown(claim, Reason.INCOMPLETE_CLOSURE, self.closure.incomplete)
        return None

    def _brings_rules(self, claim: Triple, ids: Ids) -> bool:
        """Whether a claim changes what rules are made: it is about the schema, or has a literal that makes one."""
        if self.program.is_schema(self.base.key(ids[1], ids[2])):
            return True
        owl = self.closure.entailment.startswith("owl2rl")
        return owl and isinstance(claim.object, Literal) and self.closure.literals.brings_rules(claim.object)

    def _encode(self, claim: Triple) -> Ids:
        s, p, o = (self.dictionary.intern(term) for term in claim)
        return s, p, o

    def _extend(self, claims: Sequence[Ids]) -> bool:
        """Compile the rules that the claims wake up; false where those have no strata together."""
        keys = {self.base.key(p, o) for _, p, o in claims} - self.program.keys
        try:
            if keys and self.program.extend(self.base, assume=keys):
                self.strata = strata_of(self.program)
        except (StratificationError, LimitError):
            return False
        return True

    def _together(self, chunk: Sequence[tuple[int, Triple, Ids]]) -> Iterator[tuple[int, Judgement]]:
        """The judgements of claims by their position, but for those that have to be closed afresh."""
        ids = np.array([ids for _, _, ids in chunk], dtype=np.int64).reshape(-1, 3)
        worlds = Worlds(self.base, self.program, self.strata, ids, self.budget)
        try:
            broken = worlds.run()
        except Exhausted as stop:
            if len(chunk) == 1:
                yield chunk[0][0], self._unknown(chunk[0][1], Reason.BUDGET, str(stop))
                return
            half = len(chunk) // 2
            yield from self._together(chunk[:half])
            yield from self._together(chunk[half:])
            return
        by_world: dict[int, list[Broken]] = {}
        for item in broken:
            by_world.setdefault(item.world, []).append(item)
        for world, (at, claim, _) in enumerate(chunk):
            if world not in worlds.set_aside:
                prover = WorldProver(self.closure.prover, worlds.store, self.program, world)
                yield at, self._decide(claim, by_world.get(world, ()), prover)

    def _alone(self, claim: Triple, ids: Ids) -> Judgement:
        """The judgement from a fresh closure of the asserted triples and the claim."""
        closure, dictionary = self.closure, Overlay(self.dictionary)
        try:
            state = close(
                closure.graph,
                closure.ruleset,
                dictionary,
                entailment=closure.entailment,
                budget=self.budget,
                claim=ids,
                like=closure.state.program,
            )
            found, stopped = violations_of(state)
        except StratificationError as error:
            return self._unknown(claim, Reason.NOT_STRATIFIABLE, str(error))
        except LimitError as error:
            return self._unknown(claim, Reason.BUDGET, str(error))
        except RuleError as error:
            return self._unknown(claim, Reason.MALFORMED_AXIOM, str(error))
        if state.exhausted or stopped:
            return self._unknown(claim, Reason.BUDGET, state.exhausted or stopped or "")
        return self._decide(claim, found, Prover(closure.graph, state.store, state.program, claim=ids))

    def _decide(self, claim: Triple, found: Iterable[Broken], prover: Prover) -> Judgement:
        """Contradicted where a violation is new, else unproven."""
        new = [item for item in in_order(found) if item.match not in self.closure.matches]
        violations = [
            violation_of(
                item, prover.program, self.closure.graph, partial(prover.prove_violation, item.constraint, item.values)
            )
            for item in new
        ]
        severities = list(Severity)
        violations.sort(key=lambda violation: severities.index(violation.severity))
        refuted = bool(violations) and violations[0].severity is Severity.VIOLATION
        status = Status.CONTRADICTED if refuted else Status.UNPROVEN
        return Judgement(claim, status, self.closure, violations=tuple(violations))

    def _unknown(self, claim: Triple, reason: Reason, detail: str) -> Judgement:
        return Judgement(claim, Status.UNKNOWN, self.closure, reason=reason, detail=detail)


def _fault(claim: Triple) -> str:
    """What keeps a claim from being an RDF triple, in words; empty for a triple."""
    for name, term in claim._asdict().items():
        if not isinstance(term, (URIRef, BNode, Literal)):
            return f"the {name} is no RDF term: {term!r}"
    if isinstance(claim.subject, Literal):
        return f"the subject is a literal: {claim.subject.n3()}"
    if not isinstance(claim.predicate, URIRef):
        return f"the predicate is not an IRI: {claim.predicate!r}"
    return ""
