"""The process that parses: files in, dictionary keys and integer triples out, as frames on standard output.

Started by `kg.intake` through `kg.worker`. Frames in: `J` job, then any number of `F` file and `B` block of whole lines
of N-Triples. Out, for each file and block: `K` block of new keys, `T` int32 triples, `P` bytes read, `N` prefixes, and
at last `D` done or `E` error. Imports only pyoxigraph and the standard library.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterable, Mapping
from typing import IO, Any, cast

import pyoxigraph as ox

from kg.feed import Feed, Refusal
from kg.frames import pack_keys, read_frame, read_json, write_frame, write_json
from kg.triple_keys import triple_key

__all__ = ["FORMATS", "key_of", "limit_process", "main"]

FORMATS = {
    "turtle": ox.RdfFormat.TURTLE,
    "ntriples": ox.RdfFormat.N_TRIPLES,
    "nquads": ox.RdfFormat.N_QUADS,
    "trig": ox.RdfFormat.TRIG,
    "rdfxml": ox.RdfFormat.RDF_XML,
    "jsonld": ox.RdfFormat.JSON_LD,
}
_XSD_STRING = "http://www.w3.org/2001/XMLSchema#string"
_RDF_LANG = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"
_BATCH = 3 << 15  # ids in one frame: 400 kB, and a progress report each
_WHERE = re.compile(r"^Parser error (?:at|between) line .*?: ", re.DOTALL)
_REMOTE = re.compile(r'"@(?:context|import)"\s*:\s*(?:\[\s*)?"([^"]{0,500})"')


def limit_process(memory_bytes: int, *, files: int) -> None:
    """Caps this process: address space, open files, no core dump, nothing written to disk. Nothing to do on Windows."""
    try:
        import resource
    except ImportError:
        return
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_NOFILE, files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):  # a lower limit is in force already, or the system has none of this kind
            continue


def key_of(term: ox.NamedNode | ox.Literal) -> str:
    """The dictionary key of an IRI or a literal; the same string as `kg.terms.term_key` gives.

    Raises:
        Refusal: the literal has a base direction (RDF 1.2).
    """
    if isinstance(term, ox.NamedNode):
        return f"<{term.value}>"
    if term.direction is not None:
        raise Refusal("unsupported", f"RDF 1.2 base directions are not taken (got {term}); drop the direction")
    if term.language:
        return f'"{term.value}"@{term.language.lower()}'
    datatype = term.datatype.value
    return f'"{term.value}"' if datatype == _XSD_STRING else f'"{term.value}"^^<{datatype}>'


class _Loader:
    """One dictionary over all files; blank nodes are forgotten between files.

    Blank nodes of a block keep their names, because other lines of its file are read elsewhere.
    """

    def __init__(self, job: Mapping[str, Any], out: IO[bytes]) -> None:
        self.job, self.out = job, out
        self.ids: dict[Any, int] = {}
        self.count = 0
        self.new: list[str] = []
        self.blank: list[ox.BlankNode | ox.Triple] = []
        self.labels: dict[int, str] = {}
        self.file: int | None = None

    def intern(self, term: Any) -> int:
        """The id of a term seen for the first time."""
        if isinstance(term, ox.BlankNode):
            name = term.value if self.file is None else f"f{self.file}b{len(self.blank)}"
            key = self.labels[self.count] = f"_:{name}"
            self.blank.append(term)
        elif isinstance(term, ox.Triple):
            key = self.triple_key(term)
            if _has_blank(term):
                self.blank.append(term)
        else:
            key = key_of(term)
        self.new.append(key)
        id = self.ids[term] = self.count
        self.count += 1
        return id

    def triple_key(self, term: ox.Triple) -> str:
        """The key of a triple term, whose blank nodes are those of the file."""
        keys = []
        for part in (term.subject, term.predicate, term.object):
            if isinstance(part, ox.BlankNode):
                id = self.intern(part) if part not in self.ids else self.ids[part]
                keys.append(self.labels[id])
            else:
                keys.append(self.triple_key(part) if isinstance(part, ox.Triple) else key_of(part))
        return triple_key(*keys)

    def flush(self, triples: array[int], feed: Feed) -> None:
        if self.new:
            write_frame(self.out, b"K", pack_keys(self.new))
            self.new.clear()
        if triples:
            write_frame(self.out, b"T", triples.tobytes())
            del triples[:]
        write_json(self.out, b"P", feed.position)

    def read(self, file: Mapping[str, Any]) -> None:
        """Parses one file or block and sends what is in it."""
        self.file = file["number"]
        feed = self.feed(file)
        try:
            triples = array("i")
            parser = ox.parse(input=cast("IO[bytes]", feed), format=FORMATS[file["format"]], base_iri=file["base"])
            self.read_quads(parser, triples, feed)
            write_json(self.out, b"N", parser.prefixes)
            self.flush(triples, feed)
        except MemoryError as error:
            if "buffer maximal size" in str(error):
                reason = "Expected terms and comments of at most 16 MiB each; shorten or split the text"
            else:
                reason = "Expected an input that fits in memory; raise `memory_bytes` in the limits"
            raise Refusal("limit", reason) from None
        except (SyntaxError, OSError) as error:
            raise (feed.error or self.syntax_refusal(error, file)) from None
        except Refusal as refusal:
            raise self.placed(refusal, file) from None
        finally:
            feed.close()
        for term in self.blank:
            del self.ids[term]
        self.blank.clear()
        self.labels.clear()

    def read_quads(self, quads: Iterable[ox.Quad], triples: array[int], feed: Feed) -> None:
        """Interns the terms of what the parser gives."""
        ids, append, intern = self.ids.get, triples.append, self.intern
        for s, p, o, _ in quads:
            id = ids(s)
            append(intern(s) if id is None else id)
            id = ids(p)
            append(intern(p) if id is None else id)
            id = ids(o)
            append(intern(o) if id is None else id)
            if len(triples) >= _BATCH:
                self.flush(triples, feed)

    def feed(self, file: Mapping[str, Any], piece: bytes | None = None) -> Feed:
        return Feed(
            file["source"],
            xml=file["format"] == "rdfxml",
            packed=file["packed"],
            unpacked_bytes=self.job["unpacked_bytes"],
            gzip_ratio=self.job["gzip_ratio"],
            piece=piece,
        )

    # Where it went wrong ----------------------------------------------------------------------------------------

    def syntax_refusal(self, error: SyntaxError | OSError, file: Mapping[str, Any]) -> Refusal:
        """The parser's message with line, column and the text there."""
        if not isinstance(error, SyntaxError):
            return Refusal("input", f"Expected a readable file ({error})")
        message = _WHERE.sub("", error.msg).rstrip(".")
        if "remote context" in message.lower() or "LoadDocumentCallback" in message:
            return self.remote_context(file)
        if error.lineno is not None and error.offset is not None:
            last = error.end_offset if error.end_lineno == error.lineno else None
            text = self.text_at(file, error.lineno, error.offset, last)
            return Refusal("syntax", _with_text(message, text), error.lineno, error.offset)
        # These two parsers tell no place. They ask for the next piece only when they need it, so the newest piece holds
        # the error, or for JSON-LD the end of the node or context that does.
        xml = file["format"] == "rdfxml"
        feed = self.feed(file, b">" if xml else b"\n")
        try:
            for _ in ox.parse(input=cast("IO[bytes]", feed), format=FORMATS[file["format"]], base_iri=file["base"]):
                pass
        except (SyntaxError, OSError):
            if not xml:
                return Refusal("syntax", message, feed.line)
            return Refusal("syntax", _with_text(message, feed.piece.strip()), feed.line, feed.column)
        finally:
            feed.close()
        return Refusal("syntax", message)

    def text_at(self, file: Mapping[str, Any], line: int, column: int, last: int | None) -> str:
        """The text between two columns of a line, or from the first one on."""
        feed = self.feed(file)
        try:
            for number, text in enumerate(feed.lines(), 1):
                if number == line:
                    return text[column - 1 : last - 1 if last and last > column else None]
        except Refusal:
            return ""
        finally:
            feed.close()
        return ""

    def find(self, file: Mapping[str, Any], pattern: re.Pattern[str]) -> tuple[int, int, str] | None:
        """Line, column and text of the first match inside a line."""
        feed = self.feed(file)
        try:
            for number, text in enumerate(feed.lines(), 1):
                found = pattern.search(text)
                if found:
                    return number, found.start() + 1, found[found.re.groups]
        finally:
            feed.close()
        return None

    def remote_context(self, file: Mapping[str, Any]) -> Refusal:
        found = self.find(file, _REMOTE) or (None, None, "")
        return Refusal(
            "unsupported",
            _with_text("Remote JSON-LD contexts are never fetched", found[2]) + "; write the context into the file",
            *found[:2],
        )

    def placed(self, refusal: Refusal, file: Mapping[str, Any]) -> Refusal:
        """A refusal of RDF 1.2 terms with the first place in the file that has their syntax."""
        if refusal.kind != "unsupported":
            return refusal
        found = self.find(file, re.compile(r"--(?:ltr|rtl)\b|rdf:version|@direction"))
        return refusal if found is None else Refusal(refusal.kind, refusal.reason, *found[:2])


def _file_of(block: bytes) -> dict[str, Any]:
    """A block as a file to read."""
    return {"number": None, "source": block, "format": "ntriples", "packed": False, "base": None}


def _has_blank(term: Any) -> bool:
    return isinstance(term, ox.BlankNode) or (
        isinstance(term, ox.Triple) and (_has_blank(term.subject) or _has_blank(term.object))
    )


def _with_text(message: str, text: str) -> str:
    """A message with the offending text, on one line and short; characters that would steer a terminal are escaped."""
    shown = text if len(text) <= 60 else text[:57] + "…"
    whole = f"{message} (got {shown})" if text.strip() and text not in message else message
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in whole)


def main() -> None:
    """Reads one job from standard input and answers on standard output."""
    limit_process(int(sys.argv[1]), files=16)
    out = sys.stdout.buffer
    frame = read_frame(sys.stdin.buffer)
    if frame is None:
        return
    loader = _Loader(read_json(frame[1]), out)
    try:
        while (frame := read_frame(sys.stdin.buffer)) is not None:
            loader.read(read_json(frame[1]) if frame[0] == b"F" else _file_of(frame[1]))
            write_json(out, b"D", None)
    except Refusal as refusal:
        write_json(out, b"E", [refusal.kind, refusal.reason, refusal.line, refusal.column])
    except MemoryError:
        write_json(out, b"E", ["limit", "Expected an input that fits in memory", None, None])
    except BaseException as error:  # a panic of the parser is no Exception
        reason = f"Expected a file the parser can read ({type(error).__name__}: {error})"
        write_json(out, b"E", ["input", reason, None, None])


if __name__ == "__main__":
    main()
