"""A graph's way through the allocator, for every batch and context that passes the same checks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from packer.memory.compute_allocator import Replay, Step, replay
from packer.memory.compute_extent import (
    IS_NEGATIVE,
    IS_ZERO,
    Check,
    Size,
    Symbols,
    is_never_above,
    terms_of,
)
from packer.memory.compute_lifetimes import Lifetimes
from packer.memory.compute_terms import factors_of

Peaks = tuple[int, ...]

# Regions of a program in which the allocator decides alike; the steps are taken in the others.
_MOST_REGIONS = 24
# Finding a region costs as much as taking all steps some ten times, and saves half of them whenever
# it is met: it is worth its price from some twenty meetings on. Candidates for demands, whose slots
# and contexts differ at once, meet few again, so some more misses come first.
_MISSES_WORTH_A_REGION = 50
# A check takes half as long as a step.
_STEPS_PER_CHECK = 2


@dataclass(frozen=True)
class Allocated:
    """Bytes every backend must reserve for one graph.

    Attributes:
        peaks: Bytes, the host last.
        is_settled: Whether the blocks that were left out would have changed nothing.
    """

    peaks: Peaks
    is_settled: bool


class Products:
    """Products of symbols that sums are made of."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._factors: list[tuple[int, ...]] = []

    def sum_of(self, size: Size) -> "Sum":
        """A size as a sum over the products."""
        return Sum(self._numbered(terms_of(size).items()))

    def check_of(self, check: Check, answer: int) -> "KnownCheck":
        """A check as one on a sum over the products."""
        kind, terms = check
        return KnownCheck(kind, Sum(self._numbered(terms)), answer)

    def values(self, symbols: Sequence[int]) -> list[int]:
        """Values of all products."""
        return [prod([symbols[symbol] for symbol in factors]) for factors in self._factors]

    def _numbered(self, terms: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        return tuple((self._number(product), factor) for product, factor in terms)

    def _number(self, product: int) -> int:
        if product not in self._numbers:
            self._numbers[product] = len(self._factors)
            self._factors.append(factors_of(product))
        return self._numbers[product]


class Sum:
    """A sum over numbered products."""

    __slots__ = ("_terms",)

    def __init__(self, terms: tuple[tuple[int, int], ...]) -> None:
        """A sum of ``factor`` times the product ``number``."""
        self._terms = terms

    def of(self, products: Sequence[int]) -> int:
        """Its value."""
        total = 0
        for number, factor in self._terms:
            total += products[number] * factor
        return total


class KnownCheck:
    """A check with the answer it had."""

    __slots__ = ("_answer", "_kind", "_sum")

    def __init__(self, kind: int, total: Sum, answer: int) -> None:
        self._kind = kind
        self._sum = total
        self._answer = answer

    def passes(self, products: Sequence[int]) -> bool:
        """Whether the answer is the same."""
        total = self._sum.of(products)
        if self._kind == IS_ZERO:
            return (total == 0) == self._answer
        if self._kind == IS_NEGATIVE:
            return (total < 0) == self._answer
        return total % self._kind == self._answer


@dataclass(frozen=True)
class _Buffer:
    """Peak of one buffer, and whether it looks the same at the ends of repeated blocks."""

    peak: int
    is_settled: bool


@dataclass(frozen=True)
class _Region:
    """Batches and contexts for which the allocator decides alike in one buffer."""

    checks: list[KnownCheck]
    tops: list[Sum]
    is_settled: bool

    def run(self, products: Sequence[int]) -> _Buffer | None:
        """The buffer; None if these products lie outside."""
        for check in self.checks:
            if not check.passes(products):
                return None
        return _Buffer(max([top.of(products) for top in self.tops]), self.is_settled)


class _Steps:
    """One buffer's script, and the regions of it that are known."""

    def __init__(
        self,
        script: Sequence[Step],
        sizes: Sequence[tuple[Size, int]],
        products: Products,
        repeats: Sequence[tuple[int, ...]],
    ) -> None:
        numbers = sorted({number for step in script for number in step[2:]})
        place = {number: index for index, number in enumerate(numbers)}
        self._script = [(kind, block, place[one], place[two]) for kind, block, one, two in script]
        self._sizes = [sizes[number] for number in numbers]
        self._sums = [(products.sum_of(size), alignment) for size, alignment in self._sizes]
        self._products = products
        self._repeats = repeats
        self._regions: list[_Region] = []
        self._misses = 0

    def run(self, values: Sequence[int], products: list[int]) -> _Buffer:
        """The buffer for symbols and products of these values."""
        regions = self._regions
        for place, region in enumerate(regions):
            found = region.run(products)
            if found is not None:
                if place:
                    regions.insert(0, regions.pop(place))
                return found
        self._misses += 1
        # The more regions were found and not met, the less likely is the next one.
        is_worth_it = self._misses >= _MISSES_WORTH_A_REGION * (1 + len(regions))
        if is_worth_it and len(regions) < _MOST_REGIONS:
            self._misses = 0
            self._learn(values)
            products[:] = self._products.values(values)
        sizes = [_padded(size.of(products), alignment) for size, alignment in self._sums]
        taken = replay(self._script, sizes)
        return _Buffer(max(taken.tops, default=0), self._is_settled(taken))

    def _learn(self, values: Sequence[int]) -> None:
        """Find the region where the allocator decides as it does for these values."""
        symbols = Symbols(values)
        sizes = [_padded(symbols.adopted(size), step) for size, step in self._sizes]
        taken = replay(self._script, sizes)
        tops = [self._products.sum_of(top) for top in _highest(taken.tops)]
        is_settled = self._is_settled(taken)
        if len(symbols.answers) * _STEPS_PER_CHECK > len(self._script):
            # Nothing would be saved, here or in the neighbourhood.
            self._misses = -_MISSES_WORTH_A_REGION * _MOST_REGIONS
            return
        self._regions.append(_Region(_checks(self._products, symbols), tops, is_settled))

    def _is_settled(self, taken: Replay) -> bool:
        pictures = taken.pictures
        return all(_closes(pictures, circle) for circle in self._repeats)


class Program:
    """Checks, sizes and steps of one graph."""

    def __init__(
        self, symbols: Symbols, lifetimes: Lifetimes, repeats: Sequence[tuple[int, ...]]
    ) -> None:
        """The program of a graph that was built with ``symbols``.

        Args:
            symbols: What the graph depends on, with every check that was left behind.
            lifetimes: What the allocator is asked to do.
            repeats: Watched operations: behind the first it must look as behind one of the others.
        """
        self._products = Products()
        self._checks = _checks(self._products, symbols)
        copies = lifetimes.copies
        # No copy more from the second to the last of a stretch, or it would be kept for ever.
        self._counts_settle = all(_closes(copies, circle) for circle in repeats)
        # Cards in the middle of a model do the same.
        scripts = list(dict.fromkeys(lifetimes.scripts))
        self._places = [scripts.index(script) for script in lifetimes.scripts]
        self._buffers = [
            _Steps(script, lifetimes.sizes, self._products, tuple(repeats)) for script in scripts
        ]

    def run(self, values: Sequence[int]) -> Allocated | None:
        """Bytes for symbols of these values; None if a check fails: the graph is another one."""
        products = self._products.values(values)
        for check in self._checks:
            if not check.passes(products):
                return None
        buffers = [steps.run(values, products) for steps in self._buffers]
        return Allocated(
            tuple([buffers[place].peak for place in self._places]),
            self._counts_settle and all([buffer.is_settled for buffer in buffers]),
        )


def _closes(states: Sequence[object], circle: Sequence[int]) -> bool:
    """Whether the state behind the last repetition is that behind an earlier one."""
    last = states[circle[0]]
    return any(last == states[earlier] for earlier in circle[1:])


def _padded(size: int, alignment: int) -> int:
    return size + -size % alignment


def _checks(products: Products, symbols: Symbols) -> list[KnownCheck]:
    """Checks on symbols; those with fewest terms first, which fail most often."""
    ordered = sorted(symbols.answers.items(), key=lambda item: (len(item[0][1]), item[0][0]))
    return [products.check_of(check, answer) for check, answer in ordered]


def _highest(tops: Sequence[Size]) -> list[Size]:
    """Sizes one of which is the largest, whatever the symbols are."""
    kept: list[Size] = []
    for top in tops:
        if not any(is_never_above(top, other) for other in kept):
            kept = [other for other in kept if not is_never_above(other, top)]
            kept.append(top)
    return kept or [0]
