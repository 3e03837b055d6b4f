"""What a closure, a violation and a set of figures look like as plain values, for the screen and for reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.prediction import Ranking
    from engine.symbolic import Closure, Violation
    from kg.domain import Domain

__all__ = [
    "benchmark_lines",
    "describe_closure",
    "describe_rules",
    "describe_violation",
    "inert",
    "metric_lines",
    "ranking_lines",
]


def describe_closure(domain: Domain, closure: Closure) -> dict[str, Any]:
    """Counts of what was loaded and inferred, in reading order."""
    graph = closure.graph
    return {
        "files": len(graph.sources),
        "asserted triples": len(graph.asserted),
        "terms": len(graph.dictionary),
        "rules": len(closure.rules.rules),
        "constraints": len(closure.rules.constraints),
        "built-in rule set": domain.entailment,
        "inferred triples": len(graph.inferred),
        "violations": len(closure.violations),
        "complete": "yes" if closure.incomplete is None else f"no: {closure.incomplete}",
    }


def describe_rules(closure: Closure) -> dict[str, int]:
    """Inferred triples by the rule that first added them, most first."""
    return dict(closure.statistics.by_rule)


def describe_violation(closure: Closure, violation: Violation) -> dict[str, Any]:
    """One violation with rule, severity, message in labels, and proof in words."""
    rule = violation.constraint
    return {
        "severity": str(violation.severity),
        "rule": rule.name,
        "iri": str(rule.iri) if rule.iri is not None else None,
        "comment": rule.comment,
        "source": rule.source,
        "message": violation.message,
        "proof": violation.proof.text(closure.graph),
    }


def metric_lines(metrics: Any, indent: str = "") -> Iterator[str]:
    """Nested figures as `name: value` lines, nested ones indented, floats with three decimals."""
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield f"{indent}{name}:"
            yield from metric_lines(value, indent + "  ")
        elif isinstance(value, list):
            for entry in value:
                yield from metric_lines(entry, indent)
        else:
            shown = "–" if value is None else f"{value:.3f}" if isinstance(value, float) else value
            yield f"{indent}{name}: {shown}"


def benchmark_lines(report: dict[str, Any]) -> Iterator[str]:
    """What `run_benchmark` found: each part with mean and standard deviation over the seeds, and its categories."""

    def spread(values: dict[str, float]) -> str:
        return f"{values['mean']:.4f} ± {values['sd']:.4f}"

    runs, config = report["runs"], report["config"]
    yield f"{report['benchmark']}: {config['model']}, dim {config['dim']}, {report['train']:,} training triples"
    yield f"seeds {', '.join(str(run['seed']) for run in runs)}: {report['cpu']['mean']:.0f} CPU s each"
    for name, part in report["parts"].items():
        apart = f", {part['unseen']} of them with untrained terms" if part["unseen"] else ""
        yield f"{name} ({part['triples']:,} triples{apart})"
        yield f"  MRR {spread(part['mrr'])}; untrained terms never found: {spread(part['mrr_of_all'])}"
        yield "  " + ", ".join(f"H@{k} {spread(part[f'hits_at_{k}'])}" for k in (1, 3, 10))
        first = runs[0][name]["by_category"]
        told = ", ".join(
            f"{category} {figures['mrr']:.3f} ({figures['count']:,})" for category, figures in first.items()
        )
        yield f"  MRR by category, first seed: {told}"


def ranking_lines(ranking: Ranking) -> Iterator[str]:
    """What was asked, the predictions in order, and each listed rejection with its reason and its proof."""
    yield f"{ranking.question} ({ranking.num_rejected:,} rejected above the last)"
    for at, each in enumerate(ranking.predictions, start=1):
        yield f"  {at}. {each}"
    for each in ranking.rejected:
        yield f"  rejected: {each}"
        if each.rejection is not None and each.rejection.proof is not None:
            yield from (f"    {line}" for line in each.rejection.proof.text(each.graph).splitlines())


def inert(text: str) -> str:
    """The text without control and bidirectional-override characters, which could act on a terminal; lines stay."""
    return "".join(c if c.isprintable() or c in "\t\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
