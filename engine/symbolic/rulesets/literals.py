"""OWL 2 RL rules about the literals of one graph: those of equal value, and those without a value.

dt-eq makes literals of one value the same, and eq-rep-o says that what has one of them has the other. Here that is one
rule for each predicate and pair, made where one is asserted, so a graph without typed literals gets none. Ill-typed
literals are found among the asserted triples: rules only repeat them.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary, ref

import numpy as np
from numpy.typing import NDArray
from rdflib import Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.datatypes import (
    DATATYPES,
    FUNCTION,
    Identity,
    has_no_value,
    identity,
    is_ill_typed,
    typed_identity,
)
from engine.symbolic.relation import Store
from engine.symbolic.rules import Atom, Call, Constraint, Filter, Rule, VariableRef
from kg.dictionary import LITERAL, Dictionary
from kg.terms import local_name, term_key

__all__ = ["LiteralIndex", "literal_rules"]

RL = "https://www.w3.org/TR/owl2-profiles/#"
X, Y = Variable("x"), Variable("y")
SOURCE = "OWL 2 Profiles, 4.3, Table 8"
_DATATYPES = frozenset(map(str, DATATYPES))


class LiteralIndex:
    """The literals with a written datatype that a dictionary has, by value."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = ref(dictionary)
        self._read = 0
        self.by_value: dict[Identity, list[int]] = {}
        self.ill_typed: set[int] = set()
        self._others: dict[int, list[int]] = {}
        self._special: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, dictionary: Dictionary) -> LiteralIndex:
        """The index of a dictionary, made on first use, kept with it, and read on where the dictionary grew."""
        found = _INDEXES.get(dictionary)
        if found is None:
            found = _INDEXES[dictionary] = cls(dictionary)
        found._read_on()
        return found

    @property
    def dictionary(self) -> Dictionary:
        """The dictionary it is of."""
        dictionary = self._dictionary()
        assert dictionary is not None, "an index is used only where its dictionary is"
        return dictionary

    def _read_on(self) -> None:
        dictionary, start = self.dictionary, self._read
        if start == len(dictionary):
            return
        self._read, self._special = len(dictionary), None
        for id in (start + np.flatnonzero(dictionary.kinds[start:] == LITERAL)).tolist():
            key = dictionary.key(id)
            if key[-1] == ">":
                self._add(id, key)

    def _add(self, id: int, key: str) -> None:
        end = key.rindex('"')
        datatype = key[end + 4 : -1]
        if datatype in _DATATYPES:
            value = typed_identity(datatype, key[1:end])
            if value is not None:
                self.by_value.setdefault(value, []).append(id)
            elif has_no_value(datatype, key[1:end]):
                self.ill_typed.add(id)

    def equal(self, value: Identity) -> list[int]:
        """The literals of a value, those without a written datatype included."""
        plain = self._plain(value)
        return [*self.by_value.get(value, ()), *([] if plain is None else [plain])]

    def special(self) -> NDArray[np.int64]:
        """The literals that equal others, and the ill-typed ones, in order of their ids."""
        if self._special is None:
            shared = [ids for value in self.by_value if len(ids := self.equal(value)) > 1]
            self._others = {id: [other for other in ids if other != id] for ids in shared for id in ids}
            self._special = np.array(sorted({*self._others, *self.ill_typed}), dtype=np.int64)
        return self._special

    def others(self, id: int) -> list[int]:
        """The literals that a literal equals, itself left out."""
        self.special()
        return self._others.get(id, [])

    def brings_rules(self, term: Node) -> bool:
        """Whether a claim about a term makes a rule: a literal that is ill typed, or equals another one."""
        if not isinstance(term, Literal):
            return False
        value, own = identity(term), term_key(term)
        if value is None:
            return is_ill_typed(term)
        return any(self.dictionary.key(id) != own for id in self.equal(value))

    def _plain(self, value: Identity) -> int | None:
        space, inside = value
        if space == "string":
            return self.dictionary.find_key(f'"{inside}"')
        if space == "langString" and isinstance(inside, tuple):
            return self.dictionary.find_key(f'"{inside[0]}"@{inside[1]}')
        return None


_INDEXES: WeakKeyDictionary[Dictionary, LiteralIndex] = WeakKeyDictionary()


def literal_rules(store: Store, dictionary: Dictionary) -> list[Rule]:
    """dt-eq, and dt-not-type for lexical forms, for each predicate with an asserted triple of such a literal.

    Equal literals count where they occur in asserted triples; a dictionary may have more.
    """
    index = LiteralIndex.of(dictionary)
    special = index.special()
    if not len(special):
        return []
    used: dict[int, dict[int, None]] = {}
    for (predicate, cls), relation in store:
        objects = relation.o[: relation.size_before(1) if cls < 0 else 0]
        found = objects[np.isin(objects, special)]
        if len(found):
            used[predicate] = dict.fromkeys(found.tolist())
    occurring = {id for ids in used.values() for id in ids}
    rules: list[Rule] = []
    for predicate, ids in used.items():
        name = dictionary.term(predicate)
        for id in ids:
            others = [other for other in index.others(id) if other in occurring]
            rules += [_same(name, dictionary.term(id), dictionary.term(other)) for other in others]
        rules += [_without_value(name)] if not index.ill_typed.isdisjoint(ids) else []
    return rules


def _same(predicate: Node, literal: Node, other: Node) -> Rule:
    comment = "Literals of one value are the same (dt-eq): what has one has the other (eq-rep-o)."
    head, body = (Atom(X, predicate, other),), (Atom(X, predicate, literal),)
    return Rule(URIRef(f"{RL}dt-eq"), head, body, comment=comment, source=SOURCE)


def _without_value(predicate: Node) -> Constraint:
    comment = "A literal whose lexical form is none of its datatype's has no value."
    message = f"{{?x}} has the value {{?y}} of {local_name(str(predicate))}, which is not valid for its datatype"
    body = (Atom(X, predicate, Y), Filter(Call(f"{FUNCTION}ill-typed", (VariableRef(Y),))))
    iri = URIRef(f"{RL}dt-not-type-lexical")
    return Constraint(iri, (), body, data=True, comment=comment, source=SOURCE, message=message)
