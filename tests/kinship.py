"""Small stories about relatives, and an encoder of a few words that can learn to read them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch

from engine.extraction.lessons import Fact, Lesson, Step
from engine.extraction.passages import MARKERS
from pipelines.tasks.example import Example

RELATIONS = ("mother", "brother", "uncle")
"""The third is what the first two in a row come to."""
_NAMES = ("Ann", "Bob", "Cyd", "Dan", "Eve", "Fay")
_TEXTS = {
    "mother": ("[{0}] has the mother [{1}].", "[{1}] is mother of [{0}]."),
    "brother": ("[{0}] has the brother [{1}].",),
}
_WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *MARKERS,
    "has",
    "is",
    "of",
    "the",
    "mother",
    "brother",
    "met",
    ".",
]


def kin_encoder(folder: Path) -> Path:
    """The folder of an untrained BERT whose words are those of the stories."""
    import transformers

    hub: Any = transformers
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(_WORDS), encoding="utf-8")
    hub.BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = hub.BertModel(hub.BertConfig(vocab_size=len(_WORDS), max_position_embeddings=64, **sizes))
    model.save_pretrained(folder)
    return folder


def kin_lessons(count: int, *, seed: int = 0, backwards: bool = False) -> list[Lesson]:
    """Stories of one mother and her brother, in a random order and with random names, and what follows.

    Args:
        backwards: whether it is known as well what she is to her brother, and her child to her.
    """
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        one, two, three = chance.sample(_NAMES, 3)
        facts: tuple[Fact, ...] = ((one, "mother", two), (two, "brother", three))
        texts = [chance.choice(_TEXTS[relation]).format(head, tail) for head, relation, tail in facts]
        chance.shuffle(texts)
        steps: tuple[Step, ...] = (((one, "uncle", three), facts),)
        if backwards:
            steps += (((two, "child", one), ()), ((three, "sibling", two), ()))
        attributes = {one: chance.choice(("male", "female")), two: "female", three: "male"}
        found.append(Lesson(" ".join(texts), facts, steps, attributes, "2"))
    return found


def kin_examples(count: int, *, seed: int = 0) -> list[Example]:
    """The same as examples that ask for what follows, or for the first of what is told."""
    found = []
    for at, lesson in enumerate(kin_lessons(count, seed=seed, backwards=True)):
        head, relation, tail = lesson.steps[0][0] if at % 3 else lesson.facts[0]
        told = {"triples": lesson.facts, "steps": lesson.steps, "attributes": lesson.attributes}
        found.append(Example(str(at), lesson.passage, f"{head}, {tail}", RELATIONS, (relation,), supervision=told))
    return found
