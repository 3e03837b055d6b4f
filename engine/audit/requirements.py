"""What a schema asks of the members of its classes, read closed world, as constraints over what is there.

`C ⊑ p some D` says in OWL that each C has a value of p in D, known or not. Read closed world it is a constraint: a C
without such a value among the asserted and inferred triples breaks it.

    { ?x a C . NOT { ?x p ?y . ?y a D } } ⇒ FALSE

Each requirement of a graph becomes one such constraint, with the axioms it was made from, for the engine to evaluate.
Names count as different things (at most n values), unless they are inferred to be the same (owl:sameAs).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from rdflib import OWL, RDF, RDFS, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.audit.axioms import expression, list_of, named
from engine.symbolic.datatypes import DATATYPES, FUNCTION
from engine.symbolic.rules import (
    Atom,
    BodyElement,
    Call,
    Constant,
    Constraint,
    Expression,
    Filter,
    Negation,
    VariableRef,
)
from kg.graph import KnowledgeGraph
from kg.terms import Triple

__all__ = ["MOST_VALUES", "Requirement", "Unread", "requirements"]

MOST_VALUES = 6
"""Values that are counted: `at least 6` joins a property with itself six times for each member."""
_MOST_MEMBERS = 1_000
"""Members of an enumeration that a constraint is made of."""
_NAMES = "urn:noesis:audit#"

X, Y = Variable("x"), Variable("y")
_AT_LEAST = {
    **dict.fromkeys((OWL.minCardinality, OWL.cardinality), None),
    **dict.fromkeys((OWL.minQualifiedCardinality, OWL.qualifiedCardinality), OWL.onClass),
}
_AT_MOST = {
    **dict.fromkeys((OWL.maxCardinality, OWL.cardinality), None),
    **dict.fromkeys((OWL.maxQualifiedCardinality, OWL.qualifiedCardinality), OWL.onClass),
}
_ANYTHING = (OWL.Thing, RDFS.Resource, None)
_CHECKED = (OWL.intersectionOf, OWL.unionOf, OWL.someValuesFrom, OWL.hasValue, OWL.oneOf)
"""The class expressions that OWL 2 RL infers members of."""


@dataclass(frozen=True)
class Requirement:
    """A constraint made from an axiom.

    Args:
        id: of the kind of requirement.
        terms: the `path` (property), the `class` whose members are meant, `of` what class, datatype or value the
            values have to be, and their `count` where it is not 1; those that there are.
        needs: in words, what a member has to have.
    """

    id: str
    constraint: Constraint
    terms: Mapping[str, Node]
    needs: str


@dataclass(frozen=True)
class Unread:
    """An axiom that was not made a constraint, in words."""

    why: str


def requirements(graph: KnowledgeGraph, *, owl: bool) -> Iterator[Requirement | Unread]:
    """The requirements of a schema, asserted and inferred axioms both.

    Args:
        owl: whether the graph was closed under OWL 2 RL, which tells literals outside the datatype of a range itself.
    """
    reader = _Reader(graph, owl=owl)
    yield from reader.restrictions()
    yield from reader.ranges()
    yield from reader.enumerations()
    yield from map(Unread, reader.unread)


class _Reader:
    """Reads the axioms of one graph."""

    def __init__(self, graph: KnowledgeGraph, *, owl: bool) -> None:
        self.graph, self.owl = graph, owl
        self.unread: dict[str, None] = {}
        self._same = next(graph.triples(None, OWL.sameAs, None), None) is not None

    def restrictions(self) -> Iterator[Requirement | Unread]:
        """Those of restrictions, for each class that is the most general one to be below the restriction."""
        for restriction in dict.fromkeys(t.subject for t in self.graph.triples(None, OWL.onProperty, None)):
            said = self._said(restriction)
            path = _Path.of(self.graph, said[OWL.onProperty])
            for cls, axiom in self._classes_of(restriction):
                axioms = [axiom, Triple(restriction, OWL.onProperty, said[OWL.onProperty]), *path.axioms]
                for predicate, value in said.items():
                    stated = [*axioms, Triple(restriction, predicate, value)]
                    yield from self._restriction(_Site(path, cls, tuple(stated)), predicate, value, said)

    def ranges(self) -> Iterator[Requirement | Unread]:
        """Those of the datatypes and enumerations that are the range of a property."""
        for axiom in self.graph.triples(None, RDFS.range, None, inferred=False):
            if named(axiom.subject):
                site = _Site(_Path(axiom.subject), None, (axiom,))
                yield from self._value_set(site, axiom.object)

    def enumerations(self) -> Iterator[Requirement | Unread]:
        """Those of classes that are enumerated: what is stated to be in one is one of its members."""
        for cls in dict.fromkeys(t.subject for t in self.graph.triples(None, RDF.type, OWL.Class)):
            found = self._members(cls) if named(cls) else None
            if found is not None and not any(isinstance(member, Literal) for member in found[0]):
                members, axioms = found
                body = (Atom(X, RDF.type, cls), *self._not_among(X, members))
                label = self.graph.label(cls)
                yield self._made(
                    "member-not-in-set",
                    _Site(None, cls, axioms),
                    body,
                    f"{{?x}} is stated to be in {label} and is none of its members",
                    f"be one of {self._listed(members)}",
                    data=True,
                )

    def _restriction(
        self, site: _Site, predicate: Node, value: Node, said: Mapping[Node, Node]
    ) -> Iterator[Requirement | Unread]:
        if predicate == OWL.someValuesFrom:
            yield from self._at_least(site, 1, value)
        elif predicate == OWL.hasValue:
            yield self._has_value(site, value)
        elif predicate == OWL.allValuesFrom:
            yield from self._value_set(site, value)
        elif predicate in _AT_LEAST or predicate in _AT_MOST:
            count = _number(value)
            filler = said.get(OWL.onClass, said.get(OWL.onDataRange)) if "ualified" in str(predicate) else None
            if filler is not None:
                of = OWL.onClass if OWL.onClass in said else OWL.onDataRange
                site = _Site(site.path, site.cls, (*site.axioms, Triple(site.axioms[-1].subject, of, filler)))
            if predicate in _AT_LEAST and count:
                yield from self._at_least(site, count, filler)
            if predicate in _AT_MOST and count is not None:
                yield from self._at_most(site, count, filler)

    def _at_least(self, site: _Site, count: int, filler: Node | None) -> Iterator[Requirement | Unread]:
        assert site.path is not None, "a restriction is on a property"
        if count > MOST_VALUES:
            yield Unread(f"at least {count} values of {self.graph.label(site.path.property)} are too many to count")
            return
        values = [Variable(f"_y{at}") for at in range(1, count + 1)]
        inside: list[Atom | Filter] = []
        for value in values:
            inside += [site.path.atom(X, value), *self._is_in(value, filler)]
        inside += [Filter(_call("!=", a, b)) for a, b in combinations(values, 2)]
        what = self._values(site.path, filler, count)
        lacks = f"no {what}" if count == 1 else f"fewer than {count} different {what}"
        yield self._made(
            "value-missing" if count == 1 else "values-too-few",
            site,
            (*site.member, Negation(tuple(inside))),
            f"{{?x}} is in {self._class(site)} and has {lacks}",
            f"have at least {count} {what}",
            of=filler,
            count=count,
        )

    def _at_most(self, site: _Site, count: int, filler: Node | None) -> Iterator[Requirement | Unread]:
        assert site.path is not None, "a restriction is on a property"
        if count >= MOST_VALUES:
            yield Unread(f"at most {count} values of {self.graph.label(site.path.property)} are too many to count")
            return
        values = [Variable(f"_y{at}") for at in range(1, count + 2)]
        body: list[BodyElement] = list(site.member)
        for value in values:
            body += [site.path.atom(X, value), *self._is_in(value, filler)]
        # In order of their text, so that one set of values is found once.
        body += [Filter(_ordered(a, b)) for a, b in pairwise(values)]
        body += [Filter(_call("!=", a, b)) for a, b in combinations(values, 2)]
        if self._same:
            body += [Negation((Atom(a, OWL.sameAs, b),)) for a, b in combinations(values, 2)]
        what = self._values(site.path, filler, count)
        yield self._made(
            "values-too-many",
            site,
            tuple(body),
            f"{{?x}} is in {self._class(site)} and has more than {count} different {what}",
            f"have at most {count} {what}",
            of=filler,
            count=count,
        )

    def _has_value(self, site: _Site, value: Node) -> Requirement:
        assert site.path is not None, "a restriction is on a property"
        what = f"the value {self.graph.label(value)} of {self.graph.label(site.path.property)}"
        body: tuple[BodyElement, ...] = (*site.member, Negation((site.path.atom(X, value),)))
        message = f"{{?x}} is in {self._class(site)} and has not {what}"
        return self._made("value-missing", site, body, message, f"have {what}", of=value)

    def _value_set(self, site: _Site, filler: Node) -> Iterator[Requirement | Unread]:
        """Every value is of a datatype, or one of some values."""
        assert site.path is not None, "values are those of a property"
        property = self.graph.label(site.path.property)
        start: tuple[BodyElement, ...] = (*site.member, site.path.atom(X, Y))
        found = self._members(filler)
        if found is not None:
            members, axioms = found
            body = (*start, *self._not_among(Y, members))
            site = _Site(site.path, site.cls, (*site.axioms, *axioms))
            listed = self._listed(members)
            message = f"{{?x}} has the value {{?y}} of {property}, which is none of {listed}"
            yield self._made("value-not-in-set", site, body, message, f"have values among {listed}", of=filler)
        elif filler in DATATYPES:
            wrong: Expression = Call("!", (Call(f"{FUNCTION}has", (VariableRef(Y), Constant(filler))),))
            if self.owl or filler == RDFS.Literal:
                wrong = Call("!", (Call("isLITERAL", (VariableRef(Y),)),))
            name = self.graph.curie(filler)
            message = f"{{?x}} has the value {{?y}} of {property}, which is not of {name}"
            body = (*start, Filter(wrong))
            yield self._made("value-not-of-datatype", site, body, message, f"have values of {name}", of=filler)
        elif self._is_facet(filler):
            yield Unread(f"a restricted datatype is not read: {self.graph.curie(filler)}")

    def _not_among(self, variable: Variable, members: Sequence[Node]) -> Iterator[BodyElement]:
        yield Filter(Call("NOT IN", (VariableRef(variable), *map(Constant, members))))
        if self._same:
            for member in members:
                if not isinstance(member, Literal):
                    yield Negation((Atom(variable, OWL.sameAs, member),))

    def _is_in(self, value: Variable, filler: Node | None) -> Iterator[Atom | Filter]:
        """That a value is in a class or datatype, as far as rules infer that of one."""
        if filler in _ANYTHING:
            return
        found = None if filler is None else self._members(filler, exactly=True)
        if filler == RDFS.Literal:
            yield Filter(Call("isLITERAL", (VariableRef(value),)))
        elif filler in DATATYPES:
            yield Filter(Call(f"{FUNCTION}has", (VariableRef(value), Constant(filler))))
        elif found is not None:
            yield Filter(Call("IN", (VariableRef(value), *map(Constant, found[0]))))
        elif filler is not None and (named(filler) or any(each in self._said(filler) for each in _CHECKED)):
            yield Atom(value, RDF.type, filler)

    def _members(self, cls: Node, *, exactly: bool = False) -> tuple[tuple[Node, ...], tuple[Triple, ...]] | None:
        """What a class or datatype is an enumeration of, or is below one of, and the axioms that say so.

        Args:
            exactly: not below one. None stands for a class that is not enumerated.
        """
        ways: list[tuple[tuple[Triple, ...], Node]] = [((), cls)]
        for predicate in (OWL.equivalentClass,) if exactly else (OWL.equivalentClass, RDFS.subClassOf):
            ways += [((t,), t.object) for t in self.graph.triples(cls, predicate, None)]
        for axioms, node in ways:
            stated = next(self.graph.triples(node, OWL.oneOf, None), None)
            if stated is not None:
                found = list_of(self.graph, stated.object, _MOST_MEMBERS)
                if found is not None:
                    return found[0], (*axioms, stated, *found[1])
                self.unread.setdefault(f"an enumeration is malformed or too long: {self.graph.label(cls)}")
        return None

    def _classes_of(self, restriction: Node) -> list[tuple[Node, Triple]]:
        """The most general named classes that are below a restriction, and itself where it has stated members."""
        found: dict[Node, Triple] = {}
        for axiom in self.graph.triples(None, RDFS.subClassOf, restriction):
            found.setdefault(axiom.subject, axiom)
        for axiom in self.graph.triples(None, OWL.equivalentClass, restriction):
            found.setdefault(axiom.subject, axiom)
        classes = {cls: axiom for cls, axiom in found.items() if named(cls)}
        most_general = [
            (cls, axiom)
            for cls, axiom in sorted(classes.items())
            if not any(self._is_below(cls, other) for other in classes if other != cls)
        ]
        member = next(self.graph.triples(None, RDF.type, restriction, inferred=False), None)
        if member is not None:
            most_general.append(
                (restriction, Triple(restriction, OWL.onProperty, self._said(restriction)[OWL.onProperty]))
            )
        return most_general

    def _is_below(self, cls: Node, other: Node) -> bool:
        """Whether a class is strictly below another; of two that are equivalent, the one whose IRI comes later is."""
        if not self.graph.contains((cls, RDFS.subClassOf, other)):
            return False
        return not self.graph.contains((other, RDFS.subClassOf, cls)) or str(other) < str(cls)

    def _said(self, node: Node) -> dict[Node, Node]:
        return {t.predicate: t.object for t in self.graph.triples(node, None, None)}

    def _is_facet(self, filler: Node) -> bool:
        return isinstance(filler, BNode) and OWL.onDatatype in self._said(filler)

    def _values(self, path: _Path, filler: Node | None, count: int) -> str:
        value, are = ("value", "is") if count == 1 else ("values", "are")
        among = "" if filler in _ANYTHING or filler is None else f" that {are} in {expression(self.graph, filler)}"
        return f"{value} of {path.text(self.graph)}{among}"

    def _class(self, site: _Site) -> str:
        return "" if site.cls is None else expression(self.graph, site.cls)

    def _listed(self, members: Sequence[Node], most: int = 10) -> str:
        more = ", …" if len(members) > most else ""
        return f"{', '.join(self.graph.label(member) for member in members[:most])}{more}"

    def _made(
        self,
        id: str,
        site: _Site,
        body: Sequence[BodyElement],
        message: str,
        needs: str,
        *,
        of: Node | None = None,
        count: int = 1,
        data: bool = False,
    ) -> Requirement:
        constraint = Constraint(
            URIRef(_NAMES + id),
            (),
            tuple(body),
            data,
            comment=f"A member has to {needs}.",
            axioms=tuple(dict.fromkeys(site.axioms)),
            message=message,
        )
        terms = {"path": None if site.path is None else site.path.property, "class": site.cls, "of": of}
        if count != 1:
            terms["count"] = Literal(count)
        return Requirement(id, constraint, {name: term for name, term in terms.items() if term is not None}, needs)


@dataclass(frozen=True)
class _Path:
    """A property, read from object to subject where it is the inverse of a named one."""

    property: Node
    inverse: bool = False
    axioms: tuple[Triple, ...] = ()

    @classmethod
    def of(cls, graph: KnowledgeGraph, property: Node) -> _Path:
        """The path of `owl:onProperty`."""
        if isinstance(property, BNode):
            stated = next(graph.triples(property, OWL.inverseOf, None), None)
            if stated is not None:
                return cls(stated.object, True, (stated,))
        return cls(property)

    def atom(self, subject: Node, object: Node) -> Atom:
        """That a subject has a value."""
        return Atom(object, self.property, subject) if self.inverse else Atom(subject, self.property, object)

    def text(self, graph: KnowledgeGraph) -> str:
        """Its name."""
        return f"the inverse of {graph.label(self.property)}" if self.inverse else graph.label(self.property)


@dataclass(frozen=True)
class _Site:
    """What is asked for where: the property, the class, and the axioms that say so."""

    path: _Path | None
    cls: Node | None
    axioms: tuple[Triple, ...]

    @property
    def member(self) -> tuple[Atom, ...]:
        """That something is a member of the class; nothing where no class is named."""
        return () if self.cls is None else (Atom(X, RDF.type, self.cls),)


def _number(value: Node) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def _call(operator: str, left: Variable, right: Variable) -> Call:
    return Call(operator, (VariableRef(left), VariableRef(right)))


def _ordered(left: Variable, right: Variable) -> Call:
    return Call("<", (Call("STR", (VariableRef(left),)), Call("STR", (VariableRef(right),))))
