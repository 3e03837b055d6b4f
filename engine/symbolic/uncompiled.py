"""When rules are run as they are written: where the schema is a large part of a graph.

`saturate` infers the triples without compiling a rule of every axiom. Its result is taken where it is the whole
closure: no constraint, no NOT, no new term and no other rule that only compiled rules can do had a match. Proofs,
checks and changes need the compiled rules; the closure makes those when they are first asked for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdflib import RDF, RDFS

from engine.symbolic.compile import SCHEMA_PREDICATES, Program
from engine.symbolic.kernels import compiled
from engine.symbolic.relation import Store
from engine.symbolic.rules import Rule, RuleSet
from kg.columns import Columns
from kg.dictionary import LITERAL
from kg.graph import KnowledgeGraph

__all__ = ["SHARE", "Uncompiled", "uncompiled"]

log = logging.getLogger(__name__)

SHARE = 0.05
"""Share of schema triples from which on compiling costs more than it saves; LUBM(10) has 0.02 %."""
_SAME_WEIGHT = 20
"""What a sameAs triple counts for: each multiplies what is said of its ends."""
_SAME_AS = "<http://www.w3.org/2002/07/owl#sameAs>"


@dataclass(frozen=True)
class Uncompiled:
    """The closure of a graph, without what proofs are made from.

    Args:
        inferred: the triples. by_rule: how many of them each rule gave.
        rules: how many were run. applications: matches found. seconds: wall-clock seconds.
    """

    inferred: Columns
    by_rule: Mapping[str, int]
    rules: int
    applications: int
    seconds: float


def uncompiled(
    graph: KnowledgeGraph,
    ruleset: RuleSet,
    *,
    lists: bool,
    fill: Callable[[Store], None],
    axiom_rules: Callable[[Store], Sequence[Rule]],
    is_broken: Callable[[Store, Program], bool],
) -> Uncompiled | None:
    """The closure of a graph by its rules as written, or None where they have to be compiled.

    Args:
        lists: whether intersections, unions and enumerations are axioms.
        fill: adds the asserted triples to a store. axiom_rules: those of a store's axioms, lists of parts left out.
        is_broken: whether a constraint of a program has a match in a closed store.
    """
    asserted = np.stack(graph.asserted.arrays())
    if not compiled() or not _suits(graph, asserted):
        return None
    from engine.symbolic.saturate import Unsuited, saturate

    began = time.perf_counter()
    dictionary = graph.dictionary
    type_id = dictionary.intern(RDF.type)
    dictionary.intern(RDFS.subClassOf)
    store = Store(type_id)
    fill(store)
    program = Program(ruleset, dictionary, type_id)
    try:
        found = saturate(asserted, program, axiom_rules(store), lists=lists, check=lambda inferred: None)
    except Unsuited as why:
        log.debug("rules are compiled: %s", why)
        return None
    s, p, o = found.inferred
    columns = Columns.from_arrays(s, p, o)
    if found.detected:  # a body had a match, as far as the interpreter can tell
        name = found.detected[0].rule.name
        if any(draft.rule.head for draft in found.detected):
            log.debug("rules are compiled: %s may have a match", name)
            return None
        for predicate in columns.predicates():
            store.add(predicate, *columns.pairs(predicate), rule=0, step=1)
        program.extend(store, only=found.detected)
        if is_broken(store, program):
            log.debug("rules are compiled: a constraint such as %s has a match", name)
            return None
    seconds = time.perf_counter() - began
    return Uncompiled(columns, found.by_rule, len(found.sources), found.applications, seconds)


def _suits(graph: KnowledgeGraph, asserted: NDArray[Any]) -> bool:
    """Whether schema, or what is the same, is a large part of the triples."""
    dictionary = graph.dictionary
    if not asserted.size or bool((dictionary.kinds > LITERAL).any()):
        return False
    counts = np.bincount(asserted[1])
    used = np.flatnonzero(counts).tolist()
    schema = sum(int(counts[p]) for p in used if dictionary.term(p) in SCHEMA_PREDICATES)
    same = dictionary.find_key(_SAME_AS)
    if same is not None and same < len(counts):
        schema += _SAME_WEIGHT * int(counts[same])
    return bool(schema > SHARE * asserted.shape[1])
