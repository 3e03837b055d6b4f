"""From a sentence to candidate triples: which relation it states between which of the things it names, and whether
it asserts or denies it.

The idea: the things named are linked (`kg.linking`) and replaced by what kind of thing they are, so that

    "Fluconazole slows the clearance of warfarin."   becomes   "drug A slows the clearance of drug B."

and what is left is the wording of a relation. It is compared with *exemplars*, wordings whose relation is known: the
phrase templates of the graph's schema, and sentences with their triple where a domain has some to learn from. Likeness
is the cosine of encoder embeddings together with the overlap of weighted words; the kinds of thing that a relation
joins add to it. Nothing here is about one domain, and nothing here decides what is true.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise, permutations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdflib import OWL, RDF, RDFS, XSD, Literal, URIRef
from rdflib.term import Node

from engine.claim import Candidate
from kg.errors import LimitError
from kg.terms import Triple
from kg.verbalise import relation_phrases

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph
    from kg.linking import LabelIndex, Mention

__all__ = ["ClaimFormer", "Exemplar", "Formation", "FormationSettings"]

Encode = Callable[[list[str]], NDArray[np.float32]]
# Negations that deny nothing: bounds ("no more than") and prohibitions, which are wordings of their own ("must not").
_NO_DENIAL = re.compile(
    r"\b(?:no|not|nothing|never) (?:more|less|fewer|later|earlier|longer|higher|lower|only|just|exceed\w*|to exceed)\b|"
    r"\b(?:must|should|shall|ought|may)(?:n't|n’t| not| never)\b|^(?:never|do not|don't|don’t)\b|"
    r"\b(?:on no account|under no circumstances)\b|"
    r"\bcan(?:not| not|'t|’t) be (?:given|used|taken|prescribed|combined|co)",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|never|no|nobody|nor|neither|cannot|without|nothing)\b|n't\b|n’t\b|\b(?:fails?|failed) to\b|\bfar from\b|"
    r"\b(?:untrue|false|incorrect|wrong|myth)\b(?=.*\bthat\b)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w])")
_WORD = re.compile(r"[a-z0-9]+|n't")
_MARKS = ".,;:!?()"
_UNIT = re.compile(r"\s*([A-Za-z]+)")
_VOCABULARIES = (str(OWL), str(RDFS), str(RDF), str(XSD))


@dataclass(frozen=True)
class FormationSettings:
    """How triples are read from text; chosen on the development claims of the medicine domain.

    Args:
        threshold: least score of a candidate, in [0, 1]; below it the relation is not recognised.
        lexical: share of the words in the likeness, in [0, 1]; the rest is the encoder's cosine.
        regression: share of the regression in the score, in [0, 1]; the rest is the nearest exemplar's likeness.
        ridge: penalty of the regression; larger values trust single exemplars less.
        type_bonus: what an end loses whose kind does not fit the relation's domain or range.
        ambiguity_margin: two links of one mention nearer than this are ambiguous, unless the relation decides.
        max_characters: longest text that is read; a claim is one sentence.
        max_mentions: most things and numbers one text may name, as every two of them are tried.
        units: what a number is multiplied by where one of these words follows it; a domain says its own.
    """

    threshold: float = 0.45
    lexical: float = 0.2
    regression: float = 0.2
    ridge: float = 0.3
    type_bonus: float = 0.12
    ambiguity_margin: float = 0.02
    max_characters: int = 2000
    max_mentions: int = 16
    units: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Exemplar:
    """A wording whose relation is known.

    Args:
        text: the sentence with its two things replaced by kinds and letters.
        relation: the predicate it states. head_first: whether the head is named before the tail.
        positive: False where the sentence denies the relation.
    """

    text: str
    relation: URIRef
    head_first: bool
    positive: bool = True


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


class _Ends(NamedTuple):
    """What a relation joins: the classes of head and tail where they are known, and the words for them."""

    classes: tuple[URIRef | None, URIRef | None]
    words: tuple[str, str]


class _Reading(NamedTuple):
    """What a wording states. `turned`: it has a negation and asserts, or has none and denies."""

    relation: URIRef
    head_first: bool
    turned: bool


class _Space:
    """Texts as unit vectors whose products are likeness: encoder embedding and weighted words side by side.

    Args:
        texts: the texts that fix the words' weights (inverse document frequency).
        encode: the encoder; None leaves the words alone.
        lexical: share of the words in the likeness, in [0, 1].
    """

    def __init__(self, texts: Sequence[str], encode: Encode | None, lexical: float) -> None:
        self._encode, self._share = encode, lexical if encode is not None else 1.0
        bags = [_words(text) for text in texts]
        counts = Counter(word for bag in bags for word in bag)
        self._columns = {word: at for at, word in enumerate(counts)}
        self._idf = np.array([math.log(1 + len(bags) / count) for count in counts.values()])
        self.rows = self.embed(texts)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The vectors of texts; shape (num_texts, dim)."""
        words = np.zeros((len(texts), len(self._columns)))
        length = np.zeros(len(texts))
        unseen = self._idf.max(initial=1.0)
        for row, text in enumerate(texts):
            for word, count in _words(text).items():
                at = self._columns.get(word)
                weight = count * (unseen / 2 if at is None else self._idf[at])
                length[row] += weight**2
                if at is not None:
                    words[row, at] = weight
        words *= math.sqrt(self._share) / np.sqrt(np.maximum(length, 1e-12))[:, None]
        if self._encode is None:
            return words
        meaning = math.sqrt(1 - self._share) * self._encode(list(texts)).astype(np.float64)
        return np.concatenate([meaning, words], axis=1)

    def likeness(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Products with the texts of the space, in [-1, 1]; shape (num_vectors, num_texts)."""
        return np.asarray(vectors @ self.rows.T)


class ClaimFormer:
    """Reads candidate triples from sentences about one graph.

    Args:
        graph: the closure's graph; types of things are taken from it.
        labels: the label index used to find what a text names.
        encode: texts to unit rows of shape (num_texts, dim); None compares words alone.
        fits: raises LimitError for a text that is longer than the encoder takes; None leaves it to the settings.
        sentences: further exemplars: a text, its triple, and whether it asserts the triple.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        labels: LabelIndex,
        *,
        encode: Encode | None = None,
        fits: Callable[[str], object] | None = None,
        sentences: Iterable[tuple[str, Triple, bool]] = (),
        settings: FormationSettings | None = None,
    ) -> None:
        self.graph, self.labels, self.encode, self.fits = graph, labels, encode, fits
        self.settings = settings or FormationSettings()
        self._kinds: dict[Node, str] = {}
        self._ends_of: dict[URIRef, _Ends] = {}
        phrases = [exemplar for relation in self.relations for exemplar in self._phrases(relation)]
        learnt = [made for text, triple, positive in sentences for made in self._from_sentence(text, triple, positive)]
        self.exemplars: tuple[Exemplar, ...] = tuple(dict.fromkeys([*phrases, *learnt]))

    @cached_property
    def relations(self) -> tuple[URIRef, ...]:
        """The predicates a text may state: those declared or used, annotations and vocabulary left out; `rdf:type`."""
        graph = self.graph
        found: dict[Node, None] = {}
        for cls in (OWL.ObjectProperty, OWL.DatatypeProperty, RDF.Property):
            found.update(dict.fromkeys(t.subject for t in graph.triples(None, RDF.type, cls)))
        for p in (*graph.relation_ids, *(p for p in graph.predicates() if self._is_value(p))):
            found[graph.dictionary.term(int(p))] = None
        chosen = [p for p in found if isinstance(p, URIRef) and not str(p).startswith((*_VOCABULARIES, *_ANNOTATIONS))]
        has_types = next(graph.triples(None, RDF.type, None), None) is not None
        return (*sorted(chosen), *((RDF.type,) if has_types else ()))

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
        pairs = list(self._pairs(arguments))
        if not pairs or not self.exemplars:
            return Formation((), mentions, unlinked)
        masked = [self._masked(text, first, second) for first, second in pairs]
        # A long sentence is also read without what stands far from its two arguments; the better reading counts.
        near = [_near_arguments(sentence) for sentence in masked]
        texts = list(dict.fromkeys([*masked, *near]))
        scores_of = dict(zip(texts, self._scores(texts), strict=True))
        likely = [np.maximum(scores_of[whole], scores_of[part]) for whole, part in zip(masked, near, strict=True)]
        scored: list[Candidate] = []
        for pair, sentence, scores in zip(pairs, masked, likely, strict=True):
            scored += self._candidates(*pair, _is_negative(sentence), scores)
        best: dict[tuple[Triple, bool], Candidate] = {}
        for candidate in sorted(scored, key=lambda c: (-c.score, str(c.triple), not c.positive)):
            best.setdefault((candidate.triple, candidate.positive), candidate)
        kept = tuple(c for c in best.values() if c.score >= self.settings.threshold)
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
                    kind = self.kind(candidate.term)
                    found.append(_Argument(mention.start, mention.end, candidate.term, kind, candidate.score))
        covered = [(m.start, m.end) for m in mentions]
        for match in _NUMBER.finditer(text):
            if not any(start <= match.start() < end for start, end in covered):
                unit = _UNIT.match(text, match.end())
                factor = self.settings.units.get(unit.group(1).lower(), 1.0) if unit else 1.0
                value = float(match.group().replace(",", "")) * factor
                found.append(_Argument(match.start(), match.end(), _number(value), "number", 1.0))
        return sorted(found, key=lambda a: (a.start, str(a.term)))

    def _pairs(self, arguments: Sequence[_Argument]) -> Iterable[tuple[_Argument, _Argument]]:
        """Every two arguments at different places, in reading order; at least one is no number."""
        for a, b in permutations(arguments, 2):
            if a.end <= b.start and not (isinstance(a.term, Literal) and isinstance(b.term, Literal)):
                yield a, b

    def kind(self, term: Node) -> str:
        """The word for the kind of thing a term is, as the relations speak of it; "class", "number" or "thing"."""
        if isinstance(term, Literal):
            return "number"
        if term not in self._kinds:
            self._kinds[term] = self._find_kind(term)
        return self._kinds[term]

    def _find_kind(self, term: Node) -> str:
        if self._is_class(term):
            return "class"
        classes = self._types(term)
        spoken = [c for c in classes if self._spoken_of[c]]
        if spoken:
            return self.graph.label(min(spoken, key=lambda c: (-self._spoken_of[c], c)))
        return self.graph.label(min(classes)) if classes else "thing"

    @cached_property
    def _spoken_of(self) -> Counter[URIRef]:
        """How many relations name a class as their domain or range."""
        ends = (end for relation in self.relations for end in self._ends(relation).classes)
        return Counter(end for end in ends if end is not None)

    def _types(self, term: Node) -> list[URIRef]:
        found = (t.object for t in self.graph.triples(term, RDF.type, None))
        return [c for c in found if isinstance(c, URIRef) and not str(c).startswith(_VOCABULARIES)]

    def _is_class(self, term: Node) -> bool:
        graph = self.graph
        return (
            next(graph.triples(term, RDF.type, OWL.Class), None) is not None
            or next(graph.triples(term, RDFS.subClassOf, None), None) is not None
            or next(graph.triples(None, RDF.type, term), None) is not None
        )

    # Exemplars --------------------------------------------------------------------------------------------------

    def _is_value(self, p: int) -> bool:
        _, objects = self.graph.pairs(int(p))
        return bool(len(objects)) and isinstance(self.graph.dictionary.term(int(objects[0])), Literal)

    def _ends(self, relation: URIRef) -> _Ends:
        """What a relation joins, from its domain and range, else from one of its triples."""
        if relation not in self._ends_of:
            self._ends_of[relation] = (
                _Ends((None, None), ("thing", "class"))
                if relation == RDF.type
                else _Ends(
                    *zip(self._end(relation, RDFS.domain, 0), self._end(relation, RDFS.range, 2), strict=True)  # type: ignore[arg-type]  # two pairs
                )
            )
        return self._ends_of[relation]

    def _end(self, relation: URIRef, axiom: URIRef, column: int) -> tuple[URIRef | None, str]:
        declared = (t.object for t in self.graph.triples(relation, axiom, None, inferred=False))
        named = min((c for c in declared if isinstance(c, URIRef)), default=None)
        sample = next(self.graph.triples(None, relation, None), None)
        if (named or "").startswith(str(XSD)) or (sample and column == 2 and isinstance(sample.object, Literal)):
            return None, "number"
        if named is not None:
            return named, self.graph.label(named)
        types = self._types(sample[column]) if sample else []
        return (min(types), self.graph.label(min(types))) if types else (None, "thing")

    def _phrases(self, relation: URIRef) -> list[Exemplar]:
        head, tail = self._ends(relation).words
        heads = sorted({self.graph.label(cls) for cls in self._spoken_of}) if relation == RDF.type else [head]
        made = []
        for phrase in relation_phrases(self.graph, relation):
            template = phrase if "{s}" in phrase and "{o}" in phrase else f"{{s}} {phrase} {{o}}"
            head_first = template.index("{s}") < template.index("{o}")
            letters = ("A", "B") if head_first else ("B", "A")
            for kind in heads or [head]:
                text = template.replace("{s}", f"{kind} {letters[0]}").replace("{o}", f"{tail} {letters[1]}")
                made.append(Exemplar(text, relation, head_first))
        return made

    def _from_sentence(self, text: str, triple: Triple, positive: bool) -> list[Exemplar]:
        """The exemplar of a sentence that names both ends of its triple; none where one of them is not found."""
        arguments = self._arguments(text, self.labels.mentions(text))
        for first, second in self._pairs(arguments):
            for head, tail in ((first, second), (second, first)):
                same = tail.term == triple.object or _equal_numbers(tail.term, triple.object)
                if head.term == triple.subject and same and isinstance(triple.predicate, URIRef):
                    masked = self._masked(text, first, second)
                    return [Exemplar(masked, triple.predicate, head is first, positive)]
        return []

    @staticmethod
    def _masked(text: str, first: _Argument, second: _Argument) -> str:
        """The text with its two arguments as kind and letter."""
        between = text[first.end : second.start]
        return f"{text[: first.start]}{first.kind} A{between}{second.kind} B{text[second.end :]}".strip()

    # Scores -----------------------------------------------------------------------------------------------------

    @cached_property
    def _space(self) -> _Space:
        return _Space([exemplar.text for exemplar in self.exemplars], self.encode, self.settings.lexical)

    @cached_property
    def _readings(self) -> tuple[list[_Reading], NDArray[np.int64]]:
        """What the exemplars state, without repeats, and for each exemplar the number of its reading."""
        every = [_Reading(e.relation, e.head_first, e.positive == _is_negative(e.text)) for e in self.exemplars]
        numbers = {reading: number for number, reading in enumerate(dict.fromkeys(every))}
        return list(numbers), np.array([numbers[reading] for reading in every], dtype=np.int64)

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        """Kernel ridge regression from the exemplars to their readings; shape (num_exemplars, num_readings)."""
        readings, number = self._readings
        kernel = self._space.likeness(self._space.rows)
        targets = np.eye(len(readings))[number]
        weights = np.linalg.solve(kernel + self.settings.ridge * np.eye(len(kernel)), targets)
        return np.asarray(weights, dtype=np.float64)

    def _scores(self, masked: Sequence[str]) -> NDArray[np.float64]:
        """How well masked texts fit each reading, about in [0, 1]; shape (num_texts, num_readings).

        The mean of the likeness to the nearest exemplar of the reading, which says whether the wording is known at
        all, and of the regression, which tells apart wordings that are alike and mean different things.
        """
        likeness = self._space.likeness(self._space.embed(masked))
        readings, number = self._readings
        nearest = np.full((len(masked), len(readings)), 0.0)
        np.maximum.at(nearest.T, number, likeness.T)
        share = self.settings.regression
        return np.asarray((1 - share) * nearest + share * (likeness @ self._weights), dtype=np.float64)

    def _candidates(
        self, first: _Argument, second: _Argument, negative: bool, scores: NDArray[np.float64]
    ) -> Iterator[Candidate]:
        """The candidates of one pair: each reading between its ends, as far as they can be its ends."""
        linked = min(first.link_score, second.link_score)
        for at in np.argsort(-scores, kind="stable")[:20]:
            reading = self._readings[0][int(at)]
            head, tail = (first, second) if reading.head_first else (second, first)
            if not self._possible(reading.relation, head, tail):
                continue
            fits = self._fit(reading.relation, head, tail)
            score = (float(scores[at]) + self.settings.type_bonus * (fits - 2)) * (0.8 + 0.2 * linked)
            triple = Triple(head.term, reading.relation, self._literal(reading.relation, tail.term))
            yield Candidate(triple, reading.turned == negative, min(max(score, 0.0), 1.0))

    def _possible(self, relation: URIRef, head: _Argument, tail: _Argument) -> bool:
        """Whether a triple of these can be meant at all: numbers where numbers go, classes where `rdf:type` leads.

        A class that is some relation's domain or range ("patient", "drug") is named for the kind of thing it is, and is
        the end of no other relation.
        """
        if isinstance(head.term, Literal) or head.term in self._spoken_of:
            return False
        if relation == RDF.type:
            return tail.kind == "class" and head.kind != "class"
        number = self._ends(relation).words[1] == "number"
        return (tail.kind == "number") == number and tail.term not in self._spoken_of

    def _fit(self, relation: URIRef, head: _Argument, tail: _Argument) -> int:
        """How many ends are of the kind the relation joins, 0 to 2."""
        if relation == RDF.type:
            one, other = self._kind_classes(head.term), self._kind_classes(tail.term)
            return 1 + (not one or not other or bool(one & other))
        ends = zip(self._ends(relation).classes, (head, tail), strict=True)
        return sum(cls is None or cls in self._types(argument.term) for cls, argument in ends)

    def _kind_classes(self, term: Node) -> set[Node]:
        """The classes that relations speak of, among those of a thing, or among a class and those above it."""
        above = (t.object for t in self.graph.triples(term, RDFS.subClassOf, None))
        classes = {term, *above} if self._is_class(term) else set(self._types(term))
        return {cls for cls in classes if cls in self._spoken_of}

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
_ANNOTATIONS = (
    "http://www.w3.org/2004/02/skos/core#",
    "http://purl.org/dc/",
    "http://www.w3.org/ns/shacl#",
    "http://xmlns.com/foaf/",
)


def _is_negative(text: str) -> bool:
    """Whether a text has an odd number of negations."""
    return len(_NEGATION.findall(_NO_DENIAL.sub(" ", text))) % 2 == 1


def _near_arguments(masked: str) -> str:
    """A masked text from five words before its first argument to four after its second."""
    words = masked.split()
    first = next((at for at, word in enumerate(words) if word.strip(_MARKS) == "A"), 0)
    last = next((at for at in range(len(words) - 1, -1, -1) if words[at].strip(_MARKS) in ("B", "B's")), len(words))
    return " ".join(words[max(0, first - 5) : last + 5]) or masked


def _number(value: float) -> Literal:
    return Literal(int(value)) if value.is_integer() else Literal(value)


def _equal_numbers(a: Node, b: Node) -> bool:
    if not (isinstance(a, Literal) and isinstance(b, Literal)):
        return False
    try:
        return math.isclose(float(a), float(b))
    except (TypeError, ValueError):
        return False


def _words(text: str) -> Counter[str]:
    """The words of a text and its pairs of neighbouring words, stems by cutting common endings."""
    words = [_stem(word) for word in _WORD.findall(text.lower().replace("’", "'"))]
    return Counter([*words, *(f"{a} {b}" for a, b in pairwise(words))])


def _stem(word: str) -> str:
    for ending in ("ations", "ation", "ings", "ing", "ised", "ized", "ises", "izes", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word
