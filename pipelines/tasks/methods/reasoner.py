"""Claims in words about a domain: proved or refuted where graph and rules decide, else told by the fusion model.

The full method reads its triple out of the sentence, as `noesis ask` does. The controls are fusion models trained with
less to see, and are given the triple that the sentence is about; `no rules` is the full model without the reasoner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.fusion import ClaimExample, FusionModel, plausibilities, predict_logits
from engine.fusion.config import Mode
from engine.hybrid import Reasoner
from engine.symbolic import Closure, Proof
from engine.verdict import Contradicted, Entailed, Unproven, Verdict
from kg.claims import parse_term
from kg.domain import Domain
from kg.errors import InputError, NotSupportedError
from kg.terms import Triple
from pipelines import build
from pipelines.run import Run
from pipelines.tasks.example import Example
from pipelines.tasks.graph_claims import CHOICES, answer_of
from pipelines.tasks.method import Answer, Control, Route, Theory, check_settings

__all__ = ["ReasonedClaims", "fit"]

_MODES: Mapping[Control, Mode] = {
    "full": "fusion",
    "no rules": "fusion",
    "text only": "text only",
    "graph only": "graph only",
    "shuffled graph": "shuffled graph",
}
_SETTINGS = ("graph", "encoder", "examples")


@dataclass(frozen=True)
class ReasonedClaims:
    """A fusion model, and before it a reasoner where rules are not left out.

    Args:
        hidden: triples of which no model may see the edges.
    """

    closure: Closure
    model: FusionModel
    mode: Mode
    hidden: frozenset[tuple[int, int, int]]
    reasoner: Reasoner | None

    def answer(self, examples: Sequence[Example]) -> list[Answer]:
        """True or false for each claim; no score turns a verdict of the reasoner round."""
        guessed = [answer_of(float(p)) for p in self._chances(examples)]
        if self.reasoner is None:
            return guessed
        verdicts = self.reasoner.ask_many([example.question for example in examples])
        return [self._decided(verdict, guess) for verdict, guess in zip(verdicts, guessed, strict=True)]

    def _decided(self, verdict: Verdict, guess: Answer) -> Answer:
        """What the reasoner decides; the model's guess where it is open, and abstained from where nothing was read."""
        match verdict:
            case Entailed(proof=proof):
                return self._proved(verdict, CHOICES[0], "proved", proof)
            case Contradicted(refutation=proof):
                return self._proved(verdict, CHOICES[1], "refuted", proof)
            case Unproven():
                return guess
        return Answer(guess.choices, guess.probability, "abstained", scores=guess.scores)

    def _proved(self, verdict: Verdict, choice: str, route: Route, proof: Proof) -> Answer:
        triple = verdict.claim.triple
        assumed = () if triple is None else (triple,)  # what was read from the sentence; a refutation rests on it
        return Answer((choice,), 1.0, route, proof, theory=Theory(self.closure.graph, self.closure.rules, assumed))

    def _chances(self, examples: Sequence[Example]) -> NDArray[np.float64]:
        """How likely each sentence is true by the model; shape (num_examples,)."""
        asked = [ClaimExample(e.question, self._ids(e), 0.0, "asked") for e in examples]
        return plausibilities(self.model, predict_logits(self.model, asked, mode=self.mode, hidden=self.hidden))

    def _ids(self, example: Example) -> tuple[int, int, int] | None:
        if example.triple is None:
            raise InputError(f"Expected the triple that a claim is about (got {example.id!r} without one)")
        graph = self.closure.graph
        return graph.encode(Triple(*(parse_term(name, graph.prefixes) for name in example.triple)))


def fit(
    train: Sequence[Example],
    dev: Sequence[Example],
    *,
    control: Control,
    seed: int,
    settings: Mapping[str, Any],
    folder: Path | None = None,
) -> ReasonedClaims:
    """The models of the domain as `noesis train` makes them, its train and development claims among what they learn by.

    Raises:
        NotSupportedError: the edge counter. ConfigError: an unknown setting, or no domain.
    """
    if control not in _MODES:
        raise NotSupportedError(f"Expected a control of {', '.join(_MODES)} (got {control!r})")
    check_settings(settings, _SETTINGS, needed=("graph",))
    given = {name: value for name, value in settings.items() if name != "graph"}
    made = _built(settings["graph"], tuple(given.items()), seed, folder)
    reasoner = None
    if control == "full":
        reasoner = build.reasoner_with(made.domain, made.closure, made.fused, made.fused.encoder, run=made.run)
    mode = _MODES[control]
    return ReasonedClaims(made.closure, made.fused.models[mode], mode, made.hidden, reasoner)


@dataclass(frozen=True)
class _Built:
    """A domain with its models."""

    domain: Domain
    closure: Closure
    fused: build.Fused
    hidden: frozenset[tuple[int, int, int]]
    run: Run
    place: TemporaryDirectory[str] | None
    """Where the run is, if nothing is to be kept of it."""


@lru_cache(maxsize=1)  # the controls of one seed share the models
def _built(graph: Path, given: tuple[tuple[str, Any], ...], seed: int, folder: Path | None) -> _Built:
    domain, closure = build.close(graph)
    config = build.BuildConfig.of(domain, seed=seed, **dict(given))
    place = TemporaryDirectory() if folder is None else None
    run = Run(folder or Path(place.name if place else ""), config.to_dict())
    embedded = build.embed(domain, closure, run, config)
    fused = build.fuse(domain, closure, embedded, run, config)
    parts = [embedded.hidden, embedded.split.validation, embedded.split.test]
    hidden = frozenset((int(s), int(p), int(o)) for part in parts for s, p, o in part)
    return _Built(domain, closure, fused, hidden, run, place)
