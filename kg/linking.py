"""Linking: text mention to term of the graph, with scores, and never a silent guess.

Four ways, each tried only where the one before found nothing: the label as it is (`exact`); the same words in another
form (`normalised`: case, hyphens, accents, Greek letters, plurals, British and American spelling); a misspelt word
(`fuzzy`, see `kg.spelling`); a similar meaning (`encoder`, through a function the caller gives). Where two terms are
about as near, both are candidates and the mention is ambiguous.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from kg.english import FUNCTION_WORDS, ending_share, is_ordinary
from kg.graph import KnowledgeGraph
from kg.link_types import Candidate, LinkSettings, Mention, Method
from kg.nameable import nameable_labels, predicate_words
from kg.normalise import Word, fold, is_acronym, name_key, stem, words
from kg.spelling import Correction, Spelling, opposed

__all__ = ["Candidate", "Encode", "LabelIndex", "LinkSettings", "Mention", "Method"]

Encode = Callable[[list[str]], NDArray[np.float32]]

_MAX_WORDS = 12  # the longest span `mentions` looks for, where labels are that long
_MAX_JOINED = 4  # the most words of a text that together may be one word of a label ("beta blocker", "betablocker")
_EXACT, _FOLDED, _STEMMED = 1.0, 0.99, 0.97
_ARTICLES = frozenset({"a", "an", "the"})
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof"})
# Where one of these follows the first word of a sentence, that word is its subject.
_AUXILIARIES = frozenset(
    {"is", "was", "can", "cannot", "could", "may", "might", "must", "should", "will", "does", "has"}
)
_SENTENCE_ENDS = frozenset(".!?")
_UP = ("hyper", "tachy", "high", "rais", "elevat", "increas", "excess")
_DOWN = ("hypo", "brady", "low", "reduc", "decreas", "deficien", "lack")


class _Name(NamedTuple):
    term: int
    label: str
    folded: str


class LabelIndex:
    """The labels of a graph's entities and classes, arranged for finding them in text.

    Args:
        graph: its labels (`skos:prefLabel`, `rdfs:label`, `skos:altLabel`, `skos:hiddenLabel`; where a term has none,
            the words of its local name) are the names that link. Predicates do not link.
        encode: texts to unit vectors, shape (num_texts, dim); None leaves the encoder out. The labels are encoded
            once, at the first mention that needs it.
        ordinary: whether a lower-case word is common English, such as a word of an encoder's vocabulary; such words
            are no unlinked names where they only open a sentence. None leaves it to the built-in list.
        settings: thresholds, as `LinkSettings` or as the `[linking]` table of a domain.

    Raises:
        ConfigError: `settings` has an unknown key or a value out of range.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        encode: Encode | None = None,
        ordinary: Callable[[str], bool] | None = None,
        settings: LinkSettings | Mapping[str, object] | None = None,
    ) -> None:
        self.graph = graph
        self._ordinary = ordinary
        self.settings = settings if isinstance(settings, LinkSettings) else LinkSettings.from_table(settings or {})
        self._encode = encode
        self._names: list[_Name] = []
        self._spaced: dict[str, list[int]] = {}
        self._joined: dict[str, list[int]] = {}
        self._vocabulary: set[str] = set()
        self._most_words = 1
        for term, label in nameable_labels(graph):
            self._add(term, label)
        self._spelling = Spelling(
            self._vocabulary,
            min_length=self.settings.min_fuzzy_length,
            threshold=self.settings.fuzzy_threshold,
            margin=self.settings.margin,
        )
        self._relation_words = predicate_words(graph)
        self._distinct = frozenset(stem(word) for word in self.settings.distinct)
        self._endings = _shared_endings(self._names) | frozenset(self.settings.name_endings)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"LabelIndex({len(self._names)} labels)"

    # Linking ----------------------------------------------------------------------------------------------------

    def link(self, mention: str, *, k: int = 5) -> tuple[Candidate, ...]:
        """The terms a mention may name, best first, at most `k`; empty where none is near enough.

        Two candidates within `settings.margin` of each other mean that the mention is ambiguous.
        """
        found = words(mention)
        while found and fold(found[0].text) in _ARTICLES and not self._lookup(mention, found):
            found = found[1:]
        if not found:
            return ()
        span = mention[found[0].start : found[-1].end]
        candidates = (
            self._lookup(span, found)
            or self._fuzzy(found, [self._corrections(word) for word in found])
            or self._similar(span, found)
        )
        return candidates[:k]

    def mentions(self, text: str) -> tuple[Mention, ...]:
        """The spans of a text that link, leftmost and longest, not overlapping, of at most twelve words.

        The encoder takes no part: a span is found by its words, right or misspelt.
        """
        found = words(text)
        corrected = [self._corrections(word) for word in found]
        chosen: list[Mention] = []
        at = 0
        while at < len(found):
            mention = self._longest(text, found, corrected, at)
            if mention is None:
                at += 1
                continue
            chosen.append(mention)
            at = next((i for i in range(at + 1, len(found)) if found[i].start >= mention.end), len(found))
        return tuple(chosen)

    def unlinked(self, text: str) -> tuple[str, ...]:
        """The words of a text that look like names and link to nothing, in order, each once.

        A word looks like a name where it is capitalised inside a sentence, has capitals or digits inside, or ends as
        the names of this graph do and is no ordinary word. Neighbouring capitalised words are one name.
        """
        covered = [(mention.start, mention.end) for mention in self.mentions(text)]
        free = [word for word in words(text) if not any(start <= word.start < end for start, end in covered)]
        opening = _sentence_openings(text)
        following = {a.start: fold(b.text) for a, b in pairwise(words(text))}
        names: list[Word] = []
        for word in free:
            before = names[-1] if names else None
            titled = before is not None and fold(before.text) in _TITLES and _adjoins(text, before, word)
            if not self._is_name(word, word.start in opening, following.get(word.start, ""), titled=titled):
                continue
            if (
                before is not None
                and before.text[0].isupper()
                and word.text[0].isupper()
                and _adjoins(text, before, word)
            ):
                names[-1] = Word(before.start, word.end, text[before.start : word.end])
            else:
                names.append(word)
        return tuple(dict.fromkeys(word.text for word in names if fold(word.text) not in _TITLES))

    def nearest(self, mention: str, *, k: int = 3) -> tuple[str, ...]:
        """The labels that look most like a mention, for messages only: none of them need mean the same."""
        labels = [name.folded for name in self._names]
        near = process.extract(
            " ".join(map(fold, mention.split())), labels, scorer=fuzz.ratio, limit=k, score_cutoff=60
        )
        return tuple(dict.fromkeys(self._names[at].label for _, _, at in near))

    # Names ------------------------------------------------------------------------------------------------------

    def _add(self, term: int, label: str) -> None:
        parts = words(label)
        if not parts:
            return
        at = len(self._names)
        self._names.append(_Name(term, label, " ".join(fold(part.text) for part in parts)))
        stems = tuple(stem(part.text) for part in parts)
        self._vocabulary.update(stems)
        self._most_words = min(max(self._most_words, len(parts), _MAX_JOINED), _MAX_WORDS)
        key = name_key(stems)
        self._spaced.setdefault(" ".join(key), []).append(at)
        joined = "".join(key)
        if len(joined) >= 6 or (len(joined) >= 4 and any(c.isdigit() for c in joined)):
            self._joined.setdefault(joined, []).append(at)
        head, comma, tail = label.partition(", ")
        if comma and ", " not in tail:  # "diabetes mellitus, type 2" is also "type 2 diabetes mellitus"
            turned = name_key(tuple(stem(part.text) for part in words(f"{tail} {head}")))
            self._spaced.setdefault(" ".join(turned), []).append(at)

    def _lookup(self, span: str, found: Sequence[Word]) -> tuple[Candidate, ...]:
        """Candidates whose label has the words of the span, spaced alike or not."""
        stems = name_key(tuple(stem(word.text) for word in found))
        ids = self._spaced.get(" ".join(stems))
        if ids is None and len(found) <= _MAX_JOINED and _may_join(found):
            ids = self._joined.get("".join(stems))
        if ids is None:
            return ()
        folded = " ".join(fold(word.text) for word in found)
        text = " ".join(span.split())
        scored = []
        for at in ids:
            name = self._names[at]
            if len(found) == 1 and not _may_stand_alone(found[0].text, name.label):
                continue
            score = _EXACT if name.label == text else _FOLDED if name.folded == folded else _STEMMED
            scored.append((at, score))
        best = max((score for _, score in scored), default=0.0)
        method: Method = "exact" if best == _EXACT else "normalised"
        return self._candidates(((at, score) for at, score in scored if score == best), method)

    def _fuzzy(self, found: Sequence[Word], corrected: Sequence[tuple[Correction, ...]]) -> tuple[Candidate, ...]:
        """Candidates whose label has the words of the span once misspelt ones are corrected."""
        if not any(corrected):
            return ()
        options = [c or (Correction(stem(word.text), 1.0),) for word, c in zip(found, corrected, strict=True)]
        scored: list[tuple[int, float]] = []
        for chosen in product(*options):
            key = " ".join(name_key(tuple(c.word for c in chosen)))
            scored += [(at, min(c.score for c in chosen)) for at in self._spaced.get(key, ())]
        # Rivals that are near only to each other are no candidates: one reading must be acceptable.
        if max((score for _, score in scored), default=0.0) < self.settings.fuzzy_threshold:
            return ()
        return self._candidates(scored, "fuzzy")

    def _corrections(self, word: Word) -> tuple[Correction, ...]:
        """The words of labels a word may be a misspelling of; none where it is right, ordinary or short."""
        stemmed, folded = stem(word.text), fold(word.text)
        if (
            stemmed in self._vocabulary
            or stemmed in self._joined
            or stemmed in self._distinct
            or folded in self._relation_words
            or is_ordinary(folded)
        ):
            return ()
        return self._spelling.corrections(stemmed)

    def _longest(
        self, text: str, found: Sequence[Word], corrected: Sequence[tuple[Correction, ...]], at: int
    ) -> Mention | None:
        """The longest linking span that begins at a word."""
        last = at + 1
        while last < len(found) and last - at < self._most_words and not _parted(text, found[last - 1], found[last]):
            last += 1
        for end in range(last, at, -1):
            part = found[at:end]
            span = text[part[0].start : part[-1].end]
            candidates = self._lookup(span, part) or self._fuzzy(part, corrected[at:end])
            # A bare number in a text is a quantity, whatever it may be a label of.
            if candidates and not all(word.text.isdigit() for word in part):
                return Mention(part[0].start, part[-1].end, span, candidates, self.settings.margin)
        return None

    def _candidates(self, scored: Iterable[tuple[int, float]], method: Method) -> tuple[Candidate, ...]:
        """One candidate a term, under its best label, best first; ties by term id."""
        best: dict[int, tuple[float, str]] = {}
        for at, score in scored:
            name = self._names[at]
            if name.term not in best or score > best[name.term][0]:
                best[name.term] = (score, name.label)
        order = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))
        return tuple(Candidate(self.graph.dictionary.term(t), label, s, method, t) for t, (s, label) in order)

    # Encoder ----------------------------------------------------------------------------------------------------

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        assert self._encode is not None
        # Texts of like length together, so that an encoder that pads its batches pads little.
        order = sorted(range(len(self._names)), key=lambda at: len(self._names[at].label))
        vectors = _unit_rows(self._encode([self._names[at].label for at in order]), len(order))
        return vectors[np.argsort(order)]

    def _similar(self, span: str, found: Sequence[Word]) -> tuple[Candidate, ...]:
        """Candidates of similar meaning, for mentions of several words that hold no unknown name.

        A single unknown word has no meaning an encoder could know; for a drug name it would be a guess by spelling.
        """
        if self._encode is None or not self._names or len(found) < 2:
            return ()
        if any(
            self._is_name(word, opening=False, following="") and stem(word.text) not in self._vocabulary
            for word in found
        ):
            return ()
        scores = self._vectors @ _unit_rows(self._encode([span]), 1)[0]
        near = np.flatnonzero(scores >= self.settings.encoder_threshold)
        fitting = [(int(at), min(float(scores[at]), 1.0)) for at in near if _agree(span, self._names[at].label)]
        return self._candidates(fitting, "encoder")

    def _is_name(self, word: Word, opening: bool, following: str, *, titled: bool = False) -> bool:
        text, folded = word.text, fold(word.text)
        if titled or (folded in _TITLES and text[0].isupper()):
            return text[0].isupper()
        if len(text) < 3 or folded in self._relation_words or is_ordinary(folded) or not any(map(str.isalpha, text)):
            return False
        if any(map(str.isupper, text[1:])) or (text[0].isupper() and any(map(str.isdigit, text))):
            return True
        ends_like_one = (
            len(folded) >= 6 and folded.endswith(tuple(self._endings)) and stem(text) not in self._vocabulary
        )
        if (opening or text[0].islower()) and self._ordinary is not None and self._ordinary(folded):
            return False
        if text[0].isupper():
            return (
                not opening
                or ends_like_one
                or following in _AUXILIARIES
                or (following in self._relation_words - FUNCTION_WORDS)
            )
        return ends_like_one


def _may_stand_alone(text: str, label: str) -> bool:
    """Whether a single word of a text may be taken for a label, though it may be an ordinary word as well.

    `all` is not ALL (leukaemia), `as` is not AS (stenosis); `ALL` and `copd` link.
    """
    folded = fold(text)
    if folded in FUNCTION_WORDS:
        return len(text) > 1 and is_acronym(text) and text == label
    return not (is_acronym(label) and not text.isupper() and is_ordinary(folded) and text != label)


def _may_join(found: Sequence[Word]) -> bool:
    """Whether words may be read as one: no function word among them (`as a` is not ASA), no number cut in two."""
    if any(fold(word.text) in FUNCTION_WORDS for word in found):
        return False
    return not any(a.text[-1].isdigit() and b.text[0].isdigit() for a, b in pairwise(found))


def _parted(text: str, before: Word, word: Word) -> bool:
    """Whether punctuation between two words keeps them from being one name; the stop of `St. John's` does not."""
    between = text[before.end : word.start]
    return any(c in ";:!?\n" for c in between) or ("." in between and len(before.text) > 3) or len(between) > 4


def _adjoins(text: str, before: Word, word: Word) -> bool:
    return text[before.end : word.start].strip(" .-") == "" and not _parted(text, before, word)


def _sentence_openings(text: str) -> frozenset[int]:
    """Where the first word of each sentence begins."""
    openings, open_next, previous_end = set(), True, 0
    for word in words(text):
        between = text[previous_end : word.start]
        if open_next or any(c in _SENTENCE_ENDS or c == "\n" for c in between):
            openings.add(word.start)
        open_next, previous_end = False, word.end
    return frozenset(openings)


def _shared_endings(names: Sequence[_Name]) -> frozenset[str]:
    """Endings that mark a name, such as `pril`, `xaban`, `ine`: one-word names share them, ordinary words seldom do."""
    single = {n.folded for n in names if n.folded.isalpha() and len(n.folded) >= 6 and not is_ordinary(n.folded)}
    counts = Counter(name[-length:] for name in single for length in (3, 4))
    # Four letters in common are less of a chance than three; both the more so the fewer names there are.
    least = {3: max(3, len(single) // 100), 4: max(2, len(single) // 400)}
    return frozenset(
        ending
        for ending, count in counts.items()
        if count >= least[len(ending)] and count / len(single) >= 2 * ending_share(ending)
    )


def _agree(mention: str, label: str) -> bool:
    """Whether a mention and a label of similar meaning have the same numbers and point the same way.

    Encoders place opposites close together: high and low potassium, type 1 and type 2.
    """
    one, other = ([fold(word.text) for word in words(text)] for text in (mention, label))
    numbers = [{word for word in side if any(c.isdigit() for c in word)} for side in (one, other)]
    if numbers[0] != numbers[1] or any(opposed(a, b) for a in one for b in other):
        return False
    up, down = ([any(word.startswith(way) for word in side) for side in (one, other)] for way in (_UP, _DOWN))
    return not ((up[0] and down[1] and not down[0]) or (down[0] and up[1] and not up[0]))


def _unit_rows(vectors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    if vectors.ndim != 2 or len(vectors) != count:
        raise ValueError(f"Expected encode to give an array of shape ({count}, dim) (got {vectors.shape})")
    return vectors
