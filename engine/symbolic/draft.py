"""Rules on their way from terms to ids: the substitutions and tests that compilation is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from rdflib import BNode, Variable
from rdflib.term import Node

from engine.symbolic.builtins import holds
from engine.symbolic.join import CompiledAtom, CompiledNegation
from engine.symbolic.relation import Key
from engine.symbolic.rules import Assignment, Atom, Call, Constant, Expression, Filter, Negation, Rule, VariableRef
from engine.symbolic.triple_terms import TripleMatch, put_in_term
from kg.dictionary import Dictionary
from kg.terms import TripleTerm

__all__ = ["BODY_MARK", "HEAD_MARK", "Draft", "Head", "Term", "head_key", "wild_values"]

Term = int | Variable
Head = tuple[Term, Term, Term]

BODY_MARK, HEAD_MARK = "-", "+"
"""First character of the variables that stand for blank nodes of a body and of a head; no written variable has it."""


@dataclass(frozen=True, eq=False)
class Draft:
    """A rule on its way: ids for its terms, some variables already replaced by `values`."""

    rule: Rule
    values: Mapping[Variable, int]
    head: tuple[Head, ...]
    body: tuple[CompiledAtom, ...]
    filters: tuple[Filter, ...]
    negations: tuple[CompiledNegation, ...]
    fresh: tuple[Variable, ...]
    made_terms: tuple[TripleMatch, ...] = ()

    @classmethod
    def of(cls, rule: Rule, intern: Callable[[Node], int], type_id: int) -> Draft:
        """The draft of a rule as written; `intern` gives the ids of its terms."""
        encode = _Encoder(rule.own_terms, intern, type_id)
        body = tuple(encode.atom(atom, BODY_MARK) for atom in rule.body_atoms)
        negations = tuple(_negations(rule, encode))
        own, head = rule.own_terms, tuple(tuple(encode.term(t, HEAD_MARK) for t in atom.terms) for atom in rule.head)
        blanks = [term for atom in rule.head for part in atom.terms for term in _blanks(part) if term not in own]
        fresh = tuple(Variable(f"{HEAD_MARK}{term}") for term in dict.fromkeys(blanks))
        filters = (*encode.matches(BODY_MARK), *rule.filters)
        return cls(rule, {}, cast(tuple[Head, ...], head), body, filters, negations, fresh, encode.matches(HEAD_MARK))

    @property
    def wild(self) -> bool:
        """Whether a predicate or class of the body is still a variable."""
        return any(atom.key is None for atom in self.body)

    def substitute(self, values: Mapping[Variable, int], body: Sequence[CompiledAtom], type_id: int) -> Draft:
        """This draft with values for some variables, over the given body."""

        def put(term: Term) -> Term:
            return values.get(term, term) if isinstance(term, Variable) else term

        def put_atom(atom: CompiledAtom) -> CompiledAtom:
            return _keyed(put(atom.s), put(atom.p), put(atom.o), type_id)

        negations = tuple(CompiledNegation(tuple(map(put_atom, n.atoms)), n.filters, n.data) for n in self.negations)
        return Draft(
            self.rule,
            {**self.values, **values},
            tuple((put(s), put(p), put(o)) for s, p, o in self.head),
            tuple(map(put_atom, body)),
            self.filters,
            negations,
            self.fresh,
            self.made_terms,
        )

    def decide(self, dictionary: Dictionary) -> Draft | None:
        """This draft without the filters whose variables all have values; None where one of them is false."""
        known = [f for f in self.filters if all(variable in self.values for variable in f.variables)]
        known = [f for f in known if not isinstance(f, TripleMatch)]
        for condition in known:
            if not holds(condition.expression, {v: dictionary.term(self.values[v]) for v in condition.variables}):
                return None
        return replace(self, filters=tuple(f for f in self.filters if f not in known)) if known else self

    def expand(self, keys: Sequence[Key], type_id: int) -> Iterator[Draft]:
        """One draft for each way to choose a relation for the wildcard atoms."""
        at = next((i for i, atom in enumerate(self.body) if atom.key is None), None)
        if at is None:
            yield self
            return
        for values in wild_values(self.body[at], keys, type_id):
            yield from self.substitute(values, self.body, type_id).expand(keys, type_id)

    @property
    def constants(self) -> dict[Variable, int]:
        """The values that are looked up by name after the body atoms were joined."""
        conditions: list[Filter | Assignment] = [*self.filters, *self.rule.assignments]
        conditions += [condition for negation in self.negations for condition in negation.filters]
        conditions += self.made_terms
        read = {variable for condition in conditions for variable in condition.variables}
        return {variable: id for variable, id in self.values.items() if variable in read}

    @property
    def closes(self) -> Key | None:
        """The relation p of a draft { x p z } WHERE { x p y . y p z }, else None."""
        if len(self.body) != 2 or len(self.head) != 1 or self.negations or self.filters or self.rule.assignments:
            return None
        first, second = self.body
        if first.key is None or first.key != second.key or first.key[1] >= 0 or self.rule.data:
            return None
        if first.s == second.o:
            return None
        forward = first.o == second.s and self.head[0] == (first.s, first.p, second.o)
        backward = second.o == first.s and self.head[0] == (second.s, first.p, first.o)
        distinct = len({first.s, first.o, second.s, second.o}) == 3
        variables = all(isinstance(t, Variable) for t in (first.s, first.o, second.s, second.o))
        return first.key if (forward or backward) and distinct and variables else None

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
        plain = plain and not (self.fresh or self.made_terms)
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


def _keyed(s: Term, p: Term, o: Term, type_id: int) -> CompiledAtom:
    key: Key | None = None
    if isinstance(p, int):
        if p != type_id:
            key = (p, -1)
        elif isinstance(o, int):
            key = (p, o)
    return CompiledAtom(key, s, p, o)


@dataclass(frozen=True)
class _Encoder:
    """Terms of one rule to ids. Blank nodes in `own` are terms of the graph."""

    own: frozenset[Node]
    intern: Callable[[Node], int]
    type_id: int
    _matches: dict[tuple[str, Variable], TripleMatch] = field(default_factory=dict)

    def term(self, term: Node, mark: str) -> Term:
        """The id of a term; a variable stays, a blank node becomes a variable whose name starts with a mark.

        The mark keeps the blank nodes of body, NOT and head apart, and apart from the variables that are written.
        """
        if isinstance(term, Variable):
            return term
        if isinstance(term, BNode) and term not in self.own:
            return Variable(f"{mark}{term}")
        if isinstance(term, TripleTerm):
            return self._triple_term(term, mark)
        return self.intern(term)

    def _triple_term(self, term: TripleTerm, mark: str) -> Term:
        """The id of a ground triple term; one with variables becomes a variable with a match."""
        s, p, o = (self.term(part, mark) for part in term.parts)
        if not any(isinstance(part, Variable) for part in (s, p, o)):
            return self.intern(term)
        variable = Variable(f"{mark}{term}")
        s_name, p_name, o_name = (
            e if isinstance(e, Variable) else t for e, t in zip((s, p, o), term.parts, strict=True)
        )
        match = TripleMatch.of(variable, (s, p, o), (s_name, p_name, o_name))
        self._matches.setdefault((mark, variable), match)
        return variable

    def matches(self, mark: str) -> tuple[TripleMatch, ...]:
        """The matches of the triple terms met so far under a mark, inner ones first."""
        return tuple(match for (of, _), match in self._matches.items() if of == mark)

    def atom(self, atom: Atom, mark: str) -> CompiledAtom:
        """The atom over ids, with the key of its relation where that is known."""
        s, p, o = (self.term(term, mark) for term in atom.terms)
        return _keyed(s, p, o, self.type_id)


def _negations(rule: Rule, encode: _Encoder) -> Iterator[CompiledNegation]:
    """The NOT elements; a variable that does not occur before one is renamed, because it is local to it."""
    before: set[Variable] = set()
    for number, element in enumerate(rule.body):
        if not isinstance(element, Negation):
            before.update(element.variables)
            continue
        local = {v: Variable(f"-{number}-{v}") for v in element.variables if v not in before}
        atoms = []
        for atom in element.atoms:
            s, p, o = (_renamed(t, local) for t in atom.terms)
            atoms.append(encode.atom(Atom(s, p, o), f"-{number}-_"))
        written = (_rename(e, local) for e in element.elements if isinstance(e, Filter))
        filters = (*encode.matches(f"-{number}-_"), *written)
        yield CompiledNegation(tuple(atoms), filters, element.data or rule.data)


def _renamed(term: Node, names: Mapping[Variable, Variable]) -> Node:
    return put_in_term(term, lambda part: names.get(part, part) if isinstance(part, Variable) else part)


def _blanks(term: Node) -> Iterator[BNode]:
    if isinstance(term, BNode):
        yield term
    for part in term.parts if isinstance(term, TripleTerm) else ():
        yield from _blanks(part)


def _rename(condition: Filter, names: Mapping[Variable, Variable]) -> Filter:
    def walk(expression: Expression) -> Expression:
        if isinstance(expression, VariableRef):
            return VariableRef(names.get(expression.variable, expression.variable))
        if isinstance(expression, Call):
            return Call(expression.function, tuple(map(walk, expression.arguments)))
        return Constant(_renamed(expression.term, names))

    return Filter(walk(condition.expression))


def head_key(triple: Head, type_id: int) -> Key | None:
    """The relation a head adds to, or None where that is known only when it runs."""
    return _keyed(*triple, type_id).key
