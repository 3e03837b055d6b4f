"""The self-contained HTML page of a run: no script, no remote file, every text escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["render_html"]


def render_html(report: Mapping[str, Any]) -> str:
    """The page of a report; the report's fields are those of `report.json` (see docs/run.md)."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipelines.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["share"] = _share
    return environment.get_template("run.html").render(report=report)


def _share(value: object) -> str:
    """A figure for a table: three decimals, or a dash where there is none."""
    return f"{value:.3f}" if isinstance(value, float) else "–" if value is None else str(value)
