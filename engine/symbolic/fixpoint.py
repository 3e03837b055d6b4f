"""Semi-naive evaluation of a program over a store, stratum by stratum, until nothing new follows.

A rule application looks only at substitutions that use a row the rule has not seen (`CompiledRule.seen`, a row count
per body atom): for every changed atom, atoms before it match old rows, the atom itself new rows, atoms after it all.
Each application is one *step*; the rows it adds carry rule and step, so premises always have a smaller step than
what they prove.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdflib import Variable

from engine.symbolic.compile import CompiledRule, Program, head_key, wild_values
from engine.symbolic.join import Bindings, CompiledAtom, Slice, assign, evaluate, without_match
from engine.symbolic.relation import ASSERTED, Key, Relation, Store
from engine.symbolic.rules import Rule
from engine.symbolic.stratify import Dependency, Wildcard, stratify
from kg.dictionary import LITERAL
from kg.errors import StratificationError

__all__ = ["Budget", "Fixpoint"]

log = logging.getLogger(__name__)
Array = NDArray[np.int64]


@dataclass(frozen=True)
class Budget:
    """Limits of one materialisation; None is no limit. What is cut short is marked incomplete, never silently.

    Args:
        rounds: passes over the rules of a stratum.
        triples: inferred triples.
        seconds: wall-clock seconds.
        substitutions: rows of one join, a bound on memory.
    """

    rounds: int | None = None
    triples: int | None = 500_000_000
    seconds: float | None = None
    substitutions: int | None = 200_000_000


class Exhausted(Exception):  # noqa: N818  # a signal inside this module, turned into a marked result
    """A budget ran out; the message says which."""


class Fixpoint:
    """The state of one materialisation: store, program, strata, and what has been applied.

    Args:
        store: relations with the asserted triples; grows.
        program: the rules; grows with the schema.
        axiom_rules: reads the list-valued axioms of the store as rules.
        budget: limits; when one runs out, `exhausted` says which and the store is sound but not complete.
    """

    def __init__(
        self,
        store: Store,
        program: Program,
        *,
        axiom_rules: Callable[[], Sequence[Rule]] = tuple,
        budget: Budget | None = None,
    ) -> None:
        self.store, self.program, self.axiom_rules = store, program, axiom_rules
        self.budget = budget or Budget()
        self.step = 0
        self.rounds = 0
        self.exhausted: str | None = None
        self.strata: list[list[CompiledRule]] = []
        self.stratum_of: dict[int, int] = {}
        self.stratum_sizes: list[dict[Key, int]] = []
        self._applied_once: set[int] = set()
        self._negated: dict[Key, tuple[int, CompiledRule]] = {}
        self._asserted = len(store)
        self._began = time.perf_counter()

    def run(self) -> None:
        """Close the store under the program; compile again while the schema grows."""
        try:
            while True:
                schema = self._schema_state()
                new = self.program.extend(self.store, extra=self.axiom_rules())
                if new or not self.strata:
                    self._stratify()
                self.stratum_sizes = []
                for rules in self.strata:
                    self._close(rules)
                    self.stratum_sizes.append(self.store.sizes())
                if self._schema_state() == schema:
                    break
        except Exhausted as stop:
            self.exhausted = str(stop)
            log.warning("materialisation stopped: %s; the result is marked incomplete", stop)
        self._check_negations()

    def _schema_state(self) -> tuple[int, int]:
        schema = sum(relation.size for key, relation in self.store if self.program.is_schema(key))
        return schema, sum(1 for key, relation in self.store if relation.size and key not in self.program.keys)

    def _stratify(self) -> None:
        type_id = self.program.type_id
        groups = stratify([_dependency(rule, type_id) for rule in self.program.rules])
        self.strata = [[self.program.rules[i] for i in group] for group in groups]
        self.stratum_of = {rule.number: n for n, rules in enumerate(self.strata) for rule in rules}

    def _close(self, rules: Sequence[CompiledRule]) -> None:
        """Apply the rules of one stratum until none has unseen rows."""
        readers: dict[Key, list[CompiledRule]] = {}
        for rule in rules:
            for key in dict.fromkeys(rule.keys):
                readers.setdefault(key, []).append(rule)
        active = [rule for rule in rules if not rule.rule.runs_once]
        for rule in rules:
            if rule.rule.runs_once and rule.number not in self._applied_once:
                self._applied_once.add(rule.number)
                self._apply(rule)
        while active:
            self.rounds += 1
            self._spend()
            grown: dict[Key, None] = {}
            for rule in active:
                for key in self._apply(rule):
                    grown[key] = None
            again = {id(rule): rule for key in grown for rule in readers.get(key, ()) if not rule.rule.runs_once}
            active = sorted(again.values(), key=lambda rule: rule.number)

    def _apply(self, rule: CompiledRule) -> list[Key]:
        """One application: add what follows from substitutions with an unseen row; the relations that grew."""
        relations = [self.store.get(key) for key in rule.keys]
        if any(relation is None or not relation.size for relation in relations) and rule.body:
            return []
        found = [relation for relation in relations if relation is not None]
        ends = [self._end(relation, rule) for relation in found]
        if rule.body and all(end == seen for end, seen in zip(ends, rule.seen, strict=True)):
            return []
        self.step += 1
        self._spend()
        if rule.closes is not None and self._worth_reach(found[0], rule):
            return self._reach(found[0], rule)
        grown: dict[Key, None] = {}
        for bindings in self._substitutions(rule, found, ends):
            for key in add_heads(self.store, rule, bindings, self.program, self.step):
                grown[key] = None
        rule.seen[:] = ends
        return list(grown)

    def _substitutions(self, rule: CompiledRule, relations: list[Relation], ends: list[int]) -> list[Bindings]:
        """The substitutions with an unseen row, one table for each changed atom; negations and SET applied."""
        tables = []
        for changed in range(len(rule.body)) if rule.body else (None,):
            if changed is not None and rule.seen[changed] == ends[changed]:
                continue

            def slices(i: int, changed: int | None = changed) -> Sequence[Slice]:
                seen, end = rule.seen[i], ends[i]
                lo, hi = (0, seen) if changed is not None and i < changed else (seen, end) if i == changed else (0, end)
                return (Slice(relations[i], lo, hi),)

            try:
                bindings = evaluate(
                    rule.body,
                    slices,
                    Bindings.unit(),
                    filters=_early(rule),
                    dictionary=self.program.dictionary,
                    first=changed,
                    limit=self.budget.substitutions,
                )
            except MemoryError as error:
                raise Exhausted(f"rule '{rule.rule.name}': {error}") from error
            tables.append(finish_body(rule, bindings, self._negation_slices, self._keys, self.program))
        self._note_negations(rule)
        return tables

    def _end(self, relation: Relation, rule: CompiledRule) -> int:
        return relation.size_before(1) if rule.rule.data else relation.size

    def _negation_slices(self, atom: CompiledAtom, data: bool) -> Sequence[Slice]:
        assert atom.key is not None
        relation = self.store.get(atom.key)
        if relation is None:
            return ()
        return (Slice(relation, 0, relation.size_before(1) if data else relation.size),)

    def _keys(self, atom: CompiledAtom) -> Sequence[CompiledAtom]:
        return expand_atom(atom, list(self.store.relations), self.program.type_id)

    def _worth_reach(self, relation: Relation, rule: CompiledRule) -> bool:
        """Whether enough rows are new for a search over all of them to beat joining the new ones.

        A tenth is where the two broke even on random graphs of 10⁴ edges.
        """
        return 10 * (relation.size - rule.seen[0]) >= relation.size

    def _reach(self, relation: Relation, rule: CompiledRule) -> list[Key]:
        """The transitive closure of a relation by breadth-first search from every source."""
        from engine.symbolic.kernels_numba import reach

        nodes, inverse = _dense(relation.s, relation.o)
        s, o = inverse[: relation.size], inverse[relation.size :]
        order = np.argsort(s, kind="stable")
        offsets = np.searchsorted(s[order], np.arange(len(nodes) + 1))
        starts = np.flatnonzero(np.diff(offsets))
        limit = self.budget.triples or np.iinfo(np.int64).max
        sources, targets, finished = reach(starts, offsets, o[order], limit)
        if not finished:
            raise Exhausted(f"more than {limit} triples were inferred")
        assert rule.closes is not None
        s_ids, o_ids = nodes[sources], nodes[targets]
        literal = self.program.dictionary.kinds[s_ids] == LITERAL
        grown = self.store.add(rule.closes[0], s_ids[~literal], o_ids[~literal], rule=rule.number, step=self.step)
        rule.seen[:] = [relation.size, relation.size]
        return grown

    def _spend(self) -> None:
        budget = self.budget
        if budget.rounds is not None and self.rounds > budget.rounds:
            raise Exhausted(f"{budget.rounds} rounds were not enough")
        if budget.triples is not None and len(self.store) - self._asserted > budget.triples:
            raise Exhausted(f"more than {budget.triples} triples were inferred")
        if budget.seconds is not None and time.perf_counter() - self._began > budget.seconds:
            raise Exhausted(f"{budget.seconds} seconds were not enough")

    def _note_negations(self, rule: CompiledRule) -> None:
        for negation in rule.negations:
            for atom in () if negation.data else negation.atoms:
                for keyed in (atom,) if atom.key is not None else self._keys(atom):
                    assert keyed.key is not None
                    relation = self.store.get(keyed.key)
                    self._negated.setdefault(keyed.key, (relation.size if relation else 0, rule))

    def _check_negations(self) -> None:
        """A relation read through NOT must not have grown afterwards: only a schema inferred late can do that."""
        for key, (size, rule) in self._negated.items():
            relation = self.store.get(key)
            if relation is not None and relation.size > size and self.exhausted is None:
                predicate = self.program.dictionary.key(key[0])
                where = rule.rule.location
                raise StratificationError(
                    f"Rule '{rule.rule.name}' reads {predicate} through NOT, and schema triples inferred later add to it; "
                    "state those schema triples in the graph instead of inferring them",
                    file=where.file if where else None,
                    line=where.line if where else None,
                )


def finish_body(
    rule: CompiledRule,
    bindings: Bindings,
    negation_slices: Callable[[CompiledAtom, bool], Sequence[Slice]],
    keys: Callable[[CompiledAtom], Sequence[CompiledAtom]],
    program: Program,
) -> Bindings:
    """What is left of a body after its positive atoms: SET in order, the filters that wait for it, then NOT."""
    from engine.symbolic.join import keep_if

    bindings = with_values(bindings, rule.values)
    for assignment in rule.assignments:
        bindings = assign(bindings, assignment, program.dictionary)
    for condition in rule.filters if rule.assignments else ():
        bindings = keep_if(bindings, condition, program.dictionary)
    for negation in rule.negations:
        bindings = without_match(
            bindings,
            negation,
            lambda atom, data=negation.data: negation_slices(atom, data),  # type: ignore[misc]  # fixes the loop variable
            lambda atom, _table: keys(atom),
            program.dictionary,
        )
    return bindings


def with_values(bindings: Bindings, values: dict[Variable, int] | object) -> Bindings:
    """The substitutions with the values that compilation put for variables, so that filters and SET can read them."""
    assert isinstance(values, dict)
    missing = {v: np.full(bindings.size, id, dtype=np.int64) for v, id in values.items() if v not in bindings.columns}
    return Bindings({**bindings.columns, **missing}, bindings.size, bindings.world)


def _early(rule: CompiledRule) -> tuple:  # type: ignore[type-arg]
    return () if rule.assignments else rule.filters


def add_heads(store: Store, rule: CompiledRule, bindings: Bindings, program: Program, step: int) -> list[Key]:
    """Add the head triples of every substitution; no literal becomes a subject. The relations that grew."""
    if not bindings.size:
        return []
    bindings = _with_fresh(rule, with_values(bindings, rule.values), program)
    grown = []
    for triple in rule.head:
        s, p, o = (bindings.value(term) for term in triple)
        assert s is not None and p is not None and o is not None, "safety was checked"
        kinds = program.dictionary.kinds
        valid = (kinds[s] != LITERAL) & (kinds[p] != LITERAL)
        s, p, o = s[valid], p[valid], o[valid]
        world = None if bindings.world is None else bindings.world[valid]
        if world is not None:
            s, o = (world << 32) | s, (world << 32) | o
        for predicate in [int(p[0])] if isinstance(triple[1], int) and len(p) else np.unique(p).tolist():
            chosen = p == predicate
            grown += store.add(predicate, s[chosen], o[chosen], rule=rule.number, step=step)
    return grown


def _with_fresh(rule: CompiledRule, bindings: Bindings, program: Program) -> Bindings:
    """A new blank node for each blank node of the head and each substitution, named by both."""
    if not rule.fresh:
        return bindings
    columns = dict(bindings.columns)
    names = sorted(v for v in bindings.columns)
    rows = list(zip(*(bindings.columns[v].tolist() for v in names), strict=True)) or [()] * bindings.size
    for blank in rule.fresh:
        keys = [f"_:n{rule.number}{blank}-" + "-".join(map(str, row)) for row in rows]
        columns[blank] = np.array([program.dictionary.intern_key(key) for key in keys], dtype=np.int64)
    return Bindings(columns, bindings.size, bindings.world)


def expand_atom(atom: CompiledAtom, keys: Sequence[Key], type_id: int) -> list[CompiledAtom]:
    """The atoms with a key that a wildcard atom stands for."""

    def put(term: int | Variable, values: dict[Variable, int]) -> int | Variable:
        return values.get(term, term) if isinstance(term, Variable) else term

    found = []
    for values in wild_values(atom, keys, type_id):
        s, p, o = put(atom.s, values), put(atom.p, values), put(atom.o, values)
        assert isinstance(p, int)
        key = (p, o) if p == type_id and isinstance(o, int) else (p, -1)
        found.append(CompiledAtom(key, s, p, o))
    return found


def _dependency(rule: CompiledRule, type_id: int) -> Dependency:
    heads = tuple(head_key(triple, type_id) or Wildcard.ANY for triple in rule.head)
    positive = () if rule.rule.data else tuple(rule.keys)
    negative = tuple(
        atom.key or Wildcard.ANY for negation in rule.negations if not negation.data for atom in negation.atoms
    )
    return Dependency(heads, positive, negative, rule.rule.runs_once, rule.rule.name, rule.rule.location)


def _dense(s: Array, o: Array) -> tuple[Array, Array]:
    """The distinct ids of two columns, ascending, and the columns one after the other as positions in it."""
    both = np.concatenate([s, o]).astype(np.int64)
    order = np.argsort(both, kind="stable")
    ordered = both[order]
    new = np.ones(len(both), dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    numbers = np.empty(len(both), dtype=np.int64)
    numbers[order] = np.cumsum(new) - 1
    return ordered[new], numbers


def load_store(graph_columns: Sequence[tuple[int, Array, Array]], type_id: int) -> Store:
    """A store with the asserted triples, one (predicate, subjects, objects) at a time."""
    store = Store(type_id)
    for predicate, s, o in graph_columns:
        store.add(predicate, s, o, rule=ASSERTED, step=0)
    return store
