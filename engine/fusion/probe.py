"""A learnt reader of claims: logistic regression on the states of a frozen encoder, which is known as a *probe*.

The features of a masked sentence are the encoder's states at its two arguments and their mean over the sentence, in
four layers. A probe needs some hundreds of exemplars. It tells apart wordings that differ only in direction or degree
("A raises B", "A is raised by B"), which likeness as a whole does not, learns what denies, and learns when nothing is
stated. It has the form of `kg.reading.Reader`, so that nothing else knows which of the two reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from rdflib import URIRef
from torch import Tensor, nn

from embeddings.store import read_store, write_store
from kg.dictionary import Dictionary
from kg.errors import StoreError
from kg.reading import Exemplar, Masked, Reading, Scores, is_negative
from kg.terms import term_key

if TYPE_CHECKING:
    from engine.fusion.encoder import Encoder

__all__ = ["ProbeReader"]

_KIND = "reader"
_PARITY = 3.0
"""Weight of the negations' parity beside standardised features; 1 to 5 did alike on held-out writers."""
_DENIALS = 3.0
"""Weight of a sentence that denies, as about one in six does."""


class ProbeReader:
    """Reads by one probe for the relation and one for whether it is denied.

    Args:
        encoder: gives the states.
        readings: what is told apart, in the order of the rows of the first probe.
        weights: mean and scale of the features and the probes' weights and biases, by name.
    """

    threshold = 0.15

    def __init__(
        self, encoder: Encoder, readings: Sequence[Reading], weights: Mapping[str, NDArray[np.float32]]
    ) -> None:
        self.encoder, self.readings, self.weights = encoder, tuple(readings), dict(weights)

    @classmethod
    def fit(
        cls,
        encoder: Encoder,
        exemplars: Sequence[Exemplar],
        *,
        penalty: float = 0.01,
        steps: int = 100,
        progress: Callable[[int, int], None] | None = None,
    ) -> ProbeReader:
        """The probes learnt from exemplars.

        Args:
            penalty: of the squared weights, beside the mean loss; 0.001 to 0.01 did alike on held-out writers.
            steps: of L-BFGS at most.
            progress: called with the parts done and their number: states, first probe, second probe.
        """
        done = progress or (lambda part, parts: None)
        done(0, 3)
        readings = tuple(dict.fromkeys(exemplar.reading for exemplar in exemplars))
        number = {reading: at for at, reading in enumerate(readings)}
        masked = [exemplar.masked for exemplar in exemplars]
        raw = torch.from_numpy(_states(encoder, masked))
        done(1, 3)
        mean, scale = raw.mean(0), raw.std(0) + 1e-6
        features = (raw - mean) / scale
        labels = torch.tensor([number[exemplar.reading] for exemplar in exemplars])
        reading = _fit(features, labels, torch.ones(len(labels)), len(readings), penalty, steps)
        done(2, 3)
        stated = torch.tensor([exemplar.reading.relation is not None for exemplar in exemplars])
        denied = torch.tensor([int(not exemplar.positive) for exemplar in exemplars])
        with_parity = torch.cat([features, torch.from_numpy(_parity(masked))], dim=1)[stated]
        weight = torch.where(denied == 1, _DENIALS, 1.0)[stated]
        denial = _fit(with_parity, denied[stated], weight, 2, penalty, steps)
        done(3, 3)
        parts = {"mean": mean, "scale": scale}
        for name, probe in (("reading", reading), ("denial", denial)):
            parts |= {f"{name}.weight": probe.weight.detach(), f"{name}.bias": probe.bias.detach()}
        return cls(encoder, readings, {name: part.numpy() for name, part in parts.items()})

    def read(self, sentences: Sequence[Masked]) -> Scores:
        """The probability of each reading, and whether the sentence denies what it reads."""
        weights = self.weights
        features = (_states(self.encoder, sentences) - weights["mean"]) / weights["scale"]
        logits = features @ weights["reading.weight"].T + weights["reading.bias"]
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
        scores = (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float64)
        denial = np.concatenate([features, _parity(sentences)], axis=1) @ weights["denial.weight"].T
        denial += weights["denial.bias"]
        return Scores(scores, np.repeat(denial[:, 1:] > denial[:, :1], len(self.readings), axis=1))

    def save(self, folder: str | Path) -> None:
        """Write the reader to a folder, all or nothing; the encoder is named, not copied.

        Raises:
            StoreError: something else is in the folder, or it cannot be written.
        """
        readings = [[r.relation, r.head_first, None if r.value is None else term_key(r.value)] for r in self.readings]
        document = {"encoder": self.encoder.identity, "readings": readings}
        write_store(folder, kind=_KIND, tensors=self.weights, document=document)

    @classmethod
    def load(cls, folder: str | Path, encoder: Encoder) -> ProbeReader:
        """Read a reader back.

        Raises:
            StoreError: a file is missing or was altered, or the encoder is not the one it was learnt with.
        """
        tensors, document = read_store(folder, kind=_KIND)
        try:
            known = document["encoder"]
            terms = Dictionary()
            readings = [
                Reading(
                    None if relation is None else URIRef(relation),
                    bool(head_first),
                    None if value is None else terms.term(terms.intern_key(value)),
                )
                for relation, head_first, value in document["readings"]
            ]
            shapes = (tensors["reading.weight"].shape[0], tensors["denial.weight"].shape[0])
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"Expected the document of a reader in {folder} ({error!r}); make it again") from error
        if known["sha256"] != encoder.fingerprint or shapes != (len(readings), 2):
            raise StoreError(f"Expected {folder} to be learnt with the encoder {encoder.name!r}; make it again")
        return cls(encoder, readings, tensors)


def _fit(features: Tensor, labels: Tensor, weight: Tensor, classes: int, penalty: float, steps: int) -> nn.Linear:
    """Multinomial logistic regression by L-BFGS, from zero, so that it is the same each time."""
    probe = nn.Linear(features.shape[1], classes)
    nn.init.zeros_(probe.weight)
    nn.init.zeros_(probe.bias)
    optimiser = torch.optim.LBFGS(
        probe.parameters(), max_iter=steps, history_size=10, line_search_fn="strong_wolfe", tolerance_change=1e-6
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        each = nn.functional.cross_entropy(probe(features), labels, reduction="none")
        found = (weight * each).sum() / weight.sum() + penalty * probe.weight.square().sum()
        found.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return found

    optimiser.step(loss)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return probe


def _states(encoder: Encoder, sentences: Sequence[Masked]) -> NDArray[np.float32]:
    return encoder.states_at([sentence.text for sentence in sentences], [sentence.places for sentence in sentences])


def _parity(sentences: Sequence[Masked]) -> NDArray[np.float32]:
    """One column: whether a sentence has an odd number of negations, weighted."""
    return np.array([_PARITY * is_negative(sentence.text) for sentence in sentences], dtype=np.float32).reshape(-1, 1)
