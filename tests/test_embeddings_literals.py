"""Numbers of literals: what counts as one, the matrix against the graph, and PyKEEN's literal models on it."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdflib import XSD, Literal, URIRef

from embeddings import EmbeddingConfig, evaluate, load_embedding, train_embedding
from embeddings.literals import literals_for, number_of, numeric_literals
from embeddings.quiet import quiet, seeded
from kg.errors import ConfigError, InputError, NotSupportedError, StoreError
from kg.graph import KnowledgeGraph

E = "http://example.org/"


def graph() -> KnowledgeGraph:
    """Four cities on a road, with numbers for some of them."""
    rows = [(URIRef(E + a), URIRef(E + "road"), URIRef(E + b)) for a, b in ("ab", "bc", "cd", "da")]
    numbers: list[tuple[str, str, Any]] = [
        ("a", "people", Literal("100", datatype=XSD.integer)),
        ("b", "people", Literal("3e2", datatype=XSD.double)),
        ("c", "people", Literal("150", datatype=XSD.nonNegativeInteger)),
        ("c", "people", Literal("250.0", datatype=XSD.decimal)),
        ("a", "founded", Literal("1200", datatype=XSD.gYear)),
        ("d", "founded", Literal("1400-01-01", datatype=XSD.date)),
        ("a", "name", Literal("Aton")),
        ("b", "name", Literal("17")),
        ("b", "code", Literal("5", datatype=XSD.int)),
        ("elsewhere", "people", Literal("1", datatype=XSD.integer)),
    ]
    return KnowledgeGraph.from_triples([*rows, *((URIRef(E + s), URIRef(E + p), o) for s, p, o in numbers)])


def test_matrix_is_what_the_graph_says() -> None:
    cities = graph()
    found = numeric_literals(cities, cities.entity_ids)
    assert [str(cities.dictionary.term(int(id)))[-1] for id in found.entities] == ["a", "b", "c", "d"]
    names = [str(cities.dictionary.term(int(id))).removeprefix(E) for id in found.attributes]
    expected = {
        "people": [100, 300, 200, np.nan],
        "founded": [1200, np.nan, np.nan, 1400],
        "code": [np.nan, 5, np.nan, np.nan],
    }
    assert set(names) == set(expected)
    np.testing.assert_allclose(found.unscaled(), np.array([expected[name] for name in names]).T, rtol=1e-5)
    people = found.values[:, names.index("people")]
    np.testing.assert_allclose(people, [-np.sqrt(1.5), np.sqrt(1.5), 0, 0], atol=1e-6)
    assert (found.values[~found.mask] == 0).all()
    assert len(numeric_literals(cities, cities.entity_ids, min_count=2).attributes) == 2


def test_range_goes_from_0_to_1_and_a_single_number_counts_0() -> None:
    cities = graph()
    found = numeric_literals(cities, cities.entity_ids, scaling="range")
    for column, mask in zip(found.values.T, found.mask.T, strict=True):
        assert column[mask].min() == 0
        assert column[mask].max() == (1 if mask.sum() > 1 else 0)


@given(moment=st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9998, 12, 30)), hours=st.integers(-12, 12))
def test_dates_are_decimal_years_in_the_order_of_time(moment: datetime.datetime, hours: int) -> None:
    moment = moment.replace(microsecond=0)
    local = (moment + datetime.timedelta(hours=hours)).replace(
        tzinfo=datetime.timezone(datetime.timedelta(hours=hours))
    )
    year = datetime.datetime(moment.year, 1, 1)
    expected = moment.year + (moment - year) / (datetime.datetime(moment.year + 1, 1, 1) - year)
    for written in (moment.isoformat(), local.isoformat()):
        found = number_of(Literal(written, datatype=XSD.dateTime, normalize=False))
        assert found == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("text", "datatype", "number"),
    [
        ("true", XSD.boolean, 1.0),
        ("-0044-01-01", XSD.date, -44.0),
        ("2000", XSD.gYear, 2000.0),
        ("2001-07", XSD.gYearMonth, 2001 + 181 / 365),
        ("12.5", XSD.decimal, 12.5),
        ("NaN", XSD.double, None),
        ("INF", XSD.double, None),
        ("1e999", XSD.double, None),
        ("twelve", XSD.integer, None),
        ("2000-13-01", XSD.date, None),
        ("12:00:00", XSD.time, None),
        ("P1Y", XSD.duration, None),
        ("17", XSD.string, None),
        ("17", None, None),
    ],
)
def test_number_of_a_literal(text: str, datatype: URIRef | None, number: float | None) -> None:
    found = number_of(Literal(text, datatype=datatype, normalize=False))
    assert found == (None if number is None else pytest.approx(number))


@pytest.mark.parametrize("name", ["DistMultLiteral", "ComplExLiteral"])
def test_pykeens_literal_models_train_on_the_numbers_and_come_back_from_their_state(name: str) -> None:
    cities = graph()
    literals = numeric_literals(cities, cities.entity_ids)
    with quiet(), seeded(0):
        import torch
        from pykeen.models import model_resolver
        from pykeen.training import SLCWATrainingLoop
        from pykeen.triples import CoreTriplesFactory

        from embeddings.literal_models import hold_literals, literal_factory, num_attributes, takes_literals

        kind = model_resolver.lookup(name)
        assert takes_literals(kind)
        rows = np.searchsorted(literals.entities, cities.entity_triples())
        rows[:, 1] = 0
        triples = CoreTriplesFactory(torch.from_numpy(rows), num_entities=4, num_relations=1)
        model = kind(triples_factory=literal_factory(4, 1, literals.values), embedding_dim=6, random_seed=0)
        hold_literals(model)
        loop = SLCWATrainingLoop(
            model=model, triples_factory=triples, optimizer="adam", automatic_memory_optimization=False
        )
        before = {key: value.detach().numpy().copy() for key, value in model.state_dict().items()}
        losses = loop.train(triples, num_epochs=2, batch_size=4, use_tqdm=False, pin_memory=False)
        assert len(losses) == 2
        state = {key: value.detach().numpy().copy() for key, value in model.state_dict().items()}
        assert num_attributes(state) == 3
        kept = [key for key, value in before.items() if value.shape == (4, 3) and np.array_equal(value, state[key])]
        assert len(kept) == 1  # the numbers stay as they are
        np.testing.assert_array_equal(state[kept[0]], literals.values)
        again = kind(triples_factory=literal_factory(4, 1, np.zeros((4, 3))), embedding_dim=6)
        again.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
        batch = torch.from_numpy(rows)
        with torch.no_grad():
            scores = model.eval().score_hrt(batch)
            np.testing.assert_array_equal(again.eval().score_hrt(batch), scores)
            other = literals.values + np.float32(1)
            moved = kind(triples_factory=literal_factory(4, 1, other), embedding_dim=6)
            moved.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()} | {kept[0]: torch.tensor(other)})
            assert not np.allclose(moved.eval().score_hrt(batch), scores)  # the numbers count


@pytest.mark.parametrize("name", ["DistMultLiteral", "ComplExLiteral"])
def test_a_literal_model_trains_by_name_and_comes_back_from_its_folder(name: str, tmp_path: Path) -> None:
    cities = graph()
    triples, count = cities.entity_triples(), len(cities.dictionary)
    literals = literals_for(name, cities)
    assert literals is not None
    config = EmbeddingConfig(model=name, dim=6, epochs=2, batch_size=4, num_negatives=2)
    other = replace(literals, values=literals.values + np.float32(1))
    trained, moved = (train_embedding(triples, count, config, literals=each) for each in (literals, other))
    trained.save(tmp_path / "e")
    again = load_embedding(tmp_path / "e")
    np.testing.assert_array_equal(again.score(triples), trained.score(triples))
    assert any(np.array_equal(value, literals.values) for value in again.state.values())
    assert not np.allclose(moved.score(triples), trained.score(triples))
    assert evaluate(again, triples, triples).count == 4
    train_embedding(triples, count, config, literals=literals, checkpoint=tmp_path / "c")
    with pytest.raises(StoreError, match="other triples or literals"):
        train_embedding(triples, count, config, literals=other, checkpoint=tmp_path / "c")


def test_numbers_are_found_by_term_and_an_entity_without_any_has_zeros() -> None:
    cities = graph()
    literals = numeric_literals(cities, cities.entity_ids)
    found = literals.of(np.array([10_000, int(literals.entities[2]), -1]))
    np.testing.assert_array_equal(found, np.stack([found[0] * 0, literals.values[2], found[0] * 0]))


@pytest.mark.parametrize(
    ("model", "given", "error", "words"),
    [
        ("DistMultLiteral", False, ConfigError, "Expected literals for DistMultLiteral"),
        ("DistMult", True, ConfigError, "Expected no literals for DistMult"),
        ("DistMultLiteralGated", True, NotSupportedError, "such as ComplExLiteral"),
    ],
)
def test_a_model_and_literals_that_do_not_fit_are_refused(
    model: str, given: bool, error: type[Exception], words: str
) -> None:
    cities = graph()
    literals = numeric_literals(cities, cities.entity_ids) if given else None
    with pytest.raises(error, match=words):
        train_embedding(
            cities.entity_triples(), len(cities.dictionary), EmbeddingConfig(model=model, dim=4), literals=literals
        )


def test_what_cannot_be_used_is_refused() -> None:
    cities = graph()
    with pytest.raises(ConfigError, match="standard, range"):
        numeric_literals(cities, cities.entity_ids, scaling="log")
    with pytest.raises(InputError, match="each once"):
        numeric_literals(cities, np.array([1, 1]))
    with quiet():
        from embeddings.literal_models import literal_factory

        with pytest.raises(InputError, match="at least one attribute"):
            literal_factory(4, 1, np.empty((4, 0)))
