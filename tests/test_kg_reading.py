"""Comparing masked sentences with exemplars."""

from __future__ import annotations

import pytest
from rdflib import URIRef

from kg.reading import Exemplar, Masked, NearestReader, Reading, is_negative

TREATS, HARMS = (URIRef(f"https://example.org/{name}") for name in ("treats", "harms"))


def masked(text: str) -> Masked:
    return Masked(text, (text.index("A"), text.index("B")))


READER = NearestReader(
    [
        Exemplar(masked("drug A is given for condition B"), Reading(TREATS)),
        Exemplar(masked("condition A calls for drug B"), Reading(TREATS, False)),
        Exemplar(masked("drug A must not be taken with condition B"), Reading(HARMS)),
        Exemplar(masked("drug A leaves condition B alone, it does not help"), Reading(TREATS), positive=False),
    ]
)


@pytest.mark.parametrize(
    ("text", "reading", "denies"),
    [
        ("drug A is given for condition B", Reading(TREATS), False),
        ("drug A is not given for condition B", Reading(TREATS), True),
        ("condition A calls for drug B", Reading(TREATS, False), False),
        ("drug A must not be taken with condition B", Reading(HARMS), False),
        ("drug A leaves condition B alone, it does not help", Reading(TREATS), True),
        ("drug A leaves condition B alone, it does help", Reading(TREATS), False),
    ],
)
def test_the_nearest_exemplar_gives_reading_and_polarity(text: str, reading: Reading, denies: bool) -> None:
    found = READER.read([masked(text)])
    best = int(found.scores[0].argmax())
    assert (READER.readings[best], bool(found.denies[0, best])) == (reading, denies)


def test_words_far_from_the_arguments_count_little() -> None:
    before = "as everybody here was told on Monday by the new registrar, "
    found = READER.read([masked(f"{before}drug A is given for condition B in the end of the long day")])
    assert READER.readings[int(found.scores[0].argmax())] == Reading(TREATS)
    assert found.scores[0].max() > 0.7


@pytest.mark.parametrize(
    ("text", "negative"),
    [
        ("A does not help B", True),
        ("it is not true that A never helps B", False),
        ("no more than A", False),
        ("A must not be given to B", False),
        ("nobody helps B", True),
    ],
)
def test_negations_are_counted_but_not_bounds_and_prohibitions(text: str, negative: bool) -> None:
    assert is_negative(text) is negative
