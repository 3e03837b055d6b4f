"""The order of examples in batches: what belongs to one group stays together."""

from __future__ import annotations

from collections.abc import Sequence

from engine.fusion.examples import ClaimExample

__all__ = ["batches", "units"]


def units(examples: Sequence[ClaimExample]) -> list[list[int]]:
    """The places of each group's examples, in order, and of each example by itself."""
    grouped: dict[str, list[int]] = {}
    result: list[list[int]] = []
    for at, example in enumerate(examples):
        if example.group in grouped:
            grouped[example.group].append(at)
            continue
        result.append([at])
        if example.group:
            grouped[example.group] = result[-1]
    return result


def batches(ordered: Sequence[Sequence[int]], batch_size: int) -> list[list[int]]:
    """Units put together, in order: those that begin within the same `batch_size` places are a batch.

    So units of one are cut as a list would be, and there are as many batches whatever the order, unless a unit is
    larger than a batch.
    """
    result: dict[int, list[int]] = {}
    place = 0
    for unit in ordered:
        result.setdefault(place // batch_size, []).extend(unit)
        place += len(unit)
    return list(result.values())
