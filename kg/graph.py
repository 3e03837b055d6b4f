"""`KnowledgeGraph`: asserted and inferred triples over one dictionary, with prefixes and labels.

A graph is read here and never changed: loading makes one with asserted triples, materialising gives another that
shares the dictionary and the asserted columns and has the inferred columns filled.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from rdflib import RDF, RDFS, SKOS, BNode, Literal, URIRef
from rdflib.term import Node

from kg.columns import NO_SOURCE, Columns, Ids
from kg.dictionary import LITERAL, Dictionary
from kg.errors import UnknownTermError
from kg.terms import Triple, TripleTerm, local_name, split_camel

if TYPE_CHECKING:
    import networkx
    import pandas
    import rdflib
    import torch_geometric

__all__ = ["KnowledgeGraph"]

LABEL_PREDICATES = (SKOS.prefLabel, RDFS.label, SKOS.altLabel)
_STANDARD_PREFIXES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
}
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[^\s<>\"{}|^`\\]+")
_SOURCE = "urn:noesis:source:"
_DEFAULT_GRAPH = "urn:x-rdflib:default"  # what some versions of rdflib call it in place of None

_VOCABULARIES = (str(RDF), str(RDFS), "http://www.w3.org/2002/07/owl#", "http://www.w3.org/2001/XMLSchema#")


class KnowledgeGraph:
    """Triples as integer columns, asserted and inferred, with the terms, prefixes and labels to read them.

    Args:
        dictionary: the ids of every term in the columns.
        asserted: triples given in the input.
        inferred: triples added by rules; none before materialisation.
        prefixes: prefix to namespace IRI, for compact names in both directions.
        sources: names of the files the asserted triples came from; the columns' source numbers index it.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        asserted: Columns,
        *,
        inferred: Columns | None = None,
        prefixes: Mapping[str, str] | None = None,
        sources: Sequence[str] = (),
    ) -> None:
        self.dictionary = dictionary
        self.asserted = asserted
        self.inferred = Columns.empty() if inferred is None else inferred
        self.prefixes: dict[str, str] = {**_STANDARD_PREFIXES, **(prefixes or {})}
        self.sources = tuple(sources)

    def __len__(self) -> int:
        return len(self.asserted) + len(self.inferred)

    def __repr__(self) -> str:
        return f"KnowledgeGraph({len(self.asserted)} asserted, {len(self.inferred)} inferred triples)"

    def _repr_html_(self) -> str:
        from kg.notebook import graph_html

        return graph_html(self)

    @classmethod
    def from_triples(
        cls, triples: Iterable[tuple[Node, Node, Node]], *, prefixes: Mapping[str, str] | None = None
    ) -> KnowledgeGraph:
        """A graph of the given rdflib triples, all asserted."""
        dictionary = Dictionary()
        ids = [[dictionary.intern(term) for term in triple] for triple in triples]
        s, p, o = np.array(ids, dtype=np.int32).reshape(-1, 3).T
        return cls(dictionary, Columns.from_arrays(s, p, o), prefixes=prefixes)

    def with_inferred(self, inferred: Columns) -> KnowledgeGraph:
        """The same graph with these inferred triples; dictionary and asserted columns are shared."""
        return KnowledgeGraph(
            self.dictionary, self.asserted, inferred=inferred, prefixes=self.prefixes, sources=self.sources
        )

    # Terms ------------------------------------------------------------------------------------------------------

    def term(self, name: str | Node) -> Node:
        """The rdflib term for a compact name (`med:warfarin`), an IRI (with or without `<>`) or a term.

        Raises:
            UnknownTermError: a compact name has a prefix this graph does not declare.
        """
        if isinstance(name, (URIRef, BNode, Literal, TripleTerm)):
            return name
        text = str(name)
        if text.startswith("<") and text.endswith(">"):
            return URIRef(text[1:-1])
        if text.startswith("_:"):
            return BNode(text[2:])
        prefix, colon, local = text.partition(":")
        if colon and prefix in self.prefixes:
            return URIRef(self.prefixes[prefix] + local)
        if colon and (local.startswith("//") or prefix in ("urn", "mailto", "tag")):
            return URIRef(text)
        raise UnknownTermError(text, difflib.get_close_matches(prefix, self.prefixes, n=3))

    def id(self, name: str | Node) -> int:
        """The id of a term of this graph.

        Raises:
            UnknownTermError: the term is not in the graph; the error lists the nearest known ones.
        """
        return self.dictionary.id(self.term(name))

    def curie(self, term: Node) -> str:
        """A short name for a term: `prefix:local` where a prefix fits, else the N-Triples form."""
        if isinstance(term, TripleTerm):
            return f"<<( {' '.join(map(self.curie, term.parts))} )>>"
        if not isinstance(term, URIRef):
            return term.n3()
        fits = [(len(ns), prefix, ns) for prefix, ns in self.prefixes.items() if term.startswith(ns)]
        if not fits:
            return f"<{term}>"
        _, prefix, namespace = max(fits)
        return f"{prefix}:{term[len(namespace) :]}"

    def label(self, term: Node) -> str:
        """The name to show for a term: its first label, else words made from its local name, else its text."""
        names = self.labels(term)
        if names:
            return names[0]
        if isinstance(term, URIRef):
            return split_camel(local_name(term))
        if isinstance(term, TripleTerm):
            return f"“{' '.join(map(self.label, term.parts))}”"
        return str(term)

    def labels(self, term: Node) -> tuple[str, ...]:
        """All labels of a term: `skos:prefLabel`, then `rdfs:label`, then `skos:altLabel`."""
        at = self.dictionary.find(term)
        return () if at is None else self._labels.get(at, ())

    @cached_property
    def _labels(self) -> dict[int, tuple[str, ...]]:
        found: dict[int, list[str]] = {}
        for predicate in LABEL_PREDICATES:
            p = self.dictionary.find(predicate)
            if p is None:
                continue
            for s, o in zip(*self.asserted.pairs(p), strict=True):
                if self.dictionary.kinds[o] == LITERAL:
                    found.setdefault(int(s), []).append(str(self.dictionary.term(int(o))))
        return {s: tuple(dict.fromkeys(names)) for s, names in found.items()}

    # Triples ----------------------------------------------------------------------------------------------------

    def triples(
        self,
        subject: str | Node | None = None,
        predicate: str | Node | None = None,
        object: str | Node | None = None,
        *,
        inferred: bool = True,
    ) -> Iterator[Triple]:
        """The triples that fit a pattern in which None fits anything; asserted first.

        A term that is not in the graph fits nothing.
        """
        pattern: list[int | None] = []
        for name in (subject, predicate, object):
            found = None if name is None else self.dictionary.find(self.term(name))
            if name is not None and found is None:
                return
            pattern.append(found)
        for columns in (self.asserted, self.inferred) if inferred else (self.asserted,):
            for ids in columns.match(*pattern):
                yield self.decode(*ids)

    def decode(self, s: int, p: int, o: int) -> Triple:
        """The triple of three ids."""
        return Triple(self.dictionary.term(s), self.dictionary.term(p), self.dictionary.term(o))

    def encode(self, triple: Sequence[Node]) -> tuple[int, int, int] | None:
        """The ids of a triple, or None where one of its terms is not in the graph."""
        s, p, o = (self.dictionary.find(term) for term in triple)
        return None if s is None or p is None or o is None else (s, p, o)

    def contains(self, triple: Sequence[Node], *, inferred: bool = True) -> bool:
        """Whether the triple is asserted, or (unless `inferred` is false) inferred."""
        ids = self.encode(triple)
        if ids is None:
            return False
        return self.asserted.contains(*ids) or (inferred and self.inferred.contains(*ids))

    def source(self, triple: Sequence[Node]) -> str | None:
        """The file an asserted triple came from, or None where that is not known."""
        ids = self.encode(triple)
        at = None if ids is None else self.asserted.source(*ids)
        return None if at is None or at >= len(self.sources) else self.sources[at]

    def pairs(self, predicate: int) -> tuple[Ids, Ids]:
        """Subjects and objects of a predicate id, asserted then inferred; shape (num_pairs,) each."""
        (s, o), (s2, o2) = self.asserted.pairs(predicate), self.inferred.pairs(predicate)
        return np.concatenate([s, s2]), np.concatenate([o, o2])

    def predicates(self) -> tuple[int, ...]:
        """Ids of all predicates with a triple, ascending."""
        return tuple(sorted({*self.asserted.predicates(), *self.inferred.predicates()}))

    @cached_property
    def relation_ids(self) -> NDArray[np.int32]:
        """Predicates that link entities and carry meaning for learning, ascending; shape (num_relations,).

        Annotation, typing and schema predicates (`rdf:`, `rdfs:`, `owl:`, `skos:` labels) are not among them.
        """
        skip = (str(RDFS), "http://www.w3.org/2002/07/owl#", str(RDF), "http://purl.org/dc/terms/")
        kinds = self.dictionary.kinds
        chosen = []
        for p in self.predicates():
            name = str(self.dictionary.term(p))
            _, objects = self.pairs(p)
            if not name.startswith(skip) and bool((kinds[objects] < LITERAL).any()):
                chosen.append(p)
        return np.array(chosen, dtype=np.int32)

    @cached_property
    def entity_ids(self) -> NDArray[np.int32]:
        """Terms linked by a relation (`relation_ids`), literals left out, ascending; shape (num_entities,)."""
        ends = [np.concatenate(self.pairs(int(p))) for p in self.relation_ids]
        every = np.sort(np.concatenate(ends)) if ends else np.empty(0, dtype=np.int32)
        every = every[np.r_[True, every[1:] != every[:-1]]] if len(every) else every
        return every[self.dictionary.kinds[every] < LITERAL].astype(np.int32)

    def entity_triples(self, *, inferred: bool = False) -> NDArray[np.int32]:
        """Triples to learn from, as rows of head, relation and tail ids; shape (num_triples, 3).

        The relations are `relation_ids`, literals as tails left out, and `rdf:type` to classes of the domain (IRIs
        outside the RDF, RDFS, OWL and XSD vocabularies). Asserted rows come first, then, if asked for, inferred ones.
        """
        kinds = self.dictionary.kinds
        type_id = self.dictionary.find(RDF.type)
        rows = [np.empty((0, 3), dtype=np.int32)]
        for columns in (self.asserted, self.inferred) if inferred else (self.asserted,):
            for p in self.relation_ids:
                heads, tails = columns.pairs(int(p))
                linked = kinds[tails] < LITERAL
                rows.append(_rows(heads[linked], int(p), tails[linked]))
            if type_id is not None:
                heads, classes = columns.pairs(type_id)
                domain = np.isin(classes, [c for c in np.unique(classes).tolist() if self._is_domain_class(c)])
                rows.append(_rows(heads[domain], type_id, classes[domain]))
        return np.concatenate(rows)

    def _is_domain_class(self, id: int) -> bool:
        return self.dictionary.key(id).startswith("<") and not self.dictionary.key(id)[1:].startswith(_VOCABULARIES)

    # Views ------------------------------------------------------------------------------------------------------

    @classmethod
    def from_rdflib(cls, graph: rdflib.Graph) -> KnowledgeGraph:
        """A graph of the triples of an rdflib `Graph` or `Dataset`, with its prefixes.

        The named graphs of a dataset are merged; `source` gives the name of the first one a triple is in, None for the
        default graph.
        """
        import rdflib

        prefixes = {prefix: str(namespace) for prefix, namespace in graph.namespaces() if prefix}
        if not isinstance(graph, rdflib.Dataset):
            return cls.from_triples(graph, prefixes=prefixes)
        dictionary, names = Dictionary(), dict[str, int]()
        # Sorted, so that the first graph of a triple is always the same one.
        quads = sorted(graph.quads(), key=lambda quad: str(quad[3] or ""))
        rows = []
        for s, p, o, name in quads:
            default = name is None or str(name) == _DEFAULT_GRAPH
            number = NO_SOURCE if default else names.setdefault(str(name), len(names))
            rows.append([*(dictionary.intern(term) for term in (s, p, o)), number])
        columns = np.array(rows, dtype=np.int32).reshape(-1, 4).T
        return cls(dictionary, Columns.from_arrays(*columns), prefixes=prefixes, sources=tuple(names))

    def to_rdflib(self, *, inferred: bool = True) -> rdflib.Graph:
        """An rdflib `Graph` holding a copy of the triples."""
        import rdflib

        graph = rdflib.Graph()
        for prefix, namespace in self.prefixes.items():
            graph.bind(prefix, namespace)
        for s, p, o in self.triples(inferred=inferred):
            graph.add((s, p, o))
        return graph

    def to_dataset(self, *, inferred: bool = True) -> rdflib.Dataset:
        """An rdflib `Dataset` holding a copy of the triples, in a named graph for each source.

        A source that is no absolute IRI names the graph `urn:noesis:source:` and its quoted text; triples without a
        source are in the default graph, inferred ones in `urn:noesis:inferred`.
        """
        import rdflib

        dataset = rdflib.Dataset()
        for prefix, namespace in self.prefixes.items():
            dataset.bind(prefix, namespace)
        names = [URIRef(source if _ABSOLUTE.fullmatch(source) else _SOURCE + quote(source)) for source in self.sources]
        for s, p, o in self.asserted.match(None, None, None):
            at = self.asserted.source(s, p, o)
            graph = dataset.default_graph if at is None or at >= len(names) else dataset.graph(names[at])
            graph.add((self.dictionary.term(s), self.dictionary.term(p), self.dictionary.term(o)))
        for s, p, o in self.inferred.match(None, None, None) if inferred else ():
            dataset.graph(URIRef("urn:noesis:inferred")).add(
                (self.dictionary.term(s), self.dictionary.term(p), self.dictionary.term(o))
            )
        return dataset

    def to_networkx(self, *, inferred: bool = True) -> networkx.MultiDiGraph[Node]:
        """A networkx `MultiDiGraph` whose nodes are terms and whose edges are keyed by predicate.

        The edge attribute `inferred` tells the inferred triples from the asserted ones.
        """
        import networkx

        graph: networkx.MultiDiGraph[Node] = networkx.MultiDiGraph()
        for columns, derived in ((self.asserted, False), (self.inferred, True)):
            for ids in columns.match(None, None, None) if inferred or not derived else ():
                s, p, o = self.decode(*ids)
                graph.add_edge(s, o, key=p, inferred=derived)
        return graph

    def to_pandas(self, *, inferred: bool = True) -> pandas.DataFrame:
        """A pandas `DataFrame` with a row for each triple, terms as compact names, and the column `inferred`.

        Raises:
            NotSupportedError: pandas is not installed.
        """
        from kg.notebook import graph_frame

        return graph_frame(self, inferred=inferred)

    def to_pyg(self, *, inferred: bool = True) -> torch_geometric.data.Data:
        """A torch-geometric `Data` of the relations between entities (`relation_ids`, `entity_ids`).

        Its tensors: `edge_index` (2, num_edges), node numbers; `edge_type` (num_edges,), relation numbers; `inferred`
        (num_edges,), bool; `node_id` (num_nodes,) and `relation_id` (num_relations,), the term ids behind the numbers.
        """
        import torch

        with warnings.catch_warnings():  # torch-geometric compiles with torch.jit while it is imported
            warnings.simplefilter("ignore", DeprecationWarning)
            from torch_geometric.data import Data

        entities, relations = self.entity_ids, self.relation_ids
        parts = []
        for columns, derived in ((self.asserted, False), (self.inferred, True)):
            for number, relation in enumerate(relations.tolist() if inferred or not derived else ()):
                s, o = columns.pairs(relation)
                keep = ~self.dictionary.is_literal(o)
                head, tail = np.searchsorted(entities, s[keep]), np.searchsorted(entities, o[keep])
                parts.append(np.stack([head, tail, np.full(len(head), number), np.full(len(head), derived)]))
        edges = np.concatenate(parts, axis=1) if parts else np.empty((4, 0))
        table = torch.from_numpy(edges.astype(np.int64))
        return Data(
            edge_index=table[:2].contiguous(),
            edge_type=table[2],
            inferred=table[3].bool(),
            node_id=torch.from_numpy(entities.astype(np.int64)),
            relation_id=torch.from_numpy(relations.astype(np.int64)),
            num_nodes=len(entities),
        )


def _rows(heads: Ids, relation: int, tails: Ids) -> NDArray[np.int32]:
    return np.column_stack([heads, np.full(len(heads), relation, dtype=np.int32), tails])
