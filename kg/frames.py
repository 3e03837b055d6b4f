"""Length-prefixed frames on a pipe, and terms and ids as compact binary: how this package talks to its workers.

A frame is one kind byte, a 64-bit length and the payload. Only the standard library is imported, so that a worker
starts in a few hundredths of a second.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Iterator, Sequence
from typing import IO, Any

__all__ = ["json_bytes", "pack_keys", "read_frame", "read_json", "unpack_keys", "write_frame", "write_json"]

_HEADER = struct.Struct("<cQ")


def write_frame(pipe: IO[bytes], kind: bytes, payload: bytes = b"") -> None:
    """Writes one frame; `kind` is a single byte."""
    pipe.write(_HEADER.pack(kind, len(payload)))
    pipe.write(payload)


def write_json(pipe: IO[bytes], kind: bytes, value: object) -> None:
    """Writes one frame whose payload is JSON, and flushes."""
    write_frame(pipe, kind, json_bytes(value))
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> tuple[bytes, bytes] | None:
    """The next frame as (kind, payload), or None where the pipe ended, also inside a frame."""
    header = pipe.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    kind, length = _HEADER.unpack(header)
    payload = pipe.read(length)
    return None if len(payload) < length else (kind, payload)


def pack_keys(keys: Sequence[str]) -> bytes:
    """Strings as one block: their number, their lengths in characters, their text in UTF-8."""
    lengths = array("i", map(len, keys))
    return struct.pack("<I", len(keys)) + lengths.tobytes() + "".join(keys).encode()


def unpack_keys(block: bytes) -> Iterator[str]:
    """The strings of a block made by `pack_keys`."""
    (count,) = struct.unpack_from("<I", block)
    lengths = array("i")
    start = 4 + count * lengths.itemsize
    lengths.frombytes(block[4:start])
    text = block[start:].decode()
    at = 0
    for length in lengths:
        yield text[at : at + length]
        at += length


def json_bytes(value: object) -> bytes:
    """A JSON payload."""
    return json.dumps(value).encode()


def read_json(payload: bytes) -> Any:
    """The value of a frame written by `write_json`."""
    return json.loads(payload)
