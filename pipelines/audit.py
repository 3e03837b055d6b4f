"""An audit from files to files: load, close, look for what is wrong, and write the reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.audit import (
    AuditReport,
    Finding,
    Limits,
    audit,
    completeness_findings,
    rule_file_findings,
    rule_findings,
    schema_findings,
)
from engine.symbolic import Budget, Closure, Severity, load_rules, materialise, rules_of
from engine.symbolic.rules import RuleSet
from kg.domain import RULE_SUFFIXES, load_domain
from kg.errors import InputError
from kg.formats import is_rdf
from kg.load import load_graph, missing_file
from kg.terms import Triple
from pipelines.build import close, closure_key

if TYPE_CHECKING:
    from engine.audit.repairs import Plausibility
    from kg.domain import Domain

__all__ = ["AuditConfig", "Limits", "Subject", "fails", "load_subject", "plausibility_of", "run_audit"]


@dataclass(frozen=True)
class AuditConfig:
    """What an audit looks at.

    Args:
        shapes: SHACL files beside those of the domain. rules: also the rules themselves. schema: also the ontology.
        closed_world: also what is required and not there.
        entailment: the built-in rules to close files under (owl2rl, rdfs or none); None is the domain's, or owl2rl.
        budget: of the closure. limits: how much is told.
    """

    shapes: tuple[Path, ...] = ()
    rules: bool = False
    schema: bool = False
    closed_world: bool = False
    entailment: str | None = None
    budget: Budget | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Subject:
    """What is audited: a domain folder, or files.

    Args:
        domain: None where files were given.
        faults: what keeps rule files from loading, where the rules are audited; those files were left out.
    """

    name: str
    closure: Closure
    domain: Domain | None = None
    faults: tuple[Finding, ...] = ()


def load_subject(paths: Sequence[Path], config: AuditConfig | None = None) -> Subject:
    """Load and close what is to be audited.

    One folder with RDF files in it is a domain (see `load_domain`). Of any other folders all RDF files and rule files
    are read, those in subfolders too, and files are read as they are.

    Raises:
        MissingFileError: a path is not there. InputError: there is no RDF file, or what `load_graph` raises.
    """
    config = config or AuditConfig()
    if len(paths) == 1 and paths[0].is_dir() and any(is_rdf(path) for path in paths[0].iterdir() if path.is_file()):
        domain = load_domain(paths[0])
        good, faults = _sound(domain.rule_files, config)
        domain, closure = close(replace(domain, rule_files=good), entailment=config.entailment, budget=config.budget)
        return Subject(domain.name, closure, domain, faults)
    files = list(_files(paths))
    graph_files = [path for path in files if is_rdf(path)]
    if not graph_files:
        raise InputError(f"Expected RDF files to audit (got none in {', '.join(map(str, paths))})")
    rules = RuleSet()
    good, faults = _sound([path for path in files if path.suffix in RULE_SUFFIXES], config)
    for path in good:
        rules = rules.merge(load_rules([path], root=path.parent))
    graph = load_graph(graph_files)
    rules = rules.merge(rules_of(graph))
    closure = materialise(graph, rules, entailment=config.entailment or "owl2rl", budget=config.budget)
    return Subject(paths[0].name if len(paths) == 1 else f"{len(graph_files)} files", closure, None, faults)


def run_audit(
    paths: Sequence[Path],
    config: AuditConfig | None = None,
    *,
    claims: Path | None = None,
    against: Sequence[Path] | None = None,
) -> AuditReport:
    """The report on what is in some files, with everything that is asked for.

    Args:
        claims: a file of conclusions to judge by the closure.
        against: the files as they were before; the report then says which findings are new.

    Raises:
        NoesisError: what loading, closing and the checks raise.
    """
    config = config or AuditConfig()
    subject = load_subject(paths, config)
    report = _report(subject, config)
    if against:
        from engine.audit.compare import compared

        report = compared(report, _report(load_subject(against, config), config))
    if claims is not None:
        from engine.audit.claims import with_claims

        report = with_claims(report, claims, limit=config.limits.findings, proofs=config.limits.proofs)
    return report


def plausibility_of(report: AuditReport, run: Path) -> Plausibility:
    """How plausible the embedding of a run finds triples; one it does not know has a half.

    Raises:
        StoreError: the run has no embedding of this closure.
    """
    from embeddings import load_embedding

    embedding, encode = load_embedding(run / "embedding", fingerprint=closure_key(report.closure)), report.graph.encode

    def plausibility(triples: Sequence[Triple]) -> list[float]:
        ids = np.array([encode(triple) or (-1, -1, -1) for triple in triples], dtype=np.int64).reshape(-1, 3)
        known, found = embedding.knows(ids), np.full(len(ids), 0.5)
        if known.any():
            found[known] = embedding.plausibility(ids[known])
        return found.tolist()

    return plausibility


def fails(report: AuditReport, severity: str | None, *, only_new: bool = False) -> bool:
    """Whether there is a finding, or a contradicted claim, at this severity or a worse one; None is no severity."""
    if severity is None:
        return False
    worst = Severity[severity.upper()]
    if report.at_least(worst, only_new=only_new):
        return True
    return report.claims is not None and report.claims.contradicted > 0


def _report(subject: Subject, config: AuditConfig) -> AuditReport:
    return audit(subject.closure, name=subject.name, checks=list(_checks(subject, config)))


def _checks(subject: Subject, config: AuditConfig) -> Iterable[Callable[[Closure], Iterable[Finding]]]:
    shapes = (*(() if subject.domain is None else subject.domain.shape_files), *config.shapes)
    if shapes:
        from engine.audit.shapes import shape_findings

        yield shape_findings(shapes)
    if config.rules:
        yield lambda _: subject.faults
        yield rule_findings
    if config.schema:
        yield schema_findings
    if config.closed_world:
        yield completeness_findings


def _sound(files: Sequence[Path], config: AuditConfig) -> tuple[tuple[Path, ...], tuple[Finding, ...]]:
    """The rule files that load and what is wrong with the others; all of them where the rules are not audited."""
    faults = {path: tuple(rule_file_findings([path])) if config.rules else () for path in files}
    return tuple(path for path, found in faults.items() if not found), tuple(chain(*faults.values()))


def _files(paths: Sequence[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith("."))
        elif path.exists():
            yield path
        else:
            raise missing_file(path)
