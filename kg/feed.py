"""The bytes a parser gets to see: unpacked, measured, in UTF-8, and without the traps XML allows.

Runs inside the parse worker, and in the caller's process for N-Triples; only the standard library is imported. What is
refused here is what the parser itself takes or dies of: gzip bombs, entity expansion, byte order marks, encodings other
than UTF-8, control characters in XML.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, cast

__all__ = ["Feed", "Refusal"]

_CHUNK = 1 << 16
_UNPACKED_FREELY = 1 << 25  # a stretch of repeated text this long proves nothing yet
_BOM = codecs.BOM_UTF8
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DECLARED = re.compile(rb"""^<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
# Encodings whose text maps to the same characters everywhere; UTF-7 and the like can hide markup from a reader.
_LEGACY = re.compile(r"utf-16|us-ascii|ascii|latin-?1|iso-8859-\d+|windows-125\d|cp125\d")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_ENTITY = re.compile(rb"""<!ENTITY\s+(%\s+)?([^\s"'>%]+)\s+("[^"]*"|'[^']*'|[^>]*)""")
_REFERENCE = re.compile(rb"&([^\s&;#<]{1,200});")
# Atomic groups: a hostile prologue must not make the match try every way to read it.
_ROOT = re.compile(
    rb"(?:(?>\s+)|(?><\?.*?\?>)|(?><!--.*?-->)|(?><!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>))*+<([^\s/>!?&]+)(?:[^>]*(/)>)?",
    re.DOTALL,
)
_DOCTYPE_BYTES = 1 << 20  # more than any ontology's list of namespaces
_EXPANSION_BYTES = 1 << 26  # all entity text of one file: above what real files have, far below what hurts


class Refusal(Exception):  # noqa: N818 (it becomes a typed error in the parent process)
    """Why a file is not taken: kind (an error class of ours, see `kg.load`), reason, and 1-based place."""

    def __init__(self, kind: str, reason: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(reason)
        self.kind, self.reason, self.line, self.column = kind, reason, line, column


class Feed:
    """A file as a readable object of clean bytes; the error that ended it, if any, is kept in `error`.

    Args:
        source: the path of a regular file, or whole lines of one that were clean already.
        xml: whether the XML rules apply.
        packed: whether to unpack it with gzip.
        unpacked_bytes: the most bytes to hand out.
        gzip_ratio: the most bytes a packed byte may become, looked at after the first 32 MiB.
        piece: hand out pieces that end after this byte, so that the place of an error can be counted.
    """

    def __init__(
        self,
        source: str | bytes,
        *,
        xml: bool,
        packed: bool,
        unpacked_bytes: int,
        gzip_ratio: float,
        piece: bytes | None = None,
    ) -> None:
        self.error: Refusal | None = None
        self.line, self.column = 1, 1
        is_clean = isinstance(source, bytes)
        self._raw: IO[bytes] = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: SIM115 (`close`)
        self._packed = packed
        self._limits = unpacked_bytes, gzip_ratio
        pieces = self._read()
        if not is_clean:
            pieces = _without_traps(_in_utf8(pieces)) if xml else _without_mark(pieces)
        self._pieces = pieces if piece is None else _cut(pieces, piece)
        self._counting = piece is not None
        self._last = b""
        self._rest = memoryview(b"")

    @property
    def position(self) -> int:
        """Bytes of the file on disk read so far."""
        return self._raw.tell()

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes (all that is at hand where negative); empty at the end."""
        if not self._rest:
            try:
                data = next(self._pieces, b"")
            except Refusal as refusal:
                self.error = refusal
                raise OSError(refusal.reason) from None
            self._rest = memoryview(data)
            if self._counting:
                self._advance(data)
        size = len(self._rest) if size < 0 else size
        out, self._rest = self._rest[:size], self._rest[size:]
        return bytes(out)

    def _advance(self, data: bytes) -> None:
        """Moves line and column to where `data`, the newest piece, begins."""
        newlines = self._last.count(b"\n")
        tail = self._last.rpartition(b"\n")[2].decode(errors="replace")
        self.line += newlines
        self.column = len(tail) + (1 if newlines else self.column)
        self._last = data

    @property
    def piece(self) -> str:
        """The newest piece handed out, where pieces are counted."""
        return self._last.decode(errors="replace")

    def lines(self) -> Iterator[str]:
        """The clean text line by line."""
        begun: list[bytes] = []  # the parts of a line: one line may be the whole file
        for data in self._pieces:
            first, *others = data.split(b"\n")
            begun.append(first)
            for other in others:
                yield b"".join(begun).decode(errors="replace")
                begun = [other]
        yield b"".join(begun).decode(errors="replace")

    def close(self) -> None:
        """Closes the file."""
        self._raw.close()

    def _read(self) -> Iterator[bytes]:
        most, ratio = self._limits
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=self._raw)) if self._packed else self._raw
        done = 0
        while True:
            try:
                data = stream.read(_CHUNK)
            except (EOFError, OSError, zlib.error) as error:
                raise Refusal(
                    "syntax", f"Expected a whole gzip file ({error}); fetch it again, or drop .gz from the name"
                ) from None
            if not data:
                return
            done += len(data)
            if done > most:
                raise Refusal("limit", f"Expected at most {most} bytes unpacked; raise `unpacked_bytes` in the limits")
            if self._packed and done > _UNPACKED_FREELY + ratio * self._raw.tell():
                raise Refusal(
                    "limit",
                    f"Expected text at most {ratio:g} times as large as packed (a gzip bomb?); unpack it yourself "
                    "or raise `gzip_ratio` in the limits",
                )
            yield data


def _cut(pieces: Iterable[bytes], end: bytes) -> Iterator[bytes]:
    for data in pieces:
        start = 0
        while start < len(data):
            at = data.find(end, start) + 1 or len(data)
            yield data[start:at]
            start = at


def _head(pieces: Iterator[bytes], size: int) -> bytes:
    """The first pieces as one, at least `size` bytes where there are so many."""
    head = b""
    for data in pieces:
        head += data
        if len(head) >= size:
            break
    return head


def _without_mark(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """UTF-8 text without its byte order mark."""
    head = _head(pieces, 4)
    if head.startswith(_WIDE):
        raise Refusal("syntax", "Expected UTF-8 (got UTF-16); save the file as UTF-8", 1, 1)
    yield head.removeprefix(_BOM)
    yield from pieces


def _in_utf8(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """XML text in UTF-8, its declaration saying so."""
    head = _head(pieces, 1 << 10)
    if head.startswith(_WIDE):
        declared = "utf-16"
    else:
        head = head.removeprefix(_BOM)
        found = _DECLARED.match(head)
        declared = found[1].decode().lower() if found else "utf-8"
        if declared.startswith("utf-16"):
            raise Refusal("syntax", "Expected the declared encoding UTF-16 (got no byte order mark of it)", 1, 1)
    if declared in ("utf-8", "utf8"):
        yield head
        yield from pieces
        return
    if not _LEGACY.fullmatch(declared):
        raise Refusal("syntax", f"Expected XML in UTF-8 (got encoding {declared!r}); save the file as UTF-8", 1, 1)
    try:
        decoder = codecs.getincrementaldecoder(declared)()
        text = decoder.decode(head)
        yield re.sub(r"""^(<\?xml[^>]*?\sencoding\s*=\s*["'])[^"']+""", r"\1UTF-8", text).encode()
        for data in pieces:
            yield decoder.decode(data).encode()
        yield decoder.decode(b"", final=True).encode()
    except (LookupError, UnicodeError) as error:
        raise Refusal("syntax", f"Expected text in {declared} ({error}); save the file as UTF-8") from None


def _without_traps(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """XML without control characters, external entities and entities that grow beyond measure."""
    head = _head(pieces, 1 << 10)
    opened = head.find(b"<!DOCTYPE")
    while opened >= 0 and not re.search(rb"\]\s*>", head) and b"[" in head[opened : opened + 4096]:
        more = next(pieces, b"")
        head += more
        if not more:
            break
        if len(head) > _DOCTYPE_BYTES:
            raise Refusal("limit", f"Expected a DOCTYPE of at most {_DOCTYPE_BYTES} bytes", 1, 1)
    sizes = _entity_sizes(head)
    root = _ROOT.match(head)
    line, spent, kept, tail = 1, 0, b"", b""
    for data in _chain(head, pieces):
        bad = _CONTROL.search(data)
        if bad:
            place = line + data.count(b"\n", 0, bad.start())
            begin = data.rfind(b"\n", 0, bad.start())
            column = bad.start() - begin if begin >= 0 or data is head else None
            raise Refusal(
                "syntax", f"Expected no control character in XML (got U+{bad[0][0]:04X}); remove it", place, column
            )
        if sizes:
            text = kept + data
            cut = text.rfind(b"&", max(0, len(text) - 202))
            text, kept = (text, b"") if cut < 0 or b";" in text[cut:] else (text[:cut], text[cut:])
            spent += sum(sizes.get(name, 0) for name in _REFERENCE.findall(text))
            if spent > _EXPANSION_BYTES:
                raise Refusal(
                    "limit",
                    f"Expected entities of at most {_EXPANSION_BYTES} bytes in all (an entity bomb?); write it out",
                    line,
                )
        line += data.count(b"\n")
        tail = data if len(data) >= _CHUNK else (tail + data)[-_CHUNK:]
        yield data
    # The parser takes a file that was cut off between two elements.
    if root and not root[2] and not _ends_with(tail, root[1]):
        name = root[1].decode(errors="replace")
        raise Refusal("syntax", f"Expected </{name}> at the end (got the end of the file); the file is cut off", line)


def _ends_with(tail: bytes, root: bytes) -> bool:
    """Whether the last thing in an XML text, comments and instructions aside, is the end tag of this element."""
    while True:
        tail = tail.rstrip()
        opening = {b"-->": b"<!--", b"?>": b"<?"}.get(tail[-3:] if tail.endswith(b"-->") else tail[-2:])
        if opening is None or opening not in tail:
            return tail.endswith(b">") and tail[:-1].rstrip().endswith(b"</" + root)
        tail = tail[: tail.rfind(opening)]


def _chain(head: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from pieces


def _entity_sizes(head: bytes) -> dict[bytes, int]:
    """Bytes each internal entity of the DOCTYPE expands to.

    Raises:
        Refusal: an entity is external or a parameter entity, refers to itself, or is larger than the allowed sum.
    """
    values: dict[bytes, bytes] = {}
    for found in _ENTITY.finditer(head):
        line = head.count(b"\n", 0, found.start()) + 1
        if found[1] or found[3][:1] not in (b'"', b"'"):
            name = found[2].decode(errors="replace")
            raise Refusal(
                "unsupported",
                f"External and parameter entities are never read (got {name!r}); write it out",
                line,
            )
        values.setdefault(found[2], found[3][1:-1])
    sizes: dict[bytes, int] = {}
    # Each pass settles the entities whose parts are settled; what is left after as many passes refers to itself.
    for _ in range(len(values) + 1):
        waiting = [name for name in values if name not in sizes]
        if not waiting:
            break
        for name in waiting:
            parts = [part for part in _REFERENCE.findall(values[name]) if part in values]
            if all(part in sizes for part in parts):
                sizes[name] = len(values[name]) + sum(sizes[part] for part in parts)
    wrong = [name for name in values if sizes.get(name, _EXPANSION_BYTES + 1) > _EXPANSION_BYTES]
    if wrong:
        raise Refusal(
            "limit",
            f"Expected entities that end and stay small (got {wrong[0].decode(errors='replace')!r}); write it out",
            head.count(b"\n", 0, head.find(b"<!ENTITY")) + 1,
        )
    return sizes
