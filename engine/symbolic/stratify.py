"""Strata: groups of rules in an order such that what a rule negates, or runs once over, is complete before it runs.

Rule r *depends on* rule q when a head triple of q may match an atom of r's body. The dependency is *strict* when that
atom stands in a NOT, or r runs once (it makes new terms): then q must come in an earlier stratum. A strict dependency
inside a cycle cannot be met (SPARQL-RL, editor's draft of August 2026, "Stratification").
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from rdflib import BNode, Variable
from rdflib.term import Node

from engine.symbolic.rules import Atom, Location, Rule, TripleTerm
from kg.errors import StratificationError

__all__ = ["Dependency", "Wildcard", "components", "dependency_of", "stratify", "stratify_rules"]


class Wildcard(Enum):
    """`ANY` stands for a pattern that may match every triple, because its predicate or class is a variable."""

    ANY = "any"


Pattern: TypeAlias = Wildcard | tuple[Any, ...]
"""What a body reads or a head adds: `Wildcard.ANY`; a relation key (predicate, class or -1); or (subject, predicate,
object) with None where anything fits. Terms are compared by equality."""


@dataclass(frozen=True)
class Dependency:
    """What one rule reads and adds.

    Args:
        heads: patterns it adds. positive: patterns of its body. negative: patterns inside NOT. Patterns that are
            matched against asserted triples alone (`WHERE DATA`, `NOT DATA`) are left out.
        run_once: whether one application can make a new term.
        name, location: for messages.
    """

    heads: tuple[Pattern, ...]
    positive: tuple[Pattern, ...]
    negative: tuple[Pattern, ...]
    run_once: bool
    name: str
    location: Location | None = None


def stratify(dependencies: Sequence[Dependency]) -> list[list[int]]:
    """The positions of the rules, stratum by stratum, each rule in the first stratum it can stand in.

    Raises:
        StratificationError: a rule depends on its own result through NOT, or a run-once rule depends on itself; the
            message names the rules of the cycle and where they stand.
    """
    graph = _DependencyGraph(dependencies)
    component = components(graph.successors)
    for node, strict in enumerate(graph.strict):
        for target in strict:
            if component[node] == component[target]:
                raise _cycle(graph, dependencies, component, node, target)
    return _levels(graph, component, len(dependencies))


def stratify_rules(rules: Iterable[Rule]) -> list[list[int]]:
    """The strata of rules as written, before any graph is known (see `stratify`)."""
    return stratify([dependency_of(rule) for rule in rules])


def dependency_of(rule: Rule) -> Dependency:
    """What a rule as written reads and adds, position by position."""
    negations = [] if rule.data else [n for n in rule.negations if not n.data]
    return Dependency(
        heads=tuple(_pattern(atom, rule, head=True) for atom in rule.head),
        positive=() if rule.data else tuple(_pattern(atom, rule) for atom in rule.body_atoms),
        negative=tuple(_pattern(atom, rule) for negation in negations for atom in negation.atoms),
        run_once=rule.runs_once,
        name=rule.name,
        location=rule.location,
    )


_NEW = "a new blank node"  # equals no term, so a blank node of a head meets variables only


def _pattern(atom: Atom, rule: Rule, *, head: bool = False) -> Pattern:
    def known(term: Node) -> object:
        if isinstance(term, BNode) and term not in rule.own_terms:
            return _NEW if head else None
        if isinstance(term, Variable) or (isinstance(term, TripleTerm) and "?" in term):
            return None
        return term

    return tuple(known(term) for term in atom.terms)


class _DependencyGraph:
    """Nodes: the rules, then the distinct head patterns and body patterns between them.

    A rule points to its body patterns, a body pattern to the head patterns it meets, a head pattern to the rules that
    have it. So the edges grow with the patterns, not with the pairs of rules.
    """

    def __init__(self, dependencies: Sequence[Dependency]) -> None:
        self.successors: list[list[int]] = [[] for _ in dependencies]
        self.strict: list[list[int]] = [[] for _ in dependencies]
        self.negated: list[set[int]] = [set() for _ in dependencies]
        heads: dict[Pattern, int] = {}
        bodies: dict[Pattern, int] = {}
        for at, dependency in enumerate(dependencies):
            for pattern in dict.fromkeys(dependency.heads):
                self.successors[self._node(heads, pattern)].append(at)
            for pattern in dict.fromkeys((*dependency.positive, *dependency.negative)):
                self.successors[at].append(self._node(bodies, pattern))
            strict = (*dependency.positive, *dependency.negative) if dependency.run_once else dependency.negative
            self.negated[at] = {bodies[pattern] for pattern in dependency.negative}
            self.strict[at] = [bodies[pattern] for pattern in dict.fromkeys(strict)]
        index = _HeadIndex(heads)
        for pattern, node in bodies.items():
            self.successors[node].extend(index.meeting(pattern))
        self.strict.extend([] for _ in range(len(self.successors) - len(self.strict)))

    def _node(self, nodes: dict[Pattern, int], pattern: Pattern) -> int:
        if pattern not in nodes:
            nodes[pattern] = len(self.successors)
            self.successors.append([])
        return nodes[pattern]


class _HeadIndex:
    """Head patterns by predicate, then object, to find those a body pattern meets."""

    def __init__(self, heads: dict[Pattern, int]) -> None:
        self._by_object: dict[object, dict[object, list[tuple[object, int]]]] = defaultdict(lambda: defaultdict(list))
        for pattern, node in heads.items():
            subject, predicate, object_ = _positions(pattern)
            self._by_object[predicate][object_].append((subject, node))

    def meeting(self, pattern: Pattern) -> Iterator[int]:
        subject, predicate, object_ = _positions(pattern)
        for objects in _choices(self._by_object, predicate):
            for entries in _choices(objects, object_):
                for other, node in entries:
                    if subject is None or other is None or subject == other:
                        yield node


def _positions(pattern: Pattern) -> tuple[object, object, object]:
    """(subject, predicate, object) of a pattern, None where anything fits."""
    if isinstance(pattern, Wildcard):
        return None, None, None
    if len(pattern) == 2:
        return None, pattern[0], None if pattern[1] == -1 else pattern[1]
    return pattern[0], pattern[1], pattern[2]


def _choices(table: dict[object, Any], wanted: object) -> list[Any]:
    if wanted is None:
        return list(table.values())
    return [table[key] for key in (wanted, None) if key in table]


def components(successors: Sequence[Sequence[int]]) -> list[int]:
    """The strongly connected component of each node, numbered so that a node's successors have no greater number.

    Tarjan's algorithm (1972) with its own stack, because a chain of rules may be longer than Python's.
    """
    count = len(successors)
    index, low, component = [-1] * count, [0] * count, [-1] * count
    stack: list[int] = []
    visited = found = 0
    for root in range(count):
        if index[root] >= 0:
            continue
        calls = [(root, iter(successors[root]))]
        index[root] = low[root] = visited
        visited += 1
        stack.append(root)
        while calls:
            node, targets = calls[-1]
            for target in targets:
                if index[target] < 0:
                    index[target] = low[target] = visited
                    visited += 1
                    stack.append(target)
                    calls.append((target, iter(successors[target])))
                    break
                if component[target] < 0:
                    low[node] = min(low[node], index[target])
            else:
                calls.pop()
                if calls:
                    low[calls[-1][0]] = min(low[calls[-1][0]], low[node])
                if low[node] == index[node]:
                    while component[node] < 0:
                        component[stack.pop()] = found
                    found += 1
    return component


def _levels(graph: _DependencyGraph, component: Sequence[int], num_rules: int) -> list[list[int]]:
    """Rules by the greatest number of strict dependencies on a path from them."""
    order = sorted(range(len(component)), key=component.__getitem__)
    level = [-1] * (max(component, default=-1) + 1)  # stays -1 for a pattern that no rule adds to
    for rule in range(num_rules):
        level[component[rule]] = 0
    for node in order:
        strict = set(graph.strict[node])
        for target in graph.successors[node]:
            if component[target] != component[node]:
                needed = level[component[target]] + (target in strict)
                level[component[node]] = max(level[component[node]], needed)
    strata: list[list[int]] = [[] for _ in range(max(level, default=-1) + 1)]
    for rule in range(num_rules):
        strata[level[component[rule]]].append(rule)
    return [stratum for stratum in strata if stratum]


def _cycle(
    graph: _DependencyGraph, dependencies: Sequence[Dependency], component: Sequence[int], start: int, target: int
) -> StratificationError:
    """The error for the shortest cycle through the strict dependency of rule `start` on a body pattern."""
    previous = {target: start}
    queue = deque([target])
    while start not in previous:
        node = queue.popleft()
        for successor in graph.successors[node]:
            if successor not in previous and component[successor] == component[start]:
                previous[successor] = node
                queue.append(successor)
    path, node = [], previous[start]
    while node != start:
        path.append(node)
        node = previous[node]
    first = dependencies[start]
    rules = [first, *(dependencies[node] for node in reversed(path) if node < len(dependencies))]
    named = [_named(rule) for rule in rules]
    chain = " which needs ".join([*named, f"'{first.name}'"])
    if target in graph.negated[start]:
        wanted = "Expected no rule to depend on its own result through NOT"
    else:
        wanted = "Expected no rule that makes new terms (SET, a blank node or a triple term in the head) to feed itself"
    at = first.location
    remedy = "break it with NOT DATA or WHERE DATA, or give the head another predicate"
    message = f"{wanted} (got the cycle: {chain}); {remedy}"
    if at is None:
        return StratificationError(message)
    return StratificationError(message, file=at.file, line=at.line, column=at.column)


def _named(rule: Dependency) -> str:
    """The name of a rule and its place, unless the name says it (that of an anonymous rule does)."""
    place = f" ({rule.location})" if rule.location and str(rule.location) not in rule.name else ""
    return f"'{rule.name}'{place}"
