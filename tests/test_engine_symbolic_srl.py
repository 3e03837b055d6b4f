"""SPARQL-RL text: what is read, how abbreviations are written out, what is refused and where, and the round trip."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import rdflib
from hypothesis import given
from hypothesis import strategies as st
from rdflib import RDF, XSD, BNode, Literal, Namespace, URIRef, Variable

from engine.symbolic import materialise
from engine.symbolic.rules import (
    Assignment,
    Atom,
    Call,
    Constant,
    Constraint,
    Expression,
    Filter,
    Location,
    Negation,
    Rule,
    RuleSet,
    Severity,
    TripleTerm,
    VariableRef,
)
from engine.symbolic.srl import DRAFT, load_rules, parse_rules, ruleset_text
from kg.errors import (
    LimitError,
    MissingFileError,
    RuleError,
    SyntaxInputError,
    UnsafeRuleError,
    UnsupportedRuleError,
)
from kg.graph import KnowledgeGraph
from kg.terms import Triple

EX = Namespace("http://example/")
PREFIX = "PREFIX : <http://example/>\n"
X, Y, Z = Variable("x"), Variable("y"), Variable("z")
SUITE = Path(__file__).parents[2] / "shared" / "suites" / "sparql-rl"
SH_RESULT = URIRef("http://www.w3.org/ns/shacl#ValidationResult")


def read(text: str) -> RuleSet:
    return parse_rules(PREFIX + text)


def body(text: str) -> tuple[object, ...]:
    (constraint,) = read(f"RULE {{}} WHERE {{ {text} }}").constraints
    return constraint.body


def head(text: str) -> tuple[Atom, ...]:
    (rule,) = read(f"RULE {{ {text} }} WHERE {{ ?x ?y ?z }}").rules
    return rule.head


# Rules ----------------------------------------------------------------------------------------------------------------


def test_a_rule_has_its_name_place_head_and_body_in_order() -> None:
    (rule,) = parse_rules(
        PREFIX + "\nRULE :r { ?x a :C }\nWHERE { ?x :p ?y . FILTER(?y > 1) NOT DATA { ?x :q ?z } SET(?u := ?y + 1) }",
        file="a.srl",
    ).rules
    assert rule == Rule(
        EX.r,
        (Atom(X, RDF.type, EX.C),),
        (
            Atom(X, EX.p, Y),
            Filter(Call(">", (VariableRef(Y), Constant(Literal("1", datatype=XSD.integer))))),
            Negation((Atom(X, EX.q, Z),), data=True),
            Assignment(Variable("u"), Call("+", (VariableRef(Y), Constant(Literal("1", datatype=XSD.integer))))),
        ),
    )
    assert rule.location == Location("a.srl", 3, 1)


def test_where_data_marks_the_rule() -> None:
    (rule,) = read("RULE { ?x :q ?y } WHERE DATA { ?x :p ?y }").rules
    assert (rule.data, rule.iri) == (True, None)


def test_keywords_are_read_in_any_case_and_a_comment_is_skipped() -> None:
    assert read("rule { ?x :b 1 } # no\nWhere{?x :p ?y}") == read("RULE { ?x :b 1 } WHERE { ?x :p ?y }")


def test_an_empty_head_is_a_constraint() -> None:
    (constraint,) = read("RULE :c { } WHERE { ?x :p ?x }").constraints
    assert constraint == Constraint(EX.c, (), (Atom(X, EX.p, X),))


def test_a_head_that_describes_a_violation_is_a_constraint() -> None:
    (constraint,) = parse_rules(
        PREFIX
        + """PREFIX sh: <http://www.w3.org/ns/shacl#>
        RULE :c { [] a sh:ValidationResult ; sh:resultSeverity sh:Warning ; sh:resultMessage "{?x} is odd" }
        WHERE { ?x :p ?x }"""
    ).constraints
    assert constraint == Constraint(EX.c, (), (Atom(X, EX.p, X),), severity=Severity.WARNING, message="{?x} is odd")


@pytest.mark.parametrize(
    "head",
    [
        "[] a sh:ValidationResult ; :q 1",
        "[] a sh:ValidationResult . ?x :q 1",
        "?x a sh:ValidationResult",
        "[] a sh:ValidationResult ; sh:resultSeverity :bad",
        "[] a sh:ValidationResult ; sh:resultMessage :text",
    ],
)
def test_a_violation_with_anything_else_is_refused(head: str) -> None:
    with pytest.raises(SyntaxInputError, match="<text>:3:1: Expected"):
        parse_rules(f"{PREFIX}PREFIX sh: <http://www.w3.org/ns/shacl#>\nRULE {{ {head} }} WHERE {{ ?x :p ?x }}")


def test_comment_and_source_in_data_belong_to_the_rule_and_not_to_the_graph() -> None:
    rules = parse_rules(
        PREFIX
        + """PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> PREFIX dct: <http://purl.org/dc/terms/>
        DATA { :r rdfs:comment "Why." ; dct:source <http://example/book> ; rdfs:label "kept" . :a rdfs:comment "kept" }
        RULE :r { ?x :q ?y } WHERE { ?x :p ?y }"""
    )
    assert (rules["http://example/r"].comment, rules["http://example/r"].source) == ("Why.", "http://example/book")
    assert [triple.subject for triple in rules.data] == [EX.r, EX.a]


def test_data_prefixes_and_imports_are_kept() -> None:
    rules = parse_rules(
        "BASE <http://example/x/> PREFIX p: <../p#> VERSION '1.2' IMPORTS <other.srl> DATA { <a> p:q 1, true . }"
    )
    assert rules == RuleSet(
        data=(
            Triple(URIRef("http://example/x/a"), URIRef("http://example/p#q"), Literal("1", datatype=XSD.integer)),
            Triple(URIRef("http://example/x/a"), URIRef("http://example/p#q"), Literal("true", datatype=XSD.boolean)),
        ),
        prefixes={"p": "http://example/p#"},
        imports=("http://example/x/other.srl",),
    )


def test_a_later_prefix_holds_from_there_on() -> None:
    rules = parse_rules("PREFIX : <http://a/> DATA { :s :s :s } PREFIX : <http://b/> DATA { :s :s :s }")
    assert [str(triple.subject) for triple in rules.data] == ["http://a/s", "http://b/s"]


# Terms and abbreviations ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("-12", Literal("-12", datatype=XSD.integer)),
        ("01", Literal("01", datatype=XSD.integer, normalize=False)),
        ("+.5", Literal("+.5", datatype=XSD.decimal, normalize=False)),
        ("1.e3", Literal("1.e3", datatype=XSD.double, normalize=False)),
        ("'it\\'s'", Literal("it's")),
        ('"a\\t\\u00e9\\U0001F600\\\\"', Literal("a\té😀\\")),
        ('"""two\n"lines" """', Literal('two\n"lines" ')),
        ("'''a''b'''", Literal("a''b")),
        ('"a"@en-GB', Literal("a", lang="en-GB")),
        ('"a"^^<http://www.w3.org/2001/XMLSchema#string>', Literal("a")),
        ('"a"^^:type', Literal("a", datatype=EX.type)),
        (":a.b", EX["a.b"]),
        (":a\\,b%20", EX["a,b%20"]),
        (":", URIRef("http://example/")),
        ("<http://example/\\u00e9>", URIRef("http://example/é")),
        ("()", RDF.nil),
        ("_:n", BNode("n")),
    ],
)
def test_a_term(text: str, term: rdflib.term.Node) -> None:
    assert head(f"?x :p {text}") == (Atom(X, EX.p, term),)


def test_a_direction_is_kept_with_the_language() -> None:
    (atom,) = head('?x :p "a"@en--rtl')
    assert isinstance(atom.object, Literal)
    assert atom.object.n3() == '"a"@en--rtl'


def test_lists_of_objects_and_properties_are_written_out() -> None:
    assert head("?x :p 1, 2 ; a :C ;") == (
        Atom(X, EX.p, Literal("1", datatype=XSD.integer)),
        Atom(X, EX.p, Literal("2", datatype=XSD.integer)),
        Atom(X, RDF.type, EX.C),
    )


def test_a_blank_node_of_a_body_is_a_variable_and_of_a_head_a_new_node() -> None:
    assert body("_:a :p [ :q _:a ] NOT { _:a :r [] }") == (
        Atom(Variable("_a"), EX.p, Variable("_b1")),
        Atom(Variable("_b1"), EX.q, Variable("_a")),
        Negation((Atom(Variable("_a"), EX.r, Variable("_b2")),)),
    )
    assert head("[ :p ?x ] :q []") == (Atom(BNode("b1"), EX.p, X), Atom(BNode("b1"), EX.q, BNode("b2")))


def test_the_variable_of_a_blank_node_is_no_variable_of_the_text() -> None:
    (atom,) = body("?_a :p _:a")
    assert atom == Atom(Variable("_a"), EX.p, Variable("_a_"))


def test_a_path_is_a_chain_of_properties() -> None:
    assert body("?x :p/^:q/a ?y") == (
        Atom(X, EX.p, Variable("_b1")),
        Atom(Variable("_b2"), EX.q, Variable("_b1")),
        Atom(Variable("_b2"), RDF.type, Y),
    )
    assert body("?x ^(:p/^:q) ?y") == (
        Atom(X, EX.q, Variable("_b1")),
        Atom(Y, EX.p, Variable("_b1")),
    )
    assert body("?x ^:p ?y") == (Atom(Y, EX.p, X),)
    assert body("?x ^(^:p) ?y") == (Atom(X, EX.p, Y),)


def test_a_collection_is_a_chain_of_cells() -> None:
    first, second = Variable("_b1"), Variable("_b2")
    assert body("?x :p (?y :a)") == (
        Atom(X, EX.p, first),
        Atom(first, RDF.first, Y),
        Atom(first, RDF.rest, second),
        Atom(second, RDF.first, EX.a),
        Atom(second, RDF.rest, RDF.nil),
    )


def test_an_annotation_speaks_of_the_reifier_before_it_or_of_a_new_one() -> None:
    reifies, stated = URIRef(str(RDF) + "reifies"), TripleTerm(X, EX.p, Y)
    assert body("?x :p ?y ~:r {| :q :z |} {| :q :u |}") == (
        Atom(X, EX.p, Y),
        Atom(EX.r, reifies, stated),
        Atom(EX.r, EX.q, EX.z),
        Atom(Variable("_b1"), reifies, stated),
        Atom(Variable("_b1"), EX.q, EX.u),
    )
    assert body("<< ?x :p ?y ~:r >> :q :z") == (Atom(EX.r, reifies, stated), Atom(EX.r, EX.q, EX.z))


def test_operators_bind_as_in_sparql() -> None:
    (_, condition) = body("?x :p ?y FILTER(?x = 1 + 2 * 3 || !?y && ?x IN (1, 2) || ?x NOT IN ())")
    assert str(condition) == (
        'FILTER(((?x = ("1"^^<X> + ("2"^^<X> * "3"^^<X>))) || ((!?y) && (?x IN ("1"^^<X>, "2"^^<X>))) || '
        "(?x NOT IN ())))".replace("<X>", f"<{XSD.integer}>")
    )
    (_, minus) = body("?x :p ?y FILTER(?x - 1 -1 * ?y)")
    assert str(minus).replace(f"^^<{XSD.integer}>", "") == 'FILTER(((?x - "1") + ("-1" * ?y)))'


def test_function_names_are_read_in_any_case() -> None:
    (_, condition) = body("?x :p ?y FILTER isiri(?x)")
    assert condition == Filter(Call("isIRI", (VariableRef(X),)))
    (_, called) = body("?x :p ?y FILTER :f(?x, 1)")
    assert called == Filter(Call(str(EX.f), (VariableRef(X), Constant(Literal("1", datatype=XSD.integer)))))


# Errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("RULE { ?x :p ?y }", "2:18: Expected 'WHERE' (got the end of the text)"),
        ("RULE { ?x :p ?y } WHERE\n{ ?x :p }", "3:9: Expected (), a reified triple, a term"),
        ("RULE { ?x :p ?y } WHERE { ?x :p ?y FILTER ?x }", "Expected a function, an IRI or '(' (got '?x')"),
        ("RULE { ?x :p ?y } WHERE { ?x :p ?y FILTER(?x > ) }", "an expression"),
        ("RULE { ?x :p ?y } WHERE { ?x :p ?y SET(?z = 1) }", "2:43: Expected ':=' (got '=')"),
        ("RULE { ?x :p ?y } WHERE { ?x :p 'open }", "(got ''open')"),
        ("RULE { ?x zz:p ?y } WHERE { ?x :p ?y }", "2:11: Expected a declared prefix (got 'zz:')"),
        ("PREFIX med: <http://m/> DATA { me:a :p 1 }", "did you mean 'med:'?"),
        ("DATA { <a> :p 1 }", "2:8: Expected an absolute IRI, or a BASE declaration before it (got <a>)"),
        ("DATA { <http://a/\\u0020b> :p 1 }", "Expected an IRI without spaces or quotes"),
        ('DATA { :a :p "\\uD800" }', "Expected the code of a character"),
        ('DATA { :a :p "\\q" }', "2:14: Expected"),
        ("DATA { :a :p ?x }", "2:14: Expected no variable in DATA (got ?x)"),
        ("DATA { :a :p/:q :b }", "Expected a property, not a path, in DATA"),
        ("RULE { ?x :p/:q ?y } WHERE { ?x :p ?y }", "Expected a property, not a path, in the head of a rule"),
        ("RULE { ?x ^:p ?y } WHERE { ?x :p ?y }", "Expected a property, not a path, in the head of a rule"),
        ("RULE { } WHERE { ?x :p/:q ?y {| :r 1 |} }", "Expected a single property before an annotation"),
        ("RULE { } WHERE { ?x :p ?y FILTER(STRLE(?x)) }", "a function of SPARQL-RL (got STRLE); did you mean STRLEN?"),
        ("RULE { } WHERE { ?x :p ?y FILTER(STRLEN(?x, 1)) }", "Expected 1 arguments of STRLEN (got 2)"),
        ("RULE { } WHERE { ?x :p ?y FILTER(IF(?x, 1)) }", "Expected 3 arguments of IF (got 2)"),
        ("IF { } THEN { }", "Expected the end of the text, 'BASE', 'DATA', 'IMPORTS', 'PREFIX', 'RULE' or 'VERSION'"),
        ("RULE { } WHERE { ?x :p ?y FILTER(" + "!(" * 150 + "?x" + ")" * 150 + ") }", "nested at most 100 deep"),
        ("DATA { :a :p " + "<<( :a :p " * 150 + ":a" + " )>>" * 150 + " }", "nested at most 100 deep"),
        ("RULE { } WHERE { ?x :p ?y FILTER(isTRIPLE(<<( _:b :p :a )>>)) }", "Expected IRIs, literals and variables"),
    ],
)
def test_a_syntax_error_says_where_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(SyntaxInputError) as error:
        parse_rules(PREFIX + text, file="r.srl")
    assert message in str(error.value)
    assert (error.value.file, (error.value.line or 0) >= 2, (error.value.column or 0) >= 1) == ("r.srl", True, True)


@pytest.mark.parametrize(
    ("text", "variable"),
    [
        ("RULE :r { ?x :q ?z } WHERE { ?x :p ?y }", "?z"),
        ("RULE :r { ?x :q ?y } WHERE { FILTER(?y > 1) ?x :p ?y }", "?y"),
        ("RULE :r { ?x :q ?z } WHERE { ?x :p ?y NOT { ?x :q ?z } }", "?z"),
        ("RULE :r { ?x :q ?y } WHERE { ?x :p ?y SET(?y := 1) }", "?y"),
        ("RULE :r { ?x :q ?y } WHERE { ?x :p ?y SET(?z := ?u) }", "?u"),
    ],
)
def test_an_unsafe_rule_is_refused_with_its_name_and_place(text: str, variable: str) -> None:
    with pytest.raises(UnsafeRuleError) as error:
        parse_rules(PREFIX + text, file="r.srl")
    assert "in rule 'r'" in str(error.value)
    assert f"(got {variable}" in str(error.value)
    assert (error.value.file, error.value.line) == ("r.srl", 2)


@given(st.text(alphabet="RULEWHERDATNOTSFI{}()[]<>?x:p.;,|~^!=&\"'@1 #\n\\", max_size=60))
def test_any_text_is_read_or_refused_with_an_error_of_ours(text: str) -> None:
    with contextlib.suppress(SyntaxInputError, UnsafeRuleError):
        rules = parse_rules(PREFIX + text)
        assert parse_rules(ruleset_text(rules)) == rules


def test_a_deep_text_is_read_or_refused_without_running_out_of_stack() -> None:
    nested = "[ :p " * 2000 + "1" + " ]" * 2000
    assert len(parse_rules(f"{PREFIX}DATA {{ {nested} }}").data) == 2000
    with pytest.raises(SyntaxInputError):
        parse_rules(PREFIX + "RULE {} WHERE { ?x :p ?y FILTER(" + "(" * 5000 + " }")


def test_ten_thousand_triples_are_read() -> None:
    text = PREFIX + "DATA { " + " ".join(f":a :p {n} ." for n in range(10_000)) + " }"
    assert len(parse_rules(text).data) == 10_000


# What a graph holds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", ['"a" :p :b', "<<( :a :b :c )>> :p :b", ":a :p <<( 1 :b :c )>>", "<< << :a :b 1 >> :b 1 >> . 1 :p 1"]
)
def test_data_that_no_graph_holds_is_refused_when_it_is_used(data: str) -> None:
    with pytest.raises(UnsupportedRuleError, match="Expected in DATA triples that a graph can hold"):
        materialise(KnowledgeGraph.from_rdflib(rdflib.Graph()), read(f"DATA {{ {data} }}"), entailment="none")


def test_a_literal_with_a_direction_goes_through_a_graph_unchanged() -> None:
    rules = read('DATA { :a :p "x"@en--rtl } RULE { ?x :q ?y } WHERE { ?x :p ?y }')
    closure = materialise(KnowledgeGraph.from_rdflib(rdflib.Graph()), rules, entailment="none")
    assert [triple.object.n3() for triple in closure.graph.triples(predicate=EX.q)] == ['"x"@en--rtl']


# Files ----------------------------------------------------------------------------------------------------------------


def test_files_and_what_they_import_are_one_rule_set(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "a.srl").write_text(PREFIX + "IMPORTS <more/b.srl>\nRULE :a { ?x :q ?y } WHERE { ?x :p ?y }")
    (tmp_path / "more" / "b.srl").write_text(PREFIX + "IMPORTS <../a.srl>\nRULE :b { ?x :p ?y } WHERE { ?x :q ?y }")
    rules = load_rules(tmp_path / "a.srl", root=tmp_path)
    assert [rule.name for rule in rules] == ["a", "b"]
    assert str(rules["http://example/b"].location) == "more/b.srl:3"
    assert rules.imports == ()
    assert len(load_rules([tmp_path / "a.srl", str(tmp_path / "more" / "b.srl")], root=tmp_path)) == 2


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("<../secret.srl>", "inside"),
        ("<file:///etc/passwd>", "inside"),
        ("<http://example/r.srl>", "nothing is fetched"),
        ("<file://host/r.srl>", "nothing is fetched"),
        ("<%2e%2e/secret.srl>", "inside"),
    ],
)
def test_an_import_from_outside_the_folder_is_refused(tmp_path: Path, target: str, message: str) -> None:
    folder = tmp_path / "domain"
    folder.mkdir()
    (tmp_path / "secret.srl").write_text("")
    (folder / "a.srl").write_text(f"IMPORTS {target}")
    with pytest.raises(RuleError, match=message):
        load_rules(folder / "a.srl")


def test_an_import_through_a_link_to_the_outside_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "domain"
    folder.mkdir()
    (tmp_path / "secret.srl").write_text("")
    (folder / "link.srl").symlink_to(tmp_path / "secret.srl")
    (folder / "a.srl").write_text("IMPORTS <link.srl>")
    with pytest.raises(RuleError, match="inside domain/"):
        load_rules(folder / "a.srl")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingFileError, match=r"no\.srl"):
        load_rules(tmp_path / "no.srl")
    with pytest.raises(MissingFileError, match="Is a directory"):
        load_rules(tmp_path)
    (tmp_path / "latin.srl").write_bytes(b"\n# \xe9\n")
    with pytest.raises(SyntaxInputError, match=r"latin\.srl:2: Expected UTF-8"):
        load_rules(tmp_path / "latin.srl")
    (tmp_path / "bom.srl").write_bytes(b"\xef\xbb\xbf" + PREFIX.encode() + b"DATA { :a :b :c }")
    assert len(load_rules(tmp_path / "bom.srl").data) == 1
    (tmp_path / "call.srl").write_text(PREFIX + "RULE { ?x :q 1 } WHERE { ?x :p ?y FILTER(:f(?y)) }")
    with pytest.raises(UnsupportedRuleError, match="a known function"):
        load_rules(tmp_path / "call.srl")
    monkeypatch.setattr("engine.symbolic.srl.MAX_BYTES", 10)
    with pytest.raises(LimitError, match=r"bom\.srl"):
        load_rules(tmp_path / "bom.srl")
    with pytest.raises(LimitError, match="<text>"):
        parse_rules(PREFIX)


# Printing -------------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from([EX.a, EX["b-c"], EX["d.e."], URIRef("http://other/x#y"), RDF.type, URIRef("urn:x")])
VARIABLES = st.sampled_from([X, Y, Z])
LITERALS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(Literal),
    st.tuples(st.text("a\"'\\\n", max_size=4), st.sampled_from(["en", "de-AT"])).map(
        lambda p: Literal(p[0], lang=p[1])
    ),
    st.tuples(
        st.sampled_from(["1", "-1", "1.5", ".5e3", "true", "x", "", "+0"]),
        st.sampled_from([XSD.integer, XSD.decimal, XSD.double, XSD.boolean, EX.type]),
    ).map(lambda p: Literal(p[0], datatype=p[1], normalize=False)),
)
TERMS = st.one_of(NAMES, VARIABLES, LITERALS)
TRIPLE_TERMS = st.recursive(
    st.builds(TripleTerm, TERMS, st.one_of(NAMES, VARIABLES), TERMS),
    lambda inner: st.builds(TripleTerm, st.one_of(TERMS, inner), st.one_of(NAMES, VARIABLES), inner),
    max_leaves=3,
)
ATOMS = st.builds(
    Atom, st.one_of(TERMS, TRIPLE_TERMS), st.one_of(NAMES, VARIABLES), st.one_of(TERMS, TRIPLE_TERMS, st.just(RDF.nil))
)
NODES = st.sampled_from([BNode("m"), BNode("n")])
HEAD_ATOMS = st.one_of(
    ATOMS,
    st.builds(Atom, NODES, NAMES, st.one_of(TERMS, NODES)),
    st.builds(Atom, NAMES, NAMES, st.builds(TripleTerm, NODES, NAMES, NODES)),
)


def _fits_expression(term: TripleTerm) -> bool:
    """Whether an expression may have the triple term: the draft nests one in the object alone."""
    inner = term.object
    return not isinstance(term.subject, TripleTerm) and (not isinstance(inner, TripleTerm) or _fits_expression(inner))


EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    st.one_of(
        VARIABLES.map(VariableRef),
        NAMES.map(Constant),
        LITERALS.map(Constant),
        st.builds(TripleTerm, TERMS, NAMES, TRIPLE_TERMS).filter(_fits_expression).map(Constant),
    ),
    lambda inner: st.one_of(
        st.builds(Call, st.sampled_from(["+", "-", "*", "/", "=", "!=", "<", "&&", "||"]), st.tuples(inner, inner)),
        st.builds(Call, st.sampled_from(["!", "-", "+", "STR", "isIRI", "http://f/g"]), st.tuples(inner)),
        st.builds(Call, st.sampled_from(["IN", "NOT IN"]), st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
BOUND = (Atom(X, Y, Z),)
ELEMENTS = st.one_of(
    ATOMS,
    st.builds(Filter, EXPRESSIONS),
    st.builds(
        Negation, st.lists(st.one_of(ATOMS, st.builds(Filter, EXPRESSIONS)), max_size=3).map(tuple), st.booleans()
    ),
)
RULES = st.builds(
    Rule,
    st.one_of(st.none(), NAMES),
    st.lists(HEAD_ATOMS, min_size=1, max_size=3).map(tuple),
    st.builds(
        lambda elements, given: (*BOUND, *elements, *(Assignment(Variable(f"v{i}"), e) for i, e in enumerate(given))),
        st.lists(ELEMENTS, max_size=3),
        st.lists(EXPRESSIONS, max_size=2),
    ),
    st.booleans(),
)
DATA = st.builds(
    Triple,
    st.one_of(NAMES, NODES),
    NAMES,
    st.one_of(NAMES, NODES, LITERALS, st.builds(TripleTerm, NODES, NAMES, LITERALS)),
)
CONSTRAINTS = st.builds(
    Constraint,
    st.one_of(st.none(), NAMES),
    st.just(()),
    st.lists(ELEMENTS, max_size=3).map(lambda elements: (*BOUND, *elements)),
    st.booleans(),
    severity=st.sampled_from(Severity),
    message=st.text('ab{?x}"\\\n', max_size=6),
)


@given(st.lists(RULES, max_size=2), st.lists(CONSTRAINTS, max_size=2), st.lists(DATA, max_size=2, unique=True))
def test_what_is_printed_reads_back_the_same(
    rules: list[Rule], constraints: list[Constraint], data: list[Triple]
) -> None:
    rules = [rule for rule in rules if all(a.object != SH_RESULT for a in rule.head)]
    given_set = RuleSet(
        tuple(rules), tuple(constraints), tuple(data), {"": str(EX), "x": "http://www.w3.org/2001/XMLSchema#"}
    )
    assert parse_rules(ruleset_text(given_set)) == given_set


def test_comments_sources_data_and_imports_are_printed() -> None:
    rules = RuleSet(
        (Rule(EX.r, (Atom(X, EX.q, BNode("n")),), (Atom(X, EX.p, Y),), comment='Say "why".\nTwice.', source="Book"),),
        (),
        (Triple(BNode("m"), EX.p, TripleTerm(EX.a, EX.p, Literal("x"))),),
        {"ex": str(EX)},
        ("http://example/other.srl",),
    )
    assert ruleset_text(rules) == (
        "PREFIX ex: <http://example/>\n"
        "IMPORTS <http://example/other.srl>\n"
        "\n"
        "RULE ex:r { ?x ex:q _:n }\n"
        "WHERE {\n"
        "    ?x ex:p ?y .\n"
        "}\n"
        "\n"
        'DATA { ex:r <http://www.w3.org/2000/01/rdf-schema#comment> "Say \\"why\\".\\nTwice." ; '
        '<http://purl.org/dc/terms/source> "Book" }\n'
        "\n"
        "DATA {\n"
        '    _:m ex:p <<( ex:a ex:p "x" )>> .\n'
        "}\n"
    )
    assert parse_rules(ruleset_text(rules)) == rules


# The suite of the draft -----------------------------------------------------------------------------------------------


def test_the_draft_is_named_with_its_date() -> None:
    assert DRAFT == "SPARQL 1.2 RL, W3C editor's draft, August 2026"


TEXTS = sorted(SUITE.glob("*/*.srl"))


@pytest.mark.skipif(not SUITE.exists(), reason="the draft's test suite is not beside this checkout")
def test_every_text_of_the_suite_that_is_read_prints_and_reads_back_the_same() -> None:
    read_back = 0
    for path in TEXTS:
        try:
            rules = parse_rules(path.read_text("utf-8"), base=path.as_uri(), check=False)
        except SyntaxInputError:
            continue
        assert parse_rules(ruleset_text(rules), check=False) == rules, path.name
        read_back += 1
    assert read_back >= 110
