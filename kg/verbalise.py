"""Triples as English, from labels and phrase templates.

A predicate's labels are its phrases. A label with braces is a template (`{o} is treated with {s}`), one without is what
stands between subject and object (`is metabolised by`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from rdflib import OWL, RDF, RDFS, SKOS, XSD, Literal
from rdflib.term import Node

from kg.errors import DomainError
from kg.graph import KnowledgeGraph
from kg.negation import negate
from kg.terms import local_name, split_camel

__all__ = ["name", "negate", "relation_phrases", "sentence", "verbalise"]

_BUILT_IN: dict[Node, str] = {
    RDF.type: "{s} is a {o}",
    RDFS.subClassOf: "every {s} is a {o}",
    RDFS.subPropertyOf: "“{s}” implies “{o}”",
    RDFS.domain: "whatever “{s}” something is a {o}",
    RDFS.range: "whatever something “{s}” is a {o}",
    RDFS.label: "{s} is called {o}",
    SKOS.prefLabel: "{s} is called {o}",
    SKOS.altLabel: "{s} is also called {o}",
    SKOS.broader: "{s} is narrower than {o}",
    SKOS.narrower: "{s} is broader than {o}",
    OWL.sameAs: "{s} is the same as {o}",
    OWL.differentFrom: "{s} is different from {o}",
    OWL.equivalentClass: "{s} is the same class as {o}",
    OWL.disjointWith: "nothing is both a {s} and a {o}",
    OWL.inverseOf: "“{s}” is the inverse of “{o}”",
    OWL.equivalentProperty: "“{s}” means the same as “{o}”",
    OWL.propertyDisjointWith: "“{s}” and “{o}” exclude each other",
}
_META_CLASSES: dict[Node, str] = {
    OWL.Class: "class",
    RDFS.Class: "class",
    RDF.Property: "property",
    OWL.ObjectProperty: "property",
    OWL.DatatypeProperty: "property",
    OWL.SymmetricProperty: "symmetric property",
    OWL.TransitiveProperty: "transitive property",
    OWL.FunctionalProperty: "functional property",
    OWL.InverseFunctionalProperty: "inverse functional property",
    OWL.Thing: "thing",
    OWL.NamedIndividual: "individual",
}
_SLOT = re.compile(r"\{(s|o)\}")
# Capitals said letter by letter: SSRI, the H of H2, the X of X-ray; not the T of Type.
_CAPITALS = re.compile(r"[A-Z]+(?![A-Za-z])")
_ARTICLE = re.compile(r"\b([Aa])n? $")
# Said by their names these begin with a vowel (an SSRI), the others with a consonant (a UTI).
_VOWEL_LETTERS = frozenset("AEFHILMNORSX")
_CONSONANT_SOUNDS = ("uni", "use", "usu", "uri", "ure", "ute", "eu", "one", "once", "ubi")
_SILENT_H = ("hour", "honest", "honour", "honor", "heir")

_PREPOSITIONS = frozenset({"as", "at", "by", "for", "from", "in", "into", "of", "on", "to", "under", "with"})


def name(graph: KnowledgeGraph, term: Node) -> str:
    """How a term is called in a sentence: by its label; a literal by its text, in quotes where it is a string."""
    if isinstance(term, Literal):
        text = str(term)
        plain = term.datatype is not None and term.datatype not in (XSD.string, RDF.langString, RDF.HTML)
        return text if plain else f"“{text}”"
    if term in _META_CLASSES and not graph.labels(term):
        return _META_CLASSES[term]
    return graph.label(term)


def relation_phrases(graph: KnowledgeGraph, predicate: Node | str) -> tuple[str, ...]:
    """The ways to say a predicate, as templates with `{s}` and `{o}`: its labels, else one made from its name.

    Raises:
        DomainError: a template has only one of `{s}` and `{o}`, or one of them twice.
        UnknownTermError: `predicate` is a compact name with an undeclared prefix.
    """
    term = graph.term(predicate)
    labels = graph.labels(term)
    if not labels:
        return (_BUILT_IN.get(term) or f"{{s}} {_verb_phrase(str(term))} {{o}}",)
    return tuple(dict.fromkeys(_template(graph, term, label) for label in labels))


def verbalise(graph: KnowledgeGraph, triple: Sequence[Node]) -> str:
    """A triple as a clause: `warfarin is metabolised by CYP2C9`, without capital and full stop.

    Raises:
        DomainError: the predicate's first label is a template without both `{s}` and `{o}`.
    """
    predicate = triple[1]
    phrase = _BUILT_IN.get(predicate) or relation_phrases(graph, predicate)[0]
    return _filled(graph, triple, phrase)


def sentence(graph: KnowledgeGraph, triple: Sequence[Node], phrase: str) -> str:
    """A triple said with a phrase of `relation_phrases`, as a sentence: `Warfarin is metabolised by CYP2C9.`"""
    text = _filled(graph, triple, phrase)
    first = text.split(" ", 1)[0]
    # mRNA and pH keep their small letter.
    return (text[:1].upper() + text[1:] if first.islower() else text) + "."


def _template(graph: KnowledgeGraph, predicate: Node, label: str) -> str:
    slots = sorted(_SLOT.findall(label))
    if not slots:
        return f"{{s}} {label} {{o}}"
    if slots != ["o", "s"]:
        raise DomainError(
            f"Expected {{s}} and {{o}} once each in the phrase of {graph.curie(predicate)} (got {label!r}); "
            "write the subject's place as {s} and the object's as {o}"
        )
    return label


def _filled(graph: KnowledgeGraph, triple: Sequence[Node], phrase: str) -> str:
    names = {"s": name(graph, triple[0]), "o": name(graph, triple[2])}
    done, at = "", 0
    # One pass, so that braces in a label are never taken for a slot.
    for slot in _SLOT.finditer(phrase):
        word = names[slot[1]]
        done += phrase[at : slot.start()]
        done = _ARTICLE.sub(r"\1n " if _vowel_sound(word) else r"\1 ", done) + word
        at = slot.end()
    return done + phrase[at:]


def _vowel_sound(text: str) -> bool:
    """Whether a word begins with a vowel sound, for `an` before it."""
    word = text.lstrip("“(\"'")
    capitals = _CAPITALS.match(word)
    if capitals and not _is_pronounced(capitals[0]):
        return word[0] in _VOWEL_LETTERS
    if word[1:2].isupper() and word[0].islower():  # mRNA, eGFR
        return word[0].upper() in _VOWEL_LETTERS
    lower = word.lower()
    if lower.startswith(_SILENT_H):
        return True
    return lower[:1] in tuple("aeiou8") and not lower.startswith(_CONSONANT_SOUNDS)


def _is_pronounced(acronym: str) -> bool:
    """Whether an acronym is read as a word (LABA, NATO) rather than by letters (SSRI, NSAID): its letters alternate."""
    vowels = [letter in "AEIOU" for letter in acronym]
    return len(acronym) > 3 and all(a != b for a, b in pairwise(vowels))


def _verb_phrase(iri: str) -> str:
    """A verb phrase from a local name: `treats`, `is metabolised by`, `has maximum daily dose`."""
    text = split_camel(local_name(iri))
    first, *rest = text.split() or [text]
    if first in ("is", "has", "are", "can", "may", "must", "should") or _is_verb(first):
        return text
    return f"is {text}" if rest and rest[-1] in _PREPOSITIONS else f"has {text}"


def _is_verb(word: str) -> bool:
    return len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))
