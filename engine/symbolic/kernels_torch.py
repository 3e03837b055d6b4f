"""Joins, membership and distinct rows over columns of ids on a torch device, all by sorting and binary search.

A pair of ids is one int64, s in the upper half (`kg.columns.pack`). The closure imports this module only where a device
was asked for. `torch.unique` is not used: a sort and a mask of neighbours leave the rows in the order searches need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from kg.errors import ConfigError

__all__ = ["PIECE", "device_named", "distinct", "expansions", "is_in", "missing", "packed", "reach"]

PIECE = 1 << 24
"""Rows of a join made at once, a bound on the device's memory; one key with more rows is not split."""


def device_named(name: str) -> torch.device:
    """The torch device of a name such as "cuda", "cuda:0" or "cpu".

    Raises:
        ConfigError: torch knows no such device, or this machine has none.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        there = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"Expected a device that is here, one of {', '.join(there)} (got {name!r}: {reason})"
        ) from error
    return device


def packed(s: Tensor, o: Tensor) -> Tensor:
    """Pairs as one int64 each; shape (num_pairs,)."""
    return (s << 32) | o


def distinct(keys: Tensor) -> Tensor:
    """Each key once, ascending; shape (num_distinct,)."""
    ordered = torch.sort(keys).values
    first = torch.ones(len(ordered), dtype=torch.bool, device=keys.device)
    first[1:] = ordered[1:] != ordered[:-1]
    return ordered[first]


def is_in(keys: Tensor, known: Tensor) -> Tensor:
    """Whether each key is one of `known`, which ascend; shape (num_keys,)."""
    if not len(known):
        return torch.zeros(len(keys), dtype=torch.bool, device=keys.device)
    at = torch.searchsorted(known, keys).clamp_(max=len(known) - 1)
    return known[at] == keys


def missing(keys: Tensor, known: Tensor) -> Tensor:
    """The distinct keys that are not among `known`, both ascending."""
    found = distinct(keys)
    return found[~is_in(found, known)]


def expansions(keys: Tensor, ordered: Tensor, count: Callable[[int], None]) -> Iterator[tuple[Tensor, Tensor]]:
    """For each key the places in `ordered`, which ascends, with that value: (key positions, places), piece by piece.

    Args:
        count: told the number of all matches before the first piece is made; raises to stop.
    """
    low = torch.searchsorted(ordered, keys)
    counts = torch.searchsorted(ordered, keys, right=True) - low
    ends = torch.cumsum(counts, 0)
    total = int(ends[-1]) if len(ends) else 0
    count(total)
    start = before = 0
    while before < total:
        limit = torch.tensor(before + PIECE, device=keys.device)
        end = max(start + 1, int(torch.searchsorted(ends, limit, right=True)))
        own = counts[start:end]
        positions = torch.repeat_interleave(torch.arange(start, end, device=keys.device), own)
        offsets = torch.arange(len(positions), device=keys.device) - (ends[positions] - counts[positions] - before)
        if len(positions):
            yield positions, low[positions] + offsets
        start, before = end, int(ends[end - 1])


def reach(edges: Tensor, limit: int, pause: Callable[[], None]) -> Tensor | None:
    """The paths of two edges or more that are no edges, ascending; None where they are more than `limit`.

    Args:
        edges: distinct packed pairs, ascending. pause: called after each piece of a join; raises to stop.
    """
    sources, targets = edges >> 32, edges & 0xFFFFFFFF
    known = frontier = edges
    while len(frontier):
        found = edges[:0]
        for positions, places in expansions(frontier & 0xFFFFFFFF, sources, lambda _: None):
            new = missing(packed(frontier[positions] >> 32, targets[places]), known)
            found = distinct(torch.cat([found, new]))
            if len(known) - len(edges) + len(found) > limit:
                return None
            pause()
        frontier = found
        known = torch.sort(torch.cat([known, found])).values
    return known[~is_in(known, edges)]
