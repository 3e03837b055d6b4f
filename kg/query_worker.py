"""The process that answers SPARQL: it holds one graph in a pyoxigraph store and answers queries about it.

Started by `kg.query` through `kg.worker`. Frames in: `J` job, `K` keys, `T` int32 triples, `S` all sent, `Q` query.
Frames out: `R` ready; for each query `V` variables, `K` keys, `I` int32 rows and `D` done, or `E` error. A row has the
number of a key for each variable, -1 where it is unbound. No file and no socket can be opened once it runs.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import IO, Any

import pyoxigraph as ox

from kg.feed import Refusal
from kg.frames import pack_keys, read_frame, read_json, unpack_keys, write_frame, write_json
from kg.parse_worker import key_of, limit_process
from kg.triple_keys import OPEN, split_triple_key, triple_key

__all__ = ["main"]

_LITERAL = re.compile(r'"(.*)"(?:@([A-Za-z0-9-]+)|\^\^<([^>]*)>)?', re.DOTALL)
_XSD = "http://www.w3.org/2001/XMLSchema#"
_PLAIN = {f"{_XSD}string", "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"}


def term_of(key: str) -> Any:
    """The pyoxigraph term for a dictionary key.

    Raises:
        ValueError: the key's IRI, label or language tag is none RDF allows.
    """
    if key.startswith(OPEN):
        return ox.Triple(*map(term_of, split_triple_key(key)))
    if key[0] == "<":
        return ox.NamedNode(key[1:-1])
    if key[0] == "_":
        return ox.BlankNode(key[2:])
    end = key.rindex('"')
    text, suffix = key[1:end], key[end + 1 :]
    if suffix.startswith("@"):
        return ox.Literal(text, language=suffix[1:])
    return ox.Literal(text, datatype=ox.NamedNode(suffix[3:-1])) if suffix else ox.Literal(text)


class _Server:
    """A store and the way back from its terms to the keys of the graph."""

    def __init__(self, pipe: IO[bytes], out: IO[bytes]) -> None:
        self.pipe, self.out = pipe, out
        self.store = ox.Store()
        self.kept: dict[str, str] = {}

    def fill(self) -> None:
        """Takes the graph in."""
        terms: list[Any] = []
        while (frame := read_frame(self.pipe)) is not None and frame[0] != b"S":
            kind, payload = frame
            if kind == b"K":
                terms.extend(term_of(key) for key in unpack_keys(payload))
            elif kind == b"T":
                ids = array("i")
                ids.frombytes(payload)
                self.store.bulk_extend(_quads(terms, ids))
        self.kept = _lexical_forms(terms)
        write_json(self.out, b"R", None)

    def answer(self, job: dict[str, Any]) -> None:
        """Runs one query and sends its rows."""
        result = self.store.query(job["query"], prefixes=job["prefixes"])
        if isinstance(result, ox.QueryBoolean):
            write_json(self.out, b"V", [])
            write_json(self.out, b"D", int(bool(result)))
            return
        assert isinstance(result, ox.QuerySolutions)
        write_json(self.out, b"V", [variable.value for variable in result.variables])
        ids: dict[Any, int] = {}
        keys: list[str] = []
        rows, count = array("i"), 0
        for solution in result:
            count += 1
            if count > job["rows"]:
                raise Refusal("limit", f"Expected at most {job['rows']} rows; add LIMIT, or raise `rows` in the limits")
            for term in solution:
                id = -1 if term is None else ids.get(term)
                if id is None:
                    id = ids[term] = len(keys)
                    keys.append(self.key(term))
                rows.append(id)
        write_frame(self.out, b"K", pack_keys(keys))
        write_frame(self.out, b"I", rows.tobytes())
        write_json(self.out, b"D", count)

    def key(self, term: Any) -> str:
        if isinstance(term, ox.BlankNode):
            return f"_:{term.value}"
        if isinstance(term, ox.Triple):
            return triple_key(self.key(term.subject), self.key(term.predicate), self.key(term.object))
        key = key_of(term)
        return self.kept.get(key, key)


def _quads(terms: Sequence[Any], ids: array[int]) -> Iterator[ox.Quad]:
    column = iter(ids)
    return (ox.Quad(terms[s], terms[p], terms[o]) for s, p, o in zip(column, column, column, strict=True))


def _lexical_forms(terms: Sequence[Any]) -> dict[str, str]:
    """Canonical key to the graph's own, for literals the store rewrites (`01` to `1`); the first of several wins."""
    typed = [term for term in terms if isinstance(term, ox.Literal) and term.datatype.value not in _PLAIN]
    scratch, node = ox.Store(), ox.NamedNode("urn:x:p")
    scratch.bulk_extend(ox.Quad(ox.NamedNode(f"urn:x:{i}"), node, term) for i, term in enumerate(typed))
    kept: dict[str, str] = {}
    found = {int(quad.subject.value[6:]): quad.object for quad in scratch}
    for i, term in enumerate(typed):
        kept.setdefault(key_of(found[i]), key_of(term))
    for term in typed:
        kept[key_of(term)] = key_of(term)
    return kept


def main() -> None:
    """Takes one graph, then answers queries until its input ends."""
    limit_process(int(sys.argv[1]), files=3)
    out = sys.stdout.buffer
    server = _Server(sys.stdin.buffer, out)
    try:
        server.fill()
    except MemoryError:
        write_json(out, b"E", ["limit", "Expected a graph that fits in memory; raise `memory_bytes` in the limits"])
        return
    except ValueError as error:
        write_json(out, b"E", ["input", f"Expected terms that RDF allows ({error}); correct the graph's source"])
        return
    while (frame := read_frame(server.pipe)) is not None:
        try:
            server.answer(read_json(frame[1]))
        except Refusal as refusal:
            write_json(out, b"E", [refusal.kind, refusal.reason])
        except SyntaxError as error:
            write_json(out, b"E", ["syntax", str(error)])
        except MemoryError:
            write_json(out, b"E", ["limit", "Expected an answer that fits in memory; add LIMIT or a tighter pattern"])
        except BaseException as error:  # a panic of the store is no Exception
            write_json(out, b"E", ["input", f"Expected a query that can be answered ({type(error).__name__}: {error})"])


if __name__ == "__main__":
    main()
