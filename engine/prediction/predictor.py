"""`Predictor`: an embedding proposes triples, the schema and the rules of a closure decide which may be proposed.

Candidates go by score, but which of them are accepted is settled by the axioms (`SchemaFilter`) and the bulk checker
alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from rdflib.term import Node

from embeddings import Embedding
from engine.prediction.checked import contradicted, refutation, with_proof
from engine.prediction.missing import best_missing
from engine.prediction.ranking import Neighbour, Prediction, Ranking
from engine.prediction.rejection import Rejection, Strictness
from engine.prediction.schema_filter import SchemaFilter
from engine.symbolic import Budget, Closure
from kg.errors import InputError, NotSupportedError, StoreError, UnknownTermError

__all__ = ["Predictor", "Term"]

Term = str | Node | int
"""A compact name, an IRI, an rdflib term, or a term id."""

MOST_REJECTED = 1000
"""Rejected candidates that a ranking lists at most, each with its axiom."""


class Predictor:
    """Ranks what may complete a triple, by an embedding, among what a closure's schema and rules allow.

    Args:
        closure: what is known, with its schema.
        embedding: trained on ids of the closure's graph.
        strictness: `Strictness.OPEN` rejects what is contradicted, `TYPED` also what is typed otherwise.
        unique_names: whether terms not known to be the same differ, as to functional properties. OWL assumes no such
            thing; most data sets mean it.
        budget: limits of the checker for each candidate alone; one it cannot decide is accepted.

    Raises:
        StoreError: the embedding has term ids that the graph has not.
    """

    def __init__(
        self,
        closure: Closure,
        embedding: Embedding,
        *,
        strictness: Strictness = Strictness.OPEN,
        unique_names: bool = False,
        budget: Budget | None = None,
    ) -> None:
        self.closure, self.embedding, self.budget = closure, embedding, budget
        self.graph = closure.graph
        self.filter = SchemaFilter(closure, strictness=strictness, unique_names=unique_names)
        ids = np.concatenate([embedding.entities, embedding.relations])
        if len(ids) and int(ids.max()) >= len(self.graph.dictionary):
            raise StoreError(
                f"Expected an embedding of this graph, which has {len(self.graph.dictionary)} terms (got term id "
                f"{int(ids.max())})"
            )

    def __repr__(self) -> str:
        return f"Predictor({self.embedding!r}, {self.filter.strictness})"

    def rank(
        self,
        head: Term | None = None,
        relation: Term | None = None,
        tail: Term | None = None,
        *,
        k: int = 10,
        known: bool = False,
        rejected: bool = False,
    ) -> Ranking:
        """The best tails for `rank(head, relation)`, the best heads for `rank(relation=…, tail=…)`.

        Args:
            k: how many.
            known: whether triples that are asserted or entailed take part, marked so.
            rejected: whether what scores above the last one given and is rejected is listed, each with its axiom.

        Raises:
            InputError: not a relation with either a head or a tail, or k is below 1.
            UnknownTermError: a term is not in the graph, or was not trained.
        """
        if relation is None or (head is None) == (tail is None):
            raise InputError("Expected a relation with either a head or a tail (got none or both of the two)")
        _check_count(k)
        tails = tail is None
        end = head if tails else tail
        assert end is not None
        fixed, p = self._id(end), self._id(relation)
        scores = (self.embedding.score_tails(fixed, p) if tails else self.embedding.score_heads(p, fixed)).astype(float)
        query = _Query(self, fixed, p, tails)
        order = np.argsort(-scores, kind="stable")
        accepted, codes = query.best(order, k, known=known)
        limit = int(accepted[-1]) + 1 if len(accepted) == k else len(order)
        out = np.flatnonzero(codes[:limit])
        listed = out[:MOST_REJECTED] if rejected else out[:0]
        rejections = [query.rejection(int(order[at]), int(codes[at])) for at in listed]
        return Ranking(
            query.question(),
            self._predictions(query.triples(order[accepted]), scores[order[accepted]]),
            tuple(
                replace(each, rejection=reason)
                for each, reason in zip(
                    self._predictions(query.triples(order[listed]), scores[order[listed]]), rejections, strict=True
                )
            ),
            len(out),
        )

    def score(self, triples: Iterable[Sequence[Term]] | NDArray[np.integer]) -> tuple[Prediction, ...]:
        """Each triple with its score, in order; nothing is checked (see `why`).

        Raises:
            InputError: an entry has not three terms.
            UnknownTermError: a term is not in the graph, or was not trained.
        """
        rows = self._rows(triples)
        return self._predictions(rows, self.embedding.score(rows)) if len(rows) else ()

    def nearest(self, entity: Term, k: int = 10) -> tuple[Neighbour, ...]:
        """The entities with the nearest vectors, itself left out, nearest first.

        Raises:
            UnknownTermError: the term is not in the graph, or was not trained.
            NotSupportedError: the embedding's model has no one vector for an entity.
        """
        _check_count(k)
        at, vectors = self._id(entity), self.embedding.entity_vectors
        if not vectors.shape[1]:
            raise NotSupportedError(f"Expected a model with entity vectors (got {self.embedding.config.model})")
        row = int(np.searchsorted(self.embedding.entities, at))
        if row == len(self.embedding.entities) or self.embedding.entities[row] != at:
            raise UnknownTermError(f"{entity}, which was not trained as an entity")
        distance = np.sqrt(np.square(vectors - vectors[row], dtype=np.float64).sum(axis=1))
        order = [i for i in np.argsort(distance, kind="stable")[: k + 1].tolist() if i != row][:k]
        ids = self.embedding.entities
        return tuple(Neighbour(self.graph.dictionary.term(int(ids[i])), float(distance[i]), self.graph) for i in order)

    def missing_triples(self, k: int = 10, *, relation: Term | Iterable[Term] | None = None) -> tuple[Prediction, ...]:
        """The most plausible triples that are neither known nor rejected, best first.

        All pairs of entities are scored, chunk by chunk. Relations are compared by plausibility, by bare score where
        the embedding is not calibrated. Nothing is proposed to be linked to itself by a relation that links nothing
        known to itself.

        Args:
            relation: one or several; None for all that were trained.

        Raises:
            InputError: k is below 1.
            UnknownTermError: a relation is not in the graph, or was not trained.
        """
        _check_count(k)
        if relation is None:
            relations = self.embedding.relations.tolist()
        elif isinstance(relation, (str, Node, int)):
            relations = [self._id(relation)]
        else:
            relations = [self._id(each) for each in relation]
        rows, scores = best_missing(self.embedding, self.filter, relations, k, self._unchecked)
        return self._predictions(rows, scores)

    def why(self, triple: Sequence[Term]) -> Rejection | None:
        """What rejects a triple, with its axiom and, where it is contradicted, the proof; None for an accepted one.

        What is asserted or entailed is never rejected.

        Raises:
            InputError: there are not three terms.
            UnknownTermError: a term is not in the graph.
        """
        rows = self._rows([triple])
        if self.closure.entails_ids(rows)[0]:
            return None
        head, relation, tail = rows[0].tolist()
        found = self.filter.why((head, relation, tail))
        if found is not None:
            return with_proof(self.closure, found, budget=self.budget)
        return refutation(self.closure, (head, relation, tail), budget=self.budget)

    def accepts(self, triples: Iterable[Sequence[Term]] | NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether axioms and rules accept each triple; shape (num_triples,). No score has a part in it.

        Raises:
            InputError: an entry has not three terms.
            UnknownTermError: a term is not in the graph.
        """
        rows = self._rows(triples)
        accepted = self.filter.accepts(rows) | self.closure.entails_ids(rows)
        accepted[accepted] = ~contradicted(self.closure, rows[accepted], budget=self.budget)[0]
        return accepted

    def _unchecked(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which triples the rules neither contradict nor entail."""
        broken, entailed = contradicted(self.closure, rows, budget=self.budget)
        return ~(broken | entailed)

    def _id(self, term: Term) -> int:
        if isinstance(term, int):
            if not 0 <= term < len(self.graph.dictionary):
                raise UnknownTermError(f"term id {term}")
            return term
        return self.graph.id(term)

    def _rows(self, triples: Iterable[Sequence[Term]] | NDArray[np.integer]) -> NDArray[np.int64]:
        rows = [tuple(triple) for triple in (triples.tolist() if isinstance(triples, np.ndarray) else triples)]
        for row in rows:
            if len(row) != 3:
                raise InputError(f"Expected a triple of head, relation and tail (got {len(row)} terms)")
        return np.array([[self._id(term) for term in row] for row in rows], dtype=np.int64).reshape(-1, 3)

    def _predictions(self, rows: NDArray[np.int64], scores: NDArray[np.floating]) -> tuple[Prediction, ...]:
        calibration = self.embedding.calibration
        chances = [None] * len(rows) if calibration is None else calibration.plausibility(scores, rows[:, 1]).tolist()
        known = self.closure.entails_ids(rows)
        return tuple(
            Prediction(self.graph.decode(*row), score, chance, there, None, self.graph)
            for row, score, chance, there in zip(rows.tolist(), scores.tolist(), chances, known.tolist(), strict=True)
        )


class _Query:
    """One end and a relation, with the trained entities as candidates, told by their row numbers."""

    def __init__(self, predictor: Predictor, fixed: int, relation: int, tails: bool) -> None:
        self.predictor, self.fixed, self.relation, self.tails = predictor, fixed, relation, tails
        self.entities = predictor.embedding.entities

    def triples(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """The candidates as triples of term ids; shape (num_rows, 3)."""
        free = self.entities[rows].astype(np.int64)
        fixed, relation = np.full_like(free, self.fixed), np.full_like(free, self.relation)
        return np.stack([fixed, relation, free] if self.tails else [free, relation, fixed], axis=1)

    def best(self, order: NDArray[np.integer], k: int, *, known: bool) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Positions in `order` of the first k accepted; codes of all up to the last of these, -1 for the checker's."""
        filter, budget = self.predictor.filter, self.predictor.budget
        codes = filter.codes(np.array([self.fixed]), self.relation, self.entities, tails=self.tails)[0]
        codes = codes[order]
        there = np.isin(self.entities, filter.known(np.array([self.fixed]), self.relation, tails=self.tails)[1])[order]
        codes[there] = 0  # what follows is not rejected, whatever else is known
        waiting = np.flatnonzero(codes == 0 if known else (codes == 0) & ~there)
        accepted: list[int] = []
        at = 0
        while at < len(waiting) and len(accepted) < k:
            batch = waiting[at : at + max(2 * k, 32)]
            broken, _ = contradicted(self.predictor.closure, self.triples(order[batch]), budget=budget)
            codes[batch[broken]] = -1
            accepted += batch[~broken].tolist()
            at += len(batch)
        return np.array(accepted[:k], dtype=np.int64), codes

    def rejection(self, row: int, code: int) -> Rejection:
        """Why a candidate is rejected."""
        head, relation, tail = self.triples(np.array([row]))[0].tolist()
        closure, budget = self.predictor.closure, self.predictor.budget
        if code > 0:
            found = self.predictor.filter.rejection((head, relation, tail), code)
            return with_proof(closure, found, budget=budget)
        refuted = refutation(closure, (head, relation, tail), budget=budget)
        assert refuted is not None, "the checker decides alike each time"
        return refuted

    def question(self) -> str:
        """What is asked, with compact names."""
        graph = self.predictor.graph
        end, relation = (graph.curie(graph.dictionary.term(id)) for id in (self.fixed, self.relation))
        return f"{end} {relation} ?" if self.tails else f"? {relation} {end}"


def _check_count(k: int) -> None:
    if k < 1:
        raise InputError(f"Expected k of at least 1 (got {k})")
