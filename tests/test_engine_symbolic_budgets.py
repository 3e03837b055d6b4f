"""Rule bombs: each ends within its budget of time and memory, with a result that is marked or right."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator

import pytest
from rdflib import Literal, URIRef

from engine.audit import audit
from engine.symbolic import Budget, Closure, Reason, Status, check, materialise, parse_rules
from kg.errors import ConfigError
from kg.graph import KnowledgeGraph

EX = "http://e/#"
SECONDS = 1.0
LEEWAY = 8.0
"""Seconds beyond the budget for what is not looked at in between, and for the test's own work."""
MEGABYTE = 1 << 20


def term(name: str) -> URIRef:
    return URIRef(EX + name)


def graph_of(*triples: tuple[str, str, str | int]) -> KnowledgeGraph:
    return KnowledgeGraph.from_triples(
        [(term(s), term(p), Literal(o) if isinstance(o, int) else term(o)) for s, p, o in triples]
    )


def closed(graph: KnowledgeGraph, rules: str, budget: Budget) -> Closure:
    parsed = parse_rules(f"PREFIX : <{EX}> PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>\n" + rules)
    return materialise(graph, parsed, entailment="none", budget=budget)


@pytest.fixture(autouse=True)
def _within_time_and_memory() -> Iterator[None]:
    """Every test here stays below a bound of seconds of the processor and of resident memory gained."""
    small = closed(
        graph_of(("a", "p", "b"), ("b", "q", "c")), "RULE { ?y :r ?x } WHERE { ?x :p ?y . ?y :q ?z }", Budget()
    )
    check(small, (term("a"), term("q"), term("b")))  # now the kernels are compiled
    peak, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    yield
    seconds = time.process_time() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024
    assert seconds < 2 * SECONDS + LEEWAY
    assert grown < 1200 * MEGABYTE


def assert_marked(closure: Closure, said: str) -> None:
    """The closure says what ran out, the audit does not call it consistent, and no claim is left at unproven."""
    assert closure.incomplete is not None
    assert said in closure.incomplete
    result = audit(closure)
    assert not result.conforms
    assert result.incomplete == closure.incomplete
    (judged,) = check(closure, (term("a"), term("p"), term("never")))
    assert judged.status is Status.UNKNOWN
    (judged,) = check(closure, (term("a"), term("p"), term("a")))
    assert (judged.status, judged.reason) == (Status.UNKNOWN, Reason.INCOMPLETE_CLOSURE)


def counter(levels: int) -> str:
    """Rules that each compute ten numbers out of one, one after the other: 10^levels new terms."""
    rules = "".join(
        f"RULE {{ :a :n{k + 1} ?m }} WHERE {{ :a :n{k} ?n . :a :digit ?d SET(?m := ?n * 10 + ?d) }}\n"
        for k in range(levels)
    )
    return rules + "RULE { :a :p :a } WHERE { :a :never :a }"


def numbers_graph() -> KnowledgeGraph:
    """One number and the ten digits; a graph of its own, as terms are new to a graph's dictionary once."""
    return graph_of(("a", "n0", 1), ("a", "p", "b"), *(("a", "digit", n) for n in range(10)))


def test_a_counter_by_set_across_rules_runs_out_of_new_terms() -> None:
    assert_marked(closed(numbers_graph(), counter(9), Budget(new_terms=50_000)), "more than 50000 new terms were made")


def test_a_counter_by_set_across_rules_runs_out_of_time() -> None:
    assert_marked(closed(numbers_graph(), counter(9), Budget(seconds=SECONDS)), "seconds were not enough")


def test_new_terms_that_are_enough_are_enough() -> None:
    closure = closed(numbers_graph(), counter(3), Budget(new_terms=1110))
    assert closure.incomplete is None
    numbers = sorted(int(str(t.object)) for t in closure.graph.triples(None, term("n3"), None))
    assert numbers == list(range(1000, 2000))
    assert closed(numbers_graph(), counter(3), Budget(new_terms=1109)).incomplete is not None


def test_unbounded_blank_nodes_run_out_of_new_terms() -> None:
    assert_marked(closed(*blank_nodes(), Budget(new_terms=5_000)), "more than 5000 new terms were made")


def test_unbounded_blank_nodes_run_out_of_time() -> None:
    assert_marked(closed(*blank_nodes(), Budget(seconds=SECONDS)), "seconds were not enough")


def blank_nodes() -> tuple[KnowledgeGraph, str]:
    """At each level a new node for each pair of those before: 10^64 in the end."""
    rules = "".join(f"RULE {{ [] a :C{k + 1} }} WHERE {{ ?x a :C{k} . ?y a :C{k} }}\n" for k in range(6))
    facts = [(term(f"x{n}"), URIRef("http://www.w3.org/1999/02/22-rdf-syntax-ns#type"), term("C0")) for n in range(10)]
    return KnowledgeGraph.from_triples([*facts, (term("a"), term("p"), term("b"))]), rules


def test_rules_that_feed_themselves_new_terms_never_start() -> None:
    from kg.errors import StratificationError

    with pytest.raises(StratificationError, match="makes new terms"):
        closed(numbers_graph(), "RULE { ?x :n0 ?m } WHERE { ?x :n0 ?n SET(?m := ?n + 1) }", Budget(seconds=SECONDS))


PRODUCT = graph_of(*((f"x{n}", p, f"y{n}") for n in range(10_000) for p in "qrs"), ("a", "p", "b"))


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(substitutions=1_000_000), "a join gives more than 1000000 substitutions"),
        (Budget(bytes=100 * MEGABYTE), "a join gives more than"),
        (Budget(), "a join gives more than 200000000 substitutions"),
    ],
)
def test_a_cartesian_product_is_counted_before_it_is_made(budget: Budget, said: str) -> None:
    rules = "RULE { ?x :t ?u } WHERE { ?x :q ?y . ?z :r ?w . ?u :s ?v }"
    if budget == Budget():
        graph = graph_of(*((f"x{n}", p, "hub") for n in range(15_000) for p in "qr"), ("a", "p", "b"))
        assert_marked(closed(graph, "RULE { ?x :t ?u } WHERE { ?x :q ?y . ?u :r ?y }", budget), said)
        return
    assert_marked(closed(PRODUCT, rules, budget), said)


def test_a_filter_over_a_product_runs_out_of_time() -> None:
    graph = graph_of(*((f"x{n}", "q", n) for n in range(3000)), ("a", "p", "b"))
    rules = "RULE { ?x :t ?y } WHERE { ?x :q ?m . ?y :q ?n FILTER(?m * ?n = 7) }"
    assert_marked(closed(graph, rules, Budget(seconds=SECONDS)), "seconds were not enough")


def test_a_product_inside_not_is_counted_before_it_is_made() -> None:
    rules = "RULE { ?a :t ?b } WHERE { ?a :p ?b NOT { ?x :q ?y . ?z :r ?w . ?u :s ?v } }"
    assert_marked(closed(PRODUCT, rules, Budget(substitutions=1_000_000)), "a join gives more than 1000000")


def test_violations_without_end_are_counted() -> None:
    graph = graph_of(*((f"x{n}", "q", f"y{n}") for n in range(2000)), ("a", "p", "b"))
    rules = "RULE { } WHERE { ?x :q ?y . ?z :q ?w }"
    assert_marked(closed(graph, rules, Budget(violations=10_000)), "more than 10000 violations were found")


CHAIN = 1_000_000


@pytest.fixture(scope="module")
def chain() -> KnowledgeGraph:
    import numpy as np

    from kg.columns import Columns
    from kg.dictionary import Dictionary

    keys = [f"<{EX}n{i}>" for i in range(CHAIN + 1)]
    names = [f"<{EX}next>", f"<{EX}p>", f"<{EX}a>", f"<{EX}b>", f"<{EX}R>"]
    dictionary = Dictionary([*keys, *names, "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"])
    at = len(keys)
    s = np.r_[np.arange(CHAIN), at + 2, 0].astype(np.int32)
    p = np.r_[np.full(CHAIN, at), at + 1, at + 5].astype(np.int32)
    o = np.r_[np.arange(1, CHAIN + 1), at + 3, at + 4].astype(np.int32)
    return KnowledgeGraph(dictionary, Columns.from_arrays(s, p, o))


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(triples=3_000_000), "more than 3000000 triples were inferred"),
        (Budget(bytes=200 * MEGABYTE), "triples were inferred"),
    ],
)
def test_the_closure_of_a_long_chain_runs_out_of_triples(chain: KnowledgeGraph, budget: Budget, said: str) -> None:
    assert_marked(closed(chain, "RULE { ?x :next ?z } WHERE { ?x :next ?y . ?y :next ?z }", budget), said)


@pytest.mark.parametrize(
    ("budget", "said"),
    [(Budget(seconds=SECONDS), "seconds were not enough"), (Budget(rounds=1000), "1000 rounds were not enough")],
)
def test_a_long_chain_walked_step_by_step_is_cut_short(chain: KnowledgeGraph, budget: Budget, said: str) -> None:
    assert_marked(closed(chain, "RULE { ?y a :R } WHERE { ?x a :R . ?x :next ?y }", budget), said)


def test_bytes_bound_the_columns(chain: KnowledgeGraph) -> None:
    rules = "RULE { ?y :back ?x } WHERE { ?x :next ?y } RULE { ?y :p ?x } WHERE { ?x :back ?y }"
    rules += " RULE { ?y :ahead ?x } WHERE { ?x :p ?y }"
    assert_marked(closed(chain, rules, Budget(bytes=60 * MEGABYTE)), "bytes")
    assert closed(chain, rules, Budget(bytes=1000 * MEGABYTE)).incomplete is None


def test_a_body_of_500_atoms_is_evaluated_or_cut_short() -> None:
    body = " . ".join(f"?x{n} :q ?x{n + 1}" for n in range(500))
    once = closed(graph_of(("a", "q", "a"), ("a", "p", "b")), f"RULE {{ ?x0 :t ?x500 }} WHERE {{ {body} }}", Budget())
    assert once.incomplete is None
    assert once.entails((term("a"), term("t"), term("a")))
    ring = graph_of(*((f"n{n}", "q", f"n{(n + 1) % 997}") for n in range(997)), ("a", "p", "b"))
    again = f"RULE {{ ?x0 :q ?x500 }} WHERE {{ {body} }}"
    assert_marked(closed(ring, again, Budget(seconds=SECONDS)), "seconds were not enough")


def test_a_body_of_500_atoms_that_multiplies_is_counted_before_it_is_made() -> None:
    body = " . ".join(f"?x{n} :q ?x{n + 1}" for n in range(500))
    graph = graph_of(*((f"n{a}", "q", f"n{b}") for a in range(30) for b in range(30)), ("a", "p", "b"))
    closure = closed(graph, f"RULE {{ ?x0 :t ?x500 }} WHERE {{ {body} }}", Budget(bytes=300 * MEGABYTE))
    assert_marked(closure, "a join gives more than")


@pytest.mark.parametrize(
    ("rules", "budget", "said"),
    [
        (counter(9), Budget(new_terms=1000), "new terms"),
        (counter(9), Budget(seconds=SECONDS), "seconds"),
        ("RULE { } WHERE { :a :n0 ?n . ?x :digit ?d . ?y :digit ?e }", Budget(violations=50), "violations"),
    ],
)
def test_a_claim_that_sets_a_bomb_off_is_unknown(rules: str, budget: Budget, said: str) -> None:
    graph = graph_of(("a", "p", "b"), ("a", "digit", 0), *(("a", "digit", n) for n in range(1, 10)))
    closure = closed(graph, rules, Budget())
    assert closure.incomplete is None
    claim = (term("a"), term("n0"), Literal(1))
    (judged,) = check(closure, claim, budget=budget)
    assert (judged.status, judged.reason) == (Status.UNKNOWN, Reason.BUDGET)
    assert said in judged.detail


def test_a_negative_budget_is_refused() -> None:
    for name in ("new_terms", "bytes", "violations"):
        with pytest.raises(ConfigError, match=name):
            Budget(**{name: -1})
