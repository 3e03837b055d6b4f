"""Semirings: what the weights of asserted triples and rules add up to when they flow through proofs.

The weight of a proof is the *product* of the weights of its asserted triples and rule applications; the weight of a
triple is the *sum* over its well-founded proofs (Green, Karvounarakis and Tannen, Provenance Semirings, 2007). A
semiring says what product and sum are.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from kg.errors import ConfigError

__all__ = ["ADD_PRODUCT", "BOOLEAN", "MAX_PRODUCT", "AddProduct", "Boolean", "MaxProduct", "Semiring", "TopProofs"]

V = TypeVar("V")


class Semiring(Protocol[V]):
    """Two operations on weights: `plus` over proofs, `times` within one. Both are associative and commutative."""

    @property
    def zero(self) -> V:
        """The weight of what does not follow: neutral for `plus`, and `times` it gives it."""

    @property
    def one(self) -> V:
        """The weight of what is certain: neutral for `times`."""

    @property
    def absorptive(self) -> bool:
        """Whether `one` plus anything is `one`. Then a proof through a cycle adds nothing, and cycles are harmless."""

    def plus(self, a: V, b: V) -> V:
        """The weight of two proofs of one triple."""

    def times(self, a: V, b: V) -> V:
        """The weight of two parts of one proof."""

    def lift(self, weight: Any) -> V:
        """The element for a weight as it was given; rules have numbers in [0, 1], triples whatever the caller has.

        Raises:
            ConfigError: the weight is not one of this semiring.
        """


@dataclass(frozen=True)
class Boolean:
    """True or false: what follows from the triples whose weight is not 0. Equals entailment where none is 0."""

    zero: bool = False
    one: bool = True
    absorptive: bool = True

    def plus(self, a: bool, b: bool) -> bool:
        """Either proof will do."""
        return a or b

    def times(self, a: bool, b: bool) -> bool:
        """Every part is needed."""
        return a and b

    def lift(self, weight: Any) -> bool:
        """True unless the weight is 0."""
        return _fraction(weight) > 0


@dataclass(frozen=True)
class MaxProduct:
    """Numbers in [0, 1]: the product of the best proof. For triples scored by a model."""

    zero: float = 0.0
    one: float = 1.0
    absorptive: bool = True

    def plus(self, a: float, b: float) -> float:
        """The greater one."""
        return max(a, b)

    def times(self, a: float, b: float) -> float:
        """The product."""
        return a * b

    def lift(self, weight: Any) -> float:
        """The number itself, in [0, 1]."""
        return _fraction(weight)


@dataclass(frozen=True)
class AddProduct:
    """Numbers from 0: the sum of the products of all well-founded proofs.

    It counts proofs: with all weights 1 it is their number, and it can exceed 1. It is no probability, because proofs
    that share triples are added as if they did not.
    """

    zero: float = 0.0
    one: float = 1.0
    absorptive: bool = False

    def plus(self, a: float, b: float) -> float:
        """The sum."""
        return a + b

    def times(self, a: float, b: float) -> float:
        """The product."""
        return a * b

    def lift(self, weight: Any) -> float:
        """The number itself, in [0, 1]."""
        return _fraction(weight)


@dataclass(frozen=True)
class TopProofs:
    """The products of the k best proofs, greatest first; fewer where there are fewer.

    Args:
        k: how many proofs to keep.
        count_once: within a proof, count an asserted triple or a part that is used twice only once. The order of such
            weights cannot be searched, so proofs are compared one by one.
        examine: with `count_once`, how many proofs to compare at most.

    Raises:
        ConfigError: a number is not positive.
    """

    k: int = 10
    count_once: bool = False
    examine: int = 10_000

    zero = ()
    one = (1.0,)
    absorptive = False

    def __post_init__(self) -> None:
        for name, value in (("k", self.k), ("examine", self.examine)):
            if value < 1:
                raise ConfigError(f"Expected {name} of at least 1 (got {value})")

    def plus(self, a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
        """The best k of both."""
        return tuple(heapq.nlargest(self.k, (*a, *b)))

    def times(self, a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
        """The best k products."""
        return tuple(heapq.nlargest(self.k, (x * y for x in a for y in b)))

    def lift(self, weight: Any) -> tuple[float, ...]:
        """One proof of this weight, in [0, 1]."""
        return (_fraction(weight),)


def _fraction(weight: Any) -> float:
    try:
        number = float(weight)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 1:
        raise ConfigError(f"Expected a weight in [0, 1] (got {weight!r})")
    return number


BOOLEAN = Boolean()
"""Whether it follows at all."""
MAX_PRODUCT = MaxProduct()
"""The weight of the best proof."""
ADD_PRODUCT = AddProduct()
"""The weights of all proofs together."""
