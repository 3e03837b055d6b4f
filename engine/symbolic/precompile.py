"""Compile the kernels before they are needed: `python -m engine.symbolic.precompile`, a step of the installation.

numba compiles a kernel when it is first called, which takes some seconds each, and keeps the machine code in a cache
beside the source (or in `NUMBA_CACHE_DIR`). Here tiny graphs are closed and checked in all the ways there are, so that
everything a later process needs is in the cache.
"""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
from rdflib import OWL, RDF, RDFS, URIRef

from engine.symbolic.check import check
from engine.symbolic.closure import Closure, materialise
from engine.symbolic.kernels import compiled, kernels
from engine.symbolic.row_index import GroupedRows, MemberRows
from engine.symbolic.srl import parse_rules
from kg.graph import KnowledgeGraph
from kg.scan import Texts
from kg.terms import Triple

__all__ = ["precompile"]

_E = "http://example.org/"
_RULES = """PREFIX : <http://example.org/>
RULE { ?x :above ?z } WHERE { ?x :above ?y . ?y :above ?z }
RULE { ?x a :Loop } WHERE { ?x :above ?y . ?y :under ?x }
RULE { ?x :odd ?y } WHERE { ?x :above ?y . FILTER(?x != ?y) NOT { ?y :above ?x } }
RULE { ?x a :Long } WHERE { ?x :above ?y . ?y :above ?z . ?z :above ?w }
RULE { ?x :count ?n } WHERE { ?x :above ?y . SET(?n := STRLEN(STR(?y))) }
"""


def precompile() -> float:
    """Bring every kernel into numba's cache; the seconds it took, 0 where numba is not installed."""
    if not compiled():
        return 0.0
    began = time.perf_counter()
    a, b, c = (URIRef(_E + name) for name in "abc")
    above, under = URIRef(_E + "above"), URIRef(_E + "under")
    line = [URIRef(f"{_E}n{number}") for number in range(40)]
    facts = [Triple(a, above, b), Triple(b, above, c), Triple(c, under, a), Triple(a, OWL.sameAs, c)]
    long = [Triple(s, above, o) for s, o in pairwise(line)]
    closure = materialise(KnowledgeGraph.from_triples([*facts[:3], *long]), parse_rules(_RULES), entailment="none")
    _use(closure, Triple(c, above, a))
    thing, other = URIRef(_E + "Thing"), URIRef(_E + "Other")
    schema = [Triple(thing, RDFS.subClassOf, other), Triple(other, OWL.disjointWith, c), Triple(a, RDF.type, thing)]
    stated = parse_rules("PREFIX : <http://example.org/> RULE { :a :under :b } WHERE { }")
    _use(materialise(KnowledgeGraph.from_triples([*facts, *schema]), stated), Triple(a, RDF.type, other))
    s, o = np.zeros((2, 64), np.int32)
    for index in (GroupedRows(2), MemberRows(2)):
        ids = np.array([*range(8), 5000])
        rows = index.insert(s, o, 0, np.zeros(8, np.int64), ids[:8])
        rows = index.insert(s, o, rows, ids, ids)
        index.find(s, o, ids, ids)
        type(index)(1).fill(s, o, 0, rows)
    kernels().chain_longest(np.zeros(1, np.int32), 1)
    texts = Texts()
    for number in range(8):
        texts.numbers("".join(f"<a{number}-{line}> <b> <c> .\n" for line in range(5000)).encode())
    return time.perf_counter() - began


def _use(closure: Closure, claim: Triple) -> None:
    """Check a claim, change the closure and prove what it infers."""
    check(closure, [claim])
    for triple in closure.graph.triples():
        closure.proof(triple)
    closure.add([claim]).retract([claim])


if __name__ == "__main__":
    print(f"kernels compiled in {precompile():.1f} s")
