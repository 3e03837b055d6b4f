"""Terms and their dictionary keys."""

from __future__ import annotations

import pyoxigraph as ox
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdflib import XSD, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from kg.parse_worker import key_of
from kg.query_worker import term_of
from kg.terms import Triple, TripleTerm, local_name, split_camel, term_from_key, term_key

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TERMS: st.SearchStrategy[Node] = st.one_of(
    st.sampled_from("abc").map(lambda name: URIRef(f"https://example.org/{name}")),
    st.sampled_from("xyz").map(BNode),
    TEXT.map(Literal),
    TEXT.map(lambda text: Literal(text, lang="en-gb")),
    TEXT.map(lambda text: Literal(text, datatype=XSD.integer, normalize=False)),
)
TERMS = st.recursive(
    TERMS, lambda inner: st.builds(TripleTerm, st.just(BNode("x")), st.just(URIRef("urn:p")), inner), max_leaves=3
)


@given(TERMS)
def test_a_term_comes_back_from_its_key(term: Node) -> None:
    back = term_from_key(term_key(term))
    assert (type(back), back.n3()) == (type(term), term.n3())


@given(TERMS, TERMS)
def test_two_terms_have_one_key_only_if_they_are_the_same_term(one: Node, other: Node) -> None:
    assert (term_key(one) == term_key(other)) == (one.n3() == other.n3())


@given(TERMS)
def test_the_workers_make_the_same_keys(term: Node) -> None:
    key = term_key(term)
    assert not isinstance(term, (URIRef, Literal)) or key_of(term_of(key)) == key


@pytest.mark.parametrize(
    ("term", "key"),
    [
        (Literal("a", datatype=XSD.string), '"a"'),
        (Literal("a", lang="EN-us"), '"a"@en-us'),
        (Literal('say "x"@en'), '"say "x"@en"'),
        (Literal("01", datatype=XSD.integer, normalize=False), f'"01"^^<{XSD.integer}>'),
    ],
)
def test_key_of_a_literal(term: Literal, key: str) -> None:
    assert term_key(term) == key


def test_a_variable_has_no_key() -> None:
    with pytest.raises(TypeError, match="Expected an IRI, a blank node or a literal"):
        term_key(Variable("x"))


def test_the_workers_lower_a_language_tag() -> None:
    assert key_of(ox.Literal("a", language="EN-us")) == '"a"@en-us'


def test_a_triple_prints_its_keys() -> None:
    assert str(Triple(URIRef("urn:a"), URIRef("urn:b"), Literal(1))) == f'<urn:a> <urn:b> "1"^^<{XSD.integer}>'


@pytest.mark.parametrize(
    ("iri", "name"),
    [("http://e/x#a", "a"), ("http://e/x/b", "b"), ("urn:c", "c"), ("http://e/x#", "x"), ("plain", "plain")],
)
def test_local_name(iri: str, name: str) -> None:
    assert local_name(iri) == name


@pytest.mark.parametrize(
    ("name", "words"),
    [("hasQtRisk", "has qt risk"), ("late_stage", "late stage"), ("QTInterval", "qt interval"), ("CYP2C9", "cyp2 c9")],
)
def test_split_camel(name: str, words: str) -> None:
    assert split_camel(name) == words
