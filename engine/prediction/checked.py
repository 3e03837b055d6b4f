"""The last word on a candidate: the bulk checker, which runs all rules, and its refutations as rejections."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.prediction.rejection import Kind, Rejection
from engine.symbolic import Budget, Closure, Judgement, Proof, Status, check, check_ids

__all__ = ["contradicted", "refutation", "with_proof"]


def contradicted(
    closure: Closure, triples: NDArray[np.integer], *, budget: Budget | None = None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which triples of term ids the rules contradict, and which they entail; shape (num_triples,) each.

    What is unknown, as a budget ran out or the closure is incomplete, is neither.
    """
    codes = check_ids(closure, triples, budget=budget)
    return codes == Status.CONTRADICTED.code, codes == Status.ENTAILED.code


def refutation(closure: Closure, triple: tuple[int, int, int], *, budget: Budget | None = None) -> Rejection | None:
    """Why the rules contradict a triple of term ids, with a proof; None where they do not.

    The axiom is the first schema triple among the premises of the proof, the other premises are what it clashes with.
    """
    judged = _judged(closure, triple, budget)
    if judged.status is not Status.CONTRADICTED:
        return None
    proof = judged.refutation
    assert proof is not None
    leaves = [leaf for leaf in proof.leaves() if leaf != judged.claim]
    axioms = [leaf for leaf in leaves if closure.is_schema(leaf)]
    axiom = axioms[0] if axioms else None
    return Rejection(
        judged.claim,
        Kind.CONTRADICTED,
        axiom,
        tuple(leaf for leaf in leaves if leaf != axiom),
        closure.graph,
        message=judged.violations[0].message,
        prove=lambda: proof,
    )


def with_proof(closure: Closure, found: Rejection, *, budget: Budget | None = None) -> Rejection:
    """A rejection by an axiom with the proof that the checker has of it, made when it is asked for."""
    ids = closure.graph.encode(found.triple)
    assert ids is not None

    def prove() -> Proof | None:
        return _judged(closure, ids, budget).refutation

    return Rejection(found.triple, found.kind, found.axiom, found.because, found.graph, found.message, prove)


def _judged(closure: Closure, triple: tuple[int, int, int], budget: Budget | None) -> Judgement:
    return check(closure, [closure.graph.decode(*triple)], budget=budget)[0]
