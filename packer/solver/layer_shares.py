"""Which layer counts per card are worth offering to the solver when a model is split."""

from collections.abc import Callable
from dataclasses import dataclass

from packer.memory.result import MemoryEstimate

Sizer = Callable[[tuple[int, ...]], MemoryEstimate]


@dataclass(frozen=True)
class LayerSplits:
    """Splits of ``layers`` consecutive layers over ``cards`` equal cards.

    Attributes:
        layers: Blocks and the output layer.
        cards: Cards of one node.
        room_bytes: Room of one card [bytes].
    """

    layers: int
    cards: int
    room_bytes: int

    def choose(self, sizer: Sizer) -> list[tuple[int, ...]]:
        """Splits to offer: balanced, first cards as full as they go, and half-way between.

        The balanced one leaves equal room everywhere; the full one leaves a last card nearly empty
        for others. Both, and one between, cover what a packing gains from uneven splits.
        """
        if self.cards > self.layers:
            return []
        if self.cards == 1:
            return [(self.layers,)]
        even = self.balanced(sizer)
        full = self.filled(sizer, even)
        if full is None:
            return [even]
        middle = self._between(even, full)
        return list(dict.fromkeys([even, full, middle]))

    def balanced(self, sizer: Sizer) -> tuple[int, ...]:
        """The split whose fullest card is least full, by moving one layer at a time."""
        counts = [
            self.layers // self.cards + (1 if card < self.layers % self.cards else 0)
            for card in range(self.cards)
        ]
        best = self._fullest(sizer, counts)
        for _ in range(self.layers):
            moved = self._relieve(sizer, counts, best)
            if moved is None:
                break
            counts, best = moved
        return tuple(counts)

    def _relieve(
        self, sizer: Sizer, counts: list[int], best: tuple[int, int]
    ) -> tuple[list[int], tuple[int, int]] | None:
        """One layer from the fullest card to the emptiest, if that helps."""
        bytes_per_card = [device.high_bytes for device in sizer(tuple(counts)).devices]
        source = bytes_per_card.index(max(bytes_per_card))
        target = bytes_per_card.index(min(bytes_per_card))
        if counts[source] == 1:
            return None
        trial = list(counts)
        trial[source] -= 1
        trial[target] += 1
        fullest = self._fullest(sizer, trial)
        return (trial, fullest) if fullest < best else None

    def _fullest(self, sizer: Sizer, counts: list[int]) -> tuple[int, int]:
        sizes = [device.high_bytes for device in sizer(tuple(counts)).devices]
        return max(sizes), sizes.count(max(sizes))

    def filled(self, sizer: Sizer, even: tuple[int, ...]) -> tuple[int, ...] | None:
        """The split that fills all cards but the last; None if the balanced one does not fit."""
        if self._fullest(sizer, list(even))[0] > self.room_bytes:
            return None
        counts = list(even)
        for card in range(self.cards - 1):
            low, high = 0, counts[-1] - 1
            while low < high:
                extra = (low + high + 1) // 2
                trial = list(counts)
                trial[card] += extra
                trial[-1] -= extra
                fits = self._fullest(sizer, trial)[0] <= self.room_bytes
                low, high = (extra, high) if fits else (low, extra - 1)
            counts[card] += low
            counts[-1] -= low
        return tuple(counts)

    def _between(self, even: tuple[int, ...], full: tuple[int, ...]) -> tuple[int, ...]:
        counts = [(a + b) // 2 for a, b in zip(even, full, strict=True)]
        counts[-1] += self.layers - sum(counts)
        return tuple(counts)
