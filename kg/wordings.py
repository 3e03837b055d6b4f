"""Wordings: sentences with slots for subject and object that say what a relation states, to learn reading from.

`wordings.tsv` has one wording a line, tab-separated under a header line: relation, value, polarity, sentence.

    med:metabolisedBy   -                           +   It is {o} that gets rid of {s}.
    med:qtRisk          med:KnownQtRisk             +   {s} is known to set off torsades.
    -                   med:Drug med:Condition      +   Trials of {s} in people with {o} are under way.

The value is `-` where the sentence has both slots; where it says the object in words of its own, without `{o}`, it is
that object. A sentence that states no relation between its slots has `-` for the relation, and for the value what
stands in the slots: two classes, `owl:Class` for a class itself and a datatype for a number. Polarity `-` denies.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rdflib import OWL, RDF, XSD, Literal, URIRef
from rdflib.term import Node

from kg.claims import parse_term, table_lines
from kg.errors import InputError, SyntaxInputError

__all__ = ["Wording", "load_wordings"]

COLUMNS = ("relation", "value", "polarity", "sentence")
_PREFIXES = {"rdf": str(RDF), "owl": str(OWL), "xsd": str(XSD)}


@dataclass(frozen=True)
class Wording:
    """One line of `wordings.tsv`.

    Args:
        relation: what it states; None for a sentence that states no relation between its slots.
        value: the object, where the sentence has no slot for it.
        slots: the classes that stand in the slots of a sentence without a relation, subject first.
        positive: whether the sentence asserts (polarity `+`) or denies (`-`).
        sentence: the text with `{s}` and, without a value, `{o}`, each once.
    """

    relation: URIRef | None
    value: Node | None
    slots: tuple[URIRef, URIRef] | None
    positive: bool
    sentence: str
    line: int


def load_wordings(path: str | os.PathLike[str], prefixes: Mapping[str, str]) -> tuple[Wording, ...]:
    """The wordings of a file, in its order.

    Args:
        path: a TSV file in UTF-8 with the header line.
        prefixes: prefix to namespace, for the compact names in it; `rdf`, `owl` and `xsd` are always known.

    Raises:
        MissingFileError: the file is not there.
        SyntaxInputError: a wrong header, number of fields, polarity, term or slot.
        LimitError: more than 64 MiB.
    """
    path = Path(path)
    known = {**_PREFIXES, **prefixes}
    found = []
    for number, line in table_lines(path, COLUMNS):
        try:
            found.append(_wording(line.split("\t"), number, known))
        except InputError as error:
            raise SyntaxInputError(str(error), file=str(path), line=number) from None
    return tuple(found)


def _wording(fields: list[str], line: int, prefixes: Mapping[str, str]) -> Wording:
    if len(fields) != len(COLUMNS):
        raise SyntaxInputError(f"Expected {len(COLUMNS)} fields with tabs between (got {len(fields)})")
    relation, value, polarity, sentence = (field.strip() for field in fields)
    if polarity not in ("+", "-"):
        raise SyntaxInputError(f"Expected the polarity + or - (got {polarity!r})")
    named = _iri(relation, prefixes) if relation != "-" else None
    slots = None
    if named is None:
        classes = [_iri(part, prefixes) for part in value.split()]
        if len(classes) != 2:
            raise SyntaxInputError(
                f"Expected two classes as the value of a sentence without a relation (got {value!r})"
            )
        slots = (classes[0], classes[1])
    said = None if named is None or value in ("-", "") else parse_term(value, prefixes)
    wanted = "{s} once and no {o}, as the value is given" if said is not None else "{s} and {o} once each"
    if sentence.count("{s}") != 1 or sentence.count("{o}") != (said is None):
        raise SyntaxInputError(f"Expected {wanted} in the sentence (got {sentence!r})")
    return Wording(named, said, slots, polarity == "+", sentence, line)


def _iri(text: str, prefixes: Mapping[str, str]) -> URIRef:
    term = parse_term(text, prefixes)
    if isinstance(term, Literal) or not isinstance(term, URIRef):
        raise SyntaxInputError(f"Expected an IRI (got {text})")
    return term
