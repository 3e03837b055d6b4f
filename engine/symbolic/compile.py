"""Rules over terms -> rules over ids, specialised to the schema of one graph.

Three steps, each of which only substitutes:
  1. *partial evaluation*: the schema atoms of a rule (`?c rdfs:subClassOf ?d`, `?p a owl:TransitiveProperty`) are
     matched against the store, and every match gives a rule without them. A W3C triple rule becomes one plain rule per
     axiom.
  2. *expansion*: a predicate or class that is still a variable is replaced by each one there is or can be inferred.
  3. *pruning*: rules that say nothing new, or whose body needs a relation nothing can fill, are left out.

A compiled rule remembers the rule and the substitution it came from, so proofs speak of the rule as it was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import cast

from rdflib import OWL, RDF, RDFS, BNode, Variable
from rdflib.term import Node

from engine.symbolic.builtins import holds
from engine.symbolic.join import Bindings, CompiledAtom, CompiledNegation, Memo, Slice, evaluate
from engine.symbolic.relation import Key, Relation, Store
from engine.symbolic.rules import (
    Assignment,
    Atom,
    Call,
    Expression,
    Filter,
    Negation,
    Rule,
    RuleSet,
    VariableRef,
)
from kg.dictionary import Dictionary
from kg.errors import LimitError, UnsupportedRuleError

__all__ = ["CompiledRule", "Program"]

MAX_RULES = 500_000
"""Compiled rules of one program: beyond it, expansion of variable predicates has run away."""

SCHEMA_PREDICATES = frozenset(
    (
        *(RDFS.subClassOf, RDFS.subPropertyOf, RDFS.domain, RDFS.range, RDF.first, RDF.rest),
        *(OWL.equivalentClass, OWL.equivalentProperty, OWL.inverseOf, OWL.disjointWith, OWL.propertyDisjointWith),
        *(OWL.complementOf, OWL.onProperty, OWL.someValuesFrom, OWL.allValuesFrom, OWL.hasValue, OWL.hasSelf),
        *(OWL.maxCardinality, OWL.maxQualifiedCardinality, OWL.onClass, OWL.propertyChainAxiom, OWL.hasKey),
        *(OWL.intersectionOf, OWL.unionOf, OWL.oneOf, OWL.members, OWL.distinctMembers, OWL.disjointUnionOf),
        *(OWL.sourceIndividual, OWL.assertionProperty, OWL.targetIndividual, OWL.targetValue),
    )
)
_VOCABULARY = (str(OWL), str(RDFS), str(RDF))
_DATA_CLASSES = frozenset(map(str, (OWL.Thing, OWL.Nothing, OWL.NamedIndividual, RDFS.Resource, RDFS.Literal)))
Term = int | Variable
Head = tuple[Term, Term, Term]

BODY_MARK, HEAD_MARK = "-", "+"
"""First character of the variables that stand for blank nodes of a body and of a head; no written variable has it."""


@dataclass(frozen=True, eq=False)
class CompiledRule:
    """A rule over ids, in which every body atom has the key of one relation.

    Args:
        number: its place in the program; rows it adds carry it.
        rule: the rule as written. values: what partial evaluation and expansion put for its variables.
        head: (subject, predicate, object), ids or variables; blank nodes of the head stand as variables in `fresh`.
        constants: the part of `values` that a FILTER, NOT or SET still reads.
        closes: the relation this rule is the transitivity of, else None.
        seen: rows of each body atom's relation that have been joined already.
    """

    number: int
    rule: Rule
    values: Mapping[Variable, int]
    head: tuple[Head, ...]
    body: tuple[CompiledAtom, ...]
    filters: tuple[Filter, ...]
    assignments: tuple[Assignment, ...]
    negations: tuple[CompiledNegation, ...]
    constants: Mapping[Variable, int]
    fresh: tuple[Variable, ...] = ()
    closes: Key | None = None
    seen: list[int] = field(default_factory=list)

    @property
    def keys(self) -> list[Key]:
        """The relations the body reads, atom by atom."""
        return [atom.key for atom in self.body if atom.key is not None]


class Program:
    """The compiled rules of a rule set over a growing store. `extend` compiles what the store's schema now asks for."""

    def __init__(self, ruleset: RuleSet, dictionary: Dictionary, type_id: int, *, like: Program | None = None) -> None:
        self.ruleset, self.dictionary, self.type_id = ruleset, dictionary, type_id
        self.rules: list[CompiledRule] = []
        self.constraints: list[CompiledRule] = []
        self.keys: set[Key] = set()
        self.axiom_rules: dict[Rule, None] = {}
        self._signatures: set[object] = set()
        self._numbers: dict[Rule, int] = dict(like._numbers) if like else {}
        self._schema_keys: dict[Key, bool] = {}
        self.memo: Memo = dict(like.memo) if like else {}
        self.made: dict[int, tuple[int, ...]] = {}
        self._blank_prefix: str | None = like._blank_prefix if like else None
        self._sources = [self._prepare(rule) for rule in ruleset]

    def fork(self, dictionary: Dictionary) -> Program:
        """A copy over another dictionary that may be extended without a change to this program.

        The compiled rules are shared; what they have seen belongs to the store of this program.
        """
        other = copy(self)
        other.dictionary = dictionary
        other.rules, other.constraints = list(self.rules), list(self.constraints)
        other.keys, other.axiom_rules = set(self.keys), dict(self.axiom_rules)
        other._signatures, other._numbers = set(self._signatures), dict(self._numbers)
        other.memo = dict(self.memo)
        other._schema_keys, other.made = dict(self._schema_keys), dict(self.made)
        return other

    def extend(self, store: Store, *, extra: Sequence[Rule] = (), assume: Iterable[Key] = ()) -> list[CompiledRule]:
        """Compile every rule against the store; those that were not there before.

        Args:
            extra: rules made from the list-valued axioms of the store (`rulesets.owl`).
            assume: relations to be treated as filled, because a claim is about to add to them.
        """
        for rule in extra:
            self.axiom_rules.setdefault(rule)
        sources = [*self._sources, *(self._prepare(rule) for rule in self.axiom_rules)]
        drafts = [draft for source in sources for draft in self._ground_schema(source, store)]
        drafts = [decided for draft in drafts if (decided := draft.decide(self.dictionary)) is not None]
        plain = [draft for draft in drafts if not draft.wild]
        wild = [draft for draft in drafts if draft.wild]
        keys = {key for key, relation in store if relation.size} | set(assume)
        live = list(_live(plain, keys, self.type_id))
        while wild:
            size = len(keys)
            made = (made for draft in wild for made in draft.expand(sorted(keys), self.type_id))
            expanded = [decided for draft in made if (decided := draft.decide(self.dictionary)) is not None]
            if len(expanded) > MAX_RULES:
                raise LimitError(f"Expected at most {MAX_RULES} rules after expansion of variable predicates")
            live = list(_live([*plain, *expanded], keys, self.type_id))
            if len(keys) == size:
                break
        self.keys |= keys
        return [rule for draft in live for rule in self._finish(draft)]

    def is_schema(self, key: Key) -> bool:
        """Whether growth of this relation asks for `extend` again."""
        found = self._schema_keys.get(key)
        if found is None:
            predicate, cls = key
            if predicate == self.type_id:
                name = self.dictionary.key(cls)[1:-1]
                found = name.startswith(_VOCABULARY) and name not in _DATA_CLASSES
            else:
                found = self.dictionary.term(predicate) in SCHEMA_PREDICATES
            self._schema_keys[key] = found
        return found

    @property
    def same_as(self) -> int:
        """The id of owl:sameAs, -1 where it does not occur."""
        found = self.dictionary.find(OWL.sameAs)
        return -1 if found is None else found

    def names(self, store: Store) -> list[int]:
        """The predicates and classes that have rows: rules are made for what is the same as one of them."""
        filled = (key for key, relation in store if relation.size)
        return [cls if predicate == self.type_id else predicate for predicate, cls in filled]

    def number_of(self, rule: Rule) -> int:
        """A number for a rule as written, the same for equal rules."""
        return self._numbers.setdefault(rule, len(self._numbers))

    @property
    def blank_prefix(self) -> str:
        """Starts the label of every blank node that rules make, and of none that was given."""
        if self._blank_prefix is None:
            taken = [key for key in self.dictionary if key.startswith("_:n")]
            numbers = ("n", *(f"n{i}-" for i in range(len(taken) + 1)))
            self._blank_prefix = next(p for p in numbers if not any(key.startswith(f"_:{p}-") for key in taken))
        return self._blank_prefix

    def blank(self, rule: CompiledRule, blank: Variable, row: tuple[int, ...]) -> int:
        """The blank node that a rule makes for a substitution; `made` remembers the substitution."""
        name = "-".join(map(str, (self.number_of(rule.rule), blank[len(HEAD_MARK) :], *row)))
        id = self.dictionary.intern_key(f"_:{self.blank_prefix}-{name}")
        self.made[id] = row
        return id

    def _prepare(self, rule: Rule) -> _Draft:
        if rule.triple_terms:
            where = rule.location
            raise UnsupportedRuleError(
                f"Rule '{rule.name}' uses the triple term {rule.triple_terms[0]}, which is not evaluated yet",
                file=where.file if where else None,
                line=where.line if where else None,
            )
        self.number_of(rule)
        return _Draft.of(rule, self)

    def encode(self, term: Node, mark: str, own: frozenset[Node]) -> Term:
        """The id of a term of a rule; a variable stays, a blank node becomes a variable whose name starts with a mark.

        The mark keeps the blank nodes of body, NOT and head apart, and apart from the variables that are written.
        Blank nodes in `own` are terms of the graph.
        """
        if isinstance(term, Variable):
            return term
        if isinstance(term, BNode) and term not in own:
            return Variable(f"{mark}{term}")
        return self.dictionary.intern(term)

    def _ground_schema(self, draft: _Draft, store: Store) -> Iterator[_Draft]:
        schema = [atom for atom in draft.body if self._is_schema(atom)]
        if not schema or len(schema) == len(draft.body):
            yield draft
            return
        slices = [_rows(store.get(atom.key), draft.rule) for atom in schema if atom.key is not None]
        if not all(slices):
            return
        found = evaluate(schema, lambda i: slices[i], Bindings.unit(), dictionary=self.dictionary)
        rest = [atom for atom in draft.body if not self._is_schema(atom)]
        for row in range(found.size):
            yield draft.substitute(found.substitution(row), rest, self.type_id)

    def _is_schema(self, atom: CompiledAtom) -> bool:
        return atom.key is not None and self.is_schema(atom.key)

    def _finish(self, draft: _Draft) -> Iterator[CompiledRule]:
        is_constraint = not draft.rule.head
        body_triples = {(a.s, a.p, a.o) for a in draft.body}
        if not is_constraint and all(triple in body_triples for triple in draft.head):
            return
        signature = draft.signature(self.number_of(draft.rule))
        if signature in self._signatures:
            return
        self._signatures.add(signature)
        group = self.constraints if is_constraint else self.rules
        rule = CompiledRule(
            number=len(group),
            rule=draft.rule,
            values=draft.values,
            head=draft.head,
            body=draft.body,
            filters=draft.filters,
            assignments=draft.rule.assignments,
            negations=draft.negations,
            constants={v: i for v, i in draft.values.items() if v in _read(draft)},
            fresh=draft.fresh,
            closes=_transitive(draft),
            seen=[0] * len(draft.body),
        )
        group.append(rule)
        yield rule


@dataclass(frozen=True, eq=False)
class _Draft:
    """A rule on its way: ids for its terms, some variables already replaced by `values`."""

    rule: Rule
    values: Mapping[Variable, int]
    head: tuple[Head, ...]
    body: tuple[CompiledAtom, ...]
    filters: tuple[Filter, ...]
    negations: tuple[CompiledNegation, ...]
    fresh: tuple[Variable, ...]

    @classmethod
    def of(cls, rule: Rule, program: Program) -> _Draft:
        own = rule.own_terms
        body = tuple(_atom(atom, program, BODY_MARK, own) for atom in rule.body_atoms)
        negations = tuple(_negations(rule, program))
        head = tuple(tuple(program.encode(term, HEAD_MARK, own) for term in atom.terms) for atom in rule.head)
        blanks = [term for atom in rule.head for term in atom.terms if isinstance(term, BNode) and term not in own]
        fresh = tuple(Variable(f"{HEAD_MARK}{term}") for term in dict.fromkeys(blanks))
        return cls(rule, {}, cast(tuple[Head, ...], head), body, rule.filters, negations, fresh)

    @property
    def wild(self) -> bool:
        """Whether a predicate or class of the body is still a variable."""
        return any(atom.key is None for atom in self.body)

    def substitute(self, values: Mapping[Variable, int], body: Sequence[CompiledAtom], type_id: int) -> _Draft:
        """This draft with values for some variables, over the given body."""

        def put(term: Term) -> Term:
            return values.get(term, term) if isinstance(term, Variable) else term

        def put_atom(atom: CompiledAtom) -> CompiledAtom:
            return _keyed(put(atom.s), put(atom.p), put(atom.o), type_id)

        negations = tuple(CompiledNegation(tuple(map(put_atom, n.atoms)), n.filters, n.data) for n in self.negations)
        return _Draft(
            self.rule,
            {**self.values, **values},
            tuple((put(s), put(p), put(o)) for s, p, o in self.head),
            tuple(map(put_atom, body)),
            self.filters,
            negations,
            self.fresh,
        )

    def decide(self, dictionary: Dictionary) -> _Draft | None:
        """This draft without the filters whose variables all have values; None where one of them is false."""
        known = [f for f in self.filters if all(variable in self.values for variable in f.variables)]
        for condition in known:
            if not holds(condition.expression, {v: dictionary.term(self.values[v]) for v in condition.variables}):
                return None
        return replace(self, filters=tuple(f for f in self.filters if f not in known)) if known else self

    def expand(self, keys: Sequence[Key], type_id: int) -> Iterator[_Draft]:
        """One draft for each way to choose a relation for the wildcard atoms."""
        at = next((i for i, atom in enumerate(self.body) if atom.key is None), None)
        if at is None:
            yield self
            return
        for values in wild_values(self.body[at], keys, type_id):
            yield from self.substitute(values, self.body, type_id).expand(keys, type_id)

    def signature(self, number: int) -> object:
        """Equal for drafts that do the same; variables are numbered in order of appearance, so names do not matter.

        Drafts with a FILTER, NOT or SET, and constraints, are told apart by the number of the rule they come from.
        """
        names: dict[Variable, str] = {}

        def norm(term: Term) -> object:
            return names.setdefault(term, f"v{len(names)}") if isinstance(term, Variable) else term

        body = tuple((norm(a.s), norm(a.p), norm(a.o)) for a in self.body)
        head = tuple((norm(s), norm(p), norm(o)) for s, p, o in self.head)
        plain = not (self.negations or self.filters or self.rule.assignments or not self.rule.head)
        plain = plain and not self.fresh
        extra = () if plain else (number, tuple(sorted((str(v), i) for v, i in self.values.items())))
        return body, head, self.rule.data, extra


def wild_values(atom: CompiledAtom, keys: Iterable[Key], type_id: int) -> Iterator[dict[Variable, int]]:
    """Values for the variable predicate or class of an atom, one for each relation it may stand for."""
    for predicate, cls in keys:
        values: dict[Variable, int] = {}
        if isinstance(atom.p, Variable):
            values[atom.p] = predicate
        elif atom.p != predicate:
            continue
        if predicate == type_id:
            if isinstance(atom.o, Variable):
                if values.get(atom.o, cls) != cls:
                    continue
                values[atom.o] = cls
            elif atom.o != cls:
                continue
        yield values


def _rows(relation: Relation | None, rule: Rule) -> list[Slice]:
    if relation is None:
        return []
    end = relation.size_before(1) if rule.data else relation.size
    return [Slice(relation, 0, end)] if end else []


def _read(draft: _Draft) -> set[Variable]:
    """The variables that are looked up by name after the body atoms were joined."""
    conditions: list[Filter | Assignment] = [
        *draft.filters,
        *draft.rule.assignments,
        *(f for n in draft.negations for f in n.filters),
    ]
    return {variable for condition in conditions for variable in condition.variables}


def _keyed(s: Term, p: Term, o: Term, type_id: int) -> CompiledAtom:
    key: Key | None = None
    if isinstance(p, int):
        if p != type_id:
            key = (p, -1)
        elif isinstance(o, int):
            key = (p, o)
    return CompiledAtom(key, s, p, o)


def _atom(atom: Atom, program: Program, mark: str, own: frozenset[Node]) -> CompiledAtom:
    s, p, o = (program.encode(term, mark, own) for term in atom.terms)
    return _keyed(s, p, o, program.type_id)


def _negations(rule: Rule, program: Program) -> Iterator[CompiledNegation]:
    """The NOT elements; a variable that does not occur before one is renamed, because it is local to it."""
    before: set[Variable] = set()
    for number, element in enumerate(rule.body):
        if not isinstance(element, Negation):
            before.update(element.variables)
            continue
        local = {v: Variable(f"-{number}-{v}") for v in element.variables if v not in before}
        atoms = []
        for atom in element.atoms:
            s, p, o = (local.get(t, t) if isinstance(t, Variable) else t for t in atom.terms)
            atoms.append(_atom(Atom(s, p, o), program, f"-{number}-_", rule.own_terms))
        filters = tuple(_rename(e, local) for e in element.elements if isinstance(e, Filter))
        yield CompiledNegation(tuple(atoms), filters, element.data or rule.data)


def _rename(condition: Filter, names: Mapping[Variable, Variable]) -> Filter:
    def walk(expression: Expression) -> Expression:
        if isinstance(expression, VariableRef):
            return VariableRef(names.get(expression.variable, expression.variable))
        if isinstance(expression, Call):
            return Call(expression.function, tuple(map(walk, expression.arguments)))
        return expression

    return Filter(walk(condition.expression))


def head_key(triple: Head, type_id: int) -> Key | None:
    """The relation a head adds to, or None where that is known only when it runs."""
    return _keyed(*triple, type_id).key


def _live(drafts: Sequence[_Draft], keys: set[Key], type_id: int) -> Iterator[_Draft]:
    """The drafts whose body relations have rows or can get some; adds to `keys` what they can infer."""
    waiting = list(drafts)
    while True:
        ready = [d for d in waiting if all(atom.key in keys for atom in d.body)]
        if not ready:
            return
        yield from ready
        chosen = set(map(id, ready))
        waiting = [d for d in waiting if id(d) not in chosen]
        keys.update(key for d in ready for triple in d.head if (key := head_key(triple, type_id)) is not None)


def _transitive(draft: _Draft) -> Key | None:
    """The relation p of a draft { x p z } WHERE { x p y . y p z }, else None."""
    if len(draft.body) != 2 or len(draft.head) != 1 or draft.negations or draft.filters or draft.rule.assignments:
        return None
    first, second = draft.body
    if first.key is None or first.key != second.key or first.key[1] >= 0 or draft.rule.data:
        return None
    if first.s == second.o:
        return None
    forward = first.o == second.s and draft.head[0] == (first.s, first.p, second.o)
    backward = second.o == first.s and draft.head[0] == (second.s, first.p, first.o)
    distinct = len({first.s, first.o, second.s, second.o}) == 3
    variables = all(isinstance(t, Variable) for t in (first.s, first.o, second.s, second.o))
    return first.key if (forward or backward) and distinct and variables else None
