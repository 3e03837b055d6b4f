"""`check`: is a claim entailed, contradicted, unproven or unknown? One claim or a million.

With M the closure and c the claim: *entailed* if c is in M; *contradicted* if M and c, closed again, have a violation
of severity `sh:Violation` that M has not; *unproven* if neither; *unknown* where that cannot be told, with a reason.

A chunk of claims is decided by columns: their terms become ids, one look at each relation tells which claims are in M,
one at the terms which are unknown. Each of the others is a world of its own, equal ones together, and all worlds of
the chunk are closed together, continued from M (`worlds`). Claims are additions, so without NOT nothing of M is taken
back. Where a claim makes a NOT fail that M rests on, its world is continued from what of M does not rest on it
(`revision`); where it changes the schema, or more of M than can be told, the graph is closed afresh with the claim. The
verdict is always the one a fresh closure gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import cast

import numpy as np
from numpy.typing import NDArray
from rdflib.term import Node

from engine.symbolic.clashes import Clashes, violations_in_order
from engine.symbolic.closure import Closure, close, violations_of
from engine.symbolic.compile import CompiledRule
from engine.symbolic.constraints import Violation, in_order
from engine.symbolic.encoding import distinct_rows, encode, faults_of
from engine.symbolic.fixpoint import Budget, Exhausted, strata_of
from engine.symbolic.judgement import Judgement, Reason, Status
from engine.symbolic.justify import Prover, WorldProver
from engine.symbolic.overlay import Overlay
from engine.symbolic.relation import Key
from engine.symbolic.revision import Revision, resting_on
from engine.symbolic.rules import Severity
from engine.symbolic.worlds import Overrun, Worlds
from kg.dictionary import IRI, LITERAL
from kg.errors import LimitError, RuleError, StratificationError
from kg.terms import Triple

__all__ = ["CHUNK", "Judgement", "Reason", "Status", "check", "check_ids", "check_stream"]

CHUNK = 32768
"""Claims decided together: enough to spread the cost of a rule application, few enough to bound memory."""

_REVISED_ROWS = 2_000_000
"""Rows that may be inferred again at a time, all worlds together: some 200 MB with their indexes."""

Array = NDArray[np.int64]
_STATUSES, _REASONS = tuple(Status), tuple(Reason)
_ENTAILED, _CONTRADICTED, _UNPROVEN, _UNKNOWN = (status.code for status in _STATUSES)
_OPEN = 255  # a claim that is not decided yet


def check(
    closure: Closure, claims: Sequence[Node] | Iterable[Sequence[Node]], *, budget: Budget | None = None
) -> list[Judgement]:
    """The judgement of each claim, in order; a single triple may be given as it is.

    Args:
        budget: limits for each claim alone; where one runs out, the claim is unknown.

    Raises:
        ValueError: a claim has not three terms.
    """
    if isinstance(claims, Sequence):
        single = isinstance(claims, Triple) or (len(claims) == 3 and all(isinstance(part, Node) for part in claims))
        claims = cast(Sequence[Sequence[Node]], [claims] if single else claims)
        _check_length(claims)
    return list(check_stream(closure, claims, budget=budget))


def check_stream(
    closure: Closure, claims: Iterable[Sequence[Node]], *, budget: Budget | None = None, chunk: int = CHUNK
) -> Iterator[Judgement]:
    """The judgement of each claim, in order, while the claims are read; memory is bounded by the size of a chunk.

    A judgement that is kept keeps what was inferred for the claims of its chunk, as its evidence is made from it.

    Args:
        budget: limits for each claim alone; where one runs out, the claim is unknown.
        chunk: claims that are read and decided together.

    Raises:
        ValueError: a claim has not three terms, or the chunk is not positive.
    """
    _check_chunk(chunk)
    return _stream(closure, iter(claims), budget or Budget(), chunk)


def _stream(closure: Closure, claims: Iterator[Sequence[Node]], budget: Budget, chunk: int) -> Iterator[Judgement]:
    checker = _Checker(closure, budget)
    while batch := list(islice(claims, chunk)):
        _check_length(batch)
        if len(checker.dictionary) - checker.shared > chunk:
            checker = _Checker(closure, budget)  # lets go of the terms of earlier claims
        yield from checker.judge([claim if type(claim) is Triple else Triple(*claim) for claim in batch])


def check_ids(
    closure: Closure, ids: NDArray[np.integer], *, budget: Budget | None = None, chunk: int = CHUNK
) -> NDArray[np.uint8]:
    """The status of each claim as a number, see `Status.code`; shape (num_claims,).

    Args:
        ids: subject, predicate, object in `closure.graph.dictionary`, -1 for a term it has not; shape (num_claims, 3).
        budget: limits for each claim alone; where one runs out, the claim is unknown.
        chunk: claims decided together, which bounds the memory.

    Raises:
        ValueError: the array has another shape, an id is out of range, or the chunk is not positive.
    """
    _check_chunk(chunk)
    ids = np.asarray(ids)
    terms = len(closure.graph.dictionary)
    if ids.ndim != 2 or ids.shape[1] != 3:
        raise ValueError(f"Expected ids of shape (num_claims, 3) (got {ids.shape})")
    if ids.size and not (ids.min() >= -1 and ids.max() < terms):
        raise ValueError(f"Expected ids from -1 to {terms - 1} (got {ids.min()} to {ids.max()})")
    codes = np.empty(len(ids), dtype=np.uint8)
    checker = _Checker(closure, budget or Budget())
    for start in range(0, len(ids), chunk):
        part = ids[start : start + chunk].astype(np.int64)
        codes[start : start + chunk] = checker.decide(part, _invalid(part, closure)).status
    return codes


def _check_length(claims: Iterable[Sequence[Node]]) -> None:
    for claim in claims:
        if len(claim) != 3:
            raise ValueError(f"Expected a claim of three terms (got {len(claim)}: {claim!r})")


def _check_chunk(chunk: int) -> None:
    if chunk < 1:
        raise ValueError(f"Expected a chunk of at least one claim (got {chunk})")


class _Batch:
    """What is decided of many claims, by their positions. Status and reason are numbers; shape (num_claims,) each."""

    def __init__(self, size: int) -> None:
        self.status = np.full(size, _OPEN, dtype=np.uint8)
        self.reason = np.full(size, _OPEN, dtype=np.uint8)
        self.detail: dict[int, str] = {}
        self.violations: dict[int, Callable[[], tuple[Violation, ...]]] = {}

    @property
    def open(self) -> Array:
        """The positions of the claims that are not decided."""
        return np.flatnonzero(self.status == _OPEN)

    def unknown(self, at: Array | int, reason: Reason, detail: str = "") -> None:
        """Decide claims as unknown."""
        self.status[at], self.reason[at] = _UNKNOWN, _REASONS.index(reason)
        if detail:
            self.detail.update(dict.fromkeys(np.atleast_1d(at).tolist(), detail))

    def scatter(self, distinct: _Batch, at: Array, number: Array) -> None:
        """Decide the claims at some positions as their equals among the distinct claims are, told by their numbers."""
        self.status[at], self.reason[at] = distinct.status[number], distinct.reason[number]
        if distinct.detail or distinct.violations:
            for position, equal in zip(at.tolist(), number.tolist(), strict=True):
                if equal in distinct.violations:
                    self.violations[position] = distinct.violations[equal]
                if equal in distinct.detail:
                    self.detail[position] = distinct.detail[equal]


class _Checker:
    """An overlay for terms only the claims have, and the program extended for the relations of the claims so far."""

    def __init__(self, closure: Closure, budget: Budget) -> None:
        self.closure, self.budget = closure, budget
        self.base = closure.state.store
        self.dictionary = Overlay(closure.graph.dictionary)
        self.shared = len(self.dictionary)
        self.program = closure.state.program.fork(self.dictionary)
        self._awake = set(self.program.live_keys)
        self.strata: Sequence[Sequence[CompiledRule]] = closure.state.strata

    def judge(self, claims: Sequence[Triple]) -> list[Judgement]:
        """The judgements, in the order of the claims."""
        columns = tuple(zip(*claims, strict=True))
        faults, ids = faults_of(claims, columns), encode(columns, self.dictionary)
        batch = self.decide(ids, np.isin(np.arange(len(claims)), list(faults)) if faults else None)
        batch.detail.update(faults)
        missing = np.flatnonzero(batch.reason == _REASONS.index(Reason.TERM_NOT_IN_GRAPH))
        for at, known in zip(missing.tolist(), self._known(ids[missing]).tolist(), strict=True):
            names = [self.closure.graph.curie(t) for t, there in zip(claims[at], known, strict=True) if not there]
            batch.detail[at] = f"not in the graph: {', '.join(names)}"
        reasons, closure = (*_REASONS, *[None] * (_OPEN + 1 - len(_REASONS))), self.closure
        detail, violations = batch.detail, batch.violations
        return [
            Judgement(claim, _STATUSES[status], closure, reasons[reason], detail.get(at, ""), violations[at])
            if at in violations
            else Judgement(claim, _STATUSES[status], closure, reasons[reason], detail.get(at, ""))
            for at, (claim, status, reason) in enumerate(
                zip(claims, batch.status.tolist(), batch.reason.tolist(), strict=True)
            )
        ]

    def decide(self, ids: Array, invalid: NDArray[np.bool_] | None = None) -> _Batch:
        """What is to be said of claims; shape (num_claims, 3), -1 for a term that is not in the dictionary."""
        batch = _Batch(len(ids))
        if invalid is not None:
            batch.unknown(np.flatnonzero(invalid), Reason.INVALID_TRIPLE)
        at = batch.open
        batch.status[at[self.closure.entails_ids(ids[at])]] = _ENTAILED
        at = batch.open
        batch.unknown(at[~self._known(ids[at]).all(axis=1)], Reason.TERM_NOT_IN_GRAPH)
        at = batch.open
        if self.closure.incomplete:
            batch.unknown(at, Reason.INCOMPLETE_CLOSURE, self.closure.incomplete)
        elif len(at):
            distinct, number = distinct_rows(ids[at])
            batch.scatter(self._in_worlds(distinct), at, number)
        return batch

    def _known(self, ids: Array) -> NDArray[np.bool_]:
        """Whether each id is of a literal, or of a term in the closure or its rules; same shape."""
        found = np.zeros(ids.shape, dtype=bool)
        old = (ids >= 0) & (ids < min(self.shared, len(self.closure.known)))
        found[old] = self.closure.known[ids[old]]
        there = ids >= 0
        found[there] |= self.dictionary.kinds[ids[there]] == LITERAL
        return found

    def _in_worlds(self, ids: Array) -> _Batch:
        """What is to be said of distinct claims over known terms that are not in the closure."""
        batch = _Batch(len(ids))
        keys, number = self._keys(ids)
        schema = np.array([self.program.is_schema(key) for key in keys])
        fit = self._extend([key for key, changes in zip(keys, schema, strict=True) if not changes])
        together = np.array([key in fit for key in keys])[number] & ~self._bring_rules(ids)
        self._continue(ids, np.flatnonzero(together), batch)
        for at in batch.open.tolist():
            self._alone(ids, at, batch)
        return batch

    def _bring_rules(self, ids: Array) -> NDArray[np.bool_]:
        """Whether each claim has a literal for which rules are made, as they are when a graph is closed afresh."""
        found = self.dictionary.kinds[ids[:, 2]] == LITERAL
        for literal in set(ids[found, 2].tolist()):
            if not self.closure.brings_rules(self.dictionary.term(literal)):
                found[ids[:, 2] == literal] = False
        return np.asarray(found)

    def _keys(self, ids: Array) -> tuple[list[Key], Array]:
        """The relations that triples belong to, and for each triple the number of its relation."""
        cls = np.where(ids[:, 1] == self.base.type_id, ids[:, 2], -1)
        pairs, number = distinct_rows(np.stack([ids[:, 1], cls], axis=1))
        return [(p, c) for p, c in pairs.tolist()], number

    def _extend(self, keys: Sequence[Key]) -> set[Key]:
        """Compile the rules that rows of some relations wake up; the relations for which there are strata."""
        new = [key for key in keys if key not in self._awake]
        if not new or self._try(new):
            return set(keys)
        return set(keys) - {key for key in new if not self._try([key])}

    def _try(self, keys: Sequence[Key]) -> bool:
        program = self.program.fork(self.dictionary)
        try:
            if program.extend(self.base, assume=keys):
                self.strata = strata_of(program)
        except (StratificationError, LimitError):
            return False
        self.program = program
        self._awake.update(keys)
        return True

    def _continue(self, ids: Array, at: Array, batch: _Batch, revision: Revision | None = None) -> None:
        """Decide the claims at some positions in worlds, but for those that have to be closed afresh."""
        if not len(at):
            return
        worlds = Worlds(self.base, self.program, self.strata, ids[at], self.budget, revision=revision)
        try:
            clashes = worlds.run(self.closure.matches)
        except Exhausted as stop:
            if len(at) > 1:
                for part in _parts(at, stop):
                    self._continue(ids, part, batch, revision)
            elif revision is None:
                batch.unknown(at, Reason.BUDGET, str(stop))
            return
        lost = set().union(*worlds.lost.values())
        status = np.full(len(at), _UNPROVEN, dtype=np.uint8)
        status[clashes.worlds(Severity.VIOLATION)] = _CONTRADICTED
        status[list(worlds.set_aside | lost)] = _OPEN
        batch.status[at] = status
        evidence = _Evidence(self._prover(revision), worlds, clashes)
        for world in sorted(set(clashes.worlds().tolist()) - worlds.set_aside - lost):
            batch.violations[int(at[world])] = partial(evidence.violations, world)
        if revision is None:
            self._revise(ids, at[sorted(lost - worlds.set_aside)], batch, worlds.lost)

    def _revise(self, ids: Array, at: Array, batch: _Batch, lost: Iterable[CompiledRule]) -> None:
        """Continue the claims at some positions from the closure without what may rest on the NOT of some rules."""
        keys = resting_on(lost, self.program) if len(at) else None
        if keys is None:
            return
        revision = Revision(self.base, self.program, keys)
        step = max(1, _REVISED_ROWS // (revision.left_out + 1))
        for start in range(0, len(at), step):
            self._continue(ids, at[start : start + step], batch, revision)

    def _prover(self, revision: Revision | None) -> Prover:
        """Proves what holds in every world."""
        if revision is None:
            return self.closure.prover
        return Prover(self.closure.graph, revision.store, self.program)

    def _alone(self, ids: Array, at: int, batch: _Batch) -> None:
        """Decide a claim by a fresh closure of the asserted triples and the claim."""
        s, p, o = ids[at].tolist()
        closure, dictionary = self.closure, Overlay(self.dictionary)
        try:
            state = close(
                closure.graph,
                closure.ruleset,
                dictionary,
                entailment=closure.entailment,
                budget=self.budget,
                claim=(s, p, o),
                like=closure.state.program,
            )
            found, stopped = violations_of(state)
        except StratificationError as error:
            batch.unknown(at, Reason.NOT_STRATIFIABLE, str(error))
            return
        except LimitError as error:
            batch.unknown(at, Reason.BUDGET, str(error))
            return
        except RuleError as error:
            batch.unknown(at, Reason.MALFORMED_AXIOM, str(error))
            return
        if state.exhausted or stopped:
            batch.unknown(at, Reason.BUDGET, state.exhausted or stopped or "")
            return
        new = [item for item in in_order(found) if item.match not in closure.matches]
        prover = Prover(closure.graph, state.store, state.program, claim=(s, p, o))
        violations = violations_in_order(new, closure.graph, prover)
        refuted = bool(violations) and violations[0].severity is Severity.VIOLATION
        batch.status[at] = _CONTRADICTED if refuted else _UNPROVEN
        if violations:
            batch.violations[at] = lambda: violations


@dataclass(frozen=True)
class _Evidence:
    """What the violations of the worlds of a chunk are made from."""

    prover: Prover
    worlds: Worlds
    clashes: Clashes

    def violations(self, world: int) -> tuple[Violation, ...]:
        """The violations of one world that the closure has not, worst first."""
        prover = WorldProver(self.prover, self.worlds.store, self.worlds.program, world)
        return violations_in_order(self.clashes.of(world), self.prover.graph, prover)


def _parts(at: Array, stop: Exhausted) -> list[Array]:
    """Positions to be tried again after a budget ran out for all of them together."""
    if isinstance(stop, Overrun):
        over = np.zeros(len(at), dtype=bool)
        over[stop.worlds] = True
        return [at[~over], *at[over].reshape(-1, 1)]
    return [at[: len(at) // 2], at[len(at) // 2 :]]


def _invalid(ids: Array, closure: Closure) -> NDArray[np.bool_]:
    """Which triples have a literal as subject, or a predicate that is no IRI; a missing term counts as an IRI."""
    kinds = np.append(closure.graph.dictionary.kinds, np.uint8(IRI))
    return np.asarray((kinds[ids[:, 0]] == LITERAL) | (kinds[ids[:, 1]] != IRI))
