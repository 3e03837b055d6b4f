"""Proofs in the order of a cost, best first, read off the justifications of a triple's ancestors.

The best proof of every ancestor comes from Knuth's generalisation of Dijkstra's algorithm to hypergraphs (A
Generalization of Dijkstra's Algorithm, 1977). The others come lazily, after Huang and Chiang (Better k-best Parsing,
2005): the proofs of a triple are a sorted stream that draws on the streams of its premises. A stream knows the triples
above it, because a proof in which a triple is among its own premises is none; only triples of the same cycle matter.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

from engine.symbolic.chains import triple_of
from engine.symbolic.derivations import Derivations, Justification, Path, Target, derivations_of
from engine.symbolic.fixpoint import Budget
from engine.symbolic.justify import Ids, written
from engine.symbolic.proof import Proof
from kg.errors import BudgetError, NotEntailedError

if TYPE_CHECKING:
    from engine.symbolic.closure import Closure

__all__ = ["Measure", "Proofs", "Ranking", "Size", "Tree", "best_trees", "proof_of", "proofs_of", "shortest_proof"]

Cost: TypeAlias = tuple[float, ...]
T = TypeVar("T")
WORK = 1_000_000
"""Rule instances that the streams of one triple may try: about ten seconds."""


class Measure(Protocol):
    """The cost of proofs, less is better. No proof may cost less than a premise, nor less with a dearer premise."""

    def leaf(self, node: Ids) -> Cost:
        """The cost of an asserted triple."""

    def step(self, justification: Justification, premises: Sequence[Cost]) -> Cost:
        """The cost of a proof, given those of the proofs of its premises in order."""


class Size:
    """Rule applications, then depth: a part used twice counts twice, as when the proof is read out.

    Counting shared parts once would be shorter on paper, but finding the least such proof is NP-hard.
    """

    def leaf(self, node: Ids) -> Cost:
        """No application and no depth."""
        return (0, 0)

    def step(self, justification: Justification, premises: Sequence[Cost]) -> Cost:
        """One application more than in the premises, one deeper than the deepest."""
        return (1 + sum(cost[0] for cost in premises), 1 + max((cost[1] for cost in premises), default=0))


@dataclass(eq=False, slots=True)
class Tree:
    """A proof over ids. Equal parts of the trees of one search are mostly shared."""

    node: Ids
    cost: Cost
    justification: Justification | None = None
    premises: tuple[Tree, ...] = ()
    proof: Proof | None = field(default=None, repr=False)

    def parts(self) -> Iterator[Tree]:
        """Each distinct part once, premises before what they prove; the last is the tree itself."""
        done: set[int] = set()
        stack = [(self, False)]
        while stack:
            tree, ready = stack.pop()
            if id(tree) in done:
                continue
            if ready or not tree.premises:
                done.add(id(tree))
                yield tree
            else:
                stack.append((tree, True))
                stack.extend((premise, False) for premise in reversed(tree.premises))


def proof_of(tree: Tree, closure: Closure) -> Proof:
    """The proof a tree over ids stands for."""
    graph, program = closure.graph, closure.state.program
    for part in tree.parts():
        if part.proof is not None:
            continue
        conclusion = None if part.node[0] < 0 else graph.decode(*triple_of(part.node))
        step = part.justification
        if step is None:
            part.proof = Proof(conclusion, source=graph.source(conclusion) if conclusion else None)
        else:
            premises = tuple(premise.proof for premise in part.premises if premise.proof is not None)
            part.proof = Proof(conclusion, step.rule.rule, written(step.rule, step.values, program), premises)
    assert tree.proof is not None
    return tree.proof


def best_trees(derivations: Derivations, measure: Measure) -> dict[Ids, Tree]:
    """The tree of least cost for each ancestor that has a proof."""
    best: dict[Ids, Tree] = {}
    leaves = _Leaves(derivations, measure)
    missing: dict[Justification, int] = {}
    readers: dict[Ids, list[Justification]] = defaultdict(list)
    heap: list[tuple[Cost, int, Tree]] = []
    ticket = count()

    def offer(tree: Tree) -> None:
        heapq.heappush(heap, (tree.cost, next(ticket), tree))

    def apply(step: Justification) -> None:
        trees = tuple(leaves[p] if step.reads_asserted else best[p] for p in step.premises)
        offer(Tree(step.conclusion, measure.step(step, [tree.cost for tree in trees]), step, trees))

    for node, found in derivations.justifications.items():
        if node in derivations.asserted:
            offer(leaves[node])
        for step in found:
            if step.reads_asserted or not step.premises:
                apply(step)
                continue
            distinct = set(step.premises)
            missing[step] = len(distinct)
            for premise in distinct:
                readers[premise].append(step)
    while heap:
        *_, tree = heapq.heappop(heap)
        if tree.node in best:
            continue
        best[tree.node] = tree
        for step in readers.pop(tree.node, ()):
            missing[step] -= 1
            if not missing[step] and step.conclusion not in best:
                apply(step)
    return best


class _Leaves(dict[Ids, Tree]):
    """The leaf of each asserted triple, made once."""

    def __init__(self, derivations: Derivations, measure: Measure) -> None:
        super().__init__()
        self._derivations, self._measure = derivations, measure

    def __missing__(self, node: Ids) -> Tree:
        assert node in self._derivations.asserted, "WHERE DATA reads asserted triples"
        self[node] = Tree(node, self._measure.leaf(node))
        return self[node]


# ------------------------------------------------------------------------------------------------- all proofs

Task: TypeAlias = Generator["Task[Any]", Any, T]
"""A computation that yields tasks, is sent their results, and ends with its own."""


def drive(task: Task[T]) -> T:
    """Run a task and all it asks for with a stack of their own, because proofs may be deeper than Python's."""
    stack: list[Task[Any]] = [task]
    answer: Any = None
    while True:
        try:
            wanted = stack[-1].send(answer)
        except StopIteration as done:
            stack.pop()
            answer = done.value
            if not stack:
                return cast(T, answer)
        else:
            stack.append(wanted)
            answer = None


class OutOfWork(Exception):  # noqa: N818  # a signal inside this module, turned into a marked result
    """Too many rule instances were tried."""


class Ranking:
    """The well-founded trees of some ancestors, best first, found when they are asked for.

    Args:
        work: rule instances that may be tried.
    """

    def __init__(self, derivations: Derivations, measure: Measure, *, work: int = WORK) -> None:
        self.derivations, self.measure, self.work = derivations, measure, work
        self.best = best_trees(derivations, measure)
        self.leaves = _Leaves(derivations, measure)
        self.ticket = count()
        self._streams: dict[tuple[Ids, Path | None], _Stream] = {}

    def trees(self, node: Ids) -> Iterator[Tree]:
        """The trees of a node, least cost first.

        Raises:
            OutOfWork: the limit was reached; there may be more.
        """
        root = self.stream(node, frozenset())
        for index in count():
            tree = drive(root.fetch(index))
            if tree is None:
                return
            yield tree

    def stream(self, node: Ids, path: Path | None) -> _Stream:
        """The trees of a node under the nodes of its cycle that stand above it; with None, its leaf alone."""
        found = self._streams.get((node, path))
        if found is None:
            found = self._streams[node, path] = _Stream(self, node, path)
        return found


@dataclass(slots=True)
class _Candidate:
    """The tree made of one justification and the i-th tree of each premise; `trees` once these are known."""

    step: Justification
    indices: tuple[int, ...]
    trees: tuple[Tree, ...] | None = None


class _Stream:
    """The trees of one node below a path. A candidate waits under a lower bound of its cost until it is the least."""

    def __init__(self, ranking: Ranking, node: Ids, path: Path | None) -> None:
        self.ranking, self.node, self.path = ranking, node, path or frozenset()
        self.found: list[Tree] = []
        self._heap: list[tuple[Cost, int, Any]] = []
        if node in ranking.derivations.asserted:
            self._push(ranking.leaves[node].cost, ranking.leaves[node])
        for step in ranking.derivations.justifications[node] if path is not None else ():
            if self.path.isdisjoint(step.premises):
                known = [ranking.leaves if step.reads_asserted else ranking.best] * len(step.premises)
                if all(step.reads_asserted or p in ranking.best for p in step.premises):
                    costs = [trees[p].cost for trees, p in zip(known, step.premises, strict=True)]
                    self._push(ranking.measure.step(step, costs), _Candidate(step, (0,) * len(costs)))

    def _push(self, cost: Cost, item: Tree | _Candidate) -> None:
        heapq.heappush(self._heap, (cost, next(self.ranking.ticket), item))

    def fetch(self, index: int) -> Task[Tree | None]:
        """The tree at an index, None where there are fewer."""
        while len(self.found) <= index and self._heap:
            cost, _, item = heapq.heappop(self._heap)
            if isinstance(item, Tree):
                self.found.append(item)
            elif item.trees is None:
                yield from self._resolve(item)
            else:
                self.found.append(Tree(self.node, cost, item.step, item.trees))
                self._push_successors(item, cost)
        return self.found[index] if index < len(self.found) else None

    def _resolve(self, item: _Candidate) -> Task[None]:
        """Ask for the trees of a candidate and let it wait again, now under its cost."""
        ranking, trees = self.ranking, []
        ranking.work -= 1
        if ranking.work < 0:
            raise OutOfWork
        for premise, index in zip(item.step.premises, item.indices, strict=True):
            path = None if item.step.reads_asserted else ranking.derivations.below(self.path, self.node, premise)
            tree = yield ranking.stream(premise, path).fetch(index)
            if tree is None:
                return
            trees.append(tree)
        item.trees = tuple(trees)
        self._push(ranking.measure.step(item.step, [tree.cost for tree in trees]), item)

    def _push_successors(self, item: _Candidate, cost: Cost) -> None:
        """The candidates with one premise's next tree; each index vector is reached from one other only."""
        last = max((at for at, index in enumerate(item.indices) if index), default=0)
        for at in range(last, len(item.indices)):
            indices = (*item.indices[:at], item.indices[at] + 1, *item.indices[at + 1 :])
            self._push(cost, _Candidate(item.step, indices))


class Proofs(Iterator[Proof]):
    """Proofs of one conclusion, smallest first, found when they are asked for.

    Two proofs differ when some part of them is another rule application. Every path from the conclusion down to an
    asserted triple meets a triple at most once.

    Args:
        limit: how many at most; None for all.

    Attributes:
        incomplete: why there may be more proofs than were given, None where that is all. Known once the end is reached.
    """

    def __init__(
        self, closure: Closure, derivations: Derivations, node: Ids, *, limit: int | None, work: int = WORK
    ) -> None:
        self.incomplete = derivations.incomplete
        self._closure, self._limit, self._given = closure, limit, 0
        self._trees = Ranking(derivations, Size(), work=work).trees(node)

    def __iter__(self) -> Proofs:
        return self

    def __next__(self) -> Proof:
        if self._limit is not None and self._given >= self._limit:
            self.incomplete = self.incomplete or f"{self._limit} proofs were asked for"
            raise StopIteration
        try:
            tree = next(self._trees)
        except OutOfWork:
            self.incomplete = "too many rule instances were tried"
            raise StopIteration from None
        self._given += 1
        return proof_of(tree, self._closure)


def proofs_of(closure: Closure, target: Target, limit: int | None = None, *, budget: Budget | None = None) -> Proofs:
    """All well-founded proofs of a triple or a violation, smallest first.

    Args:
        limit: how many at most. budget: see `derivations_of`.

    Raises:
        NotEntailedError: the triple is not in the closure.
    """
    derivations = derivations_of(closure, target, budget=budget)
    return Proofs(closure, derivations, _only(derivations, target), limit=limit)


FEW = Budget(triples=20_000, substitutions=100_000)
"""Up to here the proofs that differ in the parentheses of transitivity are compared too, for the least deep one."""


def shortest_proof(closure: Closure, target: Target, *, budget: Budget | None = None) -> Proof:
    """The proof with the fewest rule applications, the least deep one of these (see `Size`).

    Where there are very many justifications (`FEW`), a proof by a transitive relation is a chain, however deep.

    Raises:
        NotEntailedError: the triple is not in the closure.
        BudgetError: the budget ran out before every justification was known.
    """
    derivations = derivations_of(closure, target, budget=budget or FEW)
    node = _only(derivations, target)
    if derivations.incomplete:
        derivations = derivations_of(closure, target, budget=budget, chains=True)
    if derivations.incomplete:
        wanted = "Expected few enough ways to derive a triple to compare them all"
        raise BudgetError(f"{wanted} (got {derivations.incomplete}); raise the budget, or take any proof")
    return proof_of(best_trees(derivations, Size())[node], closure)


def _only(derivations: Derivations, target: Target) -> Ids:
    (node,) = derivations.targets
    if node is None:
        text = " ".join(map(str, target)) if isinstance(target, Sequence) else str(target)
        raise NotEntailedError(f"Expected a triple of the closure, which has a proof (got {text})")
    return node
