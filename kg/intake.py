"""What files give while they are loaded: terms, triples and prefixes, and who reads what.

Plain lines of N-Triples are read in this process (`kg.plain_lines`): that takes no parser, and no other process to
start. Everything else is parsed by pyoxigraph in a worker with limits (`kg.parse_worker`), started when it is needed.
"""

from __future__ import annotations

import os
import re
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kg.columns import Columns, Ids
from kg.dictionary import Dictionary
from kg.errors import InputError, LimitError, NoesisError, NotSupportedError, SyntaxInputError, place
from kg.feed import Feed, Refusal
from kg.frames import json_bytes, read_json, unpack_keys
from kg.plain_lines import PlainLines, whole_lines
from kg.worker import Worker, too_late

if TYPE_CHECKING:
    from kg.load import LoadLimits

__all__ = ["Intake"]

# What to do about a message of the parser, by the first pattern found in it.
_REMEDIES = (
    (r"has not been declared|Unknown prefix", "declare the prefix at the top of the file"),
    (
        r"No scheme found",
        "write the IRI in full, or declare a base (`@base`, `xml:base` or the argument `base`)",
    ),
    (r"Invalid IRI", "percent-encode the character in the IRI"),
    (r"Max stack size", "flatten the nesting"),
    (r"UTF-8", "save the file as UTF-8"),
    (r"dot is expected|must be followed by a dot|single triple", "end the statement before with a dot"),
    (r"Unexpected end|not closed|EOF", "the file is cut off, or a quote or bracket is not closed; complete it"),
    (r"escape|code point|unicode", "write the character itself or a valid escape"),
    (r"language|subtag", "use a language tag such as en or en-gb"),
    (r"XML namespaces are required", "this is no RDF/XML; check what was saved, or name the right format"),
)
_REMEDY = "correct it there, or name the right format if the suffix misleads"
_LINE_BYTES = 16 << 20  # as much as the parser takes for one term
_FEW_BYTES = 2 << 10  # of lines: handing over fewer at a time takes as long
_UNTRIED = 8  # blocks that go to the worker at once after one with no plain half
_REPORT_BYTES = 4 << 20  # of a file on disk, between two reports of progress
_TRIPLE_BYTES = 16  # ids and source of a triple


class Intake:
    """The files read so far.

    Args:
        names: the files as the caller named them.
        limits: what reading may cost.
        progress: called with (bytes read, bytes in all) of the files on disk.
    """

    def __init__(
        self, names: Sequence[str], limits: LoadLimits, progress: Callable[[int, int], None] | None = None
    ) -> None:
        self.dictionary = Dictionary()
        self.prefixes: dict[str, str] = {}
        self._names, self._limits, self._progress = names, limits, progress
        self._began = time.perf_counter()
        self._sizes = [os.path.getsize(name) for name in names]
        self._current = 0
        self._file: Mapping[str, Any] = {}
        self._reported = 0
        self._lines = PlainLines(self.dictionary)
        self._ids = array("i")
        self._counts = [0] * len(names)  # of triples, by file
        self._worker: Worker | None = None
        self._theirs = array("i")  # our id by the worker's

    def read(self, number: int, file: Mapping[str, Any]) -> None:
        """Reads one file: `source` (its path), `format`, `packed`, `base`.

        Raises:
            NoesisError: see `kg.load_graph`.
        """
        self._current, self._file = number, file
        if file["format"] == "ntriples":
            self._read_lines()
        else:
            self._request(b"F", json_bytes({**file, "number": number}))
        self._report(self._sizes[number], at_last=True)

    def columns(self) -> Columns:
        """The triples, each with the number of the file it came from first."""
        s, p, o = np.frombuffer(self._ids, dtype=np.int32).reshape(-1, 3).T
        return Columns.from_arrays(s, p, o, np.repeat(np.arange(len(self._counts), dtype=np.int32), self._counts))

    def close(self) -> None:
        """Ends the worker, if there is one."""
        if self._worker is not None:
            self._worker.close()

    # Lines --------------------------------------------------------------------------------------------------------

    def _read_lines(self) -> None:
        self._lines.begin(self._current)
        feed, offset, untried = self._feed(), 0, 0
        try:
            for block in whole_lines(iter(feed.read, b""), most=_LINE_BYTES):
                if untried:
                    untried -= 1
                    self._request(b"B", block, offset=offset)
                elif (ids := self._lines.read(block)) is not None:
                    self._take(ids)
                elif not self._read_other(block, offset):
                    untried = _UNTRIED
                offset += len(block)
                self._report(feed.position)
        except Refusal as refusal:
            raise self._error(refusal.kind, refusal.reason, refusal.line, refusal.column) from None
        except OSError as error:
            found = feed.error or Refusal("input", f"Expected a readable file ({error})")
            raise self._error(found.kind, found.reason, found.line, found.column) from None
        finally:
            feed.close()

    def _feed(self) -> Feed:
        limits = self._limits
        return Feed(
            self._file["source"],
            xml=False,
            packed=self._file["packed"],
            unpacked_bytes=limits.unpacked_bytes,
            gzip_ratio=limits.gzip_ratio,
        )

    def _read_other(self, block: bytes, offset: int) -> bool:
        """Reads lines, not all of them plain, that begin at this byte of the file's text; whether most were plain.

        As long as one half of them is plain, it is read here: often a single line is of another form.
        """
        length = len(block)
        while len(block) > _FEW_BYTES and 0 < (cut := block.find(b"\n", len(block) // 2) + 1) < len(block):
            halves = {offset: block[:cut], offset + cut: block[cut:]}
            found = {at: self._lines.read(half) for at, half in halves.items()}
            other = [at for at, ids in found.items() if ids is None]
            if len(other) == 2:
                break
            for ids in found.values():
                if ids is not None:
                    self._take(ids)
            if not other:
                return True
            offset, block = other[0], halves[other[0]]
        self._request(b"B", block, offset=offset)
        return len(block) < length

    def _take(self, ids: Ids) -> None:
        """Adds triples, shape (num_triples, 3), if the limits allow."""
        limits, file = self._limits, self._names[self._current]
        self._ids.frombytes(ids.tobytes())
        self._counts[self._current] += len(ids)
        if time.perf_counter() - self._began > limits.seconds:
            raise too_late(limits.seconds, file)
        if sum(self._counts) > limits.triples:
            raise LimitError(f"Expected at most {limits.triples} triples; raise `triples` in the limits", file=file)
        if self._lines.memory + _TRIPLE_BYTES * sum(self._counts) > limits.memory_bytes:
            raise LimitError("Expected an input that fits in memory; raise `memory_bytes` in the limits", file=file)

    def _report(self, position: int, *, at_last: bool = False) -> None:
        """Tells the progress: a position in the current file."""
        done, total = sum(self._sizes[: self._current]) + position, sum(self._sizes)
        if self._progress is not None and (at_last or done - self._reported >= _REPORT_BYTES):
            self._reported = done
            self._progress(min(done, total), total)

    # The worker ---------------------------------------------------------------------------------------------------

    def _request(self, kind: bytes, payload: bytes, *, offset: int = 0) -> None:
        """Has the worker read a file (`F`), or lines of one that begin at a byte of its text (`B`)."""
        worker, is_block = self._started(), kind == b"B"
        worker.send(kind, payload)
        while kind != b"D":
            kind, payload = worker.receive(file=self._names[self._current])
            if kind == b"K":
                for key in unpack_keys(payload):
                    self._theirs.append(self.dictionary.intern_key(self._lines.own_key(key) if is_block else key))
            elif kind == b"T":
                theirs = np.frombuffer(payload, dtype=np.int32)
                self._take(np.frombuffer(self._theirs, dtype=np.int32)[theirs].reshape(-1, 3))
            elif kind == b"P" and not is_block:
                self._report(read_json(payload))
            elif kind == b"N":
                for prefix, namespace in read_json(payload).items():
                    self.prefixes.setdefault(prefix, namespace)
            elif kind == b"E":
                category, reason, line, column = read_json(payload)
                if is_block and line is not None:
                    line += self._lines_before(offset)
                raise self._error(category, reason, line, column)

    def _lines_before(self, offset: int) -> int:
        """Lines of the current file before a byte of its text."""
        feed, count = self._feed(), 0
        try:
            while offset > 0 and (piece := feed.read(offset)):
                count += piece.count(b"\n")
                offset -= len(piece)
        finally:
            feed.close()
        return count

    def _started(self) -> Worker:
        if self._worker is None:
            limits = self._limits
            job = {"unpacked_bytes": limits.unpacked_bytes, "gzip_ratio": limits.gzip_ratio}
            self._worker = Worker("kg.parse_worker", job, memory_bytes=limits.memory_bytes)
            self._worker.allow(limits.seconds, spent=time.perf_counter() - self._began)
        return self._worker

    def _error(self, kind: str, reason: str, line: int | None, column: int | None) -> NoesisError:
        """The typed error for a refusal."""
        file = self._names[self._current]
        if kind == "unsupported":
            return NotSupportedError(f"{place(file, line, column)}: {reason}")
        if kind == "syntax" and not reason.startswith("Expected"):
            remedy = next((text for pattern, text in _REMEDIES if re.search(pattern, reason)), _REMEDY)
            return SyntaxInputError(f"{reason}; {remedy}", file=file, line=line, column=column)
        error = {"syntax": SyntaxInputError, "limit": LimitError}.get(kind, InputError)
        return error(reason, file=file, line=line, column=column)
