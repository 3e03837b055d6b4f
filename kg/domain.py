"""A domain: one folder with a graph, its schema, its rules and example claims, described by `domain.toml`."""

from __future__ import annotations

import difflib
import logging
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kg.claims import ClaimRecord, load_claims
from kg.errors import ConfigError, DomainError, InputError, LimitError, MissingFileError, SyntaxInputError
from kg.formats import is_rdf
from kg.graph import KnowledgeGraph
from kg.imports import imported_files
from kg.load import LoadLimits, load_graph, missing_file
from kg.wordings import Wording, load_wordings

__all__ = ["Domain", "load_domain"]

_LOG = logging.getLogger(__name__)

ENTAILMENTS = ("owl2rl", "rdfs", "none")
RULE_SUFFIXES = (".srl", ".rules", ".jena", ".n3")
_TABLES = ("linking", "embedding", "fusion")
_KEYS = (
    "name",
    "title",
    "notice",
    "graph",
    "schema",
    "rules",
    "shapes",
    "claims",
    "wordings",
    "entailment",
    "prefixes",
    *_TABLES,
)
_TOML_BYTES = 1 << 20


@dataclass(frozen=True)
class Domain:
    """What a domain folder holds."""

    name: str
    title: str
    folder: Path
    graph: KnowledgeGraph
    """All graph and schema files as one graph of asserted triples."""
    rule_files: tuple[Path, ...] = ()
    shape_files: tuple[Path, ...] = ()
    """SHACL shapes, which audits validate against; they are no facts."""
    notice: str = ""
    """What a reader of any result must know, shown with every report."""
    entailment: str = "owl2rl"
    """The built-in rule set to close the graph under: owl2rl, rdfs or none."""
    claims: tuple[ClaimRecord, ...] = ()
    wordings: tuple[Wording, ...] = ()
    """Sentences to learn the reading of claims from."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: MappingProxyType({}))
    """The tables linking, embedding and fusion of `domain.toml` as they are; those that are there."""
    missing_imports: tuple[str, ...] = ()
    """IRIs of the ontologies that are imported (owl:imports) and in no file of the folder; none is fetched."""

    def __str__(self) -> str:
        return (
            f"{self.title}: {len(self.graph.asserted)} triples, {len(self.rule_files)} rule files, "
            f"{len(self.claims)} claims"
        )


def load_domain(
    folder: str | PathLike[str],
    *,
    limits: LoadLimits | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Domain:
    """The domain in a folder.

    Without `domain.toml`, or for what it leaves out: every RDF file of the folder is read, by suffix, but for
    `shapes.ttl` and `*.shapes.ttl`, which are SHACL shapes; every `*.srl`, `*.rules`, `*.jena` and `*.n3` is a rule
    file; `claims.tsv` and `wordings.tsv` are read where they are there; the name is the folder's.

    An ontology that is imported (owl:imports) is read where a file of the folder declares it, named in `domain.toml` or
    not. One that is in no file is logged as a warning and kept in `Domain.missing_imports`; nothing is fetched.

    Args:
        folder: the folder; subfolders are not looked into.
        limits: as for `load_graph`.
        progress: as for `load_graph`.

    Raises:
        MissingFileError: the folder, or a file that `domain.toml` names, is not there.
        ConfigError: an unknown key in `domain.toml`, or a value of the wrong kind.
        DomainError: no RDF file, a file outside the folder, or a schema without a graph.
        InputError: what `load_graph` and `load_claims` raise for a file that cannot be taken.
    """
    folder = Path(folder)
    if not folder.is_dir():
        if folder.exists():
            raise InputError(
                "Expected the folder of a domain (got a file); use `load_graph` for files", file=str(folder)
            )
        raise _missing_folder(folder)
    settings = _Settings(folder)
    every = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    shape_files = settings.files("shapes")
    if shape_files is None:
        shape_files = [path for path in every if path.name == "shapes.ttl" or path.name.endswith(".shapes.ttl")]
    graph_files = settings.files("graph")
    if graph_files is None:
        graph_files = [path for path in every if is_rdf(path) and path not in shape_files]
    graph_files = list(dict.fromkeys([*graph_files, *(settings.files("schema") or [])]))
    if not graph_files:
        raise DomainError(
            f"{folder}: Expected an RDF file, such as graph.ttl (got none); add one, or name it in domain.toml"
        )
    rule_files = settings.files("rules")
    if rule_files is None:
        rule_files = [path for path in every if path.suffix in RULE_SUFFIXES]
    claims_files = settings.files("claims")
    if claims_files is None:
        claims_files = [path for path in every if path.name == "claims.tsv"]
    wordings_files = settings.files("wordings")
    if wordings_files is None:
        wordings_files = [path for path in every if path.name == "wordings.tsv"]
    name = settings.text("name", folder.resolve().name)
    title = settings.text("title", name)
    entailment = settings.choice("entailment", ENTAILMENTS)
    tables = {key: MappingProxyType(settings.table(key)) for key in _TABLES if key in settings.values}
    # Only now the files, so that a wrong setting costs no load.
    graph = load_graph(graph_files, prefixes=settings.prefixes(), limits=limits, progress=progress)
    others = [path for path in every if path not in graph_files and path not in shape_files and is_rdf(path)]
    more, unmet = imported_files(graph, others, limits=limits)
    if more:
        _LOG.info("%s: reading %s, which is imported", name, ", ".join(path.name for path in more))
        graph = load_graph([*graph_files, *more], prefixes=settings.prefixes(), limits=limits, progress=progress)
    for ontology in unmet:
        _LOG.warning(
            "%s: the import %s is no ontology of a file in the folder, and nothing is fetched; copy its file there",
            name,
            ontology,
        )
    claims = [claim for path in claims_files for claim in load_claims(path, graph.prefixes)]
    wordings = [wording for path in wordings_files for wording in load_wordings(path, graph.prefixes)]
    return Domain(
        name=name,
        title=title,
        folder=folder,
        notice=settings.text("notice", "") if "notice" in settings.values else "",
        graph=graph,
        rule_files=tuple(rule_files),
        shape_files=tuple(shape_files),
        entailment=entailment,
        claims=tuple(claims),
        wordings=tuple(wordings),
        settings=MappingProxyType(tables),
        missing_imports=tuple(map(str, unmet)),
    )


class _Settings:
    """`domain.toml`, checked key by key; empty where there is none."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "domain.toml"
        self.values: dict[str, Any] = _read_toml(self.path) if self.path.exists() else {}
        for key in self.values:
            if key not in _KEYS:
                near = difflib.get_close_matches(key, _KEYS, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ConfigError(f"{self.path}: Expected a key among {', '.join(_KEYS)} (got {key!r}){hint}")

    def text(self, key: str, default: str) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, "a text", value)
        return value

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.values.get(key, choices[0])
        if value not in choices:
            raise self.wrong(key, " or ".join(choices), value)
        return str(value)

    def table(self, key: str) -> dict[str, Any]:
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, f"a table [{key}]", value)
        return value

    def prefixes(self) -> dict[str, str]:
        table = self.table("prefixes")
        for prefix, namespace in table.items():
            if not isinstance(namespace, str) or ":" not in namespace:
                raise self.wrong(f"prefixes.{prefix}", "a namespace IRI", namespace)
        return table

    def files(self, key: str) -> list[Path] | None:
        """The files under a key, all there and all in the folder; None where the key is absent."""
        value = self.values.get(key)
        if value is None:
            return None
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            raise self.wrong(key, "a file name or a list of them", value)
        paths = [self.folder / name for name in names]
        for name, path in zip(names, paths, strict=True):
            # A folder from elsewhere must not make us read, and quote in an error, a file outside it.
            if not path.resolve().is_relative_to(self.folder.resolve()):
                raise DomainError(
                    f"{self.path}: Expected files inside the folder (got {name!r} under {key!r}); copy it in"
                )
            if not path.is_file():
                raise missing_file(path)
        return paths

    def wrong(self, key: str, expected: str, value: object) -> ConfigError:
        return ConfigError(f"{self.path}: Expected {expected} for {key!r} (got {value!r:.80})")


def _read_toml(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _TOML_BYTES:
        raise LimitError(f"Expected at most {_TOML_BYTES} bytes", file=str(path))
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise SyntaxInputError(f"Expected UTF-8 ({error.reason}); save the file as UTF-8", file=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        at = re.search(r" \(at line (\d+), column (\d+)\)", str(error))
        line, column = (int(at[1]), int(at[2])) if at else (None, None)
        reason = str(error).replace(at[0], "") if at else str(error)
        raise SyntaxInputError(
            f"Expected TOML ({reason}); correct it there", file=str(path), line=line, column=column
        ) from None
    except RecursionError:
        raise LimitError("Expected TOML without deep nesting; flatten it", file=str(path)) from None


def _missing_folder(folder: Path) -> MissingFileError:
    found = missing_file(folder)
    return MissingFileError(str(found).partition(": ")[2].replace("file", "folder", 1), file=str(folder))
