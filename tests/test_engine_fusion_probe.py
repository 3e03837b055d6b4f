"""The learnt reader of claims, on sentences made of a small vocabulary, and in a claim former."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rdflib import RDF, URIRef

from engine import ClaimFormer
from engine.fusion import ProbeReader, resolve_encoder
from kg.errors import StoreError
from kg.linking import LabelIndex
from kg.reading import Exemplar, Masked, Reading
from kg.wordings import Wording
from tests.family import EX, family

VERBS = ("raises", "lifts", "increases", "boosts", "heightens")
PASSIVE = ("raised", "lifted", "increased", "boosted", "heightened")
OTHERS = ("and", "or", "beside", "near", "before")
RAISES = URIRef("https://example.org/raises")


def masked(text: str) -> Masked:
    return Masked(text, (text.index("A"), text.index("B")))


def exemplars(number: slice) -> list[Exemplar]:
    """Sentences that say, in both directions, deny, and do not state that something raises another thing."""
    made = []
    for verb, past, other in list(zip(VERBS, PASSIVE, OTHERS, strict=True))[number]:
        for end in ("", " a little", " by half", " in most people"):
            made += [
                Exemplar(masked(f"drug A {verb} drug B{end}"), Reading(RAISES, True)),
                Exemplar(masked(f"drug A is {past} by drug B{end}"), Reading(RAISES, False)),
                Exemplar(masked(f"drug A never {verb} drug B{end}"), Reading(RAISES, True), positive=False),
                Exemplar(masked(f"drug A {other} drug B were sold{end}"), Reading(None)),
            ]
    return made


@pytest.fixture(scope="module")
def reader() -> ProbeReader:
    return ProbeReader.fit(resolve_encoder(None), exemplars(slice(0, 4)))


def test_direction_denial_and_nothing_stated_are_told_apart_in_unseen_words(reader: ProbeReader) -> None:
    unseen = exemplars(slice(4, 5))
    found = reader.read([exemplar.masked for exemplar in unseen])
    best = found.scores.argmax(axis=1)
    assert [reader.readings[at] for at in best] == [exemplar.reading for exemplar in unseen]
    stated = [row for row, exemplar in enumerate(unseen) if exemplar.reading.relation]
    assert [not found.denies[row, best[row]] for row in stated] == [unseen[row].positive for row in stated]


def test_scores_are_probabilities(reader: ProbeReader) -> None:
    scores = reader.read([masked("drug A lifts drug B"), masked("A went home with B")]).scores
    assert scores.shape == (2, len(reader.readings))
    np.testing.assert_allclose(scores.sum(axis=1), 1)
    assert reader.read([]).scores.shape == (0, len(reader.readings))


def test_a_reader_comes_back_from_disk_the_same(reader: ProbeReader, tmp_path: Path) -> None:
    reader.save(tmp_path / "reader")
    back = ProbeReader.load(tmp_path / "reader", reader.encoder)
    sentences = [masked("drug A boosts drug B"), masked("drug A is boosted by drug B")]
    assert back.readings == reader.readings
    np.testing.assert_array_equal(back.read(sentences).scores, reader.read(sentences).scores)


def test_an_altered_reader_and_another_encoder_are_refused(reader: ProbeReader, tmp_path: Path) -> None:
    from tests.hamlet import small_encoder

    reader.save(tmp_path / "reader")
    with pytest.raises(StoreError, match="to be learnt with the encoder"):
        ProbeReader.load(tmp_path / "reader", small_encoder())
    weights = next((tmp_path / "reader").glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(StoreError):
        ProbeReader.load(tmp_path / "reader", reader.encoder)


def test_the_states_are_those_at_the_places() -> None:
    encoder = resolve_encoder(None)
    text = "drug A lifts drug B"
    first, swapped = encoder.states_at([text, text], [(5, 18), (18, 5)]).reshape(2, 4, 3, encoder.dim)
    np.testing.assert_allclose(first[:, 0], swapped[:, 0], atol=1e-6)
    np.testing.assert_allclose(first[:, 1], swapped[:, 2], atol=1e-6)
    assert np.abs(first[:, 1] - first[:, 2]).max() > 0.01
    alone = encoder.states_at([text], [(5,)]).reshape(4, 3, encoder.dim)
    np.testing.assert_allclose(alone[:, 1], first[:, 1], atol=1e-6)


def test_a_former_reads_by_it_and_says_values_that_are_not_named() -> None:
    """A town is said to be a home in words of its own; the value of the relation is not named in the sentence."""
    graph = family().graph
    said = ("lives by the old harbour", "wakes up beside the cathedral", "has never moved away from the Danube")
    parents = ("{s} brought {o} into the world", "{o} owes life to {s}", "{s} is the mother of {o}")
    wordings = [Wording(EX.livesIn, EX.ulm, None, True, f"{{s}} {text}.", 1) for text in said]
    wordings += [Wording(EX.parentOf, None, None, True, f"{text}.", 1) for text in parents]
    wordings += [Wording(None, None, (EX.Person, EX.Person), True, "{s} and {o} met once.", 1)]
    former = ClaimFormer(graph, LabelIndex(graph), wordings=wordings)
    former.read_by(ProbeReader.fit(resolve_encoder(None), [*former.exemplars, *_denials(former)]))
    for text, triple in (
        ("Dan lives by the old harbour.", (EX.dan, EX.livesIn, EX.ulm)),
        ("Cyd is the mother of Dan.", (EX.cyd, EX.parentOf, EX.dan)),
        ("Dan is a person.", (EX.dan, RDF.type, EX.Person)),
    ):
        assert former.form(text).candidates[0].triple == triple


def _denials(former: ClaimFormer) -> list[Exemplar]:
    return [Exemplar(masked("person A is not a parent of person B"), Reading(EX.parentOf), positive=False)]
