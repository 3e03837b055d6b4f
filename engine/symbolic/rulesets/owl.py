"""OWL 2 RL rules whose premises are lists, made from the axioms of one graph: one plain rule for each axiom.

Each rule has its W3C id and, in `axioms`, all the triples it was made from, list cells included, so that a proof can
show and check them. A blank node in such a rule is the graph's own when it occurs in the axioms (an anonymous class,
for one), never a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from itertools import combinations, pairwise
from typing import NamedTuple

from rdflib import OWL, RDF, RDFS, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.relation import DATA_STEP, Store
from engine.symbolic.rules import Atom, BodyElement, Call, Constant, Constraint, Filter, Rule, VariableRef
from kg.dictionary import Dictionary
from kg.errors import RuleError
from kg.terms import Triple, local_name

__all__ = ["Part", "axiom_rules"]

RL = "https://www.w3.org/TR/owl2-profiles/#"
X, Y, Z = Variable("x"), Variable("y"), Variable("z")


class _Axiom(NamedTuple):
    """A subject, the members of its list, and the triples that say so."""

    subject: Node
    members: tuple[Node, ...]
    triples: tuple[Triple, ...]


def axiom_rules(store: Store, dictionary: Dictionary, *, part: Part | None = None) -> list[Rule]:
    """The rules and constraints for the list-valued axioms of a store, and for classes and properties with two names.

    Args:
        part: those about intersections, unions and enumerations alone, or all but those; None for all.

    Raises:
        RuleError: the list of an axiom is malformed or cyclic, a chain or key has no property, or a literal stands
            where a class or property is needed.
    """
    axioms = _Axioms(store, dictionary)
    makers: Sequence[Callable[[_Axioms], Iterator[Rule]]] = _MAKERS if part is None else _OF_PARTS
    if part is Part.OTHERS:
        makers = [make for make in _MAKERS if make not in (*_OF_PARTS, _same_names)]
    return [rule for make in makers for rule in make(axioms)]


class Part(Enum):
    """`WHOLES`: rules about intersections, unions and enumerations, of which a schema may have thousands; `OTHERS`: the
    rest, but for rules about a second name of a class or property."""

    WHOLES = "wholes"
    OTHERS = "others"


class _Axioms:
    """Reads axioms from a store."""

    def __init__(self, store: Store, dictionary: Dictionary) -> None:
        self._store, self._dictionary = store, dictionary
        self._first = self._cells(RDF.first)
        self._rest = self._cells(RDF.rest)

    def lists(self, predicate: URIRef, *, within: URIRef | None = None) -> Iterator[_Axiom]:
        """The axioms `subject predicate (members)`, of the subjects in a class if one is given."""
        for s, o in self._pairs(predicate):
            triples = [self._triple(s, predicate, o)]
            if within is not None:
                if not self._is_member(s, within):
                    continue
                triples.insert(0, Triple(self._term(s), RDF.type, within))
            members, cells = self._members(o, triples[-1])
            yield _Axiom(self._term(s), members, (*triples, *cells))

    def same(self) -> Iterator[tuple[Node, Node]]:
        """The pairs of different terms that are stated or inferred to be the same."""
        for s, o in self._pairs(OWL.sameAs):
            if s != o:
                yield self._term(s), self._term(o)

    def inverses(self) -> dict[Node, tuple[Node, Triple]]:
        """The anonymous inverses: the property each is the inverse of, and the triple that says so."""
        found: dict[Node, tuple[Node, Triple]] = {}
        for s, o in self._pairs(OWL.inverseOf):
            left, right = self._term(s), self._term(o)
            for anonymous, named in ((left, right), (right, left)):
                if isinstance(anonymous, BNode) and isinstance(named, URIRef):
                    found.setdefault(anonymous, (named, self._triple(s, OWL.inverseOf, o)))
        return found

    def is_predicate(self, term: Node) -> bool:
        """Whether triples have the term as predicate."""
        id = self._dictionary.find(term)
        relation = None if id is None else self._store.get((id, -1))
        return relation is not None and relation.size > 0

    def is_class(self, term: Node) -> bool:
        """Whether something is a member of the term."""
        id = self._dictionary.find(term)
        relation = None if id is None else self._store.get((self._store.type_id, id))
        return relation is not None and relation.size > 0

    def _pairs(self, predicate: URIRef) -> list[tuple[int, int]]:
        id = self._dictionary.find(predicate)
        relation = None if id is None else self._store.get((id, -1))
        return [] if relation is None else list(zip(relation.s.tolist(), relation.o.tolist(), strict=True))

    def _is_member(self, id: int, cls: URIRef) -> bool:
        class_id = self._dictionary.find(cls)
        relation = None if class_id is None else self._store.get((self._store.type_id, class_id))
        return relation is not None and class_id is not None and relation.row(id, class_id) is not None

    def _cells(self, predicate: URIRef) -> dict[int, list[int]]:
        """Values of rdf:first or rdf:rest by cell: the asserted ones, or where there is none the inferred."""
        id = self._dictionary.find(predicate)
        relation = None if id is None else self._store.get((id, -1))
        found: dict[int, list[int]] = {}
        if relation is None:
            return found
        asserted = relation.size_before(DATA_STEP + 1)
        for row, (s, o) in enumerate(zip(relation.s.tolist(), relation.o.tolist(), strict=True)):
            if row < asserted or s not in found:
                found.setdefault(s, []).append(o)
        return found

    def _members(self, head: int, axiom: Triple) -> tuple[tuple[Node, ...], tuple[Triple, ...]]:
        """The members of the list that starts with a cell, and the triples of its cells."""
        nil = self._dictionary.find(RDF.nil)
        members: list[Node] = []
        cells: list[Triple] = []
        seen: set[int] = set()
        cell = head
        while cell != nil:
            if cell in seen:
                raise _malformed(axiom, f"comes back to its cell {_show(self._term(cell))}")
            seen.add(cell)
            for name, values in (("rdf:first", self._first), ("rdf:rest", self._rest)):
                if len(values.get(cell, ())) != 1:
                    count = len(values.get(cell, ()))
                    raise _malformed(axiom, f"has {count} {name} at its cell {_show(self._term(cell))}")
            first, rest = self._first[cell][0], self._rest[cell][0]
            members.append(self._term(first))
            cells += [self._triple(cell, RDF.first, first), self._triple(cell, RDF.rest, rest)]
            cell = rest
        return tuple(members), tuple(cells)

    def _term(self, id: int) -> Node:
        return self._dictionary.term(id)

    def _triple(self, s: int, predicate: URIRef, o: int) -> Triple:
        return Triple(self._term(s), predicate, self._term(o))


def _show(term: Node) -> str:
    return term.n3()[:80]


def _malformed(axiom: Triple, problem: str) -> RuleError:
    stated = f"{_show(axiom.subject)} {_show(axiom.predicate)}"
    wanted = "Expected a list with one rdf:first and one rdf:rest in each cell, ending in rdf:nil"
    return RuleError(f"{wanted} (got that of {stated}, which {problem})")


def _resources(axiom: _Axiom, *, least: int = 0) -> tuple[Node, ...]:
    """The members, which have to be classes or properties."""
    stated = f"the list of {_show(axiom.subject)} {_show(axiom.triples[-1 - 2 * len(axiom.members)].predicate)}"
    if len(axiom.members) < least:
        raise RuleError(f"Expected at least {least} member in {stated} (got {len(axiom.members)})")
    literal = next((member for member in axiom.members if isinstance(member, Literal)), None)
    if literal is not None:
        raise RuleError(f"Expected classes or properties in {stated} (got the literal {_show(literal)})")
    return axiom.members


# ---------------------------------------------------------------- rules


def _rule(
    id: str, comment: str, head: Iterable[Atom], body: Iterable[BodyElement], axioms: tuple[Triple, ...], *, table: int
) -> Rule:
    source = f"OWL 2 Profiles, 4.3, Table {table}"
    return Rule(URIRef(RL + id), tuple(head), tuple(body), comment=comment, source=source, axioms=axioms)


def _constraint(
    id: str, comment: str, message: str, body: Iterable[BodyElement], axioms: tuple[Triple, ...], *, table: int
) -> Constraint:
    source = f"OWL 2 Profiles, 4.3, Table {table}"
    return Constraint(URIRef(RL + id), (), tuple(body), comment=comment, source=source, axioms=axioms, message=message)


def _is_a(term: Node, cls: Node) -> Atom:
    return Atom(term, RDF.type, cls)


def _differ(left: Variable, right: Variable) -> Filter:
    return Filter(Call("!", (Call("sameTerm", (VariableRef(left), VariableRef(right))),)))


def _name(term: Node) -> str:
    """A term of an axiom in a message: its local name, or "something anonymous"."""
    return local_name(term) if isinstance(term, URIRef) else "something anonymous"


def _all_different(axioms: _Axioms) -> Iterator[Rule]:
    """One constraint for each axiom, because the pairs of a long list are many; pairs where blank nodes are members."""
    comment = "The members of owl:AllDifferent are different from each other."
    message = "{?x} and {?y} are the same and are stated to be all different"
    for id, predicate in (("eq-diff2", OWL.members), ("eq-diff3", OWL.distinctMembers)):
        for axiom in axioms.lists(predicate, within=OWL.AllDifferent):
            members = dict.fromkeys(member for member in axiom.members if not isinstance(member, Literal))
            if all(isinstance(member, URIRef) for member in members):
                among = [Filter(Call("IN", (VariableRef(v), *map(Constant, members)))) for v in (X, Y)]
                in_order = Filter(Call("<", (Call("STR", (VariableRef(X),)), Call("STR", (VariableRef(Y),)))))
                body: list[BodyElement] = [Atom(X, OWL.sameAs, Y), *among, in_order]  # the filters that few pass first
                yield _constraint(id, comment, message, body, axiom.triples, table=4)
            else:
                for x, y in combinations(members, 2):
                    named = f"{_name(x)} and {_name(y)} are the same and are stated to be all different"
                    yield _constraint(id, comment, named, [Atom(x, OWL.sameAs, y)], axiom.triples, table=4)


def _same_names(axioms: _Axioms) -> Iterator[Rule]:
    for left, right in axioms.same():
        stated = (Triple(left, OWL.sameAs, right),)
        if axioms.is_predicate(left) and not isinstance(right, Literal):
            comment = "What holds by a property holds by every property that is the same."
            yield _rule("eq-rep-p", comment, [Atom(X, right, Y)], [Atom(X, left, Y)], stated, table=4)
        if axioms.is_class(left):
            comment = "What is said of a thing as object is said of everything that is the same."
            yield _rule("eq-rep-o", comment, [_is_a(X, right)], [_is_a(X, left)], stated, table=4)


def _chains(axioms: _Axioms) -> Iterator[Rule]:
    """An anonymous inverse in a chain is its property read the other way (prp-inv2 in one step)."""
    inverses = axioms.inverses()
    for axiom in axioms.lists(OWL.propertyChainAxiom):
        chain = _resources(axiom, least=1)
        nodes = [X, *(Variable(f"y{n}") for n in range(1, len(chain))), Z]
        body, stated = [], dict.fromkeys(axiom.triples)
        for p, (s, o) in zip(chain, pairwise(nodes), strict=True):
            named, triple = inverses.get(p, (p, None))
            body.append(Atom(s, p, o) if triple is None else Atom(o, named, s))
            stated.update({triple: None} if triple is not None else {})
        comment = "What is linked by the chain of properties is linked by the property."
        yield _rule("prp-spo2", comment, [Atom(X, axiom.subject, Z)], body, tuple(stated), table=5)


def _disjoint_properties(axioms: _Axioms) -> Iterator[Rule]:
    for axiom in axioms.lists(OWL.members, within=OWL.AllDisjointProperties):
        for p, q in combinations(_resources(axiom), 2):
            message = f"{{?x}} has both {_name(p)} and {_name(q)} to {{?y}}, which are disjoint properties"
            comment = "Disjoint properties have no pair in common."
            yield _constraint("prp-adp", comment, message, [Atom(X, p, Y), Atom(X, q, Y)], axiom.triples, table=5)


def _keys(axioms: _Axioms) -> Iterator[Rule]:
    for axiom in axioms.lists(OWL.hasKey):
        properties = _resources(axiom, least=1)
        values = [Variable(f"z{n}") for n in range(1, len(properties) + 1)]
        body: list[BodyElement] = [_is_a(X, axiom.subject)]
        body += [Atom(X, p, value) for p, value in zip(properties, values, strict=True)]
        body += [Atom(Y, p, value) for p, value in zip(properties, values, strict=True)]
        body += [_is_a(Y, axiom.subject), _differ(X, Y)]
        comment = "Members of a class that agree on its key are the same."
        yield _rule("prp-key", comment, [Atom(X, OWL.sameAs, Y)], body, axiom.triples, table=5)


def _intersections(axioms: _Axioms) -> Iterator[Rule]:
    for axiom in axioms.lists(OWL.intersectionOf):
        parts, whole = _resources(axiom), axiom.subject
        if not parts:
            continue
        comment = "What is in every class of an intersection is in the intersection."
        yield _rule("cls-int1", comment, [_is_a(X, whole)], [_is_a(X, part) for part in parts], axiom.triples, table=6)
        comment = "A member of an intersection is in each of its classes."
        yield _rule("cls-int2", comment, [_is_a(X, part) for part in parts], [_is_a(X, whole)], axiom.triples, table=6)
        comment = "An intersection is a subclass of each of its classes."
        heads = [Atom(whole, RDFS.subClassOf, part) for part in parts]
        yield _rule("scm-int", comment, heads, [], axiom.triples, table=9)


def _unions(axioms: _Axioms) -> Iterator[Rule]:
    for axiom in axioms.lists(OWL.unionOf):
        parts, whole = _resources(axiom), axiom.subject
        comment = "A member of a class of a union is in the union."
        for part in parts:
            yield _rule("cls-uni", comment, [_is_a(X, whole)], [_is_a(X, part)], axiom.triples, table=6)
        if parts:
            comment = "Each class of a union is a subclass of the union."
            heads = [Atom(part, RDFS.subClassOf, whole) for part in parts]
            yield _rule("scm-uni", comment, heads, [], axiom.triples, table=9)


def _enumerations(axioms: _Axioms) -> Iterator[Rule]:
    for axiom in axioms.lists(OWL.oneOf):
        members = [member for member in axiom.members if not isinstance(member, Literal)]  # else a data range
        if members:
            comment = "What a class enumerates is in the class."
            heads = [_is_a(member, axiom.subject) for member in members]
            yield _rule("cls-oo", comment, heads, [], axiom.triples, table=6)


def _disjoint_classes(axioms: _Axioms) -> Iterator[Rule]:
    for axiom in axioms.lists(OWL.members, within=OWL.AllDisjointClasses):
        for c, d in combinations(_resources(axiom), 2):
            message = f"{{?x}} is in {_name(c)} and in {_name(d)}, which are disjoint"
            comment = "Disjoint classes have no member in common."
            yield _constraint("cax-adc", comment, message, [_is_a(X, c), _is_a(X, d)], axiom.triples, table=7)


_MAKERS: tuple[Callable[[_Axioms], Iterator[Rule]], ...] = (
    _all_different,
    _same_names,
    _chains,
    _disjoint_properties,
    _keys,
    _intersections,
    _unions,
    _enumerations,
    _disjoint_classes,
)
_OF_PARTS = (_intersections, _unions, _enumerations)
