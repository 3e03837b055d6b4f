"""The command `noesis`: parse, call, print, exit code. Nothing heavy is imported before a command needs it.

Results go to stdout, everything else to stderr. Exit codes: 0 done and conforming, 1 a violation or a contradicted
claim, 2 bad input or usage, 3 not supported, 4 a budget ran out and the result is incomplete.
"""

from __future__ import annotations

import enum
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from embeddings import EmbeddingConfig
    from engine.hybrid import Reasoner
    from engine.symbolic import Budget, Closure
    from engine.verdict import Verdict
    from kg.domain import Domain

__all__ = ["app", "main"]

DONE, VIOLATED, BAD_INPUT, UNSUPPORTED, INCOMPLETE = range(5)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Load domain graphs, close them under rules, and answer claims with verdicts and proofs.",
)

Folder = Annotated[Path, typer.Argument(help="A domain folder: RDF files, rules (*.srl), optionally domain.toml.")]
RunFolder = Annotated[Path | None, typer.Option("--run", help="The run folder; default runs/NAME of the domain.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Seconds = Annotated[float | None, typer.Option("--seconds", help="Budget of the closure, in seconds.", min=0.001)]
Seed = Annotated[int, typer.Option("--seed", help="Of every random choice.", min=0)]
Encoder = Annotated[
    str | None, typer.Option("--encoder", help="A path or a Hugging Face name; default: the embedded encoder.")
]


class Severity(enum.StrEnum):
    """From which severity on an audit fails."""

    violation = "violation"
    warning = "warning"
    info = "info"
    never = "never"


class Strictness(enum.StrEnum):
    """How much a prediction has to fit the schema."""

    open = "open"
    typed = "typed"


class Entailment(enum.StrEnum):
    """The built-in rules to close files under."""

    owl2rl = "owl2rl"
    rdfs = "rdfs"
    none = "none"


@app.command()
def ask(
    folder: Folder,
    claims: Annotated[list[str], typer.Argument(help="One or more claims in plain English.")],
    run: RunFolder = None,
    encoder: Encoder = None,
    as_json: AsJson = False,
    seconds: Seconds = None,
) -> None:
    """Answer claims in plain English with verdicts, proofs and refutations."""
    domain, closure = _close(folder, seconds)
    reasoner = _reasoner(domain, closure, run, encoder)
    _show_verdicts(reasoner.ask_many(claims), closure, as_json)


@app.command()
def check(
    folder: Folder,
    terms: Annotated[
        list[str] | None,
        typer.Argument(help="Subject, predicate and object: compact names, IRIs, or literals as in Turtle."),
    ] = None,
    deny: Annotated[bool, typer.Option("--deny", help="Claim that the triple does not hold.")] = False,
    file: Annotated[Path | None, typer.Option("--file", help="A file of claims: RDF, .tsv or .ndjson.")] = None,
    as_json: AsJson = False,
    seconds: Seconds = None,
) -> None:
    """Check a triple, or all triples of a file, against the closure. Put `--` before a term that begins with a dash."""
    from engine.hybrid import Reasoner
    from kg.claim_file import read_claims

    if len(terms or []) != (3 if file is None else 0):
        raise typer.BadParameter("Expected either subject, predicate and object, or --file", param_hint="TERMS")
    _, closure = _close(folder, seconds)
    triples: list[Any] = [[_term(text, closure) for text in terms or []]]
    if file is not None:
        triples = [claim for _, claim in read_claims(file, closure.graph.prefixes)]
    _show_verdicts(Reasoner(closure).check_many(triples, positive=not deny), closure, as_json)


@app.command()
def predict(
    folder: Folder,
    terms: Annotated[
        list[str], typer.Argument(help="Head and relation, or with --tail the relation alone: compact names or IRIs.")
    ],
    tail: Annotated[str | None, typer.Option("--tail", help="The tail, where heads are sought.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many predictions.", min=1)] = 10,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Show what is rejected above the last, with axiom and proof.")
    ] = False,
    strictness: Annotated[
        Strictness, typer.Option("--strictness", help="typed also rejects what has types, none of them asked for.")
    ] = Strictness.open,
    unique_names: Annotated[
        bool, typer.Option("--unique-names", help="Take names not known to be the same to differ.")
    ] = False,
    run: RunFolder = None,
    as_json: AsJson = False,
    seconds: Seconds = None,
) -> None:
    """Predict tails (or heads) by the embedding of a run, among what schema and rules allow."""
    from pipelines import predict as predictions
    from pipelines.describe import inert, ranking_lines

    if len(terms) != (2 if tail is None else 1):
        raise typer.BadParameter("Expected head and relation, or the relation and --tail", param_hint="TERMS")
    domain, closure = _close(folder, seconds)
    found = predictions.predict(
        closure,
        run or _default_run(domain),
        terms[0] if tail is None else None,
        terms[-1],
        tail,
        k=k,
        rejected=rejected,
        strictness=strictness.value,
        unique_names=unique_names,
    )
    if as_json:
        _print_json(found.to_dict())
    else:
        typer.echo("\n".join(map(inert, ranking_lines(found))))
    raise typer.Exit(_finished(closure))


@app.command()
def query(
    folder: Folder,
    sparql: Annotated[str, typer.Argument(help="A SPARQL SELECT or ASK query; the graph's prefixes are declared.")],
    asserted: Annotated[bool, typer.Option("--asserted", help="Leave inferred triples out.")] = False,
    as_json: AsJson = False,
    seconds: Seconds = None,
) -> None:
    """Run a SPARQL SELECT or ASK over asserted and inferred triples."""
    from kg.query import select
    from pipelines.describe import inert

    _, closure = _close(folder, seconds)
    table = select(closure.graph, sparql, inferred=not asserted)
    shown = [[None if term is None else closure.graph.curie(term) for term in row] for row in table.rows]
    if table.form == "ASK":
        typer.echo(json.dumps(bool(table.rows)) if as_json else str(table))
    elif as_json:
        _print_json([dict(zip(table.variables, row, strict=True)) for row in shown])
    else:
        typer.echo("\t".join(table.variables))
        for row in shown:
            typer.echo("\t".join(" ".join(inert(cell or "").splitlines()) for cell in row))
    raise typer.Exit(_finished(closure))


@app.command()
def materialise(
    folder: Folder,
    out: Annotated[Path | None, typer.Option("--out", help="Write the closure here; syntax by suffix.")] = None,
    inferred_only: Annotated[bool, typer.Option("--inferred-only", help="Write inferred triples alone.")] = False,
    as_json: AsJson = False,
    seconds: Seconds = None,
) -> None:
    """Close a domain under its rules and say what was inferred."""
    from pipelines.describe import describe_closure, describe_rules, inert

    domain, closure = _close(folder, seconds)
    figures, by_rule = describe_closure(domain, closure), describe_rules(closure)
    if out is not None:
        from kg.save import save_graph

        graph = closure.graph
        save_graph(
            type(graph)(graph.dictionary, graph.inferred, prefixes=graph.prefixes) if inferred_only else graph, out
        )
    if as_json:
        _print_json({**figures, "by rule": by_rule})
    else:
        for name, value in figures.items():
            typer.echo(f"{name}: {value}")
        for name, value in by_rule.items():
            typer.echo(f"  {value:>8}  {inert(name)}")
    raise typer.Exit(_finished(closure))


@app.command()
def audit(
    paths: Annotated[list[Path], typer.Argument(help="A domain folder, or RDF and rule files and folders of them.")],
    shapes: Annotated[list[Path] | None, typer.Option("--shapes", help="SHACL shapes; may be repeated.")] = None,
    claims: Annotated[
        Path | None, typer.Option("--claims", help="Conclusions to judge: .tsv, .ndjson, or an RDF file.")
    ] = None,
    against: Annotated[
        list[Path] | None, typer.Option("--against", help="The folder or files as they were, to tell what is new.")
    ] = None,
    only_new: Annotated[bool, typer.Option("--only-new", help="Fail on what is new alone; needs --against.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Audit the rules themselves too.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Audit the ontology itself too.")] = False,
    closed_world: Annotated[
        bool, typer.Option("--closed-world", help="Tell what the ontology requires and the data has not.")
    ] = False,
    entailment: Annotated[
        Entailment | None, typer.Option("--entailment", help="Built-in rules; default: the domain's, or owl2rl.")
    ] = None,
    fail_on: Annotated[
        Severity, typer.Option("--fail-on", help="Exit with 1 from this severity on.")
    ] = Severity.violation,
    limit: Annotated[
        int, typer.Option("--limit", help="Show at most this many; the total is always given.", min=0)
    ] = 50,
    limit_per_rule: Annotated[
        int | None, typer.Option("--limit-per-rule", help="Show at most this many of each rule.", min=0)
    ] = None,
    proofs: Annotated[bool, typer.Option("--proofs/--no-proofs", help="Show why each is violated.")] = True,
    supports: Annotated[
        int, typer.Option("--supports", help="Show so many minimal sets of triples that suffice for each.", min=0)
    ] = 0,
    repairs: Annotated[int, typer.Option("--repairs", help="Show so many changes that mend each.", min=0)] = 0,
    run: Annotated[
        Path | None, typer.Option("--run", help="A run folder, whose embedding says which repair is likelier.")
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option("--report", help="Write a report; format by suffix: html md sarif xml csv ttl jsonld json txt."),
    ] = None,
    as_json: AsJson = False,
    seconds: Seconds = None,
) -> None:
    """List what is wrong with a graph, or with a file of conclusions: why, how bad it is, and what would mend it."""
    from engine.symbolic import Budget
    from pipelines import audit as audits
    from pipelines.report.write import format_of_report, render, write_report

    if only_new and not against:
        raise typer.BadParameter("Expected --against with --only-new", param_hint="--only-new")
    for path in report or []:
        format_of_report(path)  # so that a wrong suffix costs no audit
    config = audits.AuditConfig(
        shapes=tuple(shapes or ()),
        rules=rules,
        schema=schema,
        closed_world=closed_world,
        entailment=entailment and entailment.value,
        budget=None if seconds is None else Budget(seconds=seconds),
        limits=audits.Limits(limit, limit_per_rule, proofs, supports, repairs),
    )
    found = audits.run_audit(paths, config, claims=claims, against=against)
    plausibility = None if run is None else audits.plausibility_of(found, run)
    described = found.to_dict(config.limits, plausibility=plausibility)
    for path in report or []:
        write_report(described, path)
    if as_json:
        _print_json(described)
    else:
        typer.echo(render(described, "text"), nl=False)
    failing = audits.fails(found, None if fail_on is Severity.never else fail_on.value, only_new=only_new)
    if found.incomplete is not None:
        from pipelines.describe import inert

        typer.echo(inert(f"noesis: the audit is incomplete: {found.incomplete}"), err=True)
    raise typer.Exit(VIOLATED if failing else INCOMPLETE if found.incomplete is not None else DONE)


@app.command()
def embed(
    folder: Annotated[Path | None, typer.Argument(help="A domain folder; none with --benchmark.")] = None,
    run: RunFolder = None,
    seed: Seed = 0,
    benchmark: Annotated[
        Path | None,
        typer.Option("--benchmark", help="A folder of train, valid (and test) triples by name or number, instead."),
    ] = None,
    test: Annotated[Path | None, typer.Option("--test", help="The benchmark's test triples, a file.")] = None,
    settings: Annotated[
        Path | None, typer.Option("--config", help="TOML with a table [embedding], as in data/configs.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="How many seeds, from --seed on.", min=1)] = 3,
    search: Annotated[
        Path | None,
        typer.Option("--search", help="TOML with ranges in a table [search]: find settings for the benchmark instead."),
    ] = None,
    trials: Annotated[int, typer.Option("--trials", help="How many settings a search tries.", min=1)] = 20,
    device: Annotated[str | None, typer.Option("--device", help="A torch device; default: CUDA if there.")] = None,
    as_json: AsJson = False,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", help="Budget of the closure, or after which no trial begins.", min=0.001),
    ] = None,
) -> None:
    """Train, measure and calibrate the embedding of a domain; or train and measure on a benchmark, several seeds.

    With --search, settings are tried on the benchmark's validation triples; the best are left in best.toml of --run.
    """
    if (folder is None) == (benchmark is None):
        raise typer.BadParameter("Expected either a domain folder or --benchmark", param_hint="FOLDER")
    if folder is None:
        assert benchmark is not None, "one of them is there"
        if search is not None:
            _search_benchmark(benchmark, settings, search, run, device, trials, seconds, seed, as_json)
            return
        _embed_benchmark(benchmark, test, settings, range(seed, seed + seeds), run, device, as_json)
        return
    if test is not None or settings is not None or device is not None or search is not None:
        raise typer.BadParameter("Expected --benchmark with it; a domain has its settings in domain.toml")
    from pipelines import build
    from pipelines.run import Run

    domain, closure = _close(folder, seconds)
    config = build.BuildConfig.of(domain, seed=seed)
    target = Run(run or _default_run(domain), config.to_dict())
    with _progress() as progress:
        build.embed(domain, closure, target, config, progress)
    target.save()
    _show_metrics(target.metric("embedding"), as_json)
    raise typer.Exit(_finished(closure))


def _embed_benchmark(
    folder: Path,
    test: Path | None,
    settings: Path | None,
    seeds: Sequence[int],
    run: Path | None,
    device: str | None,
    as_json: bool,
) -> None:
    from pipelines.benchmark import run_benchmark
    from pipelines.describe import benchmark_lines, inert

    config = _settings(settings, device)
    with _progress() as progress:
        report = run_benchmark(folder, config, seeds=seeds, test=test, out=run, tick=progress)
    if as_json:
        _print_json(report)
    else:
        typer.echo(inert("\n".join(benchmark_lines(report))))


def _search_benchmark(
    folder: Path,
    settings: Path | None,
    ranges: Path,
    run: Path | None,
    device: str | None,
    trials: int,
    seconds: float | None,
    seed: int,
    as_json: bool,
) -> None:
    from pipelines.describe import inert
    from pipelines.search import load_space, result_lines, run_search

    if run is None:
        raise typer.BadParameter("Expected --run with --search: the folder to leave best.toml in", param_hint="--run")
    with _progress() as tick:
        found = run_search(
            folder,
            _settings(settings, device),
            load_space(ranges),
            run,
            trials=trials,
            seconds=seconds,
            seed=seed,
            tick=tick,
        )
    if as_json:
        _print_json(found.to_dict())
    else:
        typer.echo("\n".join(map(inert, result_lines(found))))


def _settings(path: Path | None, device: str | None) -> EmbeddingConfig:
    import dataclasses

    from embeddings import EmbeddingConfig
    from pipelines.benchmark import load_config

    config = EmbeddingConfig() if path is None else load_config(path)
    return config if device is None else dataclasses.replace(config, device=device)


@app.command()
def train(
    folder: Folder,
    run: RunFolder = None,
    encoder: Encoder = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    seconds: Seconds = None,
) -> None:
    """Train the fusion model of a domain (and its embedding, where the run has none) and measure it."""
    from pipelines import build
    from pipelines.run import Run

    domain, closure = _close(folder, seconds)
    config = build.BuildConfig.of(domain, seed=seed, encoder=encoder)
    target = Run(run or _default_run(domain), config.to_dict())
    with _progress() as progress:
        embedded = build.embed(domain, closure, target, config, progress)
        build.fuse(domain, closure, embedded, target, config, progress)
    target.save()
    _show_metrics(target.metric("fusion"), as_json)
    raise typer.Exit(_finished(closure))


@app.command()
def evaluate(
    task: Annotated[Path, typer.Argument(help="A task as TOML, as in data/tasks.")],
    data: Annotated[Path, typer.Option("--data", help="The folder that the task's files are in.")],
    controls: Annotated[
        bool, typer.Option("--controls", help="Run text only, graph only, shuffled graph, no rules, edge counter too.")
    ] = False,
    seeds: Annotated[int | None, typer.Option("--seeds", help="How many seeds; default: the task's.", min=1)] = None,
    test: Annotated[
        list[Path] | None, typer.Option("--test", help="Measure on this file, not on development examples.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Keep the figures and the models in this folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a task's method, and what it owes to text, graph and rules: a table with intervals, routes and proofs."""
    from pipelines.describe import inert
    from pipelines.tasks.declaration import load_task
    from pipelines.tasks.evaluate import evaluate
    from pipelines.tasks.method import CONTROLS
    from pipelines.tasks.table import table_lines

    with _progress() as progress:
        report = evaluate(
            load_task(task),
            data,
            controls=CONTROLS if controls else (),
            seeds=None if seeds is None else range(seeds),
            test=tuple(test or ()),
            out=out,
            tick=progress,
        )
    if as_json:
        _print_json(report)
    else:
        typer.echo(inert("\n".join(table_lines(report))))


@app.command()
def demo(
    folder: Folder,
    run: RunFolder = None,
    encoder: Encoder = None,
    seed: Seed = 0,
) -> None:
    """The whole way on one domain: load, close, audit, embed, fuse, answer; leaves a run folder and a page."""
    from pipelines.demo import run_demo

    run_demo(folder, run, seed=seed, encoder=encoder, console=_console(), progress=_progress)


@app.command()
def conformance(
    folder: Annotated[Path, typer.Argument(help="A folder with suites: sparql-rl, owl2-rl, rdf-mt.")],
    as_json: AsJson = False,
) -> None:
    """Run the public conformance suites and say which cases pass; 1 if one fails."""
    from pipelines.conformance import Outcome, run_suites
    from pipelines.conformance.run import describe, table_lines

    results = run_suites(folder)
    if as_json:
        _print_json(describe(results))
    else:
        from pipelines.describe import inert

        typer.echo("\n".join(map(inert, table_lines(results))))
    failed = any(result.outcome is Outcome.FAILED for result in results)
    raise typer.Exit(VIOLATED if failed else DONE)


def main() -> NoReturn:
    """The entry point of the `noesis` command: errors of ours become one line and an exit code."""
    from kg.errors import BudgetError, NoesisError, NotSupportedError, UnsupportedRuleError

    _quiet()
    try:
        app(standalone_mode=True)
    except (NotSupportedError, UnsupportedRuleError) as error:
        _fail(str(error), UNSUPPORTED)
    except BudgetError as error:
        _fail(str(error), INCOMPLETE)
    except NoesisError as error:
        _fail(str(error), BAD_INPUT)
    except OSError as error:
        _fail(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), BAD_INPUT)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    raise SystemExit(DONE)


def _fail(message: str, code: int) -> NoReturn:
    from pipelines.describe import inert

    typer.echo(f"noesis: {' '.join(inert(message).split())}", err=True)
    raise SystemExit(code)


def _quiet() -> None:
    """Warnings of ours as one line each on stderr; libraries' own chatter is left out."""
    import logging

    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="noesis: %(message)s")
    for package in ("kg", "engine", "embeddings", "pipelines"):
        logging.getLogger(package).setLevel(logging.WARNING)


def _close(folder: Path, seconds: float | None) -> tuple[Domain, Closure]:
    from engine.symbolic import Budget
    from pipelines.build import close

    budget: Budget | None = None if seconds is None else Budget(seconds=seconds)
    return close(folder, budget=budget)


def _term(text: str, closure: Closure) -> Any:
    """A literal in Turtle form as a term; any other text as it is, which the reasoner reads."""
    from kg.claims import parse_term

    number = text.lstrip("+-")[:1].isdigit()
    return parse_term(text, closure.graph.prefixes) if number or text.startswith('"') else text


def _default_run(domain: Domain) -> Path:
    from pipelines.run import default_folder

    return default_folder(domain.name)


def _finished(closure: Closure) -> int:
    """The exit code of a command that found nothing amiss; says on stderr what is missing from the closure."""
    if closure.incomplete is None:
        return DONE
    typer.echo(f"noesis: the closure is incomplete: {closure.incomplete}", err=True)
    return INCOMPLETE


def _reasoner(domain: Domain, closure: Closure, run: Path | None, encoder: str | None) -> Reasoner:
    """A reasoner for claims in text, with the models of the run folder where it has some for this closure."""
    from pipelines.build import reasoner_for

    folder = run or _default_run(domain)
    with _progress() as progress:
        return reasoner_for(domain, closure, folder, encoder=encoder, required=run is not None, progress=progress)


def _show_verdicts(verdicts: Sequence[Verdict], closure: Closure, as_json: bool) -> NoReturn:
    from engine.verdict import Contradicted, Reason, Unknown
    from pipelines.describe import inert

    if as_json:
        _print_json([verdict.to_dict() for verdict in verdicts])
    else:
        typer.echo("\n\n".join(inert(str(verdict)) for verdict in verdicts))
    if any(isinstance(verdict, Contradicted) for verdict in verdicts):
        raise typer.Exit(VIOLATED)
    cut_short = any(isinstance(verdict, Unknown) and verdict.reason is Reason.BUDGET for verdict in verdicts)
    raise typer.Exit(_finished(closure) or (INCOMPLETE if cut_short else DONE))


def _show_metrics(metrics: Any, as_json: bool) -> None:
    if as_json:
        _print_json(metrics)
    else:
        from pipelines.describe import inert, metric_lines

        typer.echo(inert("\n".join(metric_lines(metrics))))


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def _console() -> Console:
    from rich.console import Console

    return Console(markup=False, highlight=False, soft_wrap=True)


class _progress:  # noqa: N801  # used like a function: `with _progress() as tick`
    """A progress bar on stderr; `tick(stage, done, total)` moves it. Nothing is drawn where stderr is no terminal."""

    def __enter__(self) -> Callable[[str, int, int], None]:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True, markup=False)
        self._bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._tasks: dict[str, Any] = {}
        self._bar.start()
        return self._tick

    def _tick(self, stage: str, done: int, total: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(stage, total=total)
        self._bar.update(self._tasks[stage], completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


if __name__ == "__main__":
    main()
