"""How well are entities placed that were not there in training?

    python benchmarks/new_entities.py --data DATA [--parts neighbours,text] [--models TransE,RotatE] [--dim 64]
        [--epochs 25] [--text-epochs 12] [--encoder-texts 1200] [--json OUT]

neighbours: from UMLS and CoDEx-S a tenth and a twentieth of the entities are held out with all their training triples.
Half of a held-out entity's triples with trained entities place it, by TransE and RotatE of the rest; the other half are
ranked. text: WN18RR's validation triples with an entity that training has not; its gloss places it, by a ridge
regression from the glosses of trained entities. The text vectors are TF-IDF with latent semantic analysis over all
glosses, or the embedded encoder's over `--encoder-texts` glosses (0: without), as it is slow on a CPU.

MRR is filtered and realistic, on both sides, over all entities, the new ones among them. "entity" is the side on which
the new entity is sought, "other" the side on which it is given; "ordinary" is the MRR of validation triples of trained
entities, which new ones that are near to everything would spoil. "mean": every new entity has the mean vector;
"random": that of a trained entity.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embeddings import Embedding, EmbeddingConfig, ranks, train_embedding
from embeddings.new_entities import fit_text_map, relation_weights, with_entities, with_neighbours
from kg.benchmark import Benchmark, load_benchmark

Rows = NDArray[np.int32]
Figures = dict[str, dict[str, float]]
HOLDOUTS = (("umls-text", 0.1), ("codex/triples/codex-s", 0.05))


def trained(triples: Rows, benchmark: Benchmark, model: str, dim: int, epochs: int) -> Embedding:
    """An embedding of these triples."""
    return train_embedding(
        triples, len(benchmark.graph.dictionary), EmbeddingConfig(model=model, dim=dim, epochs=epochs)
    )


def figures(
    found: dict[str, Embedding], test: Rows, benchmark: Benchmark, new: NDArray[np.int32], ordinary: Rows
) -> Figures:
    """MRR of the test triples by each extended embedding: both sides, by side, and of the ordinary triples."""
    told, known = dict[str, dict[str, float]](), benchmark.known
    for name, embedding in found.items():
        both = 1 / ranks(embedding, test, known)
        tail_is_new, head_is_new = np.isin(test[:, 2], new), np.isin(test[:, 0], new)
        sought = np.concatenate([both[tail_is_new, 0], both[head_is_new, 1]])
        given = np.concatenate([both[~tail_is_new, 0], both[~head_is_new, 1]])
        usual = 1 / ranks(embedding, ordinary[embedding.knows(ordinary)], known)
        parts = {"MRR": both, "entity": sought, "other": given, "ordinary": usual}
        told[name] = {part: float(values.mean()) for part, values in parts.items()}
        print(f"  {name:30}" + "  ".join(f"{part} {value:.3f}" for part, value in told[name].items()), flush=True)
    return told


def usual_mrr(embedding: Embedding, ordinary: Rows, benchmark: Benchmark) -> float:
    """MRR of triples of trained entities."""
    return float((1 / ranks(embedding, ordinary[embedding.knows(ordinary)], benchmark.known)).mean())


def baselines(embedding: Embedding, new: NDArray[np.int32], seed: int = 0) -> dict[str, Embedding]:
    """The new entities at the mean, and each at a trained entity drawn at random."""
    mean = np.repeat(embedding.entity_vectors.mean(axis=0)[None], len(new), axis=0)
    drawn = np.random.default_rng(seed).integers(0, len(embedding.entities), len(new))
    return {
        "random": with_entities(embedding, new, embedding.entity_vectors[drawn]),
        "mean": with_entities(embedding, new, mean),
    }


def neighbours(benchmark: Benchmark, share: float, models: Sequence[str], dim: int, epochs: int) -> dict[str, Figures]:
    """Entities held out of training, placed by half of their triples, measured on the other half."""
    random = np.random.default_rng(0)
    train = benchmark.train
    entities = np.unique(train[:, [0, 2]])
    held = random.choice(entities, max(1, int(share * len(entities))), replace=False)
    inside = np.isin(train[:, [0, 2]], held)
    rest, linking = train[~inside.any(axis=1)], train[inside.sum(axis=1) == 1]
    seen, relations = np.unique(rest[:, [0, 2]]), np.unique(rest[:, 1])
    usable = np.isin(linking[:, [0, 2]], np.union1d(seen, held)).all(axis=1) & np.isin(linking[:, 1], relations)
    linking = random.permutation(linking[usable])
    entity = np.where(np.isin(linking[:, 0], held), linking[:, 0], linking[:, 2])
    order = np.argsort(entity, kind="stable")
    first = np.r_[True, np.diff(entity[order]) != 0]
    number = np.empty(len(linking), dtype=np.int64)  # of a triple among its entity's own
    number[order] = np.arange(len(order)) - np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    support, test = linking[number % 2 == 0], linking[number % 2 == 1]
    new = np.unique(entity)
    print(
        f"\n{benchmark.name}: {len(new)} of {len(entities)} entities held out, placed by {len(support)} triples, "
        f"{len(test)} to rank"
    )
    found = {}
    for model in models:
        print(f" {model}")
        embedding = trained(rest, benchmark, model, dim, epochs)
        exact = relation_weights(embedding, support, rest)
        extended = baselines(embedding, new) | {
            "neighbours, mean": with_neighbours(embedding, support, full_length=False),
            "neighbours, full length": with_neighbours(embedding, support),
            "full length, weighted": with_neighbours(embedding, support, weights=exact),
        }
        ordinary = benchmark.valid[~np.isin(benchmark.valid[:, [0, 2]], held).any(axis=1)]
        print(f"  {'without new entities':30}ordinary {usual_mrr(embedding, ordinary, benchmark):.3f}")
        found[model] = figures(extended, test, benchmark, new, ordinary)
        whole = trained(np.concatenate([rest, support]), benchmark, model, dim, epochs)
        found[model] |= figures({"trained with them": whole}, test, benchmark, new, ordinary)
    return found


def glosses(benchmark: Benchmark) -> dict[int, str]:
    """Label and description by term id of all entities with one."""
    dictionary, found = benchmark.graph.dictionary, dict[int, str]()
    described = {}
    for triple in benchmark.graph.triples(None, "rdfs:comment", None):
        described[triple.subject] = str(triple.object)
    for id in np.unique(np.concatenate([benchmark.train, benchmark.valid])[:, [0, 2]]).tolist():
        term = dictionary.term(id)
        if term in described:
            found[id] = f"{benchmark.graph.label(term)}: {described[term]}"
    return found


def latent(texts: Sequence[str], dim: int = 256) -> Callable[[Sequence[str]], NDArray[np.floating]]:
    """TF-IDF of words and their pairs, reduced by latent semantic analysis, fitted to these texts."""
    from sklearn.decomposition import TruncatedSVD  # type: ignore[import-untyped]  # it has no types
    from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]  # it has no types

    weigh = TfidfVectorizer(min_df=3, sublinear_tf=True, stop_words="english", ngram_range=(1, 2))
    reduce = TruncatedSVD(dim, random_state=0, n_iter=3).fit(weigh.fit_transform(texts))
    return lambda given: np.asarray(reduce.transform(weigh.transform(given)))


def encoder() -> Callable[[Sequence[str]], NDArray[np.floating]]:
    """The embedded encoder's vectors."""
    from engine.fusion.encoder import resolve_encoder

    found = resolve_encoder()
    return lambda texts: found.embed(texts)


def text(benchmark: Benchmark, models: Sequence[str], dim: int, epochs: int, encoder_texts: int) -> dict[str, Figures]:
    """WN18RR's validation triples with an unseen entity."""
    texts, train = glosses(benchmark), benchmark.train
    seen = np.unique(train[:, [0, 2]])
    unseen = ~np.isin(benchmark.valid[:, [0, 2]], seen).all(axis=1)
    test, ordinary = benchmark.valid[unseen], benchmark.valid[~unseen][:500]
    new = np.setdiff1d(test[:, [0, 2]], seen).astype(np.int32)
    print(f"\n{benchmark.name}: {len(test)} validation triples with {len(new)} unseen entities, {len(texts)} glosses")
    missing = [int(id) for id in new if int(id) not in texts]
    assert not missing, f"{len(missing)} unseen entities without a gloss"
    fit_to = {id: words for id, words in texts.items() if id in set(seen.tolist())}
    placed = {int(id): texts[int(id)] for id in new}
    found = {}
    maps = {"text, TF-IDF and LSA": (latent(list(fit_to.values())), fit_to)}
    if encoder_texts:
        some = np.random.default_rng(0).choice(sorted(fit_to), min(encoder_texts, len(fit_to)), replace=False)
        maps["text, encoder"] = (encoder(), {int(id): fit_to[int(id)] for id in some})
    for model in models:
        print(f" {model}")
        embedding = trained(train, benchmark, model, dim, epochs)
        extended = baselines(embedding, new)
        for name, (encode, sample) in maps.items():
            mapped = fit_text_map(embedding, sample, encode)
            print(f"  {name}: {len(sample)} texts, penalty {mapped.penalty}, error {mapped.error:.3f} of the mean's")
            extended[name + ", plain"] = mapped.extend(embedding, placed, full_length=False)
            extended[name] = mapped.extend(embedding, placed)
        print(f"  {'without new entities':30}ordinary {usual_mrr(embedding, ordinary, benchmark):.3f}")
        found[model] = figures(extended, test, benchmark, new, ordinary)
    return found


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--parts", default="neighbours,text")
    parser.add_argument("--models", default="TransE,RotatE")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--text-epochs", type=int, default=12)
    parser.add_argument("--encoder-texts", type=int, default=1200)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    began, told = time.process_time(), dict[str, dict[str, Figures]]()
    parts, models = given.parts.split(","), given.models.split(",")
    for folder, share in HOLDOUTS if "neighbours" in parts else ():
        benchmark = load_benchmark(given.data / folder)
        told[benchmark.name] = neighbours(benchmark, share, models, given.dim, given.epochs)
    if "text" in parts:
        benchmark = load_benchmark(given.data / "wn18rr")
        told[benchmark.name] = text(benchmark, models, given.dim, given.text_epochs, given.encoder_texts)
    print(f"\n{time.process_time() - began:.0f} CPU s")
    if given.json:
        given.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
