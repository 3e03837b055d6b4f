"""A proof as a picture: one SVG file that needs nothing else, asserted triples on top, the conclusion at the bottom.

Layers by depth, each layer put in the order of the steps it feeds (the barycentre heuristic of Sugiyama, Tagawa and
Toda 1981), text wrapped by an estimate of its width. Text is escaped, and nothing in the file runs or is fetched.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from engine.symbolic.proof_formats import inert, kind_of, numbered, reason
from kg.errors import BudgetError
from kg.graph import KnowledgeGraph

if TYPE_CHECKING:
    from engine.symbolic.proof import Proof

__all__ = ["MAX_STEPS", "DrawnStep", "picture", "svg"]

MAX_STEPS = 1000
"""Steps of a picture; nobody reads one of more."""
_CHAR, _LINE, _PAD, _GAP_X, _GAP_Y = 7.0, 16, 8, 24, 48  # pixels, for a sans-serif font of 13
_WRAP, _MOST_LINES = 34, 6
_SWEEPS = 4
_FILLS = {"asserted": "#eef3f8", "claimed": "#fff4d6", "rule": "#ffffff", "constraint": "#fbe3e1"}


class DrawnStep(NamedTuple):
    """One step as it is drawn.

    Args:
        number: from 1 on; a step comes after its premises, the conclusion is the last.
        kind: `asserted`, `claimed`, `rule` or `constraint`.
    """

    number: int
    premises: tuple[int, ...]
    text: str
    reason: str
    kind: str


class _Box(NamedTuple):
    step: DrawnStep
    lines: tuple[str, ...]
    width: float
    height: float


def svg(proof: Proof, graph: KnowledgeGraph) -> str:
    """The picture as SVG text.

    Raises:
        BudgetError: the proof has more than `MAX_STEPS` steps.
    """
    return picture(
        [
            DrawnStep(step.number, step.premises, step.proof.sentence(graph), reason(step), kind_of(step.proof))
            for step in numbered(proof)
        ]
    )


def picture(steps: Sequence[DrawnStep]) -> str:
    """The picture of steps as SVG text.

    Raises:
        BudgetError: there are more than `MAX_STEPS`.
    """
    if len(steps) > MAX_STEPS:
        raise BudgetError(f"Expected a proof of at most {MAX_STEPS} steps to draw (got {len(steps)}); use text or JSON")
    boxes = {step.number: _box(step) for step in steps}
    places, width, height = _places(_layers(steps), boxes)
    title = escape(_cut(inert(steps[-1].text), 300))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" font-size="13">',
        f"<title>{title}</title>",
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
    ]
    for step in steps:
        for premise in dict.fromkeys(step.premises):
            parts.append(_edge(places[premise], boxes[premise], places[step.number], boxes[step.number]))
    parts += [_drawn(boxes[number], places[number]) for number in boxes]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _box(step: DrawnStep) -> _Box:
    told = _wrapped(f"{step.number}. {step.text}")
    lines = (*told, *_wrapped(step.reason))
    width = max(map(_width, lines)) * _CHAR + 2 * _PAD
    return _Box(step, lines, width, len(lines) * _LINE + 2 * _PAD)


def _wrapped(text: str) -> tuple[str, ...]:
    lines = textwrap.wrap(inert(text)[:2000], _WRAP, max_lines=_MOST_LINES, placeholder=" …")
    return tuple(lines) or (" ",)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def _layers(steps: Sequence[DrawnStep]) -> list[list[int]]:
    """Step numbers by depth, ordered so that few edges cross."""
    depth: dict[int, int] = {}
    readers: dict[int, list[int]] = {step.number: [] for step in steps}
    for step in steps:
        depth[step.number] = 1 + max((depth[premise] for premise in step.premises), default=-1)
        for premise in step.premises:
            readers[premise].append(step.number)
    for step in steps:  # a leaf stands just above what it is first used for
        if not step.premises and readers[step.number]:
            depth[step.number] = min(depth[reader] for reader in readers[step.number]) - 1
    layers: list[list[int]] = [[] for _ in range(1 + max(depth.values()))]
    for step in steps:
        layers[depth[step.number]].append(step.number)
    neighbours = {step.number: [*step.premises, *readers[step.number]] for step in steps}
    for _ in range(_SWEEPS):
        at = {number: (place + 0.5) / len(layer) for layer in layers for place, number in enumerate(layer)}
        for layer in layers:
            layer.sort(key=lambda n: sum(at[m] for m in neighbours[n]) / len(neighbours[n]) if neighbours[n] else at[n])
            at.update({number: (place + 0.5) / len(layer) for place, number in enumerate(layer)})
    return layers


def _places(layers: list[list[int]], boxes: dict[int, _Box]) -> tuple[dict[int, tuple[float, float]], float, float]:
    """Top left corner of each box, layers centred; width and height of the picture."""
    widths = [sum(boxes[n].width for n in layer) + _GAP_X * (len(layer) - 1) for layer in layers]
    whole = max(widths) + 2 * _GAP_X
    places, y = {}, float(_GAP_X)
    for layer, width in zip(layers, widths, strict=True):
        x = (whole - width) / 2
        for number in layer:
            places[number] = (x, y)
            x += boxes[number].width + _GAP_X
        y += max(boxes[number].height for number in layer) + _GAP_Y
    return places, whole, y - _GAP_Y + _GAP_X


def _edge(start: tuple[float, float], upper: _Box, end: tuple[float, float], lower: _Box) -> str:
    """A curve from the bottom of a premise to the top of what it proves."""
    x1, y1 = start[0] + upper.width / 2, start[1] + upper.height
    x2, y2 = end[0] + lower.width / 2, end[1]
    middle = (y1 + y2) / 2
    return (
        f'<path d="M {x1:g} {y1:g} C {x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {y2:g}" fill="none" stroke="#7a8794"/>'
    )


def _drawn(box: _Box, place: tuple[float, float]) -> str:
    x, y = place
    fill = _FILLS[box.step.kind]
    lines = [
        f'<text x="{x + _PAD:g}" y="{y + _PAD + (at + 0.8) * _LINE:g}">{escape(line)}</text>'
        for at, line in enumerate(box.lines)
    ]
    frame = f'<rect x="{x:g}" y="{y:g}" width="{box.width:g}" height="{box.height:g}" rx="4" fill="{fill}" '
    return "\n".join(["<g>", frame + 'stroke="#44525f"/>', *lines, "</g>"])
