"""From a sentence to candidate triples: which relation it states between which of the things it names, and whether
it asserts or denies it.

The idea: the things named are linked (`kg.linking`) and replaced by what kind of thing they are, so that

    "Fluconazole slows the clearance of warfarin."   becomes   "drug A slows the clearance of drug B."

and what is left is the wording of a relation, which a reader (`kg.reading`) knows from exemplars: the phrase
templates of the graph's schema, the wordings a domain gives, and sentences with their triple. Where a relation's
objects are few and said rather than named ("expectant mothers should stay off drug A"), the wording has one argument.
The kinds of thing that a relation joins count too. Nothing here is about one domain, and nothing here decides what is
true.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, permutations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rdflib import OWL, RDF, RDFS, XSD, Literal, URIRef
from rdflib.term import Node

from engine.claim import Candidate
from engine.kinds import NUMBER, Kinds
from kg.errors import LimitError
from kg.reading import Exemplar, Masked, NearestReader, Reader, Reading
from kg.terms import Triple
from kg.verbalise import relation_phrases

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph
    from kg.linking import LabelIndex, Mention
    from kg.wordings import Wording

__all__ = ["ClaimFormer", "Formation", "FormationSettings"]

Encode = Callable[[list[str]], NDArray[np.float32]]
_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w])")
_UNIT = re.compile(r"\s*([A-Za-z]+)")


@dataclass(frozen=True)
class FormationSettings:
    """How triples are read from text; chosen on the development claims of the medicine domain.

    Args:
        threshold: least score of a candidate, in [0, 1]; below it the relation is not recognised. None takes the
            reader's own.
        type_bonus: what an end loses whose kind does not fit the relation's domain or range.
        ambiguity_margin: two links of one mention nearer than this are ambiguous, unless the relation decides.
        max_characters: longest text that is read; a claim is one sentence.
        max_mentions: most things and numbers one text may name, as every two of them are tried.
        units: what a number is multiplied by where one of these words follows it; a domain says its own.
    """

    threshold: float | None = None
    type_bonus: float = 0.12
    ambiguity_margin: float = 0.02
    max_characters: int = 2000
    max_mentions: int = 16
    units: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Formation:
    """What could be made of one text.

    Args:
        candidates: best first; empty where nothing reached the threshold.
        mentions: the things named, in reading order.
        unlinked: names in the text that fit nothing in the graph.
    """

    candidates: tuple[Candidate, ...]
    mentions: tuple[Mention, ...]
    unlinked: tuple[str, ...]


@dataclass(frozen=True)
class _Argument:
    """One end of a possible triple: where it stands, what it may be, and what kind of thing it is."""

    start: int
    end: int
    term: Node
    kind: str
    link_score: float


class ClaimFormer:
    """Reads candidate triples from sentences about one graph.

    Args:
        graph: the closure's graph; types of things are taken from it.
        labels: the label index used to find what a text names.
        encode: texts to unit rows of shape (num_texts, dim); None compares words alone.
        fits: raises LimitError for a text that is longer than the encoder takes; None leaves it to the settings.
        sentences: further exemplars: a text, its triple, and whether it asserts the triple.
        wordings: further exemplars, as sentences with slots.
        reader: reads masked sentences; None takes the nearest exemplars.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        labels: LabelIndex,
        *,
        encode: Encode | None = None,
        fits: Callable[[str], object] | None = None,
        sentences: Iterable[tuple[str, Triple, bool]] = (),
        wordings: Iterable[Wording] = (),
        reader: Reader | None = None,
        settings: FormationSettings | None = None,
    ) -> None:
        self.graph, self.labels, self.encode, self.fits = graph, labels, encode, fits
        self.settings = settings or FormationSettings()
        self._sentences, self._wordings = tuple(sentences), tuple(wordings)
        self._reader = reader
        self.kinds = Kinds(graph)
        self._samples_of: dict[URIRef, list[Triple]] = {}

    @cached_property
    def exemplars(self) -> tuple[Exemplar, ...]:
        """The wordings whose reading is known: phrases of the schema, wordings given, sentences with a triple."""
        phrases = (exemplar for relation in self.kinds.relations for exemplar in self._phrases(relation))
        worded = (made for at, wording in enumerate(self._wordings) for made in self._from_wording(wording, at))
        learnt = (made for sentence in self._sentences for made in self._from_sentence(*sentence))
        return tuple(dict.fromkeys([*phrases, *worded, *learnt]))

    @property
    def reader(self) -> Reader:
        """What reads masked sentences."""
        if self._reader is None:
            self._reader = NearestReader(self.exemplars, self.encode)
        return self._reader

    def read_by(self, reader: Reader) -> None:
        """Read masked sentences by another reader from now on, one that was learnt from the exemplars."""
        self._reader = reader

    def form(self, text: str) -> Formation:
        """The candidate triples of a text, best first.

        Raises:
            LimitError: the text is longer, or names more things, than is read as one claim; nothing is cut off.
        """
        self._expect_at_most(self.settings.max_characters, "characters", len(text))
        if self.fits is not None:
            self.fits(text)
        mentions = self.labels.mentions(text)
        unlinked = self.labels.unlinked(text)
        arguments = self._arguments(text, mentions)
        self._expect_at_most(self.settings.max_mentions, "things named", len({a.start for a in arguments}))
        pairs = [*self._pairs(arguments), *((argument,) for argument in arguments if self._says_values(argument))]
        if not pairs or not self.reader.readings:
            return Formation((), mentions, unlinked)
        masked = [_masked(text, *pair) for pair in pairs]
        found = self.reader.read(masked)
        scored: list[Candidate] = []
        for pair, scores, denies in zip(pairs, found.scores, found.denies, strict=True):
            scored += self._candidates(pair, denies, scores)
        best: dict[tuple[Triple, bool], Candidate] = {}
        for candidate in sorted(scored, key=lambda c: (-c.score, str(c.triple), not c.positive)):
            best.setdefault((candidate.triple, candidate.positive), candidate)
        threshold = self.reader.threshold if self.settings.threshold is None else self.settings.threshold
        kept = tuple(candidate for candidate in best.values() if candidate.score >= threshold)
        return Formation(kept[:10], mentions, unlinked)

    @staticmethod
    def _expect_at_most(most: int, what: str, found: int) -> None:
        if found > most:
            raise LimitError(f"Expected at most {most} {what} in one claim (got {found}); give one sentence at a time")

    # Arguments --------------------------------------------------------------------------------------------------

    def _arguments(self, text: str, mentions: Sequence[Mention]) -> list[_Argument]:
        found = []
        for mention in mentions:
            best = mention.candidates[0].score
            for candidate in mention.candidates:
                if candidate.score >= best - self.settings.ambiguity_margin:
                    kind = self.kinds.of(candidate.term)
                    found.append(_Argument(mention.start, mention.end, candidate.term, kind, candidate.score))
        covered = [(m.start, m.end) for m in mentions]
        for match in _NUMBER.finditer(text):
            if not any(start <= match.start() < end for start, end in covered):
                unit = _UNIT.match(text, match.end())
                factor = self.settings.units.get(unit.group(1).lower(), 1.0) if unit else 1.0
                value = float(match.group().replace(",", "")) * factor
                found.append(_Argument(match.start(), match.end(), _number(value), NUMBER, 1.0))
        return sorted(found, key=lambda a: (a.start, str(a.term)))

    def _pairs(self, arguments: Sequence[_Argument]) -> Iterable[tuple[_Argument, _Argument]]:
        """Every two arguments at different places, in reading order; at least one is no number."""
        for a, b in permutations(arguments, 2):
            if a.end <= b.start and not (isinstance(a.term, Literal) and isinstance(b.term, Literal)):
                yield a, b

    # Exemplars --------------------------------------------------------------------------------------------------

    def _phrases(self, relation: URIRef) -> Iterator[Exemplar]:
        """The exemplars of a relation's phrases, each between all kinds of thing the relation joins."""
        heads, tails = self.kinds.ends(relation).kinds
        for phrase in relation_phrases(self.graph, relation):
            template = phrase if "{s}" in phrase and "{o}" in phrase else f"{{s}} {phrase} {{o}}"
            reading = Reading(relation, template.index("{s}") < template.index("{o}"))
            for at in range(max(len(heads), len(tails))):
                yield Exemplar(_filled(template, heads[at % len(heads)], tails[at % len(tails)]), reading)

    def _from_wording(self, wording: Wording, at: int) -> Iterable[Exemplar]:
        """The exemplars of a wording said of a triple of its relation; `at` is its number, as triples take turns."""
        sentence, relation = wording.sentence, wording.relation
        if relation is None:
            assert wording.slots is not None, "a wording has a relation or slots"
            head, tail = (NUMBER if str(c).startswith(str(XSD)) else self._class_kind(c) for c in wording.slots)
            return [Exemplar(_filled(sentence, head, tail), Reading(None))]
        if triples := self._samples(relation):
            triple = triples[at % len(triples)]
            if wording.value is not None:
                triple = triple._replace(object=wording.value)
            text = sentence.replace("{s}", self.graph.label(triple.subject)).replace(
                "{o}", self.graph.label(triple.object)
            )
            if found := self._from_sentence(text, triple, wording.positive, alone=wording.value is not None):
                return found
        heads, tails = self.kinds.ends(relation).kinds
        head_first = "{o}" not in sentence or sentence.index("{s}") < sentence.index("{o}")
        masked = _filled(sentence, heads[at % len(heads)], tails[at % len(tails)])
        return [Exemplar(masked, Reading(relation, head_first, wording.value), wording.positive)]

    def _samples(self, relation: URIRef) -> list[Triple]:
        """Some triples of a relation, spread over all of them."""
        if relation not in self._samples_of:
            every = list(self.graph.triples(None, relation, None))
            self._samples_of[relation] = every[:: max(len(every) // 500, 1)]
        return self._samples_of[relation]

    def _class_kind(self, cls: URIRef) -> str:
        return "class" if cls == OWL.Class else self.graph.label(cls)

    def _from_sentence(self, text: str, triple: Triple, positive: bool, *, alone: bool | None = None) -> list[Exemplar]:
        """The exemplars of a sentence: of its triple, and of what it does not state of other things it names.

        The triple's ends must both be found, or (`alone`) the head alone, where its relation's values are said; None
        for `alone` tries one after the other. Empty where that is not so.
        """
        relation = triple.predicate
        assert isinstance(relation, URIRef), "the predicate of a triple is an IRI"
        arguments = self._arguments(text, self.labels.mentions(text))
        pairs = list(self._pairs(arguments))
        stated: dict[tuple[_Argument, ...], Reading] = {}
        for first, second in pairs if not alone else ():
            for head, tail in ((first, second), (second, first)):
                same = tail.term == triple.object or _equal_numbers(tail.term, triple.object)
                if head.term == triple.subject and same and not stated:
                    stated[first, second] = Reading(relation, head is first)
        if not stated and relation in self._said and alone is not False:
            heads = (argument for argument in arguments if argument.term == triple.subject)
            stated.update({(head,): Reading(relation, True, triple.object) for head in islice(heads, 1)})
        if not stated:
            return []
        gold, reading = next(iter(stated.items()))
        starts, named = tuple(argument.start for argument in gold), {argument.term for argument in gold}
        alone_too = ((argument,) for argument in arguments if self._says_values(argument))
        others = [
            other
            for other in (*pairs, *alone_too)
            if tuple(a.start for a in other) != starts and (len(other) == 1 or {a.term for a in other} != named)
        ]
        return [
            Exemplar(_masked(text, *gold), reading, positive),
            *(Exemplar(_masked(text, *other), Reading(None)) for other in others),
        ]

    @cached_property
    def _said(self) -> frozenset[URIRef]:
        """The relations whose values are said rather than named: those with wordings that have no slot for them."""
        return frozenset(w.relation for w in self._wordings if w.value is not None and w.relation is not None)

    def _says_values(self, argument: _Argument) -> bool:
        """Whether a thing may be the head of a relation whose values are said."""
        heads = (self.kinds.ends(relation).classes[0] for relation in self._said)
        return any(cls is None or cls in self.kinds.types(argument.term) for cls in heads)

    # Candidates -------------------------------------------------------------------------------------------------

    def _candidates(
        self, pair: tuple[_Argument, ...], denies: NDArray[np.bool_], scores: NDArray[np.float64]
    ) -> Iterator[Candidate]:
        """The candidates of one or two arguments: each reading between them, as far as they can be its ends."""
        linked = min(argument.link_score for argument in pair)
        for at in np.argsort(-scores, kind="stable")[:20]:
            reading = self.reader.readings[int(at)]
            found = self._triple(reading, pair)
            if found is None:
                continue
            triple, fits = found
            score = (float(scores[at]) + self.settings.type_bonus * (fits - 2)) * (0.8 + 0.2 * linked)
            yield Candidate(triple, not denies[at], min(max(score, 0.0), 1.0))

    def _triple(self, reading: Reading, pair: tuple[_Argument, ...]) -> tuple[Triple, int] | None:
        """The triple of a reading between arguments, and how many of its ends are of the right kind; None for none."""
        if reading.relation is None or (reading.value is None) != (len(pair) == 2):
            return None
        if reading.value is not None:
            head, cls = pair[0], self.kinds.ends(reading.relation).classes[0]
            fits = 1 + (cls is None or cls in self.kinds.types(head.term))
            return Triple(head.term, reading.relation, reading.value), fits
        head, tail = pair if reading.head_first else pair[::-1]
        if not self._possible(reading.relation, head, tail):
            return None
        triple = Triple(head.term, reading.relation, self._literal(reading.relation, tail.term))
        return triple, self._fit(reading.relation, head, tail)

    def _possible(self, relation: URIRef, head: _Argument, tail: _Argument) -> bool:
        """Whether a triple of these can be meant at all: numbers where numbers go, classes where `rdf:type` leads.

        A class that is some relation's domain or range ("patient", "drug") is named for the kind of thing it is, and is
        the end of no other relation.
        """
        if isinstance(head.term, Literal) or head.term in self.kinds.spoken_of:
            return False
        if relation == RDF.type:
            return tail.kind == "class" and head.kind != "class"
        return (tail.kind == NUMBER) == self.kinds.ends(relation).has_numbers and tail.term not in self.kinds.spoken_of

    def _fit(self, relation: URIRef, head: _Argument, tail: _Argument) -> int:
        """How many ends are of the kind the relation joins, 0 to 2."""
        if relation == RDF.type:
            one, other = self.kinds.spoken_classes(head.term), self.kinds.spoken_classes(tail.term)
            return 1 + (not one or not other or bool(one & other))
        ends = zip(self.kinds.ends(relation).classes, (head, tail), strict=True)
        return sum(cls is None or cls in self.kinds.types(argument.term) for cls, argument in ends)

    def _literal(self, relation: URIRef, term: Node) -> Node:
        """A number in the datatype that the relation's values have."""
        if not isinstance(term, Literal):
            return term
        wanted = next((t.object for t in self.graph.triples(relation, RDFS.range, None)), None)
        value = float(term)
        if wanted is None:
            sample = next(self.graph.triples(None, relation, None), None)
            wanted = sample.object.datatype if sample and isinstance(sample.object, Literal) else XSD.decimal
        if not value.is_integer() and wanted in _WHOLE:
            wanted = XSD.decimal
        text = str(int(value)) if value.is_integer() else repr(value)
        return self._known_form(relation, value) or Literal(text, datatype=wanted)  # type: ignore[arg-type]  # an IRI

    def _known_form(self, relation: URIRef, value: float) -> Node | None:
        """The literal of this relation that has the value, so that 4000 and 4000.0 are one term."""
        for triple in self.graph.triples(None, relation, None):
            if _equal_numbers(triple.object, Literal(value)):
                return triple.object
        return None


_WHOLE = (XSD.integer, XSD.int, XSD.long, XSD.nonNegativeInteger, XSD.positiveInteger)


def _masked(text: str, first: _Argument, second: _Argument | None = None) -> Masked:
    """The text with one or two arguments as kind and letter."""
    before = f"{text[: first.start].lstrip()}{first.kind} "
    if second is None:
        return Masked(f"{before}A{text[first.end :]}".rstrip(), (len(before),))
    between = f"{before}A{text[first.end : second.start]}{second.kind} "
    return Masked(f"{between}B{text[second.end :]}".rstrip(), (len(before), len(between)))


def _filled(template: str, head: str, tail: str) -> Masked:
    """A template's slots as kind and letter, A for what stands first."""
    text, places = "", []
    for part in re.split(r"(\{[so]\})", template.strip()):
        if part in ("{s}", "{o}"):
            text += f"{head if part == '{s}' else tail} "
            places.append(len(text))
            text += "AB"[len(places) - 1]
        else:
            text += part
    return Masked(text, tuple(places))


def _number(value: float) -> Literal:
    return Literal(int(value)) if value.is_integer() else Literal(value)


def _equal_numbers(a: Node, b: Node) -> bool:
    if not (isinstance(a, Literal) and isinstance(b, Literal)):
        return False
    try:
        return math.isclose(float(a), float(b))
    except (TypeError, ValueError):
        return False
