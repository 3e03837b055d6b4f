"""Numbers in a graph's literals, kept aside of training triples, as a matrix of entities by attributes.

Counted are XML Schema's numeric types, booleans as 0 and 1, and dates and years as decimal years. Several numbers of an
entity for an attribute count as their mean. `embeddings.literal_models` trains on the matrix.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdflib import XSD, Literal

from kg.dictionary import LITERAL
from kg.errors import ConfigError, InputError
from kg.graph import KnowledgeGraph

__all__ = ["SCALINGS", "NumericLiterals", "literals_for", "number_of", "numeric_literals"]

SCALINGS = ("standard", "range")
_INTEGERS = "integer int long short byte nonNegativeInteger positiveInteger nonPositiveInteger negativeInteger"
_UNSIGNED = "unsignedInt unsignedLong unsignedShort unsignedByte"
_NUMERIC = frozenset(XSD[name] for name in f"decimal double float {_INTEGERS} {_UNSIGNED}".split())
_DATES = frozenset(XSD[name] for name in ("date", "dateTime", "dateTimeStamp", "gYear", "gYearMonth"))
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
_DATE = re.compile(
    r"\s*(?P<year>-?\d{4,6})(-(?P<month>\d\d)(-(?P<day>\d\d)(T(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(\.\d+)?)?)?)?"
    r"(?P<zone>Z|(?P<sign>[+-])(?P<zone_hour>\d\d):(?P<zone_minute>\d\d))?\s*"
)


@dataclass(frozen=True, eq=False)
class NumericLiterals:
    """Numbers of entities, scaled per attribute."""

    entities: NDArray[np.int32]
    """Term ids, ascending; shape (entity,)."""
    attributes: NDArray[np.int32]
    """Term ids of the predicates, ascending; shape (attribute,)."""
    values: NDArray[np.float32]
    """Scaled numbers, 0 where there is none; shape (entity, attribute)."""
    mask: NDArray[np.bool_]
    """Where there is a number; shape (entity, attribute)."""
    centre: NDArray[np.float64]
    """What became 0; shape (attribute,)."""
    scale: NDArray[np.float64]
    """What became 1 more; above 0, shape (attribute,)."""

    def __str__(self) -> str:
        return f"{int(self.mask.sum())} numbers of {len(self.entities)} entities, {len(self.attributes)} attributes"

    def of(self, entities: NDArray[np.integer]) -> NDArray[np.float32]:
        """Scaled numbers of these entities, 0 for those not told of; shape (num_entities, attribute)."""
        told = np.isin(entities, self.entities)
        found = np.zeros((len(entities), len(self.attributes)), dtype=np.float32)
        found[told] = self.values[np.searchsorted(self.entities, entities[told])]
        return found

    def unscaled(self) -> NDArray[np.float64]:
        """The numbers as the graph has them, NaN where there is none; shape (entity, attribute)."""
        return np.where(self.mask, self.values * self.scale + self.centre, np.nan)


def numeric_literals(
    graph: KnowledgeGraph, entities: NDArray[np.integer], *, scaling: str = "standard", min_count: int = 1
) -> NumericLiterals:
    """The numbers of these entities in a graph's asserted triples.

    Args:
        graph: what tells of them.
        entities: term ids, each once, as `Embedding.entities`; shape (entity,).
        scaling: `standard` has mean 0 and standard deviation 1 of the numbers that are there, so that a missing one
            counts as the mean; `range` goes from 0 to 1 (LiteralE, Kristiadi et al. 2019), a missing one as the least.
        min_count: entities that must have an attribute for it to count.

    Raises:
        ConfigError: an unknown scaling.
        InputError: entities that come twice.
    """
    if scaling not in SCALINGS:
        raise ConfigError(f"Expected a scaling of {', '.join(SCALINGS)} (got {scaling!r})")
    ids = np.unique(np.asarray(entities, dtype=np.int32))
    if len(ids) != len(entities):
        raise InputError(f"Expected entities, each once (got {len(entities)}, {len(ids)} of them different)")
    attributes, columns = [], []
    for predicate in graph.asserted.predicates():
        numbers = _numbers_of(graph, predicate, ids)
        if np.isfinite(numbers).sum() >= max(1, min_count):
            attributes.append(predicate)
            columns.append(numbers)
    told = np.stack(columns, axis=1) if columns else np.empty((len(ids), 0))
    mask = np.isfinite(told)
    centre, scale = _scaling(told, scaling)
    values = np.where(mask, (np.where(mask, told, 0.0) - centre) / scale, 0.0).astype(np.float32)
    return NumericLiterals(ids, np.array(attributes, dtype=np.int32), values, mask, centre, scale)


def literals_for(model: str, graph: KnowledgeGraph) -> NumericLiterals | None:
    """The numbers of a graph's entities if the PyKEEN model of this name is made from them, None for any other model.

    Raises:
        ConfigError: PyKEEN has no such model.
    """
    from embeddings.quiet import quiet

    with quiet():
        from embeddings.literal_models import takes_literals
        from embeddings.network import model_class

        return numeric_literals(graph, graph.entity_ids) if takes_literals(model_class(model)) else None


def number_of(literal: Literal) -> float | None:
    """The number a literal stands for, None where it stands for none (text, times of day, durations, INF, NaN).

    Dates are decimal years: 1970.0 is the first moment of 1970 in UTC; a year or a month counts as its first moment.
    """
    text = str(literal)
    if literal.datatype in _NUMERIC:
        value = float(text) if _NUMBER.fullmatch(text) else math.inf
        return value if math.isfinite(value) else None
    if literal.datatype == XSD.boolean:
        return {"true": 1.0, "1": 1.0, "false": 0.0, "0": 0.0}.get(text.strip())
    if literal.datatype in _DATES:
        return _decimal_year(text)
    return None


def _numbers_of(graph: KnowledgeGraph, predicate: int, entities: NDArray[np.int32]) -> NDArray[np.float64]:
    """Mean number of each entity under a predicate, NaN where it has none; shape (entity,)."""
    subjects, objects = graph.asserted.pairs(predicate)
    chosen = (graph.dictionary.kinds[objects] == LITERAL) & np.isin(subjects, entities)
    literals, which = np.unique(objects[chosen], return_inverse=True)
    terms = (graph.dictionary.term(int(id)) for id in literals)
    found = [number_of(term) if isinstance(term, Literal) else None for term in terms]
    numbers = np.array([math.nan if one is None else one for one in found], dtype=np.float64)[which]
    at = np.searchsorted(entities, subjects[chosen])[np.isfinite(numbers)]
    count = np.bincount(at, minlength=len(entities))
    total = np.bincount(at, weights=numbers[np.isfinite(numbers)], minlength=len(entities))
    return np.where(count > 0, total / np.maximum(count, 1), math.nan)


def _scaling(told: NDArray[np.float64], scaling: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not told.shape[1]:
        return np.empty(0), np.empty(0)
    if scaling == "standard":
        centre, scale = np.nanmean(told, axis=0), np.nanstd(told, axis=0)
    else:
        centre = np.nanmin(told, axis=0)
        scale = np.nanmax(told, axis=0) - centre
    return centre, np.where(scale > 1e-9 * (1 + np.abs(centre)), scale, 1.0)  # one number for all says only "there"


def _decimal_year(text: str) -> float | None:
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    part = found.groupdict()
    year, month, day = int(part["year"]), int(part["month"] or 1), int(part["day"] or 1)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    seconds = int(part["hour"] or 0) * 3600 + int(part["minute"] or 0) * 60 + int(part["second"] or 0)
    if part["sign"]:
        ahead = int(part["zone_hour"]) * 3600 + int(part["zone_minute"]) * 60
        seconds += -ahead if part["sign"] == "+" else ahead
    days = _days(year, month, day) + seconds / 86400
    year += (days >= _days(year + 1, 1, 1)) - (days < _days(year, 1, 1))  # the zone may lead into another one
    return year + (days - _days(year, 1, 1)) / (_days(year + 1, 1, 1) - _days(year, 1, 1))


def _days(year: int, month: int, day: int) -> int:
    """Days since a fixed day of the proleptic Gregorian calendar, for any year (Fliegel and Van Flandern 1968)."""
    before = (14 - month) // 12
    years, months = year + 4800 - before, month + 12 * before - 3
    return day + (153 * months + 2) // 5 + 365 * years + years // 4 - years // 100 + years // 400
