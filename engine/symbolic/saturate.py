"""Closing a graph under rules as they are written, without compiling them to the schema first.

`fixpoint` makes a plain rule of every axiom, which pays where data outweighs the schema. Where the schema is the larger
part, compiling costs more than it saves: here an interpreter in machine code (`kernels_saturate`) runs the written
rules over one table of triples, one triple after the other. Lists of intersections, unions and enumerations are read
into made-up predicates (whole, member), so that one rule serves all of them.

Terms that are the same are kept under one name while the rules run (union-find) and written out at the end
(`equality`).

Only rules that add no new terms and have no NOT are run. Of the others, and of constraints, it is told whether their
positive body had a match at all; if not, they need no further thought.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdflib import OWL, RDF, RDFS, URIRef, Variable

from engine.symbolic.builtins import holds
from engine.symbolic.compile import Program
from engine.symbolic.draft import Draft
from engine.symbolic.equality import Names, equality_rules
from engine.symbolic.plans import UNKNOWN, Every, Source, Tables, asks_kind, build
from engine.symbolic.rules import Expression, Rule
from engine.symbolic.tables import FILTER, GROW, MERGE, Arena, Memory
from kg.dictionary import LITERAL, Dictionary

__all__ = ["Saturation", "Unsuited", "answer", "saturate"]

Array = NDArray[Any]

GIVEN = -1
"""The rule number of rows that were given."""
REWRITTEN = -10
"""Row r under other names has the rule number `REWRITTEN - r`."""
SLICE = 200_000
"""Rows processed before the budget is looked at."""
LISTS = (OWL.intersectionOf, OWL.unionOf, OWL.oneOf)
_LISTED = (*LISTS, OWL.members, OWL.distinctMembers, OWL.hasKey, OWL.propertyChainAxiom, OWL.inverseOf)
_LISTED_CLASSES = (OWL.AllDifferent, OWL.AllDisjointClasses, OWL.AllDisjointProperties)


class Unsuited(Exception):  # noqa: N818  # a signal inside the engine
    """The graph has something that only compiled rules can do: the message says what."""


@dataclass
class Saturation:
    """What came of it.

    Args:
        asserted: triples given, shape (3, num_asserted). inferred: shape (3, num_inferred).
        by_rule: inferred triples by the name of the rule that gave them.
        detected: the drafts of rules and constraints that were not run, and whose positive body may have a match.
        table: the rows by which proofs are found. names: the terms that are the same.
        drafts: the draft of each source; None where the name stands for rules about lists.
        rule_names: the name of each source. sources, num_ids: what the tables were made from.
        applications: matches found. rows: of the table in use.
    """

    asserted: Array
    inferred: Array
    by_rule: dict[str, int]
    detected: list[Draft]
    table: _Table
    names: Names
    drafts: list[Draft | None]
    rule_names: list[str]
    sources: list[Source]
    num_ids: int
    applications: int


class _Table:
    """The arena with room to grow."""

    def __init__(self, rows: int, used: Array) -> None:
        room = 4 * rows + 1024
        self.n = 0
        s, p, o, rule = (np.empty(room, np.int32) for _ in range(4))
        self.arena = Arena(s, p, o, rule, np.zeros(room, np.bool_), *_empty(room), used)

    def add(self, triples: Array) -> int:
        """Append given triples, for which there is room; the number of rows after it."""
        from engine.symbolic.kernels_saturate import append_all

        self.n = int(append_all(self.arena, self.n, triples[0], triples[1], triples[2], GIVEN))
        return self.n

    def grow(self, indexed: int) -> None:
        """Twice the room."""
        from engine.symbolic.kernels_saturate import fill_table, index_rows

        old = self.arena
        room = 2 * len(old.s)
        s, p, o, rule = (np.concatenate([column, np.empty_like(column)]) for column in old[:4])
        dead = np.concatenate([old.dead, np.zeros_like(old.dead)])
        self.arena = Arena(s, p, o, rule, dead, *_empty(room), old.used)
        fill_table(self.arena, self.n)
        index_rows(self.arena, indexed)

    def reindex(self, indexed: int, *, dead: bool = False) -> None:
        """Make the indexes again from the rows before `indexed` that are not dead, or all of them."""
        from engine.symbolic.kernels_saturate import index_rows

        if dead:
            every = np.ones_like(self.arena.used)
            self.arena = self.arena._replace(dead=np.zeros_like(self.arena.dead), used=every)
        self.arena.heads.fill(-1)
        index_rows(self.arena, indexed)


def _empty(room: int) -> tuple[Array, Array, Array]:
    slots = 1 << (2 * room - 1).bit_length()
    return np.full(slots, -1, np.int32), np.full((5, slots), -1, np.int32), np.empty((5, room), np.int32)


def saturate(
    asserted: Array,
    program: Program,
    axiom_rules: Sequence[Rule],
    *,
    lists: bool,
    check: Callable[[int], None],
) -> Saturation:
    """Close triples under the plain rules of a program.

    Args:
        asserted: subjects, predicates, objects, without repeats; shape (3, num_asserted).
        axiom_rules: rules made from the axioms, but for those about intersections, unions and enumerations.
        lists: whether those are to be applied.
        check: called now and then with the number of inferred triples; may raise to stop.

    Raises:
        Unsuited: see there.
    """
    return _Run(asserted, program, axiom_rules, lists, check).run()


def answer(tables: Tables, asked: Array, dictionary: Dictionary, names: Names) -> set[Expression]:
    """Evaluate a test on a term, both of which `asked` names, and note whether it holds for any name of the term.

    Returns: the test, if it holds for some names only.
    """
    expression, variable = tables.conditions[asked[0]]
    outcomes = {holds(expression, {variable: dictionary.term(name)}) for name in names.members(int(asked[1]))}
    tables.plans.tests[asked[0], asked[1]] = max(outcomes)
    asked[:] = -1
    return {expression} if len(outcomes) > 1 else set()


class _Run:
    """One saturation."""

    def __init__(
        self,
        asserted: Array,
        program: Program,
        axiom_rules: Sequence[Rule],
        lists: bool,
        check: Callable[[int], None],
    ) -> None:
        self.program, self.dictionary, self.check = program, program.dictionary, check
        self.asserted = asserted.astype(np.int32)
        self.lists = lists
        self.equality = equality_rules(program.ruleset)
        drafts = [*program.sources, *(program.prepare(rule) for rule in axiom_rules)]
        self.drafts: list[Draft | None] = [d for d in drafts if d.rule not in self.equality]
        self.sources = [Source.of(draft, self.dictionary) for draft in self.drafts if draft]
        self.rule_names = [draft.rule.name for draft in self.drafts if draft]
        self.base = len(self.dictionary)
        self.made_up_ids = (self.base, self.base + 1, self.base + 2)
        self.num_ids = self.base + len(self.made_up_ids)
        made_up = np.empty((3, 0), np.int32)
        self.facts: list[tuple[int, int, int, int]] = [
            (s, p, o, number)  # type: ignore[misc]  # a rule without a body is ground
            for number, source in enumerate(self.sources)
            for s, p, o in (source.head if not source.body else ())
        ]
        if lists:
            made_up = self._read_lists()  # with repeats, where a list names a class twice
            self._add_list_rules()
        if made_up.size and any(map(_reads_any_predicate, self.sources)):
            raise Unsuited("a rule reads every predicate, and would read the made-up ones")
        self.tables: Tables = build(self.sources, self.dictionary, self.num_ids)
        self.table = _Table(len(self.asserted[0]) + made_up.shape[1], self.tables.used)
        self.made_up = self.table.add(made_up)
        self.given = self.table.add(self.asserted)
        self.kinds = np.concatenate([self.dictionary.kinds, np.full(len(self.made_up_ids), 3, np.uint8)])
        same = self.dictionary.find(OWL.sameAs)
        self.same = -1 if same is None else same
        self.names = Names(self.num_ids, self.same, self.kinds)
        rules = max(1, len(self.sources))
        self.fired = np.zeros(rules, np.int64)
        self.mixed: set[Expression] = set()
        self.memory = blank_memory(self.num_ids, rules, program.type_id)

    # ------------------------------------------------------------ lists

    def _id(self, term: URIRef) -> int:
        found = self.dictionary.find(term)
        return -1 if found is None else found

    def _read_lists(self) -> Array:
        """Rows with the made-up predicates, shape (3, num_rows). Notes enumerations.

        A class may be the intersection of several lists, each of which is enough: so parts are those of a list, and
        (list, of, whole) tells whose it is. What is in a part of any list is in a union, so a union has its parts.
        """
        s, p, o = self.asserted
        found: list[tuple[int, int, int]] = []
        wanted = [self._id(predicate) for predicate in LISTS]
        if not np.isin(p, wanted).any():
            return np.empty((3, 0), np.int32)
        first, rest = (self._cells(self._id(predicate)) for predicate in (RDF.first, RDF.rest))
        nil = self._id(RDF.nil)
        literal = self.dictionary.kinds == LITERAL
        meets, of, joins = self.made_up_ids
        for predicate in wanted:
            at = p == predicate
            for whole, head in zip(s[at].tolist(), o[at].tolist(), strict=True):
                cell, seen = head, 0
                while cell != nil:
                    member, seen = first.get(cell, -1), seen + 1
                    cell = rest.get(cell, -1)
                    if member < 0 or cell < 0 or seen > len(first):
                        raise Unsuited("a list is malformed")
                    if literal[member] and predicate != wanted[2]:
                        raise Unsuited("a literal stands among classes")
                    if predicate == wanted[2]:
                        self.facts.append((member, self.program.type_id, whole, len(self.sources)))
                    elif predicate == wanted[1]:
                        found.append((whole, joins, member))
                    else:
                        found += [(head, meets, member), (head, of, whole)]
        return np.ascontiguousarray(np.array(found, np.int32).reshape(-1, 3).T)

    def _cells(self, predicate: int) -> dict[int, int]:
        at = self.asserted[1] == predicate
        pairs = list(zip(self.asserted[0][at].tolist(), self.asserted[2][at].tolist(), strict=True))
        cells = dict(pairs)
        if len(cells) < len(pairs):
            raise Unsuited("a list is malformed")
        return cells

    def _add_list_rules(self) -> None:
        x, part, whole, cell = Variable("x"), Variable("part"), Variable("whole"), Variable("list")
        a, sub = self.program.type_id, self.dictionary.intern(RDFS.subClassOf)
        meets, of, joins = self.made_up_ids
        meet = ((cell, meets, part), (cell, of, whole))
        made = {
            "cls-oo": Source((), ()),  # its facts are added at the start
            "cls-int1": Source((*meet, (x, a, part)), ((x, a, whole),), every=(Every(x, cell, meets, a),)),
            "cls-int2": Source((*meet, (x, a, whole)), ((x, a, part),)),
            "scm-int": Source(meet, ((whole, sub, part),)),
            "cls-uni": Source(((whole, joins, part), (x, a, part)), ((x, a, whole),)),
            "scm-uni": Source(((whole, joins, part),), ((part, sub, whole),)),
        }
        self.sources += made.values()
        self.drafts += [None] * len(made)
        self.rule_names += made

    # ------------------------------------------------------------ the run

    def run(self) -> Saturation:
        from engine.symbolic.kernels_saturate import append
        from engine.symbolic.kernels_saturate import saturate as process

        table, kinds = self.table, self.kinds
        values = np.zeros(self.tables.slots + 1, np.int64)
        cursor, asked = np.zeros(self.tables.depth + 1, np.int64), np.full(2, -1, np.int64)
        for s, p, o, number in self.facts:
            if table.n == len(table.arena.s):
                table.grow(0)
            if kinds[s] != LITERAL and kinds[p] == 0:
                table.n = append(table.arena, table.n, s, p, o, number)
        self.fired[[number for number, source in enumerate(self.sources) if not source.body]] = 1
        state = np.array([table.n, 0, 0, 1], np.int64)
        if self.equality:
            self._merge(state)
        while state[1] < state[0]:
            same = self.same if self.equality else -1
            code = process(
                *(table.arena, self.tables.plans, kinds, self.names.name, same),
                *(state, values, cursor, self.fired, self.memory, asked, SLICE, -1, -1, -1, -1),
            )
            table.n = int(state[0])
            self.check(table.n - self.given)
            if code == GROW:
                table.grow(int(state[2]))
            elif code == FILTER:
                self.mixed |= answer(self.tables, asked, self.dictionary, self.names)
            elif code == MERGE:
                self._merge(state)
        self._check_suited()
        return self._result()

    def _merge(self, state: Array) -> None:
        """Put what became the same under one name, and what is said under other names after the queue."""
        from engine.symbolic.kernels_saturate import rewrite

        table = self.table
        if not self.names.join(table.arena, table.n):
            return
        if self.names.with_literal:
            raise Unsuited("a literal is the same as something else")
        while len(table.arena.s) < 2 * table.n:
            table.grow(int(state[2]))
        before = table.n
        table.n = rewrite(table.arena, table.n, self.names.name, REWRITTEN)
        state[0] = table.n
        table.reindex(int(state[2]))
        self.memory.fresh.fill(0)
        merged = self.names.merged
        self.memory.several[merged] = True
        at = np.searchsorted(merged, self.names.name[merged])
        for row, (expression, _) in zip(self.tables.plans.tests, self.tables.conditions, strict=True):
            if not asks_kind(expression):  # a test holds for a thing where it holds for one of its names
                most, least = np.zeros(len(merged), np.int8), np.full(len(merged), UNKNOWN, np.int8)
                np.maximum.at(most, at, row[merged])
                np.minimum.at(least, at, row[merged])
                row[merged] = most[at]
                if ((most != least) & (most < UNKNOWN) & (least < UNKNOWN))[at].any():
                    self.mixed.add(expression)
        assert table.n <= 2 * before

    def _check_suited(self) -> None:
        """Nothing may have come about that axioms are read from, nor a second name for what a rule names."""
        table, given = self.table, self.given
        s, p, o = (column[given : table.n] for column in table.arena[:3])
        kept = self.names.merged
        if self.lists:
            if np.isin(p, [self._id(t) for t in _LISTED]).any():
                raise Unsuited("an axiom with a list was inferred")
            for cell in (self._id(RDF.first), self._id(RDF.rest)):  # what a cell is asserted to have goes first
                if not np.isin(s[p == cell], self.asserted[0][self.asserted[1] == cell]).all():
                    raise Unsuited("a list was inferred")
            if np.isin(o[p == self.program.type_id], [self._id(t) for t in _LISTED_CLASSES]).any():
                raise Unsuited("an axiom with a list was inferred")
            whole = table.arena.p[: table.n] == self.same
            if not self.equality and (table.arena.s[: table.n] != table.arena.o[: table.n])[whole].any():
                raise Unsuited("terms are the same and there is no rule for it")
        if not len(kept):
            return
        named = {t for source in self.sources for triple in source.body for t in triple if isinstance(t, int)}
        p, o = table.arena.p[: table.n], table.arena.o[: table.n]
        listed = o[(p == self.program.type_id) | (p >= self.base)], table.arena.s[: table.n][p >= self.base]
        if not named.isdisjoint(kept.tolist()) or any(np.isin(ids, kept).any() for ids in (p, *listed)):
            raise Unsuited("a class, a property or a term of a rule has another name")

    # ------------------------------------------------------------ the result

    def _result(self) -> Saturation:
        detected = [
            draft
            for number, (draft, source) in enumerate(zip(self.drafts, self.sources, strict=True))
            if draft is not None and ((source.detects and self.fired[number]) or self._blurs(number))
        ]
        inferred, rules = self.names.expand(self.table.arena, self.table.n, self.made_up, self.given)
        self.check(inferred.shape[1])
        counts = np.bincount(rules[rules >= 0], minlength=len(self.sources)).tolist()
        by_rule: dict[str, int] = {}
        for name, count in zip(self.rule_names, counts, strict=True):
            if count:
                by_rule[name] = by_rule.get(name, 0) + count
        for code, name in enumerate(Names.RULES):
            count = int((rules == -1 - code).sum())
            if count:
                by_rule[name] = count
        return Saturation(
            self.asserted,
            inferred,
            by_rule,
            detected,
            self.table,
            self.names,
            self.drafts,
            self.rule_names,
            [replace(source, detects=False) for source in self.sources],
            self.num_ids,
            int(self.fired.sum()),
        )

    def _blurs(self, number: int) -> bool:
        """Whether a condition of a rule met two names of one thing, which the interpreter does not tell apart."""
        source = self.sources[number]
        mixed = any(condition.expression in self.mixed for condition in source.filters)
        if mixed and not source.detects:
            raise Unsuited("a FILTER holds for some names of a thing only")
        return mixed or bool(self.memory.blurred[number])


def _reads_any_predicate(source: Source) -> bool:
    """Whether a predicate of a body is a variable that no atom with a predicate of its own binds."""
    named = {term for s, p, o in source.body if not isinstance(p, Variable) for term in (s, o)}
    return any(isinstance(p, Variable) and p not in named for _, p, _ in source.body)


def blank_memory(num_ids: int, num_rules: int, type_id: int) -> Memory:
    """A memory that knows nothing."""
    live, fresh = np.zeros((2, num_ids), np.uint64), np.zeros((2, num_ids), np.int64)
    several, blurred = np.zeros(num_ids, np.bool_), np.zeros(num_rules, np.bool_)
    return Memory(live, fresh, several, blurred, np.zeros(64, np.int64), np.zeros(64, np.int64), type_id)
