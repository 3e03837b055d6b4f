"""A proof as numbered steps, and those as Markdown and as a networkx graph; `proof_rdf` and `proof_svg` build on them.

Labels come from files that others wrote: whatever they hold, they stay text in every format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from kg.graph import KnowledgeGraph

if TYPE_CHECKING:
    import networkx

    from engine.symbolic.proof import Proof

__all__ = ["Step", "inert", "markdown", "networkx_graph", "numbered", "reason"]


class Step(NamedTuple):
    """One step of a proof.

    Args:
        number: from 1 on; a step comes after its premises, the conclusion is the last.
        premises: their numbers, in the order of the proof.
    """

    number: int
    proof: Proof
    premises: tuple[int, ...]


def numbered(proof: Proof) -> list[Step]:
    """The steps of a proof, each once."""
    numbers: dict[int, int] = {}
    found = []
    for number, step in enumerate(proof.steps(), start=1):
        numbers[id(step)] = number
        found.append(Step(number, step, tuple(numbers[id(premise)] for premise in step.premises)))
    return found


def inert(text: str) -> str:
    """The text in one line, with U+FFFD for what is no visible character: controls, bidirectional overrides."""
    line = re.sub(r"[\t\r\n]+", " ", text)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)


def kind_of(proof: Proof) -> str:
    """`asserted`, `claimed`, `rule` or `constraint`: what a step stands on."""
    if proof.rule is not None:
        return proof.rule.kind
    return "claimed" if proof.claimed else "asserted"


def reason(step: Step) -> str:
    """Why a step holds, in words."""
    proof = step.proof
    if proof.rule is not None:
        since = f" from {', '.join(map(str, dict.fromkeys(step.premises)))}" if step.premises else ""
        return f"by {proof.rule.kind} {proof.rule.name}{since}"
    if proof.claimed:
        return "the claim"
    return f"asserted in {proof.source}" if proof.source else "asserted"


_SPECIAL = re.compile(r"([\\`*_\[\]|~#]|(?<=:)//|www\.)")
_ENTITIES: Mapping[int, str] = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no link."""
    return _SPECIAL.sub(
        lambda match: "".join(f"\\{c}" if not c.isalnum() else c for c in match[0]), inert(text)
    ).translate(_ENTITIES)


def markdown(proof: Proof, graph: KnowledgeGraph) -> str:
    """The proof as a numbered list, premises first; conditions without premises stand under their step."""
    lines = [f"**{_escaped(proof.sentence(graph))}**", ""]
    for step in numbered(proof):
        lines.append(f"{step.number}. {_escaped(step.proof.sentence(graph))}: *{_escaped(reason(step))}*")
        lines += [f"   - {_escaped(condition)}" for condition in step.proof.conditions(graph)]
    return "\n".join(lines) + "\n"


def networkx_graph(proof: Proof) -> networkx.DiGraph[int]:
    """The proof as a networkx `DiGraph` of step numbers, with an edge from each premise to what it proves.

    Node attributes: `conclusion` (a Triple, None for FALSE), `kind` (`asserted`, `claimed`, `rule`, `constraint`),
    `rule` (its name or None), `source` (a file or None). Edge attribute `positions`: which premises it is, from 0.
    """
    import networkx

    graph: networkx.DiGraph[int] = networkx.DiGraph()
    for step in numbered(proof):
        rule = step.proof.rule
        graph.add_node(
            step.number,
            conclusion=step.proof.conclusion,
            kind=kind_of(step.proof),
            rule=None if rule is None else rule.name,
            source=step.proof.source,
        )
        for premise in dict.fromkeys(step.premises):
            positions = tuple(at for at, number in enumerate(step.premises) if number == premise)
            graph.add_edge(premise, step.number, positions=positions)
    return graph
