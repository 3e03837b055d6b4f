"""Theories in English: sentences are read as triples and rules, closed, and statements answered with a proof.

Settings: `world`, "open" (the default) or "closed"; `reader`, "learnt" (the default) or "patterns"; `patterns`, the
file of declared patterns; `encoder`, a name or folder; `passages` and `passes`, how much the choice among ways to read
learns from; and, under `statements`, what a `StatementConfig` takes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine.extraction.candidates import CandidateTriple
from engine.extraction.denotation import Asked, PatternReader, fit_patterns, supervise
from engine.extraction.parse import sentences_of, words_of
from engine.extraction.patterns import load_patterns
from engine.extraction.theory import Conclusion, Read, Theory, World, conclude
from engine.symbolic import RuleSet
from kg.errors import ConfigError, NotSupportedError
from pipelines.tasks.example import Example
from pipelines.tasks.method import Answer, Control, Method, Route, check_settings
from pipelines.tasks.method import Theory as ProofTheory

if TYPE_CHECKING:
    from engine.extraction.statements import StatementReader

__all__ = ["SentenceReader", "TextMethod", "TheoryMethod", "answer_of", "asked", "fit", "learnt_reader"]

_LOG = logging.getLogger(__name__)
PATTERNS = Path(__file__).parents[3] / "data" / "vocabulary" / "statements.toml"
"""The declared patterns of a checkout."""
_HAS: tuple[Control, ...] = ("full", "text only", "no rules")
_VALUES = {"True": True, "False": False, "Unknown": None}
_CHOICES = {value: choice for choice, value in _VALUES.items()}
_DEFAULTS: Mapping[str, Any] = {
    "world": "open",
    "reader": "learnt",
    "patterns": PATTERNS,
    "encoder": None,
    "passages": 800,
    "passes": 10,
    "statements": {},
}


class SentenceReader(Protocol):
    """Reads sentences as triples and rules: by patterns, or as it has learnt."""

    def read(self, texts: Sequence[str]) -> list[Read]:
        """What each sentence states."""


@dataclass(frozen=True)
class TheoryMethod:
    """Answers by closure.

    Where a proof is found the route is `proved` or `refuted`. An answer that rests on an absence (Unknown, or False in
    a closed world) is `predicted`: there is nothing to replay. Where a sentence was not read and an answer may depend
    on it, the answer is Unknown, or none where that is no choice, and the route `abstained`.

    Args:
        reader: of the sentences. world: what an absence means. rules: False leaves the rules out.
    """

    reader: SentenceReader
    world: World = "open"
    rules: bool = True

    def answer(self, examples: Sequence[Example]) -> list[Answer]:
        """One answer an example, in their order."""
        pairs = zip(examples, self.conclude(examples), strict=True)
        return [answer_of(conclusion, example.choices) for example, conclusion in pairs]

    def conclude(self, examples: Sequence[Example]) -> list[Conclusion]:
        """What follows for each example, in their order; examples of one passage share a theory."""
        passages = {passage: sentences_of(passage) for passage in dict.fromkeys(e.passage for e in examples)}
        texts = dict.fromkeys([*(t for row in passages.values() for t in row), *(e.question for e in examples)])
        reads = dict(zip(texts, self.reader.read(list(texts)), strict=True))
        rows: dict[str, list[int]] = {passage: [] for passage in passages}
        for at, example in enumerate(examples):
            rows[example.passage].append(at)
        theories = [
            Theory(
                tuple(self._kept(reads[text]) for text in passages[passage]),
                tuple(reads[examples[at].question] for at in row),
            )
            for passage, row in rows.items()
        ]
        found = conclude(theories, world=self.world)
        order = [at for row in rows.values() for at in row]
        by_example = dict(zip(order, (conclusion for part in found for conclusion in part), strict=True))
        return [by_example[at] for at in range(len(examples))]

    def _kept(self, read: Read) -> Read:
        if self.rules:
            return read
        return replace(read, statements=tuple(s for s in read.statements if isinstance(s, CandidateTriple)))


@dataclass(frozen=True)
class TextMethod:
    """Answers by a classifier of passage and question, without triples, rules or proofs.

    Args:
        classifier: see `PassageClassifier`.
    """

    classifier: Any

    def answer(self, examples: Sequence[Example]) -> list[Answer]:
        """One answer an example, in their order."""
        passages = [sentences_of(example.passage) for example in examples]
        chances = self.classifier.probabilities(passages, [example.question for example in examples])
        names = self.classifier.choices
        return [
            Answer((names[row.argmax()],), float(row.max()), scores=dict(zip(names, row.tolist(), strict=True)))
            for row in chances
        ]


def fit(
    train: Sequence[Example], dev: Sequence[Example], *, control: Control, seed: int, settings: Mapping[str, Any]
) -> Method:
    """The method, learnt from the answers of `train`; `dev` is not used.

    Raises:
        NotSupportedError: a control other than full, text only and no rules.
        ConfigError: an unknown setting or value; an answer of `train` other than True, False and Unknown.
    """
    if control not in _HAS:
        raise NotSupportedError(f"Expected one of the controls {', '.join(_HAS)} for theories (got {control!r})")
    made = _settings(settings)
    if control == "text only":
        return _text_only(train, made, seed)
    passages = asked(train)
    declared = fit_patterns(
        load_patterns(made["patterns"]),
        passages[: made["passages"]],
        world=made["world"],
        passes=made["passes"],
        seed=seed,
        progress=_log,
    )
    reader = declared if made["reader"] == "patterns" else learnt_reader(declared, passages, made, seed=seed)
    return TheoryMethod(reader, made["world"], rules=control == "full")


def learnt_reader(
    declared: PatternReader, passages: Sequence[Asked], settings: Mapping[str, Any] | None = None, *, seed: int = 0
) -> StatementReader:
    """A reader that learns the parses by which the answers of the passages come out right.

    Args:
        declared: gives the parses. passages: with answers. settings: as for `fit`. seed: of all that is drawn.
    """
    from engine.extraction.statements import StatementConfig, StatementReader
    from engine.fusion.encoder import resolve_encoder

    made = _settings(settings or {})
    sentences = supervise(declared, passages, world=made["world"])
    _LOG.info("%d sentences of %d passages kept", len(sentences), len(passages))
    known = {word for sentence in sentences for word in words_of(sentence.text)}
    encoder = resolve_encoder(made["encoder"])
    return StatementReader.fit(
        encoder,
        sentences,
        StatementConfig(**{"seed": seed, **made["statements"]}),
        words=_other_words(encoder, known | declared.patterns.closed),
        fixed=declared.patterns.closed,
        progress=lambda epoch, loss: _LOG.info("epoch %d over the sentences: loss %.4f", epoch, loss),
    )


def asked(examples: Sequence[Example]) -> list[Asked]:
    """The passages of examples, each with its questions and answers.

    Raises:
        ConfigError: an answer is not True, False or Unknown.
    """
    rows: dict[str, list[Example]] = {}
    for example in examples:
        if len(example.answers) != 1 or example.answers[0] not in _VALUES:
            told = ", ".join(_VALUES)
            raise ConfigError(f"Expected an answer among {told} (got {example.answers} in {example.id!r})")
        rows.setdefault(example.passage, []).append(example)
    return [
        Asked(
            tuple(sentences_of(passage)),
            tuple(example.question for example in row),
            tuple(_VALUES[example.answers[0]] for example in row),
        )
        for passage, row in rows.items()
    ]


def _settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    check_settings(settings, sorted(_DEFAULTS))
    made = {**_DEFAULTS, **settings}
    if made["world"] not in ("open", "closed") or made["reader"] not in ("learnt", "patterns"):
        raise ConfigError(
            "Expected the world 'open' or 'closed' and the reader 'learnt' or 'patterns' "
            f"(got {made['world']!r} and {made['reader']!r})"
        )
    return made


def _text_only(train: Sequence[Example], settings: Mapping[str, Any], seed: int) -> TextMethod:
    from engine.extraction.passage_classifier import PassageClassifier
    from engine.fusion.encoder import resolve_encoder

    passages = [sentences_of(example.passage) for example in train]
    questions, answers = [example.question for example in train], [example.answers[0] for example in train]
    encoder = resolve_encoder(settings["encoder"])
    return TextMethod(PassageClassifier.fit(encoder, passages, questions, answers, seed=seed))


def _other_words(encoder: Any, known: set[str] | frozenset[str]) -> list[str]:
    """Words of the encoder's vocabulary that the sentences do not have."""
    vocabulary = encoder.tokenizer.get_vocab() if hasattr(encoder.tokenizer, "get_vocab") else {}
    return sorted(
        w for w in vocabulary if len(w) > 2 and w.isascii() and w.isalpha() and w.islower() and w not in known
    )


def answer_of(conclusion: Conclusion, choices: Sequence[str]) -> Answer:
    """A conclusion as the answer to an example with these choices (see `TheoryMethod`)."""
    given = (_CHOICES[conclusion.value],) if _CHOICES[conclusion.value] in choices else ()
    if conclusion.fault or not given:
        return Answer(given, 1 / max(len(choices), 1), route="abstained", sentences=conclusion.sentences)
    routes: dict[bool | None, Route] = {True: "proved", False: "refuted"}
    route: Route = "predicted" if conclusion.proof is None else routes[conclusion.value]
    theory = None
    if conclusion.closure is not None:
        theory = ProofTheory(conclusion.closure.graph, RuleSet(conclusion.rules))
    return Answer(
        given,
        conclusion.probability,
        route=route,
        proof=conclusion.proof,
        sentences=conclusion.sentences,
        theory=theory,
    )


def _log(number: int, right: float) -> None:
    _LOG.info("pass %d over the ways to read: %.4f of the answers right", number + 1, right)
