"""Rebuilding proofs on demand from the justification columns: the rule and step of every block of rows.

A row was added by one application of a rule, so the rule's body has a match among the rows of smaller steps; a join
limited to those rows finds one. Steps fall from conclusion to premise, so a proof ends. The one exception is a
recognised transitive closure, which adds all its rows in one step: there a shortest path of earlier rows is halved,
and the steps fall, or the length of the path does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rdflib import BNode, Variable
from rdflib.term import Node

from engine.symbolic.aggregates import GROUP, Grouping
from engine.symbolic.application import early_filters, finish_body, fresh_names
from engine.symbolic.compile import CompiledRule, Program
from engine.symbolic.draft import BODY_MARK, Head
from engine.symbolic.join import Bindings, CompiledAtom, Slice, evaluate
from engine.symbolic.proof import Proof
from engine.symbolic.relation import ASSERTED, Block, Key, Relation, Store
from kg.graph import KnowledgeGraph
from kg.terms import Triple, TripleTerm

__all__ = ["Ids", "Prover", "WorldProver", "written"]

Ids = tuple[int, int, int]
"""A triple of ids."""


@dataclass(frozen=True)
class _Justification:
    rule: CompiledRule
    values: dict[Variable, int]
    premises: tuple[Ids, ...]


class Prover:
    """Proofs of the triples of a closed store. Parts that were proved are kept and shared.

    Args:
        graph: for the source files of asserted triples.
        claim: an asserted triple to be shown as the claim.
    """

    _searches = True  # a transitive closure may have been found by search

    def __init__(self, graph: KnowledgeGraph, store: Store, program: Program, *, claim: Ids | None = None) -> None:
        self.graph, self.store, self.program, self.claim = graph, store, program, claim
        self._proofs: dict[Ids, Proof] = {}

    def holds(self, ids: Ids) -> bool:
        """Whether the triple is in the store."""
        return self._locate(ids) is not None

    def prove(self, ids: Ids) -> Proof:
        """The proof of a triple of the store, premises first and without recursion, however deep it is."""
        steps: dict[Ids, _Justification | None] = {}
        stack = [ids]
        while stack:
            top = stack[-1]
            if top in self._proofs:
                stack.pop()
                continue
            if top not in steps:
                steps[top] = self._justify(top)
            step = steps[top]
            missing = [premise for premise in step.premises if premise not in self._proofs] if step else []
            if missing:
                stack.extend(missing)
            else:
                self._proofs[top] = self._leaf(top) if step is None else self._proof(self._triple(top), step)
        return self._proofs[ids]

    def prove_violation(self, constraint: CompiledRule, values: dict[Variable, int]) -> Proof:
        """The proof of FALSE from a constraint and a substitution that matches its body."""
        premises = self._premises(constraint, {**constraint.values, **values})
        for premise in premises:
            self.prove(premise)
        return self._proof(None, _Justification(constraint, values, premises))

    def _proof(self, conclusion: Triple | None, step: _Justification) -> Proof:
        substitution = written(step.rule, step.values, self.program)
        return Proof(conclusion, step.rule.rule, substitution, tuple(self._proofs[p] for p in step.premises))

    def _leaf(self, ids: Ids) -> Proof:
        source = self.graph.asserted.source(*ids)
        named = source is not None and 0 <= source < len(self.graph.sources)
        file = self.graph.sources[source] if named and source is not None else None
        return Proof(self._triple(ids), source=file, claimed=ids == self.claim)

    def _triple(self, ids: Ids) -> Triple:
        return Triple(*(self.program.dictionary.term(id) for id in ids))

    def _locate(self, ids: Ids) -> tuple[Relation, Block] | None:
        s, p, o = ids
        relation = self.store.get(self.store.key(p, o))
        row = None if relation is None else relation.row(s, o)
        return None if relation is None or row is None else (relation, relation.block_of(row))

    def _justify(self, ids: Ids) -> _Justification | None:
        """The application that added a triple, None for one that was asserted."""
        found = self._locate(ids)
        assert found is not None, f"every premise is in the store (got {self._triple(ids)})"
        relation, block = found
        if block.rule == ASSERTED:
            return None
        rule = self.program.rules[block.rule]
        if rule.grouping is not None:
            return self._match_group(rule, rule.grouping, ids, block.step)
        if rule.closes is not None and self._searches:
            values = _halfway(rule, relation, ids, relation.size_before(block.step))
        else:
            values = self._match(rule, ids, block.step)
        return _Justification(rule, values, self._premises(rule, {**rule.values, **values}))

    def _match(self, rule: CompiledRule, ids: Ids, step: int) -> dict[Variable, int]:
        """A substitution of a rule that gives a triple from rows of smaller steps."""
        for head in rule.head:
            values = self._unify(rule, head, ids)
            if values is None:
                continue
            bindings = evaluate(
                rule.body,
                lambda i: self._before(rule.body[i].key, step, data=rule.rule.data),
                self._start({**rule.constants, **values}),
                filters=early_filters(rule),
                dictionary=self.program.dictionary,
            )
            bindings = finish_body(rule, bindings, self._negated, self._keys, self.program)
            if bindings.size:
                return bindings.substitution(0)
        raise AssertionError(f"rule '{rule.rule.name}' gave {self._triple(ids)}, so its body has a match")

    def _match_group(self, rule: CompiledRule, grouping: Grouping, ids: Ids, step: int) -> _Justification:
        """The group that gives a triple; its premises are those of every substitution in it, each once."""
        for head in rule.head:
            values = self._unify(rule, head, ids)
            if values is None:
                continue
            key = {v: id for v, id in values.items() if v in grouping.key}
            bindings = evaluate(
                rule.body,
                lambda i: self._before(rule.body[i].key, step, data=rule.rule.data),
                self._start({**rule.constants, **key}),
                filters=early_filters(rule),
                dictionary=self.program.dictionary,
            )
            bindings = finish_body(rule, bindings, self._negated, self._keys, self.program, grouped=False)
            groups, numbers = grouping.apply(bindings, self.program.dictionary, self.program.memo)
            for row in range(groups.size):
                found = groups.substitution(row)
                if all(found.get(v, id) == id for v, id in values.items()):
                    members = (bindings.substitution(at) for at in np.flatnonzero(numbers == found.pop(GROUP)).tolist())
                    premises = (p for member in members for p in self._premises(rule, {**rule.values, **member}))
                    return _Justification(rule, found, tuple(dict.fromkeys(premises)))
        raise AssertionError(f"rule '{rule.rule.name}' gave {self._triple(ids)}, so a group of it does")

    def _unify(self, rule: CompiledRule, head: Head, ids: Ids) -> dict[Variable, int] | None:
        """The values under which a head atom is the triple; those of a new blank node are the ones it was made for."""
        values: dict[Variable, int] = {}
        parts = {made.term: made.parts for made in rule.made_terms}
        for term, id in zip(head, ids, strict=True):
            wanted: dict[Variable, int] | None
            if isinstance(term, Variable) and term in parts:
                s, p, o = self.program.dictionary.parts(np.array([id]))[0].tolist()
                wanted = None if s < 0 else self._unify(rule, parts[term], (s, p, o))
            elif not isinstance(term, Variable):
                wanted = {} if term == id else None
            elif term in rule.fresh:
                row = self.program.made.get(id)
                names = fresh_names(rule)
                wanted = dict(zip(names, row, strict=True)) if row is not None and len(row) == len(names) else None
            else:
                wanted = {term: id}
            known = {**rule.values, **values}
            if wanted is None or any(known.get(variable, id) != id for variable, id in wanted.items()):
                return None
            values.update(wanted)
        return values

    def _premises(self, rule: CompiledRule, values: dict[Variable, int]) -> tuple[Ids, ...]:
        dictionary = self.program.dictionary

        def id_of(term: Node) -> int:
            if isinstance(term, Variable):
                return values[term]
            if isinstance(term, BNode) and term not in rule.rule.own_terms:
                return values[Variable(f"{BODY_MARK}{term}")]
            if isinstance(term, TripleTerm):
                return dictionary.id(TripleTerm(*(dictionary.term(id_of(part)) for part in term.parts)))
            return dictionary.id(term)

        atoms = [tuple(map(id_of, atom.terms)) for atom in rule.rule.body_atoms]
        axioms = [tuple(map(dictionary.id, triple)) for triple in rule.rule.axioms]
        return tuple((s, p, o) for s, p, o in (*atoms, *axioms))

    def _start(self, values: dict[Variable, int]) -> Bindings:
        return Bindings.unit(values)

    def _before(self, key: Key | None, step: int, *, data: bool) -> Sequence[Slice]:
        relation = None if key is None else self.store.get(key)
        if relation is None:
            return ()
        return (Slice(relation, 0, relation.size_before(1 if data else step)),)

    def _negated(self, atom: CompiledAtom, data: bool) -> Sequence[Slice]:
        relation = None if atom.key is None else self.store.get(atom.key)
        if relation is None:
            return ()
        return (Slice(relation, 0, relation.size_before(1) if data else relation.size),)

    def _keys(self) -> list[Key]:
        return self.store.keys()


class WorldProver(Prover):
    """Proofs of the triples of one hypothetical world: a closed store and the world's rows beside it.

    Args:
        base: proves what holds in every world.
        worlds: the tagged rows of many worlds. world: the number of this one.
        program: the rules of the worlds, at least those of the base.
    """

    _searches = False  # worlds only join

    def __init__(self, base: Prover, worlds: Store, program: Program, world: int) -> None:
        super().__init__(base.graph, base.store, program)
        self._base, self._worlds, self._world = base, worlds, world

    def _leaf(self, ids: Ids) -> Proof:
        return Proof(self._triple(ids), claimed=True)

    def prove(self, ids: Ids) -> Proof:
        """The proof of a triple of the base or of the world."""
        if ids not in self._proofs and self._base.holds(ids):
            self._proofs[ids] = self._base.prove(ids)
        return super().prove(ids)

    def _justify(self, ids: Ids) -> _Justification | None:
        step = super()._justify(ids)
        for premise in step.premises if step else ():
            if premise not in self._proofs and self._base.holds(premise):
                self._proofs[premise] = self._base.prove(premise)
        return step

    def _locate(self, ids: Ids) -> tuple[Relation, Block] | None:
        s, p, o = ids
        relation = self._worlds.get(self._worlds.key(p, o))
        row = None if relation is None else relation.row(self._tag(s), self._tag(o))
        return None if relation is None or row is None else (relation, relation.block_of(row))

    def _tag(self, id: int) -> int:
        return (self._world << 32) | id

    def _start(self, values: dict[Variable, int]) -> Bindings:
        return Bindings.unit(values, worlds=np.array([self._world], dtype=np.int64))

    def _before(self, key: Key | None, step: int, *, data: bool) -> Sequence[Slice]:
        always = self.store.get(key) if key is not None else None
        mine = self._worlds.get(key) if key is not None else None
        slices = [Slice(always, 0, always.size_before(1) if data else always.size)] if always else []
        return slices + ([Slice(mine, 0, mine.size_before(1 if data else step), tagged=True)] if mine else [])

    def _negated(self, atom: CompiledAtom, data: bool) -> Sequence[Slice]:
        mine = self._worlds.get(atom.key) if atom.key is not None else None
        slices = list(super()._negated(atom, data))
        return slices + ([Slice(mine, 0, mine.size_before(1) if data else mine.size, tagged=True)] if mine else [])

    def _keys(self) -> list[Key]:
        return list(dict.fromkeys((*self.store.relations, *self._worlds.relations)))


def written(rule: CompiledRule, values: dict[Variable, int], program: Program) -> dict[Variable, Node]:
    """The terms of the variables of the rule as written, in the order they occur in it."""
    every = {**rule.values, **values}
    return {v: program.dictionary.term(every[v]) for v in rule.rule.variables if v in every}


def _halfway(rule: CompiledRule, relation: Relation, ids: Ids, end: int) -> dict[Variable, int]:
    """The values of a transitive rule x → y → z for which y is the middle of a shortest path of the first rows."""
    source, _, target = ids
    path = _path(relation, source, target, end)
    x, _, z = rule.head[0]
    middle = next(v for v in (rule.body[0].o, rule.body[0].s) if v not in (x, z))
    assert isinstance(x, Variable)
    assert isinstance(z, Variable)
    assert isinstance(middle, Variable)
    return {x: source, middle: path[len(path) // 2], z: target}


def _path(relation: Relation, source: int, target: int, end: int) -> list[int]:
    """The nodes of a shortest path of one row or more among the first `end` rows, found breadth first."""
    parent: dict[int, int] = {}
    frontier = [source]
    while target not in parent:
        assert frontier, "a transitive row has a path"
        positions, rows = relation.join(0, np.array(frontier, dtype=np.int64), 0, end)
        found: dict[int, None] = {}
        for at, node in zip(positions.tolist(), relation.o[rows].tolist(), strict=True):
            if node not in parent:
                parent[node] = frontier[at]
                found[node] = None
        frontier = list(found)
    path = [target, parent[target]]
    while path[-1] != source:
        path.append(parent[path[-1]])
    return path[::-1]
