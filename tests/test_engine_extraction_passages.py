"""Windows of passages: names are markers, whoever they are; and passages that share no text."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.extraction.held_out import runs_of, share_text, split_by_text
from engine.extraction.passages import MARKERS, Window, names_in, sentences_of, windows_of
from kg.errors import LimitError

STORY = "[Ann] took her son [Bob] out. They had fun. [Cyd], [Bob]'s uncle, stayed home with [Dan] [Ann] called him."


def test_sentences_end_at_full_stops_and_between_two_names_and_name_somebody() -> None:
    assert sentences_of(STORY) == (
        "[Ann] took her son [Bob] out. They had fun.",
        "[Cyd], [Bob]'s uncle, stayed home with [Dan]",
        "[Ann] called him.",
    )
    assert sentences_of("It rained. [Ann] met [Bob].") == ("It rained. [Ann] met [Bob].",)


def test_windows_are_each_sentence_and_each_two_in_a_row() -> None:
    windows = windows_of(STORY)
    assert [window.sentences for window in windows] == [(0,), (1,), (2,), (0, 1), (1, 2)]
    assert windows[1].text == "x, y's uncle, stayed home with z"
    assert windows[1].names == ("Cyd", "Bob", "Dan")
    assert windows[4].text == "x, y's uncle, stayed home with z w called him."


@given(st.lists(st.tuples(st.sampled_from(["Ann", "Bob", "Cyd", "Dan"]), st.sampled_from([" and ", ". ", " met "]))))
def test_places_are_where_the_markers_stand_and_names_can_be_put_back(parts: list[tuple[str, str]]) -> None:
    text = "".join(f"[{name}]{between}" for name, between in parts)
    window = Window.of(text)
    assert window.names == names_in(text)
    again = list(window.text)
    for number, places in enumerate(window.places):
        for place in places:
            assert again[place] == MARKERS[number]
            again[place] = f"[{window.names[number]}]"
    assert "".join(again) == text


def test_equal_texts_about_others_are_one_text() -> None:
    assert Window.of("[Ann] met [Bob].").text == Window.of("[Bob] met [ Ann  Lee ].").text


def test_more_names_than_markers_are_refused() -> None:
    with pytest.raises(LimitError, match="at most 20 names"):
        Window.of(" ".join(f"[n{number}]" for number in range(21)))


def test_each_held_out_passage_has_a_text_that_no_training_passage_shares() -> None:
    chance = random.Random(0)
    texts = [" ".join(f"w{chance.randrange(9)}" for _ in range(8)) for _ in range(40)]
    names = ("Ann", "Bob", "Cyd")
    passages = [" ".join(f"[{chance.choice(names)}] {text}." for text in chance.sample(texts, 2)) for _ in range(200)]
    train, held = split_by_text(passages, share=0.1)
    assert sorted(train + held) == list(range(200))
    assert len(train) > len(held) > 0
    told = {run for at in train for run in runs_of(passages[at])}
    lacking = [at for at in held if all(share_text(text, told) for text in sentences_of(passages[at]))]
    assert lacking == []
    renamed = [passage.replace("Ann", "Dan").replace("Bob", "Eve Fay") for passage in passages]
    assert split_by_text(renamed, share=0.1) == (train, held)
