"""A third implementation of rule semantics: rules as an answer-set program, solved by clingo.

Every relation (a predicate, or a class) is a predicate of the program, so strata of the rules are strata of the program
and it has one answer set. Terms are numbers; what SPARQL says of two terms under `=` and `!=` is given as facts. Rules
with SET, with variables for predicates or classes, or with other built-ins are not translated (`is_translatable`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from rdflib import RDF, BNode, Literal, Variable
from rdflib.term import Node

from engine.symbolic.rules import Atom, BodyElement, Call, Constant, Constraint, Filter, Negation, Rule, VariableRef
from kg.terms import Triple

COMPARISONS = ("=", "!=")


def is_translatable(rule: Rule) -> bool:
    """Whether a rule has only what the translation knows."""
    elements = [*rule.body, *(element for negation in rule.negations for element in negation.elements)]
    atoms = [element for element in (*elements, *rule.head) if isinstance(element, Atom)]
    filters = [element.expression for element in elements if isinstance(element, Filter)]
    fixed = all(
        not isinstance(atom.predicate, Variable)
        and not (atom.predicate == RDF.type and isinstance(atom.object, Variable))
        for atom in atoms
    )
    return fixed and not rule.runs_once and all(isinstance(f, Call) and f.function in COMPARISONS for f in filters)


class Translation:
    """A graph and rules as an answer-set program.

    Args:
        asserted: the triples given. rules, constraints: those that `is_translatable` accepts.
    """

    def __init__(self, asserted: Iterable[Triple], rules: Sequence[Rule], constraints: Sequence[Constraint]) -> None:
        self._terms: dict[Node, int] = {}
        self._relations: dict[tuple[Node, Node | None], int] = {}
        self._helpers = 0
        self.constraints = list(constraints)
        self._lines = [self._fact(triple) for triple in asserted]
        for rule in rules:
            self._lines += self._rule(rule, [self._atom(atom) + literal_guard(atom) for atom in rule.head], rule.head)
        for number, constraint in enumerate(constraints):
            values = ",".join(_variable(v) for v in constraint_variables(constraint))
            self._lines += self._rule(constraint, [f"broken({number},({values},))"], ())
        for relation in self._relations.values():
            self._lines.append(f"t{relation}(S,O) :- d{relation}(S,O).")

    def text(self) -> str:
        """The program."""
        terms = list(self._terms)
        facts = [f"literal({i})." for i, term in enumerate(terms) if isinstance(term, Literal)]
        for (i, a), (j, b) in product(enumerate(terms), repeat=2):
            facts += [f"{'eq' if same else 'ne'}({i},{j})." for same in (True, False) if _compares(a, b, same)]
        declared = [f"#defined {kind}{r}/2." for r in self._relations.values() for kind in "td"]
        return "\n".join(["#defined literal/1. #defined eq/2. #defined ne/2.", *declared, *facts, *self._lines])

    def solve(self) -> tuple[set[Triple], set[tuple[int, tuple[Node, ...]]]]:
        """All triples that hold, and for each match of a constraint its number and the values of its variables."""
        import clingo

        control = clingo.Control(["--warn=none", "2"])
        control.add("base", [], self.text())
        control.ground([("base", [])])
        triples, broken, models = set(), set(), 0
        with control.solve(yield_=True) as handle:
            for model in handle:
                models += 1
                for symbol in model.symbols(atoms=True):
                    if symbol.name.startswith("t"):
                        triples.add(self._triple(int(symbol.name[1:]), *(part.number for part in symbol.arguments)))
                    elif symbol.name == "broken":
                        number, values = symbol.arguments
                        broken.add((number.number, tuple(list(self._terms)[v.number] for v in values.arguments)))
        assert models == 1, f"a program with strata has one answer set (got {models})"
        return triples, broken

    def _triple(self, relation: int, s: int, o: int) -> Triple:
        terms, (predicate, _) = list(self._terms), list(self._relations)[relation]
        return Triple(terms[s], predicate, terms[o])

    def _fact(self, triple: Triple) -> str:
        return f"d{self._relation(triple)}({self._number(triple.subject)},{self._number(triple.object)})."

    def _number(self, term: Node) -> int:
        return self._terms.setdefault(term, len(self._terms))

    def _relation(self, triple: Atom | Triple) -> int:
        key = (triple.predicate, triple.object if triple.predicate == RDF.type else None)
        return self._relations.setdefault(key, len(self._relations))

    def _term(self, term: Node, local: str = "") -> str:
        if isinstance(term, BNode):
            return f"B{local}{term}"
        return _variable(term) if isinstance(term, Variable) else str(self._number(term))

    def _atom(self, atom: Atom, kind: str = "t", local: str = "") -> str:
        return f"{kind}{self._relation(atom)}({self._term(atom.subject, local)},{self._term(atom.object, local)})"

    def _rule(self, rule: Rule, heads: Sequence[str], atoms: Sequence[Atom]) -> Iterator[str]:
        """One clause per head; each NOT becomes a predicate of its own over the variables it shares with the body."""
        positive, rest = list[str](), list[str]()
        bound = list(dict.fromkeys(v for atom in rule.body_atoms for v in atom.variables))
        positive = [self._atom(atom, "d" if rule.data else "t") for atom in rule.body_atoms]
        for element in rule.body:
            if isinstance(element, Filter):
                rest.append(self._filter(element, bound))
            elif isinstance(element, Negation):
                helper = f"n{self._helpers}({','.join(['0', *map(_variable, bound)])})"
                self._helpers += 1
                kind = "d" if rule.data or element.data else "t"
                inside = [self._inside(e, kind, [*bound, *_variables(element.elements)]) for e in element.elements]
                yield f"{helper} :- {', '.join([*positive, *inside])}."
                rest.append(f"not {helper}")
        for head in heads:
            yield f"{head.split('|')[0]} :- {', '.join([*positive, *rest, *head.split('|')[1:]])}."

    def _inside(self, element: BodyElement, kind: str, bound: Sequence[Variable]) -> str:
        if isinstance(element, Filter):
            return self._filter(element, bound)
        assert isinstance(element, Atom)
        return self._atom(element, kind, "i")

    def _filter(self, condition: Filter, bound: Sequence[Variable]) -> str:
        """A comparison; one of an unbound variable is an error, which counts as false."""
        call = condition.expression
        assert isinstance(call, Call)
        if any(isinstance(a, VariableRef) and a.variable not in bound for a in call.arguments):
            return "#false"
        left, right = (self._term(a.term if isinstance(a, Constant) else a.variable) for a in call.arguments)  # type: ignore[union-attr]  # operands
        return f"{'eq' if call.function == '=' else 'ne'}({left},{right})"


def literal_guard(atom: Atom) -> str:
    """What keeps a literal from becoming the subject of a head, after a bar."""
    return f"|not literal({_variable(atom.subject)})" if isinstance(atom.subject, Variable) else ""


def constraint_variables(constraint: Constraint) -> list[Variable]:
    """The variables of the atoms of a constraint outside NOT, in order of appearance."""
    return list(dict.fromkeys(v for atom in constraint.body_atoms for v in atom.variables))


def _variables(elements: Sequence[BodyElement]) -> list[Variable]:
    return [v for element in elements if isinstance(element, Atom) for v in element.variables]


def _variable(term: Node) -> str:
    return f"V{term}"


def _compares(a: Node, b: Node, same: bool) -> bool:
    """Whether `a = b` (or `a != b`) is true in SPARQL: two literals compare by value where their types do at all."""
    if isinstance(a, Literal) and isinstance(b, Literal) and a != b and a.datatype != b.datatype:
        return False
    return (a == b) == same
