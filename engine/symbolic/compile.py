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

from rdflib import OWL, RDF, RDFS, Variable

from engine.symbolic.aggregates import Grouping, check_grouping
from engine.symbolic.draft import HEAD_MARK, Draft, Head, head_key
from engine.symbolic.join import Bindings, CompiledAtom, CompiledNegation, Memo, Slice, evaluate
from engine.symbolic.relation import Key, Relation, Store
from engine.symbolic.rules import Assignment, Filter, Rule, RuleSet
from engine.symbolic.triple_terms import TripleMatch
from kg.dictionary import Dictionary
from kg.errors import LimitError

__all__ = ["CompiledRule", "Program"]

MAX_RULES = 500_000
"""Compiled rules of one program: beyond it, expansion of variable predicates has run away."""

SCHEMA_PREDICATES = frozenset(
    (
        *(RDFS.subClassOf, RDFS.subPropertyOf, RDFS.domain, RDFS.range, RDF.first, RDF.rest),
        *(OWL.equivalentClass, OWL.equivalentProperty, OWL.inverseOf, OWL.disjointWith, OWL.propertyDisjointWith),
        *(OWL.complementOf, OWL.onProperty, OWL.someValuesFrom, OWL.allValuesFrom, OWL.hasValue, OWL.hasSelf),
        *(OWL.maxCardinality, OWL.maxQualifiedCardinality, OWL.onClass, OWL.propertyChainAxiom, OWL.hasKey),
        OWL.onDataRange,
        *(OWL.intersectionOf, OWL.unionOf, OWL.oneOf, OWL.members, OWL.distinctMembers, OWL.disjointUnionOf),
        *(OWL.sourceIndividual, OWL.assertionProperty, OWL.targetIndividual, OWL.targetValue),
    )
)
_VOCABULARY = (str(OWL), str(RDFS), str(RDF))
_DATA_CLASSES = frozenset(map(str, (OWL.Thing, OWL.Nothing, OWL.NamedIndividual, RDFS.Resource, RDFS.Literal)))


@dataclass(frozen=True, eq=False)
class CompiledRule:
    """A rule over ids, in which every body atom has the key of one relation.

    Args:
        number: its place in the program; rows it adds carry it.
        rule: the rule as written. values: what partial evaluation and expansion put for its variables.
        head: (subject, predicate, object), ids or variables; blank nodes of the head stand as variables in `fresh`.
        constants: the part of `values` that a FILTER, NOT or SET still reads.
        made_terms: the triple terms of the head that have variables, inner ones first.
        grouping: what is done with the substitutions of a rule with aggregates; `assignments` and `filters` are then
            those before it.
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
    made_terms: tuple[TripleMatch, ...] = ()
    grouping: Grouping | None = None
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
        self.live_keys: set[Key] = set()
        self.axiom_rules: dict[Rule, None] = {}
        self._signatures: set[object] = set()
        self._numbers: dict[Rule, int] = dict(like._numbers) if like else {}
        self._schema_keys: dict[Key, bool] = {}
        self.memo: Memo = dict(like.memo) if like else {}
        self.made: dict[int, tuple[int, ...]] = {}
        self._blank_prefix: str | None = like._blank_prefix if like else None
        self._merges = True
        self.sources = [self.prepare(rule) for rule in ruleset]

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

    def resumed(self, dictionary: Dictionary) -> Program:
        """A fork for another store that goes on from what the rules have seen of this one."""
        other = self.fork(dictionary)
        other.rules = [replace(rule, seen=list(rule.seen)) for rule in self.rules]
        return other

    def extend(
        self,
        store: Store,
        *,
        extra: Sequence[Rule] = (),
        assume: Iterable[Key] = (),
        only: Sequence[Draft] | None = None,
    ) -> list[CompiledRule]:
        """Compile every rule against the store; those that were not there before.

        Args:
            extra: rules made from the list-valued axioms of the store (`rulesets.owl`).
            assume: relations to be treated as filled, because a claim is about to add to them.
            only: compile these drafts, and no others.
        """
        for rule in extra:
            self.axiom_rules.setdefault(rule)
        sources = [*self.sources, *(self.prepare(rule) for rule in self.axiom_rules)] if only is None else only
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
        if only is None:  # what has rows or may get some; a relation that is emptied later is not among them
            self.live_keys = keys
        return [rule for draft in live for rule in self._finish(draft)]

    def every_way(self, store: Store) -> tuple[list[CompiledRule], list[CompiledRule]]:
        """The rules and the constraints over a closed store, those included that do the same as another one.

        A closure needs one of each; all proofs need every rule, and every schema triple a rule can be made from.
        """
        other = self.fork(self.dictionary)
        other.rules, other.constraints, other.keys = [], [], set()
        other._signatures, other._merges = set(), False
        other.extend(store)
        return other.rules, other.constraints

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
        id = self.dictionary.intern_key(self.blank_key(rule, blank, row))
        self.made[id] = row
        return id

    def blank_key(self, rule: CompiledRule, blank: Variable, row: tuple[int, ...]) -> str:
        """The dictionary key of the blank node that a rule makes for a substitution."""
        name = "-".join(map(str, (self.number_of(rule.rule), blank[len(HEAD_MARK) :], *row)))
        return f"_:{self.blank_prefix}-{name}"

    def prepare(self, rule: Rule) -> Draft:
        """The draft of a rule."""
        self.number_of(rule)
        check_grouping(rule)
        return Draft.of(rule, self.dictionary.intern, self.type_id)

    def _ground_schema(self, draft: Draft, store: Store) -> Iterator[Draft]:
        schema = [atom for atom in draft.body if self._is_schema(atom)]
        if not schema or len(schema) == len(draft.body) or draft.rule.aggregates:
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

    def _finish(self, draft: Draft) -> Iterator[CompiledRule]:
        is_constraint = not draft.rule.head
        body_triples = {(a.s, a.p, a.o) for a in draft.body}
        if not is_constraint and all(triple in body_triples for triple in draft.head):
            return
        number = self.number_of(draft.rule)
        signature = draft.signature(number) if self._merges else (number, tuple(sorted(draft.values.items())))
        if signature in self._signatures:
            return
        self._signatures.add(signature)
        group = self.constraints if is_constraint else self.rules
        grouping = Grouping.of(draft.rule, draft.values)
        rule = CompiledRule(
            number=len(group),
            rule=draft.rule,
            values=draft.values,
            head=draft.head,
            body=draft.body,
            filters=tuple(f for f in draft.filters if grouping is None or f not in grouping.elements),
            assignments=tuple(a for a in draft.rule.assignments if grouping is None or a not in grouping.elements),
            negations=draft.negations,
            constants=draft.constants,
            fresh=draft.fresh,
            made_terms=draft.made_terms,
            grouping=grouping,
            closes=draft.closes,
            seen=[0] * len(draft.body),
        )
        group.append(rule)
        yield rule


def _rows(relation: Relation | None, rule: Rule) -> list[Slice]:
    if relation is None:
        return []
    end = relation.size_before(1) if rule.data else relation.size
    return [Slice(relation, 0, end)] if end else []


def _live(drafts: Sequence[Draft], keys: set[Key], type_id: int) -> Iterator[Draft]:
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
