"""The datatype map: two implementations agree on every literal, value spaces are nested as their values are."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import RDF, RDFS, XSD, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.builtins import holds
from engine.symbolic.datatypes import DATATYPES, FUNCTION, disjoint, has_value, identity, included, is_ill_typed
from engine.symbolic.rules import Call, Constant, VariableRef
from kg.expressions import holds as checker_holds

FORMS = (
    *("0", "-0", "1", "01", "+1", "-1", "127", "128", "-128", "65536", "1.0", "1.", ".5", "1.50", "", " 1", "1 ", "x"),
    *("1e0", "1E0", "10e-1", "INF", "-INF", "+INF", "inf", "NaN", "1e400", "-0.0", "0.0", "16777216.5", "16777217"),
    *(
        "true",
        "false",
        "TRUE",
        "a",
        "A b",
        "a  b",
        " a",
        "a\tb",
        "a\nb",
        "en",
        "en-GB",
        "toolongtag",
        "a:b",
        "_a",
        "-a",
    ),
    *("ff", "FF", "f", "0G", "YQ==", "YQ", "YW J", "<b>x</b>", "<b>", "&x;", "a@en", "a@EN", "a@", "@", "http://x/y z"),
    *("2020-02-29", "2021-02-29", "2020-02-30", "2020-01-01Z", "-0001-01-01", "0000-01-01", "2020-13-01", "20-01-01"),
    *("2020-01-01T00:00:00", "2019-12-31T24:00:00", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00+00:00"),
    *("2020-01-01T01:00:00+01:00", "2020-01-01T00:00:00.0", "2020-01-01T24:00:01", "2020-01-01T00:60:00"),
    *("2020-01-01T00:00:00-00:00", "2020-01-01T00:00:00+14:00", "2020-01-01T00:00:00+14:01"),
    *(
        "00:00:00",
        "24:00:00",
        "12:30:00Z",
        "2020",
        "2020Z",
        "2020-01",
        "--02-29",
        "--02-30",
        "--02",
        "---31",
        "---32",
        "---31Z",
        "---31-00:00",
    ),
    *("P1Y", "P12M", "P1D", "PT24H", "P", "PT", "P1YT", "-P1Y", "P1Y1D", "PT0.5S", "P1M", "P0D", "P0Y", "PT1.S"),
)
KNOWN = sorted(DATATYPES - {RDFS.Literal, RDF.langString})
literals = st.builds(
    lambda text, datatype: Literal(text, datatype=datatype, normalize=False),
    st.sampled_from(FORMS),
    st.sampled_from([*KNOWN, URIRef("http://example/mine")]),
)
Y, Z = Variable("y"), Variable("z")


def both(name: str, values: dict[Variable, Node], *more: Node) -> tuple[bool, bool]:
    """What the engine and the checker of proofs say of a condition."""
    call = Call(f"{FUNCTION}{name}", (*map(VariableRef, values), *map(Constant, more)))
    return holds(call, values), checker_holds(str(call), cast(Mapping[Node, Node], values))


@settings(max_examples=400, deadline=None)
@given(literals, literals, st.sampled_from(sorted(DATATYPES)))
def test_the_engine_and_the_checker_agree_on_literals(left: Literal, right: Literal, datatype: URIRef) -> None:
    for engine, checker in (
        both("ill-typed", {Y: left}),
        both("has", {Y: left}, datatype),
        both("has-not", {Y: left}, datatype),
        both("differ", {Y: left, Z: right}),
        both("supported", {Y: datatype}),
    ):
        assert engine == checker


def test_the_engine_and_the_checker_agree_on_every_form_in_every_datatype() -> None:
    every = [Literal(text, datatype=datatype, normalize=False) for text, datatype in product(FORMS, KNOWN)]
    said = {literal: both("ill-typed", {Y: literal}) for literal in every}
    assert [literal.n3() for literal, (engine, checker) in said.items() if engine != checker] == []


@pytest.mark.parametrize("name", ["ill-typed", "has", "has-not", "differ"])
def test_nothing_is_true_of_what_is_no_literal_of_a_known_datatype(name: str) -> None:
    for term in (URIRef("http://example/a"), BNode("b"), Literal("a", datatype=URIRef("http://example/mine"))):
        values: dict[Variable, Node] = {Y: term, Z: term} if name == "differ" else {Y: term}
        more = [XSD.string] if name.startswith("has") else []
        assert both(name, values, *more) == (False, False)


def test_a_datatype_is_included_in_another_where_all_its_values_are() -> None:
    typed = [Literal(text, datatype=datatype, normalize=False) for text in FORMS for datatype in KNOWN]
    values = {value for literal in [*typed, Literal("x", lang="en")] if (value := identity(literal)) is not None}
    spaces = {datatype: {value for value in values if has_value(datatype, value)} for datatype in DATATYPES}
    for part, whole in product(DATATYPES, repeat=2):
        if included(part, whole):
            assert spaces[part] <= spaces[whole], (part, whole)
        if disjoint([part, whole]):
            assert not spaces[part] & spaces[whole], (part, whole)
    for literal in typed:
        value = identity(literal)
        assert (value is None) == is_ill_typed(literal)
        assert value is None or has_value(URIRef(str(literal.datatype)), value)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([XSD.byte, XSD.unsignedByte], False),
        ([XSD.negativeInteger, XSD.unsignedByte], True),
        ([XSD.nonPositiveInteger, XSD.nonNegativeInteger], False),
        ([XSD.nonPositiveInteger, XSD.nonNegativeInteger, XSD.positiveInteger], True),
        ([XSD.decimal, XSD.double], True),
        ([XSD.string, RDF.langString], True),
        ([XSD.token, RDF.PlainLiteral, RDFS.Literal], False),
        ([XSD.integer, RDF.PlainLiteral], True),
        ([XSD.dateTime, XSD.dateTimeStamp], False),
    ],
)
def test_datatypes_without_a_common_value_are_disjoint(parts: list[URIRef], expected: bool) -> None:
    assert disjoint(parts) == expected
