"""What speaks for a triple, by where it comes from: the graph, an embedding, mined rules, texts, both together.

Nothing here has seen a claim that is measured: it is learnt from the graph's own triples, and each part is made when it
is first asked for. Rows are kept, as folds and controls ask for the same triples again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embeddings import Embedding, EmbeddingConfig, load_embedding, train_embedding, triples_fingerprint
from embeddings.evidence import embedding_evidence, graph_evidence
from embeddings.text_evidence import text_evidence
from engine.fusion import ClaimExample, FusionConfig, FusionModel, generate_examples, predict_logits, train_fusion
from engine.fusion.config import Mode
from engine.fusion.encoder import resolve_encoder
from engine.mining import RulePredictor, mine_rules
from engine.symbolic import materialise
from kg.benchmark import Benchmark, load_benchmark
from pipelines.run import Run, key_of
from pipelines.tasks.graph_claims import description, passage, statement

if TYPE_CHECKING:
    from engine.fusion import Encoder

__all__ = ["EvidenceSettings", "Source", "TripleEvidence", "edge_counts"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int32]
Source: TypeAlias = Literal["relation", "edges", "graph", "embedding", "rules", "text", "fusion", "read text"]


@dataclass(frozen=True, kw_only=True)
class EvidenceSettings:
    """What is learnt from the graph, and how it is weighed.

    Args:
        graph: the folder of a benchmark. models, dim, epochs: of the embeddings.
        claims: how many claims the fusion model is trained on; 0 leaves it out. fusion: its settings by name.
        encoder: of texts; None takes the embedded one. trees: that weigh all this.
    """

    graph: Path
    models: tuple[str, ...] = ("TransE", "RotatE")
    dim: int = 128
    epochs: int = 60
    claims: int = 0
    fusion: tuple[tuple[str, object], ...] = ()
    encoder: str | None = None
    trees: int = 400


class TripleEvidence:
    """Evidence for the triples of one graph.

    Args:
        seed: of everything that is learnt.
        folder: where embeddings are kept; None keeps nothing.
    """

    def __init__(self, settings: EvidenceSettings, seed: int, folder: Path | None) -> None:
        self.settings, self.seed, self.folder = settings, seed, folder
        self.benchmark: Benchmark = load_benchmark(settings.graph)
        self.relations = np.unique(self.benchmark.train[:, 1])
        self._rows: dict[tuple[Source, tuple[int, ...]], Floats] = {}
        self._embeddings: list[Embedding] = []
        self._rules: RulePredictor | None = None
        self._vectors: NDArray[np.float32] | None = None
        self._models: dict[Mode, FusionModel] = {}
        self._encoder: Encoder | None = None
        self._made: Mapping[Source, Callable[[Rows], Floats]] = {
            "relation": lambda rows: (rows[:, 1, None] == self.relations).astype(np.float64),
            "edges": lambda rows: edge_counts(rows, self.benchmark.train),
            "graph": lambda rows: graph_evidence(rows, self.benchmark.train),
            "embedding": self._by_embeddings,
            "rules": self._by_rules,
            "text": lambda rows: text_evidence(rows, self.benchmark.train, self._text_vectors()),
            "fusion": lambda rows: self._by_model(rows, "fusion"),
            "read text": lambda rows: self._by_model(rows, "text only"),
        }

    def columns(self, source: Source, triples: Sequence[tuple[int, int, int]]) -> Floats:
        """Evidence of one kind for each triple (term ids); shape (num_triples, num_columns of that source)."""
        new = [row for row in dict.fromkeys(triples) if (source, row) not in self._rows]
        if new:
            made = self._made[source](np.array(new, dtype=np.int32))
            self._rows.update(zip([(source, row) for row in new], made, strict=True))
        return np.array([self._rows[source, row] for row in triples])

    def _by_embeddings(self, rows: Rows) -> Floats:
        train = self.benchmark.train
        if not self._embeddings:
            self._embeddings = [self._embedding(model) for model in self.settings.models]
        return np.concatenate([_of_known(one, rows, train) for one in self._embeddings], axis=1)

    def _embedding(self, model: str) -> Embedding:
        config = EmbeddingConfig(
            model=model, dim=self.settings.dim, epochs=self.settings.epochs, seed=self.seed, device="cpu"
        )
        graph, train = self.benchmark.graph, self.benchmark.train
        fingerprint = triples_fingerprint(train, graph.dictionary.key)

        def made() -> Embedding:
            return train_embedding(train, len(graph.dictionary), config, fingerprint=fingerprint)

        if self.folder is None:
            return made()
        run = Run(self.folder, {"evidence": key_of(str(self.settings))})
        return run.stage(
            f"embedding-{model}",
            key_of(fingerprint, config.to_dict()),
            lambda folder: made().save(folder),
            lambda folder: load_embedding(folder, fingerprint=fingerprint),
        )

    def _by_rules(self, rows: Rows) -> Floats:
        """How strongly mined rules tell of the tail, and of the head, and of how many entities more strongly."""
        if self._rules is None:
            self._rules = RulePredictor(mine_rules(self.benchmark.train), self.benchmark.train)
        found = np.zeros((len(rows), 4))
        known = self._rules.knows(rows)
        for side, tails in enumerate((True, False)):
            scores = self._rules.of(rows[known], tails=tails)
            at = np.searchsorted(self._rules.entities, rows[known, 2 if tails else 0])
            own = scores[np.arange(len(at)), at]
            better = (scores > own[:, None]).sum(axis=1)
            found[known, 2 * side : 2 * side + 2] = np.stack([own, np.log1p(better)], axis=1)
        return found

    def _text_vectors(self) -> NDArray[np.float32]:
        """Of each entity's label and description, by term id; zeros for other terms."""
        if self._vectors is None:
            graph, encoder = self.benchmark.graph, self._read()
            ends = np.unique(self.benchmark.known[:, [0, 2]]).tolist()
            texts = [f"{graph.label(graph.dictionary.term(id))}. {description(graph, id)}" for id in ends]
            self._vectors = np.zeros((len(graph.dictionary), encoder.dim), dtype=np.float32)
            self._vectors[ends] = encoder.embed(texts)
        return self._vectors

    def _read(self) -> Encoder:
        if self._encoder is None:
            self._encoder = resolve_encoder(self.settings.encoder)
        return self._encoder

    def _by_model(self, rows: Rows, mode: Mode) -> Floats:
        """The logit of the fusion model; no column where the settings have none."""
        if not self.settings.claims:
            return np.zeros((len(rows), 0))
        if mode not in self._models:
            self._models[mode] = self._trained(mode)
        claims = [self._claim(ClaimExample("", (int(s), int(p), int(o)), 0.0, "asked")) for s, p, o in rows]
        return predict_logits(self._models[mode], claims, mode=mode)[:, None].astype(np.float64)

    def _trained(self, mode: Mode) -> FusionModel:
        """Trained on claims about training triples, each without the edges between its own ends."""
        closure = materialise(self.benchmark.graph, entailment="none")
        about = [(int(s), int(p), int(o)) for s, p, o in self.benchmark.train]
        claims = generate_examples(closure, count=self.settings.claims, seed=self.seed, about=about, negated=0.0)
        claims = [self._claim(each) for each in claims]
        config = FusionConfig.from_dict({"seed": self.seed, "mode": mode, **dict(self.settings.fusion)})
        kept = len(claims) // 10
        return train_fusion(claims[kept:], closure, None, self._read(), config, validation=claims[:kept])

    def _claim(self, example: ClaimExample) -> ClaimExample:
        """The example with the text that a claim of a task has."""
        assert example.triple is not None, "claims are made of triples here"
        graph = self.benchmark.graph
        text = f"{statement(graph, example.triple)} {passage(graph, example.triple)}".strip()
        return ClaimExample(text, example.triple, example.label, example.kind, hidden=example.hidden)


def edge_counts(triples: NDArray[np.integer], known: NDArray[np.integer]) -> Floats:
    """How many edges of each relation and direction head and tail have, as log(1 + n), and which lead between them.

    All that a counter of edge types sees, without entities and without paths: the least that a graph model has to beat.

    Returns: shape (num_triples, 6 * num_relations) for the relations of the known triples.
    """
    facts = np.unique(np.asarray(known), axis=0)
    relations, which = np.unique(facts[:, 1], return_inverse=True)
    size, terms = len(relations), int(max(facts.max(initial=0), np.max(triples, initial=0))) + 1
    counts = np.zeros((terms, 2 * size))
    np.add.at(counts, (facts[:, 0], which), 1)
    np.add.at(counts, (facts[:, 2], which + size), 1)
    ends = np.asarray(triples)[:, [0, 2]].tolist()
    between: dict[tuple[int, int], list[int]] = {pair: [] for s, o in ends for pair in ((s, o), (o, s))}
    for (s, _, o), relation in zip(facts.tolist(), which.tolist(), strict=True):
        if (s, o) in between:
            between[s, o].append(relation)
    linked = np.zeros((len(triples), 2 * size))
    for row, (s, o) in enumerate(ends):
        linked[row, between[s, o]] = 1
        linked[row, [size + relation for relation in between[o, s]]] = 1
    return np.concatenate([np.log1p(counts[triples[:, 0]]), np.log1p(counts[triples[:, 2]]), linked], axis=1)


def _of_known(embedding: Embedding, rows: Rows, train: Rows) -> Floats:
    """Evidence of an embedding; zeros for a triple with a term that it was not trained on."""
    known = embedding.knows(rows)
    told = embedding_evidence(embedding, rows[known], train)
    found = np.zeros((len(rows), told.shape[1]))
    found[known] = told
    return found
