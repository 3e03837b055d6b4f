"""A learnt reader of sentences: labels and arcs over word states of a frozen encoder, read as triples and rules.

A bidirectional LSTM over the states tells what each word does; biaffine arcs (Dozat and Manning 2017,
arXiv:1611.01734, equation 2) tell what a predicate is said of and what a pronoun stands for. It learns from sentences
with the parse that answers favour (see `denotation`), and no pattern has a part in what it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from embeddings.store import read_store, write_store
from engine.extraction.denotation import Supervised
from engine.extraction.parse import NO_WORD, Parse, Role, statements, words_of
from engine.extraction.theory import Read
from engine.fusion.encoder import Encoder, pad
from engine.fusion.model import TextLayers
from kg.errors import ConfigError, StoreError

__all__ = ["StatementConfig", "StatementReader"]

_KIND = "noesis statement reader"
_ARCS = ("subject", "object", "antecedent")
_FLAGS = ("denied", "concluded")
_OUTSIDE = -100
"""A label that takes no part in the loss, as torch has it."""


@dataclass(frozen=True)
class StatementConfig:
    """How a reader is built and trained.

    Args:
        layers: of the encoder, from the bottom; the lower half knows word order and word class best.
        width: of the LSTM in each direction. arc_width: of the two sides of an arc.
        dropout: on the states, in [0, 1).
        epochs: passes over the sentences. batch: sentences in a step. rate: of AdamW, falling to 0 along a cosine.
        sentences: how many are learnt from at most. renamed: further ones, with other words in place of their own.
        threshold: confidence below which a sentence counts as not read, in [0, 1].
        seed: of all that is drawn.
    """

    layers: int = 3
    width: int = 128
    arc_width: int = 64
    dropout: float = 0.2
    epochs: int = 8
    batch: int = 64
    rate: float = 2e-3
    sentences: int = 2500
    renamed: int = 2500
    threshold: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.layers, self.width, self.arc_width, self.epochs, self.batch, self.sentences) < 1:
            raise ConfigError(f"Expected layers, widths, epochs, batch and sentences of at least 1 (got {self})")
        if not (0 <= self.dropout < 1 and 0 <= self.threshold <= 1 and self.rate > 0 and self.renamed >= 0):
            raise ConfigError(f"Expected dropout in [0, 1), threshold in [0, 1], a rate above 0 (got {self})")


class WordStates:
    """States of the words of sentences: those of the first token of each word, before and after the lower layers.

    Args:
        encoder: stays frozen. layers: how many of its layers are run.
    """

    def __init__(self, encoder: Encoder, layers: int) -> None:
        if layers > encoder.num_layers:
            raise ConfigError(f"Expected at most the encoder's {encoder.num_layers} layers (got {layers})")
        self.encoder, self.layers = encoder, layers
        self.text = TextLayers(encoder, frozen=layers).eval().requires_grad_(False)
        self.tokens: dict[str, list[int]] = {}

    @property
    def dim(self) -> int:
        """Width of the state of a word."""
        return 2 * self.encoder.dim

    def fits(self, words: Sequence[str]) -> bool:
        """Whether the encoder takes a sentence of these words."""
        return len(words) > 0 and sum(len(self._tokens(word)) for word in words) + 2 <= self.encoder.max_tokens

    def of(self, sentences: Sequence[Sequence[str]], *, batch: int = 64) -> list[Float[Tensor, "word state"]]:
        """The states of the words of each sentence, in their order; each sentence fits (see `fits`)."""
        start, end = (self.encoder.tokenize([""])[0][at] for at in (0, -1))
        rows, firsts = [], []
        for words in sentences:
            parts = [self._tokens(word) for word in words]
            rows.append([start, *(token for part in parts for token in part), end])
            firsts.append(np.cumsum([1, *(len(part) for part in parts[:-1])]))
        order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
        found: list[Tensor] = [torch.empty(0)] * len(rows)
        for first in range(0, len(order), batch):
            chosen = order[first : first + batch]
            token_ids, mask = pad([rows[at] for at in chosen], self.encoder.tokenizer.pad_token_id or 0)
            with torch.inference_mode():
                states = bottom = self.text.embed(token_ids)
                for layer in range(self.layers):
                    states = self.text.run(layer, states, mask)
                both = torch.cat([bottom, states], dim=-1)
            for at, row in zip(chosen, both, strict=True):
                found[at] = row[firsts[at]].half().clone()
        return found

    def _tokens(self, word: str) -> list[int]:
        if word not in self.tokens:
            self.tokens[word] = self.encoder.tokenize([word])[0][1:-1] or [self.encoder.tokenizer.pad_token_id or 0]
        return self.tokens[word]


class _Arcs(nn.Module):
    """Scores of the word, or of none, that each word has an arc to; shape (batch, word, 1 + word), none first."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.start, self.end = nn.Linear(dim, width), nn.Linear(dim, width)
        self.none = nn.Parameter(torch.zeros(width))
        self.bias = nn.Linear(width, 1, bias=False)

    def forward(self, states: Float[Tensor, "batch word dim"]) -> Float[Tensor, "batch word choice"]:
        start, end = torch.relu(self.start(states)), torch.relu(self.end(states))
        end = torch.cat([self.none.expand(len(end), 1, -1), end], dim=1)
        scores: Tensor = start @ end.transpose(1, 2) + self.bias(end).transpose(1, 2)
        return scores


class _Network(nn.Module):
    """Word states to logits of the columns of a parse, by name."""

    def __init__(self, dim: int, config: StatementConfig) -> None:
        super().__init__()
        self.drop = nn.Dropout(config.dropout)
        self.project = nn.Linear(dim, config.width)
        self.lstm = nn.LSTM(config.width, config.width, num_layers=2, bidirectional=True, batch_first=True)
        both = 2 * config.width
        self.roles = nn.Linear(both, len(Role))
        self.flags = nn.Linear(both, len(_FLAGS))
        self.arcs = nn.ModuleDict({name: _Arcs(both, config.arc_width) for name in _ARCS})

    def forward(
        self, states: Float[Tensor, "batch word state"], lengths: Int[Tensor, " batch"]
    ) -> dict[str, Float[Tensor, "batch word ..."]]:
        inputs = torch.relu(self.project(self.drop(states)))
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        hidden = self.drop(hidden)
        beyond = torch.arange(hidden.shape[1])[None, :] >= lengths[:, None]
        beyond = torch.cat([torch.zeros(len(beyond), 1, dtype=torch.bool), beyond], dim=1)[:, None, :]
        found = {"roles": self.roles(hidden)}
        found |= dict(zip(_FLAGS, self.flags(hidden).unbind(-1), strict=True))
        return found | {name: arcs(hidden).masked_fill(beyond, -1e4) for name, arcs in self.arcs.items()}


class StatementReader:
    """Reads sentences as triples and rules; see `fit`.

    Args:
        states: gives the word states.
        network: what was learnt. config: how.
        unlearnt: words of closed classes that no sentence had; one that has such a word is not read.
    """

    def __init__(
        self, states: WordStates, network: _Network, config: StatementConfig, unlearnt: frozenset[str] = frozenset()
    ) -> None:
        self.states, self.network, self.config, self.unlearnt = states, network.eval(), config, unlearnt

    @classmethod
    def fit(
        cls,
        encoder: Encoder,
        sentences: Sequence[Supervised],
        config: StatementConfig | None = None,
        *,
        words: Sequence[str] = (),
        fixed: frozenset[str] = frozenset(),
        progress: Callable[[int, float], None] | None = None,
    ) -> StatementReader:
        """A reader learnt from sentences with their parses.

        Args:
            encoder: gives the states; it stays as it is.
            sentences: what to learn from, each counting by its weight.
            words: that may stand in place of others (see `renamed`); none for no such sentences.
            fixed: words of the closed classes, which are never replaced. A single one (*no*, *only*) can change all
                that a sentence says, so those that were not learnt are not read.
            progress: called with the epoch and its mean loss.
        """
        made = config or StatementConfig()
        random = np.random.default_rng(made.seed)
        given = [each for each in sentences if each.weight > 0]
        chosen = [given[at] for at in random.permutation(len(given))[: made.sentences]]
        rows = [(words_of(each.text), each.parse, each.weight) for each in chosen]
        if words:
            drawn = random.integers(0, len(rows), made.renamed)
            rows += [renamed(rows[at], words, fixed, random) for at in drawn]
        states = WordStates(encoder, made.layers)
        rows = [row for row in rows if states.fits(row[0])]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(made.seed)
            network = _Network(states.dim, made)
            _train(network, states.of([row[0] for row in rows]), rows, made, random, progress)
        return cls(states, network, made, fixed.difference(*(row[0] for row in rows)))

    def read(self, texts: Sequence[str]) -> list[Read]:
        """What each sentence states; its confidence is the product over everything that was told of its words."""
        different = list(dict.fromkeys(texts))
        words = {text: words_of(text) for text in different}
        faults = {text: self._fault(words[text]) for text in different}
        usable = [text for text in different if not faults[text]]
        found = {text: Read(text, confidence=0.0, fault=fault) for text, fault in faults.items()}
        for start in range(0, len(usable), 256):
            part = usable[start : start + 256]
            states, lengths = _stack(self.states.of([words[text] for text in part]))
            with torch.inference_mode():
                logits = self.network(states, lengths)
            for at, text in enumerate(part):
                parse, confidence = _decode({name: value[at] for name, value in logits.items()}, len(words[text]))
                found[text] = self._read(text, words[text], parse, confidence)
        return [found[text] for text in texts]

    def _fault(self, words: Sequence[str]) -> str:
        """Why a sentence is not looked at."""
        strange = next((word for word in words if word in self.unlearnt), None)
        if strange is not None:
            return f"the function word {strange!r} was not learnt"
        return "" if self.states.fits(words) else "too long, or no words"

    def _read(self, text: str, words: Sequence[str], parse: Parse, confidence: float) -> Read:
        said = statements(words, parse)
        if not said:
            return Read(text, confidence=0.0, fault="its parts do not fit together")
        if confidence < self.config.threshold:
            return Read(text, confidence=confidence, fault=f"read with confidence {confidence:.2f} only")
        return Read(text, said, confidence)

    def save(self, folder: str | Path) -> None:
        """Write the reader to a folder, all or nothing; the encoder is named, not copied.

        Raises:
            StoreError: something else is in the folder, or it cannot be written.
        """
        document = {
            "encoder": self.states.encoder.identity,
            "config": asdict(self.config),
            "unlearnt": sorted(self.unlearnt),
        }
        tensors = {name: value.numpy() for name, value in self.network.state_dict().items()}
        write_store(folder, kind=_KIND, tensors=tensors, document=document)

    @classmethod
    def load(cls, folder: str | Path, encoder: Encoder) -> StatementReader:
        """Read a reader back.

        Raises:
            StoreError: a file is missing or was altered, or the encoder is not the one it was learnt with.
        """
        tensors, document = read_store(folder, kind=_KIND)
        try:
            config = StatementConfig(**document["config"])
            known = document["encoder"]["sha256"]
            unlearnt = frozenset(map(str, document["unlearnt"]))
            states = WordStates(encoder, config.layers)
            network = _Network(states.dim, config)
            network.load_state_dict({name: torch.tensor(value) for name, value in tensors.items()})
        except (KeyError, TypeError, RuntimeError, ConfigError) as error:
            raise StoreError(f"Expected the parts of a statement reader in {folder} ({error})") from error
        if known != encoder.fingerprint:
            raise StoreError(f"Expected {folder} to be learnt with the encoder {encoder.name!r}; make it again")
        return cls(states, network, config, unlearnt)


Row = tuple[list[str], Parse, float]


def renamed(row: Row, others: Sequence[str], fixed: frozenset[str], random: np.random.Generator) -> Row:
    """A sentence with other words in place of those of its names and predicates, each word by the same one throughout.

    A word that is only a variable (*things*) becomes a kind, as in *all furry dogs*: of an unknown noun it is not known
    that it says nothing.
    """
    words, parse, weight = row
    swap: dict[str, str] = {}
    roles = list(parse.roles)
    for at, role in enumerate(parse.roles):
        if role is Role.NONE or words[at] in fixed:
            continue
        if role is Role.VARIABLE:
            if random.random() < 0.5:
                continue
            roles[at] = Role.KIND
        swap.setdefault(words[at], others[int(random.integers(len(others)))])
    return [swap.get(word, word) for word in words], replace(parse, roles=tuple(roles)), weight


def _train(
    network: _Network,
    states: Sequence[Tensor],
    rows: Sequence[Row],
    config: StatementConfig,
    random: np.random.Generator,
    progress: Callable[[int, float], None] | None,
) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.rate, weight_decay=0.01)
    steps = config.epochs * -(-len(rows) // config.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    network.train()
    for epoch in range(config.epochs):
        losses = []
        for chosen in _batches(rows, config.batch, random):
            batch, lengths = _stack([states[at] for at in chosen])
            loss = _loss(network(batch, lengths), [rows[at] for at in chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        if progress is not None:
            progress(epoch + 1, float(np.mean(losses)))
    network.eval()


def _batches(rows: Sequence[Row], size: int, random: np.random.Generator) -> Iterator[list[int]]:
    """Rows of about the same length together, in an order drawn anew each time."""
    order = sorted(random.permutation(len(rows)).tolist(), key=lambda at: len(rows[at][0]))
    starts = range(0, len(order), size)
    for at in random.permutation(len(starts)):
        yield order[starts[at] : starts[at] + size]


def _stack(states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(row) for row in states])
    return nn.utils.rnn.pad_sequence(list(states), batch_first=True).float(), lengths


def _loss(logits: Mapping[str, Tensor], rows: Sequence[Row]) -> Tensor:
    """Mean over the sentences, by their weights, of the negative log-probability of the parse."""
    shape = logits["roles"].shape[:2]
    weight = torch.tensor([row[2] for row in rows])
    targets = {name: torch.full(shape, _OUTSIDE) for name in ("roles", *_FLAGS, *_ARCS)}
    for at, (words, parse, _) in enumerate(rows):
        targets["roles"][at, : len(words)] = torch.tensor([int(role) for role in parse.roles])
        for name in (*_FLAGS, *_ARCS):
            for word in _asked(name, parse.roles):
                targets[name][at, word] = int(getattr(parse, name)[word]) + (name in _ARCS)
    total = torch.zeros(len(rows))
    for name in ("roles", *_ARCS):
        total = total + cross_entropy(logits[name].transpose(1, 2), targets[name], reduction="none").sum(1)
    for name in _FLAGS:
        asked_at = targets[name] != _OUTSIDE
        lost = binary_cross_entropy_with_logits(logits[name], targets[name].clamp(min=0).float(), reduction="none")
        total = total + (lost * asked_at).sum(1)
    return (total * weight).sum() / weight.sum()


def _asked(column: str, roles: Sequence[Role]) -> list[int]:
    """The words of which a column says something."""
    role = Role.VARIABLE if column == "antecedent" else Role.PREDICATE
    return [at for at, found in enumerate(roles) if found is role]


def _decode(logits: Mapping[str, Tensor], length: int) -> tuple[Parse, float]:
    """The likeliest parse of a sentence, column by column, and the probability of all that it says."""
    chances, chosen = logits["roles"][:length].softmax(-1).max(-1)
    roles = tuple(Role(int(at)) for at in chosen)
    confidence = float(chances.prod())
    columns: dict[str, list[Any]] = {}
    for name in _FLAGS:
        columns[name] = [False] * length
        for at in _asked(name, roles):
            chance = float(torch.sigmoid(logits[name][at]))
            columns[name][at] = chance > 0.5
            confidence *= max(chance, 1 - chance)
    for name in _ARCS:
        columns[name] = [NO_WORD] * length
        for at in _asked(name, roles):
            chance_at, end = logits[name][at].softmax(-1).max(-1)
            columns[name][at] = int(end) - 1
            confidence *= float(chance_at)
    return Parse(roles, *(tuple(columns[name]) for name in (*_FLAGS, *_ARCS))), confidence
