"""The figures of an evaluation as one table for the screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["table_lines"]

_COLUMNS = ("full less this", "Brier", "ECE", "at half", "given", "right of given")


def table_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """A line for each control, for each group, and for each route of the full method."""
    seeds = ", ".join(map(str, report["seeds"]))
    yield f"{report['title']}: {report['examples']:,} examples ({report['measured on']}), seeds {seeds}"
    groups = list(report["rows"][0]["groups"])
    yield from _aligned([["", report["metric"], *_COLUMNS, *groups], *(_row(row, groups) for row in report["rows"])])
    for row in report["rows"]:
        if "not supported" in row:
            yield f"{row['control']}: not supported: {row['not supported']}"
    yield ""
    routes = report["rows"][0]["routes"]
    yield from _aligned([["full, by route", "share", "right", "proofs verified"], *map(_route, routes.items())])
    threshold = report["rows"][0]["threshold"]["mean"]
    yield f"abstains below {threshold:.3f}, where {report['risk']:.0%} of the predictions given were wrong"


def _row(row: Mapping[str, Any], groups: Sequence[str]) -> list[str]:
    if "not supported" in row:
        return [row["control"], *["–"] * (1 + len(_COLUMNS) + len(groups))]
    gap = row.get("full less this")
    shown = "" if gap is None else f"{gap['difference']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]"
    metric = _mean(row["metric"]) + (f" ±{row['metric']['sd']:.3f}" if row["metric"]["sd"] else "")
    figures = [_mean(row[name]) for name in ("brier", "ece", "at half coverage")]
    given = [_number(row["given"][name]) for name in ("coverage", "right")]
    return [row["control"], metric, shown, *figures, *given, *(_mean(row["groups"][group]) for group in groups)]


def _route(item: tuple[str, Mapping[str, Any]]) -> list[str]:
    name, told = item
    proofs = ""
    if "verified" in told:
        count = told["verified"] + told["failed"] + told["unchecked"]
        proofs = f"{told['verified']} of {count}" if count else "–"
    return [name, _number(told["share"]), _number(told["right"]), proofs]


def _mean(values: Mapping[str, float]) -> str:
    return _number(values["mean"])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *others = (
            cell.ljust(w) if at == 0 else cell.rjust(w) for at, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([first, *others]).rstrip()
