"""What relation a wording states: sentences whose arguments are masked, and exemplars to compare them with.

An *exemplar* is a masked sentence whose reading is known, "drug A slows the clearance of drug B". `NearestReader`
compares a sentence with every exemplar, so a handful of them is enough; it needs nothing but words, and is better with
an encoder. Where there are hundreds, `engine.fusion.probe` learns to read from the encoder's states.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from rdflib import URIRef
from rdflib.term import Node

__all__ = ["Exemplar", "Masked", "NearestReader", "Reader", "Reading", "Scores", "is_negative"]

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
_WORD = re.compile(r"[a-z0-9]+|n't")


class Reading(NamedTuple):
    """What a wording states.

    Args:
        relation: the predicate; None where the sentence states no relation between its arguments.
        head_first: whether the head is named before the tail.
        value: the tail where the sentence does not name it but says it in words of its own; else None.
    """

    relation: URIRef | None
    head_first: bool = True
    value: Node | None = None


class Masked(NamedTuple):
    """A sentence with its arguments as kind and letter, and the characters at which the letters stand."""

    text: str
    places: tuple[int, ...]


class Exemplar(NamedTuple):
    """A masked sentence whose reading is known; `positive` is false where it denies what the reading says."""

    masked: Masked
    reading: Reading
    positive: bool = True


@dataclass(frozen=True)
class Scores:
    """How well masked sentences fit each reading of a reader.

    Args:
        scores: in [0, 1]; shape (num_sentences, num_readings).
        denies: whether the sentence would deny the reading; the same shape.
    """

    scores: NDArray[np.float64]
    denies: NDArray[np.bool_]


class Reader(Protocol):
    """Something that reads masked sentences.

    Args:
        readings: what it tells apart.
        threshold: the score from which on a reading counts as recognised.
    """

    readings: tuple[Reading, ...]
    threshold: float

    def read(self, sentences: Sequence[Masked]) -> Scores:
        """How well each sentence fits each reading."""
        ...


def is_negative(text: str) -> bool:
    """Whether a text has an odd number of negations."""
    return len(_NEGATION.findall(_NO_DENIAL.sub(" ", text))) % 2 == 1


# ---------------------------------------------------------------- nearest


class NearestReader:
    """Reads by the nearest exemplars; likeness is the cosine of embeddings together with the overlap of weighted words.

    Args:
        exemplars: the wordings that are known.
        encode: texts to unit rows of shape (num_texts, dim); None compares words alone.
        lexical: share of the words in the likeness, in [0, 1]; the rest is the encoder's cosine.
        regression: share of kernel ridge regression in the score, in [0, 1]; the rest is the nearest exemplar's
            likeness. The first tells apart wordings that are alike and mean different things, the second says whether
            the wording is known at all.
        ridge: penalty of the regression; larger values trust single exemplars less.
    """

    threshold = 0.45

    def __init__(
        self,
        exemplars: Sequence[Exemplar],
        encode: Encode | None = None,
        *,
        lexical: float = 0.2,
        regression: float = 0.2,
        ridge: float = 0.3,
    ) -> None:
        self.exemplars, self.encode = tuple(exemplars), encode
        self.lexical, self.regression, self.ridge = lexical, regression, ridge
        self.readings = tuple(dict.fromkeys(exemplar.reading for exemplar in exemplars))

    def read(self, sentences: Sequence[Masked]) -> Scores:
        """How well each sentence fits each reading; it denies one whose exemplars differ from it by a negation.

        A long sentence is also compared without what stands far from its arguments; the better likeness counts.
        """
        texts = [sentence.text for sentence in sentences]
        near = [_near_arguments(sentence) for sentence in sentences]
        likeness = np.maximum(*(self._space.likeness(self._space.embed(read)) for read in (texts, near)))
        kinds, number = self._kinds
        nearest = np.zeros((len(texts), len(kinds)))
        np.maximum.at(nearest.T, number, likeness.T)
        scores = (1 - self.regression) * nearest + self.regression * (likeness @ self._weights)
        # A reading has up to two kinds: exemplars that say it, and exemplars that say it turned by a negation.
        best = np.zeros((len(texts), len(self.readings)))
        denies = np.zeros(best.shape, dtype=bool)
        negative = np.array([is_negative(text) for text in texts], dtype=bool)
        at = {reading: column for column, reading in enumerate(self.readings)}
        for column, (reading, turned) in enumerate(kinds):
            target = at[reading]
            better = scores[:, column] > best[:, target]
            best[better, target] = scores[better, column]
            denies[better, target] = negative[better] != turned
        return Scores(np.clip(best, 0, 1), denies)

    @cached_property
    def _space(self) -> _Space:
        return _Space([exemplar.masked.text for exemplar in self.exemplars], self.encode, self.lexical)

    @cached_property
    def _kinds(self) -> tuple[list[tuple[Reading, bool]], NDArray[np.int64]]:
        """Readings, each with whether a negation asserts it; and for each exemplar the number of its own."""
        every = [(e.reading, e.positive == is_negative(e.masked.text)) for e in self.exemplars]
        numbers = {kind: number for number, kind in enumerate(dict.fromkeys(every))}
        return list(numbers), np.array([numbers[kind] for kind in every], dtype=np.int64)

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        """Kernel ridge regression from the exemplars to their kinds; shape (num_exemplars, num_kinds)."""
        kinds, number = self._kinds
        kernel = self._space.likeness(self._space.rows)
        weights = np.linalg.solve(kernel + self.ridge * np.eye(len(kernel)), np.eye(len(kinds))[number])
        return np.asarray(weights, dtype=np.float64)


def _near_arguments(masked: Masked) -> str:
    """A masked text from five words before its first argument to four after its last."""
    text, places = masked
    before, after = text[: places[0]].split(), text[places[-1] + 1 :].split(maxsplit=4)
    head = " ".join(before[-6:]) + " "
    middle = text[places[0] : places[-1] + 1]
    joined = text[places[-1] + 1 : places[-1] + 2].strip()  # a comma or an apostrophe after the letter
    tail = " ".join(after[:4])
    return f"{head}{middle}{'' if joined else ' '}{tail}".rstrip()


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


def _words(text: str) -> Counter[str]:
    """The words of a text and its pairs of neighbouring words, stems by cutting common endings."""
    words = [_stem(word) for word in _WORD.findall(text.lower().replace("’", "'"))]
    return Counter([*words, *(f"{a} {b}" for a, b in pairwise(words))])


def _stem(word: str) -> str:
    for ending in ("ations", "ation", "ings", "ing", "ised", "ized", "ises", "izes", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word
