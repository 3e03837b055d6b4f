"""How two names of a passage are related: triples read from its windows, chained by learnt rules.

A pair extractor and the rules are learnt from what the training examples tell; the answer is the relation with the best
proof (`engine.extraction.chaining`). The extractor is taught both directions of a pair by the learnt inverses, so
compositions are all that is chained: with attributes and inverses answers were no better and took three times as long.
The probability is a logistic regression on the weight of the proof and on how far it is above that of any other
relation, fitted on development examples.

Settings: `encoder`, by name or folder; `folder`, where trained extractors are kept (`pairs`, and `passages` for "text
only") and taken from where they are there; `pairs`, a table for `PairConfig`; `idle`, windows that tell nothing new for
each other one (`pair_examples`); `least`, the probability that makes a candidate; `risk`, most wrong among the answers
given, by which the threshold is chosen on the development examples.

Examples are as `pipelines.tasks.adapters.clutrr` reads them: names in brackets, the query as question.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # it has no types

from engine.extraction.candidates import CandidateRule, CandidateTriple
from engine.extraction.chaining import Chained, PairQuestion, chain
from engine.extraction.compositions import learn_rules
from engine.extraction.lessons import Lesson, pair_examples
from engine.extraction.pair_store import load_pairs, save_pairs
from engine.extraction.pair_training import train_pairs
from engine.extraction.pairs import PairConfig, PairExample, PairExtractor
from engine.extraction.passages import Window
from engine.extraction.reading import read_triples
from engine.fusion.encoder import Encoder, resolve_encoder
from kg.errors import ConfigError, InputError, NotSupportedError
from pipelines.tasks.example import Example
from pipelines.tasks.method import Answer, Control, Method, Theory, check_settings
from pipelines.tasks.routes import threshold_for

__all__ = ["ChainedRelations", "PairsAlone", "StoryClassifier", "fit", "lesson_of", "query_of"]

_CONTROLS: tuple[Control, ...] = ("full", "text only", "no rules")
_FLOOR = 1e-4
"""Weight that the second best relation has at the least, so that no answer is infinitely sure."""
_FEWEST = 20  # development examples that a regression is fitted to


@dataclass(frozen=True)
class _Settings:
    encoder: str | None = None
    folder: str | None = None
    pairs: Mapping[str, Any] | None = None
    idle: float = 0.25
    least: float = 0.1
    risk: float = 0.05

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> _Settings:
        check_settings(values, cls.__dataclass_fields__)
        found = cls(**values)
        for name in ("least", "risk"):
            if not 0 < getattr(found, name) < 1:
                raise ConfigError(f"Expected the setting {name} in (0, 1) (got {getattr(found, name)})")
        return found


def fit(
    train: Sequence[Example],
    dev: Sequence[Example],
    *,
    control: Control = "full",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> Method:
    """The method, or a control: "text only" classifies the passage with the query marked, by the same encoder and as
    many passages; "no rules" asks the extractor about the query pair alone.

    Raises:
        NotSupportedError: another control; there is no graph here but the one that is read from the text.
        InputError: training examples without supervision.
        ConfigError: an unknown setting, or one out of its range.
    """
    if control not in _CONTROLS:
        raise NotSupportedError(
            f"Expected a control of {', '.join(_CONTROLS)} for stories without a graph (got {control})"
        )
    chosen = _Settings.of(settings or {})
    encoder = resolve_encoder(chosen.encoder)
    config = replace(PairConfig.from_dict(chosen.pairs or {}), seed=seed)
    usual = Counter(example.answers[0] for example in train).most_common(1)[0][0]
    lessons = [lesson_of(example) for example in train]
    rules = learn_rules(lessons)

    def examples() -> list[PairExample]:
        if control == "text only":
            return [
                PairExample(Window.of(example.passage), {query_of(example): example.answers[0]}) for example in train
            ]
        return pair_examples(lessons, rules.backwards, idle=chosen.idle)

    folder = Path(chosen.folder) / ("passages" if control == "text only" else "pairs") if chosen.folder else None
    extractor = _extractor(encoder, examples, config, folder)
    found: ChainedRelations | PairsAlone | StoryClassifier
    if control == "text only":
        found = StoryClassifier(extractor, usual)
    elif control == "no rules":
        found = PairsAlone(extractor, usual, chosen.least)
    else:
        found = ChainedRelations(extractor, usual, chosen.least, rules.composed())
    found.calibrate(dev, chosen.risk)
    return found


def lesson_of(example: Example) -> Lesson:
    """What an example tells, for training.

    Raises:
        InputError: it has no supervision.
    """
    told: Mapping[str, Any] = example.supervision
    if "triples" not in told:
        raise InputError(
            f"Expected the supervision 'triples' of the training example {example.id!r} (got {list(told)})"
        )
    return Lesson(example.passage, told["triples"], told.get("steps", ()), told.get("attributes", {}), example.group)


def query_of(example: Example) -> tuple[str, str]:
    """The two names that an example asks about.

    Raises:
        InputError: the question is not two names.
    """
    head, comma, tail = example.question.partition(", ")
    if not comma:
        raise InputError(
            f"Expected two names such as 'Ann, Bob' as the question of {example.id!r} (got {example.question!r})"
        )
    return head, tail


def _extractor(
    encoder: Encoder, examples: Callable[[], list[PairExample]], config: PairConfig, folder: Path | None
) -> PairExtractor:
    if folder is not None and (folder / "manifest.json").is_file():
        return load_pairs(folder, encoder=encoder)
    extractor = train_pairs(encoder, examples(), config)
    if folder is not None:
        save_pairs(extractor, folder)
    return extractor


class _Calibrated:
    """A method whose scores become probabilities, and which abstains where these are low."""

    def __init__(self, usual: str) -> None:
        self.usual = usual
        self.regression: LogisticRegression | None = None
        self.threshold = 0.0

    def scored(self, examples: Sequence[Example]) -> list[Answer]:
        """The answers, with the weight or probability of each relation as scores; abstained where nothing is told."""
        raise NotImplementedError

    def calibrate(self, examples: Sequence[Example], risk: float) -> None:
        """Fit the probability to whether answers are right, and the threshold to the most that may be wrong."""
        answers = [(a, a.choices[0] in e.answers) for a, e in zip(self.scored(examples), examples, strict=True)]
        told = [(answer, right) for answer, right in answers if answer.scores]
        right = np.array([each for _, each in told], dtype=bool)
        if len(right) < _FEWEST or right.all() or not right.any():  # nothing to tell right from wrong by
            return
        features = np.array([_features(answer.scores) for answer, _ in told])
        self.regression = LogisticRegression(C=10.0).fit(features, right)
        chance = np.array([self._probability(answer) for answer, _ in told])
        self.threshold = threshold_for(chance, right, risk)

    def answer(self, examples: Sequence[Example]) -> list[Answer]:
        """The answers, with calibrated probabilities; the most frequent relation of training where nothing is told."""
        return self.sure(self.scored(examples))

    def sure(self, answers: Sequence[Answer]) -> list[Answer]:
        """Answers with their scores, calibrated and abstained from where the probability is below the threshold."""
        found = []
        for answer in answers:
            chance = self._probability(answer)
            given = bool(answer.scores) and chance >= self.threshold
            found.append(replace(answer, probability=chance, route=answer.route if given else "abstained"))
        return found

    def _probability(self, answer: Answer) -> float:
        if not answer.scores or self.regression is None:
            return answer.probability
        return float(self.regression.predict_proba(np.array([_features(answer.scores)]))[0, 1])

    def _answer(self, scores: Mapping[str, float], **evidence: Any) -> Answer:
        if not scores:
            return Answer((self.usual,), 0.0, "abstained")
        best = max(scores, key=lambda relation: scores[relation])
        return Answer((best,), scores[best] / sum(scores.values()), scores=scores, **evidence)


def _features(scores: Mapping[str, float]) -> tuple[float, float]:
    """The logarithm of the best weight, and how far it is above the second best one."""
    best, second = sorted((*scores.values(), _FLOOR, _FLOOR), reverse=True)[:2]
    return math.log(max(best, _FLOOR)), math.log(max(best, _FLOOR) / max(second, _FLOOR))


class ChainedRelations(_Calibrated):
    """Reads, chains and proves.

    Args:
        extractor: reads candidates. rules: chain them. least: probability that makes a candidate.
        usual: the answer where nothing follows.
    """

    def __init__(self, extractor: PairExtractor, usual: str, least: float, rules: Sequence[CandidateRule]) -> None:
        super().__init__(usual)
        self.extractor, self.rules, self.least = extractor, tuple(rules), least

    def read(self, examples: Sequence[Example]) -> list[list[CandidateTriple]]:
        """The candidate triples of each passage."""
        return read_triples(self.extractor, [example.passage for example in examples], least=self.least)

    def chained(self, examples: Sequence[Example]) -> list[Chained]:
        """What follows between the names of each query."""
        questions = [
            PairQuestion(hashlib.sha256(example.passage.encode()).hexdigest()[:16], *query_of(example), candidates)
            for example, candidates in zip(examples, self.read(examples), strict=True)
        ]
        return chain(questions, self.rules)

    def scored(self, examples: Sequence[Example]) -> list[Answer]:
        """The relation with the best proof."""
        return self.told(self.chained(examples))

    def told(self, chained: Sequence[Chained]) -> list[Answer]:
        """What follows, as answers that are not calibrated yet."""
        return [
            self._answer(
                one.scores,
                route="proved",
                proof=one.proof,
                sentences=one.sentences,
                theory=Theory(one.closure.graph, one.closure.rules),
            )
            for one in chained
        ]


class PairsAlone(_Calibrated):
    """The extractor asked about the query pair, without rules."""

    def __init__(self, extractor: PairExtractor, usual: str, least: float) -> None:
        super().__init__(usual)
        self.extractor, self.least = extractor, least

    def scored(self, examples: Sequence[Example]) -> list[Answer]:
        """The relation that a window tells of the pair."""
        read = read_triples(self.extractor, [example.passage for example in examples], least=self.least)
        return [
            self._answer({c.relation: c.confidence for c in candidates if (c.head, c.tail) == query_of(example)})
            for example, candidates in zip(examples, read, strict=True)
        ]


class StoryClassifier(_Calibrated):
    """The encoder that reads the whole passage and tells the relation of the query pair."""

    def __init__(self, extractor: PairExtractor, usual: str) -> None:
        super().__init__(usual)
        self.extractor = extractor

    def scored(self, examples: Sequence[Example]) -> list[Answer]:
        """The most probable relation; "none" is left out."""
        read = self.extractor.probabilities([Window.of(example.passage) for example in examples])
        rows = [
            cast(NDArray[np.float32], own.get(query_of(example))) for own, example in zip(read, examples, strict=True)
        ]
        relations = self.extractor.relations
        return [
            self._answer({} if row is None else dict(zip(relations, row[1:].tolist(), strict=True))) for row in rows
        ]
