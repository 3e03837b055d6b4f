"""`read_triples`: the candidate triples of passages, by a pair extractor and its windows."""

from __future__ import annotations

from collections.abc import Sequence

from engine.extraction.candidates import CandidateTriple
from engine.extraction.pairs import PairExtractor
from engine.extraction.passages import windows_of

__all__ = ["read_triples"]


def read_triples(
    extractor: PairExtractor, passages: Sequence[str], *, least: float = 0.05
) -> list[list[CandidateTriple]]:
    """The triples that each passage may tell, by where they are told.

    Args:
        extractor: what reads the windows: each sentence, and each two in a row. Of one triple the most confident
            window counts.
        passages: texts with names in brackets.
        least: a relation that is less probable in all windows is no candidate; in [0, 1].

    Raises:
        LimitError: a window has too many names or tokens.
    """
    windows = [windows_of(passage) for passage in passages]
    read = iter(extractor.probabilities([window for own in windows for window in own]))
    found = []
    for own in windows:
        best: dict[tuple[str, str, str], CandidateTriple] = {}
        for window in own:
            for (head, tail), row in next(read).items():
                for relation, probability in zip(extractor.relations, row[1:].tolist(), strict=True):
                    known = best.get((head, relation, tail))
                    if probability >= least and (known is None or probability > known.confidence):
                        best[head, relation, tail] = CandidateTriple(
                            head,
                            relation,
                            tail,
                            confidence=probability,
                            sentence=window.sentences[0],
                            through=window.sentences[-1] if len(window.sentences) > 1 else None,
                        )
        found.append(list(best.values()))
    return found
