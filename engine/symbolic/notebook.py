"""What notebooks show of a closure and of a proof (see `kg.notebook`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kg.graph import KnowledgeGraph
from kg.notebook import box, graph_html, preformatted, table

if TYPE_CHECKING:
    from engine.symbolic.closure import Closure
    from engine.symbolic.proof import Proof

__all__ = ["closure_html", "proof_html"]

_ROWS = 10


def closure_html(closure: Closure) -> str:
    """The rules that inferred most, the first violations, and the graph."""
    figures = closure.statistics
    by_rule = sorted(figures.by_rule.items(), key=lambda item: -item[1])
    rules = table(["rule", "inferred triples"], by_rule[:_ROWS], total=len(by_rule))
    broken = closure.violations
    rows = [[str(each.severity), each.message, each.constraint.name] for each in broken[:_ROWS]]
    violations = table(["severity", "message", "constraint"], rows, total=len(broken))
    mark = f", incomplete: {closure.incomplete}" if closure.incomplete else ""
    title = f"Closure under {figures.rules:,} rules ({closure.entailment}): {len(broken):,} violations{mark}"
    return box(title, violations, rules, graph_html(closure.graph))


def proof_html(proof: Proof, graph: KnowledgeGraph | None = None) -> str:
    """The proof in words; without its graph, names of terms stand for their labels."""
    return preformatted(proof.text(graph or KnowledgeGraph.from_triples(())))
