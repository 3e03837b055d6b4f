"""The dictionary: terms to dense integers and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdflib import BNode, Literal, URIRef

from kg.dictionary import BLANK, IRI, LITERAL, Dictionary
from kg.errors import UnknownTermError
from kg.terms import term_from_key

KEYS = st.lists(st.sampled_from([f"<urn:{c}>" for c in "abcdef"] + ["_:x", "_:y"] + [f'"{c}"@en' for c in "abc"]))


@given(KEYS)
def test_ids_are_dense_in_order_of_first_appearance(keys: list[str]) -> None:
    dictionary = Dictionary(keys)
    assert list(dictionary) == list(dict.fromkeys(keys))
    assert [dictionary.find_key(key) for key in dictionary] == list(range(len(dictionary)))


@given(KEYS)
def test_terms_and_ids_are_a_bijection(keys: list[str]) -> None:
    dictionary = Dictionary(keys)
    assert [dictionary.id(dictionary.term(i)) for i in range(len(dictionary))] == list(range(len(dictionary)))
    assert [dictionary.term(i) for i in range(len(dictionary))] == [term_from_key(key) for key in dictionary]


def test_interning_twice_changes_nothing() -> None:
    dictionary = Dictionary()
    assert [dictionary.intern(term) for term in (URIRef("urn:a"), Literal("a"), URIRef("urn:a"))] == [0, 1, 0]
    assert len(dictionary) == 2


def test_kinds() -> None:
    dictionary = Dictionary()
    for term in (URIRef("urn:a"), BNode("b"), Literal("c")):
        dictionary.intern(term)
    assert dictionary.kinds.tolist() == [IRI, BLANK, LITERAL]
    assert dictionary.is_literal(np.array([2, 0])).tolist() == [True, False]


def test_an_unknown_term_names_the_nearest() -> None:
    dictionary = Dictionary(["<http://e/warfarin>", "<http://e/aspirin>"])
    with pytest.raises(UnknownTermError, match="warfarin") as caught:
        dictionary.id(URIRef("http://e/warfarine"))
    assert caught.value.nearest[0] == "<http://e/warfarin>"
    assert dictionary.find(URIRef("http://e/warfarine")) is None
