"""`materialise` and `Closure`: a graph closed under its rules, with a proof for everything inferred."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rdflib import RDF, BNode, Literal, URIRef
from rdflib.term import Node

from engine.symbolic.application import early_filters, finish_body
from engine.symbolic.builtins import check_functions
from engine.symbolic.compile import CompiledRule, Program
from engine.symbolic.constraints import Broken, Match, Violation, broken, in_order, violation_of
from engine.symbolic.fixpoint import Budget, Exhausted, Fixpoint, Spending
from engine.symbolic.join import Bindings, Slice, evaluate
from engine.symbolic.justify import Ids, Prover
from engine.symbolic.kernels import kernels
from engine.symbolic.proof import Proof
from engine.symbolic.relation import ASSERTED, DATA_STEP, Store
from engine.symbolic.rules import DATA_SOURCE, Rule, RuleSet, check_safety
from engine.symbolic.stratify import stratify_rules
from engine.symbolic.uncompiled import Uncompiled, uncompiled
from kg.columns import Columns
from kg.dictionary import Dictionary
from kg.errors import NotEntailedError, UnsupportedRuleError
from kg.graph import KnowledgeGraph
from kg.terms import Triple, TripleTerm, term_key

if TYPE_CHECKING:
    from engine.symbolic.backward import Backward
    from engine.symbolic.device import Device
    from engine.symbolic.ranked import Proofs

__all__ = ["Change", "Closure", "Statistics", "axiom_reader", "close", "materialise", "violations_of"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """How a closure was made from another one.

    Args:
        added, retracted: asserted triples that were not asserted before, and those that are no longer.
        afresh: why everything was closed again; None where the other closure was gone on from.
    """

    added: int
    retracted: int
    afresh: str | None = None

    def __str__(self) -> str:
        how = f"closed afresh: {self.afresh}" if self.afresh else "continued"
        return f"{self.added} added, {self.retracted} retracted, {how}"


@dataclass(frozen=True)
class Statistics:
    """How a closure was made.

    Args:
        asserted, inferred: triples.
        rules: rules and constraints as written. compiled: after specialisation to the schema.
        strata: groups of compiled rules that ran one after the other.
        rounds: passes over the rules of a stratum. steps: rule applications.
        seconds: wall-clock seconds of the fixpoint, compilation of rules included, loading and constraints not.
        by_rule: inferred triples by the name of the rule that gave them first.
    """

    asserted: int
    inferred: int
    rules: int
    compiled: int
    strata: int
    rounds: int
    steps: int
    seconds: float
    by_rule: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-ready values."""
        return {**vars(self), "by_rule": dict(self.by_rule)}


class Closure:
    """A graph closed under rules: what follows, why, and what breaks the constraints.

    Args:
        graph: asserted and inferred triples.
        incomplete: why there may be more to infer, None for a true closure.
        violations: the matches of constraints, in the order of the constraints.
        change: how it was made from another closure by `add` or `retract`, None for one that was not.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        ruleset: RuleSet,
        state: Fixpoint | Callable[[], Fixpoint],
        *,
        entailment: str,
        inferred: Columns | None = None,
        before: Closure | None = None,
        change: Change | None = None,
        quick: Uncompiled | None = None,
    ) -> None:
        self.ruleset, self.entailment, self.change = ruleset, entailment, change
        self._quick, self._make_state, self._before = quick, state, before
        if quick is not None:
            inferred = quick.inferred
        self.graph = graph.with_inferred(_inferred(self.state) if inferred is None else inferred)
        # Without compiled rules nothing is broken: a constraint with a match would have asked for them.
        self._every, stopped = ([], None) if quick is not None else self._violations()
        self.incomplete = None if quick is not None else self.state.exhausted or stopped

    @cached_property
    def _broken(self) -> list[Broken]:
        """The matches of constraints, one for those that differ only in how an equal literal is written."""
        if not self._every or not self.entailment.startswith("owl2rl"):
            return self._every
        from engine.symbolic.rulesets.literals import LiteralIndex

        index = LiteralIndex.of(self.graph.dictionary)
        first: dict[Match, Broken] = {}
        for item in self._every:
            number, values = item.match
            same = tuple((variable, min(id, *index.others(id), id)) for variable, id in values)
            first.setdefault((number, same), item)
        return list(first.values())

    def _violations(self) -> tuple[list[Broken], str | None]:
        return violations_of(self.state) if self._before is None else _violations_since(self._before, self.state)

    @cached_property
    def state(self) -> Fixpoint:
        """The store and the compiled rules that proofs, checks and changes are made from."""
        if not callable(self._make_state):
            return self._make_state
        state = self._make_state()
        found = sum(len(relation.inferred) for _, relation in state.store)
        assert found == len(self.graph.inferred), "compiled rules infer what the rules as written do"
        return state

    @cached_property
    def prover(self) -> Prover:
        """Makes the proofs."""
        return Prover(self.graph, self.state.store, self.state.program)

    @cached_property
    def rules(self) -> RuleSet:
        """Every rule and constraint that was applied, those made from list-valued axioms of the schema included."""
        axioms = tuple(self.state.program.axiom_rules)
        return self.ruleset.merge(RuleSet(tuple(r for r in axioms if r.head), _constraints(axioms)))

    def __repr__(self) -> str:
        mark = f", {self.change}" if self.change else ""
        mark += f", incomplete: {self.incomplete}" if self.incomplete else ""
        return f"Closure({self.graph!r}, {len(self._broken)} violations{mark})"

    def _repr_html_(self) -> str:
        from engine.symbolic.notebook import closure_html

        return closure_html(self)

    def add(self, triples: Iterable[Sequence[Node]]) -> Closure:
        """The closure of the asserted triples and these; see `increment.change` for when it goes on from this one.

        Raises:
            InputError: one of them is no RDF triple.
        """
        from engine.symbolic.increment import change

        return change(self, add=triples)

    def retract(self, triples: Iterable[Sequence[Node]]) -> Closure:
        """The closure of the asserted triples without these; one that still follows is inferred there.

        Raises:
            InputError: one of them is no RDF triple, or not asserted.
        """
        from engine.symbolic.increment import change

        return change(self, remove=triples)

    @cached_property
    def violations(self) -> tuple[Violation, ...]:
        """What breaks the constraints, each once per constraint and substitution."""
        if not self._broken:
            return ()  # without asking for the compiled rules
        program = self.state.program
        return tuple(
            violation_of(item, program, self.graph, partial(self.prover.prove_violation, item.constraint, item.values))
            for item in self._broken
        )

    def known_term(self, term: Node) -> bool:
        """Whether the closure or its rules speak of a term; a literal is known by its value and need not occur."""
        at = self.graph.dictionary.find(term)
        return isinstance(term, Literal) or (at is not None and at < len(self.known) and bool(self.known[at]))

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Whether each term of the dictionary occurs in a triple of the closure or in a rule; shape (num_terms,)."""
        dictionary = self.graph.dictionary
        found = np.zeros(len(dictionary), dtype=bool)
        for columns in (self.graph.asserted, self.graph.inferred):
            for ids in columns.arrays():
                found[ids] = True
        negated = (atom for rule in self.rules for negation in rule.negations for atom in negation.atoms)
        atoms = (atom for rule in self.rules for atom in (*rule.head, *rule.body_atoms))
        terms = {term for atom in (*negated, *atoms) for term in atom.terms if isinstance(term, URIRef)}
        found[[id for term in terms if (id := dictionary.find(term)) is not None]] = True
        return found

    def brings_rules(self, term: Node) -> bool:
        """Whether a triple with a term as object is a reason for new rules: a literal, ill typed or equal to others."""
        from engine.symbolic.rulesets.literals import LiteralIndex

        if not isinstance(term, Literal) or not self.entailment.startswith("owl2rl"):
            return False
        return LiteralIndex.of(self.graph.dictionary).brings_rules(term)

    def violations_not_in(self, other: Closure) -> tuple[Violation, ...]:
        """The violations that another closure of the same rules does not have."""
        pairs = zip(self._broken, self.violations, strict=True)
        return tuple(violation for item, violation in pairs if item.match not in other.matches)

    @cached_property
    def matches(self) -> frozenset[Match]:
        """The violations as numbers of constraints and ids, to compare with those of a world."""
        return frozenset(item.match for item in self._every)

    def proof(self, triple: Sequence[Node], *, shortest: bool = False) -> Proof:
        """The proof of a triple of the closure: the one found first, or the shortest one.

        Args:
            shortest: the one with the fewest rule applications, for which all ways to derive the triple are compared.

        Raises:
            NotEntailedError: the triple is not in the closure.
            BudgetError: there are too many ways to compare (see `derivations.ANCESTORS`).
        """
        if shortest:
            from engine.symbolic.ranked import shortest_proof

            return shortest_proof(self, triple)
        ids = self.graph.encode(triple)
        if ids is None or not self.prover.holds(ids):
            text = " ".join(map(str, triple))
            raise NotEntailedError(f"Expected a triple of the closure, which has a proof (got {text})")
        return self.prover.prove(ids)

    def proofs(self, target: Sequence[Node] | Violation, limit: int | None = None) -> Proofs:
        """All well-founded proofs of a triple or a violation, smallest first, each found when it is asked for.

        Args:
            limit: how many at most; there can be exponentially many.

        Raises:
            NotEntailedError: the triple is not in the closure.
        """
        from engine.symbolic.ranked import proofs_of

        return proofs_of(self, target, limit)

    @cached_property
    def backward(self) -> Backward:
        """The rules as they run from conclusions to bodies."""
        from engine.symbolic.backward import Backward

        return Backward(self)

    def disputes(self, proof: Proof) -> tuple[Violation, ...]:
        """The violations whose proof shares an asserted triple with a proof, schema triples left out.

        Where the proof rests on schema triples alone, those count.
        """
        leaves = proof.leaves()
        data = [leaf for leaf in leaves if not self.is_schema(leaf)] or leaves
        numbers = sorted({number for leaf in data for number in self._violations_by_leaf.get(leaf, ())})
        return tuple(self.violations[number] for number in numbers)

    @cached_property
    def _violations_by_leaf(self) -> dict[Triple, list[int]]:
        found: dict[Triple, list[int]] = {}
        for number, violation in enumerate(self.violations):
            for leaf in violation.proof.leaves():
                found.setdefault(leaf, []).append(number)
        return found

    def is_schema(self, triple: Triple) -> bool:
        """Whether an asserted triple is one that rules are made from, such as an axiom."""
        ids = self.graph.encode(triple)
        assert ids is not None, "leaves are in the graph"
        return self.state.program.is_schema(self.state.store.key(*ids[1:]))

    def entails(self, triple: Sequence[Node]) -> bool:
        """Whether the triple is asserted or inferred."""
        return self.graph.contains(triple)

    def entails_ids(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which triples of ids are asserted or inferred; shape (num_triples, 3) in, (num_triples,) out."""
        found = np.zeros(len(ids), dtype=bool)
        order = np.argsort(ids[:, 1], kind="stable")
        predicates = ids[order, 1]
        starts = np.flatnonzero(np.r_[True, predicates[1:] != predicates[:-1]]) if len(ids) else ()
        for start, end in pairwise((*starts, len(ids))):
            at = order[start:end]
            found[at] = self.state.store.holds(int(predicates[start]), ids[at, 0], ids[at, 2])
        return found

    @cached_property
    def statistics(self) -> Statistics:
        """How it was made: counts and seconds."""
        if self._quick is not None:
            return self._quick_statistics(self._quick)
        state = self.state
        return Statistics(
            asserted=len(self.graph.asserted),
            inferred=len(self.graph.inferred),
            rules=len(self.rules),
            compiled=len(state.program.rules) + len(state.program.constraints),
            strata=len(state.strata),
            rounds=state.spending.rounds,
            steps=state.step - DATA_STEP,
            seconds=state.seconds,
            by_rule=dict(sorted(_by_rule(state).items(), key=lambda item: (-item[1], item[0]))),
        )

    def _quick_statistics(self, quick: Uncompiled) -> Statistics:
        return Statistics(
            asserted=len(self.graph.asserted),
            inferred=len(self.graph.inferred),
            rules=quick.rules,
            compiled=0,
            strata=1,
            rounds=1,
            steps=quick.applications,
            seconds=quick.seconds,
            by_rule=dict(sorted(quick.by_rule.items(), key=lambda item: (-item[1], item[0]))),
        )


def materialise(
    graph: KnowledgeGraph,
    rules: RuleSet | None = None,
    *,
    entailment: str = "owl2rl",
    budget: Budget | None = None,
    device: str | None = None,
) -> Closure:
    """The closure of a graph's asserted triples under a built-in rule set and further rules.

    Args:
        rules: added to the built-in ones; triples of its DATA blocks count as asserted, but `WHERE DATA` and
            `NOT DATA` see the triples of the graph alone.
        entailment: "owl2rl", "rdfs" or "none": which rules are built in.
        budget: limits; what is cut short has `Closure.incomplete` set.
        device: a torch device that joins the plain rules, as "cuda" or "cpu"; None for the CPU's own kernels.

    Raises:
        ConfigError: the device is not there.
        UnsafeRuleError: a variable of a rule is not bound where its value is needed.
        UnsupportedRuleError: a rule has an unknown function, or DATA a triple that no graph holds.
        StratificationError: a rule depends on its own result through NOT.
    """
    from engine.symbolic.rulesets import builtin_rules

    given = rules or RuleSet()
    for rule in given:
        check_safety(rule)
        check_functions(rule)
    stratify_rules(given)
    ruleset = builtin_rules(entailment).merge(given)
    graph = _with_data(graph, ruleset)
    log.info("materialising %d triples under %d rules", len(graph.asserted), len(ruleset))
    make = partial(close, graph, ruleset, graph.dictionary, entailment=entailment, budget=budget, device=device)
    quick = _uncompiled(graph, ruleset, entailment) if budget is None and device is None else None
    closure = Closure(graph, ruleset, make() if quick is None else make, entailment=entailment, quick=quick)
    log.info("inferred %d triples", len(closure.graph.inferred))
    return closure


def _uncompiled(graph: KnowledgeGraph, ruleset: RuleSet, entailment: str) -> Uncompiled | None:
    """The closure by the rules as written, where that is quicker."""
    lists = entailment.startswith("owl2rl")

    def axioms(store: Store) -> Sequence[Rule]:
        from engine.symbolic.rulesets.literals import literal_rules
        from engine.symbolic.rulesets.owl import Part, axiom_rules

        if not lists:
            return ()
        return [*axiom_rules(store, graph.dictionary, part=Part.OTHERS), *literal_rules(store, graph.dictionary)]

    fill = partial(_fill, graph=graph, step=0, data=None)
    return uncompiled(graph, ruleset, lists=lists, fill=fill, axiom_rules=axioms, is_broken=_is_broken)


def _is_broken(store: Store, program: Program) -> bool:
    """Whether a constraint of a program has a match in a closed store, or might have one."""
    found, stopped = violations_of(Fixpoint(store, program))
    return bool(found) or stopped is not None


def close(
    graph: KnowledgeGraph,
    ruleset: RuleSet,
    dictionary: Dictionary,
    *,
    entailment: str,
    budget: Budget | None = None,
    claim: Ids | None = None,
    like: Program | None = None,
    device: str | None = None,
) -> Fixpoint:
    """The fixpoint of a graph's asserted triples, and of a claim, under exactly these rules.

    Args:
        like: a program of the same rules, whose numbers of rules and labels of new blank nodes are used again.
        device: as for `materialise`.

    Raises:
        ConfigError: the device is not there.
        StratificationError: see `Fixpoint.run`.
    """
    type_id = dictionary.intern(RDF.type)
    store = Store(type_id)
    in_data = graph.sources[-1:] == (DATA_SOURCE,)
    _fill(store, graph, step=0, data=False if in_data else None)
    if claim is not None:
        store.add(claim[1], np.array([claim[0]]), np.array([claim[2]]), rule=ASSERTED, step=0)
    if in_data:
        _fill(store, graph, step=DATA_STEP, data=True)
    program = Program(ruleset, dictionary, type_id, like=like)
    axiom_rules = axiom_reader(store, dictionary, entailment=entailment)
    return Fixpoint(store, program, axiom_rules=axiom_rules, budget=budget, device=_device(device)).run()


def _device(name: str | None) -> Device | None:
    """The device of a name; torch is imported for one alone."""
    if name is None:
        return None
    from engine.symbolic.device import Device

    return Device(name)


def axiom_reader(store: Store, dictionary: Dictionary, *, entailment: str) -> Callable[[], Sequence[Rule]]:
    """Reads the list-valued axioms of a store as rules, where the entailment has such rules."""

    def read() -> Sequence[Rule]:
        from engine.symbolic.rulesets.literals import literal_rules
        from engine.symbolic.rulesets.owl import axiom_rules

        return [*axiom_rules(store, dictionary), *literal_rules(store, dictionary)]

    return read if entailment.startswith("owl2rl") else tuple


def _fill(store: Store, graph: KnowledgeGraph, *, step: int, data: bool | None) -> None:
    """Add the asserted triples: those of DATA blocks, the others, or (None) all; only the first may be there before."""
    for predicate in graph.asserted.predicates():
        s, o = graph.asserted.pairs(predicate)
        sources = graph.asserted.sources(predicate)
        if data is not None and sources is not None:
            chosen = (sources == len(graph.sources) - 1) == data
            s, o = s[chosen], o[chosen]
        if data:
            store.add(predicate, s, o, rule=ASSERTED, step=step)
        else:
            store.load(predicate, s, o, step=step)


def violations_of(
    state: Fixpoint, constraints: Iterable[CompiledRule] | None = None
) -> tuple[list[Broken], str | None]:
    """The matches of the constraints in a closed store, and what stopped the search, if anything did.

    While the store is incomplete, a constraint with a NOT is passed over: what it misses may yet be inferred.

    Args:
        constraints: those to look at; all of the program by default.
    """
    found: list[Broken] = []
    stopped = None
    spending = Spending(state.spending.budget, state.program.dictionary)
    for constraint in state.program.constraints if constraints is None else constraints:
        if state.exhausted and any(not negation.data for negation in constraint.negations):
            continue
        try:
            found.extend(spending.counted(broken(constraint, _matches(constraint, state, spending), state.program)))
        except (Exhausted, MemoryError) as error:
            stopped = f"constraint '{constraint.rule.name}': {error}"
    return in_order(found), stopped


def _matches(constraint: CompiledRule, state: Fixpoint, spending: Spending) -> Bindings:
    limit, stop = spending.rows(constraint), spending.stop

    def slices(i: int) -> Sequence[Slice]:
        key = constraint.body[i].key
        relation = None if key is None else state.store.get(key)
        if relation is None:
            return ()
        return (Slice(relation, 0, relation.size_before(1) if constraint.rule.data else relation.size),)

    bindings = evaluate(
        constraint.body,
        slices,
        Bindings.unit(constraint.constants),
        filters=early_filters(constraint),
        dictionary=state.program.dictionary,
        limit=limit,
        stop=stop,
    )
    return finish_body(
        constraint, bindings, state.negation_slices, state.store.keys, state.program, limit=limit, stop=stop
    )


def _constraints(rules: Sequence[Rule]) -> tuple[Any, ...]:
    return tuple(rule for rule in rules if not rule.head)


def _inferred(state: Fixpoint) -> Columns:
    """The inferred rows of a store as columns."""
    parts: dict[int, list[tuple[NDArray[Any], NDArray[Any]]]] = {}
    for (predicate, _), relation in state.store:
        rows = relation.inferred_rows
        if isinstance(rows, slice) or len(rows):
            parts.setdefault(predicate, []).append((relation.s[rows], relation.o[rows]))
    tables = {}
    for predicate, columns in parts.items():
        s, o = columns[0] if len(columns) == 1 else map(np.concatenate, zip(*columns, strict=True))
        s, o = _in_order(s, o)
        tables[predicate] = (s.astype(np.int32, copy=False), o.astype(np.int32, copy=False))
    return Columns(tables)


def _by_rule(state: Fixpoint) -> dict[str, int]:
    """How many triples each rule gave first."""
    found: dict[str, int] = {}
    for _, relation in state.store:
        ends = [*(block.start for block in relation.blocks[1:]), relation.size]
        for block, end in zip(relation.blocks, ends, strict=True):
            if block.rule != ASSERTED:
                name = state.program.rules[block.rule].rule.name
                found[name] = found.get(name, 0) + end - block.start
    return found


def _violations_since(before: Closure, state: Fixpoint) -> tuple[list[Broken], str | None]:
    """The matches of the constraints, with those kept whose relations are shared with an earlier closure."""
    changed = state.store.changed_from(before.state.store)
    known = {constraint.number for constraint in before.state.program.constraints}

    def is_settled(constraint: CompiledRule) -> bool:
        atoms = [atom for negation in constraint.negations for atom in negation.atoms]
        keys = [*constraint.keys, *(atom.key for atom in atoms)]
        return constraint.number in known and all(key is not None and key not in changed for key in keys)

    kept = {constraint.number for constraint in state.program.constraints if is_settled(constraint)}
    again = [constraint for constraint in state.program.constraints if constraint.number not in kept]
    found, stopped = violations_of(state, again)
    return in_order([*(item for item in before._every if item.constraint.number in kept), *found]), stopped


def _in_order(s: NDArray[Any], o: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Distinct pairs in order of s, then o. A recognised closure leaves one run or two, which need no sorting."""
    middle = kernels().ascending(s, o, 0)
    if middle == len(s):
        return s, o
    if kernels().ascending(s, o, middle) == len(s):
        s, o = kernels().merge(s, o, middle)
        return s, o
    key = s.astype(np.int64)
    key <<= 32
    key |= o
    key.sort()  # in place, without an argsort: several times faster
    s, o = np.empty((2, len(key)), dtype=np.int32)
    np.right_shift(key, 32, out=s, casting="unsafe")
    np.bitwise_and(key, 0xFFFFFFFF, out=o, casting="unsafe")
    return s, o


def _occurs(graph: KnowledgeGraph, key: str) -> bool:
    id = graph.dictionary.find_key(key)
    return id is not None and any(bool((column == id).any()) for column in graph.asserted.arrays())


def _fault(triple: Sequence[Node]) -> str:
    """What keeps a triple, or a triple term in it, out of an RDF graph; empty for nothing."""
    subject, predicate, object = triple
    if isinstance(subject, (Literal, TripleTerm)):
        return f"a {'literal' if isinstance(subject, Literal) else 'triple term'} as subject"
    if not isinstance(predicate, URIRef):
        return "a predicate that is no IRI"
    return _fault(object.parts) if isinstance(object, TripleTerm) else ""


def _with_data(graph: KnowledgeGraph, ruleset: RuleSet) -> KnowledgeGraph:
    """The graph with the triples of DATA blocks asserted; their blank nodes get labels the graph does not have."""
    if not ruleset.data:
        return graph
    for triple in ruleset.data:
        fault = _fault(triple)
        if fault:
            raise UnsupportedRuleError(f"Expected in DATA triples that a graph can hold (got {fault} in {triple})")
    dictionary, names = graph.dictionary, dict[Node, Node]()

    def fresh(term: Node) -> Node:
        if isinstance(term, TripleTerm):
            return TripleTerm(*map(fresh, term.parts))
        if not isinstance(term, BNode):
            return term
        if term not in names:
            labels = (f"{term}{'x' * n}" for n in count())
            names[term] = BNode(next(label for label in labels if not _occurs(graph, f"_:{label}")))
        return names[term]

    data = [Triple(*map(fresh, triple)) for triple in ruleset.data]
    added = np.array([[dictionary.intern_key(term_key(term)) for term in triple] for triple in data], dtype=np.int32)
    asserted = graph.asserted
    s, p, o = (np.concatenate([column, added[:, i]]) for i, column in enumerate(asserted.arrays()))
    unknown = len(graph.sources) + 1  # past the last source: the triple's file was not recorded
    origins = [asserted.sources(predicate) for predicate in asserted.predicates()]
    sizes = [len(asserted.pairs(predicate)[0]) for predicate in asserted.predicates()]
    filled = [np.full(n, unknown) if origin is None else origin for origin, n in zip(origins, sizes, strict=True)]
    source = np.concatenate([*filled, np.full(len(data), len(graph.sources))])
    columns = Columns.from_arrays(s, p, o, source)
    return KnowledgeGraph(dictionary, columns, prefixes=graph.prefixes, sources=(*graph.sources, DATA_SOURCE))
