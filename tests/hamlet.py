"""A hamlet's closure, and an encoder and an embedding small enough that a fusion model of them trains in a second."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from rdflib import OWL, RDF, RDFS, SKOS, Literal, Namespace
from rdflib.term import Node

from embeddings import Embedding, EmbeddingConfig, fit_calibration
from engine.fusion import ClaimExample, Encoder, FusionConfig, FusionModel
from engine.fusion.batch import Collator
from engine.fusion.grounding import IdTriple
from engine.symbolic import Closure, materialise, parse_rules
from kg.graph import KnowledgeGraph

EX = Namespace("https://example.org/hamlet#")

RULES = parse_rules("""
PREFIX : <https://example.org/hamlet#>
RULE :grandparent { ?x :grandparentOf ?z } WHERE { ?x :parentOf ?y . ?y :parentOf ?z }
RULE :together { ?x :livesIn ?t } WHERE { ?x :marriedTo ?y . ?y :livesIn ?t }
""")
_PEOPLE = ("ann", "bob", "cyd", "dan", "eve", "fay", "gil", "hal")
_TOWNS = ("ulm", "jena", "bonn")
_PHRASES = {
    "parentOf": ("is a parent of", "{o} is a child of {s}"),
    "childOf": ("is a child of",),
    "grandparentOf": ("is a grandparent of",),
    "marriedTo": ("is married to",),
    "knows": ("knows", "{o} is known to {s}"),
    "livesIn": ("lives in", "{s} has a home in {o}"),
}
_WORDS = sorted(
    {word for phrases in _PHRASES.values() for phrase in phrases for word in re.findall(r"[a-z]+", phrase)}
    | {*_PEOPLE, *_TOWNS, "person", "town", "not", "does", "it", "true", "that", "live", "know", "have", ".", "no"}
)


def facts() -> list[tuple[Node, Node, Node]]:
    """The asserted triples between people and towns, and two ages."""
    pairs = {
        "parentOf": ("ann bob", "ann cyd", "bob dan", "cyd eve", "fay gil"),
        "marriedTo": ("bob fay", "cyd hal"),
        "knows": ("dan eve", "gil dan", "eve hal"),
        "livesIn": ("ann ulm", "bob jena", "hal bonn", "dan ulm", "gil jena"),
    }
    rows: list[tuple[Node, Node, Node]] = [
        (EX[pair.split()[0]], EX[relation], EX[pair.split()[1]]) for relation, row in pairs.items() for pair in row
    ]
    return [*rows, (EX.ann, EX.age, Literal(71)), (EX.bob, EX.age, Literal(44))]


def hamlet(rows: Sequence[tuple[Node, Node, Node]] | None = None) -> Closure:
    """Eight people in three towns; children, grandparents, acquaintances and shared homes are inferred."""
    labels = {EX[name]: name.capitalize() for name in (*_PEOPLE, *_TOWNS)} | {EX.Person: "person", EX.Town: "town"}
    triples: list[tuple[Node, Node, Node]] = [(term, RDFS.label, Literal(label)) for term, label in labels.items()]
    for relation, (label, *more) in _PHRASES.items():
        triples += [(EX[relation], RDF.type, OWL.ObjectProperty), (EX[relation], RDFS.label, Literal(label))]
        triples += [(EX[relation], SKOS.altLabel, Literal(phrase)) for phrase in more]
        triples += [(EX[relation], RDFS.domain, EX.Person)]
        triples += [(EX[relation], RDFS.range, EX.Town if relation == "livesIn" else EX.Person)]
    triples += [(EX[name], RDF.type, EX.Person) for name in _PEOPLE] + [
        (EX[name], RDF.type, EX.Town) for name in _TOWNS
    ]
    triples += [
        (EX.Person, OWL.disjointWith, EX.Town),
        (EX.parentOf, OWL.inverseOf, EX.childOf),
        (EX.parentOf, RDF.type, OWL.AsymmetricProperty),
        (EX.parentOf, RDFS.subPropertyOf, EX.knows),
        (EX.marriedTo, RDF.type, OWL.SymmetricProperty),
        (EX.age, RDF.type, OWL.DatatypeProperty),
    ]
    graph = KnowledgeGraph.from_triples([*triples, *(facts() if rows is None else rows)], prefixes={"": str(EX)})
    return materialise(graph, RULES)


def ids(closure: Closure, subject: str, relation: str, object: str | Node) -> IdTriple:
    """A triple of local names as term ids; the terms must be there, the triple need not."""
    tail = EX[object] if isinstance(object, str) and not isinstance(object, Node) else object
    found = closure.graph.encode((EX[subject], EX[relation], tail))
    assert found is not None
    return found


class SmallTokenizer:
    """One token per word, with a start and an end, as a Hugging Face tokenizer would be called."""

    pad_token_id: int | None = 1

    def __call__(self, text: list[str], *, max_length: int | None = None, **options: Any) -> dict[str, list[list[int]]]:
        rows = [[self._id(word) for word in re.findall(r"\w+|[^\w\s]", line.lower())] for line in text]
        return {"input_ids": [[2, *(row if max_length is None else row[: max_length - 2]), 3] for row in rows]}

    def _id(self, word: str) -> int:
        return 4 + _WORDS.index(word) if word in _WORDS else 0


def small_encoder(
    *, width: int = 32, layers: int = 3, seed: int = 0, family: str = "bert", max_tokens: int = 48
) -> Encoder:
    """An encoder of a family with random weights, over the hamlet's few dozen words."""
    from transformers import AutoConfig, AutoModel

    sizes: dict[str, Any] = {
        "vocab_size": 4 + len(_WORDS),
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "pad_token_id": 1,
    }
    sizes |= {"hidden_dim": 2 * width} if family == "distilbert" else {"intermediate_size": 2 * width}
    sizes |= {"embedding_size": width // 2} if family == "electra" else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        auto: Any = AutoModel
        model = auto.from_config(AutoConfig.for_model(family, **sizes))
    model.eval().requires_grad_(False)
    return Encoder(name=f"small {family}", model=model, tokenizer=SmallTokenizer(), max_tokens=max_tokens)


def small_embedding(closure: Closure, *, dim: int = 3, seed: int = 0, fingerprint: str = "ab" * 32) -> Embedding:
    """Random vectors, 2 * dim wide, of all entities but the towns' class; calibrated."""
    graph, random = closure.graph, np.random.default_rng(seed)
    triples = graph.entity_triples(inferred=True)
    entities = np.setdiff1d(triples[:, [0, 2]], [graph.id(EX.Town)]).astype(np.int32)
    relations = np.unique(triples[:, 1]).astype(np.int32)
    return Embedding(
        config=EmbeddingConfig(model="RotatE", dim=dim),
        entities=entities,
        relations=relations,
        entity_vectors=random.standard_normal((len(entities), 2 * dim)).astype(np.float32),
        relation_vectors=random.standard_normal((len(relations), 2 * dim)).astype(np.float32),
        fingerprint=fingerprint,
        calibration=fit_calibration([-1.0, -2.0, -5.0, -6.0], [True, True, False, False], [1, 1, 1, 1]),
    )


SMALL = FusionConfig(fused_layers=2, node_dim=16, heads=2, epochs=2, batch_size=8, dropout=0.0, device="cpu")


def small_model(
    closure: Closure,
    encoder: Encoder,
    embedding: Embedding | None,
    config: FusionConfig = SMALL,
    *,
    seed: int = 0,
    opened: bool = True,
) -> FusionModel:
    """An untrained model; `opened` gives the parts that start at zero random values, so that the graph counts."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = FusionModel(Collator(closure, embedding, encoder, config), config).eval()
        if opened:
            for name, parameter in model.named_parameters():
                if name.endswith("gate") or name.startswith(("head.joint_head.", "head.embedding_weight.")):
                    torch.nn.init.normal_(parameter)
    return model


def claims(closure: Closure) -> list[ClaimExample]:
    """Claims of all kinds: entailed, corrupted, denied, about a literal, a loop, and without a triple."""
    false = ids(closure, "eve", "livesIn", "jena")
    return [
        ClaimExample("Ann is a parent of Bob.", ids(closure, "ann", "parentOf", "bob"), 1.0, "entailed"),
        ClaimExample("Dan knows Eve", ids(closure, "dan", "knows", "eve"), 1.0, "entailed"),
        ClaimExample(
            "Eve has a home in Jena.", false, 0.0, "corrupted", hidden=(ids(closure, "gil", "livesIn", "jena"),)
        ),
        ClaimExample(
            "It is not true that Ann is a grandparent of Dan.",
            ids(closure, "ann", "grandparentOf", "dan"),
            0.0,
            "entailed",
            negated=True,
        ),
        ClaimExample("Hal is known to Hal.", ids(closure, "hal", "knows", "hal"), 0.0, "corrupted"),
        ClaimExample("No", None, 0.0, "text"),
        ClaimExample("Ann is 71", ids(closure, "ann", "age", Literal(71)), 1.0, "entailed"),
    ]
