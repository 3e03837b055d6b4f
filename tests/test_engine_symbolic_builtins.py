"""FILTER and SET expressions: values, errors, and the bounds on what an expression can cost."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdflib import XSD, BNode, Literal, URIRef, Variable
from rdflib.term import Node

from engine.symbolic.arithmetic import literal_of, number_of
from engine.symbolic.builtins import ExpressionError, check_functions, evaluate, holds
from engine.symbolic.patterns import search
from engine.symbolic.rules import Call, Constant, Expression, Filter, VariableRef
from engine.symbolic.srl import parse_rules
from engine.symbolic.values import equal, order
from kg.errors import UnsupportedRuleError

VALUES: dict[Variable, Node] = {
    Variable("iri"): URIRef("http://example/a"),
    Variable("blank"): BNode("n"),
    Variable("bad"): Literal("x", datatype=XSD.integer, normalize=False),
    Variable("own"): Literal("x", datatype=URIRef("http://example/type"), normalize=False),
}


def expression(text: str) -> Expression:
    rules = parse_rules(
        f"""PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
        PREFIX : <http://example/>
        RULE {{}} WHERE {{ ?iri ?blank ?bad . ?own ?missing ?v FILTER({text}) }}"""
    )
    (constraint,) = rules.constraints
    condition = constraint.body[-1]
    assert isinstance(condition, Filter)
    return condition.expression


def value(text: str) -> str:
    return evaluate(expression(text), VALUES).n3().replace("http://www.w3.org/2001/XMLSchema#", "xsd:")


TRUE = [
    "1 = 1.0",
    '1 = "01"^^xsd:integer',
    "1.0 = 1e0",
    '"1"^^xsd:byte = 1',
    '"a" = "a"^^xsd:string',
    '"a" != "b"',
    '"a"@en = "a"@EN',
    '"a" != "a"@en',
    "1 != true",
    ":a = :a",
    ":a != ?blank",
    "?own = ?own",
    '"NaN"^^xsd:double != "NaN"^^xsd:double',
    '"2020-01-01T00:00:00Z"^^xsd:dateTime = "2020-01-01T02:00:00+02:00"^^xsd:dateTime',
    '"P1Y"^^xsd:yearMonthDuration = "P12M"^^xsd:yearMonthDuration',
    "2 < 10",
    '"2" > "10"',
    "false < true",
    '"-0001-01-01"^^xsd:date < "0001-01-01"^^xsd:date',
    '"2020-02-29"^^xsd:date <= "2020-03-01"^^xsd:date',
    '"PT60M"^^xsd:dayTimeDuration >= "PT1H"^^xsd:dayTimeDuration',
    "1 IN (0, 1.0)",
    "1 IN (?own, 1)",
    "1 NOT IN (2, 3)",
    "1 NOT IN ()",
    "true || ?missing",
    "?missing || true",
    "!(false && ?missing)",
    "!(?missing && false)",
    "IF(1 = 1, true, ?missing)",
    "sameTerm(?iri, :a)",
    '!sameTerm(1, "01"^^xsd:integer)',
    "isIRI(?iri) && isURI(?iri) && !isIRI(?blank)",
    "isBLANK(?blank) && isLITERAL(1) && isNUMERIC(1.5)",
    "!isNUMERIC(?bad) && !isNUMERIC(?iri)",
    'hasLANG("a"@en) && !hasLANGDIR("a"@en) && hasLANGDIR("a"@en--rtl)',
    'LANG("a"@en--rtl) = "en" && LANGDIR("a"@en--rtl) = "rtl"',
    'LANGMATCHES("en-GB", "en") && LANGMATCHES("en", "*") && !LANGMATCHES("", "*")',
    'CONTAINS("warfarin", "far") && STRSTARTS("abc", "ab") && STRENDS("abc", "bc")',
    'CONTAINS("abc"@en, "b")',
    'REGEX("Warfarin", "^war", "i")',
    'REGEX("a.c", "a.c", "q") && !REGEX("abc", "a.c", "q")',
    '!REGEX("abc\\n", "c$")',
    '"a" && 1 && !0 && !"" && !("NaN"^^xsd:double)',
    '!("abc"^^xsd:integer)',
    "!isTRIPLE(?iri)",
    "xsd:integer(?missing) = 1 || true",
]


@pytest.mark.parametrize("text", TRUE)
def test_true(text: str) -> None:
    assert holds(expression(text), VALUES)


ERRORS = [
    "?missing = 1",
    "?bad = 1",
    "?own = 1",
    "?own != 1",
    '?own IN (1, "x")',
    ":a < :b",
    '"a"@en < "b"@en',
    "1 < true",
    '"P1M"^^xsd:duration < "P30D"^^xsd:duration',
    "1 / 0",
    "1.5 / 0",
    '"a" + 1',
    "false || ?missing",
    "true && ?missing",
    "?iri && true",
    "IF(?iri, 1, 2)",
    "xsd:integer(1e400)",
    'xsd:integer("1.5")',
    'xsd:integer("1"@en)',
    "xsd:byte(300)",
    'xsd:boolean("yes")',
    'xsd:date("2021-02-29")',
    'xsd:dateTime("2021-01-01T25:00:00")',
    ":unknown(1)",
    "STRLEN(1)",
    "STR(?blank)",
    'CONTAINS("a"@en, "a"@de)',
    'IRI("not an iri")',
    'STRDT("a", "b")',
    'STRLANG("a", "not a tag")',
    'TIMEZONE("2020-01-01T00:00:00"^^xsd:dateTime)',
    "YEAR(2020)",
    'REGEX("a", "(")',
    'REGEX("a", "a", "k")',
    'REGEX("a", "(?=a)")',
    'REPLACE("a", "b*", "c")',
    'REPLACE("a", "a", "$x")',
    "SUBJECT(?iri)",
]


@pytest.mark.parametrize("text", ERRORS)
def test_error_has_no_value_and_does_not_hold(text: str) -> None:
    with pytest.raises(ExpressionError, match="Expected"):
        evaluate(expression(text), VALUES)
    assert not holds(expression(text), VALUES)
    assert not holds(expression(f"!({text})"), VALUES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2", '"3"^^<xsd:integer>'),
        ("1 - 2.50", '"-1.5"^^<xsd:decimal>'),
        ("2 * 1.5e0", '"3.0E0"^^<xsd:double>'),
        ('"1.5"^^xsd:float * 2', '"3.0E0"^^<xsd:float>'),
        ('"0.1"^^xsd:float + 0', '"1.0E-1"^^<xsd:float>'),
        ("1 / 4", '"0.25"^^<xsd:decimal>'),
        ("4 / 2", '"2"^^<xsd:decimal>'),
        ("1 / 0e0", '"INF"^^<xsd:double>'),
        ("-(3)", '"-3"^^<xsd:integer>'),
        ("3 -1", '"2"^^<xsd:integer>'),
        ("2 -1 * 3", '"-1"^^<xsd:integer>'),
        ("1 + 2 * 3 - 4", '"3"^^<xsd:integer>'),
        ("123456789012345678901234567890 + 1", '"123456789012345678901234567891"^^<xsd:integer>'),
        ("ABS(-2.5)", '"2.5"^^<xsd:decimal>'),
        ("CEIL(1.2)", '"2"^^<xsd:decimal>'),
        ("FLOOR(-1.2)", '"-2"^^<xsd:decimal>'),
        ("ROUND(2.5)", '"3"^^<xsd:decimal>'),
        ("ROUND(-2.5)", '"-2"^^<xsd:decimal>'),
        ("ROUND(1.5e0)", '"2.0E0"^^<xsd:double>'),
        ("STR(:a)", '"http://example/a"'),
        ('DATATYPE("a")', "<xsd:string>"),
        ("DATATYPE(1.5)", "<xsd:decimal>"),
        ('DATATYPE("a"@en)', "<http://www.w3.org/1999/02/22-rdf-syntax-ns#langString>"),
        ('IRI("http://example/b")', "<http://example/b>"),
        ('STRLANG("a", "en")', '"a"@en'),
        ('STRLANGDIR("a", "en", "ltr")', '"a"@en--ltr'),
        ('STRDT("1", xsd:integer)', '"1"^^<xsd:integer>'),
        ('CONCAT("a", "b", "c")', '"abc"'),
        ('CONCAT("a"@en, "b"@en)', '"ab"@en'),
        ('CONCAT("a"@en, "b")', '"ab"'),
        ("CONCAT()", '""'),
        ('SUBSTR("warfarin", 4)', '"farin"'),
        ('SUBSTR("warfarin"@en, 1, 3)', '"war"@en'),
        ('SUBSTR("abc", 0, 2)', '"a"'),
        ('STRLEN("abc"@en)', '"3"^^<xsd:integer>'),
        ('UCASE("straße")', '"STRASSE"'),
        ('LCASE("ABC"@en)', '"abc"@en'),
        ('STRBEFORE("abc", "b")', '"a"'),
        ('STRBEFORE("abc"@en, "z")', '""'),
        ('STRAFTER("abc", "")', '"abc"'),
        ('STRAFTER("abc"@en, "b")', '"c"@en'),
        ('ENCODE_FOR_URI("a b/ü")', '"a%20b%2F%C3%BC"'),
        ('REPLACE("abcabc", "b(c)", "[$1\\\\$]")', '"a[c$]a[c$]"'),
        ('YEAR("2020-05-06"^^xsd:date)', '"2020"^^<xsd:integer>'),
        ('MONTH("2020-05-06T07:08:09"^^xsd:dateTime)', '"5"^^<xsd:integer>'),
        ('DAY("2020-05-06T07:08:09"^^xsd:dateTime)', '"6"^^<xsd:integer>'),
        ('HOURS("07:08:09.5Z"^^xsd:time)', '"7"^^<xsd:integer>'),
        ('MINUTES("2020-05-06T07:08:09"^^xsd:dateTime)', '"8"^^<xsd:integer>'),
        ('SECONDS("2020-05-06T07:08:09.50"^^xsd:dateTime)', '"9.5"^^<xsd:decimal>'),
        ('TZ("2020-05-06T07:08:09-05:00"^^xsd:dateTime)', '"-05:00"'),
        ('TZ("2020-05-06"^^xsd:date)', '""'),
        ('TIMEZONE("2020-05-06T07:08:09-05:30"^^xsd:dateTime)', '"-PT5H30M"^^<xsd:dayTimeDuration>'),
        ('TIMEZONE("2020-05-06T07:08:09Z"^^xsd:dateTime)', '"PT0S"^^<xsd:dayTimeDuration>'),
        ("xsd:integer(2.9)", '"2"^^<xsd:integer>'),
        ("xsd:integer(-2.9e0)", '"-2"^^<xsd:integer>'),
        ("xsd:integer(10 * 1.60934)", '"16"^^<xsd:integer>'),
        ('xsd:decimal("1.50")', '"1.5"^^<xsd:decimal>'),
        ("xsd:decimal(1.5e0)", '"1.5"^^<xsd:decimal>'),
        ("xsd:double(true)", '"1.0E0"^^<xsd:double>'),
        ("xsd:boolean(0.0)", '"false"^^<xsd:boolean>'),
        ('xsd:boolean("1")', '"true"^^<xsd:boolean>'),
        ("xsd:string(:a)", '"http://example/a"'),
        ("xsd:byte(127)", '"127"^^<xsd:byte>'),
        ('xsd:dateTime("2020-05-06Z"^^xsd:date)', '"2020-05-06T00:00:00Z"^^<xsd:dateTime>'),
        ('xsd:date("2020-05-06T07:08:09Z"^^xsd:dateTime)', '"2020-05-06Z"^^<xsd:date>'),
    ],
)
def test_value(text: str, expected: str) -> None:
    assert value(text) == expected


def test_coalesce_and_bound_are_known_to_the_evaluator() -> None:
    missing, one = VariableRef(Variable("missing")), Constant(Literal(1))
    assert evaluate(Call("COALESCE", (missing, one)), {}) == Literal(1)
    assert not holds(Call("BOUND", (missing,)), {})
    with pytest.raises(ExpressionError):
        evaluate(Call("COALESCE", (missing,)), {})


def test_bnode_of_a_string_is_the_same_for_the_same_substitution() -> None:
    call = expression('BNODE("a")')
    assert evaluate(call, VALUES) == evaluate(call, dict(VALUES))
    assert evaluate(call, VALUES) != evaluate(call, {})
    assert evaluate(expression("BNODE()"), VALUES) != evaluate(expression("BNODE()"), VALUES)


@pytest.mark.parametrize(
    "text",
    [
        "isTRIPLE(<<( :a :b :c )>>)",
        "!isTRIPLE(:a)",
        "sameTerm(TRIPLE(:a, :b, ?iri), <<( :a :b ?iri )>>)",
        "SUBJECT(<<( :a :b <<( :c :d 1 )>> )>>) = :a",
        "PREDICATE(OBJECT(<<( :a :b <<( :c :d 1 )>> )>>)) = :d",
        "<<( :a :b 1 )>> = <<( :a :b 1.0 )>>",
        "!sameTerm(<<( :a :b 1 )>>, <<( :a :b 1.0 )>>)",
        "<<( :a :b 1 )>> != <<( :a :c 1 )>>",
    ],
)
def test_a_triple_term_has_parts_and_is_compared_by_them(text: str) -> None:
    assert holds(expression(text), VALUES)


@pytest.mark.parametrize("text", ["TRIPLE(1, :b, :c)", 'TRIPLE(:a, "b", :c)', "SUBJECT(:a)"])
def test_what_is_no_triple_term_is_an_error(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression(text), VALUES)


# What an expression may cost ------------------------------------------------------------------------------------------

DIGITS = "9" * 5_000


@pytest.mark.parametrize(
    "text",
    [
        '"1E999999999"^^xsd:decimal + 1',
        'xsd:decimal("1E999999999")',
        "xsd:integer(1e308) * xsd:integer(1e308) * xsd:integer(1e308) * xsd:integer(1e308) > 0",
        f'"{DIGITS}"^^xsd:integer = 1',
        f'"0.{DIGITS}"^^xsd:decimal = 1',
        '"999999999999-01-01"^^xsd:date = 1',
        '"P9999999999Y"^^xsd:duration = 1',
        f'REGEX("{"a" * 40}!", "(a+)+$")',
        f'REGEX("{"a" * 40}!", "(a|a)*$")',
        f'REGEX("{"a" * 40}!", "(a|aa)+$")',
        f'REGEX("{"a" * 40}!", "((a?){{40}})a{{40}}")',
        f'REGEX("{"a" * 40}!", "(a*)*b")',
        f'REGEX("{"a" * 3000}", "a*a*a*a*b")',
        f'REGEX("a", "{"a" * 2000}")',
        f'REPLACE("{"a" * 100}", "(.*)(.*)(.*)(.*)(.*)(.*)(.*)x", "")',
    ],
)
def test_what_could_take_long_is_an_error_at_once(text: str) -> None:
    asked = expression(text)
    begun = time.perf_counter()
    with pytest.raises(ExpressionError):
        evaluate(asked, VALUES)
    assert time.perf_counter() - begun < 0.5


@pytest.mark.parametrize(
    "pattern", [r"^\d{4}-\d{2}$", r"(cat|dog)s?", r"^[A-Z][a-z]+ [A-Z][a-z]+$", r".*warfarin.*", r"(ab)+", r"\w+\s*\("]
)
def test_everyday_patterns_are_allowed(pattern: str) -> None:
    escaped = pattern.replace("\\", "\\\\")
    evaluate(expression(f'REGEX("{"word " * 20}", "{escaped}")'), VALUES)


def test_an_unknown_function_or_refused_pattern_is_found_before_it_runs() -> None:
    def checked(text: str) -> None:
        rules = parse_rules(
            "PREFIX : <http://example/>\n"
            f"RULE :r {{ ?x :q ?x }} WHERE {{ ?x :p ?y NOT {{ ?x :z ?z FILTER({text}) }} FILTER({text}) }}",
            file="r.srl",
        )
        check_functions(rules.rules[0])

    checked('REGEX(STR(?y), "^a") || <http://www.w3.org/2001/XMLSchema#integer>(?y) = 1')
    with pytest.raises(UnsupportedRuleError, match=r"r\.srl:2.*a known function \(got http://example/f\), in rule 'r'"):
        checked("<http://example/f>(?y)")
    with pytest.raises(UnsupportedRuleError, match="repeats or chooses inside"):
        checked('REGEX(?y, "(a+)+")')
    with pytest.raises(UnsupportedRuleError, match=r"did you mean .*integer"):
        checked("<http://www.w3.org/2001/XMLSchema#intger>(?y) = 1")


# Laws -----------------------------------------------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(lambda n: Literal(str(n), datatype=XSD.integer, normalize=False)),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9).map(
        lambda d: Literal(f"{d:f}", datatype=XSD.decimal, normalize=False)
    ),
)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_numbers_are_totally_ordered(a: Literal, b: Literal, c: Literal) -> None:
    def sign(x: Literal, y: Literal) -> int:
        found = order(x, y)
        assert found is not None
        return found

    assert sign(a, b) == -sign(b, a)
    assert (sign(a, b) == 0) == equal(a, b)
    if sign(a, b) <= 0 and sign(b, c) <= 0:
        assert sign(a, c) <= 0


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_keeps_its_value_when_it_is_written(number: float) -> None:
    given_one = Literal(repr(number), datatype=XSD.double, normalize=False)
    assert equal(given_one, literal_of(number_of(given_one)))


@given(st.text(alphabet="ab|()*+?{}[]\\.^$-1,", max_size=12), st.text(alphabet="ab", max_size=30))
def test_any_pattern_gives_an_answer_or_an_error_soon(pattern: str, text: str) -> None:
    begun = time.perf_counter()
    with contextlib.suppress(ExpressionError):
        assert search(text, pattern) in (True, False)
    assert time.perf_counter() - begun < 2
