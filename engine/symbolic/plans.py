"""Rules as the tables that `kernels_saturate` interprets.

Every atom of a body is a *pivot*: a new triple is matched with it first, then the other atoms in an order chosen here,
most bound positions first. A rule the interpreter cannot run (NOT, SET, a new blank node, a test it does not know) and
a constraint get plans that only *detect* whether the body may have a match: conditions left out can only make fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdflib import OWL, RDF, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.datatypes import FUNCTION, OWL2RL_DATATYPES
from engine.symbolic.draft import Draft, Term
from engine.symbolic.rules import Call, Constant, Expression, Filter, VariableRef, expression_variables
from engine.symbolic.tables import CHECK, DIFFERENT, EVERY, PO, SAME, SCAN, SP, TESTED, UNKNOWN, O, P, Plans, S
from kg.dictionary import BLANK, IRI, LITERAL, Dictionary

__all__ = ["UNKNOWN", "Every", "Source", "Tables", "asks_kind", "build"]

Array = NDArray[Any]
Pattern = tuple[Term, Term, Term]
_MODES = {
    (True, True, True): CHECK,
    (True, True, False): SP,
    (False, True, True): PO,
    (False, True, False): P,
    (True, False, False): S,
    (True, False, True): S,
    (False, False, True): O,
    (False, False, False): SCAN,
}
_RANK = {CHECK: 0, SP: 1, PO: 2, S: 3, O: 3, P: 4, SCAN: 5}
_VOLATILE = frozenset(("NOW", "UUID", "STRUUID", "BNODE", "RAND"))
_KINDS = {"isLITERAL": (LITERAL,), "isIRI": (IRI,), "isURI": (IRI,), "isBLANK": (BLANK,)}


@dataclass(frozen=True)
class Every:
    """The condition that `member` is in every class that `whole` has by `predicate`."""

    member: Variable
    whole: Variable
    predicate: int
    type_id: int


@dataclass(frozen=True)
class Source:
    """One rule for the interpreter.

    Args:
        body, head: patterns over ids. filters: conditions of the rule as written. every: a condition over a list.
        detects: the rule is looked at only for whether its body may have a match.
    """

    body: tuple[Pattern, ...]
    head: tuple[Pattern, ...]
    filters: tuple[Filter, ...] = ()
    every: tuple[Every, ...] = ()
    detects: bool = False

    @classmethod
    def of(cls, draft: Draft, dictionary: Dictionary) -> Source:
        """The source of a draft; it only detects where the interpreter cannot run the rule."""
        plain = [condition for condition in draft.filters if isinstance(condition, Filter)]
        conditions = [part for condition in plain for part in _conjuncts(condition.expression)]
        known = tuple(Filter(part) for part in conditions if _is_known(part, dictionary))
        rule = draft.rule
        special = bool(draft.negations or rule.assignments or draft.fresh or rule.data or not rule.head)
        special = special or bool(draft.made_terms or rule.aggregates or len(plain) < len(draft.filters))
        body = tuple((atom.s, atom.p, atom.o) for atom in draft.body)
        head = () if special else draft.head
        return cls(body, head, known, detects=special or len(known) < len(conditions))


def _conjuncts(expression: Expression) -> Iterator[Expression]:
    """The parts of a conjunction: it is true when each of them is, and an error in one makes it not true."""
    if isinstance(expression, Call) and expression.function == "&&":
        for argument in expression.arguments:
            yield from _conjuncts(argument)
    else:
        yield expression


def _is_known(expression: Expression, dictionary: Dictionary) -> bool:
    if _is_volatile(expression):
        return False
    return _comparison(expression, dictionary) is not None or len(set(expression_variables(expression))) == 1


def _is_volatile(expression: Expression) -> bool:
    """Whether it gives another value each time it is evaluated."""
    if not isinstance(expression, Call):
        return False
    return expression.function in _VOLATILE or any(map(_is_volatile, expression.arguments))


def _comparison(expression: Expression, dictionary: Dictionary) -> tuple[int, Term, Term] | None:
    """An (in)equality that ids decide, as filter kind and terms; None for any other expression."""
    wanted = True
    if isinstance(expression, Call) and expression.function == "!":
        expression, wanted = expression.arguments[0], False
    if not isinstance(expression, Call) or expression.function not in ("=", "!=", "sameTerm"):
        return None
    exact = expression.function == "sameTerm"
    terms: list[Term] = []
    for argument in expression.arguments:
        if isinstance(argument, VariableRef):
            terms.append(argument.variable)
            continue
        id = dictionary.find(argument.term) if isinstance(argument, Constant) else None
        if id is None:
            return None
        exact = exact or not isinstance(argument.term, Literal)  # type: ignore[union-attr]  # it is a constant
        terms.append(id)
    if not exact:
        return None
    return (SAME if (expression.function != "!=") == wanted else DIFFERENT), terms[0], terms[1]


@dataclass
class Tables:
    """The tables of some sources, and what the interpreter may ask about.

    Args:
        plans: for the interpreter. conditions: the expression and variable of each test.
        used: which of the five indexes the steps need. slots: the most variables of a rule. depth: the most steps.
        variables: of each source, its variables in the order of their slots.
        always: detecting sources without a body, which always match.
    """

    plans: Plans
    conditions: list[tuple[Expression, Variable]]
    used: Array
    slots: int
    depth: int
    variables: list[list[Variable]]


@dataclass
class _Builder:
    dictionary: Dictionary
    type_id: int
    pivots: list[tuple[Any, ...]] = field(default_factory=list)
    steps: list[tuple[Any, ...]] = field(default_factory=list)
    guards: list[tuple[Any, ...]] = field(default_factory=list)
    filters: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    tests: dict[tuple[Expression, Variable], int] = field(default_factory=dict)
    conditions: list[tuple[Expression, Variable]] = field(default_factory=list)
    variables: list[list[Variable]] = field(default_factory=list)

    def add(self, number: int, source: Source, *, heads: bool = False) -> None:
        """The pivots of one source: its body atoms, or its head atoms where proofs are looked for."""
        slots: dict[Variable, int] = {}
        self.variables.append([])

        def code(term: Term) -> int:
            return -1 - slots.setdefault(term, len(slots)) if isinstance(term, Variable) else term

        body = [(code(s), code(p), code(o)) for s, p, o in source.body]
        head = [(code(s), code(p), code(o)) for s, p, o in source.head]
        filters = [self._filter(condition.expression, code, source) for condition in source.filters]
        for every in source.every:
            filters.append((EVERY, code(every.member), code(every.whole), every.predicate, every.type_id))
        self.variables[-1] = list(slots)
        for at, pattern in enumerate(head if heads else body):
            self._pivot(number, pattern, body if heads else [*body[:at], *body[at + 1 :]], filters)

    def _filter(
        self, expression: Expression, code: Callable[[Term], int], source: Source
    ) -> tuple[int, int, int, int, int]:
        known = _comparison(expression, self.dictionary)
        if known is not None:
            kind, a, b = known
            same = self.dictionary.find(OWL.sameAs)
            sharp = source.head in (((a, same, b),), ((b, same, a),)) or isinstance(a, int) or isinstance(b, int)
            return kind, code(a), code(b), int(sharp), 0
        variable = next(expression_variables(expression))
        key = (expression, variable)
        if key not in self.tests:
            self.tests[key] = len(self.conditions)
            self.conditions.append((expression, variable))
        return TESTED, code(variable), self.tests[key], 0, 0

    def _pivot(
        self, rule: int, pattern: tuple[int, ...], atoms: Sequence[tuple[int, ...]], filters: Sequence[Any]
    ) -> None:
        bound: set[int] = set()
        waiting = list(filters)
        binds, run = self._bind(pattern, bound), self._ready(waiting, bound)
        first, key = len(self.steps), self._key(pattern)
        guard = self._guard(pattern, key, atoms)
        rest = list(atoms)
        while rest:
            modes = [_MODES[tuple(t >= 0 or t in bound for t in atom)] for atom in rest]  # type: ignore[index]  # three
            best = min(range(len(rest)), key=lambda i: self._rank(rest[i], modes[i], key))
            atom, mode = rest.pop(best), modes[best]
            self.steps.append((atom, self._bind(atom, bound), mode, self._ready(waiting, bound)))
        self.pivots.append((pattern, binds, rule, (first, len(self.steps)), run, guard))

    def _key(self, pattern: tuple[int, ...]) -> int:
        """The variable predicate, or class, of a pivot; 0 where it has none."""
        if pattern[1] < 0:
            return pattern[1]
        return min(pattern[2], 0) if pattern[1] == self.type_id else 0

    def _rank(self, atom: tuple[int, ...], mode: int, key: int) -> float:
        """The fewer matches are to be expected, the lower: of a predicate or class there are more than of a thing."""
        rank: float = _RANK[mode]
        if mode in (SP, PO):
            rank += 2 if atom[1] < 0 else 1.7 if atom[1] == self.type_id else 0.5 if key in (atom[0], atom[2]) else 0
        return rank

    def _guard(self, pattern: tuple[int, ...], key: int, atoms: Sequence[tuple[int, ...]]) -> tuple[int, int]:
        """The steps over the schema that have to match whatever the pivot's other terms are."""
        start, others = len(self.guards), {term for term in pattern if term < 0 and term != key}
        slots = {key: -1}
        waiting = [a for a in atoms if a[1] >= 0 and (a[1] != self.type_id or a[2] >= 0) and others.isdisjoint(a)]
        while key < 0:
            found = next((a for a in waiting if any(t in slots for t in (a[0], a[2])) and a[0] != a[2]), None)
            if found is None:
                break
            waiting.remove(found)
            mode = _MODES[tuple(t >= 0 or t in slots for t in found)]  # type: ignore[index]  # three
            binds = tuple(t < 0 and t not in slots for t in found)
            reads = (1 if found[0] == key else 0) + (2 if found[2] == key else 0)
            coded = tuple(t if t >= 0 else slots.setdefault(t, -1 - len(slots)) for t in found)
            self.guards.append((coded, binds, mode, reads or 4))
        return start, len(self.guards)

    def _bind(self, pattern: tuple[int, ...], bound: set[int]) -> tuple[bool, ...]:
        binds = []
        for term in pattern:
            binds.append(term < 0 and term not in bound)
            if term < 0:
                bound.add(term)
        return tuple(binds)

    def _ready(self, waiting: list[Any], bound: set[int]) -> tuple[int, int]:
        """Write down the filters that can be evaluated now."""
        start = len(self.filters)
        for condition in list(waiting):
            kind, a, b = condition[:3]
            if all(t >= 0 or t in bound for t in ((a,) if kind == TESTED else (a, b))):
                self.filters.append(condition)
                waiting.remove(condition)
        return start, len(self.filters)


def build(sources: Sequence[Source], dictionary: Dictionary, num_ids: int, *, heads: bool = False) -> Tables:
    """The tables of some sources.

    Args:
        num_ids: ids, those of the dictionary and of made-up predicates. heads: make the head atoms pivots, for proofs.
    """
    made = _Builder(dictionary, dictionary.intern(RDF.type))
    for number, source in enumerate(sources):
        made.add(number, source, heads=heads)
    pivots = made.pivots
    by_p = [i for i, pivot in enumerate(pivots) if pivot[0][1] >= 0 and pivot[0][2] < 0]
    by_o = [i for i, pivot in enumerate(pivots) if pivot[0][2] >= 0]
    wild = [i for i, pivot in enumerate(pivots) if pivot[0][1] < 0 and pivot[0][2] < 0]
    if not heads:  # wild pivots stand last, in one run
        pivots = [pivots[i] for i in (*by_p, *by_o, *wild)]
    head_of = np.cumsum([0, *(len(source.head) for source in sources)])
    heads_coded = [
        tuple(-1 - made.variables[n].index(t) if isinstance(t, Variable) else t for t in triple)
        for n, source in enumerate(sources)
        for triple in source.head
    ]
    if heads:
        by_p, by_o = [], []
    p_offsets, p_order = _offsets([pivots[i][0][1] for i in range(len(by_p))], num_ids, 0)
    o_offsets, o_order = _offsets([pivots[len(by_p) + i][0][2] for i in range(len(by_o))], num_ids, len(by_p))
    modes = np.array([step[2] for step in made.steps], np.int32)
    used = np.isin(np.arange(5), [*modes.tolist(), *(guard[2] for guard in made.guards)])
    used[SP] |= any(source.every for source in sources)
    guards = np.zeros(num_ids, np.int8)
    for pattern, _, _, reads in made.guards:
        guards[pattern[1]] |= reads
    plans = Plans(
        pivot=_table([pivot[0] for pivot in pivots], 3),
        pivot_binds=_table([pivot[1] for pivot in pivots], 3).astype(np.bool_),
        pivot_rule=np.array([pivot[2] for pivot in pivots], np.int32),
        pivot_steps=_table([pivot[3] for pivot in pivots], 2),
        pivot_filters=_table([pivot[4] for pivot in pivots], 2),
        step=_table([step[0] for step in made.steps], 3),
        step_binds=_table([step[1] for step in made.steps], 3).astype(np.bool_),
        step_mode=modes,
        step_filters=_table([step[3] for step in made.steps], 2),
        filter=_table(made.filters, 5),
        tests=_tests(made.conditions, dictionary, num_ids),
        head_of=head_of.astype(np.int32),
        head=_table(heads_coded, 3),
        detects=np.array([source.detects for source in sources], np.bool_),
        by_p=p_offsets,
        by_p_pivot=p_order,
        by_o=o_offsets,
        by_o_pivot=o_order,
        wild=np.array([len(by_p) + len(by_o), len(pivots)], np.int32),
        pivot_guards=_table([pivot[5] for pivot in pivots], 2),
        guard=_table([guard[0] for guard in made.guards], 3),
        guard_binds=_table([guard[1] for guard in made.guards], 3).astype(np.bool_),
        guard_mode=np.array([guard[2] for guard in made.guards], np.int32),
        guards=guards,
    )
    slots = max((len(v) for v in made.variables), default=0)
    depth = max((pivot[3][1] - pivot[3][0] for pivot in pivots), default=0)
    return Tables(plans, made.conditions, used, slots, depth, made.variables)


def _table(rows: Sequence[Any], width: int) -> Array:
    return np.array(rows, np.int32).reshape(len(rows), width)


def _offsets(keys: list[int], num_ids: int, base: int) -> tuple[Array, Array]:
    """For each id the run of pivots with it: offsets, shape (num_ids + 1,), and pivots."""
    order = np.argsort(np.array(keys, np.int64), kind="stable")
    counts = np.bincount(np.array(keys, np.int64), minlength=num_ids) if keys else np.zeros(num_ids, np.int64)
    offsets = np.zeros(num_ids + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    return offsets, (order + base).astype(np.int32)


def asks_kind(expression: Expression) -> bool:
    """Whether an expression asks for literals, or for what is none: names of one thing are alike in that."""
    inner = expression.arguments[0] if isinstance(expression, Call) and expression.function == "!" else expression
    return isinstance(inner, Call) and inner.function == "isLITERAL" and isinstance(inner.arguments[0], VariableRef)


def _names_asked(expression: Expression, variable: Variable) -> Collection[Node] | None:
    """The IRIs of which a test asks if a variable is one; None for any other test."""
    if not isinstance(expression, Call) or expression.arguments[:1] != (VariableRef(variable),):
        return None
    if expression.function == f"{FUNCTION}supported":
        return OWL2RL_DATATYPES
    terms = [a.term for a in expression.arguments[1:] if isinstance(a, Constant) and isinstance(a.term, URIRef)]
    asked = expression.function == "IN" and len(terms) == len(expression.arguments) - 1
    return terms if asked else None


def _tests(conditions: Sequence[tuple[Expression, Variable]], dictionary: Dictionary, num_ids: int) -> Array:
    """Outcomes of the tests by term, shape (num_tests, num_ids): known where a kind or an IRI is asked for."""
    tests = np.full((len(conditions), num_ids), UNKNOWN, np.int8)
    for row, (expression, variable) in zip(tests, conditions, strict=True):
        wanted = True
        if isinstance(expression, Call) and expression.function == "!":
            expression, wanted = expression.arguments[0], False
        if isinstance(expression, Call) and expression.arguments == (VariableRef(variable),):
            kinds = _KINDS.get(expression.function)
            if kinds is not None:
                known = dictionary.kinds
                row[: len(known)] = np.isin(known, kinds) == wanted
        asked = _names_asked(expression, variable)
        if asked is not None:
            row[:] = not wanted
            row[[id for term in asked if (id := dictionary.find(term)) is not None]] = wanted
    return tests
