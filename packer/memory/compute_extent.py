"""Sizes that are not known yet: they remember how they follow from a batch and a context.

A graph is built once with extents in place of numbers. Whatever looked at one of them, to compare
it or to divide it, leaves a check behind; for every batch and context that passes the same checks
the graph has the same operations in the same places, and its sizes are sums of products.
"""

from collections.abc import Sequence
from math import prod
from typing import cast

from packer.memory.compute_terms import (
    BITS,
    CONSTANT,
    Terms,
    difference,
    factors_of,
    reduced,
    sign_of,
)

IS_ZERO, IS_NEGATIVE = 0, 1

Check = tuple[int, tuple[tuple[int, int], ...]]
"""Kind and terms: 0 asks for zero, 1 for a negative number, more for the rest of a division."""


def terms_of(size: "Size") -> Terms:
    """Terms of an extent or of a plain number."""
    if isinstance(size, Extent):
        return size.terms
    return {CONSTANT: size} if size else {}


def is_never_above(one: "Size", other: "Size") -> bool:
    """Whether a size is at most another one for all positive values of the symbols."""
    terms = difference(terms_of(other), terms_of(one))
    return not terms or sign_of(terms) > 0


class Symbols:
    """Positive numbers that graphs depend on, and all that was ever asked about them."""

    def __init__(self, values: Sequence[int]) -> None:
        """Symbols with the values of one batch and context."""
        self.answers: dict[Check, int] = {}
        self._values = tuple(values)

    def extent(self, number: int) -> int:
        """A symbol, in the clothes of an int: it answers to all that graphs do with one."""
        return cast(int, Extent({1 << BITS * number: 1}, self._values[number], self))

    def adopted(self, size: "Size") -> int:
        """A size made of another's symbols, with the values of these."""
        if not isinstance(size, Extent):
            return size
        value = sum(
            factor * prod(self._values[symbol] for symbol in factors_of(product))
            for product, factor in size.terms.items()
        )
        return cast(int, Extent(size.terms, value, self))

    def is_equal(self, one: "Size", other: "Size") -> bool:
        """Whether two sizes are equal, remembered as a check unless they always or never are."""
        terms = difference(terms_of(one), terms_of(other))
        if not terms:
            return True
        if sign_of(terms):
            return False
        return bool(self._ask(IS_ZERO, reduced(terms), _value(one) == _value(other)))

    def is_below(self, one: "Size", other: "Size") -> bool:
        """Whether a size is smaller than another, remembered likewise."""
        terms = difference(terms_of(one), terms_of(other))
        sign = sign_of(terms)
        if sign or not terms:
            return sign < 0
        return bool(self._ask(IS_NEGATIVE, reduced(terms), _value(one) < _value(other)))

    def rest(self, size: "Extent", divisor: int) -> int:
        """Rest of a division, remembered likewise."""
        terms = {product: factor % divisor for product, factor in size.terms.items()}
        open_terms = {product: factor for product, factor in terms.items() if product and factor}
        constant = terms.get(CONSTANT, 0)
        if not open_terms:
            return constant
        found = (size.value - constant) % divisor
        return (self._ask(divisor, open_terms, found) + constant) % divisor

    def _ask(self, kind: int, terms: Terms, answer: int) -> int:
        self.answers[kind, tuple(sorted(terms.items()))] = int(answer)
        return answer


class Extent:
    """A sum of products of symbols, with the value it has for one batch and context.

    It has what graphs ask of a number. Anything that needs the value itself fixes it by a check.
    """

    __slots__ = ("_symbols", "terms", "value")

    def __init__(self, terms: Terms, value: int, symbols: Symbols) -> None:
        """An extent of ``symbols``; the terms are not copied."""
        self.terms = terms
        self.value = value
        self._symbols = symbols

    def _made(self, terms: Terms, value: int) -> "Size":
        """An extent, or a plain number where no symbol is left."""
        return Extent(terms, value, self._symbols) if any(terms) else value

    def __add__(self, other: "Size") -> "Size":
        terms = dict(self.terms)
        for product, factor in terms_of(other).items():
            total = terms.get(product, 0) + factor
            if total:
                terms[product] = total
            else:
                terms.pop(product, None)
        return self._made(terms, self.value + _value(other))

    __radd__ = __add__

    def __neg__(self) -> "Size":
        return self._made({key: -factor for key, factor in self.terms.items()}, -self.value)

    def __sub__(self, other: "Size") -> "Size":
        return self._made(difference(self.terms, terms_of(other)), self.value - _value(other))

    def __rsub__(self, other: int) -> "Size":
        return -self + other

    def __mul__(self, other: "Size") -> "Size":
        if isinstance(other, int):
            if other == 1:
                return self
            if not other:
                return 0
            scaled = {product: factor * other for product, factor in self.terms.items()}
            return Extent(scaled, self.value * other, self._symbols)
        terms: Terms = {}
        for one, factor in self.terms.items():
            for two, times in other.terms.items():
                terms[one + two] = terms.get(one + two, 0) + factor * times
        kept = {product: factor for product, factor in terms.items() if factor}
        return self._made(kept, self.value * other.value)

    __rmul__ = __mul__

    def __floordiv__(self, other: "Size") -> "Size":
        if isinstance(other, Extent):
            return self._without(other)
        if any(factor % other for product, factor in self.terms.items() if product):
            return self.__index__() // other
        divided = ((product, factor // other) for product, factor in self.terms.items())
        terms = {product: factor for product, factor in divided if factor}
        return self._made(terms, self.value // other)

    def _without(self, other: "Extent") -> "Size":
        """Quotient by another extent: exact where that is one product and divides every term."""
        divisor, *more = other.terms.items()
        if self.terms == other.terms:
            return 1
        factors = factors_of(divisor[0])
        is_exact = not more and all(
            factor % divisor[1] == 0
            and all(factors_of(product).count(one) >= factors.count(one) for one in factors)
            for product, factor in self.terms.items()
        )
        if not is_exact:
            return self.__index__() // other.__index__()
        terms = {key - divisor[0]: factor // divisor[1] for key, factor in self.terms.items()}
        return self._made(terms, self.value // other.value)

    def __rfloordiv__(self, other: int) -> int:
        return other // self.__index__()

    def __mod__(self, other: "Size") -> int:
        return self._symbols.rest(self, other.__index__())

    def __rmod__(self, other: int) -> int:
        return other % self.__index__()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (int, Extent)):
            return NotImplemented
        return self is other or self._symbols.is_equal(self, other)

    def __lt__(self, other: "Size") -> bool:
        return self._symbols.is_below(self, other)

    def __gt__(self, other: "Size") -> bool:
        return self._symbols.is_below(other, self)

    def __le__(self, other: "Size") -> bool:
        return not self > other

    def __ge__(self, other: "Size") -> bool:
        return not self < other

    def __bool__(self) -> bool:
        return not self._symbols.is_equal(self, 0)

    def __hash__(self) -> int:
        return hash(self.__index__())

    def __index__(self) -> int:
        """The value, which every batch and context must share from now on."""
        self._symbols.is_equal(self, self.value)
        return self.value


Size = int | Extent


def _value(size: Size) -> int:
    return size.value if isinstance(size, Extent) else size
