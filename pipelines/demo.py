"""The demonstration: one domain folder from RDF files to claims with verdicts, told on the screen and on a page."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.hybrid import Reasoner
from engine.verdict import Verdict
from kg.claims import ClaimRecord
from kg.errors import TooSmallError
from kg.verbalise import verbalise
from pipelines import build
from pipelines.claims import evaluate_claims
from pipelines.describe import describe_closure, describe_rules, describe_violation, inert
from pipelines.report import render_html
from pipelines.run import Run, default_folder, write_atomically

if TYPE_CHECKING:
    from rich.console import Console

    from engine.symbolic import Closure
    from kg.domain import Domain

__all__ = ["run_demo"]

Tick = Callable[[str, int, int], None]
WORDS = ("entailed", "contradicted", "unproven", "unknown")
SHOWN_PER_VERDICT = 4


def run_demo(
    folder: str | Path,
    run_folder: str | Path | None,
    *,
    console: Console,
    progress: Callable[[], AbstractContextManager[Tick]],
    seed: int = 0,
    encoder: str | None = None,
) -> Path:
    """Run every stage on a domain and show what each gave; the page's path.

    A second run with the same inputs and settings takes up the stages the first one left. A domain with too little to
    train on is answered without plausibilities, and told so.
    """
    began = time.perf_counter()
    say = _Teller(console)
    domain, closure = build.close(folder)
    config = build.BuildConfig.of(domain, seed=seed, encoder=encoder)
    run = Run(run_folder or default_folder(domain.name), config.to_dict())
    report: dict[str, Any] = {
        "title": domain.title,
        "notice": domain.notice,
        "loaded": describe_closure(domain, closure),
        "inferred_by_rule": dict(list(describe_rules(closure).items())[:25]),
        "violations": [describe_violation(closure, violation) for violation in closure.violations],
    }
    say.loaded(report, time.perf_counter() - began)
    say.violations(report["violations"])

    report |= {"embedding": {}, "fusion": [], "untrained": ""}
    fused, found = None, None
    try:
        with progress() as tick:
            embedded = build.embed(domain, closure, run, config, tick)
        report["embedding"] = _flat(run.metric("embedding"))
        say.embedding(report["embedding"], "embedding" in run.reused)
        with progress() as tick:
            fused = build.fuse(domain, closure, embedded, run, config, tick)
        report["fusion"] = run.metric("fusion")["tables"]
        say.fusion(report["fusion"], "fusion-fusion" in run.reused)
    except TooSmallError as error:
        from engine.fusion import resolve_encoder

        report["untrained"] = f"No model was trained, so there are no plausibilities. {error}."
        say.untrained(report["untrained"])
        found = resolve_encoder(config.encoder)

    with progress() as tick:
        reasoner = build.reasoner_with(domain, closure, fused, found, run=run, progress=tick)
    report["claims"], report["claim_figures"] = _answer(domain, closure, reasoner)
    say.claims(report["claims"])
    say.figures(report["claim_figures"])

    run.note(claims=report["claim_figures"], violations=len(report["violations"]))
    run.save()
    seconds = time.perf_counter() - began
    made = datetime.now(UTC).isoformat(timespec="seconds")
    report["footer"] = (
        f"Made by Noesis on {made} in {seconds:.0f} s; stages taken up again: {', '.join(run.reused) or 'none'}."
    )
    write_atomically(run.folder / "report.json", json.dumps(report, indent=2, ensure_ascii=False, default=str) + "\n")
    page = run.folder / "report.html"
    write_atomically(page, render_html(report))
    say.done(page, seconds, run.reused)
    return page


def _answer(domain: Domain, closure: Closure, reasoner: Reasoner) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Claims of all four verdicts with their evidence, and the figures of each split of the hand-written ones."""
    if not domain.claims:
        return [_shown(verdict) for verdict in reasoner.ask_many(_made_claims(closure))], {}
    figures, chosen = {}, []
    for split in ("train", "dev", "test"):
        records = [claim for claim in domain.claims if claim.split == split]
        if records:
            outcome = evaluate_claims(reasoner, records)
            figures[split] = outcome.figures()
            if split == "test":
                chosen = _choose([(r.record, r.verdict) for r in outcome.results])
    if not chosen:
        chosen = _choose(
            [(c, v) for c, v in zip(domain.claims, reasoner.ask_many([c.text for c in domain.claims]), strict=True)]
        )
    return [_shown(verdict) for verdict in chosen], figures


def _choose(answered: Sequence[tuple[ClaimRecord, Verdict]]) -> list[Verdict]:
    """The first few of each verdict, in the order of the file: nothing is picked by how well it came out."""
    return [verdict for word in WORDS for verdict in [v for _, v in answered if v.word == word][:SHOWN_PER_VERDICT]]


def _made_claims(closure: Closure) -> list[str]:
    """For a domain without claims: some of its triples in words, both ways round, and one about a name it lacks."""
    graph = closure.graph
    relations = [graph.dictionary.term(int(p)) for p in graph.relation_ids]
    inferred = [
        t for p in relations for t in list(graph.triples(None, p, None)) if not graph.contains(t, inferred=False)
    ]
    asserted = [t for p in relations for t in list(graph.triples(None, p, None, inferred=False))]
    chosen = [*inferred[:4], *asserted[:2]]
    turned = [type(t)(t.object, t.predicate, t.subject) for t in chosen]
    texts = list(dict.fromkeys(verbalise(graph, triple) for triple in [*chosen, *turned]))
    return [*texts, *(text.replace(graph.label(chosen[0].subject), "Zorblax", 1) for text in texts[:1])]


def _shown(verdict: Verdict) -> dict[str, Any]:
    text, reading = verdict.claim.sentence(), verdict.claim.reading()
    return {
        "verdict": verdict.word,
        "text": text,
        "headline": verdict.headline(),
        "reading": reading if reading != text else "",
        "evidence": verdict.evidence(),
        "detail": verdict.to_dict(),
    }


def _flat(metrics: Mapping[str, Any]) -> dict[str, Any]:
    names = {"mrr": "MRR", "hits_at_1": "H@1", "hits_at_3": "H@3", "hits_at_10": "H@10", "count": "tested"}
    test = {names.get(name, name): value for name, value in metrics.get("test", {}).items()}
    return {"model": metrics["model"], "trained": metrics["train"], **test}


class _Teller:
    """Tells each stage on the console; what comes from the domain is printed without control characters."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def _print(self, text: str = "", style: str | None = None) -> None:
        self.console.print(inert(text), style=style)

    def _title(self, text: str) -> None:
        self._print()
        self.console.rule(" ".join(inert(text).split()), align="left")

    def _table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for at, column in enumerate(columns):
            table.add_column(column, justify="left" if at == 0 else "right")
        for row in rows:
            table.add_row(
                *(
                    Text(f"{cell:.3f}" if isinstance(cell, float) else "–" if cell is None else inert(str(cell)))
                    for cell in row
                )
            )
        self.console.print(table)

    def loaded(self, report: Mapping[str, Any], seconds: float) -> None:
        self._title(report["title"])
        if report["notice"]:
            self._print(report["notice"])
        for name, value in report["loaded"].items():
            self._print(f"  {name}: {value}")
        self._print(f"  loaded and closed in {seconds:.1f} s; most inferred by:")
        for name, count in list(report["inferred_by_rule"].items())[:8]:
            self._print(f"    {count:>6}  {name}")

    def violations(self, violations: Sequence[Mapping[str, Any]]) -> None:
        self._title(f"{len(violations)} violations")
        for violation in violations:
            self._print(f"  {violation['severity']:<10} {violation['message']}")
        if violations:
            self._print("\n  The first, with its proof:")
            self._print("\n".join(f"    {line}" for line in violations[0]["proof"].splitlines()))

    def embedding(self, figures: Mapping[str, Any], reused: bool) -> None:
        self._title("Embedding" + (" (taken up from the run folder)" if reused else ""))
        self._table(list(figures), [list(figures.values())])

    def fusion(self, tables: Sequence[Mapping[str, Any]], reused: bool) -> None:
        for table in tables:
            self._title(table["title"] + (" (taken up from the run folder)" if reused else ""))
            names = ("mode", "count", "accuracy", "auc", "brier", "ece")
            self._table(names, [[row[name] for name in names] for row in table["rows"]])
            self._print(table["note"])

    def untrained(self, why: str) -> None:
        self._title("Nothing was trained")
        self._print(why)

    def claims(self, claims: Sequence[Mapping[str, Any]]) -> None:
        self._title(f"{len(claims)} claims")
        for claim in claims:
            self._print(claim["headline"], style="bold")
            if claim["reading"]:
                self._print(f"  read as: {claim['reading']}")
            self._print(claim["evidence"] + "\n")

    def figures(self, figures: Mapping[str, Mapping[str, Any]]) -> None:
        if figures:
            self._title("Hand-written claims, by split")
            names = [name for name in next(iter(figures.values())) if not name.startswith("verdicts")]
            self._table(["", *figures], [[name, *(found[name] for found in figures.values())] for name in names])

    def done(self, page: Path, seconds: float, reused: Sequence[str]) -> None:
        self._title(f"Done in {seconds:.0f} s")
        self._print(f"Run folder: {page.parent}   page: {page}")
        if reused:
            self._print(f"Taken up from an earlier run: {', '.join(reused)}")
