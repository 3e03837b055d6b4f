"""The tasks of `closure.py`: what every engine runs. Each function returns what was counted, and times itself.

Loading is left out where the task says so; what is timed is between `clock.start()` and `clock.stop()`.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

UNIV = "http://swat.cse.lehigh.edu/onto/univ-bench.owl#"
HERE = "http://example.org/"
TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"


class Clock:
    """CPU and wall seconds of the measured part of one process."""

    def start(self) -> None:
        """Begin."""
        self.began = (_cpu(), time.perf_counter())

    def stop(self) -> None:
        """End."""
        self.cpu, self.wall = _cpu() - self.began[0], time.perf_counter() - self.began[1]


def _cpu() -> float:
    """CPU seconds of this process and of those it has waited for (files are parsed in one)."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


Measure = Callable[[Path, Clock], dict[str, int]]


# ------------------------------------------------------------------------------------------------------------- Noesis


def warm() -> None:
    """Read the compiled kernels from the cache, which a process does once."""
    from engine.symbolic.precompile import precompile

    precompile()


def close(graph: Any, rules: str | None, clock: Clock, entailment: str = "none") -> Any:
    """The closure, timed, with the rules parsed and the kernels there."""
    from engine.symbolic import materialise, parse_rules

    parsed = None if rules is None else parse_rules(rules)
    warm()
    clock.start()
    closure = materialise(graph, parsed, entailment=entailment)
    clock.stop()
    return closure


def graph_of_numbers(**relations: np.ndarray[Any, Any]) -> Any:
    """A graph with one predicate for each relation over small numbers."""
    from kg.columns import Columns
    from kg.dictionary import Dictionary
    from kg.graph import KnowledgeGraph

    dictionary = Dictionary()
    names = [dictionary.intern_key(f"<{HERE}{name}>") for name in relations]
    first, count = len(dictionary), 1 + max(int(rows.max()) for rows in relations.values())
    for number in range(count):
        dictionary.intern_key(f"<{HERE}n/{number}>")
    rows = np.concatenate(list(relations.values())) + first
    p = np.repeat(names, [len(r) for r in relations.values()])
    return KnowledgeGraph(dictionary, Columns.from_arrays(rows[:, 0], p, rows[:, 1]))


def numbers(path: Path) -> np.ndarray[Any, Any]:
    """The pairs of a CSV file; shape (num_rows, 2)."""
    return np.loadtxt(path, delimiter=",", dtype=np.int64)


def inferred(closure: Any, *names: str) -> dict[str, int]:
    """Inferred triples of some predicates."""
    graph = closure.graph
    ids = {name: graph.dictionary.find_key(f"<{HERE}{name}>") for name in names}
    return {name: len(graph.inferred.pairs(id)[0]) for name, id in ids.items() if id is not None}


# --------------------------------------------------------------------------------------------------------------- Nemo


def nemo(program: str, outputs: Iterable[str], clock: Clock) -> dict[str, int]:
    """Rows of the outputs of a Nemo program; what is timed is loading and reasoning, not the reading of results."""
    import nmo_python

    outputs = list(outputs)
    text = program + "".join(f"\n@output {name} ." for name in outputs)
    engine = nmo_python.NemoEngine(nmo_python.load_string(text))
    clock.start()
    engine.reason()
    clock.stop()
    return {name: sum(1 for _ in engine.result(name)) for name in outputs}


# ------------------------------------------------------------------------------------------------- LUBM with program L


def rules_l(data: Path) -> list[Any]:
    """The 98 rules: head, body, name; a term is [predicate, variable, …]."""
    found: list[Any] = json.loads((data / "lubm/rulesL.json").read_text(encoding="utf-8"))
    return found


def srl_of(rules: list[Any]) -> str:
    """The rules as SPARQL-RL."""

    def atom(term: list[str]) -> str:
        name, *variables = term
        if len(variables) == 1:
            return f"?{variables[0]} a :{name}"
        return f"?{variables[0]} :{name} ?{variables[1]}"

    lines = [f"RULE {{ {atom(head)} }} WHERE {{ {' . '.join(map(atom, body))} }}" for head, body, *_ in rules]
    return f"PREFIX : <{UNIV}>\n" + "\n".join(lines)


def lubm_l_noesis(data: Path, clock: Clock) -> dict[str, int]:
    """Without loading."""
    from kg.load import load_graph

    closure = close(load_graph([data / "lubm/lubm10.nt.gz"]), srl_of(rules_l(data)), clock)
    return {"inferred": len(closure.graph.inferred)}


def lubm_l_nemo(rules: str) -> Measure:
    """Nemo with parsing: under all rules, those that split the triples into relations alone, or none.

    The one without rules parses the file for a pattern that nothing meets. Noesis splits triples while it loads, so
    what is like its own figure lies between all rules less parsing and all rules less parsing and split.
    """

    def run(data: Path, clock: Clock) -> dict[str, int]:
        lines = (data / "lubm/rulesL_vp.nemo").read_text(encoding="utf-8").splitlines()
        reading = [line for line in lines if " :- triple(" in line]
        kept = {"all": lines, "split": reading, "none": ["seen(?o) :- triple(<a:none>, <a:none>, ?o) ."]}[rules]
        heads = sorted({line.split("(")[0].strip() for line in kept if " :- " in line})
        program = f'@import triple :- ntriples{{resource="{data}/lubm/lubm10.nt.gz"}} .\n' + "\n".join(kept)
        return {"rows": sum(nemo(program, heads, clock).values())}

    return run


# ------------------------------------------------------------------------------------------------------------ OWL 2 RL


def owl_noesis(files: list[str]) -> Measure:
    """OWL 2 RL, loading included."""

    def run(data: Path, clock: Clock) -> dict[str, int]:
        from engine.symbolic import materialise
        from kg.load import load_graph

        path = Path(_plain(data, files))  # the file the peers get: unpacking is not part of the comparison
        warm()
        clock.start()
        closure = materialise(load_graph([path]), entailment="owl2rl")
        clock.stop()
        return {"triples": len(closure.graph.asserted) + len(closure.graph.inferred)}

    return run


def _plain(data: Path, files: list[str], suffix: str = "nt") -> str:
    """One N-Triples file of all files, unpacked, because not every peer reads gzip."""
    folder = Path(tempfile.mkdtemp())
    target = folder / f"all.{suffix}"
    with target.open("wb") as out:
        for name in files:
            path = data / name
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as source:
                shutil.copyfileobj(source, out)  # in pieces, so that it does not count as memory of what is measured
    return str(target)


def owl_sparq(files: list[str]) -> Measure:
    """OWL 2 RL, loading included."""

    def run(data: Path, clock: Clock) -> dict[str, int]:
        import sparq

        path = _plain(data, files)
        clock.start()
        graph = sparq.Graph.load(path, "ntriples")
        new = graph.reason("owl")
        clock.stop()
        return {"new": int(new)}

    return run


def owl_reasonable(files: list[str]) -> Measure:
    """OWL 2 RL, loading included."""

    def run(data: Path, clock: Clock) -> dict[str, int]:
        import reasonable

        path = _plain(data, files, "ttl")  # N-Triples is Turtle; it reads no other name
        clock.start()
        reasoner = reasonable.PyReasoner()
        reasoner.load_file(path)
        found = reasoner.reason()
        clock.stop()
        return {"triples": len(found)}

    return run


def owl_owlrl(files: list[str]) -> Measure:
    """OWL 2 RL, loading included."""

    def run(data: Path, clock: Clock) -> dict[str, int]:
        import owlrl
        import rdflib

        path = _plain(data, files)
        clock.start()
        graph = rdflib.Graph().parse(path, format="nt")
        owlrl.DeductiveClosure(owlrl.OWLRL_Semantics).expand(graph)
        clock.stop()
        return {"triples": len(graph)}

    return run


# ------------------------------------------------------------------------------------------------------------ GALEN-EL

GALEN_RULES = """
RULE { ?c a :Init } WHERE { ?c a :isMainClass }
RULE { ?c a :Init } WHERE { ?e :ex ?p . ?p :filler ?c }
RULE { ?c :sub ?c } WHERE { ?c a :Init }
RULE { ?c :sub owl:Thing } WHERE { ?c a :isMainClass }
RULE { ?c :sub ?d1 . ?c :sub ?d2 } WHERE { ?c :sub ?y . ?y :left ?d1 . ?y :right ?d2 }
RULE { ?c :sub ?y } WHERE { ?c :sub ?d1 . ?y :left ?d1 . ?y :right ?d2 . ?c :sub ?d2 . ?y a :isSubClass }
RULE { ?e :ex ?p } WHERE { ?e :sub ?y . ?y :exists ?p }
RULE { ?p :within ?s } WHERE { ?p :role ?r . ?r :subProp ?s }
RULE { ?p :below ?y } WHERE { ?p :filler ?c . ?c :sub ?d . ?q :filler ?d . ?q :role ?s . ?p :within ?s .
                              ?y :exists ?q . ?y a :isSubClass }
RULE { ?e :sub ?y } WHERE { ?e :ex ?p . ?p :below ?y }
RULE { ?c :sub ?e } WHERE { ?c :sub ?d . ?d :subClassOf ?e }
RULE { ?e :sub owl:Nothing } WHERE { ?e :ex ?p . ?p :filler ?c . ?c :sub owl:Nothing }
RULE { ?a :mainSub ?b } WHERE { ?a :sub ?b . ?a a :isMainClass . ?b a :isMainClass }
"""
"""The calculus over triples. A class ∃R.C is a node with a :role and a :filler, as OWL's own restrictions are, so that
ex(E, R, C) is the triple (E, :ex, node of R and C), one for one. `below` names the part of a rule that does not depend
on E; `within` the super-roles of a node. Their rows come on top of the ones that are compared. The rule of property
chains is left out: the input has none."""

GALEN_NEMO = """
init(?c) :- isMainClass(?c) .
init(?c) :- ex(?e, ?r, ?c) .
sub(?c, ?c) :- init(?c) .
sub(?c, <http://www.w3.org/2002/07/owl#Thing>) :- isMainClass(?c) .
sub(?c, ?d1), sub(?c, ?d2) :- sub(?c, ?y), conj(?y, ?d1, ?d2) .
sub(?c, ?y) :- sub(?c, ?d1), sub(?c, ?d2), conj(?y, ?d1, ?d2), isSubClass(?y) .
ex(?e, ?r, ?c) :- sub(?e, ?y), exists(?y, ?r, ?c) .
{step}
sub(?c, ?e) :- sub(?c, ?d), subClassOf(?d, ?e) .
sub(?e, <http://www.w3.org/2002/07/owl#Nothing>) :- ex(?e, ?r, ?c), sub(?c, <http://www.w3.org/2002/07/owl#Nothing>) .
mainSub(?a, ?b) :- sub(?a, ?b), isMainClass(?a), isMainClass(?b) .
"""
_PUBLISHED = "sub(?e, ?y) :- ex(?e, ?r, ?c), sub(?c, ?d), subProp(?r, ?s), exists(?y, ?s, ?d), isSubClass(?y) ."
_BELOW = """below(?r, ?c, ?y) :- sub(?c, ?d), exists(?y, ?s, ?d), subProp(?r, ?s), isSubClass(?y), exists(?z, ?r, ?c) .
sub(?e, ?y) :- ex(?e, ?r, ?c), below(?r, ?c, ?y) ."""


def _galen_rows(data: Path, name: str) -> list[list[str]]:
    with gzip.open(data / f"galen-el/{name}.csv.gz", "rt", encoding="utf-8") as file:
        return list(csv.reader(file))


def galen_graph(data: Path) -> Any:
    """The input as a graph (see `GALEN_RULES`)."""
    from kg.columns import Columns
    from kg.dictionary import Dictionary
    from kg.graph import KnowledgeGraph

    dictionary, triples = Dictionary(), list[tuple[int, int, int]]()

    def node(text: str) -> int:
        return dictionary.intern_key(text if text.startswith("<") else f"<{HERE}n/{text}>")

    def add(s: int, name: str, o: int) -> None:
        triples.append((s, dictionary.intern_key(f"<{HERE}{name}>"), o))

    type_id = dictionary.intern_key(TYPE)
    for name in ("isMainClass", "isSubClass"):
        cls = dictionary.intern_key(f"<{HERE}{name}>")
        triples.extend((node(c), type_id, cls) for (c,) in _galen_rows(data, name))
    for y, a, b in _galen_rows(data, "conj"):
        add(node(y), "left", node(a))
        add(node(y), "right", node(b))
    for name in ("subClassOf", "subProp"):
        for a, b in _galen_rows(data, name):
            add(node(a), name, node(b))
    assert not _galen_rows(data, "subPropChain"), "GALEN_RULES leave property chains out"
    pairs: dict[tuple[str, str], int] = {}
    for y, role, filler in _galen_rows(data, "exists"):
        if (role, filler) not in pairs:
            pairs[role, filler] = dictionary.intern_key(f"<{HERE}some/{len(pairs)}>")
            add(pairs[role, filler], "role", node(role))
            add(pairs[role, filler], "filler", node(filler))
        add(node(y), "exists", pairs[role, filler])
    return KnowledgeGraph(dictionary, Columns.from_arrays(*np.array(triples).T))


def galen_noesis(data: Path, clock: Clock) -> dict[str, int]:
    """Without loading."""
    prefixes = f"PREFIX : <{HERE}>\nPREFIX owl: <http://www.w3.org/2002/07/owl#>\n"
    return inferred(close(galen_graph(data), prefixes + GALEN_RULES, clock), "sub", "ex", "mainSub")


def galen_nemo(step: str) -> Measure:
    """With the reading of CSV files."""

    def run(data: Path, clock: Clock) -> dict[str, int]:
        names = {"isMainClass": 1, "isSubClass": 1, "conj": 3, "subClassOf": 2, "subProp": 2, "exists": 3}
        imports = [
            f'@import {name} :- csv{{resource="{data}/galen-el/{name}.csv.gz", '
            f"format=({', '.join(['any'] * arity)})}} ."
            for name, arity in names.items()
        ]
        return nemo("\n".join(imports) + GALEN_NEMO.replace("{step}", step), ["sub", "ex", "mainSub"], clock)

    return run


# ---------------------------------------------------------------------------------- transitive closure, same generation


def tc_noesis(step: str) -> Measure:
    """Without loading; the step decides whether the closure is recognised as one."""

    def run(data: Path, clock: Clock) -> dict[str, int]:
        graph = graph_of_numbers(edge=numbers(data / "datalog/tc_rand_4k_8k.csv"))
        rules = (
            f"PREFIX : <{HERE}>\nRULE {{ ?x :tc ?y }} WHERE {{ ?x :edge ?y }}\nRULE {{ ?x :tc ?z }} WHERE {{ {step} }}"
        )
        return inferred(close(graph, rules, clock), "tc")

    return run


def tc_nemo(data: Path, clock: Clock) -> dict[str, int]:
    """With the reading of a CSV file of 8,000 rows."""
    program = f'@import e :- csv{{resource="{data}/datalog/tc_rand_4k_8k.csv", format=(int, int)}} .\n'
    return nemo(program + "tc(?x, ?y) :- e(?x, ?y) . tc(?x, ?z) :- tc(?x, ?y), e(?y, ?z) .", ["tc"], clock)


def tc_duckdb(data: Path, clock: Clock) -> dict[str, int]:
    """One thread; without loading."""
    import duckdb

    base = duckdb.connect()
    base.execute("SET threads = 1")
    base.execute(f"CREATE TABLE e AS SELECT column0 AS x, column1 AS y FROM '{data}/datalog/tc_rand_4k_8k.csv'")
    clock.start()
    base.execute(
        "CREATE TABLE tc AS WITH RECURSIVE t(x, y) AS (SELECT x, y FROM e UNION SELECT t.x, e.y FROM t, e "
        "WHERE t.y = e.x) SELECT * FROM t"
    )
    clock.stop()
    return {"tc": int(base.execute("SELECT count(*) FROM tc").fetchall()[0][0])}


def _clingo(program: str, wanted: dict[str, int], clock: Clock) -> dict[str, int]:
    import clingo

    control = clingo.Control(["--warn=none"])
    control.add("base", [], program)
    clock.start()
    control.ground([("base", [])])
    clock.stop()
    return {name: sum(1 for _ in control.symbolic_atoms.by_signature(name, arity)) for name, arity in wanted.items()}


def tc_clingo(data: Path, clock: Clock) -> dict[str, int]:
    """Grounding alone, the parsing of 8,000 rows included."""
    rows = "".join(f"e({a},{b})." for a, b in numbers(data / "datalog/tc_rand_4k_8k.csv"))
    return _clingo(rows + "tc(X,Y) :- e(X,Y). tc(X,Z) :- tc(X,Y), e(Y,Z).", {"tc": 2}, clock)


SAME_GENERATION = "sg(?x, ?y) :- up(?x, ?p), up(?y, ?p) . sg(?x, ?y) :- up(?x, ?a), sg(?a, ?b), up(?y, ?b) ."


def sg_noesis(data: Path, clock: Clock) -> dict[str, int]:
    """Without loading."""
    rules = (
        f"PREFIX : <{HERE}>\nRULE {{ ?x :sg ?y }} WHERE {{ ?x :up ?p . ?y :up ?p }}\n"
        "RULE { ?x :sg ?y } WHERE { ?x :up ?a . ?a :sg ?b . ?y :up ?b }"
    )
    return inferred(close(graph_of_numbers(up=numbers(data / "datalog/sg_up_3k.csv")), rules, clock), "sg")


def sg_nemo(data: Path, clock: Clock) -> dict[str, int]:
    """With the reading of a CSV file of 3,000 rows."""
    program = f'@import up :- csv{{resource="{data}/datalog/sg_up_3k.csv", format=(int, int)}} .\n'
    return nemo(program + SAME_GENERATION, ["sg"], clock)


def sg_clingo(data: Path, clock: Clock) -> dict[str, int]:
    """Grounding alone."""
    rows = "".join(f"up({a},{b})." for a, b in numbers(data / "datalog/sg_up_3k.csv"))
    return _clingo(rows + "sg(X,Y) :- up(X,P), up(Y,P). sg(X,Y) :- up(X,A), sg(A,B), up(Y,B).", {"sg": 2}, clock)


# ------------------------------------------------------------------------------------------------------ sameAs, loading

CLIQUES, MEMBERS = 20, 100


def same_as_text() -> str:
    """Cliques of individuals that are the same, each told by a chain of owl:sameAs, with a property on each member."""
    same = "<http://www.w3.org/2002/07/owl#sameAs>"
    lines = []
    for clique in range(CLIQUES):
        names = [f"<{HERE}c{clique}m{member}>" for member in range(MEMBERS)]
        lines += [f"{a} {same} {b} ." for a, b in pairwise(names)]
        lines += [f"{name} <{HERE}p> <{HERE}v{clique}> ." for name in names]
    return "\n".join(lines) + "\n"


def _same_as_file() -> Path:
    path = Path(tempfile.mkdtemp()) / "same.nt"
    path.write_text(same_as_text(), encoding="utf-8")
    return path


def same_as(measure: Callable[[list[str]], Measure]) -> Measure:
    """OWL 2 RL on the cliques, loading included."""

    def run(_data: Path, clock: Clock) -> dict[str, int]:
        path = _same_as_file()
        return measure([path.name])(path.parent, clock)

    return run


def load_noesis(data: Path, clock: Clock) -> dict[str, int]:
    """Loading alone, into columns and dictionary."""
    from kg.load import load_graph

    path = _plain(data, ["lubm/lubm10.nt.gz"])
    clock.start()
    graph = load_graph([Path(path)])
    clock.stop()
    return {"triples": len(graph.asserted)}


def load_rdflib(data: Path, clock: Clock) -> dict[str, int]:
    """Loading alone."""
    import rdflib

    path = _plain(data, ["lubm/lubm10.nt.gz"])
    clock.start()
    graph = rdflib.Graph().parse(path, format="nt")
    clock.stop()
    return {"triples": len(graph)}


def load_sparq(data: Path, clock: Clock) -> dict[str, int]:
    """Loading alone."""
    import sparq

    path = _plain(data, ["lubm/lubm10.nt.gz"])
    clock.start()
    graph = sparq.Graph.load(path, "ntriples")
    clock.stop()
    return {"triples": len(graph) if hasattr(graph, "__len__") else 0}


# --------------------------------------------------------------------------------------------------------------- tables

MODULES = {
    "nemo": "nmo_python",
    "sparq": "sparq",
    "reasonable": "reasonable",
    "owlrl": "owlrl",
    "duckdb": "duckdb",
    "clingo": "clingo",
    "rdflib": "rdflib",
}
"""The module a peer needs, by the first word of an engine's name."""


def _owl(files: list[str]) -> dict[str, Measure]:
    measures = {"noesis": owl_noesis, "sparq": owl_sparq, "reasonable": owl_reasonable, "owlrl": owl_owlrl}
    return {name: measure(files) for name, measure in measures.items()}


_LUBM = ["lubm/lubm10.nt.gz", "lubm/univ-bench.nt"]
TASKS: dict[str, tuple[str, dict[str, Measure]]] = {
    "lubm-L": (
        "LUBM(10), one program of 98 rules, without parsing (Nemo: subtract its parsing)",
        {
            "noesis": lubm_l_noesis,
            "nemo": lubm_l_nemo("all"),
            "nemo, parsing alone": lubm_l_nemo("none"),
            "nemo, parsing and split": lubm_l_nemo("split"),
        },
    ),
    "owl-lubm": ("LUBM(10) under OWL 2 RL, with loading", {k: v for k, v in _owl(_LUBM).items() if k != "owlrl"}),
    "brick": ("Brick and Soda Hall under OWL 2 RL, with loading", _owl(["real-rdf/brick_soda.nt.gz"])),
    "wine": ("wine and food under OWL 2 RL, with loading", _owl(["real-rdf/wine_food.nt.gz"])),
    "galen-el": (
        "GALEN in the EL calculus (Nemo: with reading CSV)",
        {
            "noesis": galen_noesis,
            "nemo, rules as published": galen_nemo(_PUBLISHED),
            "nemo, with below": galen_nemo(_BELOW),
        },
    ),
    "tc": (
        "transitive closure of 8,000 edges, 10,241,013 pairs",
        {
            "noesis, recognised": tc_noesis("?x :tc ?y . ?y :tc ?z"),
            "noesis, generic": tc_noesis("?x :tc ?y . ?y :edge ?z"),
            "nemo": tc_nemo,
            "duckdb": tc_duckdb,
            "clingo": tc_clingo,
        },
    ),
    "same-generation": ("same generation", {"noesis": sg_noesis, "nemo": sg_nemo, "clingo": sg_clingo}),
    "same-as": (
        f"{CLIQUES} cliques of {MEMBERS} individuals under OWL 2 RL, with loading",
        {"noesis": same_as(owl_noesis), "sparq": same_as(owl_sparq), "reasonable": same_as(owl_reasonable)},
    ),
    "load": ("loading LUBM(10), no rules", {"noesis": load_noesis, "rdflib": load_rdflib, "sparq": load_sparq}),
}
"""Title and engines of each task; the first engine is the one the others are compared with."""


def core() -> None:
    """Keep numerical libraries to one thread, which every engine here is compared on."""
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
