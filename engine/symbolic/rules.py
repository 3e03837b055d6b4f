"""Rules as values: atoms, filters, negations, assignments, and the rules and constraints made of them.

Everything the reasoner runs, whatever text it was written in, is one of these frozen values. The rule language is
SPARQL-RL (`srl.py`); a rule body is an ordered sequence, because a FILTER, NOT or SET sees only what stands before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TypeAlias, TypeVar

from rdflib import BNode, URIRef, Variable
from rdflib.term import Node

from kg.errors import UnsafeRuleError
from kg.terms import Triple as Triple
from kg.terms import TripleTerm as TripleTerm
from kg.terms import term_text as term_text

_T = TypeVar("_T")

SHACL = "http://www.w3.org/ns/shacl#"
WEIGHT = URIRef("urn:noesis:weight")
"""The property that gives a rule its weight in a DATA block."""
DATA_SOURCE = "DATA of the rules"
"""The source of triples stated in a rule file."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a rule was written: file, 1-based line and column."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Constant:
    """A ground term in an expression."""

    term: Node

    def __str__(self) -> str:
        return term_text(self.term)


@dataclass(frozen=True, slots=True)
class VariableRef:
    """The value of a variable in an expression."""

    variable: Variable

    def __str__(self) -> str:
        return f"?{self.variable}"


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator applied to arguments.

    `function` is the operator (`"="`, `"&&"`, `"+"`, `"IN"`, `"NOT IN"`, `"!"`; `"-"` is unary with one argument),
    the built-in's name as the SPARQL grammar spells it (`"STRLEN"`, `"isIRI"`), or the IRI of a function.
    """

    function: str
    arguments: tuple[Expression, ...]

    def __str__(self) -> str:
        arguments = [str(a) for a in self.arguments]
        if self.function in OPERATORS:
            if self.function in ("IN", "NOT IN"):
                return f"({arguments[0]} {self.function} ({', '.join(arguments[1:])}))"
            if len(arguments) == 1:
                return f"({self.function}{arguments[0]})"
            return f"({f' {self.function} '.join(arguments)})"
        if self.function in AGGREGATES:
            return aggregate_text(self.function, arguments)
        name = f"<{self.function}>" if ":" in self.function else self.function
        return f"{name}({', '.join(arguments)})"


Expression: TypeAlias = Constant | VariableRef | Call

AGGREGATES = frozenset((*(n + d for n in ("COUNT", "SUM", "MIN", "MAX") for d in ("", " DISTINCT")),))
"""Functions of a `Call` that stands for an aggregate (our extension); COUNT without an argument is `COUNT(*)`."""


def aggregate_text(function: str, arguments: Sequence[str]) -> str:
    """An aggregate as it is written, given its arguments as they are."""
    name, _, distinct = function.partition(" ")
    return f"{name}({f'{distinct} ' if distinct else ''}{arguments[0] if arguments else '*'})"


OPERATORS = frozenset(("||", "&&", "!", "=", "!=", "<", ">", "<=", ">=", "IN", "NOT IN", "+", "-", "*", "/"))


def expression_variables(expression: Expression) -> Iterator[Variable]:
    """The variables of an expression, in reading order, with repeats."""
    if isinstance(expression, VariableRef):
        yield expression.variable
    elif isinstance(expression, Call):
        for argument in expression.arguments:
            yield from expression_variables(argument)
    elif isinstance(expression.term, TripleTerm):
        yield from _term_variables(expression.term)


def _term_variables(term: Node) -> Iterator[Variable]:
    if isinstance(term, Variable):
        yield term
    elif isinstance(term, TripleTerm):
        for part in term.parts:
            yield from _term_variables(part)


def _has_blank(term: Node) -> bool:
    return isinstance(term, BNode) or (isinstance(term, TripleTerm) and any(map(_has_blank, term.parts)))


# -------------------------------------------------------------- body elements


@dataclass(frozen=True, slots=True)
class Atom:
    """A triple pattern in a rule. Positions are rdflib terms or variables; property paths are desugared before."""

    subject: Node
    predicate: Node
    object: Node

    @property
    def terms(self) -> tuple[Node, Node, Node]:
        """Subject, predicate and object."""
        return (self.subject, self.predicate, self.object)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Distinct variables in order of first occurrence, those inside triple terms included."""
        return tuple(dict.fromkeys(v for term in self.terms for v in _term_variables(term)))

    def __str__(self) -> str:
        return " ".join(term_text(term) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Filter:
    """Keeps the substitutions whose expression has the effective boolean value true; an error counts as false."""

    expression: Expression

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Distinct variables in order of first occurrence."""
        return tuple(dict.fromkeys(expression_variables(self.expression)))

    def __str__(self) -> str:
        return f"FILTER({self.expression})"


@dataclass(frozen=True, slots=True)
class Assignment:
    """`SET(?v := expression)`: binds a new variable. An error in the expression drops the substitution."""

    variable: Variable
    expression: Expression

    @property
    def aggregate(self) -> Call | None:
        """The aggregate it binds to the variable, None where it is a plain expression."""
        call = self.expression
        return call if isinstance(call, Call) and call.function in AGGREGATES else None

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The assigned variable, then those of the expression."""
        return tuple(dict.fromkeys((self.variable, *expression_variables(self.expression))))

    def __str__(self) -> str:
        return f"SET(?{self.variable} := {self.expression})"


@dataclass(frozen=True, slots=True)
class Negation:
    """`NOT { … }`: keeps the substitutions for which the elements have no match.

    With `data` (`NOT DATA`) the match is sought in the asserted triples alone, and no stratum is needed for it.
    A variable that does not occur before the negation is local to it.
    """

    elements: tuple[Atom | Filter, ...]
    data: bool = False

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """The triple patterns among the elements."""
        return tuple(e for e in self.elements if isinstance(e, Atom))

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Distinct variables in order of first occurrence, local ones included."""
        return tuple(dict.fromkeys(v for e in self.elements for v in e.variables))

    def __str__(self) -> str:
        inside = " . ".join(map(str, self.elements))
        return f"NOT {'DATA ' if self.data else ''}{{ {inside} }}"


BodyElement: TypeAlias = Atom | Filter | Negation | Assignment


# ------------------------------------------------------- rules and constraints


class Severity(Enum):
    """How bad a violation is; the value is the SHACL IRI."""

    VIOLATION = URIRef(SHACL + "Violation")
    WARNING = URIRef(SHACL + "Warning")
    INFO = URIRef(SHACL + "Info")

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True)
class Rule:
    """Body atoms imply head atoms.

    Args:
        iri: the rule's name, None for an anonymous rule.
        head: atoms to infer; a blank node in it stands for a new one per application.
        body: elements in the order written.
        data: `WHERE DATA`: the body (its NOT included) is matched against asserted triples alone.
        comment: `rdfs:comment` of the rule. source: `dct:source`.
        location: where it was written; takes no part in equality.
        axioms: the schema triples a compiled rule was made from, shown as premises in proofs.
        weight: how far to trust it, in [0, 1]; what follows is the same, only `weigh` reads it.
    """

    iri: URIRef | None
    head: tuple[Atom, ...]
    body: tuple[BodyElement, ...]
    data: bool = False
    comment: str = ""
    source: str = ""
    location: Location | None = field(default=None, compare=False)
    axioms: tuple[Triple, ...] = ()
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Name for messages: the IRI's last part, or where an anonymous rule was written."""
        if self.iri is not None:
            return self.iri.rstrip("/#").rpartition("#")[2].rpartition("/")[2]
        return f"rule at {self.location}" if self.location else "anonymous rule"

    @property
    def kind(self) -> str:
        """The word for it: "rule" or "constraint"."""
        return "rule"

    @property
    def body_atoms(self) -> tuple[Atom, ...]:
        """The positive triple patterns of the body, in order."""
        return tuple(e for e in self.body if isinstance(e, Atom))

    @property
    def negations(self) -> tuple[Negation, ...]:
        """The NOT elements of the body, in order."""
        return tuple(e for e in self.body if isinstance(e, Negation))

    @property
    def filters(self) -> tuple[Filter, ...]:
        """The FILTER elements of the body outside NOT, in order."""
        return tuple(e for e in self.body if isinstance(e, Filter))

    @property
    def assignments(self) -> tuple[Assignment, ...]:
        """The SET elements of the body, in order."""
        return tuple(e for e in self.body if isinstance(e, Assignment))

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Distinct variables of body, then head, in order of first occurrence; those local to a NOT included."""
        elements: tuple[BodyElement, ...] = (*self.body, *self.head)
        return tuple(dict.fromkeys(v for e in elements for v in e.variables))

    @property
    def aggregates(self) -> tuple[Assignment, ...]:
        """The SET elements of the body that bind an aggregate, in order."""
        return tuple(e for e in self.assignments if e.aggregate is not None)

    @cached_property
    def own_terms(self) -> frozenset[Node]:
        """The blank nodes of the atoms that occur in the rule's axioms: the graph's own, neither variables nor new."""
        negated = (atom for negation in self.negations for atom in negation.atoms)
        blanks = {t for atom in (*self.head, *self.body_atoms, *negated) for t in atom.terms if isinstance(t, BNode)}
        return frozenset(t for triple in self.axioms for t in triple if t in blanks) if blanks else frozenset()

    @cached_property
    def runs_once(self) -> bool:
        """True if one application can make a new term: a SET, a blank node or a triple term with variables in the head.

        Such a rule runs once, after everything it reads is complete (SPARQL-RL, stratification).
        """
        terms = [term for atom in self.head for term in atom.terms if term not in self.own_terms]
        new_terms = any(_has_blank(t) or (isinstance(t, TripleTerm) and any(_term_variables(t))) for t in terms)
        return new_terms or bool(self.assignments)

    def __str__(self) -> str:
        name = f"<{self.iri}> " if self.iri else ""
        head = " . ".join(map(str, self.head))
        body = " . ".join(map(str, self.body))
        return f"RULE {name}{{ {head} }} WHERE {'DATA ' if self.data else ''}{{ {body} }}"


@dataclass(frozen=True)
class Constraint(Rule):
    """Body atoms imply FALSE: a rule with an empty head, each match of which is a violation.

    Args:
        severity: default `sh:Violation`.
        message: text with variables in braces, `"{?drug} treats and causes {?disease}"`; empty for none.
    """

    severity: Severity = Severity.VIOLATION
    message: str = ""

    @property
    def kind(self) -> str:
        """The word for it: "rule" or "constraint"."""
        return "constraint"

    def __post_init__(self) -> None:
        if self.head:
            raise _unsafe(self, f"Expected an empty head (got {self.head[0]})")

    def render(self, substitution: Mapping[Variable, str]) -> str:
        """The message with `{?v}` replaced by the given text of v; a variable without text stays as written."""
        text = self.message
        for variable, value in substitution.items():
            text = text.replace(f"{{?{variable}}}", value)
        return text


@dataclass(frozen=True)
class RuleSet:
    """Rules, constraints and the triples of DATA blocks, with the prefixes they were written with.

    Blank nodes in `data` are local to the rule set: give them fresh labels when adding them to a graph.
    """

    rules: tuple[Rule, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    data: tuple[Triple, ...] = ()
    prefixes: Mapping[str, str] = field(default_factory=dict)
    imports: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Rule]:
        """Rules, then constraints."""
        yield from self.rules
        yield from self.constraints

    def __len__(self) -> int:
        return len(self.rules) + len(self.constraints)

    def __bool__(self) -> bool:
        return bool(len(self) or self.data)

    def __hash__(self) -> int:
        return hash((self.rules, self.constraints, self.data, self.imports))

    def __getitem__(self, iri: str) -> Rule:
        """The rule or constraint of that IRI. Raises KeyError if there is none."""
        for rule in self:
            if rule.iri is not None and str(rule.iri) == iri:
                return rule
        raise KeyError(iri)

    def merge(self, other: RuleSet) -> RuleSet:
        """Both rule sets in one: this one first, repeats dropped; a prefix bound twice keeps this one's meaning."""
        taken = {str(t) for triple in self.data for t in triple if isinstance(t, BNode)}
        return RuleSet(
            rules=_distinct((*self.rules, *other.rules)),
            constraints=_distinct((*self.constraints, *other.constraints)),
            data=_distinct((*self.data, *_relabel(other.data, taken))),
            prefixes={**other.prefixes, **self.prefixes},
            imports=_distinct((*self.imports, *other.imports)),
        )

    def __str__(self) -> str:
        return f"{len(self.rules)} rules, {len(self.constraints)} constraints, {len(self.data)} data triples"


def _distinct(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))


def _relabel(triples: tuple[Triple, ...], taken: set[str]) -> tuple[Triple, ...]:
    """The triples with every blank node whose label is taken renamed to a free label."""
    names: dict[str, BNode] = {}
    free = (f"m{n}" for n in range(len(triples) * 3 + len(taken) + 1))
    used = taken | {str(t) for triple in triples for t in triple if isinstance(t, BNode)}

    def rename(term: Node) -> Node:
        if not isinstance(term, BNode) or str(term) not in taken:
            return term
        if str(term) not in names:
            names[str(term)] = BNode(next(label for label in free if label not in used))
        return names[str(term)]

    return tuple(Triple(*map(rename, triple)) for triple in triples)


# --------------------------------------------------------------------- safety


def check_safety(rule: Rule) -> None:
    """Checks that every variable has a value where it is needed (SPARQL-RL, "Well-formedness Conditions").

    Reading the body in order: a FILTER and the expression of a SET use bound variables only, a SET binds a new one, and
    a FILTER in a NOT may use what is bound before the NOT or before it in the NOT. Each head variable is bound at the
    end. A NOT binds nothing outside itself. Behind an aggregate, only the head's variables and what is SET from there
    on have a value, and no atom or NOT may stand.

    Raises:
        UnsafeRuleError: naming the rule, the variable and the place.
    """
    bound: set[Variable] = set()
    inside: set[Variable] = set()  # what an aggregate may read, once there is one
    for element in rule.body:
        first = isinstance(element, Assignment) and element.aggregate is not None and not inside
        if first:
            inside, bound = bound, {v for atom in rule.head for v in atom.variables if v in bound}
        if isinstance(element, Assignment) and element.aggregate is not None:
            _check_aggregate(rule, element, inside)
            bound.add(element.variable)
        elif inside and isinstance(element, (Atom, Negation)):
            raise _unsafe(rule, f"Expected every atom and NOT before the first aggregate (got {element} after it)")
        elif isinstance(element, Atom):
            bound.update(element.variables)
        elif isinstance(element, Filter):
            _need(rule, element, element.variables, bound)
        elif isinstance(element, Negation):
            _check_negation(rule, element, bound)
        else:
            _need(rule, element, tuple(expression_variables(element.expression)), bound)
            if element.variable in bound:
                raise _unsafe(rule, f"Expected a new variable in {element} (got ?{element.variable}, already bound)")
            bound.add(element.variable)
    for atom in rule.head:
        for variable in atom.variables:
            if variable not in bound:
                wanted = "Expected every head variable to be bound in the body"
                raise _unsafe(rule, f"{wanted} (got ?{variable} in the head only)")


def _check_aggregate(rule: Rule, element: Assignment, inside: set[Variable]) -> None:
    if not rule.head:
        wanted = "Expected no aggregate in a constraint; let a rule infer the number and a constraint read it"
        raise _unsafe(rule, f"{wanted} (got {element})")
    _need(rule, element, tuple(expression_variables(element.expression)), inside)
    if element.variable in inside:
        raise _unsafe(rule, f"Expected a new variable in {element} (got ?{element.variable}, already bound)")


def _check_negation(rule: Rule, negation: Negation, outside: set[Variable]) -> None:
    bound = set(outside)
    for element in negation.elements:
        if isinstance(element, Atom):
            bound.update(element.variables)
        else:
            _need(rule, element, element.variables, bound)


def _need(rule: Rule, element: BodyElement, used: tuple[Variable, ...], bound: set[Variable]) -> None:
    for variable in used:
        if variable not in bound:
            wanted = f"Expected every variable of {element} to be bound by an atom or SET before it"
            raise _unsafe(rule, f"{wanted} (got ?{variable})")


def _unsafe(rule: Rule, message: str) -> UnsafeRuleError:
    at = rule.location
    text = f"{message}, in {rule.kind} '{rule.name}'."
    if at is None:
        return UnsafeRuleError(text)
    return UnsafeRuleError(text, file=at.file, line=at.line, column=at.column)
