"""Linking: what links, what must never link, what stays ambiguous, what is reported as unlinked."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from rdflib import OWL, RDF, RDFS, SKOS, Literal, Namespace, URIRef
from rdflib.term import Node

from kg.columns import Columns
from kg.dictionary import Dictionary
from kg.errors import ConfigError
from kg.graph import KnowledgeGraph
from kg.linking import LabelIndex, LinkSettings
from kg.normalise import stem, words
from kg.spelling import Spelling, edit_cost

MED = Namespace("https://example.org/med#")


def labelled(*names: tuple[str, ...]) -> list[tuple[Node, Node, Node]]:
    """A drug for each tuple: local name, label, further labels."""
    triples: list[tuple[Node, Node, Node]] = []
    for local, *labels in names:
        triples.append((MED[local], RDF.type, MED.Drug))
        for at, label in enumerate(labels):
            triples.append((MED[local], RDFS.label if at == 0 else SKOS.altLabel, Literal(label)))
    return triples


def index(*names: tuple[str, ...], **settings: object) -> LabelIndex:
    return LabelIndex(KnowledgeGraph.from_triples(labelled(*names)), settings=settings)


def linked(found: LabelIndex, mention: str) -> list[str]:
    return [str(candidate.term).removeprefix(str(MED)) for candidate in found.link(mention)]


def spans(found: LabelIndex, text: str) -> list[tuple[str, str | None]]:
    """Each mention's text and the local name of its term, None where it is ambiguous."""
    return [(m.text, None if m.term is None else str(m.term).removeprefix(str(MED))) for m in found.mentions(text)]


# Exact and normalised ---------------------------------------------------------------------------------------------


def test_an_exact_label_scores_one_and_another_form_of_it_less() -> None:
    found = index(("warfarin", "warfarin", "Coumadin"))
    assert [(c.label, c.score, c.method) for c in found.link("Coumadin")] == [("Coumadin", 1.0, "exact")]
    assert [(c.label, c.score, c.method) for c in found.link("COUMADIN")] == [("Coumadin", 0.99, "normalised")]
    assert [(c.label, c.score, c.method) for c in found.link("warfarins")] == [("warfarin", 0.97, "normalised")]


def test_a_candidate_knows_its_term_and_its_id() -> None:
    found = index(("warfarin", "warfarin"))
    (candidate,) = found.link("warfarin")
    assert candidate.term == MED.warfarin
    assert candidate.id == found.graph.id(MED.warfarin)


@pytest.mark.parametrize(
    ("label", "mention"),
    [
        ("beta-blocker", "β-blockers"),
        ("beta-blocker", "betablocker"),
        ("beta-blocker", "Beta Blocker"),
        ("Crohn's disease", "Crohn’s disease"),
        ("Crohn's disease", "crohns disease"),
        ("Crohn's disease", "Crohn disease"),
        ("Sjögren syndrome", "Sjogren's syndrome"),
        ("oestrogen", "estrogens"),
        ("haemorrhage", "hemorrhage"),
        ("iron-deficiency anaemia", "iron deficiency anemia"),
        ("sulfasalazine", "sulphasalazine"),
        ("amfetamine", "amphetamine"),
        ("cefalexin", "cephalexin"),
        ("oesophageal tumour", "esophageal tumors"),
        ("diarrhoea", "diarrhea"),
        ("neoplasm metastasis", "neoplasm metastases"),
        ("atrial fibrillation", "atrial ﬁbrillation"),
        ("warfarin", "war\u00adfarin"),
        ("warfarin", "ｗａｒｆａｒｉｎ"),
        ("TNF-alpha", "TNFα"),
        ("CYP2C9", "CYP 2C9"),
        ("vitamin B12", "vitamin B 12"),
        ("type 2 diabetes", "type II diabetes"),
        ("diabetes mellitus, type 2", "type 2 diabetes mellitus"),
        ("SSRI", "SSRIs"),
        ("St John's wort", "St. John's Wort"),
    ],
)
def test_the_same_name_in_another_form_links(label: str, mention: str) -> None:
    found = index(("this", label), ("other", "something else"))
    assert [(m.text, m.term, m.candidates[0].method) for m in found.mentions(f"We saw {mention} there.")] == [
        (mention, MED.this, "normalised")
    ]


def test_an_article_before_the_name_does_not_keep_it_from_linking() -> None:
    assert linked(index(("warfarin", "warfarin")), "the warfarin") == ["warfarin"]


def test_a_term_without_label_links_by_the_words_of_its_local_name() -> None:
    found = index(("isosorbideMononitrate",), ("HeartFailure",), ("CYP2C9",))
    assert linked(found, "isosorbide mononitrate") == ["isosorbideMononitrate"]
    assert linked(found, "Heart failure") == ["HeartFailure"]
    assert linked(found, "CYP2C9") == ["CYP2C9"]


def test_a_hidden_label_links() -> None:
    graph = KnowledgeGraph.from_triples(
        [*labelled(("warfarin", "warfarin")), (MED.warfarin, SKOS.hiddenLabel, Literal("rat poison"))]
    )
    assert linked(LabelIndex(graph), "rat poison") == ["warfarin"]


def test_the_same_label_on_two_terms_gives_both_with_equal_scores_and_is_ambiguous() -> None:
    found = index(("commonCold", "cold"), ("coldTemperature", "cold"))
    (mention,) = found.mentions("A cold.")
    assert [(c.term, c.score) for c in mention.candidates] == [(MED.commonCold, 1.0), (MED.coldTemperature, 1.0)]
    assert mention.ambiguous
    assert mention.term is None


def test_classes_link_and_predicates_and_vocabulary_do_not() -> None:
    triples: list[tuple[Node, Node, Node]] = [
        (MED.Anticoagulant, RDF.type, OWL.Class),
        (MED.Anticoagulant, RDFS.label, Literal("anticoagulant")),
        (MED.VitaminKAntagonist, RDFS.subClassOf, MED.Anticoagulant),
        (MED.warfarin, RDF.type, MED.VitaminKAntagonist),
        (MED.treats, RDF.type, OWL.ObjectProperty),
        (MED.treats, RDFS.label, Literal("treats")),
        (MED.actsOn, RDFS.label, Literal("acts on")),
        (MED.warfarin, MED.actsOn, MED.VKORC1),
        (URIRef("https://example.org/med"), RDF.type, OWL.Ontology),
        (URIRef("https://example.org/med"), RDFS.label, Literal("medicine")),
    ]
    found = LabelIndex(KnowledgeGraph.from_triples(triples))
    assert linked(found, "anticoagulants") == ["Anticoagulant"]
    assert linked(found, "vitamin K antagonist") == ["VitaminKAntagonist"]
    assert linked(found, "VKORC1") == ["VKORC1"]
    assert [linked(found, name) for name in ("treats", "acts on", "class", "medicine", "ontology")] == [
        [],
        [],
        [],
        [],
        [],
    ]


# What must not link ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("ALL", "Give it to all patients."),
        ("AIDS", "Aspirin aids recovery."),
        ("AS", "Used as a cure."),
        ("ASA", "Used as a cure."),
        ("IT", "It works."),
        ("vitamin B12", "Vitamin B1 2 mg."),
        ("CYP2C19", "CYP2C9 breaks it down."),
        ("type 1 diabetes", "Type 2 diabetes is common."),
        ("10", "Take 10 mg."),
        ("a", "Take a tablet."),
        ("insulin", "This is an insult."),
        ("heart failure", "The heart. Failure followed."),
    ],
)
def test_an_ordinary_word_or_another_number_does_not_link(label: str, text: str) -> None:
    assert index(("this", label)).mentions(text) == ()


def test_an_acronym_links_where_it_is_written_as_one() -> None:
    found = index(("leukaemia", "acute lymphoblastic leukaemia", "ALL"), ("copd", "COPD"))
    assert spans(found, "ALL and copd") == [("ALL", "leukaemia"), ("copd", "copd")]


LOOK_ALIKES = [
    "hydroxyzine hydralazine",
    "prednisone prednisolone",
    "chlorpromazine chlorpropamide",
    "quinine quinidine",
    "cycloserine cyclosporine",
    "clomiphene clomipramine",
    "cefixime cefepime",
    "vinblastine vincristine",
    "esomeprazole omeprazole",
    "levocetirizine cetirizine",
    "sitagliptin saxagliptin",
    "canagliflozin dapagliflozin",
    "alfentanil sufentanil",
    "valaciclovir valganciclovir",
    "tolazamide tolbutamide",
    "bupropion buspirone",
    "risperidone ropinirole",
    "guaifenesin guanfacine",
    "penicillamine penicillin",
    "sulfadiazine sulfasalazine",
    "estradiol estriol",
    "creatine creatinine",
    "insulin inulin",
    "retinol retinal",
    "nitrate nitrite",
    "lactase lactose",
    "dysphagia dysphasia",
    "arteritis arthritis",
    "abduction adduction",
    "hyperkalaemia hypokalaemia",
    "hypercalcaemia hypocalcaemia",
    "hyperthyroidism hypothyroidism",
    "hypertension hypotension",
    "macrocytosis microcytosis",
]


@pytest.mark.parametrize("pair", LOOK_ALIKES)
def test_names_that_look_alike_are_not_taken_for_each_other_even_where_only_one_is_known(pair: str) -> None:
    one, other = pair.split()
    assert index(("it", one)).link(other) == ()
    assert index(("it", other)).link(one) == ()
    both = index(("one", one), ("other", other))
    assert (linked(both, one), linked(both, other)) == (["one"], ["other"])


def test_a_word_declared_distinct_is_not_a_misspelling() -> None:
    assert linked(index(("amlodipine", "amlodipine")), "amlodipene") == ["amlodipine"]
    assert index(("amlodipine", "amlodipine"), distinct=["amlodipene"]).link("amlodipene") == ()


@pytest.mark.parametrize("mention", ["", "  ", "…", "the", "🙂", "\x00", "zorblaxine", "x" * 10_000])
def test_what_names_nothing_links_to_nothing(mention: str) -> None:
    found = index(("warfarin", "warfarin"))
    assert found.link(mention) == ()
    assert found.mentions(mention) == ()


# Misspellings ------------------------------------------------------------------------------------------------------

TYPOS = """
warfarine warfarin · wafarin warfarin · warferin warfarin · clopidogral clopidogrel · asprin aspirin · metforman
metformin · lisinipril lisinopril · amoxacillin amoxicillin · amoxicilin amoxicillin · ibuprofin ibuprofen ·
ibuprophen ibuprofen · acetominophen acetaminophen · paracetomol paracetamol · atorvastain atorvastatin ·
levothyroxin levothyroxine · ciprofloxicin ciprofloxacin · amiodorone amiodarone · fluoxitine fluoxetine ·
carbamazapine carbamazepine · phenytion phenytoin · hydroxizine hydroxyzine · hydralizine hydralazine · prednisolon
prednisolone · prednison prednisone · rivaroxiban rivaroxaban · spironalactone spironolactone · furosamide
furosemide · ketaconazole ketoconazole · methatrexate methotrexate · theophyline theophylline · nitrofurantion
nitrofurantoin · chlorpromasine chlorpromazine
"""
PAIRS = [tuple(pair.split()) for pair in TYPOS.split("·")]


def test_common_misspellings_link_to_the_name_meant_among_all_look_alikes() -> None:
    names = sorted({name for _, name in PAIRS} | {name for pair in LOOK_ALIKES for name in pair.split()})
    found = index(*((name, name) for name in names))
    assert {typo: linked(found, typo) for typo, _ in PAIRS} == {typo: [name] for typo, name in PAIRS}


def test_a_misspelling_about_as_near_to_two_names_is_ambiguous() -> None:
    found = index(("prednisone", "prednisone"), ("prednisolone", "prednisolone"))
    (mention,) = found.mentions("She takes prednisole.")
    assert [(c.term, c.method) for c in mention.candidates] == [
        (MED.prednisone, "fuzzy"),
        (MED.prednisolone, "fuzzy"),
    ]
    assert mention.candidates[0].score - mention.candidates[1].score < found.settings.margin
    assert (mention.ambiguous, mention.term) == (True, None)


def test_two_labels_of_one_term_do_not_make_a_misspelling_ambiguous() -> None:
    found = index(("ciclosporin", "ciclosporin", "cyclosporine"))
    (mention,) = found.mentions("cyclosporin")
    assert (mention.ambiguous, mention.term) == (False, MED.ciclosporin)


def test_a_misspelt_word_inside_a_longer_name_links_the_whole_name() -> None:
    found = index(("af", "atrial fibrillation"), ("heart", "heart"), ("hf", "heart failure"))
    assert spans(found, "atrial fibrilation or heart failur") == [("atrial fibrilation", "af"), ("heart failur", "hf")]


def test_short_words_must_be_right() -> None:
    assert index(("codeine", "lasix")).link("lasex") == ()


def test_edit_cost_is_a_symmetric_distance() -> None:
    names = [name for pair in LOOK_ALIKES for name in pair.split()]
    assert {edit_cost(name, name) for name in names} == {0.0}
    assert [edit_cost(a, b) for a in names[:12] for b in names] == pytest.approx(
        [edit_cost(b, a) for a in names[:12] for b in names]
    )


def test_no_correction_is_offered_for_a_word_with_digits_or_below_the_least_length() -> None:
    spelling = Spelling(["cyp2c19", "lasix", "warfarin"])
    assert [spelling.corrections(word) for word in ("cyp2c9", "lasex", "wrfrn")] == [(), (), ()]


# Spans ------------------------------------------------------------------------------------------------------------


def test_mentions_are_leftmost_longest_and_do_not_overlap() -> None:
    found = index(
        ("heart", "heart"),
        ("failure", "heart failure"),
        ("chronic", "chronic heart failure"),
        ("clinic", "failure clinic"),
    )
    assert spans(found, "chronic heart failure clinic, heart") == [
        ("chronic heart failure", "chronic"),
        ("heart", "heart"),
    ]


def test_mention_positions_are_those_of_the_text_as_given() -> None:
    text = "E\u0301tude: war\u00adfarin’s β‐blocker; Mrs Adler's dose"
    found = index(("warfarin", "warfarin"), ("bb", "beta blocker"), ("adler", "Mrs Adler"))
    assert [text[m.start : m.end] for m in found.mentions(text)] == ["war\u00adfarin", "β‐blocker", "Mrs Adler"]
    assert [m.text for m in found.mentions(text)] == ["war\u00adfarin", "β‐blocker", "Mrs Adler"]


def test_patients_of_another_title_are_not_taken_for_each_other() -> None:
    found = index(("adler", "Mrs Adler"))
    assert found.mentions("Mr Adler takes it.") == ()
    assert found.unlinked("Mr Adler takes it.") == ("Mr Adler",)


def test_a_long_text_is_linked_in_reasonable_time_whatever_it_holds() -> None:
    found = index(*((name, name) for _, name in PAIRS))
    text = "warfarine " * 3000
    assert len(found.mentions(text)) == 3000


# What looks like a name and does not link ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drugs() -> LabelIndex:
    triples = labelled(*((name, name) for name in ("warfarin", "fluoxetine", "paroxetine", "clozapine", "venlafaxine")))
    triples += [
        (MED.increases, RDF.type, OWL.ObjectProperty),
        (MED.increases, RDFS.label, Literal("increases the level of")),
        (MED.increases, SKOS.altLabel, Literal("{o} builds up when taken with {s}; see eGFR")),
    ]
    return LabelIndex(KnowledgeGraph.from_triples(triples), settings={"name_endings": ["mab"]})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Zorblaxine increases the level of warfarin.", ("Zorblaxine",)),
        ("Does warfarin interact with zorblaxine or with zorblaxine?", ("zorblaxine",)),
        ("Warfarin interacts with Foobarix and foobarimab.", ("Foobarix", "foobarimab")),
        ("Zorblax increases the level of warfarin.", ("Zorblax",)),
        ("Warfarin is broken down by CYP9Z9.", ("CYP9Z9",)),
        ("Dr Jane Smith-Miller prescribed warfarin.", ("Dr Jane Smith-Miller",)),
        ("Mrs Black takes warfarin.", ("Mrs Black",)),
        ("Taking warfarin with other medicines determines the risk; examine daily.", ()),
        ("Concomitant use in patients with low eGFR is dangerous.", ()),
        ("Coagulation and combination are ordinary, inhibition too.", ()),
        ("", ()),
    ],
)
def test_names_that_do_not_link_are_reported(drugs: LabelIndex, text: str, names: tuple[str, ...]) -> None:
    assert drugs.unlinked(text) == names


def test_a_misspelling_that_links_is_not_reported(drugs: LabelIndex) -> None:
    assert drugs.unlinked("Warfarine and paroxetin.") == ()


def test_nearest_lists_look_alikes_for_a_message(drugs: LabelIndex) -> None:
    assert drugs.nearest("fluvoxetine", k=2) == ("fluoxetine", "paroxetine")
    assert drugs.nearest("qqq") == ()


# Encoder ----------------------------------------------------------------------------------------------------------


class Encoder:
    """Unit vectors by a table; every other text points its own way. Counts the texts it was given."""

    def __init__(self, alike: dict[str, int]) -> None:
        self.alike, self.calls = alike, 0

    def __call__(self, texts: list[str]) -> NDArray[np.float32]:
        self.calls += 1
        vectors = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row, self.alike.get(text, 20 + (self.calls * 7 + row) % 40)] = 1
        return vectors


def test_the_encoder_is_asked_only_where_words_do_not_decide_and_encodes_the_labels_once() -> None:
    encode = Encoder({"hypertension": 0, "raised blood pressure": 0})
    found = LabelIndex(KnowledgeGraph.from_triples(labelled(("htn", "hypertension"), ("gout", "gout"))), encode=encode)
    assert linked(found, "hypertension") == ["htn"]
    assert encode.calls == 0
    assert [(c.term, c.score, c.method) for c in found.link("raised blood pressure")] == [(MED.htn, 1.0, "encoder")]
    found.link("painful big toe")
    assert encode.calls == 3  # the labels, and one call a mention


def test_each_label_keeps_its_own_vector() -> None:
    encode = Encoder({"gout": 0, "hypertension of pregnancy": 1, "sore toe": 0, "tension in her": 1})
    triples = labelled(("pih", "hypertension of pregnancy"), ("gout", "gout"), ("flu", "influenza"))
    found = LabelIndex(KnowledgeGraph.from_triples(triples), encode=encode)
    assert (linked(found, "sore toe"), linked(found, "tension in her")) == (["gout"], ["pih"])


@pytest.mark.parametrize(
    ("label", "mention"),
    [
        ("hypokalaemia", "high potassium level"),
        ("hyperkalaemia", "low potassium level"),
        ("low potassium", "raised potassium"),
        ("type 1 diabetes", "sugar disease type 2"),
        ("warfarin therapy", "zorblaxine therapy"),
        ("zorblaxine", "zorblixene"),
    ],
)
def test_the_encoder_never_joins_opposites_numbers_or_unknown_names(label: str, mention: str) -> None:
    triples = labelled(("it", label), *((n, n) for n in ("fluoxetine", "paroxetine", "clozapine", "venlafaxine")))
    found = LabelIndex(KnowledgeGraph.from_triples(triples), encode=Encoder({label: 0, mention: 0}))
    assert [c for c in found.link(mention) if c.method == "encoder"] == []


def test_an_encoder_of_the_wrong_shape_is_named() -> None:
    graph = KnowledgeGraph.from_triples(labelled(("htn", "hypertension")))
    found = LabelIndex(graph, encode=lambda texts: np.zeros(3, dtype=np.float32))
    with pytest.raises(ValueError, match=r"shape \(2, dim\) \(got \(3,\)\)"):
        found.link("raised blood pressure")


# Settings and forms ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"fuzzy_treshold": 0.9}, "did you mean fuzzy_threshold"),
        ({"fuzzy_threshold": 1.5}, "from 0 to 1"),
        ({"margin": "small"}, "from 0 to 1"),
        ({"min_fuzzy_length": 2}, "from 4"),
        ({"min_fuzzy_length": 6.5}, "from 4"),
        ({"distinct": "adduction"}, "list of words"),
    ],
)
def test_a_setting_that_is_unknown_or_out_of_range_is_named(table: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LinkSettings.from_table(table)


def test_an_empty_graph_has_no_names() -> None:
    found = LabelIndex(KnowledgeGraph(Dictionary(), Columns.empty()))
    assert (len(found), found.link("warfarin"), found.mentions("warfarin"), found.unlinked("Take warfarin.")) == (
        0,
        (),
        (),
        (),
    )


def test_stems_meet_where_words_are_the_same_and_only_there() -> None:
    same = [
        "diagnosis diagnoses",
        "ulcer ulcers",
        "biopsy biopsies",
        "abscess abscesses",
        "colour color",
        "litre liter",
    ]
    assert [len({stem(word) for word in pair.split()}) for pair in same] == [1] * len(same)
    apart = ["AIDS aid", "ileum ilium", "gastritis gastric", "virus viral", "hypertension hypotension"]
    assert [len({stem(word) for word in pair.split()}) for pair in apart] == [2] * len(apart)


def test_words_know_their_place_and_leave_the_possessive_out() -> None:
    assert [tuple(word) for word in words("Crohn's β-x2")] == [(0, 5, "Crohn"), (8, 9, "β"), (10, 12, "x2")]
