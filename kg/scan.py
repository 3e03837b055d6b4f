"""The terms of plain N-Triples lines found by compiled code, for large files; `kg.plain_lines` says what plain is.

A line is three texts between spaces. Here each text gets a number, the same one wherever it occurs again; what it
means is asked once, when it is new. Compiled by numba on first use and cached.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["OTHER", "SIMPLE_IRI", "SIMPLE_LITERAL", "Texts"]

Bytes = NDArray[np.uint8]
_A = np.uint64(0x9E3779B97F4A7C15)
_HIGH, _LOW = np.uint64(32), np.int64(0xFFFFFFFF)
_ONE, _EIGHT, _BYTE = np.uint64(1), np.uint64(8), np.uint64(0xFF)
_EACH, _TOP = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_SPACES, _NEWLINES = _EACH * np.uint64(32), _EACH * np.uint64(10)
_PADDING = bytes(8)  # texts are read eight bytes at a time
OTHER, SIMPLE_IRI, SIMPLE_LITERAL = range(3)
"""What can be told of a new text: nothing, or that it is a term and its own key."""

_IN_HOST, _IN_PATH, _IN_TEXT = 1, 2, 4


def _uses() -> Bytes:
    """For each byte, where it needs no closer look: in the host of an IRI, after it, or in a literal."""
    uses = np.zeros(256, np.uint8)
    for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-":
        uses[ord(character)] |= _IN_HOST | _IN_PATH
    for character in "/_~":
        uses[ord(character)] |= _IN_PATH
    uses[32:127] |= _IN_TEXT
    uses[[ord('"'), ord("\\")]] &= 0xFF ^ _IN_TEXT
    return uses


_USES = _uses()
_PLAIN, _SECURE = (np.array(list(start), np.uint8) for start in (b"<http://", b"<https://"))


class Texts:
    """Texts with their numbers, in order of first appearance."""

    def __init__(self) -> None:
        self._slots: NDArray[np.int64] = np.full(1 << 16, -1, dtype=np.int64)
        self._ends: NDArray[np.int64] = np.zeros(1 << 14, dtype=np.int64)
        self._bytes: Bytes = np.empty(1 << 20, dtype=np.uint8)
        self._forms: Bytes = np.empty(1 << 14, dtype=np.uint8)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes of the texts and of their index."""
        return self._end(self._count) + self._slots.nbytes + 9 * self._count

    def numbers(self, block: bytes) -> NDArray[np.int32] | None:
        """The numbers of the texts of whole lines, shape (num_lines, 3); None where a line has another form."""
        lines = block.count(b"\n")
        self._reserve(3 * lines, len(block))
        found = np.empty((lines, 3), dtype=np.int32)
        padded = np.frombuffer(block + _PADDING, np.uint8)
        indexes = (self._slots, self._ends, self._bytes, self._forms)
        count = _scan(padded, len(block), *indexes, self._count, found)
        self._count = int(count) if count >= 0 else -1 - int(count)
        return found if count >= 0 else None

    def new(self, first: int) -> tuple[Bytes, list[str]]:
        """Forms, shape (num_texts,), and the texts from this number on.

        Raises:
            UnicodeDecodeError: one of them is not in UTF-8.
        """
        start, end = self._end(first), self._end(self._count)
        every, ends = self._bytes[start:end].tobytes(), (self._ends[first : self._count] - start).tolist()
        places = zip([0, *ends[:-1]], ends, strict=True)
        if every.isascii():
            text = every.decode("ascii")
            return self._forms[first : self._count], [text[a:b] for a, b in places]
        return self._forms[first : self._count], [every[a:b].decode() for a, b in places]

    def text(self, number: int) -> str:
        """A text by its number."""
        return self._bytes[self._end(number) : self._end(number + 1)].tobytes().decode()

    def _end(self, number: int) -> int:
        """Where the texts before a number end."""
        return int(self._ends[number - 1]) if number else 0

    def _reserve(self, texts: int, length: int) -> None:
        """Make room for more texts of a length in all."""
        count, used = self._count, self._end(self._count)
        self._ends = _longer(self._ends, count, count + texts)
        self._forms = _longer(self._forms, count, count + texts)
        self._bytes = _longer(self._bytes, used, used + length + len(_PADDING))
        if 2 * (count + texts) > len(self._slots):
            slots = np.full(1 << (4 * (count + texts)).bit_length(), -1, dtype=np.int64)
            _refill(slots, self._slots)
            self._slots = slots


def _longer(array: NDArray[Any], used: int, wanted: int) -> NDArray[Any]:
    if wanted <= len(array):
        return array
    longer = np.empty(max(wanted, 2 * len(array)), dtype=array.dtype)
    longer[:used] = array[:used]
    return longer


@intrinsic
def _word(typing_context, address, at):  # type: ignore[no-untyped-def]
    """The eight bytes at an address and so many further, as a number."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        base = builder.inttoptr(builder.add(*arguments), ir.IntType(64).as_pointer())
        return builder.load(base, typ=ir.IntType(64), align=1)

    return types.uint64(types.int64, types.int64), generate


@njit(cache=True)
def _bytes_before(word: Any, byte: Any) -> Any:
    """How many bytes of a word come before the first that is this one, in all eight places of `byte`; 8 for none."""
    other = word ^ byte
    met = (other - _EACH) & ~other & _TOP
    count = 8 if met == 0 else 0
    while met and not met & _BYTE:
        met >>= _EIGHT
        count += 1
    return count


@njit(cache=True)
def _scan(
    block: Bytes,
    length: int,
    slots: NDArray[np.int64],
    ends: NDArray[np.int64],
    texts: Bytes,
    forms: Bytes,
    count: int,
    found: NDArray[np.int32],
) -> int:
    """Number the texts of each line; how many texts there are, -1 less that where a line has another form.

    A space ends the first two texts of a line, its end the third, which has a space and a dot behind it. A text with
    the end of a line in it is no term, and there are too few lines then.
    """
    at, here = 0, block.ctypes.data
    for line in range(len(found)):
        for part in range(3):
            begin, h, ending = at, np.uint64(0), _NEWLINES if part == 2 else _SPACES
            while True:
                if at >= length:
                    return -1 - count
                word = _word(here, at)
                before = _bytes_before(word, ending)
                if before == 8:
                    h = (h ^ word) * _A
                    h ^= h >> _HIGH
                    at += 8
                    continue
                h = (h ^ (word & ((_ONE << np.uint64(8 * before)) - _ONE))) * _A
                at += before
                break
            end = at
            at += 1
            if part == 2:
                if end - begin < 3 or block[end - 1] != 46 or block[end - 2] != 32:
                    return -1 - count
                end -= 2
            number = _number(block, begin, end, np.int64(h >> _HIGH), slots, ends, texts, forms, count)
            count = max(count, number + 1)
            found[line, part] = number
    return count if at == length else -1 - count


@njit(cache=True)
def _number(
    block: Bytes,
    begin: int,
    end: int,
    mark: int,
    slots: NDArray[np.int64],
    ends: NDArray[np.int64],
    texts: Bytes,
    forms: Bytes,
    count: int,
) -> Any:
    """The number of a text, `count` if it is new; then it is entered."""
    mask, length = len(slots) - 1, end - begin
    here, there = block.ctypes.data + begin, texts.ctypes.data
    slot = mark & mask
    while slots[slot] != -1:
        entry = slots[slot]
        number = entry & _LOW
        start = ends[number - 1] if number else 0
        if (entry >> 32) & _LOW == mark and ends[number] - start == length:
            at = 0
            while at + 8 <= length and _word(here, at) == _word(there + start, at):
                at += 8
            if at + 8 > length:
                rest = (_ONE << np.uint64(8 * (length - at))) - _ONE
                if (_word(here, at) ^ _word(there + start, at)) & rest == 0:
                    return number
        slot = (slot + 1) & mask
    slots[slot] = (mark << 32) | count
    start = ends[count - 1] if count else 0
    for i in range(length):
        texts[start + i] = block[begin + i]
    ends[count] = start + length
    forms[count] = _form(block, begin, end)
    return count


@njit(cache=True)
def _refill(slots: NDArray[np.int64], old: NDArray[np.int64]) -> None:
    """Enter the texts of a table into a larger one."""
    mask = len(slots) - 1
    for entry in old:
        if entry != -1:
            slot = (entry >> 32) & _LOW & mask
            while slots[slot] != -1:
                slot = (slot + 1) & mask
            slots[slot] = entry


@njit(cache=True)
def _form(block: Bytes, begin: int, end: int) -> Any:
    """What can be told of a text by its bytes."""
    if end - begin < 2:
        return OTHER
    if block[begin] == 34:  # "
        if block[end - 1] != 34:
            return OTHER
        for i in range(begin + 1, end - 1):
            if not _USES[block[i]] & _IN_TEXT:
                return OTHER
        return SIMPLE_LITERAL
    for secure in range(2):
        start = _SECURE if secure else _PLAIN
        at = begin + len(start)
        if at >= end or not _begins(block, begin, start):
            continue
        host = at
        while at < end and _USES[block[at]] & _IN_HOST:
            at += 1
        if at in (host, end):
            return OTHER
        if block[at] != 47 and block[at] != 35 and block[at] != 62:  # / # >
            return OTHER
        hashes = 0
        while at < end - 1 and (_USES[block[at]] & _IN_PATH or block[at] == 35):
            hashes += block[at] == 35
            at += 1
        return SIMPLE_IRI if at == end - 1 and block[at] == 62 and hashes <= 1 else OTHER
    return OTHER


@njit(cache=True)
def _begins(block: Bytes, begin: int, start: Bytes) -> Any:
    same = True
    for i in range(len(start)):
        same &= block[begin + i] == start[i]
    return same
