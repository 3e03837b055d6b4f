"""Saved state as a folder: tensors (safetensors), a JSON document, and a manifest with the SHA-256 of both.

A folder is written whole to a hidden sibling, flushed, and renamed into place. Reading checks every byte before
anything is made of it, and no part of it is ever executed or unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.calibrate import Calibration
from embeddings.config import EmbeddingConfig
from embeddings.embedding import Embedding
from kg.errors import ConfigError, StoreError

__all__ = ["load_embedding", "read_store", "save_embedding", "write_store"]

_MANIFEST, _TENSORS, _DOCUMENT = "manifest.json", "tensors.safetensors", "document.json"
_FORMAT = 1
_KIND = "noesis embedding"
_VECTORS = {"entities": np.int32, "relations": np.int32, "entity_vectors": np.float32, "relation_vectors": np.float32}


def save_embedding(embedding: Embedding, folder: str | Path) -> None:
    """Write an embedding to a folder, all or nothing; an embedding already there is replaced.

    Raises:
        StoreError: the folder exists and is not an embedding, or cannot be written.
    """
    tensors = {name: getattr(embedding, name) for name in _VECTORS}
    tensors |= {f"state.{name}": value for name, value in embedding.state.items()}
    document = {
        "config": embedding.config.to_dict(),
        "fingerprint": embedding.fingerprint,
        "losses": list(embedding.losses),
        "calibration": None if embedding.calibration is None else embedding.calibration.to_dict(),
    }
    write_store(folder, kind=_KIND, tensors=tensors, document=document)


def load_embedding(folder: str | Path, *, fingerprint: str | None = None) -> Embedding:
    """Read an embedding back.

    Args:
        folder: what `save_embedding` wrote.
        fingerprint: that of the graph's training triples (see `triples_fingerprint`); None takes any.

    Raises:
        StoreError: a file is missing or was altered, or the embedding was trained on another graph.
    """
    tensors, document = read_store(folder, kind=_KIND)
    try:
        found = document["fingerprint"]
        if fingerprint is not None and found != fingerprint:
            raise StoreError(
                f"Expected an embedding of this graph, {fingerprint[:12]}… (got one of {found[:12]}… in {folder}); "
                "train it again, or load the graph it was trained on"
            )
        calibration = document["calibration"]
        embedding = Embedding(
            config=EmbeddingConfig.from_dict(document["config"]),
            **{name: tensors.pop(name) for name in _VECTORS},
            fingerprint=found,
            losses=tuple(document["losses"]),
            calibration=None if calibration is None else Calibration.from_dict(calibration),
            state={name.removeprefix("state."): value for name, value in tensors.items()},
        )
    except (KeyError, TypeError, ConfigError) as error:
        raise StoreError(f"Expected the parts of an embedding in {folder} ({error})") from error
    _check(embedding, folder)
    return embedding


def write_store(
    folder: str | Path, *, kind: str, tensors: Mapping[str, NDArray[Any]], document: Mapping[str, Any]
) -> None:
    """Write tensors and a JSON document to a folder, all or nothing; a store of the same kind there is replaced.

    Raises:
        StoreError: something else is there, or the place cannot be written.
    """
    from safetensors.numpy import save

    target = Path(folder)
    parts = {
        _TENSORS: save({name: np.ascontiguousarray(value) for name, value in tensors.items()}),
        _DOCUMENT: _json(document),
    }
    parts[_MANIFEST] = _json({"format": _FORMAT, "kind": kind, "files": {n: _entry(data) for n, data in parts.items()}})
    _refuse_foreign(target, kind)
    token = secrets.token_hex(4)
    fresh, old = (target.parent / f".{target.name}.{token}.{word}" for word in ("new", "old"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.mkdir()
        for name, data in parts.items():
            _write(fresh / name, data)
        _sync(fresh)
        if target.exists():
            target.rename(old)
        try:
            fresh.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
        _sync(target.parent)
    except OSError as error:
        raise StoreError(f"Expected to write {target} ({error})") from error
    finally:
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)


def read_store(folder: str | Path, *, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The tensors and the document of a folder that `write_store` wrote with this kind; every byte is checked first.

    Raises:
        StoreError: a file is missing or was altered, or the folder is of another kind or format.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    target = Path(folder)
    manifest_bytes = _read(target / _MANIFEST)
    parts = {name: _read(target / name) for name in (_TENSORS, _DOCUMENT)}
    manifest = _parsed(manifest_bytes, target / _MANIFEST)
    if manifest.get("format") != _FORMAT or manifest.get("kind") != kind:
        raise StoreError(
            f"Expected {kind!r} of format {_FORMAT} in {target} "
            f"(got {manifest.get('kind')!r} of format {manifest.get('format')!r})"
        )
    entries = {name: _entry(data) for name, data in parts.items()}
    for name, entry in entries.items():
        if manifest.get("files", {}).get(name) != entry:
            raise StoreError(f"Expected {target / name} with the manifest's SHA-256: it was altered; make it again")
    if manifest_bytes != _json({"format": _FORMAT, "kind": kind, "files": entries}):
        raise StoreError(f"Expected {target / _MANIFEST} as it was written: it was altered; make it again")
    try:
        tensors = load(parts[_TENSORS])
    except (SafetensorError, KeyError, ValueError) as error:
        raise StoreError(f"Expected tensors in {target / _TENSORS} ({error})") from error
    for value in tensors.values():
        value.flags.writeable = False
    return tensors, _parsed(parts[_DOCUMENT], target / _DOCUMENT)


def _check(embedding: Embedding, folder: str | Path) -> None:
    """Whether the parts fit together, for a folder whose sums are right but whose writer was not ours."""
    wrong = [name for name, kind in _VECTORS.items() if getattr(embedding, name).dtype != kind]
    for ids, vectors in (("entities", "entity_vectors"), ("relations", "relation_vectors")):
        table, rows = getattr(embedding, ids), getattr(embedding, vectors)
        if table.ndim != 1 or not len(table) or (np.diff(table) <= 0).any():
            wrong.append(ids)
        if rows.ndim != 2 or len(rows) != len(table) or not np.isfinite(rows).all():
            wrong.append(vectors)
    numbers = embedding.config.numbers
    if embedding.config.isometric and not wrong:
        wrong = [n for n in ("entity_vectors", "relation_vectors") if getattr(embedding, n).shape[1] != numbers]
    if wrong:
        raise StoreError(
            f"Expected fitting parts of an embedding in {folder} (got wrong {', '.join(sorted(set(wrong)))})"
        )


def _refuse_foreign(target: Path, kind: str) -> None:
    """Replacing removes what is there, so it must be a store of the same kind, or an empty folder."""
    if not target.exists() and not target.is_symlink():
        return
    with contextlib.suppress(StoreError, OSError):
        if target.is_dir() and not target.is_symlink():
            inside = {path.name for path in target.iterdir()}
            if not inside:
                return
            if inside <= {_MANIFEST, _TENSORS, _DOCUMENT}:
                manifest = _parsed(_read(target / _MANIFEST), target / _MANIFEST)
                if manifest.get("kind") == kind:
                    return
    raise StoreError(
        f"Expected {target} to be absent, empty or a {kind!r} to replace (got something else); name another"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"Expected the file {path} ({error.strerror or error})") from error


def _parsed(data: bytes, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"Expected JSON in {path} ({error})") from error
    if not isinstance(value, dict):
        raise StoreError(f"Expected a JSON object in {path} (got {type(value).__name__})")
    return value


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _entry(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
