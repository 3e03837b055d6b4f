"""`change`: the closure of changed asserted triples, gone on from an earlier closure where that gives the same.

Retracted triples are taken away first, with what rests on them (`deletion`); then the added ones are appended, and the
semi-naive evaluation goes on from the rows its rules have not seen. Everything is closed afresh instead where

- a triple of the schema is changed, or gained or lost on the way, since rules are compiled from those;
- what a NOT of a rule reads changes, since conclusions would have to be taken back and given again in order;
- a rule or a NOT reads asserted triples alone (`WHERE DATA`, `NOT DATA`) and may read one that is changed;
- a rule that makes new terms would have to run before all it reads is there;
- the closure is incomplete, or a join on the way grows far beyond the closure itself.

`Closure.change` says which way was taken. The new closure shares the dictionary, the relations, the compiled rules and
the columns that did not change; the old one stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rdflib import BNode, URIRef
from rdflib.term import Node

from engine.symbolic.closure import Change, Closure, axiom_reader, close
from engine.symbolic.compile import CompiledRule
from engine.symbolic.deletion import Deletion, derivable
from engine.symbolic.draft import head_key
from engine.symbolic.fixpoint import Fixpoint
from engine.symbolic.relation import ASSERTED, Key, Store
from engine.symbolic.rules import Atom
from kg.columns import Columns
from kg.dictionary import Dictionary
from kg.errors import InputError, StratificationError
from kg.graph import KnowledgeGraph
from kg.terms import Triple, fault

__all__ = ["change"]

Array = NDArray[np.int64]

_LEAST_JOIN = 1_000_000
"""Rows of a join that are always allowed: a table of that size is made in milliseconds."""


class _AfreshError(Exception):
    """Going on would not give the closure; the message says why."""


def change(
    closure: Closure,
    *,
    add: Iterable[Sequence[Node]] = (),
    remove: Iterable[Sequence[Node]] = (),
    dictionary: Dictionary | None = None,
) -> Closure:
    """The closure of the asserted triples without some and with others, the same as one made from scratch.

    Args:
        closure: stays valid and unchanged, but for new terms in the dictionary that both share.
        add: triples to assert; one that is asserted already changes nothing, one that was inferred becomes asserted.
        remove: asserted triples, those stated in DATA blocks among them; one of them that is also in `add` stays.
        dictionary: where the terms of added triples get ids; by default the dictionary of the graph.

    Raises:
        InputError: a triple is no RDF triple, an added one has a blank node that the rules made, or one to be removed
            is not asserted.
        StratificationError: with the changed triples, a rule depends on its own result through NOT.
        RuleError: with the changed triples, a list-valued axiom cannot be read.
    """
    dictionary = closure.graph.dictionary if dictionary is None else dictionary
    given, away = [_addable(closure, triple) for triple in add], [_asserted(closure, triple) for triple in remove]
    edit = _Edit(closure, dictionary, _encoded(given, dictionary), _encoded(away, dictionary))
    try:
        return edit.continued()
    except (_AfreshError, MemoryError) as reason:
        return edit.afresh(str(reason))


class _Edit:
    """One change of a closure.

    Args:
        added, removed: ids of triples, shape (num_triples, 3) each.
    """

    def __init__(self, closure: Closure, dictionary: Dictionary, added: Array, removed: Array) -> None:
        self.closure, self.before, self.dictionary = closure, closure.state, dictionary
        graph, stay = closure.graph, set(map(tuple, added.tolist()))
        self.removed = removed[[ids not in stay for ids in map(tuple, removed.tolist())]]
        self.added = added[[not graph.asserted.contains(*ids) for ids in added.tolist()]]
        columns = graph.asserted.changed(remove=self.removed, add=self.added)
        self.graph = KnowledgeGraph(dictionary, columns, prefixes=graph.prefixes, sources=graph.sources)
        self.program = closure.state.program.resumed(dictionary)
        self.gone = Store(closure.state.store.type_id)
        self._limit = _LEAST_JOIN + 4 * len(closure.state.store)

    def afresh(self, reason: str) -> Closure:
        """The closure made from the asserted triples alone; numbers of rules and labels of new blank nodes are kept."""
        ruleset, entailment, before = self.closure.ruleset, self.closure.entailment, self.before
        budget = before.spending.budget
        state = close(self.graph, ruleset, self.dictionary, entailment=entailment, budget=budget, like=before.program)
        change = Change(len(self.added), len(self.removed), reason)
        return Closure(self.graph, ruleset, state, entailment=entailment, change=change)

    def continued(self) -> Closure:
        """The closure gone on from the one before.

        Raises:
            _AfreshError: that would not give what a closure from scratch gives.
            MemoryError: a join grew beyond the limit.
        """
        self._check_continuable()
        state = self._fork()
        try:
            self._take_away(state)
            self._assert(state)
            if not state.resume():
                raise _AfreshError("the schema changed on the way")
        except StratificationError as error:
            raise _AfreshError("rules for relations that are new leave no strata") from error
        self._check_continued(state)
        change, entailment = Change(len(self.added), len(self.removed)), self.closure.entailment
        return Closure(
            self.graph,
            self.closure.ruleset,
            state,
            entailment=entailment,
            inferred=self._inferred(state),
            before=self.closure,
            change=change,
        )

    def _check_continuable(self) -> None:
        before, keys = self.before, {self.before.store.key(p, o) for _, p, o in [*self.added, *self.removed]}
        if self.closure.incomplete:
            raise _AfreshError("the closure was incomplete")
        if any(map(self.program.is_schema, keys)):
            raise _AfreshError("a schema triple is changed")
        objects = {int(ids[2]) for ids in [*self.added, *self.removed]}
        if any(self.closure.brings_rules(self.dictionary.term(id)) for id in objects):
            raise _AfreshError("a literal that is ill typed, or equal to another, is changed")
        if len(self.removed) and before.renamed:
            raise _AfreshError("a predicate or class is the same as another")
        if keys & before.takes_complete():
            raise _AfreshError("a NOT reads what is changed")
        if any(_may_match(atom, key, self.dictionary) for atom in self._over_asserted() for key in keys):
            raise _AfreshError("WHERE DATA or NOT DATA reads what is changed")
        if not before.settled:
            raise _AfreshError("a rule that runs once has not seen all it reads")

    def _over_asserted(self) -> Iterator[Atom]:
        """The atoms of rules and constraints that are matched against asserted triples alone."""
        for rule in self.closure.rules:
            yield from rule.body_atoms if rule.data else ()
            for negation in rule.negations:
                yield from negation.atoms if rule.data or negation.data else ()

    def _fork(self) -> Fixpoint:
        store = self.before.store.fork()
        axiom_rules = axiom_reader(store, self.dictionary, entailment=self.closure.entailment)
        return self.before.fork(store, self.program, axiom_rules=axiom_rules, asserted=len(self.graph.asserted))

    def _take_away(self, state: Fixpoint) -> None:
        """Remove the retracted triples and what rested on them; add back what follows from the rest in one step."""
        if not len(self.removed):
            return
        deletion, complete = Deletion(self.before, limit=self._limit), self.before.takes_complete()
        self.gone = deletion.gone
        for key in deletion.run(self.removed):
            if key in complete:
                raise _AfreshError("a NOT reads what is lost")
            if state.program.is_schema(key):
                raise _AfreshError("a schema triple is lost")
            if len(deletion.gone) > max(_LEAST_JOIN, len(self.before.store) // 2):
                raise _AfreshError("most of the closure is lost")
        for key, lost in deletion.gone:
            relation = self.before.store.get(key)
            assert relation is not None, "what is gone was there"
            kept = np.ones(relation.size, dtype=bool)
            kept[relation.rows(lost.s, lost.o)] = False
            state.store.put(key, relation.keep(kept))
        for rule in state.program.rules:
            if any(rule.seen) and not rule.rule.data:
                rule.seen[:] = [found.size if (found := state.store.get(key)) else 0 for key in rule.keys]
        self._add_back(state, deletion.gone)

    def _add_back(self, state: Fixpoint, gone: Store) -> None:
        """Add back the rows that a rule gives from the rows that stand; a rule that makes new terms runs in full."""
        givers = _by_head(state)
        for key, lost in gone:
            s, o = lost.s.astype(np.int64), lost.o.astype(np.int64)
            for rule in (*givers.get(key, ()), *givers.get(None, ())):
                if rule.rule.runs_once:
                    rule.seen[:] = [0] * len(rule.seen)
                    continue
                found = derivable(state, rule, key[0], s, o, limit=self._limit) if len(s) else None
                if found is not None and found.any():
                    state.step += 1
                    state.store.add(key[0], s[found], o[found], rule=rule.number, step=state.step)
                    s, o = s[~found], o[~found]

    def _assert(self, state: Fixpoint) -> None:
        """Append the added triples; those that were inferred become asserted where they stand."""
        state.step += 1
        for predicate in sorted(set(self.added[:, 1].tolist())):
            rows = self.added[self.added[:, 1] == predicate]
            for key, s, o in state.store.split(predicate, rows[:, 0], rows[:, 2]):
                relation = state.store.get(key)
                known = np.full(len(s), -1) if relation is None else relation.rows(s, o)
                if (known >= 0).any():
                    state.store.relation(key).assert_rows(known[known >= 0])
                state.store.add(predicate, s[known < 0], o[known < 0], rule=ASSERTED, step=state.step)

    def _inferred(self, state: Fixpoint) -> Columns:
        """The inferred triples: those of the closure before without the ones that are gone or asserted, and new ones.

        The rows of a relation are those that were kept, in their order, then those that were added.
        """
        gone, new = [self.added], [np.empty((0, 3), dtype=np.int64)]
        for key in state.store.changed_from(self.before.store):
            before, lost, now = self.before.store.get(key), self.gone.get(key), state.store.get(key)
            if lost is not None:
                gone.append(_triples(key[0], lost.s, lost.o))
            if now is not None:
                kept = (before.size if before else 0) - (lost.size if lost else 0)
                rows = np.arange(kept, now.size)
                rows = rows[now.origins(rows)[0] != ASSERTED]
                new.append(_triples(key[0], now.s[rows], now.o[rows]))
        return self.closure.graph.inferred.changed(remove=np.concatenate(gone), add=np.concatenate(new))

    def _check_continued(self, state: Fixpoint) -> None:
        changed = state.store.changed_from(self.before.store)
        if changed & (state.takes_complete() | self.before.takes_complete()):
            raise _AfreshError("a NOT reads what changed on the way")
        if state.exhausted is None and not state.settled:
            raise _AfreshError("a rule that runs once would have to run again")


def _triples(predicate: int, s: Array, o: Array) -> Array:
    return np.stack([s.astype(np.int64), np.full(len(s), predicate), o.astype(np.int64)], axis=1)


def _by_head(state: Fixpoint) -> dict[Key | None, list[CompiledRule]]:
    """The rules by the relations they add to; those that may add to any are under None."""
    found: dict[Key | None, list[CompiledRule]] = {}
    for rule in state.program.rules:
        for key in dict.fromkeys(head_key(triple, state.program.type_id) for triple in rule.head):
            found.setdefault(key, []).append(rule)
    return found


def _may_match(atom: Atom, key: Key, dictionary: Dictionary) -> bool:
    """Whether an atom as written may match a triple of a relation."""
    predicate, cls = key
    if isinstance(atom.predicate, URIRef) and dictionary.find(atom.predicate) != predicate:
        return False
    return cls < 0 or not isinstance(atom.object, URIRef) or dictionary.find(atom.object) == cls


def _encoded(triples: Iterable[Sequence[Node]], dictionary: Dictionary) -> Array:
    """The ids of triples, each once; shape (num_triples, 3)."""
    rows = dict.fromkeys(tuple(map(dictionary.intern, triple)) for triple in triples)
    return np.array(list(rows), dtype=np.int64).reshape(-1, 3)


def _addable(closure: Closure, triple: Sequence[Node]) -> Sequence[Node]:
    wrong = fault(triple)
    if wrong:
        raise InputError(f"Expected an RDF triple to add (got {tuple(triple)!r}: {wrong})")
    made, dictionary = closure.state.program.made, closure.graph.dictionary
    for term in triple:
        if made and isinstance(term, BNode) and dictionary.find(term) in made:
            wanted = "Expected no blank node that the rules made in a triple to add; name the thing by an IRI"
            raise InputError(f"{wanted} (got {term.n3()} in {Triple(*triple)})")
    return triple


def _asserted(closure: Closure, triple: Sequence[Node]) -> Sequence[Node]:
    wrong = fault(triple)
    if wrong:
        raise InputError(f"Expected an RDF triple to retract (got {tuple(triple)!r}: {wrong})")
    if closure.graph.contains(triple, inferred=False):
        return triple
    remedy = "which is inferred: retract what it follows from" if closure.entails(triple) else "which is not there"
    raise InputError(f"Expected an asserted triple to retract (got {Triple(*triple)}, {remedy})")
