"""Semi-naive evaluation of a program over a store, stratum by stratum, until nothing new follows.

A rule application looks only at substitutions that use a row the rule has not seen (`CompiledRule.seen`, a row count
per body atom): for every changed atom, atoms before it match old rows, the atom itself new rows, atoms after it all.
Each application is one *step*; the rows it adds carry rule and step, so premises always have a smaller step than
what they prove (a recognised transitive closure adds all its rows in one step; see `proof`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.symbolic.application import early_filters, expand_atom, finish_body, head_rows, pieces
from engine.symbolic.compile import CompiledRule, Program
from engine.symbolic.draft import Term, head_key
from engine.symbolic.fused import FusedRule, Target, fuse
from engine.symbolic.join import Bindings, CompiledAtom, Slice, evaluate
from engine.symbolic.kernels import kernels
from engine.symbolic.relation import DATA_STEP, Key, Relation, Store
from engine.symbolic.rules import Rule
from engine.symbolic.stratify import Dependency, stratify
from kg.dictionary import LITERAL, Dictionary
from kg.errors import ConfigError, StratificationError

if TYPE_CHECKING:
    from engine.symbolic.device import Device

__all__ = ["Budget", "Exhausted", "Fixpoint", "strata_of"]

log = logging.getLogger(__name__)
Array = NDArray[np.int64]
_T = TypeVar("_T")
_ROW_BYTES = 24
"""A substitution's share of memory for each variable: a join holds its input, its result, and positions."""


@dataclass(frozen=True)
class Budget:
    """Limits of one materialisation, or of checking one claim; None is no limit.

    What is cut short is marked incomplete, never silently.

    Args:
        rounds: passes over the rules of a stratum, all strata together.
        triples: inferred triples; the default keeps a runaway program inside a large machine's memory.
        seconds: wall-clock seconds of the rules, and then again of the constraints.
        substitutions: rows of one join, a bound on memory (8 bytes a row and variable).
        new_terms: terms that SET computes and blank nodes that heads make, new to the graph's dictionary; each some
            500 bytes.
        bytes: memory of the inferred triples with the asserted ones, in columns and indexes, and of one join.
        violations: matches of all constraints; some 500 bytes each.

    Raises:
        ConfigError: a limit is negative.
    """

    rounds: int | None = None
    triples: int | None = 500_000_000
    seconds: float | None = None
    substitutions: int | None = 200_000_000
    new_terms: int | None = None
    bytes: int | None = None
    violations: int | None = 1_000_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and value < 0:
                raise ConfigError(f"Expected a budget of {name} that is not negative (got {value}); None is no limit")


class Exhausted(Exception):  # noqa: N818  # a signal inside the engine, turned into a marked result
    """A budget ran out; the message says which."""


class Spending:
    """What has been used of a budget since it was made.

    New terms are those that the dictionary gains between `begin` and `end`, not those of rules that are compiled.
    """

    def __init__(self, budget: Budget, dictionary: Dictionary) -> None:
        self.budget, self.dictionary = budget, dictionary
        self.rounds = self.new_terms = self._violations = 0
        self._terms = len(dictionary)
        self._began = time.perf_counter()

    def begin(self) -> None:
        """An application of a rule begins."""
        self._terms = len(self.dictionary)

    def end(self) -> None:
        """It has ended. Raises `Exhausted` as `tick` does."""
        self.tick()
        self.new_terms += len(self.dictionary) - self._terms
        self._terms = len(self.dictionary)

    def tick(self) -> None:
        """Raises `Exhausted` where seconds or new terms are over the budget; cheap, called inside an application."""
        seconds, new_terms = self.budget.seconds, self.budget.new_terms
        if seconds is not None and self.seconds > seconds:
            raise Exhausted(f"{seconds} seconds were not enough")
        if new_terms is not None and self.new_terms + len(self.dictionary) - self._terms > new_terms:
            raise Exhausted(f"more than {new_terms} new terms were made")

    @property
    def stop(self) -> Callable[[], None] | None:
        """What a join should call again and again, or None where it may run to its end."""
        return None if self.budget.seconds is None and self.budget.new_terms is None else self.tick

    def rows(self, rule: CompiledRule) -> int | None:
        """How many substitutions one join of a rule may give."""
        limits = [self.budget.substitutions]
        if self.budget.bytes is not None:
            limits.append(self.budget.bytes // (_ROW_BYTES * max(1, len(rule.rule.variables))))
        return min((limit for limit in limits if limit is not None), default=None)

    def matched(self, number: int) -> None:
        """Count matches of constraints. Raises `Exhausted` where they are too many."""
        self._violations += number
        if self.budget.violations is not None and self._violations > self.budget.violations:
            raise Exhausted(f"more than {self.budget.violations} violations were found")

    def counted(self, found: Iterable[_T]) -> Iterator[_T]:
        """Violations one by one. Raises `Exhausted` where they are too many, or take too long."""
        for item in found:
            self.matched(1)
            if not self._violations & 0x3FF:
                self.tick()
            yield item

    def check(self, inferred: int, store: Store) -> None:
        """Raises `Exhausted` where anything is over the budget."""
        budget = self.budget
        if budget.rounds is not None and self.rounds > budget.rounds:
            raise Exhausted(f"{budget.rounds} rounds were not enough")
        if budget.triples is not None and inferred > budget.triples:
            raise Exhausted(f"more than {budget.triples} triples were inferred")
        if budget.bytes is not None and store.nbytes > budget.bytes:
            raise Exhausted(f"columns and indexes took more than {budget.bytes} bytes")
        self.tick()

    @property
    def seconds(self) -> float:
        """Wall-clock seconds since the start."""
        return time.perf_counter() - self._began


class Fixpoint:
    """The state of one materialisation: store, program, strata, and what has been applied.

    Args:
        store: relations with the asserted triples; grows.
        program: the rules; grows with the schema.
        axiom_rules: reads the list-valued axioms of the store as rules.
        budget: limits; when one runs out, `exhausted` says which and the store is sound but not complete.
        device: joins the plain rules; None for the CPU's own kernels.
    """

    def __init__(
        self,
        store: Store,
        program: Program,
        *,
        axiom_rules: Callable[[], Sequence[Rule]] = tuple,
        budget: Budget | None = None,
        device: Device | None = None,
    ) -> None:
        self.store, self.program, self.axiom_rules = store, program, axiom_rules
        self.device = device
        self.spending = Spending(budget or Budget(), program.dictionary)
        self.step = DATA_STEP
        self.exhausted: str | None = None
        self.strata: list[list[CompiledRule]] = []
        self.seconds = 0.0
        self._applied_once: set[int] = set()
        self._read: dict[int, tuple[CompiledRule, dict[Key, int]]] = {}
        self._asserted = len(store)
        self._before = (0, 0)
        self._fusions: dict[int, FusedRule | None] = {}
        self._literals: NDArray[np.bool_] = np.zeros(0, dtype=bool)

    def run(self) -> Fixpoint:
        """Close the store under the program; compile again while the schema grows. Returns itself.

        Raises:
            StratificationError: the compiled rules have no strata, or schema triples inferred late add to a relation
                that was complete when a NOT or a run-once rule read it.
        """
        try:
            while self._pass():
                log.debug("step %d: the schema grew, compiling again", self.step)
        except Exhausted as stop:
            self.exhausted = str(stop)
            log.warning("materialisation stopped: %s; the result is marked incomplete, raise the budget", stop)
        else:
            self._check_settled()
        self.seconds = self.spending.seconds
        return self

    def fork(
        self, store: Store, program: Program, *, axiom_rules: Callable[[], Sequence[Rule]], asserted: int
    ) -> Fixpoint:
        """The state over a copy of the store, to be changed, and a program that goes on from this one.

        Args:
            asserted: how many triples will be asserted there; a budget of triples counts the others.
        """
        other = Fixpoint(store, program, axiom_rules=axiom_rules, budget=self.spending.budget)
        other.step = self.step
        other.strata = [[program.rules[rule.number] for rule in rules] for rules in self.strata]
        schema, _, renamed = self._schema_state()
        other._before, other._asserted = (schema, renamed), asserted
        return other

    @property
    def renamed(self) -> bool:
        """Whether a predicate or a class that has rows is the same as another term: rules are made for that."""
        return self._schema_state()[2] > 0

    def takes_complete(self) -> set[Key]:
        """The relations that a NOT of a rule reads: where one changes, conclusions may have to be taken back."""
        atoms = (atom for rule in self.program.rules for atom in self._negated(rule))
        return {atom.key for atom in atoms if atom.key is not None}

    @property
    def settled(self) -> bool:
        """Whether every rule has seen all rows it reads, those that run once included."""
        for rule in self.program.rules:
            found = [relation for key in rule.keys if (relation := self.store.get(key)) is not None]
            if len(found) == len(rule.body) and not rule.rule.data and rule.seen != [each.size for each in found]:
                return False
        return True

    def resume(self) -> bool:
        """Close a store that was closed before some rows were added to it; false where the schema grew on the way.

        What the rules have seen says which rows are new. Nothing is taken back: whether a NOT or a run-once rule reads
        what grew is for the caller to find out (`takes_complete`, `settled`).

        Raises:
            StratificationError: rules for relations that had no row before leave no strata.
        """
        before = self._before
        try:
            while True:
                if any(relation.size and key not in self.program.live_keys for key, relation in self.store):
                    self.program.extend(self.store, extra=self.axiom_rules())
                    self.strata = strata_of(self.program)
                for rules in self.strata:
                    self._close(rules)
                schema, unknown, renamed = self._schema_state()
                if (schema, renamed) != before:
                    return False
                if not unknown:
                    break
        except Exhausted as stop:
            self.exhausted = str(stop)
        self.seconds = self.spending.seconds
        return True

    def _pass(self) -> bool:
        """One pass over the strata, the rules of the schema first; true when the schema grew, which ends the pass."""
        if self.program.extend(self.store, extra=self.axiom_rules()) or not self.strata:
            self.strata = strata_of(self.program)
        for rules in self.strata:
            schema = self._schema_state()
            self._close([rule for rule in rules if all(map(self.program.is_schema, rule.keys))])
            if self._schema_state() == schema:
                self._close(rules)
            if self._schema_state() != schema:
                return True
        return False

    def _schema_state(self) -> tuple[int, int, int]:
        """What the compiled rules were made from: schema triples, relations, and other names of relations."""
        schema = sum(relation.size for key, relation in self.store if self.program.is_schema(key))
        unknown = sum(1 for key, relation in self.store if relation.size and key not in self.program.keys)
        same = self.store.get((self.program.same_as, -1))
        renamed = 0 if same is None else int(np.isin(same.s, self.program.names(self.store)).sum())
        return schema, unknown, renamed

    def _close(self, rules: Sequence[CompiledRule]) -> None:
        """Apply the rules of one stratum until none has unseen rows."""
        readers = readers_of(rules)
        for rule in rules:
            if rule.rule.runs_once and rule.number not in self._applied_once:
                self._applied_once.add(rule.number)
                self._apply(rule)
        active = [rule for rule in rules if not rule.rule.runs_once]
        while active:
            self.spending.rounds += 1
            grown: dict[Key, None] = {}
            for rule in active:
                grown.update(dict.fromkeys(self._apply(rule)))
            active = next_round(grown, readers)

    def _apply(self, rule: CompiledRule) -> list[Key]:
        """One application: add what follows from substitutions with an unseen row; the relations that grew."""
        found = [relation for key in rule.keys if (relation := self.store.get(key)) is not None and relation.size]
        if len(found) < len(rule.body):
            return []
        ends = [relation.size_before(1) if rule.rule.data else relation.size for relation in found]
        if rule.body and ends == rule.seen:
            return []
        self.step += 1
        self.spending.check(len(self.store) - self._asserted, self.store)
        if rule.closes is not None and self._worth_reach(found[0], rule):
            return self._reach(rule)
        self._note_read(rule, ends)
        grown: dict[Key, None] = {}
        fused = self._fused(rule)
        if fused is not None:
            for changed, slices in self._changes(rule, found, ends):
                grown.update(dict.fromkeys(self._insert(rule, fused, slices, changed)))
            rule.seen[:] = ends
            return list(grown)
        self.spending.begin()
        for bindings in self._substitutions(rule, found, ends):
            for rows in head_rows(rule, bindings, self.program):
                added = self.store.add(rows.predicate, rows.s, rows.o, rule=rule.number, step=self.step)
                grown.update(dict.fromkeys(added))
        self.spending.end()
        rule.seen[:] = ends
        return list(grown)

    def _substitutions(self, rule: CompiledRule, relations: list[Relation], ends: list[int]) -> Iterator[Bindings]:
        """The substitutions with an unseen row, one table for each changed atom; negations and SET applied.

        All tables are made from the rows before this application, whatever is added in between.
        """
        for changed, slices in self._changes(rule, relations, ends):
            yield from self._joined(rule, lambda i, slices=slices: slices[i : i + 1], changed)  # type: ignore[misc]  # fixes the loop variable

    def _changes(
        self, rule: CompiledRule, relations: list[Relation], ends: list[int]
    ) -> Iterator[tuple[int | None, list[Slice]]]:
        """Each atom with unseen rows, and what every atom may match beside it; None for the first application."""
        if not any(rule.seen):
            yield None, [Slice(relation, 0, end) for relation, end in zip(relations, ends, strict=True)]
            return
        for changed, seen in enumerate(rule.seen):
            if seen < ends[changed]:
                below = [Slice(relations[i], 0, rule.seen[i]) for i in range(changed)]
                above = [Slice(relations[i], 0, ends[i]) for i in range(changed + 1, len(ends))]
                yield changed, [*below, Slice(relations[changed], seen, ends[changed]), *above]

    def _fused(self, rule: CompiledRule) -> FusedRule | None:
        """The rule's numbers for the compiled loop, made on first use; None where it has none."""
        if rule.number not in self._fusions:
            self._fusions[rule.number] = fuse(rule, self.program.type_id, self.program.dictionary)
        return self._fusions[rule.number]

    def _insert(self, rule: CompiledRule, fused: FusedRule, slices: list[Slice], changed: int | None) -> list[Key]:
        target = self._target(rule)
        try:
            if self.device is not None:
                return self.device.run(fused, slices, changed, target)
            return fused.run(slices, changed, target)
        except MemoryError as error:
            raise Exhausted(f"rule '{rule.rule.name}': {error}") from error

    def _target(self, rule: CompiledRule) -> Target:
        return Target(
            self.store,
            rule.number,
            self.step,
            len(self.program.dictionary),
            self._literal,
            self.spending.rows(rule),
            lambda: self.spending.check(len(self.store) - self._asserted, self.store),
        )

    def _literal(self) -> NDArray[np.bool_]:
        """Whether each term is a literal; only a SET makes new ones, so it is made again when there are more terms."""
        if len(self._literals) != len(self.program.dictionary):
            self._literals = self.program.dictionary.kinds >= LITERAL
        return self._literals

    def _joined(
        self, rule: CompiledRule, slices: Callable[[int], Sequence[Slice]], first: int | None
    ) -> Iterator[Bindings]:
        """The matches of a body; piece by piece where the rule makes terms, so that a budget can stop it."""
        limit, stop = self.spending.rows(rule), self.spending.stop
        try:
            bindings = evaluate(
                rule.body,
                slices,
                Bindings.unit(rule.constants),
                filters=early_filters(rule),
                dictionary=self.program.dictionary,
                first=first,
                limit=limit,
                stop=stop,
            )
            for piece in pieces(rule, bindings):
                self.spending.tick()
                yield finish_body(
                    rule, piece, self.negation_slices, self.store.keys, self.program, limit=limit, stop=stop
                )
        except MemoryError as error:
            raise Exhausted(f"rule '{rule.rule.name}': {error}") from error

    def negation_slices(self, atom: CompiledAtom, data: bool) -> Sequence[Slice]:
        """What a negated atom may match: all rows of its relation, or the asserted ones."""
        assert atom.key is not None
        relation = self.store.get(atom.key)
        if relation is None:
            return ()
        return (Slice(relation, 0, relation.size_before(1) if data else relation.size),)

    def _worth_reach(self, relation: Relation, rule: CompiledRule) -> bool:
        """Whether enough rows are new for a search over all of them to beat joining the new ones.

        A tenth is where the two broke even on random graphs of 10⁴ edges.
        """
        return 10 * (relation.size - rule.seen[0]) >= relation.size

    def _reach(self, rule: CompiledRule) -> list[Key]:
        """The transitive closure of a relation by breadth-first search from every source.

        What is found is new and distinct, and no literal, for every source is the subject of a row.
        """
        assert rule.closes is not None
        relation = self.store.writable(rule.closes)
        size = relation.size
        if self.device is not None:
            return self._reach_on(self.device, rule, rule.closes, relation)
        nodes, inverse = _dense(relation.s, relation.o)
        s, o = inverse[:size], inverse[size:]
        order = np.argsort(s, kind="stable")
        offsets = np.searchsorted(s[order], np.arange(len(nodes) + 1))
        limit = self._reach_limit()
        grown_s, grown_o, end, finished = kernels().reach(
            nodes.astype(np.int32),
            np.flatnonzero(np.diff(offsets)),
            offsets,
            o[order].astype(np.int32),
            *relation.columns,
            size,
            limit,
        )
        if not finished:  # a proof halves the way between two ends, so either all rows are there or none
            raise Exhausted(f"more than {limit} triples were inferred")
        new = relation.grow(grown_s, grown_o, end, rule=rule.number, step=self.step, entered=False)
        self.store.grew(rule.closes, relation, new)
        rule.seen[:] = [end, end]
        return [rule.closes] if new else []

    def _reach_limit(self) -> int:
        most = self.spending.budget.triples
        limit = int(np.iinfo(np.int64).max) if most is None else most
        if self.spending.budget.bytes is not None:
            limit = min(limit, self.spending.budget.bytes // (2 * _ROW_BYTES))
        return limit

    def _reach_on(self, device: Device, rule: CompiledRule, key: Key, relation: Relation) -> list[Key]:
        """The same on a device."""
        limit = self._reach_limit()
        found = device.reach(relation, limit, self._target(rule))
        if found is None:
            raise Exhausted(f"more than {limit} triples were inferred")
        new = relation.append(*found, rule=rule.number, step=self.step)
        self.store.grew(key, relation, new)
        rule.seen[:] = [relation.size, relation.size]
        return [key] if new else []

    def _note_read(self, rule: CompiledRule, ends: list[int]) -> None:
        """Remember how large the relations were that a NOT, or a rule that runs once, takes to be complete."""
        if (rule.negations or rule.rule.runs_once) and rule.number not in self._read:
            keys = [atom.key for atom in self._must_settle(rule) if atom.key is not None]
            self._read[rule.number] = (rule, {key: self._size(key) for key in keys})

    def _must_settle(self, rule: CompiledRule) -> Iterator[CompiledAtom]:
        """The atoms, each with a key, whose matches a rule takes to be complete."""
        yield from self._negated(rule)
        if rule.rule.runs_once and not rule.rule.data:
            yield from rule.body

    def _negated(self, rule: CompiledRule) -> Iterator[CompiledAtom]:
        """The atoms, each with a key, of the rule's NOTs, those over asserted triples left out."""
        keys = list(self.store.relations)
        for negation in rule.negations:
            for atom in () if negation.data else negation.atoms:
                yield from (atom,) if atom.key is not None else expand_atom(atom, keys, self.program.type_id)

    def _size(self, key: Key) -> int:
        relation = self.store.get(key)
        return relation.size if relation else 0

    def _matches_later(self, atom: CompiledAtom, row: int) -> bool:
        """Whether a row from this one on has the constants of an atom."""
        relation = None if atom.key is None else self.store.get(atom.key)
        if relation is None or relation.size <= row:
            return False
        found = np.ones(relation.size - row, dtype=bool)
        for term, column in ((atom.s, relation.s), (atom.o, relation.o)):
            if isinstance(term, int):
                found &= column[row:] == term
        return bool(found.any())

    def _check_settled(self) -> None:
        """What was taken to be complete must have no later match: only a schema inferred late can do that."""
        for rule, sizes in self._read.values():
            for atom in self._must_settle(rule):
                key = atom.key
                assert key is not None
                if self._matches_later(atom, sizes.get(key, 0)):
                    where = rule.rule.location
                    raise StratificationError(
                        f"Expected {self.program.dictionary.key(key[0])} to be complete when {rule.rule.kind} "
                        f"'{rule.rule.name}' reads it through NOT or SET (got triples added later by rules made from "
                        "inferred schema triples); state those schema triples in the graph",
                        file=where.file if where else None,
                        line=where.line if where else None,
                    )


def readers_of(rules: Sequence[CompiledRule]) -> dict[Key, list[CompiledRule]]:
    """The rules that read each relation; those that run once are left out."""
    readers: dict[Key, list[CompiledRule]] = {}
    for rule in rules:
        for key in dict.fromkeys(rule.keys) if not rule.rule.runs_once else ():
            readers.setdefault(key, []).append(rule)
    return readers


def next_round(grown: dict[Key, None], readers: dict[Key, list[CompiledRule]]) -> list[CompiledRule]:
    """The rules that read a relation that grew, in the order of the program."""
    again = {rule.number: rule for key in grown for rule in readers.get(key, ())}
    return [again[number] for number in sorted(again)]


_LATE = ("late",) * 3  # a pattern that meets no triple, only itself


def strata_of(program: Program) -> list[list[CompiledRule]]:
    """The compiled rules, stratum by stratum.

    A head whose predicate (or class) is a variable may add to anything, so under equality rules such as eq-rep-p every
    NOT would stand in a cycle. Where that alone prevents strata, those heads are left out, every NOT and run-once rule
    comes after the first stratum, and `Fixpoint` checks at the end that nothing was added to what they read.

    Raises:
        StratificationError: a rule depends on its own result through NOT, or runs once and depends on itself.
    """
    rules, type_id = program.rules, program.type_id
    try:
        groups = stratify([_dependency(rule, rule.head) for rule in rules])
    except StratificationError:
        known = [[triple for triple in rule.head if head_key(triple, type_id) is not None] for rule in rules]
        if all(len(heads) == len(rule.head) for heads, rule in zip(known, rules, strict=True)):
            raise
        late = Dependency((_LATE,), (), (), False, "")
        dependencies = [_dependency(rule, heads, late=True) for rule, heads in zip(rules, known, strict=True)]
        groups = [[i for i in group if i < len(rules)] for group in stratify([*dependencies, late])]
    return [[rules[i] for i in group] for group in groups if group]


def _dependency(rule: CompiledRule, heads: Sequence[tuple[Term, Term, Term]], *, late: bool = False) -> Dependency:
    negative = [_pattern(atom[1:]) for n in rule.negations if not n.data for atom in n.atoms]
    if late and (negative or rule.rule.runs_once):
        negative.append(_LATE)
    return Dependency(
        heads=tuple(map(_pattern, heads)),
        positive=() if rule.rule.data else tuple(_pattern(atom[1:]) for atom in rule.body),
        negative=tuple(negative),
        run_once=rule.rule.runs_once,
        name=rule.rule.name,
        location=rule.rule.location,
    )


def _pattern(terms: Sequence[Term]) -> tuple[int | str | None, ...]:
    return tuple(term if isinstance(term, int) else None for term in terms)


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
