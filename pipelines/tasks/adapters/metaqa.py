"""MetaQA (Zhang et al. 2018): questions about films, their topic in brackets, answered by entities of a graph.

Questions are lines `who wrote [The Hunger]<TAB>Whitley Strieber|Ivan Davis`. The graph is `kb.txt`, lines of
`head|relation|tail`; or triples by number in files `kb_*.tsv`, with the texts of the numbers in `kb_entity2text.txt`
and `kb_relation2text.txt`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import numpy as np
from rdflib import RDFS, Literal, URIRef

from kg.benchmark import BASE
from kg.columns import Columns
from kg.dictionary import Dictionary
from kg.errors import MissingFileError
from kg.graph import KnowledgeGraph
from pipelines.tasks.adapters.lines import misfit, tables
from pipelines.tasks.example import Example

__all__ = ["load_graph", "read"]

log = logging.getLogger(__name__)

_TOPIC = re.compile(r"\[([^\[\]]+)\]")


def read(path: Path, *, group: str = "") -> list[Example]:
    """The questions of a file; the topic stays in its brackets.

    Args:
        group: of all of them; where there is none, the name of the folder if it has "hop" in it.

    Raises:
        MissingFileError: no such file.
        SyntaxInputError: a line without tab, topic or answers.
    """
    folders = [folder.name for folder in path.resolve().parents if "hop" in folder.name]
    named = group or (folders[0] if folders else "")
    found = []
    for line, (question, told) in tables(path, 2):
        answers = tuple(dict.fromkeys(filter(None, told.split("|"))))
        if len(_TOPIC.findall(question)) != 1 or not answers:
            raise misfit(path, line, "one topic in brackets, a tab, and answers separated by '|'", question[:60])
        found.append(Example(f"{path.stem}:{line}", "", question, (), answers, group=named))
    return found


def load_graph(folder: Path) -> KnowledgeGraph:
    """The graph of a folder; each term has its name as label.

    Raises:
        MissingFileError: neither `kb.txt` nor `kb_*.tsv` with the texts of their numbers.
        SyntaxInputError: a line of another form, or the number of a relation without a text.
    """
    whole = folder / "kb.txt"
    numbered = sorted(folder.glob("kb_*.tsv"))
    if whole.is_file():
        return _graph([whole], (cells for _, cells in tables(whole, 3, separator="|")))
    if not numbered:
        raise MissingFileError(f"Expected kb.txt, or kb_*.tsv with kb_entity2text.txt (neither in {folder})")
    entities = _texts(folder / "kb_entity2text.txt")
    relations = {number: text.replace(" ", "_") for number, text in _texts(folder / "kb_relation2text.txt").items()}
    return _graph(numbered, (row for path in numbered for row in _named(path, entities, relations)))


def _texts(path: Path) -> dict[str, str]:
    """Texts by number. The public file has one number twice; its second text belongs to a number that has none."""
    found: dict[str, str] = {}
    for line, (number, text) in tables(path, 2):
        if found.setdefault(number, text) != text:
            log.warning(
                "%s:%d: %s has the text %r already; check the number (%r is left out)",
                path,
                line,
                number,
                found[number],
                text,
            )
    return found


def _named(path: Path, entities: dict[str, str], relations: dict[str, str]) -> Iterable[list[str]]:
    """Triples by name; a number without a text is its own name."""
    for line, (head, relation, tail) in tables(path, 3):
        if relation not in relations:
            raise misfit(path, line, "the number of a relation with a text", f"{relation!r}, which has none")
        yield [entities.get(head, head), relations[relation], entities.get(tail, tail)]


def _graph(paths: list[Path], rows: Iterable[list[str]]) -> KnowledgeGraph:
    dictionary, ids = Dictionary(), dict[tuple[str, str], int]()
    label = dictionary.intern(RDFS.label)
    found, labels = [], []

    def known(name: str, text: str) -> int:
        if (name, text) not in ids:
            ids[name, text] = dictionary.intern(URIRef(BASE + quote(name, safe="")))
            labels.append((ids[name, text], label, dictionary.intern(Literal(text))))
        return ids[name, text]

    for head, relation, tail in rows:
        found.append((known(head, head), known(relation, relation.replace("_", " ")), known(tail, tail)))
    s, p, o = np.array(found + labels, dtype=np.int32).reshape(-1, 3).T
    return KnowledgeGraph(dictionary, Columns.from_arrays(s, p, o), sources=(str(paths[0].parent),))
