"""The part of JSON Schema (draft 2020-12) that the published schemas use, checked without another package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "number": (int, float),
    "integer": int,
    "null": type(None),
}
_KNOWN = {"$schema", "$id", "$ref", "$defs", "title", "description", "type", "properties", "required", "items", "const"}
_KNOWN |= {"additionalProperties", "minItems", "maxItems", "enum"}


def faults(
    value: Any, schema: Mapping[str, Any], whole: Mapping[str, Any] | None = None, at: str = "$"
) -> Iterator[str]:
    """Where a value breaks a schema; nothing for a valid one. Raises KeyError for a keyword that is not known."""
    whole = schema if whole is None else whole
    if unknown := set(schema) - _KNOWN:
        raise KeyError(f"unknown keywords: {sorted(unknown)}")
    if "$ref" in schema:
        yield from faults(value, whole["$defs"][schema["$ref"].rpartition("/")[2]], whole, at)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"{at}: expected {' or '.join(kinds)}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{at}: expected {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: expected one of {schema['enum']}"
    if isinstance(value, dict):
        yield from _object_faults(value, schema, whole, at)
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{at}: {len(value)} items"
        for number, item in enumerate(value):
            yield from faults(item, schema.get("items", {}), whole, f"{at}[{number}]")


def _object_faults(
    value: dict[str, Any], schema: Mapping[str, Any], whole: Mapping[str, Any], at: str
) -> Iterator[str]:
    yield from (f"{at}: no {name}" for name in schema.get("required", ()) if name not in value)
    rest = schema.get("additionalProperties", {})
    for name, item in value.items():
        known = schema.get("properties", {}).get(name, rest)
        if known is False:
            yield f"{at}: unknown {name}"
        else:
            yield from faults(item, known, whole, f"{at}.{name}")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])
