"""Triples as English, phrase templates, and denial."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, SKOS, XSD, Literal, Namespace, URIRef
from rdflib.term import Node

from kg.errors import DomainError, UnknownTermError
from kg.graph import KnowledgeGraph
from kg.verbalise import name, negate, relation_phrases, sentence, verbalise

MED = Namespace("https://example.org/med#")


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    return KnowledgeGraph.from_triples(
        [
            (MED.metabolisedBy, RDFS.label, Literal("is metabolised by")),
            (MED.metabolisedBy, SKOS.altLabel, Literal("{o} breaks down {s}")),
            (MED.metabolisedBy, SKOS.altLabel, Literal("the clearance of {s} depends on {o}")),
            (MED.broken, RDFS.label, Literal("{s} is broken")),
            (MED.twice, RDFS.label, Literal("{s} {s} {o}")),
            (MED.set, RDFS.label, Literal("is in {x}")),
            (MED.warfarin, RDFS.label, Literal("warfarin")),
            (MED.odd, RDFS.label, Literal("odd {o} name")),
            (MED.warfarin, RDF.type, MED.VitaminKAntagonist),
            (MED.VitaminKAntagonist, RDFS.label, Literal("vitamin K antagonist")),
            (MED.VitaminKAntagonist, RDFS.subClassOf, MED.Anticoagulant),
        ],
        prefixes={"med": str(MED)},
    )


@pytest.mark.parametrize(
    ("triple", "text"),
    [
        ((MED.warfarin, MED.metabolisedBy, MED.CYP2C9), "warfarin is metabolised by cyp2 c9"),
        ((MED.warfarin, RDF.type, MED.VitaminKAntagonist), "warfarin is a vitamin K antagonist"),
        ((MED.warfarin, RDF.type, MED.Anticoagulant), "warfarin is an anticoagulant"),
        (
            (MED.VitaminKAntagonist, RDFS.subClassOf, MED.Anticoagulant),
            "every vitamin K antagonist is an anticoagulant",
        ),
        ((MED.Anticoagulant, RDF.type, OWL.Class), "anticoagulant is a class"),
        ((MED.Anticoagulant, OWL.disjointWith, MED.Enzyme), "nothing is both an anticoagulant and an enzyme"),
        ((MED.warfarin, OWL.sameAs, MED.coumadin), "warfarin is the same as coumadin"),
        ((MED.warfarin, RDFS.label, Literal("warfarin")), "warfarin is called “warfarin”"),
        (
            (MED.warfarin, MED.maximumDailyDose, Literal("10.0", datatype=XSD.decimal)),
            "warfarin has maximum daily dose 10.0",
        ),
        ((MED.warfarin, MED.note, Literal("take care", lang="en")), "warfarin has note “take care”"),
        ((MED.warfarin, MED.isReversedBy, MED.vitaminK), "warfarin is reversed by vitamin k"),
        ((MED.warfarin, MED.reversedBy, MED.vitaminK), "warfarin is reversed by vitamin k"),
        ((MED.warfarin, MED.treats, MED.gout), "warfarin treats gout"),
        ((MED.warfarin, MED.interactsWith, MED.gout), "warfarin interacts with gout"),
        ((MED.warfarin, MED.hasRisk, MED.bleeding), "warfarin has risk bleeding"),
    ],
)
def test_a_triple_reads_as_a_clause(graph: KnowledgeGraph, triple: tuple[Node, Node, Node], text: str) -> None:
    assert verbalise(graph, triple) == text


def test_the_phrases_of_a_predicate_are_its_labels_as_templates(graph: KnowledgeGraph) -> None:
    assert relation_phrases(graph, "med:metabolisedBy") == (
        "{s} is metabolised by {o}",
        "{o} breaks down {s}",
        "the clearance of {s} depends on {o}",
    )


def test_a_predicate_without_label_has_one_phrase_made_from_its_name(graph: KnowledgeGraph) -> None:
    assert relation_phrases(graph, MED.contraindicatedIn) == ("{s} is contraindicated in {o}",)
    assert relation_phrases(graph, URIRef("https://x.org/y/")) == ("{s} has y {o}",)
    assert relation_phrases(graph, RDF.type) == ("{s} is a {o}",)


@pytest.mark.parametrize("predicate", [MED.broken, MED.twice])
def test_a_template_without_both_places_once_each_is_refused(graph: KnowledgeGraph, predicate: Node) -> None:
    with pytest.raises(DomainError, match=r"Expected \{s\} and \{o\} once each in the phrase of med:"):
        relation_phrases(graph, predicate)


def test_other_braces_are_plain_text(graph: KnowledgeGraph) -> None:
    assert verbalise(graph, (MED.warfarin, MED.set, MED.gout)) == "warfarin is in {x} gout"


def test_an_undeclared_prefix_is_named(graph: KnowledgeGraph) -> None:
    with pytest.raises(UnknownTermError):
        relation_phrases(graph, "nope:x")


def test_braces_in_a_label_are_not_filled_again(graph: KnowledgeGraph) -> None:
    assert verbalise(graph, (MED.odd, MED.treats, MED.gout)) == "odd {o} name treats gout"


def test_a_sentence_begins_with_a_capital_and_ends_with_a_stop(graph: KnowledgeGraph) -> None:
    triple = (MED.warfarin, MED.metabolisedBy, MED.enzyme)
    assert [sentence(graph, triple, phrase) for phrase in relation_phrases(graph, MED.metabolisedBy)] == [
        "Warfarin is metabolised by enzyme.",
        "Enzyme breaks down warfarin.",
        "The clearance of warfarin depends on enzyme.",
    ]


@pytest.mark.parametrize(
    ("label", "article"),
    [
        ("ACE inhibitor", "an"),
        ("SSRI", "an"),
        ("NSAID", "an"),
        ("NMDA antagonist", "an"),
        ("UTI", "a"),
        ("MAO-B inhibitor", "an"),
        ("PDE5 inhibitor", "a"),
        ("SGLT2 inhibitor", "an"),
        ("H2 antagonist", "an"),
        ("P2Y12 inhibitor", "a"),
        ("X-ray", "an"),
        ("Z-drug", "a"),
        ("5-HT3 antagonist", "a"),
        ("oestrogen", "an"),
        ("opioid", "an"),
        ("unit", "a"),
        ("ulcer", "an"),
        ("eukaryote", "a"),
        ("hour", "an"),
        ("hormone", "a"),
        ("mRNA vaccine", "an"),
        ("LABA", "a"),
        ("Anticoagulant", "an"),
        ("Type", "a"),
    ],
)
def test_the_article_fits_the_sound_that_follows(label: str, article: str) -> None:
    graph = KnowledgeGraph.from_triples([(MED.it, RDFS.label, Literal(label)), (MED.x, RDF.type, MED.it)])
    assert verbalise(graph, (MED.x, RDF.type, MED.it)) == f"x is {article} {label}"


def test_a_name_is_a_label_or_a_readable_literal(graph: KnowledgeGraph) -> None:
    values = [Literal("30", datatype=XSD.integer), Literal("a b"), Literal("true", datatype=XSD.boolean), MED.warfarin]
    assert [name(graph, value) for value in values] == ["30", "“a b”", "true", "warfarin"]


# Denial ----------------------------------------------------------------------------------------------------------

BOTH_WAYS = """
Warfarin treats gout. | Warfarin does not treat gout.
Warfarin is metabolised by CYP2C9. | Warfarin is not metabolised by CYP2C9.
ACE inhibitors cause cough. | ACE inhibitors do not cause cough.
Warfarin strongly inhibits CYP2C9. | Warfarin does not strongly inhibit CYP2C9.
Warfarin can cause bleeding. | Warfarin cannot cause bleeding.
Mrs Adler has gout. | Mrs Adler does not have gout.
Mrs Adler has been diagnosed with gout. | Mrs Adler has not been diagnosed with gout.
Warfarin carries a risk. | Warfarin does not carry a risk.
Patients with gout can be given warfarin. | Patients with gout cannot be given warfarin.
Doctors prescribe warfarin for gout. | Doctors do not prescribe warfarin for gout.
Levels of warfarin rise when aspirin is added. | Levels of warfarin do not rise when aspirin is added.
The use of warfarin depends on CYP2C9. | The use of warfarin does not depend on CYP2C9.
The daily limit for warfarin is 10 mg. | The daily limit for warfarin is not 10 mg.
Warfarin and aspirin interact. | Warfarin and aspirin do not interact.
A drug that raises bleeding risk interacts with it. | A drug that raises bleeding risk does not interact with it.
Warfarin is a class that must not be combined. | Warfarin is not a class that must not be combined.
Every statin is a drug. | Not every statin is a drug.
All statins are drugs. | Not all statins are drugs.
There is no penicillin in it. | There is penicillin in it.
The advice is: avoid it. | The advice is not: avoid it.
Warfarin frobs gout. | It is not the case that warfarin frobs gout.
CYP2C9 frobs gout. | It is not the case that CYP2C9 frobs gout.
No statin may be taken. | It is not the case that no statin may be taken.
Diuretics cause changes in it. | Diuretics do not cause changes in it.
Torsades de pointes belongs to it. | Torsades de pointes does not belong to it.
HIV reverse transcriptase blocks it. | HIV reverse transcriptase does not block it.
Substance use disorder is a disease. | Substance use disorder is not a disease.
{s} treats {o} | {s} does not treat {o}
the {o} of {s} rises | the {o} of {s} does not rise
""".strip().splitlines()


@pytest.mark.parametrize("line", BOTH_WAYS)
def test_denying_twice_gives_the_sentence_back(line: str) -> None:
    plain, denied = line.split(" | ")
    assert (negate(plain), negate(denied)) == (denied, plain)


@pytest.mark.parametrize(
    ("plain", "denied"),
    [
        ("Warfarin may cause bleeding.", "Warfarin cannot cause bleeding."),
        ("Warfarin must not be used in pregnancy.", "Warfarin may be used in pregnancy."),
        ("Warfarin should never be given to him.", "Warfarin may be given to him."),
        ("There is an interaction between them.", "There is no interaction between them."),
        ("Patients with heart block must avoid it.", "Patients with heart block need not avoid it."),
        ("Warfarin must be stopped.", "Warfarin need not be stopped."),
    ],
)
def test_modals_are_denied_by_meaning(plain: str, denied: str) -> None:
    assert negate(plain) == denied


@given(st.text(max_size=25))
def test_any_text_can_be_denied_and_changes(text: str) -> None:
    assert negate(text) != text
