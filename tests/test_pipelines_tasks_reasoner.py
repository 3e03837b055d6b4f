"""Claims about a domain: which are read, and what the reasoner decides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rdflib import OWL, RDF, RDFS

from engine.hybrid import Reasoner
from engine.symbolic import materialise
from engine.verdict import Verdict
from kg.claims import parse_term
from kg.domain import load_domain
from kg.errors import ConfigError, NotSupportedError
from kg.load import load_graph
from pipelines.tasks.adapters import domain_claims
from pipelines.tasks.example import Example
from pipelines.tasks.methods import reasoner
from pipelines.tasks.routes import verified

DOMAIN = Path(__file__).parents[1] / "data" / "domains" / "medicine"
CLAIMS = (f"urn:a {RDF.type} urn:D", f"urn:a {RDF.type} urn:E", f"urn:b {RDF.type} urn:E", "urn:z urn:z urn:z")


class BySplitting(Reasoner):
    """Reads a claim whose three terms are written out."""

    def ask_many(self, texts: Sequence[str]) -> list[Verdict]:
        return self.check_many([text.split() for text in texts])

    def ask(self, text: str) -> Verdict:
        return self.ask_many([text])[0]


class Told(reasoner.ReasonedClaims):
    """A model that says what a test wants it to."""

    chances: Sequence[float] = ()

    def _chances(self, examples: Sequence[Example]) -> NDArray[np.float64]:
        return np.array(self.chances[: len(examples)])


@pytest.fixture(scope="module")
def method(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A reasoner of a graph in which the first claim follows, the second is refuted, and the others are open."""
    place = tmp_path_factory.mktemp("graph") / "graph.ttl"
    lines = [f"<urn:a> a <urn:C> . <urn:C> <{RDFS.subClassOf}> <urn:D> .", f"<urn:D> <{OWL.disjointWith}> <urn:E> ."]
    place.write_text("\n".join([*lines, "<urn:b> a <urn:F> ."]), encoding="utf-8")
    closure = materialise(load_graph(place), entailment="owl2rl")
    model: Any = None  # never asked, as a test says what it would tell
    return Told(closure, model, "fusion", frozenset(), BySplitting(closure))


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_no_score_changes_what_is_proved_or_refuted(method: Told, chances: list[float]) -> None:
    object.__setattr__(method, "chances", chances)
    examples = [Example(text, "", text, ("true", "false"), ("true",)) for text in CLAIMS]
    answers = method.answer(examples)
    assert [answer.route for answer in answers] == ["proved", "refuted", "predicted", "abstained"]
    assert [answer.choices for answer in answers[:2]] == [("true",), ("false",)]
    assert [answer.probability for answer in answers[:2]] == [1, 1]
    assert answers[2].choices == ("true" if chances[2] > 0.5 else "false",)
    assert answers[2].probability == max(chances[2], 1 - chances[2])
    assert [verified(e, a) for e, a in zip(examples[:2], answers[:2], strict=True)] == [True, True]


def test_a_reasoner_has_no_edge_counter() -> None:
    with pytest.raises(NotSupportedError, match="got 'edge counter'"):
        reasoner.fit((), (), control="edge counter", seed=0, settings={"graph": DOMAIN})
    with pytest.raises(ConfigError, match="'graph' at least"):
        reasoner.fit((), (), control="full", seed=0, settings={"grph": DOMAIN})


def test_the_claims_of_a_domain_that_are_decided_are_read() -> None:
    examples = list(domain_claims.read(DOMAIN / "claims.tsv"))
    by_split = {split: [e for e in examples if e.group == split] for split in ("train", "dev", "test")}
    assert {split: len(found) for split, found in by_split.items()} == {"train": 56, "dev": 31, "test": 64}
    first = by_split["train"][0]
    assert first.id == "t001"
    assert first.answers == ("true",)
    assert first.triple is not None
    assert first.triple[0].endswith("#paracetamol>")
    told = {claim.id: claim.triple for claim in load_domain(DOMAIN).claims}
    assert {e.id: tuple(parse_term(n, {}) for n in e.triple or ()) for e in examples} == {
        e.id: told[e.id] for e in examples
    }
    assert any('"' in example.triple[2] for example in examples if example.triple)  # literals among them
