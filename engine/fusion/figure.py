"""The fusion model as a drawing, made from its configuration: `python -m engine.fusion.figure > docs/fusion.svg`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from engine.fusion.config import FusionConfig

__all__ = ["figure"]

_WIDTH, _HEIGHT, _GAP, _LINE = 250, 52, 24, 16  # of a box, between two, and of a line of text, in pixels
_TEXT, _MIDDLE, _GRAPH = 20, 300, 580  # left edges of the three columns
_FILLS = {"text": "#e3eefb", "graph": "#e4f4e6", "both": "#fdf1d8", "given": "#ffffff"}

_Row = tuple[tuple[str, ...] | None, tuple[str, ...] | None, tuple[str, ...] | None]


@dataclass(frozen=True)
class _Box:
    x: int
    y: int
    kind: str
    lines: tuple[str, ...]

    @property
    def svg(self) -> Iterator[str]:
        yield (
            f'<rect x="{self.x}" y="{self.y}" width="{_WIDTH}" height="{_HEIGHT}" rx="4" '
            f'fill="{_FILLS[self.kind]}" stroke="#7a8794"/>'
        )
        top = self.y + (_HEIGHT - len(self.lines) * _LINE) / 2
        for at, line in enumerate(self.lines):
            style = ' fill="#5a6672"' if at and at == len(self.lines) - 1 else ""
            y = top + (at + 0.8) * _LINE
            yield f'<text x="{self.x + _WIDTH / 2:g}" y="{y:g}" text-anchor="middle"{style}>{escape(line)}</text>'


def figure(config: FusionConfig | None = None, *, token_dim: int = 384, text_layers: int = 6) -> str:
    """An SVG of the model with the shapes of what goes from step to step; the embedded encoder's sizes by default.

    Nothing in it runs or is fetched.
    """
    config = FusionConfig() if config is None else config
    lower, dim = text_layers - config.fused_layers, config.node_dim
    tokens, nodes = f"(batch, token, {token_dim})", f"(batch, node, {dim})"
    rows: list[_Row] = [
        (("given", "sentence", "ids (batch, token)"), None, ("given", "grounded subgraph", _budget(config))),
        (
            ("text", f"text layers 1 to {lower}, of the text alone", tokens),
            None,
            ("graph", "embedding + label + role of each node", nodes),
        ),
    ]
    exchange = {"cross": "all tokens ⇄ all nodes", "pair": "first token ⇄ interaction node"}[config.exchange]
    for at in range(config.fused_layers):
        rows += [
            (
                ("text", f"text layer {lower + at + 1}", tokens),
                None,
                ("graph", f"relational attention {at + 1}", f"{nodes}, edges by relation, direction, kind"),
            ),
            (None, ("both", f"exchange {at + 1}: {exchange}", "each direction behind a gate, closed at first"), None),
        ]
    pooling = {"mean": "mean of the tokens", "cls": "first token"}[config.pooling]
    rows += [
        (("text", pooling, f"(batch, {token_dim})"), None, ("graph", "states of head and tail", f"2 × (batch, {dim})")),
        (
            ("text", "what the text says", "(batch, logits)"),
            None,
            ("both", "what text and graph say, zero at first", "(batch, logits)"),
        ),
        (None, ("both", "logits, their sum: 1, or 3, or 1 a class", "(batch, logits); for entities (node,)"), None),
    ]
    return _drawn(rows)


def _budget(config: FusionConfig) -> str:
    return f"≤ {config.max_nodes} nodes within {config.hops} hops, edges (2, edge)"


def _drawn(rows: list[_Row]) -> str:
    columns = (_TEXT, _MIDDLE, _GRAPH)
    boxes = [
        [
            None if cell is None else _Box(x, _GAP + at * (_HEIGHT + _GAP), cell[0], cell[1:])
            for x, cell in zip(columns, row, strict=True)
        ]
        for at, row in enumerate(rows)
    ]
    height, width = _GAP + len(rows) * (_HEIGHT + _GAP), _GRAPH + _WIDTH + _TEXT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        "<title>The fusion model</title>",
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="3" orient="auto">'
        '<path d="M 0 0 L 7 3 L 0 6 z" fill="#7a8794"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    parts += [_arrow(*ends) for ends in _arrows(boxes)]
    parts += [line for row in boxes for box in row if box is not None for line in box.svg]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _arrows(boxes: list[list[_Box | None]]) -> Iterator[tuple[float, float, float, float]]:
    """Down each outer column, past an exchange, which they enter and leave; and into the sum at the end."""
    for side in (0, 2):
        column = [box for row in boxes if (box := row[side]) is not None]
        for above, below in pairwise(column):
            yield above.x + _WIDTH / 2, above.y + _HEIGHT, below.x + _WIDTH / 2, below.y - 2
    for row in boxes:
        middle = row[1]
        if middle is None:
            continue
        for side in (-1, 1):  # from and to the columns beside it
            outer = middle.x if side < 0 else middle.x + _WIDTH
            column_x = (_TEXT if side < 0 else _GRAPH) + _WIDTH / 2
            if row is boxes[-1]:
                yield column_x, middle.y - _GAP, outer, middle.y + _HEIGHT / 2
            else:
                yield column_x, middle.y + _HEIGHT * 0.3, outer, middle.y + _HEIGHT * 0.3
                yield outer, middle.y + _HEIGHT * 0.7, column_x, middle.y + _HEIGHT * 0.7
    text_state, joint = boxes[-3][0], boxes[-2][2]
    assert text_state is not None
    assert joint is not None
    yield text_state.x + _WIDTH, text_state.y + _HEIGHT / 2, joint.x, joint.y + _HEIGHT / 2


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M {x1:g} {y1:g} L {x2:g} {y2:g}" fill="none" stroke="#7a8794" marker-end="url(#tip)"/>'


if __name__ == "__main__":
    sys.stdout.write(figure())
