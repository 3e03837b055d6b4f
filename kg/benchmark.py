"""`load_benchmark`: a link prediction benchmark as a folder, as a graph with a split.

The triples of the training file are the graph's asserted triples, beside what the folder tells of labels, descriptions,
types, classes, domains and ranges; all files share its dictionary, so the rows index everything made from the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray
from rdflib import OWL, RDF, RDFS, Literal, URIRef
from rdflib.term import Node

from kg.benchmark_files import Text, first_of, read_json, read_names, read_pairs, read_texts, read_triples
from kg.columns import Columns
from kg.dictionary import Dictionary
from kg.errors import InputError, MissingFileError
from kg.graph import KnowledgeGraph

__all__ = ["BASE", "Benchmark", "load_benchmark"]

Rows = NDArray[np.int32]

BASE = "urn:benchmark:"
"""Before a name that is no IRI."""
_TRAIN = ("train.txt", "train.tsv", "train2id.txt")
_VALID = ("valid.txt", "valid.tsv", "dev.txt", "dev.tsv", "valid2id.txt")
_TEST = ("test.txt", "test.tsv", "test2id.txt")
_VALID_NEGATIVES = ("valid_negatives.txt", "dev_negatives.txt")
_TEST_NEGATIVES = ("test_negatives.txt",)
_ENTITIES = ("ent2id.tsv", "entity2id.txt", "entity2id.tsv")
_RELATIONS = ("rel2id.tsv", "relation2id.txt", "relation2id.tsv")
_CLASSES = ("class2id.tsv",)


@dataclass(frozen=True, eq=False)
class Benchmark:
    """A graph of the training triples, and rows of (head, relation, tail) term ids of it, shape (num_triples, 3) each.

    Args:
        name: of the folder. graph: asserted triples are those of training, and what is told of names and schema.
        train, valid, test: the split; no rows where there is no file.
        valid_negatives, test_negatives: triples that are known to be false.
    """

    name: str
    graph: KnowledgeGraph
    train: Rows
    valid: Rows
    test: Rows
    valid_negatives: Rows
    test_negatives: Rows

    @property
    def known(self) -> Rows:
        """Every triple held to be true; shape (num_known, 3)."""
        return np.concatenate([self.train, self.valid, self.test])

    def name_of(self, id: int) -> str:
        """The name a term has in the files."""
        return _name(str(self.graph.dictionary.term(id)))

    def ids_of(self, names: tuple[str, str, str]) -> tuple[int, int, int]:
        """Term ids of a triple by the names of the files.

        Raises:
            UnknownTermError: a name that no triple has.
        """
        head, relation, tail = (self.graph.id(URIRef(_iri(name))) for name in names)
        return head, relation, tail

    def __str__(self) -> str:
        rows = ", ".join(f"{len(getattr(self, part)):,} {part}" for part in ("train", "valid", "test"))
        return f"{self.name}: {rows} triples"


def load_benchmark(folder: str | Path, *, test: str | Path | None = None) -> Benchmark:
    """The benchmark in a folder.

    Read, where they are there: `train`, `valid` or `dev`, `test` (.txt or .tsv, by name; `train2id.txt` and the like by
    number), `valid_negatives.txt`, names by number (`ent2id.tsv` or `entity2id.txt`, the same of relations), texts
    (`entity2text.txt`, `entity2textlong.txt`, `relation2text.txt`, Wikidata labels as JSON), types and classes. Texts
    may lie in a folder `text`, or above a folder `triples`.

    Args:
        test: a file of test triples in place of the folder's own.

    Raises:
        MissingFileError: no folder, no training file, or no such test file.
        SyntaxInputError: a line that cannot be read; file and line are in the message.
    """
    home = Path(folder)
    if not home.is_dir():
        raise MissingFileError(f"Expected a folder with train.txt (got {home}, which is no folder)")
    train = first_of([home], _TRAIN)
    if train is None:
        raise MissingFileError(f"Expected {' or '.join(_TRAIN)} (none in {home})")
    if test is not None and not Path(test).is_file():
        raise MissingFileError(f"Expected a file of test triples (got {test}, which is not there)")
    return _Loading(home).benchmark(train, None if test is None else Path(test))


class _Loading:
    """What is gathered of one folder."""

    def __init__(self, home: Path) -> None:
        self._home, self._dictionary = home, Dictionary()
        beside = [home.parent.parent] if home.parent.name == "triples" else []
        self._folders = [home, home / "text", *beside]
        entities, relations = (first_of([home], names) for names in (_ENTITIES, _RELATIONS))
        self._entities = None if entities is None else read_names(entities)
        self._relations = None if relations is None else read_names(relations)

    def benchmark(self, train: Path, test: Path | None) -> Benchmark:
        """The benchmark with this training file."""
        rows = {
            "train": self._rows(train),
            "valid": self._rows(first_of([self._home], _VALID)),
            "test": self._rows(test or first_of([self._home], _TEST)),
            "valid_negatives": self._rows(first_of([self._home], _VALID_NEGATIVES)),
            "test_negatives": self._rows(first_of([self._home], _TEST_NEGATIVES)),
        }
        if not len(rows["train"]):
            raise InputError("Expected triples to train on (got none)", file=str(train))
        told = [rows["train"], *self._ids(self._texts()), *self._ids(self._schema())]
        s, p, o = np.concatenate(told).T
        graph = KnowledgeGraph(self._dictionary, Columns.from_arrays(s, p, o), sources=(str(train),))
        return Benchmark(self._home.resolve().name, graph, **rows)

    def _rows(self, path: Path | None) -> Rows:
        """Term ids of the triples of a file, each once."""
        if path is None:
            return np.empty((0, 3), dtype=np.int32)
        by_number = "2id" in path.name
        triples = read_triples(path, *((self._entities, self._relations) if by_number else (None, None)))
        names = dict.fromkeys(name for triple in triples for name in triple)
        ids = dict(
            zip(names, self._dictionary.intern_keys([f"<{_iri(name)}>" for name in names]).tolist(), strict=True)
        )
        return np.array([[ids[name] for name in t] for t in dict.fromkeys(triples)], dtype=np.int32).reshape(-1, 3)

    def _ids(self, triples: Iterable[tuple[Node, Node, Node]]) -> list[Rows]:
        found = [[self._dictionary.intern(term) for term in triple] for triple in triples]
        return [np.array(found, dtype=np.int32).reshape(-1, 3)]

    def _known(self, name: str) -> URIRef | None:
        """The term of a name that some triple has."""
        iri = URIRef(_iri(name))
        return None if self._dictionary.find(iri) is None else iri

    def _texts(self) -> list[tuple[Node, Node, Node]]:
        """Labels and descriptions of what occurs in triples."""
        texts: dict[str, Text] = {}
        for name in ("codex-s-entities-with-description.tsv", "entity2text.txt", "relation2text.txt"):
            if path := first_of(self._folders, [name]):
                texts |= read_texts(path)
        for name in ("relations_en.json", "types_en.json", "entity2wikidata.json"):
            if path := first_of(self._folders, [name]):
                texts |= _wikidata_texts(read_json(path))
        if path := first_of(self._folders, ["codex-s-relation2text.txt"]):
            texts |= read_texts(path)
        if path := first_of(self._folders, ["entity2textlong.txt"]):
            for name, long in read_texts(path).items():
                whole = f"{long.label}, {long.description}" if long.description else long.label
                texts[name] = Text(texts[name].label if name in texts else name, whole)
        found: list[tuple[Node, Node, Node]] = []
        for name, text in texts.items():
            if term := self._known(name):
                found += [(term, RDFS.label, Literal(text.label))] if text.label else []
                found += [(term, RDFS.comment, Literal(text.description))] if text.description else []
        return found

    def _schema(self) -> list[tuple[Node, Node, Node]]:
        """Types, classes, domains and ranges."""
        found: list[tuple[Node, Node, Node]] = []
        if path := first_of(self._folders, ["entity2types.json"]):
            for name, types in read_json(path).items():
                if (term := self._known(name)) and isinstance(types, list):
                    found += [(term, RDF.type, URIRef(_iri(str(each)))) for each in types]
        classes = first_of(self._folders, _CLASSES)
        if classes is None or self._entities is None or self._relations is None:
            return found
        numbered = read_names(classes)
        tables = (
            ("ent2classes.tsv", self._entities, RDF.type),
            ("subclassof2id.tsv", numbered, RDFS.subClassOf),
            ("rel2dom.tsv", self._relations, RDFS.domain),
            ("rel2range.tsv", self._relations, RDFS.range),
        )
        for name, subjects, predicate in tables:
            if path := first_of(self._folders, [name]):
                pairs = read_pairs(path, subjects, numbered)
                found += [(URIRef(_iri(one)), predicate, URIRef(_iri(other))) for one, other in pairs]
        found += [(URIRef(_iri(name)), RDF.type, OWL.Class) for name in numbered.values()]
        return found


def _iri(name: str) -> str:
    """The IRI of a name: itself where it is one."""
    return name if name.startswith(("http://", "https://", "urn:")) else BASE + quote(name, safe="/:")


def _name(iri: str) -> str:
    return unquote(iri.removeprefix(BASE)) if iri.startswith(BASE) else iri


def _wikidata_texts(values: Mapping[str, object]) -> dict[str, Text]:
    """Texts of a JSON object of names with label and description; what has no label is passed over."""
    found: dict[str, Text] = {}
    for name, told in values.items():
        if isinstance(told, dict) and isinstance(told.get("label"), str):
            found[name] = Text(told["label"], str(told.get("description") or ""))
    return found
